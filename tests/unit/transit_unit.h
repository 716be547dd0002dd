/* transit_unit.h: an engine that is a keyring with keys of known material, and nothing else: what the transit layer needs to
 * seal and open. Keys are put into the keyring's cache as loading would. */
#ifndef TESTS_TRANSIT_UNIT_H
#define TESTS_TRANSIT_UNIT_H

#include "unit.h"

#include "keyring/internal.h"
#include "transit/transit.h"

static struct bulla engine;
static struct bulla_call call;
static const struct bulla_mount mount = { .kind = BULLA_MOUNT_TRANSIT, .uuid = { 7 } };

static void setup(void)
{
	call = call_begin();
	ck_assert_ok(crypto_init());
	ck_assert_ok(keyring_new(NULL, NULL, 1u << 20, &engine.keyring));
}

static void teardown(void)
{
	keyring_free(engine.keyring);
	call_end(&call);
	ck_assert_uint_eq(bulla_secret_in_use(), 0);
}

/* Publishes a key that no store has: its name's hash stands for the id of its record. */
static inline void publish_unstored(struct key *key, const struct key_id *id)
{
	memcpy(key->snapshot.id.bytes + STORE_COLLECTION, &id->hash, sizeof id->hash);
	key->snapshot.epoch = snapshots_epoch(&engine.keyring->cache, &key->snapshot.id);
	cache_publish(engine.keyring, key, id);
	key_put(key);
}

/* Publishes a key with versions 1 to head->latest; fill(version, cell) sets the material of each (NULL: bytes of its number). */
static inline void publish(const char *name, const struct key_head *head, void (*fill)(uint32_t version, uint8_t *key, size_t len))
{
	struct key_id id;

	ck_assert_ok(keyring_id(engine.keyring, mount.uuid, bulla_str(name), &id));
	struct key *key = key_new(&id, head);

	ck_assert_ptr_nonnull(key);
	for (uint32_t n = 1; n <= head->latest; n++) {
		struct version *version = version_new(n, 1000000000, 3, head->alg->key_bytes);

		ck_assert_ptr_nonnull(version);
		atomic_store(&version->count.limit, UINT64_MAX); /* there is no store to reserve from */
		memset(version->cell, (int)n, version->cell_bytes);
		if (fill != NULL)
			fill(n, version->cell + KEY_HMAC_BYTES, head->alg->key_bytes);
		ck_assert_ok(key_add(key, version));
	}
	publish_unstored(key, &id);
}

static inline struct bulla_item_result seal_one(const char *name, struct bulla_encrypt_item item)
{
	const struct bulla_encrypt_args args = { .mount = &mount, .name = bulla_str(name), .items = &item, .count = 1 };
	struct bulla_item_result result;

	ck_assert_ok(bulla_encrypt(&engine, &call, &args, &result));
	ck_assert_uint_eq(call.detail.len, 0);
	return result;
}

static inline struct bulla_item_result open_one(const char *name, struct bulla_decrypt_item item)
{
	const struct bulla_decrypt_args args = { .mount = &mount, .name = bulla_str(name), .items = &item, .count = 1 };
	struct bulla_item_result result;

	ck_assert_ok(bulla_decrypt(&engine, &call, &args, &result));
	ck_assert_uint_eq(call.detail.len, 0);
	return result;
}

/* "vault:vN:..." of sealed bytes, in the call's arena. */
static inline struct bulla_bytes printed(uint32_t version, struct bulla_bytes sealed)
{
	size_t n = bulla_ciphertext_len(version, sealed.len);
	char *text = bulla_arena_alloc(call.arena, n);

	ck_assert_ptr_nonnull(text);
	bulla_ciphertext_print(version, sealed, text);
	return bulla_mem(text, n);
}

static inline struct bulla_bytes printed_result(const struct bulla_item_result *result)
{
	ck_assert_ok(result->err);
	return printed(result->key_version, result->bytes);
}

#define ck_assert_refused(result, error_, text)                \
	do {                                                   \
		struct bulla_item_result result_ = (result);   \
		ck_assert_err(result_.err, (error_));          \
		ck_assert_bytes(result_.error, (text));        \
		ck_assert_uint_eq(result_.bytes.len, 0);       \
		ck_assert_uint_eq(result_.key_version, 0);     \
	} while (0)

#endif
