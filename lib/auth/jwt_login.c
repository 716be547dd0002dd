/* jwt_login.c: a login with a JSON Web Token, and what its token may be renewed with. Workers only. */
#include <stdlib.h>

#include "access/login.h"
#include "auth/jwt_method.h"
#include "auth/log_in.h"
#include "auth/names.h"
#include "bulla/clock.h"

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

/* The peer says it of whatever the token fails at before its claims are looked at. */
static enum bulla_err validating(struct bulla_call *call, enum bulla_err err)
{
	static const char prefix[] = "error validating token: ";
	struct bulla_bytes why = call->detail;

	if (err != BULLA_E_INVALID || (why.len >= sizeof prefix - 1 && memcmp(why.ptr, prefix, sizeof prefix - 1) == 0))
		return err;
	return bulla_fail(call, err, "%s%.*s", prefix, PRINT(why));
}

static enum bulla_err find_role(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
				const struct bulla_jwt_config *config, struct bulla_bytes *name, struct bulla_jwt_role *role)
{
	TRY(lower_case(call, *name, name));
	if (name->len == 0)
		*name = config->default_role;
	if (name->len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "missing role");
	enum bulla_err err = jwt_role_get(auth, call, mount, *name, role);

	if (err != BULLA_E_NOT_FOUND)
		return err;
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, *name);

	return bulla_fail(call, BULLA_E_INVALID, "role %.*s could not be found", PRINT(quoted));
}

/* An audience that nobody asked for says that the token was made for somebody else. */
static enum bulla_err check_audience(struct bulla_call *call, const struct json *claims, const struct bulla_jwt_role *role)
{
	const struct json *aud = json_get(claims, "aud");
	bool given = aud != NULL && (aud->type == JSON_STRING || (aud->type == JSON_ARRAY && aud->count > 0));

	if (!given || role->audience_count > 0)
		return BULLA_OK;
	return bulla_fail(call, BULLA_E_INVALID, "audience claim found in JWT but no audiences bound to the role");
}

static enum bulla_err user_name(struct bulla_call *call, const struct json *claims, const struct bulla_jwt_role *role,
				struct bulla_bytes *out)
{
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, role->user_claim);
	const struct json *claim = NULL;

	if (role->user_claim_is_pointer) {
		claim = jwt_claim(call, claims, role->user_claim);
	} else { /* a name that begins with a slash is one, too */
		for (claim = claims->first; claim != NULL && !bulla_equal(claim->name, role->user_claim);)
			claim = claim->next;
	}
	if (claim == NULL || claim->type == JSON_NULL)
		return bulla_fail(call, BULLA_E_INVALID, "claim %.*s not found in token", PRINT(quoted));
	if (claim->type != JSON_STRING)
		return bulla_fail(call, BULLA_E_INVALID, "claim %.*s could not be converted to string", PRINT(quoted));
	*out = claim->text;
	return BULLA_OK;
}

/* There are no groups here, but a role that asks for the claim is not for tokens without it. */
static enum bulla_err check_groups(struct bulla_call *call, const struct json *claims, const struct bulla_jwt_role *role)
{
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, role->groups_claim);
	const struct json *claim = jwt_claim(call, claims, role->groups_claim);

	if (role->groups_claim.len == 0)
		return BULLA_OK;
	if (claim == NULL || claim->type == JSON_NULL)
		return bulla_fail(call, BULLA_E_INVALID, "failed to fetch groups: %.*s claim not found in token", PRINT(quoted));
	if (claim->type != JSON_ARRAY && claim->type != JSON_STRING)
		return bulla_fail(call, BULLA_E_INVALID, "%.*s claim could not be converted to string list", PRINT(quoted));
	for (const struct json *v = claim->type == JSON_ARRAY ? claim->first : NULL; v != NULL; v = v->next)
		if (v->type != JSON_STRING)
			return bulla_fail(call, BULLA_E_INVALID, "value in groups claim could not be parsed as string");
	return BULLA_OK;
}

static int by_key(const void *a, const void *b)
{
	return bulla_compare(((const struct bulla_pair *)a)->key, ((const struct bulla_pair *)b)->key);
}

/* The mapped claims and the role. */
static enum bulla_err metadata(struct bulla_call *call, const struct json *claims, struct bulla_bytes role_name,
			       const struct bulla_jwt_role *role, struct bulla_pair **out, size_t *count)
{
	struct bulla_pair *pairs = bulla_arena_alloc(call->arena, (role->mapping_count + 1) * sizeof *pairs);
	size_t n = 0;

	if (pairs == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < role->mapping_count; i++) {
		const struct json *claim = jwt_claim(call, claims, role->mappings[i].key);

		if (claim == NULL || claim->type == JSON_NULL)
			continue;
		if (claim->type != JSON_STRING)
			return bulla_fail(call, BULLA_E_INVALID, "error converting claim '%.*s' to string",
					  PRINT(role->mappings[i].key));
		pairs[n++] = (struct bulla_pair){ role->mappings[i].value, claim->text };
	}
	pairs[n++] = (struct bulla_pair){ bulla_str("role"), role_name };
	qsort(pairs, n, sizeof *pairs, by_key);
	*out = pairs;
	*count = n;
	return BULLA_OK;
}

static enum bulla_err check_claims(struct bulla_call *call, const struct json *claims, const struct bulla_jwt_config *config,
				   const struct bulla_jwt_role *role)
{
	const struct jwt_expected expected = {
		.issuer = config->bound_issuer, .subject = role->subject,
		.audiences = role->audiences, .audience_count = role->audience_count,
		.expiration_leeway_s = role->expiration_leeway_s, .not_before_leeway_s = role->not_before_leeway_s,
		.clock_skew_leeway_s = role->clock_skew_leeway_s,
	};

	TRY(validating(call, jwt_expect(call, claims, &expected, bulla_wall_s())));
	return check_audience(call, claims, role);
}

static enum bulla_err check_bound(struct bulla_call *call, const struct json *claims, const struct bulla_jwt_role *role)
{
	struct json *bound = NULL;

	if (role->bound_claims.len == 0)
		return BULLA_OK;
	TRY(json_parse(call, role->bound_claims.ptr, role->bound_claims.len, &bound));
	return jwt_check_bound(call, claims, bound, role->globs);
}

static enum bulla_err login(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			    struct log_in *login, struct bulla_bytes token, struct bulla_auth *out)
{
	struct bulla_jwt_config config;
	struct bulla_jwt_role role;
	struct bulla_pair *meta;
	const struct json *claims;
	enum bulla_err err = jwt_config_get(engine->auth, call, mount, &config);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID, "could not load configuration");
	TRY(err);
	TRY(find_role(engine->auth, call, mount, &config, &login->login_name, &role));
	if (token.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "missing token");
	const struct bulla_token_params *params = &role.params.values;

	if (!access_cidrs_match(params->bound_cidrs, params->bound_cidr_count, call->remote_ip))
		return BULLA_E_NO_TOKEN; /* "permission denied" */
	TRY(validating(call, jwt_source_verify(engine->auth, call, mount, &config, token, &claims)));
	TRY(check_claims(call, claims, &config, &role));
	TRY(user_name(call, claims, &role, &login->name));
	TRY(metadata(call, claims, login->login_name, &role, &meta, &login->meta_count));
	TRY(check_groups(call, claims, &role));
	TRY(check_bound(call, claims, &role));
	login->meta = meta;
	login->params = params;
	return auth_log_in(engine->auth, call, login, out);
}

enum bulla_err bulla_jwt_login(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			       struct bulla_bytes role, struct bulla_bytes token, struct bulla_auth *out)
{
	struct log_in wish = { .mount = mount, .path = bulla_str("login"), .login_name = role };

	TRY(bulla_work(call, BULLA_WORK_CPU)); /* which a login begins with: a caller has few of them at a time */
	return login(engine, call, mount, &wish, token, out);
}

/* ---- the method's row ------------------------------------------------------------------------------------------------------------ */

static enum bulla_err renew(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
			    const struct bulla_token *token, struct bulla_token_params *params)
{
	struct bulla_jwt_role role;
	enum bulla_err err = jwt_role_get(auth, call, mount, token->login_name, &role);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID, "role %.*s does not exist during renewal", PRINT(token->login_name));
	TRY(err);
	*params = role.params.values;
	return BULLA_OK;
}

static const char *const documents[] = { JWT_CONFIG, JWT_ROLE, NULL };

const struct auth_method auth_jwt = {
	.kind = BULLA_MOUNT_JWT, .documents = documents, .renew = renew, .empty = jwt_source_forget_all,
};
