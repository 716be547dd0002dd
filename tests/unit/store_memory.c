/* A store whose memory runs out: the n-th allocation that SQLite or the library makes (tests/Makefile.inc) fails, alone or with those that follow it, for each n of a
 * write, a read, a scan and a scrub. Whatever fails says so and changes nothing; as soon as there is memory again everything works,
 * without a restart; and nobody else has got at the file meanwhile. */
#include "store_cases.h"

#include <sqlite3.h>
#include <sys/wait.h>

#include "store/store_sqlite.h"

static sqlite3_mem_methods real;
static long countdown = -1, to_fail, failed;
static bool in_store; /* else what the test itself allocates is spared */

/* Single-threaded, as these tests are. */
static bool fails(void)
{
	if (countdown < 0 || countdown-- > 0)
		return false;
	countdown = 0;
	if (to_fail == 0)
		return false;
	to_fail--;
	failed++;
	return true;
}

static void *give(int n)
{
	return fails() ? NULL : real.xMalloc(n);
}

static void *give_again(void *p, int n)
{
	return fails() ? NULL : real.xRealloc(p, n);
}

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);
extern void *__real_malloc(size_t n);
extern void *__real_calloc(size_t count, size_t n);
extern void *__real_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
	return in_store && fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t count, size_t n)
{
	return in_store && fails() ? NULL : __real_calloc(count, n);
}

void *__wrap_realloc(void *p, size_t n)
{
	return in_store && fails() ? NULL : __real_realloc(p, n);
}

/* The n-th allocation from now on, and count - 1 more, fail. */
static void starve(long n, long count)
{
	countdown = n;
	to_fail = count;
	failed = 0;
}

/* Gives whether any failed. */
static bool feed(void)
{
	countdown = -1;
	return failed > 0;
}

static const long bursts[] = { 1, 2, 5, 20, 1000000 };

/* A batch that updates one record and makes two. */
static enum bulla_err write_batch(unsigned round, uint64_t revision, const char *text)
{
	struct bulla_call call = call_begin();
	struct store_write writes[] = { put(id_of(1, 1), revision, text), put(id_of(2, 2 * round), 0, text), put(id_of(2, 2 * round + 1), 0, text) };
	in_store = true;
	enum bulla_err err = store_commit(store, &call, writes, 3, NULL);

	in_store = false;
	call_end(&call);
	return err;
}

START_TEST(writes)
{
	uint64_t revision = 1, there = 0;
	unsigned round = 0, failures = 0;
	bool more = true;

	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, "first")));
	for (size_t b = 0; b < sizeof bursts / sizeof bursts[0]; b++, more = true) {
		for (long n = 0; more; n++, round++) {
			starve(n, bursts[b]);
			enum bulla_err err = write_batch(round, revision, "starved");

			more = feed();
			ck_assert(more || err == BULLA_OK);
			failures += err != BULLA_OK;
			if (err == BULLA_OK) {
				revision++;
			} else {
				ck_assert_err(err, BULLA_E_NO_MEMORY);
				ck_assert_ptr_null(text_of(store, id_of(2, 2 * round), NULL));
				ck_assert_ptr_null(text_of(store, id_of(2, 2 * round + 1), NULL));
			}
			ck_assert_ptr_nonnull(text_of(store, id_of(1, 1), &there));
			ck_assert_uint_eq(there, revision);
			if (err != BULLA_OK) { /* the very next write */
				ck_assert_ok(write_batch(round, revision++, "fed"));
				ck_assert_str_eq(text_of(store, id_of(2, 2 * round), NULL), "fed");
			}
		}
	}
	ck_assert_uint_gt(failures, _i == 0 ? 20 : 10); /* of those that SQLite makes, there are more */
}
END_TEST

static enum bulla_err count(const struct store_record *record, void *total)
{
	(void)record;
	++*(unsigned *)total;
	return BULLA_OK;
}

START_TEST(reads)
{
	static char large[20000];
	unsigned failures = 0;
	bool more = true;

	memset(large, 'x', sizeof large - 1);
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, large)));
	ck_assert_ok(commit_one(store, put(id_of(1, 2), 0, "small")));
	for (size_t b = 0; b < sizeof bursts / sizeof bursts[0]; b++, more = true) {
		for (long n = 0; more; n++) {
			struct bulla_call call = call_begin();
			struct store_id id = id_of(1, 1);
			struct store_record record = { 0 };
			unsigned total = 0;

			starve(n, bursts[b]);
			enum bulla_err got = store_get(store, &call, &id, &record);
			enum bulla_err scanned = store_scan(store, &call, id.bytes, count, &total);
			enum bulla_err scrubbed = store_scrub(store, &call);

			more = feed();
			failures += (got != BULLA_OK) + (scanned != BULLA_OK);
			ck_assert(got == BULLA_OK ? record.bytes.len == sizeof large - 1 : got == BULLA_E_NO_MEMORY);
			ck_assert(scanned == BULLA_OK ? total == 2 : scanned == BULLA_E_NO_MEMORY);
			ck_assert(scrubbed == BULLA_OK || scrubbed == BULLA_E_NO_MEMORY);
			total = 0;
			ck_assert_ok(store_get(store, &call, &id, &record));
			ck_assert_ok(store_scan(store, &call, id.bytes, count, &total));
			ck_assert_uint_eq(total, 2);
			ck_assert_ok(store_scrub(store, &call));
			call_end(&call);
		}
	}
	(void)failures; /* SQLite's page cache may need none */
}
END_TEST

static bool gets_in_by_sqlite(const char *path)
{
	sqlite3 *db = NULL;
	bool in = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix") != SQLITE_OK ||
		  sqlite3_exec(db, "BEGIN IMMEDIATE; UPDATE meta SET sequence = 0; COMMIT", NULL, NULL, NULL) == SQLITE_OK;

	(void)sqlite3_close(db);
	return in;
}

/* What another process tries, one that shares nothing with this: by the store, and by SQLite itself. 0: neither got in. */
static int intrude(const char *path)
{
	struct bulla_call call = { .arena = bulla_arena_new(4096), .may_block = true }; /* Check is not at work here */
	struct store *other = NULL;
	bool locked = store_open(&(struct store_options){ path, 0 }, &call, &other) == BULLA_E_STORE_LOCKED;

	bulla_arena_free(call.arena);
	return !locked ? 1 : gets_in_by_sqlite(path) ? 2 : 0;
}

static void nobody_gets_in(void)
{
	int status;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(execl("/proc/self/exe", "intruder", file, NULL));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "way in: %d", status);
}

/* What memory alone does not bring about, since ROLLBACK is prepared: a transaction that is left open and cannot be rolled back. */
static void leave_open(void)
{
	struct connection *writer = &sqlite_store(store)->writer;

	ck_assert_int_eq(sqlite3_exec(writer->db, "BEGIN IMMEDIATE; DELETE FROM record", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_finalize(writer->statements[ST_ROLLBACK]), SQLITE_OK);
	writer->statements[ST_ROLLBACK] = NULL;
}

START_TEST(reopened)
{
	uint64_t revision = 1, there, times = 0;
	unsigned failures = 0;
	bool more = true;

	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, "first")));
	for (long n = 0; more; n++) {
		leave_open();
		starve(n, 1 + n % 3 * 1000000);
		enum bulla_err err = commit_one(store, put(id_of(1, 1), revision, "starved"));

		more = feed();
		failures += err != BULLA_OK;
		revision += err == BULLA_OK;
		if (n % 8 == 0)
			nobody_gets_in();
		ck_assert_ptr_nonnull(text_of(store, id_of(1, 1), &there));
		ck_assert_uint_eq(there, revision);
		ck_assert_ok(commit_one(store, put(id_of(1, 1), revision++, "fed")));
		ck_assert_uint_eq(store_counts(store).reopened, ++times);
	}
	ck_assert_uint_gt(failures, 20);
	nobody_gets_in();
	store_close(store);
	ck_assert_ok(open_at(file, 0, &store));
	ck_assert_ptr_nonnull(text_of(store, id_of(1, 1), &there));
	ck_assert_uint_eq(there, revision);
}
END_TEST

/* A store that is closed while its writer is not open loses nothing. */
START_TEST(closed_meanwhile)
{
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, "first")));
	leave_open();
	starve(0, 1000000);
	ck_assert_err(commit_one(store, put(id_of(1, 1), 1, "second")), BULLA_E_NO_MEMORY);
	(void)feed();
	ck_assert_str_eq(text_of(store, id_of(1, 1), NULL), "first");
	store_close(store);
	ck_assert_ok(open_at(file, 0, &store));
	ck_assert_str_eq(text_of(store, id_of(1, 1), NULL), "first");
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 1, "second")));
}
END_TEST

static enum bulla_err four_bytes(void *context, const struct store_stamp *stamp, struct bulla_bytes *out)
{
	(void)context, (void)stamp;
	*out = bulla_str("1234");
	return BULLA_OK;
}

static void nothing(void *context)
{
	(void)context;
}

static void note_nothing(void *context, const struct store_seen *before, const struct store_write *write)
{
	(void)context, (void)before, (void)write;
}

static enum bulla_err check_digest(const struct store_stamp *stamp, struct bulla_bytes digest, void *total)
{
	ck_assert_uint_gt(stamp->sequence, 0);
	ck_assert_bytes(digest, "1234");
	++*(unsigned *)total;
	return BULLA_OK;
}

static enum bulla_err pass_over(const struct store_record *record, void *context)
{
	(void)record, (void)context;
	return BULLA_OK;
}

/* A writer whose first commit fails leaves no digest. */
START_TEST(first_digest)
{
	static const struct store_digest digest = { .begin = nothing, .batch = nothing, .note = note_nothing, .refuse = nothing,
						    .close = four_bytes, .settle = nothing };
	bool more = true;

	for (long n = 0; more; n++) {
		struct bulla_call call = call_begin();
		unsigned total = 0;

		tear_down();
		if (_i == 0)
			set_up_file();
		else
			set_up_memory();
		store_set_digest(store, &digest);
		starve(n, 1);
		enum bulla_err err = write_batch(0, 0, "starved");

		more = feed();
		ck_assert_ok(store_read_all(store, &call, check_digest, pass_over, &total));
		ck_assert_uint_eq(total, err == BULLA_OK);
		store_set_digest(store, NULL);
		call_end(&call);
	}
}
END_TEST

int main(int argc, char **argv)
{
	if (argc > 1)
		return intrude(argv[1]);
	Suite *suite = suite_create("store/memory");
	sqlite3_mem_methods starved;

	/* no room of a connection's own: each allocation is one that can fail */
	if (sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) != SQLITE_OK || sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real) != SQLITE_OK)
		return 99;
	starved = real;
	starved.xMalloc = give;
	starved.xRealloc = give_again;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &starved) != SQLITE_OK)
		return 99;
	for (int memory = 0; memory < 2; memory++) {
		TCase *tc = tcase_create(memory ? "in memory" : "on a file");

		tcase_set_timeout(tc, 120);
		tcase_add_checked_fixture(tc, memory ? set_up_memory : set_up_file, tear_down);
		tcase_add_loop_test(tc, writes, memory, memory + 1);
		tcase_add_loop_test(tc, first_digest, memory, memory + 1);
		tcase_add_test(tc, reads);
		if (!memory) {
			tcase_add_test(tc, reopened);
			tcase_add_test(tc, closed_meanwhile);
		}
		suite_add_tcase(suite, tc);
	}
	return unit_main(suite);
}
