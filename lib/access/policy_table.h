/* policy_table.h: what lib/access knows of policies: for its files alone.
 *
 * All policies are compiled and in memory, in an immutable table that is published by pointer; a change publishes another one. What
 * several policies allow together is compiled when the first token with just these names calls, and kept in the table for all
 * others that have the same. A request finds it in a read section: it takes no lock and writes nothing. */
#ifndef BULLA_ACCESS_POLICY_TABLE_H
#define BULLA_ACCESS_POLICY_TABLE_H

#include "access/access_private.h"
#include "policy/policy.h"

#define TABLE_HEADS 256
#define TABLE_MAX_SETS 4096          /* of names that were compiled; then the table begins anew */
#define TABLE_MAX_RULES 200000       /* in all of them */

struct compiled {
	struct compiled *next;
	uint64_t hash;
	struct acl *acl;
	size_t count;
	struct bulla_bytes names[];      /* their text behind it */
};

struct policy_table {
	atomic_uint refs;
	struct rcu_later later;
	struct policy **items;           /* sorted by name */
	size_t count;
	size_t damaged;                  /* records that could not be read: what is not found here may have been one */
	bool told;                       /* the log knows of what could not be read */
	/* compiled sets: added by whoever holds lock, read by anyone */
	pthread_mutex_t lock;
	size_t sets, rules;
	_Atomic(struct compiled *) heads[TABLE_HEADS];
};

/* ---- policy_table.c ---- */

/* An empty one with room for count policies. NULL: no memory. */
struct policy_table *policy_table_new(size_t room);
void policy_table_put(struct policy_table *table);
/* Puts policy in (its reference is taken over), over one of the same name. The table must have room, and not be published yet. */
void policy_table_add(struct policy_table *table, struct policy *policy);
/* NULL: absent. */
struct policy *policy_table_find(const struct policy_table *table, struct bulla_bytes name);
/* A copy with nothing compiled and room for one more, without the policy of that name (none: empty). NULL: no memory. */
struct policy_table *policy_table_copy(const struct policy_table *table, struct bulla_bytes without);
/* Publishes it in the place of the one before. The caller holds access->policy_lock and is in no read section. */
void policy_table_publish(struct access *access, struct policy_table *table);

/* What a token's policies allow: good until acl_use_end; NULL: nothing. Never blocks, waits for nobody.
 * NO_MEMORY: it is not known what they allow; acl_use_end has to follow then too. */
struct acl_use {
	const struct acl *acl;
	struct acl *owned;               /* NULL: good for the read section that is open */
};
BULLA_MUST_USE enum bulla_err acl_use_begin(struct access *access, const struct bulla_token *token, struct acl_use *use);
void acl_use_end(struct acl_use *use);

/* ---- policy_store.c ---- */

struct stored_policy {
	struct record record; /* its item is the policy's name */
	struct bulla_policy_info public;
};
extern const struct record_kind stored_policies;
/* What is there without having been stored; NULL: there is no such policy. */
const char *policy_builtin_text(struct bulla_bytes name);

/* ---- policy_load.c ---- */

/* After unsealing, and when another node has changed one: those that are as they were are not compiled again. */
BULLA_MUST_USE enum bulla_err policy_store_load(struct access *access, struct bulla_call *call);
/* Any id of their records. SEALED, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err policy_store_collection(struct access *access, struct store_id *out);
void policy_store_empty(struct access *access); /* at seal */
/* Warns, once, of what could not be read. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err policy_store_tell(struct access *access, struct bulla_call *call);

#endif
