/* ticker.h: the thread that does what is due by time. */
#ifndef BULLA_COMMANDS_TICKER_H
#define BULLA_COMMANDS_TICKER_H

#include <pthread.h>

#include <bulla.h>

#include "sched/sched.h"

struct ticker {
	struct bulla *engine; /* borrowed; NULL: not started */
	struct sched *sched;  /* borrowed: what is computed takes turns with requests */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;            /* by lock */
};

/* Both must live until ticker_stop. NO_MEMORY: no thread. */
BULLA_MUST_USE enum bulla_err ticker_start(struct ticker *ticker, struct bulla *engine, struct sched *sched);
/* Returns when it has ended; what it computes ends at its next yield. One that was not started is fine. */
void ticker_stop(struct ticker *ticker);

#endif
