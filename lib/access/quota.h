/* quota.h: rate limits, for access.c and the engine. Public operations: bulla/quotas.h. */
#ifndef BULLA_ACCESS_QUOTA_H
#define BULLA_ACCESS_QUOTA_H

#include "access/access_internal.h"
#include "bulla/quotas.h"
#include "state/follow.h"
#include "state/records.h"

struct quotas;

BULLA_MUST_USE enum bulla_err quotas_new(struct records *records, struct quotas **out); /* borrowed */
BULLA_MUST_USE enum bulla_err quotas_load(struct quotas *quotas, struct bulla_call *call); /* after unsealing */
/* Has it read anew when another node changes a rule or the settings. */
BULLA_MUST_USE enum bulla_err quotas_follow(struct quotas *quotas, struct follow *follow);
void quotas_empty(struct quotas *quotas); /* at seal */
void quotas_free(struct quotas *quotas);  /* NULL is fine */

#endif
