/* cache.c: owns what the cache of snapshots (state/snapshots.h) is told of tokens that were used lately. Unknown tokens are not kept, so
 * that asking with many of them fills nothing. */
#include "access/access_private.h"
#include "crypto/crypto.h"

#define MAX_CACHED_BYTES (32u << 20)
#define TAG_KEY_BYTES 16

static uint64_t hash_of(const uint8_t tag[16])
{
	uint64_t h;

	memcpy(&h, tag, sizeof h); /* a keyed tag is a hash already */
	return h;
}

static bool is_tag(const struct rcu_node *node, const void *tag)
{
	return memcmp(rcu_entry(node, struct token, snapshot.by_name)->tag, tag, 16) == 0;
}

static void put_later(struct rcu_later *later)
{
	token_put(rcu_entry(later, struct token, snapshot.later));
}

void cache_tag(const struct access *access, struct bulla_bytes text, uint8_t tag[16])
{
	table_tag(access->tag_key, text, tag);
}

static struct token *held(struct snapshot *snapshot)
{
	if (snapshot == NULL)
		return NULL;
	snapshot_hold(snapshot);
	snapshot_mark_used(snapshot);
	return rcu_entry(snapshot, struct token, snapshot);
}

struct token *cache_find(struct access *access, const uint8_t tag[16])
{
	rcu_read_begin();
	struct token *token = held(snapshots_find(&access->cache, hash_of(tag), tag));

	rcu_read_end();
	return token;
}

struct token *cache_find_slot(struct access *access, const struct store_id *slot)
{
	rcu_read_begin();
	struct token *token = held(snapshots_find_id(&access->cache, slot));

	rcu_read_end();
	return token;
}

void cache_put(struct access *access, struct token *token, const uint8_t tag[16])
{
	memcpy(token->tag, tag, sizeof token->tag);
	snapshots_publish(&access->cache, &token->snapshot, hash_of(tag), tag);
}

void cache_renew(struct access *access, struct token *token)
{
	struct token *old = cache_find_slot(access, &token->snapshot.id);

	if (old != NULL)
		cache_put(access, token, old->tag);
	token_put(old);
}

void cache_drop(struct access *access, const struct store_id *slot)
{
	snapshots_drop(&access->cache, slot);
}

void cache_empty(struct access *access)
{
	snapshots_forget(&access->cache, NULL, NULL);
}

enum bulla_err cache_init(struct access *access)
{
	const struct snapshot_kind kind = { .is = is_tag, .put = put_later };
	enum bulla_err err = snapshots_init(&access->cache, kind, MAX_CACHED_BYTES, SIZE_MAX);

	access->tag_key = bulla_secret_alloc(TAG_KEY_BYTES);
	if (err != BULLA_OK || access->tag_key == NULL)
		return BULLA_E_NO_MEMORY;
	return random_bytes(access->tag_key, TAG_KEY_BYTES);
}

void cache_clear(struct access *access)
{
	snapshots_clear(&access->cache);
	bulla_secret_free(access->tag_key, TAG_KEY_BYTES);
}
