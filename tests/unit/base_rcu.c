/* RCU: nothing is freed under a reader, and the table keeps its promises while threads read and write it. */
#include <pthread.h>
#include <stdatomic.h>
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
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
