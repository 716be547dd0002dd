/* What a service manager is told, over both kinds of addresses, and that nothing is left in the environment for children. */
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "commands/notify.h"
#include "unit.h"

/* A manager's socket at this address. */
static int listen_at(const char *text)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", text);
	if (text[0] == '@')
		address.sun_path[0] = '\0';
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text) + (text[0] == '/'));

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, len), 0);
	return fd;
}

static const char *heard(int fd)
{
	static char text[256];
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	ssize_t n = poll(&poll_fd, 1, 0) == 1 ? recv(fd, text, sizeof text - 1, 0) : 0;

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void begin(const char *address, const char *usec, const char *pid)
{
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", address, 1), 0);
	ck_assert_int_eq(setenv("WATCHDOG_USEC", usec, 1), 0);
	ck_assert_int_eq(pid == NULL ? unsetenv("WATCHDOG_PID") : setenv("WATCHDOG_PID", pid, 1), 0);
	notify_init();
	ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
	ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
	ck_assert_ptr_null(getenv("WATCHDOG_PID"));
}

static void check_all(const char *address)
{
	char wanted[64];
	long long usec = 0;
	int fd = listen_at(address);

	begin(address, "2000000", NULL);
	notify_ready();
	snprintf(wanted, sizeof wanted, "READY=1\nMAINPID=%ld\n", (long)getpid());
	ck_assert_str_eq(heard(fd), wanted);
	notify_reloading();
	ck_assert_int_eq(sscanf(heard(fd), "RELOADING=1\nMONOTONIC_USEC=%lld\n", &usec), 1);
	ck_assert_int_gt(usec, 0);
	notify_alive();
	ck_assert_str_eq(heard(fd), "WATCHDOG=1\n");
	notify_stopping();
	ck_assert_str_eq(heard(fd), "STOPPING=1\n");
	ck_assert_str_eq(heard(fd), "");
	ck_assert_int_eq(notify_watchdog_ns(), INT64_C(2000000000));
	close(fd);
	notify_ready(); /* nobody is there any more: a line in the log */
}

START_TEST(says_all)
{
	char path[64], name[64];

	snprintf(path, sizeof path, "/tmp/bulla-notify-%ld", (long)getpid());
	snprintf(name, sizeof name, "@bulla-notify-%ld", (long)getpid());
	check_all(name);
	check_all(path);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(asked_nothing)
{
	char longer[110];

	memset(longer, 'x', sizeof longer - 1);
	longer[0] = '/', longer[sizeof longer - 1] = '\0';
	const char *const addresses[] = { "", "/", "@", "relative", "vsock:2:1234", longer };

	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
		begin(addresses[i], "2000000", NULL);
		ck_assert_int_eq(notify_watchdog_ns(), 0);
		notify_ready();
		notify_stopping();
	}
	notify_init();
	notify_ready();
	ck_assert_int_eq(notify_watchdog_ns(), 0);
}
END_TEST

START_TEST(watchdog)
{
	char pid[24];

	snprintf(pid, sizeof pid, "%ld", (long)getpid());
	begin("@bulla-nobody", "1500", pid);
	ck_assert_int_eq(notify_watchdog_ns(), 1500000);
	begin("@bulla-nobody", "1500", "1");
	ck_assert_int_eq(notify_watchdog_ns(), 0);
	static const char *const bad[] = { "", "0", "-1", "x", "5s", "99999999999999999999", "9223372036854775807" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		begin("@bulla-nobody", bad[i], NULL);
		ck_assert_int_eq(notify_watchdog_ns(), 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("commands/notify");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, says_all);
	tcase_add_test(tc, asked_nothing);
	tcase_add_test(tc, watchdog);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
