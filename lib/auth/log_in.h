/* log_in.h: what the methods' logins have in common: the token's path and display name (log_in.c), and keeping out who has failed too often
 * (locked_users.c). Workers only. */
#ifndef BULLA_AUTH_LOG_IN_H
#define BULLA_AUTH_LOG_IN_H

#include "auth/auth.h"
#include "auth/lockout.h"

struct log_in {
	const struct bulla_mount *mount;
	struct bulla_bytes path;       /* below the mount: "login", "login/alice" */
	struct bulla_bytes name;       /* that the display name ends with: "alice"; may be empty */
	struct bulla_bytes login_name; /* role or user: for renewals */
	const struct bulla_token_params *params;
	const struct bulla_pair *meta;
	size_t meta_count;
	const struct store_write *writes;
	size_t write_count;
};

/* access_login, with display_name and path as the peer has them. */
BULLA_MUST_USE enum bulla_err auth_log_in(struct auth *auth, struct bulla_call *call, const struct log_in *args,
					  struct bulla_auth *out);

/* FORBIDDEN: the user is locked out of this mount. STORE_DAMAGED: nobody knows whether he is; errors of record_get. */
BULLA_MUST_USE enum bulla_err auth_check_lockout(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
						 const struct lockout_user *user);
/* Of a login that came out so: BAD_TOKEN counts as a failure of a user that there is, and becomes INVALID, for strangers are not told;
 * BULLA_OK ends the count; anything else says nothing of the user. Returns the outcome that the caller is told. */
BULLA_MUST_USE enum bulla_err auth_note_login(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
					      const struct lockout_user *user, enum bulla_err outcome);

#endif
