/* lockout_config.h: the blocks user_lockout "all" | "userpass" | "approle" of the configuration file. One thread, at start. */
#ifndef BULLA_COMMANDS_LOCKOUT_CONFIG_H
#define BULLA_COMMANDS_LOCKOUT_CONFIG_H

#include <bulla/lockout.h>

#include "commands/config_values.h"

/* What one block said. */
struct lockout_block {
	int64_t threshold, duration_s, reset_s; /* 0: nothing */
	bool disabled, disabled_set;
	const char *file;                       /* that said it; NULL: none */
};

struct lockout_config {
	struct lockout_block all, userpass, approle;
};

/* Of two files the later one counts. False, and an error: an unknown block, a second one of a kind in a file, a bad value. */
bool lockout_config_read(struct config_findings *findings, const struct hcl *block, struct lockout_config *config);

/* The rule of a method (its block in config): what its own block does not say, "all" says, else the default. */
struct bulla_lockout_rule lockout_config_rule(const struct lockout_config *config, const struct lockout_block *own);

#endif
