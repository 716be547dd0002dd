/* transit_items.c: owns how batch_input is read, with the peer's two readers and their texts: a strict one (encrypt, decrypt)
 * and a weak one (rewrap). Stateless: any thread. */
#include "handlers/transit_items.h"


/* A body of bad items must not become a reply many times its size. */
#define MAX_COMPLAINTS 100

struct reader {
	struct bulla_call *call;
	bool weak;
	struct bulla_bytes complaints; /* one a line */
	unsigned complaint_count;
};

/* The kind that the weak reader sees: a number is its digits there. */
static const char *go_kind(const struct json *value)
{
	switch (value->type) {
	case JSON_BOOL:   return "bool";
	case JSON_ARRAY:  return "slice";
	case JSON_OBJECT: return "map";
	default:          return "string";
	}
}

/* ---- complaints: all of them are told at once ----------------------------------------------------------------------- */

static enum bulla_err complain(struct reader *r, struct bulla_bytes text)
{
	bool first = r->complaint_count == 0;

	if (text.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	if (r->complaint_count++ >= MAX_COMPLAINTS)
		return BULLA_OK;
	r->complaints = bulla_arena_printf(r->call->arena, "%.*s%s%s", (int)r->complaints.len, (const char *)r->complaints.ptr,
					   first ? "" : "\n", (const char *)text.ptr);
	return r->complaints.ptr != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
}

static enum bulla_err complain_type(struct reader *r, size_t at, const char *name, const char *wanted, const struct json *value)
{
	return complain(r, bulla_arena_printf(r->call->arena, "'[%zu].%s' expected type '%s', got unconvertible type '%s'", at, name,
					      wanted, field_type_name(value)));
}

/* ---- one value of an item --------------------------------------------------------------------------------------------- */

/* null: null is not given (else: it is of the wrong type). */
static enum bulla_err read_string(struct reader *r, size_t at, const struct json *item, const char *name, bool null,
				  struct bulla_bytes *out, bool *given)
{
	const struct json *value = json_get(item, name);

	*given = value != NULL;
	if (value == NULL || (null && value->type == JSON_NULL))
		return BULLA_OK;
	if (value->type != JSON_STRING)
		return complain_type(r, at, name, "string", value);
	*out = value->text;
	return BULLA_OK;
}

/* Of JSON's numbers, integers are those of digits alone: an exponent or a fraction is none. */
static bool is_integer(struct bulla_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!((text.ptr[i] >= '0' && text.ptr[i] <= '9') || (i == 0 && text.ptr[i] == '-')))
			return false;
	return text.len > 0;
}

/* A number, but no text of one. */
static enum bulla_err read_version(struct reader *r, size_t at, const struct json *value, int64_t *out)
{
	if (value == NULL || value->type == JSON_NULL)
		return BULLA_OK;
	if (value->type != JSON_NUMBER)
		return complain_type(r, at, "key_version", "int", value);
	if (is_integer(value->text) && field_int(value, out) == BULLA_OK)
		return BULLA_OK;
	int len = (int)(value->text.len < 64 ? value->text.len : 64);
	const char *digits = (const char *)value->text.ptr;

	if (!r->weak)
		return complain(r, bulla_arena_printf(r->call->arena,
						      "error decoding json.Number into [%zu].key_version: strconv.ParseInt: "
						      "parsing \"%.*s\": invalid syntax",
						      at, len, digits));
	return complain(r, bulla_arena_printf(r->call->arena,
					      "'[%zu].key_version' cannot parse value as 'int': strconv.ParseInt: parsing \"%.*s\": %s",
					      at, len, digits, is_integer(value->text) ? "value out of range" : "invalid syntax"));
}

/* ---- strict items, in the order of the peer's complaints ------------------------------------------------------------ */

static enum bulla_err read_strict(struct reader *r, size_t at, const struct json *item, enum items_of of, struct crypt_item *out)
{
	bool given;

	TRY(read_string(r, at, item, "context", true, &out->context, &given));
	TRY(read_string(r, at, item, "ciphertext", true, &out->ciphertext, &given));
	if (!given && of == ITEMS_DECRYPT)
		TRY(complain(r, bulla_arena_printf(r->call->arena, "'[%zu].ciphertext' missing ciphertext to decrypt", at)));
	TRY(read_string(r, at, item, "plaintext", false, &out->plaintext, &given));
	if (!given && of == ITEMS_ENCRYPT)
		TRY(complain(r, bulla_arena_printf(r->call->arena, "'[%zu].plaintext' missing plaintext to encrypt", at)));
	TRY(read_version(r, at, json_get(item, "key_version"), &out->key_version));
	TRY(read_string(r, at, item, "associated_data", true, &out->aad, &out->aad_given));
	TRY(read_string(r, at, item, "padding_scheme", true, &out->padding, &given));
	TRY(read_string(r, at, item, "reference", true, &out->reference, &given));
	out->pairs = json_get(item, "encryption_context");
	return BULLA_OK;
}

/* ---- weak items -------------------------------------------------------------------------------------------------------- */

/* The member of that name, else one that differs in case alone. */
static const struct json *find(const struct json *item, const char *name)
{
	const struct json *value = json_get(item, name);

	if (value != NULL || item->type != JSON_OBJECT)
		return value;
	for (value = item->first; value != NULL; value = value->next)
		if (bulla_is_nocase(value->name, name))
			return value;
	return NULL;
}

/* A string or a number. */
static enum bulla_err read_text(struct reader *r, size_t at, const struct json *item, const char *name, struct bulla_bytes *out,
				bool *given)
{
	const struct json *value = find(item, name);

	*given = json_given(value);
	if (!*given)
		return BULLA_OK;
	if (value->type != JSON_STRING && value->type != JSON_NUMBER)
		return complain_type(r, at, name, "string", value);
	*out = value->text;
	return BULLA_OK;
}

static enum bulla_err read_weak(struct reader *r, size_t at, const struct json *item, struct crypt_item *out)
{
	bool given;

	TRY(read_text(r, at, item, "context", &out->context, &given));
	TRY(read_text(r, at, item, "plaintext", &out->plaintext, &given)); /* of no use, but it must be a text */
	TRY(read_text(r, at, item, "ciphertext", &out->ciphertext, &given));
	TRY(read_version(r, at, find(item, "key_version"), &out->key_version));
	TRY(read_text(r, at, item, "associated_data", &out->aad, &out->aad_given));
	TRY(read_text(r, at, item, "decrypt_associated_data", &out->old_aad, &out->old_aad_given));
	TRY(read_text(r, at, item, "encrypt_padding_scheme", &out->padding, &given));
	TRY(read_text(r, at, item, "decrypt_padding_scheme", &out->old_padding, &given));
	TRY(read_text(r, at, item, "reference", &out->reference, &given));
	out->pairs = find(item, "encryption_context");
	out->old_pairs = find(item, "decrypt_encryption_context");
	return BULLA_OK;
}

/* ---- batch_input --------------------------------------------------------------------------------------------------------- */

static enum bulla_err read_item(struct reader *r, size_t at, const struct json *item, enum items_of of, struct crypt_item *out)
{
	if (item->type == JSON_OBJECT)
		return r->weak ? read_weak(r, at, item, out) : read_strict(r, at, item, of, out);
	if (!r->weak)
		return bulla_fail(r->call, BULLA_E_INVALID_500, "failed to parse batch input: [%zu] expected a map, got '%s'", at,
				  field_type_name(item));
	if (item->type == JSON_NULL)
		return BULLA_OK;
	return complain(r, bulla_arena_printf(r->call->arena, "'[%zu]' expected a map or struct, got \"%s\"", at, go_kind(item)));
}

static enum bulla_err same_context(struct bulla_call *call, const struct crypt_item *items, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if ((items[i].context.len > 0) != (items[0].context.len > 0))
			return bulla_fail(call, BULLA_E_INVALID, "context should be set either in all the request blocks or in none");
	return BULLA_OK;
}

enum bulla_err items_parse(struct bulla_call *call, const struct json *batch, enum items_of of, struct crypt_item **items,
			   size_t *count)
{
	struct reader r = { .call = call, .weak = of == ITEMS_REWRAP, .complaints = bulla_str("") };
	size_t n = 0;

	if (batch->type != JSON_ARRAY)
		return bulla_fail(call, BULLA_E_INVALID_500, "failed to parse batch input: %ssource data must be an array or slice, got %s",
				  r.weak ? "'' " : "", r.weak ? go_kind(batch) : field_type_name(batch));
	if (batch->count == 0)
		return bulla_fail(call, BULLA_E_INVALID, "missing batch input to process");
	struct crypt_item *list = bulla_arena_alloc(call->arena, batch->count * sizeof *list);

	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	for (const struct json *item = batch->first; item != NULL; item = item->next, n++)
		TRY(read_item(&r, n, item, of, &list[n]));
	if (r.complaint_count > 0)
		return bulla_fail(call, BULLA_E_INVALID_500, "failed to parse batch input: %s%.*s",
				  r.weak ? "decoding failed due to the following error(s):\n\n" : "", (int)r.complaints.len,
				  (const char *)r.complaints.ptr);
	TRY(same_context(call, list, n));
	*items = list;
	*count = n;
	return BULLA_OK;
}

/* ---- for the library --------------------------------------------------------------------------------------------------- */

/* An item's mistake is kept with it; anything else stops the request. */
static enum bulla_err settle(struct bulla_call *call, enum bulla_err err, enum bulla_err *item_err, struct bulla_bytes *item_error)
{
	if (err == BULLA_OK || bulla_err_row(err)->kind != BULLA_CLASS_CALLER)
		return err;
	*item_err = err;
	*item_error = bulla_call_text(call, err);
	call->detail = (struct bulla_bytes){ 0 };
	return BULLA_OK;
}

static enum bulla_err decode_context(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out)
{
	return text.len > 0 ? field_base64(call, text, out) : BULLA_OK;
}

static enum bulla_err read_pairs(struct bulla_call *call, const struct json *object, struct bulla_binding *out)
{
	if (!json_given(object))
		return BULLA_OK;
	struct bulla_pair *pairs = object->type == JSON_OBJECT ? bulla_arena_alloc(call->arena, object->count * sizeof *pairs) : NULL;
	size_t n = 0;

	if (object->type == JSON_OBJECT && pairs == NULL)
		return BULLA_E_NO_MEMORY;
	for (const struct json *v = object->first; pairs != NULL && v != NULL && v->type == JSON_STRING; v = v->next)
		pairs[n++] = (struct bulla_pair){ v->name, v->text };
	if (pairs == NULL || n < object->count)
		return bulla_fail(call, BULLA_E_INVALID, "encryption_context must be an object whose values are strings");
	out->pairs = pairs;
	out->pair_count = n;
	return BULLA_OK;
}

/* Bad base64 is for the library to refuse, in its turn. */
enum bulla_err items_binding(struct bulla_call *call, struct bulla_bytes aad, const struct json *pairs, struct bulla_binding *out)
{
	struct bulla_binding binding = { 0 };

	TRY(read_pairs(call, pairs, &binding));
	if (aad.len > 0) {
		uint8_t *to = bulla_arena_raw(call->arena, BULLA_BASE64_MAX_DECODED(aad.len));

		if (to == NULL)
			return BULLA_E_NO_MEMORY;
		binding.aad.ptr = to;
		binding.aad_bad = bulla_base64_decode(aad, to, &binding.aad.len, &binding.aad_bad_at) != BULLA_OK;
	}
	*out = binding;
	return BULLA_OK;
}

static enum bulla_err for_encrypt(struct bulla_call *call, const struct crypt_item *in, struct bulla_encrypt_item *out)
{
	TRY(field_base64(call, in->plaintext, &out->plaintext));
	TRY(decode_context(call, in->context, &out->context));
	out->key_version = in->key_version;
	out->padding = in->padding;
	return items_binding(call, in->aad, in->pairs, &out->binding);
}

static enum bulla_err for_decrypt(struct bulla_call *call, const struct crypt_item *in, struct bulla_decrypt_item *out)
{
	if (in->ciphertext.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "missing ciphertext to decrypt");
	TRY(decode_context(call, in->context, &out->context));
	out->ciphertext = in->ciphertext;
	out->padding = in->padding;
	return items_binding(call, in->aad, in->pairs, &out->binding);
}

/* What only one side names holds for both, so that a binding is not lost by accident. But associated_data without an
 * encryption_context is never taken for the old binding: the peer, which cannot rewrap bound ciphertexts, ignores it there, and
 * the refusal that follows from this is recorded behaviour. */
static enum bulla_err for_rewrap(struct bulla_call *call, const struct crypt_item *in, struct bulla_rewrap_item *out)
{
	bool new_given = in->aad_given || json_given(in->pairs);
	bool old_given = in->old_aad_given || json_given(in->old_pairs);

	if (in->ciphertext.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "missing ciphertext to decrypt");
	TRY(decode_context(call, in->context, &out->context));
	out->ciphertext = in->ciphertext;
	out->key_version = in->key_version;
	out->old_padding = in->old_padding;
	out->new_padding = in->padding;
	TRY(items_binding(call, in->old_aad, in->old_pairs, &out->old_binding));
	TRY(items_binding(call, in->aad, in->pairs, &out->new_binding));
	if (!new_given)
		out->new_binding = out->old_binding;
	if (!old_given && out->new_binding.pair_count > 0)
		out->old_binding = out->new_binding;
	return BULLA_OK;
}

#define CONVERT(name, type)                                                                                              \
	enum bulla_err items_##name(struct bulla_call *call, const struct crypt_item *items, size_t count, struct type **out) \
	{                                                                                                                \
		struct type *list = bulla_arena_alloc(call->arena, count * sizeof *list);                                \
                                                                                                                         \
		if (list == NULL)                                                                                        \
			return BULLA_E_NO_MEMORY;                                                                        \
		for (size_t i = 0; i < count; i++)                                                                       \
			TRY(settle(call, name(call, &items[i], &list[i]), &list[i].err, &list[i].error));                \
		*out = list;                                                                                             \
		return BULLA_OK;                                                                                         \
	}

CONVERT(for_encrypt, bulla_encrypt_item)
CONVERT(for_decrypt, bulla_decrypt_item)
CONVERT(for_rewrap, bulla_rewrap_item)

/* ---- printing ------------------------------------------------------------------------------------------------------------ */

#define RESULT_BYTES 128 /* most results are no longer, so that the reply need not grow step by step */

void batch_begin(struct exchange *x, size_t count)
{
	(void)out_reserve(x->data, count * RESULT_BYTES); /* a failure is remembered */
	json_open(x->data, '{');
	json_key(x->data, "batch_results");
	json_open(x->data, '[');
}

void batch_end(struct exchange *x)
{
	json_close(x->data, ']');
	json_close(x->data, '}');
}
