/* sys_mounts.c: listing, enabling, disabling and tuning mounts. Any thread, one exchange at a time. */
#include "handlers/mount_print.h"
#include "http/routes.h"

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

/* ---- reading ------------------------------------------------------------------------------------------------------------- */

static enum bulla_err list(struct exchange *x, bool auth)
{
	const struct bulla_mount **mounts;
	size_t count;

	TRY(bulla_mount_list(x->engine, x->call, &mounts, &count));
	json_open(x->data, '{');
	for (size_t i = 0; i < count; i++) {
		if (bulla_mount_is_auth(mounts[i]) != auth)
			continue;
		json_key_bytes(x->data, mount_name(mounts[i]));
		mount_print(x, mounts[i], false);
	}
	json_close(x->data, '}');
	mounts_put(mounts, count);
	return BULLA_OK;
}

static enum bulla_err list_mounts(struct exchange *x)
{
	return list(x, false);
}

static enum bulla_err list_auth(struct exchange *x)
{
	return list(x, true);
}

/* The mount at this very path, to be put back. NULL: none. */
static const struct bulla_mount *mount_at(struct exchange *x, struct bulla_bytes path)
{
	struct bulla_bytes rest;
	const struct bulla_mount *mount = bulla_mount_find(x->engine, path, &rest);

	if (mount != NULL && !bulla_equal(mount->path, path)) {
		bulla_mount_put(mount);
		return NULL;
	}
	return mount;
}

static enum bulla_err read_mount(struct exchange *x)
{
	struct bulla_bytes path = mount_slashed(x, x->params[0]);
	const struct bulla_mount *mount = mount_at(x, path);

	if (mount == NULL)
		return bulla_fail(x->call, BULLA_E_INVALID, "No secret engine mount at %.*s", PRINT(path));
	mount_print(x, mount, false);
	bulla_mount_put(mount);
	return BULLA_OK;
}

static enum bulla_err print_tune(struct exchange *x, struct bulla_bytes path)
{
	const struct bulla_mount *mount = mount_at(x, path);

	if (mount == NULL)
		return bulla_fail_quoting(x->call, BULLA_E_INVALID, "cannot fetch sysview for path ", path, "");
	mount_print_tune(x, mount);
	bulla_mount_put(mount);
	return BULLA_OK;
}

static enum bulla_err read_tune(struct exchange *x)
{
	return print_tune(x, mount_slashed(x, x->params[0]));
}

/* An auth mount is named without "auth/". */
static struct bulla_bytes under_auth(struct exchange *x, struct bulla_bytes name)
{
	struct bulla_bytes path = bulla_arena_printf(x->call->arena, "auth/%.*s", PRINT(name));

	return path.ptr != NULL ? path : name;
}

static enum bulla_err read_auth(struct exchange *x)
{
	struct bulla_bytes name = mount_slashed(x, x->params[0]);
	const struct bulla_mount *mount = mount_at(x, under_auth(x, name));

	if (mount == NULL)
		return bulla_fail(x->call, BULLA_E_INVALID, "No auth engine at %.*s", PRINT(name));
	mount_print(x, mount, false);
	bulla_mount_put(mount);
	return BULLA_OK;
}

static enum bulla_err read_auth_tune(struct exchange *x)
{
	return print_tune(x, under_auth(x, mount_slashed(x, x->params[0])));
}

/* ---- settings ------------------------------------------------------------------------------------------------------------ */

struct setting_fields {
	unsigned set;
	struct bulla_bytes description, default_ttl, max_ttl, listing_visibility, token_type, ignored;
	struct field_strings audit_request, audit_response, passthrough, allowed;
	struct field_pairs options;
	const struct json *lockout;
	bool force_no_cache;
};

#define SETTING(text, member, type, bit) FIELD_SET(struct setting_fields, text, member, type, set, bit)
#define COMMON_SETTINGS                                                                                        \
	SETTING("default_lease_ttl", default_ttl, FIELD_STRING, BULLA_MOUNT_DEFAULT_TTL),                      \
	SETTING("max_lease_ttl", max_ttl, FIELD_STRING, BULLA_MOUNT_MAX_TTL),                                  \
	SETTING("listing_visibility", listing_visibility, FIELD_STRING, BULLA_MOUNT_LISTING),                  \
	SETTING("audit_non_hmac_request_keys", audit_request, FIELD_STRINGS, BULLA_MOUNT_AUDIT_REQUEST),       \
	SETTING("audit_non_hmac_response_keys", audit_response, FIELD_STRINGS, BULLA_MOUNT_AUDIT_RESPONSE),    \
	SETTING("passthrough_request_headers", passthrough, FIELD_STRINGS, BULLA_MOUNT_PASSTHROUGH),           \
	SETTING("allowed_response_headers", allowed, FIELD_STRINGS, BULLA_MOUNT_ALLOWED)

static const struct field config_fields[] = { /* of enable's "config" */
	COMMON_SETTINGS,
	SETTING("force_no_cache", force_no_cache, FIELD_BOOL, BULLA_MOUNT_NO_CACHE),
	SETTING("token_type", token_type, FIELD_STRING, BULLA_MOUNT_TOKEN_TYPE),
	FIELD_END,
};

static const struct field tune_fields[] = {
	COMMON_SETTINGS,
	SETTING("description", description, FIELD_STRING, BULLA_MOUNT_DESCRIPTION),
	SETTING("options", options, FIELD_PAIRS, BULLA_MOUNT_OPTIONS),
	SETTING("token_type", token_type, FIELD_STRING, BULLA_MOUNT_TOKEN_TYPE),
	FIELD_AS(struct setting_fields, "user_lockout_config", lockout, FIELD_JSON),
	FIELD_AS(struct setting_fields, "plugin_version", ignored, FIELD_STRING),
	FIELD_END,
};

/* "system": as the server has it. what: the words before an error's text on enable; NULL: none. */
static enum bulla_err read_ttl(struct exchange *x, struct bulla_bytes text, const char *what, int64_t *out)
{
	*out = 0;
	if (text.len == 0 || bulla_is(text, "system"))
		return BULLA_OK;
	enum bulla_err err = duration_parse(x->call, text, out);

	if (err != BULLA_E_BAD_FIELD || what == NULL)
		return err;
	struct bulla_bytes why = x->call->detail;

	return bulla_fail(x->call, BULLA_E_INVALID, "unable to parse %s TTL of %.*s: %.*s", what, PRINT(text), PRINT(why));
}

struct lockout_fields {
	unsigned set;
	struct bulla_bytes threshold, duration, reset;
	bool disable;
};

#define LOCKOUT(text, member, type, bit) FIELD_SET(struct lockout_fields, text, member, type, set, bit)
static const struct field lockout_fields[] = {
	LOCKOUT("lockout_threshold", threshold, FIELD_STRING, BULLA_LOCKOUT_THRESHOLD),
	LOCKOUT("lockout_duration", duration, FIELD_STRING, BULLA_LOCKOUT_DURATION),
	LOCKOUT("lockout_counter_reset_duration", reset, FIELD_STRING, BULLA_LOCKOUT_RESET),
	LOCKOUT("lockout_disable", disable, FIELD_BOOL, BULLA_LOCKOUT_DISABLE),
	FIELD_END,
};

#define THRESHOLD "unable to parse user lockout threshold: strconv.ParseUint: parsing "

/* Go's strconv.ParseUint. */
static enum bulla_err read_threshold(struct exchange *x, struct bulla_bytes text, int64_t *out)
{
	int64_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return bulla_fail_quoting(x->call, BULLA_E_INVALID, THRESHOLD, text, ": invalid syntax");
		if (n > (INT64_MAX - 9) / 10)
			return bulla_fail_quoting(x->call, BULLA_E_INVALID, THRESHOLD, text, ": value out of range");
		n = n * 10 + (text.ptr[i] - '0');
	}
	*out = n;
	return BULLA_OK;
}

/* What is "" was not given. */
/* What is to be an object. */
static enum bulla_err check_map(struct exchange *x, const char *name, const struct json *given)
{
	if (given == NULL || given->type == JSON_NULL || given->type == JSON_OBJECT)
		return BULLA_OK;
	if (given->type == JSON_ARRAY && given->count == 0)
		return BULLA_OK;
	bool of_items = given->type == JSON_ARRAY; /* the peer names the first that does not fit */

	return bulla_fail(x->call, BULLA_E_BAD_FIELD, "Field validation failed: error converting input for field \"%s\": '%s' "
			  "expected type 'map[string]interface {}', got unconvertible type '%s'", name, of_items ? "[0]" : "",
			  field_type_name(of_items ? given->first : given));
}

static enum bulla_err read_lockout(struct exchange *x, const struct json *given, struct bulla_mount_settings *out)
{
	struct bulla_mount_lockout *lockout = &out->values.lockout;
	struct lockout_fields f = { 0 };

	TRY(check_map(x, "user_lockout_config", given));
	if (given == NULL || given->count == 0)
		return BULLA_OK;
	if (fields_bind(x->call, given, lockout_fields, true, &f) != BULLA_OK)
		return bulla_fail(x->call, BULLA_E_INVALID, "unable to convert given user lockout config information");
	TRY(read_threshold(x, f.threshold, &lockout->threshold));
	TRY(read_ttl(x, f.duration, NULL, &lockout->duration_s));
	TRY(read_ttl(x, f.reset, NULL, &lockout->reset_s));
	lockout->disable = f.disable;
	lockout->set = f.set & ~((f.threshold.len == 0 ? BULLA_LOCKOUT_THRESHOLD : 0u) |
				 (f.duration.len == 0 ? BULLA_LOCKOUT_DURATION : 0u) | (f.reset.len == 0 ? BULLA_LOCKOUT_RESET : 0u));
	out->set |= BULLA_MOUNT_LOCKOUT;
	return BULLA_OK;
}

static enum bulla_err to_settings(struct exchange *x, const struct setting_fields *f, bool enabling,
				  struct bulla_mount_settings *out)
{
	struct bulla_mount *v = &out->values;

	out->set = f->set;
	if (f->default_ttl.len == 0) /* given, but says nothing */
		out->set &= ~(unsigned)BULLA_MOUNT_DEFAULT_TTL;
	if (f->max_ttl.len == 0)
		out->set &= ~(unsigned)BULLA_MOUNT_MAX_TTL;
	TRY(read_ttl(x, f->default_ttl, enabling ? "default" : NULL, &v->default_lease_ttl_s));
	TRY(read_ttl(x, f->max_ttl, enabling ? "max" : NULL, &v->max_lease_ttl_s));
	v->description = f->description;
	v->listing_visibility = f->listing_visibility;
	v->force_no_cache = f->force_no_cache;
	v->token_type = f->token_type;
	v->audit_non_hmac_request_keys = f->audit_request.items, v->audit_request_count = (int)f->audit_request.count;
	v->audit_non_hmac_response_keys = f->audit_response.items, v->audit_response_count = (int)f->audit_response.count;
	v->passthrough_request_headers = f->passthrough.items, v->passthrough_count = (int)f->passthrough.count;
	v->allowed_response_headers = f->allowed.items, v->allowed_count = (int)f->allowed.count;
	v->options = f->options.items, v->option_count = f->options.count;
	return BULLA_OK;
}

/* ---- changing ------------------------------------------------------------------------------------------------------------ */

struct enable_fields {
	struct bulla_bytes type, description, plugin_name, plugin_version;
	bool local, seal_wrap, external_entropy_access;
	const struct json *config;
	struct field_pairs options;
};

static const struct field enable_fields[] = {
	FIELD(struct enable_fields, type, FIELD_STRING),
	FIELD(struct enable_fields, description, FIELD_STRING),
	FIELD(struct enable_fields, plugin_name, FIELD_STRING),
	FIELD(struct enable_fields, plugin_version, FIELD_STRING),
	FIELD(struct enable_fields, local, FIELD_BOOL),
	FIELD(struct enable_fields, seal_wrap, FIELD_BOOL),
	FIELD(struct enable_fields, external_entropy_access, FIELD_BOOL),
	FIELD(struct enable_fields, config, FIELD_JSON),
	FIELD(struct enable_fields, options, FIELD_PAIRS),
	FIELD_END,
};

/* As older clients name an engine: type "plugin", and which one in plugin_name or the config's. */
static enum bulla_err read_type(struct exchange *x, const struct enable_fields *f, struct bulla_bytes *out)
{
	const struct json *name = json_get(f->config, "plugin_name");

	*out = f->type;
	if (!bulla_is(f->type, "plugin"))
		return BULLA_OK;
	*out = f->plugin_name;
	if (out->len == 0 && name != NULL)
		TRY(field_string(x->call, name, out));
	if (out->len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "plugin_name must be provided for plugin backend");
	return BULLA_OK;
}

static enum bulla_err check_system_max(struct exchange *x, const struct bulla_mount *v)
{
	int64_t default_s, max_s;

	bulla_lease_defaults(x->engine, &default_s, &max_s);
	if (v->max_lease_ttl_s != 0 || v->default_lease_ttl_s <= max_s)
		return BULLA_OK;
	return bulla_fail(x->call, BULLA_E_INVALID, "given default lease TTL greater than system max lease TTL of %lld",
			  (long long)max_s);
}

/* The peer takes a number for a text there, but no truth, and only lists and texts for a list. */
static bool is_stray(const struct json *value, enum field_type type)
{
	if (value == NULL || type == FIELD_BOOL)
		return false;
	return value->type == JSON_BOOL || value->type == JSON_OBJECT || (value->type == JSON_NUMBER && type == FIELD_STRINGS);
}

static bool has_stray_type(const struct json *config)
{
	for (const struct field *field = config_fields; field->name != NULL; field++)
		if (is_stray(json_get(config, field->name), field->type))
			return true;
	return false;
}

/* Secrets engines and auth methods are enabled with the same parameters. */
static enum bulla_err read_enable(struct exchange *x, const char *what, struct bulla_mount_settings *settings,
				  struct bulla_bytes *type)
{
	struct setting_fields config = { 0 };
	struct enable_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, enable_fields, true, &f));
	TRY(check_map(x, "config", f.config));
	if (has_stray_type(f.config) || fields_bind(x->call, f.config, config_fields, true, &config) != BULLA_OK)
		return bulla_fail(x->call, BULLA_E_INVALID, "unable to convert given %s config information", what);
	config.description = f.description;
	config.options = f.options;
	config.set |= BULLA_MOUNT_DESCRIPTION | BULLA_MOUNT_OPTIONS;
	TRY(to_settings(x, &config, true, settings));
	const struct json *options = json_get(x->doc, "options");

	settings->values.options_null = options != NULL && options->type == JSON_NULL; /* and so it is shown */
	TRY(check_system_max(x, &settings->values));
	settings->values.local = f.local;
	settings->values.seal_wrap = f.seal_wrap;
	settings->values.external_entropy_access = f.external_entropy_access;
	return read_type(x, &f, type);
}

static enum bulla_err enable(struct exchange *x)
{
	struct bulla_mount_settings settings = { 0 };
	struct bulla_bytes type;

	TRY(read_enable(x, "mount", &settings, &type));
	settings.set &= ~(unsigned)BULLA_MOUNT_TOKEN_TYPE;
	return bulla_mount_enable(x->engine, x->call, x->params[0], type, &settings);
}

static enum bulla_err enable_auth(struct exchange *x)
{
	struct bulla_mount_settings settings = { 0 };
	struct bulla_bytes type;

	TRY(read_enable(x, "auth", &settings, &type));
	return bulla_auth_enable(x->engine, x->call, x->params[0], type, &settings);
}

static enum bulla_err disable(struct exchange *x)
{
	struct bulla_bytes path = mount_slashed(x, x->params[0]);

	if (bulla_begins(path, BULLA_AUTH_PATH)) {
		const struct bulla_mount *mount = mount_at(x, path);

		bulla_mount_put(mount);
		return mount == NULL ? BULLA_OK : bulla_fail_quoting(x->call, BULLA_E_INVALID, "cannot unmount ", path, "");
	}
	return bulla_mount_disable(x->engine, x->call, path);
}

static enum bulla_err disable_auth(struct exchange *x)
{
	return bulla_auth_disable(x->engine, x->call, x->params[0]);
}

static enum bulla_err tune_at(struct exchange *x, struct bulla_bytes path)
{
	struct bulla_mount_settings settings = { 0 };
	struct setting_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, tune_fields, true, &f));
	if (f.token_type.len > 0 && !bulla_begins(path, BULLA_AUTH_PATH))
		return bulla_fail(x->call, BULLA_E_INVALID, "'token_type' can only be modified on auth mounts");
	TRY(to_settings(x, &f, false, &settings));
	if (!bulla_begins(path, BULLA_AUTH_PATH))
		settings.set &= ~(unsigned)BULLA_MOUNT_TOKEN_TYPE;
	TRY(read_lockout(x, f.lockout, &settings));
	return bulla_mount_tune(x->engine, x->call, path, &settings);
}

static enum bulla_err tune(struct exchange *x)
{
	return tune_at(x, x->params[0]);
}

static enum bulla_err tune_auth(struct exchange *x)
{
	return tune_at(x, under_auth(x, x->params[0]));
}

/* ---- routes -------------------------------------------------------------------------------------------------------------- */

#define ROW(method, path, handler_, flags_, known, anchor)                                                     \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(method), .pattern = path, .fn = handler_, .flags = flags_, \
	  .fields = known, .doc = anchor }
#define ASKED (ROUTE_TOKEN | ROUTE_MIRROR)
#define CHANGED (ROUTE_TOKEN | ROUTE_BLOCKS)

const struct route sys_mount_routes[] = {
	ROW(GET, "mounts", list_mounts, ASKED, NULL, "list-mounts"),
	ROW(GET, "mounts/{path*}/tune", read_tune, ASKED, NULL, "tune-mount"),
	ROW(POST, "mounts/{path*}/tune", tune, CHANGED, tune_fields, "tune-mount"),
	ROW(GET, "mounts/{path*}", read_mount, ASKED, NULL, "read-mount"),
	ROW(POST, "mounts/{path*}", enable, CHANGED, enable_fields, "enable-mount"),
	ROW(DELETE, "mounts/{path*}", disable, CHANGED, NULL, "disable-mount"),
	ROW(GET, "auth", list_auth, ASKED, NULL, "list-auth-mounts"),
	ROW(GET, "auth/{path*}/tune", read_auth_tune, ASKED | ROUTE_SUDO, NULL, "tune-auth"),
	ROW(POST, "auth/{path*}/tune", tune_auth, CHANGED | ROUTE_SUDO, tune_fields, "tune-auth"),
	ROW(GET, "auth/{path*}", read_auth, ASKED | ROUTE_SUDO, NULL, "read-auth"),
	ROW(POST, "auth/{path*}", enable_auth, CHANGED | ROUTE_SUDO, enable_fields, "enable-auth"),
	ROW(DELETE, "auth/{path*}", disable_auth, CHANGED | ROUTE_SUDO, NULL, "disable-auth"),
	{ .fn = NULL },
};
