/* httpd_transport.c: stands between the sockets and libmicrohttpd, which has no option for what must be true of a
 * request before it parses it. It calls recv(), and for TLS gnutls_record_recv(); the program defines both (here and
 * in tls_record.c), so that the dynamic linker binds libmicrohttpd to them. They pass everything through but what a
 * loop's thread reads for its own connections: that goes through the framing machine. transport_check() says at start
 * whether the linker did so, and no request is answered that was not framed.
 *
 * A part of a head, or of a line within a body, waits here until the whole is there. The end of a stream is kept from
 * libmicrohttpd while a request is whole and its answer is not sent: it would drop the answer. Everything here runs
 * on the loop's thread. */
#undef _FORTIFY_SOURCE /* recv() would be an inline function */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "http/httpd_internal.h"

#define FIRST_HELD 2048
#define LEAST_READ 1024 /* behind what is held */

static _Thread_local struct loop *own_loop; /* NULL: not a loop's thread */

/* What recv() was before. */
static ssize_t receive(int fd, void *buf, size_t len, int flags)
{
	return recvfrom(fd, buf, len, flags, NULL, NULL);
}

/* ---- which connection a descriptor is ---------------------------------------- */

struct conn *transport_conn(const struct loop *loop, int fd)
{
	return loop != NULL && fd >= 0 && (size_t)fd < loop->by_fd_count ? loop->by_fd[fd] : NULL;
}

static bool make_room(struct loop *loop, size_t fd)
{
	size_t count = loop->by_fd_count < 64 ? 64 : loop->by_fd_count;

	if (fd < loop->by_fd_count)
		return true;
	while (count <= fd)
		count *= 2;
	struct conn **grown = realloc(loop->by_fd, count * sizeof(struct conn *));

	if (grown == NULL)
		return false;
	memset(grown + loop->by_fd_count, 0, (count - loop->by_fd_count) * sizeof(struct conn *));
	loop->by_fd = grown;
	loop->by_fd_count = count;
	return true;
}

bool transport_open(struct conn *conn)
{
	struct loop *loop = conn->loop;

	if (!make_room(loop, (size_t)conn->fd))
		return false;
	conn->framing.max_chunked = 2 * (uint64_t)loop->httpd->config.max_request_bytes;
	conn->framing.take = heads_take;
	conn->framing.head_ends = heads_end;
	conn->framing.context = conn;
	loop->by_fd[conn->fd] = conn;
	return true;
}

static void drop_held(struct conn *conn)
{
	bulla_wipe(conn->held.bytes, conn->held.cap);
	free(conn->held.bytes);
	conn->held = (struct held){ 0 };
}

void transport_close(struct conn *conn)
{
	if (transport_conn(conn->loop, conn->fd) == conn)
		conn->loop->by_fd[conn->fd] = NULL;
	drop_held(conn);
	heads_drop(conn);
}

void transport_bind(struct loop *loop)
{
	own_loop = loop;
}

/* ---- what is held ------------------------------------------------------------- */

static bool hold_room(struct held *held, size_t more)
{
	size_t used = held->at + held->ready + held->rest, cap = held->cap > 0 ? held->cap : FIRST_HELD;

	if (held->cap - used >= more)
		return true;
	while (cap - used < more)
		cap *= 2;
	uint8_t *grown = malloc(cap);

	if (grown == NULL)
		return false;
	if (used > 0)
		memcpy(grown, held->bytes, used);
	bulla_wipe(held->bytes, held->cap);
	free(held->bytes);
	held->bytes = grown;
	held->cap = cap;
	return true;
}

/* What is ready goes out, then the end that stands for what was refused. */
static size_t give(struct conn *conn, uint8_t *buf, size_t room)
{
	struct held *held = &conn->held;
	size_t n = held->ready < room ? held->ready : room, all;

	if (n > 0) {
		memcpy(buf, held->bytes + held->at, n);
		held->at += n;
		held->ready -= n;
	}
	if (held->bytes != NULL && held->ready == 0) {
		if (held->rest == 0)
			drop_held(conn);
		else if (held->at > 0)
			memmove(held->bytes, held->bytes + held->at, held->rest);
		held->at = 0;
	}
	const char *tail = conn->framing.tail;

	if (tail == NULL || held->ready > 0 || n == room)
		return n;
	all = strlen(tail);
	if (all > room - n)
		all = room - n;
	memcpy(buf + n, tail, all);
	conn->framing.tail = tail[all] == '\0' ? NULL : tail + all;
	return n + all;
}

/* A head that has begun has less time than an idle connection. */
static void hurry(struct conn *conn)
{
	unsigned max_s = conn->loop->httpd->config.max_request_s;
	int64_t end_ms = conn->loop->now_ms + (max_s < FIRST_HEADER_S ? max_s : FIRST_HEADER_S) * INT64_C(1000);

	if (conn->task == NULL && conn->deadline_ms > end_ms)
		conn_due(conn, end_ms);
}

/* n bytes came into libmicrohttpd's buffer, and nothing was held: what is ready stays there. False: no memory. */
static bool take_direct(struct conn *conn, uint8_t *buf, size_t n, size_t *ready)
{
	struct framed framed = framing_feed(&conn->framing, buf, n);

	*ready = framed.ready;
	if (framed.ready + framed.rest < n) /* tokens are in what went no further */
		bulla_wipe(buf + framed.ready + framed.rest, n - framed.ready - framed.rest);
	if (framed.rest == 0)
		return true;
	if (!hold_room(&conn->held, framed.rest))
		return false;
	memcpy(conn->held.bytes, buf + framed.ready, framed.rest);
	bulla_wipe(buf + framed.ready, framed.rest);
	conn->held.rest = framed.rest;
	hurry(conn);
	return true;
}

static void take_held(struct conn *conn, size_t n)
{
	size_t len = conn->held.rest + n;
	struct framed framed = framing_feed(&conn->framing, conn->held.bytes, len);

	if (framed.ready + framed.rest < len)
		bulla_wipe(conn->held.bytes + framed.ready + framed.rest, len - framed.ready - framed.rest);
	conn->held.ready = framed.ready;
	conn->held.rest = framed.rest;
}

/* The stream has ended. What of it is held can no longer become a request, which is said; what is in work is answered
 * first. */
static ssize_t ended(struct conn *conn, uint8_t *buf, size_t room)
{
	enum framing_end end = framing_end(&conn->framing, conn->held.rest);

	if (end == FRAMING_ENDED_EARLY) {
		drop_held(conn);
		return (ssize_t)give(conn, buf, room);
	}
	return conn_in_work(conn) ? TRANSPORT_AGAIN : 0;
}

/* Reads once. False: *n is to be returned, unless something was got before. */
static bool read_more(struct conn *conn, uint8_t *buf, size_t room, transport_source *source, void *context, ssize_t *n,
		      bool *full)
{
	bool direct = conn->held.rest == 0;

	*n = TRANSPORT_LOST;
	if (!direct && !hold_room(&conn->held, LEAST_READ))
		return false;
	uint8_t *at = direct ? buf : conn->held.bytes + conn->held.rest;
	size_t space = direct ? room : conn->held.cap - conn->held.rest, ready = 0;

	*n = source(conn, context, at, space);
	*full = *n == (ssize_t)space;
	if (*n <= 0) {
		if (*n == 0) {
			conn_half_closed(conn);
			conn->ended = true;
		}
		return false;
	}
	if (!direct) {
		take_held(conn, (size_t)*n);
		*n = 0;
		return true;
	}
	if (!take_direct(conn, at, (size_t)*n, &ready)) {
		*n = TRANSPORT_LOST;
		return false;
	}
	*n = (ssize_t)ready;
	return true;
}

static ssize_t transport_read(struct conn *conn, uint8_t *buf, size_t room, transport_source *source, void *context)
{
	bool records = conn->endpoint->tls != NULL;

	for (size_t got = 0;;) {
		bool full = false;
		ssize_t n;

		got += give(conn, buf + got, room - got);
		if (got == room || conn->framing.state == FRAMING_REFUSED)
			return got > 0 ? (ssize_t)got : TRANSPORT_AGAIN;
		if (!read_more(conn, buf + got, room - got, source, context, &n, &full)) {
			if (n == TRANSPORT_LOST)
				conn_kill(conn);
			return got > 0 ? (ssize_t)got : n == 0 ? ended(conn, buf, room) : n;
		}
		got += (size_t)n;
		/* more, or the end? A socket that filled the buffer may have it; of TLS's records the next call knows */
		if (full || conn->half_closed || (records && got == 0))
			continue;
		got += give(conn, buf + got, room - got);
		if (got > 0 || !records)
			return got > 0 ? (ssize_t)got : TRANSPORT_AGAIN;
	}
}

/* ---- what libmicrohttpd and GnuTLS call --------------------------------------- */

static ssize_t from_socket(struct conn *conn, void *context, void *buf, size_t len)
{
	(void)context;
	return receive(conn->fd, buf, len, 0);
}

/* GnuTLS gives a session up when the stream ends: while it reads records, it is not told. */
static ssize_t for_records(struct conn *conn, void *buf, size_t len, int flags)
{
	ssize_t n = receive(conn->fd, buf, len, flags);

	if (n != 0 || !conn->reads_records)
		return n;
	conn_half_closed(conn);
	conn->ended = true;
	errno = EAGAIN;
	return -1;
}

__attribute__((visibility("default"), used))
ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	struct conn *conn = transport_conn(own_loop, fd);

	if (conn == NULL || len == 0)
		return receive(fd, buf, len, flags);
	if (conn->endpoint->tls != NULL)
		return for_records(conn, buf, len, flags);
	ssize_t n = transport_read(conn, buf, len, from_socket, NULL);

	if (n > TRANSPORT_AGAIN)
		return n;
	errno = n == TRANSPORT_AGAIN ? EAGAIN : ECONNRESET;
	return -1;
}

struct record_reader {
	void *session;
	transport_records *read;
};

static ssize_t from_records(struct conn *conn, void *context, void *buf, size_t len)
{
	const struct record_reader *reader = context;

	conn->reads_records = true;
	ssize_t n = reader->read(reader->session, buf, len);

	conn->reads_records = false;
	return n == TRANSPORT_AGAIN && conn->ended ? 0 : n;
}

ssize_t transport_read_records(void *owner, void *session, transport_records *read, void *buf, size_t len)
{
	struct record_reader reader = { .session = session, .read = read };

	if (own_loop == NULL || owner == NULL || len == 0)
		return read(session, buf, len);
	return transport_read(owner, buf, len, from_records, &reader);
}

bool transport_check(void)
{
	union {
		void *object;
		ssize_t (*function)(int, void *, size_t, int);
	} bound = { .object = dlsym(RTLD_DEFAULT, "recv") };

	return bound.function == recv && tls_record_check();
}
