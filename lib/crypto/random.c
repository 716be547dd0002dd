/* random.c: owns each thread's store of random bytes for nonces. Any thread. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/random.h>

#include "bulla/encode.h"
#include "bulla/memory.h"
#include "crypto/crypto.h"
#include "crypto/random.h"

#define STORE_BYTES 4096

/* Handed out from the end; generation tells a store that was filled before a fork, which the parent has too. */
struct store {
	unsigned generation;
	size_t left;
	uint8_t bytes[STORE_BYTES];
};

static atomic_uint generation = 1;
static __thread struct store store;

static void in_child(void)
{
	atomic_fetch_add(&generation, 1);
}

enum bulla_err random_init(void)
{
	return pthread_atfork(NULL, NULL, in_child) == 0 ? BULLA_OK : BULLA_E_NO_MEMORY;
}

/* Not libsodium's randombytes_buf: where the kernel refuses, that ends the process instead of answering. */
enum bulla_err random_bytes(void *out, size_t n)
{
	uint8_t *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return BULLA_E_NO_RANDOM;
		p += got;
		n -= (size_t)got;
	}
	return BULLA_OK;
}

static enum bulla_err refill(unsigned now)
{
	store.left = 0;
	TRY(random_bytes(store.bytes, STORE_BYTES));
	store.generation = now;
	store.left = STORE_BYTES;
	return BULLA_OK;
}

enum bulla_err random_nonce(void *out, size_t n)
{
	unsigned now = atomic_load_explicit(&generation, memory_order_relaxed);

	if (n > STORE_BYTES / 4)
		return random_bytes(out, n);
	if (n > store.left || store.generation != now)
		TRY(refill(now));
	store.left -= n;
	memcpy(out, store.bytes + store.left, n);
	bulla_wipe(store.bytes + store.left, n);
	return BULLA_OK;
}

enum bulla_err random_uuid(char out[UUID_TEXT])
{
	static const uint8_t groups[] = { 4, 2, 2, 2, 6 };
	uint8_t bytes[16], *p = bytes;

	TRY(random_nonce(bytes, sizeof bytes));
	for (size_t i = 0; i < sizeof groups; p += groups[i++]) {
		if (i > 0)
			*out++ = '-';
		bulla_hex_encode(bulla_mem(p, groups[i]), out);
		out += 2 * groups[i];
	}
	return BULLA_OK;
}
