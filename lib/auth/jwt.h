/* jwt.h: signed JSON Web Tokens: the keys that may sign them, their signature and their claims, for auth_jwt.c. Knows no store and
 * no network. Any thread; what is returned lies in the call's arena, but for struct jwt_keys, which holds keys. */
#ifndef BULLA_AUTH_JWT_H
#define BULLA_AUTH_JWT_H

#include "bulla/json.h"
#include "crypto/pkey.h"

#define JWT_MAX_BYTES (64 * 1024)
#define JWT_MAX_KEYS 64

/* ---- jwt_keys.c ------------------------------------------------------------------------------------------------------------ */

struct jwt_key {
	struct bulla_bytes kid; /* of a key set; else empty */
	struct pkey *pkey;      /* public */
};

/* Starts as zeros; BULLA_CLEANUP(jwt_keys_clear). Immutable once filled. */
struct jwt_keys {
	struct bulla_arena *arena; /* owned: the kids */
	size_t count;
	struct jwt_key keys[JWT_MAX_KEYS];
};
void jwt_keys_clear(struct jwt_keys *keys);

/* Adds the public key of one PEM text: "PUBLIC KEY" (RFC 5280) or "CERTIFICATE". RSA of 2048, 3072 or 4096 bits, ECDSA on the
 * NIST curves, Ed25519. INVALID with the peer's text; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err jwt_keys_add_pem(struct bulla_call *call, struct jwt_keys *keys, struct bulla_bytes pem);

/* Adds the keys of a JSON Web Key Set (RFC 7517). Members that cannot verify (of other types or sizes, "use" other than "sig")
 * are passed over, as RFC 7517 section 5 has it; private numbers are not looked at. INVALID: it is no such set; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err jwt_keys_add_set(struct bulla_call *call, struct jwt_keys *keys, struct bulla_bytes text);

/* ---- jwt_verify.c ---------------------------------------------------------------------------------------------------------- */

/* Signature algorithms (RFC 7518, RFC 8037) as bits: of those that are allowed. */
#define JWT_ALL_ALGS 0x3ffu
/* 0: there is none of that name ("RS256", "EdDSA" ...). "none" and HMACs are not among them. */
unsigned jwt_alg(struct bulla_bytes name);

/* Checks the signature of a token in the compact form (RFC 7515) by one of the keys, that of its kid where it names one and the
 * set has it, and hands out its claims, an object. INVALID with the peer's text ("error verifying token signature: ..."), for
 * whatever is wrong with it; unknown_kid (may be NULL) tells that no key has its kid: a newer set may. */
BULLA_MUST_USE enum bulla_err jwt_verify(struct bulla_call *call, const struct jwt_keys *keys, struct bulla_bytes token,
					 unsigned algs, const struct json **claims, bool *unknown_kid);

/* ---- jwt_claims.c ---------------------------------------------------------------------------------------------------------- */

/* The member of an object, if it is a text; else empty. */
struct bulla_bytes jwt_text(const struct json *object, const char *name);

struct jwt_expected {
	struct bulla_bytes issuer, subject;  /* empty: any */
	const struct bulla_bytes *audiences; /* one of them; none: the claim must not be there */
	size_t audience_count;
	int64_t expiration_leeway_s, not_before_leeway_s; /* 0: 150; negative: none */
	int64_t clock_skew_leeway_s;                      /* 0: 60; negative: none */
};
/* iss, sub, aud and the times (RFC 7519 section 4.1), at now_s. INVALID with the peer's texts. */
BULLA_MUST_USE enum bulla_err jwt_expect(struct bulla_call *call, const struct json *claims, const struct jwt_expected *expected,
					 int64_t now_s);

/* The claim of a name, or at a JSON pointer (RFC 6901) where it begins with '/'. NULL: there is none. */
const struct json *jwt_claim(struct bulla_call *call, const struct json *claims, struct bulla_bytes name);

/* Whether every member of bound (a value or a list of values) is met by the claim of its name: one of the claim's values equals,
 * or with globs fits, one of the bound ones. INVALID with the peer's texts. */
BULLA_MUST_USE enum bulla_err jwt_check_bound(struct bulla_call *call, const struct json *claims, const struct json *bound, bool globs);

#endif
