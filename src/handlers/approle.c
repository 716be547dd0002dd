/* approle.c: roles of approle mounts as a whole; logging in. Any thread, one exchange at a time. */
#include "handlers/approle.h"

#include "handlers/auth_print.h"
#include "handlers/list_page.h"
#include "http/routes.h"

static const struct field role_fields[] = {
	ROLE_ID_FIELD, BIND_FIELD, CIDRS_FIELD, OLD_CIDRS_FIELD, USES_FIELD, TTL_FIELD,
	FIELD_SET(struct role_fields, "local_secret_ids", local_secret_ids, FIELD_BOOL, set, BULLA_APPROLE_LOCAL_SECRET_IDS),
	OLD_POLICIES, OLD_PERIOD,
	TOKEN_PARAM_FIELDS(struct role_fields, token),
	FIELD_END,
};

struct bulla_approle_change approle_change(const struct role_fields *f)
{
	const struct field_strings *cidrs = (f->set & BULLA_APPROLE_BOUND_CIDRS) != 0 ? &f->bound_cidrs : &f->old_bound_cidrs;

	return (struct bulla_approle_change){
		.set = f->set | (f->old_cidrs_set != 0 ? BULLA_APPROLE_BOUND_CIDRS : 0),
		.values = { .role_id = f->role_id, .bind_secret_id = f->bind_secret_id, .local_secret_ids = f->local_secret_ids,
			    .secret_id_bound_cidrs = cidrs->items, .secret_id_bound_cidr_count = cidrs->count,
			    .secret_id_num_uses = f->num_uses, .secret_id_ttl_s = f->ttl_s },
		.token = token_params_change(&f->token),
	};
}

/* ---- the whole role ---------------------------------------------------------------------------------------------------------- */

static enum bulla_err role_exists(struct exchange *x, bool *exists)
{
	struct bulla_approle role;
	enum bulla_err err = bulla_approle_read(x->engine, x->call, x->mount, x->params[0], &role);

	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
		return err;
	*exists = err == BULLA_OK;
	return BULLA_OK;
}

static enum bulla_err write_role(struct exchange *x)
{
	struct role_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, role_fields, false, &f));
	const struct bulla_approle_change change = approle_change(&f);

	return bulla_approle_write(x->engine, x->call, x->mount, x->params[0], &change);
}

void approle_print_cidrs(struct out *out, const char *name, const struct bulla_bytes *items, size_t count)
{
	if (items == NULL)
		json_put_null(out, name);
	else
		json_put_strings(out, name, items, count);
}

static enum bulla_err read_role(struct exchange *x)
{
	struct out *out = x->data;
	struct bulla_approle r;

	TRY(bulla_approle_read(x->engine, x->call, x->mount, x->params[0], &r));
	json_open(out, '{');
	json_put_bool(out, "bind_secret_id", r.bind_secret_id);
	json_put_bool(out, "local_secret_ids", r.local_secret_ids);
	token_params_print_old(out, "period", &r.token, BULLA_PARAM_PERIOD);
	token_params_print_old(out, "policies", &r.token, BULLA_PARAM_POLICIES);
	approle_print_cidrs(out, "secret_id_bound_cidrs", r.secret_id_bound_cidrs, r.secret_id_bound_cidr_count);
	json_put_int(out, "secret_id_num_uses", r.secret_id_num_uses);
	json_put_int(out, "secret_id_ttl", r.secret_id_ttl_s);
	token_params_print(out, &r.token);
	json_close(out, '}');
	return BULLA_OK;
}

static enum bulla_err delete_role(struct exchange *x)
{
	return bulla_approle_delete(x->engine, x->call, x->mount, x->params[0]);
}

static enum bulla_err list_roles(struct exchange *x)
{
	struct bulla_bytes *names;
	size_t count;

	TRY(bulla_approle_list(x->engine, x->call, x->mount, &names, &count));
	return list_page_print(x, names, count);
}

/* ---- logging in ---------------------------------------------------------------------------------------------------------- */

struct login_fields {
	struct bulla_bytes role_id, secret_id;
};

static const struct field login_fields[] = {
	FIELD(struct login_fields, role_id, FIELD_STRING),
	FIELD(struct login_fields, secret_id, FIELD_STRING),
	FIELD_END,
};

static enum bulla_err login(struct exchange *x)
{
	struct login_fields f = { 0 };
	struct bulla_auth auth;

	TRY(fields_bind(x->call, x->doc, login_fields, true, &f));
	TRY(bulla_approle_login(x->engine, x->call, x->mount, f.role_id, f.secret_id, &auth));
	auth_print(x->auth, &auth);
	bulla_token_put(auth.token);
	return BULLA_OK;
}

/* The peer looks for the role before it finds that this is no way to log in. */
static enum bulla_err no_login(struct exchange *x)
{
	struct login_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, login_fields, true, &f));
	if (f.role_id.len == 0)
		return bulla_fail(x->call, BULLA_E_FAILED, "missing role_id");
	return BULLA_E_OPEN_METHOD;
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define ROW(methods_, path, handler_, known, anchor)                                                                       \
	{ .mount = BULLA_MOUNT_APPROLE, .methods = methods_, .pattern = path, .fn = handler_, .flags = ROUTE_TOKEN | ROUTE_BLOCKS, \
	  .fields = known, .doc = anchor }

const struct route approle_routes[] = {
	{ .mount = BULLA_MOUNT_APPROLE, .methods = ON(POST), .pattern = "role/{role_name}", .fn = write_role,
	  .flags = ROUTE_TOKEN | ROUTE_BLOCKS, .need = BULLA_CAN_CREATE, .exists = role_exists, .fields = role_fields,
	  .doc = "write-role" },
	ROW(ON(GET), "role/{role_name}", read_role, NULL, "read-role"),
	ROW(ON(DELETE), "role/{role_name}", delete_role, NULL, "delete-role"),
	ROW(ON(LIST), "role", list_roles, list_page_fields, "list-roles"),
	{ .mount = BULLA_MOUNT_APPROLE, .methods = ON(POST), .pattern = "login", .fn = login,
	  .flags = ROUTE_NO_TOKEN | ROUTE_LOGIN | ROUTE_BLOCKS,
	  .fields = login_fields, .doc = "log-in-with-a-role" },
	{ .mount = BULLA_MOUNT_APPROLE, .methods = ON(GET) | ON(DELETE), .pattern = "login", .fn = no_login,
	  .flags = ROUTE_NO_TOKEN | ROUTE_LOGIN,
	  .fields = login_fields, .doc = "log-in-with-a-role" },
	{ .fn = NULL },
};
