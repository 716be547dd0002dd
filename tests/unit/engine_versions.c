/* The history of versions over restarts: each is kept once, when it first opens the store; it needs no date in order. */
#include "engine_unit.h"

#include <unistd.h>

#include "bulla/clock.h"
#include "engine_private.h"
#include "seal/documents.h"

#define S INT64_C(1000000000)
#define BEGIN (INT64_C(1795287940) * S)

static char folder[] = "/tmp/bulla-versions-XXXXXX", path[64], logged[256];
static int64_t wall_now;

static int64_t our_wall(void)
{
	return wall_now;
}

static void on_log(void *context, const char *level, const char *text)
{
	(void)context;
	if (strcmp(level, "warn") == 0)
		snprintf(logged, sizeof logged, "%s", text);
}

static void open_store(const char *version, const char *build_date)
{
	struct bulla_config config = config_static();

	config.storage_path = path;
	config.log = on_log;
	config.version = version;
	config.build_date = build_date;
	logged[0] = 0;
	call = call_begin();
	ck_assert_ok(bulla_open(&config, &call, &engine));
}

static void close_store(void)
{
	bulla_close(engine);
	rcu_drain();
	call_end(&call);
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/store.db", folder);
	wall_now = BEGIN;
	bulla_clock_replace(NULL, our_wall);
}

static void teardown(void)
{
	close_store();
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(folder), 0);
	bulla_clock_replace(NULL, NULL);
}

static void begin(const char *version)
{
	const struct bulla_init_args args = { 0 };
	struct bulla_init_result result;

	open_store(version, "2026-11-21T00:00:00Z");
	ck_assert_ok(bulla_init(engine, &call, &args, &result));
}

static void restart(const char *version, int64_t later_ns)
{
	close_store();
	wall_now += later_ns;
	open_store(version, "2027-01-01T00:00:00Z");
	ck_assert_ok(bulla_unseal_auto(engine, &call));
}

static void assert_history(const char *const *expected, const int64_t *dates, size_t expected_count)
{
	struct bulla_version *versions;
	size_t count;

	ck_assert_ok(bulla_version_history(engine, &call, &versions, &count));
	ck_assert_uint_eq(count, expected_count);
	for (size_t i = 0; i < count; i++) {
		ck_assert(bulla_is(versions[i].version, expected[i]));
		ck_assert_int_eq(versions[i].installed_date_ns, BEGIN + dates[i]);
	}
}

START_TEST(sealed)
{
	struct bulla_version *versions;
	size_t count;

	begin("1");
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_err(bulla_version_history(engine, &call, &versions, &count), BULLA_E_SEALED);
}
END_TEST

START_TEST(none_without_a_version)
{
	begin(NULL);
	assert_history(NULL, NULL, 0);
	restart("", S);
	assert_history(NULL, NULL, 0);
}
END_TEST

START_TEST(each_once)
{
	const char *const versions[] = { "0.9.0", "0.10.0", "0.8.0" };
	const int64_t dates[] = { 0, 10 * S, 30 * S };

	begin("0.9.0");
	assert_history(versions, dates, 1);
	restart("0.9.0", 5 * S);
	restart("0.10.0", 5 * S + 1);
	assert_history(versions, dates, 2);
	restart("0.9.0", 5 * S);
	restart("0.8.0", 15 * S);
	restart("0.10.0", 15 * S);
	assert_history(versions, dates, 3);
	ck_assert_str_eq(logged, "");
}
END_TEST

/* What cannot be read is told; and stops nobody's start. */
START_TEST(damaged)
{
	const struct document_name name = { .kind = "version", .item = bulla_str("1") };
	struct documents documents;
	struct bulla_version *versions;
	struct document found;
	size_t count;

	begin("1");
	documents = (struct documents){ engine->store, engine->seal };
	ck_assert_ok(document_get(&documents, &call, &name, &found));
	ck_assert_ok(document_put(&documents, &call, &name, found.revision, bulla_str("\2nothing of that kind")));
	ck_assert_err(bulla_version_history(engine, &call, &versions, &count), BULLA_E_STORE_DAMAGED);
	restart("1", S);
	ck_assert_err(bulla_version_history(engine, &call, &versions, &count), BULLA_E_STORE_DAMAGED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_versions");
	TCase *tcase = tcase_create("history");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, sealed);
	tcase_add_test(tcase, none_without_a_version);
	tcase_add_test(tcase, each_once);
	tcase_add_test(tcase, damaged);
	suite_add_tcase(suite, tcase);
	return unit_main(suite);
}
