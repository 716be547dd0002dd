/* sign.c: owns signing under a named key. Any thread.
 * Signatures are made behind the keyring's read section: a batch of them may take seconds. */
#include "bulla/encode.h"
#include "bulla/sign.h"
#include "access/grant.h"
#include "transit/transit.h"

/* The peer's server error, for what a caller got wrong with the key. */
#define REFUSE BULLA_E_INVALID_500

/* The key that all items of a request are signed with; or why none of them is. */
struct signer {
	struct pkey *pkey;
	bool derived;
	uint32_t version;
	enum bulla_err err;
	struct bulla_bytes error;
};

static void signer_clear(struct signer *signer)
{
	pkey_put(signer->pkey);
}

static enum bulla_err choose_version(struct bulla_call *call, const struct key *key, int64_t wanted, const struct key_version **out)
{
	uint32_t latest = key_latest(key), least = key_min_encryption(key);

	if (transit_usable(call, key) != BULLA_OK)
		return REFUSE;
	if (wanted < 0)
		return bulla_fail(call, REFUSE, "requested version for signing is negative");
	if (wanted > latest)
		return bulla_fail(call, REFUSE, "requested version for signing is higher than the latest key version");
	if (wanted != 0 && wanted < least)
		return bulla_fail(call, REFUSE, "requested version for signing is less than the minimum encryption key version");
	enum bulla_err err = transit_use_version(call, key, wanted == 0 ? latest : (uint32_t)wanted, out);

	return err == BULLA_E_INVALID ? REFUSE : err;
}

static enum bulla_err open_signer(struct bulla_call *call, const struct key *key, struct signing *s, struct signer *signer)
{
	const struct key_version *version;

	signer->derived = key_derived(key);
	TRY(choose_version(call, key, s->args->key_version, &version));
	signer->version = version->version;
	TRY(keyring_pkey(key, version, &signer->pkey));
	if (!pkey_is_private(signer->pkey))
		return bulla_fail(call, REFUSE, "requested version for signing does not contain a private part");
	enum bulla_err err = signing_check_rsa(call, signer->pkey, s);

	return err == BULLA_E_INVALID ? REFUSE : err;
}

/* Go's texts of inputs that are no digests. */
static enum bulla_err refuse_input(struct bulla_call *call, const struct signing *s)
{
	if (s->params.digest == DIGEST_NONE)
		return bulla_fail(call, REFUSE, "crypto/rsa: message too long for RSA key size");
	return bulla_fail(call, REFUSE, "crypto/rsa: input must be hashed %s",
			  s->params.padding == PKEY_PSS ? "with given hash" : "message");
}

/* pkey.h takes a digest of its own length only; an ECDSA key signs any. */
static enum bulla_err make(struct bulla_call *call, const struct pkey *pkey, const struct signing *s, struct bulla_bytes input,
			   uint8_t *out, size_t *len)
{
	bool rsa = pkey_modulus_bytes(pkey) > 0;
	struct pkey_params params = s->params;

	if (pkey_alg(pkey)->group != NULL && params.prehashed) {
		params.digest = DIGEST_NONE;
		if (input.len == 0)
			return bulla_fail(call, REFUSE, "ecdsa: hash cannot be empty");
	}
	enum bulla_err err = pkey_sign(pkey, &params, input, out, len);

	return rsa && err == BULLA_E_BAD_FIELD ? refuse_input(call, s) : err;
}

static enum bulla_err print(struct bulla_call *call, uint32_t version, enum pkey_marshal marshal, struct bulla_bytes signature,
			    struct bulla_bytes *out)
{
	size_t len = bulla_ciphertext_len(version, signature.len), prefix = len - BULLA_BASE64_LEN(signature.len);
	char *text = bulla_arena_alloc(call->arena, len);

	if (text == NULL)
		return BULLA_E_NO_MEMORY;
	bulla_ciphertext_print(version, signature, text);
	if (marshal == PKEY_JWS)
		len = prefix + bulla_base64url_encode(signature, text + prefix);
	*out = bulla_mem(text, len);
	return BULLA_OK;
}

static enum bulla_err put_public(struct bulla_call *call, const struct pkey *pkey, struct bulla_bytes *out)
{
	BULLA_CLEANUP(material_clear) struct material public = { 0 };

	TRY(pkey_number(pkey, PKEY_ED25519_PUBLIC, &public));
	*out = bulla_arena_copy(call->arena, material_bytes(&public));
	return out->ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

static enum bulla_err sign_item(struct bulla_call *call, const struct signer *signer, const struct signing *s,
				const struct bulla_sign_item *item, struct bulla_signature *result)
{
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;
	uint8_t signature[PKEY_MAX_SIGNATURE];
	struct bulla_signature made = { .key_version = signer->version };
	size_t len;

	TRY(signing_pkey(call, signer->derived, signer->pkey, item->context, &pkey));
	TRY(make(call, pkey, s, item->input, signature, &len));
	TRY(print(call, signer->version, s->params.marshal, bulla_mem(signature, len), &made.text));
	if (signer->derived)
		TRY(put_public(call, pkey, &made.public_key));
	*result = made;
	return BULLA_OK;
}

/* Within the key's read section, which it ends. */
static enum bulla_err begin(struct bulla *engine, struct bulla_call *call, struct signing *s, struct signer *signer)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;
	enum bulla_err err = transit_begin_heavy(engine, call, s->args->mount, s->args->name, TRANSIT_SIGN, s->args->count,
						 transit_sign_bytes(s->args->items, s->args->count), &key);

	if (err == BULLA_E_KEY_NOT_FOUND)
		return bulla_fail(call, err, "signing key not found");
	TRY(err);
	TRY(signing_check(call, key, "signing", s));
	return transit_settle_as(call, open_signer(call, key, s, signer), &signer->err, &signer->error);
}

enum bulla_err bulla_sign(struct bulla *engine, struct bulla_call *call, const struct bulla_sign_args *args,
			  struct bulla_signature *results)
{
	BULLA_CLEANUP(signer_clear) struct signer signer = { 0 };
	struct transit_slice slice = { 0 };
	struct signing s;

	TRY(signing_read(call, args, &s));
	TRY(begin(engine, call, &s, &signer));
	uint64_t weight = signer.pkey == NULL ? 0 : transit_weight(pkey_alg(signer.pkey), TRANSIT_SIGN, 1, 0);

	for (size_t i = 0; i < args->count; i++) {
		const struct bulla_sign_item *item = &args->items[i];
		struct bulla_signature *result = &results[i];

		*result = (struct bulla_signature){ .err = item->err, .error = item->error };
		if (item->err == BULLA_OK)
			TRY(transit_settle_as(call, grant_check_index(call, i), &result->err, &result->error));
		if (result->err == BULLA_OK && signer.err != BULLA_OK)
			*result = (struct bulla_signature){ .err = signer.err, .error = signer.error };
		if (result->err == BULLA_OK)
			TRY(transit_settle_as(call, sign_item(call, &signer, &s, item, result), &result->err, &result->error));
		if (transit_slice_ends(call, &slice, weight))
			TRY(transit_yield(engine, call));
	}
	return BULLA_OK;
}
