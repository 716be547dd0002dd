/* records_private.h: what the files of records share: records.c, record_change.c, record_due.c, record_sweep.c. Nobody else includes it. */
#ifndef BULLA_STATE_RECORDS_PRIVATE_H
#define BULLA_STATE_RECORDS_PRIVATE_H

#include "state/due.h"
#include "state/records.h"

/* Of a kind that ends. */
struct record_queue {
	struct records *records;
	const struct record_kind *kind;
	struct due_kind row;
	struct due due;
	struct record_queue *next;
};

static inline struct document_name record_document(const struct record_name *name)
{
	return (struct document_name){ name->kind->name, name->scope, name->item };
}

/* ---- records.c ---- */

/* From the store. NOT_FOUND; STORE_DAMAGED, but out has its revision. */
BULLA_MUST_USE enum bulla_err record_fetch(struct records *records, struct bulla_call *call, const struct store_id *id,
					   struct document *out);
/* Into zeros; whether it has ended is not asked. STORE_DAMAGED. */
BULLA_MUST_USE enum bulla_err record_decode(const struct record_kind *kind, struct bulla_call *call, const struct document *document,
					    struct record *out);
int64_t record_end_ns(const struct record_kind *kind, const void *record);
bool record_has_ended(const struct record_kind *kind, const void *record);

/* ---- record_due.c ---- */

/* Of a record: itself and its companion, whose ids are what its entry says, and where that is. Zeros: there is none. */
struct record_place {
	struct store_id ids[2];
	size_t count;
	bool filed; /* it has an end */
	uint64_t minute;
};
BULLA_MUST_USE enum bulla_err record_place(struct records *records, const struct record_kind *kind, struct bulla_bytes scope,
					   const struct store_id *id, const void *record, struct record_place *out);
/* The writes (of which there are count already, at most three more) that move the record's entry, and delete the companion that it had
 * and has no more. INTERNAL: the kind was not named to records_init; STORE*, SEALED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err record_refile(struct records *records, struct bulla_call *call, const struct record_kind *kind,
					    const struct record_place *from, const struct record_place *to, struct store_write *writes,
					    size_t *count);
/* The write that files it. STORE_CHECK: it is filed. As above. */
BULLA_MUST_USE enum bulla_err record_filing(struct records *records, struct bulla_call *call, const struct record_kind *kind,
					    const struct record_place *place, struct store_write *out);
/* The deletion of its entry. */
BULLA_MUST_USE enum bulla_err record_unfiling(struct records *records, const struct record_kind *kind, const struct record_place *place,
					      struct store_write *out);
BULLA_MUST_USE enum bulla_err record_queues_new(struct records *records, const struct record_kind *const *ending);
void record_queues_free(struct records *records);
void record_queues_forget(struct records *records);

/* ---- record_change.c ---- */

/* With the seal held meanwhile; drops what is kept of all that is written, whatever comes of it. CONFLICT. */
BULLA_MUST_USE enum bulla_err records_commit(struct records *records, struct bulla_call *call, const struct store_write *writes,
					     size_t count);

/* ---- record_sweep.c ---- */

/* Writes of many records, in parts of which each stands for itself. */
struct record_batch {
	struct store_write writes[3 * DUE_AT_ONCE];
	size_t count, ends[DUE_AT_ONCE], parts; /* ends: of a part, where the next one begins */
};
static inline void record_batch_add(struct record_batch *batch, const struct store_write *write)
{
	batch->writes[batch->count++] = *write;
}
void record_batch_delete(struct record_batch *batch, const struct store_id *id, uint64_t expected);
/* The deletion of a record that was seen at this revision, with what leads to it. */
void record_batch_remove(struct record_batch *batch, const struct record_place *place, uint64_t expected);
void record_batch_close(struct record_batch *batch); /* the part, if there is anything in it */
/* In one commit; if somebody else has changed one of them, each part in one, but for those that he has changed. */
BULLA_MUST_USE enum bulla_err record_batch_commit(struct records *records, struct bulla_call *call, const struct record_batch *batch);

#endif
