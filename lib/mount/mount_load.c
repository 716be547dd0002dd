/* mount_load.c: reads the mount table: after unsealing, when it makes the mounts that are always there as well, and whenever another node
 * has changed it. Workers only. */
#include <stdlib.h>

#include "crypto/crypto.h"
#include "mount/mount_private.h"

struct loading {
	struct mounts *mounts;
	struct bulla_call *call;
	struct mount **found;
	size_t count, room;
};

/* The snapshot of a record: the present one if it is that, else one that shares its life. */
static enum bulla_err take_in(struct mounts *mounts, struct bulla_bytes plain, uint64_t revision, struct mount **out)
{
	TRY(mount_unpack(plain, revision, NULL, out));
	struct mount *present = mounts->table != NULL ? table_with(mounts->table, (*out)->public.uuid) : NULL;

	if (present == NULL)
		return BULLA_OK;
	mount_put(*out);
	if (present->revision != revision)
		return mount_unpack(plain, revision, present->life, out);
	atomic_fetch_add(&present->refs, 1);
	*out = present;
	return BULLA_OK;
}

static enum bulla_err load_one(const struct store_record *record, void *context)
{
	struct loading *loading = context;
	struct bulla_bytes plain;

	if (loading->count == loading->room) {
		size_t room = loading->room ? loading->room * 2 : 16;
		struct mount **grown = realloc(loading->found, room * sizeof *grown);

		if (grown == NULL)
			return BULLA_E_NO_MEMORY;
		loading->found = grown;
		loading->room = room;
	}
	enum bulla_err err = barrier_open(loading->mounts->seal, loading->call, record, &plain);

	if (err == BULLA_OK)
		err = take_in(loading->mounts, plain, record->revision, &loading->found[loading->count]);
	if (err == BULLA_E_STORE_DAMAGED)
		return bulla_fail(loading->call, err, "the record of a mount is damaged");
	if (err == BULLA_OK)
		loading->count++;
	return err;
}

static const struct {
	enum bulla_mount_kind kind;
	const char *path, *accessor, *description, *header;
	bool local, seal_wrap;
} builtins[] = {
	{ BULLA_MOUNT_SYSTEM, "sys/", "system_", "system endpoints used for control, policy and debugging", "Accept", false, true },
	{ BULLA_MOUNT_IDENTITY, "identity/", "identity_", "identity store", "Authorization", false, false },
	{ BULLA_MOUNT_CUBBYHOLE, "cubbyhole/", "cubbyhole_", "per-token private secret storage", NULL, true, false },
	{ BULLA_MOUNT_TOKEN, "auth/token/", "auth_token_", "token based credentials", NULL, false, false },
};
#define BUILTINS (sizeof builtins / sizeof builtins[0])

static enum bulla_err make_builtin(struct mounts *mounts, struct bulla_call *call, size_t i, struct mount **out)
{
	uint8_t tail[4];
	struct bulla_bytes header = bulla_str(builtins[i].header);
	struct bulla_mount m = {
		.path = bulla_str(builtins[i].path), .kind = builtins[i].kind, .description = bulla_str(builtins[i].description),
		.local = builtins[i].local, .seal_wrap = builtins[i].seal_wrap, .options_null = true, .builtin = true,
		.audit_request_count = -1, .audit_response_count = -1, .allowed_count = -1,
		.passthrough_count = builtins[i].header ? 1 : -1, .passthrough_request_headers = &header,
	};

	TRY(random_bytes(m.uuid, sizeof m.uuid));
	TRY(random_bytes(tail, sizeof tail));
	m.accessor = bulla_arena_printf(call->arena, "%s%02x%02x%02x%02x", builtins[i].accessor, tail[0], tail[1], tail[2], tail[3]);
	if (m.accessor.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	return mount_store(mounts, call, &m, NULL, out);
}

/* Before the records are read: what changes meanwhile is found by the next change. It is opened, for none of the table's records is sealed under a
 * later term. */
static enum bulla_err read_guard(struct mounts *mounts, struct bulla_call *call, uint64_t *revision)
{
	struct store_record record = { 0 };
	struct bulla_bytes unused;
	struct store_id id;

	TRY(mount_guard_slot(mounts, &id));
	enum bulla_err err = store_get(mounts->store, call, &id, &record);

	if (err == BULLA_OK)
		err = barrier_open(mounts->seal, call, &record, &unused);
	*revision = record.revision;
	return err == BULLA_E_NOT_FOUND ? BULLA_OK : err;
}

/* Splits what was read into the table and the dying, taking over the references. */
static enum bulla_err divide(struct mounts *mounts, struct loading *loading)
{
	struct mount_table *table = table_new(loading->count), *dying = table_new(loading->count);

	if (table == NULL || dying == NULL) {
		free(table);
		free(dying);
		return BULLA_E_NO_MEMORY;
	}
	for (size_t i = 0; i < loading->count; i++) {
		struct mount_table *to = loading->found[i]->dying ? dying : table;

		to->mounts[to->count++] = loading->found[i];
	}
	loading->count = 0;
	qsort(table->mounts, table->count, sizeof table->mounts[0], mounts_by_path);
	table_publish(mounts, table);
	if (mounts->dying != NULL)
		table_free(mounts->dying);
	mounts->dying = dying;
	return BULLA_OK;
}

/* The table as the store has it. With the lock; what is published is whole. */
static enum bulla_err read_table(struct mounts *mounts, struct bulla_call *call)
{
	static const uint8_t any_uuid[16];
	struct loading loading = { .mounts = mounts, .call = call };
	struct store_id id, dying;

	TRY(mount_slot(mounts, any_uuid, &id)); /* for its collection half */
	TRY(mount_dying_slot(mounts, any_uuid, &dying));
	enum bulla_err err = store_scan(mounts->store, call, id.bytes, load_one, &loading);

	if (err == BULLA_OK)
		err = store_scan(mounts->store, call, dying.bytes, load_one, &loading);
	if (err == BULLA_OK)
		err = divide(mounts, &loading);
	for (size_t i = 0; i < loading.count; i++)
		mount_put(loading.found[i]);
	free(loading.found);
	return err;
}

enum bulla_err mounts_catch_up(struct mounts *mounts, struct bulla_call *call)
{
	uint64_t guard;

	TRY(read_guard(mounts, call, &guard));
	if (guard == mounts->guard)
		return BULLA_OK;
	TRY(read_table(mounts, call));
	mounts->guard = guard;
	return BULLA_OK;
}

static enum bulla_err guard_collection(void *owner, struct store_id *out)
{
	return mount_guard_slot(owner, out);
}

static enum bulla_err reload(void *owner, struct bulla_call *call)
{
	struct mounts *mounts = owner;

	pthread_mutex_lock(&mounts->lock);
	enum bulla_err err = mounts_catch_up(mounts, call);

	pthread_mutex_unlock(&mounts->lock);
	return err;
}

enum bulla_err mounts_follow(struct mounts *mounts, struct follow *follow)
{
	return follow_add(follow, (struct follower){ mounts, guard_collection, NULL, reload });
}

/* ---- at unsealing ----------------------------------------------------------------------------------------------------------- */

/* CONFLICT: another node has changed the table, and may have made them. */
static enum bulla_err add_builtins(struct mounts *mounts, struct bulla_call *call)
{
	for (size_t i = 0; i < BUILTINS; i++) {
		struct mount *made;

		if (table_at(mounts->table, bulla_str(builtins[i].path)) != NULL)
			continue;
		TRY(make_builtin(mounts, call, i, &made));
		enum bulla_err err = table_change(mounts, NULL, made);

		if (err != BULLA_OK) {
			mount_put(made);
			return err;
		}
	}
	return BULLA_OK;
}

static enum bulla_err load(struct mounts *mounts, struct bulla_call *call)
{
	enum bulla_err err = BULLA_E_CONFLICT;

	for (int tries = 0; err == BULLA_E_CONFLICT && tries < STORE_TRIES; tries++) {
		TRY(read_guard(mounts, call, &mounts->guard));
		TRY(read_table(mounts, call));
		err = add_builtins(mounts, call);
	}
	return err;
}

enum bulla_err mounts_load(struct mounts *mounts, struct bulla_call *call)
{
	mounts_empty(mounts);
	pthread_mutex_lock(&mounts->lock);
	enum bulla_err err = load(mounts, call);

	pthread_mutex_unlock(&mounts->lock);
	if (err != BULLA_OK)
		mounts_empty(mounts);
	return err;
}
