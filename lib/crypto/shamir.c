/* shamir.c: secret sharing over GF(2^8) with AES's polynomial, byte by byte, in the peer's share format. Any thread.
 * Constant time in secrets and shares: no tables, no branches on them. The x of a share is public. */
#include "bulla/memory.h"
#include "crypto/crypto.h"

static uint8_t gf_mul(uint8_t a, uint8_t b)
{
	uint8_t product = 0;

	for (int i = 0; i < 8; i++) {
		product ^= (uint8_t)(-(b & 1) & a);
		a = (uint8_t)((a << 1) ^ (-(a >> 7) & 0x1b));
		b >>= 1;
	}
	return product;
}

/* a^254, which is 1/a; 0 for 0. */
static uint8_t gf_inverse(uint8_t a)
{
	uint8_t power = a, result = 1;

	for (int i = 1; i < 8; i++) { /* 254 = 2 + 4 + ... + 128 */
		power = gf_mul(power, power);
		result = gf_mul(result, power);
	}
	return result;
}

struct polynomial {
	uint8_t at[255]; /* at[0] is the secret's byte */
};

static void wipe_polynomial(struct polynomial *p)
{
	bulla_wipe(p, sizeof *p);
}

static uint8_t evaluate(const struct polynomial *p, unsigned terms, uint8_t x)
{
	uint8_t y = 0;

	while (terms-- > 0)
		y = gf_mul(y, x) ^ p->at[terms];
	return y;
}

enum bulla_err shamir_split(struct bulla_bytes secret, unsigned shares, unsigned threshold, uint8_t *shares_out)
{
	struct polynomial p BULLA_CLEANUP(wipe_polynomial);
	size_t share_len = secret.len + 1;

	if (secret.len == 0 || threshold < 2 || threshold > shares || shares > 255)
		return BULLA_E_BAD_FIELD;
	for (size_t i = 0; i < secret.len; i++) {
		enum bulla_err err = random_bytes(p.at + 1, threshold - 1);

		if (err != BULLA_OK) {
			bulla_wipe(shares_out, shares * share_len);
			return err;
		}
		p.at[0] = secret.ptr[i];
		for (unsigned s = 0; s < shares; s++)
			shares_out[s * share_len + i] = evaluate(&p, threshold, (uint8_t)(s + 1));
	}
	for (unsigned s = 0; s < shares; s++)
		shares_out[s * share_len + secret.len] = (uint8_t)(s + 1);
	return BULLA_OK;
}

static enum bulla_err check_shares(const uint8_t *shares, unsigned count, size_t share_len)
{
	bool seen[256] = { [0] = true };

	if (count < 2 || count > 255 || share_len < 2)
		return BULLA_E_BAD_SHARE;
	for (unsigned s = 0; s < count; s++) {
		uint8_t x = shares[s * share_len + share_len - 1];

		if (seen[x])
			return BULLA_E_BAD_SHARE;
		seen[x] = true;
	}
	return BULLA_OK;
}

/* What the share's y counts for at x = 0: the product over the others of x_j / (x_j - x_s). */
static uint8_t weight(const uint8_t *shares, unsigned count, size_t share_len, unsigned s)
{
	uint8_t x = shares[s * share_len + share_len - 1], above = 1, below = 1;

	for (unsigned j = 0; j < count; j++) {
		uint8_t other = shares[j * share_len + share_len - 1];

		if (j == s)
			continue;
		above = gf_mul(above, other);
		below = gf_mul(below, other ^ x);
	}
	return gf_mul(above, gf_inverse(below));
}

enum bulla_err shamir_combine(const uint8_t *shares, unsigned count, size_t share_len, uint8_t *out)
{
	TRY(check_shares(shares, count, share_len));
	memset(out, 0, share_len - 1);
	for (unsigned s = 0; s < count; s++) {
		uint8_t w = weight(shares, count, share_len, s);

		for (size_t i = 0; i < share_len - 1; i++)
			out[i] ^= gf_mul(w, shares[s * share_len + i]);
	}
	return BULLA_OK;
}
