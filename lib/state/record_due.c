/* record_due.c: files records by when they end (state/due.h), and deletes those that have ended. An entry says which record it is of, by
 * id: whoever finds it looks whether that has ended. Nothing depends on it: one that has ended is not handed out. Workers. */
#include "state/records_private.h"

#include <stdlib.h>

#include "bulla/clock.h"

#define NS_PER_S INT64_C(1000000000)
#define ENTRIES_A_TICK 10000

struct record_filing record_filing(const struct record_kind *kind, const void *record)
{
	int64_t end_ns = record_end_ns(kind, record);

	return end_ns == 0 ? (struct record_filing){ 0 } : (struct record_filing){ true, due_minute(end_ns / NS_PER_S) };
}

static struct record_queue *queue_of(const struct records *records, const struct record_kind *kind)
{
	struct record_queue *queue = records->queues;

	while (queue != NULL && queue->kind != kind)
		queue = queue->next;
	return queue;
}

static struct bulla_bytes content_of(const struct store_id *id)
{
	return bulla_mem(id->bytes, sizeof id->bytes);
}

/* It may be there: one of a record that was damaged when it was removed. Then it has to stay. */
static enum bulla_err add_filing(const struct record_queue *queue, struct bulla_call *call, const struct store_id *id, uint64_t minute,
				 struct store_write *out)
{
	const struct due *due = &queue->due;
	struct store_record there;
	struct store_id slot;

	TRY(due_slot(due->kind, due->seal, minute, content_of(id), &slot));
	enum bulla_err err = store_get(due->store, call, &slot, &there);

	if (err == BULLA_E_NOT_FOUND)
		return due_filing(due->kind, due->seal, call, minute, content_of(id), out);
	if (err == BULLA_OK)
		*out = (struct store_write){ .id = slot, .change = STORE_CHECK, .expected = there.revision };
	return err;
}

enum bulla_err record_refile(struct records *records, struct bulla_call *call, const struct record_kind *kind, const struct store_id *id,
			     struct record_filing from, struct record_filing to, struct store_write *writes, size_t *count)
{
	const struct record_queue *queue = queue_of(records, kind);

	if (from.filed == to.filed && from.minute == to.minute)
		return BULLA_OK;
	if (queue == NULL)
		return BULLA_E_INTERNAL;
	if (from.filed) {
		TRY(due_removal(queue->due.kind, queue->due.seal, from.minute, content_of(id), &writes[*count]));
		++*count;
	}
	if (to.filed) {
		TRY(add_filing(queue, call, id, to.minute, &writes[*count]));
		++*count;
	}
	return BULLA_OK;
}

/* ---- what has ended ------------------------------------------------------------------------------------------------------------- */

struct removal {
	struct store_write writes[2 * DUE_AT_ONCE]; /* an entry, and behind it the record, if that goes, too */
	size_t count;
};

static void add_deletion(struct removal *removal, const struct store_id *id, uint64_t expected)
{
	removal->writes[removal->count++] = (struct store_write){ .id = *id, .change = STORE_DELETE, .expected = expected };
}

/* The record that the entry names. NOT_FOUND: the entry is of no use; STORE_DAMAGED: nobody knows when that ends. */
static enum bulla_err find(struct record_queue *queue, struct bulla_call *call, const struct due_entry *entry, struct store_id *id,
			   struct record **out)
{
	struct document document;
	struct record *record = bulla_arena_alloc(call->arena, queue->kind->size);

	if (record == NULL)
		return BULLA_E_NO_MEMORY;
	if (entry->content.len != sizeof id->bytes)
		return BULLA_E_NOT_FOUND;
	memcpy(id->bytes, entry->content.ptr, sizeof id->bytes);
	TRY(record_fetch(queue->records, call, id, &document));
	TRY(record_decode(queue->kind, call, &document, record));
	*out = record;
	return BULLA_OK;
}

/* Its end is in the minute that is over, and yet to come: the clock was set back. */
static enum bulla_err is_right(const struct record_queue *queue, const struct store_id *id, const struct record *record,
			       const struct due_entry *entry, bool *right)
{
	const struct record_filing filing = record_filing(queue->kind, record);
	struct store_id slot;

	TRY(due_slot(queue->due.kind, queue->due.seal, filing.minute, content_of(id), &slot));
	*right = filing.filed && memcmp(slot.bytes, entry->id.bytes, sizeof slot.bytes) == 0;
	return BULLA_OK;
}

static enum bulla_err add_ended(struct record_queue *queue, struct bulla_call *call, const struct due_entry *entry, struct removal *removal)
{
	struct record *record;
	struct store_id id;
	bool right = false;
	enum bulla_err err = find(queue, call, entry, &id, &record);

	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND && err != BULLA_E_STORE_DAMAGED)
		return err;
	if (err != BULLA_OK) {
		call->detail = (struct bulla_bytes){ 0 };
		add_deletion(removal, &entry->id, STORE_ANY_REVISION);
		return BULLA_OK;
	}
	bool ended = record_has_ended(queue->kind, record);

	TRY(is_right(queue, &id, record, entry, &right));
	if (ended || !right)
		add_deletion(removal, &entry->id, STORE_ANY_REVISION);
	if (ended)
		add_deletion(removal, &id, record->revision);
	return BULLA_OK;
}

/* One of them was changed meanwhile: it has been filed anew, or is found again while the minute is looked into. */
static enum bulla_err remove_each(struct record_queue *queue, struct bulla_call *call, const struct removal *removal)
{
	size_t n;

	for (size_t i = 0; i < removal->count; i += n) {
		n = i + 1 < removal->count && removal->writes[i + 1].expected != STORE_ANY_REVISION ? 2 : 1;
		enum bulla_err err = records_commit(queue->records, call, &removal->writes[i], n);

		if (err != BULLA_E_CONFLICT)
			TRY(err);
	}
	return BULLA_OK;
}

static enum bulla_err remove_ended(void *owner, struct bulla_call *call, const struct due_entry *entries, size_t count)
{
	struct record_queue *queue = owner;
	struct removal *removal = bulla_arena_alloc(call->arena, sizeof *removal);

	if (removal == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		TRY(add_ended(queue, call, &entries[i], removal));
	if (removal->count == 0)
		return BULLA_OK;
	enum bulla_err err = records_commit(queue->records, call, removal->writes, removal->count);

	return err == BULLA_E_CONFLICT ? remove_each(queue, call, removal) : err;
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
