/* encrypt.c: owns encryption under a named key, and the creation of the key by it. Any thread. */
#include "transit/transit.h"

/* The number of the version that an item asks for. */
static enum bulla_err choose_version(struct bulla_call *call, const struct key *key, int64_t wanted, uint32_t *version)
{
	if (wanted == 0) {
		*version = key_latest(key);
		return BULLA_OK;
	}
	if (wanted < 0)
		return bulla_fail(call, BULLA_E_INVALID, "requested version for encryption is negative");
	if (wanted > key_latest(key))
		return bulla_fail(call, BULLA_E_INVALID, "requested version for encryption is higher than the latest key version");
	if (wanted < key_min_encryption(key))
		return bulla_fail(call, BULLA_E_INVALID,
				  "requested version for encryption is less than the minimum encryption key version");
	*version = (uint32_t)wanted;
	return BULLA_OK;
}

static enum bulla_err make_nonce(const struct key *key, const struct derived *derived, const struct bulla_encrypt_item *item,
				 struct bulla_bytes aad, uint8_t *nonce)
{
	size_t n = key_alg(key)->nonce_bytes;

	if (!key_convergent(key))
		return random_nonce(nonce, n);
	derive_nonce(derived, item->plaintext, item->binding.pair_count > 0, aad, nonce, n);
	return BULLA_OK;
}

enum bulla_err transit_seal_version(struct bulla_call *call, const struct key *key, int64_t wanted, struct bulla_bytes context,
				    const struct key_version **out)
{
	uint32_t number;

	TRY(transit_usable(call, key));
	TRY(transit_encrypts(call, key, "encryption"));
	TRY(choose_version(call, key, wanted, &number));
	TRY(derive_check(call, key, context));
	return transit_use_version(call, key, number, out);
}

enum bulla_err transit_seal(struct bulla_call *call, const struct key *key, const struct bulla_encrypt_item *item,
			    struct bulla_item_result *result)
{
	BULLA_CLEANUP(derived_clear) struct derived derived = { 0 };
	const struct alg *alg = derive_alg(key);
	const struct key_version *version;
	const uint8_t *secret;
	struct bulla_bytes aad;

	TRY(transit_seal_version(call, key, item->key_version, item->context, &version));
	if (transit_is_rsa(key))
		return rsa_seal(call, key, version, item, result);
	TRY(derive_key(call, key, version, item->context, &derived, &secret));
	TRY(bulla_binding_encode(call, &item->binding, &aad));
	size_t len = alg->nonce_bytes + item->plaintext.len + alg->tag_bytes;
	uint8_t *sealed = bulla_arena_raw(call->arena, len); /* all of it is written, or nobody sees it */

	if (sealed == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(transit_count(call, key, version));
	TRY(make_nonce(key, &derived, item, aad, sealed));
	TRY(alg->seal(alg, secret, sealed, aad, item->plaintext, sealed + alg->nonce_bytes));
	*result = (struct bulla_item_result){ .bytes = bulla_mem(sealed, len), .key_version = version->version };
	return BULLA_OK;
}

static enum bulla_err encrypt_item(struct bulla_call *call, const struct key *key, size_t at,
				   const struct bulla_encrypt_item *item, struct bulla_item_result *result)
{
	TRY(transit_granted(call, at, &item->binding));
	TRY(transit_check_options(call, key, at, &item->binding, item->padding));
	return transit_seal(call, key, item, result);
}

/* A slice, from the item at on; after an error it is the one that met it. */
static enum bulla_err encrypt_from(struct bulla_call *call, const struct key *key, const struct bulla_encrypt_args *args,
				   struct bulla_item_result *results, size_t *at)
{
	struct transit_slice slice = { 0 };
	bool over = false;

	for (; !over && *at < args->count; ++*at) {
		const struct bulla_encrypt_item *item = &args->items[*at];
		struct bulla_item_result *result = &results[*at];

		if (item->err != BULLA_OK)
			*result = (struct bulla_item_result){ .err = item->err, .error = item->error };
		else
			TRY(transit_settle(call, encrypt_item(call, key, *at, item, result), result));
		over = transit_slice_ends(call, &slice, transit_weight(key_alg(key), TRANSIT_ENCRYPT, 1, item->plaintext.len));
	}
	return BULLA_OK;
}

/* Which types a key may be created with here is the peer's choice: those that can be convergent. */
static enum bulla_err check_type(struct bulla_call *call, struct bulla_bytes name)
{
	static const char *const known[] = { "ecdsa-p256", "ecdsa-p384", "ecdsa-p521" };
	const struct alg *alg = alg_by_name(name);

	if (name.ptr == NULL || (alg != NULL && (alg->can & ALG_CONVERGE) != 0))
		return BULLA_OK;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (bulla_is(name, known[i]))
			return bulla_fail(call, BULLA_E_INVALID, "key type %s not supported for this operation", known[i]);
	return bulla_fail(call, BULLA_E_INVALID, "unknown key type %.*s", (int)name.len, (const char *)name.ptr);
}

/* Encryption under a key that does not exist creates it, derived if the items have a context. */
static enum bulla_err create_key(struct bulla *engine, struct bulla_call *call, const struct bulla_encrypt_args *args)
{
	struct bulla_key_info info;
	bool created;

	if (args->create.convergent && !args->create.derived)
		return bulla_fail(call, BULLA_E_INVALID,
				  "convergent encryption requires derivation to be enabled, so context is required");
	TRY(check_type(call, args->create.type));
	if (args->mount->disable_upsert)
		return BULLA_E_KEY_NOT_FOUND;
	return bulla_key_create(engine, call, args->mount, args->name, &args->create, &info, &created);
}

/* Whether some item is let through: no key is made for those that are not. */
static bool any_granted(const struct bulla_call *call, const struct bulla_encrypt_args *args)
{
	for (size_t i = 0; i < args->count; i++)
		if (transit_granted(call, i, &args->items[i].binding) == BULLA_OK)
			return true;
	return args->count == 0;
}

static enum bulla_err refuse_all(struct bulla_call *call, const struct bulla_encrypt_args *args, struct bulla_item_result *results,
				 size_t *at)
{
	for (; *at < args->count; ++*at) {
		const struct bulla_encrypt_item *item = &args->items[*at];

		if (item->err != BULLA_OK)
			results[*at] = (struct bulla_item_result){ .err = item->err, .error = item->error };
		else
			TRY(transit_settle(call, BULLA_E_DENIED, &results[*at]));
	}
	return BULLA_OK;
}

static size_t bytes_of(const struct bulla_encrypt_args *args)
{
	size_t bytes = 0;

	for (size_t i = 0; i < args->count; i++)
		bytes += args->items[i].plaintext.len;
	return bytes;
}

static enum bulla_err begin(struct bulla *engine, struct bulla_call *call, const struct bulla_encrypt_args *args, const struct key **key)
{
	return transit_begin_heavy(engine, call, args->mount, args->name, TRANSIT_ENCRYPT, args->count, bytes_of(args), key);
}

/* The key is made, if it may be, ahead of the first item only: one that went away in the midst of a batch does not come back. */
static enum bulla_err encrypt_some(struct bulla *engine, struct bulla_call *call, const struct bulla_encrypt_args *args,
				   struct bulla_item_result *results, size_t *at)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;
	enum bulla_err err = begin(engine, call, args, &key);
	bool create = err == BULLA_E_KEY_NOT_FOUND && args->may_create && *at == 0;

	if (create && !any_granted(call, args))
		return refuse_all(call, args, results, at);
	if (create) {
		TRY(create_key(engine, call, args));
		err = begin(engine, call, args, &key);
	}
	TRY(err);
	return encrypt_from(call, key, args, results, at);
}

enum bulla_err bulla_encrypt(struct bulla *engine, struct bulla_call *call, const struct bulla_encrypt_args *args,
			     struct bulla_item_result *results)
{
	size_t at = 0;
	enum bulla_err err = encrypt_some(engine, call, args, results, &at);

	while (at < args->count && transit_goes_on(call, err)) {
		const struct transit_rest rest = { args->mount, args->name, args->items[at].key_version, args->count - at };

		TRY(transit_go_on(engine, call, err, &rest, results, &at));
		err = encrypt_some(engine, call, args, results, &at);
	}
	return err;
}
