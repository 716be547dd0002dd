/* userpass.c: users, their passwords and policies; logging in. Any thread, one exchange at a time. */
#include <bulla/userpass.h>

#include "handlers/auth_print.h"
#include "handlers/list_page.h"
#include "handlers/token_params.h"
#include "http/routes.h"

struct user_fields {
	struct bulla_bytes password, password_hash;
	struct token_params_form token;
};

#define PASSWORD_FIELDS \
	FIELD(struct user_fields, password, FIELD_STRING), FIELD(struct user_fields, password_hash, FIELD_STRING)
#define OLD(text, member, type, bit) TOKEN_PARAM_OLD(struct user_fields, token, text, member, type, bit)

static const struct field user_fields[] = {
	PASSWORD_FIELDS,
	OLD("policies", policies, FIELD_STRINGS, BULLA_PARAM_POLICIES),
	OLD("ttl", ttl_s, FIELD_SECONDS, BULLA_PARAM_TTL),
	OLD("max_ttl", max_ttl_s, FIELD_SECONDS, BULLA_PARAM_MAX_TTL),
	OLD("bound_cidrs", bound_cidrs, FIELD_STRINGS, BULLA_PARAM_BOUND_CIDRS),
	TOKEN_PARAM_FIELDS(struct user_fields, token),
	FIELD_END,
};
static const struct field password_fields[] = { PASSWORD_FIELDS, FIELD_END };
static const struct field policies_fields[] = {
	TOKEN_PARAM(struct user_fields, token, "token_policies", policies, FIELD_STRINGS, BULLA_PARAM_POLICIES),
	OLD("policies", policies, FIELD_STRINGS, BULLA_PARAM_POLICIES),
	FIELD_END,
};

/* Where a password is going to be hashed, that is the first of its work. */
static enum bulla_err user_exists(struct exchange *x, bool *exists)
{
	struct bulla_role_params user;
	enum bulla_err err = bulla_user_read(x->engine, x->call, x->mount, x->params[0], &user);

	if (err == BULLA_E_MUST_BLOCK)
		x->call->needs = json_get(x->doc, "password") != NULL ? BULLA_WORK_CPU : BULLA_WORK_DISK;
	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
		return err;
	*exists = err == BULLA_OK;
	return BULLA_OK;
}

static enum bulla_err write_user(struct exchange *x, const struct user_fields *f, bool field)
{
	const struct bulla_user_change change = { .token = token_params_change(&f->token), .password = f->password,
						  .password_hash = f->password_hash, .field = field };

	return bulla_user_write(x->engine, x->call, x->mount, x->params[0], &change);
}

static enum bulla_err write_whole(struct exchange *x)
{
	struct user_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, user_fields, false, &f));
	return write_user(x, &f, false);
}

static enum bulla_err write_password(struct exchange *x)
{
	struct bulla_role_params user;
	struct user_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, password_fields, true, &f));
	if (f.password.len + f.password_hash.len > 0)
		return write_user(x, &f, true);
	enum bulla_err err = bulla_user_read(x->engine, x->call, x->mount, x->params[0], &user);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(x->call, BULLA_E_INVALID_500, "username does not exist");
	TRY(err);
	return bulla_fail(x->call, BULLA_E_INVALID, "must provide either password or password_hash");
}

static enum bulla_err write_policies(struct exchange *x)
{
	struct user_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, policies_fields, true, &f));
	return write_user(x, &f, true);
}

static enum bulla_err read_user(struct exchange *x)
{
	struct bulla_role_params user;

	TRY(bulla_user_read(x->engine, x->call, x->mount, x->params[0], &user));
	json_open(x->data, '{');
	token_params_print_old(x->data, "bound_cidrs", &user, BULLA_PARAM_BOUND_CIDRS);
	token_params_print_old(x->data, "max_ttl", &user, BULLA_PARAM_MAX_TTL);
	token_params_print_old(x->data, "policies", &user, BULLA_PARAM_POLICIES);
	token_params_print(x->data, &user);
	token_params_print_old(x->data, "ttl", &user, BULLA_PARAM_TTL);
	json_close(x->data, '}');
	return BULLA_OK;
}

static enum bulla_err delete_user(struct exchange *x)
{
	return bulla_user_delete(x->engine, x->call, x->mount, x->params[0]);
}

static enum bulla_err list_users(struct exchange *x)
{
	struct bulla_bytes *names;
	size_t count;

	TRY(bulla_user_list(x->engine, x->call, x->mount, &names, &count));
	return list_page_print(x, names, count);
}

/* ---- logging in ------------------------------------------------------------------------------------------------------------ */

struct login_fields {
	struct bulla_bytes password;
};

static const struct field login_fields[] = { FIELD(struct login_fields, password, FIELD_STRING), FIELD_END };

static enum bulla_err login(struct exchange *x)
{
	struct login_fields f = { 0 };
	struct bulla_auth auth;

	TRY(fields_bind(x->call, x->doc, login_fields, true, &f));
	TRY(bulla_user_login(x->engine, x->call, x->mount, x->params[0], f.password, &auth));
	auth_print(x->auth, &auth);
	bulla_token_put(auth.token);
	return BULLA_OK;
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define ROW(methods_, path, handler_, flags_, known, anchor)                                                         \
	{ .mount = BULLA_MOUNT_USERPASS, .methods = methods_, .pattern = path, .fn = handler_, .flags = ROUTE_TOKEN | (flags_), \
	  .fields = known, .doc = anchor }

const struct route userpass_routes[] = {
	{ .mount = BULLA_MOUNT_USERPASS, .methods = ON(POST), .pattern = "users/{username}", .fn = write_whole, .flags = ROUTE_TOKEN,
	  .need = BULLA_CAN_CREATE, .exists = user_exists, .fields = user_fields, .doc = "write-user" },
	ROW(ON(GET), "users/{username}", read_user, ROUTE_BLOCKS, NULL, "read-user"),
	ROW(ON(DELETE), "users/{username}", delete_user, ROUTE_BLOCKS, NULL, "delete-user"),
	ROW(ON(LIST), "users", list_users, ROUTE_BLOCKS, list_page_fields, "list-users"),
	ROW(ON(POST), "users/{username}/password", write_password, 0, password_fields, "change-password"),
	ROW(ON(POST), "users/{username}/policies", write_policies, 0, policies_fields, "change-policies"),
	/* not ROUTE_BLOCKS: the library says what it needs first */
	{ .mount = BULLA_MOUNT_USERPASS, .methods = ON(POST), .pattern = "login/{username}", .fn = login,
	  .flags = ROUTE_NO_TOKEN | ROUTE_LOGIN,
	  .fields = login_fields, .doc = "log-in-with-a-password" },
	{ .fn = NULL },
};
