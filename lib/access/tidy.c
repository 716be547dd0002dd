/* tidy.c: walks through all tokens by their accessors, a part at a time: to remove such as should be gone, and to revoke those of a
 * path. Workers and the tick; what is walked through may change meanwhile. */
#include "access/access_private.h"
#include "base/pack.h"

#define TOKENS_A_TICK 2000

/* ---- walking -------------------------------------------------------------------- */

struct walk {
	struct access *access;
	struct bulla_call *call;
	struct slots *slots;
	size_t room;
	struct store_id next;
	bool more;
};

static enum bulla_err visit(const struct store_record *record, void *context)
{
	struct walk *walk = context;
	struct bulla_bytes plain;
	struct store_id slot;

	walk->next = record->id;
	walk->more = walk->slots->count == walk->room;
	if (walk->more)
		return BULLA_E_BUSY; /* enough: the scan stops here */
	enum bulla_err err = barrier_open(walk->access->seal, walk->call, record, &plain);

	if (err == BULLA_E_STORE_DAMAGED) { /* of whom it speaks is not known */
		walk->call->detail = (struct bulla_bytes){ 0 };
		walk->slots->damaged++;
		return BULLA_OK;
	}
	TRY(err);
	if (plain.len < 1 + sizeof slot.bytes || plain.ptr[0] != 1)
		return BULLA_OK;
	memcpy(slot.bytes, plain.ptr + 1, sizeof slot.bytes);
	return slots_add(walk->call, walk->slots, &slot);
}

enum bulla_err accessors_walk(struct access *access, struct bulla_call *call, const struct store_id *first, struct slots *out,
			      size_t room, struct store_id *next, bool *more)
{
	struct walk walk = { .access = access, .call = call, .slots = out, .room = room };
	enum bulla_err err = store_scan_from(access->store, call, first, visit, &walk);

	if (err != BULLA_OK && (err != BULLA_E_BUSY || !walk.more))
		return err;
	*next = walk.next;
	*more = walk.more;
	return BULLA_OK;
}

enum bulla_err first_accessor(struct access *access, struct store_id *out)
{
	TRY(accessor_slot(access, (struct bulla_bytes){ 0 }, out));
	memset(out->bytes + STORE_COLLECTION, 0, sizeof out->bytes - STORE_COLLECTION);
	return BULLA_OK;
}

/* ---- tidying -------------------------------------------------------------------- */

/* Files a token that is alive and was made by a version that did not. */
static enum bulla_err file_one(struct access *access, struct bulla_call *call, const struct store_id *slot)
{
	struct store_write write;
	struct token *token;
	size_t count = 0;
	enum bulla_err err = token_read(access, call, slot, &token);

	if (err == BULLA_E_NOT_FOUND || err == BULLA_E_STORE_DAMAGED)
		return BULLA_OK;
	TRY(err);
	err = expiry_file(access, call, token, &write, &count);
	token_put(token);
	if (err == BULLA_OK && count > 0)
		err = store_commit(access->store, call, &write, count, NULL);
	return err == BULLA_E_CONFLICT ? BULLA_OK : err; /* it is filed */
}

static enum bulla_err step(struct access *access, struct bulla_call *scratch)
{
	struct expiry *expiry = &access->expiry;
	struct slots slots = { 0 };
	struct store_id next;
	bool more;

	TRY(accessors_walk(access, scratch, &expiry->next, &slots, ENDED_AT_ONCE, &next, &more));
	TRY(tokens_remove_ended(access, scratch, slots.items, NULL, slots.count, &expiry->removed));
	for (size_t i = 0; expiry->filing && i < slots.count; i++)
		TRY(file_one(access, scratch, &slots.items[i]));
	expiry->seen += slots.count;
	expiry->next = next;
	expiry->tidying = more;
	return BULLA_OK;
}

/* One that was asked for begins when the last has ended. A store whose ends were never looked into may have tokens of versions that
 * filed none: they are looked through once. */
static enum bulla_err begin(struct access *access)
{
	struct expiry *expiry = &access->expiry;

	if (expiry->tidying || (expiry->due.revision != 0 && !atomic_load(&expiry->tidy_wanted)))
		return BULLA_OK;
	TRY(first_accessor(access, &expiry->next));
	expiry->seen = expiry->removed = 0;
	expiry->tidying = true;
	expiry->filing = expiry->due.revision == 0;
	return BULLA_OK;
}

enum bulla_err tidy_run(struct access *access, struct bulla_call *call, struct bulla_call *scratch)
{
	struct expiry *expiry = &access->expiry;

	TRY(begin(access));
	bool was = expiry->tidying;

	for (size_t seen = 0; expiry->tidying && seen < TOKENS_A_TICK; seen += ENDED_AT_ONCE) {
		bulla_arena_reset(scratch->arena);
		*scratch = (struct bulla_call){ .arena = scratch->arena, .may_block = true };
		TRY(access_begin(access, scratch));
		TRY(access_end(access, step(access, scratch)));
	}
	if (!was || expiry->tidying)
		return BULLA_OK;
	bool asked = !expiry->filing && atomic_exchange(&expiry->tidy_wanted, false);

	expiry->filing = false;
	if (!asked)
		return BULLA_OK;
	return bulla_warn(call, "the tokens were tidied: %llu looked at, %llu removed", (unsigned long long)expiry->seen,
			  (unsigned long long)expiry->removed);
}

void bulla_token_tidy(struct bulla *engine, bool *begun)
{
	*begun = !atomic_exchange(&engine->access->expiry.tidy_wanted, true);
}

/* ---- by path -------------------------------------------------------------------- */

/* The first root token came from no endpoint. */
static bool is_below(struct bulla_bytes path, struct bulla_bytes prefix)
{
	if (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/')
		prefix.len--;
	if (bulla_is(path, TOKEN_ROOT_PATH) || path.len < prefix.len || memcmp(path.ptr, prefix.ptr, prefix.len) != 0)
		return false;
	return path.len == prefix.len || path.ptr[prefix.len] == '/';
}

static enum bulla_err revoke_if_below(struct access *access, struct bulla_call *call, const struct store_id *slot,
				      struct bulla_bytes prefix)
{
	struct token *token;
	enum bulla_err err = token_read(access, call, slot, &token);

	if (err == BULLA_E_NOT_FOUND || err == BULLA_E_STORE_DAMAGED)
		return BULLA_OK;
	TRY(err);
	bool below = is_below(token->public.path, prefix);

	token_put(token);
	return below ? token_revoke(access, call, slot) : BULLA_OK;
}

static enum bulla_err revoke_some(struct access *access, struct bulla_call *scratch, struct bulla_bytes prefix,
				  struct store_id *next, bool *more)
{
	struct slots slots = { 0 };
	struct store_id first = *next;

	TRY(accessors_walk(access, scratch, &first, &slots, ENDED_AT_ONCE, next, more));
	for (size_t i = 0; i < slots.count; i++)
		TRY(revoke_if_below(access, scratch, &slots.items[i], prefix));
	return BULLA_OK;
}

/* The seal is held for one step at a time. */
static enum bulla_err revoke_prefix(struct access *access, struct bulla_call *scratch, struct bulla_bytes prefix)
{
	struct store_id next;
	bool more = true;

	TRY(first_accessor(access, &next));
	while (more) {
		bulla_arena_reset(scratch->arena);
		*scratch = (struct bulla_call){ .arena = scratch->arena, .may_block = true };
		TRY(access_begin(access, scratch));
		TRY(access_end(access, revoke_some(access, scratch, prefix, &next, &more)));
	}
	return BULLA_OK;
}

enum bulla_err access_revoke_prefix(struct access *access, struct bulla_call *call, struct bulla_bytes prefix)
{
	struct bulla_call scratch = { .may_block = true };

	TRY(bulla_work(call, BULLA_WORK_DISK));
	scratch.arena = bulla_arena_new(16384);
	enum bulla_err err = scratch.arena != NULL ? revoke_prefix(access, &scratch, prefix) : BULLA_E_NO_MEMORY;

	if (err != BULLA_OK && scratch.detail.len > 0)
		call->detail = bulla_arena_copy(call->arena, scratch.detail);
	bulla_arena_free(scratch.arena);
	return err;
}
