/* api_input.c: what a caller may send. tests/cards/test_programs.py has the same through HTTPS; here are the corners. */
#include "input.h"

#include <string.h>

#include "api_unit.h"

#define PAN "4539296620131157"

static struct input input;
static struct input_errors errors;

static enum card_err json(const char *body, const char *key)
{
	return input_read(INPUT_JSON, body, strlen(body), key, &input, &errors);
}

static enum card_err form(const char *body)
{
	return input_read(INPUT_FORM, body, strlen(body), NULL, &input, &errors);
}

START_TEST(refused_json)
{
	static const char *const bad[] = {
		"", "x", "[]", "{}x", "{\"name\":\"a\",\"name\":\"a\",\"pan\":\"" PAN "\"}",
		"{\"name\":\"a\\u0000\",\"pan\":\"" PAN "\"}", "{\"name\":\"a\",\"pan\":\"" PAN "\",\"cvv\":\"1\"}",
		"{\"name\":\"a\",\"pan\":\"" PAN "\\u0000\"}", "{\"name\":1,\"name\":2}", "{\"name\":1,\"cvv\":1}",
	};

	memset(&input, 'x', sizeof input);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ck_assert_int_eq(json(bad[i], NULL), CARD_E_INVALID);
		ck_assert_ptr_nonnull(errors.body);
		ck_assert_int_eq(input.pan[0], 'x'); /* untouched */
	}
}
END_TEST

START_TEST(refused_fields)
{
	ck_assert_int_eq(json("{}", NULL), CARD_E_INVALID);
	ck_assert_ptr_null(errors.body);
	ck_assert_str_eq(errors.name, "is missing");
	ck_assert_str_eq(errors.pan, "is missing");
	ck_assert_int_eq(json("{\"name\":\"" PAN "\",\"pan\":\"4539296620131158\"}", "a b"), CARD_E_INVALID);
	ck_assert_str_eq(errors.name, "holds a card number");
	ck_assert_str_eq(errors.pan, "is not a card number: the check digit is wrong");
	ck_assert_str_eq(errors.key, "is not printable ASCII");
	ck_assert_int_eq(json("{\"name\":\"a\",\"pan\":\"" PAN "\"}", "x-" PAN), CARD_E_INVALID);
	ck_assert_str_eq(errors.key, "holds the card number");
	ck_assert_ptr_null(errors.name);
	ck_assert_int_eq(json("{\"name\":\"a\",\"pan\":\"" PAN "\"}", "order/4539-2966-2013-1157"), CARD_E_INVALID);
	ck_assert_str_eq(errors.key, "holds the card number");
	ck_assert_int_eq(json("{\"name\":\"a\",\"pan\":\"" PAN "\"}", ""), CARD_E_INVALID);
	ck_assert_str_eq(errors.key, "is empty");
	ck_assert_int_eq(json("{\"name\":null,\"pan\":" PAN "}", NULL), CARD_E_INVALID);
	ck_assert_ptr_null(errors.body);
	ck_assert_str_eq(errors.name, "is not a text");
	ck_assert_str_eq(errors.pan, "is not a text");
}
END_TEST

START_TEST(refused_forms)
{
	static const char *const bad[] = { "name", "name=a&&pan=" PAN, "name=%&pan=1", "name=%4", "name=%4g", "=x", "name=a%00b&pan=" PAN,
					   "name=a&name=b", "pan=" PAN "&name=a&x=y",
					   "name=a&pan=" PAN "&idempotency_key=a%00b", "idempotency_key=a&name=a&pan=" PAN "&idempotency_key=a",
					   PAN "=x" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ck_assert_int_eq(form(bad[i]), CARD_E_INVALID);
		ck_assert_msg(errors.body != NULL, "%s", bad[i]);
	}
}
END_TEST

START_TEST(taken)
{
	ck_assert_int_eq(json(" {\"pan\":\"" PAN "\",\"name\":\"An\\u00edbal\"} ", "k-1"), CARD_OK);
	ck_assert_str_eq(input.name, "Aníbal");
	ck_assert_str_eq(input.pan, PAN);
	ck_assert_str_eq(input.key, "k-1");
	ck_assert_int_eq(form("pan=" PAN "&name=An%C3%ADbal+%2b%2B&idempotency_key=abc"), CARD_OK);
	ck_assert_str_eq(input.name, "Aníbal ++");
	ck_assert_str_eq(input.key, "abc");
	ck_assert_int_eq(form("pan=" PAN "&name=a"), CARD_OK);
	ck_assert_str_eq(input.key, "");
	ck_assert_int_eq(json("{\"name\":\"a\",\"pan\":\"" PAN "\"}", "20261122T015735-00000000042"), CARD_OK);
}
END_TEST

int main(void)
{
	TCase *all = tcase_create("input");

	tcase_add_test(all, refused_json);
	tcase_add_test(all, refused_fields);
	tcase_add_test(all, refused_forms);
	tcase_add_test(all, taken);
	return api_unit_main(all, "api/input");
}
