/* rewrap.c: owns decrypting and encrypting again in one call, so that the plaintext never leaves the engine: after a rotation,
 * or to bind a ciphertext to something else. Any thread. */
#include "transit/transit.h"

static enum bulla_err rewrap_item(struct bulla_call *call, const struct key *key, const struct bulla_rewrap_item *item,
				  struct bulla_item_result *result)
{
	struct bulla_decrypt_item old = { .ciphertext = item->ciphertext, .context = item->context, .binding = item->old_binding };
	struct bulla_encrypt_item new = { .context = item->context, .key_version = item->key_version, .binding = item->new_binding };

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
	for (size_t i = 0; i < args->count; i++) {
		const struct bulla_rewrap_item *item = &args->items[i];

		if (item->err != BULLA_OK)
			results[i] = (struct bulla_item_result){ .err = item->err, .error = item->error };
		else
			TRY(transit_settle(call, rewrap_item(call, key, item, &results[i]), &results[i]));
	}
	return BULLA_OK;
}
