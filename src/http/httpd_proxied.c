/* httpd_proxied.c: owns what connections to listeners with proxy_protocol_behavior say before all else: whose they are. Of a loop, on its
 * thread.
 *
 * A header waits in the socket until its addresses are there, and costs nothing until then but the connection, which is counted for the
 * address that has connected; whose header is believed is counted for the client from then on. A header is not demanded, as at the
 * peers: checks of a proxy's own, and the administrator beside it, come without. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "http/httpd_internal.h"
#include "http/proxy_header.h"

#define HEADER_MS 10000 /* from accept to the end of a header that has begun; as the peers */
#define SKIP_BYTES 1024
#define MOST_DROPPED 65536

static bool is_authorized(const struct endpoint *endpoint, const char *remote)
{
	const struct proxying *p = &endpoint->listener->proxying;

	return p->behavior == PROXYING_ALWAYS || address_is_among(remote, p->authorized, p->authorized_count);
}

static void tell(const struct httpd *httpd, const char *remote, const char *what)
{
	char line[ADDRESS_TEXT + 128];

	if (httpd->service->log == NULL)
		return;
	snprintf(line, sizeof line, "PROXY protocol: %s: %s", remote, what);
	httpd->service->log(httpd->service->log_context, "debug", line);
}

bool proxied_turn_away(struct httpd *httpd, const struct arrival *arrival)
{
	char remote[ADDRESS_TEXT];

	if (arrival->endpoint->listener->proxying.behavior != PROXYING_DENY)
		return false;
	address_print((const struct sockaddr *)&arrival->address, remote);
	if (is_authorized(arrival->endpoint, remote))
		return false;
	tell(httpd, remote, "not one of proxy_protocol_authorized_addrs: refused");
	close(arrival->fd);
	return true;
}

bool proxied_is_proxy(const struct conn *conn)
{
	const struct proxying *p = &conn->endpoint->listener->proxying;

	return (p->behavior == PROXYING_ALLOW || p->behavior == PROXYING_DENY) && !conn->named && is_authorized(conn->endpoint, conn->remote);
}

bool proxied_expects(const struct endpoint *endpoint)
{
	return endpoint->listener->proxying.behavior != PROXYING_NEVER;
}

static void rename_to(struct conn *conn, const struct sockaddr_storage *client)
{
	shares_leave(conn);
	conn->named = true;
	address_print((const struct sockaddr *)client, conn->remote);
	shares_enter(conn, (const struct sockaddr *)client);
}

static void hurry(struct proxied *p, struct conn *conn)
{
	int64_t end_ms = conn->quiet_since_ms + HEADER_MS;

	if (p->deadline_ms != 0)
		return;
	p->deadline_ms = conn->deadline_ms;
	if (end_ms < conn->deadline_ms)
		conn_due(conn, end_ms);
}

/* It is to be closed: over unread bytes that would be a reset. */
static enum proxied_at give_up(struct conn *conn)
{
	uint8_t bytes[SKIP_BYTES];

	for (size_t n = 0; n < MOST_DROPPED && recvfrom(conn->fd, bytes, sizeof bytes, 0, NULL, NULL) > 0; n += sizeof bytes)
		;
	return PROXIED_LEFT;
}

/* Reads the header away. */
static enum proxied_at skip(struct proxied *p, struct conn *conn, bool ended)
{
	uint8_t bytes[SKIP_BYTES];

	while (p->left > 0) {
		ssize_t n = recvfrom(conn->fd, bytes, p->left < sizeof bytes ? p->left : sizeof bytes, 0, NULL, NULL);

		if (n < 0 && errno == EAGAIN && !ended) {
			hurry(p, conn);
			return PROXIED_WAITS;
		}
		if (n <= 0)
			return PROXIED_LEFT;
		p->left -= (size_t)n;
	}
	return PROXIED_DONE;
}

/* What the first bytes say. Nothing is taken from the socket. */
static enum proxied_at look(struct proxied *p, struct conn *conn, bool ended)
{
	struct sockaddr_storage client;
	uint8_t bytes[PROXY_HEADER_LOOK];
	ssize_t n = recvfrom(conn->fd, bytes, sizeof bytes, MSG_PEEK, NULL, NULL); /* recv() is the framing's: httpd_transport.c */

	if (n < 0 && errno == EAGAIN && !ended)
		return PROXIED_WAITS;
	if (n <= 0)
		return PROXIED_LEFT;
	switch (proxy_header_read(bytes, (size_t)n, &p->left, &client)) {
	case PROXY_HEADER_MORE:
		hurry(p, conn);
		return ended ? give_up(conn) : PROXIED_WAITS;
	case PROXY_HEADER_WRONG:
		tell(conn->loop->httpd, conn->remote, "a header that is none");
		return give_up(conn);
	case PROXY_HEADER_NAMES:
		if (is_authorized(conn->endpoint, conn->remote))
			rename_to(conn, &client);
		break;
	case PROXY_HEADER_LOCAL:
	case PROXY_HEADER_NONE:
		break;
	}
	return PROXIED_DONE;
}

enum proxied_at proxied_step(struct proxied *p, struct conn *conn, uint32_t events)
{
	bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	int unread = 0;

	if (conn->killed)
		return PROXIED_LEFT;
	enum proxied_at at = p->left > 0 ? PROXIED_DONE : look(p, conn, ended);

	if (at == PROXIED_DONE)
		at = skip(p, conn, ended);
	if (at != PROXIED_DONE)
		return at;
	if (p->deadline_ms != 0)
		conn_due(conn, p->deadline_ms);
	conn->quiet_since_ms = conn->loop->now_ms;
	conn->settled = ioctl(conn->fd, FIONREAD, &unread) == 0 && unread == 0;
	shares_judge(conn);
	return PROXIED_DONE;
}
