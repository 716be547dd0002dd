/* lockout.h: who failed to log in, and how often of late. In memory only, and bounded: the one who failed longest ago is forgotten first.
 * What comes of too many failures is in locked_users.c. Thread-safe; never blocks. */
#ifndef BULLA_AUTH_LOCKOUT_H
#define BULLA_AUTH_LOCKOUT_H

#include "bulla/lockout.h"

#define LOCKOUT_MAX_USERS 10000
#define LOCKOUT_MAX_NAME 512 /* longer names are not counted: no user has one */

struct lockout;

/* A user of a mount; both borrowed. */
struct lockout_user {
	struct bulla_bytes mount; /* its accessor */
	struct bulla_bytes name;
};

/* NO_MEMORY, NO_RANDOM. */
BULLA_MUST_USE enum bulla_err lockout_new(struct lockout **out);
void lockout_free(struct lockout *lockout); /* NULL is fine */
void lockout_empty(struct lockout *lockout);

/* Whether the user may not even try. */
bool lockout_is_locked(struct lockout *lockout, const struct bulla_lockout_rule *rule, const struct lockout_user *user, int64_t now_ns);
/* One more failure; true: too many now. For lack of memory it may not be counted. */
bool lockout_fail(struct lockout *lockout, const struct bulla_lockout_rule *rule, const struct lockout_user *user, int64_t now_ns);
/* A success, or somebody lets the user in again. */
void lockout_forget(struct lockout *lockout, const struct lockout_user *user);

/* Who is locked now, by the rule of the last failure; in the arena, in no order; mount empty: of all. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err lockout_list(struct lockout *lockout, struct bulla_call *call, struct bulla_bytes mount, int64_t now_ns,
					   struct bulla_locked_user **out, size_t *count);

#endif
