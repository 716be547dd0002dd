/* tools.h: random bytes and digests, which need no key. Any thread. */
#ifndef BULLA_TOOLS_H
#define BULLA_TOOLS_H

#include "call.h"

BULLA_DECLS_BEGIN

#define BULLA_RANDOM_MAX 131072 /* bytes in one call, as at the peer */

/* n bytes of the system's generator, in the arena. INVALID with the peer's texts: n is out of range. NO_RANDOM, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_random_bytes(struct bulla_call *call, int64_t n, struct bulla_bytes *out);

/* The digest of input (FIPS 180-4, FIPS 202) by the function that is named "sha2-256", "sha3-512" and so on; in the arena.
 * INVALID: there is none of that name, or it is broken (sha1) and serves for signatures and HMACs only. MUST_BLOCK: a long input.
 * CRYPTO, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_hash(struct bulla_call *call, struct bulla_bytes algorithm, struct bulla_bytes input,
					 struct bulla_bytes *out);

BULLA_DECLS_END

#endif
