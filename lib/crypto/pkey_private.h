/* pkey_private.h: what a family of asymmetric key types (rsa.c, ecdsa.c, ed25519.c) gives to pkey.c. Only this layer. */
#ifndef BULLA_CRYPTO_PKEY_PRIVATE_H
#define BULLA_CRYPTO_PKEY_PRIVATE_H

#include <openssl/types.h>
#include <stdatomic.h>

#include "crypto/pkey.h"

struct pkey {
	const struct alg *alg;
	EVP_PKEY *evp;
	bool private;
	atomic_uint refs;
};

/* Slots are as the functions of pkey.h; NULL: the family does not do that. Slots leave OpenSSL's error queue to their caller,
 * who clears it. The private operations are not called with a public key. */
struct pkey_family {
	const char *type; /* OpenSSL's name of it */
	/* As alg_make. CRYPTO: failed. */
	enum bulla_err (*make)(const struct alg *alg, struct bulla_call *call, EVP_PKEY **out);
	/* Whether a key that was opened is of this row. */
	bool (*fits)(const struct alg *alg, const EVP_PKEY *evp);
	/* Makes what the key is written as independent of how it was read. false: failed. NULL: it is already. */
	bool (*normalise)(EVP_PKEY *evp);
	bool traditional; /* PKEY_TRADITIONAL exists */
	enum bulla_err (*sign)(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input, uint8_t *out,
			       size_t *len);
	enum bulla_err (*verify)(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input,
				 struct bulla_bytes signature, bool *valid);
	enum bulla_err (*encrypt)(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input, uint8_t *out);
	enum bulla_err (*decrypt)(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input, uint8_t *out,
				  size_t *len);
	enum bulla_err (*agree)(const struct pkey *pkey, const struct pkey *other, uint8_t *out, size_t *len);
	enum bulla_err (*derive)(const struct pkey *pkey, struct bulla_bytes context, struct pkey **out);
	/* NULL: the numbers are none. May clear nothing: the caller owns them. */
	EVP_PKEY *(*build)(const struct alg *alg, const struct pkey_numbers *numbers);
};

/* New PKCS#8. As alg_make. */
BULLA_MUST_USE enum bulla_err pkey_make(const struct alg *alg, struct bulla_call *call, struct material *out);

/* The digest of input, or input itself when it is one already or none is wanted; room: DIGEST_MAX_BYTES. CRYPTO. */
BULLA_MUST_USE enum bulla_err pkey_digest(const struct pkey_params *params, struct bulla_bytes input, uint8_t *room,
					  struct bulla_bytes *out);

/* A key of numbers, which belong together. BAD_KEY_MATERIAL: they do not, or are of another row; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err pkey_from_numbers(const struct alg *alg, const struct pkey_numbers *numbers, struct pkey **out);

/* An EVP_PKEY of type ("RSA", "EC") from parameters. NULL: they do not make one. */
EVP_PKEY *pkey_from_params(const char *type, OSSL_PARAM_BLD *builder, bool private);

#endif
