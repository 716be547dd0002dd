/* gates.h: what a request passes before its handler, for serve.c alone. */
#ifndef BULLA_HTTP_GATES_H
#define BULLA_HTTP_GATES_H

#include "http/routes.h"
#include "http/serve.h"

/* What serve() keeps beside the exchange that handlers see. */
struct passage {
	struct exchange x;
	const struct service *service;
	struct reply *reply;
	const struct route_path *path; /* NULL: no such path within the mount */
	struct bulla_bytes rest;       /* of x.path, below the mount */
	bool open;                     /* path NULL, but below what nobody needs a token for: that there is none is told to anybody */
	bool answered;                 /* by the gates: reply has a status, and no body */
	bool help;                     /* ?help=1: what the path can do is told, and nothing done */
	struct out auth;
	size_t data_at, data_end;
	/* for the audit log */
	int64_t started_date_ns;
	char id[36];                   /* of the request; id[0] 0: it has none yet */
	bool recorded;                 /* it came so far that the log hears of it */
	bool refused;                  /* for who calls, or for the wrapping token */
	bool allowed, creates;
	enum bulla_capability need;    /* that was asked for; 0: none was */
	bool on_record;                /* the request's own record was written */
	bool wrapped;                  /* the reply was put away in ... */
	struct bulla_wrapping wrapping;
	struct bulla_bytes wrapped_accessor, made_name;
};

/* All gates in the peer's order. BULLA_OK with reply->location set: a redirect; with answered set: nothing is left to do; with help set: help is to be printed, of the
 * whole mount where path is NULL; else x.route may be run. Any other error is
 * the answer; MUST_BLOCK when !may_block: nothing has happened yet. x.mount and call->token are held, also on failure. */
BULLA_MUST_USE enum bulla_err gates_pass(struct passage *p);

/* Adds the peer's warnings of members that the endpoint does not know, or that stand in the path already. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err notices_fields(struct exchange *x);

#endif
