/* socket_config.c: whose the socket of a listener "unix" is. One thread, at start and at SIGHUP. */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "commands/config_reader.h"

#define LOOKUP_BYTES 16384

/* In quotes or without. -1 would mean "as it is", in any width. */
static bool is_number(const char *text, struct socket_owner *out)
{
	errno = 0;
	unsigned long long n = strtoull(text, NULL, 10);

	out->given = errno == 0 && n < UINT32_MAX;
	out->id = (uint32_t)n;
	return text[strspn(text, "0123456789")] == '\0';
}

static struct socket_owner user(const char *name)
{
	char space[LOOKUP_BYTES];
	struct passwd row, *found = NULL;
	bool good = getpwnam_r(name, &row, space, sizeof space, &found) == 0 && found != NULL;

	return (struct socket_owner){ .given = good, .id = good ? row.pw_uid : 0 };
}

static struct socket_owner group(const char *name)
{
	char space[LOOKUP_BYTES];
	struct group row, *found = NULL;
	bool good = getgrnam_r(name, &row, space, sizeof space, &found) == 0 && found != NULL;

	return (struct socket_owner){ .given = good, .id = good ? row.gr_gid : 0 };
}

bool owner_config_read(struct config_reader *r, const struct hcl *at, bool is_group, struct socket_owner *out)
{
	if (at == NULL || (at->kind == HCL_STRING && at->text[0] == '\0'))
		return true;
	if (at->kind != HCL_STRING && at->kind != HCL_NUMBER)
		return setting_fail(&r->findings, at, "\"%s\" must be a name or a number", at->name);
	if (!is_number(at->text, out))
		*out = is_group ? group(at->text) : user(at->text);
	return out->given || setting_fail(&r->findings, at, "\"%s\": there is no %s \"%s\"", at->name, is_group ? "group" : "user", at->text);
}
