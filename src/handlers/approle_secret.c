/* approle_secret.c: secret ids of roles, by themselves and by accessor. Any thread, one exchange at a time. */
#include "handlers/approle.h"
#include "handlers/list_page.h"
#include "http/routes.h"

/* ---- making ---------------------------------------------------------------------------------------------------------------- */

struct make_fields {
	unsigned set;
	struct bulla_bytes metadata, secret_id;
	struct field_strings cidr_list, token_bound_cidrs;
	int64_t num_uses, ttl_s;
};

#define MAKE_FIELDS                                                                                                     \
	FIELD(struct make_fields, metadata, FIELD_STRING), FIELD(struct make_fields, cidr_list, FIELD_STRINGS),          \
	FIELD(struct make_fields, token_bound_cidrs, FIELD_STRINGS),                                                     \
	FIELD_SET(struct make_fields, "num_uses", num_uses, FIELD_INT, set, BULLA_SECRET_ID_NUM_USES),                   \
	FIELD_SET(struct make_fields, "ttl", ttl_s, FIELD_SECONDS, set, BULLA_SECRET_ID_TTL)

static const struct field make_fields[] = { MAKE_FIELDS, FIELD_END };
static const struct field custom_fields[] = { MAKE_FIELDS, FIELD(struct make_fields, secret_id, FIELD_STRING), FIELD_END };

static enum bulla_err make_secret_id(struct exchange *x, const struct make_fields *f)
{
	const struct bulla_secret_id_args args = {
		.set = f->set, .num_uses = f->num_uses, .ttl_s = f->ttl_s, .cidrs = f->cidr_list.items, .cidr_count = f->cidr_list.count,
		.token_cidrs = f->token_bound_cidrs.items, .token_cidr_count = f->token_bound_cidrs.count, .metadata = f->metadata,
		.custom = f->secret_id,
	};
	struct bulla_secret_id_made made;
	struct out *out = x->data;

	TRY(bulla_secret_id_make(x->engine, x->call, x->mount, x->params[0], &args, &made));
	json_open(out, '{');
	json_put_string(out, "secret_id", made.secret_id);
	json_put_string(out, "secret_id_accessor", made.accessor);
	json_put_int(out, "secret_id_num_uses", made.num_uses);
	json_put_int(out, "secret_id_ttl", made.ttl_s);
	json_close(out, '}');
	return BULLA_OK;
}

static enum bulla_err generate(struct exchange *x)
{
	struct make_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, make_fields, true, &f));
	return make_secret_id(x, &f);
}

static enum bulla_err make_custom(struct exchange *x)
{
	struct make_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, custom_fields, true, &f));
	if (f.secret_id.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "missing secret_id");
	return make_secret_id(x, &f);
}

static enum bulla_err list_accessors(struct exchange *x)
{
	struct bulla_bytes *accessors;
	size_t count;

	TRY(bulla_secret_id_list(x->engine, x->call, x->mount, x->params[0], &accessors, &count));
	return list_page_print(x, accessors, count);
}

/* ---- one secret id ----------------------------------------------------------------------------------------------------------- */

struct ref_fields {
	struct bulla_bytes secret_id, secret_id_accessor;
};

static const struct field secret_fields[] = { FIELD(struct ref_fields, secret_id, FIELD_STRING), FIELD_END };
static const struct field accessor_fields[] = { FIELD(struct ref_fields, secret_id_accessor, FIELD_STRING), FIELD_END };

static enum bulla_err read_ref(struct exchange *x, bool by_accessor, struct bulla_secret_id_ref *out)
{
	struct ref_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, by_accessor ? accessor_fields : secret_fields, true, &f));
	if (f.secret_id.len + f.secret_id_accessor.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, by_accessor ? "missing secret_id_accessor" : "missing secret_id");
	*out = (struct bulla_secret_id_ref){ x->params[0], f.secret_id, f.secret_id_accessor };
	return BULLA_OK;
}

/* 0: Go's zero time, which the peer prints for never. */
static void put_time(struct out *out, const char *name, int64_t ns)
{
	char text[BULLA_TIME_TEXT] = "0001-01-01T00:00:00Z";

	if (ns != 0)
		(void)bulla_time_print(ns, text);
	json_put_text(out, name, text);
}

static void print_secret_id(struct out *out, const struct bulla_secret_id *s)
{
	json_open(out, '{');
	json_put_strings(out, "cidr_list", s->cidrs, s->cidr_count);
	put_time(out, "creation_time", s->created_date_ns);
	put_time(out, "expiration_time", bulla_date_of(s->expires_ns));
	put_time(out, "last_updated_time", s->updated_date_ns);
	json_put_pairs(out, "metadata", s->meta, s->meta_count);
	json_put_string(out, "secret_id_accessor", s->accessor);
	json_put_int(out, "secret_id_num_uses", s->num_uses);
	json_put_int(out, "secret_id_ttl", s->ttl_s);
	json_put_strings(out, "token_bound_cidrs", s->token_cidrs, s->token_cidr_count);
	json_close(out, '}');
}

static enum bulla_err lookup(struct exchange *x)
{
	struct bulla_secret_id_ref ref;
	struct bulla_secret_id found;

	TRY(read_ref(x, false, &ref));
	enum bulla_err err = bulla_secret_id_lookup(x->engine, x->call, x->mount, &ref, &found);

	if (err == BULLA_E_NOT_FOUND)
		return BULLA_OK; /* 204, as at the peer */
	TRY(err);
	print_secret_id(x->data, &found);
	return BULLA_OK;
}

/* The peer answers an accessor that it does not know with an error within data. */
static enum bulla_err unknown_accessor(struct exchange *x, struct bulla_bytes accessor)
{
	struct bulla_bytes quoted = bulla_arena_quote(x->call->arena, accessor);
	struct bulla_bytes text = bulla_arena_printf(x->call->arena, "failed to find accessor entry for secret_id_accessor: %.*s",
						     (int)quoted.len, (const char *)quoted.ptr);

	if (text.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	json_open(x->data, '{');
	json_put_string(x->data, "error", text);
	json_close(x->data, '}');
	x->status = 404;
	return BULLA_OK;
}

static enum bulla_err lookup_by_accessor(struct exchange *x)
{
	struct bulla_secret_id_ref ref;
	struct bulla_secret_id found;

	TRY(read_ref(x, true, &ref));
	enum bulla_err err = bulla_secret_id_lookup(x->engine, x->call, x->mount, &ref, &found);

	if (err == BULLA_E_BAD_ACCESSOR)
		return unknown_accessor(x, ref.accessor);
	if (err == BULLA_E_NOT_FOUND)
		return BULLA_OK;
	TRY(err);
	print_secret_id(x->data, &found);
	return BULLA_OK;
}

static enum bulla_err destroy(struct exchange *x)
{
	struct bulla_secret_id_ref ref;

	TRY(read_ref(x, false, &ref));
	return bulla_secret_id_destroy(x->engine, x->call, x->mount, &ref);
}

static enum bulla_err destroy_by_accessor(struct exchange *x)
{
	struct bulla_secret_id_ref ref;

	TRY(read_ref(x, true, &ref));
	return bulla_secret_id_destroy(x->engine, x->call, x->mount, &ref);
}

/* Done when it answers; the peer only begins then. */
static enum bulla_err tidy(struct exchange *x)
{
	TRY(bulla_secret_id_tidy(x->engine, x->call, x->mount));
	TRY(bulla_warn(x->call, "Tidy operation successfully started. Any information from the operation will be printed to OpenBao's "
				"server logs."));
	x->status = 202;
	return BULLA_OK;
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define ROW(methods_, path, handler_, known, anchor)                                                                       \
	{ .mount = BULLA_MOUNT_APPROLE, .methods = methods_, .pattern = path, .fn = handler_, .flags = ROUTE_TOKEN | ROUTE_BLOCKS, \
	  .fields = known, .doc = anchor }
#define SECRET "role/{role_name}/secret-id"

const struct route approle_secret_routes[] = {
	ROW(ON(POST), SECRET, generate, make_fields, "make-secret-id"),
	ROW(ON(LIST), SECRET, list_accessors, list_page_fields, "list-secret-ids"),
	ROW(ON(POST), "role/{role_name}/custom-secret-id", make_custom, custom_fields, "make-secret-id"),
	ROW(ON(POST), SECRET "/lookup", lookup, secret_fields, "look-up-secret-id"),
	ROW(ON(POST) | ON(DELETE), SECRET "/destroy", destroy, secret_fields, "destroy-secret-id"),
	ROW(ON(POST), SECRET "-accessor/lookup", lookup_by_accessor, accessor_fields, "look-up-secret-id"),
	ROW(ON(POST) | ON(DELETE), SECRET "-accessor/destroy", destroy_by_accessor, accessor_fields, "destroy-secret-id"),
	ROW(ON(POST), "tidy/secret-id", tidy, NULL, "tidy-secret-ids"),
	{ .fn = NULL },
};
