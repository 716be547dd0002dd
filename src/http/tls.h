/* tls.h: certificates of TLS listeners, and what GnuTLS has to be told once. tls.c is the only file that knows GnuTLS. */
#ifndef BULLA_HTTP_TLS_H
#define BULLA_HTTP_TLS_H

#include <bulla.h>

/* The certificate chain and key of one listener. Reloading is safe while connections are being made. */
struct tls;

/* Gives GnuTLS allocators that wipe, and the function that finds the struct tls of a connection (what the HTTP library set
 * as the session's pointer). Call once, before anything else of GnuTLS runs. */
void tls_init(struct tls *(*find)(void *connection));

/* Reads PEM files. CONFIG: unreadable, not PEM, key and certificate do not belong together; the detail names the file. */
BULLA_MUST_USE enum bulla_err tls_new(const char *cert_file, const char *key_file, struct bulla_call *call, struct tls **out);
void tls_free(struct tls *tls); /* no connection may be left; NULL is fine */

/* Reads the files again; on failure the old certificate stays. CONFIG. One thread at a time. */
BULLA_MUST_USE enum bulla_err tls_reload(struct tls *tls, struct bulla_call *call);

/* GnuTLS's priority string for "tls12", "tls13" or NULL (tls12); NULL: not a version we offer. */
const char *tls_priorities(const char *min_version);

/* The certificate callback, for the HTTP library to hand to GnuTLS. */
void (*tls_certificate_callback(void))(void);

/* Asks the peer of this session (a gnutls_session_t) for a certificate that its credentials' CA signed, or ends it. */
void tls_demand_client(void *session);

/* A CA and a server certificate signed by it, for localhost, 127.0.0.1 and ::1, valid a year: for -dev-tls. PEM texts in the
 * call's arena. CRYPTO. */
struct tls_texts {
	struct bulla_bytes ca, cert, key;
};
BULLA_MUST_USE enum bulla_err tls_make_dev(struct bulla_call *call, struct tls_texts *out);

/* Asks the peer of this session for a certificate, which it may leave out; nobody checks who issued it. */
void tls_request_client(void *session);

/* What the peer of this session sent, in DER, its own first; at most TLS_MAX_CHAIN. The bytes are the session's, the array is in the
 * arena. NULL: nothing, or no memory. */
#define TLS_MAX_CHAIN 16
const struct bulla_bytes *tls_client_chain(void *session, struct bulla_arena *arena, size_t *count);

/* PEM text of a client CA file, checked, NUL-terminated, in the call's arena. CONFIG. */
BULLA_MUST_USE enum bulla_err tls_read_ca(const char *file, struct bulla_call *call, const char **out);

#endif
