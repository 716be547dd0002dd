/* The rows of errors.def: each says what it must, and class, status and style agree. */
#include <ctype.h>

#include "unit.h"

START_TEST(row_is_sound)
{
	const struct bulla_err_row *row = bulla_err_row((enum bulla_err)_i);
	size_t len = strlen(row->text);
	bool silent = row->style == BULLA_STYLE_EMPTY || row->style == BULLA_STYLE_NOBODY;

	ck_assert_uint_gt(strlen(row->name), 0);
	for (const char *c = row->name; *c != '\0'; c++)
		ck_assert_msg(isupper((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_', "%s", row->name);
	ck_assert_msg(row->status >= 400 && row->status <= 599, "%s: status %d", row->name, row->status);
	ck_assert_msg(row->kind != BULLA_CLASS_FAULT || row->status >= 500, "%s: a fault of ours, yet %d", row->name,
		      row->status);
	ck_assert_msg(row->kind != BULLA_CLASS_BUSY || row->status == 429 || row->status == 503, "%s: busy, yet %d",
		      row->name, row->status);
	ck_assert_msg(silent == (len == 0), "%s: style and text disagree", row->name);
	ck_assert_msg(len == 0 || (row->text[len - 1] != '\n' && row->text[len - 1] != ' '), "%s: text ends oddly",
		      row->name);
	ck_assert_msg(bulla_utf8_valid(bulla_str(row->text)), "%s", row->name);
}
END_TEST

START_TEST(names_are_unique)
{
	for (int i = BULLA_OK + 1; i < BULLA_E_COUNT; i++)
		for (int j = i + 1; j < BULLA_E_COUNT; j++)
			ck_assert_str_ne(bulla_err_row((enum bulla_err)i)->name, bulla_err_row((enum bulla_err)j)->name);
}
END_TEST

START_TEST(unknown_is_internal)
{
	const struct bulla_err_row *internal = bulla_err_row(BULLA_E_INTERNAL);

	ck_assert_str_eq(internal->name, "INTERNAL");
	ck_assert_int_eq(internal->kind, BULLA_CLASS_FAULT);
	ck_assert_ptr_eq(bulla_err_row(BULLA_E_COUNT), internal);
	ck_assert_ptr_eq(bulla_err_row((enum bulla_err)(BULLA_E_COUNT + 1000)), internal);
	ck_assert_ptr_eq(bulla_err_row((enum bulla_err)-1), internal);
	ck_assert_ptr_eq(bulla_err_row(BULLA_OK), internal);
}
END_TEST

static int evaluated;

static enum bulla_err step(enum bulla_err err)
{
	evaluated++;
	return err;
}

static enum bulla_err two_steps(enum bulla_err first, enum bulla_err second)
{
	TRY(step(first));
	TRY(step(second));
	return BULLA_OK;
}

START_TEST(try_returns_early)
{
	ck_assert_err(two_steps(BULLA_E_BUSY, BULLA_E_CRYPTO), BULLA_E_BUSY);
	ck_assert_int_eq(evaluated, 1);
	ck_assert_err(two_steps(BULLA_OK, BULLA_E_CRYPTO), BULLA_E_CRYPTO);
	ck_assert_int_eq(evaluated, 3);
	ck_assert_ok(two_steps(BULLA_OK, BULLA_OK));
	ck_assert_int_eq(evaluated, 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/error");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, unknown_is_internal);
	tcase_add_loop_test(tc, row_is_sound, BULLA_OK + 1, BULLA_E_COUNT);
	tcase_add_test(tc, names_are_unique);
	tcase_add_test(tc, try_returns_early);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
