/* httpd.c: starts and stops the server: sockets, certificates, workers, loops. One thread; see httpd_internal.h for the rest. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "http/httpd_internal.h"

#define DEFAULT_REQUEST_BYTES ((size_t)32 << 20)
#define DEFAULT_REQUEST_S 90
#define DEFAULT_MEMORY ((size_t)256 << 20)
#define DEFAULT_UNFINISHED_S 2
#define DEFAULT_SHARE_PERCENT 80
#define STOP_STEP_NS 2000000
#define WARN_DAYS 30 /* before a certificate ends */
#define OTHER_FILES 64 /* descriptors that are not connections */

static unsigned cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

static unsigned connections_possible(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur < 2 * OTHER_FILES)
		return OTHER_FILES;
	if (files.rlim_cur > MOST_CONNECTIONS + OTHER_FILES)
		return MOST_CONNECTIONS;
	return (unsigned)files.rlim_cur - OTHER_FILES;
}

static void fill_defaults(struct httpd_config *c)
{
	c->loops = c->loops ? c->loops : cores();
	c->max_request_bytes = c->max_request_bytes ? c->max_request_bytes : DEFAULT_REQUEST_BYTES;
	if (c->max_request_memory == 0)
		c->max_request_memory = DEFAULT_MEMORY > 8 * c->max_request_bytes ? DEFAULT_MEMORY : 8 * c->max_request_bytes;
	c->max_request_s = c->max_request_s ? c->max_request_s : DEFAULT_REQUEST_S;
	c->unfinished_s = c->unfinished_s ? c->unfinished_s : DEFAULT_UNFINISHED_S;
	c->share_percent = c->share_percent ? c->share_percent : DEFAULT_SHARE_PERCENT;
	unsigned possible = connections_possible();

	c->max_connections = c->max_connections != 0 && c->max_connections < possible ? c->max_connections : possible;
}

static enum bulla_err open_tls(const struct listener *listener, struct bulla_call *call, struct tls **out)
{
	const struct tls_settings settings = {
		.cert_file = listener->cert_file, .key_file = listener->key_file, .client_ca_file = listener->client_ca_file,
		.min_version = listener->tls_min_version, .suites = listener->tls_suites,
		.demands_client = listener->demands_client_cert, .asks_client = !listener->no_client_certs,
	};

	return tls_new(&settings, call, out);
}

/* Reads the certificates. Plain listeners share daemon 0, each TLS listener has its own. */
static enum bulla_err make_endpoints(struct httpd *httpd, struct bulla_call *call)
{
	httpd->daemon_count = 1;
	for (size_t i = 0; i < httpd->config.listener_count; i++) {
		const struct listener *listener = &httpd->config.listeners[i];
		struct endpoint *endpoint = &httpd->endpoints[i];

		endpoint->watched.ready = endpoint_ready;
		endpoint->listener = listener;
		endpoint->fd = -1;
		if (listener->tls) {
			if (tls_priorities(listener->tls_min_version) == NULL)
				return bulla_fail(call, BULLA_E_CONFIG, "listener \"%s\": unknown TLS version \"%s\"",
						  listener->address, listener->tls_min_version);
			TRY(open_tls(listener, call, &endpoint->tls));
			endpoint->daemon = httpd->daemon_count++;
		}
		TRY(own_headers_open(endpoint));
	}
	return BULLA_OK;
}

enum bulla_err httpd_bind(struct httpd *httpd, struct bulla_call *call)
{
	for (size_t i = httpd->endpoint_count; i < httpd->config.listener_count; i++) {
		struct endpoint *endpoint = &httpd->endpoints[i];

		TRY(listen_open(endpoint->listener, call, &endpoint->fd));
		listen_file(endpoint->listener, &endpoint->device, &endpoint->inode);
		endpoint->port = listen_port(endpoint->fd);
		httpd->endpoint_count = i + 1;
	}
	return BULLA_OK;
}

static enum bulla_err start_threads(struct httpd *httpd, struct bulla_call *call)
{
	for (unsigned i = 0; i < httpd->config.loops; i++)
		TRY(loop_init(&httpd->loops[i], httpd, call));
	const struct sched_config sched = { .cores = httpd->config.loops, .disk_threads = httpd->config.workers,
					    .max_queue = httpd->config.max_queue };

	httpd->sched = sched_new(&sched);
	if (httpd->sched == NULL)
		return BULLA_E_NO_MEMORY;
	for (unsigned i = 0; i < httpd->config.loops; i++) {
		struct loop *loop = &httpd->loops[i];

		if (pthread_create(&loop->thread, NULL, loop_main, loop) != 0)
			return BULLA_E_NO_MEMORY;
		loop->started = true;
		pthread_setname_np(loop->thread, "loop");
	}
	return BULLA_OK;
}

enum bulla_err httpd_open(const struct httpd_config *config, const struct service *service, struct bulla_call *call,
			  struct httpd **out)
{
	struct httpd *httpd = calloc(1, sizeof *httpd);

	if (httpd == NULL)
		return BULLA_E_NO_MEMORY;
	httpd->config = *config;
	httpd->service = service;
	fill_defaults(&httpd->config);
	httpd->endpoints = calloc(config->listener_count, sizeof httpd->endpoints[0]);
	httpd->loops = calloc(httpd->config.loops, sizeof httpd->loops[0]);
	if (!transport_check()) {
		httpd_free(httpd);
		return bulla_fail(call, BULLA_E_INTERNAL, "the HTTP library does not read through this program's framing");
	}
	tls_init();
	httpd->share_limit = (unsigned)((uint64_t)httpd->config.max_connections * httpd->config.share_percent / 100);
	httpd->clients = clients_new(httpd->config.max_connections);
	httpd->askers = clients_new(httpd->config.max_connections);
	bool made = httpd->endpoints != NULL && httpd->loops != NULL && httpd->clients != NULL && httpd->askers != NULL;
	enum bulla_err err = made ? make_endpoints(httpd, call) : BULLA_E_NO_MEMORY;

	if (err != BULLA_OK) {
		httpd_free(httpd);
		return err;
	}
	*out = httpd;
	return BULLA_OK;
}

enum bulla_err httpd_start(struct httpd *httpd, struct bulla_call *call)
{
	sigset_t all, before;

	/* signals are for the thread that waits for them */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	enum bulla_err err = start_threads(httpd, call);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

bool httpd_is_alive(struct httpd *httpd)
{
	unsigned asked = atomic_load_explicit(&httpd->asked, memory_order_relaxed);
	bool alive = true;

	for (unsigned i = 0; i < httpd->config.loops; i++)
		alive &= atomic_load_explicit(&httpd->loops[i].answered, memory_order_relaxed) == asked;
	atomic_store_explicit(&httpd->asked, asked + 1, memory_order_relaxed);
	for (unsigned i = 0; i < httpd->config.loops; i++)
		loop_wake(&httpd->loops[i]);
	return alive;
}

bool httpd_stop_step(struct httpd *httpd)
{
	return drain_step(httpd);
}

void httpd_cut(struct httpd *httpd)
{
	drain_cut(httpd);
}

static void stop_loops(struct httpd *httpd)
{
	const struct timespec pause = { 0, STOP_STEP_NS };

	while (!drain_step(httpd))
		(void)nanosleep(&pause, NULL);
	for (unsigned i = 0; httpd->loops != NULL && i < httpd->config.loops; i++) {
		if (httpd->loops[i].started)
			pthread_join(httpd->loops[i].thread, NULL);
		httpd->loops[i].started = false;
	}
}

void httpd_stop(struct httpd *httpd)
{
	stop_loops(httpd);
}

struct sched *httpd_sched(const struct httpd *httpd)
{
	return httpd->sched;
}

void httpd_free(struct httpd *httpd)
{
	httpd_stop(httpd);
	sched_free(httpd->sched); /* the loops have waited for their jobs */
	for (unsigned i = 0; httpd->loops != NULL && i < httpd->config.loops; i++)
		loop_clear(&httpd->loops[i]);
	for (size_t i = 0; httpd->endpoints != NULL && i < httpd->config.listener_count; i++) {
		tls_free(httpd->endpoints[i].tls);
		own_headers_close(&httpd->endpoints[i]);
	}
	clients_free(httpd->clients);
	clients_free(httpd->askers);
	free(httpd->endpoints);
	free(httpd->loops);
	free(httpd);
}

enum bulla_err httpd_reload(struct httpd *httpd, struct bulla_call *call)
{
	enum bulla_err first = BULLA_OK;

	for (size_t i = 0; i < httpd->endpoint_count; i++) {
		if (httpd->endpoints[i].tls == NULL)
			continue;
		enum bulla_err err = tls_reload(httpd->endpoints[i].tls, call);

		first = first == BULLA_OK ? err : first;
	}
	return first;
}

static void warn_of_certificate(const struct httpd *httpd, const struct endpoint *endpoint)
{
	const int64_t ends_s = tls_ends_s(endpoint->tls), left_s = ends_s - bulla_wall_s();
	char date[BULLA_TIME_TEXT], line[512];

	if (left_s >= WARN_DAYS * INT64_C(86400) || httpd->service->log == NULL)
		return;
	(void)bulla_time_print(ends_s * INT64_C(1000000000), date);
	if (left_s <= 0)
		snprintf(line, sizeof line, "the certificate %s has ended, on %s: clients refuse it", endpoint->listener->cert_file, date);
	else
		snprintf(line, sizeof line, "the certificate %s ends in %lld days, on %s", endpoint->listener->cert_file,
			 (long long)(left_s / 86400), date);
	httpd->service->log(httpd->service->log_context, "warn", line);
}

void httpd_warn_of_certificates(struct httpd *httpd)
{
	for (size_t i = 0; i < httpd->endpoint_count; i++)
		if (httpd->endpoints[i].tls != NULL)
			warn_of_certificate(httpd, &httpd->endpoints[i]);
}

unsigned httpd_port(const struct httpd *httpd, size_t listener)
{
	return listener < httpd->endpoint_count ? httpd->endpoints[listener].port : 0;
}
