/* derive.c: owns how a derived key's secrets come from its material and a context. Byte-compatible with OpenBao, whose keys
 * and ciphertexts move over: HKDF (RFC 5869) with SHA-256, no salt, the context as info. Its output is cut into the key, then,
 * of a convergent key, the key of the nonce's HMAC, then (ours alone) the key of the HMAC of bound nonces. Stateless: any
 * thread. */
#include "transit/transit.h"

void derived_clear(struct derived *derived)
{
	if (derived->used)
		bulla_wipe(derived, sizeof *derived);
}

/* HKDF's output has no end of its own: the first bytes are the same however many are asked for, so that the third part is
 * independent of what the peer derives. */
static enum bulla_err expand(const struct key *key, const struct key_version *version, struct bulla_bytes context,
			     struct derived *derived)
{
	size_t key_bytes = key_alg(key)->key_bytes;
	size_t n = key_convergent(key) ? key_bytes + 2 * SHA256_BYTES : key_bytes;
	uint8_t okm[ALG_MAX_SYMMETRIC_KEY + 2 * SHA256_BYTES];
	enum bulla_err err = hkdf_sha256(bulla_mem(version->key, version->key_len), bulla_mem(NULL, 0), context, okm, n);

	derived->used = true;
	if (err == BULLA_OK) {
		memcpy(derived->key, okm, key_bytes);
		if (n > key_bytes) {
			memcpy(derived->nonce_key, okm + key_bytes, SHA256_BYTES);
			memcpy(derived->bound_nonce_key, okm + key_bytes + SHA256_BYTES, SHA256_BYTES);
		}
	}
	bulla_wipe(okm, sizeof okm);
	return err;
}

enum bulla_err derive_check(struct bulla_call *call, const struct key *key, struct bulla_bytes context)
{
	if (key_derived(key) && context.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "%s", DERIVE_MISSING_CONTEXT);
	return BULLA_OK;
}

/* SP 800-108 in counter mode with HMAC-SHA256, as the peer has it for derived keys that were imported: one block, its counter from
 * 0, of 256 bits whatever the type. */
static enum bulla_err count(struct bulla_call *call, const struct key_version *version, struct bulla_bytes context,
			    struct derived *derived)
{
	static const uint8_t counter[4] = { 0 }, bits[4] = { 0, 0, 1, 0 };
	uint8_t *input = bulla_arena_alloc(call->arena, context.len + sizeof counter + sizeof bits);

	if (input == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(input, counter, sizeof counter);
	memcpy(input + sizeof counter, context.ptr, context.len);
	memcpy(input + sizeof counter + context.len, bits, sizeof bits);
	derived->used = true;
	hmac_sha256(bulla_mem(version->key, version->key_len),
		    bulla_mem(input, context.len + sizeof counter + sizeof bits), bulla_mem(NULL, 0), derived->key);
	return BULLA_OK;
}

const struct alg *derive_alg(const struct key *key)
{
	return key_counter_kdf(key) && key_alg(key) == &alg_aes128_gcm96 ? &alg_aes256_gcm96 : key_alg(key);
}

enum bulla_err derive_key(struct bulla_call *call, const struct key *key, const struct key_version *version,
			  struct bulla_bytes context, struct derived *derived, const uint8_t **secret)
{
	if (!key_derived(key)) {
		*secret = version->key;
		return BULLA_OK;
	}
	TRY(key_counter_kdf(key) ? count(call, version, context, derived) : expand(key, version, context, derived));
	*secret = derived->key;
	return BULLA_OK;
}

/* The peer's nonce depends on the plaintext alone, so that two ciphertexts of one plaintext with different associated data
 * share a nonce, which gives GCM's authentication key away (Joux's forbidden attack). With an encryption_context there is no
 * peer to agree with: the associated data goes in, by its digest (of fixed length, so that nothing can be moved between it and
 * the plaintext), under a key of its own (so that no plaintext without a context has that nonce). */
void derive_nonce(const struct derived *derived, struct bulla_bytes plaintext, bool bound, struct bulla_bytes aad, uint8_t *nonce,
		  size_t n)
{
	uint8_t digest[SHA256_BYTES], mac[SHA256_BYTES];

	if (bound) {
		sha256(aad, digest);
		hmac_sha256(bulla_mem(derived->bound_nonce_key, SHA256_BYTES), bulla_mem(digest, sizeof digest), plaintext, mac);
	} else {
		hmac_sha256(bulla_mem(derived->nonce_key, SHA256_BYTES), plaintext, bulla_mem(NULL, 0), mac);
	}
	memcpy(nonce, mac, n);
	bulla_wipe(mac, sizeof mac);
}
