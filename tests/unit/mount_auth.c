/* Auth methods in the table of mounts: what is refused, what is kept, and where they may go. */
#include "engine_unit.h"

#include "auth/auth.h"
#include "mount/mount_private.h"

static const struct bulla_mount_settings none;

static enum bulla_err enable(const char *name, const char *type)
{
	return bulla_auth_enable(engine, &call, bulla_str(name), bulla_str(type), &none);
}

static const struct bulla_mount *mount_of(const char *path)
{
	struct bulla_bytes rest;

	return bulla_mount_find(engine, bulla_str(path), &rest);
}

static void assert_absent(const char *path)
{
	ck_assert_ptr_null(mount_of(path));
}

static const struct {
	const char *name, *type, *text;
} refused[] = {
	{ "x", "", "backend type must be specified as a string" },
	{ "x", "nonsense", "plugin not found in the catalog: nonsense" },
	{ "x", "transit", "plugin not found in the catalog: transit" },
	{ "x", "system", "plugin not found in the catalog: system" },
	{ "x", "cubbyhole", "plugin not found in the catalog: cubbyhole" },
	{ "x", "token", "token credential backend cannot be instantiated" },
	{ "", "approle", "backend path must be specified" },
	{ "//", "approle", "backend path must be specified" },
	{ "token", "approle", "path is already in use at token/" },
	{ "token/x", "approle", "path is already in use at token/" },
	{ "a\nb", "approle", "path cannot contain non-printable characters" },
};

START_TEST(enable_refused)
{
	ck_assert_fails(enable(refused[_i].name, refused[_i].type), BULLA_E_INVALID, refused[_i].text);
	assert_absent("auth/x/login");
}
END_TEST

START_TEST(settings_refused)
{
	struct bulla_pair version = { bulla_str("version"), bulla_str("2") };
	struct bulla_mount_settings s = { .set = BULLA_MOUNT_TOKEN_TYPE, .values = { .token_type = bulla_str("bogus") } };

	ck_assert_fails(bulla_auth_enable(engine, &call, bulla_str("x"), bulla_str("jwt"), &s), BULLA_E_INVALID,
			"invalid value for 'token_type'");
	s = (struct bulla_mount_settings){ .set = BULLA_MOUNT_OPTIONS, .values = { .options = &version, .option_count = 1 } };
	ck_assert_fails(bulla_auth_enable(engine, &call, bulla_str("x"), bulla_str("jwt"), &s), BULLA_E_INVALID,
			"auth method \"jwt\" does not allow setting a version");
	s = (struct bulla_mount_settings){ .set = BULLA_MOUNT_DEFAULT_TTL | BULLA_MOUNT_MAX_TTL,
					   .values = { .default_lease_ttl_s = 20, .max_lease_ttl_s = 10 } };
	ck_assert_fails(bulla_auth_enable(engine, &call, bulla_str("x"), bulla_str("jwt"), &s), BULLA_E_INVALID,
			"given default lease TTL greater than given max lease TTL");
	assert_absent("auth/x/login");
}
END_TEST

START_TEST(conflicts)
{
	ck_assert_ok(enable("a/b", "approle"));
	ck_assert_fails(enable("a/b", "approle"), BULLA_E_INVALID, "path is already in use at a/b/");
	ck_assert_fails(enable("a", "jwt"), BULLA_E_INVALID, "path is already in use at a/b/");
	ck_assert_fails(enable("/a/b/c/", "jwt"), BULLA_E_INVALID, "path is already in use at a/b/");
	ck_assert_ok(enable("a/bb", "cert"));
}
END_TEST

START_TEST(loop_asks_for_a_worker)
{
	uint8_t uuid[16] = { 0 };

	call.may_block = false;
	ck_assert_err(enable("x", "approle"), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_auth_disable(engine, &call, bulla_str("x")), BULLA_E_MUST_BLOCK);
	ck_assert_err(auth_destroy_mount(engine->auth, &call, uuid), BULLA_E_MUST_BLOCK);
	call.may_block = true;
	assert_absent("auth/x/login");
}
END_TEST

static void seal_and_unseal(void)
{
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_ok(bulla_unseal_auto(engine, &call));
}

START_TEST(kept_over_a_seal)
{
	static const char *const types[] = { "approle", "userpass", "cert", "jwt" };

	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < 4; i++) {
			char path[64];

			snprintf(path, sizeof path, "auth/of-%s/login", types[i]);
			if (again == 0)
				ck_assert_ok(enable(path + strlen("auth/"), types[i]));
			const struct bulla_mount *m = mount_of(path);

			ck_assert_ptr_nonnull(m);
			ck_assert_str_eq(m->type, types[i]);
			ck_assert_bytes(m->token_type, "default-service");
			ck_assert_uint_eq(m->lockout.set, 0);
			snprintf(path, sizeof path, "auth_%s_", types[i]);
			ck_assert_uint_eq(m->accessor.len, strlen(path) + 8);
			ck_assert_mem_eq(m->accessor.ptr, path, strlen(path));
			bulla_mount_put(m);
		}
		seal_and_unseal();
	}
}
END_TEST

START_TEST(tuned)
{
	struct bulla_mount_settings s = { .set = BULLA_MOUNT_TOKEN_TYPE, .values.token_type = bulla_str("batch") };

	ck_assert_ok(enable("x", "approle"));
	ck_assert_ok(enable("c", "cert"));
	ck_assert_ok(bulla_mount_tune(engine, &call, bulla_str("auth/x"), &s));
	ck_assert_fails(bulla_mount_tune(engine, &call, bulla_str("auth/token"), &s), BULLA_E_INVALID,
			"'token_type' cannot be set for 'token' or 'ns_token' auth mounts");
	s.values.token_type = bulla_str("bogus");
	ck_assert_fails(bulla_mount_tune(engine, &call, bulla_str("auth/x"), &s), BULLA_E_INVALID, "invalid value for 'token_type'");
	s = (struct bulla_mount_settings){ .set = BULLA_MOUNT_LOCKOUT,
					   .values.lockout = { .set = BULLA_LOCKOUT_THRESHOLD | BULLA_LOCKOUT_RESET, .threshold = 3, .reset_s = 9 } };
	ck_assert_fails(bulla_mount_tune(engine, &call, bulla_str("auth/c"), &s), BULLA_E_INVALID,
			"tuning of user lockout configuration for auth type \"cert\" not allowed");
	ck_assert_ok(bulla_mount_tune(engine, &call, bulla_str("auth/x"), &s));
	s.values.lockout = (struct bulla_mount_lockout){ .set = BULLA_LOCKOUT_DISABLE | BULLA_LOCKOUT_DURATION, .duration_s = 60, .disable = true };
	ck_assert_ok(bulla_mount_tune(engine, &call, bulla_str("auth/x"), &s));
	seal_and_unseal();
	const struct bulla_mount *m = mount_of("auth/x");

	ck_assert_bytes(m->token_type, "batch");
	ck_assert_uint_eq(m->lockout.set, BULLA_LOCKOUT_GIVEN);
	ck_assert_int_eq(m->lockout.threshold, 3);
	ck_assert_int_eq(m->lockout.reset_s, 9);
	ck_assert_int_eq(m->lockout.duration_s, 60);
	ck_assert(m->lockout.disable);
	bulla_mount_put(m);
}
END_TEST

START_TEST(moved)
{
	static const struct {
		const char *from, *to, *text;
	} bad[] = {
		{ "auth/token", "auth/y", "cannot remount \"auth/token/\"" },
		{ "auth/x", "y", "cannot remount auth mount to non-auth mount \"y/\"" },
		{ "transit", "auth/y", "cannot remount to destination auth/y/" },
		{ "auth/x", "auth/token", "cannot remount to destination \"auth/token/\"" },
		{ "auth/x", "auth/token/y", "cannot remount to destination \"auth/token/y/\"" },
		{ "auth/x", "auth/taken", "path already in use at \"auth/taken/\"" },
		{ "auth/nope", "auth/y", "no matching mount at \"auth/nope/\"" },
	};
	char id[37];

	ck_assert_ok(enable("x", "approle"));
	ck_assert_ok(enable("taken", "jwt"));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_fails(bulla_mount_move(engine, &call, bulla_str(bad[i].from), bulla_str(bad[i].to), id), BULLA_E_INVALID,
				bad[i].text);
	ck_assert_ok(bulla_mount_move(engine, &call, bulla_str("auth/x"), bulla_str("auth/y"), id));
	assert_absent("auth/x/login");
	bulla_mount_put(mount_of("auth/y/login"));
}
END_TEST

START_TEST(disabled)
{
	ck_assert_fails(bulla_auth_disable(engine, &call, bulla_str("token")), BULLA_E_INVALID,
			"token credential backend cannot be disabled");
	ck_assert_ok(bulla_auth_disable(engine, &call, bulla_str("nope")));
	ck_assert_ok(enable("x", "userpass"));
	ck_assert_ok(bulla_auth_disable(engine, &call, bulla_str("x/")));
	assert_absent("auth/x/login");
	seal_and_unseal();
	assert_absent("auth/x/login");
}
END_TEST

static bool is_alive(struct bulla_bytes token)
{
	struct bulla_call c = call_begin();
	enum bulla_err err = bulla_authenticate(engine, &c, token);

	call_done(&c);
	return err == BULLA_OK;
}

/* A token as a login at path (of the mount) gives it. */
static struct bulla_bytes log_in(const char *path)
{
	static const struct bulla_bytes policy = { (const uint8_t *)"default", 7 };
	const struct bulla_token_params params = { .policies = &policy, .policy_count = 1, .ttl_s = 3600 };
	const struct bulla_mount *mount = mount_of(path);
	const struct access_login login = { .mount = mount, .path = bulla_str(path), .display_name = bulla_str("x-u"),
					    .login_name = bulla_str("u"), .params = &params };
	struct bulla_auth auth;

	ck_assert_ptr_nonnull(mount);
	ck_assert_ok(access_login(engine->access, &call, &login, &auth));
	bulla_token_put(auth.token);
	bulla_mount_put(mount);
	return auth.client_token;
}

/* What a crash in the middle of disabling leaves: the next unsealing revokes what the method gave out, and nothing else. */
START_TEST(disabling_is_finished)
{
	struct mount_gone gone;
	bool there = false;

	ck_assert_ok(enable("x", "userpass"));
	ck_assert_ok(enable("xx", "userpass"));
	struct bulla_bytes token = log_in("auth/x/login/u"), other = log_in("auth/xx/login/u");

	ck_assert(is_alive(token));
	ck_assert_ok(mounts_retire(engine->mounts, &call, bulla_str("auth/x"), &there, &gone));
	ck_assert(there);
	ck_assert_bytes(gone.path, "auth/x/");
	ck_assert_int_eq(gone.kind, BULLA_MOUNT_USERPASS);
	assert_absent("auth/x/login");
	seal_and_unseal();
	ck_assert_ok(mounts_dying(engine->mounts, &call, &there, &gone));
	ck_assert(!there);
	ck_assert(!is_alive(token));
	ck_assert(is_alive(other));
}
END_TEST

/* Byte for byte as docs/FORMATS.md has it; and what is no such record is refused. */
START_TEST(format)
{
	struct bulla_mount m = { .path = bulla_str("auth/a/"), .kind = BULLA_MOUNT_APPROLE, .accessor = bulla_str("A"),
				 .token_type = bulla_str("batch"), .audit_request_count = -1, .audit_response_count = -1,
				 .passthrough_count = -1, .allowed_count = -1, .lockout = { BULLA_LOCKOUT_GIVEN, 5, 60, 9, true } };
	static const uint8_t tail[] = { 0, 0, 0, 5, 'b', 'a', 't', 'c', 'h', 3, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 60,
					0, 0, 0, 0, 0, 0, 0, 9 };
	struct bulla_bytes record;
	struct mount *made;

	ck_assert_ok(mount_pack(&call, &m, false, &record));
	ck_assert_uint_eq(record.ptr[0], 3);
	ck_assert_uint_eq(record.ptr[1], 5);
	ck_assert_mem_eq(record.ptr + record.len - sizeof tail, tail, sizeof tail);
	ck_assert_ok(mount_unpack(record, 1, NULL, &made));
	ck_assert_int_eq(made->public.lockout.duration_s, 60);
	mount_put(made);
	for (size_t cut = 1; cut < sizeof tail; cut++)
		ck_assert_err(mount_unpack(bulla_mem(record.ptr, record.len - cut), 1, NULL, &made), BULLA_E_STORE_DAMAGED);
	uint8_t *byte = (uint8_t *)(uintptr_t)record.ptr;

	byte[record.len - 25] = 4; /* an unknown flag */
	ck_assert_err(mount_unpack(record, 1, NULL, &made), BULLA_E_STORE_DAMAGED);
	byte[record.len - 25] = 3;
	byte[1] = BULLA_MOUNT_TRANSIT; /* which has no such members */
	ck_assert_err(mount_unpack(record, 1, NULL, &made), BULLA_E_STORE_DAMAGED);
	byte[1] = BULLA_MOUNT_JWT + 1;
	ck_assert_err(mount_unpack(record, 1, NULL, &made), BULLA_E_STORE_DAMAGED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mount_auth");
	TCase *tc = tcase_create("auth");

	tcase_add_checked_fixture(tc, engine_setup, engine_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, enable_refused, 0, (int)(sizeof refused / sizeof refused[0]));
	tcase_add_test(tc, settings_refused);
	tcase_add_test(tc, conflicts);
	tcase_add_test(tc, loop_asks_for_a_worker);
	tcase_add_test(tc, kept_over_a_seal);
	tcase_add_test(tc, tuned);
	tcase_add_test(tc, moved);
	tcase_add_test(tc, disabled);
	tcase_add_test(tc, disabling_is_finished);
	tcase_add_test(tc, format);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
