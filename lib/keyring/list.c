/* list.c: owns LIST: the store knows records only by HMACs of their names, so each mount that is listed gets an index of its
 * names, built from one scan and kept up to date by every later change. One rwlock an index: writers (workers) may wait for a
 * scan; an event loop never waits. */
#include "keyring/internal.h"

#include <stdlib.h>

/* An event loop does not copy more names than this. */
#define LOOP_NAMES 4096

struct name_index {
	struct name_index *next;
	atomic_uint refs; /* one is the list's */
	uint8_t mount[MOUNT_UUID];
	bool followed;         /* this and the next: by lists_lock, set before it is built */
	uint8_t collection[STORE_COLLECTION]; /* of the keys' heads */
	atomic_bool stale;     /* another node has deleted a key since it was built: it is to be built again */
	pthread_rwlock_t lock; /* for what follows */
	bool built;
	size_t unreadable; /* damaged records: they have no name to show */
	struct name_set names;
};

static void index_put(struct name_index *index)
{
	if (index == NULL || atomic_fetch_sub_explicit(&index->refs, 1, memory_order_acq_rel) != 1)
		return;
	names_clear(&index->names);
	(void)pthread_rwlock_destroy(&index->lock);
	free(index);
}

/* Not in the list yet; one reference. */
static struct name_index *index_new(const uint8_t *mount)
{
	struct name_index *index = calloc(1, sizeof *index);

	if (index == NULL)
		return NULL;
	if (pthread_rwlock_init(&index->lock, NULL) != 0) {
		free(index);
		return NULL;
	}
	atomic_init(&index->refs, 1);
	memcpy(index->mount, mount, MOUNT_UUID);
	return index;
}

/* With a reference. NULL: there is none (and no memory to make one). */
static struct name_index *index_get(struct keyring *keyring, const uint8_t *mount, bool make)
{
	pthread_mutex_lock(&keyring->lists_lock);
	struct name_index *index = keyring->indexes;

	while (index != NULL && memcmp(index->mount, mount, MOUNT_UUID) != 0)
		index = index->next;
	if (index == NULL && make) {
		index = index_new(mount);
		if (index != NULL) {
			index->next = keyring->indexes;
			keyring->indexes = index;
		}
	}
	if (index != NULL)
		atomic_fetch_add_explicit(&index->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&keyring->lists_lock);
	return index;
}

void list_forget(struct keyring *keyring, const uint8_t *mount)
{
	struct name_index **at = &keyring->indexes;

	pthread_mutex_lock(&keyring->lists_lock);
	while (*at != NULL) {
		struct name_index *index = *at;

		if (mount != NULL && memcmp(index->mount, mount, MOUNT_UUID) != 0) {
			at = &index->next;
			continue;
		}
		*at = index->next;
		index_put(index);
	}
	pthread_mutex_unlock(&keyring->lists_lock);
}

/* As LIST shows a name: one that is a path, which only the server itself gives, by its first folder. */
static struct bulla_bytes shown(struct bulla_bytes name)
{
	const uint8_t *slash = memchr(name.ptr, '/', name.len);

	return slash == NULL ? name : bulla_mem(name.ptr, (size_t)(slash - name.ptr) + 1);
}

/* ---- kept up to date --------------------------------------------------------- */

/* An index that is not built yet will find the record itself: the commit came first. */
void list_add(struct keyring *keyring, const uint8_t *mount, struct bulla_bytes name)
{
	struct name_index *index = index_get(keyring, mount, false);

	if (index == NULL)
		return;
	pthread_rwlock_wrlock(&index->lock);
	if (index->built && names_add(&index->names, shown(name)) != BULLA_OK) {
		names_clear(&index->names); /* the next LIST builds it again */
		index->built = false;
	}
	pthread_rwlock_unlock(&index->lock);
	index_put(index);
}

void list_remove(struct keyring *keyring, const uint8_t *mount, struct bulla_bytes name)
{
	struct name_index *index = index_get(keyring, mount, false);

	if (index == NULL)
		return;
	pthread_rwlock_wrlock(&index->lock);
	names_remove(&index->names, name);
	pthread_rwlock_unlock(&index->lock);
	index_put(index);
}

/* ---- built from one scan -------------------------------------------------------- */

struct head_scan {
	struct seal *seal;
	struct name_index *index;
	struct bulla_call scratch; /* its arena is wiped after each record: heads hold data keys */
};

static enum bulla_err add_head(struct head_scan *scan, const struct store_record *record)
{
	struct bulla_bytes plaintext, name;
	struct key_head head;
	const uint8_t *data_key;
	enum bulla_err err = barrier_open(scan->seal, &scan->scratch, record, &plaintext);

	if (err == BULLA_OK)
		err = record_decode_head(plaintext, &head, &name, &data_key);
	if (err == BULLA_E_STORE_DAMAGED) {
		scan->index->unreadable++;
		return BULLA_OK;
	}
	TRY(err);
	return names_add(&scan->index->names, shown(name));
}

static enum bulla_err visit_head(const struct store_record *record, void *context)
{
	struct head_scan *scan = context;

	bulla_arena_reset(scan->scratch.arena);
	return add_head(scan, record);
}

static bool is_current(const struct name_index *index)
{
	return index->built && !atomic_load(&index->stale);
}

/* From here on it hears of what other nodes make and delete. */
static enum bulla_err begin_to_follow(struct keyring *keyring, struct name_index *index, struct store_id *any)
{
	TRY(record_head_slot(keyring->seal, index->mount, (struct bulla_bytes){ 0 }, any));
	pthread_mutex_lock(&keyring->lists_lock);
	memcpy(index->collection, any->bytes, sizeof index->collection);
	index->followed = true;
	pthread_mutex_unlock(&keyring->lists_lock);
	atomic_store(&index->stale, false);
	return BULLA_OK;
}

/* The index's lock is held for writing, the seal is held. */
static enum bulla_err build(struct keyring *keyring, struct bulla_call *call, struct name_index *index)
{
	struct head_scan scan = { .seal = keyring->seal, .index = index, .scratch = { .may_block = true } };
	struct store_id any;

	if (is_current(index))
		return BULLA_OK;
	scan.scratch.arena = bulla_arena_new(2048);
	if (scan.scratch.arena == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err following = begin_to_follow(keyring, index, &any);

	if (following != BULLA_OK) {
		bulla_arena_free(scan.scratch.arena);
		return following;
	}
	names_clear(&index->names);
	index->unreadable = 0;
	enum bulla_err err = store_scan(keyring->store, call, any.bytes, visit_head, &scan);

	bulla_arena_free(scan.scratch.arena);
	if (err != BULLA_OK)
		names_clear(&index->names);
	index->built = err == BULLA_OK;
	return err;
}

static enum bulla_err build_held(struct keyring *keyring, struct bulla_call *call, struct name_index *index)
{
	TRY(seal_hold(keyring->seal));
	pthread_rwlock_wrlock(&index->lock);
	enum bulla_err err = build(keyring, call, index);

	pthread_rwlock_unlock(&index->lock);
	seal_release(keyring->seal);
	return err;
}

/* ---- what other nodes make and delete ------------------------------------------- */

/* With a reference. NULL: nobody lists the collection. */
static struct name_index *index_of(struct keyring *keyring, const struct store_id *id)
{
	pthread_mutex_lock(&keyring->lists_lock);
	struct name_index *index = keyring->indexes;

	while (index != NULL && !(index->followed && memcmp(index->collection, id->bytes, STORE_COLLECTION) == 0))
		index = index->next;
	if (index != NULL)
		atomic_fetch_add_explicit(&index->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&keyring->lists_lock);
	return index;
}

static void all_stale(struct keyring *keyring)
{
	pthread_mutex_lock(&keyring->lists_lock);
	for (struct name_index *index = keyring->indexes; index != NULL; index = index->next)
		atomic_store(&index->stale, true);
	pthread_mutex_unlock(&keyring->lists_lock);
}

/* Whose name was deleted cannot be read any more. */
void list_changed(struct keyring *keyring, const struct store_id *id, enum store_news news)
{
	struct name_index *index = id != NULL && news != STORE_CHANGED ? index_of(keyring, id) : NULL;

	if (id == NULL)
		all_stale(keyring);
	if (index == NULL)
		return;
	if (news == STORE_MADE && keyring->made_count < KEYS_MADE)
		keyring->made[keyring->made_count++] = *id;
	else
		atomic_store(&index->stale, true);
	index_put(index);
}

/* With the index's lock over the reading: who deletes the key takes its name out behind it. */
static enum bulla_err add_made(struct keyring *keyring, struct bulla_call *call, struct name_index *index, const struct store_id *id)
{
	struct head_scan scan = { .seal = keyring->seal, .index = index, .scratch = { .arena = call->arena, .may_block = true } };
	struct store_record record;

	if (!is_current(index))
		return BULLA_OK;
	enum bulla_err err = store_get(keyring->store, call, id, &record);

	if (err == BULLA_E_NOT_FOUND) /* it is gone again, of which is told as well */
		return BULLA_OK;
	TRY(err);
	return add_head(&scan, &record);
}

static enum bulla_err read_made(struct keyring *keyring, struct bulla_call *call, const struct store_id *id)
{
	struct name_index *index = index_of(keyring, id);

	if (index == NULL)
		return BULLA_OK;
	pthread_rwlock_wrlock(&index->lock);
	enum bulla_err err = add_made(keyring, call, index, id);

	pthread_rwlock_unlock(&index->lock);
	index_put(index);
	return err;
}

enum bulla_err list_reload(struct keyring *keyring, struct bulla_call *call)
{
	struct bulla_call own = { .arena = bulla_arena_new(2048), .may_block = true, .turn = call->turn };
	enum bulla_err err = own.arena != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;

	while (err == BULLA_OK && keyring->made_count > 0) {
		err = read_made(keyring, &own, &keyring->made[keyring->made_count - 1]);
		keyring->made_count -= err == BULLA_OK;
		bulla_arena_reset(own.arena); /* heads hold data keys */
	}
	bulla_arena_free(own.arena);
	return err;
}

/* ---- read -------------------------------------------------------------------------- */

struct list_args {
	struct bulla_bytes after;
	size_t limit;
	struct bulla_bytes *names;
	size_t count;
};

/* The index's lock is held. The names are copied: the index may change as soon as the lock is given back. */
static enum bulla_err copy_names(struct bulla_call *call, const struct name_index *index, struct list_args *args)
{
	struct name_place place = names_after(&index->names, args->after);
	size_t most = index->names.count < args->limit ? index->names.count : args->limit;
	struct bulla_bytes name;

	if (!call->may_block && most > LOOP_NAMES)
		return bulla_work(call, BULLA_WORK_CPU); /* they are in memory: it does not wait for a disk */
	args->names = bulla_arena_alloc(call->arena, most * sizeof *args->names);
	if (args->names == NULL)
		return BULLA_E_NO_MEMORY;
	for (args->count = 0; args->count < most && names_step(&index->names, &place, &name); args->count++) {
		args->names[args->count] = bulla_arena_copy(call->arena, name);
		if (args->names[args->count].ptr == NULL)
			return BULLA_E_NO_MEMORY;
	}
	if (index->unreadable > 0)
		return bulla_warn(call, "keys whose stored record is damaged are not listed: %zu", index->unreadable);
	return BULLA_OK;
}

/* MUST_BLOCK also to a worker: the index is not built. */
static enum bulla_err read_index(struct bulla_call *call, struct name_index *index, struct list_args *args)
{
	int locked = call->may_block ? pthread_rwlock_rdlock(&index->lock) : pthread_rwlock_tryrdlock(&index->lock);

	if (locked != 0)
		return BULLA_E_MUST_BLOCK;
	enum bulla_err err = is_current(index) ? copy_names(call, index, args) : BULLA_E_MUST_BLOCK;

	pthread_rwlock_unlock(&index->lock);
	return err;
}

static enum bulla_err list(struct keyring *keyring, struct bulla_call *call, struct name_index *index, struct list_args *args)
{
	enum bulla_err err = read_index(call, index, args);

	for (int tries = 0; err == BULLA_E_MUST_BLOCK && call->may_block && tries < 4; tries++) {
		TRY(bulla_work(call, BULLA_WORK_DISK));
		TRY(build_held(keyring, call, index));
		err = read_index(call, index, args);
	}
	return err;
}

enum bulla_err bulla_key_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			      struct bulla_bytes after, int64_t limit, struct bulla_bytes **names, size_t *count)
{
	struct list_args args = { .after = after, .limit = limit > 0 ? (size_t)limit : SIZE_MAX };
	struct name_index *index = index_get(engine->keyring, mount->uuid, call->may_block);

	if (index == NULL)
		return call->may_block ? BULLA_E_NO_MEMORY : BULLA_E_MUST_BLOCK;
	enum bulla_err err = list(engine->keyring, call, index, &args);

	index_put(index);
	TRY(err);
	*names = args.names;
	*count = args.count;
	return BULLA_OK;
}
