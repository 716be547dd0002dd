/* seal_close.c: owns who holds the seal open, closing it and forgetting its keys. Thread-safe.
 * A count and not a rwlock: from the moment of closing on nobody new is let in, so holders cannot keep it open for ever. */
#include "seal/seal_internal.h"

static void catch_up(struct seal *seal)
{
	struct bulla_call call = { .arena = bulla_arena_new(1024), .may_block = true };
	uint32_t term = atomic_exchange(&seal->told_term, 0);

	if (call.arena != NULL && term != 0)
		(void)!barrier_learn(seal, &call, term); /* if it fails, the next record that is found under the term tells of it again */
	bulla_arena_free(call.arena);
}

enum bulla_err seal_hold(struct seal *seal)
{
	pthread_mutex_lock(&seal->state);
	bool open = seal->open;

	if (open)
		seal->holders++;
	pthread_mutex_unlock(&seal->state);
	if (open && atomic_load_explicit(&seal->told_term, memory_order_relaxed) != 0)
		catch_up(seal);
	return open ? BULLA_OK : BULLA_E_SEALED;
}

void seal_release(struct seal *seal)
{
	pthread_mutex_lock(&seal->state);
	if (--seal->holders == 0)
		pthread_cond_broadcast(&seal->released);
	pthread_mutex_unlock(&seal->state);
}

void seal_refuse(struct seal *seal)
{
	atomic_store(&seal->admitted, false);
}

enum bulla_err seal_close(struct seal *seal)
{
	pthread_mutex_lock(&seal->operation); /* not while it is being opened */
	pthread_mutex_lock(&seal->state);
	bool open = seal->open;

	seal->open = false;
	atomic_store(&seal->admitted, false);
	while (seal->holders > 0)
		pthread_cond_wait(&seal->released, &seal->state);
	pthread_mutex_unlock(&seal->state);
	pthread_mutex_unlock(&seal->operation);
	return open ? BULLA_OK : BULLA_E_SEALED;
}

/* With seal->keyring. */
static void drop_keys(struct seal *seal)
{
	struct barrier_keys *keys = seal->keys;

	seal_digest_close(&seal->digest);
	rcu_publish(seal->keys, NULL);
	rcu_wait();
	barrier_keys_free(keys);
	seal_key_drop(&seal->root_key);
	seal->keyring_revision = 0;
}

void seal_forget(struct seal *seal)
{
	pthread_mutex_lock(&seal->operation);
	pthread_mutex_lock(&seal->keyring);
	drop_keys(seal);
	pthread_mutex_unlock(&seal->keyring);
	pthread_mutex_unlock(&seal->operation);
}

bool seal_wipe(struct seal *seal)
{
	pthread_mutex_lock(&seal->state);
	seal->open = false;
	pthread_mutex_unlock(&seal->state);
	if (pthread_mutex_trylock(&seal->keyring) != 0) /* it is held over disk work */
		return false;
	drop_keys(seal);
	pthread_mutex_unlock(&seal->keyring);
	return true;
}
