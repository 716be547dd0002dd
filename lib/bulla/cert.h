/* cert.h: logins by TLS client certificate: auth/cert. An entry trusts CAs, whose certificates may log in if their names fit, or single
 * certificates. No revocation lists and no OCSP: short-lived certificates, or an entry's removal. All functions block. */
#ifndef BULLA_CERT_H
#define BULLA_CERT_H

#include "mounts.h"
#include "token_params.h"

BULLA_DECLS_BEGIN

enum bulla_cert_names {
	BULLA_CERT_NAMES,        /* the common name, a DNS name or an e-mail address */
	BULLA_CERT_COMMON_NAMES, BULLA_CERT_DNS, BULLA_CERT_EMAILS, BULLA_CERT_URIS, BULLA_CERT_UNITS,
	BULLA_CERT_EXTENSIONS,   /* "oid:value": all of them must fit, where of the lists above one has to */
	BULLA_CERT_METADATA,     /* OIDs of extensions that become the token's metadata */
	BULLA_CERT_LISTS
};

/* In the arena where it is read. */
struct bulla_cert_entry {
	struct bulla_role_params params;
	struct bulla_bytes certificate;  /* PEM: CAs, or the one certificate */
	struct bulla_bytes display_name; /* empty: the entry's name */
	struct {
		const struct bulla_bytes *items; /* '*' stands for anything */
		size_t count;
		bool given; /* even if it is empty: then that is shown */
	} lists[BULLA_CERT_LISTS];
};

/* Lays what is given over what there is (zeros: it is new). Called anew with what there is then, if somebody else came before. */
typedef enum bulla_err bulla_cert_merge(struct bulla_call *call, struct bulla_cert_entry *entry, const void *given);
/* INVALID with the peer's texts, and merge's errors. */
BULLA_MUST_USE enum bulla_err bulla_cert_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					       struct bulla_bytes name, const struct bulla_role_params_change *change,
					       bulla_cert_merge *merge, const void *given);
/* NOT_FOUND. */
BULLA_MUST_USE enum bulla_err bulla_cert_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					      struct bulla_bytes name, struct bulla_cert_entry *out);
/* None of that name is fine. */
BULLA_MUST_USE enum bulla_err bulla_cert_delete(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						struct bulla_bytes name);
/* Sorted, in the arena. */
BULLA_MUST_USE enum bulla_err bulla_cert_list(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					      struct bulla_bytes **names, size_t *count);

/* Settings of a mount. disable_binding: a token may be renewed over a connection without the certificate it was got with. */
struct bulla_cert_config {
	bool disable_binding;
};
BULLA_MUST_USE enum bulla_err bulla_cert_config_write(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						      const struct bulla_cert_config *config);
/* Defaults where none were written. */
BULLA_MUST_USE enum bulla_err bulla_cert_config_read(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
						     struct bulla_cert_config *out);

/* By call->client_chain. name: of the one entry to try; empty: any. *out as of bulla_token_create.
 * INVALID, DENIED with the peer's texts. */
BULLA_MUST_USE enum bulla_err bulla_cert_login(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
					       struct bulla_bytes name, struct bulla_auth *out);

BULLA_DECLS_END

#endif
