/* dev.h: "bulla server -dev": a server that is initialised, unsealed and whose root token is known. Not for production. */
#ifndef BULLA_COMMANDS_DEV_H
#define BULLA_COMMANDS_DEV_H

#include "commands/server_config.h"

struct dev_options {
	const char *token, *address, *storage; /* NULL: made at random, 127.0.0.1:8200, in memory */
	bool tls;
	bool no_store_token; /* the root token is not kept for the client commands */
};

/* What was not given on the line, from BULLA_DEV_ROOT_TOKEN_ID and _DEV_LISTEN_ADDRESS (BAO_, VAULT_), as with the peers. */
void dev_use_environment(struct dev_options *options);


struct dev {
	struct bulla_bytes share, token; /* in the call's arena */
	const char *tls_folder, *ca_file; /* NULL: no TLS */
};

/* Fills in what a configuration file would say; with TLS, makes certificates in a new folder. CONFIG, CRYPTO, NO_MEMORY. */
BULLA_MUST_USE enum bulla_err dev_configure(const struct dev_options *options, struct bulla_call *call,
					    struct server_config *config, struct dev *dev);

/* Initialises the engine and keeps share and token in FILE.dev, or reads them from there; unseals. CONFIG and the engine's. */
BULLA_MUST_USE enum bulla_err dev_open(const struct dev_options *options, struct bulla *engine, struct bulla_call *call,
				       struct dev *dev);

/* Keeps the root token for the client commands (token_helper.h), and tells on stdout what a user needs to know. That it could not be kept is
 * told there, too. */
void dev_announce(const struct dev_options *options, const struct server_config *config, const struct dev *dev, struct bulla_call *call);

/* Removes the certificates. */
void dev_clear(const struct dev *dev);

#endif
