/* mount_change.c: enabling and tuning mounts, and what all changes share: check under the writer's lock, commit, publish.
 * Workers only. */
#include "crypto/crypto.h"
#include "mount/mount_private.h"

enum bulla_err mounts_change(struct mounts *mounts, struct bulla_call *call, mount_step *step, void *context)
{
	enum bulla_err err = BULLA_E_CONFLICT;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(seal_hold(mounts->seal));
	pthread_mutex_lock(&mounts->lock);
	for (int tries = 0; err == BULLA_E_CONFLICT && tries < STORE_TRIES; tries++) {
		err = mounts_catch_up(mounts, call);
		if (err == BULLA_OK)
			err = step(mounts, call, context);
	}
	pthread_mutex_unlock(&mounts->lock);
	seal_release(mounts->seal);
	return err;
}

enum bulla_err mounts_auth_path(struct bulla_call *call, struct bulla_bytes name, struct bulla_bytes *out)
{
	TRY(path_clean(call, name, &name));
	if (name.len == 1)
		return bulla_fail(call, BULLA_E_INVALID, "backend path must be specified");
	name = bulla_arena_printf(call->arena, BULLA_AUTH_PATH "%.*s", PRINT(name));
	return name.ptr == NULL ? BULLA_E_NO_MEMORY : path_clean(call, name, out);
}

struct bulla_bytes path_below_auth(struct bulla_bytes path)
{
	size_t skip = path_is_auth(path) ? strlen(BULLA_AUTH_PATH) : 0;

	return bulla_mem(path.ptr + skip, path.len - skip);
}

static void apply_lockout(struct bulla_mount_lockout *lockout, const struct bulla_mount_lockout *v)
{
	lockout->set = BULLA_LOCKOUT_GIVEN;
	if (v->set & BULLA_LOCKOUT_THRESHOLD)
		lockout->threshold = v->threshold;
	if (v->set & BULLA_LOCKOUT_DURATION)
		lockout->duration_s = v->duration_s;
	if (v->set & BULLA_LOCKOUT_RESET)
		lockout->reset_s = v->reset_s;
	if (v->set & BULLA_LOCKOUT_DISABLE)
		lockout->disable = v->disable;
}

/* The settings that were given, over what m has. m then borrows from them. */
static void apply(struct bulla_mount *m, const struct bulla_mount_settings *settings)
{
	const struct bulla_mount *v = &settings->values;

	if (settings->set & BULLA_MOUNT_DESCRIPTION)
		m->description = v->description;
	if (settings->set & BULLA_MOUNT_DEFAULT_TTL)
		m->default_lease_ttl_s = v->default_lease_ttl_s;
	if (settings->set & BULLA_MOUNT_MAX_TTL)
		m->max_lease_ttl_s = v->max_lease_ttl_s;
	if (settings->set & BULLA_MOUNT_LISTING)
		m->listing_visibility = v->listing_visibility;
	if (settings->set & BULLA_MOUNT_NO_CACHE)
		m->force_no_cache = v->force_no_cache;
	if (settings->set & BULLA_MOUNT_AUDIT_REQUEST)
		m->audit_non_hmac_request_keys = v->audit_non_hmac_request_keys, m->audit_request_count = v->audit_request_count;
	if (settings->set & BULLA_MOUNT_AUDIT_RESPONSE)
		m->audit_non_hmac_response_keys = v->audit_non_hmac_response_keys, m->audit_response_count = v->audit_response_count;
	if (settings->set & BULLA_MOUNT_PASSTHROUGH)
		m->passthrough_request_headers = v->passthrough_request_headers, m->passthrough_count = v->passthrough_count;
	if (settings->set & BULLA_MOUNT_ALLOWED)
		m->allowed_response_headers = v->allowed_response_headers, m->allowed_count = v->allowed_count;
	if (settings->set & BULLA_MOUNT_OPTIONS)
		m->options = v->options, m->option_count = v->option_count, m->options_null = v->options_null;
	if (settings->set & BULLA_MOUNT_CACHE_SIZE)
		m->cache_size = v->cache_size;
	if (settings->set & BULLA_MOUNT_DISABLE_UPSERT)
		m->disable_upsert = v->disable_upsert;
	if (settings->set & BULLA_MOUNT_TOKEN_TYPE)
		m->token_type = v->token_type;
	if (settings->set & BULLA_MOUNT_LOCKOUT)
		apply_lockout(&m->lockout, &v->lockout);
}

enum bulla_err settings_check_listing(struct bulla_call *call, const struct bulla_mount_settings *settings)
{
	struct bulla_bytes text = settings->values.listing_visibility;

	if (!(settings->set & BULLA_MOUNT_LISTING) || text.len == 0 || bulla_is(text, "hidden") || bulla_is(text, "unauth"))
		return BULLA_OK;
	return bulla_fail(call, BULLA_E_INVALID, "invalid listing_visibility %.*s", PRINT(text));
}

enum bulla_err change_publish(struct mounts *mounts, const struct mount *before, struct mount *made)
{
	enum bulla_err err = table_change(mounts, before, made);

	if (err != BULLA_OK)
		mount_put(made); /* the caller hears of the failure */
	return err;
}

/* ---- enable ---------------------------------------------------------------- */

static enum bulla_err check_new(struct bulla_call *call, struct bulla_bytes path, struct bulla_bytes type,
				const struct bulla_mount_settings *settings, enum bulla_mount_kind *kind)
{
	const struct bulla_mount *v = &settings->values;

	if (v->max_lease_ttl_s != 0 && v->default_lease_ttl_s > v->max_lease_ttl_s)
		return bulla_fail(call, BULLA_E_INVALID, "given default lease TTL greater than given max lease TTL");
	TRY(settings_check_listing(call, settings));
	if (type.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "backend type must be specified as a string");
	if (!mount_kind_by_name(type, kind) || mounts_kind_is_method(*kind))
		return bulla_fail(call, BULLA_E_INVALID, "plugin not found in the catalog: %.*s", PRINT(type));
	if (path_is_reserved(path))
		return bulla_fail_quoting(call, BULLA_E_INVALID, "cannot mount ", path, "");
	if (!mounts_kind_is_engine(*kind))
		return bulla_fail(call, BULLA_E_INVALID, "mount type of \"%.*s\" is not mountable", PRINT(type));
	return BULLA_OK;
}

static enum bulla_err add(struct mounts *mounts, struct bulla_call *call, void *context)
{
	struct bulla_mount *m = context;
	const struct mount *other = table_conflict(mounts->table, m->path, NULL);
	struct mount *made;

	if (other != NULL) {
		struct bulla_bytes path = path_below_auth(other->public.path);

		return bulla_fail(call, BULLA_E_INVALID, "path is already in use at %.*s", PRINT(path));
	}
	TRY(mount_store(mounts, call, m, NULL, &made));
	return change_publish(mounts, NULL, made);
}

enum bulla_err change_add(struct mounts *mounts, struct bulla_call *call, struct bulla_mount *m,
			  const struct bulla_mount_settings *settings, const char *prefix)
{
	uint8_t tail[4];

	m->audit_request_count = m->audit_response_count = m->passthrough_count = m->allowed_count = -1;
	m->local = settings->values.local;
	m->seal_wrap = settings->values.seal_wrap;
	m->external_entropy_access = settings->values.external_entropy_access;
	apply(m, settings);
	TRY(random_bytes(m->uuid, sizeof m->uuid));
	TRY(random_bytes(tail, sizeof tail));
	m->accessor = bulla_arena_printf(call->arena, "%s%s_%02x%02x%02x%02x", prefix, mount_kind_name(m->kind), tail[0], tail[1],
					 tail[2], tail[3]);
	if (m->accessor.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	return mounts_change(mounts, call, add, m);
}

enum bulla_err bulla_mount_enable(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
				  struct bulla_bytes type, const struct bulla_mount_settings *settings)
{
	struct bulla_mount m = { 0 };

	TRY(path_clean(call, path, &m.path));
	TRY(check_new(call, m.path, type, settings, &m.kind));
	return change_add(engine->mounts, call, &m, settings, "");
}

/* ---- tune ------------------------------------------------------------------ */

static const char *first_set(unsigned set)
{
	static const char *const names[] = {
		"description", "default_lease_ttl", "max_lease_ttl", "listing_visibility", "audit_non_hmac_request_keys",
		"audit_non_hmac_response_keys", "passthrough_request_headers", "allowed_response_headers", "options",
		"force_no_cache", "cache_size", "disable_upsert", "token_type", "user_lockout_config",
	}; /* by the bits of enum bulla_mount_set */

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (set & 1u << i)
			return names[i];
	return "";
}

/* Options are added to those there are: into v. */
static enum bulla_err merge_options(struct bulla_call *call, const struct bulla_mount *before, struct bulla_mount *v)
{
	struct bulla_pair *all = bulla_arena_alloc(call->arena, (before->option_count + v->option_count) * sizeof *all);
	size_t n = 0;

	if (all == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < before->option_count; i++) {
		bool again = false;

		for (size_t j = 0; j < v->option_count; j++)
			again = again || bulla_equal(before->options[i].key, v->options[j].key);
		if (!again)
			all[n++] = before->options[i];
	}
	for (size_t j = 0; j < v->option_count; j++)
		all[n++] = v->options[j];
	v->options = all;
	v->option_count = n;
	return BULLA_OK;
}

/* What only auth mounts, or only some of them, have. */
static enum bulla_err check_auth_settings(struct bulla_call *call, const struct bulla_mount *before,
					  const struct bulla_mount_settings *settings)
{
	bool locks_out = before->kind == BULLA_MOUNT_APPROLE || before->kind == BULLA_MOUNT_USERPASS;

	if ((settings->set & BULLA_MOUNT_LOCKOUT) && !locks_out)
		return bulla_fail(call, BULLA_E_INVALID, "tuning of user lockout configuration for auth type \"%s\" not allowed",
				  before->type);
	if (!(settings->set & BULLA_MOUNT_TOKEN_TYPE))
		return BULLA_OK;
	if (before->kind == BULLA_MOUNT_TOKEN)
		return bulla_fail(call, BULLA_E_INVALID, "'token_type' cannot be set for 'token' or 'ns_token' auth mounts");
	return mount_token_type_check(call, settings->values.token_type);
}

struct tuning {
	struct bulla_bytes path;
	const struct bulla_mount_settings *settings;
};

static enum bulla_err tune(struct mounts *mounts, struct bulla_call *call, void *context)
{
	const struct tuning *tuning = context;
	const struct bulla_mount_settings *settings = tuning->settings;
	struct bulla_bytes path = tuning->path;
	struct mount *before = table_at(mounts->table, path), *made;

	if (before == NULL)
		return bulla_fail_quoting(call, BULLA_E_INVALID, "tune of path ", path, " failed: no mount entry found");
	if (settings->set == 0)
		return BULLA_OK;
	TRY(check_auth_settings(call, &before->public, settings));
	if (before->public.builtin && before->public.kind != BULLA_MOUNT_TOKEN)
		return bulla_fail(call, BULLA_E_INVALID, "cannot tune parameter %s of %.*s", first_set(settings->set), PRINT(path));
	struct bulla_mount_settings merged = *settings;
	struct bulla_mount m = before->public;

	TRY(merge_options(call, &before->public, &merged.values));
	apply(&m, &merged);
	if (m.default_lease_ttl_s != 0 && m.max_lease_ttl_s != 0 && m.default_lease_ttl_s > m.max_lease_ttl_s)
		return bulla_fail(call, BULLA_E_INVALID,
				  "backend max lease TTL of %lld would be less than backend default lease TTL of %lld",
				  (long long)m.max_lease_ttl_s, (long long)m.default_lease_ttl_s);
	TRY(mount_store(mounts, call, &m, before, &made));
	return change_publish(mounts, before, made);
}

enum bulla_err bulla_mount_tune(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
				const struct bulla_mount_settings *settings)
{
	struct tuning tuning = { .settings = settings };

	TRY(path_clean(call, path, &tuning.path));
	TRY(settings_check_listing(call, settings));
	return mounts_change(engine->mounts, call, tune, &tuning);
}
