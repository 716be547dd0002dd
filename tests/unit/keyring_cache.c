/* The cache: its bound holds with far more keys than fit, what is used stays, and a change costs the same at any number of
 * versions. */
#include "keyring_unit.h"

#include <stdio.h>

#define KEYS 3000
#define BOUND (64 * 1024)

static const char *name_of(int i)
{
	static char name[16];

	snprintf(name, sizeof name, "k%d", i);
	return name;
}

START_TEST(bound_holds)
{
	struct rig rig = rig_open(NULL, BOUND);
	struct keyring *keyring = rig.engine.keyring;

	for (int i = 0; i < KEYS; i++) {
		make(&rig, name_of(i));
		ck_assert_uint_le(snapshots_bytes(&keyring->cache), BOUND);
	}
	rcu_drain();
	ck_assert_uint_lt(rcu_table_count(keyring->cache.by_name), KEYS / 10);
	ck_assert_uint_gt(rcu_table_count(keyring->cache.by_name), 10);
	ck_assert_uint_lt(bulla_secret_in_use() - rig.secrets, BOUND);
	for (int i = 0; i < KEYS; i++) {
		ck_assert_uint_eq(look(&rig, name_of(i)).latest, 1);
		ck_assert_uint_le(snapshots_bytes(&keyring->cache), BOUND);
	}
	keyring_empty(keyring);
	ck_assert_uint_eq(snapshots_bytes(&keyring->cache), 0);
	ck_assert_uint_eq(rcu_table_count(keyring->cache.by_name), 0);
	rig_close(&rig);
}
END_TEST

/* Smaller than one key: one is kept, and all goes on. */
START_TEST(bound_of_nothing)
{
	struct rig rig = rig_open(NULL, 0);

	for (int i = 0; i < 20; i++) {
		make(&rig, name_of(i));
		ck_assert_uint_eq(rcu_table_count(rig.engine.keyring->cache.by_name), 1);
	}
	for (int i = 0; i < 20; i++)
		ck_assert_uint_eq(rotate(&rig, name_of(i)).latest, 2);
	rig_close(&rig);
}
END_TEST

START_TEST(used_keys_stay)
{
	struct rig rig = rig_open(NULL, BOUND);
	const struct key *key;

	make(&rig, "hot");
	for (int i = 0; i < KEYS; i++) {
		make(&rig, name_of(i));
		ck_assert_ok(keyring_begin(rig.engine.keyring, fresh_loop(&rig), &mount_a, bulla_str("hot"), &key));
		keyring_end(key);
	}
	ck_assert_err(keyring_begin(rig.engine.keyring, fresh_loop(&rig), &mount_a, bulla_str("k0"), &key),
		      BULLA_E_MUST_BLOCK);
	rig_close(&rig);
}
END_TEST

#ifndef BULLA_TSAN /* there a read section is a lock, which the eviction would wait for */
START_TEST(a_reader_keeps_an_evicted_key)
{
	struct rig rig = rig_open(NULL, BOUND);
	uint8_t material[64];
	const struct key *key;
	struct key_id id;

	make(&rig, "k");
	ck_assert_ok(keyring_id(rig.engine.keyring, mount_a.uuid, bulla_str("k"), &id));
	ck_assert_ok(keyring_begin(rig.engine.keyring, fresh(&rig), &mount_a, bulla_str("k"), &key));
	const struct key_version *version = key_version(key, 1);

	memcpy(material, version->hmac_key, sizeof material);
	snapshots_drop(&rig.engine.keyring->cache, &key->snapshot.id);
	ck_assert_ptr_null(keyring_find(rig.engine.keyring, &id));
	usleep(20000); /* for whoever frees too early */
	ck_assert_int_eq(memcmp(material, version->hmac_key, sizeof material), 0);
	keyring_end(key);
	rcu_drain();
	ck_assert_uint_eq(bulla_secret_in_use(), rig.secrets);
	rig_close(&rig);
}
END_TEST
#endif

START_TEST(shrinks)
{
	struct rig rig = rig_open(NULL, 1 << 20);

	for (int i = 0; i < 100; i++)
		make(&rig, name_of(i));
	size_t bytes = snapshots_bytes(&rig.engine.keyring->cache), secrets = bulla_secret_in_use() - rig.secrets;

	cache_shrink(rig.engine.keyring);
	ck_assert_uint_le(snapshots_bytes(&rig.engine.keyring->cache), bytes / 2);
	ck_assert_uint_le(bulla_secret_in_use() - rig.secrets, secrets / 2 + 96);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(look(&rig, name_of(i)).latest, 1);
	rig_close(&rig);
}
END_TEST

/* What a rotation writes and copies, by counting, never by the clock. */
static void check_cost(struct rig *rig, unsigned branches)
{
	uint64_t batches = store_counts(rig->engine.store).batches, made = versions_branches_made();
	size_t stored = stored_versions(rig, "k");
	struct key_id id;

	ck_assert_ok(keyring_id(rig->engine.keyring, mount_a.uuid, bulla_str("k"), &id));
	struct key *before = keyring_hold_cached(rig->engine.keyring, &id);

	rotate(rig, "k");
	ck_assert_uint_eq(store_counts(rig->engine.store).batches - batches, 1);
	ck_assert_uint_eq(stored_versions(rig, "k") - stored, 1);
	ck_assert_uint_eq(versions_branches_made() - made, branches);
	struct key *after = keyring_hold_cached(rig->engine.keyring, &id);

	/* the versions themselves are shared, not copied */
	for (uint32_t n = 1; n <= key_latest(before); n++)
		ck_assert_ptr_eq(key_version(before, n), key_version(after, n));
	ck_assert_uint_eq(after->revision, before->revision + 1);
	key_put(before);
	key_put(after);
}

START_TEST(rotation_costs_the_same)
{
	struct rig rig = rig_open(NULL, 64 << 20);

	make(&rig, "k");
	rotate(&rig, "k");
	check_cost(&rig, 1); /* the branch of versions 1 to 64 */
	for (uint32_t n = 4; n <= 10000; n++) {
		if (n % 500 == 0)
			set_min(&rig, "k", n - 1, 0); /* keeps the descriptions short */
		rotate(&rig, "k");
	}
	check_cost(&rig, 3); /* one branch a level: of 64, of 4,096 and of 262,144 versions */
	keyring_empty(rig.engine.keyring);
	ck_assert_uint_eq(look(&rig, "k").latest, 10001);
	check_cost(&rig, 3);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyring/cache");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, bound_holds);
	tcase_add_test(tc, bound_of_nothing);
	tcase_add_test(tc, used_keys_stay);
#ifndef BULLA_TSAN
	tcase_add_test(tc, a_reader_keeps_an_evicted_key);
#endif
	tcase_add_test(tc, shrinks);
	tcase_add_test(tc, rotation_costs_the_same);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
