/* quota_private.h: what the files of rate limits share. */
#ifndef BULLA_ACCESS_QUOTA_PRIVATE_H
#define BULLA_ACCESS_QUOTA_PRIVATE_H

#include <pthread.h>

#include "access/quota.h"
#include "base/rcu.h"
#include "bulla/quotas.h"
#include "crypto/crypto.h"
#include "state/records.h"

#define QUOTA_MAX_RULES 1000

/* What a rule is for; where several fit a request, the first kind decides. */
enum quota_reach { QUOTA_PATH, QUOTA_BEGINNING, QUOTA_MOUNT };

struct rule {
	struct bulla_rate_limit public;
	enum quota_reach reach;
	struct bulla_bytes path;   /* without the star of a beginning */
	uint8_t key[SHA256_BYTES]; /* of its counters: a rule that is written anew counts from the start */
};

/* Const once it is published. */
struct rules {
	struct rcu_later later;
	struct bulla_arena *arena; /* owned: all texts */
	struct rule *items;        /* in the order in which they are asked */
	size_t count;
	struct bulla_quota_config config;
};

struct quotas {
	struct records *records; /* borrowed */
	pthread_mutex_t lock;    /* one writer; held over its commit */
	struct rules *rules;     /* rcu; NULL: no rules, nothing is counted */
	struct counters *clients;
};

/* ---- quota.c ---------------------------------------------------------------------------------------------------------------- */

/* Publishes the rules as the store has them. With the lock. */
BULLA_MUST_USE enum bulla_err quotas_read(struct quotas *quotas, struct bulla_call *call);

/* ---- quota_record.c ------------------------------------------------------------------------------------------------------ */

struct stored_rule {
	struct record record; /* its item is the rule's name */
	struct bulla_rate_limit public;
};
struct stored_quota_config {
	struct record record;
	struct bulla_quota_config public;
};
extern const struct record_kind quota_rules;
extern const struct record_name quota_any_rule, quota_config_name;

/* What holds: as it was written, or what holds without. Errors of record_read. */
BULLA_MUST_USE enum bulla_err quota_config_get(struct records *records, struct bulla_call *call, struct bulla_quota_config *out);

#endif
