/* auto_rotate_period: rotation within a minute of its time, through restarts, and no key waits for another. */
#include "keyring_unit.h"

#include <stdio.h>

#include "bulla/clock.h"

#define HOUR 3600

static int64_t clock_s = 1000000000;

static int64_t clock_ns(void)
{
	return clock_s * INT64_C(1000000000);
}

static int64_t step_s; /* how far the system's clock has been set away */

static int64_t wall_ns(void)
{
	return (clock_s + step_s) * INT64_C(1000000000);
}

static struct rig begin(const char *path)
{
	step_s = 0;
	bulla_clock_replace(clock_ns, wall_ns);
	struct rig rig = rig_open(path, 1 << 20);

	return rig;
}

static void make_due(struct rig *rig, const char *name, int64_t period_s)
{
	const struct bulla_key_create_args args = { .auto_rotate_s = period_s };
	struct bulla_key_info info;
	bool created;

	ck_assert_ok(bulla_key_create(&rig->engine, fresh(rig), &mount_a, bulla_str(name), &args, &info, &created));
	ck_assert(created);
}

/* Time goes on, a tick every 10 s. */
static void pass(struct rig *rig, int64_t seconds)
{
	for (int64_t end = clock_s + seconds; clock_s < end;) {
		clock_s += end - clock_s < 10 ? end - clock_s : 10;
		ck_assert_ok(keyring_tick(rig->engine.keyring, fresh(rig)));
	}
}

static void jump(struct rig *rig, int64_t seconds)
{
	clock_s += seconds;
	ck_assert_ok(keyring_tick(rig->engine.keyring, fresh(rig)));
}

static void set_period(struct rig *rig, const char *name, int64_t period_s)
{
	const struct bulla_key_config_args args = { .set = BULLA_KEY_AUTO_ROTATE, .auto_rotate_s = period_s };
	struct bulla_key_info info;

	ck_assert_ok(config(rig, name, &args, &info));
}

static size_t records(struct rig *rig)
{
	struct store_id any;
	size_t count = 0;

	for (int64_t s = clock_s - 40 * HOUR; s < clock_s + 100 * HOUR; s += 60) {
		ck_assert_ok(schedule_slot(rig->engine.seal, s, mount_a.uuid, bulla_str("x"), &any));
		ck_assert_ok(store_scan(rig->engine.store, fresh(rig), any.bytes, count_record, &count));
	}
	return count;
}

START_TEST(on_time)
{
	struct rig rig = begin(NULL);

	make_due(&rig, "k", HOUR);
	make(&rig, "never");
	pass(&rig, HOUR - 1);
	ck_assert_uint_eq(look(&rig, "k").latest, 1);
	pass(&rig, 60);
	ck_assert_uint_eq(look(&rig, "k").latest, 2);
	pass(&rig, HOUR - 120);
	ck_assert_uint_eq(look(&rig, "k").latest, 2);
	pass(&rig, 180);
	ck_assert_uint_eq(look(&rig, "k").latest, 3);
	ck_assert_uint_eq(look(&rig, "never").latest, 1);
	ck_assert_uint_eq(records(&rig), 1);
	rig_close(&rig);
}
END_TEST

/* A restart before, and one that lasts over the time; after years, too. */
START_TEST(restart)
{
	folder_make();
	struct rig rig = begin(file);

	make_due(&rig, "k", HOUR);
	jump(&rig, 60);
	rig_close(&rig);
	rig = begin(file);
	pass(&rig, HOUR);
	ck_assert_uint_eq(look(&rig, "k").latest, 2);
	rig_close(&rig);
	clock_s += 5 * HOUR;
	rig = begin(file);
	jump(&rig, 1);
	ck_assert_uint_eq(look(&rig, "k").latest, 3); /* once, not five times */
	rig_close(&rig);
	clock_s += 60 * 24 * HOUR;
	rig = begin(file);
	for (int i = 0; i < 10; i++)
		jump(&rig, 1);
	ck_assert_uint_eq(look(&rig, "k").latest, 4);
	ck_assert_uint_eq(records(&rig), 1);
	rig_close(&rig);
	folder_remove();
}
END_TEST

/* The time counts from the newest version; a changed period counts at once, and one that is over already, too. */
START_TEST(changes)
{
	struct rig rig = begin(NULL);

	make_due(&rig, "k", 2 * HOUR);
	pass(&rig, HOUR);
	rotate(&rig, "k");
	pass(&rig, HOUR + 120);
	ck_assert_uint_eq(look(&rig, "k").latest, 2);
	pass(&rig, HOUR);
	ck_assert_uint_eq(look(&rig, "k").latest, 3);
	set_period(&rig, "k", 0);
	ck_assert_uint_eq(records(&rig), 0);
	pass(&rig, 4 * HOUR);
	ck_assert_uint_eq(look(&rig, "k").latest, 3);
	set_period(&rig, "k", HOUR);
	ck_assert_uint_eq(records(&rig), 1);
	pass(&rig, 60);
	ck_assert_uint_eq(look(&rig, "k").latest, 4);
	allow_deletion(&rig, "k");
	ck_assert_ok(bulla_key_delete(&rig.engine, fresh(&rig), &mount_a, bulla_str("k")));
	ck_assert_uint_eq(records(&rig), 0);
	make_due(&rig, "k", HOUR);
	ck_assert_ok(keyring_destroy_mount(rig.engine.keyring, fresh(&rig), mount_a.uuid));
	ck_assert_uint_eq(records(&rig), 0);
	rig_close(&rig);
}
END_TEST

/* What cannot be rotated is not due; when it can again, it is. */
START_TEST(soft_deleted)
{
	struct rig rig = begin(NULL);
	struct bulla_key_info info;

	make_due(&rig, "k", HOUR);
	ck_assert_ok(bulla_key_soft_delete(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &info));
	ck_assert_uint_eq(records(&rig), 0);
	pass(&rig, 2 * HOUR);
	ck_assert_uint_eq(look(&rig, "k").latest, 1);
	ck_assert_ok(bulla_key_soft_delete_restore(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &info));
	pass(&rig, 60);
	ck_assert_uint_eq(look(&rig, "k").latest, 2);
	rig_close(&rig);
}
END_TEST

/* Puts other bytes in the place of a key's head. */
static void spoil(struct rig *rig, const char *name)
{
	struct store_write write = { .change = STORE_PUT, .bytes = bulla_str("spoilt") };
	struct store_record record;

	ck_assert_ok(record_head_slot(rig->engine.seal, mount_a.uuid, bulla_str(name), &write.id));
	ck_assert_ok(store_get(rig->engine.store, fresh(rig), &write.id, &record));
	write.expected = record.revision;
	ck_assert_ok(store_commit(rig->engine.store, fresh(rig), &write, 1, NULL));
	keyring_empty(rig->engine.keyring);
}

/* Of many keys in the same minute one is damaged: it is named, all others are on time, and its turn comes again. */
START_TEST(one_fails)
{
	struct rig rig = begin(NULL);
	char name[16];
	size_t told = 0;

	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "k%d", i);
		make_due(&rig, name, HOUR);
	}
	spoil(&rig, "k77");
	for (int64_t end = clock_s + HOUR + 60; clock_s < end;) {
		clock_s += 10;
		ck_assert_ok(keyring_tick(rig.engine.keyring, fresh(&rig)));
		for (const struct bulla_warning *w = rig.call.warnings; w != NULL; w = w->next, told++)
			ck_assert_ptr_nonnull(memmem(w->text.ptr, w->text.len, "key k77 could not be rotated", 28));
	}
	ck_assert_uint_eq(told, 1);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "k%d", i);
		if (i != 77)
			ck_assert_uint_eq(look(&rig, name).latest, 2);
	}
	ck_assert_uint_eq(records(&rig), 200);
	clock_s += HOUR - 60; /* the others are not due again yet */
	for (told = 0, clock_s -= 60; told == 0; clock_s += 10) {
		ck_assert_ok(keyring_tick(rig.engine.keyring, fresh(&rig)));
		told += rig.call.warnings != NULL;
		ck_assert_int_lt(clock_s, 1000000000 + 100 * 24 * HOUR + 3 * HOUR);
	}
	rig_close(&rig);
}
END_TEST

#define DUE_KEYS 60
#define FULL_BYTES (256 * 1024)
#define MOST_HOURS (FULL_BYTES / DUE_KEYS / 64) /* a version takes more than 64 bytes */

static void make_name(char out[16], char kind, int number)
{
	snprintf(out, 16, "%c%d", kind, number);
}

/* How many of the keys are at this version; the others are one behind. */
static int rotated_to(struct rig *rig, uint32_t version)
{
	char name[16];
	int count = 0;

	for (int i = 0; i < DUE_KEYS; i++) {
		make_name(name, 'k', i);
		uint32_t latest = look(rig, name).latest;

		ck_assert(latest == version || latest == version - 1);
		count += latest == version;
	}
	return count;
}

static void fill(struct rig *rig)
{
	const struct bulla_key_create_args args = { 0 };
	struct bulla_key_info info;
	char name[16];
	enum bulla_err err = BULLA_OK;
	bool created;

	for (int i = 0; err == BULLA_OK; i++) {
		make_name(name, 'f', i);
		err = bulla_key_create(&rig->engine, fresh(rig), &mount_a, bulla_str(name), &args, &info, &created);
	}
	ck_assert_err(err, BULLA_E_STORE_FULL);
}

/* One tick; whether it told that a key could not be rotated. That is so exactly where one is still behind. */
static bool tick_tells(struct rig *rig, uint32_t version)
{
	(void)!keyring_tick(rig->engine.keyring, fresh(rig)); /* full, too, where its own place does not fit */
	const struct bulla_warning *first = rig->call.warnings;
	bool told = first != NULL;

	if (told)
		ck_assert_ptr_nonnull(memmem(first->text.ptr, first->text.len, "could not be rotated when it was due", 36));
	ck_assert_int_eq(told, rotated_to(rig, version) < DUE_KEYS);
	return told;
}

/* A full disk: told, tried again, and done when there is room. Pages have some room left on a full disk, so that the keys may be
 * rotated a few times: they take more of it each hour. */
START_TEST(full_disk)
{
	folder_make();
	bulla_clock_replace(clock_ns, clock_ns);
	const struct store_options small = { .path = file, .max_bytes = FULL_BYTES }, large = { .path = file };
	struct rig rig = rig_open_with(&small, 1 << 20);
	char name[16];
	uint32_t version = 2;

	for (int i = 0; i < DUE_KEYS; i++) {
		make_name(name, 'k', i);
		make_due(&rig, name, HOUR);
	}
	ck_assert_ok(keyring_tick(rig.engine.keyring, fresh(&rig)));
	fill(&rig);
	for (clock_s += HOUR + 1; !tick_tells(&rig, version); clock_s += HOUR + 1, version++)
		ck_assert_uint_lt(version, MOST_HOURS);
	for (int i = 0; i < 12; i++) {
		clock_s += 10;
		(void)!keyring_tick(rig.engine.keyring, fresh(&rig));
		rotated_to(&rig, version);
	}
	rig_close(&rig);
	rig = rig_open_with(&large, 1 << 20);
	pass(&rig, 130);
	ck_assert_int_eq(rotated_to(&rig, version), DUE_KEYS);
	rig_close(&rig);
	folder_remove();
}
END_TEST

static const int64_t steps_s[] = { 30, 600, 2 * HOUR, -24 * HOUR, 40 * 24 * HOUR, -1000000000 };

/* A step of the system's clock makes no key due, and puts none off, also not when its period changes. */
START_TEST(stepped)
{
	struct rig rig = begin(NULL);

	make_due(&rig, "k", 2 * HOUR);
	make_due(&rig, "changes", 10 * HOUR);
	pass(&rig, HOUR);
	step_s = steps_s[_i];
	set_period(&rig, "changes", 2 * HOUR);
	pass(&rig, HOUR - 10);
	ck_assert_uint_eq(look(&rig, "k").latest, 1);
	ck_assert_uint_eq(look(&rig, "changes").latest, 1);
	pass(&rig, 70);
	ck_assert_uint_eq(look(&rig, "k").latest, 2);
	ck_assert_uint_eq(look(&rig, "changes").latest, 2);
	step_s = 0;
	pass(&rig, 2 * HOUR - 130);
	ck_assert_uint_eq(look(&rig, "k").latest, 2);
	pass(&rig, 140);
	ck_assert_uint_eq(look(&rig, "k").latest, 3);
	ck_assert_uint_eq(look(&rig, "changes").latest, 3);
	rig_close(&rig);
}
END_TEST

/* A key that was filed nowhere is reckoned from the date of its version: at most from now. */
START_TEST(filed_after_a_step)
{
	struct rig rig = begin(NULL);

	make(&rig, "k");
	step_s = -24 * HOUR;
	pass(&rig, HOUR);
	set_period(&rig, "k", 2 * HOUR);
	pass(&rig, 2 * HOUR - 10);
	ck_assert_uint_eq(look(&rig, "k").latest, 1);
	pass(&rig, 70);
	ck_assert_uint_eq(look(&rig, "k").latest, 2);
	rig_close(&rig);
}
END_TEST

START_TEST(sealed)
{
	struct rig rig = begin(NULL);

	make_due(&rig, "k", HOUR);
	ck_assert_ok(keyring_tick(rig.engine.keyring, fresh(&rig)));
	ck_assert_err(keyring_tick(rig.engine.keyring, fresh_loop(&rig)), BULLA_E_MUST_BLOCK);
	ck_assert_ok(seal_close(rig.engine.seal));
	keyring_empty(rig.engine.keyring);
	seal_forget(rig.engine.seal);
	rig.secrets = bulla_secret_in_use();
	ck_assert_err(keyring_tick(rig.engine.keyring, fresh(&rig)), BULLA_E_SEALED);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyring schedule");
	TCase *tc = tcase_create("schedule");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, on_time);
	tcase_add_test(tc, restart);
	tcase_add_test(tc, changes);
	tcase_add_test(tc, soft_deleted);
	tcase_add_test(tc, one_fails);
	tcase_add_test(tc, full_disk);
	tcase_add_loop_test(tc, stepped, 0, sizeof steps_s / sizeof steps_s[0]);
	tcase_add_test(tc, filed_after_a_step);
	tcase_add_test(tc, sealed);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
