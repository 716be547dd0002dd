/* tls_shake.c: handshakes on sessions that libmicrohttpd has made and will use afterwards. It would call
 * gnutls_handshake again and again for a client that is silent, tells nobody why one failed, and sends no alert. So a
 * handshake is ours, and libmicrohttpd finds it done: for TLS 1.3 another gnutls_handshake of a server does nothing
 * then; for TLS 1.2 it would begin a new one, so that the last flight is kept back, and goes out when libmicrohttpd
 * calls. A session belongs to one thread. */
#include "http/tls_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define MOST_WARNINGS 4

/* ---- what GnuTLS calls -------------------------------------------------------- */

static int retrieve(gnutls_session_t session, const gnutls_datum_t *ca_names, int ca_count,
		    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
		    unsigned *chain_len, gnutls_privkey_t *key)
{
	const struct tls_shake *shake = gnutls_session_get_ptr(session);

	(void)ca_names, (void)ca_count, (void)algorithms, (void)algorithm_count;
	*chain = shake->creds->chain;
	*chain_len = shake->creds->count;
	*key = shake->creds->key;
	return 0;
}

static int retrieve_none(gnutls_session_t session, const gnutls_datum_t *ca_names, int ca_count,
			 const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
			 unsigned *chain_len, gnutls_privkey_t *key)
{
	(void)session, (void)ca_names, (void)ca_count, (void)algorithms, (void)algorithm_count;
	(void)chain, (void)chain_len, (void)key;
	return -1;
}

void (*tls_no_certificate(void))(void)
{
	union {
		gnutls_certificate_retrieve_function2 *typed;
		void (*plain)(void);
	} callback = { .typed = retrieve_none };

	return callback.plain;
}

void tls_creds_serve(struct tls_creds *creds)
{
	gnutls_certificate_set_retrieve_function2(creds->cred, retrieve);
}

static ssize_t not_yet(gnutls_transport_ptr_t transport, const giovec_t *parts, int count)
{
	(void)transport, (void)parts, (void)count;
	errno = EAGAIN;
	return -1;
}

/* What GnuTLS does by itself, which it cannot be told to do again. */
static ssize_t out(gnutls_transport_ptr_t transport, const giovec_t *parts, int count)
{
	const struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count };

	return sendmsg((int)(intptr_t)transport, &message, MSG_NOSIGNAL);
}

static ssize_t no_more_out(gnutls_transport_ptr_t transport, const giovec_t *parts, int count)
{
	(void)transport, (void)parts, (void)count;
	errno = EPIPE;
	return -1;
}

static ssize_t no_more_in(gnutls_transport_ptr_t transport, void *to, size_t size)
{
	(void)transport, (void)to, (void)size;
	errno = ECONNRESET;
	return -1;
}

/* The client's Finished has been accepted. */
static int finished(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
		    const gnutls_datum_t *message)
{
	struct tls_shake *shake = gnutls_session_get_ptr(session);

	(void)type, (void)when, (void)message;
	if (incoming && gnutls_protocol_get_version(session) != GNUTLS_TLS1_3) {
		shake->last_flight = true;
		gnutls_transport_set_vec_push_function(session, not_yet);
	}
	return 0;
}

/* The version is known, the suite is not chosen yet. */
static int hello_read(gnutls_session_t session)
{
	const struct tls_shake *shake = gnutls_session_get_ptr(session);

	if (gnutls_protocol_get_version(session) == GNUTLS_TLS1_3)
		return 0;
	if (shake->creds->tls12 == NULL)
		return GNUTLS_E_NO_CIPHER_SUITES;
	return gnutls_priority_set(session, shake->creds->tls12);
}

/* ---- the handshake -------------------------------------------------------------- */

static int verify_client(gnutls_session_t session)
{
	struct tls_shake *shake = gnutls_session_get_ptr(session);

	shake->status = tls_trust_verify(shake->creds->trust, session);
	return shake->status == 0 ? 0 : GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

/* What was wrong with the client's certificate. */
static unsigned status_of(gnutls_session_t session)
{
	const struct tls_shake *shake = gnutls_session_get_ptr(session);

	return shake->creds->trust != NULL ? shake->status : gnutls_session_get_verify_cert_status(session);
}

static void demand_client(gnutls_session_t session, const struct tls_creds *creds)
{
	/* GnuTLS keeps the pointer */
	static unsigned char client[] = GNUTLS_KP_TLS_WWW_CLIENT;
	static gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = client };

	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	if (creds->trust != NULL)
		gnutls_session_set_verify_function(session, verify_client);
	else
		gnutls_session_set_verify_cert2(session, &purpose, 1, 0);
	if (creds->settings->client_ca_file == NULL)
		gnutls_certificate_send_x509_rdn_sequence(session, 1); /* not the names of all that the system trusts */
}

bool tls_begin(struct tls_shake *shake, struct tls *tls, void *session)
{
	struct tls_creds *creds = tls_creds_take(tls);

	*shake = (struct tls_shake){ .creds = creds, .session = session };
	gnutls_session_set_ptr(session, shake);
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, finished);
	if (creds->settings->suites != 0)
		gnutls_handshake_set_post_client_hello_function(session, hello_read);
	if (creds->settings->demands_client)
		demand_client(session, creds);
	else if (creds->settings->asks_client)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, creds->cred) >= 0;
}

static void tell(gnutls_session_t session, int e, char why[TLS_WHY])
{
	gnutls_datum_t text = { 0 };

	switch (e) {
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
	case GNUTLS_E_WARNING_ALERT_RECEIVED:
		snprintf(why, TLS_WHY, "the client says: %s", gnutls_alert_get_name(gnutls_alert_get(session)));
		return;
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PUSH_ERROR:
		snprintf(why, TLS_WHY, "the client has left");
		return;
	case GNUTLS_E_CERTIFICATE_ERROR:
	case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
		if (gnutls_certificate_verification_status_print(status_of(session), GNUTLS_CRT_X509, &text, 0) >= 0)
			snprintf(why, TLS_WHY, "%s", (const char *)text.data);
		else
			snprintf(why, TLS_WHY, "%s", gnutls_strerror(e));
		gnutls_free(text.data);
		return;
	default:
		snprintf(why, TLS_WHY, "%s", gnutls_strerror(e));
	}
}

/* As Go's TLS tells it, where GnuTLS would say no more than "bad certificate". */
static void send_alert(gnutls_session_t session, int e)
{
	unsigned status = e == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR ? status_of(session) : 0;

	if ((status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA)) != 0)
		(void)gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_UNKNOWN_CA);
	else if ((status & GNUTLS_CERT_EXPIRED) != 0)
		(void)gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_CERTIFICATE_EXPIRED);
	else
		(void)gnutls_alert_send_appropriate(session, e);
}

/* libmicrohttpd will call gnutls_handshake once more before it closes: whatever state that finds, nothing goes in or
 * out. */
static enum tls_step fail(gnutls_session_t session, int e, char why[TLS_WHY])
{
	tell(session, e, why);
	send_alert(session, e);
	gnutls_transport_set_pull_function(session, no_more_in);
	gnutls_transport_set_vec_push_function(session, no_more_out);
	return TLS_FAILED;
}

enum tls_step tls_step(struct tls_shake *shake, char why[TLS_WHY])
{
	gnutls_session_t session = shake->session;
	int e = gnutls_handshake(session);

	for (int i = 0; e < 0 && e != GNUTLS_E_AGAIN && gnutls_error_is_fatal(e) == 0 && i < MOST_WARNINGS; i++)
		e = gnutls_handshake(session);
	if (e == GNUTLS_E_AGAIN && shake->last_flight) {
		gnutls_transport_set_vec_push_function(session, out);
		return TLS_DONE;
	}
	if (e == GNUTLS_E_AGAIN)
		return gnutls_record_get_direction(session) == 0 ? TLS_READS : TLS_WRITES;
	if (e == 0 && gnutls_protocol_get_version(session) == GNUTLS_TLS1_3)
		return TLS_DONE;
	/* a TLS 1.2 handshake that ends with the client's flight is a resumption, which nobody offers */
	return fail(session, e == 0 ? GNUTLS_E_INTERNAL_ERROR : e, why);
}

void tls_end(struct tls_shake *shake)
{
	if (shake->creds == NULL)
		return;
	gnutls_session_set_ptr(shake->session, NULL);
	(void)gnutls_credentials_set(shake->session, GNUTLS_CRD_CERTIFICATE, NULL);
	tls_creds_release(shake->creds);
	shake->creds = NULL;
}

const struct bulla_bytes *tls_client_chain(void *session, struct bulla_arena *arena, size_t *count)
{
	unsigned n = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);

	*count = 0;
	if (chain == NULL || n == 0)
		return NULL;
	n = n < TLS_MAX_CHAIN ? n : TLS_MAX_CHAIN;
	struct bulla_bytes *out = bulla_arena_alloc(arena, n * sizeof *out);

	for (unsigned i = 0; out != NULL && i < n; i++)
		out[i] = bulla_mem(chain[i].data, chain[i].size);
	*count = out != NULL ? n : 0;
	return out;
}
