/* routes.c: collects the handlers' tables, checks them at start and finds the rows of a path. The index is written once, by
 * routes_init, and only read after that: any thread. */
#include "http/routes.h"

#include <stdlib.h>

#define MAX_PATHS 512

static const struct route *const tables[] = {
	sys_root_routes, sys_lease_routes, sys_counter_routes, sys_plugin_routes,
	sys_audit_routes,
	transit_backup_routes, transit_certificate_routes, transit_import_routes,
	transit_key_routes, transit_crypt_routes, transit_export_routes, sys_seal_routes, sys_mount_routes, sys_remount_routes, sys_misc_routes,
	token_routes, transit_datakey_routes, transit_hmac_routes, transit_tool_routes, sys_wrapping_routes, transit_config_routes,
	transit_sign_routes, token_role_routes, cubbyhole_routes,
	approle_routes, approle_field_routes, approle_secret_routes,
	userpass_routes, sys_lockout_routes,
	auth_cert_routes, auth_jwt_routes, auth_jwt_role_routes, sys_quota_routes, sys_config_routes,
	sys_policy_routes, sys_acl_routes,
};

static struct route_path paths[MAX_PATHS]; /* sorted by mount and first segment, then as the tables have them */
static size_t path_count;

/* ---- patterns ------------------------------------------------------------------------------------------------------ */

static bool is_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

/* The length of the generic name at the start of text: \w(([\w-.]+)?\w)? and then a slash or the end. 0: none. */
static size_t generic_name(struct bulla_bytes text)
{
	size_t n = 0;

	while (n < text.len && (is_word(text.ptr[n]) || text.ptr[n] == '-' || text.ptr[n] == '.'))
		n++;
	return n > 0 && is_word(text.ptr[0]) && is_word(text.ptr[n - 1]) ? n : 0;
}

static bool ends_with(struct bulla_bytes text, const char *end, size_t n)
{
	return text.len >= n && (n == 0 || memcmp(text.ptr + text.len - n, end, n) == 0);
}

static bool match(const char *pattern, struct bulla_bytes text, struct bulla_bytes params[MAX_PARAMS])
{
	size_t count = 0;

	while (*pattern != 0) {
		if (*pattern != '{') {
			if (text.len == 0 || text.ptr[0] != (uint8_t)*pattern)
				return false;
			text = bulla_mem(text.ptr + 1, text.len - 1);
			pattern++;
			continue;
		}
		const char *close = strchr(pattern, '}');
		bool star = close[-1] == '*';
		size_t tail = strlen(close + 1);
		size_t n = star && ends_with(text, close + 1, tail) ? text.len - tail : star ? 0 : generic_name(text);

		if (n == 0)
			return false;
		params[count++] = bulla_mem(text.ptr, n);
		text = bulla_mem(text.ptr + n, text.len - n);
		pattern = close + 1;
	}
	return text.len == 0;
}

struct bulla_bytes routes_param(const char *pattern, size_t i)
{
	for (const char *open = strchr(pattern, '{'); open != NULL; open = strchr(open + 1, '{')) {
		const char *close = strchr(open, '}');

		if (i-- == 0)
			return bulla_mem(open + 1, (size_t)(close - open) - 1 - (close[-1] == '*'));
	}
	return (struct bulla_bytes){ 0 };
}

/* What routes_find relies on: fixed text first; braces in pairs; at most MAX_PARAMS; behind a star no further braces. */
static bool pattern_is_sound(const char *pattern)
{
	size_t count = 0;

	if (*pattern == 0 || *pattern == '{' || *pattern == '/')
		return false;
	for (const char *open = strchr(pattern, '{'); open != NULL; open = strchr(open, '{')) {
		const char *close = strchr(open, '}');

		if (close == NULL || close == open + 1 || ++count > MAX_PARAMS)
			return false;
		if (close[-1] == '*' ? strchr(close, '{') != NULL : close[1] != 0 && close[1] != '/')
			return false;
		open = close;
	}
	return true;
}

/* ---- the index ----------------------------------------------------------------------------------------------------- */

static struct bulla_bytes first_segment(struct bulla_bytes text)
{
	const uint8_t *slash = text.len > 0 ? memchr(text.ptr, '/', text.len) : NULL;

	return slash != NULL ? bulla_mem(text.ptr, (size_t)(slash - text.ptr)) : text;
}

static int compare_first(const struct route_path *path, enum bulla_mount_kind mount, struct bulla_bytes first)
{
	if (path->mount != mount)
		return path->mount < mount ? -1 : 1;
	return bulla_compare(path->first, first);
}

/* The first path that is not before (mount, first). */
static size_t lower_bound(enum bulla_mount_kind mount, struct bulla_bytes first)
{
	size_t low = 0, high = path_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare_first(&paths[middle], mount, first) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool takes_all(const char *pattern)
{
	return strcmp(pattern, "{path*}") == 0;
}

/* The pattern that takes whatever no other one did, nothing included. */
static const struct route_path *find_all(enum bulla_mount_kind mount)
{
	size_t i = lower_bound(mount, (struct bulla_bytes){ 0 });

	return i < path_count && paths[i].mount == mount && takes_all(paths[i].pattern) ? &paths[i] : NULL;
}

const struct route_path *routes_find(enum bulla_mount_kind mount, struct bulla_bytes rest, struct bulla_bytes params[MAX_PARAMS])
{
	struct bulla_bytes first = first_segment(rest);
	struct bulla_bytes bare = rest.len > 0 && rest.ptr[rest.len - 1] == '/' ? bulla_mem(rest.ptr, rest.len - 1) : rest;

	for (size_t i = lower_bound(mount, first); i < path_count && compare_first(&paths[i], mount, first) == 0; i++) {
		memset(params, 0, MAX_PARAMS * sizeof params[0]); /* a pattern that failed may have left some */
		if (match(paths[i].pattern, paths[i].slash ? bare : rest, params))
			return &paths[i];
	}
	memset(params, 0, MAX_PARAMS * sizeof params[0]);
	const struct route_path *all = find_all(mount);

	if (all != NULL)
		params[0] = rest;
	return all;
}

bool routes_open_below(enum bulla_mount_kind mount, struct bulla_bytes rest)
{
	struct bulla_bytes first = first_segment(rest);

	for (size_t i = lower_bound(mount, first); i < path_count && compare_first(&paths[i], mount, first) == 0; i++) {
		const char *brace = strchr(paths[i].pattern, '{');
		size_t n = brace != NULL ? (size_t)(brace - paths[i].pattern) : 0;

		if ((paths[i].flags & ROUTE_NO_TOKEN) != 0 && n > 0 && rest.len >= n && memcmp(rest.ptr, paths[i].pattern, n) == 0)
			return true;
	}
	return false;
}

void routes_each(void (*fn)(const struct route_path *path, void *context), void *context)
{
	for (size_t i = 0; i < path_count; i++)
		fn(&paths[i], context);
}

enum bulla_capability routes_capability(enum method method)
{
	switch (method) {
	case METHOD_POST:
	case METHOD_PUT:
		return BULLA_CAN_UPDATE;
	case METHOD_DELETE:
		return BULLA_CAN_DELETE;
	case METHOD_LIST:
		return BULLA_CAN_LIST;
	case METHOD_PATCH:
		return BULLA_CAN_PATCH;
	case METHOD_SCAN:
		return BULLA_CAN_SCAN;
	case METHOD_GET:
		return BULLA_CAN_READ;
	default: /* policies know no others */
		return BULLA_CAN_ROOT;
	}
}

/* ---- the checks at start ------------------------------------------------------------------------------------------- */

static enum bulla_err refuse(struct bulla_call *call, const struct route *row, const char *why)
{
	return bulla_fail(call, BULLA_E_CONFIG, "route \"%s\": %s", row->pattern, why);
}

static bool need_is_sound(const struct route *row)
{
	if (row->need == BULLA_CAN_CREATE)
		return row->methods == ON(POST) && row->exists != NULL;
	if (row->need == 0)
		return true;
	for (enum method m = METHOD_GET; m < METHOD_UNKNOWN; m++)
		if ((row->methods & 1u << m) != 0 && routes_capability(m) != row->need)
			return false;
	return true;
}

static enum bulla_err check_row(struct bulla_call *call, const struct route *row)
{
	unsigned access = row->flags & (ROUTE_NO_TOKEN | ROUTE_TOKEN | ROUTE_TOKEN_ONLY);

	if (!takes_all(row->pattern) && !pattern_is_sound(row->pattern))
		return refuse(call, row, "the pattern cannot be matched");
	if (access == 0 || (access & (access - 1)) != 0)
		return refuse(call, row, "who may call is not said, or said twice");
	if ((row->flags & ROUTE_SUDO) != 0 && access != ROUTE_TOKEN)
		return refuse(call, row, "sudo without a capability");
	if ((row->flags & ROUTE_EDGE) != 0 && row->mount != BULLA_MOUNT_SYSTEM)
		return refuse(call, row, "only sys/ has an edge");
	if ((row->flags & ROUTE_WHILE_SEALED) != 0 && (row->flags & ROUTE_EDGE) == 0)
		return refuse(call, row, "while sealed there are no mounts: it must be on the edge");
	if (row->methods == 0 || row->methods >= ON(UNKNOWN) || (row->methods & ON(PUT)) != 0)
		return refuse(call, row, "methods (PUT is POST)");
	return need_is_sound(row) ? BULLA_OK : refuse(call, row, "the capability is not the method's");
}

static struct route_path *path_of(const struct route *row)
{
	for (size_t i = 0; i < path_count; i++)
		if (paths[i].mount == row->mount && strcmp(paths[i].pattern, row->pattern) == 0)
			return &paths[i];
	if (path_count == MAX_PATHS)
		return NULL;
	/* behind those with the same first segment: the first row that matches wins, as the tables have them */
	struct bulla_bytes first = takes_all(row->pattern) ? (struct bulla_bytes){ 0 } : first_segment(bulla_str(row->pattern));
	size_t at = lower_bound(row->mount, first);

	while (at < path_count && compare_first(&paths[at], row->mount, first) == 0)
		at++;
	memmove(&paths[at + 1], &paths[at], (path_count - at) * sizeof paths[0]);
	paths[at] = (struct route_path){ .mount = row->mount, .pattern = row->pattern, .first = first };
	path_count++;
	return &paths[at];
}

static enum bulla_err add_row(struct bulla_call *call, const struct route *row)
{
	TRY(check_row(call, row));
	struct route_path *path = path_of(row);

	if (path == NULL)
		return refuse(call, row, "too many paths");
	if (path->flags != 0 && ((path->flags ^ row->flags) & ROUTE_EDGE) != 0)
		return refuse(call, row, "one path is on the edge or not");
	for (enum method m = METHOD_GET; m < METHOD_UNKNOWN; m++) {
		if ((row->methods & 1u << m) == 0)
			continue;
		if (path->rows[m] != NULL)
			return refuse(call, row, "two rows for one method");
		path->rows[m] = row;
	}
	path->flags |= row->flags;
	path->slash |= (row->methods & ON(LIST)) != 0;
	return BULLA_OK;
}

enum bulla_err routes_init(struct bulla_call *call)
{
	path_count = 0;
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		for (const struct route *row = tables[i]; row != NULL && row->fn != NULL; row++)
			TRY(add_row(call, row));
	return BULLA_OK;
}
