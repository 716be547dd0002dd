/* login.c: a login's token. What an auth method knows of the caller has been proven when this is called. Workers only. */
#include "access/login.h"

#include "access/access_private.h"

void access_set_renewer(struct access *access, access_renewer *renewer, void *context)
{
	access->renewer_context = context;
	access->renewer = renewer;
}

/* token_new's also. */
static enum bulla_err add_writes(struct access *access, struct bulla_call *call, const struct token_new *new,
				 const struct store_id *slot, struct store_write *writes, size_t *count)
{
	const struct access_login *login = new->context;

	(void)access, (void)call, (void)slot;
	for (size_t i = 0; i < login->write_count; i++)
		writes[(*count)++] = login->writes[i];
	return BULLA_OK;
}

static enum bulla_err set_policies(struct bulla_call *call, const struct bulla_token_params *params, struct bulla_token *t)
{
	struct policies policies;

	TRY(policies_sanitise(call, params->policies, params->policy_count, !params->no_default_policy, &policies));
	if (policies_have(&policies, "root"))
		return bulla_fail(call, BULLA_E_INVALID, "auth methods cannot create root tokens");
	TRY(policies_check_assignable(call, &policies));
	t->policies = policies.items;
	t->policy_count = policies.count;
	return BULLA_OK;
}

static enum bulla_err set_times(const struct access *access, struct bulla_call *call, const struct access_login *login,
				struct bulla_token *t)
{
	const struct bulla_token_params *params = login->params;
	int64_t now_ns = bulla_clock_ns();
	struct lease_wish wish = { .ttl_s = params->ttl_s, .period_s = params->period_s, .max_s = params->max_ttl_s,
				   .explicit_max_s = params->explicit_max_ttl_s, .issued_ns = now_ns, .now_ns = now_ns,
				   .mount = login->mount };

	TRY(lease_calculate(access, call, &wish, &t->ttl_s));
	t->creation_ttl_s = t->ttl_s;
	t->period_s = params->period_s;
	t->explicit_max_ttl_s = params->explicit_max_ttl_s;
	t->renewable = true;
	return BULLA_OK;
}

static enum bulla_err prepare(struct access *access, struct bulla_call *call, const struct access_login *login,
			      struct bulla_token *t)
{
	const struct bulla_token_params *params = login->params;

	if (!access_cidrs_match(params->bound_cidrs, params->bound_cidr_count, call->remote_ip))
		return BULLA_E_DENIED;
	if (params->strictly_bind_ip && call->remote_ip.len == 0)
		return BULLA_E_DENIED; /* a unix socket has no address to be bound to */
	if (login->write_count > LOGIN_MAX_WRITES)
		return BULLA_E_INTERNAL;
	TRY(set_times(access, call, login, t));
	TRY(set_policies(call, params, t));
	t->num_uses = (int32_t)(params->num_uses > INT32_MAX ? INT32_MAX : params->num_uses);
	t->bound_cidrs = params->strictly_bind_ip ? &call->remote_ip : params->bound_cidrs;
	t->bound_cidr_count = params->strictly_bind_ip ? 1 : params->bound_cidr_count;
	return BULLA_OK;
}

/* A mount may fix the type, or give the one that counts where the role has none of its own. */
static bool is_batch(const struct access_login *login)
{
	struct bulla_bytes mount = login->mount->token_type, own = login->params->type;

	if (bulla_is(mount, "service") || bulla_is(mount, "batch"))
		return bulla_is(mount, "batch");
	if (bulla_is(mount, "default-batch"))
		return !bulla_is(own, "service") && !bulla_is(own, "default-service");
	return bulla_is(own, "batch") || bulla_is(own, "default-batch");
}

static enum bulla_err make_batch(struct access *access, struct bulla_call *call, const struct token_new *new,
				 struct bulla_bytes *text, struct token **out)
{
	const struct access_login *login = new->context;
	struct token *made;

	TRY(batch_make(access, call, new, text, &made));
	enum bulla_err err = login->write_count > 0
		? store_commit(access->store, call, login->writes, login->write_count, NULL) : BULLA_OK;

	if (err != BULLA_OK) {
		token_put(made);
		return err;
	}
	*out = made;
	return BULLA_OK;
}

static enum bulla_err log_in(struct access *access, struct bulla_call *call, const struct access_login *login,
			     struct bulla_auth *out)
{
	struct token_new new = {
		.token = { .path = login->path, .display_name = login->display_name, .login_name = login->login_name,
			   .meta = login->meta, .meta_count = login->meta_count, .meta_null = login->meta_count == 0,
			   .orphan = true },
		.also = add_writes, .context = login,
	};
	struct bulla_bytes text;
	struct token *made;

	TRY(prepare(access, call, login, &new.token));
	TRY(is_batch(login) ? make_batch(access, call, &new, &text, &made) : token_make(access, call, &new, &text, &made));
	*out = (struct bulla_auth){ .client_token = text, .token = &made->public, .lease_s = made->public.ttl_s };
	return BULLA_OK;
}

enum bulla_err access_login(struct access *access, struct bulla_call *call, const struct access_login *login,
			    struct bulla_auth *out)
{
	TRY(access_begin(access, call));
	return access_end(access, log_in(access, call, login, out));
}
