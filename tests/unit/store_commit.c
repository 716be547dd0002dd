/* Compare-and-set, atomic batches, group commit, a full disk. Each case runs on a file and in memory. */
#include "store_cases.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

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
	uint64_t sequence = 77, revision;

	ck_assert_ok(store_commit(store, &call, good, 2, &sequence));
	uint64_t first = sequence;

	ck_assert_err(store_commit(store, &call, bad, 4, &sequence), BULLA_E_CONFLICT);
	ck_assert_uint_eq(sequence, first);
	ck_assert_str_eq(text_of(store, id_of(1, 1), &revision), "a");
	ck_assert_uint_eq(revision, 1);
	ck_assert_str_eq(text_of(store, id_of(1, 2), NULL), "b");
	ck_assert_ptr_null(text_of(store, id_of(1, 3), NULL));
	ck_assert_ok(store_commit(store, &call, &good[0], 1, &sequence) == BULLA_E_CONFLICT ? BULLA_OK : BULLA_E_INTERNAL);
	ck_assert_ok(store_commit(store, &call, bad, 3, &sequence));
	ck_assert_uint_eq(sequence, first + 1);
	ck_assert_err(store_commit(store, &call, good, 0, &sequence), BULLA_E_INTERNAL);
	call.may_block = false;
	ck_assert_err(store_commit(store, &call, good, 2, &sequence), BULLA_E_MUST_BLOCK);
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
	struct store_write write = { id_of(1, 1), STORE_PUT, 0, bulla_mem(bytes, n) };

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
static uint64_t sequences[THREADS][ROUNDS];

/* Each thread writes records of its own (always good) and increments one that all share (sometimes a conflict). */
static void *writer(void *context)
{
	unsigned me = (unsigned)(uintptr_t)context;
	struct bulla_call call = call_begin();

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct store_write own = put(id_of(10 + me, i), 0, "mine");
		uint64_t revision = 0;
		struct store_record record;

		ck_assert_ok(store_commit(store, &call, &own, 1, &sequences[me][i]));
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

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

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
	qsort(sequences, THREADS * ROUNDS, sizeof(uint64_t), by_value);
	for (unsigned i = 1; i < THREADS * ROUNDS; i++)
		ck_assert_uint_lt((&sequences[0][0])[i - 1], (&sequences[0][0])[i]);
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

static char kilobytes[16385];

/* Writes until it is full, checks that all the rest works, deletes, writes again. */
static void fill_and_recover(void)
{
	unsigned i = 1;
	enum bulla_err err = BULLA_OK;
	struct bulla_call call = call_begin();

	memset(kilobytes, 'k', sizeof kilobytes - 1);
	ck_assert_ok(commit_one(store, put(id_of(1, 0), 0, "first")));
	while (err == BULLA_OK && i < 1000)
		err = commit_one(store, put(id_of(2, i++), 0, kilobytes));
	ck_assert_err(err, BULLA_E_STORE_FULL);
	i--;
	ck_assert_uint_gt(i, 3);
	for (unsigned again = 0; again < 3; again++) {
		struct store_write pair[] = { put(id_of(1, 0), 1, "changed"), put(id_of(2, i), 0, kilobytes) };

		ck_assert_err(store_commit(store, &call, pair, 2, NULL), BULLA_E_STORE_FULL);
		ck_assert_str_eq(text_of(store, id_of(1, 0), NULL), "first");
		ck_assert_ptr_null(text_of(store, id_of(2, i), NULL));
	}
	call_end(&call);
}

static void recover(void)
{
	struct bulla_call call = call_begin();

	for (unsigned i = 1; i < 4; i++)
		ck_assert_ok(commit_one(store, del(id_of(2, i), 1)));
	ck_assert_ok(store_scrub(store, &call));
	ck_assert_ok(commit_one(store, put(id_of(2, 1), 0, kilobytes)));
	ck_assert_ok(commit_one(store, put(id_of(1, 0), 1, "changed")));
	call_end(&call);
}

START_TEST(full_by_limit)
{
	char *path = _i == 0 ? file : NULL;

	store_close(store);
	ck_assert_ok(open_at(path, 400000, &store));
	fill_and_recover();
	recover();
	if (path == NULL)
		return;
	store_close(store);
	ck_assert_ok(open_at(file, 400000, &store));
	ck_assert_str_eq(text_of(store, id_of(1, 0), NULL), "changed");
}
END_TEST

/* The kernel refuses to let the log grow. */
START_TEST(full_by_kernel)
{
	struct rlimit old, limit;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){ 400000, old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	fill_and_recover();
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	recover();
	store_close(store);
	ck_assert_ok(open_at(file, 0, &store));
	ck_assert_str_eq(text_of(store, id_of(1, 0), NULL), "changed");
}
END_TEST

/* The log may not grow, but it can be emptied into the file: one record that is written again and again never fills the disk. */
START_TEST(full_log_is_emptied)
{
	struct rlimit old, limit;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){ 100000, old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned i = 0; i < 200; i++)
		ck_assert_ok(commit_one(store, put(id_of(1, 1), i, "text")));
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
}
END_TEST

/* A batch that is too large for the disk fails alone, whoever shares its group. */
static void *too_large(void *context)
{
	struct bulla_call call = call_begin();
	size_t n = 1 << 20;
	uint8_t *bytes = calloc(1, n);
	struct store_write write = { id_of(3, (unsigned)(uintptr_t)context), STORE_PUT, 0, bulla_mem(bytes, n) };

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

/* ---- what was deleted is in no file ------------------------------------------------ */

static bool file_holds(const char *suffix, const char *needle)
{
	char path[128];
	static uint8_t bytes[1 << 20];

	snprintf(path, sizeof path, "%s%s", file, suffix);
	FILE *f = fopen(path, "rb");

	if (f == NULL)
		return false;
	size_t n = fread(bytes, 1, sizeof bytes, f);

	fclose(f);
	for (size_t i = 0; i + strlen(needle) <= n; i++)
		if (memcmp(bytes + i, needle, strlen(needle)) == 0)
			return true;
	return false;
}

START_TEST(scrub)
{
	static const char needle[] = "a needle that nothing else contains";
	struct bulla_call call = call_begin();

	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, needle)));
	ck_assert_ok(commit_one(store, put(id_of(1, 2), 0, "stays")));
	ck_assert(file_holds("", needle) || file_holds("-wal", needle));
	ck_assert_ok(store_scrub(store, &call));
	ck_assert(file_holds("", needle));
	ck_assert_ok(commit_one(store, del(id_of(1, 1), 1)));
	ck_assert_ok(store_scrub(store, &call));
	ck_assert(!file_holds("", needle) && !file_holds("-wal", needle));
	ck_assert_str_eq(text_of(store, id_of(1, 2), NULL), "stays");
	call_end(&call);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/commit");

	for (int memory = 0; memory < 2; memory++) {
		TCase *tc = tcase_create(memory ? "in memory" : "on a file");

		tcase_set_timeout(tc, 120);
		tcase_add_checked_fixture(tc, memory ? set_up_memory : set_up_file, tear_down);
		tcase_add_test(tc, compare_and_set);
		tcase_add_test(tc, all_or_none);
		tcase_add_test(tc, scan);
		tcase_add_test(tc, large_record);
		tcase_add_loop_test(tc, many_writers, memory, memory + 1);
		tcase_add_test(tc, read_beside_writer);
		tcase_add_loop_test(tc, full_by_limit, memory, memory + 1);
		tcase_add_loop_test(tc, full_alone, memory, memory + 1);
		if (!memory) {
			tcase_add_test(tc, full_by_kernel);
			tcase_add_test(tc, full_log_is_emptied);
			tcase_add_test(tc, scrub);
		}
		suite_add_tcase(suite, tc);
	}
	return unit_main(suite);
}
