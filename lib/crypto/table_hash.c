/* table_hash.c: SipHash for hash tables, so that nobody can choose names that collide. Stateless: any thread. */
#include "crypto/crypto.h"

#include <sodium.h>

_Static_assert(crypto_shorthash_KEYBYTES == 16 && crypto_shorthash_BYTES == 8, "SipHash-2-4");

uint64_t table_hash(const uint8_t key[16], struct bulla_bytes in)
{
	uint64_t hash;

	(void)crypto_shorthash((unsigned char *)&hash, in.ptr, in.len, key); /* cannot fail */
	return hash;
}

_Static_assert(crypto_shorthash_siphashx24_KEYBYTES == 16 && crypto_shorthash_siphashx24_BYTES == 16, "SipHash-2-4-128");

void table_tag(const uint8_t key[16], struct bulla_bytes in, uint8_t out[16])
{
	(void)crypto_shorthash_siphashx24(out, in.ptr, in.len, key); /* cannot fail */
}
