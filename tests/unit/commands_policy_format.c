/* Policies laid out anew: what moves, what stays, and that a second time changes nothing. */
#include "unit.h"

#include "commands/policy_format.h"

static const struct {
	const char *text, *wanted;
} cases[] = {
	{ "", "" }, { "\n\n", "" },
	{ "path \"a\" { capabilities=[\"read\"] }", "path \"a\" {\n  capabilities = [\"read\"]\n}\n" },
	{ "path \"a\" {}\npath \"b\" {}", "path \"a\" {\n}\npath \"b\" {\n}\n" },
	{ "path   \"a\"{\n\n\n\nx = 1}", "path \"a\" {\n\n  x = 1\n}\n" },
	{ "# c\n\n// d\npath \"a\" { # e\n/* f\n g */ x = \"#{}=\\\"\" }", "# c\n\n// d\npath \"a\" { # e\n  /* f\n g */ x = \"#{}=\\\"\"\n}\n" },
	{ "path \"a\" {\n c = [\n\"x\",\n  \"y\", # why\n]\n}", "path \"a\" {\n  c = [\n    \"x\",\n    \"y\", # why\n  ]\n}\n" },
	{ "path \"a\" { allowed_parameters = { \"x\" = [], y = [1,2] } }",
	  "path \"a\" {\n  allowed_parameters = {\n    \"x\" = [], y = [1, 2]\n  }\n}\n" },
	{ "path \"a\" { comment=<<EOF\n  {[x\n\n\n\n EOF\n# c\nx=1 }",
	  "path \"a\" {\n  comment = <<EOF\n  {[x\n\n\n\n EOF\n  # c\n  x = 1\n}\n" },
	{ "a = [<<-X\n  1\n  X\n,2,<<Y\nY\n]", "a = [<<-X\n  1\n  X\n  , 2, <<Y\nY\n]\n" },
};

START_TEST(laid_out)
{
	struct bulla_call call = call_begin();
	struct bulla_bytes once, twice;

	ck_assert_ok(policy_format(&call, bulla_str(cases[_i].text), &once));
	ck_assert_bytes(once, cases[_i].wanted);
	ck_assert_ok(policy_format(&call, once, &twice));
	ck_assert(bulla_equal(once, twice));
	call_end(&call);
}
END_TEST

/* Whatever it is given, it ends, and reads nothing beyond. */
START_TEST(nonsense)
{
	static const char *const texts[] = { "\"", "\"\\", "/*", "/* x", "}}}", "]]]", "{{{", "/", "#", "= = ,", "<", "<<", "<<A", "a = <<A\nb", "a = <<-A\nA\n", "path \"a\" {" };
	struct bulla_call call = call_begin();

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct bulla_bytes text = bulla_arena_copy(call.arena, bulla_mem(texts[i], strlen(texts[i]))), out;

		ck_assert_ok(policy_format(&call, text, &out));
		ck_assert_uint_gt(out.len, 0);
	}
	call_end(&call);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("commands/policy_format");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, laid_out, 0, (int)(sizeof cases / sizeof cases[0]));
	tcase_add_test(tc, nonsense);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
