/* quote.c: owns text in quotes for messages. Stateless: any thread. */
#include "bulla/memory.h"
#include "bulla/utf8.h"

static const char escaped[] = "\a\b\f\n\r\t\v\"\\", letters[] = "abfnrtv\"\\";

/* Writes the character at p and returns how many bytes it was; *to moves on by up to four. */
static size_t put(const uint8_t *p, size_t n, uint8_t **to)
{
	static const char hex[] = "0123456789abcdef";
	const char *escape = *p != 0 ? strchr(escaped, *p) : NULL;
	size_t len = utf8_sequence(p, n);

	if (escape != NULL) {
		*(*to)++ = '\\';
		*(*to)++ = (uint8_t)letters[escape - escaped];
		return 1;
	}
	if (len == 0 || *p < 0x20 || *p == 0x7F) {
		*(*to)++ = '\\';
		*(*to)++ = 'x';
		*(*to)++ = (uint8_t)hex[*p >> 4];
		*(*to)++ = (uint8_t)hex[*p & 15];
		return 1;
	}
	memcpy(*to, p, len);
	*to += len;
	return len;
}

/* With room for 4 bytes for each of text's, and 2. */
static uint8_t *quote(struct bulla_bytes text, uint8_t *to)
{
	*to++ = '"';
	for (size_t i = 0; i < text.len;)
		i += put(text.ptr + i, text.len - i, &to);
	*to++ = '"';
	return to;
}

struct bulla_bytes bulla_arena_quote(struct bulla_arena *arena, struct bulla_bytes text)
{
	uint8_t *quoted = bulla_arena_alloc(arena, 4 * text.len + 3);

	if (quoted == NULL)
		return (struct bulla_bytes){ 0 };
	return bulla_mem(quoted, (size_t)(quote(text, quoted) - quoted));
}

/* In one piece: a client decides how long the list is. */
struct bulla_bytes bulla_arena_quote_list(struct bulla_arena *arena, const struct bulla_bytes *items, size_t count)
{
	size_t room = 3;

	for (size_t i = 0; i < count; i++)
		room += 4 * items[i].len + 3;
	uint8_t *list = bulla_arena_alloc(arena, room), *to = list;

	if (list == NULL)
		return (struct bulla_bytes){ 0 };
	*to++ = '[';
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*to++ = ' ';
		to = quote(items[i], to);
	}
	*to++ = ']';
	return bulla_mem(list, (size_t)(to - list));
}
