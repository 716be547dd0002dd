/* follow.c: owns the run that follows what other nodes change (follow.h). Workers, one at a time. */
#include "state/follow.h"

#include <string.h>

#include "bulla/clock.h"

#define READ_TRIES 3 /* a new term of the barrier is learnt by holding the seal anew */

enum bulla_err follow_init(struct follow *follow, struct store *store, struct seal *seal)
{
	*follow = (struct follow){ .store = store, .seal = seal };
	return pthread_mutex_init(&follow->lock, NULL) == 0 ? BULLA_OK : BULLA_E_NO_MEMORY;
}

void follow_end(struct follow *follow)
{
	(void)pthread_mutex_destroy(&follow->lock);
}

enum bulla_err follow_add(struct follow *follow, struct follower follower)
{
	if (follow->count == FOLLOW_MAX)
		return BULLA_E_INTERNAL;
	follow->rows[follow->count++] = (struct follow_row){ .follower = follower };
	return BULLA_OK;
}

/* ---- being told ---------------------------------------------------------------------------------------------------------- */

/* Asked at the first record that is told of: what unseals meanwhile has read nothing before the barrier was open, and then the name of
 * the collection is known. */
static bool concerns(struct follow_row *row, const struct store_id *id)
{
	struct store_id any;

	if (row->follower.collection == NULL)
		return true;
	if (!row->known && row->follower.collection(row->follower.owner, &any) == BULLA_OK) {
		memcpy(row->collection, any.bytes, sizeof row->collection);
		row->known = true;
	}
	/* what cannot be told apart concerns everybody */
	return !row->known || memcmp(row->collection, id->bytes, sizeof row->collection) == 0;
}

static void changed(const struct store_id *id, enum store_news news, void *context)
{
	struct follow *follow = context;

	for (size_t i = 0; i < follow->count; i++) {
		struct follow_row *row = &follow->rows[i];

		if (id != NULL && !concerns(row, id))
			continue;
		row->stale = true;
		if (row->follower.changed != NULL)
			row->follower.changed(row->follower.owner, id, news);
	}
}

/* ---- reading anew -------------------------------------------------------------------------------------------------------- */

/* Each does its part, whatever becomes of the others. */
static enum bulla_err reload(struct follow *follow, struct bulla_call *call)
{
	enum bulla_err first = BULLA_OK;

	for (size_t i = 0; i < follow->count; i++) {
		struct follow_row *row = &follow->rows[i];
		enum bulla_err err = BULLA_OK;

		if (row->stale && row->follower.reload != NULL)
			err = row->follower.reload(row->follower.owner, call);
		row->stale = row->stale && err != BULLA_OK;
		first = first == BULLA_OK ? err : first;
	}
	return first;
}

static enum bulla_err reload_held(struct follow *follow, struct bulla_call *call)
{
	enum bulla_err err = BULLA_E_BUSY;

	for (int tries = 0; err == BULLA_E_BUSY && tries < READ_TRIES; tries++) {
		TRY(seal_hold(follow->seal));
		err = reload(follow, call);
		seal_release(follow->seal);
	}
	return err;
}

static enum bulla_err run(struct follow *follow, struct bulla_call *call, int64_t *asked_ns)
{
	for (size_t i = 0; i < follow->count; i++)
		follow->rows[i].known = false;
	TRY(store_changes(follow->store, call, changed, follow, asked_ns));
	enum bulla_err err = reload_held(follow, call);

	if (err != BULLA_OK && err != BULLA_E_SEALED) /* unsealing reads everything anew; what is stale stays so, to be sure */
		return err;
	store_applied(follow->store);
	return BULLA_OK;
}

enum bulla_err follow_run(struct follow *follow, struct bulla_call *call, int64_t *asked_ns)
{
	TRY(bulla_work(call, BULLA_WORK_DISK));
	*asked_ns = bulla_elapsed_ns();
	if (!store_is_shared(follow->store))
		return BULLA_OK;
	if (pthread_mutex_trylock(&follow->lock) != 0)
		return BULLA_E_BUSY;
	enum bulla_err err = run(follow, call, asked_ns);

	pthread_mutex_unlock(&follow->lock);
	return err;
}
