/* fetch_trust.h: how fetch.c tells authorities of one name apart. Nobody else includes it. */
#ifndef BULLA_HTTP_FETCH_TRUST_H
#define BULLA_HTTP_FETCH_TRUST_H

#include <curl/curl.h>
#include <stdbool.h>

/* Has the issuer of a server's certificate found by its signature, not by its name alone. Nothing happens where libcurl
 * has another TLS library than OpenSSL. false: no memory. */
bool fetch_trust_by_signature(CURL *curl);

#endif
