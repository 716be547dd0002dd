/* watch.h: what the server's main thread does while the others serve. */
#ifndef BULLA_COMMANDS_WATCH_H
#define BULLA_COMMANDS_WATCH_H

#include <signal.h>

#include "http/httpd.h"

/* Returns SIGTERM or SIGINT when it came. SIGHUP reloads certificates and, from the configuration's file (NULL: there is none), the headers of
 * replies, and opens the log file and the audit devices anew. The signals are blocked in all threads. */
int watch_until_end(struct httpd *httpd, struct bulla *engine, const char *config_file, const sigset_t *signals);

#endif
