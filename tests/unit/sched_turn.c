/* sched_turn.c: jobs that change their class and yield: no more compute at a time than there are permits, callers go by each other, and who is
 * given up ends. */
#define _GNU_SOURCE
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "sched/sched.h"
#include "unit.h"

#define SLICE_NS 200000
#define CORES 2

struct work {
	struct sched_job job;
	struct bulla_call call;
	unsigned parts;          /* of half a slice each; 0: until it is given up */
	enum bulla_err err;
	atomic_uint done_parts;
	atomic_int ended;
};

static atomic_int computing, most;

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Counts who computes at a time, around what is done between two turns. */
static void compute(int64_t ns)
{
	int64_t until = cpu_ns() + ns;
	int now = atomic_fetch_add(&computing, 1) + 1, before = atomic_load(&most);

	while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
		;
	while (cpu_ns() < until)
		;
	atomic_fetch_sub(&computing, 1);
}

static enum bulla_err batch(struct work *w)
{
	TRY(bulla_work(&w->call, BULLA_WORK_CPU));
	while (w->parts == 0 || atomic_load(&w->done_parts) < w->parts) {
		compute(SLICE_NS / 2);
		atomic_fetch_add(&w->done_parts, 1);
		TRY(bulla_yield(&w->call));
	}
	return BULLA_OK;
}

static void run_batch(struct sched_job *job)
{
	struct work *w = (struct work *)(void *)job;

	w->err = batch(w);
}

/* As a login: the disk, computing, the disk. */
static enum bulla_err back_and_forth(struct work *w)
{
	for (unsigned i = 0; i < w->parts; i++) {
		TRY(bulla_work(&w->call, BULLA_WORK_DISK));
		TRY(bulla_work(&w->call, BULLA_WORK_CPU));
		compute(SLICE_NS / 20);
		if (i % 8 == 0)
			TRY(bulla_work_remote(&w->call, i));
		atomic_fetch_add(&w->done_parts, 1);
	}
	return bulla_work(&w->call, BULLA_WORK_DISK);
}

static void run_back_and_forth(struct sched_job *job)
{
	struct work *w = (struct work *)(void *)job;

	w->err = back_and_forth(w);
}

static void end(struct sched_job *job)
{
	atomic_store(&((struct work *)(void *)job)->ended, 1);
}

static struct sched *sched;

static void setup(void)
{
	atomic_store(&computing, 0);
	atomic_store(&most, 0);
	sched = sched_new(&(struct sched_config){ .cores = CORES, .slice_ns = SLICE_NS });
	ck_assert_ptr_nonnull(sched);
}

static void teardown(void)
{
	sched_free(sched);
}

static bool begin(struct work *w, void (*run)(struct sched_job *), enum bulla_work work, uint64_t family, uint64_t place)
{
	const struct sched_caller caller = { .family = family, .place = place };

	w->job.run = run;
	w->job.done = end;
	w->call = (struct bulla_call){ .may_block = true, .turn = &w->job.turn };
	return sched_submit(sched, &w->job, work, &caller);
}

static void wait_for_end(struct work *w)
{
	while (!atomic_load(&w->ended))
		(void)usleep(1000);
}

static void wait_for_parts(struct work *w, unsigned parts)
{
	while (atomic_load(&w->done_parts) < parts)
		(void)usleep(1000);
}

START_TEST(permits)
{
	static struct work jobs[32];

	memset(jobs, 0, sizeof jobs);
	for (unsigned i = 0; i < 32; i++) {
		jobs[i].parts = 20;
		ck_assert(begin(&jobs[i], i % 2 ? run_batch : run_back_and_forth, i % 3 ? BULLA_WORK_CPU : BULLA_WORK_DISK, i % 5, i));
	}
	for (unsigned i = 0; i < 32; i++) {
		wait_for_end(&jobs[i]);
		ck_assert_err(jobs[i].err, BULLA_OK);
		ck_assert_uint_eq(atomic_load(&jobs[i].done_parts), 20);
	}
	ck_assert_int_eq(atomic_load(&most), CORES);
}
END_TEST

/* Endless batches of one family: what others want is done meanwhile, and also what the same family wants from another place. */
START_TEST(others_go_by)
{
	static struct work rivals[24], others[6];

	memset(rivals, 0, sizeof rivals);
	memset(others, 0, sizeof others);
	for (size_t i = 0; i < 24; i++)
		ck_assert(begin(&rivals[i], run_batch, BULLA_WORK_CPU, 1, 1));
	wait_for_parts(&rivals[0], 1);
	for (size_t i = 0; i < 6; i++) {
		others[i].parts = 30;
		ck_assert(begin(&others[i], run_batch, BULLA_WORK_CPU, i < 5 ? 2 + i : 1, 2));
	}
	for (size_t i = 0; i < 6; i++)
		wait_for_end(&others[i]);
	unsigned begun = 0;

	for (size_t i = 0; i < 24; i++) {
		begun += atomic_load(&rivals[i].done_parts) > 0;
		ck_assert(!atomic_load(&rivals[i].ended));
	}
	ck_assert_uint_le(begun, CORES); /* a caller has few jobs at a time; the others have not begun */
	for (size_t i = 0; i < 24; i++)
		sched_cancel(&rivals[i].job);
	for (size_t i = 0; i < 24; i++) {
		wait_for_end(&rivals[i]);
		ck_assert_err(rivals[i].err, BULLA_E_CANCELLED);
	}
}
END_TEST

/* Turns are of the same length: two endless jobs of two callers, on one core, get on alike. */
START_TEST(in_equal_parts)
{
	static struct work a[2], b;
	struct sched *two_cores = sched;

	memset(a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	sched = sched_new(&(struct sched_config){ .cores = 1, .slice_ns = SLICE_NS });
	ck_assert(begin(&a[0], run_batch, BULLA_WORK_CPU, 1, 1) && begin(&a[1], run_batch, BULLA_WORK_CPU, 1, 1));
	ck_assert(begin(&b, run_batch, BULLA_WORK_CPU, 2, 1));
	wait_for_parts(&b, 1);
	unsigned before = atomic_load(&a[0].done_parts) + atomic_load(&a[1].done_parts);

	wait_for_parts(&b, 101);
	unsigned meanwhile = atomic_load(&a[0].done_parts) + atomic_load(&a[1].done_parts) - before;

	sched_cancel_all(sched);
	wait_for_end(&a[0]);
	wait_for_end(&a[1]);
	wait_for_end(&b);
	sched_free(sched);
	sched = two_cores;
	ck_assert_uint_ge(meanwhile, 50);
	ck_assert_uint_le(meanwhile, 200);
}
END_TEST

/* One long piece of work, as a password's hash is. */
static void run_long(struct sched_job *job)
{
	struct work *w = (struct work *)(void *)job;

	w->err = bulla_work(&w->call, BULLA_WORK_DISK);
	if (w->err == BULLA_OK)
		w->err = bulla_work(&w->call, BULLA_WORK_CPU);
	if (w->err != BULLA_OK)
		return;
	compute(28 * SLICE_NS);
	atomic_fetch_add(&w->done_parts, 1);
	w->err = bulla_work(&w->call, BULLA_WORK_DISK);
}

/* A queue of long jobs, beside an endless batch and a caller who comes again and again with one of them: the queue gets on, too. */
START_TEST(none_starves)
{
	static struct work queue[16], rivals[4], one;
	unsigned done = 0;

	memset(queue, 0, sizeof queue);
	memset(rivals, 0, sizeof rivals);
	for (size_t i = 0; i < 4; i++)
		ck_assert(begin(&rivals[i], run_batch, BULLA_WORK_CPU, 1, 1));
	wait_for_parts(&rivals[0], 1);
	for (size_t i = 0; i < 16; i++)
		ck_assert(begin(&queue[i], run_long, BULLA_WORK_CPU, 2, 2));
	for (int i = 0; i < 16; i++) {
		memset(&one, 0, sizeof one);
		ck_assert(begin(&one, run_long, BULLA_WORK_CPU, 3, 3));
		wait_for_end(&one);
	}
	for (size_t i = 0; i < 16; i++)
		done += atomic_load(&queue[i].ended);
	sched_cancel_all(sched);
	for (size_t i = 0; i < 16; i++)
		wait_for_end(&queue[i]);
	for (size_t i = 0; i < 4; i++)
		wait_for_end(&rivals[i]);
	ck_assert_uint_ge(done, 3);
}
END_TEST

static atomic_int holding;

/* Nobody is ahead of the others at the same server, and the number of those who wait is bounded. */
static void run_remote(struct sched_job *job)
{
	struct work *w = (struct work *)(void *)job;

	w->err = bulla_work_remote(&w->call, 7);
	if (w->err != BULLA_OK)
		return;
	atomic_fetch_add(&holding, 1);
	while ((w->err = bulla_yield(&w->call)) == BULLA_OK)
		(void)usleep(1000);
}

START_TEST(a_silent_server)
{
	static struct work waiting[40], other;
	unsigned refused = 0;

	memset(waiting, 0, sizeof waiting);
	memset(&other, 0, sizeof other);
	atomic_store(&holding, 0);
	for (size_t i = 0; i < 40; i++)
		ck_assert(begin(&waiting[i], run_remote, BULLA_WORK_CPU, i, i));
	while (refused < 40 - 4 - 16) {
		refused = 0;
		for (size_t i = 0; i < 40; i++)
			refused += atomic_load(&waiting[i].ended) && waiting[i].err == BULLA_E_BUSY;
		(void)usleep(1000);
	}
	ck_assert_int_eq(atomic_load(&holding), 4);
	for (size_t i = 0; i < 40; i++)
		if (atomic_load(&waiting[i].ended) && waiting[i].err == BULLA_E_BUSY)
			ck_assert_int_eq(waiting[i].call.retry_after_s, 2);
	other.parts = 9; /* waits for others, too, at times */
	ck_assert(begin(&other, run_back_and_forth, BULLA_WORK_DISK, 1, 1));
	wait_for_end(&other);
	ck_assert_err(other.err, BULLA_OK);
	sched_cancel_all(sched);
	for (size_t i = 0; i < 40; i++)
		wait_for_end(&waiting[i]);
}
END_TEST

/* A job that was given up before it began ends where it would compute; one for the disk is done. */
START_TEST(given_up_early)
{
	static struct work rivals[CORES], late;

	memset(rivals, 0, sizeof rivals);
	memset(&late, 0, sizeof late);
	for (size_t i = 0; i < CORES; i++)
		ck_assert(begin(&rivals[i], run_batch, BULLA_WORK_CPU, 1, 1));
	wait_for_parts(&rivals[0], 1);
	ck_assert(begin(&late, run_batch, BULLA_WORK_CPU, 1, 1));
	sched_cancel(&late.job);
	for (size_t i = 0; i < CORES; i++)
		sched_cancel(&rivals[i].job);
	wait_for_end(&late);
	ck_assert_err(late.err, BULLA_E_CANCELLED);
	ck_assert_uint_eq(atomic_load(&late.done_parts), 0);
	for (size_t i = 0; i < CORES; i++)
		wait_for_end(&rivals[i]);
}
END_TEST

START_TEST(a_visitor)
{
	static struct work rival;
	struct sched_visitor visitor = { 0 };
	struct bulla_call call = { .may_block = true, .turn = &visitor.job.turn };

	memset(&rival, 0, sizeof rival);
	sched_visit(sched, &visitor, &(struct sched_caller){ .family = 9 });
	ck_assert_err(bulla_work(&call, BULLA_WORK_DISK), BULLA_OK);
	ck_assert(begin(&rival, run_batch, BULLA_WORK_CPU, 1, 1));
	ck_assert_err(bulla_work(&call, BULLA_WORK_CPU), BULLA_OK);
	for (int i = 0; i < 100; i++) {
		compute(SLICE_NS / 2);
		ck_assert_err(bulla_yield(&call), BULLA_OK);
	}
	ck_assert_err(bulla_work(&call, BULLA_WORK_DISK), BULLA_OK);
	ck_assert_err(bulla_work(&call, BULLA_WORK_CPU), BULLA_OK);
	sched_leave(&visitor);
	sched_cancel(&rival.job);
	wait_for_end(&rival);
	ck_assert_int_le(atomic_load(&most), CORES);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sched/turn");
	TCase *tc = tcase_create("turn");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, permits);
	tcase_add_test(tc, others_go_by);
	tcase_add_test(tc, in_equal_parts);
	tcase_add_test(tc, none_starves);
	tcase_add_test(tc, a_silent_server);
	tcase_add_test(tc, given_up_early);
	tcase_add_test(tc, a_visitor);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
