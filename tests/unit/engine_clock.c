/* The clock of a store over restarts: what is kept and when, where a start goes on from whatever the system's clock says, and what
 * that does to what has an end. Both sources of time are ours; a restart replaces them, as a new process has them. */
#include "engine_unit.h"

#include <unistd.h>

#include "bulla/clock.h"
#include "engine_private.h"
#include "seal/barrier.h"

#define S INT64_C(1000000000)
#define DAY (86400 * S)
#define BEGIN (INT64_C(1795287940) * S)

static int64_t elapsed_now, wall_now;
static char folder[] = "/tmp/bulla-clock-XXXXXX", path[64], logged[2048], root[32];
static bool from_wall;

static int64_t our_elapsed(void)
{
	return elapsed_now;
}

static int64_t our_wall(void)
{
	return wall_now;
}

static void pass(int64_t ns)
{
	elapsed_now += ns;
	wall_now += ns;
}

static void on_log(void *context, const char *level, const char *text)
{
	size_t n = strlen(logged);

	(void)context;
	snprintf(logged + n, sizeof logged - n, "%s: %s\n", level, text);
}

static void open_store(void)
{
	struct bulla_config config = config_static();

	config.storage_path = path;
	config.log = on_log;
	config.clock_from_wall = from_wall;
	logged[0] = 0;
	call = call_begin();
	ck_assert_ok(bulla_open(&config, &call, &engine));
}

static void unseal(void)
{
	ck_assert_ok(bulla_unseal_auto(engine, &call));
}

static void close_store(void)
{
	bulla_close(engine);
	rcu_drain();
	call_end(&call);
}

/* A new process after off_ns, on a machine that was started again, with the system's clock at wall_ns. */
static void begin_process(int64_t wall_ns)
{
	elapsed_now = 40 * S;
	wall_now = wall_ns;
	bulla_clock_replace(our_elapsed, our_wall);
}

static void restart(int64_t wall_ns)
{
	close_store();
	begin_process(wall_ns);
	open_store();
	unseal();
}

static void setup(void)
{
	const struct bulla_init_args args = { 0 };
	struct bulla_init_result result;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/store.db", folder);
	begin_process(BEGIN);
	open_store();
	ck_assert_ok(bulla_init(engine, &call, &args, &result));
	memset(root, 0, sizeof root);
	memcpy(root, result.root_token.ptr, result.root_token.len);
}

static void teardown(void)
{
	close_store();
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(folder), 0);
	bulla_clock_replace(NULL, NULL);
}

static void tick(void)
{
	struct bulla_call c = call_begin();

	ck_assert_ok(bulla_tick(engine, &c));
	call_end(&c);
}

static void make_token(int64_t ttl_s, char token[32])
{
	const struct bulla_bytes policy = bulla_str("default");
	const struct bulla_token_create_args args = { .policies = &policy, .policy_count = 1, .ttl_s = ttl_s,
						      .path = bulla_str("auth/token/create") };
	struct bulla_call c = call_as(root);
	struct bulla_auth auth;

	ck_assert_ok(bulla_token_create(engine, &c, &args, &auth));
	memset(token, 0, 32);
	memcpy(token, auth.client_token.ptr, auth.client_token.len);
	bulla_token_put(auth.token);
	call_done(&c);
}

/* Seconds it has left; -1: it has ended. */
static int64_t left_s(const char *token)
{
	struct bulla_call c = call_begin();
	enum bulla_err err = bulla_authenticate(engine, &c, bulla_str(token));
	int64_t left = err == BULLA_OK ? bulla_token_ttl_s(c.token) : -1;

	ck_assert(err == BULLA_OK || err == BULLA_E_NO_TOKEN);
	call_done(&c);
	return left;
}

/* ---- while it runs ------------------------------------------------------------------------------------------------------ */

static const int64_t steps[] = { 30 * S, 600 * S, 7200 * S, -DAY, 40 * DAY, -BEGIN };

START_TEST(a_step_changes_no_end)
{
	char token[32];

	make_token(3600, token);
	wall_now += steps[_i];
	ck_assert_int_eq(left_s(token), 3600);
	struct bulla_call c = call_as(token);

	/* what is shown goes with the system's clock: it ends in an hour from now, and was made when it was */
	ck_assert_int_eq(bulla_token_end_date_ns(c.token), wall_now + 3600 * S);
	ck_assert_int_eq(c.token->created_date_ns, BEGIN);
	call_done(&c);
	pass(3599 * S);
	ck_assert_int_eq(left_s(token), 1);
	pass(S);
	ck_assert_int_eq(left_s(token), -1);
	wall_now -= steps[_i];
	ck_assert_int_eq(left_s(token), -1);
}
END_TEST

START_TEST(sealed_and_unsealed)
{
	char token[32];

	make_token(3600, token);
	ck_assert_ok(bulla_seal(engine, &call));
	pass(600 * S);
	wall_now += steps[_i];
	unseal();
	ck_assert_int_eq(left_s(token), 3000);
	ck_assert_str_eq(logged, "");
}
END_TEST

/* ---- what is kept ---------------------------------------------------------------------------------------------------------- */

static int64_t kept_ns(void)
{
	return engine_of(engine)->clock.kept_ns;
}

START_TEST(kept_now_and_then)
{
	char token[32];

	tick();
	ck_assert_int_eq(kept_ns(), BEGIN);
	pass(9 * S);
	make_token(3600, token);
	tick();
	ck_assert_int_eq(kept_ns(), BEGIN); /* too soon */
	pass(S);
	tick();
	ck_assert_int_eq(kept_ns(), BEGIN + 10 * S);
	uint64_t batches = store_counts(engine->store).batches;

	pass(59 * S);
	tick();
	ck_assert_int_eq(kept_ns(), BEGIN + 10 * S); /* nothing else was written */
	ck_assert_uint_eq(store_counts(engine->store).batches, batches);
	pass(S);
	tick();
	ck_assert_int_eq(kept_ns(), BEGIN + 70 * S);
	ck_assert_uint_eq(store_counts(engine->store).batches, batches + 1);
}
END_TEST

START_TEST(kept_at_the_end)
{
	tick();
	pass(17 * S);
	restart(wall_now);
	ck_assert_int_eq(kept_ns(), BEGIN + 17 * S);
}
END_TEST

/* As after a kill: what is there is what the last tick wrote. The point is behind then, and never ahead. */
START_TEST(killed)
{
	char token[32], copy[96], command[512];

	make_token(3600, token);
	tick();
	snprintf(copy, sizeof copy, "%s.copy", path);
	snprintf(command, sizeof command, "cp %s %s && cp %s-wal %s-wal", path, copy, path, copy);
	pass(300 * S);
	ck_assert_int_eq(system(command), 0);
	close_store();
	ck_assert_int_eq(rename(copy, path), 0);
	snprintf(command, sizeof command, "mv %s-wal %s-wal", copy, path);
	ck_assert_int_eq(system(command), 0);
	begin_process(0);
	open_store();
	unseal();
	ck_assert_int_eq(kept_ns(), BEGIN);
	ck_assert_int_eq(left_s(token), 3600);
}
END_TEST

/* Another server on the same store has come further: ours follows. */
START_TEST(another_has_kept_a_later_point)
{
	uint8_t plaintext[9] = { 1 };
	struct store_write write = { .change = STORE_PUT };
	const struct barrier_name name = { .kind = "clock" };

	tick();
	ck_assert_ok(barrier_slot(engine->seal, &name, &write.id));
	write.expected = engine_of(engine)->clock.revision;
	bulla_put_u64(plaintext + 1, (uint64_t)(BEGIN + 5000 * S));
	ck_assert_ok(barrier_seal(engine->seal, &call, &write.id, write.expected + 1, bulla_mem(plaintext, sizeof plaintext), &write.bytes));
	ck_assert_ok(store_commit(engine->store, &call, &write, 1, NULL));
	pass(60 * S);
	tick();
	ck_assert_int_eq(kept_ns(), BEGIN + 5000 * S);
	ck_assert_int_eq(bulla_clock_ns(), BEGIN + 5000 * S);
}
END_TEST

/* ---- restarts ---------------------------------------------------------------------------------------------------------------- */

/* Ten minutes after a token of an hour was made the server is stopped, and started with the system's clock off by so much. */
static const struct {
	int64_t off;
	int64_t left;
	const char *log; /* "": nothing */
} restarts[] = {
	{ 0, 3000, "" },
	{ 30 * S, 2970, "" },
	{ 600 * S, 2400, "" },
	{ 7200 * S, -1, "" },
	{ -S / 2, 3000, "" },
	{ -600 * S, 3000, "warn: the system's clock is 600 s behind the time that this store has reached" },
	{ -DAY, 3000, "warn: the system's clock is 86400 s behind" },
	{ -(BEGIN + 590 * S), 3000, "behind the time that this store has reached" }, /* 1970 */
	{ 40 * DAY, 3000, "warn: the system's clock is 40.0 days ahead of the time that this store has reached, too many to be believed" },
	{ 4000 * DAY, 3000, "start once with -clock-from-wall" },
};

START_TEST(goes_on_after_a_restart)
{
	char token[32];

	make_token(3600, token);
	pass(600 * S);
	restart(wall_now + restarts[_i].off);
	if (restarts[_i].log[0] == 0)
		ck_assert_str_eq(logged, "");
	ck_assert_msg(strstr(logged, restarts[_i].log) != NULL, "%s", logged);
	ck_assert_int_eq(left_s(token), restarts[_i].left);
	/* once more, with the clock set right: nothing comes back */
	int64_t left = restarts[_i].left;

	restart(BEGIN + 600 * S);
	ck_assert_int_eq(left_s(token), left);
	if (left < 0)
		return;
	pass((left - 1) * S);
	ck_assert_int_eq(left_s(token), 1);
	pass(S);
	ck_assert_int_eq(left_s(token), -1);
}
END_TEST

/* Stepped while it ran, and right again when it is started: neither dead nor older. */
START_TEST(stepped_then_restarted)
{
	char token[32];

	make_token(3600, token);
	wall_now += steps[_i];
	pass(600 * S);
	tick();
	restart(BEGIN + 660 * S);
	ck_assert_int_eq(left_s(token), 2940);
}
END_TEST

/* While a store waits for its keys, time goes on, whatever the system's clock says. */
START_TEST(waits_for_its_keys)
{
	char token[32];

	make_token(3600, token);
	close_store();
	begin_process(10 * S);
	open_store();
	pass(1800 * S);
	unseal();
	ck_assert_int_eq(left_s(token), 1800);
}
END_TEST

/* The way out for whoever knows better: in either direction, once. */
static const struct {
	int64_t off, left;
	const char *log;
} forced[] = {
	{ 40 * DAY, -1, "warn: lifetimes and periods go on from the system's clock, as it was asked for: 3456000 s after" },
	{ -DAY, 3600 + 86400, "86400 s before what this store had reached" },
};

START_TEST(from_the_wall)
{
	char token[32], other[32];

	make_token(3600, token);
	tick();
	from_wall = true;
	restart(wall_now + forced[_i].off);
	ck_assert_msg(strstr(logged, forced[_i].log) != NULL, "%s", logged);
	ck_assert_int_eq(left_s(token), forced[_i].left);
	make_token(60, other);
	from_wall = false;
	restart(wall_now + S);
	ck_assert_str_eq(logged, "");
	ck_assert_int_eq(left_s(other), 59);
	/* what ends is found and removed from here on, too */
	pass(180 * S);
	tick();
	ck_assert_int_eq(left_s(other), -1);
}
END_TEST

/* ---- stores without a point, and damaged ones ---------------------------------------------------------------------------------- */

static void write_point(const char *bytes, size_t n)
{
	struct store_write write = { .change = STORE_PUT };
	const struct barrier_name name = { .kind = "clock" };

	tick();
	ck_assert_ok(barrier_slot(engine->seal, &name, &write.id));
	write.expected = engine_of(engine)->clock.revision;
	if (bytes == NULL)
		write.change = STORE_DELETE;
	else
		ck_assert_ok(barrier_seal(engine->seal, &call, &write.id, write.expected + 1, bulla_mem(bytes, n), &write.bytes));
	ck_assert_ok(store_commit(engine->store, &call, &write, 1, NULL));
	engine_of(engine)->clock.known = false; /* the end writes nothing */
}

/* As versions before this one left it. */
START_TEST(an_old_store)
{
	char token[32];

	make_token(3600, token);
	write_point(NULL, 0);
	restart(BEGIN + 60 * S);
	ck_assert_str_eq(logged, "");
	ck_assert_int_eq(left_s(token), 3540);
	write_point(NULL, 0);
	restart(5 * S); /* at least when the store was made */
	ck_assert_msg(strstr(logged, "behind the time that this store has reached") != NULL, "%s", logged);
	ck_assert_int_eq(left_s(token), 3600);
}
END_TEST

/* A file of the last version with one clock (tests/vectors/README.md): all ends mean what they meant. */
#define OLD_BATCH                                                                                                              \
	"b.AQAAAAE5B6lZ_nXZEbzRO5prTVUr4jtrRQfixW0jPD-onZtD1X4XU6JfYAobvOecBCy-KEjSEYe67Ds7ZIbKEYIMUxozi8hPTdXPBbRotoHDnNuk53lw" \
	"3IRCoI9fiPcu_413XsCDqvzxrk5ZQ67kmnanti00gSzwESUSKBwxXU4K8VhIFd71C1JYhD2fjtpDB5RGcpJskqmSNro-d1e5rVi5qbHQMUkYvsLsaIw4HcMa" \
	"U_ZjflQHKto9GxSGVVC7cQ"

static uint32_t latest_version(void)
{
	struct bulla_bytes rest;
	const struct bulla_mount *mount = bulla_mount_find(engine, bulla_str("transit/keys/k"), &rest);
	struct bulla_key_info info;

	ck_assert_ok(bulla_key_read(engine, &call, mount, bulla_str("k"), &info));
	bulla_mount_put(mount);
	return info.latest;
}

static void use_old_file(void)
{
	char command[256];

	close_store();
	snprintf(command, sizeof command, "install -m 600 %s/stores/before-two-clocks.db %s", VECTORS, path);
	ck_assert_int_eq(system(command), 0);
	begin_process(BEGIN + 600 * S);
	open_store();
	unseal();
}

START_TEST(a_file_of_an_older_version)
{
	struct bulla_policy_info info;
	struct bulla_wrapping wrapping;

	use_old_file();
	ck_assert_str_eq(logged, "info: the store is of format 2 now: a digest of its records is kept with them\n");
	wall_now += steps[_i];
	ck_assert_int_eq(left_s("an-hour"), 3000);
	ck_assert_int_eq(left_s("an-hour-again"), 3000);
	ck_assert_int_eq(left_s(OLD_BATCH), 3000);
	ck_assert_ok(bulla_wrapping_lookup(engine, &call, bulla_str("s.lIiQh6RDbO4ZJPGgwaP9nCPh"), &wrapping));
	ck_assert_int_eq(wrapping.created_date_ns, BEGIN);
	wall_now -= steps[_i]; /* its end was made a date there, by a ttl too */
	ck_assert_ok(bulla_policy_get(engine, &call, bulla_str("an-hour"), &info));
	ck_assert(info.end.by_date);
	ck_assert_int_eq(info.end.ns, BEGIN + 3600 * S);
	wall_now += steps[_i];
	pass(3000 * S);
	ck_assert_int_eq(left_s("an-hour"), -1);
	ck_assert_int_eq(left_s("an-hour-again"), -1);
	ck_assert_int_eq(left_s(OLD_BATCH), -1);
	ck_assert_err(bulla_wrapping_lookup(engine, &call, bulla_str("s.lIiQh6RDbO4ZJPGgwaP9nCPh"), &wrapping), BULLA_E_WRAPPING_TOKEN);
	tick();
	ck_assert_uint_eq(latest_version(), 1);
	pass(3601 * S);
	tick();
	ck_assert_uint_eq(latest_version(), 2);
}
END_TEST

static const struct {
	const char *bytes;
	size_t n;
} damaged[] = {
	{ "", 0 }, { "\1", 1 }, { "\1\0\0\0\0\0\0\0\0", 9 }, { "\1\377\377\377\377\377\377\377\377", 9 },
	{ "\2\1\1\1\1\1\1\1\1", 9 }, { "\1\1\1\1\1\1\1\1\1\1", 10 }, { "\1\116\324\152\5\20\60\0\1", 9 },
};

START_TEST(a_damaged_point)
{
	char token[32];

	make_token(3600, token);
	write_point(damaged[_i].bytes, damaged[_i].n);
	restart(BEGIN + 60 * S);
	ck_assert_msg(strstr(logged, "error: the record of the store's clock is damaged") != NULL, "%s", logged);
	ck_assert_int_eq(left_s(token), 3540);
	tick(); /* it is whole again */
	restart(BEGIN + 60 * S);
	ck_assert_str_eq(logged, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine/clock");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_damaged_point, 0, sizeof damaged / sizeof damaged[0]);
	tcase_add_test(tc, an_old_store);
	tcase_add_loop_test(tc, a_file_of_an_older_version, 0, sizeof steps / sizeof steps[0]);
	tcase_add_loop_test(tc, a_step_changes_no_end, 0, sizeof steps / sizeof steps[0]);
	tcase_add_loop_test(tc, sealed_and_unsealed, 0, sizeof steps / sizeof steps[0]);
	tcase_add_test(tc, kept_now_and_then);
	tcase_add_test(tc, kept_at_the_end);
	tcase_add_test(tc, killed);
	tcase_add_test(tc, another_has_kept_a_later_point);
	tcase_add_loop_test(tc, goes_on_after_a_restart, 0, sizeof restarts / sizeof restarts[0]);
	tcase_add_loop_test(tc, stepped_then_restarted, 0, sizeof steps / sizeof steps[0]);
	tcase_add_test(tc, waits_for_its_keys);
	tcase_add_loop_test(tc, from_the_wall, 0, sizeof forced / sizeof forced[0]);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
