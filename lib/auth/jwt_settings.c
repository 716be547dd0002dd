/* jwt_settings.c: the configuration of auth/jwt: checked, stored, read. Workers only. */
#define _GNU_SOURCE /* memmem */
#include "auth/auth.h"
#include "auth/jwt.h"
#include "auth/jwt_method.h"
#include "auth/names.h"
#include "base/pack.h"

#define CONFIG_FORMAT 1

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

struct settings {
	struct record record;
	struct bulla_jwt_config public;
};

/* ---- storing --------------------------------------------------------------------------------------------------------------------- */

static void encode(struct pack *pack, const void *record)
{
	const struct bulla_jwt_config *config = &((const struct settings *)record)->public;

	pack_u8(pack, CONFIG_FORMAT);
	pack_u8(pack, config->namespace_in_state);
	pack_list(pack, config->public_keys, config->public_key_count);
	pack_list(pack, config->algs, config->alg_count);
	pack_bytes(pack, config->jwks_url);
	pack_bytes(pack, config->jwks_ca_pem);
	pack_bytes(pack, config->oidc_discovery_url);
	pack_bytes(pack, config->oidc_discovery_ca_pem);
	pack_bytes(pack, config->bound_issuer);
	pack_bytes(pack, config->default_role);
}

static enum bulla_err decode(struct bulla_call *call, struct unpack *in, void *record)
{
	struct bulla_jwt_config *config = &((struct settings *)record)->public;

	if (unpack_u8(in) != CONFIG_FORMAT)
		return BULLA_E_STORE_DAMAGED;
	config->namespace_in_state = unpack_u8(in);
	TRY(unpack_list(in, call->arena, &config->public_keys, &config->public_key_count));
	TRY(unpack_list(in, call->arena, &config->algs, &config->alg_count));
	config->jwks_url = unpack_bytes(in);
	config->jwks_ca_pem = unpack_bytes(in);
	config->oidc_discovery_url = unpack_bytes(in);
	config->oidc_discovery_ca_pem = unpack_bytes(in);
	config->bound_issuer = unpack_bytes(in);
	config->default_role = unpack_bytes(in);
	return BULLA_OK;
}

static const struct record_kind kind = { .name = JWT_CONFIG, .size = sizeof(struct settings), .cached = true, .replaced = true,
					 .encode = encode, .decode = decode };

static struct record_name place(const struct bulla_mount *mount)
{
	return (struct record_name){ &kind, mount_scope(mount), bulla_str("config") };
}

/* ---- checking -------------------------------------------------------------------------------------------------------------------- */

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

/* ---- changing and reading --------------------------------------------------------------------------------------------------------- */

static enum bulla_err replace(struct bulla_call *call, void *record, void *context)
{
	struct settings *settings = record;
	bool before = settings->record.revision == 0 || settings->public.namespace_in_state;

	settings->public = *(const struct bulla_jwt_config *)context;
	if (settings->public.keep_namespace)
		settings->public.namespace_in_state = before;
	return lower_case(call, settings->public.default_role, &settings->public.default_role);
}

enum bulla_err bulla_jwt_config_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				      const struct bulla_jwt_config *config)
{
	const struct record_name at = place(mount);
	struct bulla_jwt_config given = *config;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(check_config(engine->auth, call, config));
	TRY(record_change(&engine->auth->records, call, &at, replace, &given));
	jwt_source_forget(engine->auth, mount->uuid);
	return BULLA_OK;
}

enum bulla_err bulla_jwt_config_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				     struct bulla_jwt_config *out)
{
	const struct record_name at = place(mount);
	struct settings settings;

	TRY(record_read(&engine->auth->records, call, &at, &settings));
	*out = settings.public;
	return BULLA_OK;
}

enum bulla_err jwt_config_get(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_jwt_config *out)
{
	const struct record_name at = place(mount);
	struct settings settings;

	TRY(record_get(&auth->records, call, &at, &settings));
	*out = settings.public;
	return BULLA_OK;
}
