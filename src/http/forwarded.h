/* forwarded.h: who the client behind a proxy is. Stateless: any thread. */
#ifndef BULLA_HTTP_FORWARDED_H
#define BULLA_HTTP_FORWARDED_H

#include "http/httpd.h"

/* header: all of X-Forwarded-For, its lines joined by commas; ptr NULL: it was not there. remote: "10.0.0.1:4711", whoever
 * connected; replaced by the client's address with the same port, in the arena, where the header is believed.
 * BAD_REQUEST with the peer's texts. */
BULLA_MUST_USE enum bulla_err forwarded_apply(const struct forwarding *forwarding, struct bulla_call *call,
					      struct bulla_bytes header, struct bulla_bytes *remote);

#endif
