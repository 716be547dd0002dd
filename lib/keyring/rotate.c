/* rotate.c: owns rotation. It costs one head record and one version record, whatever the
 * number of versions. Workers. */
#include "keyring/internal.h"

/* What was made ahead, and for which type. */
struct rotation {
	const struct alg *alg;
	struct material material;
	rotate_when *when;
	const void *context;
};

static bool is_wanted(const struct rotation *rotation, const struct key *key)
{
	return rotation->when == NULL || rotation->when(key, rotation->context);
}

static enum bulla_err rotate_step(struct change *change, void *context)
{
	const struct rotation *rotation = context;
	struct bulla_bytes ready = { 0 };

	if (change->old == NULL)
		return bulla_fail(change->call, BULLA_E_INVALID, "key not found");
	if (!is_wanted(rotation, change->old))
		return BULLA_OK;
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
	if (rotation->alg == change->next->head.alg) /* it was not deleted and made anew in the meantime */
		ready = material_bytes(&rotation->material);
	TRY(change_new_version(change, ready, key_size(change->next)));
	return change_write_head(change);
}

/* Whether a key can be rotated is the step's to say: one that cannot is not worth the making. */
static enum bulla_err make_ahead(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
				 struct bulla_bytes name, struct rotation *rotation)
{
	const struct key *key;
	enum bulla_err err = keyring_begin(keyring, call, mount, name, &key);

	if (err == BULLA_E_NOT_FOUND)
		return BULLA_OK;
	TRY(err);
	rotation->alg = key_alg(key);
	bool wanted = rotation->alg->can & ALG_SLOW_MAKE && !key_soft_deleted(key) && is_wanted(rotation, key);

	keyring_end(key);
	if (!wanted)
		return bulla_work(call, BULLA_WORK_DISK);
	TRY(bulla_work(call, BULLA_WORK_CPU));
	return alg_make(rotation->alg, 0, call, &rotation->material);
}

enum bulla_err rotate_key(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
			  struct bulla_bytes name, rotate_when *when, const void *context, struct bulla_key_info *out)
{
	struct rotation rotation = { .when = when, .context = context };
	enum bulla_err err = make_ahead(keyring, call, mount, name, &rotation);

	if (err == BULLA_OK)
		err = change_run(keyring, call, mount, name, rotate_step, &rotation, out);
	material_clear(&rotation.material);
	return err;
}

enum bulla_err bulla_key_rotate(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes name, struct bulla_key_info *out)
{
	return rotate_key(engine->keyring, call, mount, name, NULL, NULL, out);
}
