/* mount_auth.c: enabling auth methods, which answer below auth/. Workers only. */
#include "mount/mount_private.h"

enum bulla_err mount_token_type_check(struct bulla_call *call, struct bulla_bytes type)
{
	static const char *const types[] = { "", "default-service", "default-batch", "service", "batch" };

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (bulla_is(type, types[i]))
			return BULLA_OK;
	return bulla_fail(call, BULLA_E_INVALID, "invalid value for 'token_type'");
}

static enum bulla_err check_options(struct bulla_call *call, struct bulla_bytes type, const struct bulla_mount *v)
{
	for (size_t i = 0; i < v->option_count; i++)
		if (bulla_is(v->options[i].key, "version") && v->options[i].value.len > 0)
			return bulla_fail(call, BULLA_E_INVALID, "auth method \"%.*s\" does not allow setting a version",
					  PRINT(type));
	return BULLA_OK;
}

static enum bulla_err check_settings(struct bulla_call *call, struct bulla_bytes type, const struct bulla_mount_settings *settings)
{
	const struct bulla_mount *v = &settings->values;

	if (v->max_lease_ttl_s != 0 && v->default_lease_ttl_s > v->max_lease_ttl_s)
		return bulla_fail(call, BULLA_E_INVALID, "given default lease TTL greater than given max lease TTL");
	TRY(mount_token_type_check(call, v->token_type));
	if (type.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "backend type must be specified as a string");
	TRY(check_options(call, type, v));
	return settings_check_listing(call, settings);
}

enum bulla_err bulla_auth_enable(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name, struct bulla_bytes type,
				 const struct bulla_mount_settings *settings)
{
	struct bulla_mount m = { 0 };

	TRY(check_settings(call, type, settings));
	if (bulla_is(type, "token"))
		return bulla_fail(call, BULLA_E_INVALID, "token credential backend cannot be instantiated");
	TRY(mounts_auth_path(call, name, &m.path));
	if (!mount_kind_by_name(type, &m.kind) || !mounts_kind_is_method(m.kind))
		return bulla_fail(call, BULLA_E_INVALID, "plugin not found in the catalog: %.*s", PRINT(type));
	return change_add(engine->mounts, call, &m, settings, "auth_");
}
