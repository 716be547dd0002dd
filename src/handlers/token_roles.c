/* token_roles.c: the roles of auth/token, and its tidying. Any thread, one exchange at a time. */
#include "handlers/auth_print.h"
#include "http/routes.h"

struct role_fields {
	unsigned set;
	struct field_strings allowed, allowed_globs, disallowed, disallowed_globs, aliases, cidrs, old_cidrs;
	int64_t period_s, old_period_s, max_ttl_s, old_max_ttl_s, num_uses;
	bool orphan, renewable, no_default_policy;
	struct bulla_bytes path_suffix, type;
};

#define SETTING(text, member, type_, bit) FIELD_SET(struct role_fields, text, member, type_, set, bit)

static const struct field role_fields[] = {
	SETTING("allowed_policies", allowed, FIELD_STRINGS, BULLA_TOKEN_ROLE_ALLOWED),
	SETTING("allowed_policies_glob", allowed_globs, FIELD_STRINGS, BULLA_TOKEN_ROLE_ALLOWED_GLOBS),
	SETTING("disallowed_policies", disallowed, FIELD_STRINGS, BULLA_TOKEN_ROLE_DISALLOWED),
	SETTING("disallowed_policies_glob", disallowed_globs, FIELD_STRINGS, BULLA_TOKEN_ROLE_DISALLOWED_GLOBS),
	SETTING("orphan", orphan, FIELD_BOOL, BULLA_TOKEN_ROLE_ORPHAN),
	SETTING("period", old_period_s, FIELD_SECONDS, BULLA_TOKEN_ROLE_OLD_PERIOD),
	SETTING("path_suffix", path_suffix, FIELD_STRING, BULLA_TOKEN_ROLE_SUFFIX),
	SETTING("explicit_max_ttl", old_max_ttl_s, FIELD_SECONDS, BULLA_TOKEN_ROLE_OLD_MAX_TTL),
	SETTING("renewable", renewable, FIELD_BOOL, BULLA_TOKEN_ROLE_RENEWABLE),
	SETTING("bound_cidrs", old_cidrs, FIELD_STRINGS, BULLA_TOKEN_ROLE_OLD_CIDRS),
	SETTING("allowed_entity_aliases", aliases, FIELD_STRINGS, BULLA_TOKEN_ROLE_ALIASES),
	SETTING("token_bound_cidrs", cidrs, FIELD_STRINGS, BULLA_TOKEN_ROLE_CIDRS),
	SETTING("token_explicit_max_ttl", max_ttl_s, FIELD_SECONDS, BULLA_TOKEN_ROLE_MAX_TTL),
	SETTING("token_no_default_policy", no_default_policy, FIELD_BOOL, BULLA_TOKEN_ROLE_NO_DEFAULT),
	SETTING("token_period", period_s, FIELD_SECONDS, BULLA_TOKEN_ROLE_PERIOD),
	SETTING("token_type", type, FIELD_STRING, BULLA_TOKEN_ROLE_TYPE),
	SETTING("token_num_uses", num_uses, FIELD_INT, BULLA_TOKEN_ROLE_USES),
	FIELD_END,
};

static struct bulla_names names_of(const struct field_strings *list)
{
	return (struct bulla_names){ list->items, list->count };
}

static enum bulla_err put_role(struct exchange *x)
{
	const struct json *type = json_get(x->doc, "token_type");
	struct role_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, role_fields, false, &f));
	if (type != NULL && type->type == JSON_NULL)
		return bulla_fail(x->call, BULLA_E_INVALID, "Invalid 'token_type' value: null");
	const struct bulla_token_role_change change = {
		.set = f.set,
		.values = { .allowed_policies = names_of(&f.allowed), .allowed_globs = names_of(&f.allowed_globs),
			    .disallowed_policies = names_of(&f.disallowed), .disallowed_globs = names_of(&f.disallowed_globs),
			    .entity_aliases = names_of(&f.aliases), .bound_cidrs = names_of(&f.cidrs),
			    .old_bound_cidrs = names_of(&f.old_cidrs), .period_s = f.period_s, .explicit_max_ttl_s = f.max_ttl_s,
			    .num_uses = f.num_uses, .old_period_s = f.old_period_s, .old_explicit_max_ttl_s = f.old_max_ttl_s,
			    .orphan = f.orphan, .renewable = f.renewable, .no_default_policy = f.no_default_policy,
			    .path_suffix = f.path_suffix, .type = f.type },
	};

	return bulla_token_role_put(x->engine, x->call, x->params[0], &change);
}

static void put_names(struct out *out, const char *name, const struct bulla_names *names)
{
	json_put_strings(out, name, names->items, names->count);
}

static void print_role(struct out *out, struct bulla_bytes name, const struct bulla_token_role *role)
{
	json_open(out, '{');
	if (role->entity_aliases_null)
		json_put_null(out, "allowed_entity_aliases");
	else
		put_names(out, "allowed_entity_aliases", &role->entity_aliases);
	put_names(out, "allowed_policies", &role->allowed_policies);
	put_names(out, "allowed_policies_glob", &role->allowed_globs);
	if (role->old_bound_cidrs.count > 0)
		put_names(out, "bound_cidrs", &role->old_bound_cidrs);
	put_names(out, "disallowed_policies", &role->disallowed_policies);
	put_names(out, "disallowed_policies_glob", &role->disallowed_globs);
	json_put_int(out, "explicit_max_ttl", role->old_explicit_max_ttl_s);
	json_put_string(out, "name", name);
	json_put_bool(out, "orphan", role->orphan);
	json_put_string(out, "path_suffix", role->path_suffix);
	json_put_int(out, "period", role->old_period_s);
	json_put_bool(out, "renewable", role->renewable);
	if (role->bound_cidrs.count > 0)
		put_names(out, "token_bound_cidrs", &role->bound_cidrs);
	json_put_int(out, "token_explicit_max_ttl", role->explicit_max_ttl_s);
	json_put_bool(out, "token_no_default_policy", role->no_default_policy);
	if (role->num_uses > 0)
		json_put_int(out, "token_num_uses", role->num_uses);
	json_put_int(out, "token_period", role->period_s);
	json_put_string(out, "token_type", role->type);
	json_close(out, '}');
}

static enum bulla_err read_role(struct exchange *x)
{
	struct bulla_token_role role;

	TRY(bulla_token_role_get(x->engine, x->call, x->params[0], &role));
	print_role(x->data, x->params[0], &role);
	return BULLA_OK;
}

static enum bulla_err delete_role(struct exchange *x)
{
	return bulla_token_role_delete(x->engine, x->call, x->params[0]);
}

static enum bulla_err list_roles(struct exchange *x)
{
	struct bulla_bytes *names;
	size_t count;

	TRY(bulla_token_role_list(x->engine, x->call, &names, &count));
	if (count == 0)
		return BULLA_E_NOT_FOUND;
	json_open(x->data, '{');
	json_put_strings(x->data, "keys", names, count);
	json_close(x->data, '}');
	return BULLA_OK;
}

static enum bulla_err role_exists(struct exchange *x, bool *exists)
{
	struct bulla_token_role role;
	enum bulla_err err = bulla_token_role_get(x->engine, x->call, x->params[0], &role);

	*exists = err == BULLA_OK;
	return err == BULLA_E_NOT_FOUND ? BULLA_OK : err;
}

/* ---- tidy ---------------------------------------------------------------------------------------------------------------- */

static enum bulla_err tidy(struct exchange *x)
{
	bool begun;

	bulla_token_tidy(x->engine, &begun);
	if (!begun)
		return bulla_warn(x->call, "Tidy operation already in progress.");
	x->status = 202;
	return bulla_warn(x->call, "Tidy operation successfully started. Any information from the operation will be printed to "
			  "OpenBao's server logs.");
}

#define ROLE_ROW(methods_, path, handler_, known)                                                             \
	.mount = BULLA_MOUNT_TOKEN, .methods = methods_, .pattern = path, .fn = handler_, .fields = known, \
	.flags = ROUTE_TOKEN | ROUTE_BLOCKS, .doc = "token-roles"

const struct route token_role_routes[] = {
	{ ROLE_ROW(ON(POST), "roles/{role_name}", put_role, role_fields), .need = BULLA_CAN_CREATE, .exists = role_exists },
	{ ROLE_ROW(ON(GET), "roles/{role_name}", read_role, role_fields) },
	{ ROLE_ROW(ON(DELETE), "roles/{role_name}", delete_role, role_fields) },
	{ ROLE_ROW(ON(LIST), "roles", list_roles, NULL) },
	{ .mount = BULLA_MOUNT_TOKEN, .methods = ON(POST), .pattern = "tidy", .fn = tidy, .flags = ROUTE_TOKEN, .doc = "tidy-tokens" },
	{ .fn = NULL },
};
