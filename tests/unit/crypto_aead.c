/* The AEAD key types: known answers through the registry's rows and through OpenSSL alone (a row may take either way, by
 * length), what must not verify, and that no key is left behind. */
#include <pthread.h>

#include "crypto/alg.h"
#include "crypto/evp.h"
#include "scan.h"
#include "unit.h"
#include "vectors.h"

#define UNTOUCHED 0xA5

struct vector {
	const char *id;
	const struct alg *alg;
	bool valid;
	struct bulla_bytes key, iv, aad, msg, sealed; /* sealed: ciphertext || tag */
};

static struct bulla_bytes joined(struct bulla_bytes a, struct bulla_bytes b)
{
	uint8_t *p = malloc(a.len + b.len);

	if (a.len > 0)
		memcpy(p, a.ptr, a.len);
	memcpy(p + a.len, b.ptr, b.len);
	struct bulla_bytes both = bulla_mem(p, a.len + b.len);

	vector_free(a);
	vector_free(b);
	return both;
}

static struct vector vector_read(const json_t *test)
{
	struct vector v = {
		.id = vector_text(test, "id"),
		.alg = alg_by_name(bulla_str(vector_text(test, "alg"))),
		.valid = vector_valid(test),
		.key = vector_bytes(test, "key"),
		.iv = vector_bytes(test, "iv"),
		.aad = vector_bytes(test, "aad"),
		.msg = vector_bytes(test, "msg"),
		.sealed = joined(vector_bytes(test, "ct"), vector_bytes(test, "tag")),
	};

	ck_assert_ptr_nonnull(v.alg);
	ck_assert_uint_eq(v.key.len, v.alg->key_bytes);
	ck_assert_uint_eq(v.iv.len, v.alg->nonce_bytes);
	return v;
}

static void vector_clear(struct vector *v)
{
	vector_free(v->key);
	vector_free(v->iv);
	vector_free(v->aad);
	vector_free(v->msg);
	vector_free(v->sealed);
}

static enum evp_aead evp_of(const struct alg *alg)
{
	if (alg == &alg_aes128_gcm96)
		return EVP_AEAD_AES128_GCM;
	if (alg == &alg_aes256_gcm96)
		return EVP_AEAD_AES256_GCM;
	return alg == &alg_chacha20_poly1305 ? EVP_AEAD_CHACHA20_POLY1305 : EVP_AEAD_COUNT;
}

/* The row's own way, or OpenSSL's: evp must then be possible for the row. */
static enum bulla_err seal(const struct vector *v, bool evp, struct bulla_bytes msg, uint8_t *out)
{
	if (evp)
		return evp_seal(evp_of(v->alg), v->key.ptr, v->iv.ptr, v->aad, msg, out);
	return v->alg->seal(v->alg, v->key.ptr, v->iv.ptr, v->aad, msg, out);
}

static enum bulla_err open_(const struct vector *v, bool evp, struct bulla_bytes in, uint8_t *out)
{
	if (evp)
		return evp_open(evp_of(v->alg), v->key.ptr, v->iv.ptr, v->aad, in, out);
	return v->alg->open(v->alg, v->key.ptr, v->iv.ptr, v->aad, in, out);
}

/* Opening must be refused, and nothing that was not verified may be seen. */
static void refused(const struct vector *v, bool evp)
{
	size_t n = v->sealed.len - v->alg->tag_bytes;
	uint8_t *out = malloc(n + 1);
	bool clean = true;

	memset(out, UNTOUCHED, n + 1);
	ck_assert_msg(open_(v, evp, v->sealed, out) == BULLA_E_AUTH_FAILED, "%s: opened", v->id);
	for (size_t i = 0; i < n; i++)
		clean &= out[i] == UNTOUCHED || out[i] == 0;
	ck_assert_msg(clean, "%s: unverified plaintext", v->id);
	ck_assert_uint_eq(out[n], UNTOUCHED);
	free(out);
}

static void flip(struct bulla_bytes bytes, size_t bit)
{
	((uint8_t *)(uintptr_t)bytes.ptr)[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

static void flipped_is_refused(const struct vector *v, bool evp, struct bulla_bytes part)
{
	if (part.len == 0)
		return;
	const size_t bits[] = { 0, part.len * 8 - 1, part.len * 4 };

	for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
		flip(part, bits[i]);
		refused(v, evp);
		flip(part, bits[i]);
	}
}

static void agrees(const struct vector *v, bool evp)
{
	uint8_t *out = malloc(v->sealed.len);

	ck_assert_ok(seal(v, evp, v->msg, out));
	ck_assert_msg(memcmp(out, v->sealed.ptr, v->sealed.len) == 0, "%s: sealed otherwise", v->id);
	ck_assert_ok(open_(v, evp, v->sealed, out));
	ck_assert_msg(bulla_equal(bulla_mem(out, v->msg.len), v->msg), "%s: opened otherwise", v->id);
	ck_assert_ok(seal(v, evp, bulla_mem(out, v->msg.len), out)); /* in place */
	ck_assert_msg(memcmp(out, v->sealed.ptr, v->sealed.len) == 0, "%s: sealed otherwise in place", v->id);
	ck_assert_ok(open_(v, evp, bulla_mem(out, v->sealed.len), out));
	ck_assert_msg(bulla_equal(bulla_mem(out, v->msg.len), v->msg), "%s: opened otherwise in place", v->id);
	free(out);
	flipped_is_refused(v, evp, v->sealed);
	flipped_is_refused(v, evp, v->key);
	flipped_is_refused(v, evp, v->iv);
	flipped_is_refused(v, evp, v->aad);
}

static void check_vector(const struct vector *v, bool evp)
{
	if (v->valid)
		agrees(v, evp);
	else
		refused(v, evp);
}

static const char *const files[] = { "aead-rfc.json", "aead-nist.json", "aead-wycheproof.json" };

START_TEST(known_answers)
{
	json_t *root = vectors_load(files[_i]), *test;
	size_t i, valid = 0;

	json_array_foreach(json_object_get(root, "tests"), i, test) {
		struct vector v = vector_read(test);

		check_vector(&v, false);
		if (evp_of(v.alg) != EVP_AEAD_COUNT)
			check_vector(&v, true);
		valid += v.valid;
		vector_clear(&v);
	}
	ck_assert_uint_ge(valid, 3);
	json_decref(root);
}
END_TEST

START_TEST(registry)
{
	size_t count = 0;

	for (const struct alg *alg; (alg = alg_at(count)) != NULL; count++) {
		ck_assert_ptr_eq(alg_by_name(bulla_str(alg->name)), alg);
		ck_assert_ptr_eq(alg_by_id(alg->id), alg);
		ck_assert_uint_ne(alg->id, 0);
		ck_assert_uint_le(alg->key_bytes, ALG_MAX_SYMMETRIC_KEY);
		ck_assert_uint_le(alg->nonce_bytes, ALG_MAX_NONCE);
		ck_assert_uint_le(alg->tag_bytes, ALG_MAX_TAG);
		ck_assert_int_eq(alg->seal != NULL, alg->open != NULL);
		ck_assert_int_eq(alg->auth_failed != NULL, (alg->can & ALG_ENCRYPT) != 0);
		ck_assert_int_eq(alg->family != NULL, (alg->can & ALG_PKEY) != 0);
		ck_assert_int_eq(alg->key_bytes > 0, alg->seal != NULL);
	}
	ck_assert_uint_eq(count, 12);
	ck_assert_ptr_null(alg_at(count));
	ck_assert_ptr_null(alg_at(SIZE_MAX));
	ck_assert_ptr_null(alg_by_id(0));
	ck_assert_ptr_null(alg_by_id(UINT16_MAX));
}
END_TEST

START_TEST(registry_refuses)
{
	static const char *const names[] = { "", "aes", "aes256-gcm9", "aes256-gcm96 ", "AES256-GCM96", "aes192-gcm96" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		ck_assert_ptr_null(alg_by_name(bulla_str(names[i])));
	ck_assert_ptr_null(alg_by_name(bulla_mem("aes256-gcm96", 13)));
}
END_TEST

/* Ids are in records: they never change. */
START_TEST(ids_are_fixed)
{
	ck_assert_uint_eq(alg_aes128_gcm96.id, 1);
	ck_assert_uint_eq(alg_aes256_gcm96.id, 2);
	ck_assert_uint_eq(alg_chacha20_poly1305.id, 3);
	ck_assert_uint_eq(alg_xchacha20_poly1305.id, 4);
	ck_assert_uint_eq(alg_ed25519.id, 5);
	ck_assert_uint_eq(alg_ecdsa_p256.id, 6);
	ck_assert_uint_eq(alg_ecdsa_p384.id, 7);
	ck_assert_uint_eq(alg_ecdsa_p521.id, 8);
	ck_assert_uint_eq(alg_rsa_2048.id, 9);
	ck_assert_uint_eq(alg_rsa_3072.id, 10);
	ck_assert_uint_eq(alg_rsa_4096.id, 11);
	ck_assert_uint_eq(alg_hmac.id, 12);
}
END_TEST

static uint8_t key[ALG_MAX_SYMMETRIC_KEY] = { 1, 2, 3 }, nonce[ALG_MAX_NONCE] = { 4, 5, 6 };

/* A vector of our own: n bytes of text under aad_len bytes of associated data. */
static struct vector made(const struct alg *alg, size_t n, size_t aad_len)
{
	uint8_t *msg = malloc(n + 1), *aad = malloc(aad_len + 1);

	for (size_t i = 0; i < n; i++)
		msg[i] = (uint8_t)(i * 7 + i / 251);
	memset(aad, 0x77, aad_len + 1);
	return (struct vector){ .id = alg->name, .alg = alg, .key = bulla_mem(key, alg->key_bytes),
				.iv = bulla_mem(nonce, alg->nonce_bytes), .msg = bulla_mem(msg, n),
				.aad = bulla_mem(aad, aad_len) };
}

static void made_clear(struct vector *v)
{
	vector_free(v->msg);
	vector_free(v->aad);
	vector_free(v->sealed);
}

/* What a row seals by one library, the other opens: the length may have chosen either. */
START_TEST(both_ways_agree)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 63, 64, 65, 255, 1007, 1008, 1023, 1024, 1025, 1040, 1041, 4096 };
	static const size_t aads[] = { 0, 1, 16, 1023, 1024, 1025, 5000 };
	const struct alg *alg = alg_at((size_t)_i);

	if (evp_of(alg) == EVP_AEAD_COUNT)
		return;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] * (sizeof aads / sizeof aads[0]); i++) {
		struct vector v = made(alg, sizes[i % (sizeof sizes / sizeof sizes[0])],
				       aads[i / (sizeof sizes / sizeof sizes[0])]);
		uint8_t *sealed = malloc(v.msg.len + alg->tag_bytes);

		ck_assert_ok(seal(&v, true, v.msg, sealed));
		v.sealed = bulla_mem(sealed, v.msg.len + alg->tag_bytes);
		agrees(&v, false);
		made_clear(&v);
	}
}
END_TEST

/* Longer than the pieces that OpenSSL is fed with, and not a multiple of anything. */
START_TEST(long_message)
{
	const struct alg *alg = alg_at((size_t)_i);
	struct vector v = made(alg, ((size_t)3 << 20) + 13, ((size_t)1 << 20) + 5);
	size_t len = v.msg.len + alg->tag_bytes;
	uint8_t *out = malloc(len);

	ck_assert_ok(seal(&v, false, v.msg, out));
	v.sealed = bulla_mem(memcpy(malloc(len), out, len), len);
	agrees(&v, false);
	free(out);
	made_clear(&v);
}
END_TEST

START_TEST(shorter_than_a_tag)
{
	const struct alg *alg = alg_at((size_t)_i);
	struct vector v = made(alg, 0, 0);

	for (size_t n = 0; n < alg->tag_bytes; n++) {
		uint8_t *in = calloc(1, n + 1), out = UNTOUCHED;

		ck_assert_err(open_(&v, false, bulla_mem(n ? in : NULL, n), &out), BULLA_E_AUTH_FAILED);
		if (evp_of(alg) != EVP_AEAD_COUNT)
			ck_assert_err(open_(&v, true, bulla_mem(n ? in : NULL, n), &out), BULLA_E_AUTH_FAILED);
		ck_assert_uint_eq(out, UNTOUCHED);
		free(in);
	}
	made_clear(&v);
}
END_TEST

START_TEST(nothing_in_nothing_out)
{
	const struct alg *alg = alg_at((size_t)_i);
	uint8_t tag[ALG_MAX_TAG], out = UNTOUCHED;
	struct bulla_bytes none = { NULL, 0 };

	ck_assert_ok(alg->seal(alg, key, nonce, none, none, tag));
	ck_assert_ok(alg->open(alg, key, nonce, none, bulla_mem(tag, alg->tag_bytes), &out));
	ck_assert_uint_eq(out, UNTOUCHED);
	tag[0] ^= 1;
	ck_assert_err(alg->open(alg, key, nonce, none, bulla_mem(tag, alg->tag_bytes), &out), BULLA_E_AUTH_FAILED);
}
END_TEST

static void *worker(void *arg)
{
	const struct alg *alg = arg;
	bool ok = true;

	for (int round = 0; ok && round < 500; round++) {
		struct vector v = made(alg, (size_t)round * 5, 3);
		uint8_t *out = malloc(v.msg.len + alg->tag_bytes);

		ok = seal(&v, false, v.msg, out) == BULLA_OK &&
		     open_(&v, false, bulla_mem(out, v.msg.len + alg->tag_bytes), out) == BULLA_OK &&
		     bulla_equal(bulla_mem(out, v.msg.len), v.msg);
		free(out);
		made_clear(&v);
	}
	return ok ? arg : NULL;
}

START_TEST(threads)
{
	pthread_t ids[8];

	for (size_t i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&ids[i], NULL, worker, (void *)(uintptr_t)alg_at(i % 4)), 0);
	for (size_t i = 0; i < 8; i++) {
		void *result = NULL;

		ck_assert_int_eq(pthread_join(ids[i], &result), 0);
		ck_assert_ptr_nonnull(result);
	}
}
END_TEST

#ifndef BULLA_SANITIZER

/* Seals and opens size bytes under the key that the needles make; keeps no copy of it. */
__attribute__((noinline)) static void use_key(const struct alg *alg, const struct scan_needle needles[2], size_t size)
{
	uint8_t *secret = bulla_secret_alloc(ALG_MAX_SYMMETRIC_KEY);
	struct vector v = made(alg, size, 5);
	uint8_t *out = malloc(size + alg->tag_bytes);

	ck_assert_ptr_nonnull(secret);
	scan_unmask(&needles[0], secret);
	scan_unmask(&needles[1], secret + SCAN_BYTES);
	v.key = bulla_mem(secret, ALG_MAX_SYMMETRIC_KEY);
	ck_assert_uint_ge(scan_count(&needles[0]), 1); /* the search does find it while it is there */
	ck_assert_ok(seal(&v, false, v.msg, out));
	ck_assert_ok(open_(&v, false, bulla_mem(out, size + alg->tag_bytes), out));
	bulla_secret_free(secret, ALG_MAX_SYMMETRIC_KEY);
	free(out);
	made_clear(&v);
}

/* Key and key schedule begin with the same 16 or 32 bytes, in AES as in ChaCha20. */
START_TEST(no_key_is_left)
{
	static const size_t sizes[] = { 16, 1000, 5000 };
	struct scan_needle needles[2];

	ck_assert_ok(random_bytes(needles, sizeof needles));
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		use_key(alg_at((size_t)_i), needles, sizes[i]);
		ck_assert_uint_eq(scan_count(&needles[0]), 0);
		ck_assert_uint_eq(scan_count(&needles[1]), 0);
	}
}
END_TEST

#endif

int main(void)
{
	Suite *suite = suite_create("crypto/aead");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, registry_refuses);
	tcase_add_test(tc, registry);
	tcase_add_test(tc, ids_are_fixed);
	tcase_add_loop_test(tc, known_answers, 0, sizeof files / sizeof files[0]);
	tcase_add_loop_test(tc, shorter_than_a_tag, 0, 4);
	tcase_add_loop_test(tc, nothing_in_nothing_out, 0, 4);
	tcase_add_loop_test(tc, both_ways_agree, 0, 4);
	tcase_add_loop_test(tc, long_message, 0, 4);
	tcase_add_test(tc, threads);
#ifndef BULLA_SANITIZER
	tcase_add_loop_test(tc, no_key_is_left, 0, 4);
#endif
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
