/* heredoc.c: see heredoc.h. */
#include "base/heredoc.h"

#include "bulla/hcl.h"

static bool is_anchor(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Where the line that begins at from ends: at its LF, or at the end of the text. */
static size_t line_end(struct bulla_bytes text, size_t from)
{
	const uint8_t *lf = from < text.len ? memchr(text.ptr + from, '\n', text.len - from) : NULL;

	return lf == NULL ? text.len : (size_t)(lf - text.ptr);
}

/* Without the CR of a CR LF. */
static size_t without_cr(struct bulla_bytes text, size_t from, size_t end)
{
	return end > from && end < text.len && text.ptr[end - 1] == '\r' ? end - 1 : end;
}

static size_t blanks(struct bulla_bytes text, size_t from, size_t end)
{
	size_t n = 0;

	while (from + n < end && (text.ptr[from + n] == ' ' || text.ptr[from + n] == '\t'))
		n++;
	return n;
}

/* The line of the anchor's end, whose blanks are set. With <<- the peers take an anchor without blanks for text. */
static bool ends(struct bulla_bytes text, size_t from, size_t end, struct bulla_bytes anchor, struct heredoc *h)
{
	size_t last = without_cr(text, from, end);

	h->indent = blanks(text, from, last);
	return end < text.len && bulla_equal(bulla_mem(text.ptr + from + h->indent, last - from - h->indent), anchor) &&
	       (h->indent > 0 || !h->unindents);
}

const char *heredoc_find(struct bulla_bytes text, struct heredoc *out)
{
	struct heredoc h = { .unindents = text.len > 2 && text.ptr[2] == '-' };
	size_t from = 2 + (size_t)h.unindents, at = from;

	if (text.len < 2 || text.ptr[1] != '<')
		return "heredoc expected second '<', didn't see it";
	while (at < text.len && is_anchor(text.ptr[at]))
		at++;
	struct bulla_bytes anchor = bulla_mem(text.ptr + from, at - from);

	h.body = line_end(text, at);
	if (h.body == text.len)
		return "heredoc not terminated";
	if (without_cr(text, at, h.body) != at)
		return "invalid characters in heredoc anchor";
	if (anchor.len == 0)
		return "zero-length heredoc anchor";
	h.end = ++h.body;
	for (size_t end; !ends(text, h.end, end = line_end(text, h.end), anchor, &h); h.end = end + 1)
		if (end == text.len)
			return "heredoc not terminated";
	h.len = line_end(text, h.end) + 1;
	*out = h;
	return NULL;
}

size_t hcl_heredoc_length(struct bulla_bytes text)
{
	struct heredoc h;

	return text.len > 0 && text.ptr[0] == '<' && heredoc_find(text, &h) == NULL ? h.len : 0;
}

static bool all_indented(struct bulla_bytes text, const struct heredoc *h)
{
	for (size_t at = h->body; at < h->end; at = line_end(text, at) + 1)
		if (h->end - at < h->indent || memcmp(text.ptr + at, text.ptr + h->end, h->indent) != 0)
			return false;
	return true;
}

bool heredoc_value(struct bulla_bytes text, const struct heredoc *h, uint8_t *to, size_t *len)
{
	size_t drop = h->unindents && all_indented(text, h) ? h->indent : 0, n = 0;

	for (size_t at = h->body, end; at < h->end; at = end + 1) {
		end = line_end(text, at);
		for (size_t i = at + drop, last = without_cr(text, at, end); i < last; i++) {
			if (text.ptr[i] < 0x20 && text.ptr[i] != '\t') {
				*len = i;
				return false;
			}
			to[n++] = text.ptr[i];
		}
		to[n++] = '\n';
	}
	if (!h->unindents) {
		memcpy(to + n, text.ptr + h->end, h->indent);
		n += h->indent;
	}
	*len = n;
	return true;
}
