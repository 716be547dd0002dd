/* What can be shown: single characters, all code points by their number and checksum (of Unicode 17's data), and texts. */
#include "unit.h"

#include "bulla/utf8.h"

static const uint32_t hidden[] = {
	0, 0x1F, 0x7F, 0x80, 0xA0, 0xAD, 0x378, 0x379, 0x380, 0x61C, 0x6DD, 0x1680, 0x180E, 0x200B, 0x2028, 0x202F, 0x3000, 0xD800, 0xDFFF, 0xE000,
	0xF8FF, 0xFEFF, 0xFFFE, 0x1FFFF, 0xE0001, 0x10FFFD, 0x10FFFF, 0x110000, UINT32_MAX,
}, shown[] = {
	0x20, 0x7E, 0xA1, 0xE9, 0x377, 0x37A, 0x20AC, 0x20C1, 0x1C89, 0x2FFC, 0xFFFD, 0x1F600, 0x20000, 0xE0100,
};

START_TEST(characters)
{
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
		ck_assert_msg(!bulla_is_printable(hidden[i]), "U+%X", hidden[i]);
	for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
		ck_assert_msg(bulla_is_printable(shown[i]), "U+%X", shown[i]);
}
END_TEST

START_TEST(all_of_them)
{
	uint32_t sum = 0, count = 0;

	for (uint32_t code = 0; code < 0x110000; code++)
		if (bulla_is_printable(code)) {
			sum = sum * 31 + code;
			count++;
		}
	ck_assert_uint_eq(count, 159613);
	ck_assert_uint_eq(sum, 0x419C30AD);
}
END_TEST

START_TEST(texts)
{
	static const char *const yes[] = { "", "a b", "\xC3\xA9", "\xF0\x9F\x98\x80", "\xFF", "a\xC3", "\xED\xA0\x80" }; /* no UTF-8 is U+FFFD */
	static const char *const no[] = { "\n", "a\x7F", "\xC2\xA0", "k\xCD\xB8", "\xF3\xA0\x80\x81", "\xFF\x01" };

	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		ck_assert_msg(bulla_all_printable(bulla_str(yes[i])), "%s", yes[i]);
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		ck_assert_msg(!bulla_all_printable(bulla_str(no[i])), "%s", no[i]);
	ck_assert(!bulla_all_printable(bulla_mem("a\0b", 3)));
	ck_assert(bulla_all_printable(bulla_mem(NULL, 0)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/printable");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, characters);
	tcase_add_test(tc, all_of_them);
	tcase_add_test(tc, texts);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
