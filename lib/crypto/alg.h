/* alg.h: the registry of key types. One const row an algorithm, in the file of its family; a new key type is one file and one
 * line in alg.c. Nothing here allocates key material: callers own it, in secret memory. Any thread, after crypto_init. */
#ifndef BULLA_CRYPTO_ALG_H
#define BULLA_CRYPTO_ALG_H

#include "bulla/bytes.h"
#include "bulla/call.h"
#include "bulla/error.h"
#include "crypto/material.h"

struct pkey_family;

enum alg_can {
	ALG_ENCRYPT = 1 << 0,
	ALG_SIGN = 1 << 1,
	ALG_DERIVE = 1 << 2,     /* takes part in `derived` */
	ALG_CONVERGE = 1 << 3,   /* takes part in `convergent_encryption` */
	ALG_AAD = 1 << 4,        /* binds associated data */
	ALG_AGREE = 1 << 5,      /* key agreement */
	ALG_PKEY = 1 << 6,       /* asymmetric: its material is opened by pkey.h; seal and open are NULL */
	ALG_SLOW_MAKE = 1 << 8,  /* making a key takes up to seconds */
	ALG_HMAC = 1 << 9,       /* the version's key itself is the key of its HMACs; key_bytes is 0: a size is chosen */
};

/* Largest values over all rows, for buffers on the stack. */
#define ALG_MAX_NONCE 24
#define ALG_MAX_TAG 16
#define ALG_MAX_SYMMETRIC_KEY 32

struct alg {
	const char *name;      /* as in the API: "aes256-gcm96" */
	uint16_t id;           /* in records; never reused */
	unsigned can;          /* enum alg_can */
	size_t key_bytes;      /* of symmetric material; 0: material of other lengths */
	unsigned bits;         /* of an RSA modulus, of a curve */
	const char *group;     /* OpenSSL's name of the curve */
	const char *title;     /* what the peer calls the keys of the type; NULL: just secrets */
	size_t nonce_bytes;
	size_t tag_bytes;
	const char *auth_failed; /* the peer's text when a tag does not verify */

	/* out gets plaintext.len + tag_bytes (ciphertext || tag); nonce has nonce_bytes. out may be plaintext.ptr.
	 * CRYPTO: the library failed. Leaves no key schedule behind. */
	enum bulla_err (*seal)(const struct alg *alg, const uint8_t *key, const uint8_t *nonce, struct bulla_bytes aad,
			       struct bulla_bytes plaintext, uint8_t *out);
	/* in is ciphertext || tag; out gets in.len - tag_bytes and is untouched or wiped on failure. out may be in.ptr.
	 * AUTH_FAILED: tag wrong or in shorter than a tag. CRYPTO. */
	enum bulla_err (*open)(const struct alg *alg, const uint8_t *key, const uint8_t *nonce, struct bulla_bytes aad,
			       struct bulla_bytes in, uint8_t *out);

	/* Sizes that may be chosen for new keys, in bytes; both 0: there is no choice. */
	size_t min_key_size, max_key_size;
	/* Asymmetric types: the family's operations (pkey_private.h). */
	const struct pkey_family *family;
};

/* New material: symmetric bytes (key_size of them where the type has a choice, 0: its least), or PKCS#8. With ALG_SLOW_MAKE it computes for long:
 * call it as BULLA_WORK_CPU, without locks, with the call, which yields meanwhile and may be CANCELLED. call NULL: it does not.
 * NO_MEMORY, NO_RANDOM, CRYPTO. */
BULLA_MUST_USE enum bulla_err alg_make(const struct alg *alg, size_t key_size, struct bulla_call *call, struct material *out);
/* Whether bytes may be a version's material: the length of symmetric material; of asymmetric material only that it is neither
 * empty nor too long, for opening it costs. */
bool alg_fits(const struct alg *alg, size_t len);

/* NULL: there is none. */
const struct alg *alg_by_name(struct bulla_bytes name);
const struct alg *alg_by_id(uint16_t id);
/* The row at index, NULL past the end: for tests and listings. */
const struct alg *alg_at(size_t index);

/* The rows. The barrier itself uses aes256-gcm96. */
extern const struct alg alg_aes128_gcm96, alg_aes256_gcm96;           /* aes_gcm.c */
extern const struct alg alg_chacha20_poly1305, alg_xchacha20_poly1305; /* chacha.c */
extern const struct alg alg_ed25519;                                   /* ed25519.c */
extern const struct alg alg_ecdsa_p256, alg_ecdsa_p384, alg_ecdsa_p521; /* ecdsa.c */
extern const struct alg alg_rsa_2048, alg_rsa_3072, alg_rsa_4096;      /* rsa.c */
extern const struct alg alg_hmac;                                      /* hmac.c */

#endif
