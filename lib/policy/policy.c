/* policy.c: owns a compiled policy: its memory and its references. Any thread. */
#include "policy/policy_private.h"

#include <stdlib.h>

BULLA_MUST_USE static struct policy *policy_empty(struct bulla_bytes name)
{
	struct bulla_arena *arena = bulla_arena_new(1024);
	struct policy *policy = arena != NULL ? bulla_arena_alloc(arena, sizeof *policy) : NULL;
	struct bulla_bytes copy = policy != NULL ? bulla_arena_copy(arena, name) : (struct bulla_bytes){ 0 };

	if (copy.ptr == NULL) {
		bulla_arena_free(arena);
		return NULL;
	}
	atomic_init(&policy->refs, 1);
	policy->arena = arena;
	policy->name = copy;
	return policy;
}

struct policy *policy_new_broken(struct bulla_bytes name)
{
	struct policy *policy = policy_empty(name);

	if (policy != NULL)
		policy->broken = true;
	return policy;
}

enum bulla_err policy_new(struct bulla_call *call, struct bulla_bytes name, struct bulla_bytes text, struct bulla_end end,
			  struct policy **out)
{
	struct policy *policy = policy_empty(name);

	if (policy == NULL)
		return BULLA_E_NO_MEMORY;
	policy->end = end;
	enum bulla_err err = policy_parse(call, policy, text);

	if (err != BULLA_OK) {
		policy_put(policy);
		return err;
	}
	*out = policy;
	return BULLA_OK;
}

struct policy *policy_hold(struct policy *policy)
{
	atomic_fetch_add_explicit(&policy->refs, 1, memory_order_relaxed);
	return policy;
}

void policy_put(struct policy *policy)
{
	if (policy != NULL && atomic_fetch_sub_explicit(&policy->refs, 1, memory_order_acq_rel) == 1)
		bulla_arena_free(policy->arena);
}
