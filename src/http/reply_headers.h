/* reply_headers.h: what a listener's custom_response_headers add to replies, by status. Knows no HTTP library.
 * Immutable: any thread. */
#ifndef BULLA_HTTP_REPLY_HEADERS_H
#define BULLA_HTTP_REPLY_HEADERS_H

#include <bulla.h>

#define STRICT_TRANSPORT "Strict-Transport-Security"
#define STRICT_TRANSPORT_VALUE "max-age=31536000; includeSubDomains"

struct reply_header {
	const char *name, *value; /* "X-Frame-Options", in this case of letters; a value without control characters */
};

/* Headers for replies of a status from first to last. */
struct reply_rule {
	int first, last;
	const struct reply_header *headers;
	size_t count;
};

/* The most general rule first: where several name the same header, the last one counts, and all of them come before
 * what the server itself says. */
struct reply_headers {
	const struct reply_rule *rules;
	size_t count;
};

/* A copy in one piece, for free(). NULL: no memory. */
struct reply_headers *reply_headers_copy(const struct reply_headers *headers);

/* Whether a reply of some status has such a header, of any case. headers NULL: what a listener sends without any
 * settings. */
bool reply_headers_have(const struct reply_headers *headers, struct bulla_bytes name);

#endif
