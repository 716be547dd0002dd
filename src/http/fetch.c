/* fetch.c: the server's own requests to others, by libcurl: one handle a request. Threads: any that may wait. */
#include "http/fetch.h"
#include "http/fetch_trust.h"

#include <curl/curl.h>
#include <pthread.h>
#include <unistd.h>

#define MAX_REDIRECTS 3L
#define MAX_URL 4096

/* What comes in, in the arena. */
struct receipt {
	struct bulla_arena *arena;
	uint8_t *ptr;
	size_t len, cap, max;
	bool too_large;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode started;

static void start(void)
{
	started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t receive(char *data, size_t one, size_t n, void *context)
{
	struct receipt *r = context;

	(void)one; /* is 1 */
	if (n > r->max - r->len) {
		r->too_large = true;
		return 0;
	}
	if (r->len + n > r->cap) {
		size_t cap = (r->len + n) * 2;
		uint8_t *grown = bulla_arena_alloc(r->arena, cap);

		if (grown == NULL)
			return 0;
		if (r->len > 0)
			memcpy(grown, r->ptr, r->len);
		r->ptr = grown;
		r->cap = cap;
	}
	memcpy(r->ptr + r->len, data, n);
	r->len += n;
	return n;
}

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool set_options(CURL *curl, const char *url, const struct bulla_fetch_args *args, struct receipt *receipt, char *reason,
			int *ca_file)
{
	const char *protocols = begins(url, "https://") ? "https" : "http,https";

	return curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, protocols) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, protocols) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_MAXREDIRS, MAX_REDIRECTS) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK && /* else its end waits for the resolver, whatever the limit */
	       curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)args->timeout_ms) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, receipt) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_USERAGENT, "bulla") == CURLE_OK &&
	       (args->ca_pem.len == 0 || (fetch_trust_only(curl, args->ca_pem, ca_file) && fetch_trust_by_signature(curl)));
}

static void close_file(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static enum bulla_err perform(CURL *curl, struct bulla_call *call, const char *url, const struct bulla_fetch_args *args,
			      struct receipt *receipt)
{
	char reason[CURL_ERROR_SIZE] = "";
	int ca_file BULLA_CLEANUP(close_file) = -1;
	long status = 0;

	if (!set_options(curl, url, args, receipt, reason, &ca_file))
		return bulla_fail(call, BULLA_E_FAILED, "the HTTP client could not be set up: %s", reason);
	CURLcode code = curl_easy_perform(curl);

	if (receipt->too_large)
		return bulla_fail(call, BULLA_E_FAILED, "the document is larger than %zu bytes", receipt->max);
	if (code != CURLE_OK)
		return bulla_fail(call, BULLA_E_FAILED, "%s", reason[0] != 0 ? reason : curl_easy_strerror(code));
	if (curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK || status != 200)
		return bulla_fail(call, BULLA_E_FAILED, "the server answered with status %ld", status);
	return BULLA_OK;
}

/* A user name or password in the URL would be told in errors and logs. */
static bool is_plain(struct bulla_bytes url)
{
	return url.len > 0 && url.len < MAX_URL && memchr(url.ptr, 0, url.len) == NULL && memchr(url.ptr, '@', url.len) == NULL;
}

enum bulla_err http_fetch(void *context, struct bulla_call *call, const struct bulla_fetch_args *args, struct bulla_bytes *out)
{
	struct receipt receipt = { .arena = call->arena, .max = args->max_bytes };
	struct bulla_bytes url = bulla_arena_copy(call->arena, args->url);

	(void)context;
	if (!call->may_block)
		return BULLA_E_MUST_BLOCK;
	pthread_once(&once, start);
	if (url.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	const char *text = (const char *)url.ptr;

	if (!is_plain(url) || (!begins(text, "https://") && !begins(text, "http://")))
		return bulla_fail(call, BULLA_E_FAILED, "the URL begins neither with https:// nor http://, or holds credentials");
	CURL *curl = started == CURLE_OK ? curl_easy_init() : NULL;

	if (curl == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = perform(curl, call, text, args, &receipt);

	curl_easy_cleanup(curl);
	if (err == BULLA_OK)
		*out = bulla_mem(receipt.ptr, receipt.len);
	return err;
}
