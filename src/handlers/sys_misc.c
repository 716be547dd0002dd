/* sys_misc.c: the barrier's key, and the history of versions. Any thread, one exchange at a time. */
#include "http/routes.h"

/* ---- the barrier's key --------------------------------------------------------------------------------------------------- */

static enum bulla_err key_status(struct exchange *x)
{
	struct bulla_barrier_status status;
	char time[BULLA_TIME_TEXT];

	TRY(bulla_barrier_status(x->engine, x->call, &status));
	(void)bulla_time_print(status.installed_date_ns, time);
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

/* ---- versions ------------------------------------------------------------------------------------------------------------ */

static void print_version(struct out *out, const struct bulla_version *version, const struct bulla_version *before)
{
	char time[BULLA_TIME_TEXT];

	(void)bulla_time_print(version->installed_date_ns, time);
	json_key_bytes(out, version->version);
	json_open(out, '{');
	json_put_string(out, "commit_date", version->build_date);
	json_key(out, "previous_version");
	if (before != NULL)
		json_text(out, before->version);
	else
		json_nil(out);
	json_put_text(out, "timestamp_installed", time);
	json_close(out, '}');
}

static enum bulla_err version_history(struct exchange *x)
{
	struct bulla_version *versions;
	size_t count;

	TRY(bulla_version_history(x->engine, x->call, &versions, &count));
	if (count == 0)
		return BULLA_E_NOT_FOUND;
	json_open(x->data, '{');
	json_key(x->data, "key_info");
	json_open(x->data, '{');
	for (size_t i = 0; i < count; i++)
		print_version(x->data, &versions[i], i > 0 ? &versions[i - 1] : NULL);
	json_close(x->data, '}');
	json_key(x->data, "keys");
	json_open(x->data, '[');
	for (size_t i = 0; i < count; i++)
		json_text(x->data, versions[i].version);
	json_close(x->data, ']');
	json_close(x->data, '}');
	return BULLA_OK;
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define ROW(method, path, handler_, flags_, known, anchor)                                                     \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(method), .pattern = path, .fn = handler_, .flags = flags_, \
	  .fields = known, .doc = anchor }

const struct route sys_misc_routes[] = {
	ROW(GET, "key-status", key_status, ROUTE_TOKEN | ROUTE_MIRROR, NULL, "key-status-and-rotation"),
	ROW(POST, "rotate", rotate, ROUTE_TOKEN | ROUTE_SUDO | ROUTE_BLOCKS, NULL, "key-status-and-rotation"),
	ROW(POST, "rotate/keyring", rotate, ROUTE_TOKEN | ROUTE_SUDO | ROUTE_BLOCKS, NULL, "key-status-and-rotation"),
	ROW(GET, "rekey/backup", rekey_backup, ROUTE_TOKEN | ROUTE_SUDO, NULL, "rekey-backup"),
	ROW(DELETE, "rekey/backup", delete_rekey_backup, ROUTE_TOKEN | ROUTE_SUDO, NULL, "rekey-backup"),
	ROW(GET, "rekey/recovery-key-backup", rekey_backup, ROUTE_TOKEN | ROUTE_SUDO, NULL, "rekey-backup"),
	ROW(DELETE, "rekey/recovery-key-backup", delete_rekey_backup, ROUTE_TOKEN | ROUTE_SUDO, NULL, "rekey-backup"),
	ROW(LIST, "version-history", version_history, ROUTE_TOKEN | ROUTE_BLOCKS, NULL, "version-history"),
	{ .fn = NULL },
};
