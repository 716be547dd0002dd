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
#include "state/follow.h"
#include "store/store.h"

/* engine_root.c's. */
struct root_attempt {
	pthread_mutex_t lock; /* of all of it; held while the token is written */
	uint8_t *otp;         /* secret memory; NULL: none is under way */
	char nonce[37];
};

/* engine_clock.c's. */
struct engine_clock {
	pthread_mutex_t lock;
	bool from_wall;       /* as configured: the first time, the clock is the system's whatever was kept */
	bool known;           /* it was read: kept_ns and revision are the store's */
	int64_t opened_ns;    /* when the store was opened, by bulla_elapsed_ns */
	int64_t kept_ns;      /* 0: none */
	uint64_t revision, batches; /* batches: of the store, when it was kept */
};

struct engine {
	struct bulla parts;   /* first: all that other layers see */
	struct root_attempt root;
	struct engine_clock clock;
	struct follow follow;
	bool follows;         /* it has been set up */
	pthread_mutex_t lock; /* one change of the seal's state at a time: init, unseal, seal */
	bool sealing;         /* a thread of its own does it (engine_seal.c); changes are refused until it is done */
	pthread_cond_t sealed; /* with lock: it is done */
	pthread_t sealer;      /* that thread */
	bool to_join;          /* it has not been joined */
	const char *version, *build_date; /* as configured; "": none */
	void (*log)(void *context, const char *level, const char *text); /* as configured; may be NULL */
	void *log_context;
};

/* bulla_open on a store that is open already, and the engine's from now on, also if this fails. */
BULLA_MUST_USE enum bulla_err engine_open_on(const struct bulla_config *config, struct store *store, struct bulla_call *call,
					     struct bulla **out);

/* After seal_close: forgets what all parts hold of it, and then the keys. */
void engine_empty(struct bulla *engine);

/* Waits until a sealing that is under way is done. */
void engine_seal_finish(struct engine *engine);

/* Keeps that this version has opened the store, and when, unless it is kept. What goes wrong is told in the log. Blocks. */
void engine_versions_note(struct bulla *engine, struct bulla_call *call);

static inline struct engine *engine_of(struct bulla *bulla)
{
	return (struct engine *)(void *)bulla;
}

/* engine_follow.c: once all parts are there; ended whether that succeeded or not. NO_MEMORY, INTERNAL. */
BULLA_MUST_USE enum bulla_err engine_follow_init(struct engine *engine);
void engine_follow_end(struct engine *engine);
/* Follows what other nodes have changed. Errors of follow_run; blocks. */
BULLA_MUST_USE enum bulla_err engine_follow(struct bulla *engine, struct bulla_call *call);

/* Destroys what a disabled mount has left, if a crash came between. Blocks. */
BULLA_MUST_USE enum bulla_err engine_finish_disabling(struct bulla *engine, struct bulla_call *call);

/* After the barrier is open, before anything else is loaded: the clock goes on where the store is. Only the first time in a process it
 * may be set anywhere; later only forward. STORE*, NO_MEMORY. Blocks. */
BULLA_MUST_USE enum bulla_err engine_clock_resume(struct bulla *engine, struct bulla_call *call);
/* Writes how far it has come, if that is due or at_once. SEALED, STORE*, NO_MEMORY. Blocks. */
BULLA_MUST_USE enum bulla_err engine_clock_keep(struct bulla *engine, struct bulla_call *call, bool at_once);

#endif
