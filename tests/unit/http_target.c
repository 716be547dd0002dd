/* Targets: what is decoded, what is sent elsewhere, what is refused (recorded on the peer). */
#include "unit.h"

#include "http/target.h"

static const struct {
	const char *raw;
	enum bulla_err err;
	const char *path; /* or, where it begins with a slash, the location */
} cases[] = {
	/* refused */
	{ "", BULLA_E_BAD_TARGET, NULL }, { "*", BULLA_E_BAD_TARGET, NULL }, { "v1/sys/health", BULLA_E_BAD_TARGET, NULL },
	{ "/v1/a/%zz", BULLA_E_BAD_TARGET, NULL }, { "/v1/a/%", BULLA_E_BAD_TARGET, NULL }, { "/v1/a/a%2", BULLA_E_BAD_TARGET, NULL },
	{ "/v1/a/%00", BULLA_E_BAD_TARGET, NULL }, { "/v1/a/a%0Ab", BULLA_E_BAD_TARGET, NULL }, { "/v1/a/%7f", BULLA_E_BAD_TARGET, NULL },
	{ "/v1/a/%1f", BULLA_E_BAD_TARGET, NULL }, { "/v1/a/%C2%85", BULLA_E_BAD_TARGET, NULL }, { "/v1/a/%C2%A0", BULLA_E_BAD_TARGET, NULL },
	{ "/v1/a/%E2%80%A8", BULLA_E_BAD_TARGET, NULL }, { "/v1/a/%E2%80%8B", BULLA_E_BAD_TARGET, NULL },
	{ "/v1/k/%CD%B8", BULLA_E_BAD_TARGET, NULL }, { "/v1/k/%CD%B7", BULLA_OK, "k/\xCD\xB7" }, /* U+0378 is nothing, U+0377 a letter */
	{ "/v1/%0a//b", BULLA_E_BAD_TARGET, NULL }, { "/foo/%0a", BULLA_E_BAD_TARGET, NULL }, { "/v1/a\tb", BULLA_E_BAD_TARGET, NULL },
	{ "/", BULLA_E_NOT_FOUND, NULL }, { "/v1", BULLA_E_NOT_FOUND, NULL }, { "/v2/foo", BULLA_E_NOT_FOUND, NULL },
	{ "//v1/sys/health", BULLA_E_NOT_FOUND, NULL }, { "/foo//b", BULLA_E_NOT_FOUND, NULL }, { "/ui/", BULLA_E_NOT_FOUND, NULL },
	{ "http://example.test", BULLA_E_NOT_FOUND, NULL }, { "/v1?list=true", BULLA_E_NOT_FOUND, NULL },
	/* elsewhere */
	{ "/v1/sys", BULLA_OK, "/v1/sys/" }, { "/v1/sys?x=1&y", BULLA_OK, "/v1/sys/?x=1&y" }, { "/v1/%73ys", BULLA_OK, "/v1/%73ys/" },
	{ "/v1//sys", BULLA_OK, "/v1/sys/" }, { "/v1/sys/.", BULLA_OK, "/v1/sys/" }, { "http://example.test/v1/sys", BULLA_OK, "/v1/sys/" },
	{ "/v1/sys?help=1", BULLA_OK, "sys" }, { "/v1/sys/", BULLA_OK, "sys/" }, { "/v1/syst", BULLA_OK, "syst" },
	{ "/v1//a", BULLA_OK, "/v1/a" }, { "/v1/a//b", BULLA_OK, "/v1/a/b" }, { "/v1/a/./b", BULLA_OK, "/v1/a/b" },
	{ "/v1/a/../b", BULLA_OK, "/v1/b" }, { "/v1/a/.", BULLA_OK, "/v1/a" }, { "/v1/a/..", BULLA_OK, "/v1" }, { "/v1/a//", BULLA_OK, "/v1/a/" },
	{ "/v1/../../../x", BULLA_OK, "/x" }, { "/v1/..", BULLA_OK, "/" }, { "/v1/a%20b//c?x=1%20", BULLA_OK, "/v1/a%20b/c?x=1%20" },
	{ "/v1/a%41b//c?", BULLA_OK, "/v1/a%41b/c" }, { "/v1/a\"<b>//c", BULLA_OK, "/v1/a%22%3Cb%3E/c" }, { "/v1/a%2Fb//c", BULLA_OK, "/v1/a%2Fb/c" },
	{ "/v1/a//b?q=\r\nX: y", BULLA_OK, "/v1/a/b?q=%0D%0AX:%20y" },
	/* decoded, once */
	{ "/v1/", BULLA_OK, "" }, { "/v1/sys/health", BULLA_OK, "sys/health" }, { "/%761/sys/health", BULLA_OK, "sys/health" },
	{ "/v1/a/b/", BULLA_OK, "a/b/" }, { "/v1/t%2Fkeys%2Fk", BULLA_OK, "t/keys/k" }, { "/v1/t%2F%2Fkeys/k", BULLA_OK, "t//keys/k" },
	{ "/v1/keys/%2525", BULLA_OK, "keys/%25" }, { "/v1/keys/a%20b+c", BULLA_OK, "keys/a b+c" }, { "/v1/a../b", BULLA_OK, "a../b" },
	{ "/v1/..a/.b", BULLA_OK, "..a/.b" }, { "/v1/a/...", BULLA_OK, "a/..." }, { "/v1/k/%E2%82%AC", BULLA_OK, "k/\xE2\x82\xAC" },
	{ "/v1/k/%ff", BULLA_OK, "k/\xff" }, { "/v1/k/%EF%BF%BD", BULLA_OK, "k/\xEF\xBF\xBD" }, { "http://example.test/v1/sys/init", BULLA_OK, "sys/init" },
	{ "https://[::1]:8200/v1/a?b", BULLA_OK, "a" }, { "/v1/a?x=../..//", BULLA_OK, "a" },
};

START_TEST(decodes)
{
	struct bulla_call call = call_begin();
	struct target target = { .path = { (const uint8_t *)"untouched", 9 } };
	size_t len = strlen(cases[_i].raw);
	char *exact = malloc(len + 1); /* one byte more than it may look at, for an address to be borrowed */

	memcpy(exact, cases[_i].raw, len);
	enum bulla_err err = target_decode(&call, bulla_mem(exact, len), &target);

	ck_assert_msg(err == cases[_i].err, "%s: %d", cases[_i].raw, err);
	if (err != BULLA_OK)
		ck_assert_bytes(target.path, "untouched");
	else if (cases[_i].path[0] == '/')
		ck_assert_str_eq((const char *)target.location.ptr, cases[_i].path);
	else
		ck_assert_bytes(target.path, cases[_i].path);
	free(exact);
	call_end(&call);
}
END_TEST

START_TEST(relative)
{
	static const char *const yes[] = { "/v1/sys/%2e%2e/health", "/v1/sys/%2e/health", "/v1/a/%2e%2e", "/v1/a%2f.%2fb", "/v1/a/.%2E" };
	static const char *const no[] = { "/v1/sys/a%2e/health", "/v1/%2e%2eb", "/v1/a%2fb", "/v1/a/%2e%2e%2e", "/v1/a?b=/%2e%2e/" };
	struct bulla_call call = call_begin();
	struct target target;

	for (size_t i = 0; i < 5; i++) {
		ck_assert_ok(target_decode(&call, bulla_str(yes[i]), &target));
		ck_assert(target.relative);
		ck_assert_ok(target_decode(&call, bulla_str(no[i]), &target));
		ck_assert(!target.relative);
	}
	call_end(&call);
}
END_TEST

START_TEST(query)
{
	struct bulla_call call = call_begin();
	struct target target;

	ck_assert_ok(target_decode(&call, bulla_str("/v1/t/keys?list=true&after=a%26b&after=c"), &target));
	ck_assert_bytes(target.path, "t/keys");
	ck_assert_bytes(json_get(target.query, "list")->text, "true");
	ck_assert_bytes(json_get(target.query, "after")->first->text, "a&b");
	ck_assert_ok(target_decode(&call, bulla_str("/v1/t/keys?"), &target));
	ck_assert_ptr_null(target.query);
	ck_assert_ok(target_decode(&call, bulla_str("/v1/t/keys?%zz"), &target));
	ck_assert_ptr_null(target.query);
	call_end(&call);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http/target");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, decodes, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(tc, relative);
	tcase_add_test(tc, query);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
