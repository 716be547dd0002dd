/* A policy: either it is refused, with a place that the text has, or it is compiled and merged, and every path finds a rule that is one
 * of its own, or none. */
#include "fuzz.h"
#include "policy/policy.h"

/* The text's own pieces are the paths that are most likely to match. */
static void ask(const struct acl *acl, struct bulla_bytes path)
{
	for (int lists = 0; lists < 2; lists++) {
		const struct acl_rule *rule = acl_find(acl, path, lists == 1);

		require(rule == NULL || (rule >= acl->rules && rule < acl->rules + acl->count));
		require(rule == NULL || (rule->base.can & POLICY_CAN_DENY) == 0 || rule->base.can == POLICY_CAN_DENY);
	}
}

static void check(struct policy *policy, struct bulla_bytes text)
{
	struct policy *twice[] = { policy, policy };
	struct acl *acl = acl_new(twice, 2, &(struct bulla_now){ 1, 1 });
	const struct acl_caller nobody = { 0 };

	require(acl != NULL && acl->exact <= acl->prefixes && acl->prefixes <= acl->count);
	for (size_t at = 0; at < text.len && at < 64; at++)
		ask(acl, bulla_mem(text.ptr + at, (text.len - at) / 2));
	for (size_t i = 0; i < policy->count; i++) {
		const struct acl_rule *rule = acl_find(acl, policy->rules[i].base.pattern, false);
		int64_t page = -1;

		bool may_miss = policy->rules[i].base.kind == BULLA_PATTERN_SEGMENTS || policy->rules[i].expires_date_ns != 0 ||
				(policy->rules[i].base.pattern.len > 0 && policy->rules[i].base.pattern.ptr[0] == '/');

		require(rule != NULL || may_miss);
		if (rule != NULL && acl_allows(rule, &(struct acl_ask){ .need = POLICY_CAN_READ }, &page))
			require((rule->base.can & POLICY_CAN_READ) != 0 && page >= 0);
		if (rule != NULL)
			(void)acl_context_fits(rule, POLICY_CAN_UPDATE, &nobody, NULL, 0);
	}
	(void)acl_reaches(acl, bulla_str("a/"));
	acl_put(acl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bulla_call call = fuzz_call();
	struct bulla_bytes text = fuzz_exact(data, size);
	struct policy *policy = NULL;
	unsigned line = 0, column = 0;
	enum bulla_err err = policy_new(&call, bulla_str("p"), text, (struct bulla_end){ 0 }, &policy);

	require(err == BULLA_OK || err == BULLA_E_INVALID);
	if (err == BULLA_OK) {
		check(policy, text);
	} else {
		require(policy == NULL && sscanf((const char *)call.detail.ptr, "At %u:%u: ", &line, &column) == 2);
		require(line >= 1 && column >= 1 && column <= text.len + 1);
	}
	policy_put(policy);
	fuzz_free(text);
	fuzz_call_end(&call);
	return 0;
}
