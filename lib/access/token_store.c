/* token_store.c: tokens, accessors and children in the store, and the stripes that keep changes of one token apart.
 * Workers only. */
#include "access/access_private.h"
#include "base/pack.h"

#define MAX_DEPTH 256 /* of ancestors */

enum bulla_err access_begin(struct access *access, struct bulla_call *call)
{
	TRY(bulla_work(call, BULLA_WORK_DISK));
	return seal_hold(access->seal);
}

enum bulla_err access_end(struct access *access, enum bulla_err err)
{
	seal_release(access->seal);
	return err;
}

static pthread_rwlock_t *stripe(struct access *access, const struct store_id *slot)
{
	return &access->stripes[slot->bytes[sizeof slot->bytes - 1] % TOKEN_STRIPES];
}

void stripe_lock(struct access *access, const struct store_id *slot)
{
	pthread_rwlock_wrlock(stripe(access, slot));
}

void stripe_share(struct access *access, const struct store_id *slot)
{
	pthread_rwlock_rdlock(stripe(access, slot));
}

void stripe_unlock(struct access *access, const struct store_id *slot)
{
	pthread_rwlock_unlock(stripe(access, slot));
}

/* ---- slots ----------------------------------------------------------------- */

enum bulla_err token_slot(struct access *access, struct bulla_bytes text, struct store_id *out)
{
	struct barrier_name name = { .kind = "token", .item = text };

	return barrier_slot(access->seal, &name, out);
}

enum bulla_err accessor_slot(struct access *access, struct bulla_bytes accessor, struct store_id *out)
{
	struct barrier_name name = { .kind = "accessor", .item = accessor };

	return barrier_slot(access->seal, &name, out);
}

enum bulla_err child_slot(struct access *access, const struct store_id *parent, const struct store_id *child,
			  struct store_id *out)
{
	struct barrier_name name = { .kind = "child", .scope = bulla_mem(parent->bytes, sizeof parent->bytes) };

	if (child != NULL)
		name.item = bulla_mem(child->bytes, sizeof child->bytes);
	return barrier_slot(access->seal, &name, out);
}

/* ---- tokens ---------------------------------------------------------------- */

enum bulla_err token_read(struct access *access, struct bulla_call *call, const struct store_id *slot, struct token **out)
{
	unsigned epoch = snapshots_epoch(&access->cache, slot);
	struct store_record record;
	struct bulla_bytes plain;

	TRY(store_get(access->store, call, slot, &record));
	enum bulla_err err = barrier_open(access->seal, call, &record, &plain);
	if (err == BULLA_OK)
		err = token_unpack(plain, slot, record.revision, out);
	if (err == BULLA_E_STORE_DAMAGED)
		return bulla_fail(call, err, "the record of a token is damaged");
	if (err == BULLA_OK)
		(*out)->snapshot.epoch = epoch;
	return err;
}

/* A cached ancestor knows about its own ancestors. */
static bool bound_by_cached(struct access *access, const struct store_id *slot, unsigned generation, int64_t now_ns,
			    struct token *token)
{
	struct token *ancestor = cache_find_slot(access, slot);
	bool good = ancestor != NULL && !token_is_dead(ancestor, now_ns) && now_ns < ancestor->bound_ns &&
		    ancestor->generation == generation;

	if (good) {
		int64_t end_ns = ancestor->end_ns < ancestor->bound_ns ? ancestor->end_ns : ancestor->bound_ns;

		token->bound_ns = end_ns < token->bound_ns ? end_ns : token->bound_ns;
		if (!ancestor->public.root)
			token->family = ancestor->family;
	}
	token_put(ancestor);
	return good;
}

enum bulla_err check_ancestors(struct access *access, struct bulla_call *call, struct token *token, unsigned generation)
{
	int64_t now_ns = bulla_clock_ns();
	struct store_id slot = token->parent;
	bool more = token_has_parent(token);

	for (unsigned depth = 0; more; depth++) {
		struct token *ancestor;

		if (depth == MAX_DEPTH)
			return BULLA_E_NO_TOKEN;
		if (bound_by_cached(access, &slot, generation, now_ns, token))
			return BULLA_OK;
		enum bulla_err err = token_read(access, call, &slot, &ancestor);

		if (err == BULLA_E_NOT_FOUND)
			return BULLA_E_NO_TOKEN;
		TRY(err);
		bool dead = token_is_dead(ancestor, now_ns);

		if (ancestor->end_ns < token->bound_ns)
			token->bound_ns = ancestor->end_ns;
		if (!ancestor->public.root)
			token->family = token_family_of(&ancestor->snapshot.id);
		more = token_has_parent(ancestor);
		slot = ancestor->parent;
		token_put(ancestor);
		if (dead)
			return BULLA_E_NO_TOKEN;
	}
	return BULLA_OK;
}

enum bulla_err token_load(struct access *access, struct bulla_call *call, const struct store_id *slot, struct token **out)
{
	unsigned generation = atomic_load(&access->generation); /* before anything is read: see access_private.h */
	struct token *token;

	TRY(token_read(access, call, slot, &token));
	token->generation = generation;
	enum bulla_err err = token_is_dead(token, bulla_clock_ns()) ? BULLA_E_NO_TOKEN
									  : check_ancestors(access, call, token, generation);

	if (err != BULLA_OK) {
		token_put(token);
		return err;
	}
	*out = token;
	return BULLA_OK;
}

/* It is filed by its end, and once more when it is used up. */
static enum bulla_err file_again(struct access *access, struct bulla_call *call, const struct token *before,
				 const struct token *after, struct store_write *writes, size_t *count)
{
	if (after->public.num_uses < 0 && before->public.num_uses >= 0)
		return expiry_file_now(access, call, after, writes, count);
	if (after->end_ns == before->end_ns)
		return BULLA_OK;
	size_t was = *count;

	TRY(expiry_deletion(access, before, writes, count));
	TRY(expiry_file(access, call, after, writes, count));
	if (*count == was + 2 && memcmp(&writes[was].id, &writes[was + 1].id, sizeof writes[was].id) == 0)
		*count = was; /* the same minute: the entry says no more than that */
	return BULLA_OK;
}

static enum bulla_err commit_replacement(struct access *access, struct bulla_call *call, const struct token *before,
					 const struct token *after, const struct store_write *own)
{
	struct store_write writes[3] = { *own };
	size_t count = 1;

	TRY(file_again(access, call, before, after, writes, &count));
	return store_commit(access->store, call, writes, count, NULL);
}

enum bulla_err token_replace(struct access *access, struct bulla_call *call, const struct token *before,
			     const struct bulla_token *changed, const struct store_id *parent, struct token **out)
{
	struct store_write write = { .id = before->snapshot.id, .change = STORE_PUT, .expected = before->revision };
	struct bulla_bytes record;
	struct token *made;

	TRY(token_pack(call, changed, parent, &record));
	TRY(barrier_seal(access->seal, call, &write.id, before->revision + 1, record, &write.bytes));
	TRY(token_unpack(record, &before->snapshot.id, before->revision + 1, &made));
	made->snapshot.epoch = snapshots_epoch(&access->cache, &write.id);
	made->bound_ns = before->bound_ns;
	made->family = before->family;
	made->generation = before->generation;
	enum bulla_err err = commit_replacement(access, call, before, made, &write);

	if (err != BULLA_OK) {
		token_put(made);
		return err;
	}
	*out = made;
	return BULLA_OK;
}

/* ---- accessors and children ------------------------------------------------ */

enum bulla_err accessor_read(struct access *access, struct bulla_call *call, struct bulla_bytes accessor, struct store_id *slot)
{
	struct store_record record;
	struct bulla_bytes plain;
	struct store_id id;

	TRY(accessor_slot(access, accessor, &id));
	enum bulla_err err = store_get(access->store, call, &id, &record);

	if (err == BULLA_E_NOT_FOUND)
		return BULLA_E_BAD_ACCESSOR;
	TRY(err);
	TRY(barrier_open(access->seal, call, &record, &plain));
	struct unpack in = { .ptr = plain.ptr, .left = plain.len };
	uint8_t format = unpack_u8(&in);
	const uint8_t *bytes = unpack_raw(&in, sizeof slot->bytes);

	(void)unpack_bytes(&in); /* the accessor itself, for listing */
	if (format != 1 || bytes == NULL)
		return BULLA_E_STORE_DAMAGED;
	TRY(unpack_finish(&in));
	memcpy(slot->bytes, bytes, sizeof slot->bytes);
	return BULLA_OK;
}

enum bulla_err slots_add(struct bulla_call *call, struct slots *slots, const struct store_id *slot)
{
	if (slots->count == slots->room) {
		size_t room = slots->room ? slots->room * 2 : 16;
		struct store_id *grown = bulla_arena_alloc(call->arena, room * sizeof *grown);

		if (grown == NULL)
			return BULLA_E_NO_MEMORY;
		if (slots->count > 0)
			memcpy(grown, slots->items, slots->count * sizeof *grown);
		slots->items = grown;
		slots->room = room;
	}
	slots->items[slots->count++] = *slot;
	return BULLA_OK;
}

struct reading {
	struct access *access;
	struct bulla_call *call;
	struct slots *slots;
};

static enum bulla_err read_child(const struct store_record *record, void *context)
{
	struct reading *reading = context;
	struct bulla_bytes plain;
	struct store_id slot;

	enum bulla_err err = barrier_open(reading->access->seal, reading->call, record, &plain);

	if (err == BULLA_E_STORE_DAMAGED) { /* that child cannot be found from here; without its parent it is dead all the same */
		reading->call->detail = (struct bulla_bytes){ 0 };
		return BULLA_OK;
	}
	TRY(err);
	if (plain.len != 1 + sizeof slot.bytes || plain.ptr[0] != 1)
		return BULLA_E_STORE_DAMAGED;
	memcpy(slot.bytes, plain.ptr + 1, sizeof slot.bytes);
	return slots_add(reading->call, reading->slots, &slot);
}

enum bulla_err children_read(struct access *access, struct bulla_call *call, const struct store_id *parent, struct slots *out)
{
	struct reading reading = { access, call, out };
	struct store_id id;

	TRY(child_slot(access, parent, NULL, &id));
	return store_scan(access->store, call, id.bytes, read_child, &reading);
}
