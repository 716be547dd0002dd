/* auth_jwt.c: settings and logins of auth/jwt. Any thread, one exchange at a time. */
#include <bulla/jwt.h>

#include "handlers/auth_print.h"
#include "http/routes.h"

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

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

	TRY(fields_bind(x->call, x->doc, config_fields, true, &f));
	TRY(refuse_oidc(x, &f));
	const struct bulla_jwt_config config = {
		.public_keys = f.public_keys.items, .public_key_count = f.public_keys.count,
		.algs = f.algs.items, .alg_count = f.algs.count,
		.jwks_url = f.jwks_url, .jwks_ca_pem = f.jwks_ca_pem,
		.oidc_discovery_url = f.oidc_discovery_url, .oidc_discovery_ca_pem = f.oidc_discovery_ca_pem,
		.bound_issuer = f.bound_issuer, .default_role = f.default_role,
		.namespace_in_state = f.namespace_in_state, .keep_namespace = (f.set & SET_NAMESPACE) == 0,
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
	json_put_strings(out, "jwt_supported_algs", config.algs, config.alg_count);
	json_put_strings(out, "jwt_validation_pubkeys", config.public_keys, config.public_key_count);
	json_put_bool(out, "namespace_in_state", config.namespace_in_state);
	json_put_text(out, "oidc_client_id", "");
	json_put_string(out, "oidc_discovery_ca_pem", config.oidc_discovery_ca_pem);
	json_put_string(out, "oidc_discovery_url", config.oidc_discovery_url);
	json_put_text(out, "oidc_response_mode", "");
	json_put_strings(out, "oidc_response_types", NULL, 0);
	json_put_strings(out, "override_allowed_server_names", NULL, 0);
	json_key(out, "provider_config");
	json_open(out, '{');
	json_close(out, '}');
	json_put_text(out, "status", "valid");
	json_close(out, '}');
	return BULLA_OK;
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

const struct route auth_jwt_routes[] = {
	{ .mount = BULLA_MOUNT_JWT, .methods = ON(GET), .pattern = "config", .fn = read_config, .flags = ROUTE_TOKEN, .doc = "jwt-config" },
	{ .mount = BULLA_MOUNT_JWT, .methods = ON(POST), .pattern = "config", .fn = write_config, .flags = ROUTE_TOKEN,
	  .fields = config_fields, .doc = "jwt-config" },
	{ .mount = BULLA_MOUNT_JWT, .methods = ON(POST), .pattern = "login", .fn = login, .flags = ROUTE_NO_TOKEN | ROUTE_LOGIN,
	  .fields = login_fields, .doc = "jwt-login" },
	{ .fn = NULL },
};
