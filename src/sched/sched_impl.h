/* sched_impl.h: what the files of sched/ share.
 *   lane.c   the queues of a class: callers, their places, whose turn it is
 *   sched.c  the threads, submitting and cancelling
 *   turn.c   changing the class in the midst of a job, and yielding
 * All of it under sched.lock, but for what says otherwise. */
#ifndef BULLA_SCHED_SCHED_IMPL_H
#define BULLA_SCHED_SCHED_IMPL_H

#include "sched/sched.h"

#define SCHED_CLASSES 3
#define NO_LIMIT UINT32_MAX

/* A list of jobs, first in first out. */
STAILQ_HEAD(fifo, sched_job);

/* One place of a family. */
struct sched_node {
	TAILQ_ENTRY(sched_node) link;
	struct sched_group *group;
	uint64_t place;
	struct fifo fresh;   /* have not begun */
	struct fifo waiting; /* have, and wait for a permit */
	unsigned started, running, count; /* have begun (and hold a permit, or wait for one); hold one; those and the fresh ones */
	bool fresh_last;     /* the last turn was a fresh one's */
};

/* One family. */
struct sched_group {
	TAILQ_ENTRY(sched_group) link;
	TAILQ_HEAD(, sched_node) nodes; /* in the order of their turns */
	uint64_t family;
	size_t fresh;
	int64_t debt_ns; /* what its last turns took beyond a slice: it is passed over for as long */
};

/* A class. */
struct lane {
	unsigned permits, free;
	unsigned node_running, node_started; /* at most so many of a place hold a permit, have begun */
	unsigned node_waiting;               /* ... and wait for a permit in their midst */
	unsigned max_started, max_waiting;   /* of all */
	size_t max_fresh, max_fresh_family, max_fresh_anonymous;
	unsigned started, waiting;
	size_t fresh, fresh_anonymous;
	atomic_uint wanted; /* fresh and waiting ones: read without the lock */
	int64_t slice_ns;
	TAILQ_HEAD(, sched_group) groups; /* in the order of their turns */
	size_t group_count;
};

struct sched_thread {
	struct sched *sched;
	struct sched_thread *next;
	pthread_t thread;
	pthread_cond_t wake;
};

struct sched {
	pthread_mutex_t lock;
	pthread_cond_t ready_wake, gone; /* gone: a thread has ended */
	struct lane lanes[SCHED_CLASSES];
	struct fifo ready; /* hold a permit, and wait for a thread */
	unsigned ready_count;
	unsigned threads, idle, min_threads, max_threads; /* idle: without a job */
	struct sched_thread *ended; /* to be joined */
	atomic_bool cancelling;
	bool stopping;
};

/* ---- lane.c ---------------------------------------------------------------------------------------------------------------------- */

struct sched_job *fifo_pop(struct fifo *fifo); /* NULL: it is empty */

void lane_init(struct lane *lane, unsigned permits);
/* The place's node, made if there is none; NULL: no memory. One that is not used is to be dropped. */
struct sched_node *lane_node(struct lane *lane, uint64_t family, uint64_t place);
void lane_drop(struct lane *lane, struct sched_node *node); /* unless a job needs it */
/* Puts a job that has not begun in its place's queue. false: there are too many, or no memory. */
bool lane_add_fresh(struct lane *lane, struct sched_job *job);
/* One that has begun waits in node's queue for a permit; it counts as begun here from now on, or does so already (again). */
void lane_add_waiting(struct lane *lane, struct sched_node *node, struct sched_job *job, bool again);
/* It waits no longer, without having got a permit. */
void lane_withdraw(struct lane *lane, struct sched_job *job);
/* Takes the permit of a running job back, which has used so much CPU time since it got it. */
void lane_take_back(struct lane *lane, struct sched_job *job, int64_t used_ns);
/* A job without a permit has ended here, or goes elsewhere. */
void lane_leave(struct lane *lane, struct sched_job *job);
/* Whose turn it is, with a permit; NULL: none is free, or nobody may have one. may_start: there is a thread for one that has not begun. */
struct sched_job *lane_pick(struct lane *lane, bool may_start);

/* ---- sched.c, turn.c -------------------------------------------------------------------------------------------------------------- */

/* Hands the free permits out. */
void sched_grant(struct sched *sched, struct lane *lane);
/* Ends the job's part in its class. */
void turn_end(struct sched_job *job);
/* For bulla_call.turn. Not under the lock. */
enum bulla_err turn_enter(struct bulla_turn *turn, enum bulla_work work, uint64_t key);
enum bulla_err turn_yield(struct bulla_turn *turn);

#endif
