/* How long leases run, what is cut, and how durations are printed; and what the two policies grant. */
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

/* ---- policies ---- */

#define D BULLA_CAN_DENY
#define C BULLA_CAN_CREATE
#define R BULLA_CAN_READ
#define U BULLA_CAN_UPDATE
#define X BULLA_CAN_DELETE
#define L BULLA_CAN_LIST

static const struct {
	const char *path;
	unsigned can;
} defaults[] = {
	{ "", D }, { "transit/encrypt/k", D }, { "sys/mounts", D }, { "sys", D }, { "auth/token/create", D },
	{ "auth/token/lookup", D }, { "auth/token/lookup-self", R }, { "auth/token/lookup-self/", D },
	{ "auth/token/lookup-selfx", D }, { "auth/token/renew-self", U }, { "auth/token/revoke-self", U },
	{ "sys/capabilities-self", U }, { "sys/capabilities", D }, { "cubbyhole", D }, { "cubbyhole/", C | R | U | X | L },
	{ "cubbyhole/a/b", C | R | U | X | L }, { "sys/tools/hash", U }, { "sys/tools/hash/sha2-256", U }, { "sys/tools/random", D },
	{ "identity/oidc/provider/x/authorize", R | U }, { "identity/oidc/provider//authorize", D },
	{ "identity/oidc/provider/x/y/authorize", D }, { "SYS/capabilities-self", D },
};

static const struct bulla_bytes default_only[] = { { (const uint8_t *)"default", 7 }, { (const uint8_t *)"nope", 4 } };
static const struct bulla_token limited = { .policies = default_only, .policy_count = 2 };
static const struct bulla_token powerless = { .policies = default_only + 1, .policy_count = 1 };
static const struct bulla_token root = { .root = true };

START_TEST(default_grants)
{
	struct bulla_bytes path = bulla_str(defaults[_i].path);

	ck_assert_uint_eq(bulla_capabilities(NULL, &limited, path), defaults[_i].can);
	ck_assert_uint_eq(bulla_capabilities(NULL, &powerless, path), D);
	ck_assert_uint_eq(bulla_capabilities(NULL, &root, path), BULLA_CAN_ROOT);
}
END_TEST

static enum bulla_err ask(struct bulla_call *c, enum bulla_capability need, bool sudo, struct bulla_bytes path)
{
	return bulla_authorise(NULL, c, &(struct bulla_ask){ .need = need, .need_sudo = sudo, .path = path });
}

START_TEST(authorises)
{
	struct bulla_call c = { 0 };
	struct bulla_bytes self = bulla_str("auth/token/lookup-self"), mounts = bulla_str("sys/mounts");

	ck_assert_err(ask(&c, BULLA_CAN_READ, false, self), BULLA_E_NO_TOKEN);
	c.token = &powerless;
	ck_assert_err(ask(&c, BULLA_CAN_READ, false, self), BULLA_E_DENIED);
	c.token = &limited;
	ck_assert_err(ask(&c, BULLA_CAN_READ, false, mounts), BULLA_E_DENIED);
	ck_assert_err(ask(&c, BULLA_CAN_UPDATE, false, self), BULLA_E_DENIED);
	ck_assert_err(ask(&c, BULLA_CAN_READ, true, self), BULLA_E_DENIED); /* no sudo there */
	ck_assert_ok(ask(&c, BULLA_CAN_READ, false, self));
	c.token = &root;
	ck_assert_ok(ask(&c, BULLA_CAN_DELETE, true, mounts));
}
END_TEST

START_TEST(reaches)
{
	ck_assert(bulla_may_reach(NULL, &root, bulla_str("transit/")));
	ck_assert(!bulla_may_reach(NULL, &limited, bulla_str("transit/")));
	ck_assert(bulla_may_reach(NULL, &limited, bulla_str("cubbyhole/")));
	ck_assert(bulla_may_reach(NULL, &limited, bulla_str("auth/token/")));
	ck_assert(!bulla_may_reach(NULL, &powerless, bulla_str("cubbyhole/")));
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void)
{
	Suite *suite = suite_create("access/lease and policy");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, prints, 0, COUNT(durations));
	tcase_add_loop_test(tc, calculates, 0, COUNT(leases));
	tcase_add_test(tc, past_the_end);
	tcase_add_loop_test(tc, default_grants, 0, COUNT(defaults));
	tcase_add_test(tc, authorises);
	tcase_add_test(tc, reaches);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
