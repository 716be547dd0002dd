/* documents.c: small sealed documents by name. */
#include "seal/documents.h"

#include <stdlib.h>

#include "base/pack.h"

#define FORMAT 1
#define REMOVED_AT_ONCE 256 /* in one commit */

enum bulla_err document_slot(const struct documents *d, const struct document_name *name, struct store_id *out)
{
	struct barrier_name slot = { .kind = name->kind, .scope = name->scope, .scope2 = bulla_str("document"), .item = name->item };

	return barrier_slot(d->seal, &slot, out);
}

enum bulla_err document_open(const struct documents *d, struct bulla_call *call, const struct store_record *record, struct document *out)
{
	struct bulla_bytes plain;

	out->revision = record->revision;
	TRY(barrier_open(d->seal, call, record, &plain));
	struct unpack in = { .ptr = plain.ptr, .left = plain.len };
	uint8_t format = unpack_u8(&in);
	struct document document = { .revision = record->revision };

	document.item = unpack_bytes(&in);
	document.value = unpack_bytes(&in);
	if (format != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	TRY(unpack_finish(&in));
	*out = document;
	return BULLA_OK;
}

enum bulla_err document_get(const struct documents *d, struct bulla_call *call, const struct document_name *name,
			    struct document *out)
{
	struct store_record record;
	struct store_id id;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(document_slot(d, name, &id));
	TRY(store_get(d->store, call, &id, &record));
	return document_open(d, call, &record, out);
}

enum bulla_err document_write(const struct documents *d, struct bulla_call *call, const struct document_name *name,
			      uint64_t expected, struct bulla_bytes value, struct store_write *out)
{
	struct store_write write = { .change = STORE_PUT, .expected = expected };
	struct pack pack = { .arena = call->arena };
	struct bulla_bytes plain;

	if (value.len > DOCUMENT_MAX_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "it is larger than %u bytes", DOCUMENT_MAX_BYTES);
	pack_u8(&pack, FORMAT);
	pack_bytes(&pack, name->item);
	pack_bytes(&pack, value);
	TRY(pack_finish(&pack, &plain));
	TRY(document_slot(d, name, &write.id));
	TRY(store_begin_anew(&write));
	TRY(barrier_seal(d->seal, call, &write.id, store_revision(&write), plain, &write.bytes));
	*out = write;
	return BULLA_OK;
}

enum bulla_err document_removal(const struct documents *d, const struct document_name *name, uint64_t expected,
				struct store_write *out)
{
	struct store_write write = { .change = STORE_DELETE, .expected = expected };

	TRY(document_slot(d, name, &write.id));
	*out = write;
	return BULLA_OK;
}

enum bulla_err document_put(const struct documents *d, struct bulla_call *call, const struct document_name *name,
			    uint64_t expected, struct bulla_bytes value)
{
	struct store_write write;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(seal_hold(d->seal));
	enum bulla_err err = document_write(d, call, name, expected, value, &write);

	if (err == BULLA_OK)
		err = store_commit(d->store, call, &write, 1, NULL);
	seal_release(d->seal);
	return err;
}

enum bulla_err document_remove(const struct documents *d, struct bulla_call *call, const struct document_name *name,
			       uint64_t expected)
{
	struct store_write write;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(seal_hold(d->seal));
	enum bulla_err err = document_removal(d, name, expected, &write);

	if (err == BULLA_OK)
		err = store_commit(d->store, call, &write, 1, NULL);
	seal_release(d->seal);
	return err;
}

/* ---- many ------------------------------------------------------------------------------------------------------------------ */

struct walk {
	const struct documents *documents;
	struct bulla_call scratch; /* its arena is emptied after each */
	document_visit *visit;
	void *context;
	size_t *damaged; /* NULL: one is an error */
};

static enum bulla_err walk_one(const struct store_record *record, void *context)
{
	struct walk *walk = context;
	struct document document;

	bulla_arena_reset(walk->scratch.arena);
	enum bulla_err err = document_open(walk->documents, &walk->scratch, record, &document);

	if (err == BULLA_E_STORE_DAMAGED && walk->damaged != NULL) {
		++*walk->damaged;
		return BULLA_OK;
	}
	TRY(err);
	return walk->visit(&document, walk->context);
}

enum bulla_err document_each(const struct documents *d, struct bulla_call *call, const struct document_name *name,
			     size_t *damaged, document_visit *visit, void *context)
{
	struct walk walk = { .documents = d, .scratch = { .may_block = true }, .visit = visit, .context = context,
			     .damaged = damaged };
	struct store_id id;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(document_slot(d, name, &id));
	walk.scratch.arena = bulla_arena_new(4096);
	if (walk.scratch.arena == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = store_scan(d->store, call, id.bytes, walk_one, &walk);

	bulla_arena_free(walk.scratch.arena);
	return err;
}

enum bulla_err document_names_add(struct document_names *names, struct bulla_bytes name)
{
	if (names->count == names->room) {
		size_t room = names->room ? names->room * 2 : 16;
		struct bulla_bytes *grown = bulla_arena_alloc(names->call->arena, room * sizeof *grown);

		if (grown == NULL)
			return BULLA_E_NO_MEMORY;
		if (names->count > 0)
			memcpy(grown, names->items, names->count * sizeof *grown);
		names->items = grown;
		names->room = room;
	}
	const struct bulla_bytes copy = bulla_arena_copy(names->call->arena, name);

	if (copy.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	names->items[names->count++] = copy;
	return BULLA_OK;
}

static int by_bytes(const void *a, const void *b)
{
	return bulla_compare(*(const struct bulla_bytes *)a, *(const struct bulla_bytes *)b);
}

void document_names_sort(struct document_names *names)
{
	if (names->count > 1)
		qsort(names->items, names->count, sizeof *names->items, by_bytes);
}

static enum bulla_err add_name(const struct document *document, void *context)
{
	return document_names_add(context, document->item);
}

static enum bulla_err names_of(const struct documents *d, struct bulla_call *call, const struct document_name *name,
			       size_t *damaged, struct bulla_bytes **out, size_t *count)
{
	struct document_names names = { .call = call };

	TRY(document_each(d, call, name, damaged, add_name, &names));
	document_names_sort(&names);
	*out = names.items;
	*count = names.count;
	return BULLA_OK;
}

enum bulla_err document_names(const struct documents *d, struct bulla_call *call, const struct document_name *name,
			      struct bulla_bytes **out, size_t *count)
{
	return names_of(d, call, name, NULL, out, count);
}

enum bulla_err document_warn_damaged(struct bulla_call *call, size_t count, size_t listed)
{
	if (count > 0 && listed == 0)
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "all that is stored here is damaged: %zu", count);
	return count == 0 ? BULLA_OK : bulla_warn(call, "entries whose stored record is damaged are not listed: %zu", count);
}

enum bulla_err document_list(const struct documents *d, struct bulla_call *call, const struct document_name *name,
			     struct bulla_bytes **out, size_t *count)
{
	size_t damaged = 0;

	TRY(names_of(d, call, name, &damaged, out, count));
	return document_warn_damaged(call, damaged, *count);
}

/* By id, so that a damaged one goes, too. */
struct removal {
	size_t count;
	struct store_write writes[REMOVED_AT_ONCE];
};

static enum bulla_err add_removal(const struct store_record *record, void *context)
{
	struct removal *removal = context;

	if (removal->count < REMOVED_AT_ONCE)
		removal->writes[removal->count++] = (struct store_write){ .id = record->id, .change = STORE_DELETE,
									   .expected = STORE_ANY_REVISION };
	return BULLA_OK;
}

enum bulla_err document_remove_all(const struct documents *d, struct bulla_call *call, const struct document_name *name)
{
	struct store_id id;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(document_slot(d, name, &id));
	struct removal *removal = bulla_arena_alloc(call->arena, sizeof *removal);

	if (removal == NULL)
		return BULLA_E_NO_MEMORY;
	do {
		removal->count = 0;
		TRY(store_scan(d->store, call, id.bytes, add_removal, removal));
		if (removal->count > 0)
			TRY(store_commit(d->store, call, removal->writes, removal->count, NULL));
	} while (removal->count == REMOVED_AT_ONCE);
	return BULLA_OK;
}
