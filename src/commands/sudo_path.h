/* sudo_path.h: which paths of the API need the capability sudo. */
#ifndef BULLA_COMMANDS_SUDO_PATH_H
#define BULLA_COMMANDS_SUDO_PATH_H

#include <bulla/bytes.h>

/* By the server's own table of routes, for paths below sys/ and auth/token/: "sys/audit". One thread. */
bool path_needs_sudo(struct bulla_bytes path);

#endif
