/* framing.c: the machine behind framing.h: lines, bodies, chunks. */
#include "http/framing_internal.h"

#include <stdio.h>

/* What stands for a head that was refused. */
#define REFUSED_REQUEST " / HTTP/1.1\r\n\r\n"

#define MAX_REQUEST_LINE ((size_t)FRAMING_MAX_METHOD + FRAMING_MAX_TARGET + sizeof "  HTTP/1.1\r\n")

/* While bytes are read: out is where the next one goes that goes on. */
struct cursor {
	uint8_t *at, *end, *out;
	bool bare_lf; /* the last line taken ended so */
};

void framing_refuse(struct framing *f, unsigned status, const char *text)
{
	if (f->state == FRAMING_REFUSED)
		return;
	switch (f->state) {
	case FRAMING_HEAD:
		f->tail = f->is_head ? "HEAD" REFUSED_REQUEST : "GET" REFUSED_REQUEST;
		f->heads++;
		f->head_ends(f->context, true);
		break;
	case FRAMING_CHUNK:
		f->tail = "0\r\n\r\n";
		break;
	case FRAMING_CHUNK_END:
		f->tail = "\r\n0\r\n\r\n";
		break;
	case FRAMING_TRAILER:
		f->tail = "\r\n";
		break;
	default:
		return; /* a body of known length cannot be ended */
	}
	f->state = FRAMING_REFUSED;
	f->status = status;
	f->text = text;
	f->whole++;
}

static void next_request(struct framing *f)
{
	f->whole++;
	f->state = FRAMING_HEAD;
	f->head_bytes = 0;
	f->lines = f->kept_lines = 0;
	f->length = f->body = f->overhead = 0;
	f->begun = f->blank = f->minor_0 = f->is_head = f->has_length = f->chunked = f->host = f->in_chunks = false;
}

static void head_is_whole(struct framing *f)
{
	f->heads++;
	f->kept = 0;
	f->head_ends(f->context, false);
	if (f->chunked)
		f->state = FRAMING_CHUNK;
	else if (f->length > 0)
		f->state = FRAMING_BODY;
	else
		next_request(f);
}

static void pass(struct cursor *c, size_t len)
{
	if (c->out != c->at)
		memmove(c->out, c->at, len);
	c->out += len;
	c->at += len;
}

/* The next line without its end, if all of it is there and no longer than max: at stands behind it then. False: it is
 * not. Of a head's lines LF alone is an end (RFC 9112 section 2.2; OpenBao takes it); elsewhere it is refused. */
static bool take_line(struct framing *f, struct cursor *c, size_t max, struct bulla_bytes *line)
{
	size_t len = (size_t)(c->end - c->at), look = len < max ? len : max;
	uint8_t *lf = look > f->scanned ? memchr(c->at + f->scanned, '\n', look - f->scanned) : NULL;

	if (lf == NULL) {
		f->scanned = look;
		return false;
	}
	f->scanned = 0;
	*line = bulla_mem(c->at, (size_t)(lf - c->at));
	c->bare_lf = line->len == 0 || lf[-1] != '\r';
	if (c->bare_lf && f->state != FRAMING_HEAD) {
		framing_refuse(f, 400, "a line that does not end with CR LF");
		return false;
	}
	line->len -= !c->bare_lf;
	c->at = lf + 1;
	return true;
}

/* What need not be waited for: TLS, say, need never send a line's end. */
static void refuse_begun_line(struct framing *f, struct bulla_bytes line)
{
	if (line.len > 0 && line.ptr[0] != '\r' && !framing_is_token(line.ptr[0]))
		framing_refuse(f, 400, "malformed request line");
	else if (line.len >= MAX_REQUEST_LINE)
		framing_refuse(f, 414, "the request target is too long");
}

static void refuse_begun_head(struct framing *f, struct bulla_bytes part)
{
	if (!f->begun)
		refuse_begun_line(f, part);
	if (f->head_bytes + part.len >= FRAMING_MAX_HEAD)
		framing_refuse(f, 431, "the head of the request is too large");
}

static bool begin_head(struct framing *f, struct bulla_bytes line)
{
	if (line.len > 0) {
		f->begun = true;
		return framing_request_line(f, line);
	}
	if (f->blank)
		framing_refuse(f, 400, "malformed request line");
	f->blank = true; /* one line end before a request is forgiven (RFC 9112 section 2.2) */
	return f->status == 0;
}

/* A line that goes on, moved to out; of the request line its target is left out. */
static void keep_line(struct framing *f, struct cursor *c, const uint8_t *line, size_t len, size_t whole)
{
	if (whole == 0) {
		memmove(c->out, line, len);
	} else {
		memmove(c->out, line, f->method_len);
		memcpy(c->out + f->method_len, " / ", 3);
		memmove(c->out + f->method_len + 3, line + whole - 8, 8);
	}
	size_t end = c->bare_lf ? 1 : 2; /* as it came: what goes on is never longer */

	memcpy(c->out + len, c->bare_lf ? "\n" : "\r\n", end);
	c->out += len + end;
	f->kept += len + end;
}

/* The kept lines of this head stand at out - kept. */
static bool head_line(struct framing *f, struct cursor *c)
{
	struct bulla_bytes line;
	size_t keep = 0;

	if (!take_line(f, c, f->begun ? FRAMING_MAX_HEAD - f->head_bytes : MAX_REQUEST_LINE, &line)) {
		refuse_begun_head(f, bulla_mem(c->at, (size_t)(c->end - c->at)));
		return false;
	}
	f->head_bytes += line.len + (c->bare_lf ? 1 : 2);
	bool begun = f->begun, ends = begun && line.len == 0;

	if (!begun ? !begin_head(f, line) : ends ? !framing_head_ends(f) : !framing_header_line(f, line, &keep))
		return false;
	if (!begun && f->begun)
		keep = f->method_len + sizeof " / HTTP/1.1" - 1;
	if (keep == 0 && !ends)
		return true;
	if (f->kept + keep + 2 > FRAMING_MAX_KEPT || f->kept_lines > FRAMING_MAX_KEPT_LINES) {
		framing_refuse(f, 431, "the headers of the request are too large");
		return false;
	}
	keep_line(f, c, line.ptr, keep, begun ? 0 : line.len);
	if (ends)
		head_is_whole(f);
	return true;
}

static bool body(struct framing *f, struct cursor *c)
{
	size_t len = (size_t)(c->end - c->at), n = len < f->length ? len : (size_t)f->length;

	pass(c, n);
	f->length -= n;
	if (f->length > 0)
		return false;
	if (f->in_chunks)
		f->state = FRAMING_CHUNK_END;
	else
		next_request(f);
	return true;
}

static int hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Up to 15 digits, then perhaps extensions, which nobody reads. */
static bool read_size(struct framing *f, struct bulla_bytes line, uint64_t *size)
{
	size_t n = 0;

	*size = 0;
	for (; n < line.len && n < 16 && hex_digit(line.ptr[n]) >= 0; n++)
		*size = *size << 4 | (uint64_t)hex_digit(line.ptr[n]);
	struct bulla_bytes more = bulla_mem(line.ptr + n, line.len - n);

	f->overhead += more.len;
	while (more.len > 0 && (more.ptr[0] == ' ' || more.ptr[0] == '\t'))
		more.ptr++, more.len--;
	return n > 0 && n < 16 && (line.len == n || (more.len > 0 && more.ptr[0] == ';' && framing_is_text(more)));
}

static void cut(struct framing *f)
{
	f->tail = "0\r\n\r\n";
	f->too_large = true;
	f->state = FRAMING_REFUSED;
	f->whole++;
}

static bool chunk_line(struct framing *f, struct cursor *c)
{
	struct bulla_bytes line;
	uint64_t size;
	char text[24];

	if (!take_line(f, c, FRAMING_MAX_CHUNK_LINE, &line)) {
		if (c->end - c->at >= FRAMING_MAX_CHUNK_LINE)
			framing_refuse(f, 400, "a chunk's size line is too long");
		return false;
	}
	if (!read_size(f, line, &size) || f->overhead > FRAMING_MAX_EXTENSIONS) {
		framing_refuse(f, 400, "malformed chunked encoding");
		return false;
	}
	if (f->body + size > f->max_chunked) {
		cut(f);
		return false;
	}
	int n = snprintf(text, sizeof text, "%llx\r\n", (unsigned long long)size); /* no longer than the line */

	memcpy(c->out, text, (size_t)n);
	c->out += n;
	f->body += size;
	f->length = size;
	f->in_chunks = true;
	f->state = size > 0 ? FRAMING_BODY : FRAMING_TRAILER;
	f->overhead = size > 0 ? f->overhead : 0;
	return true;
}

static bool chunk_end(struct framing *f, struct cursor *c)
{
	size_t len = (size_t)(c->end - c->at);

	if ((len > 0 && c->at[0] != '\r') || (len > 1 && c->at[1] != '\n')) {
		framing_refuse(f, 400, "malformed chunked encoding");
		return false;
	}
	if (len < 2)
		return false;
	pass(c, 2);
	f->state = FRAMING_CHUNK;
	return true;
}

static bool trailer_line(struct framing *f, struct cursor *c)
{
	struct bulla_bytes line, name, value;

	if (!take_line(f, c, FRAMING_MAX_TRAILER - f->overhead, &line)) {
		if (f->overhead + (size_t)(c->end - c->at) >= FRAMING_MAX_TRAILER)
			framing_refuse(f, 431, "the trailer section is too large");
		return false;
	}
	if (line.len > 0 && !framing_is_field(line, &name, &value)) {
		framing_refuse(f, 400, "malformed trailer");
		return false;
	}
	f->overhead += line.len + 2;
	if (line.len > 0)
		return true;
	memcpy(c->out, "\r\n", 2);
	c->out += 2;
	next_request(f);
	return true;
}

static bool step(struct framing *f, struct cursor *c)
{
	switch (f->state) {
	case FRAMING_HEAD: return head_line(f, c);
	case FRAMING_BODY: return body(f, c);
	case FRAMING_CHUNK: return chunk_line(f, c);
	case FRAMING_CHUNK_END: return chunk_end(f, c);
	case FRAMING_TRAILER: return trailer_line(f, c);
	default: return false;
	}
}

struct framed framing_feed(struct framing *f, uint8_t *data, size_t len)
{
	size_t kept = f->kept;
	struct cursor c = { .at = data + kept, .end = data + len, .out = data + kept };

	while (c.at < c.end && step(f, &c))
		;
	size_t ready = (size_t)(c.out - data) - f->kept;

	if (f->state == FRAMING_REFUSED) {
		f->kept = f->scanned = 0;
		return (struct framed){ .ready = ready };
	}
	size_t left = (size_t)(c.end - c.at);

	if (c.out != c.at)
		memmove(c.out, c.at, left);
	return (struct framed){ .ready = ready, .rest = f->kept + left };
}

enum framing_end framing_end(struct framing *f, size_t rest)
{
	if (f->state == FRAMING_REFUSED || (f->state == FRAMING_HEAD && rest == 0))
		return FRAMING_ENDED;
	if (f->state == FRAMING_BODY)
		return FRAMING_ENDED_CUT;
	framing_refuse(f, 400, "the request ends early");
	return FRAMING_ENDED_EARLY;
}

bool framing_unfinished(const struct framing *f)
{
	return f->state != FRAMING_HEAD;
}
