/* sink_socket.c: lines over TCP or a unix socket, one after another; over UDP, one a datagram. A device's thread. */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "audit/audit_private.h"

static bool is_datagram(const struct audit_options *options)
{
	return strcmp(options->socket_type, "udp") == 0;
}

/* Within the time; errno says why not. */
static bool connect_within(int fd, const struct sockaddr *address, socklen_t len, int64_t timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t error_len = sizeof error;

	if (connect(fd, address, len) == 0)
		return true;
	if (errno != EINPROGRESS)
		return false;
	int ready = poll(&poll_fd, 1, (int)timeout_ms);

	if (ready == 0)
		errno = ETIMEDOUT;
	if (ready <= 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) != 0)
		return false;
	errno = error;
	return error == 0;
}

static bool try_address(struct sink *sink, const struct audit_options *options, int family, int type, const struct sockaddr *address,
			socklen_t len)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	if (!connect_within(fd, address, len, options->write_timeout_ms)) {
		int error = errno;

		close(fd);
		errno = error;
		return false;
	}
	sink->fd = fd;
	return true;
}

static bool open_unix(struct sink *sink, const struct audit_options *options)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t n = strlen(options->address);

	errno = ENAMETOOLONG;
	if (n < sizeof address.sun_path) {
		memcpy(address.sun_path, options->address, n + 1);
		if (try_address(sink, options, AF_UNIX, SOCK_STREAM, (const struct sockaddr *)&address, sizeof address))
			return true;
	}
	return sink_trouble(sink, "dial unix", options->address);
}

/* "host:port", "[::1]:port". */
static bool split(const char *address, char *host, size_t room, const char **port)
{
	const char *colon = strrchr(address, ':');
	bool brackets = address[0] == '[' && colon != NULL && colon[-1] == ']';
	size_t n = colon == NULL ? 0 : (size_t)(colon - address) - (brackets ? 2 : 0);

	if (colon == NULL || n >= room || colon[1] == 0)
		return false;
	memcpy(host, address + brackets, n);
	host[n] = 0;
	*port = colon + 1;
	return true;
}

bool socket_open(struct sink *sink, const struct audit_options *options)
{
	struct addrinfo hints = { .ai_socktype = is_datagram(options) ? SOCK_DGRAM : SOCK_STREAM }, *list = NULL;
	char host[256];
	const char *port;

	if (strcmp(options->socket_type, "unix") == 0)
		return open_unix(sink, options);
	if (!split(options->address, host, sizeof host, &port) || getaddrinfo(host[0] ? host : NULL, port, &hints, &list) != 0) {
		errno = EADDRNOTAVAIL;
		return sink_trouble(sink, "dial", options->address);
	}
	bool open = false;

	for (const struct addrinfo *a = list; a != NULL && !open; a = a->ai_next)
		open = try_address(sink, options, a->ai_family, a->ai_socktype, a->ai_addr, a->ai_addrlen);
	int error = errno;

	freeaddrinfo(list);
	errno = error;
	return open || sink_trouble(sink, "dial", options->address);
}

static bool send_datagrams(struct sink *sink, const struct audit_options *options, struct bulla_bytes lines)
{
	while (lines.len > 0) {
		const uint8_t *end = memchr(lines.ptr, '\n', lines.len);
		size_t n = end == NULL ? lines.len : (size_t)(end + 1 - lines.ptr), done;

		if (!sink_write_all(sink->fd, bulla_mem(lines.ptr, n), options->write_timeout_ms, &done))
			return false;
		sink->sent += n;
		lines = bulla_mem(lines.ptr + n, lines.len - n);
	}
	return true;
}

/* A collector that has closed, or is gone, is seen before the write, which would still succeed. */
static bool is_closed(const struct sink *sink)
{
	char byte;
	ssize_t n = recv(sink->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return true;
	return n == 0;
}

bool socket_write(struct sink *sink, const struct audit_options *options, struct bulla_bytes lines)
{
	size_t done = 0;

	if (is_datagram(options))
		return send_datagrams(sink, options, lines) || sink_trouble(sink, "write udp", options->address);
	if (is_closed(sink))
		errno = EPIPE;
	else if (sink_write_all(sink->fd, lines, options->write_timeout_ms, &done))
		return true;
	sink->sent = done;
	return sink_trouble(sink, "write", options->address);
}
