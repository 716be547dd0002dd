/* crypto.h: the primitives that are not key types: random bytes, digests, MACs, key derivation, secret sharing.
 * Sizes in bytes. Nothing here keeps state that holds a key after it returns. Any thread. */
#ifndef BULLA_CRYPTO_CRYPTO_H
#define BULLA_CRYPTO_CRYPTO_H

#include "bulla/bytes.h"
#include "bulla/error.h"

/* OpenSSL gets wiping allocators and a locked heap: call after bulla_memory_init, before anything else here or in alg.h, before OpenSSL's first
 * use and before threads start. Again: the first result. CRYPTO, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err crypto_init(void);

/* Fills out from the kernel's generator (getrandom). NO_RANDOM cannot happen after start, but is checked. */
BULLA_MUST_USE enum bulla_err random_bytes(void *out, size_t n);

/* Nonces: the same generator, buffered per thread so that a request does not pay a system call; what is handed out is wiped
 * from the buffer, and the buffer is dropped in a child after fork. */
BULLA_MUST_USE enum bulla_err random_nonce(void *out, size_t n);

/* RFC 9562 version 4 layout is not used by the peer: it prints 16 random bytes as 8-4-4-4-12 hex. 36 characters, no NUL. */
#define UUID_TEXT 36
BULLA_MUST_USE enum bulla_err random_uuid(char out[UUID_TEXT]);

/* FIPS 180-4. */
#define SHA256_BYTES 32
void sha256(struct bulla_bytes in, uint8_t out[SHA256_BYTES]);

/* RFC 2104 over SHA-256. Two parts are hashed one after the other (either may be empty). */
void hmac_sha256(struct bulla_bytes key, struct bulla_bytes part1, struct bulla_bytes part2, uint8_t out[SHA256_BYTES]);

/* The same with a key that is used often: its two halves are computed once. Holds the key: to be wiped, in locked memory. */
struct mac_key {
	uint64_t opaque[28];
};
void mac_key_init(struct mac_key *key, struct bulla_bytes secret);
void mac_key_sum(const struct mac_key *key, struct bulla_bytes in, uint8_t out[SHA256_BYTES]);

/* Ed25519 (RFC 8032) for what the server itself signs. secret (in locked memory) and public are made of the seed. */
#define SIGNING_SEED_BYTES 32
#define SIGNING_SECRET_BYTES 64
#define SIGNING_PUBLIC_BYTES 32
#define SIGNATURE_BYTES 64
void signing_key(const uint8_t seed[SIGNING_SEED_BYTES], uint8_t secret[SIGNING_SECRET_BYTES], uint8_t public[SIGNING_PUBLIC_BYTES]);
void signing_sign(const uint8_t secret[SIGNING_SECRET_BYTES], struct bulla_bytes message, uint8_t signature[SIGNATURE_BYTES]);
bool signing_verify(const uint8_t public[SIGNING_PUBLIC_BYTES], struct bulla_bytes message, const uint8_t signature[SIGNATURE_BYTES]);

/* RFC 5869 extract and expand with SHA-256; n up to 255 * 32. CRYPTO: n too large. */
BULLA_MUST_USE enum bulla_err hkdf_sha256(struct bulla_bytes secret, struct bulla_bytes salt, struct bulla_bytes info,
					  uint8_t *out, size_t n);

/* XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): out has the nonce, drawn at random, the ciphertext and the tag, plaintext.len +
 * XCHACHA_OVERHEAD bytes. There is no number of messages under one key that comes near its bound. NO_RANDOM. */
#define XCHACHA_NONCE_BYTES 24
#define XCHACHA_OVERHEAD (XCHACHA_NONCE_BYTES + 16)
BULLA_MUST_USE enum bulla_err xchacha_seal(const uint8_t key[32], struct bulla_bytes associated, struct bulla_bytes plaintext, uint8_t *out);
/* out: sealed.len - XCHACHA_OVERHEAD bytes. AUTH_FAILED. */
BULLA_MUST_USE enum bulla_err xchacha_open(const uint8_t key[32], struct bulla_bytes associated, struct bulla_bytes sealed, uint8_t *out);

/* A keyed 128-bit tag of in (BLAKE2b, RFC 7693), for record ids and table keys: fast, and not a format of the peer. */
void keyed_tag(const uint8_t key[32], struct bulla_bytes in, uint8_t out[16]);

/* SipHash-2-4 of in under key: for hash tables whose keys a client chooses. */
uint64_t table_hash(const uint8_t key[16], struct bulla_bytes in);

/* The same function with 128 bits: a tag of in, as long as key is secret. */
void table_tag(const uint8_t key[16], struct bulla_bytes in, uint8_t out[16]);

/* Shamir's sharing over GF(2^8) with the polynomial of AES, as the peer has it: a share is secret.len bytes of y and one of x.
 * 1 <= threshold <= shares <= 255, secret.len >= 1. shares_out holds shares * (secret.len + 1) bytes, one share after another.
 * BAD_FIELD: numbers out of range. Constant time in the secret. With shares 1 and threshold 1 the peer hands out the secret
 * itself, without x: the caller does that, not this function. threshold >= 2 here. */
BULLA_MUST_USE enum bulla_err shamir_split(struct bulla_bytes secret, unsigned shares, unsigned threshold, uint8_t *shares_out);

/* Combines count shares of share_len bytes each, one after another, into out (share_len - 1 bytes).
 * BAD_SHARE: two with the same x, x = 0, or too short. Too few or wrong shares give a wrong secret, which is not seen here. */
BULLA_MUST_USE enum bulla_err shamir_combine(const uint8_t *shares, unsigned count, size_t share_len, uint8_t *out);

#endif
