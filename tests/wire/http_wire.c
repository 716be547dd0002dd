/* http_wire.c: the HTTP server with a serve() of its own that says what it was given, for http_wire.py to talk to.
 * Without arguments (as "make check" runs it) it starts that script with its own path. With arguments it serves:
 *   http_wire [workers=N] [queue=N] [loops=N] [bytes=N] [memory=N] [seconds=N] [unfinished=N] [share=N] [connections=N] [hold=FILE] LISTENER...
 *   LISTENER: tcp | unix:PATH:MODE | tls:CERT:KEY[:CA[:VERSION]]
 * prints the ports, then obeys lines on stdin: "reload", "held N" (waits until workers hold N requests), "stop" (as end of
 * file). What is held is let go when FILE of hold=FILE exists, also while it stops. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "http/httpd.h"

static void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static atomic_uint held;
static const char *gate = "/";

static void hold(void)
{
	atomic_fetch_add(&held, 1);
	while (access(gate, F_OK) != 0)
		sleep_ms(2);
}

static void fill(struct out *out, size_t n)
{
	static const char block[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

	for (size_t part; n > 0; n -= part) {
		part = n < sizeof block - 1 ? n : sizeof block - 1;
		out_raw(out, bulla_mem(block, part));
	}
}

static bool starts(struct bulla_bytes text, const char *with)
{
	return text.len >= strlen(with) && memcmp(text.ptr, with, strlen(with)) == 0;
}

static long number_in(struct bulla_bytes target)
{
	const uint8_t *q = memchr(target.ptr, '?', target.len);

	return q == NULL ? 0 : strtol((const char *)q + 1, NULL, 10);
}

static void print_request(const struct request *r, bool blocked, struct out *out)
{
	json_open(out, '{');
	json_put_int(out, "method", r->method);
	json_put_string(out, "target", r->target);
	json_put_string(out, "token", r->token);
	json_put_string(out, "namespace", r->namespace);
	json_put_string(out, "wrap_ttl", r->wrap_ttl);
	json_put_string(out, "content_type", r->content_type);
	json_put_string(out, "remote", r->remote);
	json_put_bool(out, "blocked", blocked);
	json_put_int(out, "body_len", (int64_t)r->body_len);
	if (r->body_len < 100000)
		json_put_string(out, "body", bulla_mem(r->body, r->body_len));
	json_close(out, '}');
}

uint64_t serve_family(const struct service *service, const struct request *request)
{
	(void)service, (void)request;
	return 0;
}

/* /echo; /block?MS waits on a worker; /hold waits there until it is let go; /fill?N answers N bytes; /none 204; /moved 307; /wait 503 with Retry-After. */
/* All may send what they like: who may is not the wire's. */
bool serve_head(const struct service *service, struct bulla_call *call, const struct request *request, struct reply *reply, bool *known)
{
	(void)service, (void)call, (void)request, (void)reply;
	*known = false;
	return true;
}

bool serve(const struct service *service, struct bulla_call *call, const struct request *request, struct reply *reply)
{
	struct bulla_bytes target = request->target;

	(void)service;
	reply->status = 200;
	reply->content_type = "application/json";
	if ((starts(target, "/block") || starts(target, "/hold")) && !call->may_block)
		return false;
	if (starts(target, "/hold"))
		hold();
	if (starts(target, "/block"))
		sleep_ms(number_in(target));
	if (starts(target, "/none")) {
		reply->status = 204;
		reply->content_type = NULL;
		return true;
	}
	if (starts(target, "/moved")) {
		reply->status = 307;
		reply->location = bulla_arena_printf(call->arena, "/elsewhere");
	}
	if (starts(target, "/wait")) {
		reply->status = 503;
		reply->retry_after_s = 7;
		reply->allow = "GET, POST";
	}
	if (request->body_too_large)
		reply->status = 413;
	if (starts(target, "/fill"))
		fill(&reply->body, (size_t)number_in(target));
	else
		print_request(request, call->may_block, &reply->body);
	return true;
}

static unsigned option(const char *arg, const char *name)
{
	size_t n = strlen(name);

	return strncmp(arg, name, n) == 0 && arg[n] == '=' ? (unsigned)strtoul(arg + n + 1, NULL, 10) : 0;
}

static void read_listener(char *arg, struct listener *l)
{
	char *kind = strtok(arg, ":"), *a = strtok(NULL, ":"), *b = strtok(NULL, ":"), *c = strtok(NULL, ":"), *d = strtok(NULL, ":");

	*l = (struct listener){ .address = "127.0.0.1:0" };
	if (strcmp(kind, "unix") == 0) {
		l->is_unix = true;
		l->address = a;
		l->socket_mode = (unsigned)strtoul(b, NULL, 8);
	}
	if (strcmp(kind, "tls") == 0) {
		l->tls = true;
		l->cert_file = a;
		l->key_file = b;
		l->client_ca_file = c != NULL && *c != '-' ? c : NULL;
		l->demands_client_cert = l->client_ca_file != NULL;
		l->tls_min_version = d;
	}
}

static void obey(struct httpd *httpd, struct bulla_call *call, const char *line)
{
	if (strncmp(line, "held ", 5) == 0) {
		while (atomic_load(&held) < (unsigned)strtoul(line + 5, NULL, 10))
			sleep_ms(2);
		printf("%s", line);
	} else {
		bool ok = httpd_reload(httpd, call) == BULLA_OK;

		printf("%s %.*s\n", ok ? "reloaded" : "kept", ok ? 0 : (int)call->detail.len, ok ? "" : (const char *)call->detail.ptr);
	}
	fflush(stdout);
}

static int run(int argc, char **argv)
{
	struct listener listeners[8];
	struct httpd_config config = { .listeners = listeners };
	struct bulla_call call = { .arena = bulla_arena_new(4096), .may_block = true };
	struct service service = { .info.version = "test" };
	struct httpd *httpd = NULL;
	char line[64];

	for (int i = 1; i < argc; i++) {
		config.workers |= option(argv[i], "workers");
		config.max_queue |= option(argv[i], "queue");
		config.loops |= option(argv[i], "loops");
		config.max_request_bytes |= option(argv[i], "bytes");
		config.max_request_memory |= option(argv[i], "memory");
		config.max_request_s |= option(argv[i], "seconds");
		config.share_percent |= option(argv[i], "share");
		config.unfinished_s |= option(argv[i], "unfinished");
		config.max_connections |= option(argv[i], "connections");
		if (strncmp(argv[i], "hold=", 5) == 0)
			gate = argv[i] + 5;
		if (strchr(argv[i], '=') == NULL)
			read_listener(argv[i], &listeners[config.listener_count++]);
	}
	if (httpd_open(&config, &service, &call, &httpd) != BULLA_OK || httpd_bind(httpd, &call) != BULLA_OK || httpd_start(httpd, &call) != BULLA_OK) {
		printf("error %.*s\n", (int)call.detail.len, (const char *)call.detail.ptr);
		if (httpd != NULL)
			httpd_free(httpd);
		bulla_arena_free(call.arena);
		return 1;
	}
	printf("ports");
	for (size_t i = 0; i < config.listener_count; i++)
		printf(" %u", httpd_port(httpd, i));
	printf("\n");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin) != NULL && strcmp(line, "stop\n") != 0)
		obey(httpd, &call, line);
	httpd_free(httpd);
	bulla_arena_free(call.arena);
	printf("stopped\n");
	return 0;
}

int main(int argc, char **argv)
{
	if (bulla_memory_init(false) != BULLA_OK)
		return 99;
	if (argc > 1)
		return run(argc, argv);
	execlp("python3", "python3", WIRE_SCRIPT, argv[0], (char *)NULL);
	return 99;
}
