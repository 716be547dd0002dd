/* mount_change.c: enabling and tuning mounts, and what all changes share: check under the writer's lock, commit, publish.
 * Workers only. */
#include "crypto/crypto.h"
#include "mount/mount_private.h"

/* A writer holds the seal open and the lock. */
enum bulla_err change_begin(struct mounts *mounts, struct bulla_call *call)
{
	if (!call->may_block)
		return BULLA_E_MUST_BLOCK;
	TRY(seal_hold(mounts->seal));
	pthread_mutex_lock(&mounts->lock);
	return BULLA_OK;
}

enum bulla_err change_end(struct mounts *mounts, enum bulla_err err)
{
	pthread_mutex_unlock(&mounts->lock);
	seal_release(mounts->seal);
	return err;
}

/* path without its slashes at both ends and with one behind it, in the arena. */
enum bulla_err path_clean(struct bulla_call *call, struct bulla_bytes path, struct bulla_bytes *out)
{
	while (path.len > 0 && path.ptr[0] == '/')
		path.ptr++, path.len--;
	while (path.len > 0 && path.ptr[path.len - 1] == '/')
		path.len--;
	for (size_t i = 0; i < path.len; i++)
		if (path.ptr[i] < 0x20 || path.ptr[i] == 0x7F)
			return bulla_fail(call, BULLA_E_INVALID, "path cannot contain non-printable characters");
	if (path.len > MAX_PATH_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "path is longer than %d bytes", MAX_PATH_BYTES);
	*out = bulla_arena_printf(call->arena, "%.*s/", PRINT(path));
	return out->ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

static bool begins(struct bulla_bytes path, const char *prefix)
{
	size_t n = strlen(prefix);

	return path.len >= n && memcmp(path.ptr, prefix, n) == 0;
}

bool path_is_reserved(struct bulla_bytes path)
{
	static const char *const reserved[] = { "auth/", "sys/", "cubbyhole/", "identity/", "audit/" };

	if (path.len == 1)
		return true;
	for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
		if (begins(path, reserved[i]))
			return true;
	return false;
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
		m->options = v->options, m->option_count = v->option_count, m->options_null = false;
	if (settings->set & BULLA_MOUNT_CACHE_SIZE)
		m->cache_size = v->cache_size;
	if (settings->set & BULLA_MOUNT_DISABLE_UPSERT)
		m->disable_upsert = v->disable_upsert;
}

static enum bulla_err check_listing(struct bulla_call *call, const struct bulla_mount_settings *settings)
{
	struct bulla_bytes text = settings->values.listing_visibility;

	if (!(settings->set & BULLA_MOUNT_LISTING) || text.len == 0 || bulla_is(text, "hidden") || bulla_is(text, "unauth"))
		return BULLA_OK;
	return bulla_fail(call, BULLA_E_INVALID, "invalid listing_visibility %.*s", PRINT(text));
}

static enum bulla_err check_ttls(struct bulla_call *call, const struct bulla_mount_settings *settings)
{
	const struct bulla_mount *v = &settings->values;

	if ((settings->set & BULLA_MOUNT_DEFAULT_TTL) && v->default_lease_ttl_s < 0)
		return bulla_fail(call, BULLA_E_INVALID, "default_lease_ttl must be positive");
	if ((settings->set & BULLA_MOUNT_MAX_TTL) && v->max_lease_ttl_s < 0)
		return bulla_fail(call, BULLA_E_INVALID, "max_lease_ttl must be positive");
	return BULLA_OK;
}

enum bulla_err change_publish(struct mounts *mounts, const struct mount *before, struct mount *made)
{
	enum bulla_err err = table_change(mounts, before, made);

	if (err != BULLA_OK)
		mount_put(made); /* committed but not seen before the next unsealing: the caller hears of the failure */
	return err;
}

/* ---- enable ---------------------------------------------------------------- */

static enum bulla_err check_new(struct bulla_call *call, struct bulla_bytes path, struct bulla_bytes type,
				const struct bulla_mount_settings *settings, enum bulla_mount_kind *kind)
{
	const struct bulla_mount *v = &settings->values;

	TRY(check_ttls(call, settings));
	if (v->default_lease_ttl_s > 0 && v->max_lease_ttl_s > 0 && v->default_lease_ttl_s > v->max_lease_ttl_s)
		return bulla_fail(call, BULLA_E_INVALID, "given default lease TTL greater than given max lease TTL");
	TRY(check_listing(call, settings));
	if (type.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "backend type must be specified as a string");
	if (!mount_kind_by_name(type, kind))
		return bulla_fail(call, BULLA_E_INVALID, "plugin not found in the catalog: %.*s", PRINT(type));
	if (path_is_reserved(path))
		return bulla_fail(call, BULLA_E_INVALID, "cannot mount \"%.*s\"", PRINT(path));
	if (*kind != BULLA_MOUNT_TRANSIT)
		return bulla_fail(call, BULLA_E_INVALID, "mount type of \"%.*s\" is not mountable", PRINT(type));
	return BULLA_OK;
}

static enum bulla_err enable(struct mounts *mounts, struct bulla_call *call, struct bulla_mount *m)
{
	const struct mount *other = table_conflict(mounts->table, m->path, NULL);
	struct mount *made;

	if (other != NULL)
		return bulla_fail(call, BULLA_E_INVALID, "path is already in use at %.*s", PRINT(other->public.path));
	TRY(mount_store(mounts, call, m, false, NULL, &made));
	return change_publish(mounts, NULL, made);
}

enum bulla_err bulla_mount_enable(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
				  struct bulla_bytes type, const struct bulla_mount_settings *settings)
{
	struct bulla_mount m = { .audit_request_count = -1, .audit_response_count = -1, .passthrough_count = -1,
				 .allowed_count = -1, .local = settings->values.local,
				 .seal_wrap = settings->values.seal_wrap,
				 .external_entropy_access = settings->values.external_entropy_access };
	uint8_t tail[4];

	TRY(path_clean(call, path, &m.path));
	TRY(check_new(call, m.path, type, settings, &m.kind));
	apply(&m, settings);
	TRY(random_bytes(m.uuid, sizeof m.uuid));
	TRY(random_bytes(tail, sizeof tail));
	m.accessor = bulla_arena_printf(call->arena, "%s_%02x%02x%02x%02x", mount_kind_name(m.kind), tail[0], tail[1],
					tail[2], tail[3]);
	if (m.accessor.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(change_begin(engine->mounts, call));
	return change_end(engine->mounts, enable(engine->mounts, call, &m));
}

/* ---- tune ------------------------------------------------------------------ */

static const char *first_set(unsigned set)
{
	static const char *const names[] = {
		"description", "default_lease_ttl", "max_lease_ttl", "listing_visibility", "audit_non_hmac_request_keys",
		"audit_non_hmac_response_keys", "passthrough_request_headers", "allowed_response_headers", "options",
		"force_no_cache", "cache_size", "disable_upsert",
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

static enum bulla_err tune(struct mounts *mounts, struct bulla_call *call, struct bulla_bytes path,
			   const struct bulla_mount_settings *settings)
{
	struct mount *before = table_at(mounts->table, path), *made;

	if (before == NULL)
		return bulla_fail(call, BULLA_E_INVALID, "tune of path \"%.*s\" failed: no mount entry found", PRINT(path));
	if (settings->set == 0)
		return BULLA_OK;
	if (before->public.builtin)
		return bulla_fail(call, BULLA_E_INVALID, "cannot tune parameter %s of %.*s", first_set(settings->set), PRINT(path));
	struct bulla_mount_settings merged = *settings;
	struct bulla_mount m = before->public;

	TRY(merge_options(call, &before->public, &merged.values));
	apply(&m, &merged);
	if (m.default_lease_ttl_s > 0 && m.max_lease_ttl_s > 0 && m.default_lease_ttl_s > m.max_lease_ttl_s)
		return bulla_fail(call, BULLA_E_INVALID,
				  "backend max lease TTL of %lld would be less than backend default lease TTL of %lld",
				  (long long)m.max_lease_ttl_s, (long long)m.default_lease_ttl_s);
	TRY(mount_store(mounts, call, &m, false, before, &made));
	return change_publish(mounts, before, made);
}

enum bulla_err bulla_mount_tune(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
				const struct bulla_mount_settings *settings)
{
	TRY(path_clean(call, path, &path));
	TRY(check_ttls(call, settings));
	TRY(check_listing(call, settings));
	TRY(change_begin(engine->mounts, call));
	return change_end(engine->mounts, tune(engine->mounts, call, path, settings));
}
