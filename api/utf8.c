/* utf8.c: owns a locale object of its own, C.UTF-8, for the case of letters: the locale of the process decides nothing. One thread at first
 * use. */
#define _GNU_SOURCE
#include "utf8.h"

#include <locale.h>
#include <string.h>
#include <wctype.h>

/* One character; returns its bytes, 0: not well-formed. */
static size_t next(const unsigned char *p, uint32_t *out)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC0 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF8 ? 4 : 0;
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7Fu >> n);

	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3F);
	}
	if (n == 0 || c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
		return 0;
	*out = c;
	return n;
}

static size_t put(uint32_t c, char *out)
{
	static const uint32_t lead[] = { 0, 0xC0, 0xE0, 0xF0 };

	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	out[0] = (char)(lead[more] | c >> 6 * more);
	for (size_t i = 1; i <= more; i++)
		out[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3F));
	return more + 1;
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || (c >= 0x202A && c <= 0x202E) ||
	       (c >= 0x2066 && c <= 0x2069);
}

bool utf8_length(const char *text, size_t *chars)
{
	size_t count = 0;
	uint32_t c;

	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; count++) {
		size_t n = next(p, &c);

		if (n == 0 || is_control(c))
			return false;
		p += n;
	}
	*chars = count;
	return true;
}

/* Ten digits each, from zero on (Unicode 14, general category Nd). */
static bool is_digit(uint32_t c)
{
	static const uint32_t zeros[] = {
		0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20, 0x1040,
		0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0,
		0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0,
		0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6,
		0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
	};

	for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++)
		if (c >= zeros[i] && c < zeros[i] + 10)
			return true;
	return false;
}

size_t utf8_digits(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t count = 0, n;
	uint32_t c;

	for (; *p != '\0' && (n = next(p, &c)) > 0; p += n)
		count += is_digit(c);
	return count;
}

/* What becomes more than one character, which towupper cannot give (Unicode SpecialCasing.txt, the unconditional mappings). */
static const struct special {
	uint32_t c;
	const char *upper;
} specials[] = {
	{ 0xDF, "SS" }, { 0x149, "\u02BCN" }, { 0x1F0, "J\u030C" }, { 0x390, "\u0399\u0308\u0301" }, { 0x3B0, "\u03A5\u0308\u0301" },
	{ 0x587, "\u0535\u0552" }, { 0x1E96, "H\u0331" }, { 0x1E97, "T\u0308" }, { 0x1E98, "W\u030A" }, { 0x1E99, "Y\u030A" },
	{ 0x1E9A, "A\u02BE" }, { 0x1F50, "\u03A5\u0313" }, { 0x1F52, "\u03A5\u0313\u0300" }, { 0x1F54, "\u03A5\u0313\u0301" },
	{ 0x1F56, "\u03A5\u0313\u0342" }, { 0x1F80, "\u1F08\u0399" }, { 0x1F81, "\u1F09\u0399" }, { 0x1F82, "\u1F0A\u0399" },
	{ 0x1F83, "\u1F0B\u0399" }, { 0x1F84, "\u1F0C\u0399" }, { 0x1F85, "\u1F0D\u0399" }, { 0x1F86, "\u1F0E\u0399" },
	{ 0x1F87, "\u1F0F\u0399" }, { 0x1F88, "\u1F08\u0399" }, { 0x1F89, "\u1F09\u0399" }, { 0x1F8A, "\u1F0A\u0399" },
	{ 0x1F8B, "\u1F0B\u0399" }, { 0x1F8C, "\u1F0C\u0399" }, { 0x1F8D, "\u1F0D\u0399" }, { 0x1F8E, "\u1F0E\u0399" },
	{ 0x1F8F, "\u1F0F\u0399" }, { 0x1F90, "\u1F28\u0399" }, { 0x1F91, "\u1F29\u0399" }, { 0x1F92, "\u1F2A\u0399" },
	{ 0x1F93, "\u1F2B\u0399" }, { 0x1F94, "\u1F2C\u0399" }, { 0x1F95, "\u1F2D\u0399" }, { 0x1F96, "\u1F2E\u0399" },
	{ 0x1F97, "\u1F2F\u0399" }, { 0x1F98, "\u1F28\u0399" }, { 0x1F99, "\u1F29\u0399" }, { 0x1F9A, "\u1F2A\u0399" },
	{ 0x1F9B, "\u1F2B\u0399" }, { 0x1F9C, "\u1F2C\u0399" }, { 0x1F9D, "\u1F2D\u0399" }, { 0x1F9E, "\u1F2E\u0399" },
	{ 0x1F9F, "\u1F2F\u0399" }, { 0x1FA0, "\u1F68\u0399" }, { 0x1FA1, "\u1F69\u0399" }, { 0x1FA2, "\u1F6A\u0399" },
	{ 0x1FA3, "\u1F6B\u0399" }, { 0x1FA4, "\u1F6C\u0399" }, { 0x1FA5, "\u1F6D\u0399" }, { 0x1FA6, "\u1F6E\u0399" },
	{ 0x1FA7, "\u1F6F\u0399" }, { 0x1FA8, "\u1F68\u0399" }, { 0x1FA9, "\u1F69\u0399" }, { 0x1FAA, "\u1F6A\u0399" },
	{ 0x1FAB, "\u1F6B\u0399" }, { 0x1FAC, "\u1F6C\u0399" }, { 0x1FAD, "\u1F6D\u0399" }, { 0x1FAE, "\u1F6E\u0399" },
	{ 0x1FAF, "\u1F6F\u0399" }, { 0x1FB2, "\u1FBA\u0399" }, { 0x1FB3, "\u0391\u0399" }, { 0x1FB4, "\u0386\u0399" },
	{ 0x1FB6, "\u0391\u0342" }, { 0x1FB7, "\u0391\u0342\u0399" }, { 0x1FBC, "\u0391\u0399" }, { 0x1FC2, "\u1FCA\u0399" },
	{ 0x1FC3, "\u0397\u0399" }, { 0x1FC4, "\u0389\u0399" }, { 0x1FC6, "\u0397\u0342" }, { 0x1FC7, "\u0397\u0342\u0399" },
	{ 0x1FCC, "\u0397\u0399" }, { 0x1FD2, "\u0399\u0308\u0300" }, { 0x1FD3, "\u0399\u0308\u0301" }, { 0x1FD6, "\u0399\u0342" },
	{ 0x1FD7, "\u0399\u0308\u0342" }, { 0x1FE2, "\u03A5\u0308\u0300" }, { 0x1FE3, "\u03A5\u0308\u0301" }, { 0x1FE4, "\u03A1\u0313" },
	{ 0x1FE6, "\u03A5\u0342" }, { 0x1FE7, "\u03A5\u0308\u0342" }, { 0x1FF2, "\u1FFA\u0399" }, { 0x1FF3, "\u03A9\u0399" },
	{ 0x1FF4, "\u038F\u0399" }, { 0x1FF6, "\u03A9\u0342" }, { 0x1FF7, "\u03A9\u0342\u0399" }, { 0x1FFC, "\u03A9\u0399" },
	{ 0xFB00, "FF" }, { 0xFB01, "FI" }, { 0xFB02, "FL" }, { 0xFB03, "FFI" }, { 0xFB04, "FFL" }, { 0xFB05, "ST" }, { 0xFB06, "ST" },
	{ 0xFB13, "\u0544\u0546" }, { 0xFB14, "\u0544\u0535" }, { 0xFB15, "\u0544\u053B" }, { 0xFB16, "\u054E\u0546" },
	{ 0xFB17, "\u0544\u053D" },
};

#define PUT_MAX_BYTES 6 /* the longest of them */

static size_t put_upper(uint32_t c, locale_t locale, char *out)
{
	for (size_t i = 0; c >= specials[0].c && i < sizeof specials / sizeof specials[0]; i++)
		if (specials[i].c == c)
			return (size_t)(stpcpy(out, specials[i].upper) - out);
	return put((uint32_t)towupper_l((wint_t)c, locale), out);
}

enum card_err utf8_upper(const char *text, char out[UPPER_SIZE])
{
	static locale_t locale;
	size_t n = 0;

	if (locale == (locale_t)0)
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (locale == (locale_t)0)
		return CARD_E_CONFIG;
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0' && n + PUT_MAX_BYTES < UPPER_SIZE;) {
		uint32_t c;
		size_t bytes = next(p, &c);

		n += bytes == 0 || is_control(c) ? put('?', out + n) : put_upper(c, locale, out + n);
		p += bytes == 0 ? 1 : bytes;
	}
	out[n] = '\0';
	return CARD_OK;
}
