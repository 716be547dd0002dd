/* httpd_ends.c: how connections end. A client that has shut down its sending side is answered what it has sent, and
 * then its connection is closed; libmicrohttpd reads edge-triggered and would never see such an end that came with a
 * request. And a connection that was answered before all of its request was read lingers: closed with bytes unread,
 * the kernel would reset it, and the client lose the answer (RFC 9112 section 9.6). Everything here runs on the
 * loop's thread. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "http/httpd_internal.h"

/* ---- half-closed connections --------------------------------------------------- */

static void end_seen(struct loop *loop, struct watched *watched, uint32_t events)
{
	struct conn *conn = (struct conn *)watched;

	(void)loop;
	/* one that was reset waits for no answer: its work, if it is long, is given up */
	if ((events & (EPOLLERR | EPOLLHUP)) != 0 && conn->task != NULL && conn->task->state == TASK_WORKING)
		sched_cancel(&conn->task->job);
	conn_half_closed(conn);
}

bool conn_watch(struct conn *conn)
{
	conn->watched.ready = end_seen;
	return loop_watch(conn->loop, conn->fd, &conn->watched, EPOLLRDHUP | EPOLLET);
}

bool conn_in_work(const struct conn *conn)
{
	return conn->framing.whole > conn->done;
}

void conn_half_closed(struct conn *conn)
{
	if (conn->half_closed)
		return;
	conn->half_closed = true;
	LIST_INSERT_HEAD(&conn->loop->half_closed, conn, half);
}

void conn_forget_half(struct conn *conn)
{
	if (!conn->half_closed)
		return;
	conn->half_closed = false;
	LIST_REMOVE(conn, half);
}

bool conn_is_last(const struct conn *conn)
{
	return conn->ended && conn->held.ready + conn->held.rest == 0 && conn->framing.whole == conn->done + 1;
}

/* One that has nothing in work is made to be read again: shutting down the receiving side, which has ended already,
 * is an event. What libmicrohttpd then reads is the end, or what stands for half a head. */
static void end_half(struct conn *conn)
{
	char byte;
	ssize_t n;

	if (conn_in_work(conn) || conn->nudged)
		return;
	n = conn->ended ? 0 : recvfrom(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL);
	if (n > 0)
		return; /* it will be read, it has had its event */
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	conn->nudged = true;
	(void)shutdown(conn->fd, SHUT_RD);
}

void conn_end_halves(struct loop *loop)
{
	for (struct conn *conn = LIST_FIRST(&loop->half_closed), *next; conn != NULL; conn = next) {
		next = LIST_NEXT(conn, half);
		end_half(conn);
	}
}

/* ---- lingering ----------------------------------------------------------------- */

#define LINGER_MS 5000
#define LINGER_QUIET_MS 1000
#define LINGER_LEAST_BYTES (1 << 20) /* and twice what a body may have, if that is more */
#define LINGER_AT_ONCE 16384

static void linger_end(struct loop *loop, struct lingering *linger)
{
	close(linger->fd); /* leaves the epoll by that */
	linger->fd = -1;
	loop->lingering--;
	conn_count(loop, -1);
}

/* A free place, or that of the one that ends first. */
static struct lingering *linger_place(struct loop *loop)
{
	struct lingering *best = &loop->lingers[0];

	for (size_t i = 0; i < LINGERS; i++) {
		if (loop->lingers[i].fd < 0)
			return &loop->lingers[i];
		if (loop->lingers[i].end_ms < best->end_ms)
			best = &loop->lingers[i];
	}
	linger_end(loop, best);
	return best;
}

/* Bytes that were read and forgotten; as recv. */
static ssize_t drop(const struct lingering *linger)
{
	char sink[LINGER_AT_ONCE];
	ssize_t n = recvfrom(linger->fd, sink, sizeof sink, MSG_DONTWAIT, NULL, NULL);

	if (n > 0)
		bulla_wipe(sink, (size_t)n);
	return n;
}

static void linger_read(struct loop *loop, struct watched *watched, uint32_t events)
{
	struct lingering *linger = (struct lingering *)watched;
	ssize_t n;

	(void)events;
	if (linger->fd < 0)
		return;
	n = drop(linger);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	linger->left -= n;
	linger->quiet_ms = loop->now_ms + LINGER_QUIET_MS;
	if (n <= 0 || linger->left <= 0)
		linger_end(loop, linger);
}

static int64_t linger_bytes(const struct loop *loop)
{
	size_t max = 2 * loop->httpd->config.max_request_bytes;

	return max > LINGER_LEAST_BYTES ? (int64_t)max : LINGER_LEAST_BYTES;
}

static bool is_unread(const struct conn *conn)
{
	int unread = 0;

	return ioctl(conn->fd, FIONREAD, &unread) == 0 && unread > 0;
}

bool conn_linger(struct conn *conn)
{
	struct loop *loop = conn->loop;
	bool more = framing_unfinished(&conn->framing) || conn->held.rest + conn->held.ready > 0;

	if (conn->killed || conn->ended || conn->done == 0 || (!more && !is_unread(conn)))
		return false;
	loop_forget(loop, conn->fd); /* else it would live on with the copy */
	int fd = fcntl(conn->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return false;
	struct lingering *linger = linger_place(loop);

	*linger = (struct lingering){
		.watched.ready = linger_read, .fd = fd, .end_ms = loop->now_ms + LINGER_MS,
		.quiet_ms = loop->now_ms + LINGER_QUIET_MS, .left = linger_bytes(loop),
	};
	loop->lingering++;
	(void)shutdown(fd, SHUT_WR);
	if (!loop_watch(loop, fd, &linger->watched, EPOLLIN | EPOLLRDHUP)) {
		loop->lingering--;
		linger->fd = -1;
		close(fd);
		return false;
	}
	return true;
}

void linger_sweep(struct loop *loop, bool all)
{
	for (size_t i = 0; i < LINGERS && loop->lingering > 0; i++) {
		const struct lingering *linger = &loop->lingers[i];

		if (linger->fd >= 0 && (all || loop->now_ms >= linger->end_ms || loop->now_ms >= linger->quiet_ms))
			linger_end(loop, &loop->lingers[i]);
	}
}

void linger_init(struct loop *loop)
{
	for (size_t i = 0; i < LINGERS; i++)
		loop->lingers[i].fd = -1;
}
