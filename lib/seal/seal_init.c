/* seal_init.c: owns making the key hierarchy. Once in a store's life: the seal record is the last that is written, so that a
 * crash before it leaves nothing but a few records that nobody can open, and an initialisation can be tried again. */
#include "seal/seal_internal.h"

static enum bulla_err refuse(struct bulla_call *call, const char *which, const char *why)
{
	return bulla_fail(call, BULLA_E_INVALID, "invalid %s configuration: %s", which, why);
}

/* In the peer's order. */
static enum bulla_err check_shamir(struct bulla_call *call, int shares, int threshold)
{
	if (shares < 1)
		return refuse(call, "seal", "shares must be at least one");
	if (threshold < 1)
		return refuse(call, "seal", "threshold must be at least one");
	if (shares > 1 && threshold == 1)
		return refuse(call, "seal", "threshold must be greater than one for multiple shares");
	if (shares > SEAL_MAX_SHARES)
		return refuse(call, "seal", "shares must be less than 256");
	if (threshold > SEAL_MAX_SHARES)
		return refuse(call, "seal", "threshold must be less than 256");
	if (threshold > shares)
		return refuse(call, "seal", "threshold cannot be larger than shares");
	return BULLA_OK;
}

static enum bulla_err check_recovery(struct bulla_call *call, int shares, int threshold)
{
	if (shares > 1 && threshold <= 1)
		return refuse(call, "recovery", "threshold must be greater than one for multiple shares");
	if (shares > SEAL_MAX_SHARES)
		return refuse(call, "recovery", "shares must be less than 256");
	if (threshold > SEAL_MAX_SHARES)
		return refuse(call, "recovery", "threshold must be less than 256");
	if (threshold > shares)
		return refuse(call, "recovery", "threshold cannot be larger than shares");
	return BULLA_OK;
}

/* Names the numbers that were given for the other kind of seal. */
static enum bulla_err not_applicable(struct bulla_call *call, const char *what, int shares, int threshold, const char *kind)
{
	if (shares == 0 && threshold == 0)
		return BULLA_OK;
	return bulla_fail(call, BULLA_E_INVALID, "parameters %s%s%s%s%s not applicable to seal type %s", shares ? what : "",
			  shares ? "_shares" : "", shares && threshold ? "," : "", threshold ? what : "",
			  threshold ? "_threshold" : "", kind);
}

static enum bulla_err check(const struct seal *seal, struct bulla_call *call, const struct bulla_init_args *args)
{
	if (seal->kind == BULLA_SEAL_STATIC) {
		TRY(not_applicable(call, "secret", args->secret_shares, args->secret_threshold, "static"));
		return check_recovery(call, args->recovery_shares, args->recovery_threshold);
	}
	TRY(not_applicable(call, "recovery", args->recovery_shares, args->recovery_threshold, "shamir"));
	return check_shamir(call, args->secret_shares, args->secret_threshold);
}

/* One share is the key itself, as at the peer. */
static enum bulla_err split(struct bulla_call *call, const uint8_t *key, unsigned shares, unsigned threshold,
			    struct bulla_init_result *out)
{
	size_t len = shares > 1 ? SEAL_KEY_BYTES + 1 : SEAL_KEY_BYTES;
	uint8_t *bytes = bulla_arena_alloc(call->arena, shares * len);

	out->shares = bulla_arena_alloc(call->arena, shares * sizeof out->shares[0]);
	if (bytes == NULL || out->shares == NULL)
		return BULLA_E_NO_MEMORY;
	if (shares == 1)
		memcpy(bytes, key, SEAL_KEY_BYTES);
	if (shares > 1)
		TRY(shamir_split(bulla_mem(key, SEAL_KEY_BYTES), shares, threshold, bytes));
	for (unsigned i = 0; i < shares; i++)
		out->shares[i] = bulla_mem(bytes + i * len, len);
	out->share_count = shares;
	return BULLA_OK;
}

/* The record's numbers and key id are set: wraps the root key, and makes the shares. */
static enum bulla_err wrap_root(struct seal *seal, struct bulla_call *call, const uint8_t *root_key, struct seal_record *record,
				struct bulla_init_result *out)
{
	const uint8_t *cluster_id = store_identity(seal->store)->cluster_id;
	uint8_t *shared BULLA_CLEANUP(seal_key_drop) = NULL; /* the unseal key or the recovery key */

	TRY(seal_key_new(&shared));
	if (seal->kind == BULLA_SEAL_SHAMIR) {
		TRY(seal_wrap_key(record, cluster_id, SEAL_WRAP_ROOT, shared, root_key, record->root));
		return split(call, shared, record->shares, record->threshold, out);
	}
	TRY(seal_wrap_key(record, cluster_id, SEAL_WRAP_ROOT, seal->static_key, root_key, record->root));
	if (!record->has_recovery)
		return BULLA_OK;
	TRY(seal_wrap_key(record, cluster_id, SEAL_WRAP_RECOVERY, seal->static_key, shared, record->recovery));
	return split(call, shared, record->shares, record->threshold, out);
}

static void set_numbers(const struct seal *seal, const struct bulla_init_args *args, struct seal_record *record)
{
	bool is_static = seal->kind == BULLA_SEAL_STATIC;
	int shares = is_static ? args->recovery_shares : args->secret_shares;
	int threshold = is_static ? args->recovery_threshold : args->secret_threshold;

	record->kind = seal->kind;
	record->shares = (uint8_t)(shares > 0 ? shares : 0);
	record->threshold = (uint8_t)(threshold > 0 ? threshold : 0);
	record->has_recovery = is_static && shares > 0;
	record->key_id_len = (uint8_t)seal->key_id_len;
	if (seal->key_id_len > 0)
		memcpy(record->key_id, seal->key_id, seal->key_id_len);
}

static void drop_keys(struct barrier_keys **keys)
{
	barrier_keys_free(*keys);
}

/* With seal->operation. */
static enum bulla_err initialise(struct seal *seal, struct bulla_call *call, const struct bulla_init_args *args,
				 struct bulla_init_result *out)
{
	uint8_t *root_key BULLA_CLEANUP(seal_key_drop) = NULL;
	struct barrier_keys *keys BULLA_CLEANUP(drop_keys) = NULL;
	struct bulla_init_result result = { .recovery = seal->kind == BULLA_SEAL_STATIC };
	struct seal_record record = { 0 };

	if (seal_is_initialised(seal) || rcu_load(seal->keys) != NULL)
		return BULLA_E_ALREADY_INITIALISED;
	TRY(seal_key_new(&root_key));
	TRY(barrier_keys_new(&keys));
	set_numbers(seal, args, &record);
	TRY(wrap_root(seal, call, root_key, &record, &result));
	TRY(seal_digest_begin(&seal->digest, call, keys->id_key));
	seal->record = record;
	seal_publish(seal, keys, root_key, 0);
	keys = NULL; /* both are the seal's */
	root_key = NULL;
	*out = result;
	return BULLA_OK;
}

enum bulla_err seal_initialise(struct seal *seal, struct bulla_call *call, const struct bulla_init_args *args,
			       struct bulla_init_result *out)
{
	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(check(seal, call, args));
	pthread_mutex_lock(&seal->operation);
	enum bulla_err err = initialise(seal, call, args, out);

	pthread_mutex_unlock(&seal->operation);
	return err;
}

/* With seal->operation and seal->keyring. */
static enum bulla_err settle(struct seal *seal, struct bulla_call *call)
{
	uint8_t clear[SEAL_RECORD_MAX];
	struct store_write writes[] = {
		{ .id = seal_record_id, .change = STORE_PUT, .bytes = bulla_mem(clear, seal_record_encode(&seal->record, clear)) },
		{ .id = seal_keyring_id, .change = STORE_PUT, .expected = seal->keyring_revision },
	};

	if (seal_is_initialised(seal))
		return BULLA_E_ALREADY_INITIALISED;
	if (seal->keys == NULL)
		return BULLA_E_SEALED;
	TRY(barrier_keys_seal(seal->keys, seal->root_key, call, seal->keyring_revision + 1, &writes[1].bytes));
	TRY(store_commit(seal->store, call, writes, 2, NULL));
	seal->keyring_revision++;
	atomic_store(&seal->initialised, true);
	return BULLA_OK;
}

enum bulla_err seal_settle(struct seal *seal, struct bulla_call *call)
{
	TRY(bulla_work(call, BULLA_WORK_DISK));
	pthread_mutex_lock(&seal->operation);
	pthread_mutex_lock(&seal->keyring);
	enum bulla_err err = settle(seal, call);

	pthread_mutex_unlock(&seal->keyring);
	pthread_mutex_unlock(&seal->operation);
	return err;
}
