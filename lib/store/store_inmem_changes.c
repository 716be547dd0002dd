/* store_inmem_changes.c: owns what the sharers of a store in memory tell each other: changes, who has applied them, and leases. */
#define _GNU_SOURCE /* pthread_cond_clockwait */
#include <string.h>

#include "bulla/clock.h"
#include "store/store_inmem.h"

static enum store_news news_of(const struct store_write *write)
{
	if (write->change == STORE_DELETE)
		return STORE_GONE;
	return write->expected == 0 ? STORE_MADE : STORE_CHANGED;
}

void inmem_note(struct inmem *shared, const struct store_write *write, struct store_stamp stamp)
{
	if (shared->changes == NULL || write->quiet || write->change == STORE_CHECK)
		return;
	shared->changes[shared->change_count++ % INMEM_CHANGES] = (struct inmem_change){ write->id, news_of(write), stamp };
}

/* Copied with the lock, told without it. */
#define TOLD_AT_ONCE 64

/* With the lock: up to TOLD_AT_ONCE changes of others from *at on, which moves behind them. */
static size_t copy_changes(const struct inmem *shared, uint64_t writer, uint64_t *at, struct inmem_change *out)
{
	size_t count = 0;

	for (; *at < shared->change_count && count < TOLD_AT_ONCE; ++*at) {
		const struct inmem_change *change = &shared->changes[*at % INMEM_CHANGES];

		if (change->stamp.writer != writer)
			out[count++] = *change;
	}
	return count;
}

/* With the lock. Whether they have been overwritten. */
static bool is_lost(const struct inmem *shared, uint64_t from)
{
	return shared->change_count - from > INMEM_CHANGES;
}

static uint64_t end_of_changes(struct inmem_store *store)
{
	pthread_mutex_lock(&store->shared->lock);
	uint64_t end = store->shared->change_count;

	pthread_mutex_unlock(&store->shared->lock);
	return end;
}

/* What the next piece is; nothing: *lost, or there is none. */
static size_t next_changes(struct inmem_store *store, uint64_t *at, struct inmem_change *out, bool *lost)
{
	struct inmem *shared = store->shared;
	size_t count = 0;

	pthread_mutex_lock(&shared->lock);
	*lost = is_lost(shared, *at);
	if (*lost)
		*at = shared->change_count;
	else
		count = copy_changes(shared, store->base.writer, at, out);
	pthread_mutex_unlock(&shared->lock);
	return count;
}

enum bulla_err store_inmem_changes(struct store *base, struct bulla_call *call, store_changed *changed, void *context)
{
	struct inmem_store *store = inmem_store(base);
	struct inmem_change piece[TOLD_AT_ONCE];
	uint64_t end = end_of_changes(store);
	size_t count;
	bool lost;

	(void)call;
	while (store->told < end) { /* not those that come meanwhile, without end */
		count = next_changes(store, &store->told, piece, &lost);
		if (lost)
			changed(NULL, STORE_CHANGED, context);
		for (size_t i = 0; i < count; i++)
			changed(&piece[i].id, piece[i].news, context);
	}
	return BULLA_OK;
}

void store_inmem_applied(struct store *base)
{
	struct inmem_store *store = inmem_store(base);

	pthread_mutex_lock(&store->shared->lock);
	store->applied = store->told;
	pthread_cond_broadcast(&store->shared->applied);
	pthread_mutex_unlock(&store->shared->lock);
}

/* With the lock. Whether none of the changes that the sharer has still to apply is the commit's, or an earlier one's of its writer. */
static bool has_applied(const struct inmem_store *sharer, const struct store_stamp *stamp)
{
	const struct inmem *shared = sharer->shared;

	if (sharer->base.writer == stamp->writer)
		return true;
	if (is_lost(shared, sharer->applied))
		return false;
	for (uint64_t at = sharer->applied; at < shared->change_count; at++) {
		const struct store_stamp *of = &shared->changes[at % INMEM_CHANGES].stamp;

		if (of->writer == stamp->writer && of->sequence <= stamp->sequence)
			return false;
	}
	return true;
}

bool store_inmem_is_applied(const struct store *base, const struct store_stamp *stamp)
{
	const struct inmem_store *store = inmem_store(base);

	pthread_mutex_lock(&store->shared->lock);
	bool applied = has_applied(store, stamp);

	pthread_mutex_unlock(&store->shared->lock);
	return applied;
}

/* With the lock. */
static bool all_have_applied(const struct inmem *shared, const struct store_stamp *stamp)
{
	for (size_t i = 0; i < INMEM_WRITERS; i++)
		if (shared->sharers[i] != NULL && !has_applied(shared->sharers[i], stamp))
			return false;
	return true;
}

enum bulla_err store_inmem_await(struct store *base, struct bulla_call *call, const struct store_stamp *stamp, int64_t timeout_ms)
{
	struct inmem *shared = inmem_store(base)->shared;
	struct timespec until = bulla_until(timeout_ms * 1000000);
	int rc = 0;

	(void)call;
	pthread_mutex_lock(&shared->lock);
	while (!all_have_applied(shared, stamp) && rc == 0)
		rc = pthread_cond_clockwait(&shared->applied, &shared->lock, CLOCK_MONOTONIC, &until);
	bool applied = all_have_applied(shared, stamp);

	pthread_mutex_unlock(&shared->lock);
	return applied ? BULLA_OK : BULLA_E_BUSY;
}

/* ---- leases --------------------------------------------------------------------------------------------------------------- */

/* With the lock. The lease of this name, else one that is free; NULL: there are too many. */
static struct inmem_lease *lease_named(struct inmem *shared, const char *name)
{
	struct inmem_lease *unused = NULL;

	for (size_t i = 0; i < INMEM_LEASES; i++) {
		if (strcmp(shared->leases[i].name, name) == 0)
			return &shared->leases[i];
		if (shared->leases[i].name[0] == 0 && unused == NULL)
			unused = &shared->leases[i];
	}
	if (unused != NULL)
		(void)strcpy(unused->name, name);
	return unused;
}

/* With the lock. */
static enum bulla_err take_lease(struct inmem_lease *lease, uint64_t writer, int64_t now_ns, int ttl_s, uint64_t *fence)
{
	if (lease->holder != writer && lease->until_ns > now_ns)
		return BULLA_E_BUSY;
	if (lease->holder != writer) {
		lease->holder = writer;
		lease->fence++;
	}
	lease->until_ns = now_ns + (int64_t)ttl_s * 1000000000;
	*fence = lease->fence;
	return BULLA_OK;
}

enum bulla_err store_inmem_lease(struct store *base, struct bulla_call *call, const char *name, int ttl_s, uint64_t *fence)
{
	struct inmem_store *store = inmem_store(base);

	(void)call;
	pthread_mutex_lock(&store->shared->lock);
	struct inmem_lease *lease = lease_named(store->shared, name);
	enum bulla_err err = lease != NULL ? take_lease(lease, store->base.writer, bulla_elapsed_ns(), ttl_s, fence) : BULLA_E_INTERNAL;

	pthread_mutex_unlock(&store->shared->lock);
	return err;
}
