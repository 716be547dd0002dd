/* header_config.h: the listener's custom_response_headers. */
#ifndef BULLA_COMMANDS_HEADER_CONFIG_H
#define BULLA_COMMANDS_HEADER_CONFIG_H

#include <bulla/hcl.h>

#include "http/reply_headers.h"

/* What is left out, as OpenBao leaves it out: to be logged. */
struct header_warning {
	struct header_warning *next;
	const char *text;
};

/* Of { "default" = { "Name" = ["value"] }, "2xx" = ..., "200" = ... }. All in the arena; warnings are added in front.
 * CONFIG: "FILE:LINE:COLUMN: what". NO_MEMORY. */
BULLA_MUST_USE enum bulla_err header_config_read(struct bulla_call *call, const char *file, const struct hcl *at,
						 const struct reply_headers **out, struct header_warning **warnings);

#endif
