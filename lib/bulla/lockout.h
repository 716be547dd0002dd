/* lockout.h: how often users of userpass and approle mounts may fail to log in, and who has failed too often. The failures are each node's
 * own, and forgotten at seal; who has been locked out by them is so on all nodes of a store, and after a restart. */
#ifndef BULLA_LOCKOUT_H
#define BULLA_LOCKOUT_H

#include "mounts.h"

BULLA_DECLS_BEGIN

/* threshold failures, none longer than reset_s after the one before, lock a user out for duration_s. */
struct bulla_lockout_rule {
	int64_t threshold, duration_s, reset_s;
	bool disabled;
};
/* The peer's: 5 failures, 15 minutes, 15 minutes. */
#define BULLA_LOCKOUT_DEFAULT { .threshold = 5, .duration_s = 900, .reset_s = 900 }

struct bulla_locked_user {
	struct bulla_bytes mount_accessor, name;
};

/* Sets the rule of mounts of this kind (userpass, approle; others have none). Once, after bulla_open. */
void bulla_lockout_set(struct bulla *engine, enum bulla_mount_kind kind, const struct bulla_lockout_rule *rule);

/* Who is locked out now, sorted by mount and name; of one mount unless mount_accessor is empty. In the arena. MUST_BLOCK, STORE*, SEALED,
 * NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_lockout_list(struct bulla *engine, struct bulla_call *call, struct bulla_bytes mount_accessor,
						 struct bulla_locked_user **users, size_t *count);

/* Lets a user try again. Unknown ones are fine. MUST_BLOCK, STORE*, SEALED, NO_MEMORY: he may still be locked out. */
BULLA_MUST_USE enum bulla_err bulla_lockout_unlock(struct bulla *engine, struct bulla_call *call, struct bulla_bytes mount_accessor,
						   struct bulla_bytes name);

BULLA_DECLS_END

#endif
