/* mount_path.c: what may be the path of a mount. Stateless: any thread. */
#include "bulla/utf8.h"
#include "mount/mount_private.h"

/* path without its slashes at both ends and with one behind it, in the arena. */
enum bulla_err path_clean(struct bulla_call *call, struct bulla_bytes path, struct bulla_bytes *out)
{
	while (path.len > 0 && path.ptr[0] == '/')
		path.ptr++, path.len--;
	while (path.len > 0 && path.ptr[path.len - 1] == '/')
		path.len--;
	if (!bulla_all_printable(path))
		return bulla_fail(call, BULLA_E_INVALID, "path cannot contain non-printable characters");
	if (path.len > MAX_PATH_BYTES)
		return bulla_fail(call, BULLA_E_INVALID, "path is longer than %d bytes", MAX_PATH_BYTES);
	*out = bulla_arena_printf(call->arena, "%.*s/", PRINT(path));
	return out->ptr == NULL ? BULLA_E_NO_MEMORY : BULLA_OK;
}

bool path_is_reserved(struct bulla_bytes path)
{
	static const char *const reserved[] = { "auth/", "sys/", "cubbyhole/", "identity/", "audit/" };

	if (path.len == 1)
		return true;
	for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
		if (bulla_begins(path, reserved[i]))
			return true;
	return false;
}

bool path_is_auth(struct bulla_bytes path)
{
	return bulla_begins(path, BULLA_AUTH_PATH);
}

bool path_is_protected(struct bulla_bytes path)
{
	return path_is_auth(path) ? bulla_begins(path, BULLA_AUTH_PATH "token/") : path_is_reserved(path);
}

/* Segments as Go's path.Clean leaves them, joined by slashes and with one behind; to has room for as much as path. */
static size_t clean_segments(struct bulla_bytes path, uint8_t *to)
{
	size_t n = 0, kept = 0; /* kept: bytes of leading "..", which nothing takes back */

	for (size_t at = 0; at < path.len;) {
		const uint8_t *p = path.ptr + at, *slash = memchr(p, '/', path.len - at);
		struct bulla_bytes segment = bulla_mem(p, slash != NULL ? (size_t)(slash - p) : path.len - at);
		bool up = bulla_is(segment, "..");

		at += segment.len + 1;
		if (segment.len == 0 || bulla_is(segment, "."))
			continue;
		if (up && n > kept) {
			while (--n > kept && to[n - 1] != '/')
				;
			continue;
		}
		memcpy(to + n, segment.ptr, segment.len);
		n += segment.len;
		to[n++] = '/';
		kept = up ? n : kept;
	}
	return n;
}

enum bulla_err path_check_destination(struct bulla_call *call, struct bulla_bytes path)
{
	while (path.len > 0 && path.ptr[0] == '/')
		path = bulla_mem(path.ptr + 1, path.len - 1);
	if (path.len == 0)
		return bulla_fail(call, BULLA_E_INVALID, "invalid destination mount path \"/\"");
	if (!bulla_all_printable(path))
		return bulla_fail(call, BULLA_E_INVALID, "invalid destination mount: path cannot contain non-printable characters");
	if (path.ptr[path.len - 1] != '/')
		path = bulla_arena_printf(call->arena, "%.*s/", PRINT(path));
	uint8_t *clean = bulla_arena_alloc(call->arena, path.len + sizeof "./");

	if (path.ptr == NULL || clean == NULL)
		return BULLA_E_NO_MEMORY;
	size_t n = clean_segments(path, clean);

	if (n == 0)
		clean[n++] = '.', clean[n++] = '/';
	if (bulla_equal(bulla_mem(clean, n), path))
		return BULLA_OK;
	return bulla_fail(call, BULLA_E_INVALID, "invalid destination mount: path '%.*s' does not match cleaned path '%.*s'", PRINT(path),
			  (int)n, (const char *)clean);
}
