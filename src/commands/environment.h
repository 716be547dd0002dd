/* environment.h: the variables that steer the client. */
#ifndef BULLA_COMMANDS_ENVIRONMENT_H
#define BULLA_COMMANDS_ENVIRONMENT_H

/* The value of BULLA_NAME, else of BAO_NAME, else of VAULT_NAME; an empty one counts as none. NULL: none. Borrowed. */
const char *environment_get(const char *name);

#endif
