/* store_sqlite.h: what the files of the SQLite backend share. Only lib/store/store_sqlite*.c include it.
 *
 * One connection writes, a few read beside it: the "unix-excl" VFS (below store_sqlite_vfs.c's) of SQLite keeps every other process out, as
 * locking_mode=EXCLUSIVE would, but lets this process open several connections, so that a read never waits for an fsync
 * (docs/DECISIONS.md). There is one writer, so nobody has to be told of changes. */
#ifndef BULLA_STORE_SQLITE_H
#define BULLA_STORE_SQLITE_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/store_ops.h"

struct sqlite3;
struct sqlite3_stmt;

#define STORE_APPLICATION_ID 0x42756c61u /* "Bula" */
#define STORE_FORMAT 2u                  /* user_version of what this program writes: the number of the last migration */
#define STORE_PAGE_BYTES 4096
#define STORE_READERS 3
#define STORE_MAX_PAGES ((1u << 25) - 1) /* 128 GiB */

enum statement {
	ST_GET, ST_SCAN, ST_SCAN_ALL, ST_SEE, ST_INSERT, ST_UPDATE, ST_DELETE, ST_SEQUENCE, ST_DIGEST, ST_DIGEST_GET,
	ST_BEGIN, ST_BEGIN_READ, ST_COMMIT, ST_ROLLBACK, ST_SAVEPOINT, ST_RELEASE, ST_ROLLBACK_TO,
	ST_COUNT
};

/* Why a connection failed, for the caller's detail. */
struct failure {
	char text[160];
};

/* One connection and its statements; lock is held by whoever uses them. */
struct connection {
	pthread_mutex_t lock;
	bool has_lock;
	struct sqlite3 *db; /* NULL: not open; after a failure that closed it, connection_heal opens it again */
	struct sqlite3_stmt *statements[ST_COUNT];
	uint64_t max_pages; /* 0: STORE_MAX_PAGES */
	atomic_uint_least64_t *reopened; /* counted there; may be NULL */
};

/* One batch that waits for its transaction; on the stack of the thread in store_commit. */
struct commit_request {
	const struct store_write *writes;
	size_t count;
	struct commit_request *next;
	bool done;
	enum bulla_err result;
	uint64_t sequence;
	struct failure why; /* of STORE and the like */
};

/* Group commit: who finds no leader becomes it, takes all that wait, and commits them as one transaction. */
struct committer {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool leading;
	struct commit_request *first, **end;
};

/* The file as we hold it beside SQLite: fd carries the flock. Entry of the list of files this process has open. */
struct store_file {
	int fd; /* -1: not open */
	bool created;
	uint64_t device, inode;
	struct store_file *next;
};

struct sqlite_store {
	struct store base;
	char *path;
	struct store_file file;
	struct connection writer;
	struct connection readers[STORE_READERS];
	size_t reader_count;
	atomic_size_t next_reader;
	struct committer committer;
};
#define SQLITE_WRITER 1 /* in stamps */

static inline struct sqlite_store *sqlite_store(struct store *base)
{
	return (struct sqlite_store *)(void *)base;
}

/* ---- store_sqlite_file.c: before SQLite touches anything ------------------- */

/* Opens path (0600 if it is new), locks it against other processes and against this one, and checks its header.
 * STORE_FOREIGN, STORE_NEWER, STORE_DAMAGED, STORE_LOCKED, STORE; nothing is held and nothing was changed then. */
BULLA_MUST_USE enum bulla_err store_file_open(const char *path, struct bulla_call *call, struct store_file *out);
/* After the last connection is closed. remove: the file was new and could not be set up. */
void store_file_close(struct store_file *file, const char *path, bool remove);
/* Makes the file's name durable. STORE. */
BULLA_MUST_USE enum bulla_err store_file_sync_folder(const char *path, struct bulla_call *call);

/* store_sqlite_header.c: reads with pread only. fresh: nothing is there yet. STORE_FOREIGN, STORE_NEWER, STORE_DAMAGED, STORE. */
BULLA_MUST_USE enum bulla_err store_header_check(int fd, const char *path, struct bulla_call *call, bool *fresh);

/* ---- store_sqlite_vfs.c: what is free within a page is blank in the file --- */

#define STORE_VFS "bulla-unix-excl"
/* false: SQLite could not take it; nothing can be opened. */
bool store_vfs_ready(void);

/* ---- store_sqlite_connection.c -------------------------------------------- */

/* Sets the pragmas; does not prepare. STORE*. */
BULLA_MUST_USE enum bulla_err connection_open(struct connection *c, const char *path, struct bulla_call *call);
BULLA_MUST_USE enum bulla_err connection_prepare(struct connection *c, struct bulla_call *call);
void connection_close(struct connection *c);
/* Ends the transaction that is open, if one is. false: it is open still (no memory), and connection_heal has to see to it. */
bool connection_roll_back(struct connection *c);
/* With the lock, before each use: what a failure left closed or within a transaction is rolled back, or closed and opened again. The
 * flock on the file is held all the while, on a descriptor of its own, and so are SQLite's locks, which stay as long as any
 * connection of the process does. STORE*, NO_MEMORY: not this time; the next use tries it again. */
BULLA_MUST_USE enum bulla_err connection_heal(struct connection *c, const char *path, struct failure *why);
/* Runs SQL without parameters; results are dropped. STORE*. */
BULLA_MUST_USE enum bulla_err connection_run(struct connection *c, const char *sql, struct bulla_call *call);
/* Steps a statement that gives no row, and resets it: an SQLite result code, SQLITE_DONE when it went well. */
int connection_step(struct connection *c, enum statement which);
/* The error of the connection's last failure: STORE_FULL, STORE_DAMAGED, STORE_LOCKED, NO_MEMORY, else STORE. */
enum bulla_err connection_error(const struct connection *c, struct failure *why);
enum bulla_err connection_fail(const struct connection *c, struct bulla_call *call);

/* ---- store_sqlite_migrate.c ----------------------------------------------- */

/* Brings the schema to STORE_FORMAT, then WAL. STORE_ALTERED: it is not what we make; STORE*. */
BULLA_MUST_USE enum bulla_err store_migrate(struct connection *c, struct bulla_call *call);
/* Reads identity and sequence. STORE_DAMAGED, STORE. */
BULLA_MUST_USE enum bulla_err store_meta_read(struct sqlite_store *into, struct bulla_call *call);

/* ---- store_sqlite_read.c: of struct store_ops ------------------------------- */

BULLA_MUST_USE enum bulla_err store_sqlite_get(struct store *base, struct bulla_call *call, const struct store_id *id,
					       struct store_record *out);
BULLA_MUST_USE enum bulla_err store_sqlite_read(struct store *base, struct bulla_call *call, const struct store_span *spans, size_t count,
						store_visit *visit, void *context);

BULLA_MUST_USE enum bulla_err store_sqlite_read_all(struct store *base, struct bulla_call *call, store_visit_digest *visit_digest,
						    store_visit *visit, void *context);

/* ---- store_sqlite_commit.c ------------------------------------------------- */

BULLA_MUST_USE enum bulla_err store_sqlite_commit(struct store *base, struct bulla_call *call, const struct store_write *writes,
						  size_t count, struct store_stamp *stamp); /* of struct store_ops */

BULLA_MUST_USE enum bulla_err committer_init(struct committer *committer);
/* Waits until nobody commits. */
void committer_clear(struct committer *committer);

#endif
