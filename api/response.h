/* response.h: an HTTP/1.1 response (RFC 9112), out of the bytes that a connection gave. */
#ifndef CARD_RESPONSE_H
#define CARD_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#define RESPONSE_HEAD_MAX_BYTES (64 * 1024)
#define RESPONSE_BODY_MAX_BYTES (8 * 1024 * 1024)

enum response_state { RESPONSE_MORE, RESPONSE_DONE, RESPONSE_BAD };

struct response {
	int status;
	char *body; /* within the bytes that were read */
	size_t len;
	bool keep;  /* the connection may serve for another request */
};

/* Looks at all that has come so far. MORE: not whole yet, data is as it was; ended says that nothing more comes. DONE: out is set, and if the
 * body came in chunks they have been joined within data. BAD: malformed, ambiguous (two lengths), longer than the limits, or not whole though it ended.
 * Responses 1xx before it are skipped. Not for HEAD. */
enum response_state response_read(char *data, size_t len, bool ended, struct response *out);

#endif
