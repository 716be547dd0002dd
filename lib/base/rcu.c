/* rcu.c: liburcu behind base/rcu.h; under ThreadSanitizer a rwlock and a plain chained table instead. */
#include "base/rcu.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct rcu_table {
#ifdef BULLA_TSAN
	struct rcu_node *buckets[4096];
#else
	struct cds_lfht *ht;
#endif
	atomic_size_t count;
};

size_t rcu_table_count(const struct rcu_table *table)
{
	return atomic_load_explicit(&table->count, memory_order_relaxed);
}

#ifndef BULLA_TSAN

static pthread_key_t leave_key;
static pthread_once_t leave_once = PTHREAD_ONCE_INIT;
static __thread bool registered;

static void leave(void *unused)
{
	(void)unused;
	registered = false;
	urcu_memb_unregister_thread();
}

static void make_key(void)
{
	if (pthread_key_create(&leave_key, leave) != 0)
		abort();
}

static void join(void)
{
	pthread_once(&leave_once, make_key);
	urcu_memb_register_thread();
	registered = true;
	if (pthread_setspecific(leave_key, &registered) != 0)
		abort(); /* the thread would end registered, and hang every writer */
}

void rcu_read_begin(void)
{
	if (!registered)
		join();
	urcu_memb_read_lock();
}

void rcu_read_end(void)
{
	urcu_memb_read_unlock();
}

static void run_later(struct rcu_head *head)
{
	struct rcu_later *later = rcu_entry(head, struct rcu_later, store.head);

	later->fn(later);
}

void rcu_later(struct rcu_later *later, void (*fn)(struct rcu_later *))
{
	later->fn = fn;
	if (!registered)
		join();
	urcu_memb_call_rcu(&later->store.head, run_later);
}

void rcu_wait(void)
{
	urcu_memb_synchronize_rcu();
}

void rcu_drain(void)
{
	urcu_memb_barrier();
}

struct rcu_table *rcu_table_new(void)
{
	struct rcu_table *table = calloc(1, sizeof *table);

	if (table == NULL)
		return NULL;
	if (!registered)
		join();
	table->ht = cds_lfht_new_flavor(64, 64, 0, CDS_LFHT_AUTO_RESIZE, &urcu_memb_flavor, NULL);
	if (table->ht == NULL) {
		free(table);
		return NULL;
	}
	return table;
}

void rcu_table_free(struct rcu_table *table)
{
	if (table == NULL)
		return;
	(void)cds_lfht_destroy(table->ht, NULL);
	free(table);
}

struct search {
	rcu_match *match;
	const void *key;
	uint64_t hash;
};

static int matches(struct cds_lfht_node *node, const void *context)
{
	const struct search *search = context;
	const struct rcu_node *n = rcu_entry(node, struct rcu_node, store.node);

	return n->hash == search->hash && search->match(n, search->key);
}

static struct rcu_node *node_or_null(struct cds_lfht_node *node)
{
	return node == NULL ? NULL : rcu_entry(node, struct rcu_node, store.node);
}

struct rcu_node *rcu_table_find(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key)
{
	struct search search = { match, key, hash };
	struct cds_lfht_iter iter;

	cds_lfht_lookup(table->ht, (unsigned long)hash, matches, &search, &iter);
	return node_or_null(cds_lfht_iter_get_node(&iter));
}

struct rcu_node *rcu_table_replace(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key,
				   struct rcu_node *node)
{
	struct search search = { match, key, hash };

	cds_lfht_node_init(&node->store.node);
	node->hash = hash;
	rcu_read_begin();
	struct cds_lfht_node *old =
		cds_lfht_add_replace(table->ht, (unsigned long)hash, matches, &search, &node->store.node);

	rcu_read_end();
	if (old == NULL)
		atomic_fetch_add(&table->count, 1);
	return node_or_null(old);
}

struct rcu_node *rcu_table_add(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key,
			       struct rcu_node *node)
{
	struct search search = { match, key, hash };

	cds_lfht_node_init(&node->store.node);
	node->hash = hash;
	rcu_read_begin();
	struct cds_lfht_node *there =
		cds_lfht_add_unique(table->ht, (unsigned long)hash, matches, &search, &node->store.node);

	rcu_read_end();
	if (there != &node->store.node)
		return node_or_null(there);
	atomic_fetch_add(&table->count, 1);
	return NULL;
}

struct rcu_node *rcu_table_remove(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key)
{
	rcu_read_begin();
	struct rcu_node *node = rcu_table_find(table, hash, match, key);

	if (node != NULL && cds_lfht_del(table->ht, &node->store.node) != 0)
		node = NULL;
	rcu_read_end();
	if (node != NULL)
		atomic_fetch_sub(&table->count, 1);
	return node;
}

bool rcu_table_remove_node(struct rcu_table *table, struct rcu_node *node)
{
	rcu_read_begin();
	bool removed = cds_lfht_del(table->ht, &node->store.node) == 0;

	rcu_read_end();
	if (removed)
		atomic_fetch_sub(&table->count, 1);
	return removed;
}

void rcu_table_each(struct rcu_table *table, bool (*fn)(struct rcu_node *node, void *context), void *context)
{
	struct cds_lfht_iter iter;

	rcu_read_begin();
	cds_lfht_first(table->ht, &iter);
	for (struct cds_lfht_node *n; (n = cds_lfht_iter_get_node(&iter)) != NULL; cds_lfht_next(table->ht, &iter))
		if (!fn(node_or_null(n), context))
			break;
	rcu_read_end();
}

#else /* BULLA_TSAN */

static pthread_rwlock_t everything = PTHREAD_RWLOCK_INITIALIZER; /* glibc's default lets read locks nest */

void rcu_read_begin(void)
{
	pthread_rwlock_rdlock(&everything);
}

void rcu_read_end(void)
{
	pthread_rwlock_unlock(&everything);
}

void rcu_wait(void)
{
	pthread_rwlock_wrlock(&everything);
	pthread_rwlock_unlock(&everything);
}

void rcu_drain(void)
{
}

void rcu_later(struct rcu_later *later, void (*fn)(struct rcu_later *))
{
	later->fn = fn;
	rcu_wait();
	fn(later);
}

struct rcu_table *rcu_table_new(void)
{
	return calloc(1, sizeof(struct rcu_table));
}

void rcu_table_free(struct rcu_table *table)
{
	free(table);
}

static struct rcu_node **next_of(struct rcu_node *node)
{
	return (struct rcu_node **)(void *)&node->store.next;
}

/* Where the pointer to the node that key names is, or to the NULL at the chain's end. */
static struct rcu_node **place(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key)
{
	struct rcu_node **at = &table->buckets[hash % 4096];

	while (*at != NULL && !((*at)->hash == hash && match(*at, key)))
		at = next_of(*at);
	return at;
}

struct rcu_node *rcu_table_find(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key)
{
	return *place(table, hash, match, key);
}

struct rcu_node *rcu_table_replace(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key,
				   struct rcu_node *node)
{
	pthread_rwlock_wrlock(&everything);
	struct rcu_node **at = place(table, hash, match, key), *old = *at;

	node->hash = hash;
	*next_of(node) = old ? *next_of(old) : NULL;
	*at = node;
	pthread_rwlock_unlock(&everything);
	if (old == NULL)
		atomic_fetch_add(&table->count, 1);
	return old;
}

struct rcu_node *rcu_table_add(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key,
			       struct rcu_node *node)
{
	pthread_rwlock_wrlock(&everything);
	struct rcu_node **at = place(table, hash, match, key), *there = *at;

	if (there == NULL) {
		node->hash = hash;
		*next_of(node) = NULL;
		*at = node;
		atomic_fetch_add(&table->count, 1);
	}
	pthread_rwlock_unlock(&everything);
	return there;
}

struct rcu_node *rcu_table_remove(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key)
{
	pthread_rwlock_wrlock(&everything);
	struct rcu_node **at = place(table, hash, match, key), *old = *at;

	if (old != NULL) {
		*at = *next_of(old);
		atomic_fetch_sub(&table->count, 1);
	}
	pthread_rwlock_unlock(&everything);
	return old;
}

static bool is_node(const struct rcu_node *node, const void *key)
{
	return node == key;
}

bool rcu_table_remove_node(struct rcu_table *table, struct rcu_node *node)
{
	return rcu_table_remove(table, node->hash, is_node, node) != NULL;
}

void rcu_table_each(struct rcu_table *table, bool (*fn)(struct rcu_node *node, void *context), void *context)
{
	bool go_on = true;

	rcu_read_begin();
	for (size_t i = 0; i < 4096 && go_on; i++)
		for (struct rcu_node *n = table->buckets[i]; n != NULL && go_on; n = *next_of(n))
			go_on = fn(n, context);
	rcu_read_end();
}

#endif
