/* seal_digest.c: owns the account of all records of the store. Of the store's transactions (one at a time), and of whoever opens and closes the
 * seal. */
#include "seal/seal_digest.h"

#include <string.h>

#include "bulla/encode.h"
#include "crypto/crypto.h"
#include "seal/barrier.h"
#include "seal/seal_internal.h"

#define FORMAT 1
#define TAG_KEY_BYTES 16
#define KEYS_BYTES (TAG_KEY_BYTES + 32)
#define ID_BYTES sizeof(struct store_id)
#define ASSOCIATED (1 + 8 + 8)

_Static_assert(DIGEST_SEALED == 1 + XCHACHA_OVERHEAD + DIGEST_PLAIN && DIGEST_SEALED <= STORE_DIGEST_MAX, "seal_digest.h says how long it is");

static const uint8_t *tag_key(const uint8_t *keys)
{
	return keys;
}

static const uint8_t *sealing_key(const uint8_t *keys)
{
	return keys + TAG_KEY_BYTES;
}

/* ---- sums ---------------------------------------------------------------------------------------------------------------- */

static void add(uint8_t to[DIGEST_SUM], const uint8_t sum[DIGEST_SUM])
{
	for (size_t i = 0; i < DIGEST_SUM; i++)
		to[i] ^= sum[i];
}

/* Adds a record, or takes it away: that is the same. count is the caller's affair. */
static void toggle(struct digest_sum *sum, const uint8_t *key, const struct store_id *id, uint64_t revision, const struct store_mark *mark)
{
	uint8_t writing[ID_BYTES + 8 + STORE_HEAD], bytes[DIGEST_SUM + STORE_TAIL], tag[DIGEST_SUM];

	memcpy(writing, id->bytes, ID_BYTES);
	bulla_put_u64(writing + ID_BYTES, revision);
	memcpy(writing + ID_BYTES + 8, mark->head, STORE_HEAD);
	table_tag(key, bulla_mem(writing, sizeof writing), bytes);
	add(sum->writings, bytes);
	memcpy(bytes + DIGEST_SUM, mark->tail, STORE_TAIL);
	table_tag(key, bulla_mem(bytes, sizeof bytes), tag); /* of another length than a writing */
	add(sum->bytes, tag);
}

static bool is_same(const uint8_t a[DIGEST_SUM], const uint8_t b[DIGEST_SUM])
{
	return bulla_equal_secret(bulla_mem(a, DIGEST_SUM), bulla_mem(b, DIGEST_SUM));
}

/* ---- sealed ---------------------------------------------------------------------------------------------------------------- */

static struct bulla_bytes associated(const struct store_stamp *stamp, uint8_t out[ASSOCIATED])
{
	out[0] = FORMAT;
	bulla_put_u64(out + 1, stamp->writer);
	bulla_put_u64(out + 9, stamp->sequence);
	return bulla_mem(out, ASSOCIATED);
}

static enum bulla_err seal_sum(struct seal_digest *digest, const struct store_stamp *stamp)
{
	uint8_t plain[DIGEST_PLAIN], aad[ASSOCIATED];

	memcpy(plain, digest->batch.writings, DIGEST_SUM);
	memcpy(plain + DIGEST_SUM, digest->batch.bytes, DIGEST_SUM);
	bulla_put_u64(plain + 2 * DIGEST_SUM, digest->batch.count);
	digest->sealed[0] = FORMAT;
	enum bulla_err err = xchacha_seal(sealing_key(digest->keys), associated(stamp, aad), bulla_mem(plain, sizeof plain), digest->sealed + 1);

	bulla_wipe(plain, sizeof plain);
	return err;
}

/* false: it is not one that was written with that commit. */
static bool open_sum(const uint8_t *keys, const struct store_stamp *stamp, struct bulla_bytes sealed, struct digest_sum *sum)
{
	uint8_t plain[DIGEST_PLAIN], aad[ASSOCIATED];

	if (sealed.len != DIGEST_SEALED || sealed.ptr[0] != FORMAT ||
	    xchacha_open(sealing_key(keys), associated(stamp, aad), bulla_mem(sealed.ptr + 1, DIGEST_SEALED - 1), plain) != BULLA_OK)
		return false;
	memcpy(sum->writings, plain, DIGEST_SUM);
	memcpy(sum->bytes, plain + DIGEST_SUM, DIGEST_SUM);
	sum->count = bulla_get_u64(plain + 2 * DIGEST_SUM);
	bulla_wipe(plain, sizeof plain);
	return true;
}

/* ---- what the store tells -------------------------------------------------------------------------------------------------- */

static void begin(void *context)
{
	struct seal_digest *digest = context;

	pthread_mutex_lock(&digest->lock);
	digest->group = digest->batch = digest->settled;
	digest->begun = digest->opened;
	pthread_mutex_unlock(&digest->lock);
}

static void batch(void *context)
{
	struct seal_digest *digest = context;

	pthread_mutex_lock(&digest->lock);
	digest->group = digest->batch;
	pthread_mutex_unlock(&digest->lock);
}

static void refuse(void *context)
{
	struct seal_digest *digest = context;

	pthread_mutex_lock(&digest->lock);
	digest->batch = digest->group;
	pthread_mutex_unlock(&digest->lock);
}

static void note(void *context, const struct store_seen *before, const struct store_write *write)
{
	struct seal_digest *digest = context;

	pthread_mutex_lock(&digest->lock);
	if (digest->keys != NULL && before->revision != 0) {
		toggle(&digest->batch, tag_key(digest->keys), &write->id, before->revision, &before->mark);
		digest->batch.count--;
	}
	if (digest->keys != NULL && write->change == STORE_PUT) {
		struct store_mark mark = store_mark(write->bytes);

		toggle(&digest->batch, tag_key(digest->keys), &write->id, store_revision(write), &mark);
		digest->batch.count++;
	}
	pthread_mutex_unlock(&digest->lock);
}

static enum bulla_err close_locked(struct seal_digest *digest, const struct store_stamp *stamp, struct bulla_bytes *out)
{
	if (digest->keys == NULL || digest->begun != digest->opened)
		return BULLA_E_SEALED;
	TRY(seal_sum(digest, stamp));
	*out = bulla_mem(digest->sealed, sizeof digest->sealed);
	return BULLA_OK;
}

static enum bulla_err close_account(void *context, const struct store_stamp *stamp, struct bulla_bytes *out)
{
	struct seal_digest *digest = context;

	pthread_mutex_lock(&digest->lock);
	enum bulla_err err = close_locked(digest, stamp, out);

	pthread_mutex_unlock(&digest->lock);
	return err;
}

static void settle(void *context)
{
	struct seal_digest *digest = context;

	pthread_mutex_lock(&digest->lock);
	if (digest->begun == digest->opened)
		digest->settled = digest->batch;
	pthread_mutex_unlock(&digest->lock);
}

/* ---- adding up ------------------------------------------------------------------------------------------------------------- */

struct tally {
	const uint8_t *keys;
	uint64_t writer;
	uint32_t terms; /* not 0: there may be no others */
	struct digest_sum found, said, own;
	size_t digests, damaged;
	bool later;     /* a term beyond these */
};

static enum bulla_err visit_digest(const struct store_stamp *stamp, struct bulla_bytes sealed, void *context)
{
	struct digest_sum sum = { .count = 0 };
	struct tally *tally = context;

	tally->digests++;
	if (!open_sum(tally->keys, stamp, sealed, &sum))
		tally->damaged++;
	add(tally->said.writings, sum.writings);
	add(tally->said.bytes, sum.bytes);
	tally->said.count += sum.count;
	if (stamp->writer == tally->writer)
		tally->own = sum;
	return BULLA_OK;
}

/* The seal's own two have no term of the barrier. */
static bool is_of_later_term(const struct tally *tally, const struct store_record *record)
{
	uint32_t term;

	return tally->terms != 0 && memcmp(record->id.bytes, seal_record_id.bytes, STORE_COLLECTION) != 0 && record_term(record, &term) &&
	       term > tally->terms;
}

static enum bulla_err visit(const struct store_record *record, void *context)
{
	struct tally *tally = context;
	const struct store_mark mark = store_mark(record->bytes);

	toggle(&tally->found, tag_key(tally->keys), &record->id, record->revision, &mark);
	tally->found.count++;
	tally->later |= is_of_later_term(tally, record);
	return BULLA_OK;
}

/* ---- opening --------------------------------------------------------------------------------------------------------------- */

static void drop_keys(uint8_t **keys)
{
	bulla_secret_free(*keys, KEYS_BYTES);
	*keys = NULL;
}

static enum bulla_err make_keys(struct bulla_bytes id_key, uint8_t **out)
{
	uint8_t *keys BULLA_CLEANUP(drop_keys) = bulla_secret_alloc(KEYS_BYTES);

	if (keys == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(hkdf_sha256(id_key, (struct bulla_bytes){ 0 }, bulla_str("bulla store digest"), keys, KEYS_BYTES));
	*out = keys;
	keys = NULL;
	return BULLA_OK;
}

/* This writer's sum, with the difference between what there is and what was said. */
static struct digest_sum corrected(const struct tally *tally)
{
	struct digest_sum sum = tally->own;

	add(sum.writings, tally->said.writings);
	add(sum.writings, tally->found.writings);
	add(sum.bytes, tally->said.bytes);
	add(sum.bytes, tally->found.bytes);
	sum.count += tally->found.count - tally->said.count;
	return sum;
}

/* Takes the keys over: only now may anything be committed. */
static void go_on(struct seal_digest *digest, uint8_t **keys, struct digest_sum sum)
{
	pthread_mutex_lock(&digest->lock);
	drop_keys(&digest->keys);
	digest->keys = *keys;
	*keys = NULL;
	digest->settled = sum;
	digest->opened++;
	pthread_mutex_unlock(&digest->lock);
}

static enum bulla_err altered(struct bulla_call *call, const struct seal_findings *f)
{
	const char *hint = "they were changed from outside (OPERATING.md, \"Altered records\")";
	uint64_t missing = f->expected - f->found, more = f->found - f->expected;

	if (!f->has_digest)
		return bulla_fail(call, BULLA_E_STORE_ALTERED, "storage: the digest of the stored records is missing or damaged: %s", hint);
	if (missing != 0 && missing < more)
		return bulla_fail(call, BULLA_E_STORE_ALTERED, "storage: of %llu stored records %llu are missing: %s",
				  (unsigned long long)f->expected, (unsigned long long)missing, hint);
	if (more != 0)
		return bulla_fail(call, BULLA_E_STORE_ALTERED, "storage: there are %llu stored records, and %llu were written: %s",
				  (unsigned long long)f->found, (unsigned long long)f->expected, hint);
	return bulla_fail(call, BULLA_E_STORE_ALTERED, "storage: of %llu stored records some are older ones, or others, than were written: %s",
			  (unsigned long long)f->expected, hint);
}

static enum bulla_err judge(struct bulla_call *call, const struct tally *tally, bool accept, struct seal_findings *f)
{
	*f = (struct seal_findings){ .expected = tally->said.count, .found = tally->found.count,
				     .has_digest = tally->digests > 0 && tally->damaged == 0 };
	f->altered = !f->has_digest || f->expected != f->found || !is_same(tally->said.writings, tally->found.writings);
	f->damaged = !f->altered && !is_same(tally->said.bytes, tally->found.bytes);
	f->accepted = accept && (f->altered || f->damaged);
	return f->altered && !accept ? altered(call, f) : BULLA_OK;
}

/* With keys that are not the digest's yet. */
static enum bulla_err add_up(struct seal_digest *digest, struct bulla_call *call, const uint8_t *id_key, uint8_t **keys, struct tally *tally)
{
	TRY(make_keys(bulla_mem(id_key, SEAL_KEY_BYTES), keys));
	tally->keys = *keys;
	tally->writer = store_last(digest->store).writer;
	return store_read_all(digest->store, call, visit_digest, visit, tally);
}

enum bulla_err seal_digest_open(struct seal_digest *digest, struct bulla_call *call, const uint8_t *id_key, bool accept,
			   struct seal_findings *findings)
{
	uint8_t *keys BULLA_CLEANUP(drop_keys) = NULL;
	struct tally tally = { .terms = 0 };

	TRY(add_up(digest, call, id_key, &keys, &tally));
	TRY(judge(call, &tally, accept, findings));
	go_on(digest, &keys, findings->accepted ? corrected(&tally) : tally.own);
	return BULLA_OK;
}

enum bulla_err seal_digest_found(struct seal_digest *digest, struct bulla_call *call, const uint8_t *id_key, uint32_t terms, bool accept,
			    struct seal_findings *findings)
{
	uint8_t *keys BULLA_CLEANUP(drop_keys) = NULL;
	struct tally tally = { .terms = terms };

	TRY(add_up(digest, call, id_key, &keys, &tally));
	if (tally.digests > 0) /* a crash came between the first commit and the one with the keyring of format 2 */
		TRY(judge(call, &tally, accept, findings));
	findings->is_new = true;
	if (tally.later)
		return bulla_fail(call, BULLA_E_STORE_ALTERED, "storage: the barrier's keyring is older than the stored records");
	go_on(digest, &keys, tally.digests == 0 || findings->accepted ? corrected(&tally) : tally.own);
	return BULLA_OK;
}

enum bulla_err seal_digest_begin(struct seal_digest *digest, struct bulla_call *call, const uint8_t *id_key)
{
	uint8_t *keys BULLA_CLEANUP(drop_keys) = NULL;
	struct tally tally = { .terms = 0 };

	TRY(add_up(digest, call, id_key, &keys, &tally));
	go_on(digest, &keys, corrected(&tally));
	return BULLA_OK;
}

void seal_digest_close(struct seal_digest *digest)
{
	pthread_mutex_lock(&digest->lock);
	drop_keys(&digest->keys);
	bulla_wipe(&digest->settled, sizeof digest->settled);
	bulla_wipe(&digest->group, sizeof digest->group);
	bulla_wipe(&digest->batch, sizeof digest->batch);
	pthread_mutex_unlock(&digest->lock);
}

enum bulla_err seal_digest_init(struct seal_digest *digest, struct store *store)
{
	*digest = (struct seal_digest){ .store = store };
	if (pthread_mutex_init(&digest->lock, NULL) != 0)
		return BULLA_E_NO_MEMORY;
	digest->told = (struct store_digest){ .context = digest, .begin = begin, .batch = batch, .note = note, .refuse = refuse,
					      .close = close_account, .settle = settle };
	store_set_digest(store, &digest->told);
	return BULLA_OK;
}

void seal_digest_free(struct seal_digest *digest)
{
	if (digest->store == NULL)
		return;
	store_set_digest(digest->store, NULL);
	seal_digest_close(digest);
	(void)pthread_mutex_destroy(&digest->lock);
}
