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

static enum bulla_err start(void)
{
	/* refused once OpenSSL has allocated anything: then what it holds would not be wiped */
	if (CRYPTO_set_mem_functions(allocate, reallocate, release) != 1)
		return BULLA_E_CRYPTO;
	TRY(random_init());
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
