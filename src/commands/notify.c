/* notify.c: owns where the service manager listens: the few lines that libsystemd would be for (docs/DECISIONS.md). */
#define _GNU_SOURCE
#include "commands/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "commands/log.h"

#define SEND_S 1 /* for a manager that does not read */

static struct {
	struct sockaddr_un address;
	socklen_t len; /* 0: nobody listens */
	bool odd;      /* somebody does, at an address of another kind */
	bool deaf;     /* that the last message was not taken is in the log */
	int64_t watchdog_ns;
} manager;

/* "/run/systemd/notify", or "@name" for one without a file. */
static void take_address(const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text);

	manager.odd = len > 0;
	if (len < 2 || len >= sizeof manager.address.sun_path || (text[0] != '/' && text[0] != '@'))
		return;
	manager.address.sun_family = AF_UNIX;
	memcpy(manager.address.sun_path, text, len + 1);
	manager.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '/'));
	if (text[0] == '@')
		manager.address.sun_path[0] = '\0';
	manager.odd = false;
}

/* A whole number above 0; 0: none. */
static int64_t number(const char *text)
{
	char *end = NULL;

	errno = 0;
	long long n = text != NULL && *text >= '0' && *text <= '9' ? strtoll(text, &end, 10) : 0;

	return end != NULL && *end == '\0' && errno == 0 ? n : 0;
}

void notify_init(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	int64_t usec = number(getenv("WATCHDOG_USEC"));

	memset(&manager, 0, sizeof manager);
	take_address(getenv("NOTIFY_SOCKET"));
	if ((pid == NULL || number(pid) == (int64_t)getpid()) && usec <= INT64_MAX / 1000)
		manager.watchdog_ns = usec * 1000;
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}

/* A socket for each message: the manager may have made its own anew. */
static bool send_text(const char *text, size_t len)
{
	const struct timeval most = { .tv_sec = SEND_S };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
	bool sent = sendto(fd, text, len, MSG_NOSIGNAL, (const struct sockaddr *)&manager.address, manager.len) == (ssize_t)len;
	int err = errno;

	close(fd);
	errno = err;
	return sent;
}

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	char text[128];
	va_list args;

	if (manager.odd)
		log_write(LOG_LEVEL_WARN, "NOTIFY_SOCKET is no unix socket's address: the service manager is told nothing");
	manager.odd = false;
	if (manager.len == 0)
		return;
	va_start(args, format);
	int len = vsnprintf(text, sizeof text, format, args);

	va_end(args);
	bool sent = send_text(text, (size_t)len);

	if (!sent && !manager.deaf)
		log_write(LOG_LEVEL_WARN, "the service manager cannot be told \"%.*s\": %s", (int)strcspn(text, "\n"), text, strerror(errno));
	manager.deaf = !sent;
}

void notify_ready(void)
{
	tell("READY=1\nMAINPID=%ld\n", (long)getpid());
}

void notify_reloading(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	tell("RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n", (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void notify_stopping(void)
{
	tell("STOPPING=1\n");
}

int64_t notify_watchdog_ns(void)
{
	return manager.len > 0 ? manager.watchdog_ns : 0;
}

void notify_alive(void)
{
	tell("WATCHDOG=1\n");
}
