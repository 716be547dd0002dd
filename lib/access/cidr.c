/* cidr.c: addresses and CIDR blocks (RFC 4632, RFC 4291), from where a token may be used. Stateless: any thread. */
#include <arpa/inet.h>
#include <stdio.h>

#include "access/login.h"

struct block {
	uint8_t address[16];
	unsigned bytes;  /* 4 or 16 */
	unsigned prefix; /* bits that count */
};

static const uint8_t mapped[12] = { [10] = 0xFF, [11] = 0xFF }; /* ::ffff:0:0/96: an IPv4 address written as IPv6 */

static struct bulla_bytes trim(struct bulla_bytes text)
{
	while (text.len > 0 && text.ptr[0] == ' ')
		text.ptr++, text.len--;
	while (text.len > 0 && text.ptr[text.len - 1] == ' ')
		text.len--;
	return text;
}

static bool parse_address(struct bulla_bytes text, struct block *out)
{
	char host[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof host || memchr(text.ptr, 0, text.len) != NULL)
		return false;
	memcpy(host, text.ptr, text.len);
	host[text.len] = '\0';
	out->bytes = 4;
	if (inet_pton(AF_INET, host, out->address) == 1)
		return true;
	out->bytes = 16;
	return inet_pton(AF_INET6, host, out->address) == 1;
}

/* One to three digits, no sign, no zero before others. */
static bool parse_prefix(struct bulla_bytes text, unsigned max, unsigned *out)
{
	unsigned value = 0;

	if (text.len == 0 || text.len > 3 || (text.len > 1 && text.ptr[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text.ptr[i] - '0');
	}
	*out = value;
	return value <= max;
}

static void unmap(struct block *block)
{
	if (block->bytes != 16 || block->prefix < 96 || memcmp(block->address, mapped, sizeof mapped) != 0)
		return;
	memmove(block->address, block->address + sizeof mapped, 4);
	block->bytes = 4;
	block->prefix -= 96;
}

static bool parse(struct bulla_bytes text, struct block *out)
{
	struct bulla_bytes host = trim(text);
	const uint8_t *slash = host.len > 0 ? memchr(host.ptr, '/', host.len) : NULL;
	struct block block = { 0 };
	struct bulla_bytes bits = { 0 };

	if (slash != NULL) {
		bits = bulla_mem(slash + 1, host.len - (size_t)(slash + 1 - host.ptr));
		host.len = (size_t)(slash - host.ptr);
	}
	if (!parse_address(host, &block))
		return false;
	block.prefix = block.bytes * 8;
	if (slash != NULL && !parse_prefix(bits, block.bytes * 8, &block.prefix))
		return false;
	unmap(&block);
	*out = block;
	return true;
}

/* ip: an address, or a block. */
static bool contains(const struct block *block, const struct block *ip)
{
	unsigned whole = block->prefix / 8, rest = block->prefix % 8;

	if (block->bytes != ip->bytes || ip->prefix < block->prefix || memcmp(block->address, ip->address, whole) != 0)
		return false;
	return rest == 0 || ((block->address[whole] ^ ip->address[whole]) >> (8 - rest)) == 0;
}

bool access_cidrs_match(const struct bulla_bytes *cidrs, size_t count, struct bulla_bytes ip)
{
	struct block address, block;

	if (count == 0)
		return true;
	if (memchr(ip.len > 0 ? (const char *)ip.ptr : "", '/', ip.len) != NULL || !parse(ip, &address))
		return false;
	for (size_t i = 0; i < count; i++)
		if (parse(cidrs[i], &block) && contains(&block, &address))
			return true;
	return false;
}

static enum bulla_err refuse(struct bulla_call *call, struct bulla_bytes text)
{
	text = bulla_arena_quote(call->arena, trim(text));
	if (text.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	return bulla_fail(call, BULLA_E_INVALID, "error parsing address %.*s: Unable to convert %.*s to an IPv4 or IPv6 address, or a UNIX Socket",
			  (int)text.len, (const char *)text.ptr, (int)text.len, (const char *)text.ptr);
}

enum bulla_err access_cidr_check(struct bulla_call *call, struct bulla_bytes text)
{
	struct block block;

	return parse(text, &block) ? BULLA_OK : refuse(call, text);
}

enum bulla_err access_cidr_print(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out)
{
	char host[INET6_ADDRSTRLEN];
	struct block block;

	if (!parse(text, &block))
		return refuse(call, text);
	if (inet_ntop(block.bytes == 4 ? AF_INET : AF_INET6, block.address, host, sizeof host) == NULL)
		return BULLA_E_INTERNAL;
	struct bulla_bytes printed = block.prefix == block.bytes * 8
		? bulla_arena_printf(call->arena, "%s", host)
		: bulla_arena_printf(call->arena, "%s/%u", host, block.prefix);

	if (printed.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	*out = printed;
	return BULLA_OK;
}

bool access_cidr_within(struct bulla_bytes inner, struct bulla_bytes outer)
{
	struct block small, large;

	return parse(inner, &small) && parse(outer, &large) && contains(&large, &small);
}

/* ---- for callers of the library ----------------------------------------------------------------------------------------- */

bool bulla_cidrs_match(const struct bulla_bytes *cidrs, size_t count, struct bulla_bytes ip)
{
	return count > 0 && access_cidrs_match(cidrs, count, ip);
}

bool bulla_ip_is_valid(struct bulla_bytes ip)
{
	struct block block;

	return ip.len > 0 && memchr(ip.ptr, '/', ip.len) == NULL && parse(ip, &block);
}

enum bulla_err bulla_cidr_check(struct bulla_call *call, struct bulla_bytes text)
{
	return access_cidr_check(call, text);
}
