/* http_clients.c: counting by client address: which addresses are one, what a share is, and the table's bound. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "http/clients.h"
#include "unit.h"

static struct sockaddr_storage v4(uint32_t host)
{
	struct sockaddr_storage s = { 0 };
	struct sockaddr_in *a = (struct sockaddr_in *)(void *)&s;

	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(host);
	return s;
}

static struct sockaddr_storage v6(const char *text)
{
	struct sockaddr_storage s = { 0 };
	struct sockaddr_in6 *a = (struct sockaddr_in6 *)(void *)&s;

	a->sin6_family = AF_INET6;
	ck_assert_int_eq(inet_pton(AF_INET6, text, &a->sin6_addr), 1);
	return s;
}

static struct client *enter(struct clients *c, struct sockaddr_storage s)
{
	return clients_enter(c, (const struct sockaddr *)&s);
}

static struct client *enter_text(struct clients *c, const char *text)
{
	return clients_enter_text(c, bulla_str(text));
}

START_TEST(refuses_what_is_no_address)
{
	static const char *const bad[] = { "", ":", "1.2.3.4", "1.2.3.4.5:80", "[::1:80", "::1]:80", "::1:80", "[1.2.3.4]:80", "x:80", "[]:80",
					   "1.2.3:80" };
	struct sockaddr_storage unix_socket = { .ss_family = AF_UNIX };
	struct clients *c = clients_new(4);
	char much[200];

	memset(much, '1', sizeof much - 1);
	much[sizeof much - 1] = '\0';
	much[150] = ':';
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(enter_text(c, bad[i]) == NULL, "%s", bad[i]);
	ck_assert_ptr_null(enter_text(c, much));
	ck_assert_ptr_null(enter(c, unix_socket));
	ck_assert_uint_eq(clients_held(c, (const struct sockaddr *)&unix_socket), 0);
	ck_assert_uint_eq(clients_share(c, 10), 10);
	clients_leave(c, NULL);
	clients_free(c);
	clients_free(NULL);
}
END_TEST

START_TEST(counts_addresses)
{
	struct clients *c = clients_new(4);
	struct client *a = enter(c, v4(0x7f000001)), *b = enter(c, v4(0x7f000002));

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_ne(a, b);
	ck_assert_ptr_eq(enter_text(c, "127.0.0.1:4711"), a);
	ck_assert_ptr_eq(enter(c, v6("::ffff:127.0.0.1")), a);
	ck_assert_uint_eq(client_held(a), 3);
	ck_assert_uint_eq(clients_share(c, 100), 33); /* two, and one to come */
	struct client *d = enter(c, v6("2001:db8:1:2::1"));

	ck_assert_ptr_eq(enter(c, v6("2001:db8:1:2:ffff::9")), d); /* the same /64 */
	ck_assert_ptr_eq(enter_text(c, "[2001:db8:1:2::7]:80"), d);
	ck_assert_ptr_ne(enter(c, v6("2001:db8:1:3::1")), d);
	ck_assert_ptr_null(enter(c, v4(0x7f000003))); /* full */
	ck_assert_ptr_eq(enter(c, v4(0x7f000001)), a);
	ck_assert_uint_eq(clients_share(c, 4), 1); /* never none */
	clients_leave(c, b);
	struct client *e = enter(c, v4(0x7f000003));

	ck_assert_ptr_nonnull(e);
	ck_assert_uint_eq(client_held(e), 1);
	clients_free(c);
}
END_TEST

/* An IPv6 prefix that looks like an IPv4 address is another one. */
START_TEST(families_differ)
{
	struct clients *c = clients_new(2);
	struct client *a = enter(c, v4(0)), *b = enter(c, v6("::1"));

	ck_assert_ptr_ne(a, b);
	clients_free(c);
}
END_TEST

START_TEST(entries_come_back)
{
	enum { MOST = 500, TURNS = 20 };
	struct clients *c = clients_new(MOST);
	struct client *held[MOST];

	for (uint32_t turn = 0; turn < TURNS; turn++) {
		for (uint32_t i = 0; i < MOST; i++) {
			held[i] = enter(c, v4(turn * 7919 + i * 256));
			ck_assert_ptr_nonnull(held[i]);
		}
		ck_assert_ptr_null(enter(c, v4(0xffffffff)));
		for (uint32_t i = 0; i < MOST; i++) {
			struct sockaddr_storage s = v4(turn * 7919 + i * 256);

			ck_assert_uint_eq(clients_held(c, (const struct sockaddr *)&s), 1);
			clients_leave(c, held[i]);
			ck_assert_uint_eq(clients_held(c, (const struct sockaddr *)&s), 0);
		}
		ck_assert_uint_eq(clients_share(c, 7), 7);
	}
	clients_free(c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http/clients");
	TCase *tc = tcase_create("clients");

	tcase_add_test(tc, refuses_what_is_no_address);
	tcase_add_test(tc, counts_addresses);
	tcase_add_test(tc, families_differ);
	tcase_add_test(tc, entries_come_back);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
