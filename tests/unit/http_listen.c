/* http_listen.c: addresses in text and files read whole (file.c); what sockets do is tested over the wire. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/file.h"
#include "http/listen.h"
#include "unit.h"

START_TEST(refuses_addresses)
{
	static const char *const bad[] = { "", ":", "a", "a:", "a:b", "a:-1", "a:65536", "a:99999999999999999999", "::1:80", "[::1]", "[::1:80",
					   "a:80 ", "a: 80", "a:0x50", "a:80:" };
	static const char *const good[] = { ":80", "a:0", "a:65535", "[::1]:80", "[::]:0", "127.0.0.1:8200" };
	char much[400];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!listen_is_address(bad[i]), "%s", bad[i]);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		ck_assert_msg(listen_is_address(good[i]), "%s", good[i]);
	memset(much, 'a', sizeof much);
	memcpy(much + sizeof much - 4, ":80", 4);
	ck_assert(!listen_is_address(much));
}
END_TEST

START_TEST(cannot_listen)
{
	struct bulla_call call = call_begin();
	struct listener l = { .address = "192.0.2.1:0" }; /* TEST-NET-1 (RFC 5737): not ours */
	int fd = -1;

	ck_assert_err(listen_open(&l, &call, &fd), BULLA_E_CONFIG);
	ck_assert_str_eq((const char *)call.detail.ptr, "listener \"192.0.2.1:0\": bind: Cannot assign requested address");
	l.address = "no.such.host.invalid:80";
	ck_assert_err(listen_open(&l, &call, &fd), BULLA_E_CONFIG);
	ck_assert_int_eq(fd, -1);
	call_end(&call);
}
END_TEST

START_TEST(listens)
{
	struct bulla_call call = call_begin();
	struct listener l = { .address = "127.0.0.1:0" }, second = { 0 };
	char text[32];
	int fd = -1, other = -1;

	ck_assert_ok(listen_open(&l, &call, &fd));
	ck_assert_uint_gt(listen_port(fd), 0);
	snprintf(text, sizeof text, "127.0.0.1:%u", listen_port(fd));
	second.address = text;
	ck_assert_err(listen_open(&second, &call, &other), BULLA_E_ADDRESS_IN_USE);
	close(fd);
	ck_assert_uint_eq(listen_port(fd), 0);
	call_end(&call);
}
END_TEST

/* To whom the server may give it: as root to anybody, otherwise to its own group. What fails leaves no file. */
START_TEST(gives_sockets_away)
{
	struct bulla_call call = call_begin();
	char path[] = "/tmp/bulla-socket-XXXXXX";
	bool is_root = geteuid() == 0;
	struct listener l = { .is_unix = true, .address = path, .socket_mode = 0660,
			      .user = { .given = true, .id = is_root ? 65534 : geteuid() },
			      .group = { .given = true, .id = is_root ? 65533 : getegid() } };
	struct stat st;
	int fd = mkstemp(path);

	close(fd);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_ok(listen_open(&l, &call, &fd));
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, l.user.id);
	ck_assert_uint_eq(st.st_gid, l.group.id);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	close(fd);
	l.user.given = false;
	l.group = (struct socket_owner){ 0 };
	ck_assert_ok(listen_open(&l, &call, &fd)); /* a stale one is replaced */
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(st.st_uid == geteuid() && st.st_gid == getegid());
	close(fd);
	if (!is_root) {
		l.user = (struct socket_owner){ .given = true, .id = 0 };
		ck_assert_err(listen_open(&l, &call, &fd), BULLA_E_CONFIG);
		ck_assert_int_eq(lstat(path, &st), -1);
	}
	(void)unlink(path);
	call_end(&call);
}
END_TEST

static const char *printed(const void *address)
{
	static char text[ADDRESS_TEXT];

	address_print(address, text);
	return text;
}

START_TEST(prints_addresses)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(4711), .sin_addr.s_addr = htonl(0x7f000001) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(65535), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_un local = { .sun_family = AF_UNIX };

	ck_assert_str_eq(printed(&v4), "127.0.0.1:4711");
	ck_assert_str_eq(printed(&v6), "[::1]:65535");
	ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:10.1.2.3", &v6.sin6_addr), 1);
	ck_assert_str_eq(printed(&v6), "10.1.2.3:65535");
	ck_assert_int_eq(inet_pton(AF_INET6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &v6.sin6_addr), 1);
	ck_assert_str_eq(printed(&v6), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
	ck_assert_str_eq(printed(&local), "");
}
END_TEST

START_TEST(reads_files)
{
	struct bulla_arena *arena = bulla_arena_new(256);
	struct bulla_bytes text = { 0 };
	char path[] = "/tmp/bulla-file-XXXXXX";
	int fd = mkstemp(path), ends[2];

	ck_assert_int_ge(fd, 0);
	ck_assert(!file_read(arena, "/no/such", 10, &text) && errno == ENOENT);
	ck_assert(!file_read(arena, "/", 10, &text) && errno == EISDIR);
	ck_assert(file_read(arena, path, 4, &text) && text.len == 0);
	ck_assert_int_eq(write(fd, "abcd", 4), 4);
	ck_assert(!file_read(arena, path, 3, &text) && errno == EFBIG);
	ck_assert(file_read(arena, path, 4, &text));
	ck_assert_bytes(text, "abcd");
	ck_assert_uint_eq(text.ptr[4], 0);
	ck_assert(!file_read(arena, "/dev/zero", 100, &text) && errno == EFBIG); /* without end */
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "xyz", 3), 3);
	close(ends[1]);
	char pipe_path[32];

	snprintf(pipe_path, sizeof pipe_path, "/dev/fd/%d", ends[0]);
	ck_assert(file_read(arena, pipe_path, 100, &text));
	ck_assert_bytes(text, "xyz");
	close(ends[0]);
	close(fd);
	ck_assert_int_eq(unlink(path), 0);
	bulla_arena_free(arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http/listen");
	TCase *tc = tcase_create("listen");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, refuses_addresses);
	tcase_add_test(tc, cannot_listen);
	tcase_add_test(tc, listens);
	tcase_add_test(tc, gives_sockets_away);
	tcase_add_test(tc, prints_addresses);
	tcase_add_test(tc, reads_files);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
