/* sys_plugins.c: engines and auth methods as plugins: the catalogue, and reloading. All are built in, and none has a process, or settings
 * that it would have to be started with: reloading checks what it was asked for. Any thread, one exchange at a time. */
#include <stdlib.h>

#include "handlers/list_page.h"
#include "http/routes.h"

#define PRINT(bytes) (int)(bytes).len, (const char *)(bytes).ptr

/* ---- the catalogue --------------------------------------------------------------------------------------------------------- */

static void put_detailed(struct out *out, const struct bulla_bytes *names, size_t count, const char *type)
{
	for (size_t i = 0; i < count; i++) {
		json_open(out, '{');
		json_put_bool(out, "builtin", true);
		json_put_text(out, "deprecation_status", "supported");
		json_put_string(out, "name", names[i]);
		json_put_text(out, "type", type);
		json_put_text(out, "version", bulla_plugin_version());
		json_close(out, '}');
	}
}

/* A type of which there is none (database) is not named. */
static enum bulla_err list_all(struct exchange *x)
{
	struct bulla_bytes methods[BULLA_MOUNT_TYPES], engines[BULLA_MOUNT_TYPES];
	size_t method_count = bulla_mount_types(true, methods), engine_count = bulla_mount_types(false, engines);

	json_open(x->data, '{');
	json_put_strings(x->data, "auth", methods, method_count);
	json_key(x->data, "detailed");
	json_open(x->data, '[');
	put_detailed(x->data, methods, method_count, "auth");
	put_detailed(x->data, engines, engine_count, "secret");
	json_close(x->data, ']');
	json_put_strings(x->data, "secret", engines, engine_count);
	json_close(x->data, '}');
	return BULLA_OK;
}

static enum bulla_err list_auth(struct exchange *x)
{
	struct bulla_bytes names[BULLA_MOUNT_TYPES];

	return list_print(x, names, bulla_mount_types(true, names));
}

static enum bulla_err list_secret(struct exchange *x)
{
	struct bulla_bytes names[BULLA_MOUNT_TYPES];

	return list_print(x, names, bulla_mount_types(false, names));
}

static enum bulla_err list_database(struct exchange *x)
{
	return list_print(x, NULL, 0);
}

struct plugin_fields {
	struct bulla_bytes version, sha256, sha_256, command, type, oci_image, runtime;
	struct field_strings args, env;
};

static const struct field plugin_fields[] = {
	FIELD(struct plugin_fields, version, FIELD_STRING),
	FIELD(struct plugin_fields, sha256, FIELD_STRING),
	FIELD(struct plugin_fields, sha_256, FIELD_STRING),
	FIELD(struct plugin_fields, command, FIELD_STRING),
	FIELD(struct plugin_fields, type, FIELD_STRING),
	FIELD(struct plugin_fields, args, FIELD_STRINGS),
	FIELD(struct plugin_fields, env, FIELD_STRINGS),
	FIELD_END,
};

static size_t skip_digits(struct bulla_bytes text, size_t at)
{
	while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
		at++;
	return at;
}

/* "v1.2.3-beta+build": numbers between dots, and from the first - or + on what may stand behind them. */
static bool is_version(struct bulla_bytes text)
{
	size_t at = text.len > 0 && text.ptr[0] == 'v' ? 1 : 0, end = skip_digits(text, at);

	while (end > at && end < text.len && text.ptr[end] == '.') {
		at = end + 1;
		end = skip_digits(text, at);
	}
	if (end == at || (end < text.len && ((text.ptr[end] != '-' && text.ptr[end] != '+') || end + 1 == text.len)))
		return false;
	for (size_t i = end; i < text.len; i++)
		if (memchr("-+.~", text.ptr[i], 4) == NULL && skip_digits(text, i) == i && ((text.ptr[i] | 0x20) < 'a' || (text.ptr[i] | 0x20) > 'z'))
			return false;
	return true;
}

static enum bulla_err check_version(struct exchange *x, const struct plugin_fields *f)
{
	if (f->version.len == 0 || is_version(f->version))
		return BULLA_OK;
	struct bulla_bytes quoted = bulla_arena_quote(x->call->arena, f->version);

	return bulla_fail(x->call, BULLA_E_INVALID, "version %.*s is not a valid semantic version: malformed version: %.*s", PRINT(quoted),
			  PRINT(f->version));
}

/* Whether it is the one that there is; the v in front may be missing. */
static bool is_ours(struct bulla_bytes version)
{
	const char *ours = bulla_plugin_version();

	return version.len == 0 || bulla_is(version, ours) || bulla_is(version, ours + 1);
}

static enum bulla_err read_plugin(struct exchange *x, bool auth)
{
	struct bulla_bytes names[BULLA_MOUNT_TYPES];
	size_t count = bulla_mount_types(auth, names), at = 0;
	struct plugin_fields f = { 0 };
	struct out *out = x->data;

	TRY(fields_bind(x->call, x->doc, plugin_fields, true, &f));
	TRY(check_version(x, &f));
	while (at < count && !bulla_equal(names[at], x->params[0]))
		at++;
	if (at == count || !is_ours(f.version))
		return BULLA_E_NOT_FOUND;
	json_open(out, '{');
	json_put_null(out, "args");
	json_put_bool(out, "builtin", true);
	json_put_text(out, "command", "");
	json_put_bool(out, "declarative", false);
	json_put_text(out, "deprecation_status", "supported");
	json_put_string(out, "name", names[at]);
	json_put_bool(out, "oci", false);
	json_put_text(out, "sha256", "");
	json_put_text(out, "version", bulla_plugin_version());
	json_close(out, '}');
	return BULLA_OK;
}

static enum bulla_err read_auth(struct exchange *x)
{
	return read_plugin(x, true);
}

static enum bulla_err read_secret(struct exchange *x)
{
	return read_plugin(x, false);
}

static enum bulla_err read_database(struct exchange *x)
{
	struct plugin_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, plugin_fields, true, &f));
	TRY(check_version(x, &f));
	return BULLA_E_NOT_FOUND;
}

/* Nothing is ever taken up: there is no folder that programs would be run from. A mistake is told first. */
static enum bulla_err write_plugin(struct exchange *x)
{
	struct plugin_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, plugin_fields, true, &f));
	TRY(check_version(x, &f));
	struct bulla_bytes sum = f.sha256.len > 0 ? f.sha256 : f.sha_256;

	if (sum.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "missing SHA-256 value");
	if (f.command.len == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "missing command value");
	uint8_t *bytes = bulla_arena_alloc(x->call->arena, sum.len / 2 + 1);

	if (bytes == NULL)
		return BULLA_E_NO_MEMORY;
	if (bulla_hex_decode(sum, bytes) != BULLA_OK)
		return bulla_fail(x->call, BULLA_E_INVALID, "Could not decode SHA-256 value from Hex");
	if (sum.len != 64)
		return bulla_fail(x->call, BULLA_E_INVALID, "Decoded SHA-256 value is not 32 bytes");
	return bulla_fail(x->call, BULLA_E_INVALID_500, "could not set plugin, plugin directory is not configured");
}

/* What is built in stays. */
static enum bulla_err delete_plugin(struct exchange *x)
{
	struct plugin_fields f = { 0 };

	TRY(fields_bind(x->call, x->doc, plugin_fields, true, &f));
	return check_version(x, &f);
}

static enum bulla_err say_deprecated(struct exchange *x, const char *what)
{
	struct bulla_bytes quoted = bulla_arena_quote(x->call->arena, x->params[0]);

	return bulla_warn(x->call, "Deprecated API endpoint, cannot %s catalog for %.*s", what, PRINT(quoted));
}

static enum bulla_err read_untyped(struct exchange *x)
{
	return say_deprecated(x, "read plugin information from");
}

static enum bulla_err delete_untyped(struct exchange *x)
{
	return say_deprecated(x, "deregister plugin from");
}

/* ---- reloading ------------------------------------------------------------------------------------------------------------- */

struct reload_fields {
	struct bulla_bytes plugin, scope;
	struct field_strings mounts;
};

static const struct field reload_fields[] = {
	FIELD(struct reload_fields, plugin, FIELD_STRING),
	FIELD(struct reload_fields, mounts, FIELD_STRINGS),
	FIELD(struct reload_fields, scope, FIELD_STRING),
	FIELD_END,
};

/* One of those that are there once and for all. */
static bool is_singleton(struct bulla_bytes plugin)
{
	static const char *const names[] = { "system", "cubbyhole", "identity", "token", "ns_system", "ns_cubbyhole", "ns_identity", "ns_token" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (bulla_is(plugin, names[i]))
			return true;
	return false;
}

static enum bulla_err check_plugin(struct exchange *x, struct bulla_bytes plugin)
{
	struct bulla_bytes names[2 * BULLA_MOUNT_TYPES], quoted = bulla_arena_quote(x->call->arena, plugin);
	size_t count = bulla_mount_types(true, names);

	if (is_singleton(plugin))
		return bulla_fail(x->call, BULLA_E_INVALID, "singleton plugin cannot be reloaded: %.*s", PRINT(quoted));
	count += bulla_mount_types(false, names + count);
	for (size_t i = 0; i < count; i++)
		if (bulla_equal(names[i], plugin))
			return BULLA_OK;
	return bulla_fail(x->call, BULLA_E_INVALID, "plugin not found in the catalog: %.*s", PRINT(quoted));
}

/* Adds a line about a mount that cannot be reloaded. */
static void check_mount(struct exchange *x, struct bulla_bytes path, struct out *text, size_t *wrong)
{
	struct bulla_bytes rest, slashed = path;

	if (path.len == 0 || path.ptr[path.len - 1] != '/')
		slashed = bulla_arena_printf(x->call->arena, "%.*s/", PRINT(path));
	struct bulla_bytes quoted = bulla_arena_quote(x->call->arena, slashed);
	const struct bulla_mount *mount = bulla_mount_find(x->engine, slashed, &rest);

	if (mount == NULL) {
		out_text(text, "\t* cannot fetch mount entry on ");
		out_raw(text, quoted);
		out_text(text, "\n");
		++*wrong;
	}
	if (mount != NULL && is_singleton(bulla_str(mount->type))) {
		out_text(text, "\t* cannot reload plugin on ");
		out_raw(text, quoted);
		out_text(text, ": singleton plugin cannot be reloaded: \"");
		out_text(text, mount->type);
		out_text(text, "\"\n");
		++*wrong;
	}
	bulla_mount_put(mount);
}

static enum bulla_err check_mounts(struct exchange *x, const struct field_strings *mounts)
{
	BULLA_CLEANUP(out_clear) struct out text = { 0 };
	size_t wrong = 0;

	for (size_t i = 0; i < mounts->count; i++)
		check_mount(x, mounts->items[i], &text, &wrong);
	if (wrong == 0)
		return BULLA_OK;
	if (text.failed)
		return BULLA_E_NO_MEMORY;
	return bulla_fail(x->call, BULLA_E_INVALID, "%zu error%s occurred:\n%.*s\n", wrong, wrong > 1 ? "s" : "", (int)text.len,
			  (const char *)text.ptr);
}

static enum bulla_err reload(struct exchange *x)
{
	struct reload_fields f = { 0 };
	char id[36];

	TRY(fields_bind(x->call, x->doc, reload_fields, true, &f));
	if (f.plugin.len == 0 && f.mounts.count == 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "plugin or mounts must be provided");
	if (f.plugin.len > 0 && f.mounts.count > 0)
		return bulla_fail(x->call, BULLA_E_INVALID, "plugin and mounts cannot be set at the same time");
	if (f.scope.len > 0 && !bulla_is(f.scope, "global"))
		return bulla_fail(x->call, BULLA_E_INVALID, "scope must be unset or \"global\"");
	TRY(f.plugin.len > 0 ? check_plugin(x, f.plugin) : check_mounts(x, &f.mounts));
	TRY(bulla_uuid(id));
	json_open(x->data, '{');
	json_put_string(x->data, "reload_id", bulla_mem(id, sizeof id));
	json_close(x->data, '}');
	return BULLA_OK;
}

/* ---- routes ---------------------------------------------------------------------------------------------------------------- */

#define ROW(method, path, handler_, flags_, known, anchor)                                                     \
	{ .mount = BULLA_MOUNT_SYSTEM, .methods = ON(method), .pattern = path, .fn = handler_,                  \
	  .flags = ROUTE_TOKEN | (flags_), .fields = known, .doc = anchor }
#define CATALOGUE(method, path, handler_) ROW(method, "plugins/catalog/" path, handler_, ROUTE_SUDO, plugin_fields, "plugin-catalog")

const struct route sys_plugin_routes[] = {
	ROW(GET, "plugins/catalog", list_all, 0, NULL, "plugin-catalog"),
	ROW(GET, "plugins/catalog/", list_all, ROUTE_SUDO, NULL, "plugin-catalog"),
	ROW(LIST, "plugins/catalog/auth", list_auth, ROUTE_SUDO, NULL, "plugin-catalog"),
	ROW(LIST, "plugins/catalog/secret", list_secret, ROUTE_SUDO, NULL, "plugin-catalog"),
	ROW(LIST, "plugins/catalog/database", list_database, ROUTE_SUDO, NULL, "plugin-catalog"),
	CATALOGUE(GET, "auth/{name*}", read_auth),
	CATALOGUE(POST, "auth/{name*}", write_plugin),
	CATALOGUE(DELETE, "auth/{name*}", delete_plugin),
	CATALOGUE(GET, "secret/{name*}", read_secret),
	CATALOGUE(POST, "secret/{name*}", write_plugin),
	CATALOGUE(DELETE, "secret/{name*}", delete_plugin),
	CATALOGUE(GET, "database/{name*}", read_database),
	CATALOGUE(POST, "database/{name*}", write_plugin),
	CATALOGUE(DELETE, "database/{name*}", delete_plugin),
	CATALOGUE(GET, "{name*}", read_untyped),
	CATALOGUE(POST, "{name*}", write_plugin),
	CATALOGUE(DELETE, "{name*}", delete_untyped),
	ROW(POST, "plugins/reload/backend", reload, 0, reload_fields, "plugin-reload"),
	{ .fn = NULL },
};
