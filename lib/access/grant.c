/* grant.c: owns what a grant's conditions mean for an item. Any thread, a call at a time. */
#include "access/grant_private.h"

static struct acl_caller caller_of(const struct bulla_call *call)
{
	const struct bulla_token *token = call->token;

	return (struct acl_caller){ .display_name = token->display_name, .meta = token->meta, .meta_count = token->meta_count };
}

enum bulla_err grant_check_context(const struct bulla_call *call, const struct bulla_pair *pairs, size_t count)
{
	const struct bulla_grant *grant = call->grant;

	if (grant == NULL)
		return BULLA_OK;
	struct acl_caller caller = caller_of(call);

	return acl_context_fits(grant->rule, grant->need, &caller, pairs, count) ? BULLA_OK : BULLA_E_DENIED;
}

enum bulla_err grant_check_contexts(const struct bulla_call *call, const struct bulla_pair *old, size_t old_count,
				    const struct bulla_pair *new, size_t new_count)
{
	const struct bulla_grant *grant = call->grant;

	if (grant == NULL)
		return BULLA_OK;
	struct acl_caller caller = caller_of(call);

	return acl_contexts_fit(grant->rule, grant->need, &caller, old, old_count, new, new_count) ? BULLA_OK : BULLA_E_DENIED;
}

enum bulla_err grant_check_index(const struct bulla_call *call, size_t index)
{
	const struct bulla_grant *grant = call->grant;

	if (grant == NULL || grant->rule->max_batch_items == 0)
		return BULLA_OK;
	return index < (uint64_t)grant->rule->max_batch_items ? BULLA_OK : BULLA_E_DENIED;
}

_Static_assert(POLICY_MAX_BUDGETS == sizeof ((struct grant_budget *)NULL)->windows / sizeof(struct grant_window), "all fit");

bool grant_budget(const struct bulla_grant *grant, size_t i, struct grant_budget *out)
{
	for (size_t p = 0; grant != NULL && p < grant->rule->part_count; p++) {
		const struct policy_rule *part = grant->rule->parts[p];

		if (part->budget_count == 0 || (part->base.can & grant->need) == 0 || i-- > 0)
			continue;
		*out = (struct grant_budget){ .policy = part->policy->name, .kind = part->base.kind, .pattern = part->base.pattern,
					      .per_policy = part->budget_per_policy, .window_count = part->budget_count };
		for (size_t w = 0; w < part->budget_count; w++)
			out->windows[w] = (struct grant_window){ part->budgets[w].items, part->budgets[w].window_s };
		return true;
	}
	return false;
}

int64_t bulla_grant_page_limit(const struct bulla_grant *grant)
{
	return grant != NULL ? grant->page_limit : 0;
}

void bulla_grant_put(const struct bulla_grant *grant)
{
	if (grant != NULL)
		acl_put(grant->acl);
}
