/* engine_versions.c: owns the record of which versions have opened this store, and when first (docs/FORMATS.md). Written once a version,
 * when it unseals; read when it is asked for. Workers. */
#include "engine_private.h"

#include <stdlib.h>

#include "base/pack.h"
#include "bulla/clock.h"
#include "seal/documents.h"

#define KIND "version"
#define FORM 1
#define MAX_VERSIONS 10000
#define NS_PER_S INT64_C(1000000000)

static struct documents documents_of(struct bulla *engine)
{
	return (struct documents){ engine->store, engine->seal };
}

static enum bulla_err write_version(struct bulla *engine, struct bulla_call *call, const struct document_name *name)
{
	const struct documents documents = documents_of(engine);
	struct pack out = { .arena = call->arena };
	struct bulla_bytes value;

	pack_u8(&out, FORM);
	pack_i64(&out, bulla_wall_ns() / NS_PER_S);
	pack_bytes(&out, bulla_str(engine_of(engine)->build_date));
	TRY(pack_finish(&out, &value));
	return document_put(&documents, call, name, 0, value);
}

/* That it could not be written stops nobody: it is tried again at the next start. */
void engine_versions_note(struct bulla *engine, struct bulla_call *call)
{
	const char *version = engine_of(engine)->version;
	const struct document_name name = { .kind = KIND, .item = bulla_str(version) };
	const struct documents documents = documents_of(engine);
	struct document found;

	if (*version == '\0')
		return;
	enum bulla_err err = document_get(&documents, call, &name, &found);

	if (err == BULLA_E_NOT_FOUND)
		err = write_version(engine, call, &name);
	if (err != BULLA_OK && err != BULLA_E_CONFLICT) { /* another node may have kept it meanwhile */
		struct bulla_bytes text = bulla_call_text(call, err);

		audit_log(engine->audit, "warn", "the history of versions could not be written: %.*s", (int)text.len, (const char *)text.ptr);
	}
	call->detail = (struct bulla_bytes){ 0 };
}

/* ---- reading -------------------------------------------------------------------------------------------------------------------- */

struct reading {
	struct bulla_call *call;
	struct bulla_version *items;
	size_t count, room;
};

static enum bulla_err make_room(struct reading *r)
{
	size_t room = r->room == 0 ? 16 : 2 * r->room;
	struct bulla_version *items = bulla_arena_alloc(r->call->arena, room * sizeof *items);

	if (items == NULL)
		return BULLA_E_NO_MEMORY;
	if (r->count > 0)
		memcpy(items, r->items, r->count * sizeof *items);
	r->items = items;
	r->room = room;
	return BULLA_OK;
}

static enum bulla_err read_version(const struct document *document, void *context)
{
	struct reading *r = context;
	struct unpack in = { .ptr = document->value.ptr, .left = document->value.len };
	uint8_t form = unpack_u8(&in);
	int64_t installed_s = unpack_i64(&in);
	struct bulla_bytes build_date = unpack_bytes(&in);

	TRY(unpack_finish(&in));
	if (form != FORM || installed_s < 0 || installed_s > INT64_MAX / NS_PER_S || r->count == MAX_VERSIONS)
		return BULLA_E_STORE_DAMAGED;
	if (r->count == r->room)
		TRY(make_room(r));
	r->items[r->count] = (struct bulla_version){
		.version = bulla_arena_copy(r->call->arena, document->item),
		.build_date = bulla_arena_copy(r->call->arena, build_date),
		.installed_date_ns = installed_s * NS_PER_S,
	};
	return r->items[r->count++].version.ptr != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
}

static int by_date(const void *a, const void *b)
{
	const struct bulla_version *x = a, *y = b;

	if (x->installed_date_ns != y->installed_date_ns)
		return x->installed_date_ns < y->installed_date_ns ? -1 : 1;
	return bulla_compare(x->version, y->version);
}

enum bulla_err bulla_version_history(struct bulla *engine, struct bulla_call *call, struct bulla_version **versions, size_t *count)
{
	const struct documents documents = documents_of(engine);
	const struct document_name all = { .kind = KIND };
	struct reading r = { .call = call };

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(document_each(&documents, call, &all, NULL, read_version, &r));
	if (r.count > 1)
		qsort(r.items, r.count, sizeof *r.items, by_date);
	*versions = r.items;
	*count = r.count;
	return BULLA_OK;
}
