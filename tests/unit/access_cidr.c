/* Addresses and CIDR blocks: what is none, what is within which, and how they are printed. */
#include "unit.h"

#include "access/login.h"

static struct bulla_call call;

static void setup(void)
{
	call = call_begin();
}

static void teardown(void)
{
	call_end(&call);
}

static const char *const no_blocks[] = {
	"", " ", "/", "/8", "abc", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "010.1.1.1", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1",
	"1.2.3.4/+8", "1.2.3.4/08", "1.2.3.4/8/8", "1.2.3.4/0x8", "1.2.3.4/1000", "1.2.3.4:80", "[::1]", "[::1]:80", ":::", "::1/129",
	"fe80::1%eth0", "1.2.3.4 /8", "/tmp/socket", "0x7f.1", "1.2.3.4,5.6.7.8", "2001:db8::1:2:3:4:5:6:7:8",
};

START_TEST(refused)
{
	const struct bulla_bytes text = bulla_str(no_blocks[_i]);
	struct bulla_bytes out = { 0 };

	ck_assert_err(access_cidr_check(&call, text), BULLA_E_INVALID);
	ck_assert_err(access_cidr_print(&call, text, &out), BULLA_E_INVALID);
	ck_assert_ptr_null(out.ptr);
	ck_assert(!access_cidrs_match(&text, 1, bulla_str("1.2.3.4")));
	ck_assert(!access_cidrs_match(&text, 1, bulla_str("")));
}
END_TEST

START_TEST(refused_in_the_peers_words)
{
	ck_assert_err(access_cidr_check(&call, bulla_str("abc")), BULLA_E_INVALID);
	ck_assert_bytes(call.detail, "error parsing address \"abc\": Unable to convert \"abc\" to an IPv4 or IPv6 address, "
			"or a UNIX Socket");
	ck_assert_err(access_cidr_check(&call, bulla_mem("1.2.3.4\0", 8)), BULLA_E_INVALID);
}
END_TEST

static const struct {
	const char *block, *ip;
	bool within;
} pairs[] = {
	{ "10.0.0.0/8", "10.255.0.1", true }, { "10.0.0.0/8", "11.0.0.1", false }, { "10.1.2.3", "10.1.2.3", true },
	{ "10.1.2.3", "10.1.2.4", false }, { "0.0.0.0/0", "1.2.3.4", true }, { "0.0.0.0/0", "::1", false }, { "::/0", "::1", true },
	{ "::/0", "1.2.3.4", false }, { "10.1.2.3/24", "10.1.2.200", true }, { "10.1.2.0/25", "10.1.2.127", true },
	{ "10.1.2.0/25", "10.1.2.128", false }, { "10.1.2.0/31", "10.1.2.1", true }, { "10.1.2.0/31", "10.1.2.2", false },
	{ "2001:db8::/33", "2001:db8:7fff::1", true }, { "2001:db8::/33", "2001:db8:8000::1", false },
	{ "2001:DB8:0:0::1", "2001:db8::1", true }, { "::ffff:10.0.0.0/104", "10.9.9.9", true },
	{ "10.0.0.0/8", "::ffff:10.9.9.9", true }, { "10.0.0.0/8", "10.0.0.0/8", false }, { "10.0.0.0/8", "", false },
	{ "10.0.0.0/8", "10.0.0.1:80", false }, { "10.0.0.0/8", "somewhere", false },
};

START_TEST(matched)
{
	const struct bulla_bytes block = bulla_str(pairs[_i].block), blocks[] = { bulla_str("192.0.2.1"), block };

	ck_assert_ok(access_cidr_check(&call, block));
	ck_assert_int_eq(access_cidrs_match(&block, 1, bulla_str(pairs[_i].ip)), pairs[_i].within);
	ck_assert_int_eq(access_cidrs_match(blocks, 2, bulla_str(pairs[_i].ip)), pairs[_i].within);
	ck_assert(access_cidrs_match(NULL, 0, bulla_str(pairs[_i].ip)));
}
END_TEST

static const struct {
	const char *text, *printed;
} prints[] = {
	{ "10.0.0.0/8", "10.0.0.0/8" }, { "10.1.2.3/24", "10.1.2.3/24" }, { "127.0.0.1/32", "127.0.0.1" }, { " 10.0.0.1 ", "10.0.0.1" },
	{ "::ffff:1.2.3.4", "1.2.3.4" }, { "2001:DB8::1/128", "2001:db8::1" }, { "2001:db8:0:0::1", "2001:db8::1" },
	{ "::1/64", "::1/64" }, { "0.0.0.0/0", "0.0.0.0/0" },
};

START_TEST(printed)
{
	struct bulla_bytes out;

	ck_assert_ok(access_cidr_print(&call, bulla_str(prints[_i].text), &out));
	ck_assert_bytes(out, prints[_i].printed);
}
END_TEST

START_TEST(within)
{
	static const struct {
		const char *inner, *outer;
		bool within;
	} cases[] = {
		{ "9.0.0.0/8", "10.0.0.0/8", false }, { "10.0.0.0/7", "10.0.0.0/8", false }, { "::/0", "10.0.0.0/8", false },
		{ "10.0.0.0/16", "10.128.0.0/9", false }, { "10.0.0.2", "10.0.0.1", false }, { "zz", "0.0.0.0/0", false },
		{ "10.0.0.0/8", "zz", false }, { "10.1.2.3", "10.0.0.0/8", true }, { "10.0.0.0/8", "10.0.0.0/8", true },
		{ "10.1.0.0/16", "10.99.0.0/8", true }, { "10.200.0.0/16", "10.128.0.0/9", true }, { "febf::/16", "fe80::/10", true },
		{ "fec0::/16", "fe80::/10", false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ck_assert_int_eq(access_cidr_within(bulla_str(cases[i].inner), bulla_str(cases[i].outer)), cases[i].within);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access/cidr");
	TCase *tc = tcase_create("cidr");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, refused, 0, (int)(sizeof no_blocks / sizeof no_blocks[0]));
	tcase_add_test(tc, refused_in_the_peers_words);
	tcase_add_loop_test(tc, matched, 0, (int)(sizeof pairs / sizeof pairs[0]));
	tcase_add_loop_test(tc, printed, 0, (int)(sizeof prints / sizeof prints[0]));
	tcase_add_test(tc, within);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
