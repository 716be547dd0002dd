/* schedule.c: owns auto_rotate_period. Each key that has one is filed under the time when it is due (state/due.h), in the same commit
 * as the key's head, which knows that time (docs/FORMATS.md, "Schedule"). A key that cannot be rotated is filed again for later and
 * holds up no other. Changes of keys: by their locks; ticks: by the queue's, workers. */
#include "keyring/internal.h"

#include "bulla/clock.h"

#define NS_PER_S INT64_C(1000000000)
#define RETRY_S 60            /* after a fault of ours, such as a full disk */
#define RETRY_REFUSED_S 3600  /* where the key itself does not allow it */

/* ---- where a key is filed -------------------------------------------------------- */

static enum bulla_err handle_batch(void *owner, struct bulla_call *call, const struct due_entry *entries, size_t count);

static const struct due_kind rotations = { .entry = "due", .from = "due-from", .present = true, .handle = handle_batch };

enum bulla_err schedule_init(struct keyring *keyring)
{
	return due_init(&keyring->schedule, &rotations, keyring->store, keyring->seal, keyring);
}

/* The mount's uuid, then the name: the content of an entry, and what it is called. */
static size_t entry_bytes(const uint8_t *mount, struct bulla_bytes name, uint8_t out[MOUNT_UUID + BULLA_KEY_NAME_MAX])
{
	memcpy(out, mount, MOUNT_UUID);
	memcpy(out + MOUNT_UUID, name.ptr, name.len);
	return MOUNT_UUID + name.len;
}

enum bulla_err schedule_slot(struct seal *seal, int64_t due_s, const uint8_t *mount, struct bulla_bytes name, struct store_id *out)
{
	uint8_t entry[MOUNT_UUID + BULLA_KEY_NAME_MAX];
	size_t n = entry_bytes(mount, name, entry);

	return due_slot(&rotations, seal, due_minute(due_s), bulla_mem(entry, n), out);
}

static enum bulla_err put_entry(struct seal *seal, struct bulla_call *call, int64_t due_s, const uint8_t *mount,
				struct bulla_bytes name, struct store_write *write)
{
	uint8_t entry[MOUNT_UUID + BULLA_KEY_NAME_MAX];
	size_t n = entry_bytes(mount, name, entry);

	return due_filing(&rotations, seal, call, due_minute(due_s), bulla_mem(entry, n), write);
}

/* ---- with each change of a key --------------------------------------------------- */

/* Whether it can be rotated at all, as things are. */
static bool is_scheduled(const struct key *key)
{
	const struct key_head *head = &key->head;

	return head->auto_rotate_s > 0 && !(head->flags & KEY_SOFT_DELETED) && head->latest < KEY_LAST_VERSION &&
	       (head->flags & (KEY_IMPORTED | KEY_ROTATABLE)) != KEY_IMPORTED;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static bool same_version(const struct change *change)
{
	const struct version *old = change->old != NULL ? change->old->newest : NULL, *next = change->next->newest;

	return old != NULL && old->pub.version == next->pub.version && old->pub.created_date_ns == next->pub.created_date_ns;
}

/* When the newest version was made, by the clock, at most now. Its record has the date alone; but a key that is filed tells the point
 * by its period, whatever was done to the system's clock since. (One that was put off: the point is later by that.) */
static int64_t made_s(const struct change *change, int64_t now_s)
{
	const struct key *old = change->old;
	int64_t made_s = bulla_clock_of(change->next->newest->pub.created_date_ns) / NS_PER_S + 1;

	if (old != NULL && old->head.due_s != 0 && same_version(change))
		made_s = old->head.due_s - old->head.auto_rotate_s;
	return made_s < now_s ? made_s : now_s + 1;
}

/* 0: never. A key whose time has not changed stays where it is, also where it was put off to. */
static int64_t next_due_s(const struct change *change)
{
	const struct key *old = change->old, *next = change->next;
	int64_t now_s = bulla_clock_s(), due_s;

	if (!is_scheduled(next) || next->newest == NULL)
		return 0;
	if (change->postpone_s != 0)
		return change->postpone_s;
	if (old != NULL && old->head.due_s != 0 && old->head.auto_rotate_s == next->head.auto_rotate_s && same_version(change))
		return old->head.due_s;
	if (__builtin_add_overflow(made_s(change, now_s), next->head.auto_rotate_s, &due_s))
		return 0;
	return later(due_s, now_s);
}

enum bulla_err schedule_change(struct change *change)
{
	int64_t old_s = change->old == NULL ? 0 : change->old->head.due_s;
	int64_t new_s = change->destroy ? 0 : next_due_s(change);
	struct seal *seal = change->keyring->seal;
	const struct key_id *id = change->id;

	if (!change->destroy)
		change->next->head.due_s = new_s;
	if (old_s != 0 && new_s != 0 && due_minute(old_s) == due_minute(new_s))
		return BULLA_OK; /* the entry says no more than that */
	if (old_s != 0) {
		struct store_write gone = { .change = STORE_DELETE, .expected = STORE_ANY_REVISION };

		TRY(schedule_slot(seal, old_s, id->mount, id->name, &gone.id));
		TRY(change_write(change, gone));
	}
	if (new_s != 0) {
		struct store_write made;

		TRY(put_entry(seal, change->call, new_s, id->mount, id->name, &made));
		TRY(change_write(change, made));
	}
	return BULLA_OK;
}

/* ---- one entry -------------------------------------------------------------------- */

struct entry {
	struct store_id id;
	struct bulla_mount mount; /* its uuid alone */
	struct bulla_bytes name;
};

static bool is_due(const struct key *key, const void *context)
{
	const int64_t *now_s = context;

	return key->head.due_s != 0 && key->head.due_s <= *now_s;
}

static enum bulla_err postpone_step(struct change *change, void *context)
{
	const int64_t *until_s = context;

	if (change->old == NULL || change->old->head.due_s == 0)
		return BULLA_OK;
	change->next = key_next(change->old);
	if (change->next == NULL)
		return BULLA_E_NO_MEMORY;
	change->postpone_s = *until_s;
	return change_write_head(change);
}

static enum bulla_err commit_held(struct keyring *keyring, struct bulla_call *call, const struct store_write *writes, size_t count)
{
	TRY(seal_hold(keyring->seal));
	enum bulla_err err = store_commit(keyring->store, call, writes, count, NULL);

	seal_release(keyring->seal);
	return err;
}

static enum bulla_err drop_entry(struct keyring *keyring, struct bulla_call *call, const struct entry *entry)
{
	struct store_write gone = { .id = entry->id, .change = STORE_DELETE, .expected = STORE_ANY_REVISION };

	return commit_held(keyring, call, &gone, 1);
}

/* The key cannot be read, so that its head cannot be written: the entry alone goes elsewhere. */
static enum bulla_err move_entry(struct keyring *keyring, struct bulla_call *call, const struct entry *entry, int64_t until_s)
{
	struct store_write writes[2] = { { .id = entry->id, .change = STORE_DELETE, .expected = STORE_ANY_REVISION } };

	TRY(put_entry(keyring->seal, call, until_s, entry->mount.uuid, entry->name, &writes[1]));
	enum bulla_err err = commit_held(keyring, call, writes, 2);

	return err == BULLA_E_CONFLICT ? drop_entry(keyring, call, entry) : err; /* it is there already */
}

static enum bulla_err put_off(struct keyring *keyring, struct bulla_call *call, const struct entry *entry, enum bulla_err why)
{
	bool refused = bulla_err_row(why)->kind == BULLA_CLASS_CALLER || why == BULLA_E_STORE_DAMAGED;
	int64_t until_s = bulla_clock_s() + (refused ? RETRY_REFUSED_S : RETRY_S);
	struct bulla_bytes text = bulla_call_text(call, why);

	notices_add(&keyring->notices, "key %.*s could not be rotated when it was due; again in %d s: %.*s", (int)entry->name.len,
		    (const char *)entry->name.ptr, refused ? RETRY_REFUSED_S : RETRY_S, (int)text.len, (const char *)text.ptr);
	enum bulla_err err = change_run(keyring, call, &entry->mount, entry->name, postpone_step, &until_s, NULL);

	return err == BULLA_E_STORE_DAMAGED ? move_entry(keyring, call, entry, until_s) : err;
}

/* Where the key is filed now, as far as it exists. */
static enum bulla_err look_up(struct keyring *keyring, struct bulla_call *call, const struct entry *entry, int64_t *due_s)
{
	const struct key *key;
	enum bulla_err err = keyring_begin(keyring, call, &entry->mount, entry->name, &key);

	if (err == BULLA_E_NOT_FOUND) {
		*due_s = 0;
		return BULLA_OK;
	}
	TRY(err);
	*due_s = key->head.due_s;
	keyring_end(key);
	return BULLA_OK;
}

static enum bulla_err rotate_due(struct keyring *keyring, struct bulla_call *call, const struct entry *entry, int64_t now_s)
{
	struct bulla_key_info info;
	struct store_id slot;
	int64_t due_s;

	TRY(look_up(keyring, call, entry, &due_s));
	if (due_s != 0)
		TRY(schedule_slot(keyring->seal, due_s, entry->mount.uuid, entry->name, &slot));
	if (due_s == 0 || memcmp(&slot, &entry->id, sizeof slot) != 0)
		TRY(drop_entry(keyring, call, entry)); /* left over: the key is filed elsewhere, or nowhere */
	if (due_s == 0 || due_s > now_s)
		return BULLA_OK;
	return rotate_key(keyring, call, &entry->mount, entry->name, is_due, &now_s, &info);
}

static enum bulla_err handle(struct keyring *keyring, struct bulla_call *call, const struct entry *entry, int64_t now_s)
{
	enum bulla_err err = rotate_due(keyring, call, entry, now_s);

	if (err == BULLA_E_CANCELLED || err == BULLA_E_BUSY) /* nothing is wrong with the key: at the next tick, or start */
		return BULLA_E_CANCELLED;
	if (err == BULLA_OK || err == BULLA_E_SEALED || err == BULLA_E_NO_ROUTE)
		return err == BULLA_E_SEALED ? err : BULLA_OK;
	err = put_off(keyring, call, entry, err);
	return err == BULLA_E_SEALED ? err : BULLA_OK; /* it stays where it is, and is tried at the next tick */
}

/* ---- a tick --------------------------------------------------------------------------- */

/* An entry that does not open names no key: it is left alone. */
static enum bulla_err handle_batch(void *owner, struct bulla_call *call, const struct due_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct bulla_bytes content = entries[i].content;

		if (content.len <= MOUNT_UUID || content.len > MOUNT_UUID + BULLA_KEY_NAME_MAX)
			continue;
		struct entry entry = { .id = entries[i].id, .name = { content.ptr + MOUNT_UUID, content.len - MOUNT_UUID } };

		memcpy(entry.mount.uuid, content.ptr, MOUNT_UUID);
		bulla_arena_reset(call->arena);
		*call = (struct bulla_call){ .arena = call->arena, .may_block = true, .turn = call->turn };
		TRY(handle(owner, call, &entry, bulla_clock_s()));
	}
	return BULLA_OK;
}

enum bulla_err keyring_tick(struct keyring *keyring, struct bulla_call *call)
{
	struct due *schedule = &keyring->schedule;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&schedule->lock);
	enum bulla_err err = due_run(schedule, call, bulla_clock_s());

	if (err == BULLA_OK)
		err = due_store(schedule, call);
	pthread_mutex_unlock(&schedule->lock);
	TRY(notices_take(&keyring->notices, call));
	return err;
}
