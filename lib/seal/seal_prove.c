/* seal_prove.c: owns the parts given to prove that enough of their holders agree, while the store is open (for a new root token):
 * apart from those of an unsealing. Under a static seal they are recovery keys. Workers only. */
#include "seal/seal_internal.h"

#define ABORTED "root generation aborted: unable to authenticate: "

void seal_prove_reset(struct seal *seal)
{
	pthread_mutex_lock(&seal->state);
	parts_drop(&seal->proof);
	pthread_mutex_unlock(&seal->state);
}

unsigned seal_prove_progress(struct seal *seal)
{
	pthread_mutex_lock(&seal->state);
	unsigned count = seal->proof.count;

	pthread_mutex_unlock(&seal->state);
	return count;
}

static void drop_part(uint8_t **key)
{
	bulla_secret_free(*key, SEAL_MAX_PART);
}

/* With seal->state. */
static enum bulla_err add(struct seal *seal, struct bulla_call *call, struct bulla_bytes part, unsigned *progress)
{
	if (parts_have(&seal->proof, part))
		return bulla_fail(call, BULLA_E_BAD_SHARE, "given key has already been provided during this generation operation");
	TRY(parts_put(&seal->proof, part));
	*progress = seal->proof.count;
	return BULLA_OK;
}

/* With seal->state: whatever comes of it, the next proof begins anew. */
static enum bulla_err join(struct seal *seal, struct bulla_call *call, uint8_t *key, size_t *len)
{
	enum bulla_err err = parts_join(&seal->proof, seal->record.threshold, call, "failed to compute root key: ", key, len);

	parts_drop(&seal->proof);
	return err;
}

static enum bulla_err verify(struct seal *seal, struct bulla_call *call, struct bulla_bytes key)
{
	uint8_t *root_key BULLA_CLEANUP(seal_key_drop) = NULL;

	if (seal->kind == BULLA_SEAL_STATIC)
		return static_verify_recovery(seal, call, key);
	root_key = bulla_secret_alloc(SEAL_KEY_BYTES);
	if (root_key == NULL)
		return BULLA_E_NO_MEMORY;
	return shamir_unwrap(seal, call, key, ABORTED, root_key);
}

enum bulla_err seal_prove(struct seal *seal, struct bulla_call *call, struct bulla_bytes part, unsigned *progress, bool *proven)
{
	uint8_t *key BULLA_CLEANUP(drop_part) = bulla_secret_alloc(SEAL_MAX_PART);
	unsigned count = 0;
	size_t len = 0;

	if (key == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(part_check(call, part));
	pthread_mutex_lock(&seal->state);
	enum bulla_err err = add(seal, call, part, &count);
	bool complete = err == BULLA_OK && count >= seal->record.threshold;

	if (complete)
		err = join(seal, call, key, &len);
	pthread_mutex_unlock(&seal->state);
	TRY(err);
	if (complete)
		TRY(verify(seal, call, bulla_mem(key, len)));
	*progress = count;
	*proven = complete;
	return BULLA_OK;
}
