/* lane.c: owns the queues of one class: families take turns, and within a family its places. Under the scheduler's lock. */
#include "sched/sched_impl.h"

#include <stdlib.h>

#define MOST_DEBT_SLICES 64

/* ---- lists of jobs ---------------------------------------------------------------------------------------------------------------- */

struct sched_job *fifo_pop(struct fifo *fifo)
{
	struct sched_job *job = STAILQ_FIRST(fifo);

	if (job != NULL)
		STAILQ_REMOVE_HEAD(fifo, link);
	return job;
}

/* ---- callers ---------------------------------------------------------------------------------------------------------------------- */

void lane_init(struct lane *lane, unsigned permits)
{
	lane->permits = lane->free = permits;
	lane->node_running = lane->node_started = permits;
	lane->node_waiting = lane->max_started = lane->max_waiting = NO_LIMIT;
	TAILQ_INIT(&lane->groups);
}

static struct sched_group *find_group(struct lane *lane, uint64_t family)
{
	struct sched_group *group;

	TAILQ_FOREACH(group, &lane->groups, link)
		if (group->family == family)
			return group;
	return NULL;
}

static struct sched_group *make_group(struct lane *lane, uint64_t family)
{
	struct sched_group *group = calloc(1, sizeof *group);

	if (group == NULL)
		return NULL;
	group->family = family;
	TAILQ_INIT(&group->nodes);
	TAILQ_INSERT_TAIL(&lane->groups, group, link);
	lane->group_count++;
	return group;
}

static void drop_group(struct lane *lane, struct sched_group *group)
{
	if (!TAILQ_EMPTY(&group->nodes))
		return;
	TAILQ_REMOVE(&lane->groups, group, link);
	lane->group_count--;
	free(group);
}

struct sched_node *lane_node(struct lane *lane, uint64_t family, uint64_t place)
{
	struct sched_group *group = find_group(lane, family);
	struct sched_node *node;

	if (group == NULL && (group = make_group(lane, family)) == NULL)
		return NULL;
	TAILQ_FOREACH(node, &group->nodes, link)
		if (node->place == place)
			return node;
	node = calloc(1, sizeof *node);
	if (node == NULL) {
		drop_group(lane, group);
		return NULL;
	}
	node->place = place;
	node->group = group;
	STAILQ_INIT(&node->fresh);
	STAILQ_INIT(&node->waiting);
	TAILQ_INSERT_TAIL(&group->nodes, node, link);
	return node;
}

void lane_drop(struct lane *lane, struct sched_node *node)
{
	if (node->count > 0)
		return;
	TAILQ_REMOVE(&node->group->nodes, node, link);
	drop_group(lane, node->group);
	free(node);
}

/* ---- coming and going ------------------------------------------------------------------------------------------------------------- */

static bool has_room(const struct lane *lane, const struct sched_node *node, const struct sched_job *job)
{
	if (lane->fresh >= lane->max_fresh || node->group->fresh >= lane->max_fresh_family)
		return false;
	return !job->caller.anonymous || lane->fresh_anonymous < lane->max_fresh_anonymous;
}

bool lane_add_fresh(struct lane *lane, struct sched_job *job)
{
	struct sched_node *node = lane_node(lane, job->caller.family, job->caller.place);

	if (node == NULL)
		return false;
	if (!has_room(lane, node, job)) {
		lane_drop(lane, node);
		return false;
	}
	job->node = node;
	job->state = JOB_FRESH;
	STAILQ_INSERT_TAIL(&node->fresh, job, link);
	node->count++;
	node->group->fresh++;
	lane->fresh++;
	lane->fresh_anonymous += job->caller.anonymous;
	atomic_fetch_add_explicit(&lane->wanted, 1, memory_order_relaxed);
	return true;
}

void lane_add_waiting(struct lane *lane, struct sched_node *node, struct sched_job *job, bool again)
{
	job->node = node;
	job->state = JOB_WAITING;
	STAILQ_INSERT_TAIL(&node->waiting, job, link);
	lane->waiting++;
	atomic_fetch_add_explicit(&lane->wanted, 1, memory_order_relaxed);
	if (again)
		return;
	node->count++;
	node->started++;
	lane->started++;
}

static void waits_no_more(struct lane *lane)
{
	lane->waiting--;
	atomic_fetch_sub_explicit(&lane->wanted, 1, memory_order_relaxed);
}

void lane_withdraw(struct lane *lane, struct sched_job *job)
{
	STAILQ_REMOVE(&job->node->waiting, job, sched_job, link);
	waits_no_more(lane);
	job->state = JOB_IDLE;
}

void lane_take_back(struct lane *lane, struct sched_job *job, int64_t used_ns)
{
	struct sched_group *group = job->node->group;
	int64_t most_ns = MOST_DEBT_SLICES * lane->slice_ns;

	lane->free++;
	job->node->running--;
	job->state = JOB_IDLE;
	if (lane->slice_ns > 0 && used_ns > lane->slice_ns)
		group->debt_ns += used_ns - lane->slice_ns;
	if (group->debt_ns > most_ns)
		group->debt_ns = most_ns;
}

void lane_leave(struct lane *lane, struct sched_job *job)
{
	struct sched_node *node = job->node;

	job->node = NULL;
	lane->started--;
	node->started--;
	node->count--;
	lane_drop(lane, node);
}

/* ---- whose turn it is ------------------------------------------------------------------------------------------------------------- */

enum turn_of { NOBODY, A_FRESH_ONE, A_WAITING_ONE };

/* Those that have begun and those that have not take turns, too: short jobs of a caller are not behind his long ones. */
static enum turn_of turn_of_node(const struct lane *lane, const struct sched_node *node, bool may_start)
{
	bool fresh = may_start && !STAILQ_EMPTY(&node->fresh) && node->started < lane->node_started && lane->started < lane->max_started;
	bool waiting = !STAILQ_EMPTY(&node->waiting);

	if (node->running >= lane->node_running || (!fresh && !waiting))
		return NOBODY;
	return fresh && (!waiting || !node->fresh_last) ? A_FRESH_ONE : A_WAITING_ONE;
}

static struct sched_job *take(struct lane *lane, struct sched_node *node, enum turn_of whose)
{
	struct sched_group *group = node->group;
	struct sched_job *job = fifo_pop(whose == A_FRESH_ONE ? &node->fresh : &node->waiting);

	if (whose == A_FRESH_ONE) {
		lane->fresh--;
		lane->fresh_anonymous -= job->caller.anonymous;
		group->fresh--;
		lane->started++;
		node->started++;
		atomic_fetch_sub_explicit(&lane->wanted, 1, memory_order_relaxed);
	} else {
		waits_no_more(lane);
	}
	node->fresh_last = whose == A_FRESH_ONE;
	node->running++;
	lane->free--;
	/* the next turn is others' */
	TAILQ_REMOVE(&group->nodes, node, link);
	TAILQ_INSERT_TAIL(&group->nodes, node, link);
	TAILQ_REMOVE(&lane->groups, group, link);
	TAILQ_INSERT_TAIL(&lane->groups, group, link);
	return job;
}

static struct sched_job *pick_of_group(struct lane *lane, struct sched_group *group, bool may_start, bool *owes)
{
	struct sched_node *node;

	TAILQ_FOREACH(node, &group->nodes, link) {
		enum turn_of whose = turn_of_node(lane, node, may_start);

		if (whose == NOBODY)
			continue;
		if (group->debt_ns <= 0)
			return take(lane, node, whose);
		group->debt_ns -= group->debt_ns < lane->slice_ns ? group->debt_ns : lane->slice_ns;
		*owes = true;
		return NULL;
	}
	return NULL;
}

/* A round: each family is looked at once. */
static struct sched_job *pick_in_round(struct lane *lane, bool may_start, bool *owes)
{
	for (size_t left = lane->group_count; left > 0; left--) {
		struct sched_group *group = TAILQ_FIRST(&lane->groups);
		struct sched_job *job = pick_of_group(lane, group, may_start, owes);

		if (job != NULL)
			return job;
		TAILQ_REMOVE(&lane->groups, group, link);
		TAILQ_INSERT_TAIL(&lane->groups, group, link);
	}
	return NULL;
}

struct sched_job *lane_pick(struct lane *lane, bool may_start)
{
	struct sched_job *job = NULL;

	for (bool owes = lane->free > 0; job == NULL && owes;) {
		owes = false; /* whoever owes is passed over in this round, and has the next one if there is nobody else */
		job = pick_in_round(lane, may_start, &owes);
	}
	return job;
}
