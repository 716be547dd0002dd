/* config_shape.h: blocks in one shape, in whatever way a configuration file writes them. Stateless: any thread. */
#ifndef BULLA_COMMANDS_CONFIG_SHAPE_H
#define BULLA_COMMANDS_CONFIG_SHAPE_H

#include "commands/config_findings.h"

/* Moves the blocks out of root, in their order, into *blocks; what is left are settings. Labels may be keys of objects, and blocks elements of
 * lists, as in JSON: { "listener": [{ "tcp": {} }] }; or the type is said inside: listener { type = "tcp" }. An element that should be
 * a block is an error. */
void config_shape(struct config_findings *findings, struct hcl *root, struct hcl **blocks);

#endif
