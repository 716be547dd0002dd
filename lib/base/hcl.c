/* hcl.c: reads configuration text and policies by recursive descent. Stateless but for its arguments: any thread. */
#include "bulla/hcl.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST_WHOLE 9007199254740992.0 /* 2^53 */

#include "base/heredoc.h"

struct parser {
	struct bulla_call *call;
	const char *file;
	const uint8_t *at, *end;
	const uint8_t *line_start;
	unsigned line, depth, nodes;
	bool json;
	bool config; /* numbers of all kinds, and null */
};

struct place {
	unsigned line, column;
};

static struct place here(const struct parser *p)
{
	return (struct place){ p->line, (unsigned)(p->at - p->line_start) + 1 };
}

static enum bulla_err fail_at(const struct parser *p, struct place place, const char *what, const char *more)
{
	if (p->file == NULL)
		return bulla_fail(p->call, BULLA_E_CONFIG, "At %u:%u: %s%s", place.line, place.column, what, more);
	return bulla_fail(p->call, BULLA_E_CONFIG, "%s:%u:%u: %s%s", p->file, place.line, place.column, what, more);
}

static enum bulla_err fail(const struct parser *p, const char *what, const char *more)
{
	return fail_at(p, here(p), what, more);
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

static void step(struct parser *p)
{
	if (*p->at++ == '\n') {
		p->line++;
		p->line_start = p->at;
	}
}

static enum bulla_err skip_comment(struct parser *p)
{
	struct place place = here(p);

	for (p->at += 2; !looking_at(p, "*/"); step(p))
		if (peek(p) < 0)
			return fail_at(p, place, "the comment does not end", "");
	p->at += 2;
	return BULLA_OK;
}

/* White space and comments. */
static enum bulla_err skip(struct parser *p)
{
	for (;;) {
		int c = peek(p);

		if (!p->json && (c == '#' || looking_at(p, "//"))) {
			while (peek(p) >= 0 && peek(p) != '\n')
				p->at++;
		} else if (!p->json && looking_at(p, "/*")) {
			TRY(skip_comment(p));
		} else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			step(p);
		} else {
			return BULLA_OK;
		}
	}
}

/* ---- words and strings ------------------------------------------------------------------------------------------------- */

static bool is_word(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static enum bulla_err word(struct parser *p, const char **out)
{
	const uint8_t *from = p->at;

	while (is_word(peek(p)) || (p->config && peek(p) == '+' && p->at > from && (p->at[-1] | 0x20) == 'e'))
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
			return fail(p, "\\u needs four hexadecimal digits", "");
		value = value << 4 | (uint32_t)digit;
		p->at++;
	}
	*out = value;
	return BULLA_OK;
}

/* What follows \u: one character, or the two halves of one. */
static enum bulla_err unicode(struct parser *p, uint32_t *out)
{
	struct place place = here(p);
	uint32_t value, low = 0;

	TRY(hex4(p, &value));
	if (value >= 0xd800 && value <= 0xdbff && looking_at(p, "\\u")) {
		p->at += 2;
		TRY(hex4(p, &low));
		if (low >= 0xdc00 && low <= 0xdfff)
			value = 0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00);
	}
	if (value == 0 || (value >= 0xd800 && value <= 0xdfff))
		return fail_at(p, place, "\\u names no character", "");
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
	if (v < 0x10000) {
		to[0] = (uint8_t)(0xe0 | v >> 12), to[1] = (uint8_t)(0x80 | (v >> 6 & 63)), to[2] = (uint8_t)(0x80 | (v & 63));
		return 3;
	}
	to[0] = (uint8_t)(0xf0 | v >> 18), to[1] = (uint8_t)(0x80 | (v >> 12 & 63));
	to[2] = (uint8_t)(0x80 | (v >> 6 & 63)), to[3] = (uint8_t)(0x80 | (v & 63));
	return 4;
}

/* What follows a backslash; fewer bytes go to to than were read. */
static enum bulla_err escape(struct parser *p, uint8_t *to, size_t *n)
{
	static const char from[] = "nrtbf\"\\/", into[] = "\n\r\t\b\f\"\\/";
	int c = peek(p);
	const char *known = c > 0 ? strchr(from, c) : NULL;
	uint32_t value = 0;

	if (known != NULL) {
		p->at++;
		to[(*n)++] = (uint8_t)into[known - from];
		return BULLA_OK;
	}
	if (c != 'u')
		return fail(p, "unknown escape in a string", "");
	p->at++;
	TRY(unicode(p, &value));
	*n += put_utf8(value, to + *n);
	return BULLA_OK;
}

/* A string in quotes, on one line. */
static enum bulla_err string(struct parser *p, const char **out)
{
	struct place place = here(p);
	const uint8_t *close = p->at + 1;

	while (close < p->end && *close != '"' && *close != '\n')
		close += *close == '\\' && close + 1 < p->end && close[1] != '\n' ? 2 : 1;
	if (close >= p->end || *close != '"')
		return fail_at(p, place, "the string does not end on its line", "");
	uint8_t *to = bulla_arena_alloc(p->call->arena, (size_t)(close - p->at));
	size_t n = 0;

	if (to == NULL)
		return BULLA_E_NO_MEMORY;
	for (p->at++; p->at < close;) {
		uint8_t c = *p->at;

		if (c < 0x20 && c != '\t')
			return fail(p, "control character in a string", "");
		p->at++;
		if (c == '\\')
			TRY(escape(p, to, &n));
		else
			to[n++] = c;
	}
	p->at = close + 1;
	to[n] = '\0';
	if (!bulla_utf8_valid(bulla_mem(to, n)))
		return fail_at(p, place, "the string is not UTF-8", "");
	*out = (const char *)to;
	return BULLA_OK;
}

/* Text of several lines. */
static enum bulla_err heredoc(struct parser *p, const char **out)
{
	struct bulla_bytes text = bulla_mem(p->at, (size_t)(p->end - p->at));
	struct place place = here(p);
	struct heredoc found;
	const char *wrong = heredoc_find(text, &found);
	size_t n = 0;

	if (wrong != NULL)
		return fail(p, wrong, "");
	uint8_t *to = bulla_arena_alloc(p->call->arena, found.len);

	if (to == NULL)
		return BULLA_E_NO_MEMORY;
	bool plain = heredoc_value(text, &found, to, &n);

	for (size_t left = plain ? found.len : n; left > 0; left--)
		step(p);
	if (!plain)
		return fail(p, "control character in a heredoc", "");
	to[n] = '\0';
	if (!bulla_utf8_valid(bulla_mem(to, n)))
		return fail_at(p, place, "the heredoc is not UTF-8", "");
	*out = (const char *)to;
	return BULLA_OK;
}

/* ---- values ------------------------------------------------------------------------------------------------------------ */

static enum bulla_err node(struct parser *p, enum hcl_kind kind, const char *name, struct place place, struct hcl **out)
{
	if (++p->nodes > HCL_MAX_NODES)
		return fail(p, "too many values", "");
	struct hcl *h = bulla_arena_alloc(p->call->arena, sizeof *h);

	if (h == NULL)
		return BULLA_E_NO_MEMORY;
	h->kind = kind;
	h->name = name;
	h->line = place.line;
	h->column = place.column;
	*out = h;
	return BULLA_OK;
}

static enum bulla_err value(struct parser *p, const char *name, struct place place, struct hcl **out);

static enum bulla_err list(struct parser *p, struct hcl *h)
{
	struct hcl **end = &h->first;

	for (p->at++;;) {
		TRY(skip(p));
		if (peek(p) == ']')
			break;
		TRY(value(p, "", here(p), end));
		end = &(*end)->next;
		TRY(skip(p));
		if (peek(p) == ',')
			p->at++;
		else if (peek(p) != ']')
			return fail(p, "a comma or ] is missing in the list", "");
	}
	p->at++;
	return BULLA_OK;
}

/* "[-]digits[.digits][e[+-]digits]", which ends the text. */
static bool is_number(const char *text)
{
	size_t n = text[0] == '-', digits = strspn(text + n, "0123456789");

	n += digits;
	if (text[n] == '.')
		n += 1 + strspn(text + n + 1, "0123456789");
	if (digits > 0 && (text[n] == 'e' || text[n] == 'E')) {
		n += 1 + (text[n + 1] == '-' || text[n + 1] == '+');
		digits = strspn(text + n, "0123456789");
		n += digits;
	}
	return digits > 0 && text[n] == '\0';
}

/* Programs write whole numbers as 3.3554432e+07, too: as digits, what a double holds without loss. */
static enum bulla_err whole(struct parser *p, struct hcl *h)
{
	double value = strtod(h->text, NULL);

	if (strpbrk(h->text, ".eE") == NULL || value < -MOST_WHOLE || value > MOST_WHOLE || value != (double)(int64_t)value)
		return BULLA_OK;
	h->text = (const char *)bulla_arena_printf(p->call->arena, "%lld", (long long)value).ptr;
	return h->text == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

/* A bare word: true, false or a number. */
static enum bulla_err bare(struct parser *p, struct hcl *h)
{
	struct place place = here(p);

	TRY(word(p, &h->text));
	h->boolean = strcmp(h->text, "true") == 0;
	if (h->boolean || strcmp(h->text, "false") == 0) {
		h->kind = HCL_BOOL;
		return BULLA_OK;
	}
	h->kind = HCL_NUMBER;
	if (is_number(h->text) && (p->config || strpbrk(h->text, ".eE") == NULL))
		return whole(p, h);
	return fail_at(p, place, p->config ? "not a string in quotes, a number, true, false, a list or an object: " :
		       "not a string in quotes, a whole number, true, false, a list or an object: ", h->text);
}

static enum bulla_err body(struct parser *p, struct hcl *parent, int close);

static enum bulla_err deeper(struct parser *p, struct hcl *h, bool is_list)
{
	if (++p->depth > HCL_MAX_DEPTH)
		return fail(p, "nested too deep", "");
	if (is_list)
		TRY(list(p, h));
	if (!is_list) {
		p->at++;
		TRY(body(p, h, '}'));
	}
	p->depth--;
	return BULLA_OK;
}

static enum bulla_err value(struct parser *p, const char *name, struct place place, struct hcl **out)
{
	int c = peek(p);
	struct hcl *h = NULL;

	TRY(node(p, c == '[' ? HCL_LIST : c == '{' ? HCL_BLOCK : HCL_STRING, name, place, &h));
	*out = h;
	if (c == '"')
		return string(p, &h->text);
	if (c == '[' || c == '{')
		return deeper(p, h, c == '[');
	if (c == '<' && !p->json)
		return heredoc(p, &h->text);
	if (is_word(c))
		return bare(p, h);
	return fail(p, name[0] != '\0' ? "a value is missing for " : "a value is missing", name);
}

/* ---- items ------------------------------------------------------------------------------------------------------------- */

/* A name or label. */
static enum bulla_err name(struct parser *p, const char **out)
{
	if (peek(p) == '"')
		return string(p, out);
	if (p->json || !is_word(peek(p)))
		return fail(p, "a name is missing", "");
	return word(p, out);
}

/* name "label" "label" { } */
static enum bulla_err block(struct parser *p, const char *text, struct place place, struct hcl **out)
{
	const char *labels[2] = { NULL, NULL };

	for (size_t i = 0; i < 2 && !p->json && (peek(p) == '"' || is_word(peek(p))); i++) {
		TRY(name(p, &labels[i]));
		TRY(skip(p));
	}
	if (peek(p) != '{')
		return fail(p, p->json ? ": is missing after " : labels[0] != NULL ? "{ is missing after " : "= or { is missing after ",
			    labels[0] != NULL ? labels[0] : text);
	TRY(value(p, text, place, out));
	(*out)->label = labels[0];
	(*out)->label2 = labels[1];
	return BULLA_OK;
}

static enum bulla_err item(struct parser *p, struct hcl **out)
{
	struct place place = here(p);
	const char *text;

	TRY(name(p, &text));
	TRY(skip(p));
	if (peek(p) != (p->json ? ':' : '='))
		return p->json ? fail(p, ": is missing after ", text) : block(p, text, place, out);
	p->at++;
	TRY(skip(p));
	if (p->json && p->config && looking_at(p, "null") && !is_word(p->at + 4 < p->end ? p->at[4] : -1)) {
		p->at += 4;
		return BULLA_OK; /* as if it were not there */
	}
	return value(p, text, place, out);
}

/* Items up to close (-1: the end of the text); a comma may stand between them, in JSON it must. */
static enum bulla_err body(struct parser *p, struct hcl *parent, int close)
{
	struct hcl **end = &parent->first;

	for (;;) {
		TRY(skip(p));
		if (peek(p) == close)
			break;
		if (peek(p) < 0)
			return fail(p, "} is missing for ", parent->name);
		TRY(item(p, end));
		if (*end != NULL)
			end = &(*end)->next;
		TRY(skip(p));
		if (peek(p) == ',')
			p->at++;
		else if (p->json && peek(p) != close)
			return fail(p, "a comma or } is missing", "");
	}
	p->at += close >= 0;
	return BULLA_OK;
}

static enum bulla_err json_body(struct parser *p, struct hcl *root)
{
	p->json = true;
	p->at++;
	TRY(body(p, root, '}'));
	TRY(skip(p));
	return peek(p) >= 0 ? fail(p, "something follows the end", "") : BULLA_OK;
}

static enum bulla_err parse(struct parser *p, struct bulla_bytes text, struct hcl **out)
{
	struct hcl *root;

	p->at = p->line_start = text.ptr;
	p->end = text.ptr + text.len;
	p->line = 1;
	if (text.len > HCL_MAX_BYTES)
		return fail(p, "the text is too large", "");
	if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL)
		return fail(p, "the text holds a NUL byte", "");
	TRY(node(p, HCL_BLOCK, "", here(p), &root));
	while (p->at < p->end && strchr(" \t\r\n", *p->at) != NULL)
		step(p);
	TRY(peek(p) == '{' ? json_body(p, root) : body(p, root, -1));
	*out = root;
	return BULLA_OK;
}

enum bulla_err hcl_parse(struct bulla_call *call, const char *file, struct bulla_bytes text, struct hcl **out)
{
	struct parser p = { .call = call, .file = file };

	return parse(&p, text, out);
}

enum bulla_err hcl_parse_config(struct bulla_call *call, const char *file, struct bulla_bytes text, struct hcl **out)
{
	struct parser p = { .call = call, .file = file, .config = true };

	return parse(&p, text, out);
}
