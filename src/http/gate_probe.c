/* gate_probe.c: what load balancers ask that look whether a server lives: OPTIONS of "/" or of the server as a whole
 * (RFC 9110 section 9.3.7), in OpenBao's words. Whether it is sealed does not matter. Stateless: any thread. */
#include "http/gates_internal.h"

static bool is_root(struct bulla_bytes target)
{
	return bulla_is(target, "/") || bulla_begins(target, "/?");
}

enum bulla_err gate_probe(struct passage *p)
{
	struct bulla_bytes target = p->x.request->target;
	bool server = bulla_is(target, "*");

	if (p->x.method != METHOD_OPTIONS || (!server && !is_root(target)))
		return BULLA_OK;
	if (!server && p->x.request->origin.len > 0)
		TRY(gates_browser(p));
	if (p->answered)
		return BULLA_OK;
	p->answered = true;
	if (server)
		p->reply->status = 200;
	else
		p->reply->location = bulla_str("/ui/");
	return BULLA_OK;
}
