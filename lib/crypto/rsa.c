/* rsa.c: RSA (RFC 8017): signatures with PSS and PKCS#1 v1.5, encryption with OAEP and PKCS#1 v1.5. Any thread.
 *
 * Making a key takes a core for seconds: others go by meanwhile, as often as OpenSSL tells of its progress (some times a second). */
#include "crypto/evp.h"
#include "crypto/pkey_private.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#define PKCS1_OVERHEAD 11

/* ---- making ------------------------------------------------------------------------------------------------------------ */

/* What OpenSSL's callback tells: how it goes on. */
struct making {
	struct bulla_call *call;
	enum bulla_err err;
};

/* 0: it is to give up. */
static int let_others(EVP_PKEY_CTX *ctx)
{
	struct making *m = EVP_PKEY_CTX_get_app_data(ctx);

	if (m->err == BULLA_OK)
		m->err = bulla_yield(m->call);
	return m->err == BULLA_OK;
}

static enum bulla_err make(const struct alg *alg, struct bulla_call *call, EVP_PKEY **out)
{
	struct making m = { .call = call };
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	bool ready = ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)alg->bits) == 1;

	if (ready && call != NULL) {
		EVP_PKEY_CTX_set_app_data(ctx, &m);
		EVP_PKEY_CTX_set_cb(ctx, let_others);
	}
	bool made = ready && EVP_PKEY_generate(ctx, out) == 1;

	EVP_PKEY_CTX_free(ctx);
	if (made)
		return BULLA_OK;
	return m.err != BULLA_OK ? m.err : BULLA_E_CRYPTO;
}

/* A key of more than two primes is none of ours: its backup could not be written. */
static bool fits(const struct alg *alg, const EVP_PKEY *evp)
{
	BIGNUM *third = NULL;
	bool more = EVP_PKEY_get_bn_param(evp, OSSL_PKEY_PARAM_RSA_FACTOR3, &third) == 1;

	BN_clear_free(third);
	return !more && EVP_PKEY_is_a(evp, "RSA") && (unsigned)EVP_PKEY_get_bits(evp) == alg->bits;
}

/* ---- signatures -------------------------------------------------------------------------------------------------------- */

static int salt_len(const struct pkey_params *params)
{
	switch (params->salt_bytes) {
	case PKEY_SALT_AUTO: return RSA_PSS_SALTLEN_AUTO; /* signing: the longest */
	case PKEY_SALT_HASH: return RSA_PSS_SALTLEN_DIGEST;
	default: return params->salt_bytes;
	}
}

static enum bulla_err check_input(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes digest)
{
	size_t modulus = pkey->alg->bits / 8, wanted = digest_bytes(params->digest);

	if (params->padding == PKEY_OAEP || params->salt_bytes < PKEY_SALT_HASH)
		return BULLA_E_BAD_FIELD;
	if (params->padding == PKEY_PKCS1V15 && params->digest == DIGEST_NONE)
		return digest.len <= modulus - PKCS1_OVERHEAD ? BULLA_OK : BULLA_E_BAD_FIELD;
	if (params->digest == DIGEST_NONE || digest.len != wanted)
		return BULLA_E_BAD_FIELD;
	if (params->padding == PKEY_PSS && params->salt_bytes > 0 && wanted + (size_t)params->salt_bytes + 2 > modulus)
		return BULLA_E_BAD_FIELD;
	return BULLA_OK;
}

/* After EVP_PKEY_sign_init or verify_init. */
static bool configure(EVP_PKEY_CTX *ctx, const struct pkey_params *params)
{
	bool pss = params->padding == PKEY_PSS;

	if (EVP_PKEY_CTX_set_rsa_padding(ctx, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) != 1)
		return false;
	if (params->digest != DIGEST_NONE && EVP_PKEY_CTX_set_signature_md(ctx, digest_evp(params->digest)) != 1)
		return false;
	return !pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salt_len(params)) == 1;
}

static enum bulla_err sign(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input, uint8_t *out,
			   size_t *len)
{
	uint8_t room[DIGEST_MAX_BYTES];
	struct bulla_bytes digest;
	size_t n = PKEY_MAX_SIGNATURE;

	TRY(pkey_digest(params, input, room, &digest));
	TRY(check_input(pkey, params, digest));
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey->evp, NULL);
	bool ok = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 && configure(ctx, params) &&
		  EVP_PKEY_sign(ctx, out, &n, digest.ptr, digest.len) == 1;

	EVP_PKEY_CTX_free(ctx);
	if (!ok)
		return BULLA_E_CRYPTO;
	*len = n;
	return BULLA_OK;
}

static enum bulla_err verify(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input,
			     struct bulla_bytes signature, bool *valid)
{
	uint8_t room[DIGEST_MAX_BYTES];
	struct bulla_bytes digest;

	TRY(pkey_digest(params, input, room, &digest));
	TRY(check_input(pkey, params, digest));
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey->evp, NULL);
	bool ok = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 && configure(ctx, params);

	if (ok)
		*valid = EVP_PKEY_verify(ctx, signature.ptr, signature.len, digest.ptr, digest.len) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok ? BULLA_OK : BULLA_E_CRYPTO;
}

/* ---- encryption ------------------------------------------------------------------------------------------------------- */

/* After EVP_PKEY_encrypt_init or decrypt_init. */
static bool configure_cipher(EVP_PKEY_CTX *ctx, const struct pkey_params *params)
{
	const EVP_MD *md = digest_evp(params->digest);

	if (params->padding == PKEY_PKCS1V15)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
	return params->padding == PKEY_OAEP && md != NULL && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1;
}

static enum bulla_err encrypt(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input, uint8_t *out)
{
	size_t modulus = pkey->alg->bits / 8, n = modulus;
	size_t overhead = params->padding == PKEY_OAEP ? 2 * digest_bytes(params->digest) + 2 : PKCS1_OVERHEAD;

	if (input.len > modulus - overhead)
		return BULLA_E_BAD_FIELD;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey->evp, NULL);
	const uint8_t *in = input.len > 0 ? input.ptr : (const uint8_t *)"";
	bool ok = ctx != NULL && EVP_PKEY_encrypt_init(ctx) == 1 && configure_cipher(ctx, params) &&
		  EVP_PKEY_encrypt(ctx, out, &n, in, input.len) == 1 && n == modulus;

	EVP_PKEY_CTX_free(ctx);
	return ok ? BULLA_OK : BULLA_E_CRYPTO;
}

static enum bulla_err decrypt(const struct pkey *pkey, const struct pkey_params *params, struct bulla_bytes input, uint8_t *out,
			      size_t *len)
{
	size_t modulus = pkey->alg->bits / 8, n = modulus;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey->evp, NULL);
	bool ready = ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 && configure_cipher(ctx, params);
	bool ok = ready && input.len == modulus && EVP_PKEY_decrypt(ctx, out, &n, input.ptr, input.len) == 1;

	EVP_PKEY_CTX_free(ctx);
	if (!ok) {
		bulla_wipe(out, modulus);
		return ready ? BULLA_E_AUTH_FAILED : BULLA_E_CRYPTO;
	}
	*len = n;
	return BULLA_OK;
}

/* ---- from numbers ----------------------------------------------------------------------------------------------------- */

static BIGNUM *to_bn(struct bulla_bytes number, bool secret)
{
	BIGNUM *bn = secret ? BN_secure_new() : BN_new();

	if (bn != NULL && BN_bin2bn(number.ptr, (int)number.len, bn) != NULL)
		return bn;
	BN_free(bn);
	return NULL;
}

struct private_numbers {
	BIGNUM *d, *p, *q, *dp, *dq, *qinv;
};

static void clear_private(struct private_numbers *s)
{
	BN_clear_free(s->d);
	BN_clear_free(s->p);
	BN_clear_free(s->q);
	BN_clear_free(s->dp);
	BN_clear_free(s->dq);
	BN_clear_free(s->qinv);
}

/* d mod (p-1), d mod (q-1), 1/q mod p; one is the caller's scratch. */
static bool compute_crt(struct private_numbers *s, BIGNUM *less, BN_CTX *ctx)
{
	return BN_sub(less, s->p, BN_value_one()) == 1 && BN_mod(s->dp, s->d, less, ctx) == 1 &&
	       BN_sub(less, s->q, BN_value_one()) == 1 && BN_mod(s->dq, s->d, less, ctx) == 1 &&
	       BN_mod_inverse(s->qinv, s->q, s->p, ctx) != NULL;
}

static bool read_private(const struct pkey_numbers *numbers, struct private_numbers *s)
{
	BN_CTX *ctx = BN_CTX_secure_new();
	BIGNUM *less = BN_secure_new();

	s->d = to_bn(numbers->d, true);
	s->p = to_bn(numbers->p, true);
	s->q = to_bn(numbers->q, true);
	s->dp = BN_secure_new();
	s->dq = BN_secure_new();
	s->qinv = BN_secure_new();
	bool ok = ctx != NULL && less != NULL && s->d != NULL && s->p != NULL && s->q != NULL && s->dp != NULL && s->dq != NULL &&
		  s->qinv != NULL;

	if (ok) {
		BN_set_flags(s->d, BN_FLG_CONSTTIME);
		BN_set_flags(s->p, BN_FLG_CONSTTIME);
		ok = !BN_is_zero(s->p) && !BN_is_zero(s->q) && compute_crt(s, less, ctx);
	}
	BN_clear_free(less);
	BN_CTX_free(ctx);
	return ok;
}

static bool push_private(OSSL_PARAM_BLD *builder, const struct private_numbers *s)
{
	return OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_D, s->d) == 1 &&
	       OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_FACTOR1, s->p) == 1 &&
	       OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_FACTOR2, s->q) == 1 &&
	       OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_EXPONENT1, s->dp) == 1 &&
	       OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_EXPONENT2, s->dq) == 1 &&
	       OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, s->qinv) == 1;
}

static EVP_PKEY *build(const struct alg *alg, const struct pkey_numbers *numbers)
{
	size_t most = alg->bits / 8;
	BULLA_CLEANUP(clear_private) struct private_numbers s = { 0 };
	bool private = numbers->d.len > 0;

	if (numbers->n.len > most || numbers->e.len > 8 || numbers->d.len > most || numbers->p.len > most || numbers->q.len > most)
		return NULL;
	BIGNUM *n = to_bn(numbers->n, false), *e = to_bn(numbers->e, false);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	bool ok = n != NULL && e != NULL && builder != NULL &&
		  OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
		  OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1 &&
		  (!private || (read_private(numbers, &s) && push_private(builder, &s)));
	EVP_PKEY *evp = ok ? pkey_from_params("RSA", builder, private) : NULL;

	OSSL_PARAM_BLD_free(builder);
	BN_free(n);
	BN_free(e);
	return evp;
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

static const struct pkey_family family = {
	.type = "RSA", .make = make, .fits = fits, .traditional = true, .sign = sign, .verify = verify, .encrypt = encrypt, .decrypt = decrypt,
	.build = build,
};

#define RSA_ROW(id_, name_, bits_)                                                                               \
	{                                                                                                        \
		.name = name_, .id = id_, .can = ALG_ENCRYPT | ALG_SIGN | ALG_PKEY | ALG_SLOW_MAKE,   \
		.bits = bits_, .title = name_, .auth_failed = "crypto/rsa: decryption error", .family = &family,                 \
	}

const struct alg alg_rsa_2048 = RSA_ROW(9, "rsa-2048", 2048);
const struct alg alg_rsa_3072 = RSA_ROW(10, "rsa-3072", 3072);
const struct alg alg_rsa_4096 = RSA_ROW(11, "rsa-4096", 4096);
