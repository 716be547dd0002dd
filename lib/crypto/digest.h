/* digest.h: the hash functions that a request may name. SHA-256 for our own use: crypto.h. Any thread, after crypto_init. */
#ifndef BULLA_CRYPTO_DIGEST_H
#define BULLA_CRYPTO_DIGEST_H

#include "bulla/bytes.h"
#include "bulla/error.h"

/* DIGEST_NONE: the input is used as it is. It has a name and no bytes, and cannot be computed. */
enum digest {
	DIGEST_NONE, DIGEST_SHA1,
	DIGEST_SHA2_224, DIGEST_SHA2_256, DIGEST_SHA2_384, DIGEST_SHA2_512,
	DIGEST_SHA3_224, DIGEST_SHA3_256, DIGEST_SHA3_384, DIGEST_SHA3_512,
	DIGEST_COUNT
};

#define DIGEST_MAX_BYTES 64

/* By the peer's names: "none", "sha1", "sha2-256", "sha3-512". false: there is none of that name. */
bool digest_by_name(struct bulla_bytes name, enum digest *out);
const char *digest_name(enum digest digest);
/* 0 for DIGEST_NONE. */
size_t digest_bytes(enum digest digest);

/* FIPS 180-4, FIPS 202; out gets digest_bytes. CRYPTO, also for DIGEST_NONE. */
BULLA_MUST_USE enum bulla_err digest_hash(enum digest digest, struct bulla_bytes in, uint8_t *out);

/* RFC 2104; out gets digest_bytes. Keeps nothing of the key. CRYPTO, also for DIGEST_NONE. */
BULLA_MUST_USE enum bulla_err digest_hmac(enum digest digest, struct bulla_bytes key, struct bulla_bytes in, uint8_t *out);

#endif
