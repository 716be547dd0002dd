/* What one engine changes in the store that two share, the other does not serve any older once it has followed; and it is said to be
 * applied then, not before. */
#include "twin_unit.h"

#include "store/store_ops.h"

/* Before: what the twin keeps still counts. */
static void follow(void)
{
	struct bulla_call c = call_begin();

	ck_assert_ok(engine_follow(twin, &c));
	call_end(&c);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------------------- */

static void make_token(const char *parent, const char *type, char out[256])
{
	const struct bulla_bytes policies[] = { bulla_str("p") };
	const struct bulla_token_create_args args = { .policies = policies, .policy_count = 1, .no_default_policy = true, .renewable = *type == 0,
						      .ttl_s = 3600, .type = bulla_str(type), .path = bulla_str("auth/token/create") };
	struct bulla_call c = call_as(parent);
	struct bulla_auth auth;

	ck_assert_ok(bulla_token_create(engine, &c, &args, &auth));
	ck_assert_uint_lt(auth.client_token.len, 256);
	memset(out, 0, 256);
	memcpy(out, auth.client_token.ptr, auth.client_token.len);
	bulla_token_put(auth.token);
	call_done(&c);
}

static enum bulla_err known_to_twin(const char *text)
{
	struct bulla_call c = call_begin();
	enum bulla_err err = bulla_authenticate(twin, &c, bulla_str(text));

	call_done(&c);
	return err;
}

static void revoke(const char *text)
{
	struct bulla_call c = call_to(engine);

	ck_assert_ok(bulla_token_revoke(engine, &c, bulla_str(text)));
	call_done(&c);
}

/* A2, A3 of the study: with all that stands on it. */
START_TEST(revoked_token)
{
	char parent[256], child[256], batch[256], other[256];

	make_token(root_token, "", parent);
	make_token(root_token, "", other);
	make_token(parent, "", child);
	make_token(parent, "batch", batch);
	ck_assert_ok(known_to_twin(parent));
	ck_assert_ok(known_to_twin(child));
	ck_assert_ok(known_to_twin(batch));
	ck_assert_ok(known_to_twin(other));
	revoke(parent);
	follow();
	ck_assert_err(known_to_twin(parent), BULLA_E_NO_TOKEN);
	ck_assert_err(known_to_twin(child), BULLA_E_NO_TOKEN);
	ck_assert_err(known_to_twin(batch), BULLA_E_NO_TOKEN);
	ck_assert_ok(known_to_twin(other));
}
END_TEST

/* A token that ends earlier than was known. */
START_TEST(shortened_token)
{
	char text[256], batch[256];
	const struct bulla_token *token;
	struct bulla_auth auth;

	make_token(root_token, "", text);
	make_token(text, "batch", batch);
	ck_assert_ok(known_to_twin(text));
	ck_assert_ok(known_to_twin(batch));
	struct bulla_call c = call_to(engine);

	ck_assert_ok(bulla_token_renew(engine, &c, bulla_str(text), 60, &auth));
	bulla_token_put(auth.token);
	call_done(&c);
	follow();
	c = call_begin();
	ck_assert_ok(bulla_authenticate(twin, &c, bulla_str(text)));
	token = c.token;
	ck_assert_int_le(bulla_token_ttl_s(token), 60);
	call_done(&c);
}
END_TEST

/* What others make drops nothing that is known here: a busy login there costs nothing here. */
START_TEST(made_token)
{
	char parent[256], child[256], unrelated[256];

	make_token(root_token, "", parent);
	make_token(parent, "", child);
	follow();
	ck_assert_ok(known_to_twin(child));
	make_token(root_token, "", unrelated);
	follow();
	struct bulla_call c = call_begin();

	c.may_block = false; /* it is found without asking the store */
	ck_assert_ok(bulla_authenticate(twin, &c, bulla_str(child)));
	call_done(&c);
}
END_TEST

/* ---- roles ----------------------------------------------------------------------------------------------------------------------- */

/* What a token has that the twin makes through the role, which it keeps in memory. */
static enum bulla_err made_by_twin(int64_t *num_uses)
{
	const struct bulla_token_create_args args = { .role = bulla_str("web"), .path = bulla_str("auth/token/create/web") };
	struct bulla_call c = call_to(twin);
	struct bulla_auth auth;
	enum bulla_err err = bulla_token_create(twin, &c, &args, &auth);

	if (err == BULLA_OK) {
		*num_uses = auth.token->num_uses;
		bulla_token_put(auth.token);
	}
	call_done(&c);
	return err;
}

static void put_role(int64_t num_uses)
{
	const struct bulla_token_role_change change = { .set = BULLA_TOKEN_ROLE_USES, .values = { .num_uses = num_uses } };
	struct bulla_call c = call_to(engine);

	ck_assert_ok(bulla_token_role_put(engine, &c, bulla_str("web"), &change));
	call_done(&c);
}

START_TEST(token_role)
{
	int64_t num_uses;

	ck_assert_err(made_by_twin(&num_uses), BULLA_E_INVALID);
	put_role(3);
	ck_assert_ok(made_by_twin(&num_uses)); /* that there was none is not kept */
	ck_assert_int_eq(num_uses, 3);
	put_role(2);
	follow();
	ck_assert_ok(made_by_twin(&num_uses));
	ck_assert_int_eq(num_uses, 2);
	struct bulla_call c = call_to(engine);

	ck_assert_ok(bulla_token_role_delete(engine, &c, bulla_str("web")));
	call_done(&c);
	ck_assert_ok(made_by_twin(&num_uses)); /* nobody has told */
	follow();
	ck_assert_err(made_by_twin(&num_uses), BULLA_E_INVALID);
}
END_TEST

/* ---- policies, rate limits, and other settings ------------------------------------------------------------------------------ */

static void put_policy(const char *text)
{
	const struct bulla_policy_put_args args = { .name = bulla_str("p"), .text = bulla_str(text) };
	struct bulla_call c = call_to(engine);

	ck_assert_ok(bulla_policy_put(engine, &c, &args));
	call_done(&c);
}

static bool twin_allows(const char *token, const char *path)
{
	const struct bulla_ask ask = { .need = BULLA_CAN_READ, .path = bulla_str(path) };
	struct bulla_call c = call_begin();

	ck_assert_ok(bulla_authenticate(twin, &c, bulla_str(token)));
	enum bulla_err err = bulla_authorise(twin, &c, &ask);

	bulla_grant_put(c.grant);
	call_done(&c);
	if (err != BULLA_OK)
		ck_assert_err(err, BULLA_E_DENIED);
	return err == BULLA_OK;
}

/* A4 */
START_TEST(policy)
{
	char token[256];

	make_token(root_token, "", token);
	ck_assert(!twin_allows(token, "sys/mounts"));
	put_policy("path \"sys/mounts\" { capabilities = [\"read\"] }");
	follow();
	ck_assert(twin_allows(token, "sys/mounts"));
	put_policy("path \"sys/mounts\" { capabilities = [\"deny\"] }");
	follow();
	ck_assert(!twin_allows(token, "sys/mounts"));
	put_policy("path \"sys/mounts\" { capabilities = [\"read\"] }");
	follow();
	struct bulla_call c = call_to(engine);

	ck_assert_ok(bulla_policy_delete(engine, &c, bulla_str("p")));
	call_done(&c);
	follow();
	ck_assert(!twin_allows(token, "sys/mounts"));
}
END_TEST

static void limit_rate(bool on)
{
	const struct bulla_rate_limit limit = { .name = bulla_str("r"), .rate = 1, .interval_s = 3600 };
	struct bulla_call c = call_to(engine);

	ck_assert_ok(on ? bulla_rate_limit_write(engine, &c, &limit) : bulla_rate_limit_delete(engine, &c, bulla_str("r")));
	call_done(&c);
}

static enum bulla_err rate_of(struct bulla *node)
{
	struct bulla_rate_state state = { 0 };
	struct bulla_call c = call_begin();

	c.remote_ip = bulla_str("10.0.0.1");
	enum bulla_err err = bulla_rate_check(node, &c, bulla_str("sys/mounts"), &state);

	call_end(&c);
	return err;
}

static enum bulla_err rate_of_twin(void)
{
	return rate_of(twin);
}

static void exempt(const char *path)
{
	const struct bulla_bytes paths[] = { bulla_str(path) };
	const struct bulla_quota_config config = { .exempt_paths = paths, .exempt_count = 1 };
	struct bulla_call c = call_to(engine);

	ck_assert_ok(bulla_quota_config_write(engine, &c, &config));
	call_done(&c);
}

/* A5 */
START_TEST(rate_limit)
{
	limit_rate(true);
	ck_assert_ok(rate_of_twin());
	ck_assert_ok(rate_of_twin());
	follow();
	ck_assert_ok(rate_of_twin());
	ck_assert_err(rate_of_twin(), BULLA_E_RATE_LIMITED);
	exempt("sys/mounts");
	ck_assert_err(rate_of_twin(), BULLA_E_RATE_LIMITED);
	follow();
	ck_assert_ok(rate_of_twin());
	exempt("sys/nothing");
	limit_rate(false);
	follow();
	ck_assert_ok(rate_of_twin());
}
END_TEST

static void limit_by(struct bulla *node, const char *name, double rate)
{
	const struct bulla_rate_limit limit = { .name = bulla_str(name), .rate = rate, .interval_s = 3600 };
	struct bulla_call c = call_to(node);

	ck_assert_ok(bulla_rate_limit_write(node, &c, &limit));
	call_done(&c);
}

/* Two of one path, of which neither node knew the other's: the same one counts on both. */
START_TEST(rate_limits_of_one_path)
{
	struct bulla_call c = call_begin();

	limit_by(engine, "b", 1000);
	limit_by(twin, "a", 1);
	ck_assert_ok(engine_follow(engine, &c));
	follow();
	ck_assert_ok(rate_of(engine));
	ck_assert_err(rate_of(engine), BULLA_E_RATE_LIMITED);
	ck_assert_ok(rate_of(twin));
	ck_assert_err(rate_of(twin), BULLA_E_RATE_LIMITED);
	call_end(&c);
}
END_TEST

START_TEST(cors)
{
	const struct bulla_bytes origin = bulla_str("https://app.example");
	const struct bulla_cors_config config = { .enabled = true, .origins = &origin, .origin_count = 1 };
	struct bulla_call c = call_to(engine);

	ck_assert_ok(bulla_cors_enable(engine, &c, &config));
	ck_assert(!bulla_cors_on(twin));
	follow();
	ck_assert(bulla_cors_on(twin));
	ck_assert_ok(bulla_cors_disable(engine, &c));
	follow();
	ck_assert(!bulla_cors_on(twin));
	call_done(&c);
}
END_TEST

START_TEST(audit_header)
{
	struct bulla_audit_header_rule *list;
	struct bulla_call c = call_to(engine);
	size_t count;

	ck_assert_ok(bulla_audit_header_set(engine, &c, bulla_str("x-mine"), false, false));
	follow();
	ck_assert_ok(bulla_audit_headers(twin, &c, &list, &count));
	ck_assert_uint_eq(count, 1);
	ck_assert_bytes(list[0].name, "x-mine");
	call_done(&c);
}
END_TEST

/* ---- mounts ------------------------------------------------------------------------------------------------------------------- */

static bool twin_has_mount(const char *path)
{
	struct bulla_bytes rest;
	const struct bulla_mount *mount = bulla_mount_find(twin, bulla_str(path), &rest);

	bulla_mount_put(mount);
	return mount != NULL;
}

/* A18 */
START_TEST(mount)
{
	const struct bulla_mount_settings settings = { 0 }, text = { .set = BULLA_MOUNT_DESCRIPTION, .values.description = bulla_str("a text") };
	struct bulla_call c = call_to(engine);
	char id[37];

	ck_assert_ok(bulla_mount_enable(engine, &c, bulla_str("second"), bulla_str("transit"), &settings));
	ck_assert(!twin_has_mount("second/keys"));
	follow();
	ck_assert(twin_has_mount("second/keys"));
	ck_assert_ok(bulla_mount_tune(engine, &c, bulla_str("transit"), &text));
	follow();
	const struct bulla_mount *tuned = transit_of(twin);

	ck_assert_bytes(tuned->description, "a text");
	bulla_mount_put(tuned);
	ck_assert_ok(bulla_mount_move(engine, &c, bulla_str("second"), bulla_str("third"), id));
	follow();
	ck_assert(!twin_has_mount("second/keys"));
	ck_assert(twin_has_mount("third/keys"));
	ck_assert_ok(bulla_mount_disable(engine, &c, bulla_str("third")));
	follow();
	ck_assert(!twin_has_mount("third/keys"));
	call_done(&c);
}
END_TEST

/* ---- keys --------------------------------------------------------------------------------------------------------------------- */

static void make_key(const char *name)
{
	const struct bulla_key_create_args args = { .type = bulla_str("aes256-gcm96") };
	const struct bulla_mount *at = transit_of(engine);
	struct bulla_call c = call_to(engine);
	struct bulla_key_info info;
	bool created;

	ck_assert_ok(bulla_key_create(engine, &c, at, bulla_str(name), &args, &info, &created));
	bulla_mount_put(at);
	call_done(&c);
}

static void delete_key(const char *name)
{
	const struct bulla_key_config_args config = { .set = BULLA_KEY_DELETION_ALLOWED, .deletion_allowed = true };
	const struct bulla_mount *at = transit_of(engine);
	struct bulla_call c = call_to(engine);
	struct bulla_key_info info;

	ck_assert_ok(bulla_key_config(engine, &c, at, bulla_str(name), &config, &info));
	ck_assert_ok(bulla_key_delete(engine, &c, at, bulla_str(name)));
	bulla_mount_put(at);
	call_done(&c);
}

/* The version the twin encrypts with; 0: it knows of no such key. */
static uint32_t version_of_twin(void)
{
	const struct bulla_mount *at = transit_of(twin);
	const struct bulla_encrypt_item item = { .plaintext = bulla_str("a secret") };
	const struct bulla_encrypt_args args = { .mount = at, .name = bulla_str("k"), .items = &item, .count = 1 };
	struct bulla_item_result result = { 0 };
	struct bulla_call c = call_to(twin);
	enum bulla_err err = bulla_encrypt(twin, &c, &args, &result);

	bulla_mount_put(at);
	call_done(&c);
	if (err != BULLA_OK)
		ck_assert_err(err, BULLA_E_KEY_NOT_FOUND);
	return err == BULLA_OK ? result.key_version : 0;
}

/* A9 */
START_TEST(key)
{
	const struct bulla_mount *at = transit_of(engine);
	struct bulla_call c = call_to(engine);
	struct bulla_key_info info;

	make_key("k");
	ck_assert_uint_eq(version_of_twin(), 1);
	ck_assert_ok(bulla_key_rotate(engine, &c, at, bulla_str("k"), &info));
	ck_assert_uint_eq(version_of_twin(), 1); /* it has it in memory, and nobody has told */
	follow();
	ck_assert_uint_eq(version_of_twin(), 2);
	delete_key("k");
	follow();
	ck_assert_uint_eq(version_of_twin(), 0);
	bulla_mount_put(at);
	call_done(&c);
}
END_TEST

static size_t listed_by_twin(const char *name, bool *found)
{
	const struct bulla_mount *at = transit_of(twin);
	struct bulla_bytes *names;
	struct bulla_call c = call_to(twin);
	size_t count;

	ck_assert_ok(bulla_key_list(twin, &c, at, (struct bulla_bytes){ 0 }, 0, &names, &count));
	*found = false;
	for (size_t i = 0; i < count; i++)
		*found = *found || bulla_is(names[i], name);
	bulla_mount_put(at);
	call_done(&c);
	return count;
}

/* A10: a few that are made are read one by one, of many the list is read anew, and so it is of what is deleted. */
START_TEST(list)
{
	char name[16];
	bool found;

	make_key("a");
	ck_assert_uint_eq(listed_by_twin("a", &found), 1);
	make_key("b");
	ck_assert_uint_eq(listed_by_twin("b", &found), 1);
	follow();
	ck_assert_uint_eq(listed_by_twin("b", &found), 2);
	ck_assert(found);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof name, "k%d", i);
		make_key(name);
	}
	follow();
	ck_assert_uint_eq(listed_by_twin("k199", &found), 202);
	ck_assert(found);
	delete_key("a");
	make_key("z");
	delete_key("z");
	make_key("y");
	follow();
	ck_assert_uint_eq(listed_by_twin("a", &found), 202);
	ck_assert(!found);
	listed_by_twin("z", &found);
	ck_assert(!found);
	listed_by_twin("y", &found);
	ck_assert(found);
}
END_TEST

/* ---- the run ------------------------------------------------------------------------------------------------------------------ */

/* Who was away for too long has everything anew. */
START_TEST(too_many)
{
	struct store_write write = { .id = { { 1 } }, .change = STORE_PUT, .bytes = bulla_str("a") };
	char token[256];
	bool found;

	make_token(root_token, "", token);
	make_key("k");
	ck_assert_ok(known_to_twin(token));
	ck_assert_uint_eq(version_of_twin(), 1);
	ck_assert_uint_eq(listed_by_twin("k", &found), 1);
	revoke(token);
	delete_key("k");
	put_policy("path \"sys/mounts\" { capabilities = [\"read\"] }");
	for (uint64_t i = 0; i < 10000; i++) {
		write.expected = i;
		ck_assert_ok(store_commit(engine->store, &call, &write, 1, NULL));
	}
	follow();
	ck_assert_err(known_to_twin(token), BULLA_E_NO_TOKEN);
	ck_assert_uint_eq(version_of_twin(), 0);
	ck_assert_uint_eq(listed_by_twin("k", &found), 0);
	make_token(root_token, "", token);
	ck_assert(twin_allows(token, "sys/mounts"));
}
END_TEST

static const struct store_ops *real_ops;
static struct store_ops failing_ops;
static int failures;

static enum bulla_err read_fails(struct store *store, struct bulla_call *c, const struct store_span *spans, size_t count, store_visit *visit,
				 void *context)
{
	if (failures > 0 && failures-- > 0)
		return BULLA_E_STORE;
	return real_ops->read(store, c, spans, count, visit, context);
}

/* What could not be read anew is read by the next run, and counts as applied only then. */
START_TEST(a_run_that_fails)
{
	struct bulla_call c = call_begin();
	char token[256];

	make_token(root_token, "", token);
	put_policy("path \"sys/mounts\" { capabilities = [\"read\"] }");
	struct store_stamp stamp = store_last(engine->store);

	real_ops = twin->store->ops;
	failing_ops = *real_ops;
	failing_ops.read = read_fails;
	twin->store->ops = &failing_ops;
	failures = 1;
	ck_assert_err(engine_follow(twin, &c), BULLA_E_STORE);
	ck_assert(!store_is_applied(twin->store, &stamp));
	ck_assert(!twin_allows(token, "sys/mounts"));
	ck_assert_ok(engine_follow(twin, &c));
	ck_assert(store_is_applied(twin->store, &stamp));
	ck_assert(twin_allows(token, "sys/mounts"));
	twin->store->ops = real_ops;
	call_end(&c);
}
END_TEST

/* While it is sealed it serves nothing old: nobody waits for it; and unsealed it has read all anew. */
START_TEST(sealed)
{
	struct bulla_call c = call_begin();
	char token[256];

	make_token(root_token, "", token);
	ck_assert(!twin_allows(token, "sys/mounts"));
	ck_assert_ok(bulla_seal(twin, &c));
	put_policy("path \"sys/mounts\" { capabilities = [\"read\"] }");
	struct store_stamp stamp = store_last(engine->store);

	ck_assert_ok(engine_follow(twin, &c));
	ck_assert(store_is_applied(twin->store, &stamp));
	ck_assert_ok(bulla_unseal_auto(twin, &c));
	ck_assert(twin_allows(token, "sys/mounts"));
	call_end(&c);
}
END_TEST

/* A barrier's term that is new as well is no reason to fail. */
START_TEST(under_a_new_term)
{
	struct bulla_call c = call_to(engine);
	char token[256];

	make_token(root_token, "", token);
	ck_assert_ok(bulla_barrier_rotate(engine, &c));
	put_policy("path \"sys/mounts\" { capabilities = [\"read\"] }");
	make_key("new");
	follow();
	ck_assert(twin_allows(token, "sys/mounts"));
	call_done(&c);
}
END_TEST

#define ROUNDS 60

static atomic_bool stop;

static void *keep_following(void *unused)
{
	(void)unused;
	while (!stop)
		follow();
	return NULL;
}

static void *keep_asking(void *unused)
{
	bool found;

	(void)unused;
	while (!stop) {
		(void)version_of_twin();
		(void)listed_by_twin("k", &found);
	}
	return NULL;
}

/* Who has waited for the others finds nothing older there: whoever reads, loads or lists meanwhile (S3 of the study, under TSan). */
START_TEST(awaited_while_others_read)
{
	const struct bulla_mount *at = transit_of(engine);
	struct bulla_call c = call_to(engine);
	pthread_t follower, readers[2];
	char token[256];
	bool found;

	make_key("k");
	stop = false;
	ck_assert_int_eq(pthread_create(&follower, NULL, keep_following, NULL), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, keep_asking, NULL), 0);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct bulla_key_info info;

		make_token(root_token, "", token);
		ck_assert_ok(known_to_twin(token));
		ck_assert_ok(bulla_key_rotate(engine, &c, at, bulla_str("k"), &info));
		put_policy(i % 2 ? "path \"sys/mounts\" { capabilities = [\"read\"] }" : "path \"sys/none\" { capabilities = [\"read\"] }");
		struct store_stamp stamp = store_last(engine->store);

		ck_assert_ok(store_await(engine->store, &c, &stamp, 60000));
		ck_assert_uint_eq(version_of_twin(), info.latest);
		ck_assert_int_eq(twin_allows(token, "sys/mounts"), i % 2);
		revoke(token);
		stamp = store_last(engine->store);
		ck_assert_ok(store_await(engine->store, &c, &stamp, 60000));
		ck_assert_err(known_to_twin(token), BULLA_E_NO_TOKEN);
	}
	make_key("another");
	delete_key("k");
	struct store_stamp stamp = store_last(engine->store);

	ck_assert_ok(store_await(engine->store, &c, &stamp, 60000));
	ck_assert_uint_eq(listed_by_twin("another", &found), 1);
	ck_assert(found);
	stop = true;
	ck_assert_int_eq(pthread_join(follower, NULL), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(readers[i], NULL), 0);
	bulla_mount_put(at);
	call_done(&c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine/follow");
	TCase *tc = tcase_create("follow");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, twin_setup, twin_teardown);
	tcase_add_test(tc, revoked_token);
	tcase_add_test(tc, shortened_token);
	tcase_add_test(tc, made_token);
	tcase_add_test(tc, token_role);
	tcase_add_test(tc, policy);
	tcase_add_test(tc, rate_limit);
	tcase_add_test(tc, rate_limits_of_one_path);
	tcase_add_test(tc, cors);
	tcase_add_test(tc, audit_header);
	tcase_add_test(tc, mount);
	tcase_add_test(tc, key);
	tcase_add_test(tc, list);
	tcase_add_test(tc, too_many);
	tcase_add_test(tc, a_run_that_fails);
	tcase_add_test(tc, sealed);
	tcase_add_test(tc, under_a_new_term);
	tcase_add_test(tc, awaited_while_others_read);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
