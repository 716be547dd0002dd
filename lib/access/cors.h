/* cors.h: for access.c: which web pages' scripts may call. Public operations: bulla/cors.h. */
#ifndef BULLA_ACCESS_CORS_H
#define BULLA_ACCESS_CORS_H

#include "access/access_internal.h"
#include "bulla/cors.h"
#include "state/follow.h"
#include "state/records.h"

struct cors;

/* NULL: no memory. records: borrowed. */
struct cors *cors_new(struct records *records);
/* After unsealing. A damaged record is no reason not to unseal: it is off then. */
BULLA_MUST_USE enum bulla_err cors_load(struct cors *cors, struct bulla_call *call);
/* Has it read anew when another node changes it. */
BULLA_MUST_USE enum bulla_err cors_follow(struct cors *cors, struct follow *follow);
void cors_free(struct cors *cors); /* NULL is fine */

#endif
