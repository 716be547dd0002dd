/* shares.c: owns who gives way when connections become scarce. While no more than share_percent of the slots are
 * taken, clients are counted and nothing else is done. Beyond, an address may have an equal part of those
 * (clients_share) in connections and in requests in flight: what it has beyond its part gets 503, and connections of
 * it are closed, idle ones first and the oldest first, until there are slots again. Some address always has more than
 * its part then, since the parts add up to less than the slots.
 *
 * Not counted: unix sockets; proxies of x_forwarded_for_authorized_addrs, whose clients' requests are counted for
 * them; and those of proxy_protocol_authorized_addrs until a header has named the client, whose connection it is then. Of a loop, on its thread, except what the table of clients does. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include "http/httpd_internal.h"

#define RELIEVE_MS 50     /* between two rounds of closing */
#define TELL_S 2          /* to send a request that is answered with 503 */
#define SLOW_REPLY_S 5    /* a reply that has not been fetched by then */

static unsigned taken(const struct httpd *httpd)
{
	return atomic_load_explicit(&httpd->connections, memory_order_relaxed);
}

static unsigned limit(const struct httpd *httpd)
{
	return httpd->share_limit;
}

/* Beyond this many there is no room to tell everybody. */
static unsigned scarce(const struct httpd *httpd)
{
	return limit(httpd) + (httpd->config.max_connections - limit(httpd)) / 2;
}

static bool is_over(const struct httpd *httpd, const struct clients *clients, unsigned held)
{
	return held > clients_share(clients, limit(httpd));
}

/* ---- connections ------------------------------------------------------------------ */

static bool is_trusted_proxy(const struct conn *conn)
{
	const struct forwarding *f = &conn->endpoint->listener->forwarding;

	return address_is_among(conn->remote, f->authorized, f->authorized_count) || proxied_is_proxy(conn);
}

void shares_enter(struct conn *conn, const struct sockaddr *address)
{
	conn->is_proxy = is_trusted_proxy(conn);
	if (!conn->is_proxy)
		conn->client = clients_enter(conn->loop->httpd->clients, address);
}

/* Beyond this many, who is not counted is refused, too. */
static unsigned most(const struct httpd *httpd)
{
	unsigned max = httpd->config.max_connections;

	return max - (max / 32 > 4 ? max / 32 : max > 8 ? 4 : max / 2);
}

/* Who has no more than its part is not refused even with the last slot: others will give way. */
void shares_judge(struct conn *conn)
{
	const struct httpd *httpd = conn->loop->httpd;
	bool counted = conn->client != NULL && taken(httpd) > limit(httpd);

	conn->refused = counted ? is_over(httpd, httpd->clients, client_held(conn->client)) : taken(httpd) > most(httpd);
	if (conn->refused)
		conn_due(conn, conn->loop->now_ms + TELL_S * 1000);
}

void shares_leave(struct conn *conn)
{
	clients_leave(conn->loop->httpd->clients, conn->client);
	conn->client = NULL;
	conn->loop->evicted -= conn->evicted;
}

/* Without a request having been read: that would take a slot. What has come already is read, for the answer would be
 * lost over it. */
static void tell_and_close(const struct arrival *arrival)
{
	static const char busy[] =
		"HTTP/1.1 503 Service Unavailable\r\nCache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\n"
		"Content-Type: application/json\r\nContent-Length: 45\r\n\r\n{\"errors\":[\"the server is busy; try again\"]}\n";
	char unread[4096];

	if (arrival->endpoint->tls == NULL && send(arrival->fd, busy, sizeof busy - 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		(void)!recv(arrival->fd, unread, sizeof unread, MSG_DONTWAIT);
	bulla_wipe(unread, sizeof unread);
	close(arrival->fd);
}

bool shares_turn_away(struct httpd *httpd, const struct arrival *arrival)
{
	const struct sockaddr *address = (const struct sockaddr *)&arrival->address;

	if (arrival->endpoint->listener->proxying.behavior == PROXYING_ALWAYS)
		return false; /* the address may be a proxy's, whose clients are not known yet */
	if (taken(httpd) <= scarce(httpd) || !is_over(httpd, httpd->clients, clients_held(httpd->clients, address) + 1))
		return false;
	tell_and_close(arrival);
	return true;
}

/* ---- closing ------------------------------------------------------------------------ */

enum round { ROUND_IDLE, ROUND_UNFINISHED, ROUND_UNFETCHED, ROUNDS };

static bool gives_way(const struct conn *conn, enum round round)
{
	const struct loop *loop = conn->loop;

	if (conn->task == NULL)
		return round == ROUND_IDLE && (!conn->refused || taken(loop->httpd) > scarce(loop->httpd));
	switch (conn->task->state) {
	case TASK_NEW:
	case TASK_RECEIVING:
	case TASK_REFUSED:
		return round == ROUND_UNFINISHED;
	case TASK_ANSWERED:
		return round == ROUND_UNFETCHED && loop->now_ms > conn->task->began_ms + SLOW_REPLY_S * 1000;
	case TASK_RECORDING:
	case TASK_FLYING:
	case TASK_WORKING:
		return false;
	}
	return false;
}

static void evict(struct conn *conn)
{
	clients_leave(conn->loop->httpd->clients, conn->client);
	conn->client = NULL;
	conn->evicted = true;
	conn->loop->evicted++;
	conn_kill(conn);
}

/* As many as this loop's part of what is too much; those that were closed before and are not gone yet count. */
static unsigned too_many(const struct loop *loop)
{
	const struct httpd *httpd = loop->httpd;
	unsigned all = taken(httpd), may = limit(httpd);
	uint64_t mine = atomic_load_explicit(&loop->conn_count, memory_order_relaxed);

	if (all <= may)
		return 0;
	unsigned part = (unsigned)((all - may) * mine / all) + 1;

	return part > loop->evicted ? part - loop->evicted : 0;
}

void shares_relieve(struct loop *loop)
{
	struct httpd *httpd = loop->httpd;
	unsigned left = taken(httpd) <= limit(httpd) || loop->now_ms < loop->relieve_ms ? 0 : too_many(loop);

	if (left == 0)
		return;
	loop->relieve_ms = loop->now_ms + RELIEVE_MS;
	for (enum round round = ROUND_IDLE; round < ROUNDS; round++)
		for (struct conn *conn = loop->oldest, *younger; conn != NULL && left > 0; conn = younger) {
			younger = conn->prev;
			if (conn->client == NULL || !gives_way(conn, round) ||
			    !is_over(httpd, httpd->clients, client_held(conn->client)))
				continue;
			evict(conn);
			left--;
		}
}

/* ---- requests ------------------------------------------------------------------------- */

bool shares_admit(struct task *task)
{
	struct httpd *httpd = task->conn->loop->httpd;
	const uint8_t *remote = task->request.remote.ptr;

	if (taken(httpd) <= limit(httpd) || (task->conn->is_proxy && remote == (const uint8_t *)task->conn->remote))
		return true;
	task->asker = clients_enter_text(httpd->askers, task->request.remote);
	return task->asker == NULL || !is_over(httpd, httpd->askers, client_held(task->asker));
}

void shares_done(struct task *task)
{
	if (task->asker != NULL)
		clients_leave(task->conn->loop->httpd->askers, task->asker);
	task->asker = NULL;
}
