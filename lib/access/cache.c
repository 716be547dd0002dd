/* cache.c: owns the snapshots of tokens that were used lately, and when it is full decides which ones go: those that nobody
 * touched since the clock's hand came by last. Found without a lock; changed under one mutex, never waiting. Unknown tokens
 * are not kept, so that asking with many of them fills nothing. */
#include <stdlib.h>

#include "access/access_private.h"
#include "crypto/crypto.h"

#define MAX_CACHED_BYTES (32u << 20)
#define TAG_KEY_BYTES 16

static uint64_t hash_of(const uint8_t *p)
{
	uint64_t h;

	memcpy(&h, p, sizeof h); /* a keyed tag is a hash already */
	return h;
}

static bool is_tag(const struct rcu_node *node, const void *key)
{
	return memcmp(rcu_entry(node, struct token, by_tag)->tag, key, 16) == 0;
}

static bool is_slot(const struct rcu_node *node, const void *key)
{
	return memcmp(rcu_entry(node, struct token, by_slot)->slot.bytes, key, sizeof(struct store_id)) == 0;
}

static uint64_t slot_hash(const struct store_id *slot)
{
	return hash_of(slot->bytes + STORE_COLLECTION);
}

void cache_tag(const struct access *access, struct bulla_bytes text, uint8_t tag[16])
{
	table_tag(access->tag_key, text, tag);
}

static struct token *held(struct token *token)
{
	if (token == NULL)
		return NULL;
	atomic_fetch_add(&token->refs, 1); /* the cache's own reference keeps it above 0 until the read section ends */
	if (!atomic_load_explicit(&token->touched, memory_order_relaxed))
		atomic_store_explicit(&token->touched, true, memory_order_relaxed);
	return token;
}

struct token *cache_find(struct access *access, const uint8_t tag[16])
{
	rcu_read_begin();
	struct rcu_node *node = rcu_table_find(access->by_tag, hash_of(tag), is_tag, tag);
	struct token *token = held(node ? rcu_entry(node, struct token, by_tag) : NULL);

	rcu_read_end();
	return token;
}

struct token *cache_find_slot(struct access *access, const struct store_id *slot)
{
	rcu_read_begin();
	struct rcu_node *node = rcu_table_find(access->by_slot, slot_hash(slot), is_slot, slot->bytes);
	struct token *token = held(node ? rcu_entry(node, struct token, by_slot) : NULL);

	rcu_read_end();
	return token;
}

static void put_later(struct rcu_later *later)
{
	token_put(rcu_entry(later, struct token, later));
}

/* ---- under cache_lock ------------------------------------------------------ */

static void take_out(struct access *access, struct token *token)
{
	(void)rcu_table_remove_node(access->by_tag, &token->by_tag);
	(void)rcu_table_remove_node(access->by_slot, &token->by_slot);
	if (access->hand == token)
		access->hand = token->next != token ? token->next : NULL;
	token->next->prev = token->prev;
	token->prev->next = token->next;
	access->cached_bytes -= token->bytes;
	rcu_later(&token->later, put_later);
}

static void put_in(struct access *access, struct token *token)
{
	struct token *hand = access->hand;

	if (hand == NULL) {
		token->next = token->prev = access->hand = token;
	}
	if (hand != NULL) { /* behind the hand: it comes by last */
		token->next = hand;
		token->prev = hand->prev;
		hand->prev->next = token;
		hand->prev = token;
	}
	access->cached_bytes += token->bytes;
	atomic_fetch_add(&token->refs, 1);
	(void)rcu_table_add(access->by_tag, hash_of(token->tag), is_tag, token->tag, &token->by_tag);
	(void)rcu_table_add(access->by_slot, slot_hash(&token->slot), is_slot, token->slot.bytes, &token->by_slot);
}

static struct token *present(struct access *access, const struct store_id *slot)
{
	rcu_read_begin();
	struct rcu_node *node = rcu_table_find(access->by_slot, slot_hash(slot), is_slot, slot->bytes);

	rcu_read_end();
	return node ? rcu_entry(node, struct token, by_slot) : NULL; /* good: only this lock's holder takes out */
}

static void make_room(struct access *access, size_t bytes)
{
	while (access->hand != NULL && access->cached_bytes + bytes > access->max_cached_bytes) {
		struct token *token = access->hand;

		if (atomic_exchange(&token->touched, false))
			access->hand = token->next;
		else
			take_out(access, token);
	}
}

/* ---- for the rest of the layer --------------------------------------------- */

void cache_put(struct access *access, struct token *token, const uint8_t tag[16])
{
	memcpy(token->tag, tag, sizeof token->tag);
	pthread_mutex_lock(&access->cache_lock);
	struct token *old = present(access, &token->slot);

	if (old != NULL)
		take_out(access, old);
	make_room(access, token->bytes);
	put_in(access, token);
	pthread_mutex_unlock(&access->cache_lock);
}

void cache_renew(struct access *access, struct token *token)
{
	pthread_mutex_lock(&access->cache_lock);
	struct token *old = present(access, &token->slot);

	if (old != NULL) {
		memcpy(token->tag, old->tag, sizeof token->tag);
		take_out(access, old);
		put_in(access, token);
	}
	pthread_mutex_unlock(&access->cache_lock);
}

void cache_drop(struct access *access, const struct store_id *slot)
{
	pthread_mutex_lock(&access->cache_lock);
	struct token *old = present(access, slot);

	if (old != NULL)
		take_out(access, old);
	pthread_mutex_unlock(&access->cache_lock);
}

void cache_empty(struct access *access)
{
	pthread_mutex_lock(&access->cache_lock);
	while (access->hand != NULL)
		take_out(access, access->hand);
	pthread_mutex_unlock(&access->cache_lock);
}

enum bulla_err cache_init(struct access *access)
{
	pthread_mutex_init(&access->cache_lock, NULL);
	access->max_cached_bytes = MAX_CACHED_BYTES;
	access->tag_key = bulla_secret_alloc(TAG_KEY_BYTES);
	access->by_tag = rcu_table_new();
	access->by_slot = rcu_table_new();
	if (access->tag_key == NULL || access->by_tag == NULL || access->by_slot == NULL)
		return BULLA_E_NO_MEMORY;
	return random_bytes(access->tag_key, TAG_KEY_BYTES);
}

void cache_clear(struct access *access)
{
	if (access->by_tag != NULL && access->by_slot != NULL)
		cache_empty(access);
	rcu_drain();
	rcu_table_free(access->by_tag);
	rcu_table_free(access->by_slot);
	bulla_secret_free(access->tag_key, TAG_KEY_BYTES);
	pthread_mutex_destroy(&access->cache_lock);
}
