/* How long leases run, what is cut, and how durations are printed. */
#include "engine_unit.h"

#include "access/access_private.h"

#define H 3600

static struct access rules = { .default_ttl_s = 768 * H, .max_ttl_s = 768 * H };

static const struct {
	int64_t seconds;
	const char *text;
} durations[] = {
	{ 0, "0s" }, { 59, "59s" }, { 60, "1m" }, { 61, "1m1s" }, { 3600, "1h" }, { 3601, "1h0m1s" }, { 5400, "1h30m" },
	{ 7199, "1h59m59s" }, { 2764800, "768h" },
};

START_TEST(prints)
{
	char text[BULLA_DURATION_TEXT];

	bulla_duration_print(durations[_i].seconds, text);
	ck_assert_str_eq(text, durations[_i].text);
}
END_TEST

/* As the peer answered. issued: seconds ago. */
static const struct {
	int64_t increment, ttl, period, explicit_max, issued, got;
	const char *warning;
} leases[] = {
	{ 0, 0, 0, 0, 0, 768 * H, NULL },
	{ 0, H, 0, 0, 0, H, NULL },
	{ 0, 9000 * H, 0, 0, 0, 768 * H, "TTL of \"9000h\" exceeded the effective max_ttl of \"768h\"; TTL value is capped accordingly" },
	{ 0, H, 0, H / 2, 0, H / 2, "TTL of \"1h\" exceeded the effective max_ttl of \"30m\"; TTL value is capped accordingly" },
	{ 0, 0, 2 * H, 0, 0, 2 * H, NULL },
	{ 0, H, H / 2, 0, 0, H / 2, NULL },
	{ 0, 0, 2000 * H, 0, 0, 768 * H, "period of \"2000h\" exceeded the effective max_ttl of \"768h\"; period value is capped accordingly" },
	{ 0, 0, H, 2 * H, 0, H, NULL },
	{ 30, H, 0, 0, 100, 30, NULL },
	{ 3 * H, H, 0, 2 * H, 1, 7199, "TTL of \"3h\" exceeded the effective max_ttl of \"1h59m59s\"; TTL value is capped accordingly" },
	{ 9 * H, H, H, 0, 1000, H, NULL },
	{ 0, 0, H, 5400, 3000, 2400, "TTL of \"1h\" exceeded the effective max_ttl of \"40m\"; TTL value is capped accordingly" },
};

START_TEST(calculates)
{
	struct lease_wish wish = { .increment_s = leases[_i].increment, .ttl_s = leases[_i].ttl, .period_s = leases[_i].period,
				   .explicit_max_s = leases[_i].explicit_max, .now_ns = INT64_C(1800000000000000000) };
	int64_t ttl_s = -1;

	call = call_begin();
	wish.issued_ns = wish.now_ns - leases[_i].issued * INT64_C(1000000000);
	ck_assert_ok(lease_calculate(&rules, &call, &wish, &ttl_s));
	ck_assert_int_eq(ttl_s, leases[_i].got);
	ck_assert(call.warnings == NULL || leases[_i].warning != NULL);
	if (leases[_i].warning != NULL) {
		ck_assert_ptr_nonnull(call.warnings);
		ck_assert_bytes(call.warnings->text, leases[_i].warning);
	}
	call_end(&call);
}
END_TEST

START_TEST(past_the_end)
{
	struct lease_wish wish = { .ttl_s = H, .explicit_max_s = 10, .issued_ns = 0, .now_ns = INT64_C(10000000000) };
	int64_t ttl_s = -1;

	call = call_begin();
	ck_assert_err(lease_calculate(&rules, &call, &wish, &ttl_s), BULLA_E_INVALID);
	ck_assert_int_eq(ttl_s, -1);
	call_end(&call);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void)
{
	Suite *suite = suite_create("access/lease");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, prints, 0, COUNT(durations));
	tcase_add_loop_test(tc, calculates, 0, COUNT(leases));
	tcase_add_test(tc, past_the_end);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
