/* x509_chain.c: whether a client's certificate comes from whom we trust (RFC 5280 section 6). Stateless: any thread.
 *
 * OpenSSL takes the first certificate of the issuer's name for the issuer, and does not come back to try another one.
 * But authorities change their keys and keep their names, sign each other's, and renew certificates while the old ones
 * lie about. So the way from the client to an anchor is found here, by signatures, and OpenSSL checks each way that
 * there is: dates, purposes, lengths, constraints.
 *
 * A link that bears its issuer's name has to say which key it was signed with (authorityKeyIdentifier): OpenSSL takes
 * it for self-signed otherwise.
 *
 * A client may send anything: only keys that lead to an anchor verify anything, so that a stranger's certificates cost
 * a comparison of names, and signatures by the anchors' own keys at most. */
#include "crypto/x509_private.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define MAX_CHAIN X509_MAX_CERTIFICATES
#define MAX_SIGNATURES 64  /* verified at most */
/* Somebody with 16 certificates of one name and key, each of which signed all, could make a million of ways. The short
 * ones come first. */
#define MAX_STEPS 4096
#define MAX_WAYS 32

struct search {
	struct bulla_call *call;
	int64_t now_s;
	X509 *sent[MAX_CHAIN], *anchors[MAX_CHAIN]; /* sent[0]: the client's own */
	size_t sent_count, anchor_count;
	/* whether sent[i] was signed by anchors[j], or by sent[j - anchor_count]: set only for issuers that come from
	 * an anchor */
	bool signed_by[MAX_CHAIN][2 * MAX_CHAIN];
	bool known[MAX_CHAIN]; /* that sent[i] comes from an anchor */
	unsigned signatures, steps, ways;
	X509 *way[MAX_CHAIN + 1]; /* from the client to an anchor */
	size_t length;
	enum bulla_err verdict;
};

/* ---- who signed what --------------------------------------------------------------------------------------------- */

static X509 *issuer_at(const struct search *s, size_t i)
{
	return i < s->anchor_count ? s->anchors[i] : s->sent[i - s->anchor_count];
}

static bool has_name_of(const X509 *certificate, const X509 *issuer)
{
	return X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(issuer)) == 0;
}

static enum bulla_err verify(struct search *s, X509 *certificate, X509 *issuer, bool *good)
{
	EVP_PKEY *key = X509_get0_pubkey(issuer);

	*good = false;
	if (key == NULL || s->signatures == MAX_SIGNATURES)
		return BULLA_OK;
	s->signatures++;
	*good = X509_verify(certificate, key) == 1;
	bool no_memory = !*good && ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;

	ERR_clear_error();
	return no_memory ? BULLA_E_NO_MEMORY : BULLA_OK;
}

/* What issuer i, that comes from an anchor, has signed. */
static enum bulla_err find_signed(struct search *s, size_t i)
{
	X509 *issuer = issuer_at(s, i);

	for (size_t j = 0; j < s->sent_count; j++) {
		if (s->sent[j] == issuer || !has_name_of(s->sent[j], issuer))
			continue;
		TRY(verify(s, s->sent[j], issuer, &s->signed_by[j][i]));
		s->known[j] |= s->signed_by[j][i];
	}
	return BULLA_OK;
}

/* From the anchors down, as far as it goes. */
static enum bulla_err find_signers(struct search *s)
{
	bool asked[MAX_CHAIN] = { false };

	for (size_t i = 0; i < s->anchor_count; i++)
		TRY(find_signed(s, i));
	for (size_t i = 1; i < s->sent_count; i++) {
		if (!s->known[i] || asked[i])
			continue;
		asked[i] = true;
		TRY(find_signed(s, s->anchor_count + i));
		i = 0; /* what it signed may stand before it */
	}
	return BULLA_OK;
}

/* ---- one way ----------------------------------------------------------------------------------------------------- */

/* OpenSSL's own notion of an issuer would lead it astray: it is to go the way that was found. */
static int is_next(X509_STORE_CTX *ctx, X509 *certificate, X509 *issuer)
{
	const struct search *s = X509_STORE_CTX_get_app_data(ctx);

	for (size_t i = 0; i + 1 < s->length; i++)
		if (s->way[i] == certificate)
			return s->way[i + 1] == issuer;
	return 0;
}

static enum bulla_err verdict(struct bulla_call *call, X509_STORE_CTX *ctx)
{
	switch (X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx)) {
	case X509_V_OK:
		return BULLA_OK;
	case X509_V_ERR_OUT_OF_MEM:
		return BULLA_E_NO_MEMORY;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return BULLA_E_AUTH_FAILED;
	default:
		return bulla_fail(call, BULLA_E_BAD_FIELD, "%s",
				  X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	}
}

/* An anchor need not be self-signed: a company's own CA below a public one is trusted, and the public one not. */
static bool set_up(X509_STORE_CTX *ctx, X509_STORE *store, const struct search *s, STACK_OF(X509) *between,
		   STACK_OF(X509) *anchor)
{
	X509_STORE_set_check_issued(store, is_next);
	if (X509_STORE_CTX_init(ctx, store, s->way[0], between) != 1)
		return false;
	X509_STORE_CTX_set0_trusted_stack(ctx, anchor);
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_PARTIAL_CHAIN);
	X509_STORE_CTX_set_time(ctx, 0, (time_t)s->now_s);
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx), 1); /* no signature by MD5 or SHA-1, no RSA below 1,024 bits */
	return X509_STORE_CTX_set_app_data(ctx, (void *)(uintptr_t)s) == 1 &&
	       X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) == 1;
}

static enum bulla_err check_way(struct search *s)
{
	STACK_OF(X509) *between = sk_X509_new_null(), *anchor = sk_X509_new_null();
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool good = between != NULL && anchor != NULL && store != NULL && ctx != NULL;
	enum bulla_err err = BULLA_E_NO_MEMORY;

	for (size_t i = 1; good && i + 1 < s->length; i++)
		good = sk_X509_push(between, s->way[i]) > 0;
	good = good && sk_X509_push(anchor, s->way[s->length - 1]) > 0;
	if (good && set_up(ctx, store, s, between, anchor))
		err = verdict(s->call, ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	sk_X509_free(anchor);
	sk_X509_free(between);
	ERR_clear_error();
	return err;
}

/* ---- all ways ---------------------------------------------------------------------------------------------------- */

/* The way has come to an anchor. What speaks against it counts only where there is no better one. */
static enum bulla_err arrive(struct search *s)
{
	struct bulla_bytes before = s->call->detail;

	s->ways++;
	enum bulla_err err = check_way(s);

	if (err == BULLA_E_NO_MEMORY)
		return err;
	if (err == BULLA_OK || s->verdict == BULLA_E_AUTH_FAILED)
		s->verdict = err;
	else
		s->call->detail = before; /* the first flaw is the one that is told */
	return BULLA_OK;
}

static bool is_on_way(const struct search *s, const X509 *certificate)
{
	for (size_t i = 0; i < s->length; i++)
		if (X509_cmp(s->way[i], certificate) == 0)
			return true;
	return false;
}

/* sent[at] is the last on the way so far: tries each way on that has so many links more before its anchor. */
static enum bulla_err go_on(struct search *s, size_t at, size_t links)
{
	size_t first = links > 0 ? s->anchor_count : 0,
	       end = links > 0 ? s->anchor_count + s->sent_count : s->anchor_count;

	for (size_t i = first; s->verdict != BULLA_OK && i < end; i++) {
		if (!s->signed_by[at][i] || s->steps == MAX_STEPS || s->ways == MAX_WAYS)
			continue;
		s->steps++;
		if (is_on_way(s, issuer_at(s, i)))
			continue;
		s->way[s->length++] = issuer_at(s, i);
		TRY(links > 0 ? go_on(s, i - s->anchor_count, links - 1) : arrive(s));
		s->length--;
	}
	return BULLA_OK;
}

static enum bulla_err look(struct search *s)
{
	s->way[0] = s->sent[0];
	s->length = 1;
	for (size_t i = 0; s->verdict != BULLA_OK && i < s->anchor_count; i++) {
		if (X509_cmp(s->anchors[i], s->sent[0]) != 0)
			continue;
		TRY(arrive(s)); /* it is one itself */
		break;
	}
	if (s->verdict == BULLA_OK)
		return BULLA_OK;
	TRY(find_signers(s));
	for (size_t links = 0; links < s->sent_count; links++)
		TRY(go_on(s, 0, links));
	return s->verdict;
}

/* Adds those of list from index first on that can be read: what a client sent beside its own may be anything. */
static void parse_all(const struct x509_list *list, size_t first, X509 *out[MAX_CHAIN], size_t *count)
{
	for (size_t i = first; i < list->count && *count < MAX_CHAIN; i++) {
		out[*count] = x509_parse(list->items[i]);
		*count += out[*count] != NULL;
	}
}

static void free_all(X509 *certificates[MAX_CHAIN], size_t count)
{
	for (size_t i = 0; i < count; i++)
		X509_free(certificates[i]);
}

enum bulla_err x509_client_verify(struct bulla_call *call, const struct x509_list *chain,
				  const struct x509_list *anchors, int64_t now_s)
{
	struct search s = { .call = call, .now_s = now_s, .verdict = BULLA_E_AUTH_FAILED };

	s.sent[0] = chain->count > 0 ? x509_parse(chain->items[0]) : NULL;
	if (s.sent[0] == NULL)
		return BULLA_E_AUTH_FAILED;
	s.sent_count = 1;
	parse_all(chain, 1, s.sent, &s.sent_count);
	parse_all(anchors, 0, s.anchors, &s.anchor_count);
	enum bulla_err err = look(&s);

	if (err == BULLA_OK)
		call->detail = (struct bulla_bytes){ 0 };
	free_all(s.sent, s.sent_count);
	free_all(s.anchors, s.anchor_count);
	return err;
}
