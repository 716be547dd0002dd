/* sched.c: owns the scheduler's threads: started when a job has a permit and no thread is idle, ended after half a minute without one. Any thread. */
#define _GNU_SOURCE
#include <bulla/clock.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "sched/sched_impl.h"

#define DEFAULT_QUEUE 1024
#define SHARED_QUEUE 64      /* from so many on a caller has a part of a queue only */
#define DEFAULT_REMOTE 16
#define REMOTE_OF_ONE 4      /* jobs that wait for the same server */
#define REMOTE_QUEUE_OF_ONE 16 /* ... and that wait to wait for it */
#define REMOTE_QUEUE 64
#define COMPUTING 128        /* jobs that have begun to compute; and as many that wait for it in their midst */
#define COMPUTING_OF_ONE 32  /* ... of one caller, that wait for it in their midst */
#define DISK_IN_MIDST 64     /* jobs that wait for the disk in their midst */
#define SLICE_NS 1000000
#define IDLE_NS 30000000000
#define STACK_BYTES (512u << 10)

/* ---- threads ---------------------------------------------------------------------------------------------------------------------- */

/* With the lock. NULL: the time has passed, or the scheduler ends. */
static struct sched_job *next_ready(struct sched *sched)
{
	const struct timespec until = bulla_until(IDLE_NS);
	int waited = 0;

	while (STAILQ_EMPTY(&sched->ready) && !sched->stopping && !(waited == ETIMEDOUT && sched->threads > sched->min_threads)) {
		if (waited == ETIMEDOUT)
			waited = pthread_cond_wait(&sched->ready_wake, &sched->lock);
		else
			waited = pthread_cond_clockwait(&sched->ready_wake, &sched->lock, CLOCK_MONOTONIC, &until);
	}
	return fifo_pop(&sched->ready);
}

/* With the lock, which it gives up meanwhile. */
static void run_job(struct sched *sched, struct sched_thread *own, struct sched_job *job)
{
	sched->ready_count--;
	sched->idle--;
	job->wake = &own->wake;
	pthread_mutex_unlock(&sched->lock);
	job->slice_from_ns = bulla_thread_cpu_ns();
	job->run(job);
	pthread_mutex_lock(&sched->lock);
	turn_end(job);
	job->state = JOB_IDLE;
	job->wake = NULL;
	pthread_mutex_unlock(&sched->lock);
	job->done(job);
	pthread_mutex_lock(&sched->lock);
	sched->idle++;
	for (size_t i = 0; i < SCHED_CLASSES; i++) /* there may have been no thread for them */
		if (sched->lanes[i].fresh > 0)
			sched_grant(sched, &sched->lanes[i]);
}

static void *thread_main(void *context)
{
	struct sched_thread *own = context;
	struct sched *sched = own->sched;

	pthread_mutex_lock(&sched->lock);
	for (struct sched_job *job; (job = next_ready(sched)) != NULL;)
		run_job(sched, own, job);
	sched->threads--;
	sched->idle--;
	own->next = sched->ended;
	sched->ended = own;
	(void)pthread_cond_signal(&sched->gone);
	pthread_mutex_unlock(&sched->lock);
	return NULL;
}

static void join_ended(struct sched *sched)
{
	for (struct sched_thread *own = sched->ended, *next; own != NULL; own = next) {
		next = own->next;
		(void)pthread_join(own->thread, NULL);
		(void)pthread_cond_destroy(&own->wake);
		free(own);
	}
	sched->ended = NULL;
}

/* Signals are for the thread that waits for them. */
static int create(struct sched_thread *own)
{
	pthread_attr_t attr;
	sigset_t all, before;

	if (pthread_attr_init(&attr) != 0)
		return ENOMEM;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
#endif
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&own->thread, &attr, thread_main, own);

	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	return failed;
}

/* With the lock. */
static bool start_thread(struct sched *sched)
{
	struct sched_thread *own = sched->threads < sched->max_threads ? calloc(1, sizeof *own) : NULL;

	join_ended(sched); /* they are past the lock */
	if (own == NULL)
		return false;
	own->sched = sched;
	pthread_cond_init(&own->wake, NULL);
	if (create(own) != 0) {
		(void)pthread_cond_destroy(&own->wake);
		free(own);
		return false;
	}
	(void)pthread_setname_np(own->thread, "worker");
	sched->threads++;
	sched->idle++;
	return true;
}

/* With the lock: for one more job. */
static bool has_thread(struct sched *sched)
{
	return sched->idle > sched->ready_count || start_thread(sched);
}

void sched_grant(struct sched *sched, struct lane *lane)
{
	for (;;) {
		if (lane->free == 0 || atomic_load_explicit(&lane->wanted, memory_order_relaxed) == 0)
			return;
		struct sched_job *job = lane_pick(lane, lane->fresh > 0 && has_thread(sched));

		if (job == NULL)
			return;
		bool fresh = job->state == JOB_FRESH;

		job->state = JOB_RUNNING;
		if (!fresh) {
			(void)pthread_cond_signal(job->wake);
			continue;
		}
		STAILQ_INSERT_TAIL(&sched->ready, job, link);
		sched->ready_count++;
		(void)pthread_cond_signal(&sched->ready_wake);
	}
}

/* ---- starting and ending ----------------------------------------------------------------------------------------------------------- */

static unsigned machine_cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

static void init_lanes(struct sched *sched, const struct sched_config *c)
{
	unsigned cores = c->cores > 0 ? c->cores : machine_cores(), disk = c->disk_threads > 0 ? c->disk_threads : cores > 4 ? cores : 4;
	struct lane *lanes = sched->lanes;
	size_t queue = c->max_queue > 0 ? c->max_queue : DEFAULT_QUEUE;

	lane_init(&lanes[BULLA_WORK_DISK], disk);
	lane_init(&lanes[BULLA_WORK_CPU], cores);
	lane_init(&lanes[BULLA_WORK_REMOTE], c->remote_threads > 0 ? c->remote_threads : DEFAULT_REMOTE);
	lanes[BULLA_WORK_DISK].max_waiting = DISK_IN_MIDST;
	lanes[BULLA_WORK_DISK].node_waiting = DISK_IN_MIDST / 2; /* one caller leaves room for others, however slow the disk is */
	lanes[BULLA_WORK_CPU].slice_ns = c->slice_ns > 0 ? c->slice_ns : SLICE_NS;
	lanes[BULLA_WORK_CPU].max_started = lanes[BULLA_WORK_CPU].max_waiting = COMPUTING;
	lanes[BULLA_WORK_CPU].node_waiting = COMPUTING_OF_ONE;
	lanes[BULLA_WORK_REMOTE].node_running = REMOTE_OF_ONE;
	lanes[BULLA_WORK_REMOTE].node_waiting = REMOTE_QUEUE_OF_ONE;
	lanes[BULLA_WORK_REMOTE].max_waiting = REMOTE_QUEUE;
	for (size_t i = 0; i < SCHED_CLASSES; i++) {
		lanes[i].max_fresh = queue;
		lanes[i].max_fresh_family = queue < SHARED_QUEUE ? queue : queue / 4;
		lanes[i].max_fresh_anonymous = queue < SHARED_QUEUE ? queue : queue / 2;
	}
	sched->min_threads = disk + cores;
	sched->max_threads = disk + DISK_IN_MIDST + 2 * COMPUTING + lanes[BULLA_WORK_REMOTE].permits + REMOTE_QUEUE;
}

static bool start_first(struct sched *sched)
{
	bool started = true;

	pthread_mutex_lock(&sched->lock);
	while (started && sched->threads < sched->min_threads)
		started = start_thread(sched);
	pthread_mutex_unlock(&sched->lock);
	return started;
}

struct sched *sched_new(const struct sched_config *config)
{
	struct sched *sched = calloc(1, sizeof *sched);

	if (sched == NULL)
		return NULL;
	pthread_mutex_init(&sched->lock, NULL);
	pthread_cond_init(&sched->ready_wake, NULL);
	pthread_cond_init(&sched->gone, NULL);
	STAILQ_INIT(&sched->ready);
	init_lanes(sched, config);
	if (!start_first(sched)) {
		sched_free(sched);
		return NULL;
	}
	return sched;
}

void sched_free(struct sched *sched)
{
	if (sched == NULL)
		return;
	pthread_mutex_lock(&sched->lock);
	sched->stopping = true;
	(void)pthread_cond_broadcast(&sched->ready_wake);
	while (sched->threads > 0)
		(void)pthread_cond_wait(&sched->gone, &sched->lock);
	pthread_mutex_unlock(&sched->lock);
	join_ended(sched);
	(void)pthread_cond_destroy(&sched->ready_wake);
	(void)pthread_cond_destroy(&sched->gone);
	(void)pthread_mutex_destroy(&sched->lock);
	free(sched);
}

/* ---- jobs -------------------------------------------------------------------------------------------------------------------------- */

static void prepare(struct sched *sched, struct sched_job *job, enum bulla_work work, const struct sched_caller *caller)
{
	job->turn = (struct bulla_turn){ .enter = turn_enter, .yield = turn_yield };
	job->sched = sched;
	job->caller = *caller;
	job->work = work;
	job->node = NULL;
}

bool sched_submit(struct sched *sched, struct sched_job *job, enum bulla_work work, const struct sched_caller *caller)
{
	struct lane *lane = &sched->lanes[work];

	prepare(sched, job, work, caller);
	pthread_mutex_lock(&sched->lock);
	bool accepted = !sched->stopping && lane_add_fresh(lane, job);

	if (accepted)
		sched_grant(sched, lane);
	pthread_mutex_unlock(&sched->lock);
	return accepted;
}

void sched_cancel(struct sched_job *job)
{
	struct sched *sched = job->sched;

	if (sched == NULL)
		return;
	atomic_store_explicit(&job->cancelled, true, memory_order_relaxed);
	pthread_mutex_lock(&sched->lock);
	if (job->state == JOB_WAITING)
		(void)pthread_cond_signal(job->wake);
	pthread_mutex_unlock(&sched->lock);
}

void sched_cancel_all(struct sched *sched)
{
	atomic_store_explicit(&sched->cancelling, true, memory_order_relaxed);
	pthread_mutex_lock(&sched->lock);
	for (size_t i = 0; i < SCHED_CLASSES; i++) {
		struct sched_group *group;
		struct sched_node *node;
		struct sched_job *job;

		TAILQ_FOREACH(group, &sched->lanes[i].groups, link)
			TAILQ_FOREACH(node, &group->nodes, link)
				STAILQ_FOREACH(job, &node->waiting, link)
					(void)pthread_cond_signal(job->wake);
	}
	pthread_mutex_unlock(&sched->lock);
}

void sched_visit(struct sched *sched, struct sched_visitor *visitor, const struct sched_caller *caller)
{
	prepare(sched, &visitor->job, BULLA_WORK_DISK, caller);
	pthread_cond_init(&visitor->wake, NULL);
	visitor->job.visits = true;
	visitor->job.wake = &visitor->wake;
}

void sched_leave(struct sched_visitor *visitor)
{
	struct sched *sched = visitor->job.sched;

	pthread_mutex_lock(&sched->lock);
	turn_end(&visitor->job);
	pthread_mutex_unlock(&sched->lock);
	(void)pthread_cond_destroy(&visitor->wake);
}
