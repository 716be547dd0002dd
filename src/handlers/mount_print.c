/* mount_print.c: how a mount is printed (mount_print.h). Any thread. */
#include "handlers/mount_print.h"

struct bulla_bytes mount_name(const struct bulla_mount *mount)
{
	size_t skip = bulla_mount_is_auth(mount) ? strlen(BULLA_AUTH_PATH) : 0;

	return bulla_mem(mount->path.ptr + skip, mount->path.len - skip);
}

static void put_list(struct out *out, const char *name, const struct bulla_bytes *items, int count)
{
	if (count > 0)
		json_put_strings(out, name, items, (size_t)count);
}

/* What is there only if it was set. */
static void put_optional(struct out *out, const struct bulla_mount *m)
{
	put_list(out, "audit_non_hmac_request_keys", m->audit_non_hmac_request_keys, m->audit_request_count);
	put_list(out, "audit_non_hmac_response_keys", m->audit_non_hmac_response_keys, m->audit_response_count);
	if (m->listing_visibility.len > 0)
		json_put_string(out, "listing_visibility", m->listing_visibility);
	put_list(out, "passthrough_request_headers", m->passthrough_request_headers, m->passthrough_count);
	put_list(out, "allowed_response_headers", m->allowed_response_headers, m->allowed_count);
	if (bulla_mount_is_auth(m))
		json_put_string(out, "token_type", m->token_type);
}

static void put_lockout(struct out *out, const struct bulla_mount_lockout *lockout)
{
	json_put_int(out, "user_lockout_counter_reset_duration", lockout->reset_s);
	json_put_bool(out, "user_lockout_disable", lockout->disable);
	json_put_int(out, "user_lockout_duration", lockout->duration_s);
	json_put_int(out, "user_lockout_threshold", lockout->threshold);
}

static void put_options(struct out *out, const struct bulla_mount *m)
{
	json_key(out, "options");
	if (m->options_null) {
		json_nil(out);
		return;
	}
	json_pairs(out, m->options, m->option_count);
}

static void put_config(struct out *out, const struct bulla_mount *m)
{
	json_key(out, "config");
	json_open(out, '{');
	json_put_int(out, "default_lease_ttl", m->default_lease_ttl_s);
	json_put_bool(out, "force_no_cache", m->force_no_cache);
	json_put_int(out, "max_lease_ttl", m->max_lease_ttl_s);
	put_optional(out, m);
	if (m->lockout.set != 0) {
		json_key(out, "user_lockout_config");
		json_open(out, '{');
		put_lockout(out, &m->lockout);
		json_close(out, '}');
	}
	json_close(out, '}');
}

void mount_print(struct exchange *x, const struct bulla_mount *m, bool path)
{
	struct out *out = x->data;

	json_open(out, '{');
	json_put_string(out, "accessor", m->accessor);
	put_config(out, m);
	if (!m->builtin)
		json_put_text(out, "deprecation_status", "supported");
	json_put_string(out, "description", m->description);
	json_put_bool(out, "external_entropy_access", m->external_entropy_access);
	json_put_bool(out, "local", m->local);
	put_options(out, m);
	if (path)
		json_put_string(out, "path", mount_name(m));
	json_put_text(out, "plugin_version", "");
	json_put_text(out, "running_plugin_version", bulla_plugin_version());
	json_put_text(out, "running_sha256", "");
	json_put_bool(out, "seal_wrap", m->seal_wrap);
	json_put_text(out, "type", m->type);
	json_put_text(out, "uuid", m->uuid_text);
	json_close(out, '}');
}

void mount_print_tune(struct exchange *x, const struct bulla_mount *m)
{
	struct out *out = x->data;
	int64_t default_s, max_s;

	bulla_lease_defaults(x->engine, &default_s, &max_s);
	json_open(out, '{');
	json_put_int(out, "default_lease_ttl", m->default_lease_ttl_s != 0 ? m->default_lease_ttl_s : default_s);
	json_put_string(out, "description", m->description);
	json_put_bool(out, "force_no_cache", m->force_no_cache);
	json_put_int(out, "max_lease_ttl", m->max_lease_ttl_s != 0 ? m->max_lease_ttl_s : max_s);
	if (m->option_count > 0)
		put_options(out, m);
	put_optional(out, m);
	if (m->lockout.set != 0)
		put_lockout(out, &m->lockout);
	json_close(out, '}');
}

void mounts_put(const struct bulla_mount *const *mounts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		bulla_mount_put(mounts[i]);
}

struct bulla_bytes mount_slashed(struct exchange *x, struct bulla_bytes path)
{
	while (path.len > 0 && path.ptr[path.len - 1] == '/')
		path.len--;
	struct bulla_bytes text = bulla_arena_printf(x->call->arena, "%.*s/", (int)path.len, (const char *)path.ptr);

	return text.ptr != NULL ? text : path;
}
