/* userpass.c: users, their passwords, and their logins. Layout of a user: docs/FORMATS.md. Workers only. */
#include "auth/auth.h"
#include "auth/log_in.h"
#include "auth/names.h"
#include "auth/params.h"
#include "bulla/userpass.h"
#include "crypto/password.h"

#define KIND_USER "userpass-user"
#define FORMAT 1
#define WRONG "invalid username or password"
#define MAX_NAME 512
/* of bcrypt: what is less is weak, what is more is slow; the peer's bounds */
#define MIN_COST 5
#define MAX_COST 12

struct user {
	uint64_t revision; /* 0: new */
	struct bulla_bytes name, hash;
	struct bulla_role_params params;
};

/* ---- storing --------------------------------------------------------------------------------------------------------------- */

static struct document_name place(const struct bulla_mount *mount, struct bulla_bytes name)
{
	return (struct document_name){ KIND_USER, mount_scope(mount), name };
}

static enum bulla_err read_user(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
				struct user *out)
{
	const struct document_name at = place(mount, name);
	struct document document;

	TRY(document_get(&auth->documents, call, &at, &document));
	struct unpack in = { .ptr = document.value.ptr, .left = document.value.len };
	struct user user = { .revision = document.revision, .name = document.item };
	uint8_t format = unpack_u8(&in);

	user.hash = unpack_bytes(&in);
	TRY(params_unpack(call, &in, &user.params));
	if (format != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	TRY(unpack_finish(&in));
	*out = user;
	return BULLA_OK;
}

static enum bulla_err write_user(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, const struct user *user)
{
	const struct document_name at = place(mount, user->name);
	struct pack pack = { .arena = call->arena };
	struct bulla_bytes value;

	pack_u8(&pack, FORMAT);
	pack_bytes(&pack, user->hash);
	params_pack(&pack, &user->params);
	TRY(pack_finish(&pack, &value));
	return document_put(&auth->documents, call, &at, user->revision, value);
}

/* hashes: a password is going to be. */
static enum bulla_err begin(struct bulla_call *call, struct bulla_bytes given, bool hashes, struct bulla_bytes *name)
{
	TRY(bulla_work(call, hashes ? BULLA_WORK_CPU : BULLA_WORK_DISK));
	if (given.len > MAX_NAME)
		return bulla_fail(call, BULLA_E_INVALID, "a username is at most %d bytes long", MAX_NAME);
	return lower_case(call, given, name);
}

/* ---- users ----------------------------------------------------------------------------------------------------------------- */

enum bulla_err bulla_user_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			       struct bulla_bytes given, struct bulla_role_params *out)
{
	struct bulla_bytes name;
	struct user user;

	TRY(begin(call, given, false, &name));
	TRY(read_user(engine->auth, call, mount, name, &user));
	*out = user.params;
	return BULLA_OK;
}

enum bulla_err bulla_user_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			       struct bulla_bytes **names, size_t *count)
{
	const struct document_name at = place(mount, (struct bulla_bytes){ 0 });

	return document_list(&engine->auth->documents, call, &at, names, count);
}

enum bulla_err bulla_user_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				 struct bulla_bytes given)
{
	struct bulla_bytes name;

	TRY(begin(call, given, false, &name));
	const struct document_name at = place(mount, name);
	pthread_rwlock_t *lock = stripes_lock(&engine->auth->names, mount->uuid, name);
	enum bulla_err err = document_remove(&engine->auth->documents, call, &at, STORE_ANY_REVISION);

	stripes_release(lock);
	return err;
}

static enum bulla_err check_bcrypt(struct bulla_call *call, struct bulla_bytes hash)
{
	unsigned cost;

	if (!password_bcrypt_cost(hash, &cost))
		return bulla_fail(call, BULLA_E_INVALID, "password_hash is not a valid bcrypt hash");
	if (cost < MIN_COST)
		return bulla_fail(call, BULLA_E_INVALID, "bcrypt cost of %u is too low, want %d at minimum", cost, MIN_COST);
	if (cost > MAX_COST)
		return bulla_fail(call, BULLA_E_INVALID, "bcrypt cost of %u exceeds maximum cost of %d", cost, MAX_COST);
	return BULLA_OK;
}

/* Before any lock is taken: it takes long. */
static enum bulla_err make_hash(struct bulla_call *call, const struct bulla_user_change *change, struct bulla_bytes *out)
{
	char text[PASSWORD_TEXT];

	if (change->password.len > 0 && change->password_hash.len > 0)
		return bulla_fail(call, BULLA_E_INVALID, "only one of password or password_hash may be provided");
	*out = change->password_hash;
	if (change->password_hash.len > 0)
		return check_bcrypt(call, change->password_hash);
	if (change->password.len == 0)
		return BULLA_OK;
	if (change->password.len > PASSWORD_MAX_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "a password is at most %d bytes long", PASSWORD_MAX_BYTES);
	TRY(bulla_work(call, BULLA_WORK_CPU));
	TRY(password_hash(change->password, text));
	*out = bulla_arena_copy(call->arena, bulla_str(text));
	bulla_wipe(text, sizeof text);
	return out->ptr != NULL ? BULLA_OK : BULLA_E_NO_MEMORY;
}

/* Of the endpoint for them: by either name they are cleaned, and nothing else is checked. */
static enum bulla_err set_policies(struct bulla_call *call, const struct bulla_role_params_change *change,
				   struct bulla_role_params *params)
{
	bool by_old_name = (change->set_old & BULLA_PARAM_POLICIES) != 0, by_name = (change->set & BULLA_PARAM_POLICIES) != 0;
	const struct bulla_token_params *given = by_name ? &change->values : &change->old;

	if (!by_name && !by_old_name)
		return BULLA_OK;
	TRY(params_clean_policies(call, given->policies, given->policy_count, &params->values.policies, &params->values.policy_count));
	params->old_names = (params->old_names & ~(unsigned)BULLA_PARAM_POLICIES) | (by_old_name ? BULLA_PARAM_POLICIES : 0);
	return BULLA_OK;
}

static enum bulla_err write_locked(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
				   struct bulla_bytes name, const struct bulla_user_change *change, struct bulla_bytes hash)
{
	struct user user = { .name = name };
	enum bulla_err err = read_user(auth, call, mount, name, &user);

	if (err == BULLA_E_NOT_FOUND && change->field)
		return bulla_fail(call, BULLA_E_INVALID_500, "username does not exist");
	if (err == BULLA_E_NOT_FOUND && hash.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "must provide either password or password_hash");
	TRY(err == BULLA_E_NOT_FOUND ? BULLA_OK : err);
	TRY(change->field ? set_policies(call, &change->token, &user.params) : params_change(call, &change->token, &user.params));
	if (hash.len > 0)
		user.hash = hash;
	return write_user(auth, call, mount, &user);
}

enum bulla_err bulla_user_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes given, const struct bulla_user_change *change)
{
	struct bulla_bytes name, hash = { 0 };

	TRY(begin(call, given, change->password.len > 0, &name));
	TRY(make_hash(call, change, &hash));
	TRY(bulla_work(call, BULLA_WORK_DISK)); /* nobody computes with the lock held */
	pthread_rwlock_t *lock = stripes_lock(&engine->auth->names, mount->uuid, name);
	enum bulla_err err = write_locked(engine->auth, call, mount, name, change, hash);

	stripes_release(lock);
	return err;
}

/* ---- logging in ------------------------------------------------------------------------------------------------------------ */

static enum bulla_err make_token(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
				 const struct user *user, struct bulla_auth *out)
{
	const struct bulla_token_params *params = &user->params.values;
	const struct bulla_pair meta = { bulla_str("username"), user->name };
	struct log_in args = { .mount = mount, .name = user->name, .login_name = user->name, .params = params, .meta = &meta,
			       .meta_count = 1 };

	if (!access_cidrs_match(params->bound_cidrs, params->bound_cidr_count, call->remote_ip))
		return bulla_fail(call, BULLA_E_FORBIDDEN, "permission denied");
	args.path = bulla_arena_printf(call->arena, "login/%.*s", (int)user->name.len, (const char *)user->name.ptr);
	if (args.path.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	return auth_log_in(auth, call, &args, out);
}

static enum bulla_err attempt(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
			      struct bulla_bytes password, struct bulla_auth *out)
{
	struct user user = { 0 };
	enum bulla_err err = read_user(auth, call, mount, name, &user);
	bool known = err == BULLA_OK, right;

	TRY(err == BULLA_E_NOT_FOUND ? BULLA_OK : err);
	TRY(bulla_work(call, BULLA_WORK_CPU));
	TRY(password_verify(password, user.hash, &right)); /* without memory it is nobody's fault, and not counted */
	if (!right)
		return bulla_fail(call, known ? BULLA_E_BAD_TOKEN : BULLA_E_INVALID, WRONG); /* only users are counted, and locked out */
	return make_token(auth, call, mount, &user, out);
}

enum bulla_err bulla_user_login(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes given, struct bulla_bytes password, struct bulla_auth *out)
{
	struct auth *auth = engine->auth;
	struct bulla_bytes name;

	TRY(begin(call, given, true, &name));
	const struct lockout_user user = { mount->accessor, name };

	TRY(auth_check_lockout(auth, call, mount, &user));
	if (password.len == 0)
		return bulla_fail(call, BULLA_E_FAILED, "missing password");
	enum bulla_err err = attempt(auth, call, mount, name, password, out);

	auth_note_login(auth, mount, &user, err);
	return err == BULLA_E_BAD_TOKEN ? BULLA_E_INVALID : err;
}

/* ---- the method's row ------------------------------------------------------------------------------------------------------ */

/* Whether the token still has what the user would get: default aside, which is added to both later. */
static bool same_policies(const struct bulla_bytes *a, size_t a_count, const struct bulla_bytes *b, size_t b_count)
{
	size_t i = 0, j = 0;

	for (;;) {
		while (i < a_count && bulla_is(a[i], "default"))
			i++;
		while (j < b_count && bulla_is(b[j], "default"))
			j++;
		if (i == a_count || j == b_count)
			return i == a_count && j == b_count;
		if (!bulla_equal(a[i++], b[j++]))
			return false;
	}
}

static enum bulla_err renew(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
			    const struct bulla_token *token, struct bulla_token_params *params)
{
	const struct bulla_bytes *policies;
	struct user user;
	size_t count;
	enum bulla_err err = read_user(auth, call, mount, token->login_name, &user);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID_500, "user does not exist");
	TRY(err);
	const struct bulla_token_params *now = &user.params.values;

	TRY(params_clean_policies(call, now->policies, now->policy_count, &policies, &count));
	if (!same_policies(policies, count, token->policies, token->policy_count))
		return bulla_fail(call, BULLA_E_INVALID_500, "policies have changed, not renewing");
	*params = *now;
	return BULLA_OK;
}

static const char *const kinds[] = { KIND_USER, NULL };

const struct auth_method userpass_method = { .kind = BULLA_MOUNT_USERPASS, .documents = kinds, .renew = renew };
