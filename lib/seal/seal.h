/* seal.h (internal): the state machine, for the engine. Public counterparts and their errors: bulla/seal.h. */
#ifndef BULLA_SEAL_SEAL_H
#define BULLA_SEAL_SEAL_H

#include "bulla/seal.h"
#include "seal/barrier.h"

/* Reads the store's seal record, if there is one. The store is borrowed. STORE*, NO_MEMORY, CONFIG (kinds differ). */
BULLA_MUST_USE enum bulla_err seal_new(struct store *store, const struct bulla_seal_config *config, struct bulla_call *call,
				       struct seal **out);
void seal_free(struct seal *seal); /* seals first; NULL is fine */

/* What opening the barrier found out about the stored records (seal/seal_digest.h). */
struct seal_findings {
	uint64_t expected, found; /* how many there are */
	bool has_digest;          /* the account was there, and whole */
	bool altered;             /* some are older, missing, or from elsewhere */
	bool damaged;             /* the bytes of some are others: those do not open, and are named then */
	bool accepted;            /* nevertheless what there is counts */
	bool is_new;              /* a store of format 1: there was no account yet */
};
/* Of the last time; while it is unsealed. */
const struct seal_findings *seal_findings(const struct seal *seal);

/* After the barrier was opened: what was accepted, or is new, is made to last, under a new term, without which older copies of the keyring do
 * not open what is written from now on. Else nothing. STORE*, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err seal_convert(struct seal *seal, struct bulla_call *call);

bool seal_is_sealed(const struct seal *seal);      /* one atomic load */
bool seal_is_initialised(const struct seal *seal);
void seal_status(struct seal *seal, struct bulla_seal_status *out);

/* Makes the key hierarchy, in memory only, and leaves the seal unsealed so that the engine can write its first records. Nothing
 * counts before seal_settle: whatever fails between, or a crash, leaves a store that can be initialised again; the engine
 * then closes and forgets. shares as in bulla_init_result; root_token is left alone. ALREADY_INITIALISED, INVALID. */
BULLA_MUST_USE enum bulla_err seal_initialise(struct seal *seal, struct bulla_call *call, const struct bulla_init_args *args,
					      struct bulla_init_result *out);
/* The last write of an initialisation: the seal record and the barrier's keyring. The engine then seals again for Shamir.
 * SEALED, STORE*. */
BULLA_MUST_USE enum bulla_err seal_settle(struct seal *seal, struct bulla_call *call);

/* *opened: the threshold was reached and the barrier is open; the caller then loads what lies behind it. Requests are let
 * through (seal_is_sealed gives false) only after seal_admit. */
BULLA_MUST_USE enum bulla_err seal_unseal(struct seal *seal, struct bulla_call *call, struct bulla_bytes share, bool *opened);
BULLA_MUST_USE enum bulla_err seal_unseal_auto(struct seal *seal, struct bulla_call *call);
void seal_admit(struct seal *seal);
void seal_reset(struct seal *seal);

/* In three steps, so that the engine can empty its caches between: refuse new requests and holders and wait for the present
 * ones (close); [engine empties keyring, access, mounts]; wipe the barrier (forget). SEALED. */
BULLA_MUST_USE enum bulla_err seal_close(struct seal *seal);
/* Before close: new requests are refused, those under way go on. */
void seal_refuse(struct seal *seal);
/* While close waits for a holder who does not end: no new ones, and the barrier's keys are wiped under him. False: he, or another, is at
 * changing them; nothing was wiped. */
bool seal_wipe(struct seal *seal);
void seal_forget(struct seal *seal);

/* While unsealed: takes one share (raw bytes) of a proof that as many holders as the threshold agree, in shares of its own.
 * *proven: it was the last one, and they are right; the next begins anew, as it does after a set that was wrong. BAD_SHARE with
 * the peer's texts about root generation: malformed, given already, a wrong set. */
BULLA_MUST_USE enum bulla_err seal_prove(struct seal *seal, struct bulla_call *call, struct bulla_bytes part, unsigned *progress,
					 bool *proven);
unsigned seal_prove_progress(struct seal *seal);
void seal_prove_reset(struct seal *seal);

/* INVALID: BARRIER_MAX_TERMS; SEALED, STORE*. */
BULLA_MUST_USE enum bulla_err seal_rotate(struct seal *seal, struct bulla_call *call);
/* After how many sealings a term is replaced by itself (sys/rotate/config); checked when a block of them is used up. */
void seal_limit_set(struct seal *seal, uint64_t max_operations);
BULLA_MUST_USE enum bulla_err seal_barrier_status(struct seal *seal, struct bulla_call *call, struct bulla_barrier_status *out);

#endif
