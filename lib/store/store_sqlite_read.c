/* store_sqlite_read.c: records by id and by spans of ids, on a connection beside the writer's. Thread-safe. */
#include <sqlite3.h>

#include "store/store_sqlite.h"

/* A connection, locked: a reader that is idle if there is one. */
static struct connection *lock_reader(struct sqlite_store *store)
{
	size_t first = atomic_fetch_add_explicit(&store->next_reader, 1, memory_order_relaxed);

	for (size_t i = 0; i < STORE_READERS; i++) {
		struct connection *c = &store->readers[(first + i) % STORE_READERS];

		if (pthread_mutex_trylock(&c->lock) == 0)
			return c;
	}
	struct connection *c = &store->readers[first % STORE_READERS];

	pthread_mutex_lock(&c->lock);
	return c;
}

static void give_back(struct connection **c)
{
	if (*c != NULL)
		pthread_mutex_unlock(&(*c)->lock);
}

/* One that can be used: a failure before this one may have left it otherwise. Locked also on failure. */
static enum bulla_err take_reader(struct sqlite_store *store, struct bulla_call *call, struct connection **out)
{
	struct failure why;

	*out = lock_reader(store);
	enum bulla_err err = connection_heal(*out, store->path, &why);

	return err == BULLA_OK ? BULLA_OK : bulla_fail(call, err, "storage: %s", why.text);
}

/* The columns of the current row from at on: revision, sequence, bytes (borrowed until the next step). NO_MEMORY. */
static enum bulla_err row_record(struct sqlite3_stmt *s, int at, struct store_record *out)
{
	const void *bytes = sqlite3_column_blob(s, at + 2); /* before its length is asked for, says SQLite */

	out->revision = (uint64_t)sqlite3_column_int64(s, at);
	out->stamp = (struct store_stamp){ SQLITE_WRITER, (uint64_t)sqlite3_column_int64(s, at + 1) };
	out->bytes = bulla_mem(bytes, (size_t)sqlite3_column_bytes(s, at + 2));
	return bytes == NULL && sqlite3_errcode(sqlite3_db_handle(s)) == SQLITE_NOMEM ? BULLA_E_NO_MEMORY : BULLA_OK;
}

static enum bulla_err get_row(struct connection *c, struct bulla_call *call, const struct store_id *id, struct store_record *out)
{
	struct sqlite3_stmt *s = c->statements[ST_GET];
	struct store_record record = { .id = *id };

	if (sqlite3_bind_blob(s, 1, id->bytes, sizeof id->bytes, SQLITE_STATIC) != SQLITE_OK)
		return connection_fail(c, call);
	int rc = sqlite3_step(s);

	if (rc == SQLITE_DONE)
		return BULLA_E_NOT_FOUND;
	if (rc != SQLITE_ROW)
		return connection_fail(c, call);
	TRY(row_record(s, 0, &record));
	record.bytes = bulla_arena_copy(call->arena, record.bytes);
	if (record.bytes.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	*out = record;
	return BULLA_OK;
}

enum bulla_err store_sqlite_get(struct store *base, struct bulla_call *call, const struct store_id *id, struct store_record *out)
{
	struct connection *c BULLA_CLEANUP(give_back) = NULL;

	TRY(take_reader(sqlite_store(base), call, &c));
	enum bulla_err err = get_row(c, call, id, out);

	(void)sqlite3_reset(c->statements[ST_GET]);
	return err;
}

/* Behind id before, NULL: the first. In a tree out of order a record may be found by its id, and by no walk; or the other way round. */
static enum bulla_err row_id(struct sqlite3_stmt *s, struct bulla_call *call, const struct store_id *before, struct store_id *out)
{
	const void *id = sqlite3_column_blob(s, 0);

	if (id == NULL || sqlite3_column_bytes(s, 0) != sizeof out->bytes)
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "storage: a record's id is damaged");
	if (before != NULL && memcmp(before->bytes, id, sizeof out->bytes) >= 0)
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "storage: the records are out of order");
	memcpy(out->bytes, id, sizeof out->bytes);
	return BULLA_OK;
}

static enum bulla_err visit_rows(struct store *base, struct connection *c, enum statement which, struct bulla_call *call, store_visit *visit,
				 void *context)
{
	struct sqlite3_stmt *s = c->statements[which];
	struct store_record record;
	const struct store_id *before = NULL;
	int rc;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		atomic_fetch_add_explicit(&base->reads, 1, memory_order_relaxed);
		TRY(row_id(s, call, before, &record.id));
		before = &record.id;
		TRY(row_record(s, 1, &record));
		TRY(visit(&record, context));
	}
	return rc == SQLITE_DONE ? BULLA_OK : connection_fail(c, call);
}

static enum bulla_err read_span(struct store *base, struct connection *c, struct bulla_call *call, const struct store_span *span,
				store_visit *visit, void *context)
{
	struct sqlite3_stmt *s = c->statements[ST_SCAN];

	if (sqlite3_bind_blob(s, 1, span->first.bytes, sizeof span->first.bytes, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_blob(s, 2, span->last.bytes, sizeof span->last.bytes, SQLITE_STATIC) != SQLITE_OK)
		return connection_fail(c, call);
	enum bulla_err err = visit_rows(base, c, ST_SCAN, call, visit, context);

	(void)sqlite3_reset(s);
	return err;
}

/* A transaction keeps several statements to one snapshot; a single one has its own. If its end fails, connection_heal sees to it. */
enum bulla_err store_sqlite_read(struct store *base, struct bulla_call *call, const struct store_span *spans, size_t count,
				 store_visit *visit, void *context)
{
	struct connection *c BULLA_CLEANUP(give_back) = NULL;
	enum bulla_err err = BULLA_OK;

	TRY(take_reader(sqlite_store(base), call, &c));
	if (count > 1 && connection_step(c, ST_BEGIN_READ) != SQLITE_DONE)
		return connection_fail(c, call);
	for (size_t i = 0; i < count && err == BULLA_OK; i++)
		err = read_span(base, c, call, &spans[i], visit, context);
	if (count > 1)
		(void)connection_roll_back(c);
	return err;
}

static enum bulla_err visit_meta(struct connection *c, struct bulla_call *call, store_visit_digest *visit, void *context)
{
	struct sqlite3_stmt *s = c->statements[ST_DIGEST_GET];

	if (sqlite3_step(s) != SQLITE_ROW)
		return connection_fail(c, call);
	struct store_stamp stamp = { SQLITE_WRITER, (uint64_t)sqlite3_column_int64(s, 0) };
	const void *bytes = sqlite3_column_blob(s, 1);

	if (bytes == NULL) /* there is none, or no memory for it */
		return sqlite3_errcode(c->db) == SQLITE_NOMEM ? BULLA_E_NO_MEMORY : BULLA_OK;
	return visit(&stamp, bulla_mem(bytes, (size_t)sqlite3_column_bytes(s, 1)), context);
}

static enum bulla_err read_digest(struct connection *c, struct bulla_call *call, store_visit_digest *visit, void *context)
{
	enum bulla_err err = visit_meta(c, call, visit, context);

	(void)sqlite3_reset(c->statements[ST_DIGEST_GET]);
	return err;
}

static enum bulla_err read_all(struct store *base, struct bulla_call *call, store_visit_digest *visit_digest, store_visit *visit, void *context)
{
	struct connection *c BULLA_CLEANUP(give_back) = NULL;

	TRY(take_reader(sqlite_store(base), call, &c));
	if (connection_step(c, ST_BEGIN_READ) != SQLITE_DONE)
		return connection_fail(c, call);
	enum bulla_err err = read_digest(c, call, visit_digest, context);

	if (err == BULLA_OK)
		err = visit_rows(base, c, ST_SCAN_ALL, call, visit, context);
	(void)sqlite3_reset(c->statements[ST_SCAN_ALL]);
	(void)connection_roll_back(c);
	return err;
}

/* A transaction that has closed its account is durable, or has failed, before that is read. */
enum bulla_err store_sqlite_read_all(struct store *base, struct bulla_call *call, store_visit_digest *visit_digest, store_visit *visit,
				     void *context)
{
	struct sqlite_store *store = sqlite_store(base);

	pthread_mutex_lock(&store->writer.lock);
	enum bulla_err err = read_all(base, call, visit_digest, visit, context);

	pthread_mutex_unlock(&store->writer.lock);
	return err;
}
