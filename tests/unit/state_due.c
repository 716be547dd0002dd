/* A queue of due minutes: what is filed is handled once its minute is over, or while it lasts; in batches, up to a bound; through
 * restarts, a clock that goes back, damage, and another node that writes how far it came. */
#include "seal_unit.h"

#include "state/due.h"

#define NOW_S INT64_C(1800000000)
#define MINUTE 60

static struct store *store;
static struct seal *seal;
static struct bulla_call call;

/* What was handled since the last look: bytes of contents, in order; '?' where one did not open. */
static struct {
	char seen[512];
	size_t count, largest;
	bool keeps; /* entries stay where they are */
	enum bulla_err fails;
} handled;

static enum bulla_err handle(void *owner, struct bulla_call *work, const struct due_entry *entries, size_t count)
{
	ck_assert_ptr_eq(owner, &handled);
	ck_assert(count >= 1 && count <= DUE_AT_ONCE);
	if (handled.fails != BULLA_OK)
		return bulla_fail(work, handled.fails, "it is as the test wants it");
	handled.largest = count > handled.largest ? count : handled.largest;
	for (size_t i = 0; i < count; i++) {
		struct store_write gone = { .id = entries[i].id, .change = STORE_DELETE, .expected = STORE_ANY_REVISION };

		ck_assert_uint_lt(handled.count, sizeof handled.seen - 1);
		handled.seen[handled.count++] = entries[i].content.len == 0 ? '?' : (char)entries[i].content.ptr[0];
		if (!handled.keeps)
			ck_assert_ok(store_commit(store, work, &gone, 1, NULL));
	}
	return BULLA_OK;
}

static const struct due_kind over = { .entry = "x", .from = "x-from", .most = 100, .handle = handle };
static const struct due_kind lasting = { .entry = "y", .from = "y-from", .present = true, .handle = handle };

static void set_up(void)
{
	struct bulla_seal_config config = static_config("a");

	memset(&handled, 0, sizeof handled);
	begin_sealed(NULL, 0, &config, &call, &store, &seal);
}

static void tear_down(void)
{
	end_sealed(&call, store, seal);
}

static struct due begin(const struct due_kind *kind)
{
	struct due due;

	ck_assert_ok(due_init(&due, kind, store, seal, &handled));
	return due;
}

static void put_entry(const struct due_kind *kind, int64_t time_s, const char *content)
{
	struct store_write write;

	ck_assert_ok(due_filing(kind, seal, &call, due_minute(time_s), bulla_str(content), &write));
	ck_assert_ok(store_commit(store, &call, &write, 1, NULL));
}

static enum bulla_err run_at(struct due *due, int64_t time_s)
{
	pthread_mutex_lock(&due->lock);
	enum bulla_err err = due_run(due, &call, time_s);

	if (err == BULLA_OK)
		err = due_store(due, &call);
	pthread_mutex_unlock(&due->lock);
	return err;
}

static const char *seen_at(struct due *due, int64_t time_s)
{
	handled.count = 0;
	ck_assert_ok(run_at(due, time_s));
	handled.seen[handled.count] = '\0';
	return handled.seen;
}

START_TEST(in_its_minute)
{
	struct due waits = begin(&over), takes = begin(&lasting);

	ck_assert_str_eq(seen_at(&waits, NOW_S), "");
	ck_assert_str_eq(seen_at(&takes, NOW_S), "");
	put_entry(&over, NOW_S + 130, "a");
	put_entry(&over, NOW_S + 10, "b");
	put_entry(&lasting, NOW_S + 10, "c");
	ck_assert_str_eq(seen_at(&waits, NOW_S + 59), "");
	ck_assert_str_eq(seen_at(&takes, NOW_S), "c");
	put_entry(&lasting, NOW_S + 10, "d");
	ck_assert_str_eq(seen_at(&takes, NOW_S), "d"); /* again, as long as it lasts */
	ck_assert_str_eq(seen_at(&waits, NOW_S + 60), "b");
	ck_assert_str_eq(seen_at(&waits, NOW_S + 600), "a");
	due_end(&waits);
	due_end(&takes);
}
END_TEST

START_TEST(removal)
{
	struct due due = begin(&over);
	struct store_write gone;

	ck_assert_str_eq(seen_at(&due, NOW_S), "");
	put_entry(&over, NOW_S, "a");
	put_entry(&over, NOW_S, "b");
	ck_assert_ok(due_removal(&over, seal, due_minute(NOW_S), bulla_str("a"), &gone));
	ck_assert_ok(store_commit(store, &call, &gone, 1, NULL));
	ck_assert_ok(store_commit(store, &call, &gone, 1, NULL));
	ck_assert_str_eq(seen_at(&due, NOW_S + MINUTE), "b");
	due_end(&due);
}
END_TEST

/* A writer that was slow to commit files under a minute that was looked into. */
START_TEST(late)
{
	struct due due = begin(&over);

	ck_assert_str_eq(seen_at(&due, NOW_S), "");
	put_entry(&over, NOW_S - 9 * MINUTE, "a");
	put_entry(&over, NOW_S - 11 * MINUTE, "b");
	ck_assert_str_eq(seen_at(&due, NOW_S), ""); /* nothing new is over */
	ck_assert_str_eq(seen_at(&due, NOW_S + MINUTE), "a");
	due_end(&due);
}
END_TEST

/* Each once, also where all of them stay. */
START_TEST(batches)
{
	struct due due = begin(&lasting);

	handled.keeps = true;
	for (int i = 0; i < 3 * DUE_AT_ONCE; i++) {
		char name[8] = { (char)('a' + i % 26), (char)('a' + i / 26) };

		put_entry(&lasting, NOW_S, name);
	}
	ck_assert_uint_eq(strlen(seen_at(&due, NOW_S)), 3 * DUE_AT_ONCE);
	ck_assert_uint_eq(handled.largest, DUE_AT_ONCE);
	due_end(&due);
}
END_TEST

START_TEST(bounded)
{
	struct due due = begin(&over);

	ck_assert_str_eq(seen_at(&due, NOW_S), "");
	for (int i = 0; i < 200; i++) {
		char name[8] = { (char)('a' + i % 26), (char)('a' + i / 26) };

		put_entry(&over, NOW_S + i % 2 * MINUTE, name);
	}
	size_t first = strlen(seen_at(&due, NOW_S + 5 * MINUTE)), second = strlen(seen_at(&due, NOW_S + 5 * MINUTE));

	ck_assert_uint_ge(first, 100);
	ck_assert_uint_le(first, 100 + DUE_AT_ONCE);
	ck_assert_uint_eq(first + second, 200);
	due_end(&due);
}
END_TEST

/* It goes on where it was, at most an hour before; a long time off takes some runs. */
START_TEST(restart)
{
	struct due due = begin(&over);

	ck_assert_str_eq(seen_at(&due, NOW_S), "");
	put_entry(&over, NOW_S + 90 * MINUTE, "a");
	due_forget(&due);
	ck_assert_str_eq(seen_at(&due, NOW_S + 91 * MINUTE), "a");
	due_end(&due);
	due = begin(&over);
	put_entry(&over, NOW_S + 30000 * MINUTE, "b");
	ck_assert_str_eq(seen_at(&due, NOW_S + 50000 * MINUTE), "");
	ck_assert_str_eq(seen_at(&due, NOW_S + 50000 * MINUTE), "b");
	due_end(&due);
}
END_TEST

/* The clock was set back: it begins with the present anew, and what is stored is no hindrance. */
START_TEST(set_back)
{
	struct due due = begin(&over);

	ck_assert_str_eq(seen_at(&due, NOW_S + 5000 * MINUTE), "");
	due_forget(&due);
	ck_assert_str_eq(seen_at(&due, NOW_S), "");
	put_entry(&over, NOW_S, "a");
	ck_assert_str_eq(seen_at(&due, NOW_S + MINUTE), "a");
	due_end(&due);
}
END_TEST

/* What does not open is handed on as such, and the others with it. */
START_TEST(damaged)
{
	struct due due = begin(&over);
	struct store_write write = { .change = STORE_PUT, .bytes = bulla_str("spoilt") };

	ck_assert_str_eq(seen_at(&due, NOW_S), "");
	ck_assert_ok(due_slot(&over, seal, due_minute(NOW_S), bulla_str("a"), &write.id));
	ck_assert_ok(store_commit(store, &call, &write, 1, NULL));
	put_entry(&over, NOW_S, "b");
	const char *seen = seen_at(&due, NOW_S + MINUTE);

	ck_assert(strcmp(seen, "?b") == 0 || strcmp(seen, "b?") == 0);
	due_end(&due);
}
END_TEST

/* The error comes with its text, and the minute is looked into again. */
START_TEST(failing)
{
	struct due due = begin(&over);

	ck_assert_str_eq(seen_at(&due, NOW_S), "");
	put_entry(&over, NOW_S + 20 * MINUTE, "a");
	handled.fails = BULLA_E_STORE_FULL;
	ck_assert_err(run_at(&due, NOW_S + 50 * MINUTE), BULLA_E_STORE_FULL);
	ck_assert_detail(call, "it is as the test wants it");
	handled.fails = BULLA_OK;
	ck_assert_str_eq(seen_at(&due, NOW_S + 50 * MINUTE), "a");
	due_end(&due);
}
END_TEST

/* Two nodes: whoever comes second with the place reads it, and goes on from there. */
START_TEST(another_node)
{
	struct due one = begin(&over), two = begin(&over);

	ck_assert_str_eq(seen_at(&one, NOW_S), "");
	ck_assert_str_eq(seen_at(&two, NOW_S), "");
	ck_assert_str_eq(seen_at(&one, NOW_S + 100 * MINUTE), "");
	ck_assert_str_eq(seen_at(&two, NOW_S + 200 * MINUTE), ""); /* a conflict, that is none to whoever calls */
	ck_assert(!two.loaded);
	put_entry(&over, NOW_S + 150 * MINUTE, "a");
	ck_assert_str_eq(seen_at(&two, NOW_S + 200 * MINUTE), "a");
	ck_assert(two.loaded);
	ck_assert_uint_eq(two.stored, due_minute(NOW_S + 200 * MINUTE));
	due_end(&one);
	due_end(&two);
}
END_TEST

START_TEST(sealed)
{
	struct due due = begin(&over);

	ck_assert_str_eq(seen_at(&due, NOW_S), "");
	close_and_forget(seal);
	ck_assert_err(run_at(&due, NOW_S + MINUTE), BULLA_E_SEALED);
	due_end(&due);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state/due");
	TCase *tc = tcase_create("due");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, in_its_minute);
	tcase_add_test(tc, removal);
	tcase_add_test(tc, late);
	tcase_add_test(tc, batches);
	tcase_add_test(tc, bounded);
	tcase_add_test(tc, restart);
	tcase_add_test(tc, set_back);
	tcase_add_test(tc, damaged);
	tcase_add_test(tc, failing);
	tcase_add_test(tc, another_node);
	tcase_add_test(tc, sealed);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
