/* policy_parse.c: what a policy's text may be: every mistake with its place, then what is accepted. */
#include <stdio.h>

#include "policy/policy.h"
#include "unit.h"

#define X(more) "path \"x\" { " more " }"
#define AT_X "At 1:12: path \"x\": "

static const struct {
	const char *text, *says;
} bad[] = {
	{ "x = 1", "At 1:1: invalid key \"x\"" }, { "path \"x\" \"y\" {}", "At 1:1: a path has one name" }, { "path \"x\"", "At 1:9: { is missing after x" }, { "path \"x\" = {}", "At 1:10: { is missing after x" },
	{ "path { x = 1 }", "At 1:8: path \"x\": it must be a block" }, { "path = 1", "At 1:1: path must be a block" }, { "path = [1]", "At 1:9: path must be a block" }, { "path { a \"b\" {} }", "At 1:8: a path has one name" },
	{ "[]", "At 1:1: a name is missing" }, { "{\"path\":{\"x\":{\"capabilities\":[\"fly\"]}}}", "At 1:31: path \"x\": invalid capability \"fly\"" },
	{ X("y = 1"), AT_X "invalid key \"y\"" }, { X("capabilities \"y\" {}"), AT_X "capabilities takes no label" }, { X("Capabilities = []"), AT_X "invalid key \"Capabilities\"" },
	{ X("capabilities = \"read\""), AT_X "capabilities must be a list of strings" }, { X("capabilities = [1]"), "At 1:28: path \"x\": capabilities must be a list of strings" }, { X("capabilities = [\"READ\"]"), "At 1:28: path \"x\": invalid capability \"READ\"" },
	{ X("policy = 1"), AT_X "policy must be a string" }, { X("policy = \"x\""), AT_X "invalid policy \"x\"" }, { X("policy = \"\" policy = \"\""), "At 1:24: path \"x\": policy is given twice" },
	{ X("allowed_parameters = []"), AT_X "allowed_parameters must be an object of at most 1000 lists" }, { X("allowed_parameters = { a = 1 }"), "At 1:35: path \"x\": the values of a parameter must be a list" },
	{ X("denied_parameters = { a = [[]] }"), "At 1:39: path \"x\": the values of parameters are strings, numbers, true or false" }, { X("denied_parameters = { a = [] A = [] }"), "At 1:41: path \"x\": \"A\" is given twice" },
	{ X("required_parameters = \"a\""), AT_X "required_parameters must be a list of strings" }, { X("required_parameters = [true]"), "At 1:35: path \"x\": required_parameters must be a list of strings" },
	{ X("min_wrapping_ttl = true"), AT_X "min_wrapping_ttl must be a duration" }, { X("min_wrapping_ttl = \"x\""), AT_X "error parsing min_wrapping_ttl: time: invalid duration \"x\"" }, { X("max_wrapping_ttl = -1"), AT_X "max_wrapping_ttl must not be negative" },
	{ X("max_wrapping_ttl = 1 min_wrapping_ttl = 2"), "At 1:1: path \"x\": max_wrapping_ttl cannot be less than min_wrapping_ttl" }, { X("expiration = 5"), AT_X "expiration must be a string" },
	{ X("expiration = \"tomorrow\""), AT_X "invalid expiration time: it must be as in \"2030-01-31T12:00:00Z\"" }, { X("pagination_limit = -1"), AT_X "pagination_limit must be a whole number, at least 0" }, { X("pagination_limit = \"x\""), AT_X "pagination_limit must be a whole number, at least 0" },
	{ X("max_batch_items = 0"), AT_X "max_batch_items must be a whole number, at least 1" }, { X("max_batch_items = 99999999999999999999"), AT_X "max_batch_items must be a whole number, at least 1" }, { X("max_batch_items = []"), AT_X "max_batch_items must be a whole number, at least 1" },
	{ X("required_encryption_context = {}"), AT_X "required_encryption_context must be an object with 1 to 64 keys" }, { X("required_encryption_context = [\"a\"]"), AT_X "required_encryption_context must be an object with 1 to 64 keys" },
	{ X("required_encryption_context = { a = [] }"), "At 1:44: path \"x\": \"a\" names nothing that could be given" }, { X("required_encryption_context = { \"\" = \"x\" }"), "At 1:44: path \"x\": \"\" names nothing that could be given" },
	{ X("required_encryption_context = { a = 1 }"), "At 1:44: path \"x\": \"a\" must be a string or a list of strings" }, { X("required_encryption_context = { a = \"1\" a = \"2\" }"), "At 1:52: path \"x\": \"a\" is given twice" },
	{ X("required_encryption_context = { a = \"{{token.meta.}}\" }"), "At 1:44: path \"x\": \"a\": templates are {{token.display_name}} and {{token.meta.KEY}}" }, { X("required_encryption_context = { a = [\"b\", \"{{token.id}}\"] }"), "At 1:44: path \"x\": \"a\": templates are {{token.display_name}} and {{token.meta.KEY}}" },
	{ X("required_encryption_context = { a = \"{{token.display_name\" }"), "At 1:44: path \"x\": \"a\": templates are {{token.display_name}} and {{token.meta.KEY}}" }, { X("required_encryption_context = { a = \"{{}}\" }"), "At 1:44: path \"x\": \"a\": templates are {{token.display_name}} and {{token.meta.KEY}}" },
	{ X("budget = []"), AT_X "budget must be a string or a list of strings" }, { X("budget = 5"), AT_X "budget must be a string or a list of strings" }, { X("budget = \"0/s\""), AT_X "a budget is as in \"10/s\", \"600/min\", \"5000/hour\", \"1000/day\"" },
	{ X("budget = [\"1/s\", \"2/s\"]"), "At 1:29: path \"x\": two budgets for the same time" }, { X("budget_per = \"policy\""), "At 1:1: path \"x\": budget_per without a budget" }, { X("budget = \"1/s\" budget_per = \"role\""), "At 1:27: path \"x\": budget_per is \"token\" or \"policy\"" },
	{ X("control_group = {}"), AT_X "control_group is not supported" }, { X("list_scan_response_keys_filter_path = \"x\""), AT_X "list_scan_response_keys_filter_path is not supported" },
	{ "path \"a+*\" {}", "At 1:1: path \"a+*\": invalid use of wildcards ('+*' is forbidden)" }, { "path \"{{\" {}", "At 1:1: path \"{{\": failed to validate policy templating: unbalanced templating characters" },
};

START_TEST(refuses)
{
	struct bulla_call call = call_begin();
	struct policy *policy = NULL;

	ck_assert_err(policy_new(&call, bulla_str("p"), bulla_str(bad[_i].text), (struct bulla_end){ 0 }, &policy), BULLA_E_INVALID);
	ck_assert_str_eq((const char *)call.detail.ptr, bad[_i].says);
	ck_assert_ptr_null(policy);
	call_end(&call);
}
END_TEST

static const struct {
	const char *text;
	size_t count;
} good[] = {
	{ "", 0 }, { "  \n", 0 }, { "# nothing", 0 }, { "{}", 0 }, { "name = \"n\"", 0 }, { "path \"x\" {}", 1 }, { "path x {}", 1 }, { "path \"\" {}", 1 }, { "path \"x\" {} path \"y\" {}", 2 }, { X("comment = \"a\" comment = \"b\""), 1 },
	{ "{\"path\":{\"x\":{\"capabilities\":[\"read\"]},\"y\":{},}}", 2 }, { "{\"path\":[{\"x\":{}},{\"y\":{}}]}", 2 }, { "path = { x = {} }", 1 }, { "path \"a/{{foo}}\" {} path \"b\" {}", 1 }, { X("pagination_limit = \"5\""), 1 },
	{ X("budget = [\"1/s\", \"2/minute\", \"3/h\", \"4/day\"] budget_per = \"policy\""), 1 }, { X("budget = \"999999999999/hour\" budget_per = \"token\""), 1 }, { X("allowed_parameters { a = [1, \"b\", true] }"), 1 },
};

START_TEST(accepts)
{
	struct bulla_call call = call_begin();
	struct policy *policy;

	ck_assert_msg(policy_new(&call, bulla_str("p"), bulla_str(good[_i].text), (struct bulla_end){ 0 }, &policy) == BULLA_OK, "%s", (const char *)call.detail.ptr);
	ck_assert_uint_eq(policy->count, good[_i].count);
	policy_put(policy);
	call_end(&call);
}
END_TEST

START_TEST(reads_all)
{
	static const char text[] =
		"path \"/a/b*\" {\n capabilities = [\"create\", \"sudo\", \"scan\", \"patch\"]\n policy = \"read\"\n min_wrapping_ttl = 60\n max_wrapping_ttl = \"1h\"\n"
		" expiration = \"2030-01-01T00:00:00Z\"\n required_parameters = [\"A\"]\n max_batch_items = 9\n budget = [\"10/s\", \"20/min\", \"1000/day\"]\n budget_per = \"policy\"\n"
		" required_encryption_context = { t = [\"x\", \"{{token.display_name}}\"] }\n}\n";
	struct bulla_call call = call_begin();
	struct policy *policy;

	ck_assert_ok(policy_new(&call, bulla_str("p"), bulla_str(text), (struct bulla_end){ 77, true }, &policy));
	const struct policy_rule *r = policy->rules;

	ck_assert_int_eq(policy->end.ns, 77);
	ck_assert_int_eq(r->base.kind, BULLA_PATTERN_PREFIX);
	ck_assert(bulla_is(r->base.pattern, "a/b"));
	ck_assert_uint_eq(r->base.can, POLICY_CAN_CREATE | POLICY_CAN_SUDO | POLICY_CAN_SCAN | POLICY_CAN_PATCH | POLICY_CAN_READ | POLICY_CAN_LIST);
	ck_assert(r->base.min_wrap_ttl_s == 60 && r->base.max_wrap_ttl_s == 3600);
	ck_assert_int_eq(r->expires_date_ns, INT64_C(1893456000) * 1000000000);
	ck_assert(r->base.required_count == 1 && bulla_is(r->base.required[0], "a"));
	ck_assert(r->max_batch_items == 9 && r->budget_count == 3 && r->budget_per_policy);
	ck_assert(r->budgets[1].items == 20 && r->budgets[1].window_s == 60 && r->budgets[2].window_s == 86400);
	ck_assert(r->demand_count == 1 && r->demands[0].count == 2 && bulla_is(r->demands[0].key, "t"));
	ck_assert_ptr_eq(r->policy, policy);
	policy_put(policy);
	call_end(&call);
}
END_TEST

/* What docs/POLICIES.md shows is what it says: each block that begins with a path is a policy. */
START_TEST(examples)
{
	FILE *file = fopen(VECTORS "/../../docs/POLICIES.md", "r");
	char line[512], block[4096] = "";
	size_t policies = 0;

	ck_assert_ptr_nonnull(file);
	for (bool more = true; more;) {
		more = fgets(line, sizeof line, file) != NULL;
		if (more && strncmp(line, "    ", 4) == 0) {
			ck_assert_uint_lt(strlen(block) + strlen(line), sizeof block);
			strcat(block, line + 4);
			continue;
		}
		if (strncmp(block, "path ", 5) == 0) {
			struct bulla_call call = call_begin();
			struct policy *policy;

			ck_assert_msg(policy_new(&call, bulla_str("p"), bulla_str(block), (struct bulla_end){ 0 }, &policy) == BULLA_OK, "%s%s", block,
				      (const char *)call.detail.ptr);
			ck_assert_uint_ge(policy->count, 1);
			policy_put(policy);
			call_end(&call);
			policies++;
		}
		block[0] = '\0';
	}
	(void)fclose(file);
	ck_assert_uint_ge(policies, 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy/parse");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, refuses, 0, sizeof bad / sizeof bad[0]);
	tcase_add_loop_test(tc, accepts, 0, sizeof good / sizeof good[0]);
	tcase_add_test(tc, reads_all);
	tcase_add_test(tc, examples);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
