/* evp.h: what the files of this layer share of OpenSSL; nobody else includes it. Any thread. */
#ifndef BULLA_CRYPTO_EVP_H
#define BULLA_CRYPTO_EVP_H

#include <openssl/types.h>

#include "bulla/bytes.h"
#include "bulla/error.h"
#include "crypto/digest.h"

#define EVP_NONCE 12
#define EVP_TAG 16

enum evp_aead { EVP_AEAD_AES128_GCM, EVP_AEAD_AES256_GCM, EVP_AEAD_CHACHA20_POLY1305, EVP_AEAD_COUNT };

/* Fetches the ciphers, so that no operation has to. Once, before threads start. CRYPTO. */
BULLA_MUST_USE enum bulla_err evp_init(void);

/* As the slots of struct alg, with 12 bytes of nonce. The key schedule is cleansed before they return. */
BULLA_MUST_USE enum bulla_err evp_seal(enum evp_aead which, const uint8_t *key, const uint8_t *nonce, struct bulla_bytes aad,
				       struct bulla_bytes plaintext, uint8_t *out);
BULLA_MUST_USE enum bulla_err evp_open(enum evp_aead which, const uint8_t *key, const uint8_t *nonce, struct bulla_bytes aad,
				       struct bulla_bytes in, uint8_t *out);

/* digest.c: fetches the digests. Once, before threads start. CRYPTO. */
BULLA_MUST_USE enum bulla_err digest_init(void);
/* NULL for DIGEST_NONE. */
const EVP_MD *digest_evp(enum digest digest);

/* pkey.c: how large OpenSSL's locked heap is. Once, before threads start. */
void pkey_init(size_t locked_heap_bytes);

#endif
