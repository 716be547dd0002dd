/* What tokens keep: limits, and that nothing of it is left when the token or an ancestor of it goes. */
#include "engine_unit.h"
#include "seal/barrier.h"
#include "store/store.h"

static struct bulla_bytes make_token(struct bulla_call *as)
{
	const struct bulla_token_create_args args = { .path = bulla_str("auth/token/create"), .renewable = true };
	struct bulla_auth auth;

	ck_assert_ok(bulla_token_create(engine, as, &args, &auth));
	struct bulla_bytes text = bulla_arena_copy(call.arena, auth.client_token);

	bulla_token_put(auth.token);
	return text;
}

static struct bulla_call as_token(struct bulla_bytes token)
{
	struct bulla_call c = call_begin();

	ck_assert_ok(bulla_authenticate(engine, &c, token));
	return c;
}

static void keep(struct bulla_call *c, const char *path, const char *value)
{
	ck_assert_ok(bulla_cubbyhole_put(engine, c, bulla_str(path), bulla_str(value)));
}

START_TEST(loop_asks_for_a_worker)
{
	struct bulla_bytes value, *names;
	size_t count;

	call.may_block = false;
	ck_assert_err(bulla_cubbyhole_get(engine, &call, bulla_str("a"), &value), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_cubbyhole_put(engine, &call, bulla_str("a"), bulla_str("x")), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_cubbyhole_remove(engine, &call, bulla_str("a")), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_cubbyhole_list(engine, &call, bulla_str(""), &names, &count), BULLA_E_MUST_BLOCK);
	call.may_block = true;
	ck_assert_err(bulla_cubbyhole_get(engine, &call, bulla_str("a"), &value), BULLA_E_NOT_FOUND);
}
END_TEST

START_TEST(nobody_and_sealed)
{
	const struct bulla_token *self = call.token;
	struct bulla_bytes value;

	call.token = NULL;
	ck_assert_err(bulla_cubbyhole_get(engine, &call, bulla_str("a"), &value), BULLA_E_NO_TOKEN);
	call.token = self;
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_err(bulla_cubbyhole_get(engine, &call, bulla_str("a"), &value), BULLA_E_SEALED);
	ck_assert_err(bulla_cubbyhole_put(engine, &call, bulla_str("a"), bulla_str("x")), BULLA_E_SEALED);
	ck_assert_ok(bulla_unseal_auto(engine, &call));
}
END_TEST

START_TEST(too_large)
{
	static uint8_t large[(1 << 20) + 1];

	ck_assert_err(bulla_cubbyhole_put(engine, &call, bulla_str("a"), bulla_mem(large, sizeof large)), BULLA_E_INVALID);
	call.detail.len = 0;
	ck_assert_ok(bulla_cubbyhole_put(engine, &call, bulla_str("a"), bulla_mem(large, sizeof large - 1)));
}
END_TEST

/* A token that was revoked while its request was under way keeps nothing more. */
START_TEST(revoked_meanwhile)
{
	struct bulla_bytes text = make_token(&call);
	struct bulla_call c = as_token(text);

	keep(&c, "a", "1");
	ck_assert_ok(bulla_token_revoke(engine, &call, text));
	ck_assert_err(bulla_cubbyhole_put(engine, &c, bulla_str("b"), bulla_str("2")), BULLA_E_REVOKED);
	call_done(&c);
}
END_TEST

static enum bulla_err count_one(const struct store_record *record, void *context)
{
	(void)record;
	++*(size_t *)context;
	return BULLA_OK;
}

/* Records in the token's cubbyhole. Its slot is HMAC'd from the text, as access has it. */
static size_t kept(struct bulla_bytes token)
{
	const struct barrier_name token_name = { .kind = "token", .item = token };
	struct store_id slot, id;
	size_t count = 0;

	ck_assert_ok(barrier_slot(engine->seal, &token_name, &slot));
	const struct barrier_name name = { .kind = "cubbyhole", .scope = bulla_mem(slot.bytes, sizeof slot.bytes),
					   .scope2 = bulla_str("document") };

	ck_assert_ok(barrier_slot(engine->seal, &name, &id));
	ck_assert_ok(store_scan(engine->store, &call, id.bytes, count_one, &count));
	return count;
}

START_TEST(goes_with_the_token)
{
	struct bulla_bytes parent = make_token(&call), child, grandchild, other = make_token(&call);
	struct bulla_call p = as_token(parent), o = as_token(other);

	child = make_token(&p);
	struct bulla_call c = as_token(child);

	grandchild = make_token(&c);
	struct bulla_call g = as_token(grandchild);

	keep(&p, "a", "1"), keep(&p, "b", "2"), keep(&c, "a", "3"), keep(&g, "a", "4"), keep(&o, "a", "5");
	ck_assert_uint_eq(kept(parent), 2);
	ck_assert_uint_eq(kept(grandchild), 1);
	ck_assert_ok(bulla_token_revoke(engine, &call, parent));
	ck_assert_uint_eq(kept(parent) + kept(child) + kept(grandchild), 0);
	ck_assert_uint_eq(kept(other), 1);
	ck_assert_ok(bulla_token_revoke_self(engine, &o));
	ck_assert_uint_eq(kept(other), 0);
	call_done(&p), call_done(&c), call_done(&g), call_done(&o);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cubbyhole");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, engine_setup, engine_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, loop_asks_for_a_worker);
	tcase_add_test(tc, nobody_and_sealed);
	tcase_add_test(tc, too_large);
	tcase_add_test(tc, revoked_meanwhile);
	tcase_add_test(tc, goes_with_the_token);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
