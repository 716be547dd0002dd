/* sha256.c: SHA-256, its HMAC and keyed tags: these cannot fail and keep nothing. Any thread.
 * SHA-256 is OpenSSL's, which uses the processor's own instructions where it has them (libsodium's does not), through the
 * interface that works on the stack: the newer one would make a context on the heap each time. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <endian.h>
#include <openssl/sha.h>
#include <sodium.h>

#include "bulla/memory.h"
#include "crypto/crypto.h"

#define BLOCK 64

static void update(SHA256_CTX *ctx, struct bulla_bytes in)
{
	if (in.len > 0)
		(void)SHA256_Update(ctx, in.ptr, in.len); /* always 1 */
}

void sha256(struct bulla_bytes in, uint8_t out[SHA256_BYTES])
{
	SHA256_CTX ctx;

	(void)SHA256_Init(&ctx);
	update(&ctx, in);
	(void)SHA256_Final(out, &ctx); /* wipes ctx */
}

/* ---- HMAC (RFC 2104) ------------------------------------------------------------------------------------------------- */

struct halves {
	SHA256_CTX inner, outer; /* both have eaten one block: the key, padded */
};

_Static_assert(sizeof(struct halves) <= sizeof(struct mac_key), "a mac_key has room for both states");

static void start(SHA256_CTX *ctx, const uint8_t block[BLOCK], uint8_t pad)
{
	uint8_t padded[BLOCK];

	for (size_t i = 0; i < BLOCK; i++)
		padded[i] = block[i] ^ pad;
	(void)SHA256_Init(ctx);
	update(ctx, bulla_mem(padded, BLOCK));
	bulla_wipe(padded, sizeof padded);
}

void mac_key_init(struct mac_key *key, struct bulla_bytes secret)
{
	struct halves *halves = (struct halves *)(void *)key;
	uint8_t block[BLOCK] = { 0 };

	if (secret.len > BLOCK)
		sha256(secret, block);
	else if (secret.len > 0)
		memcpy(block, secret.ptr, secret.len);
	start(&halves->inner, block, 0x36);
	start(&halves->outer, block, 0x5C);
	bulla_wipe(block, sizeof block);
}

/* The last step of SHA-256, which OpenSSL makes a slower thing of: 0x80, zeros, and the length in bits (FIPS 180-4 section 5.1.1). ctx
 * has eaten full blocks of done bytes in all; rest is shorter than one. */
static void finish(SHA256_CTX *ctx, size_t done, struct bulla_bytes rest, uint8_t out[SHA256_BYTES])
{
	uint8_t last[2 * BLOCK] = { 0 };
	size_t n = rest.len < BLOCK - 8 ? BLOCK : 2 * BLOCK;
	uint64_t bits = htobe64((uint64_t)(done + rest.len) * 8);

	if (rest.len > 0)
		memcpy(last, rest.ptr, rest.len);
	last[rest.len] = 0x80;
	memcpy(last + n - sizeof bits, &bits, sizeof bits);
	for (size_t i = 0; i < n; i += BLOCK)
		SHA256_Transform(ctx, last + i);
	for (size_t i = 0; i < SHA256_BYTES / 4; i++) {
		uint32_t word = htobe32(ctx->h[i]);

		memcpy(out + 4 * i, &word, sizeof word);
	}
	bulla_wipe(last, sizeof last);
}

static void sum(const struct halves *key, struct bulla_bytes part1, struct bulla_bytes part2, uint8_t out[SHA256_BYTES])
{
	SHA256_CTX ctx = key->inner;

	update(&ctx, part1);
	update(&ctx, part2);
	(void)SHA256_Final(out, &ctx);
	ctx = key->outer;
	update(&ctx, bulla_mem(out, SHA256_BYTES));
	(void)SHA256_Final(out, &ctx);
}

void mac_key_sum(const struct mac_key *key, struct bulla_bytes in, uint8_t out[SHA256_BYTES])
{
	const struct halves *halves = (const struct halves *)(const void *)key;
	SHA256_CTX ctx = halves->inner;
	size_t full = in.len / BLOCK * BLOCK;

	if (full > 0)
		(void)SHA256_Update(&ctx, in.ptr, full);
	finish(&ctx, BLOCK + full, bulla_mem(in.ptr + full, in.len - full), out);
	ctx = halves->outer;
	finish(&ctx, BLOCK, bulla_mem(out, SHA256_BYTES), out);
	bulla_wipe(&ctx, sizeof ctx);
}

void hmac_sha256(struct bulla_bytes key, struct bulla_bytes part1, struct bulla_bytes part2, uint8_t out[SHA256_BYTES])
{
	struct mac_key opened;

	mac_key_init(&opened, key);
	sum((const struct halves *)(const void *)&opened, part1, part2, out);
	bulla_wipe(&opened, sizeof opened);
}

void keyed_tag(const uint8_t key[32], struct bulla_bytes in, uint8_t out[16])
{
	(void)crypto_generichash(out, 16, in.ptr, in.len, key, 32); /* fails for sizes out of range only */
}
