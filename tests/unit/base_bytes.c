/* Counted bytes: order, equality, and what is no UTF-8 (Unicode's table 3-7, RFC 3629 section 4). */
#include "unit.h"

#include "bulla/bytes.h"

/* Given as a length and bytes: some hold a NUL. */
static const struct {
	size_t len;
	const char *text;
} malformed[] = {
	{ 1, "\x80" }, { 1, "\xBF" },                                     /* continuation alone */
	{ 2, "\xC0\x80" }, { 2, "\xC1\xBF" },                             /* overlong ASCII */
	{ 1, "\xC2" }, { 2, "\xC2\x41" }, { 2, "\xC2\xC2" }, { 2, "\xDF\x7F" },
	{ 3, "\xE0\x80\x80" }, { 3, "\xE0\x9F\xBF" },                     /* overlong */
	{ 2, "\xE1\x80" }, { 3, "\xE1\x80\x41" }, { 3, "\xE1\x41\x80" }, { 1, "\xE1" },
	{ 3, "\xED\xA0\x80" }, { 3, "\xED\xBF\xBF" },                     /* surrogates */
	{ 4, "\xF0\x80\x80\x80" }, { 4, "\xF0\x8F\xBF\xBF" },             /* overlong */
	{ 3, "\xF1\x80\x80" }, { 4, "\xF1\x80\x80\x41" },
	{ 4, "\xF4\x90\x80\x80" }, { 4, "\xF5\x80\x80\x80" },             /* past U+10FFFF */
	{ 5, "\xF8\x88\x80\x80\x80" }, { 1, "\xFE" }, { 1, "\xFF" },
	{ 3, "ab\xC3" }, { 4, "\0\0\0\x80" },
};

START_TEST(either_case)
{
	ck_assert(bulla_is_nocase(bulla_str("Content-TYPE"), "content-type"));
	ck_assert(bulla_is_nocase(bulla_mem(NULL, 0), ""));
	ck_assert(!bulla_is_nocase(bulla_mem(NULL, 0), "a"));
	ck_assert(!bulla_is_nocase(bulla_str("ab"), "a"));
	ck_assert(!bulla_is_nocase(bulla_mem("a\0b", 3), "a"));
	ck_assert(!bulla_is_nocase(bulla_mem("a\0b", 3), "abc"));
	ck_assert(!bulla_is_nocase(bulla_str("[a"), "{a")); /* apart by the bit of the case, and no letters */
}
END_TEST

START_TEST(utf8_refuses)
{
	uint8_t *exact = malloc(malformed[_i].len); /* so that ASan sees a read past the end */

	memcpy(exact, malformed[_i].text, malformed[_i].len);
	ck_assert(!bulla_utf8_valid(bulla_mem(exact, malformed[_i].len)));
	free(exact);
}
END_TEST

START_TEST(utf8_takes)
{
	static const char *const good[] = {
		"", "plain", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
		"\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z",
	};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		ck_assert_msg(bulla_utf8_valid(bulla_str(good[i])), "%zu", i);
	ck_assert(bulla_utf8_valid(bulla_mem(NULL, 0)));
	ck_assert(bulla_utf8_valid(bulla_mem("\0", 1)));
}
END_TEST

/* All two-byte texts: valid are 128 * 128 of ASCII, and C2..DF before 80..BF. */
START_TEST(utf8_pairs)
{
	size_t valid = 0;

	for (unsigned i = 0; i < 65536; i++) {
		uint8_t text[] = { (uint8_t)(i >> 8), (uint8_t)i };

		valid += bulla_utf8_valid(bulla_mem(text, 2));
	}
	ck_assert_uint_eq(valid, 128 * 128 + 30 * 64);
}
END_TEST

START_TEST(order)
{
	static const char *const sorted[] = { "", "A", "Z", "a", "a/", "a/b", "aa", "ab", "b", "\xC3\xA9", "\xFF" };

	for (size_t i = 0; i < sizeof sorted / sizeof sorted[0]; i++)
		for (size_t j = 0; j < sizeof sorted / sizeof sorted[0]; j++) {
			int got = bulla_compare(bulla_str(sorted[i]), bulla_str(sorted[j]));

			ck_assert_int_eq((got > 0) - (got < 0), (i > j) - (i < j));
		}
	ck_assert_int_lt(bulla_compare(bulla_mem("a", 1), bulla_mem("a\0", 2)), 0);
}
END_TEST

START_TEST(equality)
{
	struct bulla_bytes none = { NULL, 0 };
	bool (*const equals[])(struct bulla_bytes, struct bulla_bytes) = { bulla_equal, bulla_equal_secret };

	for (size_t i = 0; i < 2; i++) {
		ck_assert(!equals[i](bulla_str("token"), bulla_str("tokeN")));
		ck_assert(!equals[i](bulla_str("token"), bulla_str("Token")));
		ck_assert(!equals[i](bulla_str("token"), bulla_str("toke")));
		ck_assert(!equals[i](none, bulla_str("t")));
		ck_assert(!equals[i](bulla_mem("a\0b", 3), bulla_mem("a\0c", 3)));
		ck_assert(equals[i](none, none));
		ck_assert(equals[i](none, bulla_str("")));
		ck_assert(equals[i](bulla_str("token"), bulla_str("token")));
	}
	ck_assert(!bulla_is(bulla_mem("ab", 1), "ab"));
	ck_assert(bulla_is(bulla_mem("ab", 2), "ab"));
	ck_assert_uint_eq(bulla_str(NULL).len, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/bytes");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, either_case);
	tcase_add_loop_test(tc, utf8_refuses, 0, sizeof malformed / sizeof malformed[0]);
	tcase_add_test(tc, utf8_takes);
	tcase_add_test(tc, utf8_pairs);
	tcase_add_test(tc, order);
	tcase_add_test(tc, equality);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
