/* fetch_trust.c: which authorities a libcurl handle trusts, and which of several of one name a server's certificate comes from, where
 * libcurl stands on OpenSSL, which takes the first. Any thread. */
#define _GNU_SOURCE /* memfd_create */
#include "http/fetch_trust.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "http/file.h"

/* libcurl with GnuTLS takes certificates from files only: one in memory. */
static bool set_file(CURL *curl, struct bulla_bytes pem, int *file)
{
	char path[32];
	int fd = memfd_create("ca", MFD_CLOEXEC);

	if (fd < 0)
		return false;
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (file_write_all(fd, pem) && curl_easy_setopt(curl, CURLOPT_CAINFO, path) == CURLE_OK) {
		*file = fd;
		return true;
	}
	close(fd);
	return false;
}

bool fetch_trust_only(CURL *curl, struct bulla_bytes pem, int *file)
{
	struct curl_blob blob = { .data = (void *)(uintptr_t)pem.ptr, .len = pem.len, .flags = CURL_BLOB_COPY };

	*file = -1;
	if (curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) != CURLE_OK)
		return false;
	if (curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob) != CURLE_OK)
		return set_file(curl, pem, file);
	return curl_easy_setopt(curl, CURLOPT_CAINFO, NULL) == CURLE_OK;
}

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
