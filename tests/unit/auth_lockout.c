/* Lockout: below the threshold nobody, then until the time has passed; what resets the count; that the table is bounded. */
#include <stdio.h>

#include "unit.h"

#include "auth/lockout.h"

#define S INT64_C(1000000000)

static struct lockout *lockout;
static struct bulla_call call;
static struct bulla_lockout_rule rule;

static void set_up(void)
{
	call = call_begin();
	rule = (struct bulla_lockout_rule)BULLA_LOCKOUT_DEFAULT;
	ck_assert_ok(lockout_new(&lockout));
}

static void tear_down(void)
{
	lockout_free(lockout);
	call_end(&call);
}

static struct lockout_user named(const char *mount, const char *name)
{
	return (struct lockout_user){ bulla_str(mount), bulla_str(name) };
}

static void fail_times(const struct lockout_user *user, int times, int64_t now_ns)
{
	for (int i = 0; i < times; i++)
		ck_assert_int_eq(lockout_fail(lockout, &rule, user, now_ns), lockout_is_locked(lockout, &rule, user, now_ns));
}

START_TEST(locked)
{
	const struct lockout_user alice = named("up_1", "alice"), bob = named("up_1", "bob"), other = named("up_2", "alice");

	ck_assert(!lockout_is_locked(lockout, &rule, &alice, 0));
	fail_times(&alice, 4, 10 * S);
	ck_assert(!lockout_is_locked(lockout, &rule, &alice, 10 * S));
	fail_times(&alice, 1, 11 * S);
	ck_assert(lockout_is_locked(lockout, &rule, &alice, 11 * S));
	ck_assert(!lockout_is_locked(lockout, &rule, &bob, 11 * S));
	ck_assert(!lockout_is_locked(lockout, &rule, &other, 11 * S));
	ck_assert(lockout_is_locked(lockout, &rule, &alice, 910 * S));
	ck_assert(!lockout_is_locked(lockout, &rule, &alice, 911 * S));
}
END_TEST

START_TEST(reset)
{
	const struct lockout_user alice = named("up_1", "alice");

	fail_times(&alice, 4, 10 * S);
	fail_times(&alice, 1, 911 * S); /* too long after the one before */
	ck_assert(!lockout_is_locked(lockout, &rule, &alice, 911 * S));
	fail_times(&alice, 4, 912 * S);
	ck_assert(lockout_is_locked(lockout, &rule, &alice, 912 * S));
	lockout_forget(lockout, &alice);
	ck_assert(!lockout_is_locked(lockout, &rule, &alice, 912 * S));
	fail_times(&alice, 4, 913 * S);
	ck_assert(!lockout_is_locked(lockout, &rule, &alice, 913 * S));
}
END_TEST

START_TEST(rules)
{
	const struct lockout_user alice = named("up_1", "alice");

	rule.disabled = true;
	fail_times(&alice, 50, 10 * S);
	ck_assert(!lockout_is_locked(lockout, &rule, &alice, 10 * S));
	rule.disabled = false;
	ck_assert(!lockout_is_locked(lockout, &rule, &alice, 10 * S)); /* nothing was counted */
	rule.threshold = 1;
	fail_times(&alice, 1, 10 * S);
	ck_assert(lockout_is_locked(lockout, &rule, &alice, 10 * S));
	rule.disabled = true;
	ck_assert(!lockout_is_locked(lockout, &rule, &alice, 10 * S));
}
END_TEST

START_TEST(listed)
{
	const struct lockout_user users[] = { named("up_2", "b"), named("up_1", "z"), named("up_2", "a"), named("up_1", "free") };
	struct bulla_locked_user *list;
	size_t count;

	ck_assert_ok(lockout_list(lockout, &call, bulla_str(""), 10 * S, &list, &count));
	ck_assert_uint_eq(count, 0);
	for (size_t i = 0; i < 3; i++)
		fail_times(&users[i], 5, 10 * S);
	fail_times(&users[3], 4, 10 * S);
	ck_assert_ok(lockout_list(lockout, &call, bulla_str(""), 10 * S, &list, &count));
	ck_assert_uint_eq(count, 3);
	for (size_t i = 0; i < 3; i++) { /* in the order of their failures */
		ck_assert_bytes(list[i].mount_accessor, (const char *)users[i].mount.ptr);
		ck_assert_bytes(list[i].name, (const char *)users[i].name.ptr);
	}
	ck_assert_ok(lockout_list(lockout, &call, bulla_str("up_1"), 10 * S, &list, &count));
	ck_assert_uint_eq(count, 1);
	ck_assert_ok(lockout_list(lockout, &call, bulla_str(""), 910 * S, &list, &count));
	ck_assert_uint_eq(count, 0);
	lockout_empty(lockout);
	ck_assert_ok(lockout_list(lockout, &call, bulla_str(""), 10 * S, &list, &count));
	ck_assert_uint_eq(count, 0);
}
END_TEST

/* Whoever failed longest ago goes first. */
START_TEST(bounded)
{
	const struct lockout_user first = named("up_1", "first"), second = named("up_1", "second");
	char name[16];

	fail_times(&first, 5, 10 * S);
	fail_times(&second, 5, 10 * S);
	fail_times(&first, 1, 11 * S);
	for (int i = 0; i < LOCKOUT_MAX_USERS - 1; i++) {
		snprintf(name, sizeof name, "u%d", i);
		const struct lockout_user user = named("up_1", name);

		fail_times(&user, 1, 12 * S);
	}
	ck_assert(lockout_is_locked(lockout, &rule, &first, 12 * S));
	ck_assert(!lockout_is_locked(lockout, &rule, &second, 12 * S));
	char long_name[LOCKOUT_MAX_NAME + 1];

	memset(long_name, 'a', sizeof long_name);
	const struct lockout_user nobody = { bulla_str("up_1"), bulla_mem(long_name, sizeof long_name) };

	fail_times(&nobody, 9, 12 * S);
	ck_assert(!lockout_is_locked(lockout, &rule, &nobody, 12 * S));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth/lockout");
	TCase *tc = tcase_create("lockout");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, locked);
	tcase_add_test(tc, reset);
	tcase_add_test(tc, rules);
	tcase_add_test(tc, listed);
	tcase_add_test(tc, bounded);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
