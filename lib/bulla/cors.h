/* cors.h: which web pages' scripts may call the server (CORS, WHATWG's Fetch standard section 3.2), as OpenBao has it:
 * sys/config/cors. Off at first. What was set stays while the store is sealed. */
#ifndef BULLA_CORS_H
#define BULLA_CORS_H

#include "call.h"

BULLA_DECLS_BEGIN

struct bulla;

struct bulla_cors_config {
	bool enabled;
	const struct bulla_bytes *origins; /* "https://app.example"; "*" alone: all */
	size_t origin_count;
	const struct bulla_bytes *headers; /* that requests may have; in a write: beside the standard ones */
	size_t header_count;
	bool credentials;                  /* the browser may send those it has */
};

/* In the arena; headers with the standard ones. Never blocks. STORE_DAMAGED: what is stored cannot be read, so that it
 * is off; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_cors_read(struct bulla *engine, struct bulla_call *call,
					      struct bulla_cors_config *out);

/* Durable when it returns. INVALID_500 with OpenBao's texts: no origin, or others beside "*"; INVALID: more than 256
 * origins or headers, an origin longer than 1024 bytes, or more than 4096 bytes of headers. MUST_BLOCK, SEALED, STORE*,
 * NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_cors_enable(struct bulla *engine, struct bulla_call *call,
						const struct bulla_cors_config *config);
/* The same, and fine where it is off. */
BULLA_MUST_USE enum bulla_err bulla_cors_disable(struct bulla *engine, struct bulla_call *call);

/* What a request from a page of that origin is to be told. */
struct bulla_cors_answer {
	bool on;                    /* false: nobody asks about origins, and the rest is false, too */
	bool allowed, credentials;
	struct bulla_bytes headers; /* for a preflight: with commas between, in the arena, a NUL behind it */
};
/* Never blocks. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_cors_ask(struct bulla *engine, struct bulla_call *call, struct bulla_bytes origin,
					     bool preflight, struct bulla_cors_answer *out);

/* Whether it is on at all: one load. */
bool bulla_cors_on(const struct bulla *engine);

BULLA_DECLS_END

#endif
