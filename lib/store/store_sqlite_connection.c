/* store_sqlite_connection.c: owns one connection to SQLite: its pragmas, its prepared statements, and what its result codes
 * mean to us. One thread at a time, by the connection's lock. */
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>

#include "store/store_sqlite.h"

static const char *const sql[ST_COUNT] = {
	[ST_GET] = "SELECT revision, sequence, bytes FROM record WHERE id = ?1",
	[ST_SCAN] = "SELECT id, revision, sequence, bytes FROM record WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
	[ST_SCAN_ALL] = "SELECT id, revision, sequence, bytes FROM record ORDER BY id", /* no bounds: what lies beyond them is found, too */
	[ST_SEE] = "SELECT revision, bytes FROM record WHERE id = ?1",
	[ST_INSERT] = "INSERT INTO record (id, revision, sequence, bytes) VALUES (?1, ?2, ?3, ?4)",
	[ST_UPDATE] = "UPDATE record SET revision = ?2, sequence = ?3, bytes = ?4 WHERE id = ?1",
	[ST_DELETE] = "DELETE FROM record WHERE id = ?1",
	[ST_SEQUENCE] = "UPDATE meta SET sequence = ?1 WHERE sequence = ?2",
	[ST_DIGEST] = "UPDATE meta SET sequence = ?1, digest = ?3 WHERE sequence = ?2",
	[ST_DIGEST_GET] = "SELECT sequence, digest FROM meta",
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_BEGIN_READ] = "BEGIN",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	[ST_SAVEPOINT] = "SAVEPOINT batch",
	[ST_RELEASE] = "RELEASE batch",
	[ST_ROLLBACK_TO] = "ROLLBACK TO batch",
};

/* secure_delete overwrites what is deleted; trusted_schema and defensive mode, because the file may have been tampered with. */
static const char pragmas[] =
	"PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
	"PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA cache_size = -512;";

#define BUSY_MS 5000 /* only our own connections can be busy, and not for long */

/* Whether the machine refused a write to the file that op asks for (the database or its log) for want of room. SQLite itself
 * tells a full disk only for ENOSPC; a quota and a file-size limit are an IOERR to it. */
static bool is_out_of_room(sqlite3 *db, int op)
{
	sqlite3_file *f = NULL;
	int number = 0;

	if (sqlite3_file_control(db, "main", op, (void *)&f) != SQLITE_OK || f == NULL || f->pMethods == NULL)
		return false;
	if (f->pMethods->xFileControl(f, SQLITE_FCNTL_LAST_ERRNO, &number) != SQLITE_OK)
		return false;
	return number == ENOSPC || number == EDQUOT || number == EFBIG;
}

enum bulla_err connection_error(const struct connection *c, struct failure *why)
{
	int code = c->db == NULL ? SQLITE_NOMEM : sqlite3_errcode(c->db) & 0xff; /* there was no memory even for a connection */

	(void)snprintf(why->text, sizeof why->text, "%s (%d)", c->db == NULL ? "out of memory" : sqlite3_errmsg(c->db),
		       c->db == NULL ? code : sqlite3_extended_errcode(c->db));
	switch (code) {
	case SQLITE_FULL:
		return BULLA_E_STORE_FULL;
	case SQLITE_IOERR:
		if (is_out_of_room(c->db, SQLITE_FCNTL_JOURNAL_POINTER) || is_out_of_room(c->db, SQLITE_FCNTL_FILE_POINTER))
			return BULLA_E_STORE_FULL;
		return BULLA_E_STORE;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return BULLA_E_STORE_DAMAGED;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return BULLA_E_STORE_LOCKED;
	case SQLITE_NOMEM:
		return BULLA_E_NO_MEMORY;
	default:
		return BULLA_E_STORE;
	}
}

enum bulla_err connection_fail(const struct connection *c, struct bulla_call *call)
{
	struct failure why;
	enum bulla_err err = connection_error(c, &why);

	return bulla_fail(call, err, "storage: %s", why.text);
}

enum bulla_err connection_run(struct connection *c, const char *text, struct bulla_call *call)
{
	if (sqlite3_exec(c->db, text, NULL, NULL, NULL) != SQLITE_OK)
		return connection_fail(c, call);
	return BULLA_OK;
}

int connection_step(struct connection *c, enum statement which)
{
	int rc = sqlite3_step(c->statements[which]), reset = sqlite3_reset(c->statements[which]);

	/* after a failure it gives rc again; after SQLITE_ROW it may be the first to tell one */
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? (reset == SQLITE_OK ? rc : reset) : rc;
}

static bool is_set_up(struct connection *c)
{
	char limit[64];

	uint64_t pages = c->max_pages != 0 && c->max_pages < STORE_MAX_PAGES ? c->max_pages : STORE_MAX_PAGES;

	(void)snprintf(limit, sizeof limit, "PRAGMA max_page_count = %" PRIu64, pages);
	if (sqlite3_exec(c->db, limit, NULL, NULL, NULL) != SQLITE_OK)
		return false;
	return sqlite3_busy_timeout(c->db, BUSY_MS) == SQLITE_OK && sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK &&
	       sqlite3_exec(c->db, pragmas, NULL, NULL, NULL) == SQLITE_OK;
}

static enum bulla_err open_database(struct connection *c, const char *path, struct failure *why)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int rc = store_vfs_ready() ? sqlite3_open_v2(path, &c->db, flags, STORE_VFS) : SQLITE_ERROR;

	if (rc == SQLITE_OK && is_set_up(c))
		return BULLA_OK;
	return connection_error(c, why);
}

enum bulla_err connection_open(struct connection *c, const char *path, struct bulla_call *call)
{
	if (pthread_mutex_init(&c->lock, NULL) != 0)
		return BULLA_E_NO_MEMORY;
	c->has_lock = true;
	struct failure why;
	enum bulla_err err = open_database(c, path, &why);

	return err == BULLA_OK ? BULLA_OK : bulla_fail(call, err, "storage: %s", why.text);
}

static enum bulla_err prepare(struct connection *c, struct failure *why)
{
	for (int i = 0; i < ST_COUNT; i++)
		if (sqlite3_prepare_v3(c->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &c->statements[i], NULL) != SQLITE_OK)
			return connection_error(c, why);
	return BULLA_OK;
}

enum bulla_err connection_prepare(struct connection *c, struct bulla_call *call)
{
	struct failure why;
	enum bulla_err err = prepare(c, &why);

	return err == BULLA_OK ? BULLA_OK : bulla_fail(call, err, "storage: %s", why.text);
}

static void close_database(struct connection *c)
{
	for (int i = 0; i < ST_COUNT; i++) {
		(void)sqlite3_finalize(c->statements[i]); /* gives the last failure of the statement again, if there was one */
		c->statements[i] = NULL;
	}
	/* the last one checkpoints and removes the log; a transaction that is open is rolled back */
	if (sqlite3_close(c->db) != SQLITE_OK)
		(void)sqlite3_close_v2(c->db); /* which never refuses */
	c->db = NULL;
}

/* Whether a transaction is left open that should have ended. */
static bool is_stuck(const struct connection *c)
{
	return sqlite3_get_autocommit(c->db) == 0 || sqlite3_txn_state(c->db, "main") != SQLITE_TXN_NONE;
}

bool connection_roll_back(struct connection *c)
{
	if (sqlite3_get_autocommit(c->db) == 0) /* some errors have done it already */
		(void)connection_step(c, ST_ROLLBACK);
	return !is_stuck(c);
}

enum bulla_err connection_heal(struct connection *c, const char *path, struct failure *why)
{
	if (c->db != NULL && (!is_stuck(c) || connection_roll_back(c)))
		return BULLA_OK;
	close_database(c);
	enum bulla_err err = open_database(c, path, why);

	if (err == BULLA_OK)
		err = prepare(c, why);
	if (err != BULLA_OK)
		close_database(c);
	else if (c->reopened != NULL)
		atomic_fetch_add(c->reopened, 1);
	return err;
}

void connection_close(struct connection *c)
{
	close_database(c);
	if (c->has_lock)
		(void)pthread_mutex_destroy(&c->lock);
	c->has_lock = false;
}
