/* sys_leases.c: tokens seen as leases. Any thread, one exchange at a time. */
#include "handlers/list_page.h"
#include "http/routes.h"

struct lease_fields {
	const struct json *lease_id;
	struct bulla_bytes url_lease_id;
	int64_t increment_s; /* checked; a token has its own */
	bool sync;
};

static const struct field lease_fields[] = {
	FIELD(struct lease_fields, lease_id, FIELD_JSON),
	FIELD_END,
};

static const struct field renew_fields[] = {
	FIELD(struct lease_fields, lease_id, FIELD_JSON),
	FIELD(struct lease_fields, url_lease_id, FIELD_STRING),
	FIELD_AS(struct lease_fields, "increment", increment_s, FIELD_SECONDS),
	FIELD_END,
};

static const struct field revoke_fields[] = {
	FIELD(struct lease_fields, lease_id, FIELD_JSON),
	FIELD(struct lease_fields, url_lease_id, FIELD_STRING),
	FIELD(struct lease_fields, sync, FIELD_BOOL),
	FIELD_END,
};

/* In the body, else in the path, where the row has it there. */
static enum bulla_err lease_of(struct exchange *x, const struct lease_fields *f, struct bulla_bytes *id)
{
	*id = x->params[0];
	if (f->lease_id != NULL && f->lease_id->type != JSON_NULL && f->lease_id->type != JSON_STRING)
		return bulla_fail(x->call, BULLA_E_INVALID, "invalid lease ID");
	if (f->lease_id != NULL && f->lease_id->text.len > 0)
		*id = f->lease_id->text;
	if (id->len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "lease_id must be specified");
	return BULLA_OK;
}

static void put_time(struct out *out, const char *name, int64_t ns)
{
	char text[BULLA_TIME_TEXT];

	(void)bulla_time_print(ns, text);
	json_put_text(out, name, text);
}

static void print_lease(struct out *out, struct bulla_bytes id, const struct bulla_token *t)
{
	json_open(out, '{');
	put_time(out, "expire_time", bulla_token_end_date_ns(t));
	json_put_string(out, "id", id);
	put_time(out, "issue_time", bulla_token_issue_date_ns(t));
	if (t->last_renewal_ns != 0)
		put_time(out, "last_renewal", bulla_date_of(t->last_renewal_ns));
	if (t->last_renewal_ns == 0) {
		json_key(out, "last_renewal");
		json_nil(out);
	}
	json_put_string(out, "path", t->path);
	json_put_bool(out, "renewable", t->renewable);
	json_put_int(out, "ttl", bulla_token_ttl_s(t));
	json_close(out, '}');
}

static enum bulla_err lookup(struct exchange *x)
{
	struct lease_fields f = { 0 };
	const struct bulla_token *token;
	struct bulla_bytes id;

	TRY(fields_bind(x->call, x->doc, lease_fields, true, &f));
	TRY(lease_of(x, &f, &id));
	enum bulla_err err = bulla_lease_lookup(x->engine, x->call, id, &token);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(x->call, BULLA_E_INVALID, "invalid lease");
	TRY(err);
	print_lease(x->data, id, token);
	bulla_token_put(token);
	return BULLA_OK;
}

static enum bulla_err list(struct exchange *x)
{
	struct bulla_bytes prefix = x->params[0], *names;
	size_t count;

	if (prefix.len > 0 && prefix.ptr[prefix.len - 1] != '/')
		prefix = bulla_arena_printf(x->call->arena, "%.*s/", (int)prefix.len, (const char *)prefix.ptr);
	TRY(bulla_lease_list(x->engine, x->call, prefix, &names, &count));
	return list_print(x, names, count);
}

/* There are leases of tokens only, which are renewed as tokens. */
static enum bulla_err renew(struct exchange *x)
{
	struct lease_fields f = { 0 };
	const struct bulla_token *token;
	struct bulla_bytes id;

	TRY(fields_bind(x->call, x->doc, renew_fields, true, &f));
	TRY(lease_of(x, &f, &id));
	enum bulla_err err = bulla_lease_lookup(x->engine, x->call, id, &token);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(x->call, BULLA_E_INVALID, "lease not found");
	TRY(err);
	bulla_token_put(token);
	return bulla_fail(x->call, BULLA_E_INVALID, "tokens cannot be renewed through this endpoint");
}

static enum bulla_err revoke(struct exchange *x)
{
	struct lease_fields f = { .sync = true };
	struct bulla_bytes id;

	TRY(fields_bind(x->call, x->doc, revoke_fields, true, &f));
	TRY(lease_of(x, &f, &id));
	x->status = f.sync ? 0 : 202; /* it is done in either case */
	return bulla_lease_revoke(x->engine, x->call, id);
}

static const struct field prefix_fields[] = {
	FIELD(struct lease_fields, sync, FIELD_BOOL),
	FIELD_END,
};

static enum bulla_err revoke_prefix(struct exchange *x)
{
	struct lease_fields f = { .sync = true };

	TRY(fields_bind(x->call, x->doc, prefix_fields, true, &f));
	x->status = f.sync ? 0 : 202;
	return bulla_lease_revoke_prefix(x->engine, x->call, x->params[0]);
}

/* Nothing can keep a token from being revoked: there is nothing to ignore. */
static enum bulla_err revoke_force(struct exchange *x)
{
	return bulla_lease_revoke_prefix(x->engine, x->call, x->params[0]);
}

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

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define ROW(method, path, handler_, flags_, known, anchor)                                                     \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(method), .pattern = path, .fn = handler_,                  \
	  .flags = ROUTE_TOKEN | ROUTE_BLOCKS | (flags_), .fields = known, .doc = anchor }

const struct route sys_lease_routes[] = {
	ROW(POST, "leases/lookup", lookup, 0, lease_fields, "look-up-lease"),
	ROW(LIST, "leases/lookup", list, ROUTE_SUDO, NULL, "list-leases"),
	ROW(LIST, "leases/lookup/{prefix*}", list, ROUTE_SUDO, NULL, "list-leases"),
	ROW(POST, "leases/renew", renew, 0, renew_fields, "renew-lease"),
	ROW(POST, "leases/renew/{url_lease_id*}", renew, 0, renew_fields, "renew-lease"),
	ROW(POST, "leases/revoke", revoke, 0, revoke_fields, "revoke-lease"),
	ROW(POST, "leases/revoke/{url_lease_id*}", revoke, 0, revoke_fields, "revoke-lease"),
	ROW(POST, "leases/revoke-prefix/{prefix*}", revoke_prefix, ROUTE_SUDO, prefix_fields, "revoke-lease"),
	ROW(POST, "leases/revoke-force/{prefix*}", revoke_force, ROUTE_SUDO, NULL, "revoke-lease"),
	ROW(POST, "leases/tidy", tidy, 0, NULL, "tidy-leases"),
	{ .fn = NULL },
};
