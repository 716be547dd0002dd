/* intake.c: owns the queue of jobs and the thread that works on them: it takes what waits, asks Bulla, writes and answers, and what came
 * meanwhile is the next batch. A job is that thread's alone between intake_push and done. */
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

struct intake {
	struct desk desk;
	struct batch batch;
	bool looked;                 /* once at least */
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct job *first, **last;   /* this and the rest: under lock */
	size_t waiting;
	bool stopping;
	atomic_bool healthy, gave_up;
};

/* Proves the binding. Gives up on what time does not heal. */
static void prepare(struct intake *intake)
{
	struct desk *desk = &intake->desk;
	enum card_err err = transit_prove_binding(desk->vault, desk->settings, &desk->binding);

	atomic_store(&intake->healthy, err == CARD_OK);
	if (err == CARD_OK || err == CARD_E_UNAVAILABLE)
		return;
	log_line("giving up: %s", card_err_text(err));
	atomic_store(&intake->gave_up, true);
	kill(getpid(), SIGTERM);
}

/* When there are no jobs, or the binding is not proven yet: is Bulla there, and the token good? */
static void look(struct intake *intake)
{
	if (atomic_load(&intake->gave_up))
		return;
	intake->looked = true;
	if (intake->desk.binding == 0)
		prepare(intake);
	else
		atomic_store(&intake->healthy, vault_look(intake->desk.vault) == CARD_OK);
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
	while (intake->waiting == 0 && !intake->stopping)
		if (pthread_cond_clockwait(&intake->changed, &intake->lock, CLOCK_MONOTONIC, &until) != 0)
			break;
	size_t n = take(intake, jobs);

	*stopping = intake->stopping;
	pthread_mutex_unlock(&intake->lock);
	return n;
}

static int64_t rest_ms(const struct intake *intake)
{
	int64_t due_ms = vault_due_ms(intake->desk.vault);
	int64_t ms = atomic_load(&intake->healthy) ? LOOK_MS : LOOK_AGAIN_MS;

	if (!intake->looked)
		return 0;
	return due_ms > 0 && due_ms < ms ? due_ms : ms;
}

/* False: all is done, and no more comes. */
static bool work(struct intake *intake)
{
	struct batch *batch = &intake->batch;
	bool stopping = false, healthy;

	batch->n = wait_for_jobs(intake, rest_ms(intake), batch->jobs, &stopping);
	if (batch->n == 0 && stopping)
		return false;
	healthy = atomic_load(&intake->healthy);
	/* while Bulla is known to be away nobody waits behind somebody else's patience */
	vault_set_patience(intake->desk.vault, healthy && !stopping ? PATIENCE_MS : 0);
	if (batch->n == 0 || intake->desk.binding == 0)
		look(intake);
	if (batch->n > 0)
		atomic_store(&intake->healthy, batch_encrypt(&intake->desk, batch, atomic_load(&intake->healthy)));
	batch_store(&intake->desk, batch);
	return true;
}

static void *run(void *cls)
{
	while (work(cls))
		;
	return NULL;
}

static void set_up(struct intake *intake, const struct settings *settings, intake_done *done)
{
	intake->desk.settings = settings;
	intake->desk.done = done;
	intake->last = &intake->first;
	pthread_mutex_init(&intake->lock, NULL);
	pthread_cond_init(&intake->changed, NULL);
}

static enum card_err start(struct intake *intake)
{
	struct desk *desk = &intake->desk;

	TRY(store_open(desk->settings->db, &desk->store));
	desk->vault = vault_new(desk->settings, PATIENCE_MS);
	if (desk->vault == NULL)
		return CARD_E_MEMORY;
	intake->running = pthread_create(&intake->thread, NULL, run, intake) == 0;
	return intake->running ? CARD_OK : CARD_E_MEMORY;
}

void intake_free(struct intake *intake)
{
	if (intake == NULL)
		return;
	vault_free(intake->desk.vault);
	store_close(intake->desk.store);
	pthread_cond_destroy(&intake->changed);
	pthread_mutex_destroy(&intake->lock);
	free(intake);
}

enum card_err intake_start(const struct settings *settings, intake_done *done, struct intake **out)
{
	struct intake *intake = calloc(1, sizeof *intake);

	if (intake == NULL)
		return CARD_E_MEMORY;
	set_up(intake, settings, done);
	enum card_err err = start(intake);

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
	pthread_cond_signal(&intake->changed);
	pthread_mutex_unlock(&intake->lock);
	if (intake->running)
		pthread_join(intake->thread, NULL);
	intake->running = false;
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
		if (intake->waiting++ == 0)
			pthread_cond_signal(&intake->changed);
	}
	pthread_mutex_unlock(&intake->lock);
	return full ? CARD_E_UNAVAILABLE : CARD_OK;
}

bool intake_healthy(const struct intake *intake)
{
	return atomic_load(&intake->healthy);
}
