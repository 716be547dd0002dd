/* name.c: names as all auth methods have them. */
#include "auth/name.h"

enum bulla_err name_lower(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out)
{
	uint8_t *p = bulla_arena_alloc(call->arena, text.len);

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < text.len; i++)
		p[i] = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? (uint8_t)(text.ptr[i] + 32) : text.ptr[i];
	*out = bulla_mem(p, text.len);
	return BULLA_OK;
}

bool name_glob(struct bulla_bytes pattern, struct bulla_bytes text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			mark = t;
		} else if (p < pattern.len && pattern.ptr[p] == text.ptr[t]) {
			p++, t++;
		} else if (star != SIZE_MAX) { /* the last star takes one more */
			p = star + 1;
			t = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}
