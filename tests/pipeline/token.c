/* auth/token/: who is refused, and what tokens can do until they end. */
#include "pipeline.h"

#define PLAIN(text) "{\"errors\":[\"" text "\"]}"
#define DENIED PLAIN("permission denied")
#define REFUSED "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}"

static const struct step bad_input[] = {
	{ "POST auth/token/create", .token = "", .status = 403, .expect = DENIED }, { "POST auth/token/create", "{bad", .status = 400 },
	{ "POST auth/token/create", "{\"ttl\":\"abc\"}", .status = 400, .expect = PLAIN("time: invalid duration \\\"abc\\\"") },
	{ "POST auth/token/create", "{\"ttl\":\"-5m\"}", .status = 400, .expect = PLAIN("ttl must be positive") },
	{ "POST auth/token/create", "{\"num_uses\":-1}", .status = 400 }, { "POST auth/token/create", "{\"num_uses\":\"x\"}", .status = 400 },
	{ "POST auth/token/create", "{\"type\":\"weird\"}", .status = 400 }, { "POST auth/token/create", "{\"meta\":\"text\"}", .status = 400 },
	{ "POST auth/token/lookup", "{\"token\":\"bad\"}", .status = 403, .expect = PLAIN("bad token") },
	{ "POST auth/token/lookup-accessor", "{\"accessor\":\"bad\"}", .status = 400 }, { "POST auth/token/renew", "{\"token\":\"bad\"}", .status = 400 },
	{ "POST auth/token/revoke", .status = 400 }, { "POST auth/token/revoke-orphan", "{\"token\":\"bad\"}", .status = 400 },
	{ "POST auth/token/revoke-accessor", .status = 400 }, { "GET auth/token/create", .status = 405 }, { "GET auth/token/nonsense", .status = 404 },
	{ "GET auth/token", .status = 404 },
	{ NULL },
};

static const struct step life[] = {
	{ "POST auth/token/create", "{\"policies\":[\"default\"],\"ttl\":\"1h\",\"display_name\":\"web\",\"meta\":{\"a\":\"b\"}}", .status = 200,
	  .expect = "{\"data\":null,\"auth\":{\"policies\":[\"default\"],\"metadata\":{\"a\":\"b\"},\"lease_duration\":3600,\"renewable\":true}}",
	  .save = "tok=auth.client_token" },
	{ "GET auth/token/lookup-self", .token = "$tok", .status = 200, .expect = "{\"data\":{\"id\":\"$tok\",\"display_name\":\"token-web\"}}", .save = "acc=data.accessor" },
	{ "POST auth/token/lookup-self", .status = 200 }, { "POST auth/token/lookup", "{\"token\":\"$tok\"}", .status = 200, .expect = "{\"data\":{\"id\":\"$tok\"}}" },
	{ "GET auth/token/lookup", .status = 200 }, { "POST auth/token/lookup-accessor", "{\"accessor\":\"$acc\"}", .status = 200, .expect = "{\"data\":{\"id\":\"\"}}" },
	{ "LIST auth/token/accessors", .status = 200 }, { "LIST auth/token/accessors", .token = "$tok", .status = 403, .expect = REFUSED },
	{ "POST auth/token/create", "{}", .token = "$tok", .status = 403, .expect = REFUSED },
	{ "POST auth/token/renew-self", "{\"increment\":\"30m\"}", .token = "$tok", .status = 200, .expect = "{\"auth\":{\"lease_duration\":1800}}" },
	{ "POST auth/token/renew", "{\"token\":\"$tok\",\"increment\":60}", .status = 200, .expect = "{\"auth\":{\"lease_duration\":60}}" },
	{ "PUT auth/token/renew-accessor", "{\"accessor\":\"$acc\",\"increment\":120}", .status = 200, .expect = "{\"auth\":{\"lease_duration\":120,\"client_token\":\"\"}}" },
	{ "PUT auth/token/revoke-self", .token = "$tok", .status = 204, .expect = "" }, { "GET auth/token/lookup-self", .token = "$tok", .status = 403, .expect = DENIED },
	{ "POST auth/token/revoke-accessor", "{\"accessor\":\"$acc\"}", .status = 200, .expect = "{\"warnings\":[\"No token found with this accessor\"]}" },
	/* children end with their parent, orphans do not */
	{ "POST auth/token/create", "{\"policies\":[\"root\"],\"ttl\":\"1h\"}", .status = 200, .save = "parent=auth.client_token" },
	{ "POST auth/token/create", "{\"ttl\":\"1h\"}", .token = "$parent", .status = 200, .save = "child=auth.client_token" },
	{ "POST auth/token/create-orphan", "{\"ttl\":\"1h\"}", .token = "$parent", .status = 200, .expect = "{\"auth\":{\"orphan\":true}}", .save = "free=auth.client_token" },
	{ "POST auth/token/revoke", "{\"token\":\"$parent\"}", .status = 204 }, { "GET auth/token/lookup-self", .token = "$parent", .status = 403 },
	{ "GET auth/token/lookup-self", .token = "$child", .status = 403 }, { "GET auth/token/lookup-self", .token = "$free", .status = 200, .save = "acc=data.accessor" },
	{ "POST auth/token/revoke-accessor", "{\"accessor\":\"$acc\"}", .status = 204 }, { "GET auth/token/lookup-self", .token = "$free", .status = 403 },
	{ "POST auth/token/create", "{\"ttl\":\"1h\"}", .status = 200, .save = "parent=auth.client_token" },
	{ "POST auth/token/create", "{\"ttl\":\"1h\"}", .token = "$parent", .status = 200, .save = "child=auth.client_token" },
	{ "POST auth/token/revoke-orphan", "{\"token\":\"$parent\"}", .status = 204 }, { "GET auth/token/lookup-self", .token = "$child", .status = 200 },
	{ NULL },
};

/* A use is taken once a request, refused ones included; and none when a loop passes a request on to a worker. */
static const struct step uses[] = {
	{ "POST auth/token/create", "{\"num_uses\":3,\"policies\":[\"root\"]}", .status = 200, .save = "tok=auth.client_token" },
	{ "GET auth/token/lookup-self", .token = "$tok", .status = 200, .expect = "{\"data\":{\"num_uses\":2}}" },
	{ "GET nowhere", .token = "$tok", .status = 404 },
	{ "POST transit/keys/k", .token = "$tok", .status = 200 }, { "GET transit/keys/k", .token = "$tok", .status = 403, .expect = DENIED },
	{ NULL },
};

static const struct step roles[] = {
	{ "LIST auth/token/roles", .status = 404 }, { "GET auth/token/roles/r", .status = 404 }, { "GET auth/token/roles", .status = 405 },
	{ "POST auth/token/create/r", "{}", .status = 400, .expect = PLAIN("unknown role r") },
	{ "POST auth/token/roles/r", .token = "", .status = 403 },
	{ "POST auth/token/roles/r", "{\"token_type\":\"weird\"}", .status = 400, .expect = PLAIN("invalid 'token_type' value \\\"weird\\\"") },
	{ "POST auth/token/roles/r", "{\"token_type\":null}", .status = 400, .expect = PLAIN("Invalid 'token_type' value: null") },
	{ "POST auth/token/roles/r", "{\"token_bound_cidrs\":\"x\"}", .status = 400 },
	{ "POST auth/token/roles/r", "{\"token_period\":-1}", .status = 400 },
	{ "POST auth/token/roles/r", "{\"allowed_policies\":\"default\",\"period\":\"1h\",\"orphan\":true,\"path_suffix\":\"rev1\"}", .status = 204, .expect = "" },
	{ "GET auth/token/roles/r", .status = 200, .expect = "{\"data\":{\"name\":\"r\",\"period\":3600,\"token_period\":3600,\"renewable\":true,\"allowed_entity_aliases\":null}}" },
	{ "POST auth/token/roles/r", "{\"period\":\"1h\",\"token_period\":\"2h\"}", .status = 200, .expect = "{\"data\":null,\"warnings\":[\"Both 'token_period' and deprecated 'period' value supplied, ignoring the deprecated value\"]}" },
	{ "POST auth/token/create/r", "{\"policies\":\"root\"}", .status = 400 },
	{ "POST auth/token/create/r", "{}", .status = 200, .expect = "{\"auth\":{\"orphan\":true,\"lease_duration\":7200}}", .save = "tok=auth.client_token" },
	{ "GET auth/token/lookup-self", .token = "$tok", .status = 200, .expect = "{\"data\":{\"role\":\"r\",\"path\":\"auth/token/create/r/rev1\"}}" },
	{ "LIST auth/token/roles", .status = 200, .expect = "{\"data\":{\"keys\":[\"r\"]}}" },
	{ "DELETE auth/token/roles/r", .status = 204 }, { "DELETE auth/token/roles/r", .status = 204 },
	{ "POST auth/token/renew", "{\"token\":\"$tok\"}", .status = 500 },
	{ NULL },
};

/* Pipeline requests come from no address. */
static const struct step bound[] = {
	{ "POST auth/token/roles/b", "{\"token_bound_cidrs\":\"10.0.0.0/8\"}", .status = 204 },
	{ "POST auth/token/create/b", "{\"policies\":\"default\"}", .status = 200, .save = "tok=auth.client_token" },
	{ "GET auth/token/lookup-self", .token = "$tok", .status = 403, .expect = DENIED },
	{ "POST auth/token/lookup", "{\"token\":\"$tok\"}", .status = 200, .expect = "{\"data\":{\"bound_cidrs\":[\"10.0.0.0/8\"]}}" },
	{ NULL },
};

static const struct step tuned[] = {
	{ "POST sys/auth/token/tune", "{\"default_lease_ttl\":\"2h\",\"max_lease_ttl\":\"3h\"}", .status = 204 },
	{ "POST auth/token/create", "{\"policies\":\"default\"}", .status = 200, .expect = "{\"auth\":{\"lease_duration\":7200}}", .save = "tok=auth.client_token" },
	{ "POST auth/token/create", "{\"policies\":\"default\",\"ttl\":\"5h\"}", .status = 200, .expect = "{\"auth\":{\"lease_duration\":10800}}" },
	{ "POST auth/token/renew", "{\"token\":\"$tok\",\"increment\":\"9h\"}", .status = 200, .expect = "{\"warnings\":[\"TTL of \\\"9h\\\" exceeded the effective max_ttl of \\\"3h\\\"; TTL value is capped accordingly\"]}" },
	{ NULL },
};

static const struct step tidying[] = {
	{ "POST auth/token/tidy", .token = "", .status = 403 }, { "GET auth/token/tidy", .status = 405 },
	{ "POST auth/token/tidy", .status = 202, .expect = "{\"data\":null,\"warnings\":[\"Tidy operation successfully started. Any information "
	  "from the operation will be printed to OpenBao's server logs.\"]}" },
	{ "POST auth/token/tidy", .status = 200, .expect = "{\"warnings\":[\"Tidy operation already in progress.\"]}" },
	{ NULL },
};

static const struct step batch[] = {
	{ "POST auth/token/create", "{\"type\":\"batch\",\"policies\":\"default\"}", .status = 200,
	  .expect = "{\"auth\":{\"accessor\":\"\",\"renewable\":false,\"token_type\":\"batch\",\"orphan\":false}}", .save = "tok=auth.client_token" },
	{ "GET auth/token/lookup-self", .token = "$tok", .status = 200, .expect = "{\"data\":{\"type\":\"batch\",\"accessor\":\"\"}}" },
	{ "POST auth/token/renew-self", .token = "$tok", .status = 400, .expect = PLAIN("batch tokens cannot be renewed") },
	{ "POST auth/token/revoke-self", .token = "$tok", .status = 400, .expect = PLAIN("batch tokens cannot be revoked") },
	{ "POST auth/token/revoke", "{\"token\":\"$tok\"}", .status = 400 },
	{ NULL },
};

static const struct step expiry[] = {
	{ "POST auth/token/create", "{\"policies\":[\"root\"],\"ttl\":\"1h\"}", .status = 200, .save = "tok=auth.client_token" },
	{ "GET sys/mounts", .token = "$tok", .status = 200 },
	{ "GET sys/mounts", .token = "$tok", .status = 403, .expect = DENIED, .before = pipeline_hour_later },
	{ "POST auth/token/renew-self", .token = "$tok", .status = 403, .expect = DENIED }, { "GET sys/mounts", .status = 200 },
	{ NULL },
};

START_TEST(cases)
{
	static const struct step *const lists[] = { bad_input, life, uses, expiry, roles, bound, tuned, tidying, batch };

	pipeline_begin();
	pipeline_run(lists[_i]);
	ck_assert_str_eq(pipeline_log, "");
	pipeline_end();
}
END_TEST

Suite *token_suite(void)
{
	Suite *suite = suite_create("pipeline/token");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, cases, 0, 9);
	suite_add_tcase(suite, tc);
	return suite;
}
