/* pkey_form.c: owns the forms in which asymmetric keys leave: DER, PEM and bare numbers. Any thread. */
#include "crypto/pkey_private.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "bulla/encode.h"

/* What OpenSSL writes lies on its heap, which wipes; from there at once to secret memory. */
static int write_pkcs8(EVP_PKEY *evp, uint8_t **der)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(evp);
	int len = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, der);

	PKCS8_PRIV_KEY_INFO_free(info);
	return len;
}

enum bulla_err pkey_encode(const struct pkey *pkey, enum pkey_form form, struct material *out)
{
	uint8_t *der = NULL;
	int len = -1;

	if (form == PKEY_PKCS8 && pkey->private)
		len = write_pkcs8(pkey->evp, &der);
	if (form == PKEY_TRADITIONAL && pkey->private && pkey->alg->family->traditional)
		len = i2d_PrivateKey(pkey->evp, &der);
	if (form == PKEY_PUBLIC)
		len = i2d_PUBKEY(pkey->evp, &der);
	enum bulla_err err = len > 0 ? material_copy(bulla_mem(der, (size_t)len), out) : BULLA_E_CRYPTO;

	OPENSSL_free(der);
	ERR_clear_error();
	return err;
}

/* ---- PEM --------------------------------------------------------------------------------------------------------------- */

#define LINE 64
#define LINE_BYTES (LINE / 4 * 3)

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----\n"

static size_t body_len(size_t n)
{
	size_t text = BULLA_BASE64_LEN(n);

	return text + (text + LINE - 1) / LINE;
}

size_t pem_len(const char *label, size_t der_bytes)
{
	return sizeof BEGIN + sizeof END + 2 * sizeof DASHES - 4 + 2 * strlen(label) + body_len(der_bytes);
}

static char *append(char *out, const char *text)
{
	size_t n = strlen(text);

	memcpy(out, text, n);
	return out + n;
}

void pem_print(const char *label, struct bulla_bytes der, char *out)
{
	out = append(append(append(out, BEGIN), label), DASHES);
	for (size_t at = 0; at < der.len; at += LINE_BYTES) {
		size_t n = der.len - at < LINE_BYTES ? der.len - at : LINE_BYTES;

		out += bulla_base64_encode(bulla_mem(der.ptr + at, n), out);
		*out++ = '\n';
	}
	append(append(append(out, END), label), DASHES);
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------ */

static const char *const names[] = {
	[PKEY_RSA_N] = OSSL_PKEY_PARAM_RSA_N, [PKEY_RSA_E] = OSSL_PKEY_PARAM_RSA_E, [PKEY_RSA_D] = OSSL_PKEY_PARAM_RSA_D,
	[PKEY_RSA_P] = OSSL_PKEY_PARAM_RSA_FACTOR1, [PKEY_RSA_Q] = OSSL_PKEY_PARAM_RSA_FACTOR2,
	[PKEY_RSA_DP] = OSSL_PKEY_PARAM_RSA_EXPONENT1, [PKEY_RSA_DQ] = OSSL_PKEY_PARAM_RSA_EXPONENT2,
	[PKEY_RSA_QINV] = OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
	[PKEY_EC_X] = OSSL_PKEY_PARAM_EC_PUB_X, [PKEY_EC_Y] = OSSL_PKEY_PARAM_EC_PUB_Y, [PKEY_EC_D] = OSSL_PKEY_PARAM_PRIV_KEY,
};

static enum bulla_err from_bn(const BIGNUM *bn, struct material *out)
{
	int n = BN_num_bytes(bn);

	if (n == 0)
		return BULLA_E_CRYPTO;
	TRY(material_new((size_t)n, out));
	BN_bn2bin(bn, out->ptr);
	return BULLA_OK;
}

static bool read_ed25519(const struct pkey *pkey, enum pkey_number which, uint8_t *out)
{
	size_t n = 32, m = 32;

	if (which == PKEY_ED25519_PUBLIC)
		return EVP_PKEY_get_raw_public_key(pkey->evp, out, &n) == 1;
	return EVP_PKEY_get_raw_private_key(pkey->evp, out, &n) == 1 &&
	       EVP_PKEY_get_raw_public_key(pkey->evp, out + 32, &m) == 1;
}

static enum bulla_err number_of_ed25519(const struct pkey *pkey, enum pkey_number which, struct material *out)
{
	BULLA_CLEANUP(material_clear) struct material made = { 0 };

	if (pkey->alg != &alg_ed25519)
		return BULLA_E_CRYPTO;
	TRY(material_new(which == PKEY_ED25519_PUBLIC ? 32 : 64, &made));
	bool ok = read_ed25519(pkey, which, made.ptr);

	ERR_clear_error();
	if (!ok)
		return BULLA_E_CRYPTO;
	*out = made;
	made = (struct material){ 0 }; /* it is the caller's now */
	return BULLA_OK;
}

enum bulla_err pkey_number(const struct pkey *pkey, enum pkey_number which, struct material *out)
{
	BIGNUM *bn = NULL;

	if (which == PKEY_ED25519_PRIVATE || which == PKEY_ED25519_PUBLIC)
		return number_of_ed25519(pkey, which, out);
	if (pkey->alg == &alg_ed25519)
		return BULLA_E_CRYPTO;
	enum bulla_err err = EVP_PKEY_get_bn_param(pkey->evp, names[which], &bn) == 1 ? from_bn(bn, out) : BULLA_E_CRYPTO;

	BN_clear_free(bn);
	ERR_clear_error();
	return err;
}

enum bulla_err pkey_decimal_print(struct bulla_bytes number, struct material *out)
{
	BIGNUM *bn = number.len > MATERIAL_MAX ? NULL : BN_bin2bn(number.ptr, (int)number.len, NULL);
	char *text = bn == NULL ? NULL : BN_bn2dec(bn);
	enum bulla_err err = text == NULL ? BULLA_E_NO_MEMORY : material_copy(bulla_str(text), out);

	OPENSSL_free(text);
	BN_clear_free(bn);
	ERR_clear_error();
	return err;
}

static bool all_digits(struct bulla_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	return text.len > 0 && text.len <= PKEY_MAX_DECIMAL;
}

enum bulla_err pkey_decimal_parse(struct bulla_bytes digits, struct material *out)
{
	char text[PKEY_MAX_DECIMAL + 1];
	BIGNUM *bn = NULL;

	if (!all_digits(digits))
		return BULLA_E_BAD_KEY_MATERIAL;
	memcpy(text, digits.ptr, digits.len);
	text[digits.len] = 0;
	enum bulla_err err = BN_dec2bn(&bn, text) == (int)digits.len ? from_bn(bn, out) : BULLA_E_NO_MEMORY;

	if (err == BULLA_E_CRYPTO) /* zero is no part of a key */
		err = BULLA_E_BAD_KEY_MATERIAL;
	BN_clear_free(bn);
	bulla_wipe(text, sizeof text);
	ERR_clear_error();
	return err;
}
