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

/* From the item at on; after an error it is the one that met it. */
static enum bulla_err rewrap_from(struct bulla *engine, struct bulla_call *call, const struct bulla_rewrap_args *args,
				  struct bulla_item_result *results, size_t *at)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;

	TRY(transit_begin(engine, call, args->mount, args->name, &key));
	if (transit_is_rsa(key))
		return rsa_rewrap(call, &key, args, results);
	for (; *at < args->count; ++*at) {
		const struct bulla_rewrap_item *item = &args->items[*at];
		struct bulla_item_result *result = &results[*at];

		if (item->err != BULLA_OK)
			*result = (struct bulla_item_result){ .err = item->err, .error = item->error };
		else
			TRY(transit_settle(call, rewrap_item(call, key, *at, item, result), result));
	}
	return BULLA_OK;
}

enum bulla_err bulla_rewrap(struct bulla *engine, struct bulla_call *call, const struct bulla_rewrap_args *args,
			    struct bulla_item_result *results)
{
	size_t bytes = 0, at = 0;

	for (size_t i = 0; i < args->count; i++)
		bytes += 2 * args->items[i].ciphertext.len;
	TRY(transit_inline(call, 2 * args->count, bytes));
	enum bulla_err err = rewrap_from(engine, call, args, results, &at);

	while (err == BULLA_E_MUST_BLOCK && call->may_block && at < args->count) {
		err = transit_count_on(engine, call, args->mount, args->name, args->items[at].key_version, args->count - at);
		TRY(transit_settle(call, err, &results[at]));
		at += err != BULLA_OK;
		err = rewrap_from(engine, call, args, results, &at);
	}
	return err;
}
