/* aes_gcm.c: AES-GCM with 96-bit nonces (NIST SP 800-38D). Any thread.
 *
 * Short messages under a 256-bit key go through libsodium where the CPU has the instructions: measured with 16 bytes, 160 ns
 * against OpenSSL's 530 ns, most of which is the cipher context. From about 1,400 bytes on OpenSSL is faster (1 MiB: 218 us
 * against 539 us). */
#include <sodium.h>

#include "bulla/memory.h"
#include "crypto/alg.h"
#include "crypto/evp.h"

#define SHORT_BYTES 1024

static enum bulla_err seal_128(const struct alg *alg, const uint8_t *key, const uint8_t *nonce, struct bulla_bytes aad,
			       struct bulla_bytes plaintext, uint8_t *out)
{
	(void)alg;
	return evp_seal(EVP_AEAD_AES128_GCM, key, nonce, aad, plaintext, out);
}

static enum bulla_err open_128(const struct alg *alg, const uint8_t *key, const uint8_t *nonce, struct bulla_bytes aad,
			       struct bulla_bytes in, uint8_t *out)
{
	(void)alg;
	return evp_open(EVP_AEAD_AES128_GCM, key, nonce, aad, in, out);
}

static bool is_short(struct bulla_bytes aad, struct bulla_bytes text)
{
	return aad.len <= SHORT_BYTES && text.len <= SHORT_BYTES - aad.len && crypto_aead_aes256gcm_is_available();
}

static void wipe_state(crypto_aead_aes256gcm_state *state)
{
	bulla_wipe(state, sizeof *state);
}

static enum bulla_err seal_256(const struct alg *alg, const uint8_t *key, const uint8_t *nonce, struct bulla_bytes aad,
			       struct bulla_bytes plaintext, uint8_t *out)
{
	if (!is_short(aad, plaintext))
		return evp_seal(EVP_AEAD_AES256_GCM, key, nonce, aad, plaintext, out);
	/* the call that takes the key itself leaves its schedule on the stack */
	crypto_aead_aes256gcm_state state BULLA_CLEANUP(wipe_state);

	(void)alg;
	if (crypto_aead_aes256gcm_beforenm(&state, key) != 0 ||
	    crypto_aead_aes256gcm_encrypt_detached_afternm(out, out + plaintext.len, NULL, plaintext.ptr, plaintext.len,
							   aad.ptr, aad.len, NULL, nonce, &state) != 0)
		return BULLA_E_CRYPTO;
	return BULLA_OK;
}

static enum bulla_err open_256(const struct alg *alg, const uint8_t *key, const uint8_t *nonce, struct bulla_bytes aad,
			       struct bulla_bytes in, uint8_t *out)
{
	if (in.len < alg->tag_bytes)
		return BULLA_E_AUTH_FAILED;
	if (!is_short(aad, in))
		return evp_open(EVP_AEAD_AES256_GCM, key, nonce, aad, in, out);
	crypto_aead_aes256gcm_state state BULLA_CLEANUP(wipe_state);
	size_t n = in.len - alg->tag_bytes;

	if (crypto_aead_aes256gcm_beforenm(&state, key) != 0)
		return BULLA_E_CRYPTO;
	if (crypto_aead_aes256gcm_decrypt_detached_afternm(out, NULL, in.ptr, n, in.ptr + n, aad.ptr, aad.len, nonce,
							   &state) == 0)
		return BULLA_OK;
	bulla_wipe(out, n);
	return BULLA_E_AUTH_FAILED;
}

const struct alg alg_aes128_gcm96 = {
	.name = "aes128-gcm96",
	.id = 1,
	.can = ALG_ENCRYPT | ALG_DERIVE | ALG_CONVERGE | ALG_AAD,
	.key_bytes = 16,
	.nonce_bytes = EVP_NONCE,
	.tag_bytes = EVP_TAG,
	.auth_failed = "cipher: message authentication failed",
	.seal = seal_128,
	.open = open_128,
};

const struct alg alg_aes256_gcm96 = {
	.name = "aes256-gcm96",
	.id = 2,
	.can = ALG_ENCRYPT | ALG_DERIVE | ALG_CONVERGE | ALG_AAD,
	.key_bytes = 32,
	.nonce_bytes = EVP_NONCE,
	.tag_bytes = EVP_TAG,
	.auth_failed = "cipher: message authentication failed",
	.seal = seal_256,
	.open = open_256,
};
