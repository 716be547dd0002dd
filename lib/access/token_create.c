/* token_create.c: what a caller may ask of a new token, and what it gets. Workers only. */
#include "access/access_private.h"

#define MAX_POLICIES 10000 /* asked for by one request: each may be a warning */
#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

/* What is being made, and for whom. */
struct creation {
	const struct bulla_token_create_args *args;
	const struct bulla_token *caller;
	const struct bulla_token_role *role; /* NULL: none */
	const struct bulla_mount *mount;     /* auth/token/, whose times come before the server's */
	bool sudo;                           /* the caller's, for this path */
};

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

/* Where no role says otherwise. */
static enum bulla_err usual_policies(struct bulla_call *call, const struct creation *c, struct policies *out)
{
	const struct bulla_token_create_args *args = c->args;
	const struct bulla_token *caller = c->caller;
	bool add_default = !args->no_default_policy;
	struct policies wanted;

	if (args->policy_count == 0)
		return policies_sanitise(call, caller->policies, caller->policy_count, false, out);
	if (!c->sudo) {
		TRY(policies_sanitise(call, args->policies, args->policy_count, false, &wanted));
		for (size_t i = 0; i < wanted.count; i++)
			if (!has(caller->policies, caller->policy_count, wanted.items[i]))
				return bulla_fail(call, BULLA_E_INVALID, "child policies must be subset of parent");
		add_default = add_default && has(caller->policies, caller->policy_count, bulla_str("default"));
	}
	return policies_sanitise(call, args->policies, args->policy_count, add_default, out);
}

static enum bulla_err check_allowed(struct bulla_call *call, const struct policies *wanted, const struct policies *allowed,
				    const struct bulla_names *globs)
{
	for (size_t i = 0; i < wanted->count; i++) {
		if (has(allowed->items, allowed->count, wanted->items[i]) || policies_match(globs, wanted->items[i]))
			continue;
		struct bulla_bytes a = bulla_arena_quote_list(call->arena, wanted->items, wanted->count),
				   b = bulla_arena_quote_list(call->arena, allowed->items, allowed->count),
				   c = bulla_arena_quote_list(call->arena, globs->items, globs->count);

		if (a.ptr == NULL || b.ptr == NULL || c.ptr == NULL)
			return BULLA_E_NO_MEMORY;
		return bulla_fail(call, BULLA_E_INVALID,
				  "token policies (%.*s) must be subset of the role's allowed policies (%.*s) or glob policies (%.*s)",
				  PRINT(a), PRINT(b), PRINT(c));
	}
	return BULLA_OK;
}

static enum bulla_err check_disallowed(struct bulla_call *call, const struct policies *wanted, const struct bulla_token_role *role)
{
	for (size_t i = 0; i < wanted->count; i++) {
		struct bulla_bytes name = wanted->items[i];

		if (!has(role->disallowed_policies.items, role->disallowed_policies.count, name) &&
		    !policies_match(&role->disallowed_globs, name))
			continue;
		struct bulla_bytes text = bulla_arena_quote(call->arena, name);

		return bulla_fail(call, BULLA_E_INVALID, "token policy %.*s is disallowed by this role", PRINT(text));
	}
	return BULLA_OK;
}

/* A role that names policies decides alone, whatever those of its caller are. */
static enum bulla_err role_policies(struct bulla_call *call, const struct creation *c, struct policies *out)
{
	const struct bulla_token_create_args *args = c->args;
	const struct bulla_token_role *role = c->role;
	struct bulla_bytes word = bulla_str("default");
	bool add_default = !args->no_default_policy && !role->no_default_policy &&
			   !has(role->disallowed_policies.items, role->disallowed_policies.count, word) &&
			   !policies_match(&role->disallowed_globs, word);
	bool allows = role->allowed_policies.count + role->allowed_globs.count > 0;
	struct policies allowed, wanted = { 0 };

	TRY(policies_sanitise(call, role->allowed_policies.items, role->allowed_policies.count, add_default, &allowed));
	if (args->policy_count > 0)
		TRY(policies_sanitise(call, args->policies, args->policy_count, add_default, &wanted));
	bool given = wanted.count > 0;

	if (!given && allows)
		wanted = allowed;
	if (!given && !allows)
		TRY(policies_sanitise(call, c->caller->policies, c->caller->policy_count, add_default, &wanted));
	if (given && allows)
		TRY(check_allowed(call, &wanted, &allowed, &role->allowed_globs));
	TRY(check_disallowed(call, &wanted, role));
	*out = wanted;
	return BULLA_OK;
}

static bool names_policies(const struct bulla_token_role *role)
{
	return role->allowed_policies.count + role->allowed_globs.count + role->disallowed_policies.count +
	       role->disallowed_globs.count > 0;
}

static enum bulla_err set_policies(struct bulla_call *call, const struct creation *c, struct bulla_token *t)
{
	struct policies policies;

	TRY(c->role != NULL && names_policies(c->role) ? role_policies(call, c, &policies) : usual_policies(call, c, &policies));
	if (c->args->no_default_policy)
		take_away(&policies, "default");
	TRY(policies_check_assignable(call, &policies));
	t->policies = policies.items;
	t->policy_count = policies.count;
	t->root = policies_have(&policies, "root");
	if (t->root && !c->caller->root)
		return bulla_fail(call, BULLA_E_INVALID, "root tokens may not be created without parent token being root");
	if (t->root && t->type == BULLA_TOKEN_BATCH)
		return bulla_fail(call, BULLA_E_INVALID, "batch tokens cannot be root tokens");
	return BULLA_OK;
}

/* ---- the rest of what may be asked for ------------------------------------- */

/* A role may fix the type, or give the one that counts where none is asked for. */
static struct bulla_bytes wanted_type(const struct creation *c)
{
	struct bulla_bytes asked = c->args->type, type = c->role != NULL ? c->role->type : bulla_str("default-service");

	if (bulla_is(type, "service") || bulla_is(type, "batch"))
		return type;
	return asked.len == 0 && bulla_is(type, "default-batch") ? bulla_str("batch") : asked;
}

static enum bulla_err set_type(struct bulla_call *call, const struct creation *c, struct bulla_token *t)
{
	const struct bulla_token_create_args *args = c->args;
	struct bulla_bytes type = wanted_type(c);

	t->type = BULLA_TOKEN_SERVICE;
	if (type.len == 0 || bulla_is(type, "service"))
		return BULLA_OK;
	if (!bulla_is(type, "batch"))
		return bulla_fail(call, BULLA_E_INVALID, "invalid 'token_type' value");
	const char *field = args->explicit_max_ttl_s != 0 ? "explicit_max_ttl" : args->num_uses != 0 ? "num_uses" :
			    args->period_s != 0 ? "period" : NULL;

	if (field != NULL)
		return bulla_fail(call, BULLA_E_INVALID, "batch tokens cannot have \"%s\" set", field);
	t->type = BULLA_TOKEN_BATCH;
	return BULLA_OK;
}

static enum bulla_err set_uses(struct bulla_call *call, const struct creation *c, struct bulla_token *t)
{
	int64_t uses = c->args->num_uses, most = c->role != NULL ? c->role->num_uses : 0;

	if (uses < 0)
		return bulla_fail(call, BULLA_E_INVALID, "number of uses cannot be negative");
	if (most > 0 && (uses == 0 || most < uses))
		uses = most;
	if (uses > INT32_MAX)
		return bulla_fail(call, BULLA_E_INVALID, "number of uses is too large");
	t->num_uses = (int32_t)uses;
	return BULLA_OK;
}

/* There are no entities that a token could stand for: an alias that a role allows leads to none either. */
static enum bulla_err check_alias(struct bulla_call *call, const struct creation *c)
{
	struct bulla_bytes alias = c->args->entity_alias;
	struct policies lower;

	if (alias.len == 0)
		return BULLA_OK;
	if (c->role == NULL)
		return bulla_fail(call, BULLA_E_INVALID, "'entity_alias' is only allowed in combination with token role");
	TRY(policies_sort(call, &alias, 1, &lower));
	if (lower.count == 0 || (!has(c->role->entity_aliases.items, c->role->entity_aliases.count, lower.items[0]) &&
				 !policies_match(&c->role->entity_aliases, lower.items[0])))
		return bulla_fail(call, BULLA_E_INVALID, "invalid 'entity_alias' value");
	return bulla_fail(call, BULLA_E_INVALID, "failed to create or fetch entity from given entity alias");
}

static enum bulla_err check_id(struct bulla_call *call, struct bulla_bytes id, bool sudo)
{
	if (id.len == 0)
		return BULLA_OK;
	if (!sudo)
		return bulla_fail(call, BULLA_E_INVALID, "root or sudo privileges required to specify token id");
	if (bulla_begins(id, "s.") || bulla_begins(id, "hvs."))
		return bulla_fail(call, BULLA_E_INVALID, "custom token ID cannot have the '%s' prefix",
				  bulla_begins(id, "s.") ? "s." : "hvs.");
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
		return bulla_fail(call, BULLA_E_INVALID, "%s must be positive", args->ttl_as_lease ? "lease" : "ttl");
	return BULLA_OK;
}

/* The lesser of what the request and its role say, where both do. */
static enum bulla_err lesser(struct bulla_call *call, const char *what, int64_t asked_s, int64_t role_s, int64_t *out_s)
{
	*out_s = asked_s == 0 || (role_s != 0 && role_s < asked_s) ? role_s : asked_s;
	if (asked_s == 0 || role_s == 0)
		return BULLA_OK;
	return bulla_warn(call, "%s specified both during creation call and in role; using the lesser value of %lld seconds", what,
			  (long long)*out_s);
}

static enum bulla_err choose_times(struct bulla_call *call, const struct creation *c, const struct bulla_token *t,
				   struct lease_wish *wish)
{
	int64_t now_ns = bulla_clock_ns();
	const struct bulla_token_create_args *args = c->args;
	bool has_role = c->role != NULL && t->type == BULLA_TOKEN_SERVICE;

	*wish = (struct lease_wish){ .ttl_s = args->ttl_s, .issued_ns = now_ns, .now_ns = now_ns, .mount = c->mount };
	TRY(lesser(call, "Explicit max TTL", args->explicit_max_ttl_s, has_role ? c->role->explicit_max_ttl_s : 0,
		   &wish->explicit_max_s));
	return lesser(call, "Period", args->period_s, has_role ? c->role->period_s : 0, &wish->period_s);
}

/* What the role says of them is not the token's own: it is asked again at each renewal. */
static enum bulla_err set_times(const struct access *access, struct bulla_call *call, const struct creation *c,
				struct bulla_token *t)
{
	const struct bulla_token_create_args *args = c->args;
	struct lease_wish wish;

	TRY(choose_times(call, c, t, &wish));
	t->period_s = args->period_s;
	t->explicit_max_ttl_s = args->explicit_max_ttl_s;
	if (wish.period_s > 0 || args->ttl_s > 0 || !t->root)
		TRY(lease_calculate(access, call, &wish, &t->ttl_s));
	if (t->ttl_s == 0)
		t->ttl_s = wish.explicit_max_s < TOKEN_MAX_TTL_S ? wish.explicit_max_s : TOKEN_MAX_TTL_S;
	if (t->ttl_s == 0 && c->caller->creation_ttl_s != 0)
		return bulla_fail(call, BULLA_E_INVALID, "expiring root tokens cannot create non-expiring root tokens");
	t->creation_ttl_s = t->ttl_s;
	t->renewable = args->renewable && (c->role == NULL || c->role->renewable) && t->ttl_s > 0 &&
		       t->type == BULLA_TOKEN_SERVICE;
	return BULLA_OK;
}

/* A role may let its tokens out of what binds the caller. */
static void set_cidrs(const struct creation *c, struct bulla_token *t)
{
	if (c->role == NULL && !t->orphan) {
		t->bound_cidrs = c->caller->bound_cidrs;
		t->bound_cidr_count = c->caller->bound_cidr_count;
	}
	if (c->role != NULL) {
		t->bound_cidrs = c->role->bound_cidrs.items;
		t->bound_cidr_count = c->role->bound_cidrs.count;
	}
	if (t->ttl_s == 0)
		t->bound_cidr_count = 0;
}

static enum bulla_err set_parent(struct bulla_call *call, const struct creation *c, struct bulla_token *t)
{
	if (c->role == NULL && c->args->no_parent && !c->sudo)
		return bulla_fail(call, BULLA_E_INVALID, "root or sudo privileges required to create orphan token");
	t->orphan = c->role != NULL ? c->role->orphan : c->args->no_parent || c->args->orphan;
	return BULLA_OK;
}

static enum bulla_err set_path(struct bulla_call *call, const struct creation *c, struct bulla_token *t)
{
	t->path = c->args->path;
	t->role = c->args->role;
	if (c->role == NULL || c->role->path_suffix.len == 0)
		return BULLA_OK;
	t->path = bulla_arena_printf(call->arena, "%.*s/%.*s", PRINT(c->args->path), PRINT(c->role->path_suffix));
	return t->path.ptr != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
}

static enum bulla_err warn_policies(struct access *access, struct bulla_call *call, const struct bulla_token *t)
{
	for (size_t i = 0; i < t->policy_count; i++) {
		if (policy_exists(access, t->policies[i]))
			continue;
		struct bulla_bytes name = bulla_arena_quote(call->arena, t->policies[i]);

		if (name.ptr == NULL)
			return BULLA_E_NO_MEMORY;
		TRY(bulla_warn(call, "Policy %.*s does not exist", PRINT(name)));
	}
	return BULLA_OK;
}

static enum bulla_err check_caller(struct bulla_call *call, const struct bulla_token *caller)
{
	if (caller->type == BULLA_TOKEN_BATCH)
		return bulla_fail(call, BULLA_E_INVALID, "batch tokens cannot create more tokens");
	if (caller->num_uses != 0)
		return bulla_fail(call, BULLA_E_INVALID, "restricted use token cannot generate child tokens");
	return BULLA_OK;
}

/* The checks in the peer's order, so that of several mistakes the same one is named. */
static enum bulla_err prepare(struct access *access, struct bulla_call *call, const struct creation *c, struct token_new *new)
{
	const struct bulla_token_create_args *args = c->args;
	struct bulla_token *t = &new->token;

	TRY(check_caller(call, c->caller));
	if (args->policy_count > MAX_POLICIES)
		return bulla_fail(call, BULLA_E_INVALID, "at most %d policies", MAX_POLICIES);
	TRY(set_type(call, c, t));
	TRY(set_uses(call, c, t));
	TRY(check_alias(call, c));
	t->meta = args->meta;
	t->meta_count = args->meta_count;
	t->meta_null = !args->meta_set;
	TRY(set_path(call, c, t));
	TRY(set_display_name(call, args->display_name, t));
	TRY(set_policies(call, c, t));
	TRY(set_parent(call, c, t));
	TRY(check_numbers(call, args, c->sudo));
	TRY(set_times(access, call, c, t));
	set_cidrs(c, t);
	TRY(check_id(call, args->id, c->sudo));
	new->wanted = args->id;
	return BULLA_OK;
}

static enum bulla_err find_role(struct access *access, struct bulla_call *call, struct bulla_bytes name,
				struct bulla_token_role *out)
{
	enum bulla_err err = token_role_get(access, call, name, out);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID, "unknown role %.*s", PRINT(name));
	return err;
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

/* Nothing is committed of it, and nobody can revoke it: so the caller must not be gone already. */
static enum bulla_err make_batch(struct access *access, struct bulla_call *call, const struct token_new *new, struct bulla_bytes *text,
				 struct token **out)
{
	TRY(store_check_caller(access->store, call));
	return batch_make(access, call, new, text, out);
}

static enum bulla_err make_below(struct access *access, struct bulla_call *call, const struct token *caller,
				 const struct token_new *new, struct bulla_bytes *text, struct token **out)
{
	/* shared: whoever revokes the caller here either sees this child or comes before it. Whoever does it on another node comes before
	 * it as well, by the caller's record, or looks for it once that is gone (token_revoke.c) */
	stripe_share(access, &caller->snapshot.id);
	enum bulla_err err = token_make(access, call, new, text, out);

	stripe_unlock(access, &caller->snapshot.id);
	return err;
}

static enum bulla_err create(struct access *access, struct bulla_call *call, const struct bulla_token_create_args *args,
			     const struct bulla_mount *mount, struct bulla_auth *out)
{
	const struct token *caller = (const struct token *)(const void *)call->token;
	enum bulla_err sudo = token_may_sudo(access, call->token, args->path);
	struct creation c = { .args = args, .caller = call->token, .mount = mount, .sudo = sudo == BULLA_OK };
	struct bulla_token_role role;
	struct token_new new = { 0 };
	struct bulla_bytes text;
	struct token *made;

	if (sudo != BULLA_OK && sudo != BULLA_E_DENIED)
		return sudo;
	if (args->role.len > 0) {
		TRY(find_role(access, call, args->role, &role));
		c.role = &role;
	}
	TRY(prepare(access, call, &c, &new));
	TRY(clear_ended(access, call, args->id));
	if (!new.token.orphan)
		new.parent = caller->snapshot.id;
	TRY(warn_policies(access, call, &new.token));
	TRY(new.token.type == BULLA_TOKEN_BATCH ? make_batch(access, call, &new, &text, &made)
						: make_below(access, call, caller, &new, &text, &made));
	*out = (struct bulla_auth){ .client_token = text, .token = &made->public, .lease_s = made->public.ttl_s };
	return BULLA_OK;
}

enum bulla_err bulla_token_create(struct bulla *engine, struct bulla_call *call, const struct bulla_token_create_args *args,
				  struct bulla_auth *out)
{
	struct bulla_bytes rest;

	if (call->token == NULL)
		return BULLA_E_NO_TOKEN;
	TRY(access_begin(engine->access, call));
	const struct bulla_mount *mount = bulla_mount_find(engine, args->path, &rest);
	enum bulla_err err = create(engine->access, call, args, mount, out);

	bulla_mount_put(mount);
	return access_end(engine->access, err);
}
