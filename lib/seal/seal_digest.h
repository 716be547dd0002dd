/* seal_digest.h: the account of all records of the store: a multiset hash of them, sealed, which each commit carries on in its own transaction.
 * What was put back, moved, added or taken away from outside does not add up. docs/FORMATS.md has the record, docs/DECISIONS.md why it is
 * made so. For lib/seal only. Thread-safe.
 *
 * Each writer has a digest of its own, of what its commits have changed: those of all writers together are the store's. */
#ifndef BULLA_SEAL_SEAL_DIGEST_H
#define BULLA_SEAL_SEAL_DIGEST_H

#include <pthread.h>

#include "seal/seal.h"
#include "store/store.h"

#define DIGEST_SUM 16

/* The keyed tags of records, added up by XOR: no two records are the same, for their ids differ. Both sums are secret: who saw them could
 * look for other records with the same. count: modulo 2^64, a writer may delete more than it has made.
 *
 * No two writings are the same, for the head has a random nonce: a revision may come again (after a backup was restored, or the record was
 * deleted), and the record of before then opens as well as the present one. */
struct digest_sum {
	uint8_t writings[DIGEST_SUM]; /* of (id, revision, head of the bytes) */
	uint8_t bytes[DIGEST_SUM];    /* of (the tag of that, tail of the bytes) */
	uint64_t count;
};

#define DIGEST_PLAIN (2 * DIGEST_SUM + 8)
#define DIGEST_SEALED (1 + 40 + DIGEST_PLAIN)

struct seal_digest {
	struct store *store; /* borrowed */
	struct store_digest told; /* what the store calls */
	pthread_mutex_t lock; /* of what follows, shortly */
	uint8_t *keys;        /* secret memory: of the tags, and of the sealing; NULL: closed, or not added up yet: nothing can be committed */
	uint64_t opened;      /* how often it was: a transaction that began before does not count on */
	struct digest_sum settled, group, batch; /* of the last commit; with the accepted batches; with the one under way */
	uint64_t begun;       /* opened, when the transaction began */
	uint8_t sealed[DIGEST_SEALED];
};

/* NO_MEMORY. */
BULLA_MUST_USE enum bulla_err seal_digest_init(struct seal_digest *digest, struct store *store);
void seal_digest_free(struct seal_digest *digest);

/* Adds up all that there is, compares it with the account, and goes on from there. id_key: the barrier's, 32 bytes. Stays closed on
 * failure. Takes about a second for a million records.
 * STORE_ALTERED: it does not add up, as findings says; unless accept is set: then what there is counts from the next commit on. STORE*,
 * NO_MEMORY, CRYPTO. */
BULLA_MUST_USE enum bulla_err seal_digest_open(struct seal_digest *digest, struct bulla_call *call, const uint8_t *id_key, bool accept,
					  struct seal_findings *findings);
/* For a store that has none yet: what there is counts. terms: how many the barrier has.
 * STORE_ALTERED: there is a digest after all, and it does not add up (unless accept is set); or a record was sealed under a later term than
 * these, so that the keyring is an older one. Otherwise as seal_digest_open. */
BULLA_MUST_USE enum bulla_err seal_digest_found(struct seal_digest *digest, struct bulla_call *call, const uint8_t *id_key, uint32_t terms,
					   bool accept, struct seal_findings *findings);
/* For a store that is being initialised: what an attempt before has left counts. */
BULLA_MUST_USE enum bulla_err seal_digest_begin(struct seal_digest *digest, struct bulla_call *call, const uint8_t *id_key);
/* Wipes the keys. */
void seal_digest_close(struct seal_digest *digest);

#endif
