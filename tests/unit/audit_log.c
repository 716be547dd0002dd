/* An audit log as a file: what verify finds in one that was tampered with, over crashes, rotations and restarts; devices that fail
 * and come back; many threads at once. */
#include "config.h" /* memmem */

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine_unit.h"
#include "base/parts.h"
#include "store/store.h"

#define MAX_LINES 4096
#define RECORDS 22 /* so that the last line is no checkpoint */

static char folder[64], path[96], second[96];
static char *lines[MAX_LINES];
static size_t line_count;

/* ---- files --------------------------------------------------------------------------------------------------------------- */

static void setup(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	engine_setup();
	snprintf(folder, sizeof folder, "/tmp/bulla-audit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/log", folder);
	snprintf(second, sizeof second, "%s/log.1", folder);
}

static void forget_lines(void)
{
	for (size_t i = 0; i < line_count; i++)
		free(lines[i]);
	line_count = 0;
}

static void teardown(void)
{
	engine_teardown();
	forget_lines();
	(void)unlink(path);
	(void)unlink(second);
	ck_assert_int_eq(rmdir(folder), 0);
}

static void read_lines(void)
{
	FILE *file = fopen(path, "r");
	size_t room = 0;

	forget_lines();
	ck_assert_ptr_nonnull(file);
	char *line = NULL;

	for (; getline(&line, &room, file) > 0; line = NULL, room = 0) {
		ck_assert_uint_lt(line_count, MAX_LINES);
		lines[line_count++] = line;
	}
	free(line); /* made for the line that was not there */
	fclose(file);
}

/* Lines from..to (from 0, to excluded) into a file. */
static void write_lines(const char *name, size_t from, size_t to)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	for (size_t i = from; i < to; i++)
		if (lines[i] != NULL)
			fputs(lines[i], file);
	ck_assert_int_eq(fclose(file), 0);
}

/* ---- records --------------------------------------------------------------------------------------------------------------- */

static void enable(const char *type, const struct bulla_pair *options, size_t count)
{
	const struct bulla_audit_spec spec = { .path = bulla_str("main"), .type = bulla_str(type), .options = options, .option_count = count };

	ck_assert_msg(bulla_audit_enable(engine, &call, &spec) == BULLA_OK, "%.*s", (int)call.detail.len, (const char *)call.detail.ptr);
}

static void enable_file(void)
{
	const struct bulla_pair options[] = { { bulla_str("file_path"), bulla_str(path) }, { bulla_str("checkpoint_records"), bulla_str("10") } };

	enable("file", options, 2);
}

static enum bulla_err record_as(struct bulla_call *c, const char *where)
{
	const struct bulla_audit_entry entry = { .started_date_ns = bulla_wall_ns(), .id = bulla_str("id"), .operation = "update",
						 .path = bulla_str(where), .token = c->token, .client_token = bulla_str(root_token),
						 .allowed = true };
	struct bulla_audit_lines *made = NULL;
	bool fits;

	TRY(bulla_audit_add(engine, c, &entry, BULLA_AUDIT_BOTH, &made, &fits));
	return bulla_audit_commit(c, made);
}

static void record(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ck_assert_ok(record_as(&call, "transit/encrypt/k"));
}

static struct bulla_audit_device *device(void)
{
	struct bulla_audit_device *list;
	size_t count;

	ck_assert_ok(bulla_audit_devices(engine, &call, &list, &count));
	ck_assert_uint_eq(count, 1);
	return list;
}

/* ---- verify ---------------------------------------------------------------------------------------------------------------- */

static struct {
	enum bulla_audit_finding finding;
	uint64_t line;
	char file[96];
} found[64];
static size_t found_count;

static void note(void *context, const struct bulla_audit_report *report)
{
	(void)context;
	if (found_count == 64)
		return;
	found[found_count].finding = report->finding;
	found[found_count].line = report->line;
	snprintf(found[found_count++].file, sizeof found[0].file, "%s", report->file);
}

static struct bulla_audit_verdict verify(const struct bulla_audit_verify_args *given, const char *first, const char *other)
{
	struct bulla_audit_verify_args args = given != NULL ? *given : (struct bulla_audit_verify_args){ 0 };
	const char *const files[] = { first, other };
	struct bulla_audit_verdict verdict;

	found_count = 0;
	args.report = note;
	ck_assert_ok(bulla_audit_verify(&call, files, other != NULL ? 2 : 1, &args, &verdict));
	return verdict;
}

static void check_clean(const char *first, const char *other)
{
	struct bulla_audit_verdict verdict = verify(NULL, first, other);

	ck_assert_msg(verdict.offences == 0 && found_count == 0, "%u offences, finding %d at line %lu", verdict.offences,
		      found_count > 0 ? (int)found[0].finding : -1, found_count > 0 ? (unsigned long)found[0].line : 0);
}

/* The first finding, in the log as it lies there. */
static void check_found(enum bulla_audit_finding finding, uint64_t line)
{
	struct bulla_audit_verdict verdict = verify(NULL, path, NULL);

	ck_assert_uint_gt(verdict.offences, 0);
	ck_assert_msg(found[0].finding == finding && found[0].line == line, "%d at %lu, not %d at %lu", (int)found[0].finding,
		      (unsigned long)found[0].line, (int)finding, (unsigned long)line);
}

static void write_log(void)
{
	enable_file();
	record(RECORDS);
	read_lines();
	ck_assert_uint_gt(line_count, 2 * RECORDS);
}

START_TEST(an_untouched_log_is_clean)
{
	write_log();
	struct bulla_audit_verdict verdict = verify(NULL, path, NULL);

	ck_assert_uint_eq(verdict.offences, 0);
	ck_assert_uint_eq(verdict.first_record, 1);
	ck_assert_uint_eq(verdict.last_record, line_count);
	ck_assert_uint_eq(verdict.records, line_count);
	ck_assert_uint_gt(verdict.checkpoints, 3);
	ck_assert(!verdict.closed);
	ck_assert_uint_eq(device()->records, line_count);
	ck_assert_int_eq(memcmp(verdict.public_key, device()->public_key, 32), 0);
	ck_assert_ok(bulla_audit_disable(engine, &call, bulla_str("main")));
	verdict = verify(NULL, path, NULL);
	ck_assert(verdict.closed && verdict.offences == 0);
	ck_assert_uint_eq(verdict.unsigned_records, 0);
}
END_TEST

/* Every line in turn, by one character. */
/* Though nobody comes after the last record: else it could be cut off. */
START_TEST(silence_is_signed_too)
{
	const struct bulla_pair options[] = { { bulla_str("file_path"), bulla_str(path) }, { bulla_str("checkpoint_seconds"), bulla_str("1") } };
	const struct timespec pause = { .tv_nsec = 20000000 };

	enable("file", options, 2);
	for (int round = 0; round < 2; round++) { /* the second time the device's thread has nothing to wait for */
		record(1);
		for (int i = 0; i < 1500 && device()->signed_records < device()->records; i++) /* half a minute at most */
			(void)nanosleep(&pause, NULL);
		ck_assert_uint_eq(device()->signed_records, device()->records);
	}
}
END_TEST

/* What is recorded later names a later commit: an older store is known by it. */
START_TEST(checkpoints_name_the_commit)
{
	unsigned long long last = 0, seen = 0;

	enable_file();
	for (int i = 0; i < 3; i++) {
		record(12);
		ck_assert_ok(bulla_barrier_rotate(engine, &call));
	}
	unsigned long long at_end = store_last(engine->store).sequence;

	ck_assert_ok(bulla_audit_disable(engine, &call, bulla_str("main")));
	read_lines();
	for (size_t i = 0; i < line_count; i++) {
		const char *commit = strstr(lines[i], "\"device\":\"main/\",\"commit\":\"1.");

		if (commit == NULL)
			continue;
		last = strtoull(strstr(commit, "1.") + 2, NULL, 10);
		ck_assert_uint_ge(last, seen);
		seen = last;
	}
	ck_assert_uint_ge(last, at_end); /* of the checkpoint that closes it */
	ck_assert_uint_eq(verify(NULL, path, NULL).offences, 0);
}
END_TEST

START_TEST(a_changed_line_is_found)
{
	write_log();
	for (size_t i = 0; i + 1 < line_count; i++) {
		char *at = strstr(lines[i], "\"time\":\"2") + 8, before = *at;

		*at = '3';
		write_lines(path, 0, line_count);
		bool checkpoint = strstr(lines[i], "bulla_checkpoint") != NULL;

		check_found(checkpoint ? BULLA_AUDIT_FORGED : BULLA_AUDIT_CHANGED, i + 1);
		*at = before;
	}
	/* of the last line only the server knows */
	const struct bulla_audit_device *d = device();
	const struct bulla_audit_verify_args args = { .expect_records = d->records, .expect_head = d->head };

	write_lines(path, 0, line_count);
	ck_assert_uint_eq(verify(&args, path, NULL).offences, 0);
	*(strstr(lines[line_count - 1], "\"time\":\"2") + 8) = '3';
	write_lines(path, 0, line_count);
	ck_assert_uint_eq(verify(&args, path, NULL).offences, 1);
	ck_assert_int_eq(found[0].finding, BULLA_AUDIT_CHANGED);
	ck_assert_uint_eq(found[0].line, line_count);
}
END_TEST

START_TEST(a_removed_line_is_found)
{
	write_log();
	for (size_t i = 1; i + 1 < line_count; i++) {
		char *taken = lines[i];

		lines[i] = NULL;
		write_lines(path, 0, line_count);
		check_found(BULLA_AUDIT_REMOVED, i + 1);
		lines[i] = taken;
	}
}
END_TEST

START_TEST(an_inserted_line_is_found)
{
	char *own = lines[0];

	write_log();
	for (size_t i = 1; i < line_count; i++) { /* a line twice */
		own = lines[i];
		char *twice = malloc(2 * strlen(own) + 1);

		sprintf(twice, "%s%s", own, own);
		lines[i] = twice;
		write_lines(path, 0, line_count);
		check_found(BULLA_AUDIT_INSERTED, i + 2);
		free(twice);
		lines[i] = own;
	}
	own = lines[5];
	char made[4096];

	ck_assert_uint_lt((size_t)snprintf(made, sizeof made, "{\"time\":\"2026-11-21T00:00:00Z\",\"type\":\"request\"}\n%s", own), sizeof made);
	lines[5] = made;
	write_lines(path, 0, line_count);
	check_found(BULLA_AUDIT_INSERTED, 6);
	lines[5] = own;
	/* two lines that changed places */
	own = lines[7];
	lines[7] = lines[8], lines[8] = own;
	write_lines(path, 0, line_count);
	ck_assert_uint_gt(verify(NULL, path, NULL).offences, 0);
}
END_TEST

START_TEST(a_truncated_log_is_found)
{
	const struct bulla_audit_device *d;

	write_log();
	d = device();
	const struct bulla_audit_verify_args args = { .expect_records = d->records };

	lines[line_count - 1][strlen(lines[line_count - 1]) / 2] = 0;
	write_lines(path, 0, line_count);
	check_found(BULLA_AUDIT_TRUNCATED, line_count);
	write_lines(path, 0, line_count - 3);
	ck_assert_uint_eq(verify(NULL, path, NULL).offences, 0);
	struct bulla_audit_verdict verdict = verify(&args, path, NULL);

	ck_assert_uint_eq(verdict.offences, 1);
	ck_assert_int_eq(found[0].finding, BULLA_AUDIT_TRUNCATED);
}
END_TEST

/* Whoever rewrites a line and all hashes after it is found at the next checkpoint. */
START_TEST(hashes_made_anew_do_not_help)
{
	uint8_t hash[32];
	char hex[65] = "";

	write_log();
	*(strstr(lines[2], "\"time\":\"2") + 8) = '3';
	for (size_t i = 3; i < line_count; i++) {
		sha256(bulla_mem(lines[i - 1], strlen(lines[i - 1]) - 1), hash);
		bulla_hex_encode(bulla_mem(hash, 32), hex);
		memcpy(lines[i] + strlen(lines[i]) - 4 - 64, hex, 64);
	}
	write_lines(path, 0, line_count);
	struct bulla_audit_verdict verdict = verify(NULL, path, NULL);

	ck_assert_uint_gt(verdict.offences, 0);
	for (size_t i = 0; i < found_count; i++)
		ck_assert_int_eq(found[i].finding, BULLA_AUDIT_FORGED);
	/* and another key is not the server's */
	const struct bulla_audit_verify_args args = { .public_keys = hash, .public_key_count = 1 };

	read_lines();
	ck_assert_uint_gt(verify(&args, path, NULL).offences, 0);
}
END_TEST

/* ---- one file, a device after the other ------------------------------------------------------------------------------------------- */

/* A device that is enabled again has another key: who verifies has to know both. */
START_TEST(a_log_of_two_keys)
{
	uint8_t keys[3 * 32] = { 0 };

	enable_file();
	record(2);
	memcpy(keys + 32, device()->public_key, 32);
	ck_assert_ok(bulla_audit_disable(engine, &call, bulla_str("main")));
	read_lines();
	enable_file();
	record(2);
	memcpy(keys + 64, device()->public_key, 32);
	check_found(BULLA_AUDIT_FORGED, line_count + 1);
	for (size_t count = 0; count <= 3; count++) {
		const struct bulla_audit_verify_args args = { .public_keys = keys, .public_key_count = count };

		ck_assert_int_eq(verify(&args, path, NULL).offences == 0, count == 3);
	}
	const struct bulla_audit_verify_args newer = { .public_keys = keys + 64, .public_key_count = 1 };

	ck_assert_uint_gt(verify(&newer, path, NULL).offences, 0);
}
END_TEST

/* ---- two devices, one file ----------------------------------------------------------------------------------------------------- */

static enum bulla_err enable_second(const char *option, const char *file)
{
	const struct bulla_pair options[] = { { bulla_str(option), bulla_str(file) } };
	const struct bulla_audit_spec spec = { .path = bulla_str("second"), .type = bulla_str("file"), .options = options, .option_count = 1 };

	return bulla_audit_enable(engine, &call, &spec);
}

START_TEST(a_file_has_one_device)
{
	char other[96];

	enable_file();
	record(1);
	snprintf(other, sizeof other, "%s/./log", folder);
	ck_assert_fails(enable_second("file_path", path), BULLA_E_INVALID, "file_path is the log of audit device main/ already");
	ck_assert_fails(enable_second("path", other), BULLA_E_INVALID, "file_path is the log of audit device main/ already");
	ck_assert_int_eq(symlink(path, second), 0);
	ck_assert_fails(enable_second("file_path", second), BULLA_E_INVALID, "file_path is the log of audit device main/ already");
	ck_assert_int_eq(unlink(second), 0);
	ck_assert_ok(enable_second("file_path", second));
	record(1);
	check_clean(path, NULL);
	check_clean(second, NULL);
}
END_TEST

/* ---- tokens where none should be ------------------------------------------------------------------------------------------------ */

#define A24 "AAAAbbbbCCCCddddEEEE1234"

START_TEST(no_token_in_a_path)
{
	static const char *const hidden[] = { "auth/token/lookup/s." A24, "s." A24 "/x", "auth/token/revoke/b." A24 A24 "-_",
					      "x/hvs." A24 "/y/s." A24, "cubbyhole/a=s." A24 };
	static const char *const shown[] = { "tools." A24, "x/s.AAAAbbbbCCCCddddEEE", "x/avs." A24, "x/s./" A24, "." A24, "x/s." };

	const struct bulla_pair options[] = { { bulla_str("file_path"), bulla_str(path) } };

	enable("file", options, 1); /* no checkpoint among them */
	for (size_t i = 0; i < 5; i++) {
		ck_assert_ok(record_as(&call, hidden[i]));
		read_lines();
		for (size_t l = line_count - 2; l < line_count; l++) {
			ck_assert_ptr_null(strstr(lines[l], A24));
			ck_assert_ptr_nonnull(strstr(strstr(lines[l], "\"path\":"), "hmac-sha256:"));
		}
	}
	for (size_t i = 0; i < 6; i++) {
		ck_assert_ok(record_as(&call, shown[i]));
		read_lines();
		ck_assert_ptr_nonnull(strstr(lines[line_count - 1], shown[i]));
	}
	/* what it was is found as any other */
	struct bulla_bytes hash;

	ck_assert_ok(bulla_audit_hash(engine, &call, bulla_str("main"), bulla_str("s." A24), &hash));
	ck_assert_ok(record_as(&call, hidden[0]));
	read_lines();
	ck_assert_ptr_nonnull(memmem(lines[line_count - 1], strlen(lines[line_count - 1]), hash.ptr, hash.len));
}
END_TEST

/* Headers that are recorded in clear, but for one that holds a token. */
START_TEST(no_token_in_a_header)
{
	const struct bulla_audit_header headers[] = { { bulla_str("x-odd"), bulla_str("id=s." A24 "; path=/") },
						      { bulla_str("x-plain"), bulla_str("in clear") } };
	const struct bulla_audit_entry entry = { .started_date_ns = bulla_wall_ns(), .id = bulla_str("id"), .operation = "read",
						 .path = bulla_str("x"), .headers = headers, .header_count = 2 };
	struct bulla_audit_lines *made = NULL;
	bool fits;

	enable_file();
	ck_assert_ok(bulla_audit_header_set(engine, &call, bulla_str("x-odd"), false, false));
	ck_assert_ok(bulla_audit_header_set(engine, &call, bulla_str("x-plain"), false, false));
	ck_assert_ok(bulla_audit_add(engine, &call, &entry, BULLA_AUDIT_REQUEST, &made, &fits));
	ck_assert_ok(bulla_audit_commit(&call, made));
	read_lines();
	ck_assert_ptr_nonnull(strstr(lines[line_count - 1], "\"x-odd\":[\"hmac-sha256:"));
	ck_assert_ptr_nonnull(strstr(lines[line_count - 1], "\"x-plain\":[\"in clear\"]"));
	ck_assert_ptr_null(strstr(lines[line_count - 1], A24));
}
END_TEST

/* ---- crashes, rotations, restarts ---------------------------------------------------------------------------------------------- */

static void seal_and_unseal(void)
{
	ck_assert_ok(bulla_seal(engine, &call));
	bulla_token_put(call.token);
	call.token = NULL;
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert_ok(bulla_authenticate(engine, &call, bulla_str(root_token)));
}

START_TEST(the_chain_goes_on_over_restarts_and_rotations)
{
	write_log();
	seal_and_unseal();
	record(5);
	check_clean(path, NULL);
	/* moved away, then told so */
	ck_assert_int_eq(rename(path, second), 0);
	record(1);
	bulla_audit_reopen(engine);
	while (access(path, F_OK) != 0) /* the device's thread does it */
		usleep(1000);
	record(5);
	check_clean(second, path);
	ck_assert_uint_gt(verify(NULL, path, NULL).first_record, 2 * RECORDS);
	ck_assert_uint_eq(found_count, 0);
	/* in the wrong order, or with one missing */
	ck_assert_uint_gt(verify(NULL, path, second).offences, 0);
	/* moved away while it was closed */
	ck_assert_int_eq(unlink(second), 0);
	ck_assert_ok(bulla_seal(engine, &call));
	ck_assert_int_eq(rename(path, second), 0);
	bulla_token_put(call.token);
	call.token = NULL;
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert_ok(bulla_authenticate(engine, &call, bulla_str(root_token)));
	record(3);
	check_clean(second, path);
}
END_TEST

START_TEST(a_line_that_a_crash_cut_off_is_no_offence)
{
	FILE *file;

	write_log();
	ck_assert_ok(bulla_seal(engine, &call));
	file = fopen(path, "a");
	fputs("{\"time\":\"2026-11-21T23:2", file);
	fclose(file);
	check_found(BULLA_AUDIT_TRUNCATED, line_count + 2);
	bulla_token_put(call.token);
	call.token = NULL;
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert_ok(bulla_authenticate(engine, &call, bulla_str(root_token)));
	record(3);
	ck_assert_uint_eq(verify(NULL, path, NULL).offences, 0);
	ck_assert_uint_eq(found_count, 1);
	ck_assert_int_eq(found[0].finding, BULLA_AUDIT_TORN);
	ck_assert_uint_eq(found[0].line, line_count + 2);
}
END_TEST

/* What somebody has added while the server was away is not what a crash leaves: no beginning of a record, or a whole one. */
START_TEST(a_line_before_an_opening_is_looked_at)
{
	static const char *const added[] = {
		"{\"time\":\"2026-11-21T23:20:00Z\",\"type\":\"request\",\"auth\":{\"display_name\":\"a } \\\" b\"}}\n",
		"{\"time\":\"2026-11-21T23:20:00Z\"}",
		"{\"time\":\"2026-11-21T23:20:00Z\",\"a\":[{}]} and more",
		"{\"type\":\"request\",\"time\":\"2026",
		"nothing happened here",
	};
	FILE *file;

	write_log();
	ck_assert_ok(bulla_seal(engine, &call));
	file = fopen(path, "a");
	fputs(added[_i], file);
	fclose(file);
	bulla_token_put(call.token);
	call.token = NULL;
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert_ok(bulla_authenticate(engine, &call, bulla_str(root_token)));
	record(3);
	check_found(BULLA_AUDIT_INSERTED, line_count + 2);
	ck_assert_uint_eq(found_count, 1);
}
END_TEST

/* The end was cut off while the server was away: it remembers how far it had come. */
START_TEST(lines_removed_while_it_was_away_are_missed)
{
	write_log();
	ck_assert_ok(bulla_seal(engine, &call));
	read_lines();
	write_lines(path, 0, line_count - 4);
	bulla_token_put(call.token);
	call.token = NULL;
	ck_assert_ok(bulla_unseal_auto(engine, &call));
	ck_assert_ok(bulla_authenticate(engine, &call, bulla_str(root_token)));
	check_found(BULLA_AUDIT_REMOVED, line_count - 3);
}
END_TEST

/* ---- devices --------------------------------------------------------------------------------------------------------------------- */

static int listen_at(const char *name, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	(void)unlink(name);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd, 5), 0);
	return fd;
}

/* What came, up to the end of a line. */
static size_t receive(int fd, char *text, size_t room)
{
	size_t n = 0;

	do {
		ssize_t got = read(fd, text + n, room - n - 1);

		ck_assert_int_gt(got, 0);
		n += (size_t)got;
	} while (text[n - 1] != '\n');
	text[n] = 0;
	return n;
}

START_TEST(a_socket_that_closes_is_noticed_and_comes_back)
{
	const struct bulla_pair options[] = { { bulla_str("address"), bulla_str(path) }, { bulla_str("socket_type"), bulla_str("unix") } };
	char text[16384];
	int listener = listen_at(path, SOCK_STREAM);

	enable("socket", options, 2);
	int peer = accept(listener, NULL, NULL);

	receive(peer, text, sizeof text);
	ck_assert_ptr_nonnull(strstr(text, "\"event\":\"open\""));
	record(1);
	receive(peer, text, sizeof text);
	ck_assert_ptr_nonnull(strstr(text, "\"type\":\"response\""));
	ck_assert(device()->healthy);
	close(peer);
	close(listener);
	(void)unlink(path);
	ck_assert_err(record_as(&call, "x"), BULLA_E_AUDIT);
	ck_assert(!device()->healthy);
	ck_assert_uint_gt(device()->trouble.len, 0);
	listener = listen_at(path, SOCK_STREAM);
	ck_assert_ok(record_as(&call, "y"));
	ck_assert(device()->healthy);
	peer = accept(listener, NULL, NULL);
	receive(peer, text, sizeof text);
	ck_assert_ptr_nonnull(strstr(text, "\"path\":\"y\""));
	ck_assert_ok(bulla_audit_disable(engine, &call, bulla_str("main")));
	close(peer);
	close(listener);
}
END_TEST

/* What a collector got, as a file. */
static void append(const char *name, const char *text)
{
	FILE *file = fopen(name, "a");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

/* What was lost while it failed stands in the chain, signed; what is missing elsewhere is still missed. */
START_TEST(a_gap_is_told)
{
	char where[sizeof path + 4], text[65536];

	snprintf(where, sizeof where, "%s.s", path);
	const struct bulla_pair options[] = { { bulla_str("address"), bulla_str(where) }, { bulla_str("socket_type"), bulla_str("unix") } };
	int listener = listen_at(where, SOCK_STREAM);

	enable("socket", options, 2);
	int peer = accept(listener, NULL, NULL);

	record(3);
	close(listener);
	(void)shutdown(peer, SHUT_WR);
	do { /* what was sent is not lost */
		receive(peer, text, sizeof text);
		append(path, text);
		read_lines();
	} while (line_count < 7);
	close(peer);
	(void)unlink(where);
	ck_assert_err(record_as(&call, "lost"), BULLA_E_AUDIT);
	ck_assert_err(record_as(&call, "lost"), BULLA_E_AUDIT);
	ck_assert_uint_eq(device()->lost_records, 4);
	listener = listen_at(where, SOCK_STREAM);
	ck_assert_ok(record_as(&call, "back"));
	ck_assert_uint_eq(device()->lost_records, 0);
	peer = accept(listener, NULL, NULL);
	receive(peer, text, sizeof text);
	ck_assert_ptr_nonnull(strstr(text, "\"event\":\"gap\",\"device\":\"main/\",\"commit\":\"1."));
	ck_assert_ptr_nonnull(strstr(text, "\"lost\":\"4\",\"after\":\"7\",\"id\":"));
	append(path, text);
	struct bulla_audit_verdict verdict = verify(NULL, path, NULL);

	ck_assert_uint_eq(verdict.offences, 0);
	ck_assert_uint_eq(verdict.lost_records, 4);
	ck_assert_uint_eq(found_count, 1);
	ck_assert_int_eq(found[0].finding, BULLA_AUDIT_GAP);
	read_lines();
	free(lines[6]); /* the last one before the gap, which is sure to have gone out */
	lines[6] = NULL;
	write_lines(path, 0, line_count);
	verdict = verify(NULL, path, NULL);
	ck_assert_uint_eq(verdict.offences, 1);
	ck_assert_int_eq(found[0].finding, BULLA_AUDIT_REMOVED);
	ck_assert_ok(bulla_audit_disable(engine, &call, bulla_str("main")));
	close(peer);
	close(listener);
	(void)unlink(where);
}
END_TEST

START_TEST(a_log_daemon_gets_a_message_a_line)
{
	const struct bulla_pair options[] = { { bulla_str("address"), bulla_str(path) }, { bulla_str("facility"), bulla_str("local3") },
					      { bulla_str("tag"), bulla_str("cards") } };
	char text[16384];
	int peer = listen_at(path, SOCK_DGRAM);

	enable("syslog", options, 3);
	record(1);
	for (int i = 0; i < 3; i++) {
		ssize_t n = recv(peer, text, sizeof text - 1, 0);

		ck_assert_int_gt(n, 0);
		text[n] = 0;
		ck_assert_int_eq(strncmp(text, "<158>", 5), 0); /* local3, info */
		ck_assert_ptr_nonnull(strstr(text, " cards["));
		ck_assert_ptr_nonnull(strstr(text, "]: {\"time\":"));
		ck_assert_int_eq(text[n - 1], '}');
	}
	ck_assert_ok(bulla_audit_disable(engine, &call, bulla_str("main")));
	close(peer);
}
END_TEST

/* ---- threads --------------------------------------------------------------------------------------------------------------------- */

#define THREADS 4
#define EACH 50

static void *write_many(void *unused)
{
	struct bulla_call c = call_as(root_token);

	(void)unused;
	for (int i = 0; i < EACH; i++)
		ck_assert_ok(record_as(&c, "transit/encrypt/k"));
	call_done(&c);
	return NULL;
}

START_TEST(many_at_once_make_one_chain)
{
	pthread_t threads[THREADS];

	enable_file();
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many, NULL), 0);
	bulla_audit_reopen(engine);
	ck_assert_ok(bulla_tick(engine, &call));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_ok(bulla_audit_disable(engine, &call, bulla_str("main")));
	read_lines();
	size_t records = 0;

	for (size_t i = 0; i < line_count; i++)
		records += strstr(lines[i], "\"type\":\"re") != NULL;
	ck_assert_uint_eq(records, 2 * THREADS * EACH);
	check_clean(path, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit/log");
	TCase *tc = tcase_create("log");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_untouched_log_is_clean);
	tcase_add_test(tc, silence_is_signed_too);
	tcase_add_test(tc, checkpoints_name_the_commit);
	tcase_add_test(tc, a_changed_line_is_found);
	tcase_add_test(tc, a_removed_line_is_found);
	tcase_add_test(tc, an_inserted_line_is_found);
	tcase_add_test(tc, a_truncated_log_is_found);
	tcase_add_test(tc, hashes_made_anew_do_not_help);
	tcase_add_test(tc, the_chain_goes_on_over_restarts_and_rotations);
	tcase_add_test(tc, a_log_of_two_keys);
	tcase_add_test(tc, a_file_has_one_device);
	tcase_add_test(tc, no_token_in_a_path);
	tcase_add_test(tc, no_token_in_a_header);
	tcase_add_test(tc, a_line_that_a_crash_cut_off_is_no_offence);
	tcase_add_loop_test(tc, a_line_before_an_opening_is_looked_at, 0, 5);
	tcase_add_test(tc, lines_removed_while_it_was_away_are_missed);
	tcase_add_test(tc, a_socket_that_closes_is_noticed_and_comes_back);
	tcase_add_test(tc, a_gap_is_told);
	tcase_add_test(tc, a_log_daemon_gets_a_message_a_line);
	tcase_add_test(tc, many_at_once_make_one_chain);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
