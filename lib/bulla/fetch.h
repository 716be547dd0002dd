/* fetch.h: how the library gets a document from elsewhere where it has to (the key sets of auth/jwt). It knows no HTTP itself: whoever
 * opens the engine may give it a function that does. */
#ifndef BULLA_FETCH_H
#define BULLA_FETCH_H

#include "call.h"

BULLA_DECLS_BEGIN

struct bulla_fetch_args {
	struct bulla_bytes url;    /* "https://..." or "http://...", checked by the fetcher */
	struct bulla_bytes ca_pem; /* certificates that alone are trusted; empty: the system's */
	size_t max_bytes;          /* of the document */
	int timeout_ms;            /* for all of it */
};

/* Workers only: it waits for the network. *out in the call's arena. FAILED, with a detail that says why and holds no credentials:
 * whatever kept it from a reply of status 200. MUST_BLOCK, NO_MEMORY. */
typedef enum bulla_err bulla_fetch(void *context, struct bulla_call *call, const struct bulla_fetch_args *args,
				   struct bulla_bytes *out);

BULLA_DECLS_END

#endif
