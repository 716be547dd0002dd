/* sys_acl.c: what a token may do: on paths that are asked about, and altogether. Any thread, one exchange at a time. */
#include "http/routes.h"

#include <stdlib.h>

/* ---- capabilities -------------------------------------------------------------------------------------------------------- */

#define MAX_PATHS 1000 /* each is compared with those before it */

struct capability_fields {
	struct bulla_bytes token, accessor;
	struct field_strings paths, path;
};

static const struct field capability_fields[] = {
	FIELD(struct capability_fields, paths, FIELD_STRINGS),
	FIELD(struct capability_fields, path, FIELD_STRINGS),
	FIELD(struct capability_fields, token, FIELD_STRING),
	FIELD(struct capability_fields, accessor, FIELD_STRING),
	FIELD_END,
};

static void put_capabilities(struct out *out, unsigned can)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = { /* sorted, as they are printed */
		{ BULLA_CAN_CREATE, "create" }, { BULLA_CAN_DELETE, "delete" }, { BULLA_CAN_DENY, "deny" },
		{ BULLA_CAN_LIST, "list" }, { BULLA_CAN_PATCH, "patch" }, { BULLA_CAN_READ, "read" },
		{ BULLA_CAN_ROOT, "root" }, { BULLA_CAN_SCAN, "scan" }, { BULLA_CAN_SUDO, "sudo" },
		{ BULLA_CAN_UPDATE, "update" },
	};

	json_open(out, '[');
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (can & names[i].bit)
			json_text(out, bulla_str(names[i].name));
	json_close(out, ']');
}

static unsigned ask(struct exchange *x, const struct bulla_token *token, struct bulla_bytes path)
{
	if (path.len > 0 && path.ptr[0] == '/')
		path = bulla_mem(path.ptr + 1, path.len - 1);
	return bulla_capabilities(x->engine, token, path);
}

static enum bulla_err choose_paths(struct exchange *x, const struct capability_fields *f, struct field_strings *out)
{
	*out = f->paths.count > 0 ? f->paths : f->path;
	if (out->count == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "paths must be supplied");
	if (out->count > MAX_PATHS)
		return bulla_fail(x->call, BULLA_E_INVALID, "more than %d paths", MAX_PATHS);
	for (size_t i = 0; i < out->count; i++)
		if (out->items[i].len == 0)
			return bulla_fail(x->call, BULLA_E_INVALID_LISTED, "missing path");
	return BULLA_OK;
}

static bool seen_before(const struct field_strings *paths, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (bulla_equal(paths->items[i], paths->items[at]))
			return true;
	return false;
}

static enum bulla_err print_one(struct exchange *x, const struct bulla_token *token, struct bulla_bytes path)
{
	unsigned can = ask(x, token, path);

	put_capabilities(x->data, can);
	return can != 0 ? BULLA_OK : BULLA_E_NO_MEMORY;
}

static enum bulla_err print_capabilities(struct exchange *x, const struct bulla_token *token, const struct field_strings *paths)
{
	json_open(x->data, '{');
	for (size_t i = 0; i < paths->count; i++) {
		if (seen_before(paths, i))
			continue;
		json_key_bytes(x->data, paths->items[i]);
		TRY(print_one(x, token, paths->items[i]));
	}
	if (paths->count == 1 && !bulla_is(paths->items[0], "capabilities")) {
		json_key(x->data, "capabilities");
		TRY(print_one(x, token, paths->items[0]));
	}
	json_close(x->data, '}');
	return BULLA_OK;
}

static enum bulla_err capabilities_self(struct exchange *x)
{
	struct capability_fields f = { 0 };
	struct field_strings paths;

	TRY(fields_bind(x->call, x->doc, capability_fields, true, &f));
	TRY(choose_paths(x, &f, &paths));
	return print_capabilities(x, x->call->token, &paths);
}

static enum bulla_err capabilities(struct exchange *x)
{
	struct capability_fields f = { 0 };
	const struct bulla_token *token;
	struct field_strings paths;

	TRY(fields_bind(x->call, x->doc, capability_fields, true, &f));
	TRY(choose_paths(x, &f, &paths));
	if (f.token.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID_500, "no token found");
	enum bulla_err err = bulla_token_lookup(x->engine, x->call, f.token, &token);

	if (err == BULLA_E_BAD_TOKEN)
		return bulla_fail(x->call, BULLA_E_INVALID_LISTED, "invalid token");
	TRY(err);
	err = print_capabilities(x, token, &paths);
	bulla_token_put(token);
	return err;
}

static enum bulla_err capabilities_accessor(struct exchange *x)
{
	struct capability_fields f = { 0 };
	const struct bulla_token *token;
	struct field_strings paths;

	TRY(fields_bind(x->call, x->doc, capability_fields, true, &f));
	if (f.accessor.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "missing accessor");
	TRY(choose_paths(x, &f, &paths));
	TRY(bulla_token_lookup_accessor(x->engine, x->call, f.accessor, &token));
	enum bulla_err err = print_capabilities(x, token, &paths);

	bulla_token_put(token);
	return err;
}

/* ---- all of it ----------------------------------------------------------------------------------------------------------- */

/* In the peer's order, which is nobody's else. */
static void put_rule_capabilities(struct out *out, unsigned can)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ BULLA_CAN_CREATE, "create" }, { BULLA_CAN_DELETE, "delete" }, { BULLA_CAN_LIST, "list" }, { BULLA_CAN_READ, "read" },
		{ BULLA_CAN_SUDO, "sudo" }, { BULLA_CAN_UPDATE, "update" }, { BULLA_CAN_PATCH, "patch" }, { BULLA_CAN_SCAN, "scan" },
	};

	json_key(out, "capabilities");
	json_open(out, '[');
	if (can == 0 || (can & BULLA_CAN_DENY) != 0)
		json_text(out, bulla_str("deny"));
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if ((can & BULLA_CAN_DENY) == 0 && (can & names[i].bit) != 0)
			json_text(out, bulla_str(names[i].name));
	json_close(out, ']');
}

static void put_value(struct out *out, const struct bulla_policy_value *value)
{
	if (value->kind == BULLA_VALUE_STRING)
		json_text(out, value->text);
	if (value->kind == BULLA_VALUE_BOOL)
		json_bool(out, bulla_is(value->text, "true"));
	if (value->kind == BULLA_VALUE_NUMBER)
		json_int(out, strtoll((const char *)value->text.ptr, NULL, 10)); /* there is a NUL behind it */
}

static void put_parameters(struct out *out, const char *key, const struct bulla_policy_parameter *list, size_t count)
{
	if (count == 0)
		return;
	json_key(out, key);
	json_open(out, '{');
	for (size_t i = 0; i < count; i++) {
		json_key_bytes(out, list[i].name);
		json_open(out, '[');
		for (size_t v = 0; v < list[i].count; v++)
			put_value(out, &list[i].values[v]);
		json_close(out, ']');
	}
	json_close(out, '}');
}

static void put_rule(struct out *out, const struct bulla_acl_rule *rule)
{
	json_key_bytes(out, rule->pattern);
	json_open(out, '{');
	put_parameters(out, "allowed_parameters", rule->allowed, rule->allowed_count);
	put_rule_capabilities(out, rule->can);
	put_parameters(out, "denied_parameters", rule->denied, rule->denied_count);
	if (rule->max_wrap_ttl_s > 0)
		json_put_int(out, "max_wrapping_ttl", rule->max_wrap_ttl_s);
	if (rule->min_wrap_ttl_s > 0)
		json_put_int(out, "min_wrapping_ttl", rule->min_wrap_ttl_s);
	if (rule->required_count > 0)
		json_put_strings(out, "required_parameters", rule->required, rule->required_count);
	json_close(out, '}');
}

static void put_rules(struct out *out, const char *key, const struct bulla_acl *acl, enum bulla_pattern kind)
{
	const struct bulla_acl_rule *rule;

	json_key(out, key);
	json_open(out, '{');
	for (size_t i = 0; (rule = bulla_acl_rule_at(acl, i)) != NULL; i++)
		if (rule->kind == kind)
			put_rule(out, rule);
	json_close(out, '}');
}

/* Patterns with + are not told, as at the peer. */
static enum bulla_err resultant_acl(struct exchange *x)
{
	const struct bulla_acl *acl;

	TRY(bulla_acl_get(x->engine, x->call->token, &acl));
	json_open(x->data, '{');
	if (!x->call->token->root) {
		put_rules(x->data, "exact_paths", acl, BULLA_PATTERN_EXACT);
		put_rules(x->data, "glob_paths", acl, BULLA_PATTERN_PREFIX);
	}
	json_put_bool(x->data, "root", x->call->token->root);
	json_close(x->data, '}');
	bulla_acl_put(acl);
	return BULLA_OK;
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define ROW(method, path, handler_, flags_, known, anchor)                                                                   \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(method), .pattern = path, .fn = handler_, .flags = ROUTE_TOKEN | flags_, \
	  .fields = known, .doc = anchor }

const struct route sys_acl_routes[] = {
	ROW(POST, "capabilities-self", capabilities_self, ROUTE_MIRROR, capability_fields, "capabilities"),
	ROW(POST, "capabilities", capabilities, ROUTE_MIRROR | ROUTE_BLOCKS, capability_fields, "capabilities"),
	ROW(POST, "capabilities-accessor", capabilities_accessor, ROUTE_MIRROR | ROUTE_BLOCKS, capability_fields, "capabilities"),
	ROW(GET, "internal/ui/resultant-acl", resultant_acl, 0, NULL, "resultant-acl"),
	{ .fn = NULL },
};
