/* quota_private.h: what the files of rate limits share. */
#ifndef BULLA_ACCESS_QUOTA_PRIVATE_H
#define BULLA_ACCESS_QUOTA_PRIVATE_H

#include <pthread.h>

#include "access/quota.h"
#include "base/rcu.h"
#include "bulla/quotas.h"
#include "crypto/crypto.h"
#include "seal/documents.h"

#define QUOTA_RULE "rate-limit" /* the kind of their documents */
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
	struct documents documents;
	pthread_mutex_t lock;   /* one writer; held over its commit */
	struct rules *rules;    /* rcu; NULL: no rules, nothing is counted */
	struct counters *clients;
};

/* ---- quota.c ---------------------------------------------------------------------------------------------------------------- */

/* Publishes the rules as the store has them. With the lock. */
BULLA_MUST_USE enum bulla_err quotas_read(struct quotas *quotas, struct bulla_call *call);

/* ---- quota_record.c ------------------------------------------------------------------------------------------------------ */

struct document_name quota_rule_name(struct bulla_bytes name);
extern const struct document_name quota_config_name;

/* NO_MEMORY. */
BULLA_MUST_USE enum bulla_err quota_rule_pack(struct bulla_call *call, const struct bulla_rate_limit *limit, struct bulla_bytes *out);
/* out borrows from document. STORE_DAMAGED. */
BULLA_MUST_USE enum bulla_err quota_rule_unpack(const struct document *document, struct bulla_rate_limit *out);

/* What holds: as it was written, or revision 0 and what holds without. Errors of document_get, STORE_DAMAGED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err quota_config_get(const struct documents *documents, struct bulla_call *call,
					       struct bulla_quota_config *out, uint64_t *revision);
/* In the place of revision. Errors of document_put. */
BULLA_MUST_USE enum bulla_err quota_config_put(const struct documents *documents, struct bulla_call *call,
					       const struct bulla_quota_config *config, uint64_t revision);

#endif
