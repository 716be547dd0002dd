/* name.h: names as all auth methods have them. Any thread; in the arena. */
#ifndef BULLA_AUTH_NAME_H
#define BULLA_AUTH_NAME_H

#include "bulla/call.h"

/* In lower case (ASCII). NO_MEMORY. */
BULLA_MUST_USE enum bulla_err name_lower(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out);

/* Whether text fits pattern, in which each '*' stands for any bytes. */
bool name_glob(struct bulla_bytes pattern, struct bulla_bytes text);

#endif
