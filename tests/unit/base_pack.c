/* The layout of records: what is too short, too long or claims too much is refused; what was packed comes back. */
#include "unit.h"

#include "base/pack.h"

static struct bulla_bytes sample(struct bulla_call *call)
{
	struct pack p = { .arena = call->arena };
	struct bulla_bytes packed;

	pack_u8(&p, 0xFE);
	pack_u32(&p, 0x01020304);
	pack_u64(&p, UINT64_C(0x05060708090a0b0c));
	pack_i64(&p, -2);
	pack_raw(&p, "raw", 3);
	pack_bytes(&p, bulla_str("bytes"));
	pack_bytes(&p, bulla_mem(NULL, 0));
	ck_assert_ok(pack_finish(&p, &packed));
	return packed;
}

START_TEST(layout)
{
	static const uint8_t expected[] = { 0xFE, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
					    0xFE, 'r', 'a', 'w', 0, 0, 0, 5, 'b', 'y', 't', 'e', 's', 0, 0, 0, 0 };
	struct bulla_call call = call_begin();
	struct bulla_bytes packed = sample(&call);

	ck_assert(bulla_equal(packed, bulla_mem(expected, sizeof expected)));
	call_end(&call);
}
END_TEST

static enum bulla_err read_all(struct bulla_bytes from)
{
	struct unpack u = { .ptr = from.ptr, .left = from.len };
	bool right = unpack_u8(&u) == 0xFE;

	right &= unpack_u32(&u) == 0x01020304;
	right &= unpack_u64(&u) == UINT64_C(0x05060708090a0b0c);
	right &= unpack_i64(&u) == -2;
	const uint8_t *raw = unpack_raw(&u, 3);

	right &= raw != NULL && memcmp(raw, "raw", 3) == 0;
	right &= bulla_is(unpack_bytes(&u), "bytes");
	right &= unpack_bytes(&u).len == 0;
	ck_assert(right || u.failed);
	return unpack_finish(&u);
}

START_TEST(every_cut_is_damage)
{
	struct bulla_call call = call_begin();
	struct bulla_bytes packed = sample(&call);
	uint8_t *longer = malloc(packed.len + 1);

	for (size_t n = 0; n < packed.len; n++) {
		uint8_t *cut = malloc(n + (n == 0)); /* exact, for ASan */

		memcpy(cut, packed.ptr, n);
		ck_assert_err(read_all(bulla_mem(cut, n)), BULLA_E_STORE_DAMAGED);
		free(cut);
	}
	ck_assert_ok(read_all(packed));
	memcpy(longer, packed.ptr, packed.len);
	longer[packed.len] = 0;
	ck_assert_err(read_all(bulla_mem(longer, packed.len + 1)), BULLA_E_STORE_DAMAGED);
	free(longer);
	call_end(&call);
}
END_TEST

START_TEST(a_failure_sticks)
{
	static const uint8_t bytes[] = { 0, 0, 0, 9, 'a', 7 };
	struct unpack u = { .ptr = bytes, .left = sizeof bytes };

	ck_assert_uint_eq(unpack_bytes(&u).len, 0); /* says 9, has 2 */
	ck_assert(u.failed);
	ck_assert_uint_eq(unpack_u8(&u), 0);
	ck_assert_uint_eq(unpack_u32(&u), 0);
	ck_assert_uint_eq(unpack_u64(&u), 0);
	ck_assert_int_eq(unpack_i64(&u), 0);
	ck_assert_ptr_null(unpack_raw(&u, 1));
	ck_assert_err(unpack_finish(&u), BULLA_E_STORE_DAMAGED);
}
END_TEST

/* A count that cannot be true must fail before anybody allocates for it. */
START_TEST(counts)
{
	static const uint8_t two[] = { 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8 }, most[] = { 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4 };
	struct unpack u = { .ptr = two, .left = sizeof two };

	ck_assert_uint_eq(unpack_count(&u, 4), 2);
	ck_assert(!u.failed);
	u = (struct unpack){ .ptr = two, .left = sizeof two };
	ck_assert_uint_eq(unpack_count(&u, 5), 0);
	ck_assert(u.failed);
	u = (struct unpack){ .ptr = most, .left = sizeof most };
	ck_assert_uint_eq(unpack_count(&u, 1), 0);
	ck_assert(u.failed);
	u = (struct unpack){ .ptr = most, .left = sizeof most };
	ck_assert_uint_eq(unpack_count(&u, SIZE_MAX), 0);
	ck_assert(u.failed);
	u = (struct unpack){ .ptr = two, .left = 3 };
	ck_assert_uint_eq(unpack_count(&u, 1), 0);
	ck_assert(u.failed);
}
END_TEST

/* In the order given, keys that are there twice too; every cut is damage, and so is a count that cannot be true. */
START_TEST(pairs)
{
	static const uint8_t expected[] = { 0, 0, 0, 2, 0, 0, 0, 1, 'k', 0, 0, 0, 2, 'v', 'w', 0, 0, 0, 1, 'k', 0, 0, 0, 0 },
			     most[] = { 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0 };
	const struct bulla_pair given[] = { { bulla_str("k"), bulla_str("vw") }, { bulla_str("k"), bulla_str("") } }, *found;
	struct bulla_call call = call_begin();
	struct pack p = { .arena = call.arena };
	struct bulla_bytes packed;
	size_t count;

	pack_pairs(&p, given, 2);
	ck_assert_ok(pack_finish(&p, &packed));
	ck_assert(bulla_equal(packed, bulla_mem(expected, sizeof expected)));
	for (size_t n = 0; n <= packed.len; n++) {
		struct unpack u = { .ptr = packed.ptr, .left = n };

		ck_assert_ok(unpack_pairs(&u, call.arena, &found, &count));
		ck_assert_int_eq(unpack_finish(&u), n == packed.len ? BULLA_OK : BULLA_E_STORE_DAMAGED);
	}
	ck_assert_uint_eq(count, 2);
	for (size_t i = 0; i < count; i++)
		ck_assert(bulla_equal(found[i].key, given[i].key) && bulla_equal(found[i].value, given[i].value));
	struct unpack u = { .ptr = most, .left = sizeof most };

	ck_assert_ok(unpack_pairs(&u, call.arena, &found, &count));
	ck_assert_uint_eq(count, 0);
	ck_assert_err(unpack_finish(&u), BULLA_E_STORE_DAMAGED);
	call_end(&call);
}
END_TEST

START_TEST(grows)
{
	struct bulla_call call = call_begin();
	struct pack p = { .arena = call.arena };
	struct bulla_bytes packed;

	for (uint32_t i = 0; i < 20000; i++)
		pack_u32(&p, i);
	ck_assert_ok(pack_finish(&p, &packed));
	struct unpack u = { .ptr = packed.ptr, .left = packed.len };
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < 20000; i++)
		wrong += unpack_u32(&u) != i;
	ck_assert_uint_eq(wrong, 0);
	ck_assert_ok(unpack_finish(&u));
	pack_raw(&p, "x", SIZE_MAX); /* cannot be: and it sticks */
	pack_u8(&p, 1);
	ck_assert_err(pack_finish(&p, &packed), BULLA_E_NO_MEMORY);
	call_end(&call);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/pack");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, every_cut_is_damage);
	tcase_add_test(tc, pairs);
	tcase_add_test(tc, a_failure_sticks);
	tcase_add_test(tc, counts);
	tcase_add_test(tc, layout);
	tcase_add_test(tc, grows);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
