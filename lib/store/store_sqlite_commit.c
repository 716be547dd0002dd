/* store_sqlite_commit.c: owns writing: batches of many threads as one transaction with one fsync. Thread-safe.
 *
 * Lock order: committer.lock is never held together with writer.lock. */
#include <sqlite3.h>
#include <stdio.h>

#include "store/store_sqlite.h"

enum bulla_err committer_init(struct committer *committer)
{
	*committer = (struct committer){ 0 };
	if (pthread_mutex_init(&committer->lock, NULL) != 0)
		return BULLA_E_NO_MEMORY;
	if (pthread_cond_init(&committer->changed, NULL) != 0) {
		(void)pthread_mutex_destroy(&committer->lock);
		return BULLA_E_NO_MEMORY;
	}
	committer->end = &committer->first;
	return BULLA_OK;
}

void committer_clear(struct committer *committer)
{
	pthread_mutex_lock(&committer->lock);
	while (committer->leading || committer->first != NULL)
		pthread_cond_wait(&committer->changed, &committer->lock);
	pthread_mutex_unlock(&committer->lock);
	(void)pthread_cond_destroy(&committer->changed);
	(void)pthread_mutex_destroy(&committer->lock);
}

/* ---- one batch, within a transaction ---------------------------------------- */

static enum bulla_err failed(struct connection *c, struct commit_request *r)
{
	return connection_error(c, &r->why);
}

/* What is there of the record. A creation finds that out as it is made. */
static enum bulla_err see(struct connection *c, const struct store_write *w, struct commit_request *r, struct store_seen *out)
{
	struct sqlite3_stmt *s = c->statements[ST_SEE];

	*out = (struct store_seen){ 0 };
	if (w->change == STORE_PUT && w->expected == 0)
		return BULLA_OK;
	if (sqlite3_bind_blob(s, 1, w->id.bytes, sizeof w->id.bytes, SQLITE_STATIC) != SQLITE_OK)
		return failed(c, r);
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW) {
		const void *bytes = sqlite3_column_blob(s, 1);

		out->revision = (uint64_t)sqlite3_column_int64(s, 0);
		out->mark = store_mark(bulla_mem(bytes, bytes != NULL ? (size_t)sqlite3_column_bytes(s, 1) : 0));
		rc = bytes == NULL && sqlite3_errcode(c->db) == SQLITE_NOMEM ? SQLITE_NOMEM : SQLITE_DONE;
	}
	enum bulla_err err = rc == SQLITE_DONE ? BULLA_OK : failed(c, r);

	(void)sqlite3_reset(s);
	return err;
}

static enum bulla_err run_write(struct connection *c, enum statement which, const struct store_write *w, uint64_t sequence,
				struct commit_request *r)
{
	struct sqlite3_stmt *s = c->statements[which];
	int rc = sqlite3_bind_blob(s, 1, w->id.bytes, sizeof w->id.bytes, SQLITE_STATIC);

	if (rc == SQLITE_OK && which != ST_DELETE)
		rc = sqlite3_bind_int64(s, 2, (sqlite3_int64)store_revision(w));
	if (rc == SQLITE_OK && which != ST_DELETE)
		rc = sqlite3_bind_int64(s, 3, (sqlite3_int64)sequence);
	if (rc == SQLITE_OK && which != ST_DELETE)
		rc = sqlite3_bind_blob64(s, 4, w->bytes.len ? (const void *)w->bytes.ptr : "", w->bytes.len, SQLITE_STATIC);
	if (rc != SQLITE_OK)
		return failed(c, r);
	rc = connection_step(c, which);
	if (which == ST_INSERT && rc == SQLITE_CONSTRAINT_PRIMARYKEY)
		return BULLA_E_CONFLICT;
	return rc == SQLITE_DONE ? BULLA_OK : failed(c, r);
}

static enum bulla_err apply_write(struct sqlite_store *store, const struct store_write *w, uint64_t sequence, struct commit_request *r)
{
	struct connection *c = &store->writer;
	struct store_seen seen;

	TRY(see(c, w, r, &seen));
	if (!store_write_holds(w, seen.revision))
		return BULLA_E_CONFLICT;
	if (w->change == STORE_PUT)
		TRY(run_write(c, w->expected == 0 ? ST_INSERT : ST_UPDATE, w, sequence, r));
	else if (w->change == STORE_DELETE && seen.revision != 0)
		TRY(run_write(c, ST_DELETE, w, sequence, r));
	store_digest_note(&store->base, &seen, w);
	return BULLA_OK;
}

static enum bulla_err apply_batch(struct sqlite_store *store, uint64_t sequence, struct commit_request *r)
{
	struct connection *c = &store->writer;
	enum bulla_err err = BULLA_OK;

	if (connection_step(c, ST_SAVEPOINT) != SQLITE_DONE)
		return failed(c, r);
	store_digest_batch(&store->base);
	for (size_t i = 0; i < r->count && err == BULLA_OK; i++)
		err = apply_write(store, &r->writes[i], sequence, r);
	if (err != BULLA_OK && err != BULLA_E_CONFLICT)
		return err; /* the whole transaction is rolled back */
	if (err == BULLA_E_CONFLICT)
		store_digest_refuse(&store->base);
	if (err == BULLA_E_CONFLICT && connection_step(c, ST_ROLLBACK_TO) != SQLITE_DONE)
		return failed(c, r);
	if (connection_step(c, ST_RELEASE) != SQLITE_DONE)
		return failed(c, r);
	return err;
}

/* The number of the last commit, and the account of what the transaction leaves. Only this process writes them: if the number is not what it
 * was left at, somebody else has changed the file. */
static enum bulla_err write_meta(struct sqlite_store *store, uint64_t sequence, struct commit_request *r)
{
	const struct store_digest *digest = store->base.digest;
	struct connection *c = &store->writer;
	enum statement which = digest != NULL ? ST_DIGEST : ST_SEQUENCE;
	struct sqlite3_stmt *s = c->statements[which];
	struct bulla_bytes bytes = { 0 };

	if (digest != NULL)
		TRY(digest->close(digest->context, &(struct store_stamp){ SQLITE_WRITER, sequence }, &bytes));
	int rc = sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(s, 2, (sqlite3_int64)atomic_load(&store->base.sequence));
	if (rc == SQLITE_OK && digest != NULL)
		rc = sqlite3_bind_blob(s, 3, bytes.ptr, (int)bytes.len, SQLITE_STATIC);
	if (rc != SQLITE_OK || connection_step(c, which) != SQLITE_DONE)
		return failed(c, r);
	if (sqlite3_changes(c->db) == 1)
		return BULLA_OK;
	(void)snprintf(r->why.text, sizeof r->why.text, "another process has changed the file");
	return BULLA_E_STORE_ALTERED;
}

/* What all batches of the transaction have in common, and the end of it. */
static enum bulla_err finish(struct sqlite_store *store, uint64_t sequence, struct commit_request *r)
{
	TRY(write_meta(store, sequence, r));
	if (connection_step(&store->writer, ST_COMMIT) != SQLITE_DONE)
		return failed(&store->writer, r);
	store_digest_settle(&store->base);
	return BULLA_OK;
}

/* ---- a group ------------------------------------------------------------------ */

static bool is_settled(enum bulla_err err)
{
	return err == BULLA_OK || err == BULLA_E_CONFLICT;
}

static void fail_all(struct commit_request *first, const struct commit_request *cause)
{
	for (struct commit_request *r = first; r != NULL; r = r->next) {
		r->result = cause->result;
		if (r != cause)
			r->why = cause->why;
	}
}

/* A transaction may not be left open: whoever comes next finds it, and cannot begin. If memory is short even for that, it is
 * tried again then (connection_heal). */
static void roll_back(struct connection *c)
{
	(void)connection_roll_back(c);
}

static enum bulla_err begin(struct sqlite_store *store, struct commit_request *r)
{
	struct connection *c = &store->writer;

	TRY(connection_heal(c, store->path, &r->why));
	return connection_step(c, ST_BEGIN) == SQLITE_DONE ? BULLA_OK : failed(c, r);
}

/* All of the list in one transaction: each batch's result is OK or CONFLICT, or all have the error that rolled it back. */
static void run_transaction(struct sqlite_store *store, struct commit_request *first)
{
	struct connection *c = &store->writer;
	uint64_t sequence = atomic_load(&store->base.sequence), good = 0;
	struct commit_request *r = first;

	r->result = begin(store, r);
	if (r->result != BULLA_OK) {
		if (c->db != NULL)
			roll_back(c); /* it may have begun nonetheless */
		return fail_all(first, r);
	}
	store_digest_begin(&store->base);
	for (; r != NULL; r = r->next) {
		r->result = apply_batch(store, sequence + 1, r);
		if (!is_settled(r->result)) {
			roll_back(c);
			return fail_all(first, r);
		}
		if (r->result == BULLA_OK)
			r->sequence = ++sequence, good++;
	}
	if (good == 0)
		return roll_back(c);
	enum bulla_err err = finish(store, sequence, first);

	if (err != BULLA_OK) {
		first->result = err;
		roll_back(c);
		return fail_all(first, first);
	}
	atomic_store(&store->base.sequence, sequence);
	atomic_fetch_add(&store->base.transactions, 1);
	atomic_fetch_add(&store->base.batches, good);
}

/* If the group's transaction fails, each batch gets one of its own: the one that was too large for the disk fails alone.
 * On a full disk the log is emptied first: what it holds may well fit the file, and then there is room in the log. */
static void run_group(struct sqlite_store *store, struct commit_request *first)
{
	pthread_mutex_lock(&store->writer.lock);
	run_transaction(store, first);
	bool full = first->result == BULLA_E_STORE_FULL, again = full || (!is_settled(first->result) && first->next != NULL);

	if (full && store->writer.db != NULL) /* if it fails, the attempts below tell */
		(void)sqlite3_wal_checkpoint_v2(store->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	for (struct commit_request *r = again ? first : NULL; r != NULL;) {
		struct commit_request *next = r->next;

		r->next = NULL;
		run_transaction(store, r);
		r->next = next;
		r = next;
	}
	pthread_mutex_unlock(&store->writer.lock);
}

/* With committer->lock, which is let go meanwhile. */
static void lead(struct sqlite_store *store, struct committer *committer)
{
	struct commit_request *group = committer->first;

	committer->leading = true;
	committer->first = NULL;
	committer->end = &committer->first;
	pthread_mutex_unlock(&committer->lock);
	run_group(store, group);
	pthread_mutex_lock(&committer->lock);
	for (struct commit_request *r = group; r != NULL;) {
		struct commit_request *next = r->next; /* r is gone as soon as its owner sees done: after our unlock */

		r->done = true;
		r = next;
	}
	committer->leading = false;
	pthread_cond_broadcast(&committer->changed);
}

enum bulla_err store_sqlite_commit(struct store *base, struct bulla_call *call, const struct store_write *writes, size_t count,
				   struct store_stamp *stamp)
{
	struct commit_request r = { .writes = writes, .count = count };
	struct sqlite_store *store = sqlite_store(base);
	struct committer *committer = &store->committer;

	pthread_mutex_lock(&committer->lock);
	*committer->end = &r;
	committer->end = &r.next;
	while (!r.done && committer->leading)
		pthread_cond_wait(&committer->changed, &committer->lock);
	if (!r.done)
		lead(store, committer);
	pthread_mutex_unlock(&committer->lock);
	if (r.why.text[0] != '\0' && !is_settled(r.result) && r.result != BULLA_E_STORE_FULL)
		return bulla_fail(call, r.result, "storage: %s", r.why.text);
	if (r.result == BULLA_OK)
		*stamp = (struct store_stamp){ SQLITE_WRITER, r.sequence };
	return r.result;
}
