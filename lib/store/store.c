/* store.c: owns what is the same for every store: whether the caller may wait for a disk, which writes can be, and what is known of
 * others where there are none. The rest is the backend's. Thread-safe. */
#include <stdlib.h>
#include <string.h>

#include "bulla/clock.h"
#include "crypto/crypto.h"
#include "store/store_ops.h"

/* A random revision leaves room for as many writes as there can ever be, in a signed number. */
#define RANDOM_REVISION_BITS 62

enum bulla_err store_begin_anew(struct store_write *write)
{
	if (write->change != STORE_PUT || write->expected != 0)
		return BULLA_OK;
	TRY(random_bytes(&write->first, sizeof write->first));
	write->first = (write->first >> (64 - RANDOM_REVISION_BITS)) | 1;
	return BULLA_OK;
}

enum bulla_err store_identity_make(struct store_identity *out)
{
	TRY(random_bytes(out->cluster_id, sizeof out->cluster_id));
	out->created_s = bulla_wall_s();
	return BULLA_OK;
}

static _Thread_local bool visiting;

/* Whether the caller may wait for the disk, and has none of its locks. */
static enum bulla_err begin(struct bulla_call *call)
{
	TRY(bulla_work(call, BULLA_WORK_DISK));
	return visiting ? bulla_fail(call, BULLA_E_INTERNAL, "storage: called within a visit") : BULLA_OK;
}

enum bulla_err store_open(const struct store_options *options, struct bulla_call *call, struct store **out)
{
	TRY(bulla_work(call, BULLA_WORK_DISK));
	return options->path != NULL ? store_open_sqlite(options, call, out) : store_open_inmem(options, call, out);
}

enum bulla_err store_share(struct store *store, struct bulla_call *call, struct store **out)
{
	TRY(begin(call));
	if (store->ops->share == NULL)
		return bulla_fail(call, BULLA_E_INTERNAL, "storage: a store of one process");
	return store->ops->share(store, call, out);
}

void store_close(struct store *store)
{
	if (store != NULL)
		store->ops->close(store);
}

const struct store_identity *store_identity(const struct store *store)
{
	return &store->identity;
}

const char *store_kind(const struct store *store)
{
	return store->ops->kind;
}

struct store_counts store_counts(const struct store *store)
{
	return (struct store_counts){ atomic_load(&store->transactions), atomic_load(&store->batches), atomic_load(&store->reads),
				      atomic_load(&store->reopened) };
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

bool store_is_visiting(void)
{
	return visiting;
}

bool store_is_shared(const struct store *store)
{
	return store->ops->changes != NULL;
}

enum bulla_err store_get(struct store *store, struct bulla_call *call, const struct store_id *id, struct store_record *out)
{
	TRY(begin(call));
	atomic_fetch_add_explicit(&store->reads, 1, memory_order_relaxed);
	return store->ops->get(store, call, id, out);
}

enum bulla_err store_read(struct store *store, struct bulla_call *call, const struct store_span *spans, size_t count, store_visit *visit,
			  void *context)
{
	TRY(begin(call));
	atomic_fetch_add_explicit(&store->reads, count, memory_order_relaxed);
	visiting = true;
	enum bulla_err err = store->ops->read(store, call, spans, count, visit, context);

	visiting = false;
	return err;
}

struct store_span store_collection(const uint8_t collection[STORE_COLLECTION])
{
	struct store_span span = { .first = { { 0 } } };

	memset(span.last.bytes, 0xff, sizeof span.last.bytes);
	memcpy(span.first.bytes, collection, STORE_COLLECTION);
	memcpy(span.last.bytes, collection, STORE_COLLECTION);
	return span;
}

enum bulla_err store_read_all(struct store *store, struct bulla_call *call, store_visit_digest *visit_digest, store_visit *visit, void *context)
{
	TRY(begin(call));
	visiting = true;
	enum bulla_err err = store->ops->read_all(store, call, visit_digest, visit, context);

	visiting = false;
	return err;
}

enum bulla_err store_scan_from(struct store *store, struct bulla_call *call, const struct store_id *first, store_visit *visit,
			       void *context)
{
	struct store_span span = store_collection(first->bytes);

	span.first = *first;
	return store_read(store, call, &span, 1, visit, context);
}

enum bulla_err store_scan(struct store *store, struct bulla_call *call, const uint8_t collection[STORE_COLLECTION], store_visit *visit,
			  void *context)
{
	const struct store_span span = store_collection(collection);

	return store_read(store, call, &span, 1, visit, context);
}

/* ---- the account of what there is ------------------------------------------------------------------------------------- */

void store_set_digest(struct store *store, const struct store_digest *digest)
{
	store->digest = digest;
}

void store_digest_begin(const struct store *store)
{
	if (store->digest != NULL)
		store->digest->begin(store->digest->context);
}

void store_digest_batch(const struct store *store)
{
	if (store->digest != NULL)
		store->digest->batch(store->digest->context);
}

void store_digest_note(const struct store *store, const struct store_seen *before, const struct store_write *write)
{
	if (store->digest != NULL && (write->change == STORE_PUT || (write->change == STORE_DELETE && before->revision != 0)))
		store->digest->note(store->digest->context, before, write);
}

void store_digest_refuse(const struct store *store)
{
	if (store->digest != NULL)
		store->digest->refuse(store->digest->context);
}

void store_digest_settle(const struct store *store)
{
	if (store->digest != NULL)
		store->digest->settle(store->digest->context);
}

struct store_stamp store_last(const struct store *store)
{
	return (struct store_stamp){ store->writer, atomic_load(&store->sequence) };
}

struct store_mark store_mark(struct bulla_bytes bytes)
{
	size_t head = bytes.len < STORE_HEAD ? bytes.len : STORE_HEAD, tail = bytes.len < STORE_TAIL ? bytes.len : STORE_TAIL;
	struct store_mark mark = { .head = { 0 } };

	if (bytes.len > 0) {
		memcpy(mark.head, bytes.ptr, head);
		memcpy(mark.tail + STORE_TAIL - tail, bytes.ptr + bytes.len - tail, tail);
	}
	return mark;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

bool store_write_holds(const struct store_write *write, uint64_t revision)
{
	if (write->expected == STORE_ANY_REVISION)
		return write->change != STORE_CHECK || revision != 0;
	return write->expected == revision;
}

/* There is no revision beyond INT64_MAX. */
static bool can_be_put(const struct store_write *write)
{
	return write->expected != STORE_ANY_REVISION && write->expected != INT64_MAX && (write->expected != 0 || write->first <= INT64_MAX);
}

static bool is_sound(const struct store_write *writes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (writes[i].change == STORE_PUT && !can_be_put(&writes[i]))
			return false;
	return count > 0;
}

/* ---- the caller's own record -------------------------------------------------------------------------------------------- */

#define FEW 16 /* writes that need no memory beside the caller's own */

_Static_assert(sizeof(((struct bulla_call *)0)->caller) == sizeof(struct store_id), "an id is an id");

static bool is_guarded(const struct store *store, const struct bulla_call *call)
{
	return store_is_shared(store) && call->caller_stored;
}

static struct store_write guard_of(const struct bulla_call *call)
{
	struct store_write guard = { .change = STORE_CHECK, .expected = STORE_ANY_REVISION };

	memcpy(guard.id.bytes, call->caller, sizeof guard.id.bytes);
	return guard;
}

static enum bulla_err find_caller(struct store *store, struct bulla_call *call)
{
	const struct store_write guard = guard_of(call);
	struct store_record record;

	atomic_fetch_add_explicit(&store->reads, 1, memory_order_relaxed);
	enum bulla_err err = store->ops->get(store, call, &guard.id, &record);

	return err == BULLA_E_NOT_FOUND ? BULLA_E_REVOKED : err;
}

enum bulla_err store_check_caller(struct store *store, struct bulla_call *call)
{
	TRY(begin(call));
	return is_guarded(store, call) ? find_caller(store, call) : BULLA_OK;
}

static bool deletes(const struct store_write *writes, size_t count, const struct store_id *id)
{
	for (size_t i = 0; i < count; i++)
		if (writes[i].change == STORE_DELETE && memcmp(&writes[i].id, id, sizeof *id) == 0)
			return true;
	return false;
}

/* The guard comes first: who deletes his own record still has it then. all: room for one more than count. */
static enum bulla_err commit_guarded(struct store *store, struct bulla_call *call, const struct store_write *writes, size_t count,
				     struct store_write *all, struct store_stamp *stamp)
{
	all[0] = guard_of(call);
	memcpy(all + 1, writes, count * sizeof *writes);
	enum bulla_err err = store->ops->commit(store, call, all, count + 1, stamp);

	if (err == BULLA_OK && deletes(writes, count, &all[0].id))
		call->caller_stored = false;
	if (err != BULLA_E_CONFLICT)
		return err;
	TRY(find_caller(store, call)); /* who is gone is not to try again */
	return BULLA_E_CONFLICT;
}

/* Not in the arena: a call may commit very often. */
static enum bulla_err commit_shared(struct store *store, struct bulla_call *call, const struct store_write *writes, size_t count,
				    struct store_stamp *stamp)
{
	struct store_write few[FEW + 1], *all = count > FEW ? malloc((count + 1) * sizeof *all) : few;

	if (all == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = commit_guarded(store, call, writes, count, all, stamp);

	if (all != few)
		free(all);
	return err;
}

enum bulla_err store_commit(struct store *store, struct bulla_call *call, const struct store_write *writes, size_t count,
			    struct store_stamp *stamp)
{
	struct store_stamp unwanted;

	TRY(begin(call));
	if (!is_sound(writes, count))
		return bulla_fail(call, BULLA_E_INTERNAL, "storage: a write that cannot be");
	if (stamp == NULL)
		stamp = &unwanted;
	return is_guarded(store, call) ? commit_shared(store, call, writes, count, stamp) :
					 store->ops->commit(store, call, writes, count, stamp);
}

enum bulla_err store_scrub(struct store *store, struct bulla_call *call)
{
	TRY(begin(call));
	return store->ops->scrub(store, call);
}

/* ---- what the other writers do ------------------------------------------------------------------------------------------ */

enum bulla_err store_changes(struct store *store, struct bulla_call *call, store_changed *changed, void *context, int64_t *asked_ns)
{
	TRY(begin(call));
	*asked_ns = bulla_elapsed_ns();
	if (store->ops->changes == NULL)
		return BULLA_OK;
	visiting = true; /* who is told may not call the store either */
	enum bulla_err err = store->ops->changes(store, call, changed, context);

	visiting = false;
	return err;
}

void store_applied(struct store *store)
{
	if (store->ops->applied != NULL)
		store->ops->applied(store);
}

bool store_is_applied(const struct store *store, const struct store_stamp *stamp)
{
	return store->ops->is_applied == NULL || (!visiting && store->ops->is_applied(store, stamp));
}

enum bulla_err store_await(struct store *store, struct bulla_call *call, const struct store_stamp *stamp, int64_t timeout_ms)
{
	TRY(begin(call));
	return store->ops->await != NULL ? store->ops->await(store, call, stamp, timeout_ms) : BULLA_OK;
}

enum bulla_err store_lease(struct store *store, struct bulla_call *call, const char *name, int ttl_s, uint64_t *fence)
{
	TRY(begin(call));
	if (name[0] == 0 || strlen(name) > STORE_LEASE_NAME)
		return bulla_fail(call, BULLA_E_INTERNAL, "storage: a lease's name is empty or too long");
	*fence = 1;
	return store->ops->lease != NULL ? store->ops->lease(store, call, name, ttl_s, fence) : BULLA_OK;
}
