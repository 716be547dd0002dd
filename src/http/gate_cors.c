/* gate_cors.c: what the script of a web page is told that calls from another origin (Fetch standard, section 3.2), in
 * OpenBao's words. Stateless: any thread. */
#include <bulla/cors.h>

#include "http/gates_internal.h"

static bool is_method(struct bulla_bytes method)
{
	static const char *const methods[] = { "DELETE", "GET", "OPTIONS", "POST", "PUT", "LIST", "SCAN" };

	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (bulla_is(method, methods[i]))
			return true;
	return false;
}

static enum bulla_err tell(struct passage *p, const struct bulla_cors_answer *answer)
{
	struct reply_cors *cors = bulla_arena_alloc(p->x.call->arena, sizeof *cors);

	if (cors == NULL)
		return BULLA_E_NO_MEMORY;
	cors->origin = (const char *)p->x.request->origin.ptr;
	cors->credentials = answer->credentials;
	cors->headers = (const char *)answer->headers.ptr;
	p->reply->cors = cors;
	return BULLA_OK;
}

enum bulla_err gate_cors(struct passage *p)
{
	const struct request *request = p->x.request;
	bool preflight = request->method == METHOD_OPTIONS;
	struct bulla_cors_answer answer;

	TRY(bulla_cors_ask(p->x.engine, p->x.call, request->origin, preflight, &answer));
	if (!answer.on)
		return BULLA_OK;
	if (!answer.allowed)
		return bulla_fail(p->x.call, BULLA_E_FORBIDDEN, "origin not allowed");
	if (preflight && !is_method(request->wanted_method)) {
		p->reply->status = 405;
		p->answered = true;
		return BULLA_OK;
	}
	TRY(tell(p, &answer));
	if (preflight)
		p->reply->status = 200;
	p->answered = preflight;
	return BULLA_OK;
}
