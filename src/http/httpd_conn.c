/* httpd_conn.c: owns connections: how many there may be, which loop gets one, how long each may take. A loop's connections
 * belong to its thread; a connection that another loop accepted arrives through the inbox. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/httpd_internal.h"

#define ACCEPT_AT_ONCE 16
#define NO_FILES_PAUSE_MS 100

static void add(struct loop *loop, const struct arrival *arrival)
{
	if (arrival->endpoint->tls != NULL || proxied_expects(arrival->endpoint)) {
		lobby_enter(loop, arrival);
		return;
	}
	loop->adding = arrival;
	/* on failure libmicrohttpd has closed the socket */
	(void)MHD_add_connection(loop->daemons[arrival->endpoint->daemon].mhd, arrival->fd,
				 (const struct sockaddr *)&arrival->address, arrival->address_len);
	loop->adding = NULL;
	loop->daemons[arrival->endpoint->daemon].due = true;
}

/* The loop with the fewest connections; itself, if no other has fewer. */
static struct loop *least_loaded(struct loop *loop)
{
	struct httpd *httpd = loop->httpd;
	struct loop *best = loop;
	unsigned fewest = atomic_load_explicit(&loop->conn_count, memory_order_relaxed);

	for (unsigned i = 0; i < httpd->config.loops; i++) {
		unsigned n = atomic_load_explicit(&httpd->loops[i].conn_count, memory_order_relaxed);

		if (n < fewest)
			best = &httpd->loops[i], fewest = n;
	}
	return best;
}

/* Counts first, so that a burst is spread: the count is taken back when the connection ends or cannot be made. */
void conn_count(struct loop *loop, int change)
{
	atomic_fetch_add_explicit(&loop->conn_count, (unsigned)change, memory_order_relaxed);
	atomic_fetch_add_explicit(&loop->httpd->connections, (unsigned)change, memory_order_relaxed);
}

/* Any thread. False: no memory. */
static bool send_to(struct loop *target, const struct arrival *arrival)
{
	struct arrival *copy = malloc(sizeof *copy);

	if (copy == NULL)
		return false;
	*copy = *arrival;
	conn_count(target, 1);
	pthread_mutex_lock(&target->inbox_lock);
	copy->next = target->inbox;
	target->inbox = copy;
	pthread_mutex_unlock(&target->inbox_lock);
	loop_wake(target);
	return true;
}

static void deliver(struct loop *loop, const struct arrival *arrival)
{
	struct loop *target = least_loaded(loop);

	if (target == loop || !send_to(target, arrival))
		add(loop, arrival);
}

static int accept_on(const struct endpoint *endpoint, struct arrival *arrival)
{
	*arrival = (struct arrival){ .endpoint = endpoint, .address_len = sizeof arrival->address };
	arrival->fd = accept4(endpoint->fd, (struct sockaddr *)&arrival->address, &arrival->address_len,
			      SOCK_NONBLOCK | SOCK_CLOEXEC);
	return arrival->fd;
}

/* True: it is closed. Any thread. */
static bool turn_away(struct httpd *httpd, const struct arrival *arrival)
{
	return proxied_turn_away(httpd, arrival) || shares_turn_away(httpd, arrival);
}

bool conn_hand_over(struct httpd *httpd, const struct endpoint *endpoint)
{
	struct arrival arrival;

	errno = EMFILE;
	if (atomic_load_explicit(&httpd->connections, memory_order_relaxed) >= httpd->config.max_connections)
		return false;
	while (accept_on(endpoint, &arrival) < 0)
		if (errno != EINTR && errno != ECONNABORTED)
			return false;
	if (!turn_away(httpd, &arrival) && !send_to(least_loaded(&httpd->loops[0]), &arrival))
		close(arrival.fd);
	return true;
}

void conn_accept(struct loop *loop, const struct endpoint *endpoint)
{
	for (int i = 0; i < ACCEPT_AT_ONCE && loop->accepting; i++) {
		struct arrival arrival;

		if (atomic_load_explicit(&loop->httpd->connections, memory_order_relaxed) >= loop->httpd->config.max_connections)
			return;
		if (accept_on(endpoint, &arrival) >= 0) {
			if (!turn_away(loop->httpd, &arrival))
				deliver(loop, &arrival);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			loop->accept_again_ms = loop->now_ms + NO_FILES_PAUSE_MS;
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

void conn_take_arrivals(struct loop *loop)
{
	pthread_mutex_lock(&loop->inbox_lock);
	struct arrival *arrival = loop->inbox;

	loop->inbox = NULL;
	pthread_mutex_unlock(&loop->inbox_lock);
	for (struct arrival *next; arrival != NULL; arrival = next) {
		next = arrival->next;
		conn_count(loop, -1); /* conn_notify counts it again */
		add(loop, arrival);
		free(arrival);
	}
}

struct conn *conn_new(struct loop *loop, const struct arrival *arrival)
{
	struct conn *conn = calloc(1, sizeof *conn);
	unsigned max_s = loop->httpd->config.max_request_s;

	if (conn == NULL)
		return NULL;
	conn->loop = loop;
	conn->endpoint = arrival->endpoint;
	conn->fd = arrival->fd;
	conn_due(conn, loop->now_ms + (max_s < FIRST_HEADER_S ? max_s : FIRST_HEADER_S) * INT64_C(1000));
	conn->quiet_since_ms = loop->now_ms;
	address_print((const struct sockaddr *)&arrival->address, conn->remote);
	if (!transport_open(conn)) {
		free(conn);
		return NULL;
	}
	conn->next = loop->conns;
	if (conn->next != NULL)
		conn->next->prev = conn;
	loop->conns = conn;
	if (loop->oldest == NULL)
		loop->oldest = conn;
	conn_count(loop, 1);
	shares_enter(conn, (const struct sockaddr *)&arrival->address);
	if (!proxied_expects(arrival->endpoint))
		shares_judge(conn); /* else when it is known whose it is */
	return conn;
}

void conn_free(struct conn *conn)
{
	struct loop *loop = conn->loop;

	lobby_forget(conn);
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		loop->conns = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	else
		loop->oldest = conn->prev;
	shares_leave(conn);
	conn_forget_half(conn);
	if (!conn_linger(conn))
		conn_count(loop, -1);
	transport_close(conn);
	free(conn);
}

static struct conn *introduced(struct loop *loop, struct MHD_Connection *mhd)
{
	struct conn *conn = loop->adding_conn;

	loop->adding_conn = NULL;
	lobby_introduced(conn, mhd);
	return conn;
}

/* NULL: no memory; the socket is shut down, and libmicrohttpd will see that. */
static struct conn *started(struct loop *loop)
{
	struct conn *conn = conn_new(loop, loop->adding);

	if (conn != NULL && !conn_watch(conn)) {
		conn_free(conn);
		conn = NULL;
	}
	if (conn == NULL)
		(void)shutdown(loop->adding->fd, SHUT_RDWR);
	return conn;
}

void conn_notify(void *context, struct MHD_Connection *mhd, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct loop *loop = context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*socket_context = loop->adding_conn != NULL ? introduced(loop, mhd) : started(loop);
	} else if (*socket_context != NULL) {
		conn_free(*socket_context);
	}
}

void conn_kill(struct conn *conn)
{
	conn->killed = true;
	(void)shutdown(conn->fd, SHUT_RDWR);
}

void conn_due(struct conn *conn, int64_t deadline_ms)
{
	conn->deadline_ms = deadline_ms;
	if (deadline_ms < conn->loop->due_ms)
		conn->loop->due_ms = deadline_ms;
}

/* Looks at each connection only when one may be late, or large bodies have to hurry: with thousands that are silent each look is a cache
 * miss. */
void conn_sweep(struct loop *loop)
{
	int64_t due_ms = INT64_MAX;

	if (loop->now_ms < loop->due_ms && !memory_is_short(loop->httpd))
		return;
	for (struct conn *conn = loop->conns; conn != NULL; conn = conn->next) {
		bool late = loop->now_ms >= conn->deadline_ms && (conn->task == NULL || conn->task->state != TASK_WORKING);

		if (late)
			conn_kill(conn);
		else if (conn->task != NULL)
			body_sweep(conn->task, loop->now_ms);
		if (conn->deadline_ms < due_ms)
			due_ms = conn->deadline_ms;
	}
	loop->due_ms = due_ms;
}
