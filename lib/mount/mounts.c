/* mounts.c: owns the mount table: finding in it without a lock, publishing a changed one.
 * Readers: any thread, in RCU read sections of this file only. Writers: workers, one at a time. */
#include "mount/mounts.h"

#include <stdlib.h>

#include "mount/mount_private.h"

/* of the records */
#define KIND "mount"
#define KIND_DYING "mount-dying"
#define KIND_GUARD "mount-table"
#define GUARD_FORMAT 1

/* ---- the table ------------------------------------------------------------- */

struct mount_table *table_new(size_t room)
{
	return calloc(1, sizeof(struct mount_table) + room * sizeof(struct mount *));
}

void table_free(struct mount_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		mount_put(table->mounts[i]);
	free(table);
}

static void free_later(struct rcu_later *later)
{
	table_free(rcu_entry(later, struct mount_table, later));
}

void table_publish(struct mounts *mounts, struct mount_table *table)
{
	struct mount_table *old = mounts->table;

	rcu_publish(mounts->table, table);
	if (old != NULL)
		rcu_later(&old->later, free_later);
}

int mounts_by_path(const void *a, const void *b)
{
	const struct mount *const *m = a, *const *n = b;

	return bulla_compare((*m)->public.path, (*n)->public.path);
}

enum bulla_err table_change(struct mounts *mounts, const struct mount *remove, struct mount *add)
{
	const struct mount_table *old = mounts->table;
	struct mount_table *table = table_new((old ? old->count : 0) + 1);

	if (table == NULL) {
		mounts->guard = 0; /* committed, but not seen: the next change reads the table first */
		return BULLA_E_NO_MEMORY;
	}
	for (size_t i = 0; old != NULL && i < old->count; i++) {
		if (old->mounts[i] == remove)
			continue;
		atomic_fetch_add(&old->mounts[i]->refs, 1);
		table->mounts[table->count++] = old->mounts[i];
	}
	if (add != NULL)
		table->mounts[table->count++] = add;
	qsort(table->mounts, table->count, sizeof table->mounts[0], mounts_by_path);
	table_publish(mounts, table);
	return BULLA_OK;
}

/* Orders a mount's path against path + "/", so that "transit" finds "transit/". */
static int order(struct bulla_bytes mount_path, struct bulla_bytes path)
{
	size_t common = mount_path.len < path.len ? mount_path.len : path.len;
	int c = common > 0 ? memcmp(mount_path.ptr, path.ptr, common) : 0;

	if (c != 0 || mount_path.len <= path.len)
		return c != 0 ? c : -1; /* a prefix: before it */
	if (mount_path.ptr[path.len] != '/')
		return mount_path.ptr[path.len] - '/';
	return mount_path.len > path.len + 1;
}

static bool is_prefix(struct bulla_bytes mount_path, struct bulla_bytes path)
{
	if (mount_path.len == path.len + 1)
		return memcmp(mount_path.ptr, path.ptr, path.len) == 0 && mount_path.ptr[path.len] == '/';
	return mount_path.len <= path.len && memcmp(mount_path.ptr, path.ptr, mount_path.len) == 0;
}

/* Since no path is a prefix of another, the only candidate is the last one that is not after path. */
static struct mount *table_find(const struct mount_table *table, struct bulla_bytes path)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (order(table->mounts[mid]->public.path, path) > 0)
			high = mid;
		else
			low = mid + 1;
	}
	if (low == 0 || !is_prefix(table->mounts[low - 1]->public.path, path))
		return NULL;
	return table->mounts[low - 1];
}

struct mount *table_at(const struct mount_table *table, struct bulla_bytes path)
{
	for (size_t i = 0; i < table->count; i++)
		if (bulla_equal(table->mounts[i]->public.path, path))
			return table->mounts[i];
	return NULL;
}

struct mount *table_with(const struct mount_table *table, const uint8_t uuid[16])
{
	for (size_t i = 0; i < table->count; i++)
		if (memcmp(table->mounts[i]->public.uuid, uuid, 16) == 0)
			return table->mounts[i];
	return NULL;
}

struct mount *table_conflict(const struct mount_table *table, struct bulla_bytes path, const struct mount *except)
{
	for (size_t i = 0; i < table->count; i++) {
		struct bulla_bytes other = table->mounts[i]->public.path;
		size_t common = other.len < path.len ? other.len : path.len;

		if (table->mounts[i] != except && memcmp(other.ptr, path.ptr, common) == 0)
			return table->mounts[i];
	}
	return NULL;
}

/* ---- readers --------------------------------------------------------------- */

const struct bulla_mount *bulla_mount_find(struct bulla *engine, struct bulla_bytes path, struct bulla_bytes *rest)
{
	struct mount *found = NULL;

	rcu_read_begin();
	const struct mount_table *table = rcu_load(engine->mounts->table);

	if (table != NULL)
		found = table_find(table, path);
	if (found != NULL)
		atomic_fetch_add(&found->refs, 1); /* the table's own reference keeps it above 0 until the section ends */
	rcu_read_end();
	if (found == NULL)
		return NULL;
	size_t skip = found->public.path.len < path.len ? found->public.path.len : path.len;

	*rest = bulla_mem(path.ptr + skip, path.len - skip);
	return &found->public;
}

void bulla_mount_put(const struct bulla_mount *mount)
{
	if (mount != NULL)
		mount_put((struct mount *)(uintptr_t)mount);
}

enum bulla_err bulla_mount_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount ***list,
				size_t *count)
{
	const struct bulla_mount **mounts = NULL;
	size_t n = 0;

	rcu_read_begin();
	const struct mount_table *table = rcu_load(engine->mounts->table);

	if (table != NULL)
		mounts = bulla_arena_alloc(call->arena, table->count * sizeof *mounts);
	for (; mounts != NULL && n < table->count; n++) {
		atomic_fetch_add(&table->mounts[n]->refs, 1);
		mounts[n] = &table->mounts[n]->public;
	}
	rcu_read_end();
	if (table == NULL)
		return BULLA_E_SEALED;
	if (mounts == NULL)
		return BULLA_E_NO_MEMORY;
	*list = mounts;
	*count = n;
	return BULLA_OK;
}

/* ---- records --------------------------------------------------------------- */

static enum bulla_err slot_of_kind(struct seal *seal, const char *kind, const uint8_t uuid[16], struct store_id *out)
{
	struct barrier_name name = { .kind = kind, .item = bulla_mem(uuid, 16) };

	return barrier_slot(seal, &name, out);
}

enum bulla_err mount_slot(struct mounts *mounts, const uint8_t uuid[16], struct store_id *out)
{
	return slot_of_kind(mounts->seal, KIND, uuid, out);
}

enum bulla_err mount_dying_slot(struct mounts *mounts, const uint8_t uuid[16], struct store_id *out)
{
	return slot_of_kind(mounts->seal, KIND_DYING, uuid, out);
}

enum bulla_err mount_check(struct seal *seal, const uint8_t uuid[16], struct store_write *out)
{
	*out = (struct store_write){ .change = STORE_CHECK, .expected = STORE_ANY_REVISION };
	return slot_of_kind(seal, KIND, uuid, &out->id);
}

enum bulla_err mount_guard_slot(struct mounts *mounts, struct store_id *out)
{
	struct barrier_name name = { .kind = KIND_GUARD };

	return barrier_slot(mounts->seal, &name, out);
}

/* With the record that no two nodes can write for one state of the table; writes has room for it. */
static enum bulla_err commit_guarded(struct mounts *mounts, struct bulla_call *call, struct store_write *writes, size_t count)
{
	static const uint8_t format = GUARD_FORMAT;
	struct store_write *guard = &writes[count];

	*guard = (struct store_write){ .change = STORE_PUT, .expected = mounts->guard };
	TRY(mount_guard_slot(mounts, &guard->id));
	TRY(barrier_seal(mounts->seal, call, &guard->id, store_revision(guard), bulla_mem(&format, 1), &guard->bytes));
	TRY(store_commit(mounts->store, call, writes, count + 1, NULL));
	mounts->guard = store_revision(guard);
	return BULLA_OK;
}

enum bulla_err mount_store(struct mounts *mounts, struct bulla_call *call, const struct bulla_mount *mount, const struct mount *before,
			   struct mount **out)
{
	struct store_write writes[2] = { { .change = STORE_PUT, .expected = before != NULL ? before->revision : 0 } };
	struct bulla_bytes record;
	struct mount *made;

	TRY(mount_pack(call, mount, false, &record));
	TRY(mount_slot(mounts, mount->uuid, &writes[0].id));
	TRY(barrier_seal(mounts->seal, call, &writes[0].id, store_revision(&writes[0]), record, &writes[0].bytes));
	TRY(mount_unpack(record, store_revision(&writes[0]), before != NULL ? before->life : NULL, &made));
	enum bulla_err err = commit_guarded(mounts, call, writes, 1);

	if (err != BULLA_OK) {
		mount_put(made);
		return err;
	}
	*out = made;
	return BULLA_OK;
}

enum bulla_err mount_mark_dying(struct mounts *mounts, struct bulla_call *call, const struct mount *mount)
{
	struct store_write writes[3] = { { .change = STORE_DELETE, .expected = mount->revision }, { .change = STORE_PUT } };
	struct bulla_bytes record;

	TRY(mount_pack(call, &mount->public, true, &record));
	TRY(mount_slot(mounts, mount->public.uuid, &writes[0].id));
	TRY(mount_dying_slot(mounts, mount->public.uuid, &writes[1].id));
	TRY(barrier_seal(mounts->seal, call, &writes[1].id, store_revision(&writes[1]), record, &writes[1].bytes));
	return commit_guarded(mounts, call, writes, 2);
}

/* ---- life ------------------------------------------------------------------ */

enum bulla_err mounts_new(struct store *store, struct seal *seal, struct mounts **out)
{
	struct mounts *mounts = calloc(1, sizeof *mounts);

	if (mounts == NULL)
		return BULLA_E_NO_MEMORY;
	mounts->store = store;
	mounts->seal = seal;
	pthread_mutex_init(&mounts->lock, NULL);
	*out = mounts;
	return BULLA_OK;
}

void mounts_empty(struct mounts *mounts)
{
	pthread_mutex_lock(&mounts->lock);
	table_publish(mounts, NULL);
	if (mounts->dying != NULL)
		table_free(mounts->dying);
	mounts->dying = NULL;
	mounts->guard = 0;
	pthread_mutex_unlock(&mounts->lock);
}

void mounts_free(struct mounts *mounts)
{
	if (mounts == NULL)
		return;
	mounts_empty(mounts);
	rcu_drain();
	pthread_mutex_destroy(&mounts->lock);
	free(mounts->moved);
	free(mounts);
}
