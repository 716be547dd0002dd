/* names.c: owns sorted sets of names. Not thread-safe: list.c locks. */
#include "keyring/internal.h"

#include <stdlib.h>

#define BLOCK_NAMES 256

struct name {
	size_t len;
	uint8_t text[];
};

struct name_block {
	size_t count;
	struct name *names[BLOCK_NAMES];
};

static struct bulla_bytes bytes_of(const struct name *name)
{
	return bulla_mem(name->text, name->len);
}

/* The block in which name is or belongs: the last one that does not begin behind it. */
static size_t block_of(const struct name_set *set, struct bulla_bytes name)
{
	size_t low = 0, high = set->block_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (bulla_compare(bytes_of(set->blocks[middle]->names[0]), name) <= 0)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The first place in the block whose name is not before name; *found: it is that very name. */
static size_t index_of(const struct name_block *block, struct bulla_bytes name, bool *found)
{
	size_t low = 0, high = block->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (bulla_compare(bytes_of(block->names[middle]), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*found = low < block->count && bulla_equal(bytes_of(block->names[low]), name);
	return low;
}

/* Makes room for a block at place. */
static enum bulla_err insert_block(struct name_set *set, size_t place)
{
	struct name_block *block = calloc(1, sizeof *block);

	if (block == NULL)
		return BULLA_E_NO_MEMORY;
	if (set->block_count == set->block_size) {
		size_t size = set->block_size ? set->block_size * 2 : 8;
		struct name_block **grown = realloc(set->blocks, size * sizeof *grown);

		if (grown == NULL) {
			free(block);
			return BULLA_E_NO_MEMORY;
		}
		set->blocks = grown;
		set->block_size = size;
	}
	memmove(&set->blocks[place + 1], &set->blocks[place], (set->block_count - place) * sizeof *set->blocks);
	set->blocks[place] = block;
	set->block_count++;
	return BULLA_OK;
}

/* The upper half of a full block goes to a new one behind it. */
static enum bulla_err split(struct name_set *set, size_t place)
{
	TRY(insert_block(set, place + 1));
	struct name_block *full = set->blocks[place], *fresh = set->blocks[place + 1];

	fresh->count = full->count / 2;
	full->count -= fresh->count;
	memcpy(fresh->names, &full->names[full->count], fresh->count * sizeof fresh->names[0]);
	return BULLA_OK;
}

static struct name *name_copy(struct bulla_bytes bytes)
{
	struct name *name = malloc(sizeof *name + bytes.len);

	if (name == NULL)
		return NULL;
	name->len = bytes.len;
	if (bytes.len > 0)
		memcpy(name->text, bytes.ptr, bytes.len);
	return name;
}

enum bulla_err names_add(struct name_set *set, struct bulla_bytes name)
{
	bool found;

	if (set->block_count == 0)
		TRY(insert_block(set, 0));
	size_t place = block_of(set, name);
	size_t index = index_of(set->blocks[place], name, &found);

	if (found)
		return BULLA_OK;
	if (set->blocks[place]->count == BLOCK_NAMES) {
		TRY(split(set, place));
		place = block_of(set, name);
		index = index_of(set->blocks[place], name, &found);
	}
	struct name_block *block = set->blocks[place];
	struct name *copy = name_copy(name);

	if (copy == NULL)
		return BULLA_E_NO_MEMORY;
	memmove(&block->names[index + 1], &block->names[index], (block->count - index) * sizeof block->names[0]);
	block->names[index] = copy;
	block->count++;
	set->count++;
	set->bytes += name.len;
	return BULLA_OK;
}

static void remove_block(struct name_set *set, size_t place)
{
	free(set->blocks[place]);
	set->block_count--;
	memmove(&set->blocks[place], &set->blocks[place + 1], (set->block_count - place) * sizeof *set->blocks);
}

void names_remove(struct name_set *set, struct bulla_bytes name)
{
	bool found = false;

	if (set->block_count == 0)
		return;
	size_t place = block_of(set, name);
	struct name_block *block = set->blocks[place];
	size_t index = index_of(block, name, &found);

	if (!found)
		return;
	set->count--;
	set->bytes -= name.len;
	free(block->names[index]);
	block->count--;
	memmove(&block->names[index], &block->names[index + 1], (block->count - index) * sizeof block->names[0]);
	if (block->count == 0)
		remove_block(set, place);
}

void names_clear(struct name_set *set)
{
	for (size_t i = 0; i < set->block_count; i++) {
		for (size_t n = 0; n < set->blocks[i]->count; n++)
			free(set->blocks[i]->names[n]);
		free(set->blocks[i]);
	}
	free(set->blocks);
	*set = (struct name_set){ 0 };
}

struct name_place names_after(const struct name_set *set, struct bulla_bytes after)
{
	struct name_place place = { 0 };
	bool found = false;

	if (after.len == 0 || set->block_count == 0)
		return place;
	place.block = block_of(set, after);
	place.index = index_of(set->blocks[place.block], after, &found);
	if (found)
		place.index++;
	return place;
}

bool names_step(const struct name_set *set, struct name_place *place, struct bulla_bytes *name)
{
	while (place->block < set->block_count && place->index >= set->blocks[place->block]->count)
		*place = (struct name_place){ .block = place->block + 1 };
	if (place->block >= set->block_count)
		return false;
	*name = bytes_of(set->blocks[place->block]->names[place->index++]);
	return true;
}
