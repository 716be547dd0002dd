/* A request's target: what is decoded is decoded once, holds nothing that could step out of its place, and a query or form
 * reads the same strictly or not. */
#include "fuzz.h"
#include "http/target.h"
#include "request/form.h"

/* A path with a dot segment, which can only have been escaped, is marked: such a request is refused. */
static void check_segments(struct bulla_bytes path, bool relative)
{
	bool dots = false;

	for (size_t at = 0, end; at <= path.len; at = end + 1) {
		for (end = at; end < path.len && path.ptr[end] != '/'; end++)
			;
		struct bulla_bytes segment = bulla_mem(path.ptr + at, end - at);

		dots = dots || bulla_is(segment, ".") || bulla_is(segment, "..");
	}
	require(relative == dots);
	for (size_t i = 0; i < path.len; i++)
		require(path.ptr[i] >= 0x20 && path.ptr[i] != 0x7F);
}

/* Each byte escaped, and decoded again, is the same path: one round of decoding, no more. */
static void check_once(struct bulla_call *call, struct bulla_bytes path)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t *text = malloc(4 + 3 * path.len);
	struct target again = { 0 };
	size_t n = 4;

	require(text != NULL);
	memcpy(text, "/v1/", 4);
	for (size_t i = 0; i < path.len; i++) {
		if (path.ptr[i] == '/') {
			text[n++] = '/';
			continue;
		}
		text[n++] = '%';
		text[n++] = (uint8_t)hex[path.ptr[i] >> 4];
		text[n++] = (uint8_t)hex[path.ptr[i] & 15];
	}
	require(target_decode(call, bulla_mem(text, n), &again) == BULLA_OK);
	/* where an escaped slash made an empty segment, the plain ones are a redirect */
	require(again.location.len > 0 || bulla_equal(again.path, path));
	free(text);
}

static size_t pairs_of(const struct json *form)
{
	size_t n = 0;

	for (const struct json *v = form != NULL ? form->first : NULL; v != NULL; v = v->next) {
		require(v->type == JSON_STRING || v->type == JSON_ARRAY);
		n += v->type == JSON_ARRAY ? v->count : 1;
		require(v->type == JSON_STRING || v->count >= 2);
	}
	return n;
}

static void check_form(struct bulla_bytes text)
{
	struct bulla_call call = fuzz_call();
	struct json *loose = NULL, *strict = NULL;
	enum bulla_err err = form_parse(&call, text, false, &loose), strict_err = form_parse(&call, text, true, &strict);

	require(err == BULLA_OK || err == BULLA_E_BAD_REQUEST);
	require(strict_err == BULLA_OK || strict_err == BULLA_E_BAD_REQUEST);
	require(err == BULLA_OK || strict_err != BULLA_OK);
	require(pairs_of(loose) <= FORM_MAX_PAIRS);
	require(strict_err != BULLA_OK || pairs_of(strict) == pairs_of(loose));
	fuzz_call_end(&call);
}

/* A redirect stays on this server and is plain ASCII: neither another host nor another header. */
static void check_location(struct bulla_bytes location)
{
	require(location.ptr[0] == '/' && (location.len == 1 || location.ptr[1] != '/'));
	for (size_t i = 0; i < location.len; i++)
		require(location.ptr[i] > 0x20 && location.ptr[i] < 0x7F);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bulla_call call = fuzz_call();
	struct bulla_bytes raw = fuzz_exact(data, size);
	struct target target = { 0 };
	enum bulla_err err = target_decode(&call, raw, &target);

	require(err == BULLA_OK || err == BULLA_E_BAD_TARGET || err == BULLA_E_NOT_FOUND || err == BULLA_E_BAD_REQUEST);
	if (err == BULLA_OK && target.location.len > 0) {
		check_location(target.location);
	} else if (err == BULLA_OK) {
		check_segments(target.path, target.relative);
		check_once(&call, target.path);
		(void)pairs_of(target.query);
	}
	check_form(raw);
	fuzz_free(raw);
	fuzz_call_end(&call);
	return 0;
}
