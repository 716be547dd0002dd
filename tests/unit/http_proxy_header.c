/* The header of the PROXY protocol: what is none, what is refused, at which byte it is known, and what it names. */
#include "http/proxy_header.h"

#include "http/listen.h"
#include "unit.h"

#include <sys/socket.h>

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\0\x02\x01\xc0\0\x02\x02\x12\x67\x20\x08" /* 192.0.2.1:4711 to 192.0.2.2:8200 */
#define V6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x12\x67\x20\x08"
#define TEXT(s) s, sizeof s - 1

/* needs: how many bytes it takes to know. whole: how many the header has; 0: none. */
static const struct {
	const char *bytes;
	size_t len;
	enum proxy_header header;
	size_t needs, whole;
	const char *names;
} cases[] = {
	/* something else */
	{ TEXT("\x16\x03\x01\x02\x00"), PROXY_HEADER_NONE, 1, 0, NULL },
	{ TEXT("GET / HTTP/1.1\r\n"), PROXY_HEADER_NONE, 1, 0, NULL },
	{ TEXT("POST /v1"), PROXY_HEADER_NONE, 2, 0, NULL },
	{ TEXT("PROPFIND /"), PROXY_HEADER_NONE, 4, 0, NULL },
	{ TEXT("PROXYS / HTTP/1.1"), PROXY_HEADER_WRONG, 6, 0, NULL },
	{ TEXT("proxy TCP4 "), PROXY_HEADER_NONE, 1, 0, NULL },
	{ TEXT("\r\n\r\nGET /"), PROXY_HEADER_NONE, 5, 0, NULL },
	{ TEXT(" PROXY TCP4 "), PROXY_HEADER_NONE, 1, 0, NULL },
	/* lines that are wrong */
	{ TEXT("PROXY \r\n"), PROXY_HEADER_WRONG, 8, 0, NULL },
	{ TEXT("PROXY TCP4\r\n"), PROXY_HEADER_WRONG, 12, 0, NULL },
	{ TEXT("PROXY TCP4 \r\n"), PROXY_HEADER_WRONG, 13, 0, NULL },
	{ TEXT("PROXY UNKNOWNX\r\n"), PROXY_HEADER_WRONG, 16, 0, NULL },
	{ TEXT("PROXY unknown\r\n"), PROXY_HEADER_WRONG, 15, 0, NULL },
	{ TEXT("PROXY UNIX\r\n"), PROXY_HEADER_WRONG, 12, 0, NULL },
	{ TEXT("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"), PROXY_HEADER_WRONG, 36, 0, NULL },
	{ TEXT("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), PROXY_HEADER_WRONG, 37, 0, NULL },
	{ TEXT("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"), PROXY_HEADER_WRONG, 37, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"), PROXY_HEADER_WRONG, 37, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"), PROXY_HEADER_WRONG, 38, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), PROXY_HEADER_WRONG, 34, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n"), PROXY_HEADER_WRONG, 35, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), PROXY_HEADER_WRONG, 35, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rX"), PROXY_HEADER_WRONG, 36, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.1\t192.0.2.2 1 2\r\n"), PROXY_HEADER_WRONG, 36, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n"), PROXY_HEADER_WRONG, 38, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n"), PROXY_HEADER_WRONG, 37, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n"), PROXY_HEADER_WRONG, 34, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.1 localhost 1 2\r\n"), PROXY_HEADER_WRONG, 36, 0, NULL },
	{ TEXT("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"), PROXY_HEADER_WRONG, 40, 0, NULL },
	{ TEXT("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"), PROXY_HEADER_WRONG, 36, 0, NULL },
	{ TEXT("PROXY TCP6 [2001:db8::1] 2001:db8::2 1 2\r\n"), PROXY_HEADER_WRONG, 42, 0, NULL },
	{ TEXT("PROXY TCP6 fe80::1%lo 2001:db8::2 1 2\r\n"), PROXY_HEADER_WRONG, 39, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"), PROXY_HEADER_WRONG, 37, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n"), PROXY_HEADER_WRONG, 40, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 1 655350\r\n"), PROXY_HEADER_WRONG, 41, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"), PROXY_HEADER_WRONG, 37, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n"), PROXY_HEADER_WRONG, 37, 0, NULL },
	{ TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n"), PROXY_HEADER_WRONG, 37, 0, NULL },
	{ TEXT("PROXY UNKNOWN 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123\r\n"),
	  PROXY_HEADER_WRONG, 106, 0, NULL },
	/* lines */
	{ TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 4711 8200\r\nGET"), PROXY_HEADER_NAMES, 42, 42, "192.0.2.1:4711" },
	{ TEXT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), PROXY_HEADER_NAMES, 56, 56, "255.255.255.255:65535" },
	{ TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n"), PROXY_HEADER_NAMES, 36, 36, "192.0.2.1:0" },
	{ TEXT("PROXY TCP6 2001:db8::1 2001:db8::2 4711 8200\r\n"), PROXY_HEADER_NAMES, 46, 46, "[2001:db8::1]:4711" },
	{ TEXT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	  PROXY_HEADER_NAMES, 104, 104, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	{ TEXT("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), PROXY_HEADER_NAMES, 37, 37, "192.0.2.1:1" },
	{ TEXT("PROXY UNKNOWN\r\nGET"), PROXY_HEADER_LOCAL, 15, 15, NULL },
	{ TEXT("PROXY UNKNOWN ffff::1 any thing\x01\r\n"), PROXY_HEADER_LOCAL, 34, 34, NULL },
	{ TEXT("PROXY UNKNOWN 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\r\n"),
	  PROXY_HEADER_LOCAL, 107, 107, NULL },
	/* binary ones that are wrong */
	{ TEXT(SIG "\x11\x11\0\x0c" V4), PROXY_HEADER_WRONG, 13, 0, NULL },
	{ TEXT(SIG "\x31\x11\0\x0c" V4), PROXY_HEADER_WRONG, 13, 0, NULL },
	{ TEXT(SIG "\x22\x11\0\x0c" V4), PROXY_HEADER_WRONG, 13, 0, NULL },
	{ TEXT(SIG "\x21\x11\0\x0b" V4), PROXY_HEADER_WRONG, 16, 0, NULL },
	{ TEXT(SIG "\x21\x21\0\x0c" V4), PROXY_HEADER_WRONG, 16, 0, NULL },
	{ TEXT(SIG "\x21\x21\0\x23" V6), PROXY_HEADER_WRONG, 16, 0, NULL },
	{ TEXT(SIG "\x21\x31\0\x0c" V4), PROXY_HEADER_WRONG, 16, 0, NULL },
	{ TEXT(SIG "\x21\x10\0\x0c" V4), PROXY_HEADER_WRONG, 16, 0, NULL },
	{ TEXT(SIG "\x21\x13\0\x0c" V4), PROXY_HEADER_WRONG, 16, 0, NULL },
	{ TEXT(SIG "\x21\x41\0\x0c" V4), PROXY_HEADER_WRONG, 16, 0, NULL },
	/* binary ones */
	{ TEXT(SIG "\x21\x11\0\x0c" V4 "GET"), PROXY_HEADER_NAMES, 28, 28, "192.0.2.1:4711" },
	{ TEXT(SIG "\x21\x11\0\x13" V4 "\x04\0\x04xxxxGET"), PROXY_HEADER_NAMES, 28, 35, "192.0.2.1:4711" },
	{ TEXT(SIG "\x21\x11\xff\xff" V4), PROXY_HEADER_NAMES, 28, 65551, "192.0.2.1:4711" },
	{ TEXT(SIG "\x21\x21\0\x24" V6), PROXY_HEADER_NAMES, 52, 52, "[2001:db8::1]:4711" },
	{ TEXT(SIG "\x20\0\0\0GET"), PROXY_HEADER_LOCAL, 16, 16, NULL },
	{ TEXT(SIG "\x20\x11\0\x0c" V4), PROXY_HEADER_LOCAL, 16, 28, NULL },
	{ TEXT(SIG "\x20\xff\x01\0"), PROXY_HEADER_LOCAL, 16, 272, NULL },
	{ TEXT(SIG "\x21\0\0\0"), PROXY_HEADER_LOCAL, 16, 16, NULL },
	{ TEXT(SIG "\x21\0\0\x05xxxxx"), PROXY_HEADER_LOCAL, 16, 21, NULL },
	{ TEXT(SIG "\x21\x12\0\x0c" V4), PROXY_HEADER_NAMES, 28, 28, "192.0.2.1:4711" },
	{ TEXT(SIG "\x21\x22\0\x24" V6), PROXY_HEADER_NAMES, 52, 52, "[2001:db8::1]:4711" },
	{ TEXT(SIG "\x21\x31\0\xd8/run/x"), PROXY_HEADER_LOCAL, 16, 232, NULL },
};

START_TEST(judges)
{
	size_t needs = cases[_i].needs;

	for (size_t len = 0; len <= cases[_i].len; len++) {
		struct sockaddr_storage client = { 0 };
		char text[ADDRESS_TEXT] = "";
		size_t whole = 0;
		uint8_t *exact = malloc(len > 0 ? len : 1); /* for ASan */

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, cases[_i].bytes, len);
		enum proxy_header header = proxy_header_read(exact, len, &whole, &client);

		free(exact);
		ck_assert_msg(header == (len < needs ? PROXY_HEADER_MORE : cases[_i].header), "%zu bytes: %d", len, header);
		ck_assert_uint_eq(whole, len < needs ? 0 : cases[_i].whole);
		address_print((const struct sockaddr *)&client, text);
		ck_assert_str_eq(text, len < needs || cases[_i].names == NULL ? "" : cases[_i].names);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http/proxy_header");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, judges, 0, (int)(sizeof cases / sizeof cases[0]));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
