/* store_sqlite_migrate.c: owns the schema: numbered migrations, and the one row of meta. At start, one thread.
 *
 * Migrations run in rollback mode, each in a transaction of its own, so that the main file's header tells the true format
 * even after a crash (store_sqlite_header.c reads nothing else). */
#include <sqlite3.h>
#include <stdio.h>

#include "store/store_sqlite.h"

#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x

#define META_1 \
	"CREATE TABLE meta (" \
	" one INTEGER PRIMARY KEY CHECK (one = 1)," \
	" cluster_id BLOB NOT NULL CHECK (length(cluster_id) = 16)," \
	" created_s INTEGER NOT NULL," \
	" sequence INTEGER NOT NULL"
#define META META_1 ", digest BLOB) STRICT"
#define RECORD \
	"CREATE TABLE record (" \
	" id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 32)," \
	" revision INTEGER NOT NULL CHECK (revision > 0)," \
	" sequence INTEGER NOT NULL," \
	" bytes BLOB NOT NULL" \
	") STRICT, WITHOUT ROWID"

/* migrations[n] leads from format n to n + 1. Never change one that has been released. */
static const char *const migrations[STORE_FORMAT] = {
	META_1 ") STRICT;" RECORD,
	/* a digest of all records, made when it is first unsealed (seal/seal_digest.c): who does not carry it on may not write. Made anew, not
	 * altered: its text is ours then, and not SQLite's */
	"CREATE TABLE kept AS SELECT * FROM meta; DROP TABLE meta;" META ";"
	"INSERT INTO meta SELECT one, cluster_id, created_s, sequence, NULL FROM kept; DROP TABLE kept",
};

/* What SQLite then has of it. */
static const char schema[] = "table meta meta " META ";table record record " RECORD;
static const char schema_sql[] = "SELECT group_concat(type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, ''), ';')"
				 " FROM (SELECT * FROM sqlite_schema ORDER BY name)";

static enum bulla_err single_int(struct connection *c, const char *text, struct bulla_call *call, int64_t *out)
{
	struct sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(c->db, text, -1, &statement, NULL) != SQLITE_OK)
		return connection_fail(c, call);
	int rc = sqlite3_step(statement);
	int64_t value = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;

	if (rc != SQLITE_ROW) {
		enum bulla_err err = connection_fail(c, call);

		(void)sqlite3_finalize(statement);
		return err;
	}
	(void)sqlite3_finalize(statement);
	*out = value;
	return BULLA_OK;
}

/* A view, a trigger or an index of somebody else could show one thing when all is added up, and another thing afterwards. */
static enum bulla_err check_schema(struct connection *c, struct bulla_call *call)
{
	struct sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(c->db, schema_sql, -1, &statement, NULL) != SQLITE_OK)
		return connection_fail(c, call);
	int rc = sqlite3_step(statement);
	const void *found = rc == SQLITE_ROW ? sqlite3_column_blob(statement, 0) : NULL;
	bool same = found != NULL && bulla_equal(bulla_mem(found, (size_t)sqlite3_column_bytes(statement, 0)), bulla_str(schema));
	enum bulla_err err = BULLA_OK;

	if (rc != SQLITE_ROW || (found == NULL && sqlite3_errcode(c->db) == SQLITE_NOMEM))
		err = connection_fail(c, call);
	else if (!same)
		err = bulla_fail(call, BULLA_E_STORE_ALTERED, "storage: there are other tables than were made: they were changed from outside");
	(void)sqlite3_finalize(statement);
	return err;
}

static enum bulla_err make_identity(struct connection *c, struct bulla_call *call)
{
	struct sqlite3_stmt *statement;
	struct store_identity made;

	TRY(store_identity_make(&made));
	if (sqlite3_prepare_v2(c->db, "INSERT INTO meta (one, cluster_id, created_s, sequence) VALUES (1, ?1, ?2, 0)", -1, &statement, NULL) != SQLITE_OK)
		return connection_fail(c, call);
	int rc = sqlite3_bind_blob(statement, 1, made.cluster_id, sizeof made.cluster_id, SQLITE_STATIC);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(statement, 2, made.created_s);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	enum bulla_err err = rc == SQLITE_DONE ? BULLA_OK : connection_fail(c, call);

	(void)sqlite3_finalize(statement);
	return err;
}

static enum bulla_err migrate_one(struct connection *c, unsigned from, struct bulla_call *call)
{
	char set[96];

	(void)snprintf(set, sizeof set, "PRAGMA application_id = %u; PRAGMA user_version = %u; COMMIT", STORE_APPLICATION_ID,
		       from + 1);
	TRY(connection_run(c, "BEGIN EXCLUSIVE", call));
	TRY(connection_run(c, migrations[from], call));
	if (from == 0)
		TRY(make_identity(c, call));
	return connection_run(c, set, call);
}

enum bulla_err store_migrate(struct connection *c, struct bulla_call *call)
{
	int64_t version = 0;

	TRY(single_int(c, "PRAGMA user_version", call, &version));
	if (version > STORE_FORMAT) /* the header said otherwise: it changed under our lock */
		return bulla_fail(call, BULLA_E_STORE_NEWER, "the database has format %lld", (long long)version);
	if (version < STORE_FORMAT)
		TRY(connection_run(c, "PRAGMA journal_mode = DELETE; PRAGMA page_size = " TEXT(STORE_PAGE_BYTES), call));
	for (unsigned from = (unsigned)version; from < STORE_FORMAT; from++) {
		enum bulla_err err = migrate_one(c, from, call);

		if (err != BULLA_OK) {
			(void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL); /* or the connection is closed in the midst of it */
			return err;
		}
	}
	TRY(check_schema(c, call));
	return connection_run(c, "PRAGMA journal_mode = WAL", call);
}

enum bulla_err store_meta_read(struct sqlite_store *store, struct bulla_call *call)
{
	struct connection *c = &store->writer;
	struct sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(c->db, "SELECT cluster_id, created_s, sequence FROM meta", -1, &statement, NULL) != SQLITE_OK)
		return connection_fail(c, call);
	int rc = sqlite3_step(statement);
	enum bulla_err err = rc == SQLITE_ROW || rc == SQLITE_DONE ? BULLA_OK : connection_fail(c, call);

	if (rc == SQLITE_DONE || (rc == SQLITE_ROW && sqlite3_column_bytes(statement, 0) != 16))
		err = bulla_fail(call, BULLA_E_STORE_DAMAGED, "storage: the identity of the database is missing");
	const void *id = err == BULLA_OK ? sqlite3_column_blob(statement, 0) : NULL;

	if (err == BULLA_OK && id == NULL)
		err = connection_fail(c, call);
	if (err == BULLA_OK) {
		memcpy(store->base.identity.cluster_id, id, 16);
		store->base.identity.created_s = sqlite3_column_int64(statement, 1);
		atomic_store(&store->base.sequence, (uint64_t)sqlite3_column_int64(statement, 2));
	}
	(void)sqlite3_finalize(statement);
	return err;
}
