/* workers.h: a bounded pool of threads for what must not run on an event loop. Knows neither HTTP nor the engine. */
#ifndef BULLA_HTTP_WORKERS_H
#define BULLA_HTTP_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

/* Embedded in what is to be done; belongs to the pool from submit until run is called. */
struct job {
	struct job *next;
	void (*run)(struct job *job);
};

struct workers;

/* Starts the threads. NULL: no memory or no threads. */
struct workers *workers_new(unsigned threads, size_t max_queue);

/* false: max_queue jobs wait already, or the pool is stopping; the job is still the caller's. Any thread. */
bool workers_submit(struct workers *workers, struct job *job);

/* Runs what is queued, ends the threads, frees. NULL is fine. */
void workers_free(struct workers *workers);

#endif
