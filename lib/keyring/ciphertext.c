/* ciphertext.c: owns taking "vault:v" version ":" base64 apart. Stateless: any thread. */
#include "keyring/keyring.h"

#define PREFIX "vault:v"
#define PREFIX_LEN (sizeof PREFIX - 1)

/* As Go's strconv.Atoi, which the peer uses: a sign, then decimal digits, within 64 bits. */
static bool parse_number(struct bulla_bytes text, int64_t *out)
{
	bool signed_text = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+');
	bool negative = signed_text && text.ptr[0] == '-';
	int64_t value = 0;
	size_t i = signed_text ? 1 : 0;

	if (i == text.len)
		return false;
	for (; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		int digit = text.ptr[i] - '0';

		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, negative ? -digit : digit, &value))
			return false;
	}
	*out = value;
	return true;
}

enum tagged tagged_parse(struct bulla_bytes text, int64_t *version, struct bulla_bytes *rest)
{
	if (text.len < PREFIX_LEN || memcmp(text.ptr, PREFIX, PREFIX_LEN) != 0)
		return TAGGED_NO_PREFIX;
	const uint8_t *number = text.ptr + PREFIX_LEN;
	size_t left = text.len - PREFIX_LEN;
	const uint8_t *colon = left == 0 ? NULL : memchr(number, ':', left);

	if (colon == NULL)
		return TAGGED_NO_FIELDS;
	if (!parse_number(bulla_mem(number, (size_t)(colon - number)), version))
		return TAGGED_NO_NUMBER;
	*rest = bulla_mem(colon + 1, left - (size_t)(colon + 1 - number));
	return TAGGED_OK;
}

enum bulla_err ciphertext_parse(struct bulla_call *call, struct bulla_bytes text, int64_t *version, struct bulla_bytes *rest)
{
	static const char *const wrong[] = {
		[TAGGED_NO_PREFIX] = "invalid ciphertext: no prefix",
		[TAGGED_NO_FIELDS] = "invalid ciphertext: wrong number of fields",
		[TAGGED_NO_NUMBER] = "invalid ciphertext: version number could not be decoded",
	};
	int64_t value;
	enum tagged tagged = tagged_parse(text, &value, rest);

	if (tagged != TAGGED_OK)
		return bulla_fail(call, BULLA_E_INVALID, "%s", wrong[tagged]);
	*version = value == 0 ? 1 : value; /* the first releases of the peer counted from 0 */
	return BULLA_OK;
}
