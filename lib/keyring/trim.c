/* trim.c: owns the destruction of a key's oldest versions. The checks, their order and their spelling are the peer's.
 * Workers; answers when the versions are in no memory and no file any more. */
#include "keyring/internal.h"

static enum bulla_err check_min(struct bulla_call *call, const struct key_head *head, int64_t min)
{
	if (min < head->min_available)
		return bulla_fail(call, BULLA_E_INVALID, "minimum available version cannot be decremented");
	if (head->min_encryption == 0)
		return bulla_fail(call, BULLA_E_INVALID,
				  "minimum available version cannot be set when minimum encryption version is not set");
	if (min > head->min_encryption)
		return bulla_fail(call, BULLA_E_INVALID,
				  "minimum available version cannot be greater than minmum encryption version");
	if (min > head->min_decryption)
		return bulla_fail(call, BULLA_E_INVALID,
				  "minimum available version cannot be greater than minimum decryption version");
	if (min == 0)
		return bulla_fail(call, BULLA_E_INVALID, "minimum available version should be positive");
	return BULLA_OK;
}

static enum bulla_err trim_step(struct change *change, void *context)
{
	const int64_t *min = context;

	if (change->old == NULL)
		return bulla_fail(change->call, BULLA_E_INVALID, "invalid key name");
	if (min == NULL)
		return bulla_fail(change->call, BULLA_E_INVALID, "missing min_available_version");
	TRY(check_min(change->call, &change->old->head, *min));
	if (*min == change->old->head.min_available)
		return BULLA_OK;
	change->next = key_next(change->old);
	if (change->next == NULL)
		return BULLA_E_NO_MEMORY;
	change->next->head.min_available = (uint32_t)*min;
	TRY(key_drop_below(change->next, (uint32_t)*min));
	TRY(change_write_head(change));
	change->wipes = true;
	return change_delete_versions(change, key_first(change->old), (uint32_t)*min);
}

enum bulla_err bulla_key_trim(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
			      struct bulla_bytes name, const int64_t *min_available, struct bulla_key_info *out)
{
	return change_run(engine->keyring, call, mount, name, trim_step, (void *)(uintptr_t)min_available, out);
}
