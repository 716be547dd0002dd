/* ui_headers.c: headers for the pages of a user interface: one document (docs/FORMATS.md), read anew each time. Workers
 * only, one writer at a time. */
#include "bulla/ui_headers.h"

#include <stdlib.h>

#include "access/access_private.h"
#include "base/pack.h"
#include "seal/documents.h"

#define FORM 1
#define MAX_HEADERS 100
#define MAX_BYTES 65536

static const struct document_name stored_name = { .kind = "ui-headers", .item = { (const uint8_t *)"config", 6 } };

struct header {
	struct bulla_bytes name;
	const struct bulla_bytes *values;
	size_t count;
};

struct headers {
	struct header *items; /* sorted by name; with room for one more */
	size_t count;
	uint64_t revision;    /* 0: nothing is stored */
};

/* "X-Frame-Options" of any case: as OpenBao keeps names. */
static enum bulla_err canonical(struct bulla_call *call, struct bulla_bytes name, struct bulla_bytes *out)
{
	struct bulla_bytes copy = bulla_arena_copy(call->arena, name);
	uint8_t *text = (uint8_t *)(uintptr_t)copy.ptr;

	if (text == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < copy.len; i++) {
		bool first = i == 0 || text[i - 1] == '-';

		if (first && text[i] >= 'a' && text[i] <= 'z')
			text[i] = (uint8_t)(text[i] - 'a' + 'A');
		else if (!first && text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (uint8_t)(text[i] - 'A' + 'a');
	}
	*out = copy;
	return BULLA_OK;
}

/* ---- the record -------------------------------------------------------------------------------------------------- */

static enum bulla_err unpack_header(struct bulla_call *call, struct unpack *in, struct header *out)
{
	out->name = unpack_bytes(in);
	return unpack_list(in, call->arena, &out->values, &out->count);
}

static enum bulla_err unpack_headers(struct bulla_call *call, const struct document *document, struct headers *out)
{
	struct unpack in = { .ptr = document->value.ptr, .left = document->value.len };
	uint8_t form = unpack_u8(&in);
	size_t count = unpack_count(&in, 8);
	struct header *items = bulla_arena_alloc(call->arena, (count + 1) * sizeof *items);

	if (items == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		TRY(unpack_header(call, &in, &items[i]));
	TRY(unpack_finish(&in));
	if (form != FORM)
		return BULLA_E_STORE_DAMAGED;
	*out = (struct headers){ items, count, document->revision };
	return BULLA_OK;
}

static enum bulla_err load(const struct documents *documents, struct bulla_call *call, struct headers *out)
{
	struct document document;
	enum bulla_err err = document_get(documents, call, &stored_name, &document);

	if (err == BULLA_OK)
		return unpack_headers(call, &document, out);
	if (err != BULLA_E_NOT_FOUND)
		return err;
	call->detail = (struct bulla_bytes){ 0 };
	*out = (struct headers){ .items = bulla_arena_alloc(call->arena, sizeof *out->items) };
	return out->items != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
}

static enum bulla_err store(const struct documents *documents, struct bulla_call *call, const struct headers *headers)
{
	struct pack pack = { .arena = call->arena };
	struct bulla_bytes value;

	pack_u8(&pack, FORM);
	pack_u32(&pack, (uint32_t)headers->count);
	for (size_t i = 0; i < headers->count; i++) {
		pack_bytes(&pack, headers->items[i].name);
		pack_list(&pack, headers->items[i].values, headers->items[i].count);
	}
	TRY(pack_finish(&pack, &value));
	if (value.len > MAX_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "the headers are larger than %d bytes in all", MAX_BYTES);
	return document_put(documents, call, &stored_name, headers->revision, value);
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

/* Where name is, or belongs. */
static size_t place_of(const struct headers *headers, struct bulla_bytes name, bool *there)
{
	size_t at = 0;

	while (at < headers->count && bulla_compare(headers->items[at].name, name) < 0)
		at++;
	*there = at < headers->count && bulla_equal(headers->items[at].name, name);
	return at;
}

/* new NULL: without it. */
static enum bulla_err change(const struct documents *documents, struct bulla_call *call, struct bulla_bytes name,
			     const struct header *new)
{
	struct headers headers;
	bool there;

	TRY(load(documents, call, &headers));
	size_t at = place_of(&headers, name, &there), behind = headers.count - at - there;

	if (new == NULL && !there)
		return BULLA_OK;
	if (new != NULL && !there && headers.count == MAX_HEADERS)
		return bulla_fail(call, BULLA_E_INVALID, "more than %d headers", MAX_HEADERS);
	memmove(&headers.items[at + (new != NULL)], &headers.items[at + there], behind * sizeof headers.items[0]);
	headers.count = at + (new != NULL) + behind;
	if (new != NULL)
		headers.items[at] = *new;
	return store(documents, call, &headers);
}

static enum bulla_err change_locked(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name,
				    struct header *new)
{
	struct access *access = engine->access;
	const struct documents documents = { access->store, access->seal };

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(canonical(call, name, &name));
	if (new != NULL)
		new->name = name;
	pthread_mutex_lock(&access->ui_lock);
	enum bulla_err err = change(&documents, call, name, new);

	pthread_mutex_unlock(&access->ui_lock);
	return err;
}

enum bulla_err bulla_ui_header_write(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name,
				     const struct bulla_bytes *values, size_t count)
{
	struct header header = { .values = values, .count = count };

	return change_locked(engine, call, name, &header);
}

enum bulla_err bulla_ui_header_delete(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name)
{
	return change_locked(engine, call, name, NULL);
}

static enum bulla_err load_any(struct bulla *engine, struct bulla_call *call, struct headers *out)
{
	const struct documents documents = { engine->access->store, engine->access->seal };

	return load(&documents, call, out);
}

enum bulla_err bulla_ui_header_read(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name,
				    const struct bulla_bytes **values, size_t *count)
{
	struct headers headers;
	bool there;

	TRY(canonical(call, name, &name));
	TRY(load_any(engine, call, &headers));
	size_t at = place_of(&headers, name, &there);

	if (!there)
		return BULLA_E_NOT_FOUND;
	*values = headers.items[at].values;
	*count = headers.items[at].count;
	return BULLA_OK;
}

enum bulla_err bulla_ui_header_list(struct bulla *engine, struct bulla_call *call, struct bulla_bytes **names,
				    size_t *count)
{
	struct headers headers;

	TRY(load_any(engine, call, &headers));
	if (headers.count == 0)
		return BULLA_E_NOT_FOUND;
	*names = bulla_arena_alloc(call->arena, headers.count * sizeof **names);
	if (*names == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < headers.count; i++)
		(*names)[i] = headers.items[i].name;
	*count = headers.count;
	return BULLA_OK;
}
