/* policy_format.h: policies laid out anew. Stateless: any thread. */
#ifndef BULLA_COMMANDS_POLICY_FORMAT_H
#define BULLA_COMMANDS_POLICY_FORMAT_H

#include <bulla.h>

/* HCL with one attribute or bracket a line, two blanks a level, and blanks around "="; strings and comments stay as they are.
 * text has been parsed before: its brackets and quotes come in pairs. *out in the arena. NO_MEMORY. */
BULLA_MUST_USE enum bulla_err policy_format(struct bulla_call *call, struct bulla_bytes text, struct bulla_bytes *out);

#endif
