/* http.c: owns libmicrohttpd's daemon and the life of a request. The only file that knows <microhttpd.h>. Its threads call the handler;
 * http_resume may be called by any. */
#define _GNU_SOURCE
#include "http.h"

#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "listen.h"
#include "log.h"
#include "vault.h"
#include "wipe.h"

#define TIMEOUT_S 30
#define CONNECTIONS_MAX 1000
#define RECORD_BYTES 2048
#define CONNECTION_BYTES (16 * 1024) /* the headers and a whole body; cleared after each request */
#define DISCARD_MAX_BYTES (64 * 1024)
#define STOP_MS 2000
#define FILE_MAX_BYTES (64 * 1024)

struct http {
	struct MHD_Daemon *daemon;
	http_handler *handler;
	void *app;
	bool tls;
	atomic_int under_way;
};

static const struct { const char *name, *value; } headers[] = {
	{ "Cache-Control", "no-store" },
	{ "Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'" },
	{ "Referrer-Policy", "no-referrer" },
	{ "X-Content-Type-Options", "nosniff" },
};

static bool add(struct MHD_Response *response, const char *name, const char *value)
{
	return MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool add_headers(const struct request *request, struct MHD_Response *response)
{
	const struct reply *reply = &request->reply;
	char number[16];
	bool good = add(response, "Content-Type", reply->type != NULL ? reply->type : "application/json");

	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
		good = good && add(response, headers[i].name, headers[i].value);
	if (request->http->tls)
		good = good && add(response, "Strict-Transport-Security", "max-age=31536000");
	if (reply->location[0] != '\0')
		good = good && add(response, "Location", reply->location);
	if (reply->allow != NULL)
		good = good && add(response, "Allow", reply->allow);
	if (reply->ask_for_token)
		good = good && add(response, "WWW-Authenticate", "Bearer") && add(response, "WWW-Authenticate", "Basic realm=\"cards\"");
	if (reply->retry_after_s > 0) {
		snprintf(number, sizeof number, "%d", reply->retry_after_s);
		good = good && add(response, "Retry-After", number);
	}
	return good;
}

static enum MHD_Result answer(struct request *request)
{
	struct reply *reply = &request->reply;
	struct MHD_Response *response = MHD_create_response_from_buffer(reply->len, reply->body, MHD_RESPMEM_MUST_FREE);

	if (response == NULL)
		return MHD_NO;
	reply->body = NULL; /* the response's now */
	enum MHD_Result result = MHD_NO;

	if (add_headers(request, response))
		result = MHD_queue_response(request->connection, (unsigned)reply->status, response);
	MHD_destroy_response(response);
	return result;
}

/* Takes what came of the body. libmicrohttpd's own buffer is cleared by itself when the request is over. */
static enum MHD_Result gather(struct request *request, const char *data, size_t *size)
{
	size_t n = *size;

	*size = 0;
	request->len += n;
	if (request->len <= HTTP_BODY_MAX)
		memcpy(request->body + request->len - n, data, n);
	else
		request->too_big = true;
	return request->len <= DISCARD_MAX_BYTES ? MHD_YES : MHD_NO;
}

/* What the headers say of the body's end. */
struct framing {
	uint64_t length;
	int lengths, codings;
	bool is_odd;
};

static enum MHD_Result look_at_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct framing *framing = cls;

	(void)kind;
	if (strcasecmp(name, "Transfer-Encoding") == 0) {
		framing->codings++;
		framing->is_odd = framing->is_odd || value == NULL || strcasecmp(value, "chunked") != 0;
	} else if (strcasecmp(name, "Content-Length") == 0 && value != NULL) {
		framing->lengths++;
		framing->length = strtoull(value, NULL, 10);
	}
	return MHD_YES;
}

/* What is not waited for is answered at once, and the connection closed. A proxy in front may find another end of a request with both
 * headers, or with one of them twice, and take the rest for another caller's (RFC 9112 section 11.2). */
static void look_at_framing(struct request *request)
{
	struct framing framing = { 0 };

	MHD_get_connection_values(request->connection, MHD_HEADER_KIND, look_at_header, &framing);
	request->malformed = framing.is_odd || framing.codings + framing.lengths > 1;
	request->too_big = request->too_big || framing.length > DISCARD_MAX_BYTES;
	request->at_once = request->malformed || framing.length > DISCARD_MAX_BYTES;
}

static struct request *begin(struct http *http, struct MHD_Connection *connection, const char *url, const char *method)
{
	struct request *request = calloc(1, sizeof *request);

	if (request == NULL)
		return NULL;
	request->http = http;
	request->connection = connection;
	request->method = strcmp(method, "HEAD") == 0 ? "GET" : method;
	request->too_big = strlen(url) >= sizeof request->path;
	if (!request->too_big)
		strcpy(request->path, url);
	look_at_framing(request);
	atomic_fetch_add(&http->under_way, 1);
	return request;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
				  const char *data, size_t *size, void **state)
{
	struct http *http = cls;
	struct request *request = *state;

	(void)version;
	if (request == NULL) {
		request = *state = begin(http, connection, url, method);
		if (request == NULL)
			return MHD_NO;
		if (!request->at_once)
			return MHD_YES;
	}
	if (*size > 0)
		return gather(request, data, size);
	if (!request->handled) {
		request->handled = true;
		http->handler(http->app, request);
		if (request->suspended)
			return MHD_YES; /* called again when it is resumed: the reply is the other thread's until then */
	}
	return answer(request);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
	struct http *http = cls;
	struct request *request = *state;

	(void)connection;
	(void)code;
	if (request == NULL)
		return;
	free(request->reply.body);
	free(request->extra);
	free(request);
	*state = NULL;
	atomic_fetch_sub(&http->under_way, 1);
}

/* Nothing in a target of ours needs decoding, and what is not decoded cannot turn into something else. */
static size_t leave_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

/* libmicrohttpd's own messages can quote a request. */
static void say_nothing(void *cls, const char *format, va_list args)
{
	(void)cls;
	(void)format;
	(void)args;
}

/* GnuTLS allocates for each record that it sends room for the largest one, which here is also cleared when it is freed: 16 KB for an answer of
 * some hundred bytes. */
static void on_connection(void *cls, struct MHD_Connection *connection, void **state, enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	(void)cls;
	(void)state;
	if (code == MHD_CONNECTION_NOTIFY_STARTED && info != NULL && info->tls_session != NULL)
		gnutls_record_set_max_size(info->tls_session, RECORD_BYTES);
}

static enum card_err start(struct http *http, int fd, const char *cert, const char *key)
{
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
		{ MHD_OPTION_END, 0, NULL },
	};

	http->tls = cert != NULL;
	http->daemon = MHD_start_daemon(flags | (http->tls ? MHD_USE_TLS : 0), 0, NULL, NULL, on_request, http,
					MHD_OPTION_STRICT_FOR_CLIENT, 1,
					MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
					MHD_OPTION_LISTEN_SOCKET, fd,
					MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
					MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
					MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
					MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
					MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL,
					MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
					MHD_OPTION_ARRAY, http->tls ? tls : &tls[3],
					MHD_OPTION_END);
	if (http->daemon != NULL)
		return CARD_OK;
	log_line("the server could not be started: are certificate and key PEM, and do they belong together?");
	return CARD_E_CONFIG;
}

enum card_err http_start(const struct settings *settings, http_handler *handler, void *app, struct http **out)
{
	char *cert CLEANUP(wipe_free_text) = NULL, *key CLEANUP(wipe_free_text) = NULL;
	bool tls = settings->tls_cert != NULL && settings->tls_key != NULL;
	int fd;

	if (tls)
		TRY(listen_read_file(settings->tls_cert, FILE_MAX_BYTES, &cert));
	if (tls)
		TRY(listen_read_file(settings->tls_key, FILE_MAX_BYTES, &key));
	TRY(listen_open(settings->listen, &fd));
	struct http *http = calloc(1, sizeof *http);

	if (http == NULL) {
		close(fd);
		return CARD_E_MEMORY;
	}
	http->handler = handler;
	http->app = app;
	if (start(http, fd, cert, key) != CARD_OK) {
		close(fd);
		free(http);
		return CARD_E_CONFIG;
	}
	log_line("listening on %s://%s", tls ? "https" : "http", settings->listen);
	*out = http;
	return CARD_OK;
}

void http_stop(struct http *http)
{
	int64_t end = clock_ms() + STOP_MS;
	int fd = MHD_quiesce_daemon(http->daemon);

	while (atomic_load(&http->under_way) > 0 && clock_ms() < end)
		sleep_ms(10);
	MHD_stop_daemon(http->daemon);
	if (fd >= 0)
		close(fd);
	free(http);
}

void http_suspend(struct request *request)
{
	request->suspended = true;
	MHD_suspend_connection(request->connection);
}

void http_resume(struct request *request)
{
	MHD_resume_connection(request->connection);
}

const char *http_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_parameter(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}
