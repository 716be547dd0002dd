/* policy.c: what a token may do. Two policies exist: root allows everything, default lets a token manage itself; any other
 * name grants nothing. What no rule grants is denied. Constant tables: any thread. */
#include "access/access_private.h"

#define C BULLA_CAN_CREATE
#define R BULLA_CAN_READ
#define U BULLA_CAN_UPDATE
#define D BULLA_CAN_DELETE
#define L BULLA_CAN_LIST

/* A path ends with '*' where anything may follow, and '+' stands for one whole segment. The rules of the peer's default policy
 * but for the two that are made from the caller's identity: tokens have none here. */
static const struct rule {
	const char *path;
	unsigned can;
} default_rules[] = {
	{ "auth/token/lookup-self", R },
	{ "auth/token/renew-self", U },
	{ "auth/token/revoke-self", U },
	{ "sys/capabilities-self", U },
	{ "sys/internal/ui/resultant-acl", R },
	{ "sys/leases/renew", U },
	{ "sys/leases/lookup", U },
	{ "cubbyhole/*", C | R | U | D | L },
	{ "sys/wrapping/wrap", U },
	{ "sys/wrapping/lookup", U },
	{ "sys/wrapping/unwrap", U },
	{ "sys/tools/hash", U },
	{ "sys/tools/hash/*", U },
	{ "identity/oidc/provider/+/authorize", R | U },
};

#define RULES (sizeof default_rules / sizeof default_rules[0])

bool policy_exists(struct bulla_bytes name)
{
	return bulla_is(name, "root") || bulla_is(name, "default");
}

static bool matches(const char *pattern, struct bulla_bytes path)
{
	const uint8_t *p = path.ptr, *end = path.ptr + path.len;

	for (; *pattern != '\0'; pattern++) {
		if (*pattern == '*' && pattern[1] == '\0')
			return true;
		if (*pattern == '+') {
			const uint8_t *segment = p;

			while (p < end && *p != '/')
				p++;
			if (p == segment)
				return false;
			continue;
		}
		if (p == end || *p++ != (uint8_t)*pattern)
			return false;
	}
	return p == end;
}

static bool has_default(const struct bulla_token *token)
{
	for (size_t i = 0; i < token->policy_count; i++)
		if (bulla_is(token->policies[i], "default"))
			return true;
	return false;
}

unsigned bulla_capabilities(struct bulla *engine, const struct bulla_token *token, struct bulla_bytes path)
{
	unsigned can = 0;

	(void)engine;
	if (token->root)
		return BULLA_CAN_ROOT;
	for (size_t i = 0; has_default(token) && i < RULES; i++)
		if (matches(default_rules[i].path, path))
			can |= default_rules[i].can;
	return can != 0 ? can : BULLA_CAN_DENY;
}

bool bulla_may_reach(struct bulla *engine, const struct bulla_token *token, struct bulla_bytes mount_path)
{
	(void)engine;
	if (token->root)
		return true;
	for (size_t i = 0; has_default(token) && i < RULES; i++) {
		struct bulla_bytes rule = bulla_str(default_rules[i].path);

		if (rule.len > mount_path.len && memcmp(rule.ptr, mount_path.ptr, mount_path.len) == 0)
			return true;
	}
	return false;
}

bool token_may_sudo(const struct bulla_token *token, struct bulla_bytes path)
{
	(void)path; /* no policy grants sudo on a path yet */
	return token->root;
}

enum bulla_err bulla_authorise(struct bulla *engine, struct bulla_call *call, const struct bulla_ask *ask)
{
	if (call->token == NULL)
		return BULLA_E_NO_TOKEN;
	unsigned can = bulla_capabilities(engine, call->token, ask->path);

	if (can & BULLA_CAN_ROOT)
		return BULLA_OK;
	if ((can & BULLA_CAN_DENY) || (can & ask->need) == 0)
		return BULLA_E_DENIED;
	if (ask->need_sudo && !(can & BULLA_CAN_SUDO))
		return BULLA_E_DENIED;
	return BULLA_OK;
}

void bulla_grant_put(const struct bulla_grant *grant)
{
	(void)grant; /* these two policies have no conditions */
}
