/* preview.h: what a command would send, printed instead of being sent: as a line for curl, or as a policy that allows it. One thread. */
#ifndef BULLA_COMMANDS_PREVIEW_H
#define BULLA_COMMANDS_PREVIEW_H

#include "commands/cli.h"

/* The request as one line for a shell, the token replaced by "$(bulla print token)". body NULL: none. */
void preview_curl(struct cli *cli, const char *method, const char *target, json_t *body);

/* A stanza of a policy with the capabilities that the request may need. */
void preview_policy(const char *method, const char *target);

#endif
