/* Wrapped replies: who gets them, how often, and that nothing of them stays. The clock is ours. */
#include <pthread.h>
#include <stdatomic.h>

#include "engine_unit.h"
#include "seal/barrier.h"

static int64_t now_ns;

static int64_t clock_ns(void)
{
	return now_ns;
}

static void setup(void)
{
	now_ns = INT64_C(1800000000123456789);
	bulla_clock_replace(clock_ns, clock_ns);
	engine_setup();
}

static struct bulla_wrapping wrap_as(const char *body, int64_t ttl_s)
{
	const struct bulla_wrapping_args args = { .reply = { bulla_str(body), 207 }, .ttl_s = ttl_s,
						  .creation_path = bulla_str("transit/keys/k") };
	struct bulla_wrapping wrapping;

	ck_assert_ok(bulla_wrapping_new(engine, &call, &args, &wrapping));
	return wrapping;
}

static enum bulla_err open_once(struct bulla_bytes token)
{
	struct bulla_call c = call_begin();
	struct bulla_wrapped reply;
	enum bulla_err err = bulla_wrapping_open(engine, &c, token, &reply);

	call_end(&c);
	return err;
}

static enum bulla_err lookup(struct bulla_bytes token)
{
	struct bulla_call c = call_begin();
	struct bulla_wrapping wrapping;
	enum bulla_err err = bulla_wrapping_lookup(engine, &c, token, &wrapping);

	call_end(&c);
	return err;
}

/* Records in the store, of whatever kind. */
static enum bulla_err count_one(const struct store_record *record, void *context)
{
	(void)record;
	++*(size_t *)context;
	return BULLA_OK;
}

static size_t records(const char *kind)
{
	struct barrier_name name = { .kind = kind };
	struct store_id id;
	size_t count = 0;

	ck_assert_ok(barrier_slot(engine->seal, &name, &id));
	ck_assert_ok(store_scan(engine->store, &call, id.bytes, count_one, &count));
	return count;
}

/* docs/FORMATS.md: what is sealed, but for the slot. */
static enum bulla_err check_plain(const struct store_record *record, void *context)
{
	struct bulla_bytes *want = context, plain;

	ck_assert_ok(barrier_open(engine->seal, &call, record, &plain));
	ck_assert_uint_ge(plain.len, want->len);
	ck_assert_mem_eq(plain.ptr, want->ptr, want->len);
	want->len = plain.len; /* for the caller to see that there was one */
	return BULLA_OK;
}

START_TEST(format)
{
	static const struct {
		const char *kind, *hex;
		size_t len;
	} records[] = {
		{ "wrapped", "01000000c8000000027b7d", 11 },
		{ "wrapped-end", "0118fae27693b40000", 9 + 32 },
	};
	const struct bulla_wrapping_args args = { .reply = { bulla_str("{}"), 200 }, .ttl_s = 60, .creation_path = bulla_str("p") };
	struct bulla_wrapping wrapping;

	now_ns = 0x18fae27693b40000 - INT64_C(60) * 1000000000;
	ck_assert_ok(bulla_wrapping_new(engine, &call, &args, &wrapping));
	for (size_t i = 0; i < 2; i++) {
		struct barrier_name name = { .kind = records[i].kind };
		struct bulla_bytes want;
		struct store_id id;
		uint8_t bytes[16];

		ck_assert_ok(bulla_hex_decode(bulla_str(records[i].hex), bytes));
		want = bulla_mem(bytes, strlen(records[i].hex) / 2);
		ck_assert_ok(barrier_slot(engine->seal, &name, &id));
		ck_assert_ok(store_scan(engine->store, &call, id.bytes, check_plain, &want));
		ck_assert_uint_eq(want.len, records[i].len);
	}
}
END_TEST

START_TEST(refusals)
{
	static const char *const bad[] = { "", "nonsense", "s.AAAAAAAAAAAAAAAAAAAAAAAA" };
	const int64_t ttls[] = { 0, -1, BULLA_WRAPPING_MAX_TTL_S + 1, INT64_MAX };
	static uint8_t long_text[4096];
	struct bulla_wrapping wrapping;
	struct bulla_wrapped reply;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ck_assert_err(lookup(bulla_str(bad[i])), BULLA_E_WRAPPING_TOKEN);
		ck_assert_err(open_once(bulla_str(bad[i])), BULLA_E_WRAPPING_TOKEN);
		ck_assert_err(bulla_wrapping_renew(engine, &call, bulla_str(bad[i]), &wrapping), BULLA_E_WRAPPING_TOKEN);
	}
	ck_assert_err(open_once(bulla_mem(long_text, sizeof long_text)), BULLA_E_WRAPPING_TOKEN);
	/* a token, but no wrapping */
	ck_assert_err(lookup(bulla_str(root_token)), BULLA_E_WRAPPING_TOKEN);
	ck_assert_err(open_once(bulla_str(root_token)), BULLA_E_WRAPPING_TOKEN);
	ck_assert_err(bulla_wrapping_renew(engine, &call, bulla_str(root_token), &wrapping), BULLA_E_WRAPPING_TOKEN);
	ck_assert_bytes(bulla_call_text(&call, BULLA_E_WRAPPING_TOKEN), "wrapping token is not valid or does not exist");
	for (size_t i = 0; i < sizeof ttls / sizeof ttls[0]; i++) {
		const struct bulla_wrapping_args args = { .reply = { bulla_str("x"), 200 }, .ttl_s = ttls[i] };

		ck_assert_fails(bulla_wrapping_new(engine, &call, &args, &wrapping), BULLA_E_INVALID,
				"requested wrap ttl is out of range");
	}
	/* nothing of this is done on a loop */
	struct bulla_bytes token = wrap_as("x", 60).token;
	const struct bulla_wrapping_args args = { .reply = { bulla_str("x"), 200 }, .ttl_s = 1 };

	call.may_block = false;
	ck_assert_err(bulla_wrapping_new(engine, &call, &args, &wrapping), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_wrapping_lookup(engine, &call, token, &wrapping), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_wrapping_open(engine, &call, token, &reply), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_wrapping_renew(engine, &call, token, &wrapping), BULLA_E_MUST_BLOCK);
	call.may_block = true;
	ck_assert_ok(open_once(token));
}
END_TEST

START_TEST(once_and_no_more)
{
	struct bulla_wrapping wrapping = wrap_as("the reply", 60), found;
	const struct bulla_token *token;
	struct bulla_wrapped reply;

	ck_assert_int_eq(wrapping.ttl_s, 60);
	ck_assert_int_eq(wrapping.created_date_ns, now_ns);
	ck_assert_bytes(wrapping.creation_path, "transit/keys/k");
	ck_assert_ok(bulla_token_lookup(engine, &call, wrapping.token, &token));
	ck_assert_bytes(token->policies[0], "response-wrapping");
	ck_assert_uint_eq(token->policy_count, 1);
	ck_assert_int_eq(token->num_uses, 1);
	ck_assert(token->orphan && !token->renewable && !token->root);
	ck_assert_int_eq(token->explicit_max_ttl_s, 60);
	ck_assert(bulla_equal(token->accessor, wrapping.accessor));
	ck_assert_int_eq(bulla_capabilities(engine, token, bulla_str("transit/keys/k")), BULLA_CAN_DENY);
	bulla_token_put(token);
	for (int i = 0; i < 3; i++) { /* looking takes no use */
		ck_assert_ok(bulla_wrapping_lookup(engine, &call, wrapping.token, &found));
		ck_assert_int_eq(found.ttl_s, 60);
		ck_assert_bytes(found.creation_path, "transit/keys/k");
	}
	ck_assert_uint_eq(records("wrapped"), 1);
	ck_assert_ok(bulla_wrapping_open(engine, &call, wrapping.token, &reply));
	ck_assert_bytes(reply.body, "the reply");
	ck_assert_int_eq(reply.status, 207);
	ck_assert_err(open_once(wrapping.token), BULLA_E_WRAPPING_TOKEN);
	ck_assert_err(lookup(wrapping.token), BULLA_E_WRAPPING_TOKEN);
	ck_assert_err(bulla_token_lookup_accessor(engine, &call, wrapping.accessor, &token), BULLA_E_BAD_ACCESSOR);
	ck_assert_uint_eq(records("wrapped"), 0);
	ck_assert_uint_eq(records("wrapped-end"), 0);
}
END_TEST

START_TEST(used_for_something_else)
{
	struct bulla_wrapping wrapping = wrap_as("lost", 60);
	struct bulla_call c = call_begin();

	/* as any token of one use: whoever spends it elsewhere has spent it */
	ck_assert_ok(bulla_authenticate(engine, &c, wrapping.token));
	call_done(&c);
	ck_assert_err(open_once(wrapping.token), BULLA_E_WRAPPING_TOKEN);
	ck_assert_err(lookup(wrapping.token), BULLA_E_WRAPPING_TOKEN);
	ck_assert_uint_eq(records("wrapped"), 0); /* the lookup cleared it away */
}
END_TEST

START_TEST(renewed)
{
	struct bulla_wrapping first = wrap_as("moved", 60), second;
	struct bulla_wrapped reply;

	now_ns += INT64_C(59) * 1000000000;
	ck_assert_ok(bulla_wrapping_renew(engine, &call, first.token, &second));
	ck_assert_err(open_once(first.token), BULLA_E_WRAPPING_TOKEN);
	ck_assert_int_eq(second.ttl_s, 60);
	ck_assert_int_eq(second.created_date_ns, now_ns);
	ck_assert_bytes(second.creation_path, "transit/keys/k");
	ck_assert_uint_eq(records("wrapped"), 1);
	ck_assert_uint_eq(records("wrapped-end"), 1);
	now_ns += INT64_C(59) * 1000000000;
	ck_assert_ok(bulla_wrapping_open(engine, &call, second.token, &reply));
	ck_assert_bytes(reply.body, "moved");
	ck_assert_int_eq(reply.status, 207);
}
END_TEST

START_TEST(ends)
{
	struct bulla_bytes early = wrap_as("early", 10).token, late = wrap_as("late", 1000).token;

	now_ns += INT64_C(10) * 1000000000;
	ck_assert_err(open_once(early), BULLA_E_WRAPPING_TOKEN);
	ck_assert_uint_eq(records("wrapped"), 2);
	ck_assert_err(lookup(early), BULLA_E_WRAPPING_TOKEN); /* which clears it away */
	ck_assert_uint_eq(records("wrapped"), 1);
	/* what nobody asks for goes when another one is made, a minute later */
	for (int i = 0; i < 5; i++)
		(void)wrap_as("forgotten", 1);
	now_ns += INT64_C(61) * 1000000000;
	(void)wrap_as("new", 1000);
	ck_assert_uint_eq(records("wrapped"), 2);
	ck_assert_uint_eq(records("wrapped-end"), 2);
	ck_assert_ok(open_once(late));
}
END_TEST

START_TEST(revoked)
{
	struct bulla_bytes token = wrap_as("x", 60).token;

	ck_assert_ok(bulla_token_revoke(engine, &call, token));
	ck_assert_err(open_once(token), BULLA_E_WRAPPING_TOKEN);
	ck_assert_uint_eq(records("wrapped"), 0);
	ck_assert_uint_eq(records("wrapped-end"), 0);
}
END_TEST

START_TEST(large)
{
	size_t n = 3u << 20;
	uint8_t *body = bulla_arena_alloc(call.arena, n);
	struct bulla_wrapping_args args = { .reply = { { body, n }, 200 }, .ttl_s = 60, .creation_path = bulla_str("p") };
	struct bulla_wrapping wrapping;
	struct bulla_wrapped reply;

	ck_assert_ptr_nonnull(body);
	for (size_t i = 0; i < n; i++)
		body[i] = (uint8_t)(i * 7);
	ck_assert_ok(bulla_wrapping_new(engine, &call, &args, &wrapping));
	ck_assert_ok(bulla_wrapping_open(engine, &call, wrapping.token, &reply));
	ck_assert_uint_eq(reply.body.len, n);
	ck_assert_mem_eq(reply.body.ptr, body, n);
}
END_TEST

/* ---- at the same time ------------------------------------------------------------ */

#define THREADS 4
static char shared[64];
static atomic_int opened, renewals;

static void *open_shared(void *unused)
{
	opened += open_once(bulla_str(shared)) == BULLA_OK;
	return unused;
}

static void *renew_shared(void *unused)
{
	struct bulla_call c = call_begin();
	struct bulla_wrapping wrapping;

	renewals += bulla_wrapping_renew(engine, &c, bulla_str(shared), &wrapping) == BULLA_OK;
	call_end(&c);
	return unused;
}

static void *spend_shared(void *unused)
{
	struct bulla_call c = call_begin();

	renewals += bulla_authenticate(engine, &c, bulla_str(shared)) == BULLA_OK;
	call_done(&c);
	return unused;
}

START_TEST(only_one_gets_it)
{
	static void *(*const others[])(void *) = { open_shared, renew_shared, spend_shared };
	pthread_t threads[2 * THREADS];

	for (int round = 0; round < 15; round++) {
		struct bulla_bytes token = wrap_as("x", 60).token;

		memset(shared, 0, sizeof shared);
		memcpy(shared, token.ptr, token.len);
		opened = renewals = 0;
		for (unsigned i = 0; i < 2 * THREADS; i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL, i % 2 ? open_shared : others[round % 3], NULL), 0);
		for (unsigned i = 0; i < 2 * THREADS; i++)
			ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_int_eq(opened + renewals, 1);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access/wrapping");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, engine_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, format);
	tcase_add_test(tc, refusals);
	tcase_add_test(tc, once_and_no_more);
	tcase_add_test(tc, used_for_something_else);
	tcase_add_test(tc, renewed);
	tcase_add_test(tc, ends);
	tcase_add_test(tc, revoked);
	tcase_add_test(tc, large);
	tcase_add_test(tc, only_one_gets_it);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
