/* Rate limits of sys/quotas, and budgets of policies, through the pipeline: what a client is told, and that batches count by item. */
#include "pipeline.h"

#define PLAIN(text) "{\"errors\":[\"" text "\"]}"
#define LIMIT(path, rate) "{\"path\":\"" path "\",\"rate\":" rate ",\"interval\":\"1h\"}"

static const struct step limits[] = {
	{ "LIST sys/quotas/rate-limit", .status = 404 }, { "GET sys/quotas/rate-limit/a", .status = 404 }, { "GET sys/quotas/config", .token = "", .status = 403 },
	{ "GET sys/quotas/config", .status = 200, .expect = "{\"data\":{\"enable_rate_limit_response_headers\":false,\"enable_rate_limit_audit_logging\":false}}" },
	{ "POST sys/quotas/rate-limit/a", "{}", .status = 400, .expect = PLAIN("'rate' is invalid") },
	{ "POST sys/quotas/rate-limit/a", "{\"rate\":\"x\"}", .status = 400 }, { "POST sys/quotas/rate-limit/a", "{\"rate\":[1]}", .status = 400 },
	{ "POST sys/quotas/rate-limit/a", LIMIT("nosuch", "1"), .status = 400, .expect = PLAIN("invalid mount path \\\"nosuch/\\\"") },
	{ "POST sys/quotas/rate-limit/a", "{\"rate\":1,\"role\":\"x\",\"path\":\"auth/token\"}", .status = 400 },
	{ "POST sys/quotas/rate-limit/a", LIMIT("transit/random", "\"2.5\""), .status = 204 },
	{ "POST sys/quotas/rate-limit/b", LIMIT("transit/random", "3"), .status = 400, .expect = PLAIN("quota rule with similar properties exists under the name \\\"a\\\"") },
	{ "GET sys/quotas/rate-limit/a", .status = 200,
	  .expect = "{\"data\":{\"name\":\"a\",\"path\":\"transit/random\",\"rate\":2.5,\"interval\":3600,\"block_interval\":0,\"inheritable\":false,\"role\":\"\",\"type\":\"rate-limit\"}}" },
	{ "LIST sys/quotas/rate-limit", .status = 200, .expect = "{\"data\":{\"keys\":[\"a\"]}}" },
	{ "POST transit/random", .status = 200 }, { "POST transit/random", .token = "bad", .status = 403 },
	{ "POST transit/random", .status = 200 }, /* 2.5 is 3 */
	{ "POST transit/random", .status = 429, .expect = PLAIN("request path \\\"transit/random\\\": rate limit quota exceeded") },
	{ "POST sys/tools/random", .status = 200 },
	{ "POST sys/quotas/config", "{\"rate_limit_exempt_paths\":[\"transit/ran*\"]}", .status = 204 }, { "POST transit/random", .status = 200 },
	{ "GET sys/quotas/config", .status = 200, .expect = "{\"data\":{\"rate_limit_exempt_paths\":[\"transit/ran*\"]}}" },
	{ "DELETE sys/quotas/rate-limit/a", .status = 204 }, { "DELETE sys/quotas/rate-limit/a", .status = 204 }, { "GET sys/quotas/rate-limit/a", .status = 404 },
	{ NULL },
};

#define ITEM "{\"plaintext\":\"QQ==\"}"
#define BATCH(items) "{\"batch_input\":[" items "]}"

static const struct step budgets[] = {
	{ "POST transit/keys/k", .status = 200 },
	{ "POST sys/policies/acl/p", "{\"policy\":\"path \\\"transit/encrypt/k\\\" { capabilities = [\\\"update\\\"] budget = [\\\"4/day\\\"] }\"}", .status = 204 },
	{ "POST auth/token/create", "{\"policies\":[\"p\"],\"no_default_policy\":true}", .status = 200, .save = "t=auth.client_token" },
	{ "POST transit/encrypt/k", BATCH(ITEM "," ITEM "," ITEM), .token = "$t", .status = 200 },
	{ "POST transit/encrypt/k", BATCH(ITEM "," ITEM), .token = "$t", .status = 429, .expect = PLAIN("the budget of 4 items in 86400 seconds is spent") },
	{ "POST transit/encrypt/k", BATCH(ITEM "," ITEM "," ITEM "," ITEM "," ITEM), .token = "$t", .status = 400 },
	{ "POST transit/encrypt/k", ITEM, .token = "$t", .status = 200 }, { "POST transit/encrypt/k", ITEM, .token = "$t", .status = 429 },
	/* root has no policies */
	{ "POST transit/encrypt/k", BATCH(ITEM "," ITEM), .status = 200 },
	{ NULL },
};

START_TEST(run)
{
	static const struct step *const lists[] = { limits, budgets };

	pipeline_day_begun();
	pipeline_begin();
	pipeline_run(lists[_i]);
	pipeline_end();
}
END_TEST

Suite *quota_suite(void)
{
	Suite *suite = suite_create("pipeline/quotas");
	TCase *tc = tcase_create("quotas");

	tcase_add_loop_test(tc, run, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}
