/* token_create.c: what a caller may ask of a new token, and what it gets. Workers only. */
#include "access/access_private.h"

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

/* ---- policies -------------------------------------------------------------- */

static bool has(const struct bulla_bytes *items, size_t count, struct bulla_bytes name)
{
	for (size_t i = 0; i < count; i++)
		if (bulla_equal(items[i], name))
			return true;
	return false;
}

static void take_away(struct policies *policies, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < policies->count; i++)
		if (!bulla_is(policies->items[i], name))
			policies->items[kept++] = policies->items[i];
	policies->count = kept;
}

static enum bulla_err choose_policies(struct bulla_call *call, const struct bulla_token *caller,
				      const struct bulla_token_create_args *args, bool sudo, struct policies *out)
{
	bool add_default = !args->no_default_policy;
	struct policies wanted;

	if (args->policy_count == 0)
		return policies_sanitise(call, caller->policies, caller->policy_count, false, out);
	if (!sudo) {
		TRY(policies_sanitise(call, args->policies, args->policy_count, false, &wanted));
		for (size_t i = 0; i < wanted.count; i++)
			if (!has(caller->policies, caller->policy_count, wanted.items[i]))
				return bulla_fail(call, BULLA_E_INVALID, "child policies must be subset of parent");
		add_default = add_default && has(caller->policies, caller->policy_count, bulla_str("default"));
	}
	return policies_sanitise(call, args->policies, args->policy_count, add_default, out);
}

static enum bulla_err set_policies(struct bulla_call *call, const struct bulla_token *caller,
				   const struct bulla_token_create_args *args, bool sudo, struct bulla_token *t)
{
	struct policies policies;

	TRY(choose_policies(call, caller, args, sudo, &policies));
	if (args->no_default_policy)
		take_away(&policies, "default");
	TRY(policies_check_assignable(call, &policies));
	t->policies = policies.items;
	t->policy_count = policies.count;
	t->root = policies_have(&policies, "root");
	if (t->root && !caller->root)
		return bulla_fail(call, BULLA_E_INVALID, "root tokens may not be created without parent token being root");
	return BULLA_OK;
}

/* ---- the rest of what may be asked for ------------------------------------- */

static enum bulla_err check_type(struct bulla_call *call, const struct bulla_token_create_args *args)
{
	if (args->type.len == 0 || bulla_is(args->type, "service"))
		return BULLA_OK;
	if (!bulla_is(args->type, "batch"))
		return bulla_fail(call, BULLA_E_INVALID, "invalid 'token_type' value");
	const char *field = args->explicit_max_ttl_s != 0 ? "explicit_max_ttl" : args->num_uses != 0 ? "num_uses" :
			    args->period_s != 0 ? "period" : NULL;

	if (field != NULL)
		return bulla_fail(call, BULLA_E_INVALID, "batch tokens cannot have \"%s\" set", field);
	return BULLA_OK;
}

static enum bulla_err check_batch(struct bulla_call *call, const struct bulla_token_create_args *args, bool root)
{
	if (root && bulla_is(args->type, "batch"))
		return bulla_fail(call, BULLA_E_INVALID, "batch tokens cannot be root tokens");
	return BULLA_OK;
}

static bool begins(struct bulla_bytes text, const char *prefix)
{
	return text.len >= strlen(prefix) && memcmp(text.ptr, prefix, strlen(prefix)) == 0;
}

static enum bulla_err check_id(struct bulla_call *call, struct bulla_bytes id, bool sudo)
{
	if (id.len == 0)
		return BULLA_OK;
	if (!sudo)
		return bulla_fail(call, BULLA_E_INVALID, "root or sudo privileges required to specify token id");
	if (begins(id, "s.") || begins(id, "hvs."))
		return bulla_fail(call, BULLA_E_INVALID, "custom token ID cannot have the '%s' prefix",
				  begins(id, "s.") ? "s." : "hvs.");
	if (memchr(id.ptr, '.', id.len) != NULL)
		return bulla_fail(call, BULLA_E_INVALID, "custom token ID cannot have a '.' in the value");
	if (id.len > TOKEN_MAX_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "a token is at most %d bytes long", TOKEN_MAX_BYTES);
	return bulla_warn(call, "Supplying a custom ID for the token uses the weaker SHA1 hashing instead of the more secure "
			  "SHA2-256 HMAC for token obfuscation. SHA1 hashed tokens on the wire leads to less secure lookups.");
}

static bool is_name_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

/* "token-" and the name, a '-' for each character that is no letter, digit or '-', without one such at the end. */
static enum bulla_err set_display_name(struct bulla_call *call, struct bulla_bytes name, struct bulla_token *t)
{
	uint8_t *p = bulla_arena_alloc(call->arena, 6 + name.len);
	size_t n = 6;

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(p, "token-", 6);
	for (size_t i = 0; i < name.len; i++)
		if ((name.ptr[i] & 0xC0) != 0x80) /* not within a character */
			p[n++] = is_name_char(name.ptr[i]) ? name.ptr[i] : '-';
	if (p[n - 1] == '-')
		n--;
	t->display_name = name.len > 0 ? bulla_mem(p, n) : bulla_str("token");
	return BULLA_OK;
}

static enum bulla_err check_numbers(struct bulla_call *call, const struct bulla_token_create_args *args, bool sudo)
{
	if (args->explicit_max_ttl_s < 0)
		return bulla_fail(call, BULLA_E_INVALID, "explicit_max_ttl must be positive");
	if (args->period_s < 0)
		return bulla_fail(call, BULLA_E_INVALID, "period must be positive");
	if (args->period_s > 0 && !sudo)
		return bulla_fail(call, BULLA_E_INVALID, "root or sudo privileges required to create periodic token");
	if (args->ttl_s < 0)
		return bulla_fail(call, BULLA_E_INVALID, "ttl must be positive");
	return BULLA_OK;
}

static enum bulla_err set_times(const struct access *access, struct bulla_call *call, const struct bulla_token *caller,
				const struct bulla_token_create_args *args, struct bulla_token *t)
{
	int64_t now_ns = bulla_now_ns();
	struct lease_wish wish = { .ttl_s = args->ttl_s, .period_s = args->period_s,
				   .explicit_max_s = args->explicit_max_ttl_s, .issued_ns = now_ns, .now_ns = now_ns };

	t->period_s = args->period_s;
	t->explicit_max_ttl_s = args->explicit_max_ttl_s;
	if (args->period_s > 0 || args->ttl_s > 0 || !t->root)
		TRY(lease_calculate(access, call, &wish, &t->ttl_s));
	if (t->ttl_s == 0)
		t->ttl_s = args->explicit_max_ttl_s;
	if (t->ttl_s == 0 && caller->creation_ttl_s != 0)
		return bulla_fail(call, BULLA_E_INVALID, "expiring root tokens cannot create non-expiring root tokens");
	t->creation_ttl_s = t->ttl_s;
	t->renewable = args->renewable && t->ttl_s > 0 && t->type == BULLA_TOKEN_SERVICE;
	return BULLA_OK;
}

static enum bulla_err warn_policies(struct bulla_call *call, const struct bulla_token *t)
{
	for (size_t i = 0; i < t->policy_count; i++)
		if (!policy_exists(t->policies[i]))
			TRY(bulla_warn(call, "Policy \"%.*s\" does not exist", PRINT(t->policies[i])));
	return BULLA_OK;
}

/* The checks in the peer's order, so that of several mistakes the same one is named. */
static enum bulla_err prepare(struct access *access, struct bulla_call *call, const struct bulla_token_create_args *args,
			      struct token_new *new)
{
	const struct bulla_token *caller = call->token;
	struct bulla_token *t = &new->token;
	bool sudo = token_may_sudo(caller, args->path);

	if (caller->type == BULLA_TOKEN_BATCH)
		return bulla_fail(call, BULLA_E_INVALID, "batch tokens cannot create more tokens");
	if (caller->num_uses != 0)
		return bulla_fail(call, BULLA_E_INVALID, "restricted use token cannot generate child tokens");
	TRY(check_type(call, args));
	if (args->num_uses < 0)
		return bulla_fail(call, BULLA_E_INVALID, "number of uses cannot be negative");
	if (args->num_uses > INT32_MAX)
		return bulla_fail(call, BULLA_E_INVALID, "number of uses is too large");
	if (args->entity_alias_set)
		return bulla_fail(call, BULLA_E_INVALID, "'entity_alias' is only allowed in combination with token role");
	t->num_uses = (int32_t)args->num_uses;
	t->meta = args->meta;
	t->meta_count = args->meta_count;
	t->meta_null = !args->meta_set;
	t->path = args->path;
	t->type = bulla_is(args->type, "batch") ? BULLA_TOKEN_BATCH : BULLA_TOKEN_SERVICE;
	TRY(set_display_name(call, args->display_name, t));
	TRY(set_policies(call, caller, args, sudo, t));
	TRY(check_batch(call, args, t->root));
	if (args->no_parent && !sudo)
		return bulla_fail(call, BULLA_E_INVALID, "root or sudo privileges required to create orphan token");
	t->orphan = args->no_parent || args->orphan;
	TRY(check_numbers(call, args, sudo));
	TRY(set_times(access, call, caller, args, t));
	TRY(check_id(call, args->id, sudo));
	new->wanted = args->id;
	return BULLA_OK;
}

/* A token of the wanted text that has ended is no obstacle. */
static enum bulla_err clear_ended(struct access *access, struct bulla_call *call, struct bulla_bytes text)
{
	struct store_id slot;
	struct token *token;

	if (text.len == 0)
		return BULLA_OK;
	TRY(token_slot(access, text, &slot));
	enum bulla_err err = token_load(access, call, &slot, &token);

	if (err == BULLA_E_NOT_FOUND)
		return BULLA_OK;
	if (err == BULLA_E_NO_TOKEN)
		return token_revoke(access, call, &slot);
	if (err == BULLA_OK)
		token_put(token);
	return err;
}

static enum bulla_err make_below(struct access *access, struct bulla_call *call, const struct token *caller,
				 const struct token_new *new, struct bulla_bytes *text, struct token **out)
{
	/* shared: whoever revokes the caller either sees this child or comes before it */
	stripe_share(access, &caller->slot);
	enum bulla_err err = token_make(access, call, new, text, out);

	stripe_unlock(access, &caller->slot);
	return err;
}

static enum bulla_err create(struct access *access, struct bulla_call *call, const struct bulla_token_create_args *args,
			     struct bulla_auth *out)
{
	const struct token *caller = (const struct token *)(const void *)call->token;
	struct token_new new = { 0 };
	struct bulla_bytes text;
	struct token *made;

	TRY(prepare(access, call, args, &new));
	TRY(clear_ended(access, call, args->id));
	if (!new.token.orphan)
		new.parent = caller->slot;
	TRY(warn_policies(call, &new.token));
	if (new.token.type == BULLA_TOKEN_BATCH)
		TRY(batch_make(access, call, &new, &text, &made));
	else
		TRY(make_below(access, call, caller, &new, &text, &made));
	*out = (struct bulla_auth){ .client_token = text, .token = &made->public, .lease_s = made->public.ttl_s };
	return BULLA_OK;
}

enum bulla_err bulla_token_create(struct bulla *engine, struct bulla_call *call, const struct bulla_token_create_args *args,
				  struct bulla_auth *out)
{
	if (call->token == NULL)
		return BULLA_E_NO_TOKEN;
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, create(engine->access, call, args, out));
}
