/* cubbyhole.h: what a token keeps for itself: small values by path, sealed, seen by nobody else, gone when the token is. */
#ifndef BULLA_CUBBYHOLE_H
#define BULLA_CUBBYHOLE_H

#include "call.h"

BULLA_DECLS_BEGIN

struct bulla;

/* All of them are about the caller's own (call->token), and block. INVALID: it is a batch token, which keeps nothing.
 * NOT_FOUND. *value in the arena; may be secret. */
BULLA_MUST_USE enum bulla_err bulla_cubbyhole_get(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
						  struct bulla_bytes *value);
/* Over what is there. INVALID: larger than 1 MiB. REVOKED: the token is gone. */
BULLA_MUST_USE enum bulla_err bulla_cubbyhole_put(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path,
						  struct bulla_bytes value);
/* Nothing there is fine. */
BULLA_MUST_USE enum bulla_err bulla_cubbyhole_remove(struct bulla *engine, struct bulla_call *call, struct bulla_bytes path);
/* One level below folder ("" or "a/"): names, and folders with a slash behind them; sorted, in the arena. */
BULLA_MUST_USE enum bulla_err bulla_cubbyhole_list(struct bulla *engine, struct bulla_call *call, struct bulla_bytes folder,
						   struct bulla_bytes **names, size_t *count);

BULLA_DECLS_END

#endif
