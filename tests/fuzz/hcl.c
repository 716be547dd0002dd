/* A configuration file or policy: either it is refused, and the refusal names the file and a line that it has, or it is a tree of which
 * every part has its text. */
#include "bulla/hcl.h"
#include "fuzz.h"

static unsigned lines_of(struct bulla_bytes text)
{
	unsigned n = 1;

	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '\n';
	return n;
}

static void check_tree(const struct hcl *parent, unsigned lines, unsigned depth, const char *number)
{
	require(depth <= HCL_MAX_DEPTH + 1);
	for (const struct hcl *h = parent->first; h != NULL; h = h->next) {
		require(h->name != NULL);
		require(h->line >= 1 && h->line <= lines);
		require(h->column >= 1);
		require(h->label == NULL || h->kind == HCL_BLOCK);
		require(h->label2 == NULL || h->label != NULL);
		require(h->first == NULL || h->kind == HCL_BLOCK || h->kind == HCL_LIST);
		if (h->kind == HCL_STRING)
			require(bulla_utf8_valid(bulla_str(h->text)));
		if (h->kind == HCL_NUMBER)
			require(strspn(h->text, number) == strlen(h->text) && h->text[0] != '\0');
		check_tree(h, lines, depth + 1, number);
	}
}

typedef enum bulla_err parse_fn(struct bulla_call *call, const char *file, struct bulla_bytes text, struct hcl **out);

static void try(parse_fn *parse, struct bulla_bytes text, const char *number)
{
	struct bulla_call call = fuzz_call();
	struct hcl *root = NULL;
	enum bulla_err err = parse(&call, "f", text, &root);
	unsigned line = 0, column = 0;

	require(err == BULLA_OK || err == BULLA_E_CONFIG);
	if (err == BULLA_OK) {
		require(root->kind == HCL_BLOCK && root->next == NULL);
		check_tree(root, lines_of(text), 0, number);
	} else {
		require(root == NULL && sscanf((const char *)call.detail.ptr, "f:%u:%u: ", &line, &column) == 2);
		require(line >= 1 && line <= lines_of(text) && column >= 1 && column <= text.len + 1);
	}
	fuzz_call_end(&call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bulla_bytes text = fuzz_exact(data, size);

	try(hcl_parse, text, "-0123456789");
	try(hcl_parse_config, text, "-+.eE0123456789");
	fuzz_free(text);
	return 0;
}
