/* Base64 against libsodium, which is stricter in two ways: it takes no loose trailing bits, and CR and LF only where told.
 * (1.0.18 takes some bytes past ASCII for digits, 0xBD for one, where char is signed: there we know better.) */
#include <sodium.h>

#include "bulla/encode.h"
#include "fuzz.h"

static bool ascii(struct bulla_bytes in)
{
	uint8_t all = 0;

	for (size_t i = 0; i < in.len; i++)
		all |= in.ptr[i];
	return all < 0x80;
}

static size_t without_newlines(struct bulla_bytes in, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++)
		if (in.ptr[i] != '\r' && in.ptr[i] != '\n')
			out[n++] = (char)in.ptr[i];
	return n;
}

/* Whether the texts are one but for the unused bits of the last digit. */
static bool same_but_loose_bits(const char *a, const char *b, size_t n)
{
	size_t digits = n, differ = 0;

	while (digits > 0 && b[digits - 1] == '=')
		digits--;
	for (size_t i = 0; i < n; i++)
		differ += a[i] != b[i];
	return differ == 0 || (differ == 1 && digits % 4 != 0 && a[digits - 1] != b[digits - 1]);
}

static void check_padded(struct bulla_bytes in, uint8_t *out, char *text, char *again, uint8_t *expected)
{
	size_t n = SIZE_MAX, at = SIZE_MAX, expected_len = 0, text_len = without_newlines(in, text);
	enum bulla_err err = bulla_base64_decode(in, out, &n, &at);
	bool strict = ascii(in) && sodium_base642bin(expected, in.len + 1, text, text_len, NULL, &expected_len,
						     NULL, sodium_base64_VARIANT_ORIGINAL) == 0;

	if (err != BULLA_OK) {
		require(err == BULLA_E_BAD_BASE64 && !strict);
		require(at <= in.len && n == SIZE_MAX);
		return;
	}
	require(ascii(in));
	require(at == SIZE_MAX && n <= BULLA_BASE64_MAX_DECODED(in.len));
	require(bulla_base64_encode(bulla_mem(out, n), again) == BULLA_BASE64_LEN(n) && BULLA_BASE64_LEN(n) == text_len);
	require(same_but_loose_bits(again, text, text_len));
	if (strict)
		require(expected_len == n && memcmp(expected, out, n) == 0);
	else
		require(memcmp(again, text, text_len) != 0);
}

static void check_url(struct bulla_bytes in, uint8_t *out, char *again)
{
	size_t n = SIZE_MAX, at = SIZE_MAX;
	enum bulla_err err = bulla_base64url_decode(in, out, &n, &at);

	if (err != BULLA_OK) {
		require(err == BULLA_E_BAD_BASE64 && at <= in.len && n == SIZE_MAX);
		return;
	}
	require(n <= BULLA_BASE64_MAX_DECODED(in.len));
	require(bulla_base64url_encode(bulla_mem(out, n), again) <= in.len);
}

static void check_in_place(struct bulla_bytes in, uint8_t *out)
{
	struct bulla_bytes copy = fuzz_exact(in.ptr, in.len);
	size_t n = 0, at = 0, copy_n = 0;

	if (bulla_base64_decode(in, out, &n, &at) == BULLA_OK) {
		require(bulla_base64_decode(copy, (uint8_t *)(uintptr_t)copy.ptr, &copy_n, &at) == BULLA_OK);
		require(copy_n == n && memcmp(copy.ptr, out, n) == 0);
	}
	fuzz_free(copy);
}

static void check_hex(struct bulla_bytes in, uint8_t *out, char *again)
{
	if (bulla_hex_decode(in, out) != BULLA_OK)
		return;
	bulla_hex_encode(bulla_mem(out, in.len / 2), again);
	for (size_t i = 0; i < in.len; i++)
		require(again[i] == (char)in.ptr[i] || again[i] == (char)(in.ptr[i] | 0x20));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bulla_bytes in = fuzz_exact(data, size);
	size_t room = BULLA_BASE64_MAX_DECODED(size);
	uint8_t *out = malloc(room), *expected = malloc(size + 1);
	char *text = malloc(size + 1), *again = malloc(BULLA_BASE64_LEN(room) + 1);

	require(out != NULL && expected != NULL && text != NULL && again != NULL);
	check_padded(in, out, text, again, expected);
	check_url(in, out, again);
	check_in_place(in, out);
	check_hex(in, out, again);
	free(out), free(expected), free(text), free(again);
	fuzz_free(in);
	return 0;
}
