/* x509.h: PEM from outside, certificate requests and what is looked at in certificates (RFC 7468, 2986, 5280). Any thread, after
 * crypto_init. */
#ifndef BULLA_CRYPTO_X509_H
#define BULLA_CRYPTO_X509_H

#include "crypto/pkey.h"

/* The first PEM block of text. label has room for PEM_LABEL; *der gets its bytes; *rest (may be NULL) what follows.
 * BAD_FIELD: there is none; NO_MEMORY: it is longer than MATERIAL_MAX, too. */
#define PEM_LABEL 64
BULLA_MUST_USE enum bulla_err pem_read(struct bulla_bytes text, char label[PEM_LABEL], struct material *der, struct bulla_bytes *rest);

/* A request signed by pkey, in DER, with the subject and the requested extensions of template (DER; empty: none).
 * BAD_FIELD: template is no request; CRYPTO: also a public key; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err x509_request(const struct pkey *pkey, struct bulla_bytes template, struct material *out);

struct x509_facts {
	bool is_ca;             /* basic constraints say so */
	const char *algorithm;  /* of its public key, as Go calls it: "RSA", "ECDSA", "Ed25519"; else "0" */
	struct material public; /* SubjectPublicKeyInfo in DER, as pkey_encode makes it */
};
/* facts->public is the caller's. BAD_FIELD: it is no certificate; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err x509_certificate(struct bulla_bytes der, struct x509_facts *facts);

#endif
