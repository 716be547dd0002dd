/* Whose address X-Forwarded-For gives, and when it is refused. */
#include "unit.h"

#include "http/forwarded.h"

#define NONE NULL
static const struct bulla_bytes proxies[] = { { (const uint8_t *)"10.0.0.0/8", 10 }, { (const uint8_t *)"::1", 3 } };

static const struct {
	const char *remote, *header; /* header NULL: not there */
	int64_t skips;
	bool lenient_present, lenient_authorized;
	const char *client, *why;    /* client NULL: refused */
} cases[] = {
	{ "10.1.1.1:80", NONE, 0, false, false, NULL, "missing x-forwarded-for header and configured to reject when not present" },
	{ "192.0.2.1:80", "1.2.3.4", 0, false, false, NULL,
	  "client address not authorized for x-forwarded-for and configured to reject connection" },
	{ "", "1.2.3.4", 0, false, false, NULL, "client address not authorized for x-forwarded-for and configured to reject connection" },
	{ "10.1.1.1:80", "1.2.3.4", 1, true, true, NULL,
	  "malformed x-forwarded-for configuration or request, hops to skip (1) would skip before earliest chain link (chain length 1)" },
	{ "10.1.1.1:80", "1.2.3.4, 5.6.7.8", INT64_MAX, true, true, NULL, "malformed x-forwarded-for configuration or request, hops to skip "
	  "(9223372036854775807) would skip before earliest chain link (chain length 2)" },
	{ "10.1.1.1:80", "", 0, true, true, NULL, "malformed x-forwarded-for request: no IP address where the client's is" },
	{ "10.1.1.1:80", "unknown", 0, true, true, NULL, "malformed x-forwarded-for request: no IP address where the client's is" },
	{ "10.1.1.1:80", "1.2.3.4,", 0, true, true, NULL, "malformed x-forwarded-for request: no IP address where the client's is" },
	{ "10.1.1.1:80", "1.2.3.0/24", 0, true, true, NULL, "malformed x-forwarded-for request: no IP address where the client's is" },
	{ "10.1.1.1:80", "[::1", 0, true, true, NULL, "malformed x-forwarded-for request: no IP address where the client's is" },
	/* as it connected */
	{ "10.1.1.1:80", NONE, 0, true, false, "10.1.1.1:80", NULL }, { "192.0.2.1:80", "1.2.3.4", 0, false, true, "192.0.2.1:80", NULL },
	{ "", NONE, 0, true, true, "", NULL },
	/* behind a proxy */
	{ "10.1.1.1:80", "1.2.3.4", 0, false, false, "1.2.3.4:80", NULL }, { "[::1]:80", "1.2.3.4", 0, false, false, "1.2.3.4:80", NULL },
	{ "10.1.1.1:80", "9.9.9.9,\t1.2.3.4 ", 0, false, false, "1.2.3.4:80", NULL }, { "10.1.1.1:80", "8.8.8.8,9.9.9.9, 1.2.3.4", 1, false, false, "9.9.9.9:80", NULL },
	{ "10.1.1.1:80", "8.8.8.8,9.9.9.9, 1.2.3.4", 2, false, false, "8.8.8.8:80", NULL }, { "10.1.1.1:80", "bogus, 1.2.3.4", 0, false, false, "1.2.3.4:80", NULL },
	{ "10.1.1.1:80", "1.2.3.4:4711", 0, false, false, "1.2.3.4:80", NULL }, { "10.1.1.1:80", "2001:db8::1", 0, false, false, "[2001:db8::1]:80", NULL },
	{ "10.1.1.1:80", "[2001:db8::1]:4711", 0, false, false, "[2001:db8::1]:80", NULL }, { "10.1.1.1:80", "[2001:db8::1]", 0, false, false, "[2001:db8::1]:80", NULL },
};

START_TEST(applied)
{
	const struct forwarding forwarding = { proxies, 2, cases[_i].skips, !cases[_i].lenient_present, !cases[_i].lenient_authorized };
	struct bulla_bytes remote = bulla_str(cases[_i].remote);
	struct bulla_bytes header = cases[_i].header == NULL ? (struct bulla_bytes){ 0 } : bulla_str(cases[_i].header);
	struct bulla_call call = call_begin();
	enum bulla_err err = forwarded_apply(&forwarding, &call, header, &remote);

	ck_assert_int_eq(err, cases[_i].client == NULL ? BULLA_E_BAD_REQUEST : BULLA_OK);
	ck_assert_bytes(remote, cases[_i].client == NULL ? cases[_i].remote : cases[_i].client);
	if (cases[_i].why != NULL)
		ck_assert_bytes(bulla_call_text(&call, err), cases[_i].why);
	call_end(&call);
}
END_TEST

START_TEST(never_looked_at)
{
	const struct forwarding forwarding = { .reject_not_present = true, .reject_not_authorized = true };
	struct bulla_bytes remote = bulla_str("10.1.1.1:80");
	struct bulla_call call = call_begin();

	ck_assert_ok(forwarded_apply(&forwarding, &call, bulla_str("1.2.3.4"), &remote));
	ck_assert_bytes(remote, "10.1.1.1:80");
	call_end(&call);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http/forwarded");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, applied, 0, (int)(sizeof cases / sizeof cases[0]));
	tcase_add_test(tc, never_looked_at);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
