/* arena.c: owns the memory of one call: blocks that only grow and are wiped whole; one is kept from call to call. One thread at a time. */
#include <stdio.h>
#include <stdlib.h>

#include "bulla/memory.h"

#define ALIGN 16
#define STEP_BYTES 65536  /* blocks double up to here */
#define LEFT_BYTES 1024   /* so much is left in a block that it is worth filling */
#define KEEP_BYTES 131072 /* a block of up to this size is kept for the next call, which mostly needs as much as the last */

struct block {
	struct block *older;
	size_t size, used; /* bytes behind this header */
};

_Static_assert(sizeof(struct block) % ALIGN == 8, "payload() rounds up");
#define HEADER (sizeof(struct block) + 8)

struct bulla_arena {
	struct block *newest;
	size_t first_bytes;
};

static uint8_t *payload(struct block *b)
{
	return (uint8_t *)b + HEADER;
}

static struct block *block_new(size_t size, struct block *older)
{
	struct block *b = size > SIZE_MAX - HEADER ? NULL : malloc(HEADER + size);

	if (b == NULL) {
		bulla_shortage_note();
		return NULL;
	}
	*b = (struct block){ .older = older, .size = size };
	return b;
}

static void block_free(struct block *b)
{
	bulla_wipe(payload(b), b->used);
	free(b);
}

struct bulla_arena *bulla_arena_new(size_t first_bytes)
{
	struct bulla_arena *arena = malloc(sizeof *arena);

	if (arena == NULL)
		return NULL;
	arena->first_bytes = first_bytes;
	arena->newest = block_new(first_bytes, NULL);
	if (arena->newest == NULL) {
		free(arena);
		return NULL;
	}
	return arena;
}

/* The largest block that may be kept: what was needed once is mostly needed again. There is one: that which the arena began with. */
static struct block *choose_kept(const struct bulla_arena *arena)
{
	size_t most = arena->first_bytes > KEEP_BYTES ? arena->first_bytes : KEEP_BYTES;
	struct block *kept = NULL;

	for (struct block *b = arena->newest; b != NULL; b = b->older)
		if (b->size <= most && (kept == NULL || b->size > kept->size))
			kept = b;
	return kept;
}

void bulla_arena_reset(struct bulla_arena *arena)
{
	struct block *kept = choose_kept(arena);

	for (struct block *b = arena->newest, *older; b != NULL; b = older) {
		older = b->older;
		if (b == kept)
			bulla_wipe(payload(b), b->used);
		else
			block_free(b);
	}
	kept->older = NULL;
	kept->used = 0;
	arena->newest = kept;
}

void bulla_arena_free(struct bulla_arena *arena)
{
	if (arena == NULL)
		return;
	bulla_arena_reset(arena);
	free(arena->newest);
	free(arena);
}

/* A block for need more bytes. What is large gets one of just its size, behind the newest, of which the rest is used on; blocks double
 * up to STEP_BYTES: a body of 64 KiB must not cost one of 256. */
static struct block *add_block(struct bulla_arena *arena, size_t need)
{
	struct block *newest = arena->newest;
	size_t size = newest->size * 2 < STEP_BYTES ? newest->size * 2 : STEP_BYTES;
	struct block *b = block_new(need > size ? need : size, newest);

	if (b == NULL)
		return NULL;
	if (need > size / 2 && newest->size - newest->used >= LEFT_BYTES) {
		b->older = newest->older;
		newest->older = b;
	} else {
		arena->newest = b;
	}
	return b;
}

void *bulla_arena_raw(struct bulla_arena *arena, size_t n)
{
	struct block *b = arena->newest;

	if (n > SIZE_MAX / 2)
		return NULL;
	size_t need = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);

	if (b->size - b->used < need)
		b = add_block(arena, need);
	if (b == NULL)
		return NULL;
	void *p = payload(b) + b->used;

	b->used += need;
	return p;
}

void *bulla_arena_alloc(struct bulla_arena *arena, size_t n)
{
	void *p = bulla_arena_raw(arena, n);

	if (p != NULL)
		memset(p, 0, n);
	return p;
}

struct bulla_bytes bulla_arena_copy(struct bulla_arena *arena, struct bulla_bytes bytes)
{
	uint8_t *p = bytes.len == SIZE_MAX ? NULL : bulla_arena_raw(arena, bytes.len + 1);

	if (p == NULL)
		return (struct bulla_bytes){ 0 };
	if (bytes.len > 0)
		memcpy(p, bytes.ptr, bytes.len);
	p[bytes.len] = 0;
	return bulla_mem(p, bytes.len);
}

struct bulla_bytes bulla_arena_vprintf(struct bulla_arena *arena, const char *format, va_list args)
{
	va_list again;

	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, again);

	va_end(again);
	char *p = n < 0 ? NULL : bulla_arena_raw(arena, (size_t)n + 1);

	if (p == NULL)
		return (struct bulla_bytes){ 0 };
	vsnprintf(p, (size_t)n + 1, format, args);
	return bulla_mem(p, (size_t)n);
}

struct bulla_bytes bulla_arena_printf(struct bulla_arena *arena, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct bulla_bytes text = bulla_arena_vprintf(arena, format, args);

	va_end(args);
	return text;
}
