/* auth.h: the auth methods' settings and logins, for the engine and for the methods' own files. What callers of the library see
 * is in bulla/. */
#ifndef BULLA_AUTH_AUTH_H
#define BULLA_AUTH_AUTH_H

#include "access/login.h"
#include "auth/lockout.h"
#include "auth/stripes.h"
#include "base/parts.h"
#include "bulla/fetch.h"
#include "bulla/mounts.h"
#include "state/follow.h"
#include "state/records.h"

/* Shared by the methods. access is borrowed; the rules are set before anybody logs in. */
struct auth {
	struct records records;  /* users, roles, settings: what a login reads of them is kept in memory */
	struct access *access;
	bulla_fetch *fetch;        /* how documents are got from elsewhere; NULL: nothing is */
	void *fetch_context;
	struct jwt_sets *jwt_sets; /* owned: key sets that were fetched */
	struct stripes names;    /* of roles and users: who changes one keeps others from it */
	struct approle_filing *filing; /* owned: of secret ids that versions before have left */
	struct lockout *lockout; /* failures to log in */
	_Atomic uint64_t lockouts, lockouts_over; /* that there may be: none, while these are the same (locked_users.c) */
	struct bulla_lockout_rule userpass_rule, approle_rule;
};

/* One row a method, in its own file. A slot that a method has no use for is NULL. */
struct auth_method {
	enum bulla_mount_kind kind;
	/* kinds of its documents (seal/documents.h), scoped by the mount's uuid: they go when the mount is disabled; ends with NULL */
	const char *const *documents;
	/* As access_renewer: what a token that login_name of this mount got may be renewed with now. */
	enum bulla_err (*renew)(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
				const struct bulla_token *token, struct bulla_token_params *params);
	/* Before those documents: deletes others of the mount. May be repeated after a crash. */
	enum bulla_err (*destroy)(struct auth *auth, struct bulla_call *call, const uint8_t uuid[16]);
	/* After unsealing, and at seal, when no call is under way: for what a method keeps in memory. */
	enum bulla_err (*load)(struct auth *auth, struct bulla_call *call);
	void (*empty)(struct auth *auth);
};

BULLA_MUST_USE enum bulla_err auth_new(struct store *store, struct seal *seal, struct access *access, struct auth **out);
void auth_free(struct auth *auth); /* NULL is fine */
BULLA_MUST_USE enum bulla_err auth_load(struct auth *auth, struct bulla_call *call); /* after unsealing */
void auth_empty(struct auth *auth); /* at seal */
/* Adds what another node's changes ask for. INTERNAL. */
BULLA_MUST_USE enum bulla_err auth_follow(struct auth *auth, struct follow *follow);
/* What is due by time: removes what has ended. By one thread at a time. */
BULLA_MUST_USE enum bulla_err auth_tick(struct bulla *engine, struct bulla_call *call);
/* The access_renewer (access/login.h) of all methods; context is the struct auth. NOT_FOUND: the role or user is gone. */
BULLA_MUST_USE enum bulla_err auth_renew(void *context, struct bulla_call *call, const struct bulla_mount *mount,
					 const struct bulla_token *token, struct bulla_token_params *params);
/* Deletes all documents of a mount. May be repeated after a crash. Blocks. */
BULLA_MUST_USE enum bulla_err auth_destroy_mount(struct auth *auth, struct bulla_call *call, const uint8_t uuid[16]);

/* The most time a token of the mount can get. */
int64_t auth_max_ttl_s(const struct bulla *engine, const struct bulla_mount *mount);

extern const struct auth_method approle_method, userpass_method;
extern const struct record_kind approle_secrets, locked_users;
/* At seal: nobody knows who is locked out. */
void locked_users_forget(struct auth *auth);
/* Looks whether anybody is still locked out. Errors of record_each. Blocks. */
BULLA_MUST_USE enum bulla_err locked_users_tick(struct auth *auth, struct bulla_call *call);
/* Files secret ids that were made by versions that did not, a part at a time, until all are. Blocks. */
BULLA_MUST_USE enum bulla_err approle_tick(struct bulla *engine, struct bulla_call *call);
BULLA_MUST_USE enum bulla_err approle_filing_new(struct approle_filing **out); /* NO_MEMORY */
void approle_filing_free(struct approle_filing *filing); /* NULL is fine */
void approle_filing_forget(struct approle_filing *filing); /* at seal */

#endif
