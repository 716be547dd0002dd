/* barrier_follow.c: owns taking over what another node has written of the barrier's keyring: its terms, and its counts. By seal->keyring. */
#include <stdlib.h>

#include "seal/seal_internal.h"

static void drop_keys(struct barrier_keys **keys)
{
	barrier_keys_free(*keys);
}

static bool is_same_term(const struct barrier_term *a, const struct barrier_term *b)
{
	return bulla_equal_secret(bulla_mem(a->key, SEAL_KEY_BYTES), bulla_mem(b->key, SEAL_KEY_BYTES));
}

/* Of the terms that both have ours stay, with what is left of their blocks; how far the store has them counted is the record's to say.
 * Those that only read has become ours. STORE_DAMAGED: what was read is no later state of ours; NO_MEMORY: nothing is changed. */
static enum bulla_err merge(struct seal *seal, struct bulla_call *call, struct barrier_keys *read)
{
	const struct barrier_keys *old = seal->keys;

	for (uint32_t i = 0; i < old->count; i++)
		if (i >= read->count || !is_same_term(old->terms[i], read->terms[i]) || read->terms[i]->reserved < old->terms[i]->reserved)
			return bulla_fail(call, BULLA_E_STORE_DAMAGED, "the barrier's keyring is another than it was");
	if (read->count > old->count)
		TRY(barrier_keys_extend(seal, read->terms + old->count, read->count - old->count));
	for (uint32_t i = 0; i < read->count; i++) {
		if (read->terms[i] == seal->keys->terms[i])
			read->terms[i] = NULL; /* taken over */
		else
			seal->keys->terms[i]->reserved = read->terms[i]->reserved;
	}
	return BULLA_OK;
}

enum bulla_err barrier_reload(struct seal *seal, struct bulla_call *call)
{
	struct barrier_keys *read BULLA_CLEANUP(drop_keys) = NULL;
	struct store_record record;

	TRY(store_get(seal->store, call, &seal_keyring_id, &record));
	TRY(barrier_keys_open(&record, seal->root_key, call, &read));
	if (record.revision < seal->keyring_revision)
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "the barrier's keyring is an older one than it was");
	TRY(merge(seal, call, read));
	seal->keyring_revision = record.revision;
	return BULLA_OK;
}

enum bulla_err barrier_learn(struct seal *seal, struct bulla_call *call, uint32_t term)
{
	enum bulla_err err = BULLA_OK;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&seal->keyring);
	if (seal->keys == NULL)
		err = BULLA_E_SEALED;
	else if (term > seal->keys->count)
		err = barrier_reload(seal, call);
	pthread_mutex_unlock(&seal->keyring);
	return err;
}
