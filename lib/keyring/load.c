/* load.c: owns the way of a key from the store into the cache. Workers only; one loader a key at a time (its stripe). */
#include "keyring/internal.h"

/* A call of its own for the records of one scan: their plaintexts are wiped one by one. */
static enum bulla_err scratch_begin(struct bulla_call *scratch)
{
	*scratch = (struct bulla_call){ .arena = bulla_arena_new(1024), .may_block = true };
	return scratch->arena == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

static void scratch_end(struct bulla_call *scratch)
{
	bulla_arena_free(scratch->arena);
}

static enum bulla_err damaged(struct bulla_call *call, const struct key_id *id)
{
	return bulla_fail(call, BULLA_E_STORE_DAMAGED, "the stored record of key %.*s is damaged", (int)id->name.len,
			  (const char *)id->name.ptr);
}

/* *out without its versions. */
static enum bulla_err read_head(struct keyring *keyring, struct bulla_call *call, const struct key_id *id, struct key **out)
{
	struct store_id slot;
	struct store_record record;
	struct bulla_bytes plaintext, name;
	struct key_head head;
	const uint8_t *data_key;

	TRY(record_head_slot(keyring->seal, id->mount, id->name, &slot));
	unsigned epoch = snapshots_epoch(&keyring->cache, &slot); /* before the store is read */

	TRY(store_get(keyring->store, call, &slot, &record));
	enum bulla_err err = barrier_open(keyring->seal, call, &record, &plaintext);

	if (err == BULLA_OK)
		err = record_decode_head(plaintext, &head, &name, &data_key);
	if (err == BULLA_OK && !bulla_equal(name, id->name))
		err = BULLA_E_STORE_DAMAGED;
	if (err == BULLA_E_STORE_DAMAGED)
		return damaged(call, id);
	TRY(err);
	struct key *key = key_new(id, &head);

	if (key == NULL)
		return BULLA_E_NO_MEMORY;
	key->snapshot.id = slot;
	key->snapshot.epoch = epoch;
	key->revision = record.revision;
	key->shared = store_is_shared(keyring->store);
	memcpy(key->data_key, data_key, DATA_KEY_BYTES);
	*out = key;
	return BULLA_OK;
}

/* The records of a key, as of one moment. */
enum { SPAN_HEAD, SPAN_VERSIONS, SPAN_COUNTS, SPANS };

struct reading {
	struct keyring *keyring;
	struct key *key;
	struct store_span spans[SPANS];
	size_t count;
	struct bulla_call scratch;
	bool seen, damaged; /* seen: the head; damaged: a count */
};

/* One that does not open has no number to be known by: it is missed later. */
static enum bulla_err take_version(struct reading *reading, const struct store_record *record)
{
	struct bulla_bytes plaintext;
	struct version *version = NULL;
	enum bulla_err err = record->revision == 1 ? record_open(reading->key->data_key, &reading->scratch, record, &plaintext)
						   : BULLA_E_STORE_DAMAGED;

	if (err == BULLA_OK)
		err = record_decode_version(plaintext, &reading->key->head, &version);
	if (err == BULLA_E_STORE_DAMAGED)
		return BULLA_OK;
	TRY(err);
	if (version->pub.version < key_first(reading->key)) {
		version_put(version);
		return BULLA_OK;
	}
	return key_add(reading->key, version);
}

static bool is_in(const struct store_span *span, const struct store_record *record)
{
	return memcmp(span->first.bytes, record->id.bytes, STORE_COLLECTION) == 0;
}

/* CONFLICT: the head is not the one that was opened. */
static enum bulla_err take(const struct store_record *record, void *context)
{
	struct reading *reading = context;

	bulla_arena_reset(reading->scratch.arena);
	if (is_in(&reading->spans[SPAN_HEAD], record)) {
		reading->seen = record->revision == reading->key->revision;
		return reading->seen ? BULLA_OK : BULLA_E_CONFLICT;
	}
	if (is_in(&reading->spans[SPAN_VERSIONS], record))
		return take_version(reading, record);
	return count_read(reading->keyring, &reading->scratch, record, reading->key, &reading->damaged);
}

static enum bulla_err set_spans(struct reading *reading, const struct key_id *id)
{
	struct seal *seal = reading->keyring->seal;
	const struct store_id *head = &reading->key->snapshot.id;
	struct store_id any;

	reading->spans[SPAN_HEAD] = (struct store_span){ *head, *head };
	TRY(record_version_slot(seal, id->mount, id->name, 1, &any));
	reading->spans[SPAN_VERSIONS] = store_collection(any.bytes);
	TRY(record_count_slot(seal, id->mount, id->name, 1, &any));
	reading->spans[SPAN_COUNTS] = store_collection(any.bytes);
	reading->count = count_applies(reading->key->head.alg) ? SPANS : SPAN_COUNTS;
	return BULLA_OK;
}

/* A version that the head names and the store does not give is there, but cannot be used. */
static enum bulla_err mark_missing(struct key *key)
{
	for (uint32_t number = key_first(key); number <= key->head.latest; number++) {
		if (versions_get(&key->versions, number) != NULL)
			continue;
		struct version *version = version_new(number, 0, 0, 0);

		if (version == NULL)
			return BULLA_E_NO_MEMORY;
		TRY(key_add(key, version));
	}
	return BULLA_OK;
}

/* All of a key but its head, and that the head still is what it was. CONFLICT: it was changed meanwhile, by another node. */
static enum bulla_err read_rest(struct keyring *keyring, struct bulla_call *call, const struct key_id *id, struct key *key)
{
	struct reading reading = { .keyring = keyring, .key = key };

	TRY(set_spans(&reading, id));
	TRY(scratch_begin(&reading.scratch));
	enum bulla_err err = store_read(keyring->store, call, reading.spans, reading.count, take, &reading);

	scratch_end(&reading.scratch);
	TRY(err);
	if (!reading.seen)
		return BULLA_E_CONFLICT;
	TRY(mark_missing(key));
	count_read_all(keyring, key, reading.damaged);
	return BULLA_OK;
}

static enum bulla_err read_once(struct keyring *keyring, struct bulla_call *call, const struct key_id *id, struct key **out)
{
	struct key *key = NULL;

	TRY(read_head(keyring, call, id, &key));
	enum bulla_err err = read_rest(keyring, call, id, key);

	if (err != BULLA_OK) {
		key_put(key);
		return err;
	}
	*out = key;
	return BULLA_OK;
}

static enum bulla_err read_key(struct keyring *keyring, struct bulla_call *call, const struct key_id *id, struct key **out)
{
	enum bulla_err err = BULLA_E_CONFLICT;

	for (int tries = 0; err == BULLA_E_CONFLICT && tries < STORE_TRIES; tries++)
		err = read_once(keyring, call, id, out);
	return err;
}

enum bulla_err load_current(struct keyring *keyring, struct bulla_call *call, const struct key_id *id, struct key **out)
{
	struct key *key = keyring_hold_cached(keyring, id);

	if (key == NULL) {
		enum bulla_err err = read_key(keyring, call, id, &key);

		if (err == BULLA_E_NO_MEMORY) { /* locked memory may be what is short: the cache holds most of it */
			cache_shrink(keyring);
			err = read_key(keyring, call, id, &key);
		}
		TRY(err);
		cache_publish(keyring, key, id);
	}
	*out = key;
	return BULLA_OK;
}

enum bulla_err load_into_cache(struct keyring *keyring, struct bulla_call *call, const struct key_id *id)
{
	struct key *key = NULL;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(seal_hold(keyring->seal));
	pthread_mutex_lock(keyring_stripe(keyring, id));
	/* looked at under the stripe: a destruction that begins now waits for it, and empties the cache after that */
	enum bulla_err err = keyring_is_destroyed(keyring, id->mount) ? BULLA_E_NO_ROUTE : load_current(keyring, call, id, &key);

	pthread_mutex_unlock(keyring_stripe(keyring, id));
	seal_release(keyring->seal);
	key_put(key);
	return err;
}

/* ---- what another node has changed, before it is told of ------------------------------------------------------------- */

bool key_may_have(const struct key *key, const struct bulla_call *call)
{
	return key->shared && !call->key_renewed;
}

/* With the stripe. What is in memory stays there until the next is: nobody has to wait for a key because somebody asks for a version
 * that does not exist. */
static enum bulla_err renew(struct keyring *keyring, struct bulla_call *call, const struct key_id *id)
{
	struct key *known = keyring_hold_cached(keyring, id), *head = NULL, *key = NULL;
	enum bulla_err err = read_head(keyring, call, id, &head);
	bool same = err == BULLA_OK && known != NULL && known->revision == head->revision;

	if (err == BULLA_OK && !same)
		err = read_key(keyring, call, id, &key);
	if (err == BULLA_OK && !same)
		cache_publish(keyring, key, id);
	key_put(known);
	key_put(head);
	key_put(key);
	return err;
}

enum bulla_err keyring_renew(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount, struct bulla_bytes name)
{
	struct key_id id;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(keyring_id(keyring, mount->uuid, name, &id));
	call->key_renewed = true;
	TRY(seal_hold(keyring->seal));
	pthread_mutex_lock(keyring_stripe(keyring, &id));
	enum bulla_err err = keyring_is_destroyed(keyring, id.mount) ? BULLA_E_NO_ROUTE : renew(keyring, call, &id);

	pthread_mutex_unlock(keyring_stripe(keyring, &id));
	seal_release(keyring->seal);
	return err;
}
