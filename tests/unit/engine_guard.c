/* Two engines over one store: what a caller writes on one of them is refused from the moment that the other has revoked his token,
 * whatever it is. */
#include "guard_unit.h"

#include "bulla/token_roles.h"
#include "bulla/userpass.h"
#include "bulla/wrapping.h"
#include "keyring/keyring.h"

static const struct bulla_mount *people; /* of the twin */

static void setup(void)
{
	struct bulla_bytes rest;

	guard_setup();
	people = bulla_mount_find(twin, bulla_str("auth/people/login"), &rest);
	ck_assert_ptr_nonnull(people);
}

static void teardown(void)
{
	bulla_mount_put(people);
	guard_teardown();
}

/* ---- what is refused ---------------------------------------------------------------------------------------------------------- */

static enum bulla_err create_orphan(struct bulla_call *c)
{
	const struct bulla_token_create_args args = { .policies = p_policy, .policy_count = 1, .no_parent = true, .path = bulla_str("auth/token/create") };
	struct made made;

	return try_create(twin, c, &args, &made);
}

/* Nothing is written of it, and nobody could revoke it. */
static enum bulla_err create_batch(struct bulla_call *c)
{
	const struct bulla_token_create_args args = { .policies = p_policy, .policy_count = 1, .type = bulla_str("batch"), .no_parent = true,
						      .path = bulla_str("auth/token/create") };
	struct made made;

	return try_create(twin, c, &args, &made);
}

static enum bulla_err write_role(struct bulla_call *c)
{
	const struct bulla_token_role_change change = { 0 };

	return bulla_token_role_put(twin, c, bulla_str("r"), &change);
}

static enum bulla_err write_policy(struct bulla_call *c)
{
	const struct bulla_policy_put_args args = { .name = bulla_str("p"), .text = bulla_str("path \"a\" { capabilities = [\"read\"] }") };

	return bulla_policy_put(twin, c, &args);
}

static enum bulla_err rotate_key(struct bulla_call *c)
{
	struct bulla_key_info info;

	return bulla_key_rotate(twin, c, transit, bulla_str("k"), &info);
}

static enum bulla_err delete_key(struct bulla_call *c)
{
	return bulla_key_delete(twin, c, transit, bulla_str("k"));
}

static enum bulla_err encrypt_some(struct bulla_call *c, size_t count)
{
	const struct bulla_encrypt_item items[2] = { { .plaintext = bulla_str("a secret") }, { .plaintext = bulla_str("another") } };
	const struct bulla_encrypt_args args = { .mount = transit, .name = bulla_str("k"), .items = items, .count = count };
	struct bulla_item_result results[2] = { 0 };

	return bulla_encrypt(twin, c, &args, results);
}

/* A node that has none left of a version's messages has to take a block of them. */
static enum bulla_err encrypt(struct bulla_call *c)
{
	return encrypt_some(c, 2);
}

/* ... or, if there are none left at all, to rotate the key. */
static enum bulla_err encrypt_with_a_full_key(struct bulla_call *c)
{
	keyring_count_limits_set(twin->keyring, 1, 1);
	return encrypt_some(c, 1);
}

static enum bulla_err remove_cubbyhole(struct bulla_call *c)
{
	return bulla_cubbyhole_remove(twin, c, bulla_str("x"));
}

static enum bulla_err enable_mount(struct bulla_call *c)
{
	return bulla_mount_enable(twin, c, bulla_str("more"), bulla_str("transit"), &(struct bulla_mount_settings){ 0 });
}

static enum bulla_err disable_mount(struct bulla_call *c)
{
	return bulla_mount_disable(twin, c, bulla_str("spare"));
}

static enum bulla_err write_user(struct bulla_call *c)
{
	const struct bulla_user_change change = { .password = bulla_str("a password") };

	return bulla_user_write(twin, c, people, bulla_str("alice"), &change);
}

static enum bulla_err wrap(struct bulla_call *c)
{
	const struct bulla_wrapping_args args = { .reply = { bulla_str("{}"), 200 }, .ttl_s = 60, .creation_path = bulla_str("transit/keys/k") };
	struct bulla_wrapping wrapping;

	return bulla_wrapping_new(twin, c, &args, &wrapping);
}

static struct made other; /* of somebody else */

static enum bulla_err revoke_other(struct bulla_call *c)
{
	return bulla_token_revoke(twin, c, bulla_str(other.text));
}

static enum bulla_err renew_other(struct bulla_call *c)
{
	struct bulla_auth auth;

	TRY(bulla_token_renew(twin, c, bulla_str(other.text), 60, &auth));
	bulla_token_put(auth.token);
	return BULLA_OK;
}

static enum bulla_err rotate_barrier(struct bulla_call *c)
{
	return bulla_barrier_rotate(twin, c);
}

static enum bulla_err (*const attempts[])(struct bulla_call *) = {
	create_orphan, create_child, create_batch, write_role, write_policy, create_key, rotate_key, delete_key, encrypt, write_cubbyhole,
	remove_cubbyhole, enable_mount, disable_mount, write_user, wrap, revoke_other, renew_other, rotate_barrier, encrypt_with_a_full_key,
};
#define ATTEMPTS (int)(sizeof attempts / sizeof attempts[0])

START_TEST(refused_once_revoked)
{
	other = make_typed(&call, "service", 0, false);
	struct made agent = make_below(&call);

	show(twin, &agent);
	revoke(engine, &agent);
	check_refused(attempts[_i], &agent);
}
END_TEST

/* As it would be if his token were there still. */
START_TEST(done_otherwise)
{
	other = make_typed(&call, "service", 0, false);
	struct made agent = make_below(&call);
	struct bulla_call c = call_of(twin, &agent);

	ck_assert_ok(attempts[_i](&c));
	call_done(&c);
}
END_TEST

/* One who descends from the token that was revoked. */
START_TEST(refused_below)
{
	struct made parent = make_below(&call), child;
	struct bulla_call c = call_of(engine, &parent);

	child = make_below(&c);
	call_done(&c);
	show(twin, &child);
	revoke(engine, &parent);
	check_refused(create_key, &child);
}
END_TEST

/* A batch token has no record: its parent's stands for it. */
START_TEST(batch_below)
{
	struct made parent = make_below(&call);
	struct bulla_call c = call_of(engine, &parent);
	struct made below = make_typed(&c, "batch", 0, false), alone = make_typed(&c, "batch", 0, true);

	call_done(&c);
	show(twin, &below);
	revoke(engine, &parent);
	check_refused(create_key, &below);
	c = call_of(twin, &alone);
	ck_assert_ok(create_key(&c));
	call_done(&c);
}
END_TEST

/* Somebody without a token, and the server itself. */
START_TEST(nobody)
{
	struct bulla_call c = call_begin();

	ck_assert_ok(write_user(&c));
	struct bulla_auth auth;

	ck_assert_ok(bulla_user_login(twin, &c, people, bulla_str("alice"), bulla_str("a password"), &auth));
	bulla_token_put(auth.token);
	ck_assert_ok(bulla_tick(twin, &c));
	call_end(&c);
}
END_TEST

/* A use that was taken is good for its request, though it was the last and the token has been removed meanwhile. */
START_TEST(last_use)
{
	struct made limited = make_typed(&call, "service", 1, false);
	struct bulla_call c = call_of(twin, &limited), again = call_begin();

	ck_assert_err(bulla_authenticate(engine, &again, bulla_str(limited.text)), BULLA_E_NO_TOKEN); /* and it goes */
	call_end(&again);
	ck_assert_ok(create_key(&c));
	ck_assert_ok(wrap(&c));
	unsigned before = count_records();

	ck_assert_err(write_cubbyhole(&c), BULLA_E_REVOKED); /* nobody would ever see it */
	ck_assert_uint_eq(count_records(), before);
	call_done(&c);
	limited = make_typed(&call, "service", 1, false);
	c = call_of(twin, &limited);
	ck_assert_ok(write_cubbyhole(&c));
	call_done(&c);
}
END_TEST

static void wrap_for(const char *body, char out[64])
{
	const struct bulla_wrapping_args args = { .reply = { bulla_str(body), 200 }, .ttl_s = 60, .creation_path = bulla_str("transit/keys/k") };
	struct bulla_wrapping wrapping;

	ck_assert_ok(bulla_wrapping_new(engine, &call, &args, &wrapping));
	memset(out, 0, 64);
	memcpy(out, wrapping.token.ptr, wrapping.token.len);
}

/* By the wrapping token alone, and by somebody else: whose is gone gets nothing, and takes nothing from others. */
START_TEST(unwraps)
{
	struct made agent = make_below(&call);
	struct bulla_call c = call_begin();
	struct bulla_wrapping renewed;
	struct bulla_wrapped reply;
	char token[64];

	wrap_for("{\"a\":1}", token);
	ck_assert_ok(bulla_wrapping_open(twin, &c, bulla_str(token), &reply));
	ck_assert_bytes(reply.body, "{\"a\":1}");
	call_end(&c);
	wrap_for("{\"a\":2}", token);
	show(twin, &agent);
	revoke(engine, &agent);
	c = call_of(twin, &agent);
	ck_assert_err(bulla_wrapping_open(twin, &c, bulla_str(token), &reply), BULLA_E_REVOKED);
	ck_assert_err(bulla_wrapping_renew(twin, &c, bulla_str(token), &renewed), BULLA_E_REVOKED);
	call_done(&c);
	agent = make_below(&call);
	c = call_of(twin, &agent);
	ck_assert_ok(bulla_wrapping_open(twin, &c, bulla_str(token), &reply));
	ck_assert_bytes(reply.body, "{\"a\":2}");
	call_done(&c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine/guard");
	TCase *tc = tcase_create("guard");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, refused_once_revoked, 0, ATTEMPTS);
	tcase_add_loop_test(tc, done_otherwise, 0, ATTEMPTS);
	tcase_add_test(tc, refused_below);
	tcase_add_test(tc, batch_below);
	tcase_add_test(tc, nobody);
	tcase_add_test(tc, last_use);
	tcase_add_test(tc, unwraps);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
