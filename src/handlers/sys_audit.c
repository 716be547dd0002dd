/* sys_audit.c: the audit devices and which request headers they record. Any thread, one exchange at a time. */
#include "http/routes.h"

/* ---- devices ------------------------------------------------------------------------------------------------------------- */

static void put_device(struct out *out, const struct bulla_audit_device *device)
{
	json_put_string(out, "description", device->description);
	json_put_bool(out, "local", device->local);
	json_put_pairs(out, "options", device->options, device->option_count);
	json_put_string(out, "path", device->path);
	json_put_string(out, "type", device->type);
}

static enum bulla_err list(struct exchange *x)
{
	struct bulla_audit_device *devices;
	size_t count;

	TRY(bulla_audit_devices(x->engine, x->call, &devices, &count));
	json_open(x->data, '{');
	for (size_t i = 0; i < count; i++) {
		json_key_bytes(x->data, devices[i].path);
		json_open(x->data, '{');
		put_device(x->data, &devices[i]);
		json_close(x->data, '}');
	}
	json_close(x->data, '}');
	return BULLA_OK;
}

static void put_base64(struct out *out, const char *key, struct bulla_bytes bytes)
{
	json_key(out, key);
	char *to = json_plain_string(out, BULLA_BASE64_LEN(bytes.len));

	if (to != NULL)
		bulla_base64_encode(bytes, to);
}

/* Beyond the peer: the state of one device, and what its log is checked with afterwards. */
static enum bulla_err read_device(struct exchange *x)
{
	struct bulla_bytes path = x->params[0];
	struct bulla_audit_device *devices;
	char head[64];
	size_t count;

	while (path.len > 0 && path.ptr[path.len - 1] == '/')
		path.len--;
	TRY(bulla_audit_devices(x->engine, x->call, &devices, &count));
	for (size_t i = 0; i < count; i++) {
		const struct bulla_audit_device *d = &devices[i];

		if (!bulla_equal(bulla_mem(d->path.ptr, d->path.len - 1), path))
			continue;
		bulla_hex_encode(bulla_mem(d->head, sizeof d->head), head);
		json_open(x->data, '{');
		put_device(x->data, d);
		json_put_bool(x->data, "healthy", d->healthy);
		if (!d->healthy)
			json_put_string(x->data, "trouble", d->trouble);
		json_put_bool(x->data, "managed_by_configuration", d->from_config);
		json_put_string(x->data, "id", d->id);
		put_base64(x->data, "public_key", bulla_mem(d->public_key, sizeof d->public_key));
		json_put_int(x->data, "records", (int64_t)d->records);
		json_put_int(x->data, "signed_records", (int64_t)d->signed_records);
		json_put_string(x->data, "head", bulla_mem(head, sizeof head));
		json_close(x->data, '}');
		return BULLA_OK;
	}
	return BULLA_E_NOT_FOUND;
}

struct enable_fields {
	struct bulla_bytes type, description;
	struct field_pairs options;
	bool local;
};

static const struct field enable_fields[] = {
	FIELD(struct enable_fields, type, FIELD_STRING),
	FIELD(struct enable_fields, description, FIELD_STRING),
	FIELD(struct enable_fields, options, FIELD_PAIRS),
	FIELD(struct enable_fields, local, FIELD_BOOL),
	FIELD_END,
};

static enum bulla_err enable(struct exchange *x)
{
	struct enable_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, enable_fields, true, &f));
	if (!x->server->allow_api_audit)
		return bulla_fail(x->call, BULLA_E_INVALID, "cannot enable audit device via API; use declarative, config-based audit "
				  "device management instead");
	const struct bulla_audit_spec spec = {
		.path = x->params[0], .type = f.type, .description = f.description, .local = f.local, .options = f.options.items,
		.option_count = f.options.count,
	};

	return bulla_audit_enable(x->engine, x->call, &spec);
}

static enum bulla_err disable(struct exchange *x)
{
	return bulla_audit_disable(x->engine, x->call, x->params[0]);
}

struct hash_fields {
	struct bulla_bytes input;
};

static const struct field hash_fields[] = { FIELD(struct hash_fields, input, FIELD_STRING), FIELD_END };

static enum bulla_err hash(struct exchange *x)
{
	struct hash_fields f = { 0 };
	struct bulla_bytes text;

	TRY(fields_bind(x->call, x->doc, hash_fields, true, &f));
	if (f.input.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "the \"input\" parameter is empty");
	TRY(bulla_audit_hash(x->engine, x->call, x->params[0], f.input, &text));
	json_open(x->data, '{');
	json_put_string(x->data, "hash", text);
	json_close(x->data, '}');
	return BULLA_OK;
}

/* ---- request headers ------------------------------------------------------------------------------------------------------- */

static void put_rule(struct out *out, struct bulla_bytes name, const struct bulla_audit_header_rule *rule)
{
	json_key_bytes(out, name);
	json_open(out, '{');
	json_put_bool(out, "hmac", rule->hmac);
	json_close(out, '}');
}

static enum bulla_err read_headers(struct exchange *x)
{
	struct bulla_audit_header_rule *rules;
	size_t count;

	TRY(bulla_audit_headers(x->engine, x->call, &rules, &count));
	json_open(x->data, '{');
	json_key(x->data, "headers");
	json_open(x->data, '{');
	for (size_t i = 0; i < count; i++)
		put_rule(x->data, rules[i].name, &rules[i]);
	json_close(x->data, '}');
	json_close(x->data, '}');
	return BULLA_OK;
}

/* Header names do not care for case (RFC 9110 section 5.1). */
static bool same_header(struct bulla_bytes lower, struct bulla_bytes name)
{
	bool same = lower.len == name.len;

	for (size_t i = 0; same && i < name.len; i++) {
		uint8_t c = name.ptr[i];

		same = lower.ptr[i] == (c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c);
	}
	return same;
}

static enum bulla_err read_header(struct exchange *x)
{
	struct bulla_audit_header_rule *rules;
	size_t count;

	TRY(bulla_audit_headers(x->engine, x->call, &rules, &count));
	for (size_t i = 0; i < count; i++)
		if (same_header(rules[i].name, x->params[0])) {
			json_open(x->data, '{');
			put_rule(x->data, x->params[0], &rules[i]);
			json_close(x->data, '}');
			return BULLA_OK;
		}
	return bulla_fail(x->call, BULLA_E_INVALID, "Could not find header in config");
}

struct header_fields {
	bool hmac;
};

static const struct field header_fields[] = { FIELD(struct header_fields, hmac, FIELD_BOOL), FIELD_END };

static enum bulla_err set_header(struct exchange *x)
{
	struct header_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, header_fields, true, &f));
	return bulla_audit_header_set(x->engine, x->call, x->params[0], f.hmac, false);
}

static enum bulla_err delete_header(struct exchange *x)
{
	return bulla_audit_header_set(x->engine, x->call, x->params[0], false, true);
}

/* ---- routes ---------------------------------------------------------------------------------------------------------------- */

#define ROW(method, path, handler_, flags_, known, anchor)                                                     \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(method), .pattern = path, .fn = handler_, .flags = flags_, \
	  .fields = known, .doc = anchor }
#define SUDO (ROUTE_TOKEN | ROUTE_SUDO)

const struct route sys_audit_routes[] = {
	ROW(GET, "audit", list, SUDO | ROUTE_MIRROR, NULL, "audit-devices"),
	ROW(GET, "audit/{path*}", read_device, SUDO, NULL, "audit-devices"),
	ROW(POST, "audit/{path*}", enable, SUDO | ROUTE_BLOCKS, enable_fields, "audit-devices"),
	ROW(DELETE, "audit/{path*}", disable, SUDO | ROUTE_BLOCKS, NULL, "audit-devices"),
	ROW(POST, "audit-hash/{path*}", hash, ROUTE_TOKEN | ROUTE_MIRROR, hash_fields, "audit-hash"),
	ROW(GET, "config/auditing/request-headers", read_headers, SUDO | ROUTE_MIRROR, NULL, "audited-request-headers"),
	ROW(GET, "config/auditing/request-headers/{header*}", read_header, SUDO | ROUTE_MIRROR, NULL, "audited-request-headers"),
	ROW(POST, "config/auditing/request-headers/{header*}", set_header, SUDO | ROUTE_BLOCKS, header_fields,
	    "audited-request-headers"),
	ROW(DELETE, "config/auditing/request-headers/{header*}", delete_header, SUDO | ROUTE_BLOCKS, NULL,
	    "audited-request-headers"),
	{ .fn = NULL },
};
