/* json_print.c: owns the growing buffer of a reply and prints JSON into it. One thread at a time. */
#include <stdlib.h>

#include "bulla/json.h"
#include "bulla/utf8.h"

#define FIRST_BYTES 512

bool out_grow(struct out *out, size_t more)
{
	size_t cap = out->cap < FIRST_BYTES ? FIRST_BYTES : out->cap * 2;

	if (cap - out->len < more) /* much at once: that, and what ends a reply */
		cap = more > SIZE_MAX / 2 - out->len ? 0 : out->len + more + FIRST_BYTES;
	uint8_t *p = cap == 0 ? NULL : malloc(cap);

	if (p == NULL) {
		bulla_shortage_note();
		out->failed = true;
		return false;
	}
	if (out->ptr != NULL) {
		memcpy(p, out->ptr, out->len);
		bulla_wipe(out->ptr, out->len);
		free(out->ptr);
	}
	out->ptr = p;
	out->cap = cap;
	return true;
}

void out_clear(struct out *out)
{
	if (out->ptr != NULL) {
		bulla_wipe(out->ptr, out->len);
		free(out->ptr);
	}
	*out = (struct out){ 0 };
}

void out_cut(struct out *out, size_t len)
{
	if (len < out->len) {
		bulla_wipe(out->ptr + len, out->len - len);
		out->len = len;
	}
	out->comma = false;
}

void out_raw(struct out *out, struct bulla_bytes bytes)
{
	if (bytes.len == 0 || !out_reserve(out, bytes.len))
		return;
	memcpy(out->ptr + out->len, bytes.ptr, bytes.len);
	out->len += bytes.len;
}

static void byte(struct out *out, char c)
{
	if (out_reserve(out, 1))
		out->ptr[out->len++] = (uint8_t)c;
}

/* Before a value or a name: the separator that is due. */
static void separate(struct out *out)
{
	if (out->comma)
		byte(out, ',');
	out->comma = true;
}

void json_open(struct out *out, char bracket)
{
	separate(out);
	byte(out, bracket);
	out->comma = false;
}

void json_close(struct out *out, char bracket)
{
	byte(out, bracket);
	out->comma = true;
}

void json_key_plain(struct out *out, struct bulla_bytes name)
{
	size_t n = name.len;

	if (!out_reserve(out, n + 4))
		return;
	uint8_t *to = out->ptr + out->len;

	if (out->comma)
		*to++ = ',';
	*to++ = '"';
	memcpy(to, name.ptr, n);
	to[n] = '"';
	to[n + 1] = ':';
	out->len = (size_t)(to + n + 2 - out->ptr);
	out->comma = false;
}

/* What cannot stand in a string as it is. <, > and & can, but the peer escapes them so that a browser never sees a tag. */
static const bool special[256] = {
	[0 ... 0x1F] = true, ['"'] = true, ['\\'] = true, ['<'] = true, ['>'] = true, ['&'] = true, [0x80 ... 0xFF] = true,
};

static void print_escaped(struct out *out, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";
	const char *shorts = c == '"' ? "\\\"" : c == '\\' ? "\\\\" : c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
	const char full[] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	if (shorts != NULL)
		out_raw(out, bulla_mem(shorts, 2));
	else
		out_raw(out, bulla_mem(full, sizeof full));
}

/* A character beyond ASCII; returns how many bytes it took. The two line separators are escaped, as the peer does. */
static size_t print_wide(struct out *out, const uint8_t *p, size_t n)
{
	size_t seq = utf8_sequence(p, n);

	if (seq == 0) {
		out_text(out, "\\ufffd");
		return 1;
	}
	if (seq == 3 && p[0] == 0xE2 && p[1] == 0x80 && (p[2] & 0xFE) == 0xA8)
		out_text(out, p[2] == 0xA8 ? "\\u2028" : "\\u2029");
	else
		out_raw(out, bulla_mem(p, seq));
	return seq;
}

static void print_characters(struct out *out, struct bulla_bytes text)
{
	for (size_t i = 0; i < text.len;) {
		size_t run = i;

		while (i < text.len && !special[text.ptr[i]])
			i++;
		out_raw(out, bulla_mem(text.ptr + run, i - run));
		if (i == text.len)
			break;
		if (text.ptr[i] < 0x80)
			print_escaped(out, text.ptr[i++]);
		else
			i += print_wide(out, text.ptr + i, text.len - i);
	}
}

static void print_string(struct out *out, struct bulla_bytes text)
{
	if (!out_reserve(out, text.len + 2)) /* most need no more */
		return;
	byte(out, '"');
	print_characters(out, text);
	byte(out, '"');
}

void json_key_bytes(struct out *out, struct bulla_bytes name)
{
	separate(out);
	print_string(out, name);
	byte(out, ':');
	out->comma = false;
}

void json_text(struct out *out, struct bulla_bytes text)
{
	separate(out);
	print_string(out, text);
}

void json_string_between(struct out *out, const char *before, struct bulla_bytes text, const char *after)
{
	separate(out);
	byte(out, '"');
	print_characters(out, bulla_str(before));
	print_characters(out, text);
	print_characters(out, bulla_str(after));
	byte(out, '"');
}

char *json_plain_string(struct out *out, size_t len)
{
	separate(out);
	if (len > SIZE_MAX - 2 || !out_reserve(out, len + 2)) {
		out->failed = true;
		return NULL;
	}
	char *p = (char *)out->ptr + out->len + 1;

	p[-1] = p[len] = '"';
	out->len += len + 2;
	return p;
}

void json_int(struct out *out, int64_t value)
{
	char text[24];
	size_t at = sizeof text;
	uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	do {
		text[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left != 0);
	if (value < 0)
		text[--at] = '-';
	separate(out);
	out_raw(out, bulla_mem(text + at, sizeof text - at));
}

void json_bool(struct out *out, bool value)
{
	separate(out);
	out_text(out, value ? "true" : "false");
}

void json_nil(struct out *out)
{
	separate(out);
	out_text(out, "null");
}

void json_strings(struct out *out, const struct bulla_bytes *items, size_t count)
{
	json_open(out, '[');
	for (size_t i = 0; i < count; i++)
		json_text(out, items[i]);
	json_close(out, ']');
}

void json_pairs(struct out *out, const struct bulla_pair *pairs, size_t count)
{
	json_open(out, '{');
	for (size_t i = 0; i < count; i++) {
		json_key_bytes(out, pairs[i].key);
		json_text(out, pairs[i].value);
	}
	json_close(out, '}');
}

void json_value(struct out *out, const struct json *value)
{
	switch (value->type) {
	case JSON_NULL:
		json_nil(out);
		return;
	case JSON_BOOL:
		json_bool(out, value->boolean);
		return;
	case JSON_NUMBER:
		separate(out);
		out_raw(out, value->text);
		return;
	case JSON_STRING:
		json_text(out, value->text);
		return;
	case JSON_ARRAY:
		json_open(out, '[');
		for (const struct json *v = value->first; v != NULL; v = v->next)
			json_value(out, v);
		json_close(out, ']');
		return;
	case JSON_OBJECT:
		json_open(out, '{');
		for (const struct json *v = value->first; v != NULL; v = v->next) {
			json_key_bytes(out, v->name);
			json_value(out, v);
		}
		json_close(out, '}');
		return;
	}
}
