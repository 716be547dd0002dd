/* sys/leases/: tokens seen as leases; and what ends when an auth method is disabled or moved. Refusals first. */
#include "pipeline.h"

#define PLAIN(text) "{\"errors\":[\"" text "\"]}"
#define EMPTY "{\"errors\":[]}"
#define NOSUCH "auth/token/create/h0000000000000000000000000000000000000000000000000000000000000000"
#define ID(name) "{\"lease_id\":\"" name "\"}"

static const struct step refusals[] = {
	{ "POST sys/leases/lookup", ID("x"), .token = "", .status = 403 }, { "LIST sys/leases/lookup", .token = "", .status = 403 },
	{ "POST sys/leases/lookup", "{}", .status = 400, .expect = PLAIN("lease_id must be specified") },
	{ "POST sys/leases/lookup", ID("nope"), .status = 400, .expect = PLAIN("invalid lease") },
	{ "POST sys/leases/lookup", ID(NOSUCH), .status = 400, .expect = PLAIN("invalid lease") },
	{ "POST sys/leases/lookup", ID("auth/token/create/hZ000000000000000000000000000000000000000000000000000000000000000"), .status = 400 },
	{ "POST sys/leases/renew", "{}", .status = 400, .expect = PLAIN("lease_id must be specified") },
	{ "POST sys/leases/renew", ID("nope"), .status = 400, .expect = PLAIN("lease not found") },
	{ "POST sys/leases/renew", "{\"lease_id\":5}", .status = 400, .expect = PLAIN("invalid lease ID") },
	{ "POST sys/leases/renew/" NOSUCH, "{}", .status = 400, .expect = PLAIN("lease not found") },
	{ "POST sys/leases/revoke", "{}", .status = 400, .expect = PLAIN("lease_id must be specified") },
	{ "POST sys/leases/revoke", "{\"lease_id\":\"x\",\"sync\":\"x\"}", .status = 400 },
	{ "GET sys/leases/lookup", .status = 405 }, { "LIST sys/leases/lookup/nope", .status = 404, .expect = EMPTY },
	{ "POST sys/renew", ID("x"), .status = 404 }, { "POST sys/revoke", ID("x"), .status = 404 },
	/* unknown ones are fine to revoke */
	{ "POST sys/leases/revoke", ID("nope"), .status = 204, .expect = "" }, { "POST sys/leases/revoke", ID(NOSUCH), .status = 204 },
	{ "POST sys/leases/revoke", "{\"lease_id\":\"nope\",\"sync\":false}", .status = 202 },
	{ "POST sys/leases/revoke-prefix/nope", .status = 204 }, { "POST sys/leases/revoke-prefix/nope", "{\"sync\":false}", .status = 202 },
	{ "POST sys/leases/revoke-force/nope", .status = 204 },
	/* who has the default policy may look, not list nor revoke */
	{ "POST auth/token/create", "{\"policies\":[\"default\"],\"ttl\":\"1h\"}", .status = 200, .save = "t=auth.client_token" },
	{ "POST sys/leases/lookup", ID("nope"), .token = "$t", .status = 400 }, { "LIST sys/leases/lookup", .token = "$t", .status = 403 },
	{ "POST sys/leases/revoke", ID("nope"), .token = "$t", .status = 403 }, { "POST sys/leases/revoke-prefix/auth", .token = "$t", .status = 403 },
	{ "POST sys/leases/tidy", .token = "$t", .status = 403 },
	{ NULL },
};

static const struct step life[] = {
	{ "LIST sys/leases/lookup", .status = 404 }, /* root's has none */
	{ "POST auth/token/create-orphan", "{\"policies\":[\"default\"],\"ttl\":\"1h\"}", .status = 200, .save = "t=auth.client_token" },
	{ "LIST sys/leases/lookup", .status = 200, .expect = "{\"data\":{\"keys\":[\"auth/\"]}}" },
	{ "LIST sys/leases/lookup/auth", .status = 200, .expect = "{\"data\":{\"keys\":[\"token/\"]}}" },
	{ "LIST sys/leases/lookup/auth/token/", .status = 200, .expect = "{\"data\":{\"keys\":[\"create-orphan/\"]}}" },
	{ "LIST sys/leases/lookup/auth/token/create-orphan", .status = 200, .save = "l=data.keys.0" },
	{ "LIST sys/leases/lookup/auth/token/create", .status = 404 },
	{ "POST sys/leases/lookup", ID("auth/token/create-orphan/$l"), .status = 200,
	  .expect = "{\"data\":{\"id\":\"auth/token/create-orphan/$l\",\"path\":\"auth/token/create-orphan\",\"renewable\":true,\"ttl\":\"%any\",\"last_renewal\":null}}" },
	{ "POST sys/leases/lookup", ID("auth/token/create/$l"), .status = 400, .expect = PLAIN("invalid lease") },
	{ "POST sys/leases/renew", ID("auth/token/create-orphan/$l"), .status = 400, .expect = PLAIN("tokens cannot be renewed through this endpoint"), .refuses_always = true },
	{ "POST sys/leases/renew/auth/token/create-orphan/$l", "{\"increment\":\"1h\"}", .status = 400, .refuses_always = true },
	{ "POST sys/leases/revoke", ID("auth/token/create/$l"), .status = 204 },
	{ "GET auth/token/lookup-self", .token = "$t", .status = 200 },
	{ "POST sys/leases/revoke/auth/token/create-orphan/$l", "{}", .status = 204 },
	{ "GET auth/token/lookup-self", .token = "$t", .status = 403 },
	{ "POST sys/leases/lookup", ID("auth/token/create-orphan/$l"), .status = 400 },
	{ "POST sys/leases/revoke/auth/token/create-orphan/$l", "{}", .status = 204 },
	/* by prefix: whole segments */
	{ "POST auth/token/create", "{\"policies\":[\"default\"],\"ttl\":\"1h\"}", .status = 200, .save = "t=auth.client_token" },
	{ "POST sys/leases/revoke-prefix/auth/token/cre", .status = 204 }, { "GET auth/token/lookup-self", .token = "$t", .status = 200 },
	{ "POST sys/leases/tidy", .status = 202 },
	{ "POST auth/token/create-orphan", "{\"policies\":[\"root\"]}", .status = 200, .save = "r=auth.client_token" },
	{ "POST sys/leases/revoke-prefix/auth/token/create", .status = 204 }, { "GET auth/token/lookup-self", .token = "$t", .status = 403 },
	{ "GET auth/token/lookup-self", .status = 403 }, /* a root token of a chosen name was made like any other */
	{ "POST auth/token/create", "{\"policies\":[\"default\"],\"ttl\":\"1h\"}", .token = "$r", .status = 200, .save = "t=auth.client_token" },
	{ "POST sys/leases/revoke-force/auth/token", .token = "$r", .status = 204 }, { "GET auth/token/lookup-self", .token = "$t", .status = 403 },
	{ "GET auth/token/lookup-self", .token = "$r", .status = 403 },
	{ NULL },
};

#define LOGIN(path) { "POST auth/" path "/login/u", "{\"password\":\"correct horse\"}", .token = "", .status = 200, .save = "t=auth.client_token" }

/* What an auth method gave out ends with it, and no sooner. */
static const struct step methods[] = {
	{ "POST sys/auth/a", "{\"type\":\"userpass\"}", .status = 204 }, { "POST sys/auth/ab", "{\"type\":\"userpass\"}", .status = 204 },
	{ "POST auth/a/users/u", "{\"password\":\"correct horse\"}", .status = 204 },
	{ "POST auth/ab/users/u", "{\"password\":\"correct horse\"}", .status = 204 },
	LOGIN("ab"), { "POST auth/token/renew-self", "{}", .token = "$t", .status = 200, .save = "other=auth.client_token" },
	LOGIN("a"), { "GET auth/token/lookup-self", .token = "$t", .status = 200, .expect = "{\"data\":{\"path\":\"auth/a/login/u\"}}" },
	{ "DELETE sys/auth/a", .status = 204 },
	{ "GET auth/token/lookup-self", .token = "$t", .status = 403 }, { "GET auth/token/lookup-self", .token = "$other", .status = 200 },
	{ "POST auth/a/login/u", "{\"password\":\"correct horse\"}", .token = "", .status = 403 },
	/* users do not come back with the path */
	{ "POST sys/auth/a", "{\"type\":\"userpass\"}", .status = 204 },
	{ "POST auth/a/login/u", "{\"password\":\"correct horse\"}", .token = "", .status = 400 }, { "GET auth/a/users/u", .status = 404 },
	/* moved: the users go along, the tokens end */
	{ "POST auth/a/users/u", "{\"password\":\"correct horse\"}", .status = 204 }, LOGIN("a"),
	{ "POST sys/remount", "{\"from\":\"auth/a\",\"to\":\"auth/b\"}", .status = 200 }, { "GET auth/token/lookup-self", .token = "$t", .status = 403 },
	LOGIN("b"), { "DELETE sys/auth/b", .status = 204 }, { "GET auth/token/lookup-self", .token = "$t", .status = 403 },
	{ NULL },
};

START_TEST(cases)
{
	static const struct step *const lists[] = { refusals, life, methods };

	pipeline_begin();
	pipeline_run(lists[_i]);
	ck_assert_str_eq(pipeline_log, "");
	pipeline_end();
}
END_TEST

Suite *leases_suite(void)
{
	Suite *suite = suite_create("pipeline/leases");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, cases, 0, 3);
	suite_add_tcase(suite, tc);
	return suite;
}
