/* Head and version records: the bytes as docs/FORMATS.md has them, and every way of being wrong is damage. */
#include "unit.h"

#include "bulla/encode.h"
#include "keyring/internal.h"

static const uint8_t uuid[MOUNT_UUID] = { 1, 2, 3 };

static struct key *key_of(const struct key_head *head)
{
	struct key_id id = { .mount = uuid, .name = bulla_str("cards") };
	struct key *key = key_new(&id, head);

	ck_assert_ptr_nonnull(key);
	for (int i = 0; i < DATA_KEY_BYTES; i++)
		key->data_key[i] = (uint8_t)i;
	return key;
}

static struct key_head good_head(void)
{
	return (struct key_head){ .alg = alg_by_name(bulla_str("aes256-gcm96")), .flags = KEY_DERIVED | KEY_CONVERGENT,
				  .latest = 5, .min_decryption = 2, .min_encryption = 3, .min_available = 1,
				  .convergent_version = -1, .auto_rotate_s = 7200, .due_s = 0x10,
				  .backup = { 9, 4 }, .restore = { 8, 3 } };
}

static struct secret_bytes encode(const struct key_head *head)
{
	struct key *key = key_of(head);
	struct secret_bytes bytes;

	ck_assert_ok(record_encode_head(key, &bytes));
	key_put(key);
	return bytes;
}

static enum bulla_err decode(const uint8_t *p, size_t n)
{
	struct key_head head = { .latest = 99 };
	struct bulla_bytes name;
	const uint8_t *data_key;
	enum bulla_err err = record_decode_head(bulla_mem(p, n), &head, &name, &data_key);

	if (err != BULLA_OK)
		ck_assert_uint_eq(head.latest, 99);
	return err;
}

START_TEST(head_layout)
{
	struct key_head head = good_head();
	struct secret_bytes bytes = encode(&head);
	static const char expected[] = "01" "0002" "0003" "00000005" "00000002" "00000003" "00000001" "ffffffff"
				       "0000000000001c20" "0000000000000010" "0000000000000009" "00000004" "0000000000000008" "00000003"
				       "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" "0005" "6361726473";
	char hex[512];

	bulla_hex_encode(bulla_mem(bytes.ptr, bytes.len), hex);
	ck_assert_uint_eq(bytes.len * 2, strlen(expected));
	ck_assert_uint_eq(head.alg->id, 2);
	ck_assert_int_eq(memcmp(hex, expected, strlen(expected)), 0);
	secret_bytes_clear(&bytes);
}
END_TEST

START_TEST(head_cut_or_longer)
{
	struct key_head head = good_head();
	struct secret_bytes bytes = encode(&head);
	uint8_t longer[128] = { 0 };

	for (size_t n = 0; n < bytes.len; n++)
		ck_assert_err(decode(bytes.ptr, n), BULLA_E_STORE_DAMAGED);
	memcpy(longer, bytes.ptr, bytes.len);
	ck_assert_err(decode(longer, bytes.len + 1), BULLA_E_STORE_DAMAGED);
	ck_assert_ok(decode(bytes.ptr, bytes.len));
	secret_bytes_clear(&bytes);
}
END_TEST

static void spoil_format(struct secret_bytes *b) { b->ptr[0] = 2; }
static void spoil_alg(struct secret_bytes *b) { b->ptr[1] = 0x7f; }
static void spoil_flags(struct secret_bytes *b) { b->ptr[3] |= 1; }
static void spoil_name_none(struct secret_bytes *b) { b->ptr[98] = 0, b->len -= 5; }
static void spoil_name_short(struct secret_bytes *b) { b->ptr[98] = 4; }
static void spoil_name_long(struct secret_bytes *b) { b->ptr[98] = 6; }
static void (*const spoilers[])(struct secret_bytes *) = { spoil_format, spoil_alg, spoil_flags, spoil_name_none,
							   spoil_name_short, spoil_name_long };

START_TEST(head_spoiled)
{
	struct key_head head = good_head();
	struct secret_bytes bytes = encode(&head);

	spoilers[_i](&bytes);
	ck_assert_err(decode(bytes.ptr, bytes.len), BULLA_E_STORE_DAMAGED);
	secret_bytes_clear(&bytes);
}
END_TEST

/* Heads that no writer of ours makes. */
static struct key_head nonsense(int i)
{
	struct key_head head = good_head();

	switch (i) {
	case 0: head.latest = 0; break;
	case 1: head.latest = UINT32_MAX; break;
	case 2: head.min_decryption = 0; break;
	case 3: head.min_decryption = 6, head.min_encryption = 0; break;
	case 4: head.min_encryption = 6; break;
	case 5: head.min_encryption = 1; break;
	case 6: head.min_available = 3; break;
	case 7: head.flags = KEY_CONVERGENT; break;
	case 8: head.convergent_version = 0; break;
	case 9: head.flags = KEY_DERIVED; break;
	case 10: head.auto_rotate_s = 3599; break;
	case 11: head.due_s = -1; break;
	case 12: head.auto_rotate_s = 0; break; /* but due */
	default: head.auto_rotate_s = -1; break;
	}
	return head;
}

START_TEST(head_nonsense)
{
	struct key_head head = nonsense(_i);
	struct secret_bytes bytes = encode(&head);

	ck_assert_err(decode(bytes.ptr, bytes.len), BULLA_E_STORE_DAMAGED);
	secret_bytes_clear(&bytes);
}
END_TEST

START_TEST(head_round_trip)
{
	struct key_head head = good_head(), back;
	struct secret_bytes bytes = encode(&head);
	struct bulla_bytes name;
	const uint8_t *data_key;

	ck_assert_ok(record_decode_head(bulla_mem(bytes.ptr, bytes.len), &back, &name, &data_key));
	ck_assert_ptr_eq(back.alg, head.alg);
	ck_assert_uint_eq(back.flags, head.flags);
	ck_assert_uint_eq(back.latest, 5);
	ck_assert_uint_eq(back.min_decryption, 2);
	ck_assert_uint_eq(back.min_encryption, 3);
	ck_assert_uint_eq(back.min_available, 1);
	ck_assert_int_eq(back.convergent_version, -1);
	ck_assert_int_eq(back.auto_rotate_s, 7200);
	ck_assert_int_eq(back.due_s, 0x10);
	ck_assert_bytes(name, "cards");
	ck_assert_uint_eq(data_key[31], 31);
	secret_bytes_clear(&bytes);
}
END_TEST

/* Whatever byte is changed: either it is damage, or another record that would be written just so. */
START_TEST(head_every_byte)
{
	struct key_head head = good_head(), back;
	struct secret_bytes bytes = encode(&head), again;
	struct bulla_bytes name;
	const uint8_t *data_key;
	size_t taken = 0;

	for (size_t i = 0; i < bytes.len; i++)
		for (int change = 1; change < 256; change++) {
			bytes.ptr[i] ^= (uint8_t)change;
			if (record_decode_head(bulla_mem(bytes.ptr, bytes.len), &back, &name, &data_key) == BULLA_OK) {
				struct key_id id = { .mount = uuid, .name = name };
				struct key *key = key_new(&id, &back);

				memcpy(key->data_key, data_key, DATA_KEY_BYTES);
				ck_assert_ok(record_encode_head(key, &again));
				ck_assert_uint_eq(again.len, bytes.len);
				ck_assert_int_eq(memcmp(again.ptr, bytes.ptr, bytes.len), 0);
				secret_bytes_clear(&again);
				key_put(key);
				taken++;
			}
			bytes.ptr[i] ^= (uint8_t)change;
		}
	ck_assert_uint_gt(taken, 255 * (DATA_KEY_BYTES + 5)); /* at least each of the data key and the name */
	secret_bytes_clear(&bytes);
}
END_TEST

/* ---- versions ------------------------------------------------------------------- */

static struct secret_bytes encode_version(uint32_t number, uint32_t convergent, size_t key_len)
{
	struct version *version = version_new(number, 0x0102030405060708, convergent, key_len);
	struct secret_bytes bytes;

	memset(version->cell, 0xaa, KEY_HMAC_BYTES);
	memset(version->cell + KEY_HMAC_BYTES, 0xbb, key_len);
	version->pub.public_only = true;
	ck_assert_ok(version_set_chain(version, bulla_str("certs")));
	ck_assert_ok(record_encode_version(version, &bytes));
	version_put(version);
	return bytes;
}

START_TEST(version_layout)
{
	struct secret_bytes bytes = encode_version(4, 3, 32);
	char hex[256];

	bulla_hex_encode(bulla_mem(bytes.ptr, bytes.len), hex);
	ck_assert_uint_eq(bytes.len, 24 + 64 + 5);
	ck_assert_int_eq(memcmp(hex, "01" "00000004" "0102030405060708" "0003" "01" "0020" "bbbb", 40), 0);
	ck_assert_int_eq(memcmp(hex + 2 * 50, "0020" "aaaa", 8), 0);
	ck_assert_int_eq(memcmp(hex + 2 * 84, "00000005" "6365727473", 18), 0);
	secret_bytes_clear(&bytes);
}
END_TEST

static enum bulla_err decode_version(const uint8_t *p, size_t n)
{
	struct key_head head = good_head();
	struct version *version = NULL;
	enum bulla_err err = record_decode_version(bulla_mem(p, n), &head, &version);

	ck_assert((err == BULLA_OK) == (version != NULL));
	version_put(version);
	return err;
}

START_TEST(version_cut_or_longer)
{
	struct secret_bytes bytes = encode_version(4, 3, 32);
	uint8_t longer[128] = { 0 };

	for (size_t n = 0; n < bytes.len; n++)
		ck_assert_err(decode_version(bytes.ptr, n), BULLA_E_STORE_DAMAGED);
	memcpy(longer, bytes.ptr, bytes.len);
	ck_assert_err(decode_version(longer, bytes.len + 1), BULLA_E_STORE_DAMAGED);
	longer[0] = 0;
	ck_assert_err(decode_version(longer, bytes.len), BULLA_E_STORE_DAMAGED);
	ck_assert_ok(decode_version(bytes.ptr, bytes.len));
	bytes.ptr[15] = 2; /* flags */
	ck_assert_err(decode_version(bytes.ptr, bytes.len), BULLA_E_STORE_DAMAGED);
	secret_bytes_clear(&bytes);
}
END_TEST

static const struct {
	uint32_t number, convergent;
	size_t key_len;
} wrong_versions[] = { { 0, 3, 32 }, { 6, 3, 32 }, { 4, 0, 32 }, { 4, 3, 16 }, { 4, 3, 33 } };

START_TEST(version_nonsense)
{
	struct secret_bytes bytes =
		encode_version(wrong_versions[_i].number, wrong_versions[_i].convergent, wrong_versions[_i].key_len);

	ck_assert_err(decode_version(bytes.ptr, bytes.len), BULLA_E_STORE_DAMAGED);
	secret_bytes_clear(&bytes);
}
END_TEST

START_TEST(version_round_trip)
{
	struct secret_bytes bytes = encode_version(4, 3, 32);
	struct key_head head = good_head();
	struct version *version;

	ck_assert_ok(record_decode_version(bulla_mem(bytes.ptr, bytes.len), &head, &version));
	ck_assert_uint_eq(version->pub.version, 4);
	ck_assert_uint_eq(version->pub.convergent_version, 3);
	ck_assert_int_eq(version->pub.created_date_ns, 0x0102030405060708);
	ck_assert_uint_eq(version->pub.key_len, 32);
	ck_assert_uint_eq(version->pub.key[31], 0xbb);
	ck_assert_uint_eq(version->pub.hmac_key[31], 0xaa);
	ck_assert(version->pub.public_only);
	ck_assert_bytes(version->pub.chain, "certs");
	version_put(version);
	secret_bytes_clear(&bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyring/record");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, head_layout);
	tcase_add_test(tc, head_cut_or_longer);
	tcase_add_loop_test(tc, head_spoiled, 0, sizeof spoilers / sizeof spoilers[0]);
	tcase_add_loop_test(tc, head_nonsense, 0, 14);
	tcase_add_test(tc, head_round_trip);
	tcase_add_test(tc, head_every_byte);
	tcase_add_test(tc, version_layout);
	tcase_add_test(tc, version_cut_or_longer);
	tcase_add_loop_test(tc, version_nonsense, 0, sizeof wrong_versions / sizeof wrong_versions[0]);
	tcase_add_test(tc, version_round_trip);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
