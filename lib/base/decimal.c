/* decimal.c: owns the conversion between big-endian numbers and decimal text: schoolbook arithmetic in base 2^32 and 10^9, which
 * a few hundred words a number do not notice. Stateless: any thread. */
#include "base/decimal.h"

#include "bulla/memory.h"

#define WORDS (DECIMAL_MAX_BYTES / 4)
#define BILLION 1000000000u
#define CHUNK 9 /* digits of a number below a billion */

/* Little-endian words. */
struct big {
	uint32_t word[WORDS];
	size_t count; /* without leading zeros */
};

static void big_from_bytes(struct big *big, struct bulla_bytes bytes)
{
	big->count = 0;
	memset(big->word, 0, sizeof big->word);
	for (size_t i = 0; i < bytes.len; i++)
		big->word[i / 4] |= (uint32_t)bytes.ptr[bytes.len - 1 - i] << (i % 4 * 8);
	for (size_t i = 0; i < WORDS; i++)
		if (big->word[i] != 0)
			big->count = i + 1;
}

/* Divides by a billion; the remainder. */
static uint32_t big_divide(struct big *big)
{
	uint64_t rest = 0;

	for (size_t i = big->count; i-- > 0;) {
		rest = rest << 32 | big->word[i];
		big->word[i] = (uint32_t)(rest / BILLION);
		rest %= BILLION;
	}
	while (big->count > 0 && big->word[big->count - 1] == 0)
		big->count--;
	return (uint32_t)rest;
}

/* big * factor + add. false: it does not fit. */
static bool big_multiply(struct big *big, uint32_t factor, uint32_t add)
{
	uint64_t carry = add;

	for (size_t i = 0; i < big->count; i++) {
		carry += (uint64_t)big->word[i] * factor;
		big->word[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry == 0)
		return true;
	if (big->count == WORDS)
		return false;
	big->word[big->count++] = (uint32_t)carry;
	return true;
}

size_t decimal_print(struct bulla_bytes number, char *out)
{
	struct big big;
	char digits[DECIMAL_MAX_TEXT + CHUNK];
	size_t at = sizeof digits;

	big_from_bytes(&big, number);
	do {
		uint32_t rest = big_divide(&big);

		for (int i = 0; i < CHUNK && (big.count > 0 || rest > 0); i++, rest /= 10)
			digits[--at] = (char)('0' + rest % 10);
	} while (big.count > 0);
	if (at == sizeof digits)
		digits[--at] = '0';
	size_t len = sizeof digits - at;

	memcpy(out, digits + at, len);
	bulla_wipe(&big, sizeof big);
	bulla_wipe(digits, sizeof digits);
	return len;
}

static bool all_digits(struct bulla_bytes text)
{
	if (text.len == 0 || text.len > DECIMAL_MAX_TEXT || (text.len > 1 && text.ptr[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	return true;
}

static bool big_from_text(struct big *big, struct bulla_bytes text)
{
	big->count = 0;
	for (size_t i = 0; i < text.len;) {
		uint32_t chunk = 0, scale = 1;

		for (int n = 0; n < CHUNK && i < text.len; n++, i++, scale *= 10)
			chunk = chunk * 10 + (uint32_t)(text.ptr[i] - '0');
		if (!big_multiply(big, scale, chunk))
			return false;
	}
	return true;
}

static size_t big_to_bytes(const struct big *big, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = big->count * 4; i-- > 0;) {
		uint8_t byte = (uint8_t)(big->word[i / 4] >> (i % 4 * 8));

		if (n > 0 || byte != 0)
			out[n++] = byte;
	}
	return n;
}

enum bulla_err decimal_parse(struct bulla_bytes text, uint8_t *out, size_t *len)
{
	struct big big;

	if (!all_digits(text))
		return BULLA_E_BAD_FIELD;
	bool fits = big_from_text(&big, text);

	if (fits)
		*len = big_to_bytes(&big, out);
	bulla_wipe(&big, sizeof big);
	return fits ? BULLA_OK : BULLA_E_BAD_FIELD;
}
