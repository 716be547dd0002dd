/* seal.h: initialise, unseal, seal, and what state the engine is in. */
#ifndef BULLA_SEAL_H
#define BULLA_SEAL_H

#include "call.h"

BULLA_DECLS_BEGIN

struct bulla;

enum bulla_seal_kind { BULLA_SEAL_SHAMIR, BULLA_SEAL_STATIC };

/* How the configuration says the store is sealed. For STATIC: the name of the key and its 32 bytes (copied, then the caller's). */
struct bulla_seal_config {
	enum bulla_seal_kind kind;
	struct bulla_bytes key_id;
	struct bulla_bytes key;
	bool accept_altered; /* unseals although records were put back, added or taken away from outside, and goes on with what there is */
};

struct bulla_seal_status {
	enum bulla_seal_kind kind;
	bool initialised, sealed;
	unsigned threshold, shares; /* of the unseal keys, or of the recovery keys under a static seal */
	unsigned progress;
	bool recovery_seal;         /* static: shares are recovery keys */
	char nonce[37];             /* of the unsealing under way, "" if none */
	char cluster_id[37];
};

/* Any time, any thread, never blocks. */
void bulla_seal_status(struct bulla *engine, struct bulla_seal_status *out);

/* One load: the gate of every request. */
bool bulla_is_sealed(const struct bulla *engine);
bool bulla_is_initialised(const struct bulla *engine);

struct bulla_init_args {
	/* As the client sent them, whatever their values. */
	int secret_shares, secret_threshold;     /* shamir */
	int recovery_shares, recovery_threshold; /* static; both 0: no recovery keys */
	struct bulla_bytes root_token; /* empty: made at random; else used as it is (-dev) */
};

/* All in the call's arena, to be shown once and forgotten. Raw bytes: the caller prints hex and base64. */
struct bulla_init_result {
	struct bulla_bytes *shares; /* unseal keys, or recovery keys under a static seal */
	size_t share_count;
	bool recovery;
	struct bulla_bytes root_token;
};

/* Makes root key, barrier, id key, and the root token. A static seal unseals at once; Shamir stays sealed.
 * ALREADY_INITIALISED; INVALID with the peer's text for bad numbers. Blocks. */
BULLA_MUST_USE enum bulla_err bulla_init(struct bulla *engine, struct bulla_call *call, const struct bulla_init_args *args,
					 struct bulla_init_result *out);

/* One share (raw bytes). When the threshold is reached the store opens and mounts and tokens load. Under a static seal the
 * shares are recovery keys, which allow the configured key to open it again after bulla_seal, as at the peer.
 * NOT_INITIALISED; SEAL_KEY_MISMATCH; BAD_SHARE (malformed, a duplicate is ignored; a wrong set resets the progress). Unsealing twice is fine. Blocks. */
BULLA_MUST_USE enum bulla_err bulla_unseal(struct bulla *engine, struct bulla_call *call, struct bulla_bytes share);

/* Static seal: opens the store with the configured key. SEAL_KEY_MISMATCH names both key ids. Blocks. */
BULLA_MUST_USE enum bulla_err bulla_unseal_auto(struct bulla *engine, struct bulla_call *call);

/* Drops the shares given so far. */
void bulla_unseal_reset(struct bulla *engine);

/* Forgets every key. Answers after the last reader has left and all is wiped. SEALED: it was already. Blocks. */
BULLA_MUST_USE enum bulla_err bulla_seal(struct bulla *engine, struct bulla_call *call);

/* The barrier's own key: its current term, when it was made, records sealed under it. */
struct bulla_barrier_status {
	uint32_t term;
	int64_t installed_date_ns;
	uint64_t encryptions;
};
BULLA_MUST_USE enum bulla_err bulla_barrier_status(struct bulla *engine, struct bulla_call *call, struct bulla_barrier_status *out);

/* A new barrier key for what is written from now on; the older ones stay for reading. Blocks. */
BULLA_MUST_USE enum bulla_err bulla_barrier_rotate(struct bulla *engine, struct bulla_call *call);

BULLA_DECLS_END

#endif
