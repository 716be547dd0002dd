/* Sorted sets of names, against a plain array: order of bytes, each once, walks that begin anywhere. */
#include <stdio.h>

#include "unit.h"

#include "keyring/internal.h"

static size_t walk(const struct name_set *set, const char *after, struct bulla_bytes *out, size_t size)
{
	struct name_place place = names_after(set, bulla_str(after));
	size_t n = 0;

	while (n < size && names_step(set, &place, &out[n]))
		n++;
	return n;
}

START_TEST(empty)
{
	struct name_set set = { 0 };
	struct bulla_bytes out[1];

	names_remove(&set, bulla_str("a"));
	ck_assert_uint_eq(walk(&set, "", out, 1), 0);
	ck_assert_uint_eq(walk(&set, "a", out, 1), 0);
	names_clear(&set);
}
END_TEST

START_TEST(order)
{
	static const char *const in[] = { "b", "A", "a", "10", "9", "B", "_x", "a.b", "a-b", "a" };
	static const char *const sorted[] = { "10", "9", "A", "B", "_x", "a", "a-b", "a.b", "b" };
	struct name_set set = { 0 };
	struct bulla_bytes out[16];

	for (size_t i = 0; i < sizeof in / sizeof in[0]; i++)
		ck_assert_ok(names_add(&set, bulla_str(in[i])));
	ck_assert_uint_eq(set.count, 9);
	ck_assert_uint_eq(walk(&set, "", out, 16), 9);
	for (size_t i = 0; i < 9; i++)
		ck_assert_bytes(out[i], sorted[i]);
	ck_assert_uint_eq(walk(&set, "B", out, 16), 5); /* exclusive */
	ck_assert_bytes(out[0], "_x");
	ck_assert_uint_eq(walk(&set, "aa", out, 16), 1); /* need not be there */
	ck_assert_uint_eq(walk(&set, "b", out, 16), 0);
	ck_assert_uint_eq(walk(&set, "zz", out, 16), 0);
	names_clear(&set);
	ck_assert_uint_eq(set.count, 0);
}
END_TEST

#define MANY 5000

/* 0 to MANY - 1 in an order that is not theirs. */
static unsigned shuffled(unsigned i)
{
	return (i * 1979u + 7u) % MANY; /* 1979 is prime and does not divide MANY */
}

static struct bulla_bytes number(unsigned i, char text[16])
{
	return bulla_mem(text, (size_t)snprintf(text, 16, "k%06u", i));
}

START_TEST(many)
{
	struct name_set set = { 0 };
	struct bulla_bytes name;
	char text[16], after[16];

	for (unsigned i = 0; i < MANY; i++)
		ck_assert_ok(names_add(&set, number(shuffled(i), text)));
	for (unsigned i = 0; i < MANY; i += 2)
		names_remove(&set, number(i, text));
	ck_assert_uint_eq(set.count, MANY / 2);
	for (unsigned i = 0; i < MANY; i++) {
		(void)number(i, after);
		struct name_place place = names_after(&set, bulla_str(after));
		unsigned expected = i % 2 ? i + 2 : i + 1;

		if (expected >= MANY) {
			ck_assert(!names_step(&set, &place, &name));
			continue;
		}
		ck_assert(names_step(&set, &place, &name));
		(void)number(expected, text);
		ck_assert_bytes(name, text);
	}
	for (unsigned i = 1; i < MANY; i += 2)
		names_remove(&set, number(shuffled(i) | 1, text));
	for (unsigned i = 1; i < MANY; i += 2)
		names_remove(&set, number(i, text));
	ck_assert_uint_eq(set.count, 0);
	ck_assert_uint_eq(set.bytes, 0);
	ck_assert_ok(names_add(&set, bulla_str("again")));
	names_clear(&set);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyring/names");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, empty);
	tcase_add_test(tc, order);
	tcase_add_test(tc, many);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
