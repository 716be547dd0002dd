/* Roles and secret ids through the library: uses are taken once, whoever comes at the same time; what has ended goes by itself;
 * a role takes its secret ids along; and nothing waits on a loop. Texts and statuses: tests/pipeline/approle.c. */
#include <pthread.h>

#include "engine_unit.h"

#include "auth/auth.h"
#include "auth/names.h"
#include "store/store.h"

#define S INT64_C(1000000000)
#define USES 3
#define CLIENTS 16

static const struct bulla_mount *mount;
static int64_t now_ns;

static int64_t fixed_clock(void)
{
	return now_ns;
}

static void setup(void)
{
	const struct bulla_mount_settings none = { 0 };
	struct bulla_bytes rest;

	engine_setup();
	ck_assert_ok(bulla_auth_enable(engine, &call, bulla_str("approle"), bulla_str("approle"), &none));
	mount = bulla_mount_find(engine, bulla_str("auth/approle/login"), &rest);
	ck_assert_ptr_nonnull(mount);
	ck_assert_int_eq(mount->kind, BULLA_MOUNT_APPROLE);
}

static void teardown(void)
{
	bulla_mount_put(mount);
	engine_teardown();
}

static void make_role(const char *name, const char *role_id)
{
	const struct bulla_approle_change change = { .set = BULLA_APPROLE_ROLE_ID, .values = { .role_id = bulla_str(role_id) } };

	ck_assert_ok(bulla_approle_write(engine, &call, mount, bulla_str(name), &change));
}

static struct bulla_secret_id_made make_secret(const char *role, int64_t num_uses, int64_t ttl_s)
{
	const struct bulla_secret_id_args args = { .set = BULLA_SECRET_ID_NUM_USES | BULLA_SECRET_ID_TTL, .num_uses = num_uses,
						   .ttl_s = ttl_s };
	struct bulla_secret_id_made made;

	ck_assert_ok(bulla_secret_id_make(engine, &call, mount, bulla_str(role), &args, &made));
	return made;
}

static enum bulla_err log_in(struct bulla_call *c, const char *role_id, struct bulla_bytes secret_id)
{
	struct bulla_auth auth;

	TRY(bulla_approle_login(engine, c, mount, bulla_str(role_id), secret_id, &auth));
	bulla_token_put(auth.token);
	return BULLA_OK;
}

/* How many documents of a kind lie in the store. */
static size_t count_documents(const char *kind, struct bulla_bytes scope)
{
	const struct document_name at = { kind, scope, { 0 } };
	struct bulla_bytes *names;
	size_t count;

	ck_assert_ok(document_names(&engine->auth->records.documents, &call, &at, &names, &count));
	return count;
}

static struct bulla_bytes secrets_of(const char *role)
{
	uint8_t *scope = bulla_arena_alloc(call.arena, 16 + strlen(role));

	ck_assert_ptr_nonnull(scope);
	memcpy(scope, mount->uuid, 16);
	memcpy(scope + 16, role, strlen(role));
	return bulla_mem(scope, 16 + strlen(role));
}

START_TEST(on_a_loop)
{
	struct bulla_call loop = call_begin();
	struct bulla_approle role;
	const struct bulla_approle_change change = { 0 };

	loop.may_block = false;
	ck_assert_err(bulla_approle_read(engine, &loop, mount, bulla_str("web"), &role), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_approle_write(engine, &loop, mount, bulla_str("web"), &change), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_approle_delete(engine, &loop, mount, bulla_str("web")), BULLA_E_MUST_BLOCK);
	ck_assert_err(log_in(&loop, "r", bulla_str("s")), BULLA_E_MUST_BLOCK);
	ck_assert_int_eq(loop.needs, BULLA_WORK_DISK);
	call_end(&loop);
	ck_assert_err(bulla_approle_read(engine, &call, mount, bulla_str("web"), &role), BULLA_E_NOT_FOUND);
}
END_TEST

static struct bulla_bytes shared_secret;
static pthread_barrier_t together;

static void *client(void *successes)
{
	struct bulla_call own = call_begin();

	pthread_barrier_wait(&together);
	enum bulla_err err = log_in(&own, "r1", shared_secret);

	if (err == BULLA_OK)
		__atomic_add_fetch((int *)successes, 1, __ATOMIC_RELAXED);
	else
		ck_assert(err == BULLA_E_INVALID || err == BULLA_E_FORBIDDEN); /* the sixth failure is locked out */
	call_end(&own);
	return NULL;
}

START_TEST(uses_at_once)
{
	pthread_t threads[CLIENTS];
	int successes = 0;

	make_role("web", "r1");
	shared_secret = make_secret("web", USES, 0).secret_id;
	ck_assert_int_eq(pthread_barrier_init(&together, NULL, CLIENTS), 0);
	for (size_t i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, client, &successes), 0);
	for (size_t i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&together);
	ck_assert_int_eq(successes, USES);
	ck_assert_uint_eq(count_documents("approle-accessor", mount_scope(mount)), 0);
}
END_TEST

START_TEST(swept)
{
	struct bulla_secret_id_made kept, ended;

	now_ns = INT64_C(1800000000) * S;
	bulla_clock_replace(fixed_clock, fixed_clock);
	make_role("web", "r1");
	kept = make_secret("web", 0, 0);
	for (size_t i = 0; i < 300; i++) /* more than one commit's */
		ended = make_secret("web", 0, 60);
	ck_assert_uint_eq(count_documents("approle-secret", secrets_of("web")), 301);
	now_ns += 59 * S;
	ck_assert_ok(bulla_tick(engine, &call));
	ck_assert_uint_eq(count_documents("approle-secret", secrets_of("web")), 301);
	ck_assert_ok(log_in(&call, "r1", ended.secret_id));
	now_ns += S;
	ck_assert_err(log_in(&call, "r1", ended.secret_id), BULLA_E_INVALID); /* though it lies there still */
	call.detail = (struct bulla_bytes){ 0 };
	ck_assert_uint_eq(count_documents("approle-secret", secrets_of("web")), 301);
	now_ns += 60 * S; /* a sweep a minute */
	ck_assert_ok(bulla_tick(engine, &call));
	ck_assert_uint_eq(count_documents("approle-secret", secrets_of("web")), 1);
	ck_assert_uint_eq(count_documents("approle-accessor", mount_scope(mount)), 1);
	ck_assert_ok(log_in(&call, "r1", kept.secret_id));
}
END_TEST

/* Of the library's own calls: what happens between its reading and its commit (tests/Makefile.inc). */
extern enum bulla_err __real_store_commit(struct store *store, struct bulla_call *c, const struct store_write *writes, size_t count,
					  struct store_stamp *stamp);
enum bulla_err __wrap_store_commit(struct store *store, struct bulla_call *c, const struct store_write *writes, size_t count,
				   struct store_stamp *stamp);
static void (*meanwhile)(void);

enum bulla_err __wrap_store_commit(struct store *store, struct bulla_call *c, const struct store_write *writes, size_t count,
				   struct store_stamp *stamp)
{
	void (*first)(void) = meanwhile;

	meanwhile = NULL;
	if (first != NULL)
		first();
	return __real_store_commit(store, c, writes, count, stamp);
}

static void register_anew(void)
{
	const struct bulla_secret_id_args args = { .custom = bulla_str("chosen") };
	struct bulla_secret_id_made made;

	ck_assert_ok(bulla_secret_id_make(engine, &call, mount, bulla_str("web"), &args, &made));
}

/* One that has ended is found, and registered anew before it is removed: the new one stays, the others go. */
START_TEST(registered_anew_while_swept)
{
	const struct bulla_secret_id_args args = { .set = BULLA_SECRET_ID_TTL, .ttl_s = 60, .custom = bulla_str("chosen") };
	struct bulla_secret_id_made made;

	now_ns = INT64_C(1800000000) * S;
	bulla_clock_replace(fixed_clock, fixed_clock);
	make_role("web", "r1");
	for (size_t i = 0; i < 5; i++)
		(void)make_secret("web", 0, 60);
	ck_assert_ok(bulla_secret_id_make(engine, &call, mount, bulla_str("web"), &args, &made));
	now_ns += 61 * S;
	meanwhile = register_anew;
	ck_assert_ok(bulla_secret_id_tidy(engine, &call, mount));
	ck_assert_ptr_null(meanwhile);
	ck_assert_ok(log_in(&call, "r1", bulla_str("chosen")));
	ck_assert_uint_eq(count_documents("approle-secret", secrets_of("web")), 1);
	ck_assert_uint_eq(count_documents("approle-accessor", mount_scope(mount)), 1);
}
END_TEST

START_TEST(deleted)
{
	struct bulla_secret_id_made of_web, of_other;

	make_role("web", "r1");
	make_role("other", "r2");
	for (size_t i = 0; i < 200; i++)
		of_web = make_secret("web", 0, 0);
	of_other = make_secret("other", 0, 0);
	ck_assert_ok(bulla_approle_delete(engine, &call, mount, bulla_str("WEB")));
	ck_assert_uint_eq(count_documents("approle-secret", secrets_of("web")), 0);
	ck_assert_uint_eq(count_documents("approle-accessor", mount_scope(mount)), 1);
	make_role("web", "r1"); /* another one of this name */
	ck_assert_err(log_in(&call, "r1", of_web.secret_id), BULLA_E_INVALID);
	call.detail = (struct bulla_bytes){ 0 };
	ck_assert_err(log_in(&call, "r1", of_other.secret_id), BULLA_E_INVALID); /* of another role */
	call.detail = (struct bulla_bytes){ 0 };
	ck_assert_ok(log_in(&call, "r2", of_other.secret_id));
}
END_TEST

START_TEST(disabled)
{
	uint8_t uuid[16];

	make_role("web", "r1");
	(void)make_secret("web", 0, 0);
	memcpy(uuid, mount->uuid, sizeof uuid);
	struct bulla_bytes scope = bulla_mem(uuid, sizeof uuid), secrets = secrets_of("web");

	ck_assert_uint_eq(count_documents("approle-secret", secrets), 1);
	bulla_mount_put(mount);
	mount = NULL;
	ck_assert_ok(bulla_auth_disable(engine, &call, bulla_str("approle")));
	ck_assert_uint_eq(count_documents("approle-secret", secrets), 0);
	ck_assert_uint_eq(count_documents("approle-role", scope), 0);
	ck_assert_uint_eq(count_documents("approle-role-id", scope), 0);
	ck_assert_uint_eq(count_documents("approle-accessor", scope), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth/approle");
	TCase *tc = tcase_create("approle");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, on_a_loop);
	tcase_add_test(tc, uses_at_once);
	tcase_add_test(tc, swept);
	tcase_add_test(tc, registered_anew_while_swept);
	tcase_add_test(tc, deleted);
	tcase_add_test(tc, disabled);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
