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

/* Which statement carries the write out. */
static enum statement statement_of(const struct store_write *w)
{
	if (w->change == STORE_PUT)
		return w->expected == 0 ? ST_INSERT : ST_UPDATE;
	if (w->expected == 0 || (w->change == STORE_CHECK && w->expected == STORE_ANY_REVISION))
		return ST_EXISTS;
	if (w->change == STORE_CHECK)
		return ST_CHECK;
	return w->expected == STORE_ANY_REVISION ? ST_DELETE_ANY : ST_DELETE;
}

static enum bulla_err apply_write(struct connection *c, const struct store_write *w, uint64_t sequence, struct commit_request *r)
{
	enum statement which = statement_of(w);
	struct sqlite3_stmt *s = c->statements[which];
	int wanted = sqlite3_bind_parameter_count(s);
	int rc = sqlite3_bind_blob(s, 1, w->id.bytes, sizeof w->id.bytes, SQLITE_STATIC);

	if (rc == SQLITE_OK && wanted >= 2)
		rc = sqlite3_bind_int64(s, 2, (sqlite3_int64)(w->change == STORE_PUT ? store_revision(w) : w->expected));
	if (rc == SQLITE_OK && wanted >= 3)
		rc = sqlite3_bind_int64(s, 3, (sqlite3_int64)sequence);
	if (rc == SQLITE_OK && wanted >= 4)
		rc = sqlite3_bind_blob64(s, 4, w->bytes.len ? (const void *)w->bytes.ptr : "", w->bytes.len, SQLITE_STATIC);
	if (rc != SQLITE_OK)
		return failed(c, r);
	rc = connection_step(c, which);
	if (rc == (w->change == STORE_CHECK && w->expected != 0 ? SQLITE_DONE : SQLITE_ROW))
		return BULLA_E_CONFLICT;
	if (which == ST_INSERT && rc == SQLITE_CONSTRAINT_PRIMARYKEY)
		return BULLA_E_CONFLICT;
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		return failed(c, r);
	if ((which == ST_UPDATE || which == ST_DELETE) && sqlite3_changes(c->db) == 0)
		return BULLA_E_CONFLICT;
	return BULLA_OK;
}

static enum bulla_err apply_batch(struct connection *c, uint64_t sequence, struct commit_request *r)
{
	enum bulla_err err = BULLA_OK;

	if (connection_step(c, ST_SAVEPOINT) != SQLITE_DONE)
		return failed(c, r);
	for (size_t i = 0; i < r->count && err == BULLA_OK; i++)
		err = apply_write(c, &r->writes[i], sequence, r);
	if (err != BULLA_OK && err != BULLA_E_CONFLICT)
		return err; /* the whole transaction is rolled back */
	if (err == BULLA_E_CONFLICT && connection_step(c, ST_ROLLBACK_TO) != SQLITE_DONE)
		return failed(c, r);
	if (connection_step(c, ST_RELEASE) != SQLITE_DONE)
		return failed(c, r);
	return err;
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
	uint64_t sequence = store->sequence, good = 0;
	struct commit_request *r = first;

	r->result = begin(store, r);
	if (r->result != BULLA_OK) {
		if (c->db != NULL)
			roll_back(c); /* it may have begun nonetheless */
		return fail_all(first, r);
	}
	for (; r != NULL; r = r->next) {
		r->result = apply_batch(c, sequence + 1, r);
		if (!is_settled(r->result)) {
			roll_back(c);
			return fail_all(first, r);
		}
		if (r->result == BULLA_OK)
			r->sequence = ++sequence, good++;
	}
	if (good == 0)
		return roll_back(c);
	if (sqlite3_bind_int64(c->statements[ST_SEQUENCE], 1, (sqlite3_int64)sequence) != SQLITE_OK ||
	    connection_step(c, ST_SEQUENCE) != SQLITE_DONE || connection_step(c, ST_COMMIT) != SQLITE_DONE) {
		first->result = failed(c, first);
		roll_back(c);
		return fail_all(first, first);
	}
	store->sequence = sequence;
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
	if (!is_settled(r.result) && r.result != BULLA_E_STORE_FULL)
		return bulla_fail(call, r.result, "storage: %s", r.why.text);
	if (r.result == BULLA_OK)
		*stamp = (struct store_stamp){ SQLITE_WRITER, r.sequence };
	return r.result;
}
