/* approle_login.c: a role id and a secret id become a token. Workers only. */
#include <stdlib.h>

#include "auth/approle_private.h"
#include "auth/log_in.h"
#include "bulla/clock.h"

#define WRONG "invalid role or secret ID"
#define TRIES 3 /* somebody destroys or makes the secret id at the same time */

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct bulla_bytes trim(struct bulla_bytes t)
{
	while (t.len > 0 && is_space(t.ptr[0]))
		t = bulla_mem(t.ptr + 1, t.len - 1);
	while (t.len > 0 && is_space(t.ptr[t.len - 1]))
		t.len--;
	return t;
}

static enum bulla_err find_role(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes role_id, struct role *out)
{
	const struct record_name index = role_id_name(mount, role_id);
	struct role_id id;

	TRY(record_get(&auth->records, call, &index, &id));
	const struct record_name at = role_name(mount, id.role);

	return record_get(&auth->records, call, &at, out);
}

/* ---- from where ------------------------------------------------------------------------------------------------------------ */

static enum bulla_err wrong_place(struct bulla_call *call, const char *how)
{
	struct bulla_bytes quoted = bulla_arena_quote(call->arena, call->remote_ip);

	return bulla_fail(call, BULLA_E_INVALID, "source address %.*s unauthorized %s", (int)quoted.len, (const char *)quoted.ptr, how);
}

/* The peer's texts, with what its formatting leaves of an error that is not there. */
static enum bulla_err check_secret_place(struct bulla_call *call, const struct role *role, const struct bulla_secret_id *s)
{
	TRY(secret_check_within(call, s->cidrs, s->cidr_count, role->public.secret_id_bound_cidrs,
				role->public.secret_id_bound_cidr_count));
	if (access_cidrs_match(s->cidrs, s->cidr_count, call->remote_ip))
		return BULLA_OK;
	return wrong_place(call, s->num_uses == 0 ? "through CIDR restrictions on the secret ID"
						  : "by CIDR restrictions on the secret ID: %!w(<nil>)");
}

static enum bulla_err check_role_place(struct bulla_call *call, const struct role *role)
{
	if (access_cidrs_match(role->public.secret_id_bound_cidrs, role->public.secret_id_bound_cidr_count, call->remote_ip))
		return BULLA_OK;
	return wrong_place(call, "by CIDR restrictions on the role: %!w(<nil>)");
}

/* ---- taking a use ---------------------------------------------------------------------------------------------------------- */

/* The writes that take one use, good only if nobody else took one since it was read; the last one removes the secret id. */
static enum bulla_err take_use(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, const struct role *role,
			       const struct secret *secret, struct store_write *writes, size_t *count)
{
	const struct document_name accessor = { KIND_ACCESSOR, mount_scope(mount), secret->public.accessor };
	struct secret less = *secret;
	struct document_name at;

	if (secret->public.num_uses == 0)
		return BULLA_OK;
	if (secret->public.num_uses > 1) {
		less.public.num_uses--;
		less.public.updated_date_ns = bulla_wall_ns();
		*count = 1;
		return secret_write(auth, call, mount, role, &less, &writes[0]);
	}
	*count = 2;
	TRY(secret_name(call, mount->uuid, role->record.item, bulla_mem(secret->hash, sizeof secret->hash), &at));
	TRY(document_removal(&auth->documents, &at, secret->revision, &writes[0]));
	return document_removal(&auth->documents, &accessor, STORE_ANY_REVISION, &writes[1]);
}

/* ---- the token ------------------------------------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	return bulla_compare(((const struct bulla_pair *)a)->key, ((const struct bulla_pair *)b)->key);
}

/* The secret id's metadata and, whatever that says of it, the role's name. */
static enum bulla_err make_meta(struct bulla_call *call, const struct role *role, const struct bulla_secret_id *s,
				struct log_in *args)
{
	size_t given = s != NULL ? s->meta_count : 0, n = 0;
	struct bulla_pair *meta = bulla_arena_alloc(call->arena, (given + 1) * sizeof *meta);

	if (meta == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < given; i++)
		if (!bulla_is(s->meta[i].key, "role_name"))
			meta[n++] = s->meta[i];
	meta[n++] = (struct bulla_pair){ bulla_str("role_name"), role->record.item };
	qsort(meta, n, sizeof *meta, by_key);
	args->meta = meta;
	args->meta_count = n;
	return BULLA_OK;
}

static enum bulla_err make_token(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
				 const struct role *role, const struct secret *secret, struct bulla_auth *out)
{
	struct bulla_token_params params = role->public.token.values;
	struct store_write writes[LOGIN_MAX_WRITES];
	struct log_in args = { .mount = mount, .path = bulla_str("login"), .login_name = role->record.item, .params = &params,
			       .writes = writes };

	if (secret != NULL) {
		TRY(take_use(auth, call, mount, role, secret, writes, &args.write_count));
		if (secret->public.token_cidr_count > 0) {
			params.bound_cidrs = secret->public.token_cidrs;
			params.bound_cidr_count = secret->public.token_cidr_count;
			params.strictly_bind_ip = false;
		}
	}
	TRY(make_meta(call, role, secret != NULL ? &secret->public : NULL, &args));
	return auth_log_in(auth, call, &args, out);
}

static enum bulla_err with_secret(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
				  const struct role *role, struct bulla_bytes secret_id, struct bulla_auth *out)
{
	uint8_t hash[SHA256_BYTES];
	struct secret secret;

	secret_hash(role, secret_id, hash);
	enum bulla_err err = secret_read(auth, call, mount, role, hash, &secret);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_BAD_TOKEN, WRONG); /* counted as a failure, then told as INVALID */
	TRY(err);
	if (secret.public.num_uses == 0) {
		TRY(check_secret_place(call, role, &secret.public));
		TRY(check_role_place(call, role));
		return make_token(auth, call, mount, role, &secret, out);
	}
	/* one login at a time takes a use: the others would find that theirs is not there any more, and try again */
	pthread_rwlock_t *lock = stripes_lock(&auth->secrets, mount->uuid, bulla_mem(hash, sizeof hash));

	err = secret_read(auth, call, mount, role, hash, &secret);
	if (err == BULLA_E_NOT_FOUND)
		err = bulla_fail(call, BULLA_E_BAD_TOKEN, WRONG);
	if (err == BULLA_OK)
		err = check_secret_place(call, role, &secret.public);
	if (err == BULLA_OK)
		err = check_role_place(call, role);
	if (err == BULLA_OK)
		err = make_token(auth, call, mount, role, &secret, out);
	stripes_release(lock);
	return err;
}

static enum bulla_err attempt(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
			      struct bulla_bytes role_id, struct bulla_bytes secret_id, struct bulla_auth *out)
{
	struct role role;
	enum bulla_err err = role_id.len <= APPROLE_MAX_TEXT ? find_role(auth, call, mount, role_id, &role) : BULLA_E_NOT_FOUND;

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID, WRONG);
	TRY(err);
	if (!role.public.bind_secret_id) {
		TRY(check_role_place(call, &role));
		return make_token(auth, call, mount, &role, NULL, out);
	}
	if (secret_id.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "missing secret_id");
	if (secret_id.len > APPROLE_MAX_TEXT)
		return bulla_fail(call, BULLA_E_FAILED, "failed to create HMAC of secret_id: " APPROLE_TEXT_TOO_LONG);
	for (unsigned i = 0; i < TRIES; i++) {
		err = with_secret(auth, call, mount, &role, secret_id, out);
		if (err != BULLA_E_CONFLICT)
			return err;
	}
	return err;
}

enum bulla_err bulla_approle_login(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				   struct bulla_bytes role_id, struct bulla_bytes secret_id, struct bulla_auth *out)
{
	struct auth *auth = engine->auth;
	const struct lockout_user user = { mount->accessor, trim(role_id) };

	TRY(bulla_work(call, BULLA_WORK_DISK));
	if (user.name.len == 0)
		return bulla_fail(call, BULLA_E_FAILED, "missing role_id");
	TRY(auth_check_lockout(auth, call, mount, &user));
	enum bulla_err err = attempt(auth, call, mount, user.name, trim(secret_id), out);

	return auth_note_login(auth, call, mount, &user, err);
}
