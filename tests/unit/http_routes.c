/* The index of routes: what is refused at start, and which row a path gets. The tables here are the test's own. */
#include "unit.h"

#include "http/routes.h"

static enum bulla_err nothing(struct exchange *x)
{
	(void)x;
	return BULLA_OK;
}

static enum bulla_err never(struct exchange *x, bool *exists)
{
	(void)x;
	*exists = false;
	return BULLA_OK;
}

#define ROW(kind, verbs, text, bits) { .mount = BULLA_MOUNT_##kind, .methods = verbs, .pattern = text, .fn = nothing, .flags = bits }

const struct route transit_key_routes[] = {
	ROW(TRANSIT, ON(LIST), "keys", ROUTE_TOKEN), ROW(TRANSIT, ON(GET) | ON(DELETE), "keys/{name}", ROUTE_TOKEN),
	ROW(TRANSIT, ON(POST), "keys/{name}", ROUTE_TOKEN), ROW(TRANSIT, ON(POST), "keys/{name}/rotate", ROUTE_TOKEN),
	ROW(TRANSIT, ON(GET), "export/{type}/{name}", ROUTE_TOKEN), ROW(TRANSIT, ON(GET), "export/{type}/{name}/{version*}", ROUTE_TOKEN),
	{ .fn = NULL },
};
const struct route transit_crypt_routes[] = { { .fn = NULL } }, transit_export_routes[] = { { .fn = NULL } },
	sys_seal_routes[] = { ROW(SYSTEM, ON(GET) | ON(HEAD), "health", ROUTE_NO_TOKEN | ROUTE_EDGE | ROUTE_WHILE_SEALED), { .fn = NULL } },
	sys_mount_routes[] = {
		ROW(SYSTEM, ON(GET), "mounts", ROUTE_TOKEN), ROW(SYSTEM, ON(GET) | ON(POST), "mounts/{path*}/tune", ROUTE_TOKEN),
		ROW(SYSTEM, ON(GET), "mounts/{path*}", ROUTE_TOKEN), { .fn = NULL },
	},
	sys_root_routes[] = { { .fn = NULL } }, sys_lease_routes[] = { { .fn = NULL } },
	cubbyhole_routes[] = { ROW(CUBBYHOLE, ON(LIST) | ON(GET), "{path*}", ROUTE_TOKEN), { .fn = NULL } },
	token_routes[] = { ROW(TOKEN, ON(POST), "create", ROUTE_TOKEN), { .fn = NULL } };

/* Written by the test, read by the table. */
static struct route under_test[3];
extern const struct route sys_misc_routes[3] __attribute__((alias("under_test")));

static const struct {
	enum bulla_mount_kind mount;
	const char *rest, *pattern; /* NULL: none */
	const char *params[3];
} paths[] = {
	{ BULLA_MOUNT_TRANSIT, "keys", "keys", { 0 } }, { BULLA_MOUNT_TRANSIT, "keys/", "keys", { 0 } },
	{ BULLA_MOUNT_TRANSIT, "keys/k", "keys/{name}", { "k" } }, { BULLA_MOUNT_TRANSIT, "keys/a.b-c_1", "keys/{name}", { "a.b-c_1" } },
	{ BULLA_MOUNT_TRANSIT, "keys/k/rotate", "keys/{name}/rotate", { "k" } }, { BULLA_MOUNT_TRANSIT, "keys/rotate", "keys/{name}", { "rotate" } },
	{ BULLA_MOUNT_TRANSIT, "export/t/n", "export/{type}/{name}", { "t", "n" } },
	{ BULLA_MOUNT_TRANSIT, "export/t/n/1/2", "export/{type}/{name}/{version*}", { "t", "n", "1/2" } },
	{ BULLA_MOUNT_SYSTEM, "mounts/a/b/", "mounts/{path*}", { "a/b/" } }, { BULLA_MOUNT_SYSTEM, "mounts/a/b/tune", "mounts/{path*}/tune", { "a/b" } },
	{ BULLA_MOUNT_SYSTEM, "mounts/tune", "mounts/{path*}", { "tune" } }, { BULLA_MOUNT_SYSTEM, "health", "health", { 0 } },
	{ BULLA_MOUNT_TOKEN, "create", "create", { 0 } }, { BULLA_MOUNT_CUBBYHOLE, "x", "{path*}", { "x" } },
	{ BULLA_MOUNT_CUBBYHOLE, "", "{path*}", { "" } }, { BULLA_MOUNT_CUBBYHOLE, "a b//c/", "{path*}", { "a b//c/" } },
	/* none */
	{ BULLA_MOUNT_TRANSIT, "", NULL, { 0 } }, { BULLA_MOUNT_TRANSIT, "/", NULL, { 0 } }, { BULLA_MOUNT_TRANSIT, "keys//", NULL, { 0 } },
	{ BULLA_MOUNT_TRANSIT, "keys/k/", NULL, { 0 } }, { BULLA_MOUNT_TRANSIT, "keys/-k", NULL, { 0 } }, { BULLA_MOUNT_TRANSIT, "keys/k-", NULL, { 0 } },
	{ BULLA_MOUNT_TRANSIT, "keys/.", NULL, { 0 } }, { BULLA_MOUNT_TRANSIT, "keys/a b", NULL, { 0 } }, { BULLA_MOUNT_TRANSIT, "key", NULL, { 0 } },
	{ BULLA_MOUNT_TRANSIT, "keysx", NULL, { 0 } }, { BULLA_MOUNT_TRANSIT, "keys/k/rotate/", NULL, { 0 } },
	{ BULLA_MOUNT_TRANSIT, "keys/k/rotates", NULL, { 0 } }, { BULLA_MOUNT_TRANSIT, "export/t/n/", NULL, { 0 } },
	{ BULLA_MOUNT_SYSTEM, "mounts/", NULL, { 0 } }, { BULLA_MOUNT_SYSTEM, "health/", NULL, { 0 } }, { BULLA_MOUNT_SYSTEM, "create", NULL, { 0 } },
	{ BULLA_MOUNT_IDENTITY, "x", NULL, { 0 } },
};

START_TEST(finds)
{
	struct bulla_call call = call_begin();
	struct bulla_bytes params[MAX_PARAMS];

	memset(under_test, 0, sizeof under_test);
	ck_assert_ok(routes_init(&call));
	const struct route_path *found = routes_find(paths[_i].mount, bulla_str(paths[_i].rest), params);

	if (paths[_i].pattern == NULL)
		ck_assert_msg(found == NULL, "%s", paths[_i].rest);
	else
		ck_assert_str_eq(found->pattern, paths[_i].pattern);
	for (size_t i = 0; i < 3 && paths[_i].params[i] != NULL; i++)
		ck_assert_bytes(params[i], paths[_i].params[i]);
	call_end(&call);
}
END_TEST

START_TEST(rows_of_one_path_are_joined)
{
	struct bulla_call call = call_begin();
	struct bulla_bytes params[MAX_PARAMS];

	memset(under_test, 0, sizeof under_test);
	ck_assert_ok(routes_init(&call));
	const struct route_path *found = routes_find(BULLA_MOUNT_TRANSIT, bulla_str("keys/k"), params);

	ck_assert_ptr_eq(found->rows[METHOD_GET], &transit_key_routes[1]);
	ck_assert_ptr_eq(found->rows[METHOD_DELETE], &transit_key_routes[1]);
	ck_assert_ptr_eq(found->rows[METHOD_POST], &transit_key_routes[2]);
	ck_assert_ptr_null(found->rows[METHOD_LIST]);
	call_end(&call);
}
END_TEST

#define TRY_ROW(...) { .mount = BULLA_MOUNT_SYSTEM, .fn = nothing, __VA_ARGS__ }

static const struct route refused[] = {
	TRY_ROW(.methods = ON(GET), .pattern = "x"),
	TRY_ROW(.methods = ON(GET), .pattern = "x", .flags = ROUTE_RAW),
	TRY_ROW(.methods = ON(GET), .pattern = "x", .flags = ROUTE_TOKEN | ROUTE_NO_TOKEN),
	TRY_ROW(.methods = ON(GET), .pattern = "x", .flags = ROUTE_TOKEN_ONLY | ROUTE_SUDO),
	TRY_ROW(.methods = ON(GET), .pattern = "x", .flags = ROUTE_NO_TOKEN | ROUTE_WHILE_SEALED),
	TRY_ROW(.methods = ON(GET), .pattern = "x", .flags = ROUTE_TOKEN, .need = BULLA_CAN_UPDATE),
	TRY_ROW(.methods = ON(GET) | ON(POST), .pattern = "x", .flags = ROUTE_TOKEN, .need = BULLA_CAN_READ),
	TRY_ROW(.methods = ON(POST), .pattern = "x", .flags = ROUTE_TOKEN, .need = BULLA_CAN_CREATE),
	TRY_ROW(.methods = ON(GET), .pattern = "x", .flags = ROUTE_TOKEN, .need = BULLA_CAN_CREATE, .exists = never),
	TRY_ROW(.methods = 0, .pattern = "x", .flags = ROUTE_TOKEN), TRY_ROW(.methods = ON(PUT), .pattern = "x", .flags = ROUTE_TOKEN),
	TRY_ROW(.methods = ON(UNKNOWN), .pattern = "x", .flags = ROUTE_TOKEN),
	TRY_ROW(.methods = ON(GET), .pattern = "", .flags = ROUTE_TOKEN), TRY_ROW(.methods = ON(GET), .pattern = "{a}", .flags = ROUTE_TOKEN),
	TRY_ROW(.methods = ON(GET), .pattern = "/x", .flags = ROUTE_TOKEN), TRY_ROW(.methods = ON(GET), .pattern = "x/{a", .flags = ROUTE_TOKEN),
	TRY_ROW(.methods = ON(GET), .pattern = "x/{}", .flags = ROUTE_TOKEN), TRY_ROW(.methods = ON(GET), .pattern = "x/{a}b", .flags = ROUTE_TOKEN),
	TRY_ROW(.methods = ON(GET), .pattern = "x/{a*}/{b}", .flags = ROUTE_TOKEN),
	TRY_ROW(.methods = ON(GET), .pattern = "x/{a}/{b}/{c}/{d}/{e}", .flags = ROUTE_TOKEN),
	TRY_ROW(.methods = ON(GET), .pattern = "mounts", .flags = ROUTE_TOKEN),
	TRY_ROW(.methods = ON(POST), .pattern = "health", .flags = ROUTE_NO_TOKEN),
	{ .mount = BULLA_MOUNT_TRANSIT, .fn = nothing, .methods = ON(GET), .pattern = "x", .flags = ROUTE_TOKEN | ROUTE_EDGE },
};

START_TEST(refuses)
{
	struct bulla_call call = call_begin();

	memset(under_test, 0, sizeof under_test);
	under_test[0] = refused[_i];
	ck_assert_err(routes_init(&call), BULLA_E_CONFIG);
	ck_assert_uint_gt(call.detail.len, 0);
	call_end(&call);
}
END_TEST

START_TEST(takes)
{
	struct bulla_call call = call_begin();

	memset(under_test, 0, sizeof under_test);
	under_test[0] = (struct route)TRY_ROW(.methods = ON(GET) | ON(POST), .pattern = "x/{a}", .flags = ROUTE_TOKEN | ROUTE_SUDO);
	under_test[1] = (struct route)TRY_ROW(.methods = ON(POST), .pattern = "y", .flags = ROUTE_TOKEN, .need = BULLA_CAN_CREATE, .exists = never);
	ck_assert_ok(routes_init(&call));
	call_end(&call);
}
END_TEST

START_TEST(names)
{
	ck_assert_bytes(routes_param("export/{type}/{name}/{version*}", 0), "type");
	ck_assert_bytes(routes_param("export/{type}/{name}/{version*}", 2), "version");
	ck_assert_uint_eq(routes_param("export/{type}/{name}/{version*}", 3).len, 0);
	ck_assert_uint_eq(routes_param("keys", 0).len, 0);
	ck_assert_int_eq(routes_capability(METHOD_GET), BULLA_CAN_READ);
	ck_assert_int_eq(routes_capability(METHOD_PUT), BULLA_CAN_UPDATE);
	ck_assert_int_eq(routes_capability(METHOD_HEAD), BULLA_CAN_ROOT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http/routes");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, finds, 0, sizeof paths / sizeof paths[0]);
	tcase_add_test(tc, rows_of_one_path_are_joined);
	tcase_add_loop_test(tc, refuses, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(tc, takes);
	tcase_add_test(tc, names);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
