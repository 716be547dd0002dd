/* Records that something leads to, which goes with them however they go; and all of a kind and scope, a part at a time: removed, or filed
 * by their end where a version before has not. */
#include "records_unit.h"

#include <stdio.h>

#include "store/store_ops.h"

struct thing {
	struct record record;
	struct bulla_bytes key; /* of what leads to it */
	int64_t number, end_ns;
};

static void encode(struct pack *pack, const void *record)
{
	const struct thing *thing = record;

	pack_bytes(pack, thing->key);
	pack_i64(pack, thing->number);
	pack_i64(pack, thing->end_ns);
}

static enum bulla_err decode(struct bulla_call *c, struct unpack *in, void *record)
{
	struct thing *thing = record;

	(void)c;
	thing->key = unpack_bytes(in);
	thing->number = unpack_i64(in);
	thing->end_ns = unpack_i64(in);
	return BULLA_OK;
}

static int64_t end_of(const void *record)
{
	return ((const struct thing *)record)->end_ns;
}

#define THING .size = sizeof(struct thing), .encode = encode, .decode = decode
static const struct record_kind keys = { .name = "keys", THING };

static void key_of(struct bulla_bytes scope, const void *record, struct record_name *out)
{
	*out = (struct record_name){ &keys, bulla_mem(scope.ptr, 5), ((const struct thing *)record)->key };
}

static const struct record_kind things = { .name = "things", THING, .end_ns = end_of, .due = "things-end", .due_from = "things-end-from",
					   .companion = key_of };
static const struct record_kind *const ending[] = { &things, NULL };

static void set_up(void)
{
	begin_records(ending);
	ck_assert_ok(records_tick(&records, &call)); /* it has been looked into before */
}

static struct record_name named(const char *item)
{
	return (struct record_name){ &things, bulla_str("scope and more"), bulla_str(item) };
}

static struct record_name key_named(const char *key)
{
	return (struct record_name){ &keys, bulla_str("scope"), bulla_str(key) };
}

/* ---- steps -------------------------------------------------------------------------------------------------------------------- */

struct wish {
	const char *key;
	int64_t end_ns;
};

/* With what leads to it, if that is new. */
static enum bulla_err put_step(struct bulla_call *c, void *record, void *context)
{
	const struct wish *wish = context;
	const struct record_name key = key_named(wish->key);
	const struct thing leading = { .number = 1 };
	struct thing *thing = record;
	bool is_new = !bulla_is(thing->key, wish->key);

	(void)c;
	thing->key = bulla_str(wish->key);
	thing->end_ns = wish->end_ns;
	return is_new ? record_write_too(thing->record.commit, &key, &leading) : BULLA_OK;
}

static void put_thing(const char *item, const char *key, int64_t end_ns)
{
	const struct record_name name = named(item);
	struct wish wish = { key, end_ns };

	ck_assert_ok(record_change(&records, &call, &name, put_step, &wish));
}

static bool is_there(const struct record_name *name)
{
	const struct document_name document = { name->kind->name, name->scope, name->item };
	struct document found;
	enum bulla_err err = document_get(&records.documents, &call, &document, &found);

	ck_assert(err == BULLA_OK || err == BULLA_E_NOT_FOUND || err == BULLA_E_STORE_DAMAGED);
	call.detail = (struct bulla_bytes){ 0 };
	return err != BULLA_E_NOT_FOUND;
}

static bool thing_is_there(const char *item)
{
	const struct record_name name = named(item);

	return is_there(&name);
}

static bool key_is_there(const char *key)
{
	const struct record_name name = key_named(key);

	return is_there(&name);
}

/* Where it is filed: by that end, with what leads to it. */
static struct store_id filing(const char *item, const char *key, int64_t end_ns)
{
	static const struct due_kind row = { .entry = "things-end" };
	const struct record_name name = named(item), leading = key_named(key);
	struct store_id ids[2], slot;

	ck_assert_ok(record_slot(&records, &name, &ids[0]));
	ck_assert_ok(record_slot(&records, &leading, &ids[1]));
	ck_assert_ok(due_slot(&row, seal, due_minute(end_ns / NS_PER_S), bulla_mem(ids, sizeof ids), &slot));
	return slot;
}

static bool is_filed(const char *item, const char *key, int64_t end_ns)
{
	const struct store_id slot = filing(item, key, end_ns);

	return is_in_store(&slot);
}

/* As a version before has left it. */
static void unfile(const char *item, const char *key, int64_t end_ns)
{
	const struct store_write write = { .id = filing(item, key, end_ns), .change = STORE_DELETE, .expected = STORE_ANY_REVISION };

	ck_assert_ok(store_commit(store, &call, &write, 1, NULL));
}

static void spoil(const char *item)
{
	const struct record_name name = named(item);
	struct store_write write = { .change = STORE_PUT, .bytes = bulla_str("this opens under no key, however long it is") };
	struct store_record there;

	ck_assert_ok(record_slot(&records, &name, &write.id));
	ck_assert_ok(store_get(store, &call, &write.id, &there));
	write.expected = there.revision;
	ck_assert_ok(store_commit(store, &call, &write, 1, NULL));
}

/* ---- what leads to it ---------------------------------------------------------------------------------------------------------- */

START_TEST(goes_with_it)
{
	const struct record_name name = named("a");
	int64_t end_ns = now_ns + MINUTE_NS;

	put_thing("a", "k", end_ns);
	ck_assert(key_is_there("k") && is_filed("a", "k", end_ns));
	put_thing("a", "k", end_ns + MINUTE_NS);
	ck_assert(key_is_there("k") && is_filed("a", "k", end_ns + MINUTE_NS) && !is_filed("a", "k", end_ns));
	ck_assert_ok(record_remove(&records, &call, &name));
	ck_assert(!thing_is_there("a") && !key_is_there("k") && !is_filed("a", "k", end_ns + MINUTE_NS));
}
END_TEST

START_TEST(goes_at_its_end)
{
	int64_t end_ns = now_ns + MINUTE_NS;

	put_thing("a", "k", end_ns);
	put_thing("b", "l", 0);
	now_ns = end_ns + MINUTE_NS;
	ck_assert_ok(records_tick(&records, &call));
	ck_assert(!thing_is_there("a") && !key_is_there("k") && !is_filed("a", "k", end_ns));
	ck_assert(thing_is_there("b") && key_is_there("l"));
}
END_TEST

/* What led to the one that has ended does not lead to the one in its place, though both end in one minute. */
START_TEST(another_in_its_place)
{
	int64_t end_ns = now_ns + NS_PER_S;

	put_thing("a", "k", end_ns);
	now_ns = end_ns;
	put_thing("a", "l", end_ns + NS_PER_S);
	ck_assert(!key_is_there("k") && key_is_there("l"));
	ck_assert(!is_filed("a", "k", end_ns) && is_filed("a", "l", end_ns));
	put_thing("a", "l", 0);
	ck_assert(key_is_there("l") && !is_filed("a", "l", end_ns));
}
END_TEST

/* An entry that says less than it should is of no use. */
START_TEST(short_entry)
{
	static const struct due_kind row = { .entry = "things-end" };
	const struct record_name name = named("a");
	uint64_t minute = due_minute(now_ns / NS_PER_S);
	struct store_write write;
	struct store_id id;
	struct store_record there;

	put_thing("a", "k", now_ns);
	unfile("a", "k", now_ns);
	ck_assert_ok(record_slot(&records, &name, &id));
	ck_assert_ok(due_filing(&row, seal, &call, minute, bulla_mem(id.bytes, sizeof id.bytes), &write));
	ck_assert_ok(store_commit(store, &call, &write, 1, NULL));
	now_ns += MINUTE_NS;
	ck_assert_ok(records_tick(&records, &call));
	ck_assert_err(store_get(store, &call, &write.id, &there), BULLA_E_NOT_FOUND);
	ck_assert(thing_is_there("a") && key_is_there("k"));
}
END_TEST

/* ---- a commit that somebody else makes --------------------------------------------------------------------------------------- */

struct other_commit {
	struct wish wish;
	int runs;
	size_t count;
	enum bulla_err err; /* the first time */
};

static enum bulla_err commit_it(struct bulla_call *c, const struct store_write *writes, size_t count, void *context)
{
	struct other_commit *other = context;

	other->count = count;
	if (other->runs++ == 0 && other->err != BULLA_OK)
		return bulla_fail(c, other->err, "as the test wants it");
	return store_commit(store, c, writes, count, NULL);
}

static enum bulla_err other_step(struct bulla_call *c, void *record, void *context)
{
	struct other_commit *other = context;

	record_commit_by(((struct record *)record)->commit, commit_it, other);
	return put_step(c, record, &other->wish);
}

START_TEST(committed_by_another)
{
	const struct record_name name = named("a");
	struct other_commit other = { .wish = { "k", now_ns + 1 }, .err = BULLA_E_DENIED };

	ck_assert_err(record_change(&records, &call, &name, other_step, &other), BULLA_E_DENIED);
	ck_assert_detail(call, "as the test wants it");
	call.detail = (struct bulla_bytes){ 0 };
	ck_assert_int_eq(other.runs, 1);
	ck_assert_uint_eq(other.count, 3); /* it, what leads to it, its entry */
	ck_assert(!thing_is_there("a") && !key_is_there("k"));
	other.runs = 0;
	other.err = BULLA_E_CONFLICT;
	ck_assert_ok(record_change(&records, &call, &name, other_step, &other));
	ck_assert_int_eq(other.runs, 2);
	ck_assert(thing_is_there("a") && key_is_there("k") && is_filed("a", "k", now_ns + 1));
}
END_TEST

/* ---- all of them --------------------------------------------------------------------------------------------------------------- */

#define MANY 200 /* some parts */

static const char *numbered(const char *start, int i)
{
	char *text = bulla_arena_alloc(call.arena, 16);

	ck_assert_ptr_nonnull(text);
	snprintf(text, 16, "%s%d", start, i);
	return text;
}

static const char *item_of(int i)
{
	return numbered("item", i);
}

static const char *key_text(int i)
{
	return numbered("key", i);
}

/* Every other one ends in a minute. */
static int64_t end_of_one(int i)
{
	return i % 2 == 0 ? 30000001 * MINUTE_NS : 0;
}

static void put_many(void)
{
	for (int i = 0; i < MANY; i++)
		put_thing(item_of(i), key_text(i), end_of_one(i));
}

static const struct store_ops *real;
static struct store_ops hooked;
static size_t largest, commits;

static enum bulla_err measuring_commit(struct store *of, struct bulla_call *c, const struct store_write *writes, size_t count,
				       struct store_stamp *stamp)
{
	commits++;
	largest = count > largest ? count : largest;
	return real->commit(of, c, writes, count, stamp);
}

static void measure(void)
{
	largest = commits = 0;
	real = store->ops;
	hooked = *real;
	hooked.commit = measuring_commit;
	store->ops = &hooked;
}

START_TEST(all_removed)
{
	const struct record_name all = named(""), other = { &things, bulla_str("scope of others"), bulla_str("a") };
	struct wish wish = { "other", 0 };

	put_many();
	spoil("item4");
	spoil("item5");
	ck_assert_ok(record_change(&records, &call, &other, put_step, &wish));
	measure();
	ck_assert_ok(record_remove_all(&records, &call, &all));
	store->ops = real;
	ck_assert_uint_le(largest, 3 * DUE_AT_ONCE);
	ck_assert_uint_ge(commits, MANY / DUE_AT_ONCE);
	for (int i = 0; i < MANY; i++) {
		bool damaged = i == 4 || i == 5; /* what leads to them is not known */

		ck_assert(!thing_is_there(item_of(i)));
		ck_assert(key_is_there(key_text(i)) == damaged);
		ck_assert(!end_of_one(i) || is_filed(item_of(i), key_text(i), end_of_one(i)) == damaged);
	}
	ck_assert(is_there(&other) && key_is_there("other"));
	ck_assert_ok(record_remove_all(&records, &call, &all));
}
END_TEST

/* Also those that nobody has filed; and no damaged one. */
START_TEST(ended_removed)
{
	const struct record_name all = named("");

	put_many();
	for (int i = 0; i < MANY; i += 4)
		unfile(item_of(i), key_text(i), end_of_one(i));
	spoil("item8");
	ck_assert_ok(record_remove_ended(&records, &call, &all));
	ck_assert(thing_is_there("item0"));
	now_ns += MINUTE_NS;
	ck_assert_ok(record_remove_ended(&records, &call, &all));
	for (int i = 0; i < MANY; i++) {
		bool stays = i % 2 == 1 || i == 8;

		ck_assert(thing_is_there(item_of(i)) == stays);
		ck_assert(key_is_there(key_text(i)) == stays);
	}
}
END_TEST

/* One of a part is used again meanwhile: the others go. */
static bool prolongs;

static enum bulla_err prolonging_commit(struct store *of, struct bulla_call *c, const struct store_write *writes, size_t count,
					struct store_stamp *stamp)
{
	if (prolongs) {
		prolongs = false;
		put_thing("item0", "again", 0);
	}
	return real->commit(of, c, writes, count, stamp);
}

START_TEST(used_again_meanwhile)
{
	const struct record_name all = named("");

	for (int i = 0; i < 8; i += 2)
		put_thing(item_of(i), key_text(i), end_of_one(i));
	now_ns += MINUTE_NS;
	real = store->ops;
	hooked = *real;
	hooked.commit = prolonging_commit;
	store->ops = &hooked;
	prolongs = true;
	ck_assert_ok(record_remove_ended(&records, &call, &all));
	store->ops = real;
	ck_assert(thing_is_there("item0") && key_is_there("again") && !key_is_there("key0"));
	for (int i = 2; i < 8; i += 2)
		ck_assert(!thing_is_there(item_of(i)) && !key_is_there(key_text(i)));
}
END_TEST

/* A part at a time; what is filed is not filed again, what has ended goes, what cannot be read hinders nothing. */
START_TEST(filed)
{
	const struct record_name all = named("");
	struct store_id next = { 0 };
	int parts = 0, ended = 0;
	bool more = true;

	put_many();
	for (int i = 0; i < MANY; i += 2)
		if (i != 2)
			unfile(item_of(i), key_text(i), end_of_one(i));
	spoil("item8");
	put_thing("ended", "ended", now_ns);
	unfile("ended", "ended", now_ns);
	for (; more; parts++)
		ck_assert_ok(record_file(&records, &call, &all, &next, &more));
	ck_assert_int_eq(parts, (MANY + 1 + DUE_AT_ONCE - 1) / DUE_AT_ONCE);
	ck_assert(!thing_is_there("ended") && !key_is_there("ended"));
	for (int i = 0; i < MANY; i += 2)
		ck_assert(is_filed(item_of(i), key_text(i), end_of_one(i)) == (i != 8));
	memset(&next, 0, sizeof next);
	measure();
	for (more = true; more;)
		ck_assert_ok(record_file(&records, &call, &all, &next, &more));
	store->ops = real;
	ck_assert_uint_eq(commits, 0);
	now_ns += 2 * MINUTE_NS;
	ck_assert_ok(records_tick(&records, &call));
	for (int i = 0; i < MANY; i++)
		ended += !thing_is_there(item_of(i));
	ck_assert_int_eq(ended, MANY / 2 - 1);
}
END_TEST

START_TEST(sealed)
{
	const struct record_name all = named("");
	struct store_id next = { 0 };
	bool more;

	put_thing("a", "k", now_ns + 1);
	ck_assert_ok(seal_close(seal));
	ck_assert_err(record_remove_all(&records, &call, &all), BULLA_E_SEALED);
	ck_assert(thing_is_there("a"));
	seal_forget(seal);
	ck_assert_err(record_file(&records, &call, &all, &next, &more), BULLA_E_SEALED);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state_records_sweep");
	TCase *t = tcase_create("sweep");

	tcase_add_checked_fixture(t, set_up, end_records);
	tcase_add_test(t, goes_with_it);
	tcase_add_test(t, goes_at_its_end);
	tcase_add_test(t, another_in_its_place);
	tcase_add_test(t, short_entry);
	tcase_add_test(t, committed_by_another);
	tcase_add_test(t, all_removed);
	tcase_add_test(t, ended_removed);
	tcase_add_test(t, used_again_meanwhile);
	tcase_add_test(t, filed);
	tcase_add_test(t, sealed);
	suite_add_tcase(s, t);
	return unit_main(s);
}
