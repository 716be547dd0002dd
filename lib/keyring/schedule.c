/* schedule.c: owns auto_rotate_period. Each key that has one is filed under the time when it is due: a small sealed record in a
 * collection of its minute, written in the same commit as the key's head, which knows that time (docs/FORMATS.md, "Schedule").
 * A tick looks only into the minutes since the last one, so that neither the number of keys nor a restart matters. A key that
 * cannot be rotated is filed again for later and holds up no other. Changes of keys: by their locks; ticks: by schedule.lock,
 * workers. */
#include "keyring/internal.h"

#include <stdlib.h>

#include "bulla/clock.h"
#include "bulla/encode.h"

#define NS_PER_S INT64_C(1000000000)
#define MINUTE_S 60
#define RETRY_S 60            /* after a fault of ours, such as a full disk */
#define RETRY_REFUSED_S 3600  /* where the key itself does not allow it */
#define BACK_MINUTES 10       /* looked at again: a writer may have been slow to commit */
#define MINUTES_A_TICK 20000  /* a day is 1,440: after a long time off, it takes some ticks */
#define BATCH 64
#define STORE_EVERY 60        /* minutes: what is stored is where a restart begins */

/* ---- where a key is filed -------------------------------------------------------- */

static uint64_t minute_of(int64_t time_s)
{
	return (uint64_t)time_s / MINUTE_S;
}

static enum bulla_err minute_slot(struct seal *seal, uint64_t minute, struct bulla_bytes item, struct store_id *out)
{
	uint8_t number[8];

	bulla_put_u64(number, minute);
	struct barrier_name slot = { .kind = "due", .scope = bulla_mem(number, sizeof number), .item = item };

	return barrier_slot(seal, &slot, out);
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

	return minute_slot(seal, minute_of(due_s), bulla_mem(entry, n), out);
}

static enum bulla_err put_entry(struct seal *seal, struct bulla_call *call, int64_t due_s, const uint8_t *mount,
				struct bulla_bytes name, struct store_write *write)
{
	uint8_t entry[MOUNT_UUID + BULLA_KEY_NAME_MAX];
	size_t n = entry_bytes(mount, name, entry);

	*write = (struct store_write){ .change = STORE_PUT };
	TRY(schedule_slot(seal, due_s, mount, name, &write->id));
	return barrier_seal(seal, call, &write->id, 1, bulla_mem(entry, n), &write->bytes);
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
	if (old_s != 0 && new_s != 0 && minute_of(old_s) == minute_of(new_s))
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

void schedule_forget(struct keyring *keyring)
{
	pthread_mutex_lock(&keyring->schedule.lock);
	keyring->schedule.loaded = false;
	pthread_mutex_unlock(&keyring->schedule.lock);
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

/* ---- one minute --------------------------------------------------------------------- */

struct minute_scan {
	struct seal *seal;
	struct bulla_call call;   /* its arena holds the entries, and is reset for each batch */
	struct store_id after;    /* where the last batch ended */
	bool begun;
	struct entry entries[BATCH];
	size_t count;
};

/* An entry that does not open names no key: it is left alone. */
static enum bulla_err visit_entry(const struct store_record *record, void *context)
{
	struct minute_scan *scan = context;
	struct entry *entry = &scan->entries[scan->count];
	struct bulla_bytes plaintext;

	if (scan->begun && memcmp(&record->id, &scan->after, sizeof record->id) <= 0)
		return BULLA_OK;
	scan->after = record->id;
	enum bulla_err err = barrier_open(scan->seal, &scan->call, record, &plaintext);

	if (err == BULLA_E_STORE_DAMAGED ||
	    (err == BULLA_OK && (plaintext.len <= MOUNT_UUID || plaintext.len > MOUNT_UUID + BULLA_KEY_NAME_MAX)))
		return BULLA_OK;
	TRY(err);
	*entry = (struct entry){ .id = record->id, .name = { plaintext.ptr + MOUNT_UUID, plaintext.len - MOUNT_UUID } };
	memcpy(entry->mount.uuid, plaintext.ptr, MOUNT_UUID);
	scan->count++;
	return scan->count < BATCH ? BULLA_OK : BULLA_E_BUSY; /* enough: the scan stops here */
}

static enum bulla_err handle_batch(struct keyring *keyring, const struct minute_scan *scan, struct bulla_call *one, int64_t now_s)
{
	for (size_t i = 0; i < scan->count; i++) {
		bulla_arena_reset(one->arena);
		*one = (struct bulla_call){ .arena = one->arena, .may_block = true, .turn = one->turn };
		TRY(handle(keyring, one, &scan->entries[i], now_s));
	}
	return BULLA_OK;
}

/* Entries are few at a time, whatever is due in one minute. */
static enum bulla_err run_minute(struct keyring *keyring, struct minute_scan *scan, struct bulla_call *one, uint64_t minute,
				 int64_t now_s)
{
	struct store_id any;

	TRY(minute_slot(keyring->seal, minute, (struct bulla_bytes){ 0 }, &any));
	for (scan->begun = false;; scan->begun = true) {
		bulla_arena_reset(scan->call.arena);
		scan->call = (struct bulla_call){ .arena = scan->call.arena, .may_block = true };
		scan->count = 0;
		enum bulla_err err = store_scan(keyring->store, &scan->call, any.bytes, visit_entry, scan);

		if (err != BULLA_OK && (err != BULLA_E_BUSY || scan->count < BATCH))
			return err;
		TRY(handle_batch(keyring, scan, one, now_s));
		if (err == BULLA_OK)
			return BULLA_OK;
	}
}

/* ---- a tick --------------------------------------------------------------------------- */

static enum bulla_err from_slot(struct seal *seal, struct store_id *out)
{
	struct barrier_name slot = { .kind = "due-from" };

	return barrier_slot(seal, &slot, out);
}

static enum bulla_err read_from(struct keyring *keyring, struct bulla_call *call, uint64_t now)
{
	struct schedule *schedule = &keyring->schedule;
	struct store_record record = { 0 };
	struct bulla_bytes plaintext;
	struct store_id slot;

	TRY(from_slot(keyring->seal, &slot));
	enum bulla_err err = store_get(keyring->store, call, &slot, &record);

	if (err == BULLA_E_NOT_FOUND) { /* the first tick of all: what is filed already is filed for later */
		schedule->from = now;
		schedule->stored = schedule->revision = 0;
		return BULLA_OK;
	}
	TRY(err);
	TRY(barrier_open(keyring->seal, call, &record, &plaintext));
	if (plaintext.len != 8)
		return BULLA_E_STORE_DAMAGED;
	schedule->stored = bulla_get_u64(plaintext.ptr);
	schedule->from = schedule->stored < now ? schedule->stored : now; /* else the clock was set back on purpose */
	schedule->revision = record.revision;
	return BULLA_OK;
}

static enum bulla_err write_from(struct keyring *keyring, struct bulla_call *call)
{
	struct schedule *schedule = &keyring->schedule;
	struct store_write write = { .change = STORE_PUT, .expected = schedule->revision };
	uint8_t number[8];

	bulla_put_u64(number, schedule->from);
	TRY(from_slot(keyring->seal, &write.id));
	TRY(barrier_seal(keyring->seal, call, &write.id, store_revision(&write), bulla_mem(number, sizeof number), &write.bytes));
	TRY(commit_held(keyring, call, &write, 1));
	schedule->revision++;
	schedule->stored = schedule->from;
	return BULLA_OK;
}

/* Up to and with the present minute, whose entries may come due while it lasts. */
static enum bulla_err run_minutes(struct keyring *keyring, struct bulla_turn *turn, int64_t now_s)
{
	struct schedule *schedule = &keyring->schedule;
	struct minute_scan *scan = calloc(1, sizeof *scan);
	struct bulla_call one = { .arena = bulla_arena_new(4096), .turn = turn };
	uint64_t minute = schedule->from > BACK_MINUTES ? schedule->from - BACK_MINUTES : 0, now = minute_of(now_s);
	uint64_t last = now > minute + MINUTES_A_TICK ? minute + MINUTES_A_TICK : now;
	enum bulla_err err = scan == NULL || one.arena == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;

	if (err == BULLA_OK) {
		scan->seal = keyring->seal;
		scan->call.arena = bulla_arena_new(16384);
		err = scan->call.arena == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
	}
	for (; err == BULLA_OK && minute <= last; minute++)
		err = run_minute(keyring, scan, &one, minute, now_s);
	if (err == BULLA_OK && last > schedule->from)
		schedule->from = last;
	if (scan != NULL)
		bulla_arena_free(scan->call.arena);
	bulla_arena_free(one.arena);
	free(scan);
	return err;
}

static enum bulla_err tick(struct keyring *keyring, struct bulla_call *call)
{
	struct schedule *schedule = &keyring->schedule;
	int64_t now_s = bulla_clock_s();

	if (!schedule->loaded)
		TRY(read_from(keyring, call, minute_of(now_s)));
	schedule->loaded = true;
	TRY(run_minutes(keyring, call->turn, now_s));
	if (schedule->revision == 0 || schedule->from >= schedule->stored + STORE_EVERY)
		TRY(write_from(keyring, call));
	return BULLA_OK;
}

enum bulla_err keyring_tick(struct keyring *keyring, struct bulla_call *call)
{
	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&keyring->schedule.lock);
	enum bulla_err err = tick(keyring, call);

	pthread_mutex_unlock(&keyring->schedule.lock);
	TRY(notices_take(&keyring->notices, call));
	return err;
}
