/* store_sqlite.c: owns a store on SQLite from open to close. What lies behind the other functions of store.h:
 * _file and _header (before SQLite), _connection, _migrate, _commit, _read. Thread-safe once it is open. */
#include <sqlite3.h>
#include <stdlib.h>

#include "store/store_sqlite.h"

static void free_store(struct sqlite_store **at)
{
	struct sqlite_store *store = *at;

	if (store == NULL)
		return;
	bool unusable = store->file.created && store->reader_count == 0; /* set-up did not get to the readers */

	for (size_t i = 0; i < STORE_READERS; i++)
		connection_close(&store->readers[i]);
	connection_close(&store->writer);
	store_file_close(&store->file, store->path, unusable);
	free(store->path);
	free(store);
}

static enum bulla_err set_up(struct sqlite_store *store, const struct store_options *options, struct bulla_call *call)
{
	TRY(store_file_open(store->path, call, &store->file));
	if (options->max_bytes != 0) /* not of the reader connections: only the writer makes the file grow */
		store->writer.max_pages = options->max_bytes / STORE_PAGE_BYTES + 1;
	store->writer.reopened = &store->base.reopened;
	TRY(connection_open(&store->writer, store->path, call));
	TRY(store_migrate(&store->writer, call));
	TRY(connection_prepare(&store->writer, call));
	TRY(store_meta_read(store, call));
	if (store->file.created)
		TRY(store_file_sync_folder(store->path, call));
	for (size_t i = 0; i < STORE_READERS; i++) {
		TRY(connection_open(&store->readers[i], store->path, call));
		TRY(connection_prepare(&store->readers[i], call));
	}
	store->reader_count = STORE_READERS;
	return BULLA_OK;
}

/* SQLite's texts do not say which file they are about; those of _file and _header do. */
static enum bulla_err name_file(struct bulla_call *call, const char *path, enum bulla_err err)
{
	static const char prefix[] = "storage: ";
	struct bulla_bytes text = call->detail;

	if (text.len < sizeof prefix || memcmp(text.ptr, prefix, sizeof prefix - 1) != 0)
		return err;
	return bulla_fail(call, err, "%s: %s", path, (const char *)text.ptr + sizeof prefix - 1);
}

/* With writer.lock. */
static enum bulla_err scrub_log(struct sqlite_store *store, struct bulla_call *call)
{
	struct failure why;
	enum bulla_err err = connection_heal(&store->writer, store->path, &why);

	if (err != BULLA_OK)
		return bulla_fail(call, err, "storage: %s", why.text);
	if (sqlite3_wal_checkpoint_v2(store->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) != SQLITE_OK)
		return connection_fail(&store->writer, call);
	return BULLA_OK;
}

static enum bulla_err scrub(struct store *base, struct bulla_call *call)
{
	struct sqlite_store *store = sqlite_store(base);

	pthread_mutex_lock(&store->writer.lock);
	enum bulla_err err = scrub_log(store, call);

	pthread_mutex_unlock(&store->writer.lock);
	return err;
}

static void close_store(struct store *base)
{
	struct sqlite_store *store = sqlite_store(base);

	committer_clear(&store->committer);
	if (store->writer.db != NULL) /* if it fails, closing the last connection tries again, and the log has it all in any case */
		(void)sqlite3_wal_checkpoint_v2(store->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	free_store(&store);
}

static const struct store_ops sqlite_ops = {
	.kind = "sqlite",
	.close = close_store,
	.get = store_sqlite_get,
	.read = store_sqlite_read,
	.read_all = store_sqlite_read_all,
	.commit = store_sqlite_commit,
	.scrub = scrub,
};

enum bulla_err store_open_sqlite(const struct store_options *options, struct bulla_call *call, struct store **out)
{
	struct sqlite_store *store BULLA_CLEANUP(free_store) = calloc(1, sizeof *store);

	if (store == NULL)
		return BULLA_E_NO_MEMORY;
	store->base.ops = &sqlite_ops;
	store->base.writer = SQLITE_WRITER;
	store->file.fd = -1;
	store->path = strdup(options->path);
	if (store->path == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = set_up(store, options, call);

	if (err != BULLA_OK)
		return name_file(call, options->path, err);
	TRY(committer_init(&store->committer));
	*out = &store->base;
	store = NULL; /* now the caller's */
	return BULLA_OK;
}
