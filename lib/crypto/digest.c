/* digest.c: owns the table of hash functions, each fetched from OpenSSL once. Any thread, after digest_init.
 * The two that are asked for most go through libsodium, which needs no context on the heap. */
#include "crypto/digest.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sodium.h>

#include "bulla/memory.h"
#include "crypto/crypto.h"
#include "crypto/evp.h"

static const struct row {
	const char *name, *openssl;
	size_t bytes;
} rows[DIGEST_COUNT] = {
	[DIGEST_NONE] = { "none", NULL, 0 },
	[DIGEST_SHA1] = { "sha1", "SHA1", 20 },
	[DIGEST_SHA2_224] = { "sha2-224", "SHA2-224", 28 },
	[DIGEST_SHA2_256] = { "sha2-256", "SHA2-256", 32 },
	[DIGEST_SHA2_384] = { "sha2-384", "SHA2-384", 48 },
	[DIGEST_SHA2_512] = { "sha2-512", "SHA2-512", 64 },
	[DIGEST_SHA3_224] = { "sha3-224", "SHA3-224", 28 },
	[DIGEST_SHA3_256] = { "sha3-256", "SHA3-256", 32 },
	[DIGEST_SHA3_384] = { "sha3-384", "SHA3-384", 48 },
	[DIGEST_SHA3_512] = { "sha3-512", "SHA3-512", 64 },
};

static EVP_MD *fetched[DIGEST_COUNT];
static EVP_MAC *hmac;

enum bulla_err digest_init(void)
{
	for (int i = DIGEST_SHA1; i < DIGEST_COUNT; i++) {
		fetched[i] = EVP_MD_fetch(NULL, rows[i].openssl, NULL);
		if (fetched[i] == NULL)
			return BULLA_E_CRYPTO;
	}
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	return hmac == NULL ? BULLA_E_CRYPTO : BULLA_OK;
}

const EVP_MD *digest_evp(enum digest digest)
{
	return fetched[digest];
}

bool digest_by_name(struct bulla_bytes name, enum digest *out)
{
	for (int i = 0; i < DIGEST_COUNT; i++)
		if (bulla_is(name, rows[i].name)) {
			*out = (enum digest)i;
			return true;
		}
	return false;
}

const char *digest_name(enum digest digest)
{
	return rows[digest].name;
}

size_t digest_bytes(enum digest digest)
{
	return rows[digest].bytes;
}

enum bulla_err digest_hash(enum digest digest, struct bulla_bytes in, uint8_t *out)
{
	if (digest == DIGEST_SHA2_256) {
		sha256(in, out);
		return BULLA_OK;
	}
	if (fetched[digest] == NULL)
		return BULLA_E_CRYPTO;
	if (EVP_Digest(in.ptr, in.len, out, NULL, fetched[digest], NULL) == 1)
		return BULLA_OK;
	ERR_clear_error();
	return BULLA_E_CRYPTO;
}

static void hmac_sha512(struct bulla_bytes key, struct bulla_bytes in, uint8_t *out)
{
	crypto_auth_hmacsha512_state state;

	crypto_auth_hmacsha512_init(&state, key.len > 0 ? key.ptr : (const uint8_t *)"", key.len);
	crypto_auth_hmacsha512_update(&state, in.ptr, in.len);
	crypto_auth_hmacsha512_final(&state, out);
	bulla_wipe(&state, sizeof state);
}

static enum bulla_err hmac_openssl(enum digest digest, struct bulla_bytes key, struct bulla_bytes in, uint8_t *out)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)rows[digest].openssl, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
	const uint8_t *secret = key.len > 0 ? key.ptr : (const uint8_t *)""; /* NULL: the key of before, and there is none */
	size_t n;
	bool ok = ctx != NULL && EVP_MAC_init(ctx, secret, key.len, params) == 1 && EVP_MAC_update(ctx, in.ptr, in.len) == 1 &&
		  EVP_MAC_final(ctx, out, &n, rows[digest].bytes) == 1 && n == rows[digest].bytes;

	EVP_MAC_CTX_free(ctx); /* wipes what it frees */
	if (!ok)
		ERR_clear_error();
	return ok ? BULLA_OK : BULLA_E_CRYPTO;
}

enum bulla_err digest_hmac(enum digest digest, struct bulla_bytes key, struct bulla_bytes in, uint8_t *out)
{
	if (fetched[digest] == NULL)
		return BULLA_E_CRYPTO;
	if (digest == DIGEST_SHA2_256)
		hmac_sha256(key, in, bulla_mem(NULL, 0), out);
	else if (digest == DIGEST_SHA2_512)
		hmac_sha512(key, in, out);
	else
		return hmac_openssl(digest, key, in, out);
	return BULLA_OK;
}
