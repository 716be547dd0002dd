/* sys_remount.c: moving mounts, and what user interfaces ask of them. Any thread, one exchange at a time. */
#include "handlers/mount_print.h"
#include "http/routes.h"

/* ---- moving -------------------------------------------------------------------------------------------------------------- */

struct remount_fields {
	struct bulla_bytes from, to;
};

static const struct field remount_fields[] = {
	FIELD(struct remount_fields, from, FIELD_STRING),
	FIELD(struct remount_fields, to, FIELD_STRING),
	FIELD_END,
};

/* Done when it answers; the peer queues it and clients ask for its status, which they get. */
static enum bulla_err remount(struct exchange *x)
{
	struct remount_fields f = { 0 };
	char id[37];

	TRY(fields_bind(x->call, x->doc, remount_fields, true, &f));
	TRY(bulla_mount_move(x->engine, x->call, f.from, f.to, id));
	json_open(x->data, '{');
	json_put_text(x->data, "migration_id", id);
	json_close(x->data, '}');
	return bulla_warn(x->call, "Mount move has been queued. Progress will be reported in OpenBao's server log, tagged with the returned "
			  "migration_id");
}

static enum bulla_err remount_status(struct exchange *x)
{
	struct bulla_mount_move move;

	TRY(bulla_mount_moved(x->engine, x->call, x->params[0], &move));
	json_open(x->data, '{');
	json_put_string(x->data, "migration_id", x->params[0]);
	json_key(x->data, "migration_info");
	json_open(x->data, '{');
	json_put_string(x->data, "source_mount", move.from);
	json_put_string(x->data, "target_mount", move.to);
	json_put_text(x->data, "status", "success");
	json_close(x->data, '}');
	json_close(x->data, '}');
	return BULLA_OK;
}

/* ---- for user interfaces: what a caller may know of ---------------------------------------------------------------------- */

static enum bulla_err put_reachable(struct exchange *x, const struct bulla_mount *const *mounts, size_t count, bool auth)
{
	const struct bulla_token *caller = x->call->token;

	json_key(x->data, auth ? "auth" : "secret");
	json_open(x->data, '{');
	for (size_t i = 0; i < count; i++) {
		bool open = bulla_is(mounts[i]->listing_visibility, "unauth");

		if (bulla_mount_is_auth(mounts[i]) != auth)
			continue;
		enum bulla_err reach = open ? BULLA_OK : caller == NULL ? BULLA_E_DENIED : bulla_may_reach(x->engine, caller, mounts[i]->path);

		if (reach == BULLA_E_DENIED)
			continue;
		TRY(reach);
		json_key_bytes(x->data, mount_name(mounts[i]));
		mount_print(x, mounts[i], false);
	}
	json_close(x->data, '}');
	return BULLA_OK;
}

/* Anybody may ask; who shows a token sees more. */
static enum bulla_err ui_mounts(struct exchange *x)
{
	const struct bulla_mount **mounts;
	size_t count;

	TRY(bulla_mount_list(x->engine, x->call, &mounts, &count));
	json_open(x->data, '{');
	enum bulla_err err = put_reachable(x, mounts, count, true);

	if (err == BULLA_OK)
		err = put_reachable(x, mounts, count, false);
	json_close(x->data, '}');
	mounts_put(mounts, count);
	return err;
}

static enum bulla_err ui_mount(struct exchange *x)
{
	struct bulla_bytes path = mount_slashed(x, x->params[0]), rest;

	if (x->call->token == NULL)
		return BULLA_E_NO_TOKEN;
	const struct bulla_mount *mount = bulla_mount_find(x->engine, path, &rest);
	enum bulla_err seen = mount != NULL ? bulla_may_reach(x->engine, x->call->token, mount->path) : BULLA_E_DENIED;

	if (seen == BULLA_OK)
		mount_print(x, mount, true);
	bulla_mount_put(mount);
	if (seen != BULLA_E_DENIED)
		return seen;
	return bulla_fail_quoting(x->call, BULLA_E_FORBIDDEN,
				  "preflight capability check returned 403, please ensure client's policies grant access to path ", path, "");
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define ROW(method, path, handler_, flags_, known, anchor)                                                     \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(method), .pattern = path, .fn = handler_, .flags = flags_, \
	  .fields = known, .doc = anchor }

const struct route sys_remount_routes[] = {
	ROW(POST, "remount", remount, ROUTE_TOKEN | ROUTE_MIRROR | ROUTE_SUDO | ROUTE_BLOCKS, remount_fields, "move-mount"),
	ROW(GET, "remount/status/{migration_id}", remount_status, ROUTE_TOKEN, NULL, "move-mount"),
	ROW(GET, "internal/ui/mounts", ui_mounts, ROUTE_NO_TOKEN, NULL, "mounts-for-user-interfaces"),
	ROW(GET, "internal/ui/mounts/{path*}", ui_mount, ROUTE_NO_TOKEN, NULL, "mounts-for-user-interfaces"),
	{ .fn = NULL },
};
