/* Following alone: who is told of what, what is read anew, and when it counts as applied. */
#include "seal_unit.h"

#include "bulla/clock.h"
#include "state/follow.h"

static struct store *store, *other;
static struct seal *seal;
static struct bulla_call call;
static struct follow follow;

/* A room that follows the records of its kind. */
struct room {
	const char *kind; /* NULL: it does not know its collection */
	unsigned told, all, read;
	enum store_news news;
	enum bulla_err fails; /* what reading it anew says */
};

static enum bulla_err slot(const char *kind, const char *item, struct store_id *out)
{
	const struct barrier_name name = { .kind = kind, .item = bulla_str(item) };

	return barrier_slot(seal, &name, out);
}

static enum bulla_err collection(void *owner, struct store_id *out)
{
	const struct room *room = owner;

	return room->kind != NULL ? slot(room->kind, "", out) : BULLA_E_SEALED;
}

static void changed(void *owner, const struct store_id *id, enum store_news news)
{
	struct room *room = owner;

	room->told += id != NULL;
	room->all += id == NULL;
	room->news = news;
}

static enum bulla_err reload(void *owner, struct bulla_call *c)
{
	struct room *room = owner;

	(void)c;
	room->read += room->fails == BULLA_OK;
	return room->fails;
}

static void setup(void)
{
	const struct bulla_seal_config config = static_config("k1");

	begin_sealed(NULL, 0, &config, &call, &store, &seal);
	seal_admit(seal);
	ck_assert_ok(store_share(store, &call, &other));
	ck_assert_ok(follow_init(&follow, store, seal));
}

static void teardown(void)
{
	follow_end(&follow);
	store_close(other);
	end_sealed(&call, store, seal);
}

/* By another node. */
static struct store_stamp write_as(const char *kind, const char *item, uint64_t expected)
{
	struct store_write write = { .change = STORE_PUT, .expected = expected, .bytes = bulla_str("a") };
	struct store_stamp stamp;

	ck_assert_ok(slot(kind, item, &write.id));
	ck_assert_ok(store_commit(other, &call, &write, 1, &stamp));
	return stamp;
}

static enum bulla_err run(void)
{
	int64_t before = bulla_elapsed_ns(), asked_ns = 0;
	enum bulla_err err = follow_run(&follow, &call, &asked_ns);

	if (err == BULLA_OK)
		ck_assert(asked_ns >= before && asked_ns <= bulla_elapsed_ns());
	return err;
}

/* Each hears of its own collection; who cannot name it, and who follows all, of everything. */
START_TEST(who_is_told)
{
	struct room a = { .kind = "a" }, b = { .kind = "b" }, nameless = { 0 }, all = { 0 };

	ck_assert_ok(follow_add(&follow, (struct follower){ &a, collection, changed, reload }));
	ck_assert_ok(follow_add(&follow, (struct follower){ &b, collection, changed, NULL }));
	ck_assert_ok(follow_add(&follow, (struct follower){ &nameless, collection, NULL, reload }));
	ck_assert_ok(follow_add(&follow, (struct follower){ &all, NULL, changed, reload }));
	ck_assert_ok(run());
	ck_assert_uint_eq(a.told + b.told + all.told + a.read + nameless.read + all.read, 0);
	(void)write_as("a", "1", 0);
	(void)write_as("a", "2", 0);
	(void)write_as("c", "1", 0);
	ck_assert_ok(run());
	ck_assert_uint_eq(a.told, 2);
	ck_assert_int_eq(a.news, STORE_MADE);
	ck_assert_uint_eq(a.read, 1); /* once for all of them */
	ck_assert_uint_eq(b.told, 0);
	ck_assert_uint_eq(nameless.read, 1);
	ck_assert_uint_eq(all.told, 3);
	(void)write_as("b", "1", 0);
	(void)write_as("b", "1", 1);
	ck_assert_ok(run());
	ck_assert_uint_eq(b.told, 2);
	ck_assert_int_eq(b.news, STORE_CHANGED);
	ck_assert_uint_eq(a.told, 2);
	ck_assert_uint_eq(a.read, 1);
	for (uint64_t i = 2; i < 10000; i++)
		(void)write_as("b", "1", i);
	ck_assert_ok(run());
	ck_assert_uint_eq(a.all, 1);
	ck_assert_uint_eq(b.all, 1);
	ck_assert_uint_eq(a.read, 2);
}
END_TEST

/* Who fails is asked again, the others are not; nothing counts as applied before. */
START_TEST(who_fails)
{
	struct room bad = { .kind = "a", .fails = BULLA_E_STORE }, good = { .kind = "a" };

	ck_assert_ok(follow_add(&follow, (struct follower){ &bad, collection, changed, reload }));
	ck_assert_ok(follow_add(&follow, (struct follower){ &good, collection, changed, reload }));
	struct store_stamp stamp = write_as("a", "1", 0);

	ck_assert_err(run(), BULLA_E_STORE);
	ck_assert_uint_eq(good.read, 1);
	ck_assert(!store_is_applied(store, &stamp));
	bad.fails = BULLA_E_BUSY; /* a new term of the barrier: tried some times at once */
	ck_assert_err(run(), BULLA_E_BUSY);
	ck_assert(!store_is_applied(store, &stamp));
	bad.fails = BULLA_OK;
	ck_assert_ok(run());
	ck_assert_uint_eq(bad.read, 1);
	ck_assert_uint_eq(bad.told, 1);
	ck_assert_uint_eq(good.read, 1);
	ck_assert(store_is_applied(store, &stamp));
}
END_TEST

START_TEST(while_sealed)
{
	struct room room = { .kind = "a" };

	ck_assert_ok(follow_add(&follow, (struct follower){ &room, collection, changed, reload }));
	struct store_stamp stamp = write_as("a", "1", 0);

	close_and_forget(seal);
	ck_assert_ok(run());
	ck_assert(store_is_applied(store, &stamp));
	ck_assert_uint_eq(room.read, 0);
}
END_TEST

START_TEST(bounds)
{
	struct room room = { .kind = "a" };
	int64_t asked_ns;

	for (int i = 0; i < FOLLOW_MAX; i++)
		ck_assert_ok(follow_add(&follow, (struct follower){ &room, collection, changed, reload }));
	ck_assert_err(follow_add(&follow, (struct follower){ &room, collection, changed, reload }), BULLA_E_INTERNAL);
	call.may_block = false;
	ck_assert_err(follow_run(&follow, &call, &asked_ns), BULLA_E_MUST_BLOCK);
	call.may_block = true;
	pthread_mutex_lock(&follow.lock);
	ck_assert_err(follow_run(&follow, &call, &asked_ns), BULLA_E_BUSY);
	pthread_mutex_unlock(&follow.lock);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state/follow");
	TCase *tc = tcase_create("follow");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, who_is_told);
	tcase_add_test(tc, who_fails);
	tcase_add_test(tc, while_sealed);
	tcase_add_test(tc, bounds);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
