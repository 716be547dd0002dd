/* access.h: who calls, and whether they may. */
#ifndef BULLA_ACCESS_H
#define BULLA_ACCESS_H

#include "call.h"

BULLA_DECLS_BEGIN

struct bulla;
struct bulla_pair;
struct bulla_json; /* a request's document, of the program's own reader */

enum bulla_token_type { BULLA_TOKEN_SERVICE, BULLA_TOKEN_BATCH };

/* An authenticated caller: an immutable snapshot with a counted reference. */
struct bulla_token {
	struct bulla_bytes accessor, display_name, path; /* path: "auth/token/create" */
	const struct bulla_bytes *policies; /* sorted */
	size_t policy_count;
	const struct bulla_pair *meta;
	size_t meta_count;
	bool meta_null; /* never given: printed as null */
	int64_t created_date_ns;           /* to be shown; what its end counts from are points of the clock: */
	int64_t issued_ns, last_renewal_ns; /* last_renewal_ns 0: never renewed */
	int64_t creation_ttl_s, ttl_s, period_s, explicit_max_ttl_s; /* ttl_s counts from the last renewal or issue; 0: no end */
	int32_t num_uses;       /* 0: unlimited; else how many are left after this one; -1: this was the last */
	bool orphan, renewable, root;
	enum bulla_token_type type;
	const struct bulla_bytes *bound_cidrs; /* "10.0.0.0/8": it is good from there only; none: from anywhere */
	size_t bound_cidr_count;
	struct bulla_bytes role;       /* of auth/token/roles it was made with; else empty */
	struct bulla_bytes login_name; /* the role or user that an auth method made it for: for renewals; else empty */
};

/* Finds the caller of a token as it came in the header, takes one use of it, and sets call->token (release with
 * bulla_token_put). NO_TOKEN: missing, unknown, expired, used up; FORBIDDEN: it is bound to other addresses than
 * call->remote_ip. MUST_BLOCK, SEALED. */
BULLA_MUST_USE enum bulla_err bulla_authenticate(struct bulla *engine, struct bulla_call *call, struct bulla_bytes token);
void bulla_token_put(const struct bulla_token *token); /* NULL is fine */
/* call->family of a token that was used lately and is good; 0: it is not known. Neither takes a use nor blocks. */
uint64_t bulla_token_family(struct bulla *engine, struct bulla_bytes token);

/* Seconds that are left; 0: no end. */
int64_t bulla_token_ttl_s(const struct bulla_token *token);
/* Its end as a date, as of now: a step of the system's clock moves it along. 0: no end. */
int64_t bulla_token_end_date_ns(const struct bulla_token *token);
/* Whether leases know of it. Of a root token that came with init or from the shares they do not: whether it may be renewed is not said. */
bool bulla_token_is_registered(const struct bulla_token *token);
/* When its lease began, as a date: a moment after the token was made, so that the end less this is short of its ttl, as it is with the
 * peer; clients that cut that to whole seconds expect it. Of a token without a lease: when it was made. */
int64_t bulla_token_issue_date_ns(const struct bulla_token *token);

enum bulla_capability {
	BULLA_CAN_DENY = 1 << 0, BULLA_CAN_CREATE = 1 << 1, BULLA_CAN_READ = 1 << 2, BULLA_CAN_UPDATE = 1 << 3,
	BULLA_CAN_DELETE = 1 << 4, BULLA_CAN_LIST = 1 << 5, BULLA_CAN_SUDO = 1 << 6, BULLA_CAN_PATCH = 1 << 7,
	BULLA_CAN_SCAN = 1 << 8, BULLA_CAN_ROOT = 1 << 9,
};

/* What token may do on path (below /v1/, without a namespace): a set of enum bulla_capability; 0: no memory. Never blocks. */
unsigned bulla_capabilities(struct bulla *engine, const struct bulla_token *token, struct bulla_bytes path);

/* Whether the caller may do anything at all somewhere below the mount at path: then it may know of it. BULLA_OK, DENIED, NO_MEMORY.
 * Never blocks. */
BULLA_MUST_USE enum bulla_err bulla_may_reach(struct bulla *engine, const struct bulla_token *token, struct bulla_bytes mount_path);

/* What a request needs. */
struct bulla_ask {
	enum bulla_capability need;
	bool need_sudo;
	bool takes_context;     /* the operation binds an encryption_context, which transit checks against call->grant */
	struct bulla_bytes path;
	const struct bulla_json *doc; /* its parameters, for allowed_parameters and their like; NULL: none */
	int64_t wrap_ttl_s;     /* that it asked for; 0: no wrapping */
};
/* DENIED unless the caller may do it. Else call->grant has the conditions that are checked later, to be given back with
 * bulla_grant_put. Never blocks. */
BULLA_MUST_USE enum bulla_err bulla_authorise(struct bulla *engine, struct bulla_call *call, const struct bulla_ask *ask);
/* The names of those of the caller's policies that grant need on path, in the arena, at most room; *count is how many. Never blocks.
 * NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_granting_policies(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
						      enum bulla_capability need, struct bulla_bytes *names, size_t room, size_t *count);
void bulla_grant_put(const struct bulla_grant *grant); /* NULL is fine */
/* How many names the policies let a list hold (pagination_limit), at most what was asked for; 0: they do not care. NULL is fine. */
int64_t bulla_grant_page_limit(const struct bulla_grant *grant);

/* Takes items from all budgets of call->grant, or from none: once a call, however often it is run. BUDGET, with
 * call->retry_after_s; INVALID: more than a budget ever has; MUST_BLOCK: a block of a day's budget has to be made durable. */
BULLA_MUST_USE enum bulla_err bulla_take_items(struct bulla *engine, struct bulla_call *call, size_t items);

struct bulla_token_create_args {
	struct bulla_bytes id;           /* wanted by root only; else made */
	const struct bulla_bytes *policies;
	size_t policy_count;
	bool policies_set;
	struct bulla_bytes display_name; /* gets the prefix "token-" */
	const struct bulla_pair *meta;
	size_t meta_count;
	bool meta_set;
	int64_t ttl_s, period_s, explicit_max_ttl_s;
	int64_t num_uses;
	bool no_parent, no_default_policy, renewable;
	bool orphan;                     /* asked for by the endpoint: needs no sudo, as no_parent does */
	struct bulla_bytes path;         /* the endpoint: "auth/token/create" */
	struct bulla_bytes type;         /* "", "service", "batch" */
	struct bulla_bytes entity_alias; /* refused: there are no entities */
	struct bulla_bytes role;         /* of auth/token/roles; empty: none */
	bool ttl_as_lease;               /* ttl_s was given by the older name, which messages then use */
};

/* What roles and users of all auth methods say of the tokens that a login makes: the peer's token_* parameters. */
struct bulla_token_params {
	const struct bulla_bytes *policies, *bound_cidrs;
	size_t policy_count, bound_cidr_count;
	int64_t ttl_s, max_ttl_s, period_s, explicit_max_ttl_s, num_uses;
	bool no_default_policy, strictly_bind_ip;
	struct bulla_bytes type;         /* "", "default", "service", "batch", "default-service", "default-batch" */
};

/* What a login or a renewal answers with: the reply's "auth". In the arena. */
struct bulla_auth {
	struct bulla_bytes client_token; /* "" where only the accessor was given */
	const struct bulla_token *token; /* to be put back */
	int64_t lease_s;
};
/* Errors: the peer's (DENIED, INVALID with its texts). All below block. */
BULLA_MUST_USE enum bulla_err bulla_token_create(struct bulla *engine, struct bulla_call *call,
						 const struct bulla_token_create_args *args, struct bulla_auth *out);
/* By the token itself or by accessor; *out to be put back. Takes no use. BAD_TOKEN; for accessors BAD_ACCESSOR. */
BULLA_MUST_USE enum bulla_err bulla_token_lookup(struct bulla *engine, struct bulla_call *call, struct bulla_bytes token,
						 const struct bulla_token **out);
BULLA_MUST_USE enum bulla_err bulla_token_lookup_accessor(struct bulla *engine, struct bulla_call *call,
							  struct bulla_bytes accessor, const struct bulla_token **out);
BULLA_MUST_USE enum bulla_err bulla_token_renew(struct bulla *engine, struct bulla_call *call, struct bulla_bytes token,
						int64_t increment_s, struct bulla_auth *out);
BULLA_MUST_USE enum bulla_err bulla_token_renew_accessor(struct bulla *engine, struct bulla_call *call,
							 struct bulla_bytes accessor, int64_t increment_s, struct bulla_auth *out);
/* The token and its children. Unknown: BULLA_OK, as at the peer. */
BULLA_MUST_USE enum bulla_err bulla_token_revoke(struct bulla *engine, struct bulla_call *call, struct bulla_bytes token);
/* The caller's own. */
BULLA_MUST_USE enum bulla_err bulla_token_revoke_self(struct bulla *engine, struct bulla_call *call);
/* Its children live on as orphans. INVALID: unknown, or the caller has no sudo. */
BULLA_MUST_USE enum bulla_err bulla_token_revoke_orphan(struct bulla *engine, struct bulla_call *call, struct bulla_bytes token);
/* Unknown: BULLA_OK with a warning. */
BULLA_MUST_USE enum bulla_err bulla_token_revoke_accessor(struct bulla *engine, struct bulla_call *call, struct bulla_bytes accessor);
/* Has bulla_tick look through all tokens, for such as should be gone; at once or while it is being done already: *begun. */
void bulla_token_tidy(struct bulla *engine, bool *begun);
/* How many tokens are stored: all but batch tokens; those that have ended until they are removed, a minute later at most. Blocks, for
 * some 400 ms a million, in slices: others go by. */
BULLA_MUST_USE enum bulla_err bulla_token_count(struct bulla *engine, struct bulla_call *call, uint64_t *out);
/* Accessors of all live tokens, sorted; in the arena. */
BULLA_MUST_USE enum bulla_err bulla_token_accessors(struct bulla *engine, struct bulla_call *call,
						    struct bulla_bytes **list, size_t *count);

/* What a lease gets where nobody says otherwise, and its most. */
void bulla_lease_defaults(const struct bulla *engine, int64_t *default_ttl_s, int64_t *max_ttl_s);

/* Whether ip ("10.1.2.3", "::1") lies within one of the CIDRs (or is one that is a plain address); an empty ip in none. */
bool bulla_cidrs_match(const struct bulla_bytes *cidrs, size_t count, struct bulla_bytes ip);
bool bulla_ip_is_valid(struct bulla_bytes ip);
/* INVALID: neither an address nor a CIDR block. */
BULLA_MUST_USE enum bulla_err bulla_cidr_check(struct bulla_call *call, struct bulla_bytes text);

/* As the peer prints durations: "768h", "1h30m", "45s", "1h0m1s". out has room for BULLA_DURATION_TEXT; NUL-terminated. */
#define BULLA_DURATION_TEXT 40
void bulla_duration_print(int64_t seconds, char out[BULLA_DURATION_TEXT]);

BULLA_DECLS_END

#endif
