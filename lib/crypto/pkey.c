/* pkey.c: owns opened asymmetric keys: what is the same for all families. Any thread. */
#include "crypto/evp.h"
#include "crypto/pkey_private.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <stdlib.h>

static size_t heap_bytes;

void pkey_init(size_t locked_heap_bytes)
{
	heap_bytes = locked_heap_bytes;
}

/* Takes evp over, also on failure. */
static enum bulla_err wrap(const struct alg *alg, EVP_PKEY *evp, bool private, struct pkey **out)
{
	struct pkey *pkey = malloc(sizeof *pkey);

	if (pkey == NULL) {
		EVP_PKEY_free(evp);
		return BULLA_E_NO_MEMORY;
	}
	*pkey = (struct pkey){ .alg = alg, .evp = evp, .private = private };
	atomic_init(&pkey->refs, 1);
	*out = pkey;
	return BULLA_OK;
}

/* NULL: it is no such structure of that type with nothing behind it. Naming both makes the search for a decoder short: 150 us
 * instead of 500. */
static EVP_PKEY *decode(const char *type, const char *structure, int selection, struct bulla_bytes der)
{
	EVP_PKEY *evp = NULL;
	OSSL_DECODER_CTX *ctx = OSSL_DECODER_CTX_new_for_pkey(&evp, "DER", structure, type, selection, NULL, NULL);
	const uint8_t *at = der.ptr;
	size_t left = der.len;
	bool ok = ctx != NULL && OSSL_DECODER_from_data(ctx, &at, &left) == 1 && left == 0;

	OSSL_DECODER_CTX_free(ctx);
	if (ok)
		return evp;
	EVP_PKEY_free(evp);
	return NULL;
}

/* OpenSSL says of a full locked heap no more than that there was no memory. */
static enum bulla_err why_not_opened(void)
{
	enum bulla_err err = BULLA_E_BAD_KEY_MATERIAL;

	for (unsigned long code; (code = ERR_get_error()) != 0;)
		if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
			err = BULLA_E_NO_MEMORY;
	return err;
}

enum bulla_err pkey_open(const struct alg *alg, struct bulla_bytes material, struct pkey **out)
{
	if (alg->family == NULL || material.len == 0 || material.len > MATERIAL_MAX)
		return BULLA_E_BAD_KEY_MATERIAL;
	const char *type = alg->family->type;
	EVP_PKEY *evp = decode(type, "PrivateKeyInfo", EVP_PKEY_KEYPAIR, material);
	bool private = evp != NULL;

	if (evp == NULL)
		evp = decode(type, "SubjectPublicKeyInfo", EVP_PKEY_PUBLIC_KEY, material);
	if (evp == NULL)
		return why_not_opened();
	ERR_clear_error();
	if (!alg->family->fits(alg, evp) || (alg->family->normalise != NULL && !alg->family->normalise(evp))) {
		EVP_PKEY_free(evp);
		return BULLA_E_BAD_KEY_MATERIAL;
	}
	return wrap(alg, evp, private, out);
}

enum bulla_err pkey_open_seed(const uint8_t seed[32], struct pkey **out)
{
	EVP_PKEY *evp = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);

	if (evp == NULL) {
		ERR_clear_error();
		return BULLA_E_NO_MEMORY;
	}
	return wrap(&alg_ed25519, evp, true, out);
}

enum bulla_err pkey_check(const struct pkey *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey->evp, NULL);
	int good = ctx == NULL ? 0 : pkey->private ? EVP_PKEY_check(ctx) : EVP_PKEY_public_check(ctx);

	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return good == 1 ? BULLA_OK : BULLA_E_BAD_KEY_MATERIAL;
}

struct pkey *pkey_hold(struct pkey *pkey)
{
	atomic_fetch_add_explicit(&pkey->refs, 1, memory_order_relaxed);
	return pkey;
}

void pkey_put(struct pkey *pkey)
{
	if (pkey == NULL || atomic_fetch_sub_explicit(&pkey->refs, 1, memory_order_acq_rel) != 1)
		return;
	EVP_PKEY_free(pkey->evp); /* wipes the private numbers */
	free(pkey);
}

void pkey_release(struct pkey **pkey)
{
	pkey_put(*pkey);
}

bool pkey_keep_open(void)
{
	return CRYPTO_secure_used() < heap_bytes / 4 * 3;
}

const struct alg *pkey_alg(const struct pkey *pkey)
{
	return pkey->alg;
}

bool pkey_same_public(const struct pkey *a, const struct pkey *b)
{
	bool same = EVP_PKEY_eq(a->evp, b->evp) == 1;

	ERR_clear_error();
	return same;
}

bool pkey_is_private(const struct pkey *pkey)
{
	return pkey->private;
}

size_t pkey_modulus_bytes(const struct pkey *pkey)
{
	return pkey->alg->family->encrypt == NULL ? 0 : pkey->alg->bits / 8;
}

enum bulla_err pkey_make(const struct alg *alg, struct bulla_call *call, struct material *out)
{
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;
	EVP_PKEY *evp = NULL;
	enum bulla_err err = alg->family->make(alg, call, &evp);

	if (err != BULLA_OK) {
		ERR_clear_error();
		return err;
	}
	TRY(wrap(alg, evp, true, &pkey));
	return pkey_encode(pkey, PKEY_PKCS8, out);
}

enum bulla_err pkey_from_numbers(const struct alg *alg, const struct pkey_numbers *numbers, struct pkey **out)
{
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;
	EVP_PKEY *evp = alg->family == NULL ? NULL : alg->family->build(alg, numbers);

	if (evp == NULL)
		return why_not_opened();
	if (!alg->family->fits(alg, evp)) {
		EVP_PKEY_free(evp);
		return BULLA_E_BAD_KEY_MATERIAL;
	}
	TRY(wrap(alg, evp, numbers->d.len > 0 || numbers->ed25519.len > 0, &pkey));
	TRY(pkey_check(pkey));
	*out = pkey_hold(pkey);
	return BULLA_OK;
}

enum bulla_err pkey_build(const struct alg *alg, const struct pkey_numbers *numbers, struct material *out)
{
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;

	TRY(pkey_from_numbers(alg, numbers, &pkey));
	return pkey_encode(pkey, pkey->private ? PKEY_PKCS8 : PKEY_PUBLIC, out);
}

EVP_PKEY *pkey_from_params(const char *type, OSSL_PARAM_BLD *builder, bool private)
{
	OSSL_PARAM *params = builder == NULL ? NULL : OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *evp = NULL;

	if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &evp, private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1)
		evp = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return evp;
}

/* ---- operations -------------------------------------------------------------------------------------------------------- */

enum bulla_err pkey_digest(const struct pkey_params *params, struct bulla_bytes input, uint8_t *room, struct bulla_bytes *out)
{
	if (params->prehashed || params->digest == DIGEST_NONE) {
		*out = input;
		return BULLA_OK;
	}
	TRY(digest_hash(params->digest, input, room));
	*out = bulla_mem(room, digest_bytes(params->digest));
	return BULLA_OK;
}

static enum bulla_err leave(enum bulla_err err)
{
	ERR_clear_error();
	return err;
}

enum bulla_err pkey_sign(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input, uint8_t *out,
			 size_t *len)
{
	if (!pkey->private || pkey->alg->family->sign == NULL)
		return BULLA_E_CRYPTO;
	return leave(pkey->alg->family->sign(pkey, params, input, out, len));
}

enum bulla_err pkey_verify(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input,
			   struct bulla_bytes signature, bool *valid)
{
	if (pkey->alg->family->verify == NULL)
		return BULLA_E_CRYPTO;
	bool short_before = bulla_shortage();

	bulla_shortage_forget();
	enum bulla_err err = leave(pkey->alg->family->verify(pkey, params, input, signature, valid));

	if (err == BULLA_OK && !*valid && bulla_shortage())
		err = BULLA_E_NO_MEMORY; /* OpenSSL may say that of a signature because it had no room to look at it */
	if (short_before)
		bulla_shortage_note();
	return err;
}

enum bulla_err pkey_encrypt(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input, uint8_t *out)
{
	if (pkey->alg->family->encrypt == NULL)
		return BULLA_E_CRYPTO;
	return leave(pkey->alg->family->encrypt(pkey, params, input, out));
}

enum bulla_err pkey_decrypt(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input, uint8_t *out,
			    size_t *len)
{
	if (!pkey->private || pkey->alg->family->decrypt == NULL)
		return BULLA_E_CRYPTO;
	return leave(pkey->alg->family->decrypt(pkey, params, input, out, len));
}

enum bulla_err pkey_derive(const struct pkey *pkey, struct bulla_bytes context, struct pkey **out)
{
	if (!pkey->private || pkey->alg->family->derive == NULL)
		return BULLA_E_CRYPTO;
	return leave(pkey->alg->family->derive(pkey, context, out));
}

enum bulla_err pkey_agree(const struct pkey *pkey, const struct pkey *other, uint8_t *out, size_t *len)
{
	if (!pkey->private || pkey->alg->family->agree == NULL)
		return BULLA_E_CRYPTO;
	if (other->alg != pkey->alg)
		return BULLA_E_BAD_KEY_MATERIAL;
	return leave(pkey->alg->family->agree(pkey, other, out, len));
}
