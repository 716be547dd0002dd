/* rcu.h: how readers go without a lock. The only home of liburcu (its "memb" flavour).
 *
 * A reader brackets its use of published pointers with rcu_read_begin/end; sections nest. A writer publishes a new snapshot
 * with rcu_publish, and frees the old one with rcu_later. Never call rcu_later, rcu_wait or rcu_drain within a read section: under
 * ThreadSanitizer, which does not understand liburcu, all of this is one rwlock.
 * Threads are registered on their first read section and leave by themselves when they end. */
#ifndef BULLA_BASE_RCU_H
#define BULLA_BASE_RCU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

#ifdef BULLA_TSAN
struct rcu_head_store { void *unused; };
#else
#include <urcu/urcu-memb.h>
struct rcu_head_store { struct rcu_head head; };
#endif

/* Before the other functions here, while the process still starts; rcu_table_new does it too. false: no memory or no thread. Nothing
 * here fails or allocates after it, but rcu_table_new. */
bool rcu_start(void);

void rcu_read_begin(void);
void rcu_read_end(void);

/* Within a read section / by a writer. p is a plain pointer variable that several threads share. */
#define rcu_load(p) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)
#define rcu_publish(p, value) __atomic_store_n(&(p), (value), __ATOMIC_RELEASE)

/* Embedded in what is to be freed after the readers of now have left. */
struct rcu_later {
	struct rcu_head_store store;
	void (*fn)(struct rcu_later *);
};

void rcu_later(struct rcu_later *later, void (*fn)(struct rcu_later *));

/* Returns when every read section that was open has ended. */
void rcu_wait(void);

/* Returns when all that was given to rcu_later has been run. */
void rcu_drain(void);

/* ---- a hash table whose readers take no lock ------------------------------ */
struct rcu_table;

/* Embedded in an entry. */
struct rcu_link {
	struct rcu_link *next;
	uint64_t order;
};
struct rcu_node {
	struct rcu_link link;
	uint64_t hash;
};

/* Whether the node is the one the key names. */
typedef bool rcu_match(const struct rcu_node *node, const void *key);

/* NULL: no memory. */
struct rcu_table *rcu_table_new(void);

/* The table must be empty, or its entries are leaked. */
void rcu_table_free(struct rcu_table *table);

/* In a read section; the node is good until the section ends. NULL: absent. */
struct rcu_node *rcu_table_find(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key);

/* Puts node in, in the place of the one that key names if there is one: returns that one (to give to rcu_later), else NULL. */
struct rcu_node *rcu_table_replace(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key,
				   struct rcu_node *node);

/* Puts node in unless key names one already: returns NULL when it went in, else the one that is there, which is good only
 * as long as the caller knows why it is not removed. */
struct rcu_node *rcu_table_add(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key,
			       struct rcu_node *node);

/* Takes out what key names: returns it (to give to rcu_later), NULL: absent. */
struct rcu_node *rcu_table_remove(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key);

/* Takes out this very node. false: it was not there any more. */
bool rcu_table_remove_node(struct rcu_table *table, struct rcu_node *node);

/* Calls fn for each node, within a read section of its own, until fn returns false. fn must not change the table. */
void rcu_table_each(struct rcu_table *table, bool (*fn)(struct rcu_node *node, void *context), void *context);

/* Entries, exact when nobody writes. */
size_t rcu_table_count(const struct rcu_table *table);

/* Buckets: the power of two from the greatest number of entries there ever were on, and at least 64; less only where memory was short. */
size_t rcu_table_buckets(const struct rcu_table *table);

#define rcu_entry(ptr, type, member) ((type *)(void *)((char *)(uintptr_t)(ptr) - offsetof(type, member)))

#endif
