/* store.c: owns the database file: SQL stays here, and nobody else knows <sqlite3.h>. There is no column for a PAN. WAL, so that readers do
 * not wait for the writer; synchronous=FULL, so that committed means on disk; secure_delete, so that a deleted row is gone. */
#include "store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"

#define BUSY_MS 10000
#define SCHEMA_VERSION 2
#define REPLAY_KEPT_S (24 * 3600)

#define COLUMNS "seq, created_s, key_version, binding, id, name, ciphertext, brand, last_four, pan_hmac"

static const char schema[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE IF NOT EXISTS cards ("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT,"
	" created_s INTEGER NOT NULL,"
	" key_version INTEGER NOT NULL,"
	" binding INTEGER NOT NULL,"
	" id TEXT NOT NULL UNIQUE,"
	" name TEXT NOT NULL,"
	" ciphertext TEXT NOT NULL,"
	" brand TEXT NOT NULL,"
	" last_four TEXT NOT NULL,"
	" pan_hmac TEXT NOT NULL UNIQUE"
	") STRICT;"
	"CREATE TABLE IF NOT EXISTS replays ("
	" key BLOB PRIMARY KEY,"
	" request BLOB NOT NULL,"
	" card_id TEXT NOT NULL,"
	" created_s INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS replays_by_age ON replays (created_s);"
	/* version 2: the floor of key versions, one row; none: 0 */
	"CREATE TABLE IF NOT EXISTS floor (one INTEGER PRIMARY KEY CHECK (one = 1), key_version INTEGER NOT NULL) STRICT;"
	"PRAGMA user_version = 2;"
	"COMMIT;";

enum statement {
	BEGIN, COMMIT, ROLLBACK, INSERT, SAME_PAN, GET, DELETE, LIST, LIST_BELOW, COUNT, COUNT_BELOW, REPLACE, FLOOR, RAISE, REPLAY,
	REMEMBER, FORGET,
	STATEMENTS
};

static const char *const sql[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[INSERT] = "INSERT INTO cards (created_s, key_version, binding, id, name, ciphertext, brand, last_four, pan_hmac)"
		   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (pan_hmac) DO NOTHING",
	[SAME_PAN] = "SELECT id FROM cards WHERE pan_hmac = ?1",
	[GET] = "SELECT " COLUMNS " FROM cards WHERE id = ?1",
	[DELETE] = "DELETE FROM cards WHERE id = ?1",
	[LIST] = "SELECT " COLUMNS " FROM cards WHERE seq > ?1 ORDER BY seq LIMIT ?2",
	[LIST_BELOW] = "SELECT " COLUMNS " FROM cards WHERE seq > ?1 AND key_version < ?3 ORDER BY seq LIMIT ?2",
	[COUNT] = "SELECT count(*) FROM cards",
	[COUNT_BELOW] = "SELECT count(*) FROM cards WHERE key_version < ?1",
	[REPLACE] = "UPDATE cards SET ciphertext = ?1, key_version = ?2, binding = ?3 WHERE id = ?4 AND ciphertext = ?5",
	[FLOOR] = "SELECT max(key_version) FROM floor",
	[RAISE] = "INSERT INTO floor VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET key_version = max(key_version, ?1)",
	[REPLAY] = "SELECT request, card_id FROM replays WHERE key = ?1",
	[REMEMBER] = "INSERT OR REPLACE INTO replays (key, request, card_id, created_s) VALUES (?1, ?2, ?3, ?4)",
	[FORGET] = "DELETE FROM replays WHERE created_s < ?1",
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	int floor; /* of key versions; as of the transaction's begin, and nobody else changes it meanwhile */
};

/* SQLite's texts may quote SQL, but never a bound value. */
static enum card_err fail(struct store *store, const char *what)
{
	log_line("database: %s: %s", what, sqlite3_errmsg(store->db));
	return CARD_E_STORE;
}

static enum card_err read_version(struct store *store, int *out)
{
	sqlite3_stmt *query = NULL;
	bool good = sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &query, NULL) == SQLITE_OK && sqlite3_step(query) == SQLITE_ROW;

	*out = good ? sqlite3_column_int(query, 0) : 0;
	sqlite3_finalize(query);
	return good ? CARD_OK : fail(store, "reading its version");
}

/* A file of a newer program is left as it is. */
static enum card_err make_tables(struct store *store, bool create)
{
	/* pages of a new file: a card is one page of the index of HMACs, written whole, and little else */
	static const char settings[] = "PRAGMA page_size = 2048; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
					" PRAGMA wal_autocheckpoint = 32000;"; /* pages, 64 MB: the indexes are hit at random, and go into the database once for many cards */
	int version;

	TRY(read_version(store, &version));
	if (version > SCHEMA_VERSION) {
		log_line("database: made by a newer program (version %d)", version);
		return CARD_E_CONFIG;
	}
	if (version == 0 && !create) {
		log_line("database: there are no cards' tables in it");
		return CARD_E_CONFIG;
	}
	if (sqlite3_exec(store->db, settings, NULL, NULL, NULL) != SQLITE_OK)
		return fail(store, "setting up");
	if (version < SCHEMA_VERSION && sqlite3_exec(store->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		return fail(store, "making tables");
	return CARD_OK;
}

static enum card_err open_all(struct store *store, const char *path, bool create)
{
	int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX;

	if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
		return fail(store, path);
	sqlite3_busy_timeout(store->db, BUSY_MS);
	TRY(make_tables(store, create));
	for (int i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL) != SQLITE_OK)
			return fail(store, "preparing");
	return CARD_OK;
}

static enum card_err open_store(const char *path, bool create, struct store **out)
{
	struct store *store = calloc(1, sizeof *store);

	if (store == NULL)
		return CARD_E_MEMORY;
	if (open_all(store, path, create) != CARD_OK) {
		store_close(store);
		return CARD_E_CONFIG;
	}
	*out = store;
	return CARD_OK;
}

enum card_err store_open(const char *path, struct store **out)
{
	return open_store(path, true, out);
}

enum card_err store_open_existing(const char *path, struct store **out)
{
	return open_store(path, false, out);
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(store->statements[i]);
	sqlite3_close(store->db);
	free(store);
}

/* ---- small steps --------------------------------------------------------------- */

static void bind_text(sqlite3_stmt *query, int at, const char *text)
{
	/* can only fail for lack of memory; the NULL that is left then breaks NOT NULL, or finds no row */
	sqlite3_bind_text(query, at, text, -1, SQLITE_STATIC);
}

static void bind_hash(sqlite3_stmt *query, int at, const unsigned char hash[REPLAY_HASH_BYTES])
{
	sqlite3_bind_blob(query, at, hash, REPLAY_HASH_BYTES, SQLITE_STATIC);
}

/* Runs to the end a statement that gives no rows. */
static enum card_err finish(struct store *store, enum statement which)
{
	sqlite3_stmt *query = store->statements[which];
	int code = sqlite3_step(query);
	enum card_err err = code == SQLITE_DONE ? CARD_OK : fail(store, "writing");

	sqlite3_reset(query);
	sqlite3_clear_bindings(query);
	return err;
}

static void done(sqlite3_stmt **query)
{
	sqlite3_reset(*query);
	sqlite3_clear_bindings(*query);
}

/* The next row. NOT_FOUND: no more. */
static enum card_err next(struct store *store, sqlite3_stmt *query)
{
	int code = sqlite3_step(query);

	if (code == SQLITE_ROW)
		return CARD_OK;
	return code == SQLITE_DONE ? CARD_E_NOT_FOUND : fail(store, "reading");
}

/* A text that is too long was not written here. It is not cut, for then it could become another one. */
static void copy_column(sqlite3_stmt *query, int column, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(query, column);
	bool fits = text != NULL && (size_t)sqlite3_column_bytes(query, column) < size;

	snprintf(out, size, "%s", fits ? (const char *)text : "");
}

static void take_card(sqlite3_stmt *query, struct card *out)
{
	out->seq = sqlite3_column_int64(query, 0);
	out->created_s = sqlite3_column_int64(query, 1);
	out->key_version = sqlite3_column_int(query, 2);
	out->binding = sqlite3_column_int(query, 3) == BINDING_AAD ? BINDING_AAD : BINDING_CONTEXT;
	copy_column(query, 4, out->id, sizeof out->id);
	copy_column(query, 5, out->name, sizeof out->name);
	copy_column(query, 6, out->ciphertext, sizeof out->ciphertext);
	copy_column(query, 7, out->brand, sizeof out->brand);
	copy_column(query, 8, out->last_four, sizeof out->last_four);
	copy_column(query, 9, out->pan_hmac, sizeof out->pan_hmac);
}

/* ---- transactions -------------------------------------------------------------- */

static enum card_err read_floor(struct store *store)
{
	sqlite3_stmt *query CLEANUP(done) = store->statements[FLOOR];

	TRY(next(store, query));
	store->floor = sqlite3_column_int(query, 0);
	return CARD_OK;
}

enum card_err store_begin(struct store *store)
{
	TRY(finish(store, BEGIN));
	return read_floor(store);
}

enum card_err store_commit(struct store *store)
{
	return finish(store, COMMIT);
}

void store_rollback(struct store *store)
{
	if (!sqlite3_get_autocommit(store->db) && finish(store, ROLLBACK) != CARD_OK)
		log_line("database: the rollback failed");
}

/* ---- cards --------------------------------------------------------------------- */

/* The card that has this PAN already. */
static enum card_err find_same_pan(struct store *store, const char *pan_hmac, char out[CARD_ID_SIZE])
{
	sqlite3_stmt *query CLEANUP(done) = store->statements[SAME_PAN];

	bind_text(query, 1, pan_hmac);
	TRY(next(store, query));
	copy_column(query, 0, out, CARD_ID_SIZE);
	return CARD_E_DUPLICATE;
}

enum card_err store_insert(struct store *store, struct card *card, char existing_id[CARD_ID_SIZE])
{
	sqlite3_stmt *query = store->statements[INSERT];

	if (card->key_version < store->floor) {
		log_line("database: a card came under version %d of the key, and all are at %d: not stored", card->key_version, store->floor);
		return CARD_E_UNAVAILABLE;
	}
	card->created_s = time(NULL);
	sqlite3_bind_int64(query, 1, card->created_s);
	sqlite3_bind_int(query, 2, card->key_version);
	sqlite3_bind_int(query, 3, (int)card->binding);
	bind_text(query, 4, card->id);
	bind_text(query, 5, card->name);
	bind_text(query, 6, card->ciphertext);
	bind_text(query, 7, card->brand);
	bind_text(query, 8, card->last_four);
	bind_text(query, 9, card->pan_hmac);
	TRY(finish(store, INSERT));
	if (sqlite3_changes(store->db) == 0)
		return find_same_pan(store, card->pan_hmac, existing_id);
	card->seq = sqlite3_last_insert_rowid(store->db);
	return CARD_OK;
}

enum card_err store_get(struct store *store, const char *id, struct card *out)
{
	sqlite3_stmt *query CLEANUP(done) = store->statements[GET];

	bind_text(query, 1, id);
	TRY(next(store, query));
	take_card(query, out);
	return CARD_OK;
}

enum card_err store_delete(struct store *store, const char *id)
{
	bind_text(store->statements[DELETE], 1, id);
	TRY(finish(store, DELETE));
	return sqlite3_changes(store->db) == 1 ? CARD_OK : CARD_E_NOT_FOUND;
}

enum card_err store_list(struct store *store, int64_t after_seq, int below_version, struct card *out, size_t max, size_t *count)
{
	sqlite3_stmt *query CLEANUP(done) = store->statements[below_version > 0 ? LIST_BELOW : LIST];
	size_t n = 0;
	enum card_err err;

	sqlite3_bind_int64(query, 1, after_seq);
	sqlite3_bind_int64(query, 2, (sqlite3_int64)max);
	if (below_version > 0)
		sqlite3_bind_int(query, 3, below_version);
	while ((err = next(store, query)) == CARD_OK && n < max)
		take_card(query, &out[n++]);
	if (err != CARD_E_NOT_FOUND)
		return err;
	*count = n;
	return CARD_OK;
}

enum card_err store_count(struct store *store, int below_version, int64_t *out)
{
	sqlite3_stmt *query CLEANUP(done) = store->statements[below_version > 0 ? COUNT_BELOW : COUNT];

	if (below_version > 0)
		sqlite3_bind_int(query, 1, below_version);
	TRY(next(store, query));
	*out = sqlite3_column_int64(query, 0);
	return CARD_OK;
}

static enum card_err raise_if_none_left(struct store *store, int version, int64_t *left)
{
	TRY(store_count(store, version, left));
	if (*left > 0)
		return CARD_OK;
	sqlite3_bind_int(store->statements[RAISE], 1, version);
	return finish(store, RAISE);
}

enum card_err store_raise_floor(struct store *store, int version, int64_t *left)
{
	TRY(store_begin(store));
	enum card_err err = raise_if_none_left(store, version, left);

	if (err == CARD_OK)
		err = store_commit(store);
	if (err != CARD_OK)
		store_rollback(store);
	return err;
}

enum card_err store_replace(struct store *store, const char *id, const char *old, const struct card *card)
{
	sqlite3_stmt *query = store->statements[REPLACE];

	bind_text(query, 1, card->ciphertext);
	sqlite3_bind_int(query, 2, card->key_version);
	sqlite3_bind_int(query, 3, (int)card->binding);
	bind_text(query, 4, id);
	bind_text(query, 5, old);
	TRY(finish(store, REPLACE));
	return sqlite3_changes(store->db) == 1 ? CARD_OK : CARD_E_NOT_FOUND;
}

/* ---- idempotency keys ---------------------------------------------------------- */

enum card_err store_replay(struct store *store, const struct replay *replay, struct card *out)
{
	sqlite3_stmt *query CLEANUP(done) = store->statements[REPLAY];
	char id[CARD_ID_SIZE];

	bind_hash(query, 1, replay->key);
	TRY(next(store, query));
	const void *request = sqlite3_column_blob(query, 0);

	if (request == NULL || sqlite3_column_bytes(query, 0) != REPLAY_HASH_BYTES || memcmp(request, replay->request, REPLAY_HASH_BYTES) != 0)
		return CARD_E_REUSED;
	copy_column(query, 1, id, sizeof id);
	enum card_err err = store_get(store, id, out);

	return err == CARD_E_NOT_FOUND ? CARD_E_REUSED : err;
}

enum card_err store_remember(struct store *store, const struct replay *replay, const char *card_id)
{
	sqlite3_stmt *query = store->statements[REMEMBER];
	int64_t now_s = time(NULL);

	sqlite3_bind_int64(store->statements[FORGET], 1, now_s - REPLAY_KEPT_S);
	TRY(finish(store, FORGET));
	bind_hash(query, 1, replay->key);
	bind_hash(query, 2, replay->request);
	bind_text(query, 3, card_id);
	sqlite3_bind_int64(query, 4, now_s);
	return finish(store, REMEMBER);
}
