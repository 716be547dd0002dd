/* pipeline.c: owns the engine under test and what steps saved. One thread. */
#include "pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json_oracle.h"
#include "request/json.h"

#define MAX_SAVED 32
#define MAX_ROWS 512

struct bulla *pipeline_engine;
struct bulla_bytes pipeline_unseal_key;
char pipeline_log[512];
bool pipeline_allow_audit;

static struct bulla_arena *setup_arena;
static struct service service;
static struct {
	char name[32], value[4096];
} saved[MAX_SAVED];
static size_t saved_count;
static const struct route *answered[MAX_ROWS];
static size_t answered_count;
static int64_t ahead_s; /* of the real clock */

static void log_line(void *context, const char *level, const char *text)
{
	(void)context;
	snprintf(pipeline_log, sizeof pipeline_log, "%s %s", level, text);
}

static struct bulla_call setup_call(void)
{
	return (struct bulla_call){ .arena = setup_arena, .may_block = true };
}

void pipeline_begin_uninitialised(void)
{
	const struct bulla_config config = { .seal.kind = BULLA_SEAL_SHAMIR, .version = "1.2.3", .build_date = "2026-11-21T00:00:00Z" };

	setup_arena = bulla_arena_new(4096);
	struct bulla_call call = setup_call();

	ck_assert_int_eq(bulla_open(&config, &call, &pipeline_engine), BULLA_OK);
	ck_assert_msg(serve_check(&call) == BULLA_OK, "%.*s", (int)call.detail.len, (const char *)call.detail.ptr);
	service = (struct service){
		.engine = pipeline_engine, .log = log_line,
		.info = { .version = "1.2.3", .build_date = "2026-11-21T00:00:00Z", .cluster_name = "test", .api_addr = "http://127.0.0.1:8200",
			  .max_request_bytes = 32 << 20 },
	};
	saved_count = 0;
	pipeline_log[0] = 0;
	pipeline_allow_audit = true;
}

void pipeline_begin(void)
{
	pipeline_begin_uninitialised();
	struct bulla_call call = setup_call();
	const struct bulla_init_args args = { .secret_shares = 1, .secret_threshold = 1, .root_token = bulla_str("root") };
	const struct bulla_mount_settings settings = { 0 };
	struct bulla_init_result result;

	ck_assert_int_eq(bulla_init(pipeline_engine, &call, &args, &result), BULLA_OK);
	pipeline_unseal_key = result.shares[0];
	ck_assert_int_eq(bulla_unseal(pipeline_engine, &call, pipeline_unseal_key), BULLA_OK);
	ck_assert_int_eq(bulla_mount_enable(pipeline_engine, &call, bulla_str("transit"), bulla_str("transit"), &settings), BULLA_OK);
}

void pipeline_end(void)
{
	bulla_close(pipeline_engine);
	bulla_arena_free(setup_arena);
	bulla_clock_replace(NULL, NULL);
	ahead_s = 0;
	pipeline_engine = NULL;
}

/* ---- the clock --------------------------------------------------------------------------------------------------------- */

static int64_t moved_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return ((int64_t)now.tv_sec + ahead_s) * 1000000000 + now.tv_nsec;
}

/* A second more than said: what ends by then has ended. */
static void later(int64_t s)
{
	ahead_s += s + 1;
	bulla_clock_replace(moved_clock, moved_clock);
}

void pipeline_day_begun(void)
{
	ahead_s = 86400 - time(NULL) % 86400 + 60;
	bulla_clock_replace(moved_clock, moved_clock);
}

void pipeline_hour_later(void)
{
	later(3600);
}

void pipeline_minute_later(void)
{
	later(60);
}

/* ---- saved values ------------------------------------------------------------------------------------------------------ */

/* Text with each $name of a saved value replaced. */
char *pipeline_substitute(const char *text)
{
	size_t room = strlen(text) + 1, n = 0;
	char *out = malloc(room);

	while (*text != 0) {
		const char *value = NULL;
		size_t skip = 1;

		for (size_t i = 0; *text == '$' && i < saved_count; i++)
			if (strncmp(text + 1, saved[i].name, strlen(saved[i].name)) == 0) {
				value = saved[i].value;
				skip = 1 + strlen(saved[i].name);
			}
		size_t add = value != NULL ? strlen(value) : 1;

		out = realloc(out, room += add);
		memcpy(out + n, value != NULL ? value : text, add);
		n += add;
		text += skip;
	}
	out[n] = 0;
	return out;
}

/* "data.keys.1" within a document. */
static const struct json *at_path(const struct json *value, const char *path)
{
	char part[64];

	while (*path != 0 && value != NULL) {
		size_t n = strcspn(path, ".");

		ck_assert_uint_lt(n, sizeof part);
		memcpy(part, path, n);
		part[n] = 0;
		path += n + (path[n] == '.');
		if (value->type == JSON_ARRAY) {
			size_t at = strtoul(part, NULL, 10);

			for (value = value->first; value != NULL && at > 0; at--)
				value = value->next;
			continue;
		}
		value = json_get(value, part);
	}
	return value;
}

void pipeline_save(const char *name, const char *value)
{
	size_t i = 0;

	while (i < saved_count && strcmp(saved[i].name, name) != 0)
		i++;
	ck_assert_uint_lt(i, MAX_SAVED);
	snprintf(saved[i].name, sizeof saved[i].name, "%s", name);
	snprintf(saved[i].value, sizeof saved[i].value, "%s", value);
	saved_count += i == saved_count;
}

static void save_value(const struct json *doc, const char *what)
{
	const char *equals = strchr(what, '=');
	const struct json *value = at_path(doc, equals + 1);

	ck_assert_msg(value != NULL && value->text.len < sizeof saved[0].value, "nothing to save: %s", what);
	char name[32], text[sizeof saved[0].value];

	snprintf(name, sizeof name, "%.*s", (int)(equals - what), what);
	snprintf(text, sizeof text, "%.*s", (int)value->text.len, (const char *)value->text.ptr);
	pipeline_save(name, text);
}

/* ---- steps --------------------------------------------------------------------------------------------------------------- */

static enum method method_of(const char *text, size_t len)
{
	static const char *const names[] = {
		[METHOD_GET] = "GET", [METHOD_POST] = "POST", [METHOD_PUT] = "PUT", [METHOD_DELETE] = "DELETE", [METHOD_LIST] = "LIST",
		[METHOD_PATCH] = "PATCH", [METHOD_HEAD] = "HEAD", [METHOD_OPTIONS] = "OPTIONS", [METHOD_SCAN] = "SCAN",
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strlen(names[i]) == len && memcmp(names[i], text, len) == 0)
			return (enum method)i;
	return METHOD_UNKNOWN;
}

/* Notes which row a good answer came from. */
static struct bulla_bytes decoded(const char *base64, uint8_t *out, size_t size)
{
	struct bulla_bytes text = bulla_str(base64);
	size_t len = 0, bad_at;

	ck_assert_uint_le(BULLA_BASE64_MAX_DECODED(text.len), size);
	ck_assert_int_eq(bulla_base64_decode(text, out, &len, &bad_at), BULLA_OK);
	return bulla_mem(out, len);
}

static void note_row(const struct request *request)
{
	struct bulla_bytes path = bulla_mem(request->target.ptr + 4, request->target.len - 4), rest, params[MAX_PARAMS];
	const uint8_t *query = memchr(path.ptr, '?', path.len);
	enum method method = request->method == METHOD_PUT ? METHOD_POST : request->method;

	if (query != NULL) {
		if (strstr((const char *)query, "list=true") != NULL)
			method = METHOD_LIST;
		path.len = (size_t)(query - path.ptr);
	}
	const struct bulla_mount *mount = bulla_mount_find(pipeline_engine, path, &rest);
	bool edge = mount == NULL && path.len > 4 && memcmp(path.ptr, "sys/", 4) == 0;

	if (edge)
		rest = bulla_mem(path.ptr + 4, path.len - 4);
	const struct route_path *found =
		mount != NULL || edge ? routes_find(edge ? BULLA_MOUNT_SYSTEM : mount->kind, rest, params) : NULL;

	bulla_mount_put(mount);
	if (found == NULL || found->rows[method] == NULL)
		return;
	for (size_t i = 0; i < answered_count; i++)
		if (answered[i] == found->rows[method])
			return;
	ck_assert_uint_lt(answered_count, MAX_ROWS);
	answered[answered_count++] = found->rows[method];
}

static void check_reply(const struct step *step, const struct reply *reply, struct bulla_call *call)
{
	const char *text = reply->body.ptr != NULL ? (const char *)reply->body.ptr : "";
	int len = (int)reply->body.len;
	char why[256];
	struct json *doc = NULL;

	ck_assert_msg(reply->status == step->status, "%s: %d instead of %d: %.*s", step->request, reply->status, step->status, len, text);
	if (step->location != NULL)
		ck_assert_msg(bulla_is(reply->location, step->location), "%s: to %.*s", step->request, (int)reply->location.len,
			      (const char *)reply->location.ptr);
	else
		ck_assert_uint_eq(reply->location.len, 0);
	if (step->allow != NULL)
		ck_assert_str_eq(reply->allow, step->allow);
	if (step->expect != NULL && step->expect[0] == 0)
		ck_assert_msg(len == 0, "%s: a body: %.*s", step->request, len, text);
	if (step->expect != NULL && step->expect[0] != 0) {
		char *expect = pipeline_substitute(step->expect);

		ck_assert_str_eq(reply->content_type, "application/json");
		ck_assert_msg(oracle_contains(text, (size_t)len, expect, why, sizeof why), "%s: at %s: %.*s", step->request, why, len, text);
		free(expect);
	}
	if (step->save != NULL || step->absent != NULL)
		ck_assert_int_eq(json_parse(call, reply->body.ptr, reply->body.len, &doc), BULLA_OK);
	if (step->absent != NULL)
		ck_assert_msg(at_path(doc, step->absent) == NULL, "%s: %s is there", step->request, step->absent);
	if (step->save != NULL)
		save_value(doc, step->save);
}

/* A body of just its size, so that the sanitizer sees a read beyond it. */
static uint8_t *exact_copy(const char *text)
{
	uint8_t *copy = malloc(strlen(text) + (*text == 0));

	memcpy(copy, text, strlen(text));
	return copy;
}

/* kept NULL: the reply is checked; else its body goes there. Returns its status. */
static int run_step(const struct step *step, char *kept, size_t room)
{
	size_t method_len = strcspn(step->request, " ");
	const char *path = step->request + method_len + 1;
	char *target = pipeline_substitute(path), *body = pipeline_substitute(step->body ? step->body : ""), *token = pipeline_substitute(step->token ? step->token : "root");
	struct bulla_arena *arena = bulla_arena_new(4096);
	struct bulla_call call = { .arena = arena };
	uint8_t *body_copy = exact_copy(body);

	if (*path != '/' && strncmp(path, "http", 4) != 0 && *path != '*') {
		char *below = malloc(strlen(target) + 5);

		sprintf(below, "/v1/%s", target);
		free(target);
		target = below;
	}
	struct request request = {
		.method = method_of(step->request, method_len), .target = bulla_str(target), .token = bulla_str(token),
		.namespace = bulla_str(step->namespace), .wrap_ttl = bulla_str(step->wrap_ttl),
		.content_type = bulla_str(step->content_type), .remote = bulla_str("127.0.0.1:1"), .body = body_copy,
		.body_len = strlen(body), .body_too_large = step->too_large, .may_generate_root = step->root_listener,
	};
	struct reply reply;
	uint8_t der[4096];
	struct bulla_bytes certificate = decoded(step->client_certificate, der, sizeof der);

	if (certificate.len > 0)
		request.client_chain = &certificate, request.client_chain_count = 1;
	service.info.allow_api_audit = pipeline_allow_audit;
	/* as httpd does: on a loop, and again on a worker if it has to wait */
	if (!serve(&service, &call, &request, &reply)) {
		ck_assert_ptr_null(reply.body.ptr);
		ck_assert_ptr_null(call.token);
		ck_assert_ptr_null(call.warnings);
		bulla_arena_reset(arena);
		call = (struct bulla_call){ .arena = arena, .may_block = true, .request_counted = call.request_counted,
					    .budget_taken = call.budget_taken };
		ck_assert(serve(&service, &call, &request, &reply));
	}
	ck_assert_ptr_null(call.token);
	ck_assert_int_eq(memcmp(body_copy, body, strlen(body)), 0);
	if (kept != NULL)
		snprintf(kept, room, "%.*s", (int)reply.body.len, (const char *)reply.body.ptr);
	else
		check_reply(step, &reply, &call);
	int status = reply.status;

	if (kept == NULL && (reply.status < 400 || step->refuses_always) && strstr(step->request, "?help") == NULL)
		note_row(&request);
	out_clear(&reply.body);
	bulla_arena_free(arena);
	free(body_copy);
	free(target);
	free(body);
	free(token);
	return status;
}

int pipeline_send(const struct step *step, char *body, size_t room)
{
	return run_step(step, body, room);
}

void pipeline_run(const struct step *steps)
{
	for (; steps->request != NULL; steps++) {
		if (steps->before != NULL)
			steps->before();
		(void)run_step(steps, NULL, 0);
	}
}

/* ---- whether every row has a case ------------------------------------------------------------------------------------------ */

struct count {
	size_t rows, good;
	char *missing;
};

static void count_rows(const struct route_path *path, void *context)
{
	struct count *count = context;

	for (enum method m = METHOD_GET; m < METHOD_UNKNOWN; m++) {
		bool good = false;

		if (path->rows[m] == NULL)
			continue;
		for (size_t i = 0; i < answered_count; i++)
			good |= answered[i] == path->rows[m];
		count->rows++;
		count->good += good;
		if (!good && count->missing[0] == 0)
			snprintf(count->missing, 128, "%s, method %d", path->pattern, m);
	}
}

size_t pipeline_rows_answered(size_t *rows, char missing[128])
{
	struct count count = { .missing = missing };

	missing[0] = 0;
	routes_each(count_rows, &count);
	*rows = count.rows;
	return count.good;
}
