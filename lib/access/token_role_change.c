/* token_role_change.c: what a request changes of a role of auth/token, with the peer's checks and warnings. Workers only. */
#include "access/access_private.h"

/* Three characters or more somewhere in it, as the peer asks: a word's, then some of a word or - or ., then a word's. */
static bool is_suffix(struct bulla_bytes text)
{
	for (size_t i = 0, start = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];

		if (!bulla_is_word(c) && c != '-' && c != '.')
			start = i + 1;
		while (start < i && !bulla_is_word(text.ptr[start]))
			start++;
		if (bulla_is_word(c) && i >= start + 2)
			return true;
	}
	return false;
}

static enum bulla_err set_suffix(struct bulla_call *call, struct bulla_bytes suffix, struct bulla_token_role *role)
{
	if (suffix.len > 0 && !is_suffix(suffix))
		return bulla_fail(call, BULLA_E_INVALID,
				  "given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w");
	for (size_t i = 1; i < suffix.len; i++)
		if (suffix.ptr[i] == '.' && suffix.ptr[i - 1] == '.')
			return bulla_fail(call, BULLA_E_INVALID,
					  "error registering path suffix: path cannot contain parent references");
	role->path_suffix = suffix;
	return BULLA_OK;
}

static enum bulla_err set_policies(struct bulla_call *call, const struct bulla_token_role_change *change,
				   struct bulla_token_role *role)
{
	const struct bulla_token_role *v = &change->values;
	const struct {
		unsigned bit;
		const struct bulla_names *from;
		struct bulla_names *to;
		bool root_alone;
	} lists[] = {
		{ BULLA_TOKEN_ROLE_ALLOWED, &v->allowed_policies, &role->allowed_policies, true },
		{ BULLA_TOKEN_ROLE_ALLOWED_GLOBS, &v->allowed_globs, &role->allowed_globs, true },
		{ BULLA_TOKEN_ROLE_DISALLOWED, &v->disallowed_policies, &role->disallowed_policies, false },
		{ BULLA_TOKEN_ROLE_DISALLOWED_GLOBS, &v->disallowed_globs, &role->disallowed_globs, false },
		{ BULLA_TOKEN_ROLE_ALIASES, &v->entity_aliases, &role->entity_aliases, false },
	};

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		struct policies sorted;

		if ((change->set & lists[i].bit) == 0)
			continue;
		TRY(lists[i].root_alone ? policies_sanitise(call, lists[i].from->items, lists[i].from->count, false, &sorted)
					: policies_sort(call, lists[i].from->items, lists[i].from->count, &sorted));
		*lists[i].to = (struct bulla_names){ sorted.items, sorted.count };
	}
	if (change->set & BULLA_TOKEN_ROLE_ALIASES)
		role->entity_aliases_null = false;
	return BULLA_OK;
}

static enum bulla_err print_cidrs(struct bulla_call *call, const char *where, const struct bulla_names *given, struct bulla_names *out)
{
	struct bulla_bytes *items = bulla_arena_alloc(call->arena, given->count * sizeof *items);

	if (items == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < given->count; i++) {
		enum bulla_err err = access_cidr_print(call, given->items[i], &items[i]);

		if (err == BULLA_E_INVALID)
			return bulla_fail(call, err, "error parsing %s: %.*s", where, (int)call->detail.len,
					  (const char *)call->detail.ptr);
		TRY(err);
	}
	*out = (struct bulla_names){ items, given->count };
	return BULLA_OK;
}

static enum bulla_err warn_of_both(struct bulla_call *call, const char *old)
{
	return bulla_warn(call, "Both 'token_%s' and deprecated '%s' value supplied, ignoring the deprecated value", old, old);
}

/* What the peer's helper for all roles reads: before the older names. */
static enum bulla_err set_token_fields(struct bulla_call *call, const struct bulla_token_role_change *change,
				       struct bulla_token_role *role)
{
	const struct bulla_token_role *v = &change->values;
	bool batch = (change->set & BULLA_TOKEN_ROLE_TYPE) == 0 &&
		     (bulla_is(role->type, "batch") || bulla_is(role->type, "default-batch"));

	if (change->set & BULLA_TOKEN_ROLE_CIDRS)
		TRY(print_cidrs(call, "role fields", &v->bound_cidrs, &role->bound_cidrs));
	if (change->set & BULLA_TOKEN_ROLE_MAX_TTL)
		role->explicit_max_ttl_s = v->explicit_max_ttl_s;
	if (change->set & BULLA_TOKEN_ROLE_NO_DEFAULT)
		role->no_default_policy = v->no_default_policy;
	if (change->set & BULLA_TOKEN_ROLE_PERIOD)
		role->period_s = v->period_s;
	if (change->set & BULLA_TOKEN_ROLE_USES)
		role->num_uses = v->num_uses;
	if (role->num_uses < 0)
		return bulla_fail(call, BULLA_E_INVALID, "error parsing role fields: 'token_num_uses' cannot be negative");
	if (batch && role->period_s != 0)
		return bulla_fail(call, BULLA_E_INVALID, "error parsing role fields: 'token_type' cannot be 'batch' or "
				  "'default_batch' when set to generate periodic tokens");
	if (batch && role->num_uses != 0)
		return bulla_fail(call, BULLA_E_INVALID, "error parsing role fields: 'token_type' cannot be 'batch' or "
				  "'default_batch' when set to generate tokens with limited use count");
	return BULLA_OK;
}

static enum bulla_err set_type(struct bulla_call *call, const struct bulla_token_role_change *change, struct bulla_token_role *role)
{
	struct bulla_bytes type = change->values.type, quoted;

	if ((change->set & BULLA_TOKEN_ROLE_TYPE) == 0)
		return BULLA_OK;
	if (!token_role_has_type(type)) {
		quoted = bulla_arena_quote(call->arena, type);
		return bulla_fail(call, BULLA_E_INVALID, "invalid 'token_type' value %.*s", (int)quoted.len, (const char *)quoted.ptr);
	}
	role->type = type;
	return BULLA_OK;
}

/* One parameter by its older name counts where the newer is not given, and is then shown by both. */
static enum bulla_err set_old_number(struct bulla_call *call, unsigned set, unsigned bit, unsigned old_bit, const char *old_name,
				     int64_t given, int64_t *value, int64_t *old)
{
	if ((set & bit) == 0 && (set & old_bit) != 0)
		*value = *old = given;
	if ((set & bit) == 0)
		return BULLA_OK;
	*old = 0;
	return (set & old_bit) != 0 ? warn_of_both(call, old_name) : BULLA_OK;
}

static enum bulla_err set_old_cidrs(struct bulla_call *call, const struct bulla_token_role_change *change,
				    struct bulla_token_role *role)
{
	bool old = change->set & BULLA_TOKEN_ROLE_OLD_CIDRS;

	if (change->set & BULLA_TOKEN_ROLE_CIDRS) {
		role->old_bound_cidrs = (struct bulla_names){ 0 };
		return old ? warn_of_both(call, "bound_cidrs") : BULLA_OK;
	}
	if (!old)
		return BULLA_OK;
	TRY(print_cidrs(call, "bound_cidrs", &change->values.old_bound_cidrs, &role->old_bound_cidrs));
	role->bound_cidrs = role->old_bound_cidrs;
	return BULLA_OK;
}

static enum bulla_err set_old_names(const struct access *access, struct bulla_call *call,
				    const struct bulla_token_role_change *change, struct bulla_token_role *role)
{
	const struct bulla_token_role *v = &change->values;

	TRY(set_old_number(call, change->set, BULLA_TOKEN_ROLE_PERIOD, BULLA_TOKEN_ROLE_OLD_PERIOD, "period", v->old_period_s,
			   &role->period_s, &role->old_period_s));
	TRY(set_old_cidrs(call, change, role));
	TRY(set_old_number(call, change->set, BULLA_TOKEN_ROLE_MAX_TTL, BULLA_TOKEN_ROLE_OLD_MAX_TTL, "explicit_max_ttl",
			   v->old_explicit_max_ttl_s, &role->explicit_max_ttl_s, &role->old_explicit_max_ttl_s));
	/* the peer warns of what was given now, or by the older name once */
	int64_t shown_s = (change->set & BULLA_TOKEN_ROLE_MAX_TTL) != 0 ? role->explicit_max_ttl_s : role->old_explicit_max_ttl_s;

	if (shown_s <= access->max_ttl_s)
		return BULLA_OK;
	return bulla_warn(call, "Given explicit max TTL of %lld is greater than system/mount allowed value of %lld seconds; until "
			  "this is fixed attempting to create tokens against this role will result in an error",
			  (long long)shown_s, (long long)access->max_ttl_s);
}

static enum bulla_err check_batch(struct bulla_call *call, const struct bulla_token_role *role)
{
	if (!bulla_is(role->type, "batch"))
		return BULLA_OK;
	const char *what = !role->orphan ? "non-orphan tokens" : role->period_s != 0 ? "periodic tokens" :
			   role->renewable ? "renewable tokens" :
			   role->explicit_max_ttl_s != 0 ? "tokens with an explicit max TTL" : NULL;

	if (what == NULL)
		return BULLA_OK;
	return bulla_fail(call, BULLA_E_INVALID, "'token_type' cannot be 'batch' when role is set to generate %s", what);
}

/* In the peer's order, so that of several mistakes the same one is named. */
enum bulla_err token_role_apply(const struct access *access, struct bulla_call *call, const struct bulla_token_role_change *change,
				struct bulla_token_role *role)
{
	if (change->set & BULLA_TOKEN_ROLE_ORPHAN)
		role->orphan = change->values.orphan;
	if (change->set & BULLA_TOKEN_ROLE_RENEWABLE)
		role->renewable = change->values.renewable;
	if (change->set & BULLA_TOKEN_ROLE_SUFFIX)
		TRY(set_suffix(call, change->values.path_suffix, role));
	TRY(set_policies(call, change, role));
	TRY(set_token_fields(call, change, role));
	TRY(set_type(call, change, role));
	TRY(set_old_names(access, call, change, role));
	return check_batch(call, role);
}
