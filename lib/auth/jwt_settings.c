/* jwt_settings.c: configuration and roles of auth/jwt: checked, stored, read. Workers only. */
#define _GNU_SOURCE /* memmem */
#include "auth/auth.h"
#include "auth/jwt.h"
#include "auth/jwt_method.h"
#include "auth/names.h"
#include "auth/params.h"

#define CONFIG_FORMAT 1
#define ROLE_FORMAT 1
#define NAME_MAX 512

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

static struct document_name document(const char *kind, const struct bulla_mount *mount, struct bulla_bytes item)
{
	return (struct document_name){ .kind = kind, .scope = mount_scope(mount), .item = item };
}

/* ---- configuration ------------------------------------------------------------------------------------------------------------ */

static enum bulla_err check_keys(struct bulla_call *call, const struct bulla_jwt_config *config)
{
	BULLA_CLEANUP(jwt_keys_clear) struct jwt_keys keys = { 0 };

	for (size_t i = 0; i < config->public_key_count; i++)
		TRY(jwt_keys_add_pem(call, &keys, config->public_keys[i]));
	return BULLA_OK;
}

static enum bulla_err check_algs(struct bulla_call *call, const struct bulla_jwt_config *config)
{
	for (size_t i = 0; i < config->alg_count; i++) {
		struct bulla_bytes quoted = bulla_arena_quote(call->arena, config->algs[i]);

		if (jwt_alg(config->algs[i]) == 0)
			return bulla_fail(call, BULLA_E_INVALID, "invalid jwt_supported_algs: unsupported signing algorithm %.*s",
					  PRINT(quoted));
	}
	return BULLA_OK;
}

#define SETTING_KEY 1 /* among the keys of BULLA_WORK_REMOTE, which are random otherwise */

/* That keys can be had at all. */
static enum bulla_err check_source(struct auth *auth, struct bulla_call *call, const struct bulla_jwt_config *config)
{
	static const char well_known[] = ".well-known/openid-configuration";
	bool discovery = config->oidc_discovery_url.len > 0;
	struct jwt_keys keys = { 0 };

	if (discovery && memmem(config->oidc_discovery_url.ptr, config->oidc_discovery_url.len, well_known, sizeof well_known - 1))
		return bulla_fail(call, BULLA_E_INVALID, "'oidc_discovery_url' contains '.well-known' component");
	TRY(bulla_work_remote(call, SETTING_KEY)); /* apart from logins that wait for what is to be set right */
	enum bulla_err err = jwt_source_fetch(auth, call, config, &keys);

	jwt_keys_clear(&keys);
	if (err == BULLA_OK || err == BULLA_E_MUST_BLOCK || err == BULLA_E_NO_MEMORY)
		return err;
	struct bulla_bytes why = call->detail;

	call->detail = (struct bulla_bytes){ 0 };
	if (config->skip_validation)
		return bulla_warn(call, discovery ? "error checking oidc discovery URL" : "error checking jwks URL");
	if (discovery)
		return bulla_fail(call, BULLA_E_INVALID, "error checking oidc discovery URL: %.*s", PRINT(why));
	return bulla_fail(call, BULLA_E_INVALID, "error checking jwks URL");
}

static enum bulla_err check_config(struct auth *auth, struct bulla_call *call, const struct bulla_jwt_config *config)
{
	int sources = (config->public_key_count > 0) + (config->jwks_url.len > 0) + (config->oidc_discovery_url.len > 0);

	if (sources != 1)
		return bulla_fail(call, BULLA_E_INVALID, "exactly one of 'jwt_validation_pubkeys', 'jwks_url', 'jwks_pairs', "
							 "'oidc_discovery_url', or 'provider_config' must be set");
	if (config->public_key_count > 0)
		TRY(check_keys(call, config));
	else
		TRY(check_source(auth, call, config));
	return check_algs(call, config);
}

enum bulla_err bulla_jwt_config_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				      const struct bulla_jwt_config *config)
{
	struct document_name name = document(JWT_CONFIG, mount, bulla_str("config"));
	struct pack pack = { .arena = call->arena };
	struct bulla_bytes role, value;
	struct document before = { 0 };

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(check_config(engine->auth, call, config));
	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(lower_case(call, config->default_role, &role));
	pack_u8(&pack, CONFIG_FORMAT);
	pack_u8(&pack, config->namespace_in_state);
	pack_list(&pack, config->public_keys, config->public_key_count);
	pack_list(&pack, config->algs, config->alg_count);
	pack_bytes(&pack, config->jwks_url);
	pack_bytes(&pack, config->jwks_ca_pem);
	pack_bytes(&pack, config->oidc_discovery_url);
	pack_bytes(&pack, config->oidc_discovery_ca_pem);
	pack_bytes(&pack, config->bound_issuer);
	pack_bytes(&pack, role);
	TRY(pack_finish(&pack, &value));
	enum bulla_err err = document_get(&engine->auth->documents, call, &name, &before);

	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
		return err;
	TRY(document_put(&engine->auth->documents, call, &name, before.revision, value));
	jwt_source_forget(engine->auth, mount->uuid);
	return BULLA_OK;
}

enum bulla_err bulla_jwt_config_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				     struct bulla_jwt_config *out)
{
	struct document_name name = document(JWT_CONFIG, mount, bulla_str("config"));
	struct bulla_jwt_config config = { 0 };
	struct document found;

	TRY(document_get(&engine->auth->documents, call, &name, &found));
	struct unpack in = { .ptr = found.value.ptr, .left = found.value.len };

	if (unpack_u8(&in) != CONFIG_FORMAT)
		return BULLA_E_STORE_DAMAGED;
	config.namespace_in_state = unpack_u8(&in);
	TRY(unpack_list(&in, call->arena, &config.public_keys, &config.public_key_count));
	TRY(unpack_list(&in, call->arena, &config.algs, &config.alg_count));
	config.jwks_url = unpack_bytes(&in);
	config.jwks_ca_pem = unpack_bytes(&in);
	config.oidc_discovery_url = unpack_bytes(&in);
	config.oidc_discovery_ca_pem = unpack_bytes(&in);
	config.bound_issuer = unpack_bytes(&in);
	config.default_role = unpack_bytes(&in);
	TRY(unpack_finish(&in));
	*out = config;
	return BULLA_OK;
}

/* ---- roles -------------------------------------------------------------------------------------------------------------------- */

static enum bulla_err role_name(struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
				struct document_name *out)
{
	struct bulla_bytes lowered;

	if (name.len > NAME_MAX)
		return bulla_fail(call, BULLA_E_INVALID, "a role's name is at most %d bytes long", NAME_MAX);
	TRY(lower_case(call, name, &lowered));
	*out = document(JWT_ROLE, mount, lowered);
	return BULLA_OK;
}

static bool is_reserved(struct bulla_bytes key)
{
	return bulla_is(key, "role");
}

static enum bulla_err check_mappings(struct bulla_call *call, const struct bulla_jwt_role *role)
{
	for (size_t i = 0; i < role->mapping_count; i++) {
		struct bulla_bytes target = role->mappings[i].value, quoted = bulla_arena_quote(call->arena, target);

		if (is_reserved(target))
			return bulla_fail(call, BULLA_E_INVALID, "metadata key %.*s is reserved and may not be a mapping destination",
					  PRINT(quoted));
		for (size_t j = 0; j < i; j++)
			if (bulla_equal(role->mappings[j].value, target))
				return bulla_fail(call, BULLA_E_INVALID, "multiple keys are mapped to metadata key %.*s", PRINT(quoted));
	}
	return BULLA_OK;
}

/* With globs a bound value is a text, or a list of texts. */
static enum bulla_err check_globs(struct bulla_call *call, const struct json *claims)
{
	for (const struct json *claim = claims->first; claim != NULL; claim = claim->next) {
		if (claim->type != JSON_STRING && claim->type != JSON_ARRAY)
			return bulla_fail(call, BULLA_E_INVALID, "claim is not a string or list: %.*s", PRINT(claim->name));
		for (const struct json *v = claim->type == JSON_ARRAY ? claim->first : NULL; v != NULL; v = v->next)
			if (v->type != JSON_STRING)
				return bulla_fail(call, BULLA_E_INVALID, "claim is not a string: %.*s", PRINT(claim->name));
	}
	return BULLA_OK;
}

static enum bulla_err check_bound(struct bulla_call *call, const struct bulla_jwt_role *role, bool *any)
{
	struct json *claims;

	*any = false;
	if (role->bound_claims.len == 0)
		return BULLA_OK;
	TRY(json_parse(call, role->bound_claims.ptr, role->bound_claims.len, &claims));
	if (claims->type != JSON_OBJECT)
		return bulla_fail(call, BULLA_E_INVALID, "bound_claims is no object");
	*any = claims->first != NULL;
	return role->globs ? check_globs(call, claims) : BULLA_OK;
}

static enum bulla_err check_role(const struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				 const struct bulla_jwt_role *role)
{
	const struct bulla_token_params *p = &role->params.values;
	int64_t default_s, max_s;
	bool bound;

	bulla_lease_defaults(engine, &default_s, &max_s);
	if (mount->max_lease_ttl_s > 0)
		max_s = mount->max_lease_ttl_s;

	if (p->period_s > max_s)
		return bulla_fail(call, BULLA_E_INVALID, "'period' is greater than the backend's maximum lease TTL");
	TRY(check_bound(call, role, &bound));
	TRY(check_mappings(call, role));
	if (role->user_claim.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "a user claim must be defined on the role");
	if (role->audience_count == 0 && p->bound_cidr_count == 0 && role->subject.len == 0 && !bound)
		return bulla_fail(call, BULLA_E_INVALID, "must have at least one bound constraint when creating/updating a role");
	if (p->max_ttl_s > 0 && p->ttl_s > p->max_ttl_s)
		return bulla_fail(call, BULLA_E_INVALID, "ttl should not be greater than max ttl");
	if (p->max_ttl_s > max_s)
		return bulla_warn(call, "token max ttl is greater than the system or backend mount's maximum TTL value; issued "
					"tokens' max TTL value will be truncated");
	return BULLA_OK;
}

enum { ROLE_GLOBS = 1 << 0, ROLE_POINTER = 1 << 1 };

static enum bulla_err pack_role(struct bulla_call *call, const struct bulla_jwt_role *role, struct bulla_bytes *out)
{
	struct pack pack = { .arena = call->arena };

	pack_u8(&pack, ROLE_FORMAT);
	pack_u8(&pack, (uint8_t)((role->globs ? ROLE_GLOBS : 0) | (role->user_claim_is_pointer ? ROLE_POINTER : 0)));
	params_pack(&pack, &role->params);
	pack_list(&pack, role->audiences, role->audience_count);
	pack_bytes(&pack, role->subject);
	pack_bytes(&pack, role->user_claim);
	pack_bytes(&pack, role->groups_claim);
	pack_bytes(&pack, role->bound_claims);
	pack_u32(&pack, (uint32_t)role->mapping_count);
	for (size_t i = 0; i < role->mapping_count; i++) {
		pack_bytes(&pack, role->mappings[i].key);
		pack_bytes(&pack, role->mappings[i].value);
	}
	pack_i64(&pack, role->expiration_leeway_s);
	pack_i64(&pack, role->not_before_leeway_s);
	pack_i64(&pack, role->clock_skew_leeway_s);
	return pack_finish(&pack, out);
}

static enum bulla_err unpack_mappings(struct bulla_call *call, struct unpack *in, struct bulla_jwt_role *role)
{
	uint32_t count = unpack_count(in, 8);
	struct bulla_pair *pairs = bulla_arena_alloc(call->arena, count * sizeof *pairs);

	if (pairs == NULL)
		return BULLA_E_NO_MEMORY;
	for (uint32_t i = 0; i < count; i++) {
		pairs[i].key = unpack_bytes(in);
		pairs[i].value = unpack_bytes(in);
	}
	role->mappings = pairs;
	role->mapping_count = count;
	return BULLA_OK;
}

static enum bulla_err unpack_role(struct bulla_call *call, const struct document *document, struct bulla_jwt_role *out)
{
	struct unpack in = { .ptr = document->value.ptr, .left = document->value.len };
	struct bulla_jwt_role role = { .revision = document->revision };

	if (unpack_u8(&in) != ROLE_FORMAT)
		return BULLA_E_STORE_DAMAGED;
	uint8_t flags = unpack_u8(&in);

	role.globs = flags & ROLE_GLOBS;
	role.user_claim_is_pointer = flags & ROLE_POINTER;
	TRY(params_unpack(call, &in, &role.params));
	TRY(unpack_list(&in, call->arena, &role.audiences, &role.audience_count));
	role.subject = unpack_bytes(&in);
	role.user_claim = unpack_bytes(&in);
	role.groups_claim = unpack_bytes(&in);
	role.bound_claims = unpack_bytes(&in);
	TRY(unpack_mappings(call, &in, &role));
	role.expiration_leeway_s = unpack_i64(&in);
	role.not_before_leeway_s = unpack_i64(&in);
	role.clock_skew_leeway_s = unpack_i64(&in);
	TRY(unpack_finish(&in));
	*out = role;
	return BULLA_OK;
}

enum bulla_err bulla_jwt_role_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				    struct bulla_bytes name, const struct bulla_role_params_change *change,
				    struct bulla_jwt_role *role)
{
	struct document_name at;
	struct bulla_bytes value;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(role_name(call, mount, name, &at));
	TRY(params_change(call, change, &role->params));
	TRY(check_role(engine, call, mount, role));
	TRY(pack_role(call, role, &value));
	return document_put(&engine->auth->documents, call, &at, role->revision, value);
}

enum bulla_err bulla_jwt_role_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				   struct bulla_bytes name, struct bulla_jwt_role *out)
{
	return jwt_role_get(engine->auth, call, mount, name, out);
}

enum bulla_err jwt_role_get(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
			    struct bulla_jwt_role *out)
{
	struct document_name at;
	struct document found;

	TRY(role_name(call, mount, name, &at));
	TRY(document_get(&auth->documents, call, &at, &found));
	return unpack_role(call, &found, out);
}

enum bulla_err bulla_jwt_role_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				     struct bulla_bytes name)
{
	struct document_name at;

	TRY(role_name(call, mount, name, &at));
	return document_remove(&engine->auth->documents, call, &at, STORE_ANY_REVISION);
}

enum bulla_err bulla_jwt_role_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				   struct bulla_bytes **names, size_t *count)
{
	struct document_name any = document(JWT_ROLE, mount, (struct bulla_bytes){ 0 });

	return document_list(&engine->auth->documents, call, &any, names, count);
}
