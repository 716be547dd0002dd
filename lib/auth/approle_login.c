/* approle_login.c: a role id and a secret id become a token. Workers only. */
#include <stdlib.h>

#include "auth/approle_private.h"
#include "auth/log_in.h"
#include "bulla/clock.h"

#define WRONG "invalid role or secret ID"

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

struct login {
	struct auth *auth;
	const struct bulla_mount *mount;
	const struct role *role;
	struct secret secret; /* as it was found; none: revision 0 */
	struct bulla_auth *out;
};

/* writes: committed with the token. */
static enum bulla_err make_token(struct bulla_call *call, const struct store_write *writes, size_t count, void *context)
{
	const struct login *login = context;
	const struct bulla_secret_id *s = login->secret.record.revision != 0 ? &login->secret.public : NULL;
	struct bulla_token_params params = login->role->public.token.values;
	struct log_in args = { .mount = login->mount, .path = bulla_str("login"), .login_name = login->role->record.item,
			       .params = &params, .writes = writes, .write_count = count };

	if (s != NULL && s->token_cidr_count > 0) {
		params.bound_cidrs = s->token_cidrs;
		params.bound_cidr_count = s->token_cidr_count;
		params.strictly_bind_ip = false;
	}
	TRY(make_meta(call, login->role, s, &args));
	return auth_log_in(login->auth, call, &args, login->out);
}

/* ---- with a secret id ------------------------------------------------------------------------------------------------------ */

static enum bulla_err check_places(struct bulla_call *call, const struct login *login)
{
	TRY(check_secret_place(call, login->role, &login->secret.public));
	return check_role_place(call, login->role);
}

/* Counted as a failure, then told as INVALID. */
static enum bulla_err wrong(struct bulla_call *call)
{
	return bulla_fail(call, BULLA_E_BAD_TOKEN, WRONG);
}

/* Takes one use in the commit that makes the token, or none of it happens; the last one removes the secret id. */
static enum bulla_err take_use(struct bulla_call *call, void *record, void *context)
{
	struct secret *secret = record;
	struct login *login = context;

	if (secret->record.revision == 0)
		return wrong(call);
	login->secret = *secret;
	TRY(check_places(call, login));
	if (secret->public.num_uses == 0) { /* another, which was registered meanwhile */
		secret->record.fate = RECORD_LEAVE;
		return BULLA_OK;
	}
	if (--secret->public.num_uses == 0)
		secret->record.fate = RECORD_DELETE;
	secret->public.updated_date_ns = bulla_wall_ns();
	record_commit_by(secret->record.commit, make_token, login);
	return BULLA_OK;
}

static enum bulla_err with_secret(struct bulla_call *call, struct login *login, struct bulla_bytes secret_id)
{
	uint8_t hash[SHA256_BYTES];
	struct record_name at;

	secret_hash(login->role, secret_id, hash);
	TRY(secret_name(call, login->mount->uuid, login->role->record.item, bulla_mem(hash, sizeof hash), &at));
	enum bulla_err err = secret_read(login->auth, call, &at, &login->secret);

	if (err == BULLA_E_NOT_FOUND)
		return wrong(call);
	TRY(err);
	if (login->secret.public.num_uses == 0) {
		TRY(check_places(call, login));
		return make_token(call, NULL, 0, login);
	}
	TRY(record_change(&login->auth->records, call, &at, take_use, login));
	/* no use was taken, and no token made, of another that was registered meanwhile and has no limit */
	return login->secret.public.num_uses == 0 ? make_token(call, NULL, 0, login) : BULLA_OK;
}

static enum bulla_err attempt(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
			      struct bulla_bytes role_id, struct bulla_bytes secret_id, struct bulla_auth *out)
{
	struct role role;
	struct login login = { .auth = auth, .mount = mount, .role = &role, .out = out };
	enum bulla_err err = role_id.len <= APPROLE_MAX_TEXT ? find_role(auth, call, mount, role_id, &role) : BULLA_E_NOT_FOUND;

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID, WRONG);
	TRY(err);
	if (!role.public.bind_secret_id) {
		TRY(check_role_place(call, &role));
		return make_token(call, NULL, 0, &login);
	}
	if (secret_id.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "missing secret_id");
	if (secret_id.len > APPROLE_MAX_TEXT)
		return bulla_fail(call, BULLA_E_FAILED, "failed to create HMAC of secret_id: " APPROLE_TEXT_TOO_LONG);
	return with_secret(call, &login, secret_id);
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
