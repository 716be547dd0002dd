/* mount_private.h: what the files of lib/mount share. Nobody else includes it. */
#ifndef BULLA_MOUNT_PRIVATE_H
#define BULLA_MOUNT_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/rcu.h"
#include "mount/mounts.h"

/* Counts the snapshots of one mount that somebody still holds, over all its changes: a mount is destroyed when none is left. */
struct mount_life {
	pthread_mutex_t lock;
	pthread_cond_t gone;
	size_t snapshots;
	atomic_uint refs; /* of this struct: one a snapshot, and whoever waits */
};

/* A snapshot: the public part points into record. */
struct mount {
	struct bulla_mount public; /* first: bulla_mount_put casts back */
	atomic_uint refs;
	struct mount_life *life;
	uint64_t revision; /* of its record in the store */
	bool dying;        /* disabled, its keys are being destroyed: not in the table */
	size_t record_len;
	uint8_t *record;   /* owned */
	void *lists;       /* owned: the arrays that public points at */
};

/* What readers see: sorted by path, no path a prefix of another. Holds a reference to each. */
struct mount_table {
	struct rcu_later later;
	size_t count;
	struct mount *mounts[];
};

/* Moves that a client may ask about. */
#define MOVES_KEPT 16
#define MAX_PATH_BYTES 1024
struct mount_moved {
	char id[37];
	char from[MAX_PATH_BYTES + 2], to[MAX_PATH_BYTES + 2];
};

struct mounts {
	struct store *store; /* borrowed */
	struct seal *seal;   /* borrowed */
	pthread_mutex_t lock; /* one writer; held over its commit */
	struct mount_table *table; /* rcu; NULL while sealed */
	struct mount_table *dying; /* found at load; under lock; NULL: none */
	uint64_t guard; /* revision of the record that each change of the table writes as well; 0: there is none yet. Under lock */
	struct mount_moved *moved; /* MOVES_KEPT of them, under lock; made at the first move */
	size_t moved_count;
};

/* ---- mount_record.c ---- */

/* The plaintext of a mount's record (docs/FORMATS.md). NO_MEMORY. */
BULLA_MUST_USE enum bulla_err mount_pack(struct bulla_call *call, const struct bulla_mount *mount, bool dying,
					 struct bulla_bytes *out);
/* A snapshot with one reference, from a record's plaintext (copied). life: of an earlier snapshot, NULL: a new one.
 * STORE_DAMAGED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err mount_unpack(struct bulla_bytes record, uint64_t revision, struct mount_life *life,
					   struct mount **out);
void mount_put(struct mount *mount);
void life_put(struct mount_life *life);
/* NULL: no such kind / there is no such type. */
const char *mount_kind_name(enum bulla_mount_kind kind);
bool mount_kind_by_name(struct bulla_bytes name, enum bulla_mount_kind *out);

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

/* ---- mounts.c: for writers, who hold mounts->lock ---- */

struct mount_table *table_new(size_t room); /* empty; NULL: no memory */
void table_free(struct mount_table *table); /* with its references */
void table_publish(struct mounts *mounts, struct mount_table *table); /* taken over; NULL: none */
int mounts_by_path(const void *a, const void *b); /* for qsort */


/* Seals and commits the record of a mount (before: the present one, NULL: new) and the guard, then makes its snapshot. CONFLICT: the
 * table has been changed by another node. */
BULLA_MUST_USE enum bulla_err mount_store(struct mounts *mounts, struct bulla_call *call, const struct bulla_mount *mount,
					  const struct mount *before, struct mount **out);
/* Moves the record to those of the dying, with the guard: from then on nobody makes anything in the mount. CONFLICT: as above. */
BULLA_MUST_USE enum bulla_err mount_mark_dying(struct mounts *mounts, struct bulla_call *call, const struct mount *mount);
BULLA_MUST_USE enum bulla_err mount_guard_slot(struct mounts *mounts, struct store_id *out);
BULLA_MUST_USE enum bulla_err mount_dying_slot(struct mounts *mounts, const uint8_t uuid[16], struct store_id *out);
/* The slot of a mount's record. */
BULLA_MUST_USE enum bulla_err mount_slot(struct mounts *mounts, const uint8_t uuid[16], struct store_id *out);
/* Publishes the table without `remove` and with `add` (either may be NULL), taking over add's reference. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err table_change(struct mounts *mounts, const struct mount *remove, struct mount *add);
/* The mount at exactly this path in the present table, borrowed. */
struct mount *table_at(const struct mount_table *table, struct bulla_bytes path);
/* The mount with this uuid, borrowed. NULL: none. */
struct mount *table_with(const struct mount_table *table, const uint8_t uuid[16]);
/* One whose path is a prefix of path or the other way round. */
struct mount *table_conflict(const struct mount_table *table, struct bulla_bytes path, const struct mount *except);

/* ---- mount_path.c ---- */

/* path without its slashes at both ends and with one behind it, in the arena. INVALID. */
BULLA_MUST_USE enum bulla_err path_clean(struct bulla_call *call, struct bulla_bytes path, struct bulla_bytes *out);
bool path_is_reserved(struct bulla_bytes path);
bool path_is_auth(struct bulla_bytes path); /* below auth/ */
bool path_is_protected(struct bulla_bytes path); /* nothing is moved from there: reserved, or auth/token/ */
/* Whether a mount may be moved to path, as it was said: what no request could address is no place for one. INVALID. */
BULLA_MUST_USE enum bulla_err path_check_destination(struct bulla_call *call, struct bulla_bytes path);

/* ---- mount_load.c ---- */

/* With the lock: takes over what another node has changed of the table, if it has. STORE*, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err mounts_catch_up(struct mounts *mounts, struct bulla_call *call);

/* ---- mount_change.c ---- */

/* Runs a step that checks against the table, commits and publishes: with the seal held open and the lock, on the table as the store has
 * it, and once more whenever another node's change came first (CONFLICT). Its error; MUST_BLOCK, SEALED; of mounts_catch_up. */
typedef enum bulla_err mount_step(struct mounts *mounts, struct bulla_call *call, void *context);
BULLA_MUST_USE enum bulla_err mounts_change(struct mounts *mounts, struct bulla_call *call, mount_step *step, void *context);
/* As texts about auth mounts have it: without "auth/". */
struct bulla_bytes path_below_auth(struct bulla_bytes path);
/* What settings say of visibility. INVALID. */
BULLA_MUST_USE enum bulla_err settings_check_listing(struct bulla_call *call, const struct bulla_mount_settings *settings);
/* Gives m the settings, a uuid and an accessor that begins with prefix, and adds it to the table. MUST_BLOCK, SEALED, INVALID. */
BULLA_MUST_USE enum bulla_err change_add(struct mounts *mounts, struct bulla_call *call, struct bulla_mount *m,
					 const struct bulla_mount_settings *settings, const char *prefix);
/* Publishes made, which was committed, in the place of before. NO_MEMORY: it is put, and seen after the next unsealing. */
BULLA_MUST_USE enum bulla_err change_publish(struct mounts *mounts, const struct mount *before, struct mount *made);

/* ---- mount_auth.c ---- */

/* INVALID: it is no token type. */
BULLA_MUST_USE enum bulla_err mount_token_type_check(struct bulla_call *call, struct bulla_bytes type);

#endif
