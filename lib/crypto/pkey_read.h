/* pkey_read.h: asymmetric keys as others write them. What is accepted is decided here, not by the libcrypto of the host: the outer
 * structure is read strictly, and only the numbers go to OpenSSL. What comes out is the same key in our own form (pkey_encode writes
 * it canonically: named curve, uncompressed point, public key included). Any thread, after crypto_init. */
#ifndef BULLA_CRYPTO_PKEY_READ_H
#define BULLA_CRYPTO_PKEY_READ_H

#include "crypto/pkey.h"

/* Why a key was refused. text is for the caller's error, NUL-terminated: no part of the key is in it. */
struct pkey_fault {
	enum { PKEY_MALFORMED, PKEY_OTHER_TYPE, PKEY_OTHER_CURVE, PKEY_OTHER_SIZE } kind;
	char text[160];
};

/* A private key in PKCS#8, version 1 (RFC 5208) or 2 (RFC 5958, with the public key), unencrypted DER:
 *   rsaEncryption, or RSASSA-PSS with or without parameters (RFC 4055; the parameters are not kept);
 *   id-ecPublicKey with a named curve (RFC 5915); the point may be compressed, or missing;
 *   id-Ed25519 (RFC 8410); the two forms that NSS writes: an ECPrivateKey whose curve is Ed25519, in PKCS#8 or bare.
 * A public key that comes along has to belong to it. *out with one reference, its numbers checked against each other (slow for RSA).
 * BAD_KEY_MATERIAL: *fault has the reason; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err pkey_read_private(const struct alg *alg, struct bulla_bytes der, struct pkey **out,
						struct pkey_fault *fault);

/* A public key in SubjectPublicKeyInfo (RFC 5280) with the same algorithms; an EC point may be compressed. As above. */
BULLA_MUST_USE enum bulla_err pkey_read_public(const struct alg *alg, struct bulla_bytes der, struct pkey **out,
					       struct pkey_fault *fault);

#endif
