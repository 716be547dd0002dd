/* turn.c: owns how a job that has begun goes on: in another class, or after others. Called by the job's own thread, which holds no lock
 * of anybody's and is in no read section: others may take long. */
#include <bulla/clock.h>

#include "sched/sched_impl.h"

static struct sched_job *job_of(struct bulla_turn *turn)
{
	return (struct sched_job *)(void *)turn;
}

static bool is_cancelled(const struct sched_job *job)
{
	return atomic_load_explicit(&job->cancelled, memory_order_relaxed) ||
	       atomic_load_explicit(&job->sched->cancelling, memory_order_relaxed);
}

/* With the lock: until the job has a permit. */
static enum bulla_err wait_for_permit(struct sched_job *job, struct lane *lane)
{
	while (job->state == JOB_WAITING && !is_cancelled(job))
		(void)pthread_cond_wait(job->wake, &job->sched->lock);
	if (job->state == JOB_WAITING) {
		lane_withdraw(lane, job);
		return BULLA_E_CANCELLED;
	}
	job->slice_from_ns = bulla_thread_cpu_ns();
	return BULLA_OK;
}

static void give_back(struct sched_job *job, struct lane *lane)
{
	if (job->state == JOB_RUNNING)
		lane_take_back(lane, job, lane->slice_ns > 0 ? bulla_thread_cpu_ns() - job->slice_from_ns : 0);
}

void turn_end(struct sched_job *job)
{
	struct lane *lane = &job->sched->lanes[job->work];

	if (job->node == NULL)
		return;
	give_back(job, lane);
	lane_leave(lane, job);
	sched_grant(job->sched, lane);
}

/* With the lock. */
static enum bulla_err change(struct sched_job *job, enum bulla_work work, uint64_t family, uint64_t place)
{
	struct lane *lane = &job->sched->lanes[work];
	struct sched_node *node = lane_node(lane, family, place);

	if (node == NULL)
		return BULLA_E_NO_MEMORY;
	if (lane->waiting >= lane->max_waiting || node->started - node->running >= lane->node_waiting) {
		lane_drop(lane, node);
		return BULLA_E_BUSY;
	}
	lane_add_waiting(lane, node, job, false);
	sched_grant(job->sched, lane);
	return wait_for_permit(job, lane);
}

/* With the lock. The old permit is given back first: no job waits for one while it holds another. */
static enum bulla_err move(struct sched_job *job, enum bulla_work work, uint64_t key)
{
	bool own_key = work == BULLA_WORK_REMOTE;

	turn_end(job);
	job->work = work;
	if (job->visits && work == BULLA_WORK_DISK)
		return BULLA_OK;
	return change(job, work, own_key ? key : job->caller.family, own_key ? 0 : job->caller.place);
}

enum bulla_err turn_enter(struct bulla_turn *turn, enum bulla_work work, uint64_t key)
{
	struct sched_job *job = job_of(turn);
	bool here = job->work == work && (job->state == JOB_RUNNING || (job->visits && work == BULLA_WORK_DISK));

	if (here && (work == BULLA_WORK_DISK || !is_cancelled(job)))
		return BULLA_OK;
	if (is_cancelled(job))
		return BULLA_E_CANCELLED;
	pthread_mutex_lock(&job->sched->lock);
	enum bulla_err err = move(job, work, key);

	pthread_mutex_unlock(&job->sched->lock);
	return err;
}

/* With the lock. */
static enum bulla_err let_others(struct sched_job *job, struct lane *lane)
{
	give_back(job, lane);
	lane_add_waiting(lane, job->node, job, true);
	sched_grant(job->sched, lane);
	return wait_for_permit(job, lane);
}

enum bulla_err turn_yield(struct bulla_turn *turn)
{
	struct sched_job *job = job_of(turn);
	struct lane *lane = &job->sched->lanes[job->work];

	if (is_cancelled(job))
		return BULLA_E_CANCELLED;
	if (job->work != BULLA_WORK_CPU || job->state != JOB_RUNNING)
		return BULLA_OK;
	int64_t now_ns = bulla_thread_cpu_ns();

	if (now_ns - job->slice_from_ns < lane->slice_ns)
		return BULLA_OK;
	if (atomic_load_explicit(&lane->wanted, memory_order_relaxed) == 0) {
		job->slice_from_ns = now_ns; /* nobody has waited so far: that is no debt */
		return BULLA_OK;
	}
	pthread_mutex_lock(&job->sched->lock);
	enum bulla_err err = let_others(job, lane);

	pthread_mutex_unlock(&job->sched->lock);
	return err;
}
