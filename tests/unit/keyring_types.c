/* Key types that are not symmetric ciphers: material of other lengths, public keys, opened keys, sizes, what may be long. */
#define _GNU_SOURCE
#include <openssl/crypto.h>
#include <pthread.h>

#include "bulla/encode.h"
#include "keyring_unit.h"

static const struct {
	const char *type, *title;
	bool encrypts, signs, derives, slow;
} types[] = {
	{ "ed25519", "ed25519", false, true, true, false },
	{ "ecdsa-p256", "P-256", false, true, false, false },
	{ "ecdsa-p384", "P-384", false, true, false, false },
	{ "ecdsa-p521", "P-521", false, true, false, false },
	{ "rsa-2048", "rsa-2048", true, true, false, true },
	{ "rsa-3072", "rsa-3072", true, true, false, true },
	{ "rsa-4096", "rsa-4096", true, true, false, true },
};
#define TYPES (sizeof types / sizeof types[0])

static struct bulla_key_info make_type(struct rig *rig, const char *type)
{
	const struct bulla_key_create_args args = { .type = bulla_str(type) };
	struct bulla_key_info info;
	bool created = false;

	ck_assert_ok(bulla_key_create(&rig->engine, fresh(rig), &mount_a, bulla_str("k"), &args, &info, &created));
	ck_assert(created);
	return info;
}

static const struct key *begin(struct rig *rig)
{
	const struct key *key;

	ck_assert_ok(keyring_begin(rig->engine.keyring, fresh(rig), &mount_a, bulla_str("k"), &key));
	return key;
}

/* The digest of a version's material, to know it by. */
static void fingerprint(struct rig *rig, uint32_t number, uint8_t out[SHA256_BYTES])
{
	const struct key *key = begin(rig);
	const struct key_version *version = key_version(key, number);

	ck_assert_ptr_nonnull(version);
	ck_assert_ptr_nonnull(version->key);
	sha256(bulla_mem(version->key, version->key_len), out);
	keyring_end(key);
}

START_TEST(create_rotate_load)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct bulla_key_info info = make_type(&rig, types[_i].type);
	uint8_t first[SHA256_BYTES], second[SHA256_BYTES], again[SHA256_BYTES];
	char public[1024];

	fingerprint(&rig, 1, first);
	rotate(&rig, "k");
	fingerprint(&rig, 2, second);
	ck_assert_int_ne(memcmp(first, second, sizeof first), 0);
	for (int loaded = 0; loaded < 2; loaded++) {
		info = look(&rig, "k");
		ck_assert_str_eq(info.type, types[_i].type);
		ck_assert_str_eq(info.version_name, types[_i].title);
		ck_assert(info.asymmetric);
		ck_assert_uint_eq(info.key_size, 0);
		ck_assert_int_eq(info.can_encrypt, types[_i].encrypts);
		ck_assert_int_eq(info.can_sign, types[_i].signs);
		ck_assert_int_eq(info.can_derive, types[_i].derives);
		ck_assert_uint_eq(info.version_count, 2);
		ck_assert(!bulla_equal(info.versions[0].public_key, info.versions[1].public_key));
		ck_assert_uint_gt(info.versions[0].public_key.len, 40);
		ck_assert_uint_eq(info.versions[0].certificate_chain.len, 0);
		if (loaded == 0)
			memcpy(public, info.versions[0].public_key.ptr, info.versions[0].public_key.len);
		else
			ck_assert_mem_eq(public, info.versions[0].public_key.ptr, info.versions[0].public_key.len);
		fingerprint(&rig, 1, again);
		ck_assert_mem_eq(first, again, sizeof first);
		keyring_empty(rig.engine.keyring);
	}
	rig_close(&rig);
}
END_TEST

/* One opened key for all who ask, which outlives the read section and the snapshot. */
START_TEST(opened_once)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct pkey_params params = { .digest = DIGEST_SHA2_256, .padding = PKEY_PSS, .salt_bytes = PKEY_SALT_HASH };
	struct pkey *one = NULL, *two = NULL;
	uint8_t sig[PKEY_MAX_SIGNATURE];
	size_t len, before = CRYPTO_secure_used();
	bool valid = false;

	make_type(&rig, types[_i].type);
	const struct key *key = begin(&rig);

	ck_assert_ok(keyring_pkey(key, key_version(key, 1), &one));
	ck_assert_ok(keyring_pkey(key, key_version(key, 1), &two));
	ck_assert_ptr_eq(one, two);
	keyring_end(key);
	pkey_put(two);
	keyring_empty(rig.engine.keyring);
	ck_assert_ok(pkey_sign(one, &params, bulla_str("text"), sig, &len));
	ck_assert_ok(pkey_verify(one, &params, bulla_str("text"), bulla_mem(sig, len), &valid));
	ck_assert(valid);
	ck_assert_uint_gt(CRYPTO_secure_used(), before);
	pkey_put(one);
	rig_close(&rig);
}
END_TEST

struct opener {
	const struct key *key;
	pthread_barrier_t *start;
	struct pkey *found;
	struct bulla_bytes public;
};

static void *open_at_once(void *context)
{
	struct opener *opener = context;
	const struct key_version *version = key_version(opener->key, 1);

	pthread_barrier_wait(opener->start);
	if (keyring_pkey(opener->key, version, &opener->found) != BULLA_OK ||
	    version_public(opener->key, version, &opener->public) != BULLA_OK)
		return NULL;
	return opener;
}

/* Whoever comes first, all get the same. */
START_TEST(opened_at_once)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	pthread_barrier_t start;
	struct opener openers[4];
	pthread_t threads[4];
	void *result;

	make_type(&rig, "ecdsa-p256");
	keyring_empty(rig.engine.keyring);
	ck_assert_int_eq(pthread_barrier_init(&start, NULL, 4), 0);
	const struct key *key = begin(&rig);

	for (size_t i = 0; i < 4; i++) {
		openers[i] = (struct opener){ .key = key, .start = &start };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_at_once, &openers[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		ck_assert_ptr_nonnull(result);
		ck_assert_ptr_eq(openers[i].found, openers[0].found);
		ck_assert_ptr_eq(openers[i].public.ptr, openers[0].public.ptr);
	}
	keyring_end(key);
	for (size_t i = 0; i < 4; i++)
		pkey_put(openers[i].found);
	pthread_barrier_destroy(&start);
	rig_close(&rig);
}
END_TEST

/* The heap is fixed in size: what does not fit stays open only as long as it is used, and works. */
START_TEST(locked_heap_full)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	static void *held[4096];
	struct pkey *one = NULL, *two = NULL;
	size_t count = 0;

	make_type(&rig, "ecdsa-p256");
	while (pkey_keep_open() && count < 4096) {
		held[count] = OPENSSL_secure_malloc(8192);
		ck_assert_ptr_nonnull(held[count++]);
	}
	ck_assert(!pkey_keep_open());
	const struct key *key = begin(&rig);

	ck_assert_ok(keyring_pkey(key, key_version(key, 1), &one));
	ck_assert_ok(keyring_pkey(key, key_version(key, 1), &two));
	ck_assert_ptr_ne(one, two);
	keyring_end(key);
	pkey_put(one), pkey_put(two);
	while (count > 0)
		OPENSSL_secure_free(held[--count]);
	rig_close(&rig);
}
END_TEST

START_TEST(derived_public_keys)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const struct bulla_key_create_args args = { .type = bulla_str("ed25519"), .derived = true };
	struct bulla_key_info info, other;
	uint8_t raw[64];
	size_t len, bad_at;
	bool created;

	ck_assert_ok(bulla_key_create(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &args, &info, &created));
	ck_assert_uint_eq(info.versions[0].public_key.len, 0);
	rotate(&rig, "k");
	ck_assert_ok(bulla_key_read_derived(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), bulla_str("one"), &info));
	ck_assert_uint_eq(info.version_count, 2);
	ck_assert(!bulla_equal(info.versions[0].public_key, info.versions[1].public_key));
	ck_assert_ok(bulla_base64_decode(info.versions[0].public_key, raw, &len, &bad_at));
	ck_assert_uint_eq(len, 32);
	rig.call.may_block = false; /* two openings may be done on a loop; the texts stay in the arena */
	ck_assert_ok(bulla_key_read_derived(&rig.engine, &rig.call, &mount_a, bulla_str("k"), bulla_str("two"), &other));
	ck_assert(!bulla_equal(info.versions[0].public_key, other.versions[0].public_key));
	for (int i = 0; i < 8; i++)
		rotate(&rig, "k");
	ck_assert_err(bulla_key_read_derived(&rig.engine, fresh_loop(&rig), &mount_a, bulla_str("k"), bulla_str("two"), &other),
		      BULLA_E_MUST_BLOCK);
	ck_assert_ok(bulla_key_read(&rig.engine, fresh_loop(&rig), &mount_a, bulla_str("k"), &other));
	rig_close(&rig);
}
END_TEST

static enum bulla_err create(struct rig *rig, const struct bulla_key_create_args *args)
{
	struct bulla_key_info info;
	bool created;

	return bulla_key_create(&rig->engine, fresh(rig), &mount_a, bulla_str("k"), args, &info, &created);
}

START_TEST(refused)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct bulla_key_create_args args = { .type = bulla_str(types[_i].type), .key_size = 32 };
	char text[200];

	snprintf(text, sizeof text, "key_size is not valid for algorithm %s", types[_i].type);
	ck_assert_detail(rig, create(&rig, &args), BULLA_E_INVALID, text);
	args = (struct bulla_key_create_args){ .type = args.type, .derived = true, .convergent = true };
	snprintf(text, sizeof text, types[_i].derives ? "convergent encryption not supported for keys of type %s" :
		 "key derivation and convergent encryption not supported for keys of type %s", types[_i].type);
	ck_assert_detail(rig, create(&rig, &args), BULLA_E_INVALID_500, text);
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 0);
	rig_close(&rig);
}
END_TEST

/* ---- hmac ------------------------------------------------------------------------------------------------------------------ */

START_TEST(hmac_sizes)
{
	static const int64_t bad[] = { 31, 513, -1, INT64_MIN, INT64_MAX };
	struct rig rig = rig_open(NULL, 1 << 20);
	struct bulla_key_create_args args = { .type = bulla_str("hmac") };

	ck_assert_detail(rig, create(&rig, &args), BULLA_E_INVALID_500,
			 "invalid key size for HMAC key, must be between 32 and 512 bytes");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char text[64];

		args.key_size = bad[i];
		snprintf(text, sizeof text, "invalid key_size %lld", (long long)bad[i]);
		ck_assert_detail(rig, create(&rig, &args), BULLA_E_INVALID, text);
	}
	args = (struct bulla_key_create_args){ .type = bulla_str("hmac"), .key_size = 32, .derived = true };
	ck_assert_detail(rig, create(&rig, &args), BULLA_E_INVALID_500,
			 "key derivation and convergent encryption not supported for keys of type hmac");
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 0);
	rig_close(&rig);
}
END_TEST

START_TEST(hmac_keys)
{
	static const int64_t sizes[] = { 32, 33, 100, 512 };
	struct rig rig = rig_open(NULL, 1 << 20);
	const struct bulla_key_create_args args = { .type = bulla_str("hmac"), .key_size = sizes[_i] };
	uint8_t first[SHA256_BYTES], again[SHA256_BYTES];

	ck_assert_ok(create(&rig, &args));
	fingerprint(&rig, 1, first);
	rotate(&rig, "k"); /* the size goes on */
	keyring_empty(rig.engine.keyring);
	fingerprint(&rig, 1, again);
	ck_assert_mem_eq(first, again, sizeof first);
	rotate(&rig, "k");
	struct bulla_key_info info = look(&rig, "k");

	ck_assert_uint_eq(info.key_size, (size_t)sizes[_i]);
	ck_assert(!info.asymmetric && !info.can_sign && !info.can_encrypt && !info.can_derive);
	const struct key *key = begin(&rig);

	for (uint32_t n = 1; n <= 3; n++) {
		const struct key_version *version = key_version(key, n);

		ck_assert_uint_eq(version->key_len, (size_t)sizes[_i]);
		ck_assert_ptr_eq(version->hmac_key, version->key); /* as the peer has it */
		ck_assert_uint_eq(version->hmac_key_len, version->key_len);
	}
	keyring_end(key);
	rig_close(&rig);
}
END_TEST

/* ---- what takes long -------------------------------------------------------------------------------------------------------- */

START_TEST(loops_are_spared)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const struct bulla_key_create_args args = { .type = bulla_str(types[_i].type) };
	struct bulla_key_info info;
	bool created;

	ck_assert_err(bulla_key_create(&rig.engine, fresh_loop(&rig), &mount_a, bulla_str("k"), &args, &info, &created),
		      BULLA_E_MUST_BLOCK);
	ck_assert_int_eq(rig.call.needs, types[_i].slow ? BULLA_WORK_CPU : BULLA_WORK_DISK);
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 0);
	make_type(&rig, types[_i].type);
	ck_assert_ok(bulla_key_create(&rig.engine, fresh_loop(&rig), &mount_a, bulla_str("k"), &args, &info, &created));
	ck_assert_err(bulla_key_rotate(&rig.engine, fresh_loop(&rig), &mount_a, bulla_str("k"), &info), BULLA_E_MUST_BLOCK);
	ck_assert_int_eq(rig.call.needs, types[_i].slow ? BULLA_WORK_CPU : BULLA_WORK_DISK);
	ck_assert_uint_eq(look(&rig, "k").latest, 1);
	rig_close(&rig);
}
END_TEST

/* A record that opens but holds no key of its type: told without a public key, and refused for use. */
START_TEST(material_that_is_none)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct pkey *pkey = NULL;

	make_type(&rig, types[_i].type);
	const struct key *key = begin(&rig);
	struct version *bad = version_new(1, 1, 0, 100);

	memset(bad->cell, 0x30, bad->cell_bytes);
	ck_assert_err(keyring_pkey(key, &bad->pub, &pkey), BULLA_E_STORE_DAMAGED);
	ck_assert_ptr_null(pkey);
	keyring_end(key);
	version_put(bad);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyring/types");
	TCase *tcase = tcase_create("types");

	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, create_rotate_load, 0, TYPES);
	tcase_add_loop_test(tcase, opened_once, 0, 5);
	tcase_add_test(tcase, opened_at_once);
	tcase_add_test(tcase, locked_heap_full);
	tcase_add_test(tcase, derived_public_keys);
	tcase_add_loop_test(tcase, refused, 0, TYPES);
	tcase_add_test(tcase, hmac_sizes);
	tcase_add_loop_test(tcase, hmac_keys, 0, 4);
	tcase_add_loop_test(tcase, loops_are_spared, 0, 5);
	tcase_add_loop_test(tcase, material_that_is_none, 0, 5);
	suite_add_tcase(suite, tcase);
	return unit_main(suite);
}
