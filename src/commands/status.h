/* status.h: prints a seal status. */
#ifndef BULLA_COMMANDS_STATUS_H
#define BULLA_COMMANDS_STATUS_H

#include "commands/output.h"

/* doc: the answer of sys/seal-status; gets the member ha_enabled from sys/leader. An exit status. */
int status_print(struct cli *cli, json_t *doc);

#endif
