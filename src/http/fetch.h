/* fetch.h: documents over HTTP(S), for the library (bulla/fetch.h). */
#ifndef BULLA_HTTP_FETCH_H
#define BULLA_HTTP_FETCH_H

#include <bulla.h>

/* A bulla_fetch by libcurl: GET, TLS 1.2 or newer with the server's certificate checked, at most three redirects (never from https to
 * http), no cookies, no credentials. Any thread that may wait. */
BULLA_MUST_USE enum bulla_err http_fetch(void *context, struct bulla_call *call, const struct bulla_fetch_args *args,
					 struct bulla_bytes *out);

#endif
