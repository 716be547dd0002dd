/* ed25519.c: Ed25519 (RFC 8032), pure. Any thread. */
#include "crypto/crypto.h"
#include "crypto/pkey_private.h"

#include <openssl/evp.h>

#define SEED 32
#define PUBLIC 32
#define SIGNATURE 64

static enum bulla_err make(const struct alg *alg, struct bulla_call *call, EVP_PKEY **out)
{
	(void)alg, (void)call;
	*out = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return *out != NULL ? BULLA_OK : BULLA_E_CRYPTO;
}

static bool fits(const struct alg *alg, const EVP_PKEY *evp)
{
	(void)alg;
	return EVP_PKEY_is_a(evp, "ED25519");
}

static enum bulla_err sign(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input, uint8_t *out,
			   size_t *len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = SIGNATURE;

	(void)params;
	bool ok = ctx != NULL && EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, pkey->evp, NULL) == 1 &&
		  EVP_DigestSign(ctx, out, &n, input.ptr, input.len) == 1;

	EVP_MD_CTX_free(ctx);
	if (!ok)
		return BULLA_E_CRYPTO;
	*len = n;
	return BULLA_OK;
}

static enum bulla_err verify(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input,
			     struct bulla_bytes signature, bool *valid)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	(void)params;
	bool ok = ctx != NULL && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, pkey->evp, NULL) == 1;

	if (ok)
		*valid = signature.len == SIGNATURE &&
			 EVP_DigestVerify(ctx, signature.ptr, signature.len, input.ptr, input.len) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? BULLA_OK : BULLA_E_CRYPTO;
}

/* A public key that goes with a seed has to be the seed's. */
static EVP_PKEY *build(const struct alg *alg, const struct pkey_numbers *numbers)
{
	struct bulla_bytes private = numbers->ed25519;
	uint8_t public[PUBLIC];
	size_t n = sizeof public;

	(void)alg;
	if (private.len == 0)
		return numbers->public_key.len != PUBLIC ? NULL :
			EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, numbers->public_key.ptr, PUBLIC);
	if (private.len != SEED && private.len != SEED + PUBLIC)
		return NULL;
	EVP_PKEY *evp = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private.ptr, SEED);

	if (evp == NULL || private.len == SEED)
		return evp;
	if (EVP_PKEY_get_raw_public_key(evp, public, &n) == 1 && memcmp(public, private.ptr + SEED, PUBLIC) == 0)
		return evp;
	EVP_PKEY_free(evp);
	return NULL;
}

static enum bulla_err derive(const struct pkey *pkey, struct bulla_bytes context, struct pkey **out)
{
	BULLA_CLEANUP(material_clear) struct material private = { 0 }, seed = { 0 };

	TRY(pkey_number(pkey, PKEY_ED25519_PRIVATE, &private));
	TRY(material_new(SEED, &seed));
	TRY(hkdf_sha256(material_bytes(&private), bulla_mem(NULL, 0), context, seed.ptr, SEED));
	return pkey_open_seed(seed.ptr, out);
}

static const struct pkey_family family = {
	.type = "ED25519", .make = make, .fits = fits, .sign = sign, .verify = verify, .build = build, .derive = derive,
};

const struct alg alg_ed25519 = {
	.name = "ed25519", .id = 5, .can = ALG_SIGN | ALG_DERIVE | ALG_PKEY, .bits = 256, .title = "ed25519", .family = &family,
};
