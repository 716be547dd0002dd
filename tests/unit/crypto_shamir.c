/* Secret sharing: every subset of small sharings, wrong and bad shares, and shares that OpenBao gave out. */
#include "unit.h"
#include "vectors.h"

#define LEN 32
#define SHARE (LEN + 1)

static const struct {
	unsigned shares, threshold;
	size_t len;
} out_of_range[] = {
	{ 0, 0, LEN }, { 1, 1, LEN }, { 5, 0, LEN }, { 5, 1, LEN }, { 5, 6, LEN }, { 256, 2, LEN }, { 256, 256, LEN },
	{ 5, 3, 0 }, { UINT32_MAX, 2, LEN },
};

START_TEST(split_refuses)
{
	uint8_t secret[LEN] = { 1 }, out[1] = { 0xA5 };

	ck_assert_err(shamir_split(bulla_mem(secret, out_of_range[_i].len), out_of_range[_i].shares,
				   out_of_range[_i].threshold, out), BULLA_E_BAD_FIELD);
	ck_assert_uint_eq(out[0], 0xA5);
}
END_TEST

START_TEST(combine_refuses)
{
	uint8_t secret[LEN] = { 1 }, shares[3 * SHARE], out[LEN] = { 0xA5 };

	ck_assert_ok(shamir_split(bulla_mem(secret, LEN), 3, 2, shares));
	ck_assert_err(shamir_combine(shares, 0, SHARE, out), BULLA_E_BAD_SHARE);
	ck_assert_err(shamir_combine(shares, 1, SHARE, out), BULLA_E_BAD_SHARE);
	ck_assert_err(shamir_combine(shares, 256, SHARE, out), BULLA_E_BAD_SHARE);
	ck_assert_err(shamir_combine(shares, 2, 0, out), BULLA_E_BAD_SHARE);
	ck_assert_err(shamir_combine(shares, 2, 1, out), BULLA_E_BAD_SHARE);
	shares[2 * SHARE + LEN] = shares[LEN]; /* the same x twice, not side by side */
	ck_assert_err(shamir_combine(shares, 3, SHARE, out), BULLA_E_BAD_SHARE);
	shares[2 * SHARE + LEN] = 0;
	ck_assert_err(shamir_combine(shares, 3, SHARE, out), BULLA_E_BAD_SHARE);
	ck_assert_uint_eq(out[0], 0xA5);
}
END_TEST

/* Combines the shares whose bits are in set, the highest first. */
static enum bulla_err combine_set(const uint8_t *shares, unsigned set, size_t share_len, uint8_t *out)
{
	uint8_t some[8 * SHARE];
	unsigned count = 0;

	for (int s = 7; s >= 0; s--)
		if (set >> s & 1)
			memcpy(some + count++ * share_len, shares + (size_t)s * share_len, share_len);
	return shamir_combine(some, count, share_len, out);
}

static void check_subsets(unsigned n, unsigned k)
{
	uint8_t secret[LEN], shares[8 * SHARE], out[LEN];

	ck_assert_ok(random_bytes(secret, LEN));
	ck_assert_ok(shamir_split(bulla_mem(secret, LEN), n, k, shares));
	for (unsigned set = 0; set < 1u << n; set++) {
		unsigned count = (unsigned)__builtin_popcount(set);

		if (count < 2)
			continue;
		ck_assert_ok(combine_set(shares, set, SHARE, out));
		ck_assert_msg((memcmp(out, secret, LEN) == 0) == (count >= k), "%u of %u, set %x", k, n, set);
	}
}

START_TEST(every_subset)
{
	for (unsigned n = 2; n <= 7; n++)
		for (unsigned k = 2; k <= n; k++)
			check_subsets(n, k);
}
END_TEST

START_TEST(largest)
{
	uint8_t secret[1] = { 0x42 }, shares[255 * 2], out[1];

	ck_assert_ok(shamir_split(bulla_mem(secret, 1), 255, 255, shares));
	ck_assert_ok(shamir_combine(shares, 255, 2, out));
	ck_assert_uint_eq(out[0], 0x42);
	for (unsigned s = 0; s < 255; s++)
		ck_assert_uint_ne(shares[s * 2 + 1], 0);
}
END_TEST

START_TEST(a_wrong_share)
{
	uint8_t secret[LEN] = { 0 }, shares[5 * SHARE], out[LEN];

	ck_assert_ok(shamir_split(bulla_mem(secret, LEN), 5, 3, shares));
	for (size_t bit = 0; bit < 8; bit++) {
		shares[SHARE] ^= (uint8_t)(1 << bit);
		ck_assert_ok(combine_set(shares, 7, SHARE, out));
		ck_assert_uint_ne(out[0], 0); /* the byte that was touched is wrong, and no other */
		ck_assert_mem_eq(out + 1, secret + 1, LEN - 1);
		shares[SHARE] ^= (uint8_t)(1 << bit);
	}
}
END_TEST

/* One share short of the threshold tells nothing: over many sharings of one byte each value turns up about equally often.
 * 25,600 draws over 256 values: chi square has mean 255 and deviation 22.6; 500 is ten deviations off. */
START_TEST(a_share_tells_nothing)
{
	uint8_t secret[1] = { 0x42 }, shares[4];
	unsigned counts[256] = { 0 };
	double chi = 0;

	for (int i = 0; i < 25600; i++) {
		ck_assert_ok(shamir_split(bulla_mem(secret, 1), 2, 2, shares));
		counts[shares[0]]++;
	}
	for (int i = 0; i < 256; i++)
		chi += (counts[i] - 100.0) * (counts[i] - 100.0) / 100.0;
	ck_assert_msg(chi < 500, "chi square %f", chi);
}
END_TEST

START_TEST(peer_shares)
{
	json_t *root = vectors_load("shamir-openbao.json");
	const json_t *list = json_object_get(root, "shares");
	struct bulla_bytes secret = vector_bytes(root, "secret");
	uint8_t shares[5 * SHARE], out[LEN];

	ck_assert_uint_eq(json_array_size(list), 5);
	for (size_t i = 0; i < 5; i++) {
		struct bulla_bytes hex = bulla_str(json_string_value(json_array_get(list, i)));

		ck_assert_uint_eq(hex.len, 2 * SHARE);
		ck_assert_ok(bulla_hex_decode(hex, shares + i * SHARE));
	}
	for (unsigned set = 0; set < 32; set++) {
		if (__builtin_popcount(set) < 2)
			continue;
		ck_assert_ok(combine_set(shares, set, SHARE, out));
		ck_assert(bulla_equal(bulla_mem(out, LEN), secret) == (__builtin_popcount(set) >= 3));
	}
	vector_free(secret);
	json_decref(root);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crypto/shamir");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, split_refuses, 0, sizeof out_of_range / sizeof out_of_range[0]);
	tcase_add_test(tc, combine_refuses);
	tcase_add_test(tc, every_subset);
	tcase_add_test(tc, largest);
	tcase_add_test(tc, a_wrong_share);
	tcase_add_test(tc, a_share_tells_nothing);
	tcase_add_test(tc, peer_shares);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
