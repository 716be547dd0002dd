/* expiry.c: owns when tokens end. Each that has an end is filed under it (state/due.h), written and deleted with the token. What a tick
 * finds there is removed, some 64 tokens a commit, up to a bound; the next tick goes on. Nothing depends on it: whoever shows a token
 * that has ended is refused by its time. */
#include "access/policy_table.h"

#define NS_PER_S INT64_C(1000000000)
#define ENTRIES_A_TICK 10000
#define SLOT_BYTES sizeof(struct store_id)

/* ---- what ended ------------------------------------------------------------------ */

/* An entry that does not open names no token: it goes alone, and the token when the tokens are tidied. The seal is held for one step
 * at a time: sealing does not wait for a tick. */
static enum bulla_err remove_some(void *owner, struct bulla_call *call, const struct due_entry *entries, size_t count)
{
	struct access *access = owner;
	struct store_id ids[DUE_AT_ONCE], slots[DUE_AT_ONCE] = { 0 };
	uint64_t removed = 0;

	for (size_t i = 0; i < count; i++) {
		ids[i] = entries[i].id;
		if (entries[i].content.len == SLOT_BYTES)
			memcpy(&slots[i], entries[i].content.ptr, SLOT_BYTES);
	}
	TRY(access_begin(access, call));
	return access_end(access, tokens_remove_ended(access, call, slots, ids, count, &removed));
}

/* Minutes that are over: what ends in the present one is looked at when it has passed. */
static const struct due_kind ends = { .entry = "token-end", .from = "token-end-from", .most = ENTRIES_A_TICK, .handle = remove_some };

enum bulla_err expiry_init(struct access *access)
{
	return due_init(&access->expiry.due, &ends, access->store, access->seal, access);
}

/* ---- where a token is filed --------------------------------------------------- */

static uint64_t minute_of(int64_t time_ns)
{
	return due_minute(time_ns / NS_PER_S);
}

static struct bulla_bytes content_of(const struct token *token)
{
	return bulla_mem(token->snapshot.id.bytes, SLOT_BYTES);
}

static enum bulla_err file_at(struct access *access, struct bulla_call *call, const struct token *token, uint64_t minute,
			      struct store_write *writes, size_t *count)
{
	return due_filing(&ends, access->seal, call, minute, content_of(token), &writes[(*count)++]);
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
	return due_removal(&ends, access->seal, minute_of(token->end_ns), content_of(token), &writes[(*count)++]);
}

/* ---- a tick --------------------------------------------------------------------- */

static enum bulla_err tick(struct access *access, struct bulla_call *call, struct bulla_call *scratch)
{
	struct expiry *expiry = &access->expiry;

	TRY(due_run(&expiry->due, scratch, bulla_clock_s()));
	TRY(tidy_run(access, call, scratch));
	/* where old tokens are being filed, a restart begins anew with them */
	return expiry->filing ? BULLA_OK : due_store(&expiry->due, scratch);
}

enum bulla_err access_tick(struct access *access, struct bulla_call *call)
{
	TRY(policy_store_tell(access, call));
	struct bulla_call scratch = { .arena = bulla_arena_new(65536), .may_block = true };

	if (scratch.arena == NULL)
		return BULLA_E_NO_MEMORY;
	pthread_mutex_lock(&access->expiry.due.lock);
	enum bulla_err err = call->may_block ? tick(access, call, &scratch) : BULLA_E_MUST_BLOCK;

	pthread_mutex_unlock(&access->expiry.due.lock);
	if (err == BULLA_OK)
		err = budget_tick(access, &scratch);
	if (err != BULLA_OK && scratch.detail.len > 0)
		call->detail = bulla_arena_copy(call->arena, scratch.detail);
	bulla_arena_free(scratch.arena);
	return err;
}

void expiry_forget(struct access *access)
{
	struct expiry *expiry = &access->expiry;

	pthread_mutex_lock(&expiry->due.lock);
	expiry->due.loaded = expiry->tidying = expiry->filing = false;
	pthread_mutex_unlock(&expiry->due.lock);
}
