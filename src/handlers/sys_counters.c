/* sys_counters.c: how many tokens and leases there are. Any thread, one exchange at a time. */
#include <errno.h>
#include <stdlib.h>

#include "http/routes.h"

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

/* ---- counters -------------------------------------------------------------------------------------------------------------- */

static void put_total(struct out *out, const char *name, uint64_t total)
{
	json_open(out, '{');
	json_key(out, "counters");
	json_open(out, '{');
	json_key(out, name);
	json_open(out, '{');
	json_put_int(out, "total", (int64_t)total);
	json_close(out, '}');
	json_close(out, '}');
	json_close(out, '}');
}

static enum bulla_err count_tokens(struct exchange *x)
{
	uint64_t count;

	TRY(bulla_token_count(x->engine, x->call, &count));
	put_total(x->data, "service_tokens", count);
	return BULLA_OK;
}

/* There is no identity store, and so nobody in it. */
static enum bulla_err count_entities(struct exchange *x)
{
	put_total(x->data, "entities", 0);
	return BULLA_OK;
}

static enum bulla_err count_requests(struct exchange *x)
{
	(void)x;
	return BULLA_E_PATH_REMOVED;
}

/* ---- leases that cannot be revoked ----------------------------------------------------------------------------------------- */

struct lease_fields {
	struct bulla_bytes type, limit;
	bool include_child_namespaces;
};

static const struct field count_fields[] = {
	FIELD(struct lease_fields, type, FIELD_STRING),
	FIELD(struct lease_fields, include_child_namespaces, FIELD_BOOL),
	FIELD_END,
};

static const struct field list_fields[] = {
	FIELD(struct lease_fields, type, FIELD_STRING),
	FIELD(struct lease_fields, include_child_namespaces, FIELD_BOOL),
	FIELD(struct lease_fields, limit, FIELD_STRING),
	FIELD_END,
};

/* A lease is a token's, and to revoke that takes nothing but the store: none is ever given up, so none is of this type. */
static enum bulla_err bind(struct exchange *x, const struct field *fields, struct lease_fields *f)
{
	TRY(fields_bind(x->call, x->doc, fields, true, f));
	return bulla_is(f->type, "irrevocable") ? BULLA_OK : BULLA_E_NOT_FOUND;
}

static enum bulla_err count_leases(struct exchange *x)
{
	struct lease_fields f = { 0 };

	TRY(bind(x, count_fields, &f));
	json_open(x->data, '{');
	json_key(x->data, "counts");
	json_open(x->data, '{');
	json_close(x->data, '}');
	json_put_int(x->data, "lease_count", 0);
	json_close(x->data, '}');
	return BULLA_OK;
}

static bool is_none(struct bulla_bytes text)
{
	return text.len == 0 || (text.len == 4 && strncasecmp((const char *)text.ptr, "none", 4) == 0);
}

static enum bulla_err check_limit(struct exchange *x, struct bulla_bytes limit)
{
	struct bulla_bytes text = bulla_arena_printf(x->call->arena, "%.*s", PRINT(limit)), quoted = bulla_arena_quote(x->call->arena, limit);
	const char *start = (const char *)text.ptr;
	char *end;

	if (text.ptr == NULL || quoted.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	errno = 0;
	long long number = strtoll(start, &end, 10);

	if (end == start || (size_t)(end - start) != limit.len || *start <= ' ' || errno == ERANGE)
		return bulla_fail(x->call, BULLA_E_INVALID_500, "invalid 'limit' provided: strconv.Atoi: parsing %.*s: %s", PRINT(quoted),
				  errno == ERANGE ? "value out of range" : "invalid syntax");
	if (number <= 0)
		return bulla_fail(x->call, BULLA_E_INVALID_500, "limit must be 'none' or a positive integer");
	return BULLA_OK;
}

static enum bulla_err list_leases(struct exchange *x)
{
	struct lease_fields f = { 0 };

	TRY(bind(x, list_fields, &f));
	if (!is_none(f.limit))
		TRY(check_limit(x, f.limit));
	json_open(x->data, '{');
	json_put_int(x->data, "lease_count", 0);
	json_put_strings(x->data, "leases", NULL, 0);
	json_close(x->data, '}');
	return BULLA_OK;
}

/* ---- routes ---------------------------------------------------------------------------------------------------------------- */

#define ROW(path, handler_, flags_, known, anchor)                                                             \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(GET), .pattern = path, .fn = handler_,                     \
	  .flags = ROUTE_TOKEN | (flags_), .fields = known, .doc = anchor }

const struct route sys_counter_routes[] = {
	ROW("internal/counters/tokens", count_tokens, ROUTE_BLOCKS, NULL, "counters"),
	ROW("internal/counters/entities", count_entities, 0, NULL, "counters"),
	ROW("internal/counters/requests", count_requests, 0, NULL, "counters"),
	ROW("leases", list_leases, ROUTE_SUDO, list_fields, "irrevocable-leases"),
	ROW("leases/count", count_leases, 0, count_fields, "irrevocable-leases"),
	{ .fn = NULL },
};
