/* Named keys: what is refused and with which of the peer's texts, what each operation leaves behind, and what outlives a
 * restart. */
#include "keyring_unit.h"

#include <stdio.h>

#include "bulla/clock.h"

/* ---- create ---------------------------------------------------------------------- */

static const struct {
	struct bulla_key_create_args args;
	const char *error;
} bad_creates[] = {
	{ { .auto_rotate_s = 3599 }, "auto rotate period must be 0 to disable or at least an hour" },
	{ { .auto_rotate_s = -1 }, "auto rotate period must be 0 to disable or at least an hour" },
	{ { .auto_rotate_s = 1, .convergent = true, .type = { (const uint8_t *)"nope", 4 } },
	  "auto rotate period must be 0 to disable or at least an hour" },
	{ { .convergent = true, .type = { (const uint8_t *)"nope", 4 } },
	  "convergent encryption requires derivation to be enabled" },
	{ { .type = { (const uint8_t *)"nope", 4 } }, "unknown key type nope" },
	{ { .type = { (const uint8_t *)"", 0 } }, "unknown key type " },
	{ { .type = { (const uint8_t *)"AES256-GCM96", 12 } }, "unknown key type AES256-GCM96" },
	{ { .type = { (const uint8_t *)"managed_key", 11 } }, "unknown key type managed_key" },
};

START_TEST(create_refused)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct bulla_key_info info = { .latest = 77 };
	bool created = true;
	uint64_t batches = store_counts(rig.engine.store).batches;

	ck_assert_detail(rig,
			 bulla_key_create(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &bad_creates[_i].args, &info,
					  &created),
			 BULLA_E_INVALID, bad_creates[_i].error);
	ck_assert_uint_eq(info.latest, 77);
	ck_assert(created);
	/* so it is for a key that exists */
	make(&rig, "k");
	ck_assert_detail(rig,
			 bulla_key_create(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &bad_creates[_i].args, &info,
					  &created),
			 BULLA_E_INVALID, bad_creates[_i].error);
	ck_assert_uint_eq(store_counts(rig.engine.store).batches, batches + 1);
	rig_close(&rig);
}
END_TEST

static const char *const bad_names[] = { "", "-a", "a-", ".a", "a.", "a/b", "a b", "a+b", "\xc3\xa9", "-", ".", "a\nb", "a*b" };

START_TEST(name_refused)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const struct bulla_key_create_args args = { 0 };
	struct bulla_key_info info;
	bool created;

	ck_assert_err(bulla_key_create(&rig.engine, fresh(&rig), &mount_a, bulla_str(bad_names[_i]), &args, &info, &created),
		      BULLA_E_INVALID);
	ck_assert_uint_gt(rig.call.detail.len, 0);
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 0);
	rig_close(&rig);
}
END_TEST

START_TEST(name_length)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const struct bulla_key_create_args args = { 0 };
	struct bulla_key_info info;
	char name[BULLA_KEY_NAME_MAX + 2];
	bool created;

	memset(name, 'n', sizeof name);
	name[BULLA_KEY_NAME_MAX + 1] = '\0';
	ck_assert_err(bulla_key_create(&rig.engine, fresh(&rig), &mount_a, bulla_str(name), &args, &info, &created),
		      BULLA_E_INVALID);
	ck_assert_err(bulla_key_read(&rig.engine, fresh(&rig), &mount_a, bulla_str(name), &info), BULLA_E_NOT_FOUND);
	ck_assert_err(bulla_key_rotate(&rig.engine, fresh(&rig), &mount_a, bulla_str(name), &info), BULLA_E_INVALID);
	name[BULLA_KEY_NAME_MAX] = '\0';
	make(&rig, name);
	keyring_empty(rig.engine.keyring);
	ck_assert_bytes(look(&rig, name).name, name);
	rig_close(&rig);
}
END_TEST

START_TEST(loop_does_not_block)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const struct bulla_key_create_args args = { 0 };
	const struct bulla_key_config_args set = { .set = BULLA_KEY_EXPORTABLE, .exportable = true };
	const int64_t one = 1;
	struct bulla_key_info info;
	struct bulla_bytes *names;
	struct bulla *engine = &rig.engine;
	struct bulla_bytes k = bulla_str("k");
	const struct key *key;
	size_t count;
	bool flag;

	ck_assert_err(bulla_key_create(engine, fresh_loop(&rig), &mount_a, k, &args, &info, &flag), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_key_read(engine, fresh_loop(&rig), &mount_a, k, &info), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_key_exists(engine, fresh_loop(&rig), &mount_a, k, &flag), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_key_list(engine, fresh_loop(&rig), &mount_a, bulla_str(""), 0, &names, &count), BULLA_E_MUST_BLOCK);
	ck_assert_err(keyring_begin(engine->keyring, fresh_loop(&rig), &mount_a, k, &key), BULLA_E_MUST_BLOCK);
	make(&rig, "k");
	ck_assert_err(bulla_key_rotate(engine, fresh_loop(&rig), &mount_a, k, &info), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_key_config(engine, fresh_loop(&rig), &mount_a, k, &set, &info), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_key_trim(engine, fresh_loop(&rig), &mount_a, k, &one, &info), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_key_soft_delete(engine, fresh_loop(&rig), &mount_a, k, &info), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_key_soft_delete_restore(engine, fresh_loop(&rig), &mount_a, k, &info), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_key_delete(engine, fresh_loop(&rig), &mount_a, k), BULLA_E_MUST_BLOCK);
	ck_assert_err(keyring_destroy_mount(engine->keyring, fresh_loop(&rig), mount_a.uuid), BULLA_E_MUST_BLOCK);
	/* what is in memory is had at once */
	ck_assert_ok(bulla_key_create(engine, fresh_loop(&rig), &mount_a, k, &args, &info, &flag));
	ck_assert(!flag);
	ck_assert_ok(bulla_key_read(engine, fresh_loop(&rig), &mount_a, k, &info));
	ck_assert_uint_eq(info.latest, 1);
	ck_assert_ok(bulla_key_exists(engine, fresh_loop(&rig), &mount_a, k, &flag));
	ck_assert(flag);
	rig_close(&rig);
}
END_TEST

static const struct {
	const char *type;
	size_t key_bytes;
} types[] = { { "aes128-gcm96", 16 }, { "aes256-gcm96", 32 }, { "chacha20-poly1305", 32 }, { "xchacha20-poly1305", 32 } };

START_TEST(create_makes)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const struct bulla_key_create_args args = { .type = bulla_str(types[_i].type), .derived = true, .convergent = true,
						    .exportable = true, .allow_plaintext_backup = true, .auto_rotate_s = 3600 };
	static const uint8_t zeros[32];
	struct bulla_key_info info;
	const struct key_version *version;
	const struct key *key;
	bool created;

	ck_assert_ok(bulla_key_create(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &args, &info, &created));
	ck_assert(created);
	for (int loaded = 0; loaded < 2; loaded++) {
		ck_assert_bytes(info.name, "k");
		ck_assert_str_eq(info.type, types[_i].type);
		ck_assert(info.derived && info.convergent && info.exportable && info.allow_plaintext_backup);
		ck_assert(!info.deletion_allowed && !info.imported && !info.soft_deleted);
		ck_assert(info.can_encrypt && info.can_derive && !info.can_sign);
		ck_assert_int_eq(info.convergent_version, -1);
		ck_assert_int_eq(info.auto_rotate_s, 3600);
		ck_assert_uint_eq(info.latest, 1);
		ck_assert_uint_eq(info.min_decryption, 1);
		ck_assert_uint_eq(info.min_encryption, 0);
		ck_assert_uint_eq(info.min_available, 0);
		ck_assert_uint_eq(info.version_count, 1);
		ck_assert_uint_eq(info.versions[0].version, 1);
		ck_assert(llabs(info.versions[0].created_date_ns - bulla_wall_ns()) < INT64_C(60000000000));
		ck_assert_ok(keyring_begin(rig.engine.keyring, &rig.call, &mount_a, bulla_str("k"), &key));
		ck_assert_ok(key_version_use(key, 1, &rig.call, &version));
		ck_assert_uint_eq(version->key_len, types[_i].key_bytes);
		ck_assert_int_ne(memcmp(version->key, zeros, version->key_len), 0);
		ck_assert_int_ne(memcmp(version->hmac_key, zeros, 32), 0);
		ck_assert_uint_eq(version->convergent_version, 3);
		ck_assert_err(key_version_use(key, 2, &rig.call, &version), BULLA_E_NOT_FOUND);
		keyring_end(key);
		keyring_empty(rig.engine.keyring);
		info = look(&rig, "k");
	}
	rig_close(&rig);
}
END_TEST

START_TEST(create_is_idempotent)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const struct bulla_key_create_args other = { .type = bulla_str("aes128-gcm96"), .derived = true, .exportable = true };
	struct bulla_key_info info;
	bool created;

	info = make(&rig, "k");
	ck_assert_str_eq(info.type, "aes256-gcm96");
	rotate(&rig, "k");
	uint64_t batches = store_counts(rig.engine.store).batches;

	ck_assert_ok(bulla_key_create(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &other, &info, &created));
	ck_assert(!created);
	ck_assert_str_eq(info.type, "aes256-gcm96");
	ck_assert(!info.derived && !info.exportable);
	ck_assert_uint_eq(info.latest, 2);
	ck_assert_uint_eq(store_counts(rig.engine.store).batches, batches);
	rig_close(&rig);
}
END_TEST

START_TEST(mounts_are_apart)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct bulla_key_info info;
	bool exists = true;

	make(&rig, "k");
	ck_assert_err(bulla_key_read(&rig.engine, fresh(&rig), &mount_b, bulla_str("k"), &info), BULLA_E_NOT_FOUND);
	ck_assert_err(bulla_key_read(&rig.engine, fresh(&rig), &mount_a, bulla_str("K"), &info), BULLA_E_NOT_FOUND);
	ck_assert_ok(bulla_key_exists(&rig.engine, fresh(&rig), &mount_b, bulla_str("k"), &exists));
	ck_assert(!exists);
	rig_close(&rig);
}
END_TEST

/* ---- rotate ---------------------------------------------------------------------- */

START_TEST(rotate_refused)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct bulla_key_info info;

	ck_assert_detail(rig, bulla_key_rotate(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &info), BULLA_E_INVALID,
			 "key not found");
	make(&rig, "k");
	ck_assert_ok(bulla_key_soft_delete(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &info));
	ck_assert_err(bulla_key_rotate(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &info), BULLA_E_KEY_SOFT_DELETED);
	ck_assert_str_eq(bulla_err_row(BULLA_E_KEY_SOFT_DELETED)->text, "refusing to use soft-deleted key");
	ck_assert_uint_eq(look(&rig, "k").latest, 1);
	rig_close(&rig);
}
END_TEST

START_TEST(rotate_adds)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	uint8_t material[3][64];
	const struct key *key;

	make(&rig, "k");
	for (uint32_t n = 2; n <= 200; n++) {
		struct bulla_key_info info = rotate(&rig, "k");

		ck_assert_uint_eq(info.latest, n);
		ck_assert_uint_eq(info.version_count, n);
		ck_assert_uint_eq(info.versions[n - 1].version, n);
	}
	for (int loaded = 0; loaded < 2; loaded++) {
		ck_assert_ok(keyring_begin(rig.engine.keyring, fresh(&rig), &mount_a, bulla_str("k"), &key));
		for (uint32_t n = 1; n <= 200; n++) {
			ck_assert_ptr_nonnull(key_version(key, n));
			ck_assert_ptr_nonnull(key_version(key, n)->key);
			ck_assert_uint_eq(key_version(key, n)->version, n);
		}
		ck_assert_ptr_null(key_version(key, 0));
		ck_assert_ptr_null(key_version(key, 201));
		/* the same material before and after the restart, and a different one in each version */
		for (uint32_t n = 0; n < 3; n++) {
			const struct key_version *version = key_version(key, 1 + n * 99);

			if (loaded == 1)
				ck_assert_int_eq(memcmp(material[n], version->hmac_key, 64), 0);
			memcpy(material[n], version->hmac_key, 64);
		}
		ck_assert_int_ne(memcmp(material[0], material[1], 64), 0);
		ck_assert_int_ne(memcmp(material[1], material[2], 64), 0);
		keyring_end(key);
		keyring_empty(rig.engine.keyring);
	}
	rig_close(&rig);
}
END_TEST

/* ---- config ----------------------------------------------------------------------- */

#define DEC BULLA_KEY_MIN_DECRYPTION
#define ENC BULLA_KEY_MIN_ENCRYPTION
#define AUTO BULLA_KEY_AUTO_ROTATE

/* On a key with three versions, both minimums at 2 and trimmed to 2. */
static const struct {
	struct bulla_key_config_args args;
	const char *error;
} bad_configs[] = {
	{ { .set = DEC, .min_decryption = -1 }, "min decryption version cannot be negative" },
	{ { .set = ENC, .min_encryption = -1 }, "min encryption version cannot be negative" },
	{ { .set = DEC | ENC, .min_decryption = -1, .min_encryption = -1 }, "min decryption version cannot be negative" },
	{ { .set = DEC, .min_decryption = 4 }, "cannot set min decryption version of 4, latest key version is 3" },
	{ { .set = DEC, .min_decryption = INT64_C(4294967298) },
	  "cannot set min decryption version of 4294967298, latest key version is 3" },
	{ { .set = ENC, .min_encryption = 9 }, "cannot set min encryption version of 9, latest key version is 3" },
	{ { .set = DEC | ENC, .min_decryption = 9, .min_encryption = 9 },
	  "cannot set min decryption version of 9, latest key version is 3" },
	{ { .set = DEC | AUTO, .min_decryption = 9, .auto_rotate_s = 60 },
	  "cannot set min decryption version of 9, latest key version is 3" },
	{ { .set = DEC, .min_decryption = 3 },
	  "cannot set min encryption/decryption values; min encryption version of 2 must be greater than or equal to min "
	  "decryption version of 3" },
	{ { .set = ENC, .min_encryption = 1 },
	  "cannot set min encryption/decryption values; min encryption version of 1 must be greater than or equal to min "
	  "decryption version of 2" },
	{ { .set = AUTO | BULLA_KEY_EXPORTABLE, .auto_rotate_s = 60, .exportable = true },
	  "auto rotate period must be 0 to disable or at least an hour" },
	{ { .set = AUTO, .auto_rotate_s = -3600 }, "auto rotate period must be 0 to disable or at least an hour" },
	{ { .set = ENC, .min_encryption = 0 }, "min encryption version should not be less than min available version" },
	{ { .set = DEC, .min_decryption = 1 }, "min decryption version should not be less then min available version" },
	{ { .set = DEC, .min_decryption = 0 }, "min decryption version should not be less then min available version" },
};

START_TEST(config_refused)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const int64_t two = 2;
	struct bulla_key_info info;

	make(&rig, "k");
	rotate(&rig, "k");
	rotate(&rig, "k");
	set_min(&rig, "k", 2, 2);
	ck_assert_ok(bulla_key_trim(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &two, &info));
	uint64_t batches = store_counts(rig.engine.store).batches;

	ck_assert_detail(rig, config(&rig, "k", &bad_configs[_i].args, &info), BULLA_E_INVALID, bad_configs[_i].error);
	info = look(&rig, "k");
	ck_assert(!info.exportable);
	ck_assert_uint_eq(info.min_decryption, 2);
	ck_assert_uint_eq(info.min_encryption, 2);
	ck_assert_int_eq(info.auto_rotate_s, 0);
	ck_assert_uint_eq(store_counts(rig.engine.store).batches, batches);
	rig_close(&rig);
}
END_TEST

START_TEST(config_unknown_key)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const struct bulla_key_config_args args = { .set = AUTO, .auto_rotate_s = 60 };
	struct bulla_key_info info;

	ck_assert_detail(rig, config(&rig, "nope", &args, &info), BULLA_E_INVALID, "no existing key named nope could be found");
	rig_close(&rig);
}
END_TEST

START_TEST(config_sets)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const struct bulla_key_config_args all = { .set = DEC | ENC | AUTO | BULLA_KEY_DELETION_ALLOWED | BULLA_KEY_EXPORTABLE |
							  BULLA_KEY_BACKUP,
						   .min_decryption = 2, .min_encryption = 3, .auto_rotate_s = 3600,
						   .deletion_allowed = true, .exportable = true, .allow_plaintext_backup = true };
	const struct bulla_key_config_args back = { .set = DEC | ENC | AUTO | BULLA_KEY_DELETION_ALLOWED | BULLA_KEY_EXPORTABLE |
							   BULLA_KEY_BACKUP,
						    .min_decryption = 1 };
	struct bulla_key_info info;

	make(&rig, "k");
	rotate(&rig, "k");
	rotate(&rig, "k");
	ck_assert_ok(config(&rig, "k", &all, &info));
	for (int loaded = 0; loaded < 2; loaded++) {
		ck_assert(info.deletion_allowed && info.exportable && info.allow_plaintext_backup);
		ck_assert_uint_eq(info.min_decryption, 2);
		ck_assert_uint_eq(info.min_encryption, 3);
		ck_assert_int_eq(info.auto_rotate_s, 3600);
		ck_assert_uint_eq(info.version_count, 2);
		ck_assert_uint_eq(info.versions[0].version, 2);
		keyring_empty(rig.engine.keyring);
		info = look(&rig, "k");
	}
	/* exportable and plaintext backup cannot be taken back, the rest can */
	ck_assert_ok(config(&rig, "k", &back, &info));
	ck_assert(!info.deletion_allowed && info.exportable && info.allow_plaintext_backup);
	ck_assert_uint_eq(info.min_decryption, 1);
	ck_assert_uint_eq(info.min_encryption, 0);
	ck_assert_int_eq(info.auto_rotate_s, 0);
	ck_assert_uint_eq(info.version_count, 3);
	rig_close(&rig);
}
END_TEST

START_TEST(config_of_nothing)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const struct bulla_key_config_args zero = { .set = DEC, .min_decryption = 0 }, none = { 0 };
	struct bulla_key_info info;

	make(&rig, "k");
	uint64_t batches = store_counts(rig.engine.store).batches;

	ck_assert_ok(config(&rig, "k", &none, &info));
	ck_assert_ptr_null(rig.call.warnings);
	ck_assert_ok(config(&rig, "k", &zero, &info));
	ck_assert_bytes(rig.call.warnings->text, "since Vault 0.3 (prior to the OpenBao fork), transit key numbering starts at 1; "
						 "forcing minimum to 1");
	ck_assert_ptr_null(rig.call.warnings->next);
	ck_assert_uint_eq(info.min_decryption, 1);
	ck_assert_uint_eq(store_counts(rig.engine.store).batches, batches);
	rig_close(&rig);
}
END_TEST

/* ---- trim ------------------------------------------------------------------------- */

#define NO_ENC "minimum available version cannot be set when minimum encryption version is not set"
#define OVER_ENC "minimum available version cannot be greater than minmum encryption version"
#define OVER_DEC "minimum available version cannot be greater than minimum decryption version"
#define LOWER "minimum available version cannot be decremented"

static const struct {
	int64_t decryption, encryption, trimmed, min;
	const char *error;
} bad_trims[] = {
	{ 1, 0, 0, 1, NO_ENC }, { 1, 0, 0, 0, NO_ENC }, { 1, 0, 0, -1, LOWER }, { 2, 3, 0, 4, OVER_ENC }, { 2, 3, 0, 3, OVER_DEC },
	{ 2, 3, 0, 0, "minimum available version should be positive" }, { 2, 3, 2, 1, LOWER }, { 2, 3, 2, 0, LOWER },
	{ 2, 3, 1, INT64_MAX, OVER_ENC }, { 2, 3, 1, INT64_MIN, LOWER },
};

static void three_versions(struct rig *rig, int64_t decryption, int64_t encryption, int64_t trimmed)
{
	struct bulla_key_info info;

	make(rig, "k");
	rotate(rig, "k");
	rotate(rig, "k");
	set_min(rig, "k", decryption, encryption);
	if (trimmed > 0)
		ck_assert_ok(bulla_key_trim(&rig->engine, fresh(rig), &mount_a, bulla_str("k"), &trimmed, &info));
}

START_TEST(trim_refused)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct bulla_key_info info;

	three_versions(&rig, bad_trims[_i].decryption, bad_trims[_i].encryption, bad_trims[_i].trimmed);
	size_t stored = stored_versions(&rig, "k");

	ck_assert_detail(rig, bulla_key_trim(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &bad_trims[_i].min, &info),
			 BULLA_E_INVALID, bad_trims[_i].error);
	ck_assert_uint_eq(stored_versions(&rig, "k"), stored);
	ck_assert_uint_eq(look(&rig, "k").min_available, (uint32_t)bad_trims[_i].trimmed);
	rig_close(&rig);
}
END_TEST

START_TEST(trim_without_a_number)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct bulla_key_info info;

	ck_assert_detail(rig, bulla_key_trim(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), NULL, &info), BULLA_E_INVALID,
			 "invalid key name");
	make(&rig, "k");
	ck_assert_detail(rig, bulla_key_trim(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), NULL, &info), BULLA_E_INVALID,
			 "missing min_available_version");
	rig_close(&rig);
}
END_TEST

START_TEST(trim_destroys)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const int64_t seventy = 70;
	struct bulla_key_info info;
	const struct key *key;

	make(&rig, "k");
	for (int n = 2; n <= 100; n++)
		rotate(&rig, "k");
	set_min(&rig, "k", 80, 90);
	rcu_drain(); /* the snapshots of before */
	size_t secrets = bulla_secret_in_use();

	ck_assert_ok(bulla_key_trim(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &seventy, &info));
	ck_assert_uint_eq(secrets - bulla_secret_in_use(), 69 * 64); /* wiped when it answers */
	ck_assert_uint_eq(stored_versions(&rig, "k"), 31);
	for (int loaded = 0; loaded < 2; loaded++) {
		info = look(&rig, "k");
		ck_assert_uint_eq(info.min_available, 70);
		ck_assert_uint_eq(info.version_count, 21);
		ck_assert_ok(keyring_begin(rig.engine.keyring, fresh(&rig), &mount_a, bulla_str("k"), &key));
		ck_assert_ptr_null(key_version(key, 69));
		ck_assert_ptr_nonnull(key_version(key, 70)->key);
		ck_assert_ptr_nonnull(key_version(key, 100)->key);
		keyring_end(key);
		keyring_empty(rig.engine.keyring);
	}
	uint64_t batches = store_counts(rig.engine.store).batches;

	ck_assert_ok(bulla_key_trim(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &seventy, &info)); /* again: nothing */
	ck_assert_uint_eq(store_counts(rig.engine.store).batches, batches);
	ck_assert_uint_eq(rotate(&rig, "k").latest, 101);
	rig_close(&rig);
}
END_TEST

/* ---- soft delete, delete ------------------------------------------------------------- */

START_TEST(soft_delete_and_back)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct bulla_key_info info = { .latest = 7 };

	ck_assert_ok(bulla_key_soft_delete(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &info));
	ck_assert_uint_eq(info.name.len, 0);
	info.name = bulla_str("x");
	ck_assert_ok(bulla_key_soft_delete_restore(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &info));
	ck_assert_uint_eq(info.name.len, 0);
	make(&rig, "k");
	for (int twice = 0; twice < 2; twice++) {
		ck_assert_ok(bulla_key_soft_delete(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &info));
		ck_assert(info.soft_deleted);
		ck_assert_bytes(info.name, "k");
		ck_assert((rig.call.warnings != NULL) == (twice == 1));
	}
	ck_assert_bytes(rig.call.warnings->text, "key was already marked as soft deleted");
	keyring_empty(rig.engine.keyring);
	ck_assert(look(&rig, "k").soft_deleted);
	for (int twice = 0; twice < 2; twice++) {
		ck_assert_ok(bulla_key_soft_delete_restore(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &info));
		ck_assert(!info.soft_deleted);
		ck_assert((rig.call.warnings != NULL) == (twice == 1));
	}
	ck_assert_bytes(rig.call.warnings->text, "key was already restored");
	rig_close(&rig);
}
END_TEST

START_TEST(delete_refused)
{
	struct rig rig = rig_open(NULL, 1 << 20);

	ck_assert_detail(rig, bulla_key_delete(&rig.engine, fresh(&rig), &mount_a, bulla_str("k")), BULLA_E_INVALID,
			 "error deleting policy k: could not delete key; not found");
	make(&rig, "k");
	ck_assert_detail(rig, bulla_key_delete(&rig.engine, fresh(&rig), &mount_a, bulla_str("k")), BULLA_E_INVALID,
			 "error deleting policy k: deletion is not allowed for this key");
	ck_assert_uint_eq(look(&rig, "k").latest, 1);
	rig_close(&rig);
}
END_TEST

START_TEST(delete_destroys)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct bulla_key_info info;
	uint8_t material[64];
	const struct key *key;

	make(&rig, "k");
	for (int n = 2; n <= 70; n++)
		rotate(&rig, "k");
	ck_assert_ok(keyring_begin(rig.engine.keyring, fresh(&rig), &mount_a, bulla_str("k"), &key));
	memcpy(material, key_version(key, 1)->hmac_key, sizeof material);
	keyring_end(key);
	allow_deletion(&rig, "k");
	ck_assert_ok(bulla_key_soft_delete(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &info)); /* no obstacle */
	ck_assert_ok(bulla_key_delete(&rig.engine, fresh(&rig), &mount_a, bulla_str("k")));
	ck_assert_uint_eq(bulla_secret_in_use(), rig.secrets); /* wiped when it answers */
	ck_assert_uint_eq(stored_versions(&rig, "k"), 0);
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 0);
	ck_assert_err(bulla_key_read(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &info), BULLA_E_NOT_FOUND);
	/* the name is free again, for another key */
	ck_assert_uint_eq(make(&rig, "k").latest, 1);
	ck_assert(!look(&rig, "k").deletion_allowed);
	ck_assert_ok(keyring_begin(rig.engine.keyring, fresh(&rig), &mount_a, bulla_str("k"), &key));
	ck_assert_int_ne(memcmp(material, key_version(key, 1)->hmac_key, sizeof material), 0);
	keyring_end(key);
	rig_close(&rig);
}
END_TEST

/* ---- restarts, other writers ----------------------------------------------------------- */

START_TEST(outlives_a_restart)
{
	folder_make();
	struct rig rig = rig_open(file, 1 << 20);
	uint8_t material[64];
	const struct key *key;

	make(&rig, "k");
	rotate(&rig, "k");
	ck_assert_ok(keyring_begin(rig.engine.keyring, fresh(&rig), &mount_a, bulla_str("k"), &key));
	memcpy(material, key_version(key, 2)->hmac_key, sizeof material);
	keyring_end(key);
	rig_close(&rig);
	rig = rig_open(file, 1 << 20);
	ck_assert_uint_eq(look(&rig, "k").latest, 2);
	ck_assert_ok(keyring_begin(rig.engine.keyring, fresh(&rig), &mount_a, bulla_str("k"), &key));
	ck_assert_int_eq(memcmp(material, key_version(key, 2)->hmac_key, sizeof material), 0);
	keyring_end(key);
	ck_assert_uint_eq(rotate(&rig, "k").latest, 3);
	rig_close(&rig);
	folder_remove();
}
END_TEST

/* Two keyrings on one store, as two processes on one database will be: whoever is late looks again. */
START_TEST(other_writers)
{
	struct rig rig = rig_open(NULL, 1 << 20), other = rig;

	other.call = call_begin();
	ck_assert_ok(keyring_new(rig.engine.store, rig.engine.seal, 1 << 20, &other.engine.keyring));
	make(&rig, "k");
	ck_assert_uint_eq(rotate(&other, "k").latest, 2);
	ck_assert_uint_eq(rotate(&other, "k").latest, 3);
	ck_assert_uint_eq(look(&rig, "k").latest, 1); /* from its cache */
	const struct bulla_key_config_args zero = { .set = DEC | BULLA_KEY_EXPORTABLE, .exportable = true };
	struct bulla_key_info info;

	ck_assert_ok(config(&rig, "k", &zero, &info));
	ck_assert_uint_eq(info.latest, 3);
	ck_assert(info.exportable);
	ck_assert_ptr_null(rig.call.warnings->next); /* the attempt that failed left none */
	ck_assert_uint_eq(rotate(&other, "k").latest, 4);
	allow_deletion(&rig, "k");
	ck_assert_ok(bulla_key_delete(&rig.engine, fresh(&rig), &mount_a, bulla_str("k")));
	ck_assert_detail(other, bulla_key_rotate(&other.engine, fresh(&other), &mount_a, bulla_str("k"), &info), BULLA_E_INVALID,
			 "key not found");
	keyring_free(other.engine.keyring);
	call_end(&other.call);
	rig_close(&rig);
}
END_TEST

START_TEST(sealed)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const struct bulla_key_create_args args = { 0 };
	struct bulla_key_info info;
	struct bulla_bytes *names;
	size_t count;
	bool created;

	make(&rig, "k");
	ck_assert_ok(bulla_key_list(&rig.engine, fresh(&rig), &mount_a, bulla_str(""), 0, &names, &count));
	ck_assert_ok(seal_close(rig.engine.seal));
	keyring_empty(rig.engine.keyring);
	ck_assert_uint_eq(bulla_secret_in_use(), rig.secrets);
	seal_forget(rig.engine.seal);
	rig.secrets = bulla_secret_in_use();
	ck_assert_err(bulla_key_read(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &info), BULLA_E_SEALED);
	ck_assert_err(bulla_key_create(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &args, &info, &created),
		      BULLA_E_SEALED);
	ck_assert_err(bulla_key_rotate(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &info), BULLA_E_SEALED);
	ck_assert_err(bulla_key_list(&rig.engine, fresh(&rig), &mount_a, bulla_str(""), 0, &names, &count), BULLA_E_SEALED);
	ck_assert_err(keyring_destroy_mount(rig.engine.keyring, fresh(&rig), mount_a.uuid), BULLA_E_SEALED);
	ck_assert_ok(seal_unseal_auto(rig.engine.seal, fresh(&rig)));
	seal_admit(rig.engine.seal);
	rig.secrets = bulla_secret_in_use();
	ck_assert_uint_eq(look(&rig, "k").latest, 1);
	ck_assert_ok(bulla_key_list(&rig.engine, fresh(&rig), &mount_a, bulla_str(""), 0, &names, &count));
	ck_assert_uint_eq(count, 1);
	rig_close(&rig);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof(table)[0])

int main(void)
{
	Suite *suite = suite_create("keyring/keys");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, create_refused, 0, ROWS(bad_creates));
	tcase_add_loop_test(tc, name_refused, 0, ROWS(bad_names));
	tcase_add_test(tc, name_length);
	tcase_add_test(tc, loop_does_not_block);
	tcase_add_loop_test(tc, create_makes, 0, ROWS(types));
	tcase_add_test(tc, create_is_idempotent);
	tcase_add_test(tc, mounts_are_apart);
	tcase_add_test(tc, rotate_refused);
	tcase_add_test(tc, rotate_adds);
	tcase_add_loop_test(tc, config_refused, 0, ROWS(bad_configs));
	tcase_add_test(tc, config_unknown_key);
	tcase_add_test(tc, config_sets);
	tcase_add_test(tc, config_of_nothing);
	tcase_add_loop_test(tc, trim_refused, 0, ROWS(bad_trims));
	tcase_add_test(tc, trim_without_a_number);
	tcase_add_test(tc, trim_destroys);
	tcase_add_test(tc, soft_delete_and_back);
	tcase_add_test(tc, delete_refused);
	tcase_add_test(tc, delete_destroys);
	tcase_add_test(tc, outlives_a_restart);
	tcase_add_test(tc, other_writers);
	tcase_add_test(tc, sealed);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
