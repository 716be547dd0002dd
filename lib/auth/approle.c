/* approle.c: roles of approle mounts: created, changed, deleted; and what a token of theirs may be renewed with. Workers only. */
#include <stdio.h>

#include "auth/approle_private.h"

static enum bulla_err begin(struct bulla_call *call, struct bulla_bytes given, struct bulla_bytes *name)
{
	TRY(bulla_work(call, BULLA_WORK_DISK));
	if (given.len > APPROLE_MAX_TEXT)
		return bulla_fail(call, BULLA_E_INVALID, "role_name is longer than maximum of %d bytes", APPROLE_MAX_TEXT);
	return lower_case(call, given, name);
}

enum bulla_err bulla_approle_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				  struct bulla_bytes given, struct bulla_approle *out)
{
	struct bulla_bytes name;
	struct role role;

	TRY(begin(call, given, &name));
	TRY(role_read(engine->auth, call, mount, name, &role));
	*out = role.public;
	return BULLA_OK;
}

enum bulla_err bulla_approle_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				  struct bulla_bytes **names, size_t *count)
{
	const struct record_name any = role_name(mount, (struct bulla_bytes){ 0 });

	return record_list(&engine->auth->records, call, &any, names, count);
}

/* ---- changing -------------------------------------------------------------------------------------------------------------- */

/* What older servers took: the peer says what it makes of it. */
static enum bulla_err adjust_type(struct bulla_call *call, struct bulla_role_params_change *change)
{
	struct bulla_bytes *type = &change->values.type;

	if ((change->set & BULLA_PARAM_TYPE) == 0)
		return BULLA_OK;
	if (bulla_is(*type, "default-service")) {
		*type = bulla_str("service");
		return bulla_warn(call, "default-service has no useful meaning; adjusting to service");
	}
	if (bulla_is(*type, "default-batch")) {
		*type = bulla_str("batch");
		return bulla_warn(call, "default-batch has no useful meaning; adjusting to batch");
	}
	return BULLA_OK;
}

static enum bulla_err change_token(struct bulla_call *call, const struct bulla_approle_change *change, struct role *role)
{
	struct bulla_role_params_change token = change->token;
	struct bulla_token_params *values = &token.values;

	TRY(adjust_type(call, &token));
	if (change->field && (token.set & BULLA_PARAM_POLICIES) != 0)
		TRY(params_clean_policies(call, values->policies, values->policy_count, &values->policies, &values->policy_count));
	enum bulla_err err = params_change(call, &token, &role->public.token);

	if (err == BULLA_E_INVALID && change->field && (token.set & BULLA_PARAM_BOUND_CIDRS) != 0) /* that endpoint's words */
		return bulla_fail(call, err, "failed to parse token_bound_cidrs: %.*s", (int)call->detail.len,
				  (const char *)call->detail.ptr);
	return err;
}

static enum bulla_err change_role_id(struct bulla_call *call, const struct bulla_approle_change *change, struct role *role)
{
	struct bulla_approle *r = &role->public;

	if ((change->set & BULLA_APPROLE_ROLE_ID) != 0) {
		r->role_id = change->values.role_id;
	} else if (role->record.revision == 0) {
		char text[UUID_TEXT];

		TRY(random_uuid(text));
		r->role_id = bulla_arena_copy(call->arena, bulla_mem(text, sizeof text));
		if (r->role_id.ptr == NULL)
			return BULLA_E_NO_MEMORY;
	}
	if (r->role_id.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "invalid role_id supplied, or failed to generate a role_id");
	if (r->role_id.len > APPROLE_MAX_TEXT)
		return bulla_fail(call, BULLA_E_INVALID, "role_id is longer than maximum of %d bytes", APPROLE_MAX_TEXT);
	return BULLA_OK;
}

static enum bulla_err change_members(struct bulla_call *call, const struct bulla_approle_change *change, struct role *role)
{
	const struct bulla_approle *v = &change->values;
	struct bulla_approle *r = &role->public;

	if ((change->set & BULLA_APPROLE_LOCAL_SECRET_IDS) != 0) {
		if (role->record.revision != 0)
			return bulla_fail(call, BULLA_E_INVALID, "local_secret_ids can only be modified during role creation");
		r->local_secret_ids = v->local_secret_ids;
	}
	TRY(change_role_id(call, change, role));
	if ((change->set & BULLA_APPROLE_BIND_SECRET_ID) != 0)
		r->bind_secret_id = v->bind_secret_id;
	if ((change->set & BULLA_APPROLE_BOUND_CIDRS) != 0) {
		TRY(cidrs_check(call, v->secret_id_bound_cidrs, v->secret_id_bound_cidr_count, change->field));
		r->secret_id_bound_cidrs = v->secret_id_bound_cidrs;
		r->secret_id_bound_cidr_count = v->secret_id_bound_cidr_count;
	}
	if ((change->set & BULLA_APPROLE_NUM_USES) != 0)
		r->secret_id_num_uses = v->secret_id_num_uses;
	if (r->secret_id_num_uses < 0)
		return bulla_fail(call, BULLA_E_INVALID, "secret_id_num_uses cannot be negative");
	if ((change->set & BULLA_APPROLE_TTL) != 0)
		r->secret_id_ttl_s = v->secret_id_ttl_s;
	if (r->secret_id_ttl_s < 0)
		return bulla_fail(call, BULLA_E_INVALID, "secret_id_ttl cannot be negative");
	return BULLA_OK;
}

/* "800h0m0s", "1m0s", "0s": as Go prints a duration. */
static void print_duration(int64_t s, char out[BULLA_DURATION_TEXT])
{
	long long h = s / 3600, m = s / 60 % 60, rest = s % 60;

	if (h > 0)
		snprintf(out, BULLA_DURATION_TEXT, "%lldh%lldm%llds", h, m, rest);
	else if (m > 0)
		snprintf(out, BULLA_DURATION_TEXT, "%lldm%llds", m, rest);
	else
		snprintf(out, BULLA_DURATION_TEXT, "%llds", rest);
}

/* The peer looks at what came by the old name, and at its own endpoint's. */
static enum bulla_err check_period(struct bulla_call *call, const struct bulla_approle_change *change, const struct role *role,
				   int64_t max_s)
{
	char period[BULLA_DURATION_TEXT], max[BULLA_DURATION_TEXT];
	int64_t period_s = role->public.token.values.period_s;
	bool old = (role->public.token.old_names & BULLA_PARAM_PERIOD) != 0;

	bool own = change->field && (change->token.set & BULLA_PARAM_PERIOD) != 0;

	if ((!old && !own) || period_s <= max_s)
		return BULLA_OK;
	print_duration(old ? period_s : 0, period);
	print_duration(max_s, max);
	return bulla_fail(call, BULLA_E_INVALID, "period of \"%s\" is greater than the backend's maximum lease TTL of \"%s\"", period,
			  max);
}

static enum bulla_err check_constraint(struct bulla_call *call, const struct bulla_approle *r)
{
	if (r->bind_secret_id || r->secret_id_bound_cidr_count > 0 || r->token.values.bound_cidr_count > 0)
		return BULLA_OK;
	return bulla_fail(call, BULLA_E_INVALID_500, "at least one constraint should be enabled on the role");
}

struct role_wish {
	struct bulla *engine;
	const struct bulla_mount *mount;
	const struct bulla_approle_change *change;
};

/* The way from role_id to name goes with it. before: of len 0 for a new role. */
static enum bulla_err move_index(const struct role_wish *wish, struct bulla_call *call, const struct role *role, struct bulla_bytes before)
{
	const struct record_name from = role_id_name(wish->mount, before), to = role_id_name(wish->mount, role->public.role_id);
	const struct role_id index = { .role = role->record.item };
	struct role_id taken;

	if (bulla_equal(before, role->public.role_id))
		return BULLA_OK;
	enum bulla_err err = record_read(&wish->engine->auth->records, call, &to, &taken);

	if (err == BULLA_OK)
		return bulla_fail(call, BULLA_E_INVALID_500, "role_id already in use");
	if (err != BULLA_E_NOT_FOUND)
		return err;
	if (before.len > 0)
		TRY(record_remove_too(role->record.commit, &from, STORE_ANY_REVISION));
	return record_write_too(role->record.commit, &to, &index);
}

static enum bulla_err begin_role(struct role *role)
{
	role->public.bind_secret_id = true;
	return random_bytes(role->hash_key, sizeof role->hash_key);
}

static enum bulla_err change_role(struct bulla_call *call, void *record, void *context)
{
	const struct role_wish *wish = context;
	const struct bulla_approle_change *change = wish->change;
	int64_t max_s = auth_max_ttl_s(wish->engine, wish->mount);
	struct role *role = record;

	if (role->record.revision == 0)
		TRY(change->field ? BULLA_E_UNSUPPORTED_PATH : begin_role(role));
	struct bulla_bytes before = role->public.role_id;

	TRY(change_token(call, change, role));
	TRY(change_members(call, change, role));
	TRY(check_period(call, change, role, max_s));
	if (!change->field && role->public.token.values.max_ttl_s > max_s)
		TRY(bulla_warn(call, "token_max_ttl is greater than the backend mount's maximum TTL value; issued tokens' max TTL value "
				     "will be truncated"));
	TRY(check_constraint(call, &role->public));
	return move_index(wish, call, role, before);
}

enum bulla_err bulla_approle_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				   struct bulla_bytes given, const struct bulla_approle_change *change)
{
	struct role_wish wish = { engine, mount, change };
	struct bulla_bytes name;

	TRY(begin(call, given, &name));
	const struct record_name at = role_name(mount, name);
	pthread_rwlock_t *lock = stripes_lock(&engine->auth->names, mount->uuid, name); /* no secret id is made meanwhile */
	enum bulla_err err = record_change(&engine->auth->records, call, &at, change_role, &wish);

	stripes_release(lock);
	return err;
}

/* ---- deleting -------------------------------------------------------------------------------------------------------------- */

/* The secret ids go first: whatever a crash leaves can still be found by the role, and deleted again. */
static enum bulla_err delete_role(struct bulla_call *call, void *record, void *context)
{
	const struct role_wish *wish = context;
	struct role *role = record;
	const struct record_name index = role_id_name(wish->mount, role->public.role_id);
	struct record_name secrets;

	role->record.fate = RECORD_DELETE;
	if (role->record.revision == 0)
		return BULLA_OK;
	TRY(secret_name(call, wish->mount->uuid, role->record.item, (struct bulla_bytes){ 0 }, &secrets));
	TRY(record_remove_all(&wish->engine->auth->records, call, &secrets));
	return record_remove_too(role->record.commit, &index, STORE_ANY_REVISION);
}

enum bulla_err bulla_approle_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				    struct bulla_bytes given)
{
	struct role_wish wish = { .engine = engine, .mount = mount };
	struct bulla_bytes name;

	TRY(begin(call, given, &name));
	const struct record_name at = role_name(mount, name);
	pthread_rwlock_t *lock = stripes_lock(&engine->auth->names, mount->uuid, name);
	enum bulla_err err = record_change(&engine->auth->records, call, &at, delete_role, &wish);

	stripes_release(lock);
	return err;
}

/* ---- the method's row ------------------------------------------------------------------------------------------------------ */

static enum bulla_err renew(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
			    const struct bulla_token *token, struct bulla_token_params *params)
{
	const struct record_name at = role_name(mount, token->login_name);
	struct role role;
	enum bulla_err err = record_get(&auth->records, call, &at, &role);

	if (err == BULLA_E_NOT_FOUND) {
		struct bulla_bytes quoted = bulla_arena_quote(call->arena, token->login_name);

		return bulla_fail(call, BULLA_E_INVALID_500, "role %.*s does not exist during renewal", (int)quoted.len,
				  (const char *)quoted.ptr);
	}
	TRY(err);
	*params = role.public.token.values;
	return BULLA_OK;
}

/* The documents of the mount itself go by their kinds; secret ids are found by their roles. */
static enum bulla_err destroy(struct auth *auth, struct bulla_call *call, const uint8_t uuid[16])
{
	const struct document_name roles = { KIND_ROLE, bulla_mem(uuid, 16), { 0 } };
	struct bulla_bytes *names;
	size_t count;

	TRY(document_names(&auth->records.documents, call, &roles, &names, &count));
	for (size_t i = 0; i < count; i++) {
		struct record_name secrets;

		TRY(secret_name(call, uuid, names[i], (struct bulla_bytes){ 0 }, &secrets));
		TRY(record_remove_all(&auth->records, call, &secrets));
	}
	return BULLA_OK;
}

static void empty(struct auth *auth)
{
	approle_filing_forget(auth->filing);
}

static const char *const kinds[] = { KIND_ACCESSOR, KIND_ROLE_ID, KIND_ROLE, NULL };

const struct auth_method approle_method = {
	.kind = BULLA_MOUNT_APPROLE, .documents = kinds, .renew = renew, .destroy = destroy, .empty = empty,
};
