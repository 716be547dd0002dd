/* utf8.h: the two steps that the JSON reader and printer share (RFC 3629). Stateless: any thread. */
#ifndef BULLA_UTF8_H
#define BULLA_UTF8_H

#include "bytes.h"

/* The length of the well-formed sequence at p, 0 if there is none within n bytes (n >= 1). */
static inline size_t utf8_sequence(const uint8_t *p, size_t n)
{
	size_t want = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

	return n >= want && bulla_utf8_valid(bulla_mem(p, want)) ? want : 0;
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

#endif
