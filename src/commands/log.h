/* log.h: the server's log: one line an event, never a secret. Any thread once it is open. */
#ifndef BULLA_COMMANDS_LOG_H
#define BULLA_COMMANDS_LOG_H

#include <bulla.h>

enum log_level { LOG_LEVEL_TRACE, LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

struct log_config {
	enum log_level level; /* less is not written */
	bool json;
	const char *file;     /* NULL: stderr; made with mode 0600; borrowed */
};

/* The peers' words, in any case: "warn" and "warning", "err" and "error", "notice" for info ... False: another word. */
bool log_level_parse(const char *text, enum log_level *out);
#define LOG_LEVEL_WORDS "trace, debug, info (or notice), warn (or warning) and error (or err) are known"
/* False: neither "standard" nor "json". */
bool log_format_parse(const char *text, bool *json);
#define LOG_FORMAT_WORDS "standard and json are known"

/* From now on less than that is not written. Any thread. */
void log_set_level(enum log_level level);

/* CONFIG: the file cannot be opened. Call before other threads log. */
BULLA_MUST_USE enum bulla_err log_open(const struct log_config *config, struct bulla_call *call);

/* Opens the file again, after it was moved away. On failure the old one stays in use. CONFIG. */
BULLA_MUST_USE enum bulla_err log_reopen(struct bulla_call *call);

/* Control characters are escaped; a line is written by one write. Before log_open: to stderr. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The form of struct service: "trace" ... "error"; another word counts as info. */
void log_text(void *context, const char *level, const char *text);

#endif
