/* tls_memory.c: owns what GnuTLS's arithmetic (GMP) does without memory. GMP ends the process when an allocation fails; so it gets a
 * reserve then, which is small and soon given back: a handshake needs some kilobytes for some milliseconds. Any thread. */
#include <gmp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "http/tls.h"

#define SMALL 1024
#define SMALL_COUNT 256
#define LARGE 32768
#define LARGE_COUNT 16

struct reserve {
	uint8_t small[SMALL_COUNT][SMALL], large[LARGE_COUNT][LARGE];
	bool small_taken[SMALL_COUNT], large_taken[LARGE_COUNT];
};

static _Alignas(16) struct reserve reserve;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *take(bool *taken, uint8_t *blocks, size_t count, size_t size)
{
	for (size_t i = 0; i < count; i++)
		if (!taken[i]) {
			taken[i] = true;
			return blocks + i * size;
		}
	return NULL;
}

static void *from_reserve(size_t n)
{
	void *p = NULL;

	pthread_mutex_lock(&lock);
	if (n <= SMALL)
		p = take(reserve.small_taken, reserve.small[0], SMALL_COUNT, SMALL);
	if (p == NULL && n <= LARGE)
		p = take(reserve.large_taken, reserve.large[0], LARGE_COUNT, LARGE);
	pthread_mutex_unlock(&lock);
	if (p == NULL)
		abort(); /* GMP knows no other way */
	return p;
}

static bool is_reserve(const void *p)
{
	return (uintptr_t)p >= (uintptr_t)&reserve && (uintptr_t)p < (uintptr_t)(&reserve + 1);
}

static void *give(size_t n)
{
	void *p = malloc(n);

	return p != NULL ? p : from_reserve(n);
}

static void give_back(void *p, size_t n)
{
	bulla_wipe(p, n);
	if (!is_reserve(p)) {
		free(p);
		return;
	}
	size_t at = (size_t)((uint8_t *)p - reserve.small[0]);

	pthread_mutex_lock(&lock);
	if (at < sizeof reserve.small)
		reserve.small_taken[at / SMALL] = false;
	else
		reserve.large_taken[(at - sizeof reserve.small) / LARGE] = false;
	pthread_mutex_unlock(&lock);
}

static void *give_again(void *p, size_t before, size_t n)
{
	void *moved = give(n);

	memcpy(moved, p, before < n ? before : n);
	give_back(p, before);
	return moved;
}

void tls_memory_init(void)
{
	mp_set_memory_functions(give, give_again, give_back);
}
