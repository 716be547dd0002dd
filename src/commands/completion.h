/* completion.h: what a shell asks with the tab key: the program is run with COMP_LINE, and prints what may stand there, a line each. The
 * commands themselves answer, from the tables that they parse with: they come as far as flags_parse and cli_begin, and no further. */
#ifndef BULLA_COMMANDS_COMPLETION_H
#define BULLA_COMMANDS_COMPLETION_H

#include <stdbool.h>

#include "commands/commands.h"

/* What may stand in a place. From COMPLETES_PATHS on the server is asked. */
enum completes {
	COMPLETES_NOTHING,
	COMPLETES_FILES,
	COMPLETES_FORMATS,
	COMPLETES_ENGINES,      /* types */
	COMPLETES_METHODS,
	COMPLETES_LOGINS,
	COMPLETES_DEVICE_TYPES,
	COMPLETES_PATHS,
	COMPLETES_MOUNTS,
	COMPLETES_AUTHS,
	COMPLETES_POLICIES,
	COMPLETES_DEVICES,
};

struct cli;

/* Completes the last word of line, which begins with the program's name, by the commands in rows. Only what stands before the cursor may be
 * in line. Errors are told to nobody. The exit status of the process. */
int completion_run(const struct command *rows, const char *line);

/* Whether the process runs for that. */
bool completion_is_on(void);

/* Prints the word if it may stand in the place of prefix. */
void completion_offer(const char *prefix, const char *word);

/* What is to be put in the place of prefix (borrowed). Whatever needs no server is printed at once. */
void completion_want(enum completes kind, const char *prefix);
/* The same, for the value of that flag. */
void completion_want_value(const char *flag, const char *prefix);

/* Prints what was wanted and needs the server, by the prepared client. */
void completion_ask(struct cli *cli);

/* completion_server.c's part of that. */
void completion_ask_server(struct cli *cli, enum completes kind, const char *prefix);

#endif
