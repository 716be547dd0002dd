/* sudo_path.c: asks the server's table of routes for a path. Apart from the other client files, whose JSON library has names of its own.
 * One thread. */
#include "commands/sudo_path.h"

#include "http/routes.h"

bool path_needs_sudo(struct bulla_bytes path)
{
	static const struct {
		const char *prefix;
		enum bulla_mount_kind kind;
	} fixed[] = { { "sys/", BULLA_MOUNT_SYSTEM }, { "auth/token/", BULLA_MOUNT_TOKEN } };
	struct bulla_bytes params[MAX_PARAMS] = { 0 };
	struct bulla_call call = { .arena = bulla_arena_new(4096) };
	const struct route_path *found = NULL;

	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0] && call.arena != NULL && routes_init(&call) == BULLA_OK; i++) {
		size_t n = strlen(fixed[i].prefix);

		if (found == NULL && bulla_begins(path, fixed[i].prefix))
			found = routes_find(fixed[i].kind, bulla_mem(path.ptr + n, path.len - n), params);
	}
	bulla_arena_free(call.arena);
	return found != NULL && (found->flags & ROUTE_SUDO) != 0;
}
