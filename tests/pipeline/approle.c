/* Mounts of approle: roles, their secret ids, logging in with both; who is refused, and what ends when. */
#include <time.h>

#include "pipeline.h"

/* Our clock, an hour ahead from when it is called. */
static int64_t ahead_ns;

static int64_t moved_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + ahead_ns;
}

static void an_hour_later(void)
{
	ahead_ns += INT64_C(3601) * 1000000000;
	bulla_clock_replace(moved_clock);
}

static const struct step bad_input[] = {
	{ "POST sys/auth/approle", "{\"type\":\"approle\"}", .status = 204 },
	{ "POST auth/approle/role/web", "{}", .status = 403, .expect = "{\"errors\":[\"permission denied\"]}", .token = "" },
	{ "GET auth/approle/role/web", .status = 404, .expect = "{\"errors\":[]}" },
	{ "POST auth/approle/role/web", "{\"token_ttl\":\"5h\",\"token_max_ttl\":\"1h\"}", .status = 400, .expect = "{\"errors\":[\"'token_ttl' cannot be greater than 'token_max_ttl'\"]}" },
	{ "POST auth/approle/role/web", "{\"token_ttl\":\"abc\"}", .status = 400 },
	{ "POST auth/approle/role/web", "{\"token_type\":\"weird\"}", .status = 400 },
	{ "POST auth/approle/role/web", "{\"secret_id_num_uses\":-1}", .status = 400, .expect = "{\"errors\":[\"secret_id_num_uses cannot be negative\"]}" },
	{ "POST auth/approle/role/web", "{\"secret_id_bound_cidrs\":\"10.0.0.1\"}", .status = 500, .expect = "{\"errors\":[\"1 error occurred:\\n\\t* failed to validate CIDR blocks: invalid CIDR address: 10.0.0.1\\n\\n\"]}" },
	{ "POST auth/approle/role/web", "{\"token_bound_cidrs\":\"zz\"}", .status = 400 },
	{ "POST auth/approle/role/web", "{\"bind_secret_id\":false}", .status = 500, .expect = "{\"errors\":[\"1 error occurred:\\n\\t* at least one constraint should be enabled on the role\\n\\n\"]}" },
	{ "POST auth/approle/role/web", "{\"role_id\":\"\"}", .status = 400, .expect = "{\"errors\":[\"invalid role_id supplied, or failed to generate a role_id\"]}" },
	{ "POST auth/approle/role/web", "{\"period\":\"10000h\"}", .status = 400, .expect = "{\"errors\":[\"period of \\\"10000h0m0s\\\" is greater than the backend's maximum lease TTL of \\\"768h0m0s\\\"\"]}" },
	{ "GET auth/approle/role/web", .status = 404 },
	{ "LIST auth/approle/role", .status = 404 },
	{ "POST auth/approle/role/bad%20name", "{}", .status = 404 },
	{ "POST auth/approle/role", "{}", .status = 405 },
	{ "POST auth/approle/role/web/token-ttl", "{\"token_ttl\":5}", .status = 404, .expect = "{\"errors\":[\"1 error occurred:\\n\\t* unsupported path\\n\\n\"]}" },
	{ "POST auth/approle/role/web/secret-id", "{}", .status = 404, .expect = "{\"errors\":[\"role \\\"web\\\" does not exist\"]}" },
	{ "LIST auth/approle/role/web/secret-id", .status = 400, .expect = "{\"errors\":[\"role \\\"web\\\" does not exist\"]}" },
	{ "POST auth/approle/role/web/secret-id/lookup", "{\"secret_id\":\"x\"}", .status = 500, .expect = "{\"errors\":[\"1 error occurred:\\n\\t* role \\\"web\\\" does not exist\\n\\n\"]}" },
	{ "POST auth/approle/role/web", "{\"role_id\":\"one\"}", .status = 204 },
	{ "POST auth/approle/role/other", "{\"role_id\":\"one\"}", .status = 500, .expect = "{\"errors\":[\"1 error occurred:\\n\\t* role_id already in use\\n\\n\"]}" },
	{ "POST auth/approle/role/web", "{\"local_secret_ids\":true}", .status = 400, .expect = "{\"errors\":[\"local_secret_ids can only be modified during role creation\"]}" },
	{ "POST auth/approle/role/web/token-ttl", "{}", .status = 400, .expect = "{\"errors\":[\"missing token_ttl\"]}" },
	{ "POST auth/approle/role/web/role-id", "{}", .status = 400, .expect = "{\"errors\":[\"missing role_id\"]}" },
	{ "POST auth/approle/role/web/bound-cidr-list", "{\"bound_cidr_list\":\"\"}", .status = 400, .expect = "{\"errors\":[\"missing bound_cidr_list\"]}" },
	{ "POST auth/approle/role/web/secret-id-bound-cidrs", "{\"secret_id_bound_cidrs\":\"10.0.0.1/8,bad\"}", .status = 400, .expect = "{\"errors\":[\"failed to validate CIDR blocks: invalid CIDR address: bad\"]}" },
	{ "POST auth/approle/role/web/token-max-ttl", "{\"token_max_ttl\":\"1h\"}", .status = 204 },
	{ "POST auth/approle/role/web/token-ttl", "{\"token_ttl\":\"2h\"}", .status = 400, .expect = "{\"errors\":[\"token_ttl should not be greater than token_max_ttl\"]}" },
	{ "POST auth/approle/role/web/token-ttl", "{\"token_ttl\":\"30m\"}", .status = 204 },
	{ "POST auth/approle/role/web/token-max-ttl", "{\"token_max_ttl\":\"1m\"}", .status = 400, .expect = "{\"errors\":[\"token_max_ttl should be greater than or equal to token_ttl\"]}" },
	{ "POST auth/approle/role/web/secret-id", "{\"num_uses\":-1}", .status = 400, .expect = "{\"errors\":[\"num_uses cannot be negative\"]}" },
	{ "POST auth/approle/role/web/secret-id", "{\"metadata\":\"notjson\"}", .status = 400, .expect = "{\"errors\":[\"failed to parse metadata: failed to parse the input: invalid <key,value> format\"]}" },
	{ "POST auth/approle/role/web/secret-id", "{\"metadata\":\"{\\\"a\\\":5}\"}", .status = 400 },
	{ "POST auth/approle/role/web/secret-id", "{\"cidr_list\":\"10.1.0.0\"}", .status = 500 },
	{ "POST auth/approle/role/web/custom-secret-id", "{}", .status = 400, .expect = "{\"errors\":[\"missing secret_id\"]}" },
	{ "POST auth/approle/role/web/secret-id/lookup", "{}", .status = 400, .expect = "{\"errors\":[\"missing secret_id\"]}" },
	{ "POST auth/approle/role/web/secret-id/lookup", "{\"secret_id\":\"x\"}", .status = 204, .expect = "" },
	{ "POST auth/approle/role/web/secret-id-accessor/lookup", "{\"secret_id_accessor\":\"x\"}", .status = 404, .expect = "{\"data\":{\"error\":\"failed to find accessor entry for secret_id_accessor: \\\"x\\\"\"}}" },
	{ "POST auth/approle/role/web/secret-id-accessor/destroy", "{\"secret_id_accessor\":\"x\"}", .status = 500 },
	{ "POST auth/approle/role/web/secret-id-accessor/destroy", "{}", .status = 400, .expect = "{\"errors\":[\"missing secret_id_accessor\"]}" },
	{ "POST auth/approle/login", "{}", .status = 500, .expect = "{\"errors\":[\"missing role_id\"]}", .token = "" },
	{ "GET auth/approle/login", .status = 500, .expect = "{\"errors\":[\"missing role_id\"]}", .token = "", .refuses_always = true },
	{ "GET auth/approle/login?role_id=one", .status = 405, .expect = "{\"errors\":[\"unsupported operation\"]}", .token = "", .refuses_always = true },
	{ "DELETE auth/approle/login?role_id=one", .status = 405, .expect = "{\"errors\":[\"unsupported operation\"]}", .token = "", .refuses_always = true },
	{ "POST auth/approle/login", "{\"role_id\":\"one\"}", .status = 400, .expect = "{\"errors\":[\"missing secret_id\"]}", .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"two\",\"secret_id\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid role or secret ID\"]}", .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"one\",\"secret_id\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid role or secret ID\"]}", .token = "" },
	{ NULL },
};

/* Every field by itself: set, shown, reset. */
static const struct step fields[] = {
	{ "POST sys/auth/approle", "{\"type\":\"approle\"}", .status = 204 },
	{ "POST auth/approle/role/WEB", "{\"token_policies\":\"b,a\",\"policies\":\"q\",\"secret_id_ttl\":\"1h\",\"token_type\":\"default-service\"}", .status = 200, .expect = "{\"data\":null,\"warnings\":[\"default-service has no useful meaning; adjusting to service\"]}" },
	{ "GET auth/approle/role/web", .status = 200, .expect = "{\"data\":{\"bind_secret_id\":true,\"local_secret_ids\":false,\"policies\":[\"b\",\"a\"],\"secret_id_bound_cidrs\":null,\"secret_id_num_uses\":0,\"secret_id_ttl\":3600,\"token_bound_cidrs\":[],\"token_explicit_max_ttl\":0,\"token_max_ttl\":0,\"token_no_default_policy\":false,\"token_num_uses\":0,\"token_period\":0,\"token_policies\":[\"b\",\"a\"],\"token_strictly_bind_ip\":false,\"token_ttl\":0,\"token_type\":\"service\"}}" },
	{ "POST auth/approle/role/web/policies", "{\"token_policies\":\"B,a\"}", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/policies", .status = 200, .expect = "{\"data\":{\"token_policies\":[\"a\",\"b\"]}}" },
	{ "DELETE auth/approle/role/web/policies", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/policies", .status = 200, .expect = "{\"data\":{\"token_policies\":[]}}" },
	{ "DELETE auth/approle/role/none/policies", .status = 204, .expect = "" },
	{ "POST auth/approle/role/web/period", "{\"token_period\":\"1h\"}", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/period", .status = 200, .expect = "{\"data\":{\"token_period\":3600}}" },
	{ "DELETE auth/approle/role/web/period", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/period", .status = 200, .expect = "{\"data\":{\"token_period\":0}}" },
	{ "DELETE auth/approle/role/none/period", .status = 204, .expect = "" },
	{ "POST auth/approle/role/web/token-ttl", "{\"token_ttl\":\"1h\"}", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/token-ttl", .status = 200, .expect = "{\"data\":{\"token_ttl\":3600}}" },
	{ "DELETE auth/approle/role/web/token-ttl", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/token-ttl", .status = 200, .expect = "{\"data\":{\"token_ttl\":0}}" },
	{ "DELETE auth/approle/role/none/token-ttl", .status = 204, .expect = "" },
	{ "POST auth/approle/role/web/token-max-ttl", "{\"token_max_ttl\":\"1h\"}", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/token-max-ttl", .status = 200, .expect = "{\"data\":{\"token_max_ttl\":3600}}" },
	{ "DELETE auth/approle/role/web/token-max-ttl", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/token-max-ttl", .status = 200, .expect = "{\"data\":{\"token_max_ttl\":0}}" },
	{ "DELETE auth/approle/role/none/token-max-ttl", .status = 204, .expect = "" },
	{ "POST auth/approle/role/web/token-num-uses", "{\"token_num_uses\":4}", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/token-num-uses", .status = 200, .expect = "{\"data\":{\"token_num_uses\":4}}" },
	{ "DELETE auth/approle/role/web/token-num-uses", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/token-num-uses", .status = 200, .expect = "{\"data\":{\"token_num_uses\":0}}" },
	{ "DELETE auth/approle/role/none/token-num-uses", .status = 204, .expect = "" },
	{ "POST auth/approle/role/web/token-bound-cidrs", "{\"token_bound_cidrs\":\"1.2.3.4/32,10.1.2.3/8\"}", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/token-bound-cidrs", .status = 200, .expect = "{\"data\":{\"token_bound_cidrs\":[\"1.2.3.4\",\"10.1.2.3/8\"]}}" },
	{ "DELETE auth/approle/role/web/token-bound-cidrs", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/token-bound-cidrs", .status = 200, .expect = "{\"data\":{\"token_bound_cidrs\":null}}" },
	{ "DELETE auth/approle/role/none/token-bound-cidrs", .status = 204, .expect = "" },
	{ "POST auth/approle/role/web/secret-id-bound-cidrs", "{\"secret_id_bound_cidrs\":\"10.1.2.3/8\"}", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/secret-id-bound-cidrs", .status = 200, .expect = "{\"data\":{\"secret_id_bound_cidrs\":[\"10.1.2.3/8\"]}}" },
	{ "DELETE auth/approle/role/web/secret-id-bound-cidrs", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/secret-id-bound-cidrs", .status = 200, .expect = "{\"data\":{\"secret_id_bound_cidrs\":null}}" },
	{ "DELETE auth/approle/role/none/secret-id-bound-cidrs", .status = 204, .expect = "" },
	{ "POST auth/approle/role/web/secret-id-num-uses", "{\"secret_id_num_uses\":4}", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/secret-id-num-uses", .status = 200, .expect = "{\"data\":{\"secret_id_num_uses\":4}}" },
	{ "DELETE auth/approle/role/web/secret-id-num-uses", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/secret-id-num-uses", .status = 200, .expect = "{\"data\":{\"secret_id_num_uses\":0}}" },
	{ "DELETE auth/approle/role/none/secret-id-num-uses", .status = 204, .expect = "" },
	{ "POST auth/approle/role/web/secret-id-ttl", "{\"secret_id_ttl\":\"5m\"}", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/secret-id-ttl", .status = 200, .expect = "{\"data\":{\"secret_id_ttl\":300}}" },
	{ "DELETE auth/approle/role/web/secret-id-ttl", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/secret-id-ttl", .status = 200, .expect = "{\"data\":{\"secret_id_ttl\":0}}" },
	{ "DELETE auth/approle/role/none/secret-id-ttl", .status = 204, .expect = "" },
	{ "POST auth/approle/role/web/bind-secret-id", "{\"bind_secret_id\":true}", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/bind-secret-id", .status = 200, .expect = "{\"data\":{\"bind_secret_id\":true}}" },
	{ "DELETE auth/approle/role/web/bind-secret-id", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/bind-secret-id", .status = 200, .expect = "{\"data\":{\"bind_secret_id\":true}}" },
	{ "DELETE auth/approle/role/none/bind-secret-id", .status = 204, .expect = "" },
	{ "POST auth/approle/role/web/bound-cidr-list", "{\"bound_cidr_list\":\"10.0.0.0/8\"}", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/bound-cidr-list", .status = 200, .expect = "{\"data\":{\"bound_cidr_list\":null}}" },
	{ "DELETE auth/approle/role/web/bound-cidr-list", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/bound-cidr-list", .status = 200, .expect = "{\"data\":{\"bound_cidr_list\":null}}" },
	{ "DELETE auth/approle/role/none/bound-cidr-list", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web/secret-id-bound-cidrs", .status = 200, .expect = "{\"data\":{\"secret_id_bound_cidrs\":[\"10.0.0.0/8\"]}}" },
	{ "POST auth/approle/role/web/role-id", "{\"role_id\":\"mine\"}", .status = 204 },
	{ "GET auth/approle/role/web/role-id", .status = 200, .expect = "{\"data\":{\"role_id\":\"mine\"}}" },
	{ "GET auth/approle/role/web/local-secret-ids", .status = 200, .expect = "{\"data\":{\"local_secret_ids\":false}}" },
	{ "LIST auth/approle/role", .status = 200, .expect = "{\"data\":{\"keys\":[\"web\"]}}" },
	{ "POST auth/approle/role/app", "{\"token_max_ttl\":\"10000h\"}", .status = 200, .expect = "{\"warnings\":[\"token_max_ttl is greater than the backend mount's maximum TTL value; issued tokens' max TTL value will be truncated\"]}" },
	{ "LIST auth/approle/role?limit=1", .status = 200, .expect = "{\"data\":{\"keys\":[\"app\"]}}" },
	{ "LIST auth/approle/role?after=app", .status = 200, .expect = "{\"data\":{\"keys\":[\"web\"]}}" },
	{ "DELETE auth/approle/role/web", .status = 204, .expect = "" },
	{ "GET auth/approle/role/web", .status = 404 },
	{ "DELETE auth/approle/role/web", .status = 204, .expect = "" },
	{ NULL },
};

static const struct step logins[] = {
	{ "POST sys/auth/approle", "{\"type\":\"approle\"}", .status = 204 },
	{ "POST auth/approle/role/web", "{\"token_policies\":\"b-pol,a-pol\",\"token_ttl\":\"1h\",\"role_id\":\"r1\",\"secret_id_num_uses\":2}", .status = 204 },
	{ "POST auth/approle/role/web/secret-id", "{\"metadata\":\"{\\\"env\\\":\\\"test\\\",\\\"role_name\\\":\\\"x\\\"}\",\"ttl\":\"10m\"}", .status = 200, .expect = "{\"data\":{\"secret_id_num_uses\":2,\"secret_id_ttl\":600}}", .save = "sid=data.secret_id" },
	/* whatever token is shown: it may be the one that has ended */
	{ "POST auth/approle/role/app", "{\"role_id\":\"app\"}", .status = 204 },
	{ "POST auth/approle/role/app/secret-id", "{}", .status = 200, .save = "app=data.secret_id" },
	{ "POST auth/approle/login", "{\"role_id\":\"app\",\"secret_id\":\"$app\"}", .status = 200, .token = "s.ended" },
	{ "GET auth/approle/login?role_id=app", .status = 405, .token = "s.ended", .refuses_always = true },
	{ "POST auth/approle/login", "{\"role_id\":\"app\",\"secret_id\":\"$app\"}", .status = 200, .token = "", .wrap_ttl = "60",
	  .expect = "{\"auth\":null,\"wrap_info\":{\"creation_path\":\"auth/approle/login\"}}", .save = "wrap=wrap_info.token" },
	{ "POST sys/wrapping/unwrap", .status = 200, .expect = "{\"auth\":{\"metadata\":{\"role_name\":\"app\"}}}", .token = "$wrap" },
	{ "POST auth/approle/login", "{\"role_id\":\"app\",\"secret_id\":\"x\"}", .status = 400, .token = "", .wrap_ttl = "60" },
	{ "POST auth/approle/login", "{\"role_id\":\" r1 \",\"secret_id\":\"$sid\"}", .status = 200, .expect = "{\"auth\":{\"policies\":[\"a-pol\",\"b-pol\",\"default\"],\"metadata\":{\"env\":\"test\",\"role_name\":\"web\"},\"lease_duration\":3600,\"renewable\":true,\"orphan\":true,\"token_type\":\"service\",\"num_uses\":0}}", .token = "", .save = "tok=auth.client_token" },
	{ "GET auth/token/lookup-self", .status = 200, .expect = "{\"data\":{\"display_name\":\"approle\",\"path\":\"auth/approle/login\",\"meta\":{\"env\":\"test\",\"role_name\":\"web\"}}}", .token = "$tok" },
	{ "POST auth/approle/role/web/secret-id/lookup", "{\"secret_id\":\"$sid\"}", .status = 200, .expect = "{\"data\":{\"secret_id_num_uses\":1,\"metadata\":{\"env\":\"test\",\"role_name\":\"x\"},\"cidr_list\":[],\"token_bound_cidrs\":[]}}", .save = "acc=data.secret_id_accessor" },
	{ "LIST auth/approle/role/web/secret-id", .status = 200, .expect = "{\"data\":{\"keys\":[\"$acc\"]}}" },
	{ "POST auth/approle/role/web/secret-id-accessor/lookup", "{\"secret_id_accessor\":\"$acc\"}", .status = 200, .expect = "{\"data\":{\"secret_id_accessor\":\"$acc\",\"secret_id_ttl\":600}}" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"$sid\"}", .status = 200, .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"$sid\"}", .status = 400, .expect = "{\"errors\":[\"invalid role or secret ID\"]}", .token = "" },
	{ "LIST auth/approle/role/web/secret-id", .status = 404 },
	{ "POST auth/approle/role/web/secret-id-accessor/lookup", "{\"secret_id_accessor\":\"$acc\"}", .status = 404 },
	{ "POST auth/approle/role/web/secret-id", "{\"num_uses\":3}", .status = 400, .expect = "{\"errors\":[\"num_uses cannot be higher than the role's secret_id_num_uses\"]}" },
	{ "POST auth/approle/role/web/custom-secret-id", "{\"secret_id\":\"mine\"}", .status = 200, .expect = "{\"data\":{\"secret_id\":\"mine\",\"secret_id_num_uses\":2}}" },
	{ "POST auth/approle/role/web/custom-secret-id", "{\"secret_id\":\"mine\"}", .status = 500, .expect = "{\"errors\":[\"1 error occurred:\\n\\t* failed to store secret_id: SecretID is already registered\\n\\n\"]}" },
	{ "POST auth/approle/role/web/secret-id/destroy", "{\"secret_id\":\"mine\"}", .status = 204, .expect = "" },
	{ "DELETE auth/approle/role/web/secret-id/destroy?secret_id=mine", .status = 204, .expect = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"mine\"}", .status = 400, .expect = "{\"errors\":[\"invalid role or secret ID\"]}", .token = "" },
	{ "POST auth/approle/role/web/secret-id", "{}", .status = 200, .save = "acc=data.secret_id_accessor" },
	{ "POST auth/approle/role/other", "{}", .status = 204 },
	{ "POST auth/approle/role/other/secret-id-accessor/lookup", "{\"secret_id_accessor\":\"$acc\"}", .status = 204, .expect = "" },
	{ "POST auth/approle/role/other/secret-id-accessor/destroy", "{\"secret_id_accessor\":\"$acc\"}", .status = 403, .expect = "{\"errors\":[\"invalid secret id accessor\"]}" },
	{ "DELETE auth/approle/role/web/secret-id-accessor/destroy?secret_id_accessor=$acc", .status = 204, .expect = "" },
	{ "POST auth/approle/role/web/secret-id", "{}", .status = 200, .save = "acc=data.secret_id_accessor" },
	{ "POST auth/approle/role/web/secret-id-accessor/destroy", "{\"secret_id_accessor\":\"$acc\"}", .status = 204, .expect = "" },
	{ "POST auth/approle/tidy/secret-id", "{}", .status = 202 },
	{ "POST auth/approle/role/web/secret-id", "{\"cidr_list\":\"9.0.0.0/8\"}", .status = 200, .save = "sid=data.secret_id" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"$sid\"}", .status = 400, .token = "" },
	{ "POST auth/approle/role/web", "{\"bind_secret_id\":false,\"secret_id_bound_cidrs\":\"9.0.0.0/8\"}", .status = 204 },
	{ "POST auth/approle/role/web/secret-id", "{}", .status = 400, .expect = "{\"errors\":[\"bind_secret_id is not set on the role\"]}" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\"}", .status = 400, .token = "" },
	{ "POST auth/approle/role/other/secret-id", "{}", .status = 200, .expect = "{\"wrap_info\":{\"ttl\":60,\"creation_path\":\"auth/approle/role/other/secret-id\"}}", .wrap_ttl = "60", .save = "wrap=wrap_info.token" },
	{ "POST sys/wrapping/unwrap", .status = 200, .expect = "{\"data\":{\"secret_id_num_uses\":0}}", .token = "$wrap" },
	{ NULL },
};

/* A secret id that has ended is none any more, though it still lies there. */
static const struct step endings[] = {
	{ "POST sys/auth/approle", "{\"type\":\"approle\"}", .status = 204 },
	{ "POST auth/approle/role/web", "{\"secret_id_ttl\":\"1h\",\"role_id\":\"r1\"}", .status = 204 },
	{ "POST auth/approle/role/web/secret-id", "{}", .status = 200, .save = "sid=data.secret_id" },
	{ "POST auth/approle/role/web/custom-secret-id", "{\"secret_id\":\"mine\"}", .status = 200 },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"$sid\"}", .status = 200, .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"$sid\"}", .status = 400, .expect = "{\"errors\":[\"invalid role or secret ID\"]}", .token = "", .before = an_hour_later },
	{ "POST auth/approle/role/web/secret-id/lookup", "{\"secret_id\":\"$sid\"}", .status = 204, .expect = "" },
	{ "LIST auth/approle/role/web/secret-id", .status = 404 },
	{ "POST auth/approle/role/web/custom-secret-id", "{\"secret_id\":\"mine\"}", .status = 200 },
	{ "POST auth/approle/tidy/secret-id", "{}", .status = 202 },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"mine\"}", .status = 200, .token = "" },
	{ NULL },
};

/* Five failures in a row lock a role out for a quarter of an hour. */
static const struct step lockouts[] = {
	{ "POST sys/auth/approle", "{\"type\":\"approle\"}", .status = 204 },
	{ "POST auth/approle/role/web", "{\"role_id\":\"r1\"}", .status = 204 },
	{ "POST auth/approle/role/web/secret-id", "{}", .status = 200, .save = "sid=data.secret_id" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid role or secret ID\"]}", .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid role or secret ID\"]}", .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid role or secret ID\"]}", .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid role or secret ID\"]}", .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"$sid\"}", .status = 200, .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid role or secret ID\"]}", .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid role or secret ID\"]}", .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid role or secret ID\"]}", .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid role or secret ID\"]}", .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid role or secret ID\"]}", .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"$sid\"}", .status = 403, .expect = "{\"errors\":[\"permission denied\"]}", .token = "" },
	{ "POST auth/approle/login", "{\"role_id\":\"r1\",\"secret_id\":\"$sid\"}", .status = 200, .token = "", .before = an_hour_later },
	{ NULL },
};

START_TEST(cases)
{
	static const struct step *const lists[] = { bad_input, fields, logins, endings, lockouts };

	ahead_ns = 0;
	pipeline_begin();
	pipeline_run(lists[_i]);
	bulla_clock_replace(NULL);
	ck_assert_str_eq(pipeline_log, "");
	pipeline_end();
}
END_TEST

Suite *approle_suite(void)
{
	Suite *suite = suite_create("pipeline/approle");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, cases, 0, 5);
	suite_add_tcase(suite, tc);
	return suite;
}
