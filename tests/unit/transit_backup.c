/* Cases of lib/transit/backup*.c, restore*.c and lib/keyring/install.c: over a real store and seal. */
#include "keyring_unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "bulla/encode.h"
#include "bulla/transit.h"

static struct rig rig;

static void setup(void)
{
	ck_assert_ok(crypto_init());
	rig = rig_open(NULL, 1u << 24);
}

static void teardown(void)
{
	rig_close(&rig);
}

static void make_key(const char *name, const char *type, bool derived, bool convergent)
{
	const struct bulla_key_create_args args = { .type = bulla_str(type), .derived = derived, .convergent = convergent,
						    .exportable = true, .allow_plaintext_backup = true, .auto_rotate_s = 7200,
						    .key_size = strcmp(type, "hmac") == 0 ? 48 : 0 };
	struct bulla_key_info info;
	bool created;

	ck_assert_ok(bulla_key_create(&rig.engine, fresh(&rig), &mount_a, bulla_str(name), &args, &info, &created));
}

/* A copy that outlives the call; to be freed. */
static char *backup_of(const char *name)
{
	struct bulla_bytes out;

	ck_assert_ok(bulla_key_backup(&rig.engine, fresh(&rig), &mount_a, bulla_str(name), &out));
	return strndup((const char *)out.ptr, out.len);
}

static enum bulla_err restore(const char *name, const char *backup, bool force)
{
	return bulla_key_restore(&rig.engine, fresh(&rig), &mount_a, bulla_str(name), bulla_str(backup), force);
}

static char *decoded(const char *backup)
{
	uint8_t *out = calloc(1, BULLA_BASE64_MAX_DECODED(strlen(backup)) + 1);
	size_t len, bad_at;

	ck_assert_ok(bulla_base64_decode(bulla_str(backup), out, &len, &bad_at));
	out[len] = 0;
	return (char *)out;
}

static enum bulla_err restore_text(const char *name, const char *json)
{
	char *text = calloc(1, BULLA_BASE64_LEN(strlen(json)) + 1);

	bulla_base64_encode(bulla_str(json), text);
	enum bulla_err err = restore(name, text, false);

	free(text);
	return err;
}

/* Material, HMAC key, time of creation and flags of a version, for comparing. */
struct print {
	uint8_t tag[16];
};

static struct print print_of(const char *name, uint32_t number)
{
	static const uint8_t tag_key[32] = { 1 };
	const struct key_version *version;
	const struct key *key;
	struct print print;
	uint8_t all[8192];
	size_t n = 0;

	ck_assert_ok(keyring_begin(rig.engine.keyring, fresh(&rig), &mount_a, bulla_str(name), &key));
	ck_assert_ok(key_version_use(key, number, &rig.call, &version));
	memcpy(all, version->key, version->key_len), n += version->key_len;
	memcpy(all + n, version->hmac_key, version->hmac_key_len), n += version->hmac_key_len;
	memcpy(all + n, &version->created_date_ns, 8), n += 8;
	all[n++] = version->public_only;
	all[n++] = (uint8_t)version->convergent_version;
	keyring_end(key);
	keyed_tag(tag_key, bulla_mem(all, n), print.tag);
	bulla_wipe(all, sizeof all);
	return print;
}

static const struct {
	const char *type;
	bool derived, convergent;
} kinds[] = {
	{ "aes128-gcm96", false, false }, { "aes256-gcm96", true, false }, { "chacha20-poly1305", true, true },
	{ "xchacha20-poly1305", false, false }, { "ed25519", false, false }, { "ed25519", true, false },
	{ "ecdsa-p256", false, false }, { "ecdsa-p384", false, false }, { "ecdsa-p521", false, false },
	{ "rsa-2048", false, false }, { "hmac", false, false },
};

START_TEST(round_trip)
{
	make_key("k", kinds[_i].type, kinds[_i].derived, kinds[_i].convergent);
	rotate(&rig, "k");
	rotate(&rig, "k");
	set_min(&rig, "k", 2, 3);
	char *backup = backup_of("k");
	struct bulla_key_info from = look(&rig, "k");

	ck_assert_uint_eq(from.backup.version, 3);
	ck_assert_uint_eq(from.restore.version, 0);
	ck_assert_ok(restore("copy", backup, false));
	struct bulla_key_info to = look(&rig, "copy");

	ck_assert_str_eq(to.type, kinds[_i].type);
	ck_assert(to.derived == kinds[_i].derived && to.convergent == kinds[_i].convergent && to.exportable);
	ck_assert(to.allow_plaintext_backup && !to.deletion_allowed && !to.imported && !to.soft_deleted);
	ck_assert_uint_eq(to.latest, 3);
	ck_assert_uint_eq(to.min_decryption, 2);
	ck_assert_uint_eq(to.min_encryption, 3);
	ck_assert_int_eq(to.auto_rotate_s, 7200);
	ck_assert_int_eq(to.backup.at_date_ns, from.backup.at_date_ns);
	ck_assert_uint_eq(to.restore.version, 3);
	for (uint32_t number = 1; number <= 3; number++) { /* 1 came from the archive */
		struct print a = print_of("k", number), b = print_of("copy", number);

		ck_assert_int_eq(memcmp(&a, &b, sizeof a), 0);
	}
	set_min(&rig, "copy", 1, 0);
	ck_assert_uint_eq(look(&rig, "copy").version_count, 3);
	free(backup);
}
END_TEST

/* The same after the records were read again. */
START_TEST(restored_is_stored)
{
	make_key("k", "ecdsa-p256", false, false);
	char *backup = backup_of("k");

	ck_assert_ok(restore("copy", backup, false));
	struct print before = print_of("copy", 1);

	keyring_empty(rig.engine.keyring);
	struct print after = print_of("copy", 1), source = print_of("k", 1);

	ck_assert_int_eq(memcmp(&before, &after, sizeof before), 0);
	ck_assert_int_eq(memcmp(&source, &after, sizeof after), 0);
	ck_assert_uint_eq(look(&rig, "copy").restore.version, 1);
	free(backup);
}
END_TEST

START_TEST(trimmed)
{
	make_key("k", "aes256-gcm96", false, false);
	for (int i = 0; i < 4; i++)
		rotate(&rig, "k");
	set_min(&rig, "k", 4, 4);
	const int64_t min = 3;
	struct bulla_key_info info;

	ck_assert_ok(bulla_key_trim(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &min, &info));
	char *backup = backup_of("k");

	ck_assert_ok(restore("copy", backup, false));
	info = look(&rig, "copy");
	ck_assert_uint_eq(info.min_available, 3);
	ck_assert_uint_eq(info.version_count, 2);
	ck_assert_uint_eq(stored_versions(&rig, "copy"), 3);
	for (uint32_t number = 3; number <= 5; number++) {
		struct print a = print_of("k", number), b = print_of("copy", number);

		ck_assert_int_eq(memcmp(&a, &b, sizeof a), 0);
	}
	free(backup);
}
END_TEST

START_TEST(backup_refused)
{
	const struct bulla_key_create_args args = { 0 };
	const struct bulla_key_config_args exportable = { .set = BULLA_KEY_EXPORTABLE, .exportable = true };
	struct bulla_bytes out = bulla_str("untouched");
	struct bulla_key_info info;
	bool created;

	ck_assert_detail(rig, bulla_key_backup(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &out), BULLA_E_INVALID_500,
			 "key \"k\" not found");
	ck_assert_ok(bulla_key_create(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &args, &info, &created));
	ck_assert_detail(rig, bulla_key_backup(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &out), BULLA_E_INVALID_500,
			 "exporting is disallowed on the policy");
	ck_assert_ok(config(&rig, "k", &exportable, &info));
	ck_assert_detail(rig, bulla_key_backup(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &out), BULLA_E_INVALID_500,
			 "plaintext backup is disallowed on the policy");
	ck_assert_err(bulla_key_backup(&rig.engine, fresh_loop(&rig), &mount_a, bulla_str("k"), &out), BULLA_E_MUST_BLOCK);
	ck_assert_bytes(out, "untouched");
	ck_assert_uint_eq(look(&rig, "k").backup.version, 0);
}
END_TEST

START_TEST(exists_and_force)
{
	make_key("k", "aes256-gcm96", false, false);
	char *one = backup_of("k");

	make_key("other", "chacha20-poly1305", false, false);
	rotate(&rig, "other");
	rotate(&rig, "other");
	ck_assert_detail(rig, restore("other", one, false), BULLA_E_KEY_EXISTS, "key \"other\" already exists");
	ck_assert_str_eq(look(&rig, "other").type, "chacha20-poly1305");
	ck_assert_ok(restore("other", one, true));
	ck_assert_str_eq(look(&rig, "other").type, "aes256-gcm96");
	ck_assert_uint_eq(stored_versions(&rig, "other"), 1);
	struct print a = print_of("k", 1), b = print_of("other", 1);

	ck_assert_int_eq(memcmp(&a, &b, sizeof a), 0);
	keyring_empty(rig.engine.keyring);
	b = print_of("other", 1);
	ck_assert_int_eq(memcmp(&a, &b, sizeof a), 0);
	rotate(&rig, "other"); /* and it goes on from there */
	ck_assert_ok(restore("fresh", one, true)); /* force where there is nothing */
	free(one);
}
END_TEST

START_TEST(names)
{
	make_key("k", "aes256-gcm96", false, false);
	char *backup = backup_of("k");

	ck_assert_detail(rig, restore("a/b", backup, false), BULLA_E_INVALID_500, "key names cannot be paths");
	ck_assert_detail(rig, restore("a b", backup, false), BULLA_E_INVALID_500, "invalid key name");
	ck_assert_detail(rig, restore("import/wrapping-key", backup, true), BULLA_E_INVALID_500, "key names cannot be paths");
	ck_assert_detail(rig, restore("", backup, false), BULLA_E_KEY_EXISTS, "key \"k\" already exists");
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 1);
	ck_assert_err(bulla_key_restore(&rig.engine, fresh_loop(&rig), &mount_a, bulla_str("l"), bulla_str(backup), false),
		      BULLA_E_MUST_BLOCK);
	free(backup);
}
END_TEST

static const char *const nonsense[] = {
	"", "null", "true", "[]", "\"x\"", "{}", "{\"policy\":null}", "{\"policy\":[]}", "{\"policy\":{}}", "hello", "{\"policy\":{\"name\":5}}",
	"{\"policy\":{\"latest_version\":1,\"min_decryption_version\":1}}",
	"{\"policy\":{\"latest_version\":1,\"min_decryption_version\":1,\"keys\":{\"1\":null}}}",
	"{\"policy\":{\"latest_version\":1,\"min_decryption_version\":1,\"keys\":[{}]}}",
	"{\"policy\":{\"latest_version\":1,\"min_decryption_version\":1,\"keys\":{\"1\":{}}}}",
	"{\"policy\":{\"latest_version\":4294967294,\"min_decryption_version\":1,\"keys\":{\"1\":{}}},\"archived_keys\":{\"keys\":[{},{}]}}",
	"{\"policy\":{\"latest_version\":99999999999999999999,\"min_decryption_version\":1}}",
	"{\"policy\":{\"latest_version\":1,\"min_decryption_version\":1,\"type\":1,\"keys\":{\"1\":{}}}}",
	"{\"policy\":{\"latest_version\":1,\"min_decryption_version\":1,\"type\":3,\"keys\":{\"1\":{\"rsa_key\":{}}}}}",
	"{\"policy\":{\"latest_version\":1,\"min_decryption_version\":1,\"type\":3,\"keys\":{\"1\":{\"rsa_key\":{\"N\":1,\"E\":1,\"D\":1,"
	"\"Primes\":[1,1]}}}}}",
	"{\"policy\":{\"latest_version\":1,\"min_decryption_version\":1,\"type\":3,\"keys\":{\"1\":{\"rsa_key\":{\"N\":0,\"E\":0,\"D\":0,"
	"\"Primes\":[]}}}}}",
	"{\"policy\":{\"latest_version\":1,\"min_decryption_version\":1,\"type\":1,\"keys\":{\"1\":{\"ec_x\":1,\"ec_y\":1,\"ec_d\":0}}}}",
	"{\"policy\":{\"latest_version\":1,\"min_decryption_version\":1,\"type\":2,\"keys\":{\"1\":{\"key\":\"AAAA\"}}}}",
	"{\"policy\":{\"latest_version\":1,\"min_decryption_version\":1,\"type\":10000,\"keys\":{\"1\":{\"external_key_ref\":\"x\"}}}}",
};

START_TEST(refuses_nonsense)
{
	ck_assert_err(restore_text("k", nonsense[_i]), BULLA_E_INVALID_500);
	ck_assert_uint_gt(rig.call.detail.len, 0);
	ck_assert_err(restore("k", nonsense[_i], true), BULLA_E_INVALID_500);
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 0);
}
END_TEST

/* What is changed in a good document with two versions, of which it needs the archive for one. */
static const struct {
	const char *type, *from, *to;
} changes[] = {
	{ "aes256-gcm96", "\"min_decryption_version\":2", "\"min_decryption_version\":0" },
	{ "aes256-gcm96", "\"min_decryption_version\":2", "\"min_decryption_version\":3" },
	{ "aes256-gcm96", "\"min_decryption_version\":2", "\"min_decryption_version\":\"2\"" },
	{ "aes256-gcm96", "\"min_decryption_version\":2", "\"min_decryption_version\":2.5" },
	{ "aes256-gcm96", "\"min_encryption_version\":2", "\"min_encryption_version\":1" },
	{ "aes256-gcm96", "\"min_encryption_version\":2", "\"min_encryption_version\":3" },
	{ "aes256-gcm96", "\"min_encryption_version\":2", "\"min_encryption_version\":-1" },
	{ "aes256-gcm96", "\"min_available_version\":0", "\"min_available_version\":3" },
	{ "aes256-gcm96", "\"min_available_version\":0", "\"min_available_version\":-1" },
	{ "aes256-gcm96", "\"latest_version\":2", "\"latest_version\":3" },
	{ "aes256-gcm96", "\"latest_version\":2", "\"latest_version\":0" },
	{ "aes256-gcm96", "\"type\":0", "\"type\":8" },
	{ "aes256-gcm96", "\"type\":0", "\"type\":12" },
	{ "aes256-gcm96", "\"type\":0", "\"type\":-1" },
	{ "aes256-gcm96", "\"type\":0", "\"type\":1" },
	{ "aes256-gcm96", "\"derived\":false,\"kdf\":0", "\"derived\":true,\"kdf\":2" },
	{ "ed25519", "\"derived\":false", "\"derived\":true" }, /* with kdf 0 */
	{ "aes256-gcm96", "\"derived\":false", "\"derived\":1" },
	{ "aes256-gcm96", "\"convergent_encryption\":false", "\"convergent_encryption\":true" },
	{ "aes256-gcm96", "\"version_template\":\"\"", "\"version_template\":\"x{{version}}:\"" },
	{ "aes256-gcm96", "\"auto_rotate_period\":7200000000000", "\"auto_rotate_period\":1" },
	{ "aes256-gcm96", "\"auto_rotate_period\":7200000000000", "\"auto_rotate_period\":-7200000000000" },
	{ "aes256-gcm96", "\"hmac_key\":\"", "\"hmac_key\":\"AAAA" },
	{ "aes256-gcm96", "\"key\":\"", "\"key\":\"AAAA" },
	{ "aes256-gcm96", "\"key\":\"", "\"key\":\"!" },
	{ "aes256-gcm96", "\"key\":\"", "\"kex\":\"" },
	{ "aes256-gcm96", "\"time\":\"", "\"time\":\"x" },
	{ "aes256-gcm96", "\"creation_time\":", "\"creation_time\":1.5e" },
	{ "aes256-gcm96", "\"certificate_chain\":null", "\"certificate_chain\":\"AAAA\"" },
	{ "aes256-gcm96", "\"certificate_chain\":null", "\"certificate_chain\":[\"AAAA\"]" },
	{ "aes256-gcm96", "\"archived_keys\":{\"keys\":", "\"archived_keys\":{\"kexs\":" },
	{ "aes256-gcm96", "\"archived_keys\":", "\"archived_keyx\":" },
	{ "ecdsa-p256", "\"ec_d\":", "\"ec_d\":1" },
	{ "ecdsa-p256", "\"ec_x\":", "\"ec_x\":1" },
	{ "ecdsa-p256", "\"ec_x\":", "\"ec_x\":-" },
	{ "ecdsa-p256", "\"ec_y\":", "\"ec_z\":" },
	{ "ecdsa-p256", "\"type\":1", "\"type\":6" },
	{ "ecdsa-p256", "\"type\":1", "\"type\":2" },
	{ "rsa-2048", "\"N\":", "\"N\":1" },
	{ "rsa-2048", "\"D\":", "\"D\":1" },
	{ "rsa-2048", "\"Primes\":[", "\"Primes\":[1" },
	{ "rsa-2048", "\"Primes\":[", "\"Primes\":[3," },
	{ "rsa-2048", "\"type\":3", "\"type\":9" },
	{ "ed25519", "\"key\":\"", "\"key\":\"AAAA" },
	{ "hmac", "\"key\":\"", "\"kex\":\"" },
};

START_TEST(refuses_changed)
{
	make_key("k", changes[_i].type, false, false);
	rotate(&rig, "k");
	set_min(&rig, "k", 2, 2);
	char *backup = backup_of("k"), *json = decoded(backup);
	char *at = strstr(json, changes[_i].from), *other = calloc(1, strlen(json) + 64);

	ck_assert_ptr_nonnull(at);
	sprintf(other, "%.*s%s%s", (int)(at - json), json, changes[_i].to, at + strlen(changes[_i].from));
	ck_assert_ok(restore_text("good", json));
	ck_assert_err(restore_text("bad", other), BULLA_E_INVALID_500);
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 2);
	ck_assert_uint_eq(stored_versions(&rig, "bad"), 0);
	free(other);
	free(json);
	free(backup);
}
END_TEST

START_TEST(refuses_cut)
{
	make_key("k", "ecdsa-p256", false, false);
	char *backup = backup_of("k"), *json = decoded(backup);
	size_t len = strlen(json);

	for (size_t n = 0; n + 2 < len; n += 3) { /* the last two are the closing brace and a newline */
		json[n] = 0;
		ck_assert_err(restore_text("cut", json), BULLA_E_INVALID_500);
		free(json);
		json = decoded(backup);
	}
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 1);
	free(json);
	free(backup);
}
END_TEST

/* Whatever byte is changed: it is refused, or it makes a key that can be read. */
START_TEST(any_byte)
{
	static const char *const types[] = { "aes128-gcm96", "ecdsa-p256", "ed25519" };

	make_key("k", types[_i], false, false);
	char *backup = backup_of("k"), *json = decoded(backup);
	size_t len = strlen(json), refused = 0, made = 0;

	srand(7);
	for (int i = 0; i < 1500; i++) {
		size_t at = (size_t)rand() % len;
		char was = json[at];

		json[at] = (char)(32 + rand() % 95);
		char name[16];

		snprintf(name, sizeof name, "copy%zu", made);
		enum bulla_err err = restore_text(name, json);

		if (err == BULLA_OK) {
			look(&rig, name);
			made++;
		} else {
			ck_assert_err(err, BULLA_E_INVALID_500);
			refused++;
		}
		json[at] = was;
	}
	ck_assert_uint_gt(refused, 300);
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 1 + made);
	free(json);
	free(backup);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transit/backup");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, round_trip, 0, sizeof kinds / sizeof kinds[0]);
	tcase_add_test(tc, restored_is_stored);
	tcase_add_test(tc, trimmed);
	tcase_add_test(tc, backup_refused);
	tcase_add_test(tc, exists_and_force);
	tcase_add_test(tc, names);
	tcase_add_loop_test(tc, refuses_nonsense, 0, sizeof nonsense / sizeof nonsense[0]);
	tcase_add_loop_test(tc, refuses_changed, 0, sizeof changes / sizeof changes[0]);
	tcase_add_test(tc, refuses_cut);
	tcase_add_loop_test(tc, any_byte, 0, 3);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
