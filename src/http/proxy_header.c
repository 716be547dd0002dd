/* proxy_header.c: see proxy_header.h. */
#include "http/proxy_header.h"

#include <arpa/inet.h>
#include <bulla.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define HEAD_2 16     /* of version 2, up to the addresses */
#define ADDRESS_MAX 46

static const char word[] = "PROXY";
static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

/* Whether bytes begin as wanted does, as far as they go. */
static bool begins(const uint8_t *bytes, size_t len, const char *wanted, size_t wanted_len)
{
	return memcmp(bytes, wanted, len < wanted_len ? len : wanted_len) == 0;
}

/* ---- version 1: a line ------------------------------------------------------------- */

/* Cuts off the next field; one blank stands between two. False: it is empty, or longer than any. */
static bool field(struct bulla_bytes *line, char out[ADDRESS_MAX])
{
	const uint8_t *blank = line->len > 0 ? memchr(line->ptr, ' ', line->len) : NULL;
	size_t len = blank == NULL ? line->len : (size_t)(blank - line->ptr), cut = len + (blank != NULL);

	if (len == 0 || len >= ADDRESS_MAX || memchr(line->ptr, '\0', len) != NULL)
		return false;
	memcpy(out, line->ptr, len);
	out[len] = '\0';
	*line = bulla_mem(line->ptr + cut, line->len - cut);
	return true;
}

static bool port_of(const char *text, uint16_t *out)
{
	size_t digits = strspn(text, "0123456789");
	unsigned port = 0;

	if (digits == 0 || digits > 5 || text[digits] != '\0' || (text[0] == '0' && digits > 1))
		return false;
	for (size_t i = 0; i < digits; i++)
		port = 10 * port + (unsigned)(text[i] - '0');
	*out = (uint16_t)port;
	return port <= UINT16_MAX;
}

static void set(struct sockaddr_storage *to, int family, const void *address, uint16_t port)
{
	*to = (struct sockaddr_storage){ .ss_family = (sa_family_t)family };
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)to;

	if (family == AF_INET) {
		memcpy(&v4->sin_addr, address, sizeof v4->sin_addr);
		v4->sin_port = htons(port);
	} else {
		memcpy(&v6->sin6_addr, address, sizeof v6->sin6_addr);
		v6->sin6_port = htons(port);
	}
}

/* "192.0.2.1 192.0.2.2 4711 8200" */
static enum proxy_header read_addresses(struct bulla_bytes rest, int family, struct sockaddr_storage *client)
{
	char from[ADDRESS_MAX], to[ADDRESS_MAX], from_port[ADDRESS_MAX], to_port[ADDRESS_MAX];
	uint8_t source[sizeof(struct in6_addr)], target[sizeof(struct in6_addr)];
	uint16_t port, other;

	if (!field(&rest, from) || !field(&rest, to) || !field(&rest, from_port))
		return PROXY_HEADER_WRONG;
	if (rest.len == 0 || memchr(rest.ptr, ' ', rest.len) != NULL || !field(&rest, to_port))
		return PROXY_HEADER_WRONG;
	if (inet_pton(family, from, source) != 1 || inet_pton(family, to, target) != 1 || !port_of(from_port, &port) ||
	    !port_of(to_port, &other))
		return PROXY_HEADER_WRONG;
	set(client, family, source, port);
	return PROXY_HEADER_NAMES;
}

/* What stands between "PROXY " and the line's end. */
static enum proxy_header read_protocol(struct bulla_bytes rest, struct sockaddr_storage *client)
{
	char protocol[ADDRESS_MAX];
	bool alone = memchr(rest.ptr, ' ', rest.len) == NULL;

	if (!field(&rest, protocol))
		return PROXY_HEADER_WRONG;
	if (strcmp(protocol, "UNKNOWN") == 0)
		return PROXY_HEADER_LOCAL;
	if (alone || (strcmp(protocol, "TCP4") != 0 && strcmp(protocol, "TCP6") != 0))
		return PROXY_HEADER_WRONG;
	return read_addresses(rest, protocol[3] == '4' ? AF_INET : AF_INET6, client);
}

static enum proxy_header read_line(const uint8_t *bytes, size_t len, size_t *whole, struct sockaddr_storage *client)
{
	const size_t begin = sizeof word;
	size_t end = begin, most = len < PROXY_HEADER_LOOK ? len : PROXY_HEADER_LOOK;

	if (len < begin)
		return PROXY_HEADER_MORE;
	if (bytes[begin - 1] != ' ')
		return PROXY_HEADER_WRONG;
	while (end < most && bytes[end] != '\r' && bytes[end] != '\n')
		end++;
	if (end + 1 >= PROXY_HEADER_LOOK || (end < most && bytes[end] == '\n'))
		return PROXY_HEADER_WRONG;
	if (end + 1 >= most)
		return PROXY_HEADER_MORE;
	if (bytes[end + 1] != '\n' || end == begin)
		return PROXY_HEADER_WRONG;
	enum proxy_header header = read_protocol(bulla_mem(bytes + begin, end - begin), client);

	if (header != PROXY_HEADER_WRONG)
		*whole = end + 2;
	return header;
}

/* ---- version 2: binary -------------------------------------------------------------- */

/* The families and transports that there are, and the bytes that their two addresses take. Who came by UDP has an address, too. */
static const struct row {
	uint8_t code;
	int family;     /* AF_UNSPEC: none with an IP address */
	size_t least;
} rows[] = {
	{ 0x00, AF_UNSPEC, 0 },  { 0x11, AF_INET, 12 },   { 0x12, AF_INET, 12 },  { 0x21, AF_INET6, 36 },
	{ 0x22, AF_INET6, 36 }, { 0x31, AF_UNSPEC, 216 }, { 0x32, AF_UNSPEC, 216 },
};

static const struct row *row_of(uint8_t code)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].code == code)
			return &rows[i];
	return NULL;
}

static uint16_t big_endian(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static enum proxy_header read_binary(const uint8_t *bytes, size_t len, size_t *whole, struct sockaddr_storage *client)
{
	enum { LOCAL = 0x20, PROXY = 0x21 };

	if (len >= 13 && bytes[12] != LOCAL && bytes[12] != PROXY)
		return PROXY_HEADER_WRONG;
	if (len < HEAD_2)
		return PROXY_HEADER_MORE;
	size_t rest = big_endian(bytes + 14);
	const struct row *row = row_of(bytes[13]);

	/* the proxy's own connection: the family says nothing then */
	bool names = bytes[12] == PROXY && row != NULL && row->family != AF_UNSPEC;

	if (bytes[12] == PROXY && (row == NULL || rest < row->least))
		return PROXY_HEADER_WRONG;
	if (names && len < HEAD_2 + row->least)
		return PROXY_HEADER_MORE;
	*whole = HEAD_2 + rest;
	if (!names)
		return PROXY_HEADER_LOCAL;
	set(client, row->family, bytes + HEAD_2, big_endian(bytes + HEAD_2 + row->least - 4));
	return PROXY_HEADER_NAMES;
}

enum proxy_header proxy_header_read(const uint8_t *bytes, size_t len, size_t *whole, struct sockaddr_storage *client)
{
	if (len == 0)
		return PROXY_HEADER_MORE;
	if (begins(bytes, len, word, sizeof word - 1))
		return read_line(bytes, len, whole, client);
	if (begins(bytes, len, signature, sizeof signature - 1))
		return read_binary(bytes, len, whole, client);
	return PROXY_HEADER_NONE;
}
