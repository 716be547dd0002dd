/* ecdsa.c: ECDSA (FIPS 186-4) and ECDH (SP 800-56A) on NIST's curves. Any thread. OpenSSL 3.0 has fast code for P-256 alone: the
 * other curves take about a millisecond a signature. */
#include "crypto/evp.h"
#include "crypto/pkey_private.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

/* SEQUENCE of two INTEGERs of 66 bytes. */
#define MAX_DER 141

static size_t field_bytes(const struct alg *alg)
{
	return (alg->bits + 7) / 8;
}

static enum bulla_err make(const struct alg *alg, struct bulla_call *call, EVP_PKEY **out)
{
	(void)call;
	*out = EVP_EC_gen(alg->group);
	return *out != NULL ? BULLA_OK : BULLA_E_CRYPTO;
}

static bool fits(const struct alg *alg, const EVP_PKEY *evp)
{
	char group[32];
	int explicit = 1;

	return EVP_PKEY_is_a(evp, "EC") && EVP_PKEY_get_group_name(evp, group, sizeof group, NULL) == 1 &&
	       strcmp(group, alg->group) == 0 &&
	       EVP_PKEY_get_int_param(evp, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit) == 1 && explicit == 0;
}

/* OpenSSL writes a key as it read it: with a compressed point, or without one. */
static bool normalise(EVP_PKEY *evp)
{
	return EVP_PKEY_set_utf8_string_param(evp, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
					      OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) == 1 &&
	       EVP_PKEY_set_int_param(evp, OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC, 1) == 1;
}

/* ---- signatures -------------------------------------------------------------------------------------------------------- */

static enum bulla_err to_jws(const struct alg *alg, struct bulla_bytes der, uint8_t *out, size_t *len)
{
	size_t n = field_bytes(alg);
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &(const uint8_t *){ der.ptr }, (long)der.len);
	bool ok = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, (int)n) == (int)n &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + n, (int)n) == (int)n;

	ECDSA_SIG_free(sig);
	if (!ok)
		return BULLA_E_CRYPTO;
	*len = 2 * n;
	return BULLA_OK;
}

/* *out is empty when it is no signature of this curve. room: MAX_DER. */
static enum bulla_err from_jws(const struct alg *alg, struct bulla_bytes signature, uint8_t *room, struct bulla_bytes *out)
{
	size_t n = field_bytes(alg);

	*out = (struct bulla_bytes){ 0 };
	if (signature.len != 2 * n)
		return BULLA_OK;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature.ptr, (int)n, NULL), *s = BN_bin2bn(signature.ptr + n, (int)n, NULL);

	if (sig == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		ECDSA_SIG_free(sig);
		return BULLA_E_NO_MEMORY;
	}
	int len = i2d_ECDSA_SIG(sig, &(uint8_t *){ room });

	ECDSA_SIG_free(sig);
	if (len <= 0)
		return BULLA_E_CRYPTO;
	*out = bulla_mem(room, (size_t)len);
	return BULLA_OK;
}

/* The digest may have any length: the leftmost bits count (FIPS 186-4, 6.4). */
static enum bulla_err sign(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input, uint8_t *out,
			   size_t *len)
{
	uint8_t room[DIGEST_MAX_BYTES], der[MAX_DER];
	size_t n = sizeof der;
	struct bulla_bytes digest;

	TRY(pkey_digest(params, input, room, &digest));
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey->evp, NULL);
	bool ok = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_sign(ctx, der, &n, digest.ptr, digest.len) == 1;

	EVP_PKEY_CTX_free(ctx);
	if (!ok || n == 0 || n > sizeof der) /* without memory OpenSSL says that all went well, with a length of -1 */
		return BULLA_E_CRYPTO;
	if (params->marshal == PKEY_JWS)
		return to_jws(pkey->alg, bulla_mem(der, n), out, len);
	memcpy(out, der, n);
	*len = n;
	return BULLA_OK;
}

static enum bulla_err verify(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input,
			     struct bulla_bytes signature, bool *valid)
{
	uint8_t room[DIGEST_MAX_BYTES], der[MAX_DER];
	struct bulla_bytes digest;

	TRY(pkey_digest(params, input, room, &digest));
	if (params->marshal == PKEY_JWS)
		TRY(from_jws(pkey->alg, signature, der, &signature));
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey->evp, NULL);
	bool ok = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1;

	if (ok)
		*valid = signature.len > 0 &&
			 EVP_PKEY_verify(ctx, signature.ptr, signature.len, digest.ptr, digest.len) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok ? BULLA_OK : BULLA_E_CRYPTO;
}

/* ---- agreement --------------------------------------------------------------------------------------------------------- */

static enum bulla_err agree(const struct pkey *pkey, const struct pkey *other, uint8_t *out, size_t *len)
{
	size_t n = PKEY_MAX_SHARED;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey->evp, NULL);
	bool ready = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1;
	bool fit = ready && EVP_PKEY_derive_set_peer(ctx, other->evp) == 1; /* checks that the point is on the curve */
	bool ok = fit && EVP_PKEY_derive(ctx, out, &n) == 1;

	EVP_PKEY_CTX_free(ctx);
	if (ready && !fit)
		return BULLA_E_BAD_KEY_MATERIAL;
	if (!ok)
		return BULLA_E_CRYPTO;
	*len = n;
	return BULLA_OK;
}

/* ---- from numbers ------------------------------------------------------------------------------------------------------ */

/* 4 || x || y (SEC 1, 2.3.3), padded to the field. */
static bool put_point(const struct pkey_numbers *numbers, size_t field, uint8_t *out)
{
	if (numbers->x.len == 0 || numbers->x.len > field || numbers->y.len > field)
		return false;
	memset(out, 0, 1 + 2 * field);
	out[0] = 4;
	memcpy(out + 1 + field - numbers->x.len, numbers->x.ptr, numbers->x.len);
	if (numbers->y.len > 0)
		memcpy(out + 1 + 2 * field - numbers->y.len, numbers->y.ptr, numbers->y.len);
	return true;
}

/* From an octet string in any form, or as the multiple of the base point that d is; uncompressed. */
static bool compute_point(const struct alg *alg, struct bulla_bytes given, const BIGNUM *d, uint8_t *out)
{
	size_t n = 1 + 2 * field_bytes(alg);
	EC_GROUP *group = EC_GROUP_new_by_curve_name(OBJ_sn2nid(alg->group));
	EC_POINT *point = group == NULL ? NULL : EC_POINT_new(group);
	BN_CTX *ctx = BN_CTX_secure_new();
	bool ok = point != NULL && ctx != NULL &&
		  (given.len > 0 ? EC_POINT_oct2point(group, point, given.ptr, given.len, ctx) == 1 :
				   EC_POINT_mul(group, point, d, NULL, NULL, ctx) == 1) &&
		  EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, out, n, ctx) == n;

	BN_CTX_free(ctx);
	EC_POINT_free(point);
	EC_GROUP_free(group);
	return ok;
}

static bool find_point(const struct alg *alg, const struct pkey_numbers *numbers, const BIGNUM *d, uint8_t *out)
{
	if (numbers->x.len > 0)
		return put_point(numbers, field_bytes(alg), out);
	if (numbers->point.len == 0 && (BN_is_zero(d) || numbers->y.len > 0))
		return false;
	return compute_point(alg, numbers->point, d, out);
}

static EVP_PKEY *build(const struct alg *alg, const struct pkey_numbers *numbers)
{
	uint8_t point[1 + 2 * PKEY_MAX_SHARED];
	size_t field = field_bytes(alg);
	bool private = numbers->d.len > 0;

	if (numbers->d.len > field)
		return NULL;
	BIGNUM *d = BN_secure_new();
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	bool ok = d != NULL && builder != NULL && BN_bin2bn(numbers->d.ptr, (int)numbers->d.len, d) != NULL &&
		  find_point(alg, numbers, d, point) &&
		  OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, alg->group, 0) == 1 &&
		  OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * field) == 1 &&
		  (!private || OSSL_PARAM_BLD_push_BN_pad(builder, OSSL_PKEY_PARAM_PRIV_KEY, d, field) == 1);
	EVP_PKEY *evp = ok ? pkey_from_params("EC", builder, private) : NULL;

	OSSL_PARAM_BLD_free(builder);
	BN_clear_free(d);
	return evp;
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

static const struct pkey_family family = {
	.type = "EC", .make = make, .fits = fits, .normalise = normalise, .traditional = true, .sign = sign, .verify = verify, .agree = agree, .build = build,
};

const struct alg alg_ecdsa_p256 = {
	.name = "ecdsa-p256", .id = 6, .can = ALG_SIGN | ALG_AGREE | ALG_PKEY,
	.bits = 256, .title = "P-256", .group = "prime256v1", .family = &family,
};

const struct alg alg_ecdsa_p384 = {
	.name = "ecdsa-p384", .id = 7, .can = ALG_SIGN | ALG_AGREE | ALG_PKEY,
	.bits = 384, .title = "P-384", .group = "secp384r1", .family = &family,
};

const struct alg alg_ecdsa_p521 = {
	.name = "ecdsa-p521", .id = 8, .can = ALG_SIGN | ALG_AGREE | ALG_PKEY,
	.bits = 521, .title = "P-521", .group = "secp521r1", .family = &family,
};
