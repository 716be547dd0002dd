/* keywrap.h: AES key wrap with padding (RFC 5649, NIST SP 800-38F KWP). Any thread, after crypto_init. */
#ifndef BULLA_CRYPTO_KEYWRAP_H
#define BULLA_CRYPTO_KEYWRAP_H

#include "bulla/bytes.h"
#include "bulla/error.h"

/* Bytes that n bytes are wrapped in. */
static inline size_t keywrap_len(size_t n)
{
	return (n + 7) / 8 * 8 + 8;
}

/* kek has 16 or 32 bytes; in 1 byte to 64 KiB; out gets keywrap_len(in.len). BAD_FIELD: sizes. CRYPTO. */
BULLA_MUST_USE enum bulla_err keywrap_wrap(struct bulla_bytes kek, struct bulla_bytes in, uint8_t *out);
/* out has room for in.len - 8; *len of them count, and the rest is wiped. AUTH_FAILED: not wrapped so under kek. BAD_FIELD: kek's
 * size. CRYPTO. */
BULLA_MUST_USE enum bulla_err keywrap_unwrap(struct bulla_bytes kek, struct bulla_bytes in, uint8_t *out, size_t *len);

#endif
