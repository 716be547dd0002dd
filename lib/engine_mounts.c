/* engine_mounts.c: disabling a mount, which concerns several layers: the table of mounts, the keys or the tokens and settings of
 * the mount. Workers only. */
#include "engine_private.h"

/* What belongs to it first, then the record that says it has to go. */
static enum bulla_err destroy(struct bulla *engine, struct bulla_call *call, const struct mount_gone *gone)
{
	if (mounts_kind_is_method(gone->kind)) {
		TRY(access_revoke_prefix(engine->access, call, gone->path));
		TRY(auth_destroy_mount(engine->auth, call, gone->uuid));
	}
	TRY(keyring_destroy_mount(engine->keyring, call, gone->uuid));
	TRY(seal_hold(engine->seal));
	enum bulla_err err = mounts_forget(engine->mounts, call, gone->uuid);

	seal_release(engine->seal);
	return err;
}

enum bulla_err bulla_mount_disable(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path)
{
	struct mount_gone gone;
	bool found = false;

	TRY(mounts_retire(engine->mounts, call, path, &found, &gone));
	return found ? destroy(engine, call, &gone) : BULLA_OK;
}

enum bulla_err bulla_auth_disable(struct bulla *engine, struct bulla_call *call, struct bulla_bytes name)
{
	struct bulla_bytes path;

	TRY(mounts_auth_path(call, name, &path));
	if (bulla_is(path, "auth/token/"))
		return bulla_fail(call, BULLA_E_INVALID, "token credential backend cannot be disabled");
	return bulla_mount_disable(engine, call, path);
}

/* What came from the old path could neither be renewed nor be revoked by the new one: it ends, as at the peer. A token whose login
 * was under way meanwhile ends with its ttl. */
enum bulla_err bulla_mount_move(struct bulla *engine, struct bulla_call *call, struct bulla_bytes from, struct bulla_bytes to,
				char id[37])
{
	bool is_auth = false;

	TRY(mounts_move(engine->mounts, call, &from, to, id, &is_auth));
	return is_auth ? access_revoke_prefix(engine->access, call, from) : BULLA_OK;
}

enum bulla_err engine_finish_disabling(struct bulla *engine, struct bulla_call *call)
{
	struct mount_gone gone;
	bool found;

	TRY(mounts_dying(engine->mounts, call, &found, &gone));
	while (found) {
		TRY(destroy(engine, call, &gone));
		TRY(mounts_dying(engine->mounts, call, &found, &gone));
	}
	return BULLA_OK;
}
