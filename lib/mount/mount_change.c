/* mount_change.c: enabling, tuning, moving and disabling mounts. Each: check under the writer's lock, commit, publish.
 * Workers only. */
#include <stdlib.h>

#include "crypto/crypto.h"
#include "mount/mount_private.h"

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

/* A writer holds the seal open and the lock. */
static enum bulla_err begin(struct mounts *mounts, struct bulla_call *call)
{
	if (!call->may_block)
		return BULLA_E_MUST_BLOCK;
	TRY(seal_hold(mounts->seal));
	pthread_mutex_lock(&mounts->lock);
	return BULLA_OK;
}

static enum bulla_err end(struct mounts *mounts, enum bulla_err err)
{
	pthread_mutex_unlock(&mounts->lock);
	seal_release(mounts->seal);
	return err;
}

/* path without its slashes at both ends and with one behind it, in the arena. */
static enum bulla_err clean(struct bulla_call *call, struct bulla_bytes path, struct bulla_bytes *out)
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

static bool is_reserved(struct bulla_bytes path)
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

static enum bulla_err publish_or_put(struct mounts *mounts, const struct mount *before, struct mount *made)
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
	if (is_reserved(path))
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
	return publish_or_put(mounts, NULL, made);
}

enum bulla_err bulla_mount_enable(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
				  struct bulla_bytes type, const struct bulla_mount_settings *settings)
{
	struct bulla_mount m = { .audit_request_count = -1, .audit_response_count = -1, .passthrough_count = -1,
				 .allowed_count = -1, .local = settings->values.local,
				 .seal_wrap = settings->values.seal_wrap,
				 .external_entropy_access = settings->values.external_entropy_access };
	uint8_t tail[4];

	TRY(clean(call, path, &m.path));
	TRY(check_new(call, m.path, type, settings, &m.kind));
	apply(&m, settings);
	TRY(random_bytes(m.uuid, sizeof m.uuid));
	TRY(random_bytes(tail, sizeof tail));
	m.accessor = bulla_arena_printf(call->arena, "%s_%02x%02x%02x%02x", mount_kind_name(m.kind), tail[0], tail[1],
					tail[2], tail[3]);
	if (m.accessor.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(begin(engine->mounts, call));
	return end(engine->mounts, enable(engine->mounts, call, &m));
}

/* ---- tune ------------------------------------------------------------------ */

static const char *first_set(unsigned set)
{
	static const char *const names[] = {
		"description", "default_lease_ttl", "max_lease_ttl", "listing_visibility", "audit_non_hmac_request_keys",
		"audit_non_hmac_response_keys", "passthrough_request_headers", "allowed_response_headers", "options",
		"force_no_cache",
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
	return publish_or_put(mounts, before, made);
}

enum bulla_err bulla_mount_tune(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
				const struct bulla_mount_settings *settings)
{
	TRY(clean(call, path, &path));
	TRY(check_ttls(call, settings));
	TRY(check_listing(call, settings));
	TRY(begin(engine->mounts, call));
	return end(engine->mounts, tune(engine->mounts, call, path, settings));
}

/* ---- move ------------------------------------------------------------------ */

static enum bulla_err move(struct mounts *mounts, struct bulla_call *call, struct bulla_bytes from, struct bulla_bytes to)
{
	struct mount *before = table_at(mounts->table, from), *made;

	if (before != NULL && before->public.builtin)
		return bulla_fail(call, BULLA_E_INVALID, "cannot remount \"%.*s\"", PRINT(from));
	if (is_reserved(to))
		return bulla_fail(call, BULLA_E_INVALID, "cannot remount to destination %.*s", PRINT(to));
	if (before == NULL)
		return bulla_fail(call, BULLA_E_INVALID, "no matching mount at \"%.*s\"", PRINT(from));
	struct mount *other = table_conflict(mounts->table, to, bulla_equal(from, to) ? NULL : before);

	if (other != NULL)
		return bulla_fail(call, BULLA_E_INVALID, "path already in use at \"%.*s\"", PRINT(other->public.path));
	struct bulla_mount m = before->public;

	m.path = to;
	TRY(mount_store(mounts, call, &m, false, before, &made));
	return publish_or_put(mounts, before, made);
}

static void remember(struct mounts *mounts, struct bulla_bytes from, struct bulla_bytes to, const char id[37])
{
	struct mount_moved *moved = &mounts->moved[mounts->moved_count++ % MOVES_KEPT];

	memset(moved, 0, sizeof *moved);
	memcpy(moved->id, id, sizeof moved->id);
	memcpy(moved->from, from.ptr, from.len);
	memcpy(moved->to, to.ptr, to.len);
}

/* What may fail comes before the move. */
static enum bulla_err move_and_remember(struct mounts *mounts, struct bulla_call *call, struct bulla_bytes from,
					struct bulla_bytes to, char id[37])
{
	char uuid[37] = { 0 };

	TRY(random_uuid(uuid));
	if (mounts->moved == NULL)
		mounts->moved = calloc(MOVES_KEPT, sizeof *mounts->moved);
	if (mounts->moved == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(move(mounts, call, from, to));
	remember(mounts, from, to, uuid);
	memcpy(id, uuid, sizeof uuid);
	return BULLA_OK;
}

enum bulla_err bulla_mount_move(struct bulla *engine, struct bulla_call *call, struct bulla_bytes from, struct bulla_bytes to,
				char id[37])
{
	if (from.len == 0 || to.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "both 'from' and 'to' path must be specified as a string");
	TRY(clean(call, from, &from));
	TRY(clean(call, to, &to));
	TRY(begin(engine->mounts, call));
	return end(engine->mounts, move_and_remember(engine->mounts, call, from, to, id));
}

enum bulla_err bulla_mount_moved(struct bulla *engine, struct bulla_call *call, struct bulla_bytes id,
				 struct bulla_mount_move *out)
{
	struct mounts *mounts = engine->mounts;
	enum bulla_err err = BULLA_E_NOT_FOUND;

	if (!call->may_block)
		return BULLA_E_MUST_BLOCK;
	pthread_mutex_lock(&mounts->lock);
	for (size_t i = 0; mounts->moved != NULL && i < MOVES_KEPT; i++) {
		const struct mount_moved *moved = &mounts->moved[i];

		if (moved->id[0] == '\0' || !bulla_is(id, moved->id))
			continue;
		out->from = bulla_arena_copy(call->arena, bulla_str(moved->from));
		out->to = bulla_arena_copy(call->arena, bulla_str(moved->to));
		err = out->from.ptr == NULL || out->to.ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
	}
	pthread_mutex_unlock(&mounts->lock);
	return err;
}

/* ---- disable --------------------------------------------------------------- */

/* On success *life is held by the caller and the mount is in no table any more. */
static enum bulla_err retire(struct mounts *mounts, struct bulla_call *call, struct bulla_bytes path, struct mount_life **life,
			     uint8_t uuid[16])
{
	struct mount *before = table_at(mounts->table, path), *made;

	if (before == NULL)
		return BULLA_OK;
	if (before->public.builtin)
		return bulla_fail(call, BULLA_E_INVALID, "cannot unmount \"%.*s\"", PRINT(path));
	struct mount_life *held = before->life;

	TRY(mount_store(mounts, call, &before->public, true, before, &made));
	memcpy(uuid, made->public.uuid, sizeof made->public.uuid);
	atomic_fetch_add(&held->refs, 1);
	mount_put(made);
	enum bulla_err err = table_change(mounts, before, NULL);

	if (err != BULLA_OK) {
		life_put(held);
		return err;
	}
	*life = held;
	return BULLA_OK;
}

enum bulla_err mounts_retire(struct mounts *mounts, struct bulla_call *call, struct bulla_bytes path, bool *found,
			     uint8_t uuid[16])
{
	struct mount_life *life = NULL;

	TRY(clean(call, path, &path));
	TRY(begin(mounts, call));
	TRY(end(mounts, retire(mounts, call, path, &life, uuid)));
	*found = life != NULL;
	if (life == NULL)
		return BULLA_OK;
	/* without the seal and the lock: those who still hold the mount may want either */
	pthread_mutex_lock(&life->lock);
	while (life->snapshots > 0)
		pthread_cond_wait(&life->gone, &life->lock);
	pthread_mutex_unlock(&life->lock);
	life_put(life);
	return BULLA_OK;
}

static enum bulla_err forget(struct mounts *mounts, struct bulla_call *call, const uint8_t uuid[16])
{
	struct store_write write = { .change = STORE_DELETE, .expected = STORE_ANY_REVISION };
	struct mount_table *dying = mounts->dying;

	TRY(mount_slot(mounts, uuid, &write.id));
	TRY(store_commit(mounts->store, call, &write, 1, NULL));
	for (size_t i = 0; dying != NULL && i < dying->count; i++)
		if (memcmp(dying->mounts[i]->public.uuid, uuid, 16) == 0) {
			mount_put(dying->mounts[i]);
			dying->mounts[i] = dying->mounts[--dying->count];
			break;
		}
	return BULLA_OK;
}

enum bulla_err mounts_forget(struct mounts *mounts, struct bulla_call *call, const uint8_t uuid[16])
{
	pthread_mutex_lock(&mounts->lock);
	enum bulla_err err = forget(mounts, call, uuid);

	pthread_mutex_unlock(&mounts->lock);
	return err;
}

bool mounts_dying(struct mounts *mounts, uint8_t uuid[16])
{
	pthread_mutex_lock(&mounts->lock);
	bool any = mounts->dying != NULL && mounts->dying->count > 0;

	if (any)
		memcpy(uuid, mounts->dying->mounts[0]->public.uuid, 16);
	pthread_mutex_unlock(&mounts->lock);
	return any;
}
