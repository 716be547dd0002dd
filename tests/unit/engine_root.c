/* A new root token by agreement: who may take part, what ends an attempt, and that nothing of it stays. */
#include "engine_unit.h"

static struct bulla_bytes shares[3];

/* A Shamir seal of 3 shares, 2 of which open it. */
static void setup(void)
{
	const struct bulla_config config = { .seal.kind = BULLA_SEAL_SHAMIR };
	const struct bulla_init_args args = { .secret_shares = 3, .secret_threshold = 2 };
	struct bulla_init_result result;

	call = call_begin();
	ck_assert_ok(bulla_open(&config, &call, &engine));
	ck_assert_ok(bulla_init(engine, &call, &args, &result));
	for (size_t i = 0; i < 3; i++)
		shares[i] = result.shares[i];
	ck_assert_ok(bulla_unseal(engine, &call, shares[0]));
	ck_assert_ok(bulla_unseal(engine, &call, shares[1]));
	ck_assert_ok(bulla_authenticate(engine, &call, result.root_token));
}

static struct bulla_bytes nonce(void)
{
	static struct bulla_root_status status;

	bulla_root_status(engine, &status);
	return bulla_str(status.nonce);
}

static enum bulla_err give(struct bulla_bytes share, struct bulla_root_progress *out)
{
	return bulla_root_update(engine, &call, nonce(), share, out);
}

START_TEST(refused)
{
	struct bulla_root_progress progress;
	struct bulla_bytes otp = bulla_str(""), made;

	ck_assert_fails(give(shares[0], &progress), BULLA_E_BAD_SHARE, "no root generation in progress");
	ck_assert_fails(bulla_root_begin(engine, &call, bulla_str("1234567890123456789012345"), &made), BULLA_E_INVALID,
			"OTP string has incorrect length");
	ck_assert_fails(bulla_root_begin(engine, &call, bulla_str("123456789012345678901234567"), &made), BULLA_E_INVALID,
			"OTP string has incorrect length");
	ck_assert_ok(bulla_root_begin(engine, &call, otp, &made));
	ck_assert_fails(bulla_root_begin(engine, &call, otp, &made), BULLA_E_INVALID,
			"root generation already in progress for this namespace");
	call.may_block = false;
	ck_assert_err(give(shares[0], &progress), BULLA_E_MUST_BLOCK);
	call.may_block = true;
	ck_assert_err(bulla_root_update(engine, &call, bulla_str(""), shares[0], &progress), BULLA_E_BAD_SHARE);
	call.detail.len = 0;
	ck_assert_fails(give(bulla_str("123456789012345"), &progress), BULLA_E_BAD_SHARE,
			"invalid key: key is shorter than minimum 16 bytes");
	ck_assert_fails(give(bulla_str("1234567890123456789012345678901234"), &progress), BULLA_E_BAD_SHARE,
			"invalid key: key is longer than maximum 33 bytes");
	ck_assert_ok(give(shares[0], &progress));
	ck_assert_fails(give(shares[0], &progress), BULLA_E_BAD_SHARE,
			"given key has already been provided during this generation operation");
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_err(bulla_root_begin(engine, &call, otp, &made), BULLA_E_SEALED);
	ck_assert_err(give(shares[1], &progress), BULLA_E_SEALED);
}
END_TEST

START_TEST(made_once)
{
	struct bulla_root_progress progress;
	struct bulla_bytes otp = bulla_str(""), token;
	struct bulla_root_status status;

	ck_assert_ok(bulla_root_begin(engine, &call, bulla_str(""), &otp));
	ck_assert_uint_eq(otp.len, BULLA_ROOT_TOKEN_BYTES);
	ck_assert_ok(give(shares[2], &progress));
	ck_assert(!progress.complete && progress.progress == 1 && progress.required == 2);
	bulla_root_status(engine, &status);
	ck_assert(status.started && status.progress == 1);
	ck_assert_ok(give(shares[0], &progress));
	ck_assert(progress.complete);
	bulla_root_status(engine, &status);
	ck_assert(!status.started && status.progress == 0 && status.nonce[0] == 0);
	ck_assert_ok(bulla_root_decode(&call, progress.encoded, otp, &token));
	struct bulla_call c = call_begin();

	ck_assert_ok(bulla_authenticate(engine, &c, token));
	ck_assert(c.token->root);
	call_done(&c);
	/* and a wrong pad gives no token */
	ck_assert_ok(bulla_root_decode(&call, progress.encoded, bulla_str("aaaaaaaaaaaaaaaaaaaaaaaaaa"), &token));
	c = call_begin();
	ck_assert_err(bulla_authenticate(engine, &c, token), BULLA_E_NO_TOKEN);
	call_end(&c);
}
END_TEST

/* An attempt has shares of its own: those of an unsealing are not its, and the other way round. */
START_TEST(apart_from_unsealing)
{
	struct bulla_root_progress progress;
	struct bulla_seal_status status;
	struct bulla_bytes made;

	ck_assert_ok(bulla_root_begin(engine, &call, bulla_str(""), &made));
	ck_assert_ok(give(shares[0], &progress));
	bulla_seal_status(engine, &status);
	ck_assert_uint_eq(status.progress, 0);
	ck_assert_ok(bulla_seal(engine, &call));
	struct bulla_root_status root;

	bulla_root_status(engine, &root);
	ck_assert(!root.started && root.progress == 0);
	ck_assert_ok(bulla_unseal(engine, &call, shares[1]));
	ck_assert(bulla_is_sealed(engine));
}
END_TEST

static const struct {
	const char *encoded, *otp, *text;
} bad[] = {
	{ "", "ab", "provided 'encoded_token' or 'otp' is empty" }, { "GxE", "", "provided 'encoded_token' or 'otp' is empty" },
	{ "!!", "ab", "error decoding base64'd token: illegal base64 data at input byte 0" },
	{ "GxE=", "ab", "error decoding base64'd token: illegal base64 data at input byte 0" },
	{ "GxE", "abc", "error xoring token: length of byte slices is not equivalent: 2 != 3" },
};

START_TEST(decoding_refused)
{
	struct bulla_bytes token;

	ck_assert_fails(bulla_root_decode(&call, bulla_str(bad[_i].encoded), bulla_str(bad[_i].otp), &token), BULLA_E_INVALID, bad[_i].text);
}
END_TEST

START_TEST(pads)
{
	struct bulla_bytes a, b;

	ck_assert_ok(bulla_root_otp(&call, &a));
	ck_assert_ok(bulla_root_otp(&call, &b));
	ck_assert(!bulla_equal(a, b));
	for (size_t i = 0; i < a.len; i++)
		ck_assert((a.ptr[i] >= '0' && a.ptr[i] <= '9') || ((a.ptr[i] | 0x20) >= 'a' && (a.ptr[i] | 0x20) <= 'z'));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_root");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, engine_teardown); /* which looks for secrets that were left */
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, made_once);
	tcase_add_test(tc, apart_from_unsealing);
	tcase_add_loop_test(tc, decoding_refused, 0, (int)(sizeof bad / sizeof bad[0]));
	tcase_add_test(tc, pads);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
