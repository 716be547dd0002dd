/* hcl.c: reads configuration text by recursive descent. Stateless but for its arguments: any thread. */
#include "commands/hcl.h"

#include <stdio.h>

struct parser {
	struct bulla_call *call;
	const char *file;
	const uint8_t *at, *end;
	unsigned line, depth;
};

#define FAIL(p, ...) fail_at(p, (p)->line, __VA_ARGS__)

static enum bulla_err fail_at(struct parser *p, unsigned line, const char *what, const char *more)
{
	return bulla_fail(p->call, BULLA_E_CONFIG, "%s:%u: %s%s", p->file, line, what, more);
}

static int peek(const struct parser *p)
{
	return p->at < p->end ? *p->at : -1;
}

static bool looking_at(const struct parser *p, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(p->end - p->at) >= n && memcmp(p->at, text, n) == 0;
}

static void skip_line(struct parser *p)
{
	while (peek(p) >= 0 && peek(p) != '\n')
		p->at++;
}

static enum bulla_err skip_comment(struct parser *p)
{
	unsigned line = p->line;

	for (p->at += 2; !looking_at(p, "*/"); p->at++) {
		if (peek(p) < 0)
			return fail_at(p, line, "the comment does not end", "");
		if (peek(p) == '\n')
			p->line++;
	}
	p->at += 2;
	return BULLA_OK;
}

/* White space and comments, with line ends or up to the line's end. */
static enum bulla_err skip(struct parser *p, bool lines)
{
	for (;;) {
		int c = peek(p);

		if (c == '#' || looking_at(p, "//")) {
			skip_line(p);
		} else if (looking_at(p, "/*")) {
			TRY(skip_comment(p));
		} else if (c == ' ' || c == '\t' || c == '\r') {
			p->at++;
		} else if (c == '\n' && lines) {
			p->at++;
			p->line++;
		} else {
			return BULLA_OK;
		}
	}
}

static bool is_word(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static enum bulla_err word(struct parser *p, const char **out)
{
	const uint8_t *from = p->at;

	while (is_word(peek(p)))
		p->at++;
	struct bulla_bytes copy = bulla_arena_copy(p->call->arena, bulla_mem(from, (size_t)(p->at - from)));

	if (copy.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	*out = (const char *)copy.ptr;
	return BULLA_OK;
}

static enum bulla_err hex4(struct parser *p, uint32_t *out)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		int c = peek(p), digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
					 c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (digit < 0)
			return FAIL(p, "\\u needs four hexadecimal digits", "");
		value = value << 4 | (uint32_t)digit;
		p->at++;
	}
	if (value == 0 || (value >= 0xd800 && value <= 0xdfff))
		return FAIL(p, "\\u names no character", "");
	*out = value;
	return BULLA_OK;
}

static size_t put_utf8(uint32_t v, uint8_t *to)
{
	if (v < 0x80) {
		to[0] = (uint8_t)v;
		return 1;
	}
	if (v < 0x800) {
		to[0] = (uint8_t)(0xc0 | v >> 6), to[1] = (uint8_t)(0x80 | (v & 63));
		return 2;
	}
	to[0] = (uint8_t)(0xe0 | v >> 12), to[1] = (uint8_t)(0x80 | (v >> 6 & 63)), to[2] = (uint8_t)(0x80 | (v & 63));
	return 3;
}

/* What follows a backslash; at most 3 bytes to to, fewer than were read. */
static enum bulla_err escape(struct parser *p, uint8_t *to, size_t *n)
{
	static const char from[] = "nrt\"\\", into[] = "\n\r\t\"\\";
	int c = peek(p);
	const char *known = c > 0 ? strchr(from, c) : NULL;
	uint32_t value = 0;

	if (known != NULL) {
		p->at++;
		to[(*n)++] = (uint8_t)into[known - from];
		return BULLA_OK;
	}
	if (c != 'u')
		return FAIL(p, "unknown escape in a string", "");
	p->at++;
	TRY(hex4(p, &value));
	*n += put_utf8(value, to + *n);
	return BULLA_OK;
}

/* A string in quotes, on one line. */
static enum bulla_err string(struct parser *p, const char **out)
{
	const uint8_t *close = p->at + 1;

	while (close < p->end && *close != '"' && *close != '\n')
		close += *close == '\\' && close + 1 < p->end ? 2 : 1;
	if (close >= p->end || *close != '"')
		return FAIL(p, "the string does not end on its line", "");
	uint8_t *to = bulla_arena_alloc(p->call->arena, (size_t)(close - p->at));
	size_t n = 0;

	if (to == NULL)
		return BULLA_E_NO_MEMORY;
	for (p->at++; p->at < close;) {
		uint8_t c = *p->at++;

		if (c == '\\')
			TRY(escape(p, to, &n));
		else if (c < 0x20 && c != '\t')
			return FAIL(p, "control character in a string", "");
		else
			to[n++] = c;
	}
	p->at = close + 1;
	to[n] = '\0';
	if (!bulla_utf8_valid(bulla_mem(to, n)))
		return FAIL(p, "the string is not UTF-8", "");
	*out = (const char *)to;
	return BULLA_OK;
}

static enum bulla_err node(struct parser *p, enum hcl_kind kind, const char *name, struct hcl **out)
{
	struct hcl *h = bulla_arena_alloc(p->call->arena, sizeof *h);

	if (h == NULL)
		return BULLA_E_NO_MEMORY;
	h->kind = kind;
	h->name = name;
	h->line = p->line;
	*out = h;
	return BULLA_OK;
}

static enum bulla_err value(struct parser *p, const char *name, struct hcl **out);

static enum bulla_err list(struct parser *p, struct hcl *h)
{
	struct hcl **end = &h->first;

	for (p->at++;;) {
		TRY(skip(p, true));
		if (peek(p) == ']')
			break;
		TRY(value(p, "", end));
		end = &(*end)->next;
		TRY(skip(p, true));
		if (peek(p) == ',')
			p->at++;
		else if (peek(p) != ']')
			return FAIL(p, "a comma or ] is missing in the list", "");
	}
	p->at++;
	return BULLA_OK;
}

/* A bare word: true, false or a number. */
static enum bulla_err bare(struct parser *p, struct hcl *h)
{
	TRY(word(p, &h->text));
	h->boolean = strcmp(h->text, "true") == 0;
	if (h->boolean || strcmp(h->text, "false") == 0) {
		h->kind = HCL_BOOL;
		return BULLA_OK;
	}
	h->kind = HCL_NUMBER;
	size_t sign = h->text[0] == '-', digits = strspn(h->text + sign, "0123456789");

	if (digits == 0 || h->text[sign + digits] != '\0')
		return FAIL(p, "not a string in quotes, a whole number, true, false or a list: ", h->text);
	return BULLA_OK;
}

static enum bulla_err value(struct parser *p, const char *name, struct hcl **out)
{
	struct hcl *h;

	TRY(node(p, HCL_STRING, name, &h));
	*out = h;
	if (peek(p) == '"')
		return string(p, &h->text);
	if (peek(p) == '[') {
		h->kind = HCL_LIST;
		if (++p->depth > HCL_MAX_DEPTH)
			return FAIL(p, "nested too deep", "");
		TRY(list(p, h));
		p->depth--;
		return BULLA_OK;
	}
	if (is_word(peek(p)))
		return bare(p, h);
	return FAIL(p, "a value is missing for ", name);
}

static enum bulla_err body(struct parser *p, struct hcl *block, int close);

static enum bulla_err block(struct parser *p, const char *name, struct hcl **out)
{
	struct hcl *h;

	TRY(node(p, HCL_BLOCK, name, &h));
	*out = h;
	if (peek(p) == '"') {
		TRY(string(p, &h->label));
		TRY(skip(p, false));
	}
	if (peek(p) != '{')
		return FAIL(p, "= or { is missing after ", name);
	if (++p->depth > HCL_MAX_DEPTH)
		return FAIL(p, "nested too deep", "");
	p->at++;
	TRY(body(p, h, '}'));
	p->depth--;
	return BULLA_OK;
}

static enum bulla_err item(struct parser *p, struct hcl **out)
{
	const char *name;

	if (!is_word(peek(p)))
		return FAIL(p, "a name is missing", "");
	TRY(word(p, &name));
	TRY(skip(p, false));
	if (peek(p) != '=')
		return block(p, name, out);
	p->at++;
	TRY(skip(p, false));
	return value(p, name, out);
}

/* Items up to close (-1: the end of the text), each on lines of its own, or divided by a comma. */
static enum bulla_err body(struct parser *p, struct hcl *parent, int close)
{
	struct hcl **end = &parent->first;

	for (;;) {
		TRY(skip(p, true));
		if (peek(p) == close)
			break;
		if (peek(p) < 0)
			return fail_at(p, parent->line, "} is missing for ", parent->name);
		TRY(item(p, end));
		end = &(*end)->next;
		TRY(skip(p, false));
		if (peek(p) == ',')
			p->at++;
		else if (peek(p) != '\n' && peek(p) != close && peek(p) >= 0)
			return FAIL(p, "something follows on the line", "");
	}
	p->at += close >= 0;
	return BULLA_OK;
}

enum bulla_err hcl_parse(struct bulla_call *call, const char *file, struct bulla_bytes text, struct hcl **out)
{
	struct parser p = { call, file, text.ptr, text.ptr + text.len, 1, 0 };
	struct hcl *root;

	if (text.len > HCL_MAX_BYTES)
		return FAIL(&p, "the file is too large", "");
	if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL)
		return FAIL(&p, "the file holds a NUL byte", "");
	TRY(node(&p, HCL_BLOCK, "", &root));
	TRY(body(&p, root, -1));
	*out = root;
	return BULLA_OK;
}
