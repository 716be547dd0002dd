/* transit_export.c: export of key material, in clear or under another key. Any thread, one exchange at a time. */
#include <stdio.h>

#include "http/routes.h"

struct export_fields {
	struct bulla_bytes format;
};

static const struct field export_fields[] = {
	FIELD(struct export_fields, format, FIELD_STRING),
	FIELD_END,
};

static void put_result(struct exchange *x, struct bulla_bytes key, const struct bulla_export_result *result)
{
	struct out *out = x->data;
	char version[12];

	json_open(out, '{');
	json_key(out, "keys");
	json_open(out, '{');
	for (size_t i = 0; i < result->count; i++) {
		snprintf(version, sizeof version, "%u", (unsigned)result->entries[i].version);
		json_put_string(out, version, result->entries[i].material);
	}
	json_close(out, '}');
	json_put_string(out, "name", key);
	json_put_text(out, "type", result->type);
	json_close(out, '}');
}

/* The version is what follows the name, if anything does. */
static enum bulla_err export_key(struct exchange *x)
{
	struct export_fields f = { 0 };
	struct bulla_export_result result;

	TRY(fields_bind(x->call, x->doc, export_fields, true, &f));
	const struct bulla_export_args args = {
		.mount = x->mount, .kind = x->params[0], .name = x->params[1], .version = x->params[2], .format = f.format,
	};

	TRY(bulla_export(x->engine, x->call, &args, &result));
	put_result(x, x->params[1], &result);
	return BULLA_OK;
}

struct byok_fields {
	struct bulla_bytes hash;
};

static const struct field byok_fields[] = {
	FIELD(struct byok_fields, hash, FIELD_STRING),
	FIELD_END,
};

static enum bulla_err byok_export(struct exchange *x)
{
	struct byok_fields f = { .hash = bulla_str("SHA256") };
	struct bulla_export_result result;

	TRY(fields_bind(x->call, x->doc, byok_fields, true, &f));
	const struct bulla_byok_args args = { .mount = x->mount, .destination = x->params[0], .source = x->params[1],
					      .version = x->params[2], .hash = f.hash };

	TRY(bulla_byok_export(x->engine, x->call, &args, &result));
	put_result(x, x->params[1], &result);
	return BULLA_OK;
}

#define ROW(path, function, names, anchor, more)                                                                       \
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(GET), .pattern = (path), .fn = (function), .flags = ROUTE_TOKEN | (more), \
	  .need = BULLA_CAN_READ, .fields = (names), .doc = (anchor) }

const struct route transit_export_routes[] = {
	ROW("export/{type}/{name}", export_key, export_fields, "export-key", 0),
	ROW("export/{type}/{name}/{version*}", export_key, export_fields, "export-key", 0),
	ROW("byok-export/{destination}/{source}", byok_export, byok_fields, "byok-export", ROUTE_BLOCKS | ROUTE_COMPUTES),
	ROW("byok-export/{destination}/{source}/{version*}", byok_export, byok_fields, "byok-export", ROUTE_BLOCKS | ROUTE_COMPUTES),
	{ .fn = NULL },
};
