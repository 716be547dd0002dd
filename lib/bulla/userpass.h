/* userpass.h: users of a userpass mount, and logging in by password. Names are lower case; a name given otherwise means the same
 * user. Everything here blocks, and what hashes a password computes for long (BULLA_WORK_CPU). Errors are the peer's, with its texts. */
#ifndef BULLA_USERPASS_H
#define BULLA_USERPASS_H

#include "mounts.h"
#include "token_params.h"

BULLA_DECLS_BEGIN

struct bulla_user_change {
	struct bulla_role_params_change token;
	struct bulla_bytes password;      /* empty: not given */
	struct bulla_bytes password_hash; /* the same as a bcrypt hash that another server made */
	bool field;                       /* asked for by the endpoint of the password or of the policies: the user must exist, and
					     policies are cleaned */
};

/* In the arena. NOT_FOUND. */
BULLA_MUST_USE enum bulla_err bulla_user_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					      struct bulla_bytes name, struct bulla_role_params *out);
/* Creates or changes. INVALID; INVALID_500: field, and there is no such user. */
BULLA_MUST_USE enum bulla_err bulla_user_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					       struct bulla_bytes name, const struct bulla_user_change *change);
/* An unknown one is fine. */
BULLA_MUST_USE enum bulla_err bulla_user_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						struct bulla_bytes name);
/* Sorted, in the arena. */
BULLA_MUST_USE enum bulla_err bulla_user_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					      struct bulla_bytes **names, size_t *count);

/* INVALID: not this user with this password, which takes the same time for an unknown user; FORBIDDEN: too many failures, or not
 * from here; FAILED: no password. */
BULLA_MUST_USE enum bulla_err bulla_user_login(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					       struct bulla_bytes name, struct bulla_bytes password, struct bulla_auth *out);

BULLA_DECLS_END

#endif
