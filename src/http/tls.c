/* tls.c: owns what TLS listeners hand to handshakes: certificate, key, authorities. A handshake holds what was
 * current when it began; a reload replaces all of it at once. GnuTLS itself is driven by libmicrohttpd, and by
 * tls_shake.c for handshakes. */
#include "http/file.h"
#include "http/tls_internal.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdlib.h>

#define MAX_FILE (1 << 20)

struct tls {
	struct tls_settings settings;
	pthread_mutex_t lock;      /* around current and the first hold of it */
	struct tls_creds *current; /* NULL: nothing has been read yet */
};

void tls_init(void)
{
	gnutls_malloc = bulla_wiping_malloc;
	gnutls_realloc = bulla_wiping_realloc;
	gnutls_free = bulla_wiping_free;
	tls_memory_init();
}

static void creds_free(struct tls_creds *creds)
{
	for (unsigned i = 0; i < creds->count; i++)
		gnutls_pcert_deinit(&creds->chain[i]);
	if (creds->key != NULL)
		gnutls_privkey_deinit(creds->key);
	if (creds->cred != NULL)
		gnutls_certificate_free_credentials(creds->cred);
	if (creds->tls12 != NULL)
		gnutls_priority_deinit(creds->tls12);
	tls_trust_free(creds->trust);
	free(creds);
}

struct tls_creds *tls_creds_take(struct tls *tls)
{
	pthread_mutex_lock(&tls->lock);
	struct tls_creds *creds = tls->current;

	atomic_fetch_add_explicit(&creds->holders, 1, memory_order_relaxed);
	pthread_mutex_unlock(&tls->lock);
	return creds;
}

void tls_creds_release(struct tls_creds *creds)
{
	if (creds != NULL && atomic_fetch_sub_explicit(&creds->holders, 1, memory_order_acq_rel) == 1)
		creds_free(creds);
}

static void creds_releasep(struct tls_creds **creds)
{
	tls_creds_release(*creds);
}

static enum bulla_err fail(struct bulla_call *call, const char *file, const char *why)
{
	return bulla_fail(call, BULLA_E_CONFIG, "%s: %s", file, why);
}

static enum bulla_err read_pem(const char *file, struct bulla_call *call, gnutls_datum_t *out)
{
	struct bulla_bytes text;

	if (!file_read(call->arena, file, MAX_FILE, &text))
		return fail(call, file, strerror(errno));
	if (text.len == 0)
		return fail(call, file, "is empty");
	*out = (gnutls_datum_t){ (unsigned char *)(uintptr_t)text.ptr, (unsigned)text.len };
	return BULLA_OK;
}

/* Whether the certificate's public key is the private key's. */
static bool belongs(const struct tls_creds *creds)
{
	unsigned char a[64], b[64];
	size_t a_len = sizeof a, b_len = sizeof b;
	gnutls_pubkey_t public = NULL;

	if (gnutls_pubkey_init(&public) < 0)
		return false;
	bool same = gnutls_pubkey_import_privkey(public, creds->key, 0, 0) >= 0 &&
		    gnutls_pubkey_get_key_id(public, 0, a, &a_len) >= 0 &&
		    gnutls_pubkey_get_key_id(creds->chain[0].pubkey, 0, b, &b_len) >= 0 && a_len == b_len &&
		    memcmp(a, b, a_len) == 0;

	gnutls_pubkey_deinit(public);
	return same;
}

static enum bulla_err load_chain(struct tls_creds *creds, struct bulla_call *call)
{
	const char *file = creds->settings->cert_file;
	unsigned count = TLS_MAX_OWN;
	gnutls_datum_t text;

	TRY(read_pem(file, call, &text));
	int e = gnutls_pcert_list_import_x509_raw(creds->chain, &count, &text, GNUTLS_X509_FMT_PEM, 0);

	if (e < 0 || count == 0)
		return fail(call, file, gnutls_strerror(e));
	creds->count = count;
	for (unsigned i = 0; i < count; i++) {
		gnutls_x509_crt_t cert = NULL;

		e = gnutls_pcert_export_x509(&creds->chain[i], &cert);
		if (e < 0)
			return fail(call, file, gnutls_strerror(e));
		int64_t ends_s = (int64_t)gnutls_x509_crt_get_expiration_time(cert);

		creds->ends_s = i == 0 || ends_s < creds->ends_s ? ends_s : creds->ends_s;
		gnutls_x509_crt_deinit(cert);
	}
	return BULLA_OK;
}

static enum bulla_err load_key(struct tls_creds *creds, struct bulla_call *call)
{
	const char *file = creds->settings->key_file;
	gnutls_datum_t text;

	TRY(read_pem(file, call, &text));
	int e = gnutls_privkey_init(&creds->key);

	if (e >= 0)
		e = gnutls_privkey_import_x509_raw(creds->key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
	bulla_wipe(text.data, text.size);
	if (e < 0)
		return fail(call, file, gnutls_strerror(e));
	return belongs(creds) ? BULLA_OK : fail(call, file, "is not the key of the certificate");
}

static enum bulla_err load_authorities(struct tls_creds *creds, struct bulla_call *call)
{
	const char *file = creds->settings->client_ca_file;
	gnutls_x509_crt_t *list = NULL;
	unsigned count = 0;
	gnutls_datum_t text;

	if (file == NULL)
		return gnutls_certificate_set_x509_system_trust(creds->cred) > 0 ? BULLA_OK :
		       fail(call, "tls_require_and_verify_client_cert",
			    "this system has no authorities; tls_client_ca_file may name some");
	TRY(read_pem(file, call, &text));
	int e = gnutls_x509_crt_list_import2(&list, &count, &text, GNUTLS_X509_FMT_PEM, 0);

	if (e >= 0 && count > 0)
		e = gnutls_certificate_set_x509_trust(creds->cred, list, (int)count);
	if (e >= 0 && count > 0)
		e = tls_trust_new(list, count, &creds->trust);
	for (unsigned i = 0; list != NULL && i < count; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
	return e < 0 || count == 0 ? fail(call, file, gnutls_strerror(e)) : BULLA_OK;
}

/* TLS 1.2 by its own priorities, so that a choice of suites does not touch TLS 1.3. The key's kind decides which of
 * them there can be. */
static enum bulla_err load_suites(struct tls_creds *creds, struct bulla_call *call)
{
	if (creds->settings->suites == 0)
		return BULLA_OK;
	bool rsa = gnutls_privkey_get_pk_algorithm(creds->key, NULL) == GNUTLS_PK_RSA;
	struct bulla_bytes text = tls_priorities12(call->arena, creds->settings->suites, rsa);
	int e = text.len == 0 ? 0 : gnutls_priority_init2(&creds->tls12, (const char *)text.ptr, NULL, 0);

	return e < 0 ? fail(call, "tls_cipher_suites", gnutls_strerror(e)) : BULLA_OK;
}

static enum bulla_err load(const struct tls *tls, struct bulla_call *call, struct tls_creds **out)
{
	struct tls_creds *creds BULLA_CLEANUP(creds_releasep) = calloc(1, sizeof *creds);

	if (creds == NULL)
		return BULLA_E_NO_MEMORY;
	creds->holders = 1;
	creds->settings = &tls->settings;
	if (gnutls_certificate_allocate_credentials(&creds->cred) < 0)
		return BULLA_E_NO_MEMORY;
	TRY(load_chain(creds, call));
	TRY(load_key(creds, call));
	if (tls->settings.demands_client)
		TRY(load_authorities(creds, call));
	TRY(load_suites(creds, call));
	tls_creds_serve(creds);
	*out = creds;
	creds = NULL;
	return BULLA_OK;
}

enum bulla_err tls_new(const struct tls_settings *settings, struct bulla_call *call, struct tls **out)
{
	struct tls *tls = calloc(1, sizeof *tls);

	if (tls == NULL)
		return BULLA_E_NO_MEMORY;
	tls->settings = *settings;
	pthread_mutex_init(&tls->lock, NULL);
	enum bulla_err err = load(tls, call, &tls->current);

	if (err != BULLA_OK) {
		tls_free(tls);
		return err;
	}
	*out = tls;
	return BULLA_OK;
}

void tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	tls_creds_release(tls->current);
	pthread_mutex_destroy(&tls->lock);
	free(tls);
}

enum bulla_err tls_reload(struct tls *tls, struct bulla_call *call)
{
	struct tls_creds *creds = NULL;

	TRY(load(tls, call, &creds));
	pthread_mutex_lock(&tls->lock);
	struct tls_creds *old = tls->current;

	tls->current = creds;
	pthread_mutex_unlock(&tls->lock);
	tls_creds_release(old);
	return BULLA_OK;
}

int64_t tls_ends_s(struct tls *tls)
{
	struct tls_creds *creds = tls_creds_take(tls);
	int64_t ends_s = creds->ends_s;

	tls_creds_release(creds);
	return ends_s;
}
