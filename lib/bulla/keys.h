/* keys.h: named keys of a transit mount and their versions. Lists and texts in results are in the call's arena. */
#ifndef BULLA_KEYS_H
#define BULLA_KEYS_H

#include "mounts.h"

BULLA_DECLS_BEGIN

struct bulla_key_version_info {
	uint32_t version;
	int64_t created_date_ns;
	/* of asymmetric types: in PEM, Ed25519's bare in base64; empty of a derived key that is read without a context, and of a
	 * damaged version. The certificates in PEM, the leaf first */
	struct bulla_bytes public_key, certificate_chain;
};

/* When a key was backed up or restored, and its latest version then; version 0: never. */
struct bulla_key_mark {
	int64_t at_date_ns;
	uint32_t version;
};

/* Longest name of a key, in bytes. */
#define BULLA_KEY_NAME_MAX 1024

/* What a reader may know of a key: never its material. */
struct bulla_key_info {
	struct bulla_bytes name; /* len 0: there is no such key (soft delete and restore only) */
	const char *type;
	bool derived, convergent, exportable, allow_plaintext_backup, deletion_allowed, imported, soft_deleted;
	bool counter_kdf;        /* derived by a counter-mode HMAC, not by HKDF */
	bool imported_rotatable; /* it may be rotated although it was imported */
	struct bulla_key_mark backup, restore;
	int32_t convergent_version; /* printed as convergent_encryption_version: -1 (each version knows its own); 0 unless convergent */
	bool can_encrypt, can_sign, can_derive;
	bool asymmetric;          /* versions have public keys */
	const char *version_name; /* of an asymmetric type: "P-256", "rsa-2048"; NULL: the versions are not listed */
	size_t key_size;          /* where it was chosen with the key, in bytes; else 0 */
	uint32_t latest, min_decryption, min_encryption, min_available;
	int64_t auto_rotate_s;
	const struct bulla_key_version_info *versions; /* max(min_decryption, min_available, 1) to latest, ascending */
	size_t version_count;
};

struct bulla_key_create_args {
	struct bulla_bytes type; /* ptr NULL: aes256-gcm96. An empty one that was given is unknown, as at the peer */
	bool derived, convergent, exportable, allow_plaintext_backup;
	int64_t auto_rotate_s;
	int64_t key_size; /* 0: the type's own; only some types have a choice */
};

/* Creates, or reads if it exists (as the peer: create is idempotent and then changes nothing). *created says which.
 * INVALID/INVALID_500 with the peer's texts. Blocks when it has to write. */
BULLA_MUST_USE enum bulla_err bulla_key_create(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					       struct bulla_bytes name, const struct bulla_key_create_args *args,
					       struct bulla_key_info *out, bool *created);

/* NOT_FOUND. MUST_BLOCK when it has to be loaded. */
BULLA_MUST_USE enum bulla_err bulla_key_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					     struct bulla_bytes name, struct bulla_key_info *out);

/* The same with the public keys that belong to a context. */
BULLA_MUST_USE enum bulla_err bulla_key_read_derived(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						     struct bulla_bytes name, struct bulla_bytes context,
						     struct bulla_key_info *out);

/* *exists: for choosing between the capabilities create and update. MUST_BLOCK when it has to ask the store. */
BULLA_MUST_USE enum bulla_err bulla_key_exists(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					       struct bulla_bytes name, bool *exists);

enum bulla_key_set {
	BULLA_KEY_MIN_DECRYPTION = 1 << 0, BULLA_KEY_MIN_ENCRYPTION = 1 << 1, BULLA_KEY_DELETION_ALLOWED = 1 << 2,
	BULLA_KEY_EXPORTABLE = 1 << 3, BULLA_KEY_BACKUP = 1 << 4, BULLA_KEY_AUTO_ROTATE = 1 << 5,
};
/* Only the members that set names count. */
struct bulla_key_config_args {
	unsigned set;
	int64_t min_decryption, min_encryption, auto_rotate_s;
	bool deletion_allowed, exportable, allow_plaintext_backup;
};

/* All of these block, change all or nothing, and are durable when they return. Where the key does not exist: INVALID with the
 * peer's text. Further errors: INVALID, INVALID_500 with the peer's texts, KEY_SOFT_DELETED. */
BULLA_MUST_USE enum bulla_err bulla_key_config(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					       struct bulla_bytes name, const struct bulla_key_config_args *args,
					       struct bulla_key_info *out);
BULLA_MUST_USE enum bulla_err bulla_key_rotate(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					       struct bulla_bytes name, struct bulla_key_info *out);
/* min_available NULL: it was not given ("missing min_available_version", once the key is found). */
BULLA_MUST_USE enum bulla_err bulla_key_trim(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					     struct bulla_bytes name, const int64_t *min_available, struct bulla_key_info *out);
/* An unknown key is fine (the peer answers 204): out->name is empty then. A key that is in the state already gets a warning. */
BULLA_MUST_USE enum bulla_err bulla_key_soft_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						    struct bulla_bytes name, struct bulla_key_info *out);
BULLA_MUST_USE enum bulla_err bulla_key_soft_delete_restore(struct bulla *engine, struct bulla_call *call,
							    const struct bulla_mount *mount, struct bulla_bytes name,
							    struct bulla_key_info *out);
/* Answers after no reader holds it, its records are gone and the file is scrubbed. */
BULLA_MUST_USE enum bulla_err bulla_key_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					       struct bulla_bytes name);

/* Names in byte order, after `after` (exclusive, empty: from the first), at most limit (<= 0: all).
 * MUST_BLOCK when the index of the mount has to be built, is being changed, or the answer is long. A record that cannot be
 * opened has no name to show: a warning counts them. */
BULLA_MUST_USE enum bulla_err bulla_key_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					     struct bulla_bytes after, int64_t limit, struct bulla_bytes **names, size_t *count);

BULLA_DECLS_END

#endif
