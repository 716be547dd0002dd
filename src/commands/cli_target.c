/* cli_target.c: owns the escaping of paths and queries. One thread. */
#include "commands/cli.h"

#include <stdio.h>

/* Characters that stand as they are (RFC 3986): in a path what Go leaves, in a query only the unreserved. */
#define UNRESERVED "-._~"
#define IN_PATH UNRESERVED "$&+,:;=@"

static bool stands(char c, const char *others)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr(others, c) != NULL);
}

static const char *escaped(struct cli *cli, const char *text, size_t len, const char *others)
{
	char *out = bulla_arena_alloc(cli->arena, 3 * len + 1), *at = out;

	if (out == NULL)
		cli_out_of_memory();
	for (size_t i = 0; i < len; i++) {
		if (stands(text[i], others))
			*at++ = text[i];
		else
			at += sprintf(at, "%%%02X", (unsigned char)text[i]);
	}
	return out;
}

/* Cuts the last segment of "/v1/a/b", but not "/v1". */
static const char *without_last(struct cli *cli, const char *target)
{
	const char *cut = strrchr(target, '/');

	return cut == target ? target : cli_printf(cli, "%.*s", (int)(cut - target), target);
}

const char *cli_target(struct cli *cli, const char *path)
{
	const char *target = "/v1";

	while (*path != '\0') {
		size_t len = strcspn(path, "/");

		if (len == 2 && strncmp(path, "..", 2) == 0)
			target = without_last(cli, target);
		else if (len > 0 && !(len == 1 && *path == '.'))
			target = cli_printf(cli, "%s/%s", target, escaped(cli, path, len, IN_PATH));
		path += len + (path[len] == '/');
	}
	return target;
}

static const char *with_pair(struct cli *cli, const char *target, const char *key, const char *value)
{
	return cli_printf(cli, "%s%c%s=%s", target, strchr(target, '?') != NULL ? '&' : '?',
			  escaped(cli, key, strlen(key), UNRESERVED), escaped(cli, value, strlen(value), UNRESERVED));
}

const char *cli_target_with(struct cli *cli, const char *target, json_t *query)
{
	const char *key;
	json_t *value, *item;
	size_t i;

	json_object_foreach(query, key, value) {
		if (json_is_string(value))
			target = with_pair(cli, target, key, json_string_value(value));
		json_array_foreach(value, i, item)
			target = with_pair(cli, target, key, json_string_value(item));
	}
	return target;
}

const char *cli_mount_path(struct cli *cli, const char *path)
{
	while (*path == '/')
		path++;
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		len--;
	return cli_printf(cli, "%.*s/", (int)len, path);
}
