/* json.c: the reader of JSON (RFC 8259). A single pass over the text; strings without escapes are borrowed from it.
 * Own code, because bodies hold what no library in Debian reads: numbers beyond 64 bits, lone surrogates, bad UTF-8.
 * One thread at a time, no state. */
#include "bulla/json.h"

#include <math.h>
#include <stdlib.h>

#include "bulla/utf8.h"

struct reader {
	struct bulla_call *call;
	const uint8_t *p, *end, *text;
	size_t values;
	unsigned depth;
	bool double_range; /* refuse numbers that no double can hold */
};

static enum bulla_err bad(const struct reader *r, const char *what)
{
	return bulla_fail(r->call, BULLA_E_BAD_JSON, "failed to decode JSON input: %s at byte %zu", what, (size_t)(r->p - r->text));
}

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
		r->p++;
}

static bool take(struct reader *r, uint8_t c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

/* ---- strings ------------------------------------------------------------------------------------------------------- */

/* The first byte at or after p that a plain string cannot hold as it is: a quote, a backslash, a control or a byte over 7F.
 * Eight at a time: the classic test for a byte that is zero, once for each of them. */
static const uint8_t *plain_end(const uint8_t *p, const uint8_t *end)
{
	const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;

	for (; end - p >= 8; p += 8) {
		uint64_t w;

		memcpy(&w, p, 8);
		uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';

		if ((((quote - ones) | (slash - ones) | (w - ones * 0x20)) & tops) | (w & tops))
			break;
	}
	while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at p, or -1. */
static int32_t hex4(const uint8_t *p, const uint8_t *end)
{
	int32_t v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int d = hex_digit(p[i]);

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* Behind "\u": a code point, a pair of surrogates as one, a lone one as U+FFFD. */
static enum bulla_err unicode_escape(struct reader *r, uint32_t *code)
{
	int32_t high = hex4(r->p, r->end);

	if (high < 0)
		return bad(r, "bad \\u escape");
	r->p += 4;
	*code = (uint32_t)high;
	if (high < 0xD800 || high > 0xDFFF)
		return BULLA_OK;
	*code = 0xFFFD;
	if (high > 0xDBFF || r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
		return BULLA_OK;
	int32_t low = hex4(r->p + 2, r->end);

	if (low < 0xDC00 || low > 0xDFFF)
		return BULLA_OK;
	r->p += 6;
	*code = 0x10000 + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
	return BULLA_OK;
}

static enum bulla_err escape(struct reader *r, uint32_t *code)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

	if (r->p == r->end)
		return bad(r, "unexpected end");
	uint8_t c = *r->p;
	const char *at = c != 0 ? strchr(from, c) : NULL;

	if (c != 'u' && at == NULL)
		return bad(r, "bad escape");
	r->p++;
	if (c == 'u')
		return unicode_escape(r, code);
	*code = (uint32_t)to[at - from];
	return BULLA_OK;
}

/* The closing quote at or after p, or end. */
static const uint8_t *string_end(const uint8_t *p, const uint8_t *end)
{
	for (; p < end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p < end ? p : end;
}

/* The rest of a string that is not plain, from start on; r->p stands at the first byte that is not. */
static enum bulla_err string_copy(struct reader *r, const uint8_t *start, struct bulla_bytes *out)
{
	/* one bad byte becomes three */
	size_t room = (size_t)(r->p - start) + 3 * (size_t)(string_end(r->p, r->end) - r->p) + 4;
	uint8_t *to = bulla_arena_raw(r->call->arena, room);
	size_t n = (size_t)(r->p - start);

	if (to == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(to, start, n);
	while (r->p < r->end && *r->p != '"') {
		const uint8_t *run = r->p;
		uint32_t code = 0xFFFD;

		r->p = plain_end(run, r->end);
		memcpy(to + n, run, (size_t)(r->p - run));
		n += (size_t)(r->p - run);
		if (r->p == r->end || *r->p == '"')
			break;
		if (*r->p < 0x20)
			return bad(r, "control character in a string");
		if (*r->p == '\\') {
			r->p++;
			TRY(escape(r, &code));
			n += utf8_put(code, to + n);
			continue;
		}
		size_t seq = utf8_sequence(r->p, (size_t)(r->end - r->p));

		if (seq == 0) {
			n += utf8_put(code, to + n);
			r->p++;
			continue;
		}
		memcpy(to + n, r->p, seq);
		n += seq;
		r->p += seq;
	}
	if (!take(r, '"'))
		return bad(r, "unexpected end");
	*out = bulla_mem(to, n);
	return BULLA_OK;
}

/* r->p stands behind the opening quote. */
static enum bulla_err string(struct reader *r, struct bulla_bytes *out)
{
	const uint8_t *start = r->p;

	for (;;) {
		r->p = plain_end(r->p, r->end);
		if (r->p == r->end)
			return bad(r, "unexpected end");
		if (*r->p == '"') {
			*out = bulla_mem(start, (size_t)(r->p++ - start));
			return BULLA_OK;
		}
		size_t seq = *r->p < 0x80 ? 0 : utf8_sequence(r->p, (size_t)(r->end - r->p));

		if (seq == 0)
			return string_copy(r, start, out);
		r->p += seq;
	}
}

/* ---- numbers ------------------------------------------------------------------------------------------------------- */

static bool digits(struct reader *r)
{
	const uint8_t *start = r->p;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return r->p > start;
}

/* Whether it is a finite double. Only long ones need to be tried: 300 digits or an exponent may be too much. */
static enum bulla_err check_range(struct reader *r, struct bulla_bytes number, bool exponent)
{
	if (!r->double_range || (!exponent && number.len < 300))
		return BULLA_OK;
	struct bulla_bytes copy = bulla_arena_copy(r->call->arena, number);

	if (copy.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	return isfinite(strtod((const char *)copy.ptr, NULL)) ? BULLA_OK : bad(r, "number out of range");
}

static enum bulla_err number(struct reader *r, struct json *v)
{
	const uint8_t *start = r->p;
	bool exponent = false;

	take(r, '-');
	if (!take(r, '0') && !digits(r))
		return bad(r, "unexpected character");
	if (take(r, '.') && !digits(r))
		return bad(r, "bad number");
	if (take(r, 'e') || take(r, 'E')) {
		exponent = true;
		if (!take(r, '+'))
			take(r, '-');
		if (!digits(r))
			return bad(r, "bad number");
	}
	v->type = JSON_NUMBER;
	v->text = bulla_mem(start, (size_t)(r->p - start));
	return check_range(r, v->text, exponent);
}

/* ---- values -------------------------------------------------------------------------------------------------------- */

static enum bulla_err value(struct reader *r, struct json *v);

static enum bulla_err node(struct reader *r, struct json **out)
{
	if (++r->values > JSON_MAX_VALUES)
		return bad(r, "too many values");
	*out = bulla_arena_alloc(r->call->arena, sizeof **out);
	return *out != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
}

struct rank {
	struct json *node;
	size_t at;
};

static int rank_compare(const void *left, const void *right)
{
	const struct rank *a = left, *b = right;
	int order = bulla_compare(a->node->name, b->node->name);

	return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

/* Marks with drop those of the children that a later one of the same name replaces. Sorted, so that an object of a million
 * names costs no million squared. */
static enum bulla_err mark_duplicates(struct reader *r, const struct json *object, bool *drop, size_t *dropped)
{
	struct rank *ranks = bulla_arena_alloc(r->call->arena, object->count * sizeof *ranks);
	size_t n = 0;

	if (ranks == NULL)
		return BULLA_E_NO_MEMORY;
	for (struct json *v = object->first; v != NULL; v = v->next, n++)
		ranks[n] = (struct rank){ v, n };
	qsort(ranks, n, sizeof *ranks, rank_compare);
	for (size_t i = 0; i + 1 < n; i++)
		if (bulla_equal(ranks[i].node->name, ranks[i + 1].node->name)) {
			drop[ranks[i].at] = true;
			++*dropped;
		}
	return BULLA_OK;
}

static enum bulla_err drop_duplicates(struct reader *r, struct json *object)
{
	size_t dropped = 0, at = 0;

	if (object->count < 2)
		return BULLA_OK;
	bool *drop = bulla_arena_alloc(r->call->arena, object->count);

	if (drop == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(mark_duplicates(r, object, drop, &dropped));
	if (dropped == 0)
		return BULLA_OK;
	for (struct json **link = &object->first; *link != NULL; at++) {
		if (drop[at])
			*link = (*link)->next;
		else
			link = &(*link)->next;
	}
	object->count -= dropped;
	return BULLA_OK;
}

/* A few names are compared each with each: cheaper than sorting, and no memory. */
static bool has_duplicates(const struct json *object)
{
	for (const struct json *a = object->first; a != NULL; a = a->next)
		for (const struct json *b = a->next; b != NULL; b = b->next)
			if (bulla_equal(a->name, b->name))
				return true;
	return false;
}

static enum bulla_err member(struct reader *r, struct json *v)
{
	skip_space(r);
	if (!take(r, '"'))
		return bad(r, "expected a name");
	TRY(string(r, &v->name));
	skip_space(r);
	if (!take(r, ':'))
		return bad(r, "expected ':'");
	return value(r, v);
}

/* The children of an array or object up to its closing bracket; the opening one was taken. */
static enum bulla_err children(struct reader *r, struct json *parent, uint8_t closing)
{
	struct json **end = &parent->first;

	if (++r->depth > JSON_MAX_DEPTH)
		return bad(r, "nested too deep");
	skip_space(r);
	if (take(r, closing)) {
		r->depth--;
		return BULLA_OK;
	}
	do {
		struct json *v;

		TRY(node(r, &v));
		TRY(parent->type == JSON_OBJECT ? member(r, v) : value(r, v));
		*end = v;
		end = &v->next;
		parent->count++;
		skip_space(r);
	} while (take(r, ','));
	if (!take(r, closing))
		return bad(r, r->p == r->end ? "unexpected end" : "expected ',' or a closing bracket");
	r->depth--;
	if (parent->type == JSON_OBJECT && (parent->count > 16 || has_duplicates(parent)))
		return drop_duplicates(r, parent);
	return BULLA_OK;
}

static enum bulla_err word(struct reader *r, struct json *v, const char *text, enum json_type type, bool boolean)
{
	size_t n = strlen(text);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0)
		return bad(r, "unexpected character");
	r->p += n;
	v->type = type;
	v->boolean = boolean;
	return BULLA_OK;
}

static enum bulla_err value(struct reader *r, struct json *v)
{
	skip_space(r);
	if (r->p == r->end)
		return bad(r, "unexpected end");
	switch (*r->p) {
	case '"':
		r->p++;
		v->type = JSON_STRING;
		return string(r, &v->text);
	case '{':
		r->p++;
		v->type = JSON_OBJECT;
		return children(r, v, '}');
	case '[':
		r->p++;
		v->type = JSON_ARRAY;
		return children(r, v, ']');
	case 't':
		return word(r, v, "true", JSON_BOOL, true);
	case 'f':
		return word(r, v, "false", JSON_BOOL, false);
	case 'n':
		return word(r, v, "null", JSON_NULL, false);
	default:
		return number(r, v);
	}
}

enum bulla_err json_parse(struct bulla_call *call, const uint8_t *text, size_t len, struct json **out)
{
	struct reader r = { .call = call, .p = text, .end = text + len, .text = text };
	struct json *v;

	TRY(node(&r, &v));
	TRY(value(&r, v));
	skip_space(&r);
	if (r.p != r.end)
		return bad(&r, "unexpected character after the value");
	*out = v;
	return BULLA_OK;
}

enum bulla_err json_parse_body(struct bulla_call *call, const uint8_t *text, size_t len, struct json **out)
{
	struct reader r = { .call = call, .p = text, .end = text + len, .text = text, .double_range = true };
	struct json *v;

	skip_space(&r);
	if (r.p == r.end) {
		*out = NULL;
		return BULLA_OK;
	}
	TRY(node(&r, &v));
	TRY(value(&r, v));
	if (v->type != JSON_NULL && v->type != JSON_OBJECT) {
		r.p = text;
		return bad(&r, "an object is expected");
	}
	skip_space(&r);
	if (r.p != r.end && (*r.p == 0 || strchr("{[\"-0123456789tfn", *r.p) == NULL))
		return bad(&r, "unexpected character after the value");
	*out = v->type == JSON_OBJECT ? v : NULL;
	return BULLA_OK;
}

const struct json *json_get(const struct json *object, const char *name)
{
	size_t len = strlen(name);

	if (object == NULL || object->type != JSON_OBJECT)
		return NULL;
	for (const struct json *v = object->first; v != NULL; v = v->next)
		if (v->name.len == len && memcmp(v->name.ptr, name, len) == 0)
			return v;
	return NULL;
}
