/* target.c: decodes a request's target, once. An HTTP library must not do it before: what it makes of %2F and %00 is how
 * policies are bypassed. Stateless: any thread. */
#include "http/target.h"

#include <strings.h>

#include "request/form.h"
#include <bulla/utf8.h>

/* Behind the scheme and the authority of an absolute form (RFC 9112 section 3.2.2). */
static struct bulla_bytes origin_form(struct bulla_bytes raw)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(schemes[i]);

		if (raw.len < n || strncasecmp((const char *)raw.ptr, schemes[i], n) != 0)
			continue;
		raw = bulla_mem(raw.ptr + n, raw.len - n);
		const uint8_t *slash = memchr(raw.ptr, '/', raw.len);

		return slash != NULL ? bulla_mem(slash, raw.len - (size_t)(slash - raw.ptr)) : bulla_str("/");
	}
	return raw;
}

static bool is_dots(const uint8_t *segment, size_t len)
{
	return (len == 1 && segment[0] == '.') || (len == 2 && segment[0] == '.' && segment[1] == '.');
}

/* The end of the segment that begins at p. */
static const uint8_t *segment_end(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *slash = memchr(p, '/', (size_t)(end - p));

	return slash != NULL ? slash : end;
}

/* Whether a segment is "." or ".."; or, with empty, if one is "" (the last one may be). */
static bool has_odd_segment(struct bulla_bytes path, bool empty)
{
	const uint8_t *end = path.ptr + path.len;

	for (const uint8_t *p = path.ptr; p < end; p++) {
		const uint8_t *next = segment_end(p, end);

		if (is_dots(p, (size_t)(next - p)) || (empty && next == p && next < end))
			return true;
		p = next;
	}
	return false;
}

/* Bytes that may stand in a Location as they are; % begins an escape that was there. */
static bool location_plain(uint8_t c)
{
	if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
		return true;
	return c != 0 && strchr("-_.~!$&'()*+,;=:@/%[]", c) != NULL;
}

static size_t put_escaped(uint8_t *to, uint8_t c)
{
	static const char hex[] = "0123456789ABCDEF";

	to[0] = '%';
	to[1] = (uint8_t)hex[c >> 4];
	to[2] = (uint8_t)hex[c & 15];
	return 3;
}

/* What the peer answers with the same path and a slash behind it: a tree of paths, of which this is none. */
static bool is_tree(struct bulla_bytes path)
{
	return bulla_is(path, "/v1/sys");
}

/* The path without empty and dot segments, as Go's path.Clean makes it, a slash at the end kept or put there; then the query. */
static enum bulla_err clean(struct bulla_call *call, struct bulla_bytes path, struct bulla_bytes query, bool tree, struct bulla_bytes *out)
{
	uint8_t *to = bulla_arena_alloc(call->arena, 3 * (path.len + query.len) + 4);
	const uint8_t *end = path.ptr + path.len;
	size_t n = 0;

	if (to == NULL)
		return BULLA_E_NO_MEMORY;
	for (const uint8_t *p = path.ptr + 1; p < end; p++) {
		const uint8_t *next = segment_end(p, end);
		size_t len = (size_t)(next - p);

		if (len == 2 && is_dots(p, len)) {
			while (n > 0 && to[--n] != '/')
				;
		} else if (len > 0 && !is_dots(p, len)) {
			to[n++] = '/';
			for (size_t i = 0; i < len; i++)
				n += location_plain(p[i]) ? (to[n] = p[i], 1) : put_escaped(to + n, p[i]);
		}
		p = next;
	}
	if (n == 0 || tree || path.ptr[path.len - 1] == '/' || is_tree(bulla_mem(to, n)))
		to[n++] = '/';
	if (query.len > 0)
		to[n++] = '?';
	for (size_t i = 0; i < query.len; i++)
		n += query.ptr[i] > 0x20 && query.ptr[i] < 0x7F ? (to[n] = query.ptr[i], 1) : put_escaped(to + n, query.ptr[i]);
	to[n] = 0;
	*out = bulla_mem(to, n);
	return BULLA_OK;
}

enum bulla_err target_decode(struct bulla_call *call, struct bulla_bytes raw, struct target *out)
{
	struct bulla_bytes path = origin_form(raw), query = { 0 }, decoded;
	const uint8_t *mark = path.len > 0 ? memchr(path.ptr, '?', path.len) : NULL;
	struct target target = { 0 };

	if (mark != NULL) {
		query = bulla_mem(mark + 1, path.len - (size_t)(mark + 1 - path.ptr));
		path.len = (size_t)(mark - path.ptr);
	}
	if (path.len == 0 || path.ptr[0] != '/')
		return BULLA_E_BAD_TARGET;
	enum bulla_err err = percent_decode(call, path, false, &decoded);

	if (err == BULLA_E_BAD_REQUEST)
		return BULLA_E_BAD_TARGET;
	TRY(err);
	if (!bulla_all_printable(decoded))
		return BULLA_E_BAD_TARGET;
	if (!bulla_begins(decoded, "/v1/"))
		return BULLA_E_NOT_FOUND;
	if (has_odd_segment(bulla_mem(path.ptr + 1, path.len - 1), true)) {
		TRY(clean(call, path, query, false, &target.location));
		*out = target;
		return BULLA_OK;
	}
	target.relative = decoded.ptr != path.ptr && has_odd_segment(decoded, false);
	if (query.len > 0)
		TRY(form_parse(call, query, false, &target.query));
	if (is_tree(decoded) && json_get(target.query, "help") == NULL)
		TRY(clean(call, path, query, true, &target.location));
	target.path = bulla_mem(decoded.ptr + 4, decoded.len - 4);
	*out = target;
	return BULLA_OK;
}
