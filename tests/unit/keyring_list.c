/* LIST: order, after, limit, and that the index follows every change from its first use on. */
#include "keyring_unit.h"

#include <stdio.h>

/* The names as one text, "a b c". */
static const char *list(struct rig *rig, const char *after, int64_t limit)
{
	static char text[4096];
	struct bulla_bytes *names;
	size_t count, at = 0;

	ck_assert_ok(bulla_key_list(&rig->engine, fresh(rig), &mount_a, bulla_str(after), limit, &names, &count));
	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s", i ? " " : "", (int)names[i].len,
				       (const char *)names[i].ptr);
	return text;
}

static void drop(struct rig *rig, const char *name)
{
	allow_deletion(rig, name);
	ck_assert_ok(bulla_key_delete(&rig->engine, fresh(rig), &mount_a, bulla_str(name)));
}

START_TEST(empty)
{
	struct rig rig = rig_open(NULL, 1 << 20);

	ck_assert_str_eq(list(&rig, "", 0), "");
	ck_assert_str_eq(list(&rig, "a", 1), "");
	rig_close(&rig);
}
END_TEST

START_TEST(order_after_limit)
{
	static const char *const names[] = { "b", "A", "a", "10", "9", "B", "_x", "a.b", "a-b" };
	struct rig rig = rig_open(NULL, 1 << 20);

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (_i == 1 && i == 4) /* with and without an index when most of them come */
			ck_assert_str_eq(list(&rig, "", 0), "10 A a b");
		make(&rig, names[i]);
	}
	ck_assert_str_eq(list(&rig, "", 0), "10 9 A B _x a a-b a.b b");
	ck_assert_str_eq(list(&rig, "", -1), "10 9 A B _x a a-b a.b b");
	ck_assert_str_eq(list(&rig, "", 2), "10 9");
	ck_assert_str_eq(list(&rig, "B", 0), "_x a a-b a.b b");
	ck_assert_str_eq(list(&rig, "B", 2), "_x a");
	ck_assert_str_eq(list(&rig, "C", 1), "_x");
	ck_assert_str_eq(list(&rig, "a.b", 9), "b");
	ck_assert_str_eq(list(&rig, "b", 0), "");
	ck_assert_str_eq(list(&rig, "zzz", 1), "");
	ck_assert_str_eq(list(&rig, "", INT64_MAX), "10 9 A B _x a a-b a.b b");
	rig_close(&rig);
}
END_TEST

START_TEST(follows_changes)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct bulla_key_info info;

	make(&rig, "b");
	ck_assert_str_eq(list(&rig, "", 0), "b");
	make(&rig, "c");
	make(&rig, "a");
	ck_assert_str_eq(list(&rig, "", 0), "a b c");
	drop(&rig, "b");
	ck_assert_str_eq(list(&rig, "", 0), "a c");
	make(&rig, "b");
	rotate(&rig, "b");
	ck_assert_ok(bulla_key_soft_delete(&rig.engine, fresh(&rig), &mount_a, bulla_str("a"), &info));
	ck_assert_str_eq(list(&rig, "", 0), "a b c"); /* a soft-deleted key shows */
	keyring_empty(rig.engine.keyring);
	ck_assert_str_eq(list(&rig, "", 0), "a b c");
	drop(&rig, "a");
	drop(&rig, "b");
	drop(&rig, "c");
	ck_assert_str_eq(list(&rig, "", 0), "");
	rig_close(&rig);
}
END_TEST

START_TEST(mounts_are_apart)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct bulla_bytes *names;
	size_t count;

	make(&rig, "a");
	ck_assert_str_eq(list(&rig, "", 0), "a");
	ck_assert_ok(bulla_key_list(&rig.engine, fresh(&rig), &mount_b, bulla_str(""), 0, &names, &count));
	ck_assert_uint_eq(count, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(on_a_loop)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	struct bulla_bytes *names;
	struct bulla_bytes all = bulla_str("");
	size_t count;
	char name[16];

	make(&rig, "a");
	ck_assert_err(bulla_key_list(&rig.engine, fresh_loop(&rig), &mount_a, all, 0, &names, &count), BULLA_E_MUST_BLOCK);
	ck_assert_int_eq(rig.call.needs, BULLA_WORK_DISK);
	ck_assert_str_eq(list(&rig, "", 0), "a");
	ck_assert_ok(bulla_key_list(&rig.engine, fresh_loop(&rig), &mount_a, all, 0, &names, &count));
	ck_assert_uint_eq(count, 1);
	for (int i = 0; i < 4100; i++) {
		snprintf(name, sizeof name, "k%d", i);
		make(&rig, name);
	}
	/* a long answer is a worker's, but not one's who waits for the disk */
	ck_assert_err(bulla_key_list(&rig.engine, fresh_loop(&rig), &mount_a, all, 0, &names, &count), BULLA_E_MUST_BLOCK);
	ck_assert_int_eq(rig.call.needs, BULLA_WORK_CPU);
	ck_assert_ok(bulla_key_list(&rig.engine, fresh_loop(&rig), &mount_a, all, 100, &names, &count));
	ck_assert_uint_eq(count, 100);
	ck_assert_ok(bulla_key_list(&rig.engine, fresh(&rig), &mount_a, all, 0, &names, &count));
	ck_assert_uint_eq(count, 4101);
	rig_close(&rig);
}
END_TEST

START_TEST(destroyed_mount)
{
	struct rig rig = rig_open(NULL, 1 << 20);
	const struct bulla_key_create_args args = { 0 };
	struct bulla_key_info info;
	char name[16];
	bool created;

	for (int i = 0; i < 600; i++) { /* several batches */
		snprintf(name, sizeof name, "k%d", i);
		make(&rig, name);
	}
	rotate(&rig, "k7");
	ck_assert_ok(bulla_key_create(&rig.engine, fresh(&rig), &mount_b, bulla_str("k7"), &args, &info, &created));
	ck_assert_str_eq(list(&rig, "k599", 1), "k6");
	ck_assert_ok(keyring_destroy_mount(rig.engine.keyring, fresh(&rig), mount_a.uuid));
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 0);
	ck_assert_uint_eq(stored_versions(&rig, "k7"), 0);
	ck_assert_str_eq(list(&rig, "", 0), "");
	/* a request that found the mount before it went brings no key into memory, and writes nothing any more */
	ck_assert_err(bulla_key_read(&rig.engine, fresh(&rig), &mount_a, bulla_str("k7"), &info), BULLA_E_NO_ROUTE);
	ck_assert_err(bulla_key_create(&rig.engine, fresh(&rig), &mount_a, bulla_str("k7"), &args, &info, &created),
		      BULLA_E_NO_ROUTE);
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 0);
	ck_assert_ok(bulla_key_read(&rig.engine, fresh(&rig), &mount_b, bulla_str("k7"), &info));
	ck_assert_uint_eq(stored_heads(&rig, &mount_b), 1);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyring/list");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, empty);
	tcase_add_loop_test(tc, order_after_limit, 0, 2);
	tcase_add_test(tc, follows_changes);
	tcase_add_test(tc, mounts_are_apart);
	tcase_add_test(tc, on_a_loop);
	tcase_add_test(tc, destroyed_mount);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
