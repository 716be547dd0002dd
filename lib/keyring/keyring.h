/* keyring.h (internal): immutable snapshots of named keys, found without a lock and changed by replacing them.
 * Public operations on keys: bulla/keys.h. */
#ifndef BULLA_KEYRING_KEYRING_H
#define BULLA_KEYRING_KEYRING_H

#include "base/parts.h"
#include "base/rcu.h"
#include "bulla/keys.h"
#include "crypto/alg.h"
#include "seal/barrier.h"

/* One version's secrets: cells of secret memory, shared by all snapshots that hold the version. */
struct key_version {
	uint32_t version;
	int64_t created_ns;
	uint8_t *key;       /* alg->key_bytes */
	uint8_t *hmac_key;  /* 32 bytes */
};

/* A snapshot. Members are const once it is published. Versions below min_available do not exist; all others are loaded. */
struct key;

const struct alg *key_alg(const struct key *key);
struct bulla_bytes key_name(const struct key *key);
bool key_soft_deleted(const struct key *key);
bool key_exportable(const struct key *key);
bool key_derived(const struct key *key);
bool key_convergent(const struct key *key);
uint32_t key_latest(const struct key *key);
uint32_t key_min_decryption(const struct key *key);
uint32_t key_min_encryption(const struct key *key);
uint32_t key_min_available(const struct key *key);
/* NULL: there is no such version (any more). */
const struct key_version *key_version(const struct key *key, uint32_t version);
/* A version whose stored record turned out to be damaged is there with key == NULL. */

/* Finds a key for one operation. From success to keyring_end the key is good (an RCU read section is open): do not block and do
 * not call a writer in between. Loads it from the store if it must.
 * NOT_FOUND; MUST_BLOCK when it is not in the cache and the call may not block; STORE_DAMAGED naming the key; SEALED. */
BULLA_MUST_USE enum bulla_err keyring_begin(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
					    struct bulla_bytes name, const struct key **out);
void keyring_end(const struct key *key);

/* For the engine. Borrows store and seal. */
BULLA_MUST_USE enum bulla_err keyring_new(struct store *store, struct seal *seal, size_t max_cached_bytes, struct keyring **out);
/* Forgets every snapshot and index, and returns when none is in use. The seal is closed. */
void keyring_empty(struct keyring *keyring);
void keyring_free(struct keyring *keyring);
/* Destroys all keys of a mount that has been taken out of the table. Blocks. */
BULLA_MUST_USE enum bulla_err keyring_destroy_mount(struct keyring *keyring, struct bulla_call *call, const uint8_t uuid[16]);

/* ---- vault:vN:base64 ------------------------------------------------------ */

/* Parses the prefix: *version, and *rest, the base64 behind it (borrowed). INVALID with the peer's texts
 * ("invalid ciphertext: no prefix", ...); the checks against the key's versions are the operation's. */
BULLA_MUST_USE enum bulla_err ciphertext_parse(struct bulla_call *call, struct bulla_bytes text, int64_t *version,
					       struct bulla_bytes *rest);

/* "vault:v" version ":" base64(bytes), in the arena. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err ciphertext_print(struct bulla_call *call, uint32_t version, struct bulla_bytes bytes,
					       struct bulla_bytes *out);

#endif
