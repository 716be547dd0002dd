/* batch.h: does a batch of jobs in two steps: encrypts, then stores and tells each job its result. */
#ifndef CARD_BATCH_H
#define CARD_BATCH_H

#include "intake.h"
#include "transit.h"

#define BATCH_MAX 64

/* What the work is done with; one thread's. */
struct desk {
	const struct settings *settings;
	struct vault *vault;
	struct store *store;
	intake_done *done;
	enum binding binding;     /* how Bulla binds; 0: not proven yet, and nothing is encrypted before */
};

struct batch {
	struct job *jobs[BATCH_MAX];
	size_t n;
	struct transit_item items[BATCH_MAX]; /* nothing between two calls */
};

/* Has Bulla encrypt the new cards of a batch. When that fails they are told so, and are no longer in the batch. Gives whether Bulla did
 * its part; healthy as it was if it was not asked. */
bool batch_encrypt(struct desk *desk, struct batch *batch, bool healthy);

/* Stores and deletes, and tells each job its result. */
void batch_store(struct desk *desk, struct batch *batch);

#endif
