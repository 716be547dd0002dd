/* access_private.h: what the files of lib/access share. Nobody else includes it. */
#ifndef BULLA_ACCESS_PRIVATE_H
#define BULLA_ACCESS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "access/login.h"
#include "base/rcu.h"
#include "bulla/clock.h"
#include "bulla/mounts.h" /* struct bulla_pair */
#include "bulla/token_roles.h"
#include "bulla/wrapping.h"
#include "state/due.h"
#include "state/records.h"
#include "state/snapshots.h"

#define TOKEN_MAX_BYTES 512          /* of a token's text: longer ones are unknown */
#define TOKEN_MAX_BATCH_BYTES 8192   /* of a batch token's, which goes with every request of its owner */
#define TOKEN_MAX_RECORD (64 * 1024) /* policies, metadata and all */
#define TOKEN_MAX_WRITES 12          /* records that one change of a token touches */
#define TOKEN_MAX_DELETIONS 6        /* records that there are of one token */
#define TOKEN_STRIPES 64
#define TOKEN_ROOT_PATH "auth/token/root" /* of a root token that init or the shares made: no lease was ever registered */

/* A snapshot of a token. Const once it is shared, but for what the cache keeps in it. */
struct token {
	struct bulla_token public; /* first: bulla_token_put casts back */
	struct snapshot snapshot;  /* its id is the token's slot */
	uint8_t tag[16];           /* under which it is cached */
	struct store_id parent;    /* of zeros for an orphan */
	uint64_t revision;
	uint64_t family;           /* from the slot of its topmost ancestor that is no root token (its own, if there is none); never 0 */
	int64_t end_ns;            /* by the clock; INT64_MAX: never */
	/* what its ancestors allow, as of generation (of a batch token: the access's revocations) */
	int64_t bound_ns;
	unsigned generation;
	/* owned */
	void *lists; /* policies, CIDRs, metadata */
	size_t record_len;
	uint8_t *record;
};

struct access {
	struct store *store; /* borrowed */
	struct seal *seal;   /* borrowed */
	struct records records; /* roles, rules, settings: of roles what was read is kept in memory */
	int64_t default_ttl_s, max_ttl_s;
	/* Grows when a token with children ends earlier than was known: whoever has a parent is then looked up anew. */
	atomic_uint generation;
	/* Grows whenever a token is deleted, or ends earlier than was known: parents are not told which batch tokens they have, so
	 * all of these are looked up anew. */
	atomic_uint revocations;
	_Atomic int64_t next_sweep_ns; /* of wrapped replies that ended */
	struct expiry {                /* of access_tick's caller, but for tidy_wanted */
		struct due due;        /* its lock is that of all of these */
		atomic_bool tidy_wanted;
		bool tidying, filing;  /* filing: tokens of older versions are filed by their end */
		struct store_id next;  /* accessor that the tidying goes on with */
		uint64_t seen, removed;
	} expiry;
	access_renewer *renewer;       /* NULL: logins are not renewed */
	void *renewer_context;
	/* Held for writing by whoever changes a token or loads it into the cache, for reading by whoever gives it a child; over
	 * the commit. The stripe is chosen by the slot. */
	pthread_rwlock_t stripes[TOKEN_STRIPES];
	/* the cache: found by a keyed tag of the token's text, or by slot */
	uint8_t *tag_key;    /* secret, of this process only */
	struct snapshots cache;
	/* policy_table.h */
	pthread_mutex_t policy_lock; /* one change of policies at a time, over its commit */
	struct policy_table *policy_table; /* published; NULL while sealed */
	/* what is counted: budgets of policies (budget.c), requests of clients (quota.c) */
	struct counters *budgets;
	struct quotas *quotas;
	struct cors *cors;
	_Atomic int64_t next_budget_sweep_ns;
};

/* ---- token_record.c ---- */

/* The plaintext of a token's record (docs/FORMATS.md). NO_MEMORY; INVALID: larger than TOKEN_MAX_RECORD. */
#define TOKEN_MAX_TTL_S (INT64_MAX / 1000000000 / 4) /* 73 years: its end is a date in nanoseconds */

BULLA_MUST_USE enum bulla_err token_pack(struct bulla_call *call, const struct bulla_token *token, const struct store_id *parent,
					 struct bulla_bytes *out);
/* A snapshot with one reference, from the plaintext (copied). STORE_DAMAGED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err token_unpack(struct bulla_bytes record, const struct store_id *slot, uint64_t revision,
					   struct token **out);
void token_put(struct token *token);
bool token_has_parent(const struct token *token);
uint64_t token_family_of(const struct store_id *slot);
/* Ended, or used up. */
bool token_is_dead(const struct token *token, int64_t now_ns);

/* ---- cache.c ---- */
BULLA_MUST_USE enum bulla_err cache_init(struct access *access);
void cache_clear(struct access *access);
void cache_empty(struct access *access);
void cache_tag(const struct access *access, struct bulla_bytes text, uint8_t tag[16]);
/* With a reference of the caller's; NULL: not there. */
struct token *cache_find(struct access *access, const uint8_t tag[16]);
struct token *cache_find_slot(struct access *access, const struct store_id *slot);
/* Puts it in under tag in the place of an older snapshot, with a reference of the cache's own. Called with the stripe held. */
void cache_put(struct access *access, struct token *token, const uint8_t tag[16]);
/* A newer snapshot, if an older one is there. Called with the stripe held. */
void cache_renew(struct access *access, struct token *token);
void cache_drop(struct access *access, const struct store_id *slot);

/* ---- authenticate.c ---- */
/* What the call commits to a store that others share is refused from now on unless this record is there (store.h); NULL: it is not. */
void access_stand_by(struct bulla_call *call, const struct store_id *slot);

/* ---- token_store.c ---- */

/* Opens a blocking operation: MUST_BLOCK, SEALED. Close it with access_end, which passes err on. */
BULLA_MUST_USE enum bulla_err access_begin(struct access *access, struct bulla_call *call);
BULLA_MUST_USE enum bulla_err access_end(struct access *access, enum bulla_err err);
void stripe_lock(struct access *access, const struct store_id *slot);
void stripe_share(struct access *access, const struct store_id *slot);
void stripe_unlock(struct access *access, const struct store_id *slot);

BULLA_MUST_USE enum bulla_err token_slot(struct access *access, struct bulla_bytes text, struct store_id *out);
BULLA_MUST_USE enum bulla_err accessor_slot(struct access *access, struct bulla_bytes accessor, struct store_id *out);
/* child NULL: any, for the collection half. */
BULLA_MUST_USE enum bulla_err child_slot(struct access *access, const struct store_id *parent, const struct store_id *child,
					 struct store_id *out);

/* The token in the store, whatever its state. NOT_FOUND. */
BULLA_MUST_USE enum bulla_err token_read(struct access *access, struct bulla_call *call, const struct store_id *slot,
					 struct token **out);
/* The same for one that is alive, and so are all its ancestors. NOT_FOUND; NO_TOKEN: it is there, but has ended. */
BULLA_MUST_USE enum bulla_err token_load(struct access *access, struct bulla_call *call, const struct store_id *slot,
					 struct token **out);
/* NO_TOKEN: an ancestor is gone, has ended, or is used up. Else token->bound_ns has the earliest end. generation: of the access,
 * read before the token was. */
BULLA_MUST_USE enum bulla_err check_ancestors(struct access *access, struct bulla_call *call, struct token *token,
					      unsigned generation);
/* Writes a changed record over before and makes its snapshot. CONFLICT: it was revoked, used or renewed meanwhile, by another node or
 * by a sweep: read it again, and try again, up to STORE_TRIES times in all. */
BULLA_MUST_USE enum bulla_err token_replace(struct access *access, struct bulla_call *call, const struct token *before,
					    const struct bulla_token *changed, const struct store_id *parent, struct token **out);
/* Slot of the token an accessor belongs to. BAD_ACCESSOR. */
BULLA_MUST_USE enum bulla_err accessor_read(struct access *access, struct bulla_call *call, struct bulla_bytes accessor,
					    struct store_id *slot);
struct slots {
	struct store_id *items; /* in the arena */
	size_t count, room;
	size_t damaged;         /* records that named none */
};
BULLA_MUST_USE enum bulla_err slots_add(struct bulla_call *call, struct slots *slots, const struct store_id *slot);
BULLA_MUST_USE enum bulla_err children_read(struct access *access, struct bulla_call *call, const struct store_id *parent,
					    struct slots *out);

/* ---- token_policies.c ---- */
struct policies {
	struct bulla_bytes *items; /* in the arena */
	size_t count;
};
/* Trimmed, in lower case, sorted, without doubles and empty names; root alone where it is among them. */
BULLA_MUST_USE enum bulla_err policies_sanitise(struct bulla_call *call, const struct bulla_bytes *names, size_t count,
						bool add_default, struct policies *out);
/* Without the rule for root. */
BULLA_MUST_USE enum bulla_err policies_sort(struct bulla_call *call, const struct bulla_bytes *names, size_t count,
					    struct policies *out);
bool policies_have(const struct policies *policies, const char *name);
/* INVALID: one of them is given to nobody. */
BULLA_MUST_USE enum bulla_err policies_check_assignable(struct bulla_call *call, const struct policies *policies);

/* Whether name is like one of globs, in which * stands for anything. */
bool policies_match(const struct bulla_names *globs, struct bulla_bytes name);

/* ---- token_roles.c ---- */
/* For making and renewing tokens, which may go by what is kept in memory: errors of record_get. In the arena. */
BULLA_MUST_USE enum bulla_err token_role_get(struct access *access, struct bulla_call *call, struct bulla_bytes name,
					     struct bulla_token_role *out);
bool token_role_has_type(struct bulla_bytes type);

/* ---- token_role_change.c ---- */
/* Lays a change over role, which has the defaults where it is new. INVALID; warnings. */
BULLA_MUST_USE enum bulla_err token_role_apply(const struct access *access, struct bulla_call *call,
					       const struct bulla_token_role_change *change, struct bulla_token_role *role);

/* ---- token_make.c ---- */
struct token_new {
	struct bulla_token token;       /* all but the accessor and the times, which are made */
	struct bulla_bytes wanted;      /* the text; empty: made */
	struct store_id parent;
	/* adds to the writes of the commit that makes the token: wrapping.c's and login.c's. NULL: nothing */
	enum bulla_err (*also)(struct access *access, struct bulla_call *call, const struct token_new *new,
			       const struct store_id *slot, struct store_write *writes, size_t *count);
	const void *context;
};
/* Writes a new token. *text in the arena; *out with a reference. INVALID: a token has the wanted text already; CONFLICT: a write
 * of also's did not hold. */
BULLA_MUST_USE enum bulla_err token_make(struct access *access, struct bulla_call *call, const struct token_new *args,
					 struct bulla_bytes *text, struct token **out);

/* ---- token_batch.c ---- */
bool batch_is(struct bulla_bytes text);
/* Makes token a batch token: no accessor, no uses, no renewal. Stores nothing; blocks once in a while, as barrier_seal does.
 * *text in the arena; *out with a reference. INVALID: it would be too long. */
BULLA_MUST_USE enum bulla_err batch_make(struct access *access, struct bulla_call *call, const struct token_new *args,
					 struct bulla_bytes *text, struct token **out);
/* What text says, if the barrier sealed it; whatever its time and its parent. NO_TOKEN; SEALED, NO_MEMORY. Never blocks. */
BULLA_MUST_USE enum bulla_err batch_open(struct access *access, struct bulla_call *call, struct bulla_bytes text,
					 struct token **out);
/* The same, alive, and so are its ancestors. NO_TOKEN. Workers only. */
BULLA_MUST_USE enum bulla_err batch_load(struct access *access, struct bulla_call *call, struct bulla_bytes text,
					 struct token **out);

/* ---- token_revoke.c ---- */
/* Deletes all records of a token, its own first; at most 5. token NULL: it is damaged, only what its slot tells is found. */
BULLA_MUST_USE enum bulla_err token_deletions(struct access *access, const struct store_id *slot, const struct token *token,
					      struct store_write *out, size_t *count);
/* With its children; unknown is fine. The caller holds no stripe. */
BULLA_MUST_USE enum bulla_err token_revoke(struct access *access, struct bulla_call *call, const struct store_id *slot);

/* Up to 64 tokens that have ended, in one commit where they have no children; *removed counts them. Some may be gone already, or
 * be alive: these stay. entries (NULL: none) are records to be deleted with them. */
#define ENDED_AT_ONCE 64
BULLA_MUST_USE enum bulla_err tokens_remove_ended(struct access *access, struct bulla_call *call, const struct store_id *slots,
						  const struct store_id *entries, size_t count, uint64_t *removed);

/* ---- cubbyhole.c ---- */
/* Removes what a token keeps. No writer can add to it when the token's record is gone and its stripe was held since. */
BULLA_MUST_USE enum bulla_err cubbyhole_clear(struct access *access, struct bulla_call *call, const struct store_id *token);

/* ---- expiry.c ---- */
/* Sets up access->expiry, of which due_end disposes. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err expiry_init(struct access *access);
/* The entry that says when token ends, as a write of the commit that makes or changes it; none if it has no end. */
BULLA_MUST_USE enum bulla_err expiry_file(struct access *access, struct bulla_call *call, const struct token *token,
					  struct store_write *writes, size_t *count);
/* The same for now: the token has been used up. */
BULLA_MUST_USE enum bulla_err expiry_file_now(struct access *access, struct bulla_call *call, const struct token *token,
					      struct store_write *writes, size_t *count);
/* Its deletion. */
BULLA_MUST_USE enum bulla_err expiry_deletion(struct access *access, const struct token *token, struct store_write *writes,
					      size_t *count);
void expiry_forget(struct access *access);

/* ---- tidy.c ---- */
/* Goes on with a tidying, if one is under way or wanted. call gets the warning when it is done. */
BULLA_MUST_USE enum bulla_err tidy_run(struct access *access, struct bulla_call *call, struct bulla_call *scratch);
BULLA_MUST_USE enum bulla_err first_accessor(struct access *access, struct store_id *out);
/* The accessor records from first on: their slots, up to room. *next: with which to go on; *more: there are others. */
BULLA_MUST_USE enum bulla_err accessors_walk(struct access *access, struct bulla_call *call, const struct store_id *first,
					     struct slots *out, size_t room, struct store_id *next, bool *more);

/* ---- lease.c ---- */
struct lease_wish {
	int64_t increment_s;    /* asked for; <= 0: nothing */
	int64_t ttl_s;          /* of the token so far; 0: the default */
	int64_t period_s, max_s, explicit_max_s; /* 0: none */
	int64_t issued_ns, now_ns; /* by the clock */
	const struct bulla_mount *mount; /* whose times come before the server's; NULL: none */
};
/* How long the lease runs from now, with the peer's warnings where it was cut. INVALID: past its end. */
BULLA_MUST_USE enum bulla_err lease_calculate(const struct access *access, struct bulla_call *call, const struct lease_wish *wish,
					      int64_t *ttl_s);

/* ---- wrapping.c ---- */
bool token_is_wrapping(const struct token *token);
/* The two records beside a wrapping token's own. */
BULLA_MUST_USE enum bulla_err wrapping_deletions(struct access *access, const struct store_id *token, struct store_write *out,
						 size_t *count);

/* ---- policy.c ---- */
/* Whether the token's policies grant sudo on the path: BULLA_OK, DENIED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err token_may_sudo(struct access *access, const struct bulla_token *token, struct bulla_bytes path);
/* Whether a policy of that name is stored or built in. */
bool policy_exists(struct access *access, struct bulla_bytes name);

/* ---- budget.c ---- */
/* Every ten minutes: deletes records of windows that are over, a few hundred of them. Blocks. */
BULLA_MUST_USE enum bulla_err budget_tick(struct access *access, struct bulla_call *call);

#endif
