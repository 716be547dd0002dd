/* Logins: what they may not make, what their tokens are like, what else is committed with them, and how they are renewed. */
#include "engine_unit.h"

#include "access/access_private.h"

static int64_t now_ns;

static int64_t clock_ns(void)
{
	return now_ns;
}

static struct bulla_mount mount = { .path = { (const uint8_t *)"auth/token/", 11 } };
static struct bulla_token_params params;
static struct access_login login;
static struct bulla_bytes names[2], blocks[2];

static void setup(void)
{
	now_ns = INT64_C(1800000000000000000);
	bulla_clock_replace(clock_ns, clock_ns);
	engine_setup();
	mount.default_lease_ttl_s = mount.max_lease_ttl_s = 0;
	names[0] = bulla_str("Reader");
	blocks[0] = bulla_str("10.0.0.0/8");
	params = (struct bulla_token_params){ .policies = names, .policy_count = 1, .ttl_s = 600 };
	login = (struct access_login){ .mount = &mount, .path = bulla_str("auth/token/login/alice"), .login_name = bulla_str("alice"),
				       .display_name = bulla_str("userpass-alice"), .params = &params };
}

static enum bulla_err log_in(struct bulla_auth *auth)
{
	return access_login(engine->access, &call, &login, auth);
}

static enum bulla_err come(struct bulla_bytes token, const char *ip, int32_t *uses)
{
	struct bulla_call c = call_begin();

	c.remote_ip = bulla_str(ip);
	enum bulla_err err = bulla_authenticate(engine, &c, token);

	if (err == BULLA_OK && uses != NULL)
		*uses = c.token->num_uses;
	call_done(&c);
	return err;
}

/* ---- refusals -------------------------------------------------------------- */

START_TEST(not_on_a_loop)
{
	struct bulla_auth auth;

	call.may_block = false;
	ck_assert_err(log_in(&auth), BULLA_E_MUST_BLOCK);
	call.may_block = true;
}
END_TEST

START_TEST(no_great_policies)
{
	struct bulla_auth auth;

	names[0] = bulla_str(" ROOT");
	ck_assert_fails(log_in(&auth), BULLA_E_INVALID, "auth methods cannot create root tokens");
	names[0] = bulla_str("response-wrapping");
	ck_assert_fails(log_in(&auth), BULLA_E_INVALID, "cannot assign policy \"response-wrapping\"");
}
END_TEST

START_TEST(not_from_elsewhere)
{
	struct bulla_auth auth;

	params.bound_cidrs = blocks;
	params.bound_cidr_count = 1;
	ck_assert_err(log_in(&auth), BULLA_E_DENIED);
	call.remote_ip = bulla_str("11.0.0.1");
	ck_assert_err(log_in(&auth), BULLA_E_DENIED);
	params.bound_cidr_count = 0;
	params.strictly_bind_ip = true;
	call.remote_ip = bulla_str("");
	ck_assert_err(log_in(&auth), BULLA_E_DENIED);
}
END_TEST

START_TEST(too_many_writes)
{
	struct bulla_auth auth;

	login.write_count = LOGIN_MAX_WRITES + 1;
	ck_assert_err(log_in(&auth), BULLA_E_INTERNAL);
}
END_TEST

/* A login whose own write does not hold makes no token. */
START_TEST(all_or_nothing)
{
	struct store_write write = { .id = { { 9 } }, .change = STORE_PUT, .expected = 0, .bytes = bulla_str("used") };
	struct store_record record;
	struct bulla_bytes *list;
	struct bulla_auth auth;
	size_t before, after;

	login.writes = &write;
	login.write_count = 1;
	ck_assert_ok(log_in(&auth));
	bulla_token_put(auth.token);
	ck_assert_ok(store_get(engine->store, &call, &write.id, &record));
	ck_assert_ok(bulla_token_accessors(engine, &call, &list, &before));
	ck_assert_err(log_in(&auth), BULLA_E_CONFLICT);
	ck_assert_ok(bulla_token_accessors(engine, &call, &list, &after));
	ck_assert_uint_eq(before, after);
}
END_TEST

/* ---- what comes of it ------------------------------------------------------- */

START_TEST(makes)
{
	const struct bulla_pair meta = { bulla_str("username"), bulla_str("alice") };
	const struct bulla_token *found;
	struct bulla_auth auth;

	login.meta = &meta;
	login.meta_count = 1;
	ck_assert_ok(log_in(&auth));
	ck_assert_int_eq(auth.lease_s, 600);
	ck_assert_ok(come(auth.client_token, "", NULL));
	ck_assert_ok(bulla_token_lookup(engine, &call, auth.client_token, &found));
	ck_assert_uint_eq(found->policy_count, 2);
	ck_assert_bytes(found->policies[0], "default");
	ck_assert_bytes(found->policies[1], "reader");
	ck_assert_bytes(found->display_name, "userpass-alice");
	ck_assert_bytes(found->path, "auth/token/login/alice");
	ck_assert_bytes(found->login_name, "alice");
	ck_assert_bytes(found->meta[0].value, "alice");
	ck_assert(found->orphan && found->renewable && !found->root && !found->meta_null);
	bulla_token_put(found);
	bulla_token_put(auth.token);
}
END_TEST

START_TEST(lives_as_long_as_the_mount_says)
{
	struct bulla_auth auth;

	params.ttl_s = 0;
	mount.default_lease_ttl_s = 1200;
	ck_assert_ok(log_in(&auth));
	ck_assert_int_eq(auth.lease_s, 1200);
	bulla_token_put(auth.token);
	mount.max_lease_ttl_s = 700;
	ck_assert_ok(log_in(&auth));
	ck_assert_int_eq(auth.lease_s, 700);
	bulla_token_put(auth.token);
	params.max_ttl_s = 300;
	ck_assert_ok(log_in(&auth));
	ck_assert_int_eq(auth.lease_s, 300);
	bulla_token_put(auth.token);
	params.explicit_max_ttl_s = 200;
	ck_assert_ok(log_in(&auth));
	ck_assert_int_eq(auth.lease_s, 200);
	bulla_token_put(auth.token);
}
END_TEST

/* From elsewhere it is refused, cached or not, and no use is taken. */
START_TEST(is_bound)
{
	struct bulla_auth auth;
	int32_t uses = 0;

	call.remote_ip = bulla_str("10.9.9.9");
	params.bound_cidrs = blocks;
	params.bound_cidr_count = 1;
	ck_assert_ok(log_in(&auth));
	ck_assert_err(come(auth.client_token, "11.0.0.1", NULL), BULLA_E_FORBIDDEN);
	ck_assert_ok(come(auth.client_token, "10.1.1.1", NULL));
	ck_assert_err(come(auth.client_token, "11.0.0.1", NULL), BULLA_E_FORBIDDEN);
	ck_assert_err(come(auth.client_token, "", NULL), BULLA_E_FORBIDDEN);
	bulla_token_put(auth.token);
	params.num_uses = 2;
	ck_assert_ok(log_in(&auth));
	ck_assert_err(come(auth.client_token, "11.0.0.1", NULL), BULLA_E_FORBIDDEN);
	ck_assert_ok(come(auth.client_token, "10.1.1.1", &uses));
	ck_assert_int_eq(uses, 1);
	bulla_token_put(auth.token);
}
END_TEST

START_TEST(is_bound_strictly)
{
	struct bulla_auth auth;

	call.remote_ip = bulla_str("10.9.9.9");
	params.strictly_bind_ip = true;
	ck_assert_ok(log_in(&auth));
	ck_assert_uint_eq(auth.token->bound_cidr_count, 1);
	ck_assert_ok(come(auth.client_token, "10.9.9.9", NULL));
	ck_assert_err(come(auth.client_token, "10.9.9.8", NULL), BULLA_E_FORBIDDEN);
	bulla_token_put(auth.token);
}
END_TEST

/* A batch token writes what has to be committed, and nothing else. */
START_TEST(makes_batch_tokens)
{
	struct store_write write = { .id = { { 9 } }, .change = STORE_PUT, .expected = 0, .bytes = bulla_str("used") };
	struct bulla_auth auth;

	params.type = bulla_str("batch");
	params.period_s = 60;
	uint64_t before = store_counts(engine->store).batches;

	ck_assert_ok(log_in(&auth));
	ck_assert_uint_eq(store_counts(engine->store).batches, before);
	ck_assert_int_eq(auth.token->type, BULLA_TOKEN_BATCH);
	ck_assert_int_eq(auth.lease_s, 60);
	ck_assert_int_eq(auth.token->period_s, 0);
	ck_assert(!auth.token->renewable && auth.token->orphan);
	ck_assert_ok(come(auth.client_token, "", NULL));
	bulla_token_put(auth.token);
	login.writes = &write;
	login.write_count = 1;
	ck_assert_ok(log_in(&auth));
	bulla_token_put(auth.token);
	ck_assert_err(log_in(&auth), BULLA_E_CONFLICT);
}
END_TEST

/* ---- renewing ---------------------------------------------------------------- */

static enum bulla_err renewer(void *context, struct bulla_call *c, const struct bulla_mount *of, const struct bulla_token *token,
			      struct bulla_token_params *out)
{
	ck_assert_bytes(of->path, "auth/token/");
	ck_assert_bytes(token->login_name, "alice");
	*out = *(const struct bulla_token_params *)context;
	return out->num_uses == 0 ? BULLA_OK : bulla_fail(c, BULLA_E_INVALID, "policies have changed, not renewing");
}

START_TEST(is_renewed_as_the_role_says_today)
{
	struct bulla_token_params today = { .ttl_s = 900, .max_ttl_s = 1000 };
	struct bulla_auth auth, again;

	ck_assert_ok(log_in(&auth));
	access_set_renewer(engine->access, NULL, NULL);
	ck_assert_fails(bulla_token_renew(engine, &call, auth.client_token, 0, &again), BULLA_E_INVALID, "lease is not renewable");
	access_set_renewer(engine->access, renewer, &today);
	now_ns += INT64_C(1000000000) * 50;
	ck_assert_ok(bulla_token_renew(engine, &call, auth.client_token, 0, &again));
	ck_assert_int_eq(again.lease_s, 900);
	bulla_token_put(again.token);
	ck_assert_ok(bulla_token_renew(engine, &call, auth.client_token, 2000, &again));
	ck_assert_int_eq(again.lease_s, 950); /* 1000 from its issue on */
	bulla_token_put(again.token);
	today.num_uses = 1;
	ck_assert_fails(bulla_token_renew(engine, &call, auth.client_token, 0, &again), BULLA_E_INVALID_500,
			"failed to renew entry: policies have changed, not renewing");
	bulla_token_put(auth.token);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access/login");
	TCase *tc = tcase_create("login");

	tcase_add_checked_fixture(tc, setup, engine_teardown);
	tcase_add_test(tc, not_on_a_loop);
	tcase_add_test(tc, no_great_policies);
	tcase_add_test(tc, not_from_elsewhere);
	tcase_add_test(tc, too_many_writes);
	tcase_add_test(tc, all_or_nothing);
	tcase_add_test(tc, makes);
	tcase_add_test(tc, lives_as_long_as_the_mount_says);
	tcase_add_test(tc, is_bound);
	tcase_add_test(tc, is_bound_strictly);
	tcase_add_test(tc, makes_batch_tokens);
	tcase_add_test(tc, is_renewed_as_the_role_says_today);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
