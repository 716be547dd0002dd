/* snapshots.c: owns which snapshots are in memory: no more than the bounds allow, the least used going first (CLOCK: a reader only marks
 * one as used, the hand of whoever publishes passes over the marked ones once). One lock for writers, held shortly. */
#include "state/snapshots.h"

#include <string.h>

static bool is_id(const struct rcu_node *node, const void *id)
{
	return memcmp(rcu_entry(node, const struct snapshot, by_id)->id.bytes, id, sizeof(struct store_id)) == 0;
}

/* An id is an HMAC: any part of it is a hash. */
static uint64_t id_hash(const struct store_id *id)
{
	uint64_t hash;

	memcpy(&hash, id->bytes + STORE_COLLECTION, sizeof hash);
	return hash;
}

static atomic_uint *epoch_of(struct snapshots *cache, const struct store_id *id)
{
	return &cache->epochs[(id->bytes[30] << 8 | id->bytes[31]) % SNAPSHOT_EPOCHS];
}

unsigned snapshots_epoch(struct snapshots *cache, const struct store_id *id)
{
	return atomic_load(epoch_of(cache, id));
}

struct snapshot *snapshots_find_id(const struct snapshots *cache, const struct store_id *id)
{
	struct rcu_node *node = rcu_table_find(cache->by_id, id_hash(id), is_id, id->bytes);

	return node == NULL ? NULL : rcu_entry(node, struct snapshot, by_id);
}

/* ---- under the lock --------------------------------------------------------- */

static struct snapshot *present(const struct snapshots *cache, const struct store_id *id)
{
	rcu_read_begin();
	struct snapshot *snapshot = snapshots_find_id(cache, id);

	rcu_read_end();
	return snapshot; /* only the lock's holder takes one out */
}

/* Behind the hand, which comes by last. */
static void ring_insert(struct snapshots *cache, struct snapshot *snapshot)
{
	struct snapshot *hand = cache->hand;

	if (hand == NULL) {
		snapshot->next = snapshot->previous = cache->hand = snapshot;
	} else {
		snapshot->next = hand;
		snapshot->previous = hand->previous;
		hand->previous->next = snapshot;
		hand->previous = snapshot;
	}
	cache->bytes += snapshot->bytes;
	cache->locked += snapshot->locked;
}

/* Out of the ring; the cache's reference goes when the readers of now have left. */
static void retire(struct snapshots *cache, struct snapshot *snapshot)
{
	if (cache->hand == snapshot)
		cache->hand = snapshot->next == snapshot ? NULL : snapshot->next;
	snapshot->previous->next = snapshot->next;
	snapshot->next->previous = snapshot->previous;
	cache->bytes -= snapshot->bytes;
	cache->locked -= snapshot->locked;
	rcu_later(&snapshot->later, cache->kind.put);
}

static void take_out(struct snapshots *cache, struct snapshot *snapshot)
{
	(void)rcu_table_remove_node(cache->by_name, &snapshot->by_name);
	(void)rcu_table_remove_node(cache->by_id, &snapshot->by_id);
	retire(cache, snapshot);
}

/* Until at most so much is left, but never keep (may be NULL). */
static void evict(struct snapshots *cache, size_t max_bytes, size_t max_locked, const struct snapshot *keep)
{
	size_t passes = 2 * rcu_table_count(cache->by_id); /* then marks count no more: readers may be faster than the hand */

	while ((cache->bytes > max_bytes || cache->locked > max_locked) && cache->hand != NULL &&
	       !(cache->hand == keep && keep->next == keep)) {
		struct snapshot *snapshot = cache->hand;
		bool used = atomic_exchange_explicit(&snapshot->used, false, memory_order_relaxed);

		if (snapshot == keep || (used && passes > 0)) {
			passes -= passes > 0;
			cache->hand = snapshot->next;
		} else {
			take_out(cache, snapshot);
		}
	}
}

/* A reader finds the old one or the new one at any time. */
static void put_in(struct snapshots *cache, struct snapshot *snapshot, uint64_t hash, const void *name)
{
	struct snapshot *old = present(cache, &snapshot->id);

	snapshot_hold(snapshot);
	(void)rcu_table_replace(cache->by_name, hash, cache->kind.is, name, &snapshot->by_name);
	(void)rcu_table_replace(cache->by_id, id_hash(&snapshot->id), is_id, snapshot->id.bytes, &snapshot->by_id);
	ring_insert(cache, snapshot);
	if (old != NULL)
		retire(cache, old);
	evict(cache, cache->max_bytes, cache->max_locked, snapshot);
}

static void drop(struct snapshots *cache, const struct store_id *id)
{
	struct snapshot *old = present(cache, id);

	if (old != NULL)
		take_out(cache, old);
}

/* ---- for all ------------------------------------------------------------------ */

void snapshots_publish(struct snapshots *cache, struct snapshot *snapshot, uint64_t hash, const void *name)
{
	pthread_mutex_lock(&cache->lock);
	if (snapshot->epoch == snapshots_epoch(cache, &snapshot->id))
		put_in(cache, snapshot, hash, name);
	else
		drop(cache, &snapshot->id);
	pthread_mutex_unlock(&cache->lock);
}

static void next_epoch(atomic_uint *epoch)
{
	if (atomic_fetch_add(epoch, 1) == UINT32_MAX)
		atomic_fetch_add(epoch, 1); /* 0 is no epoch */
}

void snapshots_drop(struct snapshots *cache, const struct store_id *id)
{
	if (id == NULL) {
		for (size_t i = 0; i < SNAPSHOT_EPOCHS; i++)
			next_epoch(&cache->epochs[i]);
		snapshots_forget(cache, NULL, NULL);
		return;
	}
	pthread_mutex_lock(&cache->lock);
	next_epoch(epoch_of(cache, id));
	drop(cache, id);
	pthread_mutex_unlock(&cache->lock);
}

void snapshots_forget(struct snapshots *cache, bool (*which)(const struct snapshot *snapshot, const void *context), const void *context)
{
	pthread_mutex_lock(&cache->lock);
	struct snapshot *snapshot = cache->hand;

	for (size_t left = rcu_table_count(cache->by_id); left > 0; left--) {
		struct snapshot *next = snapshot->next;

		if (which == NULL || which(snapshot, context))
			take_out(cache, snapshot);
		snapshot = next;
	}
	pthread_mutex_unlock(&cache->lock);
}

void snapshots_shrink(struct snapshots *cache)
{
	pthread_mutex_lock(&cache->lock);
	evict(cache, cache->bytes / 2, cache->locked / 2, NULL);
	pthread_mutex_unlock(&cache->lock);
}

size_t snapshots_bytes(struct snapshots *cache)
{
	pthread_mutex_lock(&cache->lock);
	size_t bytes = cache->bytes;

	pthread_mutex_unlock(&cache->lock);
	return bytes;
}

enum bulla_err snapshots_init(struct snapshots *cache, struct snapshot_kind kind, size_t max_bytes, size_t max_locked)
{
	cache->kind = kind;
	cache->max_bytes = max_bytes;
	cache->max_locked = max_locked;
	for (size_t i = 0; i < SNAPSHOT_EPOCHS; i++)
		atomic_init(&cache->epochs[i], 1);
	(void)pthread_mutex_init(&cache->lock, NULL);
	cache->by_name = rcu_table_new();
	cache->by_id = rcu_table_new();
	return cache->by_name == NULL || cache->by_id == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

void snapshots_clear(struct snapshots *cache)
{
	if (cache->by_name != NULL && cache->by_id != NULL)
		snapshots_forget(cache, NULL, NULL);
	rcu_drain();
	rcu_table_free(cache->by_name);
	rcu_table_free(cache->by_id);
	(void)pthread_mutex_destroy(&cache->lock);
}
