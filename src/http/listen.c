/* listen.c: opens listening sockets. Stateless: any thread. */
#define _GNU_SOURCE
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

static enum bulla_err fail(struct bulla_call *call, const char *what, const char *address)
{
	enum bulla_err err = errno == EADDRINUSE ? BULLA_E_ADDRESS_IN_USE : BULLA_E_CONFIG;

	return bulla_fail(call, err, "listener \"%s\": %s: %s", address, what, strerror(errno));
}

/* Whether somebody accepts connections on the socket file. */
static bool is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return true;
	bool alive = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno != ECONNREFUSED;

	close(fd);
	return alive;
}

static enum bulla_err remove_stale(const struct sockaddr_un *address, struct bulla_call *call)
{
	struct stat st;

	if (lstat(address->sun_path, &st) != 0)
		return BULLA_OK;
	if (!S_ISSOCK(st.st_mode) || is_alive(address)) {
		errno = EADDRINUSE;
		return fail(call, "bind", address->sun_path);
	}
	if (unlink(address->sun_path) != 0)
		return fail(call, "unlink", address->sun_path);
	return BULLA_OK;
}

/* The mode comes last, so that nobody has what it gives before the file is whose it is to be. */
static enum bulla_err give_away(const struct listener *listener, struct bulla_call *call)
{
	const char *path = listener->address;
	uid_t user = listener->user.given ? listener->user.id : (uid_t)-1;
	gid_t group = listener->group.given ? listener->group.id : (gid_t)-1;

	if ((listener->user.given || listener->group.given) && lchown(path, user, group) != 0)
		return fail(call, "socket_user or socket_group", path);
	return chmod(path, listener->socket_mode) == 0 ? BULLA_OK : fail(call, "socket_mode", path);
}

static enum bulla_err make_file(const struct listener *listener, const struct sockaddr_un *address, int fd, struct bulla_call *call)
{
	/* before bind: until give_away the file would be open to whom the umask allows */
	if (fchmod(fd, 0600) != 0 || bind(fd, (const struct sockaddr *)address, sizeof *address) != 0)
		return fail(call, "bind", listener->address);
	enum bulla_err err = give_away(listener, call);

	if (err == BULLA_OK && listen(fd, BACKLOG) != 0)
		err = fail(call, "listen", listener->address);
	if (err != BULLA_OK)
		(void)unlink(listener->address);
	return err;
}

static enum bulla_err open_unix(const struct listener *listener, struct bulla_call *call, int *out)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(listener->address) >= sizeof address.sun_path)
		return bulla_fail(call, BULLA_E_CONFIG, "listener \"%s\": the path is too long", listener->address);
	strcpy(address.sun_path, listener->address);
	TRY(remove_stale(&address, call));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail(call, "socket", listener->address);
	enum bulla_err err = make_file(listener, &address, fd, call);

	if (err != BULLA_OK) {
		close(fd);
		return err;
	}
	*out = fd;
	return BULLA_OK;
}

void listen_file(const struct listener *listener, dev_t *device, ino_t *inode)
{
	struct stat st = { 0 };

	if (!listener->is_unix || lstat(listener->address, &st) != 0)
		st = (struct stat){ 0 };
	*device = st.st_dev;
	*inode = st.st_ino;
}

void listen_remove(const struct listener *listener, dev_t device, ino_t inode)
{
	struct stat st;

	if (listener->is_unix && lstat(listener->address, &st) == 0 && st.st_dev == device && st.st_ino == inode)
		(void)unlink(listener->address);
}

/* Cuts "host:port" or "[host]:port"; an empty host means every address. */
static bool split(const char *address, char host[256], char port[16])
{
	const char *colon = strrchr(address, ':');
	size_t n = colon == NULL ? 0 : (size_t)(colon - address);

	if (colon == NULL || colon[1] == '\0' || n >= 256 || strlen(colon + 1) >= 16)
		return false;
	if (n >= 2 && address[0] == '[' && address[n - 1] == ']')
		address++, n -= 2;
	else if (memchr(address, ':', n) != NULL)
		return false;
	memcpy(host, address, n);
	host[n] = '\0';
	strcpy(port, colon + 1);
	return strspn(port, "0123456789") == strlen(port) && strtoul(port, NULL, 10) <= 65535;
}

bool listen_is_address(const char *text)
{
	char host[256], port[16];

	return split(text, host, port);
}

static int open_first(const struct addrinfo *list)
{
	int one = 1, zero = 0;

	for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
		int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		if (fd < 0)
			continue;
		if (a->ai_family == AF_INET6)
			(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero); /* [::] means IPv4 too, as at the peer */
		if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
		    bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
			return fd;
		int err = errno;

		close(fd);
		errno = err;
	}
	return -1;
}

static enum bulla_err open_tcp(const struct listener *listener, struct bulla_call *call, int *out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *list = NULL;
	char host[256], port[16];

	if (!split(listener->address, host, port))
		return bulla_fail(call, BULLA_E_CONFIG, "listener \"%s\": not of the form host:port", listener->address);
	int e = getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &list);

	if (e != 0)
		return bulla_fail(call, BULLA_E_CONFIG, "listener \"%s\": %s", listener->address, gai_strerror(e));
	int fd = open_first(list);

	freeaddrinfo(list);
	if (fd < 0)
		return fail(call, "bind", listener->address);
	*out = fd;
	return BULLA_OK;
}

enum bulla_err listen_open(const struct listener *listener, struct bulla_call *call, int *fd)
{
	return listener->is_unix ? open_unix(listener, call, fd) : open_tcp(listener, call, fd);
}

unsigned listen_port(int fd)
{
	struct sockaddr_in6 address;
	socklen_t len = sizeof address;

	/* sin_port and sin6_port lie at the same place */
	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
	    (address.sin6_family != AF_INET && address.sin6_family != AF_INET6))
		return 0;
	return ntohs(address.sin6_port);
}

void address_print(const struct sockaddr *address, char text[ADDRESS_TEXT])
{
	char host[INET6_ADDRSTRLEN] = "";
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

	text[0] = '\0';
	if (address->sa_family == AF_INET && inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host) != NULL)
		snprintf(text, ADDRESS_TEXT, "%s:%u", host, (unsigned)ntohs(v4->sin_port));
	else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) &&
		 inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], host, sizeof host) != NULL)
		snprintf(text, ADDRESS_TEXT, "%s:%u", host, (unsigned)ntohs(v6->sin6_port));
	else if (address->sa_family == AF_INET6 && inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host) != NULL)
		snprintf(text, ADDRESS_TEXT, "[%s]:%u", host, (unsigned)ntohs(v6->sin6_port));
}

bool address_is_among(const char *text, const struct bulla_bytes *cidrs, size_t count)
{
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] != ':')
		len--;
	if (count == 0 || len < 2)
		return false;
	bool bracketed = text[0] == '[';

	return bulla_cidrs_match(cidrs, count, bulla_mem(text + bracketed, len - 1 - 2 * (size_t)bracketed));
}
