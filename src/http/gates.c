/* gates.c: what a request passes before its handler: target, method, body, namespace, seal, token, capability, operation; in
 * the peer's order, for which refusal comes first can be seen. Stateless: any thread. */
#include "http/gates.h"

#include <strings.h>

#include "http/target.h"
#include "request/form.h"

/* Reading more than this takes longer than a loop may stand still. */
#define LOOP_MAX_BODY 65536

/* Go's strconv.ParseBool. */
static enum bulla_err parse_bool(struct bulla_bytes text, bool *out)
{
	struct json value = { .type = JSON_STRING, .text = text };

	if (text.len == 0 || field_bool(&value, out) != BULLA_OK)
		return BULLA_E_EMPTY_400;
	return BULLA_OK;
}

/* Of a query: the first value of name; empty: absent. */
static struct bulla_bytes query_first(const struct json *query, const char *name)
{
	const struct json *value = json_get(query, name);

	if (value != NULL && value->type == JSON_ARRAY)
		value = value->first;
	return value != NULL ? value->text : (struct bulla_bytes){ 0 };
}

/* The query as a document: without what is no parameter of an endpoint. */
static enum bulla_err query_document(struct exchange *x, bool folded)
{
	struct json *doc = bulla_arena_alloc(x->call->arena, sizeof *doc);
	struct json **end;

	if (doc == NULL)
		return BULLA_E_NO_MEMORY;
	doc->type = JSON_OBJECT;
	end = &doc->first;
	for (const struct json *v = x->query->first; v != NULL; v = v->next) {
		if (bulla_is(v->name, "help") || (folded && (bulla_is(v->name, "list") || bulla_is(v->name, "scan"))))
			continue;
		*end = bulla_arena_alloc(x->call->arena, sizeof **end);
		if (*end == NULL)
			return BULLA_E_NO_MEMORY;
		**end = *v;
		(*end)->next = NULL;
		end = &(*end)->next;
		doc->count++;
	}
	x->doc = doc->count > 0 ? doc : NULL;
	return BULLA_OK;
}

static enum bulla_err add_slash(struct exchange *x)
{
	if (x->path.len > 0 && x->path.ptr[x->path.len - 1] == '/')
		return BULLA_OK;
	uint8_t *path = bulla_arena_alloc(x->call->arena, x->path.len + 1);

	if (path == NULL)
		return BULLA_E_NO_MEMORY;
	if (x->path.len > 0)
		memcpy(path, x->path.ptr, x->path.len);
	path[x->path.len] = '/';
	x->path = bulla_mem(path, x->path.len + 1);
	return BULLA_OK;
}

/* GET with ?list=true is LIST, with ?scan=true SCAN; but not on the edge. */
static enum bulla_err fold_method(struct exchange *x)
{
	static const struct {
		const char *name;
		enum method method;
	} folds[] = { { "list", METHOD_LIST }, { "scan", METHOD_SCAN } };
	bool get = x->method == METHOD_GET, yes, folded = false;

	for (size_t i = 0; get && x->query != NULL && i < 2; i++) {
		struct bulla_bytes text = query_first(x->query, folds[i].name);

		if (text.len == 0)
			continue;
		TRY(parse_bool(text, &yes));
		if (yes) {
			x->method = folds[i].method;
			folded = true;
		}
	}
	if (x->method == METHOD_LIST || x->method == METHOD_SCAN)
		TRY(add_slash(x));
	if (x->query != NULL && x->method != METHOD_POST && x->method != METHOD_PATCH)
		TRY(query_document(x, folded));
	return BULLA_OK;
}

/* sys/ paths that the peer answers before its engines: by this very path. */
static void find_edge(struct passage *p)
{
	struct exchange *x = &p->x;

	if (x->path.len < 4 || memcmp(x->path.ptr, "sys/", 4) != 0)
		return;
	const struct route_path *path =
		routes_find(BULLA_MOUNT_SYSTEM, bulla_mem(x->path.ptr + 4, x->path.len - 4), x->params);

	if (path != NULL && (path->flags & ROUTE_EDGE) != 0)
		p->path = path;
}

/* The type of a Content-Type, without its parameters. */
static struct bulla_bytes media_type(struct bulla_bytes header)
{
	const uint8_t *cut = header.len > 0 ? memchr(header.ptr, ';', header.len) : NULL;

	if (cut != NULL)
		header.len = (size_t)(cut - header.ptr);
	while (header.len > 0 && header.ptr[0] == ' ')
		header = bulla_mem(header.ptr + 1, header.len - 1);
	while (header.len > 0 && header.ptr[header.len - 1] == ' ')
		header.len--;
	return header;
}

static bool is_media(struct bulla_bytes type, const char *name)
{
	return type.len == strlen(name) && strncasecmp((const char *)type.ptr, name, type.len) == 0;
}

/* The method as such: what no path takes. */
static enum bulla_err gate_method(struct passage *p)
{
	struct exchange *x = &p->x;

	if (x->method == METHOD_UNKNOWN || (p->path != NULL && p->path->rows[x->method] == NULL))
		return BULLA_E_METHOD_NOT_ALLOWED;
	if (x->method != METHOD_PATCH)
		return BULLA_OK;
	struct bulla_bytes type = media_type(x->request->content_type);

	if (type.len == 0)
		return bulla_fail(x->call, BULLA_E_BAD_REQUEST, "mime: no media type");
	if (!is_media(type, "application/merge-patch+json"))
		return bulla_fail(x->call, BULLA_E_MEDIA_TYPE,
				  "PATCH requires Content-Type of application/merge-patch+json, provided %.*s", (int)type.len,
				  (const char *)type.ptr);
	return BULLA_OK;
}

/* Forms are what says so and does not look like JSON: curl -d sends JSON under that name. */
static bool is_form(const struct request *request)
{
	if (!is_media(media_type(request->content_type), "application/x-www-form-urlencoded"))
		return false;
	for (size_t i = 0; i < request->body_len; i++)
		if (strchr(" \t\r\n", request->body[i]) == NULL || request->body[i] == 0)
			return request->body[i] != '{' && request->body[i] != '[';
	return false;
}

/* With a form the query is read as strictly as the body is, though nothing of it counts. */
static enum bulla_err parse_form(struct exchange *x, struct json **doc)
{
	const struct request *request = x->request;
	const uint8_t *mark = memchr(request->target.ptr, '?', request->target.len);
	struct json *ignored;

	if (mark != NULL) {
		struct bulla_bytes query = bulla_mem(mark + 1, request->target.len - (size_t)(mark + 1 - request->target.ptr));

		TRY(form_parse(x->call, query, true, &ignored));
	}
	return form_parse(x->call, bulla_mem(request->body, request->body_len), true, doc);
}

/* The body, where the method has one: a document or nothing. */
static enum bulla_err gate_body(struct passage *p)
{
	struct exchange *x = &p->x;
	const struct request *request = x->request;
	struct json *doc = NULL;

	if (x->method != METHOD_POST && x->method != METHOD_PATCH)
		return BULLA_OK;
	if (request->body_too_large)
		return BULLA_E_TOO_LARGE;
	if (request->body_len == 0)
		return BULLA_OK;
	enum bulla_err err = is_form(request)
		? parse_form(x, &doc)
		: json_parse_body(x->call, request->body, request->body_len, &doc);

	if (err == BULLA_E_BAD_REQUEST)
		return bulla_fail(x->call, BULLA_E_BAD_REQUEST, "error parsing form data");
	x->doc = doc;
	return err;
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

/* What the peer has outside of all namespaces: no name will do, not even root's. */
static bool is_outside_namespaces(struct bulla_bytes path)
{
	static const char *const names[] = {
		"sys/generate-root", "sys/health", "sys/init", "sys/metrics", "sys/raw", "sys/rekey", "sys/seal", "sys/step-down",
		"sys/storage", "sys/unseal",
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
	if (namespace_of(p).len == 0 || !is_outside_namespaces(p->x.path))
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

	if (p->path == NULL) {
		x->mount = bulla_mount_find(x->engine, x->path, &p->rest);
		if (x->mount != NULL)
			p->path = routes_find(x->mount->kind, p->rest, x->params);
	}
	if (p->path != NULL)
		x->route = p->path->rows[x->method];
}

/* A wrapped reply is written to the store and may lie there for years: not for just anybody, nor for who shows no more than the
 * wrapping token that he asks about. */
static bool may_not_wrap(const struct exchange *x, unsigned flags)
{
	struct bulla_bytes token = x->request->token;

	return x->wrap_ttl_s > 0 && (flags & (ROUTE_NO_TOKEN | ROUTE_LOGIN)) == ROUTE_NO_TOKEN && (token.len == 0 || bulla_equal(token, x->wrapping_token));
}

/* Whether there is no need to ask for the caller's token: because nobody has to show one, or his is the wrapping token. */
static bool needs_no_caller(const struct exchange *x, unsigned flags)
{
	if ((flags & ROUTE_WRAPPING) == 0)
		return false;
	return ((flags & ROUTE_NO_TOKEN) != 0 && x->wrap_ttl_s == 0) ||
	       (x->route != NULL && (flags & ROUTE_OWN_WRAPPING) != 0 && bulla_equal(x->wrapping_token, x->request->token));
}

/* A list gets the limit that the caller's policies have; "max" stands for it, or for all. */
static enum bulla_err bound_list(struct exchange *x, enum bulla_capability need)
{
	const struct json *given = json_get(x->doc, "limit");
	int64_t limit = bulla_grant_page_limit(x->call->grant);
	struct json *doc = bulla_arena_alloc(x->call->arena, sizeof *doc), *member, **end;

	if (need != BULLA_CAN_LIST && need != BULLA_CAN_SCAN)
		return BULLA_OK;
	if (limit == 0 && (given == NULL || !bulla_is(given->text, "max")))
		return BULLA_OK;
	if (doc == NULL)
		return BULLA_E_NO_MEMORY;
	*doc = (struct json){ .type = JSON_OBJECT };
	end = &doc->first;
	for (const struct json *m = x->doc != NULL ? x->doc->first : NULL; m != NULL; m = m->next) {
		if (m == given)
			continue;
		*end = member = bulla_arena_alloc(x->call->arena, sizeof *member);
		if (member == NULL)
			return BULLA_E_NO_MEMORY;
		*member = *m;
		member->next = NULL;
		end = &member->next;
		doc->count++;
	}
	*end = member = bulla_arena_alloc(x->call->arena, sizeof *member);
	if (member == NULL)
		return BULLA_E_NO_MEMORY;
	*member = (struct json){ .type = JSON_STRING, .name = bulla_str("limit"),
				 .text = bulla_arena_printf(x->call->arena, "%lld", (long long)limit) };
	if (member->text.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	doc->count++;
	x->doc = doc;
	return BULLA_OK;
}

static enum bulla_err gate_token(struct passage *p)
{
	struct exchange *x = &p->x;
	unsigned flags = x->route != NULL ? x->route->flags : p->path != NULL ? p->path->flags : 0;

	if (may_not_wrap(x, flags))
		return BULLA_E_NO_TOKEN;
	if ((flags & ROUTE_LOGIN) != 0)
		return BULLA_OK;
	/* off the edge, who shows a token without need shows a good one: he may see more */
	if ((flags & ROUTE_NO_TOKEN) != 0 && ((flags & ROUTE_EDGE) != 0 || x->request->token.len == 0))
		return BULLA_OK;
	if (needs_no_caller(x, flags))
		return BULLA_OK;
	TRY(bulla_authenticate(x->engine, x->call, x->request->token));
	if ((flags & (ROUTE_TOKEN_ONLY | ROUTE_NO_TOKEN)) != 0)
		return BULLA_OK;
	enum bulla_capability need = routes_capability(x->method);

	if (x->route != NULL && x->route->exists != NULL && !x->call->token->root) {
		bool exists = false;

		TRY(x->route->exists(x, &exists));
		if (!exists && x->route->need == BULLA_CAN_CREATE)
			need = BULLA_CAN_CREATE;
		p->creates = need == BULLA_CAN_CREATE;
	}
	struct bulla_ask ask = { .need = need, .need_sudo = (flags & ROUTE_SUDO) != 0, .path = x->path, .doc = x->doc,
				 .takes_context = (flags & ROUTE_CONTEXT) != 0, .wrap_ttl_s = x->wrap_ttl_s };

	p->need = need;
	TRY(bulla_authorise(x->engine, x->call, &ask));
	return x->call->token->root ? BULLA_OK : bound_list(x, need);
}

/* What can be answered at all: 404 and 405. */
static enum bulla_err gate_operation(struct passage *p)
{
	struct exchange *x = &p->x;

	if (x->mount == NULL && p->path == NULL)
		return bulla_fail(x->call, BULLA_E_NO_ROUTE, "no handler for route \"%.*s\". route entry not found.",
				  (int)x->path.len, (const char *)x->path.ptr);
	if (p->path == NULL)
		return BULLA_E_UNSUPPORTED_PATH;
	if (x->route != NULL)
		return BULLA_OK;
	return (p->path->flags & ROUTE_NO_TOKEN) != 0 ? BULLA_E_OPEN_METHOD : BULLA_E_UNSUPPORTED_METHOD;
}

/* Batches count by their items. */
static enum bulla_err gate_budget(struct exchange *x)
{
	const struct json *batch = json_get(x->doc, "batch_input");
	size_t items = batch != NULL && batch->type == JSON_ARRAY && batch->count > 0 ? batch->count : 1;

	return x->call->grant != NULL ? bulla_take_items(x->engine, x->call, items) : BULLA_OK;
}

/* How long the reply's wrapping is to live; 0: none was asked for. */
static enum bulla_err gate_wrap_ttl(struct passage *p)
{
	struct exchange *x = &p->x;

	if (x->request->wrap_ttl.len == 0 || p->path != NULL)
		return BULLA_OK;
	if (duration_parse(x->call, x->request->wrap_ttl, &x->wrap_ttl_s) != BULLA_OK)
		return bulla_fail(x->call, BULLA_E_BAD_REQUEST, "error parsing X-Vault-Wrap-TTL header: %.*s",
				  (int)x->call->detail.len, (const char *)x->call->detail.ptr);
	if (x->wrap_ttl_s < 0)
		return bulla_fail(x->call, BULLA_E_BAD_REQUEST,
				  "error parsing X-Vault-Wrap-TTL header: requested wrap ttl cannot be negative");
	if (x->wrap_ttl_s > BULLA_WRAPPING_MAX_TTL_S)
		return bulla_fail(x->call, BULLA_E_BAD_REQUEST,
				  "error parsing X-Vault-Wrap-TTL header: requested wrap ttl is too long");
	/* less than a second was cut to nothing, but who asked for a wrapping must not get the secret without one */
	for (size_t i = 0; x->wrap_ttl_s == 0 && i < x->request->wrap_ttl.len; i++)
		if (x->request->wrap_ttl.ptr[i] >= '1' && x->request->wrap_ttl.ptr[i] <= '9')
			x->wrap_ttl_s = 1;
	return BULLA_OK;
}

/* Which wrapping token the request is about, and that it is one: said before it is asked who calls. */
static enum bulla_err gate_wrapping(struct passage *p)
{
	struct exchange *x = &p->x;
	const struct json *given = json_get(x->doc, "token");
	struct bulla_wrapping wrapping;

	if (p->path == NULL || (p->path->flags & ROUTE_WRAPPING) == 0)
		return BULLA_OK;
	if (given != NULL && given->type != JSON_STRING && given->type != JSON_NULL)
		return bulla_fail(x->call, BULLA_E_FORBIDDEN,
				  "error validating wrapping token: could not decode token in request body");
	x->wrapping_token = given != NULL && given->text.len > 0 ? given->text : x->request->token;
	if (x->wrapping_token.len == 0)
		return bulla_fail(x->call, BULLA_E_FORBIDDEN, "error validating wrapping token: token is empty");
	return bulla_wrapping_lookup(x->engine, x->call, x->wrapping_token, &wrapping);
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
	return query_first(query, "help").len > 0;
}

/* Help needs a good token, but no capability; where no token is needed, none. The method does not matter. */
static enum bulla_err pass_help(struct passage *p)
{
	struct exchange *x = &p->x;
	struct bulla_bytes *path = &x->path;

	p->help = true;
	TRY(gate_namespace(p));
	TRY(gate_seal(p));
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

enum bulla_err gates_pass(struct passage *p)
{
	struct exchange *x = &p->x;
	struct target target;

	if (!x->call->may_block && x->request->body_len > LOOP_MAX_BODY)
		return BULLA_E_MUST_BLOCK;
	if (!is_header_text(x->request->token) || !is_header_text(x->request->namespace) || !is_header_text(x->request->wrap_ttl))
		return BULLA_E_BAD_TARGET;
	TRY(target_decode(x->call, x->request->target, &target));
	if (target.location.len > 0) {
		p->reply->location = target.location;
		return BULLA_OK;
	}
	x->path = target.path;
	x->query = target.query;
	if (x->method == METHOD_PUT)
		x->method = METHOD_POST;
	TRY(gate_outside(p));
	if (asks_for_help(x->query) && !target.relative)
		return pass_help(p);
	find_edge(p);
	if (p->path == NULL)
		TRY(fold_method(x));
	TRY(gate_method(p));
	TRY(gate_body(p));
	if (target.relative)
		return bulla_fail(x->call, BULLA_E_BAD_REQUEST, "relative paths not supported");
	TRY(gate_wrap_ttl(p));
	TRY(gate_namespace(p));
	TRY(gate_seal(p));
	TRY(bulla_rate_check(x->engine, x->call, x->path, &p->reply->rate));
	TRY(gate_path(p));
	find_route(p);
	if (must_block(p))
		return BULLA_E_MUST_BLOCK;
	p->recorded = p->path == NULL || (p->path->flags & (ROUTE_EDGE | ROUTE_NO_TOKEN)) != (ROUTE_EDGE | ROUTE_NO_TOKEN);
	p->refused = true;
	TRY(gate_wrapping(p));
	TRY(gate_token(p));
	p->refused = false;
	p->allowed = true;
	TRY(gate_operation(p));
	return gate_budget(x);
}
