/* client.c: owns a connection to one server, and the bytes of one request and its answer. The only file that knows <curl/curl.h>. libcurl
 * connects and checks the certificate (CURLOPT_CONNECT_ONLY); the request is written and the answer read here, which takes a
 * fifth of the time of curl_easy_perform. One thread a client. What is freed is wiped (wipe.c), the two buffers before each request. */
#define _GNU_SOURCE
#include "client.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "response.h"
#include "vault.h"
#include "wipe.h"

#define ANSWER_MAX_BYTES (RESPONSE_HEAD_MAX_BYTES + 2 * RESPONSE_BODY_MAX_BYTES) /* with the lines between chunks */
#define READ_BYTES (16 * 1024)                                                   /* what TLS has at most in one record */
#define CONNECT_TIMEOUT_MS 2000L
#define HEAD_SIZE 2048
#define HOST_SIZE 300
#define PREFIX_SIZE 512

struct bytes {
	char *text;
	size_t len, size;
};

struct client {
	struct client_config config;
	CURL *curl;               /* NULL: not connected */
	curl_socket_t socket;
	bool used;                /* this connection has served a request */
	int64_t end_ms;           /* of the request under way */
	char host[HOST_SIZE];     /* of the header */
	char prefix[PREFIX_SIZE]; /* of the path */
	struct bytes out, in;
	char reason[CURL_ERROR_SIZE];
};

enum card_err client_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? CARD_OK : CARD_E_MEMORY;
}

/* Forgets what was there. */
static void bytes_wipe(struct bytes *bytes)
{
	if (bytes->text != NULL)
		wipe(bytes->text, bytes->len);
	bytes->len = 0;
}

static enum card_err bytes_reserve(struct bytes *bytes, size_t more)
{
	if (bytes->len + more <= bytes->size)
		return CARD_OK;
	size_t size = 2 * (bytes->len + more);
	char *text = realloc(bytes->text, size);

	if (text == NULL)
		return CARD_E_MEMORY;
	bytes->text = text;
	bytes->size = size;
	return CARD_OK;
}

struct client *client_new(const struct client_config *config)
{
	struct client *client = calloc(1, sizeof *client);

	if (client != NULL)
		client->config = *config;
	return client;
}

static void disconnect(struct client *client)
{
	curl_easy_cleanup(client->curl);
	client->curl = NULL;
	client->used = false;
}

void client_free(struct client *client)
{
	if (client == NULL)
		return;
	disconnect(client);
	free(client->in.text);
	free(client->out.text);
	free(client);
}

/* The reason is reason, or else libcurl's for code. */
static enum card_err fail(struct client *client, const char *reason, CURLcode code)
{
	if (reason != NULL)
		snprintf(client->reason, sizeof client->reason, "%s", reason);
	else if (client->reason[0] == '\0')
		snprintf(client->reason, sizeof client->reason, "%s", curl_easy_strerror(code));
	return CARD_E_UNAVAILABLE;
}

/* ---- connecting ---------------------------------------------------------------- */

static bool copy_part(CURLU *url, CURLUPart part, char *out, size_t size)
{
	char *text = NULL;
	CURLUcode code = curl_url_get(url, part, &text, 0);
	bool good = code == CURLUE_OK && snprintf(out, size, "%s", text) < (int)size;

	curl_free(text);
	return good;
}

/* https://host:port/prefix/ */
static bool read_base(struct client *client)
{
	char port[16] = "";
	CURLU *url = curl_url();
	bool good = url != NULL && curl_url_set(url, CURLUPART_URL, client->config.base, 0) == CURLUE_OK &&
		    copy_part(url, CURLUPART_HOST, client->host, sizeof client->host) &&
		    copy_part(url, CURLUPART_PATH, client->prefix, sizeof client->prefix);
	size_t n = strlen(client->host), end = strlen(client->prefix);

	if (good && copy_part(url, CURLUPART_PORT, port, sizeof port))
		good = snprintf(client->host + n, sizeof client->host - n, ":%s", port) < (int)(sizeof client->host - n);
	while (end > 0 && client->prefix[end - 1] == '/')
		client->prefix[--end] = '\0';
	curl_url_cleanup(url);
	return good;
}

static bool set_options(struct client *client)
{
	const struct client_config *config = &client->config;
	CURL *curl = client->curl;

	return curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->reason) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_URL, config->base) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, config->plain_http ? "http,https" : "https") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
	       (config->ca_file == NULL || curl_easy_setopt(curl, CURLOPT_CAINFO, config->ca_file) == CURLE_OK) &&
	       (config->ca_file == NULL || curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK) &&
	       curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, config->timeout_ms) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) == CURLE_OK;
}

/* A handle of its own for each connection: with it everything goes that belongs to the one before. */
static enum card_err connect_to(struct client *client)
{
	disconnect(client);
	client->reason[0] = '\0';
	client->curl = curl_easy_init();
	if (client->curl == NULL || !set_options(client))
		return fail(client, "libcurl could not be set up", CURLE_OK);
	if (!read_base(client))
		return fail(client, "the server's address is not a URL", CURLE_OK);
	CURLcode code = curl_easy_perform(client->curl);

	if (code == CURLE_OK)
		code = curl_easy_getinfo(client->curl, CURLINFO_ACTIVESOCKET, &client->socket);
	if (code == CURLE_OK && client->socket != CURL_SOCKET_BAD)
		return CARD_OK;
	disconnect(client);
	return fail(client, NULL, code);
}

static int wait_for(struct client *client, short events, int64_t ms)
{
	struct pollfd it = { .fd = client->socket, .events = events };
	int n = poll(&it, 1, ms > 0 ? (int)ms : 0);

	return n < 0 && errno == EINTR ? 1 : n; /* then it is tried, and waited for again */
}

/* Whether nothing has come since the last answer: neither the end of the connection nor bytes that nobody asked for. (TLS has messages of
 * its own: they can be read, and give nothing.) */
static bool is_quiet(struct client *client)
{
	char byte;
	size_t n;

	return wait_for(client, POLLIN, 0) == 0 || curl_easy_recv(client->curl, &byte, 1, &n) == CURLE_AGAIN;
}

/* ---- a request ----------------------------------------------------------------- */

/* Nothing in it can end a line: what would is no header and no target of ours. */
static bool is_line(const char *text, const char *also_not)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f || strchr(also_not, *text) != NULL)
			return false;
	return true;
}

static enum card_err print_request(struct client *client, const char *method, const char *path, const char *header, const char *json)
{
	char head[HEAD_SIZE];
	size_t body = json != NULL ? strlen(json) : 0;
	int n;

	if (!is_line(path, " ") || (header != NULL && !is_line(header, "")))
		return fail(client, "the request could not be made", CURLE_OK);
	n = snprintf(head, sizeof head, "%s %s%s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n%s%s", method, client->prefix, path, client->host,
		     header != NULL ? header : "", header != NULL ? "\r\n" : "");
	if (n < (int)sizeof head && json != NULL)
		n += snprintf(head + n, sizeof head - (size_t)n, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body);
	if (n >= (int)sizeof head)
		return fail(client, "the request could not be made", CURLE_OK);
	bytes_wipe(&client->out);
	TRY(bytes_reserve(&client->out, (size_t)n + body + 3));
	char *at = mempcpy(client->out.text, head, (size_t)n);

	wipe(head, sizeof head);
	at = mempcpy(at, "\r\n", 2);
	at = mempcpy(at, json != NULL ? json : "", body);
	client->out.len = (size_t)(at - client->out.text);
	return CARD_OK;
}

static enum card_err write_all(struct client *client)
{
	for (size_t at = 0; at < client->out.len;) {
		size_t n = 0;
		CURLcode code = curl_easy_send(client->curl, client->out.text + at, client->out.len - at, &n);

		at += n;
		if (code == CURLE_AGAIN && wait_for(client, POLLOUT, client->end_ms - clock_ms()) <= 0)
			return fail(client, "no answer in time", CURLE_OK);
		if (code != CURLE_OK && code != CURLE_AGAIN)
			return fail(client, NULL, code);
	}
	return CARD_OK;
}

/* What is there; n = 0: the connection's end. */
static enum card_err read_some(struct client *client, size_t *n)
{
	struct bytes *in = &client->in;

	TRY(bytes_reserve(in, READ_BYTES));
	for (;;) {
		CURLcode code = curl_easy_recv(client->curl, in->text + in->len, in->size - in->len, n);

		if (code == CURLE_OK) {
			in->len += *n;
			return CARD_OK;
		}
		if (code != CURLE_AGAIN)
			return fail(client, NULL, code);
		if (wait_for(client, POLLIN, client->end_ms - clock_ms()) <= 0)
			return fail(client, "no answer in time", CURLE_OK);
	}
}

static enum card_err read_answer(struct client *client, struct response *out)
{
	enum response_state state = RESPONSE_MORE;
	size_t n;

	while (state == RESPONSE_MORE && client->in.len <= ANSWER_MAX_BYTES) {
		TRY(read_some(client, &n));
		state = response_read(client->in.text, client->in.len, n == 0, out);
	}
	if (state == RESPONSE_DONE)
		return CARD_OK;
	return fail(client, client->in.len == 0 ? "the connection was closed" : "the answer makes no sense", CURLE_OK);
}

/* After err. A connection that has served may be closed by the server just when it is used again: then the request goes out on another, once. */
static enum card_err write_again(struct client *client, enum card_err err)
{
	if (!client->used || client->in.len > 0 || clock_ms() >= client->end_ms)
		return err;
	TRY(connect_to(client));
	return write_all(client);
}

static enum card_err ask(struct client *client)
{
	enum card_err err = write_all(client);

	return err == CARD_OK ? CARD_OK : write_again(client, err);
}

static enum card_err hear(struct client *client, struct response *out)
{
	enum card_err err = read_answer(client, out);

	if (err == CARD_OK)
		return CARD_OK;
	TRY(write_again(client, err));
	return read_answer(client, out);
}

static enum card_err begin(struct client *client, const char *method, const char *path, const char *header, const char *json)
{
	client->end_ms = clock_ms() + client->config.timeout_ms;
	client->reason[0] = '\0';
	if (client->curl == NULL || !is_quiet(client))
		TRY(connect_to(client));
	TRY(print_request(client, method, path, header, json));
	bytes_wipe(&client->in);
	return ask(client);
}

/* What comes of a request. Its bytes are wiped in any case, a connection on which something failed serves no other. */
static enum card_err end(struct client *client, enum card_err err, char error[CLIENT_ERROR_SIZE])
{
	bytes_wipe(&client->out);
	if (err == CARD_OK)
		return CARD_OK;
	disconnect(client);
	snprintf(error, CLIENT_ERROR_SIZE, "%s", client->reason[0] != '\0' ? client->reason : card_err_text(err));
	return err;
}

enum card_err client_begin(struct client *client, const char *method, const char *path, const char *header, const char *json,
			   char error[CLIENT_ERROR_SIZE])
{
	enum card_err err = begin(client, method, path, header, json);

	return err == CARD_OK ? CARD_OK : end(client, err, error);
}

enum card_err client_end(struct client *client, struct client_answer *answer, char error[CLIENT_ERROR_SIZE])
{
	struct response got;

	TRY(end(client, hear(client, &got), error));
	client->used = got.keep;
	if (!got.keep)
		disconnect(client);
	*answer = (struct client_answer){ got.status, got.body, got.len };
	return CARD_OK;
}

enum card_err client_send(struct client *client, const char *method, const char *path, const char *header, const char *json,
			  struct client_answer *answer, char error[CLIENT_ERROR_SIZE])
{
	TRY(client_begin(client, method, path, header, json, error));
	return client_end(client, answer, error);
}
