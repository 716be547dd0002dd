/* store_sqlite_read.c: get and scan, on a connection beside the writer's. Thread-safe. */
#include <sqlite3.h>

#include "store/store_sqlite.h"

/* A connection, locked: a reader that is idle if there is one. */
static struct connection *lock_reader(struct store *store)
{
	if (store->reader_count == 0) {
		pthread_mutex_lock(&store->writer.lock);
		return &store->writer;
	}
	size_t first = atomic_fetch_add_explicit(&store->next_reader, 1, memory_order_relaxed);

	for (size_t i = 0; i < store->reader_count; i++) {
		struct connection *c = &store->readers[(first + i) % store->reader_count];

		if (pthread_mutex_trylock(&c->lock) == 0)
			return c;
	}
	struct connection *c = &store->readers[first % store->reader_count];

	pthread_mutex_lock(&c->lock);
	return c;
}

static void give_back(struct connection **c)
{
	if (*c != NULL)
		pthread_mutex_unlock(&(*c)->lock);
}

/* One that can be used: a failure before this one may have left it otherwise. Locked also on failure. */
static enum bulla_err take_reader(struct store *store, struct bulla_call *call, struct connection **out)
{
	struct failure why;

	*out = lock_reader(store);
	enum bulla_err err = connection_heal(*out, store->path, &why);

	return err == BULLA_OK ? BULLA_OK : bulla_fail(call, err, "storage: %s", why.text);
}

/* The columns of the current row from at on: revision, bytes (borrowed until the next step). NO_MEMORY. */
static enum bulla_err row_record(struct sqlite3_stmt *s, int at, struct store_record *out)
{
	const void *bytes = sqlite3_column_blob(s, at + 1); /* before its length is asked for, says SQLite */

	out->revision = (uint64_t)sqlite3_column_int64(s, at);
	out->bytes = bulla_mem(bytes, (size_t)sqlite3_column_bytes(s, at + 1));
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

enum bulla_err store_get(struct store *store, struct bulla_call *call, const struct store_id *id, struct store_record *out)
{
	TRY(bulla_work(call, BULLA_WORK_DISK));
	atomic_fetch_add_explicit(&store->reads, 1, memory_order_relaxed);
	struct connection *c BULLA_CLEANUP(give_back) = NULL;

	TRY(take_reader(store, call, &c));
	enum bulla_err err = get_row(c, call, id, out);

	(void)sqlite3_reset(c->statements[ST_GET]);
	return err;
}

static enum bulla_err scan_rows(struct store *store, struct connection *c, struct bulla_call *call, store_visit *visit,
				void *context)
{
	struct sqlite3_stmt *s = c->statements[ST_SCAN];
	struct store_record record;
	int rc;

	atomic_fetch_add_explicit(&store->reads, 1, memory_order_relaxed);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		atomic_fetch_add_explicit(&store->reads, 1, memory_order_relaxed);
		const void *id = sqlite3_column_blob(s, 0);

		if (id == NULL || sqlite3_column_bytes(s, 0) != sizeof record.id.bytes)
			return bulla_fail(call, BULLA_E_STORE_DAMAGED, "storage: a record's id is damaged");
		memcpy(record.id.bytes, id, sizeof record.id.bytes);
		TRY(row_record(s, 1, &record));
		TRY(visit(&record, context));
	}
	return rc == SQLITE_DONE ? BULLA_OK : connection_fail(c, call);
}

enum bulla_err store_scan_from(struct store *store, struct bulla_call *call, const struct store_id *first, store_visit *visit,
			       void *context)
{
	struct store_id high;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	memset(high.bytes, 0xff, sizeof high.bytes);
	memcpy(high.bytes, first->bytes, STORE_COLLECTION);
	struct connection *c BULLA_CLEANUP(give_back) = NULL;

	TRY(take_reader(store, call, &c));
	struct sqlite3_stmt *s = c->statements[ST_SCAN];

	if (sqlite3_bind_blob(s, 1, first->bytes, sizeof first->bytes, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_blob(s, 2, high.bytes, sizeof high.bytes, SQLITE_STATIC) != SQLITE_OK)
		return connection_fail(c, call);
	enum bulla_err err = scan_rows(store, c, call, visit, context);

	(void)sqlite3_reset(s);
	return err;
}

enum bulla_err store_scan(struct store *store, struct bulla_call *call, const uint8_t collection[STORE_COLLECTION],
			  store_visit *visit, void *context)
{
	struct store_id first = { { 0 } };

	memcpy(first.bytes, collection, STORE_COLLECTION);
	return store_scan_from(store, call, &first, visit, context);
}
