/* commands_server_config.c: the configuration file: every mistake with its line, every key with its value. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/config_values.h"
#include "commands/server_config.h"
#include "unit.h"

static char folder[] = "/tmp/bulla-config-XXXXXX", path[64], key_path[64];

static void write_file(const char *file, const char *text, size_t len, mode_t mode)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static enum bulla_err read_text(struct bulla_call *call, const char *text, struct server_config *config)
{
	write_file(path, text, strlen(text), 0600);
	return server_config_read(path, call, config);
}

#define STORAGE "storage \"sqlite\" {\n path = \"/x/b.db\"\n}\n"
#define LISTENER "listener \"tcp\" {\n address = \"127.0.0.1:1\"\n tls_disable = true\n}\n"
#define PEMS " tls_cert_file = \"/dev/null\"\n tls_key_file = \"/dev/null\"\n"
#define GOOD STORAGE LISTENER
#define HEX32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const struct {
	const char *text;
	unsigned line;
	const char *says;
} bad[] = {
	{ "", 1, "no storage" },
	{ STORAGE, 1, "no listener" },
	{ LISTENER, 1, "no storage" },
	{ GOOD "uii = true\n", 8, "unknown key \"uii\"" },
	{ GOOD "telemetry {\n}\n", 8, "unknown block \"telemetry\"" },
	{ GOOD STORAGE, 8, "a second storage" },
	{ GOOD "storage \"raft\" {\n}\n", 8, "a second storage" },
	{ "storage \"raft\" {\n}\n" LISTENER, 1, "unknown storage" },
	{ "storage {\n}\n" LISTENER, 1, "unknown storage" },
	{ "storage \"sqlite\" {\n}\n" LISTENER, 1, "needs a path" },
	{ "storage \"sqlite\" {\n path = \"\"\n}\n", 2, "must be a string" },
	{ "storage \"sqlite\" {\n path = [\"a\"]\n}\n", 2, "must be a string" },
	{ "storage \"sqlite\" {\n path {\n}\n}\n", 2, "must be a string" },
	{ "storage \"sqlite\" {\n path = \"a\"\n path = \"b\"\n}\n", 3, "given twice" },
	{ "storage \"inmem\" {\n path = \"a\"\n}\n", 2, "unknown key" },
	{ GOOD "log_level = \"loud\"\n", 8, "log_level" },
	{ GOOD "log_format = 1\n", 8, "log_format" },
	{ GOOD "disable_mlock = 2\n", 8, "true or false" },
	{ GOOD "disable_mlock = \"yes\"\n", 8, "true or false" },
	{ GOOD "max_request_size = 0\n", 8, "a size" },
	{ GOOD "max_request_size = \"-1\"\n", 8, "a size" },
	{ GOOD "max_request_size = \"32 parsecs\"\n", 8, "a size" },
	{ GOOD "max_request_size = true\n", 8, "a size" },
	{ GOOD "max_request_size = \"3gb\"\n", 1, "beyond reason" },
	{ GOOD "max_request_duration = \"0s\"\n", 8, "a duration" },
	{ GOOD "max_request_memory = 0\n", 8, "a size" },
	{ GOOD "max_request_memory = \"255MiB\"\n", 1, "at least eight times" },
	{ GOOD "max_request_size = \"1MiB\"\nmax_request_memory = \"7MiB\"\n", 1, "at least eight times" },
	{ GOOD "max_request_duration = \"soon\"\n", 8, "a duration" },
	{ GOOD "max_request_duration = \"999999h\"\n", 1, "beyond reason" },
	{ GOOD "api_addr = 5\n", 8, "a string" },
	{ STORAGE "listener \"udp\" {\n}\n", 4, "unknown listener" },
	{ STORAGE "listener {\n}\n", 4, "unknown listener" },
	{ STORAGE "listener \"tcp\" {\n}\n", 4, "needs tls_cert_file" },
	{ STORAGE "listener \"tcp\" {\n address = \"x\"\n tls_disable = true\n}\n", 5, "host:port" },
	{ STORAGE "listener \"tcp\" {\n address = \"x:65536\"\n tls_disable = true\n}\n", 5, "host:port" },
	{ STORAGE "listener \"tcp\" {\n address = \"::1:80\"\n tls_disable = true\n}\n", 5, "host:port" },
	{ STORAGE "listener \"tcp\" {\n tls_cert_file = \"/no/such\"\n}\n", 5, "No such file" },
	{ STORAGE "listener \"tcp\" {\n tls_client_ca_file = \"/dev/null\"\n tls_disable = true\n}\n", 4, "contradicts" },
	{ STORAGE "listener \"tcp\" {\n tls_min_version = \"tls10\"\n}\n", 5, "tls_min_version" },
	{ STORAGE "listener \"tcp\" {\n tls_require_and_verify_client_cert = \"yes\"\n}\n", 5, "true or false" },
	{ STORAGE "listener \"tcp\" {\n tls_require_and_verify_client_cert = true\n tls_disable = true\n}\n", 4, "contradicts" },
	{ STORAGE "listener \"tcp\" {\n" PEMS " tls_require_and_verify_client_cert = true\n tls_disable_client_certs = true\n}\n", 4,
	  "tls_disable_client_certs contradicts" },
	{ STORAGE "listener \"tcp\" {\n" PEMS " tls_cipher_suites = \"nosuch\"\n}\n", 7, "\"tls_cipher_suites\": cipher suite \"nosuch\" is unknown" },
	{ STORAGE "listener \"tcp\" {\n" PEMS " tls_cipher_suites = [\"TLS_AES_128_GCM_SHA256\"]\n}\n", 7, "a string" },
	{ STORAGE "listener \"tcp\" {\n" PEMS " tls_cipher_suites = \"TLS_RSA_WITH_AES_128_GCM_SHA256\"\n}\n", 7, "no forward secrecy" },
	{ STORAGE "listener \"tcp\" {\n tls_cipher_suites = \"TLS_AES_128_GCM_SHA256\"\n tls_disable = true\n}\n", 4, "contradicts" },
	{ STORAGE "listener \"tcp\" {\n socket_mode = \"0600\"\n}\n", 5, "unknown key" },
	{ STORAGE "listener \"unix\" {\n}\n", 4, "needs an address" },
	{ STORAGE "listener \"unix\" {\n address = \"/s\"\n tls_disable = true\n}\n", 6, "unknown key" },
	{ STORAGE "listener \"unix\" {\n address = \"/s\"\n socket_mode = \"0888\"\n}\n", 6, "octal" },
	{ STORAGE "listener \"unix\" {\n address = \"/s\"\n socket_mode = \"01777\"\n}\n", 6, "octal" },
	{ STORAGE "listener \"unix\" {\n address = \"/s\"\n max_request_size = 5\n}\nmax_request_size = 6\n", 6, "the same everywhere" },
	{ GOOD "seal \"transit\" {\n}\n", 8, "unknown seal" },
	{ GOOD "seal {\n}\n", 8, "unknown seal" },
	{ GOOD "user_lockout {\n}\n", 8, "unknown user_lockout" },
	{ GOOD "user_lockout \"token\" {\n}\n", 8, "unknown user_lockout" },
	{ GOOD "user_lockout \"all\" {\n}\nuser_lockout \"all\" {\n}\n", 10, "a second user_lockout \"all\"" },
	{ GOOD "user_lockout \"all\" {\n lockout_threshold = 0\n}\n", 9, "must be a number above 0" },
	{ GOOD "user_lockout \"all\" {\n lockout_threshold = \"5s\"\n}\n", 9, "must be a number above 0" },
	{ GOOD "user_lockout \"all\" {\n lockout_duration = \"x\"\n}\n", 9, "must be a duration" },
	{ GOOD "user_lockout \"all\" {\n threshold = 5\n}\n", 9, "unknown key" },
	{ GOOD "seal \"static\" {\n current_key_id = \"a\"\n}\n", 8, "needs current_key_id and current_key" },
	{ GOOD "seal \"static\" {\n current_key = \"" HEX32 "\"\n}\n", 8, "needs current_key_id and current_key" },
	{ GOOD "seal \"static\" {\n current_key_id = \"a\"\n current_key = \"short\"\n}\n", 10, "must be 32 bytes" },
	{ GOOD "seal \"static\" {\n current_key_id = \"a\"\n current_key = \"zz" HEX32 "\"\n}\n", 10, "must be 32 bytes" },
	{ GOOD "seal \"static\" {\n current_key_id = \"a\"\n current_key = \"file:///no/such\"\n}\n", 10, "/no/such: No such file" },
	{ GOOD "seal \"static\" {\n current_key_id = \"a\"\n current_key = \"file:///tmp\"\n}\n", 10, "/tmp: " },
	{ GOOD "seal \"static\" {\n current_key_id = \"a\"\n current_key = \"" HEX32 "\"\n}\nseal \"static\" {\n}\n", 12, "a second seal" },
	{ GOOD "broken", 8, "= or { is missing" },
};

START_TEST(refuses)
{
	struct bulla_call call = call_begin();
	struct server_config config = { 0 };
	char wanted[128];

	snprintf(wanted, sizeof wanted, "%s:%u:", path, bad[_i].line);
	ck_assert_err(read_text(&call, bad[_i].text, &config), BULLA_E_CONFIG);
	const char *detail = (const char *)call.detail.ptr;

	ck_assert_msg(strncmp(detail, wanted, strlen(wanted)) == 0 && strstr(detail, bad[_i].says) != NULL, "%s", detail);
	ck_assert_uint_eq(config.listener_count, 0);
	call_end(&call);
}
END_TEST

START_TEST(refuses_unreadable)
{
	struct bulla_call call = call_begin();
	struct server_config config;

	ck_assert_err(server_config_read("/no/such", &call, &config), BULLA_E_CONFIG);
	ck_assert_str_eq((const char *)call.detail.ptr, "/no/such: No such file or directory");
	ck_assert_err(server_config_read(folder, &call, &config), BULLA_E_CONFIG);
	call_end(&call);
}
END_TEST

/* A key that is refused is not told. */
START_TEST(keeps_keys_to_itself)
{
	struct bulla_call call = call_begin();
	struct server_config config;

	ck_assert_err(read_text(&call, GOOD "seal \"static\" {\n current_key_id = \"a\"\n current_key = \"sesame\"\n}\n", &config),
		      BULLA_E_CONFIG);
	ck_assert_ptr_null(strstr((const char *)call.detail.ptr, "sesame"));
	call_end(&call);
}
END_TEST

static const struct {
	const char *content;
	size_t len;
} keys[] = {
	{ HEX32, 64 }, { HEX32 "\n", 65 }, { "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 44 },
	{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n", 46 },
	{ "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\21\22\23\24\25\26\27\30\31\32\33\34\35\36\37", 32 },
};

START_TEST(reads_key_files)
{
	struct bulla_call call = call_begin();
	struct server_config config;
	char text[512];

	write_file(key_path, keys[_i].content, keys[_i].len, 0600);
	snprintf(text, sizeof text, GOOD "seal \"static\" {\n current_key_id = \"id\"\n current_key = \"file://%s\"\n}\n", key_path);
	ck_assert_ok(read_text(&call, text, &config));
	ck_assert_int_eq(config.seal.kind, BULLA_SEAL_STATIC);
	ck_assert_bytes(config.seal.key_id, "id");
	ck_assert_uint_eq(config.seal.key.len, 32);
	for (unsigned i = 0; i < 32; i++)
		ck_assert_uint_eq(config.seal.key.ptr[i], i);
	ck_assert_ptr_null(config.warning);
	write_file(key_path, keys[_i].content, keys[_i].len, 0644);
	ck_assert_ok(read_text(&call, text, &config));
	ck_assert_ptr_nonnull(strstr(config.warning, "0600"));
	call_end(&call);
}
END_TEST

START_TEST(reads_everything)
{
	static const char text[] =
		"storage \"sqlite\" {\n path = \"/x/b.db\"\n}\n"
		"listener \"tcp\" {\n address = \"[::1]:8200\"\n tls_disable = \"true\"\n max_request_size = \"1MiB\"\n}\n"
		"listener \"tcp\" {\n tls_cert_file = \"/dev/null\"\n tls_key_file = \"/dev/null\"\n tls_client_ca_file = \"/dev/null\"\n"
		" tls_min_version = \"tls13\"\n tls_require_and_verify_client_cert = true\n}\n"
		"listener \"unix\" {\n address = \"/s\"\n socket_mode = \"0660\"\n}\n"
		"listener \"unix\" {\n address = \"/t\"\n}\n"
		"listener \"tcp\" {\n" PEMS " tls_client_ca_file = \"/dev/null\"\n tls_disable_client_certs = true\n"
		" tls_cipher_suites = \"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\"\n}\n"
		"disable_mlock = true\nlog_level = \"WARN\"\nlog_format = \"json\"\nlog_file = \"/l\"\nmax_request_size = 1048576\nmax_request_memory = \"8MiB\"\n"
		"max_request_duration = \"1m30s\"\npid_file = \"/p\"\napi_addr = \"http://a\"\ncluster_name = \"c\"\n"
		"default_lease_ttl = \"1h\"\nmax_lease_ttl = 7200\nstartup_wait = 0\nmax_connections = 500\nconnection_share_percent = \"90\"\n"
		"seal \"static\" {\n current_key_id = \"k1\"\n current_key = \"" HEX32 "\"\n}\n";
	struct bulla_call call = call_begin();
	struct server_config c;

	ck_assert_ok(read_text(&call, text, &c));
	ck_assert_str_eq(c.storage_path, "/x/b.db");
	ck_assert_uint_eq(c.listener_count, 5);
	ck_assert_str_eq(c.listeners[0].address, "[::1]:8200");
	ck_assert(!c.listeners[0].tls && !c.listeners[0].is_unix);
	ck_assert(c.listeners[1].tls);
	ck_assert_str_eq(c.listeners[1].address, "127.0.0.1:8200");
	ck_assert_str_eq(c.listeners[1].cert_file, "/dev/null");
	ck_assert_str_eq(c.listeners[1].key_file, "/dev/null");
	ck_assert_str_eq(c.listeners[1].client_ca_file, "/dev/null");
	ck_assert_str_eq(c.listeners[1].tls_min_version, "tls13");
	ck_assert(c.listeners[1].demands_client_cert && !c.listeners[1].no_client_certs && c.listeners[1].tls_suites == 0);
	ck_assert(c.listeners[4].no_client_certs && !c.listeners[4].demands_client_cert && c.listeners[4].tls_suites != 0);
	ck_assert(c.listeners[2].is_unix && c.listeners[2].socket_mode == 0660);
	ck_assert_uint_eq(c.listeners[3].socket_mode, 0600);
	ck_assert(c.disable_mlock && c.log_json);
	ck_assert_int_eq(c.log_level, LOG_LEVEL_WARN);
	ck_assert_str_eq(c.log_file, "/l");
	ck_assert_int_eq(c.max_request_bytes, 1048576);
	ck_assert_int_eq(c.max_request_memory, 8388608);
	ck_assert_int_eq(c.max_request_s, 90);
	ck_assert_int_eq(c.startup_wait_s, 0);
	ck_assert_int_eq(c.max_connections, 500);
	ck_assert_int_eq(c.share_percent, 90);
	ck_assert_str_eq(c.pid_file, "/p");
	ck_assert_str_eq(c.api_addr, "http://a");
	ck_assert_str_eq(c.cluster_name, "c");
	ck_assert_int_eq(c.default_lease_ttl_s, 3600);
	ck_assert_int_eq(c.max_lease_ttl_s, 7200);
	ck_assert_uint_eq(c.seal.key.ptr[31], 31);
	call_end(&call);
}
END_TEST

static void ck_rule(const struct bulla_lockout_rule rule, int64_t threshold, int64_t duration_s, int64_t reset_s, bool disabled)
{
	ck_assert_int_eq(rule.threshold, threshold);
	ck_assert_int_eq(rule.duration_s, duration_s);
	ck_assert_int_eq(rule.reset_s, reset_s);
	ck_assert_int_eq(rule.disabled, disabled);
}

START_TEST(reads_lockouts)
{
	struct bulla_call call = call_begin();
	struct server_config c;

	ck_assert_ok(read_text(&call, GOOD, &c));
	ck_rule(lockout_config_rule(&c.lockout, &c.lockout.userpass), 5, 900, 900, false);
	ck_assert_ok(read_text(&call, GOOD
		"user_lockout \"approle\" {\n lockout_threshold = \"7\"\n disable_lockout = false\n}\n"
		"user_lockout \"all\" {\n lockout_threshold = 3\n lockout_duration = \"1m\"\n lockout_counter_reset = 30\n disable_lockout = true\n}\n",
		&c));
	ck_rule(lockout_config_rule(&c.lockout, &c.lockout.userpass), 3, 60, 30, true);
	ck_rule(lockout_config_rule(&c.lockout, &c.lockout.approle), 7, 60, 30, false);
	call_end(&call);
}
END_TEST

START_TEST(has_safe_defaults)
{
	struct bulla_call call = call_begin();
	struct server_config c;

	ck_assert_ok(read_text(&call, "storage \"inmem\" {\n}\n" LISTENER, &c));
	ck_assert_ptr_null(c.storage_path);
	ck_assert(!c.disable_mlock && !c.log_json && c.log_file == NULL && c.pid_file == NULL);
	ck_assert_int_eq(c.log_level, LOG_LEVEL_INFO);
	ck_assert_int_eq(c.seal.kind, BULLA_SEAL_SHAMIR);
	ck_assert_int_eq(c.max_request_bytes, 0);
	ck_assert_int_eq(c.startup_wait_s, 30);
	call_end(&call);
}
END_TEST

START_TEST(reads_sizes)
{
	static const struct {
		const char *text;
		int64_t bytes; /* -1: refused */
	} cases[] = {
		{ "1", 1 }, { "32mb", 32000000 }, { "32MiB", 33554432 }, { "1 GiB", 1073741824 }, { "2kb", 2000 }, { "2KiB", 2048 },
		{ "5b", 5 }, { "", -1 }, { "x", -1 }, { "-5", -1 }, { "1.5mb", -1 }, { "1mbx", -1 }, { "99999999999999999999", -1 },
		{ "9223372036854775807gib", -1 }, { "+5", -1 }, { " 5", -1 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t bytes = -1;
		bool good = size_parse(cases[i].text, &bytes);

		ck_assert_msg(good == (cases[i].bytes >= 0), "%s", cases[i].text);
		if (good)
			ck_assert_int_eq(bytes, cases[i].bytes);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("commands/server_config");
	TCase *tc = tcase_create("server_config");

	if (mkdtemp(folder) == NULL)
		return 99;
	snprintf(path, sizeof path, "%s/b.hcl", folder);
	snprintf(key_path, sizeof key_path, "%s/key", folder);
	tcase_add_loop_test(tc, refuses, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(tc, refuses_unreadable);
	tcase_add_test(tc, keeps_keys_to_itself);
	tcase_add_loop_test(tc, reads_key_files, 0, sizeof keys / sizeof keys[0]);
	tcase_add_test(tc, reads_everything);
	tcase_add_test(tc, reads_lockouts);
	tcase_add_test(tc, has_safe_defaults);
	tcase_add_test(tc, reads_sizes);
	suite_add_tcase(suite, tc);
	int status = unit_main(suite);

	(void)unlink(path);
	(void)unlink(key_path);
	(void)rmdir(folder);
	return status;
}
