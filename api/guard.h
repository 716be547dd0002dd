/* guard.h: who may call card-api: whoever shows the token, and no page of another site. */
#ifndef CARD_GUARD_H
#define CARD_GUARD_H

#include "http.h"

#define GUARD_HASH_BYTES 32

struct guard {
	bool open;                                /* no token is asked for */
	unsigned char hash[GUARD_HASH_BYTES];     /* of the token: itself it is not kept */
};

/* token_file NULL: open. CONFIG: logged. */
MUST_USE enum card_err guard_init(struct guard *guard, const char *token_file);

/* "Authorization: Bearer <token>", or Basic with the token as password, which is what a browser can do. */
bool guard_knows(const struct guard *guard, const struct request *request);

/* A browser says that a page of another site made it send this. */
bool guard_is_foreign(const struct request *request);

#endif
