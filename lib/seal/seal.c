/* seal.c: owns the seal's state: uninitialised, sealed, open (the barrier's keys are there), admitted (requests are let
 * through). Thread-safe; who waits for what: seal_internal.h. */
#include <stdlib.h>

#include "seal/seal_internal.h"

static enum bulla_err copy_config(struct seal *seal, const struct bulla_seal_config *config, struct bulla_call *call)
{
	seal->kind = config->kind;
	seal->accept_altered = config->accept_altered;
	if (config->kind == BULLA_SEAL_SHAMIR)
		return BULLA_OK;
	if (config->key.len != SEAL_KEY_BYTES)
		return bulla_fail(call, BULLA_E_CONFIG, "the static seal key must have %d bytes, not %zu", SEAL_KEY_BYTES,
				  config->key.len);
	if (config->key_id.len == 0 || config->key_id.len > 255)
		return bulla_fail(call, BULLA_E_CONFIG, "the static seal key's id must have 1 to 255 characters");
	seal->key_id = malloc(config->key_id.len);
	seal->static_key = bulla_secret_alloc(SEAL_KEY_BYTES);
	if (seal->key_id == NULL || seal->static_key == NULL)
		return BULLA_E_NO_MEMORY;
	seal->key_id_len = config->key_id.len;
	memcpy(seal->key_id, config->key_id.ptr, config->key_id.len);
	memcpy(seal->static_key, config->key.ptr, SEAL_KEY_BYTES);
	return BULLA_OK;
}

static const char *kind_name(enum bulla_seal_kind kind)
{
	return kind == BULLA_SEAL_STATIC ? "static" : "shamir";
}

/* A keyring without its seal record: damage, which must not pass for a database that waits to be initialised. */
static enum bulla_err check_empty(struct seal *seal, struct bulla_call *call)
{
	struct store_record stored;
	enum bulla_err err = store_get(seal->store, call, &seal_keyring_id, &stored);

	if (err == BULLA_OK)
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "the seal record is missing");
	return err == BULLA_E_NOT_FOUND ? BULLA_OK : err;
}

static enum bulla_err read_record(struct seal *seal, struct bulla_call *call)
{
	struct store_record stored;
	enum bulla_err err = store_get(seal->store, call, &seal_record_id, &stored);

	if (err == BULLA_E_NOT_FOUND)
		return check_empty(seal, call);
	TRY(err);
	TRY(seal_record_decode(call, stored.bytes, &seal->record));
	if (seal->record.kind != seal->kind)
		return bulla_fail(call, BULLA_E_CONFIG, "the database was initialised with the seal \"%s\", not \"%s\"",
				  kind_name(seal->record.kind), kind_name(seal->kind));
	atomic_store(&seal->initialised, true);
	return BULLA_OK;
}

static bool init_locks(struct seal *seal)
{
	return pthread_mutex_init(&seal->operation, NULL) == 0 && pthread_mutex_init(&seal->keyring, NULL) == 0 &&
	       pthread_mutex_init(&seal->state, NULL) == 0 && pthread_cond_init(&seal->released, NULL) == 0;
}

enum bulla_err seal_new(struct store *store, const struct bulla_seal_config *config, struct bulla_call *call, struct seal **out)
{
	struct seal *seal = calloc(1, sizeof *seal);

	if (seal == NULL || !init_locks(seal)) {
		free(seal);
		return BULLA_E_NO_MEMORY;
	}
	seal->store = store;
	seal->max_operations = BARRIER_MAX_OPERATIONS;
	enum bulla_err err = seal_digest_init(&seal->digest, store);

	if (err == BULLA_OK)
		err = copy_config(seal, config, call);
	if (err == BULLA_OK)
		err = read_record(seal, call);
	if (err != BULLA_OK) {
		seal_free(seal);
		return err;
	}
	*out = seal;
	return BULLA_OK;
}

void seal_free(struct seal *seal)
{
	if (seal == NULL)
		return;
	if (seal_close(seal) == BULLA_OK)
		seal_forget(seal);
	seal_reset(seal);
	seal_prove_reset(seal);
	rcu_drain(); /* snapshots that rotations left behind */
	seal_digest_free(&seal->digest);
	bulla_secret_free(seal->static_key, SEAL_KEY_BYTES);
	free(seal->key_id);
	(void)pthread_cond_destroy(&seal->released);
	(void)pthread_mutex_destroy(&seal->state);
	(void)pthread_mutex_destroy(&seal->keyring);
	(void)pthread_mutex_destroy(&seal->operation);
	free(seal);
}

/* ---- what it is now ------------------------------------------------------------- */

bool seal_is_sealed(const struct seal *seal)
{
	return !atomic_load_explicit(&seal->admitted, memory_order_acquire);
}

bool seal_is_initialised(const struct seal *seal)
{
	return atomic_load_explicit(&seal->initialised, memory_order_acquire);
}

static void print_uuid(const uint8_t id[16], char out[37])
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[id[i] >> 4];
		*out++ = digits[id[i] & 15];
	}
	*out = '\0';
}

void seal_status(struct seal *seal, struct bulla_seal_status *out)
{
	struct bulla_seal_status status = { .kind = seal->kind, .recovery_seal = seal->kind == BULLA_SEAL_STATIC };

	status.initialised = seal_is_initialised(seal); /* the record is constant once this is true */
	status.sealed = seal_is_sealed(seal);
	if (status.initialised) {
		status.threshold = seal->record.threshold;
		status.shares = seal->record.shares;
	}
	print_uuid(store_identity(seal->store)->cluster_id, status.cluster_id);
	pthread_mutex_lock(&seal->state);
	status.progress = seal->parts.count;
	memcpy(status.nonce, seal->nonce, sizeof status.nonce);
	pthread_mutex_unlock(&seal->state);
	*out = status;
}

const struct seal_findings *seal_findings(const struct seal *seal)
{
	return &seal->findings;
}

/* ---- opening -------------------------------------------------------------------- */

void seal_publish(struct seal *seal, struct barrier_keys *keys, uint8_t *root_key, uint64_t keyring_revision)
{
	pthread_mutex_lock(&seal->keyring);
	seal->root_key = root_key;
	seal->keyring_revision = keyring_revision;
	rcu_publish(seal->keys, keys);
	pthread_mutex_unlock(&seal->keyring);
	pthread_mutex_lock(&seal->state);
	seal->open = true;
	pthread_mutex_unlock(&seal->state);
}

/* Whether the store has what was written to it. */
static enum bulla_err account(struct seal *seal, struct bulla_call *call, const struct barrier_keys *keys)
{
	seal->findings = (struct seal_findings){ 0 };
	if (!keys->digested)
		return seal_digest_found(&seal->digest, call, keys->id_key, keys->count, seal->accept_altered, &seal->findings);
	return seal_digest_open(&seal->digest, call, keys->id_key, seal->accept_altered, &seal->findings);
}

enum bulla_err seal_open_barrier(struct seal *seal, struct bulla_call *call, uint8_t *root_key)
{
	struct store_record record;
	struct barrier_keys *keys;
	enum bulla_err err = store_get(seal->store, call, &seal_keyring_id, &record);

	if (err == BULLA_E_NOT_FOUND)
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "the barrier's keyring is missing");
	TRY(err);
	TRY(barrier_keys_open(&record, root_key, call, &keys));
	err = account(seal, call, keys);
	if (err != BULLA_OK) {
		barrier_keys_free(keys);
		return err;
	}
	seal_publish(seal, keys, root_key, record.revision);
	return BULLA_OK;
}

static void drop_part(uint8_t **key)
{
	bulla_secret_free(*key, SEAL_MAX_PART);
}

/* With seal->operation. */
static enum bulla_err unseal(struct seal *seal, struct bulla_call *call, struct bulla_bytes share, bool *opened)
{
	uint8_t *key BULLA_CLEANUP(drop_part) = NULL;
	bool complete = false;
	size_t len = 0;

	if (rcu_load(seal->keys) != NULL)
		return BULLA_OK;
	if (!seal_is_initialised(seal))
		return BULLA_E_NOT_INITIALISED;
	TRY(parts_add(seal, call, share, &complete));
	if (!complete)
		return BULLA_OK;
	key = bulla_secret_alloc(SEAL_MAX_PART);
	if (key == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(parts_combine(seal, call, key, &len));
	if (seal->kind == BULLA_SEAL_STATIC) { /* recovery keys: they allow it, the configured key does it */
		TRY(static_verify_recovery(seal, call, bulla_mem(key, len)));
		TRY(static_open(seal, call));
	} else {
		TRY(shamir_open(seal, call, bulla_mem(key, len)));
	}
	*opened = true;
	return BULLA_OK;
}

enum bulla_err seal_unseal(struct seal *seal, struct bulla_call *call, struct bulla_bytes share, bool *opened)
{
	bool now = false;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&seal->operation);
	enum bulla_err err = unseal(seal, call, share, &now);

	pthread_mutex_unlock(&seal->operation);
	if (err == BULLA_OK)
		*opened = now;
	return err;
}

enum bulla_err seal_unseal_auto(struct seal *seal, struct bulla_call *call)
{
	enum bulla_err err = BULLA_OK;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	if (seal->kind != BULLA_SEAL_STATIC)
		return bulla_fail(call, BULLA_E_CONFIG, "the seal is not one that opens by itself");
	if (!seal_is_initialised(seal))
		return BULLA_E_NOT_INITIALISED;
	pthread_mutex_lock(&seal->operation);
	if (rcu_load(seal->keys) == NULL)
		err = static_open(seal, call);
	pthread_mutex_unlock(&seal->operation);
	if (err == BULLA_OK)
		seal_reset(seal);
	return err;
}

void seal_admit(struct seal *seal)
{
	pthread_mutex_lock(&seal->state);
	atomic_store(&seal->admitted, seal->open);
	pthread_mutex_unlock(&seal->state);
}
