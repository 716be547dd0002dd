/* Sealed documents: written and read by revision, listed, removed; a damaged one is named or passed over; nothing on a loop. */
#include "seal_unit.h"

#include "seal/documents.h"

static struct store *store;
static struct seal *seal;
static struct bulla_call call;
static struct documents documents;

static void set_up(void)
{
	struct bulla_seal_config config = static_config("a");
	struct bulla_init_args args = static_args(0, 0);
	struct bulla_init_result init;

	ck_assert_ok(crypto_init());
	ck_assert_ok(open_at(NULL, 0, &store));
	call = call_begin();
	ck_assert_ok(seal_new(store, &config, &call, &seal));
	ck_assert_ok(init_seal(seal, &call, &args, &init));
	documents = (struct documents){ store, seal };
}

static void tear_down(void)
{
	seal_free(seal);
	call_end(&call);
	store_close(store);
}

static struct document_name named(const char *kind, const char *scope, const char *item)
{
	return (struct document_name){ kind, bulla_str(scope), bulla_str(item) };
}

static enum bulla_err put_document(const char *item, uint64_t expected, const char *value)
{
	struct document_name name = named("policy", "", item);

	return document_put(&documents, &call, &name, expected, bulla_str(value));
}

static enum bulla_err get_document(const char *item, struct document *out)
{
	struct document_name name = named("policy", "", item);

	return document_get(&documents, &call, &name, out);
}

static uint64_t revision_of(const char *item)
{
	struct document found;

	ck_assert_ok(get_document(item, &found));
	return found.revision;
}

START_TEST(by_revision)
{
	struct document found;
	struct document_name name = named("policy", "", "a");

	ck_assert_err(get_document("a", &found), BULLA_E_NOT_FOUND);
	ck_assert_err(put_document("a", 1, "x"), BULLA_E_CONFLICT);
	ck_assert_ok(put_document("a", 0, "one"));
	ck_assert_err(put_document("a", 0, "x"), BULLA_E_CONFLICT);
	uint64_t first = revision_of("a");

	ck_assert_ok(put_document("a", first, "two"));
	ck_assert_err(put_document("a", first, "x"), BULLA_E_CONFLICT);
	ck_assert_ok(get_document("a", &found));
	ck_assert_uint_eq(found.revision, first + 1);
	ck_assert_bytes(found.item, "a");
	ck_assert_bytes(found.value, "two");
	ck_assert_err(document_remove(&documents, &call, &name, first), BULLA_E_CONFLICT);
	ck_assert_ok(document_remove(&documents, &call, &name, first + 1));
	ck_assert_ok(document_remove(&documents, &call, &name, STORE_ANY_REVISION));
	ck_assert_err(get_document("a", &found), BULLA_E_NOT_FOUND);
	ck_assert_ok(put_document("a", 0, "another")); /* which nobody takes for the one before */
	ck_assert_err(put_document("a", first, "x"), BULLA_E_CONFLICT);
	ck_assert_ok(put_document("a", revision_of("a"), "again"));
	ck_assert_err(document_remove(&documents, &call, &name, first + 1), BULLA_E_CONFLICT);
	ck_assert_ok(get_document("a", &found));
	ck_assert_bytes(found.value, "again");
}
END_TEST

START_TEST(kinds_and_scopes)
{
	static const char *const places[][2] = { { "policy", "" }, { "policy", "m" }, { "role", "m" }, { "role", "" } };
	struct document found;

	for (int i = 0; i < 4; i++) {
		struct document_name name = named(places[i][0], places[i][1], "same");

		ck_assert_ok(document_put(&documents, &call, &name, 0, bulla_mem(&"0123"[i], 1)));
	}
	for (int i = 0; i < 4; i++) {
		struct document_name name = named(places[i][0], places[i][1], "same");

		ck_assert_ok(document_get(&documents, &call, &name, &found));
		ck_assert_uint_eq(found.value.ptr[0], "0123"[i]);
	}
}
END_TEST

START_TEST(lists_and_removes)
{
	struct document_name any = named("policy", "", ""), other = named("policy", "other", "x");
	struct bulla_bytes *names;
	size_t count;

	ck_assert_ok(document_put(&documents, &call, &other, 0, bulla_str("")));
	for (int i = 0; i < 600; i++) {
		char item[24];

		snprintf(item, sizeof item, "%03d", (i * 7) % 600);
		ck_assert_ok(put_document(item, 0, "v"));
	}
	ck_assert_ok(document_names(&documents, &call, &any, &names, &count));
	ck_assert_uint_eq(count, 600);
	for (size_t i = 0; i < count; i++) {
		char item[24];

		snprintf(item, sizeof item, "%03zu", i);
		ck_assert_bytes(names[i], item);
	}
	ck_assert_ok(document_remove_all(&documents, &call, &any));
	ck_assert_ok(document_names(&documents, &call, &any, &names, &count));
	ck_assert_uint_eq(count, 0);
	ck_assert_ok(document_names(&documents, &call, &other, &names, &count));
	ck_assert_uint_eq(count, 1);
}
END_TEST

static enum bulla_err tally(const struct document *document, void *context)
{
	(void)document;
	++*(int *)context;
	return BULLA_OK;
}

START_TEST(damaged)
{
	struct document_name a = named("policy", "", "a");
	struct store_write write;
	struct bulla_bytes *names;
	struct document found;
	size_t left_out = 0, listed;
	int count = 0;

	ck_assert_ok(put_document("a", 0, "v"));
	ck_assert_ok(put_document("b", 0, "v"));
	ck_assert_ok(document_write(&documents, &call, &a, revision_of("a"), bulla_str("v"), &write));
	((uint8_t *)(uintptr_t)write.bytes.ptr)[write.bytes.len - 1] ^= 1;
	ck_assert_ok(store_commit(store, &call, &write, 1, NULL));
	ck_assert_err(get_document("a", &found), BULLA_E_STORE_DAMAGED);
	ck_assert_err(document_each(&documents, &call, &a, NULL, tally, &count), BULLA_E_STORE_DAMAGED);
	count = 0;
	ck_assert_ok(document_each(&documents, &call, &a, &left_out, tally, &count));
	ck_assert_int_eq(count, 1);
	ck_assert_uint_eq(left_out, 1);
	ck_assert_err(document_names(&documents, &call, &a, &names, &listed), BULLA_E_STORE_DAMAGED);
	ck_assert_ptr_null(call.warnings);
	ck_assert_ok(document_list(&documents, &call, &a, &names, &listed));
	ck_assert_uint_eq(listed, 1);
	ck_assert_ptr_nonnull(call.warnings);
	ck_assert(bulla_is(call.warnings->text, "entries whose stored record is damaged are not listed: 1"));
	ck_assert_ptr_null(call.warnings->next);
	call.warnings = NULL;
	const struct document_name b = named("policy", "", "b");

	ck_assert_ok(document_remove(&documents, &call, &b, STORE_ANY_REVISION));
	ck_assert_err(document_list(&documents, &call, &a, &names, &listed), BULLA_E_STORE_DAMAGED); /* and not: there is nothing */
	ck_assert_ok(document_remove_all(&documents, &call, &a));
	ck_assert_err(get_document("a", &found), BULLA_E_NOT_FOUND);
}
END_TEST

START_TEST(limits)
{
	struct document_name name = named("policy", "", "large");
	uint8_t *large = bulla_arena_alloc(call.arena, DOCUMENT_MAX_BYTES + 1);
	struct document found;

	memset(large, 'x', DOCUMENT_MAX_BYTES + 1);
	ck_assert_err(document_put(&documents, &call, &name, 0, bulla_mem(large, DOCUMENT_MAX_BYTES + 1)), BULLA_E_INVALID);
	ck_assert_ok(document_put(&documents, &call, &name, 0, bulla_mem(large, DOCUMENT_MAX_BYTES)));
	call.may_block = false;
	ck_assert_err(document_put(&documents, &call, &name, 1, bulla_str("")), BULLA_E_MUST_BLOCK);
	ck_assert_err(document_get(&documents, &call, &name, &found), BULLA_E_MUST_BLOCK);
	ck_assert_err(document_remove(&documents, &call, &name, 1), BULLA_E_MUST_BLOCK);
	call.may_block = true;
	close_and_forget(seal);
	ck_assert_err(document_get(&documents, &call, &name, &found), BULLA_E_SEALED);
	ck_assert_err(document_put(&documents, &call, &name, 1, bulla_str("")), BULLA_E_SEALED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("documents");
	TCase *tc = tcase_create("documents");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, by_revision);
	tcase_add_test(tc, kinds_and_scopes);
	tcase_add_test(tc, lists_and_removes);
	tcase_add_test(tc, damaged);
	tcase_add_test(tc, limits);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
