/* Signatures against Wycheproof's answers: what others made verifies, and what they forged does not. */
#include "crypto/pkey.h"
#include "unit.h"
#include "vectors.h"

static struct pkey *open_key(const json_t *root, const json_t *test)
{
	json_int_t number = json_integer_value(json_object_get(test, "key"));
	struct bulla_bytes hex = bulla_str(json_string_value(json_array_get(json_object_get(root, "keys"), (size_t)number)));
	const struct alg *alg = alg_by_name(bulla_str(vector_text(test, "alg")));
	uint8_t *der = malloc(hex.len / 2);
	struct pkey *pkey = NULL;

	ck_assert_ok(bulla_hex_decode(hex, der));
	ck_assert_msg(pkey_open(alg, bulla_mem(der, hex.len / 2), &pkey) == BULLA_OK, "%s", vector_text(test, "id"));
	ck_assert(!pkey_is_private(pkey));
	free(der);
	return pkey;
}

static struct pkey_params params_of(const json_t *test)
{
	struct pkey_params params = { .salt_bytes = PKEY_SALT_AUTO };
	const char *hash = json_string_value(json_object_get(test, "hash"));
	const char *padding = json_string_value(json_object_get(test, "padding"));
	const char *marshal = json_string_value(json_object_get(test, "marshal"));
	const json_t *salt = json_object_get(test, "salt");

	if (hash != NULL)
		ck_assert(digest_by_name(bulla_str(hash), &params.digest));
	params.padding = padding != NULL && strcmp(padding, "pkcs1v15") == 0 ? PKEY_PKCS1V15 : PKEY_PSS;
	params.marshal = marshal != NULL && strcmp(marshal, "jws") == 0 ? PKEY_JWS : PKEY_ASN1;
	if (salt != NULL)
		params.salt_bytes = (int)json_integer_value(salt);
	return params;
}

static void check_file(const char *file, size_t least_valid, size_t least_forged)
{
	json_t *root = vectors_load(file), *test;
	size_t i, count[2] = { 0, 0 };

	json_array_foreach(json_object_get(root, "tests"), i, test) {
		struct pkey *pkey = open_key(root, test);
		struct pkey_params params = params_of(test);
		struct bulla_bytes msg = vector_bytes(test, "msg"), sig = vector_bytes(test, "sig");
		uint8_t digest[DIGEST_MAX_BYTES];
		bool valid = !vector_valid(test);

		ck_assert_ok(pkey_verify(pkey, &params, msg, sig, &valid));
		ck_assert_msg(valid == vector_valid(test), "%s", vector_text(test, "id"));
		count[valid]++;
		if (params.digest != DIGEST_NONE) { /* the same with the digest made before */
			params.prehashed = true;
			valid = !valid;
			ck_assert_ok(digest_hash(params.digest, msg, digest));
			ck_assert_ok(pkey_verify(pkey, &params, bulla_mem(digest, digest_bytes(params.digest)), sig, &valid));
			ck_assert_msg(valid == vector_valid(test), "%s, prehashed", vector_text(test, "id"));
		}
		ck_assert_err(pkey_sign(pkey, &params, msg, digest, &i), BULLA_E_CRYPTO); /* a public key */
		pkey_put(pkey);
		vector_free(msg), vector_free(sig);
	}
	ck_assert_uint_ge(count[true], least_valid);
	ck_assert_uint_ge(count[false], least_forged);
	json_decref(root);
}

START_TEST(ecdsa_and_ed25519)
{
	check_file("signatures.json", 250, 200);
}
END_TEST

START_TEST(rsa_known)
{
	check_file("rsa-signatures.json", 70, 80);
}
END_TEST

/* ---- our own, both ways -------------------------------------------------------------------------------------------------- */

static struct pkey *make(const struct alg *alg)
{
	struct material der = { 0 };
	struct pkey *pkey = NULL;

	ck_assert_ok(alg_make(alg, 0, NULL, &der));
	ck_assert_ok(pkey_open(alg, material_bytes(&der), &pkey));
	ck_assert(pkey_is_private(pkey));
	material_clear(&der);
	return pkey;
}

/* What is signed verifies; with one bit changed in the signature or the message, or under another key, it does not. */
static void both_ways(const struct pkey *pkey, const struct pkey *stranger, const struct pkey_params *params,
		      struct bulla_bytes input)
{
	uint8_t sig[PKEY_MAX_SIGNATURE], other[DIGEST_MAX_BYTES];
	size_t len = 0;
	bool valid = false;

	ck_assert_ok(pkey_sign(pkey, params, input, sig, &len));
	ck_assert_ok(pkey_verify(pkey, params, input, bulla_mem(sig, len), &valid));
	ck_assert(valid);
	ck_assert_ok(pkey_verify(stranger, params, input, bulla_mem(sig, len), &valid));
	ck_assert(!valid);
	memcpy(other, input.ptr, input.len);
	other[0] ^= 1;
	valid = true;
	ck_assert_ok(pkey_verify(pkey, params, bulla_mem(other, input.len), bulla_mem(sig, len), &valid));
	ck_assert(!valid);
	sig[len / 2] ^= 1;
	valid = true;
	ck_assert_ok(pkey_verify(pkey, params, input, bulla_mem(sig, len), &valid));
	ck_assert(!valid);
	sig[len / 2] ^= 1;
	valid = true;
	ck_assert_ok(pkey_verify(pkey, params, input, bulla_mem(sig, len - 1), &valid));
	ck_assert(!valid);
	valid = true;
	ck_assert_ok(pkey_verify(pkey, params, input, bulla_mem(NULL, 0), &valid));
	ck_assert(!valid);
}

START_TEST(sign_and_verify)
{
	static const struct alg *const algs[] = { &alg_ed25519, &alg_ecdsa_p256, &alg_ecdsa_p384, &alg_ecdsa_p521, &alg_rsa_2048 };
	const struct alg *alg = algs[_i];
	struct pkey *pkey = make(alg), *stranger = make(alg);
	static const uint8_t input[DIGEST_MAX_BYTES] = { 1, 2, 3 };

	for (int d = DIGEST_SHA1; d < DIGEST_COUNT; d++)
		for (int variant = 0; variant < 6; variant++) {
			struct pkey_params params = {
				.digest = (enum digest)d, .prehashed = variant & 1, .marshal = variant & 2 ? PKEY_JWS : PKEY_ASN1,
				.padding = variant & 2 ? PKEY_PKCS1V15 : PKEY_PSS,
				.salt_bytes = variant & 4 ? 11 : variant & 1 ? PKEY_SALT_HASH : PKEY_SALT_AUTO,
			};

			both_ways(pkey, stranger, &params, bulla_mem(input, digest_bytes(params.digest)));
		}
	pkey_put(pkey);
	pkey_put(stranger);
}
END_TEST

START_TEST(sizes_are_checked)
{
	struct pkey *rsa = make(&alg_rsa_2048);
	struct pkey_params params = { .digest = DIGEST_SHA2_256, .padding = PKEY_PSS, .salt_bytes = 222 };
	uint8_t sig[PKEY_MAX_SIGNATURE], text[300] = { 0 };
	size_t len = 0;
	bool valid;

	ck_assert_ok(pkey_sign(rsa, &params, bulla_str("text"), sig, &len)); /* 256 - 32 - 2 */
	params.salt_bytes = 223;
	ck_assert_err(pkey_sign(rsa, &params, bulla_str("text"), sig, &len), BULLA_E_BAD_FIELD);
	ck_assert_err(pkey_verify(rsa, &params, bulla_str("text"), bulla_mem(sig, 256), &valid), BULLA_E_BAD_FIELD);
	params.salt_bytes = -3;
	ck_assert_err(pkey_sign(rsa, &params, bulla_str("text"), sig, &len), BULLA_E_BAD_FIELD);
	params = (struct pkey_params){ .digest = DIGEST_SHA2_256, .prehashed = true, .padding = PKEY_PKCS1V15 };
	ck_assert_err(pkey_sign(rsa, &params, bulla_mem(text, 31), sig, &len), BULLA_E_BAD_FIELD);
	ck_assert_err(pkey_verify(rsa, &params, bulla_mem(text, 33), bulla_mem(sig, 256), &valid), BULLA_E_BAD_FIELD);
	params.digest = DIGEST_NONE;
	ck_assert_ok(pkey_sign(rsa, &params, bulla_mem(text, 245), sig, &len));
	ck_assert_ok(pkey_verify(rsa, &params, bulla_mem(text, 245), bulla_mem(sig, len), &valid));
	ck_assert(valid);
	ck_assert_err(pkey_sign(rsa, &params, bulla_mem(text, 246), sig, &len), BULLA_E_BAD_FIELD);
	params.padding = PKEY_PSS;
	ck_assert_err(pkey_sign(rsa, &params, bulla_mem(text, 32), sig, &len), BULLA_E_BAD_FIELD);
	params.padding = PKEY_OAEP;
	ck_assert_err(pkey_sign(rsa, &params, bulla_mem(text, 32), sig, &len), BULLA_E_BAD_FIELD);
	pkey_put(rsa);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crypto/signatures");
	TCase *known = tcase_create("known"), *own = tcase_create("own");

	tcase_set_timeout(known, 120);
	tcase_add_test(known, ecdsa_and_ed25519);
	tcase_add_test(known, rsa_known);
	suite_add_tcase(suite, known);
	tcase_set_timeout(own, 120);
	tcase_add_loop_test(own, sign_and_verify, 0, 5);
	tcase_add_test(own, sizes_are_checked);
	suite_add_tcase(suite, own);
	return unit_main(suite);
}
