/* policy.h (internal): policies as text, compiled, and merged. Pure: no store, no engine, no clock but what is given. Both are
 * immutable once made and counted by reference; any thread. The meaning is in docs/POLICIES.md. */
#ifndef BULLA_POLICY_POLICY_H
#define BULLA_POLICY_POLICY_H

#include <stdatomic.h>

#include "bulla/json.h"
#include "bulla/mounts.h" /* struct bulla_pair */
#include "bulla/policies.h"

/* The same numbers as enum bulla_capability, whose layer is above (access/policy.c checks that they agree). */
enum policy_can {
	POLICY_CAN_DENY = 1 << 0, POLICY_CAN_CREATE = 1 << 1, POLICY_CAN_READ = 1 << 2, POLICY_CAN_UPDATE = 1 << 3,
	POLICY_CAN_DELETE = 1 << 4, POLICY_CAN_LIST = 1 << 5, POLICY_CAN_SUDO = 1 << 6, POLICY_CAN_PATCH = 1 << 7,
	POLICY_CAN_SCAN = 1 << 8,
};

/* So many items in so many seconds. */
struct policy_budget {
	int64_t items, window_s;
};

#define POLICY_MAX_BUDGETS 4

/* One key of required_encryption_context; values: alternatives as they were written, with templates; "*": any but empty. */
struct policy_demand {
	struct bulla_bytes key;
	const struct bulla_bytes *values;
	size_t count;
};

/* One stanza. */
struct policy_rule {
	struct bulla_acl_rule base;      /* can: as this stanza has it */
	const struct policy *policy;     /* that it stands in */
	int64_t expires_date_ns;         /* 0: never */
	const struct policy_demand *demands;
	size_t demand_count;             /* 0: no context is required */
	int64_t max_batch_items;         /* 0: no bound */
	struct policy_budget budgets[POLICY_MAX_BUDGETS];
	size_t budget_count;
	bool budget_per_policy;          /* one budget for all callers, not one for each token */
};

struct policy {
	atomic_uint refs;
	struct bulla_arena *arena;       /* all of it */
	struct bulla_bytes name;
	struct bulla_end end;
	bool broken;                     /* its text could not be read: whoever has it may do nothing */
	uint64_t revision;               /* of what it was read from, by who reads it; 0: it was not, or may have been written since */
	const struct policy_rule *rules;
	size_t count;
};

/* Compiles text with one reference. INVALID: "At 1:9: ..." or "path \"x\": ..." with line and column. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err policy_new(struct bulla_call *call, struct bulla_bytes name, struct bulla_bytes text, struct bulla_end end,
					 struct policy **out);
/* One that denies everything. NULL: no memory. */
struct policy *policy_new_broken(struct bulla_bytes name);
struct policy *policy_hold(struct policy *policy);
void policy_put(struct policy *policy); /* NULL is fine */

/* ---- several together -------------------------------------------------------------------------------------------------- */

/* All that a caller's policies say about one pattern. */
struct acl_rule {
	struct bulla_acl_rule base;      /* first */
	const struct policy_rule **parts; /* the stanzas it is made of */
	size_t part_count;
	int64_t max_batch_items;         /* the least of theirs; 0: no bound */
	bool conditional;                /* some of them demand a context, or bound batches, or have budgets */
	/* SEGMENTS: in which order they are tried */
	size_t first_wildcard, wildcards;
	bool open_end;                   /* a star at the end */
	/* PREFIX: of the longest other prefix that this one begins with, in the table; SIZE_MAX: none */
	size_t shorter;
};

struct acl {
	atomic_uint refs;
	struct bulla_arena *arena;
	struct policy **policies;        /* held */
	size_t policy_count;
	bool broken;                     /* one of them was: denies all */
	int64_t expires_ns, expires_date_ns; /* when one of the rules ends and it must be made anew, by either clock; 0: never */
	int64_t over_date_ns;            /* the latest date by which one was left out: before it (the system's clock was set back) the same */
	struct acl_rule *rules;          /* exact ones sorted, then prefixes sorted, then segments by priority */
	size_t exact, prefixes, count;   /* rules[0..exact) [exact..prefixes) [prefixes..count) */
};

/* Merges them (borrowed: references are taken), without what is over now. NULL: no memory. */
struct acl *acl_new(struct policy *const *policies, size_t count, const struct bulla_now *now);
struct acl *acl_hold(struct acl *acl);
void acl_put(struct acl *acl); /* NULL is fine */

/* The rule for a path (leading slashes do not count); lists are also looked for without a slash at the end. NULL: none. */
const struct acl_rule *acl_find(const struct acl *acl, struct bulla_bytes path, bool lists);

/* Whether some rule that grants anything may match something below mount_path, which ends with a slash. */
bool acl_reaches(const struct acl *acl, struct bulla_bytes mount_path);

struct acl_ask {
	unsigned need;                   /* one enum policy_can */
	bool takes_context;
	const struct json *doc;
	int64_t wrap_ttl_s;
};
/* Whether the rule grants it, but for contexts that are checked item by item. *page_limit (unless denied): at most so many names
 * are to be listed; 0: as asked for. */
bool acl_allows(const struct acl_rule *rule, const struct acl_ask *ask, int64_t *page_limit);

/* Who calls, for the templates. */
struct acl_caller {
	struct bulla_bytes display_name;
	const struct bulla_pair *meta;
	size_t meta_count;
};
/* Whether pairs (an item's encryption_context) satisfy one of the stanzas that grant need and demand a context, or none does. */
bool acl_context_fits(const struct acl_rule *rule, unsigned need, const struct acl_caller *caller, const struct bulla_pair *pairs,
		      size_t count);

/* The same of a context that takes the place of another: both satisfy one stanza, and what that demands has the same value in both. */
bool acl_contexts_fit(const struct acl_rule *rule, unsigned need, const struct acl_caller *caller, const struct bulla_pair *old,
		      size_t old_count, const struct bulla_pair *new, size_t new_count);

#endif
