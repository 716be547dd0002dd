/* root_token.h: a new root token, for those who lost theirs, by agreement of as many holders of shares as unsealing takes (under a
 * static seal: of recovery keys). It leaves encoded with a one-time pad that only whoever began it has. One attempt at a time, in
 * memory only: sealing ends it. */
#ifndef BULLA_ROOT_TOKEN_H
#define BULLA_ROOT_TOKEN_H

#include "call.h"

BULLA_DECLS_BEGIN

struct bulla;

#define BULLA_ROOT_TOKEN_BYTES 26 /* of such a token, and of its one-time pad */

struct bulla_root_status {
	bool started;
	char nonce[37]; /* "" if none is under way */
	unsigned progress, required;
};
void bulla_root_status(struct bulla *engine, struct bulla_root_status *out);

/* otp: BULLA_ROOT_TOKEN_BYTES; empty: made, *made in the arena. INVALID with the peer's texts; SEALED. */
BULLA_MUST_USE enum bulla_err bulla_root_begin(struct bulla *engine, struct bulla_call *call, struct bulla_bytes otp,
					       struct bulla_bytes *made);
void bulla_root_cancel(struct bulla *engine);

struct bulla_root_progress {
	unsigned progress, required;
	struct bulla_bytes encoded; /* when complete: the token, encoded; in the arena */
	bool complete;
};
/* One share (raw bytes). When the threshold is reached the token is made, durably, and the attempt is over. BAD_SHARE with the
 * peer's texts: none is under way, another nonce, a malformed share, one given twice, a wrong set, which resets the progress.
 * MUST_BLOCK, SEALED, STORE*. */
BULLA_MUST_USE enum bulla_err bulla_root_update(struct bulla *engine, struct bulla_call *call, struct bulla_bytes nonce,
						struct bulla_bytes share, struct bulla_root_progress *out);

/* Takes the pad off; needs no engine. *token in the arena. INVALID with the peer's texts. */
BULLA_MUST_USE enum bulla_err bulla_root_decode(struct bulla_call *call, struct bulla_bytes encoded, struct bulla_bytes otp,
						struct bulla_bytes *token);
/* A pad of letters and digits, in the arena. NO_RANDOM, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_root_otp(struct bulla_call *call, struct bulla_bytes *otp);

BULLA_DECLS_END

#endif
