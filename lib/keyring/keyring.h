/* keyring.h (internal): immutable snapshots of named keys, found without a lock and changed by replacing them.
 * Public operations on keys: bulla/keys.h. */
#ifndef BULLA_KEYRING_KEYRING_H
#define BULLA_KEYRING_KEYRING_H

#include "base/parts.h"
#include "base/rcu.h"
#include "bulla/keys.h"
#include "crypto/pkey.h"
#include "seal/barrier.h"
#include "state/follow.h"

#define KEY_HMAC_BYTES 32

/* One version: its secrets lie in one cell of secret memory. Shared by all snapshots that hold it. */
struct key_version {
	uint32_t version;
	uint32_t convergent_version; /* how its convergent nonces are made: 3; 0 unless the key is convergent */
	int64_t created_date_ns;
	const uint8_t *key;       /* key_len bytes: symmetric, or as pkey_open takes it. NULL: its record is damaged */
	size_t key_len;
	const uint8_t *hmac_key;  /* hmac_key_len bytes: KEY_HMAC_BYTES of its own; of type hmac the key itself */
	size_t hmac_key_len;
	bool public_only;         /* key is a public key alone */
	struct bulla_bytes chain; /* certificates in DER, the leaf first, one behind the other; none: empty */
};

/* Bytes of a certificate chain, at most: a version's record has to fit into one cell of secret memory. */
#define KEY_CHAIN_MAX 32768

/* A snapshot. Members are const once it is published. Versions below min_available do not exist; all others are loaded. */
struct key;

const struct alg *key_alg(const struct key *key);
struct bulla_bytes key_name(const struct key *key);
bool key_soft_deleted(const struct key *key);
bool key_exportable(const struct key *key);
bool key_plaintext_backup(const struct key *key);
bool key_derived(const struct key *key);
bool key_convergent(const struct key *key);
/* It is derived by a counter-mode HMAC (SP 800-108), not by HKDF. */
bool key_counter_kdf(const struct key *key);
uint32_t key_latest(const struct key *key);
uint32_t key_min_decryption(const struct key *key);
uint32_t key_min_encryption(const struct key *key);
uint32_t key_min_available(const struct key *key);
/* NULL: there is no such version (any more). One whose stored record is damaged or missing is there with key == NULL. */
const struct key_version *key_version(const struct key *key, uint32_t version);
/* The same for use: NOT_FOUND, or STORE_DAMAGED naming key and version. */
BULLA_MUST_USE enum bulla_err key_version_use(const struct key *key, uint32_t version, struct bulla_call *call,
					      const struct key_version **out);

/* The opened key of a version of an asymmetric type, with a reference for the caller: pkey_put, also after keyring_end. It stays
 * open with the version while OpenSSL's locked heap has room. STORE_DAMAGED: the material is none; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err keyring_pkey(const struct key *key, const struct key_version *version, struct pkey **out);

/* Whether the version, higher than any that is known, may exist all the same: another node has made it, and this call has not looked yet. */
bool key_may_have(const struct key *key, const struct bulla_call *call);
/* Looks whether another node has changed the key: what is in memory then is as the store has it, and the call has looked. Outside of read
 * sections. MUST_BLOCK, SEALED, NOT_FOUND, STORE*. */
BULLA_MUST_USE enum bulla_err keyring_renew(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
					    struct bulla_bytes name);

/* Counts one message that is to be encrypted under the version (of types with nonces of 96 random bits: SP 800-38D allows 2^32 of
 * them). One atomic addition. MUST_BLOCK: so many are not reserved; end the read section, let keyring_count_on reserve, and
 * begin again. A message that is then not encrypted counts all the same. */
BULLA_MUST_USE enum bulla_err keyring_count(const struct key *key, const struct key_version *version);
/* Whether the number to warn from is reached. */
bool keyring_count_high(const struct key_version *version);
/* Reserves for at least so many messages more, durably; version 0: of the latest, and when that one has had as many as it may
 * have, the key is rotated. Outside of read sections. INVALID: no more may be encrypted under it. MUST_BLOCK, SEALED, STORE*. */
BULLA_MUST_USE enum bulla_err keyring_count_on(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
					       struct bulla_bytes name, int64_t version, uint64_t messages);
/* For tests: 2^31 and 2^32 otherwise. For keys that are loaded or made afterwards. */
void keyring_count_limits_set(struct keyring *keyring, uint64_t warn, uint64_t max);

/* Rotates the keys whose auto_rotate_period has passed (bulla_tick). Errors: SEALED, STORE*; those of single keys are notices. */
BULLA_MUST_USE enum bulla_err keyring_tick(struct keyring *keyring, struct bulla_call *call);

/* Finds a key for one operation. From success to keyring_end the key is good (an RCU read section is open): do not block and do
 * not call a writer in between. Loads it from the store if it must.
 * NOT_FOUND; MUST_BLOCK when it is not in the cache and the call may not block; STORE_DAMAGED naming the key; SEALED. */
BULLA_MUST_USE enum bulla_err keyring_begin(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
					    struct bulla_bytes name, const struct key **out);
void keyring_end(const struct key *key);

/* ---- whole keys and single versions from outside: restore, import, certificates ---------------------------------------- */

/* What a key is, but for its versions. */
struct key_facts {
	const struct alg *alg;
	bool derived, convergent, counter_kdf, exportable, plaintext_backup, deletable, imported, rotatable, soft_deleted;
	uint32_t latest, min_decryption, min_encryption, min_available;
	int32_t convergent_version;
	int64_t auto_rotate_s;
	struct bulla_key_mark backup, restore;
};
struct key_facts key_facts(const struct key *key);

/* Makes a key of facts and versions: one for each number from max(min_available, 1) to latest, in this order; everything is
 * copied. replace: what is there goes altogether, and is wiped before this returns. All or nothing; durable. *out may be NULL.
 * KEY_EXISTS (without replace); INVALID: the name, numbers that are not in order, a version of a length that its type does not
 * have. MUST_BLOCK, SEALED, NO_MEMORY, the store's. */
BULLA_MUST_USE enum bulla_err keyring_install(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
					      struct bulla_bytes name, const struct key_facts *facts,
					      const struct key_version *versions, bool replace, struct bulla_key_info *out);

/* Makes a key of a name that no request can have, with alg's defaults, unless it is there. Takes seconds for RSA. MUST_BLOCK,
 * SEALED, NO_MEMORY, the store's. */
BULLA_MUST_USE enum bulla_err keyring_make(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					   struct bulla_bytes name, const struct alg *alg);

/* What an edit does to a key. */
struct key_edit {
	bool imported;             /* an appended version makes the key an imported one */
	struct key_version version; /* .version 0: appended as the latest; else it takes that one's place. Copied */
};
/* Looks at key (NULL: there is none) and fills edit, or fails. It may be called again when another writer was faster. */
typedef enum bulla_err key_edit_fn(struct bulla_call *call, const struct key *key, void *context, struct key_edit *edit);

/* Edits one key, all or nothing. MUST_BLOCK, SEALED, errors of fn, the store's. */
BULLA_MUST_USE enum bulla_err keyring_edit(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
					   struct bulla_bytes name, key_edit_fn *fn, void *context, struct bulla_key_info *out);

/* Marks a key as backed up now, and shows it as it is then to fn before that is durable; key NULL: there is none. */
typedef enum bulla_err key_backup_fn(struct bulla_call *call, const struct key *key, void *context);
BULLA_MUST_USE enum bulla_err keyring_backup(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
					     struct bulla_bytes name, key_backup_fn *check, key_backup_fn *fn, void *context);

/* Whether a key may be called so: word characters, and within also '-' and '.', at most BULLA_KEY_NAME_MAX. */
bool keyring_name_allowed(struct bulla_bytes name);

/* For the engine. Borrows store and seal. */
BULLA_MUST_USE enum bulla_err keyring_new(struct store *store, struct seal *seal, size_t max_cached_bytes, struct keyring **out);
/* Forgets every snapshot and index, and returns when none is in use. The seal is closed. */
/* Adds what another node's changes ask for. INTERNAL. */
BULLA_MUST_USE enum bulla_err keyring_follow(struct keyring *keyring, struct follow *follow);
void keyring_empty(struct keyring *keyring);
/* While a write is under way that does not end: wipes every key in memory but what that write holds. */
void keyring_wipe(struct keyring *keyring);
void keyring_free(struct keyring *keyring);
/* Destroys all keys of a mount that has been taken out of the table. Blocks. */
BULLA_MUST_USE enum bulla_err keyring_destroy_mount(struct keyring *keyring, struct bulla_call *call, const uint8_t uuid[16]);

/* ---- vault:vN:base64 ------------------------------------------------------ */

/* What every key makes is printed so: ciphertexts, signatures, HMACs. *version, as it stands there, and *rest, what follows
 * (borrowed); both are untouched unless TAGGED_OK. */
enum tagged { TAGGED_OK, TAGGED_NO_PREFIX, TAGGED_NO_FIELDS, TAGGED_NO_NUMBER };
BULLA_MUST_USE enum tagged tagged_parse(struct bulla_bytes text, int64_t *version, struct bulla_bytes *rest);

/* Of a ciphertext. Parses the prefix: *version, and *rest, the base64 behind it (borrowed). INVALID with the peer's texts
 * ("invalid ciphertext: no prefix", ...); "v0" gives 1, as at the peer; it may be negative. The checks against the key's
 * versions are the operation's. */
BULLA_MUST_USE enum bulla_err ciphertext_parse(struct bulla_call *call, struct bulla_bytes text, int64_t *version,
					       struct bulla_bytes *rest);

#endif
