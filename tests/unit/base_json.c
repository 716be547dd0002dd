/* The JSON reader against jansson as its oracle: on documents by hand, and on seeded mutations of them. Where jansson refuses
 * and we do not, it must be one of the peer's liberties. Then the printer: what it prints, jansson and we read back. */
#include "unit.h"

#include <stdio.h>

#include "json_oracle.h"
#include "request/json.h"

static const char *const refused[] = {
	"", " ", "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{a:1}", "{'a':1}", "{\"a\" 1}",
	"{\"a\":1 \"b\":2}", "[1 2]", "nul", "tru", "falsey", "True", "NaN", "Infinity", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+",
	"0x10", "1_0", "\"", "\"abc", "\"\\", "\"\\\"", "\"\\x41\"", "\"\\u12\"", "\"\\u12g4\"", "\"a\nb\"", "\"a\tb\"", "\"\x01\"", "1 2", "{} {}",
	"[] x", "\xEF\xBB\xBF{}", "// c\n1", "/* c */ 1", "[1]]", "\"a\" \"b\"", "\"\\u\"", "\"\\ud800\\u\"", "1e5x", "--1", "{\"a\":1]", "[1}",
	"\"01234567\x1f\"", "\"\\n0123456789\x0a\"", "\"\\", "\"\\u", "\"\\ud83d", "\"\\ud83d\\", "{\"a\":1,", "{\"a", "{\"a\\", "\xff", "\"\xff",
};

static const char *const documents[] = {
	"{}", "[]", "null", "true", "false", "0", "-0", "-1.5e-3", "1E+9", "12345678901234567", "\"\"", "\"a\"", " { \"a\" : 1 } ",
	"{\"plaintext\":\"aGVsbG8gd29ybGQ=\"}", "{\"a\":{\"b\":{\"c\":[1,2,{\"d\":null}]}}}", "[[[[[[[[[[]]]]]]]]]]",
	"{\"batch_input\":[{\"plaintext\":\"aA==\",\"reference\":\"x\"},{\"plaintext\":\"aQ==\",\"key_version\":2}]}",
	"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"", "\"\\u0000\"",
	"{\"a\":1,\"a\":2}", "{\"a\":1,\"b\":2,\"a\":{\"c\":3},\"b\":4}", "{\"\":\"\"}", "\t\r\n[ 1 , 2 ]\n", "\"01234567\\n8\"", "\"0123456\xC3\xA9\"",
	"{\"a\\u0062\":1,\"ab\":2}", "[\"\\u007f\x7f\"]", "\"<script>&amp;\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA\"",
	"{\"k1\":1,\"k2\":2,\"k3\":3,\"k4\":4,\"k5\":5,\"k6\":6,\"k7\":7,\"k8\":8,\"k9\":9,\"k10\":1,\"k11\":1,\"k12\":1,\"k13\":1,\"k14\":1,"
	"\"k15\":1,\"k16\":1,\"k17\":1,\"k3\":33,\"k1\":11,\"k1\":12}",
};

/* Text, and what its string becomes. */
static const struct {
	const char *text, *string;
} lenient[] = {
	{ "\"\xff\xfe\"", "\xEF\xBF\xBD\xEF\xBF\xBD" },
	{ "\"a\xE2\x82\"", "a\xEF\xBF\xBD\xEF\xBF\xBD" },
	{ "\"\xE2\x82\xACz\xC3\"", "\xE2\x82\xACz\xEF\xBF\xBD" },
	{ "\"\xC0\xAF\"", "\xEF\xBF\xBD\xEF\xBF\xBD" },         /* overlong */
	{ "\"\xED\xA0\x80\"", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" }, /* a surrogate */
	{ "\"\xF4\x90\x80\x80\"", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
	{ "\"\\ud800\"", "\xEF\xBF\xBD" }, { "\"\\udc00x\"", "\xEF\xBF\xBDx" }, { "\"\\ud800\\u0041\"", "\xEF\xBF\xBD" "A" },
	{ "\"\\ud800\\ud83d\\ude00\"", "\xEF\xBF\xBD\xF0\x9F\x98\x80" }, { "\"\\ud83d\\n\"", "\xEF\xBF\xBD\n" },
	{ "\"\\ud83dabcdef\"", "\xEF\xBF\xBD" "abcdef" }, { "\"\\n\xff\\n\xff\xff\xff\"", "\n\xEF\xBF\xBD\n\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
};

/* Parses from a buffer of just this size, so that the sanitizer sees a read beyond it; then from one that stays. */
static enum bulla_err parse(struct bulla_call *call, const char *text, size_t len, struct json **out)
{
	uint8_t *exact = malloc(len + (len == 0));

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, text, len);
	enum bulla_err first = json_parse(call, exact, len, out);

	ck_assert_int_eq(memcmp(exact, text, len), 0); /* the reader leaves its text alone */
	free(exact);
	struct bulla_bytes copy = bulla_arena_copy(call->arena, bulla_mem(text, len));
	enum bulla_err second = json_parse(call, copy.ptr, len, out);

	ck_assert_int_eq(first, second);
	return second;
}

START_TEST(refuses)
{
	struct bulla_call call = call_begin();
	struct json *v = NULL;

	ck_assert_err(parse(&call, refused[_i], strlen(refused[_i]), &v), BULLA_E_BAD_JSON);
	ck_assert_ptr_null(v);
	ck_assert_uint_gt(call.detail.len, 0);
	ck_assert_int_ne(oracle_accepts(refused[_i], strlen(refused[_i])), ORACLE_YES);
	call_end(&call);
}
END_TEST

/* Reads, prints, and asks the oracle whether the meaning stayed. */
static void round_trip(const char *text, size_t len)
{
	struct bulla_call call = call_begin();
	struct out out = { 0 };
	struct json *v = NULL;
	enum bulla_err err = parse(&call, text, len, &v);
	enum oracle oracle = oracle_accepts(text, len);

	ck_assert_msg(err == BULLA_OK || err == BULLA_E_BAD_JSON, "%d for %.*s", err, (int)len, text);
	if (oracle == ORACLE_YES)
		ck_assert_msg(err == BULLA_OK, "refused: %.*s", (int)len, text);
	if (oracle == ORACLE_NO)
		ck_assert_msg(err == BULLA_E_BAD_JSON, "accepted: %.*s", (int)len, text);
	if (err == BULLA_OK && oracle == ORACLE_YES) {
		json_value(&out, v);
		ck_assert(!out.failed);
		ck_assert_msg(oracle_same(text, len, (const char *)out.ptr, out.len), "%.*s is not %.*s", (int)out.len,
			      (const char *)out.ptr, (int)len, text);
	}
	out_clear(&out);
	call_end(&call);
}

START_TEST(as_the_oracle)
{
	round_trip(documents[_i], strlen(documents[_i]));
	ck_assert_int_eq(oracle_accepts(documents[_i], strlen(documents[_i])), ORACLE_YES);
}
END_TEST

static uint64_t state;

static uint32_t next_random(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33);
}

/* Bytes that matter to a reader are more likely than others. */
static char random_byte(void)
{
	static const char likely[] = "\"\\{}[]:,0123456789eE+-.tfnu \n\t\x80\xC3\xE2\xED\xF0\xFF";

	return next_random() % 4 == 0 ? (char)next_random() : likely[next_random() % (sizeof likely - 1)];
}

static size_t mutate(char *text, size_t len, size_t room)
{
	size_t at = len > 0 ? next_random() % len : 0;

	switch (next_random() % 4) {
	case 0: /* replace */
		if (len > 0)
			text[at] = random_byte();
		return len;
	case 1: /* insert */
		if (len == room)
			return len;
		memmove(text + at + 1, text + at, len - at);
		text[at] = random_byte();
		return len + 1;
	case 2: /* delete */
		if (len == 0)
			return len;
		memmove(text + at, text + at + 1, len - at - 1);
		return len - 1;
	default: /* cut */
		return next_random() % 8 == 0 ? at : len;
	}
}

START_TEST(mutations)
{
	const size_t count = sizeof documents / sizeof documents[0];

	state = 20261121u + (unsigned)_i;
	for (int i = 0; i < 4000; i++) {
		char text[512];
		const char *from = documents[next_random() % count];
		size_t len = strlen(from);

		memcpy(text, from, len);
		for (uint32_t n = 1 + next_random() % 4; n > 0; n--)
			len = mutate(text, len, sizeof text);
		round_trip(text, len);
	}
}
END_TEST

START_TEST(liberties)
{
	struct bulla_call call = call_begin();
	struct json *v;

	ck_assert_ok(parse(&call, lenient[_i].text, strlen(lenient[_i].text), &v));
	ck_assert_int_eq(v->type, JSON_STRING);
	ck_assert_bytes(v->text, lenient[_i].string);
	ck_assert_int_eq(oracle_accepts(lenient[_i].text, strlen(lenient[_i].text)), ORACLE_NARROWER);
	call_end(&call);
}
END_TEST

START_TEST(borrows)
{
	struct bulla_call call = call_begin();
	static const char text[] = "{\"plaintext\":\"aGVsbG8gd29ybGQ=\",\"n\":123456789012345678901234567890}";
	struct json *v;

	ck_assert_ok(json_parse(&call, (const uint8_t *)text, strlen(text), &v));
	ck_assert_uint_eq(v->count, 2);
	const struct json *plaintext = json_get(v, "plaintext");

	ck_assert_ptr_eq(plaintext->text.ptr, text + 14);
	ck_assert_bytes(plaintext->text, "aGVsbG8gd29ybGQ=");
	ck_assert_bytes(json_get(v, "n")->text, "123456789012345678901234567890");
	ck_assert_ptr_null(json_get(v, "plain"));
	ck_assert_ptr_null(json_get(plaintext, "plaintext"));
	ck_assert_ptr_null(json_get(NULL, "plaintext"));
	call_end(&call);
}
END_TEST

static const struct {
	const char *text;
	bool ok, document;
} bodies[] = {
	{ "", true, false }, { " \n\t ", true, false }, { "null", true, false }, { " null ", true, false }, { "{}", true, true },
	{ "{\"a\":1}{\"b\":2}", true, true }, { "{} {", true, true }, { "{} 1 \"x", true, true }, { "{} junk", false, false }, { "{}}", false, false }, { "null,", false, false }, { "null null", true, false }, { "[]", false, false },
	{ "\"x\"", false, false }, { "true", false, false }, { "1", false, false }, { "{\"a\":1e400}", false, false },
	{ "{\"a\":1e308}", true, true }, { "{\"a\":-1e309}", false, false }, { "{\"a\":1e-400}", true, true }, { "hello", false, false },
};

START_TEST(request_bodies)
{
	struct bulla_call call = call_begin();
	struct json *v = NULL;
	enum bulla_err err = json_parse_body(&call, (const uint8_t *)bodies[_i].text, strlen(bodies[_i].text), &v);

	ck_assert_int_eq(err, bodies[_i].ok ? BULLA_OK : BULLA_E_BAD_JSON);
	ck_assert_int_eq(v != NULL, bodies[_i].document);
	call_end(&call);
}
END_TEST

START_TEST(depth)
{
	struct bulla_call call = call_begin();
	char text[2 * (JSON_MAX_DEPTH + 1)];
	struct json *v;

	memset(text, '[', JSON_MAX_DEPTH + 1);
	memset(text + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
	ck_assert_err(json_parse(&call, (uint8_t *)text, sizeof text, &v), BULLA_E_BAD_JSON);
	ck_assert_ok(json_parse(&call, (uint8_t *)text + 1, sizeof text - 2, &v));
	call_end(&call);
}
END_TEST

START_TEST(too_many_values)
{
	struct bulla_call call = call_begin();
	size_t len = 2 * (size_t)JSON_MAX_VALUES + 1;
	char *text = malloc(len);
	struct json *v;

	for (size_t i = 1; i < len; i += 2)
		text[i] = '1', text[i + 1] = ',';
	text[0] = '[';
	text[len - 1] = ']';
	ck_assert_err(json_parse(&call, (uint8_t *)text, len, &v), BULLA_E_BAD_JSON);
	free(text);
	call_end(&call);
}
END_TEST

START_TEST(many_names)
{
	/* a hundred thousand names, each twice: no square of that, and the later one counts */
	struct bulla_call call = call_begin();
	const unsigned names = 100000;
	char *text = malloc(names * 2 * 24), *to = text;
	struct json *v;

	*to++ = '{';
	for (unsigned i = 0; i < 2 * names; i++)
		to += sprintf(to, "%s\"n%u\":%u", i > 0 ? "," : "", i % names, i);
	*to++ = '}';
	ck_assert_ok(json_parse(&call, (uint8_t *)text, (size_t)(to - text), &v));
	ck_assert_uint_eq(v->count, names);
	ck_assert_bytes(json_get(v, "n77")->text, "100077");
	free(text);
	call_end(&call);
}
END_TEST

START_TEST(prints)
{
	struct out out = { 0 };

	json_open(&out, '{');
	json_put_string(&out, "s", bulla_str("a\"\\\n\x01<é\xff"));
	json_put_int(&out, "least", INT64_MIN);
	json_put_int(&out, "zero", 0);
	json_put_bool(&out, "yes", true);
	json_put_null(&out, "nothing");
	json_key(&out, "list");
	json_open(&out, '[');
	json_int(&out, INT64_MAX);
	memcpy(json_plain_string(&out, 4), "AAA=", 4);
	json_string_between(&out, "<", bulla_str("x"), ">\n");
	json_open(&out, '{');
	json_close(&out, '}');
	json_close(&out, ']');
	json_key_bytes(&out, bulla_str("k\"ey"));
	json_bool(&out, false);
	json_close(&out, '}');
	ck_assert(!out.failed);
	ck_assert_bytes(bulla_mem(out.ptr, out.len),
			"{\"s\":\"a\\\"\\\\\\n\\u0001\\u003cé\\ufffd\",\"least\":-9223372036854775808,\"zero\":0,\"yes\":true,\"nothing\":null,"
			"\"list\":[9223372036854775807,\"AAA=\",\"\\u003cx\\u003e\\n\",{}],\"k\\\"ey\":false}");
	ck_assert_int_eq(oracle_accepts((char *)out.ptr, out.len), ORACLE_YES);
	out_clear(&out);
	ck_assert_ptr_null(out.ptr);
}
END_TEST

START_TEST(buffer_grows_and_fails)
{
	struct out out = { 0 };

	for (int i = 0; i < 10000; i++)
		out_text(&out, "0123456789");
	ck_assert_uint_eq(out.len, 100000);
	ck_assert_int_eq(memcmp(out.ptr + 99990, "0123456789", 10), 0);
	out_cut(&out, 10);
	ck_assert_uint_eq(out.len, 10);
	ck_assert_int_eq(out.ptr[10], 0); /* wiped */
	ck_assert(!out_reserve(&out, SIZE_MAX / 2));
	ck_assert(out.failed);
	out_text(&out, "swallowed");
	ck_assert_ptr_null(json_plain_string(&out, 1));
	ck_assert_uint_eq(out.len, 10);
	out_clear(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/json");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, refuses, 0, sizeof refused / sizeof refused[0]);
	tcase_add_loop_test(tc, as_the_oracle, 0, sizeof documents / sizeof documents[0]);
	tcase_add_loop_test(tc, mutations, 0, 5);
	tcase_add_loop_test(tc, liberties, 0, sizeof lenient / sizeof lenient[0]);
	tcase_add_loop_test(tc, request_bodies, 0, sizeof bodies / sizeof bodies[0]);
	tcase_add_test(tc, borrows);
	tcase_add_test(tc, depth);
	tcase_add_test(tc, too_many_values);
	tcase_add_test(tc, many_names);
	tcase_add_test(tc, prints);
	tcase_add_test(tc, buffer_grows_and_fails);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
