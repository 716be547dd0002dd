/* barrier.c: owns sealing and opening of records under the barrier's keys. Thread-safe: keys are read under RCU. */
#include "seal/seal_internal.h"

/* One attempt. *counted false: the durable count of the term is used up, nothing was sealed. */
static enum bulla_err seal_now(struct seal *seal, const struct store_id *slot, uint64_t revision, struct bulla_bytes plaintext,
			       uint8_t *out, bool *counted)
{
	enum bulla_err err = BULLA_E_SEALED;

	rcu_read_begin();
	const struct barrier_keys *keys = rcu_load(seal->keys);

	if (keys != NULL) {
		struct barrier_term *term = keys->terms[keys->count - 1];

		*counted = atomic_fetch_add(&term->used, 1) < atomic_load(&term->limit);
		err = *counted ? record_seal_into(term->key, term->number, slot, revision, plaintext, out) : BULLA_OK;
	}
	rcu_read_end();
	return err;
}

enum bulla_err barrier_seal(struct seal *seal, struct bulla_call *call, const struct store_id *slot, uint64_t revision,
			    struct bulla_bytes plaintext, struct bulla_bytes *out)
{
	uint8_t *p = bulla_arena_alloc(call->arena, plaintext.len + BARRIER_OVERHEAD);
	bool counted = false;

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(seal_now(seal, slot, revision, plaintext, p, &counted));
	while (!counted) {
		TRY(barrier_replenish(seal, call));
		TRY(seal_now(seal, slot, revision, plaintext, p, &counted));
	}
	*out = bulla_mem(p, plaintext.len + BARRIER_OVERHEAD);
	return BULLA_OK;
}

/* NOT_FOUND: there is no such term. */
static enum bulla_err open_now(struct seal *seal, const struct store_record *record, uint32_t term, uint8_t *out)
{
	enum bulla_err err = BULLA_E_SEALED;

	rcu_read_begin();
	const struct barrier_keys *keys = rcu_load(seal->keys);

	if (keys != NULL && (term == 0 || term > keys->count))
		err = BULLA_E_NOT_FOUND;
	if (keys != NULL && term > 0 && term <= keys->count)
		err = record_open_into(keys->terms[term - 1]->key, record, out);
	rcu_read_end();
	return err;
}

/* Within a visit the store cannot be asked: whoever holds the seal next does (seal_hold). */
static enum bulla_err learn_later(struct seal *seal, struct bulla_call *call, uint32_t term)
{
	uint32_t known = atomic_load(&seal->told_term);

	while (known < term && !atomic_compare_exchange_weak(&seal->told_term, &known, term))
		;
	return bulla_fail(call, BULLA_E_BUSY, "another node has changed the barrier's keys: try again");
}

enum bulla_err barrier_open(struct seal *seal, struct bulla_call *call, const struct store_record *record,
			    struct bulla_bytes *plaintext)
{
	uint32_t term = 0;

	if (!record_term(record, &term))
		return record_damaged(call, record);
	size_t n = record->bytes.len - BARRIER_OVERHEAD;
	uint8_t *p = bulla_arena_alloc(call->arena, n);

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = open_now(seal, record, term, p);

	if (err == BULLA_E_NOT_FOUND && store_is_shared(seal->store)) { /* another node may have added it */
		if (store_is_visiting())
			return learn_later(seal, call, term);
		TRY(barrier_learn(seal, call, term));
		err = open_now(seal, record, term, p);
	}
	if (err == BULLA_E_AUTH_FAILED || err == BULLA_E_NOT_FOUND)
		return record_damaged(call, record);
	TRY(err);
	*plaintext = bulla_mem(p, n);
	return BULLA_OK;
}

enum bulla_err seal_barrier_status(struct seal *seal, struct bulla_call *call, struct bulla_barrier_status *out)
{
	enum bulla_err err = BULLA_E_SEALED;

	(void)call;
	rcu_read_begin();
	const struct barrier_keys *keys = rcu_load(seal->keys);

	if (keys != NULL) {
		const struct barrier_term *term = keys->terms[keys->count - 1];

		*out = (struct bulla_barrier_status){ term->number, term->installed_date_ns, atomic_load(&term->used) };
		err = BULLA_OK;
	}
	rcu_read_end();
	return err;
}
