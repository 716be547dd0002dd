/* target.h: what a request's target names. */
#ifndef BULLA_HTTP_TARGET_H
#define BULLA_HTTP_TARGET_H

#include "request/json.h"

struct target {
	struct bulla_bytes path;     /* decoded once, below /v1/: "transit/keys/a b" */
	struct json *query;          /* an object of strings; NULL: none */
	struct bulla_bytes location; /* not empty: the peer answers with a redirect to there; a NUL behind it */
	bool relative;               /* a segment is an escaped "." or "..": to be refused */
};

/* Strict: what is not understood is refused, nothing is decoded twice. Either location or path is set. What is not escaped
 * is borrowed from raw, the rest is in the arena.
 * BAD_TARGET: no path, a bad escape, or characters that cannot be printed. NOT_FOUND: not below /v1/.
 * BAD_REQUEST: too many parameters. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err target_decode(struct bulla_call *call, struct bulla_bytes raw, struct target *out);

#endif
