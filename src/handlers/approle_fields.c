/* approle_fields.c: the endpoints of single fields of a role. Any thread, one exchange at a time. */
#include "handlers/approle.h"
#include "http/routes.h"

/* What an endpoint of one field takes, and how it is called in the peer's "missing". */
struct one_field {
	const char *end;              /* of the path: "token-ttl" */
	const char *missing;          /* NULL: nothing need be given */
	const struct field *fields;
	void (*print)(struct out *out, const struct bulla_approle *role);
	struct bulla_approle_change empty; /* what DELETE makes of it */
};

static void print_policies(struct out *out, const struct bulla_approle *r)
{
	token_params_print_old(out, "policies", &r->token, BULLA_PARAM_POLICIES);
	json_put_strings(out, "token_policies", r->token.values.policies, r->token.values.policy_count);
}

static void print_period(struct out *out, const struct bulla_approle *r)
{
	token_params_print_old(out, "period", &r->token, BULLA_PARAM_PERIOD);
	json_put_int(out, "token_period", r->token.values.period_s);
}

static void print_token_cidrs(struct out *out, const struct bulla_approle *r)
{
	const struct bulla_token_params *p = &r->token.values;

	approle_print_cidrs(out, "token_bound_cidrs", p->bound_cidr_count > 0 ? p->bound_cidrs : NULL, p->bound_cidr_count);
}

static void print_bound_cidrs(struct out *out, const struct bulla_approle *r)
{
	approle_print_cidrs(out, "secret_id_bound_cidrs", r->secret_id_bound_cidrs, r->secret_id_bound_cidr_count);
}

/* Only taken by this name, never shown by it. */
static void print_old_cidrs(struct out *out, const struct bulla_approle *r)
{
	(void)r;
	json_put_null(out, "bound_cidr_list");
}

static void print_ttl(struct out *out, const struct bulla_approle *r)
{
	json_put_int(out, "token_ttl", r->token.values.ttl_s);
}

static void print_max_ttl(struct out *out, const struct bulla_approle *r)
{
	json_put_int(out, "token_max_ttl", r->token.values.max_ttl_s);
}

static void print_token_uses(struct out *out, const struct bulla_approle *r)
{
	json_put_int(out, "token_num_uses", r->token.values.num_uses);
}

static void print_uses(struct out *out, const struct bulla_approle *r)
{
	json_put_int(out, "secret_id_num_uses", r->secret_id_num_uses);
}

static void print_secret_ttl(struct out *out, const struct bulla_approle *r)
{
	json_put_int(out, "secret_id_ttl", r->secret_id_ttl_s);
}

static void print_bind(struct out *out, const struct bulla_approle *r)
{
	json_put_bool(out, "bind_secret_id", r->bind_secret_id);
}

static void print_local(struct out *out, const struct bulla_approle *r)
{
	json_put_bool(out, "local_secret_ids", r->local_secret_ids);
}

static void print_role_id(struct out *out, const struct bulla_approle *r)
{
	json_put_string(out, "role_id", r->role_id);
}

static const struct field policies_field[] = {
	TOKEN_FIELD("token_policies", policies, FIELD_STRINGS, BULLA_PARAM_POLICIES), OLD_POLICIES, FIELD_END };
static const struct field period_field[] = {
	TOKEN_FIELD("token_period", period_s, FIELD_SECONDS, BULLA_PARAM_PERIOD), OLD_PERIOD, FIELD_END };
static const struct field ttl_field[] = { TOKEN_FIELD("token_ttl", ttl_s, FIELD_SECONDS, BULLA_PARAM_TTL), FIELD_END };
static const struct field max_ttl_field[] = { TOKEN_FIELD("token_max_ttl", max_ttl_s, FIELD_SECONDS, BULLA_PARAM_MAX_TTL), FIELD_END };
static const struct field token_uses_field[] = {
	TOKEN_FIELD("token_num_uses", num_uses, FIELD_INT, BULLA_PARAM_NUM_USES), FIELD_END };
static const struct field token_cidrs_field[] = {
	TOKEN_FIELD("token_bound_cidrs", bound_cidrs, FIELD_STRINGS, BULLA_PARAM_BOUND_CIDRS), FIELD_END };
static const struct field cidrs_field[] = { CIDRS_FIELD, FIELD_END };
static const struct field old_cidrs_field[] = { OLD_CIDRS_FIELD, FIELD_END };
static const struct field uses_field[] = { USES_FIELD, FIELD_END };
static const struct field secret_ttl_field[] = { TTL_FIELD, FIELD_END };
static const struct field bind_field[] = { BIND_FIELD, FIELD_END };
static const struct field role_id_field[] = { ROLE_ID_FIELD, FIELD_END };

#define EMPTY_TOKEN(bit) { .field = true, .token = { .set = bit } }
#define EMPTY(bit) { .field = true, .set = bit, .values = { .bind_secret_id = true } }

static const struct one_field one_fields[] = {
	{ "policies", "token_policies", policies_field, print_policies, EMPTY_TOKEN(BULLA_PARAM_POLICIES) },
	{ "period", "period", period_field, print_period, EMPTY_TOKEN(BULLA_PARAM_PERIOD) },
	{ "token-ttl", "token_ttl", ttl_field, print_ttl, EMPTY_TOKEN(BULLA_PARAM_TTL) },
	{ "token-max-ttl", "token_max_ttl", max_ttl_field, print_max_ttl, EMPTY_TOKEN(BULLA_PARAM_MAX_TTL) },
	{ "token-num-uses", "token_num_uses", token_uses_field, print_token_uses, EMPTY_TOKEN(BULLA_PARAM_NUM_USES) },
	{ "token-bound-cidrs", NULL, token_cidrs_field, print_token_cidrs, EMPTY_TOKEN(BULLA_PARAM_BOUND_CIDRS) },
	{ "secret-id-bound-cidrs", NULL, cidrs_field, print_bound_cidrs, EMPTY(BULLA_APPROLE_BOUND_CIDRS) },
	{ "bound-cidr-list", NULL, old_cidrs_field, print_old_cidrs, EMPTY(0) },
	{ "secret-id-num-uses", "secret_id_num_uses", uses_field, print_uses, EMPTY(BULLA_APPROLE_NUM_USES) },
	{ "secret-id-ttl", "secret_id_ttl", secret_ttl_field, print_secret_ttl, EMPTY(BULLA_APPROLE_TTL) },
	{ "bind-secret-id", "bind_secret_id", bind_field, print_bind, EMPTY(BULLA_APPROLE_BIND_SECRET_ID) },
	{ "local-secret-ids", NULL, NULL, print_local, EMPTY(0) },
	{ "role-id", "role_id", role_id_field, print_role_id, EMPTY(0) },
};

/* By the end of the route's pattern: every route of one has a row. */
static const struct one_field *field_of(const struct exchange *x)
{
	const char *end = strrchr(x->route->pattern, '/') + 1;

	for (size_t i = 0; i < sizeof one_fields / sizeof one_fields[0]; i++)
		if (strcmp(one_fields[i].end, end) == 0)
			return &one_fields[i];
	return NULL;
}

static enum bulla_err read_field(struct exchange *x)
{
	const struct one_field *field = field_of(x);
	struct bulla_approle role;

	if (field == NULL)
		return BULLA_E_INTERNAL;
	TRY(bulla_approle_read(x->engine, x->call, x->mount, x->params[0], &role));
	if (field->print == print_old_cidrs)
		TRY(bulla_warn(x->call, "The \"bound_cidr_list\" field is deprecated and will be removed. Please use "
					"\"secret_id_bound_cidrs\" instead."));
	json_open(x->data, '{');
	field->print(x->data, &role);
	json_close(x->data, '}');
	return BULLA_OK;
}

/* What the peer's endpoints of these fields check in words of their own. */
static enum bulla_err check_field(struct exchange *x, const struct role_fields *f, const struct bulla_approle *role)
{
	const struct bulla_token_params *p = &role->token.values;
	bool cidrs = (f->set & BULLA_APPROLE_BOUND_CIDRS) != 0 || f->old_cidrs_set != 0;

	if ((f->token.set & BULLA_PARAM_TTL) != 0 && p->max_ttl_s > 0 && f->token.values.ttl_s > p->max_ttl_s)
		return bulla_fail(x->call, BULLA_E_INVALID, "token_ttl should not be greater than token_max_ttl");
	if ((f->token.set & BULLA_PARAM_MAX_TTL) != 0 && f->token.values.max_ttl_s > 0 && p->ttl_s > f->token.values.max_ttl_s)
		return bulla_fail(x->call, BULLA_E_INVALID, "token_max_ttl should be greater than or equal to token_ttl");
	if (cidrs && f->bound_cidrs.count + f->old_bound_cidrs.count == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "missing bound_cidr_list");
	if ((f->set & BULLA_APPROLE_ROLE_ID) != 0 && f->role_id.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "missing role_id");
	return BULLA_OK;
}

static enum bulla_err write_field(struct exchange *x)
{
	const struct one_field *field = field_of(x);
	struct role_fields f = { 0 };
	struct bulla_approle role;

	if (field == NULL || field->fields == NULL)
		return BULLA_E_INTERNAL;
	TRY(fields_bind(x->call, x->doc, field->fields, true, &f));
	enum bulla_err err = bulla_approle_read(x->engine, x->call, x->mount, x->params[0], &role);

	TRY(err == BULLA_E_NOT_FOUND ? BULLA_E_UNSUPPORTED_PATH : err);
	bool given = (f.set | f.old_cidrs_set | f.token.set | f.token.set_old) != 0;

	if (!given && field->missing != NULL)
		return bulla_fail(x->call, BULLA_E_INVALID, "missing %s", field->missing);
	TRY(check_field(x, &f, &role));
	struct bulla_approle_change change = approle_change(&f);

	change.field = true;
	return bulla_approle_write(x->engine, x->call, x->mount, x->params[0], &change);
}

static enum bulla_err delete_field(struct exchange *x)
{
	const struct one_field *field = field_of(x);

	if (field == NULL)
		return BULLA_E_INTERNAL;
	enum bulla_err err = bulla_approle_write(x->engine, x->call, x->mount, x->params[0], &field->empty);

	return err == BULLA_E_UNSUPPORTED_PATH ? BULLA_OK : err; /* there is no such role */
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define ROW(methods_, path, handler_, known, anchor)                                                                       \
	{ .mount = BULLA_MOUNT_APPROLE, .methods = methods_, .pattern = path, .fn = handler_, .flags = ROUTE_TOKEN | ROUTE_BLOCKS, \
	  .fields = known, .doc = anchor }
#define ONE_FIELD(end, known)                                                               \
	ROW(ON(GET), "role/{role_name}/" end, read_field, NULL, "read-role-field"),          \
	ROW(ON(POST), "role/{role_name}/" end, write_field, known, "write-role-field"),      \
	ROW(ON(DELETE), "role/{role_name}/" end, delete_field, NULL, "reset-role-field")

const struct route approle_field_routes[] = {
	ONE_FIELD("policies", policies_field),
	ONE_FIELD("period", period_field),
	ONE_FIELD("token-ttl", ttl_field),
	ONE_FIELD("token-max-ttl", max_ttl_field),
	ONE_FIELD("token-num-uses", token_uses_field),
	ONE_FIELD("token-bound-cidrs", token_cidrs_field),
	ONE_FIELD("secret-id-bound-cidrs", cidrs_field),
	ONE_FIELD("bound-cidr-list", old_cidrs_field),
	ONE_FIELD("secret-id-num-uses", uses_field),
	ONE_FIELD("secret-id-ttl", secret_ttl_field),
	ONE_FIELD("bind-secret-id", bind_field),
	ROW(ON(GET), "role/{role_name}/local-secret-ids", read_field, NULL, "read-role-field"),
	ROW(ON(GET), "role/{role_name}/role-id", read_field, NULL, "read-role-field"),
	ROW(ON(POST), "role/{role_name}/role-id", write_field, role_id_field, "write-role-field"),
	{ .fn = NULL },
};
