/* records.h: kinds of stored records. A kind is a row (struct record_kind): what its documents (seal/documents.h) are called, how a struct
 * becomes bytes and comes back, when it ends, whether what was read of it is kept in memory. What is done with records is here, once:
 * reading, also without the store; changes by compare-and-set, which begin anew on what there is when somebody else came before; filing
 * by the end, and deleting what has ended; lists. Where another node has changed something, records_changed drops what is kept of it. */
#ifndef BULLA_STATE_RECORDS_H
#define BULLA_STATE_RECORDS_H

#include <pthread.h>

#include "base/pack.h"
#include "seal/documents.h"
#include "state/snapshots.h"

struct record_name;

struct record_kind {
	const char *name;        /* of its documents */
	size_t size;             /* of the struct that stands for one, which begins with a struct record */
	bool cached;             /* what record_get has read is kept in memory, within the bounds of the struct records */
	bool replaced;           /* a change does not go by what was there: a damaged one counts as none */
	void (*encode)(struct pack *pack, const void *record);
	/* Into zeros. What record borrows is of in, or in the arena; whether bytes are left over is looked at afterwards. STORE_DAMAGED,
	 * NO_MEMORY. */
	enum bulla_err (*decode)(struct bulla_call *call, struct unpack *in, void *record);
	/* By the clock (bulla/clock.h); 0: never. From then on it is as if there were none, and some minutes later it is deleted. NULL: none
	 * of the kind ends. */
	int64_t (*end_ns)(const void *record);
	const char *due, *due_from; /* of those that end: kinds of the records that file them (state/due.h) */
	/* *out: what leads to it, of a kind that does not end, and is deleted with it. By such of record as no change touches; borrows from
	 * both. NULL: nothing is. */
	void (*companion)(struct bulla_bytes scope, const void *record, struct record_name *out);
};

struct record_name {
	const struct record_kind *kind;
	struct bulla_bytes scope, item; /* as of a document */
};

struct record_commit;
enum record_fate { RECORD_PUT, RECORD_LEAVE, RECORD_DELETE };

struct record {
	uint64_t revision;       /* 0: there is none */
	struct bulla_bytes item; /* its name */
	/* in a step: what is to become of it, and what else is to be written with it */
	enum record_fate fate;
	struct record_commit *commit;
};

#define RECORD_STRIPES 64

/* Those of one owner; all parts are records.c's. */
struct records {
	struct documents documents;
	struct record_queue *queues;             /* of the kinds that end */
	struct snapshots cache;                  /* found by id alone */
	pthread_mutex_t stripes[RECORD_STRIPES]; /* by id: changes within this process wait for each other, instead of trying again */
};

/* ending: the kinds that end, up to NULL; may be NULL. All zero before. NO_MEMORY: records_end is to follow as well. */
BULLA_MUST_USE enum bulla_err records_init(struct records *records, struct store *store, struct seal *seal,
					   const struct record_kind *const *ending, size_t max_cached_bytes);
void records_end(struct records *records);
/* At seal, after it was closed: nothing is kept, nor will be of what is being read. */
void records_forget(struct records *records);
/* Another node has changed the record (NULL: any may be changed): drops what is kept of it. Never blocks for long. */
void records_changed(struct records *records, const struct store_id *id);
/* Where a record is; the first half is that of all of its kind and scope, whoever follows these (state/follow.h). SEALED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err record_slot(struct records *records, const struct record_name *name, struct store_id *out);
/* Deletes what has ended. Errors of due_run. Blocks. */
BULLA_MUST_USE enum bulla_err records_tick(struct records *records, struct bulla_call *call);

/* ---- reading: out is untouched on failure, and borrows from the arena ------------------------------------------------------- */

/* What is kept may be older than the store by as much as this node follows others late: for what is done often, such as logins. NOT_FOUND;
 * MUST_BLOCK, if it is not kept; STORE_DAMAGED, STORE*, SEALED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err record_get(struct records *records, struct bulla_call *call, const struct record_name *name, void *out);
/* The same from the store, always: for whoever asks what there is. */
BULLA_MUST_USE enum bulla_err record_read(struct records *records, struct bulla_call *call, const struct record_name *name, void *out);

/* All of a kind and scope (name->item is ignored) that have not ended, in no order; as document_each. record is good only during the visit. */
typedef enum bulla_err record_visit(const void *record, void *context);
BULLA_MUST_USE enum bulla_err record_each(struct records *records, struct bulla_call *call, const struct record_name *name,
					  size_t *damaged, record_visit *visit, void *context);
/* Their names, as document_list. */
BULLA_MUST_USE enum bulla_err record_list(struct records *records, struct bulla_call *call, const struct record_name *name,
					  struct bulla_bytes **names, size_t *count);

/* ---- changing: not with the seal held; blocks --------------------------------------------------------------------------------- */

/* Runs step on what there is (revision 0 and zeros: none) and writes what that makes of it, or what its fate says. If somebody else came
 * before, all of it is done again, up to STORE_TRIES times, without the warnings of the attempt before; so step has no effects but on
 * record, its commit and what context says, which it sets anew each time. It may read, not change, other records. Errors of step, and
 * those of document_put; CONFLICT only after so many times. */
typedef enum bulla_err record_step(struct bulla_call *call, void *record, void *context);
BULLA_MUST_USE enum bulla_err record_change(struct records *records, struct bulla_call *call, const struct record_name *name,
					    record_step *step, void *context);
/* None is fine. */
BULLA_MUST_USE enum bulla_err record_remove(struct records *records, struct bulla_call *call, const struct record_name *name);

/* All of a kind and scope, a part of bounded size at a time, each a commit: may be repeated after a crash. What somebody else changes
 * meanwhile is left to him. Errors of store_commit and store_scan_from. Deletes those that have ended (which a tick would not find, of
 * stores in which they are not filed); damaged ones stay. */
BULLA_MUST_USE enum bulla_err record_remove_ended(struct records *records, struct bulla_call *call, const struct record_name *name);
/* Deletes whatever there is; what leads to a damaged one stays, and leads nowhere. */
BULLA_MUST_USE enum bulla_err record_remove_all(struct records *records, struct bulla_call *call, const struct record_name *name);
/* One part, of kinds that were not filed in versions before: files those that are not, and deletes those that have ended. *next: zeros at
 * first; where to go on. */
BULLA_MUST_USE enum bulla_err record_file(struct records *records, struct bulla_call *call, const struct record_name *name,
					  struct store_id *next, bool *more);

/* In a step, with its record's commit, of other kinds, that do not end: the commit is all of them or none. record->revision and expected
 * as of documents: 0, there must be none; STORE_ANY_REVISION. INTERNAL: too many, or the kind ends; errors of document_write. */
BULLA_MUST_USE enum bulla_err record_write_too(struct record_commit *commit, const struct record_name *name, const void *record);
BULLA_MUST_USE enum bulla_err record_remove_too(struct record_commit *commit, const struct record_name *name, uint64_t expected);
/* In a step: the commit is made by by, of its own writes and these (at most RECORD_OWN_WRITES and what was added), all or none. Its errors
 * are the change's; with CONFLICT all of it is done again. The seal is not held. */
#define RECORD_OWN_WRITES 4
typedef enum bulla_err record_committer(struct bulla_call *call, const struct store_write *writes, size_t count, void *context);
void record_commit_by(struct record_commit *commit, record_committer *by, void *context);

#endif
