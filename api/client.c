/* client.c: owns a libcurl handle and the answer's bytes. The only file that knows <curl/curl.h>. One thread a client. What libcurl
 * frees is wiped (wipe.c); the answer's buffer is wiped before each request. */
#include "client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wipe.h"

#define ANSWER_MAX_BYTES (8 * 1024 * 1024)
#define CONNECT_TIMEOUT_MS 2000L
#define URL_SIZE 1024

struct client {
	CURL *curl;
	const char *base;
	char *body;
	size_t len, size;
	char reason[CURL_ERROR_SIZE];
};

enum card_err client_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? CARD_OK : CARD_E_MEMORY;
}

static size_t receive(char *data, size_t one, size_t n, void *cls)
{
	struct client *client = cls;

	(void)one; /* libcurl: always 1 */
	if (n > ANSWER_MAX_BYTES - client->len)
		return 0;
	if (client->len + n + 1 > client->size) {
		size_t size = 2 * (client->len + n + 1);
		char *body = realloc(client->body, size);

		if (body == NULL)
			return 0;
		client->body = body;
		client->size = size;
	}
	memcpy(client->body + client->len, data, n);
	client->len += n;
	client->body[client->len] = '\0';
	return n;
}

static bool set_options(struct client *client, const struct client_config *config)
{
	CURL *curl = client->curl;

	return curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->reason) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, client) == CURLE_OK &&
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

struct client *client_new(const struct client_config *config)
{
	struct client *client = calloc(1, sizeof *client);

	if (client == NULL)
		return NULL;
	client->base = config->base;
	client->curl = curl_easy_init();
	if (client->curl == NULL || !set_options(client, config)) {
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
	free(client->body);
	free(client);
}

static bool add_header(struct curl_slist **headers, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*headers, line);

	if (longer != NULL)
		*headers = longer;
	return longer != NULL;
}

static bool set_request(struct client *client, const char *method, const char *path, const char *json, struct curl_slist *headers)
{
	CURL *curl = client->curl;
	size_t n = strlen(client->base);
	char url[URL_SIZE];

	while (n > 0 && client->base[n - 1] == '/')
		n--;
	if (snprintf(url, sizeof url, "%.*s%s", (int)n, client->base, path) >= (int)sizeof url)
		return false;
	bool good = curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK;

	if (json == NULL)
		good = good && curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	else
		good = good && curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
		       curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(json)) == CURLE_OK &&
		       curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json) == CURLE_OK;
	return good && curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
}

static enum card_err perform(struct client *client, struct client_answer *answer, char error[CLIENT_ERROR_SIZE])
{
	long status = 0;

	client->reason[0] = '\0';
	CURLcode code = curl_easy_perform(client->curl);

	if (code != CURLE_OK) {
		snprintf(error, CLIENT_ERROR_SIZE, "%s", client->reason[0] != '\0' ? client->reason : curl_easy_strerror(code));
		return CARD_E_UNAVAILABLE;
	}
	if (curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
		return CARD_E_UNAVAILABLE;
	*answer = (struct client_answer){ (int)status, client->body != NULL ? client->body : "", client->len };
	return CARD_OK;
}

enum card_err client_send(struct client *client, const char *method, const char *path, const char *header, const char *json,
			  struct client_answer *answer, char error[CLIENT_ERROR_SIZE])
{
	struct curl_slist *headers = NULL;
	enum card_err err = CARD_E_MEMORY;

	if (client->body != NULL)
		wipe(client->body, client->size);
	client->len = 0;
	snprintf(error, CLIENT_ERROR_SIZE, "the request could not be made");
	/* no "Expect: 100-continue": a batch would wait for it */
	if (add_header(&headers, "Content-Type: application/json") && add_header(&headers, "Expect:") &&
	    (header == NULL || add_header(&headers, header)) && set_request(client, method, path, json, headers))
		err = perform(client, answer, error);
	curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, NULL);
	curl_slist_free_all(headers);
	return err;
}
