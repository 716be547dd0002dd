/* config_files.h: which files the paths of a configuration stand for. Stateless: any thread. */
#ifndef BULLA_COMMANDS_CONFIG_FILES_H
#define BULLA_COMMANDS_CONFIG_FILES_H

#include "commands/config_findings.h"

/* Paths in the order given; a folder's files *.hcl and *.json in the order of their names, without those that editors leave behind, and without
 * folders in it. A file that stands in a folder that is given too counts once, with a warning. In the arena; an error for what cannot be
 * looked at, and for a folder without such a file. */
void config_files(struct config_findings *findings, const char *const *paths, size_t count, const char *const **files, size_t *file_count);

#endif
