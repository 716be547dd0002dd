/* tls.h: certificates of TLS listeners, handshakes, and what GnuTLS has to be told once. tls*.c are the only files
 * that know GnuTLS. */
#ifndef BULLA_HTTP_TLS_H
#define BULLA_HTTP_TLS_H

#include <bulla.h>

/* What a listener's handshakes use: certificate, key, the authorities that clients are checked against. Read anew as
 * a whole; a handshake ends with what it began with. */
struct tls;

/* Borrowed for as long as the struct tls lives. */
struct tls_settings {
	const char *cert_file, *key_file; /* PEM */
	const char *client_ca_file;       /* PEM; for demands_client only; NULL: the system's authorities */
	const char *min_version;          /* "tls12", "tls13"; NULL: tls12 */
	unsigned suites;                  /* of TLS 1.2, a set of tls_suites_parse; 0: all */
	bool demands_client;              /* a certificate of those authorities, for clients (extended key usage) */
	bool asks_client;                 /* for a certificate, which may be left out; nobody checks who issued it */
};

/* Gives GnuTLS allocators that wipe. Call once, before anything else of GnuTLS runs. */
void tls_init(void);

/* tls_memory.c: a failed allocation in the arithmetic below GnuTLS does not end the process. tls_init calls it. */
void tls_memory_init(void);

/* Reads PEM files. CONFIG: unreadable, not PEM, key and certificate do not belong together; the detail names the
 * file. */
BULLA_MUST_USE enum bulla_err tls_new(const struct tls_settings *settings, struct bulla_call *call, struct tls **out);
void tls_free(struct tls *tls); /* no handshake may be left; NULL is fine */

/* Reads the files again; on failure all stays as it is. CONFIG. One thread at a time, beside handshakes. */
BULLA_MUST_USE enum bulla_err tls_reload(struct tls *tls, struct bulla_call *call);

/* When the first certificate of the chain in use ends, in seconds since 1970. Any thread. */
int64_t tls_ends_s(struct tls *tls);

/* ---- what TLS offers (tls_offer.c) ---- */

/* GnuTLS's priority string for "tls12", "tls13" or NULL (tls12); NULL: not a version we offer. */
const char *tls_priorities(const char *min_version);

/* The suites of TLS 1.2 by the names that Go gives them, with commas between, as a set that is never 0: those of TLS
 * 1.3 are known and always offered. False: why, with the name, in the arena (no memory: empty). */
bool tls_suites_parse(struct bulla_arena *arena, const char *text, unsigned *set, struct bulla_bytes *why);

/* ---- handshakes (tls_shake.c) ---- */

/* One handshake, from the session's making until it is done or has failed. One thread. */
struct tls_shake {
	struct tls_creds *creds; /* NULL: none is under way */
	void *session;           /* a gnutls_session_t, the HTTP library's */
	unsigned status;         /* what is wrong with the client's certificate, where creds->trust says it */
	bool last_flight;
};

/* READS, WRITES: to be called again when the socket can be read, or written. DONE: the HTTP library may have the
 * session, for which a handshake takes no more than sending. FAILED: a fatal alert has been sent as far as that goes,
 * and nothing will pass any more. */
enum tls_step { TLS_READS, TLS_WRITES, TLS_DONE, TLS_FAILED };
#define TLS_WHY 200

/* False: no memory. */
bool tls_begin(struct tls_shake *shake, struct tls *tls, void *session);
enum tls_step tls_step(struct tls_shake *shake, char why[TLS_WHY]); /* why: if FAILED, in words, without secrets */
void tls_end(struct tls_shake *shake); /* however far it is; also a second time */

/* For the HTTP library, which wants one: a certificate callback that has none. Each session gets its own from
 * tls_begin. */
void (*tls_no_certificate(void))(void);

/* What the peer of this session sent, in DER, its own first; at most TLS_MAX_CHAIN. The bytes are the session's, the
 * array is in the arena. NULL: nothing, or no memory. */
#define TLS_MAX_CHAIN 16
const struct bulla_bytes *tls_client_chain(void *session, struct bulla_arena *arena, size_t *count);

/* ---- for -dev-tls (tls_dev.c) ---- */

/* A CA and a server certificate signed by it, for localhost, 127.0.0.1 and ::1, valid a year. PEM texts in the call's
 * arena. CRYPTO. */
struct tls_texts {
	struct bulla_bytes ca, cert, key;
};
BULLA_MUST_USE enum bulla_err tls_make_dev(struct bulla_call *call, struct tls_texts *out);

#endif
