/* Cases of lib/transit/hmac.c, hmac_verify.c, hash.c and random.c: what is refused, then known answers. */
#include "sign_unit.h"

#include "bulla/encode.h"
#include "bulla/tools.h"

#define HELLO "hello world"

/* HMAC of "hello world" under 32 bytes of 1 (version 1) and of 2: made with Python's hmac. */
static const struct {
	const char *name, *hex[2];
} answers[] = {
	{ "sha1", { "3e53f2b8f8922483a3a4f9ed213111ce245c619a", "9413ea89862fd88015312ee7518dc817d2b1b3ae" } },
	{ "sha2-224", { "474eaa96a3dfa2525d4b326abb5b1a64d985c22ef71d0ea11be1dec6",
			"143efa0d8e39c6f101348b3f7d363cba7b4726c6d7df57abdebfcf16" } },
	{ "sha2-256", { "4cfab4b65b983b6f463d5d7ce93122917efe77f2f16860316e7711dd942cce34",
			"7e497c12e3446669c1448b34107e2a4628fb02eab5122b32f0f25ca342b8b7e8" } },
	{ "sha2-384", { "bbdc0a50595daeb0f13c9d5e1ac35fb266fac8cc915f389fb59459894a525cac981a93a6f3da09451658a52695054092",
			"4ec128e6572a1512d580e73500c7cb462b1536d4cb54e070b45fb7678185a856e636821380ceb3bf3a60c9c6a2d4fd35" } },
	{ "sha2-512", { "ccdf92fa216f826fae9485efdeb24e33171f83457939d6399b5b181f120f2b12"
			"8bc5848c1c5c817ff962f3595368e52f55b436e6a3ff04f416c79af2608b77a2",
			"b8156cdab7bc8ab1b721099c3c44762c2efced0bc6f236f78a56e6312c815fc8"
			"5e65889355c4d2f2f8784e5c633a192e22c5edb6e1273dd0438a7cdcc4f67579" } },
	{ "sha3-224", { "7ab9bbf43466850f238d167f244c6c43a3b4658396847f8a79a56bad",
			"6c0925945a178664e09cc3e0cb3aa5158e9108af517e20395a8b0f54" } },
	{ "sha3-256", { "8485121458c0ddceb86ca608de87271b395f7324027c00f141825f0075f43e24",
			"94f9a3f7e355158db8c8efb3d6f41e41a71653023646c42ed7fb1c8a1f4b7e02" } },
	{ "sha3-384", { "ccdcf237e4c87489c794a8679260ca3f601cfed90c8bdd2ce9b4871c90e81dee8ecc7bfad11d97a80c4497419ded32b6",
			"888e8ce1fbd642f3ea7d4c14abc0845abd3ddb82642e5a78428e28761ea967be19e0ed59cd23be4b9b00f7774d236e16" } },
	{ "sha3-512", { "7858e3182917b7aa2320ce25343afd4d25f3a8f847ab33d1852c7c96587caf23"
			"3c5df10caea91b969a88a89703decd3d3d02db669c582e1c376b90d1dfddb6e2",
			"868265cdef8f1755b56cf6edcfafdb25484ee86936191ebb84b0b160f26a1162"
			"f7d02957cbdabcf190b9c36c56f4501decadc651499e42bf5e9a2044dc0cc4d6" } },
};

static const struct bulla_sign_item hello = { .input = { (const uint8_t *)HELLO, sizeof HELLO - 1 } };

static struct bulla_hmac_args hmac_args(const char *algorithm, int64_t version)
{
	return (struct bulla_hmac_args){ .mount = &mount, .name = bulla_str("k"), .algorithm = bulla_str(algorithm),
					 .key_version = version, .items = &hello, .count = 1 };
}

static enum bulla_err hmac(const char *algorithm, int64_t version, struct bulla_item_result *result)
{
	const struct bulla_hmac_args args = hmac_args(algorithm, version);

	return bulla_hmac(&engine, &call, &args, result);
}

static struct bulla_verdict verdict_of(const char *algorithm, struct bulla_bytes proof)
{
	struct bulla_sign_item item = { .input = hello.input, .proof = proof };
	struct bulla_hmac_args args = hmac_args(algorithm, 0);
	struct bulla_verdict verdict;

	args.items = &item;
	ck_assert_ok(bulla_hmac_verify(&engine, &call, &args, &verdict));
	ck_assert_uint_eq(call.detail.len, 0);
	return verdict;
}

static void key_of(unsigned flags, uint32_t latest, uint32_t min_decryption, uint32_t min_encryption)
{
	const struct key_head head = { .alg = &alg_aes256_gcm96, .flags = flags, .latest = latest,
				       .min_decryption = min_decryption, .min_encryption = min_encryption };

	publish("k", &head, NULL);
}

START_TEST(refused)
{
	struct bulla_item_result r;

	key_of(0, 4, 2, 3);
	ck_assert_call_err(hmac("zz", -1, &r), BULLA_E_INVALID, "cannot generate HMAC: version is too old (disallowed by policy)");
	ck_assert_call_err(hmac("zz", 2, &r), BULLA_E_INVALID, "cannot generate HMAC: version is too old (disallowed by policy)");
	ck_assert_call_err(hmac("zz", 5, &r), BULLA_E_INVALID, "key version does not exist; latest key version is 4");
	ck_assert_call_err(hmac("zz", INT64_MAX, &r), BULLA_E_INVALID, "key version does not exist; latest key version is 4");
	ck_assert_call_err(hmac("zz", 3, &r), BULLA_E_INVALID, "unsupported algorithm '\\x00'");
	ck_assert_call_err(hmac("none", 3, &r), BULLA_E_INVALID, "algorithm cannot be none");
	key_of(0, 4, 2, 0);
	ck_assert_call_err(hmac("sha2-256", -1, &r), BULLA_E_INVALID, "key version does not exist (cannot be negative)");
	ck_assert_call_err(hmac("sha2-256", 1, &r), BULLA_E_INVALID, "no such key version");
	key_of(KEY_SOFT_DELETED, 1, 1, 0);
	ck_assert_call_err(hmac("sha2-256", 7, &r), BULLA_E_INVALID, "refusing to use soft-deleted key");
	ck_assert_item_err(verdict_of("sha2-256", bulla_str("vault:v1:AAAA")), BULLA_E_INVALID, "refusing to use soft-deleted key");
}
END_TEST

START_TEST(verify_refused)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "", "invalid HMAC to verify: no prefix" }, { "vault:w1:AAAA", "invalid HMAC to verify: no prefix" },
		{ "vault:v", "invalid HMAC: wrong number of fields" }, { "vault:v9", "invalid HMAC: wrong number of fields" },
		{ "vault:v:AAAA", "invalid HMAC: version number could not be decoded" },
		{ "vault:v1x:AAAA", "invalid HMAC: version number could not be decoded" },
		{ "vault:v9:AA!A", "unable to decode verification HMAC as base64: illegal base64 data at input byte 2" },
		{ "vault:v4:AAAA", "invalid HMAC: version is too new" },
		{ "vault:v4294967297:AAAA", "invalid HMAC: version is too new" },
		{ "vault:v1:AAAA", "cannot verify HMAC: version is too old (disallowed by policy)" },
		{ "vault:v0:AAAA", "cannot verify HMAC: version is too old (disallowed by policy)" },
		{ "vault:v-1:AAAA", "cannot verify HMAC: version is too old (disallowed by policy)" },
	};
	struct bulla_hmac_args args = hmac_args("md5", 0);
	struct bulla_verdict verdict;

	key_of(0, 3, 2, 0);
	ck_assert_call_err(bulla_hmac_verify(&engine, &call, &args, &verdict), BULLA_E_INVALID, "invalid hash algorithm \"md5\"");
	args.algorithm = bulla_str("none");
	ck_assert_call_err(bulla_hmac_verify(&engine, &call, &args, &verdict), BULLA_E_INVALID, "algorithm cannot be none");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ck_assert_item_err(verdict_of("sha2-256", bulla_str(cases[i].text)), BULLA_E_INVALID, cases[i].error);
	ck_assert(!verdict_of("sha2-256", bulla_str("vault:v2:")).valid); /* no MAC is none of ours */
}
END_TEST

START_TEST(known_answers)
{
	uint8_t wanted[DIGEST_MAX_BYTES], copy[DIGEST_MAX_BYTES];

	key_of(0, 2, 1, 0);
	for (int64_t version = 1; version <= 2; version++) {
		struct bulla_bytes hex = bulla_str(answers[_i].hex[version - 1]);
		struct bulla_item_result r;

		ck_assert_ok(bulla_hex_decode(hex, wanted));
		ck_assert_ok(hmac(answers[_i].name, version, &r));
		ck_assert_ok(r.err);
		ck_assert_uint_eq(r.key_version, version);
		ck_assert_uint_eq(r.bytes.len, hex.len / 2);
		ck_assert_mem_eq(r.bytes.ptr, wanted, r.bytes.len);
		ck_assert(verdict_of(answers[_i].name, printed_result(&r)).valid);
		ck_assert(!verdict_of(answers[_i].name, printed(3 - (uint32_t)version, r.bytes)).valid);
		for (size_t bit = 0; bit < 8 * r.bytes.len; bit++) {
			memcpy(copy, wanted, r.bytes.len);
			copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
			ck_assert(!verdict_of(answers[_i].name, printed(r.key_version, bulla_mem(copy, r.bytes.len))).valid);
		}
		for (size_t len = 0; len < r.bytes.len; len++)
			ck_assert(!verdict_of(answers[_i].name, printed(r.key_version, bulla_mem(wanted, len))).valid);
	}
}
END_TEST

/* A key of type hmac is its own HMAC key, whatever its size. */
START_TEST(hmac_keys)
{
	const struct key_head head = { .alg = &alg_hmac, .latest = 1, .min_decryption = 1 };
	struct bulla_item_result r;

	publish_made("k", &head);
	ck_assert_ok(hmac("sha2-256", 0, &r));
	ck_assert(verdict_of("sha2-256", printed_result(&r)).valid);
}
END_TEST

START_TEST(blocks)
{
	enum { FEW = 128, MANY = 256 };
	struct bulla_sign_item items[MANY] = { 0 };
	struct bulla_item_result results[MANY];
	struct bulla_hmac_args args = hmac_args("sha2-256", 0);

	key_of(0, 1, 1, 0);
	call.may_block = false;
	args.items = items;
	args.count = FEW;
	ck_assert_ok(bulla_hmac(&engine, &call, &args, results));
	args.count = MANY;
	ck_assert_err(bulla_hmac(&engine, &call, &args, results), BULLA_E_MUST_BLOCK);
	ck_assert_int_eq(call.needs, BULLA_WORK_CPU);
	items[0].input = bulla_mem(items, 256 << 10); /* never read */
	args.count = 1;
	ck_assert_err(bulla_hmac(&engine, &call, &args, results), BULLA_E_MUST_BLOCK);
}
END_TEST

START_TEST(hash_and_random)
{
	static const char *const bad[] = { "", "none", "sha1", "md5", "SHA2-256", "sha2-256 " };
	struct bulla_bytes out = { 0 }, other;
	char hex[2 * SHA256_BYTES];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_err(bulla_hash(&call, bulla_str(bad[i]), bulla_str("x"), &out), BULLA_E_INVALID);
	ck_assert_ok(bulla_hash(&call, bulla_str("sha3-256"), bulla_str(HELLO), &out)); /* FIPS 202; checked with Python */
	bulla_hex_encode(out, hex);
	ck_assert_bytes(bulla_mem(hex, sizeof hex), "644bcc7e564373040999aac89e7622f3ca71fba1d972fd94a31c3bfbf24e3938");
	ck_assert_err(bulla_random_bytes(&call, 0, &out), BULLA_E_INVALID);
	ck_assert_err(bulla_random_bytes(&call, INT64_MIN, &out), BULLA_E_INVALID);
	ck_assert_err(bulla_random_bytes(&call, BULLA_RANDOM_MAX + 1, &out), BULLA_E_INVALID);
	ck_assert_ok(bulla_random_bytes(&call, 32, &out));
	ck_assert_ok(bulla_random_bytes(&call, 32, &other));
	ck_assert(!bulla_equal(out, other));
	ck_assert_ok(bulla_random_bytes(&call, BULLA_RANDOM_MAX, &out));
	ck_assert_uint_eq(out.len, BULLA_RANDOM_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transit/hmac");
	TCase *cases = tcase_create("hmac");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, refused);
	tcase_add_test(cases, verify_refused);
	tcase_add_loop_test(cases, known_answers, 0, sizeof answers / sizeof answers[0]);
	tcase_add_test(cases, hmac_keys);
	tcase_add_test(cases, blocks);
	tcase_add_test(cases, hash_and_random);
	suite_add_tcase(suite, cases);
	return unit_main(suite);
}
