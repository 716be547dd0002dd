/* drain.c: how the server stops. The thread that stops it calls drain_step until that says that all has ended; the
 * loops call the rest, each for its own connections.
 *
 * 1. The loops leave the listening sockets alone and begin to drain. The stopping thread has new connections refused,
 *    hands the loops those that had connected before (a closed socket would reset them), and closes the sockets.
 * 2. Requests in work are finished and answered with "Connection: close". A head, body or handshake that is not whole
 *    gets UNFINISHED_S, a connection with no request at all is closed once it has been quiet for QUIET_MS, so that a
 *    request that is just arriving is served. A reply that nobody reads is given up like an unfinished body.
 * 3. A loop ends when it has no connection left and nothing of its own is with workers or audit devices. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/httpd_internal.h"

#define LOOK_MS 25          /* between two looks at the connections */
#define QUIET_MS 500        /* a client that has just had an answer, or has just connected, may be sending */
#define REPLY_S 10          /* to fetch a reply that is being read */
#define REFUSE_MS 20        /* handshakes of TCP that are under way when new ones are refused */
#define EMPTYING_MS 1000    /* for what has connected, when there is no room for it */
#define HEARD_SLACK_MS 20   /* the clocks that tell when something arrived are coarse */

/* ---- the listening sockets: by the stopping thread ------------------------------- */

/* Lets no new connection of TCP begin, but leaves those alone that have begun: shutdown and close would reset what
 * waits to be accepted. The filter sees segments from their TCP header on, and drops those with SYN; their senders try
 * again a second later, and are then refused, or answered by the server that has the address by then. Where the kernel
 * does not take it, a few connections are reset instead. */
static void refuse_tcp(int fd)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* the flags */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog filter = { sizeof steps / sizeof steps[0], steps };

	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

/* Removes a unix socket's file, if it is still the one that was made, and refuses: what has connected can still be
 * accepted. */
static void refuse_unix(const struct endpoint *endpoint)
{
	listen_remove(endpoint->listener, endpoint->device, endpoint->inode);
	(void)shutdown(endpoint->fd, SHUT_RD);
}

static void refuse(struct httpd *httpd)
{
	for (size_t i = 0; i < httpd->endpoint_count; i++) {
		if (httpd->endpoints[i].listener->is_unix)
			refuse_unix(&httpd->endpoints[i]);
		else
			refuse_tcp(httpd->endpoints[i].fd);
	}
}

/* Hands what has connected to the loops. False: no room for some of it yet. */
static bool empty(struct httpd *httpd)
{
	bool all = true;

	for (size_t i = 0; i < httpd->endpoint_count; i++) {
		while (conn_hand_over(httpd, &httpd->endpoints[i]))
			;
		all &= errno == EAGAIN || errno == EINVAL; /* EINVAL: a unix socket that is shut down and has no more */
	}
	return all;
}

static void close_endpoints(struct httpd *httpd)
{
	for (size_t i = 0; i < httpd->endpoint_count; i++) {
		if (httpd->endpoints[i].fd >= 0)
			close(httpd->endpoints[i].fd);
		httpd->endpoints[i].fd = -1;
	}
}

static unsigned started_loops(const struct httpd *httpd)
{
	unsigned count = 0;

	for (unsigned i = 0; httpd->loops != NULL && i < httpd->config.loops; i++)
		count += httpd->loops[i].started;
	return count;
}

static bool still_emptying(struct httpd *httpd, int64_t now_ms)
{
	if (started_loops(httpd) < httpd->config.loops)
		return false; /* the start failed: there is nobody to hand them to */
	bool all = empty(httpd);

	return now_ms < httpd->refused_ms + REFUSE_MS || (!all && now_ms < httpd->refused_ms + EMPTYING_MS);
}

static void enter(struct httpd *httpd, enum stop_phase phase)
{
	atomic_store_explicit(&httpd->phase, phase, memory_order_release);
	for (unsigned i = 0; httpd->loops != NULL && i < httpd->config.loops; i++)
		if (httpd->loops[i].started)
			loop_wake(&httpd->loops[i]);
}

bool drain_step(struct httpd *httpd)
{
	unsigned loops = started_loops(httpd);
	int64_t now_ms = clock_ms();

	switch ((enum stop_phase)atomic_load_explicit(&httpd->phase, memory_order_relaxed)) {
	case STOP_NOT:
		enter(httpd, STOP_LISTENING);
		break;
	case STOP_LISTENING:
		if (atomic_load_explicit(&httpd->deaf_loops, memory_order_acquire) < loops)
			break;
		refuse(httpd);
		httpd->refused_ms = now_ms;
		enter(httpd, STOP_EMPTYING);
		break;
	case STOP_EMPTYING:
		if (!atomic_load_explicit(&httpd->cut, memory_order_relaxed) && still_emptying(httpd, now_ms))
			break;
		close_endpoints(httpd);
		enter(httpd, STOP_CLOSED);
		break;
	case STOP_CLOSED:
		return atomic_load_explicit(&httpd->ended_loops, memory_order_acquire) >= loops;
	}
	return false;
}

void drain_cut(struct httpd *httpd)
{
	atomic_store_explicit(&httpd->cut, true, memory_order_relaxed);
}

/* ---- connections: by their loop --------------------------------------------------- */

/* A number that changes when the client has taken in some of what is sent. */
static uint64_t fetched(const struct conn *conn)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof info;
	int unsent = 0;

	if (getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
		return info.tcpi_bytes_acked;
	return ioctl(conn->fd, SIOCOUTQ, &unsent) == 0 ? (uint64_t)unsent : 0;
}

/* Whether something has arrived since the last answer was complete, or the handshake of TLS was, which is kept until the
 * request line is whole; before, a part of a handshake is that, too. */
static bool has_begun(const struct loop *loop, const struct conn *conn)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof info;

	if (getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return false;
	return conn->settled ? loop->now_ms - (int64_t)info.tcpi_last_data_recv > conn->quiet_since_ms + HEARD_SLACK_MS :
				info.tcpi_bytes_received > 0;
}

static bool nothing_unread(const struct conn *conn)
{
	int unread = 0;

	return ioctl(conn->fd, FIONREAD, &unread) == 0 && unread == 0;
}

static void drain_idle(const struct loop *loop, struct conn *conn)
{
	if (loop->now_ms < conn->quiet_since_ms + QUIET_MS)
		return;
	if (has_begun(loop, conn) && loop->now_ms < loop->unfinished_ms)
		return;
	if (loop->now_ms >= loop->unfinished_ms)
		conn_kill(conn);
	else if (nothing_unread(conn))
		(void)shutdown(conn->fd, SHUT_RD); /* what arrives at this moment is still read and answered */
}

static void drain_reply(const struct loop *loop, struct conn *conn)
{
	uint64_t now = fetched(conn);

	if (conn->moved_ms == 0 || now != conn->fetched) {
		conn->fetched = now;
		conn->moved_ms = loop->now_ms;
	}
	if (loop->now_ms >= conn->moved_ms + loop->httpd->config.unfinished_s * INT64_C(1000) ||
	    loop->now_ms >= loop->unfinished_ms + REPLY_S * 1000)
		conn_kill(conn);
}

static void drain_conn(const struct loop *loop, struct conn *conn)
{
	if (conn->task == NULL) {
		drain_idle(loop, conn);
		return;
	}
	switch (conn->task->state) {
	case TASK_NEW:
	case TASK_RECEIVING:
	case TASK_REFUSED:
		if (loop->now_ms >= loop->unfinished_ms)
			conn_kill(conn);
		break;
	case TASK_ANSWERED:
		drain_reply(loop, conn);
		break;
	case TASK_RECORDING:
	case TASK_FLYING:
	case TASK_WORKING:
		break;
	}
}

static void begin(struct loop *loop)
{
	loop->draining = true;
	loop->stop_ms = loop->now_ms + (int64_t)loop->httpd->config.max_request_s * 1000;
	loop->unfinished_ms = loop->now_ms + loop->httpd->config.unfinished_s * INT64_C(1000);
	loop_stop_accepting(loop);
	atomic_fetch_add_explicit(&loop->httpd->deaf_loops, 1, memory_order_release);
}

bool drain_loop(struct loop *loop)
{
	enum stop_phase phase = (enum stop_phase)atomic_load_explicit(&loop->httpd->phase, memory_order_acquire);

	if (phase == STOP_NOT)
		return false;
	if (!loop->draining)
		begin(loop);
	conn_take_arrivals(loop); /* all of them, once the sockets are closed */
	bool last = atomic_load_explicit(&loop->httpd->cut, memory_order_relaxed) || loop->now_ms >= loop->stop_ms;

	if (last)
		sched_cancel_all(loop->httpd->sched); /* long batches end after their slice */
	if (last || loop->now_ms >= loop->drain_ms) {
		loop->drain_ms = loop->now_ms + LOOK_MS;
		for (struct conn *conn = loop->conns; conn != NULL; conn = conn->next) {
			if (last)
				conn_kill(conn);
			else
				drain_conn(loop, conn);
		}
	}
	bool lingers = loop->lingering > 0 && loop->now_ms < loop->unfinished_ms; /* answers that may not have been read */

	return phase == STOP_CLOSED && loop->suspended == 0 && audit_ended(loop) && ((loop->conns == NULL && !lingers) || last);
}

void drain_end(struct loop *loop)
{
	atomic_fetch_add_explicit(&loop->httpd->ended_loops, 1, memory_order_release);
}

int drain_wait_ms(void)
{
	return LOOK_MS;
}
