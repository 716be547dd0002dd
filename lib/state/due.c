/* due.c: owns the queues of due minutes (due.h): their entries' names, the walk through the minutes, and how far it came. Workers. */
#include "state/due.h"

#include <stdlib.h>

#include "bulla/encode.h"

#define MINUTE_S 60
#define BACK_MINUTES 10       /* looked at again: a writer may have been slow to commit */
#define MINUTES_A_RUN 20000   /* a day is 1,440: after a long time off, it takes some runs */
#define STORE_EVERY 60        /* minutes: what is stored is where a restart begins */

enum bulla_err due_init(struct due *due, const struct due_kind *kind, struct store *store, struct seal *seal, void *owner)
{
	*due = (struct due){ .kind = kind, .store = store, .seal = seal, .owner = owner };
	return pthread_mutex_init(&due->lock, NULL) == 0 ? BULLA_OK : BULLA_E_NO_MEMORY;
}

void due_end(struct due *due)
{
	(void)pthread_mutex_destroy(&due->lock);
}

void due_forget(struct due *due)
{
	pthread_mutex_lock(&due->lock);
	due->loaded = false;
	pthread_mutex_unlock(&due->lock);
}

/* ---- entries --------------------------------------------------------------------- */

uint64_t due_minute(int64_t time_s)
{
	return time_s > 0 ? (uint64_t)time_s / MINUTE_S : 0;
}

enum bulla_err due_slot(const struct due_kind *kind, struct seal *seal, uint64_t minute, struct bulla_bytes content,
			struct store_id *out)
{
	uint8_t number[8];

	bulla_put_u64(number, minute);
	struct barrier_name name = { .kind = kind->entry, .scope = bulla_mem(number, sizeof number), .item = content };

	return barrier_slot(seal, &name, out);
}

enum bulla_err due_filing(const struct due_kind *kind, struct seal *seal, struct bulla_call *call, uint64_t minute,
			  struct bulla_bytes content, struct store_write *out)
{
	*out = (struct store_write){ .change = STORE_PUT };
	TRY(due_slot(kind, seal, minute, content, &out->id));
	return barrier_seal(seal, call, &out->id, 1, content, &out->bytes);
}

enum bulla_err due_removal(const struct due_kind *kind, struct seal *seal, uint64_t minute, struct bulla_bytes content,
			   struct store_write *out)
{
	*out = (struct store_write){ .change = STORE_DELETE, .expected = STORE_ANY_REVISION };
	return due_slot(kind, seal, minute, content, &out->id);
}

/* ---- one minute ------------------------------------------------------------------ */

struct scan {
	struct seal *seal;
	struct bulla_call call; /* its arena holds the entries, and is reset for each batch */
	struct store_id next;   /* where the next batch begins */
	struct due_entry entries[DUE_AT_ONCE];
	size_t count, seen;     /* of this batch, of the whole run */
};

static enum bulla_err visit_entry(const struct store_record *record, void *context)
{
	struct scan *scan = context;
	struct due_entry entry = { .id = record->id };

	if (scan->count == DUE_AT_ONCE) {
		scan->next = record->id;
		return BULLA_E_BUSY; /* enough: the scan stops here */
	}
	enum bulla_err err = barrier_open(scan->seal, &scan->call, record, &entry.content);

	if (err != BULLA_OK && err != BULLA_E_STORE_DAMAGED)
		return err;
	if (err != BULLA_OK)
		entry.content = scan->call.detail = (struct bulla_bytes){ 0 };
	scan->entries[scan->count++] = entry;
	return BULLA_OK;
}

/* *more: a batch is full, and there are others. */
static enum bulla_err next_batch(struct due *due, struct scan *scan, bool *more)
{
	bulla_arena_reset(scan->call.arena);
	scan->call = (struct bulla_call){ .arena = scan->call.arena, .may_block = true };
	scan->count = 0;
	enum bulla_err err = store_scan_from(due->store, &scan->call, &scan->next, visit_entry, scan);

	*more = err == BULLA_E_BUSY && scan->count == DUE_AT_ONCE;
	return *more ? BULLA_OK : err;
}

/* Entries are few at a time, whatever is due in one minute. *more: the run has done enough, and something is left. */
static enum bulla_err run_minute(struct due *due, struct scan *scan, struct bulla_call *work, uint64_t minute, bool *more)
{
	TRY(due_slot(due->kind, due->seal, minute, (struct bulla_bytes){ 0 }, &scan->next));
	memset(scan->next.bytes + STORE_COLLECTION, 0, sizeof scan->next.bytes - STORE_COLLECTION);
	for (*more = true; *more && (due->kind->most == 0 || scan->seen < due->kind->most);) {
		TRY(next_batch(due, scan, more));
		bulla_arena_reset(work->arena);
		*work = (struct bulla_call){ .arena = work->arena, .may_block = true, .turn = work->turn };
		if (scan->count > 0)
			TRY(due->kind->handle(due->owner, work, scan->entries, scan->count));
		scan->seen += scan->count;
	}
	return BULLA_OK;
}

/* ---- how far it came ---------------------------------------------------------------- */

static enum bulla_err from_slot(const struct due *due, struct store_id *out)
{
	const struct barrier_name name = { .kind = due->kind->from };

	return barrier_slot(due->seal, &name, out);
}

static enum bulla_err read_from(struct due *due, struct bulla_call *call, uint64_t now)
{
	struct store_record record = { 0 };
	struct bulla_bytes plain;
	struct store_id slot;

	TRY(from_slot(due, &slot));
	enum bulla_err err = store_get(due->store, call, &slot, &record);

	due->from = now; /* the first run of all: what is filed already is filed for later */
	due->stored = due->revision = 0;
	if (err == BULLA_E_NOT_FOUND)
		return BULLA_OK;
	TRY(err);
	TRY(barrier_open(due->seal, call, &record, &plain));
	if (plain.len != 8)
		return BULLA_E_STORE_DAMAGED;
	due->stored = bulla_get_u64(plain.ptr);
	due->from = due->stored < now ? due->stored : now; /* else the clock was set back on purpose */
	due->revision = record.revision;
	return BULLA_OK;
}

static enum bulla_err write_from(struct due *due, struct bulla_call *call)
{
	struct store_write write = { .change = STORE_PUT, .expected = due->revision };
	uint8_t number[8];

	bulla_put_u64(number, due->from);
	TRY(from_slot(due, &write.id));
	TRY(barrier_seal(due->seal, call, &write.id, store_revision(&write), bulla_mem(number, sizeof number), &write.bytes));
	enum bulla_err err = store_commit(due->store, call, &write, 1, NULL);

	due->loaded = err != BULLA_E_CONFLICT;
	if (err == BULLA_OK) {
		due->revision++;
		due->stored = due->from;
	}
	return due->loaded ? err : BULLA_OK;
}

static enum bulla_err load(struct due *due, struct bulla_call *call, uint64_t now)
{
	if (due->loaded)
		return BULLA_OK;
	TRY(seal_hold(due->seal));
	enum bulla_err err = read_from(due, call, now);

	seal_release(due->seal);
	due->loaded = err == BULLA_OK;
	return err;
}

enum bulla_err due_store(struct due *due, struct bulla_call *call)
{
	if (!due->loaded || (due->revision != 0 && due->from < due->stored + STORE_EVERY))
		return BULLA_OK;
	TRY(seal_hold(due->seal));
	enum bulla_err err = write_from(due, call);

	seal_release(due->seal);
	return err;
}

/* ---- a run ------------------------------------------------------------------------ */

static enum bulla_err run_minutes(struct due *due, struct scan *scan, struct bulla_call *work, uint64_t now)
{
	uint64_t present = due->kind->present ? 1 : 0;
	uint64_t minute = due->from > BACK_MINUTES ? due->from - BACK_MINUTES : 0, end = now + present;
	bool more = false;

	if (present == 0 && due->from >= now)
		return BULLA_OK; /* it has been looked into as far as time goes */
	if (end > minute + MINUTES_A_RUN)
		end = minute + MINUTES_A_RUN;
	for (; minute < end; minute++) {
		TRY(run_minute(due, scan, work, minute, &more));
		if (more)
			break;
	}
	if (minute > due->from + present)
		due->from = minute - present;
	return BULLA_OK;
}

enum bulla_err due_run(struct due *due, struct bulla_call *call, int64_t now_s)
{
	struct bulla_call work = { .arena = bulla_arena_new(16384), .turn = call->turn };
	struct scan *scan = calloc(1, sizeof *scan);
	enum bulla_err err = BULLA_E_NO_MEMORY;

	if (scan != NULL) {
		scan->seal = due->seal;
		scan->call.arena = bulla_arena_new(16384);
	}
	if (work.arena != NULL && scan != NULL && scan->call.arena != NULL)
		err = load(due, call, due_minute(now_s));
	if (err == BULLA_OK) {
		err = run_minutes(due, scan, &work, due_minute(now_s));
		const struct bulla_bytes detail = work.detail.len > 0 ? work.detail : scan->call.detail;

		if (err != BULLA_OK && detail.len > 0)
			call->detail = bulla_arena_copy(call->arena, detail);
	}
	if (scan != NULL)
		bulla_arena_free(scan->call.arena);
	bulla_arena_free(work.arena);
	free(scan);
	return err;
}
