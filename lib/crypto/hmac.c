/* hmac.c: keys for HMAC alone (RFC 2104): any bytes, of a length that is chosen with the key. The MAC itself: digest.h. */
#include "crypto/alg.h"

const struct alg alg_hmac = {
	.name = "hmac", .id = 12, .can = ALG_HMAC, .min_key_size = 32, .max_key_size = 512,
};
