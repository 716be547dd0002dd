/* store_ops.h: what a backend puts behind store.h: only lib/store includes it. store.c has seen to it that the caller may block and
 * that the writes can be; everything else of the contract is the backend's. */
#ifndef BULLA_STORE_OPS_H
#define BULLA_STORE_OPS_H

#include <stdatomic.h>

#include "store/store.h"

struct store_ops {
	const char *kind;
	void (*close)(struct store *store);
	enum bulla_err (*share)(struct store *store, struct bulla_call *call, struct store **out); /* NULL: cannot be shared */
	enum bulla_err (*get)(struct store *store, struct bulla_call *call, const struct store_id *id, struct store_record *out);
	enum bulla_err (*read)(struct store *store, struct bulla_call *call, const struct store_span *spans, size_t count,
			       store_visit *visit, void *context);
	enum bulla_err (*read_all)(struct store *store, struct bulla_call *call, store_visit_digest *visit_digest, store_visit *visit,
				   void *context);
	enum bulla_err (*commit)(struct store *store, struct bulla_call *call, const struct store_write *writes, size_t count,
				 struct store_stamp *stamp);
	enum bulla_err (*scrub)(struct store *store, struct bulla_call *call);
	/* All NULL: there is one writer, this. */
	enum bulla_err (*changes)(struct store *store, struct bulla_call *call, store_changed *changed, void *context);
	void (*applied)(struct store *store);
	bool (*is_applied)(const struct store *store, const struct store_stamp *stamp);
	enum bulla_err (*await)(struct store *store, struct bulla_call *call, const struct store_stamp *stamp, int64_t timeout_ms);
	enum bulla_err (*lease)(struct store *store, struct bulla_call *call, const char *name, int ttl_s, uint64_t *fence);
};

/* The first member of each backend's own struct. */
struct store {
	const struct store_ops *ops;
	struct store_identity identity;
	uint64_t writer;
	atomic_uint_least64_t sequence;    /* of the last commit; written by one thread at a time */
	const struct store_digest *digest; /* NULL: nobody keeps account */
	atomic_uint_least64_t transactions, batches, reads, reopened;
};

/* store_sqlite.c: path is that of the file. Errors of store_open. */
BULLA_MUST_USE enum bulla_err store_open_sqlite(const struct store_options *options, struct bulla_call *call, struct store **out);
/* store_inmem.c: NO_MEMORY, NO_RANDOM. */
BULLA_MUST_USE enum bulla_err store_open_inmem(const struct store_options *options, struct bulla_call *call, struct store **out);

/* Whether what the write expects holds where a record is at this revision (0: is not there). */
bool store_write_holds(const struct store_write *write, uint64_t revision);

/* What a backend tells its digest, if there is one. */
void store_digest_begin(const struct store *store);
void store_digest_batch(const struct store *store);
void store_digest_note(const struct store *store, const struct store_seen *before, const struct store_write *write);
void store_digest_refuse(const struct store *store);
void store_digest_settle(const struct store *store);

/* The identity of a store that is created now. NO_RANDOM. */
BULLA_MUST_USE enum bulla_err store_identity_make(struct store_identity *out);

#endif
