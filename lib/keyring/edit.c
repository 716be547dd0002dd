/* edit.c: owns changes of single versions that come from outside: an imported version, a private key for a public one,
 * certificates; and the mark of a backup. Workers. */
#include "bulla/clock.h"
#include "keyring/internal.h"

struct editing {
	key_edit_fn *fn;
	void *context;
};

static enum bulla_err append(struct change *change, const struct key_edit *edit)
{
	struct key *key = change->next;
	struct version *version;

	if (key->head.latest == KEY_LAST_VERSION)
		return bulla_fail(change->call, BULLA_E_INVALID, "the key has no version numbers left");
	TRY(version_copy(change->call, &key->head, &edit->version, key->head.latest + 1, &version));
	count_begin(change->keyring, version);
	enum bulla_err err = change_write_version(change, version);

	if (err != BULLA_OK) {
		version_put(version);
		return err;
	}
	key->head.latest += 1;
	if (edit->imported)
		key->head.flags |= KEY_IMPORTED;
	TRY(key_add(key, version));
	return change_write_head(change);
}

static enum bulla_err replace(struct change *change, const struct key_edit *edit)
{
	struct version *version;

	TRY(version_copy(change->call, &change->next->head, &edit->version, edit->version.version, &version));
	TRY(key_add(change->next, version));
	return change_rewrite(change);
}

static enum bulla_err edit_step(struct change *change, void *context)
{
	const struct editing *editing = context;
	struct key_edit edit = { 0 };

	TRY(editing->fn(change->call, change->old, editing->context, &edit));
	if (change->old == NULL || edit.version.version > change->old->head.latest ||
	    (edit.version.version != 0 && edit.version.version < key_first(change->old)))
		return bulla_fail(change->call, BULLA_E_INTERNAL, "an edit of what is not there");
	change->next = key_next(change->old);
	if (change->next == NULL)
		return BULLA_E_NO_MEMORY;
	return edit.version.version == 0 ? append(change, &edit) : replace(change, &edit);
}

enum bulla_err keyring_edit(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
			    struct bulla_bytes name, key_edit_fn *fn, void *context, struct bulla_key_info *out)
{
	struct editing editing = { .fn = fn, .context = context };

	return change_run(keyring, call, mount, name, edit_step, &editing, out);
}

struct backing_up {
	key_backup_fn *check, *fn;
	void *context;
};

static enum bulla_err backup_step(struct change *change, void *context)
{
	const struct backing_up *backing = context;

	TRY(backing->check(change->call, change->old, backing->context));
	if (change->old == NULL)
		return bulla_fail(change->call, BULLA_E_INTERNAL, "a backup of what is not there");
	change->next = key_next(change->old);
	if (change->next == NULL)
		return BULLA_E_NO_MEMORY;
	change->next->head.backup = (struct bulla_key_mark){ .at_date_ns = bulla_wall_ns(), .version = change->old->head.latest };
	TRY(backing->fn(change->call, change->next, backing->context));
	return change_write_head(change);
}

enum bulla_err keyring_backup(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
			      struct bulla_bytes name, key_backup_fn *check, key_backup_fn *fn, void *context)
{
	struct backing_up backing = { .check = check, .fn = fn, .context = context };

	return change_run(keyring, call, mount, name, backup_step, &backing, NULL);
}
