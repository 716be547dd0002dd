/* Digests, MACs and key derivation against published answers. */
#include "scan.h"
#include "unit.h"
#include "vectors.h"

static const struct bulla_bytes none = { NULL, 0 };

START_TEST(hkdf_answers)
{
	json_t *root = vectors_load("hkdf-sha256.json"), *test;
	size_t i, valid = 0, refused = 0;

	json_array_foreach(json_object_get(root, "tests"), i, test) {
		struct bulla_bytes ikm = vector_bytes(test, "ikm"), salt = vector_bytes(test, "salt");
		struct bulla_bytes info = vector_bytes(test, "info"), okm = vector_bytes(test, "okm");
		size_t size = (size_t)json_integer_value(json_object_get(test, "size"));
		uint8_t *out = malloc(size + 1);

		out[0] = 0xA5;
		if (vector_valid(test)) {
			ck_assert_ok(hkdf_sha256(ikm, salt, info, out, size));
			ck_assert_msg(bulla_equal(bulla_mem(out, size), okm), "%s", vector_text(test, "id"));
			valid++;
		} else {
			ck_assert_err(hkdf_sha256(ikm, salt, info, out, size), BULLA_E_CRYPTO);
			ck_assert_uint_eq(out[0], 0xA5);
			refused++;
		}
		free(out);
		vector_free(ikm), vector_free(salt), vector_free(info), vector_free(okm);
	}
	ck_assert_uint_ge(valid, 80);
	ck_assert_uint_ge(refused, 1);
	json_decref(root);
}
END_TEST

START_TEST(hkdf_edges)
{
	uint8_t out[255 * SHA256_BYTES + 1] = { 0xA5 };

	ck_assert_ok(hkdf_sha256(none, none, none, out, 0));
	ck_assert_uint_eq(out[0], 0xA5);
	ck_assert_ok(hkdf_sha256(none, none, none, out, 255 * SHA256_BYTES));
	ck_assert_err(hkdf_sha256(none, none, none, out, 255 * SHA256_BYTES + 1), BULLA_E_CRYPTO);
	ck_assert_err(hkdf_sha256(none, none, none, out, SIZE_MAX), BULLA_E_CRYPTO);
}
END_TEST

START_TEST(hmac_answers)
{
	json_t *root = vectors_load("hmac-sha256.json"), *test;
	size_t i, valid = 0;

	json_array_foreach(json_object_get(root, "tests"), i, test) {
		struct bulla_bytes key = vector_bytes(test, "key"), msg = vector_bytes(test, "msg");
		struct bulla_bytes tag = vector_bytes(test, "tag"); /* some are cut */
		size_t cut = msg.len / 3;
		uint8_t out[SHA256_BYTES], again[SHA256_BYTES];

		hmac_sha256(key, msg, none, out);
		ck_assert_msg(bulla_equal_secret(bulla_mem(out, tag.len), tag) == vector_valid(test), "%s",
			      vector_text(test, "id"));
		hmac_sha256(key, bulla_mem(msg.ptr, cut), bulla_mem(msg.len ? msg.ptr + cut : NULL, msg.len - cut), again);
		ck_assert_mem_eq(out, again, sizeof out);
		valid += vector_valid(test);
		vector_free(key), vector_free(msg), vector_free(tag);
	}
	ck_assert_uint_ge(valid, 50);
	json_decref(root);
}
END_TEST

static void hex_is(const uint8_t *p, size_t n, const char *hex)
{
	char text[128];

	bulla_hex_encode(bulla_mem(p, n), text);
	ck_assert_bytes(bulla_mem(text, 2 * n), hex);
}

/* FIPS 180-2 appendix B, and the empty message. */
START_TEST(sha256_answers)
{
	static const struct {
		const char *in, *digest;
	} answers[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};

	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		uint8_t out[SHA256_BYTES];

		sha256(bulla_str(answers[i].in), out);
		hex_is(out, sizeof out, answers[i].digest);
	}
	uint8_t out[SHA256_BYTES];

	sha256(none, out);
	hex_is(out, sizeof out, answers[0].digest);
}
END_TEST

/* Made with Python: hashlib.blake2b(message, key=bytes(range(32)), digest_size=16). */
START_TEST(keyed_tag_answers)
{
	uint8_t key[32], message[256], out[16];

	for (size_t i = 0; i < 256; i++)
		message[i] = (uint8_t)i;
	memcpy(key, message, 32);
	keyed_tag(key, none, out);
	hex_is(out, 16, "3daf97bce7888fd59773c66bf647459c");
	keyed_tag(key, bulla_str("abc"), out);
	hex_is(out, 16, "1a64be47e4729d951c302ee543f97cf3");
	keyed_tag(key, bulla_mem(message, 256), out);
	hex_is(out, 16, "c7eca2c1ae35a1e0f627b8ebbe105c94");
}
END_TEST

/* The SipHash paper, appendix A: key 00..0f, message 00..0e. */
START_TEST(table_hash_answer)
{
	uint8_t bytes[16];

	for (size_t i = 0; i < 16; i++)
		bytes[i] = (uint8_t)i;
	ck_assert_uint_eq(table_hash(bytes, bulla_mem(bytes, 15)), UINT64_C(0xa129ca6149be45e5));
	ck_assert_uint_eq(table_hash(bytes, none), UINT64_C(0x726fdb47dd0e0e31));
}
END_TEST

/* The vectors of SipHash's reference, of 0, 1 and 15 bytes. */
START_TEST(table_tag_answer)
{
	static const char *const answers[][2] = {
		{ "", "a3817f04ba25a8e66df67214c7550293" },
		{ "00", "da87c1d86b99af44347659119b22fc45" },
		{ "000102030405060708090a0b0c0d0e", "5493e99933b0a8117e08ec0f97cfc3d9" },
	};
	uint8_t key[16], in[15], want[16], got[16];

	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		ck_assert_ok(bulla_hex_decode(bulla_str(answers[i][0]), in));
		ck_assert_ok(bulla_hex_decode(bulla_str(answers[i][1]), want));
		table_tag(key, bulla_mem(in, strlen(answers[i][0]) / 2), got);
		ck_assert_int_eq(memcmp(got, want, sizeof got), 0);
	}
}
END_TEST

#ifndef BULLA_SANITIZER

__attribute__((noinline)) static void use_key(const struct scan_needle needles[2])
{
	uint8_t *key = bulla_secret_alloc(32), out[64];

	ck_assert_ptr_nonnull(key);
	scan_unmask(&needles[0], key);
	scan_unmask(&needles[1], key + SCAN_BYTES);
	hmac_sha256(bulla_mem(key, 32), bulla_str("message"), none, out);
	ck_assert_ok(hkdf_sha256(bulla_mem(key, 32), none, bulla_str("info"), out, sizeof out));
	ck_assert_ok(hkdf_sha256(bulla_str("secret"), bulla_mem(key, 32), bulla_str("info"), out, sizeof out));
	keyed_tag(key, bulla_str("message"), out);
	bulla_secret_free(key, 32);
}

START_TEST(no_key_is_left)
{
	struct scan_needle needles[2];

	ck_assert_ok(random_bytes(needles, sizeof needles));
	use_key(needles);
	ck_assert_uint_eq(scan_count(&needles[0]), 0);
	ck_assert_uint_eq(scan_count(&needles[1]), 0);
}
END_TEST

#endif

int main(void)
{
	Suite *suite = suite_create("crypto/kdf");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, hkdf_answers);
	tcase_add_test(tc, hkdf_edges);
	tcase_add_test(tc, hmac_answers);
	tcase_add_test(tc, sha256_answers);
	tcase_add_test(tc, keyed_tag_answers);
	tcase_add_test(tc, table_hash_answer);
	tcase_add_test(tc, table_tag_answer);
#ifndef BULLA_SANITIZER
	tcase_add_test(tc, no_key_is_left);
#endif
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
