/* leases.h: tokens seen as leases, as the peer names them: where the token came from, "/h" and 64 hexadecimal digits. Only tokens
 * that end by themselves have one. */
#ifndef BULLA_LEASES_H
#define BULLA_LEASES_H

#include "call.h"

BULLA_DECLS_BEGIN

struct bulla;
struct bulla_token;

/* *out to be put back. NOT_FOUND: it is none. All of them block. */
BULLA_MUST_USE enum bulla_err bulla_lease_lookup(struct bulla *engine, struct bulla_call *call, struct bulla_bytes id,
						 const struct bulla_token **out);
/* Revokes the token, with its children. An unknown one is fine. */
BULLA_MUST_USE enum bulla_err bulla_lease_revoke(struct bulla *engine, struct bulla_call *call, struct bulla_bytes id);
/* The same for all whose id begins with prefix and a slash, or is prefix. */
BULLA_MUST_USE enum bulla_err bulla_lease_revoke_prefix(struct bulla *engine, struct bulla_call *call, struct bulla_bytes prefix);
/* One level below prefix ("" or "auth/token/"): names, and folders with a slash behind them; sorted, in the arena. */
BULLA_MUST_USE enum bulla_err bulla_lease_list(struct bulla *engine, struct bulla_call *call, struct bulla_bytes prefix,
					       struct bulla_bytes **names, size_t *count);

BULLA_DECLS_END

#endif
