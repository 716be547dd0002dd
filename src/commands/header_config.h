/* header_config.h: the listener's custom_response_headers. */
#ifndef BULLA_COMMANDS_HEADER_CONFIG_H
#define BULLA_COMMANDS_HEADER_CONFIG_H

#include "commands/config_findings.h"
#include "http/reply_headers.h"

/* Of { "default" = { "Name" = ["value"] }, "2xx" = ..., "200" = ... }. All in the arena. Warnings for what is left out, as OpenBao leaves it
 * out. False: findings have errors, or it is out of memory. */
bool header_config_read(struct config_findings *findings, const struct hcl *at, const struct reply_headers **out);

#endif
