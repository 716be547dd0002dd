/* token.c: creating, looking up, renewing and revoking tokens. Any thread, one exchange at a time. */
#include "handlers/auth_print.h"
#include "http/routes.h"

#define NS_PER_S 1000000000

/* ---- printing ------------------------------------------------------------------------------------------------------------ */

static void put_time(struct out *out, const char *name, int64_t ns)
{
	char text[BULLA_TIME_TEXT];

	(void)bulla_time_print(ns, text);
	json_put_text(out, name, text);
}

static void put_times(struct out *out, const struct bulla_token *t)
{
	json_put_int(out, "creation_time", t->created_date_ns / NS_PER_S);
	json_put_int(out, "creation_ttl", t->creation_ttl_s);
	if (t->ttl_s == 0)
		json_put_null(out, "expire_time");
	if (t->ttl_s != 0)
		put_time(out, "expire_time", bulla_token_end_date_ns(t));
	json_put_int(out, "explicit_max_ttl", t->explicit_max_ttl_s);
	if (bulla_token_is_registered(t))
		put_time(out, "issue_time", bulla_token_issue_date_ns(t));
	if (t->last_renewal_ns != 0) {
		int64_t renewed_date_ns = bulla_date_of(t->last_renewal_ns);

		put_time(out, "last_renewal", renewed_date_ns);
		json_put_int(out, "last_renewal_time", renewed_date_ns / NS_PER_S);
	}
	if (t->period_s != 0)
		json_put_int(out, "period", t->period_s);
	json_put_int(out, "ttl", bulla_token_ttl_s(t));
}

/* id: the token's text where the caller had it already, else nothing. */
static void print_token(struct exchange *x, const struct bulla_token *t, struct bulla_bytes id)
{
	struct out *out = x->data;

	json_open(out, '{');
	json_put_string(out, "accessor", t->accessor);
	if (t->bound_cidr_count > 0)
		json_put_strings(out, "bound_cidrs", t->bound_cidrs, t->bound_cidr_count);
	json_put_string(out, "display_name", t->display_name);
	json_put_text(out, "entity_id", "");
	json_put_string(out, "id", id);
	auth_print_meta(out, "meta", t);
	json_put_int(out, "num_uses", t->num_uses);
	json_put_bool(out, "orphan", t->orphan);
	json_put_string(out, "path", t->path);
	json_put_strings(out, "policies", t->policies, t->policy_count);
	if (bulla_token_is_registered(t))
		json_put_bool(out, "renewable", t->renewable);
	if (t->role.len > 0)
		json_put_string(out, "role", t->role);
	put_times(out, t);
	json_put_text(out, "type", auth_type_name(t->type));
	json_close(out, '}');
}

/* ---- create -------------------------------------------------------------------------------------------------------------- */

struct create_fields {
	struct bulla_bytes id, ttl, lease, period, explicit_max_ttl, display_name, entity_alias, type;
	struct field_strings policies;
	struct field_pairs meta;
	int64_t num_uses;
	bool no_parent, no_default_policy, renewable;
};

static const struct field create_fields[] = {
	FIELD(struct create_fields, id, FIELD_STRING),
	FIELD(struct create_fields, policies, FIELD_LIST),
	FIELD(struct create_fields, ttl, FIELD_STRING),
	FIELD(struct create_fields, lease, FIELD_STRING),
	FIELD(struct create_fields, renewable, FIELD_BOOL),
	FIELD(struct create_fields, meta, FIELD_PAIRS),
	FIELD(struct create_fields, no_parent, FIELD_BOOL),
	FIELD(struct create_fields, no_default_policy, FIELD_BOOL),
	FIELD(struct create_fields, display_name, FIELD_STRING),
	FIELD(struct create_fields, num_uses, FIELD_INT),
	FIELD(struct create_fields, period, FIELD_STRING),
	FIELD(struct create_fields, explicit_max_ttl, FIELD_STRING),
	FIELD(struct create_fields, entity_alias, FIELD_STRING),
	FIELD(struct create_fields, type, FIELD_STRING),
	FIELD_END,
};

static enum bulla_err create(struct exchange *x, struct bulla_bytes role, bool orphan)
{
	struct create_fields f = { .renewable = true };
	const struct json *meta = json_get(x->doc, "meta");
	struct bulla_auth auth;

	TRY(fields_bind(x->call, x->doc, create_fields, true, &f));
	struct bulla_token_create_args args = {
		.id = f.id, .policies = f.policies.items, .policy_count = f.policies.count, .display_name = f.display_name,
		.meta = f.meta.items, .meta_count = f.meta.count, .meta_set = meta != NULL && meta->type != JSON_NULL,
		.num_uses = f.num_uses, .no_parent = f.no_parent, .no_default_policy = f.no_default_policy,
		.renewable = f.renewable, .entity_alias = f.entity_alias, .orphan = orphan, .path = x->path,
		.type = f.type, .role = role, .ttl_as_lease = f.ttl.len == 0 && f.lease.len > 0,
	};

	TRY(duration_parse(x->call, f.explicit_max_ttl, &args.explicit_max_ttl_s));
	TRY(duration_parse(x->call, f.period, &args.period_s));
	TRY(duration_parse(x->call, f.ttl.len > 0 ? f.ttl : f.lease, &args.ttl_s));
	TRY(bulla_token_create(x->engine, x->call, &args, &auth));
	auth_print(x->auth, &auth);
	bulla_token_put(auth.token);
	return BULLA_OK;
}

static enum bulla_err create_child(struct exchange *x)
{
	return create(x, bulla_str(""), false);
}

static enum bulla_err create_orphan(struct exchange *x)
{
	return create(x, bulla_str(""), true);
}

static enum bulla_err create_by_role(struct exchange *x)
{
	return create(x, x->params[0], false);
}

/* ---- lookup -------------------------------------------------------------------------------------------------------------- */

struct token_fields {
	struct bulla_bytes token, accessor;
	int64_t increment_s;
};

#define TOKEN_FIELD FIELD(struct token_fields, token, FIELD_STRING)
#define ACCESSOR_FIELD FIELD(struct token_fields, accessor, FIELD_STRING)
#define INCREMENT_FIELD FIELD_AS(struct token_fields, "increment", increment_s, FIELD_SECONDS)

static const struct field token_field[] = { TOKEN_FIELD, FIELD_END };
static const struct field accessor_field[] = { ACCESSOR_FIELD, FIELD_END };
static const struct field renew_fields[] = { TOKEN_FIELD, INCREMENT_FIELD, FIELD_END };
static const struct field renew_accessor_fields[] = { ACCESSOR_FIELD, INCREMENT_FIELD, FIELD_END };

static enum bulla_err lookup_self(struct exchange *x)
{
	print_token(x, x->call->token, x->request->token);
	return BULLA_OK;
}

static enum bulla_err lookup(struct exchange *x)
{
	struct token_fields f = { 0 };
	const struct bulla_token *token;

	const struct json *given = json_get(x->doc, "token");

	if (given != NULL && given->type != JSON_STRING && given->type != JSON_NULL)
		return bulla_fail(x->call, BULLA_E_FORBIDDEN, "invalid token");
	TRY(fields_bind(x->call, x->doc, token_field, true, &f));
	if (f.token.len == 0)
		return lookup_self(x);
	TRY(bulla_token_lookup(x->engine, x->call, f.token, &token));
	print_token(x, token, f.token);
	bulla_token_put(token);
	return BULLA_OK;
}

static enum bulla_err lookup_accessor(struct exchange *x)
{
	struct token_fields f = { 0 };
	const struct bulla_token *token;

	TRY(fields_bind(x->call, x->doc, accessor_field, true, &f));
	TRY(bulla_token_lookup_accessor(x->engine, x->call, f.accessor, &token));
	print_token(x, token, bulla_str(""));
	bulla_token_put(token);
	return BULLA_OK;
}

static enum bulla_err list_accessors(struct exchange *x)
{
	struct bulla_bytes *accessors;
	size_t count;

	TRY(bulla_token_accessors(x->engine, x->call, &accessors, &count));
	if (count == 0)
		return BULLA_E_NOT_FOUND;
	json_open(x->data, '{');
	json_put_strings(x->data, "keys", accessors, count);
	json_close(x->data, '}');
	return BULLA_OK;
}

/* ---- renew --------------------------------------------------------------------------------------------------------------- */

static enum bulla_err renewed(struct exchange *x, const struct bulla_auth *auth)
{
	auth_print(x->auth, auth);
	bulla_token_put(auth->token);
	return BULLA_OK;
}

static enum bulla_err renew_self(struct exchange *x)
{
	struct token_fields f = { 0 };
	struct bulla_auth auth;

	TRY(fields_bind(x->call, x->doc, renew_fields, true, &f));
	TRY(bulla_token_renew(x->engine, x->call, x->request->token, f.increment_s, &auth));
	return renewed(x, &auth);
}

static enum bulla_err renew(struct exchange *x)
{
	struct token_fields f = { 0 };
	struct bulla_auth auth;

	TRY(fields_bind(x->call, x->doc, renew_fields, true, &f));
	TRY(bulla_token_renew(x->engine, x->call, f.token, f.increment_s, &auth));
	return renewed(x, &auth);
}

static enum bulla_err renew_accessor(struct exchange *x)
{
	struct token_fields f = { 0 };
	struct bulla_auth auth;

	TRY(fields_bind(x->call, x->doc, renew_accessor_fields, true, &f));
	TRY(bulla_token_renew_accessor(x->engine, x->call, f.accessor, f.increment_s, &auth));
	return renewed(x, &auth);
}

/* ---- revoke -------------------------------------------------------------------------------------------------------------- */

static enum bulla_err revoke_self(struct exchange *x)
{
	return bulla_token_revoke_self(x->engine, x->call);
}

static enum bulla_err revoke(struct exchange *x)
{
	struct token_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, token_field, true, &f));
	return bulla_token_revoke(x->engine, x->call, f.token);
}

static enum bulla_err revoke_orphan(struct exchange *x)
{
	struct token_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, token_field, true, &f));
	return bulla_token_revoke_orphan(x->engine, x->call, f.token);
}

static enum bulla_err revoke_accessor(struct exchange *x)
{
	struct token_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, accessor_field, true, &f));
	return bulla_token_revoke_accessor(x->engine, x->call, f.accessor);
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define ROW(methods_, path, handler_, flags_, known, anchor)                                                                \
	{ .mount = BULLA_MOUNT_TOKEN, .methods = methods_, .pattern = path, .fn = handler_, .flags = ROUTE_TOKEN | (flags_), \
	  .fields = known, .doc = anchor }

const struct route token_routes[] = {
	ROW(ON(POST), "create", create_child, ROUTE_BLOCKS, create_fields, "create-token"),
	ROW(ON(POST), "create-orphan", create_orphan, ROUTE_BLOCKS, create_fields, "create-token"),
	ROW(ON(POST), "create/{role_name}", create_by_role, ROUTE_BLOCKS, create_fields, "create-token"),
	ROW(ON(GET) | ON(POST), "lookup-self", lookup_self, 0, token_field, "look-up-token"),
	ROW(ON(GET) | ON(POST), "lookup", lookup, 0, token_field, "look-up-token"),
	ROW(ON(POST), "lookup-accessor", lookup_accessor, ROUTE_BLOCKS, accessor_field, "look-up-token"),
	ROW(ON(LIST), "accessors", list_accessors, ROUTE_BLOCKS | ROUTE_SUDO, NULL, "list-accessors"),
	ROW(ON(POST), "renew-self", renew_self, ROUTE_BLOCKS, renew_fields, "renew-token"),
	ROW(ON(POST), "renew", renew, ROUTE_BLOCKS, renew_fields, "renew-token"),
	ROW(ON(POST), "renew-accessor", renew_accessor, ROUTE_BLOCKS, renew_accessor_fields, "renew-token"),
	ROW(ON(POST), "revoke-self", revoke_self, ROUTE_BLOCKS, token_field, "revoke-token"),
	ROW(ON(POST), "revoke", revoke, ROUTE_BLOCKS, token_field, "revoke-token"),
	ROW(ON(POST), "revoke-orphan", revoke_orphan, ROUTE_BLOCKS, token_field, "revoke-token"),
	ROW(ON(POST), "revoke-accessor", revoke_accessor, ROUTE_BLOCKS, accessor_field, "revoke-token"),
	{ .fn = NULL },
};
