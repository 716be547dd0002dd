/* cubbyhole/: what a token keeps for itself. Refusals first. */
#include "pipeline.h"

#define PLAIN(text) "{\"errors\":[\"" text "\"]}"
#define LISTED(text) "{\"errors\":[\"1 error occurred:\\n\\t* " text "\\n\\n\"]}"
#define EMPTY "{\"errors\":[]}"

static const struct step refusals[] = {
	{ "GET cubbyhole/a", .token = "", .status = 403 }, { "POST cubbyhole/a", "{\"a\":1}", .token = "bad", .status = 403 },
	{ "GET cubbyhole", .status = 500, .expect = LISTED("missing path") }, { "GET cubbyhole/", .status = 500, .expect = LISTED("missing path") },
	{ "POST cubbyhole/a", .status = 500, .expect = LISTED("missing data fields") },
	{ "POST cubbyhole/a", "{}", .status = 500, .expect = LISTED("missing data fields") },
	{ "POST cubbyhole", "{\"a\":1}", .status = 500, .expect = LISTED("missing path") },
	{ "POST cubbyhole/a/", "{\"a\":1}", .status = 400 }, { "GET cubbyhole/a", .status = 404, .expect = EMPTY },
	{ "LIST cubbyhole", .status = 404, .expect = EMPTY }, { "SCAN cubbyhole", .status = 405 },
	{ "POST auth/token/create", "{\"type\":\"batch\",\"policies\":[\"default\"]}", .status = 200, .save = "batch=auth.client_token" },
	{ "GET cubbyhole/a", .token = "$batch", .status = 400, .expect = PLAIN("cubbyhole operations are only supported by 'service' type tokens") },
	{ "POST cubbyhole/a", "{\"a\":1}", .token = "$batch", .status = 400 }, { "LIST cubbyhole", .token = "$batch", .status = 400 },
	{ "DELETE cubbyhole/a", .token = "$batch", .status = 400 },
	{ NULL },
};

static const struct step life[] = {
	{ "POST cubbyhole/a/b", "{\"x\":1.50,\"y\":[1,{\"b\":null}],\"path\":\"<&\"}", .status = 204, .expect = "" },
	{ "GET cubbyhole/a/b", .status = 200, .expect = "{\"data\":{\"x\":1.50,\"y\":[1,{\"b\":null}],\"path\":\"<&\"},\"warnings\":null}" },
	{ "PUT cubbyhole/a/b", "{\"x\":2}", .status = 204 }, { "GET cubbyhole/a/b", .status = 200, .expect = "{\"data\":{\"x\":2}}", .absent = "data.y" },
	{ "POST cubbyhole/a/c/d", "{\"x\":1}", .status = 204 }, { "POST cubbyhole/a/c/e", "{\"x\":1}", .status = 204 }, { "POST cubbyhole/ab", "{\"x\":1}", .status = 204 },
	{ "LIST cubbyhole", .status = 200, .expect = "{\"data\":{\"keys\":[\"a/\",\"ab\"]}}" },
	{ "LIST cubbyhole/a", .status = 200, .expect = "{\"data\":{\"keys\":[\"b\",\"c/\"]}}" },
	{ "GET cubbyhole/a?list=true", .status = 200, .expect = "{\"data\":{\"keys\":[\"b\",\"c/\"]}}" },
	{ "LIST cubbyhole/a/b", .status = 404 }, { "GET cubbyhole/a", .status = 404 }, { "GET cubbyhole/a/b/", .status = 404 },
	/* nobody else's; the default policy grants it */
	{ "POST auth/token/create", "{\"policies\":[\"default\"]}", .status = 200, .save = "t=auth.client_token" },
	{ "GET cubbyhole/a/b", .token = "$t", .status = 404 }, { "LIST cubbyhole", .token = "$t", .status = 404 },
	{ "POST cubbyhole/a/b", "{\"x\":\"theirs\"}", .token = "$t", .status = 204 },
	{ "GET cubbyhole/a/b", .token = "$t", .status = 200, .expect = "{\"data\":{\"x\":\"theirs\"}}" },
	{ "GET cubbyhole/a/b", .status = 200, .expect = "{\"data\":{\"x\":2}}" },
	{ "POST auth/token/create", "{\"policies\":[\"default\"],\"no_default_policy\":true}", .status = 200, .save = "u=auth.client_token" },
	{ "DELETE cubbyhole/a/b", .status = 204 }, { "DELETE cubbyhole/a/b", .status = 204 }, { "DELETE cubbyhole", .status = 204 },
	{ "GET cubbyhole/a/b", .status = 404 }, { "GET cubbyhole/a/b", .token = "$t", .status = 200 },
	/* a token that is made anew with the same name has none of it */
	{ "POST auth/token/create", "{\"id\":\"again\"}", .status = 200 }, { "POST cubbyhole/k", "{\"x\":1}", .token = "again", .status = 204 },
	{ "POST auth/token/revoke", "{\"token\":\"again\"}", .status = 204 }, { "GET cubbyhole/k", .token = "again", .status = 403 },
	{ "POST auth/token/create", "{\"id\":\"again\"}", .status = 200 }, { "GET cubbyhole/k", .token = "again", .status = 404 },
	{ NULL },
};

START_TEST(cases)
{
	static const struct step *const lists[] = { refusals, life };

	pipeline_begin();
	pipeline_run(lists[_i]);
	ck_assert_str_eq(pipeline_log, "");
	pipeline_end();
}
END_TEST

Suite *cubbyhole_suite(void)
{
	Suite *suite = suite_create("pipeline/cubbyhole");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, cases, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}
