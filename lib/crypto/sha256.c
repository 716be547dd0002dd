/* sha256.c: SHA-256, its HMAC and keyed tags, by libsodium: these cannot fail and keep nothing. Any thread. */
#include <sodium.h>

#include "bulla/memory.h"
#include "crypto/crypto.h"

void sha256(struct bulla_bytes in, uint8_t out[SHA256_BYTES])
{
	crypto_hash_sha256(out, in.ptr, in.len);
}

void hmac_sha256(struct bulla_bytes key, struct bulla_bytes part1, struct bulla_bytes part2, uint8_t out[SHA256_BYTES])
{
	crypto_auth_hmacsha256_state state;

	/* libsodium declares that it never gets NULL here, however short the key */
	crypto_auth_hmacsha256_init(&state, key.len > 0 ? key.ptr : (const uint8_t *)"", key.len);
	crypto_auth_hmacsha256_update(&state, part1.ptr, part1.len);
	crypto_auth_hmacsha256_update(&state, part2.ptr, part2.len);
	crypto_auth_hmacsha256_final(&state, out);
	bulla_wipe(&state, sizeof state);
}

void keyed_tag(const uint8_t key[32], struct bulla_bytes in, uint8_t out[16])
{
	(void)crypto_generichash(out, 16, in.ptr, in.len, key, 32); /* fails for sizes out of range only */
}
