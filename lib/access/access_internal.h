/* access_internal.h: tokens and policies, for the engine. Public operations: bulla/access.h. */
#ifndef BULLA_ACCESS_INTERNAL_H
#define BULLA_ACCESS_INTERNAL_H

#include "base/parts.h"
#include "bulla/access.h"
#include "seal/barrier.h"
#include "state/follow.h"

BULLA_MUST_USE enum bulla_err access_new(struct store *store, struct seal *seal, int64_t default_ttl_s, int64_t max_ttl_s,
					 struct access **out);
/* After unsealing. */
BULLA_MUST_USE enum bulla_err access_load(struct access *access, struct bulla_call *call);
/* At init: the first root token; *token in the arena. wanted: as in bulla_init_args. */
BULLA_MUST_USE enum bulla_err access_make_root(struct access *access, struct bulla_call *call, struct bulla_bytes wanted,
					       struct bulla_bytes *token);
/* Removes tokens that have ended, a bounded number, and goes on with a tidying. One thread at a time; blocks. Warnings are for the
 * log. SEALED; STORE*, NO_MEMORY: the next call goes on. */
BULLA_MUST_USE enum bulla_err access_tick(struct access *access, struct bulla_call *call);
void access_empty(struct access *access); /* at seal */
/* Adds what another node's changes ask for. INTERNAL. */
BULLA_MUST_USE enum bulla_err access_follow(struct access *access, struct follow *follow);
void access_free(struct access *access);

#endif
