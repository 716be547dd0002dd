/* transit_backup.c: plaintext backups of keys, out and in. Any thread, one exchange at a time. */
#include "http/routes.h"

static enum bulla_err backup(struct exchange *x)
{
	struct bulla_bytes text;

	TRY(bulla_key_backup(x->engine, x->call, x->mount, x->params[0], &text));
	json_open(x->data, '{');
	json_put_string(x->data, "backup", text);
	json_close(x->data, '}');
	return BULLA_OK;
}

struct restore_fields {
	struct bulla_bytes backup;
	bool force;
};

static const struct field restore_fields[] = {
	FIELD(struct restore_fields, backup, FIELD_STRING),
	FIELD(struct restore_fields, force, FIELD_BOOL),
	FIELD_END,
};

static enum bulla_err restore(struct exchange *x)
{
	struct restore_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, restore_fields, true, &f));
	if (f.backup.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "'backup' must be supplied");
	return bulla_key_restore(x->engine, x->call, x->mount, x->params[0], f.backup, f.force);
}

const struct route transit_backup_routes[] = {
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(GET), .pattern = "backup/{name}", .fn = backup, .flags = ROUTE_TOKEN | ROUTE_BLOCKS,
	  .need = BULLA_CAN_READ, .doc = "back-up-key" },
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(POST), .pattern = "restore", .fn = restore, .flags = ROUTE_TOKEN | ROUTE_BLOCKS | ROUTE_COMPUTES,
	  .need = BULLA_CAN_UPDATE, .fields = restore_fields, .absent = "name", .doc = "restore-key" },
	{ .mount = BULLA_MOUNT_TRANSIT, .methods = ON(POST), .pattern = "restore/{name*}", .fn = restore,
	  .flags = ROUTE_TOKEN | ROUTE_BLOCKS | ROUTE_COMPUTES, .need = BULLA_CAN_UPDATE, .fields = restore_fields, .doc = "restore-key" },
	{ .fn = NULL },
};
