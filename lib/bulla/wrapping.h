/* wrapping.h: replies that wait, sealed, for whoever shows their token: once, and not for long. A wrapping token is a token of
 * the policy "response-wrapping" with one use; its reply is stored beside it and goes with it. */
#ifndef BULLA_WRAPPING_H
#define BULLA_WRAPPING_H

#include "call.h"

BULLA_DECLS_BEGIN

struct bulla;

#define BULLA_WRAPPING_MAX_TTL_S (INT64_C(50) * 365 * 86400)

struct bulla_wrapped {
	struct bulla_bytes body; /* the reply as it would have been sent */
	int status;
};

struct bulla_wrapping_args {
	struct bulla_wrapped reply;       /* borrowed; holds secrets */
	int64_t ttl_s;                    /* 1 to BULLA_WRAPPING_MAX_TTL_S */
	struct bulla_bytes creation_path; /* "transit/keys/k" */
	struct bulla_bytes display_name;  /* of who has logged in, where there is no caller */
};

/* In the arena. */
struct bulla_wrapping {
	struct bulla_bytes token, accessor; /* of a lookup: empty */
	struct bulla_bytes creation_path;
	int64_t ttl_s, created_date_ns;   /* the ttl as it was asked for, not what is left */
};

/* All of them block. */

/* Stores a reply and makes its token, in one commit. INVALID: the ttl; MUST_BLOCK, SEALED, STORE*, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_wrapping_new(struct bulla *engine, struct bulla_call *call,
						 const struct bulla_wrapping_args *args, struct bulla_wrapping *out);

/* What is known of a wrapping token; takes no use. WRAPPING_TOKEN: unknown, ended, used, or no wrapping token. */
BULLA_MUST_USE enum bulla_err bulla_wrapping_lookup(struct bulla *engine, struct bulla_call *call, struct bulla_bytes token,
						    struct bulla_wrapping *out);

/* Hands out the reply. That the token and the reply are gone is durable before this returns: of any number of callers, over
 * any crash, at most one ever gets it. *out in the arena. WRAPPING_TOKEN; STORE_DAMAGED. */
BULLA_MUST_USE enum bulla_err bulla_wrapping_open(struct bulla *engine, struct bulla_call *call, struct bulla_bytes token,
						  struct bulla_wrapped *out);

/* Moves the reply, unseen, to a new token of the same path and ttl, which begins anew; the old one is gone. WRAPPING_TOKEN. */
BULLA_MUST_USE enum bulla_err bulla_wrapping_renew(struct bulla *engine, struct bulla_call *call, struct bulla_bytes token,
						   struct bulla_wrapping *out);

BULLA_DECLS_END

#endif
