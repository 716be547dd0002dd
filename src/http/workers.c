/* workers.c: owns the pool's threads and its queue: one mutex, first come first served. */
#define _GNU_SOURCE
#include "http/workers.h"

#include <pthread.h>
#include <stdlib.h>

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *first, **last;
	size_t queued, max_queue;
	bool stopping;
	unsigned count;
	pthread_t threads[];
};

/* The next job; NULL: the pool stops and nothing is left. */
static struct job *take(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	while (workers->first == NULL && !workers->stopping)
		pthread_cond_wait(&workers->wake, &workers->lock);
	struct job *job = workers->first;

	if (job != NULL) {
		workers->first = job->next;
		workers->queued--;
		if (workers->first == NULL)
			workers->last = &workers->first;
	}
	pthread_mutex_unlock(&workers->lock);
	return job;
}

static void *worker_main(void *context)
{
	struct workers *workers = context;

	for (struct job *job; (job = take(workers)) != NULL;)
		job->run(job);
	return NULL;
}

struct workers *workers_new(unsigned threads, size_t max_queue)
{
	struct workers *workers = calloc(1, sizeof *workers + threads * sizeof workers->threads[0]);

	if (workers == NULL)
		return NULL;
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->wake, NULL);
	workers->last = &workers->first;
	workers->max_queue = max_queue;
	for (; workers->count < threads; workers->count++) {
		if (pthread_create(&workers->threads[workers->count], NULL, worker_main, workers) != 0) {
			workers_free(workers);
			return NULL;
		}
		pthread_setname_np(workers->threads[workers->count], "worker");
	}
	return workers;
}

bool workers_submit(struct workers *workers, struct job *job)
{
	pthread_mutex_lock(&workers->lock);
	bool accepted = !workers->stopping && workers->queued < workers->max_queue;

	if (accepted) {
		job->next = NULL;
		*workers->last = job;
		workers->last = &job->next;
		workers->queued++;
		pthread_cond_signal(&workers->wake);
	}
	pthread_mutex_unlock(&workers->lock);
	return accepted;
}

void workers_free(struct workers *workers)
{
	if (workers == NULL)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	pthread_cond_broadcast(&workers->wake);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned i = 0; i < workers->count; i++)
		pthread_join(workers->threads[i], NULL);
	pthread_cond_destroy(&workers->wake);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
}
