/* Damage in the store: it is found when it is read and named, and only what it hit fails. */
#include "keyring_unit.h"

#include <stdio.h>

static struct store_id version_slot(struct rig *rig, const char *name, uint32_t version)
{
	struct store_id id;

	ck_assert_ok(record_version_slot(rig->engine.seal, mount_a.uuid, bulla_str(name), version, &id));
	return id;
}

static struct store_id head_slot(struct rig *rig, const char *name)
{
	struct store_id id;

	ck_assert_ok(record_head_slot(rig->engine.seal, mount_a.uuid, bulla_str(name), &id));
	return id;
}

static uint64_t revision_of(struct rig *rig, struct store_id id)
{
	struct store_record record;

	ck_assert_ok(store_get(rig->engine.store, fresh(rig), &id, &record));
	return record.revision;
}

/* A copy of the record's bytes that outlives the call. */
static size_t fetch(struct rig *rig, struct store_id id, uint8_t out[2048])
{
	struct store_record record;

	ck_assert_ok(store_get(rig->engine.store, fresh(rig), &id, &record));
	ck_assert_uint_le(record.bytes.len, 2048);
	memcpy(out, record.bytes.ptr, record.bytes.len);
	return record.bytes.len;
}

/* Puts other bytes in the place of a record, at its revision. */
static void overwrite(struct rig *rig, struct store_id id, const uint8_t *bytes, size_t n)
{
	const struct store_write gone = { .id = id, .change = STORE_DELETE, .expected = STORE_ANY_REVISION };
	const struct store_write put_back = { .id = id, .change = STORE_PUT, .first = revision_of(rig, id), .bytes = bulla_mem(bytes, n) };

	ck_assert_ok(store_commit(rig->engine.store, fresh(rig), &gone, 1, NULL));
	if (n > 0)
		ck_assert_ok(store_commit(rig->engine.store, fresh(rig), &put_back, 1, NULL));
}

static const struct key_version *use(struct rig *rig, const char *name, uint32_t version, enum bulla_err expected)
{
	const struct key_version *found = NULL;
	const struct key *key;

	ck_assert_ok(keyring_begin(rig->engine.keyring, fresh(rig), &mount_a, bulla_str(name), &key));
	ck_assert_err(key_version_use(key, version, &rig->call, &found), expected);
	keyring_end(key);
	return found;
}

static void spoil(struct rig *rig, struct store_id id, size_t from_end)
{
	uint8_t bytes[2048];
	size_t n = fetch(rig, id, bytes);

	bytes[n - 1 - from_end] ^= 1;
	overwrite(rig, id, bytes, n);
}

static void three_versions(struct rig *rig)
{
	make(rig, "k");
	rotate(rig, "k");
	rotate(rig, "k");
	make(rig, "other");
}

static void check_only_2_is_damaged(struct rig *rig)
{
	struct bulla_key_info info;

	keyring_empty(rig->engine.keyring);
	info = look(rig, "k");
	ck_assert_uint_eq(info.latest, 3);
	ck_assert_uint_eq(info.version_count, 3);
	ck_assert_ptr_null(use(rig, "k", 2, BULLA_E_STORE_DAMAGED));
	ck_assert_bytes(rig->call.detail, "the stored record of version 2 of key k is damaged");
	ck_assert_ptr_nonnull(use(rig, "k", 1, BULLA_OK));
	ck_assert_ptr_nonnull(use(rig, "k", 3, BULLA_OK));
	ck_assert_ptr_nonnull(use(rig, "other", 1, BULLA_OK));
	ck_assert_uint_eq(rotate(rig, "k").latest, 4);
}

START_TEST(version_altered)
{
	struct rig rig = rig_open(NULL, 1 << 20);

	three_versions(&rig);
	spoil(&rig, version_slot(&rig, "k", 2), (size_t)_i);
	check_only_2_is_damaged(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(version_missing)
{
	struct rig rig = rig_open(NULL, 1 << 20);

	three_versions(&rig);
	overwrite(&rig, version_slot(&rig, "k", 2), NULL, 0);
	check_only_2_is_damaged(&rig);
	/* nothing stands in the way of getting rid of it */
	allow_deletion(&rig, "k");
	ck_assert_ok(bulla_key_delete(&rig.engine, fresh(&rig), &mount_a, bulla_str("k")));
	ck_assert_uint_eq(stored_versions(&rig, "k"), 0);
	rig_close(&rig);
}
END_TEST

START_TEST(version_of_another_place)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	uint8_t bytes[2048];

	three_versions(&rig);
	size_t n = fetch(&rig, version_slot(&rig, "k", 1), bytes);

	overwrite(&rig, version_slot(&rig, "k", 2), bytes, n); /* an older version in the place of a newer */
	check_only_2_is_damaged(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(version_at_another_revision)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	uint8_t bytes[2048];

	three_versions(&rig);
	struct store_id id = version_slot(&rig, "k", 2);
	size_t n = fetch(&rig, id, bytes);
	const struct store_write again = { .id = id, .change = STORE_PUT, .expected = 1, .bytes = bulla_mem(bytes, n) };

	ck_assert_ok(store_commit(rig.engine.store, fresh(&rig), &again, 1, NULL));
	check_only_2_is_damaged(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(version_trimmed_away)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const int64_t three = 3;
	struct bulla_key_info info;

	three_versions(&rig);
	spoil(&rig, version_slot(&rig, "k", 2), 0);
	keyring_empty(rig.engine.keyring);
	set_min(&rig, "k", 3, 3);
	ck_assert_ok(bulla_key_trim(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &three, &info));
	ck_assert_uint_eq(stored_versions(&rig, "k"), 1);
	ck_assert_ptr_null(use(&rig, "k", 2, BULLA_E_NOT_FOUND));
	rig_close(&rig);
}
END_TEST

static void check_head_is_damaged(struct rig *rig)
{
	const struct bulla_key_create_args args = { 0 };
	struct bulla_key_info info;
	struct bulla_bytes *names;
	size_t count;
	bool flag;

	keyring_empty(rig->engine.keyring);
	ck_assert_detail(*rig, bulla_key_read(&rig->engine, fresh(rig), &mount_a, bulla_str("k"), &info), BULLA_E_STORE_DAMAGED,
			 "the stored record of key k is damaged");
	ck_assert_detail(*rig, bulla_key_rotate(&rig->engine, fresh(rig), &mount_a, bulla_str("k"), &info), BULLA_E_STORE_DAMAGED,
			 "the stored record of key k is damaged");
	ck_assert_err(bulla_key_exists(&rig->engine, fresh(rig), &mount_a, bulla_str("k"), &flag), BULLA_E_STORE_DAMAGED);
	ck_assert_err(bulla_key_create(&rig->engine, fresh(rig), &mount_a, bulla_str("k"), &args, &info, &flag),
		      BULLA_E_STORE_DAMAGED);
	ck_assert_uint_eq(look(rig, "other").latest, 1);
	ck_assert_ok(bulla_key_list(&rig->engine, fresh(rig), &mount_a, bulla_str(""), 0, &names, &count));
	ck_assert_uint_eq(count, 1);
	ck_assert_bytes(names[0], "other");
	ck_assert_bytes(rig->call.warnings->text, "keys whose stored record is damaged are not listed: 1");
}

START_TEST(head_altered)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	uint8_t bytes[2048];

	make(&rig, "k");
	make(&rig, "other");
	size_t n = fetch(&rig, head_slot(&rig, "k"), bytes);

	ck_assert_uint_gt(n, (size_t)_i * 20);
	spoil(&rig, head_slot(&rig, "k"), (size_t)_i * 20);
	check_head_is_damaged(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(head_of_another_key)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	uint8_t bytes[2048];

	make(&rig, "k");
	make(&rig, "other");
	size_t n = fetch(&rig, head_slot(&rig, "other"), bytes);

	overwrite(&rig, head_slot(&rig, "k"), bytes, n);
	check_head_is_damaged(&rig);
	rig_close(&rig);
}
END_TEST

/* An older head put back, to bring trimmed versions or a lifted deletion guard back to life. */
START_TEST(head_of_the_past)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	uint8_t bytes[2048];

	make(&rig, "k");
	make(&rig, "other");
	size_t n = fetch(&rig, head_slot(&rig, "k"), bytes);

	rotate(&rig, "k");
	const struct store_write past = { .id = head_slot(&rig, "k"), .change = STORE_PUT, .expected = revision_of(&rig, head_slot(&rig, "k")), .bytes = bulla_mem(bytes, n) };

	ck_assert_ok(store_commit(rig.engine.store, fresh(&rig), &past, 1, NULL));
	check_head_is_damaged(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(mount_with_damage_is_destroyed)
{
	struct rig rig = rig_open(NULL, 1 << 20);

	make(&rig, "k");
	make(&rig, "other");
	spoil(&rig, head_slot(&rig, "k"), 0);
	ck_assert_ok(keyring_destroy_mount(rig.engine.keyring, fresh(&rig), mount_a.uuid));
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 0);
	ck_assert_uint_eq(stored_versions(&rig, "other"), 0);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyring/damage");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, version_altered, 0, 100);
	tcase_add_test(tc, version_missing);
	tcase_add_test(tc, version_of_another_place);
	tcase_add_test(tc, version_at_another_revision);
	tcase_add_test(tc, version_trimmed_away);
	tcase_add_loop_test(tc, head_altered, 0, 5);
	tcase_add_test(tc, head_of_another_key);
	tcase_add_test(tc, head_of_the_past);
	tcase_add_test(tc, mount_with_damage_is_destroyed);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
