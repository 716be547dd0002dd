/* x509.c: owns what OpenSSL does with PEM, certificate requests and certificates. Stateless: any thread. */
#include "crypto/x509.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/evp.h"
#include "crypto/pkey_private.h"

/* ---- PEM --------------------------------------------------------------------------------------------------------------- */

enum bulla_err pem_read(struct bulla_bytes text, char label[PEM_LABEL], struct material *der, struct bulla_bytes *rest)
{
	BIO *bio = text.len <= INT_MAX ? BIO_new_mem_buf(text.ptr, (int)text.len) : NULL;
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	long len = 0;
	enum bulla_err err = BULLA_E_BAD_FIELD;

	if (bio == NULL)
		return BULLA_E_NO_MEMORY;
	if (PEM_read_bio(bio, &name, &header, &data, &len) == 1 && len > 0 && strlen(name) < PEM_LABEL) {
		size_t left = BIO_ctrl_pending(bio);

		err = material_copy(bulla_mem(data, (size_t)len), der);
		memcpy(label, name, strlen(name) + 1);
		if (rest != NULL)
			*rest = bulla_mem(text.ptr + text.len - left, left);
	}
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	BIO_free(bio);
	ERR_clear_error();
	return err;
}

/* ---- requests ------------------------------------------------------------------------------------------------------------ */

/* The peer's choice by the key. NULL: the algorithm has its own. */
static const EVP_MD *digest_for(const struct alg *alg)
{
	if (alg == &alg_ed25519)
		return NULL;
	return digest_evp(alg->bits == 384 ? DIGEST_SHA2_384 : alg->bits == 521 ? DIGEST_SHA2_512 : DIGEST_SHA2_256);
}

/* Of the attributes only the requested extensions: a challenge password says nothing of this key. */
static bool copy_attributes(const X509_REQ *from, X509_REQ *to)
{
	for (int i = 0; i < X509_REQ_get_attr_count(from); i++) {
		X509_ATTRIBUTE *attribute = X509_REQ_get_attr(from, i);

		if (OBJ_obj2nid(X509_ATTRIBUTE_get0_object(attribute)) == NID_ext_req && X509_REQ_add1_attr(to, attribute) != 1)
			return false;
	}
	return true;
}

static X509_REQ *read_template(struct bulla_bytes der)
{
	const unsigned char *p = der.ptr;
	X509_REQ *request = der.len <= LONG_MAX ? d2i_X509_REQ(NULL, &p, (long)der.len) : NULL;

	if (request != NULL && p != der.ptr + der.len) {
		X509_REQ_free(request);
		return NULL;
	}
	return request;
}

static bool fill(X509_REQ *request, const X509_REQ *template, const struct pkey *pkey)
{
	if (X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 || X509_REQ_set_pubkey(request, pkey->evp) != 1)
		return false;
	if (template != NULL && (X509_REQ_set_subject_name(request, X509_REQ_get_subject_name(template)) != 1 ||
				 !copy_attributes(template, request)))
		return false;
	return X509_REQ_sign(request, pkey->evp, digest_for(pkey->alg)) > 0;
}

enum bulla_err x509_request(const struct pkey *pkey, struct bulla_bytes template, struct material *out)
{
	X509_REQ *from = NULL, *request = NULL;
	unsigned char *der = NULL;
	enum bulla_err err = BULLA_E_CRYPTO;

	if (template.len > 0 && (from = read_template(template)) == NULL) {
		ERR_clear_error();
		return BULLA_E_BAD_FIELD;
	}
	request = pkey->private ? X509_REQ_new() : NULL;
	if (request != NULL && fill(request, from, pkey)) {
		int len = i2d_X509_REQ(request, &der);

		if (len > 0)
			err = material_copy(bulla_mem(der, (size_t)len), out);
	}
	OPENSSL_free(der);
	X509_REQ_free(request);
	X509_REQ_free(from);
	ERR_clear_error();
	return err;
}

/* ---- certificates --------------------------------------------------------------------------------------------------------- */

static const char *algorithm_of(const EVP_PKEY *key)
{
	switch (key == NULL ? NID_undef : EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		return "RSA";
	case EVP_PKEY_EC:
		return "ECDSA";
	case EVP_PKEY_ED25519:
		return "Ed25519";
	default:
		return "0";
	}
}

static enum bulla_err read_facts(X509 *certificate, struct x509_facts *facts)
{
	EVP_PKEY *key = X509_get0_pubkey(certificate);
	uint32_t flags = X509_get_extension_flags(certificate);
	unsigned char *der = NULL;
	int len = key == NULL ? 0 : i2d_PUBKEY(key, &der);
	enum bulla_err err = BULLA_OK;

	if ((flags & EXFLAG_INVALID) != 0)
		err = BULLA_E_BAD_FIELD;
	if (err == BULLA_OK && len > 0)
		err = material_copy(bulla_mem(der, (size_t)len), &facts->public);
	facts->is_ca = (flags & EXFLAG_BCONS) != 0 && (flags & EXFLAG_CA) != 0;
	facts->algorithm = algorithm_of(key);
	OPENSSL_free(der);
	return err;
}

enum bulla_err x509_certificate(struct bulla_bytes der, struct x509_facts *facts)
{
	const unsigned char *p = der.ptr;
	X509 *certificate = der.len <= LONG_MAX ? d2i_X509(NULL, &p, (long)der.len) : NULL;
	enum bulla_err err = BULLA_E_BAD_FIELD;

	if (certificate != NULL && p == der.ptr + der.len)
		err = read_facts(certificate, facts);
	X509_free(certificate);
	ERR_clear_error();
	return err;
}
