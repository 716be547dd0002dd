/* Cases of src/handlers/transit_items.c: batch_input that is refused, with the peer's texts, then what is read. */
#include "unit.h"

#include "handlers/transit_items.h"

#define FAILED "failed to parse batch input: "
#define WEAK FAILED "decoding failed due to the following error(s):\n\n"
#define NOT_STRING(where) "'" where "' expected type 'string', got unconvertible type "

static struct bulla_call call;

static void setup(void)
{
	call = call_begin();
}

static void teardown(void)
{
	call_end(&call);
}

static enum bulla_err parse(const char *text, enum items_of of, struct crypt_item **items, size_t *count)
{
	struct json *batch;

	ck_assert_ok(json_parse(&call, (const uint8_t *)text, strlen(text), &batch));
	return items_parse(&call, batch, of, items, count);
}

static const struct {
	enum items_of of;
	const char *text;
	enum bulla_err err;
	const char *error;
} refused[] = {
	{ ITEMS_ENCRYPT, "[]", BULLA_E_INVALID, "missing batch input to process" },
	{ ITEMS_DECRYPT, "[]", BULLA_E_INVALID, "missing batch input to process" },
	{ ITEMS_REWRAP, "[]", BULLA_E_INVALID, "missing batch input to process" },
	{ ITEMS_ENCRYPT, "\"x\"", BULLA_E_INVALID_500, FAILED "source data must be an array or slice, got string" },
	{ ITEMS_ENCRYPT, "5", BULLA_E_INVALID_500, FAILED "source data must be an array or slice, got json.Number" },
	{ ITEMS_ENCRYPT, "{}", BULLA_E_INVALID_500, FAILED "source data must be an array or slice, got map[string]interface {}" },
	{ ITEMS_DECRYPT, "true", BULLA_E_INVALID_500, FAILED "source data must be an array or slice, got bool" },
	{ ITEMS_REWRAP, "5", BULLA_E_INVALID_500, FAILED "'' source data must be an array or slice, got string" },
	{ ITEMS_REWRAP, "{}", BULLA_E_INVALID_500, FAILED "'' source data must be an array or slice, got map" },
	{ ITEMS_REWRAP, "false", BULLA_E_INVALID_500, FAILED "'' source data must be an array or slice, got bool" },
	/* of strict items the first that is no object ends it */
	{ ITEMS_ENCRYPT, "[{\"plaintext\":5},\"x\"]", BULLA_E_INVALID_500, FAILED "[1] expected a map, got 'string'" },
	{ ITEMS_ENCRYPT, "[null]", BULLA_E_INVALID_500, FAILED "[0] expected a map, got '<nil>'" },
	{ ITEMS_DECRYPT, "[[]]", BULLA_E_INVALID_500, FAILED "[0] expected a map, got '[]interface {}'" },
	{ ITEMS_ENCRYPT, "[{}]", BULLA_E_INVALID_500, FAILED "'[0].plaintext' missing plaintext to encrypt" },
	{ ITEMS_ENCRYPT, "[{\"Plaintext\":\"\"}]", BULLA_E_INVALID_500, FAILED "'[0].plaintext' missing plaintext to encrypt" },
	{ ITEMS_DECRYPT, "[{\"ciphertext\":\"\"},{}]", BULLA_E_INVALID_500, FAILED "'[1].ciphertext' missing ciphertext to decrypt" },
	{ ITEMS_ENCRYPT, "[{\"plaintext\":null}]", BULLA_E_INVALID_500, FAILED NOT_STRING("[0].plaintext") "'<nil>'" },
	{ ITEMS_DECRYPT, "[{\"ciphertext\":\"\",\"plaintext\":5}]", BULLA_E_INVALID_500, FAILED NOT_STRING("[0].plaintext") "'json.Number'" },
	{ ITEMS_ENCRYPT,
	  "[{\"plaintext\":5,\"reference\":5,\"associated_data\":[],\"context\":{},\"key_version\":true,\"ciphertext\":7}]",
	  BULLA_E_INVALID_500,
	  FAILED NOT_STRING("[0].context") "'map[string]interface {}'\n" NOT_STRING("[0].ciphertext") "'json.Number'\n"
	  NOT_STRING("[0].plaintext") "'json.Number'\n'[0].key_version' expected type 'int', got unconvertible type 'bool'\n"
	  NOT_STRING("[0].associated_data") "'[]interface {}'\n" NOT_STRING("[0].reference") "'json.Number'" },
	{ ITEMS_ENCRYPT, "[{\"plaintext\":\"\",\"key_version\":\"1\"}]", BULLA_E_INVALID_500,
	  FAILED "'[0].key_version' expected type 'int', got unconvertible type 'string'" },
	{ ITEMS_ENCRYPT, "[{\"plaintext\":\"\",\"key_version\":1.5}]", BULLA_E_INVALID_500,
	  FAILED "error decoding json.Number into [0].key_version: strconv.ParseInt: parsing \"1.5\": invalid syntax" },
	{ ITEMS_ENCRYPT, "[{\"plaintext\":\"\",\"key_version\":1e2}]", BULLA_E_INVALID_500,
	  FAILED "error decoding json.Number into [0].key_version: strconv.ParseInt: parsing \"1e2\": invalid syntax" },
	{ ITEMS_REWRAP, "[{\"key_version\":99999999999999999999}]", BULLA_E_INVALID_500,
	  WEAK "'[0].key_version' cannot parse value as 'int': strconv.ParseInt: parsing \"99999999999999999999\": value out of range" },
	{ ITEMS_REWRAP, "[{\"key_version\":1.5}]", BULLA_E_INVALID_500,
	  WEAK "'[0].key_version' cannot parse value as 'int': strconv.ParseInt: parsing \"1.5\": invalid syntax" },
	/* weak ones go on */
	{ ITEMS_REWRAP, "[\"x\",{\"ciphertext\":true},5,null,true,[]]", BULLA_E_INVALID_500,
	  WEAK "'[0]' expected a map or struct, got \"string\"\n" NOT_STRING("[1].ciphertext") "'bool'\n"
	  "'[2]' expected a map or struct, got \"string\"\n'[4]' expected a map or struct, got \"bool\"\n"
	  "'[5]' expected a map or struct, got \"slice\"" },
	{ ITEMS_REWRAP, "[{\"plaintext\":true}]", BULLA_E_INVALID_500, WEAK NOT_STRING("[0].plaintext") "'bool'" },
	{ ITEMS_REWRAP, "[{\"decrypt_associated_data\":[]}]", BULLA_E_INVALID_500,
	  WEAK NOT_STRING("[0].decrypt_associated_data") "'[]interface {}'" },
	{ ITEMS_REWRAP, "[{\"context\":\"YQ==\"},{}]", BULLA_E_INVALID, "context should be set either in all the request blocks or in none" },
	{ ITEMS_ENCRYPT, "[{\"plaintext\":\"\",\"context\":\"\"},{\"plaintext\":\"\",\"context\":\"YQ==\"}]", BULLA_E_INVALID,
	  "context should be set either in all the request blocks or in none" },
};

START_TEST(refuses)
{
	struct crypt_item *items = NULL;
	size_t count = 77;

	ck_assert_err(parse(refused[_i].text, refused[_i].of, &items, &count), refused[_i].err);
	ck_assert_bytes(call.detail, refused[_i].error);
	ck_assert_ptr_null(items);
	ck_assert_uint_eq(count, 77);
}
END_TEST

START_TEST(complaints_have_an_end)
{
	static char text[4 * 1000 + 2] = "[";
	struct crypt_item *items;
	size_t count, told = 0;

	for (size_t i = 0; i < 1000; i++)
		memcpy(text + 1 + 3 * i, i == 0 ? "{} " : ",{}", 3);
	strcat(text, "]");
	ck_assert_err(parse(text, ITEMS_ENCRYPT, &items, &count), BULLA_E_INVALID_500);
	for (size_t i = 0; i + 7 <= call.detail.len; i++)
		told += memcmp(call.detail.ptr + i, "missing", 7) == 0;
	ck_assert_uint_eq(told, 100);
}
END_TEST

START_TEST(reads_strict)
{
	struct crypt_item *items;
	size_t count;

	ck_assert_ok(parse("[{\"plaintext\":\"YQ==\",\"context\":\"Yg==\",\"associated_data\":\"Yw==\",\"reference\":\"r\",\"key_version\":-3,"
			   "\"encryption_context\":{\"a\":\"b\"},\"nonce\":5,\"unknown\":[]},"
			   "{\"plaintext\":\"\",\"context\":\"eA==\",\"key_version\":null,\"reference\":null}]",
			   ITEMS_ENCRYPT, &items, &count));
	ck_assert_uint_eq(count, 2);
	ck_assert_bytes(items[0].plaintext, "YQ==");
	ck_assert_bytes(items[0].context, "Yg==");
	ck_assert_bytes(items[0].aad, "Yw==");
	ck_assert_bytes(items[0].reference, "r");
	ck_assert_int_eq(items[0].key_version, -3);
	ck_assert_int_eq(items[0].pairs->type, JSON_OBJECT);
	ck_assert_uint_eq(items[1].reference.len, 0);
	ck_assert_int_eq(items[1].key_version, 0);
}
END_TEST

START_TEST(reads_weak)
{
	struct crypt_item *items;
	size_t count;

	ck_assert_ok(parse("[{\"Ciphertext\":5,\"REFERENCE\":7,\"key_Version\":2,\"decrypt_associated_data\":\"\"},null,"
			   "{\"ciphertext\":\"exact\",\"CIPHERTEXT\":\"other\",\"associated_data\":null}]",
			   ITEMS_REWRAP, &items, &count));
	ck_assert_uint_eq(count, 3);
	ck_assert_bytes(items[0].ciphertext, "5");
	ck_assert_bytes(items[0].reference, "7");
	ck_assert_int_eq(items[0].key_version, 2);
	ck_assert(items[0].old_aad_given && !items[0].aad_given);
	ck_assert_uint_eq(items[1].ciphertext.len, 0);
	ck_assert_bytes(items[2].ciphertext, "exact");
	ck_assert(!items[2].aad_given);
}
END_TEST

/* An item's own mistakes stay with it. */
START_TEST(converts)
{
	const struct crypt_item bad[] = {
		{ .plaintext = bulla_str("!") }, { .plaintext = bulla_str("YQ=="), .context = bulla_str("!!!!!") },
		{ .plaintext = bulla_str("YQ=="), .aad = bulla_str("AAAA!") }, { .plaintext = bulla_str("YQ=="), .aad = bulla_str("Yg==") },
	};
	const struct crypt_item none = { .reference = bulla_str("r") };
	struct bulla_encrypt_item *sealing;
	struct bulla_decrypt_item *opening;

	ck_assert_ok(items_for_encrypt(&call, bad, 4, &sealing));
	ck_assert_uint_eq(call.detail.len, 0);
	ck_assert_int_eq(sealing[0].err, BULLA_E_BAD_BASE64);
	ck_assert_bytes(sealing[0].error, "illegal base64 data at input byte 0");
	ck_assert_int_eq(sealing[1].err, BULLA_E_BAD_BASE64);
	ck_assert_ok(sealing[2].err); /* the library's to refuse, in its turn */
	ck_assert(sealing[2].binding.aad_bad);
	ck_assert_uint_eq(sealing[2].binding.aad_bad_at, 4);
	ck_assert_bytes(sealing[3].plaintext, "a");
	ck_assert_bytes(sealing[3].binding.aad, "b");
	ck_assert_ok(items_for_decrypt(&call, &none, 1, &opening));
	ck_assert_int_eq(opening[0].err, BULLA_E_INVALID);
	ck_assert_bytes(opening[0].error, "missing ciphertext to decrypt");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handlers/transit_items");
	TCase *cases = tcase_create("items");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, refuses, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(cases, complaints_have_an_end);
	tcase_add_test(cases, reads_strict);
	tcase_add_test(cases, reads_weak);
	tcase_add_test(cases, converts);
	suite_add_tcase(suite, cases);
	return unit_main(suite);
}
