/* Secret ids on two nodes: a use is spent once, whoever asks; what one node has destroyed the other refuses; what has ended is removed by
 * either; and those that a version before has left in the store, filed nowhere, are filed, a part at a time. */
#include <pthread.h>
#include <stdatomic.h>

#include "twin_unit.h"

#include "auth/auth.h"
#include "state/due.h"

#define NS_PER_S INT64_C(1000000000)
#define TTL_S 60
#define TICK_FILES 2048 /* secret ids at a tick */

static _Atomic int64_t now_ns;

static int64_t clock_ns(void)
{
	return now_ns;
}

static const struct bulla_mount *apps_of(struct bulla *node)
{
	struct bulla_bytes rest;
	const struct bulla_mount *mount = bulla_mount_find(node, bulla_str("auth/apps/login"), &rest);

	ck_assert_ptr_nonnull(mount);
	return mount;
}

static void make_role(const char *name)
{
	const struct bulla_approle_change change = { .set = BULLA_APPROLE_ROLE_ID, .values = { .role_id = bulla_str(name) } };
	const struct bulla_mount *mount = apps_of(engine);

	ck_assert_ok(bulla_approle_write(engine, &call, mount, bulla_str(name), &change));
	bulla_mount_put(mount);
}

static void setup(void)
{
	const struct bulla_mount_settings none = { 0 };

	now_ns = INT64_C(1800000000) * NS_PER_S;
	bulla_clock_replace(clock_ns, clock_ns);
	engine_setup();
	ck_assert_ok(bulla_auth_enable(engine, &call, bulla_str("apps"), bulla_str("approle"), &none));
	open_twin();
	make_role("web");
}

struct secret_text {
	char secret_id[40], accessor[40];
};

static void copy(char out[40], struct bulla_bytes text)
{
	ck_assert_uint_lt(text.len, 40);
	memset(out, 0, 40);
	memcpy(out, text.ptr, text.len);
}

static struct secret_text make_secret(const char *role, int64_t num_uses, int64_t ttl_s)
{
	const struct bulla_secret_id_args args = { .set = BULLA_SECRET_ID_NUM_USES | BULLA_SECRET_ID_TTL, .num_uses = num_uses,
						   .ttl_s = ttl_s };
	const struct bulla_mount *mount = apps_of(engine);
	struct bulla_call c = call_begin();
	struct bulla_secret_id_made made;
	struct secret_text out;

	ck_assert_ok(bulla_secret_id_make(engine, &c, mount, bulla_str(role), &args, &made));
	copy(out.secret_id, made.secret_id);
	copy(out.accessor, made.accessor);
	bulla_mount_put(mount);
	call_end(&c);
	return out;
}

static enum bulla_err log_in(struct bulla *node, const char *secret_id)
{
	const struct bulla_mount *mount = apps_of(node);
	struct bulla_call c = call_begin();
	struct bulla_auth auth;
	enum bulla_err err = bulla_approle_login(node, &c, mount, bulla_str("web"), bulla_str(secret_id), &auth);

	if (err == BULLA_OK)
		bulla_token_put(auth.token);
	bulla_mount_put(mount);
	call_end(&c);
	return err;
}

static void tick(struct bulla *node)
{
	struct bulla_call c = call_begin();

	ck_assert_ok(bulla_tick(node, &c));
	call_end(&c);
}

/* ---- what lies in the store -------------------------------------------------------------------------------------------------- */

static struct bulla_bytes scope_of(const char *role)
{
	const struct bulla_mount *mount = apps_of(engine);
	uint8_t *scope = bulla_arena_alloc(call.arena, 16 + strlen(role));

	ck_assert_ptr_nonnull(scope);
	memcpy(scope, mount->uuid, 16);
	memcpy(scope + 16, role, strlen(role));
	bulla_mount_put(mount);
	return bulla_mem(scope, 16 + strlen(role));
}

static size_t names_of(const char *kind, struct bulla_bytes scope, struct bulla_bytes **names)
{
	const struct document_name at = { kind, scope, { 0 } };
	size_t count;

	ck_assert_ok(document_names(&engine->auth->records.documents, &call, &at, names, &count));
	return count;
}

static size_t count_secrets(const char *role)
{
	struct bulla_bytes *names;

	return names_of("approle-secret", scope_of(role), &names);
}

static size_t count_accessors(void)
{
	struct bulla_bytes *names;

	return names_of("approle-accessor", scope_of(""), &names);
}

static enum bulla_err count_one(const struct store_record *record, void *context)
{
	(void)record;
	++*(size_t *)context;
	return BULLA_OK;
}

static enum bulla_err delete_one(const struct store_record *record, void *context)
{
	struct store_write **next = context;

	*(*next)++ = (struct store_write){ .id = record->id, .change = STORE_DELETE, .expected = STORE_ANY_REVISION };
	return BULLA_OK;
}

/* Entries of the minute in which those of TTL_S end that are made now. */
static size_t filed(store_visit *visit, void *context)
{
	static const struct due_kind row = { .entry = "approle-secret-end" };
	const struct documents *documents = &engine->auth->records.documents;
	struct store_id slot;
	size_t count = 0;

	ck_assert_ok(due_slot(&row, documents->seal, due_minute(now_ns / NS_PER_S + TTL_S), (struct bulla_bytes){ 0 }, &slot));
	ck_assert_ok(store_scan(documents->store, &call, slot.bytes, count_one, &count));
	if (visit != NULL)
		ck_assert_ok(store_scan(documents->store, &call, slot.bytes, visit, context));
	return count;
}

static size_t count_filed(void)
{
	return filed(NULL, NULL);
}

/* As a version before has left the store. */
static void unfile_all(void)
{
	struct store_write *writes = calloc(TICK_FILES * 2, sizeof *writes), *next = writes;

	ck_assert_ptr_nonnull(writes);
	ck_assert_uint_le(count_filed(), TICK_FILES * 2);
	(void)filed(delete_one, &next);
	ck_assert_ok(store_commit(engine->store, &call, writes, (size_t)(next - writes), NULL));
	ck_assert_uint_eq(count_filed(), 0);
	free(writes);
}

static bool is_marked(void)
{
	struct bulla_bytes *names;

	return names_of("approle-secrets-filed", (struct bulla_bytes){ 0 }, &names) > 0;
}

/* ---- uses -------------------------------------------------------------------------------------------------------------------- */

#define CLIENTS 8 /* every other one of the twin */
#define ROUNDS 20

static struct secret_text shared;
static atomic_int logged_in, refused;
static pthread_barrier_t together;

static void *client(void *node)
{
	pthread_barrier_wait(&together);
	enum bulla_err err = log_in(node, shared.secret_id);

	if (err == BULLA_OK)
		logged_in++;
	else if (err == BULLA_E_INVALID || err == BULLA_E_FORBIDDEN) /* after too many failures he is locked out */
		refused++;
	return NULL;
}

static void all_at_once(void)
{
	pthread_t threads[CLIENTS];

	logged_in = refused = 0;
	ck_assert_int_eq(pthread_barrier_init(&together, NULL, CLIENTS), 0);
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, client, i % 2 == 0 ? engine : twin), 0);
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	pthread_barrier_destroy(&together);
	ck_assert_int_eq(logged_in + refused, CLIENTS); /* nobody is told anything else */
}

/* Not once more, and not once less. */
START_TEST(uses_on_both)
{
	static const int uses[] = { 1, 3, CLIENTS };

	ck_assert_int_eq(uses[_i] <= CLIENTS, 1);
	for (int round = 0; round < ROUNDS; round++) {
		shared = make_secret("web", uses[_i], TTL_S);
		all_at_once();
		ck_assert_int_eq(logged_in, uses[_i]);
		ck_assert_uint_eq(count_secrets("web") + count_accessors() + count_filed(), 0);
		now_ns += 3600 * NS_PER_S; /* whoever was locked out is not any more */
	}
}
END_TEST

START_TEST(destroyed_elsewhere)
{
	const struct secret_text secret = make_secret("web", 0, TTL_S), other = make_secret("web", 2, 0);
	const struct bulla_secret_id_ref ref = { .role = bulla_str("web"), .secret_id = bulla_str(secret.secret_id) },
					 by_accessor = { .role = bulla_str("web"), .accessor = bulla_str(other.accessor) };
	const struct bulla_mount *mount = apps_of(engine);

	ck_assert_ok(log_in(twin, secret.secret_id));
	ck_assert_ok(log_in(twin, other.secret_id));
	ck_assert_ok(bulla_secret_id_destroy(engine, &call, mount, &ref));
	ck_assert_err(log_in(twin, secret.secret_id), BULLA_E_INVALID);
	ck_assert_ok(bulla_secret_id_destroy(engine, &call, mount, &by_accessor));
	ck_assert_err(log_in(twin, other.secret_id), BULLA_E_INVALID);
	ck_assert_uint_eq(count_secrets("web") + count_accessors() + count_filed(), 0);
	bulla_mount_put(mount);
}
END_TEST

/* ---- the end ----------------------------------------------------------------------------------------------------------------- */

START_TEST(ended)
{
	struct bulla *node = _i == 0 ? engine : twin;

	tick(engine);
	tick(twin);
	(void)make_secret("web", 0, 0);
	for (int i = 0; i < 300; i++) /* more than one commit's */
		(void)make_secret("web", 0, TTL_S);
	ck_assert_uint_eq(count_filed(), 300);
	now_ns += (TTL_S - 1) * NS_PER_S;
	tick(node);
	ck_assert_uint_eq(count_secrets("web"), 301);
	now_ns += 61 * NS_PER_S;
	tick(node);
	ck_assert_uint_eq(count_secrets("web"), 1);
	ck_assert_uint_eq(count_accessors(), 1);
	now_ns -= (TTL_S + 60) * NS_PER_S; /* as when they were filed */
	ck_assert_uint_eq(count_filed(), 0);
}
END_TEST

/* What a tick costs does not grow with what there is. */
START_TEST(not_looked_at)
{
	for (int i = 0; i < 300; i++)
		(void)make_secret("web", 0, 3600);
	tick(engine);
	now_ns += 300 * NS_PER_S;
	uint64_t before = store_counts(engine->store).reads;

	tick(engine);
	ck_assert_uint_lt(store_counts(engine->store).reads - before, 300);
}
END_TEST

/* ---- of versions before ------------------------------------------------------------------------------------------------------ */

/* Those that have ended go, the others are filed and go at their end; it is done once, and the store says so. */
START_TEST(filed_later)
{
	make_role("other");
	for (int i = 0; i < 100; i++) {
		(void)make_secret("web", 0, TTL_S);
		(void)make_secret("other", 0, TTL_S);
	}
	unfile_all();
	now_ns += 30 * NS_PER_S;
	(void)make_secret("web", 0, 30);
	for (int i = 0; i < 10; i++)
		(void)make_secret("other", 0, 0);
	now_ns -= 30 * NS_PER_S;
	unfile_all();
	ck_assert(!is_marked());
	tick(engine);
	ck_assert(is_marked());
	ck_assert_uint_eq(count_filed(), 201);
	unfile_all();
	tick(engine);
	restart_twin();
	tick(twin);
	ck_assert_uint_eq(count_filed(), 0); /* not again */
}
END_TEST

START_TEST(ended_before)
{
	for (int i = 0; i < 100; i++)
		(void)make_secret("web", 0, TTL_S);
	(void)make_secret("web", 0, 3600);
	unfile_all();
	now_ns += TTL_S * NS_PER_S;
	tick(engine);
	ck_assert_uint_eq(count_secrets("web"), 1);
	ck_assert_uint_eq(count_accessors(), 1);
}
END_TEST

/* A tick does a part; a restart begins anew, and another node that has come as far does no harm. */
START_TEST(filed_in_parts)
{
	make_role("other");
	for (int i = 0; i < TICK_FILES; i++)
		(void)make_secret(i % 2 == 0 ? "web" : "other", 0, TTL_S);
	for (int i = 0; i < 100; i++)
		(void)make_secret("web", 0, TTL_S);
	unfile_all();
	tick(twin);
	size_t some = count_filed();

	ck_assert_uint_le(some, TICK_FILES);
	ck_assert_uint_ge(some, TICK_FILES - 64);
	ck_assert(!is_marked());
	restart_twin();
	tick(engine);
	tick(twin);
	ck_assert_uint_eq(count_filed(), some);
	tick(twin);
	ck_assert(is_marked());
	ck_assert_uint_eq(count_filed(), TICK_FILES + 100);
	tick(engine);
	now_ns += (TTL_S + 60) * NS_PER_S;
	tick(engine);
	ck_assert_uint_eq(count_secrets("web") + count_secrets("other") + count_accessors(), 0);
}
END_TEST

/* Whoever asks has them looked for, filed or not. */
START_TEST(tidied)
{
	const struct bulla_mount *mount = apps_of(twin);

	for (int i = 0; i < 100; i++)
		(void)make_secret("web", 0, TTL_S);
	unfile_all();
	(void)make_secret("web", 0, TTL_S);
	(void)make_secret("web", 0, 0);
	now_ns += TTL_S * NS_PER_S;
	ck_assert_ok(bulla_secret_id_tidy(twin, &call, mount));
	ck_assert_uint_eq(count_secrets("web"), 1);
	ck_assert_uint_eq(count_accessors(), 1);
	bulla_mount_put(mount);
}
END_TEST

/* ---- with the role ----------------------------------------------------------------------------------------------------------- */

START_TEST(gone_with_the_role)
{
	const struct bulla_mount *mount = apps_of(twin);

	for (int i = 0; i < 1000; i++)
		(void)make_secret("web", 0, i % 2 == 0 ? TTL_S : 0);
	ck_assert_uint_eq(count_filed(), 500);
	ck_assert_ok(bulla_approle_delete(twin, &call, mount, bulla_str("web")));
	ck_assert_uint_eq(count_secrets("web") + count_accessors() + count_filed(), 0);
	bulla_mount_put(mount);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth/secret_ids");
	TCase *tc = tcase_create("secret ids");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, twin_teardown);
	tcase_add_loop_test(tc, uses_on_both, 0, 3);
	tcase_add_test(tc, destroyed_elsewhere);
	tcase_add_loop_test(tc, ended, 0, 2);
	tcase_add_test(tc, not_looked_at);
	tcase_add_test(tc, filed_later);
	tcase_add_test(tc, ended_before);
	tcase_add_test(tc, filed_in_parts);
	tcase_add_test(tc, tidied);
	tcase_add_test(tc, gone_with_the_role);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
