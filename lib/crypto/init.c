/* init.c: brings OpenSSL and the random store up, once. */
#include <openssl/crypto.h>
#include <pthread.h>

#include "bulla/memory.h"
#include "crypto/crypto.h"
#include "crypto/evp.h"
#include "crypto/random.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static enum bulla_err result = BULLA_E_CRYPTO;

static void *allocate(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return bulla_wiping_malloc(n);
}

static void *reallocate(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return bulla_wiping_realloc(p, n);
}

static void release(void *p, const char *file, int line)
{
	(void)file, (void)line;
	bulla_wiping_free(p);
}

/* OpenSSL's own locked heap, for private numbers. It cannot grow, and pages count against the limit before they are used: so
 * an eighth of what may be locked; without a limit, what some thousand opened RSA-4096 keys take. */
#define LEAST_HEAP ((size_t)64 << 10)
#define MOST_HEAP ((size_t)16 << 20)
#define LEAST_CELL 32

static enum bulla_err lock_heap(void)
{
	size_t limit = bulla_secret_limit(), size = LEAST_HEAP;

	while (size < MOST_HEAP && size * 2 <= limit / 8)
		size *= 2;
	/* 2: it is there, but could not be locked, which only matters where locking is demanded: then a limit is known, or none */
	int made = CRYPTO_secure_malloc_init(size, LEAST_CELL);

	pkey_init(size);
	return made == 1 || (made == 2 && limit == SIZE_MAX) ? BULLA_OK : BULLA_E_NO_MEMORY;
}

static enum bulla_err start(void)
{
	/* refused once OpenSSL has allocated anything: then what it holds would not be wiped */
	if (CRYPTO_set_mem_functions(allocate, reallocate, release) != 1)
		return BULLA_E_CRYPTO;
	TRY(lock_heap());
	TRY(random_init());
	TRY(digest_init());
	return evp_init();
}

static void start_once(void)
{
	result = start();
}

enum bulla_err crypto_init(void)
{
	if (pthread_once(&once, start_once) != 0)
		return BULLA_E_CRYPTO;
	return result;
}
