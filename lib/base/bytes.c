/* bytes.c: comparisons of counted bytes. Stateless: any thread. */
#include "bulla/bytes.h"

#include <sodium.h>
#include <strings.h>

bool bulla_is_nocase(struct bulla_bytes a, const char *s)
{
	return a.len == strlen(s) && (a.len == 0 || strncasecmp((const char *)a.ptr, s, a.len) == 0);
}

int bulla_compare(struct bulla_bytes a, struct bulla_bytes b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.ptr, b.ptr, common) : 0;

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool bulla_equal_secret(struct bulla_bytes a, struct bulla_bytes b)
{
	return a.len == b.len && (a.len == 0 || sodium_memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The length of the well-formed sequence at p (RFC 3629 section 4), 0 if there is none within n bytes. */
static size_t utf8_sequence(const uint8_t *p, size_t n)
{
	uint8_t low = 0x80, high = 0xBF;
	size_t more;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		more = 1;
	else if (p[0] >= 0xE0 && p[0] <= 0xEF)
		more = 2;
	else if (p[0] >= 0xF0 && p[0] <= 0xF4)
		more = 3;
	else
		return 0;
	/* the second byte is what rules out overlong forms, surrogates and what lies past U+10FFFF */
	switch (p[0]) {
	case 0xE0: low = 0xA0; break;
	case 0xED: high = 0x9F; break;
	case 0xF0: low = 0x90; break;
	case 0xF4: high = 0x8F; break;
	default: break;
	}
	if (n <= more || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i <= more; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return more + 1;
}

bool bulla_utf8_valid(struct bulla_bytes text)
{
	for (size_t i = 0; i < text.len;) {
		size_t n = utf8_sequence(text.ptr + i, text.len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}
