/* Random bytes, digests, HMACs, data keys and signatures: refusals first, then what works. */
#include "pipeline.h"

#define LISTED(text) "{\"errors\":[\"1 error occurred:\\n\\t* " text "\\n\\n\"]}"
#define PLAIN(text) "{\"errors\":[\"" text "\"]}"
#define HELLO "\"aGVsbG8gd29ybGQ=\""
#define REPLACED(what) \
	"\"warnings\":[\"Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [" what "]\"]"
#define NO_HASH PLAIN("unsupported encoding format b64; must be \\\"hex\\\" or \\\"base64\\\"")

static const struct step tools[] = {
	{ "POST transit/random", "{\"bytes\":0}", .status = 400, .expect = PLAIN("'bytes' cannot be less than 1") },
	{ "POST transit/random", "{\"bytes\":131073}", .status = 400, .expect = PLAIN("'bytes' should be less than 131072") },
	{ "POST transit/random", "{\"format\":\"a\\\"\\u0001\xc3\xbc\"}", .status = 400,
	  .expect = PLAIN("unsupported encoding format \\\"a\\\\\\\"\\\\x01\xc3\xbc\\\"; must be \\\"hex\\\" or \\\"base64\\\"") },
	{ "POST transit/random/5x", .status = 400,
	  .expect = PLAIN("error parsing url-set byte count: strconv.Atoi: parsing \\\"5x\\\": invalid syntax") },
	{ "POST transit/random/99999999999999999999", .status = 400,
	  .expect = PLAIN("error parsing url-set byte count: strconv.Atoi: parsing \\\"99999999999999999999\\\": value out of range") },
	{ "POST transit/random/moon/0", .status = 400, .expect = PLAIN("'bytes' cannot be less than 1") },
	{ "POST transit/random/moon/1", .status = 400,
	  .expect = PLAIN("unsupported entropy source \\\"moon\\\"; must be \\\"platform\\\" or \\\"seal\\\", or \\\"all\\\"") },
	{ "GET transit/random", .status = 405 },
	{ "POST transit/random", .status = 200, .expect = "{\"data\":{\"random_bytes\":\"%any\"}}" },
	{ "POST transit/random", "{\"source\":\"moon\",\"urlbytes\":4}", .status = 200, .expect = "{" REPLACED("source urlbytes") "}" },
	{ "POST transit/random/seal", .status = 200,
	  .expect = "{\"warnings\":[\"no seal/entropy augmentation available, using platform entropy source\"]}" },
	{ "POST transit/random/8", "{\"urlbytes\":4}", .status = 200, .expect = "{" REPLACED("urlbytes") "}" },
	{ "POST transit/random/all/16", "{\"format\":\"hex\"}", .status = 200, .expect = "{\"warnings\":null}" },
	{ "POST transit/random/-5", "{\"bytes\":1}", .status = 200 },
	{ "POST sys/tools/random", "{\"bytes\":-1}", .status = 400 }, { "POST sys/tools/random", .status = 200 },
	{ "POST sys/tools/random/4", .status = 200 }, { "POST sys/tools/random/platform/4", .status = 200 },
	{ "POST sys/tools/random/-4", .status = 200 },
	{ "POST transit/hash", "{}", .status = 400, .expect = PLAIN("input missing") },
	{ "POST transit/hash/sha1", "{\"input\":\"!\",\"format\":\"b64\"}", .status = 400,
	  .expect = PLAIN("unable to decode input as base64: illegal base64 data at input byte 0") },
	{ "POST transit/hash/sha1", "{\"input\":" HELLO ",\"format\":\"b64\"}", .status = 400, .expect = NO_HASH },
	{ "POST transit/hash/sha1", "{\"input\":" HELLO "}", .status = 400, .expect = PLAIN("unsupported algorithm sha1") },
	{ "POST transit/hash/none", "{\"input\":" HELLO "}", .status = 400, .expect = PLAIN("unsupported algorithm none") },
	{ "POST transit/hash", "{\"input\":" HELLO ",\"algorithm\":\"\"}", .status = 400, .expect = PLAIN("unsupported algorithm ") },
	{ "POST transit/hash", "{\"input\":" HELLO "}", .status = 200,
	  .expect = "{\"data\":{\"sum\":\"b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9\"}}" },
	{ "POST transit/hash/sha3-256", "{\"input\":" HELLO ",\"format\":\"base64\",\"urlalgorithm\":\"x\",\"algorithm\":\"x\"}",
	  .status = 200, .expect = "{\"data\":{\"sum\":\"ZEvMflZDcwQJmarInnYi88px+6HZcv2Uoxw7+/JOOTg=\"}," REPLACED("urlalgorithm") "}" },
	{ "POST sys/tools/hash", .status = 200,
	  .expect = "{\"data\":{\"sum\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}}" },
	{ "POST sys/tools/hash/sha2-384", "{\"input\":\"\"}", .status = 200 },
	{ NULL },
};



static const struct step hmacs[] = {
	{ "POST transit/hmac/h/zz", "{\"input\":\"!\",\"key_version\":-1}", .status = 400, .expect = PLAIN("encryption key not found") },
	{ "POST transit/hmac/h", "{\"batch_input\":3}", .status = 400, .expect = PLAIN("encryption key not found") },
	{ "POST transit/keys/h", .status = 200 },
	{ "POST transit/hmac/h/zz", "{\"input\":\"!\",\"key_version\":-1}", .status = 400,
	  .expect = PLAIN("key version does not exist (cannot be negative)") },
	{ "POST transit/hmac/h/zz", "{\"input\":\"!\",\"key_version\":2}", .status = 400,
	  .expect = PLAIN("key version does not exist; latest key version is 1") },
	{ "POST transit/hmac/h/zz", "{\"batch_input\":3}", .status = 400, .expect = PLAIN("unsupported algorithm '\\\\x00'") },
	{ "POST transit/hmac/h/none", "{\"batch_input\":3}", .status = 400, .expect = PLAIN("algorithm cannot be none") },
	{ "POST transit/hmac/h", "{\"batch_input\":3}", .status = 500,
	  .expect = LISTED("failed to parse batch input: '' source data must be an array or slice, got string") },
	{ "POST transit/hmac/h", "{\"batch_input\":{}}", .status = 500,
	  .expect = LISTED("failed to parse batch input: '' source data must be an array or slice, got map") },
	{ "POST transit/hmac/h", "{\"batch_input\":[]}", .status = 400, .expect = PLAIN("missing batch input to process") },
	{ "POST transit/hmac/h", "{\"batch_input\":[5,{\"z\":[1],\"input\":true},\"x\"]}", .status = 500,
	  .expect = LISTED("failed to parse batch input: decoding failed due to the following error(s):\\n\\n"
			   "'[0]' expected type 'transit.batchRequestHMACItem', got unconvertible type 'json.Number'\\n"
			   "'[1][input]' expected type 'string', got unconvertible type 'bool'\\n"
			   "'[1][z]' expected type 'string', got unconvertible type '[]interface {}'\\n"
			   "'[2]' expected type 'transit.batchRequestHMACItem', got unconvertible type 'string'") },
	{ "POST transit/hmac/h", .status = 400, .expect = PLAIN("missing input for HMAC") },
	{ "POST transit/hmac/h", "{\"input\":\"!\"}", .status = 400,
	  .expect = PLAIN("unable to decode input as base64: illegal base64 data at input byte 0") },
	{ "POST transit/hmac/h", "{\"input\":" HELLO ",\"urlalgorithm\":\"x\"}", .status = 200, .expect = "{" REPLACED("urlalgorithm") "}",
	  .save = "mac=data.hmac" },
	{ "POST transit/hmac/h/sha2-256", "{\"input\":" HELLO ",\"key_version\":1}", .status = 200, .expect = "{\"data\":{\"hmac\":\"$mac\"}}" },
	{ "POST transit/hmac/h", "{\"batch_input\":[null,{\"input\":\"!\",\"reference\":7},{\"input\":" HELLO ",\"INPUT\":\"\"}]}", .status = 200,
	  .expect = "{\"data\":{\"batch_results\":[{\"error\":\"missing input for HMAC\",\"reference\":\"\"},"
		    "{\"error\":\"unable to decode input as base64: illegal base64 data at input byte 0\",\"reference\":\"7\"},"
		    "{\"hmac\":\"$mac\",\"reference\":\"\"}]}}" },
	{ "POST transit/keys/h/rotate", .status = 200 },
	{ "POST transit/keys/h/config", "{\"min_encryption_version\":2}", .status = 200 },
	{ "POST transit/hmac/h", "{\"input\":" HELLO ",\"key_version\":1}", .status = 400,
	  .expect = PLAIN("cannot generate HMAC: version is too old (disallowed by policy)") },
	{ NULL },
};

static const struct step datakeys[] = {
	{ "POST transit/datakey/plain/d", "{\"context\":\"!\"}", .status = 400,
	  .expect = PLAIN("Invalid path, must be 'plaintext' or 'wrapped'") },
	{ "POST transit/datakey/wrapped/d", "{\"context\":\"!\",\"bits\":3}", .status = 400, .expect = PLAIN("failed to base64-decode context") },
	{ "POST transit/datakey/wrapped/d", "{\"bits\":3}", .status = 400, .expect = PLAIN("encryption key not found") },
	{ "POST transit/keys/d", "{\"derived\":true}", .status = 200 },
	{ "POST transit/datakey/wrapped/d", "{\"bits\":3,\"key_version\":7}", .status = 400, .expect = PLAIN("invalid bit length") },
	{ "POST transit/datakey/wrapped/d", "{\"bits\":null}", .status = 400, .expect = PLAIN("invalid bit length") },
	{ "POST transit/datakey/wrapped/d", "{\"key_version\":7}", .status = 400,
	  .expect = PLAIN("requested version for encryption is higher than the latest key version") },
	{ "POST transit/datakey/wrapped/d", .status = 400 },
	{ "POST transit/datakey/wrapped/d", "{\"context\":\"eA==\",\"associated_data\":\"!\"}", .status = 500 },
	{ "POST transit/datakey/wrapped/d", "{\"context\":\"eA==\",\"encryption_context\":{\"a\":1}}", .status = 400 },
	{ "POST transit/datakey/wrapped/d", "{\"context\":\"eA==\",\"plaintext\":\"plaintext\"}", .status = 200,
	  .expect = "{\"data\":{\"ciphertext\":\"%any\",\"key_version\":1}," REPLACED("plaintext") "}", .absent = "data.plaintext" },
	{ "POST transit/datakey/plaintext/d", "{\"context\":\"eA==\",\"bits\":\"512\",\"associated_data\":\"YQ==\"}", .status = 200,
	  .save = "ct=data.ciphertext" },
	{ "POST transit/decrypt/d", "{\"context\":\"eA==\",\"ciphertext\":\"$ct\"}", .status = 400 },
	{ "POST transit/datakey/plaintext/d", "{\"context\":\"eA==\",\"encryption_context\":{\"a\":\"1\"}}", .status = 200,
	  .save = "ct=data.ciphertext" },
	{ "POST transit/datakey/plaintext/d", "{\"context\":\"eA==\",\"bits\":128}", .status = 200, .save = "key=data.plaintext" },
	{ "POST transit/decrypt/d", "{\"context\":\"eA==\",\"ciphertext\":\"$ct\",\"encryption_context\":{\"a\":\"2\"}}", .status = 400 },
	{ "POST transit/decrypt/d", "{\"context\":\"eA==\",\"ciphertext\":\"$ct\",\"encryption_context\":{\"a\":\"1\"}}", .status = 200 },
	{ NULL },
};

#define SIG "\"signature\":\"vault:v1:AAAA\""

static const struct step signatures[] = {
	{ "POST transit/sign/s/md5", "{\"marshaling_algorithm\":\"x\\\"y\",\"salt_length\":\"zz\"}", .status = 400,
	  .expect = PLAIN("invalid marshaling type \\\"x\\\\\\\"y\\\"") },
	{ "POST transit/sign/s/md5", "{\"salt_length\":\"zz\"}", .status = 400,
	  .expect = PLAIN("salt length neither 'auto', 'hash', nor an int: zz") },
	{ "POST transit/sign/s/md5", "{\"salt_length\":-2}", .status = 400, .expect = PLAIN("salt length is invalid: -2") },
	{ "POST transit/sign/s/md5", "{\"batch_input\":3}", .status = 400, .expect = PLAIN("signing key not found") },
	{ "POST transit/verify/s/md5", "{\"batch_input\":3}", .status = 500 },
	{ "POST transit/verify/s/md5", "{" SIG ",\"marshaling_algorithm\":\"\"}", .status = 400, .expect = PLAIN("invalid marshaling type \\\"\\\"") },
	{ "POST transit/verify/s/md5", "{" SIG "}", .status = 400, .expect = PLAIN("signature verification key not found") },
	{ "POST transit/verify/s/md5", "{}", .status = 400, .expect = PLAIN("neither a 'signature' nor an 'hmac' were given to verify") },
	{ "POST transit/verify/s/md5", "{\"hmac\":\"vault:v1:AAAA\"}", .status = 400, .expect = PLAIN("invalid hash algorithm \\\"md5\\\"") },
	{ "POST transit/verify/s/none", "{\"hmac\":\"vault:v1:AAAA\"}", .status = 400, .expect = PLAIN("encryption key not found") },
	{ "POST transit/keys/a", .status = 200 },
	{ "POST transit/sign/a/md5", "{\"batch_input\":3}", .status = 400, .expect = PLAIN("key type aes256-gcm96 does not support signing") },
	{ "POST transit/verify/a/md5", "{" SIG "}", .status = 400, .expect = PLAIN("key type aes256-gcm96 does not support verification") },
	{ "POST transit/verify/a/none", "{\"hmac\":\"vault:v1:AAAA\"}", .status = 400, .expect = PLAIN("algorithm cannot be none") },
	{ "POST transit/verify/a", "{\"hmac\":null}", .status = 400, .expect = PLAIN("invalid HMAC to verify: no prefix") },
	{ "POST transit/verify/a", "{\"hmac\":\"vault:v9:!\"}", .status = 400,
	  .expect = PLAIN("unable to decode verification HMAC as base64: illegal base64 data at input byte 0") },
	{ "POST transit/verify/a", "{\"hmac\":\"vault:v9:AAAA\"}", .status = 400, .expect = PLAIN("invalid HMAC: version is too new") },
	{ "POST transit/keys/s", "{\"type\":\"ed25519\",\"derived\":true}", .status = 200 },
	{ "POST transit/keys/p", "{\"type\":\"ecdsa-p256\"}", .status = 200 },
	{ "POST transit/sign/s/md5", "{\"batch_input\":3}", .status = 400, .expect = PLAIN("invalid hash algorithm \\\"md5\\\"") },
	{ "POST transit/sign/p/none", "{\"batch_input\":3}", .status = 400,
	  .expect = PLAIN("hash_algorithm=none requires both prehashed=true and signature_algorithm=pkcs1v15") },
	{ "POST transit/sign/p", "{\"batch_input\":[]}", .status = 400, .expect = PLAIN("missing batch input to process") },
	{ "POST transit/sign/p", "{\"batch_input\":[3]}", .status = 500,
	  .expect = LISTED("failed to parse batch input: decoding failed due to the following error(s):\\n\\n"
			   "'[0]' expected type 'transit.batchRequestSignItem', got unconvertible type 'json.Number'") },
	{ "POST transit/sign/p", "{\"input\":\"!\",\"key_version\":3}", .status = 400,
	  .expect = PLAIN("unable to decode input as base64: illegal base64 data at input byte 0") },
	{ "POST transit/sign/p", "{\"key_version\":3}", .status = 500,
	  .expect = LISTED("requested version for signing is higher than the latest key version") },
	{ "POST transit/sign/p", "{\"prehashed\":true}", .status = 500, .expect = LISTED("ecdsa: hash cannot be empty") },
	{ "POST transit/sign/s", "{\"context\":\"!\"}", .status = 400, .expect = PLAIN("failed to base64-decode context") },
	{ "POST transit/sign/s", .status = 500 },
	{ "POST transit/verify/p", "{\"batch_input\":[{" SIG "},{\"hmac\":\"x\"}]}", .status = 400,
	  .expect = PLAIN("elements of batch_input must all provide 'signature' or all provide 'hmac'") },
	{ "POST transit/verify/p", "{\"batch_input\":[{" SIG "},{}]}", .status = 400,
	  .expect = PLAIN("some elements of batch_input are missing 'signature'") },
	{ "POST transit/verify/p", "{\"batch_input\":[{\"hmac\":\"\"},{}]}", .status = 400,
	  .expect = PLAIN("some elements of batch_input are missing 'hmac'") },
	{ "POST transit/verify/p", "{\"batch_input\":[{}]}", .status = 400,
	  .expect = PLAIN("no batch_input elements have 'signature' or 'hmac'") },
	{ "POST transit/verify/p", "{" SIG "}", .status = 400, .expect = PLAIN("supplied signature is invalid") },
	{ "POST transit/verify/p", "{\"signature\":\"vault:v1:MAYCAQECAQEA\"}", .status = 400,
	  .expect = PLAIN("supplied signature contains extra data") },
	{ "POST transit/verify/p", "{\"signature\":\"vault:v1:MAYCAQECAQE=\",\"hmac\":\"x\"}", .status = 200,
	  .expect = "{\"data\":{\"valid\":false}}" },
	{ "POST transit/sign/p", "{\"input\":" HELLO "}", .status = 200, .expect = "{\"data\":{\"key_version\":1,\"signature\":\"%any\"}}",
	  .save = "sig=data.signature", .absent = "data.public_key" },
	{ "POST transit/verify/p", "{\"input\":" HELLO ",\"signature\":\"$sig\",\"key_version\":1}", .status = 200,
	  .expect = "{\"data\":{\"valid\":true},\"warnings\":[\"Endpoint ignored these unrecognized parameters: [key_version]\"]}" },
	{ "POST transit/verify/p/sha2-384", "{\"input\":" HELLO ",\"signature\":\"$sig\",\"algorithm\":\"sha2-256\"}", .status = 200,
	  .expect = "{\"data\":{\"valid\":false}}" },
	{ "POST transit/sign/p/sha2-384", "{\"input\":" HELLO ",\"marshaling_algorithm\":\"jws\"}", .status = 200, .save = "jws=data.signature" },
	{ "POST transit/verify/p", "{\"input\":" HELLO ",\"signature\":\"$jws\",\"marshaling_algorithm\":\"jws\",\"hash_algorithm\":\"sha2-384\"}",
	  .status = 200, .expect = "{\"data\":{\"valid\":true}}" },
	{ "POST transit/sign/s", "{\"input\":" HELLO ",\"context\":\"eA==\"}", .status = 200,
	  .expect = "{\"data\":{\"key_version\":1,\"public_key\":\"%any\"}}", .save = "ed=data.signature" },
	{ "POST transit/verify/s", "{\"batch_input\":[{\"input\":" HELLO ",\"context\":\"eA==\",\"signature\":\"$ed\",\"reference\":\"r\"},"
	  "{\"input\":" HELLO ",\"context\":\"eQ==\",\"signature\":\"$ed\"},{\"input\":" HELLO ",\"signature\":\"$ed\"},{" SIG "}]}", .status = 200,
	  .expect = "{\"data\":{\"batch_results\":[{\"valid\":true,\"reference\":\"r\"},{\"valid\":false,\"reference\":\"\"},"
		    "{\"valid\":false,\"error\":\"%any\"},{\"valid\":false,\"error\":\"missing input\",\"reference\":\"\"}]}}" },
	{ "POST transit/sign/s", "{\"batch_input\":[{\"input\":" HELLO ",\"context\":\"eA==\"},{\"reference\":\"r\"}]}", .status = 200,
	  .expect = "{\"data\":{\"batch_results\":[{\"key_version\":1,\"publickey\":\"%any\",\"signature\":\"$ed\",\"reference\":\"\"},"
		    "{\"key_version\":0,\"error\":\"missing input\",\"reference\":\"r\"}]}}" },
	{ "POST transit/hmac/p", "{\"input\":" HELLO "}", .status = 200, .save = "mac=data.hmac" },
	{ "POST transit/verify/p", "{\"batch_input\":[{\"input\":" HELLO ",\"hmac\":\"$mac\"},{\"input\":\"\",\"hmac\":\"$mac\"}]}", .status = 200,
	  .expect = "{\"data\":{\"batch_results\":[{\"valid\":true,\"reference\":\"\"},{\"reference\":\"\"}]}}",
	  .absent = "data.batch_results.1.valid" },
	{ "DELETE transit/keys/s/soft-delete", .status = 200 },
	{ "POST transit/sign/s", "{\"context\":\"eA==\"}", .status = 500, .expect = LISTED("refusing to use soft-deleted key") },
	{ "POST transit/verify/s", "{" SIG "}", .status = 400, .expect = PLAIN("refusing to use soft-deleted key") },
	{ NULL },
};

#define NON_AEAD "provided for non-AEAD cipher suite "
#define LONG_TEXT /* 204 bytes: more than OAEP with SHA-256 leaves of 2048 bits */                                           \
	"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""

static const struct step rsa[] = {
	{ "POST transit/keys/r", "{\"type\":\"rsa-2048\"}", .status = 200 }, { "POST transit/keys/s", .status = 200 },
	{ "POST transit/encrypt/r", "{\"plaintext\":" HELLO ",\"key_version\":2,\"associated_data\":\"eA==\"}", .status = 400,
	  .expect = PLAIN("'[0].associated_data' " NON_AEAD "rsa-2048") },
	{ "POST transit/encrypt/r", "{\"plaintext\":" HELLO ",\"encryption_context\":{\"a\":\"b\"}}", .status = 400,
	  .expect = PLAIN("'[0].encryption_context' " NON_AEAD "rsa-2048") },
	{ "POST transit/encrypt/r", "{\"plaintext\":" HELLO ",\"padding_scheme\":\"none\"}", .status = 400,
	  .expect = PLAIN("'[0].padding_scheme' invalid: unknown padding scheme") },
	{ "POST transit/encrypt/s", "{\"plaintext\":" HELLO ",\"padding_scheme\":\"oaep\"}", .status = 400,
	  .expect = PLAIN("'[0].padding_scheme' invalid: unsupported key type for padding scheme: aes256-gcm96") },
	{ "POST transit/datakey/wrapped/r", "{\"associated_data\":\"!\"}", .status = 400, .expect = PLAIN("'associated_data' " NON_AEAD "rsa-2048") },
	{ "POST transit/encrypt/r", "{\"plaintext\":" LONG_TEXT "}", .status = 500,
	  .expect = LISTED("failed to RSA encrypt the plaintext: crypto/rsa: message too long for RSA key size") },
	{ "POST transit/encrypt/r", "{\"batch_input\":[{\"plaintext\":" HELLO ",\"associated_data\":\"eA==\"},{\"plaintext\":\"\"}]}", .status = 200,
	  .expect = "{\"data\":{\"batch_results\":[{\"error\":\"'[0].associated_data' " NON_AEAD "rsa-2048\"},{\"key_version\":1}]}}" },
	{ "POST transit/decrypt/r", "{\"ciphertext\":\"vault:v1:!\"}", .status = 400, .expect = PLAIN("invalid ciphertext: could not decode base64") },
	{ "POST transit/decrypt/r", "{\"ciphertext\":\"vault:v1:AAAA\"}", .status = 500,
	  .expect = LISTED("failed to RSA decrypt the ciphertext: crypto/rsa: decryption error") },
	{ "POST transit/encrypt/r", "{\"plaintext\":" HELLO ",\"context\":\"eA==\"}", .status = 200, .save = "one=data.ciphertext" },
	{ "POST transit/decrypt/r", "{\"ciphertext\":\"$one\",\"padding_scheme\":\"oaep\"}", .status = 200,
	  .expect = "{\"data\":{\"plaintext\":" HELLO "}}" },
	{ "POST transit/encrypt/r", "{\"plaintext\":" LONG_TEXT ",\"padding_scheme\":\"pkcs1v15\"}", .status = 200, .expect = "{\"warnings\":null}",
	  .save = "two=data.ciphertext" },
	{ "POST transit/decrypt/r", "{\"ciphertext\":\"$two\"}", .status = 500 },
	{ "POST transit/decrypt/r", "{\"batch_input\":[{\"ciphertext\":\"$two\",\"padding_scheme\":\"pkcs1v15\"},{\"ciphertext\":\"$one\"}]}", .status = 200,
	  .expect = "{\"data\":{\"batch_results\":[{\"plaintext\":" LONG_TEXT "},{\"plaintext\":" HELLO "}]}}" },
	{ "POST transit/keys/r/rotate", .status = 200 },
	{ "POST transit/rewrap/r", "{\"ciphertext\":\"$two\",\"key_version\":3}", .status = 500 }, /* the old one's fault first */
	{ "POST transit/rewrap/r", "{\"ciphertext\":\"$one\",\"key_version\":3}", .status = 400,
	  .expect = PLAIN("requested version for encryption is higher than the latest key version") },
	{ "POST transit/rewrap/s", "{\"ciphertext\":\"x\",\"encrypt_padding_scheme\":\"oaep\"}", .status = 400 },
	{ "POST transit/rewrap/r", "{\"ciphertext\":\"$two\",\"decrypt_padding_scheme\":\"pkcs1v15\"}", .status = 500 }, /* too long now */
	{ "POST transit/rewrap/r", "{\"ciphertext\":\"$one\",\"encrypt_padding_scheme\":\"pkcs1v15\",\"associated_data\":\"eA==\"}", .status = 200,
	  .expect = "{\"data\":{\"key_version\":2}}", .save = "three=data.ciphertext" },
	{ "POST transit/decrypt/r", "{\"ciphertext\":\"$three\",\"padding_scheme\":\"pkcs1v15\"}", .status = 200,
	  .expect = "{\"data\":{\"plaintext\":" HELLO "}}" },
	{ "POST transit/rewrap/r", "{\"batch_input\":[{\"ciphertext\":\"$one\"},{\"ciphertext\":\"$three\"}]}", .status = 500,
	  .expect = LISTED("failed to RSA decrypt the ciphertext: crypto/rsa: decryption error") },
	{ "POST transit/rewrap/r", "{\"batch_input\":[{\"ciphertext\":\"$one\"},{\"ciphertext\":\"x\"}]}", .status = 200,
	  .expect = "{\"data\":{\"batch_results\":[{\"key_version\":2},{\"error\":\"invalid ciphertext: no prefix\"}]}}" },
	{ "POST transit/datakey/plaintext/r", "{\"bits\":512,\"key_version\":1}", .status = 200, .save = "four=data.ciphertext" },
	{ "POST transit/decrypt/r", "{\"ciphertext\":\"$four\"}", .status = 200 },
	{ "POST transit/sign/r", "{\"input\":" HELLO ",\"signature_algorithm\":\"zz\\\"\"}", .status = 500,
	  .expect = LISTED("unsupported rsa signature algorithm zz\\\"") },
	{ "POST transit/sign/r", "{\"input\":" HELLO ",\"salt_length\":223}", .status = 500, .expect = LISTED("requested salt length 223 is invalid") },
	{ "POST transit/verify/r", "{\"input\":" HELLO ",\"salt_length\":223," SIG "}", .status = 400,
	  .expect = PLAIN("requested salt length 223 is invalid") },
	{ "POST transit/sign/r", "{\"input\":" HELLO ",\"prehashed\":true}", .status = 500,
	  .expect = LISTED("crypto/rsa: input must be hashed with given hash") },
	{ "POST transit/sign/r/none", "{\"input\":"  LONG_TEXT ",\"prehashed\":true,\"signature_algorithm\":\"pkcs1v15\"}", .status = 200 },
	{ "POST transit/sign/r", "{\"input\":" HELLO "}", .status = 200, .save = "sig=data.signature" },
	{ "POST transit/verify/r", "{\"input\":" HELLO ",\"signature\":\"$sig\"}", .status = 200, .expect = "{\"data\":{\"valid\":true}}" },
	{ "POST transit/verify/r", "{\"input\":" HELLO ",\"signature\":\"$sig\",\"signature_algorithm\":\"pkcs1v15\"}", .status = 200,
	  .expect = "{\"data\":{\"valid\":false}}" },
	{ NULL },
};

START_TEST(cases)
{
	static const struct step *const lists[] = { tools, hmacs, datakeys, signatures, rsa };

	pipeline_begin();
	pipeline_run(lists[_i]);
	ck_assert_str_eq(pipeline_log, "");
	pipeline_end();
}
END_TEST

Suite *signing_suite(void)
{
	Suite *suite = suite_create("pipeline/signing");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, cases, 0, 5);
	suite_add_tcase(suite, tc);
	return suite;
}
