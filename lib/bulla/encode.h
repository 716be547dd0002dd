/* encode.h: base64 (RFC 4648 section 4) and hex, strict, with the peer's two liberties: see bulla_base64_decode. */
#ifndef BULLA_ENCODE_H
#define BULLA_ENCODE_H

#include "bytes.h"
#include "error.h"

BULLA_DECLS_BEGIN

/* Characters that n bytes take, padded; no NUL. */
#define BULLA_BASE64_LEN(n) (((n) + 2) / 3 * 4)
/* Most bytes that n characters can hold. */
#define BULLA_BASE64_MAX_DECODED(n) ((n) / 4 * 3 + 3)

/* Writes BULLA_BASE64_LEN(in.len) characters to out, no NUL; returns that number. */
size_t bulla_base64_encode(struct bulla_bytes in, char *out);

/* Decodes into out (room for BULLA_BASE64_MAX_DECODED(in.len)); *out_len gets the length. out may be in.ptr itself.
 * As Go's StdEncoding, which the peer uses: CR and LF are skipped wherever they are, unused trailing bits may be set;
 * padding is required and the URL-safe alphabet refused.
 * BAD_BASE64: *bad_at gets the offset Go reports in "illegal base64 data at input byte N". */
BULLA_MUST_USE enum bulla_err bulla_base64_decode(struct bulla_bytes in, uint8_t *out, size_t *out_len, size_t *bad_at);

/* Unpadded URL-safe base64 (RFC 4648 section 5). Encode writes at most BULLA_BASE64_LEN(in.len), returns the number. */
size_t bulla_base64url_encode(struct bulla_bytes in, char *out);
BULLA_MUST_USE enum bulla_err bulla_base64url_decode(struct bulla_bytes in, uint8_t *out, size_t *out_len, size_t *bad_at);

/* Lower-case hex; 2 * in.len characters, no NUL. */
void bulla_hex_encode(struct bulla_bytes in, char *out);

/* Both cases accepted. BAD_FIELD: odd length or another character. out has room for in.len / 2. */
BULLA_MUST_USE enum bulla_err bulla_hex_decode(struct bulla_bytes in, uint8_t *out);

/* Big-endian integers, for records. */
static inline void bulla_put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24), p[1] = (uint8_t)(v >> 16), p[2] = (uint8_t)(v >> 8), p[3] = (uint8_t)v;
}

static inline uint32_t bulla_get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void bulla_put_u64(uint8_t *p, uint64_t v)
{
	bulla_put_u32(p, (uint32_t)(v >> 32));
	bulla_put_u32(p + 4, (uint32_t)v);
}

static inline uint64_t bulla_get_u64(const uint8_t *p)
{
	return (uint64_t)bulla_get_u32(p) << 32 | bulla_get_u32(p + 4);
}

BULLA_DECLS_END

#endif
