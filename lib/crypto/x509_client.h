/* x509_client.h: certificates that clients prove themselves with: what stands in them, and whether they come from whom we trust
 * (RFC 5280). Any thread, after crypto_init. What is returned lies in the call's arena. */
#ifndef BULLA_CRYPTO_X509_CLIENT_H
#define BULLA_CRYPTO_X509_CLIENT_H

#include "bulla/call.h"

#define X509_MAX_CERTIFICATES 32 /* of a chain, of a text of anchors */

struct x509_list {
	struct bulla_bytes *items;
	size_t count;
};

/* Texts are UTF-8. A name with a NUL in it is left out: it would be read differently by others. */
struct x509_names {
	struct bulla_bytes common_name;  /* the last of them; empty: none */
	struct x509_list units, dns, emails, uris;
	struct bulla_bytes serial;       /* in decimal */
	struct bulla_bytes subject_key_id, authority_key_id; /* raw; empty: none */
	bool is_ca;
	bool for_clients; /* its extended key usage is absent, or has clientAuth or any */
};

/* BAD_FIELD: it is no certificate, or one whose extensions cannot be read; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err x509_names_read(struct bulla_call *call, struct bulla_bytes der, struct x509_names *out);

/* The certificates in a PEM text, in DER. Other blocks are passed over, as are certificates that cannot be read. BAD_FIELD: none;
 * NO_MEMORY. */
BULLA_MUST_USE enum bulla_err x509_pem_all(struct bulla_call *call, struct bulla_bytes pem, struct x509_list *out);

/* Whether chain[0], by way of some of the others, was issued by one of the anchors (or is one), is good at now_s and may be a TLS
 * client's. Who issued what is decided by signatures, and every way is tried: names may be shared, and the order does not matter.
 * AUTH_FAILED: no anchor issued it. BAD_FIELD, with a detail: one did, but it is expired, not for clients, or against what an
 * authority on the way may issue. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err x509_client_verify(struct bulla_call *call, const struct x509_list *chain, const struct x509_list *anchors,
						 int64_t now_s);

/* The value of the extension of an OID ("1.2.3.4"), which is an ASN.1 string; empty where it is not. NOT_FOUND: it is not there, or
 * oid is none. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err x509_extension(struct bulla_call *call, struct bulla_bytes der, struct bulla_bytes oid,
					     struct bulla_bytes *out);

#endif
