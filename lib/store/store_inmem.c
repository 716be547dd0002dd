/* store_inmem.c: owns a store in memory: its handles, reading and committing. Thread-safe. */
#include "store/store_inmem.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

static struct store_record record_of(const struct inmem_record *record)
{
	return (struct store_record){ record->id, record->revision, record->stamp, bulla_mem(record->bytes, record->len) };
}

static enum bulla_err get(struct store *base, struct bulla_call *call, const struct store_id *id, struct store_record *out)
{
	struct inmem *shared = inmem_store(base)->shared;
	enum bulla_err err = BULLA_E_NOT_FOUND;

	pthread_mutex_lock(&shared->lock);
	const struct inmem_record *record = inmem_records_find(&shared->records, id);

	if (record != NULL) {
		struct bulla_bytes copy = bulla_arena_copy(call->arena, record_of(record).bytes);

		err = copy.ptr != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
		if (err == BULLA_OK) {
			*out = record_of(record);
			out->bytes = copy;
		}
	}
	pthread_mutex_unlock(&shared->lock);
	return err;
}

/* With the lock. */
static enum bulla_err read_span(struct store *base, const struct inmem_records *records, const struct store_span *span,
				store_visit *visit, void *context)
{
	struct inmem_place at = inmem_records_from(records, &span->first);
	const struct inmem_record *record;

	while ((record = inmem_records_next(records, &at)) != NULL &&
	       memcmp(record->id.bytes, span->last.bytes, sizeof record->id.bytes) <= 0) {
		struct store_record found = record_of(record);

		atomic_fetch_add_explicit(&base->reads, 1, memory_order_relaxed);
		TRY(visit(&found, context));
	}
	return BULLA_OK;
}

static enum bulla_err read_spans(struct store *base, struct bulla_call *call, const struct store_span *spans, size_t count,
				 store_visit *visit, void *context)
{
	struct inmem *shared = inmem_store(base)->shared;
	enum bulla_err err = BULLA_OK;

	(void)call;
	pthread_mutex_lock(&shared->lock);
	for (size_t i = 0; i < count && err == BULLA_OK; i++)
		err = read_span(base, &shared->records, &spans[i], visit, context);
	pthread_mutex_unlock(&shared->lock);
	return err;
}

static enum bulla_err read_all(struct store *base, struct bulla_call *call, store_visit_digest *visit_digest, store_visit *visit, void *context)
{
	struct inmem *shared = inmem_store(base)->shared;
	struct store_span all = { .first = { { 0 } } };
	enum bulla_err err = BULLA_OK;

	(void)call;
	memset(all.last.bytes, 0xff, sizeof all.last.bytes);
	pthread_mutex_lock(&shared->lock);
	for (size_t i = 0; i < shared->digest_count && err == BULLA_OK; i++)
		err = visit_digest(&shared->digests[i].stamp, bulla_mem(shared->digests[i].bytes, shared->digests[i].len), context);
	if (err == BULLA_OK)
		err = read_span(base, &shared->records, &all, visit, context);
	pthread_mutex_unlock(&shared->lock);
	return err;
}

/* ---- committing: first all that can fail ---------------------------------------------------------------------------------- */

/* What is there of the record of writes[at] once the writes before it are done: revision 0 is none. */
struct present {
	uint64_t revision;
	struct bulla_bytes bytes;
};

static struct present present_at(const struct inmem *shared, const struct store_write *writes, size_t at)
{
	for (size_t i = at; i-- > 0;)
		if (writes[i].change != STORE_CHECK && memcmp(&writes[i].id, &writes[at].id, sizeof writes[at].id) == 0)
			return writes[i].change == STORE_DELETE ? (struct present){ 0 } :
								  (struct present){ store_revision(&writes[i]), writes[i].bytes };
	const struct inmem_record *record = inmem_records_find(&shared->records, &writes[at].id);

	return record != NULL ? (struct present){ record->revision, bulla_mem(record->bytes, record->len) } : (struct present){ 0 };
}

static void note(const struct inmem_store *store, const struct present *present, const struct store_write *write)
{
	struct store_seen seen = { present->revision, store_mark(present->bytes) };

	store_digest_note(&store->base, &seen, write);
}

/* Whether all expectations hold, and the bytes in use afterwards. CONFLICT, STORE_FULL. */
static enum bulla_err check(const struct inmem_store *store, const struct store_write *writes, size_t count, uint64_t *used)
{
	const struct inmem *shared = store->shared;

	*used = shared->used_bytes;
	for (size_t i = 0; i < count; i++) {
		struct present present = present_at(shared, writes, i);

		if (!store_write_holds(&writes[i], present.revision))
			return BULLA_E_CONFLICT;
		if (writes[i].change == STORE_CHECK)
			continue;
		*used -= present.revision != 0 ? present.bytes.len + sizeof(struct inmem_record) : 0;
		*used += writes[i].change == STORE_PUT ? writes[i].bytes.len + sizeof(struct inmem_record) : 0;
		note(store, &present, &writes[i]);
	}
	return shared->max_bytes != 0 && *used > shared->max_bytes && *used > shared->used_bytes ? BULLA_E_STORE_FULL : BULLA_OK;
}

static void free_made(struct inmem_record **made, size_t count)
{
	for (size_t i = 0; made != NULL && i < count; i++)
		inmem_record_free(made[i]);
	free(made);
}

/* The records of the PUTs, at their places in the batch. NULL: no memory. */
static struct inmem_record **make_records(const struct store_write *writes, size_t count, struct store_stamp stamp)
{
	struct inmem_record **made = calloc(count, sizeof *made);

	for (size_t i = 0; made != NULL && i < count; i++) {
		if (writes[i].change != STORE_PUT)
			continue;
		made[i] = inmem_record_new(&writes[i].id, writes[i].bytes);
		if (made[i] == NULL) {
			free_made(made, count);
			return NULL;
		}
		made[i]->revision = store_revision(&writes[i]);
		made[i]->stamp = stamp;
	}
	return made;
}

/* Nothing fails any more. */
static void apply(struct inmem *shared, const struct store_write *writes, size_t count, struct inmem_record **made, struct store_stamp stamp)
{
	for (size_t i = 0; i < count; i++) {
		if (writes[i].change == STORE_PUT)
			inmem_record_free(inmem_records_put(&shared->records, made[i]));
		else if (writes[i].change == STORE_DELETE)
			inmem_record_free(inmem_records_take(&shared->records, &writes[i].id));
		inmem_note(shared, &writes[i], stamp);
	}
}

/* Where the digest of the writer is to be kept; behind those that there are, if it is new. NULL: no memory. */
static struct inmem_digest *digest_of(struct inmem *shared, uint64_t writer)
{
	for (size_t i = 0; i < shared->digest_count; i++)
		if (shared->digests[i].stamp.writer == writer)
			return &shared->digests[i];
	struct inmem_digest *more = realloc(shared->digests, (shared->digest_count + 1) * sizeof *more);

	if (more == NULL)
		return NULL;
	shared->digests = more;
	return &more[shared->digest_count];
}

/* What is to be kept of the account; at: where, NULL if nobody keeps one. */
static enum bulla_err close_digest(const struct inmem_store *store, const struct store_stamp *stamp, struct inmem_digest **at, struct bulla_bytes *out)
{
	const struct store_digest *digest = store->base.digest;

	if (digest == NULL)
		return BULLA_OK;
	TRY(digest->close(digest->context, stamp, out));
	*at = digest_of(store->shared, stamp->writer);
	return *at != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
}

static void keep_digest(struct inmem *shared, struct inmem_digest *at, const struct store_stamp *stamp, struct bulla_bytes digest)
{
	if (at == NULL)
		return;
	if (at == &shared->digests[shared->digest_count])
		shared->digest_count++;
	at->stamp = *stamp;
	at->len = digest.len;
	memcpy(at->bytes, digest.ptr, digest.len);
}

static size_t count_puts(const struct store_write *writes, size_t count)
{
	size_t puts = 0;

	for (size_t i = 0; i < count; i++)
		puts += writes[i].change == STORE_PUT;
	return puts;
}

/* With the lock. */
static enum bulla_err commit_locked(struct inmem_store *store, const struct store_write *writes, size_t count)
{
	struct inmem *shared = store->shared;
	struct store_stamp stamp = { store->base.writer, atomic_load(&store->base.sequence) + 1 };
	struct bulla_bytes digest = { 0 };
	struct inmem_digest *kept = NULL;
	uint64_t used;

	store_digest_begin(&store->base);
	store_digest_batch(&store->base);
	TRY(check(store, writes, count, &used));
	TRY(close_digest(store, &stamp, &kept, &digest));
	TRY(inmem_records_reserve(&shared->records, count_puts(writes, count)));
	struct inmem_record **made = make_records(writes, count, stamp);

	if (made == NULL) {
		inmem_records_settle(&shared->records);
		return BULLA_E_NO_MEMORY;
	}
	apply(shared, writes, count, made, stamp);
	free(made);
	inmem_records_settle(&shared->records);
	keep_digest(shared, kept, &stamp, digest);
	shared->used_bytes = used;
	atomic_fetch_add(&store->base.sequence, 1);
	store_digest_settle(&store->base);
	return BULLA_OK;
}

static enum bulla_err commit(struct store *base, struct bulla_call *call, const struct store_write *writes, size_t count,
			     struct store_stamp *stamp)
{
	struct inmem_store *store = inmem_store(base);

	(void)call;
	pthread_mutex_lock(&store->shared->lock);
	enum bulla_err err = commit_locked(store, writes, count);

	if (err == BULLA_OK)
		*stamp = (struct store_stamp)store_last(base);
	pthread_mutex_unlock(&store->shared->lock);
	if (err == BULLA_OK) {
		atomic_fetch_add(&base->transactions, 1);
		atomic_fetch_add(&base->batches, 1);
	}
	return err;
}

static enum bulla_err scrub(struct store *base, struct bulla_call *call)
{
	(void)base, (void)call; /* records are wiped where they are freed */
	return BULLA_OK;
}

/* ---- handles ------------------------------------------------------------------------------------------------------------ */

static void free_shared(struct inmem *shared)
{
	inmem_records_free(&shared->records);
	(void)pthread_cond_destroy(&shared->applied);
	(void)pthread_mutex_destroy(&shared->lock);
	free(shared->changes);
	free(shared->digests);
	free(shared);
}

static void close_handle(struct store *base)
{
	struct inmem_store *store = inmem_store(base);
	struct inmem *shared = store->shared;
	bool last = true;

	pthread_mutex_lock(&shared->lock);
	for (size_t i = 0; i < INMEM_WRITERS; i++) {
		if (shared->sharers[i] == store)
			shared->sharers[i] = NULL;
		last = last && shared->sharers[i] == NULL;
	}
	pthread_cond_broadcast(&shared->applied);
	pthread_mutex_unlock(&shared->lock);
	if (last)
		free_shared(shared);
	free(store);
}

static const struct store_ops inmem_ops;

/* With the lock. NO_MEMORY; BUSY: no place is free. */
static enum bulla_err add_handle(struct inmem *shared, const struct store_identity *identity, struct store **out)
{
	size_t at = 0;

	while (at < INMEM_WRITERS && shared->sharers[at] != NULL)
		at++;
	if (at == INMEM_WRITERS)
		return BULLA_E_BUSY;
	struct inmem_store *store = calloc(1, sizeof *store);

	if (store == NULL)
		return BULLA_E_NO_MEMORY;
	store->base.ops = &inmem_ops;
	store->base.identity = *identity;
	store->shared = shared;
	store->base.writer = ++shared->last_writer;
	store->told = store->applied = shared->change_count;
	shared->sharers[at] = store;
	*out = &store->base;
	return BULLA_OK;
}

/* With the lock. */
static enum bulla_err add_sharer(struct store *base, struct store **out)
{
	struct inmem *shared = inmem_store(base)->shared;

	if (shared->changes == NULL)
		shared->changes = calloc(INMEM_CHANGES, sizeof *shared->changes);
	if (shared->changes == NULL)
		return BULLA_E_NO_MEMORY;
	return add_handle(shared, &base->identity, out);
}

static enum bulla_err share(struct store *base, struct bulla_call *call, struct store **out)
{
	struct inmem *shared = inmem_store(base)->shared;

	(void)call;
	pthread_mutex_lock(&shared->lock);
	enum bulla_err err = add_sharer(base, out);

	pthread_mutex_unlock(&shared->lock);
	return err;
}

static const struct store_ops inmem_ops = {
	.kind = "inmem",
	.close = close_handle,
	.share = share,
	.get = get,
	.read = read_spans,
	.read_all = read_all,
	.commit = commit,
	.scrub = scrub,
	.changes = store_inmem_changes,
	.applied = store_inmem_applied,
	.is_applied = store_inmem_is_applied,
	.await = store_inmem_await,
	.lease = store_inmem_lease,
};

enum bulla_err store_open_inmem(const struct store_options *options, struct bulla_call *call, struct store **out)
{
	struct inmem *shared = calloc(1, sizeof *shared);
	struct store_identity identity;
	enum bulla_err err = store_identity_make(&identity);

	(void)call;
	if (shared == NULL || err != BULLA_OK) {
		free(shared);
		return shared == NULL ? BULLA_E_NO_MEMORY : err;
	}
	(void)pthread_mutex_init(&shared->lock, NULL); /* neither can fail here: no attributes */
	(void)pthread_cond_init(&shared->applied, NULL);
	shared->max_bytes = options->max_bytes;
	err = add_handle(shared, &identity, out);
	if (err != BULLA_OK)
		free_shared(shared);
	return err;
}
