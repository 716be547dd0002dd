/* secret.c: owns all locked memory of the process. One sodium_malloc per key would run out of lockable pages near 2,000 keys
 * (each takes four), so small secrets are cells of slabs: a slab is one sodium_malloc with its guard pages and canary.
 * Thread-safe by one mutex: allocation is not on the request path. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "bulla/memory.h"

#define SMALLEST 32
#define CLASSES 12 /* 32 bytes to 64 KiB */
#define SLAB_BYTES 16384

struct cell {
	struct cell *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cell *free_cells[CLASSES];
static size_t in_use;
static bool must_lock = true;
static size_t may_lock = SIZE_MAX;

void bulla_wipe(void *p, size_t n)
{
	if (n > 0)
		sodium_memzero(p, n);
}

static unsigned class_of(size_t n)
{
	unsigned c = 0;

	while (c < CLASSES && ((size_t)SMALLEST << c) < n)
		c++;
	return c;
}

/* libsodium locks what it gives but does not say whether that worked: ask again, which changes nothing. */
static void *locked_pages(size_t n)
{
	void *p = sodium_malloc(n);

	if (p != NULL && must_lock && sodium_mlock(p, n) != 0) {
		sodium_free(p);
		return NULL;
	}
	return p;
}

/* Adds a slab's cells to the free list of its class. Called with the lock held. */
static bool grow(unsigned class)
{
	size_t size = (size_t)SMALLEST << class;
	size_t slab = size > SLAB_BYTES ? size : SLAB_BYTES;
	uint8_t *p = locked_pages(slab);

	if (p == NULL)
		return false;
	memset(p, 0, slab);
	for (size_t at = 0; at < slab; at += size) {
		struct cell *cell = (struct cell *)(void *)(p + at);

		cell->next = free_cells[class];
		free_cells[class] = cell;
	}
	return true;
}

/* Whether a limit binds depends on capabilities: trying is surer than asking. Nothing is paged in. */
static size_t find_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return SIZE_MAX;
	size_t n = (size_t)limit.rlim_cur + SLAB_BYTES;
	void *p = mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return (size_t)limit.rlim_cur;
	bool unbound = mlock2(p, n, MLOCK_ONFAULT) == 0;

	(void)munmap(p, n);
	return unbound ? SIZE_MAX : (size_t)limit.rlim_cur;
}

size_t bulla_secret_limit(void)
{
	return may_lock;
}

enum bulla_err bulla_memory_init(bool need_lock)
{
	struct rlimit none = { 0, 0 };

	must_lock = need_lock;
	may_lock = need_lock ? find_limit() : SIZE_MAX;
	if (sodium_init() < 0)
		return BULLA_E_NO_MEMORY;
#ifndef BULLA_SANITIZER
	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return BULLA_E_INTERNAL;
#else
	(void)none; /* LeakSanitizer attaches to its own process */
#endif
	if (!need_lock)
		return BULLA_OK; /* no cell yet: those of an unlocked slab would be handed out after a later call with need_lock */
	void *probe = locked_pages(SLAB_BYTES);

	if (probe == NULL)
		return BULLA_E_NO_MEMORY;
	sodium_free(probe);
	return BULLA_OK;
}

void *bulla_secret_alloc(size_t n)
{
	unsigned class = class_of(n);
	struct cell *cell = NULL;

	if (n == 0 || class >= CLASSES)
		return NULL;
	pthread_mutex_lock(&lock);
	if (free_cells[class] != NULL || grow(class)) {
		cell = free_cells[class];
		free_cells[class] = cell->next;
		cell->next = NULL;
		in_use += (size_t)SMALLEST << class;
	}
	pthread_mutex_unlock(&lock);
	if (cell == NULL)
		bulla_shortage_note();
	return cell;
}

void bulla_secret_free(void *p, size_t n)
{
	if (p == NULL)
		return;
	unsigned class = class_of(n);
	struct cell *cell = p;

	bulla_wipe(p, (size_t)SMALLEST << class);
	pthread_mutex_lock(&lock);
	cell->next = free_cells[class];
	free_cells[class] = cell;
	in_use -= (size_t)SMALLEST << class;
	pthread_mutex_unlock(&lock);
}

size_t bulla_secret_in_use(void)
{
	pthread_mutex_lock(&lock);
	size_t n = in_use;

	pthread_mutex_unlock(&lock);
	return n;
}

static __thread bool fell_short;

void bulla_shortage_note(void)
{
	fell_short = true;
}

void bulla_shortage_forget(void)
{
	fell_short = false;
}

bool bulla_shortage(void)
{
	return fell_short;
}

void *bulla_wiping_malloc(size_t n)
{
	void *p = malloc(n);

	if (p == NULL)
		bulla_shortage_note();
	return p;
}

void *bulla_wiping_realloc(void *p, size_t n)
{
	if (p == NULL)
		return bulla_wiping_malloc(n);
	size_t old = malloc_usable_size(p);
	void *grown = n <= old && n > 0 ? p : bulla_wiping_malloc(n ? n : 1);

	if (grown == NULL || grown == p)
		return grown;
	memcpy(grown, p, old < n ? old : n);
	bulla_wiping_free(p);
	return grown;
}

void bulla_wiping_free(void *p)
{
	if (p == NULL)
		return;
	sodium_memzero(p, malloc_usable_size(p));
	free(p);
}
