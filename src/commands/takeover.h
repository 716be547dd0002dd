/* takeover.h: how a server takes the place of the one before it, and how it leaves its own. One thread, the one that
 * gets signals. */
#ifndef BULLA_COMMANDS_TAKEOVER_H
#define BULLA_COMMANDS_TAKEOVER_H

#include <signal.h>

#include "http/httpd.h"

#define STARTUP_WAIT_S 30 /* unless something else was said */

/* How long a start waits for what another process has: one span for all of it. */
struct takeover {
	const sigset_t *signals; /* blocked in all threads */
	int64_t wait_s;
	int64_t until_ms;        /* of the monotonic clock; 0: nothing was waited for yet */
	bool told;
	bool ended;              /* SIGTERM or SIGINT came meanwhile: the start is to be given up */
};

/* Makes an attempt, and makes it again every few milliseconds while it fails with STORE_LOCKED or ADDRESS_IN_USE, for
 * wait_s at most; the log tells it once. The attempt gets a call of its own, of which nothing is left but the error's
 * text. SHUTTING_DOWN: a signal came; NO_MEMORY; else the attempt's last error. */
BULLA_MUST_USE enum bulla_err takeover_try(struct takeover *takeover, struct bulla_call *call,
					   enum bulla_err (*attempt)(void *context, struct bulla_call *call), void *context);

/* Stops the server after SIGTERM or SIGINT (first). If that signal comes again, at once: false, if after a second some
 * of it still runs, and the process has to end as it is. */
BULLA_MUST_USE bool takeover_leave(struct httpd *httpd, const sigset_t *signals, int first);

/* Writes the file of the process's number. CONFIG. */
BULLA_MUST_USE enum bulla_err pid_file_write(const char *path, struct bulla_call *call);
/* Removes it, if it is still ours. */
void pid_file_remove(const char *path);

#endif
