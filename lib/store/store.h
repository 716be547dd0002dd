/* store.h: the contract of a store: records by id, each with a revision, changed in atomic, durable batches.
 * It sees only ids (HMACs) and sealed bytes. Functions may block: workers and start-up only. Thread-safe. */
#ifndef BULLA_STORE_STORE_H
#define BULLA_STORE_STORE_H

#include "bulla/call.h"

/* The first half names a collection (all versions of a key, all keys of a mount ...), the second the record in it. */
struct store_id {
	uint8_t bytes[32];
};
#define STORE_COLLECTION 16

/* revision: 1 when created, then one more at each write. bytes: in the arena of the call. */
struct store_record {
	struct store_id id;
	uint64_t revision;
	struct bulla_bytes bytes;
};

enum store_change { STORE_PUT, STORE_DELETE };

/* expected: the revision the writer saw; 0: the record must not exist. A PUT makes expected + 1, so that the writer can seal
 * with the revision that it is going to have. STORE_ANY_REVISION is for DELETE only. */
#define STORE_ANY_REVISION UINT64_MAX
struct store_write {
	struct store_id id;
	enum store_change change;
	uint64_t expected;
	struct bulla_bytes bytes; /* borrowed until commit returns */
};

/* What may be told of the file without its seal. */
struct store_identity {
	uint8_t cluster_id[16];
	int64_t created_s;
};

struct store;

struct store_options {
	const char *path;      /* NULL: in memory */
	uint64_t max_bytes;    /* 0: no limit. For tests of a full disk. */
};

/* Opens or creates. The header of an existing file is read and checked before SQLite touches it.
 * STORE_FOREIGN, STORE_NEWER, STORE_DAMAGED (header), STORE_LOCKED, STORE_FULL, STORE: the call's detail names the path and
 * why; the file's bytes are unchanged. */
BULLA_MUST_USE enum bulla_err store_open_sqlite(const struct store_options *options, struct bulla_call *call, struct store **out);

/* Waits for writers, checkpoints and closes. NULL is fine. */
void store_close(struct store *store);

const struct store_identity *store_identity(const struct store *store);
/* "sqlite" or "inmem". */
const char *store_kind(const struct store *store);

/* NOT_FOUND, STORE. out is untouched on failure. */
BULLA_MUST_USE enum bulla_err store_get(struct store *store, struct bulla_call *call, const struct store_id *id,
					struct store_record *out);

/* Each record of a collection in the order of ids, to visit; stops with its error unless BULLA_OK. The bytes are good only
 * during the visit. visit must not call the store. STORE. */
typedef enum bulla_err store_visit(const struct store_record *record, void *context);
BULLA_MUST_USE enum bulla_err store_scan(struct store *store, struct bulla_call *call, const uint8_t collection[STORE_COLLECTION],
					 store_visit *visit, void *context);

/* The same, from the record first of its collection on, itself included: what was walked through in part is gone on with. */
BULLA_MUST_USE enum bulla_err store_scan_from(struct store *store, struct bulla_call *call, const struct store_id *first,
					      store_visit *visit, void *context);

/* All writes or none, durable (fsync) before it returns. Callers at the same time share one transaction and one fsync; a batch
 * that fails does not touch the others of its group. sequence (may be NULL) gets the commit's store-wide number.
 * CONFLICT: an expected revision did not hold. STORE_FULL, STORE: nothing was changed. */
BULLA_MUST_USE enum bulla_err store_commit(struct store *store, struct bulla_call *call, const struct store_write *writes,
					   size_t count, uint64_t *sequence);

/* After secrets were destroyed: truncates the write-ahead log, so that deleted bytes (overwritten by secure_delete) are in
 * no file any more. STORE. */
BULLA_MUST_USE enum bulla_err store_scrub(struct store *store, struct bulla_call *call);

/* Transactions committed and batches in them so far; records asked for, by id or by a scan, and scans; how often the writing
 * connection had to be opened again: for tests and metrics. */
struct store_counts {
	uint64_t transactions, batches, reads, reopened;
};
struct store_counts store_counts(const struct store *store);

#endif
