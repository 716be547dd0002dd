/* Weak typing: what each type takes of each JSON value, with the peer's texts where it refuses (recorded on the real one). */
#include "unit.h"

#include <stdio.h>

#include "request/fields.h"
#include "request/form.h"

struct bound {
	struct bulla_bytes text;
	bool flag;
	int64_t number, seconds;
	struct field_strings list;
	struct field_pairs pairs;
	const struct json *raw;
	unsigned set;
};

static const struct field fields[] = {
	FIELD_SET(struct bound, "text", text, FIELD_STRING, set, 1),
	FIELD_SET(struct bound, "flag", flag, FIELD_BOOL, set, 2),
	FIELD_SET(struct bound, "number", number, FIELD_INT, set, 4),
	FIELD_SET(struct bound, "seconds", seconds, FIELD_SECONDS, set, 8),
	FIELD_SET(struct bound, "list", list, FIELD_STRINGS, set, 16),
	FIELD_SET(struct bound, "pairs", pairs, FIELD_PAIRS, set, 32),
	FIELD(struct bound, raw, FIELD_JSON),
	FIELD_END,
};

static enum bulla_err bind(struct bulla_call *call, const char *text, bool with_prefix, struct bound *out)
{
	struct json *v;

	ck_assert_ok(json_parse(call, (const uint8_t *)text, strlen(text), &v));
	return fields_bind(call, v, fields, with_prefix, out);
}

#define NOT_INT "error converting input for field \"number\": '' cannot parse value as 'int': strconv.ParseInt: "
#define NOT_BOOL "error converting input for field \"flag\": '' cannot parse value as 'bool': strconv.ParseBool: invalid syntax"
#define NOT_TIME "error converting input for field \"seconds\": "
#define LIST "got unconvertible type '[]interface {}'"
#define MAP "got unconvertible type 'map[string]interface {}'"

static const struct {
	const char *text, *error;
} refused[] = {
	{ "{\"number\":\" 1\"}", NOT_INT "invalid syntax" }, { "{\"number\":1.0}", NOT_INT "invalid syntax" },
	{ "{\"number\":\"2.0\"}", NOT_INT "invalid syntax" }, { "{\"number\":1e2}", NOT_INT "invalid syntax" },
	{ "{\"number\":\"1_\"}", NOT_INT "invalid syntax" }, { "{\"number\":\"_1\"}", NOT_INT "invalid syntax" },
	{ "{\"number\":\"1__0\"}", NOT_INT "invalid syntax" }, { "{\"number\":\"08\"}", NOT_INT "invalid syntax" },
	{ "{\"number\":\"0x\"}", NOT_INT "invalid syntax" }, { "{\"number\":\"-\"}", NOT_INT "invalid syntax" },
	{ "{\"number\":\"x\"}", NOT_INT "invalid syntax" }, { "{\"number\":\"0b2\"}", NOT_INT "invalid syntax" },
	{ "{\"number\":9223372036854775808}", NOT_INT "value out of range" },
	{ "{\"number\":-9223372036854775809}", NOT_INT "value out of range" },
	{ "{\"number\":99999999999999999999999}", NOT_INT "value out of range" },
	{ "{\"number\":[1]}", "error converting input for field \"number\": '' expected type 'int', " LIST },
	{ "{\"number\":{\"a\":1}}", "error converting input for field \"number\": '' expected type 'int', " MAP },
	{ "{\"flag\":2}", NOT_BOOL }, { "{\"flag\":1.0}", NOT_BOOL }, { "{\"flag\":\"on\"}", NOT_BOOL }, { "{\"flag\":\"yess\"}", NOT_BOOL },
	{ "{\"flag\":\"tRUE\"}", NOT_BOOL }, { "{\"flag\":\" \"}", NOT_BOOL },
	{ "{\"flag\":[true]}", "error converting input for field \"flag\": '' expected type 'bool', " LIST },
	{ "{\"text\":[\"a\"]}", "error converting input for field \"text\": '' expected type 'string', " LIST },
	{ "{\"text\":{\"a\":1}}", "error converting input for field \"text\": '' expected type 'string', " MAP },
	{ "{\"seconds\":\"x\"}", NOT_TIME "time: invalid duration \"x\"" }, { "{\"seconds\":\"h\"}", NOT_TIME "time: invalid duration \"h\"" },
	{ "{\"seconds\":\" 1\"}", NOT_TIME "time: invalid duration \" 1\"" }, { "{\"seconds\":-1}", NOT_TIME "cannot provide negative value '-1'" },
	{ "{\"seconds\":\"-1h\"}", NOT_TIME "cannot provide negative value '-3600'" },
	{ "{\"seconds\":1.5}", NOT_TIME "time: missing unit in duration \"1.5\"" },
	{ "{\"seconds\":\"1h30\"}", NOT_TIME "time: missing unit in duration \"1h30\"" },
	{ "{\"seconds\":\"1d1h\"}", NOT_TIME "time: unknown unit \"d\" in duration \"1d1h\"" },
	{ "{\"seconds\":\"1d \"}", NOT_TIME "time: unknown unit \"d \" in duration \"1d \"" },
	{ "{\"seconds\":\"0x10\"}", NOT_TIME "time: unknown unit \"x\" in duration \"0x10\"" },
	{ "{\"seconds\":\"xd\"}", NOT_TIME "strconv.ParseInt: parsing \"x\": invalid syntax" },
	{ "{\"seconds\":99999999999999999999}", NOT_TIME "time: invalid duration \"99999999999999999999\"" },
	{ "{\"seconds\":9223372037}", NOT_TIME "multiplication of durations resulted in overflow, one operand may be too large" },
	{ "{\"seconds\":\"107000d\"}", NOT_TIME "multiplication of durations resulted in overflow, one operand may be too large" },
	{ "{\"seconds\":[1]}", NOT_TIME "could not parse duration from input" },
	{ "{\"seconds\":true}", NOT_TIME "could not parse duration from input" },
	{ "{\"list\":[\"a\",[]]}", "error converting input for field \"list\": '[1]' expected type 'string', " LIST },
	{ "{\"list\":{\"a\":1}}", "error converting input for field \"list\": '[0]' expected type 'string', " MAP },
	{ "{\"pairs\":\"text\"}", "error converting input for field \"pairs\": invalid key pair at index 0 in field \"pairs\"" },
	{ "{\"pairs\":[\"a=b\",\"=c\"]}", "error converting input for field \"pairs\": invalid key pair at index 1 in field \"pairs\"" },
	{ "{\"pairs\":{\"a\":[1]}}", "error converting input for field \"pairs\": '[0]' expected type 'string', " MAP },
};

START_TEST(refuses)
{
	struct bulla_call call = call_begin();
	struct bound b = { .number = 77, .seconds = 77 };
	char prefixed[256];

	ck_assert_err(bind(&call, refused[_i].text, false, &b), BULLA_E_BAD_FIELD);
	ck_assert_bytes(call.detail, refused[_i].error);
	ck_assert_int_eq(b.number, 77);
	ck_assert_int_eq(b.seconds, 77);
	ck_assert_uint_eq(b.set, 0);
	snprintf(prefixed, sizeof prefixed, "Field validation failed: %s", refused[_i].error);
	ck_assert_err(bind(&call, refused[_i].text, true, &b), BULLA_E_BAD_FIELD);
	ck_assert_bytes(call.detail, prefixed);
	call_end(&call);
}
END_TEST

static const struct {
	const char *text;
	int64_t value;
} integers[] = {
	{ "1", 1 }, { "-1", -1 }, { "\"1\"", 1 }, { "\"0x1\"", 1 }, { "\"01\"", 1 }, { "\"+1\"", 1 }, { "true", 1 }, { "false", 0 }, { "\"\"", 0 },
	{ "null", 0 }, { "\"1_0\"", 10 }, { "\"0x_f\"", 15 }, { "\"0_7\"", 7 }, { "\"0o17\"", 15 }, { "\"0B11\"", 3 }, { "\"-0xFF\"", -255 },
	{ "9223372036854775807", INT64_MAX }, { "-9223372036854775808", INT64_MIN }, { "0", 0 }, { "-0", 0 }, { "\"010\"", 8 }, { "\"00\"", 0 },
};

START_TEST(takes_integers)
{
	struct bulla_call call = call_begin();
	struct bound b = { .number = 77 };
	char text[64];

	snprintf(text, sizeof text, "{\"number\":%s}", integers[_i].text);
	ck_assert_ok(bind(&call, text, true, &b));
	ck_assert_int_eq(b.number, integers[_i].value);
	ck_assert_uint_eq(b.set, 4);
	call_end(&call);
}
END_TEST

static const struct {
	const char *text;
	int64_t value;
} durations[] = {
	{ "5", 5 }, { "\"5\"", 5 }, { "\"5s\"", 5 }, { "\"1h30m\"", 5400 }, { "\"2d\"", 172800 }, { "\"1.5h\"", 5400 }, { "\"\"", 0 },
	{ "\"24h0m0s\"", 86400 }, { "\"500ms\"", 0 }, { "\"1500ms\"", 1 }, { "\"+5\"", 5 }, { "\"+1m\"", 60 }, { "\"1us\"", 0 }, { "\".5m\"", 30 },
	{ "9223372036", 9223372036 }, { "\"1m1m\"", 120 }, { "\"0\"", 0 }, { "\"\xC2\xB5\"", -1 }, { "\"1\xC2\xB5s\"", 0 }, { "\"106751d\"", 9223286400 },
};

START_TEST(takes_durations)
{
	struct bulla_call call = call_begin();
	struct bound b = { .seconds = 77 };
	char text[64];

	snprintf(text, sizeof text, "{\"seconds\":%s}", durations[_i].text);
	if (durations[_i].value < 0) {
		ck_assert_err(bind(&call, text, true, &b), BULLA_E_BAD_FIELD);
	} else {
		ck_assert_ok(bind(&call, text, true, &b));
		ck_assert_int_eq(b.seconds, durations[_i].value);
	}
	call_end(&call);
}
END_TEST

START_TEST(takes_booleans)
{
	static const char *const yes[] = { "true", "1", "\"1\"", "\"t\"", "\"T\"", "\"true\"", "\"TRUE\"", "\"True\"" };
	static const char *const no[] = { "false", "0", "\"0\"", "\"f\"", "\"F\"", "\"false\"", "\"FALSE\"", "\"False\"", "\"\"", "null" };
	struct bulla_call call = call_begin();
	char text[64];

	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		struct bound b = { 0 };

		snprintf(text, sizeof text, "{\"flag\":%s}", yes[i]);
		ck_assert_ok(bind(&call, text, true, &b));
		ck_assert_msg(b.flag && b.set == 2, "%s", yes[i]);
	}
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
		struct bound b = { .flag = true };

		snprintf(text, sizeof text, "{\"flag\":%s}", no[i]);
		ck_assert_ok(bind(&call, text, true, &b));
		ck_assert_msg(!b.flag && b.set == 2, "%s", no[i]);
	}
	call_end(&call);
}
END_TEST

START_TEST(takes_strings)
{
	struct bulla_call call = call_begin();
	struct bound b = { 0 };

	ck_assert_ok(bind(&call, "{\"text\":1.50}", true, &b));
	ck_assert_bytes(b.text, "1.50");
	ck_assert_ok(bind(&call, "{\"text\":true}", true, &b));
	ck_assert_bytes(b.text, "1");
	ck_assert_ok(bind(&call, "{\"text\":null,\"raw\":[1]}", true, &b));
	ck_assert_bytes(b.text, "");
	ck_assert_uint_eq(b.set, 1);
	ck_assert_int_eq(b.raw->type, JSON_ARRAY);
	call_end(&call);
}
END_TEST

START_TEST(takes_lists_and_pairs)
{
	struct bulla_call call = call_begin();
	struct bound b = { 0 };

	ck_assert_ok(bind(&call, "{\"list\":\" a, b ,,c\"}", true, &b));
	ck_assert_uint_eq(b.list.count, 4);
	ck_assert_bytes(b.list.items[0], "a");
	ck_assert_bytes(b.list.items[1], "b");
	ck_assert_bytes(b.list.items[2], "");
	ck_assert_bytes(b.list.items[3], "c");
	ck_assert_ok(bind(&call, "{\"list\":[\" x,y \",1,null]}", true, &b));
	ck_assert_uint_eq(b.list.count, 3);
	ck_assert_bytes(b.list.items[0], "x,y");
	ck_assert_bytes(b.list.items[1], "1");
	ck_assert_ok(bind(&call, "{\"list\":\"\",\"pairs\":{\"b\":\"c\",\"a\":1}}", true, &b));
	ck_assert_uint_eq(b.list.count, 0);
	ck_assert_uint_eq(b.pairs.count, 2);
	ck_assert_bytes(b.pairs.items[1].key, "a");
	ck_assert_bytes(b.pairs.items[1].value, "1");
	ck_assert_ok(bind(&call, "{\"list\":[],\"pairs\":[\"k=v=w\"]}", true, &b));
	ck_assert_uint_eq(b.pairs.count, 1);
	ck_assert_bytes(b.pairs.items[0].key, "k");
	ck_assert_bytes(b.pairs.items[0].value, "v=w");
	ck_assert_ok(bind(&call, "{\"list\":null,\"pairs\":null}", true, &b));
	ck_assert_uint_eq(b.list.count + b.pairs.count, 0);
	call_end(&call);
}
END_TEST

START_TEST(nothing_binds_nothing)
{
	struct bulla_call call = call_begin();
	struct bound b = { .number = 77 };

	ck_assert_ok(fields_bind(&call, NULL, fields, true, &b));
	ck_assert_ok(bind(&call, "null", true, &b));
	ck_assert_ok(bind(&call, "{\"seconds\":null}", true, &b)); /* of the types, this one alone: a null duration is not there */
	ck_assert_uint_eq(b.set, 0);
	ck_assert_ok(bind(&call, "{\"unknown\":1}", true, &b));
	ck_assert_int_eq(b.number, 77);
	ck_assert_uint_eq(b.set, 0);
	call_end(&call);
}
END_TEST

START_TEST(base64)
{
	struct bulla_call call = call_begin();
	struct bulla_bytes out = { 0 };

	ck_assert_ok(field_base64(&call, bulla_str("aGVsbG8="), &out));
	ck_assert_bytes(out, "hello");
	ck_assert_err(field_base64(&call, bulla_str("aGVs!"), &out), BULLA_E_BAD_BASE64);
	ck_assert_bytes(call.detail, "illegal base64 data at input byte 4");
	ck_assert_ok(field_base64(&call, bulla_str(""), &out));
	ck_assert_uint_eq(out.len, 0);
	call_end(&call);
}
END_TEST

START_TEST(forms)
{
	struct bulla_call call = call_begin();
	struct json *v = NULL;

	ck_assert_ok(form_parse(&call, bulla_str("a=1&b=x%20y+z&a=2&a=3&%zz=1&c;d=1&e&&=f"), false, &v));
	ck_assert_uint_eq(v->count, 4);
	ck_assert_bytes(json_get(v, "b")->text, "x y z");
	ck_assert_int_eq(json_get(v, "a")->type, JSON_ARRAY);
	ck_assert_uint_eq(json_get(v, "a")->count, 3);
	ck_assert_bytes(json_get(v, "a")->first->next->next->text, "3");
	ck_assert_bytes(json_get(v, "e")->text, "");
	ck_assert_bytes(json_get(v, "")->text, "f");
	ck_assert_err(form_parse(&call, bulla_str("a=%zz"), true, &v), BULLA_E_BAD_REQUEST);
	ck_assert_err(form_parse(&call, bulla_str("a=%"), true, &v), BULLA_E_BAD_REQUEST);
	ck_assert_err(form_parse(&call, bulla_str("a;b"), true, &v), BULLA_E_BAD_REQUEST);
	ck_assert_ok(form_parse(&call, bulla_str("&&"), true, &v));
	ck_assert_ptr_null(v);
	char many[2 * FORM_MAX_PAIRS + 2];

	for (size_t i = 0; i < sizeof many; i += 2)
		many[i] = 'a', many[i + 1] = '&';
	ck_assert_ok(form_parse(&call, bulla_mem(many, 2 * FORM_MAX_PAIRS), false, &v));
	ck_assert_err(form_parse(&call, bulla_mem(many, sizeof many), false, &v), BULLA_E_BAD_REQUEST);
	call_end(&call);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("request/fields");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, refuses, 0, sizeof refused / sizeof refused[0]);
	tcase_add_loop_test(tc, takes_integers, 0, sizeof integers / sizeof integers[0]);
	tcase_add_loop_test(tc, takes_durations, 0, sizeof durations / sizeof durations[0]);
	tcase_add_test(tc, takes_booleans);
	tcase_add_test(tc, takes_strings);
	tcase_add_test(tc, takes_lists_and_pairs);
	tcase_add_test(tc, nothing_binds_nothing);
	tcase_add_test(tc, base64);
	tcase_add_test(tc, forms);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
