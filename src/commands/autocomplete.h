/* autocomplete.h: bulla -autocomplete-install and -autocomplete-uninstall. */
#ifndef BULLA_COMMANDS_AUTOCOMPLETE_H
#define BULLA_COMMANDS_AUTOCOMPLETE_H

#include <stdbool.h>

/* Whether argument is one of both. */
bool autocomplete_is_asked(const char *argument);
/* Tells the user's shells, those whose files are there (bash, zsh, fish), to ask this program, or no longer to. The exit status. */
int autocomplete_run(const char *argument);

#endif
