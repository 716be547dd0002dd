/* Two engines over one store: what comes late. Of a token that one of them has revoked nothing is left, whatever the other was writing
 * for it; who ends his own token goes on to the end of the request. */
#include <pthread.h>
#include <stdatomic.h>

#include "guard_unit.h"

#include "store/store_ops.h"

/* ---- who ends his own token --------------------------------------------------------------------------------------------------- */

/* With what he keeps and whoever descends from him: the commits that come after that of his own token. */
START_TEST(revokes_himself)
{
	unsigned before = count_records();
	struct made agent = make_below(&call);
	struct bulla_call c = call_of(twin, &agent);

	(void)make_below(&c);
	(void)make_below(&c);
	ck_assert_ok(write_cubbyhole(&c));
	ck_assert_ok(bulla_token_revoke_self(twin, &c));
	call_done(&c);
	ck_assert_uint_eq(count_records(), before);
}
END_TEST

/* His goes first. */
START_TEST(revokes_his_parent)
{
	unsigned before = count_records();
	struct made parent = make_below(&call), child;
	struct bulla_call c = call_of(engine, &parent);

	child = make_below(&c);
	(void)make_below(&c);
	call_done(&c);
	c = call_of(twin, &child);
	ck_assert_ok(bulla_token_revoke(twin, &c, bulla_str(parent.text)));
	call_done(&c);
	ck_assert_uint_eq(count_records(), before);
}
END_TEST

/* ---- both at once ------------------------------------------------------------------------------------------------------------- */

/* Before the next commit of the one the other does something. */
static const struct store_ops *real_ops;
static struct store_ops hooked_ops;
static void (*meanwhile)(void);

static enum bulla_err commit_after(struct store *store, struct bulla_call *c, const struct store_write *writes, size_t count,
				   struct store_stamp *stamp)
{
	void (*change)(void) = meanwhile;

	meanwhile = NULL;
	if (change != NULL)
		change();
	return real_ops->commit(store, c, writes, count, stamp);
}

static void hook_commits(struct bulla *node, void (*change)(void))
{
	real_ops = node->store->ops;
	hooked_ops = *real_ops;
	hooked_ops.commit = commit_after;
	meanwhile = change;
	node->store->ops = &hooked_ops;
}

static void unhook_commits(struct bulla *node)
{
	ck_assert_ptr_null(meanwhile);
	node->store->ops = real_ops;
}

static struct made above, late;

/* A child, with one of its own, a thing that it keeps, and both of them in the cache. */
static void make_late(void)
{
	const struct bulla_token_create_args args = { .policies = root_policy, .policy_count = 1, .ttl_s = 3600, .path = bulla_str("auth/token/create") };
	struct bulla_call c = call_of(twin, &above);
	struct made made;

	ck_assert_ok(write_cubbyhole(&c));
	ck_assert_ok(try_create(twin, &c, &args, &made));
	call_done(&c);
	c = call_of(twin, &made);
	ck_assert_ok(write_cubbyhole(&c));
	ck_assert_ok(try_create(twin, &c, &args, &late));
	call_done(&c);
	show(twin, &late);
}

/* What comes between the looking for what a token has and its end goes with it: of a token without children, of one with some, and of one in
 * the middle. */
START_TEST(between_reading_and_deleting)
{
	unsigned before = count_records();
	struct made top = make_below(&call);
	struct bulla_call c = call_of(engine, &top);

	above = top;
	if (_i > 0)
		above = make_below(&c);
	call_done(&c);
	if (_i == 1)
		above = top;
	show(twin, &above);
	hook_commits(engine, make_late);
	revoke(engine, &top);
	unhook_commits(engine);
	check_refused(create_key, &late);
	ck_assert_uint_eq(count_records(), before);
}
END_TEST

/* It has had its last use: whoever shows it again removes it. */
static void remove_above(void)
{
	struct bulla_call c = call_begin();

	ck_assert_err(bulla_authenticate(engine, &c, bulla_str(above.text)), BULLA_E_NO_TOKEN);
	call_end(&c);
}

START_TEST(kept_by_a_limited_token)
{
	unsigned before = count_records();

	above = make_typed(&call, "service", 1, false);
	struct bulla_call c = call_of(twin, &above);

	hook_commits(twin, remove_above);
	ck_assert_err(write_cubbyhole(&c), BULLA_E_REVOKED);
	unhook_commits(twin);
	call_done(&c);
	ck_assert_uint_eq(count_records(), before + 1); /* when it was to be removed by its time */
}
END_TEST

static atomic_bool revoked;
static atomic_int done;

/* Writes until it is refused: no write that began after the revocation had answered is done. */
static void *write_on(void *context)
{
	enum bulla_err (*const *attempt)(struct bulla_call *) = context;
	enum bulla_err err;

	do {
		bool late_one = atomic_load(&revoked);
		struct bulla_call c = call_begin();

		err = bulla_authenticate(twin, &c, bulla_str(above.text));
		if (err == BULLA_OK)
			err = (*attempt)(&c);
		ck_assert(!late_one || err != BULLA_OK);
		done += err == BULLA_OK;
		call_done(&c);
	} while (err == BULLA_OK);
	ck_assert_msg(err == BULLA_E_REVOKED || err == BULLA_E_NO_TOKEN, "%s", bulla_err_row(err)->name);
	return NULL;
}

/* Children and things that are kept, made by threads on one node until the other has revoked their token. */
START_TEST(nothing_is_left)
{
	static enum bulla_err (*attempts[])(struct bulla_call *) = { create_child, create_child, write_cubbyhole, write_cubbyhole };
	pthread_t threads[4];
	unsigned before = count_records();

	above = make_below(&call);
	revoked = false;
	done = 0;
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_on, &attempts[i]), 0);
	while (done < 100)
		;
	revoke(engine, &above);
	revoked = true;
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(count_records(), before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine/late");
	TCase *tc = tcase_create("late");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, guard_setup, guard_teardown);
	tcase_add_test(tc, revokes_himself);
	tcase_add_test(tc, revokes_his_parent);
	tcase_add_loop_test(tc, between_reading_and_deleting, 0, 3);
	tcase_add_test(tc, kept_by_a_limited_token);
	tcase_add_test(tc, nothing_is_left);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
