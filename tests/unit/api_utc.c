/* api_utc.c: times as they are shown: every day is the day that the C library's calendar has, and what has no such form is cut to one that has. */
#include "utc.h"

#include <stdio.h>
#include <time.h>

#include "api_unit.h"

START_TEST(ends)
{
	char out[UTC_SIZE];

	utc_print(out, INT64_MIN);
	ck_assert_str_eq(out, "1970-01-01T00:00:00Z");
	utc_print(out, -1);
	ck_assert_str_eq(out, "1970-01-01T00:00:00Z");
	utc_print(out, 253402300799);
	ck_assert_str_eq(out, "9999-12-31T23:59:59Z");
	utc_print(out, INT64_MAX);
	ck_assert_str_eq(out, "9999-12-31T23:59:59Z");
}
END_TEST

START_TEST(known)
{
	char out[UTC_SIZE];

	utc_print(out, 951782400); /* 2000 has a leap day, 2100 has none */
	ck_assert_str_eq(out, "2000-02-29T00:00:00Z");
	utc_print(out, 4107542400 - 1);
	ck_assert_str_eq(out, "2100-02-28T23:59:59Z");
	utc_print(out, 4107542400);
	ck_assert_str_eq(out, "2100-03-01T00:00:00Z");
}
END_TEST

/* Each day of 800 years, at a time of day that goes through all of them. */
START_TEST(like_libc)
{
	char out[UTC_SIZE], expected[UTC_SIZE];

	for (int64_t day = 0; day < 2 * 146097; day++) {
		int64_t s = day * 86400 + day * 7919 % 86400;
		time_t now = (time_t)s;
		struct tm utc;

		ck_assert_ptr_nonnull(gmtime_r(&now, &utc));
		strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &utc);
		utc_print(out, s);
		ck_assert_str_eq(out, expected);
	}
}
END_TEST

int main(void)
{
	TCase *all = tcase_create("utc");

	tcase_add_test(all, ends);
	tcase_add_test(all, known);
	tcase_add_test(all, like_libc);
	return api_unit_main(all, "api/utc");
}
