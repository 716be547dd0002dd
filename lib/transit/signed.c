/* signed.c: owns what HMACs and signatures share. Any thread. */
#include "bulla/sign.h"
#include "transit/transit.h"

size_t transit_sign_bytes(const struct bulla_sign_item *items, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += items[i].input.len + items[i].proof.len;
	return bytes;
}

enum bulla_err transit_bad_hash(struct bulla_call *call, struct bulla_bytes name)
{
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, name);

	if (quoted.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	return bulla_fail(call, BULLA_E_INVALID, "invalid hash algorithm %.*s", (int)quoted.len, (const char *)quoted.ptr);
}
