/* Cases of lib/transit/wrapping.c, import*.c, byok.c, agree.c, certificate.c and lib/keyring/edit.c: over a real store and seal. What is
 * wrapped here is wrapped by byok export under the mount's own wrapping key. */
#include "keyring_unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "bulla/encode.h"
#include "transit/import.h"

static struct rig rig;

/* Each case has an engine of its own. */
static void setup(void)
{
	ck_assert_ok(crypto_init());
	rig = rig_open(NULL, 1u << 24);
}

static void teardown(void)
{
	rig_close(&rig);
}

static void make_key(const char *name, const char *type)
{
	const struct bulla_key_create_args args = { .type = bulla_str(type), .exportable = true,
						    .key_size = strcmp(type, "hmac") == 0 ? 48 : 0 };
	struct bulla_key_info info;
	bool created;

	ck_assert_ok(bulla_key_create(&rig.engine, fresh(&rig), &mount_a, bulla_str(name), &args, &info, &created));
}

static enum bulla_err import(const char *name, const char *type, bool wrapped, const char *text, const char *hash)
{
	const struct bulla_import_args args = { .type = bulla_str(type), .source = { wrapped, bulla_str(text), bulla_str(hash) },
						.exportable = true };

	return bulla_key_import(&rig.engine, fresh(&rig), &mount_a, bulla_str(name), &args);
}

static enum bulla_err import_version(const char *name, bool wrapped, const char *text, const int64_t *version)
{
	const struct bulla_import_source source = { wrapped, bulla_str(text), bulla_str("SHA256") };

	return bulla_key_import_version(&rig.engine, fresh(&rig), &mount_a, bulla_str(name), &source, version);
}

static char *copy(struct bulla_bytes bytes)
{
	return strndup((const char *)bytes.ptr, bytes.len);
}

/* The key `wk`, which wraps for this mount. */
static void open_way(void)
{
	struct bulla_bytes pem;

	ck_assert_ok(bulla_wrapping_key(&rig.engine, fresh(&rig), &mount_a, &pem));
	char *text = copy(pem);

	ck_assert_ok(import("wk", "rsa-4096", false, text, ""));
	free(text);
}

static char *wrapped(const char *name, const char *hash)
{
	const struct bulla_byok_args args = { .mount = &mount_a, .destination = bulla_str("wk"), .source = bulla_str(name),
					      .version = bulla_str("latest"), .hash = bulla_str(hash) };
	struct bulla_export_result result;

	ck_assert_ok(bulla_byok_export(&rig.engine, fresh(&rig), &args, &result));
	ck_assert_uint_eq(result.count, 1);
	return copy(result.entries[0].material);
}

static char *exported(const char *kind, const char *name, const char *version)
{
	const struct bulla_export_args args = { .mount = &mount_a, .kind = bulla_str(kind), .name = bulla_str(name),
						.version = bulla_str(version) };
	struct bulla_export_result result;

	ck_assert_ok(bulla_export(&rig.engine, fresh(&rig), &args, &result));
	return copy(result.entries[0].material);
}

static const struct {
	const char *type, *kind;
} kinds[] = { { "aes128-gcm96", "encryption-key" }, { "aes256-gcm96", "encryption-key" }, { "xchacha20-poly1305", "encryption-key" },
	      { "ed25519", "signing-key" }, { "ecdsa-p521", "signing-key" }, { "rsa-2048", "signing-key" }, { "hmac", "hmac-key" } };

/* All in one case, for the wrapping key's sake. */
START_TEST(there_and_back)
{
	static const char *const hashes[] = { "SHA1", "SHA224", "sha256", "SHA384", "SHA512" };

	open_way();
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		char from[8], to[8];

		snprintf(from, sizeof from, "f%zu", i);
		snprintf(to, sizeof to, "t%zu", i);
		make_key(from, kinds[i].type);
		const char *hash = hashes[i % 5];
		char *blob = wrapped(from, hash);

		ck_assert_ok(import(to, kinds[i].type, true, blob, hash));
		char *a = exported(kinds[i].kind, from, "1"), *b = exported(kinds[i].kind, to, "1");

		ck_assert_str_eq(a, b);
		ck_assert(look(&rig, to).imported && !look(&rig, to).imported_rotatable);
		ck_assert_err(import(to, kinds[i].type, true, blob, hash), BULLA_E_INVALID_500); /* it exists */
		ck_assert_err(import("no", kinds[i].type, true, blob, hashes[(i + 1) % 5]), BULLA_E_INVALID_500);
		ck_assert_bytes(rig.call.detail, "crypto/rsa: decryption error");
		ck_assert_err(import("no", "rsa-3072", true, blob, hash), BULLA_E_INVALID_500); /* another type */
		free(a), free(b), free(blob);
	}
	ck_assert_err(bulla_key_read(&rig.engine, fresh(&rig), &mount_a, bulla_str("no"), NULL), BULLA_E_NOT_FOUND);
}
END_TEST

START_TEST(tampered)
{
	open_way();
	make_key("k", "aes256-gcm96");
	char *blob = wrapped("k", "SHA256");
	size_t len = strlen(blob);

	for (size_t i = 0; i < len; i += 37) {
		char was = blob[i];

		blob[i] = was == 'A' ? 'B' : 'A';
		ck_assert_err(import("no", "aes256-gcm96", true, blob, "SHA256"), BULLA_E_INVALID_500);
		blob[i] = was;
	}
	blob[len - 4] = 0; /* cut */
	ck_assert_err(import("no", "aes256-gcm96", true, blob, "SHA256"), BULLA_E_INVALID_500);
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 3); /* the wrapping key, wk, k */
	free(blob);
}
END_TEST

/* A public key, then its private half, then another's. */
START_TEST(completed)
{
	const int64_t one = 1, two = 2, nine = 9;

	open_way();
	make_key("a", "ed25519");
	make_key("b", "ed25519");
	char *public = exported("public-key", "a", "1"), *raw = exported("signing-key", "a", "1");
	const struct bulla_export_args args = { .mount = &mount_a, .kind = bulla_str("public-key"), .name = bulla_str("a"),
						.version = bulla_str("1"), .format = bulla_str("pem") };
	struct bulla_export_result result;

	ck_assert_ok(bulla_export(&rig.engine, fresh(&rig), &args, &result));
	char *pem = copy(result.entries[0].material), *private = wrapped("a", "SHA256"), *other = wrapped("b", "SHA256");

	ck_assert_ok(import("pub", "ed25519", false, pem, ""));
	ck_assert_detail(rig, import_version("pub", true, other, &one), BULLA_E_INVALID_500, "cannot import key, key pair does not match");
	ck_assert_detail(rig, import_version("pub", true, private, &two), BULLA_E_INVALID_500, "no such key version");
	ck_assert_detail(rig, import_version("pub", false, pem, &one), BULLA_E_INVALID_500,
			 "cannot add a public key to a key version that already has a public key set");
	ck_assert_uint_eq(look(&rig, "pub").latest, 1);
	ck_assert_ok(import_version("pub", false, pem, NULL)); /* a second version */
	ck_assert_ok(import_version("pub", true, private, &one));
	ck_assert_detail(rig, import_version("pub", true, private, &one), BULLA_E_INVALID_500,
			 "private key imported, key version cannot be updated");
	ck_assert_ok(import_version("pub", true, other, NULL)); /* it does not belong to version 2: a third one */
	ck_assert_detail(rig, import_version("pub", true, other, &nine), BULLA_E_INVALID_500, "no such key version");
	ck_assert_uint_eq(look(&rig, "pub").latest, 3);
	for (int again = 0; again < 2; again++) { /* in memory, and from the store */
		char *first = exported("signing-key", "pub", "1"), *second = exported("signing-key", "pub", "2");
		char *kept = exported("public-key", "pub", "1");

		ck_assert_str_eq(first, raw);
		ck_assert_str_eq(second, "");
		ck_assert_str_eq(kept, public);
		free(first), free(second), free(kept);
		keyring_empty(rig.engine.keyring);
	}
	ck_assert_uint_eq(stored_versions(&rig, "pub"), 3);
	free(public), free(raw), free(pem), free(private), free(other);
}
END_TEST

static const char *const bad_blobs[] = { "", "!", "AAAA", "QUFB=" };

START_TEST(refused_before_anything)
{
	struct bulla_bytes pem;

	for (size_t i = 0; i < sizeof bad_blobs / sizeof bad_blobs[0]; i++)
		ck_assert_err(import("k", "aes256-gcm96", true, bad_blobs[i], "SHA256"), BULLA_E_INVALID_500);
	ck_assert_detail(rig, import("k", "aes256-gcm96", true, "AAAA", "MD5"), BULLA_E_INVALID, "unknown hash function: MD5");
	ck_assert_detail(rig, import("k", "rot13", true, "AAAA", "SHA1"), BULLA_E_INVALID, "unknown key type: rot13");
	ck_assert_detail(rig, import("k", "hmac", false, "x", ""), BULLA_E_INVALID_500,
			 "provided type does not support public_key import");
	ck_assert_err(import("k", "rsa-2048", false, "x", ""), BULLA_E_INVALID_500);
	ck_assert_err(import("k", "rsa-2048", false, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", ""),
		      BULLA_E_INVALID_500);
	ck_assert_err(import_version("k", true, "AAAA", NULL), BULLA_E_INVALID_500);
	make_key("mine", "aes256-gcm96");
	ck_assert_detail(rig, import_version("mine", true, "AAAA", NULL), BULLA_E_INVALID_500,
			 "the import_version endpoint can only be used with an imported key");
	ck_assert_err(bulla_wrapping_key(&rig.engine, fresh_loop(&rig), &mount_a, &pem), BULLA_E_MUST_BLOCK);
	ck_assert_int_eq(rig.call.needs, BULLA_WORK_CPU); /* whoever asks first has it made */
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 1); /* mine: no wrapping key was made for that */
}
END_TEST

/* An import waits for a worker, one that computes. */
START_TEST(waits)
{
	struct bulla_import_args args = { .type = bulla_str("aes256-gcm96"), .source = { true, bulla_str("AAAA"), bulla_str("SHA256") } };
	struct bulla_bytes name = bulla_str("k");

	for (int wrapped = 0; wrapped < 2; wrapped++) {
		args.source.wrapped = wrapped;
		ck_assert_err(bulla_key_import(&rig.engine, fresh_loop(&rig), &mount_a, name, &args), BULLA_E_MUST_BLOCK);
		ck_assert_int_eq(rig.call.needs, BULLA_WORK_CPU);
		ck_assert_err(bulla_key_import_version(&rig.engine, fresh_loop(&rig), &mount_a, name, &args.source, NULL),
			      BULLA_E_MUST_BLOCK);
		ck_assert_int_eq(rig.call.needs, BULLA_WORK_CPU);
	}
}
END_TEST

static enum bulla_err agree(const char *name, const char *base, const char *peer, int64_t version)
{
	const struct bulla_derive_key_args args = { .algorithm = bulla_str("ecdh"), .base = bulla_str(base), .base_version = version,
						    .peer = bulla_str(peer), .type = bulla_str("aes256-gcm96") };

	return bulla_derive_key(&rig.engine, fresh(&rig), &mount_a, bulla_str(name), &args);
}

static void allow_export(const char *name)
{
	const struct bulla_key_config_args args = { .set = BULLA_KEY_EXPORTABLE, .exportable = true };
	struct bulla_key_info info;

	ck_assert_ok(config(&rig, name, &args, &info));
}

/* Both sides get the same key. */
START_TEST(agreement)
{
	make_key("a", "ecdsa-p384");
	make_key("b", "ecdsa-p384");
	make_key("c", "ecdsa-p256");
	char *a = exported("public-key", "a", "1"), *b = exported("public-key", "b", "1"), *c = exported("public-key", "c", "1");

	ck_assert_ok(agree("ab", "a", b, 0));
	ck_assert_ok(agree("ba", "b", a, 1));
	allow_export("ab");
	allow_export("ba");
	char *one = exported("encryption-key", "ab", "1"), *two = exported("encryption-key", "ba", "1");

	ck_assert_str_eq(one, two);
	ck_assert_err(agree("x", "a", c, 0), BULLA_E_INVALID_500); /* another curve */
	ck_assert_err(agree("x", "a", "junk", 0), BULLA_E_INVALID_500);
	ck_assert_err(agree("x", "a", b, 2), BULLA_E_INVALID_500);
	ck_assert_err(agree("x", "a", b, -1), BULLA_E_INVALID_500);
	ck_assert_err(agree("x", "none", b, 0), BULLA_E_INVALID);
	ck_assert_err(agree("x", "ab", b, 0), BULLA_E_INVALID);
	ck_assert_ok(agree("ab", "a", b, 0));
	ck_assert_uint_eq(look(&rig, "ab").latest, 2);
	ck_assert_uint_eq(stored_heads(&rig, &mount_a), 5);
	free(a), free(b), free(c), free(one), free(two);
}
END_TEST

/* What the request's verification is, other programs say: here that it is one, and of whose key. */
START_TEST(requests)
{
	static const char *const types[] = { "ed25519", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048" };
	const int64_t two = 2, zero = 0;
	struct bulla_bytes pem, again;
	const char *type;

	make_key("k", types[_i]);
	ck_assert_ok(bulla_key_csr(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), NULL, bulla_str(""), &type, &pem));
	ck_assert_str_eq(type, types[_i]);
	ck_assert_uint_gt(pem.len, 100);
	char *template = copy(pem);

	ck_assert_ok(bulla_key_csr(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), NULL, bulla_str(template), &type, &again));
	ck_assert_detail(rig, bulla_key_csr(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &two, bulla_str(""), &type, &pem),
			 BULLA_E_INVALID, "could not create the csr: no such key version");
	ck_assert_err(bulla_key_csr(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), &zero, bulla_str(""), &type, &pem), BULLA_E_INVALID);
	ck_assert_detail(rig, bulla_key_csr(&rig.engine, fresh(&rig), &mount_a, bulla_str("k"), NULL, bulla_str("x"), &type, &pem),
			 BULLA_E_INVALID, "could not decode PEM CSR");
	free(template);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transit/import");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, refused_before_anything);
	tcase_add_test(tc, waits);
	tcase_add_test(tc, there_and_back);
	tcase_add_test(tc, tampered);
	tcase_add_test(tc, completed);
	tcase_add_test(tc, agreement);
	tcase_add_loop_test(tc, requests, 0, 5);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
