/* framing_head.c: the lines of a request's head, read strictly: whatever two readers could take for two things is
 * refused (RFC 9112 sections 2.2, 3, 5, 6 and 11.2; RFC 9110 sections 5.5 and 5.6.2). Stateless but for the struct
 * framing it is given. */
#include "http/framing_internal.h"


/* RFC 9110 section 5.6.2 */
static const bool token_bytes[256] = {
	['!'] = true, ['#' ... '\''] = true, ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true, ['0' ... '9'] = true,
	['A' ... 'Z'] = true, ['^' ... 'z'] = true, ['|'] = true, ['~'] = true,
};

/* What a host and port may be made of (RFC 3986 section 3.2), as Go has it. */
static const bool host_bytes[256] = {
	['!'] = true, ['$' ... '.'] = true, ['0' ... ';'] = true, ['='] = true, ['A' ... '['] = true, [']'] = true,
	['_'] = true, ['a' ... 'z'] = true, ['~'] = true,
};

static bool all_of(const bool allowed[256], struct bulla_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!allowed[text.ptr[i]])
			return false;
	return true;
}

bool framing_is_token(uint8_t byte)
{
	return token_bytes[byte];
}

/* Whether one of eight bytes is below 0x20 or is 0x7F; now and then for others behind one that is. */
static bool has_control(uint64_t eight)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
	uint64_t del = eight ^ (ones * 0x7F);

	return (((eight - ones * 0x20) & ~eight) | ((del - ones) & ~del)) & high;
}

bool framing_is_text(struct bulla_bytes text)
{
	size_t i = 0;

	for (uint64_t eight; i + 8 <= text.len; i += 8) {
		memcpy(&eight, text.ptr + i, 8);
		if (has_control(eight))
			break;
	}
	for (; i < text.len; i++)
		if ((text.ptr[i] < 0x20 && text.ptr[i] != '\t') || text.ptr[i] == 0x7F)
			return false;
	return true;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* HTTP-name, major and minor version: one digit each. */
static bool check_version(struct framing *f, struct bulla_bytes version)
{
	const uint8_t *v = version.ptr;

	if (version.len != 8 || memcmp(v, "HTTP/", 5) != 0 || !is_digit(v[5]) || v[6] != '.' || !is_digit(v[7])) {
		framing_refuse(f, 400, "malformed HTTP version");
		return false;
	}
	if (v[5] != '1') {
		framing_refuse(f, 505, "unsupported protocol version");
		return false;
	}
	f->minor_0 = v[7] == '0';
	return true;
}

static bool take(struct framing *f, struct bulla_bytes name, struct bulla_bytes value)
{
	switch (f->take(f->context, name, value)) {
	case FRAMING_NO_MEMORY:
		framing_refuse(f, 503, "the server is busy; try again");
		return false;
	case FRAMING_TAKEN:
		if (++f->lines <= FRAMING_MAX_LINES + 1) /* the target is one of them */
			return true;
		framing_refuse(f, 431, "too many headers");
		return false;
	default:
		return true;
	}
}

/* method SP target SP version: single spaces, nothing else. */
bool framing_request_line(struct framing *f, struct bulla_bytes line)
{
	const uint8_t *end = line.ptr + line.len, *target = memchr(line.ptr, ' ', line.len);
	const uint8_t *version = target == NULL ? NULL : memchr(target + 1, ' ', (size_t)(end - target - 1));

	if (version == NULL) {
		framing_refuse(f, 400, "malformed request line");
		return false;
	}
	struct bulla_bytes method = bulla_mem(line.ptr, (size_t)(target - line.ptr));
	struct bulla_bytes text = bulla_mem(target + 1, (size_t)(version - target - 1));

	f->is_head = bulla_is(method, "HEAD");
	f->method_len = (unsigned)method.len;
	if (method.len == 0 || method.len > FRAMING_MAX_METHOD || !all_of(token_bytes, method)) {
		framing_refuse(f, 400, "invalid method");
		return false;
	}
	if (text.len > FRAMING_MAX_TARGET) {
		framing_refuse(f, 414, "the request target is too long");
		return false;
	}
	if (text.len == 0 || !framing_is_text(text) || memchr(text.ptr, '\t', text.len) != NULL) {
		framing_refuse(f, 400, "malformed request target");
		return false;
	}
	if (!check_version(f, bulla_mem(version + 1, (size_t)(end - version - 1))))
		return false;
	return take(f, bulla_mem(NULL, 0), text);
}

struct bulla_bytes framing_trim(struct bulla_bytes text)
{
	while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
		text.ptr++, text.len--;
	while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
		text.len--;
	return text;
}

bool framing_is_field(struct bulla_bytes line, struct bulla_bytes *name, struct bulla_bytes *value)
{
	size_t n = 0;

	while (n < line.len && token_bytes[line.ptr[n]])
		n++;
	if (n == 0 || n == line.len || line.ptr[n] != ':')
		return false;
	*name = bulla_mem(line.ptr, n);
	*value = framing_trim(bulla_mem(line.ptr + n + 1, line.len - n - 1));
	return framing_is_text(*value);
}

static bool note_length(struct framing *f, struct bulla_bytes value)
{
	uint64_t n = 0;

	if (f->has_length) {
		framing_refuse(f, 400, "more than one Content-Length");
		return false;
	}
	for (size_t i = 0; i < value.len; i++) {
		if (!is_digit(value.ptr[i])) {
			framing_refuse(f, 400, "bad Content-Length");
			return false;
		}
		if (n <= UINT64_MAX / 20)
			n = 10 * n + (value.ptr[i] - '0');
	}
	if (value.len == 0)
		framing_refuse(f, 400, "bad Content-Length");
	else if (n > INT64_MAX / 20)
		framing_refuse(f, 413, "the Content-Length is too large");
	f->has_length = true;
	f->length = n;
	return f->status == 0;
}

static bool note_coding(struct framing *f, struct bulla_bytes value)
{
	if (f->minor_0 || f->chunked)
		framing_refuse(f, 400, f->chunked ? "more than one Transfer-Encoding" : "Transfer-Encoding in HTTP/1.0");
	else if (!bulla_is_nocase(value, "chunked"))
		framing_refuse(f, 501, "unsupported transfer encoding");
	f->chunked = true;
	return f->status == 0;
}

static bool note_host(struct framing *f, struct bulla_bytes value)
{
	if (f->host)
		framing_refuse(f, 400, "too many Host headers");
	else if (!all_of(host_bytes, value))
		framing_refuse(f, 400, "malformed Host header");
	f->host = true;
	return f->status == 0;
}

static bool note_expectation(struct framing *f, struct bulla_bytes value)
{
	if (value.len > 0 && !bulla_is_nocase(value, "100-continue"))
		framing_refuse(f, 417, "unknown expectation");
	return f->status == 0;
}

/* keep: whether the line goes on, for libmicrohttpd. False: refused. */
static bool note(struct framing *f, struct bulla_bytes name, struct bulla_bytes value, bool *keep)
{
	switch (name.len) {
	case 4:
		return framing_is_name(name, "Host") ? note_host(f, value) : true;
	case 6:
		*keep = framing_is_name(name, "Expect");
		return *keep ? note_expectation(f, value) : true;
	case 10:
		*keep = framing_is_name(name, "Connection");
		return true;
	case 14:
		*keep = framing_is_name(name, "Content-Length");
		return *keep ? note_length(f, value) : true;
	case 17:
		*keep = framing_is_name(name, "Transfer-Encoding");
		return *keep ? note_coding(f, value) : true;
	default:
		return true;
	}
}

bool framing_header_line(struct framing *f, struct bulla_bytes line, size_t *keep_len)
{
	struct bulla_bytes name, value;
	bool keep = false;

	if (line.ptr[0] == ' ' || line.ptr[0] == '\t') {
		framing_refuse(f, 400, "a header folded over several lines");
		return false;
	}
	if (!framing_is_field(line, &name, &value)) {
		framing_refuse(f, 400, "malformed header");
		return false;
	}
	if (!note(f, name, value, &keep) || !take(f, name, value))
		return false;
	f->kept_lines += keep;
	/* white space at the end is not the value's, but libmicrohttpd would compare it */
	*keep_len = keep ? value.len > 0 ? (size_t)(value.ptr + value.len - line.ptr) : name.len + 1 : 0;
	return true;
}

bool framing_head_ends(struct framing *f)
{
	if (!f->host && !f->minor_0) {
		framing_refuse(f, 400, "missing required Host header");
		return false;
	}
	return true;
}
