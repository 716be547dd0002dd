/* sys/audit and what stands in an audit log: each record of each kind of request in the peer's form, nothing of a secret in it, no
 * answer without a record. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json_oracle.h"
#include "pipeline.h"

#define PLAIN(text) "{\"errors\":[\"" text "\"]}"
#define FILE_DEVICE(more) "{\"type\":\"file\",\"description\":\"d\",\"options\":{\"file_path\":\"$dir/log\"" more "}}"
#define BAD(options, text) { "POST sys/audit/x", "{\"type\":\"file\",\"options\":{" options "}}", .status = 400, .expect = PLAIN(text) }

static char folder[64];

static void begin(void)
{
	const char *temporary = getenv("TMPDIR");

	pipeline_begin();
	snprintf(folder, sizeof folder, "%s/bulla-audit-XXXXXX", temporary != NULL && strlen(temporary) < 30 ? temporary : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	pipeline_save("dir", folder);
}

static void end(void)
{
	static const char *const names[] = { "log", "other" };
	char path[128];

	pipeline_end();
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	ck_assert_int_eq(rmdir(folder), 0);
}

/* ---- the log ------------------------------------------------------------------------------------------------------------- */

/* The whole log; to be freed. */
static char *read_log(void)
{
	char path[128], *text = calloc(1, 1 << 20);
	FILE *file;

	snprintf(path, sizeof path, "%s/log", folder);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_lt(fread(text, 1, (1 << 20) - 1, file), (1 << 20) - 1);
	fclose(file);
	return text;
}

/* The n-th line from the end, 1 the last; a pointer into text, ended by a NUL. */
static char *line_from_end(char *text, unsigned n)
{
	size_t len = strlen(text);

	ck_assert(len > 0 && text[len - 1] == '\n');
	for (text[len - 1] = 0; n > 1; n--)
		*strrchr(text, '\n') = 0;
	char *start = strrchr(text, '\n');

	return start != NULL ? start + 1 : text;
}

/* $names stand for what was saved. */
static void check_line(unsigned from_end, const char *expect)
{
	char *text = read_log(), *line = line_from_end(text, from_end), *wanted = pipeline_substitute(expect), why[256];

	ck_assert_msg(oracle_contains(line, strlen(line), wanted, why, sizeof why), "at %s: %s\nis not %s", why, line, wanted);
	free(wanted);
	free(text);
}

static void check_absent(const char *secret)
{
	char *text = read_log();

	ck_assert_msg(strstr(text, secret) == NULL, "\"%s\" is in the log", secret);
	free(text);
}

static size_t count_lines(void)
{
	char *text = read_log();
	size_t n = 0;

	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		n++;
	free(text);
	return n;
}

static void run(const struct step step)
{
	const struct step steps[] = { step, { NULL } };

	pipeline_run(steps);
}

/* Saves how the device writes text, as name. */
static void save_hash(const char *name, const char *text)
{
	char body[512], save[64];

	snprintf(body, sizeof body, "{\"input\":\"%s\"}", text);
	snprintf(save, sizeof save, "%s=data.hash", name);
	run((struct step){ "POST sys/audit-hash/main", body, .status = 200, .save = save });
}

static void enable(void)
{
	run((struct step){ "POST sys/audit/main", FILE_DEVICE(), .status = 204 });
}

/* ---- sys/audit ------------------------------------------------------------------------------------------------------------- */

static void forbid(void)
{
	pipeline_allow_audit = false;
}

static const struct step managing[] = {
	{ "GET sys/audit", .status = 200, .expect = "{\"data\":{}}" },
	{ "POST sys/audit/x", "{\"type\":\"nope\"}", .status = 400, .expect = PLAIN("unknown backend type: \\\"nope\\\"") },
	{ "POST sys/audit/x", .status = 400, .expect = PLAIN("unknown backend type: \\\"\\\"") },
	BAD("", "file_path is required"),
	BAD("\"file_path\":\"$dir/log\",\"log_rw\":\"true\"", "unknown option \\\"log_rw\\\""),
	BAD("\"file_path\":\"$dir/log\",\"log_raw\":\"maybe\"", "strconv.ParseBool: parsing \\\"maybe\\\": invalid syntax"),
	BAD("\"file_path\":\"$dir/log\",\"mode\":\"99\"", "strconv.ParseUint: parsing \\\"99\\\": invalid syntax"),
	BAD("\"file_path\":\"$dir/log\",\"mode\":\"4755\"", "file mode does not represent a regular file"),
	BAD("\"file_path\":\"$dir/log\",\"format\":\"xml\"", "unknown format type \\\"xml\\\""),
	BAD("\"file_path\":\"$dir/log\",\"format\":\"jsonx\"",
	    "jsonx formatting has been removed, consider switching to json by omitting \\\"format\\\" or setting it to \\\"json\\\""),
	BAD("\"file_path\":\"$dir/log\",\"prefix\":\"x\"", "audit log prefixing is not allowed"),
	BAD("\"file_path\":\"$dir\"", "sanity check failed; unable to open \\\"$dir\\\" for writing: open $dir: Is a directory"),
	{ "POST sys/audit/x", "{\"type\":\"socket\"}", .status = 400, .expect = PLAIN("address is required") },
	{ "POST sys/audit/x", "{\"type\":\"socket\",\"options\":{\"address\":\"$dir/none\",\"socket_type\":\"unix\"}}", .status = 400 },
	{ "POST sys/audit/x", "{\"type\":\"socket\",\"options\":{\"address\":\"127.0.0.1:1\",\"socket_type\":\"tls\"}}", .status = 400 },
	{ "POST sys/audit/x", "{\"type\":\"syslog\",\"options\":{\"facility\":\"NOPE\"}}", .status = 400,
	  .expect = PLAIN("invalid syslog facility: NOPE") },
	{ "GET sys/audit", .status = 200, .expect = "{\"data\":{}}" },
	{ "GET sys/audit/main", .status = 404, .expect = "{\"errors\":[]}" },
	{ "POST sys/audit/main", FILE_DEVICE(",\"mode\":\"0640\",\"hmac_accessor\":\"true\""), .status = 204, .expect = "" },
	{ "POST sys/audit/main", FILE_DEVICE(), .status = 400, .expect = PLAIN("path already in use") },
	{ "POST sys/audit/main/sub", FILE_DEVICE(), .status = 400, .expect = PLAIN("path already in use") },
	{ "GET sys/audit", .status = 200,
	  .expect = "{\"data\":{\"main/\":{\"description\":\"d\",\"local\":false,\"path\":\"main/\",\"type\":\"file\",\"options\":"
		    "{\"file_path\":\"$dir/log\",\"mode\":\"0640\",\"hmac_accessor\":\"true\"}}},\"main/\":{\"type\":\"file\"}}" },
	{ "GET sys/audit/main", .status = 200,
	  .expect = "{\"data\":{\"path\":\"main/\",\"healthy\":true,\"managed_by_configuration\":false,\"public_key\":\"%any\","
		    "\"head\":\"%any\"}}" },
	{ "GET sys/health?verbose=true", .status = 200,
	  .expect = "{\"audit\":[{\"path\":\"main/\",\"type\":\"file\",\"healthy\":true}]}" },
	{ "GET sys/health", .status = 200, .absent = "audit" }, { "GET sys/health?verbose=maybe", .status = 400 },
	{ "POST sys/audit-hash/main", "{\"input\":\"x\"}", .status = 200, .expect = "{\"data\":{\"hash\":\"%any\"},\"hash\":\"%any\"}" },
	{ "POST sys/audit-hash/none", "{\"input\":\"x\"}", .status = 400, .expect = PLAIN("unknown audit backend \\\"none/\\\"") },
	{ "POST sys/audit-hash/main", "{}", .status = 400, .expect = PLAIN("the \\\"input\\\" parameter is empty") },
	/* the first line is the checkpoint of opening; who may not, may not */
	{ "GET sys/audit", .token = "", .status = 403 },
	{ "DELETE sys/audit/none", .status = 204 }, { "DELETE sys/audit/main", .status = 204 }, { "DELETE sys/audit/main", .status = 204 },
	{ "GET sys/audit", .status = 200, .expect = "{\"data\":{}}" },
	{ "POST sys/audit/main", FILE_DEVICE(), .before = forbid, .status = 400,
	  .expect = PLAIN("cannot enable audit device via API; use declarative, config-based audit device management instead") },
	{ NULL },
};

START_TEST(devices_are_managed)
{
	struct stat st;
	char path[128];

	pipeline_run(managing);
	snprintf(path, sizeof path, "%s/log", folder);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
}
END_TEST

static const struct step headers[] = {
	{ "GET sys/config/auditing/request-headers", .status = 200, .expect = "{\"data\":{\"headers\":{}},\"headers\":{}}" },
	{ "GET sys/config/auditing/request-headers/x", .status = 400, .expect = PLAIN("Could not find header in config") },
	{ "PUT sys/config/auditing/request-headers/X-Custom", "{\"hmac\":true}", .status = 204 },
	{ "PUT sys/config/auditing/request-headers/User-Agent", .status = 204 },
	{ "GET sys/config/auditing/request-headers/X-CUSTOM", .status = 200, .expect = "{\"data\":{\"X-CUSTOM\":{\"hmac\":true}}}" },
	{ "GET sys/config/auditing/request-headers", .status = 200,
	  .expect = "{\"data\":{\"headers\":{\"user-agent\":{\"hmac\":false},\"x-custom\":{\"hmac\":true}}}}" },
	{ "DELETE sys/config/auditing/request-headers/nope", .status = 204 },
	{ "DELETE sys/config/auditing/request-headers/x-custom", .status = 204 },
	{ "GET sys/config/auditing/request-headers", .status = 200, .expect = "{\"data\":{\"headers\":{\"user-agent\":{\"hmac\":false}}}}",
	  .absent = "data.headers.x-custom" },
	{ NULL },
};

START_TEST(headers_are_chosen)
{
	pipeline_run(headers);
}
END_TEST

/* ---- records --------------------------------------------------------------------------------------------------------------- */

#define AUTH "\"auth\":{\"client_token\":\"$root_hash\",\"accessor\":\"%any\",\"display_name\":\"token\",\"policies\":[\"root\"]," \
	     "\"token_policies\":[\"root\"],\"policy_results\":{\"allowed\":true,\"granting_policies\":[{\"name\":\"root\"," \
	     "\"namespace_id\":\"root\",\"type\":\"acl\"}]},\"token_type\":\"service\",\"token_issue_time\":\"%any\"}"
#define REQUEST(operation, path, more) \
	"\"request\":{\"id\":\"%any\",\"client_id\":\"0DHqvq2D77kL2/JTPSZkTMJbkFVmUu0TzMi0jiXcFy8=\",\"operation\":\"" operation \
	"\",\"mount_point\":\"transit/\",\"mount_type\":\"transit\",\"mount_accessor\":\"%any\",\"mount_running_version\":\"%any\"," \
	"\"mount_class\":\"secret\",\"client_token\":\"$root_hash\",\"client_token_accessor\":\"%any\",\"namespace\":{\"id\":\"root\"}," \
	"\"path\":\"" path "\"," more "\"remote_address\":\"127.0.0.1\",\"remote_port\":1}"
#define RESPONSE(more) "\"response\":{\"mount_point\":\"transit/\",\"mount_type\":\"transit\",\"mount_accessor\":\"%any\"," \
	"\"mount_running_plugin_version\":\"%any\",\"mount_class\":\"secret\"" more "}"

START_TEST(both_records_are_in_the_peers_form)
{
	static const char request[] = "{\"time\":\"%any\",\"type\":\"request\"," AUTH ","
		REQUEST("update", "transit/encrypt/k", "\"data\":{\"plaintext\":\"$plain\",\"encryption_context\":{\"tenant\":\"acme\"},"
			"\"n\":1.50,\"b\":true,\"z\":null,\"o\":{\"a\":[\"$x\",2]},\"when\":\"2026-11-21T22:33:57Z\"},") "}";

	enable();
	save_hash("root_hash", "root");
	save_hash("plain", "aGVsbG8=");
	save_hash("x", "x");
	run((struct step){ "POST transit/keys/k", .status = 200 });
	run((struct step){ "POST transit/encrypt/k",
			   "{\"plaintext\":\"aGVsbG8=\",\"encryption_context\":{\"tenant\":\"acme\"},\"n\":1.50,\"b\":true,\"z\":null,"
			   "\"o\":{\"a\":[\"x\",2]},\"when\":\"2026-11-21T22:33:57Z\"}",
			   .status = 200, .save = "ct=data.ciphertext" });
	check_line(2, request);
	char *ct = pipeline_substitute("$ct");

	check_absent(ct);
	save_hash("ct_hash", ct);
	free(ct);
	check_line(3, "{\"type\":\"response\"," AUTH "," RESPONSE(",\"data\":{\"ciphertext\":\"$ct_hash\",\"key_version\":1},"
		   "\"warnings\":[\"Endpoint ignored these unrecognized parameters: [b n o when z]\"]") ",\"bulla_chain\":{\"prev\":\"%any\"}}");
	check_absent("aGVsbG8=");
	check_absent("\"root_hash\"");
}
END_TEST

/* Numbers are in clear, but for what a client has forgotten the quotes of. */
START_TEST(numbers_may_be_secrets)
{
	enable();
	run((struct step){ "POST transit/keys/k", .status = 200 });
	save_hash("pan", "4111111111111111");
	save_hash("pin", "1234");
	run((struct step){ "POST transit/encrypt/k", "{\"plaintext\":4111111111111111,\"n\":12345678901}", .status = 200 });
	check_line(2, "{\"request\":{\"data\":{\"plaintext\":\"$pan\",\"n\":12345678901}}}");
	run((struct step){ "POST transit/encrypt/k", "{\"plaintext\":1234,\"key_version\":1,\"a\":[4111111111111111,5],\"o\":{\"b\":4111111111111111}}",
			   .status = 200 });
	check_line(2, "{\"request\":{\"data\":{\"plaintext\":\"$pin\",\"key_version\":1,\"a\":[\"$pan\",5],\"o\":{\"b\":\"$pan\"}}}}");
	run((struct step){ "POST transit/encrypt/k", "{\"batch_input\":[{\"plaintext\":4111111111111111},{\"plaintext\":1234}]}", .status = 500 });
	check_line(2, "{\"request\":{\"data\":{\"batch_input\":[{\"plaintext\":\"$pan\"},{\"plaintext\":\"$pin\"}]}}}");
	run((struct step){ "POST cubbyhole/card", "{\"number\":4111111111111111,\"cvv\":[123,4111111111111111],\"last\":4111111111111111}", .status = 204 });
	run((struct step){ "GET cubbyhole/card", .status = 200 });
	check_line(1, "{\"response\":{\"data\":{\"number\":\"$pan\",\"cvv\":[123,\"$pan\"],\"last\":\"$pan\"}}}");
	check_absent("4111111111111111");
}
END_TEST

START_TEST(refusals_are_recorded)
{
	enable();
	save_hash("denied", "permission denied");
	save_hash("bad", "bad");
	run((struct step){ "GET transit/keys/k", .token = "bad", .status = 403 });
	check_line(2, "{\"type\":\"request\",\"auth\":{\"token_type\":\"default\"},\"request\":{\"operation\":\"read\",\"path\":\"transit/keys/k\","
		   "\"client_token\":\"$bad\"},\"error\":\"permission denied\"}");
	check_line(1, "{\"type\":\"response\",\"auth\":{\"token_type\":\"default\"},\"response\":{\"data\":{\"error\":\"$denied\"}},"
		   "\"error\":\"1 error occurred:\\n\\t* permission denied\\n\\n\"}");
	run((struct step){ "GET nowhere/at/all", .status = 404 });
	check_line(1, "{\"type\":\"response\",\"error\":\"1 error occurred:\\n\\t* unsupported path\\n\\n\"}");
	run((struct step){ "POST transit/encrypt/k", "{\"plaintext\":5}", .status = 400 });
	check_line(1, "{\"response\":{\"data\":{\"error\":\"%any\"}},\"error\":\"1 error occurred:\\n\\t* invalid request\\n\\n\"}");
	/* what the peer answers before it looks who calls, it does not record */
	size_t before = count_lines();

	run((struct step){ "GET sys/health", .status = 200 });
	run((struct step){ "GET sys/seal-status", .status = 200 });
	run((struct step){ "OPTIONS transit/keys/k", .status = 400 });
	run((struct step){ "GET transit/keys/k", .namespace = "other", .status = 404 });
	ck_assert_uint_eq(count_lines(), before);
}
END_TEST

START_TEST(too_many_requests_are_recorded_on_demand)
{
	enable();
	save_hash("bad", "bad");
	run((struct step){ "POST sys/quotas/rate-limit/a", "{\"path\":\"transit/keys/k\",\"rate\":1,\"interval\":\"1h\"}", .status = 204 });
	run((struct step){ "GET transit/keys/k", .status = 404 });
	size_t before = count_lines();

	run((struct step){ "GET transit/keys/k", .status = 429 });
	ck_assert_uint_eq(count_lines(), before);
	run((struct step){ "POST sys/quotas/config", "{\"enable_rate_limit_audit_logging\":true}", .status = 204 });
	before = count_lines();
	run((struct step){ "GET transit/keys/k", .token = "bad", .status = 429 });
	ck_assert_uint_eq(count_lines(), before + 2);
	check_line(2, "{\"type\":\"request\",\"request\":{\"operation\":\"read\",\"path\":\"transit/keys/k\",\"client_token\":\"$bad\","
		   "\"remote_address\":\"%any\"},\"error\":\"%any\"}");
	check_line(1, "{\"type\":\"response\",\"response\":{\"data\":{\"error\":\"%any\"}},\"error\":\"%any\"}");
	run((struct step){ "GET transit/keys/other", .status = 404 });
	ck_assert_uint_eq(count_lines(), before + 4);
}
END_TEST

START_TEST(tokens_and_wrappings_are_hashed)
{
	enable();
	run((struct step){ "POST auth/token/create", "{\"policies\":[\"default\"],\"ttl\":\"1h\",\"meta\":{\"who\":\"me\"},\"num_uses\":3}",
			   .status = 200, .save = "made=auth.client_token" });
	char *made = pipeline_substitute("$made");

	check_absent(made);
	save_hash("made_hash", made);
	check_line(3, "{\"type\":\"response\",\"response\":{\"auth\":{\"client_token\":\"$made_hash\",\"accessor\":\"%any\",\"display_name\":\"token\","
		   "\"policies\":[\"default\"],\"token_policies\":[\"default\"],\"metadata\":{\"who\":\"me\"},\"num_uses\":3,"
		   "\"token_type\":\"service\",\"token_ttl\":3600}}}");
	free(made);
	run((struct step){ "POST transit/keys/k", .wrap_ttl = "60", .status = 200, .save = "wrap=wrap_info.token" });
	check_line(1, "{\"request\":{\"wrap_ttl\":60},\"response\":{\"wrap_info\":{\"ttl\":60,\"token\":\"%any\",\"accessor\":\"%any\","
		   "\"creation_time\":\"%any\",\"creation_path\":\"transit/keys/k\"}}}");
	char *wrap = pipeline_substitute("$wrap");

	check_absent(wrap);
	free(wrap);
	run((struct step){ "POST sys/wrapping/unwrap", .token = "$wrap", .status = 200 });
	check_line(1, "{\"response\":{\"data\":{\"http_content_type\":\"%any\",\"http_raw_body\":\"%any\",\"http_status_code\":200}}}");
	check_absent("min_decryption_version\\\"");
}
END_TEST

/* What a record repeats is kept from one to the next: of another caller, at another mount, with a token in the answer and without. */
START_TEST(each_line_is_whole_whoever_came_before)
{
	static const struct step steps[] = {
		{ "POST auth/token/create", "{\"policies\":[\"default\"]}", .status = 200, .save = "made=auth.client_token" },
		{ "GET auth/token/lookup-self", .status = 200 },
		{ "GET auth/token/lookup-self", .token = "$made", .status = 200 },
		{ "GET auth/token/lookup-self", .token = "bad", .status = 403 },
		{ "POST transit/encrypt/k", "{\"plaintext\":\"cGxhaW4=\"}", .status = 200 },
		{ "POST auth/token/create", "{\"policies\":[\"default\"]}", .wrap_ttl = "60", .status = 200 },
		{ "GET nowhere/at/all", .status = 404 },
		{ "GET transit/keys/k", .token = "$made", .status = 403 },
	};
	const size_t count = sizeof steps / sizeof steps[0];
	char why[256];

	enable();
	for (size_t i = 0; i < count * count; i++) { /* each after each */
		run(steps[i / count]);
		run(steps[i % count]);
	}
	char *text = read_log(), *rest = text;

	for (char *line; (line = strsep(&rest, "\n")) != NULL && line[0] != 0;)
		ck_assert_msg(oracle_contains(line, strlen(line), "{\"type\":\"%any\",\"bulla_chain\":{}}", why, sizeof why), "%s: %s", why, line);
	free(text);
}
END_TEST

START_TEST(options_say_what_is_hashed)
{
	run((struct step){ "POST sys/audit/main", FILE_DEVICE(",\"hmac_accessor\":\"false\",\"elide_list_responses\":\"true\""), .status = 204 });
	run((struct step){ "GET auth/token/lookup-self", .status = 200, .save = "accessor=data.accessor" });
	check_line(1, "{\"auth\":{\"accessor\":\"$accessor\"},\"request\":{\"client_token_accessor\":\"$accessor\"}}");
	run((struct step){ "POST transit/keys/a", .status = 200 });
	run((struct step){ "POST transit/keys/b", .status = 200 });
	run((struct step){ "LIST transit/keys", .status = 200 });
	check_line(1, "{\"response\":{\"data\":{\"keys\":2}}}");
	run((struct step){ "POST sys/mounts/transit/tune",
			   "{\"audit_non_hmac_request_keys\":[\"name_of\"],\"audit_non_hmac_response_keys\":[\"name\"]}", .status = 204 });
	run((struct step){ "POST transit/encrypt/a", "{\"plaintext\":\"aGVsbG8=\",\"name_of\":\"clear\",\"x\":{\"name_of\":[\"too\"]}}", .status = 200 });
	check_line(2, "{\"request\":{\"data\":{\"plaintext\":\"%any\",\"name_of\":\"clear\",\"x\":{\"name_of\":[\"too\"]}}}}");
	run((struct step){ "GET transit/keys/a", .status = 200 });
	check_line(1, "{\"response\":{\"data\":{\"name\":\"a\",\"min_available_version\":0}}}");
	check_absent("aGVsbG8=");
	run((struct step){ "POST sys/audit/raw", "{\"type\":\"file\",\"options\":{\"file_path\":\"$dir/other\",\"log_raw\":\"true\"}}", .status = 204 });
	run((struct step){ "POST transit/encrypt/a", "{\"plaintext\":\"aGVsbG8=\"}", .status = 200 });
	check_absent("aGVsbG8=");
}
END_TEST

/* The state machine and the log: after a seal the chain goes on. */
START_TEST(sealing_closes_the_log)
{
	struct bulla_arena *arena = bulla_arena_new(1024);
	struct bulla_call call = { .arena = arena, .may_block = true };

	enable();
	run((struct step){ "PUT sys/seal", .status = 204 });
	check_line(2, "{\"type\":\"request\",\"request\":{\"path\":\"sys/seal\"}}");
	check_line(1, "{\"type\":\"bulla_checkpoint\",\"bulla_checkpoint\":{\"event\":\"close\",\"device\":\"main/\",\"signature\":\"%any\"}}");
	size_t lines = count_lines();

	ck_assert_int_eq(bulla_unseal(pipeline_engine, &call, pipeline_unseal_key), BULLA_OK);
	run((struct step){ "GET transit/keys/none", .status = 404 });
	ck_assert_uint_eq(count_lines(), lines + 3);
	check_line(3, "{\"type\":\"bulla_checkpoint\",\"bulla_checkpoint\":{\"event\":\"open\"}}");
	bulla_arena_free(arena);
}
END_TEST

/* No device can record it: no answer. One can: an answer. */
START_TEST(no_answer_without_a_record)
{
	static const char denied[] = "{\"errors\":[\"1 error occurred:\\n\\t* internal error\\n\\n\"]}";
	const char *full = "{\"type\":\"file\",\"options\":{\"file_path\":\"/dev/full\",\"mode\":\"0\",\"skip_test\":\"true\"}}";

	if (access("/dev/full", W_OK) != 0)
		return;
	run((struct step){ "POST transit/keys/k", .status = 200 });
	run((struct step){ "POST sys/audit/full", "{\"type\":\"file\",\"options\":{\"file_path\":\"/dev/full\",\"mode\":\"0\"}}", .status = 400,
			   .expect = PLAIN("audit backend failed test message: write /dev/full: No space left on device") });
	run((struct step){ "POST sys/audit/full", full, .status = 500, .expect = denied });
	run((struct step){ "GET transit/keys/k", .status = 500, .expect = denied });
	run((struct step){ "POST transit/encrypt/k", "{\"plaintext\":\"aGVsbG8=\"}", .status = 500, .expect = denied, .absent = "data" });
	ck_assert_str_eq(pipeline_log, "error AUDIT at transit/encrypt/{name}: ");
	run((struct step){ "GET sys/health?verbose=1", .status = 200,
			   .expect = "{\"audit\":[{\"path\":\"full/\",\"healthy\":false,\"trouble\":\"write /dev/full: No space left on device\"}]}" });
	/* what changes something is not even done */
	run((struct step){ "DELETE sys/audit/full", .status = 500, .expect = denied });
	run((struct step){ "POST transit/keys/k/rotate", .status = 500 });
	struct bulla_arena *arena = bulla_arena_new(1024);
	struct bulla_call call = { .arena = arena, .may_block = true };
	const struct bulla_pair path = { bulla_str("file_path"), bulla_str(folder) };
	char log[128];

	snprintf(log, sizeof log, "%s/log", folder);
	const struct bulla_pair options[] = { { path.key, bulla_str(log) } };
	const struct bulla_audit_spec spec = { .path = bulla_str("main"), .type = bulla_str("file"), .options = options, .option_count = 1 };

	ck_assert_int_eq(bulla_audit_enable(pipeline_engine, &call, &spec), BULLA_OK);
	run((struct step){ "GET transit/keys/k", .status = 200, .expect = "{\"data\":{\"latest_version\":1}}" });
	ck_assert_int_eq(bulla_audit_disable(pipeline_engine, &call, bulla_str("full")), BULLA_OK);
	bulla_arena_free(arena);
}
END_TEST

Suite *audit_suite(void)
{
	Suite *suite = suite_create("pipeline/audit");
	TCase *tc = tcase_create("audit");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, devices_are_managed);
	tcase_add_test(tc, headers_are_chosen);
	tcase_add_test(tc, both_records_are_in_the_peers_form);
	tcase_add_test(tc, numbers_may_be_secrets);
	tcase_add_test(tc, refusals_are_recorded);
	tcase_add_test(tc, too_many_requests_are_recorded_on_demand);
	tcase_add_test(tc, tokens_and_wrappings_are_hashed);
	tcase_add_test(tc, each_line_is_whole_whoever_came_before);
	tcase_add_test(tc, options_say_what_is_hashed);
	tcase_add_test(tc, sealing_closes_the_log);
	tcase_add_test(tc, no_answer_without_a_record);
	suite_add_tcase(suite, tc);
	return suite;
}
