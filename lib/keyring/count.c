/* count.c: owns how many messages each version of a key has encrypted. With random 96-bit nonces 2^32 are the most that are safe
 * under one key (NIST SP 800-38D, 8.3; the same birthday bound holds for ChaCha20-Poly1305). The count is durable: numbers are
 * reserved in blocks before they are used, so that a crash, and each loading of a key, loses what was left of a block and never
 * gives a number twice. It is no less than the truth: of derived keys it counts the messages of all contexts together, of
 * convergent ones repetitions too. keyring_count: any thread within a read section; the rest: workers, under the key's stripe. */
#include "keyring/internal.h"

#include "bulla/encode.h"

#define FORMAT 1
#define RECORD_BYTES 13
#define TRIES 4

/* 192 random bits never meet (XChaCha20-Poly1305); asymmetric types have no nonce. */
bool count_applies(const struct alg *alg)
{
	return alg->seal != NULL && alg->nonce_bytes <= 12;
}

static struct version *version_of(const struct key_version *version)
{
	return (struct version *)(uintptr_t)version; /* pub comes first, and the count is no part of what is const */
}

_Static_assert(offsetof(struct version, pub) == 0, "version_of");

/* ---- the hot path ------------------------------------------------------------ */

enum bulla_err keyring_count(const struct key *key, const struct key_version *version)
{
	struct count *count = &version_of(version)->count;

	if (!count_applies(key_alg(key)))
		return BULLA_OK;
	/* the first look keeps a version that is used up from counting on for ever */
	if (atomic_load_explicit(&count->used, memory_order_relaxed) >= atomic_load_explicit(&count->limit, memory_order_relaxed))
		return BULLA_E_MUST_BLOCK;
	if (atomic_fetch_add_explicit(&count->used, 1, memory_order_relaxed) >=
	    atomic_load_explicit(&count->limit, memory_order_relaxed))
		return BULLA_E_MUST_BLOCK;
	return BULLA_OK;
}

bool keyring_count_high(const struct key_version *version)
{
	return atomic_load_explicit(&version_of(version)->count.high, memory_order_relaxed);
}

/* ---- limits ------------------------------------------------------------------- */

void keyring_count_limits_set(struct keyring *keyring, uint64_t warn, uint64_t max)
{
	atomic_store(&keyring->count_warn, warn);
	atomic_store(&keyring->count_max, max);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What a version without a record may use. */
static uint64_t first_block(struct keyring *keyring)
{
	return least(COUNT_FIRST, atomic_load(&keyring->count_warn));
}

void count_begin(struct keyring *keyring, struct version *version)
{
	version->count.reserved = version->count.block = first_block(keyring);
	atomic_store(&version->count.limit, version->count.reserved);
}

/* ---- the record ---------------------------------------------------------------- */

static enum bulla_err decode(struct bulla_bytes record, uint32_t *version, uint64_t *reserved)
{
	if (record.len != RECORD_BYTES || record.ptr[0] != FORMAT)
		return BULLA_E_STORE_DAMAGED;
	*version = bulla_get_u32(record.ptr + 1);
	*reserved = bulla_get_u64(record.ptr + 5);
	return BULLA_OK;
}

/* Under the barrier: a key's data key may change while its counts stay. revision: the record's, now. */
static enum bulla_err write(struct keyring *keyring, struct bulla_call *call, const struct key_id *id,
			    const struct version *version, uint64_t reserved, uint64_t *revision)
{
	struct store_write write = { .change = STORE_PUT, .expected = version->count.revision };
	uint8_t record[RECORD_BYTES] = { FORMAT };

	bulla_put_u32(record + 1, version->pub.version);
	bulla_put_u64(record + 5, reserved);
	TRY(record_count_slot(keyring->seal, id->mount, id->name, version->pub.version, &write.id));
	TRY(store_begin_anew(&write));
	TRY(barrier_seal(keyring->seal, call, &write.id, store_revision(&write), bulla_mem(record, sizeof record), &write.bytes));
	TRY(store_commit(keyring->store, call, &write, 1, NULL));
	*revision = store_revision(&write);
	return BULLA_OK;
}

/* ---- loading -------------------------------------------------------------------- */

static void set_loaded(struct keyring *keyring, struct version *version, uint64_t reserved, uint64_t revision)
{
	struct count *count = &version->count;

	count->reserved = reserved;
	count->revision = revision;
	atomic_store(&count->used, reserved);
	atomic_store(&count->limit, reserved);
	atomic_store(&count->high, reserved > atomic_load(&keyring->count_warn));
}

enum bulla_err count_read(struct keyring *keyring, struct bulla_call *call, const struct store_record *record, struct key *key, bool *damaged)
{
	struct bulla_bytes plaintext;
	uint32_t number = 0;
	uint64_t reserved = 0;
	enum bulla_err err = barrier_open(keyring->seal, call, record, &plaintext);

	if (err == BULLA_OK)
		err = decode(plaintext, &number, &reserved);
	if (err == BULLA_E_STORE_DAMAGED) {
		*damaged = true;
		return BULLA_OK;
	}
	TRY(err);
	struct version *version = versions_get(&key->versions, number);

	if (version != NULL)
		set_loaded(keyring, version, reserved, record->revision);
	return BULLA_OK;
}

/* Which version a damaged record counted, nobody can say: all without a record of their own are used up. Nothing is lost but the
 * use of their numbers: decryption goes on, and the next encryption rotates the key. */
void count_read_all(struct keyring *keyring, struct key *key, bool damaged)
{
	if (!count_applies(key->head.alg))
		return;
	uint64_t reserved = damaged ? atomic_load(&keyring->count_max) : first_block(keyring);

	for (uint32_t number = key_first(key); number <= key->head.latest; number++) {
		struct version *version = versions_get(&key->versions, number);

		if (version != NULL && version->count.revision == 0)
			set_loaded(keyring, version, reserved, 0);
	}
}

/* ---- reserving ------------------------------------------------------------------- */

/* What is to be counted on: found out under the locks. */
struct reservation {
	int64_t wanted;    /* version; 0: the latest */
	uint64_t messages;
	uint32_t version;
	bool full;         /* it has had all that it may have */
};

static void tell_high(struct keyring *keyring, const struct bulla_mount *mount, const struct key *key, const struct version *version)
{
	notices_add(&keyring->notices,
		    "version %u of key %.*s of %.*s has encrypted %llu messages: it should be rotated before it reaches %llu",
		    version->pub.version, (int)key->name_len, (const char *)key->name, (int)mount->path.len,
		    (const char *)mount->path.ptr, (unsigned long long)version->count.reserved,
		    (unsigned long long)atomic_load(&keyring->count_max));
}

/* Blocks grow with use. None reaches over the number to warn from, so that the warning is on time. */
static uint64_t next_reserved(struct keyring *keyring, const struct count *count, uint64_t messages)
{
	uint64_t warn = atomic_load(&keyring->count_warn), max = atomic_load(&keyring->count_max);
	uint64_t block = count->block == 0 ? first_block(keyring) : least(2 * count->block, COUNT_BLOCK_MAX);
	uint64_t end = count->reserved + (block > messages ? block : messages);

	if (count->reserved < warn)
		end = least(end, warn);
	return least(end, max);
}

static enum bulla_err reserve(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
			      const struct key_id *id, struct key *key, struct version *version, uint64_t messages)
{
	struct count *count = &version->count;
	uint64_t end = next_reserved(keyring, count, messages);

	TRY(write(keyring, call, id, version, end, &count->revision));
	if (count->reserved >= atomic_load(&keyring->count_warn) && !atomic_exchange(&count->high, true))
		tell_high(keyring, mount, key, version);
	count->block = end - count->reserved;
	count->reserved = end;
	atomic_store(&count->limit, end);
	return BULLA_OK;
}

/* Another node has reserved meanwhile: its number is where the next block begins. The size of the blocks stays, or a key that is busy on
 * several nodes would have small ones for ever. CONFLICT: there is no record. */
static enum bulla_err take_over(struct keyring *keyring, struct bulla_call *call, const struct key_id *id, struct version *version)
{
	struct store_record record;
	struct bulla_bytes plaintext;
	struct store_id slot;
	uint64_t reserved;
	uint32_t number;

	TRY(record_count_slot(keyring->seal, id->mount, id->name, version->pub.version, &slot));
	enum bulla_err err = store_get(keyring->store, call, &slot, &record);

	if (err == BULLA_E_NOT_FOUND)
		return BULLA_E_CONFLICT;
	TRY(err);
	TRY(barrier_open(keyring->seal, call, &record, &plaintext));
	TRY(decode(plaintext, &number, &reserved));
	set_loaded(keyring, version, reserved, record.revision);
	return BULLA_OK;
}

static enum bulla_err reserve_next(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
				   const struct key_id *id, struct reservation *r, struct key *key, struct version *version)
{
	enum bulla_err err = BULLA_E_CONFLICT;

	for (int tries = 0; err == BULLA_E_CONFLICT && tries < STORE_TRIES; tries++) {
		if (tries > 0)
			TRY(take_over(keyring, call, id, version));
		r->full = version->count.reserved >= atomic_load(&keyring->count_max);
		err = r->full ? BULLA_OK : reserve(keyring, call, mount, id, key, version, r->messages);
	}
	return err;
}

static enum bulla_err count_on(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
			       const struct key_id *id, struct reservation *r, struct key *key)
{
	struct version *version =
		versions_get(&key->versions, r->wanted == 0 ? key->head.latest : (uint32_t)r->wanted);

	if (version == NULL || version->cell == NULL || !count_applies(key->head.alg))
		return BULLA_OK; /* it has gone, or has become another: the operation will say so */
	struct count *count = &version->count;

	r->version = version->pub.version;
	if (atomic_load(&count->used) < atomic_load(&count->limit))
		return BULLA_OK; /* someone else was here meanwhile */
	return reserve_next(keyring, call, mount, id, r, key, version);
}

static enum bulla_err run_locked(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
				 const struct key_id *id, struct reservation *r)
{
	struct key *key = NULL;

	if (keyring_is_destroyed(keyring, id->mount))
		return BULLA_E_NO_ROUTE;
	enum bulla_err err = load_current(keyring, call, id, &key);

	if (err == BULLA_OK)
		err = count_on(keyring, call, mount, id, r, key);
	if (err == BULLA_E_CONFLICT && key != NULL)
		snapshots_drop(&keyring->cache, &key->snapshot.id); /* it is out of date */
	key_put(key);
	return err;
}

static enum bulla_err run(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
			  const struct key_id *id, struct reservation *r)
{
	enum bulla_err err = BULLA_E_CONFLICT;

	TRY(seal_hold(keyring->seal));
	pthread_mutex_lock(keyring_stripe(keyring, id));
	for (int tries = 0; tries < TRIES && err == BULLA_E_CONFLICT; tries++)
		err = run_locked(keyring, call, mount, id, r);
	pthread_mutex_unlock(keyring_stripe(keyring, id));
	seal_release(keyring->seal);
	return err;
}

/* ---- what comes when it is full ---------------------------------------------------- */

static bool still_latest(const struct key *key, const void *context)
{
	return key->head.latest == *(const uint32_t *)context;
}

static enum bulla_err refuse(struct keyring *keyring, struct bulla_call *call, uint32_t version)
{
	return bulla_fail(call, BULLA_E_INVALID,
			  "version %u of the key has encrypted %llu messages, as many as are safe: only decryption goes on", version,
			  (unsigned long long)atomic_load(&keyring->count_max));
}

static enum bulla_err replace_full(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
				   struct bulla_bytes name, const struct reservation *r)
{
	struct bulla_key_info info;

	if (r->wanted != 0)
		return refuse(keyring, call, r->version);
	enum bulla_err err = rotate_key(keyring, call, mount, name, still_latest, &r->version, &info);

	if (err != BULLA_OK && err != BULLA_E_REVOKED && bulla_err_row(err)->kind == BULLA_CLASS_CALLER) /* it may not be rotated */
		return refuse(keyring, call, r->version);
	TRY(err);
	if (info.latest == r->version + 1)
		notices_add(&keyring->notices, "key %.*s of %.*s was rotated: version %u has encrypted as many messages as are safe",
			    (int)name.len, (const char *)name.ptr, (int)mount->path.len, (const char *)mount->path.ptr, r->version);
	return BULLA_OK;
}

enum bulla_err keyring_count_on(struct keyring *keyring, struct bulla_call *call, const struct bulla_mount *mount,
				struct bulla_bytes name, int64_t version, uint64_t messages)
{
	struct reservation r = { .wanted = version, .messages = messages };
	struct key_id id;

	TRY(bulla_work(call, BULLA_WORK_DISK));
	TRY(keyring_id(keyring, mount->uuid, name, &id));
	TRY(run(keyring, call, mount, &id, &r));
	return r.full ? replace_full(keyring, call, mount, name, &r) : BULLA_OK;
}
