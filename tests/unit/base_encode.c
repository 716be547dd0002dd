/* base64 and hex: what Go's decoder takes and refuses, with the offsets it names (RFC 4648 section 10 for the vectors). */
#include "unit.h"

#include "bulla/encode.h"

static const struct {
	const char *in;
	size_t bad_at;
} refused[] = {
	{ "A", 0 }, { "AA", 0 }, { "AAA", 0 }, { "AAAAA", 4 }, { "AA=", 3 }, { "=", 0 }, { "A===", 1 }, { "AA==A", 4 },
	{ "AA=A", 2 }, { "AAA=A", 4 }, { "A*AA", 1 }, { "AA-A", 2 }, { "AA_A", 2 }, { " AAA", 0 }, { "AAAA\n*", 5 }, { "AA\n", 1 }, { "AAAAA\nA", 5 }, { "AA==\nA", 5 },
};

static const struct {
	const char *plain, *encoded;
} good[] = {
	{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
};

START_TEST(refuses)
{
	uint8_t out[32];
	size_t n = 77, at = 77;

	ck_assert_err(bulla_base64_decode(bulla_str(refused[_i].in), out, &n, &at), BULLA_E_BAD_BASE64);
	ck_assert_uint_eq(at, refused[_i].bad_at);
	ck_assert_uint_eq(n, 77);
}
END_TEST

START_TEST(round_trip)
{
	char text[32];
	uint8_t out[32];
	size_t n, at;
	size_t len = bulla_base64_encode(bulla_str(good[_i].plain), text);

	ck_assert_bytes(bulla_mem(text, len), good[_i].encoded);
	ck_assert_ok(bulla_base64_decode(bulla_str(good[_i].encoded), out, &n, &at));
	ck_assert_bytes(bulla_mem(out, n), good[_i].plain);
}
END_TEST

START_TEST(liberties)
{
	uint8_t out[32];
	size_t n, at;

	ck_assert_ok(bulla_base64_decode(bulla_str("\r\nZ\nm\r9v\n"), out, &n, &at));
	ck_assert_bytes(bulla_mem(out, n), "foo");
	ck_assert_ok(bulla_base64_decode(bulla_str("Zh=\n="), out, &n, &at)); /* loose trailing bits */
	ck_assert_bytes(bulla_mem(out, n), "f");
}
END_TEST

START_TEST(in_place)
{
	char text[] = "Zm9vYmFy";
	size_t n, at;

	ck_assert_ok(bulla_base64_decode(bulla_str(text), (uint8_t *)text, &n, &at));
	ck_assert_bytes(bulla_mem(text, n), "foobar");
}
END_TEST

START_TEST(url_alphabet)
{
	const uint8_t bytes[] = { 0xfb, 0xff, 0xfe, 0x01 };
	uint8_t out[8];
	char text[16];
	size_t n, at;
	size_t len = bulla_base64url_encode(bulla_mem(bytes, 4), text);

	ck_assert_bytes(bulla_mem(text, len), "-__-AQ");
	ck_assert_ok(bulla_base64url_decode(bulla_mem(text, len), out, &n, &at));
	ck_assert(bulla_equal(bulla_mem(out, n), bulla_mem(bytes, 4)));
	ck_assert_err(bulla_base64url_decode(bulla_str("+_-A"), out, &n, &at), BULLA_E_BAD_BASE64);
	ck_assert_err(bulla_base64url_decode(bulla_str("AQ=="), out, &n, &at), BULLA_E_BAD_BASE64);
	ck_assert_err(bulla_base64url_decode(bulla_str("AAAAA"), out, &n, &at), BULLA_E_BAD_BASE64);
}
END_TEST

START_TEST(every_byte)
{
	uint8_t in[256], out[256 + 3];
	char text[BULLA_BASE64_LEN(256)], hex[512];
	size_t n, at;

	for (size_t i = 0; i < 256; i++)
		in[i] = (uint8_t)i;
	for (size_t len = 0; len <= 256; len++) {
		size_t chars = bulla_base64_encode(bulla_mem(in, len), text);

		ck_assert_uint_eq(chars, BULLA_BASE64_LEN(len));
		ck_assert_ok(bulla_base64_decode(bulla_mem(text, chars), out, &n, &at));
		ck_assert(bulla_equal(bulla_mem(out, n), bulla_mem(in, len)));
	}
	bulla_hex_encode(bulla_mem(in, 256), hex);
	ck_assert_ok(bulla_hex_decode(bulla_mem(hex, 512), out));
	ck_assert_int_eq(memcmp(in, out, 256), 0);
}
END_TEST

/* Where a character stands must not matter: in a block that is worked on at once, at its edges, or behind it. */
START_TEST(every_place)
{
	uint8_t in[100], out[100 + 3];
	char good_text[136], text[140];
	size_t n, at;

	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)(i * 37);
	size_t len = bulla_base64_encode(bulla_mem(in, sizeof in), good_text);

	for (size_t i = 0; i <= len; i++) {
		memcpy(text, good_text, i);
		text[i] = '\n';
		memcpy(text + i + 1, good_text + i, len - i);
		ck_assert_ok(bulla_base64_decode(bulla_mem(text, len + 1), out, &n, &at));
		ck_assert(bulla_equal(bulla_mem(out, n), bulla_mem(in, sizeof in)));
		ck_assert_ok(bulla_base64_decode(bulla_mem(text, len + 1), (uint8_t *)text, &n, &at));
		ck_assert(bulla_equal(bulla_mem(text, n), bulla_mem(in, sizeof in)));
	}
	for (size_t i = 0; i + 4 < len; i++)
		for (int c = 0; c < 256; c++) {
			bool digit = c != 0 && c < 128 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", c) != NULL;

			if (c == '\r' || c == '\n' || c == '=')
				continue;
			memcpy(text, good_text, len);
			text[i] = (char)c;
			at = 777;
			ck_assert((bulla_base64_decode(bulla_mem(text, len), out, &n, &at) == BULLA_OK) == digit);
			ck_assert_uint_eq(at, digit ? 777 : i);
		}
}
END_TEST

START_TEST(hex_refuses)
{
	uint8_t out[4];

	ck_assert_err(bulla_hex_decode(bulla_str("abc"), out), BULLA_E_BAD_FIELD);
	ck_assert_err(bulla_hex_decode(bulla_str("0g"), out), BULLA_E_BAD_FIELD);
	ck_assert_err(bulla_hex_decode(bulla_str("0x"), out), BULLA_E_BAD_FIELD);
	ck_assert_ok(bulla_hex_decode(bulla_str("aAfF"), out));
	ck_assert_uint_eq(out[1], 0xff);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/encode");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, refuses, 0, sizeof refused / sizeof refused[0]);
	tcase_add_loop_test(tc, round_trip, 0, sizeof good / sizeof good[0]);
	tcase_add_test(tc, liberties);
	tcase_add_test(tc, in_place);
	tcase_add_test(tc, url_alphabet);
	tcase_add_test(tc, every_byte);
	tcase_add_test(tc, every_place);
	tcase_add_test(tc, hex_refuses);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
