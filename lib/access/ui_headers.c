/* ui_headers.c: headers for the pages of a user interface: one record (docs/FORMATS.md), read anew each time. Workers only. */
#include "bulla/ui_headers.h"

#include "access/access_private.h"

#define FORM 1
#define MAX_HEADERS 100
#define MAX_BYTES 65536

struct header {
	struct bulla_bytes name;
	const struct bulla_bytes *values;
	size_t count;
};

struct headers {
	struct record record;
	struct header *items; /* sorted by name; with room for one more, unless nothing is stored */
	size_t count;
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

static void encode(struct pack *pack, const void *record)
{
	const struct headers *headers = record;

	pack_u8(pack, FORM);
	pack_u32(pack, (uint32_t)headers->count);
	for (size_t i = 0; i < headers->count; i++) {
		pack_bytes(pack, headers->items[i].name);
		pack_list(pack, headers->items[i].values, headers->items[i].count);
	}
}

static enum bulla_err decode_header(struct bulla_call *call, struct unpack *in, struct header *out)
{
	out->name = unpack_bytes(in);
	return unpack_list(in, call->arena, &out->values, &out->count);
}

static enum bulla_err decode(struct bulla_call *call, struct unpack *in, void *record)
{
	struct headers *headers = record;

	if (unpack_u8(in) != FORM)
		return BULLA_E_STORE_DAMAGED;
	headers->count = unpack_count(in, 8);
	headers->items = bulla_arena_alloc(call->arena, (headers->count + 1) * sizeof headers->items[0]);
	if (headers->items == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < headers->count; i++)
		TRY(decode_header(call, in, &headers->items[i]));
	return BULLA_OK;
}

static const struct record_kind kind = { .name = "ui-headers", .size = sizeof(struct headers), .encode = encode, .decode = decode };
static const struct record_name stored_name = { .kind = &kind, .item = { (const uint8_t *)"config", 6 } };

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

static enum bulla_err check_size(struct bulla_call *call, const struct headers *headers)
{
	struct pack pack = { .arena = call->arena };
	struct bulla_bytes value;

	if (headers->count > MAX_HEADERS)
		return bulla_fail(call, BULLA_E_INVALID, "more than %d headers", MAX_HEADERS);
	encode(&pack, headers);
	TRY(pack_finish(&pack, &value));
	if (value.len > MAX_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "the headers are larger than %d bytes in all", MAX_BYTES);
	return BULLA_OK;
}

static enum bulla_err put_header(struct bulla_call *call, void *record, void *context)
{
	struct headers *headers = record;
	bool there;

	if (headers->items == NULL && (headers->items = bulla_arena_alloc(call->arena, sizeof headers->items[0])) == NULL)
		return BULLA_E_NO_MEMORY;
	const struct header *new = context;
	size_t at = place_of(headers, new->name, &there);

	if (!there)
		memmove(&headers->items[at + 1], &headers->items[at], (headers->count++ - at) * sizeof headers->items[0]);
	headers->items[at] = *new;
	return check_size(call, headers);
}

static enum bulla_err drop_header(struct bulla_call *call, void *record, void *context)
{
	struct headers *headers = record;
	bool there;
	size_t at = place_of(headers, *(const struct bulla_bytes *)context, &there);

	(void)call;
	if (there)
		memmove(&headers->items[at], &headers->items[at + 1], (--headers->count - at) * sizeof headers->items[0]);
	else
		headers->record.fate = RECORD_LEAVE;
	return BULLA_OK;
}

enum bulla_err bulla_ui_header_write(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name,
				     const struct bulla_bytes *values, size_t count)
{
	struct header header = { .values = values, .count = count };

	TRY(canonical(call, name, &header.name));
	return record_change(&engine->access->records, call, &stored_name, put_header, &header);
}

enum bulla_err bulla_ui_header_delete(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name)
{
	TRY(canonical(call, name, &name));
	return record_change(&engine->access->records, call, &stored_name, drop_header, &name);
}

enum bulla_err bulla_ui_header_read(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name,
				    const struct bulla_bytes **values, size_t *count)
{
	struct headers headers;
	bool there;

	TRY(canonical(call, name, &name));
	TRY(record_read(&engine->access->records, call, &stored_name, &headers));
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

	TRY(record_read(&engine->access->records, call, &stored_name, &headers));
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
