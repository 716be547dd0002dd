/* sys/wrapping/ and X-Vault-Wrap-TTL: a reply that waits goes to one caller, once, and what was not wrapped never goes out. */
#include "pipeline.h"

#define PLAIN(text) "{\"errors\":[\"" text "\"]}"
#define DENIED "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}"
#define INVALID PLAIN("wrapping token is not valid or does not exist")
#define TOKEN_IS(name) "{\"token\":\"$" name "\"}"

static const struct step refusals[] = {
	{ "POST sys/wrapping/unwrap", TOKEN_IS("no"), .status = 400, .expect = INVALID }, { "POST sys/wrapping/unwrap", .status = 400, .expect = INVALID },
	{ "POST sys/wrapping/unwrap", "{\"token\":null}", .status = 400, .expect = INVALID }, { "PUT sys/wrapping/rewrap", "{}", .status = 400, .expect = INVALID },
	{ "POST sys/wrapping/unwrap", .token = "", .status = 403, .expect = PLAIN("error validating wrapping token: token is empty") },
	{ "POST sys/wrapping/lookup", "{}", .token = "", .status = 403, .expect = PLAIN("error validating wrapping token: token is empty") },
	{ "POST sys/wrapping/unwrap", .token = "bad", .status = 400, .expect = INVALID }, { "GET sys/wrapping/unwrap", .status = 400, .expect = INVALID },
	{ "GET sys/wrapping/lookup?token=a&token=b", .status = 403 }, { "DELETE sys/wrapping/lookup", .status = 400, .expect = INVALID },
	{ "POST sys/wrapping/unwrap", "{\"token\":5}", .status = 403, .expect = PLAIN("error validating wrapping token: could not decode token in request body") },
	{ "POST sys/wrapping/unwrap", "{\"token\":\"root\"}", .status = 400, .expect = INVALID },
	{ "POST sys/wrapping/unwrap", "[]", .status = 400 }, { "POST sys/wrapping/unwrap/", "{}", .status = 400 },
	{ "LIST sys/wrapping/unwrap", .status = 404 }, { "GET sys/wrapping/wrap", .wrap_ttl = "60", .status = 405 },
	{ "POST sys/wrapping/wrap", "{\"a\":1}", .status = 400, .expect = PLAIN("endpoint requires response wrapping to be used") },
	{ "POST sys/wrapping/wrap", "{\"a\":1}", .wrap_ttl = "0", .status = 400 }, { "POST sys/wrapping/wrap", "{\"a\":1}", .wrap_ttl = "-5s", .status = 400 },
	{ "POST sys/wrapping/wrap", "{\"a\":1}", .wrap_ttl = "2d12x", .status = 400 }, { "POST sys/wrapping/wrap", "{\"a\":1}", .wrap_ttl = "900000h", .status = 400 },
	{ "POST sys/wrapping/wrap", "{\"a\":1}", .wrap_ttl = "60", .token = "bad", .status = 403 },
	/* nobody fills the store without a token */
	{ "GET sys/internal/ui/mounts", .wrap_ttl = "60", .token = "", .status = 403, .expect = PLAIN("permission denied") },
	{ "GET sys/internal/ui/mounts/transit", .wrap_ttl = "60", .token = "", .status = 403 },
	/* what fails is told as ever */
	{ "GET transit/keys/none", .wrap_ttl = "60", .status = 404, .expect = "{\"errors\":[]}" }, { "GET transit/nothing", .wrap_ttl = "60", .status = 404 },
	{ "POST transit/decrypt/none", "{\"ciphertext\":\"vault:v1:AAAA\"}", .wrap_ttl = "60", .status = 400, .expect = PLAIN("encryption key not found") },
	{ NULL },
};

#define WRAPPED "{\"request_id\":\"\",\"data\":null,\"warnings\":null,\"auth\":null,\"wrap_info\":{\"ttl\":60,\"creation_time\":\"%any\""

static const struct step life[] = {
	{ "POST transit/keys/k", .status = 200 },
	/* by the token itself, over what looked at it before */
	{ "GET transit/keys/k", .wrap_ttl = "60", .status = 200, .expect = WRAPPED ",\"creation_path\":\"transit/keys/k\"}}", .save = "w=wrap_info.token", .absent = "wrap_info.wrapped_accessor" },
	{ "GET sys/wrapping/lookup", .token = "$w", .status = 200, .expect = "{\"data\":{\"creation_path\":\"transit/keys/k\",\"creation_ttl\":60,\"creation_time\":\"%any\"},\"wrap_info\":null}" },
	{ "POST sys/wrapping/lookup", TOKEN_IS("w"), .token = "", .status = 200 }, { "PUT sys/wrapping/lookup", TOKEN_IS("w"), .token = "bad", .status = 200 },
	{ "POST sys/wrapping/lookup", TOKEN_IS("w"), .wrap_ttl = "60", .token = "", .status = 403, .expect = PLAIN("permission denied") },
	{ "POST sys/wrapping/lookup", TOKEN_IS("w"), .wrap_ttl = "60", .token = "bad", .status = 403, .expect = PLAIN("permission denied") },
	{ "GET sys/wrapping/lookup", .wrap_ttl = "60", .token = "$w", .status = 403, .expect = PLAIN("permission denied") },
	{ "POST sys/wrapping/lookup", TOKEN_IS("w"), .wrap_ttl = "60", .status = 200, .expect = WRAPPED ",\"creation_path\":\"sys/wrapping/lookup\"}}" },
	{ "DELETE sys/wrapping/lookup?token=$w", .status = 405, .expect = PLAIN("unsupported operation") },
	{ "POST sys/wrapping/unwrap", TOKEN_IS("w"), .token = "", .status = 403, .expect = PLAIN("permission denied") },
	{ "POST sys/wrapping/unwrap", TOKEN_IS("w"), .token = "bad", .status = 403, .expect = PLAIN("permission denied") },
	{ "PUT sys/wrapping/unwrap", .token = "$w", .status = 200, .expect = "{\"data\":{\"name\":\"k\",\"latest_version\":1},\"wrap_info\":null,\"request_id\":\"%any\"}" },
	{ "PUT sys/wrapping/unwrap", .token = "$w", .status = 400, .expect = INVALID }, { "POST sys/wrapping/lookup", TOKEN_IS("w"), .status = 400, .expect = INVALID },
	/* by somebody else's, if that may */
	{ "POST auth/token/create", "{\"policies\":[\"default\"]}", .status = 200, .save = "default=auth.client_token" },
	{ "POST auth/token/create", "{\"policies\":[\"none\"],\"no_default_policy\":true}", .status = 200, .save = "none=auth.client_token" },
	{ "POST sys/wrapping/wrap", "{\"z\":1.50,\"a\":{\"b\":[null]}}", .token = "$none", .wrap_ttl = "60", .status = 403, .expect = DENIED },
	{ "POST sys/wrapping/wrap", "{\"z\":1.50,\"a\":{\"b\":[null]}}", .token = "$default", .wrap_ttl = "60", .status = 200, .expect = WRAPPED ",\"creation_path\":\"sys/wrapping/wrap\"}}", .save = "w=wrap_info.token" },
	{ "POST sys/wrapping/unwrap", TOKEN_IS("w"), .token = "$none", .status = 403, .expect = DENIED },
	{ "POST sys/wrapping/rewrap", TOKEN_IS("w"), .token = "$default", .status = 403, .expect = DENIED },
	{ "POST sys/wrapping/unwrap", TOKEN_IS("w"), .token = "$default", .status = 200, .expect = "{\"data\":{\"z\":1.50,\"a\":{\"b\":[null]}},\"warnings\":null}" },
	{ "POST sys/wrapping/unwrap", TOKEN_IS("w"), .token = "$default", .status = 400, .expect = INVALID },
	{ "POST sys/wrapping/wrap", .wrap_ttl = "1m", .status = 200, .save = "w=wrap_info.token" },
	{ "POST sys/wrapping/unwrap", TOKEN_IS("w"), .token = "$w", .status = 200, .expect = "{\"data\":{}}" },
	/* a wrapping token is of no other use */
	{ "POST sys/wrapping/wrap", "{}", .wrap_ttl = "60", .status = 200, .save = "w=wrap_info.token" },
	{ "GET transit/keys/k", .token = "$w", .status = 403, .expect = DENIED }, { "POST sys/wrapping/unwrap", .token = "$w", .status = 400, .expect = INVALID },
	{ "POST sys/wrapping/wrap", "{}", .wrap_ttl = "60", .status = 200, .save = "w=wrap_info.token" },
	{ "GET sys/wrapping/unwrap", .token = "$w", .status = 403, .expect = DENIED }, { "POST sys/wrapping/unwrap", .token = "$w", .status = 400, .expect = INVALID },
	{ "POST sys/wrapping/wrap", "{}", .wrap_ttl = "60", .status = 200, .save = "w=wrap_info.token" },
	{ "POST auth/token/lookup", TOKEN_IS("w"), .status = 200, .expect = "{\"data\":{\"policies\":[\"response-wrapping\"],\"num_uses\":1,\"path\":\"sys/wrapping/wrap\",\"explicit_max_ttl\":60,\"orphan\":true}}" },
	{ "POST auth/token/renew", TOKEN_IS("w"), .status = 400 }, { "POST auth/token/revoke", TOKEN_IS("w"), .status = 204 },
	{ "POST sys/wrapping/unwrap", .token = "$w", .status = 400, .expect = INVALID },
	{ NULL },
};

static const struct step kinds[] = {
	/* a token in it is named by its accessor */
	{ "POST auth/token/create", "{\"ttl\":\"1h\"}", .wrap_ttl = "60", .status = 200, .expect = WRAPPED ",\"wrapped_accessor\":\"%any\",\"creation_path\":\"auth/token/create\"}}", .save = "w=wrap_info.token" },
	{ "POST sys/wrapping/unwrap", .token = "$w", .status = 200, .expect = "{\"data\":null,\"auth\":{\"lease_duration\":3600}}", .save = "t=auth.client_token" },
	{ "GET auth/token/lookup-self", .token = "$t", .status = 200 },
	/* what sys/ repeats at the top stands there once */
	{ "GET sys/key-status", .wrap_ttl = "60", .status = 200, .save = "w=wrap_info.token", .absent = "term" },
	{ "POST sys/wrapping/unwrap", .token = "$w", .status = 200, .expect = "{\"data\":{\"term\":1}}", .absent = "term" },
	/* a batch with a failure keeps its status; warnings go inside */
	{ "POST transit/encrypt/b", "{\"odd\":1,\"batch_input\":[{\"plaintext\":\"aGVsbG8=\"},{\"plaintext\":\"!\"}]}", .wrap_ttl = "60", .status = 200, .expect = WRAPPED "}}", .save = "w=wrap_info.token" },
	{ "POST sys/wrapping/unwrap", .token = "$w", .status = 400, .expect = "{\"data\":{\"batch_results\":[{\"ciphertext\":\"%any\"},{\"error\":\"illegal base64 data at input byte 0\"}]}}" },
	{ "POST transit/encrypt/b", "{\"plaintext\":\"aGVsbG8=\",\"odd\":1}", .wrap_ttl = "60", .status = 200, .expect = WRAPPED "}}", .save = "w=wrap_info.token" },
	{ "POST sys/wrapping/unwrap", .token = "$w", .status = 200, .expect = "{\"warnings\":[\"Endpoint ignored these unrecognized parameters: [odd]\"]}" },
	{ "LIST transit/keys", .wrap_ttl = "60", .status = 200, .expect = WRAPPED ",\"creation_path\":\"transit/keys/\"}}" },
	{ "GET transit/keys?list=true", .wrap_ttl = "60s", .status = 200, .expect = WRAPPED "}}", .save = "w=wrap_info.token" },
	{ "POST sys/wrapping/unwrap", .token = "$w", .status = 200, .expect = "{\"data\":{\"keys\":[\"b\"]}}" },
	/* nothing, and what is open to anyone, is not wrapped */
	{ "DELETE sys/mounts/nosuch", .wrap_ttl = "60", .status = 204, .expect = "" }, { "GET sys/health", .wrap_ttl = "60", .status = 200, .absent = "wrap_info" },
	{ "GET sys/init", .wrap_ttl = "60", .status = 200, .expect = "{\"initialized\":true}" },
	/* less than a second is not nothing */
	{ "GET sys/key-status", .wrap_ttl = "0.5s", .status = 200, .expect = "{\"data\":null,\"wrap_info\":{\"ttl\":1}}" },
	{ "GET sys/key-status", .wrap_ttl = "0h", .status = 200, .expect = "{\"data\":{\"term\":1},\"wrap_info\":null}" },
	/* rewrap: the path and the ttl stay, the old token goes */
	{ "GET transit/keys/b", .wrap_ttl = "60", .status = 200, .save = "w=wrap_info.token" },
	{ "POST sys/wrapping/rewrap", TOKEN_IS("w"), .wrap_ttl = "99", .status = 200, .expect = WRAPPED ",\"creation_path\":\"transit/keys/b\"}}", .save = "w2=wrap_info.token" },
	{ "POST sys/wrapping/unwrap", TOKEN_IS("w"), .status = 400, .expect = INVALID },
	{ "POST sys/wrapping/unwrap", TOKEN_IS("w2"), .wrap_ttl = "60", .status = 200, .expect = WRAPPED ",\"creation_path\":\"sys/wrapping/unwrap\"}}", .save = "w3=wrap_info.token" },
	{ "POST sys/wrapping/rewrap", .token = "$w3", .status = 403, .expect = DENIED }, { "POST sys/wrapping/unwrap", .token = "$w3", .status = 400 },
	/* it ends */
	{ "GET transit/keys/b", .wrap_ttl = "60", .status = 200, .save = "w=wrap_info.token" },
	{ "POST sys/wrapping/unwrap", .token = "$w", .before = pipeline_minute_later, .status = 400, .expect = INVALID },
	{ NULL },
};

START_TEST(cases)
{
	static const struct step *const lists[] = { refusals, life, kinds };

	pipeline_begin();
	pipeline_run(lists[_i]);
	ck_assert_str_eq(pipeline_log, "");
	pipeline_end();
}
END_TEST

Suite *wrapping_suite(void)
{
	Suite *suite = suite_create("pipeline/wrapping");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, cases, 0, 3);
	suite_add_tcase(suite, tc);
	return suite;
}
