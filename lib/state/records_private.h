/* records_private.h: what the files of records share: records.c, record_change.c, record_due.c. Nobody else includes it. */
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

/* Where a record is filed. filed: it has an end. */
struct record_filing {
	bool filed;
	uint64_t minute;
};
struct record_filing record_filing(const struct record_kind *kind, const void *record);
/* The writes (of which there are count already, at most two more) that move the record's entry. INTERNAL: the kind was not named to
 * records_init; STORE*, SEALED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err record_refile(struct records *records, struct bulla_call *call, const struct record_kind *kind,
					    const struct store_id *id, struct record_filing from, struct record_filing to,
					    struct store_write *writes, size_t *count);
BULLA_MUST_USE enum bulla_err record_queues_new(struct records *records, const struct record_kind *const *ending);
void record_queues_free(struct records *records);
void record_queues_forget(struct records *records);

/* ---- record_change.c ---- */

/* With the seal held meanwhile; drops what is kept of all that is written, whatever comes of it. CONFLICT. */
BULLA_MUST_USE enum bulla_err records_commit(struct records *records, struct bulla_call *call, const struct store_write *writes,
					     size_t count);

#endif
