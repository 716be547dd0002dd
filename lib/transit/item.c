/* item.c: owns what every operation does around its items: how much may run on an event loop, finding the key, and where an
 * item's error goes. Any thread. */
#include "transit/transit.h"

enum bulla_err transit_inline(const struct bulla_call *call, size_t items, size_t bytes)
{
	if (call->may_block || (items <= TRANSIT_INLINE_ITEMS && bytes <= TRANSIT_INLINE_BYTES))
		return BULLA_OK;
	return BULLA_E_MUST_BLOCK;
}

enum bulla_err transit_begin(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			     struct bulla_bytes name, const struct key **out)
{
	enum bulla_err err = keyring_begin(engine->keyring, call, mount, name, out);

	return err == BULLA_E_NOT_FOUND ? BULLA_E_KEY_NOT_FOUND : err;
}

void transit_end(const struct key **key)
{
	if (*key != NULL)
		keyring_end(*key);
}

enum bulla_err transit_usable(struct bulla_call *call, const struct key *key)
{
	if (key_soft_deleted(key))
		return bulla_fail(call, BULLA_E_INVALID, "refusing to use soft-deleted key");
	return BULLA_OK;
}

enum bulla_err transit_encrypts(struct bulla_call *call, const struct key *key, const char *what)
{
	if (key_alg(key)->seal == NULL)
		return bulla_fail(call, BULLA_E_INVALID, "message %s not supported for key type %s", what, key_alg(key)->name);
	return BULLA_OK;
}

enum bulla_err transit_use_version(struct bulla_call *call, const struct key *key, uint32_t number, const struct key_version **out)
{
	enum bulla_err err = number < key_min_decryption(key) ? BULLA_E_NOT_FOUND : key_version_use(key, number, call, out);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_INVALID, "no such key version");
	return err;
}

enum bulla_err transit_settle_as(struct bulla_call *call, enum bulla_err err, enum bulla_err *item_err,
				 struct bulla_bytes *item_error)
{
	if (err == BULLA_OK)
		return BULLA_OK;
	if (bulla_err_row(err)->kind != BULLA_CLASS_CALLER && err != BULLA_E_STORE_DAMAGED)
		return err;
	*item_err = err;
	*item_error = bulla_call_text(call, err);
	call->detail = (struct bulla_bytes){ 0 };
	return BULLA_OK;
}

enum bulla_err transit_settle(struct bulla_call *call, enum bulla_err err, struct bulla_item_result *result)
{
	struct bulla_item_result settled = { 0 };

	TRY(transit_settle_as(call, err, &settled.err, &settled.error));
	if (err != BULLA_OK)
		*result = settled;
	return BULLA_OK;
}
