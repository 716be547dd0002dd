/* token_policies.c: the lists of policies that tokens are made with. Any thread. */
#include <stdlib.h>

#include "access/access_private.h"

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Trimmed, in lower case. */
static enum bulla_err policy_name(struct bulla_call *call, struct bulla_bytes name, struct bulla_bytes *out)
{
	while (name.len > 0 && is_space(name.ptr[0]))
		name.ptr++, name.len--;
	while (name.len > 0 && is_space(name.ptr[name.len - 1]))
		name.len--;
	uint8_t *p = bulla_arena_alloc(call->arena, name.len);

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < name.len; i++)
		p[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (uint8_t)(name.ptr[i] + 32) : name.ptr[i];
	*out = bulla_mem(p, name.len);
	return BULLA_OK;
}

static int by_name(const void *a, const void *b)
{
	return bulla_compare(*(const struct bulla_bytes *)a, *(const struct bulla_bytes *)b);
}

enum bulla_err policies_sanitise(struct bulla_call *call, const struct bulla_bytes *names, size_t count, bool add_default,
				 struct policies *out)
{
	struct bulla_bytes *items = bulla_arena_alloc(call->arena, (count + 1) * sizeof *items);
	size_t n = 0, kept = 0;

	if (items == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		TRY(policy_name(call, names[i], &items[n]));
		if (bulla_is(items[n], "root")) {
			items[0] = items[n];
			*out = (struct policies){ items, 1 };
			return BULLA_OK;
		}
		n += items[n].len > 0;
	}
	if (add_default)
		items[n++] = bulla_str("default");
	qsort(items, n, sizeof *items, by_name);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !bulla_equal(items[kept - 1], items[i]))
			items[kept++] = items[i];
	*out = (struct policies){ items, kept };
	return BULLA_OK;
}

bool policies_have(const struct policies *policies, const char *name)
{
	for (size_t i = 0; i < policies->count; i++)
		if (bulla_is(policies->items[i], name))
			return true;
	return false;
}

enum bulla_err policies_check_assignable(struct bulla_call *call, const struct policies *policies)
{
	if (policies_have(policies, "response-wrapping"))
		return bulla_fail(call, BULLA_E_INVALID, "cannot assign policy \"response-wrapping\"");
	return BULLA_OK;
}
