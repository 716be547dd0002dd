/* approle_record.c: roles and secret ids as documents. Layouts: docs/FORMATS.md. Workers only. */
#include "auth/approle_private.h"

#include "bulla/clock.h"

#define FORMAT 1

enum { ROLE_BIND = 1 << 0, ROLE_LOCAL = 1 << 1, ROLE_CIDRS_SET = 1 << 2, ROLE_FLAGS = (1 << 3) - 1 };

enum bulla_err role_missing(struct bulla_call *call, enum bulla_err err, struct bulla_bytes name)
{
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, name);

	return bulla_fail(call, err, "role %.*s does not exist", (int)quoted.len, (const char *)quoted.ptr);
}

enum bulla_err auth_commit(struct auth *auth, struct bulla_call *call, const struct store_write *writes, size_t count)
{
	TRY(seal_hold(auth->documents.seal));
	enum bulla_err err = store_commit(auth->documents.store, call, writes, count, NULL);

	seal_release(auth->documents.seal);
	return err;
}

/* ---- roles ----------------------------------------------------------------------------------------------------------------- */

static void encode_role(struct pack *pack, const void *record)
{
	const struct role *role = record;
	const struct bulla_approle *r = &role->public;

	pack_u8(pack, FORMAT);
	pack_u8(pack, (uint8_t)((r->bind_secret_id ? ROLE_BIND : 0) | (r->local_secret_ids ? ROLE_LOCAL : 0) |
				(r->secret_id_bound_cidrs != NULL ? ROLE_CIDRS_SET : 0)));
	pack_raw(pack, role->hash_key, sizeof role->hash_key);
	pack_bytes(pack, r->role_id);
	pack_i64(pack, r->secret_id_num_uses);
	pack_i64(pack, r->secret_id_ttl_s);
	pack_list(pack, r->secret_id_bound_cidrs, r->secret_id_bound_cidr_count);
	params_pack(pack, &r->token);
}

static enum bulla_err decode_role(struct bulla_call *call, struct unpack *in, void *record)
{
	struct role *role = record;
	struct bulla_approle *r = &role->public;
	uint8_t format = unpack_u8(in), flags = unpack_u8(in);
	const uint8_t *key = unpack_raw(in, SHA256_BYTES);

	if (format != FORMAT || (flags & ~ROLE_FLAGS) != 0 || key == NULL)
		return BULLA_E_STORE_DAMAGED;
	memcpy(role->hash_key, key, SHA256_BYTES);
	r->bind_secret_id = (flags & ROLE_BIND) != 0;
	r->local_secret_ids = (flags & ROLE_LOCAL) != 0;
	r->role_id = unpack_bytes(in);
	r->secret_id_num_uses = unpack_i64(in);
	r->secret_id_ttl_s = unpack_i64(in);
	TRY(unpack_list(in, call->arena, &r->secret_id_bound_cidrs, &r->secret_id_bound_cidr_count));
	if ((flags & ROLE_CIDRS_SET) == 0)
		r->secret_id_bound_cidrs = NULL;
	return params_unpack(call, in, &r->token);
}

static const struct record_kind roles = { .name = KIND_ROLE, .size = sizeof(struct role), .cached = true, .encode = encode_role,
					  .decode = decode_role };

struct record_name role_name(const struct bulla_mount *mount, struct bulla_bytes name)
{
	return (struct record_name){ &roles, mount_scope(mount), name };
}

enum bulla_err role_read(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
			 struct role *out)
{
	const struct record_name at = role_name(mount, name);

	return record_read(&auth->records, call, &at, out);
}

static void encode_id(struct pack *pack, const void *record)
{
	pack_u8(pack, FORMAT);
	pack_bytes(pack, ((const struct role_id *)record)->role);
}

static enum bulla_err decode_id(struct bulla_call *call, struct unpack *in, void *record)
{
	(void)call;
	if (unpack_u8(in) != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	((struct role_id *)record)->role = unpack_bytes(in);
	return BULLA_OK;
}

static const struct record_kind role_ids = { .name = KIND_ROLE_ID, .size = sizeof(struct role_id), .cached = true, .encode = encode_id,
					     .decode = decode_id };

struct record_name role_id_name(const struct bulla_mount *mount, struct bulla_bytes role_id)
{
	return (struct record_name){ &role_ids, mount_scope(mount), role_id };
}

/* ---- secret ids ------------------------------------------------------------------------------------------------------------ */

enum bulla_err secret_name(struct bulla_call *call, const uint8_t uuid[16], struct bulla_bytes role, struct bulla_bytes item,
			   struct document_name *out)
{
	uint8_t *scope = bulla_arena_alloc(call->arena, 16 + role.len);

	if (scope == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(scope, uuid, 16);
	if (role.len > 0)
		memcpy(scope + 16, role.ptr, role.len);
	*out = (struct document_name){ KIND_SECRET, bulla_mem(scope, 16 + role.len), item };
	return BULLA_OK;
}

void secret_hash(const struct role *role, struct bulla_bytes secret_id, uint8_t out[SHA256_BYTES])
{
	hmac_sha256(bulla_mem(role->hash_key, sizeof role->hash_key), secret_id, (struct bulla_bytes){ 0 }, out);
}

bool secret_has_ended(const struct secret *secret, int64_t now_ns)
{
	return secret->public.expires_ns != 0 && now_ns >= secret->public.expires_ns;
}

static enum bulla_err unpack_meta(struct bulla_call *call, struct unpack *in, struct bulla_secret_id *s)
{
	uint32_t n = unpack_count(in, 8);
	struct bulla_pair *pairs = bulla_arena_alloc(call->arena, n * sizeof *pairs);

	if (pairs == NULL)
		return BULLA_E_NO_MEMORY;
	for (uint32_t i = 0; i < n; i++) {
		pairs[i].key = unpack_bytes(in);
		pairs[i].value = unpack_bytes(in);
	}
	s->meta = pairs;
	s->meta_count = n;
	return BULLA_OK;
}

enum bulla_err secret_unpack(struct bulla_call *call, const struct document *document, struct secret *out)
{
	struct unpack in = { .ptr = document->value.ptr, .left = document->value.len };
	struct secret secret = { .revision = document->revision };
	struct bulla_secret_id *s = &secret.public;

	if (unpack_u8(&in) != FORMAT || document->item.len != sizeof secret.hash)
		return BULLA_E_STORE_DAMAGED;
	memcpy(secret.hash, document->item.ptr, sizeof secret.hash);
	s->accessor = unpack_bytes(&in);
	s->num_uses = unpack_i64(&in);
	s->ttl_s = unpack_i64(&in);
	s->created_date_ns = unpack_i64(&in);
	s->updated_date_ns = unpack_i64(&in);
	s->expires_ns = unpack_i64(&in);
	TRY(unpack_list(&in, call->arena, &s->cidrs, &s->cidr_count));
	TRY(unpack_list(&in, call->arena, &s->token_cidrs, &s->token_cidr_count));
	TRY(unpack_meta(call, &in, s));
	TRY(unpack_finish(&in));
	*out = secret;
	return BULLA_OK;
}

/* The slot was found by the hash already; comparing once more, in constant time, keeps this independent of how slots are made. */
enum bulla_err secret_read(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, const struct role *role,
			   const uint8_t hash[SHA256_BYTES], struct secret *out)
{
	struct document_name at;
	struct document document;
	struct secret secret;

	TRY(secret_name(call, mount->uuid, role->record.item, bulla_mem(hash, SHA256_BYTES), &at));
	TRY(document_get(&auth->documents, call, &at, &document));
	TRY(secret_unpack(call, &document, &secret));
	if (!bulla_equal_secret(at.item, bulla_mem(secret.hash, sizeof secret.hash)))
		return BULLA_E_NOT_FOUND;
	if (secret_has_ended(&secret, bulla_clock_ns()))
		return BULLA_E_NOT_FOUND;
	*out = secret;
	return BULLA_OK;
}

enum bulla_err secret_write(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, const struct role *role,
			    const struct secret *secret, struct store_write *out)
{
	const struct bulla_secret_id *s = &secret->public;
	struct pack pack = { .arena = call->arena };
	struct document_name at;
	struct bulla_bytes value;

	TRY(secret_name(call, mount->uuid, role->record.item, bulla_mem(secret->hash, sizeof secret->hash), &at));
	pack_u8(&pack, FORMAT);
	pack_bytes(&pack, s->accessor);
	pack_i64(&pack, s->num_uses);
	pack_i64(&pack, s->ttl_s);
	pack_i64(&pack, s->created_date_ns);
	pack_i64(&pack, s->updated_date_ns);
	pack_i64(&pack, s->expires_ns);
	pack_list(&pack, s->cidrs, s->cidr_count);
	pack_list(&pack, s->token_cidrs, s->token_cidr_count);
	pack_u32(&pack, (uint32_t)s->meta_count);
	for (size_t i = 0; i < s->meta_count; i++) {
		pack_bytes(&pack, s->meta[i].key);
		pack_bytes(&pack, s->meta[i].value);
	}
	TRY(pack_finish(&pack, &value));
	return document_write(&auth->documents, call, &at, secret->revision, value, out);
}

enum bulla_err accessor_find(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
			     struct bulla_bytes text, struct accessor *out)
{
	const struct document_name at = { KIND_ACCESSOR, mount_scope(mount), text };
	struct document document;

	TRY(document_get(&auth->documents, call, &at, &document));
	struct unpack in = { .ptr = document.value.ptr, .left = document.value.len };
	uint8_t format = unpack_u8(&in);
	struct bulla_bytes role = unpack_bytes(&in);
	const uint8_t *hash = unpack_raw(&in, SHA256_BYTES);

	if (format != FORMAT || hash == NULL)
		return BULLA_E_STORE_DAMAGED;
	TRY(unpack_finish(&in));
	out->role = role;
	memcpy(out->hash, hash, SHA256_BYTES);
	return BULLA_OK;
}
