/* config.c: owns what may be set on a key after it was made. The order of the checks is the peer's. Workers. */
#include "keyring/internal.h"

#define LEAST_AUTO_ROTATE_S 3600

static enum bulla_err set_min_decryption(struct bulla_call *call, struct key_head *head, int64_t min)
{
	if (min < 0)
		return bulla_fail(call, BULLA_E_INVALID, "min decryption version cannot be negative");
	if (min == 0) {
		TRY(bulla_warn(call, "since Vault 0.3 (prior to the OpenBao fork), transit key numbering starts at 1; "
				     "forcing minimum to 1"));
		min = 1;
	}
	if (min > head->latest)
		return bulla_fail(call, BULLA_E_INVALID, "cannot set min decryption version of %lld, latest key version is %u",
				  (long long)min, head->latest);
	head->min_decryption = (uint32_t)min;
	return BULLA_OK;
}

static enum bulla_err set_min_encryption(struct bulla_call *call, struct key_head *head, int64_t min)
{
	if (min < 0)
		return bulla_fail(call, BULLA_E_INVALID, "min encryption version cannot be negative");
	if (min > head->latest)
		return bulla_fail(call, BULLA_E_INVALID, "cannot set min encryption version of %lld, latest key version is %u",
				  (long long)min, head->latest);
	head->min_encryption = (uint32_t)min;
	return BULLA_OK;
}

static enum bulla_err set_versions(struct bulla_call *call, const struct bulla_key_config_args *args, struct key_head *head)
{
	if (args->set & BULLA_KEY_MIN_DECRYPTION)
		TRY(set_min_decryption(call, head, args->min_decryption));
	if (args->set & BULLA_KEY_MIN_ENCRYPTION)
		TRY(set_min_encryption(call, head, args->min_encryption));
	if (head->min_encryption > 0 && head->min_encryption < head->min_decryption)
		return bulla_fail(call, BULLA_E_INVALID,
				  "cannot set min encryption/decryption values; min encryption version of %u must be greater "
				  "than or equal to min decryption version of %u",
				  head->min_encryption, head->min_decryption);
	return BULLA_OK;
}

static enum bulla_err set_auto_rotate(struct bulla_call *call, struct key_head *head, int64_t auto_rotate_s)
{
	if (auto_rotate_s != 0 && auto_rotate_s < LEAST_AUTO_ROTATE_S)
		return bulla_fail(call, BULLA_E_INVALID, "auto rotate period must be 0 to disable or at least an hour");
	head->auto_rotate_s = auto_rotate_s;
	return BULLA_OK;
}

/* Exportable and plaintext backup go one way only: what a key has promised to its makers cannot be taken back. */
static void set_flags(const struct bulla_key_config_args *args, struct key_head *head)
{
	if (args->set & BULLA_KEY_DELETION_ALLOWED)
		head->flags = (head->flags & ~(unsigned)KEY_DELETABLE) | (args->deletion_allowed ? (unsigned)KEY_DELETABLE : 0);
	if (args->set & BULLA_KEY_EXPORTABLE && args->exportable)
		head->flags |= KEY_EXPORTABLE;
	if (args->set & BULLA_KEY_BACKUP && args->allow_plaintext_backup)
		head->flags |= KEY_BACKUP;
}

static bool differ(const struct key_head *a, const struct key_head *b)
{
	return a->flags != b->flags || a->min_decryption != b->min_decryption || a->min_encryption != b->min_encryption ||
	       a->auto_rotate_s != b->auto_rotate_s;
}

/* "less then" is how the peer spells it. */
static enum bulla_err check_available(struct bulla_call *call, const struct key_head *head)
{
	if (head->min_available > head->min_encryption)
		return bulla_fail(call, BULLA_E_INVALID, "min encryption version should not be less than min available version");
	if (head->min_available > head->min_decryption)
		return bulla_fail(call, BULLA_E_INVALID, "min decryption version should not be less then min available version");
	return BULLA_OK;
}

static enum bulla_err config_step(struct change *change, void *context)
{
	const struct bulla_key_config_args *args = context;

	if (change->old == NULL)
		return bulla_fail(change->call, BULLA_E_INVALID, "no existing key named %.*s could be found",
				  (int)change->id->name.len, (const char *)change->id->name.ptr);
	struct key_head head = change->old->head;

	TRY(set_versions(change->call, args, &head));
	set_flags(args, &head);
	if (args->set & BULLA_KEY_AUTO_ROTATE)
		TRY(set_auto_rotate(change->call, &head, args->auto_rotate_s));
	if (!differ(&head, &change->old->head))
		return BULLA_OK;
	TRY(check_available(change->call, &head));
	change->next = key_next(change->old);
	if (change->next == NULL)
		return BULLA_E_NO_MEMORY;
	change->next->head = head;
	return change_write_head(change);
}

enum bulla_err bulla_key_config(struct bulla *engine, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes name, const struct bulla_key_config_args *args, struct bulla_key_info *out)
{
	return change_run(engine->keyring, call, mount, name, config_step, (void *)(uintptr_t)args, out);
}
