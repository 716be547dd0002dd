/* intake.c: owns the queue of jobs and the threads that work on them, each with its vault and its connection to the database. A job is one
 * thread's alone between intake_push and done. */
#define _GNU_SOURCE
#include "intake.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "batch.h"
#include "log.h"
#include "transit.h"

#define WAITING_MAX 1024
#define PATIENCE_MS 3000     /* how long a caller waits for Bulla before it is told to come back */
#define LOOK_AGAIN_MS 500    /* while Bulla is away */
#define LOOK_MS 5000         /* while nothing happens */

/* While one waits for the disk, another has Bulla encrypt. */
#define WORKERS 2

struct worker {
	struct intake *intake;
	struct desk desk;
	pthread_t thread;
	bool first;                  /* looks whether Bulla is there, for all */
};

struct intake {
	struct worker workers[WORKERS];
	size_t running;              /* threads */
	pthread_mutex_t writing;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct job *first, **last;   /* this and the next two: under the lock */
	size_t waiting;
	bool stopping;
	atomic_int binding;          /* enum binding; 0: not proven */
	atomic_bool healthy, gave_up;
};

/* Proves the binding. Gives up on what time does not heal. */
static void prepare(struct intake *intake, struct desk *desk)
{
	enum binding binding;
	enum card_err err = transit_prove_binding(desk->vault, desk->settings, &binding);

	if (err == CARD_OK)
		atomic_store(&intake->binding, (int)binding);
	atomic_store(&intake->healthy, err == CARD_OK);
	if (err == CARD_OK || err == CARD_E_UNAVAILABLE)
		return;
	log_line("giving up: %s", card_err_text(err));
	atomic_store(&intake->gave_up, true);
	kill(getpid(), SIGTERM);
}

/* What a worker does when there are no jobs: it looks after its token. */
static void look(struct worker *worker)
{
	struct intake *intake = worker->intake;

	if (atomic_load(&intake->gave_up))
		return;
	if (worker->first && atomic_load(&intake->binding) == 0)
		prepare(intake, &worker->desk);
	else if (worker->first)
		atomic_store(&intake->healthy, vault_look(worker->desk.vault) == CARD_OK);
	else if (vault_keep(worker->desk.vault) != CARD_OK)
		atomic_store(&intake->healthy, false);
}

static size_t take(struct intake *intake, struct job **jobs)
{
	size_t n = 0;

	while (n < BATCH_MAX && intake->first != NULL) {
		jobs[n] = intake->first;
		intake->first = jobs[n++]->next;
	}
	if (intake->first == NULL)
		intake->last = &intake->first;
	intake->waiting -= n;
	return n;
}

/* Waits for jobs, for the end, or until it is time to look after the token. Gives the number of jobs. */
static size_t wait_for_jobs(struct intake *intake, int64_t ms, struct job **jobs, bool *stopping)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&intake->lock);
	while (intake->first == NULL && !intake->stopping)
		if (pthread_cond_timedwait(&intake->changed, &intake->lock, &until) != 0)
			break;
	size_t n = take(intake, jobs);

	*stopping = intake->stopping;
	pthread_mutex_unlock(&intake->lock);
	return n;
}

static int64_t rest_ms(const struct worker *worker)
{
	int64_t due_ms = vault_due_ms(worker->desk.vault);
	int64_t ms = atomic_load(&worker->intake->healthy) ? LOOK_MS : LOOK_AGAIN_MS;

	return due_ms > 0 && due_ms < ms ? due_ms : ms;
}

static void work(struct worker *worker, struct job **jobs, size_t n, bool stopping)
{
	struct intake *intake = worker->intake;

	bool healthy = atomic_load(&intake->healthy);

	/* while Bulla is known to be away nobody waits behind somebody else's patience */
	vault_set_patience(worker->desk.vault, healthy && !stopping ? PATIENCE_MS : 0);
	worker->desk.binding = (enum binding)atomic_load(&intake->binding);
	atomic_store(&intake->healthy, batch_work(&worker->desk, jobs, n, healthy));
}

static void *run(void *cls)
{
	struct worker *worker = cls;
	struct job *jobs[BATCH_MAX];
	bool stopping = false;

	if (worker->first)
		look(worker);
	for (;;) {
		size_t n = wait_for_jobs(worker->intake, rest_ms(worker), jobs, &stopping);

		if (n > 0)
			work(worker, jobs, n, stopping);
		else if (stopping)
			return NULL;
		else
			look(worker);
	}
}

static enum card_err start(struct intake *intake, struct worker *worker, const struct settings *settings)
{
	struct desk *desk = &worker->desk;

	worker->intake = intake;
	worker->first = worker == intake->workers;
	desk->settings = settings;
	desk->writing = &intake->writing;
	TRY(store_open(settings->db, &desk->store));
	desk->vault = vault_new(settings, PATIENCE_MS);
	if (desk->vault == NULL || pthread_create(&worker->thread, NULL, run, worker) != 0)
		return CARD_E_MEMORY;
	intake->running++;
	return CARD_OK;
}

static void set_up(struct intake *intake)
{
	pthread_condattr_t attributes;

	intake->last = &intake->first;
	pthread_mutex_init(&intake->writing, NULL);
	pthread_mutex_init(&intake->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&intake->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

void intake_free(struct intake *intake)
{
	if (intake == NULL)
		return;
	for (size_t i = 0; i < WORKERS; i++) {
		vault_free(intake->workers[i].desk.vault);
		store_close(intake->workers[i].desk.store);
	}
	pthread_cond_destroy(&intake->changed);
	pthread_mutex_destroy(&intake->lock);
	pthread_mutex_destroy(&intake->writing);
	free(intake);
}

enum card_err intake_start(const struct settings *settings, struct intake **out)
{
	struct intake *intake = calloc(1, sizeof *intake);
	enum card_err err = CARD_OK;

	if (intake == NULL)
		return CARD_E_MEMORY;
	set_up(intake);
	for (size_t i = 0; i < WORKERS && err == CARD_OK; i++)
		err = start(intake, &intake->workers[i], settings);
	if (err != CARD_OK) {
		intake_stop(intake);
		intake_free(intake);
		return err;
	}
	*out = intake;
	return CARD_OK;
}

bool intake_stop(struct intake *intake)
{
	pthread_mutex_lock(&intake->lock);
	intake->stopping = true;
	pthread_cond_broadcast(&intake->changed);
	pthread_mutex_unlock(&intake->lock);
	for (size_t i = 0; i < intake->running; i++)
		pthread_join(intake->workers[i].thread, NULL);
	return !atomic_load(&intake->gave_up);
}

enum card_err intake_push(struct intake *intake, struct job *job)
{
	pthread_mutex_lock(&intake->lock);
	bool full = intake->waiting >= WAITING_MAX || intake->stopping;

	if (!full) {
		job->next = NULL;
		*intake->last = job;
		intake->last = &job->next;
		intake->waiting++;
		pthread_cond_signal(&intake->changed);
	}
	pthread_mutex_unlock(&intake->lock);
	return full ? CARD_E_UNAVAILABLE : CARD_OK;
}

bool intake_healthy(const struct intake *intake)
{
	return atomic_load(&intake->healthy);
}
