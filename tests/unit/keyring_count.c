/* Message counts: they hold through evictions, restarts and crashes, warn on time, and end in a rotation or a refusal. */
#include "keyring_unit.h"

#include <pthread.h>
#include <stdio.h>

#include "bulla/transit.h"

#define WARN 8000
#define MAX 10000

static struct bulla_bytes name = { (const uint8_t *)"k", 1 };

/* With limits that a test can reach. */
static struct rig open_low(const char *path)
{
	struct rig rig = rig_open(path, 1 << 20);

	keyring_count_limits_set(rig.engine.keyring, WARN, MAX);
	return rig;
}

static void make_type(struct rig *rig, const char *type)
{
	const struct bulla_key_create_args args = { .type = bulla_str(type) };
	struct bulla_key_info info;
	bool created;

	ck_assert_ok(bulla_key_create(&rig->engine, fresh(rig), &mount_a, name, &args, &info, &created));
}

static enum bulla_err encrypt_with(struct rig *rig, struct bulla_call *call, int64_t version, struct bulla_item_result *result)
{
	const struct bulla_encrypt_item item = { .plaintext = bulla_str("x"), .key_version = version };
	const struct bulla_encrypt_args args = { .mount = &mount_a, .name = name, .items = &item, .count = 1 };

	return bulla_encrypt(&rig->engine, call, &args, result);
}

/* The version that it was encrypted under; 0: refused, and result says why. */
static uint32_t encrypt(struct rig *rig, int64_t version, struct bulla_item_result *result)
{
	ck_assert_ok(encrypt_with(rig, fresh(rig), version, result));
	return result->err == BULLA_OK ? result->key_version : 0;
}

/* Encrypts n messages, all of them under that version. */
static void spend(struct rig *rig, int n, uint32_t version)
{
	struct bulla_item_result result;

	for (int i = 0; i < n; i++)
		ck_assert_uint_eq(encrypt(rig, 0, &result), version);
}

/* How many messages, at most, the version can still encrypt without a write. */
static uint64_t left(struct rig *rig, uint32_t version)
{
	const struct key *key;

	ck_assert_ok(keyring_begin(rig->engine.keyring, fresh(rig), &mount_a, name, &key));
	struct version *v = versions_get(&key->versions, version);
	uint64_t used = atomic_load(&v->count.used), limit = atomic_load(&v->count.limit);

	keyring_end(key);
	return used < limit ? limit - used : 0;
}

static size_t stored_counts(struct rig *rig)
{
	struct store_id any;
	size_t count = 0;

	ck_assert_ok(record_count_slot(rig->engine.seal, mount_a.uuid, name, 1, &any));
	ck_assert_ok(store_scan(rig->engine.store, fresh(rig), any.bytes, count_record, &count));
	return count;
}

static bool warned(const struct bulla_call *call)
{
	return call->warnings != NULL && memmem(call->warnings->text.ptr, call->warnings->text.len, "should be rotated soon", 22) != NULL;
}

/* A key that is used little costs no write for its count; a loop never waits. */
START_TEST(first_block)
{
	struct rig rig = open_low(NULL);
	struct bulla_item_result result;

	make_type(&rig, "aes256-gcm96");
	spend(&rig, COUNT_FIRST, 1);
	ck_assert_uint_eq(stored_counts(&rig), 0);
	ck_assert_err(encrypt_with(&rig, fresh_loop(&rig), 0, &result), BULLA_E_MUST_BLOCK);
	spend(&rig, 1, 1);
	ck_assert_uint_eq(stored_counts(&rig), 1);
	ck_assert_ok(encrypt_with(&rig, fresh_loop(&rig), 0, &result));
	rig_close(&rig);
}
END_TEST

/* Whatever was left of a block when the key left memory is lost, and never given out again. */
START_TEST(never_refunded)
{
	folder_make();
	struct rig rig = open_low(file);

	make(&rig, "k");
	spend(&rig, 10, 1);
	rig_close(&rig);
	rig = open_low(file);
	ck_assert_uint_eq(left(&rig, 1), 0); /* 4,096 were reserved */
	spend(&rig, 1, 1);
	ck_assert_uint_eq(left(&rig, 1), WARN - COUNT_FIRST - 1);
	keyring_empty(rig.engine.keyring); /* as when the cache evicts it */
	ck_assert_uint_eq(left(&rig, 1), 0);
	spend(&rig, 1, 1);
	ck_assert_uint_eq(left(&rig, 1), MAX - WARN - 1);
	rig_close(&rig);
	folder_remove();
}
END_TEST

/* From the 8,000th on: the reply, the key, and once the log. */
START_TEST(warning)
{
	struct rig rig = open_low(NULL);
	struct bulla_item_result result;

	make(&rig, "k");
	spend(&rig, WARN, 1);
	ck_assert_ptr_null(rig.call.warnings);
	look(&rig, "k");
	ck_assert_ptr_null(rig.call.warnings);
	ck_assert_ok(keyring_tick(rig.engine.keyring, fresh(&rig)));
	ck_assert_ptr_null(rig.call.warnings);
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(encrypt(&rig, 0, &result), 1);
		ck_assert(warned(&rig.call));
		ck_assert_ptr_null(rig.call.warnings->next);
	}
	look(&rig, "k");
	ck_assert(warned(&rig.call));
	ck_assert_ok(keyring_tick(rig.engine.keyring, fresh(&rig)));
	ck_assert_ptr_nonnull(rig.call.warnings);
	ck_assert_bytes(rig.call.warnings->text,
			"version 1 of key k of a/ has encrypted 8000 messages: it should be rotated before it reaches 10000");
	ck_assert_ok(keyring_tick(rig.engine.keyring, fresh(&rig)));
	ck_assert_ptr_null(rig.call.warnings);
	keyring_empty(rig.engine.keyring); /* and it is known after loading */
	look(&rig, "k");
	ck_assert(warned(&rig.call));
	rotate(&rig, "k");
	look(&rig, "k");
	ck_assert_ptr_null(rig.call.warnings);
	rig_close(&rig);
}
END_TEST

/* 10,000 under version 1, not one more; then version 2, on its own count. */
START_TEST(rotates)
{
	struct rig rig = open_low(NULL);
	struct bulla_item_result result;

	make(&rig, "k");
	spend(&rig, MAX, 1);
	ck_assert_err(encrypt_with(&rig, fresh_loop(&rig), 0, &result), BULLA_E_MUST_BLOCK);
	spend(&rig, 3, 2);
	ck_assert_ptr_null(rig.call.warnings);
	ck_assert_uint_eq(encrypt(&rig, 1, &result), 0); /* who asks for version 1 is refused */
	ck_assert_err(result.err, BULLA_E_INVALID);
	ck_assert_bytes(result.error, "version 1 of the key has encrypted 10000 messages, as many as are safe: only decryption goes on");
	ck_assert_uint_eq(look(&rig, "k").latest, 2);
	rig_close(&rig);
}
END_TEST

/* An imported key that may not be rotated: refused, and what it encrypted can be read. */
static enum bulla_err import_step(struct change *change, void *unused)
{
	(void)unused;
	change->next = key_next(change->old);
	change->next->head.flags |= KEY_IMPORTED;
	return change_write_head(change);
}

START_TEST(refuses)
{
	struct rig rig = open_low(NULL);
	struct bulla_item_result result;
	char text[128];

	make(&rig, "k");
	ck_assert_ok(change_run(rig.engine.keyring, fresh(&rig), &mount_a, name, import_step, NULL, NULL));
	spend(&rig, MAX, 1);
	size_t n = bulla_ciphertext_len(1, 29);

	ck_assert_uint_eq(encrypt(&rig, 0, &result), 0);
	ck_assert_err(result.err, BULLA_E_INVALID);
	ck_assert_uint_eq(bulla_err_row(result.err)->status, 400);
	ck_assert_uint_eq(look(&rig, "k").latest, 1);
	/* one of another life of the key, so to speak */
	keyring_count_limits_set(rig.engine.keyring, WARN, MAX + 1);
	ck_assert_uint_eq(encrypt(&rig, 0, &result), 1);
	bulla_ciphertext_print(1, result.bytes, text);
	keyring_count_limits_set(rig.engine.keyring, WARN, MAX);
	ck_assert_uint_eq(encrypt(&rig, 0, &result), 0);
	const struct bulla_decrypt_item item = { .ciphertext = bulla_mem(text, n) };
	const struct bulla_decrypt_args args = { .mount = &mount_a, .name = name, .items = &item, .count = 1 };

	ck_assert_ok(bulla_decrypt(&rig.engine, fresh(&rig), &args, &result));
	ck_assert_ok(result.err);
	ck_assert_bytes(result.bytes, "x");
	rig_close(&rig);
}
END_TEST

/* Each item of a batch counts; one that goes over the end is encrypted to the end under the next version. */
START_TEST(batches)
{
	struct rig rig = open_low(NULL);
	static struct bulla_encrypt_item items[6000];
	static struct bulla_item_result results[6000];
	const struct bulla_encrypt_args args = { .mount = &mount_a, .name = name, .items = items, .count = 6000 };

	for (size_t i = 0; i < args.count; i++)
		items[i] = (struct bulla_encrypt_item){ .plaintext = bulla_str("x") };
	make(&rig, "k");
	ck_assert_ok(bulla_encrypt(&rig.engine, fresh(&rig), &args, results));
	ck_assert_ptr_null(rig.call.warnings);
	ck_assert_ok(bulla_encrypt(&rig.engine, fresh(&rig), &args, results));
	ck_assert(warned(&rig.call));
	ck_assert_ptr_null(rig.call.warnings->next);
	for (size_t i = 0; i < args.count; i++) {
		ck_assert_ok(results[i].err);
		ck_assert_uint_eq(results[i].key_version, i < 4000 ? 1 : 2);
	}
	rig_close(&rig);
}
END_TEST

/* Random nonces of 192 bits need no count. */
START_TEST(long_nonces)
{
	struct rig rig = open_low(NULL);

	make_type(&rig, "xchacha20-poly1305");
	spend(&rig, MAX + 10, 1);
	ck_assert_uint_eq(stored_counts(&rig), 0);
	rig_close(&rig);
}
END_TEST

/* Trim and deletion take the counts, too; a new key of the name begins at nothing. */
START_TEST(destroyed)
{
	struct rig rig = open_low(NULL);
	struct bulla_key_info info;
	const int64_t two = 2;

	make(&rig, "k");
	spend(&rig, COUNT_FIRST + 1, 1);
	rotate(&rig, "k");
	spend(&rig, COUNT_FIRST + 1, 2);
	ck_assert_uint_eq(stored_counts(&rig), 2);
	set_min(&rig, "k", 2, 2);
	ck_assert_ok(bulla_key_trim(&rig.engine, fresh(&rig), &mount_a, name, &two, &info));
	ck_assert_uint_eq(stored_counts(&rig), 1);
	allow_deletion(&rig, "k");
	ck_assert_ok(bulla_key_delete(&rig.engine, fresh(&rig), &mount_a, name));
	ck_assert_uint_eq(stored_counts(&rig), 0);
	make(&rig, "k");
	ck_assert_uint_eq(left(&rig, 1), COUNT_FIRST);
	spend(&rig, COUNT_FIRST + 1, 1);
	ck_assert_ok(keyring_destroy_mount(rig.engine.keyring, fresh(&rig), mount_a.uuid));
	ck_assert_uint_eq(stored_counts(&rig), 0);
	rig_close(&rig);
}
END_TEST

/* A count that cannot be read counts as used up: the key goes on with its next version. */
START_TEST(damaged_count)
{
	struct rig rig = open_low(NULL);
	struct store_write write = { .change = STORE_PUT, .bytes = bulla_str("rubbish, and long enough to be a record, one would think") };

	make(&rig, "k");
	ck_assert_ok(record_count_slot(rig.engine.seal, mount_a.uuid, name, 1, &write.id));
	ck_assert_ok(store_commit(rig.engine.store, fresh(&rig), &write, 1, NULL));
	keyring_empty(rig.engine.keyring);
	spend(&rig, 1, 2);
	rig_close(&rig);
}
END_TEST

/* ---- many at once -------------------------------------------------------------------- */

#define THREADS 4
#define EACH 6000

static struct rig *shared;

static void *encrypt_many(void *counts)
{
	struct bulla_call call = call_begin();
	struct bulla_item_result result;

	for (int i = 0; i < EACH; i++) {
		bulla_arena_reset(call.arena);
		call = (struct bulla_call){ .arena = call.arena, .may_block = true };
		ck_assert_ok(encrypt_with(shared, &call, 0, &result));
		ck_assert_ok(result.err);
		((int *)counts)[result.key_version]++;
	}
	call_end(&call);
	return NULL;
}

/* 24,000 messages of four threads: no version has more than it may, and each rotation comes once. */
START_TEST(threads)
{
	struct rig rig = open_low(NULL);
	pthread_t ids[THREADS];
	int counts[THREADS][16] = { 0 };
	int total = 0;

	make(&rig, "k");
	shared = &rig;
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&ids[i], NULL, encrypt_many, counts[i]), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(ids[i], NULL), 0);
	uint32_t latest = look(&rig, "k").latest;

	ck_assert_uint_ge(latest, 3);
	ck_assert_uint_le(latest, 4);
	for (uint32_t version = 1; version <= latest; version++) {
		int n = counts[0][version] + counts[1][version] + counts[2][version] + counts[3][version];

		ck_assert_int_le(n, MAX);
		if (version < latest)
			ck_assert_int_gt(n, MAX - 100); /* hardly any number is lost to races */
		total += n;
	}
	ck_assert_int_eq(total, THREADS * EACH);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyring count");
	TCase *tc = tcase_create("count");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, first_block);
	tcase_add_test(tc, never_refunded);
	tcase_add_test(tc, warning);
	tcase_add_test(tc, rotates);
	tcase_add_test(tc, refuses);
	tcase_add_test(tc, batches);
	tcase_add_test(tc, long_nonces);
	tcase_add_test(tc, destroyed);
	tcase_add_test(tc, damaged_count);
	tcase_add_test(tc, threads);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
