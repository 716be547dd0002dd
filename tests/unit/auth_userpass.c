/* Users through the library: what is done on which thread, how they log in again after a change, and that a mount takes them along.
 * Texts and statuses: tests/pipeline/userpass.c. */
#include "engine_unit.h"

#include "auth/auth.h"
#include "auth/names.h"

static const struct bulla_mount *mount;

static void setup(void)
{
	const struct bulla_mount_settings none = { 0 };
	struct bulla_bytes rest;

	engine_setup();
	ck_assert_ok(bulla_auth_enable(engine, &call, bulla_str("people"), bulla_str("userpass"), &none));
	mount = bulla_mount_find(engine, bulla_str("auth/people/login"), &rest);
	ck_assert_ptr_nonnull(mount);
}

static void teardown(void)
{
	bulla_mount_put(mount);
	engine_teardown();
}

static enum bulla_err write_user(struct bulla_call *c, const char *name, const char *password)
{
	const struct bulla_user_change change = { .password = bulla_str(password) };

	return bulla_user_write(engine, c, mount, bulla_str(name), &change);
}

static enum bulla_err log_in(struct bulla_call *c, const char *name, const char *password)
{
	struct bulla_auth auth;

	TRY(bulla_user_login(engine, c, mount, bulla_str(name), bulla_str(password), &auth));
	ck_assert_bytes(auth.token->login_name, "alice");
	bulla_token_put(auth.token);
	return BULLA_OK;
}

/* What hashes says so ahead: it is for threads that nobody else waits for. */
START_TEST(on_a_loop)
{
	struct bulla_call loop = call_begin();
	struct bulla_role_params user;

	loop.may_block = false;
	ck_assert_err(bulla_user_read(engine, &loop, mount, bulla_str("alice"), &user), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_user_delete(engine, &loop, mount, bulla_str("alice")), BULLA_E_MUST_BLOCK);
	ck_assert_err(write_user(&loop, "alice", ""), BULLA_E_MUST_BLOCK);
	ck_assert_int_eq(loop.needs, BULLA_WORK_DISK);
	ck_assert_err(write_user(&loop, "alice", "pw"), BULLA_E_MUST_BLOCK);
	ck_assert_int_eq(loop.needs, BULLA_WORK_CPU);
	loop.needs = BULLA_WORK_DISK;
	ck_assert_err(log_in(&loop, "alice", "pw"), BULLA_E_MUST_BLOCK);
	ck_assert_int_eq(loop.needs, BULLA_WORK_CPU);
	call_end(&loop);
	ck_assert_err(bulla_user_read(engine, &call, mount, bulla_str("alice"), &user), BULLA_E_NOT_FOUND);
}
END_TEST

START_TEST(refused)
{
	char name[600];

	memset(name, 'a', sizeof name);
	name[sizeof name - 1] = 0;
	ck_assert_fails(write_user(&call, name, "pw"), BULLA_E_INVALID, "a username is at most 512 bytes long");
	ck_assert_fails(log_in(&call, name, "pw"), BULLA_E_INVALID, "a username is at most 512 bytes long");
	ck_assert_fails(log_in(&call, "alice", "pw"), BULLA_E_INVALID, "invalid username or password");
	ck_assert_ok(write_user(&call, "Alice", "pw"));
	ck_assert_fails(log_in(&call, "alice", "PW"), BULLA_E_INVALID, "invalid username or password");
	ck_assert_fails(log_in(&call, "alice", ""), BULLA_E_FAILED, "missing password");
	ck_assert_ok(log_in(&call, "aLICE", "pw"));
}
END_TEST

START_TEST(gone_with_the_mount)
{
	const struct document_name at = { "userpass-user", bulla_arena_copy(call.arena, mount_scope(mount)), { 0 } };
	struct bulla_bytes *names;
	size_t count;

	ck_assert_ok(write_user(&call, "alice", "pw"));
	ck_assert_ok(document_names(&engine->auth->records.documents, &call, &at, &names, &count));
	ck_assert_uint_eq(count, 1);
	bulla_mount_put(mount);
	mount = NULL;
	ck_assert_ok(bulla_auth_disable(engine, &call, bulla_str("people")));
	ck_assert_ok(document_names(&engine->auth->records.documents, &call, &at, &names, &count));
	ck_assert_uint_eq(count, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth/userpass");
	TCase *tc = tcase_create("userpass");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, on_a_loop);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, gone_with_the_mount);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
