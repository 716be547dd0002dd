/* token_policies.c: the lists of policies that tokens are made with. Any thread. */
#define _GNU_SOURCE /* memmem */
#include <stdlib.h>

#include "access/access_private.h"
#include "base/glob.h"

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

/* Sorts them in place; returns how many are left without doubles. */
static size_t unique(struct bulla_bytes *items, size_t n)
{
	size_t kept = 0;

	qsort(items, n, sizeof *items, by_name);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !bulla_equal(items[kept - 1], items[i]))
			items[kept++] = items[i];
	return kept;
}

/* With room for one more. */
static enum bulla_err clean(struct bulla_call *call, const struct bulla_bytes *names, size_t count, struct policies *out)
{
	struct bulla_bytes *items = bulla_arena_alloc(call->arena, (count + 1) * sizeof *items);
	size_t n = 0;

	if (items == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		TRY(policy_name(call, names[i], &items[n]));
		n += items[n].len > 0;
	}
	*out = (struct policies){ items, n };
	return BULLA_OK;
}

enum bulla_err policies_sort(struct bulla_call *call, const struct bulla_bytes *names, size_t count, struct policies *out)
{
	struct policies policies;

	TRY(clean(call, names, count, &policies));
	*out = (struct policies){ policies.items, unique(policies.items, policies.count) };
	return BULLA_OK;
}

enum bulla_err policies_sanitise(struct bulla_call *call, const struct bulla_bytes *names, size_t count, bool add_default,
				 struct policies *out)
{
	struct policies policies;

	TRY(clean(call, names, count, &policies));
	if (policies_have(&policies, "root")) {
		policies.items[0] = bulla_str("root");
		*out = (struct policies){ policies.items, 1 };
		return BULLA_OK;
	}
	if (add_default)
		policies.items[policies.count++] = bulla_str("default");
	*out = (struct policies){ policies.items, unique(policies.items, policies.count) };
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

bool policies_match(const struct bulla_names *globs, struct bulla_bytes name)
{
	for (size_t i = 0; i < globs->count; i++)
		if (glob_match(globs->items[i], name))
			return true;
	return false;
}
