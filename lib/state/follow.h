/* follow.h: following what other nodes change. What a room keeps in memory of the records of a collection has a row (struct follower):
 * what is to be dropped when one of them changes, and what has to be read anew then. A run asks the store once (store_changes), tells
 * the rows, lets them read, and only then counts what it was told as applied: who waits for this node (store_await) goes on when it
 * serves nothing older any more.
 *
 * Whoever reads to keep may be overtaken by such a change. A cache compares epochs (state/snapshots.h); a table that is copied is read and
 * published under its owner's lock, which the run waits for: what it reads then is newer. */
#ifndef BULLA_STATE_FOLLOW_H
#define BULLA_STATE_FOLLOW_H

#include <pthread.h>

#include "seal/barrier.h"

struct follower {
	void *owner;
	/* Any id of the collection that is followed. SEALED, NO_MEMORY. NULL: of all collections. */
	enum bulla_err (*collection)(void *owner, struct store_id *out);
	/* Another node has changed the record; id NULL: any may have been. Drops what is kept of it. It may neither call the store nor wait
	 * for whoever does. NULL: nothing is dropped. */
	void (*changed)(void *owner, const struct store_id *id, enum store_news news);
	/* Something has changed since this was last done: reads anew what is read as a whole. With the seal held; blocks. BUSY, SEALED,
	 * STORE*, NO_MEMORY: it is to be done again. NULL: nothing is. */
	enum bulla_err (*reload)(void *owner, struct bulla_call *call);
};

/* Of one run at a time. */
struct follow_row {
	struct follower follower;
	bool known;                         /* its collection, in this run */
	uint8_t collection[STORE_COLLECTION];
	bool stale;                         /* it is to be read anew */
};

#define FOLLOW_MAX 24

struct follow {
	struct store *store; /* borrowed */
	struct seal *seal;   /* borrowed */
	pthread_mutex_t lock; /* one run at a time */
	size_t count;
	struct follow_row rows[FOLLOW_MAX];
};

/* To be ended by follow_end, once. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err follow_init(struct follow *follow, struct store *store, struct seal *seal);
void follow_end(struct follow *follow);
/* Before the first run. INTERNAL: there are too many. */
BULLA_MUST_USE enum bulla_err follow_add(struct follow *follow, struct follower follower);

/* Does what other nodes' changes ask for. *asked_ns: elapsed; what was committed by then is followed once this has succeeded. While the
 * store is sealed nothing is read, and nothing older is served. Of a store of one process it does nothing. BUSY: another run is under
 * way; STORE*, NO_MEMORY, errors of reload: the next run goes on. Blocks. */
BULLA_MUST_USE enum bulla_err follow_run(struct follow *follow, struct bulla_call *call, int64_t *asked_ns);

#endif
