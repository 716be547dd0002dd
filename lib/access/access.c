/* access.c: owns struct access: made and freed by the engine, emptied when the store is sealed. */
#include <stdlib.h>

#include "access/access_private.h"
#include "access/cors.h"
#include "access/counters.h"
#include "access/policy_table.h"
#include "access/quota.h"

#define MAX_CACHED_BYTES (4u << 20) /* of roles */
#define MAX_BUDGETS 200000 /* windows that are counted at the same time */

enum bulla_err access_new(struct store *store, struct seal *seal, int64_t default_ttl_s, int64_t max_ttl_s, struct access **out)
{
	struct access *access = calloc(1, sizeof *access);
	pthread_rwlockattr_t attr;

	if (access == NULL)
		return BULLA_E_NO_MEMORY;
	access->store = store;
	access->seal = seal;
	access->default_ttl_s = default_ttl_s;
	access->max_ttl_s = max_ttl_s;
	pthread_mutex_init(&access->policy_lock, NULL);
	pthread_rwlockattr_init(&attr);
	/* or a parent that makes children all the time could never be revoked */
	(void)pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (size_t i = 0; i < TOKEN_STRIPES; i++)
		pthread_rwlock_init(&access->stripes[i], &attr);
	pthread_rwlockattr_destroy(&attr);
	enum bulla_err err = records_init(&access->records, store, seal, NULL, MAX_CACHED_BYTES);

	if (err == BULLA_OK)
		err = expiry_init(access);
	if (err == BULLA_OK)
		err = cache_init(access);
	if (err == BULLA_OK)
		err = counters_new(MAX_BUDGETS, &access->budgets);
	if (err == BULLA_OK)
		err = quotas_new(&access->records, &access->quotas);
	if (err == BULLA_OK && (access->cors = cors_new(&access->records)) == NULL)
		err = BULLA_E_NO_MEMORY;

	if (err != BULLA_OK) {
		access_free(access);
		return err;
	}
	*out = access;
	return BULLA_OK;
}

/* Tokens are read when they are first used: the time to unseal does not grow with their number. Policies are all read now. */
enum bulla_err access_load(struct access *access, struct bulla_call *call)
{
	cache_empty(access);
	TRY(policy_store_load(access, call));
	TRY(cors_load(access->cors, call));
	return quotas_load(access->quotas, call);
}

void access_empty(struct access *access)
{
	quotas_empty(access->quotas);
	cache_empty(access);
	expiry_forget(access);
	records_forget(&access->records);
	policy_store_empty(access);
	rcu_drain();
}

void access_free(struct access *access)
{
	if (access == NULL)
		return;
	counters_free(access->budgets);
	quotas_free(access->quotas);
	cors_free(access->cors);
	cache_clear(access);
	due_end(&access->expiry.due);
	policy_store_empty(access);
	records_end(&access->records);
	pthread_mutex_destroy(&access->policy_lock);
	for (size_t i = 0; i < TOKEN_STRIPES; i++)
		pthread_rwlock_destroy(&access->stripes[i]);
	free(access);
}

enum bulla_err access_make_root(struct access *access, struct bulla_call *call, struct bulla_bytes wanted,
				struct bulla_bytes *token)
{
	static const struct bulla_bytes policies[] = { { (const uint8_t *)"root", 4 } };
	bool chosen = wanted.len > 0; /* the peer makes such a one as anybody would */
	struct token_new args = {
		.token = { .display_name = bulla_str(chosen ? "token" : "root"),
			   .path = bulla_str(chosen ? "auth/token/create" : TOKEN_ROOT_PATH), .policies = policies,
			   .policy_count = 1, .meta_null = true, .orphan = true, .root = true },
		.wanted = wanted,
	};
	struct token *made;

	if (wanted.len > TOKEN_MAX_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "a token is at most %d bytes long", TOKEN_MAX_BYTES);
	if (batch_is(wanted))
		return bulla_fail(call, BULLA_E_INVALID, "custom token ID cannot have the 'b.' prefix");
	TRY(token_make(access, call, &args, token, &made));
	token_put(made);
	return BULLA_OK;
}
