/* Cases of lib/transit/ciphertext.c. */
#include "bulla/transit.h"
#include "unit.h"

static void prints(uint32_t version, struct bulla_bytes sealed, const char *expected)
{
	size_t n = bulla_ciphertext_len(version, sealed.len);
	char text[64];

	ck_assert_uint_eq(n, strlen(expected));
	memset(text, '#', sizeof text);
	bulla_ciphertext_print(version, sealed, text);
	ck_assert_int_eq(memcmp(text, expected, n), 0);
	ck_assert_int_eq(text[n], '#'); /* not one more */
}

START_TEST(texts)
{
	prints(1, bulla_mem(NULL, 0), "vault:v1:");
	prints(1, bulla_str("a"), "vault:v1:YQ==");
	prints(9, bulla_str("ab"), "vault:v9:YWI=");
	prints(10, bulla_str("abc"), "vault:v10:YWJj");
	prints(12345, bulla_str("abcd"), "vault:v12345:YWJjZA==");
	prints(UINT32_MAX, bulla_str("a"), "vault:v4294967295:YQ==");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transit/ciphertext");
	TCase *cases = tcase_create("print");

	tcase_add_test(cases, texts);
	suite_add_tcase(suite, cases);
	return unit_main(suite);
}
