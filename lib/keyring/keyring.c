/* keyring.c: owns struct keyring and finding a key without a lock. keyring_begin and keyring_end: any thread, any number at
 * once. keyring_new, keyring_empty and keyring_free: the engine. */
#include "keyring/internal.h"

#include <stdlib.h>

/* How often a key may be evicted between its loading and its use before the caller is told to come back: it takes a cache
 * that is far too small. */
#define LOAD_TRIES 16

static bool is_key(const struct rcu_node *node, const void *wanted)
{
	const struct key *key = rcu_entry(node, const struct key, snapshot.by_name);
	const struct key_id *id = wanted;

	return bulla_equal(key_name(key), id->name) && memcmp(key->mount, id->mount, MOUNT_UUID) == 0;
}

static void put_later(struct rcu_later *later)
{
	key_put(rcu_entry(later, struct key, snapshot.later));
}

static enum bulla_err set_up(struct keyring *keyring, size_t max_cached_bytes)
{
	const struct snapshot_kind kind = { .is = is_key, .put = put_later };

	TRY(snapshots_init(&keyring->cache, kind, max_cached_bytes, bulla_secret_limit() / 2));
	if (pthread_mutex_init(&keyring->lists_lock, NULL) != 0 || pthread_mutex_init(&keyring->notices.lock, NULL) != 0)
		return BULLA_E_NO_MEMORY;
	TRY(schedule_init(keyring));
	for (size_t i = 0; i < STRIPES; i++)
		if (pthread_mutex_init(&keyring->stripes[i], NULL) != 0)
			return BULLA_E_NO_MEMORY;
	return random_bytes(keyring->hash_key, sizeof keyring->hash_key);
}

enum bulla_err keyring_new(struct store *store, struct seal *seal, size_t max_cached_bytes, struct keyring **out)
{
	struct keyring *keyring = calloc(1, sizeof *keyring);

	if (keyring == NULL)
		return BULLA_E_NO_MEMORY;
	keyring->store = store;
	keyring->seal = seal;
	keyring_count_limits_set(keyring, COUNT_WARN, COUNT_MAX);
	enum bulla_err err = set_up(keyring, max_cached_bytes);

	if (err != BULLA_OK) {
		snapshots_clear(&keyring->cache);
		free(keyring);
		return err;
	}
	*out = keyring;
	return BULLA_OK;
}

void keyring_empty(struct keyring *keyring)
{
	cache_forget(keyring, NULL);
	list_forget(keyring, NULL);
	due_forget(&keyring->schedule);
}

/* ---- what other nodes change --------------------------------------------------- */

static void changed(void *owner, const struct store_id *id, enum store_news news)
{
	struct keyring *keyring = owner;

	snapshots_drop(&keyring->cache, id);
	list_changed(keyring, id, news);
}

static enum bulla_err reload(void *owner, struct bulla_call *call)
{
	return list_reload(owner, call);
}

enum bulla_err keyring_follow(struct keyring *keyring, struct follow *follow)
{
	return follow_add(follow, (struct follower){ keyring, NULL, changed, reload });
}

void keyring_wipe(struct keyring *keyring)
{
	cache_forget(keyring, NULL);
}

void keyring_free(struct keyring *keyring)
{
	if (keyring == NULL)
		return;
	keyring_empty(keyring);
	snapshots_clear(&keyring->cache);
	while (keyring->destroyed != NULL) {
		struct mount_mark *mark = keyring->destroyed;

		keyring->destroyed = mark->next;
		free(mark);
	}
	for (size_t i = 0; i < STRIPES; i++)
		(void)pthread_mutex_destroy(&keyring->stripes[i]);
	(void)pthread_mutex_destroy(&keyring->lists_lock);
	(void)pthread_mutex_destroy(&keyring->notices.lock);
	due_end(&keyring->schedule);
	bulla_wipe(keyring->hash_key, sizeof keyring->hash_key);
	free(keyring);
}

enum bulla_err keyring_id(const struct keyring *keyring, const uint8_t *mount, struct bulla_bytes name, struct key_id *out)
{
	uint8_t bytes[MOUNT_UUID + BULLA_KEY_NAME_MAX];

	if (name.len == 0 || name.len > BULLA_KEY_NAME_MAX)
		return BULLA_E_NOT_FOUND;
	memcpy(bytes, mount, MOUNT_UUID);
	memcpy(bytes + MOUNT_UUID, name.ptr, name.len);
	*out = (struct key_id){
		.hash = table_hash(keyring->hash_key, bulla_mem(bytes, MOUNT_UUID + name.len)),
		.mount = mount,
		.name = name,
	};
	return BULLA_OK;
}

struct key *keyring_find(const struct keyring *keyring, const struct key_id *id)
{
	struct snapshot *snapshot = snapshots_find(&keyring->cache, id->hash, id);

	return snapshot == NULL ? NULL : rcu_entry(snapshot, struct key, snapshot);
}

struct key *keyring_hold_cached(const struct keyring *keyring, const struct key_id *id)
{
	rcu_read_begin();
	struct key *key = keyring_find(keyring, id);

	if (key != NULL)
		key_hold(key); /* the table's own reference outlives this section */
	rcu_read_end();
	return key;
}

pthread_mutex_t *keyring_stripe(struct keyring *keyring, const struct key_id *id)
{
	return &keyring->stripes[id->hash % STRIPES];
}

bool keyring_is_destroyed(struct keyring *keyring, const uint8_t *mount)
{
	pthread_mutex_lock(&keyring->lists_lock);
	const struct mount_mark *mark = keyring->destroyed;

	while (mark != NULL && memcmp(mark->mount, mount, MOUNT_UUID) != 0)
		mark = mark->next;
	pthread_mutex_unlock(&keyring->lists_lock);
	return mark != NULL;
}

/* The use that a key was loaded for does not count: else every key of a long walk through all would seem as much used as those
 * that are asked for again and again. */
enum bulla_err keyring_begin(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
			     struct bulla_bytes name, const struct key **out)
{
	struct key_id id;

	TRY(keyring_id(keyring, mount->uuid, name, &id));
	for (int tries = 0; tries < LOAD_TRIES; tries++) {
		rcu_read_begin();
		struct key *key = keyring_find(keyring, &id);

		if (key != NULL) {
			if (tries == 0)
				snapshot_mark_used(&key->snapshot);
			*out = key;
			return BULLA_OK;
		}
		rcu_read_end();
		TRY(load_into_cache(keyring, call, &id));
	}
	return BULLA_E_BUSY;
}

void keyring_end(const struct key *key)
{
	(void)key;
	rcu_read_end();
}
