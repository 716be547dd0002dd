/* token_record.c: a token's record, and the immutable snapshot made from it. The token's text is in neither. Any thread. */
#include <stdlib.h>

#include "access/access_private.h"
#include "base/pack.h"

#define RECORD_FORMAT 2
#define RECORD_FORMAT_OLD 1 /* without what stands behind the metadata */
#define NS_PER_S INT64_C(1000000000)

enum { FLAG_ORPHAN = 1 << 0, FLAG_RENEWABLE = 1 << 1, FLAG_META_NULL = 1 << 2, FLAG_ROOT = 1 << 3, FLAGS_KNOWN = (1 << 4) - 1 };

enum bulla_err token_pack(struct bulla_call *call, const struct bulla_token *t, const struct store_id *parent,
			  struct bulla_bytes *out)
{
	struct pack pack = { .arena = call->arena };

	pack_u8(&pack, RECORD_FORMAT);
	pack_u8(&pack, (uint8_t)((t->orphan ? FLAG_ORPHAN : 0) | (t->renewable ? FLAG_RENEWABLE : 0) |
				 (t->meta_null ? FLAG_META_NULL : 0) | (t->root ? FLAG_ROOT : 0)));
	pack_raw(&pack, parent->bytes, sizeof parent->bytes);
	pack_i64(&pack, t->created_date_ns);
	pack_i64(&pack, t->issued_ns);
	pack_i64(&pack, t->last_renewal_ns);
	pack_i64(&pack, t->creation_ttl_s);
	pack_i64(&pack, t->ttl_s);
	pack_i64(&pack, t->period_s);
	pack_i64(&pack, t->explicit_max_ttl_s);
	pack_u32(&pack, (uint32_t)t->num_uses);
	pack_bytes(&pack, t->accessor);
	pack_bytes(&pack, t->display_name);
	pack_bytes(&pack, t->path);
	pack_list(&pack, t->policies, t->policy_count);
	pack_pairs(&pack, t->meta, t->meta_count);
	pack_u8(&pack, (uint8_t)t->type);
	pack_list(&pack, t->bound_cidrs, t->bound_cidr_count);
	pack_bytes(&pack, t->role);
	pack_bytes(&pack, t->login_name);
	if (pack.len > TOKEN_MAX_RECORD)
		return bulla_fail(call, BULLA_E_INVALID, "policies and metadata of a token are limited to %d bytes",
				  TOKEN_MAX_RECORD);
	return pack_finish(&pack, out);
}

/* lists has a slot for every four bytes of the record, and an element takes at least four. *end gets what is left of them. */
static const struct bulla_bytes *unpack_into(struct unpack *in, struct bulla_bytes *lists, size_t *count, struct bulla_bytes **end)
{
	*count = unpack_count(in, 4);
	for (size_t i = 0; i < *count; i++)
		lists[i] = unpack_bytes(in);
	*end = lists + *count;
	return lists;
}

/* A pair takes eight bytes, and the place of two elements. */
static const struct bulla_pair *unpack_pairs_into(struct unpack *in, struct bulla_bytes *lists, size_t *count, struct bulla_bytes **end)
{
	struct bulla_pair *pairs = (struct bulla_pair *)(void *)lists;

	*count = unpack_count(in, 8);
	for (size_t i = 0; i < *count; i++) {
		pairs[i].key = unpack_bytes(in);
		pairs[i].value = unpack_bytes(in);
	}
	*end = lists + 2 * *count;
	return pairs;
}

static enum bulla_err unpack_rest(struct unpack *in, uint8_t format, struct bulla_bytes *lists, struct bulla_token *t)
{
	t->policies = unpack_into(in, lists, &t->policy_count, &lists);
	t->meta = unpack_pairs_into(in, lists, &t->meta_count, &lists);
	if (format == RECORD_FORMAT_OLD)
		return unpack_finish(in);
	uint8_t type = unpack_u8(in);

	t->bound_cidrs = unpack_into(in, lists, &t->bound_cidr_count, &lists);
	t->role = unpack_bytes(in);
	t->login_name = unpack_bytes(in);
	if (type > BULLA_TOKEN_BATCH)
		return BULLA_E_STORE_DAMAGED;
	t->type = type;
	return unpack_finish(in);
}

static enum bulla_err unpack_public(struct token *token)
{
	struct unpack in = { .ptr = token->record, .left = token->record_len };
	struct bulla_token *t = &token->public;
	uint8_t format = unpack_u8(&in), flags = unpack_u8(&in);
	const uint8_t *parent = unpack_raw(&in, sizeof token->parent.bytes);

	if ((format != RECORD_FORMAT && format != RECORD_FORMAT_OLD) || parent == NULL || (flags & ~FLAGS_KNOWN) != 0)
		return BULLA_E_STORE_DAMAGED;
	memcpy(token->parent.bytes, parent, sizeof token->parent.bytes);
	t->orphan = flags & FLAG_ORPHAN;
	t->renewable = flags & FLAG_RENEWABLE;
	t->meta_null = flags & FLAG_META_NULL;
	t->root = flags & FLAG_ROOT;
	t->created_date_ns = unpack_i64(&in);
	t->issued_ns = unpack_i64(&in);
	t->last_renewal_ns = unpack_i64(&in);
	t->creation_ttl_s = unpack_i64(&in);
	t->ttl_s = unpack_i64(&in);
	t->period_s = unpack_i64(&in);
	t->explicit_max_ttl_s = unpack_i64(&in);
	t->num_uses = (int32_t)unpack_u32(&in);
	t->accessor = unpack_bytes(&in);
	t->display_name = unpack_bytes(&in);
	t->path = unpack_bytes(&in);
	if (t->ttl_s < 0 || t->ttl_s > TOKEN_MAX_TTL_S)
		return BULLA_E_STORE_DAMAGED;
	return unpack_rest(&in, format, token->lists, t);
}

static void token_free(struct token *token)
{
	free(token->lists);
	free(token->record);
	free(token);
}

/* Slots are HMACs: nobody chooses one that meets another. */
uint64_t token_family_of(const struct store_id *slot)
{
	uint64_t family;

	memcpy(&family, slot->bytes + STORE_COLLECTION, sizeof family);
	return family | 1;
}

enum bulla_err token_unpack(struct bulla_bytes record, const struct store_id *slot, uint64_t revision, struct token **out)
{
	struct token *token = calloc(1, sizeof *token);
	size_t lists = (record.len / 4 + 1) * sizeof(struct bulla_bytes);

	if (token == NULL)
		return BULLA_E_NO_MEMORY;
	atomic_init(&token->snapshot.refs, 1);
	token->snapshot.id = *slot;
	token->family = token_family_of(slot);
	token->revision = revision;
	token->record_len = record.len;
	token->record = malloc(record.len + 1);
	token->lists = calloc(1, lists);
	token->snapshot.bytes = sizeof *token + record.len + lists;
	if (token->record == NULL || token->lists == NULL) {
		token_free(token);
		return BULLA_E_NO_MEMORY;
	}
	memcpy(token->record, record.ptr, record.len);
	enum bulla_err err = unpack_public(token);

	if (err != BULLA_OK) {
		token_free(token);
		return err;
	}
	const struct bulla_token *t = &token->public;
	int64_t start_ns = t->last_renewal_ns != 0 ? t->last_renewal_ns : t->issued_ns;

	token->end_ns = t->ttl_s == 0 ? INT64_MAX : start_ns + t->ttl_s * NS_PER_S;
	token->bound_ns = INT64_MAX;
	*out = token;
	return BULLA_OK;
}

void token_put(struct token *token)
{
	if (token != NULL && snapshot_release(&token->snapshot))
		token_free(token);
}

bool token_has_parent(const struct token *token)
{
	static const struct store_id none;

	return memcmp(token->parent.bytes, none.bytes, sizeof none.bytes) != 0;
}

bool token_is_dead(const struct token *token, int64_t now_ns)
{
	return token->public.num_uses < 0 || now_ns >= token->end_ns;
}
