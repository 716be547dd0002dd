/* budget.c: what policies let a token, or all tokens together, do in a second, a minute, an hour and a day, counted in items. Windows of
 * an hour and more survive a restart: they are used ahead of blocks that are on disk first, so that a crash costs a part of a block
 * and never gives one back. Taking from a budget is a loop's work; the next block is a worker's. */
#include "access/access_private.h"
#include "access/counters.h"
#include "access/grant.h"
#include "base/pack.h"
#include "bulla/encode.h"
#include "crypto/crypto.h"
#include "seal/documents.h"

#define KIND "budget"
#define FORMAT 1
#define NS_PER_S INT64_C(1000000000)
#define DURABLE_S 3600   /* windows as long as this are kept on disk */
#define BLOCK_PARTS 100  /* of a window's items in one block */
#define BLOCK_MAX 1000
#define TRIES 16
#define SWEPT_AT_ONCE 256
#define SWEEPS_A_TICK 16
#define SWEEP_S 600

/* One window of one budget of this caller. */
struct window {
	uint8_t key[COUNTER_KEY];
	int64_t limit, length_s, number, now_ns;
};

static int64_t end_ns(const struct window *w)
{
	return (w->number + 1) * w->length_s * NS_PER_S;
}

static void window_make(const struct bulla_call *call, const struct grant_budget *budget, const struct grant_window *window,
			struct window *out)
{
	uint8_t text[16];
	const struct token *token = (const struct token *)(const void *)call->token;
	uint8_t policy[SHA256_BYTES], pattern[SHA256_BYTES];
	struct bulla_bytes subject = budget->per_policy ? (struct bulla_bytes){ 0 } : token->public.accessor;

	if (!budget->per_policy && subject.len == 0) /* a batch token: it has no accessor, but its text has an HMAC */
		subject = bulla_mem(token->snapshot.id.bytes, sizeof token->snapshot.id.bytes);

	*out = (struct window){ .limit = window->items, .length_s = window->window_s, .now_ns = bulla_clock_ns() };
	out->number = out->now_ns / NS_PER_S / window->window_s;
	/* a chain of keyed hashes: no two budgets have the same parts in the same order */
	sha256(budget->policy, policy);
	hmac_sha256(bulla_mem(policy, sizeof policy), budget->pattern, (struct bulla_bytes){ 0 }, pattern);
	bulla_put_u64(text, (uint64_t)budget->kind << 1 | budget->per_policy);
	bulla_put_u64(text + 8, (uint64_t)window->window_s);
	hmac_sha256(bulla_mem(pattern, sizeof pattern), bulla_mem(text, sizeof text), subject, out->key);
}

/* ---- on disk ------------------------------------------------------------------------------------------------------------------ */

static struct document_name named(const struct window *w)
{
	return (struct document_name){ .kind = KIND, .item = bulla_mem(w->key, sizeof w->key) };
}

/* number, reserved, and when the record is of no use any more. */
static enum bulla_err decode(struct bulla_bytes value, int64_t *number, int64_t *reserved, int64_t *expires_ns)
{
	struct unpack in = { .ptr = value.ptr, .left = value.len };
	uint8_t format = unpack_u8(&in);

	*number = unpack_i64(&in);
	*reserved = unpack_i64(&in);
	*expires_ns = unpack_i64(&in);
	return format == FORMAT ? unpack_finish(&in) : BULLA_E_STORE_DAMAGED;
}

static enum bulla_err write(const struct documents *documents, struct bulla_call *call, const struct window *w, int64_t reserved,
			    uint64_t revision)
{
	struct document_name name = named(w);
	struct pack pack = { .arena = call->arena };
	struct bulla_bytes value;

	pack_u8(&pack, FORMAT);
	pack_i64(&pack, w->number);
	pack_i64(&pack, reserved);
	pack_i64(&pack, end_ns(w));
	TRY(pack_finish(&pack, &value));
	return document_put(documents, call, &name, revision, value);
}

/* Whether a count of window number is where w is counted: its own, or the next one, for whoever was slow to get here over the end
 * of his; he must not begin the old one anew. */
static bool counts(int64_t number, const struct window *w)
{
	return number == w->number || number == w->number + 1;
}

/* A counter that is new, or of a window that is over, begins where the disk says: what was reserved before this process began is spent.
 * Before the block of whoever finds it so is written, since from then on the disk also tells of blocks that this process has. */
static enum bulla_err load(struct access *access, const struct window *w, int64_t base)
{
	struct counter *counter = counters_get(access->budgets, w->key, w->now_ns, end_ns(w));

	if (counter == NULL)
		return BULLA_E_BUSY;
	if (!counter->loaded || !counts(counter->window, w)) {
		counter->left = 0;
		counter->reserved = base;
		counter->window = w->number;
		counter->until_ns = end_ns(w);
		counter->loaded = true;
	}
	counters_put(access->budgets, counter);
	return BULLA_OK;
}

/* The block from base to reserved is on disk now, and may be used by whoever counts the window that it is for. Others, of this process
 * or of another node, may have written theirs before or after it. */
static enum bulla_err add_block(struct access *access, const struct window *w, int64_t base, int64_t reserved)
{
	struct counter *counter = counters_get(access->budgets, w->key, w->now_ns, end_ns(w));

	if (counter == NULL)
		return BULLA_E_BUSY;
	if (counter->loaded && counter->window == w->number) {
		counter->left += reserved - base;
		counter->reserved = reserved > counter->reserved ? reserved : counter->reserved;
	}
	counters_put(access->budgets, counter);
	return BULLA_OK;
}

/* Makes the next block, or finds that there is none: BUDGET. */
static enum bulla_err reserve(struct access *access, struct bulla_call *call, const struct window *asked, int64_t items)
{
	const struct documents documents = { access->store, access->seal };
	struct window at = *asked, *w = &at;
	struct document_name name = named(w);
	struct document found = { 0 };
	int64_t number = 0, base = 0, expires_ns, block = w->limit / BLOCK_PARTS + 1;
	enum bulla_err err = document_get(&documents, call, &name, &found);

	if (err == BULLA_OK)
		TRY(decode(found.value, &number, &base, &expires_ns));
	else if (err != BULLA_E_NOT_FOUND)
		return err;
	if (counts(number, w))
		w->number = number;
	else
		base = 0;
	block = block < BLOCK_MAX ? block : BLOCK_MAX;
	int64_t reserved = base + (block > items ? block : items);

	reserved = reserved < w->limit ? reserved : w->limit;
	reserved = reserved > base ? reserved : base; /* the limit may have been lowered */
	TRY(load(access, w, base));
	if (reserved > base)
		TRY(write(&documents, call, w, reserved, found.revision));
	return add_block(access, w, base, reserved);
}

/* ---- taking ------------------------------------------------------------------------------------------------------------------- */

static enum bulla_err spent(struct bulla_call *call, const struct window *w)
{
	int64_t left_s = (end_ns(w) - w->now_ns + NS_PER_S - 1) / NS_PER_S;

	if (left_s > call->retry_after_s)
		call->retry_after_s = (int)left_s;
	return bulla_fail(call, BULLA_E_BUDGET, "the budget of %lld items in %lld seconds is spent", (long long)w->limit,
			  (long long)w->length_s);
}

/* Of a budget whose blocks are on disk. MUST_BLOCK: one is needed. */
static enum bulla_err take_reserved(struct bulla_call *call, const struct window *w, int64_t items, struct counter *counter)
{
	if (!counts(counter->window, w) || !counter->loaded)
		return BULLA_E_MUST_BLOCK;
	if (counter->left + w->limit - counter->reserved < items)
		return spent(call, w);
	if (counter->left < items)
		return BULLA_E_MUST_BLOCK;
	counter->left -= items;
	return BULLA_OK;
}

/* MUST_BLOCK: as above. */
static enum bulla_err take_counted(struct bulla_call *call, const struct window *w, int64_t items, struct counter *counter)
{
	bool durable = w->length_s >= DURABLE_S;

	if (!counts(counter->window, w) && !durable) {
		counter->window = w->number;
		counter->used = 0;
		counter->until_ns = end_ns(w);
	}
	if (durable)
		return take_reserved(call, w, items, counter);
	if (counter->used + items > w->limit)
		return spent(call, w);
	counter->used += items;
	return BULLA_OK;
}

static enum bulla_err take_once(struct access *access, struct bulla_call *call, const struct window *w, int64_t items)
{
	struct counter *counter = counters_get(access->budgets, w->key, w->now_ns, end_ns(w));

	if (counter == NULL)
		return BULLA_E_BUSY;
	enum bulla_err err = take_counted(call, w, items, counter);

	counters_put(access->budgets, counter);
	return err;
}

static enum bulla_err take(struct access *access, struct bulla_call *call, const struct window *w, int64_t items)
{
	if (items > w->limit)
		return bulla_fail(call, BULLA_E_INVALID, "%lld items are more than a budget of %lld in %lld seconds ever has",
				  (long long)items, (long long)w->limit, (long long)w->length_s);
	enum bulla_err err = take_once(access, call, w, items);

	for (int tries = 0; err == BULLA_E_MUST_BLOCK && call->may_block && tries < TRIES; tries++) {
		enum bulla_err reserved = reserve(access, call, w, items);

		if (reserved != BULLA_OK && reserved != BULLA_E_CONFLICT)
			return reserved;
		err = take_once(access, call, w, items);
	}
	return err == BULLA_E_MUST_BLOCK && call->may_block ? BULLA_E_BUSY : err;
}

/* In memory only: on disk the block is used, which is the safe side. */
static void give_back(struct access *access, const struct window *w, int64_t items)
{
	struct counter *counter = counters_get(access->budgets, w->key, w->now_ns, end_ns(w));

	if (counter == NULL)
		return;
	if (counter->window == w->number && w->length_s >= DURABLE_S)
		counter->left += items;
	else if (counter->window == w->number && counter->used >= items)
		counter->used -= items;
	counters_put(access->budgets, counter);
}

#define MAX_WINDOWS 64

/* All windows of all budgets, or none. */
static enum bulla_err take_all(struct access *access, struct bulla_call *call, int64_t items)
{
	struct window taken[MAX_WINDOWS];
	struct grant_budget budget;
	size_t count = 0;
	enum bulla_err err = BULLA_OK;

	for (size_t i = 0; err == BULLA_OK && grant_budget(call->grant, i, &budget); i++)
		for (size_t j = 0; err == BULLA_OK && j < budget.window_count; j++) {
			if (count == MAX_WINDOWS) {
				err = bulla_fail(call, BULLA_E_INVALID, "the caller's policies have more than %d windows of budgets",
						 MAX_WINDOWS);
				break; /* what was taken goes back */
			}
			window_make(call, &budget, &budget.windows[j], &taken[count]);
			err = take(access, call, &taken[count], items);
			count += err == BULLA_OK;
		}
	while (err != BULLA_OK && count > 0)
		give_back(access, &taken[--count], items);
	return err;
}

enum bulla_err bulla_take_items(struct bulla *engine, struct bulla_call *call, size_t items)
{
	if (call->grant == NULL || call->token == NULL || call->budget_taken || items == 0)
		return BULLA_OK;
	TRY(take_all(engine->access, call, (int64_t)items));
	call->budget_taken = true;
	return BULLA_OK;
}

/* ---- sweeping ------------------------------------------------------------------------------------------------------------------ */

struct ended {
	struct bulla_call *call;
	struct bulla_bytes keys[SWEPT_AT_ONCE];
	uint64_t revisions[SWEPT_AT_ONCE];
	size_t count;
};

static enum bulla_err note_ended(const struct document *document, void *context)
{
	struct ended *ended = context;
	int64_t number, reserved, expires_ns;

	if (decode(document->value, &number, &reserved, &expires_ns) != BULLA_OK || expires_ns > bulla_clock_ns())
		return BULLA_OK;
	struct bulla_bytes key = bulla_arena_copy(ended->call->arena, document->item);

	if (key.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	ended->revisions[ended->count] = document->revision;
	ended->keys[ended->count++] = key;
	return ended->count < SWEPT_AT_ONCE ? BULLA_OK : BULLA_E_BUSY; /* enough: the scan stops here */
}

/* *more: there may be others. */
static enum bulla_err sweep(struct access *access, struct bulla_call *call, bool *more)
{
	const struct documents documents = { access->store, access->seal };
	struct document_name any = { .kind = KIND };
	struct ended ended = { .call = call };
	size_t damaged = 0;
	enum bulla_err err = document_each(&documents, call, &any, &damaged, note_ended, &ended);

	*more = ended.count == SWEPT_AT_ONCE;
	if (err != BULLA_OK && !(err == BULLA_E_BUSY && *more))
		return err;
	for (size_t i = 0; i < ended.count; i++) {
		struct document_name name = { .kind = KIND, .item = ended.keys[i] };

		err = document_remove(&documents, call, &name, ended.revisions[i]);
		if (err != BULLA_OK && err != BULLA_E_CONFLICT) /* it was used again meanwhile */
			return err;
	}
	return BULLA_OK;
}

enum bulla_err budget_tick(struct access *access, struct bulla_call *call)
{
	int64_t now_ns = bulla_clock_ns();
	bool more = true;

	if (now_ns < atomic_load(&access->next_budget_sweep_ns))
		return BULLA_OK;
	for (int i = 0; more && i < SWEEPS_A_TICK; i++)
		TRY(sweep(access, call, &more));
	atomic_store(&access->next_budget_sweep_ns, more ? now_ns : now_ns + SWEEP_S * NS_PER_S); /* the next tick goes on */
	return BULLA_OK;
}
