/* records.c: reads records, keeps what was read, and lists them (records.h). Any thread; who has to ask the store, a worker. */
#include "state/records_private.h"

#include <stdlib.h>

#include "bulla/clock.h"

/* As it was opened. Const once it is published. */
struct kept {
	struct snapshot snapshot;
	uint64_t revision;
	size_t item_len, value_len;
	uint8_t bytes[]; /* item, value */
};

static void put_later(struct rcu_later *later)
{
	struct kept *kept = rcu_entry(later, struct kept, snapshot.later);

	if (!snapshot_release(&kept->snapshot))
		return;
	bulla_wipe(kept->bytes, kept->item_len + kept->value_len);
	free(kept);
}

static bool is_id(const struct rcu_node *node, const void *id)
{
	return memcmp(rcu_entry(node, struct snapshot, by_name)->id.bytes, id, sizeof(struct store_id)) == 0;
}

enum bulla_err records_init(struct records *records, struct store *store, struct seal *seal, const struct record_kind *const *ending,
			    size_t max_cached_bytes)
{
	const struct snapshot_kind kind = { .is = is_id, .put = put_later };

	records->documents = (struct documents){ store, seal };
	for (size_t i = 0; i < RECORD_STRIPES; i++)
		(void)pthread_mutex_init(&records->stripes[i], NULL);
	TRY(snapshots_init(&records->cache, kind, max_cached_bytes, SIZE_MAX));
	return ending != NULL ? record_queues_new(records, ending) : BULLA_OK;
}

void records_end(struct records *records)
{
	record_queues_free(records);
	snapshots_clear(&records->cache);
	for (size_t i = 0; i < RECORD_STRIPES; i++)
		(void)pthread_mutex_destroy(&records->stripes[i]);
}

void records_changed(struct records *records, const struct store_id *id)
{
	snapshots_drop(&records->cache, id);
}

/* Who is reading has read an epoch before: what he opened, with keys that are gone now, is not kept. */
void records_forget(struct records *records)
{
	snapshots_drop(&records->cache, NULL);
	record_queues_forget(records);
}

/* ---- from bytes ----------------------------------------------------------------------------------------------------------- */

int64_t record_end_ns(const struct record_kind *kind, const void *record)
{
	return kind->end_ns != NULL ? kind->end_ns(record) : 0;
}

bool record_has_ended(const struct record_kind *kind, const void *record)
{
	int64_t end_ns = record_end_ns(kind, record);

	return end_ns != 0 && bulla_clock_ns() >= end_ns;
}

enum bulla_err record_decode(const struct record_kind *kind, struct bulla_call *call, const struct document *document,
			     struct record *out)
{
	struct unpack in = { .ptr = document->value.ptr, .left = document->value.len };

	TRY(kind->decode(call, &in, out));
	TRY(unpack_finish(&in));
	out->revision = document->revision;
	out->item = document->item;
	return BULLA_OK;
}

/* NOT_FOUND: it has ended. */
static enum bulla_err hand_out(const struct record_kind *kind, struct bulla_call *call, const struct document *document, void *out)
{
	void *record = bulla_arena_alloc(call->arena, kind->size);

	if (record == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(record_decode(kind, call, document, record));
	if (record_has_ended(kind, record))
		return BULLA_E_NOT_FOUND;
	memcpy(out, record, kind->size);
	return BULLA_OK;
}

/* ---- what is kept ----------------------------------------------------------------------------------------------------------- */

/* An id is an HMAC: any part of it is a hash. */
static uint64_t hash_of(const struct store_id *id)
{
	uint64_t hash;

	memcpy(&hash, id->bytes + STORE_COLLECTION, sizeof hash);
	return hash;
}

static enum bulla_err copy_kept(struct bulla_call *call, const struct kept *kept, struct document *out)
{
	uint8_t *bytes = bulla_arena_raw(call->arena, kept->item_len + kept->value_len);

	if (bytes == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(bytes, kept->bytes, kept->item_len + kept->value_len);
	*out = (struct document){ kept->revision, bulla_mem(bytes, kept->item_len), bulla_mem(bytes + kept->item_len, kept->value_len) };
	return BULLA_OK;
}

/* NOT_FOUND: it is not kept. */
static enum bulla_err find_kept(struct records *records, struct bulla_call *call, const struct store_id *id, struct document *out)
{
	enum bulla_err err = BULLA_E_NOT_FOUND;

	rcu_read_begin();
	struct snapshot *snapshot = snapshots_find_id(&records->cache, id);

	if (snapshot != NULL) {
		snapshot_mark_used(snapshot);
		err = copy_kept(call, rcu_entry(snapshot, struct kept, snapshot), out);
	}
	rcu_read_end();
	return err;
}

/* Without memory it is read anew the next time. */
static void keep(struct records *records, const struct store_id *id, unsigned epoch, const struct document *document)
{
	size_t bytes = sizeof(struct kept) + document->item.len + document->value.len;
	struct kept *kept = calloc(1, bytes);

	if (kept == NULL)
		return;
	kept->snapshot.id = *id;
	kept->snapshot.epoch = epoch;
	kept->snapshot.bytes = bytes;
	atomic_init(&kept->snapshot.refs, 1);
	kept->revision = document->revision;
	kept->item_len = document->item.len;
	kept->value_len = document->value.len;
	if (kept->item_len > 0)
		memcpy(kept->bytes, document->item.ptr, kept->item_len);
	if (kept->value_len > 0)
		memcpy(kept->bytes + kept->item_len, document->value.ptr, kept->value_len);
	snapshots_publish(&records->cache, &kept->snapshot, hash_of(id), id);
	put_later(&kept->snapshot.later);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */

enum bulla_err record_slot(struct records *records, const struct record_name *name, struct store_id *out)
{
	const struct document_name document = record_document(name);

	return document_slot(&records->documents, &document, out);
}

enum bulla_err record_fetch(struct records *records, struct bulla_call *call, const struct store_id *id, struct document *out)
{
	struct store_record record;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(store_get(records->documents.store, call, id, &record));
	return document_open(&records->documents, call, &record, out);
}

enum bulla_err record_get(struct records *records, struct bulla_call *call, const struct record_name *name, void *out)
{
	struct document document;
	struct store_id id;

	if (!name->kind->cached)
		return record_read(records, call, name, out);
	TRY(record_slot(records, name, &id));
	enum bulla_err err = find_kept(records, call, &id, &document);

	if (err == BULLA_E_NOT_FOUND) {
		unsigned epoch = snapshots_epoch(&records->cache, &id); /* before the store is read */

		TRY(record_fetch(records, call, &id, &document));
		keep(records, &id, epoch, &document);
		err = BULLA_OK;
	}
	TRY(err);
	return hand_out(name->kind, call, &document, out);
}

enum bulla_err record_read(struct records *records, struct bulla_call *call, const struct record_name *name, void *out)
{
	struct document document;
	struct store_id id;

	TRY(record_slot(records, name, &id));
	TRY(record_fetch(records, call, &id, &document));
	return hand_out(name->kind, call, &document, out);
}

/* ---- all of a kind -------------------------------------------------------------------------------------------------------------- */

struct walk {
	const struct record_kind *kind;
	struct bulla_call scratch; /* its arena is emptied after each */
	size_t *damaged;
	record_visit *visit;
	void *context;
};

static enum bulla_err walk_one(const struct document *document, void *context)
{
	struct walk *walk = context;

	bulla_arena_reset(walk->scratch.arena);
	void *record = bulla_arena_alloc(walk->scratch.arena, walk->kind->size);

	if (record == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = record_decode(walk->kind, &walk->scratch, document, record);

	if (err == BULLA_E_STORE_DAMAGED && walk->damaged != NULL) {
		++*walk->damaged;
		return BULLA_OK;
	}
	TRY(err);
	return record_has_ended(walk->kind, record) ? BULLA_OK : walk->visit(record, walk->context);
}

enum bulla_err record_each(struct records *records, struct bulla_call *call, const struct record_name *name, size_t *damaged,
			   record_visit *visit, void *context)
{
	const struct document_name any = record_document(name);
	struct walk walk = { .kind = name->kind, .scratch = { .arena = bulla_arena_new(4096), .may_block = true }, .damaged = damaged,
			     .visit = visit, .context = context };
	enum bulla_err err = walk.scratch.arena == NULL ? BULLA_E_NO_MEMORY
							: document_each(&records->documents, call, &any, damaged, walk_one, &walk);

	bulla_arena_free(walk.scratch.arena);
	return err;
}

static enum bulla_err add_name(const void *record, void *context)
{
	return document_names_add(context, ((const struct record *)record)->item);
}

enum bulla_err record_list(struct records *records, struct bulla_call *call, const struct record_name *name, struct bulla_bytes **names,
			   size_t *count)
{
	struct document_names list = { .call = call };
	size_t damaged = 0;

	TRY(record_each(records, call, name, &damaged, add_name, &list));
	TRY(document_warn_damaged(call, damaged, list.count));
	document_names_sort(&list);
	*names = list.items;
	*count = list.count;
	return BULLA_OK;
}
