/* encode.c: base64 and hex. Stateless: any thread. The decoder is ours and not libsodium's because clients' data was
 * accepted by Go's decoder: it skips CR and LF anywhere, lets unused trailing bits be set, and names the offset. */
#include "bulla/encode.h"

#include "bulla/memory.h"

/* Digits are computed in both directions, not looked up: a table indexed by secrets would leak through the cache. All of it in
 * bytes, so that the compiler can do many at once. */

/* 255 where c is within lo and hi, else 0; all below 128. */
#define IN(c, lo, hi) ((uint8_t)~((int8_t)(uint8_t)(((c) - (lo)) | ((hi) - (c))) >> 7))

/* 255 where v is above limit, else 0; both below 128. */
#define ABOVE(v, limit) ((uint8_t)((int8_t)(uint8_t)((limit) - (v)) >> 7))

/* The digit of v, which is below 64: what is added to it changes at each of the alphabet's runs. */
static inline uint8_t digit_of(uint8_t v, uint8_t c62, uint8_t c63)
{
	uint8_t add = 'A';

	add += ABOVE(v, 25) & (uint8_t)('a' - 26 - 'A');
	add += ABOVE(v, 51) & (uint8_t)('0' - 52 - ('a' - 26));
	add += ABOVE(v, 61) & (uint8_t)(c62 - 62 - ('0' - 52));
	add += ABOVE(v, 62) & (uint8_t)(c63 - 63 - (c62 - 62));
	return (uint8_t)(v + add);
}

/* 0..63, or more. */
static inline uint8_t value_of(uint8_t c, uint8_t c62, uint8_t c63)
{
	uint8_t upper = IN(c, 'A', 'Z'), lower = IN(c, 'a', 'z'), digit = IN(c, '0', '9'), is62 = IN(c, c62, c62), is63 = IN(c, c63, c63);
	uint8_t v = (uint8_t)((upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (digit & (c - '0' + 52)) | (is62 & 62) | (is63 & 63));

	return v | (uint8_t)~(upper | lower | digit | is62 | is63) | (c & 0x80);
}

/* Characters that are worked on at once. */
#define BLOCK 32
#define BLOCK_BYTES (BLOCK / 4 * 3)

/* Three bytes as four values. */
static inline void split(const uint8_t *p, uint8_t *v)
{
	v[0] = p[0] >> 2;
	v[1] = (uint8_t)((p[0] << 4 | p[1] >> 4) & 63);
	v[2] = (uint8_t)((p[1] << 2 | p[2] >> 6) & 63);
	v[3] = p[2] & 63;
}

/* Whole blocks, then what is left; returns the characters written, padding not among them. */
static size_t encode(struct bulla_bytes in, uint8_t c62, uint8_t c63, char *out)
{
	const uint8_t *p = in.ptr;
	size_t left = in.len, n = 0;
	struct {
		uint8_t v[BLOCK], last[BLOCK_BYTES];
		char digits[BLOCK];
	} s;

	for (; left >= BLOCK_BYTES; left -= BLOCK_BYTES, p += BLOCK_BYTES, n += BLOCK) {
		for (int i = 0; i < BLOCK / 4; i++)
			split(p + 3 * i, s.v + 4 * i);
		for (int i = 0; i < BLOCK; i++)
			out[n + (size_t)i] = (char)digit_of(s.v[i], c62, c63);
	}
	if (left > 0) { /* a whole block of it is sooner made than a few digits one by one */
		memset(s.last, 0, sizeof s.last);
		memcpy(s.last, p, left);
		for (int i = 0; i < BLOCK / 4; i++)
			split(s.last + 3 * i, s.v + 4 * i);
		for (int i = 0; i < BLOCK; i++)
			s.digits[i] = (char)digit_of(s.v[i], c62, c63);
		memcpy(out + n, s.digits, (4 * left + 2) / 3);
		n += (4 * left + 2) / 3;
	}
	bulla_wipe(&s, sizeof s);
	return n;
}

size_t bulla_base64_encode(struct bulla_bytes in, char *out)
{
	size_t n = encode(in, '+', '/', out);

	while (n % 4 != 0)
		out[n++] = '=';
	return n;
}

size_t bulla_base64url_encode(struct bulla_bytes in, char *out)
{
	return encode(in, '-', '_', out);
}

struct reader {
	struct bulla_bytes in;
	size_t at;
};

/* The next character that is not CR or LF; false at the end. */
static bool next(struct reader *r, uint8_t *c)
{
	while (r->at < r->in.len) {
		*c = r->in.ptr[r->at++];
		if (*c != '\r' && *c != '\n')
			return true;
	}
	return false;
}

static enum bulla_err refuse(size_t at, size_t *bad_at)
{
	*bad_at = at;
	return BULLA_E_BAD_BASE64;
}

/* After the padding character that ended a group of have digits: the rest of the padding, then nothing more. */
static enum bulla_err padding(struct reader *r, unsigned have, size_t *bad_at)
{
	uint8_t c = 0;

	if (have < 2)
		return refuse(r->at - 1, bad_at);
	if (have == 2) {
		if (!next(r, &c))
			return refuse(r->in.len, bad_at);
		if (c != '=')
			return refuse(r->at - 2, bad_at); /* the peer names the one before */
	}
	if (next(r, &c))
		return refuse(r->at - 1, bad_at);
	return BULLA_OK;
}

/* Four values as three bytes. */
static inline void join(const uint8_t *v, uint8_t *out)
{
	out[0] = (uint8_t)(v[0] << 2 | v[1] >> 4);
	out[1] = (uint8_t)(v[1] << 4 | v[2] >> 2);
	out[2] = (uint8_t)(v[2] << 6 | v[3]);
}

/* Whole blocks of characters that are all digits, then groups of four; the bytes written to out. What is left is for decode(). */
static size_t decode_blocks(struct reader *r, bool url, uint8_t *out)
{
	uint8_t c62 = url ? '-' : '+', c63 = url ? '_' : '/', v[BLOCK], last[BLOCK] = { 0 }, other = 0;
	size_t n = 0;

	for (; r->in.len - r->at >= BLOCK; r->at += BLOCK) {
		const uint8_t *in = r->in.ptr + r->at;

		for (int i = 0; i < BLOCK; i++)
			v[i] = value_of(in[i], c62, c63);
		for (int i = 0; i < BLOCK; i++)
			other |= v[i];
		if (other > 63)
			break;
		for (int i = 0; i < BLOCK; i += 4, n += 3)
			join(v + i, out + n);
	}
	size_t left = r->in.len - r->at < BLOCK ? r->in.len - r->at : BLOCK;

	if (left > 0)
		memcpy(last, r->in.ptr + r->at, left); /* behind it zeros, which are no digits */
	for (int i = 0; i < BLOCK; i++)
		v[i] = value_of(last[i], c62, c63);
	for (int i = 0; i < BLOCK && (v[i] | v[i + 1] | v[i + 2] | v[i + 3]) <= 63; i += 4, n += 3, r->at += 4)
		join(v + i, out + n);
	bulla_wipe(v, sizeof v);
	bulla_wipe(last, sizeof last);
	return n;
}

static enum bulla_err decode(struct bulla_bytes in, bool url, uint8_t *out, size_t *out_len, size_t *bad_at)
{
	struct reader r = { in, 0 };
	size_t n = decode_blocks(&r, url, out);

	for (;;) {
		uint32_t group = 0;
		unsigned have = 0;
		bool ended = false;
		uint8_t c = 0;

		for (; have < 4 && !ended; have += !ended) {
			if (!next(&r, &c)) {
				if (have == 0) {
					*out_len = n;
					return BULLA_OK;
				}
				if (!url || have == 1)
					return refuse(r.at - have, bad_at);
				ended = true;
				break;
			}
			if (!url && c == '=') {
				TRY(padding(&r, have, bad_at));
				ended = true;
				break;
			}
			uint8_t v = url ? value_of(c, '-', '_') : value_of(c, '+', '/');

			if (v > 63)
				return refuse(r.at - 1, bad_at);
			group = group << 6 | v;
		}
		group <<= 6 * (4 - have);
		out[n++] = (uint8_t)(group >> 16);
		if (have > 2)
			out[n++] = (uint8_t)(group >> 8);
		if (have > 3)
			out[n++] = (uint8_t)group;
		if (ended) {
			*out_len = n;
			return BULLA_OK;
		}
	}
}

enum bulla_err bulla_base64_decode(struct bulla_bytes in, uint8_t *out, size_t *out_len, size_t *bad_at)
{
	return decode(in, false, out, out_len, bad_at);
}

enum bulla_err bulla_base64url_decode(struct bulla_bytes in, uint8_t *out, size_t *out_len, size_t *bad_at)
{
	return decode(in, true, out, out_len, bad_at);
}

#define HEX_BLOCK 16

/* 2 * HEX_BLOCK digits. */
static void hex_block(const uint8_t *in, char *out)
{
	uint8_t v[2 * HEX_BLOCK];

	for (int i = 0; i < HEX_BLOCK; i++) {
		v[2 * i] = in[i] >> 4;
		v[2 * i + 1] = in[i] & 15;
	}
	for (int i = 0; i < 2 * HEX_BLOCK; i++)
		out[i] = (char)(v[i] + '0' + (ABOVE(v[i], 9) & ('a' - 10 - '0')));
}

void bulla_hex_encode(struct bulla_bytes in, char *out)
{
	uint8_t last[HEX_BLOCK] = { 0 };
	char digits[2 * HEX_BLOCK];
	size_t i = 0;

	for (; in.len - i >= HEX_BLOCK; i += HEX_BLOCK)
		hex_block(in.ptr + i, out + 2 * i);
	if (i == in.len)
		return;
	memcpy(last, in.ptr + i, in.len - i);
	hex_block(last, digits);
	memcpy(out + 2 * i, digits, 2 * (in.len - i));
	bulla_wipe(last, sizeof last);
	bulla_wipe(digits, sizeof digits);
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum bulla_err bulla_hex_decode(struct bulla_bytes in, uint8_t *out)
{
	if (in.len % 2 != 0)
		return BULLA_E_BAD_FIELD;
	for (size_t i = 0; i < in.len / 2; i++) {
		int high = hex_value(in.ptr[2 * i]), low = hex_value(in.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return BULLA_E_BAD_FIELD;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return BULLA_OK;
}
