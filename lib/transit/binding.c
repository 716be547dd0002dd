/* binding.c: owns how an encryption_context and associated_data become one string of associated data, the same for the same
 * binding and different for any other (docs/FORMATS.md, "Bindings"). Stateless: any thread. */
#include <stdlib.h>

#include "bulla/encode.h"
#include "bulla/transit.h"

static const struct bulla_bytes prefix = { (const uint8_t *)BULLA_BINDING_PREFIX, BULLA_BINDING_PREFIX_BYTES };

static bool begins_reserved(struct bulla_bytes aad)
{
	return aad.len >= prefix.len && memcmp(aad.ptr, prefix.ptr, prefix.len) == 0;
}

static int by_key(const void *a, const void *b)
{
	return bulla_compare(((const struct bulla_pair *)a)->key, ((const struct bulla_pair *)b)->key);
}

static enum bulla_err sorted_pairs(struct bulla_call *call, const struct bulla_binding *binding, const struct bulla_pair **out)
{
	size_t bytes = binding->pair_count * sizeof *binding->pairs;
	struct bulla_pair *pairs = bulla_arena_alloc(call->arena, bytes);

	if (pairs == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(pairs, binding->pairs, bytes);
	qsort(pairs, binding->pair_count, sizeof *pairs, by_key);
	*out = pairs;
	return BULLA_OK;
}

/* *bytes: of all parts with their lengths. */
static enum bulla_err check_pairs(struct bulla_call *call, const struct bulla_pair *sorted, size_t count, size_t *bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		struct bulla_bytes key = sorted[i].key, value = sorted[i].value;

		if (key.len == 0)
			return bulla_fail(call, BULLA_E_INVALID, "a key of encryption_context is empty");
		if (i > 0 && bulla_equal(sorted[i - 1].key, key))
			return bulla_fail(call, BULLA_E_INVALID, "a key of encryption_context stands there twice");
		if (key.len > BULLA_BINDING_MAX_PART || value.len > BULLA_BINDING_MAX_PART)
			return bulla_fail(call, BULLA_E_INVALID, "a key or value of encryption_context is longer than %d bytes",
					  BULLA_BINDING_MAX_PART);
		n += 4 + key.len + 4 + value.len;
	}
	*bytes = n;
	return BULLA_OK;
}

static uint8_t *put(uint8_t *at, struct bulla_bytes part)
{
	if (part.len > 0)
		memcpy(at, part.ptr, part.len);
	return at + part.len;
}

static uint8_t *put_part(uint8_t *at, struct bulla_bytes part)
{
	bulla_put_u32(at, (uint32_t)part.len);
	return put(at + 4, part);
}

static enum bulla_err encode(struct bulla_call *call, const struct bulla_binding *binding, struct bulla_bytes *out)
{
	const struct bulla_pair *pairs;
	size_t bytes;

	if (binding->pair_count > BULLA_BINDING_MAX_PAIRS)
		return bulla_fail(call, BULLA_E_INVALID, "encryption_context has more than %d pairs", BULLA_BINDING_MAX_PAIRS);
	TRY(sorted_pairs(call, binding, &pairs));
	TRY(check_pairs(call, pairs, binding->pair_count, &bytes));
	size_t len = prefix.len + 4 + bytes + binding->aad.len;
	uint8_t *aad = bulla_arena_alloc(call->arena, len), *at = aad;

	if (aad == NULL)
		return BULLA_E_NO_MEMORY;
	at = put(at, prefix);
	bulla_put_u32(at, (uint32_t)binding->pair_count);
	at += 4;
	for (size_t i = 0; i < binding->pair_count; i++)
		at = put_part(put_part(at, pairs[i].key), pairs[i].value);
	put(at, binding->aad);
	*out = bulla_mem(aad, len);
	return BULLA_OK;
}

enum bulla_err bulla_binding_encode(struct bulla_call *call, const struct bulla_binding *binding, struct bulla_bytes *out)
{
	if (binding->aad_bad)
		return bulla_fail(call, BULLA_E_INVALID_500,
				  "unable to get associated_data/additional_data from factory[0]: illegal base64 data at input byte %zu",
				  binding->aad_bad_at);
	if (begins_reserved(binding->aad))
		return bulla_fail(call, BULLA_E_INVALID, "associated_data begins with bytes that are reserved for encryption_context");
	if (binding->pair_count > 0)
		return encode(call, binding, out);
	*out = binding->aad;
	return BULLA_OK;
}
