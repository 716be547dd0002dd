/* notices.c: the peer's warnings of members that a request should not have had. Stateless: any thread. */
#include <stdlib.h>

#include "http/gates.h"

/* Whether name is one of those in list, which have a space between them; NULL: an empty list. */
static bool is_listed(const char *list, struct bulla_bytes name)
{
	for (const char *at = list; at != NULL && *at != 0;) {
		size_t n = strcspn(at, " ");

		if (bulla_equal(bulla_mem(at, n), name))
			return true;
		at += n + (at[n] == ' ');
	}
	return false;
}

/* Parameters of the path beat members of the body, also those that the path leaves out. */
static bool is_param(const struct route *route, struct bulla_bytes name)
{
	for (size_t i = 0; i < MAX_PARAMS; i++) {
		struct bulla_bytes param = routes_param(route->pattern, i);

		if (param.len == 0)
			break;
		if (bulla_equal(param, name))
			return true;
	}
	return is_listed(route->absent, name);
}

static bool is_field(const struct field *fields, struct bulla_bytes name)
{
	for (const struct field *f = fields; f != NULL && f->name != NULL; f++)
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
enum bulla_err notices_fields(struct exchange *x)
{
	const struct json *doc = x->doc;

	if ((x->route->flags & (ROUTE_RAW | ROUTE_ANY_FIELDS)) != 0 || doc == NULL)
		return BULLA_OK;
	struct bulla_bytes *ignored = bulla_arena_alloc(x->call->arena, 2 * doc->count * sizeof *ignored);
	size_t ignored_count = 0, replaced_count = 0;

	if (ignored == NULL)
		return BULLA_E_NO_MEMORY;
	struct bulla_bytes *replaced = ignored + doc->count;

	for (const struct json *v = doc->first; v != NULL; v = v->next) {
		bool param = is_param(x->route, v->name);

		if (param && v->type != JSON_NULL)
			replaced[replaced_count++] = v->name;
		if (!param && !is_field(x->route->fields, v->name))
			ignored[ignored_count++] = v->name;
	}
	TRY(warn_of(x->call, "Endpoint ignored these unrecognized parameters", ignored, ignored_count));
	return warn_of(x->call,
		       "Endpoint replaced the value of these parameters with the values captured from the endpoint's path",
		       replaced, replaced_count);
}
