/* store.h: the contract of a store: records by id, each with a revision, changed in atomic, durable batches, which several nodes may
 * share. It sees only ids (HMACs) and sealed bytes. Functions may block: workers and start-up only. Thread-safe.
 *
 * What stands behind it is a table of operations (store_ops.h): SQLite, or memory. tests/unit/store_contract holds each of them to
 * what is said here. */
#ifndef BULLA_STORE_STORE_H
#define BULLA_STORE_STORE_H

#include "bulla/call.h"

/* The first half names a collection (all versions of a key, all keys of a mount ...), the second the record in it. */
struct store_id {
	uint8_t bytes[32];
};
#define STORE_COLLECTION 16

/* A commit: the writer (each handle of a store that several share has a number of its own; that of a store of one is 1) and the
 * writer's how manieth commit it is. No two commits have the same, and a writer's numbers have no gaps. */
struct store_stamp {
	uint64_t writer, sequence;
};

/* revision: one more at each write. stamp: of the commit that wrote it. bytes: in the arena of the call. */
struct store_record {
	struct store_id id;
	uint64_t revision;
	struct store_stamp stamp;
	struct bulla_bytes bytes;
};

/* CHECK changes nothing: the batch is refused unless the record is at the revision expected. */
enum store_change { STORE_PUT, STORE_DELETE, STORE_CHECK };

/* expected: the revision the writer saw; 0: the record must not exist. STORE_ANY_REVISION: a DELETE takes whatever is there, and nothing
 * is fine; a CHECK wants that something is there; not for PUT. */
#define STORE_ANY_REVISION UINT64_MAX
struct store_write {
	struct store_id id;
	enum store_change change;
	bool quiet;               /* no node keeps a copy of it: store_changes does not tell of it */
	uint64_t expected;
	uint64_t first;           /* of a record that is created: its revision, at most INT64_MAX; 0: 1 */
	struct bulla_bytes bytes; /* of a PUT; borrowed until commit returns */
};

/* The revision that a PUT gives its record, with which the writer seals it. */
static inline uint64_t store_revision(const struct store_write *write)
{
	return write->expected != 0 ? write->expected + 1 : write->first != 0 ? write->first : 1;
}

/* Has a PUT that creates begin at a random revision: for records that come again under the same id, since who saw the one that was
 * deleted must not take the new one for it, however often that was written. Others are left as they are. NO_RANDOM. */
BULLA_MUST_USE enum bulla_err store_begin_anew(struct store_write *write);

/* What may be told of the store without its seal. */
struct store_identity {
	uint8_t cluster_id[16];
	int64_t created_s;
};

struct store;

struct store_options {
	const char *path;      /* of SQLite's file; NULL: in memory */
	uint64_t max_bytes;    /* 0: no limit. For tests of a full disk. */
};

/* Opens or creates. The header of an existing file is read and checked before SQLite touches it.
 * STORE_FOREIGN, STORE_NEWER, STORE_DAMAGED (header), STORE_ALTERED (tables), STORE_LOCKED, STORE_FULL, STORE: the call's detail names the path and
 * why; the file's bytes are unchanged. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err store_open(const struct store_options *options, struct bulla_call *call, struct store **out);

/* Another handle of a store in memory, as another node has one: a writer of its own, with changes to be told of. To be closed before
 * or after the first. INTERNAL: the store is none that can be shared; NO_MEMORY, BUSY: too many share it. */
BULLA_MUST_USE enum bulla_err store_share(struct store *store, struct bulla_call *call, struct store **out);

/* Waits for writers, and closes. NULL is fine. */
void store_close(struct store *store);

const struct store_identity *store_identity(const struct store *store);
/* "sqlite" or "inmem". */
const char *store_kind(const struct store *store);

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

/* NOT_FOUND, STORE. out is untouched on failure. */
BULLA_MUST_USE enum bulla_err store_get(struct store *store, struct bulla_call *call, const struct store_id *id,
					struct store_record *out);

/* Each record of a collection in the order of ids, to visit; stops with its error unless BULLA_OK. The bytes are good only
 * during the visit. visit must not call the store: it would get INTERNAL. STORE. */
typedef enum bulla_err store_visit(const struct store_record *record, void *context);
BULLA_MUST_USE enum bulla_err store_scan(struct store *store, struct bulla_call *call, const uint8_t collection[STORE_COLLECTION],
					 store_visit *visit, void *context);

/* The same, from the record first of its collection on, itself included: what was walked through in part is gone on with. */
BULLA_MUST_USE enum bulla_err store_scan_from(struct store *store, struct bulla_call *call, const struct store_id *first,
					      store_visit *visit, void *context);

/* The records of several spans of ids, ends included, span by span in the order given: all as of one moment. As store_scan. */
struct store_span {
	struct store_id first, last;
};
/* All of a collection. */
struct store_span store_collection(const uint8_t collection[STORE_COLLECTION]);
BULLA_MUST_USE enum bulla_err store_read(struct store *store, struct bulla_call *call, const struct store_span *spans, size_t count,
					 store_visit *visit, void *context);

/* Whether this thread is within a visit. */
bool store_is_visiting(void);
/* Whether there may be other writers. */
bool store_is_shared(const struct store *store);

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

/* All writes or none, durable (fsync) before it returns. Callers at the same time share one transaction and one fsync; a batch
 * that fails does not touch the others of its group. stamp (may be NULL) gets the commit's.
 * CONFLICT: an expected revision did not hold. STORE_FULL, STORE: nothing was changed.
 * Where there may be other writers and the call's caller has a record (call->caller_stored), that has to be there, too; REVOKED: it is
 * not, nothing was changed. A batch that deletes it is the caller's own wish, and ends that for the rest of the call. */
BULLA_MUST_USE enum bulla_err store_commit(struct store *store, struct bulla_call *call, const struct store_write *writes,
					   size_t count, struct store_stamp *stamp);
/* The same question for what takes no commit. REVOKED; STORE. */
BULLA_MUST_USE enum bulla_err store_check_caller(struct store *store, struct bulla_call *call);

/* How often in all a change is tried that others came before (CONFLICT), each time on what there is then. */
#define STORE_TRIES 16

/* ---- the account of what there is --------------------------------------------------------------------------------------- */

/* Who keeps account of all that the store holds (seal/seal_digest.h), under keys that the store does not see. Told within each transaction,
 * by one thread at a time, what becomes of the records; what the account is then is kept with the number of the commit, one for each
 * writer, in the same transaction. */
#define STORE_HEAD 17
#define STORE_TAIL 16
#define STORE_DIGEST_MAX 128
/* What stands for the bytes of a record: the first and the last of them, of a sealed record its nonce and its tag. With zeros behind and in front
 * of what is shorter. */
struct store_mark {
	uint8_t head[STORE_HEAD], tail[STORE_TAIL];
};
/* What was there of a record before a write. */
struct store_seen {
	uint64_t revision; /* 0: nothing */
	struct store_mark mark;
};
struct store_digest {
	void *context;
	void (*begin)(void *context);  /* a transaction */
	void (*batch)(void *context);  /* a batch in it; the one before is accepted */
	void (*note)(void *context, const struct store_seen *before, const struct store_write *write); /* a PUT, or a DELETE of something */
	void (*refuse)(void *context); /* the batch: as if it had not been */
	/* All has been told. stamp: the last commit's of the transaction. out: borrowed until the next call, at most STORE_DIGEST_MAX bytes. Any
	 * error is the transaction's. */
	enum bulla_err (*close)(void *context, const struct store_stamp *stamp, struct bulla_bytes *out);
	void (*settle)(void *context); /* the transaction is durable. Not called: nothing has changed */
};
/* digest: borrowed, as long as the store is open or until NULL is set. While nobody uses the store. */
void store_set_digest(struct store *store, const struct store_digest *digest);
/* The stamp of this handle's last commit; sequence 0: there was none. Never blocks. */
struct store_stamp store_last(const struct store *store);

/* The digests that writers have left, each with the stamp of its last commit, and then all records in the order of ids, as of one moment between
 * two transactions (nobody commits meanwhile): all that a reading could give. Otherwise as store_read. */
typedef enum bulla_err store_visit_digest(const struct store_stamp *stamp, struct bulla_bytes digest, void *context);
BULLA_MUST_USE enum bulla_err store_read_all(struct store *store, struct bulla_call *call, store_visit_digest *visit_digest, store_visit *visit,
					     void *context);

struct store_mark store_mark(struct bulla_bytes bytes);

/* After secrets were destroyed: truncates the write-ahead log, so that deleted bytes (which the file's pages have blank) are in no file
 * any more. STORE. */
BULLA_MUST_USE enum bulla_err store_scrub(struct store *store, struct bulla_call *call);

/* ---- what the other writers do ------------------------------------------------------------------------------------------ */

/* What became of a record: it was made, where there was none; changed, or made and told of already; deleted. */
enum store_news { STORE_MADE, STORE_CHANGED, STORE_GONE };

/* Tells of each record that others wrote or deleted, not quietly, since this was last asked and answered, to changed, which drops what
 * is kept of it; id NULL: it cannot be told any more, everything is to be dropped. A record may be told of more often than it changed.
 * By one thread at a time; changed must not call the store. asked_ns: elapsed, before the question: what was committed by then has been
 * told. STORE: some may have been told of, and will be again. */
typedef void store_changed(const struct store_id *id, enum store_news news, void *context);
BULLA_MUST_USE enum bulla_err store_changes(struct store *store, struct bulla_call *call, store_changed *changed, void *context,
					    int64_t *asked_ns);
/* By the same thread, once what had to be read anew has been: all that store_changes has told of counts as applied here. Never fails. */
void store_applied(struct store *store);

/* Whether the commit has been applied here: what is kept is as new as a record with this stamp, or newer. Own commits always. Within a visit
 * of a store that is shared nothing counts as applied: ask afterwards. */
bool store_is_applied(const struct store *store, const struct store_stamp *stamp);

/* Waits until the commit has been applied by all that share the store. BUSY: not within the time; STORE. */
BULLA_MUST_USE enum bulla_err store_await(struct store *store, struct bulla_call *call, const struct store_stamp *stamp,
					  int64_t timeout_ms);

/* The name (of at most STORE_LEASE_NAME bytes) for this handle alone, for ttl_s from now: taken, or held already and prolonged. ttl_s 0
 * gives it back; a handle that is closed holds it until its time is over. fence gets a number that grows each time that it goes over to
 * another. BUSY: another holds it; INTERNAL: the name is empty or too long, or there are too many; STORE. */
#define STORE_LEASE_NAME 31
BULLA_MUST_USE enum bulla_err store_lease(struct store *store, struct bulla_call *call, const char *name, int ttl_s, uint64_t *fence);

/* Transactions committed and batches in them so far; records asked for, by id or by a scan, and scans; how often the writing
 * connection had to be opened again: for tests and metrics. */
struct store_counts {
	uint64_t transactions, batches, reads, reopened;
};
struct store_counts store_counts(const struct store *store);

#endif
