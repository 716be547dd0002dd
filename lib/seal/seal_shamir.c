/* seal_shamir.c: owns the parts of an unseal (or recovery) key given so far, and unwrapping with the combined one.
 * The texts and what resets the progress are the peer's. */
#include "seal/seal_internal.h"

/* With seal->state. */
static void drop_parts(struct seal *seal)
{
	for (unsigned i = 0; i < seal->part_count; i++)
		bulla_secret_free(seal->parts[i].bytes, SEAL_MAX_PART);
	seal->part_count = 0;
	seal->nonce[0] = '\0';
}

void seal_reset(struct seal *seal)
{
	pthread_mutex_lock(&seal->state);
	drop_parts(seal);
	pthread_mutex_unlock(&seal->state);
}

static bool is_known(const struct seal *seal, struct bulla_bytes part)
{
	bool known = false;

	for (unsigned i = 0; i < seal->part_count; i++)
		known |= bulla_equal_secret(bulla_mem(seal->parts[i].bytes, seal->parts[i].len), part);
	return known;
}

/* With seal->state. The parts never become more than the threshold, and thus never more than there is room for. */
static enum bulla_err add(struct seal *seal, struct bulla_bytes part)
{
	uint8_t *bytes;

	if (is_known(seal, part))
		return BULLA_OK;
	if (seal->part_count == 0) {
		TRY(random_uuid(seal->nonce));
		seal->nonce[UUID_TEXT] = '\0';
	}
	bytes = bulla_secret_alloc(SEAL_MAX_PART);
	if (bytes == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(bytes, part.ptr, part.len);
	seal->parts[seal->part_count++] = (struct seal_part){ bytes, part.len };
	return BULLA_OK;
}

enum bulla_err parts_add(struct seal *seal, struct bulla_call *call, struct bulla_bytes part, bool *complete)
{
	if (part.len < SEAL_MIN_PART)
		return bulla_fail(call, BULLA_E_BAD_SHARE, "invalid key: key is shorter than minimum %d bytes", SEAL_MIN_PART);
	if (part.len > SEAL_MAX_PART)
		return bulla_fail(call, BULLA_E_BAD_SHARE, "invalid key: key is longer than maximum %d bytes", SEAL_MAX_PART);
	pthread_mutex_lock(&seal->state);
	enum bulla_err err = add(seal, part);

	*complete = err == BULLA_OK && seal->part_count >= seal->record.threshold;
	pthread_mutex_unlock(&seal->state);
	return err;
}

static enum bulla_err refuse(struct bulla_call *call, const char *why)
{
	return bulla_fail(call, BULLA_E_BAD_SHARE, "invalid key: failed to compute combined key: %s", why);
}

struct joined {
	uint8_t *bytes; /* secret memory */
	size_t size;
};

static void drop_joined(struct joined *joined)
{
	bulla_secret_free(joined->bytes, joined->size);
}

/* The last byte of a part is its x. */
static bool has_duplicate(const struct seal *seal)
{
	bool seen[256] = { false }, twice = false;

	for (unsigned i = 0; i < seal->part_count; i++) {
		uint8_t x = seal->parts[i].bytes[seal->parts[i].len - 1];

		twice |= seen[x];
		seen[x] = true;
	}
	return twice;
}

/* With seal->state. */
static enum bulla_err combine(struct seal *seal, struct bulla_call *call, uint8_t *key, size_t *len)
{
	size_t part_len = seal->parts[0].len;
	struct joined all BULLA_CLEANUP(drop_joined) = { NULL, seal->part_count * part_len };

	if (seal->record.threshold == 1) { /* the part is the key itself, without an x */
		memcpy(key, seal->parts[0].bytes, part_len);
		*len = part_len;
		return BULLA_OK;
	}
	if (seal->part_count < 2)
		return refuse(call, "less than two parts cannot be used to reconstruct the secret");
	for (unsigned i = 1; i < seal->part_count; i++)
		if (seal->parts[i].len != part_len)
			return refuse(call, "all parts must be the same length");
	if (has_duplicate(seal))
		return refuse(call, "duplicate part detected");
	all.bytes = bulla_secret_alloc(all.size);
	if (all.bytes == NULL)
		return BULLA_E_NO_MEMORY;
	for (unsigned i = 0; i < seal->part_count; i++)
		memcpy(all.bytes + i * part_len, seal->parts[i].bytes, part_len);
	*len = part_len - 1;
	if (shamir_combine(all.bytes, seal->part_count, part_len, key) != BULLA_OK)
		memset(key, 0, *len); /* x = 0: the peer goes on with a wrong key, and finds that it opens nothing */
	return BULLA_OK;
}

enum bulla_err parts_combine(struct seal *seal, struct bulla_call *call, uint8_t *key, size_t *len)
{
	pthread_mutex_lock(&seal->state);
	enum bulla_err err = seal->part_count > 0 ? combine(seal, call, key, len) : /* reset at the same time */
						    refuse(call, "less than two parts cannot be used to reconstruct the secret");

	drop_parts(seal);
	pthread_mutex_unlock(&seal->state);
	return err;
}

enum bulla_err shamir_open(struct seal *seal, struct bulla_call *call, struct bulla_bytes key)
{
	uint8_t *root_key BULLA_CLEANUP(seal_key_drop) = NULL;
	enum bulla_err err = BULLA_E_AUTH_FAILED;

	if (key.len != 16 && key.len != 24 && key.len != 32) /* AES's, to the peer; ours are all 32 */
		return bulla_fail(call, BULLA_E_BAD_SHARE,
				  "invalid key: failed to setup unseal key: crypto/aes: invalid key size %zu", key.len);
	root_key = bulla_secret_alloc(SEAL_KEY_BYTES);
	if (root_key == NULL)
		return BULLA_E_NO_MEMORY;
	if (key.len == SEAL_KEY_BYTES)
		err = seal_unwrap_key(&seal->record, store_identity(seal->store)->cluster_id, SEAL_WRAP_ROOT, key.ptr, root_key);
	if (err == BULLA_E_AUTH_FAILED)
		return bulla_fail(call, BULLA_E_BAD_SHARE,
				  "unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: "
				  "cipher: message authentication failed");
	TRY(err);
	TRY(seal_open_barrier(seal, call, root_key));
	root_key = NULL; /* the seal's */
	return BULLA_OK;
}
