/* policy_format.c: lays policies out, token by token, so that comments stay. Stateless: any thread. */
#include "commands/policy_format.h"

#include <bulla/hcl.h>
#include <bulla/json.h>

struct layout {
	const uint8_t *at, *end;
	struct out *out;
	unsigned braces, brackets;
	unsigned breaks;  /* line breaks due before the next token: 0, 1, or 2 with an empty line between */
	bool gap;         /* a blank is due before the next token on the same line */
	bool on_line;     /* nothing but blanks since the last token */
	bool empty;       /* nothing was printed yet */
};

static void put(struct layout *l, const uint8_t *text, size_t len)
{
	for (; l->breaks > 0 && !l->empty; l->breaks--)
		if (l->breaks == 1) {
			out_text(l->out, "\n");
			for (unsigned i = 0; i < l->braces + l->brackets; i++)
				out_text(l->out, "  ");
			l->gap = false;
		} else {
			out_text(l->out, "\n");
		}
	l->breaks = 0;
	if (l->gap && !l->empty)
		out_text(l->out, " ");
	l->gap = l->empty = false;
	l->on_line = true;
	out_raw(l->out, bulla_mem(text, len));
}

static void due(struct layout *l, unsigned breaks)
{
	l->breaks = breaks > l->breaks ? breaks : l->breaks;
}

/* Within quotes, with them; a backslash takes the next character along. */
static size_t string_length(const struct layout *l)
{
	const uint8_t *p = l->at + 1;

	while (p < l->end && *p != '"')
		p += *p == '\\' && p + 1 < l->end ? 2 : 1;
	return (size_t)(p - l->at) + (p < l->end);
}

static bool begins(const struct layout *l, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(l->end - l->at) >= n && memcmp(l->at, text, n) == 0;
}

/* 0: it is no comment. Of one that ends with its line, without the line's end. */
static size_t comment_length(const struct layout *l)
{
	const uint8_t *p = l->at;

	if (begins(l, "/*")) {
		for (p += 2; p < l->end && !(p[0] == '*' && p + 1 < l->end && p[1] == '/');)
			p++;
		return (size_t)(p < l->end ? p + 2 - l->at : p - l->at);
	}
	if (!begins(l, "//") && *l->at != '#')
		return 0;
	while (p < l->end && *p != '\n' && *p != '\r')
		p++;
	return (size_t)(p - l->at);
}

static size_t word_length(const struct layout *l)
{
	const uint8_t *p = l->at;

	while (p < l->end && strchr(" \t\r\n{}[]=,\"#", *p) == NULL)
		p++;
	return (size_t)(p - l->at) + (p == l->at);
}

static void open_brace(struct layout *l)
{
	l->gap = true;
	put(l, l->at, 1);
	l->braces++;
	due(l, 1);
}

static void close_brace(struct layout *l)
{
	l->braces -= l->braces > 0;
	l->breaks = 1;
	put(l, l->at, 1);
	due(l, 1);
}

/* An empty list stays on its line. */
static void close_bracket(struct layout *l)
{
	l->brackets -= l->brackets > 0;
	l->gap = false;
	put(l, l->at, 1);
	l->gap = true;
}

static void line_breaks(struct layout *l)
{
	unsigned breaks = 0;

	for (; l->at < l->end && strchr(" \t\r\n", *l->at) != NULL; l->at++)
		breaks += *l->at == '\n';
	due(l, breaks > 1 ? 2 : breaks);
	l->on_line = false;
	l->at--;
}

/* Its lines stay as they are, and nothing may follow on the last one. */
static size_t take_heredoc(struct layout *l, size_t n)
{
	put(l, l->at, n - 1);
	due(l, 1);
	l->on_line = false;
	return n;
}

static size_t take(struct layout *l)
{
	size_t n = comment_length(l), heredoc = hcl_heredoc_length(bulla_mem(l->at, (size_t)(l->end - l->at)));

	if (heredoc > 0)
		return take_heredoc(l, heredoc);

	if (n > 0) {
		l->gap = true;
		if (l->on_line)
			l->breaks = 0;
		put(l, l->at, n);
		due(l, begins(l, "/*") ? 0 : 1);
		l->gap = true;
		return n;
	}
	switch (*l->at) {
	case ' ': case '\t': case '\r':
		return 1;
	case '\n':
		line_breaks(l);
		return 1;
	case '{':
		open_brace(l);
		return 1;
	case '}':
		close_brace(l);
		return 1;
	case '[':
		put(l, l->at, 1);
		l->brackets++;
		return 1;
	case ']':
		close_bracket(l);
		return 1;
	case '=':
		l->gap = true;
		put(l, l->at, 1);
		l->gap = true;
		return 1;
	case ',':
		l->gap = false;
		put(l, l->at, 1);
		l->gap = true;
		return 1;
	default:
		n = *l->at == '"' ? string_length(l) : word_length(l);
		put(l, l->at, n);
		l->gap = true;
		return n;
	}
}

enum bulla_err policy_format(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out)
{
	BULLA_CLEANUP(out_clear) struct out made = { 0 };
	struct layout l = { .at = text.ptr, .end = text.ptr + text.len, .out = &made, .empty = true };

	while (l.at < l.end)
		l.at += take(&l);
	if (!l.empty)
		out_text(&made, "\n");
	if (made.failed)
		return BULLA_E_NO_MEMORY;
	*out = bulla_arena_copy(call->arena, bulla_mem(made.ptr, made.len));
	return out->ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}
