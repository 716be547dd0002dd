/* Keys, encryption and export of a transit mount: refusals first, then what works. */
#include "pipeline.h"

#define LISTED(text) "{\"errors\":[\"1 error occurred:\\n\\t* " text "\\n\\n\"]}"
#define PLAIN(text) "{\"errors\":[\"" text "\"]}"
#define HELLO "\"aGVsbG8=\""
#define TOO_OLD "ciphertext or signature version is disallowed by policy (too old)"

static const struct step absent[] = {
	{ "GET transit/keys/none", .status = 404, .expect = "{\"errors\":[]}" },
	{ "LIST transit/keys", .status = 404, .expect = "{\"errors\":[]}" },
	{ "POST transit/decrypt/none", "{\"ciphertext\":\"vault:v1:AAAA\"}", .status = 400, .expect = PLAIN("encryption key not found") },
	{ "POST transit/rewrap/none", "{\"ciphertext\":\"vault:v1:AAAA\"}", .status = 400, .expect = PLAIN("encryption key not found") },
	{ "POST transit/keys/none/config", "{\"deletion_allowed\":true}", .status = 400, .expect = PLAIN("no existing key named none could be found") },
	{ "DELETE transit/keys/none", .status = 400, .expect = PLAIN("error deleting policy none: could not delete key; not found") },
	{ "POST transit/keys/none/rotate", .status = 400 },
	{ "POST transit/keys/none/trim", "{\"min_available_version\":1}", .status = 400 },
	{ "GET transit/export/encryption-key/none", .status = 404, .expect = "{\"errors\":[]}" },
	{ "GET transit/backup/none", .status = 500, .expect = LISTED("key \\\"none\\\" not found") },
	{ "POST transit/restore", "{}", .status = 400, .expect = PLAIN("'backup' must be supplied") },
	{ "POST transit/restore", "{\"backup\":\"e30=\"}", .status = 500 }, /* {} */
	{ "POST transit/restore/none", "{\"backup\":\"eyJwb2xpY3kiOm51bGx9\"}", .status = 500 }, /* {"policy":null} */
	{ "POST transit/restore/a/b", "{\"backup\":\"eyJwb2xpY3kiOnt9fQ==\"}", .status = 500, .expect = LISTED("key names cannot be paths") },
	{ "LIST transit/keys", .status = 404, .expect = "{\"errors\":[]}" },
	{ NULL },
};

static const struct step bad_input[] = {
	{ "POST transit/keys/k", "{\"type\":\"nonsense\"}", .status = 400, .expect = PLAIN("unknown key type nonsense") },
	{ "POST transit/keys/k", "{\"type\":[\"x\"]}", .status = 400 }, { "POST transit/keys/k", "{\"derived\":2}", .status = 400 },
	{ "POST transit/keys/k", "{\"auto_rotate_period\":\"soon\"}", .status = 400 },
	{ "GET transit/keys/k", .status = 404 }, /* nothing was made */
	{ "POST transit/keys/k", .status = 200, .expect = "{\"data\":{\"name\":\"k\",\"type\":\"aes256-gcm96\",\"latest_version\":1}}" },
	{ "POST transit/encrypt/k", "{}", .status = 400, .expect = PLAIN("missing plaintext to encrypt") },
	{ "POST transit/encrypt/k", .status = 400, .expect = PLAIN("missing plaintext to encrypt") },
	{ "POST transit/encrypt/k", "{\"plaintext\":\"aGVs!\"}", .status = 400, .expect = PLAIN("illegal base64 data at input byte 4") },
	{ "POST transit/encrypt/k", "{\"plaintext\":\"aGVsbG8\"}", .status = 400 },
	{ "POST transit/encrypt/k", "{\"plaintext\":" HELLO ",\"key_version\":-1}", .status = 400 },
	{ "POST transit/encrypt/k", "{\"plaintext\":" HELLO ",\"key_version\":2}", .status = 400 },
	{ "POST transit/encrypt/k", "{\"plaintext\":" HELLO ",\"key_version\":\"x\"}", .status = 400,
	  .expect = PLAIN("error converting input for field \\\"key_version\\\": '' cannot parse value as 'int': strconv.ParseInt: invalid syntax") },
	{ "POST transit/encrypt/k", "{\"batch_input\":[]}", .status = 400, .expect = PLAIN("missing batch input to process") },
	{ "POST transit/encrypt/k", "{\"batch_input\":\"x\"}", .status = 500 }, { "POST transit/encrypt/k", "{\"batch_input\":{}}", .status = 500 },
	{ "POST transit/decrypt/k", "{}", .status = 400, .expect = PLAIN("missing ciphertext to decrypt") },
	{ "POST transit/decrypt/k", "{\"ciphertext\":\"x\"}", .status = 400, .expect = PLAIN("invalid ciphertext: no prefix") },
	{ "POST transit/decrypt/k", "{\"ciphertext\":\"vault:v1:\"}", .status = 400 },
	{ "POST transit/decrypt/k", "{\"ciphertext\":\"vault:v1:AAAA\"}", .status = 400 },
	{ "POST transit/decrypt/k", "{\"ciphertext\":\"vault:v1:!!!!\"}", .status = 400, .expect = PLAIN("invalid ciphertext: could not decode base64") },
	{ "POST transit/decrypt/k", "{\"ciphertext\":\"vault:v0:AAAA\"}", .status = 400, .expect = PLAIN("invalid ciphertext length") },
	{ "POST transit/decrypt/k", "{\"ciphertext\":\"vault:v2:AAAA\"}", .status = 400 },
	{ "POST transit/decrypt/k", "{\"ciphertext\":\"vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", .status = 400,
	  .expect = PLAIN("cipher: message authentication failed") },
	{ "POST transit/keys/k/config", "{\"min_decryption_version\":9}", .status = 400 },
	{ "POST transit/keys/k/trim", "{\"min_available_version\":9}", .status = 400 },
	{ "GET transit/export/encryption-key/k", .status = 400, .expect = PLAIN("private key material is not exportable") },
	{ "GET transit/export/nonsense/k", .status = 400 }, { "DELETE transit/keys/k", .status = 400 },
	{ "POST transit/encrypt/k", "{\"plaintext\":" HELLO ",\"associated_data\":\"!\"}", .status = 500 },
	{ "GET transit/keys?list=true&limit=x", .status = 400 },
	{ NULL },
};

static const struct step life[] = {
	{ "POST transit/keys/cards", "{\"exportable\":true}", .status = 200 },
	{ "POST transit/encrypt/cards", "{\"plaintext\":" HELLO "}", .status = 200, .expect = "{\"data\":{\"key_version\":1},\"warnings\":null,\"auth\":null}",
	  .save = "one=data.ciphertext" },
	{ "PUT transit/keys/cards/rotate", .status = 200, .expect = "{\"data\":{\"latest_version\":2}}" },
	{ "PUT transit/encrypt/cards", "{\"plaintext\":" HELLO "}", .status = 200, .expect = "{\"data\":{\"key_version\":2}}", .save = "two=data.ciphertext" },
	{ "POST transit/decrypt/cards", "{\"ciphertext\":\"$one\"}", .status = 200, .expect = "{\"data\":{\"plaintext\":" HELLO "}}" },
	{ "POST transit/decrypt/cards", "{\"ciphertext\":\"$two\"}", .status = 200, .expect = "{\"data\":{\"plaintext\":" HELLO "}}" },
	{ "POST transit/rewrap/cards", "{\"ciphertext\":\"$one\"}", .status = 200, .expect = "{\"data\":{\"key_version\":2}}", .save = "three=data.ciphertext" },
	{ "POST transit/decrypt/cards", "{\"ciphertext\":\"$three\"}", .status = 200, .expect = "{\"data\":{\"plaintext\":" HELLO "}}" },
	{ "GET transit/export/encryption-key/cards", .status = 200, .expect = "{\"data\":{\"name\":\"cards\",\"keys\":{\"1\":\"%any\",\"2\":\"%any\"}}}" },
	{ "POST transit/keys/cards/config", "{\"allow_plaintext_backup\":true}", .status = 200 },
	{ "GET transit/backup/cards", .status = 200, .save = "backup=data.backup" },
	{ "POST transit/restore/copy", "{\"backup\":\"$backup\"}", .status = 204 },
	{ "POST transit/restore/copy", "{\"backup\":\"$backup\"}", .status = 500, .expect = LISTED("key \\\"copy\\\" already exists") },
	{ "POST transit/restore/copy", "{\"backup\":\"$backup\",\"force\":true}", .status = 204 },
	{ "GET transit/keys/copy", .status = 200, .expect = "{\"data\":{\"latest_version\":2,\"restore_info\":{\"version\":2}}}" },
	{ "POST transit/decrypt/copy", "{\"ciphertext\":\"$one\"}", .status = 200, .expect = "{\"data\":{\"plaintext\":" HELLO "}}" },
	{ "POST transit/keys/copy/config", "{\"deletion_allowed\":true}", .status = 200 }, { "DELETE transit/keys/copy", .status = 204 },
	{ "POST transit/restore", "{\"backup\":\"$backup\",\"force\":true}", .status = 204 }, /* over cards itself */
	{ "GET transit/export/encryption-key/cards/latest", .status = 200, .absent = "data.keys.1" },
	{ "POST transit/keys/cards/config", "{\"min_decryption_version\":2}", .status = 200, .expect = "{\"data\":{\"min_decryption_version\":2}}", .absent = "data.keys.1" },
	{ "POST transit/decrypt/cards", "{\"ciphertext\":\"$one\"}", .status = 400, .expect = PLAIN(TOO_OLD) },
	{ "POST transit/keys/cards/config", "{\"min_encryption_version\":2}", .status = 200 },
	{ "POST transit/keys/cards/trim", "{\"min_available_version\":2}", .status = 200, .expect = "{\"data\":{\"min_available_version\":2}}" },
	{ "LIST transit/keys", .status = 200, .expect = "{\"data\":{\"keys\":[\"cards\"]}}" },
	{ "DELETE transit/keys/cards/soft-delete", .status = 200, .expect = "{\"data\":{\"soft_deleted\":true}}" },
	{ "POST transit/encrypt/cards", "{\"plaintext\":" HELLO "}", .status = 400, .expect = PLAIN("refusing to use soft-deleted key") },
	{ "POST transit/keys/cards/soft-delete-restore", .status = 200, .expect = "{\"data\":{\"soft_deleted\":false}}" },
	{ "POST transit/decrypt/cards", "{\"ciphertext\":\"$two\"}", .status = 200, .expect = "{\"data\":{\"plaintext\":" HELLO "}}" },
	{ "POST transit/keys/cards/config", "{\"deletion_allowed\":\"true\"}", .status = 200 },
	{ "DELETE transit/keys/cards", .status = 204, .expect = "" },
	{ "GET transit/keys/cards", .status = 404, .expect = "{\"errors\":[]}" },
	{ "POST transit/decrypt/cards", "{\"ciphertext\":\"$two\"}", .status = 400, .expect = PLAIN("encryption key not found") },
	{ NULL },
};

static const struct step batches[] = {
	{ "POST transit/encrypt/b", "{\"batch_input\":[{\"plaintext\":" HELLO ",\"reference\":\"r\"},{\"plaintext\":\"\"}]}", .status = 200,
	  .expect = "{\"data\":{\"batch_results\":[{\"ciphertext\":\"%any\",\"key_version\":1,\"reference\":\"r\"},{\"reference\":\"\"}]}}",
	  .save = "one=data.batch_results.0.ciphertext" },
	{ "POST transit/encrypt/b", "{\"batch_input\":[{\"plaintext\":" HELLO "},{\"plaintext\":\"!\"}]}", .status = 400,
	  .expect = "{\"data\":{\"batch_results\":[{\"key_version\":1},{\"error\":\"illegal base64 data at input byte 0\",\"reference\":\"\"}]}}" },
	{ "POST transit/encrypt/b", "{\"partial_failure_response_code\":207,\"batch_input\":[{\"plaintext\":" HELLO "},{\"plaintext\":\"!\"}]}", .status = 207 },
	{ "POST transit/decrypt/b", "{\"batch_input\":[{\"ciphertext\":\"$one\"},{\"ciphertext\":\"x\"}]}", .status = 400,
	  .expect = "{\"data\":{\"batch_results\":[{\"plaintext\":" HELLO "},{\"plaintext\":\"\",\"error\":\"invalid ciphertext: no prefix\"}]}}" },
	{ "POST transit/rewrap/b", "{\"batch_input\":[{\"ciphertext\":\"$one\"},{\"ciphertext\":\"x\"}]}", .status = 200 },
	{ NULL },
};

static const struct step contexts[] = {
	{ "POST transit/keys/c", "{}", .status = 200 },
	{ "POST transit/encrypt/c", "{\"plaintext\":" HELLO ",\"encryption_context\":{\"a\":\"1\",\"b\":\"2\"}}", .status = 200, .save = "one=data.ciphertext" },
	{ "POST transit/decrypt/c", "{\"ciphertext\":\"$one\"}", .status = 400, .expect = PLAIN("cipher: message authentication failed") },
	{ "POST transit/decrypt/c", "{\"ciphertext\":\"$one\",\"encryption_context\":{\"a\":\"2\",\"b\":\"1\"}}", .status = 400 },
	{ "POST transit/decrypt/c", "{\"ciphertext\":\"$one\",\"encryption_context\":{\"b\":\"2\",\"a\":\"1\"}}", .status = 200,
	  .expect = "{\"data\":{\"plaintext\":" HELLO "}}" },
	{ "POST transit/encrypt/c", "{\"plaintext\":" HELLO ",\"encryption_context\":{\"a\":1}}", .status = 400 },
	{ "POST transit/encrypt/c", "{\"plaintext\":" HELLO ",\"encryption_context\":\"a\"}", .status = 400 },
	{ "POST transit/encrypt/c", "{\"plaintext\":" HELLO ",\"associated_data\":\"YWFk\"}", .status = 200, .save = "two=data.ciphertext" },
	{ "POST transit/decrypt/c", "{\"ciphertext\":\"$two\",\"associated_data\":\"YWFl\"}", .status = 400 },
	{ "POST transit/decrypt/c", "{\"ciphertext\":\"$two\",\"associated_data\":\"YWFk\"}", .status = 200 },
	{ "POST transit/rewrap/c", "{\"ciphertext\":\"$two\",\"decrypt_associated_data\":\"YWFk\",\"associated_data\":\"bmV3\"}", .status = 200, .save = "three=data.ciphertext" },
	{ "POST transit/decrypt/c", "{\"ciphertext\":\"$three\",\"associated_data\":\"YWFk\"}", .status = 400 },
	{ "POST transit/decrypt/c", "{\"ciphertext\":\"$three\",\"associated_data\":\"bmV3\"}", .status = 200 },
	{ NULL },
};

#define CONTEXT "\"encryption_context\":{\"a\":\"1\"}"
#define OLD_CONTEXT "\"decrypt_encryption_context\":{\"a\":\"1\"}"
#define BESIDE .status = 400, .expect = PLAIN("encryption_context belongs into the items of batch_input")

/* A context beside batch_input would bind nothing: it is refused, of every form but null, and nothing is done. */
static const struct step beside[] = {
	{ "POST transit/keys/d", "{}", .status = 200 },
	{ "POST transit/encrypt/d", "{" CONTEXT ",\"batch_input\":[{\"plaintext\":" HELLO "}]}", BESIDE },
	{ "POST transit/encrypt/d", "{" CONTEXT ",\"batch_input\":[{\"plaintext\":" HELLO "," CONTEXT "}]}", BESIDE },
	{ "POST transit/encrypt/d", "{\"batch_input\":[{\"plaintext\":" HELLO "}],\"encryption_context\":{}}", BESIDE },
	{ "POST transit/encrypt/d", "{\"batch_input\":[{\"plaintext\":" HELLO "}],\"encryption_context\":\"a\"}", BESIDE },
	{ "POST transit/encrypt/d", "{\"batch_input\":[{\"plaintext\":\"!\"}]," CONTEXT "}", BESIDE },
	{ "POST transit/encrypt/new", "{" CONTEXT ",\"batch_input\":[{\"plaintext\":" HELLO "}]}", BESIDE },
	{ "GET transit/keys/new", .status = 404 },
	{ "POST transit/encrypt/d", "{" CONTEXT ",\"batch_input\":[{\"plaintext\":" HELLO "}]}", .token = "bad", .status = 403 },
	{ "POST transit/encrypt/d", "{" CONTEXT ",\"batch_input\":[]}", .status = 400, .expect = PLAIN("missing batch input to process") },
	{ "POST transit/encrypt/d", "{\"encryption_context\":null,\"batch_input\":[{\"plaintext\":" HELLO "}]}", .status = 200 },
	{ "POST transit/encrypt/d", "{\"batch_input\":[{\"plaintext\":" HELLO "," CONTEXT "}]}", .status = 200,
	  .save = "ct=data.batch_results.0.ciphertext" },
	{ "POST transit/encrypt/d", "{" CONTEXT ",\"plaintext\":" HELLO ",\"batch_input\":null}", .status = 200 },
	/* the peer's fields stay silent there */
	{ "POST transit/encrypt/d", "{\"key_version\":7,\"context\":\"x\",\"associated_data\":\"!\",\"batch_input\":[{\"plaintext\":" HELLO "}]}",
	  .status = 200 },
	{ "POST transit/decrypt/d", "{" CONTEXT ",\"batch_input\":[{\"ciphertext\":\"$ct\"}]}", BESIDE },
	{ "POST transit/decrypt/d", "{" CONTEXT ",\"batch_input\":[{\"ciphertext\":\"$ct\"," CONTEXT "}]}", BESIDE },
	{ "POST transit/decrypt/d", "{\"batch_input\":[{\"ciphertext\":\"$ct\"," CONTEXT "}]}", .status = 200 },
	{ "POST transit/rewrap/d", "{" CONTEXT ",\"batch_input\":[{\"ciphertext\":\"$ct\"}]}", BESIDE },
	{ "POST transit/rewrap/d", "{" OLD_CONTEXT ",\"batch_input\":[{\"ciphertext\":\"$ct\"}]}", BESIDE },
	{ "POST transit/rewrap/d", "{\"batch_input\":[{\"ciphertext\":\"$ct\"," CONTEXT "}],\"decrypt_encryption_context\":{}}", BESIDE },
	{ "POST transit/rewrap/d", "{\"batch_input\":[{\"ciphertext\":\"$ct\"," OLD_CONTEXT "}],\"decrypt_encryption_context\":null}", .status = 200 },
	/* where there is none, it is told of as every unknown field */
	{ "POST transit/hmac/d", "{" CONTEXT ",\"batch_input\":[{\"input\":" HELLO "}]}", .status = 200,
	  .expect = "{\"warnings\":[\"Endpoint ignored these unrecognized parameters: [encryption_context]\"]}" },
	{ "POST transit/datakey/wrapped/d", "{" CONTEXT ",\"batch_input\":[{}]}", .status = 200,
	  .expect = "{\"warnings\":[\"Endpoint ignored these unrecognized parameters: [batch_input]\"]}" },
	{ NULL },
};

/* Settings for all keys of a mount. */
static const struct step settings[] = {
	{ "GET transit/cache-config", .status = 200, .expect = "{\"data\":{\"size\":0}}" }, { "GET transit/config/keys", .status = 200, .expect = "{\"data\":{\"disable_upsert\":false}}" },
	{ "POST transit/cache-config", "{\"size\":9}", .status = 400, .expect = PLAIN("size must be 0 or a value greater or equal to 10") },
	{ "POST transit/cache-config", "{\"size\":-1}", .status = 400 }, { "POST transit/cache-config", "{\"size\":\"x\"}", .status = 400 }, { "POST transit/cache-config", "{\"size\":1.5}", .status = 400 },
	{ "POST transit/cache-config", "{\"size\":{}}", .status = 400 }, { "POST transit/config/keys", "{\"disable_upsert\":\"x\"}", .status = 400 },
	{ "POST transit/config/keys", "{\"disable_upsert\":true}", .token = "", .status = 403 }, { "DELETE transit/config/keys", .status = 405 }, { "GET transit/config", .status = 404 },
	{ "POST transit/cache-config", "{\"size\":\"500\"}", .status = 200, .expect = "{\"data\":{\"size\":500},\"warnings\":null}" }, { "GET transit/cache-config", .status = 200, .expect = "{\"data\":{\"size\":500}}" },
	{ "PUT transit/config/keys", "{\"disable_upsert\":true,\"x\":1}", .status = 200, .expect = "{\"data\":{\"disable_upsert\":true},\"warnings\":[\"Endpoint ignored these unrecognized parameters: [x]\"]}" },
	/* encrypt obeys, other mounts do not, and tuning leaves it as it is */
	{ "POST transit/encrypt/up", "{\"plaintext\":\"aGk=\"}", .status = 400, .expect = PLAIN("encryption key not found") },
	{ "POST transit/encrypt/up", "{\"batch_input\":[{\"plaintext\":\"aGk=\"}]}", .status = 400, .expect = PLAIN("encryption key not found") },
	{ "POST transit/encrypt/up", "{\"plaintext\":\"aGk=\",\"type\":\"nope\"}", .status = 400, .expect = PLAIN("unknown key type nope") }, { "GET transit/keys/up", .status = 404 },
	{ "POST sys/mounts/free", "{\"type\":\"transit\"}", .status = 204 }, { "POST free/encrypt/up", "{\"plaintext\":\"aGk=\"}", .status = 200 },
	{ "POST sys/mounts/transit/tune", "{\"description\":\"d\"}", .status = 204 }, { "GET transit/config/keys", .status = 200, .expect = "{\"data\":{\"disable_upsert\":true}}" },
	{ "GET transit/cache-config", .status = 200, .expect = "{\"data\":{\"size\":500}}" },
	{ "POST sys/remount", "{\"from\":\"transit\",\"to\":\"moved\"}", .status = 200 }, { "GET moved/config/keys", .status = 200, .expect = "{\"data\":{\"disable_upsert\":true}}" },
	{ "POST moved/config/keys", .status = 200, .expect = "{\"data\":{\"disable_upsert\":false}}" }, { "POST moved/cache-config", "null", .status = 200, .expect = "{\"data\":{\"size\":0}}" },
	{ "POST moved/encrypt/up", "{\"plaintext\":\"aGk=\"}", .status = 200 },
	{ NULL },
};

START_TEST(cases)
{
	static const struct step *const lists[] = { absent, bad_input, life, batches, contexts, beside, settings };

	pipeline_begin();
	pipeline_run(lists[_i]);
	ck_assert_str_eq(pipeline_log, "");
	pipeline_end();
}
END_TEST

Suite *transit_suite(void)
{
	Suite *suite = suite_create("pipeline/transit");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, cases, 0, 7);
	suite_add_tcase(suite, tc);
	return suite;
}
