/* Asymmetric keys: opening, forms, numbers, decryption, agreement, derivation; refusals of each. */
#include <openssl/crypto.h>
#include <pthread.h>

#include "crypto/pkey.h"
#include "unit.h"
#include "vectors.h"

static const struct alg *const algs[] = { &alg_ed25519, &alg_ecdsa_p256, &alg_ecdsa_p384, &alg_ecdsa_p521,
					  &alg_rsa_2048, &alg_rsa_3072, &alg_rsa_4096 };
#define ALGS (sizeof algs / sizeof algs[0])

static struct pkey *open_material(const struct alg *alg, const struct material *der)
{
	struct pkey *pkey = NULL;

	ck_assert_ok(pkey_open(alg, material_bytes(der), &pkey));
	return pkey;
}

static struct pkey *make(const struct alg *alg, struct material *der)
{
	ck_assert_ok(alg_make(alg, 0, NULL, der));
	return open_material(alg, der);
}

START_TEST(make_open_and_forms)
{
	const struct alg *alg = algs[_i];
	struct material der = { 0 }, again = { 0 }, public = { 0 }, traditional = { 0 };
	struct pkey *pkey = make(alg, &der), *other;

	ck_assert_ptr_eq(pkey_alg(pkey), alg);
	ck_assert(pkey_is_private(pkey));
	ck_assert_uint_eq(pkey_modulus_bytes(pkey), alg->can & ALG_ENCRYPT ? alg->bits / 8 : 0);
	ck_assert_ok(pkey_check(pkey));
	ck_assert_ok(pkey_encode(pkey, PKEY_PKCS8, &again));
	ck_assert(bulla_equal(material_bytes(&der), material_bytes(&again)));
	ck_assert_ok(pkey_encode(pkey, PKEY_PUBLIC, &public));
	ck_assert_err(pkey_encode(pkey, PKEY_TRADITIONAL, &traditional), alg == &alg_ed25519 ? BULLA_E_CRYPTO : BULLA_OK);
	other = open_material(alg, &public);
	ck_assert(!pkey_is_private(other));
	ck_assert_ok(pkey_check(other));
	ck_assert_err(pkey_encode(other, PKEY_PKCS8, &again), BULLA_E_CRYPTO);
	ck_assert_err(pkey_encode(other, PKEY_TRADITIONAL, &again), BULLA_E_CRYPTO);
	pkey_put(other);
	pkey_put(pkey_hold(pkey));
	for (size_t i = 0; i < ALGS; i++) /* no type takes another's */
		if (algs[i] != alg) {
			ck_assert_err(pkey_open(algs[i], material_bytes(&der), &other), BULLA_E_BAD_KEY_MATERIAL);
			ck_assert_err(pkey_open(algs[i], material_bytes(&public), &other), BULLA_E_BAD_KEY_MATERIAL);
		}
	ck_assert_err(pkey_open(&alg_aes256_gcm96, material_bytes(&der), &other), BULLA_E_BAD_KEY_MATERIAL);
	pkey_put(pkey);
	material_clear(&der), material_clear(&again), material_clear(&public), material_clear(&traditional);
}
END_TEST

/* Cut anywhere, or with a byte behind it, it is no key. */
static void refuse_mangled(const struct alg *alg, const struct material *der)
{
	uint8_t *copy = malloc(der->len + 1);
	struct pkey *pkey = NULL;

	memcpy(copy, der->ptr, der->len);
	copy[der->len] = 0;
	for (size_t n = 0; n <= der->len + 1; n += n + 7 < der->len ? 7 : 1) {
		uint8_t *cut = malloc(n + 1); /* its own size: ASan sees a read past it */

		memcpy(cut, copy, n);
		if (n != der->len)
			ck_assert_err(pkey_open(alg, bulla_mem(cut, n), &pkey), BULLA_E_BAD_KEY_MATERIAL);
		free(cut);
	}
	free(copy);
}

START_TEST(mangled_material)
{
	struct material der = { 0 }, public = { 0 };
	struct pkey *pkey = make(algs[_i], &der);

	ck_assert_ok(pkey_encode(pkey, PKEY_PUBLIC, &public));
	refuse_mangled(algs[_i], &der);
	refuse_mangled(algs[_i], &public);
	pkey_put(pkey);
	material_clear(&der), material_clear(&public);
}
END_TEST

START_TEST(locked_heap)
{
	struct material der = { 0 };
	struct pkey *pkey = make(algs[_i], &der);
	size_t with = CRYPTO_secure_used();

	ck_assert(CRYPTO_secure_malloc_initialized());
	pkey_put(pkey);
	ck_assert_uint_lt(CRYPTO_secure_used(), with);
	material_clear(&der);
}
END_TEST

/* ---- numbers -------------------------------------------------------------------------------------------------------------- */

static struct bulla_bytes number(const struct pkey *pkey, enum pkey_number which, struct material *room)
{
	material_clear(room);
	ck_assert_ok(pkey_number(pkey, which, room));
	return material_bytes(room);
}

START_TEST(numbers_and_back)
{
	const struct alg *alg = algs[_i];
	struct material der = { 0 }, m[8] = { { 0 } }, built = { 0 };
	struct pkey *pkey = make(alg, &der);
	struct pkey_numbers all = { 0 };

	if (alg->can & ALG_ENCRYPT) {
		all.n = number(pkey, PKEY_RSA_N, &m[0]), all.e = number(pkey, PKEY_RSA_E, &m[1]);
		all.d = number(pkey, PKEY_RSA_D, &m[2]), all.p = number(pkey, PKEY_RSA_P, &m[3]);
		all.q = number(pkey, PKEY_RSA_Q, &m[4]);
		ck_assert_err(pkey_number(pkey, PKEY_EC_X, &built), BULLA_E_CRYPTO);
	} else if (alg == &alg_ed25519) {
		all.ed25519 = number(pkey, PKEY_ED25519_PRIVATE, &m[0]);
		ck_assert_uint_eq(all.ed25519.len, 64);
		ck_assert_err(pkey_number(pkey, PKEY_RSA_N, &built), BULLA_E_CRYPTO);
	} else {
		all.x = number(pkey, PKEY_EC_X, &m[0]), all.y = number(pkey, PKEY_EC_Y, &m[1]);
		all.d = number(pkey, PKEY_EC_D, &m[2]);
		ck_assert_err(pkey_number(pkey, PKEY_ED25519_PRIVATE, &built), BULLA_E_CRYPTO);
	}
	ck_assert_ok(pkey_build(alg, &all, &built));
	ck_assert(bulla_equal(material_bytes(&der), material_bytes(&built)));
	material_clear(&built);

	all.ed25519.len = 0; /* the public half alone */
	all.d = (struct bulla_bytes){ 0 };
	if (alg == &alg_ed25519)
		all.public_key = number(pkey, PKEY_ED25519_PUBLIC, &m[5]);
	ck_assert_ok(pkey_build(alg, &all, &built));
	struct pkey *public = open_material(alg, &built);

	ck_assert(!pkey_is_private(public));
	pkey_put(public);
	material_clear(&built);
	((uint8_t *)(uintptr_t)m[0].ptr)[m[0].len - 1] ^= 2; /* n, x, or the public key beside the seed */
	all.ed25519 = alg == &alg_ed25519 ? material_bytes(&m[0]) : all.ed25519;
	all.d = alg == &alg_ed25519 ? all.d : material_bytes(&m[2]);
	ck_assert_err(pkey_build(alg, &all, &built), BULLA_E_BAD_KEY_MATERIAL);
	ck_assert_err(pkey_build(alg, &(struct pkey_numbers){ 0 }, &built), BULLA_E_BAD_KEY_MATERIAL);
	pkey_put(pkey);
	for (size_t i = 0; i < 8; i++)
		material_clear(&m[i]);
	material_clear(&der), material_clear(&built);
}
END_TEST

START_TEST(decimals)
{
	static const uint8_t bytes[] = { 1, 0, 0, 0, 0, 0, 0, 0, 0 };
	static const char *const bad[] = { "", "0", "000", "-1", "+1", "1 ", " 1", "1a", "0x10", "1\0", "1e3" };
	struct material text = { 0 }, back = { 0 };
	char longest[PKEY_MAX_DECIMAL + 1];

	ck_assert_ok(pkey_decimal_print(bulla_mem(bytes, sizeof bytes), &text));
	ck_assert_bytes(material_bytes(&text), "18446744073709551616");
	ck_assert_ok(pkey_decimal_parse(material_bytes(&text), &back));
	ck_assert(bulla_equal(material_bytes(&back), bulla_mem(bytes, sizeof bytes)));
	material_clear(&back);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (i != 9)
			ck_assert_err(pkey_decimal_parse(bulla_str(bad[i]), &back), BULLA_E_BAD_KEY_MATERIAL);
	ck_assert_err(pkey_decimal_parse(bulla_mem("1", 2), &back), BULLA_E_BAD_KEY_MATERIAL);
	memset(longest, '9', sizeof longest);
	ck_assert_err(pkey_decimal_parse(bulla_mem(longest, sizeof longest), &back), BULLA_E_BAD_KEY_MATERIAL);
	ck_assert_ok(pkey_decimal_parse(bulla_mem(longest, sizeof longest - 1), &back));
	material_clear(&text), material_clear(&back);
}
END_TEST

/* RFC 8410, section 10.3; the public key in PEM, section 10.1. */
START_TEST(known_forms)
{
	static const char text[] = "302e020100300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842";
	static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
				  "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
				  "-----END PUBLIC KEY-----\n";
	uint8_t der[48];
	struct material public = { 0 };
	struct pkey *pkey = NULL;
	char out[200];

	ck_assert_ok(bulla_hex_decode(bulla_str(text), der));
	ck_assert_ok(pkey_open(&alg_ed25519, bulla_mem(der, sizeof der), &pkey));
	ck_assert_ok(pkey_encode(pkey, PKEY_PUBLIC, &public));
	ck_assert_uint_eq(pem_len("PUBLIC KEY", public.len), strlen(pem));
	pem_print("PUBLIC KEY", material_bytes(&public), out);
	ck_assert_mem_eq(out, pem, strlen(pem));
	for (size_t n = 0; n < 150; n++) { /* lines of 64 characters; the length is told right */
		static uint8_t zeros[150];

		memset(out, '#', sizeof out);
		if (pem_len("X", n) < sizeof out) {
			pem_print("X", bulla_mem(zeros, n), out);
			ck_assert_int_eq(out[pem_len("X", n)], '#');
			ck_assert_int_eq(out[pem_len("X", n) - 1], '\n');
		}
	}
	pkey_put(pkey);
	material_clear(&public);
}
END_TEST

/* Made with OpenBao 2.7.2: a derived key's material, and what it printed and signed for a context. */
START_TEST(derived_as_the_peer)
{
	static const char key[] = "a1ea1645389ab6f63c5a910a20156d63c296264bdf28d98a0b9f81e05701b334"
				  "f47e14bc94ea64d18f325463d1064b5ae97f34863b22f6cd934e44a133dc3f3d";
	static const char public[] = "f01e4290e8a92a149939e23d562f0b42935b1f122ff2c7fee753aa1416e6285d";
	static const char signature[] = "c001f16527f8a69cfcb5ac3809056993b37c6603b574b590296787b45067464b"
					"cd24d22e38a7581d09b222676ff1b4a8fcd8a5d2960a7e393f511a389a4d410a";
	uint8_t secret[64], want_public[32], want[64], sig[PKEY_MAX_SIGNATURE];
	struct material der = { 0 }, made = { 0 };
	struct pkey *pkey, *child = NULL;
	size_t len = 0;

	ck_assert_ok(bulla_hex_decode(bulla_str(key), secret));
	ck_assert_ok(bulla_hex_decode(bulla_str(public), want_public));
	ck_assert_ok(bulla_hex_decode(bulla_str(signature), want));
	ck_assert_ok(pkey_build(&alg_ed25519, &(struct pkey_numbers){ .ed25519 = bulla_mem(secret, 64) }, &der));
	pkey = open_material(&alg_ed25519, &der);
	ck_assert_ok(pkey_derive(pkey, bulla_str("context one"), &child));
	ck_assert_ok(pkey_number(child, PKEY_ED25519_PUBLIC, &made));
	ck_assert(bulla_equal(material_bytes(&made), bulla_mem(want_public, 32)));
	ck_assert_ok(pkey_sign(child, &(struct pkey_params){ 0 }, bulla_str("hello world"), sig, &len));
	ck_assert(bulla_equal(bulla_mem(sig, len), bulla_mem(want, 64)));
	pkey_put(pkey), pkey_put(child);
	material_clear(&der), material_clear(&made);
}
END_TEST

START_TEST(derived_ed25519)
{
	struct material der = { 0 }, a = { 0 }, b = { 0 };
	struct pkey *pkey = make(&alg_ed25519, &der), *one = NULL, *two = NULL, *public = NULL;

	ck_assert_ok(pkey_derive(pkey, bulla_str("tenant 1"), &one));
	ck_assert_ok(pkey_derive(pkey, bulla_str("tenant 1"), &two));
	ck_assert_ok(pkey_number(one, PKEY_ED25519_PRIVATE, &a));
	ck_assert_ok(pkey_number(two, PKEY_ED25519_PRIVATE, &b));
	ck_assert(bulla_equal(material_bytes(&a), material_bytes(&b)));
	pkey_put(two);
	material_clear(&b);
	ck_assert_ok(pkey_derive(pkey, bulla_str("tenant 2"), &two));
	ck_assert_ok(pkey_number(two, PKEY_ED25519_PRIVATE, &b));
	ck_assert(!bulla_equal(material_bytes(&a), material_bytes(&b)));
	material_clear(&b);
	ck_assert_ok(pkey_encode(pkey, PKEY_PUBLIC, &b));
	public = open_material(&alg_ed25519, &b);
	ck_assert_err(pkey_derive(public, bulla_str("tenant 1"), &two), BULLA_E_CRYPTO);
	pkey_put(pkey), pkey_put(one), pkey_put(two), pkey_put(public);
	material_clear(&der), material_clear(&a), material_clear(&b);
}
END_TEST

/* ---- encryption and agreement ------------------------------------------------------------------------------------------- */

START_TEST(rsa_decryptions)
{
	json_t *root = vectors_load("rsa-decryptions.json"), *test;
	size_t i, count[2] = { 0, 0 };

	json_array_foreach(json_object_get(root, "tests"), i, test) {
		json_int_t k = json_integer_value(json_object_get(test, "key"));
		struct bulla_bytes hex = bulla_str(json_string_value(json_array_get(json_object_get(root, "keys"), (size_t)k)));
		struct bulla_bytes msg = vector_bytes(test, "msg"), ct = vector_bytes(test, "ct");
		const char *hash = json_string_value(json_object_get(test, "hash"));
		struct pkey_params params = { .padding = hash == NULL ? PKEY_PKCS1V15 : PKEY_OAEP };
		uint8_t der[4096], out[PKEY_MAX_SIGNATURE];
		struct pkey *pkey = NULL;
		size_t len = 0;

		ck_assert(hash == NULL || digest_by_name(bulla_str(hash), &params.digest));
		ck_assert_ok(bulla_hex_decode(hex, der));
		ck_assert_ok(pkey_open(alg_by_name(bulla_str(vector_text(test, "alg"))), bulla_mem(der, hex.len / 2), &pkey));
		enum bulla_err err = pkey_decrypt(pkey, &params, ct, out, &len);

		ck_assert_msg(err == (vector_valid(test) ? BULLA_OK : BULLA_E_AUTH_FAILED), "%s", vector_text(test, "id"));
		if (err == BULLA_OK)
			ck_assert_msg(bulla_equal(bulla_mem(out, len), msg), "%s", vector_text(test, "id"));
		count[err == BULLA_OK]++;
		pkey_put(pkey);
		vector_free(msg), vector_free(ct);
	}
	ck_assert_uint_ge(count[true], 60);
	ck_assert_uint_ge(count[false], 40);
	json_decref(root);
}
END_TEST

START_TEST(rsa_encrypts)
{
	struct material der = { 0 };
	struct pkey *pkey = make(&alg_rsa_2048, &der), *stranger;
	struct pkey_params oaep = { .digest = DIGEST_SHA2_256, .padding = PKEY_OAEP }, pkcs1 = { .padding = PKEY_PKCS1V15 };
	uint8_t text[256] = { 7 }, sealed[256], out[256];
	size_t len = 1;

	material_clear(&der);
	stranger = make(&alg_rsa_2048, &der);
	for (size_t n = 0; n <= 190; n += 190) { /* 256 - 2 * 32 - 2 */
		ck_assert_ok(pkey_encrypt(pkey, &oaep, bulla_mem(text, n), sealed));
		ck_assert_ok(pkey_decrypt(pkey, &oaep, bulla_mem(sealed, 256), out, &len));
		ck_assert(bulla_equal(bulla_mem(out, len), bulla_mem(text, n)));
		ck_assert_err(pkey_decrypt(stranger, &oaep, bulla_mem(sealed, 256), out, &len), BULLA_E_AUTH_FAILED);
		ck_assert_err(pkey_decrypt(pkey, &oaep, bulla_mem(sealed, 255), out, &len), BULLA_E_AUTH_FAILED);
		oaep.digest = DIGEST_SHA1;
		ck_assert_err(pkey_decrypt(pkey, &oaep, bulla_mem(sealed, 256), out, &len), BULLA_E_AUTH_FAILED);
		oaep.digest = DIGEST_SHA2_256;
	}
	ck_assert_err(pkey_encrypt(pkey, &oaep, bulla_mem(text, 191), sealed), BULLA_E_BAD_FIELD);
	ck_assert_ok(pkey_encrypt(pkey, &pkcs1, bulla_mem(text, 245), sealed));
	ck_assert_ok(pkey_decrypt(pkey, &pkcs1, bulla_mem(sealed, 256), out, &len));
	ck_assert(bulla_equal(bulla_mem(out, len), bulla_mem(text, 245)));
	ck_assert_err(pkey_encrypt(pkey, &pkcs1, bulla_mem(text, 246), sealed), BULLA_E_BAD_FIELD);
	oaep.digest = DIGEST_NONE;
	ck_assert_err(pkey_encrypt(pkey, &oaep, bulla_mem(text, 1), sealed), BULLA_E_CRYPTO);
	pkey_put(pkey), pkey_put(stranger);
	material_clear(&der);
}
END_TEST

START_TEST(agreements)
{
	json_t *root = vectors_load("ecdh.json"), *test;
	size_t i, agreed = 0, refused = 0;

	json_array_foreach(json_object_get(root, "tests"), i, test) {
		const struct alg *alg = alg_by_name(bulla_str(vector_text(test, "alg")));
		struct bulla_bytes private = vector_bytes(test, "private"), public = vector_bytes(test, "public");
		struct bulla_bytes shared = vector_bytes(test, "shared");
		struct pkey *mine = NULL, *theirs = NULL;
		uint8_t out[PKEY_MAX_SHARED];
		size_t len = 0;

		ck_assert_msg(pkey_open(alg, private, &mine) == BULLA_OK, "%s", vector_text(test, "id"));
		enum bulla_err err = pkey_open(alg, public, &theirs);

		if (err == BULLA_OK)
			err = pkey_agree(mine, theirs, out, &len);
		ck_assert_msg((err == BULLA_OK) == vector_valid(test), "%s: %d", vector_text(test, "id"), err);
		if (err == BULLA_OK)
			ck_assert_msg(bulla_equal(bulla_mem(out, len), shared), "%s", vector_text(test, "id"));
		else
			ck_assert_msg(err == BULLA_E_BAD_KEY_MATERIAL, "%s: %d", vector_text(test, "id"), err);
		agreed += err == BULLA_OK;
		refused += err != BULLA_OK;
		pkey_put(mine), pkey_put(theirs);
		vector_free(private), vector_free(public), vector_free(shared);
	}
	ck_assert_uint_ge(agreed, 100);
	ck_assert_uint_ge(refused, 1);
	json_decref(root);
}
END_TEST

START_TEST(operations_that_a_type_lacks)
{
	struct material a = { 0 }, b = { 0 };
	struct pkey *ed = make(&alg_ed25519, &a), *p256 = make(&alg_ecdsa_p256, &b), *p384;
	struct pkey_params params = { .digest = DIGEST_SHA2_256, .padding = PKEY_OAEP };
	uint8_t out[PKEY_MAX_SIGNATURE];
	size_t len;

	ck_assert_err(pkey_encrypt(ed, &params, bulla_str("x"), out), BULLA_E_CRYPTO);
	ck_assert_err(pkey_decrypt(p256, &params, bulla_str("x"), out, &len), BULLA_E_CRYPTO);
	ck_assert_err(pkey_agree(ed, ed, out, &len), BULLA_E_CRYPTO);
	ck_assert_err(pkey_derive(p256, bulla_str("x"), &p384), BULLA_E_CRYPTO);
	material_clear(&a);
	p384 = make(&alg_ecdsa_p384, &a);
	ck_assert_err(pkey_agree(p256, p384, out, &len), BULLA_E_BAD_KEY_MATERIAL);
	pkey_put(ed), pkey_put(p256), pkey_put(p384);
	material_clear(&a), material_clear(&b);
}
END_TEST

/* ---- threads ------------------------------------------------------------------------------------------------------------- */

static void *sign_often(void *context)
{
	struct pkey *pkey = context;
	struct pkey_params params = { .digest = DIGEST_SHA2_256, .padding = PKEY_PSS, .salt_bytes = PKEY_SALT_HASH };
	uint8_t sig[PKEY_MAX_SIGNATURE];
	size_t len, good = 0;

	for (int i = 0; i < 50; i++) {
		bool valid = false;

		good += pkey_sign(pkey, &params, bulla_str("x"), sig, &len) == BULLA_OK &&
			pkey_verify(pkey, &params, bulla_str("x"), bulla_mem(sig, len), &valid) == BULLA_OK && valid;
	}
	pkey_put(pkey);
	return (void *)(uintptr_t)good;
}

START_TEST(many_threads_one_key)
{
	static const struct alg *const some[] = { &alg_ed25519, &alg_ecdsa_p256, &alg_rsa_2048 };
	struct material der = { 0 };
	struct pkey *pkey = make(some[_i], &der);
	pthread_t threads[4];
	void *good;

	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_often, pkey_hold(pkey)), 0);
	pkey_put(pkey);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], &good);
		ck_assert_uint_eq((uintptr_t)good, 50);
	}
	material_clear(&der);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crypto/pkey");
	TCase *tcase = tcase_create("pkey");

	tcase_set_timeout(tcase, 240);
	tcase_add_loop_test(tcase, make_open_and_forms, 0, ALGS);
	tcase_add_loop_test(tcase, mangled_material, 0, 5);
	tcase_add_loop_test(tcase, locked_heap, 0, 5);
	tcase_add_loop_test(tcase, numbers_and_back, 0, ALGS - 2);
	tcase_add_test(tcase, decimals);
	tcase_add_test(tcase, known_forms);
	tcase_add_test(tcase, derived_as_the_peer);
	tcase_add_test(tcase, derived_ed25519);
	tcase_add_test(tcase, rsa_decryptions);
	tcase_add_test(tcase, rsa_encrypts);
	tcase_add_test(tcase, agreements);
	tcase_add_test(tcase, operations_that_a_type_lacks);
	tcase_add_loop_test(tcase, many_threads_one_key, 0, 3);
	suite_add_tcase(suite, tcase);
	return unit_main(suite);
}
