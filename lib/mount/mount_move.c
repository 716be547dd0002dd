/* mount_move.c: giving a mount another path, and telling of the last moves. Workers only. */
#include <stdlib.h>

#include "bulla/utf8.h"
#include "crypto/crypto.h"
#include "mount/mount_private.h"

/* An auth method moves below auth/ only, and nothing else gets there. */
static enum bulla_err check_auth(struct bulla_call *call, struct bulla_bytes from, struct bulla_bytes to)
{
	if (!path_is_auth(from) && path_is_auth(to))
		return bulla_fail(call, BULLA_E_INVALID, "cannot remount to destination %.*s", PRINT(to));
	if (path_is_auth(from) && !path_is_auth(to))
		return bulla_fail_quoting(call, BULLA_E_INVALID, "cannot remount auth mount to non-auth mount ", to, "");
	return BULLA_OK;
}

static enum bulla_err move(struct mounts *mounts, struct bulla_call *call, struct bulla_bytes from, struct bulla_bytes to)
{
	struct mount *before = table_at(mounts->table, from), *made;

	TRY(check_auth(call, from, to));
	if (path_is_protected(from))
		return bulla_fail_quoting(call, BULLA_E_INVALID, "cannot remount ", from, "");
	if (path_is_auth(to) && path_is_protected(to))
		return bulla_fail_quoting(call, BULLA_E_INVALID, "cannot remount to destination ", to, "");
	if (!path_is_auth(to) && path_is_reserved(to))
		return bulla_fail(call, BULLA_E_INVALID, "cannot remount to destination %.*s", PRINT(to));
	if (before == NULL)
		return bulla_fail_quoting(call, BULLA_E_INVALID, "no matching mount at ", from, "");
	struct mount *other = table_conflict(mounts->table, to, bulla_equal(from, to) ? NULL : before);

	if (other != NULL)
		return bulla_fail_quoting(call, BULLA_E_INVALID, "path already in use at ", other->public.path, "");
	struct bulla_mount m = before->public;

	m.path = to;
	TRY(mount_store(mounts, call, &m, before, &made));
	return change_publish(mounts, before, made);
}

static void remember(struct mounts *mounts, struct bulla_bytes from, struct bulla_bytes to, const char id[37])
{
	struct mount_moved *moved = &mounts->moved[mounts->moved_count++ % MOVES_KEPT];

	memset(moved, 0, sizeof *moved);
	memcpy(moved->id, id, sizeof moved->id);
	memcpy(moved->from, from.ptr, from.len);
	memcpy(moved->to, to.ptr, to.len);
}

struct relocation {
	struct bulla_bytes from, to;
	char *id; /* 37 bytes */
};

/* What may fail comes before the move. */
static enum bulla_err move_and_remember(struct mounts *mounts, struct bulla_call *call, void *context)
{
	const struct relocation *relocation = context;
	char uuid[37] = { 0 };

	TRY(random_uuid(uuid));
	if (mounts->moved == NULL)
		mounts->moved = calloc(MOVES_KEPT, sizeof *mounts->moved);
	if (mounts->moved == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(move(mounts, call, relocation->from, relocation->to));
	remember(mounts, relocation->from, relocation->to, uuid);
	memcpy(relocation->id, uuid, sizeof uuid);
	return BULLA_OK;
}

static enum bulla_err check_spaces(struct bulla_call *call, const char *which, struct bulla_bytes path)
{
	if (path.ptr[0] != ' ' && path.ptr[path.len - 1] != ' ')
		return BULLA_OK;
	return bulla_fail(call, BULLA_E_INVALID, "'%s' path cannot contain trailing whitespace", which);
}

/* As it would stand in the table. */
static struct bulla_bytes with_slash(struct bulla_call *call, struct bulla_bytes path)
{
	while (path.len > 0 && path.ptr[0] == '/')
		path = bulla_mem(path.ptr + 1, path.len - 1);
	uint8_t *text = bulla_arena_alloc(call->arena, path.len + 1);

	if (text == NULL || path.len == 0 || path.ptr[path.len - 1] == '/')
		return path;
	memcpy(text, path.ptr, path.len);
	text[path.len] = '/';
	return bulla_mem(text, path.len + 1);
}

enum bulla_err mounts_move(struct mounts *mounts, struct bulla_call *call, struct bulla_bytes *from, struct bulla_bytes to,
			   char id[37], bool *is_auth)
{
	if (from->len == 0 || to.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "both 'from' and 'to' path must be specified as a string");
	TRY(check_spaces(call, "from", *from));
	TRY(check_spaces(call, "to", to));
	TRY(path_check_destination(call, to));
	if (!bulla_all_printable(*from)) /* nothing is mounted there */
		return bulla_fail_quoting(call, BULLA_E_INVALID, "no matching mount at ", with_slash(call, *from), "");
	TRY(path_clean(call, *from, from));
	TRY(path_clean(call, to, &to));
	struct relocation relocation = { *from, to, id };

	TRY(mounts_change(mounts, call, move_and_remember, &relocation));
	*is_auth = path_is_auth(*from);
	return BULLA_OK;
}

enum bulla_err bulla_mount_moved(struct bulla *engine, struct bulla_call *call, struct bulla_bytes id,
				 struct bulla_mount_move *out)
{
	struct mounts *mounts = engine->mounts;
	enum bulla_err err = BULLA_E_NOT_FOUND;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&mounts->lock);
	for (size_t i = 0; mounts->moved != NULL && i < MOVES_KEPT; i++) {
		const struct mount_moved *moved = &mounts->moved[i];

		if (moved->id[0] == '\0' || !bulla_is(id, moved->id))
			continue;
		out->from = bulla_arena_copy(call->arena, bulla_str(moved->from));
		out->to = bulla_arena_copy(call->arena, bulla_str(moved->to));
		err = out->from.ptr == NULL || out->to.ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
	}
	pthread_mutex_unlock(&mounts->lock);
	return err;
}
