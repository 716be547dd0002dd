/* server_config.h: the server's configuration files. */
#ifndef BULLA_COMMANDS_SERVER_CONFIG_H
#define BULLA_COMMANDS_SERVER_CONFIG_H

#include "commands/header_config.h"
#include "commands/lockout_config.h"
#include "commands/log.h"
#include "http/httpd.h"

#define MAX_LISTENERS 16
#define MAX_AUDIT_DEVICES 8

/* Texts are borrowed from the arena of the call it was read with. */
struct server_config {
	struct listener listeners[MAX_LISTENERS];
	size_t listener_count;
	const char *storage_path;       /* NULL: in memory */
	struct bulla_seal_config seal;
	bool disable_mlock;
	enum log_level log_level;
	bool log_json;
	const char *log_level_word, *log_format_word; /* as written, checked; NULL: nothing was said */
	const char *log_file;           /* NULL: stderr */
	int64_t max_request_bytes;      /* 0: the default */
	int64_t max_request_s, default_max_request_s; /* of listeners; where they say nothing */
	int64_t max_request_memory;     /* 0: the default */
	int64_t max_connections;        /* 0: the default, as the next */
	int64_t share_percent;
	int64_t startup_wait_s;         /* for a server that still has the storage or an address */
	int64_t default_lease_ttl_s, max_lease_ttl_s;
	const char *pid_file, *api_addr, *cluster_name; /* NULL: none */
	struct bulla_audit_spec audit[MAX_AUDIT_DEVICES];
	size_t audit_count;
	bool allow_audit_log_prefixing;       /* the option "prefix" of audit devices */
	bool unsafe_allow_api_audit_creation; /* sys/audit may enable devices */
	bool vault_reply_fields;              /* replies have Vault's fields beside OpenBao's */
	struct lockout_config lockout;
	bool has_storage;
	const char *storage_folder;     /* to be made, if it is not there; NULL: none */
};

/* Reads and checks files and folders (config_files.h), one after another; what a later one says is merged as the peers do: settings_merge,
 * storage and user_lockout of the later, listeners and audit devices of all, one seal. *findings, a list in the call's arena: all errors and
 * warnings; the errors are the detail, too, a line each. CONFIG; NO_MEMORY; *out is empty then. */
BULLA_MUST_USE enum bulla_err server_config_read(const char *const *paths, size_t count, struct bulla_call *call,
						 struct server_config *out, const struct config_finding **findings);

#endif
