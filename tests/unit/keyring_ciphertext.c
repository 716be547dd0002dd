/* vault:vN: taken apart: what is refused and with which of the peer's texts, then what numbers mean. */
#include "unit.h"

#include "keyring/keyring.h"

#define NO_PREFIX "invalid ciphertext: no prefix"
#define FIELDS "invalid ciphertext: wrong number of fields"
#define NUMBER "invalid ciphertext: version number could not be decoded"

static const struct {
	const char *text, *error;
} refused[] = {
	{ "", NO_PREFIX }, { "vault:", NO_PREFIX }, { "Vault:v1:AAAA", NO_PREFIX }, { " vault:v1:AAAA", NO_PREFIX },
	{ "VAULT:V1:AAAA", NO_PREFIX }, { "AAAA", NO_PREFIX }, { "vault:v", FIELDS }, { "vault:v1", FIELDS },
	{ "vault:v1AAAA", FIELDS }, { "vault:v:AAAA", NUMBER }, { "vault:vX:AAAA", NUMBER }, { "vault:v1_0:AAAA", NUMBER },
	{ "vault:v0x1:AAAA", NUMBER }, { "vault:v 1:AAAA", NUMBER }, { "vault:v1 :AAAA", NUMBER }, { "vault:v1e1:AAAA", NUMBER },
	{ "vault:v+:AAAA", NUMBER }, { "vault:v-:AAAA", NUMBER }, { "vault:v+-1:AAAA", NUMBER }, { "vault:v1.0:AAAA", NUMBER },
	{ "vault:v9223372036854775808:A", NUMBER }, { "vault:v-9223372036854775809:A", NUMBER },
	{ "vault:v99999999999999999999:AAAA", NUMBER },
};

static const struct {
	const char *text;
	int64_t version;
	const char *rest;
} taken[] = {
	{ "vault:v1:AAAA", 1, "AAAA" }, { "vault:v0:AAAA", 1, "AAAA" }, { "vault:v-0:AAAA", 1, "AAAA" }, { "vault:v-1:A", -1, "A" },
	{ "vault:v+12:", 12, "" }, { "vault:v007:B", 7, "B" }, { "vault:v1:A:B", 1, "A:B" }, { "vault:v1::", 1, ":" },
	{ "vault:v9223372036854775807:A", INT64_MAX, "A" }, { "vault:v-9223372036854775808:A", INT64_MIN, "A" },
};

START_TEST(refuses)
{
	struct bulla_call call = call_begin();
	struct bulla_bytes rest = bulla_str("untouched");
	int64_t version = 77;

	ck_assert_err(ciphertext_parse(&call, bulla_str(refused[_i].text), &version, &rest), BULLA_E_INVALID);
	ck_assert_bytes(call.detail, refused[_i].error);
	ck_assert_int_eq(version, 77);
	ck_assert_bytes(rest, "untouched");
	call_end(&call);
}
END_TEST

START_TEST(takes)
{
	struct bulla_call call = call_begin();
	struct bulla_bytes rest;
	int64_t version;

	ck_assert_ok(ciphertext_parse(&call, bulla_str(taken[_i].text), &version, &rest));
	ck_assert_int_eq(version, taken[_i].version);
	ck_assert_bytes(rest, taken[_i].rest);
	call_end(&call);
}
END_TEST

START_TEST(nothing_at_all)
{
	struct bulla_call call = call_begin();
	struct bulla_bytes rest, none = { 0 };
	int64_t version;

	ck_assert_err(ciphertext_parse(&call, none, &version, &rest), BULLA_E_INVALID);
	call_end(&call);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyring/ciphertext");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, refuses, 0, sizeof refused / sizeof refused[0]);
	tcase_add_loop_test(tc, takes, 0, sizeof taken / sizeof taken[0]);
	tcase_add_test(tc, nothing_at_all);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
