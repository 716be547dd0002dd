/* Mounts of userpass: users, their passwords, logging in, renewing; who failed too often is kept out, and can be let in. */
#include "pipeline.h"

static const struct step bad_input[] = {
	{ "POST sys/auth/userpass", "{\"type\":\"userpass\"}", .status = 204 },
	{ "POST auth/userpass/users/alice", "{\"password\":\"x\"}", .status = 403, .expect = "{\"errors\":[\"permission denied\"]}", .token = "" },
	{ "POST auth/userpass/users/alice", "{}", .status = 400, .expect = "{\"errors\":[\"must provide either password or password_hash\"]}" },
	{ "POST auth/userpass/users/alice", "{\"password\":\"pw\",\"password_hash\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"only one of password or password_hash may be provided\"]}" },
	{ "POST auth/userpass/users/alice", "{\"password_hash\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"password_hash is not a valid bcrypt hash\"]}" },
	{ "POST auth/userpass/users/alice", "{\"password_hash\":\"$2y$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234\"}", .status = 400, .expect = "{\"errors\":[\"bcrypt cost of 4 is too low, want 5 at minimum\"]}" },
	{ "POST auth/userpass/users/alice", "{\"password_hash\":\"$2y$13$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234\"}", .status = 400, .expect = "{\"errors\":[\"bcrypt cost of 13 exceeds maximum cost of 12\"]}" },
	{ "POST auth/userpass/users/alice", "{\"password\":\"a\",\"token_type\":\"default-batch\"}", .status = 400, .expect = "{\"errors\":[\"invalid 'token_type' value \\\"default-batch\\\"\"]}" },
	{ "GET auth/userpass/users/alice", .status = 404, .expect = "{\"errors\":[]}" },
	{ "LIST auth/userpass/users", .status = 404 },
	{ "GET auth/userpass/users", .status = 405 },
	{ "POST auth/userpass/users/alice/password", "{\"password\":\"a\"}", .status = 500, .expect = "{\"errors\":[\"1 error occurred:\\n\\t* username does not exist\\n\\n\"]}" },
	{ "POST auth/userpass/users/alice/password", "{}", .status = 500, .expect = "{\"errors\":[\"1 error occurred:\\n\\t* username does not exist\\n\\n\"]}" },
	{ "POST auth/userpass/users/alice/policies", "{\"token_policies\":\"a\"}", .status = 500, .expect = "{\"errors\":[\"1 error occurred:\\n\\t* username does not exist\\n\\n\"]}" },
	{ "POST auth/userpass/login/alice", "{}", .status = 500, .expect = "{\"errors\":[\"missing password\"]}", .token = "" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "GET auth/userpass/login/alice", .status = 405, .expect = "{\"errors\":[\"unsupported operation\"]}", .token = "" },
	{ "POST auth/userpass/login", "{}", .status = 403, .token = "" },
	{ "POST auth/userpass/users/alice", "{\"password\":\"pw\"}", .status = 204 },
	{ "POST auth/userpass/users/alice/password", "{}", .status = 400, .expect = "{\"errors\":[\"must provide either password or password_hash\"]}" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"PW\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/users/alice", "{\"token_bound_cidrs\":\"9.0.0.0/8\"}", .status = 204 },
	{ "POST auth/userpass/login/alice", "{\"password\":\"pw\"}", .status = 403, .expect = "{\"errors\":[\"permission denied\"]}", .token = "" },
	{ NULL },
};

static const struct step life[] = {
	{ "POST sys/auth/userpass", "{\"type\":\"userpass\"}", .status = 204 },
	{ "POST auth/userpass/users/Alice", "{\"password\":\"pw\",\"token_policies\":\"b,a,A,default\",\"policies\":\"q\"}", .status = 204, .expect = "" },
	{ "GET auth/userpass/users/ALICE", .status = 200, .expect = "{\"data\":{\"policies\":[\"b\",\"a\",\"A\",\"default\"],\"token_bound_cidrs\":[],\"token_explicit_max_ttl\":0,\"token_max_ttl\":0,\"token_no_default_policy\":false,\"token_num_uses\":0,\"token_period\":0,\"token_policies\":[\"b\",\"a\",\"A\",\"default\"],\"token_strictly_bind_ip\":false,\"token_ttl\":0,\"token_type\":\"default\"}}" },
	{ "LIST auth/userpass/users", .status = 200, .expect = "{\"data\":{\"keys\":[\"alice\"]}}" },
	{ "POST auth/userpass/users/alice", "{\"ttl\":\"1h\",\"max_ttl\":\"2h\",\"bound_cidrs\":\"127.0.0.0/8\",\"policies\":[\"x\",\"a\",\"A\"]}", .status = 204 },
	{ "GET auth/userpass/users/alice", .status = 200, .expect = "{\"data\":{\"bound_cidrs\":[\"127.0.0.0/8\"],\"max_ttl\":7200,\"policies\":[\"a\",\"x\"],\"token_bound_cidrs\":[\"127.0.0.0/8\"],\"token_max_ttl\":7200,\"token_policies\":[\"a\",\"x\"],\"token_ttl\":3600,\"ttl\":3600}}" },
	{ "POST auth/userpass/users/alice", "{\"token_ttl\":\"30m\",\"token_bound_cidrs\":\"\"}", .status = 204 },
	{ "GET auth/userpass/users/alice", .status = 200, .expect = "{\"data\":{\"token_ttl\":1800,\"token_bound_cidrs\":[]}}", .absent = "data.ttl" },
	{ "POST auth/userpass/users/alice/policies", "{\"policies\":\"B,a\"}", .status = 204, .expect = "" },
	{ "GET auth/userpass/users/alice", .status = 200, .expect = "{\"data\":{\"policies\":[\"a\",\"b\"],\"token_policies\":[\"a\",\"b\"]}}" },
	{ "POST auth/userpass/users/alice/policies", "{\"token_policies\":\"C\"}", .status = 204, .expect = "" },
	{ "GET auth/userpass/users/alice", .status = 200, .expect = "{\"data\":{\"token_policies\":[\"c\"]}}", .absent = "data.policies" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"pw\"}", .status = 200, .token = "s.ended" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"pw\"}", .status = 200, .expect = "{\"auth\":null}", .token = "", .wrap_ttl = "60" },
	{ "POST auth/userpass/login/ALICE", "{\"password\":\"pw\"}", .status = 200, .expect = "{\"auth\":{\"policies\":[\"c\",\"default\"],\"metadata\":{\"username\":\"alice\"},\"lease_duration\":1800,\"renewable\":true,\"orphan\":true,\"token_type\":\"service\",\"num_uses\":0}}", .token = "", .save = "tok=auth.client_token" },
	{ "GET auth/token/lookup-self", .status = 200, .expect = "{\"data\":{\"display_name\":\"userpass-alice\",\"path\":\"auth/userpass/login/alice\",\"meta\":{\"username\":\"alice\"}}}", .token = "$tok" },
	{ "POST auth/userpass/users/alice/password", "{\"password\":\"new\"}", .status = 204, .expect = "" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"pw\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"new\"}", .status = 200, .token = "" },
	{ "POST auth/token/renew-self", "{}", .status = 200, .token = "$tok" },
	{ "POST auth/userpass/users/alice", "{\"token_ttl\":\"20m\"}", .status = 204 },
	{ "POST auth/token/renew-self", "{}", .status = 200, .expect = "{\"auth\":{\"lease_duration\":1200}}", .token = "$tok" },
	{ "POST auth/userpass/users/alice", "{\"token_policies\":\"d\"}", .status = 204 },
	{ "POST auth/token/renew-self", "{}", .status = 500, .expect = "{\"errors\":[\"1 error occurred:\\n\\t* failed to renew entry: policies have changed, not renewing\\n\\n\"]}", .token = "$tok" },
	{ "POST auth/userpass/users/alice", "{\"password_hash\":\"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\"}", .status = 204 },
	{ "POST auth/userpass/login/alice", "{\"password\":\"new\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"U*U\"}", .status = 200, .token = "" },
	{ "POST auth/userpass/users/alice", "{\"token_type\":\"batch\"}", .status = 204 },
	{ "POST auth/userpass/login/alice", "{\"password\":\"U*U\"}", .status = 200, .expect = "{\"auth\":{\"token_type\":\"batch\",\"renewable\":false,\"accessor\":\"\"}}", .token = "" },
	{ "DELETE auth/userpass/users/alice", .status = 204, .expect = "" },
	{ "DELETE auth/userpass/users/alice", .status = 204, .expect = "" },
	{ "GET auth/userpass/users/alice", .status = 404 },
	{ "POST auth/token/renew-self", "{}", .status = 500, .expect = "{\"errors\":[\"1 error occurred:\\n\\t* failed to renew entry: user does not exist\\n\\n\"]}", .token = "$tok" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"U*U\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ NULL },
};

static const struct step lockouts[] = {
	{ "POST sys/auth/userpass", "{\"type\":\"userpass\"}", .status = 204 },
	{ "POST auth/userpass/users/alice", "{\"password\":\"pw\"}", .status = 204 },
	{ "GET sys/locked-users", .status = 200, .expect = "{\"data\":{\"by_namespace\":[{\"namespace_id\":\"root\",\"namespace_path\":\"\",\"counts\":0,\"mount_accessors\":[]}],\"total\":0}}" },
	{ "POST auth/userpass/login/nobody", "{\"password\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/nobody", "{\"password\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/nobody", "{\"password\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/nobody", "{\"password\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/nobody", "{\"password\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/nobody", "{\"password\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/Alice", "{\"password\":\"pw\"}", .status = 403, .expect = "{\"errors\":[\"permission denied\"]}", .token = "" },
	{ "GET sys/auth/userpass", .status = 200, .save = "acc=data.accessor" },
	{ "GET sys/locked-users", .status = 200, .expect = "{\"data\":{\"by_namespace\":[{\"counts\":1,\"mount_accessors\":[{\"mount_accessor\":\"$acc\",\"counts\":1,\"alias_identifiers\":[\"alice\"]}]}],\"total\":1}}" },
	{ "GET sys/locked-users?mount_accessor=zz", .status = 200, .expect = "{\"data\":{\"by_namespace\":[{\"counts\":0,\"mount_accessors\":[{\"mount_accessor\":\"zz\",\"counts\":0,\"alias_identifiers\":null}]}],\"total\":0}}" },
	{ "GET sys/locked-users", .status = 403, .token = "" },
	{ "POST sys/locked-users/$acc/unlock/alice", .status = 204, .expect = "" },
	{ "POST sys/locked-users/zz/unlock/nobody", .status = 204, .expect = "" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"pw\"}", .status = 200, .token = "" },
	{ "POST sys/auth/userpass/tune", "{\"user_lockout_config\":{\"lockout_threshold\":\"2\",\"lockout_duration\":\"2h\"}}", .status = 204 },
	{ "POST auth/userpass/login/alice", "{\"password\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"x\"}", .status = 400, .expect = "{\"errors\":[\"invalid username or password\"]}", .token = "" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"pw\"}", .status = 403, .token = "" },
	{ "POST auth/userpass/login/alice", "{\"password\":\"pw\"}", .status = 403, .token = "", .before = pipeline_hour_later },
	{ "POST auth/userpass/login/alice", "{\"password\":\"pw\"}", .status = 200, .token = "", .before = pipeline_hour_later },
	{ NULL },
};

START_TEST(cases)
{
	static const struct step *const lists[] = { bad_input, life, lockouts };

	pipeline_begin();
	pipeline_run(lists[_i]);
	ck_assert_str_eq(pipeline_log, "");
	pipeline_end();
}
END_TEST

Suite *userpass_suite(void)
{
	Suite *suite = suite_create("pipeline/userpass");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, cases, 0, 3);
	suite_add_tcase(suite, tc);
	return suite;
}
