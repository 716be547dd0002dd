/* x509_private.h: what the files of clients' certificates share: x509_client.c, x509_chain.c. Nobody else has it. */
#ifndef BULLA_CRYPTO_X509_PRIVATE_H
#define BULLA_CRYPTO_X509_PRIVATE_H

#include <openssl/types.h>

#include "crypto/x509_client.h"

/* A certificate in DER, all of it. NULL: it is none, or there is no memory. The caller's, for X509_free. */
X509 *x509_parse(struct bulla_bytes der);

#endif
