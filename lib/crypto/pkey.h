/* pkey.h: asymmetric keys: opened material and what can be done with it. Any thread, after crypto_init; a struct pkey is
 * immutable and counted. Which operations a key type has is its row's business (alg.h: ALG_SIGN, ALG_ENCRYPT, ALG_AGREE); where
 * it has none, the operation is CRYPTO.
 *
 * Material of a version: PKCS#8 PrivateKeyInfo (RFC 5208) or, of a public key alone, SubjectPublicKeyInfo (RFC 5280); both DER.
 * Private numbers lie in OpenSSL's locked heap. Private operations of RSA and of the large curves take milliseconds: no work for an event loop,
 * and better done behind the keyring's read section (a struct pkey outlives it). */
#ifndef BULLA_CRYPTO_PKEY_H
#define BULLA_CRYPTO_PKEY_H

#include "crypto/alg.h"
#include "crypto/digest.h"
#include "crypto/material.h"

struct pkey;

#define PKEY_MAX_SIGNATURE 512 /* RSA-4096; also its ciphertexts */
#define PKEY_MAX_SHARED 66     /* P-521 */

/* ---- opening and making ---------------------------------------------------------------------------------------------- */

/* Opens private or public material of alg's type and size; strict DER, nothing behind it. *out with one reference.
 * BAD_KEY_MATERIAL: it is none, or of another type or size; NO_MEMORY: the locked heap is full. */
BULLA_MUST_USE enum bulla_err pkey_open(const struct alg *alg, struct bulla_bytes material, struct pkey **out);
/* For what comes from outside: whether the numbers belong together (public to private, point on the curve, n = pq). Slow for
 * RSA. BAD_KEY_MATERIAL. */
BULLA_MUST_USE enum bulla_err pkey_check(const struct pkey *pkey);
/* An Ed25519 key from its 32-byte seed. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err pkey_open_seed(const uint8_t seed[32], struct pkey **out);
/* The key of a context (keys that are `derived`, ALG_DERIVE), as the peer makes it: the seed is HKDF-SHA256 (RFC 5869) of
 * seed || public key, without salt, with the context as info. CRYPTO: also a public key. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err pkey_derive(const struct pkey *pkey, struct bulla_bytes context, struct pkey **out);
/* Whether OpenSSL's locked heap has room for keys that stay open; the rest of it is for those in use. */
bool pkey_keep_open(void);
struct pkey *pkey_hold(struct pkey *pkey);
void pkey_put(struct pkey *pkey); /* NULL is fine. The last one wipes. */
/* BULLA_CLEANUP for a struct pkey pointer. */
void pkey_release(struct pkey **pkey);

const struct alg *pkey_alg(const struct pkey *pkey);
/* Whether both have the same public key. Not constant-time: public keys are no secrets. */
bool pkey_same_public(const struct pkey *a, const struct pkey *b);
/* false: a public key alone. */
bool pkey_is_private(const struct pkey *pkey);
/* Bytes of an RSA key's modulus: of its signatures and ciphertexts. 0 for others. */
size_t pkey_modulus_bytes(const struct pkey *pkey);

/* ---- forms ----------------------------------------------------------------------------------------------------------- */

enum pkey_form {
	PKEY_PKCS8,       /* the private key, as stored */
	PKEY_TRADITIONAL, /* the private key as PKCS#1 RSAPrivateKey or SEC1 ECPrivateKey with its curve; Ed25519: none, CRYPTO */
	PKEY_PUBLIC,      /* SubjectPublicKeyInfo */
};
/* DER. CRYPTO: the form does not exist for the key, or a private one of a public key. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err pkey_encode(const struct pkey *pkey, enum pkey_form form, struct material *out);

/* A PEM block (RFC 7468) as the peer prints it, with "\n" at its end: label "PUBLIC KEY". Text of pem_len characters, no NUL. */
size_t pem_len(const char *label, size_t der_bytes);
void pem_print(const char *label, struct bulla_bytes der, char *out);

/* The numbers a key is made of, big-endian without leading zeros; for backups. Ed25519's private key is seed || public key,
 * as the peer keeps it, and is the input of the derivation of derived keys. CRYPTO: the key has none such. NO_MEMORY. */
enum pkey_number {
	PKEY_RSA_N, PKEY_RSA_E, PKEY_RSA_D, PKEY_RSA_P, PKEY_RSA_Q, PKEY_RSA_DP, PKEY_RSA_DQ, PKEY_RSA_QINV,
	PKEY_EC_X, PKEY_EC_Y, PKEY_EC_D,
	PKEY_ED25519_PRIVATE, PKEY_ED25519_PUBLIC, /* 64 and 32 bytes */
};
BULLA_MUST_USE enum bulla_err pkey_number(const struct pkey *pkey, enum pkey_number which, struct material *out);

/* Numbers in decimal, as the peer's backups have them; no NUL. From decimal: BAD_KEY_MATERIAL unless it is digits, not zero, and
 * not longer than any key's. NO_MEMORY. */
#define PKEY_MAX_DECIMAL 2500
BULLA_MUST_USE enum bulla_err pkey_decimal_print(struct bulla_bytes number, struct material *out);
BULLA_MUST_USE enum bulla_err pkey_decimal_parse(struct bulla_bytes digits, struct material *out);

/* The way back: material (PKCS#8, or SPKI when the private numbers are missing) from numbers. Members that a type does not
 * have are ignored; RSA takes n, e, d, p, q and computes the rest. BAD_KEY_MATERIAL: they do not belong together. NO_MEMORY. */
struct pkey_numbers {
	struct bulla_bytes n, e, d, p, q; /* RSA; EC: d */
	struct bulla_bytes x, y;          /* EC */
	struct bulla_bytes point;         /* EC, where there are no x and y: an octet string (SEC 1, 2.3.3), also compressed; none of a
					   * private key: it is computed */
	struct bulla_bytes ed25519;       /* seed, or seed || public key; or public_key alone */
	struct bulla_bytes public_key;
};
BULLA_MUST_USE enum bulla_err pkey_build(const struct alg *alg, const struct pkey_numbers *numbers, struct material *out);

/* ---- operations -------------------------------------------------------------------------------------------------------- */

enum pkey_padding { PKEY_PSS, PKEY_PKCS1V15, PKEY_OAEP };
enum pkey_marshal { PKEY_ASN1, PKEY_JWS }; /* ECDSA: a DER sequence (RFC 3279), or r || s of fixed sizes (RFC 7515) */
enum { PKEY_SALT_AUTO = -1, PKEY_SALT_HASH = -2 }; /* the longest, and on verifying any; as long as the hash */

struct pkey_params {
	enum digest digest;        /* of the message (Ed25519 has its own: ignored); of OAEP and its MGF1 */
	bool prehashed;            /* input is the digest already; its length must be the digest's */
	enum pkey_padding padding; /* RSA */
	int salt_bytes;            /* PSS: PKEY_SALT_AUTO, PKEY_SALT_HASH or a number */
	enum pkey_marshal marshal; /* ECDSA */
};

/* out has room for PKEY_MAX_SIGNATURE. Raw bytes: base64 is the caller's. DIGEST_NONE: ECDSA signs the input itself, PKCS1V15
 * pads it as it is (no DigestInfo).
 * BAD_FIELD: the input's length is not the digest's; the salt does not fit; too long for the key. CRYPTO: also a public key. */
BULLA_MUST_USE enum bulla_err pkey_sign(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input,
					uint8_t *out, size_t *len);

/* *valid says whether; a signature that is malformed is not. BAD_FIELD: the input's length is not the digest's. CRYPTO. */
BULLA_MUST_USE enum bulla_err pkey_verify(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input,
					  struct bulla_bytes signature, bool *valid);

/* RSA with PKEY_OAEP (RFC 8017, empty label) or PKEY_PKCS1V15. out: pkey_modulus_bytes.
 * BAD_FIELD: the input is too long for the key. */
BULLA_MUST_USE enum bulla_err pkey_encrypt(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input,
					   uint8_t *out);
/* out has room for pkey_modulus_bytes; *len of them count. AUTH_FAILED: whatever is wrong with it. */
BULLA_MUST_USE enum bulla_err pkey_decrypt(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input,
					   uint8_t *out, size_t *len);

/* ECDH (SP 800-56A): the x coordinate, of the curve's size. other is a public key of the same type.
 * out has room for PKEY_MAX_SHARED. BAD_KEY_MATERIAL: another curve. */
BULLA_MUST_USE enum bulla_err pkey_agree(const struct pkey *pkey, const struct pkey *other, uint8_t *out, size_t *len);

#endif
