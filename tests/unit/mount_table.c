/* Mounts: which paths are refused, what finds what, and what stays after a change, a seal, or a crash in the middle of disabling. */
#include "engine_unit.h"

#include "mount/mount_private.h"

static const struct bulla_mount_settings none;

static enum bulla_err enable(const char *path)
{
	return bulla_mount_enable(engine, &call, bulla_str(path), bulla_str("transit"), &none);
}

static enum bulla_err disable(const char *path)
{
	return bulla_mount_disable(engine, &call, bulla_str(path));
}

/* The path of the mount that answers for path, "" for none; and what is left of path. */
static const char *found(const char *path, const char **rest_text)
{
	static char text[200], rest_copy[200];
	struct bulla_bytes rest;
	const struct bulla_mount *mount = bulla_mount_find(engine, bulla_str(path), &rest);

	text[0] = rest_copy[0] = 0;
	if (mount != NULL) {
		snprintf(text, sizeof text, "%.*s", (int)mount->path.len, (const char *)mount->path.ptr);
		snprintf(rest_copy, sizeof rest_copy, "%.*s", (int)rest.len, (const char *)rest.ptr);
	}
	bulla_mount_put(mount);
	*rest_text = rest_copy;
	return text;
}

static size_t count(void)
{
	const struct bulla_mount **list;
	size_t n;

	ck_assert_ok(bulla_mount_list(engine, &call, &list, &n));
	for (size_t i = 0; i < n; i++)
		bulla_mount_put(list[i]);
	return n;
}

static void assert_found(const char *path, const char *mount, const char *rest)
{
	const char *left;

	ck_assert_str_eq(found(path, &left), mount);
	ck_assert_str_eq(left, rest);
}

/* ---- refusals -------------------------------------------------------------- */

static const struct {
	const char *path, *type, *text;
} refused[] = {
	{ "x", "", "backend type must be specified as a string" },
	{ "x", "nonsense", "plugin not found in the catalog: nonsense" },
	{ "x", "kv", "plugin not found in the catalog: kv" },
	{ "x", "system", "mount type of \"system\" is not mountable" },
	{ "x", "token", "mount type of \"token\" is not mountable" },
	{ "x", "cubbyhole", "mount type of \"cubbyhole\" is not mountable" },
	{ "x", "approle", "plugin not found in the catalog: approle" },
	{ "x", "jwt", "plugin not found in the catalog: jwt" },
	{ "x", "identity", "mount type of \"identity\" is not mountable" },
	{ "sys", "transit", "cannot mount \"sys/\"" },
	{ "sys/x", "transit", "cannot mount \"sys/x/\"" },
	{ "auth", "transit", "cannot mount \"auth/\"" },
	{ "/auth/x/", "transit", "cannot mount \"auth/x/\"" },
	{ "cubbyhole", "transit", "cannot mount \"cubbyhole/\"" },
	{ "identity/x", "transit", "cannot mount \"identity/x/\"" },
	{ "audit", "transit", "cannot mount \"audit/\"" },
	{ "", "transit", "cannot mount \"/\"" },
	{ "///", "transit", "cannot mount \"/\"" },
	{ "a\nb", "transit", "path cannot contain non-printable characters" },
	{ "a\x7f", "transit", "path cannot contain non-printable characters" },
};

START_TEST(enable_refused)
{
	size_t before = count();

	ck_assert_fails(bulla_mount_enable(engine, &call, bulla_str(refused[_i].path), bulla_str(refused[_i].type), &none),
			BULLA_E_INVALID, refused[_i].text);
	ck_assert_uint_eq(count(), before);
}
END_TEST

START_TEST(longest_path)
{
	char path[1026];

	memset(path, 'a', sizeof path);
	path[1025] = 0;
	ck_assert_err(enable(path), BULLA_E_INVALID);
	call.detail.len = 0;
	path[1024] = 0;
	ck_assert_ok(enable(path));
}
END_TEST

START_TEST(settings_refused)
{
	struct bulla_mount_settings s = { .set = BULLA_MOUNT_DEFAULT_TTL | BULLA_MOUNT_MAX_TTL,
					  .values = { .default_lease_ttl_s = 20, .max_lease_ttl_s = 10 } };

	ck_assert_fails(bulla_mount_enable(engine, &call, bulla_str("x"), bulla_str("transit"), &s), BULLA_E_INVALID,
			"given default lease TTL greater than given max lease TTL");
	s.values.default_lease_ttl_s = 0, s.values.max_lease_ttl_s = -1;
	ck_assert_fails(bulla_mount_enable(engine, &call, bulla_str("x"), bulla_str("transit"), &s), BULLA_E_INVALID,
			"given default lease TTL greater than given max lease TTL");
	s = (struct bulla_mount_settings){ .set = BULLA_MOUNT_LISTING, .values.listing_visibility = bulla_str("bogus") };
	ck_assert_fails(bulla_mount_enable(engine, &call, bulla_str("x"), bulla_str("transit"), &s), BULLA_E_INVALID,
			"invalid listing_visibility bogus");
	ck_assert_fails(bulla_mount_tune(engine, &call, bulla_str("x"), &s), BULLA_E_INVALID, "invalid listing_visibility bogus");
	s.values.listing_visibility = bulla_str("hidden");
	ck_assert_fails(bulla_mount_tune(engine, &call, bulla_str("x"), &s), BULLA_E_INVALID,
			"tune of path \"x/\" failed: no mount entry found");
	ck_assert_fails(bulla_mount_tune(engine, &call, bulla_str("identity"), &s), BULLA_E_INVALID,
			"cannot tune parameter listing_visibility of identity/");
}
END_TEST

START_TEST(conflicts)
{
	ck_assert_ok(enable("a/b/c"));
	ck_assert_fails(enable("a/b/c"), BULLA_E_INVALID, "path is already in use at a/b/c/");
	ck_assert_fails(enable("a"), BULLA_E_INVALID, "path is already in use at a/b/c/");
	ck_assert_fails(enable("a/b"), BULLA_E_INVALID, "path is already in use at a/b/c/");
	ck_assert_fails(enable("a/b/c/d"), BULLA_E_INVALID, "path is already in use at a/b/c/");
	ck_assert_ok(enable("a/b/cc"));
	ck_assert_ok(enable("a/x"));
}
END_TEST

START_TEST(builtins_stay)
{
	static const char *const paths[] = { "sys", "auth/token", "cubbyhole", "identity" };
	size_t before = count();

	for (size_t i = 0; i < 4; i++) {
		char text[64], id[37];

		snprintf(text, sizeof text, "cannot unmount \"%s/\"", paths[i]);
		ck_assert_fails(disable(paths[i]), BULLA_E_INVALID, text);
		snprintf(text, sizeof text, "cannot remount \"%s/\"", paths[i]);
		ck_assert_fails(bulla_mount_move(engine, &call, bulla_str(paths[i]), bulla_str(i == 1 ? "auth/y" : "y"), id), BULLA_E_INVALID, text);
	}
	ck_assert_uint_eq(count(), before);
}
END_TEST

START_TEST(loop_asks_for_a_worker)
{
	struct bulla_mount_move moved;
	char id[37];

	call.may_block = false;
	ck_assert_err(enable("x"), BULLA_E_MUST_BLOCK);
	ck_assert_err(disable("x"), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_mount_tune(engine, &call, bulla_str("x"), &none), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_mount_move(engine, &call, bulla_str("x"), bulla_str("y"), id), BULLA_E_MUST_BLOCK);
	ck_assert_err(bulla_mount_moved(engine, &call, bulla_str("x"), &moved), BULLA_E_MUST_BLOCK);
}
END_TEST

START_TEST(sealed)
{
	const struct bulla_mount **list;
	const char *rest;
	size_t n;

	ck_assert_ok(enable("x"));
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_err(enable("y"), BULLA_E_SEALED);
	ck_assert_err(disable("x"), BULLA_E_SEALED);
	ck_assert_err(bulla_mount_list(engine, &call, &list, &n), BULLA_E_SEALED);
	ck_assert_str_eq(found("x/keys", &rest), "");
}
END_TEST

/* ---- finding --------------------------------------------------------------- */

START_TEST(finds)
{
	ck_assert_ok(enable("transit"));
	ck_assert_ok(enable("transit-2"));
	ck_assert_ok(enable("team/a/transit"));
	ck_assert_ok(enable("team/ab"));
	assert_found("transit/encrypt/k", "transit/", "encrypt/k");
	assert_found("transit", "transit/", "");
	assert_found("transit/", "transit/", "");
	assert_found("transit-2/x", "transit-2/", "x");
	assert_found("transi/x", "", "");
	assert_found("transit3/x", "", "");
	assert_found("transit!/x", "", "");
	assert_found("team", "", "");
	assert_found("team/a", "", "");
	assert_found("team/a/transit/keys/x/y", "team/a/transit/", "keys/x/y");
	assert_found("team/ab/q", "team/ab/", "q");
	assert_found("team/abc/q", "", "");
	assert_found("auth/token/create", "auth/token/", "create");
	assert_found("auth/other/create", "", "");
	assert_found("sys/mounts", "sys/", "mounts");
	assert_found("", "", "");
	assert_found("/", "", "");
	assert_found("/transit/x", "", "");
}
END_TEST

START_TEST(listed_sorted)
{
	const struct bulla_mount **list;
	size_t n;

	ck_assert_ok(enable("b"));
	ck_assert_ok(enable("a"));
	ck_assert_ok(bulla_mount_list(engine, &call, &list, &n));
	ck_assert_uint_eq(n, 6);
	for (size_t i = 0; i < n; i++) {
		ck_assert(i == 0 || bulla_compare(list[i - 1]->path, list[i]->path) < 0);
		bulla_mount_put(list[i]);
	}
}
END_TEST

/* ---- the record ------------------------------------------------------------ */

/* docs/FORMATS.md */
static const char example[] =
	"0100007accd5ac989e39f3272c9ee56b8e36cc000000087472616e7369742f000000107472616e7369745f32386163623836320000000178"
	"00000000" "0000000000000000" "0000000000015180" "ffffffff" "ffffffff" "ffffffff" "ffffffff" "00000000";

START_TEST(format)
{
	struct bulla_bytes packed;
	struct mount *mount;
	uint8_t bytes[200];
	size_t n = strlen(example) / 2;

	ck_assert_ok(bulla_hex_decode(bulla_str(example), bytes));
	ck_assert_ok(mount_unpack(bulla_mem(bytes, n), 1, NULL, &mount));
	ck_assert_bytes(mount->public.path, "transit/");
	ck_assert_bytes(mount->public.accessor, "transit_28acb862");
	ck_assert_str_eq(mount->public.uuid_text, "7accd5ac-989e-39f3-272c-9ee56b8e36cc");
	ck_assert_int_eq(mount->public.max_lease_ttl_s, 86400);
	ck_assert_ok(mount_pack(&call, &mount->public, false, &packed));
	ck_assert(bulla_equal(packed, bulla_mem(bytes, n)));
	mount_put(mount);
}
END_TEST

/* Settings for all keys make it format 02. */
START_TEST(format_keys)
{
	struct bulla_bytes packed, again;
	uint8_t bytes[200];
	struct mount *mount;
	size_t n = strlen(example) / 2;

	ck_assert_ok(bulla_hex_decode(bulla_str(example), bytes));
	ck_assert_ok(mount_unpack(bulla_mem(bytes, n), 1, NULL, &mount));
	ck_assert_int_eq(mount->public.cache_size, 0);
	ck_assert(!mount->public.disable_upsert);
	mount->public.cache_size = 500;
	ck_assert_ok(mount_pack(&call, &mount->public, false, &packed));
	mount->public.cache_size = 0;
	mount->public.disable_upsert = true;
	ck_assert_ok(mount_pack(&call, &mount->public, false, &again));
	mount_put(mount);
	ck_assert_uint_eq(packed.len, n + 9);
	ck_assert_mem_eq(packed.ptr, "\2", 1);
	ck_assert_mem_eq(packed.ptr + 1, bytes + 1, n - 1);
	ck_assert_mem_eq(packed.ptr + n, "\0\0\0\0\0\0\1\364\0", 9);
	ck_assert_mem_eq(again.ptr + n, "\0\0\0\0\0\0\0\0\1", 9);
	ck_assert_ok(mount_unpack(packed, 1, NULL, &mount));
	ck_assert_int_eq(mount->public.cache_size, 500);
	ck_assert(!mount->public.disable_upsert);
	mount_put(mount);
	for (size_t cut = 1; cut <= 9; cut++)
		ck_assert_err(mount_unpack(bulla_mem(packed.ptr, packed.len - cut), 1, NULL, &mount), BULLA_E_STORE_DAMAGED);
}
END_TEST

START_TEST(format_refused)
{
	struct mount *mount;
	uint8_t bytes[200];
	size_t n = strlen(example) / 2;

	ck_assert_ok(bulla_hex_decode(bulla_str(example), bytes));
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_err(mount_unpack(bulla_mem(bytes, cut), 1, NULL, &mount), BULLA_E_STORE_DAMAGED);
	bytes[n] = 0;
	ck_assert_err(mount_unpack(bulla_mem(bytes, n + 1), 1, NULL, &mount), BULLA_E_STORE_DAMAGED);
	bytes[0] = 2;
	ck_assert_err(mount_unpack(bulla_mem(bytes, n), 1, NULL, &mount), BULLA_E_STORE_DAMAGED);
	bytes[0] = 1, bytes[1] = 5;
	ck_assert_err(mount_unpack(bulla_mem(bytes, n), 1, NULL, &mount), BULLA_E_STORE_DAMAGED);
	bytes[1] = 0, bytes[2] = 0x80;
	ck_assert_err(mount_unpack(bulla_mem(bytes, n), 1, NULL, &mount), BULLA_E_STORE_DAMAGED);
	bytes[2] = 0, bytes[30] = 'x'; /* no slash at the end */
	ck_assert_err(mount_unpack(bulla_mem(bytes, n), 1, NULL, &mount), BULLA_E_STORE_DAMAGED);
}
END_TEST

/* ---- changes --------------------------------------------------------------- */

static const struct bulla_mount *at(const char *path)
{
	struct bulla_bytes rest;
	const struct bulla_mount *mount = bulla_mount_find(engine, bulla_str(path), &rest);

	ck_assert_ptr_nonnull(mount);
	return mount;
}

static void check_tuned(const uint8_t uuid[16])
{
	const struct bulla_mount *m = at("x");

	ck_assert_int_eq(memcmp(m->uuid, uuid, 16), 0);
	ck_assert_bytes(m->description, "tuned");
	ck_assert_int_eq(m->max_lease_ttl_s, 7200);
	ck_assert_int_eq(m->default_lease_ttl_s, 60);
	ck_assert_int_eq(m->audit_request_count, 2);
	ck_assert_bytes(m->audit_non_hmac_request_keys[1], "b");
	ck_assert_int_eq(m->audit_response_count, -1);
	ck_assert_uint_eq(m->option_count, 2);
	ck_assert_bytes(m->options[0].key, "a");
	ck_assert_bytes(m->options[1].value, "two");
	ck_assert(m->local && !m->builtin && !m->options_null);
	bulla_mount_put(m);
}

START_TEST(tuned_and_reloaded)
{
	const struct bulla_bytes keys[] = { bulla_str("a"), bulla_str("b") };
	const struct bulla_pair one = { bulla_str("a"), bulla_str("one") }, two = { bulla_str("b"), bulla_str("two") };
	struct bulla_mount_settings s = { .set = BULLA_MOUNT_DEFAULT_TTL | BULLA_MOUNT_OPTIONS,
					  .values = { .default_lease_ttl_s = 60, .local = true, .options = &one, .option_count = 1 } };
	uint8_t uuid[16];

	ck_assert_ok(bulla_mount_enable(engine, &call, bulla_str("x"), bulla_str("transit"), &s));
	const struct bulla_mount *before = at("x");

	memcpy(uuid, before->uuid, sizeof uuid);
	s = (struct bulla_mount_settings){
		.set = BULLA_MOUNT_DESCRIPTION | BULLA_MOUNT_MAX_TTL | BULLA_MOUNT_AUDIT_REQUEST | BULLA_MOUNT_OPTIONS,
		.values = { .description = bulla_str("tuned"), .max_lease_ttl_s = 7200, .audit_non_hmac_request_keys = keys,
			    .audit_request_count = 2, .options = &two, .option_count = 1 },
	};
	ck_assert_ok(bulla_mount_tune(engine, &call, bulla_str("/x/"), &s));
	ck_assert_uint_eq(before->description.len, 0); /* whoever holds the older snapshot sees no change */
	bulla_mount_put(before);
	check_tuned(uuid);
	s = (struct bulla_mount_settings){ .set = BULLA_MOUNT_DEFAULT_TTL, .values.default_lease_ttl_s = 7201 };
	ck_assert_fails(bulla_mount_tune(engine, &call, bulla_str("x"), &s), BULLA_E_INVALID,
			"backend max lease TTL of 7200 would be less than backend default lease TTL of 7201");
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	check_tuned(uuid);
}
END_TEST

static void make_key(const char *mount, const char *name)
{
	const struct bulla_mount *m = at(mount);
	const struct bulla_key_create_args args = { 0 };
	struct bulla_key_info info;
	bool created;

	ck_assert_ok(bulla_key_create(engine, &call, m, bulla_str(name), &args, &info, &created));
	bulla_mount_put(m);
}

static enum bulla_err read_key(const char *mount, const char *name)
{
	const struct bulla_mount *m = at(mount);
	struct bulla_key_info info;
	enum bulla_err err = bulla_key_read(engine, &call, m, bulla_str(name), &info);

	bulla_mount_put(m);
	return err;
}

START_TEST(moved_with_its_keys)
{
	struct bulla_mount_move moved;
	char id[37];

	ck_assert_ok(enable("x"));
	ck_assert_ok(enable("z"));
	make_key("x", "k");
	ck_assert_fails(bulla_mount_move(engine, &call, bulla_str("nope"), bulla_str("y"), id), BULLA_E_INVALID,
			"no matching mount at \"nope/\"");
	ck_assert_fails(bulla_mount_move(engine, &call, bulla_str("x"), bulla_str("z/below"), id), BULLA_E_INVALID,
			"path already in use at \"z/\"");
	ck_assert_fails(bulla_mount_move(engine, &call, bulla_str("x"), bulla_str("x"), id), BULLA_E_INVALID,
			"path already in use at \"x/\"");
	ck_assert_fails(bulla_mount_move(engine, &call, bulla_str("x"), bulla_str("sys/x"), id), BULLA_E_INVALID,
			"cannot remount to destination sys/x/");
	ck_assert_fails(bulla_mount_move(engine, &call, bulla_str("x"), bulla_str(""), id), BULLA_E_INVALID,
			"both 'from' and 'to' path must be specified as a string");
	ck_assert_err(bulla_mount_moved(engine, &call, bulla_str("nope"), &moved), BULLA_E_NOT_FOUND);
	ck_assert_ok(bulla_mount_move(engine, &call, bulla_str("x"), bulla_str("y/q"), id));
	assert_found("x/keys/k", "", "");
	ck_assert_ok(read_key("y/q", "k"));
	ck_assert_ok(bulla_mount_moved(engine, &call, bulla_str(id), &moved));
	ck_assert_bytes(moved.from, "x/");
	ck_assert_bytes(moved.to, "y/q/");
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert_ok(read_key("y/q", "k"));
}
END_TEST

START_TEST(disabled)
{
	ck_assert_ok(disable("nope"));
	ck_assert_ok(enable("x"));
	make_key("x", "k");
	ck_assert_ok(disable("x"));
	assert_found("x/keys/k", "", "");
	ck_assert_ok(disable("x"));
	ck_assert_ok(enable("x"));
	ck_assert_err(read_key("x", "k"), BULLA_E_NOT_FOUND);
}
END_TEST

/* What a crash between the two halves of disabling leaves: the next unsealing finishes it. */
START_TEST(disabling_is_finished)
{
	struct mount_gone gone;
	bool there = false;

	ck_assert_ok(enable("x"));
	make_key("x", "k");
	ck_assert_ok(mounts_retire(engine->mounts, &call, bulla_str("x"), &there, &gone));
	ck_assert(there);
	ck_assert_bytes(gone.path, "x/");
	ck_assert_int_eq(gone.kind, BULLA_MOUNT_TRANSIT);
	assert_found("x/keys/k", "", "");
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_ok(mounts_dying(engine->mounts, &call, &there, &gone));
	ck_assert(!there);
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert_ok(mounts_dying(engine->mounts, &call, &there, &gone));
	ck_assert(!there); /* found, and done with */
	assert_found("x/keys/k", "", "");
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert_uint_eq(count(), 4);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void)
{
	Suite *suite = suite_create("mount");
	TCase *tc = tcase_create("table");

	tcase_add_checked_fixture(tc, engine_setup, engine_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, enable_refused, 0, COUNT(refused));
	tcase_add_test(tc, longest_path);
	tcase_add_test(tc, settings_refused);
	tcase_add_test(tc, conflicts);
	tcase_add_test(tc, builtins_stay);
	tcase_add_test(tc, loop_asks_for_a_worker);
	tcase_add_test(tc, sealed);
	tcase_add_test(tc, finds);
	tcase_add_test(tc, listed_sorted);
	tcase_add_test(tc, format_refused);
	tcase_add_test(tc, format_keys);
	tcase_add_test(tc, format);
	tcase_add_test(tc, tuned_and_reloaded);
	tcase_add_test(tc, moved_with_its_keys);
	tcase_add_test(tc, disabled);
	tcase_add_test(tc, disabling_is_finished);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
