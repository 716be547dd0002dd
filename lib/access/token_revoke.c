/* token_revoke.c: ending tokens, with all that descend from them. A token whose ancestor is gone is dead wherever it is loaded,
 * so a crash in the middle leaves nothing that works: at most records that nobody can use. Workers only. */
#include "access/access_private.h"

#define CHUNK 64 /* tokens a commit */

enum bulla_err token_deletions(struct access *access, const struct store_id *slot, const struct token *token,
			       struct store_write *out, size_t *count)
{
	struct store_id id;

	out[(*count)++] = (struct store_write){ .id = *slot, .change = STORE_DELETE, .expected = STORE_ANY_REVISION };
	if (token == NULL)
		return wrapping_deletions(access, slot, out, count);
	TRY(accessor_slot(access, token->public.accessor, &id));
	out[(*count)++] = (struct store_write){ .id = id, .change = STORE_DELETE, .expected = STORE_ANY_REVISION };
	TRY(expiry_deletion(access, token, out, count));
	if (token_is_wrapping(token))
		TRY(wrapping_deletions(access, slot, out, count));
	if (!token_has_parent(token))
		return BULLA_OK;
	TRY(child_slot(access, &token->parent, &token->snapshot.id, &id));
	out[(*count)++] = (struct store_write){ .id = id, .change = STORE_DELETE, .expected = STORE_ANY_REVISION };
	return BULLA_OK;
}

/* NOT_FOUND. *out NULL: its record is damaged, which must not keep it from being revoked. */
static enum bulla_err read_any(struct access *access, struct bulla_call *call, const struct store_id *slot, struct token **out)
{
	*out = NULL;
	enum bulla_err err = token_read(access, call, slot, out);

	if (err != BULLA_E_STORE_DAMAGED)
		return err;
	call->detail = (struct bulla_bytes){ 0 };
	return BULLA_OK;
}

/* Everything below root, parents before their children. */
static enum bulla_err descendants(struct access *access, struct bulla_call *call, const struct store_id *root, struct slots *out)
{
	TRY(children_read(access, call, root, out));
	for (size_t i = 0; i < out->count; i++) {
		struct store_id slot = out->items[i];

		TRY(children_read(access, call, &slot, out));
	}
	return BULLA_OK;
}

/* After their records have gone: whatever fails now, none of them works any more. */
static enum bulla_err forget(struct access *access, struct bulla_call *call, const struct store_id *slots, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cache_drop(access, &slots[i]);
	atomic_fetch_add(&access->revocations, 1);
	for (size_t i = 0; i < count; i++) {
		/* whoever was writing to its cubbyhole meanwhile has finished, and nobody else will begin: nor on another node, where
		 * the commit is refused */
		stripe_lock(access, &slots[i]);
		stripe_unlock(access, &slots[i]);
		TRY(cubbyhole_clear(access, call, &slots[i]));
	}
	return BULLA_OK;
}

static enum bulla_err delete_chunk(struct access *access, struct bulla_call *call, const struct store_id *slots, size_t count)
{
	struct store_write writes[TOKEN_MAX_DELETIONS * CHUNK];
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		struct token *token;
		enum bulla_err err = read_any(access, call, &slots[i], &token);

		if (err == BULLA_E_NOT_FOUND)
			continue;
		TRY(err);
		err = token_deletions(access, &slots[i], token, writes, &n);
		token_put(token);
		TRY(err);
		TRY(cubbyhole_clear(access, call, &slots[i]));
	}
	if (n > 0)
		TRY(store_commit(access->store, call, writes, n, NULL));
	return forget(access, call, slots, count);
}

/* Children that other nodes have made until their parents' records were gone: there will be no more. */
static enum bulla_err read_late(struct access *access, struct bulla_call *call, const struct store_id *parents, size_t count, struct slots *out)
{
	for (size_t i = 0; i < count && store_is_shared(access->store); i++)
		TRY(children_read(access, call, &parents[i], out));
	return BULLA_OK;
}

/* Takes the last n of slots away. Their late children take their place. */
static enum bulla_err delete_last(struct access *access, struct bulla_call *call, struct slots *slots, size_t n)
{
	struct slots late = { 0 };

	slots->count -= n;
	TRY(delete_chunk(access, call, slots->items + slots->count, n));
	TRY(read_late(access, call, slots->items + slots->count, n, &late));
	for (size_t i = 0; i < late.count; i++)
		TRY(slots_add(call, slots, &late.items[i]));
	return BULLA_OK;
}

/* From the leaves up: what is left after a failure is found again from the root. */
static enum bulla_err delete_descendants(struct access *access, struct bulla_call *call, const struct store_id *root)
{
	struct slots slots = { 0 };

	TRY(descendants(access, call, root, &slots));
	while (slots.count > 0)
		TRY(delete_last(access, call, &slots, slots.count < CHUNK ? slots.count : CHUNK));
	return BULLA_OK;
}

/* With the stripe held, which is no other node's: what one of those has put into the cubbyhole goes afterwards. */
static enum bulla_err delete_one(struct access *access, struct bulla_call *call, const struct store_id *slot,
				 const struct token *token)
{
	struct store_write writes[TOKEN_MAX_WRITES];
	size_t n = 0;

	TRY(token_deletions(access, slot, token, writes, &n));
	TRY(cubbyhole_clear(access, call, slot));
	TRY(store_commit(access->store, call, writes, n, NULL));
	cache_drop(access, slot);
	atomic_fetch_add(&access->revocations, 1);
	return store_is_shared(access->store) ? cubbyhole_clear(access, call, slot) : BULLA_OK;
}

/* Most tokens have no children: one commit. *leaf: it is done. */
static enum bulla_err revoke_leaf(struct access *access, struct bulla_call *call, const struct store_id *slot, bool *leaf)
{
	struct slots children = { 0 };
	struct token *token;
	enum bulla_err err = read_any(access, call, slot, &token);

	*leaf = true;
	if (err == BULLA_E_NOT_FOUND)
		return BULLA_OK;
	TRY(err);
	err = children_read(access, call, slot, &children);
	*leaf = children.count == 0;
	if (err == BULLA_OK && *leaf)
		err = delete_one(access, call, slot, token);
	token_put(token);
	TRY(err);
	TRY(read_late(access, call, slot, *leaf ? 1 : 0, &children));
	*leaf = children.count == 0;
	return BULLA_OK;
}

static enum bulla_err revoke_root(struct access *access, struct bulla_call *call, const struct store_id *slot)
{
	struct token *token;
	enum bulla_err err = read_any(access, call, slot, &token);

	if (err == BULLA_E_NOT_FOUND)
		return BULLA_OK;
	TRY(err);
	err = delete_one(access, call, slot, token);
	token_put(token);
	return err;
}

static enum bulla_err revoke_tree(struct access *access, struct bulla_call *call, const struct store_id *slot)
{
	TRY(delete_descendants(access, call, slot));
	stripe_lock(access, slot);
	enum bulla_err err = revoke_root(access, call, slot);

	stripe_unlock(access, slot);
	TRY(err);
	return store_is_shared(access->store) ? delete_descendants(access, call, slot) : BULLA_OK; /* that came late */
}

enum bulla_err token_revoke(struct access *access, struct bulla_call *call, const struct store_id *slot)
{
	bool leaf;

	stripe_lock(access, slot);
	enum bulla_err err = revoke_leaf(access, call, slot, &leaf);

	stripe_unlock(access, slot);
	if (err != BULLA_OK || leaf)
		return err;
	err = revoke_tree(access, call, slot);
	/* Children made since they were read, and those that could not be found, have a dead parent now, also where only some of
	 * the tree is gone: those that are cached have to find out. */
	atomic_fetch_add(&access->generation, 1);
	return err;
}

/* ---- what has ended ---------------------------------------------------------- */

struct ended {
	struct store_write writes[(TOKEN_MAX_DELETIONS + 1) * ENDED_AT_ONCE];
	size_t write_count;
	struct store_id slots[ENDED_AT_ONCE]; /* of those that writes delete */
	size_t count;
};

/* The commit demands the record that was read: a renewal that began in time may come first, or another token of the same text may have
 * been made meanwhile, by root's wish. */
static enum bulla_err add_ended(struct access *access, struct bulla_call *call, struct ended *ended, const struct store_id *slot, const struct token *token)
{
	size_t first = ended->write_count;

	TRY(token_deletions(access, slot, token, ended->writes, &ended->write_count));
	ended->writes[first].expected = token->revision;
	ended->slots[ended->count++] = *slot;
	return cubbyhole_clear(access, call, slot);
}

/* *remove: it has ended, or nothing can be read of it. *token NULL: damaged. Gone: neither. */
static enum bulla_err read_ended(struct access *access, struct bulla_call *call, const struct store_id *slot, bool *remove,
				 struct token **token)
{
	struct token *living;

	*remove = false;
	enum bulla_err err = token_load(access, call, slot, &living);

	if (err == BULLA_OK)
		token_put(living);
	if (err == BULLA_OK || err == BULLA_E_NOT_FOUND)
		return BULLA_OK;
	if (err != BULLA_E_NO_TOKEN && err != BULLA_E_STORE_DAMAGED)
		return err;
	err = read_any(access, call, slot, token);
	*remove = err == BULLA_OK;
	return err == BULLA_E_NOT_FOUND ? BULLA_OK : err;
}

static enum bulla_err collect_ended(struct access *access, struct bulla_call *call, const struct store_id *slot,
				    struct ended *ended, uint64_t *removed)
{
	struct slots children = { 0 };
	struct token *token = NULL;
	bool remove;

	TRY(read_ended(access, call, slot, &remove, &token));
	if (!remove)
		return BULLA_OK;
	++*removed;
	enum bulla_err err = token != NULL ? children_read(access, call, slot, &children) : BULLA_OK;
	bool alone = token != NULL && children.count == 0;

	if (err == BULLA_OK && alone)
		err = add_ended(access, call, ended, slot, token);
	token_put(token);
	return err == BULLA_OK && !alone ? token_revoke(access, call, slot) : err;
}

/* One of those that another came first with: as far as it is there and has ended. A renewed one is filed elsewhere by now. */
static enum bulla_err remove_one(struct access *access, struct bulla_call *call, const struct store_id *slot, struct ended *one)
{
	struct token *token = NULL;
	bool remove;

	TRY(read_ended(access, call, slot, &remove, &token));
	if (!remove)
		return BULLA_OK;
	if (token == NULL)
		return token_revoke(access, call, slot);
	one->write_count = one->count = 0;
	enum bulla_err err = add_ended(access, call, one, slot, token);

	token_put(token);
	if (err == BULLA_OK)
		err = store_commit(access->store, call, one->writes, one->write_count, NULL);
	if (err == BULLA_E_CONFLICT)
		return BULLA_OK;
	TRY(err);
	return forget(access, call, one->slots, one->count);
}

static enum bulla_err commit_ended(struct access *access, struct bulla_call *call, struct ended *ended)
{
	enum bulla_err err = BULLA_OK;

	if (ended->write_count > 0)
		err = store_commit(access->store, call, ended->writes, ended->write_count, NULL);
	if (err == BULLA_OK && ended->count > 0)
		return forget(access, call, ended->slots, ended->count);
	if (err != BULLA_E_CONFLICT)
		return err;
	struct ended *one = bulla_arena_alloc(call->arena, sizeof *one);

	if (one == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < ended->count; i++)
		TRY(remove_one(access, call, &ended->slots[i], one));
	return BULLA_OK;
}

enum bulla_err tokens_remove_ended(struct access *access, struct bulla_call *call, const struct store_id *slots,
				   const struct store_id *entries, size_t count, uint64_t *removed)
{
	struct ended *ended = bulla_arena_alloc(call->arena, sizeof *ended);

	if (ended == NULL)
		return BULLA_E_NO_MEMORY;
	ended->write_count = ended->count = 0;
	for (size_t i = 0; i < count; i++)
		TRY(collect_ended(access, call, &slots[i], ended, removed));
	TRY(commit_ended(access, call, ended));
	if (entries == NULL || count == 0)
		return BULLA_OK;
	for (size_t i = 0; i < count; i++)
		ended->writes[i] = (struct store_write){ .id = entries[i], .change = STORE_DELETE, .expected = STORE_ANY_REVISION };
	return store_commit(access->store, call, ended->writes, count, NULL);
}

/* Nothing is stored of a batch token that could be deleted. */
static enum bulla_err refuse_batch(struct access *access, struct bulla_call *call, struct bulla_bytes text)
{
	struct token *token;

	if (!batch_is(text))
		return BULLA_OK;
	enum bulla_err err = batch_load(access, call, text, &token);

	if (err == BULLA_E_NO_TOKEN)
		return BULLA_OK; /* as unknown as any other */
	TRY(err);
	token_put(token);
	return bulla_fail(call, BULLA_E_INVALID, "batch tokens cannot be revoked");
}

/* ---- orphaning ------------------------------------------------------------- */

/* NOT_FOUND; CONFLICT: it was changed meanwhile. */
static enum bulla_err make_orphan(struct access *access, struct bulla_call *call, const struct store_id *child)
{
	static const struct store_id nobody;
	struct token *before, *after = NULL;

	TRY(token_read(access, call, child, &before));
	struct bulla_token changed = before->public;

	changed.orphan = true;
	enum bulla_err err = token_replace(access, call, before, &changed, &nobody, &after);

	token_put(before);
	token_put(after);
	return err;
}

static enum bulla_err orphan(struct access *access, struct bulla_call *call, const struct store_id *parent,
			     const struct store_id *child)
{
	struct store_write entry = { .change = STORE_DELETE, .expected = STORE_ANY_REVISION };
	enum bulla_err err = BULLA_E_CONFLICT;

	TRY(child_slot(access, parent, child, &entry.id));
	for (int tries = 0; err == BULLA_E_CONFLICT && tries < STORE_TRIES; tries++)
		err = make_orphan(access, call, child);
	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
		return err;
	cache_drop(access, child);
	return store_commit(access->store, call, &entry, 1, NULL);
}

static enum bulla_err revoke_orphan(struct access *access, struct bulla_call *call, struct bulla_bytes text)
{
	struct slots children = { 0 };
	struct store_id slot;
	struct token *token;

	TRY(refuse_batch(access, call, text));
	TRY(token_slot(access, text, &slot));
	enum bulla_err err = token_load(access, call, &slot, &token);

	if (err == BULLA_E_NOT_FOUND || err == BULLA_E_NO_TOKEN)
		return bulla_fail(call, BULLA_E_INVALID, "token to revoke not found");
	TRY(err);
	token_put(token);
	TRY(children_read(access, call, &slot, &children));
	for (size_t i = 0; i < children.count; i++) {
		stripe_lock(access, &children.items[i]);
		err = orphan(access, call, &slot, &children.items[i]);
		stripe_unlock(access, &children.items[i]);
		TRY(err);
	}
	return token_revoke(access, call, &slot);
}

enum bulla_err bulla_token_revoke_orphan(struct bulla *engine, struct bulla_call *call, struct bulla_bytes text)
{
	if (text.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "missing token ID");
	enum bulla_err sudo = call->token == NULL ? BULLA_E_DENIED
						  : token_may_sudo(engine->access, call->token, bulla_str("auth/token/revoke-orphan"));

	if (sudo != BULLA_OK && sudo != BULLA_E_DENIED)
		return sudo;
	if (sudo != BULLA_OK)
		return bulla_fail(call, BULLA_E_INVALID, "root or sudo privileges required to revoke and orphan");
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, revoke_orphan(engine->access, call, text));
}

/* ---- by token, by accessor, oneself ---------------------------------------- */

static enum bulla_err revoke_text(struct access *access, struct bulla_call *call, struct bulla_bytes text)
{
	struct store_id slot;

	TRY(refuse_batch(access, call, text));
	TRY(token_slot(access, text, &slot));
	return token_revoke(access, call, &slot);
}

enum bulla_err bulla_token_revoke(struct bulla *engine, struct bulla_call *call, struct bulla_bytes text)
{
	if (text.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "missing token ID");
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, revoke_text(engine->access, call, text));
}

enum bulla_err bulla_token_revoke_self(struct bulla *engine, struct bulla_call *call)
{
	const struct token *self = (const struct token *)(const void *)call->token;

	if (self == NULL)
		return BULLA_E_NO_TOKEN;
	if (self->public.type == BULLA_TOKEN_BATCH)
		return bulla_fail(call, BULLA_E_INVALID, "batch tokens cannot be revoked");
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, token_revoke(engine->access, call, &self->snapshot.id));
}

static enum bulla_err revoke_accessor(struct access *access, struct bulla_call *call, struct bulla_bytes accessor)
{
	struct store_id slot;
	struct token *token;
	enum bulla_err err = accessor_read(access, call, accessor, &slot);

	if (err == BULLA_OK)
		err = token_load(access, call, &slot, &token);
	if (err == BULLA_OK)
		token_put(token);
	if (err == BULLA_E_NO_TOKEN)
		TRY(token_revoke(access, call, &slot));
	if (err == BULLA_E_BAD_ACCESSOR || err == BULLA_E_NOT_FOUND || err == BULLA_E_NO_TOKEN)
		return bulla_warn(call, "No token found with this accessor");
	TRY(err);
	return token_revoke(access, call, &slot);
}

enum bulla_err bulla_token_revoke_accessor(struct bulla *engine, struct bulla_call *call, struct bulla_bytes accessor)
{
	if (accessor.len == 0)
		return bulla_fail(call, BULLA_E_INVALID_LISTED, "missing accessor");
	TRY(access_begin(engine->access, call));
	return access_end(engine->access, revoke_accessor(engine->access, call, accessor));
}
