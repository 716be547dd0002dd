/* auth_jwt.c: settings, roles and logins of auth/jwt. Any thread, one exchange at a time. */
#include <bulla/jwt.h>

#include "handlers/auth_print.h"
#include "handlers/list_page.h"
#include "handlers/token_params.h"
#include "http/routes.h"

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

static void put_strings(struct out *out, const char *name, const struct bulla_bytes *items, size_t count, bool null_if_none)
{
	if (count == 0 && null_if_none)
		json_put_null(out, name);
	else
		json_put_strings(out, name, items, count);
}

/* ---- configuration ----------------------------------------------------------------------------------------------------------- */

struct config_fields {
	unsigned set;
	struct bulla_bytes jwks_url, jwks_ca_pem, oidc_discovery_url, oidc_discovery_ca_pem, bound_issuer, default_role;
	struct bulla_bytes oidc_client_id, oidc_client_secret, oidc_response_mode;
	struct field_strings public_keys, algs, response_types, server_names;
	const struct json *provider_config;
	bool namespace_in_state, skip_jwks_validation;
};

enum { SET_NAMESPACE = 1 << 0 };

static const struct field config_fields[] = {
	FIELD(struct config_fields, jwks_url, FIELD_STRING),
	FIELD(struct config_fields, jwks_ca_pem, FIELD_STRING),
	FIELD(struct config_fields, oidc_discovery_url, FIELD_STRING),
	FIELD(struct config_fields, oidc_discovery_ca_pem, FIELD_STRING),
	FIELD(struct config_fields, bound_issuer, FIELD_STRING),
	FIELD(struct config_fields, default_role, FIELD_STRING),
	FIELD(struct config_fields, oidc_client_id, FIELD_STRING),
	FIELD(struct config_fields, oidc_client_secret, FIELD_STRING),
	FIELD(struct config_fields, oidc_response_mode, FIELD_STRING),
	FIELD_AS(struct config_fields, "jwt_validation_pubkeys", public_keys, FIELD_STRINGS),
	FIELD_AS(struct config_fields, "jwt_supported_algs", algs, FIELD_STRINGS),
	FIELD_AS(struct config_fields, "oidc_response_types", response_types, FIELD_STRINGS),
	FIELD_AS(struct config_fields, "override_allowed_server_names", server_names, FIELD_STRINGS),
	FIELD(struct config_fields, provider_config, FIELD_JSON),
	FIELD_SET(struct config_fields, "namespace_in_state", namespace_in_state, FIELD_BOOL, set, SET_NAMESPACE),
	FIELD(struct config_fields, skip_jwks_validation, FIELD_BOOL),
	FIELD_END,
};

/* The browser flow, and issuers with ways of their own, are not offered: said, rather than kept without a use. */
static enum bulla_err refuse_oidc(struct exchange *x, const struct config_fields *f)
{
	if ((f->oidc_client_id.len > 0) != (f->oidc_client_secret.len > 0))
		return bulla_fail(x->call, BULLA_E_INVALID, "both 'oidc_client_id' and 'oidc_client_secret' must be set for OIDC");
	const char *name = f->oidc_client_id.len > 0 ? "oidc_client_id" : f->oidc_response_mode.len > 0 ? "oidc_response_mode" :
			   f->response_types.count > 0 ? "oidc_response_types" :
			   f->server_names.count > 0 ? "override_allowed_server_names" :
			   f->provider_config != NULL && f->provider_config->first != NULL ? "provider_config" : NULL;

	if (name == NULL)
		return BULLA_OK;
	return bulla_fail(x->call, BULLA_E_INVALID, "'%s' is not supported: this server checks signed tokens, and has no OIDC login",
			  name);
}

static enum bulla_err write_config(struct exchange *x)
{
	struct config_fields f = { 0 };
	struct bulla_jwt_config before = { .namespace_in_state = true };

	TRY(fields_bind(x->call, x->doc, config_fields, true, &f));
	TRY(refuse_oidc(x, &f));
	enum bulla_err err = bulla_jwt_config_read(x->engine, x->call, x->mount, &before);

	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
		return err;
	const struct bulla_jwt_config config = {
		.public_keys = f.public_keys.items, .public_key_count = f.public_keys.count,
		.algs = f.algs.items, .alg_count = f.algs.count,
		.jwks_url = f.jwks_url, .jwks_ca_pem = f.jwks_ca_pem,
		.oidc_discovery_url = f.oidc_discovery_url, .oidc_discovery_ca_pem = f.oidc_discovery_ca_pem,
		.bound_issuer = f.bound_issuer, .default_role = f.default_role,
		.namespace_in_state = (f.set & SET_NAMESPACE) != 0 ? f.namespace_in_state : before.namespace_in_state,
		.skip_validation = f.skip_jwks_validation,
	};

	return bulla_jwt_config_write(x->engine, x->call, x->mount, &config);
}

static enum bulla_err read_config(struct exchange *x)
{
	struct bulla_jwt_config config;
	struct out *out = x->data;

	TRY(bulla_jwt_config_read(x->engine, x->call, x->mount, &config));
	json_open(out, '{');
	json_put_string(out, "bound_issuer", config.bound_issuer);
	json_put_string(out, "default_role", config.default_role);
	json_put_string(out, "jwks_ca_pem", config.jwks_ca_pem);
	json_put_string(out, "jwks_url", config.jwks_url);
	put_strings(out, "jwt_supported_algs", config.algs, config.alg_count, false);
	put_strings(out, "jwt_validation_pubkeys", config.public_keys, config.public_key_count, false);
	json_put_bool(out, "namespace_in_state", config.namespace_in_state);
	json_put_text(out, "oidc_client_id", "");
	json_put_string(out, "oidc_discovery_ca_pem", config.oidc_discovery_ca_pem);
	json_put_string(out, "oidc_discovery_url", config.oidc_discovery_url);
	json_put_text(out, "oidc_response_mode", "");
	put_strings(out, "oidc_response_types", NULL, 0, false);
	put_strings(out, "override_allowed_server_names", NULL, 0, false);
	json_key(out, "provider_config");
	json_open(out, '{');
	json_close(out, '}');
	json_put_text(out, "status", "valid");
	json_close(out, '}');
	return BULLA_OK;
}

/* ---- roles ------------------------------------------------------------------------------------------------------------------- */

struct role_fields {
	unsigned set;
	struct token_params_form token;
	struct bulla_bytes role_type, subject, user_claim, groups_claim, claims_type, callback_mode;
	struct field_strings audiences, redirect_uris, oidc_scopes, oauth2_metadata;
	struct field_pairs mappings;
	const struct json *bound_claims;
	int64_t expiration_leeway_s, not_before_leeway_s, clock_skew_leeway_s, max_age_s, poll_interval;
	bool user_claim_is_pointer, template_claims, verbose, disable_confirmation;
};

enum role_set {
	SET_AUDIENCES = 1 << 0, SET_SUBJECT = 1 << 1, SET_USER = 1 << 2, SET_GROUPS = 1 << 3, SET_BOUND = 1 << 4, SET_MAPPINGS = 1 << 5,
	SET_EXPIRATION = 1 << 6, SET_NOT_BEFORE = 1 << 7, SET_SKEW = 1 << 8, SET_POINTER = 1 << 9,
};

#define ROLE(text, member, type, bit) FIELD_SET(struct role_fields, text, member, type, set, bit)
#define OLD(text, member, type, bit) TOKEN_PARAM_OLD(struct role_fields, token, text, member, type, bit)

static const struct field role_fields[] = {
	TOKEN_PARAM_FIELDS(struct role_fields, token),
	OLD("policies", policies, FIELD_STRINGS, BULLA_PARAM_POLICIES),
	OLD("bound_cidrs", bound_cidrs, FIELD_STRINGS, BULLA_PARAM_BOUND_CIDRS),
	OLD("num_uses", num_uses, FIELD_INT, BULLA_PARAM_NUM_USES),
	OLD("ttl", ttl_s, FIELD_SECONDS, BULLA_PARAM_TTL),
	OLD("max_ttl", max_ttl_s, FIELD_SECONDS, BULLA_PARAM_MAX_TTL),
	OLD("period", period_s, FIELD_SECONDS, BULLA_PARAM_PERIOD),
	FIELD(struct role_fields, role_type, FIELD_STRING),
	ROLE("bound_audiences", audiences, FIELD_STRINGS, SET_AUDIENCES),
	ROLE("bound_subject", subject, FIELD_STRING, SET_SUBJECT),
	ROLE("bound_claims", bound_claims, FIELD_JSON, SET_BOUND),
	FIELD_AS(struct role_fields, "bound_claims_type", claims_type, FIELD_STRING),
	ROLE("claim_mappings", mappings, FIELD_PAIRS, SET_MAPPINGS),
	ROLE("user_claim", user_claim, FIELD_STRING, SET_USER),
	ROLE("user_claim_json_pointer", user_claim_is_pointer, FIELD_BOOL, SET_POINTER),
	ROLE("groups_claim", groups_claim, FIELD_STRING, SET_GROUPS),
	ROLE("expiration_leeway", expiration_leeway_s, FIELD_SIGNED_SECONDS, SET_EXPIRATION),
	ROLE("not_before_leeway", not_before_leeway_s, FIELD_SIGNED_SECONDS, SET_NOT_BEFORE),
	ROLE("clock_skew_leeway", clock_skew_leeway_s, FIELD_SIGNED_SECONDS, SET_SKEW),
	FIELD_AS(struct role_fields, "token_policies_template_claims", template_claims, FIELD_BOOL),
	/* of the browser flow: known, and of no effect */
	FIELD_AS(struct role_fields, "allowed_redirect_uris", redirect_uris, FIELD_STRINGS),
	FIELD(struct role_fields, oidc_scopes, FIELD_STRINGS),
	FIELD(struct role_fields, oauth2_metadata, FIELD_STRINGS),
	FIELD(struct role_fields, callback_mode, FIELD_STRING),
	FIELD_AS(struct role_fields, "max_age", max_age_s, FIELD_SECONDS),
	FIELD(struct role_fields, poll_interval, FIELD_INT),
	FIELD_AS(struct role_fields, "verbose_oidc_logging", verbose, FIELD_BOOL),
	FIELD_AS(struct role_fields, "oidc_disable_confirmation", disable_confirmation, FIELD_BOOL),
	FIELD_END,
};

static enum bulla_err check_type(struct exchange *x, const struct role_fields *f)
{
	if (bulla_is(f->role_type, "jwt"))
		return BULLA_OK;
	if (f->role_type.len > 0 && !bulla_is(f->role_type, "oidc"))
		return bulla_fail(x->call, BULLA_E_INVALID, "invalid 'role_type': %.*s", PRINT(f->role_type));
	if (f->user_claim.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "a user claim must be defined on the role");
	if (f->redirect_uris.count == 0)
		return bulla_fail(x->call, BULLA_E_INVALID,
				  "'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.");
	return bulla_fail(x->call, BULLA_E_INVALID,
			  "role_type 'oidc' is not supported: this server checks signed tokens (role_type 'jwt'), and has no OIDC login");
}

/* The claims as text again: that is how they are kept. */
static enum bulla_err bound_text(struct exchange *x, const struct json *claims, struct bulla_bytes *out)
{
	struct out text = { 0 };

	*out = (struct bulla_bytes){ 0 };
	if (claims == NULL || claims->type == JSON_NULL)
		return BULLA_OK;
	json_value(&text, claims);
	*out = text.failed ? (struct bulla_bytes){ 0 } : bulla_arena_copy(x->call->arena, bulla_mem(text.ptr, text.len));
	out_clear(&text);
	return out->ptr != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
}

/* What was given, over what was there. */
static enum bulla_err merge(struct exchange *x, const struct role_fields *f, struct bulla_jwt_role *role)
{
	if ((f->set & SET_AUDIENCES) != 0)
		role->audiences = f->audiences.items, role->audience_count = f->audiences.count;
	if ((f->set & SET_SUBJECT) != 0)
		role->subject = f->subject;
	if ((f->set & SET_USER) != 0)
		role->user_claim = f->user_claim;
	if ((f->set & SET_POINTER) != 0)
		role->user_claim_is_pointer = f->user_claim_is_pointer;
	if ((f->set & SET_GROUPS) != 0)
		role->groups_claim = f->groups_claim;
	if ((f->set & SET_MAPPINGS) != 0)
		role->mappings = f->mappings.items, role->mapping_count = f->mappings.count;
	if ((f->set & SET_EXPIRATION) != 0)
		role->expiration_leeway_s = f->expiration_leeway_s;
	if ((f->set & SET_NOT_BEFORE) != 0)
		role->not_before_leeway_s = f->not_before_leeway_s;
	if ((f->set & SET_SKEW) != 0)
		role->clock_skew_leeway_s = f->clock_skew_leeway_s;
	role->globs = bulla_is(f->claims_type, "glob");
	return (f->set & SET_BOUND) != 0 ? bound_text(x, f->bound_claims, &role->bound_claims) : BULLA_OK;
}

static enum bulla_err write_role(struct exchange *x)
{
	struct role_fields f = { .claims_type = bulla_str("string") };
	struct bulla_jwt_role role = { 0 };

	TRY(fields_bind(x->call, x->doc, role_fields, true, &f));
	TRY(check_type(x, &f));
	if (!bulla_is(f.claims_type, "string") && !bulla_is(f.claims_type, "glob"))
		return bulla_fail(x->call, BULLA_E_INVALID, "invalid 'bound_claims_type': %.*s", PRINT(f.claims_type));
	if (f.template_claims)
		return bulla_fail(x->call, BULLA_E_INVALID, "'token_policies_template_claims' is not supported: map claims to metadata, "
							    "and name them in a policy as {{token.meta.KEY}}");
	enum bulla_err err = bulla_jwt_role_read(x->engine, x->call, x->mount, x->params[0], &role);

	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
		return err;
	TRY(merge(x, &f, &role));
	struct bulla_role_params_change change = token_params_change(&f.token);

	return bulla_jwt_role_write(x->engine, x->call, x->mount, x->params[0], &change, &role);
}

static void print_mappings(struct out *out, const struct bulla_jwt_role *role)
{
	json_key(out, "claim_mappings");
	if (role->mapping_count == 0) {
		json_nil(out);
		return;
	}
	json_pairs(out, role->mappings, role->mapping_count);
}

static enum bulla_err print_bound(struct exchange *x, const struct bulla_jwt_role *role)
{
	struct json *claims = NULL;

	if (role->bound_claims.len > 0)
		TRY(json_parse(x->call, role->bound_claims.ptr, role->bound_claims.len, &claims));
	json_key(x->data, "bound_claims");
	if (claims == NULL)
		json_nil(x->data);
	else
		json_value(x->data, claims);
	return BULLA_OK;
}

static void print_old(struct out *out, const struct bulla_role_params *params)
{
	token_params_print_old(out, "bound_cidrs", params, BULLA_PARAM_BOUND_CIDRS);
	token_params_print_old(out, "max_ttl", params, BULLA_PARAM_MAX_TTL);
	token_params_print_old(out, "num_uses", params, BULLA_PARAM_NUM_USES);
	token_params_print_old(out, "period", params, BULLA_PARAM_PERIOD);
	token_params_print_old(out, "policies", params, BULLA_PARAM_POLICIES);
	token_params_print_old(out, "ttl", params, BULLA_PARAM_TTL);
}

static enum bulla_err read_role(struct exchange *x)
{
	struct out *out = x->data;
	struct bulla_jwt_role role;

	TRY(bulla_jwt_role_read(x->engine, x->call, x->mount, x->params[0], &role));
	json_open(out, '{');
	json_put_null(out, "allowed_redirect_uris");
	put_strings(out, "bound_audiences", role.audiences, role.audience_count, true);
	TRY(print_bound(x, &role));
	json_put_text(out, "bound_claims_type", role.globs ? "glob" : "string");
	json_put_string(out, "bound_subject", role.subject);
	json_put_text(out, "callback_mode", "client");
	print_mappings(out, &role);
	json_put_int(out, "clock_skew_leeway", role.clock_skew_leeway_s);
	json_put_int(out, "expiration_leeway", role.expiration_leeway_s);
	json_put_string(out, "groups_claim", role.groups_claim);
	json_put_int(out, "max_age", 0);
	json_put_int(out, "not_before_leeway", role.not_before_leeway_s);
	json_put_null(out, "oauth2_metadata");
	json_put_bool(out, "oidc_disable_confirmation", false);
	json_put_null(out, "oidc_scopes");
	print_old(out, &role.params);
	json_put_text(out, "role_type", "jwt");
	token_params_print(out, &role.params);
	json_put_bool(out, "token_policies_template_claims", false);
	json_put_string(out, "user_claim", role.user_claim);
	json_put_bool(out, "user_claim_json_pointer", role.user_claim_is_pointer);
	json_put_bool(out, "verbose_oidc_logging", false);
	json_close(out, '}');
	return BULLA_OK;
}

static enum bulla_err delete_role(struct exchange *x)
{
	return bulla_jwt_role_delete(x->engine, x->call, x->mount, x->params[0]);
}

static enum bulla_err list_roles(struct exchange *x)
{
	struct bulla_bytes *names;
	size_t count;

	TRY(bulla_jwt_role_list(x->engine, x->call, x->mount, &names, &count));
	return list_page_print(x, names, count);
}

static enum bulla_err role_exists(struct exchange *x, bool *exists)
{
	struct bulla_jwt_role role;
	enum bulla_err err = bulla_jwt_role_read(x->engine, x->call, x->mount, x->params[0], &role);

	*exists = err == BULLA_OK;
	return err == BULLA_E_NOT_FOUND ? BULLA_OK : err;
}

/* ---- login ------------------------------------------------------------------------------------------------------------------- */

struct login_fields {
	struct bulla_bytes role, jwt;
};

static const struct field login_fields[] = {
	FIELD(struct login_fields, role, FIELD_STRING),
	FIELD(struct login_fields, jwt, FIELD_STRING),
	FIELD_END,
};

static enum bulla_err login(struct exchange *x)
{
	struct login_fields f = { 0 };
	struct bulla_auth auth;

	TRY(fields_bind(x->call, x->doc, login_fields, true, &f));
	TRY(bulla_jwt_login(x->engine, x->call, x->mount, f.role, f.jwt, &auth));
	auth_print(x->auth, &auth);
	bulla_token_put(auth.token);
	return BULLA_OK;
}

#define JWT(method, pattern_, fn_, capability, known, anchor)                                                       \
	{ .mount = BULLA_MOUNT_JWT, .methods = ON(method), .pattern = pattern_, .fn = fn_, .flags = ROUTE_TOKEN,    \
	  .need = capability, .fields = known, .doc = anchor }

const struct route auth_jwt_routes[] = {
	JWT(GET, "config", read_config, BULLA_CAN_READ, NULL, "jwt-config"),
	JWT(POST, "config", write_config, BULLA_CAN_UPDATE, config_fields, "jwt-config"),
	JWT(LIST, "role", list_roles, BULLA_CAN_LIST, list_page_fields, "jwt-roles"),
	JWT(GET, "role/{name}", read_role, BULLA_CAN_READ, NULL, "jwt-roles"),
	JWT(DELETE, "role/{name}", delete_role, BULLA_CAN_DELETE, NULL, "jwt-roles"),
	{ .mount = BULLA_MOUNT_JWT, .methods = ON(POST), .pattern = "role/{name}", .fn = write_role, .flags = ROUTE_TOKEN,
	  .need = BULLA_CAN_CREATE, .exists = role_exists, .fields = role_fields, .doc = "jwt-roles" },
	{ .mount = BULLA_MOUNT_JWT, .methods = ON(POST), .pattern = "login", .fn = login, .flags = ROUTE_NO_TOKEN | ROUTE_LOGIN,
	  .fields = login_fields, .doc = "jwt-login" },
	{ .fn = NULL },
};
