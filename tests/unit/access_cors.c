/* Which pages' scripts may call, and headers of pages: limits, what a seal leaves, and what damage does. */
#include "engine_unit.h"
#include "base/parts.h"
#include "seal/documents.h"
#include "store/store.h"

#define MANY 257

static const struct bulla_bytes pages[] = { { (const uint8_t *)"https://a", 9 }, { (const uint8_t *)"https://b", 9 } };

static void enable(bool credentials)
{
	const struct bulla_bytes headers[] = { bulla_str("X-A"), bulla_str("b\r\nc") };
	const struct bulla_cors_config config = {
		.origins = pages, .origin_count = 2, .headers = headers, .header_count = 2, .credentials = credentials,
	};

	ck_assert_ok(bulla_cors_enable(engine, &call, &config));
}

static struct bulla_cors_answer ask(const char *origin, bool preflight)
{
	struct bulla_cors_answer answer;

	ck_assert_ok(bulla_cors_ask(engine, &call, bulla_str(origin), preflight, &answer));
	return answer;
}

static void expect(bool on)
{
	ck_assert_int_eq(ask("https://b", false).allowed, on);
	ck_assert(!ask("https://c", false).allowed);
	ck_assert(!ask("https://", false).allowed);
	ck_assert(!ask("https://aa", false).allowed);
}

START_TEST(loop_asks_for_a_worker)
{
	const struct bulla_cors_config config = { .origins = pages, .origin_count = 2 };
	const struct bulla_bytes *values;
	struct bulla_bytes *names;
	size_t count;

	call.may_block = false;
	ck_assert_err(bulla_cors_enable(engine, &call, &config), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_cors_disable(engine, &call), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_ui_header_write(engine, &call, bulla_str("a"), pages, 1), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_ui_header_delete(engine, &call, bulla_str("a")), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_ui_header_read(engine, &call, bulla_str("a"), &values, &count), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_ui_header_list(engine, &call, &names, &count), BULLA_E_MUST_BLOCK);
	call.may_block = true;
	ck_assert(!bulla_cors_on(engine));
	ck_assert(!ask("https://a", true).on);
}
END_TEST

START_TEST(limits)
{
	static struct bulla_bytes many[MANY];
	static char text[4097];
	struct bulla_cors_config config = { .origins = many, .origin_count = MANY };
	const struct bulla_bytes *one = &many[0];

	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < MANY; i++)
		many[i] = bulla_str("x");
	ck_assert_fails(bulla_cors_enable(engine, &call, &config), BULLA_E_INVALID, "more than 256 origins or headers");
	config = (struct bulla_cors_config){ .origins = one, .origin_count = 1, .headers = many, .header_count = MANY };
	ck_assert_fails(bulla_cors_enable(engine, &call, &config), BULLA_E_INVALID, "more than 256 origins or headers");
	many[0] = bulla_mem(text, 1025);
	config.header_count = 0;
	ck_assert_fails(bulla_cors_enable(engine, &call, &config), BULLA_E_INVALID,
			"an origin is longer than 1024 bytes");
	many[1] = bulla_mem(text, 4096);
	config = (struct bulla_cors_config){ .origins = many + 2, .origin_count = 1 };
	config.headers = many + 1;
	config.header_count = 1;
	ck_assert_fails(bulla_cors_enable(engine, &call, &config), BULLA_E_INVALID,
			"the headers are longer than 4096 bytes in all");
	ck_assert(!bulla_cors_on(engine));
	many[1].len = 4095;
	ck_assert_ok(bulla_cors_enable(engine, &call, &config));
	ck_assert(bulla_cors_on(engine));
}
END_TEST

START_TEST(sealed_and_open_again)
{
	struct bulla_cors_config config;

	enable(true);
	ck_assert(ask("https://a", false).credentials);
	ck_assert_ptr_null(ask("https://a", false).headers.ptr);
	ck_assert_ptr_nonnull(
		strstr((const char *)ask("https://a", true).headers.ptr, ",X-Vault-Policy-Override,X-A,b  c"));
	ck_assert_ok(bulla_seal(engine, &call));
	expect(true);
	ck_assert_err(bulla_cors_disable(engine, &call), BULLA_E_SEALED);
	call.detail.len = 0;
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	expect(true);
	ck_assert_ok(bulla_cors_read(engine, &call, &config));
	ck_assert_uint_eq(config.header_count, 12);
	ck_assert_bytes(config.headers[11], "b\r\nc");
	enable(false);
	ck_assert(!ask("https://a", false).credentials);
	ck_assert_ok(bulla_cors_disable(engine, &call));
	ck_assert_ok(bulla_cors_disable(engine, &call));
	ck_assert(!bulla_cors_on(engine));
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert(!bulla_cors_on(engine));
}
END_TEST

/* Whoever may call cannot be known: nobody may, the rest of the server works, and a write heals it. */
START_TEST(damaged)
{
	const struct document_name name = { .kind = "cors", .item = bulla_str("config") };
	const struct documents documents = { engine->store, engine->seal };
	struct bulla_cors_config config;
	struct document document;

	enable(false);
	ck_assert_ok(document_get(&documents, &call, &name, &document));
	ck_assert_ok(document_put(&documents, &call, &name, document.revision, bulla_str("\x01nonsense")));
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert(!ask("https://a", false).on);
	ck_assert_err(bulla_cors_read(engine, &call, &config), BULLA_E_STORE_DAMAGED);
	call.detail.len = 0;
	enable(false);
	expect(true);
	ck_assert_ok(bulla_cors_read(engine, &call, &config));
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	expect(true);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access/cors");
	TCase *tc = tcase_create("cors");

	tcase_add_checked_fixture(tc, engine_setup, engine_teardown);
	tcase_add_test(tc, loop_asks_for_a_worker);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, sealed_and_open_again);
	tcase_add_test(tc, damaged);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
