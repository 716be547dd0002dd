/* approle_private.h: what the approle files share. Nobody else includes it. */
#ifndef BULLA_AUTH_APPROLE_PRIVATE_H
#define BULLA_AUTH_APPROLE_PRIVATE_H

#include "auth/auth.h"
#include "auth/names.h"
#include "auth/params.h"
#include "bulla/approle.h"
#include "crypto/crypto.h"

#define APPROLE_MAX_TEXT 4096 /* of names, role ids and secret ids: the peer's limit of what it hashes */
#define APPROLE_TEXT_TOO_LONG "value is longer than maximum of 4096 bytes"

/* kinds of documents (docs/FORMATS.md) */
#define KIND_ROLE "approle-role"         /* scope: the mount's uuid */
#define KIND_ROLE_ID "approle-role-id"   /* the same; by role_id, the name of its role */
#define KIND_ACCESSOR "approle-accessor" /* the same; by accessor, whose secret id it is */
#define KIND_SECRET "approle-secret"     /* scope: uuid and name of the role; by hash of the secret id */

struct role {
	struct record record; /* its item is the name in lower case */
	uint8_t hash_key[SHA256_BYTES]; /* of its secret ids */
	struct bulla_approle public;
};

/* What leads from a role_id to its role. */
struct role_id {
	struct record record;
	struct bulla_bytes role;
};

/* Its item is the hash; it is found by no other name. */
struct secret {
	struct record record;
	struct bulla_secret_id public;
};

/* To whom an accessor belongs. */
struct accessor {
	struct record record;
	struct bulla_bytes role;
	uint8_t hash[SHA256_BYTES];
};

/* ---- approle_record.c ---- */

/* name: in lower case. */
struct record_name role_name(const struct bulla_mount *mount, struct bulla_bytes name);
struct record_name role_id_name(const struct bulla_mount *mount, struct bulla_bytes role_id);
/* NOT_FOUND. */
BULLA_MUST_USE enum bulla_err role_read(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
					struct bulla_bytes name, struct role *out);

/* "role %q does not exist" with this error. */
enum bulla_err role_missing(struct bulla_call *call, enum bulla_err err, struct bulla_bytes name);

/* hash: of SHA256_BYTES, borrowed; all of the role: of none. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err secret_name(struct bulla_call *call, const uint8_t uuid[16], struct bulla_bytes role,
					  struct bulla_bytes hash, struct record_name *out);
void secret_hash(const struct role *role, struct bulla_bytes secret_id, uint8_t out[SHA256_BYTES]);
/* NOT_FOUND, also when it has ended. */
BULLA_MUST_USE enum bulla_err secret_read(struct auth *auth, struct bulla_call *call, const struct record_name *name,
					  struct secret *out);

struct record_name accessor_name(const struct bulla_mount *mount, struct bulla_bytes text);

/* ---- approle_secret.c ---- */

/* INVALID_500: the blocks are not all within the role's (the peer checks them anew at each login). */
BULLA_MUST_USE enum bulla_err secret_check_within(struct bulla_call *call, const struct bulla_bytes *blocks, size_t count,
						  const struct bulla_bytes *role_blocks, size_t role_count);
/* The first that is no block: INVALID_500 or INVALID, as plain says. An address alone is none, as at the peer. */
BULLA_MUST_USE enum bulla_err cidrs_check(struct bulla_call *call, const struct bulla_bytes *blocks, size_t count, bool plain);

/* ---- approle_metadata.c ---- */

/* As the peer takes it: a JSON object of strings, or "k=v,k=v"; either may be in base64. Sets meta. INVALID with its texts. */
BULLA_MUST_USE enum bulla_err metadata_parse(struct bulla_call *call, struct bulla_bytes text, struct bulla_secret_id *s);

#endif
