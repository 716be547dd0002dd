/* sched_sched.c: the threads: each job is run once, whatever its class; the queues are bounded; a class does not wait for another. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "sched/sched.h"
#include "unit.h"

struct counted {
	struct sched_job job;
	atomic_int runs, ends;
};

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int at_gate;

static void count(struct sched_job *job)
{
	atomic_fetch_add(&((struct counted *)(void *)job)->runs, 1);
}

static void end(struct sched_job *job)
{
	atomic_fetch_add(&((struct counted *)(void *)job)->ends, 1);
}

static void wait_at_gate(struct sched_job *job)
{
	atomic_fetch_add(&at_gate, 1);
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	count(job);
}

static bool submit(struct sched *sched, struct counted *c, void (*run)(struct sched_job *), enum bulla_work work, uint64_t family)
{
	const struct sched_caller caller = { .family = family };

	c->job.run = run;
	c->job.done = end;
	return sched_submit(sched, &c->job, work, &caller);
}

static void wait_for(atomic_int *value, int wanted)
{
	while (atomic_load(value) < wanted)
		(void)usleep(1000);
}

START_TEST(is_bounded)
{
	struct counted jobs[5] = { 0 };
	struct sched *sched = sched_new(&(struct sched_config){ .cores = 1, .disk_threads = 1, .max_queue = 2 });

	ck_assert_ptr_nonnull(sched);
	pthread_mutex_lock(&gate);
	ck_assert(submit(sched, &jobs[0], wait_at_gate, BULLA_WORK_DISK, 1));
	wait_for(&at_gate, 1);
	for (int i = 1; i < 5; i++)
		ck_assert(submit(sched, &jobs[i], count, BULLA_WORK_DISK, 1) == (i <= 2)); /* two wait, the others are refused */
	/* the disk is held up: computing and waiting for others are not, for nobody */
	struct counted others[2] = { 0 };

	ck_assert(submit(sched, &others[0], count, BULLA_WORK_CPU, 1));
	ck_assert(submit(sched, &others[1], count, BULLA_WORK_REMOTE, 1));
	wait_for(&others[0].ends, 1);
	wait_for(&others[1].ends, 1);
	pthread_mutex_unlock(&gate);
	for (int i = 0; i < 3; i++)
		wait_for(&jobs[i].ends, 1);
	sched_free(sched);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(atomic_load(&jobs[i].runs), i <= 2);
}
END_TEST

START_TEST(a_greedy_caller_is_refused_before_others)
{
	static struct counted jobs[200];
	struct sched *sched = sched_new(&(struct sched_config){ .cores = 1, .disk_threads = 1, .max_queue = 100 });
	int accepted = 0, i = 0;

	atomic_store(&at_gate, 0);
	pthread_mutex_lock(&gate);
	ck_assert(submit(sched, &jobs[i++], wait_at_gate, BULLA_WORK_CPU, 1));
	wait_for(&at_gate, 1);
	for (; i < 100; i++)
		accepted += submit(sched, &jobs[i], count, BULLA_WORK_CPU, 1);
	ck_assert_int_eq(accepted, 25);
	for (; i < 110; i++)
		ck_assert(submit(sched, &jobs[i], count, BULLA_WORK_CPU, 2));
	pthread_mutex_unlock(&gate);
	for (int j = 100; j < 110; j++)
		wait_for(&jobs[j].ends, 1);
	for (int j = 0; j < 26; j++)
		wait_for(&jobs[j].ends, 1);
	sched_free(sched);
}
END_TEST

#define MANY 20000

static struct counted many[MANY];

struct submitter {
	struct sched *sched;
	int from;
};

static void *submit_half(void *context)
{
	struct submitter *s = context;

	for (int i = s->from; i < MANY; i += 2)
		while (!submit(s->sched, &many[i], count, (enum bulla_work)(i / 2 % 3), (uint64_t)(i % 7)))
			sched_yield();
	return NULL;
}

START_TEST(runs_each_once)
{
	struct sched *sched = sched_new(&(struct sched_config){ .cores = 2, .disk_threads = 3 });
	struct submitter a = { sched, 0 }, b = { sched, 1 };
	pthread_t thread;

	ck_assert_ptr_nonnull(sched);
	ck_assert_int_eq(pthread_create(&thread, NULL, submit_half, &a), 0);
	submit_half(&b);
	pthread_join(thread, NULL);
	for (int i = 0; i < MANY; i++)
		wait_for(&many[i].ends, 1);
	sched_free(sched);
	for (int i = 0; i < MANY; i++)
		ck_assert(atomic_load(&many[i].runs) == 1 && atomic_load(&many[i].ends) == 1);
}
END_TEST

START_TEST(frees_nothing)
{
	struct sched *idle = sched_new(&(struct sched_config){ 0 });

	sched_free(NULL);
	ck_assert_ptr_nonnull(idle);
	sched_free(idle);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sched/sched");
	TCase *tc = tcase_create("sched");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, is_bounded);
	tcase_add_test(tc, a_greedy_caller_is_refused_before_others);
	tcase_add_test(tc, runs_each_once);
	tcase_add_test(tc, frees_nothing);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
