/* record.h: what the audit log is told of a request, for serve.c alone. */
#ifndef BULLA_HTTP_RECORD_H
#define BULLA_HTTP_RECORD_H

#include "http/gates.h"

/* Whatever a worker does that is no mere reading: its request goes on record first, and this waits for that, so that no change is
 * made that nobody hears of. BULLA_OK for the rest.
 * AUDIT: no device could record it. */
BULLA_MUST_USE enum bulla_err record_before(struct passage *p);

/* When the answer is known (err: of the handler or the gates): adds what is not on record yet to the request's lines, or where the
 * request has none, writes it. The reply may be sent when its records are written (reply->audited), not before.
 * AUDIT, SEALED, NO_MEMORY: the reply must not be sent. */
BULLA_MUST_USE enum bulla_err record_after(struct passage *p, enum bulla_err err);

#endif
