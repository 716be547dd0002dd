/* cubbyhole.c: what a token keeps for itself. Workers only, one exchange at a time. */
#include "handlers/list_page.h"
#include "http/routes.h"

static enum bulla_err read_value(struct exchange *x)
{
	struct bulla_bytes value;
	struct json *doc;

	if (x->params[0].len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID_500, "missing path");
	TRY(bulla_cubbyhole_get(x->engine, x->call, x->params[0], &value));
	TRY(json_parse(x->call, value.ptr, value.len, &doc));
	json_value(x->data, doc);
	return BULLA_OK;
}

static enum bulla_err exists(struct exchange *x, bool *exists)
{
	struct bulla_bytes value;
	enum bulla_err err = bulla_cubbyhole_get(x->engine, x->call, x->params[0], &value);

	if (err != BULLA_OK && err != BULLA_E_NOT_FOUND)
		return err;
	*exists = err == BULLA_OK;
	return BULLA_OK;
}

static enum bulla_err write_value(struct exchange *x)
{
	BULLA_CLEANUP(out_clear) struct out text = { 0 };

	if (x->doc == NULL || x->doc->count == 0)
		return bulla_fail(x->call, BULLA_E_INVALID_500, "missing data fields");
	if (x->params[0].len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID_500, "missing path");
	json_value(&text, x->doc);
	if (text.failed)
		return BULLA_E_NO_MEMORY;
	return bulla_cubbyhole_put(x->engine, x->call, x->params[0], bulla_mem(text.ptr, text.len));
}

static enum bulla_err remove_value(struct exchange *x)
{
	return bulla_cubbyhole_remove(x->engine, x->call, x->params[0]);
}

static enum bulla_err list(struct exchange *x)
{
	struct bulla_bytes *names;
	size_t count;

	TRY(bulla_cubbyhole_list(x->engine, x->call, x->params[0], &names, &count));
	return list_print(x, names, count);
}

#define ROW(method, handler_, flags_)                                                                          \
	{ .mount = BULLA_MOUNT_CUBBYHOLE, .methods = ON(method), .pattern = "{path*}", .fn = handler_,          \
	  .flags = ROUTE_TOKEN | ROUTE_BLOCKS | (flags_), .doc = "cubbyhole" }

const struct route cubbyhole_routes[] = {
	ROW(GET, read_value, 0),
	{ .mount = BULLA_MOUNT_CUBBYHOLE, .methods = ON(POST), .pattern = "{path*}", .fn = write_value,
	  .flags = ROUTE_TOKEN | ROUTE_BLOCKS | ROUTE_ANY_FIELDS, .need = BULLA_CAN_CREATE, .exists = exists, .doc = "cubbyhole" },
	ROW(DELETE, remove_value, 0),
	ROW(LIST, list, 0),
	{ .fn = NULL },
};
