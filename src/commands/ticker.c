/* ticker.c: owns the thread that calls bulla_tick every few seconds and writes to the log what comes of it. The main thread starts
 * and stops it. */
#define _GNU_SOURCE /* pthread_cond_clockwait */
#include "commands/ticker.h"

#include <bulla/clock.h>

#include "commands/log.h"

#define PERIOD_NS 5000000000
#define ARENA_BYTES 16384

/* One failure is told once, however long it lasts. */
static void tell(const struct bulla_call *call, enum bulla_err err, enum bulla_err before)
{
	struct bulla_bytes text = bulla_call_text(call, err);

	for (const struct bulla_warning *w = call->warnings; w != NULL; w = w->next)
		log_write(LOG_LEVEL_WARN, "%.*s", (int)w->text.len, (const char *)w->text.ptr);
	if (err != BULLA_OK && err != BULLA_E_SEALED && err != BULLA_E_CANCELLED && err != before)
		log_write(LOG_LEVEL_ERROR, "what is due by time (rotating keys, removing tokens) failed and is tried again: %.*s", (int)text.len,
			  (const char *)text.ptr);
}

/* false: it is time to end. */
static bool wait_period(struct ticker *ticker)
{
	const struct timespec until = bulla_until(PERIOD_NS);

	pthread_mutex_lock(&ticker->lock);
	while (!ticker->stop && pthread_cond_clockwait(&ticker->wake, &ticker->lock, CLOCK_MONOTONIC, &until) == 0)
		;
	bool stop = ticker->stop;

	pthread_mutex_unlock(&ticker->lock);
	return !stop;
}

/* RSA keys take a core for seconds: their making waits its turn behind requests, like anybody's. */
static enum bulla_err tick(struct ticker *ticker, struct bulla_call *call)
{
	static const struct sched_caller caller = { 0 };
	struct sched_visitor visitor = { 0 };

	sched_visit(ticker->sched, &visitor, &caller);
	call->turn = &visitor.job.turn;
	enum bulla_err err = bulla_tick(ticker->engine, call);

	call->turn = NULL;
	sched_leave(&visitor);
	return err;
}

static void *run(void *context)
{
	struct ticker *ticker = context;
	struct bulla_arena *arena = bulla_arena_new(ARENA_BYTES);
	enum bulla_err err = BULLA_OK;

	if (arena == NULL)
		log_write(LOG_LEVEL_ERROR, "out of memory: no key is rotated by itself until the server is started again");
	while (arena != NULL && wait_period(ticker)) {
		struct bulla_call call = { .arena = arena, .may_block = true };
		enum bulla_err before = err;

		err = tick(ticker, &call);
		tell(&call, err, before);
		bulla_arena_reset(arena);
	}
	bulla_arena_free(arena);
	return NULL;
}

enum bulla_err ticker_start(struct ticker *ticker, struct bulla *engine, struct sched *sched)
{
	int failed = pthread_mutex_init(&ticker->lock, NULL) != 0 || pthread_cond_init(&ticker->wake, NULL) != 0;

	ticker->engine = engine;
	ticker->sched = sched;
	if (failed || pthread_create(&ticker->thread, NULL, run, ticker) != 0) {
		ticker->engine = NULL;
		return BULLA_E_NO_MEMORY;
	}
	return BULLA_OK;
}

void ticker_stop(struct ticker *ticker)
{
	if (ticker->engine == NULL)
		return;
	pthread_mutex_lock(&ticker->lock);
	ticker->stop = true;
	pthread_cond_signal(&ticker->wake);
	pthread_mutex_unlock(&ticker->lock);
	sched_cancel_all(ticker->sched);
	(void)pthread_join(ticker->thread, NULL);
	(void)pthread_cond_destroy(&ticker->wake);
	(void)pthread_mutex_destroy(&ticker->lock);
	ticker->engine = NULL;
}
