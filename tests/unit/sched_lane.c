/* sched_lane.c: whose turn it is: families one after the other, within them places, and who took long is passed over. */
#include "sched/sched_impl.h"
#include "unit.h"

static struct lane lane;
static struct sched_job jobs[64];
static size_t used;

static void setup(void)
{
	memset(&lane, 0, sizeof lane);
	memset(jobs, 0, sizeof jobs);
	used = 0;
	lane_init(&lane, 1);
	lane.max_fresh = 12;
	lane.max_fresh_family = 6;
	lane.max_fresh_anonymous = 8;
	lane.slice_ns = 1000;
}

static bool add(uint64_t family, uint64_t place, bool anonymous)
{
	struct sched_job *job = &jobs[used];

	job->caller = (struct sched_caller){ family, place, anonymous };
	if (!lane_add_fresh(&lane, job))
		return false;
	used++;
	return true;
}

/* Whose turn is next, as family * 10 + place; it takes so long, and is done. 0: nobody's. */
static uint64_t turn(int64_t ns)
{
	struct sched_job *job = lane_pick(&lane, true);

	if (job == NULL)
		return 0;
	uint64_t whose = job->caller.family * 10 + job->caller.place;

	job->state = JOB_RUNNING;
	lane_take_back(&lane, job, ns);
	lane_leave(&lane, job);
	return whose;
}

START_TEST(families_and_places)
{
	static const uint64_t order[] = { 11, 21, 31, 12, 22, 11, 21, 12, 11, 0 };

	for (int i = 0; i < 3; i++)
		ck_assert(add(1, 1, false));
	for (int i = 0; i < 2; i++)
		ck_assert(add(1, 2, false) && add(2, 1, false));
	ck_assert(add(2, 2, false) && add(3, 1, false));
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
		ck_assert_uint_eq(turn(10), order[i]);
	ck_assert(TAILQ_EMPTY(&lane.groups));
}
END_TEST

/* Three slices are paid for by two rounds that are the others'. */
START_TEST(who_takes_long_is_passed_over)
{
	for (int i = 0; i < 3; i++)
		ck_assert(add(1, 1, false));
	for (int i = 0; i < 5; i++)
		ck_assert(add(2, 1, false));
	ck_assert_uint_eq(turn(3000), 11);
	unsigned others = 0;

	while (turn(1000) == 21)
		others++;
	ck_assert_uint_ge(others, 2);
	ck_assert_uint_le(others, 3);
	/* alone, nobody waits for himself */
	while (lane.fresh > 0)
		ck_assert_uint_ne(turn(1000000000), 0);
	ck_assert(TAILQ_EMPTY(&lane.groups));
}
END_TEST

START_TEST(bounds)
{
	unsigned n = 0;

	while (add(1, n % 3, false))
		n++;
	ck_assert_uint_eq(n, 6); /* of a family, wherever it sits */
	ck_assert(add(2, 1, false) && add(3, 1, false));
	for (n = 0; add(100 + n, 1, true); n++)
		;
	ck_assert_uint_eq(n, 4); /* the class is full */
	for (n = 0; n < 12; n++)
		ck_assert_uint_ne(turn(1), 0);
	for (n = 0; add(100 + n, 1, true); n++)
		;
	ck_assert_uint_eq(n, 8); /* those who have not logged in, together */
	ck_assert(add(1, 1, false));
	while (turn(1) != 0)
		;
	ck_assert(TAILQ_EMPTY(&lane.groups));
}
END_TEST

/* One that has begun and yields takes turns with those of the same caller that have not. */
START_TEST(begun_and_fresh)
{
	struct sched_job *first;

	lane.node_started = 2;
	for (int i = 0; i < 3; i++)
		ck_assert(add(1, 1, false));
	first = lane_pick(&lane, true);
	ck_assert_ptr_eq(first, &jobs[0]);
	first->state = JOB_RUNNING;
	ck_assert_ptr_null(lane_pick(&lane, true)); /* no permit */
	lane_take_back(&lane, first, 10);
	lane_add_waiting(&lane, first->node, first, true);
	ck_assert_ptr_eq(lane_pick(&lane, false), first); /* no thread for another */
	first->state = JOB_RUNNING;
	lane_take_back(&lane, first, 10);
	lane_add_waiting(&lane, first->node, first, true);
	ck_assert_uint_eq(turn(10), 11);
	ck_assert_uint_eq(lane.fresh, 1);
	ck_assert_ptr_eq(lane_pick(&lane, true), first);
	first->state = JOB_RUNNING;
	lane_take_back(&lane, first, 10);
	lane_add_waiting(&lane, first->node, first, true);
	lane_withdraw(&lane, first);
	lane_leave(&lane, first);
	ck_assert_uint_eq(turn(10), 11);
	ck_assert(TAILQ_EMPTY(&lane.groups));
	ck_assert_uint_eq(atomic_load(&lane.wanted), 0);
	ck_assert_uint_eq(lane.free, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sched/lane");
	TCase *tc = tcase_create("lane");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, families_and_places);
	tcase_add_test(tc, who_takes_long_is_passed_over);
	tcase_add_test(tc, bounds);
	tcase_add_test(tc, begun_and_fresh);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
