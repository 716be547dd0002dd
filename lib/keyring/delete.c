/* delete.c: owns the ends of a key: soft deletion and back, and destruction. Workers. */
#include "keyring/internal.h"

/* It is in the other state now. */
static enum bulla_err flip_soft_deleted(struct change *change)
{
	change->next = key_next(change->old);
	if (change->next == NULL)
		return BULLA_E_NO_MEMORY;
	change->next->head.flags ^= KEY_SOFT_DELETED;
	return change_write_head(change);
}

static enum bulla_err soft_delete_step(struct change *change, void *unused)
{
	(void)unused;
	if (change->old == NULL)
		return BULLA_OK;
	if (key_soft_deleted(change->old))
		return bulla_warn(change->call, "key was already marked as soft deleted");
	return flip_soft_deleted(change);
}

static enum bulla_err restore_step(struct change *change, void *unused)
{
	(void)unused;
	if (change->old == NULL)
		return BULLA_OK;
	if (!key_soft_deleted(change->old))
		return bulla_warn(change->call, "key was already restored");
	return flip_soft_deleted(change);
}

enum bulla_err bulla_key_soft_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				     struct bulla_bytes name, struct bulla_key_info *out)
{
	return change_run(engine->keyring, call, mount, name, soft_delete_step, NULL, out);
}

enum bulla_err bulla_key_soft_delete_restore(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					     struct bulla_bytes name, struct bulla_key_info *out)
{
	return change_run(engine->keyring, call, mount, name, restore_step, NULL, out);
}

static enum bulla_err refuse_delete(const struct change *change, const char *why)
{
	return bulla_fail(change->call, BULLA_E_INVALID, "error deleting policy %.*s: %s", (int)change->id->name.len,
			  (const char *)change->id->name.ptr, why);
}

static enum bulla_err delete_step(struct change *change, void *unused)
{
	(void)unused;
	if (change->old == NULL)
		return refuse_delete(change, "could not delete key; not found");
	if (!(change->old->head.flags & KEY_DELETABLE))
		return refuse_delete(change, "deletion is not allowed for this key");
	change->destroy = change->wipes = true;
	TRY(change_delete_head(change));
	return change_delete_versions(change, key_first(change->old), change->old->head.latest + 1);
}

enum bulla_err bulla_key_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes name)
{
	return change_run(engine->keyring, call, mount, name, delete_step, NULL, NULL);
}
