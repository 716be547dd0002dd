/* Cases of lib/transit/rsa.c and datakey.c: what is refused, then what comes back. */
#include "sign_unit.h"

#define DECRYPT_FAILED "failed to RSA decrypt the ciphertext: crypto/rsa: decryption error"
#define NON_AEAD " provided for non-AEAD cipher suite rsa-2048"
#define MAX_OAEP (256 - 2 * 32 - 2)

static const struct bulla_pair pair[] = { { { (const uint8_t *)"a", 1 }, { (const uint8_t *)"b", 1 } } };
static uint8_t text[256];

static void rsa_key(unsigned flags, uint32_t latest)
{
	const struct key_head head = { .alg = &alg_rsa_2048, .flags = flags, .latest = latest, .min_decryption = 1 };

	publish_made("k", &head);
}

static struct bulla_item_result encrypt(size_t n, const char *padding, int64_t version)
{
	return seal_one("k", (struct bulla_encrypt_item){ .plaintext = bulla_mem(text, n), .padding = bulla_str(padding),
							  .key_version = version });
}

static struct bulla_item_result decrypt(struct bulla_bytes ciphertext, const char *padding)
{
	return open_one("k", (struct bulla_decrypt_item){ .ciphertext = ciphertext, .padding = bulla_str(padding) });
}

START_TEST(refused)
{
	struct bulla_item_result sealed;

	rsa_key(0, 2);
	ck_assert_refused(seal_one("k", (struct bulla_encrypt_item){ .binding = { .aad = bulla_str("x") } }), BULLA_E_INVALID_OPTION,
			  "'[0].associated_data'" NON_AEAD);
	ck_assert_refused(seal_one("k", (struct bulla_encrypt_item){ .binding = { .aad_bad = true } }), BULLA_E_INVALID_OPTION,
			  "'[0].associated_data'" NON_AEAD);
	ck_assert_refused(seal_one("k", (struct bulla_encrypt_item){ .binding = { .pairs = pair, .pair_count = 1 } }),
			  BULLA_E_INVALID_OPTION, "'[0].encryption_context'" NON_AEAD);
	ck_assert_refused(encrypt(1, "OAEP", 0), BULLA_E_INVALID_OPTION, "'[0].padding_scheme' invalid: unknown padding scheme");
	ck_assert_refused(encrypt(1, "", 3), BULLA_E_INVALID, "requested version for encryption is higher than the latest key version");
	ck_assert_refused(encrypt(MAX_OAEP + 1, "", 0), BULLA_E_INVALID_500,
			  "failed to RSA encrypt the plaintext: crypto/rsa: message too long for RSA key size");
	ck_assert_refused(encrypt(256 - 11 + 1, "pkcs1v15", 0), BULLA_E_INVALID_500,
			  "failed to RSA encrypt the plaintext: crypto/rsa: message too long for RSA key size");
	ck_assert_refused(decrypt(bulla_str("vault:v1:"), ""), BULLA_E_INVALID_500, DECRYPT_FAILED);
	ck_assert_refused(decrypt(bulla_str("vault:v3:AAAA"), ""), BULLA_E_INVALID, "invalid ciphertext: version is too new");
	ck_assert_refused(decrypt(bulla_str("vault:v1:!"), ""), BULLA_E_INVALID, "invalid ciphertext: could not decode base64");
	ck_assert_refused(open_one("k", (struct bulla_decrypt_item){ .binding = { .aad = bulla_str("x") } }), BULLA_E_INVALID_OPTION,
			  "'[0].associated_data'" NON_AEAD);
	sealed = encrypt(5, "", 1);
	ck_assert_refused(decrypt(printed(2, sealed.bytes), ""), BULLA_E_INVALID_500, DECRYPT_FAILED); /* another version's key */
	/* one in 400 happens to begin and go on as the other padding would */
	struct bulla_item_result other = decrypt(printed_result(&sealed), "pkcs1v15");

	for (int i = 0; i < 10 && other.err == BULLA_OK; i++) {
		struct bulla_item_result again = encrypt(5, "", 1);

		other = decrypt(printed_result(&again), "pkcs1v15");
	}
	ck_assert_refused(other, BULLA_E_INVALID_500, DECRYPT_FAILED);
	for (size_t bit = 0; bit < 8 * sealed.bytes.len; bit += 61) {
		uint8_t *copy = bulla_arena_alloc(call.arena, sealed.bytes.len);

		memcpy(copy, sealed.bytes.ptr, sealed.bytes.len);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_refused(decrypt(printed(1, bulla_mem(copy, sealed.bytes.len)), ""), BULLA_E_INVALID_500, DECRYPT_FAILED);
	}
	rsa_key(KEY_SOFT_DELETED, 1);
	ck_assert_refused(encrypt(1, "", 0), BULLA_E_INVALID, "refusing to use soft-deleted key");
	ck_assert_refused(decrypt(bulla_str("vault:v1:AAAA"), ""), BULLA_E_INVALID, "refusing to use soft-deleted key");
}
END_TEST

/* Types that do not encrypt, and padding where it means nothing. */
START_TEST(other_types)
{
	const struct key_head signing = { .alg = &alg_ed25519, .latest = 1, .min_decryption = 1 };
	const struct key_head symmetric = { .alg = &alg_aes256_gcm96, .latest = 1, .min_decryption = 1 };

	publish_made("k", &signing);
	ck_assert_refused(encrypt(1, "", 0), BULLA_E_INVALID, "message encryption not supported for key type ed25519");
	ck_assert_refused(decrypt(bulla_str("x"), ""), BULLA_E_INVALID, "message decryption not supported for key type ed25519");
	publish_made("k", &symmetric);
	ck_assert_refused(encrypt(1, "oaep", 0), BULLA_E_INVALID_OPTION,
			  "'[0].padding_scheme' invalid: unsupported key type for padding scheme: aes256-gcm96");
	ck_assert_refused(decrypt(bulla_str("x"), "oaep"), BULLA_E_INVALID_OPTION,
			  "'[0].padding_scheme' invalid: unsupported key type for padding scheme: aes256-gcm96");
}
END_TEST

START_TEST(blocks)
{
	enum { MANY = 33 };
	struct bulla_decrypt_item items[MANY];
	struct bulla_decrypt_args args = { .mount = &mount, .name = bulla_str("k"), .items = items, .count = 1 };
	struct bulla_item_result results[MANY];

	for (size_t i = 0; i < MANY; i++)
		items[i] = (struct bulla_decrypt_item){ .ciphertext = bulla_str("vault:v1:AAAA") };
	rsa_key(0, 1);
	call.may_block = false;
	ck_assert_err(bulla_decrypt(&engine, &call, &args, results), BULLA_E_MUST_BLOCK);
	ck_assert_int_eq(call.needs, BULLA_WORK_CPU);
	args.count = MANY;
	ck_assert_err(bulla_decrypt(&engine, &call, &args, results), BULLA_E_MUST_BLOCK);
	ck_assert_int_eq(call.needs, BULLA_WORK_CPU);
	ck_assert_ok(encrypt(1, "", 0).err); /* the public key is quick */
	struct bulla_encrypt_item plain[MANY] = { 0 };
	const struct bulla_encrypt_args many = { .mount = &mount, .name = bulla_str("k"), .items = plain, .count = MANY };

	call.needs = BULLA_WORK_DISK;
	ck_assert_err(bulla_encrypt(&engine, &call, &many, results), BULLA_E_MUST_BLOCK); /* but not as quick as that */
	ck_assert_int_eq(call.needs, BULLA_WORK_CPU);
}
END_TEST

START_TEST(both_ways)
{
	static const char *const paddings[] = { "", "oaep", "pkcs1v15" };
	static const size_t most[] = { MAX_OAEP, MAX_OAEP, 256 - 11 };

	rsa_key(0, 2);
	memset(text, 7, sizeof text);
	for (size_t i = 0; i < 3; i++)
		for (size_t n = 0; n <= most[i]; n += most[i]) {
			struct bulla_item_result sealed = encrypt(n, paddings[i], 1), other = encrypt(n, paddings[i], 1);
			struct bulla_bytes opened = decrypt(printed_result(&sealed), paddings[i]).bytes;

			ck_assert_uint_eq(sealed.bytes.len, 256);
			ck_assert(!bulla_equal(sealed.bytes, other.bytes));
			ck_assert(bulla_equal(opened, bulla_mem(text, n)));
		}
}
END_TEST

START_TEST(rewrap)
{
	struct bulla_rewrap_item item = { .old_binding = { .aad = bulla_str("ignored") } };
	const struct bulla_rewrap_args args = { .mount = &mount, .name = bulla_str("k"), .items = &item, .count = 1 };
	struct bulla_item_result old, new;

	rsa_key(0, 2);
	old = encrypt(9, "pkcs1v15", 1);
	item.ciphertext = printed_result(&old);
	item.key_version = 3;
	ck_assert_ok(bulla_rewrap(&engine, &call, &args, &new)); /* the old one's fault first */
	ck_assert_refused(new, BULLA_E_INVALID_500, DECRYPT_FAILED);
	item.old_padding = bulla_str("pkcs1v15");
	ck_assert_ok(bulla_rewrap(&engine, &call, &args, &new));
	ck_assert_refused(new, BULLA_E_INVALID, "requested version for encryption is higher than the latest key version");
	item.key_version = 0;
	ck_assert_ok(bulla_rewrap(&engine, &call, &args, &new));
	ck_assert_uint_eq(new.key_version, 2);
	ck_assert(bulla_equal(decrypt(printed_result(&new), "").bytes, bulla_mem(text, 9)));
	item.new_binding = (struct bulla_binding){ .pairs = pair, .pair_count = 1 };
	ck_assert_ok(bulla_rewrap(&engine, &call, &args, &new));
	ck_assert_refused(new, BULLA_E_INVALID_OPTION, "'[0].encryption_context'" NON_AEAD);
}
END_TEST

START_TEST(datakey)
{
	struct bulla_datakey_args args = { .mount = &mount, .name = bulla_str("k"), .bits = 100 };
	struct bulla_item_result sealed;
	struct bulla_bytes plaintext;

	rsa_key(0, 1);
	ck_assert_call_err(bulla_datakey(&engine, &call, &args, &plaintext, &sealed), BULLA_E_INVALID, "invalid bit length");
	args.bits = 512;
	args.binding.aad = bulla_str("x");
	ck_assert_call_err(bulla_datakey(&engine, &call, &args, &plaintext, &sealed), BULLA_E_INVALID_OPTION, "'associated_data'" NON_AEAD);
	args.binding.aad = (struct bulla_bytes){ 0 };
	args.padding = bulla_str("x");
	ck_assert_call_err(bulla_datakey(&engine, &call, &args, &plaintext, &sealed), BULLA_E_INVALID_OPTION,
			   "'padding_scheme' invalid: unknown padding scheme");
	args.padding = bulla_str("pkcs1v15");
	ck_assert_ok(bulla_datakey(&engine, &call, &args, &plaintext, &sealed));
	ck_assert_uint_eq(plaintext.len, 64);
	ck_assert(bulla_equal(decrypt(printed_result(&sealed), "pkcs1v15").bytes, plaintext));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transit/rsa");
	TCase *cases = tcase_create("rsa");

	tcase_set_timeout(cases, 120);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, refused);
	tcase_add_test(cases, other_types);
	tcase_add_test(cases, blocks);
	tcase_add_test(cases, both_ways);
	tcase_add_test(cases, rewrap);
	tcase_add_test(cases, datakey);
	suite_add_tcase(suite, cases);
	return unit_main(suite);
}
