/* api_utf8.c: names. */
#include "utf8.h"

#include <locale.h>
#include <string.h>

#include "api_unit.h"

START_TEST(malformed)
{
	static const char *const bad[] = { "\x80", "a\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
					   "\xf8\x88\x80\x80\x80", "\xff", "a\nb", "\x1b[2J", "\x7f", "\xc2\x9b", "\xe2\x80\xae", "\xe2\x80\xa8" };
	size_t chars;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!utf8_length(bad[i], &chars), "case %zu", i);
}
END_TEST

START_TEST(lengths)
{
	size_t chars;

	ck_assert(utf8_length("", &chars) && chars == 0);
	ck_assert(utf8_length("Aníbal €😀", &chars) && chars == 9);
	ck_assert(utf8_length("\xf4\x8f\xbf\xbf", &chars) && chars == 1);
}
END_TEST

static void check_upper(const char *text, const char *expected)
{
	char upper[UPPER_SIZE];

	ck_assert_int_eq(utf8_upper(text, upper), CARD_OK);
	ck_assert_str_eq(upper, expected);
}

/* The locale of the process is without effect. */
START_TEST(upper)
{
	setlocale(LC_ALL, "C");
	check_upper("Aníbal Troilo", "ANÍBAL TROILO");
	check_upper("ñandú ÿ straße ωώ иван ij", "ÑANDÚ Ÿ STRASSE ΩΏ ИВАН IJ");
	check_upper("ŉ Eﬃe ﬁn և \u0390 \u1FB3 ǆ", "ʼN EFFIE FIN ԵՒ \u0399\u0308\u0301 \u0391\u0399 Ǆ"); /* one becomes two or three */
	check_upper("an\u0301i", "AN\u0301I"); /* accents that stand by themselves */
	check_upper("李 😀 123", "李 😀 123");
	check_upper("", "");
}
END_TEST

/* The text goes to a terminal. */
START_TEST(harmless)
{
	char longest[UPPER_SIZE * 2], upper_text[UPPER_SIZE];

	check_upper("a\x1b[31mb\xff" "c", "A?[31MB?C");
	memset(longest, 0xdf, sizeof longest);
	for (size_t i = 0; i + 1 < sizeof longest; i += 2)
		memcpy(longest + i, "ß", 2);
	longest[sizeof longest - 1] = longest[sizeof longest - 2] = '\0';

	ck_assert_int_eq(utf8_upper(longest, upper_text), CARD_OK); /* cut, and within its bounds */
	ck_assert_uint_lt(strlen(upper_text), sizeof upper_text);
	for (size_t i = 0; i + 2 < sizeof longest; i += 2)
		memcpy(longest + i, "ΐ", 2); /* becomes three times as long */
	ck_assert_int_eq(utf8_upper(longest, upper_text), CARD_OK);
	ck_assert_uint_lt(strlen(upper_text), sizeof upper_text);
}
END_TEST

int main(void)
{
	TCase *all = tcase_create("utf8");

	tcase_add_test(all, malformed);
	tcase_add_test(all, lengths);
	tcase_add_test(all, upper);
	tcase_add_test(all, harmless);
	return api_unit_main(all, "api/utf8");
}
