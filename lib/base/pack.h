/* pack.h: the layout of what is sealed into records: big-endian integers and length-prefixed bytes, one after another.
 * A failure sticks: check once at the end. One thread at a time. */
#ifndef BULLA_BASE_PACK_H
#define BULLA_BASE_PACK_H

#include "bulla/memory.h"

/* Grows in the arena. Start with { .arena = ... }. */
struct pack {
	struct bulla_arena *arena;
	uint8_t *ptr;
	size_t len, cap;
	bool failed; /* no memory */
};

void pack_u8(struct pack *pack, uint8_t value);
void pack_u32(struct pack *pack, uint32_t value);
void pack_u64(struct pack *pack, uint64_t value);
void pack_i64(struct pack *pack, int64_t value); /* two's complement */
/* Fixed size: the bytes alone. */
void pack_raw(struct pack *pack, const void *bytes, size_t n);
/* u32 length, then the bytes. */
void pack_bytes(struct pack *pack, struct bulla_bytes bytes);
/* u32 count, then each as pack_bytes. */
void pack_list(struct pack *pack, const struct bulla_bytes *items, size_t count);
/* u32 count, then of each the key and the value as pack_bytes. */
void pack_pairs(struct pack *pack, const struct bulla_pair *pairs, size_t count);
/* NO_MEMORY; else *out borrows from the arena. */
BULLA_MUST_USE enum bulla_err pack_finish(const struct pack *pack, struct bulla_bytes *out);

/* Start with { .ptr, .left }. After a failure every value is 0 or empty. */
struct unpack {
	const uint8_t *ptr;
	size_t left;
	bool failed; /* too short */
};

uint8_t unpack_u8(struct unpack *unpack);
uint32_t unpack_u32(struct unpack *unpack);
uint64_t unpack_u64(struct unpack *unpack);
int64_t unpack_i64(struct unpack *unpack);
/* n bytes, borrowed; NULL after a failure. */
const uint8_t *unpack_raw(struct unpack *unpack, size_t n);
struct bulla_bytes unpack_bytes(struct unpack *unpack);
/* A count of elements that take at least min_bytes each: fails where so many cannot follow, so that a caller may allocate. */
uint32_t unpack_count(struct unpack *unpack, size_t min_bytes);
/* What pack_list has packed: the list is in the arena, its elements are borrowed. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err unpack_list(struct unpack *unpack, struct bulla_arena *arena, const struct bulla_bytes **items,
					  size_t *count);
/* The same of pack_pairs. */
BULLA_MUST_USE enum bulla_err unpack_pairs(struct unpack *unpack, struct bulla_arena *arena, const struct bulla_pair **pairs,
					   size_t *count);
/* STORE_DAMAGED unless all was there and nothing is left over. */
BULLA_MUST_USE enum bulla_err unpack_finish(const struct unpack *unpack);

#endif
