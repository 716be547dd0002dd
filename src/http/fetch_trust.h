/* fetch_trust.h: whom a libcurl handle believes a server's certificate, whatever TLS library libcurl has. For fetch.c, and for the client of
 * the commands. */
#ifndef BULLA_HTTP_FETCH_TRUST_H
#define BULLA_HTTP_FETCH_TRUST_H

#include <bulla/bytes.h>
#include <curl/curl.h>
#include <stdbool.h>

/* The authorities of the PEM text and no others: libcurl would go on to trust those of the system's folder. *file: -1, or what has to stay
 * open until the last transfer, and then to be closed. false: no memory, nor such a file. */
bool fetch_trust_only(CURL *curl, struct bulla_bytes pem, int *file);

/* Has the issuer of a server's certificate found by its signature, not by its name alone. Nothing happens where libcurl
 * has another TLS library than OpenSSL. false: no memory. */
bool fetch_trust_by_signature(CURL *curl);

#endif
