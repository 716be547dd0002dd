/* mount_retire.c: the table's share in disabling a mount (mounts.h tells the steps). Workers only. */
#include "mount/mount_private.h"

static enum bulla_err describe(struct bulla_call *call, const struct bulla_mount *mount, struct mount_gone *out)
{
	struct bulla_bytes path = bulla_arena_copy(call->arena, mount->path);

	if (path.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(out->uuid, mount->uuid, sizeof out->uuid);
	out->kind = mount->kind;
	out->path = path;
	return BULLA_OK;
}

struct retirement {
	struct bulla_bytes path;
	struct mount_gone *gone;
	struct mount_life *life; /* NULL: there was no such mount; else held by the caller, and the mount is in no table any more */
};

static enum bulla_err retire(struct mounts *mounts, struct bulla_call *call, void *context)
{
	struct retirement *retirement = context;
	struct bulla_bytes path = retirement->path;
	struct mount *before = table_at(mounts->table, path);

	if (before == NULL)
		return BULLA_OK;
	if (before->public.builtin)
		return bulla_fail_quoting(call, BULLA_E_INVALID, "cannot unmount ", path, "");
	struct mount_life *held = before->life;

	TRY(describe(call, &before->public, retirement->gone));
	TRY(mount_mark_dying(mounts, call, before));
	atomic_fetch_add(&held->refs, 1);
	enum bulla_err err = table_change(mounts, before, NULL);

	if (err != BULLA_OK) {
		life_put(held);
		return err;
	}
	retirement->life = held;
	return BULLA_OK;
}

enum bulla_err mounts_retire(struct mounts *mounts, struct bulla_call *call, struct bulla_bytes path, bool *found,
			     struct mount_gone *gone)
{
	struct retirement retirement = { .gone = gone };

	TRY(path_clean(call, path, &retirement.path));
	TRY(mounts_change(mounts, call, retire, &retirement));
	struct mount_life *life = retirement.life;

	*found = life != NULL;
	if (life == NULL)
		return BULLA_OK;
	/* without the seal and the lock: those who still hold the mount may want either */
	pthread_mutex_lock(&life->lock);
	while (life->snapshots > 0)
		pthread_cond_wait(&life->gone, &life->lock);
	pthread_mutex_unlock(&life->lock);
	life_put(life);
	return BULLA_OK;
}

static enum bulla_err forget(struct mounts *mounts, struct bulla_call *call, const uint8_t uuid[16])
{
	struct store_write writes[2] = { { .change = STORE_DELETE, .expected = STORE_ANY_REVISION } };
	struct mount_table *dying = mounts->dying;

	writes[1] = writes[0];
	TRY(mount_dying_slot(mounts, uuid, &writes[0].id));
	TRY(mount_slot(mounts, uuid, &writes[1].id)); /* where older programs have marked it */
	TRY(store_commit(mounts->store, call, writes, 2, NULL));
	for (size_t i = 0; dying != NULL && i < dying->count; i++)
		if (memcmp(dying->mounts[i]->public.uuid, uuid, 16) == 0) {
			mount_put(dying->mounts[i]);
			dying->mounts[i] = dying->mounts[--dying->count];
			break;
		}
	return BULLA_OK;
}

enum bulla_err mounts_forget(struct mounts *mounts, struct bulla_call *call, const uint8_t uuid[16])
{
	pthread_mutex_lock(&mounts->lock);
	enum bulla_err err = forget(mounts, call, uuid);

	pthread_mutex_unlock(&mounts->lock);
	return err;
}

enum bulla_err mounts_dying(struct mounts *mounts, struct bulla_call *call, bool *found, struct mount_gone *gone)
{
	pthread_mutex_lock(&mounts->lock);
	bool any = mounts->dying != NULL && mounts->dying->count > 0;
	enum bulla_err err = any ? describe(call, &mounts->dying->mounts[0]->public, gone) : BULLA_OK;

	pthread_mutex_unlock(&mounts->lock);
	*found = any;
	return err;
}
