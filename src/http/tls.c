/* tls.c: owns the certificates of TLS listeners. Handshakes read the current pair without a lock; a replaced pair lives on
 * until no handshake can be using it. GnuTLS itself is driven by libmicrohttpd. */
#include "http/file.h"
#include "http/tls.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdlib.h>

#define MAX_CHAIN 16
#define MAX_FILE (1 << 20)
/* longer than a connection may take for its handshake */
#define RETIRE_NS (INT64_C(120) * 1000000000)

struct pair {
	gnutls_pcert_st chain[MAX_CHAIN];
	unsigned count;
	gnutls_privkey_t key;
	struct pair *older; /* of the retired */
	int64_t retired_ns; /* by bulla_elapsed_ns */
};

struct tls {
	char *cert_file, *key_file;
	_Atomic(struct pair *) current;
	struct pair *retired;
};

static struct tls *(*find_tls)(void *connection);

void tls_init(struct tls *(*find)(void *connection))
{
	gnutls_malloc = bulla_wiping_malloc;
	gnutls_realloc = bulla_wiping_realloc;
	gnutls_free = bulla_wiping_free;
	find_tls = find;
}

static void pair_free(struct pair *pair)
{
	if (pair == NULL)
		return;
	for (unsigned i = 0; i < pair->count; i++)
		gnutls_pcert_deinit(&pair->chain[i]);
	if (pair->key != NULL)
		gnutls_privkey_deinit(pair->key);
	free(pair);
}

static void pair_freep(struct pair **pair)
{
	pair_free(*pair);
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
static bool belongs(const struct pair *pair)
{
	unsigned char a[64], b[64];
	size_t a_len = sizeof a, b_len = sizeof b;
	gnutls_pubkey_t public = NULL;

	if (gnutls_pubkey_init(&public) < 0)
		return false;
	bool same = gnutls_pubkey_import_privkey(public, pair->key, 0, 0) >= 0 &&
		    gnutls_pubkey_get_key_id(public, 0, a, &a_len) >= 0 &&
		    gnutls_pubkey_get_key_id(pair->chain[0].pubkey, 0, b, &b_len) >= 0 && a_len == b_len &&
		    memcmp(a, b, a_len) == 0;

	gnutls_pubkey_deinit(public);
	return same;
}

static enum bulla_err pair_load(const struct tls *tls, struct bulla_call *call, struct pair **out)
{
	struct pair *pair BULLA_CLEANUP(pair_freep) = calloc(1, sizeof *pair);
	gnutls_datum_t cert, key;
	unsigned count = MAX_CHAIN;

	if (pair == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(read_pem(tls->cert_file, call, &cert));
	int e = gnutls_pcert_list_import_x509_raw(pair->chain, &count, &cert, GNUTLS_X509_FMT_PEM, 0);

	if (e < 0 || count == 0)
		return fail(call, tls->cert_file, gnutls_strerror(e));
	pair->count = count;
	TRY(read_pem(tls->key_file, call, &key));
	e = gnutls_privkey_init(&pair->key);
	if (e >= 0)
		e = gnutls_privkey_import_x509_raw(pair->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
	bulla_wipe(key.data, key.size);
	if (e < 0)
		return fail(call, tls->key_file, gnutls_strerror(e));
	if (!belongs(pair))
		return fail(call, tls->key_file, "is not the key of the certificate");
	*out = pair;
	pair = NULL;
	return BULLA_OK;
}

enum bulla_err tls_new(const char *cert_file, const char *key_file, struct bulla_call *call, struct tls **out)
{
	struct tls *tls = calloc(1, sizeof *tls);
	struct pair *pair = NULL;
	enum bulla_err err = BULLA_E_NO_MEMORY;

	if (tls != NULL)
		tls->cert_file = strdup(cert_file), tls->key_file = strdup(key_file);
	if (tls != NULL && tls->cert_file != NULL && tls->key_file != NULL)
		err = pair_load(tls, call, &pair);
	if (err != BULLA_OK) {
		tls_free(tls);
		return err;
	}
	atomic_store(&tls->current, pair);
	*out = tls;
	return BULLA_OK;
}

void tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	pair_free(atomic_load(&tls->current));
	for (struct pair *pair = tls->retired, *older; pair != NULL; pair = older) {
		older = pair->older;
		pair_free(pair);
	}
	free(tls->cert_file);
	free(tls->key_file);
	free(tls);
}

enum bulla_err tls_reload(struct tls *tls, struct bulla_call *call)
{
	struct pair *pair = NULL;

	TRY(pair_load(tls, call, &pair));
	struct pair *old = atomic_exchange(&tls->current, pair), **at = &tls->retired;
	int64_t now = bulla_elapsed_ns();

	old->retired_ns = now;
	old->older = tls->retired;
	tls->retired = old;
	while (*at != NULL) {
		struct pair *p = *at;

		if (now - p->retired_ns < RETIRE_NS) {
			at = &p->older;
			continue;
		}
		*at = p->older;
		pair_free(p);
	}
	return BULLA_OK;
}

/* Forward secrecy and authenticated encryption only. */
#define BASE "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define SUITES ":-RSA:-DHE-RSA:-AES-128-CBC:-AES-256-CBC:-SHA1:%SERVER_PRECEDENCE"

const char *tls_priorities(const char *min_version)
{
	if (min_version == NULL || strcmp(min_version, "tls12") == 0)
		return BASE ":+VERS-TLS1.2" SUITES;
	if (strcmp(min_version, "tls13") == 0)
		return BASE SUITES;
	return NULL;
}

static int retrieve(gnutls_session_t session, const gnutls_datum_t *ca_names, int ca_count,
		    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
		    unsigned *chain_len, gnutls_privkey_t *key)
{
	struct tls *tls = find_tls(gnutls_session_get_ptr(session));

	(void)ca_names, (void)ca_count, (void)algorithms, (void)algorithm_count;
	if (tls == NULL)
		return -1;
	struct pair *pair = atomic_load_explicit(&tls->current, memory_order_acquire);

	*chain = pair->chain;
	*chain_len = pair->count;
	*key = pair->key;
	return 0;
}

void (*tls_certificate_callback(void))(void)
{
	union {
		gnutls_certificate_retrieve_function2 *typed;
		void (*plain)(void);
	} callback = { .typed = retrieve };

	return callback.plain;
}

void tls_demand_client(void *session)
{
	/* GnuTLS keeps the pointer */
	static unsigned char client[] = GNUTLS_KP_TLS_WWW_CLIENT;
	static gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = client };

	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_cert2(session, &purpose, 1, 0);
}

void tls_request_client(void *session)
{
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
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

enum bulla_err tls_read_ca(const char *file, struct bulla_call *call, const char **out)
{
	gnutls_x509_crt_t *list = NULL;
	unsigned count = 0;
	gnutls_datum_t text;

	TRY(read_pem(file, call, &text));
	int e = gnutls_x509_crt_list_import2(&list, &count, &text, GNUTLS_X509_FMT_PEM, 0);

	for (unsigned i = 0; e >= 0 && i < count; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
	if (e < 0 || count == 0)
		return fail(call, file, gnutls_strerror(e));
	*out = (const char *)text.data;
	return BULLA_OK;
}
