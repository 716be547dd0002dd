/* engine_seal.c: initialising, unsealing and sealing, over all parts in their order. Changes of state are made one at a time;
 * the questions may be asked by any thread. */
#define _GNU_SOURCE /* pthread_cond_clockwait */
#include "engine_private.h"

#include <errno.h>
#include <stdio.h>

#include "base/rcu.h"
#include "bulla/clock.h"
#include "bulla/root_token.h"

#define CHANGE_KEY 2  /* among those of BULLA_WORK_REMOTE: changes of state wait for each other */
#define SEAL_WAIT_S 2 /* for requests that are under way, and devices' last lines */

/* With engine->lock. Whether a sealing that is under way is done by then. */
static bool wait_sealed(struct engine *engine, int seconds)
{
	const struct timespec until = bulla_until(seconds * INT64_C(1000000000));

	while (engine->sealing)
		if (pthread_cond_clockwait(&engine->sealed, &engine->lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT)
			break;
	return !engine->sealing;
}

static enum bulla_err lock_unless_sealing(struct engine *e, struct bulla_call *call, int seconds)
{
	pthread_mutex_lock(&e->lock);
	if (wait_sealed(e, seconds))
		return BULLA_OK;
	pthread_mutex_unlock(&e->lock);
	return bulla_fail(call, BULLA_E_BUSY, "the server is still being sealed: its storage does not answer");
}

/* Not for the disk: sealing does not wait for one that does not answer. */
static enum bulla_err change_begin(struct bulla *engine, struct bulla_call *call)
{
	TRY(bulla_work_remote(call, CHANGE_KEY));
	return lock_unless_sealing(engine_of(engine), call, SEAL_WAIT_S);
}

/* What needs the disk has its turn before the lock: nobody who wants to seal waits behind one that waits for the disk. */
static enum bulla_err change_begin_on_disk(struct bulla *engine, struct bulla_call *call)
{
	struct engine *e = engine_of(engine);

	TRY(change_begin(engine, call));
	pthread_mutex_unlock(&e->lock);
	TRY(bulla_work(call, BULLA_WORK_DISK));
	return lock_unless_sealing(e, call, 0);
}

static enum bulla_err change_end(struct bulla *engine, enum bulla_err err)
{
	pthread_mutex_unlock(&engine_of(engine)->lock);
	return err;
}

/* ---- seal ------------------------------------------------------------------ */

static enum bulla_err seal(struct bulla *engine)
{
	audit_close(engine->audit); /* while the store can still be told how far each device came */
	enum bulla_err err = seal_close(engine->seal);

	bulla_root_cancel(engine);
	engine_empty(engine);
	return err;
}

static void *seal_apart(void *context)
{
	struct engine *engine = context;

	(void)seal(&engine->parts); /* it was open; whoever asked has seen to that */
	pthread_mutex_lock(&engine->lock);
	engine->sealing = false;
	pthread_cond_broadcast(&engine->sealed);
	pthread_mutex_unlock(&engine->lock);
	return NULL;
}

/* Some request does not end, for it waits for a disk that does not answer. What it holds goes with it; all other keys go now. */
static void wipe_keys(struct engine *engine)
{
	bool wiped = seal_wipe(engine->parts.seal);

	keyring_wipe(engine->parts.keyring);
	if (engine->log != NULL)
		engine->log(engine->log_context, "error", wiped ?
			    "sealed, while writes are under way that do not end: the keys are wiped but for what these writes hold" :
			    "sealed, while a change of the barrier's keys is being written that does not end: they are wiped with it");
}

/* With engine->lock, and no sealing under way: that thread is past the lock. Left alone, it could still be in OpenSSL's destructors when the
 * process ends. */
static void join_sealer(struct engine *engine)
{
	if (engine->to_join)
		(void)pthread_join(engine->sealer, NULL);
	engine->to_join = false;
}

/* By a thread of its own: whoever asked is answered, and nobody else is let in, even if some request does not end. */
static enum bulla_err start_sealing(struct engine *engine)
{
	if (seal_is_sealed(engine->parts.seal))
		return BULLA_E_SEALED;
	join_sealer(engine);
	seal_refuse(engine->parts.seal);
	engine->sealing = true;
	if (pthread_create(&engine->sealer, NULL, seal_apart, engine) != 0) {
		engine->sealing = false;
		return seal(&engine->parts);
	}
	engine->to_join = true;
	if (!wait_sealed(engine, SEAL_WAIT_S))
		wipe_keys(engine);
	return BULLA_OK;
}

enum bulla_err bulla_seal(struct bulla *engine, struct bulla_call *call)
{
	TRY(change_begin(engine, call));
	return change_end(engine, start_sealing(engine_of(engine)));
}

void engine_seal_finish(struct engine *engine)
{
	pthread_mutex_lock(&engine->lock);
	while (engine->sealing)
		pthread_cond_wait(&engine->sealed, &engine->lock);
	join_sealer(engine);
	pthread_mutex_unlock(&engine->lock);
}

/* ---- unseal ---------------------------------------------------------------- */

static void tell_findings(const struct engine *engine)
{
	const struct seal_findings *f = seal_findings(engine->parts.seal);
	char text[256];

	if (engine->log == NULL)
		return;
	if (f->is_new)
		engine->log(engine->log_context, "info", "the store is of format 2 now: a digest of its records is kept with them");
	if (f->damaged)
		engine->log(engine->log_context, "error",
			    "bytes of stored records were changed from outside: those that do not open are named when they are read");
	if (!f->accepted)
		return;
	(void)snprintf(text, sizeof text,
		       "stored records were changed from outside, and count as they are (accept_altered_store): %llu were written, %llu are there",
		       (unsigned long long)f->expected, (unsigned long long)f->found);
	engine->log(engine->log_context, "error", text);
}

/* The barrier is open: loads what lies behind it, and only then lets requests through. If that fails, nothing stays open. */
static enum bulla_err load(struct bulla *engine, struct bulla_call *call)
{
	enum bulla_err err = seal_convert(engine->seal, call);

	tell_findings(engine_of(engine));
	if (err == BULLA_OK)
		err = engine_clock_resume(engine, call);
	if (err == BULLA_OK)
		err = mounts_load(engine->mounts, call);
	if (err == BULLA_OK)
		err = access_load(engine->access, call);
	if (err == BULLA_OK)
		err = auth_load(engine->auth, call);
	if (err == BULLA_OK)
		err = audit_load(engine->audit, call);
	if (err != BULLA_OK) {
		enum bulla_err closed = seal(engine);

		return closed == BULLA_OK ? err : closed;
	}
	seal_admit(engine->seal);
	engine_versions_note(engine, call);
	return engine_finish_disabling(engine, call);
}

static enum bulla_err unseal(struct bulla *engine, struct bulla_call *call, struct bulla_bytes share)
{
	bool opened = false;

	TRY(seal_unseal(engine->seal, call, share, &opened));
	return opened ? load(engine, call) : BULLA_OK;
}

enum bulla_err bulla_unseal(struct bulla *engine, struct bulla_call *call, struct bulla_bytes share)
{
	TRY(change_begin_on_disk(engine, call));
	return change_end(engine, unseal(engine, call, share));
}

static enum bulla_err unseal_auto(struct bulla *engine, struct bulla_call *call)
{
	if (!seal_is_sealed(engine->seal))
		return BULLA_OK;
	TRY(seal_unseal_auto(engine->seal, call));
	return load(engine, call);
}

enum bulla_err bulla_unseal_auto(struct bulla *engine, struct bulla_call *call)
{
	TRY(change_begin_on_disk(engine, call));
	return change_end(engine, unseal_auto(engine, call));
}

void bulla_unseal_reset(struct bulla *engine)
{
	seal_reset(engine->seal);
}

/* ---- init ------------------------------------------------------------------ */

static enum bulla_err fill(struct bulla *engine, struct bulla_call *call, const struct bulla_init_args *args,
			   struct bulla_init_result *out)
{
	TRY(engine_clock_resume(engine, call));
	TRY(mounts_load(engine->mounts, call));
	TRY(access_load(engine->access, call));
	TRY(auth_load(engine->auth, call));
	TRY(access_make_root(engine->access, call, args->root_token, &out->root_token));
	return seal_settle(engine->seal, call); /* only now it counts as initialised */
}

/* The store is initialised, and its shares have to be handed out whatever happens: if the audit devices cannot be opened, it stays
 * sealed. */
static enum bulla_err admit(struct bulla *engine, struct bulla_call *call)
{
	enum bulla_err err = audit_load(engine->audit, call);

	if (err != BULLA_OK) {
		struct bulla_bytes text = bulla_call_text(call, err);

		audit_log(engine->audit, "error", "initialised, but sealed: %.*s", (int)text.len, (const char *)text.ptr);
		call->detail = (struct bulla_bytes){ 0 };
		return seal(engine);
	}
	seal_admit(engine->seal);
	engine_versions_note(engine, call);
	return BULLA_OK;
}

static enum bulla_err init(struct bulla *engine, struct bulla_call *call, const struct bulla_init_args *args,
			   struct bulla_init_result *out)
{
	struct bulla_init_result result = { 0 };
	struct bulla_seal_status status;

	TRY(seal_initialise(engine->seal, call, args, &result));
	enum bulla_err err = fill(engine, call, args, &result);

	seal_status(engine->seal, &status);
	if (err == BULLA_OK && status.kind == BULLA_SEAL_STATIC) {
		TRY(admit(engine, call));
		*out = result;
		return BULLA_OK;
	}
	enum bulla_err closed = seal(engine);

	if (err != BULLA_OK)
		return err;
	TRY(closed);
	*out = result;
	return BULLA_OK;
}

enum bulla_err bulla_init(struct bulla *engine, struct bulla_call *call, const struct bulla_init_args *args,
			  struct bulla_init_result *out)
{
	TRY(change_begin_on_disk(engine, call));
	return change_end(engine, init(engine, call, args, out));
}

/* ---- questions ------------------------------------------------------------- */

void bulla_seal_status(struct bulla *engine, struct bulla_seal_status *out)
{
	seal_status(engine->seal, out);
}

bool bulla_is_sealed(const struct bulla *engine)
{
	return seal_is_sealed(engine->seal);
}

bool bulla_is_initialised(const struct bulla *engine)
{
	return seal_is_initialised(engine->seal);
}

/* ---- the barrier's key ----------------------------------------------------- */

enum bulla_err bulla_barrier_status(struct bulla *engine, struct bulla_call *call, struct bulla_barrier_status *out)
{
	return seal_barrier_status(engine->seal, call, out);
}

enum bulla_err bulla_barrier_rotate(struct bulla *engine, struct bulla_call *call)
{
	return seal_rotate(engine->seal, call);
}
