/* commands_hcl.c: the reader of configuration files: what it refuses and with which line, then what it reads. */
#include "commands/hcl.h"
#include "unit.h"

static const struct {
	const char *text, *says;
} bad[] = {
	{ "a = ", "f:1: a value is missing for a" },
	{ "a", "f:1: = or { is missing after a" },
	{ "a b = 1", "f:1: = or { is missing after a" },
	{ "\n\n= 1", "f:3: a name is missing" },
	{ "\"a\" = 1", "f:1: a name is missing" },
	{ "a = \"x", "f:1: the string does not end on its line" },
	{ "a = \"x\ny\"", "f:1: the string does not end on its line" },
	{ "a = \"x\\", "f:1: the string does not end on its line" },
	{ "a = \"x\\\"", "f:1: the string does not end on its line" },
	{ "a = \"\\q\"", "f:1: unknown escape in a string" },
	{ "a = \"\\u12\"", "f:1: \\u needs four hexadecimal digits" },
	{ "a = \"\\u0000\"", "f:1: \\u names no character" },
	{ "a = \"\\ud800\"", "f:1: \\u names no character" },
	{ "a = \"\x01\"", "f:1: control character in a string" },
	{ "a = \"\xff\"", "f:1: the string is not UTF-8" },
	{ "a = \"\xc0\x80\"", "f:1: the string is not UTF-8" },
	{ "a = 1x", "f:1: not a string in quotes, a whole number, true, false or a list: 1x" },
	{ "a = 1.5", "f:1: not a string in quotes, a whole number, true, false or a list: 1.5" },
	{ "a = -", "f:1: not a string in quotes, a whole number, true, false or a list: -" },
	{ "a = yes", "f:1: not a string in quotes, a whole number, true, false or a list: yes" },
	{ "a = 'x'", "f:1: a value is missing for a" },
	{ "a = <<EOF\nx\nEOF", "f:1: a value is missing for a" },
	{ "a = {}", "f:1: a value is missing for a" },
	{ "a = 1 b = 2", "f:1: something follows on the line" },
	{ "a = 1; b = 2", "f:1: something follows on the line" },
	{ "a {\n} b {\n}", "f:2: something follows on the line" },
	{ "a \"b\" \"c\" {\n}", "f:1: = or { is missing after a" },
	{ "a {\nb = 1\n", "f:1: } is missing for a" },
	{ "a {\n}\n}", "f:3: a name is missing" },
	{ "a = [1, 2", "f:1: a comma or ] is missing in the list" },
	{ "a = [1 2]", "f:1: a comma or ] is missing in the list" },
	{ "a = [,]", "f:1: a value is missing for " },
	{ "\n/* no end\n\n", "f:2: the comment does not end" },
	{ "a = [[[[[[[[[1]]]]]]]]]", "f:1: nested too deep" },
	{ "a {\na {\na {\na {\na {\na {\na {\na {\na {\n", "f:9: nested too deep" },
	{ "\xef\xbb\xbf" "a = 1", "f:1: a name is missing" },
};

START_TEST(refuses)
{
	struct bulla_call call = call_begin();
	struct hcl *root = NULL;

	ck_assert_err(hcl_parse(&call, "f", bulla_str(bad[_i].text), &root), BULLA_E_CONFIG);
	ck_assert_str_eq((const char *)call.detail.ptr, bad[_i].says);
	ck_assert_ptr_null(root);
	call_end(&call);
}
END_TEST

START_TEST(refuses_nul_and_size)
{
	struct bulla_call call = call_begin();
	struct hcl *root = NULL;
	char *much = calloc(1, HCL_MAX_BYTES + 1);

	ck_assert_ptr_nonnull(much);
	memset(much, '\n', HCL_MAX_BYTES + 1);
	ck_assert_err(hcl_parse(&call, "f", bulla_mem("a = 1\0", 6), &root), BULLA_E_CONFIG);
	ck_assert_err(hcl_parse(&call, "f", bulla_mem(much, HCL_MAX_BYTES + 1), &root), BULLA_E_CONFIG);
	ck_assert_ok(hcl_parse(&call, "f", bulla_mem(much, HCL_MAX_BYTES), &root));
	ck_assert_ptr_null(root->first);
	free(much);
	call_end(&call);
}
END_TEST

/* Cut anywhere, and with any byte changed: an error or a tree, and no read beyond the end (the copy is exact, for ASan). */
START_TEST(survives_damage)
{
	static const char text[] = "# c\nstorage \"sqlite\" {\n path = \"/x\\u00e9\\n\" // d\n}\na = [1, \"b\", true,]\n/* e */ n = -5\n";
	size_t len = sizeof text - 1;

	for (size_t cut = 0; cut <= len; cut++) {
		for (int byte = -1; byte < 256; byte += byte < 0 ? 1 : 5) {
			struct bulla_call call = call_begin();
			struct hcl *root = NULL;
			char *copy = malloc(cut + 1);

			ck_assert_ptr_nonnull(copy);
			memcpy(copy, text, cut);
			if (byte >= 0 && cut > 0)
				copy[cut / 2] = (char)byte;
			char *exact = realloc(copy, cut > 0 ? cut : 1);

			ck_assert_ptr_nonnull(exact);
			ck_assert(hcl_parse(&call, "f", bulla_mem(exact, cut), &root) == BULLA_OK || call.detail.len > 0);
			free(exact);
			call_end(&call);
		}
	}
}
END_TEST

START_TEST(reads)
{
	static const char text[] =
		"# one\n// two\n/* three\n*/ storage \"sqlite\" { path = \"/a\\t\\\"\\\\\\u00e9\\u20ac\" }\n"
		"on = true, off = false\nn = -12\nempty = \"\"\nlist = [\n 1, # x\n \"b\",\n]\nbare {\n}\n";
	struct bulla_call call = call_begin();
	struct hcl *root = NULL;

	ck_assert_ok(hcl_parse(&call, "f", bulla_str(text), &root));
	const struct hcl *h = root->first;

	ck_assert_int_eq(h->kind, HCL_BLOCK);
	ck_assert_str_eq(h->name, "storage");
	ck_assert_str_eq(h->label, "sqlite");
	ck_assert_uint_eq(h->line, 4);
	ck_assert_str_eq(h->first->name, "path");
	ck_assert_str_eq(h->first->text, "/a\t\"\\\xc3\xa9\xe2\x82\xac");
	h = h->next;
	ck_assert(h->kind == HCL_BOOL && h->boolean);
	h = h->next;
	ck_assert(h->kind == HCL_BOOL && !h->boolean);
	h = h->next;
	ck_assert_int_eq(h->kind, HCL_NUMBER);
	ck_assert_str_eq(h->text, "-12");
	ck_assert_uint_eq(h->line, 6);
	h = h->next;
	ck_assert(h->kind == HCL_STRING && h->text[0] == '\0');
	h = h->next;
	ck_assert_int_eq(h->kind, HCL_LIST);
	ck_assert_str_eq(h->first->text, "1");
	ck_assert_str_eq(h->first->next->text, "b");
	ck_assert_ptr_null(h->first->next->next);
	h = h->next;
	ck_assert(h->kind == HCL_BLOCK && h->label == NULL && h->first == NULL && h->next == NULL);
	ck_assert_uint_eq(h->line, 12);
	call_end(&call);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("commands/hcl");
	TCase *tc = tcase_create("hcl");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, refuses, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(tc, refuses_nul_and_size);
	tcase_add_test(tc, survives_damage);
	tcase_add_test(tc, reads);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
