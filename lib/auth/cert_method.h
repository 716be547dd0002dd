/* cert_method.h: what the files of auth/cert share. Nobody else includes it. Workers only. */
#ifndef BULLA_AUTH_CERT_METHOD_H
#define BULLA_AUTH_CERT_METHOD_H

#include "auth/auth.h"
#include "bulla/cert.h"

/* Kinds of documents. */
#define CERT_ENTRY "cert-entry"
#define CERT_CONFIG "cert-config"

extern const struct auth_method auth_cert; /* its row */

/* name in lower case already. NOT_FOUND. */
BULLA_MUST_USE enum bulla_err cert_get(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
				       struct bulla_bytes name, struct bulla_cert_entry *out);
BULLA_MUST_USE enum bulla_err cert_names(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
					 struct bulla_bytes **names, size_t *count);
BULLA_MUST_USE enum bulla_err cert_config(struct auth *auth, struct bulla_call *call, const struct bulla_mount *mount,
					  struct bulla_cert_config *out);

#endif
