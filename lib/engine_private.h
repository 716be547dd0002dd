/* engine_private.h: what lib/engine*.c share. Nobody else includes it. */
#ifndef BULLA_ENGINE_PRIVATE_H
#define BULLA_ENGINE_PRIVATE_H

#include <pthread.h>

#include "access/access_internal.h"
#include "audit/audit_internal.h"
#include "auth/auth.h"
#include "base/parts.h"
#include "bulla/engine.h"
#include "keyring/keyring.h"
#include "mount/mounts.h"
#include "seal/seal.h"
#include "store/store.h"

/* engine_root.c's. */
struct root_attempt {
	pthread_mutex_t lock; /* of all of it; held while the token is written */
	uint8_t *otp;         /* secret memory; NULL: none is under way */
	char nonce[37];
};

struct engine {
	struct bulla parts;   /* first: all that other layers see */
	struct root_attempt root;
	pthread_mutex_t lock; /* one change of the seal's state at a time: init, unseal, seal */
};

static inline struct engine *engine_of(struct bulla *bulla)
{
	return (struct engine *)(void *)bulla;
}

/* Destroys what a disabled mount has left, if a crash came between. Blocks. */
BULLA_MUST_USE enum bulla_err engine_finish_disabling(struct bulla *engine, struct bulla_call *call);

#endif
