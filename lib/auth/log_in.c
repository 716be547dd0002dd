/* log_in.c: see log_in.h. */
#include "auth/log_in.h"

/* "approle" for auth/approle/, "a-b-alice" for alice of auth/a/b/: slashes become hyphens, and none is left at the end. */
static enum bulla_err display_name(struct bulla_call *call, const struct log_in *args, struct bulla_bytes *out)
{
	struct bulla_bytes path = args->mount->path;

	if (bulla_mount_is_auth(args->mount))
		path = bulla_mem(path.ptr + strlen(BULLA_AUTH_PATH), path.len - strlen(BULLA_AUTH_PATH));
	char *p = bulla_arena_alloc(call->arena, path.len + args->name.len);
	size_t n = path.len;

	if (p == NULL)
		return BULLA_E_NO_MEMORY;
	for (size_t i = 0; i < path.len; i++)
		p[i] = path.ptr[i] == '/' ? '-' : (char)path.ptr[i];
	if (args->name.len > 0)
		memcpy(p + n, args->name.ptr, args->name.len);
	n += args->name.len;
	if (n > 0 && p[n - 1] == '-')
		n--;
	*out = bulla_mem(p, n);
	return BULLA_OK;
}

enum bulla_err auth_log_in(struct auth *auth, struct bulla_call *call, const struct log_in *args, struct bulla_auth *out)
{
	struct access_login login = {
		.mount = args->mount, .login_name = args->login_name, .params = args->params, .meta = args->meta,
		.meta_count = args->meta_count, .writes = args->writes, .write_count = args->write_count,
	};

	TRY(display_name(call, args, &login.display_name));
	login.path = bulla_arena_printf(call->arena, "%.*s%.*s", (int)args->mount->path.len, (const char *)args->mount->path.ptr,
					(int)args->path.len, (const char *)args->path.ptr);
	if (login.path.ptr == NULL)
		return BULLA_E_NO_MEMORY;
	return access_login(auth->access, call, &login, out);
}
