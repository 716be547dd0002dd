/* Cases of lib/transit/binding.c: what is refused, then the encoding byte by byte. */
#include <stdio.h>

#include "bulla/encode.h"
#include "bulla/transit.h"
#include "unit.h"

#define PAIR(k, v) { { (const uint8_t *)(k), strlen(k) }, { (const uint8_t *)(v), strlen(v) } }
#define BIND(p) { .pairs = (p), .pair_count = sizeof(p) / sizeof(p)[0] }

static struct bulla_call call;

static void setup(void)
{
	call = call_begin();
}

static void teardown(void)
{
	call_end(&call);
}

static struct bulla_bytes encoded(const struct bulla_binding *binding)
{
	struct bulla_bytes out = { 0 };

	ck_assert_ok(bulla_binding_encode(&call, binding, &out));
	return out;
}

static void refused(const struct bulla_binding *binding, enum bulla_err err, const char *text)
{
	struct bulla_bytes out = { (const uint8_t *)"untouched", 9 };

	call.detail = (struct bulla_bytes){ 0 };
	ck_assert_err(bulla_binding_encode(&call, binding, &out), err);
	ck_assert_bytes(call.detail, text);
	ck_assert_bytes(out, "untouched");
}

static void same(struct bulla_bytes got, const char *hex)
{
	char *text = malloc(2 * got.len + 1);

	ck_assert_ptr_nonnull(text);
	bulla_hex_encode(got, text);
	text[2 * got.len] = 0;
	ck_assert_str_eq(text, hex);
	free(text);
}

START_TEST(a_key_twice)
{
	const struct bulla_pair pairs[] = { PAIR("a", "1"), PAIR("b", "1"), PAIR("a", "2") };
	const struct bulla_binding b = BIND(pairs);

	refused(&b, BULLA_E_INVALID, "a key of encryption_context stands there twice");
}
END_TEST

START_TEST(an_empty_key)
{
	const struct bulla_pair pairs[] = { PAIR("b", "1"), PAIR("", "2") };
	const struct bulla_binding b = BIND(pairs);

	refused(&b, BULLA_E_INVALID, "a key of encryption_context is empty");
}
END_TEST

START_TEST(a_part_too_long)
{
	static const uint8_t long_part[BULLA_BINDING_MAX_PART + 1];
	struct bulla_pair pairs[] = { { { long_part, sizeof long_part }, { NULL, 0 } } };
	const struct bulla_binding b = BIND(pairs);

	refused(&b, BULLA_E_INVALID, "a key or value of encryption_context is longer than 65536 bytes");
	pairs[0] = (struct bulla_pair){ bulla_str("k"), { long_part, sizeof long_part } };
	refused(&b, BULLA_E_INVALID, "a key or value of encryption_context is longer than 65536 bytes");
	pairs[0] = (struct bulla_pair){ { long_part, sizeof long_part - 1 }, { long_part, sizeof long_part - 1 } };
	ck_assert_uint_eq(encoded(&b).len, 16 + 4 + 2 * (4 + BULLA_BINDING_MAX_PART));
}
END_TEST

START_TEST(too_many_pairs)
{
	static struct bulla_pair pairs[BULLA_BINDING_MAX_PAIRS + 1];
	static char names[BULLA_BINDING_MAX_PAIRS + 1][8];

	for (size_t i = 0; i <= BULLA_BINDING_MAX_PAIRS; i++) {
		snprintf(names[i], sizeof names[i], "%zu", i);
		pairs[i].key = bulla_str(names[i]);
	}
	struct bulla_binding b = { .pairs = pairs, .pair_count = BULLA_BINDING_MAX_PAIRS + 1 };

	refused(&b, BULLA_E_INVALID, "encryption_context has more than 1024 pairs");
	b.pair_count--;
	encoded(&b);
}
END_TEST

START_TEST(reserved_prefix)
{
	static const uint8_t raw[] = "bulla:context:1\0and more";
	const struct bulla_pair pairs[] = { PAIR("a", "1") };
	struct bulla_binding b = { .aad = { raw, sizeof raw } };
	const char *text = "associated_data begins with bytes that are reserved for encryption_context";

	refused(&b, BULLA_E_INVALID, text);
	b.aad.len = 16;
	refused(&b, BULLA_E_INVALID, text);
	b.pairs = pairs, b.pair_count = 1;
	refused(&b, BULLA_E_INVALID, text);
	b.pair_count = 0;
	b.aad.len = 15; /* without the NUL it is anybody's text */
	ck_assert_bytes(encoded(&b), "bulla:context:1");
}
END_TEST

START_TEST(bad_base64)
{
	const struct bulla_binding b = { .aad_bad = true, .aad_bad_at = 7 };

	refused(&b, BULLA_E_INVALID_500,
		"unable to get associated_data/additional_data from factory[0]: illegal base64 data at input byte 7");
}
END_TEST

START_TEST(raw_alone)
{
	struct bulla_binding b = { 0 };

	ck_assert_uint_eq(encoded(&b).len, 0);
	b.aad = bulla_str("anything at all");
	ck_assert_bytes(encoded(&b), "anything at all");
}
END_TEST

START_TEST(vectors)
{
	const struct bulla_pair one[] = { PAIR("purpose", "pan") };
	const struct bulla_pair two[] = { PAIR("b", ""), PAIR("a", "1") };
	struct bulla_binding b = BIND(one);

	same(encoded(&b), "62756c6c613a636f6e746578743a3100" "00000001" "00000007" "707572706f7365" "00000003" "70616e");
	b.aad = bulla_str("raw");
	same(encoded(&b), "62756c6c613a636f6e746578743a3100" "00000001" "00000007" "707572706f7365" "00000003" "70616e" "726177");
	b = (struct bulla_binding)BIND(two);
	same(encoded(&b), "62756c6c613a636f6e746578743a3100" "00000002" "00000001" "61" "00000001" "31" "00000001" "62" "00000000");
	b = (struct bulla_binding){ .pairs = one, .pair_count = 0, .aad = bulla_str("raw") }; /* {} is no context */
	ck_assert_bytes(encoded(&b), "raw");
}
END_TEST

START_TEST(order_of_keys)
{
	/* bytes count, not letters; a prefix comes first; a byte above 127 comes last */
	const struct bulla_pair given[] = { PAIR("\xc3\xa4", "5"), PAIR("ab", "3"), PAIR("a", "2"), PAIR("b", "4"), PAIR("Z", "1") };
	const struct bulla_pair sorted[] = { PAIR("Z", "1"), PAIR("a", "2"), PAIR("ab", "3"), PAIR("b", "4"), PAIR("\xc3\xa4", "5") };
	const struct bulla_binding a = BIND(given), b = BIND(sorted);
	struct bulla_bytes x = encoded(&a), y = encoded(&b);

	ck_assert(bulla_equal(x, y));
	for (size_t i = 0, at = 20; i < 5; i++) {
		ck_assert_uint_eq(bulla_get_u32(x.ptr + at), sorted[i].key.len);
		ck_assert_mem_eq(x.ptr + at + 4, sorted[i].key.ptr, sorted[i].key.len);
		at += 4 + sorted[i].key.len + 4 + sorted[i].value.len;
	}
}
END_TEST

/* Bindings that a careless encoding would take for each other. */
START_TEST(all_differ)
{
	const struct bulla_pair ab[] = { PAIR("a", "b") }, swapped[] = { PAIR("b", "a") }, joined[] = { PAIR("ab", "") };
	const struct bulla_pair moved[] = { PAIR("a", "b1") }, twice[] = { PAIR("a", "b"), PAIR("c", "d") };
	const struct bulla_pair glued[] = { { bulla_str("a"), bulla_mem("b\0\0\0\1c\0\0\0\1d", 11) } };
	const struct bulla_binding all[] = {
		{ .aad_bad = false }, { .aad = bulla_str("a") }, { .aad = bulla_str("ab") }, BIND(ab), BIND(swapped), BIND(joined),
		BIND(moved), BIND(twice), BIND(glued), { .pairs = ab, .pair_count = 1, .aad = bulla_str("1") },
		{ .pairs = ab, .pair_count = 1, .aad = bulla_mem("\0\0\0\1c\0\0\0\1d", 10) },
		{ .pairs = ab, .pair_count = 1, .aad = bulla_mem("\0", 1) },
	};
	const size_t n = sizeof all / sizeof all[0];

	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			ck_assert_msg(!bulla_equal(encoded(&all[i]), encoded(&all[j])), "%zu and %zu", i, j);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transit/binding");
	TCase *cases = tcase_create("encode");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, a_key_twice);
	tcase_add_test(cases, an_empty_key);
	tcase_add_test(cases, a_part_too_long);
	tcase_add_test(cases, too_many_pairs);
	tcase_add_test(cases, reserved_prefix);
	tcase_add_test(cases, bad_base64);
	tcase_add_test(cases, raw_alone);
	tcase_add_test(cases, vectors);
	tcase_add_test(cases, order_of_keys);
	tcase_add_test(cases, all_differ);
	suite_add_tcase(suite, cases);
	return unit_main(suite);
}
