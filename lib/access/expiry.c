/* expiry.c: owns when tokens end. Each that has an end is filed under it: a small sealed record in a collection of its minute,
 * written and deleted with the token (docs/FORMATS.md). A tick looks only into the minutes that have passed since the last one, so
 * the number of tokens does not matter, nor does a restart. What it finds there is removed, some 64 tokens a commit, up to a
 * bound; the next tick goes on. Nothing depends on it: whoever shows a token that has ended is refused by its time. */
#include "access/policy_table.h"
#include "bulla/encode.h"

#define NS_PER_MINUTE (INT64_C(60) * 1000000000)
#define BACK_MINUTES 10       /* looked at again: a writer may have been slow to commit */
#define MINUTES_A_TICK 20000  /* a day is 1,440: after a long time off, it takes some ticks */
#define TOKENS_A_TICK 10000
#define STORE_EVERY 60        /* minutes: what is stored is where a restart begins */
#define SLOT_BYTES sizeof(struct store_id)

/* ---- where a token is filed --------------------------------------------------- */

static uint64_t minute_of(int64_t time_ns)
{
	return time_ns > 0 ? (uint64_t)(time_ns / NS_PER_MINUTE) : 0;
}

/* slot NULL: any, for the collection half. */
static enum bulla_err entry_id(struct access *access, uint64_t minute, const struct store_id *slot, struct store_id *out)
{
	uint8_t number[8];

	bulla_put_u64(number, minute);
	struct barrier_name name = { .kind = "token-end", .scope = bulla_mem(number, sizeof number) };

	if (slot != NULL)
		name.item = bulla_mem(slot->bytes, SLOT_BYTES);
	return barrier_slot(access->seal, &name, out);
}

static enum bulla_err file_at(struct access *access, struct bulla_call *call, const struct token *token, uint64_t minute,
			      struct store_write *writes, size_t *count)
{
	struct store_write *write = &writes[*count];

	*write = (struct store_write){ .change = STORE_PUT };
	TRY(entry_id(access, minute, &token->slot, &write->id));
	TRY(barrier_seal(access->seal, call, &write->id, 1, bulla_mem(token->slot.bytes, SLOT_BYTES), &write->bytes));
	++*count;
	return BULLA_OK;
}

enum bulla_err expiry_file(struct access *access, struct bulla_call *call, const struct token *token, struct store_write *writes,
			   size_t *count)
{
	return token->end_ns == INT64_MAX ? BULLA_OK : file_at(access, call, token, minute_of(token->end_ns), writes, count);
}

enum bulla_err expiry_file_now(struct access *access, struct bulla_call *call, const struct token *token,
			       struct store_write *writes, size_t *count)
{
	uint64_t now = minute_of(bulla_clock_ns());

	if (token->end_ns != INT64_MAX && minute_of(token->end_ns) == now)
		return BULLA_OK; /* it is there */
	return file_at(access, call, token, now, writes, count);
}

enum bulla_err expiry_deletion(struct access *access, const struct token *token, struct store_write *writes, size_t *count)
{
	if (token->end_ns == INT64_MAX)
		return BULLA_OK;
	writes[*count] = (struct store_write){ .change = STORE_DELETE, .expected = STORE_ANY_REVISION };
	TRY(entry_id(access, minute_of(token->end_ns), &token->slot, &writes[*count].id));
	++*count;
	return BULLA_OK;
}

/* ---- one minute ---------------------------------------------------------------- */

struct due {
	struct seal *seal;
	struct bulla_call *call;
	struct store_id entries[ENDED_AT_ONCE], slots[ENDED_AT_ONCE];
	size_t count;
};

/* An entry that does not open names no token: it goes alone, and the token when the tokens are tidied. */
static enum bulla_err visit_entry(const struct store_record *record, void *context)
{
	struct due *due = context;
	struct bulla_bytes plain;

	due->entries[due->count] = record->id;
	memset(&due->slots[due->count], 0, SLOT_BYTES);
	enum bulla_err err = barrier_open(due->seal, due->call, record, &plain);

	if (err != BULLA_OK && err != BULLA_E_STORE_DAMAGED)
		return err;
	if (err == BULLA_OK && plain.len == SLOT_BYTES)
		memcpy(&due->slots[due->count], plain.ptr, SLOT_BYTES);
	due->call->detail = (struct bulla_bytes){ 0 };
	due->count++;
	return due->count < ENDED_AT_ONCE ? BULLA_OK : BULLA_E_BUSY; /* enough: the scan stops here */
}

/* *done: nothing is left of it. */
static enum bulla_err remove_some(struct access *access, struct bulla_call *call, uint64_t minute, uint64_t *removed, bool *done)
{
	struct due due = { .seal = access->seal, .call = call };
	struct store_id any;

	TRY(entry_id(access, minute, NULL, &any));
	enum bulla_err err = store_scan(access->store, call, any.bytes, visit_entry, &due);

	if (err != BULLA_OK && (err != BULLA_E_BUSY || due.count < ENDED_AT_ONCE))
		return err;
	*done = err == BULLA_OK;
	return tokens_remove_ended(access, call, due.slots, due.entries, due.count, removed);
}

/* The seal is held for one step at a time: sealing does not wait for a tick. */
static enum bulla_err run_minute(struct access *access, struct bulla_call *scratch, uint64_t minute, uint64_t *removed, bool *done)
{
	for (*done = false; !*done && *removed < TOKENS_A_TICK;) {
		bulla_arena_reset(scratch->arena);
		*scratch = (struct bulla_call){ .arena = scratch->arena, .may_block = true };
		TRY(access_begin(access, scratch));
		TRY(access_end(access, remove_some(access, scratch, minute, removed, done)));
	}
	return BULLA_OK;
}

/* ---- a tick --------------------------------------------------------------------- */

static enum bulla_err from_slot(struct access *access, struct store_id *out)
{
	struct barrier_name name = { .kind = "token-end-from" };

	return barrier_slot(access->seal, &name, out);
}

/* A store without it may have tokens of versions that filed none: they are looked through once. */
static enum bulla_err read_from(struct access *access, struct bulla_call *call, uint64_t now)
{
	struct expiry *expiry = &access->expiry;
	struct store_record record = { 0 };
	struct bulla_bytes plain;
	struct store_id slot;

	TRY(from_slot(access, &slot));
	enum bulla_err err = store_get(access->store, call, &slot, &record);

	expiry->from = now;
	expiry->stored = expiry->revision = 0;
	expiry->tidying = expiry->filing = err == BULLA_E_NOT_FOUND;
	if (err == BULLA_E_NOT_FOUND)
		return first_accessor(access, &expiry->next);
	TRY(err);
	TRY(barrier_open(access->seal, call, &record, &plain));
	if (plain.len != 8)
		return BULLA_E_STORE_DAMAGED;
	expiry->stored = bulla_get_u64(plain.ptr);
	expiry->from = expiry->stored < now ? expiry->stored : now;
	expiry->revision = record.revision;
	return BULLA_OK;
}

static enum bulla_err write_from(struct access *access, struct bulla_call *call)
{
	struct expiry *expiry = &access->expiry;
	struct store_write write = { .change = STORE_PUT, .expected = expiry->revision };
	uint8_t number[8];

	bulla_put_u64(number, expiry->from);
	TRY(from_slot(access, &write.id));
	TRY(barrier_seal(access->seal, call, &write.id, store_revision(&write), bulla_mem(number, sizeof number), &write.bytes));
	TRY(store_commit(access->store, call, &write, 1, NULL));
	expiry->revision++;
	expiry->stored = expiry->from;
	return BULLA_OK;
}

/* Minutes that are over: what ends in the present one is looked at when it has passed. */
static enum bulla_err run_minutes(struct access *access, struct bulla_call *scratch, uint64_t now)
{
	struct expiry *expiry = &access->expiry;
	uint64_t minute = expiry->from > BACK_MINUTES ? expiry->from - BACK_MINUTES : 0, removed = 0;
	uint64_t last = now > minute + MINUTES_A_TICK ? minute + MINUTES_A_TICK : now;
	bool done = true;

	if (expiry->from >= now)
		return BULLA_OK; /* it has been looked into as far as time goes */
	for (; minute < last; minute++) {
		TRY(run_minute(access, scratch, minute, &removed, &done));
		if (!done)
			break;
	}
	if (minute > expiry->from)
		expiry->from = minute;
	return BULLA_OK;
}

static enum bulla_err load_and_store(struct access *access, struct bulla_call *scratch, uint64_t now, bool begin)
{
	struct expiry *expiry = &access->expiry;

	if (begin && !expiry->loaded) {
		TRY(read_from(access, scratch, now));
		expiry->loaded = true;
	}
	/* where old tokens are being filed, a restart begins anew with them */
	if (begin || expiry->filing || (expiry->revision != 0 && expiry->from < expiry->stored + STORE_EVERY))
		return BULLA_OK;
	return write_from(access, scratch);
}

static enum bulla_err held(struct access *access, struct bulla_call *scratch, uint64_t now, bool begin)
{
	TRY(access_begin(access, scratch));
	return access_end(access, load_and_store(access, scratch, now, begin));
}

static enum bulla_err tick(struct access *access, struct bulla_call *call, struct bulla_call *scratch)
{
	uint64_t now = minute_of(bulla_clock_ns());

	TRY(held(access, scratch, now, true));
	TRY(run_minutes(access, scratch, now));
	TRY(tidy_run(access, call, scratch));
	return held(access, scratch, now, false);
}

enum bulla_err access_tick(struct access *access, struct bulla_call *call)
{
	TRY(policy_store_tell(access, call));
	struct bulla_call scratch = { .arena = bulla_arena_new(65536), .may_block = true };

	if (scratch.arena == NULL)
		return BULLA_E_NO_MEMORY;
	pthread_mutex_lock(&access->expiry.lock);
	enum bulla_err err = call->may_block ? tick(access, call, &scratch) : BULLA_E_MUST_BLOCK;

	pthread_mutex_unlock(&access->expiry.lock);
	if (err == BULLA_OK)
		err = budget_tick(access, &scratch);
	if (err != BULLA_OK && scratch.detail.len > 0)
		call->detail = bulla_arena_copy(call->arena, scratch.detail);
	bulla_arena_free(scratch.arena);
	return err;
}

void expiry_forget(struct access *access)
{
	pthread_mutex_lock(&access->expiry.lock);
	access->expiry.loaded = access->expiry.tidying = access->expiry.filing = false;
	pthread_mutex_unlock(&access->expiry.lock);
}
