/* The clock, with the wall clock stepped under it: this program's own clock_gettime stands before libc's. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bulla/clock.h"
#include "unit.h"

#define S INT64_C(1000000000)

static int64_t step_ns; /* how far the wall clock has been set away */

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

START_TEST(a_step_changes_nothing)
{
	int64_t before = bulla_now_ns();

	near(before, wall());
	step_ns = 3600 * S;
	near(bulla_now_ns(), before);
	near(bulla_clock_drift_ns(), 3600 * S);
	step_ns = -7200 * S;
	near(bulla_now_ns(), before);
	near(bulla_clock_drift_ns(), -7200 * S);
	ck_assert_int_eq(bulla_now_s(), bulla_now_ns() / S);
}
END_TEST

START_TEST(slews_forward)
{
	int64_t before = bulla_now_ns();

	step_ns = 100 * S;
	bulla_clock_slew(10 * S);
	near(bulla_now_ns(), before + 10 * S);
	near(bulla_clock_drift_ns(), 90 * S);
	for (int i = 0; i < 20; i++)
		bulla_clock_slew(10 * S);
	near(bulla_now_ns(), wall()); /* and no further */
}
END_TEST

START_TEST(never_runs_backwards)
{
	int64_t before = bulla_now_ns();

	step_ns = -100 * S;
	bulla_clock_slew(10 * S);
	for (int i = 0; i < 1000; i++) {
		int64_t now = bulla_now_ns();

		ck_assert_int_ge(now, before);
		near(now, before); /* it stands still until the 10 s are made up for */
		before = now;
	}
	near(bulla_clock_drift_ns(), -90 * S);
}
END_TEST

static int64_t fixed(void)
{
	return 42 * S + 7;
}

START_TEST(replaced)
{
	bulla_clock_replace(fixed);
	ck_assert_int_eq(bulla_now_ns(), 42 * S + 7);
	ck_assert_int_eq(bulla_now_s(), 42);
	bulla_clock_replace(NULL);
	near(bulla_now_ns(), wall());
}
END_TEST

START_TEST(goes_on)
{
	int64_t before = bulla_now_ns();

	while (bulla_now_ns() == before) /* Check's timeout ends it */
		;
	ck_assert_int_gt(bulla_now_ns(), before);
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

	tcase_add_test(tc, a_step_changes_nothing);
	tcase_add_test(tc, slews_forward);
	tcase_add_test(tc, never_runs_backwards);
	tcase_add_test(tc, replaced);
	tcase_add_test(tc, goes_on);
	tcase_add_loop_test(tc, prints, 0, sizeof printed / sizeof printed[0]);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
