/* Keys that move in and out of a transit mount, their certificates, and keys by agreement: refusals first, then what works. What
 * is wrapped under the wrapping key is in tests/unit/transit_import.c. */
#include "pipeline.h"

#define LISTED(text) "{\"errors\":[\"1 error occurred:\\n\\t* " text "\\n\\n\"]}"
#define PLAIN(text) "{\"errors\":[\"" text "\"]}"

/* made for these tests; nobody has the private halves */
#define ED25519 \
	"-----BEGIN PUBLIC KEY-----\\n" \
	"MCowBQYDK2VwAyEA3YsN5JezTZ1cFopFsxtsSFMnCfucGubKetXOzAHi2AI=\\n" \
	"-----END PUBLIC KEY-----\\n"
#define ED25519_LEAF \
	"-----BEGIN CERTIFICATE-----\\n" \
	"MIIBMTCB5KADAgECAhQ8f61i/UJUk7TK9J+rP+aXsbUYzjAFBgMrZXAwDzENMAsG\\n" \
	"A1UEAwwEbGVhZjAgFw0yNjExMjEyMTA5NTdaGA8yMTI2MTAyODIxMDk1N1owDzEN\\n" \
	"MAsGA1UEAwwEbGVhZjAqMAUGAytlcAMhAN2LDeSXs02dXBaKRbMbbEhTJwn7nBrm\\n" \
	"ynrVzswB4tgCo1AwTjAdBgNVHQ4EFgQUj0hVEeWuZ9lNnfZpdFuYSJAtsU8wHwYD\\n" \
	"VR0jBBgwFoAUj0hVEeWuZ9lNnfZpdFuYSJAtsU8wDAYDVR0TAQH/BAIwADAFBgMr\\n" \
	"ZXADQQCS7olLe4UvbvOG5oUvYq63MWmwMmM02XxjftxaOmVV8NnAqyn5GmXnKWht\\n" \
	"CHrhCwXlxEaYcYOgyeBMdAohuNEJ\\n" \
	"-----END CERTIFICATE-----\\n"
#define P256 \
	"-----BEGIN PUBLIC KEY-----\\n" \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEWJK6+uWGuQYOS/2gptFB5biy/SXm\\n" \
	"sN2FRzN8EXUsFcvQtyDFIOdglrlL5sRW1hHxLMgpsPg8E3YkndCStCJsIA==\\n" \
	"-----END PUBLIC KEY-----\\n"
#define RSA2048 \
	"-----BEGIN PUBLIC KEY-----\\n" \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA8UvggyKyfG8SItQLu/Qj\\n" \
	"8uR32Owb22isGrn87tAlzQ/MU3uD7OAb/B2dD1KzL8lVeiymAcdwcUNlQfJm9X5y\\n" \
	"GtHh+W5/87f2If3G8mwort+JD3xYInovf8Xmaa+pVL28+29JU6zBLv25fxJf7Oti\\n" \
	"9SFuw7s8UcBNwD79jeTmKfM/+bKV77JjRtIZt5feJrtHVFNqj8ecLE9j9DksEgui\\n" \
	"V8AQ7eWrP67YxPYTth5dg/IFnZb87skjXR/zQhH3NsmqmDDH7Vy+4mPtdkZXER57\\n" \
	"vcvFO5huOe0cuzjhkQHVZdWlvkBWfTgFcU3GdPMfZz7XFOkpEpd+X5avRCD9z2x4\\n" \
	"1wIDAQAB\\n" \
	"-----END PUBLIC KEY-----\\n"

static const struct step refusals[] = {
	{ "POST transit/keys/none/import", "{}", .status = 500, .expect = LISTED("provided type does not support public_key import") },
	{ "POST transit/keys/none/import", "{\"type\":\"nonsense\"}", .status = 400, .expect = PLAIN("unknown key type: nonsense") },
	{ "POST transit/keys/none/import", "{\"ciphertext\":\"AAAA\"}", .status = 500, .expect = LISTED("provided ciphertext is too short") },
	{ "POST transit/keys/none/import", "{\"ciphertext\":\"AAAA\",\"hash_function\":\"MD5\"}", .status = 400,
	  .expect = PLAIN("unknown hash function: MD5") },
	{ "POST transit/keys/none/import", "{\"ciphertext\":\"AAAA\",\"convergent_encryption\":false}", .status = 500 },
	{ "POST transit/keys/none/import", "{\"ciphertext\":\"AAAA\",\"auto_rotate_period\":\"1h\"}", .status = 500 },
	{ "POST transit/keys/none/import", "{\"type\":\"ed25519\",\"public_key\":\"" P256 "\"}", .status = 500 },
	{ "POST transit/keys/none/import", "{\"type\":\"ed25519\",\"public_key\":\"" ED25519_LEAF "\"}", .status = 500 },
	{ "POST transit/keys/none/import", "{\"type\":\"ed25519\",\"derived\":true,\"public_key\":\"" ED25519 "\"}", .status = 500 },
	{ "POST transit/keys/none/import_version", "{\"ciphertext\":\"AAAA\"}", .status = 500,
	  .expect = LISTED("no key found with name none; to import a new key, use the import/ endpoint") },
	{ "GET transit/byok-export/none/none2", .status = 500, .expect = LISTED("no such destination key to export to") },
	{ "POST transit/keys/none/csr", "{}", .status = 400, .expect = PLAIN("key with provided name 'none' not found") },
	{ "POST transit/keys/none/set-certificate", "{}", .status = 400, .expect = PLAIN("key with provided name 'none' not found") },
	{ "POST transit/derive-key/none", "{}", .status = 400, .expect = PLAIN("peer public key not provided") },
	{ "POST transit/derive-key/none", "{\"key_derivation_algorithm\":\"dh\"}", .status = 400,
	  .expect = PLAIN("key derivation algorithm dh not supported") },
	{ "POST transit/derive-key/none", "{\"peer_public_key\":\"x\",\"base_key_name\":\"none\"}", .status = 400,
	  .expect = PLAIN("specified base key not found") },
	{ "LIST transit/keys", .status = 404 }, /* nothing was made, no wrapping key either */
	{ NULL },
};

static const struct step life[] = {
	{ "POST transit/keys/pub/import", "{\"type\":\"ed25519\",\"public_key\":\"" ED25519 "\"}", .status = 204 },
	{ "POST transit/keys/pub/import", "{\"type\":\"ed25519\",\"public_key\":\"" ED25519 "\"}", .status = 500 },
	{ "GET transit/keys/pub", .status = 200, .expect = "{\"data\":{\"imported_key\":true,\"imported_key_allow_rotation\":false,\"latest_version\":1}}" },
	{ "POST transit/keys/pub/rotate", .status = 500, .expect = LISTED("imported key pub does not allow rotation within Vault") },
	{ "POST transit/keys/pub/csr", .status = 400, .expect = PLAIN("could not create the csr: private key not imported for key version selected") },
	{ "POST transit/keys/pub/set-certificate", "{\"certificate_chain\":\"x\"}", .status = 400,
	  .expect = PLAIN("could not decode a PEM block in the certificate chain") },
	{ "POST transit/keys/pub/set-certificate", "{\"certificate_chain\":\"" ED25519 "\"}", .status = 400,
	  .expect = PLAIN("provided certificate chain did not contain any valid PEM encoded certificate") },
	{ "POST transit/keys/pub/set-certificate", "{\"certificate_chain\":\"" ED25519_LEAF ED25519_LEAF "\"}", .status = 400,
	  .expect = PLAIN("failed to persist certificate chain: certificate in the last element is not a valid CA certificate") },
	{ "POST transit/keys/pub/set-certificate", "{\"version\":2,\"certificate_chain\":\"" ED25519_LEAF "\"}", .status = 400,
	  .expect = PLAIN("failed to persist certificate chain: no such key version") },
	{ "GET transit/export/certificate-chain/pub", .status = 500 },
	{ "POST transit/keys/pub/set-certificate", "{\"certificate_chain\":\"" ED25519_LEAF "\"}", .status = 200,
	  .expect = "{\"data\":{\"name\":\"pub\",\"type\":\"ed25519\"}}" },
	{ "GET transit/export/certificate-chain/pub/1", .status = 200, .expect = "{\"data\":{\"keys\":{\"1\":\"%any\"}}}" },
	{ "POST transit/keys/pub/import_version", "{\"public_key\":\"" ED25519 "\"}", .status = 204 },
	{ "POST transit/keys/pub/import_version", "{\"public_key\":\"" ED25519 "\",\"version\":1}", .status = 500,
	  .expect = LISTED("cannot add a public key to a key version that already has a public key set") },
	{ "GET transit/keys/pub", .status = 200, .expect = "{\"data\":{\"latest_version\":2}}" },
	{ "GET transit/export/certificate-chain/pub/1", .status = 200, .expect = "{\"data\":{\"keys\":{\"1\":\"%any\"}}}" },
	{ "POST transit/keys/ec", "{\"type\":\"ecdsa-p256\"}", .status = 200 },
	{ "POST transit/keys/ec/csr", .status = 200, .expect = "{\"data\":{\"name\":\"ec\",\"type\":\"ecdsa-p256\",\"csr\":\"%any\"}}" },
	{ "POST transit/keys/ec/csr", "{\"csr\":\"" ED25519_LEAF "\"}", .status = 400 },
	{ "POST transit/keys/ec/set-certificate", "{\"certificate_chain\":\"" ED25519_LEAF "\"}", .status = 400 },
	{ "POST transit/derive-key/shared", "{\"base_key_name\":\"ec\",\"peer_public_key\":\"" ED25519 "\"}", .status = 500 },
	{ "POST transit/derive-key/shared", "{\"base_key_name\":\"ec\",\"peer_public_key\":\"" P256 "\"}", .status = 204 },
	{ "POST transit/derive-key/shared", "{\"base_key_name\":\"ec\",\"peer_public_key\":\"" P256 "\",\"derived_key_type\":\"aes128-gcm96\"}", .status = 500 },
	{ "GET transit/keys/shared", .status = 200, .expect = "{\"data\":{\"latest_version\":1,\"type\":\"aes256-gcm96\"}}" },
	{ "POST transit/keys/rsa/import", "{\"type\":\"rsa-2048\",\"public_key\":\"" RSA2048 "\"}", .status = 204 },
	{ "GET transit/byok-export/rsa/shared", .status = 400, .expect = PLAIN("key is not exportable") },
	{ "POST transit/keys/shared/config", "{\"exportable\":true}", .status = 200 },
	{ "GET transit/byok-export/ec/shared", .status = 500, .expect = LISTED("unsupported key type in use; must be a rsa key") },
	{ "GET transit/byok-export/rsa/shared?hash=MD5", .status = 500, .expect = LISTED("unknown hash function: MD5") },
	{ "GET transit/byok-export/rsa/shared", .status = 200, .expect = "{\"data\":{\"keys\":{\"1\":\"%any\"}}}" },
	{ "GET transit/byok-export/rsa/shared/9", .status = 400, .expect = PLAIN("version does not exist or cannot be found") },
	{ "GET transit/byok-export/rsa/shared/latest?hash=sha512", .status = 200, .expect = "{\"data\":{\"type\":\"aes256-gcm96\"}}" },
	{ "GET transit/wrapping_key", .status = 200, .expect = "{\"data\":{\"public_key\":\"%any\"}}", .save = "key=data.public_key" },
	{ "LIST transit/keys", .status = 200, .expect = "{\"data\":{\"keys\":[\"ec\",\"import/\",\"pub\",\"rsa\",\"shared\"]}}" },
	{ NULL },
};

START_TEST(cases)
{
	static const struct step *const lists[] = { refusals, life };

	pipeline_begin();
	pipeline_run(lists[_i]);
	ck_assert_str_eq(pipeline_log, "");
	pipeline_end();
}
END_TEST

Suite *moving_suite(void)
{
	Suite *suite = suite_create("pipeline/moving");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 180);
	tcase_add_loop_test(tc, cases, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}
