/* datakey.c: owns new keys for use elsewhere, handed out with their ciphertext. Any thread. */
#include "transit/transit.h"

#define MAX_BYTES 64

static enum bulla_err choose_bytes(struct bulla_call *call, int64_t bits, size_t *bytes)
{
	if (bits != 128 && bits != 256 && bits != 8 * MAX_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "invalid bit length");
	*bytes = (size_t)bits / 8;
	return BULLA_OK;
}

static enum bulla_err make(struct bulla *engine, struct bulla_call *call, const struct bulla_datakey_args *args,
			   struct bulla_bytes *plaintext, struct bulla_item_result *sealed)
{
	BULLA_CLEANUP(transit_end) const struct key *key = NULL;
	struct bulla_encrypt_item item = { .context = args->context, .key_version = args->key_version, .binding = args->binding,
					   .padding = args->padding };
	struct bulla_item_result result;
	size_t n;

	TRY(transit_granted(call, TRANSIT_NO_INDEX, &args->binding));
	TRY(transit_begin(engine, call, args->mount, args->name, &key));
	TRY(choose_bytes(call, args->bits, &n));
	TRY(transit_check_options(call, key, TRANSIT_NO_INDEX, &args->binding, args->padding));
	uint8_t *bytes = bulla_arena_alloc(call->arena, n);

	if (bytes == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(random_bytes(bytes, n));
	item.plaintext = bulla_mem(bytes, n);
	TRY(transit_seal(call, key, &item, &result));
	*plaintext = item.plaintext;
	*sealed = result;
	return BULLA_OK;
}

enum bulla_err bulla_datakey(struct bulla *engine, struct bulla_call *call, const struct bulla_datakey_args *args,
			     struct bulla_bytes *plaintext, struct bulla_item_result *sealed)
{
	enum bulla_err err = make(engine, call, args, plaintext, sealed);

	while (err == BULLA_E_MUST_BLOCK && call->may_block) {
		TRY(transit_count_on(engine, call, args->mount, args->name, args->key_version, 1));
		err = make(engine, call, args, plaintext, sealed);
	}
	return err;
}
