/* sys_lockout.c: who failed to log in too often, and letting them in again. Any thread, one exchange at a time. */
#include <bulla/lockout.h>

#include "http/routes.h"

struct list_fields {
	struct bulla_bytes mount_accessor;
};

static const struct field list_fields[] = { FIELD(struct list_fields, mount_accessor, FIELD_STRING), FIELD_END };

/* One mount's users, from first on; how many they are. */
static size_t print_mount(struct out *out, const struct bulla_locked_user *users, size_t first, size_t count)
{
	size_t end = first;

	while (end < count && bulla_equal(users[end].mount_accessor, users[first].mount_accessor))
		end++;
	json_open(out, '{');
	json_put_string(out, "mount_accessor", users[first].mount_accessor);
	json_put_int(out, "counts", (int64_t)(end - first));
	json_key(out, "alias_identifiers");
	json_open(out, '[');
	for (size_t i = first; i < end; i++)
		json_text(out, users[i].name);
	json_close(out, ']');
	json_close(out, '}');
	return end - first;
}

/* A mount that was asked for is shown, also when nobody of it is locked out. */
static void print_nobody(struct out *out, struct bulla_bytes mount_accessor)
{
	json_open(out, '{');
	json_put_string(out, "mount_accessor", mount_accessor);
	json_put_int(out, "counts", 0);
	json_put_null(out, "alias_identifiers");
	json_close(out, '}');
}

static enum bulla_err list_locked(struct exchange *x)
{
	struct bulla_locked_user *users;
	struct list_fields f = { 0 };
	struct out *out = x->data;
	size_t count;

	TRY(fields_bind(x->call, x->doc, list_fields, true, &f));
	TRY(bulla_lockout_list(x->engine, x->call, f.mount_accessor, &users, &count));
	json_open(out, '{');
	json_key(out, "by_namespace");
	json_open(out, '[');
	json_open(out, '{');
	json_put_text(out, "namespace_id", "root");
	json_put_text(out, "namespace_path", "");
	json_put_int(out, "counts", (int64_t)count);
	json_key(out, "mount_accessors");
	json_open(out, '[');
	for (size_t i = 0; i < count;)
		i += print_mount(out, users, i, count);
	if (count == 0 && f.mount_accessor.len > 0)
		print_nobody(out, f.mount_accessor);
	json_close(out, ']');
	json_close(out, '}');
	json_close(out, ']');
	json_put_int(out, "total", (int64_t)count);
	json_close(out, '}');
	return BULLA_OK;
}

static enum bulla_err unlock(struct exchange *x)
{
	return bulla_lockout_unlock(x->engine, x->call, x->params[0], x->params[1]);
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

const struct route sys_lockout_routes[] = {
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(GET), .pattern = "locked-users", .fn = list_locked, .flags = ROUTE_TOKEN,
	  .fields = list_fields, .doc = "list-locked-users" },
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(POST), .pattern = "locked-users/{mount_accessor}/unlock/{alias_identifier*}",
	  .fn = unlock, .flags = ROUTE_TOKEN, .doc = "unlock-user" },
	{ .fn = NULL },
};
