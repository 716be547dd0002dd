/* Kinds of records: read, kept, changed with others, and listed; nothing that was dropped while it was read is kept; what ends, at its
 * end, and where it is filed; two nodes that change the same record at the same time. */
#include "records_unit.h"

#include <stdatomic.h>

#include "store/store_ops.h"

struct thing {
	struct record record;
	struct bulla_bytes text;
	int64_t number, end_ns;
};

static void encode(struct pack *pack, const void *record)
{
	const struct thing *thing = record;

	pack_u8(pack, 7);
	pack_bytes(pack, thing->text);
	pack_i64(pack, thing->number);
	pack_i64(pack, thing->end_ns);
}

static enum bulla_err decode(struct bulla_call *c, struct unpack *in, void *record)
{
	struct thing *thing = record;

	(void)c;
	if (unpack_u8(in) != 7)
		return BULLA_E_STORE_DAMAGED;
	thing->text = unpack_bytes(in);
	thing->number = unpack_i64(in);
	thing->end_ns = unpack_i64(in);
	return BULLA_OK;
}

static int64_t end_of(const void *record)
{
	return ((const struct thing *)record)->end_ns;
}

#define THING .size = sizeof(struct thing), .encode = encode, .decode = decode
static const struct record_kind plain = { .name = "plain", THING };
static const struct record_kind kept = { .name = "kept", .cached = true, THING };
static const struct record_kind whole = { .name = "whole", .replaced = true, THING };
static const struct record_kind ends = { .name = "ends", .cached = true, THING, .end_ns = end_of, .due = "ends-due", .due_from = "ends-from" };
static const struct record_kind *const ending[] = { &ends, NULL };

static struct store *other_store;
static struct seal *other_seal;
static struct records others; /* another node's */

static void set_up(void)
{
	struct bulla_seal_config config = static_config("a");

	begin_records(ending);
	ck_assert_ok(store_share(store, &call, &other_store));
	ck_assert_ok(seal_new(other_store, &config, &call, &other_seal));
	ck_assert_ok(seal_unseal_auto(other_seal, &call));
	seal_admit(other_seal);
	memset(&others, 0, sizeof others);
	ck_assert_ok(records_init(&others, other_store, other_seal, ending, 1 << 20));
}

static void tear_down(void)
{
	records_end(&others);
	seal_free(other_seal);
	store_close(other_store);
	end_records();
}

static struct record_name named(const struct record_kind *kind, const char *item)
{
	return (struct record_name){ kind, bulla_str("scope"), bulla_str(item) };
}

/* ---- steps ------------------------------------------------------------------------------------------------------------------ */

struct wish {
	int64_t number, end_ns;
	enum record_fate fate;
	enum bulla_err err;
	int runs, disturbed; /* disturbed: so often another node comes before */
	uint64_t saw;        /* the revision */
};

static void set_elsewhere(const struct record_kind *kind, const char *item, int64_t number);

static enum bulla_err set_step(struct bulla_call *c, void *record, void *context)
{
	struct thing *thing = record;
	struct wish *wish = context;

	wish->runs++;
	wish->saw = thing->record.revision;
	ck_assert_bytes(thing->record.item, "a");
	if (wish->disturbed > 0 && wish->disturbed--)
		set_elsewhere(&kept, "a", 100 + wish->runs);
	TRY(bulla_warn(c, "it is %lld", (long long)wish->number));
	if (wish->err != BULLA_OK)
		return bulla_fail(c, wish->err, "as the test wants it");
	thing->text = bulla_str("text");
	thing->number = wish->number;
	thing->end_ns = wish->end_ns;
	thing->record.fate = wish->fate;
	return BULLA_OK;
}

static enum bulla_err set_thing(const struct record_kind *kind, struct wish *wish)
{
	const struct record_name name = named(kind, "a");

	return record_change(&records, &call, &name, set_step, wish);
}

static enum bulla_err elsewhere_step(struct bulla_call *c, void *record, void *context)
{
	(void)c;
	((struct thing *)record)->number = *(int64_t *)context;
	return BULLA_OK;
}

static void set_elsewhere(const struct record_kind *kind, const char *item, int64_t number)
{
	const struct record_name name = named(kind, item);
	struct bulla_call c = call_begin();

	ck_assert_ok(record_change(&others, &c, &name, elsewhere_step, &number));
	call_end(&c);
}

static void set(const struct record_kind *kind, int64_t number, int64_t end_ns)
{
	struct wish wish = { .number = number, .end_ns = end_ns };

	ck_assert_ok(set_thing(kind, &wish));
}

/* 0: NOT_FOUND. */
static int64_t number_by(enum bulla_err (*read)(struct records *, struct bulla_call *, const struct record_name *, void *),
			 const struct record_kind *kind)
{
	const struct record_name name = named(kind, "a");
	struct thing thing = { .number = -1 };
	enum bulla_err err = read(&records, &call, &name, &thing);

	if (err == BULLA_E_NOT_FOUND) {
		ck_assert_int_eq(thing.number, -1);
		return 0;
	}
	ck_assert_ok(err);
	ck_assert_bytes(thing.record.item, "a");
	ck_assert_uint_ne(thing.record.revision, 0);
	return thing.number;
}

static int64_t number(const struct record_kind *kind)
{
	int64_t read = number_by(record_read, kind), got = number_by(record_get, kind);

	ck_assert_int_eq(read, got);
	return read;
}

/* ---- changing and reading ----------------------------------------------------------------------------------------------------- */

START_TEST(changed)
{
	struct wish wish = { .number = 1 };
	const struct record_name name = named(&plain, "a");

	ck_assert_int_eq(number(&plain), 0);
	ck_assert_ok(record_remove(&records, &call, &name));
	ck_assert_ok(set_thing(&plain, &wish));
	ck_assert_uint_eq(wish.saw, 0);
	ck_assert_int_eq(number(&plain), 1);
	wish = (struct wish){ .number = 2, .fate = RECORD_LEAVE };
	ck_assert_ok(set_thing(&plain, &wish));
	ck_assert_uint_ne(wish.saw, 0);
	ck_assert_int_eq(number(&plain), 1);
	wish = (struct wish){ .number = 2, .err = BULLA_E_INVALID };
	ck_assert_err(set_thing(&plain, &wish), BULLA_E_INVALID);
	ck_assert_detail(call, "as the test wants it");
	ck_assert_int_eq(number(&plain), 1);
	wish = (struct wish){ .fate = RECORD_DELETE };
	ck_assert_ok(set_thing(&plain, &wish));
	ck_assert_int_eq(number(&plain), 0);
	ck_assert_ok(set_thing(&plain, &wish)); /* there is none to be deleted */
	set(&plain, 3, 0);
	ck_assert_ok(record_remove(&records, &call, &name));
	ck_assert_int_eq(number(&plain), 0);
}
END_TEST

static uint64_t reads(void)
{
	return store_counts(store).reads;
}

START_TEST(from_memory)
{
	const struct record_name name = named(&kept, "a");
	struct bulla_call loop = { .arena = call.arena };
	struct thing thing;

	set(&kept, 1, 0);
	ck_assert_err(record_get(&records, &loop, &name, &thing), BULLA_E_MUST_BLOCK);
	ck_assert_int_eq(number_by(record_get, &kept), 1);
	uint64_t before = reads();

	ck_assert_ok(record_get(&records, &loop, &name, &thing));
	ck_assert_int_eq(thing.number, 1);
	ck_assert_bytes(thing.text, "text");
	ck_assert_uint_eq(reads(), before);
	ck_assert_err(record_read(&records, &loop, &name, &thing), BULLA_E_MUST_BLOCK);
	set(&kept, 2, 0);
	ck_assert_int_eq(number_by(record_get, &kept), 2);
	ck_assert_ok(record_remove(&records, &call, &name));
	ck_assert_int_eq(number_by(record_get, &kept), 0);
}
END_TEST

/* What another node has changed is served until this one hears of it; reading asks the store. */
START_TEST(told)
{
	set(&kept, 1, 0);
	ck_assert_int_eq(number_by(record_get, &kept), 1);
	set_elsewhere(&kept, "a", 2);
	ck_assert_int_eq(number_by(record_get, &kept), 1);
	ck_assert_int_eq(number_by(record_read, &kept), 2);
	records_changed(&records, NULL);
	ck_assert_int_eq(number_by(record_get, &kept), 2);
	records_forget(&records);
	ck_assert_uint_eq(snapshots_bytes(&records.cache), 0);
}
END_TEST

/* By one that is there and none that is: what is given back is as good as a call that comes later would get, and it is not kept. */
static const struct store_ops *real;
static struct store_ops hooked;
static int gets; /* of how many more the record is told of as changed as soon as the store has answered */

static enum bulla_err hooked_get(struct store *of, struct bulla_call *c, const struct store_id *id, struct store_record *out)
{
	enum bulla_err err = real->get(of, c, id, out);

	if (gets > 0 && gets--)
		records_changed(&records, id);
	return err;
}

static enum bulla_err hooked_commit(struct store *of, struct bulla_call *c, const struct store_write *writes, size_t count,
				    struct store_stamp *stamp)
{
	(void)of, (void)writes, (void)count, (void)stamp;
	return bulla_fail(c, BULLA_E_STORE, "the disk is gone");
}

START_TEST(told_while_it_is_read)
{
	set(&kept, 1, 0);
	real = store->ops;
	hooked = *real;
	hooked.get = hooked_get;
	store->ops = &hooked;
	gets = 1;
	ck_assert_int_eq(number_by(record_get, &kept), 1);
	ck_assert_uint_eq(snapshots_bytes(&records.cache), 0);
	ck_assert_int_eq(number_by(record_get, &kept), 1);
	ck_assert_uint_ne(snapshots_bytes(&records.cache), 0);
	store->ops = real;
}
END_TEST

/* It may have been written or not: nothing is kept of it. */
START_TEST(failing_commit)
{
	struct wish wish = { .number = 2 };

	set(&kept, 1, 0);
	ck_assert_int_eq(number_by(record_get, &kept), 1);
	real = store->ops;
	hooked = *real;
	hooked.commit = hooked_commit;
	store->ops = &hooked;
	ck_assert_err(set_thing(&kept, &wish), BULLA_E_STORE);
	ck_assert_int_eq(wish.runs, 1);
	store->ops = real;
	ck_assert_uint_eq(snapshots_bytes(&records.cache), 0);
}
END_TEST

START_TEST(bounded)
{
	static uint8_t many[3000];
	struct records few = { 0 };

	ck_assert_ok(records_init(&few, store, seal, NULL, 2 * sizeof many));
	memset(many, 'x', sizeof many);
	for (int i = 0; i < 5; i++) {
		char item[] = { (char)('a' + i), '\0' };
		const struct document_name document = { "kept", bulla_str("scope"), bulla_str(item) };
		const struct record_name name = named(&kept, item);
		struct thing thing = { .text = bulla_mem(many, sizeof many) };
		struct pack pack = { .arena = call.arena };
		struct bulla_bytes value;

		encode(&pack, &thing);
		ck_assert_ok(pack_finish(&pack, &value));
		ck_assert_ok(document_put(&few.documents, &call, &document, 0, value));
		ck_assert_ok(record_get(&few, &call, &name, &thing));
		ck_assert_uint_eq(thing.text.len, sizeof many);
		ck_assert_uint_le(snapshots_bytes(&few.cache), 2 * sizeof many);
	}
	records_end(&few);
}
END_TEST

/* ---- when others come before ---------------------------------------------------------------------------------------------------- */

static size_t warnings(void)
{
	size_t count = 0;

	for (const struct bulla_warning *w = call.warnings; w != NULL; w = w->next)
		count++;
	return count;
}

START_TEST(begun_anew)
{
	struct wish wish = { .number = 1, .disturbed = 3 };

	ck_assert_ok(bulla_warn(&call, "of before"));
	ck_assert_ok(set_thing(&kept, &wish));
	ck_assert_int_eq(wish.runs, 4);
	ck_assert_int_eq(number(&kept), 1);
	ck_assert_uint_eq(warnings(), 2);
	ck_assert_bytes(call.warnings->text, "of before");
	call.warnings = NULL;
	wish = (struct wish){ .number = 2, .disturbed = 1 };
	ck_assert_ok(set_thing(&kept, &wish));
	ck_assert_uint_eq(warnings(), 1);
}
END_TEST

START_TEST(always_later)
{
	struct wish wish = { .number = 1, .disturbed = 1000 };

	ck_assert_err(set_thing(&kept, &wish), BULLA_E_CONFLICT);
	ck_assert_int_eq(wish.runs, STORE_TRIES);
}
END_TEST

/* Two of them in one commit, or none. */
struct pair {
	const struct record_kind *with;
	uint64_t expected;
	bool removes;
};

static enum bulla_err pair_step(struct bulla_call *c, void *record, void *context)
{
	const struct pair *pair = context;
	const struct record_name name = named(pair->with, "b");
	struct thing thing = { .record.revision = pair->expected, .number = 5 };

	(void)c;
	((struct thing *)record)->number++;
	struct record_commit *commit = ((struct record *)record)->commit;

	return pair->removes ? record_remove_too(commit, &name, pair->expected) : record_write_too(commit, &name, &thing);
}

START_TEST(together)
{
	const struct record_name a = named(&plain, "a"), b = named(&kept, "b");
	struct pair pair = { .with = &kept };
	struct thing thing;

	ck_assert_ok(record_change(&records, &call, &a, pair_step, &pair));
	ck_assert_int_eq(number(&plain), 1);
	ck_assert_ok(record_get(&records, &call, &b, &thing));
	ck_assert_int_eq(thing.number, 5);
	pair.expected = thing.record.revision + 1;
	ck_assert_err(record_change(&records, &call, &a, pair_step, &pair), BULLA_E_CONFLICT);
	ck_assert_int_eq(number(&plain), 1);
	pair = (struct pair){ .with = &kept, .expected = STORE_ANY_REVISION, .removes = true };
	ck_assert_ok(record_change(&records, &call, &a, pair_step, &pair));
	ck_assert_int_eq(number(&plain), 2);
	ck_assert_err(record_get(&records, &call, &b, &thing), BULLA_E_NOT_FOUND);
	pair = (struct pair){ .with = &ends };
	ck_assert_err(record_change(&records, &call, &a, pair_step, &pair), BULLA_E_INTERNAL);
}
END_TEST

/* ---- damage ------------------------------------------------------------------------------------------------------------------------ */

static void spoil(const struct record_kind *kind, const char *item)
{
	const struct document_name name = { kind->name, bulla_str("scope"), bulla_str(item) };
	struct document document = { 0 };
	enum bulla_err err = document_get(&records.documents, &call, &name, &document);

	ck_assert(err == BULLA_OK || err == BULLA_E_NOT_FOUND);
	ck_assert_ok(document_put(&records.documents, &call, &name, document.revision, bulla_str("\007spoilt")));
}

START_TEST(damaged)
{
	const struct record_name a = named(&plain, "a");
	struct wish wish = { .number = 2 };
	struct thing thing = { .number = -1 };

	set(&plain, 1, 0);
	spoil(&plain, "a");
	ck_assert_err(record_get(&records, &call, &a, &thing), BULLA_E_STORE_DAMAGED);
	ck_assert_int_eq(thing.number, -1);
	ck_assert_err(set_thing(&plain, &wish), BULLA_E_STORE_DAMAGED);
	ck_assert_int_eq(wish.runs, 0);
	ck_assert_ok(record_remove(&records, &call, &a));
	set(&plain, 3, 0);
	ck_assert_int_eq(number(&plain), 3);
}
END_TEST

START_TEST(damaged_is_replaced)
{
	struct wish wish = { .number = 2 };

	set(&whole, 1, 0);
	spoil(&whole, "a");
	ck_assert_ok(set_thing(&whole, &wish));
	ck_assert_uint_eq(wish.saw, 0);
	ck_assert_int_eq(number(&whole), 2);
}
END_TEST

static enum bulla_err put_one(const struct record_kind *kind, const char *item, int64_t end_ns)
{
	const struct document_name name = { kind->name, bulla_str("scope"), bulla_str(item) };
	struct thing thing = { .end_ns = end_ns };
	struct pack pack = { .arena = call.arena };
	struct bulla_bytes value;

	encode(&pack, &thing);
	TRY(pack_finish(&pack, &value));
	return document_put(&records.documents, &call, &name, 0, value);
}

static enum bulla_err never(const void *record, void *context)
{
	(void)record, (void)context;
	return BULLA_OK;
}

START_TEST(listed)
{
	const struct record_name any = named(&ends, "");
	struct bulla_bytes *names;
	size_t count;

	ck_assert_ok(record_list(&records, &call, &any, &names, &count));
	ck_assert_uint_eq(count, 0);
	ck_assert_ok(put_one(&ends, "z", 0));
	ck_assert_ok(put_one(&ends, "ended", now_ns));
	ck_assert_ok(put_one(&ends, "b", now_ns + 1));
	ck_assert_ok(record_each(&records, &call, &any, NULL, never, NULL));
	spoil(&ends, "c");
	ck_assert_ok(record_list(&records, &call, &any, &names, &count));
	ck_assert_uint_eq(count, 2);
	ck_assert_bytes(names[0], "b");
	ck_assert_bytes(names[1], "z");
	ck_assert_uint_eq(warnings(), 1);
	ck_assert_err(record_each(&records, &call, &any, NULL, never, NULL), BULLA_E_STORE_DAMAGED);
	ck_assert_ok(record_remove_all(&records, &call, &any));
	ck_assert_ok(record_list(&records, &call, &any, &names, &count));
	ck_assert_uint_eq(count, 0);
}
END_TEST

/* ---- what ends ------------------------------------------------------------------------------------------------------------------- */

static bool is_stored(const struct record_kind *kind)
{
	const struct document_name name = { kind->name, bulla_str("scope"), bulla_str("a") };
	struct document document;
	enum bulla_err err = document_get(&records.documents, &call, &name, &document);

	ck_assert(err == BULLA_OK || err == BULLA_E_NOT_FOUND);
	return err == BULLA_OK;
}

/* Whether it is filed under the minute of that end. */
static bool is_filed(int64_t end_ns)
{
	static const struct due_kind row = { .entry = "ends-due" };
	const struct document_name name = { "ends", bulla_str("scope"), bulla_str("a") };
	struct store_id id, slot;

	ck_assert_ok(document_slot(&records.documents, &name, &id));
	ck_assert_ok(due_slot(&row, seal, due_minute(end_ns / NS_PER_S), bulla_mem(id.bytes, sizeof id.bytes), &slot));
	return is_in_store(&slot);
}

static void tick_at(int64_t at_ns)
{
	now_ns = at_ns;
	ck_assert_ok(records_tick(&records, &call));
}

START_TEST(ended)
{
	int64_t end_ns = now_ns + MINUTE_NS;

	tick_at(now_ns);
	set(&ends, 1, end_ns);
	ck_assert(is_filed(end_ns));
	ck_assert_int_eq(number(&ends), 1);
	now_ns = end_ns - 1;
	ck_assert_int_eq(number(&ends), 1);
	now_ns = end_ns;
	ck_assert_int_eq(number(&ends), 0); /* the kept one as well */
	tick_at(end_ns);
	ck_assert(is_stored(&ends));
	tick_at(end_ns + MINUTE_NS);
	ck_assert(!is_stored(&ends));
	ck_assert(!is_filed(end_ns));
}
END_TEST

/* It is filed where it ends now, and nowhere else. */
START_TEST(prolonged)
{
	int64_t first_ns = now_ns + MINUTE_NS, second_ns = now_ns + 20 * MINUTE_NS;

	tick_at(now_ns);
	set(&ends, 1, first_ns);
	set(&ends, 2, first_ns + 1);
	ck_assert(is_filed(first_ns));
	set(&ends, 3, second_ns);
	ck_assert(!is_filed(first_ns));
	ck_assert(is_filed(second_ns));
	tick_at(first_ns + 2 * MINUTE_NS);
	ck_assert_int_eq(number(&ends), 3);
	set(&ends, 4, 0);
	ck_assert(!is_filed(second_ns));
	tick_at(second_ns + 2 * MINUTE_NS);
	ck_assert_int_eq(number(&ends), 4);
}
END_TEST

START_TEST(made_anew)
{
	const struct record_name name = named(&ends, "a");
	struct wish wish = { .number = 2 };
	int64_t end_ns = now_ns + MINUTE_NS;

	tick_at(now_ns);
	set(&ends, 1, end_ns);
	ck_assert_ok(record_remove(&records, &call, &name));
	ck_assert(!is_filed(end_ns));
	ck_assert(!is_stored(&ends));
	set(&ends, 1, end_ns);
	now_ns = end_ns; /* ended, and not deleted yet: there is none, and what is stored is no obstacle */
	wish.end_ns = end_ns + 5 * MINUTE_NS;
	ck_assert_ok(set_thing(&ends, &wish));
	ck_assert_uint_eq(wish.saw, 0);
	ck_assert(!is_filed(end_ns));
	tick_at(end_ns + 2 * MINUTE_NS);
	ck_assert_int_eq(number(&ends), 2);
}
END_TEST

/* Nobody knows where a damaged one is filed: the entry stays, hinders no other, and goes in its time. */
START_TEST(damaged_end)
{
	const struct record_name name = named(&ends, "a");
	int64_t end_ns = now_ns + MINUTE_NS;

	tick_at(now_ns);
	set(&ends, 1, end_ns);
	spoil(&ends, "a");
	ck_assert_ok(record_remove(&records, &call, &name));
	ck_assert(is_filed(end_ns));
	set(&ends, 2, end_ns);
	ck_assert_int_eq(number(&ends), 2);
	spoil(&ends, "a");
	tick_at(end_ns + MINUTE_NS);
	ck_assert(!is_filed(end_ns));
	ck_assert(is_stored(&ends));
}
END_TEST

/* The clock is set back while its minute is looked into: what has not ended stays where it is filed. */
static enum bulla_err back_get(struct store *of, struct bulla_call *c, const struct store_id *id, struct store_record *out)
{
	now_ns = 30000000 * MINUTE_NS;
	return real->get(of, c, id, out);
}

START_TEST(set_back)
{
	int64_t end_ns = now_ns + MINUTE_NS;

	tick_at(now_ns);
	set(&ends, 1, end_ns);
	real = store->ops;
	hooked = *real;
	hooked.get = back_get;
	store->ops = &hooked;
	tick_at(end_ns + MINUTE_NS);
	store->ops = real;
	ck_assert_int_lt(now_ns, end_ns);
	ck_assert_int_eq(number(&ends), 1);
	ck_assert(is_filed(end_ns));
	tick_at(end_ns + 2 * MINUTE_NS);
	ck_assert(!is_stored(&ends));
}
END_TEST

/* Of many in one minute, one that another node prolongs meanwhile stays, and the others go. */
static bool prolongs;

static enum bulla_err prolonging_get(struct store *of, struct bulla_call *c, const struct store_id *id, struct store_record *out)
{
	const struct record_name name = named(&ends, "a");
	struct store_id slot;
	enum bulla_err err = real->get(of, c, id, out);
	const struct document_name document = { "ends", name.scope, name.item };

	ck_assert_ok(document_slot(&records.documents, &document, &slot));
	if (!prolongs || memcmp(&slot, id, sizeof slot) != 0)
		return err;
	prolongs = false;
	set_elsewhere(&ends, "a", 7); /* anew, without an end */
	return err;
}

static enum bulla_err end_step(struct bulla_call *c, void *record, void *context)
{
	(void)c;
	((struct thing *)record)->end_ns = *(int64_t *)context;
	return BULLA_OK;
}

START_TEST(prolonged_meanwhile)
{
	const struct record_name any = named(&ends, "");
	int64_t end_ns = now_ns + MINUTE_NS;
	struct bulla_bytes *names;
	size_t count;

	tick_at(now_ns);
	for (const char *item = "abcdef"; *item != '\0'; item++) {
		char text[] = { *item, '\0' };
		const struct record_name name = named(&ends, text);

		ck_assert_ok(record_change(&records, &call, &name, end_step, &end_ns));
	}
	real = store->ops;
	hooked = *real;
	hooked.get = prolonging_get;
	prolongs = true;
	store->ops = &hooked;
	tick_at(end_ns + MINUTE_NS);
	store->ops = real;
	ck_assert(!prolongs);
	ck_assert_int_eq(number_by(record_read, &ends), 7);
	now_ns -= 5 * MINUTE_NS; /* what was not deleted would be seen */
	ck_assert_ok(record_list(&records, &call, &any, &names, &count));
	ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(unnamed_end)
{
	static const struct record_kind unnamed = { .name = "unnamed", THING, .end_ns = end_of, .due = "u", .due_from = "v" };
	struct wish wish = { .number = 1, .end_ns = now_ns + 1 };

	ck_assert_err(set_thing(&unnamed, &wish), BULLA_E_INTERNAL);
	ck_assert(!is_stored(&unnamed));
}
END_TEST

/* ---- sealed ------------------------------------------------------------------------------------------------------------------------- */

START_TEST(sealed)
{
	const struct record_name name = named(&kept, "a");
	struct wish wish = { .number = 1 };
	struct thing thing;

	set(&kept, 1, 0);
	ck_assert_int_eq(number_by(record_get, &kept), 1);
	ck_assert_ok(seal_close(seal));
	records_forget(&records);
	seal_forget(seal);
	ck_assert_err(record_get(&records, &call, &name, &thing), BULLA_E_SEALED);
	ck_assert_err(set_thing(&kept, &wish), BULLA_E_SEALED);
	ck_assert_uint_eq(snapshots_bytes(&records.cache), 0);
}
END_TEST

/* ---- two nodes at the same time ------------------------------------------------------------------------------------------------------- */

#define ROUNDS 150

static enum bulla_err add_step(struct bulla_call *c, void *record, void *context)
{
	(void)c, (void)context;
	((struct thing *)record)->number++;
	return BULLA_OK;
}

static void *add(void *context)
{
	const struct record_name name = named(&kept, "a");

	for (int i = 0; i < ROUNDS; i++) {
		struct bulla_call c = call_begin();

		ck_assert_ok(record_change(context, &c, &name, add_step, NULL));
		call_end(&c);
	}
	return NULL;
}

static atomic_bool done;

static void tell(const struct store_id *id, enum store_news news, void *context)
{
	(void)news;
	records_changed(context, id);
}

/* Follows the other node, and reads: what is kept never becomes less. */
static void *follow(void *context)
{
	const struct record_name name = named(&kept, "a");
	struct records *of = context;
	int64_t least = 0, asked_ns;

	while (!atomic_load(&done)) {
		struct bulla_call c = call_begin();
		struct thing thing;

		ck_assert_ok(store_changes(of->documents.store, &c, tell, of, &asked_ns));
		ck_assert_ok(record_get(of, &c, &name, &thing));
		ck_assert_int_ge(thing.number, least);
		least = thing.number;
		call_end(&c);
	}
	return NULL;
}

START_TEST(both)
{
	struct records *const of[] = { &records, &others };
	const struct record_name name = named(&kept, "a");
	pthread_t threads[4], followers[2];
	int64_t asked_ns;
	struct thing thing;

	set(&kept, 0, 0);
	atomic_store(&done, false);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&followers[i], NULL, follow, of[i]), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, add, of[i % 2]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&done, true);
	for (int i = 0; i < 2; i++)
		pthread_join(followers[i], NULL);
	for (int i = 0; i < 2; i++) {
		ck_assert_ok(store_changes(of[i]->documents.store, &call, tell, of[i], &asked_ns));
		ck_assert_ok(record_get(of[i], &call, &name, &thing));
		ck_assert_int_eq(thing.number, 4 * ROUNDS);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state_records");
	TCase *t = tcase_create("records");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, damaged);
	tcase_add_test(t, damaged_is_replaced);
	tcase_add_test(t, always_later);
	tcase_add_test(t, begun_anew);
	tcase_add_test(t, changed);
	tcase_add_test(t, together);
	tcase_add_test(t, from_memory);
	tcase_add_test(t, told);
	tcase_add_test(t, told_while_it_is_read);
	tcase_add_test(t, failing_commit);
	tcase_add_test(t, bounded);
	tcase_add_test(t, listed);
	tcase_add_test(t, sealed);
	suite_add_tcase(s, t);
	t = tcase_create("ends");
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, ended);
	tcase_add_test(t, prolonged);
	tcase_add_test(t, made_anew);
	tcase_add_test(t, damaged_end);
	tcase_add_test(t, set_back);
	tcase_add_test(t, prolonged_meanwhile);
	tcase_add_test(t, unnamed_end);
	suite_add_tcase(s, t);
	t = tcase_create("both");
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, both);
	suite_add_tcase(s, t);
	return unit_main(s);
}
