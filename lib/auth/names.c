/* names.c: see names.h. */
#include "auth/names.h"

enum bulla_err lower_case(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out)
{
	uint8_t *p = bulla_arena_alloc(call->arena, text.len);

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < text.len; i++)
		p[i] = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? (uint8_t)(text.ptr[i] | 0x20) : text.ptr[i];
	*out = bulla_mem(p, text.len);
	return BULLA_OK;
}
