/* cubbyhole.c: what tokens keep for themselves: documents whose scope is the token's slot. They go with the token
 * (token_revoke.c): whoever writes one holds the token's stripe, and so does whoever removes the token here; a node that removes it
 * elsewhere is seen by the commit. Workers only. */
#include "bulla/cubbyhole.h"

#include <stdlib.h>

#include "access/access_private.h"
#include "seal/documents.h"

static struct documents documents_of(const struct access *access)
{
	return (struct documents){ .store = access->store, .seal = access->seal };
}

static struct document_name name_of(const struct store_id *token, struct bulla_bytes path)
{
	return (struct document_name){ .kind = "cubbyhole", .scope = bulla_mem(token->bytes, sizeof token->bytes), .item = path };
}

/* The caller's slot. */
static enum bulla_err begin(struct bulla *engine, struct bulla_call *call, const struct store_id **slot)
{
	const struct token *self = (const struct token *)(const void *)call->token;

	if (self == NULL)
		return BULLA_E_NO_TOKEN;
	if (self->public.type != BULLA_TOKEN_SERVICE)
		return bulla_fail(call, BULLA_E_INVALID, "cubbyhole operations are only supported by 'service' type tokens");
	TRY(access_begin(engine->access, call));
	*slot = &self->snapshot.id;
	return BULLA_OK;
}

enum bulla_err bulla_cubbyhole_get(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
				   struct bulla_bytes *value)
{
	const struct store_id *slot = NULL;
	struct document document;

	TRY(begin(engine, call, &slot));
	const struct documents documents = documents_of(engine->access);
	const struct document_name name = name_of(slot, path);

	TRY(access_end(engine->access, document_get(&documents, call, &name, &document)));
	*value = document.value;
	return BULLA_OK;
}

/* ---- changing ---------------------------------------------------------------------------------------------------------- */

/* With the stripe held. CONFLICT: another node came first. */
static enum bulla_err put(struct access *access, struct bulla_call *call, const struct store_id *slot, struct bulla_bytes path,
			  struct bulla_bytes value)
{
	const struct documents documents = documents_of(access);
	const struct document_name name = name_of(slot, path);
	struct document before = { 0 };
	struct store_record token;
	struct store_write write;
	enum bulla_err err = store_get(access->store, call, slot, &token);

	if (err == BULLA_E_NOT_FOUND)
		return BULLA_E_REVOKED;
	TRY(err);
	err = document_get(&documents, call, &name, &before);
	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
		return err;
	TRY(document_write(&documents, call, &name, before.revision, value, &write));
	return store_commit(access->store, call, &write, 1, NULL);
}

static enum bulla_err removed(struct access *access, struct bulla_call *call, const struct store_id *slot, struct bulla_bytes path)
{
	const struct documents documents = documents_of(access);
	const struct document_name name = name_of(slot, path);
	struct store_write write;

	TRY(document_removal(&documents, &name, STORE_ANY_REVISION, &write));
	return store_commit(access->store, call, &write, 1, NULL);
}

enum bulla_err bulla_cubbyhole_put(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path, struct bulla_bytes value)
{
	const struct store_id *slot = NULL;

	TRY(begin(engine, call, &slot));
	access_stand_by(call, slot); /* a limited token, too, keeps nothing once it is gone */
	stripe_lock(engine->access, slot);
	enum bulla_err err = BULLA_E_CONFLICT;

	for (int tries = 0; err == BULLA_E_CONFLICT && tries < STORE_TRIES; tries++)
		err = put(engine->access, call, slot, path, value);

	stripe_unlock(engine->access, slot);
	return access_end(engine->access, err);
}

enum bulla_err bulla_cubbyhole_remove(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path)
{
	const struct store_id *slot = NULL;

	TRY(begin(engine, call, &slot));
	return access_end(engine->access, removed(engine->access, call, slot, path));
}

enum bulla_err cubbyhole_clear(struct access *access, struct bulla_call *call, const struct store_id *token)
{
	const struct documents documents = documents_of(access);
	const struct document_name name = name_of(token, (struct bulla_bytes){ 0 });

	return document_remove_all(&documents, call, &name);
}

/* ---- listing ----------------------------------------------------------------------------------------------------------- */

struct listing {
	struct bulla_call *call;
	struct bulla_bytes folder;
	struct bulla_bytes *names;
	size_t count, room;
};

static enum bulla_err add_name(const struct document *document, void *context)
{
	struct listing *l = context;
	struct bulla_bytes path = document->item;

	if (path.len <= l->folder.len || (l->folder.len > 0 && memcmp(path.ptr, l->folder.ptr, l->folder.len) != 0))
		return BULLA_OK;
	path = bulla_mem(path.ptr + l->folder.len, path.len - l->folder.len);
	const uint8_t *slash = memchr(path.ptr, '/', path.len);

	if (slash != NULL)
		path.len = (size_t)(slash + 1 - path.ptr);
	if (l->count == l->room) {
		size_t room = l->room ? l->room * 2 : 16;
		struct bulla_bytes *grown = bulla_arena_alloc(l->call->arena, room * sizeof *grown);

		if (grown == NULL)
			return BULLA_E_NO_MEMORY;
		if (l->count > 0)
			memcpy(grown, l->names, l->count * sizeof *grown);
		l->names = grown;
		l->room = room;
	}
	l->names[l->count] = bulla_arena_copy(l->call->arena, path);
	return l->names[l->count++].ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

static int by_bytes(const void *a, const void *b)
{
	return bulla_compare(*(const struct bulla_bytes *)a, *(const struct bulla_bytes *)b);
}

enum bulla_err bulla_cubbyhole_list(struct bulla *engine, struct bulla_call *call, struct bulla_bytes folder,
				    struct bulla_bytes **names, size_t *count)
{
	struct listing l = { .call = call, .folder = folder };
	const struct store_id *slot = NULL;
	size_t n = 0, damaged = 0;

	TRY(begin(engine, call, &slot));
	const struct documents documents = documents_of(engine->access);
	const struct document_name name = name_of(slot, (struct bulla_bytes){ 0 });

	TRY(access_end(engine->access, document_each(&documents, call, &name, &damaged, add_name, &l)));
	TRY(document_warn_damaged(call, damaged, l.count));
	if (l.count > 1)
		qsort(l.names, l.count, sizeof *l.names, by_bytes);
	for (size_t i = 0; i < l.count; i++)
		if (i == 0 || !bulla_equal(l.names[i], l.names[n - 1]))
			l.names[n++] = l.names[i];
	*names = l.names;
	*count = n;
	return BULLA_OK;
}
