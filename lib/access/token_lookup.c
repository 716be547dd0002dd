/* token_lookup.c: reading tokens by their text or accessor, listing accessors, and renewing. Workers only. */
#include <stdlib.h>

#include "access/access_private.h"
#include "base/pack.h"

/* ---- lookup ---------------------------------------------------------------- */

/* Of one that has ended the records go. err_dead: what the caller is told then. */
static enum bulla_err load_or(struct access *access, struct bulla_call *call, const struct store_id *slot,
			      enum bulla_err err_dead, struct token **out)
{
	enum bulla_err err = token_load(access, call, slot, out);

	if (err == BULLA_E_NO_TOKEN)
		TRY(token_revoke(access, call, slot));
	if (err == BULLA_E_NO_TOKEN || err == BULLA_E_NOT_FOUND)
		return err_dead;
	return err;
}

static enum bulla_err lookup_batch(struct access *access, struct bulla_call *call, struct bulla_bytes text,
				   const struct bulla_token **out)
{
	struct token *token;
	enum bulla_err err = batch_load(access, call, text, &token);

	if (err == BULLA_E_NO_TOKEN)
		return BULLA_E_BAD_TOKEN;
	TRY(err);
	*out = &token->public;
	return BULLA_OK;
}

static enum bulla_err lookup(struct access *access, struct bulla_call *call, struct bulla_bytes text,
			     const struct bulla_token **out)
{
	struct store_id slot;
	struct token *token;

	if (batch_is(text))
		return lookup_batch(access, call, text, out);
	TRY(token_slot(access, text, &slot));
	TRY(load_or(access, call, &slot, BULLA_E_BAD_TOKEN, &token));
	*out = &token->public;
	return BULLA_OK;
}

enum bulla_err bulla_token_lookup(struct bulla *engine, struct bulla_call *call, struct bulla_bytes text,
				  const struct bulla_token **out)
{
	if (text.len == 0 || (text.len > TOKEN_MAX_BYTES && !batch_is(text)))
		return BULLA_E_BAD_TOKEN;
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, lookup(engine->access, call, text, out));
}

static enum bulla_err lookup_accessor(struct access *access, struct bulla_call *call, struct bulla_bytes accessor,
				      const struct bulla_token **out)
{
	struct store_id slot;
	struct token *token;

	TRY(accessor_read(access, call, accessor, &slot));
	TRY(load_or(access, call, &slot, BULLA_E_BAD_ACCESSOR, &token));
	*out = &token->public;
	return BULLA_OK;
}

enum bulla_err bulla_token_lookup_accessor(struct bulla *engine, struct bulla_call *call, struct bulla_bytes accessor,
					   const struct bulla_token **out)
{
	if (accessor.len == 0)
		return bulla_fail(call, BULLA_E_INVALID_LISTED, "missing accessor");
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, lookup_accessor(engine->access, call, accessor, out));
}

/* ---- list ------------------------------------------------------------------ */

struct listing {
	struct access *access;
	struct bulla_call *call;
	struct slots slots;
	size_t damaged;
};

static enum bulla_err list_one(const struct store_record *record, void *context)
{
	struct listing *listing = context;
	struct bulla_bytes plain;
	struct store_id slot;
	enum bulla_err err = barrier_open(listing->access->seal, listing->call, record, &plain);

	if (err == BULLA_E_STORE_DAMAGED) {
		listing->damaged++;
		return BULLA_OK;
	}
	TRY(err);
	if (plain.len < 1 + sizeof slot.bytes || plain.ptr[0] != 1)
		return BULLA_E_STORE_DAMAGED;
	memcpy(slot.bytes, plain.ptr + 1, sizeof slot.bytes);
	return slots_add(listing->call, &listing->slots, &slot);
}

static int by_name(const void *a, const void *b)
{
	return bulla_compare(*(const struct bulla_bytes *)a, *(const struct bulla_bytes *)b);
}

/* Each token is asked whether it is alive: the index may name some that have ended and were not cleared away yet. */
static enum bulla_err names_of_living(struct listing *listing, struct bulla_bytes *names, size_t *count)
{
	struct bulla_arena *arena = listing->call->arena;

	for (size_t i = 0; i < listing->slots.count; i++) {
		struct token *token;
		enum bulla_err err = token_load(listing->access, listing->call, &listing->slots.items[i], &token);

		listing->damaged += err == BULLA_E_STORE_DAMAGED;
		if (err == BULLA_E_NO_TOKEN || err == BULLA_E_NOT_FOUND || err == BULLA_E_STORE_DAMAGED)
			continue;
		TRY(err);
		names[*count] = bulla_arena_copy(arena, token->public.accessor);
		token_put(token);
		if (names[(*count)++].ptr == NULL)
			return BULLA_E_NO_MEMORY;
	}
	return BULLA_OK;
}

static enum bulla_err accessors(struct access *access, struct bulla_call *call, struct bulla_bytes **list, size_t *count)
{
	struct listing listing = { .access = access, .call = call };
	struct store_id id;
	size_t n = 0;

	TRY(accessor_slot(access, (struct bulla_bytes){ 0 }, &id));
	TRY(store_scan(access->store, call, id.bytes, list_one, &listing));
	struct bulla_bytes *names = bulla_arena_alloc(call->arena, listing.slots.count * sizeof *names);

	if (names == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(names_of_living(&listing, names, &n));
	call->detail = (struct bulla_bytes){ 0 };
	if (listing.damaged > 0)
		TRY(bulla_warn(call, "%zu damaged records were left out", listing.damaged));
	qsort(names, n, sizeof *names, by_name);
	*list = names;
	*count = n;
	return BULLA_OK;
}

enum bulla_err bulla_token_accessors(struct bulla *engine, struct bulla_call *call, struct bulla_bytes **list, size_t *count)
{
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, accessors(engine->access, call, list, count));
}

/* ---- renew ----------------------------------------------------------------- */

/* A login's token gets what its role or user gives today. */
static enum bulla_err ask_renewer(struct access *access, struct bulla_call *call, const struct bulla_token *t,
				  struct lease_wish *wish)
{
	struct bulla_token_params params = { 0 };

	if (wish->mount == NULL)
		return bulla_fail(call, BULLA_E_INVALID_500, "failed to renew entry: its auth method is gone");
	if (access->renewer == NULL)
		return bulla_fail(call, BULLA_E_INVALID, "lease is not renewable");
	enum bulla_err err = access->renewer(access->renewer_context, call, wish->mount, t, &params);

	if (err != BULLA_OK && bulla_err_row(err)->kind == BULLA_CLASS_CALLER && err != BULLA_E_SEALED) {
		struct bulla_bytes text = bulla_call_text(call, err);

		return bulla_fail(call, BULLA_E_INVALID_500, "failed to renew entry: %.*s", (int)text.len, (const char *)text.ptr);
	}
	TRY(err);
	wish->ttl_s = params.ttl_s;
	wish->period_s = params.period_s;
	wish->max_s = params.max_ttl_s;
	wish->explicit_max_s = params.explicit_max_ttl_s;
	return BULLA_OK;
}

/* ... and one that was made through a role what that says. */
static enum bulla_err ask_role(struct access *access, struct bulla_call *call, const struct bulla_token *t, struct lease_wish *wish)
{
	struct bulla_token_role role;
	enum bulla_err err = token_role_get(access, call, t->role, &role);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID_500,
				  "failed to renew entry: original token role \"%.*s\" could not be found, not renewing",
				  (int)t->role.len, (const char *)t->role.ptr);
	TRY(err);
	wish->period_s = role.period_s;
	wish->explicit_max_s = role.explicit_max_ttl_s;
	return BULLA_OK;
}

static enum bulla_err ask_origin(struct access *access, struct bulla_call *call, const struct bulla_token *t,
				 struct lease_wish *wish)
{
	if (t->role.len > 0)
		return ask_role(access, call, t, wish);
	return t->login_name.len > 0 ? ask_renewer(access, call, t, wish) : BULLA_OK;
}

#define NO_LEASE "invalid lease ID"

static enum bulla_err new_ttl(struct bulla *engine, struct bulla_call *call, const struct bulla_token *t, int64_t increment_s,
			      int64_t now_ns, int64_t *ttl_s)
{
	struct lease_wish wish = { .increment_s = increment_s, .ttl_s = t->ttl_s, .period_s = t->period_s,
				   .explicit_max_s = t->explicit_max_ttl_s, .issued_ns = t->issued_ns, .now_ns = now_ns };
	struct bulla_bytes rest;

	if (!bulla_token_is_registered(t))
		return bulla_fail(call, BULLA_E_INVALID, NO_LEASE);
	if (!t->renewable || t->ttl_s == 0)
		return bulla_fail(call, BULLA_E_INVALID, "lease is not renewable");
	wish.mount = bulla_mount_find(engine, t->path, &rest);
	enum bulla_err err = ask_origin(engine->access, call, t, &wish);

	if (err == BULLA_OK)
		err = lease_calculate(engine->access, call, &wish, ttl_s);
	bulla_mount_put(wish.mount);
	return err;
}

/* With the stripe held. CONFLICT: it was changed meanwhile. */
static enum bulla_err renew_once(struct bulla *engine, struct bulla_call *call, const struct store_id *slot, int64_t increment_s,
				 struct token **out)
{
	struct access *access = engine->access;
	struct slots children = { 0 };
	struct token *before, *after;

	TRY(token_load(access, call, slot, &before));
	struct bulla_token t = before->public;

	t.last_renewal_ns = bulla_clock_ns();
	enum bulla_err err = new_ttl(engine, call, &before->public, increment_s, t.last_renewal_ns, &t.ttl_s);

	if (err == BULLA_OK)
		err = token_replace(access, call, before, &t, &before->parent, &after);
	int64_t old_end_ns = before->end_ns;

	token_put(before);
	TRY(err);
	cache_renew(access, after);
	if (after->end_ns < old_end_ns) { /* its descendants end earlier than they knew */
		err = children_read(access, call, slot, &children);
		if (err != BULLA_OK || children.count > 0)
			atomic_fetch_add(&access->generation, 1);
		atomic_fetch_add(&access->revocations, 1);
	}
	*out = after;
	return BULLA_OK;
}

static enum bulla_err renew(struct bulla *engine, struct bulla_call *call, const struct store_id *slot, int64_t increment_s,
			    struct token **out)
{
	enum bulla_err err = BULLA_E_CONFLICT;

	for (int tries = 0; err == BULLA_E_CONFLICT && tries < STORE_TRIES; tries++)
		err = renew_once(engine, call, slot, increment_s, out);
	return err;
}

static enum bulla_err renew_slot(struct bulla *engine, struct bulla_call *call, const struct store_id *slot,
				 int64_t increment_s, struct bulla_bytes text, struct bulla_auth *out)
{
	struct token *token;

	stripe_lock(engine->access, slot);
	enum bulla_err err = renew(engine, call, slot, increment_s, &token);

	stripe_unlock(engine->access, slot);
	TRY(err);
	*out = (struct bulla_auth){ .client_token = text, .token = &token->public, .lease_s = token->public.ttl_s };
	return BULLA_OK;
}

static enum bulla_err refuse_batch(struct access *access, struct bulla_call *call, struct bulla_bytes text)
{
	struct token *token;
	enum bulla_err err = batch_load(access, call, text, &token);

	if (err == BULLA_E_NO_TOKEN)
		return bulla_fail(call, BULLA_E_INVALID, "token not found");
	TRY(err);
	token_put(token);
	return bulla_fail(call, BULLA_E_INVALID, "batch tokens cannot be renewed");
}

static enum bulla_err renew_text(struct bulla *engine, struct bulla_call *call, struct bulla_bytes text, int64_t increment_s,
				 struct bulla_auth *out)
{
	struct store_id slot;

	if (batch_is(text))
		return refuse_batch(engine->access, call, text);
	TRY(token_slot(engine->access, text, &slot));
	enum bulla_err err = renew_slot(engine, call, &slot, increment_s, text, out);

	if (err == BULLA_E_NOT_FOUND || err == BULLA_E_NO_TOKEN)
		return bulla_fail(call, BULLA_E_INVALID, "token not found");
	return err;
}

enum bulla_err bulla_token_renew(struct bulla *engine, struct bulla_call *call, struct bulla_bytes text, int64_t increment_s,
				 struct bulla_auth *out)
{
	if (text.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "missing token ID");
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, renew_text(engine, call, text, increment_s, out));
}

static enum bulla_err renew_accessor(struct bulla *engine, struct bulla_call *call, struct bulla_bytes accessor,
				     int64_t increment_s, struct bulla_auth *out)
{
	struct store_id slot;

	TRY(accessor_read(engine->access, call, accessor, &slot));
	enum bulla_err err = renew_slot(engine, call, &slot, increment_s, bulla_str(""), out);

	if (err == BULLA_E_INVALID && bulla_is(call->detail, NO_LEASE)) /* the peer says no more here */
		return bulla_fail(call, BULLA_E_INVALID_LISTED, "invalid request");
	return err == BULLA_E_NOT_FOUND || err == BULLA_E_NO_TOKEN ? BULLA_E_BAD_ACCESSOR : err;
}

enum bulla_err bulla_token_renew_accessor(struct bulla *engine, struct bulla_call *call, struct bulla_bytes accessor,
					  int64_t increment_s, struct bulla_auth *out)
{
	if (accessor.len == 0)
		return bulla_fail(call, BULLA_E_INVALID_LISTED, "missing accessor");
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, renew_accessor(engine, call, accessor, increment_s, out));
}
