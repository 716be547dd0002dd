/* batch.h: does a batch of jobs: encrypts, stores, and tells each job its result. */
#ifndef CARD_BATCH_H
#define CARD_BATCH_H

#include "intake.h"
#include "vault.h"

#define BATCH_MAX 64

/* What the work is done with. */
struct desk {
	const struct settings *settings;
	struct vault *vault;
	struct store *store;
	enum binding binding;
	bool proven;         /* binding is proven: nothing is encrypted before */
};

/* Calls done of all n jobs (up to BATCH_MAX). Gives what became of the requests to Bulla; OK too if there were none. */
enum card_err batch_work(struct desk *desk, struct job **jobs, size_t n);

#endif
