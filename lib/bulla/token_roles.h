/* token_roles.h: roles of auth/token: what tokens their callers may make through them, beyond what they could make by themselves. */
#ifndef BULLA_TOKEN_ROLES_H
#define BULLA_TOKEN_ROLES_H

#include "access.h"

BULLA_DECLS_BEGIN

struct bulla_names {
	const struct bulla_bytes *items;
	size_t count;
};

/* The members whose names begin with old_ are what the peer's older parameters without "token_" were last set to: they are only
 * shown. The values that count are the others. */
struct bulla_token_role {
	struct bulla_names allowed_policies, allowed_globs, disallowed_policies, disallowed_globs; /* lower case, sorted */
	struct bulla_names entity_aliases; /* lower case, sorted; allow nothing here: there are no entities */
	bool entity_aliases_null;          /* never given */
	struct bulla_names bound_cidrs, old_bound_cidrs;
	int64_t period_s, explicit_max_ttl_s, num_uses, old_period_s, old_explicit_max_ttl_s;
	bool orphan, renewable, no_default_policy;
	struct bulla_bytes path_suffix;
	struct bulla_bytes type; /* "default-service", "default-batch", "service", "batch" */
};

/* Which of a request's parameters were given. */
enum bulla_token_role_set {
	BULLA_TOKEN_ROLE_ALLOWED = 1 << 0, BULLA_TOKEN_ROLE_ALLOWED_GLOBS = 1 << 1, BULLA_TOKEN_ROLE_DISALLOWED = 1 << 2,
	BULLA_TOKEN_ROLE_DISALLOWED_GLOBS = 1 << 3, BULLA_TOKEN_ROLE_ALIASES = 1 << 4, BULLA_TOKEN_ROLE_CIDRS = 1 << 5,
	BULLA_TOKEN_ROLE_OLD_CIDRS = 1 << 6, BULLA_TOKEN_ROLE_PERIOD = 1 << 7, BULLA_TOKEN_ROLE_OLD_PERIOD = 1 << 8,
	BULLA_TOKEN_ROLE_MAX_TTL = 1 << 9, BULLA_TOKEN_ROLE_OLD_MAX_TTL = 1 << 10, BULLA_TOKEN_ROLE_USES = 1 << 11,
	BULLA_TOKEN_ROLE_ORPHAN = 1 << 12, BULLA_TOKEN_ROLE_RENEWABLE = 1 << 13, BULLA_TOKEN_ROLE_NO_DEFAULT = 1 << 14,
	BULLA_TOKEN_ROLE_SUFFIX = 1 << 15, BULLA_TOKEN_ROLE_TYPE = 1 << 16,
};
struct bulla_token_role_change {
	unsigned set;
	struct bulla_token_role values; /* only the members that set names; old_ ones as they were given */
};

/* All below block. Names are as they came: case counts. */

/* Makes a role or changes one: what is not set stays, or has the peer's default. Warnings as the peer's. INVALID with its texts;
 * CONFLICT: it was changed by others all the time. */
BULLA_MUST_USE enum bulla_err bulla_token_role_put(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name,
						   const struct bulla_token_role_change *change);
/* In the arena. NOT_FOUND. */
BULLA_MUST_USE enum bulla_err bulla_token_role_get(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name,
						   struct bulla_token_role *out);
/* Tokens that it made live on, but are not renewed. Unknown: BULLA_OK. */
BULLA_MUST_USE enum bulla_err bulla_token_role_delete(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name);
/* Sorted, in the arena. */
BULLA_MUST_USE enum bulla_err bulla_token_role_list(struct bulla *engine, struct bulla_call *call, struct bulla_bytes **names,
						    size_t *count);

BULLA_DECLS_END

#endif
