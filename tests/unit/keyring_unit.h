/* keyring_unit.h: what the keyring's tests share: a keyring over a real store and a real, open seal, and one-line calls. */
#ifndef TESTS_KEYRING_UNIT_H
#define TESTS_KEYRING_UNIT_H

#include "store_unit.h"

#include "keyring/internal.h"
#include "seal/seal.h"

struct rig {
	struct bulla engine;
	struct bulla_call call;
	size_t secrets; /* in use before there were keys */
};

static const struct bulla_mount mount_a = { .path = { (const uint8_t *)"a/", 2 }, .uuid = { 0xaa, 1 } };
static const struct bulla_mount mount_b = { .path = { (const uint8_t *)"b/", 2 }, .uuid = { 0xbb, 2 } };
static const uint8_t seal_key[32] = { 7, 7, 7 };

/* As a record of the mount is there, to whoever only asks whether. */
static inline void put_mount(struct rig *rig, const struct bulla_mount *mount)
{
	struct store_write write;

	ck_assert_ok(mount_check(rig->engine.seal, mount->uuid, &write));
	write.change = STORE_PUT;
	write.expected = 0;
	ck_assert_ok(store_commit(rig->engine.store, &rig->call, &write, 1, NULL));
}

/* An existing file is unsealed. */
static inline struct rig rig_open_with(const struct store_options *options, size_t max_cached_bytes)
{
	struct rig rig = { .call = call_begin() };
	const struct bulla_seal_config config = { .kind = BULLA_SEAL_STATIC, .key_id = bulla_str("k1"),
						  .key = bulla_mem(seal_key, sizeof seal_key) };
	const struct bulla_init_args args = { 0 };
	struct bulla_init_result result;

	ck_assert_ok(store_open(options, &rig.call, &rig.engine.store));
	ck_assert_ok(seal_new(rig.engine.store, &config, &rig.call, &rig.engine.seal));
	if (seal_is_initialised(rig.engine.seal)) {
		ck_assert_ok(seal_unseal_auto(rig.engine.seal, &rig.call));
	} else {
		ck_assert_ok(seal_initialise(rig.engine.seal, &rig.call, &args, &result));
		ck_assert_ok(seal_settle(rig.engine.seal, &rig.call));
		put_mount(&rig, &mount_a);
		put_mount(&rig, &mount_b);
	}
	seal_admit(rig.engine.seal);
	ck_assert_ok(keyring_new(rig.engine.store, rig.engine.seal, max_cached_bytes, &rig.engine.keyring));
	rig.secrets = bulla_secret_in_use();
	return rig;
}

/* path NULL: in memory. */
static inline struct rig rig_open(const char *path, size_t max_cached_bytes)
{
	const struct store_options options = { .path = path };

	return rig_open_with(&options, max_cached_bytes);
}

static inline void rig_close(struct rig *rig)
{
	keyring_empty(rig->engine.keyring);
	ck_assert_uint_eq(bulla_secret_in_use(), rig->secrets); /* every key is wiped */
	keyring_free(rig->engine.keyring);
	seal_free(rig->engine.seal);
	store_close(rig->engine.store);
	call_end(&rig->call);
}

/* The next call: no detail, no warnings, fresh memory. */
static inline struct bulla_call *fresh(struct rig *rig)
{
	bulla_arena_reset(rig->call.arena);
	rig->call = (struct bulla_call){ .arena = rig->call.arena, .may_block = true };
	return &rig->call;
}

static inline struct bulla_call *fresh_loop(struct rig *rig)
{
	fresh(rig)->may_block = false;
	return &rig->call;
}

static inline struct bulla_key_info make(struct rig *rig, const char *name)
{
	const struct bulla_key_create_args args = { 0 };
	struct bulla_key_info info;
	bool created = false;

	ck_assert_ok(bulla_key_create(&rig->engine, fresh(rig), &mount_a, bulla_str(name), &args, &info, &created));
	ck_assert(created);
	return info;
}

static inline struct bulla_key_info rotate(struct rig *rig, const char *name)
{
	struct bulla_key_info info;

	ck_assert_ok(bulla_key_rotate(&rig->engine, fresh(rig), &mount_a, bulla_str(name), &info));
	return info;
}

static inline struct bulla_key_info look(struct rig *rig, const char *name)
{
	struct bulla_key_info info;

	ck_assert_ok(bulla_key_read(&rig->engine, fresh(rig), &mount_a, bulla_str(name), &info));
	return info;
}

static inline enum bulla_err config(struct rig *rig, const char *name, const struct bulla_key_config_args *args,
				    struct bulla_key_info *info)
{
	return bulla_key_config(&rig->engine, fresh(rig), &mount_a, bulla_str(name), args, info);
}

static inline void allow_deletion(struct rig *rig, const char *name)
{
	const struct bulla_key_config_args args = { .set = BULLA_KEY_DELETION_ALLOWED, .deletion_allowed = true };
	struct bulla_key_info info;

	ck_assert_ok(config(rig, name, &args, &info));
}

/* Both minimums; 0 for encryption leaves it alone. */
static inline void set_min(struct rig *rig, const char *name, int64_t decryption, int64_t encryption)
{
	const struct bulla_key_config_args args = {
		.set = BULLA_KEY_MIN_DECRYPTION | (encryption ? (unsigned)BULLA_KEY_MIN_ENCRYPTION : 0),
		.min_decryption = decryption, .min_encryption = encryption };
	struct bulla_key_info info;

	ck_assert_ok(config(rig, name, &args, &info));
}

#define ck_assert_detail(rig, err_, code, text)          \
	do {                                             \
		ck_assert_err(err_, code);               \
		ck_assert_bytes((rig).call.detail, text); \
	} while (0)

static inline enum bulla_err count_record(const struct store_record *record, void *count)
{
	(void)record;
	++*(size_t *)count;
	return BULLA_OK;
}

static inline size_t stored_versions(struct rig *rig, const char *name)
{
	struct store_id any;
	size_t count = 0;

	ck_assert_ok(record_version_slot(rig->engine.seal, mount_a.uuid, bulla_str(name), 1, &any));
	ck_assert_ok(store_scan(rig->engine.store, fresh(rig), any.bytes, count_record, &count));
	return count;
}

static inline size_t stored_heads(struct rig *rig, const struct bulla_mount *mount)
{
	struct store_id any;
	size_t count = 0;

	ck_assert_ok(record_head_slot(rig->engine.seal, mount->uuid, bulla_str("x"), &any));
	ck_assert_ok(store_scan(rig->engine.store, fresh(rig), any.bytes, count_record, &count));
	return count;
}

#endif
