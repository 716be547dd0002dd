/* Cases of lib/base/decimal.c and lib/base/time_parse.c. Numbers: from Python's int. */
#include "unit.h"

#include "base/decimal.h"
#include "bulla/clock.h"
#include "bulla/encode.h"

static const struct {
	const char *hex, *text;
} numbers[] = {
	{ "", "0" },
	{ "01", "1" },
	{ "3b9ac9ff", "999999999" },
	{ "3b9aca00", "1000000000" },
	{ "0de0b6b3a7640000", "1000000000000000000" },
	{ "ffffffffffffffff", "18446744073709551615" },
	{ "010000000000000000", "18446744073709551616" },
	{ "dc82e04e19d715074ea792b0b8694f84f85f070548e81bdabdb65c5b84f1edf9"
	  "09f3ec2f9a3f3f2c0f1c0e2d", "7902222071359244695850750744130817567935395430412992853312412362919367265978174160540107778132172980620845" },
};

static struct bulla_bytes unhex(const char *hex, uint8_t *out)
{
	ck_assert_ok(bulla_hex_decode(bulla_str(hex), out));
	return bulla_mem(out, strlen(hex) / 2);
}

START_TEST(both_ways)
{
	uint8_t bytes[64], back[DECIMAL_MAX_BYTES];
	struct bulla_bytes number = unhex(numbers[_i].hex, bytes);
	char text[DECIMAL_MAX_TEXT];
	size_t len = 99;

	ck_assert_bytes(bulla_mem(text, decimal_print(number, text)), numbers[_i].text);
	ck_assert_ok(decimal_parse(bulla_str(numbers[_i].text), back, &len));
	ck_assert(bulla_equal(bulla_mem(back, len), number));
}
END_TEST

START_TEST(leading_zeros_do_not_count)
{
	char text[DECIMAL_MAX_TEXT];

	ck_assert_bytes(bulla_mem(text, decimal_print(bulla_mem("\0\0\0\0\0\0\0\7", 8), text)), "7");
}
END_TEST

START_TEST(no_number)
{
	static const char *const bad[] = { "", "-1", "+1", "01", "00", "1.0", "1e3", " 1", "1 ", "0x1", "1a" };
	uint8_t out[DECIMAL_MAX_BYTES];
	size_t len = 99;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_err(decimal_parse(bulla_str(bad[i]), out, &len), BULLA_E_BAD_FIELD);
	ck_assert_uint_eq(len, 99);
}
END_TEST

START_TEST(the_largest)
{
	uint8_t most[DECIMAL_MAX_BYTES], out[DECIMAL_MAX_BYTES];
	char text[DECIMAL_MAX_TEXT + 1];
	size_t len;

	memset(most, 0xff, sizeof most);
	size_t n = decimal_print(bulla_mem(most, sizeof most), text);

	ck_assert_uint_eq(n, DECIMAL_MAX_TEXT);
	ck_assert_ok(decimal_parse(bulla_mem(text, n), out, &len));
	ck_assert(bulla_equal(bulla_mem(out, len), bulla_mem(most, sizeof most)));
	text[n - 1]++; /* it ends in 5: one more is 2^8192 */
	ck_assert_err(decimal_parse(bulla_mem(text, n), out, &len), BULLA_E_BAD_FIELD);
	text[n] = '0';
	ck_assert_err(decimal_parse(bulla_mem(text, n + 1), out, &len), BULLA_E_BAD_FIELD);
}
END_TEST

static const struct {
	const char *text;
	int64_t ns;
} times[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "2026-11-21T18:05:36.703076421Z", 1795284336703076421 },
	{ "2026-11-21T19:05:36.703076421+01:00", 1795284336703076421 },
	{ "2026-11-21T12:35:36.7-05:30", 1795284336700000000 },
	{ "2024-02-29T23:59:59.9999999999Z", 1709251199999999999 },
	{ "1969-12-31T23:59:59Z", -1000000000 },
	{ "2000-03-01T00:00:00Z", 951868800000000000 },
	{ "0001-01-01T00:00:00Z", 0 },
};

START_TEST(time_good)
{
	int64_t ns = 99;

	ck_assert_ok(bulla_time_parse(bulla_str(times[_i].text), &ns));
	ck_assert_int_eq(ns, times[_i].ns);
}
END_TEST

START_TEST(time_bad)
{
	static const char *const bad[] = {
		"", "2026", "2026-11-21", "2026-11-21T18:05:36", "2026-11-21 18:05:36Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00Z ", "2026-01-01T00:00:00z", "0000-01-01T00:00:00Z", "2026-1-01T00:00:00Z",
	};
	int64_t ns = 99;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_err(bulla_time_parse(bulla_str(bad[i]), &ns), BULLA_E_BAD_FIELD);
	ck_assert_int_eq(ns, 99);
}
END_TEST

START_TEST(time_both_ways)
{
	for (int64_t ns = -7000000000000000000; ns < 7000000000000000000; ns += 31557600123456789) {
		char text[BULLA_TIME_TEXT];
		int64_t back = 1;

		ck_assert_ok(bulla_time_parse(bulla_mem(text, (size_t)bulla_time_print(ns, text)), &back));
		ck_assert_int_eq(back, ns);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/decimal");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, both_ways, 0, sizeof numbers / sizeof numbers[0]);
	tcase_add_test(tc, leading_zeros_do_not_count);
	tcase_add_test(tc, no_number);
	tcase_add_test(tc, the_largest);
	tcase_add_loop_test(tc, time_good, 0, sizeof times / sizeof times[0]);
	tcase_add_test(tc, time_bad);
	tcase_add_test(tc, time_both_ways);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
