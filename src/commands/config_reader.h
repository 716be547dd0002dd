/* config_reader.h: what the readers of the configuration's blocks share. One thread, at start and at SIGHUP. */
#ifndef BULLA_COMMANDS_CONFIG_READER_H
#define BULLA_COMMANDS_CONFIG_READER_H

#include "commands/config_values.h"
#include "commands/server_config.h"

struct config_reader {
	struct config_findings findings;
	struct server_config *config; /* what has been read so far */
	bool stored;                  /* the file being read has said where to store */
	bool listens;                 /* there was a listener, good or bad */
	bool broken;                  /* a file could not be read at all: what is missing may stand there */
};

/* Each adds one block to the configuration. False: findings have errors. */
bool storage_config_read(struct config_reader *r, const struct hcl *block);
bool seal_config_read(struct config_reader *r, const struct hcl *block);
bool listener_config_read(struct config_reader *r, const struct hcl *block);
bool audit_config_read(struct config_reader *r, struct hcl *block);

/* Sets *out and *count to the addresses and CIDR blocks of an attribute: a list, or a text with commas. at NULL: they stay as they are.
 * The same errors. */
bool address_config_read(struct config_reader *r, const struct hcl *at, const struct bulla_bytes **out, size_t *count);

/* The user or group that an attribute names, or gives as a number: the same errors. at NULL or "": none. */
bool owner_config_read(struct config_reader *r, const struct hcl *at, bool is_group, struct socket_owner *out);

/* A secret, lent until it is forgotten. */
struct config_secret {
	struct bulla_bytes value;
	const char *variable;  /* of the environment, which has it; NULL: it is elsewhere */
	bool gone;             /* an earlier reading has taken it from there: there is no value */
};

/* The secret that an attribute with a text stands for: the text itself (string:// may precede it), or what the file has that file://PATH
 * names, or the variable of env://NAME. The same errors, none with a value in it. */
bool secret_config_read(struct config_reader *r, const struct hcl *at, struct config_secret *out);
/* Wipes it where it lies, and takes the variable out of the environment. */
void secret_config_forget(struct config_secret *secret);

/* Wipes text from which a secret has been read: it is not to lie about as long as the server runs. */
void config_forget(const void *text, size_t len);

#endif
