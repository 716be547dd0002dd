/* seal_internal.h: what the files of lib/seal share: the seal's state and the key hierarchy. Nobody else includes it.
 *
 *   unseal key (shares) or static seal key  --wraps-->  root key  --seals-->  barrier keyring: id key, one key a term
 *
 * Locks, in the order they may be taken: operation, keyring, state. */
#ifndef BULLA_SEAL_INTERNAL_H
#define BULLA_SEAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/rcu.h"
#include "crypto/alg.h"
#include "crypto/crypto.h"
#include "seal/seal_digest.h"
#include "seal/seal.h"

#define SEAL_KEY_BYTES 32
#define SEAL_NONCE_BYTES 12
#define SEAL_TAG_BYTES 16
#define SEAL_WRAPPED_BYTES (SEAL_NONCE_BYTES + SEAL_KEY_BYTES + SEAL_TAG_BYTES)
#define SEAL_MAX_SHARES 255
#define SEAL_MIN_PART 16 /* shortest and longest part that the peer takes */
#define SEAL_MAX_PART 33

/* Sealings are counted ahead, in blocks that are durable before the first of them is used, so that a crash never refunds. */
#define BARRIER_BLOCK 65536
/* The key of a term is replaced long before 2^32 random nonces (NIST SP 800-38D, section 8.3). */
#define BARRIER_MAX_OPERATIONS (UINT64_C(1) << 31)
#define BARRIER_MAX_TERMS 1024

/* Collection 0: no HMAC of ours gives it. */
extern const struct store_id seal_record_id, seal_keyring_id;

/* ---- seal_record.c: what is stored in clear --------------------------------- */
struct seal_record {
	enum bulla_seal_kind kind;
	uint8_t shares, threshold; /* of unseal keys, or of recovery keys under a static seal */
	uint8_t key_id_len;
	uint8_t key_id[255];       /* static: the key that wraps */
	uint8_t root[SEAL_WRAPPED_BYTES];
	bool has_recovery;
	uint8_t recovery[SEAL_WRAPPED_BYTES]; /* the recovery key under the static seal key */
};
#define SEAL_RECORD_MAX (6 + 255 + 2 * SEAL_WRAPPED_BYTES)

size_t seal_record_encode(const struct seal_record *record, uint8_t out[SEAL_RECORD_MAX]);
/* STORE_DAMAGED. */
BULLA_MUST_USE enum bulla_err seal_record_decode(struct bulla_call *call, struct bulla_bytes bytes, struct seal_record *out);

/* Wraps a key of 32 bytes for what the record says (kind, numbers, key id) and the cluster. CRYPTO, NO_RANDOM. */
enum seal_wrap { SEAL_WRAP_ROOT, SEAL_WRAP_RECOVERY };
BULLA_MUST_USE enum bulla_err seal_wrap_key(const struct seal_record *record, const uint8_t cluster_id[16], enum seal_wrap what,
					    const uint8_t *wrapping, const uint8_t *key, uint8_t out[SEAL_WRAPPED_BYTES]);
/* AUTH_FAILED: another key wrapped it, or it was changed. */
BULLA_MUST_USE enum bulla_err seal_unwrap_key(const struct seal_record *record, const uint8_t cluster_id[16], enum seal_wrap what,
					      const uint8_t *wrapping, uint8_t *key);

/* ---- barrier_keys.c: the keyring of the barrier ----------------------------- */

/* Shared by all snapshots that hold it, freed when the seal forgets. */
struct barrier_term {
	uint32_t number;
	int64_t installed_date_ns;
	uint8_t *key; /* secret memory */
	atomic_uint_least64_t used, limit; /* sealings so far; up to where they are counted in the store */
	uint64_t reserved;                 /* what the record says or is about to say; by seal->keyring */
};

/* An immutable snapshot, read under RCU. terms[i]->number is i + 1. */
struct barrier_keys {
	struct rcu_later later;
	uint8_t *id_key;
	bool digested; /* as read: there is an account of the records (seal_digest.h) */
	uint32_t count;
	struct barrier_term *terms[];
};

/* A term with a new key and its first block counted. NO_MEMORY, NO_RANDOM. */
BULLA_MUST_USE enum bulla_err barrier_term_new(uint32_t number, struct barrier_term **out);
/* Makes term 1 and an id key. NO_MEMORY, NO_RANDOM. */
BULLA_MUST_USE enum bulla_err barrier_keys_new(struct barrier_keys **out);
/* Wipes all of it; nobody may be reading. NULL is fine. */
void barrier_keys_free(struct barrier_keys *keys);
/* Sealed under the root key, ready for the store. revision: the one it will have. NO_MEMORY, CRYPTO. */
BULLA_MUST_USE enum bulla_err barrier_keys_seal(const struct barrier_keys *keys, const uint8_t *root_key, struct bulla_call *call,
						uint64_t revision, struct bulla_bytes *out);
/* STORE_DAMAGED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err barrier_keys_open(const struct store_record *record, const uint8_t *root_key,
						struct bulla_call *call, struct barrier_keys **out);

/* ---- barrier_rotate.c -------------------------------------------------------- */

/* The term's durable count is used up: counts on, or rotates. MUST_BLOCK, SEALED, STORE*. */
BULLA_MUST_USE enum bulla_err barrier_replenish(struct seal *seal, struct bulla_call *call);

/* With seal->keyring held: more terms behind the present ones, published; they are the seal's now. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err barrier_keys_extend(struct seal *seal, struct barrier_term *const *terms, uint32_t count);

/* ---- barrier_follow.c -------------------------------------------------------- */

/* With seal->keyring held and keys not NULL: takes over what another node has written of the keyring. STORE_DAMAGED, STORE*, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err barrier_reload(struct seal *seal, struct bulla_call *call);

/* If the term is not known, what the store says now. MUST_BLOCK, SEALED; as barrier_reload. */
BULLA_MUST_USE enum bulla_err barrier_learn(struct seal *seal, struct bulla_call *call, uint32_t term);

/* ---- record.c ------------------------------------------------------------------ */

/* Sealed bytes of a record: room for plaintext.len + BARRIER_OVERHEAD in out. CRYPTO, NO_RANDOM. */
BULLA_MUST_USE enum bulla_err record_seal_into(const uint8_t *key, uint32_t term, const struct store_id *slot, uint64_t revision,
					       struct bulla_bytes plaintext, uint8_t *out);
/* 0 .. the term a record says it has; false: not a record of this format. */
bool record_term(const struct store_record *record, uint32_t *term);
/* The plaintext's bytes: record->bytes.len - BARRIER_OVERHEAD, to out. record_term must have held. AUTH_FAILED, CRYPTO. */
BULLA_MUST_USE enum bulla_err record_open_into(const uint8_t *key, const struct store_record *record, uint8_t *out);
/* STORE_DAMAGED, with a detail that names the record. */
enum bulla_err record_damaged(struct bulla_call *call, const struct store_record *record);

/* ---- the seal ------------------------------------------------------------------ */
struct seal_part {
	uint8_t *bytes; /* secret memory, SEAL_MAX_PART */
	size_t len;
};

/* Parts of one key, given one after the other. Never more than the threshold, thus never more than there is room for. */
struct seal_parts {
	struct seal_part items[SEAL_MAX_SHARES];
	unsigned count;
};

struct seal {
	struct store *store; /* borrowed */
	enum bulla_seal_kind kind;
	uint8_t *key_id; /* static: as configured */
	size_t key_id_len;
	uint8_t *static_key; /* secret memory */
	bool accept_altered; /* as configured */
	struct seal_digest digest;
	struct seal_findings findings; /* with operation */

	pthread_mutex_t operation; /* initialise, unseal, close and forget: one at a time, over disk work */
	struct seal_record record; /* when initialised; written once */
	atomic_bool initialised, admitted;

	pthread_mutex_t keyring; /* changes of keys and of their record, over disk work */
	struct barrier_keys *keys; /* by RCU; NULL: sealed */
	uint8_t *root_key; /* secret memory; while keys is there */
	uint64_t keyring_revision, max_operations;
	_Atomic(uint32_t) told_term; /* the highest that a record was found under: if keys has fewer, it is to be read again */

	pthread_mutex_t state; /* what follows; never held over disk work */
	pthread_cond_t released;
	bool open; /* holders are let in */
	unsigned holders;
	struct seal_parts parts; /* of the unsealing under way */
	struct seal_parts proof; /* of the proof under way: seal_prove.c */
	char nonce[UUID_TEXT + 1];
};

/* Reads the keyring under the root key (taken over on success) and opens the barrier. With operation held. STORE*. */
BULLA_MUST_USE enum bulla_err seal_open_barrier(struct seal *seal, struct bulla_call *call, uint8_t *root_key);
/* Publishes keys, which it takes over with root_key, and lets holders in. With operation held. */
void seal_publish(struct seal *seal, struct barrier_keys *keys, uint8_t *root_key, uint64_t keyring_revision);

/* seal_static.c: opens the barrier with the configured key. With operation held. SEAL_KEY_MISMATCH, STORE*. */
BULLA_MUST_USE enum bulla_err static_open(struct seal *seal, struct bulla_call *call);
/* Whether the recovery key is the one made at init. BAD_SHARE, SEAL_KEY_MISMATCH. */
BULLA_MUST_USE enum bulla_err static_verify_recovery(struct seal *seal, struct bulla_call *call, struct bulla_bytes key);

/* seal_shamir.c: opens the barrier with the combined key. With operation held. BAD_SHARE, STORE*. */
BULLA_MUST_USE enum bulla_err shamir_open(struct seal *seal, struct bulla_call *call, struct bulla_bytes key);
/* Takes a part. *complete: the threshold is reached. BAD_SHARE, NO_MEMORY, NO_RANDOM. */
BULLA_MUST_USE enum bulla_err parts_add(struct seal *seal, struct bulla_call *call, struct bulla_bytes part, bool *complete);
/* Combines all parts into key (SEAL_MAX_PART bytes of secret memory) and drops them, whatever comes of it. BAD_SHARE. */
BULLA_MUST_USE enum bulla_err parts_combine(struct seal *seal, struct bulla_call *call, uint8_t *key, size_t *len);

/* Collecting, without the state of an unsealing. With seal->state. */
void parts_drop(struct seal_parts *parts);
bool parts_have(const struct seal_parts *parts, struct bulla_bytes part);
BULLA_MUST_USE enum bulla_err parts_put(struct seal_parts *parts, struct bulla_bytes part); /* NO_MEMORY */
/* BAD_SHARE with failed and the reason as its detail. */
BULLA_MUST_USE enum bulla_err parts_join(const struct seal_parts *parts, unsigned threshold, struct bulla_call *call,
					 const char *failed, uint8_t *key, size_t *len);
/* BAD_SHARE: too short or too long. */
BULLA_MUST_USE enum bulla_err part_check(struct bulla_call *call, struct bulla_bytes part);

/* Whether key unwraps the root key. BAD_SHARE with failed before its reason. */
BULLA_MUST_USE enum bulla_err shamir_unwrap(struct seal *seal, struct bulla_call *call, struct bulla_bytes key,
					    const char *failed, uint8_t *root_key);

/* For BULLA_CLEANUP of a key of 32 bytes in secret memory. */
void seal_key_drop(uint8_t **key);
/* 32 random bytes in secret memory. NO_MEMORY, NO_RANDOM. */
BULLA_MUST_USE enum bulla_err seal_key_new(uint8_t **out);

#endif
