/* sys_wrapping.c: replies that wait for whoever shows their token. The gates have looked at the token already: whether it is
 * still good is decided by the one call into the library. Workers only, one exchange at a time. */
#include "http/routes.h"

struct wrapping_fields {
	struct bulla_bytes token;
};

static const struct field wrapping_fields[] = {
	FIELD(struct wrapping_fields, token, FIELD_STRING),
	FIELD_END,
};

/* Its answer is what it was given; serve() puts it away. */
static enum bulla_err wrap(struct exchange *x)
{
	if (x->wrap_ttl_s == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "endpoint requires response wrapping to be used");
	if (x->doc != NULL) {
		json_value(x->data, x->doc);
		return BULLA_OK;
	}
	json_open(x->data, '{');
	json_close(x->data, '}');
	return BULLA_OK;
}

static enum bulla_err unwrap(struct exchange *x)
{
	struct bulla_wrapped reply;

	TRY(bulla_wrapping_open(x->engine, x->call, x->wrapping_token, &reply));
	out_raw(x->data, reply.body);
	x->status = reply.status;
	return BULLA_OK;
}

static enum bulla_err rewrap(struct exchange *x)
{
	struct bulla_wrapping *wrapping = bulla_arena_alloc(x->call->arena, sizeof *wrapping);

	if (wrapping == NULL)
		return BULLA_E_NO_MEMORY;
	TRY(bulla_wrapping_renew(x->engine, x->call, x->wrapping_token, wrapping));
	x->wrapping = wrapping;
	return BULLA_OK;
}

static enum bulla_err lookup(struct exchange *x)
{
	struct bulla_wrapping wrapping;
	char time[BULLA_TIME_TEXT];

	TRY(bulla_wrapping_lookup(x->engine, x->call, x->wrapping_token, &wrapping));
	(void)bulla_time_print(wrapping.created_date_ns, time);
	json_open(x->data, '{');
	json_put_string(x->data, "creation_path", wrapping.creation_path);
	json_put_text(x->data, "creation_time", time);
	json_put_int(x->data, "creation_ttl", wrapping.ttl_s);
	json_close(x->data, '}');
	return BULLA_OK;
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define ROW(methods_, path, handler_, flags_, known, anchor)                                                 \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = methods_, .pattern = path, .fn = handler_, .flags = flags_, \
	  .fields = known, .doc = anchor }

const struct route sys_wrapping_routes[] = {
	ROW(ON(POST), "wrapping/wrap", wrap, ROUTE_TOKEN | ROUTE_ANY_FIELDS, NULL, "wrap"),
	ROW(ON(POST), "wrapping/unwrap", unwrap, ROUTE_TOKEN | ROUTE_RAW | ROUTE_BLOCKS | ROUTE_WRAPPING | ROUTE_OWN_WRAPPING,
	    wrapping_fields, "unwrap"),
	ROW(ON(POST), "wrapping/rewrap", rewrap, ROUTE_TOKEN | ROUTE_BLOCKS | ROUTE_WRAPPING, wrapping_fields, "renew-wrapping"),
	ROW(ON(GET) | ON(POST), "wrapping/lookup", lookup, ROUTE_NO_TOKEN | ROUTE_BLOCKS | ROUTE_WRAPPING, wrapping_fields,
	    "look-up-wrapping"),
	{ .fn = NULL },
};
