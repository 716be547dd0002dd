/* batch.h: does a batch of jobs: encrypts, stores, and tells each job its result. */
#ifndef CARD_BATCH_H
#define CARD_BATCH_H

#include <pthread.h>

#include "intake.h"
#include "vault.h"

#define BATCH_MAX 64

/* What a thread does its work with. */
struct desk {
	const struct settings *settings;
	struct vault *vault;
	struct store *store;
	pthread_mutex_t *writing; /* held during a transaction: SQLite's own lock is waited for in naps of milliseconds */
	enum binding binding;     /* how Bulla binds; 0: not proven yet, and nothing is encrypted before */
};

/* Calls done of all n jobs (up to BATCH_MAX). Gives whether Bulla did its part; healthy as it was if it was not asked. */
bool batch_work(struct desk *desk, struct job **jobs, size_t n, bool healthy);

#endif
