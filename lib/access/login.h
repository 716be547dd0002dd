/* login.h: how an auth method turns a proof of identity into a token. Workers only. */
#ifndef BULLA_ACCESS_LOGIN_H
#define BULLA_ACCESS_LOGIN_H

#include "access/access_internal.h"
#include "bulla/mounts.h"

#define LOGIN_MAX_WRITES 4

struct access_login {
	const struct bulla_mount *mount;    /* its times bound the token's */
	struct bulla_bytes path;            /* "auth/approle/login": where the token came from, and by what it is revoked */
	struct bulla_bytes display_name;    /* whole, as the peer prints it: "approle", "userpass-alice" */
	struct bulla_bytes login_name;      /* role or user: given to the renewer */
	const struct bulla_token_params *params;
	const struct bulla_pair *meta;
	size_t meta_count;
	/* committed with the token, or the login fails (CONFLICT: one of them did): a use of a secret id that is taken */
	const struct store_write *writes;
	size_t write_count;                 /* at most LOGIN_MAX_WRITES */
};

/* A token without a parent, of the params' type (batch tokens write nothing but writes). *out as of bulla_token_create.
 * DENIED: call->remote_ip is not within bound_cidrs. INVALID with the peer's texts. */
BULLA_MUST_USE enum bulla_err access_login(struct access *access, struct bulla_call *call, const struct access_login *login,
					   struct bulla_auth *out);

/* What token (of a login on mount) may be renewed with now: the present params of its role or user, in the arena. An error
 * refuses the renewal: the role is gone. Its text then stands behind "failed to renew entry: ", with status 500, as at the peer,
 * unless it is a fault or one to try again. Set once, by the engine, at open. Called with a stripe of tokens held: it must not
 * come back for tokens. */
typedef enum bulla_err access_renewer(void *context, struct bulla_call *call, const struct bulla_mount *mount,
				      const struct bulla_token *token, struct bulla_token_params *params);
void access_set_renewer(struct access *access, access_renewer *renewer, void *context);

/* Revokes every service token whose path is prefix or lies below it ("auth/approle" and "auth/approle/": all that came from
 * there), with their children. May be repeated after a crash. Takes as long as there are tokens, of any path. Batch tokens live
 * on to their end. Blocks: MUST_BLOCK, SEALED, STORE*, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err access_revoke_prefix(struct access *access, struct bulla_call *call, struct bulla_bytes prefix);

/* Whether ip is within one of the CIDRs (or equal to one that is a plain address); with no CIDRs: yes. An empty ip is in none. */
bool access_cidrs_match(const struct bulla_bytes *cidrs, size_t count, struct bulla_bytes ip);
/* INVALID: text is neither an address nor a CIDR block (RFC 4632, RFC 4291). */
BULLA_MUST_USE enum bulla_err access_cidr_check(struct bulla_call *call, struct bulla_bytes text);
/* The same, and how the peer prints it, in the arena: "10.0.0.1" for "10.0.0.1/32", "2001:db8::1" for "2001:DB8:0:0::1". */
BULLA_MUST_USE enum bulla_err access_cidr_print(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out);

/* Whether all of the block inner (or the one address) lies in outer. false, too, where one of them is neither. */
bool access_cidr_within(struct bulla_bytes inner, struct bulla_bytes outer);

#endif
