/* acl_merge.c: owns how stanzas about the same pattern become one rule: capabilities add up, deny wins over all, and of conditions
 * the stricter holds (docs/POLICIES.md has the table). Any thread. */
#include "policy/policy_private.h"

/* The lesser of two bounds, of which 0 is none. */
static int64_t least(int64_t a, int64_t b)
{
	return b > 0 && (a == 0 || b < a) ? b : a;
}

/* Values that either has; none (any value) wins. */
static enum bulla_err merge_values(struct bulla_arena *arena, struct bulla_policy_parameter *into,
				   const struct bulla_policy_parameter *with)
{
	size_t count = into->count == 0 || with->count == 0 ? 0 : into->count + with->count;
	struct bulla_policy_value *values = bulla_arena_alloc(arena, count * sizeof *values);

	if (values == NULL)
		return BULLA_E_NO_MEMORY;
	if (count > 0) {
		memcpy(values, into->values, into->count * sizeof *values);
		memcpy(values + into->count, with->values, with->count * sizeof *values);
	}
	into->values = values;
	into->count = count;
	return BULLA_OK;
}

static enum bulla_err merge_parameters(struct bulla_arena *arena, const struct bulla_policy_parameter **list, size_t *count,
				       const struct bulla_policy_parameter *with, size_t with_count)
{
	struct bulla_policy_parameter *merged = bulla_arena_alloc(arena, (*count + with_count) * sizeof *merged);
	size_t n = *count;

	if (merged == NULL)
		return BULLA_E_NO_MEMORY;
	if (n > 0)
		memcpy(merged, *list, n * sizeof *merged);
	for (size_t i = 0; i < with_count; i++) {
		size_t at = 0;

		while (at < n && !bulla_equal(merged[at].name, with[i].name))
			at++;
		if (at < n)
			TRY(merge_values(arena, &merged[at], &with[i]));
		else
			merged[n++] = with[i];
	}
	*list = merged;
	*count = n;
	return BULLA_OK;
}

static enum bulla_err merge_required(struct bulla_arena *arena, struct bulla_acl_rule *base, const struct bulla_acl_rule *with)
{
	struct bulla_bytes *merged = bulla_arena_alloc(arena, (base->required_count + with->required_count) * sizeof *merged);
	size_t n = base->required_count;

	if (merged == NULL)
		return BULLA_E_NO_MEMORY;
	if (n > 0)
		memcpy(merged, base->required, n * sizeof *merged);
	for (size_t i = 0; i < with->required_count; i++) {
		size_t at = 0;

		while (at < n && !bulla_equal(merged[at], with->required[i]))
			at++;
		if (at == n)
			merged[n++] = with->required[i];
	}
	base->required = merged;
	base->required_count = n;
	return BULLA_OK;
}

enum bulla_err acl_merge(struct bulla_arena *arena, struct acl_rule *rule, const struct policy_rule *with)
{
	struct bulla_acl_rule *base = &rule->base;

	if (base->can & POLICY_CAN_DENY)
		return BULLA_OK;
	if (with->base.can & POLICY_CAN_DENY) {
		*base = (struct bulla_acl_rule){ .kind = base->kind, .pattern = base->pattern, .can = POLICY_CAN_DENY };
		rule->part_count = 0;
		rule->max_batch_items = 0;
		rule->conditional = false;
		return BULLA_OK;
	}
	base->can |= with->base.can;
	base->min_wrap_ttl_s = least(base->min_wrap_ttl_s, with->base.min_wrap_ttl_s);
	base->max_wrap_ttl_s = least(base->max_wrap_ttl_s, with->base.max_wrap_ttl_s);
	base->page_limit = least(base->page_limit, with->base.page_limit);
	rule->max_batch_items = least(rule->max_batch_items, with->max_batch_items);
	rule->conditional |= with->demand_count > 0 || with->max_batch_items > 0 || with->budget_count > 0;
	rule->parts[rule->part_count++] = with;
	if (with->base.allowed_count > 0)
		TRY(merge_parameters(arena, &base->allowed, &base->allowed_count, with->base.allowed, with->base.allowed_count));
	if (with->base.denied_count > 0)
		TRY(merge_parameters(arena, &base->denied, &base->denied_count, with->base.denied, with->base.denied_count));
	return with->base.required_count > 0 ? merge_required(arena, base, &with->base) : BULLA_OK;
}
