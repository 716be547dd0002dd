/* signature.c: owns Ed25519 (RFC 8032) for what the server itself signs: by libsodium, whose functions need no context. Keys that
 * clients use are ed25519.c's. Stateless: any thread. */
#include <sodium.h>

#include "crypto/crypto.h"

_Static_assert(SIGNING_SEED_BYTES == crypto_sign_SEEDBYTES && SIGNING_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES &&
	       SIGNING_SECRET_BYTES == crypto_sign_SECRETKEYBYTES && SIGNATURE_BYTES == crypto_sign_BYTES, "sizes of RFC 8032");

void signing_key(const uint8_t seed[SIGNING_SEED_BYTES], uint8_t secret[SIGNING_SECRET_BYTES], uint8_t public[SIGNING_PUBLIC_BYTES])
{
	(void)crypto_sign_seed_keypair(public, secret, seed); /* cannot fail */
}

void signing_sign(const uint8_t secret[SIGNING_SECRET_BYTES], struct bulla_bytes message, uint8_t signature[SIGNATURE_BYTES])
{
	(void)crypto_sign_detached(signature, NULL, message.ptr, message.len, secret); /* cannot fail */
}

bool signing_verify(const uint8_t public[SIGNING_PUBLIC_BYTES], struct bulla_bytes message, const uint8_t signature[SIGNATURE_BYTES])
{
	return crypto_sign_verify_detached(signature, message.ptr, message.len, public) == 0;
}
