/* seal_static.c: owns opening the barrier with a configured key, and checking recovery keys. With seal->operation held. */
#include "seal/seal_internal.h"

static enum bulla_err mismatch(struct seal *seal, struct bulla_call *call)
{
	bool same = bulla_equal(bulla_mem(seal->key_id, seal->key_id_len), bulla_mem(seal->record.key_id, seal->record.key_id_len));

	return bulla_fail(call, BULLA_E_SEAL_KEY_MISMATCH,
			  "the configured seal key \"%.*s\" does not open this database: it was sealed with the key \"%.*s\"%s",
			  (int)seal->key_id_len, (const char *)seal->key_id, seal->record.key_id_len,
			  (const char *)seal->record.key_id, same ? " of the same name and another value" : "");
}

/* The key that the record says wraps it; ids that differ are a mismatch, as at the peer, whatever the key may be. */
static enum bulla_err unwrap(struct seal *seal, struct bulla_call *call, enum seal_wrap what, uint8_t *key)
{
	const struct seal_record *r = &seal->record;

	if (!bulla_equal(bulla_mem(seal->key_id, seal->key_id_len), bulla_mem(r->key_id, r->key_id_len)))
		return mismatch(seal, call);
	enum bulla_err err = seal_unwrap_key(r, store_identity(seal->store)->cluster_id, what, seal->static_key, key);

	return err == BULLA_E_AUTH_FAILED ? mismatch(seal, call) : err;
}

enum bulla_err static_open(struct seal *seal, struct bulla_call *call)
{
	uint8_t *root_key BULLA_CLEANUP(seal_key_drop) = bulla_secret_alloc(SEAL_KEY_BYTES);

	if (root_key == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(unwrap(seal, call, SEAL_WRAP_ROOT, root_key));
	TRY(seal_open_barrier(seal, call, root_key));
	root_key = NULL; /* the seal's */
	return BULLA_OK;
}

enum bulla_err static_verify_recovery(struct seal *seal, struct bulla_call *call, struct bulla_bytes key)
{
	uint8_t *stored BULLA_CLEANUP(seal_key_drop) = bulla_secret_alloc(SEAL_KEY_BYTES);

	if (stored == NULL)
		return BULLA_E_NO_MEMORY;
	if (seal->record.has_recovery)
		TRY(unwrap(seal, call, SEAL_WRAP_RECOVERY, stored));
	if (!seal->record.has_recovery || !bulla_equal_secret(bulla_mem(stored, SEAL_KEY_BYTES), key))
		return bulla_fail(call, BULLA_E_BAD_SHARE,
				  "invalid key: failed to verify recovery key: recovery key does not match submitted values");
	return BULLA_OK;
}
