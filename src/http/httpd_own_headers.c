/* httpd_own_headers.c: owns the headers that a listener's settings add to its replies. Loops read the present ones
 * without a lock; what was replaced lives on until no reply can be reading it. Changed by the main thread. */
#include <stdlib.h>

#include "http/httpd_internal.h"

/* longer than it takes to make the head of a reply */
#define RETIRE_NS (INT64_C(120) * 1000000000)

static void own_headers_free(struct own_headers *headers)
{
	for (struct own_headers *older; headers != NULL; headers = older) {
		older = headers->older;
		free(headers->rules);
		free(headers);
	}
}

static void own_headers_freep(struct own_headers **headers)
{
	own_headers_free(*headers);
}

/* rules NULL: *out becomes NULL, too. */
static enum bulla_err make(const struct reply_headers *rules, struct own_headers **out)
{
	struct own_headers *headers BULLA_CLEANUP(own_headers_freep) =
		rules != NULL ? calloc(1, sizeof *headers) : NULL;

	*out = NULL;
	if (rules == NULL)
		return BULLA_OK;
	if (headers == NULL || (headers->rules = reply_headers_copy(rules)) == NULL)
		return BULLA_E_NO_MEMORY;
	*out = headers;
	headers = NULL;
	return BULLA_OK;
}

enum bulla_err own_headers_open(struct endpoint *endpoint)
{
	struct own_headers *headers;

	TRY(make(endpoint->listener->headers, &headers));
	atomic_store(&endpoint->headers, headers);
	return BULLA_OK;
}

void own_headers_close(struct endpoint *endpoint)
{
	own_headers_free(atomic_load(&endpoint->headers));
	own_headers_free(endpoint->retired);
}

static void replace(struct endpoint *endpoint, struct own_headers *headers)
{
	struct own_headers *old = atomic_exchange(&endpoint->headers, headers), **at = &endpoint->retired;
	int64_t now_ns = bulla_elapsed_ns();

	if (old != NULL) {
		old->retired_ns = now_ns;
		old->older = endpoint->retired;
		endpoint->retired = old;
	}
	while (*at != NULL && now_ns - (*at)->retired_ns < RETIRE_NS)
		at = &(*at)->older; /* the newest comes first */
	own_headers_free(*at);
	*at = NULL;
}

static const struct listener *find(const struct listener *listeners, size_t count, const struct listener *like)
{
	for (size_t i = 0; i < count; i++)
		if (listeners[i].is_unix == like->is_unix && strcmp(listeners[i].address, like->address) == 0)
			return &listeners[i];
	return NULL;
}

enum bulla_err httpd_set_headers(struct httpd *httpd, const struct listener *listeners, size_t count)
{
	enum bulla_err first = BULLA_OK;

	for (size_t i = 0; i < httpd->endpoint_count; i++) {
		struct endpoint *endpoint = &httpd->endpoints[i];
		const struct listener *listener = find(listeners, count, endpoint->listener);
		struct own_headers *headers;

		if (listener == NULL)
			continue;
		enum bulla_err err = make(listener->headers, &headers);

		if (err == BULLA_OK)
			replace(endpoint, headers);
		first = first == BULLA_OK ? err : first;
	}
	return first;
}

bool httpd_sends_header(const void *context, struct bulla_bytes name)
{
	const struct httpd *httpd = context;

	for (size_t i = 0; i < httpd->endpoint_count; i++) {
		const struct own_headers *headers =
			atomic_load_explicit(&httpd->endpoints[i].headers, memory_order_acquire);

		if (reply_headers_have(headers != NULL ? headers->rules : NULL, name))
			return true;
	}
	return false;
}
