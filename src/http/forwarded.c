/* forwarded.c: X-Forwarded-For (of no standard; the last address is the one that the nearest proxy saw). */
#include "http/forwarded.h"

static struct bulla_bytes trimmed(struct bulla_bytes text)
{
	while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
		text = bulla_mem(text.ptr + 1, text.len - 1);
	while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* "1.2.3.4:80", "[::1]:80", "[::1]": without port and brackets; else as it is. */
static struct bulla_bytes host_of(struct bulla_bytes text)
{
	const uint8_t *colon = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
	const uint8_t *close = text.len > 0 && text.ptr[0] == '[' ? memchr(text.ptr, ']', text.len) : NULL;

	if (close != NULL)
		return bulla_mem(text.ptr + 1, (size_t)(close - text.ptr - 1));
	if (colon != NULL && memchr(colon + 1, ':', text.len - (size_t)(colon + 1 - text.ptr)) == NULL)
		return bulla_mem(text.ptr, (size_t)(colon - text.ptr));
	return text;
}

/* Behind the last colon; the address of a connection always has one. */
static struct bulla_bytes port_of(struct bulla_bytes remote)
{
	size_t at = remote.len;

	while (at > 0 && remote.ptr[at - 1] != ':')
		at--;
	return bulla_mem(remote.ptr + at, remote.len - at);
}

static size_t count_links(struct bulla_bytes header)
{
	size_t count = 1;

	for (size_t i = 0; i < header.len; i++)
		count += header.ptr[i] == ',';
	return count;
}

static struct bulla_bytes link_at(struct bulla_bytes header, size_t index)
{
	size_t begin = 0, end;

	for (; index > 0; index--)
		begin = (size_t)((const uint8_t *)memchr(header.ptr + begin, ',', header.len - begin) - header.ptr) + 1;
	for (end = begin; end < header.len && header.ptr[end] != ',';)
		end++;
	return trimmed(bulla_mem(header.ptr + begin, end - begin));
}

enum bulla_err forwarded_apply(const struct forwarding *f, struct bulla_call *call, struct bulla_bytes header,
			       struct bulla_bytes *remote)
{
	if (f->authorized_count == 0)
		return BULLA_OK;
	if (header.ptr == NULL)
		return !f->reject_not_present ? BULLA_OK
			: bulla_fail(call, BULLA_E_BAD_REQUEST,
				     "missing x-forwarded-for header and configured to reject when not present");
	if (!bulla_cidrs_match(f->authorized, f->authorized_count, host_of(*remote)))
		return !f->reject_not_authorized ? BULLA_OK
			: bulla_fail(call, BULLA_E_BAD_REQUEST,
				     "client address not authorized for x-forwarded-for and configured to reject connection");
	size_t links = count_links(header);

	if ((uint64_t)f->hop_skips >= links)
		return bulla_fail(call, BULLA_E_BAD_REQUEST, "malformed x-forwarded-for configuration or request, hops to skip (%lld) "
				  "would skip before earliest chain link (chain length %zu)", (long long)f->hop_skips, links);
	struct bulla_bytes host = host_of(link_at(header, links - 1 - (size_t)f->hop_skips)), port = port_of(*remote);

	if (!bulla_ip_is_valid(host))
		return bulla_fail(call, BULLA_E_BAD_REQUEST, "malformed x-forwarded-for request: no IP address where the client's is");
	bool v6 = memchr(host.ptr, ':', host.len) != NULL;
	struct bulla_bytes text = bulla_arena_printf(call->arena, "%s%.*s%s:%.*s", v6 ? "[" : "", (int)host.len,
						     (const char *)host.ptr, v6 ? "]" : "", (int)port.len, (const char *)port.ptr);

	if (text.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	*remote = text;
	return BULLA_OK;
}
