/* log_in.h: what the methods' logins have in common: the token's path and display name, and the count of failures. Workers only. */
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

/* FORBIDDEN: the user is locked out of this mount. */
BULLA_MUST_USE enum bulla_err auth_check_lockout(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
						 const struct lockout_user *user);
/* BAD_TOKEN counts as a failure, BULLA_OK ends the count; anything else says nothing of the user. */
void auth_note_login(struct auth *auth, const struct bulla_mount *mount, const struct lockout_user *user, enum bulla_err err);

#endif
