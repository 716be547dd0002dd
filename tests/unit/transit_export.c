/* Cases of lib/transit/export.c. */
#include "bulla/encode.h"
#include "transit_unit.h"

static const char *name;

static enum bulla_err export_as(const char *kind, const char *version, const char *format, struct bulla_export_result *out)
{
	const struct bulla_export_args args = {
		.mount = &mount, .kind = bulla_str(kind), .name = bulla_str(name), .version = bulla_str(version),
		.format = bulla_str(format),
	};

	call.detail = (struct bulla_bytes){ 0 };
	return bulla_export(&engine, &call, &args, out);
}

static void refused(const char *kind, const char *version, const char *format, enum bulla_err err, const char *text)
{
	struct bulla_export_result out = { .count = 77 };

	ck_assert_err(export_as(kind, version, format, &out), err);
	ck_assert_bytes(bulla_call_text(&call, err), text);
	ck_assert_uint_eq(out.count, 77);
}

static void key_of(unsigned flags, uint32_t min_decryption)
{
	const struct key_head head = { .alg = &alg_aes128_gcm96, .flags = flags, .latest = 4, .min_decryption = min_decryption };

	name = "k";
	publish("k", &head, NULL);
}

START_TEST(bad_words)
{
	key_of(KEY_EXPORTABLE, 1);
	refused("foo", "", "", BULLA_E_INVALID, "invalid export type: foo");
	refused("foo", "", "foo", BULLA_E_INVALID, "invalid export type: foo");
	refused("", "", "", BULLA_E_INVALID, "invalid export type: ");
	refused("encryption-key", "", "foo", BULLA_E_INVALID, "invalid format: foo");
	refused("encryption-key", "", "der", BULLA_E_INVALID_500, "unknown format for HMAC key; supported values are `` or `raw`");
	refused("hmac-key", "", "pem", BULLA_E_INVALID_500, "unknown format for HMAC key; supported values are `` or `raw`");
}
END_TEST

START_TEST(not_exportable)
{
	key_of(0, 1);
	refused("encryption-key", "", "", BULLA_E_INVALID, "private key material is not exportable");
	refused("signing-key", "", "", BULLA_E_INVALID, "private key material is not exportable");
	refused("hmac-key", "9", "", BULLA_E_INVALID, "private key material is not exportable");
	refused("public-key", "", "", BULLA_E_INVALID_500, "unknown key type aes128-gcm96 for export type public-key");
	refused("certificate-chain", "", "", BULLA_E_INVALID,
		"certificate chain not supported for keys that do not support signing");
}
END_TEST

START_TEST(not_of_this_type)
{
	key_of(KEY_EXPORTABLE, 1);
	refused("signing-key", "99", "", BULLA_E_INVALID, "signing not supported for the key");
	refused("public-key", "99", "", BULLA_E_INVALID, "version does not exist or cannot be found");
	refused("public-key", "", "der", BULLA_E_INVALID_500, "unknown key type aes128-gcm96 for export type public-key");
}
END_TEST

START_TEST(soft_deleted)
{
	key_of(KEY_SOFT_DELETED, 1);
	refused("encryption-key", "", "", BULLA_E_INVALID, "private key material is not exportable");
	refused("public-key", "", "", BULLA_E_KEY_SOFT_DELETED, "refusing to use soft-deleted key");
	key_of(KEY_SOFT_DELETED | KEY_EXPORTABLE, 1);
	refused("encryption-key", "7", "", BULLA_E_KEY_SOFT_DELETED, "refusing to use soft-deleted key");
}
END_TEST

START_TEST(bad_versions)
{
	static const char *const unreadable[] = { "abc", "1.0", "v", "vv3", "-", "+", "", "99999999999999999999", "3 ", " 3", "3/4", "0x3" };

	key_of(KEY_EXPORTABLE, 3);
	for (size_t i = 0; i < sizeof unreadable / sizeof unreadable[0]; i++)
		if (unreadable[i][0] != 0)
			refused("encryption-key", unreadable[i], "", BULLA_E_INVALID, "invalid key version");
	refused("encryption-key", "2", "", BULLA_E_INVALID, "version for export is below minimum decryption version");
	refused("encryption-key", "v2", "", BULLA_E_INVALID, "version for export is below minimum decryption version");
	refused("encryption-key", "0", "", BULLA_E_INVALID, "version for export is below minimum decryption version");
	refused("encryption-key", "-1", "", BULLA_E_INVALID, "version for export is below minimum decryption version");
	refused("encryption-key", "5", "", BULLA_E_INVALID, "version does not exist or cannot be found");
	refused("encryption-key", "4294967299", "", BULLA_E_INVALID, "version does not exist or cannot be found");
}
END_TEST

/* version's material: key bytes of its number, and so the HMAC key, which is longer. */
static void holds(const struct bulla_export_entry *entry, uint32_t version, size_t len)
{
	uint8_t bytes[64];
	char text[BULLA_BASE64_LEN(64)];

	memset(bytes, (int)version, len);
	size_t n = bulla_base64_encode(bulla_mem(bytes, len), text);

	ck_assert_uint_eq(entry->version, version);
	ck_assert(bulla_equal(entry->material, bulla_mem(text, n)));
}

START_TEST(all_and_single)
{
	static const char *const spellings[] = { "3", "v3", "+3", "03" };
	struct bulla_export_result out;

	key_of(KEY_EXPORTABLE, 2);
	ck_assert_ok(export_as("encryption-key", "", "", &out));
	ck_assert_str_eq(out.type, "aes128-gcm96");
	ck_assert_uint_eq(out.count, 3);
	for (uint32_t i = 0; i < 3; i++)
		holds(&out.entries[i], i + 2, 16);
	ck_assert_ok(export_as("hmac-key", "", "raw", &out));
	ck_assert_uint_eq(out.count, 3);
	holds(&out.entries[0], 2, 32);
	ck_assert_ok(export_as("encryption-key", "latest", "", &out));
	ck_assert_uint_eq(out.count, 1);
	holds(&out.entries[0], 4, 16);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_ok(export_as("encryption-key", spellings[i], "", &out));
		ck_assert_uint_eq(out.count, 1);
		holds(&out.entries[0], 3, 16);
	}
}
END_TEST

START_TEST(many_versions_need_a_worker)
{
	const struct key_head head = { .alg = &alg_aes256_gcm96, .flags = KEY_EXPORTABLE, .latest = 1000, .min_decryption = 1 };
	struct bulla_export_result out;

	name = "long";
	publish(name, &head, NULL);
	call.may_block = false;
	ck_assert_err(export_as("encryption-key", "", "", &out), BULLA_E_MUST_BLOCK);
	ck_assert_ok(export_as("encryption-key", "999", "", &out));
	call.may_block = true;
	ck_assert_ok(export_as("encryption-key", "", "", &out));
	ck_assert_uint_eq(out.count, 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transit/export");
	TCase *cases = tcase_create("export");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, bad_words);
	tcase_add_test(cases, not_exportable);
	tcase_add_test(cases, not_of_this_type);
	tcase_add_test(cases, soft_deleted);
	tcase_add_test(cases, bad_versions);
	tcase_add_test(cases, all_and_single);
	tcase_add_test(cases, many_versions_need_a_worker);
	suite_add_tcase(suite, cases);
	return unit_main(suite);
}
