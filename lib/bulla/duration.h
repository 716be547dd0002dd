/* duration.h: durations as the peer reads them. Not in the umbrella bulla.h. Stateless: any thread. */
#ifndef BULLA_DURATION_H
#define BULLA_DURATION_H

#include "call.h"

BULLA_DECLS_BEGIN

/* "1h30m", "90", "2d", "" (0) as the peer reads durations; fractions of a second are cut off, negative ones are let through.
 * BAD_FIELD with the peer's text: time: unknown unit "y" in duration "1y". */
BULLA_MUST_USE enum bulla_err duration_parse(struct bulla_call *call, struct bulla_bytes text, int64_t *seconds);

BULLA_DECLS_END

#endif
