/* config_reader.h: what the readers of the configuration's blocks share. One thread, at start and at SIGHUP. */
#ifndef BULLA_COMMANDS_CONFIG_READER_H
#define BULLA_COMMANDS_CONFIG_READER_H

#include "commands/config_values.h"
#include "commands/server_config.h"

struct config_reader {
	struct bulla_call *call;
	const char *file;
	struct server_config *config; /* what has been read so far */
};

/* Each adds one block to the configuration. CONFIG with "FILE:LINE:COLUMN: what"; NO_MEMORY. */
BULLA_MUST_USE enum bulla_err seal_config_read(struct config_reader *r, const struct hcl *block);
BULLA_MUST_USE enum bulla_err listener_config_read(struct config_reader *r, const struct hcl *block);
BULLA_MUST_USE enum bulla_err audit_config_read(struct config_reader *r, struct hcl *block);

/* The block's attribute of that name; the block itself without one: for the place in a message. */
const struct hcl *config_child(const struct hcl *block, const char *name);

/* Wipes text from which a secret has been read: it is not to lie about as long as the server runs. */
void config_forget(const void *text, size_t len);

#endif
