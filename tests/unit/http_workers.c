/* http_workers.c: the pool of threads: it is bounded, runs every job once, and finishes what is queued. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>

#include "http/workers.h"
#include "unit.h"

struct counted {
	struct job job;
	atomic_int runs;
};

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int at_gate;

static void count(struct job *job)
{
	atomic_fetch_add(&((struct counted *)(void *)job)->runs, 1);
}

static void wait_at_gate(struct job *job)
{
	atomic_fetch_add(&at_gate, 1);
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	count(job);
}

START_TEST(is_bounded)
{
	struct counted jobs[5] = { 0 };
	struct workers *workers = workers_new(1, 2);

	ck_assert_ptr_nonnull(workers);
	atomic_store(&at_gate, 0);
	pthread_mutex_lock(&gate);
	jobs[0].job.run = wait_at_gate;
	ck_assert(workers_submit(workers, &jobs[0].job));
	while (atomic_load(&at_gate) == 0)
		;
	for (int i = 1; i < 5; i++) {
		jobs[i].job.run = count;
		ck_assert(workers_submit(workers, &jobs[i].job) == (i <= 2)); /* two wait, the others are refused */
	}
	pthread_mutex_unlock(&gate);
	workers_free(workers); /* runs what is queued */
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(atomic_load(&jobs[i].runs), i <= 2);
}
END_TEST

#define MANY 20000

static struct counted many[MANY];

struct submitter {
	struct workers *workers;
	int from;
};

static void *submit_half(void *context)
{
	struct submitter *s = context;

	for (int i = s->from; i < MANY; i += 2) {
		many[i].job.run = count;
		while (!workers_submit(s->workers, &many[i].job))
			;
	}
	return NULL;
}

START_TEST(runs_each_once)
{
	struct workers *workers = workers_new(3, 100);
	struct submitter a = { workers, 0 }, b = { workers, 1 };
	pthread_t thread;

	ck_assert_ptr_nonnull(workers);
	ck_assert_int_eq(pthread_create(&thread, NULL, submit_half, &a), 0);
	submit_half(&b);
	pthread_join(thread, NULL);
	workers_free(workers);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(atomic_load(&many[i].runs), 1);
}
END_TEST

START_TEST(frees_nothing)
{
	workers_free(NULL);
	struct workers *idle = workers_new(2, 1);

	ck_assert_ptr_nonnull(idle);
	workers_free(idle);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http/workers");
	TCase *tc = tcase_create("workers");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, is_bounded);
	tcase_add_test(tc, runs_each_once);
	tcase_add_test(tc, frees_nothing);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
