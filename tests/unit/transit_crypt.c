/* Cases of lib/transit/encrypt.c, decrypt.c and item.c: what is refused, at every byte, then what comes back. */
#include "transit_unit.h"

#define TOO_OLD "ciphertext or signature version is disallowed by policy (too old)"
#define NO_CONTEXT \
	"missing 'context' for key derivation; the key was created using a derived key, which means additional, per-request " \
	"information must be included in order to perform operations with the key"

static const struct alg *const algs[] = { &alg_aes128_gcm96, &alg_aes256_gcm96, &alg_chacha20_poly1305, &alg_xchacha20_poly1305 };
static const char *const auth_failed[] = {
	"cipher: message authentication failed", "cipher: message authentication failed",
	"chacha20poly1305: message authentication failed", "chacha20poly1305: message authentication failed",
};

static void plain_key(const char *name, uint32_t latest)
{
	const struct key_head head = { .alg = &alg_aes256_gcm96, .latest = latest, .min_decryption = 1 };

	publish(name, &head, NULL);
}

static struct bulla_item_result encrypt_text(const char *name, const char *plaintext, int64_t version)
{
	return seal_one(name, (struct bulla_encrypt_item){ .plaintext = bulla_str(plaintext), .key_version = version });
}

static struct bulla_item_result decrypt_text(const char *name, const char *ciphertext)
{
	return open_one(name, (struct bulla_decrypt_item){ .ciphertext = bulla_str(ciphertext) });
}

/* ---- refusals ----------------------------------------------------------------------------------------------------------- */

START_TEST(encrypt_versions)
{
	struct key_head head = { .alg = &alg_aes256_gcm96, .latest = 4, .min_decryption = 3 };

	publish("k", &head, NULL);
	ck_assert_refused(encrypt_text("k", "x", -1), BULLA_E_INVALID, "requested version for encryption is negative");
	ck_assert_refused(encrypt_text("k", "x", INT64_MIN), BULLA_E_INVALID, "requested version for encryption is negative");
	ck_assert_refused(encrypt_text("k", "x", 5), BULLA_E_INVALID,
			  "requested version for encryption is higher than the latest key version");
	ck_assert_refused(encrypt_text("k", "x", 4294967297), BULLA_E_INVALID,
			  "requested version for encryption is higher than the latest key version");
	ck_assert_refused(encrypt_text("k", "x", INT64_MAX), BULLA_E_INVALID,
			  "requested version for encryption is higher than the latest key version");
	ck_assert_refused(encrypt_text("k", "x", 2), BULLA_E_INVALID, "no such key version");
	ck_assert_int_eq(encrypt_text("k", "x", 3).key_version, 3);
	ck_assert_int_eq(encrypt_text("k", "x", 0).key_version, 4);
	head.min_encryption = 4;
	publish("k", &head, NULL);
	ck_assert_refused(encrypt_text("k", "x", 3), BULLA_E_INVALID,
			  "requested version for encryption is less than the minimum encryption key version");
	ck_assert_int_eq(encrypt_text("k", "x", 4).key_version, 4);
}
END_TEST

START_TEST(decrypt_malformed)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "", "invalid ciphertext: no prefix" },
		{ "vault", "invalid ciphertext: no prefix" },
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "invalid ciphertext: no prefix" },
		{ " vault:v1:AAAA", "invalid ciphertext: no prefix" },
		{ "VAULT:V1:AAAA", "invalid ciphertext: no prefix" },
		{ "vault:v", "invalid ciphertext: wrong number of fields" },
		{ "vault:v1", "invalid ciphertext: wrong number of fields" },
		{ "vault:v:AAAA", "invalid ciphertext: version number could not be decoded" },
		{ "vault:vX:AAAA", "invalid ciphertext: version number could not be decoded" },
		{ "vault:v0x1:AAAA", "invalid ciphertext: version number could not be decoded" },
		{ "vault:v99999999999999999999:AAAA", "invalid ciphertext: version number could not be decoded" },
		{ "vault:v3:AAAA", "invalid ciphertext: version is too new" },
		{ "vault:v4294967297:AAAA", "invalid ciphertext: version is too new" },
		{ "vault:v9223372036854775807:AAAA", "invalid ciphertext: version is too new" },
		{ "vault:v-1:AAAA", TOO_OLD },
		{ "vault:v-9223372036854775808:AAAA", TOO_OLD },
		{ "vault:v1:@@@@", "invalid ciphertext: could not decode base64" },
		{ "vault:v1:AAAAA", "invalid ciphertext: could not decode base64" },
		{ "vault:v1:AAAA:BBBB", "invalid ciphertext: could not decode base64" },
		{ "vault:v1:", "invalid ciphertext length" },
		{ "vault:v0:AAAA", "invalid ciphertext length" },
		{ "vault:v1:AAAA\n", "invalid ciphertext length" },
		{ "vault:v1:AAAAAAAAAAAAAAA=", "invalid ciphertext length" },                   /* 11 bytes: no nonce */
		{ "vault:v1:AAAAAAAAAAAAAAAA", "cipher: message authentication failed" },      /* a nonce alone */
		{ "vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "cipher: message authentication failed" }, /* tag too short */
		{ "vault:v+1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "cipher: message authentication failed" },
		{ "vault:v01:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "cipher: message authentication failed" },
	};

	plain_key("k", 2);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bulla_item_result result = decrypt_text("k", cases[i].text);

		ck_assert_msg(result.error.len == strlen(cases[i].error) &&
			      memcmp(result.error.ptr, cases[i].error, result.error.len) == 0, "%s: %.*s", cases[i].text,
			      (int)result.error.len, (const char *)result.error.ptr);
		ck_assert_int_ne(result.err, BULLA_OK);
		ck_assert_uint_eq(result.bytes.len, 0);
	}
}
END_TEST

START_TEST(decrypt_below_minimum)
{
	struct key_head head = { .alg = &alg_aes256_gcm96, .latest = 3, .min_decryption = 1 };

	publish("k", &head, NULL);
	struct bulla_item_result first = encrypt_text("k", "x", 1);
	struct bulla_bytes text = printed_result(&first);

	ck_assert_bytes(open_one("k", (struct bulla_decrypt_item){ .ciphertext = text }).bytes, "x");
	head.min_decryption = 2;
	publish("k", &head, NULL);
	ck_assert_refused(open_one("k", (struct bulla_decrypt_item){ .ciphertext = text }), BULLA_E_INVALID, TOO_OLD);
	ck_assert_refused(decrypt_text("k", "vault:v0:AAAA"), BULLA_E_INVALID, TOO_OLD);
	ck_assert_refused(decrypt_text("k", "vault:v1:AAAA"), BULLA_E_INVALID, TOO_OLD);
}
END_TEST

START_TEST(every_bit_counts)
{
	const struct key_head head = { .alg = algs[_i], .latest = 2, .min_decryption = 1 };

	publish("k", &head, NULL);
	struct bulla_item_result sealed = encrypt_text("k", "4111111111111111", 0);
	struct bulla_bytes copy = bulla_arena_copy(call.arena, sealed.bytes);
	uint8_t *p = bulla_arena_alloc(call.arena, copy.len);

	ck_assert_ok(sealed.err);
	for (size_t bit = 0; bit < 8 * copy.len; bit++) {
		memcpy(p, copy.ptr, copy.len);
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_refused(open_one("k", (struct bulla_decrypt_item){ .ciphertext = printed(2, bulla_mem(p, copy.len)) }),
				  BULLA_E_AUTH_FAILED, auth_failed[_i]);
	}
	for (size_t len = 0; len < copy.len; len++) {
		bool no_nonce = len < algs[_i]->nonce_bytes;

		ck_assert_refused(open_one("k", (struct bulla_decrypt_item){ .ciphertext = printed(2, bulla_mem(copy.ptr, len)) }),
				  no_nonce ? BULLA_E_INVALID : BULLA_E_AUTH_FAILED,
				  no_nonce ? "invalid ciphertext length" : auth_failed[_i]);
	}
	memcpy(p, copy.ptr, copy.len);
	ck_assert_refused(open_one("k", (struct bulla_decrypt_item){ .ciphertext = printed(1, copy) }), BULLA_E_AUTH_FAILED,
			  auth_failed[_i]); /* another version's key */
	ck_assert_bytes(open_one("k", (struct bulla_decrypt_item){ .ciphertext = printed(2, copy) }).bytes, "4111111111111111");
}
END_TEST

/* A ciphertext opens under its own binding and under no other. */
START_TEST(bindings_are_bound)
{
	static const struct bulla_pair pan[] = { { { (const uint8_t *)"use", 3 }, { (const uint8_t *)"pan", 3 } } };
	static const struct bulla_pair iban[] = { { { (const uint8_t *)"use", 3 }, { (const uint8_t *)"iban", 4 } } };
	const struct bulla_binding all[] = {
		{ .aad = bulla_str("") }, { .aad = bulla_str("raw") }, { .aad = bulla_str("raw2") }, { .pairs = pan, .pair_count = 1 },
		{ .pairs = iban, .pair_count = 1 }, { .pairs = pan, .pair_count = 1, .aad = bulla_str("raw") },
	};
	const size_t n = sizeof all / sizeof all[0];
	const struct key_head head = { .alg = algs[_i], .latest = 1, .min_decryption = 1 };

	publish("k", &head, NULL);
	for (size_t i = 0; i < n; i++) {
		struct bulla_item_result sealed =
			seal_one("k", (struct bulla_encrypt_item){ .plaintext = bulla_str("x"), .binding = all[i] });
		struct bulla_bytes text = printed_result(&sealed);

		for (size_t j = 0; j < n; j++) {
			struct bulla_item_result opened =
				open_one("k", (struct bulla_decrypt_item){ .ciphertext = text, .binding = all[j] });

			if (i == j)
				ck_assert_bytes(opened.bytes, "x");
			else
				ck_assert_refused(opened, BULLA_E_AUTH_FAILED, auth_failed[_i]);
		}
	}
}
END_TEST

START_TEST(bad_bindings)
{
	const struct bulla_pair twice[] = { { bulla_str("a"), bulla_str("1") }, { bulla_str("a"), bulla_str("2") } };
	const struct bulla_binding bad_aad = { .aad_bad = true, .aad_bad_at = 0 }, bad_pairs = { .pairs = twice, .pair_count = 2 };
	const char *text = "unable to get associated_data/additional_data from factory[0]: illegal base64 data at input byte 0";

	plain_key("k", 1);
	ck_assert_refused(seal_one("k", (struct bulla_encrypt_item){ .binding = bad_aad }), BULLA_E_INVALID_500, text);
	ck_assert_refused(open_one("k", (struct bulla_decrypt_item){ .ciphertext = bulla_str("vault:v1:AAAA"), .binding = bad_aad }),
			  BULLA_E_INVALID_500, text);
	/* only once it is its turn */
	ck_assert_refused(open_one("k", (struct bulla_decrypt_item){ .ciphertext = bulla_str("zz"), .binding = bad_aad }),
			  BULLA_E_INVALID, "invalid ciphertext: no prefix");
	ck_assert_refused(seal_one("k", (struct bulla_encrypt_item){ .binding = bad_aad, .key_version = 2 }), BULLA_E_INVALID,
			  "requested version for encryption is higher than the latest key version");
	ck_assert_refused(seal_one("k", (struct bulla_encrypt_item){ .binding = bad_pairs }), BULLA_E_INVALID,
			  "a key of encryption_context stands there twice");
}
END_TEST

START_TEST(contexts)
{
	const struct key_head head = { .alg = algs[_i], .flags = KEY_DERIVED, .latest = 3, .min_decryption = 3 };

	publish("k", &head, NULL);
	ck_assert_refused(encrypt_text("k", "x", 0), BULLA_E_INVALID, NO_CONTEXT);
	ck_assert_refused(encrypt_text("k", "x", 1), BULLA_E_INVALID, NO_CONTEXT); /* before the version is looked for */
	ck_assert_refused(decrypt_text("k", "vault:v3:AAAA"), BULLA_E_INVALID, NO_CONTEXT);
	ck_assert_refused(decrypt_text("k", "vault:v3:AA"), BULLA_E_INVALID, "invalid ciphertext: could not decode base64");
	ck_assert_refused(seal_one("k", (struct bulla_encrypt_item){ .context = bulla_str("c"), .key_version = 1 }), BULLA_E_INVALID,
			  "no such key version");
	struct bulla_item_result sealed =
		seal_one("k", (struct bulla_encrypt_item){ .plaintext = bulla_str("x"), .context = bulla_str("c") });
	struct bulla_bytes text = printed_result(&sealed);

	ck_assert_refused(open_one("k", (struct bulla_decrypt_item){ .ciphertext = text, .context = bulla_str("d") }),
			  BULLA_E_AUTH_FAILED, auth_failed[_i]);
	ck_assert_refused(open_one("k", (struct bulla_decrypt_item){ .ciphertext = text, .context = bulla_str("cc") }),
			  BULLA_E_AUTH_FAILED, auth_failed[_i]);
	ck_assert_bytes(open_one("k", (struct bulla_decrypt_item){ .ciphertext = text, .context = bulla_str("c") }).bytes, "x");
}
END_TEST

START_TEST(soft_deleted)
{
	const struct key_head head = { .alg = &alg_aes256_gcm96, .flags = KEY_SOFT_DELETED, .latest = 1, .min_decryption = 1 };

	publish("k", &head, NULL);
	ck_assert_refused(encrypt_text("k", "x", -1), BULLA_E_INVALID, "refusing to use soft-deleted key");
	ck_assert_refused(decrypt_text("k", "zz"), BULLA_E_INVALID, "refusing to use soft-deleted key");
}
END_TEST

/* One damaged version fails with the key's name; the others go on. */
START_TEST(damaged_version)
{
	const struct key_head head = { .alg = &alg_aes256_gcm96, .latest = 2, .min_decryption = 1 };
	struct key_id id;

	ck_assert_ok(keyring_id(engine.keyring, mount.uuid, bulla_str("k"), &id));
	struct key *key = key_new(&id, &head);
	struct version *good = version_new(1, 0, 0, 32), *damaged = version_new(2, 0, 0, 0);

	count_begin(engine.keyring, good);
	ck_assert_ok(key_add(key, good));
	ck_assert_ok(key_add(key, damaged));
	publish_unstored(key, &id);
	const struct bulla_encrypt_item items[] = { { .plaintext = bulla_str("x") }, { .plaintext = bulla_str("y"), .key_version = 1 } };
	const struct bulla_encrypt_args args = { .mount = &mount, .name = bulla_str("k"), .items = items, .count = 2 };
	struct bulla_item_result results[2];

	ck_assert_ok(bulla_encrypt(&engine, &call, &args, results));
	ck_assert_refused(results[0], BULLA_E_STORE_DAMAGED, "the stored record of version 2 of key k is damaged");
	ck_assert_ok(results[1].err);
	ck_assert_refused(decrypt_text("k", "vault:v2:AAAA"), BULLA_E_STORE_DAMAGED,
			  "the stored record of version 2 of key k is damaged");
}
END_TEST

/* ---- batches ------------------------------------------------------------------------------------------------------------ */

/* Items that were bad already are passed on, and one bad item does not stop the others. */
START_TEST(mixed_batch)
{
	const struct bulla_encrypt_item items[] = {
		{ .plaintext = bulla_str("a") },
		{ .err = BULLA_E_BAD_BASE64, .error = bulla_str("illegal base64 data at input byte 3") },
		{ .plaintext = bulla_str("c"), .key_version = 9 },
		{ .plaintext = bulla_str("d") },
	};
	const struct bulla_encrypt_args args = { .mount = &mount, .name = bulla_str("k"), .items = items, .count = 4 };
	struct bulla_item_result results[4];

	plain_key("k", 1);
	ck_assert_ok(bulla_encrypt(&engine, &call, &args, results));
	ck_assert_uint_eq(call.detail.len, 0);
	ck_assert_ok(results[0].err);
	ck_assert_refused(results[1], BULLA_E_BAD_BASE64, "illegal base64 data at input byte 3");
	ck_assert_refused(results[2], BULLA_E_INVALID, "requested version for encryption is higher than the latest key version");
	ck_assert_ok(results[3].err);
	const struct bulla_decrypt_item back[] = {
		{ .ciphertext = printed_result(&results[3]) }, { .ciphertext = bulla_str("zz") }, { .ciphertext = printed_result(&results[0]) },
		{ .err = BULLA_E_INVALID, .error = bulla_str("missing ciphertext to decrypt") },
	};
	const struct bulla_decrypt_args args2 = { .mount = &mount, .name = bulla_str("k"), .items = back, .count = 4 };
	struct bulla_item_result opened[4];

	ck_assert_ok(bulla_decrypt(&engine, &call, &args2, opened));
	ck_assert_bytes(opened[0].bytes, "d");
	ck_assert_refused(opened[1], BULLA_E_INVALID, "invalid ciphertext: no prefix");
	ck_assert_bytes(opened[2].bytes, "a");
	ck_assert_refused(opened[3], BULLA_E_INVALID, "missing ciphertext to decrypt");
}
END_TEST

START_TEST(long_batches_need_a_worker)
{
	static struct bulla_encrypt_item items[10000];
	static struct bulla_item_result results[10000];
	struct bulla_encrypt_args args = { .mount = &mount, .name = bulla_str("k"), .items = items };
	static uint8_t big[256 << 10];

	plain_key("k", 1);
	for (size_t i = 0; i < 10000; i++)
		items[i].plaintext = bulla_str("4111111111111111");
	call.may_block = false;
	args.count = 128;
	ck_assert_ok(bulla_encrypt(&engine, &call, &args, results));
	args.count = 256;
	ck_assert_err(bulla_encrypt(&engine, &call, &args, results), BULLA_E_MUST_BLOCK);
	ck_assert_int_eq(call.needs, BULLA_WORK_CPU);
	items[0].plaintext = bulla_mem(big, sizeof big);
	args.count = 1;
	ck_assert_err(bulla_encrypt(&engine, &call, &args, results), BULLA_E_MUST_BLOCK);
	call.may_block = true;
	args.count = 10000;
	ck_assert_ok(bulla_encrypt(&engine, &call, &args, results));
	for (size_t i = 0; i < 10000; i++)
		ck_assert(results[i].err == BULLA_OK && results[i].bytes.len == items[i].plaintext.len + 28);
	const struct bulla_decrypt_item one = { .ciphertext = printed_result(&results[0]) };
	const struct bulla_decrypt_args args2 = { .mount = &mount, .name = bulla_str("k"), .items = &one, .count = 1 };

	call.may_block = false;
	ck_assert_err(bulla_decrypt(&engine, &call, &args2, results), BULLA_E_MUST_BLOCK);
	call.may_block = true;
	ck_assert_ok(bulla_decrypt(&engine, &call, &args2, results));
	ck_assert(bulla_equal(results[0].bytes, bulla_mem(big, sizeof big)));
}
END_TEST

START_TEST(nonces_differ)
{
	const struct key_head head = { .alg = algs[_i], .latest = 1, .min_decryption = 1 };
	struct bulla_bytes seen[500];

	publish("k", &head, NULL);
	for (size_t i = 0; i < 500; i++) {
		seen[i] = encrypt_text("k", "same", 0).bytes;
		for (size_t j = 0; j < i; j++)
			ck_assert_int_ne(memcmp(seen[i].ptr, seen[j].ptr, algs[_i]->nonce_bytes), 0);
	}
}
END_TEST

START_TEST(lengths)
{
	const struct key_head head = { .alg = algs[_i], .latest = 1, .min_decryption = 1 };
	uint8_t plaintext[300];

	publish("k", &head, NULL);
	for (size_t len = 0; len <= sizeof plaintext; len++) {
		memset(plaintext, (int)len, sizeof plaintext);
		struct bulla_item_result sealed =
			seal_one("k", (struct bulla_encrypt_item){ .plaintext = bulla_mem(plaintext, len) });
		struct bulla_item_result opened = open_one("k", (struct bulla_decrypt_item){ .ciphertext = printed_result(&sealed) });

		ck_assert_uint_eq(sealed.bytes.len, algs[_i]->nonce_bytes + len + 16);
		ck_assert_ok(opened.err);
		ck_assert(bulla_equal(opened.bytes, bulla_mem(plaintext, len)));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transit/crypt");
	TCase *cases = tcase_create("refused"), *batches = tcase_create("batches");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_set_timeout(cases, 60);
	tcase_add_test(cases, encrypt_versions);
	tcase_add_test(cases, decrypt_malformed);
	tcase_add_test(cases, decrypt_below_minimum);
	tcase_add_loop_test(cases, every_bit_counts, 0, 4);
	tcase_add_loop_test(cases, bindings_are_bound, 0, 4);
	tcase_add_test(cases, bad_bindings);
	tcase_add_loop_test(cases, contexts, 0, 4);
	tcase_add_test(cases, soft_deleted);
	tcase_add_test(cases, damaged_version);
	suite_add_tcase(suite, cases);
	tcase_add_checked_fixture(batches, setup, teardown);
	tcase_set_timeout(batches, 60);
	tcase_add_test(batches, mixed_batch);
	tcase_add_test(batches, long_batches_need_a_worker);
	tcase_add_loop_test(batches, nonces_differ, 0, 4);
	tcase_add_loop_test(batches, lengths, 0, 4);
	suite_add_tcase(suite, batches);
	return unit_main(suite);
}
