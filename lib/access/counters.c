/* counters.c: a striped table of counters. Keys are hashes already: their bytes choose the stripe and the bucket. */
#include "access/counters.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define STRIPES 64
#define BUCKETS 64 /* of a stripe */

struct stripe {
	pthread_mutex_t lock;
	struct counter *buckets[BUCKETS];
};

struct counters {
	size_t max;
	atomic_size_t count;
	struct stripe stripes[STRIPES];
};

enum bulla_err counters_new(size_t max, struct counters **out)
{
	struct counters *counters = calloc(1, sizeof *counters);

	if (counters == NULL)
		return BULLA_E_NO_MEMORY;
	counters->max = max;
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_init(&counters->stripes[i].lock, NULL);
	*out = counters;
	return BULLA_OK;
}

void counters_empty(struct counters *counters)
{
	for (size_t i = 0; i < STRIPES; i++) {
		struct stripe *stripe = &counters->stripes[i];

		pthread_mutex_lock(&stripe->lock);
		for (size_t j = 0; j < BUCKETS; j++)
			while (stripe->buckets[j] != NULL) {
				struct counter *counter = stripe->buckets[j];

				stripe->buckets[j] = counter->next;
				free(counter);
				atomic_fetch_sub(&counters->count, 1);
			}
		pthread_mutex_unlock(&stripe->lock);
	}
}

void counters_free(struct counters *counters)
{
	if (counters == NULL)
		return;
	counters_empty(counters);
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_destroy(&counters->stripes[i].lock);
	free(counters);
}

static struct stripe *stripe_of(struct counters *counters, const uint8_t *key)
{
	return &counters->stripes[key[0] % STRIPES];
}

/* With the stripe's lock: what has expired in one bucket. */
static void sweep(struct counters *counters, struct counter **bucket, int64_t now_ns)
{
	while (*bucket != NULL) {
		struct counter *counter = *bucket;

		if (counter->until_ns > now_ns) {
			bucket = &counter->next;
			continue;
		}
		*bucket = counter->next;
		free(counter);
		atomic_fetch_sub(&counters->count, 1);
	}
}

static struct counter *add(struct counters *counters, struct stripe *stripe, const uint8_t *key, int64_t now_ns, int64_t expires_ns)
{
	struct counter **bucket = &stripe->buckets[key[1] % BUCKETS];

	sweep(counters, bucket, now_ns);
	for (size_t j = 0; atomic_load(&counters->count) >= counters->max && j < BUCKETS; j++)
		sweep(counters, &stripe->buckets[j], now_ns);
	if (atomic_load(&counters->count) >= counters->max)
		return NULL;
	struct counter *counter = calloc(1, sizeof *counter);

	if (counter == NULL)
		return NULL;
	memcpy(counter->key, key, COUNTER_KEY);
	counter->until_ns = expires_ns;
	counter->next = *bucket;
	*bucket = counter;
	atomic_fetch_add(&counters->count, 1);
	return counter;
}

struct counter *counters_get(struct counters *counters, const uint8_t key[COUNTER_KEY], int64_t now_ns, int64_t expires_ns)
{
	struct stripe *stripe = stripe_of(counters, key);

	pthread_mutex_lock(&stripe->lock);
	struct counter *counter = stripe->buckets[key[1] % BUCKETS];

	while (counter != NULL && memcmp(counter->key, key, COUNTER_KEY) != 0)
		counter = counter->next;
	if (counter == NULL)
		counter = add(counters, stripe, key, now_ns, expires_ns);
	if (counter == NULL)
		pthread_mutex_unlock(&stripe->lock);
	return counter;
}

void counters_put(struct counters *counters, struct counter *counter)
{
	pthread_mutex_unlock(&stripe_of(counters, counter->key)->lock);
}
