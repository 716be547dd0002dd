/* mounts.h (internal): the mount table, for the engine. Public operations: bulla/mounts.h. */
#ifndef BULLA_MOUNT_MOUNTS_H
#define BULLA_MOUNT_MOUNTS_H

#include "base/parts.h"
#include "bulla/mounts.h"
#include "seal/barrier.h"

BULLA_MUST_USE enum bulla_err mounts_new(struct store *store, struct seal *seal, struct mounts **out);
/* After unsealing: reads the table from the store; the builtin mounts (sys/, auth/token/, cubbyhole/, identity/) are made at
 * the first load. STORE_DAMAGED. */
BULLA_MUST_USE enum bulla_err mounts_load(struct mounts *mounts, struct bulla_call *call);
void mounts_empty(struct mounts *mounts); /* at seal */
void mounts_free(struct mounts *mounts);

#endif
