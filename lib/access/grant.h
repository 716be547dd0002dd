/* grant.h: conditions of a caller's policies that are checked after he was let through: item by item, for transit; his budgets, for
 * quotas. Any thread; never blocks. Without a grant (call->grant NULL) there is no condition. */
#ifndef BULLA_ACCESS_GRANT_H
#define BULLA_ACCESS_GRANT_H

#include "bulla/access.h"
#include "bulla/mounts.h" /* struct bulla_pair */
#include "bulla/policies.h" /* enum bulla_pattern */

/* DENIED unless an item's encryption_context (pairs NULL: it has none) is what call->grant requires. Every operation that binds
 * one asks this for each item. */
BULLA_MUST_USE enum bulla_err grant_check_context(const struct bulla_call *call, const struct bulla_pair *pairs, size_t count);

/* The same for rewrap, of the old and the new context; DENIED, too, when what is required does not have the same value in both: who may
 * rewrap for any card must not move a ciphertext from one card to another. */
BULLA_MUST_USE enum bulla_err grant_check_contexts(const struct bulla_call *call, const struct bulla_pair *old, size_t old_count,
						   const struct bulla_pair *new, size_t new_count);

/* DENIED: the item of that index (from 0) is beyond max_batch_items. */
BULLA_MUST_USE enum bulla_err grant_check_index(const struct bulla_call *call, size_t index);

/* ---- budgets ---------------------------------------------------------------------------------------------------------- */

struct grant_window {
	int64_t items, window_s; /* at most so many items in so many seconds (1, 60, 3600, 86400) */
};

/* One stanza's budget: all of its windows hold at once. */
struct grant_budget {
	struct bulla_bytes policy;     /* the name of the policy it stands in */
	enum bulla_pattern kind;       /* and of which pattern: both together name the stanza; of two stanzas of one policy with
					* the same pattern the budgets are asked for one after the other */
	struct bulla_bytes pattern;    /* without the star at a prefix's end */
	bool per_policy;               /* one for all callers together; else one for each token (by its accessor) */
	struct grant_window windows[4];
	size_t window_count;
};

/* The i-th budget that what the grant was asked for must be taken from: those of all stanzas of the rule that grant it. All of them
 * must have room. What *out points at is good as long as the grant. false: there are no more. */
bool grant_budget(const struct bulla_grant *grant, size_t i, struct grant_budget *out);

#endif
