/* xchacha.c: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) by libsodium, for what is sealed more often under one key than random nonces
 * of 96 bits allow (NIST SP 800-38D, 8.3). Stateless: any thread. */
#include <sodium.h>

#include "crypto/crypto.h"

_Static_assert(XCHACHA_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "the draft's nonce");
_Static_assert(XCHACHA_OVERHEAD == XCHACHA_NONCE_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES, "nonce and tag");

enum bulla_err xchacha_seal(const uint8_t key[32], struct bulla_bytes associated, struct bulla_bytes plaintext, uint8_t *out)
{
	TRY(random_nonce(out, XCHACHA_NONCE_BYTES));
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(out + XCHACHA_NONCE_BYTES, NULL, plaintext.ptr, plaintext.len, associated.ptr,
							 associated.len, NULL, out, key); /* cannot fail */
	return BULLA_OK;
}

enum bulla_err xchacha_open(const uint8_t key[32], struct bulla_bytes associated, struct bulla_bytes sealed, uint8_t *out)
{
	if (sealed.len < XCHACHA_OVERHEAD)
		return BULLA_E_AUTH_FAILED;
	int rc = crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.ptr + XCHACHA_NONCE_BYTES, sealed.len - XCHACHA_NONCE_BYTES,
							    associated.ptr, associated.len, sealed.ptr, key);

	return rc == 0 ? BULLA_OK : BULLA_E_AUTH_FAILED;
}
