/* form.c: percent-decoding, and "a=b&c=d" as a document (WHATWG URL, application/x-www-form-urlencoded). Stateless. */
#include "request/form.h"

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum bulla_err percent_decode(struct bulla_call *call, struct bulla_bytes text, bool plus, struct bulla_bytes *out)
{
	if (text.len == 0 || (memchr(text.ptr, '%', text.len) == NULL && !(plus && memchr(text.ptr, '+', text.len) != NULL))) {
		*out = text;
		return BULLA_OK;
	}
	uint8_t *to = bulla_arena_alloc(call->arena, text.len);
	size_t n = 0;

	if (to == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];

		if (c == '%') {
			int high = text.len - i > 2 ? hex_digit(text.ptr[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(text.ptr[i + 2]) : -1;

			if (low < 0)
				return BULLA_E_BAD_REQUEST;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		to[n++] = c;
	}
	*out = bulla_mem(to, n);
	return BULLA_OK;
}

static struct json *find(struct json *object, struct bulla_bytes name)
{
	for (struct json *v = object->first; v != NULL; v = v->next)
		if (bulla_equal(v->name, name))
			return v;
	return NULL;
}

static struct json *string_node(struct bulla_call *call, struct bulla_bytes name, struct bulla_bytes text)
{
	struct json *v = bulla_arena_alloc(call->arena, sizeof *v);

	if (v != NULL)
		*v = (struct json){ .type = JSON_STRING, .name = name, .text = text };
	return v;
}

static void append(struct json *parent, struct json *child)
{
	struct json **end = &parent->first;

	while (*end != NULL)
		end = &(*end)->next;
	*end = child;
	parent->count++;
}

/* A name that is there already becomes a list. */
static enum bulla_err add(struct bulla_call *call, struct json *object, struct bulla_bytes name, struct bulla_bytes text)
{
	struct json *there = find(object, name);
	struct json *v = string_node(call, name, text);

	if (v == NULL)
		return BULLA_E_NO_MEMORY;
	if (there == NULL) {
		append(object, v);
		return BULLA_OK;
	}
	if (there->type == JSON_STRING) {
		struct json *before = string_node(call, name, there->text);

		if (before == NULL)
			return BULLA_E_NO_MEMORY;
		*there = (struct json){ .type = JSON_ARRAY, .name = name, .next = there->next };
		append(there, before);
	}
	append(there, v);
	return BULLA_OK;
}

static enum bulla_err pair(struct bulla_call *call, struct bulla_bytes text, bool strict, struct json *object)
{
	const uint8_t *equals = memchr(text.ptr, '=', text.len);
	size_t len = equals != NULL ? (size_t)(equals - text.ptr) : text.len;
	struct bulla_bytes name = bulla_mem(text.ptr, len), value = bulla_mem(text.ptr + len, 0);
	enum bulla_err err = memchr(text.ptr, ';', text.len) != NULL ? BULLA_E_BAD_REQUEST : BULLA_OK;

	if (equals != NULL)
		value = bulla_mem(equals + 1, text.len - len - 1);
	if (err == BULLA_OK)
		err = percent_decode(call, name, true, &name);
	if (err == BULLA_OK)
		err = percent_decode(call, value, true, &value);
	if (err == BULLA_E_BAD_REQUEST && !strict)
		return BULLA_OK;
	TRY(err);
	return add(call, object, name, value);
}

enum bulla_err form_parse(struct bulla_call *call, struct bulla_bytes text, bool strict, struct json **out)
{
	struct json *object = bulla_arena_alloc(call->arena, sizeof *object);
	size_t pairs = 0;

	if (object == NULL)
		return BULLA_E_NO_MEMORY;
	object->type = JSON_OBJECT;
	while (text.len > 0) {
		const uint8_t *cut = memchr(text.ptr, '&', text.len);
		size_t len = cut != NULL ? (size_t)(cut - text.ptr) : text.len;

		if (++pairs > FORM_MAX_PAIRS)
			return bulla_fail(call, BULLA_E_BAD_REQUEST, "more than %d parameters", FORM_MAX_PAIRS);
		if (len > 0)
			TRY(pair(call, bulla_mem(text.ptr, len), strict, object));
		len += cut != NULL;
		text = bulla_mem(text.ptr + len, text.len - len);
	}
	*out = object->count > 0 ? object : NULL;
	return BULLA_OK;
}
