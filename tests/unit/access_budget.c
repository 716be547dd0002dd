/* Budgets and rate limits: what is refused and when it may come again, what a restart and a crash keep, and that no number of threads gets
 * more than there is. The clock is ours. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine_unit.h"

#include "access/access_private.h"
#include "access/grant.h"
#include "seal/documents.h"

#define POLICY(budget) "path \"transit/encrypt/cards\" { capabilities = [\"update\"] " budget " }"
#define DAY INT64_C(86400)

static int64_t now_s;

static int64_t clock_ns(void)
{
	return now_s * 1000000000;
}

static void setup(void)
{
	now_s = INT64_C(1800000000) / DAY * DAY; /* a day begins */
	bulla_clock_replace(clock_ns, clock_ns);
	engine_setup();
}

static void put_policy(const char *name, const char *text)
{
	const struct bulla_policy_put_args args = { .name = bulla_str(name), .text = bulla_str(text) };

	ck_assert_ok(bulla_policy_put(engine, &call, &args));
}

/* A token of that one policy. */
static void make_token(const char *policy, char out[64])
{
	const struct bulla_bytes policies[] = { bulla_str(policy) };
	const struct bulla_token_create_args args = { .policies = policies, .policy_count = 1, .no_default_policy = true,
						      .path = bulla_str("auth/token/create") };
	struct bulla_auth auth;

	ck_assert_ok(bulla_token_create(engine, &call, &args, &auth));
	memset(out, 0, 64);
	memcpy(out, auth.client_token.ptr, auth.client_token.len);
	bulla_token_put(auth.token);
}

/* One request of so many items: on a worker, or first on a loop. */
static enum bulla_err take_as(const char *token, size_t items, bool loop, int *retry_s)
{
	const struct bulla_ask ask = { .need = BULLA_CAN_UPDATE, .path = bulla_str("transit/encrypt/cards") };
	struct bulla_call c = call_as(token);

	ck_assert_ok(bulla_authorise(engine, &c, &ask));
	c.may_block = !loop;
	enum bulla_err err = bulla_take_items(engine, &c, items);

	if (err == BULLA_OK) /* run again: it is counted already */
		ck_assert_ok(bulla_take_items(engine, &c, 1000000));
	*retry_s = c.retry_after_s;
	c.may_block = true;
	bulla_grant_put(c.grant);
	call_done(&c);
	return err;
}

static enum bulla_err take(const char *token, size_t items)
{
	int retry_s;

	return take_as(token, items, false, &retry_s);
}

START_TEST(two_windows)
{
	char token[64];
	int retry_s;

	put_policy("p", POLICY("budget = [\"3/s\", \"7/day\"]"));
	make_token("p", token);
	ck_assert_ok(take(token, 2));
	ck_assert_err(take_as(token, 2, false, &retry_s), BULLA_E_BUDGET); /* a batch goes whole or not at all */
	ck_assert_int_eq(retry_s, 1);
	ck_assert_ok(take(token, 1));
	ck_assert_err(take(token, 1), BULLA_E_BUDGET);
	now_s++;
	ck_assert_ok(take(token, 3));
	now_s++;
	ck_assert_ok(take(token, 1)); /* what was refused cost nothing of the day's */
	ck_assert_err(take_as(token, 1, false, &retry_s), BULLA_E_BUDGET);
	ck_assert_int_eq(retry_s, DAY - 2);
	ck_assert_err(take(token, 4), BULLA_E_INVALID); /* more than there ever is in a second */
	now_s += DAY;
	ck_assert_ok(take(token, 3));
}
END_TEST

START_TEST(whose_it_is)
{
	char a[64], b[64], c[64], d[64];

	put_policy("each", POLICY("budget = [\"2/day\"]"));
	put_policy("all", POLICY("budget = [\"2/day\"] budget_per = \"policy\""));
	make_token("each", a);
	make_token("each", b);
	make_token("all", c);
	make_token("all", d);
	ck_assert_ok(take(a, 2));
	ck_assert_err(take(a, 1), BULLA_E_BUDGET);
	ck_assert_ok(take(b, 2));
	ck_assert_ok(take(c, 1));
	ck_assert_ok(take(d, 1));
	ck_assert_err(take(c, 1), BULLA_E_BUDGET);
	ck_assert_err(take(d, 1), BULLA_E_BUDGET);
}
END_TEST

/* Of a second's budget a loop takes by itself; a day's is on disk before it is used. */
START_TEST(on_a_loop)
{
	char quick[64], slow[64];
	int retry_s;

	put_policy("quick", POLICY("budget = [\"2/s\"]"));
	put_policy("slow", POLICY("budget = [\"1000/day\"]"));
	make_token("quick", quick);
	make_token("slow", slow);
	ck_assert_ok(take_as(quick, 2, true, &retry_s));
	ck_assert_err(take_as(quick, 1, true, &retry_s), BULLA_E_BUDGET);
	ck_assert_err(take_as(slow, 1, true, &retry_s), BULLA_E_MUST_BLOCK);
	ck_assert_ok(take(slow, 1));
	ck_assert_ok(take_as(slow, 1, true, &retry_s)); /* of the same block */
	ck_assert_err(take_as(slow, 900, true, &retry_s), BULLA_E_MUST_BLOCK);
	ck_assert_ok(take(slow, 900));
}
END_TEST

/* The engine is closed and opened again over the same file. */
START_TEST(restart)
{
	char folder[] = "/tmp/bulla-budget-XXXXXX", file[64], token[64];
	struct bulla_config config = config_static();
	const struct bulla_init_args args = { .root_token = bulla_str("wanted") };
	struct bulla_init_result result;
	int taken = 0;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(file, sizeof file, "%s/b.db", folder);
	config.storage_path = file;
	call_done(&call);
	bulla_close(engine);
	call = call_begin();
	ck_assert_ok(bulla_open(&config, &call, &engine));
	ck_assert_ok(bulla_init(engine, &call, &args, &result));
	ck_assert_ok(bulla_authenticate(engine, &call, bulla_str("wanted")));
	put_policy("p", POLICY("budget = [\"500/day\"]"));
	make_token("p", token);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 40; i++)
			taken += take(token, 1) == BULLA_OK;
		call_done(&call);
		bulla_close(engine);
		call = call_begin();
		ck_assert_ok(bulla_open(&config, &call, &engine));
		ck_assert_ok(bulla_unseal_auto(engine, &call));
		ck_assert_ok(bulla_authenticate(engine, &call, bulla_str("wanted")));
	}
	ck_assert_int_eq(taken, 160);
	while (take(token, 1) == BULLA_OK)
		taken++;
	ck_assert_int_le(taken, 500);
	ck_assert_int_ge(taken, 500 - 4 * 6); /* a restart costs a block at most */
	ck_assert_err(take(token, 1), BULLA_E_BUDGET);
	now_s += DAY;
	ck_assert_ok(take(token, 1));
	ck_assert_ok(bulla_tick(engine, &call)); /* clears what is over, and nothing else */
	for (int i = 0; i < 400; i++)
		ck_assert_ok(take(token, 1));
	call_done(&call);
	bulla_close(engine);
	static const char *const ends[] = { "", "-wal", "-shm" };

	for (int i = 0; i < 3; i++) {
		char name[80];

		snprintf(name, sizeof name, "%s%s", file, ends[i]);
		(void)unlink(name);
	}
	(void)rmdir(folder);
	engine_setup(); /* for the teardown */
}
END_TEST

/* Batch tokens have no accessor, and are made within one second as often as not. */
START_TEST(of_a_batch_token)
{
	const struct bulla_bytes policies[] = { bulla_str("each") };
	const struct bulla_token_create_args args = { .policies = policies, .policy_count = 1, .no_default_policy = true, .ttl_s = 3600,
						      .path = bulla_str("auth/token/create"), .type = bulla_str("batch") };
	char *texts[2];

	put_policy("each", POLICY("budget = [\"2/s\"]"));
	for (int i = 0; i < 2; i++) {
		struct bulla_auth auth;

		ck_assert_ok(bulla_token_create(engine, &call, &args, &auth));
		texts[i] = (char *)(uintptr_t)bulla_arena_copy(call.arena, auth.client_token).ptr;
		bulla_token_put(auth.token);
	}
	ck_assert_ok(take(texts[0], 2));
	ck_assert_err(take(texts[0], 1), BULLA_E_BUDGET);
	ck_assert_ok(take(texts[1], 2));
	ck_assert_err(take(texts[1], 1), BULLA_E_BUDGET);
}
END_TEST

/* Whoever read the clock before a window's end, and comes after it, does not begin the old window anew. */
START_TEST(late_over_the_end)
{
	char second[64], day[64];
	int retry_s;

	put_policy("second", POLICY("budget = [\"3/s\"]"));
	put_policy("day", POLICY("budget = [\"300/day\"]"));
	make_token("second", second);
	make_token("day", day);
	ck_assert_ok(take(second, 3));
	ck_assert_ok(take(day, 300));
	now_s--;
	ck_assert_err(take(second, 1), BULLA_E_BUDGET);
	ck_assert_err(take_as(day, 1, true, &retry_s), BULLA_E_BUDGET);
	ck_assert_err(take(day, 1), BULLA_E_BUDGET);
	now_s++;
	ck_assert_err(take(second, 1), BULLA_E_BUDGET);
	ck_assert_err(take(day, 1), BULLA_E_BUDGET);
	now_s += DAY;
	ck_assert_ok(take(second, 3));
	ck_assert_ok(take(day, 3)); /* of a block of 4 */
	now_s--;
	ck_assert_ok(take(day, 7)); /* another block, in the same day */
	now_s++;
	ck_assert_err(take(day, 291), BULLA_E_BUDGET);
	ck_assert_ok(take(day, 290));
}
END_TEST

static size_t count_records(void)
{
	const struct documents documents = { engine->access->store, engine->access->seal };
	const struct document_name any = { .kind = "budget" };
	struct bulla_bytes *names;
	size_t count;

	ck_assert_ok(document_names(&documents, &call, &any, &names, &count));
	return count;
}

/* There may be one for every token of a day. */
START_TEST(what_is_over_is_cleared)
{
	char token[64];

	put_policy("p", POLICY("budget = [\"10/day\"]"));
	for (int i = 0; i < 600; i++) {
		make_token("p", token);
		ck_assert_ok(take(token, 1));
	}
	ck_assert_uint_eq(count_records(), 600);
	now_s += DAY;
	ck_assert_ok(take(token, 1));
	ck_assert_ok(bulla_tick(engine, &call));
	ck_assert_uint_eq(count_records(), 1);
}
END_TEST

#define THREADS 8

static atomic_int granted;
static char shared_token[64];

static pthread_barrier_t together;
static int takes_each;

static void *take_many(void *context)
{
	(void)context;
	(void)pthread_barrier_wait(&together);
	for (int i = 0; i < takes_each; i++)
		if (take(shared_token, 1) == BULLA_OK)
			atomic_fetch_add(&granted, 1);
	return NULL;
}

/* All at once, then one alone takes what is left. */
static int take_all_together(int each)
{
	pthread_t threads[THREADS];

	takes_each = each;
	atomic_store(&granted, 0);
	ck_assert_int_eq(pthread_barrier_init(&together, NULL, THREADS), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_many, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&together);
	while (take(shared_token, 1) == BULLA_OK)
		atomic_fetch_add(&granted, 1);
	return atomic_load(&granted);
}

START_TEST(never_more_and_never_less)
{
	put_policy("p", POLICY("budget = [\"1000/day\", \"700/h\"]"));
	make_token("p", shared_token);
	ck_assert_int_eq(take_all_together(200), 700);
}
END_TEST

/* The first block of a window is made by several at once: none of them takes another's for spent. */
START_TEST(first_blocks)
{
	put_policy("p", POLICY("budget = [\"20/h\"]"));
	for (int i = 0; i < 100; i++) {
		make_token("p", shared_token);
		ck_assert_int_eq(take_all_together(1), 20);
	}
}
END_TEST

/* ---- rate limits ------------------------------------------------------------- */

static enum bulla_err request(const char *ip, const char *path, int *retry_s)
{
	struct bulla_call c = { .remote_ip = bulla_str(ip), .arena = call.arena };
	struct bulla_rate_state state = { 0 };
	enum bulla_err err = bulla_rate_check(engine, &c, bulla_str(path), &state);

	*retry_s = c.retry_after_s;
	if (err == BULLA_OK) /* it runs again on a worker */
		ck_assert_ok(bulla_rate_check(engine, &c, bulla_str(path), &state));
	return err;
}

static void limit(const char *name, const char *path, double rate, int64_t interval_s, int64_t block_s)
{
	const struct bulla_rate_limit args = { .name = bulla_str(name), .path = bulla_str(path), .rate = rate, .interval_s = interval_s,
					       .block_interval_s = block_s };

	ck_assert_ok(bulla_rate_limit_write(engine, &call, &args));
}

START_TEST(rate_limits)
{
	int retry_s;

	for (int i = 0; i < 100; i++) /* there are none */
		ck_assert_ok(request("10.0.0.1", "sys/mounts", &retry_s));
	limit("all", "", 5, 0, 0);
	limit("token", "auth/token", 3, 10, 0);
	limit("one", "auth/token/lookup-self", 1, 10, 60);
	ck_assert_ok(request("10.0.0.1", "auth/token/lookup-self", &retry_s));
	ck_assert_err(request("10.0.0.1", "auth/token/lookup-self", &retry_s), BULLA_E_RATE_LIMITED);
	ck_assert_int_eq(retry_s, 60);
	ck_assert_ok(request("10.0.0.2", "auth/token/lookup-self", &retry_s)); /* another client */
	ck_assert_ok(request("2001:db8::1", "auth/token/lookup-self", &retry_s));
	ck_assert_err(request("2001:db8::2:3:4:5", "auth/token/lookup-self", &retry_s), BULLA_E_RATE_LIMITED); /* of the same network */
	ck_assert_ok(request("2001:db8:0:1::1", "auth/token/lookup-self", &retry_s));
	for (int i = 0; i < 3; i++)
		ck_assert_ok(request("10.0.0.1", "auth/token/renew-self", &retry_s));
	ck_assert_err(request("10.0.0.1", "auth/token/renew-self", &retry_s), BULLA_E_RATE_LIMITED);
	ck_assert_int_eq(retry_s, 10);
	for (int i = 0; i < 5; i++)
		ck_assert_ok(request("10.0.0.1", "sys/mounts", &retry_s));
	ck_assert_err(request("10.0.0.1", "sys/mounts", &retry_s), BULLA_E_RATE_LIMITED);
	for (int i = 0; i < 50; i++)
		ck_assert_ok(request("10.0.0.1", "sys/health", &retry_s)); /* exempt */
	now_s += 10;
	ck_assert_ok(request("10.0.0.1", "sys/mounts", &retry_s));
	ck_assert_ok(request("10.0.0.1", "auth/token/renew-self", &retry_s));
	ck_assert_err(request("10.0.0.1", "auth/token/lookup-self", &retry_s), BULLA_E_RATE_LIMITED);
	ck_assert_int_eq(retry_s, 50);
	now_s += 50;
	ck_assert_ok(request("10.0.0.1", "auth/token/lookup-self", &retry_s));
	ck_assert_ok(bulla_rate_limit_delete(engine, &call, bulla_str("all")));
	for (int i = 0; i < 100; i++)
		ck_assert_ok(request("10.0.0.1", "sys/mounts", &retry_s));
}
END_TEST

/* A star at the end is for all that begin so; an exact path comes before it, a mount after. Lists go by their path without the slash. */
START_TEST(limits_of_beginnings)
{
	int retry_s;

	limit("mount", "auth/token", 3, 10, 0);
	limit("all", "auth/token/l*", 1, 10, 0);
	limit("longer", "auth/token/lookup*", 2, 10, 0);
	limit("exact", "auth/token/lookup-self/", 1, 10, 0); /* the slash does not count */
	ck_assert_ok(request("10.0.0.1", "auth/token/lookup-self", &retry_s));
	ck_assert_err(request("10.0.0.1", "auth/token/lookup-self/", &retry_s), BULLA_E_RATE_LIMITED);
	ck_assert_ok(request("10.0.0.1", "auth/token/lookup", &retry_s));
	ck_assert_ok(request("10.0.0.1", "auth/token/lookup-accessor", &retry_s));
	ck_assert_err(request("10.0.0.1", "auth/token/lookup", &retry_s), BULLA_E_RATE_LIMITED);
	ck_assert_ok(request("10.0.0.1", "auth/token/list", &retry_s));
	ck_assert_err(request("10.0.0.1", "auth/token/l", &retry_s), BULLA_E_RATE_LIMITED);
	for (int i = 0; i < 3; i++)
		ck_assert_ok(request("10.0.0.1", "auth/token/create", &retry_s));
	ck_assert_err(request("10.0.0.1", "auth/token/create", &retry_s), BULLA_E_RATE_LIMITED);
}
END_TEST

/* What is written anew counts from the start: a limit that locks everybody out can be mended. */
START_TEST(limits_written_anew)
{
	int retry_s;

	limit("x", "sys/mounts", 1, 3600, 0);
	limit("y", "sys/auth", 1, 3600, 0);
	ck_assert_ok(request("10.0.0.1", "sys/mounts", &retry_s));
	ck_assert_ok(request("10.0.0.1", "sys/auth", &retry_s));
	limit("x", "sys/mounts", 1, 1, 0);
	ck_assert_ok(request("10.0.0.1", "sys/mounts", &retry_s));
	ck_assert_err(request("10.0.0.1", "sys/mounts", &retry_s), BULLA_E_RATE_LIMITED);
	ck_assert_int_eq(retry_s, 1);
	ck_assert_err(request("10.0.0.1", "sys/auth", &retry_s), BULLA_E_RATE_LIMITED); /* the other goes on */
	limit("x", "sys/mounts", 1.5, 10, 0); /* rounded up */
	ck_assert_ok(request("10.0.0.1", "sys/mounts", &retry_s));
	ck_assert_ok(request("10.0.0.1", "sys/mounts", &retry_s));
	ck_assert_err(request("10.0.0.1", "sys/mounts", &retry_s), BULLA_E_RATE_LIMITED);
}
END_TEST

START_TEST(bad_limits)
{
	static const struct {
		struct bulla_rate_limit limit;
		const char *text;
	} bad[] = {
		{ { .rate = 0 }, "'rate' is invalid" }, { { .rate = -1 }, "'rate' is invalid" }, { { .rate = 1e300 }, "'rate' is invalid" },
		{ { .rate = 1, .interval_s = -1 }, "'interval' is invalid" }, { { .rate = 1, .block_interval_s = -1 }, "'block' is invalid" },
		{ { .rate = 1, .path = { (const uint8_t *)"nosuch/x", 8 } }, "invalid mount path \"nosuch/x/\"" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_fails(bulla_rate_limit_write(engine, &call, &bad[i].limit), BULLA_E_INVALID, bad[i].text);
	limit("a", "sys", 1, 0, 0);
	const struct bulla_rate_limit same = { .name = bulla_str("b"), .path = bulla_str("/sys/"), .rate = 2 };

	ck_assert_fails(bulla_rate_limit_write(engine, &call, &same), BULLA_E_INVALID,
			"quota rule with similar properties exists under the name \"a\"");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access/budget and quota");
	TCase *tc = tcase_create("counts");

	tcase_add_checked_fixture(tc, setup, engine_teardown);
	tcase_add_test(tc, two_windows);
	tcase_add_test(tc, whose_it_is);
	tcase_add_test(tc, on_a_loop);
	tcase_add_test(tc, restart);
	tcase_add_test(tc, of_a_batch_token);
	tcase_add_test(tc, late_over_the_end);
	tcase_add_test(tc, what_is_over_is_cleared);
	tcase_add_test(tc, never_more_and_never_less);
	tcase_add_test(tc, first_blocks);
	tcase_add_test(tc, rate_limits);
	tcase_add_test(tc, limits_of_beginnings);
	tcase_add_test(tc, limits_written_anew);
	tcase_add_test(tc, bad_limits);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
