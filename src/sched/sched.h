/* sched.h: who runs what, and when: threads for what no event loop may do, in three classes that never wait for each other (bulla/call.h:
 * enum bulla_work), each with permits of its own. A job runs while it holds a permit of the class of its present work; it may change the
 * class in its midst, and gives the permit back meanwhile. Within a class callers take turns, whatever each of them has asked for.
 * Knows neither HTTP nor the engine. docs/DECISIONS.md says why. */
#ifndef BULLA_SCHED_SCHED_H
#define BULLA_SCHED_SCHED_H

#include <bulla/call.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

struct sched;
struct sched_node;
struct sched_job;

/* Zeros, or 0 in a member: the defaults. */
struct sched_config {
	unsigned cores;          /* permits for computing; 0: those of the machine */
	unsigned disk_threads;   /* permits for the disk; 0: max(4, cores) */
	unsigned remote_threads; /* jobs that wait for others at a time; 0: 16 */
	size_t max_queue;        /* jobs of a class that have not begun; 0: 1024. From 64 on a caller has a quarter of them, those who
				    have not logged in half of them together */
	int64_t slice_ns;        /* CPU time of a thread for which a job may compute while others wait; 0: 1 ms */
};

/* Who a job is for. Callers (families) take turns; so do, within a family, its places. */
struct sched_caller {
	uint64_t family, place;
	bool anonymous; /* nobody has logged in */
};

enum job_state { JOB_IDLE, JOB_FRESH, JOB_WAITING, JOB_RUNNING };

/* One job, embedded in what is to be done; zeroed by its owner, who sets run and done. It belongs to the scheduler from sched_submit until done
 * is called. */
struct sched_job {
	struct bulla_turn turn; /* first: for bulla_call.turn */
	/* does it, on one of the scheduler's threads, which may wait */
	void (*run)(struct sched_job *job);
	/* on the same thread, as its last touch of the job: the owner may have it back at once */
	void (*done)(struct sched_job *job);
	/* the rest is the scheduler's, under its lock but for `cancelled` */
	struct sched *sched;
	struct sched_caller caller;
	enum bulla_work work;
	enum job_state state;
	bool visits; /* by a thread that is not the scheduler's */
	struct sched_node *node;
	STAILQ_ENTRY(sched_job) link;
	pthread_cond_t *wake;
	int64_t slice_from_ns;
	atomic_bool cancelled;
};

/* Starts the first threads; more are started when they are needed. NULL: no memory or no threads. */
struct sched *sched_new(const struct sched_config *config);

/* false: the class has too many jobs that wait, or the caller has too many of them; the job is still the owner's. Any thread. */
bool sched_submit(struct sched *sched, struct sched_job *job, enum bulla_work work, const struct sched_caller *caller);

/* Nobody waits for the job any more: it ends at its next yield, or where it waits for a turn. The job has not been done, as far as its owner knows.
 * Any thread. */
void sched_cancel(struct sched_job *job);

/* The same for all jobs, also those to come: the server stops. Any thread. */
void sched_cancel_all(struct sched *sched);

/* When no job is left: ends the threads, frees. NULL is fine. */
void sched_free(struct sched *sched);

/* ---- for threads that are not the scheduler's ------------------------------------------------------------------------------------ */

/* A thread that does its own work (what is due by time) takes turns with the others where that computes: its call gets &visitor.job.turn.
 * It needs no permit for the disk. visitor: zeros. */
struct sched_visitor {
	struct sched_job job;
	pthread_cond_t wake;
};
void sched_visit(struct sched *sched, struct sched_visitor *visitor, const struct sched_caller *caller);
void sched_leave(struct sched_visitor *visitor); /* gives back what it holds */

#endif
