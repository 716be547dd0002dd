/* destroy.c: owns the destruction of all keys of a mount. A worker; the mount has been taken out of the table, but requests that
 * found it before may still be on their way. */
#include "keyring/internal.h"

#include <stdlib.h>

/* Keys in one commit. */
#define BATCH 256

/* From now on no change of a key of this mount begins. */
static enum bulla_err mark_destroyed(struct keyring *keyring, const uint8_t *mount)
{
	struct mount_mark *mark = malloc(sizeof *mark);

	if (mark == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(mark->mount, mount, MOUNT_UUID);
	pthread_mutex_lock(&keyring->lists_lock);
	mark->next = keyring->destroyed;
	keyring->destroyed = mark;
	pthread_mutex_unlock(&keyring->lists_lock);
	return BULLA_OK;
}

/* Waits for the changes that began before. */
static void wait_for_writers(struct keyring *keyring)
{
	for (size_t i = 0; i < STRIPES; i++) {
		pthread_mutex_lock(&keyring->stripes[i]);
		pthread_mutex_unlock(&keyring->stripes[i]);
	}
}

/* What the deletion of one key needs to know; a damaged head has no name, and its versions cannot be found: without the data
 * key, which goes with the head, nobody can read them. */
struct doomed {
	struct store_id head;
	struct bulla_bytes name;
	uint32_t first, latest;
	int64_t due_s;
};

struct doom_scan {
	struct seal *seal;
	struct bulla_arena *arena; /* of names */
	struct bulla_call scratch;
	struct doomed keys[BATCH];
	size_t count;
};

static enum bulla_err visit(const struct store_record *record, void *context)
{
	struct doom_scan *scan = context;
	struct doomed *doomed = &scan->keys[scan->count];
	struct bulla_bytes plaintext, name;
	struct key_head head;
	const uint8_t *data_key;

	*doomed = (struct doomed){ .head = record->id };
	bulla_arena_reset(scan->scratch.arena);
	enum bulla_err err = barrier_open(scan->seal, &scan->scratch, record, &plaintext);

	if (err == BULLA_OK)
		err = record_decode_head(plaintext, &head, &name, &data_key);
	if (err == BULLA_OK) {
		doomed->name = bulla_arena_copy(scan->arena, name);
		doomed->first = head.min_available > 1 ? head.min_available : 1;
		doomed->latest = head.latest;
		doomed->due_s = head.due_s;
		err = doomed->name.ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
	}
	if (err != BULLA_E_STORE_DAMAGED)
		TRY(err);
	scan->count++;
	return scan->count < BATCH ? BULLA_OK : BULLA_E_BUSY; /* enough: the scan stops here */
}

/* Writes that its deletion takes. */
static size_t count_writes(const struct doomed *doomed)
{
	return doomed->name.len == 0 ? 1 : 2 + 2 * (size_t)(doomed->latest - doomed->first + 1);
}

static void put_delete(struct store_write *writes, size_t *at, const struct store_id *id)
{
	writes[(*at)++] = (struct store_write){ .id = *id, .change = STORE_DELETE, .expected = STORE_ANY_REVISION };
}

static enum bulla_err delete_one(struct seal *seal, const uint8_t *mount, const struct doomed *doomed, struct store_write *writes,
				 size_t *at)
{
	struct store_id id;

	put_delete(writes, at, &doomed->head);
	for (uint32_t number = doomed->first; doomed->name.len > 0 && number <= doomed->latest; number++) {
		TRY(record_version_slot(seal, mount, doomed->name, number, &id));
		put_delete(writes, at, &id);
		TRY(record_count_slot(seal, mount, doomed->name, number, &id));
		put_delete(writes, at, &id);
	}
	if (doomed->name.len == 0 || doomed->due_s == 0)
		return BULLA_OK;
	TRY(schedule_slot(seal, doomed->due_s, mount, doomed->name, &id));
	put_delete(writes, at, &id);
	return BULLA_OK;
}

static enum bulla_err delete_all(struct keyring *keyring, struct bulla_call *call, const uint8_t *mount,
				 const struct doom_scan *scan)
{
	size_t count = 0, at = 0;

	for (size_t i = 0; i < scan->count; i++)
		count += count_writes(&scan->keys[i]);
	struct store_write *writes = bulla_arena_alloc(scan->arena, count * sizeof *writes);

	if (writes == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < scan->count; i++)
		TRY(delete_one(keyring->seal, mount, &scan->keys[i], writes, &at));
	return store_commit(keyring->store, call, writes, at, NULL);
}

/* Destroys up to BATCH keys; *more: there may be others. */
static enum bulla_err destroy_some(struct keyring *keyring, struct bulla_call *call, const uint8_t *mount,
				   struct doom_scan *scan, bool *more)
{
	struct store_id any;

	bulla_arena_reset(scan->arena);
	scan->count = 0;
	TRY(record_head_slot(keyring->seal, mount, (struct bulla_bytes){ 0 }, &any));
	enum bulla_err err = store_scan(keyring->store, call, any.bytes, visit, scan);

	*more = err == BULLA_E_BUSY && scan->count == BATCH;
	if (!*more)
		TRY(err);
	return scan->count == 0 ? BULLA_OK : delete_all(keyring, call, mount, scan);
}

static enum bulla_err destroy_records(struct keyring *keyring, struct bulla_call *call, const uint8_t *mount)
{
	struct doom_scan *scan = calloc(1, sizeof *scan);
	enum bulla_err err = BULLA_E_NO_MEMORY;
	bool more = true;

	if (scan == NULL)
		return err;
	scan->seal = keyring->seal;
	scan->arena = bulla_arena_new(65536);
	scan->scratch = (struct bulla_call){ .arena = bulla_arena_new(2048), .may_block = true };
	if (scan->arena != NULL && scan->scratch.arena != NULL)
		for (err = BULLA_OK; err == BULLA_OK && more;)
			err = destroy_some(keyring, call, mount, scan, &more);
	bulla_arena_free(scan->scratch.arena);
	bulla_arena_free(scan->arena);
	free(scan);
	return err;
}

enum bulla_err keyring_destroy_mount(struct keyring *keyring, struct bulla_call *call, const uint8_t uuid[MOUNT_UUID])
{
	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(seal_hold(keyring->seal));
	enum bulla_err err = mark_destroyed(keyring, uuid);

	if (err == BULLA_OK) {
		wait_for_writers(keyring);
		err = destroy_records(keyring, call, uuid);
		list_forget(keyring, uuid);
		cache_forget(keyring, uuid);
	}
	seal_release(keyring->seal);
	TRY(err);
	return store_scrub(keyring->store, call);
}
