/* client.c: owns the libcurl handle, the request's headers and the answer's bytes, all wiped when freed. One thread. The token
 * goes into a header only: never into an argument, a URL or a message. */
#include "commands/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#define USER_AGENT "bulla"
#define TIMEOUT_S 120L
#define CONNECT_TIMEOUT_S 30L

struct client {
	CURL *curl;
	struct curl_slist *headers;
	char *base;        /* no slash at the end */
	char *body;
	size_t len, size;
	bool too_big;
	char reason[CURL_ERROR_SIZE];
};

static char *wiping_strdup(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = bulla_wiping_malloc(n);

	return copy != NULL ? memcpy(copy, text, n) : NULL;
}

static void *wiping_calloc(size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	void *p = bulla_wiping_malloc(count * size);

	return p != NULL ? memset(p, 0, count * size) : NULL;
}

static size_t receive(char *data, size_t one, size_t n, void *cls)
{
	struct client *client = cls;

	if (n > CLIENT_ANSWER_MAX_BYTES - client->len) {
		client->too_big = true;
		return 0;
	}
	if (client->len + n > client->size) {
		size_t size = (client->len + n) * 2;
		char *body = bulla_wiping_realloc(client->body, size);

		if (body == NULL)
			return 0;
		client->body = body;
		client->size = size;
	}
	memcpy(client->body + client->len, data, n);
	client->len += n;
	return n * one;
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* A proxy has no business between a person and a server on the same machine, and libcurl would ask it all the same. */
static bool is_loopback(const char *base)
{
	static const char *const hosts[] = { "localhost", "127.", "[::1]" };
	const char *host = strstr(base, "://") + 3;

	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
		if (starts_with(host, hosts[i]))
			return true;
	return false;
}

static bool add_header(struct client *client, const char *name, const char *value)
{
	size_t n = strlen(name) + strlen(value) + 3;
	char *line = bulla_wiping_malloc(n);

	if (line == NULL)
		return false;
	snprintf(line, n, "%s: %s", name, value);
	struct curl_slist *headers = curl_slist_append(client->headers, line);

	bulla_wiping_free(line);
	if (headers == NULL)
		return false;
	client->headers = headers;
	return true;
}

/* A line break in a header's value would let it add headers of its own. */
static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool set_headers(struct client *client, const struct client_config *config, char error[CLIENT_ERROR_MAX])
{
	if (config->token != NULL && !is_printable(config->token)) {
		snprintf(error, CLIENT_ERROR_MAX, "the configured token contains non-printable characters");
		return false;
	}
	if (config->namespace_ != NULL && !is_printable(config->namespace_)) {
		snprintf(error, CLIENT_ERROR_MAX, "the namespace contains non-printable characters");
		return false;
	}
	bool good = add_header(client, "X-Vault-Request", "true") && add_header(client, "Content-Type", "application/json");

	if (config->token != NULL && config->token[0] != '\0')
		good = good && add_header(client, "X-Vault-Token", config->token);
	if (config->namespace_ != NULL && config->namespace_[0] != '\0')
		good = good && add_header(client, "X-Vault-Namespace", config->namespace_);
	if (!good)
		snprintf(error, CLIENT_ERROR_MAX, "out of memory");
	return good;
}

static bool set_address(struct client *client, const char *address, char error[CLIENT_ERROR_MAX])
{
	const char *socket = starts_with(address, "unix://") ? address + strlen("unix://") : NULL;

	if (socket == NULL && !starts_with(address, "http://") && !starts_with(address, "https://")) {
		snprintf(error, CLIENT_ERROR_MAX, "address \"%s\" begins neither with http:// nor https:// nor unix://", address);
		return false;
	}
	client->base = wiping_strdup(socket != NULL ? "http://localhost" : address);
	if (client->base == NULL)
		return false;
	for (size_t n = strlen(client->base); n > 0 && client->base[n - 1] == '/'; n--)
		client->base[n - 1] = '\0';
	if (strstr(client->base, "://") == NULL) {
		snprintf(error, CLIENT_ERROR_MAX, "address \"%s\" names no host", address);
		return false;
	}
	if (socket != NULL)
		return curl_easy_setopt(client->curl, CURLOPT_UNIX_SOCKET_PATH, socket) == CURLE_OK;
	if (is_loopback(client->base))
		return curl_easy_setopt(client->curl, CURLOPT_PROXY, "") == CURLE_OK;
	return true;
}

static bool set_text(CURL *curl, CURLoption option, const char *value)
{
	return value == NULL || value[0] == '\0' || curl_easy_setopt(curl, option, value) == CURLE_OK;
}

static bool set_options(struct client *client, const struct client_config *config)
{
	CURL *curl = client->curl;
	long verify = config->tls_skip_verify ? 0 : 1;

	return curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->reason) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, client) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, verify) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, verify * 2) == CURLE_OK &&
	       set_text(curl, CURLOPT_CAINFO, config->ca_cert) && set_text(curl, CURLOPT_CAPATH, config->ca_path) &&
	       set_text(curl, CURLOPT_SSLCERT, config->client_cert) && set_text(curl, CURLOPT_SSLKEY, config->client_key);
}

struct client *client_new(const struct client_config *config, char error[CLIENT_ERROR_MAX])
{
	snprintf(error, CLIENT_ERROR_MAX, "the HTTP client could not be set up");
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, bulla_wiping_malloc, bulla_wiping_free, bulla_wiping_realloc, wiping_strdup,
				 wiping_calloc) != CURLE_OK)
		return NULL;
	struct client *client = wiping_calloc(1, sizeof *client);

	if (client == NULL)
		return NULL;
	client->curl = curl_easy_init();
	if (client->curl == NULL || !set_address(client, config->address, error) || !set_headers(client, config, error) ||
	    !set_options(client, config)) {
		client_free(client);
		return NULL;
	}
	return client;
}

void client_free(struct client *client)
{
	if (client == NULL)
		return;
	curl_easy_cleanup(client->curl);
	curl_slist_free_all(client->headers);
	bulla_wiping_free(client->base);
	bulla_wiping_free(client->body);
	bulla_wiping_free(client);
	curl_global_cleanup();
}

const char *client_base(const struct client *client)
{
	return client->base;
}

static bool set_request(struct client *client, const char *method, const char *target, struct bulla_bytes body)
{
	CURL *curl = client->curl;
	size_t n = strlen(client->base) + strlen(target) + 1;
	char *url = bulla_wiping_malloc(n);

	if (url == NULL)
		return false;
	snprintf(url, n, "%s%s", client->base, target);
	bool good = curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK;

	bulla_wiping_free(url);
	if (body.ptr == NULL) {
		good = good && curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	} else {
		good = good && curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
		       curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) == CURLE_OK &&
		       curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)body.ptr) == CURLE_OK;
	}
	return good && curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
}

bool client_send(struct client *client, const char *method, const char *target, struct bulla_bytes body,
		 struct client_answer *answer, char error[CLIENT_ERROR_MAX])
{
	long status = 0;

	client->len = 0;
	client->too_big = false;
	client->reason[0] = '\0';
	if (!set_request(client, method, target, body)) {
		snprintf(error, CLIENT_ERROR_MAX, "the HTTP client could not be set up");
		return false;
	}
	CURLcode code = curl_easy_perform(client->curl);

	if (code == CURLE_OK)
		code = curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK) {
		const char *reason = client->reason[0] != '\0' ? client->reason : curl_easy_strerror(code);

		snprintf(error, CLIENT_ERROR_MAX, "%s", client->too_big ? "the answer is too long" : reason);
		return false;
	}
	answer->status = (int)status;
	answer->body = bulla_mem(client->body, client->len);
	return true;
}
