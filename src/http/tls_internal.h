/* tls_internal.h: what the tls*.c files share, and nobody else. */
#ifndef BULLA_HTTP_TLS_INTERNAL_H
#define BULLA_HTTP_TLS_INTERNAL_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdatomic.h>

#include "http/tls.h"

#define TLS_MAX_OWN 16 /* certificates in a chain of ours */

/* What was read from a listener's files at one time. It does not change, and goes with the last handshake that uses
 * it. */
struct tls_creds {
	atomic_uint holders;
	const struct tls_settings *settings;
	gnutls_certificate_credentials_t cred; /* the authorities for clients */
	gnutls_pcert_st chain[TLS_MAX_OWN];
	unsigned count;
	gnutls_privkey_t key;
	struct tls_trust *trust; /* NULL: the authorities have different names, and GnuTLS knows them apart */
	gnutls_priority_t tls12; /* where suites were chosen; NULL: there are none for this key */
	int64_t ends_s;
};

struct tls_creds *tls_creds_take(struct tls *tls); /* any thread */
void tls_creds_release(struct tls_creds *creds);   /* any thread; NULL is fine */
void tls_creds_serve(struct tls_creds *creds);     /* makes its certificate that of the sessions which have it */

/* ---- tls_trust.c ---- */

/* certificates: count of gnutls_x509_crt_t, copied. *out NULL: no two of them share a name. An error of GnuTLS: more than 16 do, or no
 * memory. */
BULLA_MUST_USE int tls_trust_new(const void *certificates, unsigned count, struct tls_trust **out);
void tls_trust_free(struct tls_trust *trust); /* NULL is fine */
/* What is wrong with what the client of this session sent, as GnuTLS's status; 0: nothing. */
unsigned tls_trust_verify(const struct tls_trust *trust, void *session);

/* tls_offer.c: what TLS 1.2 may use of a set of suites with a key of this kind, in the arena. Empty: nothing. */
struct bulla_bytes tls_priorities12(struct bulla_arena *arena, unsigned suites, bool rsa);

#endif
