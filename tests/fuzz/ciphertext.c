/* "vault:v1:..." as clients send it, and its base64. */
#include "bulla/encode.h"
#include "fuzz.h"
#include "keyring/keyring.h"

/* What was accepted is what stands there: vault:v, a number that means version, a colon, and rest. */
static void check_parts(struct bulla_bytes text, int64_t version, struct bulla_bytes rest)
{
	require(text.len >= 9 && memcmp(text.ptr, "vault:v", 7) == 0);
	require(rest.ptr > text.ptr + 8 && rest.ptr + rest.len == text.ptr + text.len && rest.ptr[-1] == ':');
	char number[64] = { 0 }, *end;
	size_t digits = text.len - rest.len - 8, zeros = 0;
	const uint8_t *p = text.ptr + 7;
	bool negative = *p == '-', sign = negative || *p == '+';

	p += sign, digits -= sign;
	while (zeros + 1 < digits && p[zeros] == '0')
		zeros++;
	require(digits > 0 && digits - zeros < 20);
	memcpy(number + 1, p + zeros, digits - zeros);
	number[0] = negative ? '-' : '+';
	long long expected = strtoll(number, &end, 10);

	require(*end == '\0');
	require(version == (expected == 0 ? 1 : expected));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bulla_call call = fuzz_call();
	struct bulla_bytes text = fuzz_exact(data, size), rest = { 0 };
	int64_t version = -77;
	enum bulla_err err = ciphertext_parse(&call, text, &version, &rest);

	if (err == BULLA_OK) {
		check_parts(text, version, rest);
	} else {
		require(err == BULLA_E_INVALID && call.detail.len > 0);
		require(version == -77 && rest.ptr == NULL);
	}
	fuzz_free(text);
	fuzz_call_end(&call);
	return 0;
}
