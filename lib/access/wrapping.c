/* wrapping.c: wrapped replies (bulla/wrapping.h). Beside a wrapping token's own records stand two more: its reply, and a small
 * one that says when it ends, so that replies nobody asked for are found and destroyed. Workers only. */
#include "access/access_private.h"
#include "base/pack.h"

#define RECORD_FORMAT 1
#define NS_PER_S INT64_C(1000000000)
#define SWEEP_PAUSE_NS (60 * NS_PER_S)
#define SWEEP_MAX 256 /* tokens that one sweep clears away */

static const struct bulla_bytes policy = { (const uint8_t *)"response-wrapping", 17 };

bool token_is_wrapping(const struct token *token)
{
	return token->public.policy_count == 1 && bulla_equal(token->public.policies[0], policy);
}

/* token NULL: any, for the collection half. */
static enum bulla_err wrapped_slot(struct access *access, const char *kind, const struct store_id *token, struct store_id *out)
{
	struct barrier_name name = { .kind = kind };

	if (token != NULL)
		name.item = bulla_mem(token->bytes, sizeof token->bytes);
	return barrier_slot(access->seal, &name, out);
}

enum bulla_err wrapping_deletions(struct access *access, const struct store_id *token, struct store_write *out, size_t *count)
{
	static const char *const kinds[] = { "wrapped", "wrapped-end" };

	for (size_t i = 0; i < 2; i++) {
		struct store_write write = { .change = STORE_DELETE, .expected = STORE_ANY_REVISION };

		TRY(wrapped_slot(access, kinds[i], token, &write.id));
		out[(*count)++] = write;
	}
	return BULLA_OK;
}

/* ---- writing ------------------------------------------------------------------ */

static enum bulla_err seal_record(struct access *access, struct bulla_call *call, const char *kind, const struct store_id *token,
				  struct pack *pack, struct store_write *out)
{
	struct bulla_bytes plain;

	TRY(pack_finish(pack, &plain));
	*out = (struct store_write){ .change = STORE_PUT, .expected = 0 };
	TRY(wrapped_slot(access, kind, token, &out->id));
	return barrier_seal(access->seal, call, &out->id, 1, plain, &out->bytes);
}

/* What is written along with a wrapping token. */
struct wrapping {
	const struct bulla_wrapped *reply;
	int64_t ttl_s;
	const struct token *replaced; /* NULL: none */
	struct bulla_bytes display_name; /* of who wraps */
};

static struct bulla_bytes name_of(const struct bulla_call *call, struct bulla_bytes otherwise)
{
	return call->token != NULL ? call->token->display_name : otherwise;
}

/* token_new's also. */
static enum bulla_err add_writes(struct access *access, struct bulla_call *call, const struct token_new *new,
				 const struct store_id *slot, struct store_write *writes, size_t *count)
{
	const struct wrapping *wrapping = new->context;
	struct pack reply = { .arena = call->arena }, end = { .arena = call->arena };

	pack_u8(&reply, RECORD_FORMAT);
	pack_u32(&reply, (uint32_t)wrapping->reply->status);
	pack_bytes(&reply, wrapping->reply->body);
	TRY(seal_record(access, call, "wrapped", slot, &reply, &writes[(*count)++]));
	pack_u8(&end, RECORD_FORMAT);
	pack_i64(&end, new->token.issued_ns + wrapping->ttl_s * NS_PER_S);
	pack_raw(&end, slot->bytes, sizeof slot->bytes);
	TRY(seal_record(access, call, "wrapped-end", slot, &end, &writes[(*count)++]));
	if (wrapping->replaced == NULL)
		return BULLA_OK;
	return token_deletions(access, &wrapping->replaced->snapshot.id, wrapping->replaced, writes, count);
}

static enum bulla_err make(struct access *access, struct bulla_call *call, const struct wrapping *wrapping, struct bulla_bytes path,
			   struct bulla_wrapping *out)
{
	struct token_new new = {
		.token = { .display_name = wrapping->display_name, .path = path, .policies = &policy, .policy_count = 1,
			   .meta_null = true, .orphan = true, .num_uses = 1, .creation_ttl_s = wrapping->ttl_s,
			   .ttl_s = wrapping->ttl_s, .explicit_max_ttl_s = wrapping->ttl_s },
		.also = add_writes, .context = wrapping,
	};
	struct bulla_wrapping made = { .ttl_s = wrapping->ttl_s };
	struct token *token;

	TRY(token_make(access, call, &new, &made.token, &token));
	made.created_date_ns = token->public.created_date_ns;
	made.accessor = bulla_arena_copy(call->arena, token->public.accessor);
	made.creation_path = bulla_arena_copy(call->arena, token->public.path);
	token_put(token);
	if (made.accessor.ptr == NULL || made.creation_path.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	*out = made;
	return BULLA_OK;
}

/* ---- reading ------------------------------------------------------------------- */

/* The wrapping token at slot. Under its stripe whenever it is to be changed. NO_TOKEN: a token was there, but has ended. */
static enum bulla_err load(struct access *access, struct bulla_call *call, const struct store_id *slot, struct token **out)
{
	struct token *token;
	enum bulla_err err = token_load(access, call, slot, &token);

	if (err == BULLA_E_NOT_FOUND)
		return BULLA_E_WRAPPING_TOKEN;
	TRY(err);
	if (!token_is_wrapping(token)) {
		token_put(token);
		return BULLA_E_WRAPPING_TOKEN;
	}
	*out = token;
	return BULLA_OK;
}

static enum bulla_err read_reply(struct access *access, struct bulla_call *call, const struct store_id *token,
				 struct bulla_wrapped *out)
{
	struct bulla_wrapped reply;
	struct store_record record;
	struct bulla_bytes plain;
	struct store_id id;

	TRY(wrapped_slot(access, "wrapped", token, &id));
	enum bulla_err err = store_get(access->store, call, &id, &record);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "the record of a wrapped reply is missing");
	TRY(err);
	TRY(barrier_open(access->seal, call, &record, &plain));
	struct unpack in = { .ptr = plain.ptr, .left = plain.len };
	uint8_t format = unpack_u8(&in);

	reply.status = (int)unpack_u32(&in);
	reply.body = unpack_bytes(&in);
	if (format != RECORD_FORMAT)
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "the record of a wrapped reply is damaged");
	TRY(unpack_finish(&in));
	*out = reply;
	return BULLA_OK;
}

static enum bulla_err lookup(struct access *access, struct bulla_call *call, struct bulla_bytes text, struct bulla_wrapping *out)
{
	struct store_id slot;
	struct token *token;

	TRY(token_slot(access, text, &slot));
	enum bulla_err err = load(access, call, &slot, &token);

	if (err == BULLA_E_NO_TOKEN) {
		TRY(token_revoke(access, call, &slot));
		return BULLA_E_WRAPPING_TOKEN;
	}
	TRY(err);
	struct bulla_wrapping found = { .ttl_s = token->public.creation_ttl_s, .created_date_ns = token->public.created_date_ns };

	found.creation_path = bulla_arena_copy(call->arena, token->public.path);
	token_put(token);
	if (found.creation_path.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	*out = found;
	return BULLA_OK;
}

/* ---- opening and renewing, with the stripe held ----------------------------------- */

static enum bulla_err open_reply(struct access *access, struct bulla_call *call, const struct token *token,
				 struct bulla_wrapped *out)
{
	struct store_write writes[TOKEN_MAX_WRITES];
	struct bulla_wrapped reply;
	size_t count = 0;

	TRY(read_reply(access, call, &token->snapshot.id, &reply));
	TRY(token_deletions(access, &token->snapshot.id, token, writes, &count));
	writes[0].expected = token->revision; /* the token's own record */
	enum bulla_err err = store_commit(access->store, call, writes, count, NULL);

	if (err == BULLA_E_CONFLICT)
		return BULLA_E_WRAPPING_TOKEN;
	TRY(err);
	cache_drop(access, &token->snapshot.id);
	*out = reply;
	return BULLA_OK;
}

static enum bulla_err renew_reply(struct access *access, struct bulla_call *call, const struct token *token,
				  struct bulla_wrapping *out)
{
	struct bulla_wrapped reply;

	TRY(read_reply(access, call, &token->snapshot.id, &reply));
	struct wrapping wrapping = { &reply, token->public.creation_ttl_s, token, name_of(call, token->public.display_name) };

	TRY(make(access, call, &wrapping, token->public.path, out));
	cache_drop(access, &token->snapshot.id);
	return BULLA_OK;
}

/* One of open_reply and renew_reply: the other's out is NULL. */
static enum bulla_err use(struct access *access, struct bulla_call *call, struct bulla_bytes text, struct bulla_wrapped *opened,
			  struct bulla_wrapping *renewed)
{
	struct store_id slot;
	struct token *token;

	TRY(token_slot(access, text, &slot));
	stripe_lock(access, &slot);
	enum bulla_err err = load(access, call, &slot, &token);

	if (err == BULLA_OK) {
		err = opened != NULL ? open_reply(access, call, token, opened) : renew_reply(access, call, token, renewed);
		token_put(token);
	}
	stripe_unlock(access, &slot);
	return err == BULLA_E_NO_TOKEN ? BULLA_E_WRAPPING_TOKEN : err;
}

/* ---- sweeping ----------------------------------------------------------------------- */

struct sweep {
	struct access *access;
	struct bulla_call *call;
	struct slots ended;
	int64_t now_ns;
};

static enum bulla_err visit_end(const struct store_record *record, void *context)
{
	struct sweep *sweep = context;
	struct bulla_bytes plain;
	struct store_id slot;

	if (sweep->ended.count == SWEEP_MAX)
		return BULLA_OK;
	enum bulla_err err = barrier_open(sweep->access->seal, sweep->call, record, &plain);

	if (err == BULLA_E_STORE_DAMAGED) { /* the others go all the same */
		sweep->call->detail = (struct bulla_bytes){ 0 };
		return BULLA_OK;
	}
	TRY(err);
	struct unpack in = { .ptr = plain.ptr, .left = plain.len };
	uint8_t format = unpack_u8(&in);
	int64_t end_ns = unpack_i64(&in);
	const uint8_t *bytes = unpack_raw(&in, sizeof slot.bytes);

	if (format != RECORD_FORMAT || bytes == NULL)
		return BULLA_E_STORE_DAMAGED;
	TRY(unpack_finish(&in));
	if (end_ns > sweep->now_ns)
		return BULLA_OK;
	memcpy(slot.bytes, bytes, sizeof slot.bytes);
	return slots_add(sweep->call, &sweep->ended, &slot);
}

/* Destroys replies whose time is over. Now and then, by whoever wraps another one: what fails is tried again the next time. */
static enum bulla_err sweep_ended(struct access *access, struct bulla_call *call)
{
	struct sweep sweep = { access, call, { 0 }, bulla_clock_ns() };
	int64_t due_ns = atomic_load(&access->next_sweep_ns);
	struct store_id id;

	if (sweep.now_ns < due_ns ||
	    !atomic_compare_exchange_strong(&access->next_sweep_ns, &due_ns, sweep.now_ns + SWEEP_PAUSE_NS))
		return BULLA_OK;
	TRY(wrapped_slot(access, "wrapped-end", NULL, &id));
	TRY(store_scan(access->store, call, id.bytes, visit_end, &sweep));
	for (size_t i = 0; i < sweep.ended.count; i++)
		TRY(token_revoke(access, call, &sweep.ended.items[i]));
	if (sweep.ended.count == SWEEP_MAX)
		atomic_store(&access->next_sweep_ns, 0);
	return BULLA_OK;
}

/* ---- public ------------------------------------------------------------------------- */

static bool may_be_token(struct bulla_bytes text)
{
	return text.len > 0 && text.len <= TOKEN_MAX_BYTES;
}

static enum bulla_err wrap(struct access *access, struct bulla_call *call, const struct bulla_wrapping_args *args,
			   struct bulla_wrapping *out)
{
	struct wrapping wrapping = { &args->reply, args->ttl_s, NULL, name_of(call, args->display_name) };

	TRY(make(access, call, &wrapping, args->creation_path, out));
	enum bulla_err swept = sweep_ended(access, call);

	(void)swept;
	call->detail = (struct bulla_bytes){ 0 };
	return BULLA_OK;
}

enum bulla_err bulla_wrapping_new(struct bulla *engine, struct bulla_call *call, const struct bulla_wrapping_args *args,
				  struct bulla_wrapping *out)
{
	if (args->ttl_s < 1 || args->ttl_s > BULLA_WRAPPING_MAX_TTL_S)
		return bulla_fail(call, BULLA_E_INVALID, "requested wrap ttl is out of range");
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, wrap(engine->access, call, args, out));
}

enum bulla_err bulla_wrapping_lookup(struct bulla *engine, struct bulla_call *call, struct bulla_bytes token,
				     struct bulla_wrapping *out)
{
	if (!may_be_token(token))
		return BULLA_E_WRAPPING_TOKEN;
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, lookup(engine->access, call, token, out));
}

enum bulla_err bulla_wrapping_open(struct bulla *engine, struct bulla_call *call, struct bulla_bytes token,
				   struct bulla_wrapped *out)
{
	if (!may_be_token(token))
		return BULLA_E_WRAPPING_TOKEN;
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, use(engine->access, call, token, out, NULL));
}

enum bulla_err bulla_wrapping_renew(struct bulla *engine, struct bulla_call *call, struct bulla_bytes token,
				    struct bulla_wrapping *out)
{
	if (!may_be_token(token))
		return BULLA_E_WRAPPING_TOKEN;
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, use(engine->access, call, token, NULL, out));
}
