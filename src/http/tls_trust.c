/* tls_trust.c: owns the authorities for clients where some share a name. GnuTLS takes the last one of a name for the
 * issuer and does not come back, so each stands in a list in which it is the only one of its name, and whoever one of
 * the lists trusts is trusted. Made with its listener's files and not changed; any thread. */
#include <gnutls/x509.h>
#include <stdlib.h>

#include "http/tls_internal.h"

#define MAX_LISTS 16 /* authorities of one name */
#define MAX_SENT 16

struct tls_trust {
	gnutls_x509_trust_list_t lists[MAX_LISTS];
	unsigned count;
};

void tls_trust_free(struct tls_trust *trust)
{
	for (unsigned i = 0; trust != NULL && i < trust->count; i++)
		gnutls_x509_trust_list_deinit(trust->lists[i], 1);
	free(trust);
}

static bool same_name(gnutls_x509_crt_t a, gnutls_x509_crt_t b)
{
	gnutls_datum_t one = { 0 }, other = { 0 };
	bool same = gnutls_x509_crt_get_raw_dn(a, &one) >= 0 && gnutls_x509_crt_get_raw_dn(b, &other) >= 0 &&
		    one.size == other.size && memcmp(one.data, other.data, one.size) == 0;

	gnutls_free(one.data);
	gnutls_free(other.data);
	return same;
}

/* How many of the certificates before list[at] have its name. */
static unsigned rank(const gnutls_x509_crt_t *list, unsigned at)
{
	unsigned n = 0;

	for (unsigned i = 0; i < at; i++)
		n += same_name(list[i], list[at]);
	return n;
}

/* A copy of it, which the trust list owns. */
static int add(struct tls_trust *trust, unsigned to, gnutls_x509_crt_t certificate)
{
	gnutls_x509_crt_t copy = NULL;
	gnutls_datum_t der = { 0 };

	if (to == trust->count) {
		int e = gnutls_x509_trust_list_init(&trust->lists[to], 0);

		if (e < 0)
			return e;
		trust->count++;
	}
	int e = gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, &der);

	if (e >= 0)
		e = gnutls_x509_crt_init(&copy);
	if (e >= 0)
		e = gnutls_x509_crt_import(copy, &der, GNUTLS_X509_FMT_DER);
	if (e >= 0)
		e = gnutls_x509_trust_list_add_cas(trust->lists[to], &copy, 1, 0);
	if (e <= 0 && copy != NULL)
		gnutls_x509_crt_deinit(copy);
	gnutls_free(der.data);
	return e;
}

int tls_trust_new(const void *certificates, unsigned count, struct tls_trust **out)
{
	const gnutls_x509_crt_t *list = certificates;
	bool shared = false;

	*out = NULL;
	for (unsigned i = 1; i < count && !shared; i++)
		shared = rank(list, i) > 0;
	if (!shared)
		return 0;
	struct tls_trust *trust = calloc(1, sizeof *trust);
	int e = trust != NULL ? 0 : GNUTLS_E_MEMORY_ERROR;

	for (unsigned i = 0; e >= 0 && i < count; i++) {
		unsigned to = rank(list, i);

		e = to < MAX_LISTS ? add(trust, to, list[i]) : GNUTLS_E_INTERNAL_ERROR;
	}
	if (e < 0)
		tls_trust_free(trust);
	else
		*out = trust;
	return e < 0 ? e : 0;
}

static unsigned verify(const struct tls_trust *trust, gnutls_x509_crt_t *sent, unsigned count)
{
	static unsigned char client[] = GNUTLS_KP_TLS_WWW_CLIENT;
	gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = client };
	unsigned first = GNUTLS_CERT_INVALID | GNUTLS_CERT_SIGNER_NOT_FOUND;

	for (unsigned i = 0; i < trust->count; i++) {
		unsigned status = 0;
		int e = gnutls_x509_trust_list_verify_crt2(trust->lists[i], sent, count, &purpose, 1,
							   GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_LOW), &status, NULL);

		if (e >= 0 && status == 0)
			return 0;
		if (e >= 0 && (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNATURE_FAILURE)) == 0)
			first = status; /* its issuer is known, and this is what is wrong with it */
	}
	return first;
}

unsigned tls_trust_verify(const struct tls_trust *trust, void *session)
{
	gnutls_x509_crt_t sent[MAX_SENT];
	unsigned n = 0, count = 0, status = GNUTLS_CERT_INVALID;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);

	for (; chain != NULL && count < n && count < MAX_SENT; count++) {
		if (gnutls_x509_crt_init(&sent[count]) < 0)
			break;
		if (gnutls_x509_crt_import(sent[count], &chain[count], GNUTLS_X509_FMT_DER) < 0) {
			gnutls_x509_crt_deinit(sent[count]);
			break;
		}
	}
	if (count > 0 && (count == n || count == MAX_SENT))
		status = verify(trust, sent, count);
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(sent[i]);
	return status;
}
