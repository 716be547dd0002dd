/* The DER reader: what is malformed first; then what it takes, and that a refusal changes nothing. */
#include "crypto/der.h"
#include "unit.h"

#define BYTES(...) bulla_mem((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void refuse(unsigned tag, struct bulla_bytes input)
{
	struct bulla_bytes cursor = input, content = { 0 };

	ck_assert(!der_take(&cursor, tag, &content));
	ck_assert_ptr_eq(cursor.ptr, input.ptr);
	ck_assert_uint_eq(cursor.len, input.len);
	ck_assert_ptr_null(content.ptr);
}

START_TEST(malformed)
{
	refuse(DER_SEQUENCE, bulla_mem(NULL, 0));
	refuse(DER_SEQUENCE, BYTES(0x30));
	refuse(DER_SEQUENCE, BYTES(0x31, 0x00));                   /* another tag */
	refuse(DER_SEQUENCE, BYTES(0x30, 0x80, 0x00, 0x00));       /* indefinite: BER */
	refuse(DER_SEQUENCE, BYTES(0x30, 0x01));                   /* past the end */
	refuse(DER_SEQUENCE, BYTES(0x30, 0x02, 0x05));
	refuse(DER_SEQUENCE, BYTES(0x30, 0x81, 0x01, 0x05));       /* not the shortest form */
	refuse(DER_SEQUENCE, BYTES(0x30, 0x82, 0x00, 0x80, 0x05)); /* a leading zero */
	refuse(DER_SEQUENCE, BYTES(0x30, 0x81));                   /* no length */
	refuse(DER_SEQUENCE, BYTES(0x30, 0x82, 0x01));
	refuse(DER_SEQUENCE, BYTES(0x30, 0x84, 0x01, 0x00, 0x00, 0x00, 0x05)); /* more than 16 MiB */
	refuse(DER_SEQUENCE, BYTES(0x30, 0x83, 0xFF, 0xFF, 0xFF, 0x05));
	refuse(DER_SEQUENCE, BYTES(0x30, 0xFF));
}
END_TEST

START_TEST(taken)
{
	uint8_t long_one[3 + 128 + 2] = { 0x04, 0x81, 128 };
	struct bulla_bytes cursor = BYTES(0x30, 0x03, 0x02, 0x01, 0x07, 0x05, 0x00), in, content;
	unsigned value = 99;

	ck_assert(der_is_next(cursor, DER_SEQUENCE) && !der_is_next(cursor, DER_NULL) && !der_is_next(bulla_mem(NULL, 0), 0));
	ck_assert(der_take(&cursor, DER_SEQUENCE, &in));
	ck_assert_uint_eq(in.len, 3);
	ck_assert_uint_eq(cursor.len, 2);
	ck_assert(der_take_small(&in, &value));
	ck_assert_uint_eq(value, 7);
	ck_assert_uint_eq(in.len, 0);
	ck_assert(der_take(&cursor, DER_NULL, &content));
	ck_assert_uint_eq(content.len, 0);
	ck_assert_uint_eq(cursor.len, 0);
	cursor = bulla_mem(long_one, sizeof long_one);
	ck_assert(der_take(&cursor, DER_OCTET_STRING, &content));
	ck_assert_uint_eq(content.len, 128);
	ck_assert_uint_eq(cursor.len, 2);
}
END_TEST

START_TEST(small_numbers_and_bits)
{
	struct bulla_bytes bad[] = { BYTES(0x02, 0x00), BYTES(0x02, 0x01, 0x80), BYTES(0x02, 0x02, 0x00, 0x01), BYTES(0x04, 0x01, 0x01) };
	struct bulla_bytes bits[] = { BYTES(0x03, 0x00), BYTES(0x03, 0x02, 0x01, 0x80), BYTES(0x04, 0x01, 0x00) };
	struct bulla_bytes out = { 0 }, good = BYTES(0x81, 0x03, 0x00, 0xAB, 0xCD);
	unsigned value = 99;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert(!der_take_small(&bad[i], &value));
	ck_assert_uint_eq(value, 99);
	for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
		size_t before = bits[i].len;

		ck_assert(!der_take_bits(&bits[i], DER_BIT_STRING, &out));
		ck_assert_uint_eq(bits[i].len, before);
	}
	ck_assert_ptr_null(out.ptr);
	ck_assert(der_take_bits(&good, DER_IMPLICIT_1, &out));
	ck_assert_uint_eq(out.len, 2);
	ck_assert_uint_eq(out.ptr[0], 0xAB);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crypto/der");
	TCase *tcase = tcase_create("der");

	tcase_add_test(tcase, malformed);
	tcase_add_test(tcase, taken);
	tcase_add_test(tcase, small_numbers_and_bits);
	suite_add_tcase(suite, tcase);
	return unit_main(suite);
}
