/* bytes.h: counted, borrowed bytes. Text is bytes too: nothing here is NUL-terminated unless it says so. */
#ifndef BULLA_BYTES_H
#define BULLA_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "decls.h"

BULLA_DECLS_BEGIN

/* Borrowed: whoever made it owns what ptr points at. ptr may be NULL only when len is 0. */
struct bulla_bytes {
	const uint8_t *ptr;
	size_t len;
};

struct bulla_pair {
	struct bulla_bytes key, value;
};

/* A NUL-terminated string (without its NUL) as bytes; NULL gives none. */
static inline struct bulla_bytes bulla_str(const char *s)
{
	struct bulla_bytes bytes = { (const uint8_t *)s, s ? strlen(s) : 0 };

	return bytes;
}

static inline struct bulla_bytes bulla_mem(const void *p, size_t n)
{
	struct bulla_bytes bytes = { (const uint8_t *)p, n };

	return bytes;
}

/* Of the peer's word characters (\w): letters and digits of ASCII, and '_'. */
static inline bool bulla_is_word(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Not constant-time: for names, never for secrets (see bulla_equal_secret). */
static inline bool bulla_equal(struct bulla_bytes a, struct bulla_bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool bulla_is(struct bulla_bytes a, const char *s)
{
	return bulla_equal(a, bulla_str(s));
}

/* Letters of either case are the same, those of ASCII. */
bool bulla_is_nocase(struct bulla_bytes a, const char *s);

static inline bool bulla_begins(struct bulla_bytes a, const char *s)
{
	size_t n = strlen(s);

	return a.len >= n && (n == 0 || memcmp(a.ptr, s, n) == 0);
}

/* <0, 0, >0 by unsigned bytes, the shorter first: the order LIST gives. */
int bulla_compare(struct bulla_bytes a, struct bulla_bytes b);

/* Constant time in the contents (the lengths are not secret). */
bool bulla_equal_secret(struct bulla_bytes a, struct bulla_bytes b);

/* Whether the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool bulla_utf8_valid(struct bulla_bytes text);

BULLA_DECLS_END

#endif
