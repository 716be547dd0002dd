/* engine_mounts.c: disabling a mount, which concerns two layers: the table of mounts and the keys of the mount. Workers only. */
#include "engine_private.h"

/* Keys first, then the record that says they have to go. */
static enum bulla_err destroy(struct bulla *engine, struct bulla_call *call, const uint8_t uuid[16])
{
	TRY(keyring_destroy_mount(engine->keyring, call, uuid));
	TRY(seal_hold(engine->seal));
	enum bulla_err err = mounts_forget(engine->mounts, call, uuid);

	seal_release(engine->seal);
	return err;
}

enum bulla_err bulla_mount_disable(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path)
{
	uint8_t uuid[16];
	bool found = false;

	TRY(mounts_retire(engine->mounts, call, path, &found, uuid));
	return found ? destroy(engine, call, uuid) : BULLA_OK;
}

enum bulla_err engine_finish_disabling(struct bulla *engine, struct bulla_call *call)
{
	uint8_t uuid[16];

	while (mounts_dying(engine->mounts, uuid))
		TRY(destroy(engine, call, uuid));
	return BULLA_OK;
}
