/* serve.c: the pipeline: the gates in the peer's order, then the handler, then one reply. The only place that makes a reply.
 * Stateless: any thread; a request is served by one thread at a time, perhaps twice (on a loop, then on a worker). */
#include "http/serve.h"

#include <stdlib.h>
#include <strings.h>

#include "http/envelope.h"
#include "http/routes.h"
#include "http/target.h"
#include "request/form.h"

/* Reading more than this takes longer than a loop may stand still. */
#define LOOP_MAX_BODY 65536

/* What serve() keeps beside the exchange that handlers see. */
struct passage {
	struct exchange x;
	const struct service *service;
	struct reply *reply;
	const struct route_path *path; /* NULL: no such path within the mount */
	struct bulla_bytes rest;       /* of x.path, below the mount */
	struct out auth;
	size_t data_at;
};

/* ---- the gates: OK, or the error that is answered -------------------------------------------------------------------- */

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

/* GET with ?list=true is LIST, with ?scan=true SCAN; PUT is POST. */
static enum bulla_err fold_method(struct exchange *x)
{
	static const struct {
		const char *name;
		enum method method;
	} folds[] = { { "list", METHOD_LIST }, { "scan", METHOD_SCAN } };
	bool get = x->method == METHOD_GET, yes;

	if (x->method == METHOD_PUT)
		x->method = METHOD_POST;
	for (size_t i = 0; get && x->query != NULL && i < 2; i++) {
		struct bulla_bytes text = query_first(x->query, folds[i].name);

		if (text.len == 0)
			continue;
		TRY(parse_bool(text, &yes));
		if (yes)
			x->method = folds[i].method;
	}
	if (x->method == METHOD_LIST || x->method == METHOD_SCAN)
		TRY(add_slash(x));
	if (x->query != NULL && x->method != METHOD_POST && x->method != METHOD_PATCH)
		TRY(query_document(x, get));
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
	if (x->method == METHOD_OPTIONS)
		return bulla_fail(x->call, BULLA_E_BAD_REQUEST, "cannot handle internal-only request operation");
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
	if (is_form(request))
		TRY(form_parse(x->call, bulla_mem(request->body, request->body_len), true, &doc));
	else
		TRY(json_parse_body(x->call, request->body, request->body_len, &doc));
	x->doc = doc;
	return BULLA_OK;
}

/* There is the root namespace only. */
static enum bulla_err gate_namespace(struct passage *p)
{
	struct bulla_bytes ns = p->x.request->namespace;

	while (ns.len > 0 && ns.ptr[0] == '/')
		ns = bulla_mem(ns.ptr + 1, ns.len - 1);
	while (ns.len > 0 && ns.ptr[ns.len - 1] == '/')
		ns.len--;
	if (ns.len == 0 || bulla_is(ns, "root"))
		return BULLA_OK;
	if (p->path == NULL)
		return BULLA_E_NO_NAMESPACE;
	if ((p->path->flags & ROUTE_ANY_NAMESPACE) != 0)
		return BULLA_OK;
	return bulla_fail(p->x.call, BULLA_E_BAD_REQUEST, "operation unavailable in namespaces");
}

static enum bulla_err gate_seal(struct passage *p)
{
	if (p->path != NULL && (p->path->flags & ROUTE_WHILE_SEALED) != 0)
		return BULLA_OK;
	return bulla_is_sealed(p->x.engine) ? BULLA_E_SEALED : BULLA_OK;
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

static enum bulla_err gate_token(struct passage *p)
{
	struct exchange *x = &p->x;
	unsigned flags = x->route != NULL ? x->route->flags : p->path != NULL ? p->path->flags : 0;

	if ((flags & ROUTE_NO_TOKEN) != 0)
		return BULLA_OK;
	TRY(bulla_authenticate(x->engine, x->call, x->request->token));
	if ((flags & ROUTE_TOKEN_ONLY) != 0)
		return BULLA_OK;
	enum bulla_capability need = routes_capability(x->method);

	if (x->route != NULL && x->route->exists != NULL && !x->call->token->root) {
		bool exists = false;

		TRY(x->route->exists(x, &exists));
		if (!exists && x->route->need == BULLA_CAN_CREATE)
			need = BULLA_CAN_CREATE;
	}
	return bulla_authorise(x->engine, x->call, need, (flags & ROUTE_SUDO) != 0, x->path);
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
	return x->route != NULL ? BULLA_OK : BULLA_E_UNSUPPORTED_METHOD;
}

/* A secret that was asked for in a wrapping must not go out without one. */
static enum bulla_err gate_wrapping(struct passage *p)
{
	struct exchange *x = &p->x;
	int64_t ttl_s;

	if (x->request->wrap_ttl.len == 0 || (x->route->flags & ROUTE_EDGE) != 0)
		return BULLA_OK;
	TRY(duration_parse(x->call, x->request->wrap_ttl, &ttl_s));
	if (ttl_s == 0)
		return BULLA_OK;
	return bulla_fail(x->call, BULLA_E_BAD_REQUEST, "response wrapping is not supported: the request was refused");
}

/* ---- the handler's warnings ------------------------------------------------------------------------------------------ */

static bool is_param(const char *pattern, struct bulla_bytes name)
{
	for (size_t i = 0; i < MAX_PARAMS; i++) {
		struct bulla_bytes param = routes_param(pattern, i);

		if (param.len == 0)
			return false;
		if (bulla_equal(param, name))
			return true;
	}
	return false;
}

static bool is_field(const struct field *fields, struct bulla_bytes name)
{
	for (const struct field *f = fields; f->name != NULL; f++)
		if (bulla_is(name, f->name))
			return true;
	return false;
}

static int compare_names(const void *a, const void *b)
{
	return bulla_compare(*(const struct bulla_bytes *)a, *(const struct bulla_bytes *)b);
}

/* "WHAT: [a b]" */
static enum bulla_err warn_of(struct bulla_call *call, const char *what, struct bulla_bytes *names, size_t count)
{
	size_t len = 0;

	if (count == 0)
		return BULLA_OK;
	qsort(names, count, sizeof *names, compare_names);
	for (size_t i = 0; i < count; i++)
		len += names[i].len + 1;
	char *list = bulla_arena_alloc(call->arena, len + 1), *to = list;

	if (list == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		if (names[i].len > 0)
			memcpy(to, names[i].ptr, names[i].len);
		to += names[i].len;
		*to++ = ' ';
	}
	return bulla_warn(call, "%s: [%.*s]", what, (int)(len - 1), list);
}

/* Names that the endpoint does not know, or that stand in the path already. */
static enum bulla_err warn_of_fields(struct exchange *x)
{
	const struct json *doc = x->doc;

	if (x->route->fields == NULL || doc == NULL)
		return BULLA_OK;
	struct bulla_bytes *ignored = bulla_arena_alloc(x->call->arena, 2 * doc->count * sizeof *ignored);
	size_t ignored_count = 0, replaced_count = 0;

	if (ignored == NULL)
		return BULLA_E_NO_MEMORY;
	struct bulla_bytes *replaced = ignored + doc->count;

	for (const struct json *v = doc->first; v != NULL; v = v->next) {
		if (is_param(x->route->pattern, v->name))
			replaced[replaced_count++] = v->name;
		else if (!is_field(x->route->fields, v->name))
			ignored[ignored_count++] = v->name;
	}
	TRY(warn_of(x->call, "Endpoint ignored these unrecognized parameters", ignored, ignored_count));
	return warn_of(x->call,
		       "Endpoint replaced the value of these parameters with the values captured from the endpoint's path",
		       replaced, replaced_count);
}

/* ---- the reply ------------------------------------------------------------------------------------------------------- */

static enum bulla_err run_handler(struct passage *p)
{
	struct exchange *x = &p->x;
	struct out *body = &p->reply->body;
	bool raw = (x->route->flags & ROUTE_RAW) != 0;

	if (!raw)
		TRY(envelope_begin(body));
	p->data_at = body->len;
	x->data = body;
	x->auth = &p->auth;
	TRY(x->route->fn(x));
	bool printed = body->len > p->data_at || p->auth.len > 0;
	bool answers = printed || x->call->warnings != NULL;

	/* the peer's warnings of fields go with what its framework answers, not with a status that the handler chose */
	if (answers && x->status == 0)
		TRY(warn_of_fields(x));
	p->reply->status = x->status != 0 ? x->status : answers ? 200 : 204;
	p->reply->content_type = "application/json";
	if (!raw && answers)
		envelope_end(body, p->data_at, &p->auth, x->call->warnings, (x->route->flags & ROUTE_MIRROR) != 0);
	else if (!answers)
		out_cut(body, 0);
	return body->failed || p->auth.failed ? BULLA_E_NO_MEMORY : BULLA_OK;
}

static enum bulla_err pass_gates(struct passage *p)
{
	struct exchange *x = &p->x;
	struct target target;

	if (!x->call->may_block && x->request->body_len > LOOP_MAX_BODY)
		return BULLA_E_MUST_BLOCK;
	TRY(target_decode(x->call, x->request->target, &target));
	if (target.location.len > 0) {
		p->reply->location = target.location;
		return BULLA_OK;
	}
	x->path = target.path;
	x->query = target.query;
	TRY(fold_method(x));
	find_edge(p);
	TRY(gate_method(p));
	TRY(gate_body(p));
	TRY(gate_namespace(p));
	TRY(gate_seal(p));
	if ((x->method == METHOD_POST || x->method == METHOD_PATCH) && x->path.len > 0 && x->path.ptr[x->path.len - 1] == '/')
		return bulla_fail(x->call, BULLA_E_BAD_REQUEST, "cannot write to a path ending in '/'");
	find_route(p);
	if (!x->call->may_block && x->route != NULL && (x->route->flags & ROUTE_BLOCKS) != 0)
		return BULLA_E_MUST_BLOCK;
	TRY(gate_token(p));
	TRY(gate_operation(p));
	TRY(gate_wrapping(p));
	return run_handler(p);
}

static void log_fault(const struct passage *p, const struct bulla_err_row *row)
{
	const struct exchange *x = &p->x;
	const struct service *service = p->service;

	if (service->log == NULL)
		return;
	struct bulla_bytes mount = x->mount != NULL ? x->mount->path : (struct bulla_bytes){ 0 };
	struct bulla_bytes detail = x->call->detail;
	struct bulla_bytes line = bulla_arena_printf(x->call->arena, "%s at %.*s%s: %.*s", row->name, (int)mount.len,
						     (const char *)mount.ptr, p->path != NULL ? p->path->pattern : "",
						     (int)detail.len, (const char *)detail.ptr);

	service->log(service->log_context, "error", line.ptr != NULL ? (const char *)line.ptr : row->name);
}

/* The methods that the path has, for Allow. */
static const char *allowed(const struct passage *p)
{
	static const struct {
		enum method method;
		const char *name;
	} names[] = { { METHOD_GET, "GET" }, { METHOD_HEAD, "HEAD" }, { METHOD_LIST, "LIST" }, { METHOD_POST, "POST, PUT" },
		      { METHOD_DELETE, "DELETE" }, { METHOD_PATCH, "PATCH" } };
	char *list = p->path != NULL ? bulla_arena_alloc(p->x.call->arena, 64) : NULL;

	if (list == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (p->path->rows[names[i].method] != NULL) {
			if (list[0] != 0)
				strcat(list, ", ");
			strcat(list, names[i].name);
		}
	return list[0] != 0 ? list : NULL;
}

static void answer_error(struct passage *p, enum bulla_err err)
{
	const struct bulla_err_row *row = bulla_err_row(err);
	struct reply *reply = p->reply;
	struct bulla_bytes text = bulla_call_text(p->x.call, err);

	if (row->kind == BULLA_CLASS_FAULT) {
		log_fault(p, row);
		text = bulla_str(row->text);
	}
	out_clear(&reply->body);
	reply->status = row->status;
	reply->content_type = row->style == BULLA_STYLE_NOBODY ? NULL : "application/json";
	reply->retry_after_s = row->kind == BULLA_CLASS_BUSY ? 1 : 0;
	if (row->status == 405)
		reply->allow = allowed(p);
	envelope_error(&reply->body, row, text);
	if (reply->body.failed)
		out_clear(&reply->body); /* the status alone has to do */
}

static void answer_redirect(struct passage *p)
{
	struct reply *reply = p->reply;
	enum method method = p->x.request->method;

	reply->status = 307;
	if (method != METHOD_GET && method != METHOD_HEAD)
		return;
	reply->content_type = "text/html; charset=utf-8";
	envelope_redirect(&reply->body, reply->location);
}

/* Gives back what the gates took. */
static void release(struct passage *p)
{
	struct bulla_call *call = p->x.call;

	bulla_token_put(call->token);
	call->token = NULL;
	bulla_mount_put(p->x.mount);
	out_clear(&p->auth);
}

enum bulla_err serve_check(struct bulla_call *call)
{
	return routes_init(call);
}

bool serve(const struct service *service, struct bulla_call *call, const struct request *request, struct reply *reply)
{
	struct passage p = {
		.x = { .engine = service->engine, .call = call, .server = &service->info, .request = request, .method = request->method },
		.service = service, .reply = reply,
	};

	*reply = (struct reply){ 0 };
	enum bulla_err err = pass_gates(&p);

	if (err == BULLA_E_MUST_BLOCK && !call->may_block) {
		release(&p);
		out_clear(&reply->body);
		*reply = (struct reply){ 0 };
		call->detail = (struct bulla_bytes){ 0 };
		call->warnings = NULL;
		return false;
	}
	if (err != BULLA_OK)
		answer_error(&p, err);
	else if (reply->location.len > 0)
		answer_redirect(&p);
	release(&p);
	return true;
}
