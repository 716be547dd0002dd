/* share.h: a share of a key as clients send it. */
#ifndef BULLA_HANDLERS_SHARE_H
#define BULLA_HANDLERS_SHARE_H

#include "request/exchange.h"

/* Hex of as many bytes as a share has, else base64; raw bytes, in the arena. INVALID with the peer's text. */
BULLA_MUST_USE enum bulla_err share_decode(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out);

#endif
