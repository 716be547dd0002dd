/* password.c: see password.h. */
#include "crypto/password.h"

#include <crypt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "bulla/memory.h"

#define PASSES 2 /* with PASSWORD_MEMORY: docs/DECISIONS.md */
#define BCRYPT_TEXT 60
#define SUM_BYTES 32 /* as libsodium makes them */

_Static_assert(PASSWORD_TEXT >= crypto_pwhash_STRBYTES, "a hash has room");

/* ---- Argon2id -------------------------------------------------------------------------------------------------------------- */

enum bulla_err password_hash(struct bulla_bytes password, char out[PASSWORD_TEXT])
{
	if (password.len > PASSWORD_MAX_BYTES)
		return BULLA_E_INVALID;
	int failed = crypto_pwhash_str_alg(out, (const char *)password.ptr, password.len, PASSES, PASSWORD_MEMORY,
					   crypto_pwhash_ALG_ARGON2ID13);
	return failed != 0 ? BULLA_E_NO_MEMORY : BULLA_OK;
}

/* Of "m=19456,t=2,p=1$SALT$SUM", as password_hash makes them. */
static bool read_argon2(const char *text, unsigned *memory_kib, unsigned *passes, uint8_t salt[crypto_pwhash_SALTBYTES], uint8_t sum[SUM_BYTES])
{
	const char *end, *rest;
	size_t len;
	int at = 0;

	if (sscanf(text, "m=%9u,t=%9u,p=1$%n", memory_kib, passes, &at) != 2 || at == 0)
		return false;
	rest = text + at;
	if (sodium_base642bin(salt, crypto_pwhash_SALTBYTES, rest, strlen(rest), NULL, &len, &end, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0 ||
	    len != crypto_pwhash_SALTBYTES || *end != '$')
		return false;
	rest = end + 1;
	return sodium_base642bin(sum, SUM_BYTES, rest, strlen(rest), NULL, &len, &end, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
	       len == SUM_BYTES && *end == '\0';
}

/* Not crypto_pwhash_str_verify: for lack of memory it says that the password is wrong. */
static enum bulla_err verify_argon2(struct bulla_bytes password, struct bulla_bytes hash, bool *right)
{
	static const char start[] = "$argon2id$v=19$";
	uint8_t salt[crypto_pwhash_SALTBYTES], sum[SUM_BYTES], made[SUM_BYTES];
	char text[PASSWORD_TEXT] = { 0 };
	unsigned memory_kib, passes;

	*right = false;
	if (hash.len >= sizeof text)
		return BULLA_OK;
	memcpy(text, hash.ptr, hash.len);
	if (strncmp(text, start, sizeof start - 1) != 0 || !read_argon2(text + sizeof start - 1, &memory_kib, &passes, salt, sum))
		return BULLA_OK;
	int failed = crypto_pwhash(made, sizeof made, (const char *)password.ptr, password.len, salt, passes, (size_t)memory_kib << 10,
				   crypto_pwhash_ALG_ARGON2ID13);

	*right = failed == 0 && bulla_equal_secret(bulla_mem(made, sizeof made), bulla_mem(sum, sizeof sum));
	bulla_wipe(made, sizeof made);
	return failed != 0 ? BULLA_E_NO_MEMORY : BULLA_OK;
}

/* As long as for a hash that exists; what comes out is no one's. */
static enum bulla_err verify_nobody(struct bulla_bytes password)
{
	char text[PASSWORD_TEXT];

	int failed = crypto_pwhash_str_alg(text, (const char *)password.ptr, password.len, PASSES, PASSWORD_MEMORY,
					   crypto_pwhash_ALG_ARGON2ID13);

	bulla_wipe(text, sizeof text);
	return failed != 0 ? BULLA_E_NO_MEMORY : BULLA_OK; /* as for a hash that exists */
}

/* ---- bcrypt ---------------------------------------------------------------------------------------------------------------- */

static bool is_bcrypt_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '.' && c <= '9'); /* '.', '/', 0 to 9 */
}

bool password_bcrypt_cost(struct bulla_bytes hash, unsigned *cost)
{
	const uint8_t *p = hash.ptr;

	if (hash.len != BCRYPT_TEXT || p[0] != '$' || p[1] != '2' || strchr("aby", p[2]) == NULL || p[2] == 0 || p[3] != '$' ||
	    p[6] != '$' || p[4] < '0' || p[4] > '9' || p[5] < '0' || p[5] > '9')
		return false;
	for (size_t i = 7; i < hash.len; i++)
		if (!is_bcrypt_char(p[i]))
			return false;
	*cost = (unsigned)(p[4] - '0') * 10 + (unsigned)(p[5] - '0');
	return true;
}

/* libxcrypt takes text that ends with NUL: a password with one within it is no one's. Only the first 72 bytes count, by design. */
static enum bulla_err verify_bcrypt(struct bulla_bytes password, struct bulla_bytes hash, bool *right)
{
	char setting[BCRYPT_TEXT + 1] = { 0 };
	struct crypt_data *data = calloc(1, sizeof *data);
	char *text = calloc(1, password.len + 1);
	enum bulla_err err = data == NULL || text == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;

	*right = false;
	if (data != NULL && text != NULL && (password.len == 0 || memchr(password.ptr, 0, password.len) == NULL)) {
		memcpy(setting, hash.ptr, hash.len);
		if (password.len > 0)
			memcpy(text, password.ptr, password.len);
		const char *made = crypt_r(text, setting, data);

		*right = made != NULL && bulla_equal_secret(bulla_str(made), hash);
	}
	if (text != NULL)
		bulla_wipe(text, password.len);
	if (data != NULL)
		bulla_wipe(data, sizeof *data);
	free(text);
	free(data);
	return err;
}

enum bulla_err password_verify(struct bulla_bytes password, struct bulla_bytes hash, bool *right)
{
	enum bulla_err err;
	unsigned cost;

	*right = false;
	if (password.len > PASSWORD_MAX_BYTES)
		return BULLA_OK;
	if (hash.len == 0)
		err = verify_nobody(password);
	else if (password_bcrypt_cost(hash, &cost))
		err = verify_bcrypt(password, hash, right);
	else
		err = verify_argon2(password, hash, right);
	return err;
}
