/* policy.c: what a token may do: its policies' rules, asked by path. What no rule grants is denied; a root token may do anything.
 * Any thread; nothing here blocks. */
#include "access/grant_private.h"

_Static_assert((int)POLICY_CAN_DENY == BULLA_CAN_DENY && (int)POLICY_CAN_CREATE == BULLA_CAN_CREATE &&
	       (int)POLICY_CAN_READ == BULLA_CAN_READ && (int)POLICY_CAN_UPDATE == BULLA_CAN_UPDATE &&
	       (int)POLICY_CAN_DELETE == BULLA_CAN_DELETE && (int)POLICY_CAN_LIST == BULLA_CAN_LIST &&
	       (int)POLICY_CAN_SUDO == BULLA_CAN_SUDO && (int)POLICY_CAN_PATCH == BULLA_CAN_PATCH &&
	       (int)POLICY_CAN_SCAN == BULLA_CAN_SCAN, "policies name the same capabilities");

/* The rule for a path; NULL: none, or the policies cannot be read. */
static const struct acl_rule *rule_for(const struct acl_use *use, struct bulla_bytes path, bool lists)
{
	if (use->acl == NULL || use->acl->broken)
		return NULL;
	return acl_find(use->acl, path, lists);
}

bool policy_exists(struct access *access, struct bulla_bytes name)
{
	rcu_read_begin();
	const struct policy_table *table = rcu_load(access->policy_table);
	const struct policy *policy = table != NULL ? policy_table_find(table, name) : NULL;
	const struct bulla_now now = bulla_now();
	bool exists = policy != NULL && !bulla_end_is_over(policy->end, &now);

	rcu_read_end();
	return exists || bulla_is(name, "root");
}

/* As if for a list, so that what grants the path with or without a slash at its end is seen. */
unsigned bulla_capabilities(struct bulla *engine, const struct bulla_token *token, struct bulla_bytes path)
{
	struct acl_use use;

	if (token->root)
		return BULLA_CAN_ROOT;
	enum bulla_err err = acl_use_begin(engine->access, token, &use);
	const struct acl_rule *rule = rule_for(&use, path, true);
	unsigned can = rule != NULL ? rule->base.can : 0;

	acl_use_end(&use);
	if (err != BULLA_OK)
		return 0;
	return can != 0 ? can : BULLA_CAN_DENY;
}

enum bulla_err bulla_may_reach(struct bulla *engine, const struct bulla_token *token, struct bulla_bytes mount_path)
{
	struct acl_use use;

	if (token->root)
		return BULLA_OK;
	enum bulla_err err = acl_use_begin(engine->access, token, &use);
	bool reaches = use.acl != NULL && mount_path.len > 0 && acl_reaches(use.acl, mount_path);

	acl_use_end(&use);
	TRY(err);
	return reaches ? BULLA_OK : BULLA_E_DENIED;
}

enum bulla_err token_may_sudo(struct access *access, const struct bulla_token *token, struct bulla_bytes path)
{
	struct acl_use use;

	if (token->root)
		return BULLA_OK;
	enum bulla_err err = acl_use_begin(access, token, &use);
	const struct acl_rule *rule = rule_for(&use, path, false);
	bool sudo = rule != NULL && (rule->base.can & BULLA_CAN_SUDO) != 0;

	acl_use_end(&use);
	TRY(err);
	return sudo ? BULLA_OK : BULLA_E_DENIED;
}

static enum bulla_err authorise(struct bulla_call *call, const struct acl_use *use, const struct bulla_ask *ask)
{
	struct acl_ask wanted = { .need = ask->need, .takes_context = ask->takes_context, .doc = json_of_document(ask->doc),
				  .wrap_ttl_s = ask->wrap_ttl_s };
	const struct acl_rule *rule = rule_for(use, ask->path, ask->need == BULLA_CAN_LIST || ask->need == BULLA_CAN_SCAN);
	struct bulla_grant *grant = NULL;
	int64_t page_limit = 0;

	if (rule == NULL || (ask->need_sudo && (rule->base.can & BULLA_CAN_SUDO) == 0))
		return BULLA_E_DENIED;
	if (!acl_allows(rule, &wanted, &page_limit))
		return BULLA_E_DENIED;
	if (rule->conditional || page_limit > 0) {
		grant = bulla_arena_alloc(call->arena, sizeof *grant);
		if (grant == NULL)
			return BULLA_E_NO_MEMORY;
		*grant = (struct bulla_grant){ .acl = acl_hold((struct acl *)(uintptr_t)use->acl), .rule = rule, .need = ask->need,
					       .page_limit = page_limit };
	}
	bulla_grant_put(call->grant);
	call->grant = grant;
	return BULLA_OK;
}

enum bulla_err bulla_authorise(struct bulla *engine, struct bulla_call *call, const struct bulla_ask *ask)
{
	struct acl_use use;

	if (call->token == NULL)
		return BULLA_E_NO_TOKEN;
	if (call->token->root)
		return BULLA_OK;
	enum bulla_err err = acl_use_begin(engine->access, call->token, &use);

	if (err == BULLA_OK)
		err = authorise(call, &use, ask);
	acl_use_end(&use);
	return err;
}

/* ---- for the audit log ---------------------------------------------------------------------------------------------------- */

static enum bulla_err name_granting(struct bulla_call *call, const struct acl_rule *rule, enum bulla_capability need,
				    struct bulla_bytes *names, size_t room, size_t *count)
{
	for (size_t i = 0; rule != NULL && i < rule->part_count && *count < room; i++) {
		if ((rule->parts[i]->base.can & (unsigned)need) == 0)
			continue;
		names[*count] = bulla_arena_copy(call->arena, rule->parts[i]->policy->name);
		if (names[*count].ptr == NULL)
			return BULLA_E_NO_MEMORY;
		++*count;
	}
	return BULLA_OK;
}

enum bulla_err bulla_granting_policies(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
				       enum bulla_capability need, struct bulla_bytes *names, size_t room, size_t *count)
{
	struct acl_use use;

	*count = 0;
	if (call->token->root && room > 0) {
		names[(*count)++] = bulla_str("root");
		return BULLA_OK;
	}
	enum bulla_err err = acl_use_begin(engine->access, call->token, &use);

	if (err == BULLA_OK)
		err = name_granting(call, rule_for(&use, path, need == BULLA_CAN_LIST || need == BULLA_CAN_SCAN), need, names, room, count);
	acl_use_end(&use);
	return err;
}

/* ---- for whoever wants to see them all ---------------------------------------------------------------------------------- */

enum bulla_err bulla_acl_get(struct bulla *engine, const struct bulla_token *token, const struct bulla_acl **out)
{
	struct acl_use use;

	*out = NULL;
	if (token->root)
		return BULLA_OK;
	enum bulla_err err = acl_use_begin(engine->access, token, &use);

	if (err == BULLA_OK && use.acl != NULL && !use.acl->broken)
		*out = (const struct bulla_acl *)acl_hold((struct acl *)(uintptr_t)use.acl);
	acl_use_end(&use);
	return err;
}

void bulla_acl_put(const struct bulla_acl *acl)
{
	acl_put((struct acl *)(uintptr_t)acl);
}

const struct bulla_acl_rule *bulla_acl_rule_at(const struct bulla_acl *public, size_t i)
{
	const struct acl *acl = (const struct acl *)(const void *)public;

	return acl != NULL && i < acl->count ? &acl->rules[i].base : NULL;
}
