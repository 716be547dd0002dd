/* The clocks: with the system's clock stepped under them (this program's own clock_gettime stands before libc's), and with both
 * sources replaced. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bulla/clock.h"
#include "unit.h"

#define S INT64_C(1000000000)
#define DAY (86400 * S)
#define NOW (INT64_C(1795287940) * S)

static int64_t step_ns; /* how far the system's clock has been set away */

int clock_gettime(clockid_t id, struct timespec *t)
{
	if (syscall(SYS_clock_gettime, id, t) != 0)
		return -1;
	if (id == CLOCK_REALTIME) {
		int64_t ns = (int64_t)t->tv_sec * S + t->tv_nsec + step_ns;

		t->tv_sec = ns / S;
		t->tv_nsec = ns % S;
	}
	return 0;
}

static int64_t wall(void)
{
	struct timespec t;

	ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &t), 0);
	return (int64_t)t.tv_sec * S + t.tv_nsec;
}

/* The steps below are of 10 s and more: there is time for a busy machine to let the process wait. */
static void near(int64_t a, int64_t b)
{
	ck_assert_msg(a - b < 4 * S && b - a < 4 * S, "%lld and %lld", (long long)a, (long long)b);
}

/* ---- the real sources --------------------------------------------------------------------------------------------------- */

static const int64_t steps[] = { 30 * S, 600 * S, 7200 * S, -DAY, 40 * DAY, -20000 * DAY };

START_TEST(a_step_moves_dates_alone)
{
	int64_t before = bulla_clock_ns(), elapsed = bulla_elapsed_ns();

	near(before, wall());
	ck_assert_int_eq(bulla_wall_step_ns(S), 0);
	step_ns = steps[_i];
	near(bulla_clock_ns(), before);
	near(bulla_elapsed_ns(), elapsed);
	near(bulla_wall_ns(), before + steps[_i]);
	near(bulla_wall_s() * S, before + steps[_i]);
	near(bulla_clock_s() * S, before);
	near(bulla_date_of(before), before + steps[_i]);
	near(bulla_clock_of(before + steps[_i]), before);
	near(bulla_wall_step_ns(S), steps[_i]);
	ck_assert_int_eq(bulla_wall_step_ns(S), 0); /* told once */
	step_ns = 0;
	near(bulla_wall_step_ns(S), -steps[_i]);
	near(bulla_date_of(before), before);
}
END_TEST

START_TEST(goes_on)
{
	int64_t before = bulla_clock_ns();

	while (bulla_clock_ns() == before) /* Check's timeout ends it */
		;
	ck_assert_int_gt(bulla_clock_ns(), before);
}
END_TEST

/* What is shown of one point is the same each time: clients compare it. */
START_TEST(a_date_does_not_tremble)
{
	int64_t point = bulla_clock_ns(), date = bulla_date_of(point);

	for (int i = 0; i < 10000; i++)
		ck_assert_int_eq(bulla_date_of(point), date);
	ck_assert_int_eq(bulla_clock_of(date), point);
	ck_assert_int_eq(bulla_date_of(0), 0);
	ck_assert_int_eq(bulla_date_of(INT64_MAX), INT64_MAX);
	ck_assert_int_eq(bulla_clock_of(0), 0);
}
END_TEST

/* ---- replaced sources ------------------------------------------------------------------------------------------------------ */

static int64_t elapsed_now, wall_now;

static int64_t replaced_elapsed(void)
{
	return elapsed_now;
}

static int64_t replaced_wall(void)
{
	return wall_now;
}

static void replace(int64_t elapsed_ns, int64_t wall_ns)
{
	elapsed_now = elapsed_ns;
	wall_now = wall_ns;
	bulla_clock_replace(replaced_elapsed, replaced_wall);
}

START_TEST(one_source_for_both)
{
	wall_now = NOW + 7;
	bulla_clock_replace(replaced_wall, replaced_wall);
	ck_assert_int_eq(bulla_clock_ns(), NOW + 7);
	ck_assert_int_eq(bulla_wall_ns(), NOW + 7);
	wall_now += 5 * S;
	ck_assert_int_eq(bulla_clock_s(), NOW / S + 5);
	ck_assert_int_eq(bulla_date_of(NOW), NOW);
	bulla_clock_replace(NULL, NULL);
	near(bulla_clock_ns(), wall());
}
END_TEST

START_TEST(settled_once_then_only_forward)
{
	replace(100 * S, NOW);
	ck_assert_int_eq(bulla_clock_ns(), NOW);
	ck_assert(!bulla_clock_is_settled());
	ck_assert(bulla_clock_settle(NOW - DAY)); /* what was provisional may be too late */
	ck_assert_int_eq(bulla_clock_ns(), NOW - DAY);
	ck_assert(bulla_clock_is_settled());
	elapsed_now += 10 * S;
	ck_assert_int_eq(bulla_clock_ns(), NOW - DAY + 10 * S);
	ck_assert_int_eq(bulla_date_of(NOW - DAY), NOW - 10 * S); /* the system's clock stood still meanwhile */
	ck_assert(!bulla_clock_settle(NOW - 2 * DAY));
	ck_assert_int_eq(bulla_clock_ns(), NOW - DAY + 10 * S);
	ck_assert(!bulla_clock_settle(NOW));
	ck_assert_int_eq(bulla_clock_ns(), NOW);
}
END_TEST

START_TEST(small_steps_add_up)
{
	replace(100 * S, NOW);
	ck_assert_int_eq(bulla_wall_step_ns(S), 0);
	for (int i = 0; i < 3; i++) {
		wall_now += 3 * S / 10;
		ck_assert_int_eq(bulla_wall_step_ns(S), 0);
	}
	wall_now += 3 * S / 10;
	ck_assert_int_eq(bulla_wall_step_ns(S), 12 * S / 10);
	wall_now -= 2 * S;
	ck_assert_int_eq(bulla_wall_step_ns(S), -2 * S);
}
END_TEST

/* A thread that is held up between reading both sources does not take that for a step. */
static int64_t held_up_ns;

static int64_t slow_wall(void)
{
	elapsed_now += held_up_ns;
	return elapsed_now + NOW;
}

START_TEST(a_pause_is_no_step)
{
	elapsed_now = 100 * S;
	bulla_clock_replace(replaced_elapsed, slow_wall);
	ck_assert_int_eq(bulla_wall_step_ns(S / 100), 0);
	int64_t date = bulla_date_of(NOW);

	held_up_ns = 3 * S;
	ck_assert_int_eq(bulla_wall_step_ns(S / 100), 0);
	ck_assert_int_eq(bulla_date_of(NOW), date);
	held_up_ns = 0;
}
END_TEST

/* ---- going on with a store's clock ------------------------------------------------------------------------------------------- */

static const struct {
	const char *what;
	int64_t kept, date, waited, at;
	enum bulla_clock_resumed how;
} resumed[] = {
	{ "no point was kept", 0, NOW, 5 * S, NOW, BULLA_CLOCK_IS_WALL },
	{ "no point was kept, in 1970", 0, -5 * S, 0, 1, BULLA_CLOCK_IS_WALL },
	{ "a restart", NOW, NOW + 2 * S, S, NOW + 2 * S, BULLA_CLOCK_IS_WALL },
	{ "two hours off", NOW, NOW + 7200 * S, S, NOW + 7200 * S, BULLA_CLOCK_IS_WALL },
	{ "a month off", NOW, NOW + 31 * DAY, 0, NOW + 31 * DAY, BULLA_CLOCK_IS_WALL },
	{ "a month off, and more", NOW, NOW + 31 * DAY + 1, 0, NOW, BULLA_CLOCK_IS_FAR_BEHIND },
	{ "set forward by 40 days", NOW, NOW + 40 * DAY, 3 * S, NOW + 3 * S, BULLA_CLOCK_IS_FAR_BEHIND },
	{ "waited for its keys longer than that", NOW, NOW + 40 * DAY, 10 * DAY, NOW + 40 * DAY, BULLA_CLOCK_IS_WALL },
	{ "set back by a second", NOW, NOW - S, 0, NOW, BULLA_CLOCK_IS_AHEAD },
	{ "set back by a day", NOW, NOW - DAY, 3 * S, NOW + 3 * S, BULLA_CLOCK_IS_AHEAD },
	{ "in 1970", NOW, 17 * S, 3 * S, NOW + 3 * S, BULLA_CLOCK_IS_AHEAD },
	{ "before 1970", NOW, -17 * S, 0, NOW, BULLA_CLOCK_IS_AHEAD },
	{ "kept in 1970", 20 * S, NOW, S, 21 * S, BULLA_CLOCK_IS_FAR_BEHIND },
	{ "far beyond", NOW, INT64_MAX, 0, NOW, BULLA_CLOCK_IS_FAR_BEHIND },
	{ "none kept, far beyond", 0, INT64_MAX, 0, BULLA_CLOCK_LAST_NS, BULLA_CLOCK_IS_WALL },
};

START_TEST(resumes)
{
	int64_t at = -1;
	enum bulla_clock_resumed how = bulla_clock_resume_at(resumed[_i].kept, resumed[_i].date, resumed[_i].waited, &at);

	ck_assert_msg(how == resumed[_i].how && at == resumed[_i].at, "%s: %d, %lld", resumed[_i].what, (int)how, (long long)at);
}
END_TEST

START_TEST(ends)
{
	const struct bulla_now now = { .clock_ns = 100, .date_ns = 500 };
	const struct {
		struct bulla_end end;
		bool over;
	} cases[] = { { { 0, false }, false }, { { 0, true }, false }, { { 100, false }, true }, { { 101, false }, false },
		      { { 101, true }, true }, { { 500, true }, true }, { { 501, true }, false } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ck_assert_int_eq(bulla_end_is_over(cases[i].end, &now), cases[i].over);
	replace(100 * S, NOW);
	ck_assert_int_eq(bulla_clock_ns(), NOW);
	wall_now += DAY;
	ck_assert_int_eq(bulla_end_date_ns((struct bulla_end){ NOW, false }), NOW + DAY);
	ck_assert_int_eq(bulla_end_date_ns((struct bulla_end){ NOW, true }), NOW);
	ck_assert_int_eq(bulla_end_date_ns((struct bulla_end){ 0 }), 0);
}
END_TEST

/* As Go's time.Format with RFC3339Nano. */
static const struct {
	int64_t ns;
	const char *text;
} printed[] = {
	{ 0, "1970-01-01T00:00:00Z" },
	{ 1, "1970-01-01T00:00:00.000000001Z" },
	{ -1, "1969-12-31T23:59:59.999999999Z" },
	{ -1500000000, "1969-12-31T23:59:58.5Z" },
	{ 1795287940725475082, "2026-11-21T19:05:40.725475082Z" },
	{ 1795287940720000000, "2026-11-21T19:05:40.72Z" },
	{ 1795287940000000000, "2026-11-21T19:05:40Z" },
	{ 1709210096100000000, "2024-02-29T12:34:56.1Z" },
	{ INT64_MAX, "2262-04-11T23:47:16.854775807Z" },
	{ INT64_MIN, "1677-09-21T00:12:43.145224192Z" },
};

START_TEST(prints)
{
	char text[BULLA_TIME_TEXT];
	int n = bulla_time_print(printed[_i].ns, text);

	ck_assert_str_eq(text, printed[_i].text);
	ck_assert_int_eq(n, (int)strlen(text));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/clock");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, a_step_moves_dates_alone, 0, sizeof steps / sizeof steps[0]);
	tcase_add_test(tc, goes_on);
	tcase_add_test(tc, a_date_does_not_tremble);
	tcase_add_test(tc, one_source_for_both);
	tcase_add_test(tc, settled_once_then_only_forward);
	tcase_add_test(tc, small_steps_add_up);
	tcase_add_test(tc, a_pause_is_no_step);
	tcase_add_loop_test(tc, resumes, 0, sizeof resumed / sizeof resumed[0]);
	tcase_add_test(tc, ends);
	tcase_add_loop_test(tc, prints, 0, sizeof printed / sizeof printed[0]);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
