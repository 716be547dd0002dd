/* What a call says beside its result. */
#include <stdio.h>

#include "unit.h"

START_TEST(text_without_detail)
{
	struct bulla_call call = call_begin();

	ck_assert_bytes(bulla_call_text(&call, BULLA_E_SEALED), bulla_err_row(BULLA_E_SEALED)->text);
	ck_assert_bytes(bulla_call_text(NULL, BULLA_E_SEALED), bulla_err_row(BULLA_E_SEALED)->text);
	ck_assert_uint_eq(bulla_call_text(&call, BULLA_E_NOT_FOUND).len, 0);
	call_end(&call);
}
END_TEST

START_TEST(the_last_detail_counts)
{
	struct bulla_call call = call_begin();

	ck_assert_err(bulla_fail(&call, BULLA_E_INVALID, "first"), BULLA_E_INVALID);
	ck_assert_err(bulla_fail(&call, BULLA_E_BAD_FIELD, "field %s: %d%%", "ttl", 7), BULLA_E_BAD_FIELD);
	ck_assert_bytes(bulla_call_text(&call, BULLA_E_BAD_FIELD), "field ttl: 7%");
	ck_assert_err(bulla_fail(&call, BULLA_E_SEALED, "%s", ""), BULLA_E_SEALED); /* nothing said: the row speaks */
	ck_assert_bytes(bulla_call_text(&call, BULLA_E_SEALED), bulla_err_row(BULLA_E_SEALED)->text);
	call_end(&call);
}
END_TEST

/* As Go's %q. */
START_TEST(quoted)
{
	const struct bulla_bytes items[] = { bulla_str("a"), bulla_str(""), bulla_str("b \"c\"\n"), bulla_mem("\0\xFF", 2) };
	struct bulla_call call = call_begin();

	ck_assert_bytes(bulla_arena_quote(call.arena, items[2]), "\"b \\\"c\\\"\\n\"");
	ck_assert_bytes(bulla_arena_quote_list(call.arena, items, 4), "[\"a\" \"\" \"b \\\"c\\\"\\n\" \"\\x00\\xff\"]");
	ck_assert_bytes(bulla_arena_quote_list(call.arena, items, 1), "[\"a\"]");
	ck_assert_bytes(bulla_arena_quote_list(call.arena, NULL, 0), "[]");
	ck_assert_bytes(bulla_arena_quote(call.arena, bulla_str("\\\x7F\xC2\x80\xCD\xB8\xC3\xA9\xC3\xF3\xA0\x80\x81\xF0\x9F\x98\x80\xEF\xBF\xBD")),
			"\"\\\\\\x7f\\u0080\\u0378\xC3\xA9\\xc3\\U000e0001\xF0\x9F\x98\x80\xEF\xBF\xBD\"");
	call_end(&call);
}
END_TEST

START_TEST(fails_with_a_text_in_quotes)
{
	struct bulla_call call = call_begin();

	ck_assert_int_eq(bulla_fail_quoting(&call, BULLA_E_INVALID, "no ", bulla_str("a\"b"), " there"), BULLA_E_INVALID);
	ck_assert_bytes(call.detail, "no \"a\\\"b\" there");
	call_end(&call);
}
END_TEST

START_TEST(warnings_keep_their_order)
{
	struct bulla_call call = call_begin();
	char expected[32];
	int count = 0;

	for (int i = 0; i < 100; i++)
		ck_assert_ok(bulla_warn(&call, "warning %d", i));
	for (const struct bulla_warning *w = call.warnings; w != NULL; w = w->next) {
		snprintf(expected, sizeof expected, "warning %d", count++);
		ck_assert_bytes(w->text, expected);
	}
	ck_assert_int_eq(count, 100);
	ck_assert_uint_eq(call.detail.len, 0);
	call_end(&call);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/call");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, text_without_detail);
	tcase_add_test(tc, the_last_detail_counts);
	tcase_add_test(tc, quoted);
	tcase_add_test(tc, fails_with_a_text_in_quotes);
	tcase_add_test(tc, warnings_keep_their_order);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
