/* base_hcl.c: the reader of configuration files and policies: what it refuses and with which line, then what it reads. */
#include "bulla/hcl.h"
#include "unit.h"

static const struct {
	const char *text, *says;
} bad[] = {
	{ "a = ", "f:1:5: a value is missing for a" },
	{ "a", "f:1:2: = or { is missing after a" },
	{ "a b = 1", "f:1:5: { is missing after b" },
	{ "a \"b\" \"c\" \"d\" {}", "f:1:11: { is missing after b" },
	{ "\n\n= 1", "f:3:1: a name is missing" },
	{ "a = \"x", "f:1:5: the string does not end on its line" },
	{ "a = \"x\ny\"", "f:1:5: the string does not end on its line" },
	{ "a = \"x\\", "f:1:5: the string does not end on its line" },
	{ "a = \"x\\\ny\"", "f:1:5: the string does not end on its line" },
	{ "a = \"x\\\"", "f:1:5: the string does not end on its line" },
	{ "a = \"\\q\"", "f:1:7: unknown escape in a string" },
	{ "a = \"\\u12\"", "f:1:10: \\u needs four hexadecimal digits" },
	{ "a = \"\\u0000\"", "f:1:8: \\u names no character" },
	{ "a = \"\\ud800\"", "f:1:8: \\u names no character" },
	{ "a = \"\\ud800\\u0041\"", "f:1:8: \\u names no character" },
	{ "a = \"\\udc00\"", "f:1:8: \\u names no character" },
	{ "a = \"\x01\"", "f:1:6: control character in a string" },
	{ "a = \"\xff\"", "f:1:5: the string is not UTF-8" },
	{ "a = \"\xc0\x80\"", "f:1:5: the string is not UTF-8" },
	{ "a = 1x", "f:1:5: not a string in quotes, a whole number, true, false, a list or an object: 1x" },
	{ "a = 1.5", "f:1:5: not a string in quotes, a whole number, true, false, a list or an object: 1.5" },
	{ "a = -", "f:1:5: not a string in quotes, a whole number, true, false, a list or an object: -" },
	{ "a = yes", "f:1:5: not a string in quotes, a whole number, true, false, a list or an object: yes" },
	{ "a = 'x'", "f:1:5: a value is missing for a" },
	{ "a = <", "f:1:5: heredoc expected second '<', didn't see it" },
	{ "a = <EOF\nx\nEOF\n", "f:1:5: heredoc expected second '<', didn't see it" },
	{ "a = <<", "f:1:5: heredoc not terminated" },
	{ "a = <<-", "f:1:5: heredoc not terminated" },
	{ "a = <<EOF", "f:1:5: heredoc not terminated" },
	{ "a = <<EOF\r", "f:1:5: heredoc not terminated" },
	{ "a = <<EOF\n", "f:1:5: heredoc not terminated" },
	{ "a = <<EOF\nx\nEOF", "f:1:5: heredoc not terminated" },
	{ "a = <<EOF\nx\nEOF\r", "f:1:5: heredoc not terminated" },
	{ "a = <<EOF\nx\nEOF }\n", "f:1:5: heredoc not terminated" },
	{ "a = <<EOF\nx\nEOF \n", "f:1:5: heredoc not terminated" },
	{ "a = <<EOF\nx\nEOFF\neof\nEO\n", "f:1:5: heredoc not terminated" },
	{ "a = <<-EOF\n  x\nEOF\n", "f:1:5: heredoc not terminated" },
	{ "a = <<\nx\n\n", "f:1:5: zero-length heredoc anchor" },
	{ "a = <<-\nx\n\n", "f:1:5: zero-length heredoc anchor" },
	{ "a = << EOF\nx\nEOF\n", "f:1:5: invalid characters in heredoc anchor" },
	{ "a = <<EOF \nx\nEOF\n", "f:1:5: invalid characters in heredoc anchor" },
	{ "a = <<\"EOF\"\nx\nEOF\n", "f:1:5: invalid characters in heredoc anchor" },
	{ "a = <<E-F\nx\nE-F\n", "f:1:5: invalid characters in heredoc anchor" },
	{ "a = <<\xc3\x89\nx\n\xc3\x89\n", "f:1:5: invalid characters in heredoc anchor" },
	{ "a = <<EOF\r\r\nx\nEOF\n", "f:1:5: invalid characters in heredoc anchor" },
	{ "a = <<EOF\nx\n\x01y\nEOF\n", "f:3:1: control character in a heredoc" },
	{ "a = <<EOF\nx\ry\nEOF\n", "f:2:2: control character in a heredoc" },
	{ "a = <<EOF\n\xff\nEOF\n", "f:1:5: the heredoc is not UTF-8" },
	{ "a = <<EOF\n\n\nEOF\n b c", "f:5:5: { is missing after c" },
	{ "<<EOF\na\nEOF\n = 1", "f:1:1: a name is missing" },
	{ "a <<EOF\na\nEOF\n {}", "f:1:3: = or { is missing after a" },
	{ "{\"a\": <<EOF\nx\nEOF\n}", "f:1:7: a value is missing for a" },
	{ "a = 1; b = 2", "f:1:6: a name is missing" },
	{ "a = 1,, b = 2", "f:1:7: a name is missing" },
	{ "a {\nb = 1\n", "f:3:1: } is missing for a" },
	{ "a {\n}\n}", "f:3:1: a name is missing" },
	{ "a = [1, 2", "f:1:10: a comma or ] is missing in the list" },
	{ "a = [1 2]", "f:1:8: a comma or ] is missing in the list" },
	{ "a = [,]", "f:1:6: a value is missing" },
	{ "\n/* no end\n\n", "f:2:1: the comment does not end" },
	{ "a = [[[[[[[[[1]]]]]]]]]", "f:1:13: nested too deep" },
	{ "a {\na {\na {\na {\na {\na {\na {\na {\na {\n", "f:9:3: nested too deep" },
	{ "\xef\xbb\xbf" "a = 1", "f:1:1: a name is missing" },
	/* JSON */
	{ "{", "f:1:2: } is missing for " },
	{ "{}\n{}", "f:2:1: something follows the end" },
	{ "{a:1}", "f:1:2: a name is missing" },
	{ "{\"a\"=1}", "f:1:5: : is missing after a" },
	{ "{\"a\":1 \"b\":2}", "f:1:8: a comma or } is missing" },
	{ "{\"a\":null}", "f:1:6: not a string in quotes, a whole number, true, false, a list or an object: null" },
	{ "{\"a\":1} # b", "f:1:9: something follows the end" },
	{ "{\"a\" {}}", "f:1:6: : is missing after a" },
	{ "[]", "f:1:1: a name is missing" },
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

/* A list of empty strings, of as many as fit: refused before it takes all memory. */
START_TEST(refuses_too_many)
{
	struct bulla_call call = call_begin();
	struct hcl *root = NULL;
	size_t n = 5 + 2 * (HCL_MAX_NODES + 1);
	char *much = malloc(n + 1);

	ck_assert_ptr_nonnull(much);
	memcpy(much, "a = [", 5);
	for (size_t i = 5; i + 1 < n; i += 2)
		memcpy(much + i, "1,", 2);
	much[n - 1] = ']';
	ck_assert_err(hcl_parse(&call, NULL, bulla_mem(much, n), &root), BULLA_E_CONFIG);
	ck_assert_ptr_nonnull(strstr((const char *)call.detail.ptr, "too many values"));
	ck_assert_int_eq(strncmp((const char *)call.detail.ptr, "At 1:", 5), 0);
	free(much);
	call_end(&call);
}
END_TEST

/* Cut anywhere, and with any byte changed: an error or a tree, and no read beyond the end (the copy is exact, for ASan). */
START_TEST(survives_damage)
{
	static const char text[] = "# c\nstorage \"sqlite\" {\n path = \"/x\\u00e9\\n\" // d\n}\na = [1, \"b\", true,]\n/* e */ n = -5\nh = <<-A\n  x\n  A\n";
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

/* The shapes that policies have, in HCL and in JSON. */
START_TEST(reads_policies)
{
	static const char *const texts[] = {
		"path \"a/*\" \"z\" { caps = [\"x\"] params = { \"A\" = [] \"*\" = [1, true] } }\npath b {} path = [{ c = {} }]",
		"path a/* {}",
		" {\"path\":{\"a/*\":{\"caps\":[\"\\ud83d\\ude00\\/\"],},\"b\":{}}, \"n\":-1}\n",
	};
	struct bulla_call call = call_begin();
	struct hcl *root = NULL;

	ck_assert_ok(hcl_parse(&call, NULL, bulla_str(texts[0]), &root));
	const struct hcl *h = root->first;

	ck_assert_str_eq(h->label, "a/*");
	ck_assert_str_eq(h->label2, "z");
	ck_assert_str_eq(h->first->next->name, "params");
	ck_assert_int_eq(h->first->next->kind, HCL_BLOCK);
	ck_assert_str_eq(h->first->next->first->name, "A");
	ck_assert_uint_eq(h->first->next->first->column, 42);
	ck_assert_str_eq(h->next->label, "b");
	ck_assert_uint_eq(h->next->line, 2);
	ck_assert_int_eq(h->next->next->kind, HCL_LIST);
	ck_assert_str_eq(h->next->next->first->first->name, "c");
	root = NULL;
	ck_assert_err(hcl_parse(&call, NULL, bulla_str(texts[1]), &root), BULLA_E_CONFIG); /* / is of no word; what follows a comment */
	ck_assert_ok(hcl_parse(&call, NULL, bulla_str(texts[2]), &root));
	ck_assert_str_eq(root->first->first->name, "a/*");
	ck_assert_str_eq(root->first->first->first->first->text, "\xf0\x9f\x98\x80/");
	ck_assert_str_eq(root->first->next->text, "-1");
	call_end(&call);
}
END_TEST

/* The values are what OpenBao 2.7.2 makes of them. */
static const struct {
	const char *text, *value;
} heredocs[] = {
	{ "a = <<EOF\nEOF\n", "" },
	{ "a = <<EOF\nx\nEOF\n", "x\n" },
	{ "a=<<_1\nx\n_1\n", "x\n" },
	{ "a = <<EOF\n\n x\ty \n\nEOF\n", "\n x\ty \n\n" },
	{ "a = <<EOF\r\nx\r\n\r\nEOF\r\n", "x\n\n" },
	{ "a = <<EOF\n}\n# \"\n${x\n\\n\nEOF\n", "}\n# \"\n${x\n\\n\n" },
	{ "a = <<EOF\n EOFF\nxEOF\nEOF x\nEOF\n", " EOFF\nxEOF\nEOF x\n" },
	{ "a = <<EOF\nx\n \t EOF\n", "x\n \t " },
	{ "a = <<-EOF\n  x\n    y\n  EOF\n", "x\n  y\n" },
	{ "a = <<-EOF\n\t\tx\n\tEOF\n", "\tx\n" },
	{ "a = <<-EOF\n  x\n\n  EOF\n", "  x\n\n" },
	{ "a = <<-EOF\n  x\n y\n  EOF\n", "  x\n y\n" },
	{ "a = <<-EOF\n  EOF\n", "" },
	{ "a = <<-EOF\nx\nEOF\n EOF\n", "x\nEOF\n" },
	{ "a = <<-EOF\r\n  x\r\n  EOF\r\n", "x\n" },
	{ "a = <<EOF\n\xc3\xa9\nEOF\n", "\xc3\xa9\n" },
};

START_TEST(reads_heredocs)
{
	struct bulla_call call = call_begin();
	const char *text = heredocs[_i].text;
	struct hcl *root = NULL;

	struct bulla_bytes longer = bulla_arena_printf(call.arena, "%s b = [<<X\n1\nX\n, 2]", text);

	ck_assert_ok(hcl_parse(&call, "f", bulla_str(text), &root));
	ck_assert(root->first->kind == HCL_STRING && root->first->next == NULL);
	ck_assert_str_eq(root->first->text, heredocs[_i].value);
	ck_assert_uint_eq(hcl_heredoc_length(bulla_str(strchr(text, '<'))), strlen(strchr(text, '<')));
	ck_assert_ok(hcl_parse(&call, "f", longer, &root));
	ck_assert_str_eq(root->first->text, heredocs[_i].value);
	ck_assert_str_eq(root->first->next->first->text, "1\n");
	ck_assert_str_eq(root->first->next->first->next->text, "2");
	call_end(&call);
}
END_TEST

/* Configurations are written by programs, too. */
START_TEST(reads_loose_numbers_and_null)
{
	static const struct {
		const char *text, *number; /* NULL: refused */
	} cases[] = {
		{ "a = 3.3554432e+07", "33554432" }, { "{\"a\": 3.3554432e+07}", "33554432" }, { "a = 90.0", "90" }, { "a = -1e3", "-1000" },
		{ "a = 1E2", "100" }, { "a = 0.5", "0.5" }, { "a = 1e300", "1e300" }, { "a = 0600", "0600" }, { "a = 1e-2", "1e-2" },
		{ "a = 9007199254740993", "9007199254740993" }, { "a = 1e", NULL }, { "a = 1.", "1" }, { "a = .5", NULL }, { "a = 1.2.3", NULL },
		{ "a = 1e+", NULL }, { "a = 0x10", NULL }, { "a = 1+1", NULL }, { "a = null", NULL }, { "a = NaN", NULL }, { "a = inf", NULL },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bulla_call call = call_begin();
		struct hcl *root = NULL;
		enum bulla_err err = hcl_parse_config(&call, "f", bulla_str(cases[i].text), &root);

		ck_assert_msg((err == BULLA_OK) == (cases[i].number != NULL), "%s", cases[i].text);
		if (err == BULLA_OK)
			ck_assert_str_eq(root->first->text, cases[i].number);
		call_end(&call);
	}
	struct bulla_call call = call_begin();
	struct hcl *root = NULL;

	ck_assert_ok(hcl_parse_config(&call, "f", bulla_str("{\"a\": null, \"b\": {\"c\": null}, \"d\": 1}"), &root));
	ck_assert_str_eq(root->first->name, "b");
	ck_assert_ptr_null(root->first->first);
	ck_assert_str_eq(root->first->next->name, "d");
	ck_assert_err(hcl_parse_config(&call, "f", bulla_str("{\"a\": nullx}"), &root), BULLA_E_CONFIG);
	ck_assert_err(hcl_parse_config(&call, "f", bulla_str("{\"a\": [null]}"), &root), BULLA_E_CONFIG);
	call_end(&call);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/hcl");
	TCase *tc = tcase_create("hcl");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, refuses, 0, sizeof bad / sizeof bad[0]);
	tcase_add_loop_test(tc, reads_heredocs, 0, sizeof heredocs / sizeof heredocs[0]);
	tcase_add_test(tc, refuses_nul_and_size);
	tcase_add_test(tc, reads_loose_numbers_and_null);
	tcase_add_test(tc, refuses_too_many);
	tcase_add_test(tc, survives_damage);
	tcase_add_test(tc, reads_policies);
	tcase_add_test(tc, reads);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
