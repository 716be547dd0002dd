/* authenticate.c: from a token's text to its caller: the only function here that the request path waits for. A token that was
 * used lately is found without a lock; loading one, and taking a use of a limited one, is a worker's. Any thread. */
#include "access/access_private.h"

static bool is_fresh(struct access *access, const struct token *token, int64_t now_ns)
{
	if (!token_has_parent(token))
		return true;
	bool batch = token->public.type == BULLA_TOKEN_BATCH;

	return now_ns < token->bound_ns && token->generation == atomic_load(batch ? &access->revocations : &access->generation);
}

/* Tokens without an end are bound to no address, as at the peer. */
static bool may_come_from(const struct bulla_token *token, struct bulla_bytes ip)
{
	return token->ttl_s == 0 || access_cidrs_match(token->bound_cidrs, token->bound_cidr_count, ip);
}

/* The use is durable before the operation runs: a crash refunds none, and a refusal costs one as well. */
static enum bulla_err take_use(struct access *access, struct bulla_call *call, struct token *before, struct token **out)
{
	struct bulla_token changed = before->public;

	changed.num_uses = changed.num_uses == 1 ? -1 : changed.num_uses - 1;
	return token_replace(access, call, before, &changed, &before->parent, out);
}

/* With the stripe held. Limited tokens are not cached: each use of one is a write anyway. CONFLICT: that of another came first. */
static enum bulla_err load_once(struct access *access, struct bulla_call *call, const struct store_id *slot, const uint8_t tag[16],
				struct token **out)
{
	struct token *token, *used;

	cache_drop(access, slot);
	TRY(token_load(access, call, slot, &token));
	if (token->public.num_uses == 0) {
		cache_put(access, token, tag);
		*out = token;
		return BULLA_OK;
	}
	/* who comes from elsewhere is refused below, and costs no use */
	enum bulla_err err = may_come_from(&token->public, call->remote_ip) ? take_use(access, call, token, &used)
									     : BULLA_E_FORBIDDEN;

	token_put(token);
	if (err == BULLA_OK)
		*out = used;
	return err;
}

static enum bulla_err load(struct access *access, struct bulla_call *call, const struct store_id *slot, const uint8_t tag[16],
			   struct token **out)
{
	enum bulla_err err = BULLA_E_CONFLICT;

	for (int tries = 0; err == BULLA_E_CONFLICT && tries < STORE_TRIES; tries++)
		err = load_once(access, call, slot, tag, out);
	return err;
}

static enum bulla_err load_blocking(struct access *access, struct bulla_call *call, struct bulla_bytes text,
				    const uint8_t tag[16], struct token **out)
{
	struct store_id slot;

	TRY(token_slot(access, text, &slot));
	stripe_lock(access, &slot);
	enum bulla_err err = load(access, call, &slot, tag, out);

	stripe_unlock(access, &slot);
	if (err == BULLA_E_NOT_FOUND)
		return BULLA_E_NO_TOKEN;
	if (err != BULLA_E_NO_TOKEN)
		return err;
	/* what is left of one that has ended goes now; if that fails, it goes the next time */
	enum bulla_err cleaned = token_revoke(access, call, &slot);

	(void)cleaned;
	call->detail = (struct bulla_bytes){ 0 };
	return err;
}

void access_stand_by(struct bulla_call *call, const struct store_id *slot)
{
	call->caller_stored = slot != NULL;
	if (slot != NULL)
		memcpy(call->caller, slot->bytes, sizeof call->caller);
}

/* A use of a limited token has just been a write of its record, and is good for its request: other uses may be the last meanwhile,
 * and the token removed. */
static const struct store_id *stands_by(const struct token *token)
{
	if (token->public.type == BULLA_TOKEN_BATCH)
		return token_has_parent(token) ? &token->parent : NULL;
	return token->public.num_uses == 0 ? &token->snapshot.id : NULL;
}

/* Takes token over. */
static enum bulla_err admit(struct bulla_call *call, struct token *token)
{
	if (!may_come_from(&token->public, call->remote_ip)) {
		token_put(token);
		return BULLA_E_FORBIDDEN;
	}
	call->token = &token->public;
	call->family = token->family;
	access_stand_by(call, stands_by(token));
	return BULLA_OK;
}

/* In the cache and still good; NULL: not there. NO_TOKEN: it has ended. */
static enum bulla_err find_cached(struct access *access, const uint8_t tag[16], struct token **out)
{
	struct token *token = cache_find(access, tag);
	int64_t now_ns = bulla_clock_ns();

	if (token != NULL && token_is_dead(token, now_ns)) {
		cache_drop(access, &token->snapshot.id);
		token_put(token);
		return BULLA_E_NO_TOKEN;
	}
	if (token != NULL && !is_fresh(access, token, now_ns)) {
		token_put(token);
		token = NULL;
	}
	*out = token;
	return BULLA_OK;
}

static enum bulla_err load_batch(struct access *access, struct bulla_call *call, struct bulla_bytes text, const uint8_t tag[16],
				 struct token **out)
{
	TRY(batch_load(access, call, text, out));
	cache_put(access, *out, tag);
	return BULLA_OK;
}

/* Without a parent a batch token speaks for itself; one that has a parent is kept in the cache while nothing is revoked. */
static enum bulla_err authenticate_batch(struct access *access, struct bulla_call *call, struct bulla_bytes text)
{
	uint8_t tag[16];
	struct token *token;

	cache_tag(access, text, tag);
	TRY(find_cached(access, tag, &token));
	if (token != NULL)
		return admit(call, token);
	TRY(batch_open(access, call, text, &token));
	bool dead = token_is_dead(token, bulla_clock_ns());

	if (!dead && !token_has_parent(token))
		return admit(call, token);
	token_put(token);
	if (dead)
		return BULLA_E_NO_TOKEN;
	TRY(access_begin(access, call));
	TRY(access_end(access, load_batch(access, call, text, tag, &token)));
	return admit(call, token);
}

static enum bulla_err authenticate_service(struct access *access, struct bulla_call *call, struct bulla_bytes text)
{
	uint8_t tag[16];
	struct token *token;

	cache_tag(access, text, tag);
	TRY(find_cached(access, tag, &token));
	if (token == NULL) {
		TRY(access_begin(access, call));
		TRY(access_end(access, load_blocking(access, call, text, tag, &token)));
	}
	return admit(call, token);
}

enum bulla_err bulla_authenticate(struct bulla *engine, struct bulla_call *call, struct bulla_bytes text)
{
	if (batch_is(text))
		return authenticate_batch(engine->access, call, text);
	if (text.len == 0 || text.len > TOKEN_MAX_BYTES)
		return BULLA_E_NO_TOKEN;
	return authenticate_service(engine->access, call, text);
}

uint64_t bulla_token_family(struct bulla *engine, struct bulla_bytes text)
{
	struct token *token = NULL;
	uint8_t tag[16];

	if (text.len == 0 || text.len > TOKEN_MAX_BATCH_BYTES)
		return 0;
	cache_tag(engine->access, text, tag);
	if (find_cached(engine->access, tag, &token) != BULLA_OK || token == NULL)
		return 0;
	uint64_t family = token->family;

	token_put(token);
	return family;
}

void bulla_token_put(const struct bulla_token *token)
{
	if (token != NULL)
		token_put((struct token *)(uintptr_t)token);
}

int64_t bulla_token_ttl_s(const struct bulla_token *public)
{
	const struct token *token = (const struct token *)(const void *)public;
	int64_t left_ns = token->end_ns - bulla_clock_ns();

	if (token->end_ns == INT64_MAX || left_ns < 0)
		return 0;
	return left_ns / 1000000000;
}

int64_t bulla_token_end_date_ns(const struct bulla_token *public)
{
	const struct token *token = (const struct token *)(const void *)public;

	return token->end_ns == INT64_MAX ? 0 : bulla_date_of(token->end_ns);
}

bool bulla_token_is_registered(const struct bulla_token *token)
{
	return !bulla_is(token->path, TOKEN_ROOT_PATH);
}

#define LEASE_AFTER_NS 1000

int64_t bulla_token_issue_date_ns(const struct bulla_token *token)
{
	return token->created_date_ns + (token->ttl_s != 0 && token->accessor.len > 0 ? LEASE_AFTER_NS : 0);
}
