/* access_policy.c: stored policies, and what they let a token do: changes that count at once, what expires, what cannot be read. */
#include "access/access_internal.h"
#include "access/grant.h"
#include "base/pack.h"
#include "bulla/json.h"
#include "engine_unit.h"
#include "seal/documents.h"

#define D BULLA_CAN_DENY
#define C BULLA_CAN_CREATE
#define R BULLA_CAN_READ
#define U BULLA_CAN_UPDATE
#define X BULLA_CAN_DELETE
#define L BULLA_CAN_LIST

static const struct {
	const char *path;
	unsigned can;
} defaults[] = {
	{ "", D }, { "transit/encrypt/k", D }, { "sys/mounts", D }, { "sys", D }, { "auth/token/create", D },
	{ "auth/token/lookup", D }, { "auth/token/lookup-self", R }, { "auth/token/lookup-self/", R }, /* as for a list */
	{ "auth/token/lookup-selfx", D }, { "auth/token/renew-self", U }, { "auth/token/revoke-self", U },
	{ "sys/capabilities-self", U }, { "sys/capabilities", D }, { "cubbyhole", D }, { "cubbyhole/", C | R | U | X | L },
	{ "cubbyhole/a/b", C | R | U | X | L }, { "sys/tools/hash", U }, { "sys/tools/hash/sha2-256", U }, { "sys/tools/random", D },
	{ "identity/oidc/provider/x/authorize", R | U }, { "identity/oidc/provider/x/y/authorize", D },
	{ "identity/entity/id/{{identity.entity.id}}", D }, { "SYS/capabilities-self", D },
};

static const struct bulla_bytes names[] = { { (const uint8_t *)"a", 1 }, { (const uint8_t *)"default", 7 }, { (const uint8_t *)"nope", 4 } };
static const struct bulla_pair acme[] = { { { (const uint8_t *)"tenant", 6 }, { (const uint8_t *)"acme", 4 } } };
static const struct bulla_token limited = { .policies = names + 1, .policy_count = 2 };
static const struct bulla_token powerless = { .policies = names + 2, .policy_count = 1 };
static const struct bulla_token with_a = { .policies = names, .policy_count = 1, .meta = acme, .meta_count = 1 };
static const struct bulla_token root = { .root = true };

static int64_t now_ns;

static int64_t fixed_now(void)
{
	return now_ns;
}

static int64_t stepped_ns; /* how far the system's clock has been set away */

static int64_t stepped_now(void)
{
	return now_ns + stepped_ns;
}

static enum bulla_err put(const char *name, const char *text)
{
	return bulla_policy_put(engine, &call, &(struct bulla_policy_put_args){ .name = bulla_str(name), .text = bulla_str(text) });
}

static enum bulla_err ask_as(struct bulla_call *c, const struct bulla_token *token, unsigned need, const char *path)
{
	c->token = token;
	return bulla_authorise(engine, c, &(struct bulla_ask){ .need = (enum bulla_capability)need, .path = bulla_str(path) });
}

static const char *detail(void)
{
	return call.detail.ptr != NULL ? (const char *)call.detail.ptr : "";
}

/* ---- the default policy ---- */

START_TEST(default_grants)
{
	struct bulla_bytes path = bulla_str(defaults[_i].path);

	ck_assert_uint_eq(bulla_capabilities(engine, &limited, path), defaults[_i].can);
	ck_assert_uint_eq(bulla_capabilities(engine, &powerless, path), D);
	ck_assert_uint_eq(bulla_capabilities(engine, &root, path), BULLA_CAN_ROOT);
}
END_TEST

START_TEST(authorises)
{
	struct bulla_call c = call_begin();
	struct bulla_ask sudo = { .need = R, .need_sudo = true, .path = bulla_str("auth/token/lookup-self") };

	ck_assert_err(ask_as(&c, NULL, R, "auth/token/lookup-self"), BULLA_E_NO_TOKEN);
	ck_assert_err(ask_as(&c, &powerless, R, "auth/token/lookup-self"), BULLA_E_DENIED);
	ck_assert_err(ask_as(&c, &limited, R, "sys/mounts"), BULLA_E_DENIED);
	ck_assert_err(ask_as(&c, &limited, U, "auth/token/lookup-self"), BULLA_E_DENIED);
	ck_assert_err(bulla_authorise(engine, &c, &sudo), BULLA_E_DENIED);
	ck_assert_ok(ask_as(&c, &limited, R, "auth/token/lookup-self"));
	ck_assert_ptr_null(c.grant);
	ck_assert_ok(ask_as(&c, &root, X, "sys/mounts"));
	c.token = NULL;
	call_end(&c);
}
END_TEST

START_TEST(reaches)
{
	ck_assert_ok(bulla_may_reach(engine, &root, bulla_str("transit/")));
	ck_assert_err(bulla_may_reach(engine, &limited, bulla_str("transit/")), BULLA_E_DENIED);
	ck_assert_ok(bulla_may_reach(engine, &limited, bulla_str("cubbyhole/")));
	ck_assert_ok(bulla_may_reach(engine, &limited, bulla_str("auth/token/")));
	ck_assert_err(bulla_may_reach(engine, &powerless, bulla_str("cubbyhole/")), BULLA_E_DENIED);
}
END_TEST

/* ---- the store ---- */

START_TEST(refuses)
{
	struct bulla_policy_put_args args = { .name = bulla_str("p"), .text = bulla_str(""), .end = { 1, true } };
	char *large = malloc(BULLA_POLICY_MAX_BYTES + 1);

	ck_assert_err(put("p", "path \"x\" {\n capabilities = [\"fly\"] }"), BULLA_E_INVALID);
	ck_assert_str_eq(detail(), "failed to parse policy: At 2:18: path \"x\": invalid capability \"fly\"");
	ck_assert_err(put("p", "path \"x\""), BULLA_E_INVALID);
	ck_assert_str_eq(detail(), "failed to parse policy: At 1:9: { is missing after x");
	ck_assert_err(put("Root", ""), BULLA_E_INVALID);
	ck_assert_str_eq(detail(), "cannot update \"root\" policy");
	ck_assert_err(put("response-wrapping", ""), BULLA_E_INVALID);
	ck_assert_err(put(" ", ""), BULLA_E_INVALID);
	ck_assert_err(bulla_policy_put(engine, &call, &args), BULLA_E_INVALID);
	ck_assert_str_eq(detail(), "refusing to update policy as expiration time has already elapsed");
	ck_assert_ptr_nonnull(large);
	memset(large, '\n', BULLA_POLICY_MAX_BYTES + 1);
	args = (struct bulla_policy_put_args){ .name = bulla_str("p"), .text = bulla_mem(large, BULLA_POLICY_MAX_BYTES + 1) };
	ck_assert_err(bulla_policy_put(engine, &call, &args), BULLA_E_INVALID);
	args.text.len--;
	ck_assert_ok(bulla_policy_put(engine, &call, &args));
	free(large);
	ck_assert_err(bulla_policy_delete(engine, &call, bulla_str("DEFAULT")), BULLA_E_INVALID);
	ck_assert_err(bulla_policy_delete(engine, &call, bulla_str("root")), BULLA_E_INVALID);
	call.may_block = false;
	ck_assert_err(put("p", ""), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_policy_delete(engine, &call, bulla_str("p")), BULLA_E_MUST_BLOCK);
	call.may_block = true;
}
END_TEST

START_TEST(check_and_set)
{
	struct bulla_policy_put_args args = { .name = bulla_str("P"), .text = bulla_str("# one"), .cas_set = true, .cas = 1 };
	struct bulla_policy_info info;

	ck_assert_err(bulla_policy_put(engine, &call, &args), BULLA_E_INVALID);
	args.cas = -1;
	ck_assert_ok(bulla_policy_put(engine, &call, &args));
	ck_assert_err(bulla_policy_put(engine, &call, &args), BULLA_E_INVALID);
	args.cas = 1;
	args.cas_required = true;
	ck_assert_ok(bulla_policy_put(engine, &call, &args));
	ck_assert_err(put("p", "# two"), BULLA_E_INVALID);
	ck_assert_str_eq(detail(), "check-and-set parameter required for this call");
	ck_assert_ok(bulla_policy_get(engine, &call, bulla_str(" p "), &info));
	ck_assert_int_eq(info.version, 2);
	ck_assert(bulla_is(info.name, "p") && bulla_is(info.text, "# one") && info.cas_required && info.modified_date_ns > 0);
	ck_assert_ok(bulla_policy_delete(engine, &call, bulla_str("p")));
	ck_assert_ok(bulla_policy_delete(engine, &call, bulla_str("p")));
	ck_assert_err(bulla_policy_get(engine, &call, bulla_str("p"), &info), BULLA_E_NOT_FOUND);
	ck_assert_ok(put("default", "# mine"));
	ck_assert_ok(bulla_policy_get(engine, &call, bulla_str("default"), &info));
	ck_assert(bulla_is(info.text, "# mine") && info.version == 2);
}
END_TEST

START_TEST(lists)
{
	static const char *const wanted[] = { "a/b", "a/c", "default", "z", "root" };
	struct bulla_bytes *list;
	size_t count;

	ck_assert_ok(put("z", ""));
	ck_assert_ok(put("a/c", ""));
	ck_assert_ok(put("A/b", ""));
	ck_assert_ok(bulla_policy_names(engine, &call, (struct bulla_bytes){ 0 }, &list, &count));
	ck_assert_uint_eq(count, 5);
	for (size_t i = 0; i < 5; i++)
		ck_assert(bulla_is(list[i], wanted[i]));
	ck_assert_ok(bulla_policy_names(engine, &call, bulla_str("a/"), &list, &count));
	ck_assert_uint_eq(count, 2);
}
END_TEST

/* ---- what changes counts at once ---- */

START_TEST(changes_at_once)
{
	struct bulla_bytes path = bulla_str("x/y");

	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, path), D);
	ck_assert_ok(put("A", "path \"x/*\" { capabilities = [\"read\"] }"));
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, path), R);
	ck_assert_ok(put("a", "path \"x/y\" { capabilities = [\"deny\"] }"));
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, path), D);
	ck_assert_ok(put("a", "path \"x/+\" { policy = \"write\" }"));
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, path), C | R | U | X | L);
	ck_assert_ok(bulla_policy_delete(engine, &call, bulla_str("a")));
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, path), D);
}
END_TEST

/* A grant that is held keeps what it rests on. */
START_TEST(grants_outlive_policies)
{
	static const struct bulla_pair other[] = { { { (const uint8_t *)"tenant", 6 }, { (const uint8_t *)"acm", 3 } } };
	struct bulla_call c = call_begin();
	struct bulla_ask ask = { .need = U, .takes_context = true, .path = bulla_str("x") };
	struct grant_budget budget;

	ck_assert_ok(put("a", "path \"x\" { capabilities = [\"update\"] required_encryption_context = { tenant = \"{{token.meta.tenant}}\" }"
			      " max_batch_items = 2 budget = [\"10/s\", \"1000/day\"] }"));
	ck_assert_err(ask_as(&c, &with_a, U, "x"), BULLA_E_DENIED); /* takes no context */
	ck_assert_ok(bulla_authorise(engine, &c, &ask));
	ck_assert_ptr_nonnull(c.grant);
	ck_assert_ok(bulla_policy_delete(engine, &call, bulla_str("a")));
	ck_assert_err(bulla_authorise(engine, &c, &ask), BULLA_E_DENIED);
	ck_assert_ok(grant_check_context(&c, acme, 1));
	ck_assert_err(grant_check_context(&c, other, 1), BULLA_E_DENIED);
	ck_assert_err(grant_check_context(&c, NULL, 0), BULLA_E_DENIED);
	ck_assert_ok(grant_check_index(&c, 1));
	ck_assert_err(grant_check_index(&c, 2), BULLA_E_DENIED);
	ck_assert(grant_budget(c.grant, 0, &budget));
	ck_assert(bulla_is(budget.policy, "a") && bulla_is(budget.pattern, "x") && !budget.per_policy && budget.window_count == 2);
	ck_assert_int_eq(budget.windows[1].items, 1000);
	ck_assert_int_eq(budget.windows[1].window_s, 86400);
	ck_assert(!grant_budget(c.grant, 1, &budget));
	bulla_grant_put(c.grant);
	c.grant = NULL;
	ck_assert_ok(grant_check_context(&c, NULL, 0)); /* no grant, no condition */
	c.token = NULL;
	call_end(&c);
}
END_TEST

/* ---- time ---- */

START_TEST(expires)
{
	struct bulla_policy_put_args args = { .name = bulla_str("a"), .text = bulla_str("path \"x\" { capabilities = [\"read\"] }") };
	struct bulla_policy_info info;
	struct bulla_bytes *list;
	size_t count;

	now_ns = bulla_wall_ns();
	bulla_clock_replace(fixed_now, fixed_now);
	args.end = (struct bulla_end){ now_ns + 100, false };
	ck_assert_ok(bulla_policy_put(engine, &call, &args));
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, bulla_str("x")), R);
	now_ns += 99;
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, bulla_str("x")), R);
	now_ns += 1;
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, bulla_str("x")), D);
	ck_assert_ok(bulla_policy_names(engine, &call, (struct bulla_bytes){ 0 }, &list, &count));
	ck_assert_uint_eq(count, 2);
	ck_assert_err(bulla_policy_get(engine, &call, bulla_str("a"), &info), BULLA_E_NOT_FOUND);
	args.cas_set = true;
	args.cas = -1; /* as if it had never been */
	args.end = (struct bulla_end){ 0 };
	ck_assert_ok(bulla_policy_put(engine, &call, &args));
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, bulla_str("x")), R);
}
END_TEST

/* A ttl is not moved by the system's clock; a date is, there and back, and what it ended is not deleted for that. */
START_TEST(expires_by_either_clock)
{
	struct bulla_policy_put_args args = { .name = bulla_str("a"), .text = bulla_str("path \"x\" { capabilities = [\"read\"] }") };
	const int64_t day = INT64_C(86400000000000);
	struct bulla_policy_info info;

	now_ns = bulla_wall_ns();
	stepped_ns = 0;
	bulla_clock_replace(fixed_now, stepped_now);
	args.end = (struct bulla_end){ now_ns + day, false };
	ck_assert_ok(bulla_policy_put(engine, &call, &args));
	stepped_ns = 40 * day;
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, bulla_str("x")), R);
	ck_assert_ok(bulla_policy_get(engine, &call, bulla_str("a"), &info));
	ck_assert(!info.end.by_date);
	ck_assert_int_eq(bulla_end_date_ns(info.end), now_ns + 41 * day);
	args.end = (struct bulla_end){ now_ns + 41 * day, true };
	ck_assert_ok(bulla_policy_put(engine, &call, &args));
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, bulla_str("x")), R);
	stepped_ns = 41 * day;
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, bulla_str("x")), D);
	ck_assert_err(bulla_policy_get(engine, &call, bulla_str("a"), &info), BULLA_E_NOT_FOUND);
	stepped_ns = 0;
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, bulla_str("x")), R);
	ck_assert_ok(bulla_policy_get(engine, &call, bulla_str("a"), &info));
	ck_assert(info.end.by_date);
	ck_assert_int_eq(bulla_end_date_ns(info.end), now_ns + 41 * day);
	args.end = (struct bulla_end){ now_ns - 1, true };
	ck_assert_err(bulla_policy_put(engine, &call, &args), BULLA_E_INVALID);
}
END_TEST

START_TEST(stanzas_expire)
{
	char text[200], time[BULLA_TIME_TEXT];

	now_ns = bulla_wall_ns() / 1000000000 * 1000000000;
	bulla_clock_replace(fixed_now, fixed_now);
	(void)bulla_time_print(now_ns + 2000000000, time);
	snprintf(text, sizeof text, "path \"x\" { capabilities = [\"read\"] }\npath \"x\" { capabilities = [\"update\"] expiration = \"%s\" }", time);
	ck_assert_ok(put("a", text));
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, bulla_str("x")), R | U);
	now_ns += 1999999999;
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, bulla_str("x")), R | U);
	now_ns += 1;
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, bulla_str("x")), R);
}
END_TEST

/* ---- what cannot be read ---- */

static struct documents store_of(void)
{
	return (struct documents){ .store = engine->store, .seal = engine->seal };
}

static void put_document(const char *name, struct bulla_bytes value)
{
	struct documents documents = store_of();
	struct document_name key = { .kind = "policy", .item = bulla_str(name) };

	ck_assert_ok(document_put(&documents, &call, &key, 0, value));
}

static void reload(void)
{
	ck_assert_ok(access_load(engine->access, &call));
}

static size_t warnings_with(const char *text)
{
	size_t n = 0;

	for (const struct bulla_warning *w = call.warnings; w != NULL; w = w->next)
		n += strstr((const char *)w->text.ptr, text) != NULL;
	return n;
}

START_TEST(survives_a_restart)
{
	ck_assert_ok(put("a", "path \"x\" { capabilities = [\"read\"] }"));
	reload();
	ck_assert_uint_eq(bulla_capabilities(engine, &with_a, bulla_str("x")), R);
	ck_assert_uint_eq(bulla_capabilities(engine, &limited, bulla_str("cubbyhole/x")), C | R | U | X | L);
}
END_TEST

START_TEST(denies_what_it_cannot_read)
{
	static const struct bulla_token both = { .policies = names, .policy_count = 2 };
	struct bulla_call c = call_begin();

	put_document("a", bulla_str("\x63 of a later format"));
	reload();
	ck_assert_uint_eq(bulla_capabilities(engine, &both, bulla_str("auth/token/lookup-self")), D);
	ck_assert_err(ask_as(&c, &both, R, "auth/token/lookup-self"), BULLA_E_DENIED);
	ck_assert_err(bulla_may_reach(engine, &both, bulla_str("auth/token/")), BULLA_E_DENIED);
	const struct bulla_acl *acl;

	ck_assert_ok(bulla_acl_get(engine, &both, &acl));
	ck_assert_ptr_null(acl);
	ck_assert_uint_eq(bulla_capabilities(engine, &limited, bulla_str("auth/token/lookup-self")), R); /* who has not got it */
	call.warnings = NULL;
	(void)!access_tick(engine->access, &call);
	ck_assert_uint_eq(warnings_with("the policy \"a\" cannot be read"), 1);
	ck_assert_ok(access_tick(engine->access, &call));
	ck_assert_uint_eq(warnings_with("the policy \"a\" cannot be read"), 1); /* once */
	ck_assert_ok(bulla_policy_delete(engine, &call, bulla_str("a")));
	ck_assert_uint_eq(bulla_capabilities(engine, &both, bulla_str("auth/token/lookup-self")), R);
	c.token = NULL;
	call_end(&c);
}
END_TEST

/* A record that does not even open has no name: whoever has a policy that is not found may have had it. */
START_TEST(denies_what_is_damaged)
{
	struct documents documents = store_of();
	struct document_name key = { .kind = "policy", .item = bulla_str("a") };
	struct store_write write;

	ck_assert_ok(document_write(&documents, &call, &key, 0, bulla_str("x"), &write));
	((uint8_t *)(uintptr_t)write.bytes.ptr)[write.bytes.len - 1] ^= 1;
	ck_assert_ok(store_commit(engine->store, &call, &write, 1, NULL));
	reload();
	ck_assert_uint_eq(bulla_capabilities(engine, &limited, bulla_str("auth/token/lookup-self")), D); /* "nope" is not found */
	ck_assert_uint_eq(bulla_capabilities(engine, &(struct bulla_token){ .policies = names + 1, .policy_count = 1 },
					     bulla_str("auth/token/lookup-self")), R);
	call.warnings = NULL;
	(void)!access_tick(engine->access, &call);
	ck_assert_uint_eq(warnings_with("damaged"), 1);
}
END_TEST

START_TEST(seals)
{
	struct bulla_bytes *list;
	size_t count;

	access_empty(engine->access);
	ck_assert_uint_eq(bulla_capabilities(engine, &limited, bulla_str("cubbyhole/x")), D);
	ck_assert_err(bulla_policy_names(engine, &call, (struct bulla_bytes){ 0 }, &list, &count), BULLA_E_SEALED);
	reload();
}
END_TEST

/* More sets of names than are kept: all are answered, and rightly. */
START_TEST(many_sets)
{
	char text[3][16];
	struct bulla_bytes set[3];

	ck_assert_ok(put("a", "path \"x\" { capabilities = [\"read\"] }"));
	for (unsigned i = 0; i < 9000; i++) {
		snprintf(text[1], sizeof text[1], "b%u", i);
		set[0] = bulla_str("a");
		set[1] = bulla_str(text[1]);
		ck_assert_uint_eq(bulla_capabilities(engine, &(struct bulla_token){ .policies = set, .policy_count = 2 }, bulla_str("x")), R);
		ck_assert_uint_eq(bulla_capabilities(engine, &(struct bulla_token){ .policies = set + 1, .policy_count = 1 }, bulla_str("x")), D);
	}
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void)
{
	Suite *suite = suite_create("access/policy");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, engine_setup, engine_teardown);
	tcase_add_test(tc, refuses);
	tcase_add_test(tc, authorises);
	tcase_add_loop_test(tc, default_grants, 0, COUNT(defaults));
	tcase_add_test(tc, reaches);
	tcase_add_test(tc, check_and_set);
	tcase_add_test(tc, lists);
	tcase_add_test(tc, changes_at_once);
	tcase_add_test(tc, grants_outlive_policies);
	tcase_add_test(tc, expires);
	tcase_add_test(tc, expires_by_either_clock);
	tcase_add_test(tc, stanzas_expire);
	tcase_add_test(tc, survives_a_restart);
	tcase_add_test(tc, denies_what_it_cannot_read);
	tcase_add_test(tc, denies_what_is_damaged);
	tcase_add_test(tc, seals);
	tcase_add_test(tc, many_sets);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
