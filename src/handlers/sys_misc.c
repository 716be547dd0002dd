/* sys_misc.c: what a token may do, and the barrier's key. Any thread, one exchange at a time. */
#include "http/routes.h"

/* ---- capabilities -------------------------------------------------------------------------------------------------------- */

#define MAX_PATHS 1000 /* each is compared with those before it */

struct capability_fields {
	struct bulla_bytes token, accessor;
	struct field_strings paths, path;
};

static const struct field capability_fields[] = {
	FIELD(struct capability_fields, paths, FIELD_STRINGS),
	FIELD(struct capability_fields, path, FIELD_STRINGS),
	FIELD(struct capability_fields, token, FIELD_STRING),
	FIELD(struct capability_fields, accessor, FIELD_STRING),
	FIELD_END,
};

static void put_capabilities(struct out *out, unsigned can)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = { /* sorted, as they are printed */
		{ BULLA_CAN_CREATE, "create" }, { BULLA_CAN_DELETE, "delete" }, { BULLA_CAN_DENY, "deny" },
		{ BULLA_CAN_LIST, "list" }, { BULLA_CAN_PATCH, "patch" }, { BULLA_CAN_READ, "read" },
		{ BULLA_CAN_ROOT, "root" }, { BULLA_CAN_SCAN, "scan" }, { BULLA_CAN_SUDO, "sudo" },
		{ BULLA_CAN_UPDATE, "update" },
	};

	json_open(out, '[');
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (can & names[i].bit)
			json_text(out, bulla_str(names[i].name));
	json_close(out, ']');
}

static unsigned ask(struct exchange *x, const struct bulla_token *token, struct bulla_bytes path)
{
	if (path.len > 0 && path.ptr[0] == '/')
		path = bulla_mem(path.ptr + 1, path.len - 1);
	return bulla_capabilities(x->engine, token, path);
}

static enum bulla_err choose_paths(struct exchange *x, const struct capability_fields *f, struct field_strings *out)
{
	*out = f->paths.count > 0 ? f->paths : f->path;
	if (out->count == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "paths must be supplied");
	if (out->count > MAX_PATHS)
		return bulla_fail(x->call, BULLA_E_INVALID, "more than %d paths", MAX_PATHS);
	for (size_t i = 0; i < out->count; i++)
		if (out->items[i].len == 0)
			return bulla_fail(x->call, BULLA_E_INVALID_LISTED, "missing path");
	return BULLA_OK;
}

static bool seen_before(const struct field_strings *paths, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (bulla_equal(paths->items[i], paths->items[at]))
			return true;
	return false;
}

static void print_capabilities(struct exchange *x, const struct bulla_token *token, const struct field_strings *paths)
{
	json_open(x->data, '{');
	for (size_t i = 0; i < paths->count; i++) {
		if (seen_before(paths, i))
			continue;
		json_key_bytes(x->data, paths->items[i]);
		put_capabilities(x->data, ask(x, token, paths->items[i]));
	}
	if (paths->count == 1 && !bulla_is(paths->items[0], "capabilities")) {
		json_key(x->data, "capabilities");
		put_capabilities(x->data, ask(x, token, paths->items[0]));
	}
	json_close(x->data, '}');
}

static enum bulla_err capabilities_self(struct exchange *x)
{
	struct capability_fields f = { 0 };
	struct field_strings paths;

	TRY(fields_bind(x->call, x->doc, capability_fields, true, &f));
	TRY(choose_paths(x, &f, &paths));
	print_capabilities(x, x->call->token, &paths);
	return BULLA_OK;
}

static enum bulla_err capabilities(struct exchange *x)
{
	struct capability_fields f = { 0 };
	const struct bulla_token *token;
	struct field_strings paths;

	TRY(fields_bind(x->call, x->doc, capability_fields, true, &f));
	TRY(choose_paths(x, &f, &paths));
	if (f.token.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID_500, "no token found");
	enum bulla_err err = bulla_token_lookup(x->engine, x->call, f.token, &token);

	if (err == BULLA_E_BAD_TOKEN)
		return bulla_fail(x->call, BULLA_E_INVALID_LISTED, "invalid token");
	TRY(err);
	print_capabilities(x, token, &paths);
	bulla_token_put(token);
	return BULLA_OK;
}

static enum bulla_err capabilities_accessor(struct exchange *x)
{
	struct capability_fields f = { 0 };
	const struct bulla_token *token;
	struct field_strings paths;

	TRY(fields_bind(x->call, x->doc, capability_fields, true, &f));
	if (f.accessor.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "missing accessor");
	TRY(choose_paths(x, &f, &paths));
	TRY(bulla_token_lookup_accessor(x->engine, x->call, f.accessor, &token));
	print_capabilities(x, token, &paths);
	bulla_token_put(token);
	return BULLA_OK;
}

/* ---- the barrier's key --------------------------------------------------------------------------------------------------- */

static enum bulla_err key_status(struct exchange *x)
{
	struct bulla_barrier_status status;
	char time[BULLA_TIME_TEXT];

	TRY(bulla_barrier_status(x->engine, x->call, &status));
	(void)bulla_time_print(status.installed_ns, time);
	json_open(x->data, '{');
	json_put_int(x->data, "encryptions", (int64_t)status.encryptions);
	json_put_text(x->data, "install_time", time);
	json_put_int(x->data, "term", status.term);
	json_close(x->data, '}');
	return BULLA_OK;
}

static enum bulla_err rotate(struct exchange *x)
{
	return bulla_barrier_rotate(x->engine, x->call);
}

/* There is no rekeying that would leave keys behind for its operators. */
static enum bulla_err rekey_backup(struct exchange *x)
{
	return bulla_fail(x->call, BULLA_E_INVALID, "no backed-up keys found");
}

static enum bulla_err delete_rekey_backup(struct exchange *x)
{
	(void)x;
	return BULLA_OK;
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define ROW(method, path, handler_, flags_, known, anchor)                                                     \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(method), .pattern = path, .fn = handler_, .flags = flags_, \
	  .fields = known, .doc = anchor }

const struct route sys_misc_routes[] = {
	ROW(POST, "capabilities-self", capabilities_self, ROUTE_TOKEN | ROUTE_MIRROR, capability_fields, "capabilities"),
	ROW(POST, "capabilities", capabilities, ROUTE_TOKEN | ROUTE_MIRROR | ROUTE_BLOCKS, capability_fields, "capabilities"),
	ROW(POST, "capabilities-accessor", capabilities_accessor, ROUTE_TOKEN | ROUTE_MIRROR | ROUTE_BLOCKS, capability_fields,
	    "capabilities"),
	ROW(GET, "key-status", key_status, ROUTE_TOKEN | ROUTE_MIRROR, NULL, "key-status-and-rotation"),
	ROW(POST, "rotate", rotate, ROUTE_TOKEN | ROUTE_SUDO | ROUTE_BLOCKS, NULL, "key-status-and-rotation"),
	ROW(POST, "rotate/keyring", rotate, ROUTE_TOKEN | ROUTE_SUDO | ROUTE_BLOCKS, NULL, "key-status-and-rotation"),
	ROW(GET, "rekey/backup", rekey_backup, ROUTE_TOKEN | ROUTE_SUDO, NULL, "rekey-backup"),
	ROW(DELETE, "rekey/backup", delete_rekey_backup, ROUTE_TOKEN | ROUTE_SUDO, NULL, "rekey-backup"),
	ROW(GET, "rekey/recovery-key-backup", rekey_backup, ROUTE_TOKEN | ROUTE_SUDO, NULL, "rekey-backup"),
	ROW(DELETE, "rekey/recovery-key-backup", delete_rekey_backup, ROUTE_TOKEN | ROUTE_SUDO, NULL, "rekey-backup"),
	{ .fn = NULL },
};
