/* barrier_keys.c: owns the barrier's keyring: its memory and its record (docs/FORMATS.md). Writers, one at a time. */
#include <stdlib.h>

#include "bulla/clock.h"
#include "bulla/encode.h"
#include "seal/seal_internal.h"

#define FORMAT 2            /* 1 is the same, without an account of the records (seal_digest.h) */
#define HEAD_BYTES (1 + SEAL_KEY_BYTES + 4)
#define TERM_BYTES (4 + 8 + 8 + SEAL_KEY_BYTES)

_Static_assert(HEAD_BYTES + BARRIER_MAX_TERMS * TERM_BYTES <= 65536, "the whole keyring fits one piece of secret memory");

void seal_key_drop(uint8_t **key)
{
	bulla_secret_free(*key, SEAL_KEY_BYTES);
	*key = NULL;
}

enum bulla_err seal_key_new(uint8_t **out)
{
	uint8_t *key BULLA_CLEANUP(seal_key_drop) = bulla_secret_alloc(SEAL_KEY_BYTES);

	if (key == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(random_bytes(key, SEAL_KEY_BYTES));
	*out = key;
	key = NULL;
	return BULLA_OK;
}

/* ---- memory --------------------------------------------------------------------- */

/* Room for count terms, none of them there yet. */
static struct barrier_keys *keys_alloc(uint32_t count)
{
	struct barrier_keys *keys = calloc(1, sizeof *keys + count * sizeof keys->terms[0]);

	if (keys != NULL)
		keys->count = count;
	return keys;
}

static void drop_keys(struct barrier_keys **keys)
{
	barrier_keys_free(*keys);
}

void barrier_keys_free(struct barrier_keys *keys)
{
	if (keys == NULL)
		return;
	for (uint32_t i = 0; i < keys->count; i++) {
		if (keys->terms[i] == NULL)
			continue;
		bulla_secret_free(keys->terms[i]->key, SEAL_KEY_BYTES);
		free(keys->terms[i]);
	}
	bulla_secret_free(keys->id_key, SEAL_KEY_BYTES);
	free(keys);
}

enum bulla_err barrier_term_new(uint32_t number, struct barrier_term **out)
{
	struct barrier_term *term = calloc(1, sizeof *term);

	if (term == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = seal_key_new(&term->key);

	if (err != BULLA_OK) {
		free(term);
		return err;
	}
	term->number = number;
	term->installed_date_ns = bulla_wall_ns();
	term->reserved = BARRIER_BLOCK;
	atomic_store(&term->limit, term->reserved);
	*out = term;
	return BULLA_OK;
}

enum bulla_err barrier_keys_new(struct barrier_keys **out)
{
	struct barrier_keys *keys BULLA_CLEANUP(drop_keys) = keys_alloc(1);

	if (keys == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(seal_key_new(&keys->id_key));
	TRY(barrier_term_new(1, &keys->terms[0]));
	*out = keys;
	keys = NULL;
	return BULLA_OK;
}

/* ---- the record --------------------------------------------------------------------- */

struct plain {
	uint8_t *bytes; /* secret memory */
	size_t len;
};

static void drop_plain(struct plain *plain)
{
	bulla_secret_free(plain->bytes, plain->len);
}

enum bulla_err barrier_keys_seal(const struct barrier_keys *keys, const uint8_t *root_key, struct bulla_call *call,
				 uint64_t revision, struct bulla_bytes *out)
{
	size_t n = HEAD_BYTES + keys->count * TERM_BYTES;
	struct plain plain BULLA_CLEANUP(drop_plain) = { bulla_secret_alloc(n), n };
	uint8_t *p = plain.bytes;

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	p[0] = FORMAT;
	memcpy(p + 1, keys->id_key, SEAL_KEY_BYTES);
	bulla_put_u32(p + 1 + SEAL_KEY_BYTES, keys->count);
	p += HEAD_BYTES;
	for (uint32_t i = 0; i < keys->count; i++, p += TERM_BYTES) {
		bulla_put_u32(p, keys->terms[i]->number);
		bulla_put_u64(p + 4, (uint64_t)keys->terms[i]->installed_date_ns);
		bulla_put_u64(p + 12, keys->terms[i]->reserved);
		memcpy(p + 20, keys->terms[i]->key, SEAL_KEY_BYTES);
	}
	return record_seal(root_key, call, &seal_keyring_id, revision, bulla_mem(plain.bytes, n), out);
}

static enum bulla_err term_read(const uint8_t *p, struct barrier_term **out)
{
	struct barrier_term *term = calloc(1, sizeof *term);

	if (term == NULL)
		return BULLA_E_NO_MEMORY;
	term->key = bulla_secret_alloc(SEAL_KEY_BYTES);
	if (term->key == NULL) {
		free(term);
		return BULLA_E_NO_MEMORY;
	}
	term->number = bulla_get_u32(p);
	term->installed_date_ns = (int64_t)bulla_get_u64(p + 4);
	/* how many of the last block were used is not known: all of them */
	term->reserved = bulla_get_u64(p + 12);
	atomic_store(&term->used, term->reserved);
	atomic_store(&term->limit, term->reserved);
	memcpy(term->key, p + 20, SEAL_KEY_BYTES);
	*out = term;
	return BULLA_OK;
}

/* *out stays NULL when the bytes are not a keyring. */
static enum bulla_err decode(const struct plain *plain, struct barrier_keys **out)
{
	const uint8_t *p = plain->bytes;
	uint32_t count = plain->len >= HEAD_BYTES ? bulla_get_u32(p + 1 + SEAL_KEY_BYTES) : 0;

	if (count == 0 || count > BARRIER_MAX_TERMS || (p[0] != 1 && p[0] != FORMAT) || plain->len != HEAD_BYTES + count * TERM_BYTES)
		return BULLA_OK;
	struct barrier_keys *keys BULLA_CLEANUP(drop_keys) = keys_alloc(count);

	if (keys == NULL || (keys->id_key = bulla_secret_alloc(SEAL_KEY_BYTES)) == NULL)
		return BULLA_E_NO_MEMORY;
	keys->digested = p[0] == FORMAT;
	memcpy(keys->id_key, p + 1, SEAL_KEY_BYTES);
	p += HEAD_BYTES;
	for (uint32_t i = 0; i < count; i++, p += TERM_BYTES) {
		TRY(term_read(p, &keys->terms[i]));
		if (keys->terms[i]->number != i + 1)
			return BULLA_OK;
	}
	*out = keys;
	keys = NULL;
	return BULLA_OK;
}

enum bulla_err barrier_keys_open(const struct store_record *record, const uint8_t *root_key, struct bulla_call *call,
				 struct barrier_keys **out)
{
	size_t n = record->bytes.len > BARRIER_OVERHEAD ? record->bytes.len - BARRIER_OVERHEAD : 1;
	struct plain plain BULLA_CLEANUP(drop_plain) = { n <= 65536 ? bulla_secret_alloc(n) : NULL, n };
	struct barrier_keys *keys = NULL;
	enum bulla_err err = BULLA_E_AUTH_FAILED;
	uint32_t term = 1;

	if (plain.bytes == NULL && n <= 65536)
		return BULLA_E_NO_MEMORY;
	if (plain.bytes != NULL && record_term(record, &term) && term == 0 && record->bytes.len > BARRIER_OVERHEAD)
		err = record_open_into(root_key, record, plain.bytes);
	if (err == BULLA_OK)
		err = decode(&plain, &keys);
	if (err == BULLA_E_AUTH_FAILED || (err == BULLA_OK && keys == NULL))
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "the barrier's keyring is damaged");
	TRY(err);
	*out = keys;
	return BULLA_OK;
}
