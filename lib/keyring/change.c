/* change.c: owns the one way in which keys change: hold the seal, hold the key's stripe, look at the present snapshot, commit by
 * compare-and-set on its revision, publish the next one. Nobody sees what is not durable. Workers only. */
#include "bulla/clock.h"
#include "keyring/internal.h"

/* Other writers of the same key are kept out by its stripe; a conflict means another process on the same store. */

enum bulla_err change_write(struct change *change, struct store_write write)
{
	if (change->count == change->size) {
		size_t size = change->size ? change->size * 2 : 4;
		struct store_write *grown = bulla_arena_alloc(change->call->arena, size * sizeof *grown);

		if (grown == NULL)
			return BULLA_E_NO_MEMORY;
		if (change->count > 0)
			memcpy(grown, change->writes, change->count * sizeof *grown);
		change->writes = grown;
		change->size = size;
	}
	change->writes[change->count++] = write;
	return BULLA_OK;
}

/* A key is made only where no node destroys the keys. */
static enum bulla_err check_mount(struct change *change)
{
	struct store_write check;

	TRY(mount_check(change->keyring->seal, change->id->mount, &check));
	return change_write(change, check);
}

enum bulla_err change_write_head(struct change *change)
{
	struct secret_bytes BULLA_CLEANUP(secret_bytes_clear) plaintext = { 0 };
	struct store_write write = { .change = STORE_PUT, .expected = change->old != NULL ? change->old->revision : 0 };
	struct seal *seal = change->keyring->seal;

	if (change->old == NULL)
		TRY(check_mount(change));
	TRY(store_begin_anew(&write));
	change->next->revision = store_revision(&write);
	change->next->shared = store_is_shared(change->keyring->store);
	TRY(schedule_change(change));
	TRY(record_head_slot(seal, change->id->mount, change->id->name, &write.id));
	change->next->snapshot.id = write.id;
	change->next->snapshot.epoch = snapshots_epoch(&change->keyring->cache, &write.id); /* before the commit */
	TRY(record_encode_head(change->next, &plaintext));
	TRY(barrier_seal(seal, change->call, &write.id, change->next->revision, bulla_mem(plaintext.ptr, plaintext.len),
			 &write.bytes));
	return change_write(change, write);
}

enum bulla_err change_write_version(struct change *change, const struct version *version)
{
	struct secret_bytes BULLA_CLEANUP(secret_bytes_clear) plaintext = { 0 };
	struct store_write write = { .change = STORE_PUT, .expected = 0 };

	TRY(record_version_slot(change->keyring->seal, change->id->mount, change->id->name, version->pub.version, &write.id));
	TRY(record_encode_version(version, &plaintext));
	TRY(record_seal(change->next->data_key, change->call, &write.id, 1, bulla_mem(plaintext.ptr, plaintext.len),
			&write.bytes));
	return change_write(change, write);
}

enum bulla_err change_delete_versions(struct change *change, uint32_t first, uint32_t end)
{
	for (uint32_t number = first; number < end; number++) {
		struct store_write write = { .change = STORE_DELETE, .expected = STORE_ANY_REVISION };

		TRY(record_version_slot(change->keyring->seal, change->id->mount, change->id->name, number, &write.id));
		TRY(change_write(change, write));
		TRY(record_count_slot(change->keyring->seal, change->id->mount, change->id->name, number, &write.id));
		TRY(change_write(change, write));
	}
	return BULLA_OK;
}

enum bulla_err change_delete_head(struct change *change)
{
	struct store_write write = { .change = STORE_DELETE, .expected = change->old->revision };

	TRY(schedule_change(change));
	TRY(record_head_slot(change->keyring->seal, change->id->mount, change->id->name, &write.id));
	return change_write(change, write);
}

/* The next version of material, not shared yet. */
static enum bulla_err next_version(const struct key *key, struct bulla_bytes material, struct version **out)
{
	uint32_t convergent_version = key_convergent(key) ? 3 : 0;
	struct version *version = version_new(key->head.latest + 1, bulla_wall_ns(), convergent_version, material.len);

	if (version == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(version->cell + KEY_HMAC_BYTES, material.ptr, material.len);
	enum bulla_err err = random_bytes(version->cell, KEY_HMAC_BYTES);

	if (err != BULLA_OK) {
		version_put(version);
		return err;
	}
	*out = version;
	return BULLA_OK;
}

enum bulla_err change_new_version(struct change *change, struct bulla_bytes material, size_t key_size)
{
	BULLA_CLEANUP(material_clear) struct material made = { 0 };
	struct key *key = change->next;
	struct version *version;

	if (material.len == 0) {
		TRY(alg_make(key->head.alg, key_size, NULL, &made)); /* others wait for the lock */
		material = material_bytes(&made);
	}
	TRY(next_version(key, material, &version));
	count_begin(change->keyring, version);
	enum bulla_err err = change_write_version(change, version);

	if (err != BULLA_OK) {
		version_put(version);
		return err;
	}
	key->head.latest += 1;
	return key_add(key, version);
}

enum bulla_err change_rewrite(struct change *change)
{
	struct key *key = change->next;

	TRY(random_bytes(key->data_key, DATA_KEY_BYTES));
	for (uint32_t number = key_first(key); number <= key->head.latest; number++) {
		const struct version *version = versions_get(&key->versions, number);

		if (version == NULL || version->pub.key == NULL)
			return bulla_fail(change->call, BULLA_E_STORE_DAMAGED,
					  "the stored record of version %u of key %.*s is damaged", number, (int)key->name_len,
					  (const char *)key->name);
		TRY(change_delete_versions(change, number, number + 1));
		TRY(change_write_version(change, version));
	}
	return change_write_head(change);
}

static enum bulla_err commit(struct change *change)
{
	if (change->count == 0)
		return BULLA_OK;
	return store_commit(change->keyring->store, change->call, change->writes, change->count, NULL);
}

static void publish(struct change *change)
{
	const struct key_id *id = change->id;

	if (change->destroy) {
		snapshots_drop(&change->keyring->cache, &change->old->snapshot.id);
		list_remove(change->keyring, id->mount, id->name);
		return;
	}
	if (change->next != NULL)
		cache_publish(change->keyring, change->next, id);
	if (change->next != NULL && change->old == NULL)
		list_add(change->keyring, id->mount, id->name);
}

static enum bulla_err describe(const struct change *change, struct bulla_key_info *out)
{
	const struct key *key = change->next != NULL ? change->next : change->old;

	if (out == NULL)
		return BULLA_OK;
	if (key == NULL || change->destroy) {
		*out = (struct bulla_key_info){ 0 };
		return BULLA_OK;
	}
	return key_info(key, change->call, (struct bulla_bytes){ 0 }, out);
}

/* One attempt. The description is made before the commit, so that no error is left that could follow it. */
static enum bulla_err attempt(struct change *change, change_step *step, void *context, struct bulla_key_info *out)
{
	struct bulla_key_info info = { 0 };

	TRY(step(change, context));
	TRY(describe(change, out == NULL ? NULL : &info));
	TRY(commit(change));
	publish(change);
	if (out != NULL)
		*out = info;
	return BULLA_OK;
}

static enum bulla_err load_if_any(struct keyring *keyring, struct bulla_call *call, const struct key_id *id, struct key **out)
{
	enum bulla_err err = load_current(keyring, call, id, out);

	return err == BULLA_E_NOT_FOUND ? BULLA_OK : err;
}

/* After secrets were destroyed: waits until their cells are wiped, which the last reader holds up, and cleans the file. */
static enum bulla_err finish_wiping(struct keyring *keyring, struct bulla_call *call)
{
	rcu_drain();
	return store_scrub(keyring->store, call);
}

/* What a caller of change_run asked for. */
struct request {
	const struct key_id *id;
	change_step *step;
	void *context;
	struct bulla_key_info *out;
};

/* An error means that nothing was changed. *wipes: finish_wiping is to follow. */
static enum bulla_err run_once(struct keyring *keyring, struct bulla_call *call, const struct request *request, bool *wipes)
{
	struct change change = { .keyring = keyring, .call = call, .id = request->id };

	TRY(load_if_any(keyring, call, request->id, &change.old));
	enum bulla_err err = attempt(&change, request->step, request->context, request->out);

	if (err == BULLA_E_CONFLICT && change.old != NULL)
		snapshots_drop(&keyring->cache, &change.old->snapshot.id); /* it is out of date */
	key_put(change.next);
	key_put(change.old);
	*wipes = change.wipes;
	return err;
}

/* Forgets the warnings of an attempt that is made again. */
static void drop_warnings(struct bulla_call *call, size_t keep)
{
	struct bulla_warning **at = &call->warnings;

	for (; keep > 0; keep--)
		at = &(*at)->next;
	*at = NULL;
}

static size_t count_warnings(const struct bulla_call *call)
{
	size_t count = 0;

	for (const struct bulla_warning *w = call->warnings; w != NULL; w = w->next)
		count++;
	return count;
}

static enum bulla_err run_held(struct keyring *keyring, struct bulla_call *call, const struct request *request)
{
	enum bulla_err err = BULLA_E_CONFLICT;
	size_t warnings = count_warnings(call);
	bool wipes = false;

	if (keyring_is_destroyed(keyring, request->id->mount))
		return BULLA_E_NO_ROUTE;
	for (int tries = 0; tries < STORE_TRIES && err == BULLA_E_CONFLICT; tries++) {
		drop_warnings(call, warnings);
		err = run_once(keyring, call, request, &wipes);
	}
	if (err == BULLA_E_NO_MEMORY) { /* locked memory may be what is short: the cache holds most of it */
		cache_shrink(keyring);
		drop_warnings(call, warnings);
		err = run_once(keyring, call, request, &wipes);
	}
	TRY(err);
	return wipes ? finish_wiping(keyring, call) : BULLA_OK;
}

enum bulla_err change_run(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
			  struct bulla_bytes name, change_step *step, void *context, struct bulla_key_info *out)
{
	struct key_id id;
	const struct request request = { .id = &id, .step = step, .context = context, .out = out };

	if (out != NULL)
		TRY(info_prepare(keyring, call, mount, name));
	TRY(bulla_work(call, BULLA_WORK_DISK));
	if (keyring_id(keyring, mount->uuid, name, &id) != BULLA_OK)
		return bulla_fail(call, BULLA_E_INVALID, "the name of a key has 1 to %d bytes", BULLA_KEY_NAME_MAX);
	TRY(seal_hold(keyring->seal));
	pthread_mutex_lock(keyring_stripe(keyring, &id));
	enum bulla_err err = run_held(keyring, call, &request);

	pthread_mutex_unlock(keyring_stripe(keyring, &id));
	seal_release(keyring->seal);
	return err;
}
