/* environment.c: owns the names of the variables. One thread. */
#include "commands/environment.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_MAX_BYTES 64

const char *environment_get(const char *name)
{
	static const char *const prefixes[] = { "BULLA_", "BAO_", "VAULT_" };

	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		char whole[NAME_MAX_BYTES];

		snprintf(whole, sizeof whole, "%s%s", prefixes[i], name);
		const char *value = getenv(whole);

		if (value != NULL && value[0] != '\0')
			return value;
	}
	return NULL;
}
