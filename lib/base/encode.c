/* encode.c: base64 and hex. Stateless: any thread. The decoder is ours and not libsodium's because clients' data was
 * accepted by Go's decoder: it skips CR and LF anywhere, lets unused trailing bits be set, and names the offset. */
#include "bulla/encode.h"

static const char std_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Whole groups of three bytes, then what is left; returns the characters written, padding not among them. */
static size_t encode(struct bulla_bytes in, const char *alphabet, char *out)
{
	const uint8_t *p = in.ptr;
	size_t left = in.len, n = 0;

	for (; left >= 3; left -= 3, p += 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

		out[n++] = alphabet[v >> 18];
		out[n++] = alphabet[v >> 12 & 63];
		out[n++] = alphabet[v >> 6 & 63];
		out[n++] = alphabet[v & 63];
	}
	if (left == 0)
		return n;
	uint32_t v = (uint32_t)p[0] << 16 | (left == 2 ? (uint32_t)p[1] << 8 : 0);

	out[n++] = alphabet[v >> 18];
	out[n++] = alphabet[v >> 12 & 63];
	if (left == 2)
		out[n++] = alphabet[v >> 6 & 63];
	return n;
}

size_t bulla_base64_encode(struct bulla_bytes in, char *out)
{
	size_t n = encode(in, std_alphabet, out);

	while (n % 4 != 0)
		out[n++] = '=';
	return n;
}

size_t bulla_base64url_encode(struct bulla_bytes in, char *out)
{
	return encode(in, url_alphabet, out);
}

/* 0..63, or 255. Computed, not looked up: a table indexed by secrets would leak through the cache. */
static uint8_t value_of(uint8_t c, uint8_t c62, uint8_t c63)
{
	uint32_t v = 0;

#define IN(lo, hi) ((((uint32_t)(c) - (lo)) | ((uint32_t)(hi) - (c))) >> 31 ^ 1)
	v |= (0u - IN('A', 'Z')) & (c - 'A' + 1u);
	v |= (0u - IN('a', 'z')) & (c - 'a' + 27u);
	v |= (0u - IN('0', '9')) & (c - '0' + 53u);
	v |= (0u - IN(c62, c62)) & 63u;
	v |= (0u - IN(c63, c63)) & 64u;
#undef IN
	return (uint8_t)(v - 1u);
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

static enum bulla_err decode(struct bulla_bytes in, bool url, uint8_t *out, size_t *out_len, size_t *bad_at)
{
	struct reader r = { in, 0 };
	size_t n = 0;

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

void bulla_hex_encode(struct bulla_bytes in, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < in.len; i++) {
		out[2 * i] = digits[in.ptr[i] >> 4];
		out[2 * i + 1] = digits[in.ptr[i] & 15];
	}
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
