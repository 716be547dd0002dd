/* alg.c: owns the registry of key types. Read-only: any thread. */
#include "crypto/alg.h"

#include "crypto/pkey_private.h"

static const struct alg *const rows[] = {
	&alg_aes128_gcm96,
	&alg_aes256_gcm96,
	&alg_chacha20_poly1305,
	&alg_xchacha20_poly1305,
	&alg_ed25519,
	&alg_ecdsa_p256,
	&alg_ecdsa_p384,
	&alg_ecdsa_p521,
	&alg_rsa_2048,
	&alg_rsa_3072,
	&alg_rsa_4096,
	&alg_hmac,
};

#define COUNT (sizeof rows / sizeof rows[0])

const struct alg *alg_by_name(struct bulla_bytes name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (bulla_is(name, rows[i]->name))
			return rows[i];
	return NULL;
}

const struct alg *alg_by_id(uint16_t id)
{
	for (size_t i = 0; i < COUNT; i++)
		if (rows[i]->id == id)
			return rows[i];
	return NULL;
}

const struct alg *alg_at(size_t index)
{
	return index < COUNT ? rows[index] : NULL;
}

enum bulla_err alg_make(const struct alg *alg, size_t key_size, struct bulla_call *call, struct material *out)
{
	if (alg->family != NULL)
		return pkey_make(alg, call, out);
	return material_random(alg->key_bytes > 0 ? alg->key_bytes : key_size > 0 ? key_size : alg->min_key_size, out);
}

bool alg_fits(const struct alg *alg, size_t len)
{
	if (alg->key_bytes > 0)
		return len == alg->key_bytes;
	if (alg->max_key_size > 0)
		return len >= alg->min_key_size && len <= alg->max_key_size;
	return len > 0 && len <= MATERIAL_MAX;
}
