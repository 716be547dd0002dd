/* auth_jwt_role.c: roles of auth/jwt. Any thread, one exchange at a time. */
#include <bulla/jwt.h>

#include "handlers/list_page.h"
#include "handlers/token_params.h"
#include "http/routes.h"

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

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
	SET_EXPIRATION = 1 << 6, SET_NOT_BEFORE = 1 << 7, SET_SKEW = 1 << 8, SET_POINTER = 1 << 9, SET_REDIRECTS = 1 << 10, SET_SCOPES = 1 << 11,
	SET_METADATA = 1 << 12, SET_MAX_AGE = 1 << 13, SET_POLL = 1 << 14, SET_VERBOSE = 1 << 15,
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
	/* of logins by browser: kept, and of no effect */
	ROLE("allowed_redirect_uris", redirect_uris, FIELD_STRINGS, SET_REDIRECTS),
	ROLE("oidc_scopes", oidc_scopes, FIELD_STRINGS, SET_SCOPES),
	ROLE("oauth2_metadata", oauth2_metadata, FIELD_STRINGS, SET_METADATA),
	FIELD(struct role_fields, callback_mode, FIELD_STRING),
	ROLE("max_age", max_age_s, FIELD_SECONDS, SET_MAX_AGE),
	ROLE("poll_interval", poll_interval, FIELD_INT, SET_POLL),
	ROLE("verbose_oidc_logging", verbose, FIELD_BOOL, SET_VERBOSE),
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
static enum bulla_err bound_text(struct bulla_call *call, const struct json *claims, struct bulla_bytes *out)
{
	struct out text = { 0 };

	*out = (struct bulla_bytes){ 0 };
	if (claims == NULL || claims->type == JSON_NULL)
		return BULLA_OK;
	json_value(&text, claims);
	*out = text.failed ? (struct bulla_bytes){ 0 } : bulla_arena_copy(call->arena, bulla_mem(text.ptr, text.len));
	out_clear(&text);
	return out->ptr != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
}

static void merge_list(const struct role_fields *f, enum role_set bit, struct field_strings given, struct bulla_jwt_list *list)
{
	if ((f->set & bit) != 0)
		*list = (struct bulla_jwt_list){ given.items, given.count, true };
}

/* Two of them are as the request has them, or as they are without being set; the peer does the same. */
static void merge_browser(const struct role_fields *f, struct bulla_jwt_browser *b)
{
	merge_list(f, SET_REDIRECTS, f->redirect_uris, &b->redirect_uris);
	merge_list(f, SET_SCOPES, f->oidc_scopes, &b->scopes);
	merge_list(f, SET_METADATA, f->oauth2_metadata, &b->metadata);
	if ((f->set & SET_MAX_AGE) != 0)
		b->max_age_s = f->max_age_s;
	if ((f->set & SET_POLL) != 0)
		b->poll_interval_s = f->poll_interval;
	if ((f->set & SET_VERBOSE) != 0)
		b->verbose = f->verbose;
	b->callback_mode = f->callback_mode;
	b->disable_confirmation = f->disable_confirmation;
}

/* What was given, over what was there. */
static enum bulla_err merge(struct bulla_call *call, struct bulla_jwt_role *role, const void *given)
{
	const struct role_fields *f = given;

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
	merge_browser(f, &role->browser);
	return (f->set & SET_BOUND) != 0 ? bound_text(call, f->bound_claims, &role->bound_claims) : BULLA_OK;
}

static enum bulla_err write_role(struct exchange *x)
{
	struct role_fields f = { .claims_type = bulla_str("string"), .callback_mode = bulla_str("client") };

	TRY(fields_bind(x->call, x->doc, role_fields, false, &f));
	TRY(check_type(x, &f));
	if (!bulla_is(f.claims_type, "string") && !bulla_is(f.claims_type, "glob"))
		return bulla_fail(x->call, BULLA_E_INVALID, "invalid 'bound_claims_type': %.*s", PRINT(f.claims_type));
	if (f.template_claims)
		return bulla_fail(x->call, BULLA_E_INVALID, "'token_policies_template_claims' is not supported: map claims to metadata, "
							    "and name them in a policy as {{token.meta.KEY}}");
	const struct bulla_role_params_change change = token_params_change(&f.token);

	return bulla_jwt_role_write(x->engine, x->call, x->mount, x->params[0], &change, merge, &f);
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

static void put_list(struct out *out, const char *name, const struct bulla_jwt_list *list)
{
	if (list->given)
		json_put_strings(out, name, list->items, list->count);
	else
		json_put_null(out, name);
}

static enum bulla_err read_role(struct exchange *x)
{
	struct out *out = x->data;
	struct bulla_jwt_role role;

	TRY(bulla_jwt_role_read(x->engine, x->call, x->mount, x->params[0], &role));
	json_open(out, '{');
	put_list(out, "allowed_redirect_uris", &role.browser.redirect_uris);
	put_list(out, "bound_audiences", &(struct bulla_jwt_list){ role.audiences, role.audience_count, role.audience_count > 0 });
	TRY(print_bound(x, &role));
	json_put_text(out, "bound_claims_type", role.globs ? "glob" : "string");
	json_put_string(out, "bound_subject", role.subject);
	json_put_string(out, "callback_mode", role.browser.callback_mode);
	print_mappings(out, &role);
	json_put_int(out, "clock_skew_leeway", role.clock_skew_leeway_s);
	json_put_int(out, "expiration_leeway", role.expiration_leeway_s);
	json_put_string(out, "groups_claim", role.groups_claim);
	json_put_int(out, "max_age", role.browser.max_age_s);
	json_put_int(out, "not_before_leeway", role.not_before_leeway_s);
	put_list(out, "oauth2_metadata", &role.browser.metadata);
	json_put_bool(out, "oidc_disable_confirmation", role.browser.disable_confirmation);
	put_list(out, "oidc_scopes", &role.browser.scopes);
	if (role.browser.poll_interval_s > 0)
		json_put_int(out, "poll_interval", role.browser.poll_interval_s);
	print_old(out, &role.params);
	json_put_text(out, "role_type", "jwt");
	token_params_print(out, &role.params);
	json_put_bool(out, "token_policies_template_claims", false);
	json_put_string(out, "user_claim", role.user_claim);
	json_put_bool(out, "user_claim_json_pointer", role.user_claim_is_pointer);
	json_put_bool(out, "verbose_oidc_logging", role.browser.verbose);
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

#define JWT(method, pattern_, fn_, known)                                                                           \
	{ .mount = BULLA_MOUNT_JWT, .methods = ON(method), .pattern = pattern_, .fn = fn_, .flags = ROUTE_TOKEN,    \
	  .fields = known, .doc = "jwt-roles" }

const struct route auth_jwt_role_routes[] = {
	JWT(LIST, "role", list_roles, list_page_fields),
	JWT(GET, "role/{name}", read_role, NULL),
	JWT(DELETE, "role/{name}", delete_role, NULL),
	{ .mount = BULLA_MOUNT_JWT, .methods = ON(POST), .pattern = "role/{name}", .fn = write_role, .flags = ROUTE_TOKEN,
	  .need = BULLA_CAN_CREATE, .exists = role_exists, .fields = role_fields, .doc = "jwt-roles" },
	{ .fn = NULL },
};
