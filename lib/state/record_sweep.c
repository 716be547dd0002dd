/* record_sweep.c: all records of a kind and scope, a part at a time: deleted, or filed by their end (records.h); and the commits of many
 * records. Workers. */
#include "state/records_private.h"

#include <stdlib.h>

/* ---- writes of many --------------------------------------------------------------------------------------------------------------- */

void record_batch_delete(struct record_batch *batch, const struct store_id *id, uint64_t expected)
{
	record_batch_add(batch, &(struct store_write){ .id = *id, .change = STORE_DELETE, .expected = expected });
}

void record_batch_remove(struct record_batch *batch, const struct record_place *place, uint64_t expected)
{
	record_batch_delete(batch, &place->ids[0], expected);
	if (place->count == 2)
		record_batch_delete(batch, &place->ids[1], STORE_ANY_REVISION);
}

void record_batch_close(struct record_batch *batch)
{
	if (batch->count > (batch->parts > 0 ? batch->ends[batch->parts - 1] : 0))
		batch->ends[batch->parts++] = batch->count;
}

static enum bulla_err commit_parts(struct records *records, struct bulla_call *call, const struct record_batch *batch)
{
	size_t from = 0;

	for (size_t i = 0; i < batch->parts; from = batch->ends[i++]) {
		enum bulla_err err = records_commit(records, call, &batch->writes[from], batch->ends[i] - from);

		if (err != BULLA_E_CONFLICT)
			TRY(err);
	}
	return BULLA_OK;
}

enum bulla_err record_batch_commit(struct records *records, struct bulla_call *call, const struct record_batch *batch)
{
	if (batch->count == 0)
		return BULLA_OK;
	enum bulla_err err = records_commit(records, call, batch->writes, batch->count);

	return err == BULLA_E_CONFLICT ? commit_parts(records, call, batch) : err;
}

/* ---- a part ------------------------------------------------------------------------------------------------------------------------ */

enum sweep_what { REMOVE_ALL, REMOVE_ENDED, FILE_ALIVE };

struct sweep {
	struct records *records;
	const struct record_name *name;
	enum sweep_what what;
	struct bulla_call scratch; /* its arena is emptied after each record */
	struct store_id next;      /* where the next part begins */
	bool more;
	size_t seen;               /* of this part */
	struct record_batch batch;
	struct record_place unfiled[DUE_AT_ONCE]; /* or filed: whoever may ask the store sees */
	size_t unfiled_count;
};

/* Whatever is there goes with all of them; else only what was seen: another may have come in its place meanwhile. */
static enum bulla_err add_deletion(struct sweep *sweep, const struct record_place *place, uint64_t revision)
{
	struct store_write unfiling;

	record_batch_remove(&sweep->batch, place, sweep->what == REMOVE_ALL ? STORE_ANY_REVISION : revision);
	if (place->filed) {
		TRY(record_unfiling(sweep->records, sweep->name->kind, place, &unfiling));
		record_batch_add(&sweep->batch, &unfiling);
	}
	record_batch_close(&sweep->batch);
	return BULLA_OK;
}

static enum bulla_err see(struct sweep *sweep, const struct store_record *stored)
{
	const struct record_kind *kind = sweep->name->kind;
	struct record *record = bulla_arena_alloc(sweep->scratch.arena, kind->size);
	struct document document;
	struct record_place place;

	if (record == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(document_open(&sweep->records->documents, &sweep->scratch, stored, &document));
	TRY(record_decode(kind, &sweep->scratch, &document, record));
	TRY(record_place(sweep->records, kind, sweep->name->scope, &stored->id, record, &place));
	if (sweep->what == REMOVE_ALL || record_has_ended(kind, record))
		return add_deletion(sweep, &place, stored->revision);
	if (sweep->what == FILE_ALIVE && place.filed)
		sweep->unfiled[sweep->unfiled_count++] = place;
	return BULLA_OK;
}

static enum bulla_err visit(const struct store_record *stored, void *context)
{
	struct sweep *sweep = context;

	sweep->next = stored->id;
	sweep->more = sweep->seen == DUE_AT_ONCE;
	if (sweep->more)
		return BULLA_E_BUSY; /* enough: the scan stops here */
	sweep->seen++;
	bulla_arena_reset(sweep->scratch.arena);
	sweep->scratch.detail = (struct bulla_bytes){ 0 };
	enum bulla_err err = see(sweep, stored);

	if (err == BULLA_E_STORE_DAMAGED && sweep->what == REMOVE_ALL)
		return add_deletion(sweep, &(struct record_place){ .ids = { stored->id }, .count = 1 }, 0);
	return err == BULLA_E_STORE_DAMAGED ? BULLA_OK : err;
}

static enum bulla_err add_filings(struct sweep *sweep, struct bulla_call *call)
{
	struct store_write filing;

	for (size_t i = 0; i < sweep->unfiled_count; i++) {
		TRY(record_filing(sweep->records, call, sweep->name->kind, &sweep->unfiled[i], &filing));
		if (filing.change == STORE_PUT)
			record_batch_add(&sweep->batch, &filing);
		record_batch_close(&sweep->batch);
	}
	return BULLA_OK;
}

static enum bulla_err run_part(struct sweep *sweep, struct bulla_call *call)
{
	sweep->seen = sweep->unfiled_count = sweep->batch.count = sweep->batch.parts = 0;
	sweep->more = false;
	enum bulla_err err = store_scan_from(sweep->records->documents.store, call, &sweep->next, visit, sweep);

	if (err != BULLA_OK && !(err == BULLA_E_BUSY && sweep->more))
		return err;
	call->detail = (struct bulla_bytes){ 0 };
	TRY(add_filings(sweep, call));
	return record_batch_commit(sweep->records, call, &sweep->batch);
}

/* ---- all parts ---------------------------------------------------------------------------------------------------------------------- */

static enum bulla_err first_of(struct records *records, const struct record_name *name, struct store_id *out)
{
	TRY(record_slot(records, name, out));
	memset(out->bytes + STORE_COLLECTION, 0, sizeof out->bytes - STORE_COLLECTION);
	return BULLA_OK;
}

static enum bulla_err run_parts(struct sweep *sweep, size_t parts, struct bulla_call *call)
{
	struct bulla_call work = { .arena = bulla_arena_new(16384), .may_block = true, .turn = call->turn };
	enum bulla_err err = BULLA_E_NO_MEMORY;

	sweep->scratch = (struct bulla_call){ .arena = bulla_arena_new(4096), .may_block = true };
	sweep->more = true;
	if (work.arena != NULL && sweep->scratch.arena != NULL)
		err = BULLA_OK;
	for (; err == BULLA_OK && sweep->more && parts > 0; parts--) {
		bulla_arena_reset(work.arena);
		work.detail = (struct bulla_bytes){ 0 };
		err = run_part(sweep, &work);
	}
	if (err != BULLA_OK && work.detail.len > 0)
		call->detail = bulla_arena_copy(call->arena, work.detail);
	bulla_arena_free(sweep->scratch.arena);
	bulla_arena_free(work.arena);
	return err;
}

/* next: zeros, to begin. */
static enum bulla_err run(struct records *records, struct bulla_call *call, const struct record_name *name, enum sweep_what what,
			  size_t parts, struct store_id *next, bool *more)
{
	static const struct store_id zeros;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	if (memcmp(next, &zeros, sizeof zeros) == 0)
		TRY(first_of(records, name, next));
	struct sweep *sweep = calloc(1, sizeof *sweep);

	if (sweep == NULL)
		return BULLA_E_NO_MEMORY;
	sweep->records = records;
	sweep->name = name;
	sweep->what = what;
	sweep->next = *next;
	enum bulla_err err = run_parts(sweep, parts, call);

	*next = sweep->next;
	*more = sweep->more;
	free(sweep);
	return err;
}

static enum bulla_err sweep_all(struct records *records, struct bulla_call *call, const struct record_name *name, enum sweep_what what)
{
	struct store_id next = { 0 };
	bool more;

	return run(records, call, name, what, SIZE_MAX, &next, &more);
}

enum bulla_err record_remove_ended(struct records *records, struct bulla_call *call, const struct record_name *name)
{
	return sweep_all(records, call, name, REMOVE_ENDED);
}

enum bulla_err record_remove_all(struct records *records, struct bulla_call *call, const struct record_name *name)
{
	return sweep_all(records, call, name, REMOVE_ALL);
}

enum bulla_err record_file(struct records *records, struct bulla_call *call, const struct record_name *name, struct store_id *next,
			   bool *more)
{
	struct store_id from = *next;

	TRY(run(records, call, name, FILE_ALIVE, 1, &from, more)); /* in case of an error it is done again */
	*next = from;
	return BULLA_OK;
}
