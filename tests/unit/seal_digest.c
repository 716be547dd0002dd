/* What was put back, moved, added or taken away from outside is told when the seal is opened; what was written is not, whatever became of
 * it: refused batches, full disks, several writers. */
#include "seal_unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

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

/* After a backup was restored revisions come again, with other contents: a record of before opens, but was not written. */
START_TEST(the_same_revision)
{
	struct store_id id = id_of(1, 1);
	struct store_write write = put(id, 0, ""), again = put(id, 0, "");
	struct bulla_bytes text;

	ck_assert_ok(barrier_seal(seal, &call, &id, 1, bulla_str("before the restore"), &write.bytes));
	ck_assert_ok(store_commit(store, &call, &write, 1, NULL));
	ck_assert_ok(commit_one(store, del(id, 1)));
	ck_assert_ok(barrier_seal(seal, &call, &id, 1, bulla_str("another text"), &again.bytes));
	ck_assert_ok(store_commit(store, &call, &again, 1, NULL));
	check_sound();
	place(id, 1, write.bytes);
	check_told("some are older ones, or others");
	struct store_record record = record_at(id);

	ck_assert_ok(barrier_open(seal, &call, &record, &text));
	ck_assert_bytes(text, "before the restore");
}
END_TEST

START_TEST(changed_places)
{
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, "the text of the first")));
	ck_assert_ok(commit_one(store, put(id_of(1, 2), 0, "what the second one has")));
	struct store_record one = record_at(id_of(1, 1)), two = record_at(id_of(1, 2));

	place(one.id, 1, two.bytes);
	place(two.id, 1, one.bytes);
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
	check_told("of 6 stored records 1 are missing");
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
	place(id_of(1, 1), 2, bulla_str("and the second one hers"));
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

/* ---- whatever becomes of it -------------------------------------------------------------------------------------------------- */

#define IDS 12
#define LARGEST 3000

struct actor {
	pthread_t thread;
	unsigned seed;
	unsigned rounds; /* 0: until stop */
	atomic_bool *stop;
	atomic_uint done[3]; /* with OK, CONFLICT, and any other */
};

/* Half of the expectations are right; ids come twice in a batch. */
static struct store_write any_write(unsigned *seed)
{
	static uint8_t noise[LARGEST];
	struct store_write write = { .id = id_of(1, (unsigned)rand_r(seed) % IDS) };
	struct bulla_call c = call_begin();
	struct store_record record = { .revision = 0 };
	unsigned dice = (unsigned)rand_r(seed) % 16;

	if (dice < 10)
		(void)!store_get(store, &c, &write.id, &record);
	call_end(&c);
	write.expected = record.revision;
	write.bytes = bulla_mem(noise, (size_t)rand_r(seed) % (dice % 2 == 0 ? 40 : LARGEST));
	write.change = dice % 8 < 5 ? STORE_PUT : dice % 8 < 7 ? STORE_DELETE : STORE_CHECK;
	if (write.change != STORE_PUT && dice >= 14)
		write.expected = STORE_ANY_REVISION;
	return write;
}

static void *act(void *context)
{
	struct actor *actor = context;

	for (unsigned i = 0; actor->rounds != 0 ? i < actor->rounds : !atomic_load(actor->stop); i++) {
		struct bulla_call c = call_begin();
		struct store_write writes[4];
		size_t count = 1 + (unsigned)rand_r(&actor->seed) % 4;

		for (size_t n = 0; n < count; n++)
			writes[n] = any_write(&actor->seed);
		enum bulla_err err = store_commit(store, &c, writes, count, NULL);

		ck_assert_int_ne(err, BULLA_E_STORE_ALTERED);
		actor->done[err == BULLA_OK ? 0 : err == BULLA_E_CONFLICT ? 1 : 2]++;
		call_end(&c);
	}
	return NULL;
}

/* Batches that hold, that do not, and that a full disk refuses: all of them alone, then in groups. */
START_TEST(any_history)
{
	struct actor actors[4];
	bool on_disk = _i % 2 == 1;

	if (on_disk)
		folder_make();
	begin_at(on_disk ? file : NULL, on_disk ? 40000 : 9000);
	actors[0] = (struct actor){ .seed = (unsigned)_i, .rounds = 20 };
	for (unsigned i = 0; i < 20; i++) {
		(void)act(&actors[0]);
		check_sound();
	}
	ck_assert_msg(actors[0].done[0] > 40 && actors[0].done[1] > 40 && actors[0].done[2] > 0, "%u %u %u", actors[0].done[0], actors[0].done[1],
		      actors[0].done[2]);
	for (unsigned i = 0; i < 4; i++) {
		actors[i] = (struct actor){ .seed = (unsigned)_i + 100 * i, .rounds = 100 };
		ck_assert_int_eq(pthread_create(&actors[i].thread, NULL, act, &actors[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(actors[i].thread, NULL), 0);
	check_sound();
	end_sealed(&call, store, seal);
	if (on_disk)
		folder_remove();
}
END_TEST

/* Whoever commits while the seal is opened and closed is refused, or counts. */
START_TEST(commits_while_it_opens)
{
	atomic_bool stop = false;
	struct actor actors[2];

	begin_on_disk(0);
	for (unsigned i = 0; i < 2; i++) {
		actors[i] = (struct actor){ .seed = i, .stop = &stop };
		ck_assert_int_eq(pthread_create(&actors[i].thread, NULL, act, &actors[i]), 0);
	}
	for (unsigned i = 0; i < 150 || actors[0].done[0] == 0 || actors[0].done[2] == 0; i++) {
		close_and_forget(seal);
		ck_assert_ok(seal_unseal_auto(seal, &call));
		ck_assert(!seal_findings(seal)->damaged);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(actors[i].thread, NULL), 0);
	check_sound();
	end_on_disk();
}
END_TEST

/* kept: a file beside it. */
static void run_sql(const char *sql)
{
	char attach[192];
	sqlite3 *db;
	char *why = NULL;

	snprintf(attach, sizeof attach, "ATTACH '%s/kept' AS kept", folder);
	ck_assert_int_eq(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, attach, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &why) == SQLITE_OK, "%s", why);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* What is altered while nobody has the file open, and what comes of it. KEEP, and two changes more, come first. */
#define KEEP "CREATE TABLE kept.record AS SELECT * FROM main.record; CREATE TABLE kept.meta AS SELECT * FROM main.meta"
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
	{ "INSERT OR REPLACE INTO record SELECT * FROM kept.record WHERE " ONE, BULLA_E_STORE_ALTERED },
	{ "INSERT OR REPLACE INTO record SELECT * FROM kept.record WHERE " ONE
	  "; UPDATE meta SET digest = (SELECT digest FROM kept.meta), sequence = (SELECT sequence FROM kept.meta)", BULLA_E_STORE_ALTERED },
	{ "UPDATE meta SET digest = (SELECT digest FROM kept.meta), sequence = (SELECT sequence FROM kept.meta)", BULLA_E_STORE_ALTERED },
	{ "UPDATE meta SET digest = (SELECT digest FROM kept.meta)", BULLA_E_STORE_ALTERED },
	{ "UPDATE meta SET sequence = sequence + 1", BULLA_E_STORE_ALTERED },
	{ "UPDATE meta SET digest = NULL", BULLA_E_STORE_ALTERED },
	{ "UPDATE meta SET digest = zeroblob(length(digest))", BULLA_E_STORE_ALTERED },
	{ "UPDATE meta SET digest = substr(digest, 2)", BULLA_E_STORE_ALTERED },
	{ "DELETE FROM record", BULLA_E_NOT_INITIALISED }, /* nothing that was sealed opens */
	/* format 1, with which it would begin anew */
	{ "UPDATE meta SET digest = NULL; PRAGMA user_version = 1", BULLA_E_STORE_ALTERED },
	{ "ALTER TABLE meta DROP COLUMN digest; PRAGMA user_version = 1", BULLA_E_STORE_ALTERED },
	/* a second account, beside the first */
	{ "PRAGMA ignore_check_constraints = 1; INSERT INTO meta SELECT 0, cluster_id, created_s, sequence, digest FROM kept.meta", BULLA_E_STORE_ALTERED },
	/* ids that no reading gives by their order, and of other types */
	{ "PRAGMA ignore_check_constraints = 1; INSERT INTO record SELECT CAST(id || x'00' AS BLOB), revision, sequence, bytes FROM kept.record WHERE " ONE,
	  BULLA_E_STORE_DAMAGED },
	{ "PRAGMA ignore_check_constraints = 1; INSERT INTO record VALUES (CAST(hex(zeroblob(20)) AS BLOB), 1, 1, x'00')", BULLA_E_STORE_DAMAGED },
	/* what shows, or does, one thing now and another later: each of these adds up */
	{ "ALTER TABLE record RENAME TO real; CREATE VIEW record AS SELECT * FROM real;"
	  "CREATE TRIGGER i INSTEAD OF INSERT ON record BEGIN INSERT INTO real VALUES (NEW.id, NEW.revision, NEW.sequence, NEW.bytes); END;"
	  "CREATE TRIGGER u INSTEAD OF UPDATE ON record BEGIN UPDATE real SET bytes = NEW.bytes WHERE id = NEW.id; END;"
	  "CREATE TRIGGER d INSTEAD OF DELETE ON record BEGIN SELECT 1; END", BULLA_E_STORE_ALTERED },
	{ "CREATE TRIGGER t BEFORE DELETE ON record BEGIN SELECT RAISE(IGNORE); END", BULLA_E_STORE_ALTERED },
	{ "CREATE TABLE more (id)", BULLA_E_STORE_ALTERED },
	{ "CREATE INDEX i ON record (id, revision, sequence, bytes)", BULLA_E_STORE_ALTERED },
	{ "ANALYZE", BULLA_E_STORE_ALTERED },
	{ "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'PRIMARY KEY NOT NULL', 'PRIMARY KEY DESC NOT NULL')",
	  BULLA_E_STORE_ALTERED },
};

/* Opens and unseals what is there. */
static enum bulla_err open_altered(void)
{
	enum bulla_err err = open_at(file, 0, &store);

	if (err != BULLA_OK)
		return err;
	make_seal(store, &seal);
	err = seal_unseal_auto(seal, &call);
	if (err != BULLA_OK) {
		seal_free(seal);
		store_close(store);
	}
	return err;
}

static void close_all(void)
{
	seal_free(seal);
	store_close(store);
}

START_TEST(by_sql)
{
	begin_on_disk(0);
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, "something that was written")));
	close_all();
	run_sql(KEEP);
	ck_assert_ok(open_altered());
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 1, "something else, that came later")));
	ck_assert_ok(commit_one(store, put(id_of(2, 1), 0, "and more")));
	close_all();
	run_sql(by_sql_cases[_i].sql);
	enum bulla_err err = open_altered();

	ck_assert_err(err, by_sql_cases[_i].err);
	if (err == BULLA_OK)
		close_all();
	call_end(&call);
	folder_remove();
}
END_TEST

static off_t page_of_records(void)
{
	sqlite3_stmt *statement;
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name = 'record'", -1, &statement, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
	off_t at = (off_t)(sqlite3_column_int(statement, 0) - 1) * STORE_PAGE_BYTES;

	ck_assert_int_eq(sqlite3_finalize(statement), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	return at;
}

#define CELLS 9
#define GENUINE 3

/* The last of the table's only page comes right behind the genuine ones. */
static void move_last_forward(void)
{
	uint8_t head[8 + 2 * CELLS], *from = head + 8 + 2 * GENUINE, last[2];
	off_t at = page_of_records();
	int fd = open(file, O_RDWR);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, head, sizeof head, at), sizeof head);
	ck_assert(head[0] == 10 && head[4] == CELLS); /* a leaf */
	memcpy(last, head + sizeof head - 2, 2);
	memmove(from + 2, from, 2 * (CELLS - GENUINE - 1));
	memcpy(from, last, 2);
	ck_assert_int_eq(pwrite(fd, head, sizeof head, at), sizeof head);
	ck_assert_int_eq(close(fd), 0);
}

/* A record that a search by its id finds, and a reading of all that there is does not, since it lies behind the last id that can be. */
START_TEST(hidden_behind_the_end)
{
	begin_on_disk(0);
	ck_assert_ok(commit_one(store, put(id_of(1, 1), 0, "what is there")));
	ck_assert_ok(commit_one(store, put(id_of(2, 1), 0, "what was revoked")));
	close_all();
	run_sql(KEEP);
	ck_assert_ok(open_altered());
	ck_assert_ok(commit_one(store, del(id_of(2, 1), 1)));
	close_all();
	run_sql("INSERT INTO record SELECT * FROM kept.record WHERE id >= x'02'; PRAGMA ignore_check_constraints = 1;"
		"INSERT INTO record VALUES (x'02', 1, 1, x''), (x'03', 1, 1, x''), (x'04', 1, 1, x''), (x'05', 1, 1, x''),"
		" (x'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', 1, 1, x'')");
	move_last_forward();
	ck_assert_ok(open_at(file, 0, &store));
	ck_assert_str_eq(text_of(store, id_of(2, 1), NULL), "what was revoked");
	store_close(store);
	ck_assert_err(open_altered(), BULLA_E_STORE_DAMAGED);
	call_end(&call);
	folder_remove();
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
	tcase_add_test(c, changed_places);
	tcase_add_test(c, the_same_revision);
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
	tcase_add_loop_test(disk, any_history, 0, 6);
	tcase_add_test(disk, commits_while_it_opens);
	tcase_add_loop_test(disk, by_sql, 0, sizeof by_sql_cases / sizeof by_sql_cases[0]);
	tcase_add_test(disk, hidden_behind_the_end);
	tcase_add_test(disk, while_it_runs);
	suite_add_tcase(suite, cases_in_memory());
	suite_add_tcase(suite, disk);
	return unit_main(suite);
}
