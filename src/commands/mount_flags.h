/* mount_flags.h: the settings that "secrets" and "auth" have in common, as flags. */
#ifndef BULLA_COMMANDS_MOUNT_FLAGS_H
#define BULLA_COMMANDS_MOUNT_FLAGS_H

#include "commands/values.h"

/* What enable and tune have in common; -1, NULL: not given. */
struct mount_flags {
	const char *description, *listing_visibility;
	int64_t default_ttl_s, max_ttl_s;
	bool force_no_cache;
	struct flag_list options, audit_request, audit_response, passthrough, allowed;
};

#define MOUNT_FLAGS_NONE { .default_ttl_s = -1, .max_ttl_s = -1 }
#define MOUNT_FLAG_ROWS(m) \
	{ "description", FLAG_STRING, &(m).description, "What the engine is for." }, \
	{ "default-lease-ttl", FLAG_DURATION, &(m).default_ttl_s, "Default lease time." }, \
	{ "max-lease-ttl", FLAG_DURATION, &(m).max_ttl_s, "Longest lease time." }, \
	{ "options", FLAG_PAIRS, &(m).options, "An option of the engine; may be given many times." }, \
	{ "listing-visibility", FLAG_STRING, &(m).listing_visibility, "\"unauth\" or \"hidden\"." }, \
	{ "audit-non-hmac-request-keys", FLAG_LIST, &(m).audit_request, "A request field that the audit log shows in clear." }, \
	{ "audit-non-hmac-response-keys", FLAG_LIST, &(m).audit_response, "A response field that the audit log shows in clear." }, \
	{ "passthrough-request-headers", FLAG_LIST, &(m).passthrough, "A request header that the engine is given." }, \
	{ "allowed-response-headers", FLAG_LIST, &(m).allowed, "A response header that the engine may set." }

/* The members that enable has in "config" and tune at the top, as far as they were given. */
void mount_flags_set(struct cli *cli, json_t *object, const struct mount_flags *m);

#endif
