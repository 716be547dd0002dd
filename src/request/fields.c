/* fields.c: weakly typed values, as Go's mapstructure gives them to the peer's handlers, and the binding of a document's
 * members to a struct. Stateless: any thread.
 *
 * A JSON number is text there: it converts as the string of its digits does, so 1.0 is no integer and 2 no boolean. */
#include "request/fields.h"

#include <errno.h>
#include <stdlib.h>

#define BAD_INT "'' cannot parse value as 'int': strconv.ParseInt: invalid syntax"
#define BIG_INT "'' cannot parse value as 'int': strconv.ParseInt: value out of range"
#define BAD_BOOL "'' cannot parse value as 'bool': strconv.ParseBool: invalid syntax"

/* What a conversion says when it refuses; the texts are put together by bind_one. */
struct refusal {
	const char *text;      /* NULL: "WHERE expected type 'WANTED', got unconvertible type ..." of what got */
	const char *where;     /* "''" or "'[0]'" */
	const char *wanted;
	enum json_type got;
};

static enum bulla_err refuse(struct refusal *why, const char *text)
{
	why->text = text;
	return BULLA_E_BAD_FIELD;
}

static enum bulla_err refuse_type(struct refusal *why, const char *wanted, const struct json *value)
{
	*why = (struct refusal){ .where = "''", .wanted = wanted, .got = value->type };
	return BULLA_E_BAD_FIELD;
}

/* ---- integers ------------------------------------------------------------------------------------------------------ */

static int digit_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* The base that a prefix names (0x, 0o, 0b, 0), past which text is moved. */
static unsigned integer_base(struct bulla_bytes *text)
{
	if (text->len < 2 || text->ptr[0] != '0')
		return 10;
	uint8_t c = text->ptr[1] | 0x20;
	unsigned base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
	size_t skip = base != 0 ? 2 : 1;

	*text = bulla_mem(text->ptr + skip, text->len - skip);
	return base != 0 ? base : 8;
}

/* Go's ParseInt with base 0: a sign, a base prefix, and single underscores between digits and behind a prefix. */
static enum bulla_err parse_integer(struct bulla_bytes text, int64_t *out, struct refusal *why)
{
	bool negative = text.len > 0 && text.ptr[0] == '-', overflow = false;

	if (negative || (text.len > 0 && text.ptr[0] == '+'))
		text = bulla_mem(text.ptr + 1, text.len - 1);
	size_t before = text.len;
	unsigned base = integer_base(&text);
	bool after_digit = text.len < before, underscore = false, any = false;
	uint64_t v = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '_') {
			if (!after_digit)
				return refuse(why, BAD_INT);
			after_digit = false;
			underscore = true;
			continue;
		}
		unsigned d = (unsigned)digit_value(text.ptr[i]);

		if (d >= base)
			return refuse(why, BAD_INT);
		overflow |= __builtin_mul_overflow(v, (uint64_t)base, &v);
		overflow |= __builtin_add_overflow(v, (uint64_t)d, &v);
		after_digit = any = true;
	}
	/* an underscore needs a prefix or a digit before it and a digit behind it */
	if (!any || (underscore && !after_digit))
		return refuse(why, BAD_INT);
	if (overflow || v > (uint64_t)INT64_MAX + negative)
		return refuse(why, BIG_INT);
	*out = (int64_t)(negative ? 0 - v : v);
	return BULLA_OK;
}

static enum bulla_err to_int(const struct json *value, int64_t *out, struct refusal *why)
{
	switch (value->type) {
	case JSON_NULL:
		*out = 0;
		return BULLA_OK;
	case JSON_BOOL:
		*out = value->boolean;
		return BULLA_OK;
	case JSON_STRING:
	case JSON_NUMBER:
		if (value->text.len > 0)
			return parse_integer(value->text, out, why);
		*out = 0;
		return BULLA_OK;
	default:
		return refuse_type(why, "int", value);
	}
}

/* ---- booleans and strings ------------------------------------------------------------------------------------------ */

static enum bulla_err to_bool(const struct json *value, bool *out, struct refusal *why)
{
	static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
	static const char *const no[] = { "", "0", "f", "F", "FALSE", "false", "False" };

	switch (value->type) {
	case JSON_NULL:
		*out = false;
		return BULLA_OK;
	case JSON_BOOL:
		*out = value->boolean;
		return BULLA_OK;
	case JSON_STRING:
	case JSON_NUMBER:
		break;
	default:
		return refuse_type(why, "bool", value);
	}
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		if (bulla_is(value->text, yes[i])) {
			*out = true;
			return BULLA_OK;
		}
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		if (bulla_is(value->text, no[i])) {
			*out = false;
			return BULLA_OK;
		}
	return refuse(why, BAD_BOOL);
}

static enum bulla_err to_string(const struct json *value, struct bulla_bytes *out, struct refusal *why)
{
	switch (value->type) {
	case JSON_NULL:
		*out = bulla_str("");
		return BULLA_OK;
	case JSON_BOOL:
		*out = bulla_str(value->boolean ? "1" : "0");
		return BULLA_OK;
	case JSON_STRING:
	case JSON_NUMBER:
		*out = value->text;
		return BULLA_OK;
	default:
		return refuse_type(why, "string", value);
	}
}

/* ---- durations ----------------------------------------------------------------------------------------------------- */

static enum bulla_err to_seconds(struct bulla_call *call, const struct json *value, bool is_signed, int64_t *out, struct refusal *why)
{
	int64_t seconds = 0;

	if (value->type == JSON_BOOL || value->type == JSON_ARRAY || value->type == JSON_OBJECT)
		return refuse(why, "could not parse duration from input");
	if (value->type != JSON_NULL && duration_parse(call, value->text, &seconds) != BULLA_OK)
		return refuse(why, (const char *)call->detail.ptr);
	if (seconds < 0 && !is_signed) {
		struct bulla_bytes text = bulla_arena_printf(call->arena, "cannot provide negative value '%lld'", (long long)seconds);

		return refuse(why, text.ptr != NULL ? (const char *)text.ptr : "cannot provide negative value");
	}
	*out = seconds;
	return BULLA_OK;
}

/* ---- lists and pairs ----------------------------------------------------------------------------------------------- */

static struct bulla_bytes trim(struct bulla_bytes text)
{
	while (text.len > 0 && strchr(" \t\n\v\f\r", text.ptr[0]) != NULL && text.ptr[0] != 0)
		text = bulla_mem(text.ptr + 1, text.len - 1);
	while (text.len > 0 && strchr(" \t\n\v\f\r", text.ptr[text.len - 1]) != NULL && text.ptr[text.len - 1] != 0)
		text.len--;
	return text;
}

static enum bulla_err split_commas(struct bulla_call *call, struct bulla_bytes text, struct field_strings *out)
{
	size_t count = text.len > 0, n = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == ',';
	struct bulla_bytes *items = bulla_arena_alloc(call->arena, count * sizeof *items);

	if (items == NULL)
		return BULLA_E_NO_MEMORY;
	while (n < count) {
		const uint8_t *comma = memchr(text.ptr, ',', text.len);
		size_t len = comma != NULL ? (size_t)(comma - text.ptr) : text.len;

		items[n++] = trim(bulla_mem(text.ptr, len));
		if (comma != NULL)
			text = bulla_mem(comma + 1, text.len - len - 1);
	}
	*out = (struct field_strings){ items, count };
	return BULLA_OK;
}

/* A refusal of the item at: the text names it. */
static enum bulla_err refuse_item(struct bulla_call *call, const struct json *item, size_t at, struct refusal *why)
{
	struct bulla_bytes where = bulla_arena_printf(call->arena, "'[%zu]'", at);

	(void)refuse_type(why, "string", item);
	if (where.ptr != NULL)
		why->where = (const char *)where.ptr;
	return BULLA_E_BAD_FIELD;
}

static enum bulla_err list_of_strings(struct bulla_call *call, const struct json *list, struct field_strings *out,
				      struct refusal *why)
{
	struct bulla_bytes *items = bulla_arena_alloc(call->arena, list->count * sizeof *items);
	size_t n = 0;

	if (items == NULL)
		return BULLA_E_NO_MEMORY;
	for (const struct json *v = list->first; v != NULL; v = v->next, n++)
		if (to_string(v, &items[n], why) != BULLA_OK)
			return refuse_item(call, v, n, why);
	*out = (struct field_strings){ items, n };
	return BULLA_OK;
}

static enum bulla_err to_strings(struct bulla_call *call, const struct json *value, struct field_strings *out, struct refusal *why)
{
	struct bulla_bytes text;

	if (value->type == JSON_OBJECT && value->count > 0)
		return refuse_item(call, value, 0, why);
	if (value->type == JSON_ARRAY || value->type == JSON_OBJECT) {
		struct field_strings list;

		TRY(list_of_strings(call, value, &list, why));
		for (size_t i = 0; i < list.count; i++)
			list.items[i] = trim(list.items[i]);
		*out = list;
		return BULLA_OK;
	}
	TRY(to_string(value, &text, why));
	return split_commas(call, text, out);
}

/* Without the commas and the trimming of to_strings. */
static enum bulla_err to_list(struct bulla_call *call, const struct json *value, struct field_strings *out, struct refusal *why)
{
	struct bulla_bytes text;

	if (value->type == JSON_OBJECT && value->count > 0)
		return refuse_item(call, value, 0, why);
	if (value->type == JSON_ARRAY || value->type == JSON_OBJECT)
		return list_of_strings(call, value, out, why);
	TRY(to_string(value, &text, why));
	struct bulla_bytes *items = bulla_arena_alloc(call->arena, sizeof *items);

	if (items == NULL)
		return BULLA_E_NO_MEMORY;
	items[0] = text;
	*out = (struct field_strings){ items, text.len > 0 };
	return BULLA_OK;
}

/* ["a=b", ...], or one such string. */
static enum bulla_err pairs_of_list(struct bulla_call *call, const struct json *value, const char *name, struct field_pairs *out,
				    struct refusal *why)
{
	struct json single = *value, list = { .type = JSON_ARRAY, .first = &single, .count = 1 };
	struct field_strings strings;

	single.next = NULL;
	TRY(list_of_strings(call, value->type == JSON_ARRAY ? value : &list, &strings, why));
	struct bulla_pair *pairs = bulla_arena_alloc(call->arena, strings.count * sizeof *pairs);

	if (pairs == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < strings.count; i++) {
		struct bulla_bytes text = strings.items[i];
		const uint8_t *at = text.len > 0 ? memchr(text.ptr, '=', text.len) : NULL;

		if (at == NULL || at == text.ptr) {
			text = bulla_arena_printf(call->arena, "invalid key pair at index %zu in field \"%s\"", i, name);
			return text.ptr != NULL ? refuse(why, (const char *)text.ptr) : BULLA_E_NO_MEMORY;
		}
		size_t len = (size_t)(at - text.ptr);

		pairs[i] = (struct bulla_pair){ bulla_mem(text.ptr, len), bulla_mem(at + 1, text.len - len - 1) };
	}
	*out = (struct field_pairs){ pairs, strings.count };
	return BULLA_OK;
}

static enum bulla_err to_pairs(struct bulla_call *call, const struct json *value, const char *name, struct field_pairs *out,
			       struct refusal *why)
{
	if (value->type == JSON_NULL) {
		*out = (struct field_pairs){ 0 };
		return BULLA_OK;
	}
	if (value->type != JSON_OBJECT)
		return pairs_of_list(call, value, name, out, why);
	struct bulla_pair *pairs = bulla_arena_alloc(call->arena, value->count * sizeof *pairs);
	size_t n = 0;

	if (pairs == NULL)
		return BULLA_E_NO_MEMORY;
	for (const struct json *v = value->first; v != NULL; v = v->next, n++) {
		pairs[n].key = v->name;
		if (to_string(v, &pairs[n].value, why) != BULLA_OK)
			return refuse_item(call, value, 0, why);
	}
	*out = (struct field_pairs){ pairs, n };
	return BULLA_OK;
}

/* ---- binding ------------------------------------------------------------------------------------------------------- */

static enum bulla_err convert(struct bulla_call *call, const struct json *value, const struct field *field, void *to,
			      struct refusal *why)
{
	switch (field->type) {
	case FIELD_STRING:
		return to_string(value, to, why);
	case FIELD_BOOL:
		return to_bool(value, to, why);
	case FIELD_INT:
		return to_int(value, to, why);
	case FIELD_SECONDS:
	case FIELD_SIGNED_SECONDS:
		return to_seconds(call, value, field->type == FIELD_SIGNED_SECONDS, to, why);
	case FIELD_STRINGS:
		return to_strings(call, value, to, why);
	case FIELD_LIST:
		return to_list(call, value, to, why);
	case FIELD_PAIRS:
		return to_pairs(call, value, field->name, to, why);
	case FIELD_JSON:
		memcpy(to, &value, sizeof value);
		return BULLA_OK;
	}
	return BULLA_E_INTERNAL;
}

static enum bulla_err explain(struct bulla_call *call, const struct field *field, bool with_prefix, const struct refusal *why)
{
	const char *prefix = with_prefix ? "Field validation failed: " : "";

	if (why->text != NULL)
		return bulla_fail(call, BULLA_E_BAD_FIELD, "%serror converting input for field \"%s\": %s", prefix, field->name, why->text);
	return bulla_fail(call, BULLA_E_BAD_FIELD,
			  "%serror converting input for field \"%s\": %s expected type '%s', got unconvertible type '%s'", prefix,
			  field->name, why->where, why->wanted, why->got == JSON_ARRAY ? "[]interface {}" : "map[string]interface {}");
}

enum bulla_err fields_bind(struct bulla_call *call, const struct json *object, const struct field *fields, bool with_prefix,
			   void *structure)
{
	if (object == NULL || object->type == JSON_NULL)
		return BULLA_OK;
	for (const struct field *f = fields; f->name != NULL; f++) {
		const struct json *value = json_get(object, f->name);
		struct refusal why = { 0 };

		bool duration = f->type == FIELD_SECONDS || f->type == FIELD_SIGNED_SECONDS;

		if (value == NULL || (duration && value->type == JSON_NULL)) /* a null duration is not there */
			continue;
		enum bulla_err err = convert(call, value, f, (char *)structure + f->offset, &why);

		if (err == BULLA_E_BAD_FIELD)
			return explain(call, f, with_prefix, &why);
		TRY(err);
		if (f->set_bit != 0)
			*(unsigned *)(void *)((char *)structure + f->set_offset) |= f->set_bit;
	}
	return BULLA_OK;
}

enum bulla_err field_int(const struct json *value, int64_t *out)
{
	struct refusal why;

	return to_int(value, out, &why);
}

enum bulla_err field_bool(const struct json *value, bool *out)
{
	struct refusal why;

	return to_bool(value, out, &why);
}

enum bulla_err field_string(struct bulla_call *call, const struct json *value, struct bulla_bytes *out)
{
	struct refusal why;

	(void)call;
	return to_string(value, out, &why);
}

enum bulla_err field_base64(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out)
{
	uint8_t *to = bulla_arena_raw(call->arena, BULLA_BASE64_MAX_DECODED(text.len));
	size_t len, bad_at;

	if (to == NULL)
		return BULLA_E_NO_MEMORY;
	if (bulla_base64_decode(text, to, &len, &bad_at) != BULLA_OK)
		return bulla_fail(call, BULLA_E_BAD_BASE64, "illegal base64 data at input byte %zu", bad_at);
	*out = bulla_mem(to, len);
	return BULLA_OK;
}

const char *field_type_name(const struct json *value)
{
	switch (value->type) {
	case JSON_NULL:   return "<nil>";
	case JSON_BOOL:   return "bool";
	case JSON_NUMBER: return "json.Number";
	case JSON_STRING: return "string";
	case JSON_ARRAY:  return "[]interface {}";
	case JSON_OBJECT: return "map[string]interface {}";
	}
	return "";
}
