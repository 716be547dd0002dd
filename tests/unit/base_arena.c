/* The arena: what it refuses, that nothing overlaps or moves, and that nothing is left in it. */
#include "scan.h"
#include <malloc.h>

#include "unit.h"

START_TEST(too_large)
{
	struct bulla_arena *arena = bulla_arena_new(64);

	ck_assert_ptr_null(bulla_arena_alloc(arena, SIZE_MAX));
	ck_assert_ptr_null(bulla_arena_alloc(arena, SIZE_MAX - 15));
	ck_assert_ptr_null(bulla_arena_alloc(arena, SIZE_MAX / 2 + 1));
	ck_assert_ptr_null(bulla_arena_copy(arena, bulla_mem("x", SIZE_MAX)).ptr);
	ck_assert_ptr_nonnull(bulla_arena_alloc(arena, 1)); /* a refusal harms nothing */
	bulla_arena_free(arena);
	ck_assert_ptr_null(bulla_arena_new(SIZE_MAX));
	ck_assert_ptr_null(bulla_arena_new(SIZE_MAX - 8));
	bulla_arena_free(NULL);
}
END_TEST

/* Every piece keeps its own pattern while others come: no overlap, no move, aligned, zeroed. */
START_TEST(pieces_stand)
{
	enum { COUNT = 400 };
	struct bulla_arena *arena = bulla_arena_new((size_t)_i);
	uint8_t *pieces[COUNT];
	size_t wrong = 0;

	for (size_t i = 0; i < COUNT; i++) {
		size_t n = i * i % 997;

		pieces[i] = bulla_arena_alloc(arena, n);
		ck_assert_ptr_nonnull(pieces[i]);
		ck_assert_uint_eq((uintptr_t)pieces[i] % 16, 0);
		for (size_t at = 0; at < n; at++)
			wrong += pieces[i][at] != 0;
		memset(pieces[i], (int)(i % 255) + 1, n);
	}
	for (size_t i = 0; i < COUNT; i++)
		for (size_t at = 0; at < i * i % 997; at++)
			wrong += pieces[i][at] != (uint8_t)(i % 255 + 1);
	ck_assert_uint_eq(wrong, 0);
	bulla_arena_free(arena);
}
END_TEST

START_TEST(large_piece)
{
	struct bulla_arena *arena = bulla_arena_new(256);
	uint8_t *large = bulla_arena_alloc(arena, (size_t)5 << 20), *small = bulla_arena_alloc(arena, 32);

	ck_assert_ptr_nonnull(large);
	ck_assert_ptr_nonnull(small);
	memset(large, 0xA5, (size_t)5 << 20);
	ck_assert_uint_eq(small[0], 0);
	bulla_arena_free(arena);
}
END_TEST

/* A call mostly needs as much as the last: its largest block stays, but for one that is too large to be kept for nothing. */
START_TEST(reset_starts_anew)
{
	struct bulla_arena *arena = bulla_arena_new(256);
	uint8_t *first = bulla_arena_alloc(arena, 200), *second = bulla_arena_alloc(arena, 10000);

	ck_assert_ptr_nonnull(first);
	memset(first, 0xA5, 200);
	memset(second, 0xA5, 10000);
	ck_assert_ptr_nonnull(bulla_arena_alloc(arena, 1 << 20)); /* a third, which goes */
	bulla_arena_reset(arena);
	uint8_t *again = bulla_arena_alloc(arena, 10000);

	ck_assert_ptr_eq(again, second);
	for (size_t i = 0; i < 10000; i++)
		ck_assert_uint_eq(again[i], 0);
	bulla_arena_reset(arena);
	bulla_arena_reset(arena);
	bulla_arena_free(arena);
}
END_TEST

START_TEST(first_block_stays)
{
	struct bulla_arena *arena = bulla_arena_new(1 << 18);
	uint8_t *first = bulla_arena_alloc(arena, 1 << 18);

	memset(first, 0xA5, 1 << 18);
	ck_assert_ptr_nonnull(bulla_arena_alloc(arena, 100));
	bulla_arena_reset(arena);
	ck_assert_ptr_eq(bulla_arena_alloc(arena, 100), first); /* there must be one */
	bulla_arena_free(arena);
}
END_TEST

#ifndef BULLA_SANITIZER /* which has an allocator of its own */
/* What is large has a block of its own behind the newest, and is not kept, however the blocks lie. */
START_TEST(large_ones_go)
{
	struct bulla_arena *arena = bulla_arena_new(4096);

	for (int i = 0; i < 4; i++) {
		size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;

		ck_assert_ptr_nonnull(bulla_arena_alloc(arena, 100));
		ck_assert_ptr_nonnull(bulla_arena_raw(arena, 1 << 20));
		ck_assert_uint_ge(mallinfo2().uordblks + mallinfo2().hblkhd, before + (1 << 20));
		bulla_arena_reset(arena);
		ck_assert_uint_lt(mallinfo2().uordblks + mallinfo2().hblkhd, before + (1 << 17) + 4096);
	}
	bulla_arena_free(arena);
}
END_TEST
#endif

START_TEST(copies)
{
	struct bulla_arena *arena = bulla_arena_new(16);
	struct bulla_bytes copy = bulla_arena_copy(arena, bulla_mem("a\0b", 3));
	struct bulla_bytes nothing = bulla_arena_copy(arena, bulla_mem(NULL, 0));

	ck_assert_uint_eq(copy.len, 3);
	ck_assert_mem_eq(copy.ptr, "a\0b\0", 4);
	ck_assert_ptr_nonnull(nothing.ptr);
	ck_assert_uint_eq(nothing.len, 0);
	ck_assert_uint_eq(nothing.ptr[0], 0);
	bulla_arena_free(arena);
}
END_TEST

START_TEST(prints)
{
	struct bulla_arena *arena = bulla_arena_new(16);
	struct bulla_bytes text = bulla_arena_printf(arena, "%s-%05d", "version", 42);
	struct bulla_bytes wide = bulla_arena_printf(arena, "%5000s", "x");
	struct bulla_bytes empty = bulla_arena_printf(arena, "%s", "");

	ck_assert_bytes(text, "version-00042");
	ck_assert_uint_eq(text.ptr[text.len], 0);
	ck_assert_uint_eq(wide.len, 5000);
	ck_assert_uint_eq(wide.ptr[4999], 'x');
	ck_assert_ptr_nonnull(empty.ptr);
	ck_assert_uint_eq(empty.len, 0);
	bulla_arena_free(arena);
}
END_TEST

#ifndef BULLA_SANITIZER

/* Puts the needle into a small and a large piece of the arena. */
__attribute__((noinline)) static void hide(struct bulla_arena *arena, const struct scan_needle *needle)
{
	scan_unmask(needle, bulla_arena_alloc(arena, SCAN_BYTES));
	scan_unmask(needle, (uint8_t *)bulla_arena_alloc(arena, 100000) + 99984);
	ck_assert_uint_eq(scan_count(needle), 2);
}

START_TEST(nothing_is_left)
{
	struct bulla_arena *arena = bulla_arena_new(1024);
	struct scan_needle needle;

	ck_assert_ok(random_bytes(&needle, sizeof needle));
	hide(arena, &needle);
	bulla_arena_reset(arena);
	ck_assert_uint_eq(scan_count(&needle), 0);
	hide(arena, &needle);
	bulla_arena_free(arena);
	ck_assert_uint_eq(scan_count(&needle), 0);
}
END_TEST

#endif

int main(void)
{
	Suite *suite = suite_create("base/arena");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, too_large);
	tcase_add_loop_test(tc, pieces_stand, 0, 70);
	tcase_add_test(tc, large_piece);
	tcase_add_test(tc, reset_starts_anew);
	tcase_add_test(tc, first_block_stays);
#ifndef BULLA_SANITIZER /* which has an allocator of its own */
	tcase_add_test(tc, large_ones_go);
#endif
	tcase_add_test(tc, copies);
	tcase_add_test(tc, prints);
#ifndef BULLA_SANITIZER
	tcase_add_test(tc, nothing_is_left);
#endif
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
