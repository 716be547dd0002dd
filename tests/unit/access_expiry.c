/* What becomes of tokens that have ended: found by the minute of their end, whatever their number, and removed with all their
 * records. Work is counted in reads and commits, not in time. The clock is ours. */
#include "engine_unit.h"

#include "access/access_private.h"

#define MINUTE_NS (INT64_C(60) * 1000000000)

static int64_t now_ns;

static int64_t clock_ns(void)
{
	return now_ns;
}

static const struct bulla_bytes policy_default = { (const uint8_t *)"default", 7 };
static const struct bulla_bytes policy_root = { (const uint8_t *)"root", 4 };

static void setup(void)
{
	now_ns = INT64_C(1800000000) * 1000000000;
	bulla_clock_replace(clock_ns, clock_ns);
	engine_setup();
	ck_assert_ok(bulla_tick(engine, &call)); /* of a new store */
}

static struct bulla_token_create_args wish(int64_t ttl_s)
{
	return (struct bulla_token_create_args){ .policies = &policy_default, .policy_count = 1, .renewable = true, .ttl_s = ttl_s,
						 .path = bulla_str("auth/token/create") };
}

struct made {
	char token[64];
	struct store_id slot, accessor;
	int64_t end_ns;
};

static struct made make_as(struct bulla_call *c, const struct bulla_token_create_args *args)
{
	struct made made = { 0 };
	struct bulla_auth auth;

	ck_assert_ok(bulla_token_create(engine, c, args, &auth));
	memcpy(made.token, auth.client_token.ptr, auth.client_token.len);
	ck_assert_ok(token_slot(engine->access, auth.client_token, &made.slot));
	ck_assert_ok(accessor_slot(engine->access, auth.token->accessor, &made.accessor));
	made.end_ns = ((const struct token *)(const void *)auth.token)->end_ns;
	bulla_token_put(auth.token);
	return made;
}

static struct made make(int64_t ttl_s)
{
	struct bulla_token_create_args args = wish(ttl_s);

	return make_as(&call, &args);
}

static enum bulla_err come(const char *token)
{
	struct bulla_call c = call_begin();
	enum bulla_err err = bulla_authenticate(engine, &c, bulla_str(token));

	call_done(&c);
	return err;
}

static bool is_stored(const struct store_id *id)
{
	struct bulla_call c = call_begin();
	struct store_record record;
	enum bulla_err err = store_get(engine->store, &c, id, &record);

	ck_assert(err == BULLA_OK || err == BULLA_E_NOT_FOUND);
	call_end(&c);
	return err == BULLA_OK;
}

static enum bulla_err count_one(const struct store_record *record, void *context)
{
	(void)record;
	++*(size_t *)context;
	return BULLA_OK;
}

/* Entries that are filed under the minute of time_ns. */
static size_t filed_at(int64_t time_ns)
{
	struct bulla_call c = call_begin();
	uint8_t minute[8];
	struct store_id id;
	size_t count = 0;

	bulla_put_u64(minute, (uint64_t)(time_ns / MINUTE_NS));
	struct barrier_name name = { .kind = "token-end", .scope = bulla_mem(minute, sizeof minute) };

	ck_assert_ok(barrier_slot(engine->seal, &name, &id));
	ck_assert_ok(store_scan(engine->store, &c, id.bytes, count_one, &count));
	call_end(&c);
	return count;
}

static void tick(void)
{
	struct bulla_call c = call_begin();

	ck_assert_ok(bulla_tick(engine, &c));
	call_end(&c);
}

static uint64_t reads(void)
{
	return store_counts(engine->store).reads;
}

/* ---- one token ------------------------------------------------------------------- */

START_TEST(ended_is_removed)
{
	struct made t = make(30), longer = make(3600);

	ck_assert_uint_eq(filed_at(t.end_ns), 1);
	now_ns += 31 * INT64_C(1000000000);
	ck_assert_err(come(t.token), BULLA_E_NO_TOKEN); /* at once */
	t = make(30);
	now_ns += 2 * MINUTE_NS;
	tick();
	ck_assert(!is_stored(&t.slot) && !is_stored(&t.accessor));
	ck_assert_uint_eq(filed_at(t.end_ns), 0);
	ck_assert_ok(come(longer.token));
	ck_assert_uint_eq(filed_at(longer.end_ns), 1);
}
END_TEST

START_TEST(revoked_leaves_nothing)
{
	struct made t = make(3600);

	ck_assert_ok(bulla_token_revoke(engine, &call, bulla_str(t.token)));
	ck_assert(!is_stored(&t.slot) && !is_stored(&t.accessor));
	ck_assert_uint_eq(filed_at(t.end_ns), 0);
}
END_TEST

/* A renewed token is found where it ends now: in one minute, and not in that of before. */
START_TEST(renewed_is_filed_anew)
{
	struct made t = make(120);
	struct bulla_auth auth;

	now_ns += MINUTE_NS;
	ck_assert_ok(bulla_token_renew(engine, &call, bulla_str(t.token), 600, &auth));
	bulla_token_put(auth.token);
	ck_assert_uint_eq(filed_at(t.end_ns), 0);
	ck_assert_uint_eq(filed_at(now_ns + 600 * INT64_C(1000000000)), 1);
	ck_assert_ok(bulla_token_renew(engine, &call, bulla_str(t.token), 601, &auth)); /* within the same minute */
	bulla_token_put(auth.token);
	ck_assert_uint_eq(filed_at(now_ns + 600 * INT64_C(1000000000)), 1);
	now_ns += 3 * MINUTE_NS;
	tick();
	ck_assert_ok(come(t.token));
	now_ns += 10 * MINUTE_NS;
	tick();
	ck_assert(!is_stored(&t.slot));
}
END_TEST

/* Also one without an end. */
START_TEST(used_up_is_removed)
{
	struct bulla_token_create_args args = wish(3600);
	struct made t[2];

	args.num_uses = 1;
	t[0] = make_as(&call, &args);
	args.policies = &policy_root;
	args.ttl_s = 0;
	t[1] = make_as(&call, &args);
	ck_assert_int_eq(t[1].end_ns, INT64_MAX);
	for (int i = 0; i < 2; i++) {
		ck_assert_ok(come(t[i].token));
		ck_assert(is_stored(&t[i].slot));
	}
	now_ns += MINUTE_NS;
	tick();
	for (int i = 0; i < 2; i++)
		ck_assert(!is_stored(&t[i].slot) && !is_stored(&t[i].accessor));
	ck_assert_uint_eq(filed_at(t[0].end_ns), 0);
}
END_TEST

START_TEST(children_go_with_their_parent)
{
	struct bulla_token_create_args args = wish(30), long_args = wish(36000);

	args.policies = &policy_root;
	struct made parent = make_as(&call, &args);
	struct bulla_call as_parent = call_as(parent.token);
	struct made child = make_as(&as_parent, &long_args);

	call_done(&as_parent);
	now_ns += 2 * MINUTE_NS;
	tick();
	ck_assert(!is_stored(&parent.slot) && !is_stored(&child.slot) && !is_stored(&child.accessor));
	ck_assert_uint_eq(filed_at(child.end_ns), 0);
}
END_TEST

START_TEST(goes_on_after_sealing)
{
	struct made t = make(30);

	now_ns += 2 * MINUTE_NS;
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_err(bulla_tick(engine, &call), BULLA_E_SEALED);
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	now_ns += 400 * 1440 * MINUTE_NS; /* more than a year */
	for (int i = 0; i < 40; i++)
		tick();
	ck_assert(!is_stored(&t.slot));
	t = make(30);
	now_ns += 2 * MINUTE_NS;
	tick();
	ck_assert(!is_stored(&t.slot));
}
END_TEST

static void spoil(const struct store_id *id)
{
	struct store_record record;

	ck_assert_ok(store_get(engine->store, &call, id, &record));
	((uint8_t *)(uintptr_t)record.bytes.ptr)[record.bytes.len / 2] ^= 1;
	struct store_write write = { .id = *id, .change = STORE_PUT, .expected = record.revision, .bytes = record.bytes };

	ck_assert_ok(store_commit(engine->store, &call, &write, 1, NULL));
}

/* What cannot be read is not in the way. */
START_TEST(damaged_is_removed)
{
	struct made t = make(30), other = make(30);

	spoil(&t.slot);
	now_ns += 2 * MINUTE_NS;
	tick();
	ck_assert(!is_stored(&t.slot) && !is_stored(&other.slot));
	ck_assert_uint_eq(filed_at(t.end_ns), 0);
}
END_TEST

/* ---- many ---------------------------------------------------------------------------- */

#define MANY 20000

/* Twenty thousand that ended cost nobody a read but the tick that removes them; that has a bound, and the next one goes on. */
START_TEST(many)
{
	struct made plain = make(36000);

	struct bulla_call c = call_as(root_token);

	for (int i = 0; i < MANY; i++) {
		struct bulla_token_create_args args = wish(30 + i % 60);

		(void)make_as(&c, &args);
		bulla_arena_reset(c.arena);
	}
	call_done(&c);
	now_ns += 3 * MINUTE_NS;
	uint64_t before = reads();

	ck_assert_ok(come(plain.token)); /* of itself and its parent */
	ck_assert_uint_le(reads() - before, 2);
	before = reads();
	struct store_counts counts = store_counts(engine->store);

	for (int i = 0; i < 1000; i++)
		ck_assert_ok(come(plain.token)); /* nothing is read, and nothing written */
	ck_assert_uint_eq(reads(), before);
	ck_assert_uint_eq(store_counts(engine->store).batches, counts.batches);
	tick();
	counts = store_counts(engine->store);
	ck_assert_uint_le(reads() - before, 7 * 10100);
	before = reads();
	tick();
	tick();
	ck_assert_uint_le(reads() - before, 7 * (MANY - 10000) + 2000);
	ck_assert_uint_le(store_counts(engine->store).batches - counts.batches, 3 * (MANY - 10000) / ENDED_AT_ONCE + 100);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(filed_at(now_ns - i * MINUTE_NS), 0);
	before = reads();
	tick(); /* in the same minute there is nothing to do */
	ck_assert_uint_le(reads() - before, 40);
	ck_assert_ok(come(plain.token));
}
END_TEST

/* ---- tidying --------------------------------------------------------------------------- */

START_TEST(tidies)
{
	struct made t = make(30), alive = make(3600);
	struct bulla_call c = call_begin();
	bool begun;

	/* its entry was lost, whatever the cause */
	uint8_t minute[8];
	struct store_write gone = { .change = STORE_DELETE, .expected = STORE_ANY_REVISION };

	bulla_put_u64(minute, (uint64_t)(t.end_ns / MINUTE_NS));
	struct barrier_name name = { .kind = "token-end", .scope = bulla_mem(minute, sizeof minute),
				     .item = bulla_mem(t.slot.bytes, sizeof t.slot.bytes) };

	ck_assert_ok(barrier_slot(engine->seal, &name, &gone.id));
	ck_assert(is_stored(&gone.id));
	ck_assert_ok(store_commit(engine->store, &call, &gone, 1, NULL));
	now_ns += 2 * MINUTE_NS;
	tick();
	ck_assert(is_stored(&t.slot));
	bulla_token_tidy(engine, &begun);
	ck_assert(begun);
	bulla_token_tidy(engine, &begun);
	ck_assert(!begun);
	ck_assert_ok(bulla_tick(engine, &c));
	ck_assert_ptr_nonnull(c.warnings);
	ck_assert_bytes(c.warnings->text, "the tokens were tidied: 3 looked at, 1 removed");
	ck_assert(!is_stored(&t.slot) && !is_stored(&t.accessor));
	ck_assert_ok(come(alive.token));
	bulla_token_tidy(engine, &begun);
	ck_assert(begun);
	call_end(&c);
}
END_TEST

/* A store of an older version: its tokens are filed by the first tick. */
START_TEST(files_old_tokens)
{
	struct barrier_name from = { .kind = "token-end-from" };
	struct store_write gone = { .change = STORE_DELETE, .expected = STORE_ANY_REVISION };
	struct made t = make(600);
	uint8_t minute[8];

	bulla_put_u64(minute, (uint64_t)(t.end_ns / MINUTE_NS));
	struct barrier_name name = { .kind = "token-end", .scope = bulla_mem(minute, sizeof minute),
				     .item = bulla_mem(t.slot.bytes, sizeof t.slot.bytes) };

	ck_assert_ok(barrier_slot(engine->seal, &name, &gone.id));
	ck_assert_ok(store_commit(engine->store, &call, &gone, 1, NULL));
	ck_assert_ok(barrier_slot(engine->seal, &from, &gone.id));
	ck_assert(is_stored(&gone.id));
	ck_assert_ok(store_commit(engine->store, &call, &gone, 1, NULL));
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert_uint_eq(filed_at(t.end_ns), 0);
	tick();
	ck_assert_uint_eq(filed_at(t.end_ns), 1);
	ck_assert(is_stored(&gone.id));
	now_ns += 11 * MINUTE_NS;
	tick();
	ck_assert(!is_stored(&t.slot));
}
END_TEST

/* ---- by path ----------------------------------------------------------------------------- */

START_TEST(by_prefix)
{
	static const char *const paths[] = { "auth/a/login", "auth/a/login/x", "auth/a/loginx", "auth/ab/login", "auth/a" };
	struct bulla_token_params params = { .policies = &policy_root, .policy_count = 0, .ttl_s = 600 };
	const struct bulla_mount mount = { .path = bulla_str("auth/a/") };
	char tokens[5][64] = { { 0 } };
	struct bulla_call loop = call_begin();

	for (int i = 0; i < 5; i++) {
		struct access_login login = { .mount = &mount, .path = bulla_str(paths[i]), .params = &params };
		struct bulla_auth auth;

		ck_assert_ok(access_login(engine->access, &call, &login, &auth));
		memcpy(tokens[i], auth.client_token.ptr, auth.client_token.len);
		bulla_token_put(auth.token);
	}
	loop.may_block = false;
	ck_assert_err(access_revoke_prefix(engine->access, &loop, bulla_str("auth/a")), BULLA_E_MUST_BLOCK);
	call_end(&loop);
	for (int i = 0; i < 130; i++)
		(void)make(600); /* more than one step */
	ck_assert_ok(access_revoke_prefix(engine->access, &call, bulla_str("auth/a/login")));
	ck_assert_err(come(tokens[0]), BULLA_E_NO_TOKEN);
	ck_assert_err(come(tokens[1]), BULLA_E_NO_TOKEN);
	ck_assert_ok(come(tokens[2]));
	ck_assert_ok(access_revoke_prefix(engine->access, &call, bulla_str("auth/a/")));
	ck_assert_err(come(tokens[2]), BULLA_E_NO_TOKEN);
	ck_assert_ok(come(tokens[3]));
	ck_assert_err(come(tokens[4]), BULLA_E_NO_TOKEN);
	ck_assert_ok(access_revoke_prefix(engine->access, &call, bulla_str("auth/")));
	ck_assert_err(come(tokens[3]), BULLA_E_NO_TOKEN);
	ck_assert_ok(come(root_token)); /* it came from no endpoint */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access/expiry");
	TCase *tc = tcase_create("expiry");

	tcase_set_timeout(tc, 1800);
	tcase_add_checked_fixture(tc, setup, engine_teardown);
	tcase_add_test(tc, ended_is_removed);
	tcase_add_test(tc, revoked_leaves_nothing);
	tcase_add_test(tc, renewed_is_filed_anew);
	tcase_add_test(tc, used_up_is_removed);
	tcase_add_test(tc, children_go_with_their_parent);
	tcase_add_test(tc, goes_on_after_sealing);
	tcase_add_test(tc, damaged_is_removed);
	tcase_add_test(tc, many);
	tcase_add_test(tc, tidies);
	tcase_add_test(tc, files_old_tokens);
	tcase_add_test(tc, by_prefix);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
