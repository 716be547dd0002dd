/* What store.h promises, of every backend: each case runs on a file and in memory. */
#include "store_cases.h"

#include <pthread.h>
#include <stdatomic.h>

#include "bulla/clock.h"

START_TEST(compare_and_set)
{
	struct store_id id = id_of(1, 1);
	uint64_t revision = 0;

	ck_assert_ptr_null(text_of(store, id, NULL));
	ck_assert_err(commit_one(store, put(id, 1, "one")), BULLA_E_CONFLICT);
	ck_assert_err(commit_one(store, del(id, 1)), BULLA_E_CONFLICT);
	ck_assert_err(commit_one(store, put(id, STORE_ANY_REVISION, "one")), BULLA_E_INTERNAL);
	ck_assert_ptr_null(text_of(store, id, NULL));

	ck_assert_ok(commit_one(store, put(id, 0, "one")));
	ck_assert_str_eq(text_of(store, id, &revision), "one");
	ck_assert_uint_eq(revision, 1);
	ck_assert_err(commit_one(store, put(id, 0, "two")), BULLA_E_CONFLICT);
	ck_assert_err(commit_one(store, put(id, 2, "two")), BULLA_E_CONFLICT);
	ck_assert_err(commit_one(store, put(id, UINT64_MAX - 1, "two")), BULLA_E_CONFLICT);
	ck_assert_err(commit_one(store, del(id, 0)), BULLA_E_CONFLICT);
	ck_assert_err(commit_one(store, del(id, 2)), BULLA_E_CONFLICT);
	ck_assert_ok(commit_one(store, put(id, 1, "two")));
	ck_assert_str_eq(text_of(store, id, &revision), "two");
	ck_assert_uint_eq(revision, 2);
	ck_assert_ok(commit_one(store, del(id, 2)));
	ck_assert_ptr_null(text_of(store, id, NULL));
	ck_assert_ok(commit_one(store, del(id, 0)));
	ck_assert_ok(commit_one(store, del(id, STORE_ANY_REVISION)));
	ck_assert_ok(commit_one(store, put(id, 0, "")));
	ck_assert_str_eq(text_of(store, id, &revision), "");
	ck_assert_ok(commit_one(store, del(id, STORE_ANY_REVISION)));
	ck_assert_ptr_null(text_of(store, id, NULL));
}
END_TEST

START_TEST(all_or_none)
{
	struct bulla_call call = call_begin();
	struct store_write good[] = { put(id_of(1, 1), 0, "a"), put(id_of(1, 2), 0, "b") };
	struct store_write bad[] = { put(id_of(1, 1), 1, "x"), put(id_of(1, 3), 0, "y"), del(id_of(1, 2), 1), put(id_of(1, 2), 7, "z") };
	struct store_stamp stamp = { 7, 77 };
	uint64_t revision;

	ck_assert_ok(store_commit(store, &call, good, 2, &stamp));
	struct store_stamp first = stamp;

	ck_assert_err(store_commit(store, &call, bad, 4, &stamp), BULLA_E_CONFLICT);
	ck_assert_mem_eq(&stamp, &first, sizeof stamp);
	ck_assert_str_eq(text_of(store, id_of(1, 1), &revision), "a");
	ck_assert_uint_eq(revision, 1);
	ck_assert_str_eq(text_of(store, id_of(1, 2), NULL), "b");
	ck_assert_ptr_null(text_of(store, id_of(1, 3), NULL));
	ck_assert_ok(store_commit(store, &call, &good[0], 1, &stamp) == BULLA_E_CONFLICT ? BULLA_OK : BULLA_E_INTERNAL);
	ck_assert_ok(store_commit(store, &call, bad, 3, &stamp));
	ck_assert_uint_eq(stamp.writer, first.writer);
	ck_assert_uint_eq(stamp.sequence, first.sequence + 1);
	ck_assert_err(store_commit(store, &call, good, 0, &stamp), BULLA_E_INTERNAL);
	call.may_block = false;
	ck_assert_err(store_commit(store, &call, good, 2, &stamp), BULLA_E_MUST_BLOCK);
	ck_assert_err(store_scrub(store, &call), BULLA_E_MUST_BLOCK);
	call_end(&call);
}
END_TEST

struct seen {
	unsigned count, stop_at;
	uint8_t last[32];
	size_t bytes;
};

static enum bulla_err look(const struct store_record *record, void *context)
{
	struct seen *seen = context;

	ck_assert_int_lt(memcmp(seen->last, record->id.bytes, 32), 0);
	memcpy(seen->last, record->id.bytes, 32);
	seen->bytes += record->bytes.len;
	ck_assert_uint_eq(record->revision, 1);
	return ++seen->count == seen->stop_at ? BULLA_E_NOT_FOUND : BULLA_OK;
}

START_TEST(scan)
{
	struct bulla_call call = call_begin();
	struct store_id first = id_of(5, 0), last = id_of(5, 0);
	struct seen seen = { 0 };

	memset(last.bytes + 16, 0xff, 16);
	for (unsigned i = 300; i > 0; i--)
		ck_assert_ok(commit_one(store, put(id_of(5, i), 0, "12345")));
	ck_assert_ok(commit_one(store, put(first, 0, "1")));
	ck_assert_ok(commit_one(store, put(last, 0, "1")));
	ck_assert_ok(commit_one(store, put(id_of(4, 65535), 0, "no")));
	ck_assert_ok(commit_one(store, put(id_of(6, 0), 0, "no")));
	seen.last[0] = 4;
	ck_assert_ok(store_scan(store, &call, first.bytes, look, &seen));
	ck_assert_uint_eq(seen.count, 302);
	ck_assert_uint_eq(seen.bytes, 300 * 5 + 2);
	seen = (struct seen){ .stop_at = 3 };
	ck_assert_err(store_scan(store, &call, first.bytes, look, &seen), BULLA_E_NOT_FOUND);
	ck_assert_uint_eq(seen.count, 3);
	seen = (struct seen){ 0 };
	ck_assert_ok(store_scan(store, &call, id_of(9, 0).bytes, look, &seen));
	ck_assert_uint_eq(seen.count, 0);
	ck_assert_ok(commit_one(store, put(id_of(5, 1), 1, "again"))); /* the scan that stopped holds nothing */
	call.may_block = false;
	ck_assert_err(store_scan(store, &call, first.bytes, look, &seen), BULLA_E_MUST_BLOCK);
	call_end(&call);
}
END_TEST

START_TEST(large_record)
{
	struct bulla_call call = call_begin();
	size_t n = 3 << 20;
	uint8_t *bytes = malloc(n);
	struct store_record record;
	struct store_write write = { .id = id_of(1, 1), .change = STORE_PUT, .expected = 0, .bytes = bulla_mem(bytes, n) };

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 9));
	ck_assert_ok(store_commit(store, &call, &write, 1, NULL));
	ck_assert_ok(store_get(store, &call, &write.id, &record));
	ck_assert(bulla_equal(record.bytes, write.bytes));
	free(bytes);
	call_end(&call);
}
END_TEST

/* ---- many threads --------------------------------------------------------------- */
#define THREADS 8
#define ROUNDS 40

static unsigned conflicts[THREADS];
static struct store_stamp stamps[THREADS][ROUNDS];

/* Each thread writes records of its own (always good) and increments one that all share (sometimes a conflict). */
static void *writer(void *context)
{
	unsigned me = (unsigned)(uintptr_t)context;
	struct bulla_call call = call_begin();

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct store_write own = put(id_of(10 + me, i), 0, "mine");
		uint64_t revision = 0;
		struct store_record record;

		ck_assert_ok(store_commit(store, &call, &own, 1, &stamps[me][i]));
		ck_assert_ok(store_get(store, &call, &own.id, &record));
		do {
			struct store_id id = id_of(1, 1);
			enum bulla_err err = store_get(store, &call, &id, &record);

			revision = err == BULLA_OK ? record.revision : 0;
			struct store_write shared[] = { put(id_of(2, me * ROUNDS + i), 0, "proof"), put(id, revision, "shared") };

			err = store_commit(store, &call, shared, 2, NULL);
			if (err == BULLA_OK)
				break;
			ck_assert_err(err, BULLA_E_CONFLICT);
			conflicts[me]++;
		} while (true);
		bulla_arena_reset(call.arena);
	}
	call_end(&call);
	return NULL;
}

static int by_sequence(const void *a, const void *b)
{
	uint64_t x = ((const struct store_stamp *)a)->sequence, y = ((const struct store_stamp *)b)->sequence;

	return (x > y) - (x < y);
}

static enum bulla_err count_one(const struct store_record *record, void *context)
{
	(void)record;
	++*(unsigned *)context;
	return BULLA_OK;
}

START_TEST(many_writers)
{
	pthread_t threads[THREADS];
	struct bulla_call call = call_begin();
	unsigned proofs = 0;
	uint64_t revision = 0;

	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, writer, (void *)(uintptr_t)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_str_eq(text_of(store, id_of(1, 1), &revision), "shared");
	ck_assert_uint_eq(revision, THREADS * ROUNDS); /* no update lost, none doubled */
	ck_assert_ok(store_scan(store, &call, id_of(2, 0).bytes, count_one, &proofs));
	ck_assert_uint_eq(proofs, THREADS * ROUNDS); /* and what was in the batch with it went along */
	qsort(stamps, THREADS * ROUNDS, sizeof(struct store_stamp), by_sequence);
	for (unsigned i = 1; i < THREADS * ROUNDS; i++)
		ck_assert_uint_lt((&stamps[0][0])[i - 1].sequence, (&stamps[0][0])[i].sequence);
	struct store_counts counts = store_counts(store);

	ck_assert_uint_eq(counts.batches, 2 * THREADS * ROUNDS);
	ck_assert_uint_gt(counts.transactions, 0);
	if (_i == 0) /* in memory there is no fsync to wait for */
		ck_assert_msg(counts.transactions < counts.batches, "%ju transactions for %ju batches",
			      (uintmax_t)counts.transactions, (uintmax_t)counts.batches);
	call_end(&call);
}
END_TEST

static atomic_bool stop;

static void *reader(void *unused)
{
	struct bulla_call call = call_begin();
	struct store_record a, b;
	struct store_id first = id_of(1, 1), second = id_of(1, 2);

	(void)unused;
	while (!stop) {
		/* both are always written together: a later read never sees an older state */
		ck_assert_ok(store_get(store, &call, &first, &a));
		ck_assert_ok(store_get(store, &call, &second, &b));
		ck_assert_uint_ge(b.revision, a.revision);
		bulla_arena_reset(call.arena);
	}
	call_end(&call);
	return NULL;
}

START_TEST(read_beside_writer)
{
	pthread_t threads[4];
	struct bulla_call call = call_begin();

	stop = false;
	for (unsigned revision = 0; revision < 60; revision++) {
		struct store_write both[] = { put(id_of(1, 1), revision, "a"), put(id_of(1, 2), revision, "b") };

		ck_assert_ok(store_commit(store, &call, both, 2, NULL));
		for (unsigned i = 0; i < 4 && revision == 0; i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL, reader, NULL), 0);
		if (revision % 20 == 19)
			ck_assert_ok(store_scrub(store, &call));
	}
	stop = true;
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	call_end(&call);
}
END_TEST

/* ---- full ------------------------------------------------------------------------ */

START_TEST(full_by_limit)
{
	char *path = _i == 0 ? file : NULL;

	store_close(store);
	ck_assert_ok(open_at(path, 400000, &store));
	fill();
	recover();
	if (path == NULL)
		return;
	store_close(store);
	ck_assert_ok(open_at(file, 400000, &store));
	ck_assert_str_eq(text_of(store, id_of(1, 0), NULL), "changed");
}
END_TEST

/* A batch that is too large for the disk fails alone, whoever shares its group. */
static void *too_large(void *context)
{
	struct bulla_call call = call_begin();
	size_t n = 1 << 20;
	uint8_t *bytes = calloc(1, n);
	struct store_write write = { .id = id_of(3, (unsigned)(uintptr_t)context), .change = STORE_PUT, .expected = 0, .bytes = bulla_mem(bytes, n) };

	for (unsigned i = 0; i < 20; i++)
		ck_assert_err(store_commit(store, &call, &write, 1, NULL), BULLA_E_STORE_FULL);
	free(bytes);
	call_end(&call);
	return NULL;
}

static void *small(void *context)
{
	for (unsigned i = 0; i < 40; i++)
		ck_assert_ok(commit_one(store, put(id_of(4 + (unsigned)(uintptr_t)context, i), 0, "small")));
	return NULL;
}

START_TEST(full_alone)
{
	pthread_t threads[4];

	store_close(store);
	ck_assert_ok(open_at(_i == 0 ? file : NULL, 400000, &store));
	for (uintptr_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, i % 2 ? too_large : small, (void *)i), 0);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

/* ---- checks, first revisions, snapshots ----------------------------------------------- */

static struct store_write check(struct store_id id, uint64_t expected)
{
	return (struct store_write){ .id = id, .change = STORE_CHECK, .expected = expected };
}

START_TEST(checks)
{
	struct bulla_call call = call_begin();
	struct store_id guard = id_of(1, 1);
	struct store_write absent[] = { check(guard, 0), put(id_of(1, 2), 0, "a") }, present[] = { put(id_of(1, 2), 1, "b"), check(guard, 2) };
	uint64_t revision;

	ck_assert_ok(store_commit(store, &call, absent, 2, NULL));
	ck_assert_err(store_commit(store, &call, present, 2, NULL), BULLA_E_CONFLICT);
	ck_assert_str_eq(text_of(store, id_of(1, 2), NULL), "a"); /* the write before the check was not done */
	ck_assert_ok(commit_one(store, put(guard, 0, "one")));
	ck_assert_err(store_commit(store, &call, absent, 1, NULL), BULLA_E_CONFLICT);
	ck_assert_err(store_commit(store, &call, present, 2, NULL), BULLA_E_CONFLICT);
	ck_assert_ok(commit_one(store, put(guard, 1, "two")));
	ck_assert_ok(store_commit(store, &call, present, 2, NULL));
	ck_assert_str_eq(text_of(store, guard, &revision), "two"); /* and the check changes nothing */
	ck_assert_uint_eq(revision, 2);
	ck_assert_err(commit_one(store, check(guard, 1)), BULLA_E_CONFLICT);
	ck_assert_ok(commit_one(store, check(guard, STORE_ANY_REVISION)));
	ck_assert_err(commit_one(store, check(id_of(1, 9), STORE_ANY_REVISION)), BULLA_E_CONFLICT);
	ck_assert_ok(commit_one(store, del(guard, 2)));
	ck_assert_err(store_commit(store, &call, present + 1, 1, NULL), BULLA_E_CONFLICT);
	call_end(&call);
}
END_TEST

START_TEST(one_batch_in_order)
{
	struct bulla_call call = call_begin();
	struct store_write writes[] = { put(id_of(1, 1), 0, "a"), put(id_of(1, 1), 1, "b"), del(id_of(1, 1), 2), put(id_of(1, 1), 0, "c"),
					check(id_of(1, 1), 1), del(id_of(1, 2), STORE_ANY_REVISION) };

	ck_assert_ok(store_commit(store, &call, writes, 6, NULL));
	ck_assert_str_eq(text_of(store, id_of(1, 1), NULL), "c");
	ck_assert_err(store_commit(store, &call, writes + 1, 1, NULL) == BULLA_OK ? store_commit(store, &call, writes, 6, NULL) : BULLA_OK,
		      BULLA_E_CONFLICT);
	ck_assert_str_eq(text_of(store, id_of(1, 1), NULL), "b");
	call_end(&call);
}
END_TEST

/* Who saw a record that was deleted and made again does not take the new one for it. */
START_TEST(begun_anew)
{
	struct store_id id = id_of(1, 1);
	struct store_write writes[3] = { put(id, 0, "a"), put(id, 0, "b"), put(id, 5, "c") };
	uint64_t revision = 0;

	for (unsigned i = 0; i < 3; i++)
		ck_assert_ok(store_begin_anew(&writes[i]));
	ck_assert_uint_eq(store_revision(&writes[2]), 6); /* as before: it is no creation */
	ck_assert_uint_ne(store_revision(&writes[0]), store_revision(&writes[1]));
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_gt(store_revision(&writes[i]), 0);
		ck_assert_uint_lt(store_revision(&writes[i]), UINT64_C(1) << 62);
		ck_assert_ok(commit_one(store, writes[i]));
		ck_assert_ptr_nonnull(text_of(store, id, &revision));
		ck_assert_uint_eq(revision, store_revision(&writes[i]));
		ck_assert_ok(commit_one(store, put(id, revision, "next")));
		ck_assert_ptr_nonnull(text_of(store, id, &revision));
		ck_assert_uint_eq(revision, store_revision(&writes[i]) + 1);
		ck_assert_ok(commit_one(store, del(id, revision)));
		ck_assert_err(commit_one(store, put(id, revision, "late")), BULLA_E_CONFLICT);
	}
}
END_TEST

static enum bulla_err note(const struct store_record *record, void *context)
{
	char *text = context;

	ck_assert_uint_gt(record->stamp.writer, 0);
	ck_assert_uint_gt(record->stamp.sequence, 0);
	sprintf(text + strlen(text), "%u.%u=%.*s ", record->id.bytes[0], record->id.bytes[31], (int)record->bytes.len, record->bytes.ptr);
	return BULLA_OK;
}

START_TEST(spans)
{
	struct bulla_call call = call_begin();
	const struct store_span asked[] = { { id_of(3, 2), id_of(3, 3) }, { id_of(1, 1), id_of(1, 1) }, { id_of(2, 0), id_of(2, 65535) },
					    { id_of(9, 2), id_of(9, 1) } };
	char text[256] = "";

	for (unsigned i = 1; i < 5; i++)
		for (unsigned j = 1; j < 5; j++)
			ck_assert_ok(commit_one(store, put(id_of(i, j), 0, j % 2 ? "odd" : "even")));
	ck_assert_ok(store_read(store, &call, asked, 4, note, text));
	ck_assert_str_eq(text, "3.2=even 3.3=odd 1.1=odd 2.1=odd 2.2=even 2.3=odd 2.4=even ");
	text[0] = 0;
	ck_assert_ok(store_read(store, &call, asked, 0, note, text));
	ck_assert_str_eq(text, "");
	struct seen seen = { .stop_at = 2, .last = { 0 } };

	ck_assert_err(store_read(store, &call, asked, 1, look, &seen), BULLA_E_NOT_FOUND);
	ck_assert_ok(commit_one(store, put(id_of(3, 2), 1, "again"))); /* what stopped holds nothing */
	call.may_block = false;
	ck_assert_err(store_read(store, &call, asked, 4, note, text), BULLA_E_MUST_BLOCK);
	call_end(&call);
}
END_TEST

static enum bulla_err intrude(const struct store_record *record, void *context)
{
	struct bulla_call c = call_begin();
	struct store_write write = put(id_of(8, 8), 0, "x");
	struct store_record again;

	(void)context;
	ck_assert(store_is_visiting());
	ck_assert_err(store_get(store, &c, &record->id, &again), BULLA_E_INTERNAL);
	ck_assert_err(store_commit(store, &c, &write, 1, NULL), BULLA_E_INTERNAL);
	ck_assert_err(store_scan(store, &c, record->id.bytes, look, NULL), BULLA_E_INTERNAL);
	call_end(&c);
	return BULLA_OK;
}

/* Who is visited holds what the store needs: it says no rather than wait for itself. */
/* A revision has to fit a signed number, whoever keeps it. */
START_TEST(revisions_fit)
{
	struct store_write write = put(id_of(1, 1), 0, "x");
	uint64_t revision;

	write.first = (uint64_t)INT64_MAX + 1;
	ck_assert_err(commit_one(store, write), BULLA_E_INTERNAL);
	write.first = UINT64_MAX;
	ck_assert_err(commit_one(store, write), BULLA_E_INTERNAL);
	write.first = INT64_MAX;
	ck_assert_ok(commit_one(store, write));
	ck_assert_str_eq(text_of(store, id_of(1, 1), &revision), "x");
	ck_assert_uint_eq(revision, INT64_MAX);
	ck_assert_err(commit_one(store, put(id_of(1, 1), INT64_MAX, "y")), BULLA_E_INTERNAL);
	ck_assert_ok(commit_one(store, del(id_of(1, 1), INT64_MAX)));
}
END_TEST

START_TEST(visitors_stay_out)
{
	struct bulla_call call = call_begin();

	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, "x")));
	ck_assert_ok(store_scan(store, &call, id_of(1, 0).bytes, intrude, NULL));
	ck_assert(!store_is_visiting());
	ck_assert_ok(commit_one(store, put(id_of(8, 8), 0, "x")));
	call_end(&call);
}
END_TEST

static enum bulla_err same_revision(const struct store_record *record, void *context)
{
	uint64_t *revision = context;

	ck_assert(*revision == 0 || *revision == record->revision);
	*revision = record->revision;
	return BULLA_OK;
}

static void *span_reader(void *unused)
{
	struct bulla_call call = call_begin();
	const struct store_span both[] = { { id_of(5, 1), id_of(5, 1) }, { id_of(4, 1), id_of(4, 1) } };

	(void)unused;
	while (!stop) {
		uint64_t revision = 0;

		ck_assert_ok(store_read(store, &call, both, 2, same_revision, &revision));
		bulla_arena_reset(call.arena);
	}
	call_end(&call);
	return NULL;
}

START_TEST(spans_of_one_moment)
{
	pthread_t threads[3];
	struct bulla_call call = call_begin();

	stop = false;
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, span_reader, NULL), 0);
	for (unsigned revision = 0; revision < 200; revision++) {
		struct store_write both[] = { put(id_of(4, 1), revision, "a"), put(id_of(5, 1), revision, "b") };

		ck_assert_ok(store_commit(store, &call, both, 2, NULL));
	}
	stop = true;
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	call_end(&call);
}
END_TEST

/* ---- many records, in any order: against a plain list -------------------------------------- */

#define MANY 3000

START_TEST(many_records)
{
	struct bulla_call call = call_begin();
	static bool there[MANY];
	uint32_t state = 1;

	memset(there, 0, sizeof there);
	for (unsigned round = 0; round < (_i == 0 ? 40u : 400u); round++) {
		struct store_write writes[64];

		for (unsigned i = 0; i < 64; i++) {
			state = state * 1103515245 + 12345;
			unsigned at = (state >> 8) % (round % 2 ? MANY : MANY / 8);

			writes[i] = there[at] ? del(id_of(7, at), STORE_ANY_REVISION) : put(id_of(7, at), 0, "x");
			there[at] = !there[at];
		}
		ck_assert_ok(store_commit(store, &call, writes, 64, NULL));
	}
	unsigned expected = 0, found = 0;

	for (unsigned i = 0; i < MANY; i++) {
		expected += there[i];
		ck_assert_int_eq(text_of(store, id_of(7, i), NULL) != NULL, there[i]);
	}
	ck_assert_ok(store_scan(store, &call, id_of(7, 0).bytes, count_one, &found));
	ck_assert_uint_eq(found, expected);
	call_end(&call);
}
END_TEST

/* ---- several that share it, and one alone --------------------------------------------------- */

struct told {
	unsigned count, all;
	struct store_id last;
	enum store_news news; /* of it */
};

static void tell(const struct store_id *id, enum store_news news, void *context)
{
	struct told *told = context;

	if (id == NULL) {
		told->all++;
		return;
	}
	told->count++;
	told->last = *id;
	told->news = news;
}

static struct told ask_changes(struct store *of)
{
	struct bulla_call call = call_begin();
	struct told told = { 0 };
	int64_t before = bulla_elapsed_ns(), asked_ns = 0;

	ck_assert_ok(store_changes(of, &call, tell, &told, &asked_ns));
	ck_assert_int_ge(asked_ns, before);
	ck_assert_int_le(asked_ns, bulla_elapsed_ns());
	call_end(&call);
	return told;
}

static struct told changes_of(struct store *of)
{
	struct told told = ask_changes(of);

	store_applied(of);
	return told;
}

START_TEST(alone)
{
	struct bulla_call call = call_begin();
	struct store_write write = put(id_of(1, 1), 0, "a");
	struct store_stamp stamp;
	uint64_t fence = 0;

	ck_assert_ok(store_commit(store, &call, &write, 1, &stamp));
	ck_assert_uint_eq(changes_of(store).count, 0);
	ck_assert(store_is_applied(store, &stamp));
	ck_assert_ok(store_await(store, &call, &stamp, 0));
	ck_assert_ok(store_lease(store, &call, "tidy", 10, &fence));
	ck_assert_ok(store_lease(store, &call, "tidy", 10, &fence));
	ck_assert_uint_eq(fence, 1);
	ck_assert_err(store_lease(store, &call, "a name of more than 31 characters", 10, &fence), BULLA_E_INTERNAL);
	call.may_block = false;
	ck_assert_err(store_lease(store, &call, "tidy", 10, &fence), BULLA_E_MUST_BLOCK);
	ck_assert_err(store_await(store, &call, &stamp, 0), BULLA_E_MUST_BLOCK);
	call_end(&call);
}
END_TEST

static struct bulla_call call_by(struct store_id caller)
{
	struct bulla_call call = call_begin();

	memcpy(call.caller, caller.bytes, sizeof call.caller);
	call.caller_stored = true;
	return call;
}

/* Where nobody else writes, nobody is asked for. */
START_TEST(caller_alone)
{
	struct bulla_call call = call_by(id_of(9, 1));
	struct store_write write = put(id_of(1, 1), 0, "a");

	ck_assert_ok(store_check_caller(store, &call));
	ck_assert_ok(store_commit(store, &call, &write, 1, NULL));
	write = del(id_of(9, 1), STORE_ANY_REVISION);
	ck_assert_ok(store_commit(store, &call, &write, 1, NULL));
	ck_assert(call.caller_stored);
	call_end(&call);
}
END_TEST

START_TEST(not_to_be_shared)
{
	struct bulla_call call = call_begin();
	struct store *other = NULL;

	ck_assert_err(store_share(store, &call, &other), BULLA_E_INTERNAL);
	ck_assert_ptr_null(other);
	call_end(&call);
}
END_TEST

static struct store *other;

static void set_up_shared(void)
{
	struct bulla_call call = call_begin();

	set_up_memory();
	ck_assert_ok(store_share(store, &call, &other));
	call_end(&call);
}

static void tear_down_shared(void)
{
	store_close(other);
	tear_down();
}

static void *write_one(void *number)
{
	ck_assert_ok(commit_one(store, put(id_of(2, (unsigned)(uintptr_t)number), 0, "a")));
	return NULL;
}

START_TEST(changes)
{
	struct bulla_call call = call_begin();
	struct store_write quiet = put(id_of(1, 2), 0, "quiet"), loud = put(id_of(1, 1), 0, "loud"), guard = check(id_of(1, 1), 1);
	struct store_stamp first, second;

	quiet.quiet = true;
	ck_assert_mem_eq(store_identity(store), store_identity(other), sizeof(struct store_identity));
	ck_assert_ok(store_commit(store, &call, &loud, 1, &first));
	ck_assert_str_eq(text_of(other, id_of(1, 1), NULL), "loud");
	ck_assert(store_is_applied(store, &first));
	ck_assert(!store_is_applied(other, &first));
	ck_assert_err(store_await(store, &call, &first, 1), BULLA_E_BUSY);
	ck_assert_uint_eq(changes_of(store).count, 0); /* its own */
	struct told told = ask_changes(other);

	ck_assert_uint_eq(told.count, 1);
	ck_assert_mem_eq(&told.last, &loud.id, sizeof loud.id);
	ck_assert_int_eq(told.news, STORE_MADE);
	ck_assert(!store_is_applied(other, &first)); /* it has been told, and has not said that it is done with it */
	ck_assert_err(store_await(store, &call, &first, 1), BULLA_E_BUSY);
	store_applied(other);
	ck_assert(store_is_applied(other, &first));
	ck_assert_ok(store_await(store, &call, &first, 0));
	ck_assert_uint_eq(changes_of(other).count, 0);
	ck_assert_ok(commit_one(store, quiet));
	ck_assert_ok(commit_one(store, guard));
	ck_assert_err(commit_one(store, put(id_of(1, 1), 7, "refused")), BULLA_E_CONFLICT);
	ck_assert_uint_eq(changes_of(other).count, 0);
	loud = del(id_of(1, 1), 1);
	ck_assert_ok(store_commit(other, &call, &loud, 1, &second));
	ck_assert_uint_ne(second.writer, first.writer);
	ck_assert_uint_eq(second.sequence, 1);
	told = changes_of(store);
	ck_assert_uint_eq(told.count, 1);
	ck_assert_int_eq(told.news, STORE_GONE);
	loud = put(id_of(1, 2), 1, "louder");
	ck_assert_ok(store_commit(other, &call, &loud, 1, &second));
	ck_assert_int_eq(changes_of(store).news, STORE_CHANGED);
	call_end(&call);
}
END_TEST

static unsigned told_since;

/* Who is told may not ask the store; what is written meanwhile is told of the next time. */
static void writes_on(const struct store_id *id, enum store_news news, void *context)
{
	struct bulla_call c = call_begin();
	struct store_record record;
	struct store *more;
	uint64_t fence;

	(void)news, (void)context;
	ck_assert_err(store_get(other, &c, id, &record), BULLA_E_INTERNAL);
	ck_assert_err(store_lease(other, &c, "x", 1, &fence), BULLA_E_INTERNAL);
	ck_assert_err(store_share(other, &c, &more), BULLA_E_INTERNAL);
	call_end(&c);
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, write_one, (void *)(uintptr_t)++told_since), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

START_TEST(changes_end)
{
	struct bulla_call call = call_begin();
	int64_t asked_ns;

	told_since = 0;
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, "a")));
	ck_assert_ok(store_changes(other, &call, writes_on, NULL, &asked_ns));
	ck_assert_uint_eq(told_since, 1);
	ck_assert_ok(store_changes(other, &call, writes_on, NULL, &asked_ns));
	ck_assert_uint_eq(told_since, 2);
	call_end(&call);
}
END_TEST

static enum bulla_err asks(const struct store_record *record, void *context)
{
	struct bulla_call c = call_begin();
	struct store *more;

	(void)context;
	ck_assert(!store_is_applied(other, &record->stamp));
	ck_assert_err(store_share(store, &c, &more), BULLA_E_INTERNAL);
	call_end(&c);
	return BULLA_OK;
}

START_TEST(asked_in_a_visit)
{
	struct bulla_call call = call_begin();

	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, "a")));
	ck_assert_uint_eq(changes_of(other).count, 1);
	ck_assert_ok(store_scan(other, &call, id_of(1, 0).bytes, asks, NULL));
	struct store_record record;
	struct store_id id = id_of(1, 1);

	ck_assert_ok(store_get(other, &call, &id, &record));
	ck_assert(store_is_applied(other, &record.stamp));
	call_end(&call);
}
END_TEST

#define BATCH 40

/* Batches of few writes and of many: none is done once the caller's record is gone, which another handle has seen to. */
START_TEST(caller_is_there)
{
	struct store_id caller = id_of(9, 1);
	struct bulla_call call = call_by(caller);
	struct store_write writes[BATCH];
	struct store_stamp stamp;

	for (unsigned i = 0; i < BATCH; i++)
		writes[i] = put(id_of(1, i), 0, "a");
	size_t count = _i == 0 ? 1 : BATCH;

	ck_assert_ok(commit_one(store, put(caller, 0, "token")));
	ck_assert_ok(store_check_caller(store, &call));
	ck_assert_ok(store_commit(store, &call, writes, count, &stamp));
	ck_assert_uint_eq(stamp.sequence, 2);
	ck_assert_err(store_commit(store, &call, writes, count, &stamp), BULLA_E_CONFLICT); /* the batch's own fault */
	for (unsigned i = 0; i < BATCH; i++)
		writes[i].expected = STORE_ANY_REVISION, writes[i].change = STORE_DELETE;
	ck_assert_ok(commit_one(other, del(caller, 1)));
	ck_assert_err(store_commit(store, &call, writes, count, &stamp), BULLA_E_REVOKED);
	ck_assert_uint_eq(store_last(store).sequence, 2);
	ck_assert_str_eq(text_of(store, id_of(1, 0), NULL), "a");
	writes[0] = del(caller, STORE_ANY_REVISION); /* nor does it end what is over */
	ck_assert_err(store_commit(store, &call, writes, count, &stamp), BULLA_E_REVOKED);
	ck_assert_err(store_check_caller(store, &call), BULLA_E_REVOKED);
	call.caller_stored = false;
	ck_assert_ok(store_check_caller(store, &call));
	ck_assert_ok(store_commit(store, &call, writes, count, &stamp));
	call.may_block = false;
	ck_assert_err(store_check_caller(store, &call), BULLA_E_MUST_BLOCK);
	call_end(&call);
}
END_TEST

/* The batch that deletes it, and those of the same call that follow. One that writes it is like any other. */
START_TEST(caller_ends_himself)
{
	struct store_id caller = id_of(9, 1);
	struct bulla_call call = call_by(caller);
	struct store_write own = put(caller, 1, "renewed"), both[] = { put(id_of(1, 1), 0, "a"), del(caller, 2) }, last = put(id_of(1, 2), 0, "b");

	ck_assert_ok(commit_one(store, put(caller, 0, "token")));
	ck_assert_ok(store_commit(store, &call, &own, 1, NULL));
	ck_assert_err(store_commit(store, &call, &own, 1, NULL), BULLA_E_CONFLICT);
	own = check(caller, 2);
	ck_assert_ok(store_commit(store, &call, &own, 1, NULL));
	ck_assert(call.caller_stored);
	both[1].expected = 1;
	ck_assert_err(store_commit(store, &call, both, 2, NULL), BULLA_E_CONFLICT);
	ck_assert(call.caller_stored);
	both[1].expected = 2;
	ck_assert_ok(store_commit(store, &call, both, 2, NULL));
	ck_assert(!call.caller_stored);
	ck_assert_ok(store_commit(store, &call, &last, 1, NULL));
	call_end(&call);
}
END_TEST

/* Who has not asked for too long is told that all has changed, once. */
START_TEST(changes_lost)
{
	for (unsigned i = 0; i < 20000; i++)
		ck_assert_ok(commit_one(store, put(id_of(1, 1), i, "a")));
	struct told told = changes_of(other);

	ck_assert_uint_eq(told.all, 1);
	ck_assert_uint_eq(told.count, 0);
	ck_assert_ok(commit_one(store, put(id_of(1, 2), 0, "a")));
	told = changes_of(other);
	ck_assert_uint_eq(told.all, 0);
	ck_assert_uint_eq(told.count, 1);
}
END_TEST

static void *follower(void *unused)
{
	(void)unused;
	while (!stop)
		(void)changes_of(other);
	return NULL;
}

/* Whoever waits for the others goes on when they have applied it, or have gone. */
START_TEST(awaited)
{
	struct bulla_call call = call_begin();
	struct store_stamp stamp;
	struct store *third;
	pthread_t thread;

	stop = false;
	ck_assert_int_eq(pthread_create(&thread, NULL, follower, NULL), 0);
	for (unsigned i = 0; i < 300; i++) {
		struct store_write write = put(id_of(1, 1), i, "a");

		ck_assert_ok(store_commit(store, &call, &write, 1, &stamp));
		ck_assert_ok(store_await(store, &call, &stamp, 60000));
		ck_assert(store_is_applied(other, &stamp));
	}
	ck_assert_ok(store_share(other, &call, &third)); /* it has kept nothing yet: what was before does not concern it */
	ck_assert_ok(store_await(store, &call, &stamp, 60000));
	ck_assert_ok(commit_one(other, put(id_of(1, 2), 0, "a")));
	struct store_write last = put(id_of(1, 3), 0, "a");

	ck_assert_ok(store_commit(store, &call, &last, 1, &stamp));
	ck_assert_err(store_await(store, &call, &stamp, 1), BULLA_E_BUSY);
	store_close(third);
	ck_assert_ok(store_await(store, &call, &stamp, 60000));
	stop = true;
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	call_end(&call);
}
END_TEST

START_TEST(leases)
{
	struct bulla_call call = call_begin();
	uint64_t mine = 0, theirs = 0;

	ck_assert_ok(store_lease(store, &call, "tidy", 60, &mine));
	ck_assert_err(store_lease(other, &call, "tidy", 60, &theirs), BULLA_E_BUSY);
	ck_assert_ok(store_lease(other, &call, "trim", 60, &theirs));
	ck_assert_ok(store_lease(store, &call, "tidy", 0, &mine)); /* given back */
	ck_assert_uint_eq(mine, 1);
	ck_assert_ok(store_lease(other, &call, "tidy", 60, &theirs));
	ck_assert_uint_eq(theirs, 2);
	ck_assert_err(store_lease(store, &call, "tidy", 60, &mine), BULLA_E_BUSY);
	for (char name[] = "a"; name[0] < 'a' + 14; name[0]++)
		ck_assert_ok(store_lease(store, &call, name, 60, &mine));
	ck_assert_err(store_lease(store, &call, "one more", 60, &mine), BULLA_E_INTERNAL);
	ck_assert_err(store_lease(store, &call, "", 60, &mine), BULLA_E_INTERNAL);
	call_end(&call);
}
END_TEST

START_TEST(closed_in_any_order)
{
	store_close(store);
	store = NULL;
	ck_assert_ok(commit_one(other, put(id_of(1, 1), 0, "a")));
	ck_assert_str_eq(text_of(other, id_of(1, 1), NULL), "a");
}
END_TEST

START_TEST(too_many_share)
{
	struct bulla_call call = call_begin();
	struct store *more[64];
	unsigned count = 0;

	while (count < 64 && store_share(store, &call, &more[count]) == BULLA_OK)
		count++;
	ck_assert_uint_gt(count, 8);
	ck_assert_uint_lt(count, 64);
	while (count > 0)
		store_close(more[--count]);
	ck_assert_ok(store_share(store, &call, &more[0]));
	store_close(more[0]);
	call_end(&call);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/contract");

	for (int memory = 0; memory < 2; memory++) {
		TCase *tc = tcase_create(memory ? "in memory" : "on a file");

		tcase_set_timeout(tc, 120);
		tcase_add_checked_fixture(tc, memory ? set_up_memory : set_up_file, tear_down);
		tcase_add_test(tc, compare_and_set);
		tcase_add_test(tc, all_or_none);
		tcase_add_test(tc, checks);
		tcase_add_test(tc, one_batch_in_order);
		tcase_add_test(tc, begun_anew);
		tcase_add_test(tc, scan);
		tcase_add_test(tc, spans);
		tcase_add_test(tc, spans_of_one_moment);
		tcase_add_test(tc, visitors_stay_out);
		tcase_add_test(tc, revisions_fit);
		tcase_add_loop_test(tc, many_records, memory, memory + 1);
		tcase_add_test(tc, large_record);
		tcase_add_loop_test(tc, many_writers, memory, memory + 1);
		tcase_add_test(tc, read_beside_writer);
		tcase_add_loop_test(tc, full_by_limit, memory, memory + 1);
		tcase_add_loop_test(tc, full_alone, memory, memory + 1);
		tcase_add_test(tc, alone);
		if (!memory) {
			tcase_add_test(tc, not_to_be_shared);
			tcase_add_test(tc, caller_alone);
		}
		suite_add_tcase(suite, tc);
	}
	TCase *tc = tcase_create("shared");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, set_up_shared, tear_down_shared);
	tcase_add_test(tc, changes);
	tcase_add_loop_test(tc, caller_is_there, 0, 2);
	tcase_add_test(tc, caller_ends_himself);
	tcase_add_test(tc, changes_lost);
	tcase_add_test(tc, changes_end);
	tcase_add_test(tc, asked_in_a_visit);
	tcase_add_test(tc, awaited);
	tcase_add_test(tc, leases);
	tcase_add_test(tc, closed_in_any_order);
	tcase_add_test(tc, too_many_share);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
