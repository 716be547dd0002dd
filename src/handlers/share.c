/* share.c: reads shares of keys. Any thread. */
#include "handlers/share.h"

/* Lengths of a share as bytes: the peer takes for hex only what gives as many, else it is base64. */
#define SHARE_MIN 16
#define SHARE_MAX 33

enum bulla_err share_decode(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out)
{
	uint8_t *to = bulla_arena_alloc(call->arena, BULLA_BASE64_MAX_DECODED(text.len));
	size_t len = text.len / 2, bad_at;

	if (to == NULL)
		return BULLA_E_NO_MEMORY;
	if (len >= SHARE_MIN && len <= SHARE_MAX && bulla_hex_decode(text, to) == BULLA_OK) {
		*out = bulla_mem(to, len);
		return BULLA_OK;
	}
	if (bulla_base64_decode(text, to, &len, &bad_at) != BULLA_OK)
		return bulla_fail(call, BULLA_E_INVALID, "'key' must be a valid hex or base64 string");
	*out = bulla_mem(to, len);
	return BULLA_OK;
}
