/* The audit devices of nodes that share a store: each has those of its own configuration, with a chain of its own, and none takes another's
 * away. */
#include "config.h"

#include <unistd.h>

#include "engine_unit.h"

#include "engine_private.h"

#define NODES 2

static struct node {
	struct store *store; /* of the first: the engine's own, which outlives them */
	struct bulla *engine;
	const char *name;
	char file[96];
	bool configured;
} nodes[NODES] = { { .name = "north" }, { .name = "south.2" } };
static char folder[64];

static void open_node(struct node *node)
{
	const struct bulla_pair options[] = { { bulla_str("file_path"), bulla_str(node->file) }, { bulla_str("checkpoint_records"), bulla_str("10") } };
	const struct bulla_audit_spec spec = { .path = bulla_str("main"), .type = bulla_str("file"), .options = options, .option_count = 2 };
	struct bulla_config config = config_static();
	struct bulla_call c = call_begin();
	struct store *shared;

	config.node = bulla_str(node->name);
	config.audit_devices = &spec;
	config.audit_device_count = node->configured;
	ck_assert_ok(store_share(engine->store, &c, &shared));
	ck_assert_ok(engine_open_on(&config, shared, &c, &node->engine));
	ck_assert_msg(bulla_unseal_auto(node->engine, &c) == BULLA_OK, "%.*s", (int)c.detail.len, (const char *)c.detail.ptr);
	call_end(&c);
}

static void close_node(struct node *node)
{
	bulla_close(node->engine);
	node->engine = NULL;
}

static void restart(struct node *node)
{
	close_node(node);
	open_node(node);
}

static void setup(void)
{
	engine_setup();
	snprintf(folder, sizeof folder, "/tmp/bulla-nodes-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	for (size_t i = 0; i < NODES; i++)
		snprintf(nodes[i].file, sizeof nodes[i].file, "%s/%s", folder, nodes[i].name);
	nodes[0].configured = true;
	nodes[1].configured = false;
	for (size_t i = 0; i < NODES; i++)
		open_node(&nodes[i]);
}

static void teardown(void)
{
	for (size_t i = 0; i < NODES; i++) {
		close_node(&nodes[i]);
		(void)unlink(nodes[i].file);
	}
	engine_teardown();
	ck_assert_int_eq(rmdir(folder), 0);
}

static size_t devices_of(const struct node *node, struct bulla_audit_device **list)
{
	size_t count;

	ck_assert_ok(bulla_audit_devices(node->engine, &call, list, &count));
	return count;
}

static struct bulla_audit_device *device_of(const struct node *node)
{
	struct bulla_audit_device *list;

	ck_assert_uint_eq(devices_of(node, &list), 1);
	return list;
}

static void record(const struct node *node, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct bulla_audit_entry entry = { .started_date_ns = bulla_wall_ns(), .id = bulla_str("id"), .operation = "update",
							 .path = bulla_str("transit/encrypt/k"), .client_token = bulla_str(root_token), .allowed = true };
		struct bulla_call c = call_begin();
		struct bulla_audit_lines *made = NULL;
		bool fits;

		ck_assert_ok(bulla_authenticate(node->engine, &c, bulla_str(root_token)));
		ck_assert_ok(bulla_audit_add(node->engine, &c, &entry, BULLA_AUDIT_BOTH, &made, &fits));
		ck_assert_ok(bulla_audit_commit(&c, made));
		call_done(&c);
	}
}

static void tick(const struct node *node)
{
	struct bulla_call c = call_begin();

	ck_assert_ok(bulla_tick(node->engine, &c));
	call_end(&c);
}

/* The node's file is one chain from its first line to what the device says. */
static void check_chain(const struct node *node)
{
	const struct bulla_audit_device *device = device_of(node);
	const struct bulla_audit_verify_args args = { .public_keys = device->public_key, .public_key_count = 1,
						      .expect_records = device->records, .expect_head = device->head };
	const char *files[] = { node->file };
	struct bulla_audit_verdict verdict;

	ck_assert_ok(bulla_audit_verify(&call, files, 1, &args, &verdict));
	ck_assert_uint_eq(verdict.offences, 0);
	ck_assert_uint_eq(verdict.first_record, 1);
	ck_assert_uint_eq(verdict.last_record, device->records);
}

/* S8 of the study: a node without the device in its configuration took it from the one that has it. */
START_TEST(none_takes_anothers_away)
{
	struct bulla_audit_device *none;
	char id[37] = "";

	memcpy(id, device_of(&nodes[0])->id.ptr, 36);
	ck_assert_uint_eq(devices_of(&nodes[1], &none), 0);
	record(&nodes[0], 25);
	restart(&nodes[1]);
	restart(&nodes[0]);
	ck_assert_bytes(device_of(&nodes[0])->id, id);
	record(&nodes[0], 5);
	check_chain(&nodes[0]);
	nodes[0].configured = false; /* it may take away its own */
	restart(&nodes[0]);
	ck_assert_uint_eq(devices_of(&nodes[0], &none), 0);
	nodes[0].configured = true;
	(void)unlink(nodes[0].file);
	restart(&nodes[0]);
	ck_assert(memcmp(device_of(&nodes[0])->id.ptr, id, 36) != 0);
}
END_TEST

/* S9: two chains under one head. */
START_TEST(each_has_a_chain)
{
	nodes[1].configured = true;
	restart(&nodes[1]);
	struct bulla_bytes one, other;

	ck_assert_bytes(device_of(&nodes[0])->id, (const char *)bulla_arena_printf(call.arena, "%.36s", (const char *)device_of(&nodes[1])->id.ptr).ptr);
	ck_assert_ok(bulla_audit_hash(nodes[0].engine, &call, bulla_str("main"), bulla_str("x"), &one));
	ck_assert_ok(bulla_audit_hash(nodes[1].engine, &call, bulla_str("main"), bulla_str("x"), &other));
	ck_assert(bulla_equal(one, other)); /* who called is the same in all logs */
	for (unsigned round = 0; round < 3; round++) {
		record(&nodes[0], 12);
		tick(&nodes[0]);
		record(&nodes[1], 31);
		tick(&nodes[1]);
		record(&nodes[0], 3);
		restart(&nodes[round % NODES]);
		check_chain(&nodes[0]);
		check_chain(&nodes[1]);
	}
	nodes[1].configured = false;
	restart(&nodes[1]);
	restart(&nodes[0]);
	record(&nodes[0], 3);
	check_chain(&nodes[0]);
}
END_TEST

/* A device that was made by a request is everybody's. */
START_TEST(of_a_request)
{
	const struct bulla_pair options[] = { { bulla_str("file_path"), bulla_str("discard") } };
	const struct bulla_audit_spec spec = { .path = bulla_str("other"), .type = bulla_str("file"), .options = options, .option_count = 1 };
	struct bulla_audit_device *list;

	ck_assert_ok(bulla_audit_enable(nodes[1].engine, &call, &spec));
	restart(&nodes[0]);
	ck_assert_uint_eq(devices_of(&nodes[0], &list), 2);
	record(&nodes[0], 3);
	record(&nodes[1], 3);
	tick(&nodes[0]);
	tick(&nodes[1]);
	ck_assert_ok(bulla_audit_disable(nodes[0].engine, &call, bulla_str("other")));
	restart(&nodes[1]);
	restart(&nodes[0]);
	ck_assert_uint_eq(devices_of(&nodes[0], &list), 1);
	ck_assert_uint_eq(devices_of(&nodes[1], &list), 0);
}
END_TEST

/* Another node has one at this path, of which this one does not know: said, and not answered as if it came from trying at the same time. */
START_TEST(of_two_requests)
{
	const struct bulla_pair options[] = { { bulla_str("file_path"), bulla_str("discard") } };
	const struct bulla_audit_spec spec = { .path = bulla_str("other"), .type = bulla_str("file"), .options = options, .option_count = 1 };
	struct bulla_audit_device *list;

	ck_assert_ok(bulla_audit_enable(nodes[1].engine, &call, &spec));
	ck_assert_err(bulla_audit_enable(nodes[0].engine, &call, &spec), BULLA_E_INVALID);
	ck_assert_bytes(call.detail, "path already in use");
	ck_assert_uint_eq(devices_of(&nodes[0], &list), 1);
	ck_assert_ok(bulla_audit_disable(nodes[1].engine, &call, bulla_str("other")));
	ck_assert_ok(bulla_audit_enable(nodes[0].engine, &call, &spec));
	ck_assert_ok(bulla_audit_disable(nodes[0].engine, &call, bulla_str("other")));
}
END_TEST

START_TEST(names)
{
	static const char *const bad[] = { "a b", "a/b", "a\nb", "\xc3\xa4", "0123456789012345678901234567890123456789012345678901234567890123" };
	struct bulla_config config = config_static();
	struct bulla *none;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		config.node = bulla_str(bad[i]);
		ck_assert_err(bulla_open(&config, &call, &none), BULLA_E_CONFIG);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit/nodes");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, none_takes_anothers_away);
	tcase_add_test(tc, each_has_a_chain);
	tcase_add_test(tc, of_a_request);
	tcase_add_test(tc, of_two_requests);
	tcase_add_test(tc, names);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
