/* call.h: one call into the library: its memory, who makes it, and what it has to say beside its result. */
#ifndef BULLA_CALL_H
#define BULLA_CALL_H

#include "memory.h"

struct bulla_token; /* access: an authenticated caller, an immutable snapshot */
struct bulla_grant; /* access: what lets the call through, and on which conditions */

struct bulla_warning {
	struct bulla_bytes text;
	struct bulla_warning *next;
};

/* Made by the caller of the library, one a request, used by one thread at a time.
 * may_block: false on an event loop. A function that would wait for a disk, a lock or a long computation
 * then returns MUST_BLOCK before any effect, and the caller runs the whole request again on a worker.
 * takes_long: set beside MUST_BLOCK when that will take a worker for seconds (making an RSA key, a batch of RSA signatures), where this
 * is known ahead: such calls are best given to threads that nobody else waits for. */
struct bulla_call {
	struct bulla_arena *arena; /* borrowed */
	bool may_block;
	bool takes_long;
	struct bulla_bytes detail; /* of the error, in the arena; len 0: the row's own text serves */
	struct bulla_warning *warnings; /* in the order they were given */
	const struct bulla_token *token; /* who calls; NULL: nobody was authenticated; held by the request pipeline */
	const struct bulla_grant *grant; /* set by bulla_authorise; NULL: on no condition; held by the request pipeline */
	struct bulla_bytes remote_ip; /* of the client, as text without a port: "10.1.2.3", "::1"; empty: unknown (a unix socket) */
	const struct bulla_bytes *client_chain; /* certificates in DER that the client proved itself with over TLS, its own first;
						   nobody has looked at who issued them; borrowed; NULL: none */
	size_t client_chain_count;
	bool request_counted, budget_taken; /* it was counted, and so were its items: it is run again */
	int retry_after_s;         /* set beside BUDGET and RATE_LIMITED: when to come again */
};

/* Sets the detail text and returns err, so that one writes: return bulla_fail(call, BULLA_E_INVALID, "...").
 * The text may reach the client: no secret, no plaintext. */
enum bulla_err bulla_fail(struct bulla_call *call, enum bulla_err err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds a warning to the reply. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err bulla_warn(struct bulla_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The text of err for a person: the call's detail, else the row's. */
struct bulla_bytes bulla_call_text(const struct bulla_call *call, enum bulla_err err);

#endif
