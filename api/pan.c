/* pan.c: owns what is known of card numbers. Stateless: any thread. */
#include "pan.h"

#include <string.h>

#include "utf8.h"
#include "wipe.h"

#define TEXT_MAX_DIGITS 512 /* more than an idempotency key or a name has */

/* Ranges of leading digits; the first row that fits is it. */
static const struct {
	const char *brand;
	int digits;
	int low, high;
} brands[] = {
	{ "American Express", 2, 34, 34 }, { "American Express", 2, 37, 37 },
	{ "Diners Club", 3, 300, 305 }, { "Diners Club", 2, 36, 36 }, { "Diners Club", 2, 38, 39 },
	{ "JCB", 4, 3528, 3589 },
	{ "Mastercard", 2, 51, 55 }, { "Mastercard", 4, 2221, 2720 },
	{ "Discover", 4, 6011, 6011 }, { "Discover", 3, 644, 649 }, { "Discover", 2, 65, 65 },
	{ "UnionPay", 2, 62, 62 },
	{ "Maestro", 2, 50, 50 }, { "Maestro", 2, 56, 58 }, { "Maestro", 2, 63, 63 }, { "Maestro", 2, 67, 67 },
	{ "Visa", 1, 4, 4 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool pan_has_form(const char *pan)
{
	size_t n = strspn(pan, "0123456789");

	return pan[n] == '\0' && n >= PAN_MIN_DIGITS && n <= PAN_MAX_DIGITS;
}

bool pan_luhn(const char *pan)
{
	int sum = 0;
	bool twice = false;

	for (size_t i = strlen(pan); i-- > 0; twice = !twice) {
		int digit = pan[i] - '0';

		if (twice)
			digit = digit > 4 ? 2 * digit - 9 : 2 * digit;
		sum += digit;
	}
	return sum % 10 == 0;
}

const char *pan_brand(const char *pan)
{
	for (size_t i = 0; i < sizeof brands / sizeof brands[0]; i++) {
		int value = 0;

		for (int k = 0; k < brands[i].digits; k++)
			value = 10 * value + pan[k] - '0';
		if (value >= brands[i].low && value <= brands[i].high)
			return brands[i].brand;
	}
	return "unknown";
}

void pan_last_four(const char *pan, char out[5])
{
	memcpy(out, pan + strlen(pan) - 4, 5);
}

bool pan_looks_like(const char *text)
{
	return utf8_digits(text) >= PAN_MIN_DIGITS;
}

bool pan_is_in(const char *text, const char *pan)
{
	char digits[TEXT_MAX_DIGITS + 1];
	size_t n = 0;

	for (; *text != '\0' && n < TEXT_MAX_DIGITS; text++)
		if (is_digit(*text))
			digits[n++] = *text;
	digits[n] = '\0';
	bool found = pan[0] != '\0' && strstr(digits, pan) != NULL;

	wipe(digits, sizeof digits);
	return found;
}
