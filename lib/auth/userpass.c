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
	struct record record;
	struct bulla_bytes hash;
	struct bulla_role_params params;
};

/* ---- storing --------------------------------------------------------------------------------------------------------------- */

static void encode(struct pack *pack, const void *record)
{
	const struct user *user = record;

	pack_u8(pack, FORMAT);
	pack_bytes(pack, user->hash);
	params_pack(pack, &user->params);
}

static enum bulla_err decode(struct bulla_call *call, struct unpack *in, void *record)
{
	struct user *user = record;

	if (unpack_u8(in) != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	user->hash = unpack_bytes(in);
	return params_unpack(call, in, &user->params);
}

static const struct record_kind users = { .name = KIND_USER, .size = sizeof(struct user), .cached = true, .encode = encode, .decode = decode };

static struct record_name place(const struct bulla_mount *mount, struct bulla_bytes name)
{
	return (struct record_name){ &users, mount_scope(mount), name };
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
	const struct record_name at = place(mount, name);

	TRY(record_read(&engine->auth->records, call, &at, &user));
	*out = user.params;
	return BULLA_OK;
}

enum bulla_err bulla_user_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			       struct bulla_bytes **names, size_t *count)
{
	const struct record_name any = place(mount, (struct bulla_bytes){ 0 });

	return record_list(&engine->auth->records, call, &any, names, count);
}

enum bulla_err bulla_user_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				 struct bulla_bytes given)
{
	struct bulla_bytes name;

	TRY(begin(call, given, false, &name));
	const struct record_name at = place(mount, name);

	return record_remove(&engine->auth->records, call, &at);
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

/* Once, however often the change is tried: it takes long. */
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

struct user_wish {
	const struct bulla_user_change *change;
	struct bulla_bytes hash; /* len 0: as it is */
};

static enum bulla_err change_user(struct bulla_call *call, void *record, void *context)
{
	const struct user_wish *wish = context;
	const struct bulla_user_change *change = wish->change;
	struct user *user = record;
	bool is_new = user->record.revision == 0;

	if (is_new && change->field)
		return bulla_fail(call, BULLA_E_INVALID_500, "username does not exist");
	if (is_new && wish->hash.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "must provide either password or password_hash");
	if (wish->hash.len > 0)
		user->hash = wish->hash;
	return change->field ? set_policies(call, &change->token, &user->params) : params_change(call, &change->token, &user->params);
}

enum bulla_err bulla_user_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes given, const struct bulla_user_change *change)
{
	struct user_wish wish = { .change = change };
	struct bulla_bytes name;

	TRY(begin(call, given, change->password.len > 0, &name));
	TRY(make_hash(call, change, &wish.hash));
	const struct record_name at = place(mount, name);

	return record_change(&engine->auth->records, call, &at, change_user, &wish);
}

/* ---- logging in ------------------------------------------------------------------------------------------------------------ */

static enum bulla_err make_token(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
				 const struct user *user, struct bulla_auth *out)
{
	const struct bulla_token_params *params = &user->params.values;
	const struct bulla_pair meta = { bulla_str("username"), user->record.item };
	struct log_in args = { .mount = mount, .name = user->record.item, .login_name = user->record.item, .params = params, .meta = &meta,
			       .meta_count = 1 };

	if (!access_cidrs_match(params->bound_cidrs, params->bound_cidr_count, call->remote_ip))
		return bulla_fail(call, BULLA_E_FORBIDDEN, "permission denied");
	args.path = bulla_arena_printf(call->arena, "login/%.*s", (int)user->record.item.len, (const char *)user->record.item.ptr);
	if (args.path.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	return auth_log_in(auth, call, &args, out);
}

static enum bulla_err attempt(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name,
			      struct bulla_bytes password, struct bulla_auth *out)
{
	const struct record_name at = place(mount, name);
	struct user user = { 0 };
	enum bulla_err err = record_get(&auth->records, call, &at, &user);
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

	return auth_note_login(auth, call, mount, &user, err);
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
	const struct record_name at = place(mount, token->login_name);
	const struct bulla_bytes *policies;
	struct user user;
	size_t count;
	enum bulla_err err = record_get(&auth->records, call, &at, &user);

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
