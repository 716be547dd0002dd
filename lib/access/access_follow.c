/* access_follow.c: owns what another node's change of tokens, roles, policies, rate limits and CORS asks for here (state/follow.h). Told by one
 * thread at a time. */
#include "access/access_private.h"
#include "access/cors.h"
#include "access/policy_table.h"
#include "access/quota.h"

static enum bulla_err tokens(void *owner, struct store_id *out)
{
	return token_slot(owner, (struct bulla_bytes){ 0 }, out);
}

/* One that was made is the parent of nothing that is known here. One that was deleted or changed may be: it may end earlier now. */
static void token_changed(void *owner, const struct store_id *id, enum store_news news)
{
	struct access *access = owner;

	snapshots_drop(&access->cache, id);
	if (news == STORE_MADE)
		return;
	atomic_fetch_add(&access->generation, 1);
	atomic_fetch_add(&access->revocations, 1);
}

static enum bulla_err reload_policies(void *owner, struct bulla_call *call)
{
	return policy_store_load(owner, call);
}

static enum bulla_err policies(void *owner, struct store_id *out)
{
	return policy_store_collection(owner, out);
}

static void record_changed(void *owner, const struct store_id *id, enum store_news news)
{
	(void)news;
	records_changed(&((struct access *)owner)->records, id);
}

enum bulla_err access_follow(struct access *access, struct follow *follow)
{
	TRY(follow_add(follow, (struct follower){ access, tokens, token_changed, NULL }));
	TRY(follow_add(follow, (struct follower){ access, policies, NULL, reload_policies }));
	TRY(follow_add(follow, (struct follower){ .owner = access, .changed = record_changed })); /* of whatever kind: it costs nothing */
	TRY(cors_follow(access->cors, follow));
	return quotas_follow(access->quotas, follow);
}
