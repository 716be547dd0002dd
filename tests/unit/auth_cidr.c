/* Blocks of addresses: what is none, how the peer prints them, what lies in what. */
#include "unit.h"

#include "auth/cidr.h"

static bool parses(const char *text, bool plain)
{
	struct cidr cidr;

	return cidr_parse(bulla_str(text), plain, &cidr);
}

START_TEST(refused)
{
	static const char *const bad[] = { "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/8/8", "10.0.0/8", "10.0.0.0/-1",
		"10.0.0.0/+8", "::/129", ":::/8", "1.2.3.4.5", "a", "10.0.0.256/8", "fe80::1%eth0", " 10.0.0.0/8", "10.0.0.0/8 ",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff/8" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!parses(bad[i], true), "%s", bad[i]);
	ck_assert(!parses("10.0.0.1", false));
	ck_assert(!cidr_parse(bulla_mem("10.0.0.1\0/8", 11), true, &(struct cidr){ 0 }));
}
END_TEST

START_TEST(printed)
{
	static const char *const pairs[][2] = { { "1.2.3.4/32", "1.2.3.4" }, { "1.2.3.4", "1.2.3.4" }, { "10.1.2.3/8", "10.1.2.3/8" },
		{ "::1/64", "::1/64" }, { "FE80:0::/10", "fe80::/10" }, { "::1/128", "::1" }, { "0.0.0.0/0", "0.0.0.0/0" } };
	struct bulla_call call = call_begin();

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct cidr cidr;

		ck_assert(cidr_parse(bulla_str(pairs[i][0]), true, &cidr));
		ck_assert_bytes(cidr_print(&call, &cidr), pairs[i][1]);
	}
	call_end(&call);
}
END_TEST

static bool contains(const char *outer, const char *inner)
{
	struct cidr a, b;

	ck_assert(cidr_parse(bulla_str(outer), true, &a) && cidr_parse(bulla_str(inner), true, &b));
	return cidr_contains(&a, &b);
}

START_TEST(contained)
{
	ck_assert(!contains("10.0.0.0/8", "9.0.0.0/8"));
	ck_assert(!contains("10.0.0.0/8", "10.0.0.0/7"));
	ck_assert(!contains("10.0.0.0/8", "::/0"));
	ck_assert(!contains("10.128.0.0/9", "10.0.0.0/16"));
	ck_assert(!contains("10.0.0.1", "10.0.0.2"));
	ck_assert(contains("10.0.0.0/8", "10.1.2.3"));
	ck_assert(contains("10.0.0.0/8", "10.0.0.0/8"));
	ck_assert(contains("10.99.0.0/8", "10.1.0.0/16"));
	ck_assert(contains("10.128.0.0/9", "10.200.0.0/16"));
	ck_assert(contains("0.0.0.0/0", "1.2.3.4"));
	ck_assert(contains("fe80::/10", "febf::/16"));
	ck_assert(!contains("fe80::/10", "fec0::/16"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_cidr");
	TCase *tc = tcase_create("cidr");

	tcase_add_test(tc, refused);
	tcase_add_test(tc, printed);
	tcase_add_test(tc, contained);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
