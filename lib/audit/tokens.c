/* tokens.c: owns how a token is known by its form where none should stand: in a path, as clients of old APIs put it there, or in a
 * header that is recorded in clear. Any thread. */
#include "audit/audit_private.h"

#define LEAST 20 /* characters behind the prefix: ours have 24 and more */

static bool is_token_char(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/* How many characters before the dot are a prefix: "s", "b", "hvs", "hvb", "hvr"; 0: none. */
static size_t prefix_before(struct bulla_bytes text, size_t dot)
{
	size_t n = 0;

	while (n < dot && n < 4 && is_token_char(text.ptr[dot - n - 1]))
		n++;
	const uint8_t *at = text.ptr + dot - n;

	if (n == 3 && at[0] == 'h' && at[1] == 'v' && (at[2] == 's' || at[2] == 'b' || at[2] == 'r'))
		return n;
	return n == 1 && (at[0] == 's' || at[0] == 'b') ? n : 0;
}

bool token_find(struct bulla_bytes text, struct bulla_bytes *out)
{
	const uint8_t *dot = text.len > 0 ? memchr(text.ptr, '.', text.len) : NULL, *end = text.ptr + text.len;

	for (; dot != NULL; dot = memchr(dot + 1, '.', (size_t)(end - dot) - 1)) {
		size_t before = prefix_before(text, (size_t)(dot - text.ptr));
		const uint8_t *last = dot + 1;

		while (last < end && is_token_char(*last))
			last++;
		if (before == 0 || last - dot - 1 < LEAST)
			continue;
		*out = bulla_mem(dot - before, before + (size_t)(last - dot));
		return true;
	}
	return false;
}

/* text with hash in the place of token, which lies in it. */
static struct bulla_bytes replace(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes token, const char hash[HASH_TEXT])
{
	size_t before = (size_t)(token.ptr - text.ptr), after = text.len - before - token.len;

	return bulla_arena_printf(call->arena, "%.*s%.*s%.*s", (int)before, (const char *)text.ptr, HASH_TEXT, hash, (int)after,
				  (const char *)token.ptr + token.len);
}

struct bulla_bytes tokens_hide(const struct device *device, struct bulla_call *call, struct bulla_bytes text)
{
	struct bulla_bytes token;
	char hash[HASH_TEXT];

	while (token_find(text, &token)) {
		device_hash(device, token, hash);
		text = replace(call, text, token, hash);
		if (text.ptr == NULL)
			return bulla_str("(no memory)");
	}
	return text;
}
