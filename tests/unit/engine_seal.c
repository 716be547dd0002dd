/* The engine's states: uninitialised, sealed, unsealed, and the ways between, with what must not work in each. */
#include "engine_unit.h"

static struct bulla_config config_shamir(void)
{
	return (struct bulla_config){ .seal = { .kind = BULLA_SEAL_SHAMIR } };
}

static void open_shamir(void)
{
	struct bulla_config config = config_shamir();

	call = call_begin();
	ck_assert_ok(bulla_open(&config, &call, &engine));
}

static void close_shamir(void)
{
	bulla_close(engine);
	call_end(&call);
	ck_assert_uint_eq(bulla_secret_in_use(), 0);
}

static void init_shamir(unsigned shares, unsigned threshold, struct bulla_init_result *out)
{
	const struct bulla_init_args args = { .secret_shares = shares, .secret_threshold = threshold };

	ck_assert_ok(bulla_init(engine, &call, &args, out));
}

START_TEST(config_refused)
{
	struct bulla_config config = config_static();

	call = call_begin();
	config.default_lease_ttl_s = 3600;
	config.max_lease_ttl_s = 60;
	ck_assert_fails(bulla_open(&config, &call, &engine), BULLA_E_CONFIG, "default_lease_ttl is longer than max_lease_ttl");
	call_end(&call);
}
END_TEST

START_TEST(nothing_before_init)
{
	struct bulla_seal_status status;
	struct bulla_barrier_status barrier;
	struct bulla_bytes rest;

	open_shamir();
	ck_assert(bulla_is_sealed(engine));
	ck_assert(!bulla_is_initialised(engine));
	bulla_seal_status(engine, &status);
	ck_assert(status.sealed && !status.initialised);
	ck_assert_err(bulla_unseal(engine, &call, bulla_str("0123456789abcdef0")), BULLA_E_NOT_INITIALISED);
	call.detail = (struct bulla_bytes){ 0 };
	ck_assert_err(bulla_seal(engine, &call), BULLA_E_SEALED);
	ck_assert_err(bulla_authenticate(engine, &call, bulla_str("s.AAAAAAAAAAAAAAAAAAAAAAAA")), BULLA_E_SEALED);
	ck_assert_err(bulla_barrier_status(engine, &call, &barrier), BULLA_E_SEALED);
	ck_assert_err(bulla_barrier_rotate(engine, &call), BULLA_E_SEALED);
	ck_assert_ptr_null(bulla_mount_find(engine, bulla_str("sys/mounts"), &rest));
	ck_assert_str_eq(bulla_storage_kind(engine), "inmem");
	close_shamir();
}
END_TEST

START_TEST(never_on_a_loop)
{
	const struct bulla_init_args args = { .secret_shares = 1, .secret_threshold = 1 };
	struct bulla_init_result result;

	open_shamir();
	call.may_block = false;
	ck_assert_err(bulla_init(engine, &call, &args, &result), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_unseal(engine, &call, bulla_str("x")), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_unseal_auto(engine, &call), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_seal(engine, &call), BULLA_E_MUST_BLOCK);
	ck_assert(!bulla_is_initialised(engine));
	close_shamir();
}
END_TEST

START_TEST(shamir_round)
{
	struct bulla_seal_status status;
	struct bulla_init_result result;

	open_shamir();
	init_shamir(3, 2, &result);
	ck_assert_uint_eq(result.share_count, 3);
	ck_assert(!result.recovery);
	ck_assert_uint_eq(result.root_token.len, 26);
	ck_assert(bulla_is_initialised(engine) && bulla_is_sealed(engine));
	ck_assert_err(bulla_authenticate(engine, &call, result.root_token), BULLA_E_SEALED);

	ck_assert_ok(bulla_unseal(engine, &call, result.shares[2]));
	bulla_seal_status(engine, &status);
	ck_assert(status.sealed);
	ck_assert_uint_eq(status.progress, 1);
	bulla_unseal_reset(engine);
	bulla_seal_status(engine, &status);
	ck_assert_uint_eq(status.progress, 0);
	ck_assert_ok(bulla_unseal(engine, &call, result.shares[0]));
	ck_assert_ok(bulla_unseal(engine, &call, result.shares[2]));
	ck_assert(!bulla_is_sealed(engine));
	ck_assert_ok(bulla_authenticate(engine, &call, result.root_token));
	ck_assert(call.token->root);
	bulla_token_put(call.token);

	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert(bulla_is_sealed(engine));
	ck_assert_err(bulla_authenticate(engine, &call, result.root_token), BULLA_E_SEALED);
	ck_assert_err(bulla_seal(engine, &call), BULLA_E_SEALED);
	close_shamir();
}
END_TEST

START_TEST(init_once)
{
	const struct bulla_init_args again = { .secret_shares = 1, .secret_threshold = 1 };
	struct bulla_init_result result, second = { 0 };

	open_shamir();
	init_shamir(1, 1, &result);
	ck_assert_err(bulla_init(engine, &call, &again, &second), BULLA_E_ALREADY_INITIALISED);
	ck_assert_ptr_null(second.shares);
	close_shamir();
}
END_TEST

START_TEST(bad_numbers)
{
	static const struct {
		unsigned shares, threshold;
	} bad[] = { { 0, 0 }, { 1, 0 }, { 2, 3 }, { 2, 1 }, { 256, 2 } };

	open_shamir();
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const struct bulla_init_args args = { .secret_shares = bad[i].shares, .secret_threshold = bad[i].threshold };
		struct bulla_init_result result;

		ck_assert_err(bulla_init(engine, &call, &args, &result), BULLA_E_INVALID);
		call.detail = (struct bulla_bytes){ 0 };
	}
	ck_assert(!bulla_is_initialised(engine));
	close_shamir();
}
END_TEST

START_TEST(static_reopens)
{
	char dir[] = "/tmp/bulla-engine-XXXXXX", path[64], token[40] = { 0 };
	struct bulla_config config = config_static();
	const struct bulla_init_args args = { .recovery_shares = 3, .recovery_threshold = 2 };
	struct bulla_init_result result;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/db", dir);
	config.storage_path = path;
	call = call_begin();
	ck_assert_ok(bulla_open(&config, &call, &engine));
	ck_assert_ok(bulla_init(engine, &call, &args, &result));
	ck_assert(!bulla_is_sealed(engine) && result.recovery);
	ck_assert_uint_eq(result.share_count, 3);
	memcpy(token, result.root_token.ptr, result.root_token.len);
	bulla_close(engine);

	ck_assert_ok(bulla_open(&config, &call, &engine));
	ck_assert(bulla_is_sealed(engine) && bulla_is_initialised(engine));
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert_ok(bulla_unseal_auto(engine, &call)); /* twice is fine */
	ck_assert_ok(bulla_authenticate(engine, &call, bulla_str(token)));
	bulla_token_put(call.token);
	ck_assert_str_eq(bulla_storage_kind(engine), "sqlite");
	bulla_close(engine);

	/* another key */
	config.seal.key = bulla_str("fedcba9876543210fedcba9876543210");
	config.seal.key_id = bulla_str("k2");
	ck_assert_ok(bulla_open(&config, &call, &engine));
	ck_assert_err(bulla_unseal_auto(engine, &call), BULLA_E_SEAL_KEY_MISMATCH);
	ck_assert(bulla_is_sealed(engine));
	close_shamir();
}
END_TEST

START_TEST(chosen_root_token)
{
	struct bulla_config config = config_static();
	struct bulla_init_args args = { .root_token = bulla_str("my-root") };
	struct bulla_init_result result;

	call = call_begin();
	ck_assert_ok(bulla_open(&config, &call, &engine));
	ck_assert_ok(bulla_init(engine, &call, &args, &result));
	ck_assert_bytes(result.root_token, "my-root");
	ck_assert_ok(bulla_authenticate(engine, &call, bulla_str("my-root")));
	ck_assert_bytes(call.token->path, "auth/token/create");
	ck_assert_bytes(call.token->display_name, "token");
	ck_assert(call.token->orphan);
	bulla_token_put(call.token);
	close_shamir();
}
END_TEST

START_TEST(barrier_rotates)
{
	struct bulla_barrier_status before, after;
	struct bulla_call again;

	engine_setup();
	ck_assert_ok(bulla_barrier_status(engine, &call, &before));
	ck_assert_uint_eq(before.term, 1);
	ck_assert_ok(bulla_barrier_rotate(engine, &call));
	ck_assert_ok(bulla_barrier_status(engine, &call, &after));
	ck_assert_uint_eq(after.term, 2);
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	again = call_as(root_token); /* sealed under the older term, and read all the same */
	call_done(&again);
	engine_teardown();
}
END_TEST

START_TEST(random_is_not_constant)
{
	uint8_t a[16] = { 0 }, b[16] = { 0 };
	char text[37] = { 0 };

	ck_assert_ok(bulla_random(a, sizeof a));
	ck_assert_ok(bulla_random(b, sizeof b));
	ck_assert_int_ne(memcmp(a, b, sizeof a), 0);
	ck_assert_ok(bulla_uuid(text));
	ck_assert(text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-');
	ck_assert_uint_eq(strlen(text), 36);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine");
	TCase *tc = tcase_create("states");

	tcase_add_test(tc, config_refused);
	tcase_add_test(tc, nothing_before_init);
	tcase_add_test(tc, never_on_a_loop);
	tcase_add_test(tc, bad_numbers);
	tcase_add_test(tc, init_once);
	tcase_add_test(tc, shamir_round);
	tcase_add_test(tc, static_reopens);
	tcase_add_test(tc, chosen_root_token);
	tcase_add_test(tc, barrier_rotates);
	tcase_add_test(tc, random_is_not_constant);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
