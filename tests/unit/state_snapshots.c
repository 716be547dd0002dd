/* The cache of snapshots alone: found by both names, bounds, replacing, epochs; and in each place that fills it: what was read or
 * committed before its record was dropped (as when another node changed it) is not published. */
#include "engine_unit.h"

#include "access/access_private.h"
#include "engine_private.h"
#include "keyring/internal.h"
#include "store/store_ops.h"

/* ---- alone ---------------------------------------------------------------------------------------------------------------------- */

struct thing {
	struct snapshot snapshot;
	uint64_t name;
};

static atomic_int freed;
static struct snapshots cache;

static void put(struct thing *thing)
{
	if (!snapshot_release(&thing->snapshot))
		return;
	atomic_fetch_add(&freed, 1);
	free(thing);
}

static void put_later(struct rcu_later *later)
{
	put(rcu_entry(later, struct thing, snapshot.later));
}

static bool is_named(const struct rcu_node *node, const void *name)
{
	return rcu_entry(node, const struct thing, snapshot.by_name)->name == *(const uint64_t *)name;
}

static void begin(size_t max_bytes, size_t max_locked)
{
	const struct snapshot_kind kind = { .is = is_named, .put = put_later };

	memset(&cache, 0, sizeof cache);
	atomic_store(&freed, 0);
	ck_assert_ok(snapshots_init(&cache, kind, max_bytes, max_locked));
}

static struct store_id id_of(uint64_t name)
{
	struct store_id id = { { 0 } };

	memcpy(id.bytes + STORE_COLLECTION, &name, sizeof name);
	id.bytes[31] = (uint8_t)name;
	return id;
}

static struct thing *read_thing(uint64_t name)
{
	struct thing *thing = calloc(1, sizeof *thing);

	ck_assert_ptr_nonnull(thing);
	thing->name = name;
	atomic_init(&thing->snapshot.refs, 1);
	thing->snapshot.id = id_of(name);
	thing->snapshot.epoch = snapshots_epoch(&cache, &thing->snapshot.id);
	thing->snapshot.bytes = 10;
	thing->snapshot.locked = 1;
	return thing;
}

static void publish(struct thing *thing)
{
	snapshots_publish(&cache, &thing->snapshot, thing->name, &thing->name);
	put(thing);
}

/* By both ways. */
static struct snapshot *find(uint64_t name)
{
	const struct store_id id = id_of(name);

	rcu_read_begin();
	struct snapshot *snapshot = snapshots_find(&cache, name, &name);

	ck_assert_ptr_eq(snapshot, snapshots_find_id(&cache, &id));
	rcu_read_end();
	return snapshot;
}

START_TEST(replaced_and_dropped)
{
	const struct store_id id = id_of(7);

	begin(1000, 1000);
	publish(read_thing(7));
	struct thing *second = read_thing(7);

	publish(second);
	ck_assert_ptr_eq(find(7), &second->snapshot);
	ck_assert_uint_eq(snapshots_bytes(&cache), 10);
	snapshots_drop(&cache, &id);
	ck_assert_ptr_null(find(7));
	ck_assert_uint_eq(snapshots_bytes(&cache), 0);
	rcu_drain();
	ck_assert_int_eq(atomic_load(&freed), 2);
	snapshots_clear(&cache);
}
END_TEST

START_TEST(not_published_when_dropped_meanwhile)
{
	const struct store_id id = id_of(7);

	begin(1000, 1000);
	struct thing *late = read_thing(7);

	snapshots_drop(&cache, &id);
	publish(late);
	ck_assert_ptr_null(find(7));
	publish(read_thing(7));
	ck_assert_ptr_nonnull(find(7));
	late = read_thing(7);
	late->snapshot.epoch--; /* what shares the epoch was dropped: the older one may not stay */
	publish(late);
	ck_assert_ptr_null(find(7));
	late = read_thing(8);
	late->snapshot.epoch = 0; /* nobody read it */
	publish(late);
	ck_assert_ptr_null(find(8));
	snapshots_clear(&cache);
	ck_assert_int_eq(atomic_load(&freed), 4);
}
END_TEST

START_TEST(no_epoch_is_zero)
{
	const struct store_id id = id_of(7);

	begin(1000, 1000);
	atomic_store(&cache.epochs[7], UINT32_MAX);
	snapshots_drop(&cache, &id);
	ck_assert_uint_eq(snapshots_epoch(&cache, &id), 1);
	snapshots_clear(&cache);
}
END_TEST

static void check_bounds(size_t max_bytes, size_t max_locked, size_t room)
{
	begin(max_bytes, max_locked);
	for (uint64_t name = 0; name < 100; name++) {
		publish(read_thing(name));
		ck_assert_ptr_nonnull(find(name));
		snapshot_mark_used(find(0));
		ck_assert_ptr_nonnull(find(0));
		ck_assert_uint_le(rcu_table_count(cache.by_id), room);
	}
	ck_assert_uint_eq(rcu_table_count(cache.by_name), room);
	snapshots_shrink(&cache);
	ck_assert_uint_eq(rcu_table_count(cache.by_id), room / 2);
	snapshots_clear(&cache);
	ck_assert_int_eq(atomic_load(&freed), 100);
}

START_TEST(bounds)
{
	check_bounds(100, 1000, 10);
	check_bounds(1000, 8, 8);
}
END_TEST

static bool is_rest(const struct snapshot *snapshot, const void *context)
{
	return rcu_entry(snapshot, const struct thing, snapshot)->name % 2 == *(const uint64_t *)context;
}

START_TEST(some_are_forgotten)
{
	const uint64_t odd = 1;

	begin(1000, 1000);
	for (uint64_t name = 0; name < 10; name++)
		publish(read_thing(name));
	snapshots_forget(&cache, is_rest, &odd);
	for (uint64_t name = 0; name < 10; name++)
		ck_assert_int_eq(find(name) != NULL, name % 2 == 0);
	snapshots_clear(&cache);
	ck_assert_int_eq(atomic_load(&freed), 10);
}
END_TEST

/* ---- where it is filled ----------------------------------------------------------------------------------------------------------- */

static const struct store_ops *real;
static struct store_ops hooked;
static int gets, commits; /* of how many more the records are dropped as soon as the store has answered */

static void deliver(const struct store_id *id)
{
	snapshots_drop(&engine->keyring->cache, id);
	snapshots_drop(&engine->access->cache, id);
}

static enum bulla_err get(struct store *store, struct bulla_call *c, const struct store_id *id, struct store_record *out)
{
	enum bulla_err err = real->get(store, c, id, out);

	if (gets > 0 && gets--)
		deliver(id);
	return err;
}

static enum bulla_err commit(struct store *store, struct bulla_call *c, const struct store_write *writes, size_t count,
			     struct store_stamp *stamp)
{
	enum bulla_err err = real->commit(store, c, writes, count, stamp);

	if (commits > 0 && commits--)
		for (size_t i = 0; i < count; i++)
			deliver(&writes[i].id);
	return err;
}

static const struct bulla_mount *mount;
static struct key_id key_id;
static char token[64];

static void setup(void)
{
	const struct bulla_mount_settings settings = { 0 };
	const struct bulla_key_create_args key = { 0 };
	const struct bulla_token_create_args args = { .no_default_policy = true, .renewable = true, .ttl_s = 3600, .path = bulla_str("auth/token/create") };
	struct bulla_key_info info;
	struct bulla_auth auth;
	struct bulla_bytes rest;
	bool created;

	engine_setup();
	ck_assert_ok(bulla_mount_enable(engine, &call, bulla_str("transit"), bulla_str("transit"), &settings));
	mount = bulla_mount_find(engine, bulla_str("transit/keys/k"), &rest);
	ck_assert_ok(bulla_key_create(engine, &call, mount, bulla_str("k"), &key, &info, &created));
	ck_assert_ok(keyring_id(engine->keyring, mount->uuid, bulla_str("k"), &key_id));
	ck_assert_ok(bulla_token_create(engine, &call, &args, &auth));
	memset(token, 0, sizeof token);
	memcpy(token, auth.client_token.ptr, auth.client_token.len);
	bulla_token_put(auth.token);
	gets = commits = 0;
	real = engine->store->ops;
	hooked = *real;
	hooked.get = get;
	hooked.commit = commit;
	engine->store->ops = &hooked;
}

static void teardown(void)
{
	engine->store->ops = real;
	bulla_mount_put(mount);
	engine_teardown();
}

static bool key_is_cached(void)
{
	struct key *key = keyring_hold_cached(engine->keyring, &key_id);

	key_put(key);
	return key != NULL;
}

static bool token_is_cached(void)
{
	struct bulla_call c = call_begin();

	c.may_block = false;
	enum bulla_err err = bulla_authenticate(engine, &c, bulla_str(token));

	call_done(&c);
	ck_assert(err == BULLA_OK || err == BULLA_E_MUST_BLOCK);
	return err == BULLA_OK;
}

START_TEST(key_load)
{
	const struct key *key;

	keyring_empty(engine->keyring);
	gets = 1;
	ck_assert_ok(load_into_cache(engine->keyring, &call, &key_id));
	ck_assert_int_eq(gets, 0);
	ck_assert(!key_is_cached());
	gets = 1;
	ck_assert_ok(keyring_begin(engine->keyring, &call, mount, bulla_str("k"), &key)); /* loads it again */
	keyring_end(key);
	ck_assert(key_is_cached());
}
END_TEST

START_TEST(key_change)
{
	struct bulla_key_info info;

	ck_assert(key_is_cached());
	commits = 1;
	ck_assert_ok(bulla_key_rotate(engine, &call, mount, bulla_str("k"), &info));
	ck_assert_uint_eq(info.latest, 2);
	ck_assert(!key_is_cached());
	ck_assert_ok(bulla_key_rotate(engine, &call, mount, bulla_str("k"), &info));
	ck_assert_uint_eq(info.latest, 3);
	ck_assert(key_is_cached());
}
END_TEST

static void use_token(void)
{
	struct bulla_call c = call_as(token);

	call_done(&c);
}

START_TEST(token_load_alone)
{
	gets = 1;
	use_token();
	ck_assert_int_eq(gets, 0);
	ck_assert(!token_is_cached());
	use_token();
	ck_assert(token_is_cached());
}
END_TEST

static void renew_token(int heard)
{
	struct bulla_auth auth;

	use_token();
	ck_assert(token_is_cached());
	commits = heard;
	ck_assert_ok(bulla_token_renew(engine, &call, bulla_str(token), 100, &auth));
	ck_assert_int_eq(commits, 0);
	bulla_token_put(auth.token);
}

START_TEST(token_renewal)
{
	renew_token(0);
	ck_assert(token_is_cached());
	renew_token(1);
	ck_assert(!token_is_cached());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state/snapshots");
	TCase *alone = tcase_create("alone"), *sites = tcase_create("sites");

	tcase_add_test(alone, replaced_and_dropped);
	tcase_add_test(alone, not_published_when_dropped_meanwhile);
	tcase_add_test(alone, no_epoch_is_zero);
	tcase_add_test(alone, bounds);
	tcase_add_test(alone, some_are_forgotten);
	suite_add_tcase(suite, alone);
	tcase_add_checked_fixture(sites, setup, teardown);
	tcase_add_test(sites, key_load);
	tcase_add_test(sites, key_change);
	tcase_add_test(sites, token_load_alone);
	tcase_add_test(sites, token_renewal);
	suite_add_tcase(suite, sites);
	return unit_main(suite);
}
