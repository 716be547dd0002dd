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

static const struct config_finding *findings; /* of the last reading */

static enum bulla_err read_files(struct bulla_call *call, const char *const *paths, size_t count, struct server_config *config)
{
	return server_config_read(paths, count, call, config, &findings);
}

static enum bulla_err read_text(struct bulla_call *call, const char *text, struct server_config *config)
{
	const char *const paths[] = { path };

	write_file(path, text, strlen(text), 0600);
	return read_files(call, paths, 1, config);
}

/* Whether a finding of that kind says so. */
static bool is_said(bool is_error, const char *text)
{
	for (const struct config_finding *f = findings; f != NULL; f = f->next)
		if (f->is_error == is_error && strstr(f->text, text) != NULL)
			return true;
	return false;
}

#define STORAGE "storage \"sqlite\" {\n path = \"/x/b.db\"\n}\n"
#define LISTENER "listener \"tcp\" {\n address = \"127.0.0.1:1\"\n tls_disable = true\n}\n"
#define PEMS " tls_cert_file = \"/dev/null\"\n tls_key_file = \"/dev/null\"\n"
#define GOOD STORAGE LISTENER
#define PROXIED(behavior) "listener \"tcp\" {\n tls_disable = true\n proxy_protocol_behavior = \"" behavior "\"\n}\n"
#define SEAL(key) "seal \"static\" {\n current_key_id = \"a\"\n current_key = \"" key "\"\n}\n"
#define UNIX(setting) "listener \"unix\" {\n address = \"/s\"\n " setting "\n}\n"
#define HEX32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const struct {
	const char *text;
	unsigned line;
	const char *says;
} bad[] = {
	{ "", 0, "no storage" },
	{ STORAGE, 0, "no listener" },
	{ LISTENER, 0, "no storage" },
	{ GOOD "uii = true\n", 8, "unknown key \"uii\"" },
	{ GOOD "telemetries {\n}\n", 8, "unknown key \"telemetries\"" },
	{ GOOD "telemetry {\n statsd_adress = \"a\"\n}\n", 9, "unknown key \"statsd_adress\"" },
	{ GOOD STORAGE, 8, "a second storage" },
	{ STORAGE PROXIED("bogus"), 6, "proxy_protocol_behavior" },
	{ STORAGE PROXIED("USE_ALWAYS\"\n x = \""), 7, "unknown key \"x\"" },
	{ STORAGE PROXIED("allow_authorized"), 6, "needs proxy_protocol_authorized_addrs" },
	{ STORAGE PROXIED("deny_unauthorized"), 6, "needs proxy_protocol_authorized_addrs" },
	{ STORAGE PROXIED("deny_unauthorized\"\n proxy_protocol_authorized_addrs = []\n cluster_address = \""), 6, "needs proxy_protocol_authorized_addrs" },
	{ STORAGE PROXIED("deny_unauthorized\"\n proxy_protocol_authorized_addrs = \"zz"), 7, "must be addresses or CIDR blocks" },
	{ STORAGE PROXIED("deny_unauthorized\"\n proxy_protocol_authorized_addrs = [\"10.0.0.1\", 5]\n cluster_address = \""), 7, "must be addresses or CIDR blocks" },
	{ STORAGE PROXIED("use_always\"\n proxy_protocol_authorized_addrs = \"10.0.0.1,"), 7, "must be addresses or CIDR blocks" },
	{ GOOD "storage \"raft\" {\n}\n", 8, "a second storage" },
	{ "storage \"consul\" {\n}\n" LISTENER, 1, "unknown storage consul" },
	{ "storage \"raft\" {\n}\n" LISTENER, 1, "needs a path" },
	{ "storage {\n}\n" LISTENER, 1, "unknown storage" },
	{ "storage \"sqlite\" {\n}\n" LISTENER, 1, "needs a path" },
	{ "storage \"sqlite\" {\n path = \"\"\n}\n" LISTENER, 1, "needs a path" },
	{ "storage \"sqlite\" {\n path = [\"a\"]\n}\n", 2, "must be a string" },
	{ "storage \"sqlite\" {\n path {\n}\n}\n", 2, "must be a string" },
	{ "storage \"sqlite\" {\n path = \"a\"\n path = \"b\"\n}\n", 3, "given twice" },
	{ "storage \"inmem\" {\n path = \"a\"\n}\n", 2, "unknown key" },
	{ GOOD "log_level = \"loud\"\n", 8, "unknown log_level: trace, debug, info (or notice), warn (or warning) and error (or err) are known" },
	{ GOOD "log_format = 1\n", 8, "log_format" },
	{ GOOD "disable_mlock = 2\n", 8, "true or false" },
	{ GOOD "disable_mlock = \"yes\"\n", 8, "true or false" },
	{ GOOD "max_request_size = \"-1\"\n", 8, "a size" },
	{ GOOD "max_request_size = \"32 parsecs\"\n", 8, "a size" },
	{ GOOD "max_request_size = true\n", 8, "a size" },
	{ GOOD "max_request_size = \"3gb\"\n", 0, "beyond reason" },
	{ GOOD "max_request_duration = \"-1s\"\n", 8, "a duration" },
	{ GOOD "max_request_memory = \"255MiB\"\n", 0, "at least eight times" },
	{ GOOD "max_request_size = \"1MiB\"\nmax_request_memory = \"7MiB\"\n", 0, "at least eight times" },
	{ GOOD "max_request_duration = \"soon\"\n", 8, "a duration" },
	{ GOOD "max_request_duration = \"999999h\"\n", 0, "beyond reason" },
	{ GOOD "api_addr = 5\n", 8, "a string" },
	{ GOOD "max_lease_ttl = \"1h\"\n", 0, "is longer than max_lease_ttl" },
	{ GOOD "default_lease_ttl = \"769h\"\n", 0, "is longer than max_lease_ttl" },
	{ GOOD "audit \"file\" \"a\" {\n options {\n prefix = \"x\"\n }\n}\n", 0, "needs allow_audit_log_prefixing" },
	{ STORAGE "listener \"udp\" {\n}\n", 4, "unknown listener" },
	{ STORAGE "listener {\n}\n", 4, "unknown listener" },
	{ STORAGE "listener \"tcp\" {\n}\n", 4, "needs tls_cert_file" },
	{ STORAGE "listener \"tcp\" {\n address = \"x\"\n tls_disable = true\n}\n", 5, "host:port" },
	{ STORAGE "listener \"tcp\" {\n address = \"x:65536\"\n tls_disable = true\n}\n", 5, "host:port" },
	{ STORAGE "listener \"tcp\" {\n address = \"::1:80\"\n tls_disable = true\n}\n", 5, "host:port" },
	{ STORAGE "listener \"tcp\" {\n tls_cert_file = \"/no/such\"\n}\n", 5, "No such file" },
		{ STORAGE "listener \"tcp\" {\n tls_min_version = \"tls9\"\n}\n", 5, "\"tls_min_version\" must be one of tls10, tls11, tls12, tls13" },
	{ STORAGE "listener \"tcp\" {\n tls_require_and_verify_client_cert = \"yes\"\n}\n", 5, "true or false" },
	{ STORAGE "listener \"tcp\" {\n tls_require_and_verify_client_cert = true\n tls_disable = true\n}\n", 4, "contradicts" },
	{ STORAGE "listener \"tcp\" {\n" PEMS " tls_require_and_verify_client_cert = true\n tls_disable_client_certs = true\n}\n", 4,
	  "tls_disable_client_certs contradicts" },
	{ STORAGE "listener \"tcp\" {\n" PEMS " tls_cipher_suites = \"nosuch\"\n}\n", 7, "\"tls_cipher_suites\": cipher suite \"nosuch\" is unknown" },
	{ STORAGE "listener \"tcp\" {\n" PEMS " tls_cipher_suites = [\"TLS_AES_128_GCM_SHA256\"]\n}\n", 7, "a string" },
	{ STORAGE "listener \"tcp\" {\n" PEMS " tls_cipher_suites = \"TLS_RSA_WITH_AES_128_GCM_SHA256\"\n}\n", 7, "no forward secrecy" },
	{ STORAGE "listener \"tcp\" {\n socket_mod = \"0600\"\n}\n", 5, "unknown key" },
	{ STORAGE "listener \"unix\" {\n}\n", 4, "needs an address" },
	{ STORAGE "listener \"unix\" {\n address = \"/s\"\n tls_enable = true\n}\n", 6, "unknown key" },
	{ STORAGE "listener \"unix\" {\n address = \"/s\"\n tls_require_and_verify_client_cert = true\n}\n", 6, "cannot be had: a unix socket has no TLS" },
	{ STORAGE "listener \"unix\" {\n address = \"/s\"\n x_forwarded_for_authorized_addrs = \"::1\"\n}\n", 6, "cannot be had: a unix socket has no addresses" },
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
	{ GOOD SEAL("env://BULLA_TEST_NONE"), 10, "\"current_key\": the environment variable BULLA_TEST_NONE is not set" },
	{ GOOD SEAL("env://BULLA_TEST_EMPTY"), 10, "\"current_key\": the environment variable BULLA_TEST_EMPTY is empty" },
	{ GOOD SEAL("env://"), 10, "is not set" },
	{ GOOD SEAL("env:BULLA_TEST_EMPTY"), 10, "must be 32 bytes" },
	{ GOOD SEAL("ENV://BULLA_TEST_EMPTY"), 10, "must be 32 bytes" },
	{ GOOD SEAL("string://" "abc"), 10, "must be 32 bytes" },
	{ STORAGE UNIX("socket_user = \"no-such-user\""), 6, "\"socket_user\": there is no user \"no-such-user\"" },
	{ STORAGE UNIX("socket_group = \"no-such-group\""), 6, "\"socket_group\": there is no group \"no-such-group\"" },
	{ STORAGE UNIX("socket_user = \"-1\""), 6, "there is no user" },
	{ STORAGE UNIX("socket_user = -1"), 6, "there is no user" },
	{ STORAGE UNIX("socket_user = 4294967295"), 6, "there is no user" },
	{ STORAGE UNIX("socket_group = \"99999999999999999999\""), 6, "there is no group" },
	{ STORAGE UNIX("socket_group = \" root\""), 6, "there is no group" },
	{ STORAGE UNIX("socket_group = [\"root\"]"), 6, "must be a name or a number" },
	{ STORAGE UNIX("socket_group = true"), 6, "must be a name or a number" },
	{ GOOD "seal \"static\" {\n current_key_id = \"a\"\n current_key = \"" HEX32 "\"\n}\nseal \"static\" {\n}\n", 12, "a second seal" },
	{ GOOD "broken", 8, "= or { is missing" },
};

START_TEST(refuses)
{
	struct bulla_call call = call_begin();
	struct server_config config = { 0 };
	char wanted[128];

	if (bad[_i].line > 0)
		snprintf(wanted, sizeof wanted, "%s:%u:", path, bad[_i].line);
	else /* about the file as a whole */
		snprintf(wanted, sizeof wanted, "%s: ", path);
	ck_assert_err(read_text(&call, bad[_i].text, &config), BULLA_E_CONFIG);
	const char *detail = (const char *)call.detail.ptr;

	const char *said = strstr(detail, wanted);

	ck_assert_msg(said != NULL && strstr(said, bad[_i].says) != NULL, "%s", detail);
	ck_assert_uint_eq(config.listener_count, 0);
	call_end(&call);
}
END_TEST

START_TEST(refuses_unreadable)
{
	struct bulla_call call = call_begin();
	struct server_config config;

	const char *const paths[] = { "/no/such", folder };

	ck_assert_err(read_files(&call, paths, 1, &config), BULLA_E_CONFIG);
	ck_assert_str_eq((const char *)call.detail.ptr, "/no/such: No such file or directory");
	(void)unlink(path);
	ck_assert_err(read_files(&call, paths + 1, 1, &config), BULLA_E_CONFIG);
	ck_assert_ptr_nonnull(strstr((const char *)call.detail.ptr, "no file *.hcl or *.json in this folder"));
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
	ck_assert(!is_said(false, "0600"));
	write_file(key_path, keys[_i].content, keys[_i].len, 0644);
	ck_assert_ok(read_text(&call, text, &config));
	ck_assert(is_said(false, "0600"));
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

/* ---- all that is wrong, and what is only odd --------------------------------------------------------------------- */

START_TEST(tells_all_errors)
{
	struct bulla_call call = call_begin();
	struct server_config c = { 0 };
	static const char *const said[] = {
		":1:1: unknown key \"uii\"", ":2:1: unknown log_level", ":4:2: unknown key \"adress\"", ":5:2: \"address\" must be host:port",
		":6:2: \"socket_mode\"", ":8:1: unknown seal awskms", ":10:1: \"entropy\" cannot be had", ":12:1: unknown key \"api_address\"",
	};

	ck_assert_err(read_text(&call, "uii = 1\nlog_level = \"loud\"\nlistener \"tcp\" {\n adress = \"a\"\n address = \"x\"\n socket_mode = 1\n}\n"
				"seal \"awskms\" {\n}\nentropy \"seal\" {\n}\napi_address = \"x\"\n", &c), BULLA_E_CONFIG);
	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
		ck_assert_msg(i == 4 || is_said(true, said[i]), "%s: %s", said[i], (const char *)call.detail.ptr);
	ck_assert(is_said(false, "\"socket_mode\" does nothing here: it is for listener \"unix\""));
	ck_assert(is_said(true, "no storage") && is_said(true, "needs tls_cert_file"));
	ck_assert(!is_said(true, "no listener")); /* there is one, if a bad one */
	ck_assert_ptr_nonnull(strstr((const char *)call.detail.ptr, "\n"));
	call_end(&call);
}
END_TEST

/* However many there are, memory and message are bounded. */
START_TEST(counts_what_is_too_much)
{
	enum { LINES = 3000 };
	struct bulla_call call = call_begin();
	struct server_config c = { 0 };
	char *text = malloc(LINES * 8 + 1), *to = text;

	ck_assert_ptr_nonnull(text);
	for (int i = 0; i < LINES; i++)
		to += sprintf(to, "x = 1\n");
	ck_assert_err(read_text(&call, text, &c), BULLA_E_CONFIG);
	ck_assert_ptr_nonnull(strstr((const char *)call.detail.ptr, "\nand 2002 more errors and warnings"));
	free(text);
	call_end(&call);
}
END_TEST

#define INNER(line) STORAGE "listener \"tcp\" {\n tls_disable = true\n " line "\n}\n"
static const struct {
	const char *text, *warns, *errs; /* NULL: nothing of the kind */
} known[] = {
	{ GOOD "ui = true\n", ":8:1: \"ui\" does nothing here: there is no user interface", NULL },
	{ GOOD "UI = true\n", "\"UI\" does nothing here", NULL },
	{ GOOD "cluster_addr = \"https://a:8201\"\ndisable_clustering = 1\ncache_size = 131072\ndisable_sealwrap = true\n", "cache_size", NULL },
	{ GOOD "plugin_directory = \"/p\"\nplugin_file_permissions = \"0600\"\n", "there are no plugins", NULL },
	{ GOOD "plugin \"secret\" \"x\" {\n command = \"y\"\n anything = 1\n}\n", "there are no plugins", NULL },
	{ GOOD "telemetry {\n statsd_address = \"a:1\"\n disable_hostname = true\n lease_metrics_epsilon = 0.5\n}\n", "there are no metrics", NULL },
	{ GOOD "telemetry = { prometheus_retention_time = \"30s\" }\n", "there are no metrics", NULL },
	{ GOOD "service_registration \"consul\" {\n address = \"a\"\n}\n", "registers itself nowhere", NULL },
	{ GOOD "ha_storage \"consul\" {\n address = \"a\"\n}\n", "\"ha_storage\"", NULL },
	{ GOOD "license_path = \"/l\"\n", "no licence", NULL },
	{ GOOD "initialize \"a\" {\n request \"b\" {\n operation = \"update\"\n }\n}\n", "operator init", NULL },
	{ GOOD "disable_printable_check = true\n", NULL, "\"disable_printable_check\" cannot be had" },
	{ GOOD "disable_printable_check = false\n", NULL, NULL },
	{ GOOD "disable_printable_check = \"0\"\n", NULL, NULL },
	{ GOOD "disable_printable_check = \"maybe\"\n", NULL, "disable_printable_check" },
	{ GOOD "entropy \"seal\" {\n mode = \"augmentation\"\n}\n", NULL, "\"entropy\" cannot be had" },
	{ GOOD "sentinel {\n}\n", NULL, "\"sentinel\" cannot be had" },
	{ GOOD "seal \"awskms\" {\n region = \"x\"\n}\n", NULL, "unknown seal awskms" },
	{ GOOD "hsm \"pkcs11\" {\n}\n", NULL, "unknown seal pkcs11" },
	{ GOOD "kms \"transit\" {\n}\n", NULL, "unknown seal transit" },
	{ GOOD "seal \"shamir\" {\n}\n", NULL, NULL },
	{ GOOD "seal \"static\" {\n current_key_id = \"a\"\n current_key = \"" HEX32 "\"\n previous_key_id = \"b\"\n disabled = false\n}\n",
	  "previous_key_id", NULL },
	{ GOOD "seal \"static\" {\n current_key_id = \"a\"\n current_key = \"" HEX32 "\"\n disabled = true\n}\n", NULL, "from one seal to another" },
	{ GOOD "user_lockout \"ldap\" {\n lockout_threshold = 3\n}\n", "no such method", NULL },
	{ GOOD "log_requests_level = \"debug\"\nraw_storage_endpoint = true\n", "raw_storage_endpoint", NULL },
	{ INNER("cluster_address = \"a:1\""), ":6:2: \"cluster_address\" does nothing here", NULL },
	{ INNER("telemetry {\n unauthenticated_metrics_access = true\n }"), "\"telemetry\" does nothing here", NULL },
	{ INNER("telemetry {\n metrics_only = true\n }"), "telemetry", "\"metrics_only\" cannot be had" },
	{ INNER("telemetry {\n open = true\n }"), "telemetry", "unknown key \"open\"" },
	{ INNER("role = \"metrics_only\""), NULL, "\"role\" cannot be had" },
	{ INNER("role = \"default\""), NULL, NULL },
	{ INNER("require_request_header = true"), NULL, "X-Vault-Request" },
	{ INNER("x_forwarded_for_client_cert_header = \"X-C\""), NULL, "client certificates are not taken from a header" },
	{ INNER("tls_acme_domains = [\"a\"]"), NULL, "ACME" },
	{ INNER("tls_key_exchange_preferences = [\"x25519mlkem768\"]"), NULL, "key exchanges" },
	{ INNER("redact_version = true"), NULL, "redact_version" },
	{ INNER("redact_version = false"), NULL, NULL },
	{ INNER("disable_unauthed_rekey_endpoints = true"), NULL, NULL },
	{ INNER("disable_unauthed_rekey_endpoints = false"), "sys/rekey is not there", NULL },
	{ INNER("http_idle_timeout = \"5m\""), "limits of its own", NULL },
	{ INNER("profiling {\n unauthenticated_pprof_access = true\n }\n inflight_requests_logging {\n unauthenticated_in_flight_requests_access = true\n }"),
	  "\"profiling\"", NULL },
	{ INNER("tls_cert_file = \"/no/such\"\n tls_key_file = \"/no/such\"\n tls_min_version = \"tls13\"\n tls_client_ca_file = \"/no\""),
	  "this listener has no TLS", NULL },
	{ INNER("tls_require_and_verify_client_cert = true"), NULL, "tls_disable contradicts" },
	{ INNER("tls_require_and_verify_client_cert = false"), NULL, NULL },
	{ STORAGE "listener \"tcp\" {\n" PEMS " tls_min_version = \"tls10\"\n}\n", "nothing below tls12", NULL },
	{ "storage \"raft\" {\n path = \"/no/such\"\n node_id = \"a\"\n retry_join {\n leader_api_addr = \"b\"\n }\n}\n" LISTENER,
	  "joins nobody", NULL },
	{ "storage \"file\" {\n path = \"/no/such\"\n paht = 1\n}\n" LISTENER, "taken for", "unknown key \"paht\"" },
	{ STORAGE "listener \"tcp\" {\n address = \"{{ GetPrivateIP }}:8200\"\n tls_disable = true\n}\n", NULL, "templates are not filled in" },
};

START_TEST(knows_the_peers_keys)
{
	struct bulla_call call = call_begin();
	struct server_config c = { 0 };
	enum bulla_err err = read_text(&call, known[_i].text, &c);
	size_t warnings = 0;

	for (const struct config_finding *f = findings; f != NULL; f = f->next)
		warnings += !f->is_error;
	ck_assert_msg((err == BULLA_E_CONFIG) == (known[_i].errs != NULL), "%s: %s", known[_i].text, (const char *)call.detail.ptr);
	ck_assert_msg((warnings > 0) == (known[_i].warns != NULL), "%s", known[_i].text);
	if (known[_i].errs != NULL)
		ck_assert_msg(is_said(true, known[_i].errs), "%s", (const char *)call.detail.ptr);
	if (known[_i].warns != NULL)
		ck_assert_msg(is_said(false, known[_i].warns), "%s", findings->text);
	call_end(&call);
}
END_TEST

/* ---- the ways to write the same ----------------------------------------------------------------------------------- */

#define JSON_LISTENER "{\"address\": \"127.0.0.1:1\", \"tls_disable\": true}"
static const struct {
	const char *text;
	size_t listeners;
} shapes[] = {
	{ "{\"storage\": {\"sqlite\": {\"path\": \"/x/b.db\"}}, \"listener\": {\"tcp\": " JSON_LISTENER "}}", 1 },
	{ "{\"storage\": [{\"sqlite\": {\"path\": \"/x/b.db\"}}], \"listener\": [{\"tcp\": " JSON_LISTENER "}, {\"tcp\": " JSON_LISTENER "}]}", 2 },
	{ "{\"storage\": {\"sqlite\": [{\"path\": \"/x/b.db\"}]}, \"listener\": {\"tcp\": [" JSON_LISTENER ", " JSON_LISTENER "]}}", 2 },
	{ "{\"backend\": {\"sqlite\": {\"path\": \"/x/b.db\"}}, \"listener\": {\"tcp\": " JSON_LISTENER ", \"unix\": {\"address\": \"/s\"}}}", 2 },
	{ "{\"storage\": {\"sqlite\": {\"path\": \"/x/b.db\"}}, \"listener\": {\"tcp\": " JSON_LISTENER "}, \"listener\": {\"tcp\": " JSON_LISTENER "}}", 2 },
	{ "{\"storage\": {\"SQLite\": {\"path\": \"/x/b.db\"}}, \"listener\": [{\"type\": \"TCP\", \"address\": \"127.0.0.1:1\", \"tls_disable\": 1}]}", 1 },
	{ "{\"storage\": {\"sqlite\": {\"path\": \"/x/b.db\"}}, \"telemetry\": [{\"disable_hostname\": true}], \"ui\": null, \"max_request_size\": 3.3554432e+07,"
	  " \"listener\": [{\"tcp\": {\"tls_disable\": 1, \"telemetry\": {\"unauthenticated_metrics_access\": true}}}]}", 1 },
	{ "storage = { sqlite = { path = \"/x/b.db\" } }\nlistener { type = \"tcp\" address = \"127.0.0.1:1\" tls_disable = \"T\" }\n", 1 },
	{ "\"storage\" \"sqlite\" { path = \"/x/b.db\" }\nListener \"tcp\" { Address = \"127.0.0.1:1\" TLS_disable = 1 }\n", 1 },
};

START_TEST(reads_all_shapes)
{
	struct bulla_call call = call_begin();
	struct server_config c = { 0 };
	enum bulla_err err = read_text(&call, shapes[_i].text, &c);

	ck_assert_msg(err == BULLA_OK, "%s: %s", shapes[_i].text, (const char *)call.detail.ptr);
	ck_assert_str_eq(c.storage_path, "/x/b.db");
	ck_assert_uint_eq(c.listener_count, shapes[_i].listeners);
	ck_assert(!c.listeners[0].tls && !c.listeners[0].is_unix);
	call_end(&call);
}
END_TEST

START_TEST(refuses_odd_shapes)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "{\"listener\": 5}", "\"listener\" must be a block" },
		{ "{\"listener\": [5]}", "\"listener\" must be a block" },
		{ "{\"listener\": {\"tcp\": [5]}}", "unknown listener" },
		{ "{\"listener\": {\"tcp\": [{}, 5]}}", "must be a block" },
		{ "{\"listener\": {\"tcp\": \"x\"}}", "unknown listener" },
		{ "{\"listener\": {}}", "unknown listener" },
		{ "{\"listener\": []}", "no listener" },
		{ "{\"storage\": {\"sqlite\": {\"path\": \"a\"}, \"inmem\": {}}}", "a second storage" },
		{ "{\"seal\": {\"awskms\": {\"region\": \"x\"}}}", "unknown seal awskms" },
		{ "{\"ui\": true, \"ui\": false, \"log_level\": \"info\", \"LOG_LEVEL\": \"warn\"}", "\"LOG_LEVEL\" is given twice" },
		{ "{\"audit\": {\"file\": {\"main\": {\"options\": {\"file_path\": [\"x\"]}}}}}", "option \"file_path\" must be a string" },
		{ "{\"audit\": {\"http\": {\"main\": {}}}}", "unknown audit device" },
		{ "listener \"tcp\" \"x\" {\n}\n", "\"listener\" takes 1 label" },
		{ "audit \"file\" \"main\" {\n}\naudit \"file\" \"main/\" {\n}\n", "two audit devices at" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bulla_call call = call_begin();
		struct server_config c = { 0 };

		ck_assert_err(read_text(&call, cases[i].text, &c), BULLA_E_CONFIG);
		ck_assert_msg(is_said(true, cases[i].says), "%s: %s", cases[i].text, (const char *)call.detail.ptr);
		call_end(&call);
	}
}
END_TEST

START_TEST(reads_audit_devices_in_json)
{
	static const char *const texts[] = {
		"\"audit\": {\"file\": {\"main\": {\"options\": {\"file_path\": \"/a\"}}}}",
		"\"audit\": [{\"file\": {\"main\": {\"options\": [{\"file_path\": \"/a\"}]}}}]",
		"\"audit\": [{\"file\": [{\"main\": [{\"options\": {\"file_path\": \"/a\"}}]}]}]",
		"\"audit\": [{\"type\": \"file\", \"path\": \"main\", \"options\": {\"file_path\": \"/a\"}}]",
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct bulla_call call = call_begin();
		struct server_config c = { 0 };
		char text[512];

		snprintf(text, sizeof text, "{\"storage\": {\"inmem\": {}}, \"listener\": {\"tcp\": " JSON_LISTENER "}, %s}", texts[i]);
		enum bulla_err err = read_text(&call, text, &c);

		ck_assert_msg(err == BULLA_OK, "%s: %s", text, (const char *)call.detail.ptr);
		ck_assert_uint_eq(c.audit_count, 1);
		ck_assert_bytes(c.audit[0].type, "file");
		ck_assert_bytes(c.audit[0].path, "main");
		ck_assert_bytes(c.audit[0].options[0].value, "/a");
		call_end(&call);
	}
}
END_TEST

/* ---- several files ------------------------------------------------------------------------------------------------- */

static const char *sibling(const char *name)
{
	static char to[96];

	snprintf(to, sizeof to, "%s/%s", folder, name);
	return to;
}

static void write_sibling(const char *name, const char *text)
{
	write_file(sibling(name), text, strlen(text), 0600);
}

static void remove_siblings(void)
{
	static const char *const names[] = { "b.hcl", "1.hcl", "2.json", "3.hcl~", ".#4.hcl", "#5.hcl#", "6.txt" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		(void)unlink(sibling(names[i]));
	(void)rmdir(sibling("7.hcl"));
}

#define LATER "{\"log_level\": \"warning\", \"api_addr\": \"http://b\", \"max_lease_ttl\": \"1h\", \"default_lease_ttl\": \"30m\", \"disable_mlock\": false," \
	"\"cluster_name\": \"\", \"storage\": {\"sqlite\": {\"path\": \"/later\"}}, \"listener\": {\"unix\": {\"address\": \"/s\"}}," \
	"\"user_lockout\": {\"all\": {\"lockout_threshold\": 9}}}"

static void ck_merged(const struct server_config *c)
{
	ck_assert_int_eq(c->log_level, LOG_LEVEL_WARN);          /* of texts the later */
	ck_assert_str_eq(c->api_addr, "http://b");
	ck_assert_str_eq(c->cluster_name, "first");              /* an empty one is none */
	ck_assert_int_eq(c->max_lease_ttl_s, 7200);              /* of durations the longer */
	ck_assert_int_eq(c->default_lease_ttl_s, 1800);
	ck_assert(c->disable_mlock);                             /* of switches that which is on */
	ck_assert_str_eq(c->storage_path, "/later");
	ck_assert_uint_eq(c->listener_count, 2);
	ck_assert_int_eq(c->lockout.all.threshold, 9);
	ck_assert_int_eq(c->lockout.all.duration_s, 0);
}

START_TEST(merges_files)
{
	struct bulla_call call = call_begin();
	struct server_config c = { 0 };
	char first[96], second[96];
	const char *const paths[] = { first, second }, *const here[] = { folder }, *const both[] = { first, folder };

	remove_siblings();
	strcpy(first, sibling("1.hcl"));
	strcpy(second, sibling("2.json"));
	write_sibling("1.hcl", GOOD "log_level = \"debug\"\napi_addr = \"http://a\"\ncluster_name = \"first\"\nmax_lease_ttl = \"2h\"\ndisable_mlock = true\n"
		      "user_lockout \"all\" {\n lockout_threshold = 3\n lockout_duration = \"1m\"\n}\n");
	write_sibling("2.json", LATER);
	write_sibling("3.hcl~", "broken");
	write_sibling(".#4.hcl", "broken");
	write_sibling("#5.hcl#", "broken");
	write_sibling("6.txt", "broken");
	ck_assert_int_eq(mkdir(sibling("7.hcl"), 0700), 0);
	ck_assert_ok(read_files(&call, paths, 2, &c));
	ck_merged(&c);
	ck_assert_ok(read_files(&call, here, 1, &c));
	ck_merged(&c);
	ck_assert_ok(read_files(&call, both, 2, &c)); /* the file is one of the folder's: once */
	ck_assert(is_said(false, "is read once, with its folder"));
	ck_merged(&c);
	write_sibling("2.json", "{\"uii\": 1, \"seal\": {\"static\": {}}}");
	write_sibling("1.hcl", STORAGE "uiii = 1\n");
	ck_assert_err(read_files(&call, here, 1, &c), BULLA_E_CONFIG);
	ck_assert(is_said(true, "/1.hcl:4:1: unknown key \"uiii\"") && is_said(true, "/2.json:1:2: unknown key \"uii\""));
	ck_assert(is_said(true, "no listener"));
	remove_siblings();
	call_end(&call);
}
END_TEST

/* ---- defaults and words ----------------------------------------------------------------------------------------------- */

START_TEST(takes_nothing_for_the_default)
{
	struct bulla_call call = call_begin();
	struct server_config c = { 0 };

	ck_assert_ok(read_text(&call, GOOD "max_lease_ttl = 0\ndefault_lease_ttl = \"0\"\nmax_request_size = 0\nmax_request_duration = \"0s\"\n"
			       "max_request_memory = 0\npid_file = \"\"\napi_addr = \"\"\nlog_file = \"\"\nlog_level = \"\"\nlog_format = \"\"\n"
			       "disable_mlock = \"\"\ndefault_max_request_duration = \"40s\"\n", &c));
	ck_assert_int_eq(c.max_lease_ttl_s, 0);
	ck_assert_int_eq(c.default_lease_ttl_s, 0);
	ck_assert_int_eq(c.max_request_bytes, 0);
	ck_assert_int_eq(c.max_request_s, 40); /* the peers' name for where listeners say nothing */
	ck_assert(c.pid_file == NULL && c.api_addr == NULL && c.log_file == NULL && !c.disable_mlock);
	ck_assert_int_eq(c.log_level, LOG_LEVEL_INFO);
	call_end(&call);
}
END_TEST

START_TEST(takes_the_peers_words)
{
	static const struct {
		const char *word;
		int level;
	} words[] = {
		{ "trace", LOG_LEVEL_TRACE }, { "DEBUG", LOG_LEVEL_DEBUG }, { "Info", LOG_LEVEL_INFO }, { "notice", LOG_LEVEL_INFO },
		{ "warn", LOG_LEVEL_WARN }, { "WARNING", LOG_LEVEL_WARN }, { "err", LOG_LEVEL_ERROR }, { " error ", LOG_LEVEL_ERROR },
		{ "fatal", -1 }, { "off", -1 }, { "warns", -1 }, { "warn ing", -1 },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		enum log_level level = LOG_LEVEL_TRACE;

		ck_assert_msg(log_level_parse(words[i].word, &level) == (words[i].level >= 0), "%s", words[i].word);
		if (words[i].level >= 0)
			ck_assert_int_eq(level, words[i].level);
	}
	bool json = false;

	ck_assert(log_format_parse("JSON", &json) && json && log_format_parse(" standard", &json) && !json && !log_format_parse("xml", &json));
}
END_TEST

START_TEST(takes_the_peers_folders)
{
	struct bulla_call call = call_begin();
	struct server_config c = { 0 };
	char text[256], raft[64];

	snprintf(text, sizeof text, "storage \"raft\" {\n path = \"%s\"\n node_id = \"n\"\n}\n" LISTENER, folder);
	ck_assert_ok(read_text(&call, text, &c));
	ck_assert_str_eq(c.storage_folder, folder);
	ck_assert_str_eq(c.storage_path + strlen(folder), "/bulla.db");
	snprintf(raft, sizeof raft, "%s/vault.db", folder);
	write_file(raft, "", 0, 0600);
	ck_assert_err(read_text(&call, text, &c), BULLA_E_CONFIG); /* whose server would seem empty */
	ck_assert(is_said(true, "vault.db is data of another server"));
	(void)unlink(raft);
	call_end(&call);
}
END_TEST

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

START_TEST(owners)
{
	static const struct {
		const char *text;
		bool user, group;
		unsigned uid, gid;
	} good[] = {
		{ STORAGE UNIX(""), false, false, 0, 0 },
		{ STORAGE UNIX("socket_user = \"\"\n socket_group = \"\""), false, false, 0, 0 },
		{ STORAGE UNIX("socket_user = \"root\""), true, false, 0, 0 },
		{ STORAGE UNIX("socket_group = \"root\"\n socket_user = 0"), true, true, 0, 0 },
		{ STORAGE UNIX("socket_user = \"4711\"\n socket_group = 4294967294"), true, true, 4711, 4294967294 },
	};
	struct bulla_call call = call_begin();
	struct server_config config = { 0 };

	ck_assert_ok(read_text(&call, good[_i].text, &config));
	const struct listener *l = &config.listeners[0];

	ck_assert(l->user.given == good[_i].user && l->group.given == good[_i].group);
	ck_assert_uint_eq(l->user.id, good[_i].uid);
	ck_assert_uint_eq(l->group.id, good[_i].gid);
	call_end(&call);
}
END_TEST

/* Each form of a key in the environment: it is decoded, and gone from there, also from where it stood. */
START_TEST(keys_in_the_environment)
{
	static const char *const forms[] = { HEX32, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", HEX32 "\n", "\x01\x02" "0123456789abcdef0123456789abcd" };
	struct bulla_call call = call_begin();
	struct server_config config = { 0 };

	ck_assert_int_eq(setenv("BULLA_TEST_KEY", forms[_i], 1), 0);
	const char *stood = getenv("BULLA_TEST_KEY");
	size_t len = strlen(stood);

	ck_assert_ok(read_text(&call, GOOD SEAL("env://BULLA_TEST_KEY"), &config));
	ck_assert_uint_eq(config.seal.key.len, 32);
	ck_assert_uint_eq(config.seal.key.ptr[1], _i == 3 ? 2 : 1);
	ck_assert_ptr_null(getenv("BULLA_TEST_KEY"));
	for (size_t i = 0; i < len; i++)
		ck_assert_int_eq(stood[i], 0);
	/* read again, as on SIGHUP: nothing is missing, and another variable is */
	config = (struct server_config){ 0 };
	ck_assert_ok(read_text(&call, GOOD SEAL("env://BULLA_TEST_KEY"), &config));
	ck_assert_int_eq(config.seal.kind, BULLA_SEAL_STATIC);
	ck_assert_uint_eq(config.seal.key.len, 0);
	ck_assert_err(read_text(&call, GOOD SEAL("env://BULLA_TEST_KEYS"), &config), BULLA_E_CONFIG);
	call_end(&call);
}
END_TEST

/* A value that is none is named nowhere, and is gone, too. */
START_TEST(no_key_in_the_environment)
{
	struct bulla_call call = call_begin();
	struct server_config config = { 0 };

	ck_assert_int_eq(setenv("BULLA_TEST_KEY", "sesame-open", 1), 0);
	ck_assert_err(read_text(&call, GOOD SEAL("env://BULLA_TEST_KEY"), &config), BULLA_E_CONFIG);
	ck_assert(is_said(true, "must be 32 bytes"));
	ck_assert_ptr_null(strstr((const char *)call.detail.ptr, "sesame"));
	ck_assert_ptr_null(getenv("BULLA_TEST_KEY"));
	call_end(&call);
	call = call_begin();
	config = (struct server_config){ 0 };
	ck_assert_ok(read_text(&call, GOOD SEAL("string://" HEX32), &config));
	ck_assert_uint_eq(config.seal.key.ptr[31], 0x1f);
	call_end(&call);
}
END_TEST

START_TEST(proxies)
{
	static const struct {
		const char *text;
		enum proxying_behavior behavior;
		size_t count;
		bool warns;
	} good[] = {
		{ STORAGE PROXIED(""), PROXYING_NEVER, 0, false },
		{ STORAGE PROXIED("use_always"), PROXYING_ALWAYS, 0, false },
		{ STORAGE PROXIED("use_always\"\n proxy_protocol_authorized_addrs = \"10.0.0.1"), PROXYING_ALWAYS, 1, true },
		{ STORAGE PROXIED("\"\n proxy_protocol_authorized_addrs = \"10.0.0.1"), PROXYING_NEVER, 1, true },
		{ STORAGE PROXIED("allow_authorized\"\n proxy_protocol_authorized_addrs = \"10.0.0.1, 2001:db8::/32"), PROXYING_ALLOW, 2, false },
		{ STORAGE PROXIED("deny_unauthorized\"\n proxy_protocol_authorized_addrs = [\"10.0.0.0/8\", \"::1\", \"1.2.3.4\"]\n purpose = \""),
		  PROXYING_DENY, 3, false },
	};
	struct bulla_call call = call_begin();
	struct server_config config = { 0 };

	ck_assert_ok(read_text(&call, good[_i].text, &config));
	ck_assert_int_eq(config.listeners[0].proxying.behavior, good[_i].behavior);
	ck_assert_uint_eq(config.listeners[0].proxying.authorized_count, good[_i].count);
	ck_assert(is_said(false, "proxy_protocol_authorized_addrs") == good[_i].warns);
	call_end(&call);
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
	(void)setenv("BULLA_TEST_EMPTY", "", 1);
	tcase_add_loop_test(tc, proxies, 0, 6);
	tcase_add_loop_test(tc, owners, 0, 5);
	tcase_add_loop_test(tc, keys_in_the_environment, 0, 4);
	tcase_add_test(tc, no_key_in_the_environment);
	tcase_add_loop_test(tc, refuses, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(tc, refuses_unreadable);
	tcase_add_test(tc, keeps_keys_to_itself);
	tcase_add_loop_test(tc, reads_key_files, 0, sizeof keys / sizeof keys[0]);
	tcase_add_test(tc, reads_everything);
	tcase_add_test(tc, reads_lockouts);
	tcase_add_test(tc, has_safe_defaults);
	tcase_add_test(tc, tells_all_errors);
	tcase_add_test(tc, counts_what_is_too_much);
	tcase_add_loop_test(tc, knows_the_peers_keys, 0, sizeof known / sizeof known[0]);
	tcase_add_loop_test(tc, reads_all_shapes, 0, sizeof shapes / sizeof shapes[0]);
	tcase_add_test(tc, refuses_odd_shapes);
	tcase_add_test(tc, reads_audit_devices_in_json);
	tcase_add_test(tc, merges_files);
	tcase_add_test(tc, takes_nothing_for_the_default);
	tcase_add_test(tc, takes_the_peers_words);
	tcase_add_test(tc, takes_the_peers_folders);
	tcase_add_test(tc, reads_sizes);
	suite_add_tcase(suite, tc);
	int status = unit_main(suite);

	(void)unlink(path);
	(void)unlink(key_path);
	(void)rmdir(folder);
	return status;
}
