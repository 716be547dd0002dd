/* Cases of lib/transit/rewrap.c. */
#include "transit_unit.h"

static const struct bulla_pair pan[] = { { { (const uint8_t *)"use", 3 }, { (const uint8_t *)"pan", 3 } } };
static const struct bulla_binding none, raw = { .aad = { (const uint8_t *)"raw", 3 } }, bound = { .pairs = pan, .pair_count = 1 };

static struct bulla_item_result rewrap_one(struct bulla_rewrap_item item)
{
	const struct bulla_rewrap_args args = { .mount = &mount, .name = bulla_str("k"), .items = &item, .count = 1 };
	struct bulla_item_result result;

	ck_assert_ok(bulla_rewrap(&engine, &call, &args, &result));
	ck_assert_uint_eq(call.detail.len, 0);
	return result;
}

static void key_of(unsigned flags, uint32_t latest)
{
	const struct key_head head = { .alg = &alg_aes256_gcm96, .flags = flags, .latest = latest, .min_decryption = 1 };

	publish("k", &head, NULL);
}

static struct bulla_bytes sealed_text(int64_t version, const struct bulla_binding *binding)
{
	struct bulla_item_result sealed = seal_one(
		"k", (struct bulla_encrypt_item){ .plaintext = bulla_str("text"), .key_version = version, .binding = *binding });

	return printed_result(&sealed);
}

START_TEST(refused)
{
	struct bulla_bytes text;

	key_of(0, 2);
	text = sealed_text(1, &bound);
	ck_assert_refused(rewrap_one((struct bulla_rewrap_item){ .ciphertext = bulla_str("zz") }), BULLA_E_INVALID,
			  "invalid ciphertext: no prefix");
	ck_assert_refused(rewrap_one((struct bulla_rewrap_item){ .ciphertext = text }), BULLA_E_AUTH_FAILED,
			  "cipher: message authentication failed");
	ck_assert_refused(rewrap_one((struct bulla_rewrap_item){ .ciphertext = text, .old_binding = raw, .new_binding = bound }),
			  BULLA_E_AUTH_FAILED, "cipher: message authentication failed");
	ck_assert_refused(rewrap_one((struct bulla_rewrap_item){ .ciphertext = text, .old_binding = bound, .key_version = 3 }),
			  BULLA_E_INVALID, "requested version for encryption is higher than the latest key version");
	ck_assert_refused(rewrap_one((struct bulla_rewrap_item){ .ciphertext = text, .old_binding = bound, .key_version = -1 }),
			  BULLA_E_INVALID, "requested version for encryption is negative");
	/* the old ciphertext's faults come first */
	ck_assert_refused(rewrap_one((struct bulla_rewrap_item){ .ciphertext = bulla_str("vault:v9:AAAA"), .key_version = 9 }),
			  BULLA_E_INVALID, "invalid ciphertext: version is too new");
	ck_assert_refused(rewrap_one((struct bulla_rewrap_item){ .err = BULLA_E_INVALID, .error = bulla_str("bad") }), BULLA_E_INVALID,
			  "bad");
}
END_TEST

START_TEST(soft_deleted)
{
	key_of(KEY_SOFT_DELETED, 1);
	ck_assert_refused(rewrap_one((struct bulla_rewrap_item){ .ciphertext = bulla_str("zz") }), BULLA_E_INVALID,
			  "refusing to use soft-deleted key");
}
END_TEST

START_TEST(to_the_latest)
{
	key_of(0, 2);
	struct bulla_item_result out = rewrap_one((struct bulla_rewrap_item){ .ciphertext = sealed_text(1, &none) });

	ck_assert_uint_eq(out.key_version, 2);
	ck_assert_bytes(open_one("k", (struct bulla_decrypt_item){ .ciphertext = printed_result(&out) }).bytes, "text");
	out = rewrap_one((struct bulla_rewrap_item){ .ciphertext = printed_result(&out), .key_version = 1 });
	ck_assert_uint_eq(out.key_version, 1);
	ck_assert_bytes(open_one("k", (struct bulla_decrypt_item){ .ciphertext = printed_result(&out) }).bytes, "text");
}
END_TEST

/* From every binding to every other; afterwards only the new one opens it. */
START_TEST(bindings)
{
	const struct bulla_binding all[] = { none, raw, bound, { .pairs = pan, .pair_count = 1, .aad = bulla_str("raw") } };

	key_of(0, 2);
	for (size_t from = 0; from < 4; from++)
		for (size_t to = 0; to < 4; to++) {
			struct bulla_item_result out = rewrap_one((struct bulla_rewrap_item){
				.ciphertext = sealed_text(1, &all[from]), .old_binding = all[from], .new_binding = all[to] });
			struct bulla_bytes text = printed_result(&out);

			for (size_t i = 0; i < 4; i++) {
				struct bulla_item_result opened =
					open_one("k", (struct bulla_decrypt_item){ .ciphertext = text, .binding = all[i] });

				ck_assert((opened.err == BULLA_OK) == (i == to));
			}
		}
}
END_TEST

START_TEST(derived)
{
	key_of(KEY_DERIVED | KEY_CONVERGENT, 2);
	struct bulla_item_result old = seal_one(
		"k", (struct bulla_encrypt_item){ .plaintext = bulla_str("text"), .context = bulla_str("c"), .key_version = 1 });
	struct bulla_bytes text = printed_result(&old);

	ck_assert_refused(rewrap_one((struct bulla_rewrap_item){ .ciphertext = text, .context = bulla_str("d") }), BULLA_E_AUTH_FAILED,
			  "cipher: message authentication failed");
	struct bulla_item_result out = rewrap_one((struct bulla_rewrap_item){ .ciphertext = text, .context = bulla_str("c") });
	struct bulla_item_result new =
		seal_one("k", (struct bulla_encrypt_item){ .plaintext = bulla_str("text"), .context = bulla_str("c") });

	ck_assert(bulla_equal(out.bytes, new.bytes)); /* convergent: as if it had been encrypted now */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transit/rewrap");
	TCase *cases = tcase_create("rewrap");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, refused);
	tcase_add_test(cases, soft_deleted);
	tcase_add_test(cases, to_the_latest);
	tcase_add_test(cases, bindings);
	tcase_add_test(cases, derived);
	suite_add_tcase(suite, cases);
	return unit_main(suite);
}
