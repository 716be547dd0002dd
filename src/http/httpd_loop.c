/* httpd_loop.c: owns an event loop: one thread, its libmicrohttpd daemons (without threads of their own), its epoll.
 *
 * A turn: wait; accept; take some handshakes further; run the daemons, which serves what needs no worker; resume as one group what the workers have done
 * (a connection resumed alone costs half the throughput, and one resumed by another thread can be lost: docs/DECISIONS.md);
 * once a second look at the deadlines. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "http/httpd_internal.h"

#define EVENTS 64
#define SWEEP_MS 1000
#define ACCEPT_PAUSE_MS 100
/* libmicrohttpd's memory for a connection: the few lines that the framing machine lets through of a head and the reply's head must fit
 * in; it is zeroed after every request, so small is fast */
#define CONNECTION_MEMORY 12288

int64_t clock_ms(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool control(const struct loop *loop, int operation, int fd, struct watched *watched, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watched };

	return epoll_ctl(loop->epoll_fd, operation, fd, &event) == 0;
}

bool loop_watch(struct loop *loop, int fd, struct watched *watched, uint32_t events)
{
	return control(loop, EPOLL_CTL_ADD, fd, watched, events);
}

bool loop_change(struct loop *loop, int fd, struct watched *watched, uint32_t events)
{
	return control(loop, EPOLL_CTL_MOD, fd, watched, events);
}

void loop_forget(struct loop *loop, int fd)
{
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void woken(struct loop *loop, struct watched *wake, uint32_t events)
{
	uint64_t ignored;

	(void)wake, (void)events;
	(void)!read(loop->wake_fd, &ignored, sizeof ignored);
}

static void daemon_ready(struct loop *loop, struct watched *watched, uint32_t events)
{
	(void)loop, (void)events;
	((struct daemon *)watched)->due = true;
}

void endpoint_ready(struct loop *loop, struct watched *watched, uint32_t events)
{
	(void)events;
	conn_accept(loop, (const struct endpoint *)watched);
}

/* libmicrohttpd would turn %2F into a separator and end the target at %00. */
static size_t keep_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
	(void)context, (void)mhd;
	return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct loop *loop, const struct listener *listener)
{
	union {
		void (*plain)(void);
		void *object;
	} callback = { .plain = tls_no_certificate() };
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_CERT_CALLBACK, 0, callback.object },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_priorities(listener ? listener->tls_min_version : NULL) },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | (listener ? MHD_USE_TLS : 0);

	return MHD_start_daemon(flags, 0, NULL, NULL, request_access, loop,
				MHD_OPTION_URI_LOG_CALLBACK, request_line, loop,
				MHD_OPTION_NOTIFY_COMPLETED, request_completed, loop,
				MHD_OPTION_NOTIFY_CONNECTION, conn_notify, loop,
				MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
				MHD_OPTION_CONNECTION_TIMEOUT, 0u,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
				MHD_OPTION_CONNECTION_LIMIT, loop->httpd->config.max_connections,
				MHD_OPTION_ARRAY, listener ? tls : tls + 2,
				MHD_OPTION_END);
}

static enum bulla_err add_daemon(struct loop *loop, unsigned index, const struct listener *listener, struct bulla_call *call)
{
	struct daemon *daemon = &loop->daemons[index];

	daemon->mhd = start_daemon(loop, listener);
	if (daemon->mhd == NULL)
		return bulla_fail(call, BULLA_E_CONFIG, "the HTTP library refuses to start");
	daemon->epoll_fd = MHD_get_daemon_info(daemon->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	daemon->watched.ready = daemon_ready;
	return loop_watch(loop, daemon->epoll_fd, &daemon->watched, EPOLLIN) ? BULLA_OK : BULLA_E_NO_MEMORY;
}

enum bulla_err loop_init(struct loop *loop, struct httpd *httpd, struct bulla_call *call)
{
	loop->httpd = httpd;
	pthread_mutex_init(&loop->inbox_lock, NULL);
	lobby_init(loop);
	linger_init(loop);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->wake.ready = woken;
	loop->daemons = calloc(httpd->daemon_count, sizeof loop->daemons[0]);
	if (loop->epoll_fd < 0 || loop->wake_fd < 0 || loop->daemons == NULL || !loop_watch(loop, loop->wake_fd, &loop->wake, EPOLLIN))
		return BULLA_E_NO_MEMORY;
	TRY(add_daemon(loop, 0, NULL, call));
	for (size_t i = 0; i < httpd->endpoint_count; i++)
		if (httpd->endpoints[i].tls != NULL)
			TRY(add_daemon(loop, httpd->endpoints[i].daemon, httpd->endpoints[i].listener, call));
	return BULLA_OK;
}

void loop_clear(struct loop *loop)
{
	if (loop->httpd == NULL)
		return;
	lobby_clear(loop);
	for (unsigned i = 0; loop->daemons != NULL && i < loop->httpd->daemon_count; i++)
		MHD_stop_daemon(loop->daemons[i].mhd);
	linger_sweep(loop, true);
	task_free_spares(loop);
	audit_free_spares(loop);
	free(loop->daemons);
	free(loop->by_fd);
	heads_free_spare(loop);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	pthread_mutex_destroy(&loop->inbox_lock);
}

void loop_wake(struct loop *loop)
{
	uint64_t one = 1;

	while (write(loop->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

static void run_due(struct loop *loop)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	for (unsigned i = 0; i < loop->httpd->daemon_count; i++) {
		struct daemon *daemon = &loop->daemons[i];

		if (!daemon->due)
			continue;
		daemon->due = false; /* what is resumed meanwhile makes it due again */
		(void)MHD_run(daemon->mhd);
		/* there is no timeout but "at once": something is left to do without an event */
		if (MHD_get_timeout(daemon->mhd, &wait_ms) == MHD_YES && wait_ms == 0)
			daemon->due = true;
	}
}

void resume_task(struct loop *loop, struct task *task)
{
	task->state = TASK_ANSWERED;
	loop->suspended--;
	loop->daemons[task->conn->endpoint->daemon].due = true;
	if (task->conn->deadline_ms < loop->now_ms + REPLY_GRACE_S * 1000)
		conn_due(task->conn, loop->now_ms + REPLY_GRACE_S * 1000);
	MHD_resume_connection(task->mhd);
}

/* Lets the connections go on whose requests the workers have done; those with records wait for the end of the turn at most. */
static bool resume_done(struct loop *loop)
{
	struct task *task = atomic_exchange_explicit(&loop->done, NULL, memory_order_acquire);
	bool any = task != NULL;

	for (struct task *next; task != NULL; task = next) {
		next = task->next;
		if (task->reply.lines != NULL)
			audit_hold(task);
		else
			resume_task(loop, task);
	}
	return any;
}

/* At the connection limit the listeners leave the epoll for a moment: a level-triggered event nobody handles would spin. */
static void set_accepting(struct loop *loop, bool accepting)
{
	const struct httpd *httpd = loop->httpd;

	for (size_t i = 0; i < httpd->endpoint_count; i++) {
		if (accepting)
			(void)loop_watch(loop, httpd->endpoints[i].fd, &httpd->endpoints[i].watched, EPOLLIN | EPOLLEXCLUSIVE);
		else
			loop_forget(loop, httpd->endpoints[i].fd);
	}
	loop->accepting = accepting;
}

void loop_stop_accepting(struct loop *loop)
{
	if (loop->accepting)
		set_accepting(loop, false);
}

static void update_accepting(struct loop *loop)
{
	bool want = !loop->draining && loop->now_ms >= loop->accept_again_ms;

	if (want && atomic_load_explicit(&loop->httpd->connections, memory_order_relaxed) >= loop->httpd->config.max_connections) {
		loop->accept_again_ms = loop->now_ms + ACCEPT_PAUSE_MS;
		want = false;
	}
	if (want != loop->accepting)
		set_accepting(loop, want);
}

static int wait_ms(const struct loop *loop)
{
	if (loop->recorded != NULL || lobby_waits(loop))
		return 0;
	for (unsigned i = 0; i < loop->httpd->daemon_count; i++)
		if (loop->daemons[i].due)
			return 0;
	if (loop->draining)
		return drain_wait_ms();
	if (!loop->accepting)
		return ACCEPT_PAUSE_MS;
	if (loop->flying != NULL)
		return BULLA_AUDIT_LAG_MS / 2;
	return loop->conns != NULL || loop->lingering > 0 ? SWEEP_MS : -1;
}

static void turn(struct loop *loop)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(loop->epoll_fd, events, EVENTS, wait_ms(loop));

	loop->now_ms = clock_ms();
	for (int i = 0; i < n; i++) {
		struct watched *watched = events[i].data.ptr;

		watched->ready(loop, watched, events[i].events);
	}
	conn_take_arrivals(loop);
	audit_resume(loop);
	lobby_turn(loop);
	run_due(loop);
	if (resume_done(loop))
		run_due(loop);
	if (audit_end_turn(loop))
		run_due(loop);
	shares_relieve(loop);
	conn_end_halves(loop);
	if (loop->now_ms >= loop->sweep_ms) {
		loop->sweep_ms = loop->now_ms + SWEEP_MS;
		conn_sweep(loop);
		linger_sweep(loop, false);
	}
	if (loop->flying != NULL)
		audit_sweep(loop);
	update_accepting(loop);
	atomic_store_explicit(&loop->answered, atomic_load_explicit(&loop->httpd->asked, memory_order_relaxed), memory_order_relaxed);
}

void *loop_main(void *context)
{
	struct loop *loop = context;

	transport_bind(loop);
	loop->now_ms = clock_ms();
	update_accepting(loop);
	while (!drain_loop(loop))
		turn(loop);
	drain_end(loop);
	return NULL;
}
