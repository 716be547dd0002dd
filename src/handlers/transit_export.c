/* transit_export.c: export of key material. Any thread, one exchange at a time. */
#include <stdio.h>

#include "http/routes.h"

struct export_fields {
	struct bulla_bytes format;
};

static const struct field export_fields[] = {
	FIELD(struct export_fields, format, FIELD_STRING),
	FIELD_END,
};

static void put_keys(struct out *out, const struct bulla_export_result *result)
{
	char name[12];

	json_key(out, "keys");
	json_open(out, '{');
	for (size_t i = 0; i < result->count; i++) {
		snprintf(name, sizeof name, "%u", (unsigned)result->entries[i].version);
		json_put_string(out, name, result->entries[i].material);
	}
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
	json_open(x->data, '{');
	put_keys(x->data, &result);
	json_put_string(x->data, "name", x->params[1]);
	json_put_text(x->data, "type", result.type);
	json_close(x->data, '}');
	return BULLA_OK;
}

const struct route transit_export_routes[] = {
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(GET), .pattern = "export/{type}/{name}", .fn = export_key, .flags = ROUTE_TOKEN,
	  .need = BULLA_CAN_READ, .fields = export_fields, .doc = "export-key" },
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(GET), .pattern = "export/{type}/{name}/{version*}", .fn = export_key, .flags = ROUTE_TOKEN,
	  .need = BULLA_CAN_READ, .fields = export_fields, .doc = "export-key" },
	{ .fn = NULL },
};
