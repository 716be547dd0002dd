/* Cases of lib/transit/sign.c, verify.c, signature.c and signature_form.c: what is refused, at every byte, then what comes back. */
#include "sign_unit.h"

#include "bulla/encode.h"

#define TOO_OLD "ciphertext or signature version is disallowed by policy (too old)"

static const struct alg *const algs[] = { &alg_ed25519, &alg_ecdsa_p256, &alg_ecdsa_p384, &alg_ecdsa_p521, &alg_rsa_2048 };

static void key_of(const struct alg *alg, unsigned flags, uint32_t latest)
{
	const struct key_head head = { .alg = alg, .flags = flags, .latest = latest, .min_decryption = 1 };

	publish_made("k", &head);
}

static struct bulla_sign_item item_of(const char *input)
{
	return (struct bulla_sign_item){ .input = bulla_str(input) };
}

/* The bytes of a signature. */
static struct bulla_bytes raw(struct bulla_bytes text)
{
	uint8_t *bytes = bulla_arena_alloc(call.arena, text.len);
	size_t len, bad_at;

	ck_assert_ptr_nonnull(bytes);
	ck_assert_int_eq(memcmp(text.ptr, "vault:v1:", 9), 0);
	text = bulla_mem(text.ptr + 9, text.len - 9);
	if (bulla_base64_decode(text, bytes, &len, &bad_at) != BULLA_OK)
		ck_assert_ok(bulla_base64url_decode(text, bytes, &len, &bad_at));
	return bulla_mem(bytes, len);
}

/* ---- refusals of the request ---------------------------------------------------------------------------------------------- */

START_TEST(parameters)
{
	static const struct {
		const char *marshaling, *salt, *hash, *error;
	} cases[] = {
		{ "", "zz", "zz", "invalid marshaling type \"\"" },
		{ "ASN1", "auto", "sha2-256", "invalid marshaling type \"ASN1\"" },
		{ "x\"\n\x80", "auto", "sha2-256", "invalid marshaling type \"x\\\"\\n\\x80\"" },
		{ "asn1", "", "zz", "salt length neither 'auto', 'hash', nor an int: " },
		{ "asn1", "autos", "zz", "salt length neither 'auto', 'hash', nor an int: autos" },
		{ "asn1", "0x1", "zz", "salt length neither 'auto', 'hash', nor an int: 0x1" },
		{ "asn1", "-", "zz", "salt length neither 'auto', 'hash', nor an int: -" },
		{ "asn1", "99999999999999999999", "zz", "salt length neither 'auto', 'hash', nor an int: 99999999999999999999" },
		{ "asn1", "-2", "zz", "salt length is invalid: -2" },
		{ "jws", "HASH", "", "invalid hash algorithm \"\"" },
		{ "jws", "Auto", "SHA2-256", "invalid hash algorithm \"SHA2-256\"" },
		{ "jws", "+5", "sha2_256", "invalid hash algorithm \"sha2_256\"" },
		{ "asn1", "auto", "none", "hash_algorithm=none requires both prehashed=true and signature_algorithm=pkcs1v15" },
	};
	const struct bulla_sign_item item = item_of("x");

	key_of(&alg_ecdsa_p256, 0, 1);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bulla_sign_args args = sign_args(&item);
		struct bulla_signature signature;
		struct bulla_verdict verdict;

		args.marshaling = bulla_str(cases[i].marshaling);
		args.salt_length = bulla_str(cases[i].salt);
		args.hash = bulla_str(cases[i].hash);
		ck_assert_call_err(bulla_sign(&engine, &call, &args, &signature), BULLA_E_INVALID, cases[i].error);
		ck_assert_call_err(bulla_verify(&engine, &call, &args, &verdict), BULLA_E_INVALID, cases[i].error);
	}
}
END_TEST

START_TEST(keys)
{
	const struct bulla_sign_item item = item_of("x");
	struct bulla_sign_args args = sign_args(&item);
	struct bulla_signature signature;
	struct bulla_verdict verdict;

	key_of(&alg_aes256_gcm96, 0, 1);
	ck_assert_call_err(bulla_sign(&engine, &call, &args, &signature), BULLA_E_INVALID,
			   "key type aes256-gcm96 does not support signing");
	ck_assert_call_err(bulla_verify(&engine, &call, &args, &verdict), BULLA_E_INVALID,
			   "key type aes256-gcm96 does not support verification");
	key_of(&alg_ed25519, KEY_SOFT_DELETED, 1);
	ck_assert_item_err(sign_one(args), BULLA_E_INVALID_500, "refusing to use soft-deleted key");
	ck_assert_item_err(verify_one(args), BULLA_E_INVALID, "refusing to use soft-deleted key");
}
END_TEST

/* Nothing that takes long runs on an event loop, and then nothing was done. */
START_TEST(blocks)
{
	enum { MANY = 32 };
	struct bulla_sign_item items[MANY] = { 0 };
	struct bulla_sign_args args = sign_args(items);
	struct bulla_signature signatures[MANY];
	struct bulla_verdict verdicts[MANY];

	call.may_block = false;
	for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
		bool rsa = algs[i] == &alg_rsa_2048, slow = algs[i]->bits > 256, slow_verify = slow && !rsa;

		key_of(algs[i], 0, 1);
		args.count = 1;
		ck_assert_err(bulla_sign(&engine, &call, &args, signatures), slow ? BULLA_E_MUST_BLOCK : BULLA_OK);
		ck_assert_err(bulla_verify(&engine, &call, &args, verdicts), slow_verify ? BULLA_E_MUST_BLOCK : BULLA_OK);
		args.count = MANY;
		call.needs = BULLA_WORK_DISK;
		ck_assert_err(bulla_sign(&engine, &call, &args, signatures), BULLA_E_MUST_BLOCK);
		ck_assert_int_eq(call.needs, BULLA_WORK_CPU);
		call.needs = BULLA_WORK_DISK;
		ck_assert_err(bulla_verify(&engine, &call, &args, verdicts), BULLA_E_MUST_BLOCK);
		ck_assert_int_eq(call.needs, BULLA_WORK_CPU);
	}
}
END_TEST

START_TEST(versions)
{
	struct key_head head = { .alg = &alg_ed25519, .latest = 4, .min_decryption = 2, .min_encryption = 3 };
	const struct bulla_sign_item item = item_of("x");
	struct bulla_sign_args args = sign_args(&item);

	publish_made("k", &head);
	args.key_version = -1;
	ck_assert_item_err(sign_one(args), BULLA_E_INVALID_500, "requested version for signing is negative");
	args.key_version = 5;
	ck_assert_item_err(sign_one(args), BULLA_E_INVALID_500, "requested version for signing is higher than the latest key version");
	args.key_version = 4294967297;
	ck_assert_item_err(sign_one(args), BULLA_E_INVALID_500, "requested version for signing is higher than the latest key version");
	args.key_version = 2;
	ck_assert_item_err(sign_one(args), BULLA_E_INVALID_500,
			   "requested version for signing is less than the minimum encryption key version");
	args.key_version = 3;
	ck_assert_uint_eq(sign_one(args).key_version, 3);
	args.key_version = 0;
	ck_assert_uint_eq(sign_one(args).key_version, 4);
	head.min_encryption = 0;
	publish_made("k", &head);
	args.key_version = 1;
	ck_assert_item_err(sign_one(args), BULLA_E_INVALID_500, "no such key version");
}
END_TEST

START_TEST(malformed)
{
	static const struct {
		const char *text, *error; /* NULL: not valid, and no more */
	} cases[] = {
		{ "", "invalid signature: no prefix" }, { "junk", "invalid signature: no prefix" },
		{ "vault:v1", "invalid signature: wrong number of fields" },
		{ "vault:v:AAAA", "invalid signature: version number could not be decoded" },
		{ "vault:v99999999999999999999:AAAA", "invalid signature: version number could not be decoded" },
		{ "vault:v3:!!", "invalid signature: version is too new" }, { "vault:v0:!!", TOO_OLD }, { "vault:v-1:AAAA", TOO_OLD },
		{ "vault:v1:!!", "invalid base64 signature value" }, { "vault:v1:AAAA:BB", "invalid base64 signature value" },
		{ "vault:v1:", "supplied signature is invalid" }, { "vault:v1:AAAA", "supplied signature is invalid" },
		{ "vault:v1:MAYCAQECAQEA", "supplied signature contains extra data" },
		{ "vault:v1:MAYCAQECAQ==", "supplied signature is invalid" }, /* cut */
		{ "vault:v1:MAMCAQE=", "supplied signature is invalid" },     /* one number */
		{ "vault:v1:MAYCAgABAgEB", "supplied signature is invalid" }, /* too short for its lengths */
		{ "vault:v1:MAcCAgABAgEB", "supplied signature is invalid" }, /* a zero too many */
		{ "vault:v1:MIEGAgEBAgEB", "supplied signature is invalid" }, /* a length too long */
		{ "vault:v1:MIAGAgEBAgEB", "supplied signature is invalid" }, /* no length */
		{ "vault:v1:MAUCAAIBAQ==", "supplied signature is invalid" }, /* an empty number */
		{ "vault:v1:MQYCAQECAQE=", "supplied signature is invalid" }, /* a SET */
		{ "vault:v1:MAYCAQECAQE=", NULL }, { "vault:v1:MAYCAf8CAQE=", NULL }, { "vault:v1:MAYCAQACAQA=", NULL },
		{ "vault:v1:MAcCAQECAQEA", NULL }, /* more within the sequence */
	};

	key_of(&alg_ecdsa_p256, 0, 2);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct bulla_sign_item item = { .input = bulla_str("x"), .proof = bulla_str(cases[i].text) };
		struct bulla_verdict verdict = verify_one(sign_args(&item));

		ck_assert_msg((verdict.err == BULLA_OK) == (cases[i].error == NULL), "%s", cases[i].text);
		ck_assert(!verdict.valid);
		if (cases[i].error != NULL)
			ck_assert_item_err(verdict, BULLA_E_INVALID, cases[i].error);
	}
}
END_TEST

/* ---- what comes back ------------------------------------------------------------------------------------------------------- */

static bool valid(struct bulla_sign_args args, const char *input, struct bulla_bytes proof)
{
	const struct bulla_sign_item item = { .input = bulla_str(input), .proof = proof };

	args.items = &item;
	return verify_one(args).valid;
}

START_TEST(every_bit_counts)
{
	const struct bulla_sign_item item = item_of("text");
	struct bulla_sign_args args = sign_args(&item);

	key_of(algs[_i], 0, 2);
	args.key_version = 1;
	struct bulla_signature made = sign_one(args);
	struct bulla_bytes bytes = raw(made.text);
	uint8_t *copy = bulla_arena_alloc(call.arena, bytes.len);

	ck_assert_uint_eq(made.key_version, 1);
	ck_assert_uint_eq(made.public_key.len, 0);
	ck_assert(valid(args, "text", made.text));
	ck_assert(!valid(args, "texu", made.text) && !valid(args, "", made.text) && !valid(args, "text ", made.text));
	ck_assert(!valid(args, "text", printed(2, bytes))); /* another version's key */
	for (size_t bit = 0; bit < 8 * bytes.len; bit += 3) {
		memcpy(copy, bytes.ptr, bytes.len);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert(!valid(args, "text", printed(1, bulla_mem(copy, bytes.len))));
	}
	for (size_t len = 0; len < bytes.len; len += 7)
		ck_assert(!valid(args, "text", printed(1, bulla_mem(bytes.ptr, len))));
}
END_TEST

START_TEST(marshaling)
{
	const struct bulla_sign_item item = item_of("text");
	struct bulla_sign_args args = sign_args(&item);
	size_t n = (algs[_i]->bits + 7) / 8;

	key_of(algs[_i], 0, 1);
	args.marshaling = bulla_str("jws");
	struct bulla_signature made = sign_one(args);

	ck_assert_ptr_null(memchr(made.text.ptr, '=', made.text.len));
	ck_assert_ptr_null(memchr(made.text.ptr + 9, '+', made.text.len - 9));
	ck_assert(valid(args, "text", made.text));
	ck_assert(!valid(args, "texu", made.text));
	if (algs[_i]->group != NULL)
		ck_assert_uint_eq(raw(made.text).len, 2 * n);
}
END_TEST

/* Halves of other lengths mean the same numbers, as at the peer; bigger numbers none. */
START_TEST(halves)
{
	uint8_t out[8];

	ck_assert(signature_pad(bulla_mem("\1\2", 2), 4, out));
	ck_assert_mem_eq(out, "\0\0\0\1\0\0\0\2", 8);
	ck_assert(signature_pad(bulla_mem("\0\0\0\0\1\2\3\0\0\0\0\0\0\4", 14), 4, out));
	ck_assert_mem_eq(out, "\0\1\2\3\0\0\0\4", 8);
	ck_assert(signature_pad(bulla_mem("\1\2\3", 3), 4, out)); /* odd: the second has more */
	ck_assert_mem_eq(out, "\0\0\0\1\0\0\2\3", 8);
	ck_assert(signature_pad(bulla_mem(NULL, 0), 4, out));
	ck_assert_mem_eq(out, "\0\0\0\0\0\0\0\0", 8);
	ck_assert(!signature_pad(bulla_mem("\1\1\2\3\4\0\0\0\0\4", 10), 4, out));
	ck_assert(!signature_pad(bulla_mem("\0\1\2\3\4\1\0\0\0\4", 10), 4, out));
}
END_TEST

START_TEST(prehashed)
{
	uint8_t digest[SHA256_BYTES];

	sha256(bulla_str("text"), digest);
	for (size_t i = 1; i < sizeof algs / sizeof algs[0]; i++) { /* Ed25519 hashes by itself */
		const struct bulla_sign_item item = { .input = bulla_mem(digest, sizeof digest) }, shorter = { .input = bulla_str("x") };
		struct bulla_sign_args args = sign_args(&item);
		bool rsa = algs[i] == &alg_rsa_2048;

		key_of(algs[i], 0, 1);
		args.prehashed = true;
		struct bulla_signature made = sign_one(args);

		args.prehashed = false;
		ck_assert(valid(args, "text", made.text));
		args.prehashed = true;
		ck_assert(!valid(args, "text", made.text));
		args.items = &shorter;
		if (rsa)
			ck_assert_item_err(sign_one(args), BULLA_E_INVALID_500, "crypto/rsa: input must be hashed with given hash");
		else
			ck_assert(valid(args, "x", sign_one(args).text));
		args.items = &(struct bulla_sign_item){ 0 };
		if (!rsa)
			ck_assert_item_err(sign_one(args), BULLA_E_INVALID_500, "ecdsa: hash cannot be empty");
		ck_assert(!valid(args, "", made.text));
	}
}
END_TEST

START_TEST(rsa_schemes)
{
	const struct bulla_sign_item item = item_of("text");
	struct bulla_sign_args args = sign_args(&item), other;

	key_of(&alg_rsa_2048, 0, 1);
	args.signature_algorithm = bulla_str("PSS");
	ck_assert_item_err(sign_one(args), BULLA_E_INVALID_500, "unsupported rsa signature algorithm PSS");
	args.signature_algorithm = bulla_str("pss");
	args.salt_length = bulla_str("223"); /* 256 - 2 - 32 is the most */
	ck_assert_item_err(sign_one(args), BULLA_E_INVALID_500, "requested salt length 223 is invalid");
	args.salt_length = bulla_str("20");
	struct bulla_bytes made = sign_one(args).text;

	other = args;
	ck_assert(valid(args, "text", made));
	other.salt_length = bulla_str("0"); /* any */
	ck_assert(valid(other, "text", made));
	other.salt_length = bulla_str("hash");
	ck_assert(!valid(other, "text", made));
	other = args;
	other.hash = bulla_str("sha3-256");
	ck_assert(!valid(other, "text", made));
	other = args;
	other.signature_algorithm = bulla_str("pkcs1v15");
	ck_assert(!valid(other, "text", made));
	made = sign_one(other).text;
	ck_assert(valid(other, "text", made) && !valid(args, "text", made));
	other.salt_length = bulla_str("9999"); /* it has none */
	ck_assert(bulla_equal(sign_one(other).text, made));
}
END_TEST

START_TEST(derived)
{
	struct bulla_sign_item item = { .input = bulla_str("text") };
	struct bulla_sign_args args = sign_args(&item);
	static const char missing[] = "error deriving key: " DERIVE_MISSING_CONTEXT;

	key_of(&alg_ed25519, KEY_DERIVED, 1);
	ck_assert_item_err(sign_one(args), BULLA_E_INVALID_500, missing);
	item.proof = bulla_str("vault:v1:AAAA");
	ck_assert_item_err(verify_one(args), BULLA_E_INVALID_500, missing);
	item.context = bulla_str("c");
	struct bulla_signature made = sign_one(args);

	ck_assert_uint_eq(made.public_key.len, 32);
	item.proof = made.text;
	ck_assert(verify_one(args).valid);
	item.context = bulla_str("d");
	ck_assert(!verify_one(args).valid);
	struct bulla_signature second = sign_one(args);

	ck_assert(!bulla_equal(second.public_key, made.public_key) && !bulla_equal(second.text, made.text));
	item.context = bulla_str("c");
	ck_assert(bulla_equal(sign_one(args).text, made.text)); /* Ed25519 is deterministic */
}
END_TEST

/* A bad item does not stop the others; a key's fault is told for each that is good. */
START_TEST(batches)
{
	struct bulla_sign_item items[] = { item_of("a"), { .err = BULLA_E_INVALID, .error = bulla_str("bad") }, item_of("b") };
	struct bulla_sign_args args = sign_args(items);
	struct bulla_signature made[3];
	struct bulla_verdict verdicts[3];

	key_of(&alg_ecdsa_p256, 0, 1);
	args.count = 3;
	ck_assert_ok(bulla_sign(&engine, &call, &args, made));
	ck_assert_item_err(made[1], BULLA_E_INVALID, "bad");
	items[0].proof = items[2].proof = made[2].text;
	ck_assert_ok(bulla_verify(&engine, &call, &args, verdicts));
	ck_assert(!verdicts[0].valid && verdicts[0].err == BULLA_OK && verdicts[2].valid);
	ck_assert_item_err(verdicts[1], BULLA_E_INVALID, "bad");
	args.key_version = 2;
	ck_assert_ok(bulla_sign(&engine, &call, &args, made));
	ck_assert_item_err(made[0], BULLA_E_INVALID_500, "requested version for signing is higher than the latest key version");
	ck_assert_item_err(made[1], BULLA_E_INVALID, "bad");
	args.count = 0; /* only whether it would begin */
	ck_assert_ok(bulla_sign(&engine, &call, &args, NULL));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transit/sign");
	TCase *cases = tcase_create("sign");

	tcase_set_timeout(cases, 120);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, parameters);
	tcase_add_test(cases, keys);
	tcase_add_test(cases, blocks);
	tcase_add_test(cases, versions);
	tcase_add_test(cases, malformed);
	tcase_add_loop_test(cases, every_bit_counts, 0, 5);
	tcase_add_loop_test(cases, marshaling, 0, 5);
	tcase_add_test(cases, halves);
	tcase_add_test(cases, prehashed);
	tcase_add_test(cases, rsa_schemes);
	tcase_add_test(cases, derived);
	tcase_add_test(cases, batches);
	suite_add_tcase(suite, cases);
	return unit_main(suite);
}
