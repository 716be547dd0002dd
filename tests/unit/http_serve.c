/* What serve() makes of what handlers return: the handlers here are the test's own, the engine is real. Which gate comes first
 * is tested in tests/pipeline. */
#include "unit.h"

#include <stdio.h>

#include "http/routes.h"
#include "http/serve.h"

static enum bulla_err fault(struct exchange *x)
{
	json_open(x->data, '{');
	json_put_text(x->data, "half", "printed");
	return bulla_fail(x->call, BULLA_E_STORE, "the disk said no");
}

static enum bulla_err busy(struct exchange *x)
{
	(void)x;
	return BULLA_E_BUSY;
}

static enum bulla_err listed(struct exchange *x)
{
	return bulla_fail(x->call, BULLA_E_INVALID_500, "said \"so\"");
}

static enum bulla_err empty(struct exchange *x)
{
	return bulla_fail(x->call, BULLA_E_NOT_FOUND, "not to be seen");
}

static int runs;

static enum bulla_err blocks_once(struct exchange *x)
{
	runs++;
	json_open(x->data, '{');
	TRY(bulla_warn(x->call, "once"));
	if (!x->call->may_block)
		return bulla_fail(x->call, BULLA_E_MUST_BLOCK, "left over");
	json_put_int(x->data, "runs", runs);
	json_close(x->data, '}');
	return BULLA_OK;
}

static enum bulla_err blocks_always(struct exchange *x)
{
	(void)x;
	return BULLA_E_MUST_BLOCK;
}

static enum bulla_err counts(struct exchange *x)
{
	runs++;
	(void)x;
	return BULLA_OK;
}

static enum bulla_err warns(struct exchange *x)
{
	return bulla_warn(x->call, "only \"this\"");
}

static enum bulla_err prints(struct exchange *x)
{
	json_open(x->data, '{');
	json_put_int(x->data, "a", 1);
	json_put_int(x->data, "b", 2);
	json_close(x->data, '}');
	return BULLA_OK;
}

static enum bulla_err prints_nothing_in(struct exchange *x)
{
	json_open(x->data, '{');
	json_close(x->data, '}');
	return BULLA_OK;
}

static enum bulla_err prints_status(struct exchange *x)
{
	x->status = 207;
	return prints(x);
}

static enum bulla_err logs_in(struct exchange *x)
{
	json_open(x->auth, '{');
	json_put_text(x->auth, "client_token", "t");
	json_close(x->auth, '}');
	return BULLA_OK;
}

#define ROW(verb, text, handler_, bits) \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(verb), .pattern = text, .fn = handler_, .flags = ROUTE_TOKEN | (bits) }

const struct route sys_misc_routes[] = {
	ROW(GET, "fault", fault, 0), ROW(GET, "busy", busy, 0), ROW(GET, "listed", listed, 0), ROW(GET, "empty", empty, 0),
	ROW(GET, "once", blocks_once, 0), ROW(GET, "always", blocks_always, 0), ROW(GET, "worker", counts, ROUTE_BLOCKS),
	ROW(GET, "nothing", counts, 0), ROW(GET, "warns", warns, 0), ROW(GET, "prints", prints, 0), ROW(GET, "raw", prints, ROUTE_RAW),
	ROW(GET, "mirror", prints, ROUTE_MIRROR), ROW(GET, "mirror-none", prints_nothing_in, ROUTE_MIRROR),
	ROW(GET, "status", prints_status, 0), ROW(GET, "login", logs_in, 0), ROW(POST, "large", counts, 0), { .fn = NULL },
};
const struct route transit_key_routes[] = { { .fn = NULL } }, transit_crypt_routes[] = { { .fn = NULL } },
	transit_export_routes[] = { { .fn = NULL } }, sys_seal_routes[] = { { .fn = NULL } }, sys_mount_routes[] = { { .fn = NULL } },
	token_routes[] = { { .fn = NULL } };

static struct bulla_arena *arena;
static struct service service;
static char logged[256];

static void log_line(void *context, const char *level, const char *text)
{
	ck_assert_ptr_eq(context, logged);
	snprintf(logged, sizeof logged, "%s %s", level, text);
}

static void begin(void)
{
	const struct bulla_config config = { .seal.kind = BULLA_SEAL_SHAMIR };
	const struct bulla_init_args args = { .secret_shares = 1, .secret_threshold = 1, .root_token = bulla_str("root") };
	struct bulla_init_result result;

	ck_assert_ok(bulla_memory_init(false));
	arena = bulla_arena_new(4096);
	struct bulla_call call = { .arena = arena, .may_block = true };

	ck_assert_ok(bulla_open(&config, &call, &service.engine));
	ck_assert_ok(serve_check(&call));
	ck_assert_ok(bulla_init(service.engine, &call, &args, &result));
	ck_assert_ok(bulla_unseal(service.engine, &call, result.shares[0]));
	service.log = log_line;
	service.log_context = logged;
	logged[0] = 0;
	runs = 0;
}

static void end(void)
{
	bulla_close(service.engine);
	bulla_arena_free(arena);
}

/* One run of serve(); whether it is done. */
static bool run(const char *target, bool may_block, struct reply *reply)
{
	struct bulla_call call = { .arena = arena, .may_block = may_block };
	const struct request request = { .method = METHOD_GET, .target = bulla_str(target), .token = bulla_str("root") };
	bool done = serve(&service, &call, &request, reply);

	ck_assert_ptr_null(call.token);
	if (!done) {
		ck_assert_uint_eq(call.detail.len, 0);
		ck_assert_ptr_null(call.warnings);
		ck_assert_ptr_null(reply->body.ptr);
	}
	return done;
}

static struct reply answer(const char *target)
{
	struct reply reply;

	ck_assert(run(target, true, &reply));
	return reply;
}

/* The body behind the request id, which differs each time. */
static void check_body(struct reply *reply, int status, const char *expected)
{
	struct bulla_bytes body = bulla_mem(reply->body.ptr, reply->body.len);
	const size_t id = strlen("{\"request_id\":\"7c6c5247-94e2-676e-7ef9-29c1b31e0a00\",");

	ck_assert_int_eq(reply->status, status);
	ck_assert_str_eq(reply->content_type, "application/json");
	if (body.len > id && memcmp(body.ptr, "{\"request_id\":\"", 15) == 0)
		body = bulla_mem(body.ptr + id, body.len - id);
	ck_assert_bytes(body, expected);
	out_clear(&reply->body);
}

#define HEAD "\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,\"data\":"

START_TEST(a_fault_is_logged_and_told_to_nobody)
{
	struct reply reply = answer("/v1/sys/fault");

	check_body(&reply, 500, "{\"errors\":[\"1 error occurred:\\n\\t* internal error\\n\\n\"]}\n");
	ck_assert_str_eq(logged, "error STORE at sys/fault: the disk said no");
	ck_assert_int_eq(reply.retry_after_s, 0);
	service.log = NULL;
	reply = answer("/v1/sys/fault");
	out_clear(&reply.body);
}
END_TEST

START_TEST(errors_by_style)
{
	struct reply reply = answer("/v1/sys/busy");

	ck_assert_int_gt(reply.retry_after_s, 0);
	check_body(&reply, 503, "{\"errors\":[\"the server is busy; try again\"]}\n");
	reply = answer("/v1/sys/listed");
	check_body(&reply, 500, "{\"errors\":[\"1 error occurred:\\n\\t* said \\\"so\\\"\\n\\n\"]}\n");
	reply = answer("/v1/sys/empty");
	check_body(&reply, 404, "{\"errors\":[]}\n");
	reply = answer("*");
	ck_assert_int_eq(reply.status, 400);
	ck_assert_ptr_null(reply.content_type);
	ck_assert_uint_eq(reply.body.len, 0);
	ck_assert_str_eq(logged, "");
}
END_TEST

START_TEST(a_loop_leaves_no_trace)
{
	struct reply reply;

	ck_assert(!run("/v1/sys/nothing", false, &reply)); /* the token has to be read once */
	ck_assert(run("/v1/sys/nothing", true, &reply));
	ck_assert_int_eq(runs, 1);
	runs = 0;
	ck_assert(!run("/v1/sys/once", false, &reply));
	ck_assert_int_eq(runs, 1);
	ck_assert(run("/v1/sys/once", true, &reply));
	check_body(&reply, 200, HEAD "{\"runs\":2},\"wrap_info\":null,\"warnings\":[\"once\"],\"auth\":null}\n");
	ck_assert(!run("/v1/sys/worker", false, &reply));
	ck_assert_int_eq(runs, 2); /* not even tried */
	ck_assert(!run("/v1/sys/always", false, &reply));
	reply = answer("/v1/sys/always");
	ck_assert_int_gt(reply.retry_after_s, 0);
	check_body(&reply, 503, "{\"errors\":[\"busy\"]}\n");
}
END_TEST

START_TEST(large_bodies_are_for_workers)
{
	static uint8_t body[65537];
	struct bulla_call call = { .arena = arena };
	struct request request = { .method = METHOD_POST, .target = bulla_str("/v1/sys/large"), .token = bulla_str("root"), .body = body,
				   .body_len = sizeof body };
	struct reply reply;

	memset(body, ' ', sizeof body);
	ck_assert(!serve(&service, &call, &request, &reply));
	call.may_block = true;
	ck_assert(serve(&service, &call, &request, &reply));
	ck_assert_int_eq(reply.status, 204);
	call.may_block = false;
	request.body_len--;
	ck_assert(serve(&service, &call, &request, &reply));
	ck_assert_int_eq(reply.status, 204);
	ck_assert_int_eq(runs, 2);
	ck_assert_ptr_null(reply.body.ptr);
}
END_TEST

START_TEST(envelopes)
{
	struct reply reply = answer("/v1/sys/nothing");

	check_body(&reply, 204, "");
	reply = answer("/v1/sys/warns");
	check_body(&reply, 200, HEAD "null,\"wrap_info\":null,\"warnings\":[\"only \\\"this\\\"\"],\"auth\":null}\n");
	reply = answer("/v1/sys/prints");
	check_body(&reply, 200, HEAD "{\"a\":1,\"b\":2},\"wrap_info\":null,\"warnings\":null,\"auth\":null}\n");
	reply = answer("/v1/sys/raw");
	check_body(&reply, 200, "{\"a\":1,\"b\":2}");
	reply = answer("/v1/sys/mirror");
	check_body(&reply, 200, HEAD "{\"a\":1,\"b\":2},\"wrap_info\":null,\"warnings\":null,\"auth\":null,\"a\":1,\"b\":2}\n");
	reply = answer("/v1/sys/mirror-none");
	check_body(&reply, 200, HEAD "{},\"wrap_info\":null,\"warnings\":null,\"auth\":null}\n");
	reply = answer("/v1/sys/status?foo=1");
	check_body(&reply, 207, HEAD "{\"a\":1,\"b\":2},\"wrap_info\":null,\"warnings\":null,\"auth\":null}\n");
	reply = answer("/v1/sys/login");
	check_body(&reply, 200, HEAD "null,\"wrap_info\":null,\"warnings\":null,\"auth\":{\"client_token\":\"t\"}}\n");
	reply = answer("/v1/sys/prints?foo=1");
	check_body(&reply, 200, HEAD "{\"a\":1,\"b\":2},\"wrap_info\":null,\"warnings\":[\"Endpoint ignored these unrecognized parameters: [foo]\"],"
				     "\"auth\":null}\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http/serve");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, a_fault_is_logged_and_told_to_nobody);
	tcase_add_test(tc, errors_by_style);
	tcase_add_test(tc, a_loop_leaves_no_trace);
	tcase_add_test(tc, large_bodies_are_for_workers);
	tcase_add_test(tc, envelopes);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
