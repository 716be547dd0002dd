/* response.c: owns the reading of HTTP/1.1 responses. Strict: what two readers could take for two things is refused. Stateless: any thread. */
#define _GNU_SOURCE
#include "response.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define CHUNK_LINE_MAX_BYTES 256
#define STATUS_LINE_MIN_BYTES 12 /* HTTP/1.1 200 */

struct head {
	int status;
	size_t bytes; /* of the head, with its empty line */
	size_t length;
	bool has_length, chunked, close;
};

struct span {
	const char *at;
	size_t len;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The line that begins at *at, without its CR LF; *at goes behind it. False: it does not end here. */
static bool take_line(const char *data, size_t len, size_t *at, struct span *out)
{
	const char *begin = data + *at, *end = memmem(begin, len - *at, "\r\n", 2);

	if (end == NULL)
		return false;
	*out = (struct span){ begin, (size_t)(end - begin) };
	*at += out->len + 2;
	return true;
}

static bool is(struct span text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

static bool read_status(struct span line, struct head *head)
{
	const char *at = line.at;

	if (line.len < STATUS_LINE_MIN_BYTES || memcmp(at, "HTTP/1.", 7) != 0 || (at[7] != '0' && at[7] != '1') || at[8] != ' ' ||
	    !is_digit(at[9]) || !is_digit(at[10]) || !is_digit(at[11]) || (line.len > STATUS_LINE_MIN_BYTES && at[12] != ' '))
		return false;
	head->status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + at[11] - '0';
	head->close = at[7] == '0';
	return head->status >= 100 && head->status != 101; /* nothing was asked to be switched */
}

static struct span trim(struct span text)
{
	while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
		text = (struct span){ text.at + 1, text.len - 1 };
	while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

static bool read_length(struct span value, struct head *head)
{
	size_t length = 0;

	if (head->has_length || value.len == 0)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (!is_digit(value.at[i]))
			return false;
		length = 10 * length + (size_t)(value.at[i] - '0');
		if (length > RESPONSE_BODY_MAX_BYTES)
			return false;
	}
	head->has_length = true;
	head->length = length;
	return true;
}

static bool has_token(struct span list, const char *word)
{
	while (list.len > 0) {
		const char *comma = memchr(list.at, ',', list.len);
		size_t n = comma != NULL ? (size_t)(comma - list.at) : list.len;

		if (is(trim((struct span){ list.at, n }), word))
			return true;
		n += comma != NULL ? 1 : 0;
		list = (struct span){ list.at + n, list.len - n };
	}
	return false;
}

/* name: value, where the name has no space before it (a folded line) or behind it. */
static bool read_field(struct span line, struct head *head)
{
	const char *colon = memchr(line.at, ':', line.len);

	if (colon == NULL || colon == line.at || memchr(line.at, '\0', line.len) != NULL || memchr(line.at, '\r', line.len) != NULL ||
	    memchr(line.at, '\n', line.len) != NULL)
		return false;
	struct span name = { line.at, (size_t)(colon - line.at) };
	struct span value = trim((struct span){ colon + 1, line.len - name.len - 1 });

	if (memchr(name.at, ' ', name.len) != NULL || memchr(name.at, '\t', name.len) != NULL)
		return false;
	if (is(name, "Content-Length"))
		return read_length(value, head);
	if (is(name, "Transfer-Encoding")) {
		if (head->chunked || !is(value, "chunked"))
			return false;
		head->chunked = true;
	}
	if (is(name, "Connection") && has_token(value, "close"))
		head->close = true;
	return true;
}

static enum response_state read_head(const char *data, size_t len, struct head *out)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4);
	size_t at = 0;
	struct span line;

	if (end == NULL)
		return len > RESPONSE_HEAD_MAX_BYTES ? RESPONSE_BAD : RESPONSE_MORE;
	*out = (struct head){ .bytes = (size_t)(end - data) + 4 };
	if (out->bytes > RESPONSE_HEAD_MAX_BYTES || !take_line(data, out->bytes, &at, &line) || !read_status(line, out))
		return RESPONSE_BAD;
	while (take_line(data, out->bytes, &at, &line) && line.len > 0)
		if (!read_field(line, out))
			return RESPONSE_BAD;
	return out->chunked && out->has_length ? RESPONSE_BAD : RESPONSE_DONE;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* 1a;name=value */
static bool read_chunk_size(struct span line, size_t *out)
{
	size_t size = 0, i = 0;

	for (; i < line.len && hex_digit(line.at[i]) >= 0; i++) {
		size = 16 * size + (size_t)hex_digit(line.at[i]);
		if (size > RESPONSE_BODY_MAX_BYTES)
			return false;
	}
	if (i == 0 || (i < line.len && line.at[i] != ';' && line.at[i] != ' ' && line.at[i] != '\t'))
		return false;
	*out = size;
	return true;
}

/* Fields behind the last chunk: none of them is used. */
static enum response_state skip_trailers(const char *data, size_t len, size_t *at)
{
	struct span line;

	while (take_line(data, len, at, &line))
		if (line.len == 0)
			return RESPONSE_DONE;
	return len - *at > RESPONSE_HEAD_MAX_BYTES ? RESPONSE_BAD : RESPONSE_MORE;
}

/* From the first chunk's line to the end of the last; join moves them together at the front. */
static enum response_state walk_chunks(char *data, size_t len, bool join, size_t *body_len, size_t *used)
{
	size_t at = 0, size, total = 0;
	struct span line;

	for (;;) {
		if (!take_line(data, len, &at, &line))
			return len - at > CHUNK_LINE_MAX_BYTES ? RESPONSE_BAD : RESPONSE_MORE;
		if (line.len > CHUNK_LINE_MAX_BYTES || !read_chunk_size(line, &size) || size > RESPONSE_BODY_MAX_BYTES - total)
			return RESPONSE_BAD;
		if (size == 0)
			break;
		if (len - at < size + 2)
			return RESPONSE_MORE;
		if (data[at + size] != '\r' || data[at + size + 1] != '\n')
			return RESPONSE_BAD;
		if (join)
			memmove(data + total, data + at, size);
		total += size;
		at += size + 2;
	}
	*body_len = total;
	enum response_state state = skip_trailers(data, len, &at);

	*used = at;
	return state;
}

static enum response_state read_chunks(char *data, size_t len, struct response *out)
{
	size_t used;
	enum response_state state = walk_chunks(data, len, false, &out->len, &used);

	if (state != RESPONSE_DONE)
		return state;
	out->keep = out->keep && used == len;
	out->body = data;
	return walk_chunks(data, len, true, &out->len, &used);
}

static enum response_state read_body(const struct head *head, char *data, size_t len, bool ended, struct response *out)
{
	bool empty = head->status == 204 || head->status == 304;
	size_t length = empty ? 0 : head->length;

	*out = (struct response){ .status = head->status, .body = data, .keep = !head->close };
	if (head->chunked && !empty)
		return read_chunks(data, len, out);
	if (!head->has_length && !empty) { /* it ends with the connection */
		out->len = len;
		out->keep = false;
		return ended ? RESPONSE_DONE : len > RESPONSE_BODY_MAX_BYTES ? RESPONSE_BAD : RESPONSE_MORE;
	}
	out->len = length;
	out->keep = out->keep && len == length; /* bytes that nobody asked for: whose are they? */
	return len < length ? RESPONSE_MORE : RESPONSE_DONE;
}

enum response_state response_read(char *data, size_t len, bool ended, struct response *out)
{
	struct response found;
	struct head head;
	size_t at = 0;
	enum response_state state;

	do { /* 1xx: more heads follow */
		state = read_head(data + at, len - at, &head);
		if (state == RESPONSE_DONE)
			at += head.bytes;
	} while (state == RESPONSE_DONE && head.status < 200);
	if (state == RESPONSE_DONE)
		state = read_body(&head, data + at, len - at, ended, &found);
	if (state == RESPONSE_MORE && ended)
		return RESPONSE_BAD;
	if (state == RESPONSE_DONE)
		*out = found;
	return state;
}
