/* mounts.h (internal): the mount table, for the engine. Public operations: bulla/mounts.h. */
#ifndef BULLA_MOUNT_MOUNTS_H
#define BULLA_MOUNT_MOUNTS_H

#include "base/parts.h"
#include "bulla/mounts.h"
#include "seal/barrier.h"
#include "state/follow.h"

BULLA_MUST_USE enum bulla_err mounts_new(struct store *store, struct seal *seal, struct mounts **out);
/* After unsealing: reads the table from the store; the builtin mounts (sys/, auth/token/, cubbyhole/, identity/) are made at
 * the first load. STORE_DAMAGED. */
BULLA_MUST_USE enum bulla_err mounts_load(struct mounts *mounts, struct bulla_call *call);
void mounts_empty(struct mounts *mounts); /* at seal */
/* Has the table read anew when another node has changed it. INTERNAL. */
BULLA_MUST_USE enum bulla_err mounts_follow(struct mounts *mounts, struct follow *follow);
void mounts_free(struct mounts *mounts);

/* bulla_mount_move's share; *from becomes the path as it is stored, *is_auth whether an auth method moved. */
BULLA_MUST_USE enum bulla_err mounts_move(struct mounts *mounts, struct bulla_call *call, struct bulla_bytes *from,
					  struct bulla_bytes to, char id[37], bool *is_auth);

/* Disabling has three steps, because a mount's keys belong to a higher layer:
 *   retire  moves the record to those of the dying (durably), takes the mount out of the table, and returns when nobody holds it any more;
 *   [the engine destroys what belongs to uuid: keys, tokens, settings]
 *   forget  deletes the record.
 * A crash in between leaves a dying record: mounts_dying names it after the next load, and the engine goes on from there.
 * retire: *found false: there is no such mount, which is fine. INVALID: builtin. */
struct mount_gone {
	uint8_t uuid[16];
	enum bulla_mount_kind kind;
	struct bulla_bytes path; /* in the arena */
};
BULLA_MUST_USE enum bulla_err mounts_retire(struct mounts *mounts, struct bulla_call *call, struct bulla_bytes path,
					    bool *found, struct mount_gone *gone);
BULLA_MUST_USE enum bulla_err mounts_forget(struct mounts *mounts, struct bulla_call *call, const uint8_t uuid[16]);
/* *found false: none is dying. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err mounts_dying(struct mounts *mounts, struct bulla_call *call, bool *found, struct mount_gone *gone);
/* That the mount is there and no node disables it, for the batch that makes something in it. */
BULLA_MUST_USE enum bulla_err mount_check(struct seal *seal, const uint8_t uuid[16], struct store_write *out);
/* The path of the auth method of that name, in the arena. INVALID. */
BULLA_MUST_USE enum bulla_err mounts_auth_path(struct bulla_call *call, struct bulla_bytes name, struct bulla_bytes *path);
bool mounts_kind_is_method(enum bulla_mount_kind kind); /* an auth method that can be enabled */
bool mounts_kind_is_engine(enum bulla_mount_kind kind); /* a secrets engine that can be */

#endif
