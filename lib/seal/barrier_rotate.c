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

/* The present snapshot with more terms, not published. NULL: no memory. */
static struct barrier_keys *extended(const struct barrier_keys *old, struct barrier_term *const *terms, uint32_t count)
{
	struct barrier_keys *keys = calloc(1, sizeof *keys + (old->count + count) * sizeof keys->terms[0]);

	if (keys == NULL)
		return NULL;
	keys->id_key = old->id_key;
	keys->count = old->count + count;
	memcpy(keys->terms, old->terms, old->count * sizeof keys->terms[0]);
	memcpy(keys->terms + old->count, terms, count * sizeof keys->terms[0]);
	return keys;
}

static void publish(struct seal *seal, struct barrier_keys *keys)
{
	struct barrier_keys *old = seal->keys;

	rcu_publish(seal->keys, keys);
	rcu_later(&old->later, free_snapshot);
}

enum bulla_err barrier_keys_extend(struct seal *seal, struct barrier_term *const *terms, uint32_t count)
{
	struct barrier_keys *keys = extended(seal->keys, terms, count);

	if (keys == NULL)
		return BULLA_E_NO_MEMORY;
	publish(seal, keys);
	return BULLA_OK;
}

static void free_term(struct barrier_term *term)
{
	bulla_secret_free(term->key, SEAL_KEY_BYTES);
	free(term);
}

/* With seal->keyring held and keys not NULL. CONFLICT: another node has changed the keyring. */
static enum bulla_err add_term(struct seal *seal, struct bulla_call *call)
{
	struct barrier_term *term;

	if (seal->keys->count == BARRIER_MAX_TERMS)
		return bulla_fail(call, BULLA_E_INVALID, "the barrier has had %d keys: no more can be added", BARRIER_MAX_TERMS);
	TRY(barrier_term_new(seal->keys->count + 1, &term));
	struct barrier_keys *keys = extended(seal->keys, &term, 1);
	enum bulla_err err = keys != NULL ? write_keyring(seal, call, keys) : BULLA_E_NO_MEMORY;

	if (err == BULLA_OK) {
		publish(seal, keys);
		return BULLA_OK;
	}
	free_term(term);
	free(keys);
	return err;
}

/* A block for the last term, behind all that the store has counted. CONFLICT: as above. */
static enum bulla_err count_on(struct seal *seal, struct bulla_call *call)
{
	struct barrier_term *term = seal->keys->terms[seal->keys->count - 1];
	uint64_t from = term->reserved;

	if (atomic_load(&term->used) < atomic_load(&term->limit)) /* someone else was here meanwhile */
		return BULLA_OK;
	if (from >= seal->max_operations && seal->keys->count < BARRIER_MAX_TERMS)
		return add_term(seal, call);
	if (from + BARRIER_BLOCK > UINT32_MAX) /* SP 800-38D; only when no term can be added */
		return bulla_fail(call, BULLA_E_CRYPTO, "the barrier's key is used up");
	term->reserved = from + BARRIER_BLOCK;
	enum bulla_err err = write_keyring(seal, call, seal->keys);

	if (err != BULLA_OK) {
		term->reserved = from;
		return err;
	}
	atomic_store(&term->used, from); /* not below the old limit; then the new one */
	atomic_store(&term->limit, from + BARRIER_BLOCK);
	return BULLA_OK;
}

/* With seal->keyring held: what another node has written comes first, and then the change once more. */
static enum bulla_err change(struct seal *seal, struct bulla_call *call, enum bulla_err (*step)(struct seal *, struct bulla_call *))
{
	enum bulla_err err = BULLA_E_CONFLICT;

	for (int tries = 0; err == BULLA_E_CONFLICT && tries < STORE_TRIES; tries++) {
		if (tries > 0)
			TRY(barrier_reload(seal, call));
		err = seal->keys == NULL ? BULLA_E_SEALED : step(seal, call);
	}
	return err;
}

enum bulla_err barrier_replenish(struct seal *seal, struct bulla_call *call)
{
	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&seal->keyring);
	enum bulla_err err = change(seal, call, count_on);

	pthread_mutex_unlock(&seal->keyring);
	return err;
}

enum bulla_err seal_rotate(struct seal *seal, struct bulla_call *call)
{
	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(seal_hold(seal));
	pthread_mutex_lock(&seal->keyring);
	enum bulla_err err = change(seal, call, add_term);

	pthread_mutex_unlock(&seal->keyring);
	seal_release(seal);
	return err;
}

static enum bulla_err write_again(struct seal *seal, struct bulla_call *call)
{
	return seal->keys->count < BARRIER_MAX_TERMS ? add_term(seal, call) : write_keyring(seal, call, seal->keys);
}

enum bulla_err seal_convert(struct seal *seal, struct bulla_call *call)
{
	if (!seal->findings.is_new && !seal->findings.accepted)
		return BULLA_OK;
	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&seal->keyring);
	enum bulla_err err = change(seal, call, write_again);

	pthread_mutex_unlock(&seal->keyring);
	return err;
}

void seal_limit_set(struct seal *seal, uint64_t max_operations)
{
	pthread_mutex_lock(&seal->keyring);
	seal->max_operations = max_operations;
	pthread_mutex_unlock(&seal->keyring);
}
