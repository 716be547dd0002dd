/* barrier.h: what every record goes through. AES-256-GCM, a fresh 96-bit nonce, and as associated data the record's slot,
 * format version and revision, so that records cannot be swapped (docs/FORMATS.md). Thread-safe; takes no lock on reads. */
#ifndef BULLA_SEAL_BARRIER_H
#define BULLA_SEAL_BARRIER_H

#include "base/parts.h"
#include "store/store.h"

/* Bytes that sealing adds. */
#define BARRIER_OVERHEAD (1 + 4 + 12 + 16)

/* The slot of a record: keyed tags, under the id key, of the collection's and the record's name. The parts of a collection's
 * name are length-prefixed before hashing, so that ("ab","c") and ("a","bc") differ. SEALED, NO_MEMORY. */
struct barrier_name {
	const char *kind;         /* "key", "version", "token" ... a constant of the layer that owns it */
	struct bulla_bytes scope; /* mount uuid, key name ... may be empty */
	struct bulla_bytes scope2;
	struct bulla_bytes item;  /* the record in the collection */
};
BULLA_MUST_USE enum bulla_err barrier_slot(struct seal *seal, const struct barrier_name *name, struct store_id *out);

/* Seals for slot and revision (the one the record will have) under the barrier's current term; *out in the call's arena.
 * Not within a read section: once in 65,536 records it waits for the disk, to count on, or to rotate the term.
 * SEALED, NO_MEMORY, CRYPTO, MUST_BLOCK, STORE*. */
BULLA_MUST_USE enum bulla_err barrier_seal(struct seal *seal, struct bulla_call *call, const struct store_id *slot,
					   uint64_t revision, struct bulla_bytes plaintext, struct bulla_bytes *out);

/* Opens a record as it came from the store; *plaintext in the call's arena. Not within a read section. STORE_DAMAGED, SEALED; BUSY, within a
 * visit of a shared store: another node has added the term it is sealed under, which the next who holds the seal looks for; STORE*. */
BULLA_MUST_USE enum bulla_err barrier_open(struct seal *seal, struct bulla_call *call, const struct store_record *record,
					   struct bulla_bytes *plaintext);

/* The same with a data key of 32 bytes in the place of the barrier's (term 0): for the versions of a named key. */
BULLA_MUST_USE enum bulla_err record_seal(const uint8_t *data_key, struct bulla_call *call, const struct store_id *slot,
					  uint64_t revision, struct bulla_bytes plaintext, struct bulla_bytes *out);
BULLA_MUST_USE enum bulla_err record_open(const uint8_t *data_key, struct bulla_call *call, const struct store_record *record,
					  struct bulla_bytes *plaintext);

/* Whoever writes, or loads into a cache, holds the seal open meanwhile: sealing waits for the last holder, and later ones get
 * SEALED. Workers only. A hold within a hold may be refused: that writer then fails, as if it had come later. */
BULLA_MUST_USE enum bulla_err seal_hold(struct seal *seal);
void seal_release(struct seal *seal);

#endif
