/* transit.h (internal): what the operations of this layer share. Within a read section of the keyring (keyring_begin) unless
 * it says otherwise; nothing here blocks. */
#ifndef BULLA_TRANSIT_TRANSIT_H
#define BULLA_TRANSIT_TRANSIT_H

#include "bulla/sign.h"
#include "bulla/transit.h"
#include "crypto/crypto.h"
#include "crypto/digest.h"
#include "keyring/keyring.h"

/* ---- derive.c ---------------------------------------------------------------------------------------------------------- */

/* The secrets of one item of a derived key, on the stack: BULLA_CLEANUP(derived_clear), and starts as zeros. */
struct derived {
	bool used;
	uint8_t key[ALG_MAX_SYMMETRIC_KEY]; /* key_bytes of them */
	uint8_t nonce_key[SHA256_BYTES];       /* of convergent keys */
	uint8_t bound_nonce_key[SHA256_BYTES]; /* of convergent keys with an encryption_context */
};
void derived_clear(struct derived *derived);

/* The peer's words. */
#define DERIVE_MISSING_CONTEXT \
	"missing 'context' for key derivation; the key was created using a derived key, which means additional, per-request " \
	"information must be included in order to perform operations with the key"

/* INVALID, with the peer's text: the key is derived and there is no context. */
BULLA_MUST_USE enum bulla_err derive_check(struct bulla_call *call, const struct key *key, struct bulla_bytes context);

/* The key that seals and opens: *secret is the version's own, or, of a derived key, in derived. CRYPTO, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err derive_key(struct bulla_call *call, const struct key *key, const struct key_version *version,
					 struct bulla_bytes context, struct derived *derived, const uint8_t **secret);
/* The algorithm of that secret: the key's, but that the counter KDF gives 32 bytes whatever the type. */
const struct alg *derive_alg(const struct key *key);

/* The nonce (n bytes) of a plaintext under a convergent key. bound: aad is from an encryption_context and goes in. */
void derive_nonce(const struct derived *derived, struct bulla_bytes plaintext, bool bound, struct bulla_bytes aad, uint8_t *nonce,
		  size_t n);

/* ---- encrypt.c, decrypt.c: one item ------------------------------------------------------------------------------------ */

/* Seals an item that is good so far. Errors with a detail in the call; MUST_BLOCK as transit_count says. */
BULLA_MUST_USE enum bulla_err transit_seal(struct bulla_call *call, const struct key *key, const struct bulla_encrypt_item *item,
					   struct bulla_item_result *result);

/* The version that an item is to be sealed with, in the peer's order of refusals. INVALID; STORE_DAMAGED. */
BULLA_MUST_USE enum bulla_err transit_seal_version(struct bulla_call *call, const struct key *key, int64_t wanted,
						   struct bulla_bytes context, const struct key_version **out);

/* The version that a ciphertext names and its bytes, in the arena; in the peer's order of refusals. INVALID; STORE_DAMAGED. */
BULLA_MUST_USE enum bulla_err transit_parse_sealed(struct bulla_call *call, const struct key *key, struct bulla_bytes ciphertext,
						   const struct key_version **version, uint8_t **sealed, size_t *len);

/* The plaintext of an item that is good so far: *out in the arena. Not of RSA: see rsa.c. */
BULLA_MUST_USE enum bulla_err transit_open(struct bulla_call *call, const struct key *key, const struct bulla_decrypt_item *item,
					   struct bulla_bytes *out);

/* ---- rsa.c: encryption under RSA ---------------------------------------------------------------------------------------- */

/* Whether the key is one that encrypts with its public half. */
static inline bool transit_is_rsa(const struct key *key)
{
	return (key_alg(key)->can & (ALG_ENCRYPT | ALG_PKEY)) == (ALG_ENCRYPT | ALG_PKEY);
}

/* "oaep" or "pkcs1v15"; "": oaep. false: neither. */
bool rsa_padding(struct bulla_bytes text, enum pkey_padding *out);

/* INVALID_500 with the peer's text: the plaintext is too long. */
BULLA_MUST_USE enum bulla_err rsa_seal(struct bulla_call *call, const struct key *key, const struct key_version *version,
				       const struct bulla_encrypt_item *item, struct bulla_item_result *result);

/* What bulla_decrypt and bulla_rewrap do with the items from *at on once the key is found: a few of them. They end its read section and set
 * *key to NULL: an item may take milliseconds. *at is behind what they did. */
BULLA_MUST_USE enum bulla_err rsa_decrypt(struct bulla_call *call, const struct key **key, const struct bulla_decrypt_args *args,
					  struct bulla_item_result *results, size_t *at);
BULLA_MUST_USE enum bulla_err rsa_rewrap(struct bulla_call *call, const struct key **key, const struct bulla_rewrap_args *args,
					 struct bulla_item_result *results, size_t *at);

/* ---- signed.c: what HMACs and signatures share ------------------------------------------------------------------------- */

/* Bytes that the items have, for transit_weigh. */
size_t transit_sign_bytes(const struct bulla_sign_item *items, size_t count);

/* INVALID, with the peer's text; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err transit_bad_hash(struct bulla_call *call, struct bulla_bytes name);

/* ---- signature.c: what signing and verifying share ---------------------------------------------------------------------- */

/* The parameters of a request, read. */
struct signing {
	const struct bulla_sign_args *args;
	struct pkey_params params;
	int64_t salt; /* as the peer counts: 0 auto, -1 as long as the hash */
	bool unknown_padding; /* signature_algorithm is neither: refused where an RSA key would use it */
};

/* Reads what is refused before the key is looked for. INVALID. */
BULLA_MUST_USE enum bulla_err signing_read(struct bulla_call *call, const struct bulla_sign_args *args, struct signing *out);
/* Reads what is refused after. doing: "signing", "verification". INVALID. */
BULLA_MUST_USE enum bulla_err signing_check(struct bulla_call *call, const struct key *key, const char *doing, struct signing *s);
/* What an RSA key needs of its parameters. INVALID_500: the scheme is unknown; INVALID: the salt does not fit. */
BULLA_MUST_USE enum bulla_err signing_check_rsa(struct bulla_call *call, const struct pkey *pkey, struct signing *s);
/* The key of an item's context where the key is derived, else the version's; with a reference. INVALID_500 with the peer's text:
 * there is no context. */
BULLA_MUST_USE enum bulla_err signing_pkey(struct bulla_call *call, bool derived, struct pkey *base, struct bulla_bytes context,
					   struct pkey **out);

/* ---- signature_form.c: the bytes of an ECDSA signature ------------------------------------------------------------------ */

enum signature_form { FORM_GOOD, FORM_BAD, FORM_EXTRA };
/* Whether bytes are a DER SEQUENCE of two INTEGERs as Go's encoding/asn1 reads it, and nothing behind it. */
enum signature_form signature_form(struct bulla_bytes der);
/* r || s, cut in halves as the peer does it, becomes halves of field_bytes each, for out. false: one has more. */
bool signature_pad(struct bulla_bytes halves, size_t field_bytes, uint8_t *out);

/* ---- weigh.c: what work costs ------------------------------------------------------------------------------------------- */

/* An event loop does this much in one call; what is more is work for BULLA_WORK_CPU. */
#define TRANSIT_INLINE_NS 500000

enum transit_op { TRANSIT_ENCRYPT, TRANSIT_DECRYPT, TRANSIT_SIGN, TRANSIT_VERIFY, TRANSIT_MAC, TRANSIT_OPEN, TRANSIT_OPS };

/* Nanoseconds that one item takes under a key of alg, and each of its bytes, on a slow machine. alg NULL: a digest. Also what it costs to read
 * the item and to print its result. TRANSIT_OPEN: opening the key of a version that is not open, and encoding it. */
uint64_t transit_weight(const struct alg *alg, enum transit_op op, size_t items, size_t bytes);

/* Goes on with what takes so long: on an event loop, or as BULLA_WORK_CPU. Ahead of the work, outside of read sections. MUST_BLOCK; CANCELLED,
 * BUSY, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err transit_weigh(struct bulla_call *call, uint64_t ns);

/* A long batch is done in slices: `ns` of the work is done; true: the read section is to be ended for transit_yield, and begun again after. Starts
 * as zeros. Never on an event loop, where all of it is one slice. */
struct transit_slice {
	uint64_t ns;
};
bool transit_slice_ends(const struct bulla_call *call, struct transit_slice *slice, uint64_t ns);
/* Between two slices. CANCELLED; SEALED: meanwhile. */
BULLA_MUST_USE enum bulla_err transit_yield(struct bulla *engine, struct bulla_call *call);

/* ---- item.c ------------------------------------------------------------------------------------------------------------ */

/* keyring_begin for an operation: an unknown key is KEY_NOT_FOUND. */
BULLA_MUST_USE enum bulla_err transit_begin(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					    struct bulla_bytes name, const struct key **out);
/* The same for so many items of op that have so many bytes: what is heavy goes on as transit_weigh says, with the key. */
BULLA_MUST_USE enum bulla_err transit_begin_heavy(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						  struct bulla_bytes name, enum transit_op op, size_t items, size_t bytes,
						  const struct key **out);
/* BULLA_CLEANUP for a struct key pointer from transit_begin. Ends it where it is not NULL, and makes it so. */
void transit_end(const struct key **key);

/* INVALID, with the peer's text: the key is soft deleted. */
BULLA_MUST_USE enum bulla_err transit_usable(struct bulla_call *call, const struct key *key);

/* INVALID, with the peer's text: the key's type has no "encryption" or "decryption" (what). */
BULLA_MUST_USE enum bulla_err transit_encrypts(struct bulla_call *call, const struct key *key, const char *what);

/* INVALID_OPTION: what the key's type has no use for, at the item of that index. */
#define TRANSIT_NO_INDEX SIZE_MAX
BULLA_MUST_USE enum bulla_err transit_check_options(struct bulla_call *call, const struct key *key, size_t at,
						    const struct bulla_binding *binding, struct bulla_bytes padding);

/* DENIED: the caller's policies do not let this item through: by what it is bound to, or by its index (TRANSIT_NO_INDEX: it is in
 * no batch). Asked before anything is done with the item; transit_granted_rewrap of an item that changes from one binding to another. */
BULLA_MUST_USE enum bulla_err transit_granted(const struct bulla_call *call, size_t at, const struct bulla_binding *binding);
BULLA_MUST_USE enum bulla_err transit_granted_rewrap(const struct bulla_call *call, size_t at, const struct bulla_binding *old,
						     const struct bulla_binding *new);

/* The version of that number, for use. INVALID, with the peer's text: it is out of use (below the key's minimum for decryption,
 * also where it still exists) or gone. STORE_DAMAGED. */
BULLA_MUST_USE enum bulla_err transit_use_version(struct bulla_call *call, const struct key *key, uint32_t number,
						  const struct key_version **out);

/* Counts one message that is to be encrypted, and warns once a call when they are many. MUST_BLOCK, also to a worker: end the
 * operation on the key, call transit_count_on, and begin again. */
BULLA_MUST_USE enum bulla_err transit_count(struct bulla_call *call, const struct key *key, const struct key_version *version);
/* After MUST_BLOCK; version as the item asked for it. INVALID: no more may be encrypted. MUST_BLOCK, SEALED, STORE*. */
BULLA_MUST_USE enum bulla_err transit_count_on(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					       struct bulla_bytes name, int64_t version, uint64_t messages);

/* A batch that counts messages, after a slice of it that ended with err, before the item at *at. */
struct transit_rest {
	const struct bulla_mount *mount;
	struct bulla_bytes name;
	int64_t version; /* as the item at *at asked for it */
	size_t count;    /* of that item and those behind it */
};
/* Whether more slices may follow. */
/* A version higher than any that is known was named: INVALID with that text; KEY_OUTDATED: it may be another node's, and transit_again is to
 * follow. */
BULLA_MUST_USE enum bulla_err transit_too_new(struct bulla_call *call, const struct key *key, const char *text);
/* Whether all of it is to be done again, on the key as it is now: *err was KEY_OUTDATED, which no call gets twice. Else *err is the result. */
bool transit_again(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
		   enum bulla_err *err);

bool transit_goes_on(const struct bulla_call *call, enum bulla_err err);
/* Others' turn; or after MUST_BLOCK transit_count_on, of which an item's own error goes to its result, and *at passes it. CANCELLED, SEALED,
 * STORE*, MUST_BLOCK. */
BULLA_MUST_USE enum bulla_err transit_go_on(struct bulla *engine, struct bulla_call *call, enum bulla_err err, const struct transit_rest *rest,
					    struct bulla_item_result *results, size_t *at);

/* An item's error and the call's detail go to where its result keeps them; BULLA_OK unless err must stop the operation. */
BULLA_MUST_USE enum bulla_err transit_settle_as(struct bulla_call *call, enum bulla_err err, enum bulla_err *item_err,
						struct bulla_bytes *item_error);
/* Takes an item's error and the call's detail over into its result; BULLA_OK unless err must stop the operation. */
BULLA_MUST_USE enum bulla_err transit_settle(struct bulla_call *call, enum bulla_err err, struct bulla_item_result *result);

#endif
