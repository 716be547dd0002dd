/* quote.c: owns text in quotes for messages. Stateless: any thread. */
#include "bulla/memory.h"
#include "bulla/utf8.h"

static const char escaped[] = "\a\b\f\n\r\t\v\"\\", letters[] = "abfnrtv\"\\";

/* A backslash, the letter and so many digits of the code. */
static void put_hex(char letter, uint32_t code, unsigned digits, uint8_t **to)
{
	static const char hex[] = "0123456789abcdef";

	*(*to)++ = '\\';
	*(*to)++ = (uint8_t)letter;
	for (unsigned i = digits; i > 0; i--)
		*(*to)++ = (uint8_t)hex[code >> (4 * (i - 1)) & 15];
}

/* Writes the character at p as Go's %q does and returns how many bytes it was; *to moves on by up to four for each of them. */
static size_t put(const uint8_t *p, size_t n, uint8_t **to)
{
	const char *escape = *p != 0 ? strchr(escaped, *p) : NULL;
	size_t len = utf8_sequence(p, n);

	if (escape != NULL) {
		*(*to)++ = '\\';
		*(*to)++ = (uint8_t)letters[escape - escaped];
		return 1;
	}
	if (len <= 1 && (len == 0 || !bulla_is_printable(*p))) {
		put_hex('x', *p, 2, to);
		return 1;
	}
	uint32_t code = utf8_code(p, len);

	if (!bulla_is_printable(code)) {
		put_hex(code < 0x10000 ? 'u' : 'U', code, code < 0x10000 ? 4 : 8, to);
		return len;
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
