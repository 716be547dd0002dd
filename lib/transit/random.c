/* random.c: owns random bytes for callers. Any thread. */
#include "bulla/tools.h"
#include "crypto/crypto.h"

enum bulla_err bulla_random_bytes(struct bulla_call *call, int64_t n, struct bulla_bytes *out)
{
	if (n < 1)
		return bulla_fail(call, BULLA_E_INVALID, "'bytes' cannot be less than 1");
	if (n > BULLA_RANDOM_MAX)
		return bulla_fail(call, BULLA_E_INVALID, "'bytes' should be less than %d", BULLA_RANDOM_MAX);
	uint8_t *bytes = bulla_arena_alloc(call->arena, (size_t)n);

	if (bytes == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(random_bytes(bytes, (size_t)n));
	*out = bulla_mem(bytes, (size_t)n);
	return BULLA_OK;
}
