/* lease_id.c: tokens by the ids of their leases. An id's digits are the token's slot, an HMAC that tells nothing. Workers only. */
#include <stdlib.h>

#include "access/access_private.h"
#include "access/login.h"
#include "bulla/encode.h"
#include "bulla/leases.h"

#define ID_CHARS (1 + 2 * sizeof(struct store_id)) /* "h" and the digits */

/* "auth/token/create/h0123...": its path and its slot. */
static bool parse(struct bulla_bytes id, struct bulla_bytes *path, struct store_id *slot)
{
	if (id.len < ID_CHARS + 2 || id.ptr[id.len - ID_CHARS] != 'h' || id.ptr[id.len - ID_CHARS - 1] != '/')
		return false;
	*path = bulla_mem(id.ptr, id.len - ID_CHARS - 1);
	return bulla_hex_decode(bulla_mem(id.ptr + id.len - ID_CHARS + 1, ID_CHARS - 1), slot->bytes) == BULLA_OK;
}

static bool has_lease(const struct token *token)
{
	return token->public.ttl_s != 0;
}

/* NOT_FOUND. A token that has ended is none. */
static enum bulla_err find(struct access *access, struct bulla_call *call, struct bulla_bytes id, struct token **out)
{
	struct bulla_bytes path;
	struct store_id slot, own;
	struct token *token;

	if (!parse(id, &path, &slot))
		return BULLA_E_NOT_FOUND;
	TRY(token_slot(access, bulla_str(""), &own));
	if (memcmp(own.bytes, slot.bytes, STORE_COLLECTION) != 0) /* no token's: what else lies in the store is not looked at */
		return BULLA_E_NOT_FOUND;
	enum bulla_err err = token_load(access, call, &slot, &token);

	if (err == BULLA_E_NO_TOKEN)
		return BULLA_E_NOT_FOUND;
	TRY(err);
	if (!has_lease(token) || !bulla_equal(token->public.path, path)) {
		token_put(token);
		return BULLA_E_NOT_FOUND;
	}
	*out = token;
	return BULLA_OK;
}

enum bulla_err bulla_lease_lookup(struct bulla *engine, struct bulla_call *call, struct bulla_bytes id,
				  const struct bulla_token **out)
{
	struct token *token;

	TRY(access_begin(engine->access, call));
	TRY(access_end(engine->access, find(engine->access, call, id, &token)));
	*out = &token->public;
	return BULLA_OK;
}

static enum bulla_err revoke(struct access *access, struct bulla_call *call, struct bulla_bytes id)
{
	struct token *token;
	enum bulla_err err = find(access, call, id, &token);

	if (err == BULLA_E_NOT_FOUND)
		return BULLA_OK;
	TRY(err);
	struct store_id slot = token->snapshot.id;

	token_put(token);
	return token_revoke(access, call, &slot);
}

enum bulla_err bulla_lease_revoke(struct bulla *engine, struct bulla_call *call, struct bulla_bytes id)
{
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, revoke(engine->access, call, id));
}

enum bulla_err bulla_lease_revoke_prefix(struct bulla *engine, struct bulla_call *call, struct bulla_bytes prefix)
{
	TRY(bulla_lease_revoke(engine, call, prefix));
	return access_revoke_prefix(engine->access, call, prefix);
}

/* ---- listing ---------------------------------------------------------------------------------------------------------- */

struct listing {
	struct bulla_call *call;
	struct bulla_bytes prefix; /* ends with a slash, or is empty */
	struct bulla_bytes *names;
	size_t count, room;
	size_t damaged; /* of whatever prefix: it cannot be told */
};

static enum bulla_err add_name(struct listing *l, struct bulla_bytes name)
{
	if (l->count == l->room) {
		size_t room = l->room ? l->room * 2 : 64;
		struct bulla_bytes *grown = bulla_arena_alloc(l->call->arena, room * sizeof *grown);

		if (grown == NULL)
			return BULLA_E_NO_MEMORY;
		if (l->count > 0)
			memcpy(grown, l->names, l->count * sizeof *grown);
		l->names = grown;
		l->room = room;
	}
	struct bulla_bytes copy = bulla_arena_copy(l->call->arena, name);

	l->names[l->count++] = copy;
	return copy.ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

/* A folder is there once: there are few of them, and many tokens in each. */
static enum bulla_err add_folder(struct listing *l, struct bulla_bytes name)
{
	for (size_t i = 0; i < l->count; i++)
		if (bulla_equal(l->names[i], name))
			return BULLA_OK;
	return add_name(l, name);
}

static enum bulla_err add_token(struct listing *l, const struct token *token)
{
	struct bulla_bytes path = token->public.path, rest;
	char id[ID_CHARS];

	if (!has_lease(token))
		return BULLA_OK;
	if (path.len + 1 == l->prefix.len && memcmp(path.ptr, l->prefix.ptr, path.len) == 0) {
		id[0] = 'h';
		bulla_hex_encode(bulla_mem(token->snapshot.id.bytes, sizeof token->snapshot.id.bytes), id + 1);
		return add_name(l, bulla_mem(id, sizeof id));
	}
	if (path.len <= l->prefix.len || (l->prefix.len > 0 && memcmp(path.ptr, l->prefix.ptr, l->prefix.len) != 0))
		return BULLA_OK;
	rest = bulla_mem(path.ptr + l->prefix.len, path.len - l->prefix.len);
	const uint8_t *slash = memchr(rest.ptr, '/', rest.len);
	struct bulla_bytes folder = bulla_arena_printf(l->call->arena, "%.*s/",
						       (int)(slash != NULL ? (size_t)(slash - rest.ptr) : rest.len),
						       (const char *)rest.ptr);

	return folder.ptr == NULL ? BULLA_E_NO_MEMORY : add_folder(l, folder);
}

static enum bulla_err list_some(struct access *access, struct bulla_call *scratch, struct listing *l, struct store_id *next,
				bool *more)
{
	struct slots slots = { 0 };
	struct store_id first = *next;

	TRY(accessors_walk(access, scratch, &first, &slots, ENDED_AT_ONCE, next, more));
	l->damaged += slots.damaged;
	for (size_t i = 0; i < slots.count; i++) {
		struct token *token;
		enum bulla_err err = token_load(access, scratch, &slots.items[i], &token);

		l->damaged += err == BULLA_E_STORE_DAMAGED;
		if (err == BULLA_E_NOT_FOUND || err == BULLA_E_NO_TOKEN || err == BULLA_E_STORE_DAMAGED)
			continue;
		TRY(err);
		err = add_token(l, token);
		token_put(token);
		TRY(err);
	}
	return BULLA_OK;
}

static enum bulla_err list(struct access *access, struct bulla_call *scratch, struct listing *l)
{
	struct store_id next;
	bool more = true;

	TRY(first_accessor(access, &next));
	while (more) {
		bulla_arena_reset(scratch->arena);
		*scratch = (struct bulla_call){ .arena = scratch->arena, .may_block = true };
		TRY(list_some(access, scratch, l, &next, &more));
	}
	return BULLA_OK;
}

static int by_bytes(const void *a, const void *b)
{
	return bulla_compare(*(const struct bulla_bytes *)a, *(const struct bulla_bytes *)b);
}

enum bulla_err bulla_lease_list(struct bulla *engine, struct bulla_call *call, struct bulla_bytes prefix,
				struct bulla_bytes **names, size_t *count)
{
	struct listing l = { .call = call, .prefix = prefix };
	struct bulla_call scratch = { .may_block = true };

	TRY(access_begin(engine->access, call));
	scratch.arena = bulla_arena_new(16384);
	enum bulla_err err = scratch.arena != NULL ? list(engine->access, &scratch, &l) : BULLA_E_NO_MEMORY;

	bulla_arena_free(scratch.arena);
	TRY(access_end(engine->access, err));
	if (l.damaged > 0)
		TRY(bulla_warn(call, "tokens whose stored record is damaged are not listed: %zu", l.damaged));
	if (l.count > 1)
		qsort(l.names, l.count, sizeof *l.names, by_bytes);
	*names = l.names;
	*count = l.count;
	return BULLA_OK;
}
