/* log_options.h: what flags and the environment say of the log, before the configuration. One thread. */
#ifndef BULLA_COMMANDS_LOG_OPTIONS_H
#define BULLA_COMMANDS_LOG_OPTIONS_H

#include "commands/server_config.h"

/* Of the command line; NULL: not given. */
struct log_options {
	const char *level, *format, *file;
	const char *rotate_bytes, *rotate_duration, *rotate_max_files; /* the peers': the log says that they do nothing */
};

/* A flag wins over BULLA_LOG_LEVEL, BAO_LOG_LEVEL, VAULT_LOG_LEVEL (and ..._LOG_FORMAT), these over the configuration. CONFIG: an unknown
 * word, and whose. */
BULLA_MUST_USE enum bulla_err log_options_apply(const struct log_options *options, struct bulla_call *call, struct server_config *config);

#endif
