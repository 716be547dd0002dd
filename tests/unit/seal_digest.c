/* What was put back, moved, added or taken away from outside is told when the seal is opened; what was written is not, whatever became of
 * it: refused batches, full disks, several writers. */
#include "seal_unit.h"

#include <pthread.h>
#include <sqlite3.h>

#include "seal/seal_internal.h"
#include "store/store_sqlite.h"

#define OTHERS 3

static struct store *store, *outside; /* outside: a handle that keeps no account */
static struct seal *seal;
static struct bulla_call call;
static bool accept_altered;

static struct bulla_seal_config seal_config(void)
{
	struct bulla_seal_config config = static_config("a");

	config.accept_altered = accept_altered;
	return config;
}

static void make_seal(struct store *of, struct seal **out)
{
	const struct bulla_seal_config config = seal_config();

	ck_assert_ok(seal_new(of, &config, &call, out));
}

static void begin_at(const char *path, uint64_t max_bytes)
{
	accept_altered = false;
	const struct bulla_seal_config config = seal_config();

	begin_sealed(path, max_bytes, &config, &call, &store, &seal);
}

static void set_up(void)
{
	begin_at(NULL, 0);
	ck_assert_ok(store_share(store, &call, &outside));
}

static void tear_down(void)
{
	store_close(outside);
	end_sealed(&call, store, seal);
}

static enum bulla_err reopen(void)
{
	seal_free(seal);
	make_seal(store, &seal);
	enum bulla_err err = seal_unseal_auto(seal, &call);

	return err == BULLA_OK ? seal_convert(seal, &call) : err;
}

static void check_sound(void)
{
	ck_assert_ok(reopen());
	ck_assert(seal_findings(seal)->has_digest && !seal_findings(seal)->altered && !seal_findings(seal)->damaged && !seal_findings(seal)->is_new);
	ck_assert_uint_eq(seal_findings(seal)->expected, seal_findings(seal)->found);
}

static void check_told(const char *how)
{
	for (int i = 0; i < 2; i++) { /* also the second time */
		ck_assert_err(reopen(), BULLA_E_STORE_ALTERED);
		ck_assert_msg(strstr((const char *)call.detail.ptr, how) != NULL, "%s", (const char *)call.detail.ptr);
		ck_assert_err(commit_one(store, put(id_of(9, 9), 0, "x")), BULLA_E_SEALED);
	}
	accept_altered = true;
	ck_assert_ok(reopen());
	ck_assert(seal_findings(seal)->accepted);
	accept_altered = false;
	check_sound();
}

/* Three records, each written twice. */
static void fill(void)
{
	for (unsigned i = 1; i <= OTHERS; i++) {
		ck_assert_ok(commit_one(store, put(id_of(1, i), 0, "some first text of it")));
		ck_assert_ok(commit_one(store, put(id_of(1, i), 1, "and the second one here")));
	}
}

static void place(struct store_id id, uint64_t revision, struct bulla_bytes bytes)
{
	struct store_write writes[] = {
		{ .id = id, .change = STORE_DELETE, .expected = STORE_ANY_REVISION },
		{ .id = id, .change = STORE_PUT, .first = revision, .bytes = bytes },
	};

	ck_assert_ok(store_commit(outside, &call, writes, 2, NULL));
}

static struct store_record record_at(struct store_id id)
{
	struct store_record record;

	ck_assert_ok(store_get(store, &call, &id, &record));
	return record;
}

/* ---- what is sound -------------------------------------------------------------------------------------------------------- */

START_TEST(what_was_written_adds_up)
{
	check_sound();
	fill();
	check_sound();
	ck_assert_uint_eq(seal_findings(seal)->found, OTHERS + 2); /* and the seal's own two */
	ck_assert_ok(commit_one(store, del(id_of(1, 1), 2)));
	ck_assert_ok(commit_one(store, del(id_of(1, 1), STORE_ANY_REVISION))); /* nothing is there */
	ck_assert_ok(commit_one(store, del(id_of(1, 2), STORE_ANY_REVISION)));
	ck_assert_ok(commit_one(store, put(id_of(1, 2), 0, ""))); /* shorter than a tag */
	ck_assert_ok(seal_rotate(seal, &call));
	check_sound();
	ck_assert_uint_eq(seal_findings(seal)->found, OTHERS + 1);
}
END_TEST

START_TEST(what_was_refused_does_not_count)
{
	struct store_write writes[] = { put(id_of(1, 7), 0, "x"), del(id_of(1, 1), 2), put(id_of(1, 3), 99, "y") };
	struct store_write same[] = { put(id_of(1, 8), 0, "x"), put(id_of(1, 8), 1, "y"), del(id_of(1, 8), 2), put(id_of(1, 8), 0, "z") };

	fill();
	ck_assert_err(store_commit(store, &call, writes, 3, NULL), BULLA_E_CONFLICT);
	check_sound();
	ck_assert_err(store_commit(store, &call, writes, 3, NULL), BULLA_E_CONFLICT);
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 2, "after it")));
	ck_assert_ok(store_commit(store, &call, same, 4, NULL));
	check_sound();
}
END_TEST

START_TEST(sealed_takes_no_writes)
{
	fill();
	close_and_forget(seal);
	ck_assert_err(commit_one(store, put(id_of(1, 1), 2, "x")), BULLA_E_SEALED);
	ck_assert_ok(seal_unseal_auto(seal, &call));
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 2, "x")));
	check_sound();
}
END_TEST

START_TEST(several_writers)
{
	struct store *second;
	struct seal *other;

	ck_assert_ok(store_share(store, &call, &second));
	make_seal(second, &other);
	ck_assert_ok(seal_unseal_auto(other, &call));
	fill();
	for (uint64_t i = 2; i < 6; i++) /* by turns */
		ck_assert_ok(commit_one(i % 2 == 0 ? second : store, put(id_of(1, 1), i, "x")));
	ck_assert_ok(commit_one(second, del(id_of(1, 2), 2)));
	seal_free(other);
	make_seal(second, &other);
	ck_assert_ok(seal_unseal_auto(other, &call));
	ck_assert(!seal_findings(other)->damaged);
	check_sound();
	ck_assert_ok(commit_one(second, del(id_of(1, 3), 2)));
	ck_assert_ok(commit_one(outside, del(id_of(1, 1), STORE_ANY_REVISION)));
	seal_free(other);
	make_seal(second, &other);
	ck_assert_err(seal_unseal_auto(other, &call), BULLA_E_STORE_ALTERED);
	check_told("of 3 stored records 1 are missing");
	seal_free(other);
	make_seal(second, &other);
	ck_assert_ok(seal_unseal_auto(other, &call));
	seal_free(other);
	store_close(second);
}
END_TEST

/* ---- what is told --------------------------------------------------------------------------------------------------------- */

START_TEST(put_back)
{
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, "as it was at first")));
	struct store_record before = record_at(id_of(1, 1));

	ck_assert_ok(commit_one(store, put(id_of(1, 1), 1, "as it became later")));
	place(id_of(1, 1), before.revision, before.bytes);
	check_told("of 3 stored records some are older ones, or others, than were written");
}
END_TEST

START_TEST(taken_away)
{
	fill();
	ck_assert_ok(commit_one(outside, del(id_of(1, 2), STORE_ANY_REVISION)));
	check_told("of 5 stored records 1 are missing");
}
END_TEST

START_TEST(come_again)
{
	fill();
	struct store_record before = record_at(id_of(1, 1));

	ck_assert_ok(commit_one(store, del(id_of(1, 1), 2)));
	place(id_of(1, 1), before.revision, before.bytes);
	check_told("there are 5 stored records, and 4 were written");
}
END_TEST

START_TEST(moved)
{
	fill();
	struct store_record one = record_at(id_of(1, 1));

	ck_assert_ok(commit_one(outside, del(id_of(1, 1), STORE_ANY_REVISION)));
	place(id_of(1, 99), one.revision, one.bytes);
	check_told("some are older ones, or others");
}
END_TEST

START_TEST(another_revision)
{
	fill();
	struct store_record one = record_at(id_of(1, 1));

	place(id_of(1, 1), 77, one.bytes);
	check_told("some are older ones, or others");
}
END_TEST

START_TEST(an_older_keyring)
{
	struct store_record before = record_at(seal_keyring_id);

	ck_assert_ok(seal_rotate(seal, &call));
	place(seal_keyring_id, before.revision, before.bytes);
	check_told("some are older ones, or others");
}
END_TEST

/* The keyring as format 1 has it, written like any other record. */
static void write_keyring_of_format_1(void)
{
	struct store_record record = record_at(seal_keyring_id);
	struct store_write write = { .id = seal_keyring_id, .change = STORE_PUT, .expected = record.revision };
	struct bulla_bytes plain;

	ck_assert_ok(record_open(seal->root_key, &call, &record, &plain));
	ck_assert_uint_eq(plain.ptr[0], 2);
	((uint8_t *)(uintptr_t)plain.ptr)[0] = 1;
	ck_assert_ok(record_seal(seal->root_key, &call, &seal_keyring_id, record.revision + 1, plain, &write.bytes));
	ck_assert_ok(store_commit(store, &call, &write, 1, NULL));
}

/* A crash in the midst of a conversion: the digest is there, and the keyring is still of format 1. */
START_TEST(half_converted)
{
	fill();
	write_keyring_of_format_1();
	ck_assert_ok(reopen());
	ck_assert(seal_findings(seal)->is_new);
	check_sound();
	ck_assert_ok(commit_one(store, put(id_of(3, 1), 0, "more")));
	write_keyring_of_format_1();
	ck_assert_ok(commit_one(outside, del(id_of(1, 2), STORE_ANY_REVISION)));
	ck_assert_err(reopen(), BULLA_E_STORE_ALTERED);
}
END_TEST

/* An older keyring of format 1 in the place of the present one, and no digest: what was sealed since is under a later term. */
START_TEST(older_keyring_of_format_1)
{
	write_keyring_of_format_1();
	struct store_record old = record_at(seal_keyring_id), later = { .id = id_of(1, 1), .revision = 1 };

	ck_assert_ok(reopen()); /* converted */
	ck_assert_uint_gt(seal->keys->count, 1);
	ck_assert_ok(barrier_seal(seal, &call, &later.id, 1, bulla_str("text"), &later.bytes));
	place(later.id, 1, later.bytes);
	place(seal_keyring_id, old.revision, old.bytes);
	ck_assert_err(reopen(), BULLA_E_STORE_ALTERED);
}
END_TEST

/* Where only bytes were changed a record does not open, and is named then: the others go on. */
START_TEST(damaged)
{
	fill();
	place(id_of(1, 1), 2, bulla_str("and other bytes in its place"));
	for (int i = 0; i < 2; i++) {
		ck_assert_ok(reopen());
		ck_assert(seal_findings(seal)->damaged && !seal_findings(seal)->altered);
		ck_assert_ok(commit_one(store, put(id_of(1, 2), 2 + (uint64_t)i, "goes on")));
	}
	accept_altered = true;
	ck_assert_ok(reopen());
	accept_altered = false;
	check_sound();
}
END_TEST

/* ---- SQLite --------------------------------------------------------------------------------------------------------------- */

#define THREADS 8
#define ROUNDS 60

static void *writer(void *context)
{
	unsigned me = (unsigned)(uintptr_t)context;

	for (unsigned i = 0; i < ROUNDS; i++) {
		(void)commit_one(store, put(id_of(1, i), 0, "one of them makes it"));
		(void)commit_one(store, put(id_of(1, i), 1, "and one changes it"));
		ck_assert_ok(commit_one(store, put(id_of(10 + me, i), 0, "x")));
		if (i % 3 == 0)
			ck_assert_ok(commit_one(store, del(id_of(10 + me, i), 1)));
	}
	return NULL;
}

static void begin_on_disk(uint64_t max_bytes)
{
	folder_make();
	begin_at(file, max_bytes);
}

static void end_on_disk(void)
{
	end_sealed(&call, store, seal);
	folder_remove();
}

static void reopen_on_disk(void)
{
	seal_free(seal);
	store_close(store);
	ck_assert_ok(open_at(file, 0, &store));
	make_seal(store, &seal);
}

START_TEST(groups)
{
	pthread_t threads[THREADS];

	begin_on_disk(0);
	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, writer, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	check_sound();
	reopen_on_disk();
	ck_assert_ok(seal_unseal_auto(seal, &call));
	ck_assert_uint_eq(seal_findings(seal)->found, 2 + ROUNDS + THREADS * ROUNDS * 2 / 3);
	ck_assert(!seal_findings(seal)->damaged);
	end_on_disk();
}
END_TEST

START_TEST(full_disk)
{
	static uint8_t kilobytes[3000];
	enum bulla_err err = BULLA_OK;
	unsigned i = 0;

	begin_on_disk(200000);
	for (; err == BULLA_OK; i++) {
		struct store_write write = { .id = id_of(1, i), .change = STORE_PUT, .bytes = bulla_mem(kilobytes, sizeof kilobytes) };

		err = store_commit(store, &call, &write, 1, NULL);
	}
	ck_assert_err(err, BULLA_E_STORE_FULL);
	ck_assert_uint_gt(i, 20);
	ck_assert_ok(commit_one(store, del(id_of(1, 3), 1)));
	check_sound();
	reopen_on_disk();
	ck_assert_ok(seal_unseal_auto(seal, &call));
	end_on_disk();
}
END_TEST

static void run_sql(const char *sql)
{
	sqlite3 *db;
	char *why = NULL;

	ck_assert_int_eq(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &why) == SQLITE_OK, "%s", why);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* What is altered while nobody has the file open, and what comes of it. KEEP, and two changes more, come first. */
#define KEEP "CREATE TABLE kept AS SELECT * FROM record; CREATE TABLE kept_meta AS SELECT * FROM meta"
#define ONE "id >= x'01' AND id < x'02'"
static const struct {
	const char *sql;
	enum bulla_err err;
} by_sql_cases[] = {
	{ "SELECT 1", BULLA_OK },
	{ "DELETE FROM record WHERE " ONE, BULLA_E_STORE_ALTERED },
	{ "UPDATE record SET revision = revision + 1 WHERE " ONE, BULLA_E_STORE_ALTERED },
	{ "UPDATE record SET id = CAST(x'05' || substr(id, 2) AS BLOB) WHERE " ONE, BULLA_E_STORE_ALTERED },
	{ "INSERT INTO record VALUES (CAST(zeroblob(31) || x'99' AS BLOB), 1, 1, x'00')", BULLA_E_STORE_ALTERED },
	{ "INSERT OR REPLACE INTO record SELECT * FROM kept WHERE " ONE, BULLA_E_STORE_ALTERED },
	{ "INSERT OR REPLACE INTO record SELECT * FROM kept WHERE " ONE
	  "; UPDATE meta SET digest = (SELECT digest FROM kept_meta), sequence = (SELECT sequence FROM kept_meta)", BULLA_E_STORE_ALTERED },
	{ "UPDATE meta SET digest = (SELECT digest FROM kept_meta), sequence = (SELECT sequence FROM kept_meta)", BULLA_E_STORE_ALTERED },
	{ "UPDATE meta SET digest = (SELECT digest FROM kept_meta)", BULLA_E_STORE_ALTERED },
	{ "UPDATE meta SET sequence = sequence + 1", BULLA_E_STORE_ALTERED },
	{ "UPDATE meta SET digest = NULL", BULLA_E_STORE_ALTERED },
	{ "UPDATE meta SET digest = zeroblob(length(digest))", BULLA_E_STORE_ALTERED },
	{ "UPDATE meta SET digest = substr(digest, 2)", BULLA_E_STORE_ALTERED },
	{ "DELETE FROM record", BULLA_E_NOT_INITIALISED }, /* nothing that was sealed opens */
};

START_TEST(by_sql)
{
	begin_on_disk(0);
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, "something that was written")));
	reopen_on_disk();
	seal_free(seal);
	store_close(store);
	run_sql(KEEP);
	ck_assert_ok(open_at(file, 0, &store));
	make_seal(store, &seal);
	ck_assert_ok(seal_unseal_auto(seal, &call));
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 1, "something else, that came later")));
	ck_assert_ok(commit_one(store, put(id_of(2, 1), 0, "and more")));
	seal_free(seal);
	store_close(store);
	run_sql(by_sql_cases[_i].sql);
	ck_assert_ok(open_at(file, 0, &store));
	make_seal(store, &seal);
	ck_assert_err(seal_unseal_auto(seal, &call), by_sql_cases[_i].err);
	end_on_disk();
}
END_TEST

/* Only this process writes the number of the commit: if it is another, somebody else has changed the file while it runs. */
START_TEST(while_it_runs)
{
	begin_on_disk(0);
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, "x")));
	ck_assert_int_eq(sqlite3_exec(sqlite_store(store)->writer.db, "UPDATE meta SET sequence = sequence - 1", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_err(commit_one(store, put(id_of(1, 1), 1, "y")), BULLA_E_STORE_ALTERED);
	ck_assert_str_eq(text_of(store, id_of(1, 1), NULL), "x");
	end_on_disk();
}
END_TEST

static TCase *cases_in_memory(void)
{
	TCase *c = tcase_create("memory");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, what_was_written_adds_up);
	tcase_add_test(c, what_was_refused_does_not_count);
	tcase_add_test(c, sealed_takes_no_writes);
	tcase_add_test(c, several_writers);
	tcase_add_test(c, put_back);
	tcase_add_test(c, taken_away);
	tcase_add_test(c, come_again);
	tcase_add_test(c, moved);
	tcase_add_test(c, another_revision);
	tcase_add_test(c, an_older_keyring);
	tcase_add_test(c, half_converted);
	tcase_add_test(c, older_keyring_of_format_1);
	tcase_add_test(c, damaged);
	return c;
}

int main(void)
{
	Suite *suite = suite_create("seal/seal_digest");
	TCase *disk = tcase_create("disk");

	tcase_add_test(disk, groups);
	tcase_add_test(disk, full_disk);
	tcase_add_loop_test(disk, by_sql, 0, sizeof by_sql_cases / sizeof by_sql_cases[0]);
	tcase_add_test(disk, while_it_runs);
	suite_add_tcase(suite, cases_in_memory());
	suite_add_tcase(suite, disk);
	return unit_main(suite);
}
