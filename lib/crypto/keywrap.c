/* keywrap.c: AES-KWP by OpenSSL. Any thread. */
#include "crypto/keywrap.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "bulla/memory.h"

#define MOST_BYTES 65536
#define BLOCK 8

static const EVP_CIPHER *cipher_of(struct bulla_bytes kek)
{
	return kek.len == 16 ? EVP_aes_128_wrap_pad() : kek.len == 32 ? EVP_aes_256_wrap_pad() : NULL;
}

static EVP_CIPHER_CTX *begin(const EVP_CIPHER *cipher, struct bulla_bytes kek, bool wrap)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx == NULL)
		return NULL;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_CipherInit_ex2(ctx, cipher, kek.ptr, NULL, wrap ? 1 : 0, NULL) == 1)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

enum bulla_err keywrap_wrap(struct bulla_bytes kek, struct bulla_bytes in, uint8_t *out)
{
	const EVP_CIPHER *cipher = cipher_of(kek);
	int n = 0;

	if (cipher == NULL || in.len == 0 || in.len > MOST_BYTES)
		return BULLA_E_BAD_FIELD;
	EVP_CIPHER_CTX *ctx = begin(cipher, kek, true);
	bool ok = ctx != NULL && EVP_CipherUpdate(ctx, out, &n, in.ptr, (int)in.len) == 1 && (size_t)n == keywrap_len(in.len);

	EVP_CIPHER_CTX_free(ctx);
	ERR_clear_error();
	return ok ? BULLA_OK : BULLA_E_CRYPTO;
}

enum bulla_err keywrap_unwrap(struct bulla_bytes kek, struct bulla_bytes in, uint8_t *out, size_t *len)
{
	const EVP_CIPHER *cipher = cipher_of(kek);
	int n = 0;

	if (cipher == NULL)
		return BULLA_E_BAD_FIELD;
	if (in.len < 2 * BLOCK || in.len % BLOCK != 0 || in.len > keywrap_len(MOST_BYTES))
		return BULLA_E_AUTH_FAILED;
	EVP_CIPHER_CTX *ctx = begin(cipher, kek, false);
	/* OpenSSL uses the room for the whole input while it works */
	uint8_t *room = OPENSSL_malloc(in.len);
	bool ready = ctx != NULL && room != NULL;
	bool ok = ready && EVP_CipherUpdate(ctx, room, &n, in.ptr, (int)in.len) == 1 && n > 0 && (size_t)n <= in.len - BLOCK;

	if (ok) {
		memcpy(out, room, (size_t)n);
		memset(out + n, 0, in.len - BLOCK - (size_t)n);
		*len = (size_t)n;
	}
	OPENSSL_clear_free(room, in.len);
	EVP_CIPHER_CTX_free(ctx);
	ERR_clear_error();
	return ok ? BULLA_OK : ready ? BULLA_E_AUTH_FAILED : BULLA_E_CRYPTO;
}
