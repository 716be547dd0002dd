/* Batch tokens: which texts are none, what they may not do, that nothing is stored of them, and what ends them. */
#include "engine_unit.h"

#include "access/access_private.h"

static int64_t now_ns;

static int64_t clock_ns(void)
{
	return now_ns;
}

static const struct bulla_bytes policy_root = { (const uint8_t *)"root", 4 };
static const struct bulla_bytes policy_default = { (const uint8_t *)"default", 7 };
static char text[TOKEN_MAX_BATCH_BYTES + 1];

static void setup(void)
{
	now_ns = INT64_C(1800000000123456789);
	bulla_clock_replace(clock_ns, clock_ns);
	engine_setup();
}

static struct bulla_token_create_args wish(void)
{
	return (struct bulla_token_create_args){ .policies = &policy_default, .policy_count = 1, .renewable = true, .ttl_s = 600,
						 .path = bulla_str("auth/token/create"), .type = bulla_str("batch") };
}

/* Made by who calls with c; left in text. */
static void make(struct bulla_call *c, const struct bulla_token_create_args *args)
{
	struct bulla_auth auth;

	ck_assert_ok(bulla_token_create(engine, c, args, &auth));
	ck_assert_uint_lt(auth.client_token.len, sizeof text);
	memset(text, 0, sizeof text);
	memcpy(text, auth.client_token.ptr, auth.client_token.len);
	bulla_token_put(auth.token);
}

static void make_orphan(void)
{
	struct bulla_token_create_args args = wish();

	args.no_parent = true;
	make(&call, &args);
}

static enum bulla_err come(const char *token, bool may_block)
{
	struct bulla_call c = call_begin();

	c.may_block = may_block;
	enum bulla_err err = bulla_authenticate(engine, &c, bulla_str(token));

	call_done(&c);
	return err;
}

/* A service token that may make others. */
static struct bulla_call parent_of(int64_t ttl_s, char token[64])
{
	struct bulla_token_create_args args = wish();
	struct bulla_auth auth;

	args.policies = &policy_root;
	args.type = bulla_str("");
	args.ttl_s = ttl_s;
	ck_assert_ok(bulla_token_create(engine, &call, &args, &auth));
	memset(token, 0, 64);
	memcpy(token, auth.client_token.ptr, auth.client_token.len);
	bulla_token_put(auth.token);
	return call_as(token);
}

/* ---- what is no token -------------------------------------------------------- */

START_TEST(forged)
{
	static const char *const none[] = { "b.", "b.!!", "b.A", "b.AAAA", "b.AQAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };

	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		ck_assert_err(come(none[i], false), BULLA_E_NO_TOKEN);
	memset(text, 'A', sizeof text);
	text[0] = 'b', text[1] = '.', text[sizeof text - 1] = 0;
	ck_assert_err(come(text, false), BULLA_E_NO_TOKEN);
}
END_TEST

/* Each character counts; and there is no second way to write a token. */
START_TEST(tampered)
{
	make_orphan();
	size_t len = strlen(text);

	ck_assert_ok(come(text, false));
	for (size_t i = 0; i < len; i++) {
		char was = text[i];

		text[i] = was == 'x' ? 'y' : 'x';
		ck_assert_err(come(text, true), BULLA_E_NO_TOKEN);
		text[i] = was;
	}
	text[len] = '=';
	ck_assert_err(come(text, true), BULLA_E_NO_TOKEN);
	text[len] = '\n';
	ck_assert_err(come(text, true), BULLA_E_NO_TOKEN);
	text[len] = 0;
	text[len - 1] = 0;
	ck_assert_err(come(text, true), BULLA_E_NO_TOKEN);
}
END_TEST

static enum bulla_err keep_record(const struct store_record *record, void *context)
{
	struct store_record *kept = context;

	if (kept->bytes.len == 0 && record->bytes.len <= 1024) {
		memcpy((uint8_t *)(uintptr_t)kept->bytes.ptr, record->bytes.ptr, record->bytes.len);
		kept->bytes.len = record->bytes.len;
	}
	return BULLA_OK;
}

/* Whoever reads the file has no token in it. */
START_TEST(stored_record_is_none)
{
	uint8_t bytes[1024];
	struct store_record kept = { .bytes = { bytes, 0 } };
	struct store_id id;

	ck_assert_ok(accessor_slot(engine->access, bulla_str(""), &id));
	ck_assert_ok(store_scan(engine->store, &call, id.bytes, keep_record, &kept));
	ck_assert_uint_gt(kept.bytes.len, 0);
	strcpy(text, "b.");
	text[2 + bulla_base64url_encode(kept.bytes, text + 2)] = 0;
	ck_assert_err(come(text, true), BULLA_E_NO_TOKEN);
}
END_TEST

/* ---- what they may not ------------------------------------------------------- */

START_TEST(refused)
{
	struct bulla_token_create_args args = wish();
	const struct bulla_token *found;
	struct bulla_auth auth;

	make_orphan();
	struct bulla_call as_batch = call_as(text);

	ck_assert_err(bulla_token_create(engine, &as_batch, &args, &auth), BULLA_E_INVALID);
	ck_assert_bytes(as_batch.detail, "batch tokens cannot create more tokens");
	ck_assert_err(bulla_token_revoke_self(engine, &as_batch), BULLA_E_INVALID);
	ck_assert_bytes(as_batch.detail, "batch tokens cannot be revoked");
	call_done(&as_batch);
	ck_assert_fails(bulla_token_renew(engine, &call, bulla_str(text), 0, &auth), BULLA_E_INVALID, "batch tokens cannot be renewed");
	ck_assert_fails(bulla_token_revoke(engine, &call, bulla_str(text)), BULLA_E_INVALID, "batch tokens cannot be revoked");
	ck_assert_fails(bulla_token_revoke_orphan(engine, &call, bulla_str(text)), BULLA_E_INVALID, "batch tokens cannot be revoked");
	text[20] ^= 1;
	ck_assert_fails(bulla_token_renew(engine, &call, bulla_str(text), 0, &auth), BULLA_E_INVALID, "token not found");
	ck_assert_ok(bulla_token_revoke(engine, &call, bulla_str(text)));
	ck_assert_fails(bulla_token_revoke_orphan(engine, &call, bulla_str(text)), BULLA_E_INVALID, "token to revoke not found");
	ck_assert_err(bulla_token_lookup(engine, &call, bulla_str(text), &found), BULLA_E_BAD_TOKEN);
}
END_TEST

/* The longest one is of use, a longer one is not made. */
START_TEST(length)
{
	static uint8_t bytes[TOKEN_MAX_BATCH_BYTES];
	struct bulla_pair meta = { bulla_str("k"), bulla_mem(memset(bytes, 'x', sizeof bytes), 5700) };
	struct bulla_token_create_args args = wish();
	struct bulla_auth auth;

	args.meta = &meta;
	args.meta_count = 1;
	args.meta_set = true;
	while (bulla_token_create(engine, &call, &args, &auth) == BULLA_OK) {
		meta.value.len++;
		ck_assert_uint_lt(meta.value.len, sizeof bytes);
		bulla_token_put(auth.token);
	}
	meta.value.len--;
	make(&call, &args);
	ck_assert_uint_ge(strlen(text), TOKEN_MAX_BATCH_BYTES - 3);
	ck_assert_ok(come(text, true));
	call.detail = (struct bulla_bytes){ 0 };
}
END_TEST

/* ---- what they are ------------------------------------------------------------- */

/* Made without a write (that the maker has not been revoked elsewhere is looked up), checked without a worker. */
START_TEST(nothing_is_stored)
{
	const struct bulla_token *found;
	struct store_counts before = store_counts(engine->store), made, after;

	make_orphan();
	made = store_counts(engine->store);
	ck_assert_uint_eq(made.reads, before.reads + 1);
	for (int i = 0; i < 10; i++)
		ck_assert_ok(come(text, false));
	after = store_counts(engine->store);
	ck_assert_uint_eq(after.batches, before.batches);
	ck_assert_uint_eq(after.reads, made.reads);
	ck_assert_uint_eq(rcu_table_count(engine->access->cache.by_name), 1); /* the caller alone */
	ck_assert_ok(bulla_token_lookup(engine, &call, bulla_str(text), &found));
	ck_assert_int_eq(found->type, BULLA_TOKEN_BATCH);
	ck_assert(found->orphan && !found->renewable);
	ck_assert_uint_eq(found->accessor.len, 0);
	ck_assert_int_eq(found->created_date_ns % 1000000000, 0);
	ck_assert_int_eq(bulla_token_end_date_ns(found) % 1000000000, 0);
	ck_assert_int_eq(found->ttl_s, 600);
	bulla_token_put(found);
}
END_TEST

START_TEST(survives_sealing_and_rotation)
{
	make_orphan();
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_err(come(text, true), BULLA_E_SEALED);
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert_ok(come(text, false));
	ck_assert_ok(bulla_barrier_rotate(engine, &call));
	ck_assert_ok(come(text, false));
}
END_TEST

START_TEST(ends_in_time)
{
	make_orphan();
	now_ns += INT64_C(599) * 1000000000;
	ck_assert_ok(come(text, false));
	now_ns += INT64_C(1000000000);
	ck_assert_err(come(text, false), BULLA_E_NO_TOKEN);
}
END_TEST

/* A worker looks the parent up once; then it is known until something is revoked. */
START_TEST(parent_is_asked_once)
{
	struct bulla_token_create_args args = wish();
	char parent[64], other[64];
	struct bulla_call as_parent = parent_of(600, parent), as_other = parent_of(600, other);

	make(&as_parent, &args);
	ck_assert_err(come(text, false), BULLA_E_MUST_BLOCK);
	ck_assert_ok(come(text, true));
	ck_assert_ok(come(text, false));
	ck_assert_ok(bulla_token_revoke(engine, &call, bulla_str(other)));
	ck_assert_err(come(text, false), BULLA_E_MUST_BLOCK);
	ck_assert_ok(come(text, true));
	call_done(&as_parent);
	call_done(&as_other);
}
END_TEST

START_TEST(ends_with_its_parent)
{
	struct bulla_token_create_args args = wish();
	char parent[64];
	struct bulla_call as_parent = parent_of(600, parent);

	make(&as_parent, &args);
	call_done(&as_parent);
	ck_assert_ok(come(text, true));
	ck_assert_ok(bulla_token_revoke(engine, &call, bulla_str(parent)));
	ck_assert_err(come(text, true), BULLA_E_NO_TOKEN);
	as_parent = parent_of(5, parent);
	make(&as_parent, &args);
	call_done(&as_parent);
	ck_assert_ok(come(text, true));
	now_ns += INT64_C(6000000000);
	ck_assert_err(come(text, true), BULLA_E_NO_TOKEN);
}
END_TEST

/* Also with its grandparent, and with a parent that is revoked as an orphan's. */
START_TEST(ends_with_its_ancestors)
{
	struct bulla_token_create_args args = wish(), middle = wish();
	char grand[64];
	struct bulla_call as_grand = parent_of(600, grand);
	struct bulla_auth auth;

	middle.policies = &policy_root;
	middle.type = bulla_str("service");
	ck_assert_ok(bulla_token_create(engine, &as_grand, &middle, &auth));
	struct bulla_call as_middle = call_begin();

	ck_assert_ok(bulla_authenticate(engine, &as_middle, auth.client_token));
	make(&as_middle, &args);
	ck_assert_ok(come(text, true));
	ck_assert_ok(bulla_token_revoke(engine, &call, bulla_str(grand)));
	ck_assert_err(come(text, true), BULLA_E_NO_TOKEN);
	bulla_token_put(auth.token);
	call_done(&as_grand);
	call_done(&as_middle);
	as_grand = parent_of(600, grand);
	make(&as_grand, &args);
	call_done(&as_grand);
	ck_assert_ok(come(text, true));
	ck_assert_ok(bulla_token_revoke_orphan(engine, &call, bulla_str(grand)));
	ck_assert_err(come(text, true), BULLA_E_NO_TOKEN);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access/batch");
	TCase *tc = tcase_create("batch");

	tcase_add_checked_fixture(tc, setup, engine_teardown);
	tcase_add_test(tc, forged);
	tcase_add_test(tc, tampered);
	tcase_add_test(tc, stored_record_is_none);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, length);
	tcase_add_test(tc, nothing_is_stored);
	tcase_add_test(tc, survives_sealing_and_rotation);
	tcase_add_test(tc, ends_in_time);
	tcase_add_test(tc, parent_is_asked_once);
	tcase_add_test(tc, ends_with_its_parent);
	tcase_add_test(tc, ends_with_its_ancestors);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
