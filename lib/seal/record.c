/* record.c: owns the format of a sealed record (docs/FORMATS.md). Stateless: any thread. */
#include "bulla/encode.h"
#include "seal/seal_internal.h"

#define FORMAT 1
#define TERM_AT 1
#define NONCE_AT 5
#define TEXT_AT (NONCE_AT + SEAL_NONCE_BYTES)
#define AAD_BYTES (32 + 1 + 4 + 8)

_Static_assert(TEXT_AT + SEAL_TAG_BYTES == BARRIER_OVERHEAD, "barrier.h says what sealing adds");

/* Where the record belongs: a record that is moved to another slot, or put back at another revision, does not open. */
static struct bulla_bytes associated(const struct store_id *slot, const uint8_t head[NONCE_AT], uint64_t revision,
				     uint8_t aad[AAD_BYTES])
{
	memcpy(aad, slot->bytes, 32);
	memcpy(aad + 32, head, NONCE_AT);
	bulla_put_u64(aad + 32 + NONCE_AT, revision);
	return bulla_mem(aad, AAD_BYTES);
}

enum bulla_err record_seal_into(const uint8_t *key, uint32_t term, const struct store_id *slot, uint64_t revision,
				struct bulla_bytes plaintext, uint8_t *out)
{
	uint8_t aad[AAD_BYTES];

	out[0] = FORMAT;
	bulla_put_u32(out + TERM_AT, term);
	TRY(random_nonce(out + NONCE_AT, SEAL_NONCE_BYTES));
	return alg_aes256_gcm96.seal(&alg_aes256_gcm96, key, out + NONCE_AT, associated(slot, out, revision, aad), plaintext,
				     out + TEXT_AT);
}

bool record_term(const struct store_record *record, uint32_t *term)
{
	if (record->bytes.len < BARRIER_OVERHEAD || record->bytes.ptr[0] != FORMAT)
		return false;
	*term = bulla_get_u32(record->bytes.ptr + TERM_AT);
	return true;
}

enum bulla_err record_open_into(const uint8_t *key, const struct store_record *record, uint8_t *out)
{
	const uint8_t *p = record->bytes.ptr;
	uint8_t aad[AAD_BYTES];

	return alg_aes256_gcm96.open(&alg_aes256_gcm96, key, p + NONCE_AT, associated(&record->id, p, record->revision, aad),
				     bulla_mem(p + TEXT_AT, record->bytes.len - TEXT_AT), out);
}

enum bulla_err record_damaged(struct bulla_call *call, const struct store_record *record)
{
	char id[2 * sizeof record->id.bytes + 1] = "";

	bulla_hex_encode(bulla_mem(record->id.bytes, sizeof record->id.bytes), id);
	return bulla_fail(call, BULLA_E_STORE_DAMAGED, "the stored record %s is damaged", id);
}

enum bulla_err record_seal(const uint8_t *data_key, struct bulla_call *call, const struct store_id *slot, uint64_t revision,
			   struct bulla_bytes plaintext, struct bulla_bytes *out)
{
	uint8_t *p = bulla_arena_alloc(call->arena, plaintext.len + BARRIER_OVERHEAD);

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(record_seal_into(data_key, 0, slot, revision, plaintext, p));
	*out = bulla_mem(p, plaintext.len + BARRIER_OVERHEAD);
	return BULLA_OK;
}

enum bulla_err record_open(const uint8_t *data_key, struct bulla_call *call, const struct store_record *record,
			   struct bulla_bytes *plaintext)
{
	uint32_t term = 0;

	if (!record_term(record, &term) || term != 0)
		return record_damaged(call, record);
	size_t n = record->bytes.len - BARRIER_OVERHEAD;
	uint8_t *p = bulla_arena_alloc(call->arena, n);

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	enum bulla_err err = record_open_into(data_key, record, p);

	if (err == BULLA_E_AUTH_FAILED)
		return record_damaged(call, record);
	TRY(err);
	*plaintext = bulla_mem(p, n);
	return BULLA_OK;
}
