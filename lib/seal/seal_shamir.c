/* seal_shamir.c: owns the parts of an unseal (or recovery) key given so far, and unwrapping with the combined one.
 * The texts and what resets the progress are the peer's. */
#include "seal/seal_internal.h"

void parts_drop(struct seal_parts *parts)
{
	for (unsigned i = 0; i < parts->count; i++)
		bulla_secret_free(parts->items[i].bytes, SEAL_MAX_PART);
	parts->count = 0;
}

bool parts_have(const struct seal_parts *parts, struct bulla_bytes part)
{
	bool known = false;

	for (unsigned i = 0; i < parts->count; i++)
		known |= bulla_equal_secret(bulla_mem(parts->items[i].bytes, parts->items[i].len), part);
	return known;
}

enum bulla_err parts_put(struct seal_parts *parts, struct bulla_bytes part)
{
	uint8_t *bytes = bulla_secret_alloc(SEAL_MAX_PART);

	if (bytes == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(bytes, part.ptr, part.len);
	parts->items[parts->count++] = (struct seal_part){ bytes, part.len };
	return BULLA_OK;
}

enum bulla_err part_check(struct bulla_call *call, struct bulla_bytes part)
{
	if (part.len < SEAL_MIN_PART)
		return bulla_fail(call, BULLA_E_BAD_SHARE, "invalid key: key is shorter than minimum %d bytes", SEAL_MIN_PART);
	if (part.len > SEAL_MAX_PART)
		return bulla_fail(call, BULLA_E_BAD_SHARE, "invalid key: key is longer than maximum %d bytes", SEAL_MAX_PART);
	return BULLA_OK;
}

/* ---- joining ---------------------------------------------------------------------------------------------------------- */

struct joined {
	uint8_t *bytes; /* secret memory */
	size_t size;
};

static void drop_joined(struct joined *joined)
{
	bulla_secret_free(joined->bytes, joined->size);
}

/* The last byte of a part is its x. */
static bool has_duplicate(const struct seal_parts *parts)
{
	bool seen[256] = { false }, twice = false;

	for (unsigned i = 0; i < parts->count; i++) {
		uint8_t x = parts->items[i].bytes[parts->items[i].len - 1];

		twice |= seen[x];
		seen[x] = true;
	}
	return twice;
}

enum bulla_err parts_join(const struct seal_parts *parts, unsigned threshold, struct bulla_call *call, const char *failed,
			  uint8_t *key, size_t *len)
{
	struct joined all BULLA_CLEANUP(drop_joined) = { 0 };

	if (parts->count > 0 && threshold == 1) { /* the part is the key itself, without an x */
		memcpy(key, parts->items[0].bytes, parts->items[0].len);
		*len = parts->items[0].len;
		return BULLA_OK;
	}
	if (parts->count < 2) /* reset at the same time */
		return bulla_fail(call, BULLA_E_BAD_SHARE, "%sless than two parts cannot be used to reconstruct the secret", failed);
	size_t part_len = parts->items[0].len;

	for (unsigned i = 1; i < parts->count; i++)
		if (parts->items[i].len != part_len)
			return bulla_fail(call, BULLA_E_BAD_SHARE, "%sall parts must be the same length", failed);
	if (has_duplicate(parts))
		return bulla_fail(call, BULLA_E_BAD_SHARE, "%sduplicate part detected", failed);
	all.size = parts->count * part_len;
	all.bytes = bulla_secret_alloc(all.size);
	if (all.bytes == NULL)
		return BULLA_E_NO_MEMORY;
	for (unsigned i = 0; i < parts->count; i++)
		memcpy(all.bytes + i * part_len, parts->items[i].bytes, part_len);
	*len = part_len - 1;
	if (shamir_combine(all.bytes, parts->count, part_len, key) != BULLA_OK)
		memset(key, 0, *len); /* x = 0: the peer goes on with a wrong key, and finds that it opens nothing */
	return BULLA_OK;
}

/* ---- unsealing -------------------------------------------------------------------------------------------------------- */

/* With seal->state. */
static void drop_parts(struct seal *seal)
{
	parts_drop(&seal->parts);
	seal->nonce[0] = '\0';
}

void seal_reset(struct seal *seal)
{
	pthread_mutex_lock(&seal->state);
	drop_parts(seal);
	pthread_mutex_unlock(&seal->state);
}

/* With seal->state. */
static enum bulla_err add(struct seal *seal, struct bulla_bytes part)
{
	if (parts_have(&seal->parts, part))
		return BULLA_OK;
	if (seal->parts.count == 0) {
		TRY(random_uuid(seal->nonce));
		seal->nonce[UUID_TEXT] = '\0';
	}
	return parts_put(&seal->parts, part);
}

enum bulla_err parts_add(struct seal *seal, struct bulla_call *call, struct bulla_bytes part, bool *complete)
{
	TRY(part_check(call, part));
	pthread_mutex_lock(&seal->state);
	enum bulla_err err = add(seal, part);

	*complete = err == BULLA_OK && seal->parts.count >= seal->record.threshold;
	pthread_mutex_unlock(&seal->state);
	return err;
}

enum bulla_err parts_combine(struct seal *seal, struct bulla_call *call, uint8_t *key, size_t *len)
{
	pthread_mutex_lock(&seal->state);
	enum bulla_err err = parts_join(&seal->parts, seal->record.threshold, call, "invalid key: failed to compute combined key: ",
					key, len);

	drop_parts(seal);
	pthread_mutex_unlock(&seal->state);
	return err;
}

enum bulla_err shamir_unwrap(struct seal *seal, struct bulla_call *call, struct bulla_bytes key, const char *failed,
			     uint8_t *root_key)
{
	enum bulla_err err = BULLA_E_AUTH_FAILED;

	if (key.len != 16 && key.len != 24 && key.len != 32) /* AES's, to the peer; ours are all 32 */
		return bulla_fail(call, BULLA_E_BAD_SHARE, "%sinvalid key: failed to setup unseal key: crypto/aes: invalid key size %zu",
				  failed, key.len);
	if (key.len == SEAL_KEY_BYTES)
		err = seal_unwrap_key(&seal->record, store_identity(seal->store)->cluster_id, SEAL_WRAP_ROOT, key.ptr, root_key);
	if (err == BULLA_E_AUTH_FAILED)
		return bulla_fail(call, BULLA_E_BAD_SHARE, "%sunable to retrieve stored keys: invalid key: failed to decrypt keys from "
				  "storage: cipher: message authentication failed", failed);
	return err;
}

enum bulla_err shamir_open(struct seal *seal, struct bulla_call *call, struct bulla_bytes key)
{
	uint8_t *root_key BULLA_CLEANUP(seal_key_drop) = bulla_secret_alloc(SEAL_KEY_BYTES);

	if (root_key == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(shamir_unwrap(seal, call, key, "", root_key));
	TRY(seal_open_barrier(seal, call, root_key));
	root_key = NULL; /* the seal's */
	return BULLA_OK;
}
