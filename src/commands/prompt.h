/* prompt.h: asking for a secret on the terminal. */
#ifndef BULLA_COMMANDS_PROMPT_H
#define BULLA_COMMANDS_PROMPT_H

#include "commands/cli.h"

/* Asks question on the terminal, without echo. what: of what is asked for, for the message where there is no terminal: "the key".
 * NULL: told on stderr. */
const char *prompt_secret(struct cli *cli, const char *question, const char *what);

#endif
