/* fuzz.h: what a fuzz target gives and gets. Each target is one file with LLVMFuzzerTestOneInput, linked either with replay.c
 * (make check: the corpus and seeded mutations of it) or with libFuzzer (run.sh: for as long as you like). */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "bulla/call.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise of the code under test. */
#define require(condition)                                                                       \
	do {                                                                                     \
		if (!(condition)) {                                                              \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                 \
		}                                                                                \
	} while (0)

static inline struct bulla_call fuzz_call(void)
{
	struct bulla_call call = { .arena = bulla_arena_new(4096), .may_block = true };

	require(call.arena != NULL);
	return call;
}

static inline void fuzz_call_end(struct bulla_call *call)
{
	bulla_arena_free(call->arena);
}

/* A copy of just this size, so that ASan sees a read past it. */
static inline struct bulla_bytes fuzz_exact(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	require(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	return bulla_mem(copy, size);
}

static inline void fuzz_free(struct bulla_bytes bytes)
{
	free((void *)(uintptr_t)bytes.ptr);
}

#endif
