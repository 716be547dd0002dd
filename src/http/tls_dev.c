/* tls_dev.c: makes a throw-away CA and a server certificate for -dev-tls. The CA's key is forgotten at once. */
#include "http/tls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <time.h>

#define VALID_S (365 * 86400)

struct signer {
	gnutls_x509_crt_t cert;
	gnutls_x509_privkey_t key;
};

static void signer_clear(struct signer *signer)
{
	gnutls_x509_crt_deinit(signer->cert); /* NULL is fine for both */
	gnutls_x509_privkey_deinit(signer->key);
}

static bool set_validity(gnutls_x509_crt_t cert)
{
	uint8_t serial[16];
	time_t now = (time_t)bulla_wall_s();

	if (bulla_random(serial, sizeof serial) != BULLA_OK)
		return false;
	serial[0] &= 0x7f; /* a positive number */
	serial[0] |= 0x40;
	return gnutls_x509_crt_set_version(cert, 3) == 0 && gnutls_x509_crt_set_serial(cert, serial, sizeof serial) == 0 &&
	       gnutls_x509_crt_set_activation_time(cert, now - 60) == 0 &&
	       gnutls_x509_crt_set_expiration_time(cert, now + VALID_S) == 0;
}

static bool begin(struct signer *signer, const char *name)
{
	return gnutls_x509_crt_init(&signer->cert) == 0 && gnutls_x509_privkey_init(&signer->key) == 0 &&
	       gnutls_x509_privkey_generate(signer->key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) == 0 &&
	       gnutls_x509_crt_set_key(signer->cert, signer->key) == 0 && set_validity(signer->cert) &&
	       gnutls_x509_crt_set_dn_by_oid(signer->cert, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name)) == 0;
}

static bool make_ca(struct signer *ca)
{
	return begin(ca, "bulla -dev-tls CA") && gnutls_x509_crt_set_basic_constraints(ca->cert, 1, 0) == 0 &&
	       gnutls_x509_crt_set_key_usage(ca->cert, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN) == 0 &&
	       gnutls_x509_crt_sign2(ca->cert, ca->cert, ca->key, GNUTLS_DIG_SHA256, 0) == 0;
}

static bool make_leaf(struct signer *leaf, const struct signer *ca)
{
	static const unsigned char v4[4] = { 127, 0, 0, 1 }, v6[16] = { [15] = 1 };
	gnutls_x509_crt_t cert;

	if (!begin(leaf, "localhost"))
		return false;
	cert = leaf->cert;
	return gnutls_x509_crt_set_basic_constraints(cert, 0, -1) == 0 &&
	       gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_SET) == 0 &&
	       gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_IPADDRESS, v4, sizeof v4, GNUTLS_FSAN_APPEND) == 0 &&
	       gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_IPADDRESS, v6, sizeof v6, GNUTLS_FSAN_APPEND) == 0 &&
	       gnutls_x509_crt_set_key_usage(cert, GNUTLS_KEY_DIGITAL_SIGNATURE) == 0 &&
	       gnutls_x509_crt_set_key_purpose_oid(cert, GNUTLS_KP_TLS_WWW_SERVER, 0) == 0 &&
	       gnutls_x509_crt_sign2(cert, ca->cert, ca->key, GNUTLS_DIG_SHA256, 0) == 0;
}

static bool keep(struct bulla_call *call, gnutls_datum_t *pem, struct bulla_bytes *out)
{
	*out = bulla_arena_copy(call->arena, bulla_mem(pem->data, pem->size));
	gnutls_free(pem->data);
	pem->data = NULL;
	return out->ptr != NULL;
}

static bool print_cert(struct bulla_call *call, gnutls_x509_crt_t cert, struct bulla_bytes *out)
{
	gnutls_datum_t pem = { 0 };

	return gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem) == 0 && keep(call, &pem, out);
}

static bool print_key(struct bulla_call *call, gnutls_x509_privkey_t key, struct bulla_bytes *out)
{
	gnutls_datum_t pem = { 0 };

	return gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem) == 0 &&
	       keep(call, &pem, out);
}

enum bulla_err tls_make_dev(struct bulla_call *call, struct tls_texts *out)
{
	struct signer ca BULLA_CLEANUP(signer_clear) = { 0 }, leaf BULLA_CLEANUP(signer_clear) = { 0 };
	struct tls_texts texts;

	if (!make_ca(&ca) || !make_leaf(&leaf, &ca) || !print_cert(call, ca.cert, &texts.ca) ||
	    !print_cert(call, leaf.cert, &texts.cert) || !print_key(call, leaf.key, &texts.key))
		return BULLA_E_CRYPTO;
	*out = texts;
	return BULLA_OK;
}
