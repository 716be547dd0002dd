/* utf8.h: characters of UTF-8 one by one (RFC 3629). Stateless: any thread. */
#ifndef BULLA_UTF8_H
#define BULLA_UTF8_H

#include "bytes.h"

/* The length of the well-formed sequence at p, 0 if there is none within n bytes (n >= 1). */
static inline size_t utf8_sequence(const uint8_t *p, size_t n)
{
	size_t want = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

	return n >= want && bulla_utf8_valid(bulla_mem(p, want)) ? want : 0;
}

/* The code point of a well-formed sequence of len bytes. */
static inline uint32_t utf8_code(const uint8_t *p, size_t len)
{
	uint32_t code = len == 1 ? p[0] : p[0] & (0x7Fu >> len);

	for (size_t i = 1; i < len; i++)
		code = code << 6 | (p[i] & 0x3F);
	return code;
}

/* Writes code (a scalar value) and returns its length, 1 to 4. */
static inline size_t utf8_put(uint32_t code, uint8_t *to)
{
	if (code < 0x80) {
		to[0] = (uint8_t)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (uint8_t)(0xC0 | code >> 6);
		to[1] = (uint8_t)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (uint8_t)(0xE0 | code >> 12);
		to[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
		to[2] = (uint8_t)(0x80 | (code & 0x3F));
		return 3;
	}
	to[0] = (uint8_t)(0xF0 | code >> 18);
	to[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
	to[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
	to[3] = (uint8_t)(0x80 | (code & 0x3F));
	return 4;
}

BULLA_DECLS_BEGIN

/* Whether a code point can be shown, as Go's unicode.IsPrint has it and so the peer: a letter, mark, number, punctuation, symbol or the
 * space 0x20, of Unicode 17. Any value may be asked. */
bool bulla_is_printable(uint32_t code);

/* Whether all of a text can. Bytes that are no UTF-8 stand for U+FFFD, which can. */
bool bulla_all_printable(struct bulla_bytes text);

BULLA_DECLS_END

#endif
