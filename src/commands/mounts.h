/* mounts.h: what "secrets" and "auth" have in common: the settings of a mount as flags, and the verbs that differ by a name only. */
#ifndef BULLA_COMMANDS_MOUNTS_H
#define BULLA_COMMANDS_MOUNTS_H

#include "commands/cli.h"
#include "commands/output.h"
#include "commands/values.h"

/* What is mounted there. */
struct mount_kind {
	const char *name;   /* "secrets engine", "auth method" */
	const char *many;   /* "secrets engines" */
	const char *routes; /* where its mounts are enabled and listed: "sys/mounts" */
	const char *below;  /* before the paths of its mounts: "" or "auth/" */
};

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

/* The options of a new mount, with the version (below 0: none is asked for) among them; NULL: there are none. A new reference. */
json_t *mount_options(struct cli *cli, const struct mount_flags *m, int64_t version);

/* Four cells of a detailed list: the version that was asked for, that which runs, its hash, whether it is deprecated. */
void mount_add_versions(struct output_table *table, json_t *mount);

/* Where a mount is enabled and disabled. path: from cli_mount_path. */
const char *mount_target(struct cli *cli, const struct mount_kind *kind, const char *path);

/* A time to live among a mount's settings; "system" when the server's own goes. */
const char *mount_lease(struct cli *cli, json_t *mount, const char *name);

/* Sends the settings of the mount that the first argument names. An exit status. */
int mount_tune(struct cli *cli, const struct mount_kind *kind, json_t *body);

/* Whole commands. An exit status. */
int mount_disable(const struct mount_kind *kind, const struct cli_spec *spec, int argc, char **argv);
int mount_move(const struct mount_kind *kind, const struct cli_spec *spec, int argc, char **argv);

/* Prints the mounts, an object by path, as a table. */
typedef void mount_print_fn(struct cli *cli, json_t *mounts, bool detailed);
int mount_list(const struct mount_kind *kind, const struct cli_spec *spec, mount_print_fn *print, int argc, char **argv);

#endif
