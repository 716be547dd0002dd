/* client.c: owns the libcurl handle, the request's headers and the answer's bytes, all wiped when freed. One thread. The token
 * goes into a header only: never into an argument, a URL or a message. */
#include "commands/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "commands/client_trust.h"
#include "http/fetch_trust.h"

#define USER_AGENT "bulla"
#define OWN_PREFIX "X-Vault-"
#define TIMEOUT_S 120L
#define CONNECT_TIMEOUT_S 30L
#define HURRY_S 2L

struct client {
	CURL *curl;
	struct curl_slist *headers, *patch_headers; /* that differ in the type of what is sent */
	char *base;        /* no slash at the end */
	char *named_base;  /* with the name of the server's certificate; NULL: it is the address's */
	struct curl_slist *connect_to;
	int ca_file;       /* of fetch_trust_only; -1: none */
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

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
	size_t n = strlen(name) + strlen(value) + 3;
	char *line = bulla_wiping_malloc(n);

	if (line == NULL)
		return false;
	snprintf(line, n, "%s: %s", name, value);
	struct curl_slist *headers = curl_slist_append(*list, line);

	bulla_wiping_free(line);
	if (headers == NULL)
		return false;
	*list = headers;
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

/* Nothing that would end the line. NULL and "" add nothing. */
static bool add_checked(struct curl_slist **list, const char *name, const char *value, const char *what, char error[CLIENT_ERROR_MAX])
{
	if (value == NULL || value[0] == '\0')
		return true;
	if (!is_printable(value)) {
		snprintf(error, CLIENT_ERROR_MAX, "%s contains non-printable characters", what);
		return false;
	}
	return add_header(list, name, value);
}

/* Letters, digits and what else a token of RFC 9110 may have. */
static bool is_header_name(const char *text, size_t len)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < len; i++)
		if (!((text[i] >= '0' && text[i] <= '9') || ((text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z') ||
		      (text[i] != '\0' && strchr(others, text[i]) != NULL)))
			return false;
	return len > 0;
}

/* "name=value". */
static bool add_pair(struct curl_slist **list, const char *pair, char error[CLIENT_ERROR_MAX])
{
	size_t len = strcspn(pair, "=");
	char name[128];

	if (pair[len] != '=' || len >= sizeof name || !is_header_name(pair, len)) {
		snprintf(error, CLIENT_ERROR_MAX, "a -header is no header: name=value is expected");
		return false;
	}
	memcpy(name, pair, len);
	name[len] = '\0';
	if (strncasecmp(name, OWN_PREFIX, strlen(OWN_PREFIX)) == 0) {
		snprintf(error, CLIENT_ERROR_MAX, "failed to setup Headers[%s]: Header starting by 'X-Vault-' are for internal usage only", name);
		return false;
	}
	return add_checked(list, name, pair + len + 1, "a -header", error);
}

static bool set_headers(struct curl_slist **list, const char *type, const struct client_config *config, char error[CLIENT_ERROR_MAX])
{
	snprintf(error, CLIENT_ERROR_MAX, "out of memory");
	bool good = add_header(list, "X-Vault-Request", "true") && add_header(list, "Content-Type", type) &&
		    add_checked(list, "X-Vault-Token", config->token, "the configured token", error) &&
		    add_checked(list, "X-Vault-Namespace", config->namespace_, "the namespace", error) &&
		    add_checked(list, "X-Vault-Wrap-TTL", config->wrap_ttl, "the wrap TTL", error) &&
		    add_checked(list, "X-Vault-MFA", config->mfa, "the MFA credentials", error) &&
		    add_checked(list, "X-Vault-Policy-Override", config->policy_override ? "true" : NULL, "", error);

	for (size_t i = 0; good && i < config->header_count; i++)
		good = add_pair(list, config->headers[i], error);
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

static bool set_trust(struct client *client, const struct client_config *config, char error[CLIENT_ERROR_MAX])
{
	char *pem;

	if (!client_trust_check_own(config, error) || !client_trust_read(config, &pem, error))
		return false;
	bool good = pem == NULL || fetch_trust_only(client->curl, bulla_str(pem), &client->ca_file);

	bulla_wiping_free(pem);
	return good;
}

/* libcurl takes the name from the URL: so the URL gets this one, and the connection goes where the address says. */
static bool set_server_name(struct client *client, const char *name)
{
	if (name == NULL || name[0] == '\0' || !starts_with(client->base, "https://"))
		return true;
	const char *authority = client->base + strlen("https://");
	size_t len = strcspn(authority, "/");
	const char *colon = NULL;

	for (size_t i = 0; i < len; i++)
		colon = authority[i] == ':' && memchr(authority + i, ']', len - i) == NULL ? authority + i : colon;
	size_t host_len = colon != NULL ? (size_t)(colon - authority) : len, n = len + strlen(name) + 16;
	char *to = bulla_wiping_malloc(n), *base = bulla_wiping_malloc(strlen(client->base) + n);

	if (to == NULL || base == NULL) {
		bulla_wiping_free(to);
		bulla_wiping_free(base);
		return false;
	}
	const char *port = colon != NULL ? colon + 1 : "443";
	int port_len = colon != NULL ? (int)(len - host_len - 1) : 3;

	snprintf(to, n, "::%.*s:%.*s", (int)host_len, authority, port_len, port); /* any name and port: to this host and port */
	snprintf(base, strlen(client->base) + n, "https://%s:%.*s%s", name, port_len, port, authority + len);
	client->connect_to = curl_slist_append(NULL, to);
	bulla_wiping_free(to);
	client->named_base = base;
	return client->connect_to != NULL && curl_easy_setopt(client->curl, CURLOPT_CONNECT_TO, client->connect_to) == CURLE_OK;
}

static bool set_options(struct client *client, const struct client_config *config)
{
	CURL *curl = client->curl;
	long verify = config->tls_skip_verify ? 0 : 1;

	return curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->reason) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, client) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TIMEOUT, config->hurries ? HURRY_S : TIMEOUT_S) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, config->hurries ? HURRY_S : CONNECT_TIMEOUT_S) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, verify) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, verify * 2) == CURLE_OK &&
	       set_text(curl, CURLOPT_SSLCERT, config->client_cert) && set_text(curl, CURLOPT_SSLKEY, config->client_key) &&
	       set_server_name(client, config->tls_server_name);
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
	client->ca_file = -1;
	client->curl = curl_easy_init();
	if (client->curl == NULL || !set_address(client, config->address, error) || !set_headers(&client->headers, "application/json", config, error) ||
	    !set_headers(&client->patch_headers, "application/merge-patch+json", config, error) ||
	    !set_trust(client, config, error) || !set_options(client, config)) {
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
	if (client->ca_file >= 0)
		close(client->ca_file);
	curl_slist_free_all(client->headers);
	curl_slist_free_all(client->patch_headers);
	curl_slist_free_all(client->connect_to);
	bulla_wiping_free(client->named_base);
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
	const char *base = client->named_base != NULL ? client->named_base : client->base;
	size_t n = strlen(base) + strlen(target) + 1;
	char *url = bulla_wiping_malloc(n);

	if (url == NULL)
		return false;
	snprintf(url, n, "%s%s", base, target);
	struct curl_slist *headers = strcmp(method, "PATCH") == 0 ? client->patch_headers : client->headers;
	bool good = curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK;

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
