/* approle_secret.c: secret ids: made, looked up, destroyed, listed. Only a keyed hash of one is ever stored. Workers only. */
#include "auth/approle_private.h"
#include "bulla/clock.h"

#define NS_PER_S INT64_C(1000000000)

/* ---- addresses ------------------------------------------------------------------------------------------------------------- */

enum bulla_err cidrs_check(struct bulla_call *call, const struct bulla_bytes *blocks, size_t count, bool plain)
{
	for (size_t i = 0; i < count; i++) {
		struct bulla_bytes b = blocks[i];

		if (b.len > 0 && memchr(b.ptr, '/', b.len) != NULL && access_cidr_check(call, b) == BULLA_OK)
			continue;
		return bulla_fail(call, plain ? BULLA_E_INVALID : BULLA_E_INVALID_500,
				  "failed to validate CIDR blocks: invalid CIDR address: %.*s", (int)b.len, (const char *)b.ptr);
	}
	return BULLA_OK;
}

static bool within_any(struct bulla_bytes block, const struct bulla_bytes *outer, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (access_cidr_within(block, outer[i]))
			return true;
	return false;
}

enum bulla_err secret_check_within(struct bulla_call *call, const struct bulla_bytes *blocks, size_t count,
				   const struct bulla_bytes *role_blocks, size_t role_count)
{
	bool within = true;

	for (size_t i = 0; i < count && role_count > 0; i++)
		within = within && within_any(blocks[i], role_blocks, role_count);
	if (within)
		return BULLA_OK;
	struct bulla_bytes of_role = bulla_arena_quote_list(call->arena, role_blocks, role_count),
			   of_secret = bulla_arena_quote_list(call->arena, blocks, count);

	if (of_role.ptr == NULL || of_secret.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	/* its end is what the peer's formatting leaves of an error that is not there */
	return bulla_fail(call, BULLA_E_INVALID_500,
			  "failed to verify subset relationship between CIDR blocks on the role %.*s and CIDR blocks on the secret ID "
			  "%.*s: %%!w(<nil>)", (int)of_role.len, (const char *)of_role.ptr, (int)of_secret.len,
			  (const char *)of_secret.ptr);
}

/* ---- making ---------------------------------------------------------------------------------------------------------------- */

static enum bulla_err limits(struct bulla_call *call, const struct bulla_approle *role, const struct bulla_secret_id_args *args,
			     struct bulla_secret_id *s)
{
	int64_t uses = role->secret_id_num_uses, ttl_s = role->secret_id_ttl_s;

	s->num_uses = (args->set & BULLA_SECRET_ID_NUM_USES) != 0 ? args->num_uses : uses;
	if (s->num_uses < 0)
		return bulla_fail(call, BULLA_E_INVALID, "num_uses cannot be negative");
	if (uses > 0 && (s->num_uses == 0 || s->num_uses > uses))
		return bulla_fail(call, BULLA_E_INVALID, "num_uses cannot be higher than the role's secret_id_num_uses");
	s->ttl_s = (args->set & BULLA_SECRET_ID_TTL) != 0 ? args->ttl_s : ttl_s;
	if (s->ttl_s < 0)
		return bulla_fail(call, BULLA_E_INVALID, "ttl cannot be negative");
	if (ttl_s > 0 && (s->ttl_s == 0 || s->ttl_s > ttl_s))
		return bulla_fail(call, BULLA_E_INVALID, "ttl cannot be longer than the role's secret_id_ttl");
	return BULLA_OK;
}

static enum bulla_err new_text(struct bulla_call *call, struct bulla_bytes *out)
{
	char text[UUID_TEXT];

	TRY(random_uuid(text));
	*out = bulla_arena_copy(call->arena, bulla_mem(text, sizeof text));
	bulla_wipe(text, sizeof text);
	return out->ptr != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
}

static enum bulla_err check_args(struct bulla_call *call, const struct bulla_approle *role, const struct bulla_secret_id_args *args)
{
	const struct bulla_token_params *token = &role->token.values;

	if (!role->bind_secret_id)
		return bulla_fail(call, BULLA_E_INVALID, "bind_secret_id is not set on the role");
	TRY(cidrs_check(call, args->cidrs, args->cidr_count, false));
	TRY(secret_check_within(call, args->cidrs, args->cidr_count, role->secret_id_bound_cidrs, role->secret_id_bound_cidr_count));
	TRY(cidrs_check(call, args->token_cidrs, args->token_cidr_count, false));
	return secret_check_within(call, args->token_cidrs, args->token_cidr_count, token->bound_cidrs, token->bound_cidr_count);
}

/* Times, and a fresh accessor. */
static enum bulla_err begin_life(struct bulla_call *call, int64_t max_ttl_s, struct bulla_secret_id *s, int64_t *ttl_s)
{
	*ttl_s = s->ttl_s > max_ttl_s ? max_ttl_s : s->ttl_s;
	int64_t now_ns = bulla_clock_ns();

	s->created_date_ns = s->updated_date_ns = bulla_date_of(now_ns);
	s->expires_ns = *ttl_s > 0 ? now_ns + *ttl_s * NS_PER_S : 0;
	return new_text(call, &s->accessor);
}

struct making {
	const struct bulla_mount *mount;
	const struct role *role;
	struct bulla_secret_id public;
};

/* One that has ended and waits to be removed gives its place to a custom one of the same text. */
static enum bulla_err make_step(struct bulla_call *call, void *record, void *context)
{
	const struct making *making = context;
	const struct record_name at = accessor_name(making->mount, making->public.accessor);
	struct accessor accessor = { .role = making->role->record.item };
	struct secret *secret = record;

	if (secret->record.revision != 0)
		return bulla_fail(call, BULLA_E_INVALID_500, "failed to store secret_id: SecretID is already registered");
	secret->public = making->public;
	memcpy(accessor.hash, secret->record.item.ptr, sizeof accessor.hash);
	return record_write_too(secret->record.commit, &at, &accessor);
}

static enum bulla_err make_locked(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				  struct bulla_bytes name, const struct bulla_secret_id_args *args, struct bulla_secret_id_made *out)
{
	struct role role;
	struct making making = { .mount = mount, .role = &role,
				 .public = { .cidrs = args->cidrs, .cidr_count = args->cidr_count, .token_cidrs = args->token_cidrs,
					     .token_cidr_count = args->token_cidr_count } };
	struct bulla_bytes text = args->custom;
	uint8_t hash[SHA256_BYTES];
	struct record_name at;
	int64_t ttl_s;
	enum bulla_err err = role_read(engine->auth, call, mount, name, &role);

	if (err == BULLA_E_NOT_FOUND)
		return role_missing(call, BULLA_E_NO_ROUTE, name);
	TRY(err);
	TRY(check_args(call, &role.public, args));
	TRY(limits(call, &role.public, args, &making.public));
	TRY(metadata_parse(call, args->metadata, &making.public));
	if (text.len > APPROLE_MAX_TEXT)
		return bulla_fail(call, BULLA_E_INVALID_500,
				  "failed to store secret_id: failed to create HMAC of secret ID: " APPROLE_TEXT_TOO_LONG);
	if (text.len == 0)
		TRY(new_text(call, &text));
	secret_hash(&role, text, hash);
	TRY(secret_name(call, mount->uuid, role.record.item, bulla_mem(hash, sizeof hash), &at));
	TRY(begin_life(call, auth_max_ttl_s(engine, mount), &making.public, &ttl_s));
	TRY(record_change(&engine->auth->records, call, &at, make_step, &making));
	*out = (struct bulla_secret_id_made){ text, making.public.accessor, ttl_s, making.public.num_uses };
	return BULLA_OK;
}

enum bulla_err bulla_secret_id_make(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				    struct bulla_bytes role, const struct bulla_secret_id_args *args,
				    struct bulla_secret_id_made *out)
{
	struct bulla_bytes name;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(lower_case(call, role, &name));
	pthread_rwlock_t *lock = stripes_share(&engine->auth->names, mount->uuid, name); /* the role is not deleted meanwhile */
	enum bulla_err err = make_locked(engine, call, mount, name, args, out);

	stripes_release(lock);
	return err;
}

/* ---- looking up, destroying ------------------------------------------------------------------------------------------------ */

/* at: its name, as far as it is known; what that borrows is in the arena. */
static enum bulla_err find(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			   const struct bulla_secret_id_ref *ref, struct record_name *at, struct secret *out)
{
	uint8_t *hash = bulla_arena_alloc(call->arena, SHA256_BYTES);
	struct bulla_bytes name;
	struct role role;

	if (hash == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(lower_case(call, ref->role, &name));
	enum bulla_err err = role_read(engine->auth, call, mount, name, &role);

	if (err == BULLA_E_NOT_FOUND)
		return role_missing(call, BULLA_E_INVALID_500, name);
	TRY(err);
	if (ref->secret_id.len > APPROLE_MAX_TEXT)
		return bulla_fail(call, BULLA_E_INVALID_500, "failed to create HMAC of secret_id: " APPROLE_TEXT_TOO_LONG);
	secret_hash(&role, ref->secret_id, hash);
	if (ref->secret_id.len == 0) {
		const struct record_name accessor_at = accessor_name(mount, ref->accessor);
		struct accessor accessor;

		err = record_read(&engine->auth->records, call, &accessor_at, &accessor);
		if (err == BULLA_E_NOT_FOUND)
			return BULLA_E_BAD_ACCESSOR;
		TRY(err);
		memcpy(hash, accessor.hash, SHA256_BYTES); /* of another role: it is not found under this one */
	}
	TRY(secret_name(call, mount->uuid, role.record.item, bulla_mem(hash, SHA256_BYTES), at));
	return secret_read(engine->auth, call, at, out);
}

enum bulla_err bulla_secret_id_lookup(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				      const struct bulla_secret_id_ref *ref, struct bulla_secret_id *out)
{
	struct record_name at;
	struct secret secret;

	TRY(find(engine, call, mount, ref, &at, &secret));
	*out = secret.public;
	return BULLA_OK;
}

enum bulla_err bulla_secret_id_destroy(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				       const struct bulla_secret_id_ref *ref)
{
	struct record_name at;
	struct secret secret;
	enum bulla_err err = find(engine, call, mount, ref, &at, &secret);

	if (err == BULLA_E_BAD_ACCESSOR) {
		struct bulla_bytes quoted = bulla_arena_quote(call->arena, ref->accessor);

		return bulla_fail(call, BULLA_E_INVALID_500, "failed to find accessor entry for secret_id_accessor: %.*s",
				  (int)quoted.len, (const char *)quoted.ptr);
	}
	if (err == BULLA_E_NOT_FOUND && ref->secret_id.len > 0)
		return BULLA_OK;
	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_FORBIDDEN, "invalid secret id accessor");
	TRY(err);
	return record_remove(&engine->auth->records, call, &at);
}

/* ---- listing --------------------------------------------------------------------------------------------------------------- */

static enum bulla_err add_accessor(const void *record, void *context)
{
	return document_names_add(context, ((const struct secret *)record)->public.accessor);
}

enum bulla_err bulla_secret_id_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				    struct bulla_bytes given, struct bulla_bytes **accessors, size_t *count)
{
	struct document_names list = { .call = call };
	struct bulla_bytes name;
	struct record_name all;
	struct role role;
	size_t damaged = 0;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(lower_case(call, given, &name));
	enum bulla_err err = role_read(engine->auth, call, mount, name, &role);

	if (err == BULLA_E_NOT_FOUND)
		return role_missing(call, BULLA_E_INVALID, name);
	TRY(err);
	TRY(secret_name(call, mount->uuid, name, (struct bulla_bytes){ 0 }, &all));
	TRY(record_each(&engine->auth->records, call, &all, &damaged, add_accessor, &list));
	TRY(document_warn_damaged(call, damaged, list.count));
	document_names_sort(&list);
	*accessors = list.items;
	*count = list.count;
	return BULLA_OK;
}
