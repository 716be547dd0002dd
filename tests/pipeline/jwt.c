/* auth/jwt: what its settings and roles refuse and keep, and who may log in. Where keys come over the network: tests/e2e/test_jwt.py. */
#include "pipeline.h"

#define PLAIN(text) "{\"errors\":[\"" text "\"]}"
/* A public key, and a token that it verifies: iss ci, sub alice, aud bulla, env prod, from 2026 to 2191. */
#define KEY "-----BEGIN PUBLIC KEY-----\\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYUC2sTz9nb4Em1uZe0qOF+zxN81l\\nhCn/9QpRW59BIkthtKBJVZtKUALmLBaXS5X7GtjPEadE9OqeyEm18bULaQ==\\n-----END PUBLIC KEY-----"
#define TOKEN "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJjaSIsInN1YiI6ImFsaWNlIiwiYXVkIjoiYnVsbGEiLCJpYXQiOjE3OTUwMDAwMDAsImV4cCI6NzAwM" \
	"DAwMDAwMCwiZW52IjoicHJvZCJ9.wEHYfp8hRvnPgmWiXxSE9fR3-ZUkU0VbxBhAMyIfrwQjecrzmtAFEhpsgD7kC7PJoGrJtEdmyIvXRYzZwp" \
	"sPnQ"

#define LOGIN(role, token) "{\"role\":\"" role "\",\"jwt\":\"" token "\"}"
#define ROLE_WITH(more) "{\"role_type\":\"jwt\",\"user_claim\":\"sub\"," more "}"

static const struct step refusals[] = {
	{ "POST sys/auth/jwt", "{\"type\":\"jwt\"}", .status = 204 },
	{ "GET auth/jwt/config", .status = 404 }, { "GET auth/jwt/config", .token = "", .status = 403 }, { "LIST auth/jwt/role", .status = 404 },
	{ "POST auth/jwt/config", "{}", .token = "", .status = 403 }, { "GET auth/jwt/role/app", .token = "", .status = 403 },
	{ "POST auth/jwt/login", LOGIN("app", "x"), .token = "", .status = 400, .expect = PLAIN("could not load configuration") },
	{ "POST auth/jwt/config", "{}", .status = 400 }, { "POST auth/jwt/config", "{\"jwt_validation_pubkeys\":5}", .status = 400 },
	{ "POST auth/jwt/config", "{\"jwt_validation_pubkeys\":[\"x\"]}", .status = 400, .expect = PLAIN("error parsing public key: data does not contain any valid public keys") },
	{ "POST auth/jwt/config", "{\"jwt_validation_pubkeys\":[\"" KEY "\"],\"jwks_url\":\"https://a\"}", .status = 400 },
	{ "POST auth/jwt/config", "{\"jwt_validation_pubkeys\":[\"" KEY "\"],\"jwt_supported_algs\":\"HS256\"}", .status = 400,
	  .expect = PLAIN("invalid jwt_supported_algs: unsupported signing algorithm \\\"HS256\\\"") },
	{ "POST auth/jwt/config", "{\"oidc_client_id\":\"a\",\"oidc_client_secret\":\"b\",\"oidc_discovery_url\":\"https://a\"}", .status = 400 },
	{ "POST auth/jwt/config", "{\"jwks_url\":\"https://a\"}", .status = 400, .expect = PLAIN("error checking jwks URL") },
	{ "POST auth/jwt/role/app", "{\"user_claim\":\"sub\"}", .status = 400 }, { "POST auth/jwt/role/app", "{\"role_type\":\"jwt\"}", .status = 400 },
	{ "POST auth/jwt/role/app", "{\"role_type\":\"x\"}", .status = 400, .expect = PLAIN("invalid 'role_type': x") },
	{ "POST auth/jwt/role/app", ROLE_WITH("\"ttl\":\"1h\""), .status = 400, .expect = PLAIN("must have at least one bound constraint when creating/updating a role") },
	{ "POST auth/jwt/role/app", ROLE_WITH("\"bound_claims\":{}"), .status = 400 },
	{ "POST auth/jwt/role/app", ROLE_WITH("\"bound_claims\":[1]"), .status = 400, .expect = PLAIN("bound_claims is no object") },
	{ "POST auth/jwt/role/app", ROLE_WITH("\"bound_claims\":{\"a\":5},\"bound_claims_type\":\"glob\""), .status = 400 },
	{ "POST auth/jwt/role/app", ROLE_WITH("\"bound_subject\":\"a\",\"bound_claims_type\":\"x\""), .status = 400 },
	{ "POST auth/jwt/role/app", ROLE_WITH("\"bound_subject\":\"a\",\"claim_mappings\":{\"a\":\"role\"}"), .status = 400 },
	{ "POST auth/jwt/role/app", ROLE_WITH("\"bound_subject\":\"a\",\"token_bound_cidrs\":\"x\""), .status = 400 },
	{ "POST auth/jwt/role/app", ROLE_WITH("\"bound_subject\":\"a\",\"token_policies_template_claims\":true"), .status = 400 },
	{ "GET auth/jwt/role/app", .status = 404 }, { "GET auth/jwt/config", .status = 404 }, { "GET auth/jwt/login", .status = 405 },
	{ NULL },
};

static const struct step life[] = {
	{ "POST sys/auth/jwt", "{\"type\":\"jwt\"}", .status = 204 },
	{ "POST auth/jwt/config", "{\"jwt_validation_pubkeys\":[\"" KEY "\"],\"bound_issuer\":\"ci\",\"default_role\":\"App\"}", .status = 204 },
	{ "GET auth/jwt/config", .status = 200, .expect = "{\"data\":{\"bound_issuer\":\"ci\",\"default_role\":\"app\",\"jwt_validation_pubkeys\":[\"" KEY "\"],\"status\":\"valid\"}}" },
	{ "POST auth/jwt/login", LOGIN("", TOKEN), .token = "", .status = 400, .expect = PLAIN("role \\\"app\\\" could not be found") },
	{ "POST auth/jwt/role/app", ROLE_WITH("\"bound_audiences\":\"bulla\",\"bound_claims\":{\"env\":[\"test\",\"prod\"]},\"claim_mappings\":{\"env\":\"environment\"},\"ttl\":\"1h\""), .status = 204 },
	{ "GET auth/jwt/role/APP", .status = 200, .expect = "{\"data\":{\"bound_audiences\":[\"bulla\"],\"bound_claims\":{\"env\":[\"test\",\"prod\"]},\"ttl\":3600,\"token_ttl\":3600}}" },
	{ "LIST auth/jwt/role", .status = 200, .expect = "{\"data\":{\"keys\":[\"app\"]}}" },
	{ "POST auth/jwt/login", LOGIN("", TOKEN), .token = "", .status = 200, .save = "t=auth.client_token",
	  .expect = "{\"data\":null,\"auth\":{\"metadata\":{\"environment\":\"prod\",\"role\":\"app\"},\"lease_duration\":3600,\"orphan\":true}}" },
	{ "GET auth/token/lookup-self", .token = "$t", .status = 200, .expect = "{\"data\":{\"display_name\":\"jwt-alice\",\"path\":\"auth/jwt/login\"}}" },
	{ "POST auth/jwt/login", LOGIN("app", "x.y.z"), .token = "", .status = 400 }, { "POST auth/jwt/login", LOGIN("app", ""), .token = "", .status = 400, .expect = PLAIN("missing token") },
	/* what was not given stays */
	{ "POST auth/jwt/role/app", ROLE_WITH("\"bound_claims\":{\"env\":\"dev\"}"), .status = 204 },
	{ "GET auth/jwt/role/app", .status = 200, .expect = "{\"data\":{\"bound_audiences\":[\"bulla\"],\"bound_claims\":{\"env\":\"dev\"},\"ttl\":3600}}" },
	{ "POST auth/jwt/login", LOGIN("app", TOKEN), .token = "", .status = 400,
	  .expect = PLAIN("error validating claims: claim \\\"env\\\" does not match any associated bound claim values") },
	{ "POST auth/jwt/role/other", ROLE_WITH("\"bound_subject\":\"bob\",\"bound_audiences\":\"bulla\""), .status = 204 },
	{ "POST auth/jwt/login", LOGIN("other", TOKEN), .token = "", .status = 400, .expect = PLAIN("error validating token: invalid subject (sub) claim") },
	{ "POST auth/jwt/role/no-audience", ROLE_WITH("\"bound_subject\":\"alice\""), .status = 204 },
	{ "POST auth/jwt/login", LOGIN("no-audience", TOKEN), .token = "", .status = 400, .expect = PLAIN("audience claim found in JWT but no audiences bound to the role") },
	{ "POST auth/jwt/role/near", ROLE_WITH("\"bound_audiences\":\"bulla\",\"token_bound_cidrs\":\"10.0.0.0/8\""), .status = 204 },
	{ "POST auth/jwt/login", LOGIN("near", TOKEN), .token = "", .status = 403, .expect = PLAIN("permission denied") },
	{ "POST auth/jwt/config", "{\"jwt_validation_pubkeys\":[\"" KEY "\"],\"jwt_supported_algs\":[\"EdDSA\"]}", .status = 204 },
	{ "POST auth/jwt/login", LOGIN("app", TOKEN), .token = "", .status = 400,
	  .expect = PLAIN("error validating token: invalid algorithm (alg) header parameter: token signed with unexpected algorithm") },
	{ "POST auth/jwt/role/strict", ROLE_WITH("\"bound_audiences\":\"bulla\",\"clock_skew_leeway\":-1,\"expiration_leeway\":\"-1m\",\"not_before_leeway\":\"-1\""), .status = 204 },
	{ "GET auth/jwt/role/strict", .status = 200, .expect = "{\"data\":{\"clock_skew_leeway\":-1,\"expiration_leeway\":-60,\"not_before_leeway\":-1}}" },
	{ "DELETE auth/jwt/role/app", .status = 204 }, { "DELETE auth/jwt/role/app", .status = 204 }, { "GET auth/jwt/role/app", .status = 404 },
	{ NULL },
};

START_TEST(run)
{
	static const struct step *const lists[] = { refusals, life };

	pipeline_begin();
	pipeline_run(lists[_i]);
	pipeline_end();
}
END_TEST

Suite *jwt_suite(void)
{
	Suite *suite = suite_create("pipeline/jwt");
	TCase *tc = tcase_create("jwt");

	tcase_add_loop_test(tc, run, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}
