/* inmem_records.c: owns the order of the records of a store in memory. */
#include "store/inmem_records.h"

#include <stdlib.h>
#include <string.h>

#include "bulla/memory.h"

#define BLOCK_RECORDS 128
#define SPARES_KEPT 4

struct inmem_block {
	size_t count;
	union {
		struct inmem_record *records[BLOCK_RECORDS];
		struct inmem_block *next; /* while it is spare */
	};
};

struct inmem_record *inmem_record_new(const struct store_id *id, struct bulla_bytes bytes)
{
	struct inmem_record *record = malloc(sizeof *record + bytes.len);

	if (record == NULL)
		return NULL;
	*record = (struct inmem_record){ .id = *id, .len = bytes.len };
	if (bytes.len > 0)
		memcpy(record->bytes, bytes.ptr, bytes.len);
	return record;
}

void inmem_record_free(struct inmem_record *record)
{
	if (record != NULL)
		bulla_wipe(record, sizeof *record + record->len);
	free(record);
}

static int compare(const struct inmem_record *record, const struct store_id *id)
{
	return memcmp(record->id.bytes, id->bytes, sizeof id->bytes);
}

/* ---- finding ------------------------------------------------------------------------------------------------------------ */

/* The last block that begins at or before id; the first, if none does. */
static size_t block_of(const struct inmem_records *records, const struct store_id *id)
{
	size_t low = 0, high = records->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (compare(records->blocks[middle]->records[0], id) <= 0)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The first in the block that is not before id. */
static size_t index_of(const struct inmem_block *block, const struct store_id *id)
{
	size_t low = 0, high = block->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(block->records[middle], id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct inmem_place inmem_records_from(const struct inmem_records *records, const struct store_id *id)
{
	if (records->count == 0)
		return (struct inmem_place){ 0, 0 };
	size_t block = block_of(records, id);

	return (struct inmem_place){ block, index_of(records->blocks[block], id) };
}

const struct inmem_record *inmem_records_next(const struct inmem_records *records, struct inmem_place *place)
{
	if (place->block < records->count && place->index == records->blocks[place->block]->count)
		*place = (struct inmem_place){ place->block + 1, 0 };
	if (place->block == records->count)
		return NULL;
	return records->blocks[place->block]->records[place->index++];
}

static bool is_at(const struct inmem_records *records, struct inmem_place at, const struct store_id *id)
{
	return at.block < records->count && at.index < records->blocks[at.block]->count &&
	       compare(records->blocks[at.block]->records[at.index], id) == 0;
}

struct inmem_record *inmem_records_find(const struct inmem_records *records, const struct store_id *id)
{
	struct inmem_place at = inmem_records_from(records, id);

	return is_at(records, at, id) ? records->blocks[at.block]->records[at.index] : NULL;
}

/* ---- changing ----------------------------------------------------------------------------------------------------------- */

static void give_spare(struct inmem_records *records, struct inmem_block *block)
{
	block->next = records->spare;
	records->spare = block;
	records->spares++;
}

static struct inmem_block *take_spare(struct inmem_records *records)
{
	struct inmem_block *block = records->spare;

	records->spare = block->next;
	records->spares--;
	block->count = 0;
	return block;
}

enum bulla_err inmem_records_reserve(struct inmem_records *records, size_t more)
{
	if (records->room < records->count + more) {
		size_t room = records->count + more + records->count / 2;
		struct inmem_block **larger = realloc(records->blocks, room * sizeof *larger);

		if (larger == NULL)
			return BULLA_E_NO_MEMORY;
		records->blocks = larger;
		records->room = room;
	}
	while (records->spares < more) {
		struct inmem_block *block = malloc(sizeof *block);

		if (block == NULL)
			return BULLA_E_NO_MEMORY;
		give_spare(records, block);
	}
	return BULLA_OK;
}

void inmem_records_settle(struct inmem_records *records)
{
	while (records->spares > SPARES_KEPT)
		free(take_spare(records));
}

static void insert_block(struct inmem_records *records, size_t at, struct inmem_block *block)
{
	memmove(records->blocks + at + 1, records->blocks + at, (records->count - at) * sizeof *records->blocks);
	records->blocks[at] = block;
	records->count++;
}

static void insert_record(struct inmem_block *block, size_t at, struct inmem_record *record)
{
	memmove(block->records + at + 1, block->records + at, (block->count - at) * sizeof *block->records);
	block->records[at] = record;
	block->count++;
}

/* The upper half of a full block becomes a block of its own. */
static void split(struct inmem_records *records, size_t at)
{
	struct inmem_block *low = records->blocks[at], *high = take_spare(records);

	high->count = BLOCK_RECORDS / 2;
	low->count = BLOCK_RECORDS - high->count;
	memcpy(high->records, low->records + low->count, high->count * sizeof *high->records);
	insert_block(records, at + 1, high);
}

struct inmem_record *inmem_records_put(struct inmem_records *records, struct inmem_record *record)
{
	struct inmem_place at = inmem_records_from(records, &record->id);

	if (is_at(records, at, &record->id)) {
		struct inmem_record *before = records->blocks[at.block]->records[at.index];

		records->blocks[at.block]->records[at.index] = record;
		return before;
	}
	if (records->count == 0) {
		insert_block(records, 0, take_spare(records));
	} else if (records->blocks[at.block]->count == BLOCK_RECORDS) {
		split(records, at.block);
		at = inmem_records_from(records, &record->id);
	}
	insert_record(records->blocks[at.block], at.index, record);
	return NULL;
}

struct inmem_record *inmem_records_take(struct inmem_records *records, const struct store_id *id)
{
	struct inmem_place at = inmem_records_from(records, id);

	if (!is_at(records, at, id))
		return NULL;
	struct inmem_block *block = records->blocks[at.block];
	struct inmem_record *record = block->records[at.index];

	block->count--;
	memmove(block->records + at.index, block->records + at.index + 1, (block->count - at.index) * sizeof *block->records);
	if (block->count == 0) {
		records->count--;
		memmove(records->blocks + at.block, records->blocks + at.block + 1, (records->count - at.block) * sizeof *records->blocks);
		give_spare(records, block);
	}
	return record;
}

void inmem_records_free(struct inmem_records *records)
{
	for (size_t i = 0; i < records->count; i++) {
		for (size_t j = 0; j < records->blocks[i]->count; j++)
			inmem_record_free(records->blocks[i]->records[j]);
		free(records->blocks[i]);
	}
	while (records->spares > 0)
		free(take_spare(records));
	free(records->blocks);
	*records = (struct inmem_records){ 0 };
}
