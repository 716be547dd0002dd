/* gates_internal.h: the gates that stand in files of their own, for gates.c, which has their order. */
#ifndef BULLA_HTTP_GATES_INTERNAL_H
#define BULLA_HTTP_GATES_INTERNAL_H

#include "http/gates.h"

/* ---- gates_said.c -------------------------------------------------------------------------------------------------------- */

/* Of a query: the first value of name; empty: absent. */
struct bulla_bytes gates_query(const struct json *query, const char *name);

/* GET with ?list=true is LIST, with ?scan=true SCAN; what else the query says is the document. Not on the edge. EMPTY_400, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err gate_fold(struct exchange *x);

/* The method as such: what no path takes. METHOD_NOT_ALLOWED, MEDIA_TYPE, BAD_REQUEST. */
BULLA_MUST_USE enum bulla_err gate_method(struct passage *p);

/* The body, where the method has one: a document or nothing. TOO_LARGE, BAD_REQUEST, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err gate_body(struct passage *p);

/* ---- gate_cors.c ---------------------------------------------------------------------------------------------------------- */

/* Of a request with an Origin: whether that one may call, and what its browser is told; answers preflights. FORBIDDEN, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err gate_cors(struct passage *p);

/* gates.c: that behind the rate limits, if CORS is on. What they say, too. */
BULLA_MUST_USE enum bulla_err gates_browser(struct passage *p);

/* ---- gate_probe.c --------------------------------------------------------------------------------------------------------- */

/* Answers a load balancer's probe, if it is one. What gates_browser says. */
BULLA_MUST_USE enum bulla_err gate_probe(struct passage *p);

/* ---- gates_caller.c ------------------------------------------------------------------------------------------------------ */

/* How long the reply's wrapping is to live; 0: none was asked for. BAD_REQUEST. */
BULLA_MUST_USE enum bulla_err gate_wrap_ttl(struct passage *p);

/* Which wrapping token the request is about, and that it is one: said before it is asked who calls. FORBIDDEN, and what
 * bulla_wrapping_lookup says. */
BULLA_MUST_USE enum bulla_err gate_wrapping(struct passage *p);

/* Whether the caller's token is good and its policies let him do this. What bulla_authenticate and bulla_authorise say. */
BULLA_MUST_USE enum bulla_err gate_token(struct passage *p);

/* Batches count by their items. BUDGET, MUST_BLOCK. */
BULLA_MUST_USE enum bulla_err gate_budget(struct exchange *x);

#endif
