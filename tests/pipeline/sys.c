/* sys/: initialising, unsealing, sealing, status, mounts, capabilities. Refusals first. */
#include <stdio.h>

#include "pipeline.h"

#define PLAIN(text) "{\"errors\":[\"" text "\"]}"
#define DENIED PLAIN("permission denied")
#define REFUSED "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}"
#define EMPTY "{\"errors\":[]}"
#define FORBIDDEN 403

/* The edge: open to everyone, strict about methods and paths. */
static const struct step edge[] = {
	{ "GET sys/seal", .status = 405, .expect = EMPTY }, { "GET sys/unseal", .token = "", .status = 405, .expect = EMPTY },
	{ "POST sys/health", "{bad", .token = "", .status = 405, .expect = EMPTY }, { "PUT sys/seal-status", .token = "", .status = 405, .expect = EMPTY },
	{ "DELETE sys/init", .token = "", .status = 405, .expect = EMPTY }, { "POST sys/leader", .token = "", .status = 405, .expect = EMPTY },
	{ "OPTIONS sys/health", .token = "", .status = 405, .expect = EMPTY }, { "HEAD sys/seal-status", .status = 405 },
	{ "PATCH sys/health", .token = "", .status = 405, .expect = EMPTY }, { "FOO sys/health", .token = "", .status = 405, .expect = EMPTY },
	{ "GET sys/health/", .token = "", .status = FORBIDDEN, .expect = DENIED }, { "GET sys/init/", .status = 404 },
	{ "PUT sys/init/", .token = "", .status = 400, .expect = PLAIN("cannot write to a path ending in '/'") },
	{ "GET sys/health?activecode=abc", .token = "", .status = 400, .expect = EMPTY },
	{ "GET sys/health", .token = "", .namespace = "foo", .status = 400, .expect = PLAIN("operation unavailable in namespaces") },
	{ "PUT sys/seal", .token = "", .status = FORBIDDEN, .expect = DENIED }, { "PUT sys/seal", .token = "bad", .status = FORBIDDEN },
	{ "GET sys/seal", .namespace = "foo", .status = 400 }, { "POST sys/seal-status", .namespace = "foo", .status = 405 },
	{ "LIST sys/init", .token = "", .status = 405, .expect = EMPTY }, { "SCAN sys/health", .wrap_ttl = "x", .status = 405 },
	{ "PUT sys/unseal", "{bad", .token = "", .status = 400 }, { "PUT sys/unseal", .token = "", .status = 400 },
	{ "PUT sys/unseal", "{\"key\":\"!\"}", .token = "", .status = 400 },
	{ "PUT sys/init", "{\"secret_shares\":1,\"secret_threshold\":1}", .token = "", .status = 400, .expect = PLAIN("Vault is already initialized") },
	/* and what is answered */
	{ "GET sys/health", .token = "", .status = 200, .expect = "{\"initialized\":true,\"sealed\":false,\"version\":\"1.2.3\"}", .absent = "request_id" },
	{ "GET sys/health?activecode=202", .token = "bad", .wrap_ttl = "60", .status = 202 }, { "HEAD sys/health", .token = "", .status = 200 },
	{ "GET sys/seal-status", .token = "", .namespace = "foo", .status = 200, .expect = "{\"type\":\"shamir\",\"sealed\":false,\"t\":1,\"n\":1}" },
	{ "GET sys/leader", .token = "", .namespace = "foo", .status = 200, .expect = "{\"ha_enabled\":false}" },
	{ "GET sys/init", .token = "", .status = 200, .expect = "{\"initialized\":true}" },
	{ "GET sys/init?list=true", .token = "", .status = 200 }, { "GET sys/leader?list=yes", .token = "", .status = 200 },
	{ NULL },
};

static const struct step birth[] = {
	{ "GET sys/health", .token = "", .status = 501, .expect = "{\"initialized\":false,\"sealed\":true}" },
	{ "GET sys/init", .token = "", .status = 200, .expect = "{\"initialized\":false}" },
	{ "PUT sys/unseal", "{\"key\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}", .token = "", .status = 400 },
	{ "PUT sys/init", .token = "", .status = 400 }, { "PUT sys/init", "{\"secret_shares\":1,\"secret_threshold\":2}", .token = "", .status = 400 },
	{ "PUT sys/init", "{\"secret_shares\":\"x\"}", .token = "", .status = 400 },
	{ "GET sys/mounts", .status = 503 }, { "PUT sys/seal", .status = 503 },
	{ "PUT sys/init", "{\"secret_shares\":3,\"secret_threshold\":2}", .token = "", .status = 200, .save = "k1=keys_base64.0" },
	{ "PUT sys/init", "{\"secret_shares\":3,\"secret_threshold\":2}", .token = "", .status = 400, .expect = PLAIN("Vault is already initialized") },
	{ "GET sys/health", .token = "", .status = 503, .expect = "{\"initialized\":true,\"sealed\":true}" },
	{ "GET sys/health?sealedcode=299", .token = "", .status = 299 },
	{ "PUT sys/unseal", "{\"key\":\"$k1\"}", .token = "", .status = 200, .expect = "{\"sealed\":true,\"t\":2,\"progress\":1}" },
	{ "PUT sys/unseal", "{\"reset\":true}", .token = "", .status = 200, .expect = "{\"sealed\":true,\"progress\":0}" },
	{ NULL },
};

static const struct step seal_and_unseal[] = {
	{ "POST transit/keys/k", .status = 200 },
	{ "POST transit/encrypt/k", "{\"plaintext\":\"aGk=\"}", .status = 200, .save = "ct=data.ciphertext" },
	{ "PUT sys/seal", .status = 204, .expect = "" },
	{ "POST transit/decrypt/k", "{\"ciphertext\":\"$ct\"}", .status = 503, .expect = PLAIN("Vault is sealed") },
	{ "GET sys/seal-status", .token = "", .status = 200, .expect = "{\"sealed\":true,\"initialized\":true}", .absent = "cluster_id" },
	{ "PUT sys/seal", .status = 503 },
	{ "PUT sys/unseal", "{\"key\":\"$unseal\"}", .token = "", .status = 200, .expect = "{\"sealed\":false}" },
	{ "PUT sys/unseal", "{\"reset\":true}", .token = "", .status = 400 },
	{ "POST transit/decrypt/k", "{\"ciphertext\":\"$ct\"}", .status = 200, .expect = "{\"data\":{\"plaintext\":\"aGk=\"}}" },
	{ NULL },
};

static const struct step mounts[] = {
	{ "GET sys/mounts", .token = "", .status = FORBIDDEN, .expect = DENIED }, { "POST sys/mounts", "{\"type\":\"transit\"}", .status = 405 },
	{ "POST sys/mounts/", "{\"type\":\"transit\"}", .status = 400 }, { "POST sys/mounts/sys", "{\"type\":\"transit\"}", .status = 400 },
	{ "POST sys/mounts/transit", "{\"type\":\"transit\"}", .status = 400, .expect = PLAIN("path is already in use at transit/") },
	{ "POST sys/mounts/x", "{\"type\":\"nonsense\"}", .status = 400, .expect = PLAIN("plugin not found in the catalog: nonsense") },
	{ "POST sys/mounts/x", "{\"type\":\"transit\",\"config\":{\"default_lease_ttl\":\"x\"}}", .status = 400 },
	{ "GET sys/mounts/x", .status = 400, .expect = PLAIN("No secret engine mount at x/") }, { "DELETE sys/mounts/sys", .status = 400 },
	{ "POST sys/mounts/x/tune", "{\"default_lease_ttl\":\"1h\"}", .status = 400 }, { "GET sys/mounts/x/tune", .status = 400 },
	{ "POST sys/remount", "{\"from\":\"x\",\"to\":\"y\"}", .status = 400 }, { "GET sys/mounts/", .status = 404 },
	{ "GET sys/internal/ui/mounts/x", .token = "", .status = FORBIDDEN }, { "GET sys/internal/ui/mounts", .token = "bad", .status = FORBIDDEN },
	{ "GET x/keys/k", .status = 404, .expect = PLAIN("no handler for route \\\"x/keys/k\\\". route entry not found.") },
	/* several at once, each its own keyring; they move with their keys */
	{ "POST sys/mounts/team/a", "{\"type\":\"transit\",\"description\":\"mine\"}", .status = 204, .expect = "" },
	{ "POST team/a/keys/k", .status = 200 }, { "GET transit/keys/k", .status = 404 },
	{ "POST team/a/encrypt/k", "{\"plaintext\":\"aGk=\"}", .status = 200, .save = "ct=data.ciphertext" },
	{ "GET sys/plugins/catalog", .status = 200,
	  .expect = "{\"data\":{\"auth\":[\"approle\",\"cert\",\"jwt\",\"userpass\"],\"secret\":[\"transit\"]}}", .absent = "data.database" },
	{ "GET sys/plugins/catalog/", .status = 200 }, { "LIST sys/plugins/catalog/auth", .status = 200 },
	{ "LIST sys/plugins/catalog/secret", .status = 200, .expect = "{\"data\":{\"keys\":[\"transit\"]}}" },
	{ "LIST sys/plugins/catalog/database", .status = 404, .refuses_always = true },
	{ "GET sys/plugins/catalog/auth/jwt", .status = 200, .expect = "{\"data\":{\"builtin\":true,\"name\":\"jwt\",\"version\":\"%any\"}}" },
	{ "GET sys/plugins/catalog/secret/transit", .status = 200 }, { "GET sys/plugins/catalog/secret/jwt", .status = 404 },
	{ "GET sys/plugins/catalog/database/mysql", .status = 404, .refuses_always = true }, { "GET sys/plugins/catalog/transit", .status = 200 },
	{ "POST sys/plugins/catalog/auth/x", "{\"sha256\":\"aa\",\"command\":\"a\"}", .status = 400, .refuses_always = true },
	{ "POST sys/plugins/catalog/secret/x", "{\"sha256\":\"zz\",\"command\":\"a\"}", .status = 400, .refuses_always = true },
	{ "POST sys/plugins/catalog/database/x", "{}", .status = 400, .refuses_always = true }, { "POST sys/plugins/catalog/x", "{\"version\":\"1.\"}", .status = 400, .refuses_always = true },
	{ "DELETE sys/plugins/catalog/auth/jwt", .status = 204 }, { "DELETE sys/plugins/catalog/secret/transit", .status = 204 },
	{ "DELETE sys/plugins/catalog/database/x", .status = 204 }, { "DELETE sys/plugins/catalog/x", .status = 200 },
	{ "GET sys/plugins/catalog/auth/jwt", .status = 200 },
	{ "PUT sys/plugins/reload/backend", "{\"mounts\":[\"nosuch\"]}", .status = 400 },
	{ "PUT sys/plugins/reload/backend", "{\"plugin\":\"transit\"}", .status = 200, .expect = "{\"data\":{\"reload_id\":\"%any\"}}" },
	{ "GET sys/internal/counters/tokens", .status = 200, .expect = "{\"data\":{\"counters\":{\"service_tokens\":{\"total\":1}}}}" },
	{ "GET sys/internal/counters/entities", .status = 200 }, { "GET sys/internal/counters/requests", .status = 404, .refuses_always = true },
	{ "GET sys/leases?type=irrevocable", .status = 200, .expect = "{\"data\":{\"lease_count\":0,\"leases\":[]}}" },
	{ "GET sys/leases/count?type=irrevocable", .status = 200 }, { "GET sys/leases?type=irrevocable&limit=0", .status = 500 },
	{ "GET sys/mounts", .status = 200, .expect = "{\"team/a/\":{\"type\":\"transit\"},\"data\":{\"team/a/\":{\"description\":\"mine\"},\"sys/\":\"%any\"}}" },
	{ "GET sys/mounts/team/a", .status = 200, .expect = "{\"type\":\"transit\",\"data\":{\"type\":\"transit\"}}" },
	{ "POST sys/mounts/team/a/tune", "{\"default_lease_ttl\":\"30m\"}", .status = 204 },
	{ "GET sys/mounts/team/a/tune", .status = 200, .expect = "{\"default_lease_ttl\":1800,\"data\":{\"default_lease_ttl\":1800}}" },
	{ "GET sys/internal/ui/mounts", .token = "", .status = 200, .expect = "{\"data\":{\"secret\":{}}}" },
	{ "GET sys/internal/ui/mounts/team/a", .status = 200, .expect = "{\"data\":{\"path\":\"team/a/\"}}" },
	{ "POST sys/remount", "{\"from\":\"team/a\",\"to\":\"moved\"}", .status = 200, .save = "id=data.migration_id" },
	{ "GET sys/remount/status/$id", .status = 200 },
	{ "POST moved/decrypt/k", "{\"ciphertext\":\"$ct\"}", .status = 200, .expect = "{\"data\":{\"plaintext\":\"aGk=\"}}" },
	{ "POST team/a/decrypt/k", "{\"ciphertext\":\"$ct\"}", .status = 404 },
	{ "DELETE sys/mounts/moved", .status = 204, .expect = "" }, { "DELETE sys/mounts/moved", .status = 204 },
	{ "POST moved/decrypt/k", "{\"ciphertext\":\"$ct\"}", .status = 404 }, { "GET sys/auth", .status = 200, .expect = "{\"data\":{\"token/\":\"%any\"}}" },
	{ "GET sys/auth/nosuch", .status = 400, .expect = PLAIN("No auth engine at nosuch/") }, { "GET sys/auth/nosuch/tune", .status = 400 },
	{ "GET sys/auth/token", .status = 200, .expect = "{\"type\":\"token\",\"data\":{\"type\":\"token\"}}" },
	{ "GET sys/auth/token/tune", .status = 200, .expect = "{\"token_type\":\"default-service\"}" },
	{ NULL },
};

static const struct step auth_mounts[] = {
	{ "POST sys/auth/a", "{\"type\":\"approle\"}", .token = "", .status = FORBIDDEN, .expect = DENIED },
	{ "POST sys/auth/a", "{}", .status = 400, .expect = PLAIN("backend type must be specified as a string") },
	{ "POST sys/auth/a", "{\"type\":\"transit\"}", .status = 400, .expect = PLAIN("plugin not found in the catalog: transit") },
	{ "POST sys/mounts/a", "{\"type\":\"approle\"}", .status = 400, .expect = PLAIN("plugin not found in the catalog: approle") },
	{ "POST sys/auth/a", "{\"type\":\"approle\",\"config\":{\"token_type\":\"x\"}}", .status = 400 },
	{ "DELETE sys/auth/token", .status = 400, .expect = PLAIN("token credential backend cannot be disabled") },
	{ "DELETE sys/mounts/auth/token", .status = 400, .expect = PLAIN("cannot unmount \\\"auth/token/\\\"") },
	{ "DELETE sys/mounts/auth/nosuch", .status = 204 },
	{ "POST sys/auth/nosuch/tune", "{\"description\":\"x\"}", .status = 400 },
	{ "POST sys/auth/a", "{\"type\":\"approle\",\"config\":{\"token_type\":\"batch\"}}", .status = 204, .expect = "" },
	{ "GET sys/auth/a", .status = 200, .expect = "{\"data\":{\"type\":\"approle\",\"config\":{\"token_type\":\"batch\"}}}" },
	{ "POST sys/auth/a/tune", "{\"user_lockout_config\":{\"lockout_threshold\":\"x\"}}", .status = 400 },
	{ "POST sys/auth/a/tune", "{\"user_lockout_config\":\"{}\"}", .status = 400,
	  .expect = PLAIN("Field validation failed: error converting input for field \\\"user_lockout_config\\\": '' expected type 'map[string]interface {}', got unconvertible type 'string'") },
	{ "POST sys/auth/a/tune", "{\"user_lockout_config\":{\"lockout_threshold\":\"3\"},\"token_type\":\"service\"}", .status = 204 },
	{ "GET sys/auth/a/tune", .status = 200, .expect = "{\"token_type\":\"service\",\"user_lockout_threshold\":3}" },
	{ "POST sys/mounts/transit/tune", "{\"token_type\":\"service\"}", .status = 400, .expect = PLAIN("'token_type' can only be modified on auth mounts") },
	{ "GET auth/a/nosuch", .status = 404 }, { "GET auth/nosuch/x", .status = 404 },
	{ "DELETE sys/auth/a", .status = 204 }, { "GET sys/auth/a", .status = 400 },
	{ NULL },
};

#define ROOT "sys/generate-root-token/"
static const struct step root_token[] = {
	{ "GET " ROOT "attempt", .token = "", .status = FORBIDDEN, .expect = DENIED }, { "POST " ROOT "update", .token = "", .status = FORBIDDEN },
	{ "GET sys/generate-root/attempt", .token = "", .status = 405, .expect = PLAIN("unsupported operation") },
	{ "PUT sys/generate-root/attempt", "{}", .status = 405 }, { "DELETE sys/generate-root/attempt", .status = 405 },
	{ "PUT sys/generate-root/update", "{}", .token = "", .status = 405 },
	{ "LIST sys/generate-root/attempt", .token = "", .root_listener = true, .status = 405, .expect = EMPTY },
	{ "GET sys/generate-root/attempt", .token = "", .root_listener = true, .namespace = "x", .status = 400 },
	{ "POST sys/decode-token", "{}", .token = "", .status = 400, .expect = PLAIN("provided 'encoded_token' or 'otp' is empty") },
	{ "POST " ROOT "attempt", "{\"otp\":\"short\"}", .status = 400, .expect = PLAIN("OTP string has incorrect length") },
	{ "POST " ROOT "attempt", "{\"pgp_key\":\"x\"}", .status = 400 },
	{ "POST " ROOT "update", "{\"key\":\"x\"}", .status = 400, .expect = PLAIN("nonce is required") },
	{ "POST " ROOT "update", "{\"nonce\":\"x\",\"key\":\"!!\"}", .status = 500 },
	{ "GET " ROOT "attempt", .status = 200, .expect = "{\"data\":{\"started\":false,\"otp\":\"\",\"otp_length\":26,\"progress\":0,\"required\":1}}", .absent = "data.nonce" },
	{ "POST " ROOT "attempt", "{}", .status = 200, .expect = "{\"data\":{\"started\":true,\"pgp_fingerprint\":\"\"}}", .save = "n=data.nonce" },
	{ "POST " ROOT "attempt", "{}", .status = 400, .expect = PLAIN("root generation already in progress for this namespace") },
	{ "POST " ROOT "update", "{\"nonce\":\"$n\",\"key\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}", .status = 500 },
	{ "POST " ROOT "update", "{\"nonce\":\"$n\",\"key\":\"$unseal\"}", .status = 200, .expect = "{\"data\":{\"complete\":true,\"progress\":1,\"required\":1,\"nonce\":\"$n\"}}" },
	{ "DELETE " ROOT "attempt", .status = 204, .expect = "" },
	/* where anybody may */
	{ "GET sys/generate-root/attempt", .token = "", .root_listener = true, .status = 200, .expect = "{\"started\":false,\"nonce\":\"\"}", .absent = "request_id" },
	{ "PUT sys/generate-root/attempt", "{}", .token = "", .root_listener = true, .status = 200, .expect = "{\"started\":true}", .save = "n=nonce" },
	{ "PUT sys/generate-root/update", "{}", .token = "", .root_listener = true, .status = 400 },
	{ "PUT sys/generate-root/update", "{\"nonce\":\"$n\",\"key\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}", .token = "", .root_listener = true, .status = 400 },
	{ "PUT sys/generate-root/update", "{\"nonce\":\"$n\",\"key\":\"$unseal\"}", .token = "", .root_listener = true, .status = 200, .expect = "{\"complete\":true,\"otp_length\":0}" },
	{ "DELETE sys/generate-root/attempt", .token = "", .root_listener = true, .status = 204 },
	{ "POST sys/decode-token", "{\"encoded_token\":\"GxE\",\"otp\":\"ab\"}", .token = "", .status = 200, .expect = "{\"data\":{\"token\":\"zs\"}}" },
	{ NULL },
};

static const struct step others[] = {
	{ "POST sys/capabilities-self", "{}", .status = 400 }, { "POST sys/capabilities-self", "{\"paths\":[\"x\"]}", .token = "", .status = FORBIDDEN },
	{ "POST sys/capabilities", "{\"paths\":[\"x\"],\"token\":\"bad\"}", .status = 400 }, { "GET sys/key-status", .token = "", .status = FORBIDDEN },
	{ "POST auth/token/create", "{\"policies\":[\"default\"]}", .status = 200, .save = "tok=auth.client_token" },
	{ "GET auth/token/lookup-self", .token = "$tok", .status = 200, .save = "acc=data.accessor" },
	{ "PUT sys/rotate", .token = "$tok", .status = FORBIDDEN, .expect = REFUSED }, { "PUT sys/seal", .token = "$tok", .status = FORBIDDEN, .expect = REFUSED },
	{ "GET sys/mounts", .token = "$tok", .status = FORBIDDEN, .expect = REFUSED }, { "GET transit/nonsense", .token = "$tok", .status = FORBIDDEN, .expect = REFUSED },
	{ "GET nowhere", .token = "$tok", .status = FORBIDDEN, .expect = REFUSED }, { "POST transit/encrypt/x", "{\"plaintext\":\"aGk=\"}", .token = "$tok", .status = FORBIDDEN, .expect = REFUSED },
	{ "HEAD auth/token/lookup-self", .token = "$tok", .status = FORBIDDEN },
	{ "POST transit/encrypt/x", "{\"plaintext\":\"aGk=\",\"key_version\":\"x\"}", .token = "$tok", .status = 400 }, /* said before it is refused */
	{ "GET transit/keys/x", .status = 404 }, /* the refused one made no key */
	{ "POST sys/capabilities-self", "{\"paths\":[\"transit/keys/x\",\"auth/token/lookup-self\"]}", .token = "$tok", .status = 200,
	  .expect = "{\"data\":{\"transit/keys/x\":[\"deny\"],\"auth/token/lookup-self\":[\"read\"]}}" },
	{ "POST sys/capabilities", "{\"paths\":[\"sys/seal\"],\"token\":\"$tok\"}", .status = 200, .expect = "{\"sys/seal\":[\"deny\"]}" },
	{ "POST sys/capabilities-accessor", "{\"paths\":[\"sys/seal\"],\"accessor\":\"$acc\"}", .status = 200, .expect = "{\"data\":{\"sys/seal\":[\"deny\"]}}" },
	{ "LIST sys/version-history", .token = "", .status = FORBIDDEN }, { "LIST sys/version-history", .token = "$tok", .status = FORBIDDEN },
	{ "GET sys/version-history", .status = 405 }, { "POST sys/version-history", "{}", .status = 405 },
	{ "LIST sys/version-history", .status = 200, .expect = "{\"data\":{\"keys\":[\"1.2.3\"],\"key_info\":{\"1.2.3\":"
	  "{\"commit_date\":\"2026-11-21T00:00:00Z\",\"previous_version\":null}}}}" },
	{ "GET sys/key-status", .status = 200, .expect = "{\"data\":{\"term\":1},\"term\":1}" }, { "PUT sys/rotate", .status = 204 },
	{ "GET sys/key-status", .status = 200, .expect = "{\"data\":{\"term\":2}}" },
	{ "POST sys/rotate/keyring", .token = "$tok", .status = FORBIDDEN }, { "POST sys/rotate/keyring", .status = 204 }, { "GET sys/key-status", .status = 200, .expect = "{\"data\":{\"term\":3}}" },
	{ "GET sys/rekey/backup", .token = "$tok", .status = FORBIDDEN, .expect = REFUSED }, { "POST sys/rekey/backup", .status = 405 },
	{ "GET sys/rekey/backup", .status = 400, .expect = PLAIN("no backed-up keys found"), .refuses_always = true }, { "DELETE sys/rekey/backup", .status = 204 },
	{ "GET sys/rekey/recovery-key-backup", .status = 400, .expect = PLAIN("no backed-up keys found"), .refuses_always = true },
	{ "DELETE sys/rekey/recovery-key-backup", .status = 204 },
	/* open paths name a wrong method in another way */
	{ "POST sys/internal/ui/mounts/transit", "{}", .status = 405, .expect = PLAIN("unsupported operation") },
	{ "DELETE sys/internal/ui/mounts/transit", .token = "", .status = 405, .expect = PLAIN("unsupported operation") },
	{ NULL },
};

#define NEEDS_ORIGIN "{\"errors\":[\"1 error occurred:\\n\\t* at least one origin or the wildcard must be provided\\n\\n\"]}"

/* tests/e2e/test_browsers.py has what browsers get, beside a real OpenBao */
static const struct step config[] = {
	{ "GET sys/config/cors", .token = "", .status = FORBIDDEN }, { "POST sys/config/cors", "{}", .token = "bad", .status = FORBIDDEN },
	{ "POST sys/config/cors", "{}", .status = 500, .expect = NEEDS_ORIGIN },
	{ "POST sys/config/cors", "{\"allowed_origins\":\"a,*\"}", .status = 500 },
	{ "POST sys/config/cors", "{\"allowed_origins\":\"*\",\"allow_credentials\":\"x\"}", .status = 400 },
	{ "POST sys/config/cors", "{\"allowed_origins\":[\"https://a\"],\"allowed_headers\":\"X-A\"}", .status = 204, .expect = "" },
	{ "GET sys/config/cors", .status = 200, .expect = "{\"data\":{\"enabled\":true,\"allowed_origins\":[\"https://a\"],\"allow_credentials\":false},"
							  "\"allowed_origins\":[\"https://a\"]}" },
	{ "DELETE sys/config/cors", .token = "", .status = FORBIDDEN }, { "DELETE sys/config/cors", .status = 204 },
	{ "GET sys/config/cors", .status = 200, .expect = "{\"data\":{\"enabled\":false}}", .absent = "data.allowed_origins" },
	{ "LIST sys/config/ui/headers", .status = 404 }, { "LIST sys/config/ui/headers", .token = "", .status = FORBIDDEN },
	{ "GET sys/config/ui/headers/x", .status = 404 }, { "POST sys/config/ui/headers/x", "{}", .status = 400, .expect = PLAIN("header and values must be specified") },
	{ "POST sys/config/ui/headers/x-VAULT-x", "{\"values\":[\"a\"]}", .status = 400, .expect = PLAIN("X-Vault headers cannot be set") },
	{ "POST sys/config/ui/headers/x-fRAME", "{\"values\":[\"a\",\"b\"]}", .status = 200, .expect = "{\"data\":null}" },
	{ "GET sys/config/ui/headers/X-FRAME", .status = 200, .expect = "{\"data\":{\"value\":\"a\"}}" },
	{ "GET sys/config/ui/headers/x-frame?multivalue=true", .status = 200, .expect = "{\"data\":{\"values\":[\"a\",\"b\"]}}" },
	{ "LIST sys/config/ui/headers", .status = 200, .expect = "{\"data\":{\"keys\":[\"X-Frame\"]}}" },
	{ "DELETE sys/config/ui/headers/x-frame", .token = "bad", .status = FORBIDDEN }, { "DELETE sys/config/ui/headers/x-frame", .status = 204 },
	{ "GET sys/config/ui/headers/x-frame", .status = 404 }, { NULL },
};

START_TEST(cases)
{
	static const struct step *const lists[] = { edge, mounts, auth_mounts, others, config };

	pipeline_begin();
	pipeline_run(lists[_i]);
	ck_assert_str_eq(pipeline_log, "");
	pipeline_end();
}
END_TEST

START_TEST(first_start)
{
	pipeline_begin_uninitialised();
	pipeline_run(birth);
	pipeline_end();
}
END_TEST

START_TEST(sealing)
{
	char text[BULLA_BASE64_LEN(64) + 1];

	pipeline_begin();
	ck_assert_uint_le(pipeline_unseal_key.len, 64);
	text[bulla_base64_encode(pipeline_unseal_key, text)] = 0;
	pipeline_save("unseal", text);
	pipeline_run(seal_and_unseal);
	pipeline_run(root_token);
	pipeline_end();
}
END_TEST

Suite *sys_suite(void)
{
	Suite *suite = suite_create("pipeline/sys");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, cases, 0, 5);
	tcase_add_test(tc, first_start);
	tcase_add_test(tc, sealing);
	suite_add_tcase(suite, tc);
	return suite;
}
