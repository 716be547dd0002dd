/* hash.c: owns digests of what a caller sends. Any thread. */
#include "bulla/tools.h"
#include "crypto/digest.h"
#include "transit/transit.h"

enum bulla_err bulla_hash(struct bulla_call *call, struct bulla_bytes algorithm, struct bulla_bytes input, struct bulla_bytes *out)
{
	enum digest digest;

	if (!digest_by_name(algorithm, &digest) || digest == DIGEST_NONE || digest == DIGEST_SHA1)
		return bulla_fail(call, BULLA_E_INVALID, "unsupported algorithm %.*s", (int)algorithm.len,
				  (const char *)algorithm.ptr);
	TRY(transit_weigh(call, transit_weight(NULL, TRANSIT_MAC, 1, input.len)));
	uint8_t *sum = bulla_arena_alloc(call->arena, digest_bytes(digest));

	if (sum == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(digest_hash(digest, input, sum));
	*out = bulla_mem(sum, digest_bytes(digest));
	return BULLA_OK;
}
