/* The gates: what is refused, with which status and text, and what comes first (recorded on the peer). */
#include "pipeline.h"

#define DENIED "{\"errors\":[\"permission denied\"]}"
#define REFUSED "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}"
#define NO_PATH "{\"errors\":[\"1 error occurred:\\n\\t* unsupported path\\n\\n\"]}"
#define NO_METHOD "{\"errors\":[\"1 error occurred:\\n\\t* unsupported operation\\n\\n\"]}"
#define EMPTY "{\"errors\":[]}"
#define SEALED "{\"errors\":[\"Vault is sealed\"]}"
#define SLASH "{\"errors\":[\"cannot write to a path ending in '/'\"]}"
#define FORM "application/x-www-form-urlencoded"
#define MERGE "application/merge-patch+json"

static const struct step tokens[] = {
	{ "GET transit/keys/k", .token = "", .status = 403, .expect = DENIED },
	{ "GET transit/keys/k", .token = "nonsense", .status = 403, .expect = DENIED },
	{ "GET transit/keys/k", .token = " ", .status = 403, .expect = DENIED },
	{ "GET transit/keys/k", .token = "root ", .status = 403, .expect = DENIED },
	{ "POST transit/encrypt/k", "{\"plaintext\":\"aGk=\"}", .token = "", .status = 403, .expect = DENIED },
	{ "GET nowhere/x", .token = "", .status = 403, .expect = DENIED },
	{ "LIST transit/keys", .token = "", .status = 403, .expect = DENIED },
	{ "DELETE transit/keys/k", .token = "", .status = 403, .expect = DENIED },
	{ "GET sys/nothing", .token = "", .status = 403, .expect = DENIED },
	{ "GET ", .token = "", .status = 403, .expect = DENIED },
	{ "PUT transit/nonsense", .token = "", .status = 403, .expect = DENIED },
	{ "GET sys/health", .token = "a\x1b", .status = 400, .expect = "" }, { "GET transit/keys/k", .namespace = "a\x7f", .status = 400, .expect = "" },
	{ "GET transit/keys/k", .wrap_ttl = "\x01", .status = 400, .expect = "" }, { "GET transit/keys/k", .token = "a\tb", .status = 403, .expect = DENIED },
	{ NULL },
};

#define OUTSIDE "{\"errors\":[\"operation unavailable in namespaces\"]}"

static const struct step order[] = {
	/* the body before the namespace, that before the slash, that before the token */
	{ "POST transit/keys/k/", "{bad", .token = "", .namespace = "foo", .status = 400 },
	{ "POST transit/keys/k/", "{}", .token = "", .namespace = "foo", .status = 404, .expect = "{\"errors\":[\"namespace not found\"]}" },
	{ "POST transit/keys/k/", "{}", .token = "", .status = 400, .expect = SLASH },
	{ "POST nowhere/", "{}", .token = "", .status = 400, .expect = SLASH },
	{ "GET transit/keys/k", .namespace = "root/x", .status = 404, .expect = "{\"errors\":[\"namespace not found\"]}" },
	{ "GET transit/keys/none", .namespace = "/", .status = 404, .expect = EMPTY },
	{ "GET transit/keys/none", .namespace = "root", .status = 404, .expect = EMPTY },
	{ "GET transit/keys/none", .namespace = "root/", .status = 404, .expect = EMPTY },
	/* some paths are outside of them all, and say so first */
	{ "GET sys/init", .namespace = "root", .status = 400, .expect = OUTSIDE }, { "GET sys/health", .namespace = "root/", .status = 400, .expect = OUTSIDE },
	{ "PUT sys/unseal/", "{bad", .namespace = "foo", .status = 400, .expect = OUTSIDE }, { "BREW sys/unseal/x", .namespace = "foo", .status = 400, .expect = OUTSIDE },
	{ "GET sys/rekey/backup", .namespace = "root", .status = 400, .expect = OUTSIDE }, { "GET sys/init", .namespace = "/", .status = 400, .expect = OUTSIDE },
	{ "GET sys/seal-status", .namespace = "root", .status = 200 }, { "GET sys/seal-status/", .namespace = "foo", .status = 404, .expect = "{\"errors\":[\"namespace not found\"]}" },
	{ "GET sys/mounts", .namespace = "root", .status = 200 }, { "GET sys/rotate", .namespace = "foo", .status = 404 },
	/* wrapping: its header is read before the token */
	{ "GET nowhere", .wrap_ttl = "x", .token = "", .status = 400,
	  .expect = "{\"errors\":[\"error parsing X-Vault-Wrap-TTL header: time: invalid duration \\\"x\\\"\"]}" },
	{ "GET nowhere", .wrap_ttl = "-1", .token = "", .status = 400,
	  .expect = "{\"errors\":[\"error parsing X-Vault-Wrap-TTL header: requested wrap ttl cannot be negative\"]}" },
	{ "GET transit/keys/wrapped", .wrap_ttl = "0", .status = 404, .expect = EMPTY },
	{ NULL },
};

static const struct step help[] = {
	{ "GET transit/keys/k?help=1", .token = "", .status = 403, .expect = DENIED }, { "GET transit/keys/k?help=1", .token = "bad", .status = 403, .expect = DENIED },
	{ "GET nowhere?help=1", .token = "", .status = 403 }, { "GET nowhere?help=1", .status = 404, .expect = "{\"errors\":[\"no handler for route \\\"nowhere\\\". route entry not found.\"]}" },
	{ "GET transit/nonsense?help=1", .status = 404 }, { "GET transit/keys/k?help=1", .namespace = "foo", .status = 404 }, { "GET sys/health?help=1", .namespace = "foo", .status = 400 },
	{ "GET transit/keys/k?help=1", .wrap_ttl = "x", .status = 200, .absent = "wrap_info",
	  .expect = "{\"help\":\"%any\",\"openapi\":{\"openapi\":\"3.0.2\",\"paths\":{\"/keys/{name}\":{\"get\":{},\"post\":{},\"delete\":{}}}},\"see_also\":null}" },
	{ "GET transit?help=1", .status = 200, .expect = "{\"help\":\"%any\",\"openapi\":{\"paths\":{\"/keys\":{},\"/encrypt/{name}\":{}}}}" }, { "GET transit/?help=true", .status = 200 },
	{ "GET sys?help=1", .status = 200, .expect = "{\"openapi\":{\"paths\":{\"/mounts/{path}/tune\":{}}}}" }, { "GET sys/health?help=1", .token = "", .status = 200 },
	{ "GET auth/token?help=1", .status = 200 }, { "GET cubbyhole?help=1", .status = 200 }, { "LIST transit/keys/?help=0", .status = 200, .expect = "{\"help\":\"%any\"}" },
	/* nothing is done */
	{ "POST transit/keys/k?help=1", "{bad", .status = 200, .expect = "{\"help\":\"%any\"}" }, { "PUT transit/encrypt/k?help=1", "{\"plaintext\":\"aGk=\"}", .status = 200 },
	{ "GET transit/keys/k?help=", .status = 404, .expect = EMPTY }, { "GET transit/keys/k?help", .status = 404, .expect = EMPTY },
	{ "POST auth/token/create", "{\"policies\":[\"none\"],\"no_default_policy\":true}", .status = 200, .save = "none=auth.client_token" },
	{ "GET transit/keys/k?help=1", .token = "$none", .status = 200 },
	{ NULL },
};

static const struct step bodies[] = {
	{ "POST transit/keys/k", "{bad", .token = "", .status = 400, .expect = "{\"errors\":[\"%any\"]}" },
	{ "POST transit/keys/k", "[]", .status = 400 }, { "POST transit/keys/k", "\"x\"", .status = 400 },
	{ "POST transit/keys/k", "hello", .status = 400 }, { "POST transit/keys/k", "{'a':1}", .status = 400 },
	{ "POST transit/keys/k", "{\"a\":1,}", .status = 400 }, { "POST transit/keys/k", "{\"a\":NaN}", .status = 400 },
	{ "POST transit/keys/k", "{\"a\":1e400}", .status = 400 }, { "POST transit/keys/k", "\xEF\xBB\xBF{}", .status = 400 },
	{ "POST transit/keys/k", "{}", .too_large = true, .token = "", .status = 413, .expect = "{\"errors\":[\"http: request body too large\"]}" },
	{ "POST nowhere/x", "a=%zz", .content_type = FORM, .token = "", .status = 400, .expect = "{\"errors\":[\"error parsing form data\"]}" },
	/* with a form the query has to be good as well; with JSON it need not be */
	{ "POST nowhere/x?a=%zz", "a=b", .content_type = FORM, .token = "", .status = 400, .expect = "{\"errors\":[\"error parsing form data\"]}" },
	{ "POST nowhere/x?a;b", "a=b", .content_type = FORM, .token = "", .status = 400, .expect = "{\"errors\":[\"error parsing form data\"]}" },
	{ "POST nowhere/x?a=%zz", "{}", .content_type = FORM, .token = "", .status = 403 },
	{ "POST nowhere/x?a=%20b", "a=b", .content_type = FORM, .token = "", .status = 403 },
	{ "GET transit/keys/k", .status = 404, .expect = EMPTY }, /* nothing of this made a key */
	/* what is taken */
	{ "POST transit/keys/k", .status = 200 }, { "POST transit/keys/k", "null", .status = 200 },
	{ "POST transit/keys/k", " \n", .status = 200 }, { "POST transit/keys/k", "{}{", .status = 200 }, { "POST transit/keys/k", "{} x", .status = 400 },
	{ "POST transit/encrypt/k", "plaintext=aGVsbG8%3D", .content_type = FORM, .status = 200 },
	{ "POST transit/encrypt/k", "  {\"plaintext\":\"aGk=\"}", .content_type = FORM "; charset=utf-8", .status = 200 },
	{ "POST transit/encrypt/k", "{\"plaintext\":\"aGk=\"}", .content_type = "text/plain", .status = 200 },
	{ "POST transit/encrypt/k", "{\"plaintext\":\"!!\",\"plaintext\":\"aGk=\"}", .status = 200 },
	{ "POST transit/encrypt/k", "{\"plaintext\":\"\\u0061Gk=\"}", .status = 200 },
	{ "POST transit/encrypt/k", "{\"plaintext\":\"\xff\"}", .status = 400, .expect = "{\"errors\":[\"illegal base64 data at input byte 0\"]}" },
	{ "POST transit/encrypt/k", "{\"plaintext\":\"\\ud800\"}", .status = 400 },
	/* bodies that do not count, queries that do and do not */
	{ "GET transit/keys/k", "junk", .status = 200 }, { "LIST transit/keys", "junk", .status = 200 },
	{ "GET transit/keys/k", "x", .too_large = true, .status = 200 },
	{ "POST transit/encrypt/k?plaintext=aGk=", .status = 400, .expect = "{\"errors\":[\"missing plaintext to encrypt\"]}" },
	{ "GET transit/keys/k?%zz&a;b", .status = 200, .expect = "{\"warnings\":null}" },
	{ NULL },
};

static const struct step warnings[] = {
	{ "POST transit/keys/k", "{\"b\":1,\"a\":{\"c\":[]}}", .status = 200,
	  .expect = "{\"warnings\":[\"Endpoint ignored these unrecognized parameters: [a b]\"]}" },
	{ "GET transit/keys/k?foo=1&foo=2", .status = 200, .expect = "{\"warnings\":[\"Endpoint ignored these unrecognized parameters: [foo]\"]}" },
	{ "GET transit/keys/k?list=false", .status = 200, .expect = "{\"warnings\":[\"Endpoint ignored these unrecognized parameters: [list]\"]}" },
	{ "GET transit/keys?list=true&foo=1", .status = 200, .expect = "{\"warnings\":[\"Endpoint ignored these unrecognized parameters: [foo]\"]}" },
	{ "LIST transit/keys?list=yes", .status = 200, .expect = "{\"warnings\":[\"Endpoint ignored these unrecognized parameters: [list]\"]}" },
	{ "POST transit/encrypt/k", "{\"name\":\"other\",\"plaintext\":\"aGk=\",\"Plaintext\":1}", .status = 200,
	  .expect = "{\"warnings\":[\"Endpoint ignored these unrecognized parameters: [Plaintext]\","
		    "\"Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [name]\"]}" },
	{ "POST transit/encrypt/k", "{\"name\":null,\"plaintext\":\"aGk=\"}", .status = 200, .expect = "{\"warnings\":null}" },
	{ "GET sys/mounts?foo=1&list=", .status = 200, .expect = "{\"warnings\":[\"Endpoint ignored these unrecognized parameters: [foo list]\"]}" },
	/* not with an error */
	{ "POST transit/encrypt/k", "{\"plaintext\":\"!\",\"foo\":1}", .status = 400, .absent = "warnings" },
	{ NULL },
};

static const struct step targets[] = {
	{ "GET /", .status = 404, .expect = EMPTY }, { "GET /v1", .token = "", .status = 404, .expect = EMPTY },
	{ "GET /v2/x", .status = 404, .expect = EMPTY }, { "POST //v1/transit/keys/k", "{}", .status = 404, .expect = EMPTY },
	{ "GET *", .status = 400, .expect = "" }, { "GET transit/keys/%00", .status = 400, .expect = "" },
	{ "GET transit/keys/%zz", .status = 400, .expect = "" }, { "GET transit/keys/a%0Ab", .token = "", .status = 400, .expect = "" },
	{ "FOO transit/%2e%2e/x", .status = 405 }, { "POST transit/%2e%2e/x", "{bad", .status = 400, .absent = "data" },
	{ "OPTIONS transit/%2e%2e/", .token = "", .status = 400, .expect = "{\"errors\":[\"relative paths not supported\"]}" },
	{ "GET transit/%2e%2e/x", .status = 400, .expect = "{\"errors\":[\"relative paths not supported\"]}" },
	{ "GET transit//keys/k", .status = 307, .location = "/v1/transit/keys/k" },
	{ "GET transit/keys/../keys/k?a=b", .token = "", .status = 307, .location = "/v1/transit/keys/k?a=b" },
	{ "POST transit//encrypt/k", "{bad", .status = 307, .location = "/v1/transit/encrypt/k", .expect = "" },
	{ "POST transit/keys/k", "{}", .status = 200 },
	{ "GET transit%2Fkeys%2Fk", .status = 200 }, { "GET http://example.test/v1/transit/keys/k", .status = 200 },
	{ "GET transit/keys/%6b", .status = 200 },
	{ "GET transit/keys/k%2Frotate", .status = 405, .expect = NO_METHOD },
	{ "GET transit/keys/k%20", .status = 404, .expect = NO_PATH }, { "GET transit/keys/%E2%82%AC", .status = 404, .expect = NO_PATH },
	{ "GET transit/keys/%25", .status = 404, .expect = NO_PATH }, { "GET transit/keys/.b", .status = 404, .expect = NO_PATH },
	{ "GET transit/keys/b.", .status = 404, .expect = NO_PATH }, { "GET transit/keys/-b", .status = 404, .expect = NO_PATH },
	{ "GET transit/keys/..", .status = 307, .location = "/v1/transit" },
	{ "GET transit/keys/a..b", .status = 404, .expect = EMPTY }, { "GET transit/keys/k/", .status = 404, .expect = NO_PATH },
	{ "GET transit%2F%2Fkeys/k", .status = 404, .expect = NO_PATH },
	{ NULL },
};

static const struct step routes[] = {
	{ "GET transit", .status = 404, .expect = NO_PATH }, { "GET transit/", .status = 404, .expect = NO_PATH },
	{ "LIST transit", .status = 404, .expect = NO_PATH }, { "GET transit/nonsense", .status = 404, .expect = NO_PATH },
	{ "POST transit/nonsense", "{}", .status = 404, .expect = NO_PATH },
	{ "LIST transit/encrypt/k", .status = 404, .expect = NO_PATH }, { "GET transit/keys/k?list=true", .status = 404, .expect = NO_PATH },
	{ "GET nosuch", .status = 404, .expect = "{\"errors\":[\"no handler for route \\\"nosuch\\\". route entry not found.\"]}" },
	{ "LIST nosuch/x", .status = 404, .expect = "{\"errors\":[\"no handler for route \\\"nosuch/x/\\\". route entry not found.\"]}" },
	{ "GET transition/keys/k", .status = 404, .expect = "{\"errors\":[\"no handler for route \\\"transition/keys/k\\\". route entry not found.\"]}" },
	{ "GET ", .status = 404, .expect = "{\"errors\":[\"no handler for route \\\"\\\". route entry not found.\"]}" },
	{ "GET sys/", .status = 404, .expect = NO_PATH }, { "GET sys/nothing", .status = 404, .expect = NO_PATH },
	{ "GET cubbyhole/x", .status = 404 },
	{ NULL },
};

static const struct step methods[] = {
	{ "FOO nowhere", .token = "", .status = 405, .expect = EMPTY }, { "OPTIONS transit/keys", .token = "", .status = 400 },
	{ "PATCH transit/keys/k", "{}", .token = "", .content_type = "application/json", .status = 415,
	  .expect = "{\"errors\":[\"PATCH requires Content-Type of application/merge-patch+json, provided application/json\"]}" },
	{ "PATCH transit/keys/k", "{}", .status = 400, .expect = "{\"errors\":[\"mime: no media type\"]}" },
	{ "PATCH transit/keys/k", "{bad", .content_type = MERGE, .status = 400 },
	{ "PATCH transit/keys/k", "{}", .content_type = MERGE, .status = 405, .expect = NO_METHOD },
	{ "GET transit/encrypt/k", .status = 405, .expect = NO_METHOD, .allow = "POST, PUT" },
	{ "DELETE transit/encrypt/k", .status = 405, .expect = NO_METHOD },
	{ "GET transit/keys", .status = 405, .expect = NO_METHOD, .allow = "LIST" }, { "DELETE transit/keys/", .status = 405, .expect = NO_METHOD },
	{ "GET transit/keys?list=false", .status = 405, .expect = NO_METHOD }, { "GET transit/keys?list=", .status = 405, .expect = NO_METHOD },
	{ "GET transit/keys?list=false&list=true", .status = 405, .expect = NO_METHOD },
	{ "GET transit/keys?list=yes", .token = "", .status = 400, .expect = EMPTY }, { "SCAN transit/keys", .status = 405, .expect = NO_METHOD },
	{ "GET transit/keys?scan=1", .status = 405, .expect = NO_METHOD }, { "SCAN transit/keys/k", .status = 404, .expect = NO_PATH },
	{ "HEAD transit/keys/k", .status = 405 }, { "HEAD transit/keys/k", .token = "", .status = 403 }, { "HEAD nowhere", .status = 404 },
	{ "PUT transit/keys/k", "{}", .status = 200 }, { "LIST transit/keys", .status = 200, .expect = "{\"data\":{\"keys\":[\"k\"]}}" },
	{ "LIST transit/keys/", .status = 200 }, { "GET transit/keys/?list=true", .status = 200 }, { "GET transit/keys?list=1", .status = 200 },
	{ "GET transit/keys?list=True", .status = 200 },
	{ NULL },
};

static const struct step sealed[] = {
	{ "GET transit/keys/k", .status = 503, .expect = SEALED }, { "GET transit/keys/k", .token = "", .status = 503, .expect = SEALED },
	{ "POST transit/encrypt/k", "{\"plaintext\":\"aGk=\"}", .status = 503, .expect = SEALED },
	{ "POST transit/encrypt/k", "{bad", .status = 400 }, { "GET nowhere", .status = 503, .expect = SEALED },
	{ "POST transit/keys/", "{}", .status = 503, .expect = SEALED }, { "GET sys/mounts", .token = "", .status = 503, .expect = SEALED },
	{ "FOO transit/keys", .status = 405, .expect = EMPTY }, { "GET /v1//x", .status = 307, .location = "/v1/x" },
	{ NULL },
};

START_TEST(unsealed_cases)
{
	static const struct step *const lists[] = { tokens, order, help, bodies, warnings, targets, routes, methods };

	pipeline_begin();
	pipeline_run(lists[_i]);
	ck_assert_str_eq(pipeline_log, "");
	pipeline_end();
}
END_TEST

START_TEST(uninitialised_cases)
{
	pipeline_begin_uninitialised();
	pipeline_run(sealed);
	pipeline_end();
}
END_TEST

START_TEST(sealed_cases)
{
	pipeline_begin();
	struct bulla_arena *arena = bulla_arena_new(1024);
	struct bulla_call call = { .arena = arena, .may_block = true };

	ck_assert_int_eq(bulla_seal(pipeline_engine, &call), BULLA_OK);
	pipeline_run(sealed);
	bulla_arena_free(arena);
	pipeline_end();
}
END_TEST

Suite *gates_suite(void)
{
	Suite *suite = suite_create("pipeline/gates");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, unsealed_cases, 0, 8);
	tcase_add_test(tc, uninitialised_cases);
	tcase_add_test(tc, sealed_cases);
	suite_add_tcase(suite, tc);
	return suite;
}
