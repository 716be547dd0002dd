/* gates_said.c: what a request says, before it is asked who says it: query, method, body. Stateless: any thread. */

#include "http/gates_internal.h"
#include "request/form.h"

/* ---- the query ----------------------------------------------------------------------------------------------------------- */

/* Go's strconv.ParseBool. */
static enum bulla_err parse_bool(struct bulla_bytes text, bool *out)
{
	struct json value = { .type = JSON_STRING, .text = text };

	if (text.len == 0 || field_bool(&value, out) != BULLA_OK)
		return BULLA_E_EMPTY_400;
	return BULLA_OK;
}

struct bulla_bytes gates_query(const struct json *query, const char *name)
{
	const struct json *value = json_get(query, name);

	if (value != NULL && value->type == JSON_ARRAY)
		value = value->first;
	return value != NULL ? value->text : (struct bulla_bytes){ 0 };
}

/* The query as a document: without what is no parameter of an endpoint. folded: what named the method; NULL: nothing did. */
static enum bulla_err query_document(struct exchange *x, const char *folded)
{
	struct json *doc = bulla_arena_alloc(x->call->arena, sizeof *doc);
	struct json **end;

	if (doc == NULL)
		return BULLA_E_NO_MEMORY;
	doc->type = JSON_OBJECT;
	end = &doc->first;
	for (const struct json *v = x->query->first; v != NULL; v = v->next) {
		if (bulla_is(v->name, "help") || (folded != NULL && bulla_is(v->name, folded)))
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

enum bulla_err gate_fold(struct exchange *x)
{
	static const struct {
		const char *name;
		enum method method;
	} folds[] = { { "list", METHOD_LIST }, { "scan", METHOD_SCAN } };
	bool get = x->method == METHOD_GET, yes;
	const char *folded = NULL;

	for (size_t i = 0; get && x->query != NULL && i < 2; i++) {
		struct bulla_bytes text = gates_query(x->query, folds[i].name);

		if (text.len == 0)
			continue;
		TRY(parse_bool(text, &yes));
		if (yes && folded != NULL)
			return BULLA_E_EMPTY_400; /* one or the other */
		if (yes) {
			x->method = folds[i].method;
			folded = folds[i].name;
		}
	}
	if (x->method == METHOD_LIST || x->method == METHOD_SCAN)
		TRY(add_slash(x));
	if (x->query != NULL && x->method != METHOD_POST && x->method != METHOD_PATCH)
		TRY(query_document(x, folded));
	return BULLA_OK;
}

/* ---- the method and the body --------------------------------------------------------------------------------------------- */

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

enum bulla_err gate_method(struct passage *p)
{
	struct exchange *x = &p->x;

	if (x->method == METHOD_UNKNOWN || (p->path != NULL && p->path->rows[x->method] == NULL))
		return BULLA_E_METHOD_NOT_ALLOWED;
	if (x->method != METHOD_PATCH)
		return BULLA_OK;
	struct bulla_bytes type = media_type(x->request->content_type);

	if (type.len == 0)
		return bulla_fail(x->call, BULLA_E_BAD_REQUEST, "mime: no media type");
	if (!bulla_is_nocase(type, "application/merge-patch+json"))
		return bulla_fail(x->call, BULLA_E_MEDIA_TYPE,
				  "PATCH requires Content-Type of application/merge-patch+json, provided %.*s", (int)type.len,
				  (const char *)type.ptr);
	return BULLA_OK;
}

/* Forms are what says so and does not look like JSON: curl -d sends JSON under that name. */
static bool is_form(const struct request *request)
{
	if (!bulla_is_nocase(media_type(request->content_type), "application/x-www-form-urlencoded"))
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

enum bulla_err gate_body(struct passage *p)
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
