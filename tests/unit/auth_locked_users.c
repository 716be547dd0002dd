/* Who is locked out is so on every node and after a restart, until the end, or until anybody on any node lets him in; and nothing is left of
 * it in the store. What counts as a failure: auth_lockout.c and tests/pipeline/userpass.c. */
#include "store_unit.h"
#include "twin_unit.h"

#include "auth/auth.h"

#define NS_PER_S INT64_C(1000000000)
#define MINUTE_NS (60 * NS_PER_S)

static int64_t now_ns;
static char accessor[64];

static int64_t clock_ns(void)
{
	return now_ns;
}

static bool store_is_full;
enum bulla_err __real_store_commit(struct store *store, struct bulla_call *c, const struct store_write *writes, size_t count,
				   struct store_stamp *stamp);
enum bulla_err __wrap_store_commit(struct store *store, struct bulla_call *c, const struct store_write *writes, size_t count,
				   struct store_stamp *stamp);

enum bulla_err __wrap_store_commit(struct store *store, struct bulla_call *c, const struct store_write *writes, size_t count,
				   struct store_stamp *stamp)
{
	return store_is_full ? BULLA_E_STORE_FULL : __real_store_commit(store, c, writes, count, stamp);
}

static const struct bulla_mount *people_of(struct bulla *node)
{
	struct bulla_bytes rest;
	const struct bulla_mount *mount = bulla_mount_find(node, bulla_str("auth/people/login"), &rest);

	ck_assert_ptr_nonnull(mount);
	return mount;
}

static void write_user(struct bulla *node, const char *name)
{
	const struct bulla_user_change change = { .password = bulla_str("pw") };
	const struct bulla_mount *mount = people_of(node);
	struct bulla_call c = call_begin();

	ck_assert_ok(bulla_user_write(node, &c, mount, bulla_str(name), &change));
	bulla_mount_put(mount);
	call_end(&c);
}

static void setup(void)
{
	const struct bulla_mount_settings none = { 0 };

	now_ns = bulla_clock_ns();
	bulla_clock_replace(clock_ns, clock_ns);
	store_is_full = false;
	twin_setup();
	ck_assert_ok(bulla_auth_enable(engine, &call, bulla_str("people"), bulla_str("userpass"), &none));
	write_user(engine, "alice");
	write_user(engine, "bob");
	restart_twin();
	const struct bulla_mount *mount = people_of(engine);

	snprintf(accessor, sizeof accessor, "%.*s", (int)mount->accessor.len, (const char *)mount->accessor.ptr);
	bulla_mount_put(mount);
}

static enum bulla_err log_in(struct bulla *node, const char *name, const char *password)
{
	const struct bulla_mount *mount = people_of(node);
	struct bulla_call c = call_begin();
	struct bulla_auth auth;
	enum bulla_err err = bulla_user_login(node, &c, mount, bulla_str(name), bulla_str(password), &auth);

	if (err == BULLA_OK)
		bulla_token_put(auth.token);
	else
		ck_assert_bytes(bulla_call_text(&c, err), err == BULLA_E_FORBIDDEN ? "permission denied" : "invalid username or password");
	bulla_mount_put(mount);
	call_end(&c);
	return err;
}

static void mistype(struct bulla *node, const char *name, int times)
{
	for (int i = 0; i < times; i++)
		ck_assert_err(log_in(node, name, "wrong"), BULLA_E_INVALID);
}

static void follow(struct bulla *node)
{
	struct bulla_call c = call_begin();

	ck_assert_ok(engine_follow(node, &c));
	call_end(&c);
}

static void unlock(struct bulla *node, const char *name)
{
	struct bulla_call c = call_to(node);

	ck_assert_ok(bulla_lockout_unlock(node, &c, bulla_str(accessor), bulla_str(name)));
	call_done(&c);
}

/* names: in the order that they are listed in, with a blank behind each. */
static void assert_listed(struct bulla *node, const char *names)
{
	struct bulla_call c = call_to(node);
	struct bulla_locked_user *users;
	char listed[64] = "";
	size_t count;

	ck_assert_ok(bulla_lockout_list(node, &c, bulla_str(accessor), &users, &count));
	for (size_t i = 0; i < count; i++) {
		ck_assert_bytes(users[i].mount_accessor, accessor);
		strncat(listed, (const char *)users[i].name.ptr, users[i].name.len);
		strcat(listed, " ");
	}
	ck_assert_str_eq(listed, names);
	ck_assert_ok(bulla_lockout_list(node, &c, bulla_str("another"), &users, &count));
	ck_assert_uint_eq(count, 0);
	call_done(&c);
}

START_TEST(on_all_nodes)
{
	mistype(engine, "alice", 4);
	ck_assert_ok(log_in(twin, "alice", "pw"));
	mistype(engine, "Alice", 1);
	ck_assert_err(log_in(engine, "alice", "pw"), BULLA_E_FORBIDDEN);
	ck_assert_err(log_in(twin, "alice", "pw"), BULLA_E_FORBIDDEN); /* it looks: nothing was kept that says otherwise */
	ck_assert_ok(log_in(twin, "bob", "pw"));
	mistype(twin, "bob", 5);
	assert_listed(engine, "alice bob ");
	assert_listed(twin, "alice bob ");
	restart_twin();
	ck_assert_err(log_in(twin, "alice", "pw"), BULLA_E_FORBIDDEN);
	unlock(twin, "alice");
	follow(engine);
	ck_assert_ok(log_in(engine, "alice", "pw"));
	ck_assert_ok(log_in(twin, "alice", "pw"));
	ck_assert_err(log_in(engine, "bob", "pw"), BULLA_E_FORBIDDEN);
	mistype(engine, "alice", 4); /* they are counted anew */
	ck_assert_ok(log_in(engine, "alice", "pw"));
}
END_TEST

/* Each counts its own failures; after the end it begins anew, on both. */
START_TEST(by_both)
{
	mistype(engine, "alice", 4);
	mistype(twin, "alice", 4);
	mistype(engine, "alice", 1);
	follow(twin);
	now_ns += 100 * NS_PER_S;
	ck_assert_err(log_in(twin, "alice", "wrong"), BULLA_E_FORBIDDEN);
	now_ns += 799 * NS_PER_S;
	ck_assert_err(log_in(twin, "alice", "pw"), BULLA_E_FORBIDDEN);
	now_ns += NS_PER_S;
	assert_listed(twin, "");
	now_ns += NS_PER_S;
	mistype(twin, "alice", 4); /* the four of before are too old */
	mistype(twin, "alice", 1);
	ck_assert_err(log_in(engine, "alice", "pw"), BULLA_E_FORBIDDEN);
	assert_listed(engine, "alice ");
}
END_TEST

/* Whether the record is there, ended or not. Its item: docs/FORMATS.md. */
static bool is_stored(const char *name)
{
	uint8_t item[128] = { 0, 0, 0, (uint8_t)strlen(accessor) };
	const struct document_name at = { .kind = "locked-user", .item = bulla_mem(item, 4 + strlen(accessor) + strlen(name)) };
	struct store_record record;
	struct store_id id;

	memcpy(item + 4, accessor, strlen(accessor));
	memcpy(item + 4 + strlen(accessor), name, strlen(name));
	ck_assert_ok(document_slot(&engine->auth->records.documents, &at, &id));
	enum bulla_err err = store_get(engine->store, &call, &id, &record);

	ck_assert(err == BULLA_OK || err == BULLA_E_NOT_FOUND);
	return err == BULLA_OK;
}

START_TEST(ends)
{
	struct bulla_call c = call_to(engine);

	ck_assert_ok(bulla_tick(engine, &c));
	mistype(engine, "alice", 5);
	ck_assert(is_stored("alice"));
	ck_assert(!is_stored("bob"));
	now_ns += 15 * MINUTE_NS;
	assert_listed(engine, "");
	ck_assert_ok(log_in(engine, "bob", "pw"));
	ck_assert_ok(log_in(twin, "alice", "pw"));
	now_ns += 2 * MINUTE_NS;
	ck_assert(is_stored("alice"));
	ck_assert_ok(bulla_tick(twin, &c)); /* whichever node it is */
	ck_assert(!is_stored("alice"));
	ck_assert_ok(bulla_lockout_unlock(engine, &c, bulla_str(accessor), bulla_str("alice")));
	ck_assert_ok(log_in(engine, "alice", "pw"));
	call_done(&c);
}
END_TEST

/* Then he is locked out here, all the same, and the client learns nothing of it. */
START_TEST(not_written)
{
	mistype(engine, "alice", 4);
	store_is_full = true;
	mistype(engine, "alice", 1);
	ck_assert_err(log_in(engine, "alice", "pw"), BULLA_E_FORBIDDEN);
	store_is_full = false;
	ck_assert_err(log_in(engine, "alice", "pw"), BULLA_E_FORBIDDEN);
	ck_assert_ok(log_in(twin, "alice", "pw"));
	assert_listed(engine, "alice ");
	assert_listed(twin, "");
	mistype(twin, "alice", 5);
	assert_listed(engine, "alice ");
	store_is_full = true;
	struct bulla_call c = call_to(engine);

	ck_assert_err(bulla_lockout_unlock(engine, &c, bulla_str(accessor), bulla_str("alice")), BULLA_E_STORE_FULL);
	store_is_full = false;
	call_done(&c);
	ck_assert_err(log_in(engine, "alice", "pw"), BULLA_E_FORBIDDEN);
	unlock(engine, "alice");
	follow(twin);
	ck_assert_ok(log_in(engine, "alice", "pw"));
	ck_assert_ok(log_in(twin, "alice", "pw"));
}
END_TEST

/* An accessor and a name are two things, whatever is in them. */
START_TEST(told_apart)
{
	char path[80];
	struct bulla_call c = call_to(engine);

	mistype(engine, "alice", 5);
	for (size_t split = 0; split <= strlen(accessor); split++) {
		const struct bulla_bytes mount = bulla_mem(accessor, split);

		snprintf(path, sizeof path, "%salice", accessor + split);
		if (split < strlen(accessor))
			ck_assert_ok(bulla_lockout_unlock(engine, &c, mount, bulla_str(path)));
	}
	assert_listed(engine, "alice ");
	c.may_block = false;
	ck_assert_err(bulla_lockout_unlock(engine, &c, bulla_str(accessor), bulla_str("alice")), BULLA_E_MUST_BLOCK);
	call_done(&c);
}
END_TEST

START_TEST(never_locked)
{
	const struct bulla_lockout_rule off = { .threshold = 5, .duration_s = 900, .reset_s = 900, .disabled = true };

	mistype(engine, "nobody", 9);
	assert_listed(engine, "");
	mistype(engine, "alice", 5);
	bulla_lockout_set(twin, BULLA_MOUNT_USERPASS, &off);
	ck_assert_ok(log_in(twin, "alice", "pw"));
	ck_assert_err(log_in(engine, "alice", "pw"), BULLA_E_FORBIDDEN);
}
END_TEST

/* ---- of one process alone ------------------------------------------------------------------------------------------------------------ */

static void open_file(void)
{
	struct bulla_config config = config_static();

	config.storage_path = file;
	ck_assert_ok(bulla_open(&config, &call, &engine));
}

static void setup_file(void)
{
	const struct bulla_mount_settings none = { 0 };
	const struct bulla_init_args args = { 0 };
	struct bulla_init_result result;

	now_ns = bulla_clock_ns();
	bulla_clock_replace(clock_ns, clock_ns);
	call = call_begin();
	folder_make();
	open_file();
	ck_assert_ok(bulla_init(engine, &call, &args, &result));
	ck_assert_ok(bulla_authenticate(engine, &call, result.root_token));
	ck_assert_ok(bulla_auth_enable(engine, &call, bulla_str("people"), bulla_str("userpass"), &none));
	write_user(engine, "alice");
	write_user(engine, "bob");
	bulla_token_put(call.token);
	call.token = NULL;
}

static void teardown_file(void)
{
	engine_teardown();
	folder_remove();
}

/* Whether the store is asked who is locked out: bob's own record has been read before. */
static bool asks(void)
{
	ck_assert_ok(log_in(engine, "bob", "pw"));
	uint64_t before = store_counts(engine->store).reads;

	ck_assert_err(log_in(engine, "bob", "wrong"), BULLA_E_INVALID);
	uint64_t reads = store_counts(engine->store).reads - before;

	ck_assert_uint_le(reads, 1);
	return reads == 1;
}

static void tick(void)
{
	ck_assert_ok(bulla_tick(engine, &call));
}

/* Only as long as somebody is, or may be. */
START_TEST(asked_for)
{
	ck_assert(asks()); /* nobody has looked */
	tick();
	ck_assert(!asks());
	mistype(engine, "alice", 5);
	ck_assert(asks());
	tick();
	ck_assert(asks());
	ck_assert_err(log_in(engine, "alice", "pw"), BULLA_E_FORBIDDEN);
	bulla_close(engine);
	open_file();
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	tick();
	ck_assert_err(log_in(engine, "alice", "pw"), BULLA_E_FORBIDDEN);
	ck_assert(asks());
	now_ns += 16 * MINUTE_NS;
	tick();
	ck_assert(!asks());
	ck_assert_ok(log_in(engine, "alice", "pw"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth/locked_users");
	TCase *tc = tcase_create("locked users");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, twin_teardown);
	tcase_add_test(tc, on_all_nodes);
	tcase_add_test(tc, by_both);
	tcase_add_test(tc, ends);
	tcase_add_test(tc, not_written);
	tcase_add_test(tc, told_apart);
	tcase_add_test(tc, never_locked);
	suite_add_tcase(suite, tc);
	tc = tcase_create("alone");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup_file, teardown_file);
	tcase_add_test(tc, asked_for);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
