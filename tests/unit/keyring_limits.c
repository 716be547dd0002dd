/* What runs out: the disk, and memory that may be locked. And what the file shows to one who steals it. */
#include "keyring_unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- a full disk ----------------------------------------------------------------- */

static const char *name_of(int i)
{
	static char name[16];

	snprintf(name, sizeof name, "k%d", i);
	return name;
}

/* Creates keys until the store is full; returns how many there are. */
static int fill(struct rig *rig)
{
	const struct bulla_key_create_args args = { 0 };
	struct bulla_key_info info;
	bool created;

	for (int i = 0;; i++) {
		enum bulla_err err = bulla_key_create(&rig->engine, fresh(rig), &mount_a, bulla_str(name_of(i)), &args, &info,
						      &created);

		if (err == BULLA_E_STORE_FULL)
			return i;
		ck_assert_ok(err);
	}
}

START_TEST(disk_full)
{
	folder_make();
	const struct store_options options = { .path = file, .max_bytes = 512 * 1024 };
	struct rig rig = rig_open_with(&options, 1 << 20);
	struct bulla_key_info info = { .latest = 77 };
	struct bulla_bytes *names;
	enum bulla_err err = BULLA_OK;
	uint32_t latest = 1;
	size_t count;

	ck_assert_ok(bulla_key_list(&rig.engine, fresh(&rig), &mount_a, bulla_str(""), 0, &names, &count));
	int keys = fill(&rig);

	ck_assert_int_gt(keys, 10);
	for (; err == BULLA_OK; latest += err == BULLA_OK)
		err = bulla_key_rotate(&rig.engine, fresh(&rig), &mount_a, bulla_str("k0"), &info);
	ck_assert_err(err, BULLA_E_STORE_FULL);
	/* nothing of what failed is there, in memory or behind it, and all else is read */
	for (int loaded = 0; loaded < 2; loaded++) {
		ck_assert_uint_eq(look(&rig, "k0").latest, latest);
		for (int i = 1; i < keys; i++)
			ck_assert_uint_eq(look(&rig, name_of(i)).latest, 1);
		ck_assert_err(bulla_key_read(&rig.engine, fresh(&rig), &mount_a, bulla_str(name_of(keys)), &info),
			      BULLA_E_NOT_FOUND);
		ck_assert_ok(bulla_key_list(&rig.engine, fresh(&rig), &mount_a, bulla_str(""), 0, &names, &count));
		ck_assert_uint_eq(count, (size_t)keys);
		keyring_empty(rig.engine.keyring);
	}
	rig_close(&rig);
	folder_remove();
}
END_TEST

/* ---- memory that may be locked ------------------------------------------------------ */

#ifndef BULLA_SANITIZER /* the sanitizers ignore mlock */
#define LOCKABLE (128 * 1024)
#define MANY 3000 /* take 288,000 */

/* The cache is allowed more than may be locked: it keeps to its half, and gives way when others took the rest. */
START_TEST(lockable_memory_runs_out)
{
	const struct rlimit limit = { LOCKABLE, LOCKABLE };

	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	if (getuid() == 0) /* whom no limit binds */
		ck_assert_int_eq(setuid(65534), 0);
	ck_assert_ok(bulla_memory_init(true));
	ck_assert_uint_eq(bulla_secret_limit(), LOCKABLE);
	struct rig rig = rig_open(NULL, 1 << 30);

	ck_assert_uint_eq(rig.engine.keyring->cache.max_locked, LOCKABLE / 2);
	if (_i == 1)
		rig.engine.keyring->cache.max_locked = SIZE_MAX; /* somebody else is as greedy */
	for (int i = 0; i < MANY; i++) {
		make(&rig, name_of(i));
		ck_assert_uint_le(rig.engine.keyring->cache.locked, _i ? LOCKABLE : LOCKABLE / 2);
	}
	rcu_drain();
	ck_assert_uint_le(bulla_secret_in_use(), LOCKABLE);
	ck_assert_uint_gt(bulla_secret_in_use(), LOCKABLE / 8); /* the limit was what held it down */
	for (int i = 0; i < MANY; i++)
		ck_assert_uint_eq(look(&rig, name_of(i)).latest, 1);
	for (int i = 0; i < MANY; i += 10)
		ck_assert_uint_eq(rotate(&rig, name_of(i)).latest, 2);
	rig_close(&rig);
}
END_TEST

START_TEST(nothing_limits)
{
	ck_assert_uint_eq(bulla_secret_limit(), SIZE_MAX); /* the tests do not demand locking */
}
END_TEST
#endif

/* ---- a stolen file ------------------------------------------------------------------- */

static bool file_has(const char *suffix, const void *needle, size_t n)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof path, "%s%s", file, suffix);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	ck_assert_int_eq(fstat(fd, &st), 0);
	uint8_t *bytes = malloc((size_t)st.st_size + 1);

	ck_assert_ptr_nonnull(bytes);
	ck_assert_int_eq(read(fd, bytes, (size_t)st.st_size), st.st_size);
	bool found = memmem(bytes, (size_t)st.st_size, needle, n) != NULL;

	free(bytes);
	close(fd);
	return found;
}

static bool stored(const void *needle, size_t n)
{
	return file_has("", needle, n) || file_has("-wal", needle, n);
}

#define NAME "a-name-that-nobody-shall-see"

START_TEST(file_shows_nothing)
{
	folder_make();
	struct rig rig = rig_open(file, 1 << 20);
	uint8_t sealed[32];
	struct store_record record;
	struct store_id slot;
	struct key_id id;

	make(&rig, NAME);
	rotate(&rig, NAME);
	ck_assert_ok(keyring_id(rig.engine.keyring, mount_a.uuid, bulla_str(NAME), &id));
	struct key *key = keyring_hold_cached(rig.engine.keyring, &id);

	ck_assert_ok(record_version_slot(rig.engine.seal, mount_a.uuid, bulla_str(NAME), 1, &slot));
	ck_assert_ok(store_get(rig.engine.store, fresh(&rig), &slot, &record));
	memcpy(sealed, record.bytes.ptr + record.bytes.len - sizeof sealed, sizeof sealed);
	ck_assert(stored(sealed, sizeof sealed)); /* the search works */
	ck_assert(stored(slot.bytes, sizeof slot.bytes));
	ck_assert(!stored(NAME, strlen(NAME)));
	ck_assert(!stored(mount_a.uuid, sizeof mount_a.uuid));
	ck_assert(!stored(key->data_key, 16));
	ck_assert(!stored(key_version(key, 1)->key, 16));
	ck_assert(!stored(key_version(key, 2)->hmac_key, 16));
	key_put(key);
	/* and of a deleted key not even what was sealed */
	allow_deletion(&rig, NAME);
	ck_assert_ok(bulla_key_delete(&rig.engine, fresh(&rig), &mount_a, bulla_str(NAME)));
	ck_assert(!stored(sealed, sizeof sealed));
	rig_close(&rig);
	folder_remove();
}
END_TEST

START_TEST(trim_leaves_nothing)
{
	folder_make();
	struct rig rig = rig_open(file, 1 << 20);
	const int64_t two = 2;
	uint8_t sealed[32];
	struct store_record record;
	struct bulla_key_info info;
	struct store_id slot;

	make(&rig, "k");
	rotate(&rig, "k");
	set_min(&rig, "k", 2, 2);
	ck_assert_ok(record_version_slot(rig.engine.seal, mount_a.uuid, bulla_str("k"), 1, &slot));
	ck_assert_ok(store_get(rig.engine.store, fresh(&rig), &slot, &record));
	memcpy(sealed, record.bytes.ptr + record.bytes.len - sizeof sealed, sizeof sealed);
	ck_assert(stored(sealed, sizeof sealed));
	ck_assert_ok(bulla_key_trim(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &two, &info));
	ck_assert(!stored(sealed, sizeof sealed));
	rig_close(&rig);
	folder_remove();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyring/limits");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, disk_full);
#ifndef BULLA_SANITIZER
	tcase_add_loop_test(tc, lockable_memory_runs_out, 0, 2);
	tcase_add_test(tc, nothing_limits);
#endif
	tcase_add_test(tc, file_shows_nothing);
	tcase_add_test(tc, trim_leaves_nothing);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
