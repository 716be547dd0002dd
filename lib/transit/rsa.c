/* rsa.c: owns encryption under RSA: with the public key at once, with the private key behind the keyring's read section. Any
 * thread. */
#include "transit/transit.h"

#define OAEP_DIGEST DIGEST_SHA2_256

bool rsa_padding(struct bulla_bytes text, enum pkey_padding *out)
{
	bool pkcs1 = bulla_is(text, "pkcs1v15");

	if (!pkcs1 && text.len > 0 && !bulla_is(text, "oaep"))
		return false;
	*out = pkcs1 ? PKEY_PKCS1V15 : PKEY_OAEP;
	return true;
}

static struct pkey_params params_of(struct bulla_bytes padding)
{
	struct pkey_params params = { .digest = OAEP_DIGEST, .padding = PKEY_OAEP };

	(void)rsa_padding(padding, &params.padding); /* it was checked */
	return params;
}

/* ---- one item -------------------------------------------------------------------------------------------------------------- */

static enum bulla_err seal(struct bulla_call *call, const struct pkey *pkey, struct bulla_bytes plaintext, struct bulla_bytes padding,
			   struct bulla_bytes *out)
{
	const struct pkey_params params = params_of(padding);
	uint8_t *sealed = bulla_arena_alloc(call->arena, pkey_modulus_bytes(pkey));

	if (sealed == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = pkey_encrypt(pkey, &params, plaintext, sealed);

	if (err == BULLA_E_BAD_FIELD)
		return bulla_fail(call, BULLA_E_INVALID_500,
				  "failed to RSA encrypt the plaintext: crypto/rsa: message too long for RSA key size");
	TRY(err);
	*out = bulla_mem(sealed, pkey_modulus_bytes(pkey));
	return BULLA_OK;
}

/* Whatever is wrong with a ciphertext has one answer. */
static enum bulla_err open(struct bulla_call *call, const struct pkey *pkey, struct bulla_bytes sealed, struct bulla_bytes padding,
			   struct bulla_bytes *out)
{
	const struct pkey_params params = params_of(padding);
	uint8_t *plaintext = bulla_arena_alloc(call->arena, pkey_modulus_bytes(pkey));
	size_t len;

	if (plaintext == NULL)
		return BULLA_E_NO_MEMORY;
	if (!pkey_is_private(pkey))
		return bulla_fail(call, BULLA_E_INVALID_500,
				  "cannot decrypt ciphertext, key version does not have a private counterpart");
	enum bulla_err err = pkey_decrypt(pkey, &params, sealed, plaintext, &len);

	if (err == BULLA_E_AUTH_FAILED)
		return bulla_fail(call, BULLA_E_INVALID_500, "failed to RSA decrypt the ciphertext: %s", pkey_alg(pkey)->auth_failed);
	TRY(err);
	*out = bulla_mem(plaintext, len);
	return BULLA_OK;
}

enum bulla_err rsa_seal(struct bulla_call *call, const struct key *key, const struct key_version *version,
			const struct bulla_encrypt_item *item, struct bulla_item_result *result)
{
	BULLA_CLEANUP(pkey_release) struct pkey *pkey = NULL;
	struct bulla_bytes sealed;

	TRY(keyring_pkey(key, version, &pkey));
	TRY(seal(call, pkey, item->plaintext, item->padding, &sealed));
	*result = (struct bulla_item_result){ .bytes = sealed, .key_version = version->version };
	return BULLA_OK;
}

/* ---- batches --------------------------------------------------------------------------------------------------------------- */

/* What the read section leaves of an item. */
struct opening {
	struct pkey *old;
	struct bulla_bytes sealed;
	/* of rewrap: what it is encrypted with, or why it is not, to be told after it was decrypted */
	struct pkey *new;
	uint32_t version;
	enum bulla_err err;
	struct bulla_bytes error;
};

struct openings {
	struct opening *list;
	size_t count;
};

static void openings_clear(struct openings *openings)
{
	for (size_t i = 0; i < openings->count; i++) {
		pkey_put(openings->list[i].old);
		pkey_put(openings->list[i].new);
	}
}

static enum bulla_err openings_init(struct bulla_call *call, size_t count, struct openings *out)
{
	out->list = bulla_arena_alloc(call->arena, count * sizeof *out->list);
	if (out->list == NULL)
		return BULLA_E_NO_MEMORY;
	out->count = count;
	return BULLA_OK;
}

static enum bulla_err prepare(struct bulla_call *call, const struct key *key, struct bulla_bytes ciphertext, struct opening *out)
{
	const struct key_version *version;
	uint8_t *sealed;
	size_t len;

	TRY(transit_parse_sealed(call, key, ciphertext, &version, &sealed, &len));
	TRY(keyring_pkey(key, version, &out->old));
	out->sealed = bulla_mem(sealed, len);
	return BULLA_OK;
}

static enum bulla_err prepare_decrypt(struct bulla_call *call, const struct key *key, size_t at,
				      const struct bulla_decrypt_item *item, struct opening *out)
{
	TRY(transit_granted(call, at, &item->binding));
	TRY(transit_check_options(call, key, at, &item->binding, item->padding));
	return prepare(call, key, item->ciphertext, out);
}

/* So many of the items from at on are done before others may go by: what is prepared of them is kept meanwhile. */
#define AT_ONCE 32

static size_t end_of(const struct bulla_call *call, size_t at, size_t count)
{
	return call->turn == NULL || count - at < AT_ONCE ? count : at + AT_ONCE;
}

enum bulla_err rsa_decrypt(struct bulla_call *call, const struct key **key, const struct bulla_decrypt_args *args,
			   struct bulla_item_result *results, size_t *at)
{
	BULLA_CLEANUP(openings_clear) struct openings openings = { 0 };
	size_t first = *at, last = end_of(call, first, args->count);

	TRY(openings_init(call, last - first, &openings));
	for (size_t i = first; i < last; i++) {
		const struct bulla_decrypt_item *item = &args->items[i];

		results[i] = (struct bulla_item_result){ .err = item->err, .error = item->error };
		if (item->err == BULLA_OK)
			TRY(transit_settle(call, prepare_decrypt(call, *key, i, item, &openings.list[i - first]), &results[i]));
	}
	transit_end(key);
	for (size_t i = first; i < last; i++) {
		const struct opening *opening = &openings.list[i - first];

		if (results[i].err == BULLA_OK)
			TRY(transit_settle(call, open(call, opening->old, opening->sealed, args->items[i].padding, &results[i].bytes),
					   &results[i]));
		TRY(bulla_yield(call));
	}
	*at = last;
	return BULLA_OK;
}

/* ---- rewrap ---------------------------------------------------------------------------------------------------------------- */

/* Raw associated data is not looked at, as at the peer. */
static enum bulla_err prepare_rewrap(struct bulla_call *call, const struct key *key, size_t at, const struct bulla_rewrap_item *item,
				     struct opening *out)
{
	const struct bulla_binding old = { .pair_count = item->old_binding.pair_count };
	const struct bulla_binding new = { .pair_count = item->new_binding.pair_count };
	const struct key_version *version = NULL;

	TRY(transit_granted_rewrap(call, at, &item->old_binding, &item->new_binding));
	TRY(transit_check_options(call, key, at, &old, item->old_padding));
	TRY(transit_check_options(call, key, at, &new, item->new_padding));
	TRY(prepare(call, key, item->ciphertext, out));
	TRY(transit_settle_as(call, transit_seal_version(call, key, item->key_version, item->context, &version), &out->err, &out->error));
	if (out->err != BULLA_OK)
		return BULLA_OK;
	out->version = version->version;
	return keyring_pkey(key, version, &out->new);
}

static enum bulla_err rewrap(struct bulla_call *call, const struct opening *opening, const struct bulla_rewrap_item *item,
			     struct bulla_item_result *result)
{
	struct bulla_bytes plaintext, sealed;

	TRY(open(call, opening->old, opening->sealed, item->old_padding, &plaintext));
	if (opening->err != BULLA_OK) {
		call->detail = opening->error;
		return opening->err;
	}
	TRY(seal(call, opening->new, plaintext, item->new_padding, &sealed));
	*result = (struct bulla_item_result){ .bytes = sealed, .key_version = opening->version };
	return BULLA_OK;
}

enum bulla_err rsa_rewrap(struct bulla_call *call, const struct key **key, const struct bulla_rewrap_args *args,
			  struct bulla_item_result *results, size_t *at)
{
	BULLA_CLEANUP(openings_clear) struct openings openings = { 0 };
	size_t first = *at, last = end_of(call, first, args->count);

	TRY(openings_init(call, last - first, &openings));
	for (size_t i = first; i < last; i++) {
		const struct bulla_rewrap_item *item = &args->items[i];

		results[i] = (struct bulla_item_result){ .err = item->err, .error = item->error };
		if (item->err == BULLA_OK)
			TRY(transit_settle(call, prepare_rewrap(call, *key, i, item, &openings.list[i - first]), &results[i]));
	}
	transit_end(key);
	for (size_t i = first; i < last; i++) {
		if (results[i].err == BULLA_OK)
			TRY(transit_settle(call, rewrap(call, &openings.list[i - first], &args->items[i], &results[i]), &results[i]));
		TRY(bulla_yield(call));
	}
	*at = last;
	return BULLA_OK;
}
