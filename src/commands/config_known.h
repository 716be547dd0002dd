/* config_known.h: the keys of Vault's and OpenBao's configuration that do nothing here. Stateless: any thread. */
#ifndef BULLA_COMMANDS_CONFIG_KNOWN_H
#define BULLA_COMMANDS_CONFIG_KNOWN_H

#include "commands/config_findings.h"

/* Answers an attribute or block that is none of ours, in where ("": at the top; "listener"; "listener.telemetry"): a warning with the
 * reason why it does nothing; an error where it asks for a protection that is not there. Nothing is said of one that asks for what is
 * so in any case. False: it is no key of the peers either, and nothing was said. */
bool known_answer(struct config_findings *findings, const char *where, const struct hcl *at);

#endif
