/* Key wrap with padding against Wycheproof's answers; digests and HMACs against Python's and the standards. */
#include "crypto/digest.h"
#include "crypto/keywrap.h"
#include "crypto/material.h"
#include "unit.h"
#include "vectors.h"

START_TEST(kwp_answers)
{
	json_t *root = vectors_load("kwp.json"), *test;
	size_t i, valid = 0, refused = 0;

	json_array_foreach(json_object_get(root, "tests"), i, test) {
		struct bulla_bytes key = vector_bytes(test, "key"), msg = vector_bytes(test, "msg"), ct = vector_bytes(test, "ct");
		uint8_t *out = malloc(ct.len > 8 ? ct.len - 8 : 1), wrapped[4096];
		size_t len = SIZE_MAX;
		enum bulla_err err = keywrap_unwrap(key, ct, out, &len);

		ck_assert_msg(err == (vector_valid(test) ? BULLA_OK : BULLA_E_AUTH_FAILED), "%s", vector_text(test, "id"));
		if (err == BULLA_OK) {
			ck_assert_msg(bulla_equal(bulla_mem(out, len), msg), "%s", vector_text(test, "id"));
			ck_assert_ok(keywrap_wrap(key, msg, wrapped));
			ck_assert_uint_eq(keywrap_len(msg.len), ct.len);
			ck_assert_mem_eq(wrapped, ct.ptr, ct.len);
		}
		valid += err == BULLA_OK;
		refused += err != BULLA_OK;
		free(out);
		vector_free(key), vector_free(msg), vector_free(ct);
	}
	ck_assert_uint_ge(valid, 30);
	ck_assert_uint_ge(refused, 50);
	json_decref(root);
}
END_TEST

START_TEST(kwp_sizes)
{
	static const uint8_t kek[32] = { 1 };
	struct bulla_bytes key = bulla_mem(kek, 32);
	uint8_t in[200] = { 2 }, wrapped[208], out[200];
	size_t len = 0;

	for (size_t n = 1; n <= sizeof in; n++) {
		ck_assert_ok(keywrap_wrap(key, bulla_mem(in, n), wrapped));
		ck_assert_ok(keywrap_unwrap(key, bulla_mem(wrapped, keywrap_len(n)), out, &len));
		ck_assert(bulla_equal(bulla_mem(in, n), bulla_mem(out, len)));
		wrapped[n % 8] ^= 1;
		ck_assert_err(keywrap_unwrap(key, bulla_mem(wrapped, keywrap_len(n)), out, &len), BULLA_E_AUTH_FAILED);
	}
	ck_assert_err(keywrap_wrap(key, bulla_mem(in, 0), wrapped), BULLA_E_BAD_FIELD);
	ck_assert_err(keywrap_wrap(bulla_mem(kek, 24), bulla_mem(in, 8), wrapped), BULLA_E_BAD_FIELD);
	ck_assert_err(keywrap_wrap(bulla_mem(kek, 0), bulla_mem(in, 8), wrapped), BULLA_E_BAD_FIELD);
	ck_assert_err(keywrap_unwrap(bulla_mem(kek, 31), bulla_mem(wrapped, 16), out, &len), BULLA_E_BAD_FIELD);
	for (size_t n = 0; n < 16; n++)
		ck_assert_err(keywrap_unwrap(key, bulla_mem(wrapped, n), out, &len), BULLA_E_AUTH_FAILED);
}
END_TEST

/* ---- digests -------------------------------------------------------------------------------------------------------------- */

/* Of "abc" (FIPS 180-4, FIPS 202), and the HMAC of "abc" under "key". */
static const struct {
	const char *name, *hash, *hmac;
} answers[] = {
	{ "sha1",
	  "a9993e364706816aba3e25717850c26c9cd0d89d",
	  "4fd0b215276ef12f2b3e4c8ecac2811498b656fc" },
	{ "sha2-224",
	  "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
	  "f524670b7e34f31467de0aa96593861cf65117d414fb2d86158d760e" },
	{ "sha2-256",
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	  "9c196e32dc0175f86f4b1cb89289d6619de6bee699e4c378e68309ed97a1a6ab" },
	{ "sha2-384",
	  "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	  "8086072ba1e7cc2358baeca134c825a7",
	  "30ddb9c8f347cffbfb44e519d814f074cf4047a55d6f563324f1c6a33920e5ed"
	  "fb2a34bac60bdc96cd33a95623d7d638" },
	{ "sha2-512",
	  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	  "3926a207c8c42b0c41792cbd3e1a1aaaf5f7a25704f62dfc939c4987dd7ce060"
	  "009c5bb1c2447355b3216f10b537e9afa7b64a4e5391b0d631172d07939e087a" },
	{ "sha3-224",
	  "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf",
	  "09d9d74e7d761c8f27f07d8d35f95b9d160b6b4d8175329db68eea6d" },
	{ "sha3-256",
	  "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
	  "09b6dbab8d11795ca7c8d82f1cf91682013c7cb980abbb25473be4ae7f7b5683" },
	{ "sha3-384",
	  "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
	  "98d88cea927ac7f539f1edf228376d25",
	  "94f2aa7ae7c4b7b8fa4c612fdb422b3343811b13c8888257904f543995cdbcba"
	  "5e49f10f8ed6f7b9ddc1b30b3828815c" },
	{ "sha3-512",
	  "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
	  "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
	  "085e4e83503f40b82fef38438bc4905a55dbaa8c8878097a899db0b57ce7da57"
	  "a368251c34474f60b3ebacb39b2edaca4b290456411c76ec7ab61944cfe2288e" },
};
#define ANSWERS (sizeof answers / sizeof answers[0])

START_TEST(digest_answers)
{
	enum digest digest;
	uint8_t want[DIGEST_MAX_BYTES], out[DIGEST_MAX_BYTES];

	ck_assert(digest_by_name(bulla_str(answers[_i].name), &digest));
	ck_assert_str_eq(digest_name(digest), answers[_i].name);
	ck_assert_uint_eq(digest_bytes(digest) * 2, strlen(answers[_i].hash));
	ck_assert_ok(bulla_hex_decode(bulla_str(answers[_i].hash), want));
	ck_assert_ok(digest_hash(digest, bulla_str("abc"), out));
	ck_assert_mem_eq(out, want, digest_bytes(digest));
	ck_assert_ok(bulla_hex_decode(bulla_str(answers[_i].hmac), want));
	ck_assert_ok(digest_hmac(digest, bulla_str("key"), bulla_str("abc"), out));
	ck_assert_mem_eq(out, want, digest_bytes(digest));
	ck_assert_ok(digest_hmac(digest, bulla_mem(NULL, 0), bulla_mem(NULL, 0), out)); /* empty is not refused, nor NULL */
	ck_assert_ok(digest_hash(digest, bulla_mem(NULL, 0), out));
}
END_TEST

START_TEST(digest_names)
{
	static const char *const bad[] = { "", "sha2", "SHA2-256", "sha256", "sha2-256 ", "md5", "sha3-128" };
	enum digest digest = DIGEST_SHA1;
	uint8_t out[DIGEST_MAX_BYTES];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert(!digest_by_name(bulla_str(bad[i]), &digest));
	ck_assert_int_eq(digest, DIGEST_SHA1);
	ck_assert(digest_by_name(bulla_str("none"), &digest));
	ck_assert_int_eq(digest, DIGEST_NONE);
	ck_assert_uint_eq(digest_bytes(DIGEST_NONE), 0);
	ck_assert_err(digest_hash(DIGEST_NONE, bulla_str("abc"), out), BULLA_E_CRYPTO);
	ck_assert_err(digest_hmac(DIGEST_NONE, bulla_str("key"), bulla_str("abc"), out), BULLA_E_CRYPTO);
}
END_TEST

START_TEST(material)
{
	struct material m = { 0 }, copy = { 0 };

	ck_assert_err(material_new(0, &m), BULLA_E_NO_MEMORY);
	ck_assert_err(material_new(MATERIAL_MAX + 1, &m), BULLA_E_NO_MEMORY);
	ck_assert_ok(material_random(48, &m));
	ck_assert_ok(material_copy(material_bytes(&m), &copy));
	ck_assert(bulla_equal(material_bytes(&m), material_bytes(&copy)));
	material_clear(&m);
	material_clear(&m);
	material_clear(&copy);
	ck_assert_ptr_null(m.ptr);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crypto/keywrap");
	TCase *tcase = tcase_create("keywrap");

	tcase_add_test(tcase, kwp_answers);
	tcase_add_test(tcase, kwp_sizes);
	tcase_add_loop_test(tcase, digest_answers, 0, ANSWERS);
	tcase_add_test(tcase, digest_names);
	tcase_add_test(tcase, material);
	suite_add_tcase(suite, tcase);
	return unit_main(suite);
}
