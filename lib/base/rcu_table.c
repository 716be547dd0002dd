/* rcu_table.c: owns the hash table whose readers take no lock. Writers take the table's own lock; any thread.
 *
 * A split-ordered list (Shalev and Shavit): all entries are one list, ordered by the bits of their hash in reverse, and a bucket is a
 * marker within it. A table of twice the size puts one more marker between each two and moves nothing. So growing is: room for the new
 * markers, and the new size. Markers are put in when an entry first comes to their bucket, and a few more with each entry that
 * comes; a reader that finds no marker yet begins at the one before it. Nobody ever waits for a resize, and where there is no room
 * the table stays as it is, with longer ways, until some later entry finds room.
 *
 * Tables never shrink: a marker is 16 bytes, an entry with what it stands for many hundred, and whoever fills a table again would
 * pay for it again. Caches bound what they put in. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/rcu.h"

#define FIRST_BUCKETS 64      /* segment 0; segment n > 0 has as many as all before it */
#define SEGMENTS 26           /* 2^31 buckets */
#define MAP_BYTES 131072      /* segments from here on are mapped, which costs nothing before they are used */
#define MARK_AHEAD 2          /* markers put in with each entry: all are there long before the table doubles again */

struct rcu_table {
	size_t size;                        /* buckets, a power of two; published */
	struct rcu_link *segments[SEGMENTS];/* markers; published with size */
	atomic_size_t count;
	pthread_mutex_t lock;               /* of all that changes the list */
	size_t marked;                      /* buckets below this have their markers */
};

/* ---- order -------------------------------------------------------------------- */

static uint64_t reversed(uint64_t x)
{
	x = __builtin_bswap64(x);
	x = (x & UINT64_C(0x0f0f0f0f0f0f0f0f)) << 4 | (x >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f));
	x = (x & UINT64_C(0x3333333333333333)) << 2 | (x >> 2 & UINT64_C(0x3333333333333333));
	return (x & UINT64_C(0x5555555555555555)) << 1 | (x >> 1 & UINT64_C(0x5555555555555555));
}

/* Entries are odd, markers even: a bucket's marker stands before all its entries. */
static uint64_t order_of(uint64_t hash)
{
	return reversed(hash) | 1;
}

static bool is_entry(const struct rcu_link *link)
{
	return (link->order & 1) != 0;
}

static struct rcu_node *node_of(struct rcu_link *link)
{
	return rcu_entry(link, struct rcu_node, link);
}

/* ---- buckets ------------------------------------------------------------------ */

static unsigned segment_of(size_t bucket)
{
	return bucket < FIRST_BUCKETS ? 0 : 64 - (unsigned)__builtin_clzll(bucket / FIRST_BUCKETS);
}

static size_t segment_buckets(unsigned segment)
{
	return segment == 0 ? FIRST_BUCKETS : (size_t)FIRST_BUCKETS << (segment - 1);
}

static struct rcu_link *marker_of(struct rcu_table *table, size_t bucket)
{
	unsigned segment = segment_of(bucket);

	return &table->segments[segment][segment == 0 ? bucket : bucket - segment_buckets(segment)];
}

/* The bucket that this one was a part of before the table doubled. */
static size_t parent_of(size_t bucket)
{
	return bucket & ~((size_t)1 << (63 - (unsigned)__builtin_clzll(bucket)));
}

/* A marker that is not in the list has no order; that of bucket 0 is in from the start. */
static bool is_marked(const struct rcu_link *marker, size_t bucket)
{
	return bucket == 0 || __atomic_load_n(&marker->order, __ATOMIC_ACQUIRE) != 0;
}

/* Where to begin to look for a hash. */
static struct rcu_link *start_of(struct rcu_table *table, uint64_t hash)
{
	size_t bucket = (size_t)hash & (__atomic_load_n(&table->size, __ATOMIC_ACQUIRE) - 1);
	struct rcu_link *marker = marker_of(table, bucket);

	while (!is_marked(marker, bucket)) {
		bucket = parent_of(bucket);
		marker = marker_of(table, bucket);
	}
	return marker;
}

static struct rcu_link *next_of(const struct rcu_link *link)
{
	return __atomic_load_n(&link->next, __ATOMIC_ACQUIRE);
}

static void set_next(struct rcu_link *link, struct rcu_link *next)
{
	__atomic_store_n(&link->next, next, __ATOMIC_RELEASE);
}

/* The last link before those of this order, from start on. */
static struct rcu_link *before(struct rcu_link *start, uint64_t order)
{
	struct rcu_link *last = start;

	for (struct rcu_link *l = next_of(start); l != NULL && l->order < order; l = next_of(l))
		last = l;
	return last;
}

/* With the lock. The order is set last: who sees it finds the marker linked. */
static void put_marker(struct rcu_table *table, size_t bucket)
{
	struct rcu_link *marker = marker_of(table, bucket);

	if (is_marked(marker, bucket))
		return;
	uint64_t order = reversed(bucket);
	struct rcu_link *last = before(start_of(table, bucket), order);

	set_next(marker, next_of(last));
	__atomic_store_n(&marker->order, order, __ATOMIC_RELEASE);
	set_next(last, marker);
}

/* ---- growing -------------------------------------------------------------------- */

static struct rcu_link *segment_new(unsigned segment)
{
	size_t bytes = segment_buckets(segment) * sizeof(struct rcu_link);

	if (bytes < MAP_BYTES)
		return calloc(1, bytes);
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void segment_free(struct rcu_link *links, unsigned segment)
{
	size_t bytes = segment_buckets(segment) * sizeof(struct rcu_link);

	if (bytes < MAP_BYTES)
		free(links);
	else if (links != NULL)
		(void)munmap(links, bytes);
}

/* With the lock, when an entry has come. */
static void grow(struct rcu_table *table)
{
	size_t size = table->size;
	unsigned segment = segment_of(size);

	for (int i = 0; i < MARK_AHEAD && table->marked < size; i++)
		put_marker(table, table->marked++);
	if (atomic_load_explicit(&table->count, memory_order_relaxed) <= size || segment >= SEGMENTS)
		return;
	table->segments[segment] = segment_new(segment);
	if (table->segments[segment] != NULL)
		__atomic_store_n(&table->size, 2 * size, __ATOMIC_RELEASE);
}

struct rcu_table *rcu_table_new(void)
{
	struct rcu_table *table = rcu_start() ? calloc(1, sizeof *table) : NULL;

	if (table == NULL)
		return NULL;
	table->segments[0] = segment_new(0);
	if (table->segments[0] == NULL || pthread_mutex_init(&table->lock, NULL) != 0) {
		segment_free(table->segments[0], 0);
		free(table);
		return NULL;
	}
	table->size = FIRST_BUCKETS;
	table->marked = 1;
	return table;
}

void rcu_table_free(struct rcu_table *table)
{
	if (table == NULL)
		return;
	for (unsigned i = 0; i < SEGMENTS; i++)
		segment_free(table->segments[i], i);
	(void)pthread_mutex_destroy(&table->lock);
	free(table);
}

size_t rcu_table_count(const struct rcu_table *table)
{
	return atomic_load_explicit(&table->count, memory_order_relaxed);
}

size_t rcu_table_buckets(const struct rcu_table *table)
{
	return __atomic_load_n(&table->size, __ATOMIC_ACQUIRE);
}

/* ---- finding -------------------------------------------------------------------- */

/* What key names, behind start; *last is the link before it, or before where it would stand. */
static struct rcu_link *search(struct rcu_link *start, uint64_t hash, rcu_match *match, const void *key, struct rcu_link **last)
{
	uint64_t order = order_of(hash);
	struct rcu_link *link;

	*last = start;
	for (link = next_of(start); link != NULL && link->order <= order; link = next_of(link)) {
		if (link->order == order && node_of(link)->hash == hash && match(node_of(link), key))
			return link;
		*last = link;
	}
	return NULL;
}

struct rcu_node *rcu_table_find(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key)
{
	struct rcu_link *last, *link = search(start_of(table, hash), hash, match, key, &last);

	return link == NULL ? NULL : node_of(link);
}

void rcu_table_each(struct rcu_table *table, bool (*fn)(struct rcu_node *node, void *context), void *context)
{
	rcu_read_begin();
	for (struct rcu_link *link = table->segments[0]; link != NULL; link = next_of(link))
		if (is_entry(link) && !fn(node_of(link), context))
			break;
	rcu_read_end();
}

/* ---- changing ------------------------------------------------------------------- */

/* With the lock: the marker of the hash's bucket, which is put in if it is not there yet. */
static struct rcu_link *bucket_of(struct rcu_table *table, uint64_t hash)
{
	size_t bucket = (size_t)hash & (table->size - 1);

	put_marker(table, bucket);
	return marker_of(table, bucket);
}

/* With the lock. */
static void put_behind(struct rcu_table *table, struct rcu_link *last, struct rcu_node *node, uint64_t hash)
{
	node->hash = hash;
	node->link.order = order_of(hash);
	node->link.next = next_of(last);
	set_next(last, &node->link);
	atomic_fetch_add_explicit(&table->count, 1, memory_order_relaxed);
	grow(table);
}

/* With the lock. Readers that stand on the link still find their way on from it. */
static void take_out(struct rcu_table *table, struct rcu_link *last, struct rcu_link *link)
{
	set_next(last, next_of(link));
	atomic_fetch_sub_explicit(&table->count, 1, memory_order_relaxed);
}

struct rcu_node *rcu_table_replace(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key,
				   struct rcu_node *node)
{
	struct rcu_link *last;

	pthread_mutex_lock(&table->lock);
	struct rcu_link *old = search(bucket_of(table, hash), hash, match, key, &last);

	if (old == NULL) {
		put_behind(table, last, node, hash);
	} else {
		node->hash = hash;
		node->link.order = order_of(hash);
		node->link.next = next_of(old);
		set_next(last, &node->link);
	}
	pthread_mutex_unlock(&table->lock);
	return old == NULL ? NULL : node_of(old);
}

struct rcu_node *rcu_table_add(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key,
			       struct rcu_node *node)
{
	struct rcu_link *last;

	pthread_mutex_lock(&table->lock);
	struct rcu_link *there = search(bucket_of(table, hash), hash, match, key, &last);

	if (there == NULL)
		put_behind(table, last, node, hash);
	pthread_mutex_unlock(&table->lock);
	return there == NULL ? NULL : node_of(there);
}

struct rcu_node *rcu_table_remove(struct rcu_table *table, uint64_t hash, rcu_match *match, const void *key)
{
	struct rcu_link *last;

	pthread_mutex_lock(&table->lock);
	struct rcu_link *link = search(bucket_of(table, hash), hash, match, key, &last);

	if (link != NULL)
		take_out(table, last, link);
	pthread_mutex_unlock(&table->lock);
	return link == NULL ? NULL : node_of(link);
}

static bool is_node(const struct rcu_node *node, const void *key)
{
	return node == key;
}

bool rcu_table_remove_node(struct rcu_table *table, struct rcu_node *node)
{
	return rcu_table_remove(table, node->hash, is_node, node) != NULL;
}
