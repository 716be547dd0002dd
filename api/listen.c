/* listen.c: owns the listening socket's making. Called from main, before threads start. */
#define _GNU_SOURCE
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

#define BACKLOG 512

/* "[::1]:8443" -> "::1", "8443" */
static bool split(const char *address, char host[256], char port[16])
{
	const char *colon = strrchr(address, ':');
	size_t n = colon != NULL ? (size_t)(colon - address) : 0;

	if (colon == NULL || n >= 256 || strlen(colon + 1) >= 16 || colon[1] == '\0')
		return false;
	bool brackets = n >= 2 && address[0] == '[' && address[n - 1] == ']';

	snprintf(host, 256, "%.*s", (int)(brackets ? n - 2 : n), brackets ? address + 1 : address);
	strcpy(port, colon + 1);
	return brackets || strchr(host, ':') == NULL;
}

static int open_socket(const struct addrinfo *address)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && bind(fd, address->ai_addr, address->ai_addrlen) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

enum card_err listen_open(const char *address, int *out_fd)
{
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char host[256], port[16];

	if (!split(address, host, port) || getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &found) != 0) {
		log_line("CARD_LISTEN: \"%s\" is not an address and a port", address);
		return CARD_E_CONFIG;
	}
	int fd = open_socket(found);

	freeaddrinfo(found);
	if (fd < 0) {
		log_line("CARD_LISTEN: %s: %s", address, strerror(errno));
		return CARD_E_CONFIG;
	}
	*out_fd = fd;
	return CARD_OK;
}

enum card_err listen_read_file(const char *path, size_t max, char **out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd >= 0 ? malloc(max + 1) : NULL;
	ssize_t n = text != NULL ? read(fd, text, max + 1) : -1;
	int saved = errno;

	if (fd >= 0)
		close(fd);
	if (n < 0 || n > (ssize_t)max) {
		log_line("%s: %s", path, n < 0 ? strerror(saved) : "is too long");
		free(text);
		return CARD_E_CONFIG;
	}
	text[n] = '\0';
	*out = text;
	return CARD_OK;
}
