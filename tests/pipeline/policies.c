/* sys/policies/acl, sys/policy, sys/internal/ui/resultant-acl, and what policies mean for requests: whole ones, and each item of
 * a batch. */
#include "pipeline.h"

#define PLAIN(text) "{\"errors\":[\"" text "\"]}"
#define DENIED "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}"
#define POLICY(text) "{\"policy\":\"" text "\"}"
#define FAILS(text, why) { "POST sys/policies/acl/p", POLICY(text), .status = 400, .expect = PLAIN("failed to parse policy: " why) }
#define TOKEN(name, policies) { "POST auth/token/create", "{\"policies\":[" policies "]}", .status = 200, .save = name "=auth.client_token" }
#define MERGE "application/merge-patch+json"

static const struct step refusals[] = {
	FAILS("path \\\"x\\\"", "At 1:9: { is missing after x"), FAILS("{", "At 1:2: } is missing for "),
	FAILS("foo \\\"x\\\" {}", "At 1:1: invalid key \\\"foo\\\""), FAILS("path = 1", "At 1:1: path must be a block"),
	FAILS("path \\\"x\\\" {\\n  capabilities = \\\"read\\\" }", "At 2:3: path \\\"x\\\": capabilities must be a list of strings"),
	FAILS("path \\\"x\\\" { capabilitis = [] }", "At 1:12: path \\\"x\\\": invalid key \\\"capabilitis\\\""),
	FAILS("path \\\"x\\\" { policy = \\\"reed\\\" }", "At 1:12: path \\\"x\\\": invalid policy \\\"reed\\\""),
	FAILS("path \\\"a+*\\\" {}", "At 1:1: path \\\"a+*\\\": invalid use of wildcards ('+*' is forbidden)"),
	FAILS("path \\\"a/{{x\\\" {}", "At 1:1: path \\\"a/{{x\\\": failed to validate policy templating: unbalanced templating characters"),
	FAILS("path \\\"x\\\" { min_wrapping_ttl = \\\"2h\\\" max_wrapping_ttl = \\\"1h\\\" }",
	      "At 1:1: path \\\"x\\\": max_wrapping_ttl cannot be less than min_wrapping_ttl"),
	FAILS("path \\\"x\\\" { mfa_methods = [\\\"totp\\\"] }", "At 1:12: path \\\"x\\\": mfa_methods is not supported"),
	FAILS("path \\\"x\\\" { budget = \\\"10/week\\\" }", "At 1:12: path \\\"x\\\": a budget is as in \\\"10/s\\\", \\\"600/min\\\", \\\"5000/hour\\\", \\\"1000/day\\\""),
	FAILS("path \\\"x\\\" { required_encryption_context = { t = \\\"{{token.name}}\\\" } }",
	      "At 1:44: path \\\"x\\\": \\\"t\\\": templates are {{token.display_name}} and {{token.meta.KEY}}"),
	{ "POST sys/policies/acl/p", "{}", .status = 400, .expect = PLAIN("'policy' parameter not supplied or empty") },
	{ "POST sys/policies/acl/root", POLICY("#"), .status = 400, .expect = PLAIN("cannot update \\\"root\\\" policy") },
	{ "DELETE sys/policy/default", .status = 400, .expect = PLAIN("cannot delete default policy") },
	{ "POST sys/policies/acl/p", "{\"policy\":\"#\",\"ttl\":\"1h\",\"expiration\":\"2030-01-01T00:00:00Z\"}", .status = 400,
	  .expect = PLAIN("cannot supply both 'expiration' and 'ttl' for policies") },
	{ "POST sys/policies/acl/p", "{\"policy\":\"#\",\"expiration\":\"2020-01-01T00:00:00Z\"}", .status = 400,
	  .expect = PLAIN("refusing to update policy as expiration time has already elapsed") },
	{ "POST sys/policies/acl/p", "{\"policy\":\"#\",\"expiration\":\"soon\"}", .status = 400 },
	{ "POST sys/policies/acl/p", "{\"policy\":\"#\",\"cas\":3}", .status = 400,
	  .expect = PLAIN("check-and-set parameter 3 did not match the current version 0") },
	{ "PATCH sys/policies/acl/p", "{\"ttl\":\"1h\"}", .content_type = MERGE, .status = 400, .expect = PLAIN("policy not found") },
	{ "GET sys/policies/acl/p", .status = 404, .expect = "{\"errors\":[]}" }, { "GET sys/policies/acl", .status = 405 },
	{ "LIST sys/policies/acl/none", .status = 404 }, { "LIST sys/policies", .status = 404 },
	{ "GET sys/policies/acl/default", .token = "", .status = 403 }, { "LIST sys/policy", .token = "bad", .status = 403 },
	{ NULL },
};

#define READ_X "path \\\"x\\\" { capabilities = [\\\"read\\\"] }"

static const struct step crud[] = {
	{ "POST sys/policies/acl/P", "{\"policy\":\"" READ_X "\",\"ttl\":\"1h\",\"cas\":-1}", .status = 204, .expect = "" },
	{ "GET sys/policies/acl/p", .status = 200, .expect = "{\"data\":{\"name\":\"p\",\"policy\":\"" READ_X "\",\"version\":1,\"modified\":\"%any\",\"expiration\":\"%any\",\"cas_required\":false,\"allow_slashes_in_identity_templates\":false,\"allow_wildcards_in_identity_templates\":false}}" },
	{ "PATCH sys/policies/acl/p", "{\"cas_required\":true}", .content_type = MERGE, .status = 200, .expect = "{\"data\":null}" },
	{ "POST sys/policies/acl/p", POLICY("#"), .status = 400, .expect = PLAIN("check-and-set parameter required for this call") },
	{ "PUT sys/policies/acl/p", "{\"policy\":\"Iw==\",\"cas\":2,\"expiration\":\"2100-01-01T00:00:00Z\"}", .status = 204 },
	{ "GET sys/policies/acl/p", .status = 200, .expect = "{\"data\":{\"policy\":\"#\",\"version\":3,\"expiration\":\"2100-01-01T00:00:00Z\",\"cas_required\":false}}" },
	{ "POST sys/policy/p/q", "{\"rules\":\"" READ_X "\"}", .status = 200, .expect = "{\"warnings\":[\"'rules' is deprecated, please use 'policy' instead\"]}" },
	{ "GET sys/policy/p/q", .status = 200, .expect = "{\"rules\":\"" READ_X "\",\"data\":{\"rules\":\"" READ_X "\",\"name\":\"p/q\"}}", .absent = "data.policy" },
	{ "LIST sys/policies/acl", .status = 200, .expect = "{\"data\":{\"keys\":[\"default\",\"p\",\"p/q\",\"root\"]}}", .absent = "keys" },
	{ "LIST sys/policies/acl/p", .status = 200, .expect = "{\"data\":{\"keys\":[\"p/q\"]}}" },
	{ "LIST sys/policy/p", .status = 200, .expect = "{\"data\":{\"policies\":[\"p/q\"]}}" },
	{ "GET sys/policy", .status = 200, .expect = "{\"policies\":[\"default\",\"p\",\"p/q\",\"root\"],\"data\":{\"keys\":[\"default\",\"p\",\"p/q\",\"root\"]}}" },
	{ "LIST sys/policy", .status = 200 },
	{ "LIST sys/policies/detailed/acl", .status = 200, .expect = "{\"data\":{\"keys\":[\"default\",\"p\",\"p/q\",\"root\"],\"key_info\":{\"p\":{\"policy\":\"#\"},\"root\":{\"version\":0}}}}" },
	{ "LIST sys/policies/detailed/acl/p", .status = 200, .expect = "{\"data\":{\"keys\":[\"p/q\"],\"key_info\":{\"p/q\":{\"name\":\"p/q\"}}}}" },
	{ "LIST sys/policies/detailed/acl/none", .status = 404 },
	{ "GET sys/policies/acl/response-wrapping", .status = 200 }, { "GET sys/policies/acl/root", .status = 200, .absent = "data.modified" },
	{ "DELETE sys/policies/acl/p", .status = 204 }, { "DELETE sys/policy/p/q", .status = 204 }, { "GET sys/policies/acl/p", .status = 404 },
	{ NULL },
};

static const struct step acl[] = {
	{ "GET sys/internal/ui/resultant-acl", .status = 200, .expect = "{\"data\":{\"root\":true}}" },
	{ "POST sys/policies/acl/p", POLICY("path \\\"a/*\\\" { capabilities = [\\\"update\\\", \\\"create\\\"] min_wrapping_ttl = 10 max_wrapping_ttl = \\\"1m\\\" required_parameters = [\\\"A\\\"] "
	  "allowed_parameters = { \\\"B\\\" = [true, 2, \\\"c\\\"] } denied_parameters = { d = [] } } path \\\"b\\\" { policy = \\\"deny\\\" } path \\\"c/+\\\" { policy = \\\"read\\\" }"), .status = 204 },
	TOKEN("t", "\"p\""),
	{ "GET sys/internal/ui/resultant-acl", .token = "$t", .status = 200, .expect = "{\"data\":{\"root\":false,\"exact_paths\":{\"b\":{\"capabilities\":[\"deny\"]},"
	  "\"auth/token/lookup-self\":{\"capabilities\":[\"read\"]}},\"glob_paths\":{\"a/\":{\"capabilities\":[\"create\",\"update\"],\"min_wrapping_ttl\":10,\"max_wrapping_ttl\":60,"
	  "\"required_parameters\":[\"a\"],\"allowed_parameters\":{\"b\":[true,2,\"c\"]},\"denied_parameters\":{\"d\":[]}}}}}" },
	{ "POST sys/capabilities", "{\"token\":\"$t\",\"paths\":[\"c/x\",\"b\"]}", .status = 200, .expect = "{\"data\":{\"c/x\":[\"list\",\"read\"],\"b\":[\"deny\"]}}" },
	/* lists: a page at a time */
	{ "POST transit/keys/k1", .status = 200 }, { "POST transit/keys/k2", .status = 200 }, { "POST transit/keys/k3", .status = 200 },
	{ "POST sys/policies/acl/p", POLICY("path \\\"transit/keys\\\" { capabilities = [\\\"list\\\"] pagination_limit = 2 }"), .status = 204 },
	{ "LIST transit/keys", .token = "$t", .status = 200, .expect = "{\"data\":{\"keys\":[\"k1\",\"k2\"]},\"warnings\":null}" },
	{ "LIST transit/keys?limit=max&after=k2", .token = "$t", .status = 200, .expect = "{\"data\":{\"keys\":[\"k3\"]}}" },
	{ "LIST transit/keys?limit=1", .token = "$t", .status = 200, .expect = "{\"data\":{\"keys\":[\"k1\"]}}" },
	{ "LIST transit/keys?limit=3", .token = "$t", .status = 403, .expect = DENIED }, { "LIST transit/keys?limit=-1", .token = "$t", .status = 403 },
	{ "LIST transit/keys?limit=x", .token = "$t", .status = 403 }, { "GET transit/keys?list=true&limit=0", .token = "$t", .status = 200, .expect = "{\"data\":{\"keys\":[\"k1\",\"k2\"]}}" },
	{ "POST sys/policies/acl/p", POLICY("path \\\"transit/keys/\\\" { capabilities = [\\\"list\\\"] }"), .status = 204 },
	{ "LIST transit/keys?limit=max", .token = "$t", .status = 200, .expect = "{\"data\":{\"keys\":[\"k1\",\"k2\",\"k3\"]}}" },
	{ NULL },
};

/* ---- contexts and batches ------------------------------------------------------------------------------------------------ */

#define CTX(tenant, purpose) "\"encryption_context\":{\"tenant\":\"" tenant "\",\"purpose\":\"" purpose "\"}"
#define ITEM(context) "{\"plaintext\":\"aGk=\"," context "}"
#define GOOD CTX("acme", "pan")
#define GOOD_AS_OLD "encryption_context\":{\"tenant\":\"acme\",\"purpose\":\"pan\"}"
#define DEMANDS " required_encryption_context = { tenant = \\\"{{token.meta.tenant}}\\\" purpose = [\\\"pan\\\", \\\"cvv\\\"] }"
#define ON_KEY(verb, caps, more) "path \\\"transit/" verb "/k\\\" { capabilities = [" caps "]" more " }\\n"
#define UPDATE "\\\"update\\\""
#define NO_ITEM "{\"error\":\"permission denied\",\"reference\":\"%any\"}"

static const struct step contexts[] = {
	{ "POST transit/keys/k", .status = 200 }, { "POST transit/keys/r", "{\"type\":\"rsa-2048\"}", .status = 200 },
	{ "POST sys/policies/acl/p", POLICY(ON_KEY("encrypt", UPDATE, DEMANDS) ON_KEY("decrypt", UPDATE, DEMANDS) ON_KEY("rewrap", UPDATE, DEMANDS)
	  "path \\\"transit/datakey/+/k\\\" { capabilities = [\\\"update\\\"]" DEMANDS " }\\npath \\\"transit/keys/k/rotate\\\" { capabilities = [\\\"update\\\"]" DEMANDS " }"
	  "path \\\"transit/+/r\\\" { capabilities = [\\\"update\\\"]" DEMANDS " }"), .status = 204 },
	{ "POST auth/token/create", "{\"policies\":[\"p\"],\"meta\":{\"tenant\":\"acme\"}}", .status = 200, .save = "t=auth.client_token" },
	TOKEN("nobody", "\"p\""),
	/* one */
	{ "POST transit/encrypt/k", ITEM(GOOD), .token = "$t", .status = 200, .save = "ct=data.ciphertext" },
	{ "POST transit/encrypt/k", ITEM(CTX("acme", "cvv")), .token = "$t", .status = 200, .save = "cvv=data.ciphertext" },
	{ "POST transit/encrypt/k", "{\"plaintext\":\"aGk=\"}", .token = "$t", .status = 403, .expect = DENIED },
	{ "POST transit/encrypt/k", ITEM("\"encryption_context\":{\"tenant\":\"acme\"}"), .token = "$t", .status = 403, .expect = DENIED },
	{ "POST transit/encrypt/k", ITEM(CTX("acme", "name")), .token = "$t", .status = 403 }, { "POST transit/encrypt/k", ITEM(CTX("acmes", "pan")), .token = "$t", .status = 403 },
	{ "POST transit/encrypt/k", ITEM(CTX("", "pan")), .token = "$nobody", .status = 403 }, { "POST transit/encrypt/k", ITEM(GOOD), .token = "$nobody", .status = 403 },
	{ "POST transit/encrypt/k", ITEM(CTX("{{token.meta.tenant}}", "pan")), .token = "$nobody", .status = 403 },
	{ "POST transit/decrypt/k", "{\"ciphertext\":\"$ct\"," GOOD "}", .token = "$t", .status = 200, .expect = "{\"data\":{\"plaintext\":\"aGk=\"}}" },
	{ "POST transit/decrypt/k", "{\"ciphertext\":\"$ct\"}", .token = "$t", .status = 403, .expect = DENIED },
	{ "POST transit/datakey/plaintext/k", "{" GOOD "}", .token = "$t", .status = 200 }, { "POST transit/datakey/wrapped/k", "{}", .token = "$t", .status = 403, .expect = DENIED },
	{ "POST transit/keys/k/rotate", "{}", .token = "$t", .status = 403, .expect = DENIED }, /* has no context to show */
	{ "POST transit/encrypt/r", "{\"plaintext\":\"aGk=\"}", .token = "$t", .status = 403 }, { "POST transit/decrypt/r", "{\"ciphertext\":\"vault:v1:AAAA\"}", .token = "$t", .status = 403 },
	/* every item of a batch; the top level's context counts for none of them */
	{ "POST transit/encrypt/k", "{" GOOD ",\"batch_input\":[" ITEM(GOOD) "," "{\"plaintext\":\"aGk=\",\"reference\":\"x\"}" "," ITEM(CTX("other", "pan")) "]}", .token = "$t", .status = 400,
	  .expect = "{\"data\":{\"batch_results\":[{\"ciphertext\":\"%any\"}," "{\"error\":\"permission denied\",\"reference\":\"x\"}" "," NO_ITEM "]}}", .absent = "data.batch_results.1.ciphertext" },
	{ "POST transit/decrypt/k", "{" GOOD ",\"batch_input\":[{\"ciphertext\":\"$ct\"}]}", .token = "$t", .status = 400,
	  .expect = "{\"data\":{\"batch_results\":[{\"error\":\"permission denied\",\"plaintext\":\"\"}]}}" },
	{ "POST transit/rewrap/k", "{" GOOD ",\"batch_input\":[{\"ciphertext\":\"$ct\"}]}", .token = "$t", .status = 200,
	  .expect = "{\"data\":{\"batch_results\":[" NO_ITEM "]}}" },
	/* when all items are let through, it is in the wrong place */
	{ "POST transit/encrypt/k", "{" GOOD ",\"batch_input\":[" ITEM(GOOD) "]}", .token = "$t", .status = 400,
	  .expect = "{\"errors\":[\"encryption_context belongs into the items of batch_input\"]}" },
	{ "POST transit/decrypt/k", "{\"batch_input\":[{\"ciphertext\":\"$ct\"},{\"ciphertext\":\"$ct\"," GOOD "}],\"partial_failure_response_code\":207}", .token = "$t", .status = 207,
	  .expect = "{\"data\":{\"batch_results\":[{\"error\":\"permission denied\",\"plaintext\":\"\"},{\"plaintext\":\"aGk=\"}]}}" },
	/* rewrap: the old and the new, and what is demanded stays as it is: both may be named, but not made of one another */
	{ "POST transit/rewrap/k", "{\"ciphertext\":\"$ct\"," CTX("acme", "cvv") ",\"decrypt_" GOOD_AS_OLD "}", .token = "$t", .status = 403, .expect = DENIED },
	{ "POST transit/rewrap/k", "{\"batch_input\":[{\"ciphertext\":\"$ct\"," CTX("acme", "cvv") ",\"decrypt_" GOOD_AS_OLD "}]}", .token = "$t", .status = 200,
	  .expect = "{\"data\":{\"batch_results\":[" NO_ITEM "]}}", .absent = "data.batch_results.0.ciphertext" },
	{ "POST transit/rewrap/k", "{\"ciphertext\":\"$ct\",\"encryption_context\":{\"tenant\":\"acme\",\"purpose\":\"pan\",\"note\":\"x\"},\"decrypt_" GOOD_AS_OLD "}", .token = "$t", .status = 200 },
	{ "POST transit/rewrap/k", "{\"ciphertext\":\"$ct\"," GOOD ",\"decrypt_" "encryption_context\":{\"tenant\":\"acme\",\"purpose\":\"pan\"}}", .token = "$t", .status = 200 },
	{ "POST transit/rewrap/k", "{\"ciphertext\":\"$ct\",\"encryption_context\":{\"tenant\":\"other\",\"purpose\":\"pan\"},\"decrypt_encryption_context\":{\"tenant\":\"acme\",\"purpose\":\"pan\"}}", .token = "$t", .status = 403 },
	{ "POST transit/rewrap/k", "{\"ciphertext\":\"$ct\"," GOOD ",\"decrypt_encryption_context\":{\"tenant\":\"other\",\"purpose\":\"pan\"}}", .token = "$t", .status = 403, .expect = DENIED },
	/* another policy without a demand does not lift it; one with another demand is an alternative */
	{ "POST sys/policies/acl/q", POLICY(ON_KEY("encrypt", UPDATE, "")), .status = 204 },
	{ "POST auth/token/create", "{\"policies\":[\"p\",\"q\"],\"meta\":{\"tenant\":\"acme\"}}", .status = 200, .save = "both=auth.client_token" },
	{ "POST transit/encrypt/k", "{\"plaintext\":\"aGk=\"}", .token = "$both", .status = 403 }, { "POST transit/encrypt/k", ITEM(GOOD), .token = "$both", .status = 200 },
	{ "POST sys/policies/acl/q", POLICY(ON_KEY("encrypt", UPDATE, " required_encryption_context = { purpose = \\\"*\\\" }")), .status = 204 },
	{ "POST transit/encrypt/k", ITEM(CTX("x", "any")), .token = "$both", .status = 200 }, { "POST transit/encrypt/k", ITEM(CTX("x", "")), .token = "$both", .status = 403 },
	{ NULL },
};

/* Encrypt makes keys, for whoever may create, with all conditions on that. */
static const struct step upserts[] = {
	{ "POST sys/policies/acl/p", POLICY("path \\\"transit/encrypt/+\\\" { capabilities = [\\\"create\\\"] required_encryption_context = { tenant = \\\"acme\\\" } max_batch_items = 2 denied_parameters = { type = [] } }"), .status = 204 },
	TOKEN("t", "\"p\""),
	{ "POST transit/encrypt/new", "{\"plaintext\":\"aGk=\"}", .token = "$t", .status = 403, .expect = DENIED },
	{ "POST transit/encrypt/new", "{\"batch_input\":[{\"plaintext\":\"aGk=\"}]}", .token = "$t", .status = 400, .expect = "{\"data\":{\"batch_results\":[" NO_ITEM "]}}" },
	{ "GET transit/keys/new", .status = 404 }, /* no key was made for them */
	{ "POST transit/encrypt/new", "{\"plaintext\":\"aGk=\",\"encryption_context\":{\"tenant\":\"acme\"},\"type\":\"aes128-gcm96\"}", .token = "$t", .status = 403 },
	{ "GET transit/keys/new", .status = 404 },
	{ "POST transit/encrypt/new", "{\"plaintext\":\"aGk=\",\"encryption_context\":{\"tenant\":\"acme\"}}", .token = "$t", .status = 200 },
	{ "POST transit/encrypt/new", "{\"plaintext\":\"aGk=\",\"encryption_context\":{\"tenant\":\"acme\"}}", .token = "$t", .status = 403 }, /* it exists now: update */
	{ NULL },
};

#define INPUTS "{\"batch_input\":[{\"input\":\"aGk=\"},{\"input\":\"aGk=\"},{\"input\":\"aGk=\"}]}"
#define THIRD "{\"data\":{\"batch_results\":[{},{},{\"error\":\"permission denied\"}]}}"

static const struct step batches[] = {
	{ "POST transit/keys/k", .status = 200 }, { "POST transit/keys/e", "{\"type\":\"ed25519\"}", .status = 200 },
	{ "POST sys/policies/acl/p", POLICY("path \\\"transit/*\\\" { capabilities = [\\\"update\\\"] max_batch_items = 2 }"), .status = 204 },
	TOKEN("t", "\"p\""),
	{ "POST transit/encrypt/k", "{\"batch_input\":[{\"plaintext\":\"aGk=\"},{\"plaintext\":\"aGk=\"},{\"plaintext\":\"aGk=\"}]}", .token = "$t", .status = 400,
	  .expect = "{\"data\":{\"batch_results\":[{\"ciphertext\":\"%any\"},{\"ciphertext\":\"%any\"}," NO_ITEM "]}}", .save = "ct=data.batch_results.0.ciphertext" },
	{ "POST transit/encrypt/k", "{\"batch_input\":[{\"plaintext\":\"aGk=\"},{\"plaintext\":\"aGk=\"}]}", .token = "$t", .status = 200 },
	{ "POST transit/encrypt/k", "{\"plaintext\":\"aGk=\"}", .token = "$t", .status = 200, .save = "ct=data.ciphertext" },
	{ "POST transit/decrypt/k", "{\"batch_input\":[{\"ciphertext\":\"$ct\"},{\"ciphertext\":\"$ct\"},{\"ciphertext\":\"$ct\"}]}", .token = "$t", .status = 400,
	  .expect = "{\"data\":{\"batch_results\":[{\"plaintext\":\"aGk=\"},{\"plaintext\":\"aGk=\"},{\"error\":\"permission denied\",\"plaintext\":\"\"}]}}" },
	{ "POST transit/rewrap/k", "{\"batch_input\":[{\"ciphertext\":\"$ct\"},{\"ciphertext\":\"$ct\"},{\"ciphertext\":\"$ct\"}]}", .token = "$t", .status = 200,
	  .expect = "{\"data\":{\"batch_results\":[{\"ciphertext\":\"%any\"},{\"ciphertext\":\"%any\"}," NO_ITEM "]}}" },
	{ "POST transit/sign/e", INPUTS, .token = "$t", .status = 200, .expect = THIRD }, { "POST transit/hmac/k", INPUTS, .token = "$t", .status = 200, .expect = THIRD },
	{ "POST transit/hmac/k", "{\"input\":\"aGk=\"}", .token = "$t", .status = 200, .save = "mac=data.hmac" }, { "POST transit/sign/e", "{\"input\":\"aGk=\"}", .token = "$t", .status = 200, .save = "sig=data.signature" },
	{ "POST transit/verify/k", "{\"batch_input\":[{\"input\":\"aGk=\",\"hmac\":\"$mac\"},{\"input\":\"aGk=\",\"hmac\":\"$mac\"},{\"input\":\"aGk=\",\"hmac\":\"$mac\"}]}", .token = "$t", .status = 200,
	  .expect = "{\"data\":{\"batch_results\":[{\"valid\":true},{\"valid\":true},{\"error\":\"permission denied\"}]}}", .absent = "data.batch_results.2.valid" },
	{ "POST transit/verify/e", "{\"batch_input\":[{\"input\":\"aGk=\",\"signature\":\"$sig\"},{\"input\":\"aGk=\",\"signature\":\"$sig\"},{\"input\":\"aGk=\",\"signature\":\"$sig\"}]}", .token = "$t", .status = 200,
	  .expect = "{\"data\":{\"batch_results\":[{\"valid\":true},{\"valid\":true},{\"error\":\"permission denied\",\"valid\":false}]}}" },
	{ NULL },
};

START_TEST(cases)
{
	static const struct step *const lists[] = { refusals, crud, acl, contexts, upserts, batches };

	pipeline_begin();
	pipeline_run(lists[_i]);
	ck_assert_str_eq(pipeline_log, "");
	pipeline_end();
}
END_TEST

Suite *policies_suite(void)
{
	Suite *suite = suite_create("pipeline/policies");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, cases, 0, 6);
	suite_add_tcase(suite, tc);
	return suite;
}
