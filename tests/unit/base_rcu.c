/* RCU: nothing is freed under a reader, and the table keeps its promises while threads read and write it. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/rcu.h"
#include "unit.h"

#define ALIVE UINT64_C(0x616c697665)

struct entry {
	struct rcu_node node;
	struct rcu_later later;
	uint64_t key, value, alive;
};

static atomic_size_t freed;

static struct entry *entry_of(const struct rcu_node *node)
{
	return node == NULL ? NULL : rcu_entry(node, struct entry, node);
}

static struct entry *entry_new(uint64_t key, uint64_t value)
{
	struct entry *e = calloc(1, sizeof *e);

	ck_assert_ptr_nonnull(e);
	e->key = key;
	e->value = value;
	e->alive = ALIVE;
	return e;
}

static void entry_free(struct rcu_later *later)
{
	struct entry *e = rcu_entry(later, struct entry, later);

	e->alive = 0;
	free(e);
	atomic_fetch_add(&freed, 1);
}

static bool matches(const struct rcu_node *node, const void *key)
{
	return entry_of(node)->key == *(const uint64_t *)key;
}

/* Bad on purpose: many keys share a hash, and only match() tells them apart. */
static uint64_t hash_of(uint64_t key)
{
	return key % 97;
}

static struct entry *find(struct rcu_table *table, uint64_t key)
{
	return entry_of(rcu_table_find(table, hash_of(key), matches, &key));
}

static void drop(struct entry *e)
{
	if (e != NULL)
		rcu_later(&e->later, entry_free);
}

static struct entry *put(struct rcu_table *table, uint64_t key, uint64_t value)
{
	return entry_of(rcu_table_replace(table, hash_of(key), matches, &key, &entry_new(key, value)->node));
}

static struct entry *take(struct rcu_table *table, uint64_t key)
{
	return entry_of(rcu_table_remove(table, hash_of(key), matches, &key));
}

static bool sum(struct rcu_node *node, void *total)
{
	*(uint64_t *)total += entry_of(node)->key;
	return true;
}

static bool only_one(struct rcu_node *node, void *calls)
{
	(void)node;
	++*(int *)calls;
	return false;
}

START_TEST(absent)
{
	struct rcu_table *table = rcu_table_new();
	struct entry *e = entry_new(1, 1);
	uint64_t total = 0;

	rcu_read_begin();
	ck_assert_ptr_null(find(table, 7));
	rcu_read_end();
	ck_assert_ptr_null(take(table, 7));
	ck_assert_uint_eq(rcu_table_count(table), 0);
	rcu_table_each(table, sum, &total);
	ck_assert_uint_eq(total, 0);
	ck_assert_ptr_null(put(table, 1, 5));
	struct entry *there = take(table, 1);

	ck_assert_ptr_nonnull(there);
	ck_assert(!rcu_table_remove_node(table, &there->node)); /* gone already */
	ck_assert_uint_eq(rcu_table_count(table), 0);
	drop(there);
	free(e);
	rcu_drain();
	rcu_table_free(table);
	rcu_table_free(NULL);
}
END_TEST

START_TEST(table_of_many)
{
	enum { COUNT = 5000 };
	struct rcu_table *table = rcu_table_new();
	uint64_t total = 0, one = 1;
	int calls = 0;

	for (uint64_t key = 0; key < COUNT; key++)
		ck_assert_ptr_null(put(table, key, key * 3));
	ck_assert_uint_eq(rcu_table_count(table), COUNT);
	rcu_read_begin();
	for (uint64_t key = 0; key < COUNT; key += 61)
		ck_assert_uint_eq(find(table, key)->value, key * 3);
	ck_assert_ptr_null(find(table, COUNT));
	rcu_read_end();
	rcu_table_each(table, sum, &total);
	ck_assert_uint_eq(total, (uint64_t)COUNT * (COUNT - 1) / 2);
	rcu_table_each(table, only_one, &calls);
	ck_assert_int_eq(calls, 1);

	struct entry *second = entry_new(1, 9);
	struct entry *first = entry_of(rcu_table_add(table, hash_of(1), matches, &one, &second->node));

	ck_assert_uint_eq(first->value, 3); /* it stays, and second did not go in */
	ck_assert_uint_eq(rcu_table_count(table), COUNT);
	ck_assert_ptr_eq(entry_of(rcu_table_replace(table, hash_of(1), matches, &one, &second->node)), first);
	drop(first);
	ck_assert_uint_eq(rcu_table_count(table), COUNT);
	ck_assert(rcu_table_remove_node(table, &second->node));
	drop(second);
	for (uint64_t key = 0; key < COUNT; key++)
		drop(take(table, key));
	ck_assert_uint_eq(rcu_table_count(table), 0);
	rcu_drain();
	ck_assert_uint_eq(atomic_load(&freed), COUNT + 1);
	rcu_table_free(table);
}
END_TEST

static struct entry *published;
static atomic_int reading, may_leave;

static void *reader(void *unused)
{
	(void)unused;
	rcu_read_begin();
	rcu_read_begin(); /* sections nest */
	rcu_read_end();
	const struct entry *e = rcu_load(published);

	atomic_store(&reading, 1);
	while (!atomic_load(&may_leave))
		usleep(1000);
	void *result = e->alive == ALIVE && e->value == 1 ? &published : NULL;

	rcu_read_end();
	return result;
}

static void *writer(void *unused)
{
	struct entry *old = published;

	(void)unused;
	rcu_publish(published, entry_new(0, 2));
	rcu_later(&old->later, entry_free);
	rcu_drain();
	return NULL;
}

static void *waiter(void *unused)
{
	(void)unused;
	rcu_wait();
	atomic_fetch_add(&freed, 100);
	return NULL;
}

static void held_up_by_a_reader(void *(*body)(void *), size_t expected)
{
	pthread_t read_id, other_id;
	void *result = NULL;

	published = entry_new(0, 1);
	ck_assert_int_eq(pthread_create(&read_id, NULL, reader, NULL), 0);
	while (!atomic_load(&reading))
		usleep(1000);
	ck_assert_int_eq(pthread_create(&other_id, NULL, body, NULL), 0);
	usleep(100000);
	ck_assert_uint_eq(atomic_load(&freed), 0); /* held up while the reader is in */
	atomic_store(&may_leave, 1);
	ck_assert_int_eq(pthread_join(read_id, &result), 0);
	ck_assert_ptr_nonnull(result);
	ck_assert_int_eq(pthread_join(other_id, NULL), 0);
	ck_assert_uint_eq(atomic_load(&freed), expected);
	free(published);
}

START_TEST(free_waits_for_readers)
{
	held_up_by_a_reader(writer, 1);
}
END_TEST

START_TEST(wait_waits_for_readers)
{
	held_up_by_a_reader(waiter, 100);
}
END_TEST

#define KEYS 64

static atomic_int stop;

static void *keep_reading(void *arg)
{
	struct rcu_table *table = arg;
	uint64_t seed = (uint64_t)(uintptr_t)&table;

	do { /* once at least, though all may have been written before this thread came to run */
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		rcu_read_begin();
		const struct entry *e = find(table, seed >> 40 & (KEYS - 1));
		bool sound = e == NULL || (e->alive == ALIVE && e->value % KEYS == e->key);

		rcu_read_end();
		if (!sound)
			return NULL;
	} while (!atomic_load(&stop));
	return arg;
}

static void *keep_writing(void *arg)
{
	struct rcu_table *table = arg;

	for (uint64_t i = 0; i < 20000; i++) {
		uint64_t key = i * 7 % KEYS;

		drop(i % 5 == 4 ? take(table, key) : put(table, key, i * KEYS + key));
	}
	return arg;
}

/* Readers come and go as threads, too: those that end must not hold writers up. */
START_TEST(readers_and_writers)
{
	struct rcu_table *table = rcu_table_new();
	pthread_t readers[3], writers[2];
	void *result = NULL;

	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, keep_reading, table), 0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&writers[i], NULL, keep_writing, table), 0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(writers[i], NULL), 0);
	atomic_store(&stop, 1);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(pthread_join(readers[i], &result), 0);
		ck_assert_ptr_nonnull(result);
	}
	size_t left = rcu_table_count(table), found = 0;

	for (uint64_t key = 0; key < KEYS; key++) {
		struct entry *e = take(table, key);

		found += e != NULL;
		drop(e);
	}
	ck_assert_uint_eq(found, left);
	rcu_drain();
	rcu_table_free(table);
	ck_assert_uint_eq(atomic_load(&freed), 32000); /* every entry that was put in, once */
}
END_TEST

/* ---- how large the table is: entries whose hashes are as good as a keyed hash's --------------------------------------- */

struct small {
	struct rcu_node node;
	uint64_t key;
};

static uint64_t mixed(uint64_t key)
{
	key = (key ^ key >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	key = (key ^ key >> 27) * UINT64_C(0x94d049bb133111eb);
	return key ^ key >> 31;
}

static bool is_small(const struct rcu_node *node, const void *key)
{
	return rcu_entry(node, const struct small, node)->key == *(const uint64_t *)key;
}

static void add_range(struct rcu_table *table, struct small *all, uint64_t from, uint64_t to)
{
	for (uint64_t key = from; key < to; key++) {
		all[key].key = key;
		ck_assert_ptr_null(rcu_table_add(table, mixed(key), is_small, &key, &all[key].node));
	}
}

static bool has(struct rcu_table *table, struct small *all, uint64_t key)
{
	rcu_read_begin();
	struct rcu_node *node = rcu_table_find(table, mixed(key), is_small, &key);

	rcu_read_end();
	return node == &all[key].node;
}

/* Links from the start of its bucket to an entry: what a reader goes through. */
static atomic_size_t asked;

static bool is_asked(const struct rcu_node *node, const void *key)
{
	atomic_fetch_add(&asked, 1);
	return is_small(node, key);
}

START_TEST(buckets_follow_entries)
{
	enum { KEYS_100K = 100000, TOKENS_1M = 1000000 };
	struct rcu_table *table = rcu_table_new();
	struct small *all = calloc(TOKENS_1M, sizeof *all);
	uint64_t nobody = TOKENS_1M;

	ck_assert_uint_eq(rcu_table_buckets(table), 64);
	add_range(table, all, 0, KEYS_100K);
	ck_assert_uint_eq(rcu_table_buckets(table), 131072);
	add_range(table, all, KEYS_100K, TOKENS_1M);
	ck_assert_uint_eq(rcu_table_buckets(table), 1048576);
	for (uint64_t key = 0; key < TOKENS_1M; key += 7)
		ck_assert(has(table, all, key));
	rcu_read_begin();
	ck_assert_ptr_null(rcu_table_find(table, mixed(nobody), is_small, &nobody));
	for (uint64_t key = 0; key < TOKENS_1M; key += 10)
		ck_assert_ptr_nonnull(rcu_table_find(table, mixed(key), is_asked, &key));
	rcu_read_end();
	ck_assert_uint_le(atomic_load(&asked), TOKENS_1M / 10 + 100); /* only what has the very hash is asked */
	for (uint64_t key = 0; key < TOKENS_1M; key++)
		ck_assert(rcu_table_remove_node(table, &all[key].node));
	ck_assert_uint_eq(rcu_table_count(table), 0);
	ck_assert_uint_eq(rcu_table_buckets(table), 1048576); /* it does not shrink */
	rcu_table_free(table);
	free(all);
}
END_TEST

/* liburcu's own resizing stood still when entries came at a pace at which its worker was done before it was asked again. */
START_TEST(paced)
{
	enum { COUNT = 20000 };
	struct rcu_table *table = rcu_table_new();
	struct small *all = calloc(COUNT, sizeof *all);

	for (uint64_t key = 0; key < COUNT; key++) {
		add_range(table, all, key, key + 1);
		if (key % 16 == 0)
			usleep(50);
	}
	ck_assert_uint_eq(rcu_table_buckets(table), 32768);
	rcu_table_free(table);
	free(all);
}
END_TEST

enum { THREADS = 8, EACH = 25000 };

static struct rcu_table *shared;
static struct small *shared_all;

static void *add_share(void *number)
{
	uint64_t from = (uint64_t)(uintptr_t)number * EACH;

	for (uint64_t key = from; key < from + EACH; key++) {
		shared_all[key].key = key;
		if (rcu_table_add(shared, mixed(key), is_small, &key, &shared_all[key].node) != NULL || !has(shared, shared_all, key) ||
		    !has(shared, shared_all, from))
			return NULL;
	}
	return shared;
}

START_TEST(many_threads)
{
	pthread_t threads[THREADS];
	void *result = NULL;

	shared = rcu_table_new();
	shared_all = calloc(THREADS * EACH, sizeof *shared_all);
	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, add_share, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &result), 0);
		ck_assert_ptr_nonnull(result);
	}
	ck_assert_uint_eq(rcu_table_count(shared), THREADS * EACH);
	ck_assert_uint_eq(rcu_table_buckets(shared), 262144);
	for (uint64_t key = 0; key < THREADS * EACH; key++)
		ck_assert(has(shared, shared_all, key));
	rcu_table_free(shared);
	free(shared_all);
}
END_TEST

/* ---- no memory ----------------------------------------------------------------------------------------------------------- */

static atomic_bool no_memory;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return atomic_load(&no_memory) ? NULL : __real_calloc(n, size);
}

void *__real_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
	return atomic_load(&no_memory) ? MAP_FAILED : __real_mmap(at, n, protection, flags, fd, offset);
}

START_TEST(grows_when_there_is_memory)
{
	enum { COUNT = 40000 };
	struct small *all = calloc(COUNT + 1, sizeof *all);
	struct rcu_table *table = rcu_table_new();

	atomic_store(&no_memory, true);
	ck_assert_ptr_null(rcu_table_new());
	add_range(table, all, 0, 2000);
	ck_assert_uint_eq(rcu_table_buckets(table), 64);
	for (uint64_t key = 0; key < 2000; key++)
		ck_assert(has(table, all, key));
	rcu_drain();
	atomic_store(&no_memory, false);
	add_range(table, all, 2000, 20000);
	ck_assert_uint_eq(rcu_table_buckets(table), 32768);
	atomic_store(&no_memory, true);
	add_range(table, all, 20000, COUNT);
	ck_assert_uint_eq(rcu_table_buckets(table), 32768);
	atomic_store(&no_memory, false);
	add_range(table, all, COUNT, COUNT + 1);
	ck_assert_uint_eq(rcu_table_buckets(table), 65536);
	for (uint64_t key = 0; key <= COUNT; key++)
		ck_assert(has(table, all, key));
	rcu_table_free(table);
	free(all);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/rcu");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, absent);
	tcase_add_test(tc, table_of_many);
	tcase_add_test(tc, free_waits_for_readers);
	tcase_add_test(tc, wait_waits_for_readers);
	tcase_add_test(tc, readers_and_writers);
	tcase_add_test(tc, buckets_follow_entries);
	tcase_add_test(tc, paced);
	tcase_add_test(tc, many_threads);
	tcase_add_test(tc, grows_when_there_is_memory);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
