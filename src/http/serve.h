/* serve.h: the pipeline: one request in, one reply out, gates in the peer's order. Knows no HTTP library. */
#ifndef BULLA_HTTP_SERVE_H
#define BULLA_HTTP_SERVE_H

#include "request/exchange.h"

struct service {
	struct bulla *engine;
	struct server_info info;
	/* one line an event; may be NULL. Text holds no secret. */
	void (*log)(void *context, const char *level, const char *text);
	void *log_context;
};

/* Checks the tables: rows without access flags, two rows that collide. CONFIG with a detail. Call once at start. */
BULLA_MUST_USE enum bulla_err serve_check(struct bulla_call *call);

/* Whether a request may send a large body: asked before that is received, with request->body_to_come, on a loop. true: it may, or a worker has
 * to find out when it is there; *known: its token is good. false: reply is complete. */
bool serve_head(const struct service *service, struct bulla_call *call, const struct request *request, struct reply *reply, bool *known);

/* true: reply is complete. false: it has to run again where it may block (call->may_block), nothing has happened yet.
 * The arena of the call holds what the reply borrows (location). Never fails otherwise: errors are replies. */
bool serve(const struct service *service, struct bulla_call *call, const struct request *request, struct reply *reply);

/* Which family of tokens the request's token is of, as far as is known without waiting; 0: none that is known. Any thread. */
uint64_t serve_family(const struct service *service, const struct request *request);

#endif
