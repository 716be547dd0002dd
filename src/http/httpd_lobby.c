/* httpd_lobby.c: owns the guests: connections to TLS listeners from the moment they are accepted until their
 * handshakes are done, and those that may begin with a header of the PROXY protocol until that is read. Of a loop, on its
 * thread.
 *
 * A guest costs nothing but its socket until the first record lies whole in it. Only then libmicrohttpd gets the
 * connection, for it makes the session, and is told to suspend it at once: while a handshake waits, libmicrohttpd
 * wants to be run without a pause (0.9.75 to 1.0). The handshake is taken further here, when the socket speaks, and
 * the connection resumed when it is done. What takes CPU time stands in one of two queues, of which each turn of the
 * loop does some: a flood of ClientHellos leaves the rest to those who are connected already. */
#define _GNU_SOURCE
#include <bulla/clock.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "http/httpd_internal.h"

#define SHARE_NS 1000000 /* of CPU time, for handshakes in a turn; the last one may take longer */
#define LINGER_MS 2000   /* for a client to fetch what it was told */
#define DROP_BYTES 4096
#define MOST_DROPPED 65536
#define HEARS (EPOLLIN | EPOLLRDHUP | EPOLLET)

struct guest {
	struct watched watched; /* first */
	STAILQ_ENTRY(guest) link; /* in a queue */
	struct conn *conn;
	struct MHD_Connection *mhd; /* NULL: it is not libmicrohttpd's yet */
	struct tls_shake shake;
	enum hello hello;
	struct proxied proxied;
	bool proxies;           /* a header may still come */
	bool queued, writes, left;
	bool told;              /* that it is not welcome; what it sends is dropped until it leaves */
	size_t dropped;
	socklen_t address_len;
	struct sockaddr_storage address;
};

/* ---- queues ------------------------------------------------------------------ */

void lobby_init(struct loop *loop)
{
	STAILQ_INIT(&loop->come);
	STAILQ_INIT(&loop->go_on);
}

static void push(struct guests *queue, struct guest *guest)
{
	guest->queued = true;
	STAILQ_INSERT_TAIL(queue, guest, link);
}

static struct guest *pop(struct guests *queue)
{
	struct guest *guest = STAILQ_FIRST(queue);

	if (guest == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(queue, link);
	guest->queued = false;
	return guest;
}

bool lobby_waits(const struct loop *loop)
{
	return !STAILQ_EMPTY(&loop->come) || !STAILQ_EMPTY(&loop->go_on);
}

/* ---- coming and leaving ------------------------------------------------------ */

/* Whether there is something to do about it: its first record is there, or can never be. */
static bool has_spoken(struct guest *guest, uint32_t events)
{
	uint8_t head[HELLO_HEAD];
	ssize_t n = recv(guest->conn->fd, head, sizeof head, MSG_PEEK);
	int unread = 0;

	if (n < 0 && errno == EAGAIN && (events & (EPOLLHUP | EPOLLERR)) == 0)
		return false;
	guest->left = n <= 0 || ioctl(guest->conn->fd, FIONREAD, &unread) != 0;
	if (guest->left)
		return true;
	guest->hello = hello_judge(head, (size_t)n, (size_t)unread);
	guest->left = guest->hello == HELLO_MORE && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	return guest->left || guest->hello != HELLO_MORE;
}

/* True: it has left, or talks without end. */
static bool drop(struct guest *guest)
{
	uint8_t bytes[DROP_BYTES];
	ssize_t n;

	while ((n = recv(guest->conn->fd, bytes, sizeof bytes, 0)) > 0 && guest->dropped < MOST_DROPPED)
		guest->dropped += (size_t)n;
	guest->left = n >= 0 || errno != EAGAIN;
	return guest->left;
}

/* Whether it is time to attend to it. */
static bool has_come(struct guest *guest, uint32_t events)
{
	if (guest->proxies) {
		enum proxied_at at = proxied_step(&guest->proxied, guest->conn, events);

		if (at == PROXIED_WAITS)
			return false;
		guest->left = at == PROXIED_LEFT;
		if (guest->left)
			return true;
		guest->proxies = false;
	}
	return guest->conn->endpoint->tls == NULL || has_spoken(guest, events);
}

static void guest_ready(struct loop *loop, struct watched *watched, uint32_t events)
{
	struct guest *guest = (struct guest *)watched;

	if (guest->queued)
		return;
	if (guest->mhd != NULL)
		push(&loop->go_on, guest);
	else if (guest->told ? drop(guest) : has_come(guest, events))
		push(&loop->come, guest);
}

void lobby_enter(struct loop *loop, const struct arrival *arrival)
{
	struct conn *conn = conn_new(loop, arrival);
	struct guest *guest = conn == NULL ? NULL : calloc(1, sizeof *guest);

	if (guest != NULL) {
		*guest = (struct guest){ .watched.ready = guest_ready, .conn = conn,
					 .proxies = proxied_expects(arrival->endpoint), .address_len = arrival->address_len, .address = arrival->address };
		conn->guest = guest;
		if (loop_watch(loop, conn->fd, &guest->watched, HEARS))
			return;
	}
	if (conn != NULL)
		conn_free(conn);
	close(arrival->fd);
}

void lobby_forget(struct conn *conn)
{
	if (conn->guest == NULL)
		return;
	tls_end(&conn->guest->shake);
	free(conn->guest);
	conn->guest = NULL;
}

static void leave(struct loop *loop, struct guest *guest)
{
	int fd = guest->conn->fd;

	loop_forget(loop, fd);
	conn_free(guest->conn);
	close(fd);
}

static void log_failure(const struct guest *guest, const char *why)
{
	const struct service *service = guest->conn->loop->httpd->service;
	bool late = guest->conn->loop->now_ms >= guest->conn->deadline_ms;
	char line[ADDRESS_TEXT + TLS_WHY + 64];

	if (service->log == NULL)
		return;
	snprintf(line, sizeof line, "TLS handshake with %s failed: %s", guest->conn->remote,
		 late ? "it took too long" : why);
	service->log(service->log_context, "debug", line);
}

/* Who is no TLS client is told so, and has some time to hear it: to close at once, over unread bytes, would take the
 * answer back. */
static void turn_away(struct loop *loop, struct guest *guest)
{
	size_t len;
	const char *answer = hello_answer(guest->hello, &len);

	log_failure(guest, hello_text(guest->hello));
	bool told = answer != NULL && send(guest->conn->fd, answer, len, MSG_NOSIGNAL) == (ssize_t)len;

	(void)shutdown(guest->conn->fd, SHUT_WR);
	guest->told = true;
	conn_due(guest->conn, loop->now_ms + LINGER_MS);
	if (drop(guest) || !told)
		leave(loop, guest);
}

/* ---- the handshake ----------------------------------------------------------- */

/* From now on it is like any connection of libmicrohttpd, which finds the handshake done, or the socket shut down. */
static void hand_over(struct loop *loop, struct guest *guest)
{
	struct conn *conn = guest->conn;
	struct MHD_Connection *mhd = guest->mhd;

	loop_forget(loop, conn->fd);
	lobby_forget(conn);
	if (!conn->denied)
		tls_record_owner(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session, conn);
	if (!conn->denied && !conn_watch(conn))
		conn_kill(conn);
	loop->daemons[conn->endpoint->daemon].due = true;
	MHD_resume_connection(mhd);
}

static void fail(struct loop *loop, struct guest *guest, const char *why)
{
	log_failure(guest, why);
	guest->conn->denied = true;
	(void)shutdown(guest->conn->fd, SHUT_WR);
	(void)drop(guest); /* closed over unread bytes, the alert would be lost */
	conn_kill(guest->conn);
	hand_over(loop, guest);
}

static void step(struct loop *loop, struct guest *guest)
{
	char why[TLS_WHY];
	enum tls_step at = tls_step(&guest->shake, why);

	if (at == TLS_FAILED) {
		fail(loop, guest, why);
		return;
	}
	if (at == TLS_DONE) {
		guest->conn->settled = true;
		guest->conn->quiet_since_ms = loop->now_ms;
		hand_over(loop, guest);
		return;
	}
	if (guest->writes == (at == TLS_WRITES))
		return;
	guest->writes = at == TLS_WRITES;
	if (!loop_change(loop, guest->conn->fd, &guest->watched, guest->writes ? EPOLLOUT | HEARS : HEARS))
		fail(loop, guest, "no memory");
}

void lobby_introduced(struct conn *conn, struct MHD_Connection *mhd)
{
	conn->guest->mhd = mhd;
}

/* Makes it libmicrohttpd's. False: it is gone, with all that was its own. */
static bool introduce(struct loop *loop, struct guest *guest)
{
	struct conn *conn = guest->conn;

	loop->adding_conn = conn;
	/* on failure libmicrohttpd has closed the socket */
	enum MHD_Result added = MHD_add_connection(loop->daemons[conn->endpoint->daemon].mhd, conn->fd,
						   (const struct sockaddr *)&guest->address, guest->address_len);

	if (added != MHD_YES && loop->adding_conn != NULL)
		conn_free(conn); /* else the notification of its end has done it */
	loop->adding_conn = NULL;
	return added == MHD_YES;
}

static void admit(struct loop *loop, struct guest *guest)
{
	struct conn *conn = guest->conn;

	if (!introduce(loop, guest))
		return;
	MHD_suspend_connection(guest->mhd);
	void *session = MHD_get_connection_info(guest->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;

	if (tls_begin(&guest->shake, conn->endpoint->tls, session))
		step(loop, guest);
	else
		fail(loop, guest, "no memory");
}

/* Without TLS there is nothing more to wait for. */
static void admit_plain(struct loop *loop, struct guest *guest)
{
	struct conn *conn = guest->conn;

	loop_forget(loop, conn->fd);
	if (!introduce(loop, guest))
		return;
	lobby_forget(conn);
	if (!conn_watch(conn))
		conn_kill(conn);
	loop->daemons[conn->endpoint->daemon].due = true;
}

static void attend(struct loop *loop, struct guest *guest)
{
	if (guest->mhd != NULL) {
		step(loop, guest);
	} else if (guest->left) {
		if (!guest->told && !guest->proxies)
			log_failure(guest, "the client has left before its ClientHello");
		leave(loop, guest);
	} else if (guest->conn->endpoint->tls == NULL) {
		admit_plain(loop, guest);
	} else if (guest->hello == HELLO_WHOLE) {
		admit(loop, guest);
	} else {
		turn_away(loop, guest);
	}
}

/* By turns one who has come and one whose handshake goes on, so that neither waits for all of the others. */
void lobby_turn(struct loop *loop)
{
	int64_t end_ns = lobby_waits(loop) ? bulla_thread_cpu_ns() + SHARE_NS : 0;

	while (lobby_waits(loop)) {
		struct guest *guest = pop(&loop->go_on), *other = pop(&loop->come);

		if (guest != NULL)
			attend(loop, guest);
		if (other != NULL)
			attend(loop, other);
		if (bulla_thread_cpu_ns() >= end_ns)
			return;
	}
}

void lobby_clear(struct loop *loop)
{
	lobby_init(loop);
	for (struct conn *conn = loop->conns, *next; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->guest == NULL)
			continue;
		if (conn->guest->mhd != NULL) {
			conn->denied = true;
			hand_over(loop, conn->guest); /* to be closed with the daemon */
		} else {
			leave(loop, conn->guest);
		}
	}
}
