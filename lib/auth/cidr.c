/* cidr.c: reads, prints and compares blocks of IP addresses. */
#include "auth/cidr.h"

#include <arpa/inet.h>

#define MAX_TEXT 64

static unsigned width(const struct cidr *cidr)
{
	return cidr->v6 ? 128 : 32;
}

/* One to three digits without a leading zero, as Go's net.ParseCIDR reads them. */
static bool parse_bits(struct bulla_bytes text, unsigned *out)
{
	unsigned bits = 0;

	if (text.len == 0 || text.len > 3 || (text.len > 1 && text.ptr[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		bits = bits * 10 + (text.ptr[i] - '0');
	}
	*out = bits;
	return true;
}

bool cidr_parse(struct bulla_bytes text, bool plain, struct cidr *out)
{
	const uint8_t *slash = text.len > 0 ? memchr(text.ptr, '/', text.len) : NULL;
	size_t len = slash != NULL ? (size_t)(slash - text.ptr) : text.len;
	char address[MAX_TEXT] = { 0 };
	struct cidr cidr = { 0 };

	if (len == 0 || len >= sizeof address || memchr(text.ptr, 0, len) != NULL || (slash == NULL && !plain))
		return false;
	memcpy(address, text.ptr, len);
	cidr.v6 = strchr(address, ':') != NULL;
	if (inet_pton(cidr.v6 ? AF_INET6 : AF_INET, address, cidr.bytes) != 1)
		return false;
	cidr.bits = width(&cidr);
	if (slash != NULL && (!parse_bits(bulla_mem(slash + 1, text.len - len - 1), &cidr.bits) || cidr.bits > width(&cidr)))
		return false;
	*out = cidr;
	return true;
}

struct bulla_bytes cidr_print(struct bulla_call *call, const struct cidr *cidr)
{
	char address[INET6_ADDRSTRLEN];

	if (inet_ntop(cidr->v6 ? AF_INET6 : AF_INET, cidr->bytes, address, sizeof address) == NULL)
		return (struct bulla_bytes){ 0 };
	if (cidr->bits == width(cidr))
		return bulla_arena_printf(call->arena, "%s", address);
	return bulla_arena_printf(call->arena, "%s/%u", address, cidr->bits);
}

bool cidr_contains(const struct cidr *outer, const struct cidr *inner)
{
	size_t whole = outer->bits / 8, rest = outer->bits % 8;

	if (outer->v6 != inner->v6 || inner->bits < outer->bits || memcmp(outer->bytes, inner->bytes, whole) != 0)
		return false;
	return rest == 0 || (outer->bytes[whole] ^ inner->bytes[whole]) >> (8 - rest) == 0;
}
