/* gates.c: what a request passes before its handler: target, method, body, namespace, seal, token, capability, operation; in
 * the peer's order, for which refusal comes first can be seen. Stateless: any thread. */
#include "http/gates_internal.h"
#include "http/target.h"

#define SMALL_BODY 65536 /* larger ones are read of callers with a good token only */

/* Reading a document takes up to a nanosecond a byte, and with what is done to its strings several: what is longer is computing. Which thread
 * does what it asks for does not depend on it. */
#define LOOP_READS 65536
/* So many items are read and printed by a loop, whatever is done with each. */
#define LOOP_ITEMS 256

/* sys/ paths that the peer answers before its engines: by this very path. */
static void find_edge(struct passage *p)
{
	struct exchange *x = &p->x;

	if (!bulla_begins(x->path, "sys/"))
		return;
	const struct route_path *path =
		routes_find(BULLA_MOUNT_SYSTEM, bulla_mem(x->path.ptr + 4, x->path.len - 4), x->params);

	if (path != NULL && (path->flags & ROUTE_EDGE) != 0)
		p->path = path;
}

/* X-Vault-Namespace without slashes around it. */
static struct bulla_bytes namespace_of(const struct passage *p)
{
	struct bulla_bytes ns = p->x.request->namespace;

	while (ns.len > 0 && ns.ptr[0] == '/')
		ns = bulla_mem(ns.ptr + 1, ns.len - 1);
	while (ns.len > 0 && ns.ptr[ns.len - 1] == '/')
		ns.len--;
	return ns;
}

/* What the peer has outside of all namespaces: no name will do, not even root's or a slash. */
static bool is_outside_namespaces(struct bulla_bytes path)
{
	static const char *const names[] = {
		"sys/generate-root", "sys/health", "sys/in-flight-req", "sys/init", "sys/metrics", "sys/pprof", "sys/raw", "sys/rekey",
		"sys/seal", "sys/step-down", "sys/storage", "sys/unseal",
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t n = strlen(names[i]);

		if (path.len >= n && memcmp(path.ptr, names[i], n) == 0 && (path.len == n || path.ptr[n] == '/'))
			return true;
	}
	return false;
}

static enum bulla_err gate_outside(struct passage *p)
{
	if (p->x.request->namespace.len == 0 || !is_outside_namespaces(p->x.path))
		return BULLA_OK;
	return bulla_fail(p->x.call, BULLA_E_BAD_REQUEST, "operation unavailable in namespaces");
}

/* There is the root namespace only. */
static enum bulla_err gate_namespace(struct passage *p)
{
	struct bulla_bytes ns = namespace_of(p);

	if (ns.len == 0 || bulla_is(ns, "root"))
		return BULLA_OK;
	if (p->path != NULL && (p->path->flags & ROUTE_ANY_NAMESPACE) != 0)
		return BULLA_OK;
	return BULLA_E_NO_NAMESPACE;
}

static enum bulla_err gate_seal(struct passage *p)
{
	if (p->path != NULL && (p->path->flags & ROUTE_WHILE_SEALED) != 0)
		return BULLA_OK;
	return bulla_is_sealed(p->x.engine) ? BULLA_E_SEALED : BULLA_OK;
}

/* What no engine is asked about. */
static enum bulla_err gate_path(struct passage *p)
{
	const struct exchange *x = &p->x;

	if (x->method == METHOD_OPTIONS)
		return bulla_fail(x->call, BULLA_E_BAD_REQUEST, "cannot handle internal-only request operation");
	if (x->method != METHOD_POST && x->method != METHOD_PATCH)
		return BULLA_OK;
	if (x->path.len == 0 || x->path.ptr[x->path.len - 1] != '/')
		return BULLA_OK;
	return bulla_fail(x->call, BULLA_E_BAD_REQUEST, "cannot write to a path ending in '/'");
}

/* Mount and path; that one of them is missing is said only to who may know. */
static void find_route(struct passage *p)
{
	struct exchange *x = &p->x;

	if (p->path == NULL && x->mount == NULL) {
		x->mount = bulla_mount_find(x->engine, x->path, &p->rest);
		if (x->mount != NULL)
			p->path = routes_find(x->mount->kind, p->rest, x->params);
		p->open = x->mount != NULL && p->path == NULL && routes_open_below(x->mount->kind, p->rest);
	}
	if (p->path != NULL)
		x->route = p->path->rows[x->method];
}

/* What can be answered at all: 404 and 405. */
static enum bulla_err gate_operation(struct passage *p)
{
	struct exchange *x = &p->x;

	if (x->mount == NULL && p->path == NULL)
		return bulla_fail_quoting(x->call, BULLA_E_NO_ROUTE, "no handler for route ", x->path, ". route entry not found.");
	if (p->path == NULL)
		return p->open ? BULLA_E_OPEN_PATH : BULLA_E_UNSUPPORTED_PATH;
	if (x->route != NULL)
		return BULLA_OK;
	return (p->path->flags & ROUTE_NO_TOKEN) != 0 ? BULLA_E_OPEN_METHOD : BULLA_E_UNSUPPORTED_METHOD;
}

/* What is never done on a loop: it will write, or always takes long. */
static bool must_block(const struct passage *p)
{
	if (p->x.call->may_block)
		return false;
	bool login = p->path != NULL && (p->path->flags & ROUTE_LOGIN) != 0; /* which knows better what kind of worker it needs */

	if ((p->x.wrap_ttl_s > 0 && !login) || (p->path != NULL && (p->path->flags & ROUTE_WRAPPING) != 0))
		return true;
	return p->x.route != NULL && (p->x.route->flags & ROUTE_BLOCKS) != 0;
}

/* What it begins with. All that write may wait for a disk that does not answer: sealing and its like must not wait behind them. */
static enum bulla_work work_of(const struct route *route)
{
	if (route != NULL && (route->flags & ROUTE_COMPUTES) != 0)
		return BULLA_WORK_CPU;
	return route != NULL && (route->flags & ROUTE_EDGE) != 0 ? BULLA_WORK_REMOTE : BULLA_WORK_DISK;
}

/* Who comes too often is not on record, unless a setting says so: as at the peer. */
static enum bulla_err gate_rate(struct passage *p)
{
	struct bulla_rate_state *rate = &p->reply->rate;
	enum bulla_err err = bulla_rate_check(p->x.engine, p->x.call, p->x.path, rate);

	p->recorded = p->refused = err == BULLA_E_RATE_LIMITED && rate->audit;
	return err;
}

/* Control characters (but the tab) have no place in a header (RFC 9110 section 5.5): the peer answers these without a body. */
static bool is_header_text(struct bulla_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.ptr[i] < 0x20 && text.ptr[i] != '\t') || text.ptr[i] == 0x7F)
			return false;
	return true;
}

static bool asks_for_help(const struct json *query)
{
	return gates_query(query, "help").len > 0;
}

/* Help needs a good token, but no capability; where no token is needed, none. The method does not matter. */
static enum bulla_err pass_help(struct passage *p)
{
	struct exchange *x = &p->x;
	struct bulla_bytes *path = &x->path;

	p->help = true;
	TRY(gate_seal(p));
	TRY(gate_namespace(p));
	x->mount = bulla_mount_find(x->engine, *path, &p->rest);
	if (x->mount != NULL && p->rest.len > 0)
		p->path = routes_find(x->mount->kind, p->rest, x->params);
	p->recorded = p->refused = true;
	if (p->path == NULL || (p->path->flags & ROUTE_NO_TOKEN) == 0 || x->request->token.len > 0)
		TRY(bulla_authenticate(x->engine, x->call, x->request->token));
	p->refused = false;
	p->allowed = true;
	if (x->mount == NULL || (p->path == NULL && p->rest.len > 0))
		return gate_operation(p);
	return BULLA_OK;
}

/* As OpenBao: before all else, but after the rate limits, whether the server is sealed or not. */
enum bulla_err gates_browser(struct passage *p)
{
	if (!bulla_cors_on(p->x.engine))
		return BULLA_OK;
	TRY(gate_rate(p)); /* which counts a request once, however often it is asked */
	return gate_cors(p);
}

/* A token may have come from the disk meanwhile. */
static enum bulla_err gate_heavy(struct exchange *x)
{
	const struct json *batch = json_get(x->doc, "batch_input");

	if (x->request->body_len > LOOP_READS || (batch != NULL && batch->type == JSON_ARRAY && batch->count > LOOP_ITEMS))
		TRY(bulla_work(x->call, BULLA_WORK_CPU));
	return x->request->body_len > LOOP_READS ? bulla_yield(x->call) : BULLA_OK; /* reading it took long */
}

/* Whether anybody reads a large body of this caller: where no token is needed, nobody; else his token has to be good. */
static enum bulla_err known_caller(struct passage *p)
{
	struct exchange *x = &p->x;

	TRY(gate_wrap_ttl(p));
	TRY(gate_seal(p));
	TRY(gate_namespace(p));
	TRY(gate_path(p));
	find_route(p);
	unsigned flags = x->route != NULL ? x->route->flags : p->path != NULL ? p->path->flags : 0;
	bool open = (flags & ROUTE_NO_TOKEN) != 0 && ((flags & (ROUTE_EDGE | ROUTE_TOKEN_UNSEEN)) != 0 || x->request->token.len == 0);

	p->recorded = p->path == NULL || (flags & (ROUTE_EDGE | ROUTE_NO_TOKEN)) != (ROUTE_EDGE | ROUTE_NO_TOKEN);
	if (open || (flags & (ROUTE_LOGIN | ROUTE_WRAPPING)) != 0)
		return BULLA_E_TOO_LARGE;
	p->refused = true;
	TRY(bulla_authenticate(x->engine, x->call, x->request->token));
	p->refused = false;
	return BULLA_OK;
}

/* A body over SMALL_BODY is not read for just anybody. Its caller is looked at first, and for the rest passes the gates as all do. */
static enum bulla_err gate_large(struct passage *p)
{
	struct passage ahead = *p;
	enum bulla_err err = known_caller(&ahead);

	bulla_mount_put(ahead.x.mount);
	if (err != BULLA_OK) {
		p->recorded = ahead.recorded;
		p->refused = ahead.refused;
	}
	return err;
}

enum bulla_err gates_pass(struct passage *p)
{
	struct exchange *x = &p->x;
	struct target target;

	if (x->request->body_len > LOOP_READS)
		TRY(bulla_work(x->call, BULLA_WORK_CPU));
	if (!is_header_text(x->request->token) || !is_header_text(x->request->namespace) || !is_header_text(x->request->wrap_ttl) ||
	    !is_header_text(x->request->origin))
		return BULLA_E_BAD_TARGET;
	TRY(gate_probe(p));
	if (p->answered)
		return BULLA_OK;
	TRY(target_decode(x->call, x->request->target, &target));
	x->path = target.path;
	x->query = target.query;
	if (x->method == METHOD_PUT)
		x->method = METHOD_POST;
	TRY(gate_outside(p));
	if (x->request->origin.len > 0)
		TRY(gates_browser(p));
	if (p->answered)
		return BULLA_OK;
	p->reply->location = target.location;
	if (target.location.len > 0)
		return BULLA_OK;
	if (asks_for_help(x->query) && !target.relative)
		return x->request->body_to_come ? BULLA_OK : pass_help(p);
	find_edge(p);
	if (p->path == NULL)
		TRY(gate_fold(x));
	TRY(gate_method(p));
	if (x->request->body_to_come || x->request->body_len > SMALL_BODY)
		TRY(gate_large(p));
	if (x->request->body_to_come)
		return BULLA_OK;
	TRY(gate_body(p));
	if (target.relative)
		return bulla_fail(x->call, BULLA_E_BAD_REQUEST, "relative paths not supported");
	TRY(gate_wrap_ttl(p));
	TRY(gate_seal(p));
	TRY(gate_namespace(p));
	TRY(gate_rate(p));
	TRY(gate_path(p));
	find_route(p);
	if (must_block(p))
		return bulla_work(x->call, work_of(x->route));
	p->recorded = p->path == NULL || (p->path->flags & (ROUTE_EDGE | ROUTE_NO_TOKEN)) != (ROUTE_EDGE | ROUTE_NO_TOKEN);
	p->refused = true;
	TRY(gate_wrapping(p));
	TRY(gate_token(p));
	p->refused = false;
	p->allowed = true;
	TRY(gate_operation(p));
	TRY(gate_heavy(x));
	return gate_budget(x);
}
