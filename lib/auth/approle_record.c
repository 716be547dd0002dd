/* approle_record.c: roles, secret ids, and what leads to them, as kinds of records. Layouts: docs/FORMATS.md. Workers only. */
#include "auth/approle_private.h"

#define FORMAT 1

enum { ROLE_BIND = 1 << 0, ROLE_LOCAL = 1 << 1, ROLE_CIDRS_SET = 1 << 2, ROLE_FLAGS = (1 << 3) - 1 };

enum bulla_err role_missing(struct bulla_call *call, enum bulla_err err, struct bulla_bytes name)
{
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, name);

	return bulla_fail(call, err, "role %.*s does not exist", (int)quoted.len, (const char *)quoted.ptr);
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

static void encode_secret(struct pack *pack, const void *record)
{
	const struct bulla_secret_id *s = &((const struct secret *)record)->public;

	pack_u8(pack, FORMAT);
	pack_bytes(pack, s->accessor);
	pack_i64(pack, s->num_uses);
	pack_i64(pack, s->ttl_s);
	pack_i64(pack, s->created_date_ns);
	pack_i64(pack, s->updated_date_ns);
	pack_i64(pack, s->expires_ns);
	pack_list(pack, s->cidrs, s->cidr_count);
	pack_list(pack, s->token_cidrs, s->token_cidr_count);
	pack_pairs(pack, s->meta, s->meta_count);
}

static enum bulla_err decode_secret(struct bulla_call *call, struct unpack *in, void *record)
{
	struct bulla_secret_id *s = &((struct secret *)record)->public;

	if (unpack_u8(in) != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	s->accessor = unpack_bytes(in);
	s->num_uses = unpack_i64(in);
	s->ttl_s = unpack_i64(in);
	s->created_date_ns = unpack_i64(in);
	s->updated_date_ns = unpack_i64(in);
	s->expires_ns = unpack_i64(in);
	TRY(unpack_list(in, call->arena, &s->cidrs, &s->cidr_count));
	TRY(unpack_list(in, call->arena, &s->token_cidrs, &s->token_cidr_count));
	return unpack_pairs(in, call->arena, &s->meta, &s->meta_count);
}

static int64_t secret_end_ns(const void *record)
{
	return ((const struct secret *)record)->public.expires_ns;
}

static void encode_accessor(struct pack *pack, const void *record)
{
	const struct accessor *accessor = record;

	pack_u8(pack, FORMAT);
	pack_bytes(pack, accessor->role);
	pack_raw(pack, accessor->hash, sizeof accessor->hash);
}

static enum bulla_err decode_accessor(struct bulla_call *call, struct unpack *in, void *record)
{
	struct accessor *accessor = record;
	uint8_t format = unpack_u8(in);

	(void)call;
	accessor->role = unpack_bytes(in);
	const uint8_t *hash = unpack_raw(in, SHA256_BYTES);

	if (format != FORMAT || hash == NULL)
		return BULLA_E_STORE_DAMAGED;
	memcpy(accessor->hash, hash, SHA256_BYTES);
	return BULLA_OK;
}

static const struct record_kind accessors = { .name = KIND_ACCESSOR, .size = sizeof(struct accessor), .encode = encode_accessor,
					      .decode = decode_accessor };

/* The scope of a secret id begins with that of its accessor. */
static void accessor_of(struct bulla_bytes scope, const void *record, struct record_name *out)
{
	*out = (struct record_name){ &accessors, bulla_mem(scope.ptr, 16), ((const struct secret *)record)->public.accessor };
}

/* Not kept in memory: one that was destroyed, or used up, is so at once on all nodes. */
const struct record_kind approle_secrets = { .name = KIND_SECRET, .size = sizeof(struct secret), .encode = encode_secret,
					     .decode = decode_secret, .end_ns = secret_end_ns, .due = "approle-secret-end",
					     .due_from = "approle-secret-end-from", .companion = accessor_of };

struct record_name accessor_name(const struct bulla_mount *mount, struct bulla_bytes text)
{
	return (struct record_name){ &accessors, mount_scope(mount), text };
}

enum bulla_err secret_name(struct bulla_call *call, const uint8_t uuid[16], struct bulla_bytes role, struct bulla_bytes hash,
			   struct record_name *out)
{
	uint8_t *scope = bulla_arena_alloc(call->arena, 16 + role.len);

	if (scope == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(scope, uuid, 16);
	if (role.len > 0)
		memcpy(scope + 16, role.ptr, role.len);
	*out = (struct record_name){ &approle_secrets, bulla_mem(scope, 16 + role.len), hash };
	return BULLA_OK;
}

void secret_hash(const struct role *role, struct bulla_bytes secret_id, uint8_t out[SHA256_BYTES])
{
	hmac_sha256(bulla_mem(role->hash_key, sizeof role->hash_key), secret_id, (struct bulla_bytes){ 0 }, out);
}

/* The slot was found by the hash already; comparing once more, in constant time, keeps this independent of how slots are made. */
enum bulla_err secret_read(struct auth *auth, struct bulla_call *call, const struct record_name *name, struct secret *out)
{
	struct secret secret;

	TRY(record_read(&auth->records, call, name, &secret));
	if (!bulla_equal_secret(name->item, secret.record.item))
		return BULLA_E_NOT_FOUND;
	*out = secret;
	return BULLA_OK;
}
