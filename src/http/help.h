/* help.h: what a path can do, told from the table of routes: any request with ?help=1. */
#ifndef BULLA_HTTP_HELP_H
#define BULLA_HTTP_HELP_H

#include "http/routes.h"

/* Prints {"help", "openapi", "see_also"} of a path, or where path is NULL of a whole mount of that kind. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err help_print(const struct exchange *x, enum bulla_mount_kind kind, const struct route_path *path,
					 struct bulla_bytes rest, struct out *body);

#endif
