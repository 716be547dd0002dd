/* walk.c: every row of the route table, as nobody, with a bad token, with tokens that lack just what it needs, and with one that has just
 * that. Each row has an engine of its own, because what is let through may do anything: seal it, for one. */
#include <stdio.h>
#include <stdlib.h>

#include "pipeline.h"

#define MOST_ROWS 1024

static const char *const method_names[] = {
	[METHOD_GET] = "GET", [METHOD_POST] = "POST", [METHOD_DELETE] = "DELETE", [METHOD_LIST] = "LIST", [METHOD_PATCH] = "PATCH",
	[METHOD_HEAD] = "HEAD", [METHOD_SCAN] = "SCAN",
};

/* ---- the rows -------------------------------------------------------------------------------------------------------------- */

struct row {
	const struct route_path *path;
	const struct route *route;
	enum method method;
};

static struct row rows[MOST_ROWS];
static size_t row_count;

static void add_rows(const struct route_path *path, void *context)
{
	(void)context;
	for (enum method m = METHOD_GET; m < METHOD_UNKNOWN; m++)
		if (path->rows[m] != NULL && m != METHOD_PUT && row_count < MOST_ROWS)
			rows[row_count++] = (struct row){ path, path->rows[m], m };
}

static const char *mount_of(enum bulla_mount_kind kind)
{
	static const char *const paths[] = {
		[BULLA_MOUNT_TRANSIT] = "transit/", [BULLA_MOUNT_SYSTEM] = "sys/", [BULLA_MOUNT_TOKEN] = "auth/token/",
		[BULLA_MOUNT_CUBBYHOLE] = "cubbyhole/", [BULLA_MOUNT_APPROLE] = "auth/approle/", [BULLA_MOUNT_USERPASS] = "auth/userpass/",
		[BULLA_MOUNT_CERT] = "auth/cert/", [BULLA_MOUNT_JWT] = "auth/jwt/",
	};

	ck_assert_uint_lt(kind, sizeof paths / sizeof paths[0]);
	ck_assert_ptr_nonnull(paths[kind]);
	return paths[kind];
}

/* The path with word for each of its parameters; lists have a slash at the end, as policies see them. */
static void fill_path(const struct row *row, const char *word, char out[256])
{
	const char *p = row->path->pattern;
	size_t n = (size_t)sprintf(out, "%s", mount_of(row->path->mount));

	while (*p != '\0') {
		if (*p == '{') {
			n += (size_t)sprintf(out + n, "%s", word);
			p = strchr(p, '}') + 1;
		} else {
			out[n++] = *p++;
		}
	}
	sprintf(out + n, "%s", row->method == METHOD_LIST && out[n - 1] != '/' ? "/" : "");
}

static void choose_path(const struct row *row, char out[256])
{
	static const char *const words[] = { "k", "32", "a/b", "k/k/k", "a/b/c/d", "-" };
	struct bulla_bytes params[MAX_PARAMS];

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		fill_path(row, words[i], out);
		const char *below = out + strlen(mount_of(row->path->mount));

		if (routes_find(row->path->mount, bulla_str(below), params) == row->path)
			return;
	}
	ck_abort_msg("%s: no path of it", row->path->pattern);
}

/* ---- asking ---------------------------------------------------------------------------------------------------------------- */

static char answer[4096];

static int ask(const struct row *row, const char *path, const char *token)
{
	bool writes = row->method == METHOD_POST || row->method == METHOD_PATCH, wraps = (row->path->flags & ROUTE_WRAPPING) != 0;
	static const struct step wrap[] = {
		{ "POST sys/wrapping/wrap", "{\"a\":1}", .wrap_ttl = "60", .status = 200, .save = "wrapped=wrap_info.token" }, { NULL },
	};
	char request[300];

	if (wraps)
		pipeline_run(wrap);
	snprintf(request, sizeof request, "%s %s%s", method_names[row->method], path, wraps && !writes ? "?token=$wrapped" : "");
	struct step step = { request, !writes ? NULL : wraps ? "{\"token\":\"$wrapped\"}" : "{}", .token = token,
			     .content_type = row->method == METHOD_PATCH ? "application/merge-patch+json" : NULL };

	return pipeline_send(&step, answer, sizeof answer);
}

static bool is_denied(int status)
{
	return status == 403 && strstr(answer, "permission denied") != NULL;
}

/* A token whose only policy is this stanza. */
static void make_token(const char *path, const char *capabilities, const char *save)
{
	char policy[600];
	int n = snprintf(policy, sizeof policy, "{\"policy\":\"path \\\"%s\\\" { capabilities = [%s] }\"}", path, capabilities);

	ck_assert_int_lt(n, sizeof policy);
	const struct step steps[] = {
		{ "POST sys/policies/acl/just", policy, .status = 204 },
		{ "POST auth/token/create", "{\"policies\":[\"just\"],\"no_default_policy\":true,\"no_parent\":true}", .status = 200, .save = save }, { NULL },
	};

	pipeline_run(steps);
}

/* Names of capabilities, quoted for a policy within JSON, all of them that are in can. */
static const char *list_capabilities(unsigned can, char out[200])
{
	static const struct {
		unsigned can;
		const char *name;
	} names[] = {
		{ BULLA_CAN_CREATE, "create" }, { BULLA_CAN_READ, "read" }, { BULLA_CAN_UPDATE, "update" }, { BULLA_CAN_DELETE, "delete" },
		{ BULLA_CAN_LIST, "list" }, { BULLA_CAN_SUDO, "sudo" }, { BULLA_CAN_PATCH, "patch" }, { BULLA_CAN_SCAN, "scan" },
	};
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if ((can & names[i].can) != 0)
			n += (size_t)sprintf(out + n, "%s\\\"%s\\\"", n > 0 ? ", " : "", names[i].name);
	return out;
}

#define ALL (BULLA_CAN_CREATE | BULLA_CAN_READ | BULLA_CAN_UPDATE | BULLA_CAN_DELETE | BULLA_CAN_LIST | BULLA_CAN_SUDO | \
	     BULLA_CAN_PATCH | BULLA_CAN_SCAN)

#define DENIED(row, path, as) ck_assert_msg(is_denied(status), "%s %s %s: %d %s", method_names[(row)->method], path, as, status, answer)

/* What needs a token, and on its path the capability need. */
static void walk_guarded(const struct row *row, const char *path, unsigned need)
{
	unsigned sudo = (row->route->flags & ROUTE_SUDO) != 0 ? BULLA_CAN_SUDO : 0;
	char longer[260], text[200];
	int status = ask(row, path, "");

	DENIED(row, path, "without a token");
	status = ask(row, path, "bad");
	DENIED(row, path, "with a bad token");
	make_token(path, list_capabilities(ALL & ~need, text), "t=auth.client_token");
	status = ask(row, path, "$t");
	DENIED(row, path, "with all capabilities but one");
	snprintf(longer, sizeof longer, "%sx", path);
	make_token(longer, list_capabilities(ALL, text), "t=auth.client_token");
	status = ask(row, path, "$t");
	DENIED(row, path, "with all capabilities on another path");
	if (sudo != 0) {
		make_token(path, list_capabilities(need, text), "t=auth.client_token");
		status = ask(row, path, "$t");
		DENIED(row, path, "without sudo");
	}
	make_token(path, list_capabilities(need | sudo, text), "t=auth.client_token");
	status = ask(row, path, "$t");
	ck_assert_msg(!is_denied(status), "%s %s with just what it needs: %d %s", method_names[row->method], path, status,
		      answer);
}

static void walk_open(const struct row *row, const char *path)
{
	int status = ask(row, path, "");

	if (strcmp(row->path->pattern, "internal/ui/mounts/{path*}") != 0) /* tells anybody of no mount but those that are listed */
		ck_assert_msg(!is_denied(status), "%s %s needs no token: %d %s", method_names[row->method], path, status, answer);
	if ((row->path->flags & (ROUTE_EDGE | ROUTE_LOGIN | ROUTE_TOKEN_UNSEEN)) != 0) /* no token is looked at */
		return;
	status = ask(row, path, "bad");
	if ((row->path->flags & (ROUTE_WRAPPING | ROUTE_LOGIN)) == 0) /* ask for the wrapping's token, for none */
		DENIED(row, path, "with a bad token");
}

static void begin_engine(enum bulla_mount_kind kind)
{
	static const struct step transit[] = { { "POST transit/keys/k", "{}", .status = 200 }, { NULL } };
	char request[64], body[64];

	pipeline_begin();
	if (kind == BULLA_MOUNT_TRANSIT)
		pipeline_run(transit);
	if (kind != BULLA_MOUNT_APPROLE && kind != BULLA_MOUNT_USERPASS && kind != BULLA_MOUNT_CERT && kind != BULLA_MOUNT_JWT)
		return;
	const char *type = mount_of(kind) + strlen("auth/");

	snprintf(request, sizeof request, "POST sys/auth/%.*s", (int)strlen(type) - 1, type);
	snprintf(body, sizeof body, "{\"type\":\"%.*s\"}", (int)strlen(type) - 1, type);
	const struct step enable[] = { { request, body, .status = 204 }, { NULL } };

	pipeline_run(enable);
}

/* Where it counts whether the thing is there: once without it, and once where the root token has made it, as far as {} makes one. */
static void walk_both(const struct row *row)
{
	char path[256];

	fill_path(row, "absent", path);
	begin_engine(row->path->mount);
	walk_guarded(row, path, BULLA_CAN_CREATE);
	pipeline_end();
	if (row->path->mount != BULLA_MOUNT_TRANSIT && row->path->mount != BULLA_MOUNT_TOKEN)
		return;
	fill_path(row, "k", path);
	begin_engine(row->path->mount);
	(void)ask(row, path, "root");
	walk_guarded(row, path, BULLA_CAN_UPDATE);
	pipeline_end();
}

static void walk(const struct row *row)
{
	char path[256];

	if (row->route->need == BULLA_CAN_CREATE) {
		walk_both(row);
		return;
	}
	choose_path(row, path);
	begin_engine(row->path->mount);
	if ((row->route->flags & ROUTE_NO_TOKEN) != 0)
		walk_open(row, path);
	else
		walk_guarded(row, path, row->route->need != 0 ? row->route->need : routes_capability(row->method));
	pipeline_end();
}

START_TEST(every_row)
{
	size_t guarded = 0, context = 0;

	row_count = 0;
	pipeline_begin(); /* makes the index */
	routes_each(add_rows, NULL);
	pipeline_end();
	ck_assert_uint_gt(row_count, 100);
	ck_assert_uint_lt(row_count, MOST_ROWS);
	for (size_t i = 0; i < row_count; i++) {
		walk(&rows[i]);
		guarded += (rows[i].route->flags & ROUTE_TOKEN) != 0;
		context += (rows[i].route->flags & ROUTE_CONTEXT) != 0;
	}
	ck_assert_uint_gt(guarded, row_count / 2);
	ck_assert_uint_eq(context, 4); /* encrypt, decrypt, rewrap, datakey */
}
END_TEST

Suite *walk_suite(void)
{
	Suite *suite = suite_create("pipeline/walk");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, every_row);
	suite_add_tcase(suite, tc);
	return suite;
}
