/* intake.c: owns the queue of jobs and the two threads that work on them in turns: one takes what waits and asks Bulla, then writes and
 * answers, while the other asks. A job is one thread's alone between intake_push and done. */
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

/* While one waits for the disk, the other has Bulla encrypt what came meanwhile. */
#define WORKERS 2

struct intake {
	struct desk desk;
	bool looked;                 /* once at least; under asking */
	pthread_mutex_t asking;      /* held by who takes jobs and asks Bulla */
	pthread_mutex_t writing;     /* held by who writes */
	pthread_t threads[WORKERS];
	size_t running;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct job *first, **last;   /* this and the rest: under lock */
	size_t waiting;
	size_t written;              /* jobs that are being written */
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

/* Jobs wait, and if others are being written, as many as those. Fewer gain nothing by an earlier start: they cannot be written before the others
 * are, and then they go in any case; and a batch costs two requests and a sync whatever is in it. */
static bool is_time(const struct intake *intake)
{
	return intake->waiting > 0 && intake->waiting >= intake->written;
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
	while (!is_time(intake) && !intake->stopping)
		if (pthread_cond_timedwait(&intake->changed, &intake->lock, &until) != 0)
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

/* Takes a batch and has it encrypted. False: all is done, and no more comes. */
static bool fetch(struct intake *intake, struct batch *batch)
{
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
	return true;
}

static bool ask(struct intake *intake, struct batch *batch)
{
	pthread_mutex_lock(&intake->asking);
	bool more = fetch(intake, batch);

	pthread_mutex_unlock(&intake->asking);
	return more;
}

static void note_written(struct intake *intake, size_t n)
{
	pthread_mutex_lock(&intake->lock);
	intake->written = n;
	if (is_time(intake))
		pthread_cond_signal(&intake->changed);
	pthread_mutex_unlock(&intake->lock);
}

static void write_down(struct intake *intake, struct batch *batch)
{
	pthread_mutex_lock(&intake->writing);
	note_written(intake, batch->n);
	batch_store(&intake->desk, batch);
	note_written(intake, 0);
	pthread_mutex_unlock(&intake->writing);
}

static void *run(void *cls)
{
	struct intake *intake = cls;
	struct batch batch;

	while (ask(intake, &batch))
		write_down(intake, &batch);
	return NULL;
}

static void set_up(struct intake *intake, const struct settings *settings, intake_done *done)
{
	pthread_condattr_t attributes;

	intake->desk.settings = settings;
	intake->desk.done = done;
	intake->last = &intake->first;
	pthread_mutex_init(&intake->asking, NULL);
	pthread_mutex_init(&intake->writing, NULL);
	pthread_mutex_init(&intake->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&intake->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

static enum card_err start(struct intake *intake)
{
	struct desk *desk = &intake->desk;

	TRY(store_open(desk->settings->db, &desk->store));
	desk->vault = vault_new(desk->settings, PATIENCE_MS);
	if (desk->vault == NULL)
		return CARD_E_MEMORY;
	for (; intake->running < WORKERS; intake->running++)
		if (pthread_create(&intake->threads[intake->running], NULL, run, intake) != 0)
			return CARD_E_MEMORY;
	return CARD_OK;
}

void intake_free(struct intake *intake)
{
	if (intake == NULL)
		return;
	vault_free(intake->desk.vault);
	store_close(intake->desk.store);
	pthread_cond_destroy(&intake->changed);
	pthread_mutex_destroy(&intake->lock);
	pthread_mutex_destroy(&intake->writing);
	pthread_mutex_destroy(&intake->asking);
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
	pthread_cond_broadcast(&intake->changed);
	pthread_mutex_unlock(&intake->lock);
	for (; intake->running > 0; intake->running--)
		pthread_join(intake->threads[intake->running - 1], NULL);
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
		if (is_time(intake))
			pthread_cond_signal(&intake->changed);
	}
	pthread_mutex_unlock(&intake->lock);
	return full ? CARD_E_UNAVAILABLE : CARD_OK;
}

bool intake_healthy(const struct intake *intake)
{
	return atomic_load(&intake->healthy);
}
