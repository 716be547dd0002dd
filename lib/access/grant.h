/* grant.h: conditions of a caller's policies that are checked item by item, for transit. Any thread; never blocks. */
#ifndef BULLA_ACCESS_GRANT_H
#define BULLA_ACCESS_GRANT_H

#include "bulla/access.h"
#include "bulla/mounts.h" /* struct bulla_pair */

/* DENIED unless an item's encryption_context (pairs NULL: it has none) is what call->grant requires. Every operation that binds
 * one asks this for each item, rewrap for the old and the new. */
BULLA_MUST_USE enum bulla_err grant_check_context(const struct bulla_call *call, const struct bulla_pair *pairs, size_t count);

#endif
