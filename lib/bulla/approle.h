/* approle.h: roles of an approle mount, their secret ids, and logging in with both. Names of roles are lower case; a name given
 * otherwise means the same role. Everything here blocks: MUST_BLOCK on a loop. Errors are the peer's, with its texts. */
#ifndef BULLA_APPROLE_H
#define BULLA_APPROLE_H

#include "mounts.h"
#include "token_params.h"

BULLA_DECLS_BEGIN

struct bulla_approle {
	struct bulla_bytes role_id;
	bool bind_secret_id, local_secret_ids;
	const struct bulla_bytes *secret_id_bound_cidrs; /* from where logins are taken; NULL: never set */
	size_t secret_id_bound_cidr_count;
	int64_t secret_id_num_uses, secret_id_ttl_s;     /* of the secret ids made for it; 0: no limit */
	struct bulla_role_params token;
};

enum bulla_approle_set {
	BULLA_APPROLE_ROLE_ID = 1 << 0, BULLA_APPROLE_BIND_SECRET_ID = 1 << 1, BULLA_APPROLE_LOCAL_SECRET_IDS = 1 << 2,
	BULLA_APPROLE_BOUND_CIDRS = 1 << 3, BULLA_APPROLE_NUM_USES = 1 << 4, BULLA_APPROLE_TTL = 1 << 5,
};
struct bulla_approle_change {
	unsigned set;                 /* which members of values were given (token is ignored there) */
	struct bulla_approle values;
	struct bulla_role_params_change token;
	bool field;                   /* asked for by the endpoint of one field: the role must exist, and policies are cleaned */
};

/* In the arena. NOT_FOUND. */
BULLA_MUST_USE enum bulla_err bulla_approle_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						 struct bulla_bytes name, struct bulla_approle *out);
/* Creates or changes. INVALID, INVALID_500; UNSUPPORTED_PATH: change->field, and there is no such role. Warnings. */
BULLA_MUST_USE enum bulla_err bulla_approle_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						  struct bulla_bytes name, const struct bulla_approle_change *change);
/* With all its secret ids. An unknown one is fine. */
BULLA_MUST_USE enum bulla_err bulla_approle_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						   struct bulla_bytes name);
/* Sorted, in the arena. */
BULLA_MUST_USE enum bulla_err bulla_approle_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						 struct bulla_bytes **names, size_t *count);

/* ---- secret ids ---------------------------------------------------------------------------------------------------------- */

/* What is known of a secret id without the secret itself, of which only a keyed hash is kept. */
struct bulla_secret_id {
	struct bulla_bytes accessor;
	int64_t num_uses;             /* that are left; 0: any number */
	int64_t ttl_s;                /* as it was asked for; 0: no end */
	int64_t created_date_ns, updated_date_ns;
	int64_t expires_ns;           /* by the clock; 0: never */
	const struct bulla_bytes *cidrs, *token_cidrs;
	size_t cidr_count, token_cidr_count;
	const struct bulla_pair *meta;
	size_t meta_count;
};

enum bulla_secret_id_set { BULLA_SECRET_ID_NUM_USES = 1 << 0, BULLA_SECRET_ID_TTL = 1 << 1 };
struct bulla_secret_id_args {
	unsigned set;                 /* else the role's own */
	int64_t num_uses, ttl_s;
	const struct bulla_bytes *cidrs, *token_cidrs;
	size_t cidr_count, token_cidr_count;
	struct bulla_bytes metadata;  /* JSON object of strings, or "k=v,k=v"; either may be in base64 */
	struct bulla_bytes custom;    /* the secret id itself; empty: made */
};
struct bulla_secret_id_made {
	struct bulla_bytes secret_id, accessor; /* in the arena */
	int64_t ttl_s, num_uses;      /* ttl_s: cut to what the mount allows */
};
/* NO_ROUTE: there is no such role. INVALID, INVALID_500. */
BULLA_MUST_USE enum bulla_err bulla_secret_id_make(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						   struct bulla_bytes role, const struct bulla_secret_id_args *args,
						   struct bulla_secret_id_made *out);

/* Names a secret id of a role: by itself, or, where secret_id is empty, by its accessor. */
struct bulla_secret_id_ref {
	struct bulla_bytes role, secret_id, accessor;
};
/* NOT_FOUND: the role has no such secret id. BAD_ACCESSOR: the mount has no such accessor. INVALID_500: there is no such role. */
BULLA_MUST_USE enum bulla_err bulla_secret_id_lookup(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						     const struct bulla_secret_id_ref *ref, struct bulla_secret_id *out);
/* By itself, an unknown one is fine. By accessor: INVALID_500, and FORBIDDEN if it belongs to another role. */
BULLA_MUST_USE enum bulla_err bulla_secret_id_destroy(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						      const struct bulla_secret_id_ref *ref);
/* Accessors of the live ones, sorted, in the arena. INVALID: there is no such role. */
BULLA_MUST_USE enum bulla_err bulla_secret_id_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						   struct bulla_bytes role, struct bulla_bytes **accessors, size_t *count);
/* Deletes the secret ids of the mount that have ended. It is done in the background, too (bulla_tick). */
BULLA_MUST_USE enum bulla_err bulla_secret_id_tidy(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount);

/* ---- logging in ---------------------------------------------------------------------------------------------------------- */

/* A use of the secret id is taken in the very commit that makes the token. INVALID: not these two, or not from here;
 * FORBIDDEN: too many failures; FAILED: no role_id. */
BULLA_MUST_USE enum bulla_err bulla_approle_login(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						  struct bulla_bytes role_id, struct bulla_bytes secret_id, struct bulla_auth *out);

BULLA_DECLS_END

#endif
