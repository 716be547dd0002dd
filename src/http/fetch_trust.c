/* fetch_trust.c: which of several authorities of one name a server's certificate comes from, where libcurl stands on
 * OpenSSL, which takes the first. Any thread. */
#include "http/fetch_trust.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* By its signature. */
static int is_issuer(X509_STORE_CTX *ctx, X509 *certificate, X509 *issuer)
{
	EVP_PKEY *key = X509_get0_pubkey(issuer);

	(void)ctx;
	if (key == NULL || X509_check_issued(issuer, certificate) != X509_V_OK)
		return 0;
	ERR_set_mark();
	int good = X509_verify(certificate, key) == 1;

	ERR_pop_to_mark();
	return good;
}

static CURLcode set_up(CURL *curl, void *ssl, void *context)
{
	(void)curl, (void)context;
	X509_STORE_set_check_issued(SSL_CTX_get_cert_store(ssl), is_issuer);
	return CURLE_OK;
}

bool fetch_trust_by_signature(CURL *curl)
{
	CURLcode code = curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, set_up);

	return code == CURLE_OK || code == CURLE_NOT_BUILT_IN || code == CURLE_UNKNOWN_OPTION;
}
