/* rotate.c: owns rotation. It costs one head record and one version record, whatever the
 * number of versions. Workers. */
#include "keyring/internal.h"

static enum bulla_err rotate_step(struct change *change, void *unused)
{
	(void)unused;
	if (change->old == NULL)
		return bulla_fail(change->call, BULLA_E_INVALID, "key not found");
	if (key_soft_deleted(change->old))
		return BULLA_E_KEY_SOFT_DELETED;
	if ((change->old->head.flags & (KEY_IMPORTED | KEY_ROTATABLE)) == KEY_IMPORTED)
		return bulla_fail(change->call, BULLA_E_INVALID_500, "imported key %.*s does not allow rotation within Vault",
				  (int)change->id->name.len, (const char *)change->id->name.ptr);
	if (change->old->head.latest == KEY_LAST_VERSION)
		return bulla_fail(change->call, BULLA_E_INVALID, "the key has no version numbers left");
	change->next = key_next(change->old);
	if (change->next == NULL)
		return BULLA_E_NO_MEMORY;
	change->next->head.flags &= ~(unsigned)KEY_IMPORTED; /* as the peer: the latest is not imported */
	TRY(change_new_version(change));
	return change_write_head(change);
}

enum bulla_err bulla_key_rotate(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes name, struct bulla_key_info *out)
{
	return change_run(engine->keyring, call, mount, name, rotate_step, NULL, out);
}
