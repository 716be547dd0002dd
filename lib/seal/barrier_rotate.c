/* barrier_rotate.c: owns changes of the barrier's keyring: new terms, and the durable count of sealings. By seal->keyring. */
#include <stdlib.h>

#include "seal/seal_internal.h"

static void free_snapshot(struct rcu_later *later)
{
	free(rcu_entry(later, struct barrier_keys, later)); /* its terms live on in the next one */
}

static enum bulla_err write_keyring(struct seal *seal, struct bulla_call *call, const struct barrier_keys *keys)
{
	struct store_write write = { .id = seal_keyring_id, .change = STORE_PUT, .expected = seal->keyring_revision };

	TRY(barrier_keys_seal(keys, seal->root_key, call, seal->keyring_revision + 1, &write.bytes));
	TRY(store_commit(seal->store, call, &write, 1, NULL));
	seal->keyring_revision++;
	return BULLA_OK;
}

/* With seal->keyring held and keys not NULL. */
static enum bulla_err add_term(struct seal *seal, struct bulla_call *call)
{
	struct barrier_keys *old = seal->keys;

	if (old->count == BARRIER_MAX_TERMS)
		return bulla_fail(call, BULLA_E_INVALID, "the barrier has had %d keys: no more can be added", BARRIER_MAX_TERMS);
	struct barrier_keys *keys = calloc(1, sizeof *keys + (old->count + 1) * sizeof keys->terms[0]);

	if (keys == NULL)
		return BULLA_E_NO_MEMORY;
	keys->id_key = old->id_key;
	keys->count = old->count + 1;
	memcpy(keys->terms, old->terms, old->count * sizeof keys->terms[0]);
	enum bulla_err err = barrier_term_new(keys->count, &keys->terms[old->count]);

	if (err == BULLA_OK)
		err = write_keyring(seal, call, keys);
	if (err != BULLA_OK) {
		struct barrier_term *term = keys->terms[old->count];

		if (term != NULL)
			bulla_secret_free(term->key, SEAL_KEY_BYTES);
		free(term);
		free(keys);
		return err;
	}
	rcu_publish(seal->keys, keys);
	rcu_later(&old->later, free_snapshot);
	return BULLA_OK;
}

static enum bulla_err count_on(struct seal *seal, struct bulla_call *call)
{
	struct barrier_term *term = seal->keys->terms[seal->keys->count - 1];
	uint64_t before = term->reserved, used = atomic_load(&term->used);

	if (used < before) /* someone else was here meanwhile */
		return BULLA_OK;
	if (used >= seal->max_operations && seal->keys->count < BARRIER_MAX_TERMS)
		return add_term(seal, call);
	if (used + BARRIER_BLOCK > UINT32_MAX) /* SP 800-38D; only when no term can be added */
		return bulla_fail(call, BULLA_E_CRYPTO, "the barrier's key is used up");
	term->reserved = used + BARRIER_BLOCK;
	enum bulla_err err = write_keyring(seal, call, seal->keys);

	if (err != BULLA_OK)
		term->reserved = before;
	atomic_store(&term->limit, term->reserved);
	return err;
}

enum bulla_err barrier_replenish(struct seal *seal, struct bulla_call *call)
{
	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&seal->keyring);
	enum bulla_err err = seal->keys == NULL ? BULLA_E_SEALED : count_on(seal, call);

	pthread_mutex_unlock(&seal->keyring);
	return err;
}

enum bulla_err seal_rotate(struct seal *seal, struct bulla_call *call)
{
	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(seal_hold(seal));
	pthread_mutex_lock(&seal->keyring);
	enum bulla_err err = seal->keys == NULL ? BULLA_E_SEALED : add_term(seal, call);

	pthread_mutex_unlock(&seal->keyring);
	seal_release(seal);
	return err;
}

void seal_limit_set(struct seal *seal, uint64_t max_operations)
{
	pthread_mutex_lock(&seal->keyring);
	seal->max_operations = max_operations;
	pthread_mutex_unlock(&seal->keyring);
}
