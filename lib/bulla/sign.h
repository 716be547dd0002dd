/* sign.h: HMACs and signatures under named keys, and their verification. As in transit.h: an array of items in, an array of
 * results out; an item's failure stands in its result; what stops the whole operation is the function's own error, and then
 * results say nothing. A count of 0 only tells whether the operation would begin.
 *
 * Any thread. MUST_BLOCK, before anything was done: a long batch; a signature that takes long. */
#ifndef BULLA_SIGN_H
#define BULLA_SIGN_H

#include "transit.h"

BULLA_DECLS_BEGIN

struct bulla_sign_item {
	enum bulla_err err;          /* set by the caller: this item is bad already (and error says why); passed on */
	struct bulla_bytes error;
	struct bulla_bytes input;    /* decoded */
	struct bulla_bytes context;  /* for derived keys, decoded; no HMAC has one */
	struct bulla_bytes proof;    /* to be verified: "vault:v1:..." */
};

struct bulla_verdict {
	enum bulla_err err;
	struct bulla_bytes error; /* the text, when err is set */
	bool valid;
};

/* ---- HMAC (RFC 2104) --------------------------------------------------------------------------------------------------- */

struct bulla_hmac_args {
	const struct bulla_mount *mount;
	struct bulla_bytes name;
	struct bulla_bytes algorithm; /* "sha2-256", ... */
	int64_t key_version;          /* 0: the latest */
	const struct bulla_sign_item *items;
	size_t count;
};

/* results get the MAC's bytes and the version; printed as a ciphertext is. Every key has a key for HMACs.
 * KEY_NOT_FOUND; INVALID with the peer's texts: the version, the algorithm, a soft-deleted key; STORE_DAMAGED, MUST_BLOCK, SEALED,
 * CRYPTO, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_hmac(struct bulla *engine, struct bulla_call *call, const struct bulla_hmac_args *args,
					 struct bulla_item_result *results);

/* key_version is not looked at: the items name theirs. The comparison takes the same time whatever the MACs. */
BULLA_MUST_USE enum bulla_err bulla_hmac_verify(struct bulla *engine, struct bulla_call *call, const struct bulla_hmac_args *args,
						struct bulla_verdict *results);

/* ---- signatures -------------------------------------------------------------------------------------------------------- */

/* What a request may say, as it said it: the peer's names. */
struct bulla_sign_args {
	const struct bulla_mount *mount;
	struct bulla_bytes name;
	struct bulla_bytes hash;                /* "sha2-256", ..., "none" */
	struct bulla_bytes signature_algorithm; /* of RSA: "pss", "pkcs1v15"; "": pss */
	struct bulla_bytes marshaling;          /* "asn1", "jws" */
	struct bulla_bytes salt_length;         /* of PSS: "auto", "hash", "20" */
	bool prehashed;                         /* the inputs are digests */
	int64_t key_version;                    /* 0: the latest; not looked at on verifying */
	const struct bulla_sign_item *items;
	size_t count;
};

struct bulla_signature {
	enum bulla_err err;
	struct bulla_bytes error; /* the text, when err is set */
	struct bulla_bytes text;  /* "vault:v1:..." */
	struct bulla_bytes public_key; /* of a derived key: raw; else empty */
	uint32_t key_version;
};

/* KEY_NOT_FOUND with the peer's text; INVALID, INVALID_500 with the peer's texts; STORE_DAMAGED, MUST_BLOCK, SEALED, CRYPTO,
 * NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_sign(struct bulla *engine, struct bulla_call *call, const struct bulla_sign_args *args,
					 struct bulla_signature *results);
BULLA_MUST_USE enum bulla_err bulla_verify(struct bulla *engine, struct bulla_call *call, const struct bulla_sign_args *args,
					   struct bulla_verdict *results);

BULLA_DECLS_END

#endif
