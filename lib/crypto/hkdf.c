/* hkdf.c: HKDF with SHA-256 (RFC 5869); libsodium has it from 1.0.19 on, Debian 12 has 1.0.18. Any thread. */
#include "bulla/memory.h"
#include "crypto/crypto.h"

#include <sodium.h>

struct expansion {
	uint8_t prk[SHA256_BYTES], block[SHA256_BYTES];
};

static void wipe_expansion(struct expansion *e)
{
	bulla_wipe(e, sizeof *e);
}

/* T(i) = HMAC(PRK, T(i-1) || info || i), in place; T(0) is empty. */
static void next_block(struct expansion *e, struct bulla_bytes info, uint8_t i)
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, e->prk, sizeof e->prk);
	if (i > 1)
		crypto_auth_hmacsha256_update(&state, e->block, sizeof e->block);
	crypto_auth_hmacsha256_update(&state, info.ptr, info.len);
	crypto_auth_hmacsha256_update(&state, &i, 1);
	crypto_auth_hmacsha256_final(&state, e->block);
	bulla_wipe(&state, sizeof state);
}

enum bulla_err hkdf_sha256(struct bulla_bytes secret, struct bulla_bytes salt, struct bulla_bytes info, uint8_t *out, size_t n)
{
	struct expansion e BULLA_CLEANUP(wipe_expansion);

	if (n > 255 * SHA256_BYTES)
		return BULLA_E_CRYPTO;
	hmac_sha256(salt, secret, bulla_mem(NULL, 0), e.prk); /* no salt is a salt of zeros: HMAC pads its key with them */
	for (size_t at = 0, i = 1; at < n; at += SHA256_BYTES, i++) {
		next_block(&e, info, (uint8_t)i);
		memcpy(out + at, e.block, n - at < SHA256_BYTES ? n - at : SHA256_BYTES);
	}
	return BULLA_OK;
}
