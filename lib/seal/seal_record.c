/* seal_record.c: owns the seal record, the only one that is stored in clear, and the wrapping of keys in it
 * (docs/FORMATS.md). Stateless. */
#include "seal/seal_internal.h"

#define FORMAT 1
#define HEAD_BYTES 6
#define KIND_SHAMIR 1
#define KIND_STATIC 2
#define HAS_RECOVERY 1
#define LABEL_BYTES 16

const struct store_id seal_record_id = { { [31] = 1 } }, seal_keyring_id = { { [31] = 2 } };

static size_t put_head(const struct seal_record *r, uint8_t *out)
{
	out[0] = FORMAT;
	out[1] = r->kind == BULLA_SEAL_STATIC ? KIND_STATIC : KIND_SHAMIR;
	out[2] = r->has_recovery ? HAS_RECOVERY : 0;
	out[3] = r->shares;
	out[4] = r->threshold;
	out[5] = r->key_id_len;
	memcpy(out + HEAD_BYTES, r->key_id, r->key_id_len);
	return HEAD_BYTES + (size_t)r->key_id_len;
}

size_t seal_record_encode(const struct seal_record *r, uint8_t out[SEAL_RECORD_MAX])
{
	size_t n = put_head(r, out);

	memcpy(out + n, r->root, sizeof r->root);
	n += sizeof r->root;
	if (!r->has_recovery)
		return n;
	memcpy(out + n, r->recovery, sizeof r->recovery);
	return n + sizeof r->recovery;
}

enum bulla_err seal_record_decode(struct bulla_call *call, struct bulla_bytes bytes, struct seal_record *out)
{
	static const char text[] = "the seal record is damaged";
	struct seal_record r = { 0 };
	const uint8_t *p = bytes.ptr;

	if (bytes.len < HEAD_BYTES || p[0] != FORMAT || (p[1] != KIND_SHAMIR && p[1] != KIND_STATIC) || p[2] > HAS_RECOVERY)
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "%s", text);
	r.kind = p[1] == KIND_STATIC ? BULLA_SEAL_STATIC : BULLA_SEAL_SHAMIR;
	r.has_recovery = p[2] == HAS_RECOVERY;
	r.shares = p[3];
	r.threshold = p[4];
	r.key_id_len = p[5];
	size_t expected = HEAD_BYTES + (size_t)r.key_id_len + sizeof r.root + (r.has_recovery ? sizeof r.recovery : 0);

	if (bytes.len != expected || (r.kind == BULLA_SEAL_SHAMIR && (r.threshold == 0 || r.threshold > r.shares)))
		return bulla_fail(call, BULLA_E_STORE_DAMAGED, "%s", text);
	p += HEAD_BYTES;
	memcpy(r.key_id, p, r.key_id_len);
	p += r.key_id_len;
	memcpy(r.root, p, sizeof r.root);
	if (r.has_recovery)
		memcpy(r.recovery, p + sizeof r.root, sizeof r.recovery);
	*out = r;
	return BULLA_OK;
}

#define AAD_MAX (LABEL_BYTES + 16 + HEAD_BYTES + 255)

/* What stands in clear beside the wrapped key, and which cluster's it is: none of it can be changed unnoticed. */
static struct bulla_bytes associated(const struct seal_record *r, const uint8_t cluster_id[16], enum seal_wrap what,
				     uint8_t aad[AAD_MAX])
{
	static const char labels[][LABEL_BYTES + 1] = { "bulla root key  ", "bulla recovery  " };

	memcpy(aad, labels[what], LABEL_BYTES);
	memcpy(aad + LABEL_BYTES, cluster_id, 16);
	return bulla_mem(aad, LABEL_BYTES + 16 + put_head(r, aad + LABEL_BYTES + 16));
}

enum bulla_err seal_wrap_key(const struct seal_record *record, const uint8_t cluster_id[16], enum seal_wrap what,
			     const uint8_t *wrapping, const uint8_t *key, uint8_t out[SEAL_WRAPPED_BYTES])
{
	uint8_t aad[AAD_MAX];

	TRY(random_bytes(out, SEAL_NONCE_BYTES));
	return alg_aes256_gcm96.seal(&alg_aes256_gcm96, wrapping, out, associated(record, cluster_id, what, aad),
				     bulla_mem(key, SEAL_KEY_BYTES), out + SEAL_NONCE_BYTES);
}

enum bulla_err seal_unwrap_key(const struct seal_record *record, const uint8_t cluster_id[16], enum seal_wrap what,
			       const uint8_t *wrapping, uint8_t *key)
{
	const uint8_t *in = what == SEAL_WRAP_ROOT ? record->root : record->recovery;
	uint8_t aad[AAD_MAX];

	return alg_aes256_gcm96.open(&alg_aes256_gcm96, wrapping, in, associated(record, cluster_id, what, aad),
				     bulla_mem(in + SEAL_NONCE_BYTES, SEAL_KEY_BYTES + SEAL_TAG_BYTES), key);
}
