/* record.c: owns the bytes of head and version records (docs/FORMATS.md, "Named keys") and where they are stored.
 * Stateless: any thread. */
#include "keyring/internal.h"

#include "bulla/encode.h"

#define FORMAT 1
#define HEAD_FIXED 99  /* all but the name */
#define VERSION_FIXED 24 /* all but the two keys and the certificates */
#define PUBLIC_ONLY 1

void secret_bytes_clear(struct secret_bytes *bytes)
{
	bulla_secret_free(bytes->ptr, bytes->size);
	*bytes = (struct secret_bytes){ 0 };
}

/* ---- writing ------------------------------------------------------------------ */

static enum bulla_err begin(struct secret_bytes *out, size_t size)
{
	*out = (struct secret_bytes){ .ptr = bulla_secret_alloc(size), .size = size };
	return out->ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

static void put(struct secret_bytes *out, const void *p, size_t n)
{
	memcpy(out->ptr + out->len, p, n);
	out->len += n;
}

/* The n low bytes of v, big-endian. */
static void put_number(struct secret_bytes *out, uint64_t v, size_t n)
{
	uint8_t bytes[8];

	bulla_put_u64(bytes, v);
	put(out, bytes + 8 - n, n);
}

static void put_mark(struct secret_bytes *out, const struct bulla_key_mark *mark)
{
	put_number(out, (uint64_t)mark->at_date_ns, 8);
	put_number(out, mark->version, 4);
}

enum bulla_err record_encode_head(const struct key *key, struct secret_bytes *out)
{
	const struct key_head *head = &key->head;

	TRY(begin(out, HEAD_FIXED + key->name_len));
	put_number(out, FORMAT, 1);
	put_number(out, head->alg->id, 2);
	put_number(out, head->flags, 2);
	put_number(out, head->latest, 4);
	put_number(out, head->min_decryption, 4);
	put_number(out, head->min_encryption, 4);
	put_number(out, head->min_available, 4);
	put_number(out, (uint32_t)head->convergent_version, 4);
	put_number(out, (uint64_t)head->auto_rotate_s, 8);
	put_number(out, (uint64_t)head->due_s, 8);
	put_mark(out, &head->backup);
	put_mark(out, &head->restore);
	put(out, key->data_key, DATA_KEY_BYTES);
	put_number(out, key->name_len, 2);
	put(out, key->name, key->name_len);
	return BULLA_OK;
}

enum bulla_err record_encode_version(const struct version *version, struct secret_bytes *out)
{
	TRY(begin(out, VERSION_FIXED + KEY_HMAC_BYTES + version->pub.key_len + version->pub.chain.len));
	put_number(out, FORMAT, 1);
	put_number(out, version->pub.version, 4);
	put_number(out, (uint64_t)version->pub.created_date_ns, 8);
	put_number(out, version->pub.convergent_version, 2);
	put_number(out, version->pub.public_only ? PUBLIC_ONLY : 0, 1);
	put_number(out, version->pub.key_len, 2);
	put(out, version->pub.key, version->pub.key_len);
	put_number(out, KEY_HMAC_BYTES, 2);
	put(out, version->cell, KEY_HMAC_BYTES); /* also where pub has another */
	put_number(out, version->pub.chain.len, 4);
	if (version->pub.chain.len > 0)
		put(out, version->pub.chain.ptr, version->pub.chain.len);
	return BULLA_OK;
}

/* ---- reading ------------------------------------------------------------------- */

/* What is left of a record. Reading past the end gives zeros and marks it bad: one check at the end serves all. */
struct reader {
	struct bulla_bytes rest;
	bool bad;
};

static struct bulla_bytes take(struct reader *reader, size_t n)
{
	struct bulla_bytes part = { reader->rest.ptr, n };

	if (reader->bad || reader->rest.len < n) {
		reader->bad = true;
		return (struct bulla_bytes){ 0 };
	}
	reader->rest.ptr += n;
	reader->rest.len -= n;
	return part;
}

static uint64_t take_number(struct reader *reader, size_t n)
{
	struct bulla_bytes part = take(reader, n);
	uint64_t v = 0;

	for (size_t i = 0; i < part.len; i++)
		v = v << 8 | part.ptr[i];
	return v;
}

static struct bulla_key_mark take_mark(struct reader *reader)
{
	struct bulla_key_mark mark = { .at_date_ns = (int64_t)take_number(reader, 8) };

	mark.version = (uint32_t)take_number(reader, 4);
	return mark;
}

static bool all_read(const struct reader *reader)
{
	return !reader->bad && reader->rest.len == 0;
}

/* What no writer of ours would have written is damage. */
bool record_head_makes_sense(const struct key_head *head)
{
	bool convergent = head->flags & KEY_CONVERGENT;

	return head->alg != NULL && (head->flags & ~(unsigned)KEY_ALL_FLAGS) == 0 && head->latest >= 1 &&
	       head->latest <= KEY_LAST_VERSION &&
	       head->min_decryption >= 1 && head->min_decryption <= head->latest && head->min_encryption <= head->latest &&
	       head->min_available <= head->min_decryption &&
	       (head->min_encryption == 0 || head->min_encryption >= head->min_decryption) &&
	       (!(head->flags & KEY_COUNTER_KDF) || (head->flags & (KEY_DERIVED | KEY_CONVERGENT)) == KEY_DERIVED) &&
	       (!convergent || head->flags & KEY_DERIVED) && convergent == (head->convergent_version != 0) &&
	       (head->auto_rotate_s == 0 || head->auto_rotate_s >= 3600) &&
	       head->due_s >= 0 && (head->due_s == 0 || head->auto_rotate_s != 0);
}

enum bulla_err record_decode_head(struct bulla_bytes record, struct key_head *head, struct bulla_bytes *name,
				  const uint8_t **data_key)
{
	struct reader reader = { .rest = record };
	uint64_t format = take_number(&reader, 1);
	struct key_head found = { .alg = alg_by_id((uint16_t)take_number(&reader, 2)) };

	found.flags = (unsigned)take_number(&reader, 2);
	found.latest = (uint32_t)take_number(&reader, 4);
	found.min_decryption = (uint32_t)take_number(&reader, 4);
	found.min_encryption = (uint32_t)take_number(&reader, 4);
	found.min_available = (uint32_t)take_number(&reader, 4);
	found.convergent_version = (int32_t)take_number(&reader, 4);
	found.auto_rotate_s = (int64_t)take_number(&reader, 8);
	found.due_s = (int64_t)take_number(&reader, 8);
	found.backup = take_mark(&reader);
	found.restore = take_mark(&reader);
	struct bulla_bytes secret = take(&reader, DATA_KEY_BYTES);
	struct bulla_bytes text = take(&reader, take_number(&reader, 2));

	if (!all_read(&reader) || format != FORMAT || !record_head_makes_sense(&found) || text.len == 0 ||
	    text.len > BULLA_KEY_NAME_MAX)
		return BULLA_E_STORE_DAMAGED;
	*head = found;
	*name = text;
	*data_key = secret.ptr;
	return BULLA_OK;
}

static bool version_makes_sense(const struct key_head *head, uint64_t number, uint64_t convergent, struct bulla_bytes key,
				struct bulla_bytes hmac_key)
{
	bool wants_convergent = head->flags & KEY_CONVERGENT;

	return number >= 1 && number <= head->latest && wants_convergent == (convergent != 0) && hmac_key.len == KEY_HMAC_BYTES &&
	       alg_fits(head->alg, key.len);
}

enum bulla_err record_decode_version(struct bulla_bytes record, const struct key_head *head, struct version **out)
{
	struct reader reader = { .rest = record };
	uint64_t format = take_number(&reader, 1);
	uint64_t number = take_number(&reader, 4);
	int64_t created_date_ns = (int64_t)take_number(&reader, 8);
	uint64_t convergent = take_number(&reader, 2);
	uint64_t flags = take_number(&reader, 1);
	struct bulla_bytes key = take(&reader, take_number(&reader, 2));
	struct bulla_bytes hmac_key = take(&reader, take_number(&reader, 2));
	struct bulla_bytes chain = take(&reader, take_number(&reader, 4));

	if (!all_read(&reader) || format != FORMAT || flags > PUBLIC_ONLY || chain.len > KEY_CHAIN_MAX ||
	    !version_makes_sense(head, number, convergent, key, hmac_key))
		return BULLA_E_STORE_DAMAGED;
	struct version *version = version_new((uint32_t)number, created_date_ns, (uint32_t)convergent, key.len);

	if (version == NULL)
		return BULLA_E_NO_MEMORY;
	memcpy(version->cell, hmac_key.ptr, hmac_key.len);
	memcpy(version->cell + KEY_HMAC_BYTES, key.ptr, key.len);
	version->pub.public_only = flags & PUBLIC_ONLY;
	enum bulla_err err = version_set_chain(version, chain);

	if (err != BULLA_OK) {
		version_put(version);
		return err;
	}
	*out = version;
	return BULLA_OK;
}

/* ---- slots ------------------------------------------------------------------------ */

enum bulla_err record_head_slot(struct seal *seal, const uint8_t *mount, struct bulla_bytes name, struct store_id *out)
{
	struct barrier_name slot = { .kind = "key", .scope = bulla_mem(mount, MOUNT_UUID), .item = name };

	return barrier_slot(seal, &slot, out);
}

static enum bulla_err numbered_slot(struct seal *seal, const char *kind, const uint8_t *mount, struct bulla_bytes name,
				    uint32_t version, struct store_id *out)
{
	uint8_t number[4];

	bulla_put_u32(number, version);
	struct barrier_name slot = { .kind = kind, .scope = bulla_mem(mount, MOUNT_UUID), .scope2 = name,
				     .item = bulla_mem(number, sizeof number) };

	return barrier_slot(seal, &slot, out);
}

enum bulla_err record_version_slot(struct seal *seal, const uint8_t *mount, struct bulla_bytes name, uint32_t version,
				   struct store_id *out)
{
	return numbered_slot(seal, "version", mount, name, version, out);
}

enum bulla_err record_count_slot(struct seal *seal, const uint8_t *mount, struct bulla_bytes name, uint32_t version,
				 struct store_id *out)
{
	return numbered_slot(seal, "count", mount, name, version, out);
}
