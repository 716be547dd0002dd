/* backup_entry.c: owns one version of a key in a backup: its material as the peer's numbers. Stateless. */
#include <stdio.h>

#include "base/decimal.h"
#include "bulla/clock.h"
#include "bulla/encode.h"
#include "crypto/pkey.h"
#include "transit/document.h"

/* What an entry holds beside times and numbers of versions. */
struct contents {
	struct bulla_bytes key, hmac_key;
	const struct pkey *pkey; /* NULL: symmetric, or blank */
};

static void put_base64(struct out *out, const char *name, struct bulla_bytes bytes)
{
	json_key(out, name);
	if (bytes.len == 0) {
		json_nil(out);
		return;
	}
	char *text = json_plain_string(out, BULLA_BASE64_LEN(bytes.len));

	if (text != NULL)
		bulla_base64_encode(bytes, text);
}

static void put_big(struct out *out, const char *name, struct bulla_bytes number)
{
	char digits[DECIMAL_MAX_TEXT];
	const struct json value = { .type = JSON_NUMBER, .text = bulla_mem(digits, decimal_print(number, digits)) };

	if (name != NULL)
		json_key(out, name);
	json_value(out, &value);
	bulla_wipe(digits, sizeof digits);
}

static enum bulla_err put_number(struct out *out, const char *name, const struct pkey *pkey, enum pkey_number which)
{
	BULLA_CLEANUP(material_clear) struct material number = { 0 };

	TRY(pkey_number(pkey, which, &number));
	put_big(out, name, material_bytes(&number));
	return BULLA_OK;
}

static bool is_kind(const struct contents *contents, const char *prefix)
{
	return contents->pkey != NULL && strncmp(pkey_alg(contents->pkey)->name, prefix, strlen(prefix)) == 0;
}

static enum bulla_err put_ec(struct out *out, const struct contents *contents)
{
	if (!is_kind(contents, "ecdsa-")) {
		json_put_null(out, "ec_x");
		json_put_null(out, "ec_y");
		json_put_null(out, "ec_d");
		return BULLA_OK;
	}
	TRY(put_number(out, "ec_x", contents->pkey, PKEY_EC_X));
	TRY(put_number(out, "ec_y", contents->pkey, PKEY_EC_Y));
	if (pkey_is_private(contents->pkey))
		return put_number(out, "ec_d", contents->pkey, PKEY_EC_D);
	json_put_null(out, "ec_d");
	return BULLA_OK;
}

static enum bulla_err put_rsa_private(struct out *out, const struct pkey *pkey)
{
	json_key(out, "rsa_key");
	json_open(out, '{');
	TRY(put_number(out, "N", pkey, PKEY_RSA_N));
	TRY(put_number(out, "E", pkey, PKEY_RSA_E));
	TRY(put_number(out, "D", pkey, PKEY_RSA_D));
	json_key(out, "Primes");
	json_open(out, '[');
	TRY(put_number(out, NULL, pkey, PKEY_RSA_P));
	TRY(put_number(out, NULL, pkey, PKEY_RSA_Q));
	json_close(out, ']');
	json_key(out, "Precomputed");
	json_open(out, '{');
	TRY(put_number(out, "Dp", pkey, PKEY_RSA_DP));
	TRY(put_number(out, "Dq", pkey, PKEY_RSA_DQ));
	TRY(put_number(out, "Qinv", pkey, PKEY_RSA_QINV));
	json_key(out, "CRTValues");
	json_open(out, '[');
	json_close(out, ']');
	json_close(out, '}');
	json_close(out, '}');
	return BULLA_OK;
}

static enum bulla_err put_rsa(struct out *out, const struct contents *contents)
{
	bool is_rsa = is_kind(contents, "rsa-");

	if (is_rsa && pkey_is_private(contents->pkey)) {
		TRY(put_rsa_private(out, contents->pkey));
		json_put_null(out, "rsa_public_key");
		return BULLA_OK;
	}
	json_put_null(out, "rsa_key");
	if (!is_rsa) {
		json_put_null(out, "rsa_public_key");
		return BULLA_OK;
	}
	json_key(out, "rsa_public_key");
	json_open(out, '{');
	TRY(put_number(out, "N", contents->pkey, PKEY_RSA_N));
	TRY(put_number(out, "E", contents->pkey, PKEY_RSA_E));
	json_close(out, '}');
	return BULLA_OK;
}

/* PEM of an EC key, base64 of an Ed25519 one; the peer has none of RSA. */
static enum bulla_err put_public(struct out *out, const struct contents *contents)
{
	BULLA_CLEANUP(material_clear) struct material public_key = { 0 };

	if (is_kind(contents, "ed25519")) {
		TRY(pkey_number(contents->pkey, PKEY_ED25519_PUBLIC, &public_key));
		put_base64(out, "public_key", material_bytes(&public_key));
		return BULLA_OK;
	}
	if (!is_kind(contents, "ecdsa-")) {
		json_put_text(out, "public_key", "");
		return BULLA_OK;
	}
	char pem[512];

	TRY(pkey_encode(contents->pkey, PKEY_PUBLIC, &public_key));
	size_t len = pem_len("PUBLIC KEY", public_key.len);

	if (len > sizeof pem)
		return BULLA_E_INTERNAL;
	pem_print("PUBLIC KEY", material_bytes(&public_key), pem);
	json_put_string(out, "public_key", bulla_mem(pem, len));
	return BULLA_OK;
}

static void put_chain(struct out *out, struct bulla_bytes chain)
{
	struct bulla_bytes certificate;

	json_key(out, "certificate_chain");
	if (chain.len == 0) {
		json_nil(out);
		return;
	}
	json_open(out, '[');
	while (document_next_certificate(&chain, &certificate)) {
		char *text = json_plain_string(out, BULLA_BASE64_LEN(certificate.len));

		if (text != NULL)
			bulla_base64_encode(certificate, text);
	}
	json_close(out, ']');
}

static enum bulla_err put_all(struct out *out, const struct contents *contents, const struct key_version *version)
{
	char time[BULLA_TIME_TEXT] = "0001-01-01T00:00:00Z";

	if (version != NULL)
		bulla_time_print(version->created_date_ns, time);
	json_open(out, '{');
	put_base64(out, "key", contents->key);
	put_base64(out, "hmac_key", contents->hmac_key);
	json_put_text(out, "time", time);
	TRY(put_ec(out, contents));
	TRY(put_rsa(out, contents));
	TRY(put_public(out, contents));
	json_put_int(out, "convergent_version", version == NULL ? 0 : version->convergent_version);
	json_put_int(out, "creation_time", version == NULL ? 0 : version->created_date_ns / 1000000000);
	put_chain(out, version == NULL ? bulla_mem(NULL, 0) : version->chain);
	json_put_text(out, "external_key_ref", "");
	json_close(out, '}');
	return BULLA_OK;
}

enum bulla_err document_put_entry(struct out *out, const struct key *key, const struct key_version *version)
{
	BULLA_CLEANUP(material_clear) struct material ed25519 = { 0 };
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;
	const struct alg *alg = key_alg(key);
	struct contents contents = { 0 };

	if (version == NULL)
		return put_all(out, &contents, NULL);
	contents.hmac_key = bulla_mem(version->hmac_key, KEY_HMAC_BYTES);
	if ((alg->can & ALG_PKEY) == 0)
		contents.key = bulla_mem(version->key, version->key_len);
	else
		TRY(pkey_open(alg, bulla_mem(version->key, version->key_len), &pkey));
	contents.pkey = pkey;
	if ((alg->can & ALG_HMAC) != 0)
		contents.hmac_key = contents.key;
	if (is_kind(&contents, "ed25519") && pkey_is_private(pkey)) {
		TRY(pkey_number(pkey, PKEY_ED25519_PRIVATE, &ed25519));
		contents.key = material_bytes(&ed25519);
	}
	return put_all(out, &contents, version);
}
