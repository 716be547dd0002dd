/* snapshots.h: a bounded cache of immutable snapshots of stored records: keys, tokens. Readers take no lock; a snapshot is found by the
 * name its users know it by, and by the id of its record, so that whoever hears of a change can drop it.
 *
 * Who loads or changes a record reads the epoch of its id first (snapshots_epoch), then the store, or commits, and publishes then. If
 * the record was dropped in between, by whoever heard that another node changed it, what was read may be out of date already: it is
 * not published. Its reader may use it this once: his read came before the change, and a writer is refused by the revision. */
#ifndef BULLA_STATE_SNAPSHOTS_H
#define BULLA_STATE_SNAPSHOTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/rcu.h"
#include "store/store.h"

#define SNAPSHOT_EPOCHS 1024

/* Embedded in what is cached, all of it zero at first. */
struct snapshot {
	struct rcu_node by_name, by_id;
	struct rcu_later later;
	struct snapshot *next, *previous; /* the cache's ring */
	struct store_id id;               /* this and what follows: by its maker, before it is published. Each name has one id */
	unsigned epoch;                   /* of the id, before the record was read or written; 0: it is never published */
	size_t bytes, locked;             /* how much it takes; how much of that is secret memory */
	atomic_uint refs;                 /* one is the cache's */
	atomic_bool used;                 /* since the clock's hand passed last */
};

struct snapshot_kind {
	rcu_match *is;                          /* whether the node by_name has that name */
	void (*put)(struct rcu_later *later);   /* gives the cache's reference back, readers having left */
};

struct snapshots {
	struct snapshot_kind kind;
	struct rcu_table *by_name, *by_id;
	pthread_mutex_t lock;      /* of what follows, and of changes of both tables; held shortly. No read section is open while it is waited for */
	struct snapshot *hand;     /* NULL: empty */
	size_t bytes, max_bytes;
	size_t locked, max_locked; /* the part of it that is secret memory */
	atomic_uint epochs[SNAPSHOT_EPOCHS]; /* by two bytes of the id; each grows when such an id is dropped */
};

/* cache is all zero. NO_MEMORY: snapshots_clear is to follow as well. */
BULLA_MUST_USE enum bulla_err snapshots_init(struct snapshots *cache, struct snapshot_kind kind, size_t max_bytes, size_t max_locked);
/* Empties it, waits until nobody reads, and frees what init made. */
void snapshots_clear(struct snapshots *cache);

/* Never 0. */
unsigned snapshots_epoch(struct snapshots *cache, const struct store_id *id);
/* Takes a reference and puts snapshot in under name, in the place of the one that has its id; evicts others until the cache is within
 * bounds, the least used first. Where the epoch has moved, only what has that id is taken out. */
void snapshots_publish(struct snapshots *cache, struct snapshot *snapshot, uint64_t hash, const void *name);
/* The record was changed or deleted, or may have been (id NULL: any of them): takes out what there is of it, and has whoever reads it now
 * not publish it. Readers may use what is out until they end. */
void snapshots_drop(struct snapshots *cache, const struct store_id *id);
/* Takes out those that which chooses (NULL: all). Call rcu_drain to wait until they are freed. */
void snapshots_forget(struct snapshots *cache, bool (*which)(const struct snapshot *snapshot, const void *context), const void *context);
/* Evicts the less used half. */
void snapshots_shrink(struct snapshots *cache);
size_t snapshots_bytes(struct snapshots *cache);

/* Within a read section; NULL: not there. */
static inline struct snapshot *snapshots_find(const struct snapshots *cache, uint64_t hash, const void *name)
{
	struct rcu_node *node = rcu_table_find(cache->by_name, hash, cache->kind.is, name);

	return node == NULL ? NULL : rcu_entry(node, struct snapshot, by_name);
}
/* The same by the record's id. */
struct snapshot *snapshots_find_id(const struct snapshots *cache, const struct store_id *id);

/* The caller has a reference, or is in a read section, which the cache's own reference outlives. */
static inline void snapshot_hold(struct snapshot *snapshot)
{
	atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
}

/* Whether that was the last reference: the caller frees it. */
static inline bool snapshot_release(struct snapshot *snapshot)
{
	return atomic_fetch_sub_explicit(&snapshot->refs, 1, memory_order_acq_rel) == 1;
}

/* Read first: readers on all cores share the line as long as nobody writes it. */
static inline void snapshot_mark_used(struct snapshot *snapshot)
{
	if (!atomic_load_explicit(&snapshot->used, memory_order_relaxed))
		atomic_store_explicit(&snapshot->used, true, memory_order_relaxed);
}

#endif
