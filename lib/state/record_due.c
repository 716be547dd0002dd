/* record_due.c: files records by when they end (state/due.h), and deletes those that have ended. An entry says which record it is of, and
 * what goes with that, by id: whoever finds it looks whether that has ended. Nothing depends on it: one that has ended is not handed out. Workers. */
#include "state/records_private.h"

#include <stdlib.h>

#include "bulla/clock.h"

#define NS_PER_S INT64_C(1000000000)
#define ENTRIES_A_TICK 10000

enum bulla_err record_place(struct records *records, const struct record_kind *kind, struct bulla_bytes scope, const struct store_id *id,
			    const void *record, struct record_place *out)
{
	int64_t end_ns = record_end_ns(kind, record);
	struct record_name companion;

	*out = (struct record_place){ .ids = { *id }, .count = 1, .filed = end_ns != 0 };
	if (out->filed)
		out->minute = due_minute(end_ns / NS_PER_S);
	if (kind->companion == NULL)
		return BULLA_OK;
	kind->companion(scope, record, &companion);
	out->count = 2;
	return record_slot(records, &companion, &out->ids[1]);
}

static struct record_queue *queue_of(const struct records *records, const struct record_kind *kind)
{
	struct record_queue *queue = records->queues;

	while (queue != NULL && queue->kind != kind)
		queue = queue->next;
	return queue;
}

static struct bulla_bytes content_of(const struct record_place *place)
{
	return bulla_mem(place->ids, place->count * sizeof place->ids[0]);
}

static bool same_ids(const struct record_place *a, const struct record_place *b)
{
	return bulla_equal(content_of(a), content_of(b));
}

/* It may be there: one of a record that was damaged when it was removed. Then it has to stay. */
enum bulla_err record_filing(struct records *records, struct bulla_call *call, const struct record_kind *kind,
			     const struct record_place *place, struct store_write *out)
{
	const struct record_queue *queue = queue_of(records, kind);
	struct store_record there;
	struct store_id slot;

	if (queue == NULL)
		return BULLA_E_INTERNAL;
	const struct due *due = &queue->due;

	TRY(due_slot(due->kind, due->seal, place->minute, content_of(place), &slot));
	enum bulla_err err = store_get(due->store, call, &slot, &there);

	if (err == BULLA_E_NOT_FOUND)
		return due_filing(due->kind, due->seal, call, place->minute, content_of(place), out);
	if (err == BULLA_OK)
		*out = (struct store_write){ .id = slot, .change = STORE_CHECK, .expected = there.revision };
	return err;
}

enum bulla_err record_unfiling(struct records *records, const struct record_kind *kind, const struct record_place *place,
			       struct store_write *out)
{
	const struct record_queue *queue = queue_of(records, kind);

	if (queue == NULL)
		return BULLA_E_INTERNAL;
	return due_removal(queue->due.kind, queue->due.seal, place->minute, content_of(place), out);
}

enum bulla_err record_refile(struct records *records, struct bulla_call *call, const struct record_kind *kind,
			     const struct record_place *from, const struct record_place *to, struct store_write *writes, size_t *count)
{
	bool same = same_ids(from, to);

	if (from->count == 2 && !same)
		writes[(*count)++] = (struct store_write){ .id = from->ids[1], .change = STORE_DELETE, .expected = STORE_ANY_REVISION };
	if (from->filed == to->filed && from->minute == to->minute && (same || !to->filed))
		return BULLA_OK;
	if (from->filed) {
		TRY(record_unfiling(records, kind, from, &writes[*count]));
		++*count;
	}
	if (to->filed) {
		TRY(record_filing(records, call, kind, to, &writes[*count]));
		++*count;
	}
	return BULLA_OK;
}

/* ---- what has ended ------------------------------------------------------------------------------------------------------------- */

/* The record that the entry names. NOT_FOUND: the entry is of no use; STORE_DAMAGED: nobody knows when that ends. */
static enum bulla_err find(struct record_queue *queue, struct bulla_call *call, const struct due_entry *entry,
			   struct record_place *place, struct record **out)
{
	struct document document;
	struct record *record = bulla_arena_alloc(call->arena, queue->kind->size);

	if (record == NULL)
		return BULLA_E_NO_MEMORY;
	*place = (struct record_place){ .count = queue->kind->companion != NULL ? 2 : 1 };
	if (entry->content.len != place->count * sizeof place->ids[0])
		return BULLA_E_NOT_FOUND;
	memcpy(place->ids, entry->content.ptr, entry->content.len);
	TRY(record_fetch(queue->records, call, &place->ids[0], &document));
	TRY(record_decode(queue->kind, call, &document, record));
	*out = record;
	return BULLA_OK;
}

/* Its end is in the minute that is over, and yet to come: the clock was set back. */
static enum bulla_err is_right(const struct record_queue *queue, const struct record *record, const struct due_entry *entry, bool *right)
{
	int64_t end_ns = record_end_ns(queue->kind, record);
	struct store_id slot;

	TRY(due_slot(queue->due.kind, queue->due.seal, due_minute(end_ns / NS_PER_S), entry->content, &slot));
	*right = end_ns != 0 && memcmp(slot.bytes, entry->id.bytes, sizeof slot.bytes) == 0;
	return BULLA_OK;
}

static enum bulla_err add_ended(struct record_queue *queue, struct bulla_call *call, const struct due_entry *entry, struct record_batch *batch)
{
	struct record *record;
	struct record_place place;
	bool right = false;
	enum bulla_err err = find(queue, call, entry, &place, &record);

	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND && err != BULLA_E_STORE_DAMAGED)
		return err;
	if (err != BULLA_OK) {
		call->detail = (struct bulla_bytes){ 0 };
		record_batch_delete(batch, &entry->id, STORE_ANY_REVISION);
		return BULLA_OK;
	}
	bool ended = record_has_ended(queue->kind, record);

	TRY(is_right(queue, record, entry, &right));
	if (ended || !right)
		record_batch_delete(batch, &entry->id, STORE_ANY_REVISION);
	if (ended)
		record_batch_remove(batch, &place, record->revision);
	return BULLA_OK;
}

/* What was changed meanwhile has been filed anew, or is found again while the minute is looked into. */
static enum bulla_err remove_ended(void *owner, struct bulla_call *call, const struct due_entry *entries, size_t count)
{
	struct record_queue *queue = owner;
	struct record_batch *batch = bulla_arena_alloc(call->arena, sizeof *batch);

	if (batch == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		TRY(add_ended(queue, call, &entries[i], batch));
		record_batch_close(batch);
	}
	return record_batch_commit(queue->records, call, batch);
}

/* ---- the queues -------------------------------------------------------------------------------------------------------------------- */

static enum bulla_err add_queue(struct records *records, const struct record_kind *kind)
{
	struct record_queue *queue = calloc(1, sizeof *queue);

	if (queue == NULL)
		return BULLA_E_NO_MEMORY;
	queue->records = records;
	queue->kind = kind;
	queue->row = (struct due_kind){ .entry = kind->due, .from = kind->due_from, .most = ENTRIES_A_TICK, .handle = remove_ended };
	enum bulla_err err = due_init(&queue->due, &queue->row, records->documents.store, records->documents.seal, queue);

	if (err != BULLA_OK) {
		free(queue);
		return err;
	}
	queue->next = records->queues;
	records->queues = queue;
	return BULLA_OK;
}

enum bulla_err record_queues_new(struct records *records, const struct record_kind *const *ending)
{
	for (; *ending != NULL; ending++)
		TRY(add_queue(records, *ending));
	return BULLA_OK;
}

void record_queues_free(struct records *records)
{
	while (records->queues != NULL) {
		struct record_queue *queue = records->queues;

		records->queues = queue->next;
		due_end(&queue->due);
		free(queue);
	}
}

void record_queues_forget(struct records *records)
{
	for (struct record_queue *queue = records->queues; queue != NULL; queue = queue->next)
		due_forget(&queue->due);
}

static enum bulla_err tick(struct record_queue *queue, struct bulla_call *call)
{
	pthread_mutex_lock(&queue->due.lock);
	enum bulla_err err = due_run(&queue->due, call, bulla_clock_s());

	if (err == BULLA_OK)
		err = due_store(&queue->due, call);
	pthread_mutex_unlock(&queue->due.lock);
	return err;
}

enum bulla_err records_tick(struct records *records, struct bulla_call *call)
{
	for (struct record_queue *queue = records->queues; queue != NULL; queue = queue->next) {
		TRY(bulla_work(call, BULLA_WORK_DISK));
		TRY(tick(queue, call));
	}
	return BULLA_OK;
}
