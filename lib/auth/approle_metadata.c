/* approle_metadata.c: reads the metadata of a secret id, which comes as text. Any thread; never blocks. */
#include "auth/approle_private.h"
#include "bulla/encode.h"
#include "bulla/json.h"

static enum bulla_err bad_metadata(struct bulla_call *call)
{
	return bulla_fail(call, BULLA_E_INVALID, "failed to parse metadata: failed to parse the input: invalid <key,value> format");
}

static struct bulla_bytes trim(struct bulla_bytes t)
{
	while (t.len > 0 && strchr(" \t\r\n", t.ptr[0]) != NULL && t.ptr[0] != 0)
		t = bulla_mem(t.ptr + 1, t.len - 1);
	while (t.len > 0 && strchr(" \t\r\n", t.ptr[t.len - 1]) != NULL && t.ptr[t.len - 1] != 0)
		t.len--;
	return t;
}

static enum bulla_err add_pair(struct bulla_call *call, struct bulla_bytes text, struct bulla_pair *out)
{
	const uint8_t *at = memchr(text.ptr, '=', text.len);

	if (at == NULL || memchr(at + 1, '=', text.len - (size_t)(at + 1 - text.ptr)) != NULL)
		return bad_metadata(call);
	struct bulla_pair pair = { trim(bulla_mem(text.ptr, (size_t)(at - text.ptr))),
				   trim(bulla_mem(at + 1, text.len - (size_t)(at + 1 - text.ptr))) };

	if (pair.key.len == 0 || pair.value.len == 0) {
		struct bulla_bytes key = bulla_arena_quote(call->arena, pair.key), value = bulla_arena_quote(call->arena, pair.value);

		return bulla_fail(call, BULLA_E_INVALID, "failed to parse metadata: failed to parse the input: invalid <key,value> pair: "
				  "key: %.*s value: %.*s", (int)key.len, (const char *)key.ptr, (int)value.len, (const char *)value.ptr);
	}
	*out = pair;
	return BULLA_OK;
}

static enum bulla_err metadata_of_text(struct bulla_call *call, struct bulla_bytes text, struct bulla_secret_id *s)
{
	size_t room = 1, n = 0;

	for (size_t i = 0; i < text.len; i++)
		room += text.ptr[i] == ',';
	struct bulla_pair *pairs = bulla_arena_alloc(call->arena, room * sizeof *pairs);

	if (pairs == NULL)
		return BULLA_E_NO_MEMORY;
	while (text.len > 0) {
		const uint8_t *comma = memchr(text.ptr, ',', text.len);
		size_t len = comma != NULL ? (size_t)(comma - text.ptr) : text.len;
		struct bulla_bytes one = trim(bulla_mem(text.ptr, len));

		if (one.len > 0)
			TRY(add_pair(call, one, &pairs[n++]));
		len += comma != NULL;
		text = bulla_mem(text.ptr + len, text.len - len);
	}
	s->meta = pairs;
	s->meta_count = n;
	return BULLA_OK;
}

static enum bulla_err metadata_of_object(struct bulla_call *call, const struct json *object, struct bulla_secret_id *s)
{
	struct bulla_pair *pairs = bulla_arena_alloc(call->arena, object->count * sizeof *pairs);
	size_t n = 0;

	if (pairs == NULL)
		return BULLA_E_NO_MEMORY;
	for (const struct json *v = object->first; v != NULL; v = v->next, n++) {
		if (v->type != JSON_STRING && v->type != JSON_NULL)
			return bad_metadata(call);
		pairs[n] = (struct bulla_pair){ v->name, v->text };
	}
	s->meta = pairs;
	s->meta_count = n;
	return BULLA_OK;
}

enum bulla_err metadata_parse(struct bulla_call *call, struct bulla_bytes text, struct bulla_secret_id *s)
{
	struct json *object;
	size_t len, bad_at;

	text = trim(text);
	if (text.len == 0)
		return BULLA_OK;
	uint8_t *decoded = bulla_arena_alloc(call->arena, BULLA_BASE64_MAX_DECODED(text.len));

	if (decoded == NULL)
		return BULLA_E_NO_MEMORY;
	if (bulla_base64_decode(text, decoded, &len, &bad_at) == BULLA_OK && len > 0)
		text = bulla_mem(decoded, len);
	enum bulla_err err = json_parse(call, text.ptr, text.len, &object);

	if (err == BULLA_OK && object->type == JSON_OBJECT)
		return metadata_of_object(call, object, s);
	if (err != BULLA_OK && err != BULLA_E_BAD_JSON)
		return err;
	return metadata_of_text(call, text, s);
}
