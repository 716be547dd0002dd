/* unit.h: what the unit tests share: a call to make calls with, and a main. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

#include "bulla/call.h"
#include "crypto/crypto.h"

/* A call that may block, on an arena of its own. Free with call_end. */
static inline struct bulla_call call_begin(void)
{
	struct bulla_call call = { .arena = bulla_arena_new(4096), .may_block = true };

	ck_assert_ptr_nonnull(call.arena);
	return call;
}

static inline void call_end(struct bulla_call *call)
{
	bulla_arena_free(call->arena);
	call->arena = NULL;
}

#define ck_assert_ok(expr) ck_assert_int_eq((expr), BULLA_OK)
#define ck_assert_err(expr, err) ck_assert_int_eq((expr), (err))
#define ck_assert_bytes(bytes, text)                                                     \
	do {                                                                             \
		struct bulla_bytes bytes_ = (bytes);                                     \
		ck_assert_uint_eq(bytes_.len, strlen(text));                             \
		if (bytes_.len > 0)                                                      \
			ck_assert_int_eq(memcmp(bytes_.ptr, (text), bytes_.len), 0);     \
	} while (0)

/* Runs one suite; the exit status is Make's. Locked memory is not demanded: a test machine may forbid it. */
static inline int unit_main(Suite *suite)
{
	if (bulla_memory_init(false) != BULLA_OK || crypto_init() != BULLA_OK)
		return 99;
	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
