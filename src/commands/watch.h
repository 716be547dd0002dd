/* watch.h: what the server's main thread does while the others serve. */
#ifndef BULLA_COMMANDS_WATCH_H
#define BULLA_COMMANDS_WATCH_H

#include <signal.h>

#include "commands/log_options.h"

/* What is watched, and where what is reloaded stands. Borrowed. */
struct watched {
	struct httpd *httpd;
	struct bulla *engine;
	const struct log_options *log;
	const char *const *config_paths;
	size_t config_path_count; /* 0: there is no configuration */
};

/* Returns SIGTERM or SIGINT when it came. SIGHUP reloads certificates, opens the log file and the audit devices anew, and reads of the
 * configuration the headers of replies, the log's level and the audit devices. The signals are blocked in all threads. */
int watch_until_end(const struct watched *watched, const sigset_t *signals);

/* Logs warnings as such, errors as errors. */
void log_findings(const struct config_finding *findings);

#endif
