/* sys_config.c: what browsers are told: CORS, and headers for pages of a user interface. Any thread, one exchange at a
 * time. */
#include <bulla/cors.h>
#include <bulla/ui_headers.h>
#include <strings.h>

#include "http/routes.h"

/* ---- CORS -------------------------------------------------------------------------------------------------------- */

struct cors_fields {
	struct field_strings origins, headers;
	bool enable; /* OpenBao takes it, too, and does not look at it */
	bool credentials;
};

static const struct field cors_fields[] = {
	FIELD_AS(struct cors_fields, "allowed_origins", origins, FIELD_STRINGS),
	FIELD_AS(struct cors_fields, "allowed_headers", headers, FIELD_STRINGS),
	FIELD_AS(struct cors_fields, "allow_credentials", credentials, FIELD_BOOL),
	FIELD(struct cors_fields, enable, FIELD_BOOL),
	FIELD_END,
};

static enum bulla_err write_cors(struct exchange *x)
{
	struct cors_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, cors_fields, true, &f));
	const struct bulla_cors_config config = {
		.origins = f.origins.items, .origin_count = f.origins.count, .headers = f.headers.items,
		.header_count = f.headers.count, .credentials = f.credentials,
	};

	return bulla_cors_enable(x->engine, x->call, &config);
}

static enum bulla_err read_cors(struct exchange *x)
{
	struct bulla_cors_config config;

	TRY(bulla_cors_read(x->engine, x->call, &config));
	json_open(x->data, '{');
	if (config.enabled) {
		json_put_bool(x->data, "allow_credentials", config.credentials);
		json_put_strings(x->data, "allowed_headers", config.headers, config.header_count);
		json_put_strings(x->data, "allowed_origins", config.origins, config.origin_count);
	}
	json_put_bool(x->data, "enabled", config.enabled);
	json_close(x->data, '}');
	return BULLA_OK;
}

static enum bulla_err delete_cors(struct exchange *x)
{
	return bulla_cors_disable(x->engine, x->call);
}

/* ---- headers of pages -------------------------------------------------------------------------------------------- */

struct header_fields {
	struct field_strings values;
	bool multivalue;
};

static const struct field header_fields[] = {
	FIELD(struct header_fields, values, FIELD_LIST),
	FIELD(struct header_fields, multivalue, FIELD_BOOL),
	FIELD_END,
};

static enum bulla_err check_name(struct exchange *x, struct bulla_bytes name)
{
	static const char reserved[] = "X-Vault-";
	size_t n = sizeof reserved - 1;

	if (name.len >= n && strncasecmp((const char *)name.ptr, reserved, n) == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "X-Vault headers cannot be set");
	if (x->server->sends_header != NULL && x->server->sends_header(x->server->sends_context, name))
		return bulla_fail(
			x->call, BULLA_E_INVALID,
			"This header already exists in the server configuration and cannot be set in the UI.");
	return BULLA_OK;
}

static enum bulla_err write_header(struct exchange *x)
{
	struct header_fields f = { 0 };
	struct bulla_bytes name = x->params[0];

	TRY(fields_bind(x->call, x->doc, header_fields, true, &f));
	if (f.values.count == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "header and values must be specified");
	TRY(check_name(x, name));
	TRY(bulla_ui_header_write(x->engine, x->call, name, f.values.items, f.values.count));
	if (bulla_is_nocase(name, "Content-Security-Policy"))
		TRY(bulla_warn(
			x->call,
			"overriding default Content-Security-Policy which is secure by default, proceed with caution"));
	json_nil(x->data);
	return BULLA_OK;
}

static enum bulla_err read_header(struct exchange *x)
{
	struct header_fields f = { 0 };
	const struct bulla_bytes *values;
	size_t count;

	TRY(fields_bind(x->call, x->doc, header_fields, true, &f));
	TRY(bulla_ui_header_read(x->engine, x->call, x->params[0], &values, &count));
	json_open(x->data, '{');
	if (f.multivalue)
		json_put_strings(x->data, "values", values, count);
	else
		json_put_string(x->data, "value", values[0]);
	json_close(x->data, '}');
	return BULLA_OK;
}

static enum bulla_err delete_header(struct exchange *x)
{
	return bulla_ui_header_delete(x->engine, x->call, x->params[0]);
}

static enum bulla_err list_headers(struct exchange *x)
{
	struct bulla_bytes *names;
	size_t count;

	TRY(bulla_ui_header_list(x->engine, x->call, &names, &count));
	json_open(x->data, '{');
	json_put_strings(x->data, "keys", names, count);
	json_close(x->data, '}');
	return BULLA_OK;
}

/* ---- routes ------------------------------------------------------------------------------------------------------ */

#define ROW(method, path, handler_, flags_, known, anchor)                                                     \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(method), .pattern = path, .fn = handler_, .flags = flags_, \
	  .fields = known, .doc = anchor }
#define SUDO (ROUTE_TOKEN | ROUTE_SUDO)

const struct route sys_config_routes[] = {
	ROW(GET, "config/cors", read_cors, SUDO | ROUTE_MIRROR, cors_fields, "cors"),
	ROW(POST, "config/cors", write_cors, SUDO | ROUTE_MIRROR | ROUTE_BLOCKS, cors_fields, "cors"),
	ROW(DELETE, "config/cors", delete_cors, SUDO | ROUTE_BLOCKS, cors_fields, "cors"),
	ROW(LIST, "config/ui/headers", list_headers, SUDO, NULL, "headers-of-pages"),
	ROW(GET, "config/ui/headers/{header}", read_header, SUDO, header_fields, "headers-of-pages"),
	ROW(POST, "config/ui/headers/{header}", write_header, SUDO | ROUTE_BLOCKS, header_fields, "headers-of-pages"),
	ROW(DELETE, "config/ui/headers/{header}", delete_header, SUDO | ROUTE_BLOCKS, header_fields,
	    "headers-of-pages"),
	{ .fn = NULL },
};
