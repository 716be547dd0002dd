/* The JSON reader against jansson: what both accept means the same, and what only one accepts is one of the peer's liberties.
 * What was read and printed reads back as it was. */
#include "fuzz.h"
#include "json_oracle.h"
#include "request/json.h"

/* Brackets that may be open at once: past the reader's depth jansson goes on. */
static bool deep(struct bulla_bytes text)
{
	size_t brackets = 0;

	for (size_t i = 0; i < text.len; i++)
		brackets += text.ptr[i] == '[' || text.ptr[i] == '{';
	return brackets > JSON_MAX_DEPTH;
}

static void check_tree(const struct json *v, unsigned depth)
{
	size_t count = 0;

	require(depth <= JSON_MAX_DEPTH + 1);
	require(v->type != JSON_STRING || bulla_utf8_valid(v->text));
	for (const struct json *child = v->first; child != NULL; child = child->next, count++) {
		require(v->type == JSON_ARRAY || v->type == JSON_OBJECT);
		require(bulla_utf8_valid(child->name));
		check_tree(child, depth + 1);
	}
	require(count == v->count);
}

static void check_printed(const struct json *v, const char *text, size_t len, bool oracle_read_it)
{
	struct bulla_call call = fuzz_call();
	struct out out = { 0 }, again = { 0 };
	struct json *second = NULL;

	json_value(&out, v);
	require(!out.failed);
	require(!oracle_read_it || oracle_same(text, len, (const char *)out.ptr, out.len));
	require(json_parse(&call, out.ptr, out.len, &second) == BULLA_OK);
	json_value(&again, second);
	require(again.len == out.len && memcmp(again.ptr, out.ptr, out.len) == 0);
	out_clear(&out);
	out_clear(&again);
	fuzz_call_end(&call);
}

static void check_body(struct bulla_bytes text, const struct json *whole)
{
	struct bulla_call call = fuzz_call();
	struct json *body = NULL;
	enum bulla_err err = json_parse_body(&call, text.ptr, text.len, &body);

	require(err == BULLA_OK || (err == BULLA_E_BAD_JSON && call.detail.len > 0));
	require(err == BULLA_OK || body == NULL);
	if (body != NULL) {
		require(body->type == JSON_OBJECT);
		check_tree(body, 0);
	}
	if (err == BULLA_OK && whole != NULL)
		require(whole->type == JSON_NULL ? body == NULL : whole->type == JSON_OBJECT && body->count == whole->count);
	fuzz_call_end(&call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bulla_call call = fuzz_call();
	struct bulla_bytes text = fuzz_exact(data, size);
	struct json *v = NULL;
	enum bulla_err err = json_parse(&call, text.ptr, text.len, &v);
	/* jansson 2.14 skips a NUL that follows a number; none is ever right */
	enum oracle oracle = memchr(text.ptr, 0, text.len) ? ORACLE_NO : oracle_accepts((const char *)text.ptr, text.len);

	require(size == 0 || memcmp(text.ptr, data, size) == 0); /* the reader leaves its text alone */
	if (err == BULLA_OK) {
		require(oracle != ORACLE_NO);
		check_tree(v, 0);
		check_printed(v, (const char *)text.ptr, text.len, oracle == ORACLE_YES);
	} else {
		require(err == BULLA_E_BAD_JSON && v == NULL && call.detail.len > 0);
		require(oracle != ORACLE_YES || deep(text));
	}
	check_body(text, v);
	fuzz_free(text);
	fuzz_call_end(&call);
	return 0;
}
