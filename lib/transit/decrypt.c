/* decrypt.c: owns decryption under a named key. Any thread. */
#include "bulla/encode.h"
#include "transit/transit.h"

/* The version that a ciphertext names, in the peer's order of refusals. */
static enum bulla_err find_version(struct bulla_call *call, const struct key *key, int64_t number, const struct key_version **out)
{
	if (number > key_latest(key))
		return transit_too_new(call, key, "invalid ciphertext: version is too new");
	if (number < 1 || number < key_min_decryption(key))
		return bulla_fail(call, BULLA_E_INVALID, "ciphertext or signature version is disallowed by policy (too old)");
	enum bulla_err err = key_version_use(key, (uint32_t)number, call, out);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID, "no such key version");
	return err;
}

/* Opens in place what was decoded into the arena: nonce, ciphertext, tag. */
static enum bulla_err open_sealed(struct bulla_call *call, const struct alg *alg, const uint8_t *secret, struct bulla_bytes aad,
				  uint8_t *sealed, size_t len, struct bulla_bytes *out)
{
	size_t n = alg->nonce_bytes;

	if (len < n)
		return bulla_fail(call, BULLA_E_INVALID, "invalid ciphertext length");
	enum bulla_err err = alg->open(alg, secret, sealed, aad, bulla_mem(sealed + n, len - n), sealed + n);

	if (err == BULLA_E_AUTH_FAILED)
		return bulla_fail(call, BULLA_E_AUTH_FAILED, "%s", alg->auth_failed);
	TRY(err);
	*out = bulla_mem(sealed + n, len - n - alg->tag_bytes);
	return BULLA_OK;
}

enum bulla_err transit_parse_sealed(struct bulla_call *call, const struct key *key, struct bulla_bytes ciphertext,
				    const struct key_version **version, uint8_t **sealed, size_t *len)
{
	struct bulla_bytes text;
	size_t bad_at;
	int64_t number;

	TRY(transit_usable(call, key));
	TRY(transit_encrypts(call, key, "decryption"));
	TRY(ciphertext_parse(call, ciphertext, &number, &text));
	TRY(find_version(call, key, number, version));
	uint8_t *bytes = bulla_arena_raw(call->arena, BULLA_BASE64_MAX_DECODED(text.len));

	if (bytes == NULL)
		return BULLA_E_NO_MEMORY;
	if (bulla_base64_decode(text, bytes, len, &bad_at) != BULLA_OK)
		return bulla_fail(call, BULLA_E_INVALID, "invalid ciphertext: could not decode base64");
	*sealed = bytes;
	return BULLA_OK;
}

enum bulla_err transit_open(struct bulla_call *call, const struct key *key, const struct bulla_decrypt_item *item,
			    struct bulla_bytes *out)
{
	BULLA_CLEANUP(derived_clear) struct derived derived = { 0 };
	const struct key_version *version;
	const uint8_t *secret;
	struct bulla_bytes aad;
	uint8_t *sealed;
	size_t len;

	TRY(transit_parse_sealed(call, key, item->ciphertext, &version, &sealed, &len));
	TRY(derive_check(call, key, item->context));
	TRY(derive_key(call, key, version, item->context, &derived, &secret));
	TRY(bulla_binding_encode(call, &item->binding, &aad));
	return open_sealed(call, derive_alg(key), secret, aad, sealed, len, out);
}

static enum bulla_err decrypt_item(struct bulla_call *call, const struct key *key, size_t at,
				   const struct bulla_decrypt_item *item, struct bulla_item_result *result)
{
	struct bulla_bytes plaintext;

	TRY(transit_granted(call, at, &item->binding));
	TRY(transit_check_options(call, key, at, &item->binding, item->padding));
	TRY(transit_open(call, key, item, &plaintext));
	*result = (struct bulla_item_result){ .bytes = plaintext };
	return BULLA_OK;
}

/* A slice, from the item at on. */
static enum bulla_err decrypt_from(struct bulla_call *call, const struct key *key, const struct bulla_decrypt_args *args,
				   struct bulla_item_result *results, size_t *at)
{
	struct transit_slice slice = { 0 };
	bool over = false;

	for (; !over && *at < args->count; ++*at) {
		const struct bulla_decrypt_item *item = &args->items[*at];
		struct bulla_item_result *result = &results[*at];

		if (item->err != BULLA_OK)
			*result = (struct bulla_item_result){ .err = item->err, .error = item->error };
		else
			TRY(transit_settle(call, decrypt_item(call, key, *at, item, result), result));
		over = transit_slice_ends(call, &slice, transit_weight(key_alg(key), TRANSIT_DECRYPT, 1, item->ciphertext.len));
	}
	return BULLA_OK;
}

static enum bulla_err decrypt_some(struct bulla *engine, struct bulla_call *call, const struct bulla_decrypt_args *args, size_t bytes,
				   struct bulla_item_result *results, size_t *at)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;

	TRY(transit_begin_heavy(engine, call, args->mount, args->name, TRANSIT_DECRYPT, args->count, bytes, &key));
	if (transit_is_rsa(key))
		return rsa_decrypt(call, &key, args, results, at);
	return decrypt_from(call, key, args, results, at);
}

static enum bulla_err decrypt_all(struct bulla *engine, struct bulla_call *call, const struct bulla_decrypt_args *args,
				  struct bulla_item_result *results)
{
	size_t bytes = 0, at = 0;

	for (size_t i = 0; i < args->count; i++)
		bytes += args->items[i].ciphertext.len;
	TRY(decrypt_some(engine, call, args, bytes, results, &at));
	while (at < args->count) {
		TRY(transit_yield(engine, call));
		TRY(decrypt_some(engine, call, args, bytes, results, &at));
	}
	return BULLA_OK;
}

enum bulla_err bulla_decrypt(struct bulla *engine, struct bulla_call *call, const struct bulla_decrypt_args *args,
			     struct bulla_item_result *results)
{
	enum bulla_err err;

	do
		err = decrypt_all(engine, call, args, results);
	while (transit_again(engine, call, args->mount, args->name, &err));
	return err;
}
