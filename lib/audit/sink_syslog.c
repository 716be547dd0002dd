/* sink_syslog.c: each line as a message to the system's log daemon, over its own socket: syslog(3) keeps no secret of whether a
 * message was taken, and is one for the whole process. (RFC 3164, as glibc writes it.) A device's thread. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit_private.h"

#define TIMEOUT_MS 2000
#define DEFAULT_SOCKET "/dev/log"

static const char *socket_path(const struct audit_options *options)
{
	return options->address != NULL ? options->address : DEFAULT_SOCKET;
}

bool syslog_open(struct sink *sink, const struct audit_options *options)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = socket_path(options);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	errno = strlen(path) < sizeof address.sun_path ? errno : ENAMETOOLONG;
	if (fd >= 0 && strlen(path) < sizeof address.sun_path) {
		memcpy(address.sun_path, path, strlen(path) + 1);
		if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
			sink->fd = fd;
			return true;
		}
	}
	(void)sink_trouble(sink, "syslog", path);
	if (fd >= 0)
		(void)close(fd);
	return false;
}

static bool send_line(struct sink *sink, const struct audit_options *options, struct bulla_bytes line)
{
	char head[256], when[32];
	time_t now = (time_t)bulla_wall_s();
	struct tm tm;
	struct out message = { 0 };
	size_t done;

	(void)localtime_r(&now, &tm);
	if (strftime(when, sizeof when, "%b %e %H:%M:%S", &tm) == 0)
		when[0] = 0;
	int n = snprintf(head, sizeof head, "<%d>%s %.100s[%ld]: ", options->facility | LOG_INFO, when, options->tag, (long)getpid());

	out_raw(&message, bulla_mem(head, (size_t)n));
	out_raw(&message, line);
	bool good = !message.failed && sink_write_all(sink->fd, bulla_mem(message.ptr, message.len), TIMEOUT_MS, &done);

	out_clear(&message);
	return good;
}

bool syslog_write(struct sink *sink, const struct audit_options *options, struct bulla_bytes lines)
{
	while (lines.len > 0) {
		const uint8_t *end = memchr(lines.ptr, '\n', lines.len);
		size_t n = end == NULL ? lines.len : (size_t)(end - lines.ptr);

		if (!send_line(sink, options, bulla_mem(lines.ptr, n)))
			return sink_trouble(sink, "syslog", socket_path(options));
		n += end != NULL;
		sink->sent += n;
		lines = bulla_mem(lines.ptr + n, lines.len - n);
	}
	return true;
}
