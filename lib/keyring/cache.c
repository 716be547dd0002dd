/* cache.c: owns which keys are in memory: at most max_bytes of them, and of what may be locked at most half; the least used going first (CLOCK: a reader only marks a
 * key as used, the hand of whoever inserts passes over the marked ones once). Workers only; one lock, held shortly. */
#include "keyring/internal.h"

static void ring_insert(struct cache *cache, struct key *key)
{
	if (cache->hand == NULL) {
		key->next = key->previous = cache->hand = key;
	} else {
		key->next = cache->hand;
		key->previous = cache->hand->previous;
		key->previous->next = key->next->previous = key;
	}
	key->charge = key_charge(key);
	key->locked_charge = key_locked_charge(key);
	cache->bytes += key->charge;
	cache->locked += key->locked_charge;
}

static void ring_remove(struct cache *cache, struct key *key)
{
	if (cache->hand == key)
		cache->hand = key->next == key ? NULL : key->next;
	key->previous->next = key->next;
	key->next->previous = key->previous;
	key->next = key->previous = NULL;
	cache->bytes -= key->charge;
	cache->locked -= key->locked_charge;
}

static void put_later(struct rcu_later *later)
{
	key_put(rcu_entry(later, struct key, later));
}

/* The table's reference goes when the readers of now have left. */
static void retire(struct key *key)
{
	if (key != NULL)
		rcu_later(&key->later, put_later);
}

/* A list through ->next, NULL at its end. */
static void retire_all(struct key *list)
{
	while (list != NULL) {
		struct key *key = list;

		list = key->next;
		retire(key);
	}
}

/* Takes keys out of table and ring until at most so much is left, but never keep (may be NULL); returns them as a list. */
static struct key *evict(struct keyring *keyring, size_t max_bytes, size_t max_locked, const struct key *keep)
{
	struct cache *cache = &keyring->cache;
	struct key *victims = NULL;
	size_t passes = 2 * rcu_table_count(keyring->table); /* then marks count no more: readers may be faster than the hand */

	while ((cache->bytes > max_bytes || cache->locked > max_locked) && cache->hand != NULL &&
	       !(cache->hand == keep && keep->next == keep)) {
		struct key *key = cache->hand;

		bool used = atomic_exchange_explicit(&key->used, false, memory_order_relaxed);

		if (key == keep || (used && passes > 0)) {
			passes -= passes > 0;
			cache->hand = key->next;
			continue;
		}
		ring_remove(cache, key);
		(void)rcu_table_remove_node(keyring->table, &key->node);
		key->next = victims;
		victims = key;
	}
	return victims;
}

void cache_publish(struct keyring *keyring, struct key *key, const struct key_id *id)
{
	struct cache *cache = &keyring->cache;

	pthread_mutex_lock(&cache->lock);
	struct key *old = keyring_replace(keyring, id, key_hold(key));

	if (old != NULL)
		ring_remove(cache, old);
	ring_insert(cache, key);
	struct key *victims = evict(keyring, cache->max_bytes, cache->max_locked, key);

	pthread_mutex_unlock(&cache->lock);
	retire(old);
	retire_all(victims);
}

void cache_unpublish(struct keyring *keyring, const struct key_id *id)
{
	struct cache *cache = &keyring->cache;

	pthread_mutex_lock(&cache->lock);
	rcu_read_begin();
	struct key *key = keyring_find(keyring, id);

	rcu_read_end(); /* under the cache's lock nobody else takes it out */
	if (key != NULL) {
		ring_remove(cache, key);
		(void)rcu_table_remove_node(keyring->table, &key->node);
	}
	pthread_mutex_unlock(&cache->lock);
	retire(key);
}

void cache_forget(struct keyring *keyring, const uint8_t *mount)
{
	struct cache *cache = &keyring->cache;
	struct key *gone = NULL;

	pthread_mutex_lock(&cache->lock);
	struct key *key = cache->hand;

	for (size_t left = rcu_table_count(keyring->table); left > 0; left--) {
		struct key *next = key->next;

		if (mount == NULL || memcmp(key->mount, mount, MOUNT_UUID) == 0) {
			ring_remove(cache, key);
			(void)rcu_table_remove_node(keyring->table, &key->node);
			key->next = gone;
			gone = key;
		}
		key = next;
	}
	pthread_mutex_unlock(&cache->lock);
	retire_all(gone);
	rcu_drain();
}

void cache_shrink(struct keyring *keyring)
{
	struct cache *cache = &keyring->cache;

	pthread_mutex_lock(&cache->lock);
	struct key *victims = evict(keyring, cache->bytes / 2, cache->locked / 2, NULL);

	pthread_mutex_unlock(&cache->lock);
	retire_all(victims);
	rcu_drain();
}

size_t cache_bytes(struct keyring *keyring)
{
	pthread_mutex_lock(&keyring->cache.lock);
	size_t bytes = keyring->cache.bytes;

	pthread_mutex_unlock(&keyring->cache.lock);
	return bytes;
}
