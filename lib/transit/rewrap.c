/* rewrap.c: owns decrypting and encrypting again in one call, so that the plaintext never leaves the engine: after a rotation,
 * or to bind a ciphertext to something else. Any thread. */
#include "transit/transit.h"

static enum bulla_err rewrap_item(struct bulla_call *call, const struct key *key, size_t at,
				  const struct bulla_rewrap_item *item, struct bulla_item_result *result)
{
	static const struct bulla_binding any = { 0 }; /* bindings are looked at where they are used */
	struct bulla_decrypt_item old = { .ciphertext = item->ciphertext, .context = item->context, .binding = item->old_binding };
	struct bulla_encrypt_item new = { .context = item->context, .key_version = item->key_version, .binding = item->new_binding };

	TRY(transit_granted_rewrap(call, at, &item->old_binding, &item->new_binding));
	TRY(transit_check_options(call, key, at, &any, item->old_padding));
	TRY(transit_check_options(call, key, at, &any, item->new_padding));
	TRY(transit_open(call, key, &old, &new.plaintext));
	return transit_seal(call, key, &new, result);
}

static size_t bytes_of(const struct bulla_rewrap_args *args)
{
	size_t bytes = 0;

	for (size_t i = 0; i < args->count; i++)
		bytes += 2 * args->items[i].ciphertext.len;
	return bytes;
}

/* A slice, from the item at on; after an error it is the one that met it. */
static enum bulla_err rewrap_some(struct bulla *engine, struct bulla_call *call, const struct bulla_rewrap_args *args,
				  struct bulla_item_result *results, size_t *at)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;
	struct transit_slice slice = { 0 };
	bool over = false;

	TRY(transit_begin_heavy(engine, call, args->mount, args->name, TRANSIT_DECRYPT, 2 * args->count, bytes_of(args), &key));
	if (transit_is_rsa(key))
		return rsa_rewrap(call, &key, args, results, at);
	for (; !over && *at < args->count; ++*at) {
		const struct bulla_rewrap_item *item = &args->items[*at];
		struct bulla_item_result *result = &results[*at];

		if (item->err != BULLA_OK)
			*result = (struct bulla_item_result){ .err = item->err, .error = item->error };
		else
			TRY(transit_settle(call, rewrap_item(call, key, *at, item, result), result));
		over = transit_slice_ends(call, &slice, transit_weight(key_alg(key), TRANSIT_DECRYPT, 2, 2 * item->ciphertext.len));
	}
	return BULLA_OK;
}

static enum bulla_err rewrap_all(struct bulla *engine, struct bulla_call *call, const struct bulla_rewrap_args *args,
				 struct bulla_item_result *results)
{
	size_t at = 0;
	enum bulla_err err = rewrap_some(engine, call, args, results, &at);

	while (at < args->count && transit_goes_on(call, err)) {
		const struct transit_rest rest = { args->mount, args->name, args->items[at].key_version, args->count - at };

		TRY(transit_go_on(engine, call, err, &rest, results, &at));
		err = rewrap_some(engine, call, args, results, &at);
	}
	return err;
}

enum bulla_err bulla_rewrap(struct bulla *engine, struct bulla_call *call, const struct bulla_rewrap_args *args,
			    struct bulla_item_result *results)
{
	enum bulla_err err;

	do
		err = rewrap_all(engine, call, args, results);
	while (transit_again(engine, call, args->mount, args->name, &err));
	return err;
}
