/* rewrap.c: owns decrypting and encrypting again in one call, so that the plaintext never leaves the engine: after a rotation,
 * or to bind a ciphertext to something else. Any thread. */
#include "transit/transit.h"

static enum bulla_err rewrap_item(struct bulla_call *call, const struct key *key, size_t at,
				  const struct bulla_rewrap_item *item, struct bulla_item_result *result)
{
	static const struct bulla_binding any = { 0 }; /* bindings are looked at where they are used */
	struct bulla_decrypt_item old = { .ciphertext = item->ciphertext, .context = item->context, .binding = item->old_binding };
	struct bulla_encrypt_item new = { .context = item->context, .key_version = item->key_version, .binding = item->new_binding };

	TRY(transit_check_options(call, key, at, &any, item->old_padding));
	TRY(transit_check_options(call, key, at, &any, item->new_padding));
	TRY(transit_open(call, key, &old, &new.plaintext));
	return transit_seal(call, key, &new, result);
}

enum bulla_err bulla_rewrap(struct bulla *engine, struct bulla_call *call, const struct bulla_rewrap_args *args,
			    struct bulla_item_result *results)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;
	size_t bytes = 0;

	for (size_t i = 0; i < args->count; i++)
		bytes += 2 * args->items[i].ciphertext.len;
	TRY(transit_inline(call, 2 * args->count, bytes));
	TRY(transit_begin(engine, call, args->mount, args->name, &key));
	if (transit_is_rsa(key))
		return rsa_rewrap(call, &key, args, results);
	for (size_t i = 0; i < args->count; i++) {
		const struct bulla_rewrap_item *item = &args->items[i];

		if (item->err != BULLA_OK)
			results[i] = (struct bulla_item_result){ .err = item->err, .error = item->error };
		else
			TRY(transit_settle(call, rewrap_item(call, key, i, item, &results[i]), &results[i]));
	}
	return BULLA_OK;
}
