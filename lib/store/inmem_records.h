/* inmem_records.h: the records of a store in memory, in the order of their ids. Under the lock of who owns them. */
#ifndef BULLA_STORE_INMEM_RECORDS_H
#define BULLA_STORE_INMEM_RECORDS_H

#include "store/store.h"

/* One allocation, wiped before it is freed. */
struct inmem_record {
	struct store_id id;
	uint64_t revision;
	struct store_stamp stamp;
	size_t len;
	uint8_t bytes[];
};

/* NULL: no memory. */
struct inmem_record *inmem_record_new(const struct store_id *id, struct bulla_bytes bytes);
/* NULL is fine. */
void inmem_record_free(struct inmem_record *record);

/* Blocks of pointers, each block and all of them in order; none is empty. To find one takes two binary searches; to add or remove one
 * moves the pointers of one block, and now and then those to the blocks. All zero: empty. */
struct inmem_block;
struct inmem_records {
	struct inmem_block **blocks, *spare;
	size_t count, room, spares;
};

/* NULL: there is none. */
struct inmem_record *inmem_records_find(const struct inmem_records *records, const struct store_id *id);
/* Room for so many more, until inmem_records_settle: that often inmem_records_put cannot fail. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err inmem_records_reserve(struct inmem_records *records, size_t more);
/* Gives back most of the room that was not needed. */
void inmem_records_settle(struct inmem_records *records);
/* Puts record, which is theirs now, into the place of the one with its id. Returns that one, which is the caller's now, or NULL. */
struct inmem_record *inmem_records_put(struct inmem_records *records, struct inmem_record *record);
/* Returns what is removed, which is the caller's now, or NULL. */
struct inmem_record *inmem_records_take(struct inmem_records *records, const struct store_id *id);

/* The first record that is not before id, and so on: until NULL. Good until the next change. */
struct inmem_place {
	size_t block, index;
};
struct inmem_place inmem_records_from(const struct inmem_records *records, const struct store_id *id);
const struct inmem_record *inmem_records_next(const struct inmem_records *records, struct inmem_place *place);

void inmem_records_free(struct inmem_records *records);

#endif
